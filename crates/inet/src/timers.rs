//! Deadlines of all records. A record has at most one entry, which the record itself remembers; an entry that comes
//! before the record's deadline is put back, so that moving a deadline out, as every ACK does, costs nothing here.

use alloc::collections::BTreeSet;
use hearken_tcp::Instant;

/// What kind of record an entry points at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Kind {
    Connection,
    Request,
    TimeWait,
    /// The neighbours of an interface, whose number is the slot.
    Neighbours,
}

/// A record, by family, kind, slot and generation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Key {
    pub(crate) kind: Kind,
    pub(crate) v6: bool,
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

/// Entries by time; those of one time by record.
#[derive(Debug, Default)]
pub(crate) struct Timers(BTreeSet<(Instant, Key)>);

impl Timers {
    pub(crate) fn set(&mut self, at: Instant, key: Key) {
        self.0.insert((at, key));
    }
    /// Takes an entry back; none there is no error.
    pub(crate) fn cancel(&mut self, at: Instant, key: Key) {
        if at != Instant::FAR {
            self.0.remove(&(at, key));
        }
    }
    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.first().map(|e| e.0)
    }
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Key> {
        if self.next()? > now {
            return None;
        }
        self.0.pop_first().map(|e| e.1)
    }
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use crate::*;
    use core::time::Duration;

    /// Deadlines that come and go (delayed ACK, retransmission, keepalive) leave no entries behind.
    #[test]
    fn timers_of_a_busy_connection_are_one_entry_each_end() {
        let mut n = Net::new(Config::new([1; 32]));
        let mut now = Instant(1_000_000_000);
        let l = n.socket(Domain::Inet);
        n.listen(now, l, 1).unwrap();
        let c = n.socket(Domain::Inet);
        n.set_option(now, c, Opt::KeepAlive(true)).unwrap();
        let at = ([127, 0, 0, 1], n.local_addr(l).port()).into();
        n.connect(now, c, at, &Cred::ROOT).unwrap();
        while n.poll_lo(now) {}
        let a = n.accept(now, l).unwrap().socket;
        for _ in 0..500 {
            for (from, to) in [(c, a), (a, c)] {
                n.send_with(now, from, |r| {
                    r[0][..5].fill(7);
                    (5, ())
                })
                .unwrap();
                while n.poll_lo(now) {}
                now = now + Duration::from_millis(50);
                n.handle_timeout(now);
                while n.poll_lo(now) {}
                n.recv_with(now, to, |d| (d.iter().map(|d| d.len()).sum(), ()))
                    .unwrap();
            }
            // One each, and the half-open request's until its second is over.
            assert!(n.sh.timers.len() <= 3, "{}", n.sh.timers.len());
        }
        n.close(now, c);
        n.abort(now, a);
        n.close(now, l);
        while n.poll_lo(now) {}
        assert_eq!(n.sh.timers.len(), 0);
    }
}
