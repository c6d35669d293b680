//! ICMP messages: `icmp unreachable frag_needed mtu 1200 [1:1001(1000)]`.

use super::Sequence;

/// An ICMP or ICMPv6 error about a packet of the connection, or an echo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Icmp {
    /// The word after `icmp`.
    pub kind: IcmpKind,
    /// What stands after it.
    pub code: IcmpCode,
    /// `mtu n`.
    pub mtu: Option<u32>,
    /// `id n`: of an echo.
    pub echo_id: Option<u16>,
    /// `[1:1001(1000)]`: the packet that it is about.
    pub quoted: Option<Quoted>,
}

impl Icmp {
    /// Type and code in the header of ICMP; `None` where that family has no such message.
    #[must_use]
    pub fn v4(&self) -> Option<(u8, u8)> {
        match self.kind {
            // RFC 1191: in IPv4 it is a code of "unreachable".
            IcmpKind::PacketTooBig => Some((3, 4)),
            _ => Some((self.kind.v4()?, self.code.number(false)?)),
        }
    }

    /// Type and code in the header of ICMPv6; `None` where that family has no such message.
    #[must_use]
    pub fn v6(&self) -> Option<(u8, u8)> {
        match (self.kind, self.code) {
            // RFC 4443 3.2: what IPv4 says by a code of "unreachable" has a type here.
            (IcmpKind::Unreachable, IcmpCode::Named("frag_needed")) => Some((2, 0)),
            _ => Some((self.kind.v6()?, self.code.number(true)?)),
        }
    }
}

/// The type of an ICMP message, the same word for both families.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IcmpKind {
    /// `unreachable`: 3, and 1 in ICMPv6.
    Unreachable,
    /// `packet_too_big`: ICMPv6 2; in IPv4 the same as `unreachable frag_needed`.
    PacketTooBig,
    /// `time_exceeded`: 11, and 3 in ICMPv6.
    TimeExceeded,
    /// `parameter_problem`: 12, and 4 in ICMPv6.
    ParameterProblem,
    /// `source_quench`: 4; IPv4 only.
    SourceQuench,
    /// `redirect`: 5, and 137 in ICMPv6.
    Redirect,
    /// `echo_request`: 8, and 128 in ICMPv6.
    EchoRequest,
    /// `echo_reply`: 0, and 129 in ICMPv6.
    EchoReply,
}

impl IcmpKind {
    /// Every one.
    pub const ALL: [IcmpKind; 8] = [
        IcmpKind::Unreachable,
        IcmpKind::PacketTooBig,
        IcmpKind::TimeExceeded,
        IcmpKind::ParameterProblem,
        IcmpKind::SourceQuench,
        IcmpKind::Redirect,
        IcmpKind::EchoRequest,
        IcmpKind::EchoReply,
    ];

    /// The word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            IcmpKind::Unreachable => "unreachable",
            IcmpKind::PacketTooBig => "packet_too_big",
            IcmpKind::TimeExceeded => "time_exceeded",
            IcmpKind::ParameterProblem => "parameter_problem",
            IcmpKind::SourceQuench => "source_quench",
            IcmpKind::Redirect => "redirect",
            IcmpKind::EchoRequest => "echo_request",
            IcmpKind::EchoReply => "echo_reply",
        }
    }

    const fn v4(self) -> Option<u8> {
        match self {
            IcmpKind::Unreachable => Some(3),
            IcmpKind::PacketTooBig => None,
            IcmpKind::TimeExceeded => Some(11),
            IcmpKind::ParameterProblem => Some(12),
            IcmpKind::SourceQuench => Some(4),
            IcmpKind::Redirect => Some(5),
            IcmpKind::EchoRequest => Some(8),
            IcmpKind::EchoReply => Some(0),
        }
    }

    const fn v6(self) -> Option<u8> {
        match self {
            IcmpKind::Unreachable => Some(1),
            IcmpKind::PacketTooBig => Some(2),
            IcmpKind::TimeExceeded => Some(3),
            IcmpKind::ParameterProblem => Some(4),
            IcmpKind::SourceQuench => None,
            IcmpKind::Redirect => Some(137),
            IcmpKind::EchoRequest => Some(128),
            IcmpKind::EchoReply => Some(129),
        }
    }
}

/// The code of an ICMP message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IcmpCode {
    /// Nothing is written: 0.
    Default,
    /// `frag_needed`, one of [`IcmpCode::names`].
    Named(&'static str),
    /// `code 13`: as a number (our extension).
    Number(u8),
}

/// Name, type, code in ICMP, code in ICMPv6. A name of one family stands for what comes nearest in the other.
const CODES: &[(&str, IcmpKind, Option<u8>, Option<u8>)] = {
    use IcmpKind::{ParameterProblem, Redirect, TimeExceeded, Unreachable};
    &[
        ("net_unreachable", Unreachable, Some(0), Some(0)),
        ("no_route", Unreachable, Some(0), Some(0)),
        ("host_unreachable", Unreachable, Some(1), Some(3)),
        ("addr_unreachable", Unreachable, Some(1), Some(3)),
        ("address_unreachable", Unreachable, Some(1), Some(3)),
        ("protocol_unreachable", Unreachable, Some(2), None),
        ("port_unreachable", Unreachable, Some(3), Some(4)),
        ("frag_needed", Unreachable, Some(4), None),
        ("source_route_failed", Unreachable, Some(5), None),
        ("net_unknown", Unreachable, Some(6), None),
        ("host_unknown", Unreachable, Some(7), None),
        ("source_host_isolated", Unreachable, Some(8), None),
        ("net_prohibited", Unreachable, Some(9), Some(1)),
        ("host_prohibited", Unreachable, Some(10), Some(1)),
        ("net_unreachable_for_tos", Unreachable, Some(11), None),
        ("host_unreachable_for_tos", Unreachable, Some(12), None),
        ("admin_prohibited", Unreachable, Some(13), Some(1)),
        ("packet_filtered", Unreachable, Some(13), Some(1)),
        ("precedence_violation", Unreachable, Some(14), None),
        ("precedence_cutoff", Unreachable, Some(15), None),
        ("not_neighbour", Unreachable, None, Some(2)),
        ("beyond_scope", Unreachable, None, Some(2)),
        ("policy_failed", Unreachable, None, Some(5)),
        ("reject_route", Unreachable, None, Some(6)),
        ("ttl_exceeded", TimeExceeded, Some(0), Some(0)),
        ("hop_limit_exceeded", TimeExceeded, Some(0), Some(0)),
        ("reassembly_exceeded", TimeExceeded, Some(1), Some(1)),
        ("header_field", ParameterProblem, Some(0), Some(0)),
        ("unknown_next_header", ParameterProblem, None, Some(1)),
        ("unknown_option", ParameterProblem, None, Some(2)),
        ("for_net", Redirect, Some(0), Some(0)),
        ("for_host", Redirect, Some(1), Some(0)),
    ]
};

impl IcmpCode {
    /// The names of a type's codes.
    pub fn names(kind: IcmpKind) -> impl Iterator<Item = &'static str> {
        CODES.iter().filter(move |c| c.1 == kind).map(|c| c.0)
    }

    /// The code of that name.
    #[must_use]
    pub fn named(kind: IcmpKind, name: &str) -> Option<IcmpCode> {
        IcmpCode::names(kind)
            .find(|n| *n == name)
            .map(IcmpCode::Named)
    }

    fn number(self, v6: bool) -> Option<u8> {
        match self {
            IcmpCode::Default => Some(0),
            IcmpCode::Number(number) => Some(number),
            IcmpCode::Named(name) => {
                let row = CODES.iter().find(|c| c.0 == name)?;
                if v6 { row.3 } else { row.2 }
            }
        }
    }
}

/// What an ICMP error quotes of the packet that it is about; that packet went the other way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quoted {
    /// `[1:1001(1000)]`: a TCP segment with these sequence numbers.
    Tcp(Sequence),
    /// `[udp (100)]`: a datagram with so much payload.
    Udp {
        /// Bytes of payload.
        len: u16,
    },
}
