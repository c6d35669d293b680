//! Which way a packet takes, and how large it may be (docs/linux/routes.md).

use crate::common::*;
use core::net::IpAddr;
use hearken_inet::*;
use hearken_wire::{ipv4, tcp};

fn ip(s: &str) -> IpAddr {
    s.parse().unwrap()
}

/// The MSS of the newest SYN-ACK of a handshake that a new client begins.
fn syn_ack_mss(p: &mut Pair) -> Option<u16> {
    let from = p.trace.len();
    p.connect("10.0.0.2:80");
    p.settle();
    p.trace[from..].iter().find_map(|f| {
        let (_, skip) = ipv4::parse(f).ok()?;
        let (h, _) = tcp::parse(&f[skip..]).ok()?;
        h.flags
            .contains(peer::SYN.with(peer::ACK))
            .then_some(h.options.mss?)
    })
}

#[test]
fn route_of_the_longest_prefix_then_the_smallest_metric_sets_the_mtu() {
    let mut p = Pair::new();
    p.listen("0.0.0.0:80", 50);
    assert_eq!(syn_ack_mss(&mut p), Some(1460));
    let route = |prefix, metric, mtu| Route {
        metric,
        mtu: Some(mtu),
        ..Route::new(ip("10.0.0.0"), prefix, ETH)
    };
    let plain = Route::new(ip("10.0.0.2"), 24, ETH);
    assert!(p.b.remove_route(&plain));
    assert!(!p.b.remove_route(&plain), "it was the only one");
    let (slow, fast, narrow) = (
        route(24, 20, 1200),
        route(24, 10, 1300),
        route(25, 90, 1250),
    );
    for route in [slow, fast, narrow] {
        p.b.insert_route(route);
    }
    assert_eq!(syn_ack_mss(&mut p), Some(1210));
    assert!(p.b.remove_route(&narrow));
    assert_eq!(syn_ack_mss(&mut p), Some(1260));
    assert!(p.b.remove_route(&fast));
    assert_eq!(syn_ack_mss(&mut p), Some(1160));
    assert!(p.b.remove_route(&slow));
    assert_eq!(syn_ack_mss(&mut p), None, "no way back");
}

#[test]
fn route_mtu_cuts_segments_and_datagrams() {
    let mut p = Pair::new();
    p.gso = false;
    let l = p.listen("0.0.0.0:80", 5);
    p.b.remove_route(&Route::new(ip("10.0.0.2"), 24, ETH));
    p.b.insert_route(Route {
        mtu: Some(1300),
        ..Route::new(ip("10.0.0.0"), 24, ETH)
    });
    p.connect("10.0.0.2:80");
    p.settle();
    let child = p.b.accept(p.now, l).unwrap().socket;
    assert_eq!(p.b.tcp_info(p.now, child).pmtu, 1300);
    let from = p.trace.len();
    write(&mut p.b, p.now, child, &[7; 3000]).unwrap();
    p.settle();
    let most = |p: &Pair| p.trace[from..].iter().map(Vec::len).max();
    assert_eq!(most(&p), Some(1300));
    let s = p.b.udp_socket(Domain::Inet);
    p.b.send_to(s, Some("10.0.0.1:5".parse().unwrap()), &[&[1; 2000]])
        .unwrap();
    p.settle();
    assert!(most(&p) <= Some(1300), "fragments keep to it");
}
