//! UDP (RFC 768).

use crate::bytes::{Cursor, u16_at};

/// Bytes of the header.
pub const LEN: usize = 8;
/// Where the checksum stands.
pub const CHECKSUM_OFFSET: usize = 6;

/// The header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Sender's port, 0 for none.
    pub src_port: u16,
    /// Receiver's port.
    pub dst_port: u16,
    /// Bytes of header and payload.
    pub len: u16,
    /// 0: not computed, which only IPv4 allows.
    pub checksum: u16,
}

/// Reads the header of a datagram whose IP payload has `total` bytes; `None` if its length is out of bounds.
#[must_use]
pub fn parse(b: &[u8], total: usize) -> Option<Header> {
    let h = Header {
        src_port: u16_at(b, 0)?,
        dst_port: u16_at(b, 2)?,
        len: u16_at(b, 4)?,
        checksum: u16_at(b, 6)?,
    };
    (LEN..=total).contains(&usize::from(h.len)).then_some(h)
}

impl Header {
    /// Writes the header; returns its length, 0 if it does not fit.
    pub fn emit(&self, buf: &mut [u8]) -> usize {
        let mut c = Cursor::new(buf);
        c.u16(self.src_port);
        c.u16(self.dst_port);
        c.u16(self.len);
        c.u16(self.checksum);
        c.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_round_trips_and_bad_lengths_are_none() {
        let h = Header {
            src_port: 53,
            dst_port: 4096,
            len: 12,
            checksum: 0xabcd,
        };
        let mut b = [0; 8];
        assert_eq!(h.emit(&mut b), LEN);
        assert_eq!(parse(&b, 12), Some(h));
        assert_eq!(parse(&b, 11), None);
        assert_eq!(parse(&b[..7], 12), None);
        assert_eq!(parse(&[0, 1, 0, 2, 0, 7, 0, 0], 12), None);
    }
}
