//! The stack as the supervisor calls it: `Machine` with its errno as numbers, and the gateway.
//!
//! Everything here is translation. What TCP does is decided below, what a call returns in
//! `hearken_syscall`.

mod sockets;
mod topology;

use std::io::Write as _;

use hearken_abi::{Errno, sockaddr};
use hearken_gateway::{FlowId, Gateway};
use hearken_inet::{RecvError, SendError};
use hearken_syscall::{Machine, MachineEvent, NetId};

use super::flow::{Connection, StackEnd};

pub(crate) use hearken_inet::{Cred, Instant, SocketId};
pub(crate) use hearken_syscall::{FileId, Ticket};
pub(crate) use topology::{Topology, clock};

/// A connection taken from an accept queue.
#[derive(Debug, Clone)]
pub(crate) struct Accepted {
    pub(crate) file: FileId,
    /// The peer's `struct sockaddr`.
    pub(crate) peer: Vec<u8>,
}

/// What a waiting call returned.
#[derive(Debug)]
pub(crate) enum Reply {
    Accepted(Accepted),
    Done,
}

/// How a call ended, or that it waits; errno as numbers.
#[derive(Debug)]
pub(crate) enum Outcome<T> {
    Done(Result<T, i32>),
    Blocked {
        ticket: Ticket,
        deadline: Option<Instant>,
    },
}

/// Both namespaces, the link between them, and the time.
pub(crate) struct Stack {
    pub(crate) machine: Machine,
    pub(crate) gateway: Gateway,
    prog: NetId,
    standing: crate::look::Standing,
    topology: Topology,
    now: Instant,
    ready: Vec<(FileId, bool, bool)>,
    tickets: Vec<Ticket>,
    events: Vec<MachineEvent>,
}

const POLL_IN: u32 = hearken_abi::sock::POLLIN;
const POLL_OUT: u32 = hearken_abi::sock::POLLOUT;
const POLL_ERR: u32 = hearken_abi::sock::POLLERR;
const POLL_HUP: u32 = hearken_abi::sock::POLLHUP;
const POLL_RDHUP: u32 = hearken_abi::sock::POLLRDHUP;

fn number(e: Errno) -> i32 {
    e.0
}

fn outcome<T, U>(o: hearken_syscall::Outcome<T>, f: impl FnOnce(T) -> U) -> Outcome<U> {
    match o {
        hearken_syscall::Outcome::Done(r) => Outcome::Done(r.map(f).map_err(number)),
        hearken_syscall::Outcome::Blocked(b) => Outcome::Blocked {
            ticket: b.ticket,
            deadline: b.deadline,
        },
    }
}

fn name(addr: std::net::SocketAddr) -> Vec<u8> {
    let (bytes, len) = sockaddr::encode(addr);
    bytes[..len].to_vec()
}

fn accepted(a: hearken_syscall::Accepted) -> Accepted {
    Accepted {
        file: a.file,
        peer: name(a.peer),
    }
}

fn reply(r: hearken_syscall::Reply) -> Reply {
    match r {
        hearken_syscall::Reply::Accepted(a) => Reply::Accepted(accepted(a)),
        _ => Reply::Done,
    }
}

impl Stack {
    /// The time of this turn of the loop.
    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    pub(crate) fn socket(
        &mut self,
        cred: &Cred,
        domain: i32,
        ty: i32,
        protocol: i32,
    ) -> Result<FileId, i32> {
        self.machine
            .socket(self.now, self.prog, cred, domain, ty, protocol)
            .map_err(number)
    }

    pub(crate) fn bind(&mut self, file: FileId, cred: &Cred, addr: &[u8]) -> Result<(), i32> {
        self.machine
            .bind(self.now, file, cred, addr)
            .map_err(number)
    }

    /// `fd` is the program's descriptor, for the trace.
    pub(crate) fn listen(&mut self, fd: i32, file: FileId, backlog: i32) -> Result<(), i32> {
        self.machine
            .listen_fd(self.now, fd, file, backlog)
            .map_err(number)
    }

    pub(crate) fn accept(&mut self, file: FileId, flags: i32) -> Outcome<Accepted> {
        outcome(self.machine.accept(self.now, file, flags), accepted)
    }

    pub(crate) fn accept_undo(&mut self, listener: FileId, child: FileId) {
        self.machine.accept_undo(self.now, listener, child);
    }

    pub(crate) fn connect(&mut self, file: FileId, cred: &Cred, addr: &[u8]) -> Outcome<()> {
        outcome(self.machine.connect(self.now, file, cred, addr), |()| ())
    }

    pub(crate) fn resume(&mut self, ticket: Ticket) -> Outcome<Reply> {
        outcome(self.machine.resume(self.now, ticket), reply)
    }

    pub(crate) fn resume_connect(&mut self, ticket: Ticket) -> Outcome<()> {
        outcome(self.machine.resume(self.now, ticket), |_| ())
    }

    pub(crate) fn interrupt(&mut self, ticket: Ticket) -> Result<Reply, i32> {
        self.machine
            .interrupt(self.now, ticket)
            .map(reply)
            .map_err(number)
    }

    pub(crate) fn getsockname(&self, file: FileId) -> Result<Vec<u8>, i32> {
        self.machine.getsockname(file).map(name).map_err(number)
    }

    pub(crate) fn getpeername(&self, file: FileId) -> Result<Vec<u8>, i32> {
        self.machine.getpeername(file).map(name).map_err(number)
    }

    pub(crate) fn shutdown(&mut self, file: FileId, how: i32) -> Result<(), i32> {
        self.machine.shutdown(self.now, file, how).map_err(number)
    }

    /// The program's last close.
    pub(crate) fn close(&mut self, file: FileId) {
        // It fails only for a file that is closed.
        let _ = self.machine.close(self.now, file);
    }

    /// The last close of a socket with unread data: RST.
    pub(crate) fn reset(&mut self, file: FileId) {
        let mut linger = [0u8; 8];
        linger[0] = 1;
        let _ = self
            .machine
            .setsockopt(self.now, file, libc::SOL_SOCKET, libc::SO_LINGER, &linger);
        self.close(file);
    }

    pub(crate) fn getsockopt(
        &mut self,
        file: FileId,
        level: i32,
        name: i32,
        room: i32,
    ) -> Result<Vec<u8>, i32> {
        self.machine
            .getsockopt(self.now, file, level, name, room)
            .map_err(number)
    }

    /// SO_ERROR, taken.
    pub(crate) fn so_error(&mut self, file: FileId) -> i32 {
        let value = self
            .getsockopt(file, libc::SOL_SOCKET, libc::SO_ERROR, 4)
            .unwrap_or_default();
        value.try_into().map_or(0, i32::from_ne_bytes)
    }

    pub(crate) fn setsockopt(
        &mut self,
        file: FileId,
        level: i32,
        name: i32,
        value: &[u8],
    ) -> Result<(), i32> {
        self.machine
            .setsockopt(self.now, file, level, name, value)
            .map_err(number)
    }

    /// SIOCOUTQ, or SIOCOUTQNSD.
    pub(crate) fn outq(&self, file: FileId, not_sent: bool) -> Result<usize, i32> {
        let request = if not_sent {
            crate::filter::SIOCOUTQNSD
        } else {
            crate::filter::SIOCOUTQ
        };
        self.machine
            .ioctl(file, request)
            .map(|n| n as usize)
            .map_err(number)
    }

    pub(crate) fn set_nonblocking(&mut self, file: FileId, on: bool) {
        let _ = self.machine.set_nonblocking(file, on);
    }

    /// Wants to hear of everything.
    pub(crate) fn watch(&mut self, file: FileId) {
        let bits = POLL_IN | POLL_OUT | POLL_ERR | POLL_HUP | POLL_RDHUP;
        let _ = self.machine.watch(file, bits);
        // What holds already is no news to the machine, but it is to us.
        self.note(file, self.machine.poll(file));
    }

    fn note(&mut self, file: FileId, mask: u32) {
        let ended = mask & (POLL_ERR | POLL_HUP) != 0;
        let readable = ended || mask & (POLL_IN | POLL_RDHUP) != 0;
        let writable = ended || mask & POLL_OUT != 0;
        if readable || writable {
            self.ready.push((file, readable, writable));
        }
    }

    /// Which files have news: readable, writable.
    pub(crate) fn take_ready(&mut self) -> Vec<(FileId, bool, bool)> {
        let mut events = std::mem::take(&mut self.events);
        events.clear();
        self.machine.poll_events(&mut events);
        for event in &events {
            if let MachineEvent::Ready { file, mask } = *event {
                self.note(file, mask);
            }
        }
        self.events = events;
        while let Some(line) = self.machine.net_mut(self.prog).poll_log() {
            // Nobody may read it any more.
            let _ = writeln!(std::io::stderr(), "hearken: {line}");
        }
        std::mem::take(&mut self.ready)
    }

    /// Which calls may go on.
    pub(crate) fn ready_tickets(&mut self) -> Vec<Ticket> {
        let mut tickets = std::mem::take(&mut self.tickets);
        tickets.clear();
        self.machine.ready_tickets(&mut tickets);
        tickets
    }

    /// The socket's bytes.
    pub(crate) fn connection(&mut self, file: FileId) -> Program<'_> {
        Program {
            machine: &mut self.machine,
            now: self.now,
            file,
        }
    }

    /// A gateway flow's bytes.
    pub(crate) fn flow(&mut self, flow: FlowId) -> Gate<'_> {
        Gate {
            gateway: &mut self.gateway,
            now: self.now,
            flow,
        }
    }

    /// The namespace's own file said so, and the kernel had checked it.
    pub(crate) fn set_somaxconn(&mut self, value: &str) {
        let _ = self
            .machine
            .net_mut(self.prog)
            .sysctl_set("net.core.somaxconn", value);
    }
}

/// One of the program's sockets.
pub(crate) struct Program<'a> {
    machine: &'a mut Machine,
    now: Instant,
    file: FileId,
}

impl Connection for Program<'_> {
    fn send_with(
        &mut self,
        most: usize,
        f: &mut dyn FnMut(&mut [&mut [u8]]) -> usize,
    ) -> Result<(), StackEnd> {
        self.machine
            .send_with(self.now, self.file, most, |room| (f(room), ()))
            .map_err(machine_end)
    }

    fn recv_with(&mut self, f: &mut dyn FnMut(&[&[u8]]) -> usize) -> Result<(), StackEnd> {
        self.machine
            .recv_with(self.now, self.file, |bytes| (f(bytes), ()))
            .map_err(machine_end)
    }
}

/// One flow of the gateway.
pub(crate) struct Gate<'a> {
    gateway: &'a mut Gateway,
    now: Instant,
    flow: FlowId,
}

impl Connection for Gate<'_> {
    fn send_with(
        &mut self,
        most: usize,
        f: &mut dyn FnMut(&mut [&mut [u8]]) -> usize,
    ) -> Result<(), StackEnd> {
        self.gateway
            .send_up_to(self.now, self.flow, most, |room| (f(room), ()))
            .map_err(send_end)
    }

    fn recv_with(&mut self, f: &mut dyn FnMut(&[&[u8]]) -> usize) -> Result<(), StackEnd> {
        self.gateway
            .recv_with(self.now, self.flow, |bytes| (f(bytes), ()))
            .map_err(recv_end)
    }
}

fn machine_end(e: Errno) -> StackEnd {
    if e == Errno::EAGAIN {
        StackEnd::Blocked
    } else {
        StackEnd::Broken(number(e))
    }
}

// Why a flow of the gateway broke is its events' to say; here it only matters that it did.
fn send_end(e: SendError) -> StackEnd {
    match e {
        SendError::WouldBlock => StackEnd::Blocked,
        SendError::Pipe | SendError::Failed(_) => StackEnd::Broken(number(Errno::EPIPE)),
    }
}

fn recv_end(e: RecvError) -> StackEnd {
    match e {
        RecvError::WouldBlock => StackEnd::Blocked,
        RecvError::NotConnected | RecvError::Failed(_) => {
            StackEnd::Broken(number(Errno::ECONNRESET))
        }
    }
}
