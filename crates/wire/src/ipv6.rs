//! The IPv6 header and its extension headers (RFC 8200).

use crate::bytes::{Cursor, array, u8_at, u16_at, u32_at};
use core::fmt;

/// Length of the fixed header.
pub const LEN: usize = 40;

/// Why bytes are no IPv6 packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Fewer than 40 bytes.
    TooShort,
    /// Not version 6.
    BadVersion,
    /// A payload length past the end of the bytes.
    BadPayloadLen,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::TooShort => "IPv6 packet shorter than its header",
            Error::BadVersion => "not IPv6",
            Error::BadPayloadLen => "IPv6 payload length out of bounds",
        })
    }
}

impl core::error::Error for Error {}

/// An IPv6 header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Source address.
    pub src: [u8; 16],
    /// Destination address.
    pub dst: [u8; 16],
    /// Protocol of what follows, which may be an extension header.
    pub next_header: u8,
    /// Hop limit.
    pub hop_limit: u8,
    /// Traffic class with the ECN bits.
    pub traffic_class: u8,
    /// Flow label, 20 bits.
    pub flow_label: u32,
    /// Bytes after the fixed header.
    pub payload_len: u16,
}

/// Reads the fixed header; the number is always 40. Bytes after `40 + payload_len` are not the packet's.
///
/// # Errors
/// [`Error`] if it is no IPv6 header, or the payload is longer than the bytes.
pub fn parse(b: &[u8]) -> Result<(Header, usize), Error> {
    parse_split(b, b.len())
}

/// Like [`parse`] for a packet of `packet_len` bytes of which `head` is the beginning.
///
/// # Errors
/// As [`parse`].
pub fn parse_split(head: &[u8], packet_len: usize) -> Result<(Header, usize), Error> {
    let (h, len) = parse_quoted(head)?;
    if len + usize::from(h.payload_len) > packet_len {
        return Err(Error::BadPayloadLen);
    }
    Ok((h, len))
}

/// Reads a header that an ICMPv6 error quotes, whose payload is cut.
///
/// # Errors
/// [`Error`] if the bytes hold no whole header.
pub fn parse_quoted(b: &[u8]) -> Result<(Header, usize), Error> {
    let fixed = || {
        let word = u32_at(b, 0)?;
        Some((
            word >> 28,
            Header {
                src: array(b, 8)?,
                dst: array(b, 24)?,
                next_header: u8_at(b, 6)?,
                hop_limit: u8_at(b, 7)?,
                traffic_class: (word >> 20) as u8,
                flow_label: word & 0xf_ffff,
                payload_len: u16_at(b, 4)?,
            },
        ))
    };
    match fixed() {
        None => Err(Error::TooShort),
        Some((6, h)) => Ok((h, LEN)),
        Some(_) => Err(Error::BadVersion),
    }
}

impl Header {
    /// Writes 40 bytes and returns 40; 0 if the buffer is too small.
    pub fn emit(&self, buf: &mut [u8]) -> usize {
        let Some(out) = buf.first_chunk_mut::<LEN>() else {
            return 0;
        };
        let mut c = Cursor::new(out);
        c.u32(6 << 28 | u32::from(self.traffic_class) << 20 | (self.flow_label & 0xf_ffff));
        c.u16(self.payload_len);
        c.put(&[self.next_header, self.hop_limit]);
        c.put(&self.src);
        c.put(&self.dst);
        c.finish()
    }
}

/// Hop-by-hop options.
pub const HOP_BY_HOP: u8 = 0;
/// Routing header.
pub const ROUTING: u8 = 43;
/// Fragment header.
pub const FRAGMENT: u8 = 44;
/// Authentication header.
pub const AUTH: u8 = 51;
/// No next header.
pub const NO_NEXT: u8 = 59;
/// Destination options.
pub const DEST_OPTIONS: u8 = 60;

/// Walks the extension headers of a packet: the protocol above them, where in the packet it begins, and whether a fragment
/// header stood before it. `None` if a header is cut off, or a later fragment hides what is above.
#[must_use]
pub fn upper(packet: &[u8]) -> Option<(u8, usize, bool)> {
    let mut next = u8_at(packet, 6)?;
    let mut at = LEN;
    let mut fragmented = false;
    if packet.len() < LEN {
        return None;
    }
    loop {
        let len = match next {
            HOP_BY_HOP | ROUTING | DEST_OPTIONS => (usize::from(u8_at(packet, at + 1)?) + 1) * 8,
            AUTH => (usize::from(u8_at(packet, at + 1)?) + 2) * 4,
            FRAGMENT => {
                let offset = u16_at(packet, at + 2)?;
                fragmented = true;
                if offset & 0xfff8 != 0 {
                    return None;
                }
                8
            }
            _ => return Some((next, at, fragmented)),
        };
        next = u8_at(packet, at)?;
        at += len;
        if at > packet.len() {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec;
    use std::vec::Vec;

    fn header() -> Header {
        Header {
            src: [1; 16],
            dst: [2; 16],
            next_header: 6,
            hop_limit: 64,
            traffic_class: 0xb9,
            flow_label: 0xabcde,
            payload_len: 4,
        }
    }

    fn packet(first: u8, rest: &[u8]) -> Vec<u8> {
        let mut b = vec![0; 40];
        Header {
            next_header: first,
            payload_len: rest.len() as u16,
            ..header()
        }
        .emit(&mut b);
        b.extend_from_slice(rest);
        b
    }

    #[test]
    fn ipv6_header_round_trips() {
        let mut b = [0u8; 44];
        assert_eq!(header().emit(&mut b), 40);
        assert_eq!(parse(&b), Ok((header(), 40)));
        assert_eq!(parse(&b[..43]), Err(Error::BadPayloadLen));
        assert_eq!(parse(&b[..39]), Err(Error::TooShort));
        assert_eq!(parse_quoted(&b[..40]), Ok((header(), 40)));
        b[0] = 0x40;
        assert_eq!(parse(&b), Err(Error::BadVersion));
        assert_eq!(header().emit(&mut [0; 39]), 0);
    }

    #[test]
    fn ipv6_upper_walks_extension_headers() {
        assert_eq!(upper(&packet(6, &[0; 20])), Some((6, 40, false)));
        let mut ext = vec![60, 0, 1, 4, 0, 0, 0, 0]; // hop-by-hop
        ext.extend([44, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]); // destination options, 16 bytes
        ext.extend([43, 0, 0, 1, 0, 0, 0, 7]); // first fragment
        ext.extend([51, 0, 0, 0, 0, 0, 0, 0]); // routing
        ext.extend([6, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]); // authentication
        ext.extend([0; 20]);
        let p = packet(0, &ext);
        assert_eq!(upper(&p), Some((6, 40 + 8 + 16 + 8 + 8 + 12, true)));
        for cut in 40..40 + 8 + 16 + 8 + 8 + 12 {
            assert_eq!(upper(&p[..cut]), None, "cut {cut}");
        }
    }

    #[test]
    fn ipv6_upper_of_a_later_fragment_is_none() {
        let p = packet(44, &[6, 0, 0, 8, 0, 0, 0, 7, 1, 2, 3, 4]);
        assert_eq!(upper(&p), None);
        assert_eq!(upper(&packet(59, &[])), Some((59, 40, false)));
        assert_eq!(upper(&[0; 7]), None);
    }
}
