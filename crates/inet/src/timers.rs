//! Deadlines of all records. A record has at most one entry that matters; an entry that comes before the record's
//! deadline is put back, so that moving a deadline out, as every ACK does, costs nothing here.

use alloc::collections::BinaryHeap;
use core::cmp::Reverse;
use hearken_tcp::Instant;

/// What kind of record an entry points at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Kind {
    Connection,
    Request,
    TimeWait,
}

/// A record, by family, kind, slot and generation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Key {
    pub(crate) kind: Kind,
    pub(crate) v6: bool,
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<(Instant, u64, Key)>>,
    /// Ties fire in the order in which they were set.
    order: u64,
}

impl Timers {
    pub(crate) fn set(&mut self, at: Instant, key: Key) {
        self.order += 1;
        self.heap.push(Reverse((at, self.order, key)));
    }
    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|e| e.0.0)
    }
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Key> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|e| e.0.2)
    }
}
