//! The receive queue: bytes in order for the program, and bytes beyond a hole, in one chain.

use super::chain::{Chain, Pool};
use super::charge::{Ahead, Charge, Ledger};
use crate::ranges::Ranges;

/// What became of a segment that was stored. Ranges are distances from the byte that was expected next.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stored {
    /// By how many bytes the in-order part grew.
    pub grown: u32,
    /// How many packets found room in the memory of others.
    pub joined: u32,
    /// How many were needless (`TCPOFOMerge`).
    pub merged: u32,
    /// One packet that was held already has all of it.
    pub held: bool,
    /// What had come before.
    pub duplicate: Option<(i64, i64)>,
}

/// Offset 0 is the next byte that the program reads; `ready` bytes are in order; `ahead` lists what lies beyond.
#[derive(Debug, Default)]
pub struct RecvBuffer {
    chain: Chain,
    ready: usize,
    /// Bytes that were read by the program so far: the origin of the stream offsets in `ahead`.
    base: u64,
    ahead: Ranges,
    ledger: Ledger,
}

impl RecvBuffer {
    /// Bytes that the program may read.
    pub fn ready(&self) -> usize {
        self.ready
    }
    /// Bytes beyond a hole.
    pub fn ahead_bytes(&self) -> usize {
        self.ahead.total() as usize
    }
    /// Memory that counts against the receive buffer, book-keeping included, so that a peer that sends single bytes with
    /// gaps pays for them (CVE-2018-5390, RUSTSEC-2026-0185).
    pub fn charged(&self) -> u32 {
        self.ledger.total()
    }
    /// Whether a hole is open.
    pub fn has_holes(&self) -> bool {
        !self.ahead.is_empty()
    }
    /// How many islands lie beyond the hole.
    pub fn holes(&self) -> usize {
        self.ahead.len()
    }
    /// Where the highest island ends, as a distance from the next expected byte.
    pub fn highest(&self) -> Option<u32> {
        let next = self.base + self.ready as u64;
        self.ahead
            .iter()
            .next_back()
            .map(|(_, b)| (b - next) as u32)
    }
    /// The island beyond the hole that holds the byte `distance` after the next expected one, as distances.
    pub fn island(&self, distance: u32) -> Option<(u32, u32)> {
        let next = self.base + self.ready as u64;
        let (a, b) = self.ahead.containing(next + u64::from(distance))?;
        Some(((a - next) as u32, (b - next) as u32))
    }

    /// Stores the pieces of a segment that begins `distance` bytes after the next expected byte. `apart`: what
    /// precedes them in their packet is not wanted.
    pub fn insert(
        &mut self,
        pool: &mut Pool,
        distance: u32,
        pieces: &[&[u8]],
        (charge, apart): (Charge, bool),
    ) -> Stored {
        let mut at = self.ready + distance as usize;
        let from = self.base + at as u64;
        let len: usize = pieces.iter().map(|p| p.len()).sum();
        let to = from + len as u64;
        let here = self.base + self.ready as u64;
        let relative = |d: Option<(u64, u64)>| {
            d.map(|(a, b)| (a.wrapping_sub(here) as i64, b.wrapping_sub(here) as i64))
        };
        if distance > 0 {
            let Ahead {
                held,
                duplicate,
                merged,
                joined,
            } = self.ledger.push_ahead(from, to, charge);
            if !held {
                for p in pieces {
                    self.chain.write_at(pool, at, p);
                    at += p.len();
                }
                self.ahead.insert(from, to);
            }
            return Stored {
                joined: u32::from(joined),
                merged,
                held,
                duplicate: relative(duplicate),
                grown: 0,
            };
        }
        for p in pieces {
            self.chain.write_at(pool, at, p);
            at += p.len();
        }
        let mut joined = u32::from(self.ledger.push(len as u32, charge, apart));
        let mut duplicate = None;
        let mut next = to;
        if !self.ahead.is_empty() {
            while let Some((a, b)) = self.ahead.first() {
                if a > next {
                    break;
                }
                next = next.max(b);
                self.ahead.pop_first();
            }
            let (more, twice) = self.ledger.fill(from, to);
            joined += more;
            duplicate = relative(twice);
        }
        let grown = next - from;
        self.ready += grown as usize;
        Stored {
            grown: grown as u32,
            joined,
            duplicate,
            ..Stored::default()
        }
    }

    /// Whether a packet needs no more memory than is set aside already.
    pub fn is_set_aside(&self, charge: Charge) -> bool {
        self.ledger.is_set_aside(charge)
    }

    /// Saves memory by copying what is in order together. Returns how many packets went.
    pub fn collapse(&mut self, bloated: impl Fn(u32, u32) -> bool) -> u32 {
        self.ledger.collapse(bloated)
    }

    /// Gives up what lies furthest beyond the hole, if that is no nearer than `distance`. Returns the memory won.
    pub fn drop_last_ahead(&mut self, distance: u32) -> Option<u32> {
        let least = self.base + self.ready as u64 + u64::from(distance);
        let (at, memory) = self.ledger.drop_last_ahead(least)?;
        self.ahead.trim_above(at);
        Some(memory)
    }

    /// Bytes that were read by the program so far.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// At most `most` of the in-order bytes, from the `skip`th on.
    pub fn slices<'a>(&'a self, skip: usize, most: usize, out: &mut [&'a [u8]]) -> usize {
        let most = most.min(self.ready.saturating_sub(skip));
        self.chain.slices(skip, most, out)
    }
    /// The program read `n` bytes.
    pub fn consume(&mut self, pool: &mut Pool, n: usize) {
        let n = n.min(self.ready);
        self.ready -= n;
        self.base += n as u64;
        self.ledger.read(n as u32);
        self.chain.consume(pool, n);
    }
    /// Forgets everything.
    pub fn clear(&mut self, pool: &mut Pool) {
        self.chain.clear(pool);
        self.ready = 0;
        self.ahead = Ranges::default();
        self.ledger.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn drain(b: &mut RecvBuffer, p: &mut Pool) -> Vec<u8> {
        let mut s: [&[u8]; 16] = [&[]; 16];
        let n = b.slices(0, usize::MAX, &mut s);
        let v = s[..n].concat();
        b.consume(p, v.len());
        v
    }

    #[test]
    fn insert_filling_the_hole_releases_what_lay_ahead() {
        let (mut p, mut b) = (Pool::default(), RecvBuffer::default());
        let c = Charge::packet(100);
        assert_eq!(b.insert(&mut p, 3, &[b"def"], (c, false)).grown, 0);
        assert_eq!(b.insert(&mut p, 9, &[b"j"], (c, false)).grown, 0);
        assert_eq!(b.island(9), Some((9, 10)));
        assert_eq!(b.island(4), Some((3, 6)));
        assert_eq!(b.island(6), None);
        assert_eq!(b.insert(&mut p, 0, &[b"ab", b"c"], (c, false)).grown, 6);
        assert_eq!(drain(&mut b, &mut p), b"abcdef");
        assert_eq!(b.insert(&mut p, 0, &[b"ghi"], (c, false)).grown, 4);
        assert_eq!(drain(&mut b, &mut p), b"ghij");
        assert!(!b.has_holes() && b.charged() == 0);
    }

    #[test]
    fn insert_overlapping_segments_counts_bytes_once() {
        let (mut p, mut b) = (Pool::default(), RecvBuffer::default());
        let c = Charge::packet(100);
        b.insert(&mut p, 5, &[b"fgh"], (c, false));
        let s = b.insert(&mut p, 4, &[b"efghi"], (c, false));
        assert_eq!((s.merged, s.duplicate), (1, Some((5, 8))));
        assert_eq!(b.ahead_bytes(), 5);
        assert_eq!(b.insert(&mut p, 0, &[b"abcdefg"], (c, false)).grown, 9);
        assert_eq!(drain(&mut b, &mut p), b"abcdefghi");
    }
}
