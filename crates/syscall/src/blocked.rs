//! Blocking as a value: a call that must wait leaves a ticket, and is resumed or interrupted by it.

use crate::calls::accept::Accepted;
use crate::epoll::EpollEvent;
use crate::file::FileId;
use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;
use hearken_abi::Errno;
use hearken_inet::Instant;

/// Names a call that waits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Ticket {
    index: u32,
    generation: u32,
}

impl Ticket {
    /// As one number, for whoever keeps tickets in a table of numbers.
    #[must_use]
    pub const fn number(self) -> u64 {
        (self.generation as u64) << 32 | self.index as u64
    }
}

/// What a call that waits leaves with its caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Blocked {
    /// To resume or interrupt it.
    pub ticket: Ticket,
    /// When it gives up by itself (`SO_RCVTIMEO`, `SO_SNDTIMEO`): resume it then.
    pub deadline: Option<Instant>,
}

/// How a call ended, or that it waits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome<T> {
    /// It returned.
    Done(Result<T, Errno>),
    /// It waits.
    Blocked(Blocked),
}

impl<T> Outcome<T> {
    /// The result of a call that did not block.
    ///
    /// # Errors
    /// The call's own, or `EAGAIN` for one that waits.
    pub fn done(self) -> Result<T, Errno> {
        match self {
            Self::Done(r) => r,
            Self::Blocked(_) => Err(Errno::EAGAIN),
        }
    }

    /// The ticket, when it waits.
    pub fn blocked(&self) -> Option<Blocked> {
        match self {
            Self::Done(_) => None,
            Self::Blocked(b) => Some(*b),
        }
    }

    /// The same with another value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Outcome<U> {
        match self {
            Self::Done(r) => Outcome::Done(r.map(f)),
            Self::Blocked(b) => Outcome::Blocked(b),
        }
    }
}

/// What a resumed call returned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// accept
    Accepted(Accepted),
    /// connect
    Connected,
    /// recv: the bytes, none at the end of the stream.
    Received(Vec<u8>),
    /// send: how many bytes went out.
    Sent(usize),
    /// epoll_wait
    Events(Vec<EpollEvent>),
}

/// Which call waits, with what it needs to go on.
#[derive(Debug)]
pub(crate) enum Op {
    Accept {
        flags: i32,
    },
    Connect {
        /// What the call answers when its time is over: the attempt goes on without it.
        otherwise: Errno,
    },
    Recv {
        got: Vec<u8>,
        len: usize,
        flags: i32,
    },
    Send {
        data: Vec<u8>,
        done: usize,
        flags: i32,
    },
    EpollWait {
        max: usize,
    },
}

impl Op {
    /// Woken one at a time (`prepare_to_wait_exclusive`): Linux does so for accept and epoll_wait.
    pub(crate) fn is_exclusive(&self) -> bool {
        match self {
            Self::Accept { .. } | Self::EpollWait { .. } => true,
            Self::Connect { .. } | Self::Recv { .. } | Self::Send { .. } => false,
        }
    }

    /// What a signal makes of it. `sock_intr_errno` (6.18): with a timeout the call may not be restarted, so it is EINTR;
    /// without one it is ERESTARTSYS, which becomes a restart or EINTR by SA_RESTART. epoll_wait is EINTR always.
    pub(crate) fn interrupted(&self, has_deadline: bool) -> Errno {
        match self {
            Self::EpollWait { .. } => Errno::EINTR,
            Self::Accept { .. } | Self::Connect { .. } | Self::Recv { .. } | Self::Send { .. } => {
                if has_deadline {
                    Errno::EINTR
                } else {
                    Errno::ERESTARTSYS
                }
            }
        }
    }
}

#[derive(Debug)]
pub(crate) struct Wait {
    pub(crate) file: FileId,
    pub(crate) op: Op,
    pub(crate) deadline: Option<Instant>,
    /// Told that it may go on, and not resumed since.
    pub(crate) woken: bool,
}

#[derive(Debug, Default)]
struct Slot {
    generation: u32,
    wait: Option<Wait>,
}

/// All calls that wait.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    slots: Vec<Slot>,
    free: Vec<u32>,
    ready: VecDeque<Ticket>,
    deadlines: BTreeSet<(Instant, Ticket)>,
}

impl Waits {
    pub(crate) fn insert(&mut self, wait: Wait) -> Ticket {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 waiting calls")
        });
        let slot = &mut self.slots[index as usize];
        let ticket = Ticket {
            index,
            generation: slot.generation,
        };
        if let Some(at) = wait.deadline {
            self.deadlines.insert((at, ticket));
        }
        slot.wait = Some(wait);
        ticket
    }

    pub(crate) fn get(&self, ticket: Ticket) -> Option<&Wait> {
        let slot = self.slots.get(ticket.index as usize)?;
        slot.wait
            .as_ref()
            .filter(|_| slot.generation == ticket.generation)
    }

    pub(crate) fn get_mut(&mut self, ticket: Ticket) -> Option<&mut Wait> {
        let slot = self.slots.get_mut(ticket.index as usize)?;
        if slot.generation != ticket.generation {
            return None;
        }
        slot.wait.as_mut()
    }

    #[cfg(test)]
    pub(crate) fn remove(&mut self, ticket: Ticket) -> Option<Wait> {
        let wait = self.take(ticket)?;
        self.retire(ticket, wait.deadline);
        Some(wait)
    }

    /// Lends the wait out: its ticket stays valid until [`Waits::retire`] or [`Waits::put_back`].
    pub(crate) fn take(&mut self, ticket: Ticket) -> Option<Wait> {
        let slot = self.slots.get_mut(ticket.index as usize)?;
        if slot.generation != ticket.generation {
            return None;
        }
        slot.wait.take()
    }

    pub(crate) fn put_back(&mut self, ticket: Ticket, mut wait: Wait) {
        wait.woken = false;
        if let Some(slot) = self.slots.get_mut(ticket.index as usize) {
            slot.wait = Some(wait);
        }
    }

    pub(crate) fn retire(&mut self, ticket: Ticket, deadline: Option<Instant>) {
        if let Some(slot) = self.slots.get_mut(ticket.index as usize) {
            slot.generation = slot.generation.wrapping_add(1);
            slot.wait = None;
            self.free.push(ticket.index);
        }
        if let Some(at) = deadline {
            self.deadlines.remove(&(at, ticket));
        }
    }

    /// Marks a wait as able to go on.
    pub(crate) fn wake(&mut self, ticket: Ticket) {
        if let Some(wait) = self.get_mut(ticket)
            && !wait.woken
        {
            wait.woken = true;
            self.ready.push_back(ticket);
        }
    }

    /// Hands out those that may go on, in the order in which they were woken.
    pub(crate) fn drain_ready(&mut self, out: &mut Vec<Ticket>) {
        while let Some(ticket) = self.ready.pop_front() {
            if self.get_mut(ticket).is_some() {
                out.push(ticket);
            }
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Wakes those whose time is up.
    pub(crate) fn expire(&mut self, now: Instant) {
        while let Some(&(at, ticket)) = self.deadlines.first() {
            if at > now {
                return;
            }
            self.deadlines.pop_first();
            self.wake(ticket);
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(deadline: Option<u64>) -> Wait {
        Wait {
            file: FileId::from_token(1 << 63).expect("ours"),
            op: Op::Accept { flags: 0 },
            deadline: deadline.map(Instant),
            woken: false,
        }
    }

    #[test]
    fn waits_wake_hands_out_each_ticket_once_in_order() {
        let mut w = Waits::default();
        let (a, b) = (w.insert(wait(None)), w.insert(wait(None)));
        w.wake(b);
        w.wake(a);
        w.wake(b);
        let mut out = Vec::new();
        w.drain_ready(&mut out);
        assert_eq!(out, [b, a]);
        out.clear();
        w.drain_ready(&mut out);
        assert!(out.is_empty());
    }

    #[test]
    fn waits_removed_ticket_is_not_handed_out_and_not_found() {
        let mut w = Waits::default();
        let a = w.insert(wait(None));
        w.wake(a);
        assert!(w.remove(a).is_some());
        let b = w.insert(wait(None));
        assert_ne!(a, b);
        assert!(w.remove(a).is_none());
        let mut out = Vec::new();
        w.drain_ready(&mut out);
        assert!(out.is_empty());
        assert_eq!(w.len(), 1);
    }

    #[test]
    fn waits_expire_at_the_deadline_and_not_before() {
        let mut w = Waits::default();
        let late = w.insert(wait(Some(20)));
        let soon = w.insert(wait(Some(10)));
        assert_eq!(w.next_deadline(), Some(Instant(10)));
        let mut out = Vec::new();
        w.expire(Instant(9));
        w.drain_ready(&mut out);
        assert!(out.is_empty());
        w.expire(Instant(10));
        w.drain_ready(&mut out);
        assert_eq!(out, [soon]);
        assert_eq!(w.next_deadline(), Some(Instant(20)));
        w.remove(late);
        assert_eq!(w.next_deadline(), None);
    }

    #[test]
    fn interrupt_with_a_timeout_is_never_restarted() {
        let op = Op::Accept { flags: 0 };
        assert_eq!(op.interrupted(false), Errno::ERESTARTSYS);
        assert_eq!(op.interrupted(true), Errno::EINTR);
        assert_eq!(Op::EpollWait { max: 1 }.interrupted(false), Errno::EINTR);
    }
}
