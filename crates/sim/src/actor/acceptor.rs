//! A server: listens, accepts, and hands each connection to an actor.

use super::{Actor, Cx};
use hearken_inet::{AcceptError, Cred, Domain, Ready, SocketId};
use std::net::SocketAddr;
use std::time::Duration;

type Serve = Box<dyn FnMut(SocketId) -> Box<dyn Actor> + Send>;

/// Listens on an address and begins an actor for each connection.
pub struct Acceptor {
    addr: SocketAddr,
    backlog: u32,
    serve: Serve,
    /// Time from one accept to the next; zero takes all that wait at once.
    pace: Duration,
    asleep: bool,
    socket: Option<SocketId>,
    accepted: u64,
}

impl Acceptor {
    /// A server on `addr` whose connections `serve` turns into actors.
    pub fn new(
        addr: SocketAddr,
        backlog: u32,
        serve: impl FnMut(SocketId) -> Box<dyn Actor> + Send + 'static,
    ) -> Acceptor {
        Acceptor {
            addr,
            backlog,
            serve: Box::new(serve),
            pace: Duration::ZERO,
            asleep: false,
            socket: None,
            accepted: 0,
        }
    }

    /// Takes `pace` for each connection: a server that cannot keep up.
    #[must_use]
    pub fn every(mut self, pace: Duration) -> Acceptor {
        self.pace = pace;
        self
    }

    /// Connections accepted so far.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.accepted
    }

    /// The listening socket, once it listens.
    #[must_use]
    pub fn socket(&self) -> Option<SocketId> {
        self.socket
    }

    fn accept(&mut self, cx: &mut Cx<'_>) {
        let Some(s) = self.socket else { return };
        while !self.asleep {
            match cx.net.accept(cx.now, s) {
                Ok(a) => {
                    self.accepted += 1;
                    cx.spawn((self.serve)(a.socket));
                    if self.pace > Duration::ZERO {
                        self.asleep = true;
                        cx.wake_at(cx.now + self.pace);
                    }
                }
                Err(AcceptError::Empty) => return,
                Err(e) => panic!("accept: {e:?}"),
            }
        }
    }
}

impl Actor for Acceptor {
    fn start(&mut self, cx: &mut Cx<'_>) {
        let domain = if self.addr.is_ipv4() {
            Domain::Inet
        } else {
            Domain::Inet6
        };
        let s = cx.net.socket(domain);
        cx.net
            .bind(s, self.addr, &Cred::ROOT)
            .unwrap_or_else(|e| panic!("bind {}: {e:?}", self.addr));
        cx.net
            .listen(cx.now, s, self.backlog)
            .unwrap_or_else(|e| panic!("listen {}: {e:?}", self.addr));
        cx.watch(s, Ready::READ, 0);
        cx.background();
        self.socket = Some(s);
    }
    fn ready(&mut self, cx: &mut Cx<'_>, _: u32, _: Ready) {
        self.accept(cx);
    }
    fn wake(&mut self, cx: &mut Cx<'_>) {
        self.asleep = false;
        self.accept(cx);
    }
}
