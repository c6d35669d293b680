//! What stays: memory for one connection.

use std::net::{SocketAddr, SocketAddrV4};

use hearken_inet::{Cred, Domain, Instant, Net, RxFrame, RxMeta, SocketId};
use hearken_wire::{Flags, Options, tcp};

use super::packets::{segment, syn};
use super::wire::{ETH, PLAIN, PORT, Pair, Ring, SERVER, listen, net};
use crate::memory::live;
use crate::meter::Meter;

const NOW: Instant = Instant(1_000_000_000);
const BATCH: u64 = 64;

fn give(net: &mut Net, head: &[u8]) {
    let frame = RxFrame {
        meta: RxMeta::default(),
        head,
        body: &[],
    };
    net.handle_frames(NOW, ETH, &[frame]);
}

fn server(n: u64) -> (Net, SocketId) {
    let mut s = net(2, 1500);
    let l = listen(&mut s, SERVER.into(), PORT, n as u32, 0);
    (s, l)
}

/// Row `bytes-half-open`.
pub(crate) fn half_open(_: &mut Meter, n: u64) -> Result<f64, String> {
    let (mut s, _) = server(2 * n);
    let mut ring = Ring::new(PLAIN, BATCH as usize);
    let mut b = Vec::with_capacity(128);
    give(&mut s, &[]);
    let before = live();
    for i in 0..n {
        syn(&mut b, i, PORT);
        give(&mut s, &b);
        s.poll_transmit(NOW, ETH, &mut ring);
        if ring.frames().len() != 1 {
            return Err("no SYN-ACK".into());
        }
        ring.clear();
    }
    Ok((live() - before) / n as f64)
}

/// Handshakes of clients `0..n`, all accepted.
fn handshakes(m: &mut Meter, s: &mut Net, l: SocketId, n: u64) -> Result<(), String> {
    let mut ring = Ring::new(PLAIN, BATCH as usize);
    let mut frames = vec![Vec::with_capacity(128); BATCH as usize];
    for lot in 0..n / BATCH {
        let from = lot * BATCH;
        for (i, b) in (from..).zip(&mut frames) {
            syn(b, i, PORT);
        }
        m.time(|| {
            frames.iter().for_each(|f| give(s, f));
            s.poll_transmit(NOW, ETH, &mut ring);
        });
        if ring.frames().len() as u64 != BATCH {
            return Err("no SYN-ACK".into());
        }
        for ((i, b), answer) in (from..).zip(&mut frames).zip(ring.frames()) {
            let (h, _) = tcp::parse(&answer[20..]).map_err(|e| format!("{e:?}"))?;
            let timestamps = h.options.timestamps.map(|(val, _)| (1001, val));
            let options = Options {
                timestamps,
                ..Options::NONE
            };
            let numbers = (h.ack, h.seq.wrapping_add(1));
            segment(b, i, PORT, Flags::ACK, numbers, options);
        }
        ring.clear();
        let accepted = m.time(|| {
            frames.iter().for_each(|f| give(s, f));
            s.poll_transmit(NOW, ETH, &mut ring);
            (0..BATCH).filter(|_| s.accept(NOW, l).is_ok()).count() as u64
        });
        if accepted != BATCH {
            return Err(format!("{accepted} of {BATCH} accepted"));
        }
    }
    // What the handshakes left to timers is over after a while.
    s.handle_timeout(Instant(NOW.0 + 5_000_000_000));
    Ok(())
}

/// Row `bytes-idle`.
pub(crate) fn idle(_: &mut Meter, n: u64) -> Result<f64, String> {
    let n = n.next_multiple_of(BATCH);
    let (mut s, l) = server(1024);
    let before = live();
    handshakes(&mut Meter::default(), &mut s, l, n)?;
    Ok((live() - before) / n as f64)
}

/// Row `handshakes`.
pub(crate) fn build(m: &mut Meter, n: u64) -> Result<f64, String> {
    let n = n.next_multiple_of(BATCH);
    let (mut s, l) = server(1024);
    handshakes(m, &mut s, l, n)?;
    Ok(m.each(n))
}

/// Row `bytes-idle-used`: both ends count.
pub(crate) fn used(_: &mut Meter, n: u64) -> Result<f64, String> {
    let mut p = Pair::new(1500, PLAIN, 64);
    let l = listen(&mut p.b, SERVER.into(), PORT, 128, 0);
    let to = SocketAddr::V4(SocketAddrV4::new(SERVER, PORT));
    let before = live();
    for _ in 0..n {
        let c = p.a.socket(Domain::Inet);
        p.a.connect(p.now, c, to, &Cred::ROOT)
            .map_err(|e| format!("{e:?}"))?;
        p.settle();
        let s = p.b.accept(p.now, l).map_err(|e| format!("{e:?}"))?.socket;
        let now = p.now;
        for from_client in [true, false] {
            let (x, from, y, to) = if from_client {
                (&mut p.a, c, &mut p.b, s)
            } else {
                (&mut p.b, s, &mut p.a, c)
            };
            x.send_with(now, from, |room| {
                room[0][..1000].fill(7);
                (1000, ())
            })
            .map_err(|e| format!("{e:?}"))?;
            let _ = y.readable(to);
            p.settle();
            let (y, to) = if from_client {
                (&mut p.b, s)
            } else {
                (&mut p.a, c)
            };
            let got = y.recv_with(now, to, |d| {
                let n = d.iter().map(|d| d.len()).sum();
                (n, n)
            });
            if got != Ok(1000) {
                return Err(format!("{got:?}"));
            }
        }
        p.settle();
        p.pass(50_000_000);
        p.settle();
    }
    p.pass(5_000_000_000);
    p.settle();
    Ok((live() - before) / (2 * n) as f64)
}
