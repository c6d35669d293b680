//! connect(2).

use std::os::fd::{AsFd, OwnedFd};

use super::{Answer, On};
use crate::supervisor::pending::Call;
use crate::supervisor::slab::Key;
use crate::supervisor::stack::Outcome;
use crate::supervisor::table::Phase;
use crate::supervisor::{Supervisor, pair};
use crate::sys::notify::{Added, Notif};
use crate::sys::remote;

impl Supervisor {
    pub(super) fn call_connect(&mut self, on: &On<'_>) -> Answer {
        let addr = match self.read_sockaddr(on.n, on.n.args[1], on.n.args[2]) {
            Ok(addr) => addr,
            Err(answer) => return answer,
        };
        let Some(file) = self.table.get(on.key).map(|s| s.file) else {
            return Answer::Continue;
        };
        let nonblocking = pair::is_nonblocking(on.a.as_fd());
        self.stack.set_nonblocking(file, nonblocking);
        let cred = self.cred(on.n.pid);
        let mut outcome = self.stack.connect(file, &cred, &addr);
        if matches!(
            outcome,
            Outcome::Done(Err(libc::EADDRINUSE | libc::EADDRNOTAVAIL))
        ) && self.sweep()
        {
            outcome = self.stack.connect(file, &cred, &addr);
        }
        let unspec = addr.get(..2).is_some_and(|f| f == [0, 0]);
        match outcome {
            Outcome::Done(Ok(())) if unspec => self.disconnected(on),
            Outcome::Done(Ok(())) => match self.join(on) {
                Ok(()) => {
                    self.connected(on.key);
                    Answer::Value(0)
                }
                Err(e) => Answer::Errno(e),
            },
            Outcome::Done(Err(libc::EINPROGRESS)) => match self.begin_connecting(on) {
                Ok(()) => Answer::Errno(libc::EINPROGRESS),
                Err(answer) => answer,
            },
            Outcome::Done(Err(e)) => Answer::Errno(e),
            Outcome::Blocked { ticket, deadline } => {
                // Within one machine the handshake is over at once, and nothing has to be hidden.
                self.stack.step();
                if let Outcome::Done(mut result) = self.stack.resume_connect(ticket) {
                    if result.is_ok() {
                        result = self.join(on);
                    }
                    return self.blocking_connect_done(on.key, result);
                }
                if let Err(answer) = self.begin_connecting(on) {
                    let _ = self.stack.interrupt(ticket);
                    return answer;
                }
                self.pending
                    .insert(ticket, *on.n, on.key, Call::Connect, deadline);
                Answer::Held
            }
        }
    }

    /// SYN_SENT: A is not writable until the handshake is over.
    fn begin_connecting(&mut self, on: &On<'_>) -> Result<(), Answer> {
        if self
            .table
            .get(on.key)
            .is_some_and(|s| s.phase == Phase::Dead)
        {
            let (a, b) = pair::new(pair::is_nonblocking(on.a.as_fd()))
                .map_err(|_| Answer::Errno(libc::ENFILE))?;
            let _ = pair::fill(a.as_fd());
            self.renew(on, a, Some(b))?;
        } else {
            self.join(on).map_err(Answer::Errno)?;
            let _ = pair::fill(on.a.as_fd());
        }
        if let Some(sock) = self.table.get_mut(on.key) {
            sock.phase = Phase::Connecting;
            let file = sock.file;
            self.stack.watch(file);
        }
        Ok(())
    }

    /// From here on there is a B: A stood alone.
    pub(super) fn join(&mut self, on: &On<'_>) -> Result<(), i32> {
        let Some(sock) = self.table.get_mut(on.key) else {
            return Ok(());
        };
        if sock.phase != Phase::Fresh || sock.b.is_some() {
            return Ok(());
        }
        sock.b = Some(pair::join(on.a.as_fd()).map_err(|_| libc::ENFILE)?);
        self.unwatched = self.unwatched.saturating_sub(1);
        self.watch_end(on.key);
        Ok(())
    }

    /// A was used up by a connection that has ended: the descriptor gets a new one. (The program's epoll registration of
    /// that number goes with the old one.)
    fn renew(&mut self, on: &On<'_>, a: OwnedFd, b: Option<OwnedFd>) -> Result<(), Answer> {
        let inode = remote::inode(&a).ok_or(Answer::Errno(libc::ENOBUFS))?;
        let cloexec = self.is_cloexec(on.n);
        match self
            .listener
            .add_fd_at(on.n.id, a.as_fd(), on.n.args[0] as i32, cloexec)
        {
            Ok(Added::Fd(_)) => {}
            Ok(Added::Gone) => return Err(Answer::Done),
            Err(e) => return Err(Answer::Errno(e.raw_os_error().unwrap_or(libc::EBADF))),
        }
        drop(a);
        self.table.renew(on.key, inode, b);
        self.watch_end(on.key);
        Ok(())
    }

    fn is_cloexec(&self, n: &Notif) -> bool {
        let info = std::fs::read_to_string(format!("/proc/{}/fdinfo/{}", n.pid, n.args[0] as i32));
        info.is_ok_and(|info| {
            info.lines()
                .find_map(|l| l.strip_prefix("flags:"))
                .and_then(|f| i32::from_str_radix(f.trim(), 8).ok())
                .is_some_and(|f| f & libc::O_CLOEXEC != 0)
        })
    }

    /// connect(AF_UNSPEC) succeeded: the socket is as new, and so must its pair be.
    fn disconnected(&mut self, on: &On<'_>) -> Answer {
        if self
            .table
            .get(on.key)
            .is_none_or(|s| s.phase == Phase::Fresh)
        {
            return Answer::Value(0);
        }
        let Ok(a) = pair::alone(pair::is_nonblocking(on.a.as_fd())) else {
            return Answer::Errno(libc::ENFILE);
        };
        match self.renew(on, a, None) {
            Ok(()) => {
                self.unwatched += 1;
                Answer::Value(0)
            }
            Err(answer) => answer,
        }
    }

    /// A blocking connect has its result.
    pub(crate) fn blocking_connect_done(&mut self, key: Key, result: Result<(), i32>) -> Answer {
        match result {
            Ok(()) => self.connected(key),
            Err(libc::EINTR | libc::EALREADY | libc::EINPROGRESS) => {}
            // SO_SNDTIMEO: the handshake goes on without the caller.
            Err(_)
                if self
                    .table
                    .get(key)
                    .is_some_and(|s| self.stack.is_connecting(s.file)) => {}
            // The socket is unconnected again, and may try once more.
            Err(_) => {
                if let Some(sock) = self
                    .table
                    .get_mut(key)
                    .filter(|s| s.phase == Phase::Connecting)
                {
                    sock.phase = Phase::Fresh;
                    if let Some(b) = sock.b.as_ref() {
                        pair::drain(b.as_fd());
                    }
                    self.widen(key);
                }
            }
        }
        result.into()
    }

    /// The handshake is over: A becomes writable, with one edge.
    pub(crate) fn connected(&mut self, key: Key) {
        let Some(sock) = self.table.get_mut(key) else {
            return;
        };
        match sock.phase {
            // Widened first: drained, A is the program's.
            Phase::Connecting => self.widen(key),
            Phase::Fresh => {}
            Phase::Listening { .. } | Phase::Open | Phase::Dead => return,
        }
        if let Some(sock) = self.table.get_mut(key) {
            // What was written before belongs to no connection (TCP would have said EPIPE).
            if let Some(b) = sock.b.as_ref() {
                pair::drain(b.as_fd());
            }
            sock.phase = Phase::Open;
        }
        self.open_flow(key);
    }

    /// The stack has news of a handshake that nobody waits for in a call.
    pub(crate) fn on_connect_event(&mut self, key: Key) {
        let Some(sock) = self.table.get(key) else {
            return;
        };
        if self.pending.waits_on(key) || self.stack.is_connecting(sock.file) {
            return;
        }
        if self.stack.is_connected(sock.file) {
            self.connected(key);
        } else {
            // Refused, unreachable or timed out: A polls as a failed TCP socket does once B is
            // closed with the fill unread. SO_ERROR stays with the stack.
            self.kill_pair(key);
        }
    }

    /// Gives A its whole send buffer back, wherever it is.
    fn widen(&mut self, key: Key) {
        if let Some(a) = self.reach(key) {
            pair::widen(a.as_fd());
        }
    }
}
