//! ICMP for IPv4 (RFC 792, RFC 1191).

use crate::bytes::{Cursor, u8_at, u16_at, u32_at};
use crate::checksum::{self, Sum};

/// Length of an ICMP header.
pub const LEN: usize = 8;

/// Codes of destination unreachable.
pub mod unreach {
    /// Network unreachable.
    pub const NET: u8 = 0;
    /// Host unreachable.
    pub const HOST: u8 = 1;
    /// Protocol unreachable.
    pub const PROTOCOL: u8 = 2;
    /// Port unreachable.
    pub const PORT: u8 = 3;
    /// Fragmentation needed.
    pub const FRAG_NEEDED: u8 = 4;
    /// Source route failed.
    pub const SOURCE_ROUTE: u8 = 5;
    /// Network administratively prohibited.
    pub const NET_PROHIBITED: u8 = 9;
    /// Host administratively prohibited.
    pub const HOST_PROHIBITED: u8 = 10;
    /// Packet filtered.
    pub const FILTERED: u8 = 13;
}

/// What an ICMP message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// Type 0.
    EchoReply {
        /// Identifier.
        id: u16,
        /// Sequence number.
        seq: u16,
    },
    /// Type 8.
    EchoRequest {
        /// Identifier.
        id: u16,
        /// Sequence number.
        seq: u16,
    },
    /// Type 3.
    DestUnreachable {
        /// See [`unreach`].
        code: u8,
        /// Next-hop MTU, for fragmentation needed.
        mtu: u16,
    },
    /// Type 4.
    SourceQuench,
    /// Type 5.
    Redirect {
        /// Which packets.
        code: u8,
        /// The better gateway.
        gateway: [u8; 4],
    },
    /// Type 11.
    TimeExceeded {
        /// 0 TTL, 1 reassembly.
        code: u8,
    },
    /// Type 12.
    ParameterProblem {
        /// What is wrong.
        code: u8,
        /// Where in the quoted packet.
        pointer: u8,
    },
    /// Any other type.
    Other {
        /// Type.
        kind: u8,
        /// Code.
        code: u8,
    },
}

impl Message {
    /// Type and code.
    #[must_use]
    pub const fn kind(self) -> (u8, u8) {
        match self {
            Message::EchoReply { .. } => (0, 0),
            Message::EchoRequest { .. } => (8, 0),
            Message::DestUnreachable { code, .. } => (3, code),
            Message::SourceQuench => (4, 0),
            Message::Redirect { code, .. } => (5, code),
            Message::TimeExceeded { code } => (11, code),
            Message::ParameterProblem { code, .. } => (12, code),
            Message::Other { kind, code } => (kind, code),
        }
    }

    /// Whether it is an error that quotes a packet (RFC 1122 3.2.2).
    #[must_use]
    pub const fn is_error(self) -> bool {
        matches!(
            self,
            Message::DestUnreachable { .. }
                | Message::SourceQuench
                | Message::Redirect { .. }
                | Message::TimeExceeded { .. }
                | Message::ParameterProblem { .. }
        )
    }
}

/// Why bytes are no ICMP message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Fewer than 8 bytes.
    TooShort,
    /// The checksum is wrong.
    BadChecksum,
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Error::TooShort => "ICMP message shorter than its header",
            Error::BadChecksum => "ICMP checksum wrong",
        })
    }
}

impl core::error::Error for Error {}

/// Reads a message; the slice is what follows the header: echo data, or the quoted packet.
///
/// # Errors
/// [`Error`] if it is too short or its checksum is wrong.
pub fn parse(b: &[u8]) -> Result<(Message, &[u8]), Error> {
    let body = b.get(LEN..).ok_or(Error::TooShort)?;
    if checksum::of(b) != 0 {
        return Err(Error::BadChecksum);
    }
    let read = || {
        let (kind, code) = (u8_at(b, 0)?, u8_at(b, 1)?);
        let (id, seq) = (u16_at(b, 4)?, u16_at(b, 6)?);
        Some(match kind {
            0 => Message::EchoReply { id, seq },
            8 => Message::EchoRequest { id, seq },
            3 => Message::DestUnreachable { code, mtu: seq },
            4 => Message::SourceQuench,
            5 => Message::Redirect {
                code,
                gateway: u32_at(b, 4)?.to_be_bytes(),
            },
            11 => Message::TimeExceeded { code },
            12 => Message::ParameterProblem {
                code,
                pointer: u8_at(b, 4)?,
            },
            _ => Message::Other { kind, code },
        })
    };
    Ok((read().ok_or(Error::TooShort)?, body))
}

/// Writes a message with its checksum and returns its length; 0 if the buffer is too small.
pub fn emit(message: Message, body: &[u8], buf: &mut [u8]) -> usize {
    let (kind, code) = message.kind();
    let rest: [u8; 4] = match message {
        Message::EchoReply { id, seq } | Message::EchoRequest { id, seq } => {
            (u32::from(id) << 16 | u32::from(seq)).to_be_bytes()
        }
        Message::DestUnreachable { mtu, .. } => u32::from(mtu).to_be_bytes(),
        Message::Redirect { gateway, .. } => gateway,
        Message::ParameterProblem { pointer, .. } => [pointer, 0, 0, 0],
        Message::SourceQuench | Message::TimeExceeded { .. } | Message::Other { .. } => [0; 4],
    };
    let mut sum = Sum::new();
    sum.add(&[kind, code]);
    sum.add(&rest);
    sum.add(body);
    let mut c = Cursor::new(buf);
    c.put(&[kind, code]);
    c.u16(sum.finish());
    c.put(&rest);
    c.put(body);
    c.finish()
}

/// What an error quotes: at least the header and 8 bytes of the packet that caused it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quoted {
    /// The packet's header.
    pub ip: crate::ipv4::Header,
    /// The first two 16-bit numbers of its payload: the ports of TCP and UDP.
    pub ports: (u16, u16),
    /// The third word of its payload: TCP's sequence number.
    pub seq: u32,
}

/// Reads the packet that an error quotes.
#[must_use]
pub fn quoted(body: &[u8]) -> Option<Quoted> {
    let (ip, len) = crate::ipv4::parse_quoted(body).ok()?;
    let upper = body.get(len..)?;
    Some(Quoted {
        ip,
        ports: (u16_at(upper, 0)?, u16_at(upper, 2)?),
        seq: u32_at(upper, 4)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn icmp_messages_round_trip() {
        for m in [
            Message::EchoReply { id: 1, seq: 2 },
            Message::EchoRequest { id: 0xffff, seq: 3 },
            Message::DestUnreachable {
                code: unreach::FRAG_NEEDED,
                mtu: 1400,
            },
            Message::SourceQuench,
            Message::Redirect {
                code: 1,
                gateway: [10, 0, 0, 1],
            },
            Message::TimeExceeded { code: 1 },
            Message::ParameterProblem {
                code: 0,
                pointer: 9,
            },
            Message::Other { kind: 13, code: 0 },
        ] {
            let mut b = [0u8; 32];
            assert_eq!(emit(m, b"abcde", &mut b), 13);
            assert_eq!(parse(&b[..13]), Ok((m, &b"abcde"[..])));
            b[9] ^= 1;
            assert_eq!(parse(&b[..13]), Err(Error::BadChecksum));
            assert_eq!(emit(m, b"abcde", &mut b[..12]), 0);
        }
        assert_eq!(parse(&[0; 7]), Err(Error::TooShort));
    }

    #[test]
    fn icmp_quoted_packet_gives_ports_and_seq() {
        let mut p = [0u8; 28];
        let ip = crate::ipv4::Header {
            src: [10, 0, 0, 1],
            dst: [10, 0, 0, 2],
            protocol: 6,
            total_len: 1500,
            ..Default::default()
        };
        ip.emit(&mut p);
        p[20..28].copy_from_slice(&[0, 80, 0, 81, 1, 2, 3, 4]);
        let q = quoted(&p).unwrap();
        assert_eq!((q.ip, q.ports, q.seq), (ip, (80, 81), 0x0102_0304));
        assert_eq!(quoted(&p[..27]), None);
    }
}
