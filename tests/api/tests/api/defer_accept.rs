//! TCP_DEFER_ACCEPT (statements 89 to 92).

use core::time::Duration;

use hearken_abi::sock::{SOL_TCP, TCP_DEFER_ACCEPT};
use hearken_twin::{Fd, Ip, Opt, Peer, Twin};

family_cases! {
    defer_accept_reads_back_rounded_up,
    defer_accept_drops_a_bare_ack,
    defer_accept_data_or_fin_completes,
    defer_accept_reset_removes_the_request,
    defer_accept_asks_again_only_at_the_last_timeout,
    defer_accept_asks_a_silent_peer_as_ever,
    defer_accept_outlives_the_retries,
    defer_accept_ends_and_a_bare_ack_completes,
    defer_accept_is_read_when_the_ack_comes,
    defer_accept_comes_before_the_accept_queue,
    defer_accept_does_not_hold_back_a_cookie,
    defer_accept_is_not_inherited,
}

const MSS: &[Opt] = &[Opt::Mss(1460)];

fn deferring(t: &mut dyn Twin, ip: Ip, backlog: i32, seconds: i32) -> Fd {
    let fd = t.listener(ip, 80, backlog);
    t.set_int(fd, SOL_TCP, TCP_DEFER_ACCEPT, seconds).unwrap();
    fd
}

/// Statement 89.
fn defer_accept_reads_back_rounded_up(t: &mut dyn Twin, ip: Ip) {
    let fd = t.tcp(ip);
    let table = [
        (-1, 0),
        (0, 0),
        (1, 1),
        (2, 3),
        (4, 7),
        (8, 15),
        (60, 63),
        (64, 127),
        (200, 247),
        (1_000_000, 29_887),
    ];
    for (set, get) in table {
        t.set_int(fd, SOL_TCP, TCP_DEFER_ACCEPT, set).unwrap();
        assert_eq!(t.int(fd, SOL_TCP, TCP_DEFER_ACCEPT), Ok(get), "{set}");
    }
}

/// Statement 90.
fn defer_accept_drops_a_bare_ack(t: &mut dyn Twin, ip: Ip) {
    let fd = deferring(t, ip, 5, 5);
    for (at, flags) in ["A", "PA", "UA"].into_iter().enumerate() {
        let mut peer = Peer::new(ip, 4000 + at as u16, 80).offering(MSS);
        peer.half_open(t);
        for _ in 0..2 {
            let before = t.counters();
            t.inject(&peer.segment(flags).packet());
            t.expect_nothing();
            t.expect_tcp_counters(&before, &[("TcpExtTCPDeferAcceptDrop", 1)]);
        }
    }
    assert_eq!(t.half_open(), 3);
    t.expect_queue(fd, 0, 5);
}

/// Statement 90.
fn defer_accept_data_or_fin_completes(t: &mut dyn Twin, ip: Ip) {
    let fd = deferring(t, ip, 5, 5);
    let mut talker = Peer::new(ip, 4000, 80).offering(MSS);
    talker.half_open(t);
    talker.ack(t);
    talker.data(t, b"GET");
    talker.expect(t, "A");
    t.expect_queue(fd, 1, 5);
    let mut quitter = Peer::new(ip, 4001, 80).offering(MSS);
    quitter.half_open(t);
    quitter.fin(t);
    quitter.expect(t, "A");
    t.expect_queue(fd, 2, 5);
    let child = t.accept(fd).unwrap();
    assert_eq!(t.recv(child, 10, 0), Ok(b"GET".to_vec()));
}

fn defer_accept_reset_removes_the_request(t: &mut dyn Twin, ip: Ip) {
    deferring(t, ip, 5, 5);
    let mut peer = Peer::new(ip, 4000, 80).offering(MSS);
    peer.half_open(t);
    peer.ack(t);
    peer.rst(t);
    t.expect_nothing();
    assert_eq!(t.half_open(), 0);
}

/// SYN-ACKs in whole seconds after the first, during `seconds`: ours on the dot, Linux's up to a timer's slack late.
fn syn_acks(t: &mut dyn Twin, peer: &mut Peer, seconds: u64) -> Vec<u64> {
    peer.half_open(t);
    peer.ack(t);
    heard(t, seconds)
}

fn heard(t: &mut dyn Twin, seconds: u64) -> Vec<u64> {
    let (start, mut seen) = (t.now(), Vec::new());
    let end = start + Duration::from_secs(seconds);
    while t.now() < end {
        if let Some(packet) = t.next_tcp(end.saturating_sub(t.now())) {
            assert_eq!(packet.flags, "SA");
            seen.push((t.now() - start + Duration::from_millis(100)).as_secs());
        }
    }
    seen
}

/// Statement 91.
fn defer_accept_asks_again_only_at_the_last_timeout(t: &mut dyn Twin, ip: Ip) {
    deferring(t, ip, 5, 3);
    let before = t.counters();
    let mut peer = Peer::new(ip, 4000, 80);
    assert_eq!(syn_acks(t, &mut peer, 9), [3, 7]);
    let expected = [
        ("TcpRetransSegs", 2),
        ("TcpExtTCPDeferAcceptDrop", 1),
        ("TcpExtTCPSynRetrans", 2),
        ("TcpExtTCPTimeouts", 3),
    ];
    t.expect_tcp_counters(&before, &expected);
}

/// Statement 91: only a peer that acknowledged is left alone.
fn defer_accept_asks_a_silent_peer_as_ever(t: &mut dyn Twin, ip: Ip) {
    deferring(t, ip, 5, 3);
    Peer::new(ip, 4000, 80).half_open(t);
    assert_eq!(heard(t, 4), [1, 3]);
}

/// Statement 92.
fn defer_accept_outlives_the_retries(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.ipv4.tcp_synack_retries", "0").unwrap();
    deferring(t, ip, 5, 1);
    let mut peer = Peer::new(ip, 4000, 80);
    assert_eq!(syn_acks(t, &mut peer, 2), [1]);
    assert_eq!(t.half_open(), 1);
    t.expect_nothing_for(Duration::from_millis(1700));
    assert_eq!(t.half_open(), 0);
}

/// Statement 91.
fn defer_accept_ends_and_a_bare_ack_completes(t: &mut dyn Twin, ip: Ip) {
    let fd = deferring(t, ip, 5, 1);
    let mut peer = Peer::new(ip, 4000, 80);
    peer.half_open(t);
    peer.ack(t);
    peer.expect_within(t, "SA", Duration::from_millis(1400));
    peer.ack(t);
    t.expect_nothing();
    t.expect_queue(fd, 1, 5);
}

fn defer_accept_is_read_when_the_ack_comes(t: &mut dyn Twin, ip: Ip) {
    let fd = deferring(t, ip, 5, 5);
    let mut peer = Peer::new(ip, 4000, 80);
    peer.half_open(t);
    t.set_int(fd, SOL_TCP, TCP_DEFER_ACCEPT, 0).unwrap();
    peer.ack(t);
    t.expect_queue(fd, 1, 5);
}

/// A bare ACK is deferred without a look at the queue; data finds it full.
fn defer_accept_comes_before_the_accept_queue(t: &mut dyn Twin, ip: Ip) {
    let fd = deferring(t, ip, 1, 5);
    let mut peers: Vec<_> = (4000..4003)
        .map(|port| Peer::new(ip, port, 80).offering(MSS))
        .collect();
    peers[0].half_open(t);
    peers[1].half_open(t);
    peers[0].data(t, b"x");
    peers[0].expect(t, "A");
    peers[2].half_open(t);
    peers[1].data(t, b"x");
    peers[1].expect(t, "A");
    t.expect_queue(fd, 2, 1);
    let before = t.counters();
    peers[2].ack(t);
    t.expect_tcp_counters(&before, &[("TcpExtTCPDeferAcceptDrop", 1)]);
    let before = t.counters();
    peers[2].data(t, b"x");
    t.expect_nothing();
    let full = [("TcpExtListenDrops", 1), ("TcpExtListenOverflows", 1)];
    t.expect_tcp_counters(&before, &full);
}

fn defer_accept_does_not_hold_back_a_cookie(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.ipv4.tcp_syncookies", "2").unwrap();
    let fd = deferring(t, ip, 5, 5);
    Peer::new(ip, 4000, 80).offering(MSS).open(t);
    t.expect_queue(fd, 1, 5);
}

/// Statement 91.
fn defer_accept_is_not_inherited(t: &mut dyn Twin, ip: Ip) {
    let fd = deferring(t, ip, 5, 5);
    let mut peer = Peer::new(ip, 4000, 80);
    peer.half_open(t);
    peer.data(t, b"x");
    let child = t.accept(fd).unwrap();
    assert_eq!(t.int(child, SOL_TCP, TCP_DEFER_ACCEPT), Ok(0));
}
