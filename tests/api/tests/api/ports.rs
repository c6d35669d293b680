//! Which port bind(0), listen() and connect() choose, and which addresses bind takes (statements 25, 26, 28 to 32).

use std::collections::BTreeSet;
use std::net::SocketAddr;

use hearken_abi::Errno;
use hearken_abi::sock::{
    IP_BIND_ADDRESS_NO_PORT, IP_FREEBIND, IP_LOCAL_PORT_RANGE, IPV6_FREEBIND, SOL_IP, SOL_IPV6,
};
use hearken_twin::{Fd, Ip, Twin, any, loopback, sockaddr};

family_cases! {
    ports_of_reuseaddr_come_from_the_lower_half_first,
    ports_autobind_reuse_hands_out_taken_ones_last,
    ports_autobind_reuse_needs_reuseaddr_and_no_common_group,
    ports_reserved_are_skipped_but_may_be_bound,
    ports_of_a_sockets_own_range,
    ports_own_range_counts_within_the_sysctl_s,
    ports_own_range_values,
    ports_connect_in_an_own_range_takes_both_parities,
    ports_bind_address_no_port_leaves_it_to_listen,
    ports_bind_address_no_port_connects_share_a_port,
    ports_connect_exhausts_a_range_per_destination,
    ports_addresses_that_are_not_ours,
}

cases! {
    ports_reserved_text,
    ports_range_must_be_above_the_privileged_ones,
    ports_range_of_one_number_sets_the_first,
}

const RANGE: &str = "net.ipv4.ip_local_port_range";
const RESERVED: &str = "net.ipv4.ip_local_reserved_ports";

fn on(t: &mut dyn Twin, fd: Fd, name: i32) {
    t.set_int(fd, libc::SOL_SOCKET, name, 1).unwrap();
}

/// Sockets with these options of SOL_SOCKET, bound to the wildcard and port 0, until one cannot be or there are `most`.
fn bind_zero(t: &mut dyn Twin, ip: Ip, options: &[i32], most: usize) -> (Vec<Fd>, Vec<u16>) {
    let (mut fds, mut ports) = (Vec::new(), Vec::new());
    for _ in 0..most {
        let fd = t.tcp(ip);
        for &name in options {
            on(t, fd, name);
        }
        match t.bind(fd, &any(ip, 0)) {
            Ok(()) => ports.push(t.local(fd).port()),
            Err(e) => {
                assert_eq!(e, Errno::EADDRINUSE);
                t.close(fd).unwrap();
                break;
            }
        }
        fds.push(fd);
    }
    (fds, ports)
}

fn own_range(t: &mut dyn Twin, fd: Fd, low: u32, high: u32) -> Result<(), Errno> {
    let value = (high << 16 | low).cast_signed();
    t.set_int(fd, SOL_IP, IP_LOCAL_PORT_RANGE, value)
}

/// Statement 26.
fn ports_of_reuseaddr_come_from_the_lower_half_first(t: &mut dyn Twin, ip: Ip) {
    t.sysctl(RANGE, "40000 40039").unwrap();
    let (_, ports) = bind_zero(t, ip, &[libc::SO_REUSEADDR], 50);
    let part = |from: usize, parity: u16, low: u16| {
        let part: BTreeSet<u16> = ports[from..from + 10].iter().copied().collect();
        let want: BTreeSet<u16> = (low..low + 20).filter(|p| p % 2 == parity).collect();
        assert_eq!(part, want);
    };
    part(0, 1, 40_000);
    part(10, 0, 40_000);
    part(20, 1, 40_020);
    part(30, 0, 40_020);
    assert_eq!(ports.len(), 40);
}

/// Statement 28.
fn ports_autobind_reuse_hands_out_taken_ones_last(t: &mut dyn Twin, ip: Ip) {
    t.sysctl(RANGE, "40000 40003").unwrap();
    let (fds, ports) = bind_zero(t, ip, &[libc::SO_REUSEADDR], 9);
    assert_eq!(ports.len(), 4);
    for fd in fds {
        t.close(fd).unwrap();
    }
    t.sysctl("net.ipv4.ip_autobind_reuse", "1").unwrap();
    let (fds, ports) = bind_zero(t, ip, &[libc::SO_REUSEADDR], 5);
    let first: BTreeSet<u16> = ports[..4].iter().copied().collect();
    assert_eq!(first.len(), 4, "free ones first");
    assert_eq!(ports[4], 40_001, "then the lower half's odd distance");
    let twin = ports.iter().position(|p| *p == 40_001).unwrap();
    assert_eq!(t.listen(fds[twin], 1), Ok(()));
    assert_eq!(t.listen(fds[4], 1), Err(Errno::EADDRINUSE));
    let late = t.tcp(ip);
    assert_eq!(t.bind(late, &any(ip, 0)), Err(Errno::EADDRINUSE));
    for fd in &fds[..4] {
        if *fd != fds[twin] {
            t.close(*fd).unwrap();
        }
    }
}

/// Statement 28.
fn ports_autobind_reuse_needs_reuseaddr_and_no_common_group(t: &mut dyn Twin, ip: Ip) {
    t.sysctl(RANGE, "40000 40000").unwrap();
    t.sysctl("net.ipv4.ip_autobind_reuse", "1").unwrap();
    const A: i32 = libc::SO_REUSEADDR;
    const P: i32 = libc::SO_REUSEPORT;
    let rows: [(&[i32], &[i32], u32, bool); 9] = [
        (&[A], &[A], 0, true),
        (&[A], &[A, P], 0, true),
        (&[A, P], &[A], 0, true),
        (&[A, P], &[A, P], 0, false),
        (&[A, P], &[A, P], 1000, true),
        (&[P], &[P], 0, false),
        (&[P], &[P], 1000, false),
        (&[A], &[], 0, false),
        (&[], &[A], 0, false),
    ];
    for (first, second, uid, works) in rows {
        let (a, ports) = bind_zero(t, ip, first, 1);
        assert_eq!(ports, [40_000]);
        t.set_uid(uid);
        let (b, ports) = bind_zero(t, ip, second, 1);
        t.set_uid(0);
        assert_eq!(ports.len() == 1, works, "{first:?} {second:?} {uid}");
        for fd in a.into_iter().chain(b) {
            t.close(fd).unwrap();
        }
    }
}

/// Statement 29.
fn ports_reserved_are_skipped_but_may_be_bound(t: &mut dyn Twin, ip: Ip) {
    t.sysctl(RANGE, "40000 40009").unwrap();
    t.sysctl(RESERVED, "40001-40003,40006,50000").unwrap();
    let free: BTreeSet<u16> = [40_000, 40_004, 40_005, 40_007, 40_008, 40_009].into();
    let (fds, ports) = bind_zero(t, ip, &[], 11);
    assert_eq!(ports.into_iter().collect::<BTreeSet<_>>(), free);
    let late = t.tcp(ip);
    assert_eq!(t.listen(late, 1), Err(Errno::EADDRINUSE));
    assert_eq!(t.bind(late, &any(ip, 40_001)), Ok(()));
    for fd in fds {
        t.close(fd).unwrap();
    }
    t.listener(ip, 7000, 50);
    let mut ports = BTreeSet::new();
    for _ in 0..6 {
        let fd = t.tcp(ip);
        assert_eq!(t.connect(fd, &loopback(ip, 7000)), Err(Errno::EINPROGRESS));
        ports.insert(t.local(fd).port());
    }
    assert_eq!(ports, free);
    let late = t.tcp(ip);
    assert_eq!(
        t.connect(late, &loopback(ip, 7000)),
        Err(Errno::EADDRNOTAVAIL)
    );
}

/// Statement 29.
fn ports_reserved_text(t: &mut dyn Twin) {
    for (text, want) in [
        ("8080,9148", Some("8080,9148")),
        ("3,2,1", Some("1-3")),
        ("1-5,3-9", Some("1-9")),
        ("5-3", None),
        ("1-", None),
        ("65536", None),
        ("0-65535", Some("0-65535")),
        ("1,,2", None),
        (",1", None),
        ("1,", Some("1")),
        ("1\n2", Some("1-2")),
        ("1 2", None),
        (" 7", None),
        ("7 ", None),
        ("0x10,010", Some("8,16")),
        ("+7", None),
        ("\n", Some("")),
        ("", Some("30,40-41")),
        (" ", None),
        ("31,x", None),
    ] {
        t.sysctl(RESERVED, "30,40,41").unwrap();
        let got = t.sysctl(RESERVED, text);
        let expected = want.map_or(Err(Errno::EINVAL), |_| Ok(()));
        assert_eq!(got, expected, "{text:?}");
        let after = want.unwrap_or("30,40-41");
        assert_eq!(t.sysctl_get(RESERVED).as_deref(), Ok(after), "{text:?}");
    }
}

/// Statement 29: odd distances from its start come first, as in the sysctl's range.
fn ports_of_a_sockets_own_range(t: &mut dyn Twin, ip: Ip) {
    t.sysctl(RANGE, "40000 40999").unwrap();
    for (listens, odd) in [(true, 1), (false, 1)] {
        let mut ports = Vec::new();
        let mut fds = Vec::new();
        for _ in 0..7 {
            let fd = t.tcp(ip);
            own_range(t, fd, 40_101, 40_106).unwrap();
            let got = if listens {
                t.listen(fd, 1)
            } else {
                t.bind(fd, &any(ip, 0))
            };
            fds.push(fd);
            if ports.len() == 6 {
                assert_eq!(got, Err(Errno::EADDRINUSE));
                break;
            }
            assert_eq!(got, Ok(()));
            ports.push(t.local(fd).port() - 40_101);
        }
        assert!(ports[..3].iter().all(|p| p % 2 == odd), "{ports:?}");
        let all: BTreeSet<u16> = ports.into_iter().collect();
        assert_eq!(all, (0..6).collect());
        for fd in fds {
            t.close(fd).unwrap();
        }
    }
}

/// Statement 29: an end that lies outside the sysctl's range is not looked at.
fn ports_own_range_counts_within_the_sysctl_s(t: &mut dyn Twin, ip: Ip) {
    t.sysctl(RANGE, "40000 40003").unwrap();
    for (low, high, want) in [
        (40_001, 40_002, vec![40_001, 40_002]),
        (0, 40_001, vec![40_000, 40_001]),
        (40_002, 0, vec![40_002, 40_003]),
        (39_990, 40_001, vec![40_000, 40_001]),
        (40_002, 41_000, vec![40_002, 40_003]),
        (45_000, 45_004, vec![40_000, 40_001, 40_002, 40_003]),
        (30_000, 30_004, vec![40_000, 40_001, 40_002, 40_003]),
        (39_000, 42_000, vec![40_000, 40_001, 40_002, 40_003]),
        (40_002, 40_002, vec![40_002]),
    ] {
        let mut fds = Vec::new();
        let mut ports = Vec::new();
        loop {
            let fd = t.tcp(ip);
            own_range(t, fd, low, high).unwrap();
            fds.push(fd);
            if t.listen(fd, 1).is_err() {
                break;
            }
            ports.push(t.local(fd).port());
        }
        ports.sort_unstable();
        assert_eq!(ports, want, "{low} {high}");
        for fd in fds {
            t.close(fd).unwrap();
        }
    }
}

/// Statement 29.
fn ports_own_range_values(t: &mut dyn Twin, ip: Ip) {
    let fd = t.tcp(ip);
    assert_eq!(t.int(fd, SOL_IP, IP_LOCAL_PORT_RANGE), Ok(0));
    assert_eq!(own_range(t, fd, 500, 400), Err(Errno::EINVAL));
    for (low, high) in [(500, 0), (0, 400), (7, 7), (0, 0)] {
        assert_eq!(own_range(t, fd, low, high), Ok(()));
        let got = t.int(fd, SOL_IP, IP_LOCAL_PORT_RANGE);
        assert_eq!(got, Ok((high << 16 | low).cast_signed()));
    }
    for bad in [&[5u8, 0][..], &[5, 0, 0, 0, 0, 0, 0, 0]] {
        assert_eq!(
            t.setsockopt(fd, SOL_IP, IP_LOCAL_PORT_RANGE, bad),
            Err(Errno::EINVAL)
        );
    }
    let l = t.tcp(ip);
    own_range(t, l, 5, 6).unwrap();
    t.bind(l, &any(ip, 7001)).unwrap();
    t.listen(l, 1).unwrap();
    let (_, child) = t.pair(l, ip);
    assert_eq!(
        t.int(child, SOL_IP, IP_LOCAL_PORT_RANGE),
        Ok(6 << 16 | 5),
        "it is inherited"
    );
}

/// Statement 29: connect() looks at even and odd alike, and leaves none out.
fn ports_connect_in_an_own_range_takes_both_parities(t: &mut dyn Twin, ip: Ip) {
    t.sysctl(RANGE, "40000 40999").unwrap();
    t.listener(ip, 7000, 200);
    let to = loopback(ip, 7000);
    let mut parities = BTreeSet::new();
    for _ in 0..40 {
        let fd = t.tcp(ip);
        own_range(t, fd, 40_100, 40_399).unwrap();
        assert_eq!(t.connect(fd, &to), Err(Errno::EINPROGRESS));
        let port = t.local(fd).port();
        assert!((40_100..=40_399).contains(&port), "{port}");
        parities.insert(port % 2);
    }
    assert_eq!(parities, [0, 1].into());
    let mut ports = BTreeSet::new();
    for _ in 0..5 {
        let fd = t.tcp(ip);
        own_range(t, fd, 40_500, 40_504).unwrap();
        assert_eq!(t.connect(fd, &to), Err(Errno::EINPROGRESS));
        ports.insert(t.local(fd).port());
    }
    assert_eq!(ports, (40_500..=40_504).collect());
    let late = t.tcp(ip);
    own_range(t, late, 40_500, 40_504).unwrap();
    assert_eq!(t.connect(late, &to), Err(Errno::EADDRNOTAVAIL));
}

/// Statement 29.
fn ports_bind_address_no_port_leaves_it_to_listen(t: &mut dyn Twin, ip: Ip) {
    t.sysctl(RANGE, "40000 40001").unwrap();
    let no_port = |t: &mut dyn Twin| {
        let fd = t.tcp(ip);
        t.set_int(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1).unwrap();
        fd
    };
    let mut fds = Vec::new();
    for _ in 0..2 {
        let fd = no_port(t);
        assert_eq!(t.bind(fd, &loopback(ip, 0)), Ok(()));
        let bound = SocketAddr::new(ip.loopback(), 0);
        assert_eq!(t.local(fd), bound);
        assert_eq!(t.bind(fd, &loopback(ip, 0)), Ok(()), "once more");
        assert_eq!(t.listen(fd, 1), Ok(()));
        let local = t.local(fd);
        assert_eq!(local.ip(), ip.loopback());
        assert!((40_000..=40_001).contains(&local.port()), "{local}");
        assert_eq!(t.bind(fd, &loopback(ip, 0)), Err(Errno::EINVAL));
        fds.push(fd);
    }
    let late = no_port(t);
    assert_eq!(t.bind(late, &loopback(ip, 0)), Ok(()));
    assert_eq!(t.listen(late, 1), Err(Errno::EADDRINUSE));
    assert_eq!(t.local(late), SocketAddr::new(ip.loopback(), 0));
    assert_eq!(t.state(late), 7);
    assert_eq!(t.bind(late, &loopback(ip, 7100)), Ok(()), "a port named");
    assert_eq!(t.local(late).port(), 7100);
    assert_eq!(t.bind(late, &loopback(ip, 7101)), Err(Errno::EINVAL));
}

/// Statement 29.
fn ports_bind_address_no_port_connects_share_a_port(t: &mut dyn Twin, ip: Ip) {
    t.sysctl(RANGE, "40000 40001").unwrap();
    for port in [7000, 7001] {
        t.listener(ip, port, 50);
    }
    for port in [7000, 7001] {
        let mut got = Vec::new();
        for _ in 0..3 {
            let fd = t.tcp(ip);
            t.set_int(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1).unwrap();
            t.bind(fd, &loopback(ip, 0)).unwrap();
            got.push(t.connect(fd, &loopback(ip, port)));
        }
        let going = Err(Errno::EINPROGRESS);
        assert_eq!(got, [going, going, Err(Errno::EADDRNOTAVAIL)]);
    }
}

/// Statement 31.
fn ports_connect_exhausts_a_range_per_destination(t: &mut dyn Twin, ip: Ip) {
    t.sysctl(RANGE, "40000 40003").unwrap();
    for port in [7000, 7001] {
        t.listener(ip, port, 50);
    }
    for port in [7000, 7001] {
        let mut ports = BTreeSet::new();
        for _ in 0..4 {
            let fd = t.tcp(ip);
            let got = t.connect(fd, &loopback(ip, port));
            assert_eq!(got, Err(Errno::EINPROGRESS));
            ports.insert(t.local(fd).port());
        }
        assert_eq!(ports, (40_000..=40_003).collect());
        let late = t.tcp(ip);
        let got = t.connect(late, &loopback(ip, port));
        assert_eq!(got, Err(Errno::EADDRNOTAVAIL));
    }
    for reuse in [0, 1] {
        let fd = t.tcp(ip);
        t.set_int(fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, reuse)
            .unwrap();
        assert_eq!(t.listen(fd, 1), Err(Errno::EADDRINUSE));
        assert_eq!(t.bind(fd, &any(ip, 0)), Err(Errno::EADDRINUSE));
        assert_eq!(t.bind(fd, &any(ip, 40_000)), Err(Errno::EADDRINUSE));
    }
}

/// Statement 30.
fn ports_addresses_that_are_not_ours(t: &mut dyn Twin, ip: Ip) {
    use Errno as E;
    const NO: Result<(), Errno> = Err(E::EADDRNOTAVAIL);
    const BAD: Result<(), Errno> = Err(E::EINVAL);
    const YES: Result<(), Errno> = Ok(());
    // Plain; IP_FREEBIND; IPV6_FREEBIND; IPv4's sysctl; IPv6's.
    let v4 = [
        ("203.0.113.9", [NO, YES, NO, YES, NO]),
        ("255.255.255.255", [YES; 5]),
        ("192.0.2.255", [YES; 5]),
        ("192.0.2.0", [NO, YES, NO, YES, NO]),
        ("224.0.0.1", [YES; 5]),
        ("127.9.9.9", [YES; 5]),
        ("240.0.0.1", [NO, YES, NO, YES, NO]),
    ];
    let v6 = [
        ("2001:db8:9::9", [NO, YES, YES, NO, YES]),
        ("ff02::1", [BAD; 5]),
        ("fe80::1", [BAD; 5]),
        ("::1", [YES; 5]),
        ("::ffff:203.0.113.9", [NO, YES, YES, YES, NO]),
        ("::ffff:127.0.0.1", [YES; 5]),
        ("::ffff:224.0.0.1", [YES; 5]),
        ("::ffff:255.255.255.255", [YES; 5]),
        ("::127.0.0.1", [NO, YES, YES, NO, YES]),
    ];
    for (addr, want) in ip.pick(&v4[..], &v6[..]) {
        for (how, want) in want.iter().enumerate() {
            let sysctls = [
                (3, "net.ipv4.ip_nonlocal_bind"),
                (4, "net.ipv6.ip_nonlocal_bind"),
            ];
            for (n, name) in sysctls {
                t.sysctl(name, if how == n { "1" } else { "0" }).unwrap();
            }
            let fd = t.tcp(ip);
            match how {
                1 => t.set_int(fd, SOL_IP, IP_FREEBIND, 1).unwrap(),
                2 if ip == Ip::V6 => t.set_int(fd, SOL_IPV6, IPV6_FREEBIND, 1).unwrap(),
                _ => {}
            }
            let to = SocketAddr::new(addr.parse().unwrap(), 7200);
            let got = t.bind(fd, &sockaddr(to));
            assert_eq!(got, *want, "{addr} {how}");
            if got.is_ok() {
                assert_eq!(t.listen(fd, 1), Ok(()), "{addr} {how}");
            }
            t.close(fd).unwrap();
        }
    }
}

/// Statement 32.
fn ports_range_must_be_above_the_privileged_ones(t: &mut dyn Twin) {
    for (start, ok, bad) in [
        (
            "1024",
            &["1024 2000", "2000 2000", "65535 65535"][..],
            &[
                "60000 50000",
                "0 0",
                "0 5",
                "1 65535",
                "1000 2000",
                "1023 2000",
                "65536 65536",
                "-1 5",
                "a b",
                "5000,6000",
            ][..],
        ),
        ("0", &["1 65535", "1000 2000"], &["0 0", "0 5"]),
        ("2000", &["2000 2000"], &["1024 2000", "1 65535"]),
    ] {
        t.sysctl("net.ipv4.ip_unprivileged_port_start", start)
            .unwrap();
        for (texts, want) in [(ok, Ok(())), (bad, Err(Errno::EINVAL))] {
            for text in texts {
                t.sysctl(RANGE, "32768 60999").unwrap();
                assert_eq!(t.sysctl(RANGE, text), want, "{start}: {text}");
                let left = if want.is_ok() { text } else { "32768 60999" };
                let got = t.sysctl_get(RANGE).unwrap();
                assert_eq!(got, left.replace(' ', "\t"));
            }
        }
    }
    t.sysctl(RANGE, "5000 6000").unwrap();
    let name = "net.ipv4.ip_unprivileged_port_start";
    for (start, want) in [
        ("0", Ok(())),
        ("5000", Ok(())),
        ("5001", Err(Errno::EINVAL)),
        ("6001", Err(Errno::EINVAL)),
        ("65536", Err(Errno::EINVAL)),
        ("-1", Err(Errno::EINVAL)),
    ] {
        assert_eq!(t.sysctl(name, start), want, "{start}");
    }
}

/// Numbers are C's, further ones are not looked at, and missing ones stay.
fn ports_range_of_one_number_sets_the_first(t: &mut dyn Twin) {
    for (name, from, text, want) in [
        (RANGE, "32768 60999", "5000", Some("5000\t60999")),
        (RANGE, "32768 60999", "5000 6000 7000", Some("5000\t6000")),
        (RANGE, "32768 60999", " 0x1388 06000\n", None),
        (RANGE, "32768 60999", "05000 6000", Some("2560\t6000")),
        (RANGE, "32768 60999", "", Some("32768\t60999")),
        ("net.core.somaxconn", "4096", "7 8", Some("7")),
        ("net.core.somaxconn", "4096", "7x", None),
        ("net.core.somaxconn", "4096", "010", Some("8")),
        ("net.core.somaxconn", "4096", "08", None),
        ("net.core.somaxconn", "4096", "+5", None),
        ("net.core.somaxconn", "4096", "-0", Some("0")),
        ("net.core.somaxconn", "4096", " ", None),
        ("net.ipv4.tcp_syncookies", "1", "2x", None),
        ("net.ipv4.tcp_syncookies", "1", "0x2 9", Some("2")),
    ] {
        t.sysctl(name, from).unwrap();
        let expected = want.map_or(Err(Errno::EINVAL), |_| Ok(()));
        assert_eq!(t.sysctl(name, text), expected, "{name} {text:?}");
        let left = want.map_or(from.replace(' ', "\t"), str::to_owned);
        assert_eq!(t.sysctl_get(name), Ok(left), "{name} {text:?}");
    }
    t.sysctl("net.ipv4.tcp_rmem", "4096 131072 6291456")
        .unwrap();
    let got = t.sysctl("net.ipv4.tcp_rmem", "5000 0 1");
    assert_eq!(got, Err(Errno::EINVAL));
    let left = t.sysctl_get("net.ipv4.tcp_rmem");
    assert_eq!(left.as_deref(), Ok("5000\t131072\t6291456"), "one by one");
}
