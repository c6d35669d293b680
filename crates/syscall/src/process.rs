//! A process as the socket calls see it: a descriptor table, credentials and the namespace of its new sockets. Here the
//! calls take descriptors, and the checks that are about descriptors come where Linux makes them.

use crate::blocked::{Outcome, Reply, Ticket};
use crate::calls::accept::check_flags;
use crate::epoll::{EpollEvent, EpollOp};
use crate::fd_table::{Descriptors, FdTable, Reserved};
use crate::file::{FileId, Kind};
use crate::machine::{Machine, NetId};
use alloc::vec::Vec;
use core::net::SocketAddr;
use hearken_abi::Errno;
use hearken_abi::sock::{POLLNVAL, SOCK_CLOEXEC};
use hearken_inet::{Cred, Instant};

/// A process.
#[derive(Debug)]
pub struct Process {
    /// Its descriptors.
    pub fds: FdTable,
    /// Whose it is.
    pub cred: Cred,
    /// Where its new sockets are made. Those it has stay where they were made.
    pub net: NetId,
    /// Numbers that blocked accepts hold.
    accepting: Vec<(Ticket, Reserved, bool)>,
}

/// What a call of a process returned after it had been blocked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ProcessReply {
    /// accept: the new descriptor and the client.
    Accepted(i32, SocketAddr),
    /// Any other.
    Other(Reply),
}

impl Process {
    /// A process without descriptors.
    #[must_use]
    pub fn new(net: NetId, cred: Cred, nofile: u32) -> Self {
        Self {
            fds: FdTable::new(nofile),
            cred,
            net,
            accepting: Vec::new(),
        }
    }

    /// socket(2).
    ///
    /// # Errors
    /// As [`Machine::socket`], and `EMFILE`.
    pub fn socket(
        &mut self,
        m: &mut Machine,
        now: Instant,
        domain: i32,
        ty: i32,
        protocol: i32,
    ) -> Result<i32, Errno> {
        // __sys_socket (6.18): the socket comes first, the descriptor second.
        let file = m.socket(now, self.net, &self.cred, domain, ty, protocol)?;
        self.fds
            .open(file, ty & SOCK_CLOEXEC != 0)
            .inspect_err(|_| m.release(now, file))
    }

    /// Opens a file made elsewhere.
    ///
    /// # Errors
    /// `EMFILE`; the file's reference is then dropped.
    pub fn install(&mut self, m: &mut Machine, now: Instant, file: FileId) -> Result<i32, Errno> {
        self.fds
            .open(file, false)
            .inspect_err(|_| m.release(now, file))
    }

    /// bind(2).
    ///
    /// # Errors
    /// As [`Machine::bind`].
    pub fn bind(
        &mut self,
        m: &mut Machine,
        now: Instant,
        fd: i32,
        addr: &[u8],
    ) -> Result<(), Errno> {
        let file = self.fds.lookup(fd)?;
        m.bind(now, file, &self.cred, addr)
    }

    /// listen(2).
    ///
    /// # Errors
    /// As [`Machine::listen`].
    pub fn listen(
        &mut self,
        m: &mut Machine,
        now: Instant,
        fd: i32,
        backlog: i32,
    ) -> Result<(), Errno> {
        let file = self.fds.lookup(fd)?;
        m.listen_fd(now, fd, file, backlog)
    }

    /// accept4(2): the new descriptor and the client.
    pub fn accept(
        &mut self,
        m: &mut Machine,
        now: Instant,
        fd: i32,
        flags: i32,
    ) -> Outcome<(i32, SocketAddr)> {
        // docs/linux 116: EBADF, then the flags, then a descriptor to be had, and only then the socket.
        let reserved = self.fds.lookup(fd).and_then(|file| {
            if matches!(m.open(file)?.kind, Kind::Path) {
                return Err(Errno::EBADF);
            }
            check_flags(flags)?;
            Ok((file, self.fds.reserve(0)?))
        });
        let (file, reserved) = match reserved {
            Ok(x) => x,
            Err(e) => return Outcome::Done(Err(e)),
        };
        let cloexec = flags & SOCK_CLOEXEC != 0;
        match m.accept(now, file, flags) {
            Outcome::Done(Ok(a)) => {
                Outcome::Done(Ok((self.fds.install(reserved, a.file, cloexec), a.peer)))
            }
            Outcome::Done(Err(e)) => {
                self.fds.unreserve(reserved);
                Outcome::Done(Err(e))
            }
            Outcome::Blocked(b) => {
                self.accepting.push((b.ticket, reserved, cloexec));
                Outcome::Blocked(b)
            }
        }
    }

    /// connect(2).
    pub fn connect(&mut self, m: &mut Machine, now: Instant, fd: i32, addr: &[u8]) -> Outcome<()> {
        match self.fds.lookup(fd) {
            Ok(file) => m.connect(now, file, &self.cred, addr),
            Err(e) => Outcome::Done(Err(e)),
        }
    }

    /// recv(2).
    pub fn recv(
        &mut self,
        m: &mut Machine,
        now: Instant,
        fd: i32,
        buf: &mut [u8],
        flags: i32,
    ) -> Outcome<usize> {
        match self.fds.lookup(fd) {
            Ok(file) => m.recv(now, file, buf, flags),
            Err(e) => Outcome::Done(Err(e)),
        }
    }

    /// send(2).
    pub fn send(
        &mut self,
        m: &mut Machine,
        now: Instant,
        fd: i32,
        data: &[u8],
        flags: i32,
    ) -> Outcome<usize> {
        match self.fds.lookup(fd) {
            Ok(file) => m.send(now, file, data, flags),
            Err(e) => Outcome::Done(Err(e)),
        }
    }

    /// sendto(2).
    pub fn send_to(
        &mut self,
        m: &mut Machine,
        now: Instant,
        fd: i32,
        data: &[u8],
        flags: i32,
        addr: &[u8],
    ) -> Outcome<usize> {
        match self.fds.lookup(fd) {
            Ok(file) => m.send_to(now, file, &self.cred, data, flags, addr),
            Err(e) => Outcome::Done(Err(e)),
        }
    }

    /// shutdown(2).
    ///
    /// # Errors
    /// As [`Machine::shutdown`].
    pub fn shutdown(
        &mut self,
        m: &mut Machine,
        now: Instant,
        fd: i32,
        how: i32,
    ) -> Result<(), Errno> {
        let file = self.fds.lookup(fd)?;
        m.shutdown(now, file, how)
    }

    /// close(2).
    ///
    /// # Errors
    /// `EBADF`.
    pub fn close(&mut self, m: &mut Machine, now: Instant, fd: i32) -> Result<(), Errno> {
        self.fds.close(&mut m.references(now), fd)
    }

    /// dup(2).
    ///
    /// # Errors
    /// `EBADF`, `EMFILE`.
    pub fn dup(&mut self, m: &mut Machine, now: Instant, fd: i32) -> Result<i32, Errno> {
        self.fds.dup(&mut m.references(now), fd)
    }

    /// dup2(2).
    ///
    /// # Errors
    /// `EBADF`.
    pub fn dup2(&mut self, m: &mut Machine, now: Instant, fd: i32, to: i32) -> Result<i32, Errno> {
        self.fds.dup2(&mut m.references(now), fd, to, false)
    }

    /// fork(2).
    #[must_use]
    pub fn fork(&self, m: &mut Machine, now: Instant) -> Self {
        Self {
            fds: self.fds.fork(&mut m.references(now)),
            cred: self.cred,
            net: self.net,
            accepting: Vec::new(),
        }
    }

    /// The process ends: its blocked accepts are over, its descriptors closed.
    pub fn exit(&mut self, m: &mut Machine, now: Instant) {
        for (ticket, reserved, _) in core::mem::take(&mut self.accepting) {
            m.cancel(now, ticket);
            self.fds.unreserve(reserved);
        }
        self.fds.close_all(&mut m.references(now));
    }

    /// poll(2) of one descriptor, asked for `events`.
    #[must_use]
    pub fn poll(&self, m: &Machine, fd: i32, events: u32) -> u32 {
        match self.fds.lookup(fd) {
            Ok(file) => m.poll(file) & (events | crate::poll::ALWAYS | POLLNVAL),
            Err(_) => POLLNVAL,
        }
    }

    /// epoll_ctl(2).
    ///
    /// # Errors
    /// As [`Machine::epoll_ctl`].
    pub fn epoll_ctl(
        &mut self,
        m: &mut Machine,
        epfd: i32,
        fd: i32,
        op: EpollOp,
    ) -> Result<(), Errno> {
        let epoll = self.fds.lookup(epfd)?;
        let file = self.fds.lookup(fd)?;
        m.epoll_ctl(epoll, fd, file, op)
    }

    /// epoll_wait(2).
    pub fn epoll_wait(
        &mut self,
        m: &mut Machine,
        now: Instant,
        epfd: i32,
        max: i32,
        timeout: i32,
    ) -> Outcome<Vec<EpollEvent>> {
        match self.fds.lookup(epfd) {
            Ok(epoll) => m.epoll_wait(now, epoll, max, timeout),
            Err(e) => Outcome::Done(Err(e)),
        }
    }

    /// Lets one of the process's blocked calls go on.
    pub fn resume(
        &mut self,
        m: &mut Machine,
        now: Instant,
        ticket: Ticket,
    ) -> Outcome<ProcessReply> {
        match m.resume(now, ticket) {
            Outcome::Done(r) => Outcome::Done(self.finish(ticket, r)),
            Outcome::Blocked(b) => Outcome::Blocked(b),
        }
    }

    /// A signal for one of the process's blocked calls.
    ///
    /// # Errors
    /// As [`Machine::interrupt`].
    pub fn interrupt(
        &mut self,
        m: &mut Machine,
        now: Instant,
        ticket: Ticket,
    ) -> Result<ProcessReply, Errno> {
        let r = m.interrupt(now, ticket);
        self.finish(ticket, r)
    }

    fn finish(
        &mut self,
        ticket: Ticket,
        result: Result<Reply, Errno>,
    ) -> Result<ProcessReply, Errno> {
        let held = self.accepting.iter().position(|(t, _, _)| *t == ticket);
        let held = held.map(|at| self.accepting.swap_remove(at));
        match (result, held) {
            (Ok(Reply::Accepted(a)), Some((_, reserved, cloexec))) => Ok(ProcessReply::Accepted(
                self.fds.install(reserved, a.file, cloexec),
                a.peer,
            )),
            (Err(e), Some((_, reserved, _))) => {
                self.fds.unreserve(reserved);
                Err(e)
            }
            (result, _) => result.map(ProcessReply::Other),
        }
    }
}
