//! bind(2): which addresses and ports a socket may have, and which it is given (docs/linux 15, 25 to 30, 105 to 108).

use crate::common::*;
use hearken_inet::*;
use std::net::{IpAddr, SocketAddr};

const USER: Cred = Cred {
    uid: 1000,
    net_bind_service: false,
};

fn bind(n: &mut Net, s: SocketId, addr: &str, cred: &Cred) -> Result<(), BindError> {
    n.bind(s, addr.parse().unwrap(), cred)
}

#[test]
fn bind_to_each_kind_of_address_is_allowed_or_refused() {
    use BindError::*;
    let mut n = net(1, 1);
    for (addr, v6only, want) in [
        ("10.0.0.1:5000", false, Ok(())),
        ("127.0.0.1:5000", false, Ok(())),
        ("0.0.0.0:5000", false, Ok(())),
        ("224.0.0.1:5000", false, Ok(())),
        ("10.0.0.255:5000", false, Ok(())),
        ("192.0.2.1:5000", false, Err(AddrNotAvailable)),
        ("[fd00::1]:5000", false, Ok(())),
        ("[fd00::99]:5000", false, Err(AddrNotAvailable)),
        ("[ff02::1]:5000", false, Err(BadAddress)),
        ("[::ffff:10.0.0.1]:5000", false, Ok(())),
        ("[::ffff:10.0.0.1]:5000", true, Err(BadAddress)),
        ("[::ffff:192.0.2.1]:5000", false, Err(AddrNotAvailable)),
        ("[fd00::1]:5000", true, Ok(())),
    ] {
        let at: SocketAddr = addr.parse().unwrap();
        let domain = if at.is_ipv4() {
            Domain::Inet
        } else {
            Domain::Inet6
        };
        let s = n.socket(domain);
        if v6only {
            n.set_option(Instant(0), s, Opt::V6Only(true)).unwrap();
        }
        assert_eq!(n.bind(s, at, &Cred::ROOT), want, "{addr} v6only {v6only}");
        n.close(Instant(0), s);
    }
    let s = n.socket(Domain::Inet);
    assert_eq!(
        bind(&mut n, s, "[fd00::1]:5000", &Cred::ROOT),
        Err(WrongFamily)
    );
}

#[test]
fn bind_to_a_foreign_address_needs_freebind_or_the_sysctl() {
    let mut n = net(1, 1);
    let s = n.socket(Domain::Inet);
    n.set_option(Instant(0), s, Opt::FreeBind(true)).unwrap();
    assert_eq!(bind(&mut n, s, "192.0.2.1:5000", &Cred::ROOT), Ok(()));
    n.sysctl_set("net.ipv4.ip_nonlocal_bind", "1").unwrap();
    let s = n.socket(Domain::Inet);
    assert_eq!(bind(&mut n, s, "192.0.2.2:5000", &Cred::ROOT), Ok(()));
}

#[test]
fn bind_of_a_privileged_port_needs_the_capability() {
    let mut n = net(1, 1);
    let capable = Cred {
        net_bind_service: true,
        ..USER
    };
    for (port, cred, want) in [
        (1023, &USER, Err(BindError::Permission)),
        (1023, &capable, Ok(())),
        (1024, &USER, Ok(())),
        (0, &USER, Ok(())),
    ] {
        let s = n.socket(Domain::Inet);
        assert_eq!(
            bind(&mut n, s, &format!("10.0.0.1:{port}"), cred),
            want,
            "{port}"
        );
    }
}

#[test]
fn bind_of_a_bound_or_connecting_socket_is_refused() {
    let mut n = net(1, 1);
    let s = n.socket(Domain::Inet);
    assert_eq!(bind(&mut n, s, "10.0.0.1:5000", &USER), Ok(()));
    assert_eq!(
        bind(&mut n, s, "10.0.0.1:5001", &USER),
        Err(BindError::NotFresh)
    );
    let s = n.socket(Domain::Inet);
    n.connect(Instant(0), s, "10.0.0.2:9".parse().unwrap(), &USER)
        .unwrap();
    assert_eq!(
        bind(&mut n, s, "10.0.0.1:5002", &USER),
        Err(BindError::NotFresh)
    );
}

#[test]
fn disconnect_keeps_the_address_that_bind_chose_and_forgets_that_of_connect() {
    let mut n = net(1, 1);
    for (at, after) in [("10.0.0.1:5000", "10.0.0.1"), ("0.0.0.0:5001", "0.0.0.0")] {
        let s = n.socket(Domain::Inet);
        bind(&mut n, s, at, &USER).unwrap();
        n.connect(Instant(0), s, "10.0.0.2:9".parse().unwrap(), &USER)
            .unwrap();
        assert_eq!(n.local_addr(s).ip(), "10.0.0.1".parse::<IpAddr>().unwrap());
        n.disconnect(Instant(0), s);
        assert_eq!(
            n.local_addr(s).ip(),
            after.parse::<IpAddr>().unwrap(),
            "{at}"
        );
    }
}

/// The ports that `count` sockets get by bind(0), and what the next one gets.
fn ports(n: &mut Net, reuse: bool, count: usize) -> (Vec<u16>, Result<(), BindError>) {
    let bind0 = |n: &mut Net| {
        let s = n.socket(Domain::Inet);
        n.set_option(Instant(0), s, Opt::ReuseAddr(reuse)).unwrap();
        let r = bind(n, s, "10.0.0.1:0", &USER);
        (n.local_addr(s).port(), r)
    };
    let given = (0..count).map(|_| bind0(n).0).collect();
    (given, bind0(n).1)
}

#[test]
fn autobind_gives_odd_distances_first_and_every_port_once() {
    let mut n = net(1, 1);
    n.sysctl_set("net.ipv4.ip_local_port_range", "40000 40011")
        .unwrap();
    let (mut got, next) = ports(&mut n, false, 12);
    got[..6].sort_unstable();
    got[6..].sort_unstable();
    let odd = (40_000..40_012).filter(|p| p % 2 == 1);
    let want: Vec<u16> = odd.chain((40_000..40_012).filter(|p| p % 2 == 0)).collect();
    assert_eq!(got, want);
    assert_eq!(next, Err(BindError::AddrInUse));
}

#[test]
fn autobind_with_reuseaddr_gives_the_lower_half_first() {
    for (high, half) in [(40_011, 6), (40_009, 4), (40_012, 6), (40_002, 0)] {
        let mut n = net(1, 1);
        let range = format!("40000 {high}");
        n.sysctl_set("net.ipv4.ip_local_port_range", &range)
            .unwrap();
        // An odd number of ports leaves one out.
        let all = usize::from(high - 40_000 + 1) & !1;
        let (mut got, next) = ports(&mut n, true, all);
        got[..half].sort_unstable();
        let want: Vec<u16> = (40_000..).take(half).collect();
        assert_eq!(got[..half], want, "{range}");
        assert!(
            got[half..]
                .iter()
                .all(|p| (40_000 + half as u16..=high).contains(p))
        );
        if high % 2 == 1 {
            got.sort_unstable();
            assert!(got.into_iter().eq(40_000..=high), "{range}");
            assert_eq!(next, Err(BindError::AddrInUse));
        }
    }
}

#[test]
fn autobind_shares_ports_only_under_ip_autobind_reuse() {
    for (sysctl, want) in [("0", Err(BindError::AddrInUse)), ("1", Ok(()))] {
        let mut n = net(1, 1);
        n.sysctl_set("net.ipv4.ip_local_port_range", "40000 40001")
            .unwrap();
        n.sysctl_set("net.ipv4.ip_autobind_reuse", sysctl).unwrap();
        assert_eq!(ports(&mut n, true, 2).1, want, "ip_autobind_reuse {sysctl}");
    }
}

#[test]
fn port_of_an_autobound_listener_is_not_shared_by_reuseaddr() {
    let mut n = net(1, 1);
    let mut shared = || {
        let s = n.socket(Domain::Inet);
        n.set_option(Instant(0), s, Opt::ReuseAddr(true)).unwrap();
        s
    };
    let (l, s) = (shared(), shared());
    n.listen(Instant(0), l, 1).unwrap();
    let at = SocketAddr::from(([10, 0, 0, 1], n.local_addr(l).port()));
    assert_eq!(n.bind(s, at, &USER), Err(BindError::AddrInUse));
}

/// docs/linux 12, for a connection.
#[test]
fn option_set_on_a_child_counts_for_its_share_of_the_port() {
    let mut p = Pair::new();
    let l = p.listen("10.0.0.2:80", 5);
    p.connect("10.0.0.2:80");
    p.settle();
    let child = p.b.accept(p.now, l).unwrap().socket;
    p.b.close(p.now, l);
    let s = p.b.socket(Domain::Inet);
    p.b.set_option(p.now, s, Opt::ReuseAddr(true)).unwrap();
    let at = "10.0.0.2:80".parse().unwrap();
    assert_eq!(p.b.bind(s, at, &Cred::ROOT), Err(BindError::AddrInUse));
    p.b.set_option(p.now, child, Opt::ReuseAddr(true)).unwrap();
    assert_eq!(p.b.bind(s, at, &Cred::ROOT), Ok(()));
}
