//! Bytes that tell their own place: every eight are a word of their offset and a seed.

use hearken_device::rng::SplitMix64;

fn word(seed: u64, n: u64) -> [u8; 8] {
    SplitMix64::new(seed.wrapping_add(n.wrapping_mul(0x2545_f491_4f6c_dd1d)))
        .next_u64()
        .to_le_bytes()
}

/// The runs of `out` that lie within one word: where, and the word's bytes.
fn each(seed: u64, at: u64, len: usize, f: &mut dyn FnMut(usize, &[u8]) -> bool) -> bool {
    let mut done = 0;
    while done < len {
        let here = at + done as u64;
        let w = word(seed, here / 8);
        let from = (here % 8) as usize;
        let n = (8 - from).min(len - done);
        if !f(done, &w[from..from + n]) {
            return false;
        }
        done += n;
    }
    true
}

/// Writes the bytes of stream `seed` from offset `at` on.
pub(crate) fn fill(seed: u64, at: u64, out: &mut [u8]) {
    each(seed, at, out.len(), &mut |i, w| {
        out[i..i + w.len()].copy_from_slice(w);
        true
    });
}

/// Whether `data` are the bytes of stream `seed` from offset `at` on.
pub(crate) fn check(seed: u64, at: u64, data: &[u8]) -> bool {
    each(seed, at, data.len(), &mut |i, w| data[i..i + w.len()] == *w)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pattern_in_pieces_is_the_pattern_and_a_wrong_byte_is_seen() {
        let mut whole = vec![0; 1000];
        fill(9, 0, &mut whole);
        let mut pieces = vec![0; 1000];
        for (i, p) in pieces.chunks_mut(13).enumerate() {
            fill(9, i as u64 * 13, p);
        }
        assert_eq!(whole, pieces);
        assert!(check(9, 3, &whole[3..]));
        for i in 0..1000 {
            whole[i] ^= 1;
            assert!(!check(9, 0, &whole), "{i}");
            whole[i] ^= 1;
        }
        assert!(!check(9, 1, &whole) && !check(8, 0, &whole));
    }
}
