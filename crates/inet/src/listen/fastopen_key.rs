//! The keys of Fast Open cookies, their text, and the cookie itself (docs/linux 95, 96, 100).

use alloc::format;
use alloc::string::String;
use siphasher::sip::SipHasher24;

use crate::shared::Shared;

/// The sysctl that shows and sets the namespace's keys.
pub(crate) const SYSCTL: &str = "net.ipv4.tcp_fastopen_key";

/// One key, or two: cookies of the backup are still taken, but only the primary's are given out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Keys {
    /// The key of the cookies that are given out.
    pub primary: [u8; 16],
    /// The key that was the primary one before.
    pub backup: Option<[u8; 16]>,
}

impl Keys {
    /// Keys as TCP_FASTOPEN_KEY takes them: 16 or 32 bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (primary, backup) = bytes.split_first_chunk::<16>()?;
        let backup = match backup {
            [] => None,
            b => Some(b.try_into().ok()?),
        };
        Some(Self {
            primary: *primary,
            backup,
        })
    }

    /// Four words of hexadecimal joined by `-`, for two keys twice and joined by `,`. As with sscanf, blanks and 0x may
    /// stand before a word, a word too long loses its upper bits, and nobody looks at what follows (measured, 6.18).
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (first, second) = match text.split_once(',') {
            Some((a, b)) => (a, Some(b)),
            None => (text, None),
        };
        let backup = match second {
            Some(text) => Some(words(text)?),
            None => None,
        };
        Some(Self {
            primary: words(first)?,
            backup,
        })
    }
}

fn words(text: &str) -> Option<[u8; 16]> {
    let mut key = [0; 16];
    let mut rest = text.as_bytes();
    for (i, bytes) in key.chunks_exact_mut(4).enumerate() {
        if i > 0 {
            rest = rest.strip_prefix(b"-")?;
        }
        rest = rest.trim_ascii_start();
        if let [b'0', b'x' | b'X', digit, ..] = rest
            && digit.is_ascii_hexdigit()
        {
            rest = &rest[2..];
        }
        let digits = rest.iter().take_while(|b| b.is_ascii_hexdigit()).count();
        if digits == 0 {
            return None;
        }
        let (word, after) = rest.split_at(digits);
        let value = word.iter().fold(0u32, |v, b| {
            v << 4 | char::from(*b).to_digit(16).unwrap_or(0)
        });
        // The words are the key's bytes as a little-endian machine reads them.
        bytes.copy_from_slice(&value.to_le_bytes());
        rest = after;
    }
    Some(key)
}

/// The keys as the sysctl prints them; all zero before there is one.
pub(super) fn text(keys: Option<Keys>) -> String {
    let one = |key: [u8; 16]| {
        let (words, _) = key.as_chunks::<4>();
        let word = |i: usize| words.get(i).map_or(0, |w| u32::from_le_bytes(*w));
        format!(
            "{:08x}-{:08x}-{:08x}-{:08x}",
            word(0),
            word(1),
            word(2),
            word(3)
        )
    };
    let Some(keys) = keys else {
        return one([0; 16]);
    };
    match keys.backup {
        None => one(keys.primary),
        Some(b) => format!("{},{}", one(keys.primary), one(b)),
    }
}

/// The first use of the server side draws the namespace's key (docs/linux 95; Linux `tcp_fastopen_init_key_once`).
pub(crate) fn init_once(sh: &mut Shared) {
    if sh.fastopen_keys.is_none() {
        let mut primary = [0; 16];
        let (a, b) = primary.split_at_mut(8);
        a.copy_from_slice(&sh.secrets.draw().to_le_bytes());
        b.copy_from_slice(&sh.secrets.draw().to_le_bytes());
        sh.fastopen_keys = Some(Keys {
            primary,
            backup: None,
        });
    }
}

/// The cookie that a client at `saddr` has for `daddr`: SipHash-2-4 of both addresses, on the wire in little-endian order.
pub(super) fn cookie(key: &[u8; 16], saddr: &[u8], daddr: &[u8]) -> u64 {
    let mut bytes = [0u8; 32];
    let (n, m) = (saddr.len(), saddr.len() + daddr.len());
    bytes[..n].copy_from_slice(saddr);
    bytes[n..m].copy_from_slice(daddr);
    SipHasher24::new_with_key(key).hash(&bytes[..m])
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::IpAddr;

    fn octets(ip: &str) -> alloc::vec::Vec<u8> {
        match ip.parse().unwrap() {
            IpAddr::V4(a) => a.octets().to_vec(),
            IpAddr::V6(a) => a.octets().to_vec(),
        }
    }

    /// Seen on the wire of Linux 6.18, but for the last, which is a published constant.
    #[test]
    fn cookie_of_each_vector_is_linux_s() {
        for (key, src, dst, expected) in [
            (
                "00010203-04050607-08090a0b-0c0d0e0f",
                "192.0.2.2",
                "192.0.2.1",
                "74f6923c93b9c6a1",
            ),
            (
                "a0b1c2d3-00000000-11111111-22222222",
                "2001:db8::2",
                "2001:db8::1",
                "a9b20ba961df18df",
            ),
            (
                "00010203-04050607-08090a0b-0c0d0e0f",
                "2001:db8::2",
                "2001:db8::1",
                "e48f681976688985",
            ),
            (
                "00010203-04050607-08090a0b-0c0d0e0f",
                "192.0.2.3",
                "192.0.2.1",
                "d2bd04c0a89e708b",
            ),
            (
                "a0b1c2d3-00000000-11111111-22222222",
                "192.0.2.2",
                "192.0.2.1",
                "025b7ce167696e62",
            ),
            (
                "a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4",
                "192.0.2.1",
                "192.168.0.1",
                "3021b9d889017eeb",
            ),
        ] {
            let keys = Keys::parse(key).unwrap();
            let c = cookie(&keys.primary, &octets(src), &octets(dst)).to_le_bytes();
            let hex: String = c.iter().map(|b| format!("{b:02x}")).collect();
            assert_eq!(hex, expected, "{key} {src} {dst}");
        }
    }

    #[test]
    fn key_text_is_read_as_sscanf_reads_it() {
        let zero = "0000000e-0000000e-0000000e-0000000e";
        for (text_in, expected) in [
            ("e-e-e-e", Some(zero)),
            ("xyz", None),
            ("1-2-3", None),
            ("-1-2-3-4", None),
            ("1-2--3-4", None),
            ("e-e-e-e-5", Some(zero)),
            (" e-e-e-0xeg", Some(zero)),
            ("e-e-e-e,", None),
            (",e-e-e-e", None),
            ("e-e-e-e,xyz", None),
            (
                "123456789-1-1-000000045",
                Some("23456789-00000001-00000001-00000045"),
            ),
            (
                "1-2-3-4, 5-6-7-8,9",
                Some("00000001-00000002-00000003-00000004,00000005-00000006-00000007-00000008"),
            ),
        ] {
            let got = Keys::parse(text_in).map(|k| text(Some(k)));
            assert_eq!(got.as_deref(), expected, "{text_in:?}");
        }
        assert_eq!(text(None), "00000000-00000000-00000000-00000000");
    }
}
