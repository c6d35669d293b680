//! Packets: `< S 0:0(0) win 1000 <mss 1460>`.

use std::net::IpAddr;
use std::time::Duration;

use super::Icmp;
use crate::span::Span;

/// Which way a packet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// `<`: the script sends it to the system under test.
    In,
    /// `>`: the system under test must send it.
    Out,
}

/// One packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// From the direction on.
    pub span: Span,
    /// `<` or `>`.
    pub direction: Direction,
    /// `@name`: which connection, in scripts with several (our extension). `None` is the one without a name.
    /// The first packet under a name (an inbound SYN, or the outbound SYN of a `connect`) makes the connection.
    pub connection: Option<String>,
    /// `[...]`: what the IP header carries or must carry.
    pub ip: IpInfo,
    /// `40000 > 8080` or `192.0.2.7:40000 > 192.168.0.1:8080`: the addresses, where they are written.
    pub ports: Option<Ports>,
    /// The rest.
    pub body: Body,
}

/// The two ends of a packet as written: source first, whatever the direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// Who sends it.
    pub source: Endpoint,
    /// Who gets it.
    pub destination: Endpoint,
}

/// One end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// The address; `None` is the script's own for that side.
    pub address: Option<IpAddr>,
    /// The port.
    pub port: u16,
}

/// What is said of the IP header. Inbound, a `None` is the runner's choice (TTL 255, no ECN); outbound it is not compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IpInfo {
    /// `ect0`, `ect1`, `ect01`, `ce`, `noecn`.
    pub ecn: Option<Ecn>,
    /// `tos 0x10`: the whole TOS or traffic class byte.
    pub tos: Option<u8>,
    /// `ttl 64`: TTL or hop limit.
    pub ttl: Option<u8>,
    /// `flowlabel 0x12345` (IPv6).
    pub flow_label: Option<u32>,
    /// `id 7`: the identification field (IPv4; our extension).
    pub id: Option<u16>,
    /// `df` true, `nodf` false: "don't fragment" (IPv4; our extension).
    pub df: Option<bool>,
}

/// The ECN field (RFC 3168 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ecn {
    /// `noecn`: 00.
    NotEct,
    /// `ect0`: 10.
    Ect0,
    /// `ect1`: 01.
    Ect1,
    /// `ect01`: outbound, either of the two; inbound, ECT(0).
    Ect01,
    /// `ce`: 11.
    Ce,
}

/// What the packet carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// A TCP segment.
    Tcp(Segment),
    /// `udp (100)`: a datagram with so many bytes of payload.
    Udp {
        /// Bytes of payload.
        len: u16,
    },
    /// `icmp unreachable ...`.
    Icmp(Icmp),
    /// `> none +0.5`: nothing goes out for so long after the event's time (our extension). On a named connection: nothing of that connection.
    Silence(Duration),
}

/// A TCP segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The flags.
    pub flags: TcpFlags,
    /// `1:1001(1000)`, relative to the sender's initial sequence number; a SYN's own number is that initial one.
    pub sequence: Sequence,
    /// `ack n`. `None`: the field is zero inbound, and must be zero outbound where ACK is not set.
    pub ack: Option<u32>,
    /// `win n`: the field of the header as it stands there, not scaled. Always present inbound.
    pub window: Option<u16>,
    /// `urg n`: the urgent pointer.
    pub urgent: Option<u16>,
    /// The options.
    pub options: Options,
}

/// Sequence numbers of a segment: `start:end(len)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sequence {
    /// Of the first byte.
    pub start: u32,
    /// One after the last byte of payload (SYN and FIN are not counted): `start + len`.
    pub end: u32,
    /// Bytes of payload.
    pub len: u32,
}

/// The flags of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TcpFlags {
    /// `F`.
    pub fin: bool,
    /// `S`.
    pub syn: bool,
    /// `R`.
    pub rst: bool,
    /// `P`.
    pub psh: bool,
    /// `.`.
    pub ack: bool,
    /// `U`.
    pub urg: bool,
    /// `E`; false where `ace` is given.
    pub ece: bool,
    /// `W`; false where `ace` is given.
    pub cwr: bool,
    /// `A`: accurate ECN, the bit that was NS; false where `ace` is given.
    pub ae: bool,
    /// A digit 0 to 7: the three ECN bits as AccECN's ACE counter (AE 4, CWR 2, ECE 1).
    pub ace: Option<u8>,
}

/// The options of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Options {
    /// `<...>`: not compared. Outbound only.
    Unchecked,
    /// In this order and with these paddings. Empty where nothing is written: then there are none.
    List(Vec<TcpOption>),
}

/// One TCP option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpOption {
    /// Where it stands.
    pub span: Span,
    /// Which.
    pub kind: TcpOptionKind,
}

/// What an option is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TcpOptionKind {
    /// `nop`.
    Nop,
    /// `eol`.
    Eol,
    /// `mss n`.
    Mss(u16),
    /// `wscale n`.
    Wscale(u8),
    /// `sackOK`.
    SackOk,
    /// `sack 1:1001 2001:3001`: relative to the initial sequence number of the side that sent the data.
    Sack(Vec<(u32, u32)>),
    /// `TS val a ecr b`.
    Timestamps {
        /// The sender's clock. Outbound relative to the first one sent.
        val: u32,
        /// The echoed clock. Inbound looked up among the values sent.
        ecr: u32,
    },
    /// `FO hex` (kind 34), `FOEXP hex` (kind 254 with the magic F989). An empty cookie asks for one.
    FastOpen {
        /// `FOEXP`.
        experimental: bool,
        /// The cookie.
        cookie: Vec<u8>,
    },
    /// `md5 hex` (RFC 2385, kind 19). `None`, written `md5` alone: outbound any digest; inbound sixteen zeros.
    Md5(Option<[u8; 16]>),
    /// `md5 valid`: the signature by the key that the script set last.
    Md5Valid,
    /// `ECN e0b 1 ceb 0 e1b 1`: AccECN's counters (RFC 9768 3.2.3), as many as are written. With `e0b` first the option is kind 172, with `e1b` first kind 174.
    AccEcn(Vec<(AccEcnField, u32)>),
    /// `bytes hex`: these bytes as they stand, kind and length included (our extension).
    Bytes(Vec<u8>),
}

/// A counter in an AccECN option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccEcnField {
    /// `e0b`: bytes under ECT(0).
    E0b,
    /// `ceb`: bytes under CE.
    Ceb,
    /// `e1b`: bytes under ECT(1).
    E1b,
}
