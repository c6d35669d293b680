//! Packets as they are on the wire, to bytes and back, with every field that a script can name.
//!
//! On purpose not `hearken_wire`: the runner's reading of a packet must not share a bug with the code under test.

use core::net::{IpAddr, SocketAddr};

use super::options::TcpOption;

/// TCP's protocol number.
const TCP: u8 = 6;
/// UDP's.
const UDP: u8 = 17;
/// ICMP's, of IPv4.
const ICMP: u8 = 1;
/// ICMPv6's.
const ICMPV6: u8 = 58;

/// TCP flags: the lower twelve bits of the fourth word's upper half.
pub(crate) mod flag {
    pub(crate) const FIN: u16 = 1;
    pub(crate) const SYN: u16 = 2;
    pub(crate) const RST: u16 = 4;
    pub(crate) const PSH: u16 = 8;
    pub(crate) const ACK: u16 = 16;
    pub(crate) const URG: u16 = 32;
    pub(crate) const ECE: u16 = 64;
    pub(crate) const CWR: u16 = 128;
    pub(crate) const AE: u16 = 256;
}

/// An IP packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    /// Who sends it; the port is 0 where there is none.
    pub(crate) src: SocketAddr,
    pub(crate) dst: SocketAddr,
    /// TOS or traffic class, the two ECN bits included.
    pub(crate) tos: u8,
    pub(crate) ttl: u8,
    /// IPv4's identification.
    pub(crate) id: u16,
    /// IPv4's don't-fragment bit.
    pub(crate) df: bool,
    /// IPv6's flow label.
    pub(crate) flow: u32,
    pub(crate) body: Body,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    Tcp(Tcp),
    /// The length of its data.
    Udp(usize),
    Icmp(Icmp),
    /// Another protocol.
    Other(u8),
}

#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Tcp {
    pub(crate) flags: u16,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) window: u16,
    pub(crate) urgent: u16,
    pub(crate) options: Vec<TcpOption>,
    /// The length of its data; a script's are zeros.
    pub(crate) len: usize,
}

impl Tcp {
    pub(crate) fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }
}

/// An ICMP or ICMPv6 error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Icmp {
    pub(crate) kind: u8,
    pub(crate) code: u8,
    /// The four bytes after the checksum: next-hop MTU, pointer.
    pub(crate) extra: u32,
    /// The quoted packet, from its IP header on.
    pub(crate) quoted: Vec<u8>,
}

/// Why bytes are no packet that a system may send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) String);

fn malformed<T>(what: impl Into<String>) -> Result<T, Malformed> {
    Err(Malformed(what.into()))
}

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum = 0u64;
    for pair in bytes.chunks(2) {
        sum += u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0));
    }
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

fn octets(addr: IpAddr) -> Vec<u8> {
    match addr {
        IpAddr::V4(addr) => addr.octets().to_vec(),
        IpAddr::V6(addr) => addr.octets().to_vec(),
    }
}

/// The checksum of a transport header and its data with the pseudo header in front (RFC 9293 3.1, RFC 8200 8.1).
fn transport_checksum(src: IpAddr, dst: IpAddr, protocol: u8, body: &[u8]) -> u16 {
    let mut pseudo = octets(src);
    pseudo.extend(octets(dst));
    pseudo.extend((body.len() as u32).to_be_bytes());
    pseudo.extend([0, 0, 0, protocol]);
    pseudo.extend(body);
    checksum(&pseudo)
}

fn half(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

impl Packet {
    /// A packet with the fields that a host fills in by default.
    pub(crate) fn new(src: SocketAddr, dst: SocketAddr, body: Body) -> Self {
        Packet {
            src,
            dst,
            tos: 0,
            ttl: 255,
            id: 0,
            df: false,
            flow: 0,
            body,
        }
    }

    pub(crate) fn tcp(&self) -> Option<&Tcp> {
        match &self.body {
            Body::Tcp(tcp) => Some(tcp),
            Body::Udp(_) | Body::Icmp(_) | Body::Other(_) => None,
        }
    }

    /// The bytes, with every checksum right.
    pub(crate) fn emit(&self) -> Vec<u8> {
        let (src, dst) = (self.src.ip(), self.dst.ip());
        let (protocol, body) = match &self.body {
            Body::Tcp(tcp) => (TCP, self.emit_tcp(tcp)),
            Body::Udp(len) => (UDP, self.emit_udp(*len)),
            Body::Icmp(icmp) => match src {
                IpAddr::V4(_) => (ICMP, emit_icmp(icmp, None)),
                IpAddr::V6(_) => (ICMPV6, emit_icmp(icmp, Some((src, dst)))),
            },
            Body::Other(protocol) => (*protocol, Vec::new()),
        };
        let mut out = Vec::new();
        match (src, dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                out.extend([0x45, self.tos]);
                out.extend((20 + body.len() as u16).to_be_bytes());
                out.extend(self.id.to_be_bytes());
                out.extend([if self.df { 0x40 } else { 0 }, 0, self.ttl, protocol, 0, 0]);
                out.extend(src.octets());
                out.extend(dst.octets());
                let sum = checksum(&out);
                out[10..12].copy_from_slice(&sum.to_be_bytes());
            }
            _ => {
                let first = 0x6000_0000 | u32::from(self.tos) << 20 | self.flow & 0xf_ffff;
                out.extend(first.to_be_bytes());
                out.extend((body.len() as u16).to_be_bytes());
                out.extend([protocol, self.ttl]);
                out.extend(octets(src));
                out.extend(octets(dst));
            }
        }
        out.extend(body);
        out
    }

    fn emit_tcp(&self, tcp: &Tcp) -> Vec<u8> {
        let mut options = Vec::new();
        for option in &tcp.options {
            option.emit(&mut options);
        }
        // Padded with end-of-list bytes; a script that wants NOPs writes them.
        options.resize(options.len().next_multiple_of(4), 0);
        let offset = 5 + options.len() as u16 / 4;
        let mut out = Vec::new();
        out.extend(self.src.port().to_be_bytes());
        out.extend(self.dst.port().to_be_bytes());
        out.extend(tcp.seq.to_be_bytes());
        out.extend(tcp.ack.to_be_bytes());
        out.extend((offset << 12 | tcp.flags & 0xfff).to_be_bytes());
        out.extend(tcp.window.to_be_bytes());
        out.extend([0, 0]);
        out.extend(tcp.urgent.to_be_bytes());
        out.extend(options);
        out.resize(out.len() + tcp.len, 0);
        let sum = transport_checksum(self.src.ip(), self.dst.ip(), TCP, &out);
        out[16..18].copy_from_slice(&sum.to_be_bytes());
        out
    }

    fn emit_udp(&self, len: usize) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(self.src.port().to_be_bytes());
        out.extend(self.dst.port().to_be_bytes());
        out.extend((8 + len as u16).to_be_bytes());
        out.extend([0, 0]);
        out.resize(8 + len, 0);
        let sum = transport_checksum(self.src.ip(), self.dst.ip(), UDP, &out);
        // RFC 768: a sum of zero is sent as all ones.
        let sum = if sum == 0 { 0xffff } else { sum };
        out[6..8].copy_from_slice(&sum.to_be_bytes());
        out
    }

    /// Reads a packet that a system sent, and holds its lengths and checksums to be right.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Packet, Malformed> {
        let Some(first) = bytes.first() else {
            return malformed("an empty packet");
        };
        let (mut packet, protocol, body) = match first >> 4 {
            4 => parse_v4(bytes)?,
            6 => parse_v6(bytes)?,
            version => return malformed(format!("IP version {version}")),
        };
        let (src, dst) = (packet.src.ip(), packet.dst.ip());
        packet.body = match protocol {
            TCP => {
                let (ports, tcp) = parse_tcp(body)?;
                if transport_checksum(src, dst, TCP, body) != 0 {
                    return malformed("a wrong TCP checksum");
                }
                packet.src.set_port(ports.0);
                packet.dst.set_port(ports.1);
                Body::Tcp(tcp)
            }
            UDP => {
                if body.len() < 8 || usize::from(half(body, 4)) != body.len() {
                    return malformed("a wrong UDP length");
                }
                if half(body, 6) != 0 && transport_checksum(src, dst, UDP, body) != 0 {
                    return malformed("a wrong UDP checksum");
                }
                packet.src.set_port(half(body, 0));
                packet.dst.set_port(half(body, 2));
                Body::Udp(body.len() - 8)
            }
            ICMP | ICMPV6 => {
                if body.len() < 8 {
                    return malformed("a short ICMP message");
                }
                let sum = match protocol {
                    ICMP => checksum(body),
                    _ => transport_checksum(src, dst, ICMPV6, body),
                };
                if sum != 0 {
                    return malformed("a wrong ICMP checksum");
                }
                Body::Icmp(Icmp {
                    kind: body[0],
                    code: body[1],
                    extra: word(body, 4),
                    quoted: body[8..].to_vec(),
                })
            }
            other => Body::Other(other),
        };
        Ok(packet)
    }
}

fn emit_icmp(icmp: &Icmp, pseudo: Option<(IpAddr, IpAddr)>) -> Vec<u8> {
    let mut out = vec![icmp.kind, icmp.code, 0, 0];
    out.extend(icmp.extra.to_be_bytes());
    out.extend(&icmp.quoted);
    let sum = match pseudo {
        None => checksum(&out),
        Some((src, dst)) => transport_checksum(src, dst, ICMPV6, &out),
    };
    out[2..4].copy_from_slice(&sum.to_be_bytes());
    out
}

fn parse_v4(bytes: &[u8]) -> Result<(Packet, u8, &[u8]), Malformed> {
    let header = usize::from(bytes[0] & 15) * 4;
    if header < 20 || bytes.len() < header || usize::from(half(bytes, 2)) != bytes.len() {
        return malformed("a wrong IPv4 length");
    }
    if checksum(&bytes[..header]) != 0 {
        return malformed("a wrong IPv4 header checksum");
    }
    let addr = |at: usize| IpAddr::from([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let packet = Packet {
        src: SocketAddr::new(addr(12), 0),
        dst: SocketAddr::new(addr(16), 0),
        tos: bytes[1],
        ttl: bytes[8],
        id: half(bytes, 4),
        df: bytes[6] & 0x40 != 0,
        flow: 0,
        body: Body::Other(bytes[9]),
    };
    Ok((packet, bytes[9], &bytes[header..]))
}

fn parse_v6(bytes: &[u8]) -> Result<(Packet, u8, &[u8]), Malformed> {
    if bytes.len() < 40 || usize::from(half(bytes, 4)) != bytes.len() - 40 {
        return malformed("a wrong IPv6 length");
    }
    let addr = |at: usize| {
        let mut octets = [0; 16];
        octets.copy_from_slice(&bytes[at..at + 16]);
        IpAddr::from(octets)
    };
    let first = word(bytes, 0);
    let packet = Packet {
        src: SocketAddr::new(addr(8), 0),
        dst: SocketAddr::new(addr(24), 0),
        tos: (first >> 20) as u8,
        ttl: bytes[7],
        id: 0,
        df: false,
        flow: first & 0xf_ffff,
        body: Body::Other(bytes[6]),
    };
    Ok((packet, bytes[6], &bytes[40..]))
}

/// A TCP header with its ports; the checksum is the caller's.
fn parse_tcp(body: &[u8]) -> Result<((u16, u16), Tcp), Malformed> {
    if body.len() < 20 {
        return malformed("a short TCP header");
    }
    let offset = usize::from(body[12] >> 4) * 4;
    if offset < 20 || offset > body.len() {
        return malformed("a wrong TCP data offset");
    }
    let tcp = Tcp {
        flags: half(body, 12) & 0xfff,
        seq: word(body, 4),
        ack: word(body, 8),
        window: half(body, 14),
        urgent: half(body, 18),
        options: TcpOption::parse_all(&body[20..offset]).map_err(Malformed)?,
        len: body.len() - offset,
    };
    Ok(((half(body, 0), half(body, 2)), tcp))
}

/// The ports and the sequence number of the TCP or UDP packet that an ICMP error quotes.
pub(crate) fn parse_quoted(bytes: &[u8]) -> Option<(SocketAddr, SocketAddr, u32)> {
    let v4 = bytes.first()? >> 4 == 4;
    let header = if v4 {
        usize::from(bytes[0] & 15) * 4
    } else {
        40
    };
    let ports = bytes.get(header..header + 8)?;
    let addr = |at: usize| -> Option<IpAddr> {
        if v4 {
            let octets: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
            return Some(IpAddr::from(octets));
        }
        let octets: [u8; 16] = bytes.get(at..at + 16)?.try_into().ok()?;
        Some(IpAddr::from(octets))
    };
    let (src, dst) = if v4 { (12, 16) } else { (8, 24) };
    Some((
        SocketAddr::new(addr(src)?, half(ports, 0)),
        SocketAddr::new(addr(dst)?, half(ports, 2)),
        word(ports, 4),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(v6: bool) -> (SocketAddr, SocketAddr) {
        let (a, b) = match v6 {
            false => ("192.0.2.1:8080", "192.168.0.1:40000"),
            true => ("[2001:db8::1]:8080", "[fd3d::1]:40000"),
        };
        (
            a.parse().expect("an address"),
            b.parse().expect("an address"),
        )
    }

    #[test]
    fn packet_of_either_family_is_read_back() {
        for v6 in [false, true] {
            let (src, dst) = ends(v6);
            let tcp = Tcp {
                flags: flag::SYN | flag::ACK | flag::AE,
                seq: 1,
                ack: 2,
                window: 3,
                urgent: 4,
                options: vec![TcpOption::Mss(1460), TcpOption::Nop, TcpOption::Wscale(7)],
                len: 5,
            };
            let quoted = Packet::new(src, dst, Body::Tcp(tcp.clone())).emit();
            let icmp = Icmp {
                kind: 3,
                code: 4,
                extra: 1200,
                quoted: quoted.clone(),
            };
            for body in [Body::Tcp(tcp), Body::Udp(7), Body::Icmp(icmp)] {
                let mut packet = Packet::new(src, dst, body);
                packet.tos = 0x0b;
                if matches!(packet.body, Body::Icmp(_)) {
                    packet.src.set_port(0);
                    packet.dst.set_port(0);
                }
                assert_eq!(Packet::parse(&packet.emit()), Ok(packet));
            }
            assert_eq!(parse_quoted(&quoted), Some((src, dst, 1)));
        }
    }

    #[test]
    fn packet_with_a_flipped_bit_is_malformed() {
        let (src, dst) = ends(false);
        let bytes = Packet::new(src, dst, Body::Tcp(Tcp::default())).emit();
        for at in 0..bytes.len() {
            // The type of service, identification and TTL are held by the header's checksum, everything else too.
            let mut bytes = bytes.clone();
            bytes[at] ^= 0x40;
            assert!(Packet::parse(&bytes).is_err(), "byte {at}");
        }
    }
}
