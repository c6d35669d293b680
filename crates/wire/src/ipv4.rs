//! The IPv4 header (RFC 791).

use crate::bytes::Cursor;
use crate::checksum;
use core::fmt;

/// Length of a header without options.
pub const MIN_LEN: usize = 20;

/// Why bytes are no IPv4 packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Fewer bytes than a header, or than the header says.
    TooShort,
    /// Not version 4.
    BadVersion,
    /// A header length below 5 words.
    BadHeaderLen,
    /// A total length below the header's or past the end of the bytes.
    BadTotalLen,
    /// The header's checksum is wrong.
    BadChecksum,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::TooShort => "IPv4 packet shorter than its header",
            Error::BadVersion => "not IPv4",
            Error::BadHeaderLen => "IPv4 header length below 20",
            Error::BadTotalLen => "IPv4 total length out of bounds",
            Error::BadChecksum => "IPv4 header checksum wrong",
        })
    }
}

impl core::error::Error for Error {}

/// An IPv4 header. Options are read over and never written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Source address.
    pub src: [u8; 4],
    /// Destination address.
    pub dst: [u8; 4],
    /// Protocol of the payload.
    pub protocol: u8,
    /// Time to live.
    pub ttl: u8,
    /// Type of service with the ECN bits.
    pub tos: u8,
    /// Identification.
    pub id: u16,
    /// Don't fragment.
    pub df: bool,
    /// More fragments.
    pub mf: bool,
    /// Fragment offset in units of 8 bytes.
    pub frag_offset: u16,
    /// Length of header and payload.
    pub total_len: u16,
}

/// Reads a header and returns its length. Bytes after `total_len` are not the packet's.
///
/// # Errors
/// [`Error`] if it is no sound header, or `total_len` is more than there are bytes.
pub fn parse(b: &[u8]) -> Result<(Header, usize), Error> {
    parse_split(b, b.len())
}

/// Like [`parse`] for a packet of `packet_len` bytes of which `head` is the beginning.
///
/// # Errors
/// As [`parse`]; `TooShort` also if `head` ends inside the header.
pub fn parse_split(head: &[u8], packet_len: usize) -> Result<(Header, usize), Error> {
    let (h, len) = parse_quoted(head)?;
    if usize::from(h.total_len) < len || usize::from(h.total_len) > packet_len {
        return Err(Error::BadTotalLen);
    }
    match head.get(..len) {
        Some(header) if checksum::of(header) == 0 => Ok((h, len)),
        _ => Err(Error::BadChecksum),
    }
}

/// Reads a header that an ICMP error quotes: the payload is cut and routers may have left the checksum wrong.
///
/// # Errors
/// [`Error`] if the bytes hold no whole header.
pub fn parse_quoted(b: &[u8]) -> Result<(Header, usize), Error> {
    // One check of the length; then every offset is known to be inside.
    let f: &[u8; MIN_LEN] = b.first_chunk().ok_or(Error::TooShort)?;
    let first = f[0];
    let frag = u16::from_be_bytes([f[6], f[7]]);
    let h = Header {
        src: [f[12], f[13], f[14], f[15]],
        dst: [f[16], f[17], f[18], f[19]],
        protocol: f[9],
        ttl: f[8],
        tos: f[1],
        id: u16::from_be_bytes([f[4], f[5]]),
        df: frag & 0x4000 != 0,
        mf: frag & 0x2000 != 0,
        frag_offset: frag & 0x1fff,
        total_len: u16::from_be_bytes([f[2], f[3]]),
    };
    if first >> 4 != 4 {
        return Err(Error::BadVersion);
    }
    let len = usize::from(first & 15) * 4;
    if len < MIN_LEN {
        return Err(Error::BadHeaderLen);
    }
    if b.len() < len {
        return Err(Error::TooShort);
    }
    Ok((h, len))
}

impl Header {
    /// Whether the packet is a fragment of a larger one.
    #[must_use]
    pub const fn is_fragment(&self) -> bool {
        self.mf || self.frag_offset != 0
    }

    /// Writes 20 bytes with the checksum and returns 20; 0 if the buffer is too small.
    pub fn emit(&self, buf: &mut [u8]) -> usize {
        let mut h = [0u8; MIN_LEN];
        let mut c = Cursor::new(&mut h);
        c.put(&[0x45, self.tos]);
        c.u16(self.total_len);
        c.u16(self.id);
        c.u16(u16::from(self.df) << 14 | u16::from(self.mf) << 13 | (self.frag_offset & 0x1fff));
        c.put(&[self.ttl, self.protocol, 0, 0]);
        c.put(&self.src);
        c.put(&self.dst);
        let sum = checksum::of(&h).to_be_bytes();
        if let Some(field) = h.get_mut(10..12) {
            field.copy_from_slice(&sum);
        }
        match buf.first_chunk_mut::<MIN_LEN>() {
            Some(out) => {
                *out = h;
                MIN_LEN
            }
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            src: [192, 0, 2, 1],
            dst: [198, 51, 100, 2],
            protocol: 6,
            ttl: 64,
            tos: 0x10,
            id: 0xbeef,
            df: true,
            mf: false,
            frag_offset: 0,
            total_len: 40,
        }
    }

    #[test]
    fn ipv4_header_round_trips_with_a_right_checksum() {
        let mut b = [0u8; 44];
        assert_eq!(header().emit(&mut b), 20);
        assert_eq!(checksum::of(&b[..20]), 0);
        assert_eq!(parse(&b), Ok((header(), 20)));
        assert_eq!(parse_split(&b[..20], 40), Ok((header(), 20)));
    }

    #[test]
    fn ipv4_each_defect_has_its_error() {
        let mut good = [0u8; 40];
        header().emit(&mut good);
        assert_eq!(parse(&[]), Err(Error::TooShort));
        assert_eq!(parse(&good[..19]), Err(Error::TooShort));
        assert_eq!(parse(&good[..39]), Err(Error::BadTotalLen));
        let with = |at: usize, v: u8| {
            let mut b = good;
            b[at] = v;
            parse(&b)
        };
        assert_eq!(with(0, 0x65), Err(Error::BadVersion));
        assert_eq!(with(0, 0x44), Err(Error::BadHeaderLen));
        assert_eq!(with(3, 19), Err(Error::BadTotalLen));
        assert_eq!(with(3, 41), Err(Error::BadTotalLen));
        assert_eq!(with(8, 63), Err(Error::BadChecksum));
        assert_eq!(with(0, 0x4b), Err(Error::TooShort));
    }

    #[test]
    fn ipv4_header_with_options_is_read_over() {
        let mut b = [1u8; 44];
        header().emit(&mut b);
        b[0] = 0x46;
        b[3] = 44;
        b[10..12].fill(0);
        let sum = checksum::of(&b[..24]).to_be_bytes();
        b[10..12].copy_from_slice(&sum);
        let (h, len) = parse(&b).unwrap();
        assert_eq!((len, h.total_len), (24, 44));
    }
}
