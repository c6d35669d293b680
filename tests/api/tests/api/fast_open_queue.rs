//! How many Fast Open children may wait for their ACK (statements 101, 102).

use core::time::Duration;

use hearken_twin::{Cookie, Fd, Ip, Opt, Twin};

use super::fast_open_peer::{KEY, cookie_of, fast, on, opened, server, tcp_fastopen};

family_cases! {
    fast_open_queue_full_means_a_plain_handshake,
    fast_open_queue_counts_accepted_children_until_their_ack,
    fast_open_queue_place_of_each_end,
    fast_open_queue_place_of_a_reset_child_is_held_for_a_minute,
    fast_open_queue_follows_the_option,
    fast_open_queue_full_accept_queue_drops,
    fast_open_queue_is_not_the_syn_queue,
    fast_open_queue_of_a_migrated_child_is_not_counted
        differs "6.18.44 does not count the child at its new listener and takes it off there (fixed later: 6.12.105's list)",
    fast_open_queue_child_migrates_with_its_data,
}

fn right(ip: Ip) -> Option<Opt> {
    Some(Opt::FastOpen(Cookie::new(&cookie_of(KEY, ip)), false))
}

/// Whether another SYN with a cookie gets only a plain handshake.
#[track_caller]
fn full(t: &mut dyn Twin, ip: Ip, port: u16, to: u16) -> bool {
    on(t, &mut fast(ip, port, to, right(ip)), b"hello").ack == 1001
}

/// Statement 101: and not even a cookie is given.
fn fast_open_queue_full_means_a_plain_handshake(t: &mut dyn Twin, ip: Ip) {
    let fd = server(t, ip, 80, 50, 1);
    opened(t, ip, 4000, 80, b"hello");
    let request = Some(Opt::FastOpen(Cookie::default(), false));
    let wrong = Some(Opt::FastOpen(Cookie::new(&[1; 8]), false));
    for (at, option) in [right(ip), wrong, None, request].into_iter().enumerate() {
        let before = t.counters();
        let p = on(t, &mut fast(ip, 4001 + at as u16, 80, option), b"hello");
        assert_eq!((p.ack, p.options.len()), (1001, 1), "row {at}");
        let moved = [
            ("TcpExtTCPFastOpenListenOverflow", 1),
            ("TcpExtTCPFastOpenCookieReqd", 1),
        ];
        t.expect_tcp_counters(&before, &moved[..1 + usize::from(at == 3)]);
    }
    t.expect_queue(fd, 1, 50);
}

/// Statement 101.
fn fast_open_queue_counts_accepted_children_until_their_ack(t: &mut dyn Twin, ip: Ip) {
    let fd = server(t, ip, 80, 50, 1);
    let (mut peer, _) = opened(t, ip, 4000, 80, b"hello");
    t.accept(fd).unwrap();
    assert!(full(t, ip, 4001, 80));
    peer.ack(t);
    assert!(!full(t, ip, 4002, 80));
}

/// Which ends give the place back at once.
fn fast_open_queue_place_of_each_end(t: &mut dyn Twin, ip: Ip) {
    type End = fn(&mut dyn Twin, Option<Fd>, &mut hearken_twin::Peer);
    let table: &[(&str, bool, End, bool)] = &[
        ("reset before accept", false, |t, _, p| p.rst(t), false),
        ("reset after accept", true, |t, _, p| p.rst(t), true),
        (
            "closed with unread data",
            true,
            |t, fd, _| t.close(fd.unwrap()).unwrap(),
            false,
        ),
        (
            "closed in order",
            true,
            |t, fd, _| {
                t.recv(fd.unwrap(), 9, 0).unwrap();
                t.close(fd.unwrap()).unwrap();
            },
            true,
        ),
        (
            "closed in order, then acknowledged",
            true,
            |t, fd, p| {
                t.recv(fd.unwrap(), 9, 0).unwrap();
                t.close(fd.unwrap()).unwrap();
                p.ack(t);
            },
            false,
        ),
        (
            "SYN in the window",
            true,
            |t, _, p| t.inject(&p.segment("S").packet()),
            true,
        ),
    ];
    for (at, (what, accept, end, held)) in table.iter().enumerate() {
        let to = 80 + at as u16;
        let fd = server(t, ip, to, 50, 1);
        let (mut peer, _) = opened(t, ip, 4000, to, b"hello");
        let child = accept.then(|| t.accept(fd).unwrap());
        end(t, child, &mut peer);
        t.packets();
        assert_eq!(full(t, ip, 4001, to), *held, "{what}");
    }
}

/// Statement 101: so that who forges addresses cannot make room by resets.
fn fast_open_queue_place_of_a_reset_child_is_held_for_a_minute(t: &mut dyn Twin, ip: Ip) {
    let fd = server(t, ip, 80, 50, 1);
    let (mut peer, _) = opened(t, ip, 4000, 80, b"hello");
    t.accept(fd).unwrap();
    peer.rst(t);
    let start = t.now();
    assert!(full(t, ip, 4001, 80));
    while t.now() - start < Duration::from_millis(58_900) {
        t.advance(Duration::from_millis(500));
        while t.next_packet(Duration::ZERO).is_some() {}
    }
    assert!(full(t, ip, 4002, 80));
    t.advance(Duration::from_millis(1500));
    while t.next_packet(Duration::ZERO).is_some() {}
    let (mut next, _) = opened(t, ip, 4003, 80, b"hello");
    assert!(full(t, ip, 4004, 80));
    // The place is the next child's alone now.
    next.ack(t);
    assert!(!full(t, ip, 4005, 80));
}

/// Statement 94: also later, and 0 turns it off.
fn fast_open_queue_follows_the_option(t: &mut dyn Twin, ip: Ip) {
    let fd = server(t, ip, 80, 50, 1);
    opened(t, ip, 4000, 80, b"hello");
    assert!(full(t, ip, 4001, 80));
    tcp_fastopen(t, fd, 2).unwrap();
    assert!(!full(t, ip, 4002, 80));
    assert!(full(t, ip, 4003, 80));
    tcp_fastopen(t, fd, 0).unwrap();
    let before = t.counters();
    assert!(full(t, ip, 4004, 80));
    t.expect_tcp_counters(&before, &[]);
}

/// Statement 102.
fn fast_open_queue_full_accept_queue_drops(t: &mut dyn Twin, ip: Ip) {
    let fd = server(t, ip, 80, 0, 10);
    opened(t, ip, 4000, 80, b"hello");
    t.expect_queue(fd, 1, 0);
    let before = t.counters();
    t.inject(
        &fast(ip, 4001, 80, right(ip))
            .syn_segment()
            .data(b"hello")
            .packet(),
    );
    t.expect_nothing();
    t.expect_tcp_counters(
        &before,
        &[("TcpExtListenOverflows", 1), ("TcpExtListenDrops", 1)],
    );
    t.accept(fd).unwrap();
    assert!(!full(t, ip, 4002, 80));
}

/// A child that waits for its ACK takes no place in the SYN queue.
fn fast_open_queue_is_not_the_syn_queue(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.ipv4.tcp_syncookies", "0").unwrap();
    let fd = server(t, ip, 80, 0, 10);
    opened(t, ip, 4000, 80, b"hello");
    t.accept(fd).unwrap();
    fast(ip, 4001, 80, None).half_open(t);
    fast(ip, 4002, 80, None).syn(t);
    t.expect_nothing();
}

/// Two listeners on port 80 that share it, with a queue of one; the first has a child and leaves.
fn migrated(t: &mut dyn Twin, ip: Ip) -> (Fd, hearken_twin::Peer) {
    t.sysctl("net.ipv4.tcp_migrate_req", "1").unwrap();
    t.sysctl("net.ipv4.tcp_fastopen", "3").unwrap();
    t.sysctl("net.ipv4.tcp_fastopen_key", KEY).unwrap();
    let member = |t: &mut dyn Twin| {
        let fd = t.tcp(ip);
        t.set_int(fd, libc::SOL_SOCKET, libc::SO_REUSEPORT, 1)
            .unwrap();
        tcp_fastopen(t, fd, 1).unwrap();
        t.bind(fd, &hearken_twin::any(ip, 80)).unwrap();
        t.listen(fd, 50).unwrap();
        fd
    };
    let first = member(t);
    let (peer, _) = opened(t, ip, 4000, 80, b"hello");
    let second = member(t);
    t.close(first).unwrap();
    t.expect_nothing();
    (second, peer)
}

/// The survivor accepts it, still without its ACK.
fn fast_open_queue_child_migrates_with_its_data(t: &mut dyn Twin, ip: Ip) {
    let (fd, mut peer) = migrated(t, ip);
    t.expect_queue(fd, 1, 50);
    let child = t.accept(fd).unwrap();
    assert_eq!(t.state(child), 3);
    assert_eq!(t.recv(child, 9, 0), Ok(b"hello".to_vec()));
    peer.ack(t);
    assert_eq!(t.state(child), 1);
}

fn fast_open_queue_of_a_migrated_child_is_not_counted(t: &mut dyn Twin, ip: Ip) {
    let (_, mut peer) = migrated(t, ip);
    assert!(!full(t, ip, 4001, 80));
    peer.ack(t);
    assert!(!full(t, ip, 4002, 80));
    assert!(full(t, ip, 4003, 80));
}
