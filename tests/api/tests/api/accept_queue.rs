//! The accept queue: how many fit, what overflow does, and what a queued child may go through (statements 42 to 49).

use core::mem::discriminant;
use core::time::Duration;

use hearken_abi::Errno;
use hearken_twin::{Ip, Opt, Peer, Twin};

family_cases! {
    accept_queue_holds_limit_plus_one,
    accept_queue_full_final_ack_is_dropped_and_request_kept,
    accept_queue_full_final_ack_changes_nothing_of_what_was_negotiated,
    accept_queue_full_data_is_dropped_until_room,
    accept_queue_full_abort_on_overflow_resets,
    accept_queue_full_abort_on_overflow_syn_is_only_dropped,
    accept_order_is_handshake_completion,
    accept_queue_child_acks_data_and_fin,
    accept_queue_child_that_was_reset_is_accepted,
    accept_queue_child_with_fin_is_close_wait,
    accept_queue_child_keeps_icmp_error,
    accept_options_set_between_syn_and_ack_reach_the_child,
    accept_options_set_after_handshake_do_not_reach_the_child,
}

const OVERFLOW: &[(&str, i64)] = &[("TcpExtListenOverflows", 1), ("TcpExtListenDrops", 1)];

/// Statements 42 and 43.
fn accept_queue_holds_limit_plus_one(t: &mut dyn Twin, ip: Ip) {
    for (port, backlog) in [(80, 0), (81, 1), (82, 3), (83, 16)] {
        let fd = t.listener(ip, port, backlog);
        for i in 0..=backlog as u16 {
            let before = t.counters();
            Peer::new(ip, 4000 + i, port).open(t);
            let opened = [
                ("TcpPassiveOpens", 1),
                ("TcpCurrEstab", 1),
                ("TcpExtTCPPureAcks", 1),
            ];
            t.expect_tcp_counters(&before, &opened);
        }
        t.expect_queue(fd, backlog as u32 + 1, backlog as u32);
        for i in 0..3 {
            let before = t.counters();
            Peer::new(ip, 5000 + i, port).syn(t);
            t.expect_nothing();
            t.expect_tcp_counters(&before, OVERFLOW);
        }
        assert_eq!(t.half_open(), 0);
        // Room for exactly one after each accept.
        assert!(t.accept(fd).is_ok());
        Peer::new(ip, 6000, port).open(t);
        t.expect_queue(fd, backlog as u32 + 1, backlog as u32);
        t.close(fd).unwrap();
        t.packets();
    }
}

/// A listener with backlog 1 whose queue is full, and a third peer that got its SYN-ACK before.
fn full_with_one_half_open(t: &mut dyn Twin, ip: Ip) -> (i32, Peer) {
    let fd = t.listener(ip, 80, 1);
    let mut peers: Vec<Peer> = (4000..4002).map(|port| Peer::new(ip, port, 80)).collect();
    for peer in &mut peers {
        peer.half_open(t);
    }
    peers[0].ack(t);
    let mut third = Peer::new(ip, 4002, 80);
    third.half_open(t);
    peers[1].ack(t);
    t.expect_queue(fd, 2, 1);
    assert_eq!(t.half_open(), 1);
    (fd, third)
}

/// Statement 44: no reply, and the SYN-ACK timer goes on.
fn accept_queue_full_final_ack_is_dropped_and_request_kept(t: &mut dyn Twin, ip: Ip) {
    let (fd, mut third) = full_with_one_half_open(t, ip);
    let before = t.counters();
    third.ack(t);
    t.expect_nothing();
    t.expect_tcp_counters(&before, OVERFLOW);
    assert_eq!(t.half_open(), 1);
    let before = t.counters();
    third.expect_within(t, "SA", Duration::from_millis(1300));
    t.expect_tcp_counters(
        &before,
        &[
            ("TcpRetransSegs", 1),
            ("TcpExtTCPTimeouts", 1),
            ("TcpExtTCPSynRetrans", 1),
        ],
    );
    assert!(t.accept(fd).is_ok());
    let before = t.counters();
    third.ack(t);
    t.expect_tcp_counters(
        &before,
        &[
            ("TcpPassiveOpens", 1),
            ("TcpCurrEstab", 1),
            ("TcpExtTCPPureAcks", 1),
        ],
    );
    t.expect_queue(fd, 2, 1);
    assert_eq!(t.half_open(), 0);
}

/// Statement 44: the SYN-ACK that is sent again offers what the first did, and the connection has it.
fn accept_queue_full_final_ack_changes_nothing_of_what_was_negotiated(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 0);
    Peer::new(ip, 4000, 80).open(t);
    let mut late = Peer::new(ip, 4001, 80);
    t.listen(fd, 1).unwrap();
    let first = late.half_open(t);
    t.listen(fd, 0).unwrap();
    for _ in 0..2 {
        late.ack(t);
        t.expect_nothing();
    }
    let again = late.expect_within(t, "SA", Duration::from_millis(1300));
    let kinds = |p: &hearken_twin::Packet| p.options.iter().map(discriminant).collect::<Vec<_>>();
    assert_eq!(kinds(&again), kinds(&first));
    assert!(t.accept(fd).is_ok());
    late.ack(t);
    let child = t.accept(fd).unwrap();
    t.send(child, b"x", 0).unwrap();
    let data = late.expect(t, "PA");
    assert!(
        data.options.iter().any(|o| matches!(o, Opt::Ts(..))),
        "{data:?}"
    );
}

/// Statement 44.
fn accept_queue_full_data_is_dropped_until_room(t: &mut dyn Twin, ip: Ip) {
    let (fd, mut third) = full_with_one_half_open(t, ip);
    let before = t.counters();
    third.data(t, b"hello");
    t.expect_nothing();
    t.expect_tcp_counters(&before, OVERFLOW);
    assert_eq!(t.half_open(), 1);
    assert!(t.accept(fd).is_ok());
    third.seq -= 5;
    let before = t.counters();
    third.data(t, b"hello");
    let ack = third.expect(t, "A");
    assert_eq!(ack.ack, 1006);
    t.expect_tcp_counters(&before, &[("TcpPassiveOpens", 1), ("TcpCurrEstab", 1)]);
    assert!(t.accept(fd).is_ok());
    let child = t.accept(fd).unwrap();
    assert_eq!(t.recv(child, 9, 0), Ok(b"hello".to_vec()));
}

/// Statement 45.
fn accept_queue_full_abort_on_overflow_resets(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.ipv4.tcp_abort_on_overflow", "1").unwrap();
    let (fd, mut third) = full_with_one_half_open(t, ip);
    let before = t.counters();
    let ack = third.ack;
    third.ack(t);
    third.expect_bare_rst(t, ack);
    t.expect_tcp_counters(
        &before,
        &[
            ("TcpOutRsts", 1),
            ("TcpExtEmbryonicRsts", 1),
            ("TcpExtListenOverflows", 1),
            ("TcpExtListenDrops", 1),
        ],
    );
    assert_eq!(t.half_open(), 0);
    t.expect_queue(fd, 2, 1);
}

/// Statement 45.
fn accept_queue_full_abort_on_overflow_syn_is_only_dropped(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.ipv4.tcp_abort_on_overflow", "1").unwrap();
    let fd = t.listener(ip, 80, 0);
    Peer::new(ip, 4000, 80).open(t);
    let before = t.counters();
    Peer::new(ip, 4001, 80).syn(t);
    t.expect_nothing();
    t.expect_tcp_counters(&before, OVERFLOW);
    t.expect_queue(fd, 1, 0);
}

/// Statement 46.
fn accept_order_is_handshake_completion(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    let mut peers: Vec<Peer> = (4000..4004).map(|port| Peer::new(ip, port, 80)).collect();
    for peer in &mut peers {
        peer.half_open(t);
    }
    for at in [2, 0, 3, 1] {
        peers[at].ack(t);
    }
    for at in [2, 0, 3, 1] {
        let child = t.accept(fd).unwrap();
        assert_eq!(t.remote(child), Ok(peers[at].addr));
    }
    assert_eq!(t.accept(fd), Err(Errno::EAGAIN));
}

/// Statement 46.
fn accept_queue_child_acks_data_and_fin(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    let mut peer = Peer::new(ip, 4000, 80);
    peer.open(t);
    peer.data(t, b"early");
    assert_eq!(peer.expect(t, "A").ack, 1006);
    peer.fin(t);
    assert_eq!(peer.expect(t, "A").ack, 1007);
    let child = t.accept(fd).unwrap();
    assert_eq!(t.recv(child, 10, 0), Ok(b"early".to_vec()));
    assert_eq!(t.recv(child, 10, 0), Ok(Vec::new()));
    assert_eq!(t.state(child), 8, "CLOSE_WAIT");
}

/// Statement 47.
fn accept_queue_child_that_was_reset_is_accepted(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    let mut peer = Peer::new(ip, 4000, 80);
    peer.open(t);
    let before = t.counters();
    peer.rst(t);
    t.expect_nothing();
    t.expect_tcp_counters(&before, &[("TcpEstabResets", 1), ("TcpCurrEstab", -1)]);
    t.expect_queue(fd, 1, 5);
    assert_eq!(t.poll(fd), 0x41, "still readable");
    let accepted = t
        .accept4(fd, hearken_twin::AddrArg::Len(128), libc::SOCK_NONBLOCK)
        .unwrap();
    assert_eq!(hearken_twin::socket_addr(&accepted.addr), peer.addr);
    let child = accepted.fd;
    assert_eq!(t.state(child), 7);
    assert_eq!(t.getpeername(child), Err(Errno::ENOTCONN));
    assert_eq!(t.recv(child, 1, 0), Err(Errno::ECONNRESET));
    assert_eq!(t.recv(child, 1, 0), Ok(Vec::new()));
    assert_eq!(t.send(child, b"x", 0), Err(Errno::EPIPE));
    t.expect_queue(fd, 0, 5);
}

/// Statement 48.
fn accept_queue_child_with_fin_is_close_wait(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    let mut peer = Peer::new(ip, 4000, 80);
    peer.open(t);
    let before = t.counters();
    peer.fin(t);
    assert_eq!(peer.expect(t, "A").ack, 1002);
    t.expect_tcp_counters(&before, &[("TcpExtDelayedACKs", 1)]);
    let child = t.accept(fd).unwrap();
    assert_eq!(t.recv(child, 5, 0), Ok(Vec::new()));
    assert_eq!(t.state(child), 8);
}

/// Statement 48: ICMP host unreachable (ICMPv6 address unreachable) about an established child.
fn accept_queue_child_keeps_icmp_error(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    let mut peer = Peer::new(ip, 4000, 80);
    peer.open(t);
    let (kind, code) = ip.pick((3, 1), (1, 3));
    peer.icmp(t, kind, code, 0, peer.ack);
    t.expect_queue(fd, 1, 5);
    let child = t.accept(fd).unwrap();
    assert_eq!(t.state(child), 1, "ESTABLISHED");
    assert_eq!(
        t.so_error(child),
        ip.pick(Errno::EHOSTUNREACH, Errno::EHOSTUNREACH).0
    );
}

/// Statement 49: the child is cloned at the ACK.
fn accept_options_set_between_syn_and_ack_reach_the_child(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    let mut peer = Peer::new(ip, 4000, 80);
    peer.half_open(t);
    t.set_int(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, 1)
        .unwrap();
    t.set_int(fd, libc::SOL_SOCKET, libc::SO_RCVBUF, 20_000)
        .unwrap();
    peer.ack(t);
    let child = t.accept(fd).unwrap();
    assert_eq!(t.int(child, libc::IPPROTO_TCP, libc::TCP_NODELAY), Ok(1));
    assert_eq!(t.int(child, libc::SOL_SOCKET, libc::SO_RCVBUF), Ok(40_000));
}

/// Statement 49.
fn accept_options_set_after_handshake_do_not_reach_the_child(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    Peer::new(ip, 4000, 80).open(t);
    t.set_int(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY, 1)
        .unwrap();
    t.set_int(fd, libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1)
        .unwrap();
    let child = t.accept(fd).unwrap();
    assert_eq!(t.int(child, libc::IPPROTO_TCP, libc::TCP_NODELAY), Ok(0));
    assert_eq!(t.int(child, libc::SOL_SOCKET, libc::SO_KEEPALIVE), Ok(0));
}
