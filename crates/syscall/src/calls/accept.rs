//! accept4(2): `do_accept`, `inet_accept`, `inet_csk_accept` (6.18).
//!
//! The order of checks (docs/linux 116): EBADF; flags EINVAL; EMFILE with the connection kept (the descriptor table
//! reserves the number first, see `process.rs`); ENOTSOCK; EOPNOTSUPP; not listening EINVAL; empty EAGAIN.

use crate::blocked::{Op, Outcome};
use crate::errno::ToErrno;
use crate::file::{FileId, Kind, OpenFile, TcpFile};
use crate::machine::Machine;
use crate::options::{Options, Timeout};
use core::net::SocketAddr;
use hearken_abi::Errno;
use hearken_abi::sock::{SOCK_CLOEXEC, SOCK_NONBLOCK};
use hearken_inet::{AcceptError, Instant, Ready, SecurityCall};

/// A connection that accept(2) hands over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Accepted {
    /// The new open file.
    pub file: FileId,
    /// The client.
    pub peer: SocketAddr,
    /// Our end.
    pub local: SocketAddr,
}

/// The flags that accept4 knows.
pub(crate) fn check_flags(flags: i32) -> Result<(), Errno> {
    if flags & !(SOCK_CLOEXEC | SOCK_NONBLOCK) != 0 {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

impl Machine {
    /// accept4(2). The wait is the listener's: `SOCK_NONBLOCK` in `flags` is for the new file only (docs/linux 118).
    pub fn accept(&mut self, now: Instant, file: FileId, flags: i32) -> Outcome<Accepted> {
        let (nonblocking, timeout) = match self.accept_checks(file, flags) {
            Ok(x) => x,
            Err(e) => return Outcome::Done(Err(e)),
        };
        if let Some(result) = self.try_accept(now, file, flags) {
            return Outcome::Done(result);
        }
        match timeout {
            _ if nonblocking => Outcome::Done(Err(Errno::EAGAIN)),
            Timeout::After(d) if d.is_zero() => Outcome::Done(Err(Errno::EAGAIN)),
            Timeout::After(d) => self.block(file, Op::Accept { flags }, Some(now + d)),
            Timeout::Never => self.block(file, Op::Accept { flags }, None),
        }
    }

    fn accept_checks(&mut self, file: FileId, flags: i32) -> Result<(bool, Timeout), Errno> {
        let open = self.open(file)?;
        if matches!(open.kind, Kind::Path) {
            return Err(Errno::EBADF);
        }
        check_flags(flags)?;
        let t = self.stream_of(file)?;
        let local = self.net(t.net).local_addr(t.socket);
        let call = SecurityCall::Accept {
            listener: t.socket,
            local,
        };
        self.security(t.net, &call)?;
        let open = self.open(file)?;
        let Kind::Tcp(tcp) = &open.kind else {
            return Err(Errno::ENOTSOCK);
        };
        Ok((open.nonblocking, tcp.options.rcv_timeout))
    }

    /// One try; `None` when the queue is empty.
    pub(crate) fn try_accept(
        &mut self,
        now: Instant,
        file: FileId,
        flags: i32,
    ) -> Option<Result<Accepted, Errno>> {
        let t = match self.stream_of(file) {
            Ok(t) => t,
            Err(e) => return Some(Err(e)),
        };
        let child = match self.net_mut(t.net).accept(now, t.socket) {
            Ok(child) => child,
            Err(AcceptError::Empty) => return None,
            Err(e) => return Some(Err(e.errno())),
        };
        let attached = self.net(t.net).attached(child.socket);
        let mut options = attached
            .and_then(|a| a.downcast_ref::<Options>().cloned())
            .unwrap_or_else(|| Options::new(t.domain));
        // A child has the default of its own time, not its listener's (docs/linux/congestion.md).
        options.congestion_default = self.congestion_default(t.net);
        let open = self.open(file).ok()?;
        let mut new = OpenFile::new(
            Kind::Tcp(TcpFile {
                net: t.net,
                socket: child.socket,
                domain: t.domain,
                options,
                errors: None,
                stamp_next: None,
            }),
            open.cred,
        );
        // O_NONBLOCK of the listener is not inherited.
        new.nonblocking = flags & SOCK_NONBLOCK != 0;
        let new = self.files.insert(new);
        self.net_mut(t.net)
            .set_interest(child.socket, Ready::ALL, new.token());
        Some(Ok(Accepted {
            file: new,
            peer: child.peer,
            local: child.local,
        }))
    }

    /// Puts an accepted connection back at the head of the listener's queue: the reply never reached the program, which
    /// a signal took away. The file is gone afterwards. With the listener gone, too, the connection is closed.
    pub fn accept_undo(&mut self, now: Instant, listener: FileId, child: FileId) {
        let (Some((net, l)), Some((child_net, c))) =
            (self.tcp_socket(listener), self.tcp_socket(child))
        else {
            self.release(now, child);
            return;
        };
        if net != child_net || self.net(net).accept_queue(l).is_none() {
            self.release(now, child);
            return;
        }
        self.files.remove(child);
        self.net_mut(net).accept_undo(now, l, c);
        self.wake(listener);
    }

    /// The address could not be written to the program (EFAULT, a bad length): Linux notices that after the connection
    /// has left the queue, and closes it (docs/linux 117).
    pub fn accept_write_back_failed(&mut self, now: Instant, child: FileId) {
        self.release(now, child);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_flags_other_than_two_are_einval() {
        for ok in [0, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_CLOEXEC | SOCK_NONBLOCK] {
            assert_eq!(check_flags(ok), Ok(()));
        }
        for bad in [1, 0x400, -1, i32::MIN, SOCK_NONBLOCK | 1] {
            assert_eq!(check_flags(bad), Err(Errno::EINVAL), "{bad:#x}");
        }
    }
}
