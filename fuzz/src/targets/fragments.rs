//! Fragments of a few datagrams, in any order, twice, overlapping, cut off, or contradicting each other: what arrives in the end is what was
//! sent, or nothing.

use crate::input::Input;
use crate::packet::{repair, wrap};
use crate::world::World;
use hearken_inet::*;
use hearken_wire::{PROTO_UDP, ipv6, udp};
use std::time::Duration;

/// The datagram of a number, whole: its first byte says how each next one follows.
fn datagram(v6: bool, n: u8) -> Vec<u8> {
    let len = [1usize, 8, 700, 1400, 3000, 9000, 20_000, 60_000][usize::from(n % 8)];
    let mut b = vec![0; udp::LEN];
    udp::Header {
        src_port: 6,
        dst_port: 5,
        len: (udp::LEN + len) as u16,
        checksum: 0,
    }
    .emit(&mut b);
    b.extend((0..len).map(|k| (k as u8).wrapping_mul(3).wrapping_add(n)));
    let mut p = wrap(v6, PROTO_UDP, &b);
    repair(&mut p);
    p
}

/// `from..to` of the datagram's payload as a fragment; `more` is the M bit.
fn piece(whole: &[u8], n: u8, from: usize, to: usize, more: bool) -> Vec<u8> {
    let v6 = whole[0] >> 4 == 6;
    let at = if v6 { ipv6::LEN } else { 20 };
    let mut f = whole[..at].to_vec();
    let field = (from as u16) & 0xfff8;
    if v6 {
        f[6] = ipv6::FRAGMENT;
        f.extend_from_slice(&[PROTO_UDP, 0]);
        f.extend_from_slice(&(field | u16::from(more)).to_be_bytes());
        f.extend_from_slice(&[0, 0, 0, n]);
    } else {
        f[4..6].copy_from_slice(&[0, n]);
        f[6..8].copy_from_slice(&((field / 8) | (u16::from(more) << 13)).to_be_bytes());
    }
    f.extend_from_slice(&whole[at + from..at + to]);
    repair(&mut f);
    f
}

pub(crate) fn fragments(b: &[u8]) {
    let mut i = Input::new(b);
    let mut w = World::new(false, false, 1500);
    let sockets = [(Domain::Inet, "0.0.0.0:5"), (Domain::Inet6, "[fd00::2]:5")].map(|(d, at)| {
        let s = w.net.udp_socket(d);
        w.net
            .bind(s, at.parse().expect("an address"), &Cred::ROOT)
            .expect("free");
        s
    });
    for _ in 0..400 {
        if i.is_empty() {
            break;
        }
        let (what, n) = (i.below(8), i.byte());
        let whole = datagram(n & 0x80 != 0, n & 0x7f);
        let len = whole.len() - if n & 0x80 != 0 { ipv6::LEN } else { 20 };
        match what {
            // All of it, from both ends in turn.
            0 | 1 => {
                let size = (usize::from(i.byte()) * 8).max(512);
                let mut from: Vec<usize> = (0..len).step_by(size).collect();
                if what == 1 {
                    from.reverse();
                }
                for at in from {
                    let to = (at + size).min(len);
                    let f = piece(&whole, n, at, to, to < len);
                    w.handle(&f, f.len(), RxCsum::Unknown);
                }
            }
            2..=5 => {
                let from = (usize::from(i.word()) % len) & !7;
                let to = (from + usize::from(i.word()) % 2000).min(len);
                let more = if what == 5 { i.flag() } else { to < len };
                let f = piece(&whole, n, from, to, more);
                w.handle(&f, f.len(), RxCsum::Unknown);
            }
            6 => {
                let mut f = piece(&whole, n, 0, len.min(8), true);
                for _ in 0..=i.below(3) {
                    let at = usize::from(i.byte()) % f.len();
                    f[at] ^= i.byte();
                }
                if i.flag() {
                    repair(&mut f);
                }
                w.handle(&f, f.len(), RxCsum::Unknown);
            }
            _ => w.wait(Duration::from_millis(u64::from(i.word())), |_| ()),
        }
        w.transmit(|_| ());
        w.check();
        for s in sockets {
            let right = |d: &Datagram| {
                let first = d.data.first().copied().unwrap_or(0);
                d.data
                    .iter()
                    .enumerate()
                    .all(|(k, x)| *x == (k as u8).wrapping_mul(3).wrapping_add(first))
            };
            while let Ok(ok) = w.net.recv_from(s, false, right) {
                assert!(ok, "a datagram arrived that nobody sent");
            }
        }
    }
    for s in sockets {
        w.net.close(w.now, s);
    }
    w.end();
}
