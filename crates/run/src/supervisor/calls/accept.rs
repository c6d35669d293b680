//! accept(2) and accept4(2).

use std::os::fd::AsFd;

use super::{Answer, On};
use crate::supervisor::pending::Call;
use crate::supervisor::slab::Key;
use crate::supervisor::stack::{Accepted, Outcome};
use crate::supervisor::table::{Phase, Sock};
use crate::supervisor::{Supervisor, pair};
use crate::sys::notify::{Added, Notif};
use crate::sys::remote::{self, MemError};

impl Supervisor {
    pub(super) fn call_accept(&mut self, on: &On<'_>, flags: i32) -> Answer {
        let Some(sock) = self.table.get(on.key) else {
            return Answer::Continue;
        };
        let file = sock.file;
        self.stack
            .set_nonblocking(file, pair::is_nonblocking(on.a.as_fd()));
        match self.stack.accept(file, flags) {
            Outcome::Done(Ok(accepted)) => self.deliver_accept(on.n, on.key, accepted),
            Outcome::Done(Err(e)) => Answer::Errno(e),
            Outcome::Blocked { ticket, deadline } => {
                self.pending
                    .insert(ticket, *on.n, on.key, Call::Accept, deadline);
                Answer::Held
            }
        }
    }

    /// Gives a connection to the call that asked for it; if that call is gone, or the program is
    /// out of descriptors, the connection goes back to the head of its queue.
    pub(crate) fn deliver_accept(
        &mut self,
        n: &Notif,
        listener: Key,
        accepted: Accepted,
    ) -> Answer {
        // The token goes before the call returns: the program may poll at once.
        self.sync_tokens(listener);
        let answer = self.try_accept(n, listener, accepted);
        self.sync_tokens(listener);
        answer
    }

    fn try_accept(&mut self, n: &Notif, listener: Key, accepted: Accepted) -> Answer {
        let flags = if i64::from(n.nr) == libc::SYS_accept4 {
            n.args[3] as i32
        } else {
            0
        };
        let Some(listening) = self.table.get(listener).map(|s| s.file) else {
            self.stack.close(accepted.file);
            return Answer::Errno(libc::EINVAL);
        };
        let ends = pair::new(flags & libc::SOCK_NONBLOCK != 0).ok();
        let Some((inode, a, b)) = ends.and_then(|(a, b)| Some((remote::inode(&a)?, a, b))) else {
            self.stack.accept_undo(listening, accepted.file);
            return Answer::Errno(libc::ENFILE);
        };
        if n.args[1] != 0 {
            match self.write_sockaddr(n, n.args[1], n.args[2], &accepted.peer) {
                Ok(()) => {}
                Err(MemError::Gone) => {
                    self.stack.accept_undo(listening, accepted.file);
                    return Answer::Done;
                }
                // Linux has dequeued by now: the connection is lost (measured, 6.18).
                Err(MemError::Errno(e)) => {
                    self.stack.close(accepted.file);
                    return Answer::Errno(e);
                }
            }
        }
        match self
            .listener
            .add_fd(n.id, a.as_fd(), flags & libc::SOCK_CLOEXEC != 0)
        {
            Ok(Added::Fd(fd)) => {
                drop(a);
                self.tell_descriptor(n, fd);
                let mut sock = Sock::new(inode, accepted.file, Some(b), n.pid);
                sock.seen = (n.pid, fd);
                sock.phase = Phase::Open;
                let key = self.table.insert(sock);
                self.watch_end(key);
                self.open_flow(key);
                Answer::Done
            }
            Ok(Added::Gone) => {
                self.stack.accept_undo(listening, accepted.file);
                Answer::Done
            }
            Err(e) => {
                self.stack.accept_undo(listening, accepted.file);
                Answer::Errno(e.raw_os_error().unwrap_or(libc::EMFILE))
            }
        }
    }
}
