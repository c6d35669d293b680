//! Segments that belong to no connection: what a listener, a bound port and a closed port answer (statements 66 to 70).

use core::net::{IpAddr, SocketAddr};

use hearken_twin::{Ip, Opt, Peer, Segment, Twin, any};

cases! {
    stray_syn_to_v4_broadcast_or_multicast_is_dropped,
    stray_syn_to_v6_multicast_is_dropped,
    stray_syn_from_own_v4_address_is_dropped_in_ip,
    stray_syn_from_v4_multicast_is_dropped_in_ip,
    stray_syn_from_own_v6_address_makes_a_request_that_resets_itself,
    stray_syn_from_impossible_v6_sources_is_a_header_error,
    stray_syn_from_unspecified_v6_is_dropped_without_a_route,
    stray_syn_without_a_route_back_is_dropped,
}

family_cases! {
    stray_ack_on_listener_gets_bare_rst,
    stray_segment_without_ack_on_listener_is_silent,
    stray_rst_on_listener_is_silent,
    stray_syn_with_push_or_urgent_gets_syn_ack,
    stray_resets_are_not_rate_limited,
    stray_segment_on_closed_port_is_reset,
    stray_segment_on_bound_port_is_reset,
    stray_rst_on_closed_port_is_silent,
    stray_bad_checksum_is_dropped_and_counted,
    stray_syn_from_port_zero_is_answered,
    stray_syn_payload_is_ignored,
}

fn segment(ip: Ip, port: u16, to: u16, flags: &str) -> Segment {
    let peer = Peer::new(ip, port, to);
    Segment::new(peer.addr, peer.to, flags, 500, 77_777)
}

/// Statement 66.
fn stray_ack_on_listener_gets_bare_rst(t: &mut dyn Twin, ip: Ip) {
    t.listener(ip, 80, 5);
    for (flags, data) in [
        ("A", ""),
        ("A", "xx"),
        ("SA", ""),
        ("FA", ""),
        ("PA", "x"),
        ("UA", ""),
        ("SFA", ""),
    ] {
        let before = t.counters();
        t.inject(&segment(ip, 2000, 80, flags).data(data.as_bytes()).packet());
        Peer::new(ip, 2000, 80).expect_bare_rst(t, 77_777);
        t.expect_nothing();
        t.expect_tcp_counters(&before, &[("TcpOutRsts", 1)]);
    }
}

/// Statement 66.
fn stray_segment_without_ack_on_listener_is_silent(t: &mut dyn Twin, ip: Ip) {
    t.listener(ip, 80, 5);
    for flags in ["", "F", "P", "U", "FPU", "SF", "SR", "SFPU"] {
        let before = t.counters();
        t.inject(&segment(ip, 2000, 80, flags).packet());
        t.expect_nothing();
        t.expect_tcp_counters(&before, &[]);
        assert_eq!(t.half_open(), 0, "{flags}");
    }
}

/// Statement 66.
fn stray_rst_on_listener_is_silent(t: &mut dyn Twin, ip: Ip) {
    t.listener(ip, 80, 5);
    for flags in ["R", "RA", "SRA", "FRA"] {
        let before = t.counters();
        t.inject(&segment(ip, 2000, 80, flags).packet());
        t.expect_nothing();
        t.expect_tcp_counters(&before, &[]);
    }
}

/// Statement 66.
fn stray_syn_with_push_or_urgent_gets_syn_ack(t: &mut dyn Twin, ip: Ip) {
    t.listener(ip, 80, 5);
    for (at, flags) in ["SP", "SU", "SPU", "SC"].into_iter().enumerate() {
        let port = 2000 + at as u16;
        t.inject(&segment(ip, port, 80, flags).packet());
        assert_eq!(Peer::new(ip, port, 80).expect(t, "SA").ack, 501);
    }
    assert_eq!(t.half_open(), 4);
}

/// Statement 66.
fn stray_resets_are_not_rate_limited(t: &mut dyn Twin, ip: Ip) {
    t.listener(ip, 80, 5);
    for (to, flags) in [(80, "A"), (81, "A"), (81, "S")] {
        for port in 3000..3050 {
            t.inject(&segment(ip, port, to, flags).packet());
        }
        assert_eq!(t.packets().len(), 50);
    }
}

/// What statement 67 says of a port where nobody listens.
fn is_closed(t: &mut dyn Twin, ip: Ip, to: u16) {
    let mut peer = Peer::new(ip, 2004, to);
    // (flags, data) -> (flags, seq, ack)
    let answers: [(&str, &[u8], &str, u32, u32); 9] = [
        ("S", b"", "RA", 0, 501),
        ("S", b"xx", "RA", 0, 503),
        ("SF", b"", "RA", 0, 502),
        ("F", b"xx", "RA", 0, 503),
        ("", b"", "RA", 0, 500),
        ("", b"xx", "RA", 0, 502),
        ("A", b"xx", "R", 77_777, 0),
        ("SA", b"", "R", 77_777, 0),
        ("FA", b"", "R", 77_777, 0),
    ];
    for (flags, data, reply, seq, ack) in answers {
        let before = t.counters();
        t.inject(&segment(ip, 2004, to, flags).data(data).packet());
        let packet = peer.expect(t, reply);
        assert_eq!(
            (packet.seq, packet.ack, packet.window),
            (seq, ack, 0),
            "to {flags:?} with {data:?}"
        );
        assert!(
            packet.options.is_empty() && packet.data.is_empty(),
            "{packet:?}"
        );
        t.expect_nothing();
        t.expect_tcp_counters(&before, &[("TcpOutRsts", 1)]);
    }
}

/// Statement 67.
fn stray_segment_on_closed_port_is_reset(t: &mut dyn Twin, ip: Ip) {
    is_closed(t, ip, 81);
}

/// Statement 67.
fn stray_segment_on_bound_port_is_reset(t: &mut dyn Twin, ip: Ip) {
    let fd = t.tcp(ip);
    t.bind(fd, &any(ip, 82)).unwrap();
    is_closed(t, ip, 82);
}

/// RFC 9293 3.10.7.1: a reset is never answered.
fn stray_rst_on_closed_port_is_silent(t: &mut dyn Twin, ip: Ip) {
    for flags in ["R", "RA", "SR"] {
        let before = t.counters();
        t.inject(&segment(ip, 2004, 81, flags).packet());
        t.expect_nothing();
        t.expect_tcp_counters(&before, &[]);
    }
}

/// Statement 68.
fn stray_bad_checksum_is_dropped_and_counted(t: &mut dyn Twin, ip: Ip) {
    t.listener(ip, 80, 5);
    for to in [80, 81] {
        let before = t.counters();
        let mut bad = segment(ip, 2000, to, "S");
        bad.bad_checksum = true;
        t.inject(&bad.packet());
        t.expect_nothing();
        t.expect_tcp_counters(&before, &[("TcpInErrs", 1), ("TcpInCsumErrors", 1)]);
    }
}

/// Statement 68.
fn stray_syn_from_port_zero_is_answered(t: &mut dyn Twin, ip: Ip) {
    t.listener(ip, 80, 5);
    Peer::new(ip, 0, 80).half_open(t);
}

/// Statement 70: the acknowledgment covers only the SYN, and the data is not kept.
fn stray_syn_payload_is_ignored(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    let mut peer = Peer::new(ip, 2003, 80);
    let before = t.counters();
    t.inject(&peer.syn_segment().data(b"hello").packet());
    assert_eq!(peer.expect(t, "SA").ack, 1001);
    t.expect_tcp_counters(&before, &[]);
    peer.seq = 1001;
    peer.ack(t);
    let child = t.accept(fd).unwrap();
    assert_eq!(t.recv(child, 9, 0), Err(hearken_abi::Errno::EAGAIN));
}

/// A SYN with MSS from and to any address.
fn syn(src: IpAddr, dst: IpAddr) -> Vec<u8> {
    let (src, dst) = (SocketAddr::new(src, 2006), SocketAddr::new(dst, 140));
    Segment::new(src, dst, "S", 1, 0)
        .options(&[Opt::Mss(1440)])
        .packet()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Statement 68.
fn stray_syn_to_v4_broadcast_or_multicast_is_dropped(t: &mut dyn Twin) {
    t.listener(Ip::V4, 140, 50);
    for dst in ["192.0.2.255", "255.255.255.255", "224.0.0.1"] {
        let before = t.counters();
        t.inject(&syn(Ip::V4.peer(), ip(dst)));
        t.expect_nothing();
        t.expect_tcp_counters(&before, &[("TcpExtListenDrops", 1)]);
    }
}

/// Statement 68.
fn stray_syn_to_v6_multicast_is_dropped(t: &mut dyn Twin) {
    t.listener(Ip::V6, 140, 50);
    let before = t.counters();
    t.inject(&syn(Ip::V6.peer(), ip("ff02::1")));
    t.expect_nothing();
    t.expect_tcp_counters(&before, &[("TcpExtListenDrops", 1)]);
}

/// Statement 68.
fn stray_syn_from_own_v4_address_is_dropped_in_ip(t: &mut dyn Twin) {
    t.listener(Ip::V4, 140, 50);
    let before = t.counters();
    t.inject(&syn(Ip::V4.listener(), Ip::V4.listener()));
    t.expect_nothing();
    t.expect_tcp_counters(&before, &[]);
    t.expect_counters(
        &before,
        &[("IpInReceives", 1), ("IpInDelivers", 0), ("TcpInSegs", 0)],
    );
}

/// Statement 68.
fn stray_syn_from_v4_multicast_is_dropped_in_ip(t: &mut dyn Twin) {
    t.listener(Ip::V4, 140, 50);
    for src in ["224.0.0.5", "255.255.255.255", "127.0.0.1", "0.0.0.0"] {
        let before = t.counters();
        t.inject(&syn(ip(src), Ip::V4.listener()));
        t.expect_nothing();
        t.expect_tcp_counters(&before, &[]);
        t.expect_counters(
            &before,
            &[("IpInReceives", 1), ("IpInDelivers", 0), ("TcpInSegs", 0)],
        );
    }
}

/// Statement 68: the SYN-ACK goes to ourselves, where a listener answers it with an RST that ends the request.
fn stray_syn_from_own_v6_address_makes_a_request_that_resets_itself(t: &mut dyn Twin) {
    t.listener(Ip::V6, 140, 50);
    let before = t.counters();
    t.inject(&syn(Ip::V6.listener(), Ip::V6.listener()));
    t.expect_nothing();
    let moved = [
        ("TcpAttemptFails", 1),
        ("TcpOutRsts", 1),
        ("TcpExtEmbryonicRsts", 1),
    ];
    t.expect_tcp_counters(&before, &moved);
    assert_eq!(t.half_open(), 0);
}

/// Statement 68.
fn stray_syn_from_impossible_v6_sources_is_a_header_error(t: &mut dyn Twin) {
    t.listener(Ip::V6, 140, 50);
    // A mapped source is refused only by TCP, the others by IPv6 itself.
    for (src, delivered) in [("::ffff:192.0.2.2", 1), ("::1", 0), ("ff02::5", 0)] {
        let before = t.counters();
        t.inject(&syn(ip(src), Ip::V6.listener()));
        t.expect_nothing();
        t.expect_tcp_counters(&before, &[]);
        let moved = [
            ("Ip6InHdrErrors", 1),
            ("Ip6InDelivers", delivered),
            ("TcpInSegs", delivered),
        ];
        t.expect_counters(&before, &moved);
    }
}

/// Statement 68.
fn stray_syn_from_unspecified_v6_is_dropped_without_a_route(t: &mut dyn Twin) {
    t.listener(Ip::V6, 140, 50);
    let before = t.counters();
    t.inject(&syn(ip("::"), Ip::V6.listener()));
    t.expect_nothing();
    t.expect_tcp_counters(&before, &[("TcpExtListenDrops", 1)]);
    t.expect_counters(&before, &[("Ip6OutNoRoutes", 1)]);
}

/// Statement 69.
fn stray_syn_without_a_route_back_is_dropped(t: &mut dyn Twin) {
    t.listener(Ip::V6, 140, 50);
    for (src, family, counter) in [
        ("203.0.113.9", Ip::V4, "IpOutNoRoutes"),
        ("2001:db8:9::9", Ip::V6, "Ip6OutNoRoutes"),
    ] {
        let before = t.counters();
        t.inject(&syn(ip(src), family.listener()));
        t.expect_nothing();
        t.expect_tcp_counters(&before, &[("TcpExtListenDrops", 1)]);
        t.expect_counters(&before, &[(counter, 1)]);
        assert_eq!(t.half_open(), 0);
    }
}
