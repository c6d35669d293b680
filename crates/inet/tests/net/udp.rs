//! UDP between two namespaces.

use crate::common::*;
use core::time::Duration;
use hearken_abi::Counter;
use hearken_inet::*;

fn pair(domain: Domain, at: &str) -> (Pair, SocketId, SocketId) {
    let mut p = Pair::new();
    let b = p.b.udp_socket(domain);
    p.b.bind(b, at.parse().unwrap(), &Cred::ROOT).unwrap();
    let a = p.a.udp_socket(if at.contains("10.") {
        Domain::Inet
    } else {
        Domain::Inet6
    });
    (p, a, b)
}

fn take(n: &mut Net, s: SocketId) -> Result<Datagram, UdpError> {
    n.recv_from(s, false, Clone::clone)
}

#[test]
fn datagrams_of_any_size_arrive_whole_over_both_families() {
    for (domain, to) in [
        (Domain::Inet, "10.0.0.2:53"),
        (Domain::Inet6, "[fd00::2]:53"),
    ] {
        let (mut p, a, b) = pair(domain, to);
        let to = to.parse().unwrap();
        for len in [
            0,
            1,
            1472,
            1473,
            9000,
            65507 - 20 * usize::from(domain == Domain::Inet6),
        ] {
            let data: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
            let (x, y) = data.split_at(len / 3);
            assert_eq!(p.a.send_to(a, Some(to), &[x, y]), Ok(len));
            p.settle();
            assert_eq!(p.b.readiness(b), Ready::READ | Ready::WRITE);
            let d = take(&mut p.b, b).unwrap();
            assert!(d.data == data, "{len}");
            assert_eq!((d.from.port(), d.to), (p.a.local_addr(a).port(), to.ip()));
            assert_eq!(p.b.send_to(b, Some(d.from), &[b"re"]), Ok(2));
            p.settle();
            assert_eq!(take(&mut p.a, a).unwrap().data, b"re");
        }
        assert_eq!(take(&mut p.b, b), Err(UdpError::WouldBlock));
        let v6 = domain == Domain::Inet6;
        let pick = |four, six| if v6 { six } else { four };
        let got =
            p.b.mib()
                .get(pick(Counter::UdpInDatagrams, Counter::Udp6InDatagrams));
        assert_eq!(got, 6);
        assert_eq!(
            p.b.mib()
                .get(pick(Counter::IpReasmOks, Counter::Ip6ReasmOks)),
            if v6 { 4 } else { 3 } // IPv6 fragments what exceeds 1452 bytes
        );
        assert_eq!(
            p.b.mib()
                .get(pick(Counter::IpReasmFails, Counter::Ip6ReasmFails)),
            0
        );
    }
}

#[test]
fn datagram_with_a_lost_fragment_never_arrives_and_is_forgotten() {
    let (mut p, a, b) = pair(Domain::Inet, "10.0.0.2:53");
    p.lose = Box::new(|n, _| n == 1);
    p.a.send_to(a, Some("10.0.0.2:53".parse().unwrap()), &[&[0; 4000]])
        .unwrap();
    p.settle();
    p.advance(Duration::from_secs(31));
    p.a.send_to(a, Some("10.0.0.2:53".parse().unwrap()), &[&[7; 4000]])
        .unwrap();
    p.settle();
    assert_eq!(take(&mut p.b, b).unwrap().data, [7; 4000]);
    assert_eq!(p.b.mib().get(Counter::IpReasmFails), 1);
}

#[test]
fn closed_port_tells_a_connected_socket_at_a_limited_rate() {
    for to in ["10.0.0.2:9", "[fd00::2]:9"] {
        let to: std::net::SocketAddr = to.parse().unwrap();
        let mut p = Pair::new();
        let domain = if to.is_ipv4() {
            Domain::Inet
        } else {
            Domain::Inet6
        };
        let a = p.a.udp_socket(domain);
        p.a.connect(p.now, a, to, &Cred::ROOT).unwrap();
        assert_eq!(p.a.peer_addr(a), Some(to));
        for n in 0..10 {
            p.a.send_to(a, None, &[b"x"]).unwrap();
            p.settle();
            let told = p.a.readiness(a).has(Ready::ERR);
            assert_eq!(told, n < 6, "{to} {n}");
            if told {
                assert_eq!(take(&mut p.a, a), Err(UdpError::Failed(SoError::Refused)));
            }
        }
        let pick = |four, six| if to.is_ipv6() { six } else { four };
        assert_eq!(
            p.b.mib()
                .get(pick(Counter::UdpNoPorts, Counter::Udp6NoPorts)),
            10
        );
        assert_eq!(
            p.b.mib().get(pick(
                Counter::IcmpOutDestUnreachs,
                Counter::Icmp6OutDestUnreachs
            )),
            6
        );
    }
}

#[test]
fn receive_buffer_full_drops_and_counts() {
    let (mut p, a, b) = pair(Domain::Inet, "10.0.0.2:53");
    for _ in 0..200 {
        p.a.send_to(a, Some("10.0.0.2:53".parse().unwrap()), &[&[1; 1400]])
            .unwrap();
        p.settle();
    }
    let kept = std::iter::from_fn(|| take(&mut p.b, b).ok()).count() as u64;
    let dropped = p.b.mib().get(Counter::UdpRcvbufErrors);
    assert!(dropped > 0);
    assert_eq!(kept + dropped, 200);
}

#[test]
fn the_narrowest_socket_gets_the_datagram() {
    let (mut p, a, any) = pair(Domain::Inet6, "[::]:53");
    let target = "10.0.0.2:53".parse().unwrap();
    let exact = p.b.udp_socket(Domain::Inet);
    // The dual-stack wildcard holds the port.
    assert_eq!(
        p.b.bind(exact, target, &Cred::ROOT),
        Err(BindError::AddrInUse)
    );
    for s in [any, exact] {
        p.b.set_option(p.now, s, Opt::ReuseAddr(true)).unwrap();
    }
    p.b.bind(exact, target, &Cred::ROOT).unwrap();
    let four = p.a.udp_socket(Domain::Inet);
    p.a.send_to(four, Some(target), &[b"4"]).unwrap();
    p.a.send_to(a, Some("[fd00::2]:53".parse().unwrap()), &[b"6"])
        .unwrap();
    p.settle();
    assert_eq!(take(&mut p.b, exact).unwrap().data, b"4");
    assert_eq!(take(&mut p.b, any).unwrap().data, b"6");
    p.b.close(p.now, exact);
    p.a.send_to(four, Some(target), &[b"m"]).unwrap();
    p.settle();
    let d = take(&mut p.b, any).unwrap();
    assert!(d.from.to_string().starts_with("[::ffff:10.0.0.1]"));
}

#[test]
fn misuse_gets_its_error() {
    let mut p = Pair::new();
    let s = p.a.udp_socket(Domain::Inet);
    let to = |t: &str| Some(t.parse().unwrap());
    assert_eq!(p.a.send_to(s, None, &[b"x"]), Err(UdpError::NoDestination));
    assert_eq!(
        p.a.send_to(s, to("10.0.0.2:0"), &[b"x"]),
        Err(UdpError::Invalid)
    );
    assert_eq!(
        p.a.send_to(s, to("[::1]:5"), &[b"x"]),
        Err(UdpError::WrongFamily)
    );
    assert_eq!(
        p.a.send_to(s, to("192.0.2.1:5"), &[b"x"]),
        Err(UdpError::NoRoute)
    );
    assert_eq!(
        p.a.send_to(s, to("10.0.0.2:5"), &[&[0; 65508]]),
        Err(UdpError::TooBig)
    );
    assert_eq!(
        p.a.send_to(s, to("10.0.0.255:5"), &[b"x"]),
        Err(UdpError::Broadcast)
    );
    p.a.set_option(p.now, s, Opt::Broadcast(true)).unwrap();
    assert_eq!(p.a.send_to(s, to("10.0.0.255:5"), &[b"x"]), Ok(1));
    assert_eq!(p.a.listen(p.now, s, 1), Err(ListenError::NotUnconnected));
    p.a.close(p.now, s);
    assert_eq!(
        p.a.send_to(s, to("10.0.0.2:5"), &[b"x"]),
        Err(UdpError::NoDestination)
    );
}
