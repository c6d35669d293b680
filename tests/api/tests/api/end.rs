//! How a connection ends: FIN from either side, resets, TIME_WAIT, and what the program is told.

use core::time::Duration;

use hearken_abi::Errno;
use hearken_twin::{Ip, Peer, Twin};

family_cases! {
    end_close_first_goes_to_time_wait,
    end_peer_first_goes_to_close_wait_then_closes,
    end_both_at_once_goes_through_closing,
    end_shutdown_write_leaves_reading,
    end_shutdown_read_reads_end_of_stream,
    end_close_with_unread_data_resets,
    end_close_with_linger_zero_resets,
    end_reset_of_a_socket_has_its_tos_and_ttl,
    end_data_for_a_closed_socket_is_reset,
    end_reset_received_tells_once,
    end_reset_in_window_gets_a_challenge_ack,
    end_syn_in_window_gets_a_challenge_ack,
    end_reset_after_peer_fin_is_epipe,
    end_fin_wait_2_of_an_orphan_ends_after_its_timeout,
    end_time_wait_answers_and_ignores,
    end_time_wait_gives_way_to_a_newer_syn,
    end_send_after_shutdown_epipe,
    end_poll_bits_follow_the_peer,
}

/// A connection, accepted; the child is nonblocking.
#[track_caller]
fn established(t: &mut dyn Twin, ip: Ip) -> (i32, Peer) {
    let listener = t.listener(ip, 80, 5);
    let mut peer = Peer::new(ip, 4000, 80);
    peer.open(t);
    (t.accept(listener).expect("accept"), peer)
}

fn state_of(t: &mut dyn Twin, peer: &Peer) -> Option<u8> {
    t.tcp_table()
        .iter()
        .find(|row| row.remote == peer.addr)
        .map(|row| row.state)
}

fn end_close_first_goes_to_time_wait(t: &mut dyn Twin, ip: Ip) {
    let (child, mut peer) = established(t, ip);
    let before = t.counters();
    t.close(child).unwrap();
    peer.expect(t, "FA");
    assert_eq!(state_of(t, &peer), Some(4), "FIN_WAIT1");
    peer.ack(t);
    t.expect_nothing();
    assert_eq!(state_of(t, &peer), Some(5), "FIN_WAIT2");
    peer.fin(t);
    assert_eq!(peer.expect(t, "A").ack, 1002);
    assert_eq!(state_of(t, &peer), Some(6), "TIME_WAIT");
    t.expect_counters(&before, &[("TcpCurrEstab", -1), ("TcpExtTW", 1)]);
}

fn end_peer_first_goes_to_close_wait_then_closes(t: &mut dyn Twin, ip: Ip) {
    let (child, mut peer) = established(t, ip);
    peer.fin(t);
    peer.expect(t, "A");
    assert_eq!(state_of(t, &peer), Some(8), "CLOSE_WAIT");
    assert_eq!(t.recv(child, 9, 0), Ok(Vec::new()));
    assert_eq!(t.send(child, b"late", 0), Ok(4));
    assert_eq!(peer.expect(t, "PA").data, b"late");
    peer.ack(t);
    t.close(child).unwrap();
    peer.expect(t, "FA");
    assert_eq!(state_of(t, &peer), Some(9), "LAST_ACK");
    peer.ack(t);
    t.expect_nothing();
    assert_eq!(state_of(t, &peer), None);
}

fn end_both_at_once_goes_through_closing(t: &mut dyn Twin, ip: Ip) {
    let (child, mut peer) = established(t, ip);
    t.close(child).unwrap();
    let old_ack = peer.ack;
    let fin = peer.expect(t, "FA");
    assert_eq!(fin.seq, old_ack);
    let new_ack = peer.ack;
    peer.ack = old_ack;
    peer.fin(t);
    assert_eq!(peer.expect(t, "A").ack, 1002);
    assert_eq!(state_of(t, &peer), Some(11), "CLOSING");
    peer.ack = new_ack;
    peer.ack(t);
    t.expect_nothing();
    assert_eq!(state_of(t, &peer), Some(6), "TIME_WAIT");
}

fn end_shutdown_write_leaves_reading(t: &mut dyn Twin, ip: Ip) {
    let (child, mut peer) = established(t, ip);
    assert_eq!(t.shutdown(child, libc::SHUT_WR), Ok(()));
    peer.expect(t, "FA");
    assert_eq!(t.shutdown(child, libc::SHUT_WR), Ok(()), "again");
    peer.ack(t);
    peer.data(t, b"still");
    peer.expect(t, "A");
    assert_eq!(t.recv(child, 9, 0), Ok(b"still".to_vec()));
    assert_eq!(t.send(child, b"x", 0), Err(Errno::EPIPE));
    assert_eq!(t.state(child), 5, "FIN_WAIT2");
}

fn end_shutdown_read_reads_end_of_stream(t: &mut dyn Twin, ip: Ip) {
    let (child, mut peer) = established(t, ip);
    assert_eq!(t.shutdown(child, libc::SHUT_RD), Ok(()));
    t.expect_nothing();
    assert_eq!(t.recv(child, 9, 0), Ok(Vec::new()));
    peer.data(t, b"after");
    assert_eq!(peer.expect(t, "A").ack, 1006, "it is still taken");
    assert_eq!(t.recv(child, 9, 0), Ok(b"after".to_vec()));
    assert_eq!(t.recv(child, 9, 0), Ok(Vec::new()));
}

fn end_close_with_unread_data_resets(t: &mut dyn Twin, ip: Ip) {
    let (child, mut peer) = established(t, ip);
    let next = peer.ack;
    peer.data(t, b"unread");
    peer.expect(t, "A");
    let before = t.counters();
    t.close(child).unwrap();
    peer.expect_rst_ack(t, next, 1007);
    let moved = [
        ("TcpCurrEstab", -1),
        ("TcpEstabResets", 1),
        ("TcpOutRsts", 1),
        ("TcpExtTCPAbortOnClose", 1),
    ];
    t.expect_tcp_counters(&before, &moved);
    assert_eq!(state_of(t, &peer), None);
}

fn end_close_with_linger_zero_resets(t: &mut dyn Twin, ip: Ip) {
    let (child, mut peer) = established(t, ip);
    let next = peer.ack;
    t.setsockopt(
        child,
        libc::SOL_SOCKET,
        libc::SO_LINGER,
        &[1, 0, 0, 0, 0, 0, 0, 0],
    )
    .unwrap();
    let before = t.counters();
    t.close(child).unwrap();
    peer.expect_rst_ack(t, next, 1001);
    let moved = [
        ("TcpCurrEstab", -1),
        ("TcpEstabResets", 1),
        ("TcpOutRsts", 1),
        ("TcpExtTCPAbortOnData", 1),
    ];
    t.expect_tcp_counters(&before, &moved);
    assert_eq!(state_of(t, &peer), None);
}

/// A child has them from its listener.
fn end_reset_of_a_socket_has_its_tos_and_ttl(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    let (level, tos, ttl) = ip.pick(
        (libc::IPPROTO_IP, libc::IP_TOS, libc::IP_TTL),
        (
            libc::IPPROTO_IPV6,
            libc::IPV6_TCLASS,
            libc::IPV6_UNICAST_HOPS,
        ),
    );
    t.set_int(fd, level, tos, 0x20).unwrap();
    t.set_int(fd, level, ttl, 9).unwrap();
    let mut peer = Peer::new(ip, 4000, 80);
    peer.open(t);
    t.close(fd).unwrap();
    let reset = peer.expect(t, "RA");
    assert_eq!((reset.tos, reset.ttl), (0x20, 9));
}

fn end_data_for_a_closed_socket_is_reset(t: &mut dyn Twin, ip: Ip) {
    let (child, mut peer) = established(t, ip);
    t.close(child).unwrap();
    peer.expect(t, "FA");
    let before = t.counters();
    let ack = peer.ack;
    peer.data(t, b"too late");
    peer.expect_bare_rst(t, ack);
    t.expect_counters(&before, &[("TcpOutRsts", 1), ("TcpExtTCPAbortOnData", 1)]);
    assert_eq!(state_of(t, &peer), None);
}

fn end_reset_received_tells_once(t: &mut dyn Twin, ip: Ip) {
    let (child, mut peer) = established(t, ip);
    let before = t.counters();
    peer.rst(t);
    t.expect_nothing();
    t.expect_tcp_counters(&before, &[("TcpCurrEstab", -1), ("TcpEstabResets", 1)]);
    assert_eq!(t.poll(child), 0x201d | 0x40 | 0x100);
    assert_eq!(t.send(child, b"x", 0), Err(Errno::ECONNRESET));
    assert_eq!(t.send(child, b"x", 0), Err(Errno::EPIPE));
    assert_eq!(t.recv(child, 1, 0), Ok(Vec::new()));
    assert_eq!(t.getpeername(child), Err(Errno::ENOTCONN));
}

/// RFC 5961 3.2.
fn end_reset_in_window_gets_a_challenge_ack(t: &mut dyn Twin, ip: Ip) {
    let (child, mut peer) = established(t, ip);
    let before = t.counters();
    let next = peer.ack;
    peer.seq += 10;
    peer.rst(t);
    peer.seq -= 10;
    let ack = peer.expect(t, "A");
    assert_eq!((ack.seq, ack.ack), (next, 1001));
    t.expect_tcp_counters(&before, &[("TcpExtTCPChallengeACK", 1)]);
    assert_eq!(t.state(child), 1);
    peer.rst(t);
    assert_eq!(t.state(child), 7);
}

/// RFC 5961 4.2.
fn end_syn_in_window_gets_a_challenge_ack(t: &mut dyn Twin, ip: Ip) {
    let (child, mut peer) = established(t, ip);
    for seq in [1001, 1100] {
        t.advance(Duration::from_millis(600));
        let before = t.counters();
        let mut syn = peer.syn_segment();
        syn.seq = seq;
        syn.options = peer.segment("A").options;
        t.inject(&syn.packet());
        assert_eq!(peer.expect(t, "A").ack, 1001);
        t.expect_tcp_counters(
            &before,
            &[
                ("TcpInErrs", 1),
                ("TcpExtTCPChallengeACK", 1),
                ("TcpExtTCPSYNChallenge", 1),
            ],
        );
    }
    assert_eq!(t.state(child), 1);
}

fn end_reset_after_peer_fin_is_epipe(t: &mut dyn Twin, ip: Ip) {
    let (child, mut peer) = established(t, ip);
    peer.fin(t);
    peer.expect(t, "A");
    peer.rst(t);
    t.expect_nothing();
    assert_eq!(t.so_error(child), Errno::EPIPE.0);
}

fn end_fin_wait_2_of_an_orphan_ends_after_its_timeout(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.ipv4.tcp_fin_timeout", "2").unwrap();
    let (child, mut peer) = established(t, ip);
    t.close(child).unwrap();
    peer.expect(t, "FA");
    peer.ack(t);
    t.expect_nothing_for(Duration::from_millis(1500));
    assert_eq!(state_of(t, &peer), Some(5));
    t.expect_nothing_for(Duration::from_millis(1500));
    assert_eq!(state_of(t, &peer), None);
    let ack = peer.ack;
    peer.fin(t);
    peer.expect_bare_rst(t, ack);
}

/// A TIME_WAIT socket of ours; gives its last ACK's numbers.
fn time_wait(t: &mut dyn Twin, ip: Ip) -> (i32, Peer) {
    let listener = t.listener(ip, 80, 5);
    let mut peer = Peer::new(ip, 4000, 80);
    peer.open(t);
    let child = t.accept(listener).unwrap();
    t.close(child).unwrap();
    peer.expect(t, "FA");
    peer.fin(t);
    peer.expect(t, "A");
    assert_eq!(state_of(t, &peer), Some(6));
    (listener, peer)
}

fn end_time_wait_answers_and_ignores(t: &mut dyn Twin, ip: Ip) {
    let (_, mut peer) = time_wait(t, ip);
    let next = peer.ack;
    // The FIN again.
    peer.seq -= 1;
    t.inject(&peer.segment("FA").packet());
    let ack = peer.expect(t, "A");
    assert_eq!((ack.seq, ack.ack), (next, 1002));
    peer.seq += 1;
    // An exact ACK says nothing new.
    peer.ack(t);
    t.expect_nothing();
    assert_eq!(state_of(t, &peer), Some(6));
    // An RST ends it (tcp_rfc1337 is off).
    peer.rst(t);
    t.expect_nothing();
    assert_eq!(state_of(t, &peer), None);
}

/// Statement 76.
fn end_time_wait_gives_way_to_a_newer_syn(t: &mut dyn Twin, ip: Ip) {
    let (listener, old) = time_wait(t, ip);
    let mut peer = Peer {
        ts: 9000,
        ..Peer::new(ip, 4000, 80)
    };
    peer.options = SYN_NEWER.to_vec();
    let syn_ack = peer.half_open(t);
    assert_eq!(syn_ack.seq, old.ack.wrapping_add(65_537));
    peer.ack(t);
    t.expect_queue(listener, 1, 5);
}

const SYN_NEWER: &[hearken_twin::Opt] = &[
    hearken_twin::Opt::Mss(1460),
    hearken_twin::Opt::Nop,
    hearken_twin::Opt::Nop,
    hearken_twin::Opt::Ts(9000, 0),
];

fn end_send_after_shutdown_epipe(t: &mut dyn Twin, ip: Ip) {
    let (child, mut peer) = established(t, ip);
    t.shutdown(child, libc::SHUT_RDWR).unwrap();
    peer.expect(t, "FA");
    assert_eq!(t.send(child, b"x", 0), Err(Errno::EPIPE));
    assert_eq!(t.recv(child, 1, 0), Ok(Vec::new()));
}

fn end_poll_bits_follow_the_peer(t: &mut dyn Twin, ip: Ip) {
    let (child, mut peer) = established(t, ip);
    assert_eq!(t.poll(child), 0x104, "writable");
    peer.data(t, b"x");
    peer.expect(t, "A");
    assert_eq!(t.poll(child), 0x145, "readable");
    t.recv(child, 1, 0).unwrap();
    assert_eq!(t.poll(child), 0x104);
    peer.fin(t);
    peer.expect(t, "A");
    assert_eq!(t.poll(child), 0x2145, "POLLRDHUP and an end to read");
    t.shutdown(child, libc::SHUT_WR).unwrap();
    peer.expect(t, "FA");
    assert_eq!(t.poll(child), 0x2155, "POLLHUP");
}
