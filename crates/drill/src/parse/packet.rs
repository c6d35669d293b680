//! Packets.

use std::net::IpAddr;

use super::cursor::{Cursor, Parsed};
use super::{icmp, tcp_option, time};
use crate::ast::{
    Body, Direction, Ecn, Endpoint, IpInfo, Options, Packet, Ports, Segment, Sequence, TcpFlags,
};
use crate::span::Span;

/// A packet; `<` or `>` stands here.
pub(crate) fn packet(cursor: &mut Cursor<'_>) -> Parsed<Packet> {
    let from = cursor.place();
    let direction = if cursor.eat("<") {
        Direction::In
    } else {
        cursor.expect(">", "`<` or `>`")?;
        Direction::Out
    };
    let mut connection = connection(cursor)?;
    cursor.skip_space();
    let ip = if cursor.peek() == Some('[') && !endpoint_follows(cursor) {
        ip_info(cursor)?
    } else {
        IpInfo::default()
    };
    // `[ect0] @name` is a user's guess as good as `@name [ect0]`.
    if connection.is_none() {
        connection = self::connection(cursor)?;
    }
    let ports = ports(cursor)?;
    let body = body(cursor, direction)?;
    Ok(Packet {
        span: cursor.span(from),
        direction,
        connection,
        ip,
        ports,
        body,
    })
}

/// `@name`.
fn connection(cursor: &mut Cursor<'_>) -> Parsed<Option<String>> {
    cursor.skip_space();
    if !cursor.eat("@") {
        return Ok(None);
    }
    let name = cursor.run();
    if name.is_empty() {
        return cursor.expected("the name of a connection after @");
    }
    Ok(Some(name))
}

/// `[ect0, ttl 64]`.
fn ip_info(cursor: &mut Cursor<'_>) -> Parsed<IpInfo> {
    const WHAT: &str = "ect0, ect1, ect01, ce, noecn, tos, ttl, flowlabel, id, df or nodf";
    let mut info = IpInfo::default();
    cursor.expect("[", "[")?;
    loop {
        cursor.skip_space();
        let from = cursor.place();
        match cursor.run().to_ascii_lowercase().as_str() {
            "noecn" => info.ecn = Some(Ecn::NotEct),
            "ect0" => info.ecn = Some(Ecn::Ect0),
            "ect1" => info.ecn = Some(Ecn::Ect1),
            "ect01" => info.ecn = Some(Ecn::Ect01),
            "ce" => info.ecn = Some(Ecn::Ce),
            "tos" | "tclass" => info.tos = Some(cursor.u8("the TOS byte")?),
            "ttl" | "hlim" => info.ttl = Some(cursor.u8("the TTL")?),
            "flowlabel" => {
                let label = cursor.number("the flow label", 0xf_ffff)?;
                info.flow_label = u32::try_from(label).ok();
            }
            "id" => info.id = Some(cursor.u16("the identification field")?),
            "df" => info.df = Some(true),
            "nodf" => info.df = Some(false),
            _ => {
                cursor.back_to(from);
                return cursor.expected(WHAT);
            }
        }
        cursor.skip_space();
        if cursor.eat("]") {
            return Ok(info);
        }
        cursor.expect(",", "`,` or `]`")?;
    }
}

/// Whether `[2001:db8::1]:80` and not `[ect0]` stands here.
fn endpoint_follows(cursor: &mut Cursor<'_>) -> bool {
    let place = cursor.place();
    let follows = endpoint(cursor).is_ok_and(|e| e.is_some());
    cursor.back_to(place);
    follows
}

/// `40000 > 8080`, with or without addresses; nothing if it is not there.
fn ports(cursor: &mut Cursor<'_>) -> Parsed<Option<Ports>> {
    cursor.skip_space();
    let place = cursor.place();
    let Some(source) = endpoint(cursor)? else {
        cursor.back_to(place);
        return Ok(None);
    };
    cursor.skip_space();
    if !cursor.eat(">") {
        // Digits alone are flags: AccECN's counter.
        cursor.back_to(place);
        return Ok(None);
    }
    cursor.skip_space();
    match endpoint(cursor)? {
        Some(destination) => Ok(Some(Ports {
            source,
            destination,
        })),
        None => cursor.expected("the port that the packet goes to"),
    }
}

fn endpoint(cursor: &mut Cursor<'_>) -> Parsed<Option<Endpoint>> {
    let from = cursor.place();
    let text = cursor.run_of(|c| c.is_ascii_hexdigit() || matches!(c, '.' | ':' | '[' | ']' | '%'));
    if !text.starts_with(|c: char| c.is_ascii_digit() || c == '[') {
        return Ok(None);
    }
    if text.chars().all(|c| c.is_ascii_digit()) {
        cursor.back_to(from);
        // A counter and the dot of ACK is `5.`; a lone digit may be one too.
        let place = cursor.place();
        let port = cursor.run_of(|c| c.is_ascii_digit());
        return match port.parse::<u16>() {
            Ok(port) => Ok(Some(Endpoint {
                address: None,
                port,
            })),
            Err(_) => Err((cursor.span(place), format!("`{port}` is no port"))),
        };
    }
    let Some((address, port)) = text.rsplit_once(':') else {
        return Ok(None);
    };
    let bare = address
        .strip_prefix('[')
        .and_then(|a| a.strip_suffix(']'))
        .unwrap_or(address);
    match (bare.parse::<IpAddr>(), port.parse::<u16>()) {
        (Ok(address), Ok(port)) => Ok(Some(Endpoint {
            address: Some(address),
            port,
        })),
        _ => Ok(None),
    }
}

fn body(cursor: &mut Cursor<'_>, direction: Direction) -> Parsed<Body> {
    cursor.skip_space();
    let from = cursor.place();
    match cursor.peek_word().as_str() {
        "udp" => {
            cursor.run();
            cursor.expect("(", "`(` and the bytes of payload")?;
            let len = cursor.u16("the bytes of payload")?;
            cursor.expect(")", "`)`")?;
            Ok(Body::Udp { len })
        }
        "icmp" | "icmpv6" => {
            cursor.run();
            Ok(Body::Icmp(icmp::icmp(cursor)?))
        }
        "none" => {
            cursor.run();
            if direction == Direction::In {
                return Err((
                    cursor.span(from),
                    "`none` asserts that nothing goes out: write `> none +0.5`".to_owned(),
                ));
            }
            cursor.expect(
                "+",
                "`+` and for how long nothing goes out, as in `> none +0.5`",
            )?;
            Ok(Body::Silence(time::seconds(cursor)?))
        }
        word @ ("ipv4" | "ipv6" | "gre" | "mpls" | "vxlan") => Err((
            cursor.here(),
            format!("packets inside {word} are not supported: write the inner packet alone"),
        )),
        _ => Ok(Body::Tcp(segment(cursor, direction)?)),
    }
}

fn segment(cursor: &mut Cursor<'_>, direction: Direction) -> Parsed<Segment> {
    let flags = flags(cursor)?;
    let sequence = sequence(cursor)?;
    let mut segment = Segment {
        flags,
        sequence,
        ack: None,
        window: None,
        urgent: None,
        options: Options::List(Vec::new()),
    };
    let mut end = cursor.place();
    loop {
        cursor.skip_space();
        let from = cursor.place();
        let word = cursor.peek_word();
        let twice = match word.as_str() {
            "ack" => segment.ack.is_some(),
            "win" => segment.window.is_some(),
            "urg" => segment.urgent.is_some(),
            _ => false,
        };
        if twice {
            return Err((cursor.here(), format!("`{word}` is given twice")));
        }
        match word.as_str() {
            "ack" => {
                cursor.run();
                segment.ack = Some(cursor.u32("the acknowledgment number after `ack`")?);
            }
            "win" => {
                cursor.run();
                segment.window = Some(cursor.u16("the window after `win`")?);
            }
            "urg" => {
                cursor.run();
                segment.urgent = Some(cursor.u16("the urgent pointer after `urg`")?);
            }
            _ if cursor.peek() == Some('<') => {
                segment.options = tcp_option::options(cursor)?;
                if direction == Direction::In && segment.options == Options::Unchecked {
                    return Err((
                        cursor.span(from),
                        "`<...>` means that options are not compared; inbound, write the options that the segment has".to_owned(),
                    ));
                }
                end = cursor.place();
                break;
            }
            _ => break,
        }
        end = cursor.place();
    }
    cursor.back_to(end);
    if direction == Direction::In && segment.window.is_none() {
        let mut span = cursor.span(end.saturating_sub(1));
        span.width = 1;
        return Err((
            span,
            "expected `win` and the window: an inbound segment has one".to_owned(),
        ));
    }
    Ok(segment)
}

fn flags(cursor: &mut Cursor<'_>) -> Parsed<TcpFlags> {
    const WHAT: &str = "flags (letters of SFRP.UEWA, or `-` for none), `udp`, `icmp` or `none`";
    cursor.skip_space();
    let from = cursor.place();
    let text = cursor.run_of(|c| !c.is_whitespace());
    let span: Span = cursor.span(from);
    if text.is_empty() || text.starts_with('<') {
        cursor.back_to(from);
        return cursor.expected(WHAT);
    }
    let mut flags = TcpFlags::default();
    if text == "-" {
        return Ok(flags);
    }
    for c in text.chars() {
        if let Some(digit) = c.to_digit(8) {
            if flags.ace.is_some() {
                return Err((
                    span,
                    format!("`{text}` has two digits: AccECN's counter is one of 0 to 7"),
                ));
            }
            flags.ace = u8::try_from(digit).ok();
            continue;
        }
        let flag = match c {
            'S' => &mut flags.syn,
            'F' => &mut flags.fin,
            'R' => &mut flags.rst,
            'P' => &mut flags.psh,
            '.' => &mut flags.ack,
            'U' => &mut flags.urg,
            'E' => &mut flags.ece,
            'W' => &mut flags.cwr,
            'A' => &mut flags.ae,
            _ => return Err((span, format!("expected {WHAT}, found `{text}`"))),
        };
        if std::mem::replace(flag, true) {
            return Err((span, format!("`{text}` has the flag {c} twice")));
        }
    }
    if flags.ace.is_some() && (flags.ece || flags.cwr || flags.ae) {
        return Err((
            span,
            format!(
                "`{text}` gives AccECN's counter as a digit and as letters: A, W and E are its bits"
            ),
        ));
    }
    Ok(flags)
}

/// `1:1001(1000)`.
pub(crate) fn sequence(cursor: &mut Cursor<'_>) -> Parsed<Sequence> {
    const WHAT: &str = "sequence numbers like 1:1001(1000)";
    cursor.skip_space();
    let from = cursor.place();
    let start = cursor.u32(WHAT)?;
    cursor.expect(":", "`:` and the sequence number of the end")?;
    let end = cursor.u32("the sequence number of the end")?;
    cursor.expect("(", "`(` and the length")?;
    let len = cursor.u32("the length")?;
    cursor.expect(")", "`)`")?;
    if end.wrapping_sub(start) != len {
        return Err((
            cursor.span(from),
            format!(
                "{start}:{end} is {} bytes, and ({len}) says {len}",
                end.wrapping_sub(start)
            ),
        ));
    }
    Ok(Sequence { start, end, len })
}
