//! A station on an Ethernet: neighbours that answer, lie, or stay silent.

use crate::input::Input;
use crate::packet::{HERE4, HERE6, THERE4, repair, wrap};
use crate::world::World;
use hearken_inet::*;
use hearken_wire::ethernet::{self, Arp, ether_type};
use hearken_wire::{PROTO_ICMPV6, ipv6, ndp};
use std::net::SocketAddr;
use std::time::Duration;

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];

fn frame(i: &mut Input<'_>, ether_type: u16, payload: &[u8]) -> Vec<u8> {
    let mut f = vec![0; ethernet::LEN];
    ethernet::Header {
        dst: match i.below(6) {
            0 => ethernet::BROADCAST,
            1 => ethernet::multicast_v6(HERE6),
            2 => [2, 0, 0, 0, 0, i.byte()],
            _ => MAC,
        },
        src: [2, 0, 0, 0, 1, i.byte()],
        ether_type,
    }
    .emit(&mut f);
    f.extend_from_slice(payload);
    f
}

/// A host of the network; host 2 is the namespace itself.
fn host(i: &mut Input<'_>, v6: bool) -> std::net::IpAddr {
    let n = i.byte();
    if v6 {
        let mut a = HERE6;
        a[15] = n;
        a.into()
    } else {
        [10, 0, 0, n].into()
    }
}

fn arp(i: &mut Input<'_>) -> Vec<u8> {
    let mut b = vec![0; ethernet::ARP_LEN];
    Arp {
        request: i.flag(),
        sender_mac: [2, 0, 0, 0, 1, i.byte()],
        sender_ip: [10, 0, 0, i.byte()],
        target_mac: MAC,
        target_ip: if i.below(4) == 3 {
            [10, 0, 0, i.byte()]
        } else {
            HERE4
        },
    }
    .emit(&mut b);
    frame(i, ether_type::ARP, &b)
}

fn neighbour(i: &mut Input<'_>) -> Vec<u8> {
    let target = |i: &mut Input<'_>| match host(i, true) {
        std::net::IpAddr::V6(a) => a.octets(),
        std::net::IpAddr::V4(_) => HERE6,
    };
    let mac = i.flag().then(|| [2, 0, 0, 0, 1, i.byte()]);
    let message = if i.flag() {
        ndp::Message::Solicitation {
            target: if i.flag() { HERE6 } else { target(i) },
            source: mac,
        }
    } else {
        ndp::Message::Advertisement {
            target: target(i),
            mac,
            solicited: i.flag(),
            overrides: i.flag(),
        }
    };
    let src = if i.below(8) == 7 { [0; 16] } else { target(i) };
    let dst = if i.flag() {
        HERE6
    } else {
        ndp::solicited_node(HERE6)
    };
    let mut m = vec![0; 128];
    let n = ndp::emit(src, dst, message, &mut m);
    m.truncate(n);
    let mut p = wrap(true, PROTO_ICMPV6, &m);
    p[8..24].copy_from_slice(&src);
    p[24..40].copy_from_slice(&dst);
    if i.below(8) == 7 {
        p[7] = i.byte();
    }
    mutate(i, &mut p, ipv6::LEN);
    frame(i, ether_type::IPV6, &p)
}

fn mutate(i: &mut Input<'_>, p: &mut [u8], from: usize) {
    for _ in 0..i.below(3) {
        let at = from + usize::from(i.byte()) % 40;
        if let Some(x) = p.get_mut(at) {
            *x ^= i.byte();
        }
    }
    if i.below(8) != 7 {
        repair(p);
    }
}

pub(crate) fn lan(b: &[u8]) {
    let mut i = Input::new(b);
    let mut w = World::new(true, i.flag(), 1500);
    if i.flag() {
        w.net
            .add_route_via([0, 0, 0, 0].into(), 0, w.iface, THERE4.into());
    }
    let listener = w.net.socket(Domain::Inet6);
    w.net
        .bind(
            listener,
            "[::]:80".parse().expect("an address"),
            &Cred::ROOT,
        )
        .expect("free");
    w.net.listen(w.now, listener, 4).expect("bound");
    let udp = [Domain::Inet, Domain::Inet6].map(|d| w.net.udp_socket(d));
    let mut open = Vec::new();
    for _ in 0..300 {
        if i.is_empty() {
            break;
        }
        match i.below(12) {
            0..=2 => {
                let f = arp(&mut i);
                w.handle(&f, f.len(), RxCsum::Unknown);
            }
            3..=5 => {
                let f = neighbour(&mut i);
                w.handle(&f, f.len(), RxCsum::Unknown);
            }
            // The namespace's own frame comes back, from wherever it went to.
            6 => {
                let n = w.sent.len().max(1);
                if let Some(mut f) = w.sent.get(usize::from(i.byte()) % n).cloned() {
                    f[..6].copy_from_slice(&MAC);
                    f[6..12].copy_from_slice(&[2, 0, 0, 0, 1, 1]);
                    match f[14] >> 4 {
                        4 => (
                            f[26..30].copy_from_slice(&THERE4),
                            f[30..34].copy_from_slice(&HERE4),
                        ),
                        6 if f.len() >= 54 => (f[37] = 1, f[38..54].copy_from_slice(&HERE6)),
                        _ => ((), ()),
                    };
                    mutate(&mut i, &mut f[14..], 0);
                    w.handle(&f, f.len(), RxCsum::Unknown);
                }
            }
            7 => {
                let n = usize::from(i.byte());
                let (ether_type, payload) = (i.word(), i.bytes(n));
                let f = frame(&mut i, ether_type, payload);
                w.handle(&f, f.len(), RxCsum::Unknown);
            }
            8 => {
                let n = usize::from(i.byte());
                let f = i.bytes(n).to_vec();
                w.handle(&f, f.len(), RxCsum::Unknown);
            }
            9 => {
                let v6 = i.flag();
                let to = SocketAddr::new(host(&mut i, v6), 5);
                let data = vec![5; usize::from(i.word()) % 4000];
                let _ = w.net.send_to(udp[usize::from(v6)], Some(to), &[&data]);
            }
            10 if open.len() < 8 => {
                let v6 = i.flag();
                let s = w.net.socket(if v6 { Domain::Inet6 } else { Domain::Inet });
                let to = SocketAddr::new(host(&mut i, v6), 9);
                let _ = w.net.connect(w.now, s, to, &Cred::ROOT);
                open.push(s);
            }
            _ => {
                let ms = u64::from(i.byte()) * u64::from(i.byte());
                w.wait(Duration::from_millis(ms), |_| ());
            }
        }
        w.transmit(|_| ());
        w.check();
        for u in udp {
            while w.net.recv_from(u, false, |_| ()).is_ok() {}
        }
    }
    for s in open.into_iter().chain(udp).chain([listener]) {
        w.net.close(w.now, s);
    }
    w.end();
}
