//! Which binds and listens conflict: the two matrices row by row, and port choice (statements 24, 27, 105 to 108).

use std::collections::BTreeMap;
use std::net::SocketAddr;

use hearken_abi::Errno;
use hearken_twin::{Fd, Ip, Twin, any, loopback, sockaddr};

cases! {
    bind_matrix_only_bound,
    bind_matrix_listening,
    bind_matrix_live_child,
    bind_matrix_time_wait,
    bind_v6_matrix,
    bind_v6only_after_bind_einval,
    bind_mapped_on_v6only_einval,
    bindv6only_sets_the_default,
    autobind_dual_takes_the_v4_port_too,
    autobind_v6only_leaves_the_v4_port,
}

family_cases! {
    autobind_listen_takes_the_wildcard_and_an_ephemeral_port,
    autobind_exhausted_range_eaddrinuse,
    autobind_range_of_three_never_takes_the_last,
    autobind_specific_addresses_share_a_port,
}

/// The rows of a CSV file by column name.
fn rows(text: &'static str) -> Vec<BTreeMap<&'static str, &'static str>> {
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().expect("a header").split(',').collect();
    lines
        .map(|line| names.iter().copied().zip(line.split(',')).collect())
        .collect()
}

fn outcome(result: Result<(), Errno>) -> &'static str {
    match result {
        Ok(()) => "OK",
        Err(errno) => errno.name(),
    }
}

fn reuse(t: &mut dyn Twin, fd: Fd, addr: &str, port: &str, device: &str) {
    t.set_int(
        fd,
        libc::SOL_SOCKET,
        libc::SO_REUSEADDR,
        addr.parse().unwrap(),
    )
    .unwrap();
    t.set_int(
        fd,
        libc::SOL_SOCKET,
        libc::SO_REUSEPORT,
        port.parse().unwrap(),
    )
    .unwrap();
    if !device.is_empty() {
        t.setsockopt(
            fd,
            libc::SOL_SOCKET,
            libc::SO_BINDTODEVICE,
            device.as_bytes(),
        )
        .expect("SO_BINDTODEVICE");
    }
}

fn at(addr: &str, port: u16) -> Vec<u8> {
    sockaddr(SocketAddr::new(addr.parse().unwrap(), port))
}

/// The rows in which the first socket is in this state.
fn bind_matrix(t: &mut dyn Twin, state: &str) {
    t.add_iface("v0");
    let mut wrong = Vec::new();
    let mut count = 0;
    let all = rows(include_str!("../../data/bind_matrix.csv"));
    for (index, row) in all.iter().filter(|row| row["A_state"] == state).enumerate() {
        let port = 20_000 + index as u16;
        let mut held = Vec::new();
        let a = t.blocking_tcp(Ip::V4);
        reuse(t, a, row["A_reuseaddr"], row["A_reuseport"], row["A_dev"]);
        t.bind(a, &at(row["A_addr"], port)).expect("the first bind");
        if state != "bound" {
            t.listen(a, 2).expect("the first listen");
        }
        if matches!(state, "estab-child" | "timewait") {
            let client = t.blocking_tcp(Ip::V4);
            t.connect(client, &at("127.0.0.1", port)).expect("connect");
            let child = t.accept(a).expect("accept");
            t.close(a).unwrap();
            match state {
                "timewait" => [child, client]
                    .map(|fd| t.close(fd).unwrap())
                    .iter()
                    .for_each(drop),
                _ => held.extend([child, client]),
            }
        } else {
            held.push(a);
        }
        if row["same_uid"] == "0" {
            t.set_uid(1000);
        }
        let b = t.blocking_tcp(Ip::V4);
        reuse(t, b, row["B_reuseaddr"], row["B_reuseport"], row["B_dev"]);
        let bound = t.bind(b, &at(row["B_addr"], port));
        let listened = bound.is_ok().then(|| t.listen(b, 2));
        t.set_uid(0);
        let after =
            (state == "bound" && row["same_uid"] == "1" && bound.is_ok()).then(|| t.listen(a, 2));
        let got = [
            outcome(bound),
            listened.map_or("-", outcome),
            after.map_or("-", outcome),
        ];
        let want = [row["bindB"], row["listenB"], row["listenA_after"]];
        if got != want {
            wrong.push(format!("{row:?}: got {got:?}"));
        }
        held.push(b);
        for fd in held {
            t.close(fd).unwrap();
        }
        count += 1;
    }
    assert!(count > 90, "only {count} rows of {state}");
    assert!(
        wrong.is_empty(),
        "{} of {count} rows differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Statement 105.
fn bind_matrix_only_bound(t: &mut dyn Twin) {
    bind_matrix(t, "bound");
}

/// Statement 105.
fn bind_matrix_listening(t: &mut dyn Twin) {
    bind_matrix(t, "listen");
}

/// Statement 106.
fn bind_matrix_live_child(t: &mut dyn Twin) {
    bind_matrix(t, "estab-child");
}

/// Statement 106.
fn bind_matrix_time_wait(t: &mut dyn Twin) {
    bind_matrix(t, "timewait");
}

/// One end of the IPv6 matrix: `:: dual`, `::1 dual`, `0.0.0.0`.
fn end(t: &mut dyn Twin, name: &str, options: &str) -> (Fd, Result<(), Errno>) {
    let (addr, only) = name.split_once(' ').unwrap_or((name, ""));
    let ip = if addr.contains(':') { Ip::V6 } else { Ip::V4 };
    let fd = t.tcp(ip);
    if ip == Ip::V6 {
        let only = i32::from(only == "v6only");
        t.set_int(fd, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, only)
            .unwrap();
    }
    match options {
        "ADDR" => t
            .set_int(fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)
            .unwrap(),
        "PORT" => t
            .set_int(fd, libc::SOL_SOCKET, libc::SO_REUSEPORT, 1)
            .unwrap(),
        _ => {}
    }
    let bound = t.bind(fd, &at(addr, 7200));
    (fd, bound)
}

/// Statement 108.
fn bind_v6_matrix(t: &mut dyn Twin) {
    let mut wrong = Vec::new();
    let all = rows(include_str!("../../data/v6_matrix.csv"));
    assert_eq!(all.len(), 147);
    for row in &all {
        let (a, bound) = end(t, row["A"], row["opts"]);
        assert_eq!(bound, Ok(()), "{row:?}");
        let (b, bound) = end(t, row["B"], row["opts"]);
        let listened_a = t.listen(a, 1);
        let listened_b = bound.is_ok().then(|| t.listen(b, 1));
        let got = [
            outcome(bound),
            outcome(listened_a),
            listened_b.map_or("-", outcome),
        ];
        let want = [row["bindB"], row["listenA"], row["listenB"]];
        if got != want {
            wrong.push(format!("{row:?}: got {got:?}"));
        }
        t.close(a).unwrap();
        t.close(b).unwrap();
    }
    assert!(
        wrong.is_empty(),
        "{} rows differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Statement 108.
fn bind_v6only_after_bind_einval(t: &mut dyn Twin) {
    let fd = t.tcp(Ip::V6);
    t.bind(fd, &any(Ip::V6, 7200)).unwrap();
    for value in [0, 1] {
        assert_eq!(
            t.set_int(fd, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, value),
            Err(Errno::EINVAL)
        );
    }
}

/// Statement 108.
fn bind_mapped_on_v6only_einval(t: &mut dyn Twin) {
    let fd = t.tcp(Ip::V6);
    t.set_int(fd, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1)
        .unwrap();
    assert_eq!(
        t.bind(fd, &at("::ffff:127.0.0.1", 7200)),
        Err(Errno::EINVAL)
    );
    t.set_int(fd, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 0)
        .unwrap();
    assert_eq!(t.bind(fd, &at("::ffff:127.0.0.1", 7200)), Ok(()));
}

/// Statement 108.
fn bindv6only_sets_the_default(t: &mut dyn Twin) {
    let old = t.tcp(Ip::V6);
    t.sysctl("net.ipv6.bindv6only", "1").unwrap();
    let new = t.tcp(Ip::V6);
    assert_eq!(t.int(old, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY), Ok(0));
    assert_eq!(t.int(new, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY), Ok(1));
}

/// Statement 24.
fn autobind_dual_takes_the_v4_port_too(t: &mut dyn Twin) {
    let fd = t.tcp(Ip::V6);
    t.listen(fd, 1).unwrap();
    let port = t.local(fd).port();
    let v4 = t.tcp(Ip::V4);
    assert_eq!(t.bind(v4, &any(Ip::V4, port)), Err(Errno::EADDRINUSE));
}

/// Statement 24.
fn autobind_v6only_leaves_the_v4_port(t: &mut dyn Twin) {
    let fd = t.tcp(Ip::V6);
    t.set_int(fd, libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1)
        .unwrap();
    t.listen(fd, 1).unwrap();
    let port = t.local(fd).port();
    let v4 = t.tcp(Ip::V4);
    assert_eq!(t.bind(v4, &any(Ip::V4, port)), Ok(()));
}

/// Statements 24 and 25: odd offsets from the range's start come first.
fn autobind_listen_takes_the_wildcard_and_an_ephemeral_port(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.ipv4.ip_local_port_range", "40000 40099")
        .unwrap();
    for _ in 0..30 {
        let fd = t.tcp(ip);
        assert_eq!(t.listen(fd, 1), Ok(()));
        let local = t.local(fd);
        assert_eq!(local.ip(), ip.any());
        assert!(
            (40_000..=40_099).contains(&local.port()) && local.port() % 2 == 1,
            "{local}"
        );
    }
}

/// Statement 27.
fn autobind_exhausted_range_eaddrinuse(t: &mut dyn Twin, ip: Ip) {
    for (range, size) in [("40000 40000", 1), ("40002 40003", 2), ("40010 40015", 6)] {
        t.sysctl("net.ipv4.ip_local_port_range", range).unwrap();
        let mut ports = Vec::new();
        for _ in 0..size {
            let fd = t.tcp(ip);
            assert_eq!(t.listen(fd, 1), Ok(()), "{range}");
            ports.push(t.local(fd).port());
        }
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), size, "each port once");
        let late = t.tcp(ip);
        assert_eq!(t.listen(late, 1), Err(Errno::EADDRINUSE), "{range}");
        assert_eq!(t.state(late), 7);
        assert_eq!(t.local(late).port(), 0);
    }
}

/// The search rounds the size of a range down to an even number.
fn autobind_range_of_three_never_takes_the_last(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.ipv4.ip_local_port_range", "40020 40022")
        .unwrap();
    for expected in [40_021, 40_020] {
        let fd = t.tcp(ip);
        t.listen(fd, 1).unwrap();
        assert_eq!(t.local(fd).port(), expected);
    }
    let late = t.tcp(ip);
    assert_eq!(t.listen(late, 1), Err(Errno::EADDRINUSE));
    assert_eq!(t.bind(late, &any(ip, 40_022)), Ok(()), "though it is free");
}

/// Statement 27.
fn autobind_specific_addresses_share_a_port(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.ipv4.ip_local_port_range", "40001 40001")
        .unwrap();
    let first = t.tcp(ip);
    assert_eq!(t.bind(first, &loopback(ip, 0)), Ok(()));
    let same = t.tcp(ip);
    assert_eq!(t.bind(same, &loopback(ip, 0)), Err(Errno::EADDRINUSE));
    let other = t.tcp(ip);
    assert_eq!(
        t.bind(other, &sockaddr(SocketAddr::new(ip.listener(), 0))),
        Ok(())
    );
    assert_eq!(t.local(first).port(), t.local(other).port());
}
