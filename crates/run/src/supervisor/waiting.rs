//! The stack's news, and the calls that waited for it.

use super::Supervisor;
use super::calls::Answer;
use super::pending::Call;
use super::stack::{Outcome, Reply, Ticket};
use crate::sys::notify::Sent;

/// Rounds of news and answers before the flows have their turn.
const SETTLE_ROUNDS: usize = 16;

impl Supervisor {
    /// Lets the stack work until it is idle, and tells everyone its news.
    pub(super) fn settle(&mut self) {
        // News may make calls, which make packets, which make news; each round of it is finite, and
        // what is left after this many waits for the next turn of the loop.
        for _ in 0..SETTLE_ROUNDS {
            self.busy = self.stack.step();
            let mut any = self.on_gateway();
            for (file, readable, writable) in self.stack.take_ready() {
                any = true;
                if let Some(key) = self.table.by_file(file) {
                    self.on_stack_ready(key, readable, writable);
                }
            }
            for ticket in self.stack.ready_tickets() {
                any = true;
                self.resume(ticket);
            }
            if !any {
                return;
            }
        }
        self.busy = true;
    }

    /// A call that waited may go on.
    pub(super) fn resume(&mut self, ticket: Ticket) {
        let Some(w) = self.pending.get(ticket).copied() else {
            return;
        };
        // A signal may have taken the caller away; the connection is for the next one then.
        if !self.listener.id_valid(w.notif.id) {
            self.cancel(ticket);
            return;
        }
        let answer = match self.stack.resume(ticket) {
            Outcome::Blocked { .. } => return,
            Outcome::Done(result) => {
                self.pending.remove(ticket);
                match (w.call, result) {
                    (Call::Accept, Ok(Reply::Accepted(accepted))) => {
                        self.deliver_accept(&w.notif, w.sock, accepted)
                    }
                    (Call::Accept, Ok(Reply::Done)) => Answer::Errno(libc::EINVAL),
                    (Call::Accept, Err(e)) => Answer::Errno(e),
                    (Call::Connect, result) => {
                        self.blocking_connect_done(w.sock, result.map(|_| ()))
                    }
                }
            }
        };
        if self.answer(&w.notif, answer) == Sent::Gone {
            self.untold.keep(&w.notif, w.sock, answer);
        }
    }

    /// Calls that found no room, or nothing to read, in A: the flows have moved since.
    pub(super) fn retry_calls(&mut self) {
        for n in std::mem::take(&mut self.retries) {
            if self.listener.id_valid(n.id) {
                self.on_notification(n);
            }
        }
    }

    /// A signal took the caller of this ticket away.
    pub(super) fn cancel(&mut self, ticket: Ticket) {
        let Some(w) = self.pending.remove(ticket) else {
            return;
        };
        let late = self.stack.interrupt(ticket);
        match (w.call, late) {
            // A connection that was already taken for it goes back.
            (Call::Accept, Ok(Reply::Accepted(accepted))) => {
                if let Some(file) = self.table.get(w.sock).map(|s| s.file) {
                    self.stack.accept_undo(file, accepted.file);
                }
            }
            // The handshake goes on by itself.
            (Call::Connect, _) => self.on_connect_event(w.sock),
            _ => {}
        }
    }

    /// SO_RCVTIMEO of accept, SO_SNDTIMEO of connect.
    pub(super) fn on_deadlines(&mut self) {
        for ticket in self.pending.due(self.stack.now()) {
            self.resume(ticket);
        }
    }
}
