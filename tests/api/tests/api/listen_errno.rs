//! listen(): the order of its checks and their errno (statements 1 to 16).

use core::time::Duration;

use hearken_abi::Errno;
use hearken_twin::{Ip, OtherFile, Peer, Twin, any, loopback, sockaddr, unspec};

cases! {
    listen_descriptor_not_open_ebadf,
    listen_not_a_socket_enotsock,
    listen_datagram_and_raw_eopnotsupp,
}

family_cases! {
    listen_unbound_succeeds,
    listen_connected_accepted_and_close_wait_einval,
    listen_after_both_fins_einval_until_dissolved,
    listen_after_reset_einval_even_when_read,
    listen_after_refused_connect_succeeds,
    listen_connect_in_progress_einval_until_shutdown,
    listen_after_shutdown_of_unconnected_succeeds,
    listen_second_with_reuseaddr_eaddrinuse_then_succeeds,
    listen_loser_may_connect_to_its_own_address,
    listen_recheck_uses_options_of_now,
    listen_reuseport_set_after_bind_counts,
    bind_low_port_without_capability_eacces,
    listener_other_calls_answer_like_linux,
}

const SHORT: Duration = Duration::from_millis(5);

/// Statement 1.
fn listen_descriptor_not_open_ebadf(t: &mut dyn Twin) {
    let path = t.open(OtherFile::Path);
    let closed = t.tcp(Ip::V4);
    t.close(closed).unwrap();
    for fd in [-1, i32::MIN, 1_000_000, i32::MAX, closed, path] {
        for backlog in [-1, 0, 5] {
            assert_eq!(
                t.listen(fd, backlog),
                Err(Errno::EBADF),
                "listen({fd}, {backlog})"
            );
        }
    }
}

/// Statement 2.
fn listen_not_a_socket_enotsock(t: &mut dyn Twin) {
    for file in [OtherFile::DevNull, OtherFile::Pipe, OtherFile::Epoll] {
        let fd = t.open(file);
        for backlog in [-1, 0, 5] {
            assert_eq!(t.listen(fd, backlog), Err(Errno::ENOTSOCK), "{file:?}");
        }
    }
}

/// Statement 3, for the kinds of AF_INET and AF_INET6.
fn listen_datagram_and_raw_eopnotsupp(t: &mut dyn Twin) {
    for domain in [libc::AF_INET, libc::AF_INET6] {
        for (ty, protocol) in [(libc::SOCK_DGRAM, 0), (libc::SOCK_RAW, libc::IPPROTO_TCP)] {
            let fd = t.socket(domain, ty, protocol).unwrap();
            for backlog in [-1, 0, 1, 5] {
                assert_eq!(
                    t.listen(fd, backlog),
                    Err(Errno::EOPNOTSUPP),
                    "{domain} {ty}"
                );
            }
        }
    }
}

/// Statement 5.
fn listen_unbound_succeeds(t: &mut dyn Twin, ip: Ip) {
    for backlog in [i32::MIN, -1, 0, 1, i32::MAX] {
        let fd = t.tcp(ip);
        assert_eq!(t.listen(fd, backlog), Ok(()));
        assert_eq!(t.state(fd), 10);
        assert_eq!(t.int(fd, libc::SOL_SOCKET, libc::SO_ACCEPTCONN), Ok(1));
    }
}

/// Statement 6.
fn listen_connected_accepted_and_close_wait_einval(t: &mut dyn Twin, ip: Ip) {
    let listener = t.listener(ip, 80, 5);
    let (client, accepted) = t.pair(listener, ip);
    assert_eq!(t.listen(client, 5), Err(Errno::EINVAL), "connected");
    assert_eq!(t.listen(accepted, 5), Err(Errno::EINVAL), "accepted");
    t.close(accepted).unwrap();
    t.advance(SHORT);
    assert_eq!(t.state(client), 8, "CLOSE_WAIT");
    assert_eq!(t.listen(client, 5), Err(Errno::EINVAL), "CLOSE_WAIT");
}

/// Statement 7: a connection that ended by both FINs.
fn listen_after_both_fins_einval_until_dissolved(t: &mut dyn Twin, ip: Ip) {
    let listener = t.listener(ip, 80, 5);
    let (client, accepted) = t.pair(listener, ip);
    t.close(accepted).unwrap();
    t.advance(SHORT);
    t.shutdown(client, libc::SHUT_WR).unwrap();
    t.advance(SHORT);
    assert_eq!(t.state(client), 7, "CLOSE");
    assert_eq!(t.listen(client, 5), Err(Errno::EINVAL));
    assert_eq!(t.connect(client, &unspec()), Ok(()));
    assert_eq!(t.listen(client, 5), Ok(()));
    assert_ne!(t.local(client).port(), 0);
}

/// Statement 7: a connection that a received RST ended.
fn listen_after_reset_einval_even_when_read(t: &mut dyn Twin, ip: Ip) {
    let listener = t.listener(ip, 80, 5);
    let (client, accepted) = t.pair(listener, ip);
    t.setsockopt(
        accepted,
        libc::SOL_SOCKET,
        libc::SO_LINGER,
        &[1, 0, 0, 0, 0, 0, 0, 0],
    )
    .unwrap();
    t.close(accepted).unwrap();
    t.advance(SHORT);
    assert_eq!(t.state(client), 7, "CLOSE");
    assert_eq!(t.listen(client, 5), Err(Errno::EINVAL));
    assert_eq!(t.recv(client, 1, 0), Err(Errno::ECONNRESET));
    assert_eq!(
        t.listen(client, 5),
        Err(Errno::EINVAL),
        "after the error was read"
    );
    assert_eq!(t.connect(client, &unspec()), Ok(()));
    assert_eq!(t.listen(client, 5), Ok(()));
}

/// Statement 8.
fn listen_after_refused_connect_succeeds(t: &mut dyn Twin, ip: Ip) {
    let fd = t.blocking_tcp(ip);
    assert_eq!(t.connect(fd, &loopback(ip, 1)), Err(Errno::ECONNREFUSED));
    assert_eq!(t.state(fd), 7);
    assert_eq!(t.listen(fd, 5), Ok(()));

    let fd = t.blocking_tcp(ip);
    t.bind(fd, &loopback(ip, 7001)).unwrap();
    assert_eq!(t.connect(fd, &loopback(ip, 1)), Err(Errno::ECONNREFUSED));
    assert_eq!(t.listen(fd, 5), Ok(()));
    assert_eq!(t.local(fd).port(), 7001, "the bound port is used again");
}

/// Statements 6 and 9.
fn listen_connect_in_progress_einval_until_shutdown(t: &mut dyn Twin, ip: Ip) {
    let fd = t.tcp(ip);
    let to = sockaddr(core::net::SocketAddr::new(ip.peer(), 9));
    assert_eq!(t.connect(fd, &to), Err(Errno::EINPROGRESS));
    assert_eq!(t.next_tcp(SHORT).expect("the SYN").flags, "S");
    assert_eq!(t.listen(fd, 5), Err(Errno::EINVAL));
    assert_eq!(t.shutdown(fd, libc::SHUT_RDWR), Ok(()));
    assert_eq!(t.listen(fd, 5), Ok(()));
}

/// Statement 9.
fn listen_after_shutdown_of_unconnected_succeeds(t: &mut dyn Twin, ip: Ip) {
    for how in [libc::SHUT_RD, libc::SHUT_WR, libc::SHUT_RDWR] {
        let fresh = t.tcp(ip);
        assert_eq!(t.shutdown(fresh, how), Err(Errno::ENOTCONN));
        assert_eq!(t.listen(fresh, 5), Ok(()));
        let bound = t.tcp(ip);
        t.bind(bound, &any(ip, 0)).unwrap();
        assert_eq!(t.shutdown(bound, how), Err(Errno::ENOTCONN));
        assert_eq!(t.listen(bound, 5), Ok(()));
    }
}

/// A socket with SO_REUSEADDR bound to the loopback address.
fn reuseaddr(t: &mut dyn Twin, ip: Ip, port: u16) -> i32 {
    let fd = t.tcp(ip);
    t.set_int(fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)
        .unwrap();
    t.bind(fd, &loopback(ip, port)).unwrap();
    fd
}

/// Statement 10.
fn listen_second_with_reuseaddr_eaddrinuse_then_succeeds(t: &mut dyn Twin, ip: Ip) {
    let first = reuseaddr(t, ip, 7002);
    let second = reuseaddr(t, ip, 7002);
    assert_eq!(t.listen(first, 3), Ok(()));
    assert_eq!(t.listen(second, 3), Err(Errno::EADDRINUSE));
    assert_eq!(t.state(second), 7, "CLOSE");
    assert_eq!(t.local(second).port(), 7002, "it keeps its address");
    assert_eq!(t.int(second, libc::SOL_SOCKET, libc::SO_ACCEPTCONN), Ok(0));
    t.close(first).unwrap();
    assert_eq!(t.listen(second, 3), Ok(()));
}

/// Statement 11: a connect to its own address and port is a self-connect, not a connection to the listener.
fn listen_loser_may_connect_to_its_own_address(t: &mut dyn Twin, ip: Ip) {
    let first = reuseaddr(t, ip, 7003);
    let second = reuseaddr(t, ip, 7003);
    t.listen(first, 3).unwrap();
    assert_eq!(t.listen(second, 3), Err(Errno::EADDRINUSE));
    let connected = t.connect(second, &loopback(ip, 7003));
    assert!(
        matches!(connected, Ok(()) | Err(Errno::EINPROGRESS)),
        "{connected:?}"
    );
    t.advance(SHORT);
    assert_eq!(t.state(second), 1, "ESTABLISHED");
    assert_eq!(t.remote(second), Ok(t.local(second)), "with itself");
    t.expect_queue(first, 0, 3);
}

/// Statement 12.
fn listen_recheck_uses_options_of_now(t: &mut dyn Twin, ip: Ip) {
    let first = reuseaddr(t, ip, 7004);
    let second = reuseaddr(t, ip, 7004);
    t.set_int(second, libc::SOL_SOCKET, libc::SO_REUSEADDR, 0)
        .unwrap();
    assert_eq!(
        t.listen(second, 3),
        Err(Errno::EADDRINUSE),
        "the first is only bound"
    );
    assert_eq!(
        t.listen(first, 3),
        Err(Errno::EADDRINUSE),
        "because of the second"
    );
    t.set_int(second, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)
        .unwrap();
    assert_eq!(t.listen(first, 3), Ok(()));
}

/// Statement 12.
fn listen_reuseport_set_after_bind_counts(t: &mut dyn Twin, ip: Ip) {
    let first = t.tcp(ip);
    t.bind(first, &loopback(ip, 7005)).unwrap();
    t.set_int(first, libc::SOL_SOCKET, libc::SO_REUSEPORT, 1)
        .unwrap();
    let second = t.tcp(ip);
    t.set_int(second, libc::SOL_SOCKET, libc::SO_REUSEPORT, 1)
        .unwrap();
    assert_eq!(t.bind(second, &loopback(ip, 7005)), Ok(()));
    assert_eq!(t.listen(first, 3), Ok(()));
    assert_eq!(t.listen(second, 3), Ok(()));
}

/// Statement 15: bind refuses, listen never does.
fn bind_low_port_without_capability_eacces(t: &mut dyn Twin, ip: Ip) {
    let low = t.tcp(ip);
    t.bind(low, &any(ip, 81)).unwrap();
    t.set_uid(1000);
    for (port, expected) in [
        (1, Err(Errno::EACCES)),
        (80, Err(Errno::EACCES)),
        (1023, Err(Errno::EACCES)),
        (1024, Ok(())),
    ] {
        let fd = t.tcp(ip);
        assert_eq!(t.bind(fd, &any(ip, port)), expected, "port {port}");
    }
    assert_eq!(t.listen(low, 1), Ok(()), "a port bound with the capability");
    t.set_uid(0);
    t.sysctl("net.ipv4.ip_unprivileged_port_start", "80")
        .unwrap();
    t.set_uid(1000);
    for (port, expected) in [(79, Err(Errno::EACCES)), (80, Ok(()))] {
        let fd = t.tcp(ip);
        assert_eq!(
            t.bind(fd, &any(ip, port)),
            expected,
            "port {port} with the start at 80"
        );
    }
}

/// Statement 16.
fn listener_other_calls_answer_like_linux(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    assert_eq!(t.bind(fd, &any(ip, 0)), Err(Errno::EINVAL));
    assert_eq!(t.connect(fd, &loopback(ip, 9)), Err(Errno::EISCONN));
    assert_eq!(t.recv(fd, 1, 0), Err(Errno::ENOTCONN));
    assert_eq!(t.send(fd, b"x", 0), Err(Errno::EPIPE));
    assert_eq!(t.sendto(fd, b"x", 0, &loopback(ip, 9)), Err(Errno::EPIPE));
    assert_eq!(t.getpeername(fd), Err(Errno::ENOTCONN));
    // SIOCINQ, SIOCOUTQ, SIOCOUTQNSD, SIOCATMARK.
    for request in [0x541b, 0x5411, 0x894b] {
        assert_eq!(t.ioctl(fd, request), Err(Errno::EINVAL), "{request:#x}");
    }
    assert_eq!(t.ioctl(fd, 0x8905), Ok(0));
    assert_eq!(
        t.set_int(fd, libc::SOL_SOCKET, libc::SO_ACCEPTCONN, 1),
        Err(Errno::ENOPROTOOPT)
    );
    assert_eq!(t.so_error(fd), 0);
    assert_eq!(t.state(fd), 10, "still LISTEN");
    let mut peer = Peer::new(ip, 4000, 80);
    peer.open(t);
    t.expect_queue(fd, 1, 5);
}
