//! Programs: state machines on the sockets of one host, called when something is ready.

mod acceptor;
mod transfer;

pub use acceptor::Acceptor;
pub use transfer::{Failure, Transfer};

use hearken_inet::{Net, Ready, SocketId};
use hearken_tcp::Instant;
use std::any::Any;

/// An actor of a [`crate::Sim`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ActorId(pub(crate) u32);

/// A program. It is called when it begins, when a socket that it watches is ready, and when a time has come that it asked for.
/// As with edge-triggered epoll it must work until nothing more is there.
pub trait Actor: Any + Send {
    /// The first call.
    fn start(&mut self, cx: &mut Cx<'_>);
    /// `ready` holds for the socket that was watched under `key`.
    fn ready(&mut self, cx: &mut Cx<'_>, key: u32, ready: Ready);
    /// A time of [`Cx::wake_at`] has come.
    fn wake(&mut self, cx: &mut Cx<'_>) {
        let _ = cx;
    }
}

/// What an actor may do.
pub struct Cx<'a> {
    /// The virtual time.
    pub now: Instant,
    /// The host's namespace.
    pub net: &'a mut Net,
    pub(crate) id: ActorId,
    pub(crate) todo: Todo,
}

/// What a call of an actor asked for.
#[derive(Default)]
pub(crate) struct Todo {
    pub(crate) spawn: Vec<Box<dyn Actor>>,
    pub(crate) wake: Vec<Instant>,
    pub(crate) finished: bool,
    pub(crate) background: bool,
}

impl Cx<'_> {
    /// Calls [`Actor::ready`] with `key` when any of `want`, or an error, holds for `socket`.
    pub fn watch(&mut self, socket: SocketId, want: Ready, key: u32) {
        let token = u64::from(self.id.0) << 32 | u64::from(key);
        self.net.set_interest(socket, want, token);
    }
    /// Calls [`Actor::wake`] at `at`.
    pub fn wake_at(&mut self, at: Instant) {
        self.todo.wake.push(at);
    }
    /// Begins another actor on the same host after this call.
    pub fn spawn(&mut self, actor: Box<dyn Actor>) {
        self.todo.spawn.push(actor);
    }
    /// This actor is through: it is not called again.
    pub fn finish(&mut self) {
        self.todo.finished = true;
    }
    /// This actor serves others: [`crate::Sim::running`] does not count it.
    pub fn background(&mut self) {
        self.todo.background = true;
    }
}
