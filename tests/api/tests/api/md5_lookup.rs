//! Which key of a socket is the one for a peer (docs/linux/md5.md).

use core::net::IpAddr;
use hearken_abi::Errno;
use hearken_twin::{Fd, Ip, Opt, Peer, Segment, Twin};

use crate::md5_option::{md5sig, set_key};

cases! {
    md5_lookup_dual_listener_keeps_families_apart,
}

family_cases! {
    md5_lookup_longest_prefix_wins,
    md5_lookup_youngest_of_equals_wins,
    md5_lookup_child_has_its_own_key_only,
}

const KEYS: [&str; 3] = ["one", "two", "three"];

fn addr(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// By which of the keys a SYN from `src` must be signed, and is answered.
#[track_caller]
fn key_for(t: &mut dyn Twin, ip: Ip, src: &str, port: u16) -> Option<&'static str> {
    let mut peer = Peer::new(ip, port, 80).offering(&[Opt::Mss(1000)]);
    peer.addr.set_ip(addr(src));
    let mut found = None;
    for key in KEYS {
        t.inject(&peer.syn_segment().signed(key.as_bytes()).packet());
        if let Some(p) = t.next_tcp(hearken_twin::QUIET) {
            assert!(p.flags == "SA" && p.is_signed_by(key.as_bytes()), "{p:?}");
            assert_eq!(found.replace(key), None);
            let rst = Segment::new(peer.addr, peer.to, "R", peer.seq + 1, 0);
            t.inject(&rst.signed(key.as_bytes()).packet());
        }
    }
    if found.is_none() {
        t.inject(&peer.syn_segment().packet());
        assert_eq!(
            t.next_tcp(hearken_twin::QUIET).unwrap().flags,
            "SA",
            "no key at all"
        );
        t.inject(&Segment::new(peer.addr, peer.to, "R", peer.seq + 1, 0).packet());
    }
    found
}

fn md5_lookup_longest_prefix_wins(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 50);
    let (net, near) = ip.pick(
        ("192.0.2.77", "192.0.2.3"),
        ("2001:db8::7777", "2001:db8::3"),
    );
    md5sig(addr(net), "two")
        .prefix(ip.pick(24, 64))
        .set_ext(t, fd)
        .unwrap();
    set_key(t, fd, ip.peer(), "one").unwrap();
    assert_eq!(key_for(t, ip, &ip.peer().to_string(), 4000), Some("one"));
    assert_eq!(key_for(t, ip, near, 4001), Some("two"));
    set_key(t, fd, ip.peer(), "").unwrap();
    assert_eq!(key_for(t, ip, &ip.peer().to_string(), 4002), Some("two"));
    let any = ip.any();
    md5sig(any, "three").prefix(0).set_ext(t, fd).unwrap();
    assert_eq!(key_for(t, ip, near, 4003), Some("two"));
    md5sig(addr(net), "")
        .prefix(ip.pick(24, 64))
        .set_ext(t, fd)
        .unwrap();
    assert_eq!(key_for(t, ip, near, 4004), Some("three"));
    md5sig(any, "").prefix(0).set_ext(t, fd).unwrap();
    set_key(t, fd, any, "one").unwrap();
    assert_eq!(
        key_for(t, ip, near, 4005),
        None,
        "without a prefix it is one address"
    );
}

fn md5_lookup_youngest_of_equals_wins(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 50);
    let (a, b) = ip.pick(("192.0.2.0", "192.0.2.128"), ("2001:db8::", "2001:db8::f"));
    let prefix = ip.pick(24, 64);
    md5sig(addr(a), "one")
        .prefix(prefix)
        .set_ext(t, fd)
        .unwrap();
    md5sig(addr(b), "two")
        .prefix(prefix)
        .set_ext(t, fd)
        .unwrap();
    let peer = ip.peer().to_string();
    assert_eq!(key_for(t, ip, &peer, 4000), Some("two"));
    // Another secret does not make a key younger.
    md5sig(addr(a), "three")
        .prefix(prefix)
        .set_ext(t, fd)
        .unwrap();
    assert_eq!(key_for(t, ip, &peer, 4001), Some("two"));
    md5sig(addr(b), "").prefix(prefix).set_ext(t, fd).unwrap();
    assert_eq!(key_for(t, ip, &peer, 4002), Some("three"));
}

fn opened(t: &mut dyn Twin, ip: Ip, listener: Fd, port: u16, key: &str) -> Fd {
    let mut peer = Peer::new(ip, port, 80).offering(&[Opt::Mss(1460)]);
    t.inject(&peer.syn_segment().signed(key.as_bytes()).packet());
    peer.expect(t, "SA");
    peer.seq += 1;
    t.inject(&peer.segment("A").signed(key.as_bytes()).packet());
    t.accept(listener).unwrap()
}

fn md5_lookup_child_has_its_own_key_only(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 50);
    let net = md5sig(ip.peer(), "two").prefix(8);
    let delete_net = md5sig(ip.peer(), "").prefix(8);
    net.set_ext(t, fd).unwrap();
    set_key(t, fd, ip.listener(), "three").unwrap();
    let child = opened(t, ip, fd, 4000, "two");
    let gone = Err(Errno::ENOENT);
    assert_eq!(delete_net.set_ext(t, child), gone);
    assert_eq!(set_key(t, child, ip.listener(), ""), gone);
    assert_eq!(
        set_key(t, child, ip.peer(), ""),
        Ok(()),
        "for its peer alone"
    );
    set_key(t, fd, ip.peer(), "one").unwrap();
    let child = opened(t, ip, fd, 4001, "one");
    assert_eq!(delete_net.set_ext(t, child), gone);
    assert_eq!(set_key(t, child, ip.peer(), ""), Ok(()));
    assert_eq!(
        set_key(t, fd, ip.peer(), ""),
        Ok(()),
        "the listener keeps its own"
    );
}

fn md5_lookup_dual_listener_keeps_families_apart(t: &mut dyn Twin) {
    let fd = t.listener(Ip::V6, 80, 50);
    let v4 = "192.0.2.2";
    set_key(t, fd, addr("::ffff:192.0.2.2"), "one").unwrap();
    assert_eq!(key_for(t, Ip::V4, v4, 4000), Some("one"));
    assert_eq!(key_for(t, Ip::V4, "192.0.2.3", 4001), None);
    assert_eq!(key_for(t, Ip::V6, "2001:db8::2", 4002), None);
    md5sig(addr("::"), "two").prefix(0).set_ext(t, fd).unwrap();
    assert_eq!(key_for(t, Ip::V6, "2001:db8::2", 4003), Some("two"));
    assert_eq!(
        key_for(t, Ip::V4, "192.0.2.3", 4004),
        None,
        "::/0 is of IPv6"
    );
    let child = opened(t, Ip::V4, fd, 4005, "one");
    assert_eq!(
        set_key(t, child, addr("2001:db8::2"), ""),
        Err(Errno::ENOENT)
    );
    assert_eq!(set_key(t, child, addr("::ffff:192.0.2.2"), ""), Ok(()));
    set_key(t, fd, addr("::ffff:192.0.2.2"), "").unwrap();
    md5sig(addr("::ffff:0.0.0.0"), "three")
        .prefix(0)
        .set_ext(t, fd)
        .unwrap();
    assert_eq!(key_for(t, Ip::V4, v4, 4006), Some("three"));
    assert_eq!(key_for(t, Ip::V6, "2001:db8::2", 4007), Some("two"));
}
