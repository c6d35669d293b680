//! Everything secret or random, drawn from the seed: initial sequence numbers, timestamp offsets, hash keys, ports.

use crate::addr::{Family, Tuple};
use crate::seq::Seq;
use crate::time::Instant;
use core::hash::Hasher;
use siphasher::sip::{SipHasher13, SipHasher24};

/// Keys derived from one 32-byte seed. The same seed gives the same values for ever.
#[derive(Clone, Debug)]
pub struct Secrets {
    isn: (u64, u64),
    offset: (u64, u64),
    hash: (u64, u64),
    stream: (u64, u64),
    cookie: (u64, u64),
    drawn: u64,
}

impl Secrets {
    /// Derives the keys.
    pub fn new(seed: &[u8; 32]) -> Self {
        let word = |label: u64| {
            let mut k = [0u64; 2];
            for (i, half) in seed.chunks_exact(16).enumerate() {
                let (a, b) = half.split_at(8);
                let le = |s: &[u8]| s.iter().rev().fold(0u64, |v, &x| v << 8 | u64::from(x));
                let mut h = SipHasher24::new_with_keys(le(a), le(b));
                h.write_u64(label);
                h.write_u64(i as u64);
                if let Some(slot) = k.get_mut(i) {
                    *slot = h.finish();
                }
            }
            k[0] ^ k[1].rotate_left(32)
        };
        let pair = |label: u64| (word(label * 2), word(label * 2 + 1));
        Self {
            isn: pair(1),
            offset: pair(2),
            hash: pair(3),
            stream: pair(4),
            cookie: pair(5),
            drawn: 0,
        }
    }

    fn keyed<F: Family>(key: (u64, u64), t: &Tuple<F>) -> u64 {
        // In one piece: the streaming interface costs twice as many instructions.
        let mut b = [0u8; 36];
        let (l, r) = (t.laddr.as_ref(), t.raddr.as_ref());
        let ports = (u32::from(t.lport) << 16 | u32::from(t.rport)).to_ne_bytes();
        let (at, end) = (l.len() + r.len(), l.len() + r.len() + 4);
        b[..l.len()].copy_from_slice(l);
        b[l.len()..at].copy_from_slice(r);
        b[at..end].copy_from_slice(&ports);
        SipHasher13::new_with_keys(key.0, key.1).hash(&b[..end])
    }

    /// The initial sequence number (RFC 6528): a keyed hash of the four-tuple plus a clock of 64 ns per unit
    /// (Linux `secure_tcp_seq`; measured, docs/linux 75).
    pub fn isn<F: Family>(&self, t: &Tuple<F>, now: Instant) -> Seq {
        Seq((Self::keyed(self.isn, t) as u32).wrapping_add((now.0 >> 6) as u32))
    }

    /// The timestamp offset of a four-tuple (RFC 7323 5.4; Linux keys it by addresses and ports since 6.18.17).
    pub fn ts_offset<F: Family>(&self, t: &Tuple<F>) -> u32 {
        Self::keyed(self.offset, t) as u32
    }

    /// The hash of a four-tuple in the established table; no peer can choose collisions.
    pub fn tuple_hash<F: Family>(&self, t: &Tuple<F>) -> u64 {
        Self::keyed(self.hash, t)
    }

    /// The hash of a listening address and port. What is in that table our own programs chose: a peer only looks things
    /// up, three times a SYN, so a keyed multiplication does.
    pub fn listen_hash(&self, addr: &[u8; 16], port: u16) -> u64 {
        let v = u128::from_ne_bytes(*addr);
        let (a, b) = (v as u64 ^ self.hash.0, (v >> 64) as u64 ^ self.hash.1);
        let b = b.wrapping_add(u64::from(port).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        // A factor of zero would swallow the other.
        let m = u128::from(a.max(1)) * u128::from(b.max(1));
        (m as u64)
            .wrapping_add((m >> 64) as u64)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// The two hashes of a SYN cookie: over the four-tuple, and over the four-tuple and a minute.
    pub fn cookie<F: Family>(&self, t: &Tuple<F>, minute: Option<u32>) -> u32 {
        let (a, b) = self.cookie;
        let key = minute.map_or((a, b), |m| (b, a ^ u64::from(m)));
        Self::keyed(key, t) as u32
    }

    /// The next value of the seeded stream: port search starts, group choice.
    pub fn draw(&mut self) -> u64 {
        let mut h = SipHasher24::new_with_keys(self.stream.0, self.stream.1);
        h.write_u64(self.drawn);
        self.drawn += 1;
        h.finish()
    }
}

#[cfg(test)]
mod tests {
    extern crate alloc;
    use super::*;
    use crate::addr::V4;

    fn tuple(rport: u16) -> Tuple<V4> {
        Tuple {
            laddr: [10, 0, 0, 1],
            raddr: [10, 0, 0, 2],
            lport: 80,
            rport,
        }
    }

    #[test]
    fn isn_of_one_tuple_advances_one_per_64_ns() {
        let s = Secrets::new(&[7; 32]);
        let a = s.isn(&tuple(1), Instant(0));
        assert_eq!(s.isn(&tuple(1), Instant(6400)) - a, 100);
    }

    #[test]
    fn isn_depends_on_seed_and_tuple() {
        let (s, t) = (Secrets::new(&[7; 32]), Secrets::new(&[8; 32]));
        let at = Instant(0);
        assert_eq!(
            s.isn(&tuple(1), at),
            Secrets::new(&[7; 32]).isn(&tuple(1), at)
        );
        assert_ne!(s.isn(&tuple(1), at), t.isn(&tuple(1), at));
        assert_ne!(s.isn(&tuple(1), at), s.isn(&tuple(2), at));
        assert_ne!(s.ts_offset(&tuple(1)), s.ts_offset(&tuple(2)));
    }

    #[test]
    fn every_byte_of_the_seed_matters() {
        let base = Secrets::new(&[0; 32]).tuple_hash(&tuple(1));
        for i in 0..32 {
            let mut seed = [0u8; 32];
            seed[i] = 1;
            assert_ne!(Secrets::new(&seed).tuple_hash(&tuple(1)), base, "byte {i}");
        }
    }
    #[test]
    fn keyed_hashes_hang_on_both_ports() {
        let (s, t) = (Secrets::new(&[7; 32]), tuple(1));
        for other in [Tuple { lport: 81, ..t }, Tuple { rport: 2, ..t }] {
            assert_ne!(s.tuple_hash(&t), s.tuple_hash(&other));
        }
        // Not on their sum or any other mixture.
        let swapped = Tuple {
            lport: 1,
            rport: 80,
            ..t
        };
        assert_ne!(s.tuple_hash(&t), s.tuple_hash(&swapped));
    }

    #[test]
    fn cookie_of_each_tuple_and_minute_is_another() {
        let (s, other) = (Secrets::new(&[7; 32]), Secrets::new(&[8; 32]));
        let mut seen = alloc::collections::BTreeSet::new();
        for rport in 0..8 {
            assert!(seen.insert(s.cookie(&tuple(rport), None)));
            assert!(seen.insert(other.cookie(&tuple(rport), None)));
            for minute in 0..64 {
                assert!(
                    seen.insert(s.cookie(&tuple(rport), Some(minute))),
                    "{minute}"
                );
            }
        }
        let again = Secrets::new(&[7; 32]);
        assert_eq!(
            again.cookie(&tuple(1), Some(5)),
            s.cookie(&tuple(1), Some(5))
        );
    }

    #[test]
    fn draws_differ_and_repeat_with_the_seed() {
        let draw = |seed| {
            let mut s = Secrets::new(&[seed; 32]);
            [s.draw(), s.draw(), s.draw()]
        };
        let [a, b, c] = draw(7);
        assert!(a != b && b != c && a != c);
        assert_eq!(draw(7), [a, b, c]);
        assert_ne!(draw(8)[0], a);
    }

    /// The low half chooses the bucket: each bit of the address and of the port must reach it, under any seed.
    #[test]
    fn listen_hash_hangs_on_every_bit_of_address_and_port() {
        for seed in 1..20 {
            let s = Secrets::new(&[seed; 32]);
            let mut addr = [0u8; 16];
            for port in [0, 80] {
                let base = s.listen_hash(&addr, port) as u32;
                for bit in 0..128 {
                    addr[bit / 8] ^= 1 << (bit % 8);
                    assert_ne!(s.listen_hash(&addr, port) as u32, base, "bit {bit}");
                    addr[bit / 8] ^= 1 << (bit % 8);
                }
                for bit in 0..16 {
                    assert_ne!(s.listen_hash(&addr, port ^ (1 << bit)) as u32, base);
                }
                // The two halves of the address do not cancel out.
                for byte in 0..8 {
                    addr[byte] ^= 0x80;
                    addr[byte + 8] ^= 0x80;
                    assert_ne!(s.listen_hash(&addr, port) as u32, base, "byte {byte}");
                    addr[byte] ^= 0x80;
                    addr[byte + 8] ^= 0x80;
                }
            }
        }
    }
}
