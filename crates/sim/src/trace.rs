//! The log of every frame: always as a hash, as text on request.

use hearken_tcp::Instant;
use hearken_wire::{PROTO_TCP, ipv4, ipv6, tcp};
use siphasher::sip128::{Hasher128, SipHasher13};
use std::hash::Hasher;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};

/// What a link made of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Fate {
    /// It goes on as it is.
    Passed,
    /// It goes on with a flipped bit.
    Corrupted,
    /// It goes on without its end.
    Truncated,
    /// Lost by chance.
    Lost,
    /// The queue was full.
    Overflowed,
    /// Above the MTU.
    TooBig,
    /// The direction is cut.
    Cut,
}

pub(crate) struct Trace {
    hash: SipHasher13,
    text: Option<Box<dyn Write + Send>>,
    error: Option<io::Error>,
}

impl Trace {
    pub(crate) fn new() -> Trace {
        Trace {
            hash: SipHasher13::new(),
            text: None,
            error: None,
        }
    }

    pub(crate) fn set_text(&mut self, out: Option<Box<dyn Write + Send>>) {
        self.text = out;
    }

    /// A packet was put on direction `way`.
    pub(crate) fn frame(&mut self, now: Instant, way: u32, fate: Fate, packet: &[u8]) {
        self.hash.write_u64(now.0);
        self.hash
            .write_u64(u64::from(way) << 32 | (fate as u64) << 24 | packet.len() as u64);
        self.hash.write(packet);
        if let Some(out) = &mut self.text {
            let (s, ns) = (now.0 / 1_000_000_000, now.0 % 1_000_000_000);
            let line = describe(packet);
            if let Err(e) = writeln!(out, "{s}.{ns:09} way {way} {fate:?} {line}") {
                self.error.get_or_insert(e);
            }
        }
    }

    pub(crate) fn digest(&self) -> u128 {
        self.hash.finish128().as_u128()
    }

    pub(crate) fn take_error(&mut self) -> Option<io::Error> {
        self.error.take()
    }
}

/// Source, destination, protocol and where it begins.
pub(crate) fn ends(packet: &[u8]) -> Option<(IpAddr, IpAddr, u8, usize)> {
    match packet.first()? >> 4 {
        4 => {
            let (h, len) = ipv4::parse_quoted(packet).ok()?;
            Some((h.src.into(), h.dst.into(), h.protocol, len))
        }
        6 => {
            let (h, _) = ipv6::parse_quoted(packet).ok()?;
            let (protocol, at, _) = ipv6::upper(packet)?;
            Some((h.src.into(), h.dst.into(), protocol, at))
        }
        _ => None,
    }
}

/// One line, in tcpdump's manner.
fn describe(packet: &[u8]) -> String {
    let Some((src, dst, protocol, at)) = ends(packet) else {
        return format!("no IP, {} bytes", packet.len());
    };
    let upper = packet.get(at..).unwrap_or_default();
    match tcp::parse(upper) {
        Ok((h, len)) if protocol == PROTO_TCP => {
            let (src, dst) = (
                SocketAddr::new(src, h.src_port),
                SocketAddr::new(dst, h.dst_port),
            );
            let mut line = format!(
                "{src} > {dst} flags {:#04x} seq {} ack {} win {} len {}",
                h.flags.0,
                h.seq,
                h.ack,
                h.window,
                upper.len() - len
            );
            for (from, to) in h.options.sack.as_slice() {
                line.push_str(&format!(" sack {from}:{to}"));
            }
            line
        }
        _ => format!("{src} > {dst} protocol {protocol} len {}", upper.len()),
    }
}
