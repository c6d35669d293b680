//! Leaving LISTEN: shutdown, connect(AF_UNSPEC), close, and what becomes of the queues (statements 33 to 40).

use core::time::Duration;

use hearken_abi::Errno;
use hearken_twin::{Ip, Peer, Twin, any, loopback, unspec};

family_cases! {
    shutdown_write_on_listener_does_nothing,
    shutdown_read_on_listener_closes_it_and_resets_children,
    shutdown_both_on_listener_closes_it_and_resets_children,
    shutdown_listener_with_explicit_port_keeps_it,
    shutdown_listener_with_chosen_port_releases_it,
    shutdown_listener_autobound_moves_to_a_new_port,
    connect_unspec_on_listener_closes_it_and_resets_children,
    shutdown_ends_a_blocked_accept_with_einval,
    close_does_not_wake_a_blocked_accept,
    close_of_a_dup_keeps_the_listener,
    close_with_a_dup_leaves_epoll_reporting,
    close_resets_queued_children,
    close_with_linger_resets_without_waiting,
    close_leaves_half_open_until_its_timer,
    close_then_ack_on_half_open_gets_bare_rst,
    close_then_syn_on_half_open_gets_rst_ack,
    close_then_new_listener_does_not_adopt_half_open,
    listen_again_takes_the_half_open_back,
    listen_again_at_another_port_takes_the_half_open_back,
    listen_again_knows_no_cookie,
}

const SHORT: Duration = Duration::from_millis(5);

/// Statement 33.
fn shutdown_write_on_listener_does_nothing(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    Peer::new(ip, 4000, 80).open(t);
    for _ in 0..2 {
        assert_eq!(t.shutdown(fd, libc::SHUT_WR), Ok(()));
    }
    assert_eq!(t.state(fd), 10);
    assert_eq!(t.rows(10).len(), 1, "still in the table");
    Peer::new(ip, 4001, 80).open(t);
    t.expect_queue(fd, 2, 5);
    assert!(t.accept(fd).is_ok());
}

/// What statements 34 and 36 share: the listener is closed, its children are reset, and it can listen again.
fn leaves_listen(t: &mut dyn Twin, ip: Ip, leave: impl Fn(&mut dyn Twin, i32)) {
    let fd = t.listener(ip, 80, 5);
    let mut first = Peer::new(ip, 4000, 80);
    let synack = first.open(t);
    let mut second = Peer::new(ip, 4001, 80);
    let synack2 = second.open(t);
    second.data(t, b"unread");
    second.expect(t, "A");
    t.expect_queue(fd, 2, 5);
    let before = t.counters();
    leave(t, fd);
    first.expect_rst_ack(t, synack.seq.wrapping_add(1), 1001);
    second.expect_rst_ack(t, synack2.seq.wrapping_add(1), 1007);
    t.expect_nothing();
    t.expect_tcp_counters(
        &before,
        &[
            ("TcpEstabResets", 2),
            ("TcpCurrEstab", -2),
            ("TcpOutRsts", 2),
        ],
    );
    assert_eq!(t.state(fd), 7, "CLOSE");
    assert_eq!(t.accept(fd), Err(Errno::EINVAL));
    assert_eq!(t.int(fd, libc::SOL_SOCKET, libc::SO_ACCEPTCONN), Ok(0));
    let mut late = Peer::new(ip, 4002, 80);
    late.syn(t);
    late.expect_rst_ack(t, 0, 1001);
    assert_eq!(t.listen(fd, 7), Ok(()));
    t.expect_queue(fd, 0, 7);
    assert_eq!(t.local(fd).port(), 80);
    Peer::new(ip, 4003, 80).open(t);
    t.expect_queue(fd, 1, 7);
}

/// Statement 34.
fn shutdown_read_on_listener_closes_it_and_resets_children(t: &mut dyn Twin, ip: Ip) {
    leaves_listen(t, ip, |t, fd| {
        assert_eq!(t.shutdown(fd, libc::SHUT_RD), Ok(()));
        assert_eq!(
            t.shutdown(fd, libc::SHUT_RD),
            Err(Errno::ENOTCONN),
            "the second time"
        );
    });
}

/// Statement 34.
fn shutdown_both_on_listener_closes_it_and_resets_children(t: &mut dyn Twin, ip: Ip) {
    leaves_listen(t, ip, |t, fd| {
        assert_eq!(t.shutdown(fd, libc::SHUT_RDWR), Ok(()));
        assert_eq!(
            t.shutdown(fd, libc::SHUT_RDWR),
            Err(Errno::ENOTCONN),
            "the second time"
        );
    });
}

/// Statement 36.
fn connect_unspec_on_listener_closes_it_and_resets_children(t: &mut dyn Twin, ip: Ip) {
    leaves_listen(t, ip, |t, fd| assert_eq!(t.connect(fd, &unspec()), Ok(())));
}

/// Whether another socket may bind this port now.
fn others_bind(t: &mut dyn Twin, ip: Ip, port: u16) -> Result<(), Errno> {
    let other = t.tcp(ip);
    let result = t.bind(other, &loopback(ip, port));
    t.close(other).unwrap();
    result
}

/// Statement 35.
fn shutdown_listener_with_explicit_port_keeps_it(t: &mut dyn Twin, ip: Ip) {
    let fd = t.tcp(ip);
    t.bind(fd, &loopback(ip, 7002)).unwrap();
    t.listen(fd, 3).unwrap();
    t.shutdown(fd, libc::SHUT_RD).unwrap();
    assert_eq!(others_bind(t, ip, 7002), Err(Errno::EADDRINUSE));
    assert_eq!(
        t.bind(fd, &loopback(ip, 7003)),
        Err(Errno::EINVAL),
        "it is still bound"
    );
    t.listen(fd, 3).unwrap();
    assert_eq!(t.local(fd).port(), 7002);
    t.connect(fd, &unspec()).unwrap();
    assert_eq!(t.local(fd).port(), 7002);
    assert_eq!(others_bind(t, ip, 7002), Err(Errno::EADDRINUSE));
    t.listen(fd, 3).unwrap();
    assert_eq!(t.local(fd).port(), 7002);
}

/// Statement 35.
fn shutdown_listener_with_chosen_port_releases_it(t: &mut dyn Twin, ip: Ip) {
    let fd = t.tcp(ip);
    t.bind(fd, &loopback(ip, 0)).unwrap();
    let port = t.local(fd).port();
    t.listen(fd, 3).unwrap();
    t.shutdown(fd, libc::SHUT_RD).unwrap();
    assert_eq!(t.local(fd).port(), port, "the stale port is still told");
    assert_eq!(others_bind(t, ip, port), Ok(()), "but others may have it");
    assert_eq!(
        t.bind(fd, &loopback(ip, 7003)),
        Ok(()),
        "and this socket may bind again"
    );
    assert_eq!(t.local(fd).port(), 7003);
}

/// Statement 35.
fn shutdown_listener_autobound_moves_to_a_new_port(t: &mut dyn Twin, ip: Ip) {
    let fd = t.tcp(ip);
    t.listen(fd, 3).unwrap();
    let port = t.local(fd).port();
    t.shutdown(fd, libc::SHUT_RDWR).unwrap();
    assert_eq!(t.local(fd).port(), port);
    let other = t.tcp(ip);
    t.bind(other, &any(ip, port)).unwrap();
    t.listen(fd, 3).unwrap();
    assert_ne!(t.local(fd).port(), port);
}

/// Statement 37.
fn shutdown_ends_a_blocked_accept_with_einval(t: &mut dyn Twin, ip: Ip) {
    for how in [libc::SHUT_RD, libc::SHUT_RDWR] {
        let fd = t.blocking_tcp(ip);
        t.listen(fd, 3).unwrap();
        let blocked = t.start_accept(fd, 0);
        assert_eq!(t.finish(blocked, SHORT), None);
        t.shutdown(fd, how).unwrap();
        assert_eq!(
            t.finish(blocked, Duration::from_millis(500)),
            Some(Err(Errno::EINVAL))
        );
    }
}

/// Statement 37: it keeps the socket listening, and accepts one more connection.
fn close_does_not_wake_a_blocked_accept(t: &mut dyn Twin, ip: Ip) {
    let fd = t.blocking_tcp(ip);
    t.bind(fd, &any(ip, 80)).unwrap();
    t.listen(fd, 3).unwrap();
    let blocked = t.start_accept(fd, 0);
    t.close(fd).unwrap();
    assert_eq!(t.finish(blocked, Duration::from_millis(50)), None);
    let mut peer = Peer::new(ip, 4000, 80);
    peer.open(t);
    let accepted = t
        .finish(blocked, Duration::from_millis(500))
        .expect("it ended")
        .expect("with a connection");
    assert_eq!(t.remote(accepted.fd), Ok(peer.addr));
    let mut late = Peer::new(ip, 4001, 80);
    late.syn(t);
    late.expect_rst_ack(t, 0, 1001);
}

/// Statement 38.
fn close_of_a_dup_keeps_the_listener(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    let copy = t.dup(fd).unwrap();
    t.close(fd).unwrap();
    Peer::new(ip, 4000, 80).open(t);
    t.expect_queue(copy, 1, 5);
    assert!(t.accept(copy).is_ok());
    t.close(copy).unwrap();
    let mut late = Peer::new(ip, 4001, 80);
    late.syn(t);
    late.expect_rst_ack(t, 0, 1001);
}

/// Statement 38.
fn close_with_a_dup_leaves_epoll_reporting(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    let epoll = t.epoll_create();
    t.epoll_add(epoll, fd, libc::EPOLLIN as u32).unwrap();
    let copy = t.dup(fd).unwrap();
    t.close(fd).unwrap();
    Peer::new(ip, 4000, 80).open(t);
    assert_eq!(t.epoll_wait(epoll), [(fd, libc::EPOLLIN as u32)]);
    t.close(copy).unwrap();
    assert_eq!(t.epoll_wait(epoll), []);
}

/// Statement 39.
fn close_resets_queued_children(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    let mut first = Peer::new(ip, 4000, 80);
    let synack = first.open(t);
    let mut second = Peer::new(ip, 4001, 80);
    let synack2 = second.open(t);
    second.data(t, b"unread");
    second.expect(t, "A");
    let before = t.counters();
    t.close(fd).unwrap();
    first.expect_rst_ack(t, synack.seq.wrapping_add(1), 1001);
    second.expect_rst_ack(t, synack2.seq.wrapping_add(1), 1007);
    t.expect_nothing();
    t.expect_tcp_counters(
        &before,
        &[
            ("TcpEstabResets", 2),
            ("TcpCurrEstab", -2),
            ("TcpOutRsts", 2),
        ],
    );
    assert_eq!(t.tcp_table(), []);
}

/// Statement 39.
fn close_with_linger_resets_without_waiting(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    t.setsockopt(
        fd,
        libc::SOL_SOCKET,
        libc::SO_LINGER,
        &[1, 0, 0, 0, 5, 0, 0, 0],
    )
    .unwrap();
    let mut peer = Peer::new(ip, 4000, 80);
    let synack = peer.open(t);
    let began = t.now();
    t.close(fd).unwrap();
    assert!(t.now() - began < Duration::from_millis(500), "close waited");
    peer.expect_rst_ack(t, synack.seq.wrapping_add(1), 1001);
}

/// Statement 40: no SYN-ACK is sent again; the timer takes it away silently.
fn close_leaves_half_open_until_its_timer(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    Peer::new(ip, 4000, 80).half_open(t);
    t.close(fd).unwrap();
    t.expect_nothing();
    assert_eq!(t.half_open(), 1);
    t.expect_nothing_for(Duration::from_millis(1300));
    assert_eq!(t.half_open(), 0);
}

/// Statement 40.
fn close_then_ack_on_half_open_gets_bare_rst(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    let mut peer = Peer::new(ip, 4000, 80);
    peer.half_open(t);
    t.close(fd).unwrap();
    let before = t.counters();
    let ack = peer.ack;
    peer.ack(t);
    peer.expect_bare_rst(t, ack);
    t.expect_tcp_counters(&before, &[("TcpOutRsts", 1)]);
    assert_eq!(t.half_open(), 0);
}

/// Statement 40.
fn close_then_syn_on_half_open_gets_rst_ack(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    let mut peer = Peer::new(ip, 4000, 80);
    peer.half_open(t);
    t.close(fd).unwrap();
    t.inject(&Peer::new(ip, 4000, 80).syn_segment().packet());
    peer.expect_rst_ack(t, 0, 1001);
    assert_eq!(t.half_open(), 0);
}

/// Statement 40.
fn close_then_new_listener_does_not_adopt_half_open(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    let mut peer = Peer::new(ip, 4000, 80);
    peer.half_open(t);
    t.close(fd).unwrap();
    let fd = t.listener(ip, 80, 5);
    let ack = peer.ack;
    peer.ack(t);
    peer.expect_bare_rst(t, ack);
    t.expect_queue(fd, 0, 5);
}

/// They belong to the socket: they count for it again, and complete.
fn listen_again_takes_the_half_open_back(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.ipv4.tcp_syncookies", "0").unwrap();
    let fd = t.listener(ip, 80, 2);
    let mut peers = [4000, 4001, 4002].map(|port| Peer::new(ip, port, 80));
    for peer in &mut peers {
        peer.half_open(t);
    }
    let mut more = Peer::new(ip, 4003, 80);
    for leave in [0, 1, 2] {
        match leave {
            0 => t.shutdown(fd, libc::SHUT_RD).unwrap(),
            1 => t.shutdown(fd, libc::SHUT_RDWR).unwrap(),
            _ => t.connect(fd, &unspec()).unwrap(),
        }
        assert_eq!(t.half_open(), 3);
        t.listen(fd, 2).unwrap();
        let before = t.counters();
        more.syn(t);
        t.expect_nothing();
        let moved = [("TcpExtListenDrops", 1), ("TcpExtTCPReqQFullDrop", 1)];
        t.expect_tcp_counters(&before, &moved);
    }
    peers[0].ack(t);
    t.expect_nothing();
    t.expect_queue(fd, 1, 2);
    assert_eq!(t.half_open(), 2);
    let child = t.accept(fd).unwrap();
    assert_eq!(t.remote(child), Ok(peers[0].addr));
    peers[1].rst(t);
    assert_eq!(t.half_open(), 1);
    more.half_open(t);
    assert_eq!(t.half_open(), 2);
}

/// Even if what the kernel chose as its port is another one now (statement 35).
fn listen_again_at_another_port_takes_the_half_open_back(t: &mut dyn Twin, ip: Ip) {
    let fd = t.tcp(ip);
    t.listen(fd, 2).unwrap();
    let old = t.local(fd).port();
    let mut peer = Peer::new(ip, 4000, old);
    peer.half_open(t);
    t.shutdown(fd, libc::SHUT_RDWR).unwrap();
    t.listen(fd, 2).unwrap();
    assert_ne!(t.local(fd).port(), old);
    peer.ack(t);
    t.expect_nothing();
    t.expect_queue(fd, 1, 2);
    let child = t.accept(fd).unwrap();
    assert_eq!(t.local(child).port(), old);
}

/// Unlike them, the cookies that it sent before are forgotten (statement 85).
fn listen_again_knows_no_cookie(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.ipv4.tcp_syncookies", "2").unwrap();
    let fd = t.listener(ip, 80, 2);
    let mut peer = Peer::new(ip, 4000, 80);
    peer.half_open(t);
    t.shutdown(fd, libc::SHUT_RDWR).unwrap();
    t.listen(fd, 2).unwrap();
    let before = t.counters();
    peer.ack(t);
    peer.expect_bare_rst(t, peer.ack);
    t.expect_queue(fd, 0, 2);
    t.expect_tcp_counters(&before, &[("TcpOutRsts", 1)]);
}
