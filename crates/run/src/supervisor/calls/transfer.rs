//! The sends and receives that a socketpair would not do as TCP: with an address, or with flags.
//!
//! Bytes still go through A, so that they stay in order with read(2) and write(2).

use std::os::fd::AsFd;

use rustix::net::{RecvFlags, SendFlags};

use super::{Answer, On};
use crate::filter::TRAPPED_FLAGS;
use crate::supervisor::table::Phase;
use crate::supervisor::{Supervisor, pair};
use crate::sys::remote::{MemError, RemoteIovec};

/// One copy of program memory is at most this long; a longer send is a short one.
const LONGEST: usize = 256 * 1024;

impl Supervisor {
    pub(super) fn call_sendto(&mut self, on: &On<'_>) -> Answer {
        let piece = RemoteIovec {
            base: on.n.args[1],
            len: on.n.args[2],
        };
        self.send(on, &[piece], on.n.args[3] as u32)
    }

    pub(super) fn call_sendmsg(&mut self, on: &On<'_>) -> Answer {
        match self.message(on) {
            Ok(pieces) => self.send(on, &pieces, on.n.args[2] as u32),
            Err(e) => e.into(),
        }
    }

    pub(super) fn call_recvfrom(&mut self, on: &On<'_>) -> Answer {
        let piece = RemoteIovec {
            base: on.n.args[1],
            len: on.n.args[2],
        };
        self.receive(on, &[piece], on.n.args[3] as u32)
    }

    pub(super) fn call_recvmsg(&mut self, on: &On<'_>) -> Answer {
        match self.message(on) {
            Ok(pieces) => self.receive(on, &pieces, on.n.args[2] as u32),
            Err(e) => e.into(),
        }
    }

    fn message(&self, on: &On<'_>) -> Result<Vec<RemoteIovec>, MemError> {
        let mem = self.memory(on.n);
        let header = mem.read_msghdr(on.n.args[1])?;
        mem.read_iovecs(header.iov, header.iovlen)
    }

    fn send(&mut self, on: &On<'_>, pieces: &[RemoteIovec], flags: u32) -> Answer {
        let Some(sock) = self.table.get(on.key) else {
            return Answer::Continue;
        };
        if flags & libc::MSG_FASTOPEN as u32 != 0 {
            // The client side of fast open is off here, as tcp_fastopen=0 says it on Linux.
            return Answer::Errno(libc::EOPNOTSUPP);
        }
        match sock.phase {
            Phase::Open | Phase::Dead => {}
            Phase::Connecting => return blocked_or(on, flags, rustix::io::Errno::AGAIN),
            // A listener and a fresh socket answer EPIPE (measured, 6.18).
            Phase::Fresh | Phase::Listening { .. } => return Answer::Errno(libc::EPIPE),
        }
        let want = pieces.iter().fold(0u64, |n, p| n.saturating_add(p.len));
        let mut buf = vec![0; usize::try_from(want).unwrap_or(LONGEST).min(LONGEST)];
        match self.memory(on.n).gather(pieces, &mut buf) {
            Ok(_) => {}
            Err(e) => return e.into(),
        }
        // The address of a connected stream is ignored (measured, 6.18); OOB data is sent in line.
        let sent = rustix::net::send(on.a, &buf, SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
        match sent {
            Ok(n) => Answer::Value(n as i64),
            Err(e) => blocked_or(on, flags, e),
        }
    }

    fn receive(&mut self, on: &On<'_>, pieces: &[RemoteIovec], flags: u32) -> Answer {
        if flags & TRAPPED_FLAGS == 0 {
            // Only an address was asked for, and a stream names none: as the kernel does.
            return Answer::Continue;
        }
        if flags & libc::MSG_ERRQUEUE as u32 != 0 {
            return Answer::Errno(libc::EAGAIN);
        }
        if flags & libc::MSG_OOB as u32 != 0 {
            // No urgent data.
            return Answer::Errno(libc::EINVAL);
        }
        // MSG_TRUNC on TCP: so many bytes are thrown away, none is copied.
        let want = pieces.iter().fold(0u64, |n, p| n.saturating_add(p.len));
        let mut scrap = vec![0; usize::try_from(want).unwrap_or(LONGEST).min(LONGEST)];
        let mut how = RecvFlags::DONTWAIT;
        if flags & libc::MSG_PEEK as u32 != 0 {
            how |= RecvFlags::PEEK;
        }
        match rustix::net::recv(on.a.as_fd(), &mut scrap[..], how) {
            Ok((n, _)) => Answer::Value(n as i64),
            Err(e) => blocked_or(on, flags, e),
        }
    }
}

/// EAGAIN is for those who asked for it; the others wait.
fn blocked_or(on: &On<'_>, flags: u32, e: rustix::io::Errno) -> Answer {
    let may_wait = flags & libc::MSG_DONTWAIT as u32 == 0 && !pair::is_nonblocking(on.a.as_fd());
    if e == rustix::io::Errno::AGAIN && may_wait {
        Answer::Again
    } else {
        Answer::Errno(e.raw_os_error())
    }
}
