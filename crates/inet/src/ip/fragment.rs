//! Fragments put together again (RFC 791 3.2, RFC 8200 4.5; Linux `ip_defrag`). Bounded in bytes and in time; a packet
//! whose fragments overlap is given up whole, as Linux does since CVE-2018-5391.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;
use hearken_tcp::Instant;
use hearken_tcp::ranges::Ranges;

/// Bytes of all queues together (Linux's `ipfrag_high_thresh`); beyond it the oldest queue goes.
const MAX_BYTES: usize = 4 << 20;
/// How long the pieces of a packet may trickle in (Linux's `ipfrag_time`).
const TIMEOUT: Duration = Duration::from_secs(30);
/// What the book-keeping of a queue counts for.
const OVERHEAD: usize = 256;

/// What fragments of one packet have in common.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Key {
    pub(crate) src: [u8; 16],
    pub(crate) dst: [u8; 16],
    pub(crate) id: u32,
    pub(crate) protocol: u8,
}

/// One fragment, without its headers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    /// Where in the packet it belongs.
    pub(crate) offset: usize,
    /// More follow.
    pub(crate) more: bool,
}

#[derive(Debug)]
struct Queue {
    data: Vec<u8>,
    have: Ranges,
    total: Option<usize>,
    deadline: Instant,
}

/// What became of a fragment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It waits for the others.
    Waits,
    /// It was the last: the payload of the packet.
    Whole(Vec<u8>),
    /// It contradicts the others, or itself: all are dropped.
    Bad,
}

/// The incomplete packets of a namespace.
#[derive(Debug, Default)]
pub(crate) struct Fragments {
    queues: BTreeMap<Key, Queue>,
    /// Oldest first; may name queues that are gone.
    order: VecDeque<(Instant, Key)>,
    bytes: usize,
}

impl Fragments {
    /// How many incomplete packets of a family there are, and the bytes they take.
    pub(crate) fn held(&self, v6: bool) -> (usize, usize) {
        // IPv4's addresses are kept mapped, and no IPv6 packet may come from one.
        let mapped = |k: &Key| k.src[..12] == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
        let of = self.queues.iter().filter(|(k, _)| mapped(k) != v6);
        of.fold((0, 0), |(n, bytes), (_, q)| {
            (n + 1, bytes + OVERHEAD + q.data.len())
        })
    }

    /// Takes a fragment. The second value says how many packets were given up for lack of time or room.
    pub(crate) fn insert(
        &mut self,
        now: Instant,
        key: Key,
        piece: Piece,
        pieces: &[&[u8]],
    ) -> (Outcome, u64) {
        let given_up = self.make_room(now);
        let len: usize = pieces.iter().map(|p| p.len()).sum();
        let end = piece.offset + len;
        if len == 0 || end > 65535 || piece.more && !len.is_multiple_of(8) {
            self.remove(&key);
            return (Outcome::Bad, given_up);
        }
        let order = &mut self.order;
        let bytes = &mut self.bytes;
        let q = self.queues.entry(key).or_insert_with(|| {
            order.push_back((now + TIMEOUT, key));
            *bytes += OVERHEAD;
            Queue {
                data: Vec::new(),
                have: Ranges::default(),
                total: None,
                deadline: now + TIMEOUT,
            }
        });
        let (from, to) = (piece.offset as u64, end as u64);
        let fresh = q.have.insert(from, to);
        let repeated = fresh == 0;
        let contradicts = match q.total {
            Some(t) => end > t || !piece.more && end != t,
            None => !piece.more && q.have.iter().any(|r| r.1 > to),
        };
        if contradicts || !repeated && fresh != len as u64 {
            self.remove(&key);
            return (Outcome::Bad, given_up);
        }
        if !piece.more {
            q.total = Some(end);
        }
        if !repeated {
            if q.data.len() < end {
                self.bytes += end - q.data.len();
                q.data.resize(end, 0);
            }
            let mut at = piece.offset;
            for p in pieces {
                q.data[at..at + p.len()].copy_from_slice(p);
                at += p.len();
            }
        }
        if q.total.is_some_and(|t| q.have.total() == t as u64) {
            let whole = self.remove(&key).unwrap_or_default();
            return (Outcome::Whole(whole), given_up);
        }
        (Outcome::Waits, given_up)
    }

    fn remove(&mut self, key: &Key) -> Option<Vec<u8>> {
        let q = self.queues.remove(key)?;
        self.bytes -= OVERHEAD + q.data.len();
        Some(q.data)
    }

    /// Gives up what is too old, and the oldest while there is too much.
    fn make_room(&mut self, now: Instant) -> u64 {
        let mut n = 0;
        while let Some(&(at, key)) = self.order.front() {
            let same = self.queues.get(&key).is_some_and(|q| q.deadline == at);
            if same && at > now && self.bytes < MAX_BYTES {
                break;
            }
            self.order.pop_front();
            if same {
                self.remove(&key);
                n += 1;
            }
        }
        // Behind an entry that waits, those of finished and refused packets would pile up for as long as it may wait.
        if self.order.len() > 2 * self.queues.len() + 64 {
            let queues = &self.queues;
            self.order
                .retain(|(at, key)| queues.get(key).is_some_and(|q| q.deadline == *at));
        }
        n
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: u32) -> Key {
        Key {
            src: [1; 16],
            dst: [2; 16],
            id,
            protocol: 17,
        }
    }
    fn at(offset: usize, more: bool) -> Piece {
        Piece { offset, more }
    }

    #[test]
    fn fragments_in_any_order_make_the_packet() {
        let mut f = Fragments::default();
        let now = Instant(0);
        assert_eq!(
            f.insert(now, key(1), at(16, false), &[b"end"]),
            (Outcome::Waits, 0)
        );
        assert_eq!(
            f.insert(now, key(1), at(8, true), &[b"abcd", b"efgh"]),
            (Outcome::Waits, 0)
        );
        assert_eq!(
            f.insert(now, key(1), at(8, true), &[b"abcdefgh"]),
            (Outcome::Waits, 0)
        );
        let whole = f.insert(now, key(1), at(0, true), &[b"01234567"]).0;
        assert_eq!(whole, Outcome::Whole(b"01234567abcdefghend".to_vec()));
        assert_eq!((f.bytes, f.queues.len()), (0, 0));
    }

    #[test]
    fn overlapping_fragments_give_up_the_packet() {
        let mut f = Fragments::default();
        f.insert(Instant(0), key(1), at(0, true), &[&[0; 16]]);
        assert_eq!(
            f.insert(Instant(0), key(1), at(8, true), &[&[0; 16]]).0,
            Outcome::Bad
        );
        assert_eq!(f.bytes, 0);
    }

    #[test]
    fn fragment_beyond_the_known_end_gives_up_the_packet() {
        let mut f = Fragments::default();
        f.insert(Instant(0), key(1), at(8, false), &[&[0; 8]]);
        assert_eq!(
            f.insert(Instant(0), key(1), at(16, true), &[&[0; 8]]).0,
            Outcome::Bad
        );
        assert_eq!(
            f.insert(Instant(0), key(2), at(65528, false), &[&[0; 9]]).0,
            Outcome::Bad
        );
        assert_eq!(
            f.insert(Instant(0), key(2), at(0, true), &[&[0; 7]]).0,
            Outcome::Bad
        );
    }

    #[test]
    fn finished_packets_behind_one_that_waits_leave_nothing() {
        let mut f = Fragments::default();
        f.insert(Instant(0), key(0), at(0, true), &[&[0; 8]]);
        for id in 1..10_000 {
            f.insert(Instant(0), key(id), at(0, true), &[&[0; 8]]);
            f.insert(Instant(0), key(id), at(0, true), &[&[0; 7]]);
            assert!(f.order.len() < 128, "{}", f.order.len());
        }
        assert_eq!(f.queues.len(), 1);
    }

    #[test]
    fn incomplete_packets_stay_within_the_bound_and_the_time() {
        let mut f = Fragments::default();
        let mut given_up = 0;
        for id in 0..10_000 {
            given_up += f
                .insert(Instant(0), key(id), at(1024, true), &[&[0; 1024]])
                .1;
            assert!(f.bytes <= MAX_BYTES + 4096);
        }
        assert!(given_up > 7000);
        let late = Instant(0) + TIMEOUT;
        f.insert(late, key(99_999), at(0, true), &[&[0; 8]]);
        assert_eq!(f.queues.len(), 1);
    }
}
