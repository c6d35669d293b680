//! Calls of the program that wait: each is a notification held back, and a ticket of the stack.

use std::collections::{BTreeSet, HashMap};

use hearken_inet::Instant;

use super::slab::Key;
use super::stack::Ticket;
use crate::sys::notify::Notif;

/// Which call waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// accept or accept4.
    Accept,
    /// connect.
    Connect,
}

/// One call that waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiting {
    /// The notification to answer.
    pub(crate) notif: Notif,
    /// The socket it was made on.
    pub(crate) sock: Key,
    /// Which call.
    pub(crate) call: Call,
    deadline: Option<Instant>,
}

/// All calls that wait.
#[derive(Default)]
pub(crate) struct Pending {
    by_ticket: HashMap<Ticket, Waiting>,
    /// A thread is in one call at a time, so its next call proves the one before cancelled.
    by_tid: HashMap<u32, Ticket>,
    deadlines: BTreeSet<(Instant, Ticket)>,
}

impl Pending {
    pub(crate) fn insert(
        &mut self,
        ticket: Ticket,
        notif: Notif,
        sock: Key,
        call: Call,
        deadline: Option<Instant>,
    ) {
        if let Some(at) = deadline {
            self.deadlines.insert((at, ticket));
        }
        self.by_tid.insert(notif.pid, ticket);
        self.by_ticket.insert(
            ticket,
            Waiting {
                notif,
                sock,
                call,
                deadline,
            },
        );
    }

    pub(crate) fn remove(&mut self, ticket: Ticket) -> Option<Waiting> {
        let w = self.by_ticket.remove(&ticket)?;
        if self.by_tid.get(&w.notif.pid) == Some(&ticket) {
            self.by_tid.remove(&w.notif.pid);
        }
        if let Some(at) = w.deadline {
            self.deadlines.remove(&(at, ticket));
        }
        Some(w)
    }

    pub(crate) fn get(&self, ticket: Ticket) -> Option<&Waiting> {
        self.by_ticket.get(&ticket)
    }

    /// The call that this thread was in before.
    pub(crate) fn of_thread(&self, tid: u32) -> Option<Ticket> {
        self.by_tid.get(&tid).copied()
    }

    /// Whether a call waits on this socket.
    pub(crate) fn waits_on(&self, sock: Key) -> bool {
        self.by_ticket.values().any(|w| w.sock == sock)
    }

    /// When the first wait ends by itself.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// The waits that have ended by themselves.
    pub(crate) fn due(&self, now: Instant) -> Vec<Ticket> {
        self.deadlines
            .iter()
            .take_while(|(at, _)| *at <= now)
            .map(|(_, t)| *t)
            .collect()
    }

    /// The calls that wait on this socket.
    pub(crate) fn on(&self, sock: Key) -> Vec<(Ticket, Notif)> {
        let on = self.by_ticket.iter().filter(|(_, w)| w.sock == sock);
        on.map(|(t, w)| (*t, w.notif)).collect()
    }
}
