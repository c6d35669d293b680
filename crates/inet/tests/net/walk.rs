//! The walk end to end between two namespaces.

use crate::common::*;
use core::time::Duration;
use hearken_abi::Counter;
use hearken_inet::*;

fn echo(target: &str, listen: &str) {
    let mut p = Pair::new();
    let l = p.listen(listen, 5);
    let c = p.connect(target);
    p.settle();
    assert_eq!(p.a.state(c), TcpState::Established);
    assert_eq!(p.b.accept_queue(l), Some((1, 5)));
    let acc = p.b.accept(p.now, l).unwrap();
    assert_eq!(p.a.local_addr(c).port(), acc.peer.port());
    assert_eq!(write(&mut p.a, p.now, c, b"hello"), Ok(5));
    p.settle();
    assert_eq!(read(&mut p.b, p.now, acc.socket).unwrap(), b"hello");
    p.a.shutdown(p.now, c, Shutdown::Write).unwrap();
    p.settle();
    assert_eq!(read(&mut p.b, p.now, acc.socket).unwrap(), b"");
    assert_eq!(p.b.state(acc.socket), TcpState::CloseWait);
    write(&mut p.b, p.now, acc.socket, b"bye").unwrap();
    p.b.close(p.now, acc.socket);
    p.settle();
    assert_eq!(read(&mut p.a, p.now, c).unwrap(), b"bye");
    assert_eq!(read(&mut p.a, p.now, c).unwrap(), b"");
    assert_eq!(p.a.state(c), TcpState::Close);
    assert!(p.a.diag().iter().any(|r| r.state == TcpState::TimeWait));
    assert_eq!(
        p.b.diag().len(),
        1,
        "only the listener is left: {:?}",
        p.b.diag()
    );
    p.a.close(p.now, c);
    p.advance(Duration::from_secs(61));
    assert!(p.a.diag().is_empty());
    assert_eq!(p.a.poll_timeout(), None);
    assert_eq!(p.b.mib().get(Counter::TcpCurrEstab), 0);
    assert_eq!(p.a.mib().get(Counter::TcpCurrEstab), 0);
    assert_eq!(p.a.mib().get(Counter::TcpRetransSegs), 0);
    // "hello" and a bare FIN; "bye" with its FIN.
    assert_eq!(p.a.mib().get(Counter::TcpOrigDataSent), 2);
    assert_eq!(p.b.mib().get(Counter::TcpOrigDataSent), 1);
    let v6 = target.starts_with('[');
    let (out, rx) = if v6 {
        (Counter::Ip6OutRequests, Counter::Ip6InReceives)
    } else {
        (Counter::IpOutRequests, Counter::IpInReceives)
    };
    assert_eq!(p.a.mib().get(out), p.b.mib().get(rx));
    assert_eq!(p.b.mib().get(out), p.a.mib().get(rx));
}

#[test]
fn echo_over_ipv4_closes_cleanly() {
    echo("10.0.0.2:80", "10.0.0.2:80");
}
#[test]
fn echo_over_ipv6_closes_cleanly() {
    echo("[fd00::2]:80", "[::]:80");
}
#[test]
fn echo_to_a_dual_stack_listener_closes_cleanly() {
    echo("10.0.0.2:80", "[::]:80");
}

#[test]
fn both_queues_admit_one_more_than_the_limit() {
    for limit in [0, 1, 3] {
        let mut p = Pair::new();
        let l = p.listen("10.0.0.2:80", limit);
        let clients: Vec<_> = (0..limit + 4)
            .map(|_| {
                let c = p.connect("10.0.0.2:80");
                p.settle();
                c
            })
            .collect();
        assert_eq!(p.b.accept_queue(l), Some((limit + 1, limit)));
        assert_eq!(p.b.mib().get(Counter::ListenOverflows), 3);
        assert_eq!(p.b.mib().get(Counter::ListenDrops), 3);
        let up = clients
            .iter()
            .filter(|c| p.a.state(**c) == TcpState::Established)
            .count();
        assert_eq!(up as u32, limit + 1);
    }
}

#[test]
fn closed_port_refuses() {
    let mut p = Pair::new();
    let c = p.connect("10.0.0.2:81");
    p.settle();
    assert_eq!(
        p.a.connect(p.now, c, "10.0.0.2:81".parse().unwrap(), &Cred::ROOT),
        Err(ConnectError::Failed(SoError::Refused))
    );
    assert_eq!(p.a.listen(p.now, c, 1), Ok(()));
}

#[test]
fn loopback_carries_a_connection_inside_one_namespace() {
    let mut n = net(1, 1);
    let now = Instant(5);
    let l = n.socket(Domain::Inet);
    n.listen(now, l, 1).unwrap();
    let port = n.local_addr(l).port();
    let c = n.socket(Domain::Inet);
    n.connect(now, c, ([127, 0, 0, 1], port).into(), &Cred::ROOT)
        .unwrap();
    while n.poll_lo(now) {}
    let acc = n.accept(now, l).unwrap();
    let big = vec![7u8; 200_000];
    let mut sent = 0;
    let mut got = Vec::new();
    while got.len() < big.len() {
        if sent < big.len() {
            sent += write(&mut n, now, c, &big[sent..]).unwrap_or(0);
        }
        while n.poll_lo(now) {}
        got.extend(read(&mut n, now, acc.socket).unwrap_or_default());
        while n.poll_lo(now) {}
    }
    assert!(got == big);
}

/// `bytes` from a to b with losses; every byte arrives.
fn transfer(gso: bool, bytes: usize, lose: impl FnMut(usize, &[u8]) -> bool + 'static) -> Pair {
    let mut p = Pair::new();
    p.gso = gso;
    let l = p.listen("10.0.0.2:80", 5);
    let c = p.connect("10.0.0.2:80");
    p.settle();
    let acc = p.b.accept(p.now, l).unwrap();
    p.lose = Box::new(lose);
    let data: Vec<u8> = (0..bytes).map(|i| (i * 31 % 251) as u8).collect();
    let (mut sent, mut got) = (0, Vec::new());
    for _ in 0..1_000_000 {
        if sent < bytes {
            sent += write(&mut p.a, p.now, c, &data[sent..]).unwrap_or(0);
        }
        p.settle();
        got.extend(read(&mut p.b, p.now, acc.socket).unwrap_or_default());
        p.settle();
        if got.len() == bytes {
            break;
        }
        let stuck = write(&mut p.a, p.now, c, b"") == Err(SendError::WouldBlock);
        if p.b.readable(acc.socket) == 0 && (stuck || sent == bytes) {
            let next = [&p.a, &p.b]
                .iter()
                .filter_map(|n| n.poll_timeout())
                .min()
                .unwrap();
            p.now = next.max(p.now);
            p.a.handle_timeout(p.now);
            p.b.handle_timeout(p.now);
        }
    }
    assert_eq!(got.len(), bytes);
    assert!(got == data);
    p
}

#[test]
fn transfer_without_loss_needs_no_retransmission() {
    for gso in [false, true] {
        let p = transfer(gso, 3_000_000, |_, _| false);
        assert_eq!(p.a.mib().get(Counter::TcpRetransSegs), 0);
    }
}

#[test]
fn transfer_with_loss_delivers_every_byte_mostly_by_fast_retransmit() {
    let mut x = 1u64;
    let p = transfer(false, 3_000_000, move |_, _| {
        x = x
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (x >> 33).is_multiple_of(100)
    });
    let (fast, rto) = (
        p.a.mib().get(Counter::TcpFastRetrans),
        p.a.mib().get(Counter::TcpTimeouts),
    );
    assert!(fast > rto, "fast {fast}, timeouts {rto}");
}

#[test]
fn fast_open_key_appears_with_the_first_use_of_the_server_side() {
    const KEY: &str = "net.ipv4.tcp_fastopen_key";
    const ZERO: &str = "00000000-00000000-00000000-00000000";
    for flags in ["1", "2", "0x402"] {
        let mut n = net(1, 1);
        let all = flags == "0x402";
        n.sysctl_set("net.ipv4.tcp_fastopen", if all { "1026" } else { flags })
            .unwrap();
        let s = n.socket(Domain::Inet);
        n.listen(Instant(1), s, 7).unwrap();
        assert_eq!(n.options(s).fast_open_qlen, if all { 7 } else { 0 });
        assert_eq!(n.sysctl_get(KEY).unwrap() == ZERO, !all);
        n.set_option(Instant(1), s, Opt::FastOpenQlen(9)).unwrap();
        let key = n.sysctl_get(KEY).unwrap();
        assert_ne!(key, ZERO);
        assert_eq!(n.sysctl_set(KEY, "1-2-3"), Err(SysctlError::Invalid));
        assert_eq!(n.sysctl_get(KEY).unwrap(), key);
        n.sysctl_set(KEY, "1-2-3-ff").unwrap();
        assert_eq!(
            n.sysctl_get(KEY).unwrap(),
            "00000001-00000002-00000003-000000ff"
        );
    }
}
