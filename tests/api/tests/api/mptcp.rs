//! IPPROTO_MPTCP sockets whose peers speak plain TCP (statements 5 and 122).

use hearken_abi::Errno;
use hearken_abi::sock::{
    IPPROTO_MPTCP, IPPROTO_TCP, SO_PROTOCOL, SOCK_STREAM, SOL_IP, SOL_IPV6, SOL_SOCKET, SOL_TCP,
    TCP_IS_MPTCP, TCP_SYNCNT,
};
use hearken_twin::{Fd, Ip, Peer, Twin, any};

family_cases! {
    mptcp_listener_hands_out_tcp_sockets,
    mptcp_client_of_a_tcp_listener_falls_back,
    mptcp_socket_lacks_many_options,
    mptcp_can_be_switched_off,
}

fn mptcp(t: &mut dyn Twin, ip: Ip) -> Fd {
    t.socket(ip.domain(), SOCK_STREAM, IPPROTO_MPTCP).unwrap()
}

/// SO_PROTOCOL and TCP_IS_MPTCP.
fn told(t: &mut dyn Twin, fd: Fd) -> (i32, i32) {
    let protocol = t.int(fd, SOL_SOCKET, SO_PROTOCOL).unwrap();
    (protocol, t.int(fd, SOL_TCP, TCP_IS_MPTCP).unwrap())
}

/// Statement 122.
fn mptcp_listener_hands_out_tcp_sockets(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.mptcp.enabled", "1").unwrap();
    let fd = mptcp(t, ip);
    assert_eq!(t.bind(fd, &any(ip, 80)), Ok(()));
    assert_eq!(t.listen(fd, 1), Ok(()));
    assert_eq!(told(t, fd), (IPPROTO_MPTCP, 1));
    let mut peer = Peer::new(ip, 4000, 80);
    peer.open(t);
    t.expect_queue(fd, 1, 1);
    let child = t.accept(fd).unwrap();
    assert_eq!(told(t, child), (IPPROTO_TCP, 0));
    assert_eq!(t.set_int(child, SOL_TCP, TCP_SYNCNT, 3), Ok(()));
    assert_eq!(t.listen(fd, 9), Ok(()));
    t.expect_queue(fd, 0, 9);
}

/// It stays an MPTCP socket by name and has the options of a TCP one.
fn mptcp_client_of_a_tcp_listener_falls_back(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.mptcp.enabled", "1").unwrap();
    let listener = t.tcp(ip);
    let lo = hearken_twin::loopback(ip, 80);
    t.bind(listener, &lo).unwrap();
    t.listen(listener, 1).unwrap();
    let fd = mptcp(t, ip);
    assert_eq!(told(t, fd), (IPPROTO_MPTCP, 1));
    assert_eq!(t.connect(fd, &lo), Ok(()));
    assert_eq!(told(t, fd), (IPPROTO_MPTCP, 0));
    assert_eq!(t.set_int(fd, SOL_TCP, TCP_SYNCNT, 3), Ok(()));
    let child = t.accept(listener).unwrap();
    assert_eq!(t.send(child, b"hi", 0), Ok(2));
    assert_eq!(t.recv(fd, 9, 0), Ok(b"hi".to_vec()));
}

/// What is readable of a TCP socket and not of this one, and what cannot be set.
fn mptcp_socket_lacks_many_options(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.mptcp.enabled", "1").unwrap();
    let fd = mptcp(t, ip);
    let unread: [(i32, &[i32]); 3] = [
        (SOL_SOCKET, &[42, 74]),
        (SOL_IP, &[2, 4, 8, 10, 14, 16, 21, 41, 49, 52, 60]),
        (
            SOL_TCP,
            &[7, 8, 10, 12, 14, 16, 17, 18, 19, 20, 24, 27, 28, 37, 44, 47],
        ),
    ];
    for (level, names) in unread {
        for name in names {
            let got = t.getsockopt(fd, level, *name, 64);
            assert_eq!(got, Err(Errno::EOPNOTSUPP), "{level} {name}");
        }
    }
    let unset: [(i32, Errno, &[i32]); 5] = [
        (
            SOL_SOCKET,
            Errno::EOPNOTSUPP,
            &[3, 10, 26, 27, 42, 47, 51, 61, 74, 82],
        ),
        (SOL_IP, Errno::EOPNOTSUPP, &[2, 8, 10, 21, 25]),
        (SOL_IP, Errno::ENOPROTOOPT, &[4, 5, 16, 35, 48, 50]),
        (
            SOL_TCP,
            Errno::ENOPROTOOPT,
            &[7, 8, 10, 12, 14, 18, 20, 27, 31, 37, 44],
        ),
        (SOL_IPV6, Errno::EOPNOTSUPP, &[2, 16, 24, 49, 67]),
    ];
    for (level, want, names) in unset {
        for name in names {
            let got = t.set_int(fd, level, *name, 1);
            assert_eq!(got, Err(want), "{level} {name}");
        }
    }
    for (level, name) in [
        (SOL_SOCKET, 2),
        (SOL_SOCKET, 15),
        (SOL_IP, 1),
        (SOL_IP, 24),
        (SOL_TCP, 1),
        (SOL_TCP, 9),
        (SOL_TCP, 23),
    ] {
        assert_eq!(t.set_int(fd, level, name, 1), Ok(()), "{level} {name}");
    }
    if ip == Ip::V6 {
        let got = t.getsockopt(fd, SOL_IPV6, 16, 64);
        assert_eq!(got, Err(Errno::EOPNOTSUPP));
        assert_eq!(t.set_int(fd, SOL_IPV6, 19, 1), Err(Errno::ENOPROTOOPT));
        assert_eq!(t.set_int(fd, SOL_IPV6, 26, 1), Ok(()));
    }
}

fn mptcp_can_be_switched_off(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.mptcp.enabled", "0").unwrap();
    let got = t.socket(ip.domain(), SOCK_STREAM, IPPROTO_MPTCP);
    assert_eq!(got, Err(Errno::ENOPROTOOPT));
    t.sysctl("net.mptcp.enabled", "1").unwrap();
    mptcp(t, ip);
}
