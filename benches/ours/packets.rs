//! Single packets at a server: the sender is a generator that remembers nothing.

use std::hint::black_box;

use hearken_inet::{Instant, Net, RxFrame, RxMeta, SocketId, TxCaps, TxMeta, TxSink};
use hearken_wire::{Flags, Options, Sum, ipv4, tcp};

use super::wire::{ETH, PLAIN, PORT, SERVER, listen, net};
use crate::meter::Meter;

/// Frames in one call.
const BATCH: usize = 64;
/// Frames made ahead of a timed part.
const LOT: usize = 1024;

/// The options that Linux's SYN has.
pub(crate) const SYN_OPTIONS: Options = Options {
    mss: Some(1460),
    sack_permitted: true,
    timestamps: Some((1000, 0)),
    wscale: Some(7),
    ..Options::NONE
};

/// Writes the segment of client `i` into `b`.
pub(crate) fn segment(
    b: &mut Vec<u8>,
    i: u64,
    port: u16,
    flags: Flags,
    (seq, ack): (u32, u32),
    options: Options,
) {
    // 50,000 ports of each address in 10.128.0.0/9.
    let (host, from) = ((i / 50_000) as u32, (i % 50_000) as u16 + 10_000);
    let src = (0x0a80_0000 | host).to_be_bytes();
    let dst = SERVER.octets();
    let h = tcp::Header {
        src_port: from,
        dst_port: port,
        seq,
        ack,
        flags,
        ae: false,
        window: 64240,
        urgent: 0,
        options,
    };
    let ip = ipv4::Header {
        src,
        dst,
        protocol: 6,
        ttl: 64,
        tos: 0,
        id: 0,
        df: true,
        mf: false,
        frag_offset: 0,
        total_len: (20 + h.len()) as u16,
    };
    b.resize(20 + h.len(), 0);
    ip.emit(b);
    h.emit(&mut b[20..]);
    let mut sum = Sum::pseudo_v4(src, dst, 6, h.len() as u32);
    sum.add(&b[20..]);
    tcp::set_checksum(&mut b[20..], sum.finish());
}

/// The SYN of client `i`.
pub(crate) fn syn(b: &mut Vec<u8>, i: u64, port: u16) {
    segment(b, i, port, Flags::SYN, (i as u32 ^ 0x5a5a, 0), SYN_OPTIONS);
}

/// Looks at what comes and forgets it.
#[derive(Debug, Default)]
struct Counted {
    frames: u64,
    /// TCP flags of the last.
    flags: u8,
}
impl TxSink for Counted {
    fn caps(&self) -> TxCaps {
        PLAIN
    }
    fn room(&self) -> usize {
        usize::MAX
    }
    fn send(&mut self, _: &TxMeta, head: &[u8], _: &[&[u8]]) {
        self.frames += 1;
        self.flags = head[33];
        black_box(head);
    }
}

/// Gives `frames` to `net` in batches, and takes what it answers.
fn feed(net: &mut Net, now: Instant, frames: &[Vec<u8>], out: &mut Counted) {
    let frame = |head| RxFrame {
        meta: RxMeta::default(),
        head,
        body: &[],
    };
    for part in frames.chunks(BATCH) {
        let mut batch = [frame(&[]); BATCH];
        for (slot, f) in batch.iter_mut().zip(part) {
            *slot = frame(f);
        }
        net.handle_frames(now, ETH, &batch[..part.len()]);
        net.poll_transmit(now, ETH, out);
    }
}

/// Feeds the SYNs of clients `from..from + n`, timed; then `after` may clean up.
fn syns(
    m: &mut Meter,
    net: &mut Net,
    clients: core::ops::Range<u64>,
    port: u16,
    flags: Option<u8>,
    mut after: impl FnMut(&mut Net, Instant, u64),
) -> Result<(), String> {
    let mut frames = vec![Vec::new(); LOT];
    let mut now = Instant(1_000_000_000);
    let mut i = clients.start;
    while i < clients.end {
        let n = LOT.min((clients.end - i) as usize);
        for (k, f) in frames[..n].iter_mut().enumerate() {
            syn(f, i + k as u64, port);
        }
        let mut out = Counted::default();
        m.time(|| feed(net, now, &frames[..n], &mut out));
        let expected = flags.map_or(0, |_| n as u64);
        if out.frames != expected || flags.is_some_and(|f| f != out.flags) {
            return Err(format!("{} answers, flags {:#x}", out.frames, out.flags));
        }
        for k in 0..n as u64 {
            after(net, now, i + k);
        }
        i += n as u64;
        now = Instant(now.0 + 100_000);
        if net.poll_timeout().is_some_and(|t| t <= now) {
            net.handle_timeout(now);
        }
    }
    Ok(())
}

fn server(backlog: u32) -> (Net, SocketId) {
    let mut n = net(2, 1500);
    let l = listen(&mut n, SERVER.into(), PORT, backlog, 0);
    (n, l)
}

const SYN_ACK: u8 = 0x12;

/// Row `syn-cookie`.
pub(crate) fn cookie(m: &mut Meter, n: u64) -> Result<f64, String> {
    let (mut net, _) = server(1024);
    net.sysctl_set("net.ipv4.tcp_syncookies", "2")
        .map_err(|e| format!("{e:?}"))?;
    syns(
        &mut Meter::default(),
        &mut net,
        0..n / 10,
        PORT,
        Some(SYN_ACK),
        |_, _, _| {},
    )?;
    syns(m, &mut net, 0..n, PORT, Some(SYN_ACK), |_, _, _| {})?;
    Ok(m.each(n))
}

/// Row `syn-queue`: every lot is reset before the next.
pub(crate) fn syn_ack(m: &mut Meter, n: u64) -> Result<f64, String> {
    let (mut net, _) = server(2048);
    let mut b = Vec::new();
    let mut reset = |net: &mut Net, now: Instant, i: u64| {
        let seq = (i as u32 ^ 0x5a5a).wrapping_add(1);
        segment(&mut b, i, PORT, Flags::RST, (seq, 0), Options::NONE);
        let frame = RxFrame {
            meta: RxMeta::default(),
            head: &b,
            body: &[],
        };
        net.handle_frames(now, ETH, &[frame]);
    };
    syns(
        &mut Meter::default(),
        &mut net,
        0..n / 10,
        PORT,
        Some(SYN_ACK),
        &mut reset,
    )?;
    syns(m, &mut net, 0..n, PORT, Some(SYN_ACK), &mut reset)?;
    Ok(m.each(n))
}

/// Row `syn-queue-1m`: the last of a million.
pub(crate) fn syn_ack_1m(m: &mut Meter, n: u64) -> Result<f64, String> {
    let (mut net, _) = server(4_000_000);
    let before = 9 * n;
    syns(
        &mut Meter::default(),
        &mut net,
        0..before,
        PORT,
        Some(SYN_ACK),
        |_, _, _| {},
    )?;
    syns(
        m,
        &mut net,
        before..before + n,
        PORT,
        Some(SYN_ACK),
        |_, _, _| {},
    )?;
    Ok(m.each(n))
}

/// Row `syn-rst`.
pub(crate) fn closed(m: &mut Meter, n: u64) -> Result<f64, String> {
    const RST_ACK: u8 = 0x14;
    let (mut net, _) = server(16);
    syns(
        &mut Meter::default(),
        &mut net,
        0..n / 10,
        81,
        Some(RST_ACK),
        |_, _, _| {},
    )?;
    syns(m, &mut net, 0..n, 81, Some(RST_ACK), |_, _, _| {})?;
    Ok(m.each(n))
}

/// Row `syn-drop`.
pub(crate) fn dropped(m: &mut Meter, n: u64) -> Result<f64, String> {
    let (mut net, _) = server(16);
    net.sysctl_set("net.ipv4.tcp_syncookies", "0")
        .map_err(|e| format!("{e:?}"))?;
    let full = 17;
    let other = 10_000_000;
    syns(
        &mut Meter::default(),
        &mut net,
        other..other + full,
        PORT,
        Some(SYN_ACK),
        |_, _, _| {},
    )?;
    // The requests would be sent again after a second: time stays within it.
    let lot = n.min(4 << 20);
    syns(m, &mut net, 0..lot, PORT, None, |_, _, _| {})?;
    Ok(m.each(lot))
}
