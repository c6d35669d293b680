//! The SYN queue: how many half-open connections fit, and what cookies change (statements 50 to 54).

use core::time::Duration;

use hearken_twin::{Ip, Opt, Peer, Twin};

family_cases! {
    syn_queue_without_cookies_holds_backlog_plus_one,
    syn_queue_without_cookies_keeps_a_quarter_of_max_syn_backlog,
    syn_queue_quarter_is_open_to_a_proven_peer,
    syn_queue_with_cookies_ignores_max_syn_backlog,
    syn_queue_always_cookies_keeps_no_state,
    syn_queue_time_wait_match_skips_the_limit,
    syn_queue_time_wait_match_does_not_skip_the_accept_queue,
    syn_queue_is_checked_before_accept_queue,
}

/// Sends `count` SYNs from as many ports, and counts the SYN-ACKs.
fn flood(t: &mut dyn Twin, ip: Ip, port: u16, from: u16, count: u16) -> usize {
    for i in 0..count {
        Peer::new(ip, from + i, port).syn(t);
    }
    let packets = t.packets();
    assert!(
        packets.iter().all(|packet| packet.flags == "SA"),
        "{packets:?}"
    );
    packets.len()
}

/// Statement 50.
fn syn_queue_without_cookies_holds_backlog_plus_one(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.ipv4.tcp_syncookies", "0").unwrap();
    for (port, backlog) in [(80, 0u16), (81, 1), (82, 2), (83, 8), (84, 64)] {
        t.listener(ip, port, i32::from(backlog));
        let before = t.counters();
        assert_eq!(
            flood(t, ip, port, 6000, backlog + 10),
            usize::from(backlog) + 1
        );
        t.expect_tcp_counters(
            &before,
            &[("TcpExtListenDrops", 9), ("TcpExtTCPReqQFullDrop", 9)],
        );
        let here = t.rows(3).into_iter().filter(|row| row.local.port() == port);
        assert_eq!(here.count(), usize::from(backlog) + 1);
    }
}

/// Statement 51: dropped when M - length < M / 4; no counter of its own.
fn syn_queue_without_cookies_keeps_a_quarter_of_max_syn_backlog(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.ipv4.tcp_syncookies", "0").unwrap();
    for (port, max, admitted) in [(80, 16, 13), (81, 64, 49), (82, 100, 76)] {
        t.sysctl("net.ipv4.tcp_max_syn_backlog", &max.to_string())
            .unwrap();
        let fd = t.listener(ip, port, 4096);
        let before = t.counters();
        assert_eq!(
            flood(t, ip, port, 7000, max),
            admitted,
            "tcp_max_syn_backlog {max}"
        );
        t.expect_tcp_counters(
            &before,
            &[("TcpExtListenDrops", i64::from(max) - admitted as i64)],
        );
        t.close(fd).unwrap();
    }
}

/// Statement 53: a peer to whom a connection was measured is let in beyond the quarter.
fn syn_queue_quarter_is_open_to_a_proven_peer(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.ipv4.tcp_syncookies", "0").unwrap();
    t.sysctl("net.ipv4.tcp_max_syn_backlog", "16").unwrap();
    let fd = t.listener(ip, 80, 4096);
    let mut proof = Peer::new(ip, 4000, 80);
    proof.open(t);
    let child = t.accept(fd).unwrap();
    // Data both ways gives a round-trip time; the close keeps it for the peer's address.
    t.send(child, b"measured", 0).unwrap();
    proof.expect(t, "PA");
    proof.ack(t);
    t.close(child).unwrap();
    proof.expect(t, "FA");
    proof.fin(t);
    proof.expect(t, "A");
    assert_eq!(flood(t, ip, 80, 7000, 40), 40);
}

/// Statement 52.
fn syn_queue_with_cookies_ignores_max_syn_backlog(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.ipv4.tcp_max_syn_backlog", "16").unwrap();
    t.listener(ip, 80, 64);
    let before = t.counters();
    assert_eq!(flood(t, ip, 80, 8000, 90), 90);
    t.expect_tcp_counters(
        &before,
        &[
            ("TcpExtSyncookiesSent", 25),
            ("TcpExtTCPReqQFullDoCookies", 25),
        ],
    );
    assert_eq!(t.half_open(), 65);
}

/// Statements 52 and 79.
fn syn_queue_always_cookies_keeps_no_state(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.ipv4.tcp_syncookies", "2").unwrap();
    t.sysctl("net.ipv4.tcp_max_syn_backlog", "16").unwrap();
    t.listener(ip, 80, 64);
    let before = t.counters();
    assert_eq!(flood(t, ip, 80, 8000, 90), 90);
    t.expect_tcp_counters(
        &before,
        &[
            ("TcpExtSyncookiesSent", 90),
            ("TcpExtTCPReqQFullDoCookies", 90),
        ],
    );
    assert_eq!(t.half_open(), 0);
}

/// Leaves a TIME_WAIT socket for this peer, and a SYN of it that begins a new connection.
fn leave_time_wait(t: &mut dyn Twin, ip: Ip, listener: i32) -> Peer {
    let mut peer = Peer::new(ip, 4000, 80);
    peer.open(t);
    let child = t.accept(listener).unwrap();
    t.close(child).unwrap();
    peer.expect(t, "FA");
    peer.fin(t);
    peer.expect(t, "A");
    assert_eq!(t.rows(6).len(), 1, "TIME_WAIT");
    Peer {
        ts: 9000,
        ..Peer::new(ip, 4000, 80)
    }
    .offering(&[Opt::Mss(1460), Opt::Nop, Opt::Nop, Opt::Ts(9000, 0)])
}

/// Statement 53.
fn syn_queue_time_wait_match_skips_the_limit(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.ipv4.tcp_syncookies", "0").unwrap();
    let fd = t.listener(ip, 80, 1);
    let mut again = leave_time_wait(t, ip, fd);
    assert_eq!(flood(t, ip, 80, 6000, 5), 2, "the queue is full");
    let before = t.counters();
    again.half_open(t);
    t.expect_tcp_counters(&before, &[]);
    assert_eq!(t.half_open(), 3);
}

/// Statement 53.
fn syn_queue_time_wait_match_does_not_skip_the_accept_queue(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 0);
    let mut again = leave_time_wait(t, ip, fd);
    Peer::new(ip, 4001, 80).open(t);
    let before = t.counters();
    again.syn(t);
    t.expect_nothing();
    t.expect_tcp_counters(
        &before,
        &[("TcpExtListenOverflows", 1), ("TcpExtListenDrops", 1)],
    );
}

/// Statement 54.
fn syn_queue_is_checked_before_accept_queue(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.ipv4.tcp_syncookies", "0").unwrap();
    let fd = t.listener(ip, 80, 10);
    for port in [4000, 4001] {
        Peer::new(ip, port, 80).open(t);
        Peer::new(ip, port + 100, 80).half_open(t);
    }
    t.listen(fd, 1).unwrap();
    let before = t.counters();
    Peer::new(ip, 5000, 80).syn(t);
    t.expect_nothing();
    t.expect_tcp_counters(
        &before,
        &[("TcpExtListenDrops", 1), ("TcpExtTCPReqQFullDrop", 1)],
    );
    // With cookies the SYN queue lets it through to the accept queue's check.
    t.sysctl("net.ipv4.tcp_syncookies", "1").unwrap();
    let before = t.counters();
    Peer::new(ip, 5001, 80).syn(t);
    t.expect_nothing_for(Duration::from_millis(30));
    t.expect_tcp_counters(
        &before,
        &[
            ("TcpExtListenOverflows", 1),
            ("TcpExtListenDrops", 1),
            ("TcpExtTCPReqQFullDoCookies", 1),
        ],
    );
}
