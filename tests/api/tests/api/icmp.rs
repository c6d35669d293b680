//! ICMP about half-open connections and listeners (statements 64 and 65).

use hearken_twin::{Ip, Peer, Twin};

cases! {
    icmp_v4_removes_a_request_for_some_codes,
    icmp_v6_removes_a_request_for_other_codes,
}

family_cases! {
    icmp_with_wrong_sequence_number_is_counted,
    icmp_about_a_listener_without_request_is_an_error,
}

/// A code that removes a request (host unreachable; port unreachable).
fn removing(ip: Ip) -> (u8, u8) {
    match ip {
        Ip::V4 => (3, 1),
        Ip::V6 => (1, 4),
    }
}

/// What each (type, code) does to a half-open connection: gone (ListenDrops) or kept. The program never hears of it.
fn table(t: &mut dyn Twin, ip: Ip, codes: &[(u8, u8, bool)]) {
    let fd = t.listener(ip, 80, 50);
    for (at, (kind, code, removed)) in codes.iter().enumerate() {
        let mut peer = Peer::new(ip, 4000 + at as u16, 80);
        let syn_ack = peer.half_open(t);
        let before = t.counters();
        let extra = match (ip, kind, code) {
            (Ip::V4, 3, 4) => 1000,
            (Ip::V6, 2, _) => 1280,
            _ => 0,
        };
        peer.icmp(t, *kind, *code, extra, syn_ack.seq);
        t.expect_nothing();
        let moved: &[(&str, i64)] = if *removed {
            &[("TcpExtListenDrops", 1)]
        } else {
            &[]
        };
        t.expect_tcp_counters(&before, moved);
        assert_eq!(
            t.half_open(),
            usize::from(!removed),
            "type {kind} code {code}"
        );
        peer.rst(t);
        assert_eq!(t.half_open(), 0);
    }
    assert_eq!(t.so_error(fd), 0);
    t.expect_queue(fd, 0, 50);
}

/// Statement 64.
fn icmp_v4_removes_a_request_for_some_codes(t: &mut dyn Twin) {
    let codes = [
        (3, 0, true),
        (3, 1, true),
        (3, 2, false),
        (3, 3, false),
        (3, 4, false),
        (3, 5, false),
        (3, 7, false),
        (3, 13, false),
        (4, 0, false),
        (5, 1, false),
        (11, 0, true),
        (11, 1, false),
        (12, 0, true),
    ];
    table(t, Ip::V4, &codes);
}

/// Statement 64.
fn icmp_v6_removes_a_request_for_other_codes(t: &mut dyn Twin) {
    let codes = [
        (1, 0, false),
        (1, 1, true),
        (1, 2, false),
        (1, 3, false),
        (1, 4, true),
        (1, 5, true),
        (1, 6, true),
        (2, 0, false),
        (3, 0, false),
        (4, 0, true),
        (4, 1, true),
    ];
    table(t, Ip::V6, &codes);
}

/// Statement 64.
fn icmp_with_wrong_sequence_number_is_counted(t: &mut dyn Twin, ip: Ip) {
    t.listener(ip, 80, 5);
    let mut peer = Peer::new(ip, 4000, 80);
    let syn_ack = peer.half_open(t);
    let (kind, code) = removing(ip);
    for away in [100, 1, u32::MAX] {
        let before = t.counters();
        peer.icmp(t, kind, code, 0, syn_ack.seq.wrapping_add(away));
        t.expect_nothing();
        t.expect_tcp_counters(&before, &[("TcpExtOutOfWindowIcmps", 1)]);
        assert_eq!(t.half_open(), 1, "{away}");
    }
}

/// Statement 65.
fn icmp_about_a_listener_without_request_is_an_error(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    let peer = Peer::new(ip, 4000, 80);
    let before = t.counters();
    let (kind, code) = removing(ip);
    peer.icmp(t, kind, code, 0, 123);
    t.expect_nothing();
    t.expect_tcp_counters(&before, &[]);
    let counter = match ip {
        Ip::V4 => "IcmpInErrors",
        Ip::V6 => "Icmp6InErrors",
    };
    t.expect_counters(&before, &[(counter, 1)]);
    assert_eq!(t.so_error(fd), 0);
}
