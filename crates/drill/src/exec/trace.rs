//! What happened, in a script's own notation, and as a capture.

use core::time::Duration;
use std::fs::File;
use std::io;
use std::path::Path;

use hearken_device::pcap::Writer;

use super::compare::segment_text;
use super::conn::Connection;
use super::options::TcpOption;
use super::packet::{Body, Packet, parse_quoted};

/// Everything that happened in a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    lines: Vec<(Duration, String)>,
    packets: Vec<(Duration, Vec<u8>)>,
}

/// A moment as a script writes it.
pub(crate) fn seconds(at: Duration) -> String {
    format!("{:.6}", at.as_secs_f64())
}

impl Trace {
    pub(crate) fn note(&mut self, at: Duration, what: impl Into<String>) {
        self.lines.push((at, what.into()));
    }

    pub(crate) fn packet(&mut self, at: Duration, what: String, bytes: &[u8]) {
        self.note(at, what);
        self.packets.push((at, bytes.to_vec()));
    }

    /// One line for each thing that happened, in the order of time.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines: Vec<&(Duration, String)> = self.lines.iter().collect();
        // Packets are noted when they are looked at, which may be later than what was noted before.
        lines.sort_by_key(|(at, _)| *at);
        let line = |(at, what): &&(Duration, String)| format!("{} {what}", seconds(*at));
        lines.iter().map(line).collect()
    }

    /// Writes the packets to a file; its directory need not be there yet.
    pub(crate) fn write_pcap(&self, path: &Path) -> io::Result<()> {
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        let file = io::BufWriter::new(File::create(path)?);
        let mut writer = Writer::new(file, false)?;
        let mut packets: Vec<&(Duration, Vec<u8>)> = self.packets.iter().collect();
        packets.sort_by_key(|(at, _)| *at);
        for (at, bytes) in packets {
            writer.write(u64::try_from(at.as_nanos()).unwrap_or(0), bytes, 0)?;
        }
        writer.flush()
    }
}

/// What is said of the IP header, if it is not what everybody sends.
fn ip_text(packet: &Packet) -> String {
    let mut parts = Vec::new();
    match packet.tos & 3 {
        1 => parts.push("ect1".to_owned()),
        2 => parts.push("ect0".to_owned()),
        3 => parts.push("ce".to_owned()),
        _ => {}
    }
    if packet.tos & !3 != 0 {
        parts.push(format!("tos {:#04x}", packet.tos));
    }
    if parts.is_empty() {
        return String::new();
    }
    format!("[{}] ", parts.join(","))
}

/// A packet that the system sent, as its connection's script would write it.
pub(crate) fn outbound(packet: &Packet, connection: Option<&Connection>, name: &str) -> String {
    let body = match &packet.body {
        Body::Tcp(live) => {
            let mut script = match connection {
                Some(connection) => connection.to_script(live),
                None => live.clone(),
            };
            for option in &mut script.options {
                if let TcpOption::Ts { val, .. } = option
                    && let Some(known) = connection.and_then(|c| c.stamp_to_script(*val))
                {
                    *val = known;
                }
            }
            segment_text(&script)
        }
        Body::Udp(len) => format!("udp ({len})"),
        Body::Icmp(icmp) => {
            let about = match (parse_quoted(&icmp.quoted), connection) {
                (Some((_, _, seq)), Some(c)) => format!(" [{}]", c.remote_seq_to_script(seq)),
                _ => String::new(),
            };
            let (kind, code) = (icmp.kind, icmp.code);
            format!("icmp type {kind} code {code} mtu {}{about}", icmp.extra)
        }
        Body::Other(protocol) => format!("protocol {protocol}"),
    };
    let stranger = match connection {
        Some(_) => String::new(),
        None => format!(" ({} > {})", packet.src, packet.dst),
    };
    format!("> {name}{}{body}{stranger}", ip_text(packet))
}

/// A packet that the script sent, as it was written.
pub(crate) fn inbound(script: &Body, packet: &Packet, name: &str) -> String {
    let body = match script {
        Body::Tcp(tcp) => segment_text(tcp),
        Body::Udp(len) => format!("udp ({len})"),
        Body::Icmp(icmp) => format!(
            "icmp type {} code {} mtu {}",
            icmp.kind, icmp.code, icmp.extra
        ),
        Body::Other(protocol) => format!("protocol {protocol}"),
    };
    format!("< {name}{}{body}", ip_text(packet))
}
