//! Raw packets: a builder for what a peer sends, and a decoder for what the system answers.
//!
//! This is on purpose not `hearken_wire`: the test's reading of a packet must not share a bug with the code under test.

use core::net::{IpAddr, SocketAddr};

use md5::Digest;

/// One TCP option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opt {
    /// No operation.
    Nop,
    /// End of the list.
    Eol,
    /// Maximum segment size.
    Mss(u16),
    /// Window scale.
    Wscale(u8),
    /// SACK permitted.
    SackOk,
    /// Timestamps: value, echo reply.
    Ts(u32, u32),
    /// One SACK block.
    Sack(u32, u32),
    /// Fast Open: the cookie, and whether it stands in the experimental option (254 with 0xF989).
    FastOpen(Cookie, bool),
    /// An MD5 signature (RFC 2385).
    Md5([u8; 16]),
    /// Any other: kind and length.
    Other(u8, u8),
}

/// What a Fast Open option holds: up to 18 bytes, two more than RFC 7413 allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Cookie {
    bytes: [u8; 18],
    len: u8,
}

impl Cookie {
    /// A cookie of these bytes.
    pub fn new(bytes: &[u8]) -> Self {
        let mut cookie = Cookie {
            len: bytes.len() as u8,
            ..Cookie::default()
        };
        cookie.bytes[..bytes.len()].copy_from_slice(bytes);
        cookie
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl Opt {
    fn emit(self, out: &mut Vec<u8>) {
        match self {
            Opt::Nop => out.push(1),
            Opt::Eol => out.push(0),
            Opt::Mss(mss) => {
                out.extend([2, 4]);
                out.extend(mss.to_be_bytes());
            }
            Opt::Wscale(shift) => out.extend([3, 3, shift]),
            Opt::SackOk => out.extend([4, 2]),
            Opt::Ts(value, echo) => {
                out.extend([8, 10]);
                out.extend(value.to_be_bytes());
                out.extend(echo.to_be_bytes());
            }
            Opt::Sack(left, right) => {
                out.extend([5, 10]);
                out.extend(left.to_be_bytes());
                out.extend(right.to_be_bytes());
            }
            Opt::FastOpen(cookie, experimental) => {
                match experimental {
                    false => out.extend([34, 2 + cookie.len]),
                    true => out.extend([254, 4 + cookie.len, 0xf9, 0x89]),
                }
                out.extend(cookie.bytes());
            }
            Opt::Md5(digest) => {
                out.extend([19, 18]);
                out.extend(digest);
            }
            Opt::Other(kind, len) => {
                out.extend([kind, len]);
                out.extend(vec![0; usize::from(len).saturating_sub(2)]);
            }
        }
    }

    fn parse_all(mut bytes: &[u8]) -> Vec<Opt> {
        let mut out = Vec::new();
        while let [kind, rest @ ..] = bytes {
            match kind {
                0 => {
                    out.push(Opt::Eol);
                    break;
                }
                1 => {
                    out.push(Opt::Nop);
                    bytes = rest;
                    continue;
                }
                _ => {}
            }
            let len = usize::from(*rest.first().expect("an option without a length"));
            assert!(len >= 2 && len <= bytes.len(), "an option of length {len}");
            let body = &bytes[2..len];
            let word =
                |at: usize| u32::from_be_bytes(body[at..at + 4].try_into().expect("four bytes"));
            // Several SACK blocks are shown one by one.
            if let (5, 16 | 24 | 32) = (kind, body.len()) {
                let blocks = (0..body.len() / 8).map(|n| Opt::Sack(word(8 * n), word(8 * n + 4)));
                out.extend(blocks);
                bytes = &bytes[len..];
                continue;
            }
            out.push(match (kind, body.len()) {
                (2, 2) => Opt::Mss(u16::from_be_bytes([body[0], body[1]])),
                (3, 1) => Opt::Wscale(body[0]),
                (4, 0) => Opt::SackOk,
                (8, 8) => Opt::Ts(word(0), word(4)),
                (5, 8) => Opt::Sack(word(0), word(4)),
                (34, 0..=18) => Opt::FastOpen(Cookie::new(body), false),
                (254, 2..=20) if body.starts_with(&[0xf9, 0x89]) => {
                    Opt::FastOpen(Cookie::new(&body[2..]), true)
                }
                (19, 16) => Opt::Md5(body.try_into().expect("sixteen bytes")),
                _ => Opt::Other(*kind, len as u8),
            });
            bytes = &bytes[len..];
        }
        out
    }
}

/// The letters of the TCP flags in the order of their bits: `SA` is SYN+ACK, `RA` is RST+ACK. `N` is the ninth (AE, once NS).
const FLAGS: &[u8; 9] = b"FSRPAUECN";

/// A TCP segment in an IP packet that a remote peer sends.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Source.
    pub src: SocketAddr,
    /// Destination, of the same family.
    pub dst: SocketAddr,
    /// Flags as letters (`SA`).
    pub flags: String,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgment number.
    pub ack: u32,
    /// Window.
    pub window: u16,
    /// Urgent pointer.
    pub urgent: u16,
    /// Options, padded with NOPs.
    pub options: Vec<Opt>,
    /// Payload.
    pub data: Vec<u8>,
    /// TTL or hop limit.
    pub ttl: u8,
    /// TOS or traffic class.
    pub tos: u8,
    /// Spoil the TCP checksum.
    pub bad_checksum: bool,
}

impl Segment {
    /// A segment with window 65535, TTL 64 and nothing else.
    pub fn new(src: SocketAddr, dst: SocketAddr, flags: &str, seq: u32, ack: u32) -> Self {
        Segment {
            src,
            dst,
            flags: flags.to_owned(),
            seq,
            ack,
            window: 65535,
            urgent: 0,
            options: Vec::new(),
            data: Vec::new(),
            ttl: 64,
            tos: 0,
            bad_checksum: false,
        }
    }

    /// With these options.
    pub fn options(mut self, options: &[Opt]) -> Self {
        self.options = options.to_vec();
        self
    }

    /// With this payload.
    pub fn data(mut self, data: &[u8]) -> Self {
        self.data = data.to_vec();
        self
    }

    /// Signed (RFC 2385) as Linux does it: the signature comes first, behind two NOPs.
    pub fn signed(mut self, key: &[u8]) -> Self {
        self.options
            .splice(..0, [Opt::Nop, Opt::Nop, Opt::Md5([0; 16])]);
        self.options[2] = Opt::Md5(digest(&self, key));
        self
    }

    /// The whole IP packet.
    pub fn packet(&self) -> Vec<u8> {
        let mut tcp = self.tcp();
        let mut sum = transport_checksum(self.src.ip(), self.dst.ip(), 6, &tcp);
        if self.bad_checksum {
            sum ^= 0x1234;
        }
        tcp[16..18].copy_from_slice(&sum.to_be_bytes());
        wrap(self.src.ip(), self.dst.ip(), 6, self.ttl, self.tos, &tcp)
    }

    /// The TCP part, without a checksum.
    fn tcp(&self) -> Vec<u8> {
        let mut options = Vec::new();
        // SACK blocks side by side are one option, as they were read.
        let mut blocks = None;
        for option in &self.options {
            match (option, blocks) {
                (Opt::Sack(left, right), Some(at)) => {
                    options.extend(left.to_be_bytes());
                    options.extend(right.to_be_bytes());
                    let len: &mut u8 = &mut options[at];
                    *len += 8;
                }
                _ => {
                    let at = options.len() + 1;
                    blocks = matches!(option, Opt::Sack(..)).then_some(at);
                    option.emit(&mut options);
                }
            }
        }
        while options.len() % 4 != 0 {
            options.push(1);
        }
        let mut bits = 0u16;
        for letter in self.flags.bytes() {
            let at = FLAGS
                .iter()
                .position(|flag| *flag == letter)
                .expect("a flag's letter");
            bits |= 1 << at;
        }
        let mut tcp = Vec::new();
        tcp.extend(self.src.port().to_be_bytes());
        tcp.extend(self.dst.port().to_be_bytes());
        tcp.extend(self.seq.to_be_bytes());
        tcp.extend(self.ack.to_be_bytes());
        let words = (5 + options.len() / 4) as u16;
        tcp.extend((words << 12 | bits).to_be_bytes());
        tcp.extend(self.window.to_be_bytes());
        tcp.extend([0; 2]);
        tcp.extend(self.urgent.to_be_bytes());
        tcp.extend(&options);
        tcp.extend(&self.data);
        tcp
    }
}

fn digest(s: &Segment, key: &[u8]) -> [u8; 16] {
    md5_signature(s.src.ip(), s.dst.ip(), &s.tcp(), key)
}

/// RFC 2385 2.0: pseudo-header, TCP header without options and checksum, payload, key.
pub fn md5_signature(src: IpAddr, dst: IpAddr, tcp: &[u8], key: &[u8]) -> [u8; 16] {
    let mut all = Vec::new();
    match (src, dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            all.extend(src.octets());
            all.extend(dst.octets());
            all.extend([0, 6]);
            all.extend((tcp.len() as u16).to_be_bytes());
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            all.extend(src.octets());
            all.extend(dst.octets());
            all.extend((tcp.len() as u32).to_be_bytes());
            all.extend([0, 0, 0, 6]);
        }
        _ => panic!("one packet, two families"),
    }
    all.extend(&tcp[..16]);
    all.extend([0, 0]);
    all.extend(&tcp[18..20]);
    all.extend(&tcp[usize::from(tcp[12] >> 4) * 4..]);
    all.extend(key);
    md5::Md5::digest(all).into()
}

/// Puts an IP header in front of `body`.
pub fn wrap(src: IpAddr, dst: IpAddr, protocol: u8, ttl: u8, tos: u8, body: &[u8]) -> Vec<u8> {
    let mut ip = Vec::new();
    match (src, dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            ip.extend([0x45, tos]);
            ip.extend((20 + body.len() as u16).to_be_bytes());
            ip.extend([0, 1, 0x40, 0, ttl, protocol, 0, 0]);
            ip.extend(src.octets());
            ip.extend(dst.octets());
            let sum = checksum(&ip);
            ip[10..12].copy_from_slice(&sum.to_be_bytes());
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            ip.extend((0x6000_0000u32 | u32::from(tos) << 20).to_be_bytes());
            ip.extend((body.len() as u16).to_be_bytes());
            ip.extend([protocol, ttl]);
            ip.extend(src.octets());
            ip.extend(dst.octets());
        }
        _ => panic!("one packet, two families"),
    }
    ip.extend(body);
    ip
}

/// An ICMP error of either family about a TCP segment that the system sent.
#[derive(Clone, Debug)]
pub struct Icmp {
    /// Who sends it.
    pub src: IpAddr,
    /// Type (ICMP's or ICMPv6's).
    pub kind: u8,
    /// Code.
    pub code: u8,
    /// The four bytes after the checksum (next-hop MTU, pointer).
    pub extra: u32,
}

impl Icmp {
    /// The error as an IP packet, quoting a segment `local` -> `remote` with sequence number `seq`.
    pub fn packet(&self, local: SocketAddr, remote: SocketAddr, seq: u32) -> Vec<u8> {
        let mut quoted = Segment::new(local, remote, "SA", seq, 0).packet();
        let v4 = local.is_ipv4();
        // ICMP quotes the header and 8 bytes; ICMPv6 as much as fits.
        quoted.truncate(if v4 { 28 } else { 60 });
        let mut icmp = vec![self.kind, self.code, 0, 0];
        icmp.extend(self.extra.to_be_bytes());
        icmp.extend(quoted);
        let sum = match v4 {
            true => checksum(&icmp),
            false => transport_checksum(self.src, local.ip(), 58, &icmp),
        };
        icmp[2..4].copy_from_slice(&sum.to_be_bytes());
        wrap(self.src, local.ip(), if v4 { 1 } else { 58 }, 64, 0, &icmp)
    }
}

/// The Internet checksum of `bytes` (RFC 1071).
pub fn checksum(bytes: &[u8]) -> u16 {
    let mut sum = 0u32;
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
    }
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// The checksum of a transport header and payload with the pseudo header in front.
pub fn transport_checksum(src: IpAddr, dst: IpAddr, protocol: u8, body: &[u8]) -> u16 {
    let mut pseudo = Vec::new();
    for address in [src, dst] {
        match address {
            IpAddr::V4(address) => pseudo.extend(address.octets()),
            IpAddr::V6(address) => pseudo.extend(address.octets()),
        }
    }
    pseudo.extend((body.len() as u32).to_be_bytes());
    pseudo.extend([0, 0, 0, protocol]);
    pseudo.extend(body);
    checksum(&pseudo)
}

/// A TCP packet that the system sent, decoded; its checksums were right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Source.
    pub src: SocketAddr,
    /// Destination.
    pub dst: SocketAddr,
    /// Flags as letters.
    pub flags: String,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgment number.
    pub ack: u32,
    /// Window, unscaled.
    pub window: u16,
    /// Urgent pointer.
    pub urgent: u16,
    /// Options in their order, NOPs included.
    pub options: Vec<Opt>,
    /// Payload.
    pub data: Vec<u8>,
    /// TTL or hop limit.
    pub ttl: u8,
    /// TOS or traffic class.
    pub tos: u8,
    /// IPv4 identification; 0 for IPv6.
    pub id: u16,
    /// IPv4's don't-fragment bit; false for IPv6.
    pub df: bool,
    /// IPv6 flow label; 0 for IPv4.
    pub flow: u32,
}

impl Packet {
    /// Decodes an IP packet; `None` if it is not TCP. Panics on a malformed header or a wrong checksum: the system made it.
    pub fn parse(bytes: &[u8]) -> Option<Packet> {
        let v4 = bytes[0] >> 4 == 4;
        let (src, dst, body): (IpAddr, IpAddr, &[u8]);
        if v4 {
            let header = usize::from(bytes[0] & 15) * 4;
            assert_eq!(checksum(&bytes[..header]), 0, "IPv4 header checksum");
            let total = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
            assert_eq!(total, bytes.len(), "IPv4 total length");
            if bytes[9] != 6 {
                return None;
            }
            src = IpAddr::from(<[u8; 4]>::try_from(&bytes[12..16]).expect("four bytes"));
            dst = IpAddr::from(<[u8; 4]>::try_from(&bytes[16..20]).expect("four bytes"));
            body = &bytes[header..];
        } else {
            assert_eq!(
                usize::from(u16::from_be_bytes([bytes[4], bytes[5]])) + 40,
                bytes.len()
            );
            if bytes[6] != 6 {
                return None;
            }
            src = IpAddr::from(<[u8; 16]>::try_from(&bytes[8..24]).expect("sixteen bytes"));
            dst = IpAddr::from(<[u8; 16]>::try_from(&bytes[24..40]).expect("sixteen bytes"));
            body = &bytes[40..];
        }
        assert_eq!(transport_checksum(src, dst, 6, body), 0, "TCP checksum");
        let word = |at: usize| u32::from_be_bytes(body[at..at + 4].try_into().expect("four bytes"));
        let half = |at: usize| u16::from_be_bytes([body[at], body[at + 1]]);
        let header = usize::from(half(12) >> 12) * 4;
        let flags = (0..9).filter(|bit| half(12) >> bit & 1 == 1);
        Some(Packet {
            src: SocketAddr::new(src, half(0)),
            dst: SocketAddr::new(dst, half(2)),
            flags: flags.map(|bit| char::from(FLAGS[bit])).collect(),
            seq: word(4),
            ack: word(8),
            window: half(14),
            urgent: half(18),
            options: Opt::parse_all(&body[20..header]),
            data: body[header..].to_vec(),
            ttl: if v4 { bytes[8] } else { bytes[7] },
            tos: if v4 {
                bytes[1]
            } else {
                bytes[0] << 4 | bytes[1] >> 4
            },
            id: if v4 {
                u16::from_be_bytes([bytes[4], bytes[5]])
            } else {
                0
            },
            df: v4 && bytes[6] & 0x40 != 0,
            flow: if v4 {
                0
            } else {
                u32::from_be_bytes([0, bytes[1] & 15, bytes[2], bytes[3]])
            },
        })
    }

    /// Whether the packet bears a signature, and the one by this key.
    pub fn is_signed_by(&self, key: &[u8]) -> bool {
        let flags = self.flags.clone();
        let same = Segment {
            window: self.window,
            options: self.options.clone(),
            data: self.data.clone(),
            flags,
            ..Segment::new(self.src, self.dst, "", self.seq, self.ack)
        };
        self.options.contains(&Opt::Md5(digest(&same, key)))
    }

    /// The options but for a signature and the two NOPs in front of it.
    pub fn beside_signature(&self) -> &[Opt] {
        match &self.options[..] {
            [Opt::Nop, Opt::Nop, Opt::Md5(_), rest @ ..] => rest,
            all => all,
        }
    }

    /// The timestamp option's value, if there is one.
    pub fn ts(&self) -> Option<u32> {
        self.options.iter().find_map(|option| match option {
            Opt::Ts(value, _) => Some(*value),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segment_of_either_family_is_read_back() {
        for (src, dst) in [
            ("192.0.2.2:7", "192.0.2.1:80"),
            ("[2001:db8::2]:7", "[2001:db8::1]:80"),
        ] {
            let (src, dst) = (src.parse().unwrap(), dst.parse().unwrap());
            let options = [
                Opt::Mss(1460),
                Opt::SackOk,
                Opt::Ts(5, 6),
                Opt::Nop,
                Opt::Wscale(7),
            ];
            let segment = Segment::new(src, dst, "SA", 1, 2)
                .options(&options)
                .data(b"xyz");
            let packet = Packet::parse(&segment.packet()).unwrap();
            assert_eq!(
                (packet.src, packet.dst, packet.flags.as_str()),
                (src, dst, "SA")
            );
            assert_eq!((packet.seq, packet.ack, packet.window), (1, 2, 65535));
            assert_eq!(packet.options, options);
            assert_eq!(packet.data, b"xyz");
        }
    }

    #[test]
    #[should_panic(expected = "TCP checksum")]
    fn packet_with_a_bad_checksum_panics() {
        let (src, dst) = (
            "192.0.2.2:7".parse().unwrap(),
            "192.0.2.1:80".parse().unwrap(),
        );
        let mut segment = Segment::new(src, dst, "S", 1, 2);
        segment.bad_checksum = true;
        Packet::parse(&segment.packet());
    }
}
