//! The program's calls, one function for each.
//!
//! Every function answers exactly once: by value, by errno, by letting the kernel run the call
//! itself, or later, when it holds the notification. Program memory is read once per call.

mod accept;
mod bind_listen;
mod connect;
mod names;
mod open;
mod opts;
mod shutdown;
mod socket;
mod told;
mod transfer;

use std::os::fd::OwnedFd;

use super::Supervisor;
use super::slab::Key;
use crate::sys::notify::{Notif, Sent};
use crate::sys::remote::{self, MemError, Memory};

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Its result.
    Value(i64),
    /// Its errno.
    Errno(i32),
    /// The kernel's own business.
    Continue,
    /// Held: it is answered when the stack says so.
    Held,
    /// Held, and tried again when bytes have moved.
    Again,
    /// Already answered (by the descriptor it was given), or cancelled by a signal.
    Done,
}

impl From<MemError> for Answer {
    fn from(e: MemError) -> Self {
        match e {
            MemError::Gone => Answer::Done,
            MemError::Errno(e) => Answer::Errno(e),
        }
    }
}

impl From<Result<(), i32>> for Answer {
    fn from(r: Result<(), i32>) -> Self {
        match r {
            Ok(()) => Answer::Value(0),
            Err(e) => Answer::Errno(e),
        }
    }
}

/// A call on one of our sockets.
pub(crate) struct On<'a> {
    /// The notification.
    pub(crate) n: &'a Notif,
    /// The socket.
    pub(crate) key: Key,
    /// A transient duplicate of end A.
    pub(crate) a: &'a OwnedFd,
}

impl Supervisor {
    /// Answers one notification, or holds it.
    pub(crate) fn on_notification(&mut self, n: Notif) {
        // A thread that calls again has left its call before: a signal cancelled it.
        if let Some(stale) = self.pending.of_thread(n.pid) {
            self.cancel(stale);
        }
        let (answer, sock) = self.dispatch(&n);
        if answer == Answer::Again {
            self.retries.push(n);
            return;
        }
        // What the call did in the stack shows elsewhere before it returns, as on Linux: a connect to
        // ourselves has made the listener readable.
        self.settle();
        if self.answer(&n, answer) == Sent::Gone
            && let Some(sock) = sock
        {
            self.untold.keep(&n, sock, answer);
        }
    }

    /// Sends an answer. When the call is gone, each function that made something has undone it before, or the answer
    /// is kept in `untold`.
    pub(crate) fn answer(&mut self, n: &Notif, answer: Answer) -> Sent {
        self.tell_call(n, answer);
        let sent = match answer {
            Answer::Value(v) => self.listener.reply_value(n.id, v),
            Answer::Errno(e) => self.listener.reply_errno(n.id, e),
            Answer::Continue => self.listener.reply_continue(n.id),
            Answer::Held | Answer::Again | Answer::Done => Ok(Sent::Delivered),
        };
        // Any other error of this ioctl would be a notification that never existed.
        sent.unwrap_or(Sent::Gone)
    }

    /// The answer, and the socket if it is ours.
    fn dispatch(&mut self, n: &Notif) -> (Answer, Option<Key>) {
        let nr = i64::from(n.nr);
        if nr == libc::SYS_socket {
            self.untold.take(n, None);
            return (self.call_socket(n), None);
        }
        let fd = n.args[0] as i32;
        // EBADF and ENOTSOCK are the kernel's to say.
        let Ok(a) = self.tasks.getfd(n.pid, fd) else {
            return (Answer::Continue, None);
        };
        let Some(key) = remote::inode(&a).and_then(|i| self.table.by_inode(i)) else {
            return (Answer::Continue, None);
        };
        if let Some(answer) = self.untold.take(n, Some(key)) {
            return (answer, Some(key));
        }
        if let Some(s) = self.table.get_mut(key) {
            s.seen = (n.pid, fd);
        }
        let on = On { n, key, a: &a };
        let answer = match nr {
            libc::SYS_bind => self.call_bind(&on),
            libc::SYS_listen => self.call_listen(&on),
            libc::SYS_accept => self.call_accept(&on, 0),
            libc::SYS_accept4 => self.call_accept(&on, n.args[3] as i32),
            libc::SYS_connect => self.call_connect(&on),
            libc::SYS_getsockname => self.call_getsockname(&on),
            libc::SYS_getpeername => self.call_getpeername(&on),
            libc::SYS_getsockopt => self.call_getsockopt(&on),
            libc::SYS_setsockopt => self.call_setsockopt(&on),
            libc::SYS_shutdown => self.call_shutdown(&on),
            libc::SYS_ioctl => self.call_ioctl(&on),
            libc::SYS_sendto => self.call_sendto(&on),
            libc::SYS_recvfrom => self.call_recvfrom(&on),
            libc::SYS_sendmsg => self.call_sendmsg(&on),
            libc::SYS_recvmsg => self.call_recvmsg(&on),
            _ => Answer::Continue,
        };
        (answer, Some(key))
    }

    /// The program's memory, as this call may use it.
    pub(crate) fn memory<'a>(&'a self, n: &Notif) -> Memory<'a> {
        Memory {
            listener: &self.listener,
            id: n.id,
            tid: n.pid,
        }
    }

    /// A socket address from the program: EINVAL for a length no address has, EFAULT for a bad
    /// pointer.
    fn read_sockaddr(&self, n: &Notif, addr: u64, len: u64) -> Result<Vec<u8>, Answer> {
        const SOCKADDR_STORAGE: usize = 128;
        let len = usize::try_from(len as u32 as i32).map_err(|_| Answer::Errno(libc::EINVAL))?;
        if len > SOCKADDR_STORAGE {
            return Err(Answer::Errno(libc::EINVAL));
        }
        let mut buf = vec![0; len];
        self.memory(n).read(addr, &mut buf)?;
        Ok(buf)
    }

    /// Writes an address as Linux does: cut to the room that `*len_at` names, then `*len_at` the
    /// address's whole length.
    fn write_sockaddr(&self, n: &Notif, at: u64, len_at: u64, addr: &[u8]) -> Result<(), MemError> {
        let mem = self.memory(n);
        let room = mem.read_u32(len_at)? as i32;
        let room = usize::try_from(room).map_err(|_| MemError::Errno(libc::EINVAL))?;
        mem.write(at, &addr[..addr.len().min(room)])?;
        mem.write(len_at, &(addr.len() as u32).to_ne_bytes())
    }
}
