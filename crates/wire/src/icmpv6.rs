//! ICMPv6 (RFC 4443).

use crate::bytes::{Cursor, array, u8_at, u16_at, u32_at};
use crate::checksum::Sum;
use crate::icmp::Error;
use crate::ipv6;

/// Length of an ICMPv6 header.
pub const LEN: usize = 8;

/// Codes of destination unreachable.
pub mod unreach {
    /// No route to the destination.
    pub const NO_ROUTE: u8 = 0;
    /// Administratively prohibited.
    pub const PROHIBITED: u8 = 1;
    /// Beyond the scope of the source address.
    pub const BEYOND_SCOPE: u8 = 2;
    /// Address unreachable.
    pub const ADDRESS: u8 = 3;
    /// Port unreachable.
    pub const PORT: u8 = 4;
    /// Source address failed policy.
    pub const POLICY: u8 = 5;
    /// Reject route.
    pub const REJECT_ROUTE: u8 = 6;
}

/// What an ICMPv6 message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// Type 1.
    DestUnreachable {
        /// See [`unreach`].
        code: u8,
    },
    /// Type 2.
    PacketTooBig {
        /// MTU of the next hop.
        mtu: u32,
    },
    /// Type 3.
    TimeExceeded {
        /// 0 hop limit, 1 reassembly.
        code: u8,
    },
    /// Type 4.
    ParameterProblem {
        /// What is wrong.
        code: u8,
        /// Where in the quoted packet.
        pointer: u32,
    },
    /// Type 128.
    EchoRequest {
        /// Identifier.
        id: u16,
        /// Sequence number.
        seq: u16,
    },
    /// Type 129.
    EchoReply {
        /// Identifier.
        id: u16,
        /// Sequence number.
        seq: u16,
    },
    /// Any other type.
    Other {
        /// Type; below 128 an error.
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
            Message::DestUnreachable { code } => (1, code),
            Message::PacketTooBig { .. } => (2, 0),
            Message::TimeExceeded { code } => (3, code),
            Message::ParameterProblem { code, .. } => (4, code),
            Message::EchoRequest { .. } => (128, 0),
            Message::EchoReply { .. } => (129, 0),
            Message::Other { kind, code } => (kind, code),
        }
    }

    /// Whether it is an error that quotes a packet.
    #[must_use]
    pub const fn is_error(self) -> bool {
        self.kind().0 < 128
    }
}

/// Reads a message that went from `src` to `dst`; the slice is what follows the header.
///
/// # Errors
/// [`Error`] if it is too short or its checksum is wrong.
pub fn parse(src: [u8; 16], dst: [u8; 16], b: &[u8]) -> Result<(Message, &[u8]), Error> {
    let body = b.get(LEN..).ok_or(Error::TooShort)?;
    let mut sum = Sum::pseudo_v6(src, dst, crate::PROTO_ICMPV6, b.len() as u32);
    sum.add(b);
    if sum.finish() != 0 {
        return Err(Error::BadChecksum);
    }
    let read = || {
        let (kind, code) = (u8_at(b, 0)?, u8_at(b, 1)?);
        let word = u32_at(b, 4)?;
        let (id, seq) = ((word >> 16) as u16, word as u16);
        Some(match kind {
            1 => Message::DestUnreachable { code },
            2 => Message::PacketTooBig { mtu: word },
            3 => Message::TimeExceeded { code },
            4 => Message::ParameterProblem {
                code,
                pointer: word,
            },
            128 => Message::EchoRequest { id, seq },
            129 => Message::EchoReply { id, seq },
            _ => Message::Other { kind, code },
        })
    };
    Ok((read().ok_or(Error::TooShort)?, body))
}

/// Writes a message with its checksum and returns its length; 0 if the buffer is too small.
pub fn emit(src: [u8; 16], dst: [u8; 16], message: Message, body: &[u8], buf: &mut [u8]) -> usize {
    let (kind, code) = message.kind();
    let word = match message {
        Message::PacketTooBig { mtu } => mtu,
        Message::ParameterProblem { pointer, .. } => pointer,
        Message::EchoRequest { id, seq } | Message::EchoReply { id, seq } => {
            u32::from(id) << 16 | u32::from(seq)
        }
        Message::DestUnreachable { .. } | Message::TimeExceeded { .. } | Message::Other { .. } => 0,
    };
    let len = (LEN + body.len()) as u32;
    let mut sum = Sum::pseudo_v6(src, dst, crate::PROTO_ICMPV6, len);
    sum.add(&[kind, code]);
    sum.add(&word.to_be_bytes());
    sum.add(body);
    let mut c = Cursor::new(buf);
    c.put(&[kind, code]);
    c.u16(sum.finish());
    c.u32(word);
    c.put(body);
    c.finish()
}

/// What an error quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quoted {
    /// Source of the quoted packet.
    pub src: [u8; 16],
    /// Destination of the quoted packet.
    pub dst: [u8; 16],
    /// Its protocol above the extension headers.
    pub protocol: u8,
    /// The first two 16-bit numbers of its payload: the ports of TCP and UDP.
    pub ports: (u16, u16),
    /// The third word of its payload: TCP's sequence number.
    pub seq: u32,
}

/// Reads the packet that an error quotes.
#[must_use]
pub fn quoted(body: &[u8]) -> Option<Quoted> {
    ipv6::parse_quoted(body).ok()?;
    let (protocol, at, _) = ipv6::upper(body)?;
    let upper = body.get(at..)?;
    Some(Quoted {
        src: array(body, 8)?,
        dst: array(body, 24)?,
        protocol,
        ports: (u16_at(upper, 0)?, u16_at(upper, 2)?),
        seq: u32_at(upper, 4)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn icmpv6_messages_round_trip() {
        let (s, d) = ([1; 16], [2; 16]);
        for m in [
            Message::DestUnreachable { code: 4 },
            Message::PacketTooBig { mtu: 1280 },
            Message::TimeExceeded { code: 1 },
            Message::ParameterProblem {
                code: 1,
                pointer: 40,
            },
            Message::EchoRequest { id: 9, seq: 8 },
            Message::EchoReply { id: 9, seq: 8 },
            Message::Other { kind: 135, code: 0 },
        ] {
            let mut b = [0u8; 32];
            assert_eq!(emit(s, d, m, b"abc", &mut b), 11);
            assert_eq!(parse(s, d, &b[..11]), Ok((m, &b"abc"[..])));
            assert_eq!(parse(s, [3; 16], &b[..11]), Err(Error::BadChecksum));
            assert_eq!(emit(s, d, m, b"abc", &mut b[..10]), 0);
        }
        assert_eq!(parse(s, d, &[0; 7]), Err(Error::TooShort));
    }

    #[test]
    fn icmpv6_quoted_packet_gives_ports_and_seq() {
        let mut p = [0u8; 48];
        ipv6::Header {
            src: [1; 16],
            dst: [2; 16],
            next_header: 6,
            payload_len: 1000,
            ..Default::default()
        }
        .emit(&mut p);
        p[40..48].copy_from_slice(&[0, 80, 0, 81, 1, 2, 3, 4]);
        let q = quoted(&p).unwrap();
        assert_eq!((q.protocol, q.ports, q.seq), (6, (80, 81), 0x0102_0304));
        assert_eq!((q.src, q.dst), ([1; 16], [2; 16]));
        assert_eq!(quoted(&p[..47]), None);
    }
}
