//! A script as it would be written: what is printed reads back as the same.

use std::fmt::{self, Display, Formatter, Write};
use std::time::Duration;

use super::{AccEcnField, Icmp, IcmpCode};
use super::{
    Body, Command, Direction, Ecn, Endpoint, Event, EventKind, IpInfo, Options, Packet, Quoted,
    Script, Segment, Sequence, Settings, TcpFlags, TcpOption, TcpOptionKind, Time,
};

/// A time as a script writes it: `0.1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seconds(pub Duration);

impl Display for Seconds {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (whole, nanos) = (self.0.as_secs(), self.0.subsec_nanos());
        if nanos == 0 {
            return write!(f, "{whole}");
        }
        let decimals = format!("{nanos:09}");
        write!(f, "{whole}.{}", decimals.trim_end_matches('0'))
    }
}

impl Display for Script {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.settings)?;
        for command in &self.init {
            writeln!(f, "{command}")?;
        }
        for event in &self.events {
            writeln!(f, "{event}")?;
        }
        match &self.cleanup {
            Some(command) => writeln!(f, "{command}"),
            None => Ok(()),
        }
    }
}

impl Display for Settings {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut line = |name: &str, value: Option<String>| match value {
            Some(value) => writeln!(f, "--{name}={value}"),
            None => Ok(()),
        };
        let micros = |d: Option<Duration>| d.map(|d| d.as_micros().to_string());
        line("ip_version", self.ip_version.map(|v| v.name().to_owned()))?;
        line("local_ip", self.local_ip.map(|a| a.to_string()))?;
        line("remote_ip", self.remote_ip.map(|a| a.to_string()))?;
        line("netmask_ip", self.netmask_ip.map(|a| a.to_string()))?;
        line("gateway_ip", self.gateway_ip.map(|a| a.to_string()))?;
        line("bind_port", self.bind_port.map(|p| p.to_string()))?;
        line("connect_port", self.connect_port.map(|p| p.to_string()))?;
        line("mtu", self.mtu.map(|m| m.to_string()))?;
        line("mss", self.mss.map(|m| m.to_string()))?;
        line("tolerance_usecs", micros(self.tolerance))?;
        line("tcp_ts_tick_usecs", micros(self.timestamp_tick))?;
        let set = |on: bool, value: &str| on.then(|| value.to_owned());
        line("tcp_ts_ecr_scaled", set(self.timestamp_ecr_scaled, "1"))?;
        line("strict_segments", set(self.strict_segments, "1"))?;
        line("non_fatal", set(self.non_fatal_packet, "packet"))?;
        line("non_fatal", set(self.non_fatal_syscall, "syscall"))?;
        for name in &self.without_effect {
            writeln!(f, "--{name}")?;
        }
        Ok(())
    }
}

impl Display for Command {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.text)
    }
}

impl Display for Event {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.time)?;
        match &self.kind {
            EventKind::Packet(packet) => packet.fmt(f),
            EventKind::Call(call) => call.fmt(f),
            EventKind::Command(command) => command.fmt(f),
            EventKind::Code(code) => write!(f, "%{{{}}}%", code.text),
        }
    }
}

impl Display for Time {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match *self {
            Time::Absolute(at) => Seconds(at).fmt(f),
            Time::Relative(after) => write!(f, "+{}", Seconds(after)),
            Time::Any => f.write_char('*'),
            Time::AbsoluteRange(from, to) => write!(f, "{}~{}", Seconds(from), Seconds(to)),
            Time::RelativeRange(from, to) => write!(f, "+{}~+{}", Seconds(from), Seconds(to)),
            Time::Blocking {
                relative,
                start,
                end,
            } => {
                let sign = if relative { "+" } else { "" };
                write!(f, "{sign}{}...{}", Seconds(start), Seconds(end))
            }
        }
    }
}

impl Display for Packet {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self.direction {
            Direction::In => "< ",
            Direction::Out => "> ",
        })?;
        if let Some(name) = &self.connection {
            write!(f, "@{name} ")?;
        }
        if self.ip != IpInfo::default() {
            write!(f, "[{}] ", self.ip)?;
        }
        if let Some(ports) = self.ports {
            write!(f, "{} > {} ", ports.source, ports.destination)?;
        }
        self.body.fmt(f)
    }
}

impl Display for Endpoint {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.address {
            None => self.port.fmt(f),
            Some(address) => std::net::SocketAddr::new(address, self.port).fmt(f),
        }
    }
}

impl Display for Ecn {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Ecn::NotEct => "noecn",
            Ecn::Ect0 => "ect0",
            Ecn::Ect1 => "ect1",
            Ecn::Ect01 => "ect01",
            Ecn::Ce => "ce",
        })
    }
}

impl Display for IpInfo {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let parts = [
            self.ecn.map(|ecn| ecn.to_string()),
            self.tos.map(|tos| format!("tos {tos:#04x}")),
            self.ttl.map(|ttl| format!("ttl {ttl}")),
            self.flow_label.map(|label| format!("flowlabel {label:#x}")),
            self.id.map(|id| format!("id {id}")),
            self.df
                .map(|df| (if df { "df" } else { "nodf" }).to_owned()),
        ];
        f.write_str(&parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

impl Display for Body {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Body::Tcp(segment) => segment.fmt(f),
            Body::Udp { len } => write!(f, "udp ({len})"),
            Body::Icmp(icmp) => icmp.fmt(f),
            Body::Silence(time) => write!(f, "none +{}", Seconds(*time)),
        }
    }
}

impl Display for Segment {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.flags, self.sequence)?;
        if let Some(ack) = self.ack {
            write!(f, " ack {ack}")?;
        }
        if let Some(window) = self.window {
            write!(f, " win {window}")?;
        }
        if let Some(urgent) = self.urgent {
            write!(f, " urg {urgent}")?;
        }
        match &self.options {
            Options::List(list) if list.is_empty() => Ok(()),
            options => write!(f, " {options}"),
        }
    }
}

impl Display for Options {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Options::Unchecked => f.write_str("<...>"),
            Options::List(list) => {
                let parts: Vec<String> = list.iter().map(TcpOption::to_string).collect();
                write!(f, "<{}>", parts.join(","))
            }
        }
    }
}

impl Display for Sequence {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}({})", self.start, self.end, self.len)
    }
}

impl Display for TcpFlags {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let flags = [
            (self.fin, 'F'),
            (self.syn, 'S'),
            (self.rst, 'R'),
            (self.psh, 'P'),
            (self.urg, 'U'),
            (self.ece, 'E'),
            (self.cwr, 'W'),
            (self.ae, 'A'),
        ];
        let mut text: String = flags.iter().filter(|(on, _)| *on).map(|(_, c)| c).collect();
        text.extend(self.ace.and_then(|n| char::from_digit(u32::from(n), 8)));
        text.extend(self.ack.then_some('.'));
        f.write_str(if text.is_empty() { "-" } else { &text })
    }
}

impl Display for TcpOption {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl Display for TcpOptionKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            TcpOptionKind::Nop => f.write_str("nop"),
            TcpOptionKind::Eol => f.write_str("eol"),
            TcpOptionKind::Mss(mss) => write!(f, "mss {mss}"),
            TcpOptionKind::Wscale(shift) => write!(f, "wscale {shift}"),
            TcpOptionKind::SackOk => f.write_str("sackOK"),
            TcpOptionKind::Sack(blocks) => {
                f.write_str("sack")?;
                blocks
                    .iter()
                    .try_for_each(|(left, right)| write!(f, " {left}:{right}"))
            }
            TcpOptionKind::Timestamps { val, ecr } => write!(f, "TS val {val} ecr {ecr}"),
            TcpOptionKind::FastOpen {
                experimental,
                cookie,
            } => {
                f.write_str(if *experimental { "FOEXP" } else { "FO" })?;
                spaced_hex(f, cookie)
            }
            TcpOptionKind::Md5Valid => f.write_str("md5 valid"),
            TcpOptionKind::Md5(digest) => {
                f.write_str("md5")?;
                digest.map_or(Ok(()), |digest| spaced_hex(f, &digest))
            }
            TcpOptionKind::AccEcn(counters) => {
                f.write_str("ECN")?;
                counters.iter().try_for_each(|(field, value)| {
                    let name = match field {
                        AccEcnField::E0b => "e0b",
                        AccEcnField::Ceb => "ceb",
                        AccEcnField::E1b => "e1b",
                    };
                    write!(f, " {name} {value}")
                })
            }
            TcpOptionKind::Bytes(bytes) => {
                f.write_str("bytes")?;
                spaced_hex(f, bytes)
            }
        }
    }
}

fn spaced_hex(f: &mut Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    if !bytes.is_empty() {
        f.write_char(' ')?;
    }
    bytes.iter().try_for_each(|b| write!(f, "{b:02x}"))
}

impl Display for Icmp {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "icmp {}", self.kind.name())?;
        match self.code {
            IcmpCode::Default => {}
            IcmpCode::Named(name) => write!(f, " {name}")?,
            IcmpCode::Number(number) => write!(f, " code {number}")?,
        }
        if let Some(mtu) = self.mtu {
            write!(f, " mtu {mtu}")?;
        }
        if let Some(id) = self.echo_id {
            write!(f, " id {id}")?;
        }
        match self.quoted {
            Some(Quoted::Tcp(sequence)) => write!(f, " [{sequence}]"),
            Some(Quoted::Udp { len }) => write!(f, " [udp ({len})]"),
            None => Ok(()),
        }
    }
}
