//! The bytes that the demo moves: the same everywhere, without pattern a compressor or a repeated page would hide behind.

use sha2::{Digest, Sha256};

/// How many bytes are made at a time.
pub(crate) const BLOCK: usize = 1 << 16;

/// SplitMix64, eight bytes a step.
pub(crate) struct Bytes(u64);

impl Bytes {
    /// From the beginning.
    pub(crate) fn new() -> Self {
        Bytes(0)
    }

    /// Fills the block with the next bytes of the sequence.
    pub(crate) fn fill(&mut self, block: &mut [u8; BLOCK]) {
        for word in block.chunks_exact_mut(8) {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            word.copy_from_slice(&(z ^ (z >> 31)).to_le_bytes());
        }
    }
}

/// The first `length` bytes of the sequence, block by block.
pub(crate) fn blocks(
    length: u64,
    mut each: impl FnMut(&[u8]) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let mut source = Bytes::new();
    let mut block = [0; BLOCK];
    let mut left = length;
    while left > 0 {
        source.fill(&mut block);
        let now = usize::try_from(left).map_or(BLOCK, |l| l.min(BLOCK));
        each(&block[..now])?;
        left -= now as u64;
    }
    Ok(())
}

/// SHA-256 of the first `length` bytes, in hexadecimal.
pub(crate) fn sha256(length: u64) -> String {
    let mut hash = Sha256::new();
    // The closure cannot fail.
    let _ = blocks(length, |block| {
        hash.update(block);
        Ok(())
    });
    hex(&hash.finalize())
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_odd_length_ends_inside_a_block() {
        let mut seen = 0;
        blocks(BLOCK as u64 + 3, |b| {
            seen += b.len();
            Ok(())
        })
        .unwrap();
        assert_eq!(seen, BLOCK + 3);
    }

    #[test]
    fn sha256_of_nothing_is_the_standard_one() {
        assert!(sha256(0).starts_with("e3b0c44298fc1c14"));
        assert_ne!(sha256(8), sha256(16));
    }
}
