//! The send queue: bytes from `snd.una` on, sent or not.

use super::chain::{Chain, Pool};

/// Bytes written by the program and not yet acknowledged. Offset 0 is `snd.una`.
#[derive(Debug, Default)]
pub struct SendBuffer {
    chain: Chain,
}

impl SendBuffer {
    /// Bytes held.
    pub fn len(&self) -> usize {
        self.chain.len()
    }
    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.chain.is_empty()
    }
    /// Appends at most `room` bytes, which `f` writes; `f` returns how many and a value.
    pub fn append_with<R>(
        &mut self,
        pool: &mut Pool,
        room: usize,
        f: impl FnOnce(&mut [&mut [u8]]) -> (usize, R),
    ) -> (usize, R) {
        self.chain.append_with(pool, room, f)
    }
    /// The bytes at `offset..offset + len`.
    pub fn slices<'a>(&'a self, offset: usize, len: usize, out: &mut [&'a [u8]]) -> usize {
        self.chain.slices(offset, len, out)
    }
    /// `n` bytes were acknowledged.
    pub fn acked(&mut self, pool: &mut Pool, n: usize) {
        self.chain.consume(pool, n);
    }
    /// Forgets everything.
    pub fn clear(&mut self, pool: &mut Pool) {
        self.chain.clear(pool);
    }
}
