//! getsockopt(2), setsockopt(2) and the ioctls that ask about queues.

use std::os::fd::AsFd;

use super::{Answer, On};
use crate::filter::{SIOCOUTQ, SIOCOUTQNSD};
use crate::supervisor::table::Phase;
use crate::supervisor::{Supervisor, pair};
use crate::sys::remote::MemError;

/// Longer values than this belong to options that no TCP socket has.
const LONGEST: usize = 4096;

impl Supervisor {
    pub(super) fn call_getsockopt(&mut self, on: &On<'_>) -> Answer {
        let (level, name) = (on.n.args[1] as i32, on.n.args[2] as i32);
        let (at, len_at) = (on.n.args[3], on.n.args[4]);
        let Some(file) = self.table.get(on.key).map(|s| s.file) else {
            return Answer::Continue;
        };
        let room = match self.memory(on.n).read_u32(len_at) {
            Ok(room) => room as i32,
            Err(e) => return e.into(),
        };
        let value = if (level, name) == (libc::SOL_SOCKET, libc::SO_ERROR) {
            self.so_error(on, room)
        } else if (level, name) == (libc::SOL_SOCKET, libc::SO_PEEK_OFF) {
            // A's: each peek and each read of the program moves it.
            return Answer::Continue;
        } else {
            self.stack
                .getsockopt(file, level, name, room.min(LONGEST as i32))
        };
        let value = match value {
            Ok(value) => value,
            Err(e) => return Answer::Errno(e),
        };
        let mem = self.memory(on.n);
        let written = mem
            .write(at, &value)
            .and_then(|()| mem.write(len_at, &(value.len() as u32).to_ne_bytes()));
        match written {
            Ok(()) => Answer::Value(0),
            Err(e) => e.into(),
        }
    }

    /// SO_ERROR is the stack's, exact; the kernel's own on A (always ECONNRESET) is cleared with it.
    /// If the program has already met that one by read(2), the error counts as reported.
    fn so_error(&mut self, on: &On<'_>, room: i32) -> Result<Vec<u8>, i32> {
        let kernel = rustix::net::sockopt::socket_error(on.a);
        let Some(sock) = self.table.get_mut(on.key) else {
            return Ok(vec![0; 4]);
        };
        let kept = std::mem::take(&mut sock.error);
        let told = sock.phase == Phase::Dead && matches!(kernel, Ok(Ok(())));
        let ours = self
            .stack
            .getsockopt(sock.file, libc::SOL_SOCKET, libc::SO_ERROR, room)?;
        Ok(match (told, kept) {
            (true, _) => vec![0; ours.len()],
            (false, 0) => ours,
            (false, errno) => errno.to_ne_bytes()[..ours.len().min(4)].to_vec(),
        })
    }

    pub(super) fn call_setsockopt(&mut self, on: &On<'_>) -> Answer {
        let (level, name) = (on.n.args[1] as i32, on.n.args[2] as i32);
        let (at, len) = (on.n.args[3], on.n.args[4] as i32);
        let Some(file) = self.table.get(on.key).map(|s| s.file) else {
            return Answer::Continue;
        };
        let Ok(len) = usize::try_from(len) else {
            return Answer::Errno(libc::EINVAL);
        };
        let mut value = vec![0; len.min(LONGEST)];
        match self.memory(on.n).read(at, &mut value) {
            Ok(()) => {}
            Err(MemError::Gone) => return Answer::Done,
            Err(MemError::Errno(e)) => return Answer::Errno(e),
        }
        if level == libc::SOL_SOCKET
            && matches!(
                name,
                libc::SO_ATTACH_FILTER | libc::SO_ATTACH_REUSEPORT_CBPF
            )
        {
            match self.program_behind(on, &value) {
                Ok(program) => value = program,
                Err(answer) => return answer,
            }
        }
        // What they tell comes by the error queue, which a socketpair does not have.
        match (level, name) {
            (libc::SOL_SOCKET, libc::SO_ZEROCOPY) => return Answer::Errno(libc::EOPNOTSUPP),
            (libc::SOL_SOCKET, libc::SO_TIMESTAMPING | SO_TIMESTAMPING_NEW) => {
                return Answer::Errno(libc::ENOPROTOOPT);
            }
            _ => {}
        }
        if let Err(e) = self.stack.setsockopt(file, level, name, &value) {
            return Answer::Errno(e);
        }
        if level == libc::SOL_SOCKET {
            match name {
                // What read(2) and write(2) on A obey, the kernel must know too. The values are
                // the ones just read: continuing the call would let the program change them.
                libc::SO_RCVTIMEO
                | libc::SO_SNDTIMEO
                | SO_RCVTIMEO_NEW
                | SO_SNDTIMEO_NEW
                | libc::SO_PEEK_OFF
                | libc::SO_RCVLOWAT => {
                    let _ = crate::sys::sockopt::set_raw(on.a.as_fd(), level, name, &value);
                }
                libc::SO_LINGER => {
                    if let (Some(sock), Some(v)) = (self.table.get_mut(on.key), value.get(..8)) {
                        let word = |b: &[u8]| i32::from_ne_bytes([b[0], b[1], b[2], b[3]]);
                        sock.linger_zero = word(&v[..4]) != 0 && word(&v[4..]) == 0;
                    }
                }
                _ => {}
            }
        }
        Answer::Value(0)
    }

    /// The instructions that a `struct sock_fprog` points to.
    fn program_behind(&mut self, on: &On<'_>, fprog: &[u8]) -> Result<Vec<u8>, Answer> {
        const INSN: usize = 8;
        let Ok(fprog) = <[u8; 16]>::try_from(fprog) else {
            return Err(Answer::Errno(libc::EINVAL));
        };
        let [l0, l1, ..] = fprog;
        let len = usize::from(u16::from_ne_bytes([l0, l1]));
        let [.., a, b, c, d, e, f, g, h] = fprog;
        let at = u64::from_ne_bytes([a, b, c, d, e, f, g, h]);
        let mut program = vec![0; len * INSN];
        match self.memory(on.n).read(at, &mut program) {
            Ok(()) => Ok(program),
            Err(MemError::Gone) => Err(Answer::Done),
            Err(MemError::Errno(e)) => Err(Answer::Errno(e)),
        }
    }

    pub(super) fn call_ioctl(&mut self, on: &On<'_>) -> Answer {
        let request = on.n.args[1] as u32;
        let Some(sock) = self.table.get(on.key) else {
            return Answer::Continue;
        };
        let not_sent = match request {
            SIOCOUTQ => false,
            SIOCOUTQNSD => true,
            _ => return Answer::Continue,
        };
        let queued = match self.stack.outq(sock.file, not_sent) {
            Ok(n) => n,
            Err(e) => return Answer::Errno(e),
        };
        // What the program wrote and we have not yet taken is unsent as well.
        let in_pipe = match &sock.b {
            Some(b) if sock.phase == Phase::Open => {
                pair::unread(b.as_fd()) - usize::from(sock.sentinel)
            }
            _ => 0,
        };
        let total = (queued + in_pipe) as i32;
        match self.memory(on.n).write(on.n.args[2], &total.to_ne_bytes()) {
            Ok(()) => Answer::Value(0),
            Err(e) => e.into(),
        }
    }
}

/// The 64-bit forms of asm-generic/socket.h.
const SO_RCVTIMEO_NEW: i32 = 66;
const SO_SNDTIMEO_NEW: i32 = 67;
const SO_TIMESTAMPING_NEW: i32 = 65;
