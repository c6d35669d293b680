//! An expected segment against the one that was sent, field by field.

use core::time::Duration;

use super::md5;
use super::options::TcpOption;
use super::packet::{Packet, Tcp, flag};

/// What a script expects of a segment; `None` is unchecked.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Expected {
    pub(crate) flags: u16,
    pub(crate) seq: u32,
    pub(crate) len: usize,
    pub(crate) ack: Option<u32>,
    pub(crate) window: Option<u16>,
    pub(crate) urgent: Option<u16>,
    pub(crate) options: Option<Vec<TcpOption>>,
    pub(crate) ip: ExpectedIp,
}

/// What a script expects of an IP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct ExpectedIp {
    /// The two ECN bits.
    pub(crate) ecn: Option<Ecn>,
    pub(crate) tos: Option<u8>,
    pub(crate) ttl: Option<u8>,
    pub(crate) flow: Option<u32>,
    pub(crate) id: Option<u16>,
    pub(crate) df: Option<bool>,
}

/// The ECN field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ecn {
    /// Exactly these bits.
    Is(u8),
    /// ECT(0) or ECT(1).
    Ect01,
}

/// A field that is not as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) field: &'static str,
    pub(crate) expected: String,
    pub(crate) sent: String,
}

fn differ(field: &'static str, expected: impl ToString, sent: impl ToString) -> Difference {
    Difference {
        field,
        expected: expected.to_string(),
        sent: sent.to_string(),
    }
}

/// Flags as a script writes them.
pub(crate) fn flags_text(flags: u16) -> String {
    let letters = [
        (flag::SYN, 'S'),
        (flag::FIN, 'F'),
        (flag::RST, 'R'),
        (flag::PSH, 'P'),
        (flag::ACK, '.'),
        (flag::URG, 'U'),
        (flag::ECE, 'E'),
        (flag::CWR, 'W'),
        (flag::AE, 'A'),
    ];
    let set = letters.iter().filter(|(bit, _)| flags & bit != 0);
    let text: String = set.map(|(_, letter)| letter).collect();
    if text.is_empty() {
        "-".to_owned()
    } else {
        text
    }
}

/// Options as a script writes them.
pub(crate) fn options_text(options: &[TcpOption]) -> String {
    if options.is_empty() {
        return "no options".to_owned();
    }
    let texts: Vec<String> = options.iter().map(ToString::to_string).collect();
    format!("<{}>", texts.join(","))
}

/// A segment as a script writes it.
pub(crate) fn segment_text(tcp: &Tcp) -> String {
    let end = tcp.seq.wrapping_add(tcp.len as u32);
    let mut text = format!("{} {}:{end}({})", flags_text(tcp.flags), tcp.seq, tcp.len);
    if tcp.has(flag::ACK) {
        text += &format!(" ack {}", tcp.ack);
    }
    text += &format!(" win {}", tcp.window);
    if tcp.has(flag::URG) {
        text += &format!(" urg {}", tcp.urgent);
    }
    if !tcp.options.is_empty() {
        text += &format!(" {}", options_text(&tcp.options));
    }
    text
}

/// How timestamps are held against the script's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamps {
    /// The system's value in the script's numbers, once there was a first.
    pub(crate) val: Option<u32>,
    /// How far it may be off; `None` leaves it unchecked.
    pub(crate) val_slack: Option<u32>,
    /// Whether the echo must be the script's.
    pub(crate) ecr: bool,
}

impl Stamps {
    /// The slack in ticks of a clock that ticks every `tick`.
    pub(crate) fn slack(tolerance: Duration, tick_usecs: u64) -> Option<u32> {
        let slack = u64::try_from(tolerance.as_micros()).ok()?;
        u32::try_from(slack.div_ceil(tick_usecs.max(1)) + 1).ok()
    }
}

fn options(expected: &[TcpOption], sent: &[TcpOption], stamps: Stamps) -> Option<Difference> {
    let alike = expected.len() == sent.len()
        && expected.iter().zip(sent).all(|pair| match pair {
            (TcpOption::Ts { val, ecr }, TcpOption::Ts { ecr: echo, .. }) => {
                let near = match (stamps.val_slack, stamps.val) {
                    (Some(slack), Some(is)) => {
                        is.wrapping_sub(*val) <= slack || val.wrapping_sub(is) <= slack
                    }
                    _ => true,
                };
                near && (!stamps.ecr || ecr == echo)
            }
            (TcpOption::Md5(wanted), TcpOption::Md5(sent)) if wanted == md5::VALID => {
                sent.ends_with(md5::VALID)
            }
            (TcpOption::Md5(wanted), TcpOption::Md5(sent)) if wanted.len() == 16 => {
                sent.starts_with(wanted)
            }
            // A digest that the script leaves open.
            (TcpOption::Md5(wanted), TcpOption::Md5(_)) if wanted.is_empty() => true,
            (expected, sent) => expected == sent,
        });
    if alike {
        return None;
    }
    // Shown in the script's numbers, like all the rest.
    let mut shown = sent.to_vec();
    for option in &mut shown {
        if let (TcpOption::Ts { val, .. }, Some(is)) = (option, stamps.val) {
            *val = is;
        }
    }
    Some(differ(
        "options",
        options_text(expected),
        options_text(&shown),
    ))
}

/// What differs in a segment (in the script's numbers) and its IP header.
pub(crate) fn segment(
    expected: &Expected,
    sent: &Tcp,
    packet: &Packet,
    stamps: Stamps,
) -> Vec<Difference> {
    let mut out = Vec::new();
    if expected.flags != sent.flags {
        out.push(differ(
            "flags",
            flags_text(expected.flags),
            flags_text(sent.flags),
        ));
    }
    if expected.seq != sent.seq {
        out.push(differ("seq", expected.seq, sent.seq));
    }
    if expected.len != sent.len {
        out.push(differ("length", expected.len, sent.len));
    }
    if let Some(ack) = expected.ack
        && ack != sent.ack
    {
        out.push(differ("ack", ack, sent.ack));
    }
    if let Some(window) = expected.window
        && window != sent.window
    {
        out.push(differ("win", window, sent.window));
    }
    if let Some(urgent) = expected.urgent
        && urgent != sent.urgent
    {
        out.push(differ("urg", urgent, sent.urgent));
    }
    if let Some(expected) = &expected.options {
        out.extend(options(expected, &sent.options, stamps));
    }
    ip(&expected.ip, packet, &mut out);
    out
}

/// What differs in an IP header.
pub(crate) fn ip(expected: &ExpectedIp, packet: &Packet, out: &mut Vec<Difference>) {
    let name = |bits: u8| ["noecn", "ect1", "ect0", "ce"][usize::from(bits & 3)];
    let bits = packet.tos & 3;
    match expected.ecn {
        Some(Ecn::Is(wanted)) if wanted != bits => {
            out.push(differ("ECN", name(wanted), name(bits)));
        }
        Some(Ecn::Ect01) if !matches!(bits, 1 | 2) => {
            out.push(differ("ECN", "ect01", name(bits)));
        }
        _ => {}
    }
    if let Some(tos) = expected.tos
        && tos != packet.tos
    {
        let hex = |tos: u8| format!("{tos:#04x}");
        out.push(differ("tos", hex(tos), hex(packet.tos)));
    }
    if let Some(ttl) = expected.ttl
        && ttl != packet.ttl
    {
        out.push(differ("ttl", ttl, packet.ttl));
    }
    if let Some(flow) = expected.flow
        && flow != packet.flow
    {
        let hex = |flow: u32| format!("{flow:#x}");
        out.push(differ("flowlabel", hex(flow), hex(packet.flow)));
    }
    if let Some(id) = expected.id
        && id != packet.id
    {
        out.push(differ("id", id, packet.id));
    }
    if let Some(df) = expected.df
        && df != packet.df
    {
        out.push(differ("DF", df, packet.df));
    }
}

#[cfg(test)]
mod tests {
    use super::super::packet::Body;
    use super::*;

    const FREE: Stamps = Stamps {
        val: None,
        val_slack: None,
        ecr: false,
    };

    fn pair() -> (Expected, Tcp) {
        let options = vec![TcpOption::Nop, TcpOption::Ts { val: 100, ecr: 7 }];
        let expected = Expected {
            flags: flag::ACK,
            seq: 1,
            len: 10,
            ack: Some(1),
            options: Some(options),
            ..Expected::default()
        };
        let sent = Tcp {
            flags: flag::ACK,
            seq: 1,
            ack: 1,
            window: 500,
            urgent: 0,
            options: vec![TcpOption::Nop, TcpOption::Ts { val: 9100, ecr: 8 }],
            len: 10,
        };
        (expected, sent)
    }

    fn fields(expected: &Expected, sent: &Tcp, stamps: Stamps) -> Vec<&'static str> {
        let addr = "192.0.2.1:1".parse().expect("an address");
        let packet = Packet::new(addr, addr, Body::Tcp(sent.clone()));
        let differences = segment(expected, sent, &packet, stamps);
        differences.iter().map(|d| d.field).collect()
    }

    #[test]
    fn segment_each_field_that_differs_is_named() {
        let (expected, sent) = pair();
        assert_eq!(fields(&expected, &sent, FREE), [""; 0]);
        let mut other = sent.clone();
        other.flags |= flag::PSH;
        other.seq = 2;
        other.len = 9;
        other.ack = 5;
        other.options.remove(0);
        assert_eq!(
            fields(&expected, &other, FREE),
            ["flags", "seq", "length", "ack", "options"]
        );
        let mut wanted = expected;
        wanted.window = Some(499);
        wanted.urgent = Some(1);
        wanted.ip.ttl = Some(1);
        wanted.ip.ecn = Some(Ecn::Ect01);
        assert_eq!(fields(&wanted, &sent, FREE), ["win", "urg", "ECN", "ttl"]);
        wanted.options = None;
        wanted.window = Some(500);
        assert_eq!(fields(&wanted, &sent, FREE), ["urg", "ECN", "ttl"]);
    }

    #[test]
    fn timestamps_are_held_as_asked() {
        let (expected, sent) = pair();
        let near = Stamps {
            val: Some(103),
            val_slack: Some(4),
            ecr: false,
        };
        assert_eq!(fields(&expected, &sent, near), [""; 0]);
        let far = Stamps {
            val: Some(105),
            ..near
        };
        assert_eq!(fields(&expected, &sent, far), ["options"]);
        let strict = Stamps { ecr: true, ..near };
        assert_eq!(fields(&expected, &sent, strict), ["options"]);
    }
}
