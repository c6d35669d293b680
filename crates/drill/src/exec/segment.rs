//! What a script says of a packet, as values: what goes in, and what must come out.

use core::net::SocketAddr;

use super::compare::{self, Expected, ExpectedIp};
use super::conn::Connection;
use super::md5;
use super::options::{ACC_ECN_0, ACC_ECN_1, TcpOption};
use super::packet::{Body, Icmp, Packet, Tcp, flag};
use super::world::World;
use crate::ast;

/// The value of an inbound packet's TTL that the script does not give.
const TTL: u8 = 255;
/// The most that an ICMPv6 error quotes: the least MTU without the headers before it (RFC 4443 2.4).
const QUOTE_V6: usize = 1280 - 40 - 8;
/// What an ICMP error quotes: the IP header and eight bytes (RFC 792).
const QUOTE_V4: usize = 28;

fn flags(of: ast::TcpFlags) -> u16 {
    let letters = [
        (of.fin, flag::FIN),
        (of.syn, flag::SYN),
        (of.rst, flag::RST),
        (of.psh, flag::PSH),
        (of.ack, flag::ACK),
        (of.urg, flag::URG),
        (of.ece, flag::ECE),
        (of.cwr, flag::CWR),
        (of.ae, flag::AE),
    ];
    let set = letters.iter().filter(|(on, _)| *on);
    let ace = of.ace.unwrap_or(0);
    let ace = [(4, flag::AE), (2, flag::CWR), (1, flag::ECE)]
        .iter()
        .filter(|(bit, _)| ace & bit != 0)
        .fold(0, |all, (_, flag)| all | flag);
    set.fold(ace, |all, (_, flag)| all | flag)
}

fn option(of: &ast::TcpOptionKind, inbound: bool) -> TcpOption {
    use ast::TcpOptionKind as Kind;
    match of {
        Kind::Nop => TcpOption::Nop,
        Kind::Eol => TcpOption::Eol,
        Kind::Mss(mss) => TcpOption::Mss(*mss),
        Kind::Wscale(shift) => TcpOption::Wscale(*shift),
        Kind::SackOk => TcpOption::SackOk,
        Kind::Sack(blocks) => TcpOption::Sack(blocks.clone()),
        Kind::Timestamps { val, ecr } => TcpOption::Ts {
            val: *val,
            ecr: *ecr,
        },
        Kind::FastOpen {
            experimental,
            cookie,
        } => TcpOption::FastOpen {
            cookie: cookie.clone(),
            exp: *experimental,
        },
        Kind::Md5Valid => TcpOption::Md5(md5::VALID.to_vec()),
        Kind::Md5(Some(digest)) => TcpOption::Md5(digest.to_vec()),
        // Inbound a wrong digest on purpose; outbound, an empty one stands for any.
        Kind::Md5(None) if inbound => TcpOption::Md5(vec![0; 16]),
        Kind::Md5(None) => TcpOption::Md5(Vec::new()),
        Kind::AccEcn(fields) => TcpOption::AccEcn {
            kind: match fields.first() {
                Some((ast::AccEcnField::E1b, _)) => ACC_ECN_1,
                _ => ACC_ECN_0,
            },
            fields: fields.iter().map(|(_, value)| *value).collect(),
        },
        Kind::Bytes(bytes) => TcpOption::Raw(bytes.clone()),
    }
}

/// The options of an outbound segment; bytes that are an option are that option.
fn expected_options(of: &ast::Options) -> Option<Vec<TcpOption>> {
    let ast::Options::List(list) = of else {
        return None;
    };
    let mut out = Vec::new();
    for entry in list {
        match option(&entry.kind, false) {
            TcpOption::Raw(bytes) => match TcpOption::parse_all(&bytes) {
                Ok(parsed) => out.extend(parsed),
                Err(_) => out.push(TcpOption::Raw(bytes)),
            },
            other => out.push(other),
        }
    }
    Some(out)
}

/// A segment that the script sends, in its own numbers.
pub(crate) fn inbound(of: &ast::Segment, world: &World) -> Tcp {
    let mut options = match &of.options {
        ast::Options::Unchecked => Vec::new(),
        ast::Options::List(list) => list.iter().map(|o| option(&o.kind, true)).collect(),
    };
    if let Some(mss) = world.mss
        && of.flags.syn
        && !options.iter().any(|o| matches!(o, TcpOption::Mss(_)))
    {
        options.insert(0, TcpOption::Mss(mss));
    }
    Tcp {
        flags: flags(of.flags),
        seq: of.sequence.start,
        ack: of.ack.unwrap_or(0),
        window: of.window.unwrap_or(0),
        urgent: of.urgent.unwrap_or(0),
        options,
        len: of.sequence.len as usize,
    }
}

/// A segment that must come out.
pub(crate) fn expected(of: &ast::Segment, ip: &ast::IpInfo) -> Expected {
    Expected {
        flags: flags(of.flags),
        seq: of.sequence.start,
        len: of.sequence.len as usize,
        // Without the flag, the field must be zero.
        ack: of.ack.or((!of.flags.ack).then_some(0)),
        window: of.window,
        urgent: of.urgent.or((!of.flags.urg).then_some(0)),
        options: expected_options(&of.options),
        ip: expected_ip(ip),
    }
}

pub(crate) fn expected_ip(ip: &ast::IpInfo) -> ExpectedIp {
    let ecn = ip.ecn.map(|ecn| match ecn {
        ast::Ecn::NotEct => compare::Ecn::Is(0),
        ast::Ecn::Ect1 => compare::Ecn::Is(1),
        ast::Ecn::Ect0 => compare::Ecn::Is(2),
        ast::Ecn::Ce => compare::Ecn::Is(3),
        ast::Ecn::Ect01 => compare::Ecn::Ect01,
    });
    ExpectedIp {
        ecn,
        tos: ip.tos,
        ttl: ip.ttl,
        flow: ip.flow_label,
        id: ip.id,
        df: ip.df,
    }
}

/// An inbound packet with the IP header that the script asks for.
pub(crate) fn with_ip(src: SocketAddr, dst: SocketAddr, body: Body, ip: &ast::IpInfo) -> Packet {
    let mut packet = Packet::new(src, dst, body);
    let ecn = match ip.ecn {
        None | Some(ast::Ecn::NotEct) => 0,
        Some(ast::Ecn::Ect1) => 1,
        Some(ast::Ecn::Ect0 | ast::Ecn::Ect01) => 2,
        Some(ast::Ecn::Ce) => 3,
    };
    packet.tos = ip.tos.unwrap_or(0) & !3
        | if ip.ecn.is_some() {
            ecn
        } else {
            ip.tos.unwrap_or(0) & 3
        };
    packet.ttl = ip.ttl.unwrap_or(TTL);
    packet.flow = ip.flow_label.unwrap_or(0);
    packet.id = ip.id.unwrap_or(0);
    packet.df = ip.df.unwrap_or(false);
    packet
}

/// An ICMP message's type and code in either family.
pub(crate) fn icmp_type(of: &ast::Icmp, v4: bool) -> Option<(u8, u8)> {
    if v4 { of.v4() } else { of.v6() }
}

/// An ICMP message that the script sends, about a packet of this connection.
pub(crate) fn icmp(of: &ast::Icmp, connection: &Connection) -> Result<Icmp, String> {
    let v4 = connection.local.is_ipv4();
    let family = if v4 { "ICMP" } else { "ICMPv6" };
    let (kind, code) = icmp_type(of, v4).ok_or_else(|| format!("{family} has no such message"))?;
    let mut quoted = Vec::new();
    if let Some(about) = &of.quoted {
        let body = match about {
            ast::Quoted::Tcp(sequence) => Body::Tcp(Tcp {
                flags: flag::ACK,
                seq: connection.local_seq(sequence.start),
                len: sequence.len as usize,
                ..Tcp::default()
            }),
            ast::Quoted::Udp { len } => Body::Udp(usize::from(*len)),
        };
        quoted = Packet::new(connection.local, connection.remote, body).emit();
        quoted.truncate(if v4 { QUOTE_V4 } else { QUOTE_V6 });
    }
    let echo = of.echo_id.map(|id| u32::from(id) << 16);
    Ok(Icmp {
        kind,
        code,
        extra: of.mtu.or(echo).unwrap_or(0),
        quoted,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_of_an_ace_counter_are_the_three_bits() {
        let of = |ace| {
            flags(ast::TcpFlags {
                ack: true,
                ace: Some(ace),
                ..ast::TcpFlags::default()
            })
        };
        assert_eq!(of(0), flag::ACK);
        assert_eq!(of(5), flag::ACK | flag::AE | flag::ECE);
        assert_eq!(of(2), flag::ACK | flag::CWR);
    }
}
