//! Decisions taken from the fuzzer's bytes. Past the end every answer is zero, so a shorter input is a shorter story.

/// The bytes, from the front.
#[derive(Debug)]
pub(crate) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    pub(crate) fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((&b, rest)) => {
                self.0 = rest;
                b
            }
            None => 0,
        }
    }
    pub(crate) fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }
    /// One of `n`.
    pub(crate) fn below(&mut self, n: u8) -> u8 {
        self.byte() % n
    }
    pub(crate) fn flag(&mut self) -> bool {
        self.byte() & 1 != 0
    }
    /// At most `n` bytes.
    pub(crate) fn bytes(&mut self, n: usize) -> &'a [u8] {
        let (a, b) = self.0.split_at(n.min(self.0.len()));
        self.0 = b;
        a
    }
    /// Zero mostly, else a little beside it, else far from it.
    pub(crate) fn offset(&mut self) -> u32 {
        match self.byte() {
            0..=127 => 0,
            b @ 128..=199 => u32::from(b).wrapping_sub(164),
            b @ 200..=227 => (i32::from(self.word() as i16) << (b & 3)) as u32,
            _ => u32::from(self.word()) << 16 | u32::from(self.word()),
        }
    }
}
