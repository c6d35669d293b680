//! Socket options as measured one by one on 6.18.44: docs/linux/sockopt.md.

mod common;

use common::World;
use hearken_abi::Errno;
use hearken_abi::sock::*;

/// Every option here is a switch: any int but 0 reads back as 1.
const SWITCHES: [(i32, i32); 21] = [
    (SOL_SOCKET, SO_DEBUG),
    (SOL_SOCKET, SO_REUSEADDR),
    (SOL_SOCKET, SO_REUSEPORT),
    (SOL_SOCKET, SO_DONTROUTE),
    (SOL_SOCKET, SO_BROADCAST),
    (SOL_SOCKET, SO_KEEPALIVE),
    (SOL_SOCKET, SO_OOBINLINE),
    (SOL_SOCKET, SO_NO_CHECK),
    (SOL_SOCKET, SO_TIMESTAMP),
    (SOL_SOCKET, SO_RXQ_OVFL),
    (SOL_SOCKET, SO_RCVMARK),
    (SOL_TCP, TCP_NODELAY),
    (SOL_TCP, TCP_CORK),
    (SOL_TCP, TCP_QUICKACK),
    (SOL_IP, IP_FREEBIND),
    (SOL_IP, IP_TRANSPARENT),
    (SOL_IP, IP_BIND_ADDRESS_NO_PORT),
    (SOL_IP, IP_RECVERR),
    (SOL_IPV6, IPV6_V6ONLY),
    (SOL_IPV6, IPV6_RECVERR),
    (SOL_IPV6, IPV6_FREEBIND),
];

#[test]
fn switches_read_back_as_one() {
    let mut w = World::new();
    for (level, name) in SWITCHES {
        let fd = w.tcp6();
        for (set, want) in [(1, 1), (0, 0), (-1, 1), (0, 0), (i32::MIN, 1), (256, 1)] {
            assert_eq!(w.set_int(fd, level, name, set), Ok(()), "{level} {name}");
            assert_eq!(w.get_int(fd, level, name), Ok(want), "{level} {name} {set}");
        }
    }
}

/// Values that are accepted, with what they read back as; then values that are refused.
type Case = (i32, i32, &'static [(i32, i32)], &'static [i32]);

const INTS: &[Case] = &[
    (
        SOL_SOCKET,
        SO_SNDBUF,
        &[(0, 4608), (4095, 8190), (65_536, 131_072), (-1, 8_388_608)],
        &[],
    ),
    (
        SOL_SOCKET,
        SO_RCVBUF,
        &[
            (0, 2304),
            (4095, 8190),
            (65_536, 131_072),
            (i32::MAX, 8_388_608),
        ],
        &[],
    ),
    (
        SOL_SOCKET,
        SO_RCVLOWAT,
        &[(0, 1), (77, 77), (-1, 3_145_728)],
        &[],
    ),
    (SOL_SOCKET, SO_PRIORITY, &[(6, 6), (-1, -1)], &[]),
    (SOL_SOCKET, SO_ZEROCOPY, &[(0, 0), (1, 1)], &[-1, 2]),
    (SOL_SOCKET, SO_BUF_LOCK, &[(0, 0), (3, 3)], &[-1, 4]),
    (
        SOL_SOCKET,
        SO_TXREHASH,
        &[(0, 0), (1, 1), (-1, 1)],
        &[-2, 2],
    ),
    (
        SOL_TCP,
        TCP_MAXSEG,
        &[(88, 88), (32_767, 32_767), (0, 536)],
        &[-1, 1, 87, 32_768],
    ),
    (
        SOL_TCP,
        TCP_KEEPIDLE,
        &[(1, 1), (32_767, 32_767)],
        &[-1, 0, 32_768],
    ),
    (
        SOL_TCP,
        TCP_KEEPINTVL,
        &[(1, 1), (32_767, 32_767)],
        &[-1, 0, 32_768],
    ),
    (SOL_TCP, TCP_KEEPCNT, &[(1, 1), (127, 127)], &[-1, 0, 128]),
    (SOL_TCP, TCP_SYNCNT, &[(1, 1), (127, 127)], &[-1, 0, 128]),
    (
        SOL_TCP,
        TCP_LINGER2,
        &[(-5, -1), (0, 60), (88, 88), (126, 120)],
        &[],
    ),
    (
        SOL_TCP,
        TCP_DEFER_ACCEPT,
        &[(-1, 0), (1, 1), (2, 3), (200, 247)],
        &[],
    ),
    (
        SOL_TCP,
        TCP_WINDOW_CLAMP,
        &[(1, 1152), (4095, 4095), (-1, 1152), (0, 0)],
        &[],
    ),
    (
        SOL_TCP,
        TCP_USER_TIMEOUT,
        &[(0, 0), (i32::MAX, i32::MAX)],
        &[-1],
    ),
    (
        SOL_TCP,
        TCP_FASTOPEN,
        &[(0, 0), (4095, 4095), (32_767, 4096)],
        &[-1],
    ),
    (SOL_TCP, TCP_NOTSENT_LOWAT, &[(-1, -1), (4321, 4321)], &[]),
    (SOL_TCP, TCP_SAVE_SYN, &[(0, 0), (2, 2)], &[-1, 3]),
    (SOL_TCP, TCP_FASTOPEN_CONNECT, &[(0, 0), (1, 1)], &[-1, 2]),
    (SOL_TCP, TCP_FASTOPEN_NO_COOKIE, &[(0, 0), (1, 1)], &[-1, 2]),
    (
        SOL_TCP,
        TCP_THIN_LINEAR_TIMEOUTS,
        &[(0, 0), (1, 1)],
        &[-1, 2],
    ),
    (SOL_TCP, TCP_THIN_DUPACK, &[(0, 0), (1, 0)], &[-1, 2]),
    (SOL_TCP, TCP_INQ, &[(0, 0), (1, 1)], &[-1, 2]),
    (
        SOL_TCP,
        TCP_RTO_MAX_MS,
        &[(1000, 1000), (120_000, 120_000)],
        &[999, 120_001],
    ),
    (
        SOL_IP,
        IP_TOS,
        &[(0, 0), (47, 0x2c), (-1, 0xfc), (256, 0)],
        &[],
    ),
    (
        SOL_IP,
        IP_TTL,
        &[(1, 1), (255, 255), (-1, 64)],
        &[0, 256, i32::MIN],
    ),
    (SOL_IP, IP_MTU_DISCOVER, &[(0, 0), (3, 3)], &[-1, 47]),
    (SOL_IP, IP_MINTTL, &[(0, 0), (255, 255)], &[-1, 256]),
    (
        SOL_IPV6,
        IPV6_UNICAST_HOPS,
        &[(1, 1), (255, 255), (-1, 64)],
        &[-2, 256],
    ),
    (
        SOL_IPV6,
        IPV6_TCLASS,
        &[(47, 0x2c), (255, 0xfc), (-1, 0)],
        &[-2, 256],
    ),
    (
        SOL_IPV6,
        IPV6_MINHOPCOUNT,
        &[(0, 0), (255, 255)],
        &[-1, 256],
    ),
    (SOL_IPV6, IPV6_MULTICAST_LOOP, &[(0, 0), (1, 1)], &[-1, 2]),
];

#[test]
fn ints_have_their_bounds() {
    let mut w = World::new();
    for (level, name, good, bad) in INTS {
        let fd = w.tcp6();
        for (set, want) in *good {
            assert_eq!(
                w.set_int(fd, *level, *name, *set),
                Ok(()),
                "{level} {name} {set}"
            );
            assert_eq!(
                w.get_int(fd, *level, *name),
                Ok(*want),
                "{level} {name} {set}"
            );
        }
        let kept = w.get_int(fd, *level, *name);
        for set in *bad {
            let r = w.set_int(fd, *level, *name, *set);
            assert_eq!(r, Err(Errno::EINVAL), "{level} {name} {set}");
        }
        assert_eq!(w.get_int(fd, *level, *name), kept, "{level} {name}");
    }
}

#[test]
fn defaults_are_linux() {
    let mut w = World::new();
    let fd = w.tcp();
    for (level, name, want) in [
        (SOL_SOCKET, SO_TYPE, 1),
        (SOL_SOCKET, SO_DOMAIN, 2),
        (SOL_SOCKET, SO_PROTOCOL, 6),
        (SOL_SOCKET, SO_ERROR, 0),
        (SOL_SOCKET, SO_ACCEPTCONN, 0),
        (SOL_SOCKET, SO_SNDBUF, 16_384),
        (SOL_SOCKET, SO_RCVBUF, 131_072),
        (SOL_SOCKET, SO_SNDLOWAT, 1),
        (SOL_SOCKET, SO_PEEK_OFF, -1),
        (SOL_SOCKET, SO_INCOMING_CPU, -1),
        (SOL_SOCKET, SO_TXREHASH, 1),
        (SOL_TCP, TCP_MAXSEG, 536),
        (SOL_TCP, TCP_KEEPIDLE, 7200),
        (SOL_TCP, TCP_KEEPINTVL, 75),
        (SOL_TCP, TCP_KEEPCNT, 9),
        (SOL_TCP, TCP_SYNCNT, 6),
        (SOL_TCP, TCP_LINGER2, 60),
        (SOL_TCP, TCP_QUICKACK, 1),
        (SOL_TCP, TCP_RTO_MAX_MS, 120_000),
        (SOL_IP, IP_TTL, 64),
        (SOL_IP, IP_MTU_DISCOVER, 1),
    ] {
        assert_eq!(w.get_int(fd, level, name), Ok(want), "{level} {name}");
    }
}

#[test]
fn get_cuts_to_the_room_and_a_negative_one_is_einval_but_for_ipv6() {
    let mut w = World::new();
    let fd = w.tcp6();
    for cap in 0..6 {
        let want = &6i32.to_ne_bytes()[..4.min(cap)];
        assert_eq!(
            w.get(fd, SOL_SOCKET, SO_PROTOCOL, cap as i32).as_deref(),
            Ok(want)
        );
    }
    for (level, name) in [(SOL_SOCKET, SO_TYPE), (SOL_TCP, 1), (SOL_IP, 1)] {
        assert_eq!(w.get(fd, level, name, -1), Err(Errno::EINVAL));
    }
    assert_eq!(
        w.get(fd, SOL_IPV6, IPV6_UNICAST_HOPS, -1),
        Ok(vec![64, 0, 0, 0])
    );
    assert_eq!(w.get(fd, SOL_IP, IP_TTL, 2), Ok(vec![64]), "a byte");
    assert_eq!(w.get(fd, SOL_SOCKET, SO_LINGER, 400), Ok(vec![0; 8]));
    assert_eq!(w.get(fd, SOL_SOCKET, SO_RCVTIMEO, 400), Ok(vec![0; 16]));
    assert_eq!(w.get(fd, SOL_TCP, TCP_INFO, 4), Ok(vec![7, 0, 0, 0]));
    assert_eq!(w.get(fd, SOL_TCP, TCP_INFO, 400).map(|v| v.len()), Ok(280));
    assert_eq!(w.get(fd, SOL_SOCKET, SO_COOKIE, 7), Err(Errno::EINVAL));
    assert_eq!(w.get(fd, SOL_SOCKET, SO_COOKIE, 8).map(|v| v.len()), Ok(8));
}

#[test]
fn set_too_short_is_einval_even_of_what_does_not_exist() {
    let mut w = World::new();
    let fd = w.tcp();
    for (level, name) in [
        (SOL_SOCKET, SO_REUSEADDR),
        (SOL_SOCKET, SO_TYPE),
        (SOL_SOCKET, 200),
        (SOL_TCP, TCP_NODELAY),
        (SOL_TCP, 99),
    ] {
        for len in 0..4 {
            assert_eq!(
                w.set(fd, level, name, &[1, 0, 0][..len]),
                Err(Errno::EINVAL),
                "{level} {name} {len}"
            );
        }
    }
    assert_eq!(
        w.set(fd, SOL_SOCKET, SO_LINGER, &[0; 7]),
        Err(Errno::EINVAL)
    );
    assert_eq!(
        w.set(fd, SOL_SOCKET, SO_RCVTIMEO, &[0; 15]),
        Err(Errno::EINVAL)
    );
    // IP takes a byte, or nothing.
    assert_eq!(w.set(fd, SOL_IP, IP_TOS, &[0x10]), Ok(()));
    assert_eq!(w.get_int(fd, SOL_IP, IP_TOS), Ok(0x10));
    assert_eq!(w.set(fd, SOL_IP, IP_TOS, &[]), Ok(()));
    assert_eq!(w.get_int(fd, SOL_IP, IP_TOS), Ok(0));
    for name in [IP_TTL, IP_FREEBIND, IP_TRANSPARENT, IP_MINTTL] {
        assert_eq!(w.set(fd, SOL_IP, name, &[]), Err(Errno::EINVAL), "{name}");
    }
}

#[test]
fn what_does_not_exist_is_enoprotoopt_and_a_foreign_level_eopnotsupp_to_read() {
    let mut w = World::new();
    let fd = w.tcp();
    for (level, name) in [(SOL_SOCKET, 200), (SOL_TCP, 99), (SOL_IP, 60)] {
        assert_eq!(w.get(fd, level, name, 4), Err(Errno::ENOPROTOOPT));
        assert_eq!(w.set_int(fd, level, name, 1), Err(Errno::ENOPROTOOPT));
    }
    for level in [2, SOL_UDP, SOL_IPV6, SOL_RAW, 132, SOL_MPTCP, -1] {
        assert_eq!(w.get(fd, level, 1, 4), Err(Errno::EOPNOTSUPP), "{level}");
        assert_eq!(w.set_int(fd, level, 1, 1), Err(Errno::ENOPROTOOPT));
    }
    let udp =
        w.p.socket(&mut w.m, w.now, AF_INET, SOCK_DGRAM, 0)
            .expect("a socket");
    assert_eq!(w.get(udp, SOL_TCP, 1, 4), Err(Errno::EOPNOTSUPP));
    assert_eq!(w.set_int(udp, SOL_TCP, 1, 1), Err(Errno::ENOPROTOOPT));
    assert_eq!(w.get_int(udp, SOL_SOCKET, SO_TYPE), Ok(2));
    assert_eq!(w.get_int(udp, SOL_SOCKET, SO_PROTOCOL), Ok(17));
    assert_eq!(w.get_int(udp, SOL_SOCKET, SO_RCVBUF), Ok(212_992));
    for name in [SO_TYPE, SO_PROTOCOL, SO_DOMAIN, SO_ERROR, SO_ACCEPTCONN] {
        let r = w.set_int(fd, SOL_SOCKET, name, 1);
        assert_eq!(r, Err(Errno::ENOPROTOOPT), "{name}");
    }
}

#[test]
fn linger_keeps_its_time_while_it_is_off() {
    let mut w = World::new();
    let fd = w.tcp();
    let linger = |on: i32, seconds: i32| [on.to_ne_bytes(), seconds.to_ne_bytes()].concat();
    let get = |w: &mut World| w.get(fd, SOL_SOCKET, SO_LINGER, 8).expect("a value");
    assert_eq!(w.set(fd, SOL_SOCKET, SO_LINGER, &linger(5, 3)), Ok(()));
    assert_eq!(get(&mut w), linger(1, 3));
    assert_eq!(w.set(fd, SOL_SOCKET, SO_LINGER, &linger(0, 9)), Ok(()));
    assert_eq!(get(&mut w), linger(0, 3));
}

#[test]
fn privileged_values_are_refused_to_a_user() {
    let mut w = World::new();
    w.p.cred.uid = 1000;
    let fd = w.tcp();
    for (level, name, value, want) in [
        (SOL_SOCKET, SO_DEBUG, 1, Err(Errno::EACCES)),
        (SOL_SOCKET, SO_DEBUG, 0, Ok(())),
        (SOL_SOCKET, SO_PRIORITY, 6, Ok(())),
        (SOL_SOCKET, SO_PRIORITY, 7, Err(Errno::EPERM)),
        (SOL_SOCKET, SO_MARK, 1, Err(Errno::EPERM)),
        (SOL_SOCKET, SO_SNDBUFFORCE, 1, Err(Errno::EPERM)),
        (SOL_SOCKET, SO_RCVBUFFORCE, 1, Err(Errno::EPERM)),
        (SOL_IP, IP_TRANSPARENT, 1, Err(Errno::EPERM)),
        (SOL_IP, IP_TRANSPARENT, 0, Ok(())),
        (SOL_TCP, TCP_REPAIR, 1, Err(Errno::EPERM)),
    ] {
        assert_eq!(w.set_int(fd, level, name, value), want, "{level} {name}");
    }
}

#[test]
fn options_by_name() {
    let mut w = World::new();
    let fd = w.tcp();
    let mut padded = [0; 16];
    padded[..4].copy_from_slice(b"reno");
    for (name, want) in [
        (&b"reno\0junk"[..], Ok(())),
        (b"", Err(Errno::EINVAL)),
        (b"nope", Err(Errno::ENOENT)),
        (b"cubicxxxxxxxxxxxxxxxxxxxx", Err(Errno::ENOENT)),
    ] {
        assert_eq!(w.set(fd, SOL_TCP, TCP_CONGESTION, name), want);
        assert_eq!(w.get(fd, SOL_TCP, TCP_CONGESTION, 99), Ok(padded.to_vec()));
    }
    assert_eq!(w.set(fd, SOL_TCP, TCP_ULP, b"tls"), Err(Errno::ENOENT));
    assert_eq!(w.get(fd, SOL_SOCKET, SO_BINDTODEVICE, 16), Ok(vec![]));
    assert_eq!(
        w.set(fd, SOL_SOCKET, SO_BINDTODEVICE, b"nope"),
        Err(Errno::ENODEV)
    );
    assert_eq!(w.set(fd, SOL_SOCKET, SO_BINDTODEVICE, b"lo\0"), Ok(()));
    assert_eq!(
        w.get(fd, SOL_SOCKET, SO_BINDTODEVICE, 16),
        Ok(b"lo\0".to_vec())
    );
    assert_eq!(
        w.get(fd, SOL_SOCKET, SO_BINDTODEVICE, 15),
        Err(Errno::EINVAL)
    );
    assert_eq!(w.get_int(fd, SOL_SOCKET, SO_BINDTOIFINDEX), Ok(1));
    assert_eq!(w.set(fd, SOL_SOCKET, SO_BINDTODEVICE, b""), Ok(()));
    assert_eq!(w.get(fd, SOL_SOCKET, SO_BINDTODEVICE, 16), Ok(vec![]));
}

#[test]
fn options_that_depend_on_the_state() {
    let mut w = World::new();
    let l = w.listener("127.0.0.1:8000", 5);
    let c = w.client(l);
    for (name, value, of_connection, of_listener) in [
        (TCP_WINDOW_CLAMP, 0, Err(Errno::EINVAL), Err(Errno::EINVAL)),
        (TCP_WINDOW_CLAMP, 5000, Ok(()), Ok(())),
        (TCP_FASTOPEN, 1, Err(Errno::EINVAL), Ok(())),
        (
            TCP_FASTOPEN_CONNECT,
            1,
            Err(Errno::EINVAL),
            Err(Errno::EINVAL),
        ),
        (TCP_FASTOPEN_NO_COOKIE, 1, Err(Errno::EINVAL), Ok(())),
        (TCP_DEFER_ACCEPT, 1, Ok(()), Ok(())),
    ] {
        assert_eq!(w.set_int(c, SOL_TCP, name, value), of_connection, "{name}");
        assert_eq!(w.set_int(l, SOL_TCP, name, value), of_listener, "{name}");
    }
    assert_eq!(w.get(c, SOL_IP, IP_MTU, 4).map(|v| v.len()), Ok(4));
    for fd in [l, w.tcp()] {
        assert_eq!(w.get(fd, SOL_IP, IP_MTU, 4), Err(Errno::ENOTCONN));
        assert_eq!(w.get(fd, SOL_SOCKET, SO_PEERNAME, 16), Err(Errno::ENOTCONN));
    }
    assert_eq!(w.get(c, SOL_SOCKET, SO_PEERNAME, 4).map(|v| v.len()), Ok(4));
    assert_eq!(
        w.get(c, SOL_SOCKET, SO_PEERNAME, 16),
        Ok(common::bytes(w.name(l)))
    );
    assert_eq!(w.get(c, SOL_SOCKET, SO_PEERNAME, 17), Err(Errno::EINVAL));
    let six = w.tcp6();
    assert_eq!(w.bind(six, "[::1]:0"), Ok(()));
    for value in [0, 1] {
        let r = w.set_int(six, SOL_IPV6, IPV6_V6ONLY, value);
        assert_eq!(r, Err(Errno::EINVAL), "bound already");
    }
}

#[test]
fn accepted_child_inherits_but_for_the_measured_exceptions() {
    let mut w = World::new();
    let l = w.tcp();
    assert_eq!(w.bind(l, "127.0.0.1:8000"), Ok(()));
    for (level, name, value) in [
        (SOL_SOCKET, SO_KEEPALIVE, 1),
        (SOL_SOCKET, SO_PRIORITY, 5),
        (SOL_SOCKET, SO_RCVBUF, 50_000),
        (SOL_TCP, TCP_NODELAY, 1),
        (SOL_TCP, TCP_KEEPIDLE, 99),
        (SOL_TCP, TCP_DEFER_ACCEPT, 0),
        (SOL_TCP, TCP_QUICKACK, 0),
        (SOL_TCP, TCP_USER_TIMEOUT, 7777),
        (SOL_TCP, TCP_FASTOPEN, 4),
        (SOL_IP, IP_TOS, 0x10),
        (SOL_IP, IP_TTL, 77),
    ] {
        assert_eq!(w.set_int(l, level, name, value), Ok(()), "{level} {name}");
    }
    assert_eq!(w.listen(l, 5), Ok(()));
    w.client(l);
    let s = w.accept_now(l);
    for (level, name, want) in [
        (SOL_SOCKET, SO_KEEPALIVE, 1),
        (SOL_SOCKET, SO_PRIORITY, 0),
        (SOL_SOCKET, SO_RCVBUF, 100_000),
        (SOL_TCP, TCP_NODELAY, 1),
        (SOL_TCP, TCP_KEEPIDLE, 99),
        (SOL_TCP, TCP_QUICKACK, 1),
        (SOL_TCP, TCP_USER_TIMEOUT, 7777),
        (SOL_TCP, TCP_FASTOPEN, 0),
        (SOL_IP, IP_TOS, 0x10),
        (SOL_IP, IP_TTL, 77),
    ] {
        assert_eq!(w.get_int(s, level, name), Ok(want), "{level} {name}");
    }
}
