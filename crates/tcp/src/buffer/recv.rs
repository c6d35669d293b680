//! The receive queue: bytes in order for the program, and bytes beyond a hole, in one chain.

use super::chain::{Chain, Pool};
use crate::ranges::Ranges;

/// Offset 0 is the next byte that the program reads; `ready` bytes are in order; `ahead` lists what lies beyond.
#[derive(Debug, Default)]
pub struct RecvBuffer {
    chain: Chain,
    ready: usize,
    /// Bytes that were read by the program so far: the origin of the stream offsets in `ahead`.
    base: u64,
    ahead: Ranges,
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
    /// Memory that counts against the receive buffer: bytes, and the book-keeping of the holes, so that a peer that
    /// sends single bytes with gaps pays for them (CVE-2018-5390, RUSTSEC-2026-0185).
    pub fn charged(&self) -> usize {
        self.ready + self.ahead_bytes() + self.ahead.len() * 64
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

    /// Stores the pieces of a segment that begins `distance` bytes after the next expected byte. Returns by how many
    /// bytes the in-order part grew.
    pub fn insert(&mut self, pool: &mut Pool, distance: u32, pieces: &[&[u8]]) -> u32 {
        let mut at = self.ready + distance as usize;
        let from = self.base + at as u64;
        for p in pieces {
            self.chain.write_at(pool, at, p);
            at += p.len();
        }
        let to = self.base + at as u64;
        if distance > 0 {
            self.ahead.insert(from, to);
            return 0;
        }
        let mut next = to;
        while let Some((a, b)) = self.ahead.first() {
            if a > next {
                break;
            }
            next = next.max(b);
            self.ahead.pop_first();
        }
        let grown = next - from;
        self.ready += grown as usize;
        grown as u32
    }

    /// The in-order bytes.
    pub fn slices<'a>(&'a self, out: &mut [&'a [u8]]) -> usize {
        self.chain.slices(0, self.ready, out)
    }
    /// The program read `n` bytes.
    pub fn consume(&mut self, pool: &mut Pool, n: usize) {
        let n = n.min(self.ready);
        self.ready -= n;
        self.base += n as u64;
        self.chain.consume(pool, n);
    }
    /// Forgets everything.
    pub fn clear(&mut self, pool: &mut Pool) {
        self.chain.clear(pool);
        self.ready = 0;
        self.ahead = Ranges::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn drain(b: &mut RecvBuffer, p: &mut Pool) -> Vec<u8> {
        let mut s: [&[u8]; 16] = [&[]; 16];
        let n = b.slices(&mut s);
        let v = s[..n].concat();
        b.consume(p, v.len());
        v
    }

    #[test]
    fn insert_filling_the_hole_releases_what_lay_ahead() {
        let (mut p, mut b) = (Pool::default(), RecvBuffer::default());
        assert_eq!(b.insert(&mut p, 3, &[b"def"]), 0);
        assert_eq!(b.insert(&mut p, 9, &[b"j"]), 0);
        assert_eq!(b.island(9), Some((9, 10)));
        assert_eq!(b.island(4), Some((3, 6)));
        assert_eq!(b.island(6), None);
        assert_eq!(b.insert(&mut p, 0, &[b"ab", b"c"]), 6);
        assert_eq!(drain(&mut b, &mut p), b"abcdef");
        assert_eq!(b.insert(&mut p, 0, &[b"ghi"]), 4);
        assert_eq!(drain(&mut b, &mut p), b"ghij");
        assert!(!b.has_holes() && b.charged() == 0);
    }

    #[test]
    fn insert_overlapping_segments_counts_bytes_once() {
        let (mut p, mut b) = (Pool::default(), RecvBuffer::default());
        b.insert(&mut p, 5, &[b"fgh"]);
        b.insert(&mut p, 4, &[b"efghi"]);
        assert_eq!(b.ahead_bytes(), 5);
        assert_eq!(b.insert(&mut p, 0, &[b"abcdefg"]), 9);
        assert_eq!(drain(&mut b, &mut p), b"abcdefghi");
    }
}
