//! A FIFO of bytes over fixed chunks that come from, and return to, a pool.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;

/// Bytes in a chunk.
pub const CHUNK: usize = 8192;
/// Spare chunks that the pool keeps: 32 MiB at the most.
const SPARE: usize = 4096;

type Chunk = Box<[u8]>;

/// Spare chunks of one namespace, so that steady traffic neither allocates nor touches a page for the first time.
#[derive(Debug, Default)]
pub struct Pool(Vec<Chunk>);

impl Pool {
    fn take(&mut self) -> Chunk {
        self.0
            .pop()
            .unwrap_or_else(|| vec![0; CHUNK].into_boxed_slice())
    }
    fn give(&mut self, c: Chunk) {
        if self.0.len() < SPARE {
            self.0.push(c);
        }
    }
}

/// Bytes `0..len`, of which the first lies at `head` in the first chunk.
#[derive(Debug, Default)]
pub struct Chain {
    chunks: VecDeque<Chunk>,
    head: usize,
    len: usize,
}

impl Chain {
    /// Bytes held.
    pub fn len(&self) -> usize {
        self.len
    }
    /// Whether no byte is held.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Writes `data` at `offset` from the front; the chain grows to cover it, with garbage in any hole.
    pub fn write_at(&mut self, pool: &mut Pool, offset: usize, mut data: &[u8]) {
        let end = offset + data.len();
        while self.chunks.len() * CHUNK < self.head + end {
            self.chunks.push_back(pool.take());
        }
        let mut at = self.head + offset;
        while !data.is_empty() {
            let Some(chunk) = self.chunks.get_mut(at / CHUNK) else {
                return;
            };
            let Some(room) = chunk.get_mut(at % CHUNK..) else {
                return;
            };
            let n = room.len().min(data.len());
            let (now, rest) = data.split_at(n);
            room[..n].copy_from_slice(now);
            data = rest;
            at += n;
        }
        self.len = self.len.max(end);
    }

    /// Drops `n` bytes from the front; emptied chunks return to the pool.
    pub fn consume(&mut self, pool: &mut Pool, n: usize) {
        let n = n.min(self.len);
        self.len -= n;
        self.head += n;
        while self.head >= CHUNK {
            self.head -= CHUNK;
            if let Some(c) = self.chunks.pop_front() {
                pool.give(c);
            }
        }
        if self.len == 0 {
            self.clear(pool);
        }
    }

    /// Drops everything, reserved chunks too.
    pub fn clear(&mut self, pool: &mut Pool) {
        while let Some(c) = self.chunks.pop_front() {
            pool.give(c);
        }
        (self.head, self.len) = (0, 0);
    }

    /// The bytes `from..from + len` as slices; returns how many of `out` were filled.
    pub fn slices<'a>(&'a self, from: usize, len: usize, out: &mut [&'a [u8]]) -> usize {
        let end = self.head + (from + len).min(self.len);
        let mut at = self.head + from;
        let mut n = 0;
        while at < end && n < out.len() {
            let stop = end.min((at / CHUNK + 1) * CHUNK);
            let base = at - at % CHUNK;
            let Some(s) = self
                .chunks
                .get(at / CHUNK)
                .and_then(|c| c.get(at - base..stop - base))
            else {
                break;
            };
            out[n] = s;
            n += 1;
            at = stop;
        }
        n
    }

    /// Room for `want` bytes at the end, as writable slices, given to `f`, which says how many it filled.
    pub fn append_with<R>(
        &mut self,
        pool: &mut Pool,
        want: usize,
        f: impl FnOnce(&mut [&mut [u8]]) -> (usize, R),
    ) -> (usize, R) {
        let tail = self.head + self.len;
        while self.chunks.len() * CHUNK < tail + want {
            self.chunks.push_back(pool.take());
        }
        let mut room: Vec<&mut [u8]> = Vec::new();
        let mut left = want;
        for (i, c) in self.chunks.iter_mut().enumerate().skip(tail / CHUNK) {
            let from = tail.saturating_sub(i * CHUNK);
            let n = (CHUNK - from).min(left);
            if n > 0 {
                room.push(&mut c[from..from + n]);
            }
            left -= n;
        }
        let (n, r) = f(&mut room);
        let n = n.min(want);
        self.len += n;
        self.trim(pool);
        (n, r)
    }

    /// Returns reserved chunks behind the last byte.
    fn trim(&mut self, pool: &mut Pool) {
        let need = if self.len == 0 {
            0
        } else {
            (self.head + self.len).div_ceil(CHUNK)
        };
        while self.chunks.len() > need {
            if let Some(c) = self.chunks.pop_back() {
                pool.give(c);
            }
        }
        if self.len == 0 {
            self.head = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(c: &Chain, from: usize, len: usize) -> Vec<u8> {
        let mut s: [&[u8]; 64] = [&[]; 64];
        let n = c.slices(from, len, &mut s);
        s[..n].concat()
    }

    #[test]
    fn chain_out_of_order_writes_read_back_in_order() {
        let (mut p, mut c) = (Pool::default(), Chain::default());
        let want: Vec<u8> = (0..3 * CHUNK).map(|i| (i * 7 % 251) as u8).collect();
        c.write_at(&mut p, 2 * CHUNK, &want[2 * CHUNK..]);
        c.write_at(&mut p, 0, &want[..2 * CHUNK]);
        assert_eq!(read(&c, 0, c.len()), want);
        c.consume(&mut p, CHUNK + 5);
        assert_eq!(read(&c, 0, c.len()), &want[CHUNK + 5..]);
        assert_eq!(read(&c, 10, 20), &want[CHUNK + 15..CHUNK + 35]);
    }

    #[test]
    fn chain_emptied_holds_no_memory() {
        let (mut p, mut c) = (Pool::default(), Chain::default());
        c.write_at(&mut p, 0, &[1; 100_000]);
        c.consume(&mut p, 100_000);
        assert!(c.chunks.is_empty());
        assert_eq!(p.0.len(), 100_000usize.div_ceil(CHUNK));
    }

    #[test]
    fn append_with_partial_fill_keeps_only_what_was_filled() {
        let (mut p, mut c) = (Pool::default(), Chain::default());
        for round in 0..5u8 {
            let (n, ()) = c.append_with(&mut p, 3 * CHUNK, |room| {
                assert_eq!(room.iter().map(|r| r.len()).sum::<usize>(), 3 * CHUNK);
                room[0].fill(round);
                (room[0].len().min(1000), ())
            });
            c.consume(&mut p, n / 2);
        }
        assert!(c.chunks.len() <= 2);
    }
}
