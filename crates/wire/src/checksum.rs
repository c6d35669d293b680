//! The Internet checksum (RFC 1071), incremental over pieces of any length.

/// A running one's complement sum.
///
/// Bytes are summed as little-endian words and the result is swapped at the end where the machine is little-endian
/// (RFC 1071 2(B): the sum does not depend on byte order), so that eight bytes go in at a time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum {
    acc: u64,
    /// An odd number of bytes went in so far: the next byte is the low half of a word.
    odd: bool,
}

const fn carry(acc: u64, v: u64) -> u64 {
    let (s, c) = acc.overflowing_add(v);
    s + c as u64
}

const fn fold(acc: u64) -> u16 {
    let acc = (acc >> 32) + (acc & 0xffff_ffff);
    let acc = (acc >> 16) + (acc & 0xffff);
    let acc = (acc >> 16) + (acc & 0xffff);
    let acc = (acc >> 16) + (acc & 0xffff);
    acc as u16
}

/// The sum of `b` in native words, not folded. Payload in words of 32 bits into eight accumulators of 64, which cannot
/// overflow below 2^32 words each and are what vector units add; headers and what is left in words of 64 bits.
fn sum_native(b: &[u8]) -> u64 {
    let (mut acc, mut rest) = (0u64, b);
    if b.len() >= 128 {
        let (blocks, left) = b.as_chunks::<32>();
        let mut sums = [0u64; 8];
        for block in blocks {
            let (words, _) = block.as_chunks::<4>();
            for (s, w) in sums.iter_mut().zip(words) {
                *s += u64::from(u32::from_ne_bytes(*w));
            }
        }
        (acc, rest) = (sums.iter().sum(), left);
    }
    while let Some((word, left)) = rest.split_first_chunk::<8>() {
        acc = carry(acc, u64::from_ne_bytes(*word));
        rest = left;
    }
    if let Some((word, left)) = rest.split_first_chunk::<4>() {
        acc = carry(acc, u64::from(u32::from_ne_bytes(*word)));
        rest = left;
    }
    let last = match *rest {
        [] => return acc,
        [a] => [a, 0, 0, 0],
        [a, b] => [a, b, 0, 0],
        [a, b, c, ..] => [a, b, c, 0],
    };
    carry(acc, u64::from(u32::from_ne_bytes(last)))
}

impl Sum {
    /// Nothing summed yet.
    #[must_use]
    pub const fn new() -> Sum {
        Sum { acc: 0, odd: false }
    }

    /// Adds the next bytes of the message. Pieces may end at odd offsets: what counts is their sequence.
    pub fn add(&mut self, bytes: &[u8]) {
        let s = sum_native(bytes);
        let s = if self.odd {
            u64::from(fold(s).swap_bytes())
        } else {
            s
        };
        self.acc = carry(self.acc, s);
        self.odd ^= bytes.len() % 2 == 1;
    }

    /// Adds one 16-bit number at an even offset.
    pub fn add_u16(&mut self, v: u16) {
        self.add(&v.to_be_bytes());
    }

    /// Starts a sum with IPv4's pseudo header (RFC 9293 3.1).
    #[must_use]
    pub fn pseudo_v4(src: [u8; 4], dst: [u8; 4], proto: u8, len: u32) -> Sum {
        let word = |b: [u8; 4]| u64::from(u32::from_ne_bytes(b));
        let rest = word([0, proto, 0, 0]) + word(len.to_be_bytes());
        Sum {
            acc: word(src) + word(dst) + rest,
            odd: false,
        }
    }

    /// Starts a sum with IPv6's pseudo header (RFC 8200 8.1).
    #[must_use]
    pub fn pseudo_v6(src: [u8; 16], dst: [u8; 16], proto: u8, len: u32) -> Sum {
        let mut s = Sum::new();
        s.add(&src);
        s.add(&dst);
        s.add(&len.to_be_bytes());
        s.add(&[0, 0, 0, proto]);
        s
    }

    /// The folded sum, not inverted: what a partial checksum holds before the payload is added.
    #[must_use]
    pub const fn folded(self) -> u16 {
        u16::from_be(fold(self.acc))
    }

    /// The value for the checksum field. Over a message that contains its right checksum it is 0.
    #[must_use]
    pub const fn finish(self) -> u16 {
        !self.folded()
    }
}

/// The checksum of one piece.
#[must_use]
pub fn of(bytes: &[u8]) -> u16 {
    let mut s = Sum::new();
    s.add(bytes);
    s.finish()
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    /// RFC 1071 4.1, word by word.
    fn slow(b: &[u8]) -> u16 {
        let mut acc = 0u32;
        for w in b.chunks(2) {
            acc += u32::from(w[0]) << 8 | u32::from(w.get(1).copied().unwrap_or(0));
            acc = (acc & 0xffff) + (acc >> 16);
        }
        !(acc as u16)
    }

    #[test]
    fn checksum_rfc_1071_example_matches() {
        let b = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(of(&b), !0xddf2);
    }

    #[test]
    fn checksum_every_length_and_split_agrees_with_the_slow_sum() {
        let b: Vec<u8> = (0..150u32).map(|i| (i * 37 + 200) as u8).collect();
        for len in 0..b.len() {
            let want = slow(&b[..len]);
            assert_eq!(of(&b[..len]), want, "len {len}");
            for cut in 0..=len {
                let mut s = Sum::new();
                s.add(&b[..cut]);
                s.add(&b[cut..len]);
                assert_eq!(s.finish(), want, "len {len} cut {cut}");
            }
        }
        for cut in 0..50 {
            let mut s = Sum::new();
            for piece in [
                &b[..cut],
                &[][..],
                &b[cut..cut + 1],
                &b[cut + 1..cut + 8],
                &b[cut + 8..],
            ] {
                s.add(piece);
            }
            assert_eq!(s.finish(), slow(&b));
        }
    }

    #[test]
    fn checksum_of_all_ones_carries_to_the_end() {
        let b = [0xffu8; 65535];
        assert_eq!(of(&b), slow(&b));
        assert_eq!(of(&b[..64]), 0);
    }

    #[test]
    fn checksum_pseudo_headers_match_their_bytes() {
        let p4 = [192, 0, 2, 1, 192, 0, 2, 2, 0, 6, 0, 20];
        assert_eq!(
            Sum::pseudo_v4([192, 0, 2, 1], [192, 0, 2, 2], 6, 20).finish(),
            slow(&p4)
        );
        let mut p6 = Vec::new();
        p6.extend([1u8; 16]);
        p6.extend([2u8; 16]);
        p6.extend([0, 1, 0, 20, 0, 0, 0, 6]);
        assert_eq!(
            Sum::pseudo_v6([1; 16], [2; 16], 6, 65556).finish(),
            slow(&p6)
        );
    }
}
