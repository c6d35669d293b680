//! What a sequence is made of: one operation on a small world of sockets, ports and remote peers.

use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use hearken_abi::sock::*;
use hearken_twin::{Opt, SYN_OPTIONS};

/// An address to bind or to connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    Any4,
    Any6,
    MappedAny,
    Loop4,
    Loop6,
    MappedLoop,
    /// The system's own address on `tun0`.
    Own4,
    Own6,
    MappedOwn,
    /// Nobody's address, without a route to it.
    Nowhere4,
    Nowhere6,
    /// The remote peer's address.
    Peer4,
    Peer6,
    MappedPeer,
}

impl To {
    pub(crate) const ALL: [To; 14] = [
        To::Any4,
        To::Any6,
        To::MappedAny,
        To::Loop4,
        To::Loop6,
        To::MappedLoop,
        To::Own4,
        To::Own6,
        To::MappedOwn,
        To::Nowhere4,
        To::Nowhere6,
        To::Peer4,
        To::Peer6,
        To::MappedPeer,
    ];

    /// Whether it is this host.
    pub(crate) fn is_here(self) -> bool {
        use To::{MappedPeer, Nowhere4, Nowhere6, Peer4, Peer6};
        !matches!(self, Nowhere4 | Nowhere6 | Peer4 | Peer6 | MappedPeer)
    }

    pub(crate) fn at(self, port: u16) -> SocketAddr {
        let mapped = |ip: Ipv4Addr| ip.to_ipv6_mapped().into();
        let own = Ipv4Addr::new(192, 0, 2, 1);
        let peer = Ipv4Addr::new(192, 0, 2, 2);
        let ip = match self {
            To::Any4 => Ipv4Addr::UNSPECIFIED.into(),
            To::Any6 => Ipv6Addr::UNSPECIFIED.into(),
            To::MappedAny => mapped(Ipv4Addr::UNSPECIFIED),
            To::Loop4 => Ipv4Addr::LOCALHOST.into(),
            To::Loop6 => Ipv6Addr::LOCALHOST.into(),
            To::MappedLoop => mapped(Ipv4Addr::LOCALHOST),
            To::Own4 => own.into(),
            To::Own6 => hearken_twin::LISTENER_V6,
            To::MappedOwn => mapped(own),
            To::Nowhere4 => Ipv4Addr::new(203, 0, 113, 9).into(),
            To::Nowhere6 => Ipv6Addr::new(0x2001, 0xdb8, 9, 0, 0, 0, 0, 9).into(),
            To::Peer4 => peer.into(),
            To::Peer6 => hearken_twin::PEER_V6,
            To::MappedPeer => mapped(peer),
        };
        SocketAddr::new(ip, port)
    }
}

/// The ports that sockets bind and peers send to.
pub(crate) const PORTS: [u16; 3] = [80, 8080, 8081];
/// The ports of the peers.
pub(crate) const PEER_PORTS: [u16; 2] = [7001, 7002];

/// The options that a sequence sets, each with the values that it may get.
pub(crate) const SOCKOPTS: &[(i32, i32, &[i32])] = &[
    (SOL_SOCKET, SO_REUSEADDR, &[0, 1]),
    (SOL_SOCKET, SO_REUSEPORT, &[0, 1]),
    (SOL_SOCKET, SO_KEEPALIVE, &[0, 1]),
    (SOL_SOCKET, SO_RCVBUF, &[0, 2500, 100_000]),
    (SOL_SOCKET, SO_RCVLOWAT, &[0, 1, 50]),
    (IPPROTO_IP, IP_FREEBIND, &[0, 1]),
    (IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &[0, 1]),
    (IPPROTO_IP, IP_TTL, &[0, 1, 42, 256]),
    (IPPROTO_IP, IP_TOS, &[0, 0x20, 0xff]),
    (IPPROTO_IPV6, IPV6_V6ONLY, &[0, 1]),
    (IPPROTO_TCP, TCP_NODELAY, &[0, 1]),
    (IPPROTO_TCP, TCP_CORK, &[0, 1]),
    (IPPROTO_TCP, TCP_MAXSEG, &[0, 87, 88, 536, 32768]),
    (IPPROTO_TCP, TCP_DEFER_ACCEPT, &[-1, 0, 1, 5]),
    (IPPROTO_TCP, TCP_SYNCNT, &[0, 1, 5, 128]),
    (IPPROTO_TCP, TCP_WINDOW_CLAMP, &[0, 1, 4000]),
    (IPPROTO_TCP, TCP_FASTOPEN, &[-1, 0, 1, 5]),
    (IPPROTO_TCP, TCP_QUICKACK, &[0, 1]),
    (IPPROTO_TCP, TCP_SAVE_SYN, &[0, 1, 2, 3]),
    (IPPROTO_TCP, TCP_USER_TIMEOUT, &[-1, 0, 5000]),
    (IPPROTO_TCP, TCP_LINGER2, &[-1, 0, 5]),
];

/// The sysctls that a sequence writes (of those that Hearken obeys), each with the values that it may get.
pub(crate) const SYSCTLS: &[(&str, &[&str])] = &[
    ("net.ipv4.tcp_syncookies", &["0", "1", "2", "3"]),
    ("net.ipv4.tcp_abort_on_overflow", &["0", "1"]),
    ("net.core.somaxconn", &["0", "1", "4096"]),
    ("net.ipv4.tcp_max_syn_backlog", &["1", "4", "2048"]),
    ("net.ipv4.tcp_timestamps", &["0", "1", "2"]),
    ("net.ipv4.tcp_sack", &["0", "1"]),
    ("net.ipv4.tcp_window_scaling", &["0", "1"]),
    ("net.ipv4.tcp_fastopen", &["0", "1", "3", "0x203", "0x603"]),
    ("net.ipv4.tcp_ecn", &["0", "1", "2"]),
    ("net.ipv4.tcp_fin_timeout", &["0", "5", "60"]),
    ("net.ipv4.tcp_migrate_req", &["0", "1"]),
    ("net.ipv4.tcp_synack_retries", &["0", "5"]),
    ("net.ipv4.ip_nonlocal_bind", &["0", "1"]),
    ("net.ipv4.ip_autobind_reuse", &["0", "1"]),
    ("net.ipv6.bindv6only", &["0", "1"]),
];

/// What a peer's SYN offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    Nothing,
    Mss,
    TinyMss,
    Everything,
    NoTimestamps,
    /// All, and asks for a Fast Open cookie.
    CookieRequest,
    /// All, with the last cookie that the system gave (eight wrong bytes if there is none) and data.
    CookieData,
}

impl Offer {
    pub(crate) const ALL: [Offer; 7] = [
        Offer::Nothing,
        Offer::Mss,
        Offer::TinyMss,
        Offer::Everything,
        Offer::NoTimestamps,
        Offer::CookieRequest,
        Offer::CookieData,
    ];

    pub(crate) fn options(self) -> Vec<Opt> {
        match self {
            Offer::Nothing => Vec::new(),
            Offer::Mss => vec![Opt::Mss(1000)],
            Offer::TinyMss => vec![Opt::Mss(10), Opt::SackOk],
            Offer::NoTimestamps => vec![Opt::Mss(1460), Opt::SackOk, Opt::Nop, Opt::Wscale(2)],
            Offer::Everything | Offer::CookieRequest | Offer::CookieData => SYN_OPTIONS.to_vec(),
        }
    }
}

/// The timestamp of a peer's segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stamp {
    /// As it should be: in use if both offered it.
    Right,
    /// Older than the last one.
    Old,
    /// Left out though it is in use.
    Missing,
}

/// A segment of a peer on a flow that exists, its numbers relative to what the peer knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seg {
    /// Which flow, counted as they began.
    pub(crate) flow: u8,
    pub(crate) flags: &'static str,
    /// Added to the next sequence number.
    pub(crate) seq: i32,
    /// Added to the next sequence number expected from the system.
    pub(crate) ack: i32,
    pub(crate) len: u16,
    pub(crate) window: u16,
    pub(crate) stamp: Stamp,
}

/// Type and code of an ICMP error.
type Code = (u8, u8);

/// The errors by ICMP that a peer sends: type and code, for IPv4 and for IPv6, and the fourth word.
pub(crate) const ICMPS: [(Code, Code, u32); 6] = [
    ((3, 1), (1, 0), 0),
    ((3, 3), (1, 4), 0),
    ((3, 4), (2, 0), 1300),
    ((3, 13), (1, 1), 0),
    ((11, 0), (3, 0), 0),
    ((12, 0), (4, 1), 0),
];

/// One operation. A socket is named by its place: the order in which sockets were made. An operation on a place that holds no
/// socket, or on a flow that is not there, does nothing on either system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Socket {
        v6: bool,
    },
    Bind {
        at: u8,
        to: To,
        port: u16,
    },
    Listen {
        at: u8,
        backlog: i32,
    },
    Accept {
        at: u8,
    },
    Connect {
        at: u8,
        to: To,
        port: u16,
    },
    Disconnect {
        at: u8,
    },
    Shutdown {
        at: u8,
        how: i32,
    },
    Close {
        at: u8,
    },
    Dup {
        at: u8,
    },
    Send {
        at: u8,
        len: usize,
        flags: i32,
    },
    FastOpen {
        at: u8,
        to: To,
        port: u16,
        len: usize,
    },
    Recv {
        at: u8,
        len: usize,
        flags: i32,
    },
    /// Which of [`SOCKOPTS`], and which of its values.
    Set {
        at: u8,
        option: usize,
        value: usize,
    },
    Get {
        at: u8,
        option: usize,
    },
    LingerZero {
        at: u8,
    },
    BindToDevice {
        at: u8,
        device: &'static str,
    },
    Error {
        at: u8,
    },
    Ioctl {
        at: u8,
        request: u32,
    },
    Watch {
        at: u8,
        events: u32,
    },
    /// Which of [`SYSCTLS`], and which of its values.
    Sysctl {
        name: usize,
        value: usize,
    },
    /// A peer's SYN, from which a flow begins.
    Syn {
        v6: bool,
        peer: usize,
        port: usize,
        offer: Offer,
    },
    Segment(Seg),
    /// Which of [`ICMPS`], about the flow's segment that starts at the first byte not acknowledged plus `seq`.
    Icmp {
        flow: u8,
        error: usize,
        seq: i32,
    },
}

impl Op {
    /// Ways to make an operation more usual.
    pub(crate) fn plainer(self) -> Vec<fn(Op) -> Op> {
        fn of(op: Op, change: fn(&mut Seg)) -> Op {
            let Op::Segment(mut segment) = op else {
                return op;
            };
            change(&mut segment);
            Op::Segment(segment)
        }
        match self {
            Op::Segment(_) => vec![
                |op| of(op, |s| s.stamp = Stamp::Right),
                |op| of(op, |s| s.window = 65535),
                |op| of(op, |s| s.ack = 0),
                |op| of(op, |s| s.seq = 0),
                |op| of(op, |s| s.len = 0),
                |op| of(op, |s| s.len = s.len.min(1)),
                |op| of(op, |s| s.flags = "A"),
            ],
            Op::Syn { .. } => vec![|op| with_offer(op, Offer::Everything), |op| {
                with_offer(op, Offer::Nothing)
            }],
            _ => Vec::new(),
        }
    }
}

fn with_offer(op: Op, offer: Offer) -> Op {
    match op {
        Op::Syn { v6, peer, port, .. } => Op::Syn {
            v6,
            peer,
            port,
            offer,
        },
        other => other,
    }
}
