//! The TCP header (RFC 9293 3.1).

use crate::bytes::u32_at;
use crate::checksum::Sum;
use crate::flags::Flags;
use crate::options::Options;
use core::fmt;

/// Length of a header without options.
pub const MIN_LEN: usize = 20;
/// Length of the longest header.
pub const MAX_LEN: usize = 60;
/// Where the checksum stands.
pub const CHECKSUM_OFFSET: usize = 16;

/// Why bytes are no TCP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Fewer than 20 bytes.
    TooShort,
    /// A data offset below 5 words or past the end of the segment.
    BadOffset,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::TooShort => "TCP segment shorter than its header",
            Error::BadOffset => "TCP data offset out of bounds",
        })
    }
}

impl core::error::Error for Error {}

/// A TCP header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgment number.
    pub ack: u32,
    /// Control bits.
    pub flags: Flags,
    /// The ninth flag: AE (RFC 9768), once NS.
    pub ae: bool,
    /// Window, unscaled.
    pub window: u16,
    /// Urgent pointer.
    pub urgent: u16,
    /// Options.
    pub options: Options,
}

/// Reads a header; the number is its length with options. The checksum is the caller's to check: see [`verify_v4`].
///
/// # Errors
/// [`Error`] if the bytes cannot be a header.
pub fn parse(b: &[u8]) -> Result<(Header, usize), Error> {
    // One check of the length; then every offset is known to be inside.
    let f: &[u8; MIN_LEN] = b.first_chunk().ok_or(Error::TooShort)?;
    let mut h = Header {
        src_port: u16::from_be_bytes([f[0], f[1]]),
        dst_port: u16::from_be_bytes([f[2], f[3]]),
        seq: u32::from_be_bytes([f[4], f[5], f[6], f[7]]),
        ack: u32::from_be_bytes([f[8], f[9], f[10], f[11]]),
        flags: Flags(f[13]),
        ae: f[12] & 1 != 0,
        window: u16::from_be_bytes([f[14], f[15]]),
        urgent: u16::from_be_bytes([f[18], f[19]]),
        options: Options::NONE,
    };
    let len = usize::from(f[12] >> 4) * 4;
    let options = b.get(MIN_LEN..len).ok_or(Error::BadOffset)?;
    if !options.is_empty() {
        h.options = parse_options(options, h.flags.contains(Flags::SYN));
    }
    Ok((h, len))
}

/// The two option lists of nearly all segments are known by their first word, so that they cost one comparison.
fn parse_options(b: &[u8], syn: bool) -> Options {
    if !syn && b.len() == 12 && u32_at(b, 0) == Some(0x0101_080a) {
        let mut o = Options::NONE;
        o.timestamps = u32_at(b, 4).zip(u32_at(b, 8));
        return o;
    }
    Options::parse(b, syn)
}

impl Header {
    /// Length with options, a multiple of 4.
    #[must_use]
    #[allow(clippy::len_without_is_empty)] // a header is never empty
    pub fn len(&self) -> usize {
        MIN_LEN + self.options.len(self.flags.contains(Flags::SYN))
    }

    /// Writes the header with a checksum field of zero and returns its length; 0 if the buffer is too small or the
    /// options need more than 40 bytes.
    pub fn emit(&self, buf: &mut [u8]) -> usize {
        let syn = self.flags.contains(Flags::SYN);
        let options = self.options.len(syn);
        if options > MAX_LEN - MIN_LEN {
            return 0;
        }
        let Some((f, room)) = buf.split_first_chunk_mut::<MIN_LEN>() else {
            return 0;
        };
        f[0..2].copy_from_slice(&self.src_port.to_be_bytes());
        f[2..4].copy_from_slice(&self.dst_port.to_be_bytes());
        f[4..8].copy_from_slice(&self.seq.to_be_bytes());
        f[8..12].copy_from_slice(&self.ack.to_be_bytes());
        f[12] = (((MIN_LEN + options) / 4) as u8) << 4 | u8::from(self.ae);
        f[13] = self.flags.0;
        f[14..16].copy_from_slice(&self.window.to_be_bytes());
        f[16..18].fill(0);
        f[18..20].copy_from_slice(&self.urgent.to_be_bytes());
        if self.options.emit(room, syn) != options {
            return 0;
        }
        MIN_LEN + options
    }

    /// Sequence space that the segment takes with `payload` bytes.
    #[must_use]
    pub const fn seq_len(&self, payload: u32) -> u32 {
        payload + self.flags.contains(Flags::SYN) as u32 + self.flags.contains(Flags::FIN) as u32
    }
}

/// Writes a checksum into a header that `emit` wrote.
pub fn set_checksum(header: &mut [u8], checksum: u16) {
    if let Some(field) = header.get_mut(CHECKSUM_OFFSET..CHECKSUM_OFFSET + 2) {
        field.copy_from_slice(&checksum.to_be_bytes());
    }
}

/// Whether the checksum of a segment in pieces over IPv4 is right.
#[must_use]
pub fn verify_v4(src: [u8; 4], dst: [u8; 4], pieces: &[&[u8]]) -> bool {
    let len: usize = pieces.iter().map(|p| p.len()).sum();
    let mut s = Sum::pseudo_v4(src, dst, crate::PROTO_TCP, len as u32);
    pieces.iter().for_each(|p| s.add(p));
    s.finish() == 0
}

/// Whether the checksum of a segment in pieces over IPv6 is right.
#[must_use]
pub fn verify_v6(src: [u8; 16], dst: [u8; 16], pieces: &[&[u8]]) -> bool {
    let len: usize = pieces.iter().map(|p| p.len()).sum();
    let mut s = Sum::pseudo_v6(src, dst, crate::PROTO_TCP, len as u32);
    pieces.iter().for_each(|p| s.add(p));
    s.finish() == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn syn() -> Header {
        Header {
            src_port: 40000,
            dst_port: 80,
            seq: 0x0102_0304,
            ack: 0,
            flags: Flags::SYN | Flags::ECE | Flags::CWR,
            ae: true,
            window: 64240,
            urgent: 5,
            options: Options {
                mss: Some(1460),
                wscale: Some(7),
                sack_permitted: true,
                timestamps: Some((77, 0)),
                ..Options::NONE
            },
        }
    }

    #[test]
    fn tcp_header_round_trips() {
        let h = syn();
        let mut b = [0u8; 60];
        assert_eq!(h.emit(&mut b), 40);
        assert_eq!(h.len(), 40);
        assert_eq!(parse(&b[..40]), Ok((h, 40)));
        assert_eq!(h.seq_len(3), 4);
    }

    #[test]
    fn tcp_timestamps_fast_path_equals_the_slow_one() {
        let mut h = syn();
        h.flags = Flags::ACK;
        h.options = Options {
            timestamps: Some((5, 6)),
            ..Options::NONE
        };
        let mut b = [0u8; 60];
        assert_eq!(h.emit(&mut b), 32);
        assert_eq!(Options::parse(&b[20..32], false), h.options);
        assert_eq!(parse(&b[..32]), Ok((h, 32)));
    }

    #[test]
    fn tcp_header_bad_offsets_are_errors() {
        let mut b = [0u8; 60];
        let n = syn().emit(&mut b);
        assert_eq!(parse(&b[..19]), Err(Error::TooShort));
        assert_eq!(parse(&[]), Err(Error::TooShort));
        assert_eq!(parse(&b[..n - 1]), Err(Error::BadOffset));
        b[12] = 0x40;
        assert_eq!(parse(&b[..n]), Err(Error::BadOffset));
    }

    #[test]
    fn tcp_checksum_verifies_over_pieces() {
        let mut b = [0u8; 60];
        let n = syn().emit(&mut b);
        let body = *b"hello";
        let mut s = Sum::pseudo_v4([10, 0, 0, 1], [10, 0, 0, 2], 6, (n + 5) as u32);
        s.add(&b[..n]);
        s.add(&body);
        set_checksum(&mut b, s.finish());
        assert!(verify_v4(
            [10, 0, 0, 1],
            [10, 0, 0, 2],
            &[&b[..n], &body[..1], &body[1..]]
        ));
        assert!(!verify_v4([10, 0, 0, 1], [10, 0, 0, 3], &[&b[..n], &body]));
        assert!(!verify_v6([1; 16], [2; 16], &[&b[..n], &body]));
    }

    #[test]
    fn tcp_emit_into_too_small_a_buffer_is_zero() {
        assert_eq!(syn().emit(&mut [0; 39]), 0);
        assert_eq!(syn().emit(&mut [0; 10]), 0);
    }
}
