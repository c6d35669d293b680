//! TCP_MD5SIG: segments signed by a shared secret (RFC 2385; docs/linux/md5.md). Keys by peer, and the digest.

use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;
use md5::{Digest, Md5};

/// Linux's TCP_MD5SIG_MAXKEYLEN.
pub const MAX_KEY_LEN: usize = 80;

/// What one key takes of `net.core.optmem_max` (measured, 6.18 on x86-64).
const KEY_COST: u64 = 136;

/// A secret of at most [`MAX_KEY_LEN`] bytes. It does not show itself in debug output.
#[derive(Clone, Copy)]
pub struct Key {
    secret: [u8; MAX_KEY_LEN],
    len: u8,
}

impl Key {
    /// A key, or `None` if it is longer than [`MAX_KEY_LEN`].
    #[must_use]
    pub fn new(secret: &[u8]) -> Option<Self> {
        let mut key = Self {
            secret: [0; MAX_KEY_LEN],
            len: secret.len() as u8,
        };
        key.secret.get_mut(..secret.len())?.copy_from_slice(secret);
        Some(key)
    }

    fn secret(&self) -> &[u8] {
        &self.secret[..usize::from(self.len)]
    }

    /// The signature of a segment between two addresses of one family as they stand on the wire (RFC 2385 2.0): over the
    /// pseudo-header, the TCP header `tcp` without options and with a checksum of zero, the payload, and the key.
    #[must_use]
    pub fn sign(&self, src: &[u8], dst: &[u8], tcp: &[u8], payload: &[&[u8]]) -> [u8; 16] {
        const CHECKSUM: usize = hearken_wire::tcp::CHECKSUM_OFFSET;
        const PROTOCOL: u8 = 6;
        let len = tcp.len() + payload.iter().map(|p| p.len()).sum::<usize>();
        let mut hash = Md5::new();
        hash.update(src);
        hash.update(dst);
        if src.len() == 4 {
            let [high, low] = (len as u16).to_be_bytes();
            hash.update([0, PROTOCOL, high, low]);
        } else {
            // RFC 8200 8.1.
            hash.update((len as u32).to_be_bytes());
            hash.update([0, 0, 0, PROTOCOL]);
        }
        let mut header = [0; 20];
        if let Some(fixed) = tcp.get(..20) {
            header.copy_from_slice(fixed);
        }
        header[CHECKSUM..CHECKSUM + 2].fill(0);
        hash.update(header);
        payload.iter().for_each(|p| hash.update(p));
        hash.update(self.secret());
        hash.finalize().into()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({} bytes)", self.len)
    }
}

/// Whether two digests are the same; the time that it takes does not tell where they differ.
#[must_use]
pub fn same(a: &[u8; 16], b: &[u8; 16]) -> bool {
    a.iter().zip(b).fold(0, |d, (a, b)| d | (a ^ b)) == 0
}

/// Whose segments a key is for. Two that differ in anything are two keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peers {
    addr: IpAddr,
    prefix: u8,
    /// TCP_MD5SIG_FLAG_IFINDEX was given: it tells keys apart, and nothing else where there is no VRF.
    scoped: bool,
}

impl Peers {
    /// Those whose address begins like `addr` (a v4-mapped one counts as IPv4), in `prefix` bits, `None` for all bits.
    /// No answer if an address has less.
    #[must_use]
    pub fn new(addr: IpAddr, prefix: Option<u8>, scoped: bool) -> Option<Self> {
        let addr = addr.to_canonical();
        let bits = if addr.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(bits);
        (prefix <= bits).then_some(Self {
            addr,
            prefix,
            scoped,
        })
    }

    fn has(&self, peer: IpAddr) -> bool {
        let differ = match (self.addr, peer) {
            (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
            (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
            _ => return false,
        };
        differ >= u32::from(self.prefix)
    }
}

/// The keys of a socket.
#[derive(Clone, Debug, Default)]
pub struct Keys(Vec<(Peers, Key)>);

impl Keys {
    /// The one key that a child has, for its peer alone.
    #[must_use]
    pub fn of_child(peer: IpAddr, key: Key) -> Self {
        Self(
            Peers::new(peer, None, false)
                .map(|p| (p, key))
                .into_iter()
                .collect(),
        )
    }

    /// Adds a key, or replaces the one for the same peers. False: one more does not fit into `optmem_max` bytes.
    #[must_use]
    pub fn set(&mut self, peers: Peers, key: Key, optmem_max: u64) -> bool {
        if let Some((_, old)) = self.0.iter_mut().find(|(p, _)| *p == peers) {
            *old = key;
            return true;
        }
        let fits = (self.0.len() as u64 + 1) * KEY_COST < optmem_max;
        if fits {
            self.0.push((peers, key));
        }
        fits
    }

    /// Removes the key for these peers; false if there is none.
    pub fn remove(&mut self, peers: Peers) -> bool {
        let at = self.0.iter().position(|(p, _)| *p == peers);
        at.map(|at| self.0.remove(at)).is_some()
    }

    /// The key for a peer: of those that match the one of the longest prefix, and among equals the youngest.
    #[must_use]
    pub fn find(&self, peer: IpAddr) -> Option<&Key> {
        let fit = self.0.iter().filter(|(p, _)| p.has(peer));
        fit.max_by_key(|(p, _)| p.prefix).map(|(_, k)| k)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(s: &str) -> Key {
        Key::new(s.as_bytes()).unwrap()
    }
    fn peers(a: &str, prefix: u8) -> Peers {
        Peers::new(a.parse().unwrap(), Some(prefix), false).unwrap()
    }
    fn found(keys: &Keys, a: &str) -> Option<Vec<u8>> {
        keys.find(a.parse().unwrap()).map(|k| k.secret().to_vec())
    }

    #[test]
    fn key_is_at_most_eighty_bytes_and_hides_itself() {
        assert!(Key::new(&[7; 80]).is_some());
        assert!(Key::new(&[7; 81]).is_none());
        assert_eq!(alloc::format!("{:?}", key("secret")), "Key(6 bytes)");
    }

    #[test]
    fn find_takes_the_longest_prefix_and_of_equals_the_youngest() {
        let mut k = Keys::default();
        for (a, prefix, s) in [
            ("192.0.2.0", 24, "wide"),
            ("192.0.2.2", 32, "exact"),
            ("0.0.0.0", 0, "all"),
            // The same network, written with another host.
            ("192.0.2.77", 24, "young"),
            ("2001:db8::", 32, "six"),
        ] {
            assert!(k.set(peers(a, prefix), key(s), u64::MAX));
        }
        for (a, want) in [
            ("192.0.2.2", Some("exact")),
            ("192.0.2.3", Some("young")),
            ("10.1.1.1", Some("all")),
            ("2001:db8::5", Some("six")),
            ("2001:db9::5", None),
        ] {
            assert_eq!(found(&k, a).as_deref(), want.map(str::as_bytes), "{a}");
        }
        assert!(!k.remove(peers("192.0.2.3", 24)), "no such key");
        assert!(k.remove(peers("192.0.2.77", 24)));
        assert_eq!(found(&k, "192.0.2.3").as_deref(), Some(&b"wide"[..]));
    }

    #[test]
    fn set_replaces_in_place_and_keeps_to_its_room() {
        let mut k = Keys::default();
        let (a, b) = (peers("10.0.0.1", 32), peers("10.0.0.2", 32));
        assert!(!k.set(a, key("x"), 136));
        assert!(k.set(a, key("x"), 137));
        assert!(!k.set(b, key("x"), 272));
        assert!(k.set(a, key("y"), 0), "it has its room already");
        assert_eq!(found(&k, "10.0.0.1").as_deref(), Some(&b"y"[..]));
    }

    #[test]
    fn peers_are_bounded_by_the_bits_of_their_family() {
        let of = |a: &str, n| Peers::new(a.parse().unwrap(), Some(n), false).is_some();
        assert!(of("1.2.3.4", 32) && !of("1.2.3.4", 33));
        assert!(of("::ffff:1.2.3.4", 32) && !of("::ffff:1.2.3.4", 96));
        assert!(of("::1", 128) && !of("::1", 129));
    }
}
