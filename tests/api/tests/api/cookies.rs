//! SYN cookies: an answer that keeps no state, and the ACK that brings it back (statements 78 to 86).

use core::time::Duration;

use hearken_abi::Errno;
use hearken_twin::{Fd, Ip, Opt, Peer, Twin};

cases! {
    cookie_v4_mss_classes_round_down,
    cookie_v6_mss_classes_round_down,
}

family_cases! {
    cookie_syn_ack_keeps_no_state_and_is_not_sent_again,
    cookie_ack_makes_a_child_at_once,
    cookie_ack_with_data_or_fin_is_taken,
    cookie_ack_with_wrong_number_fails,
    cookie_ack_before_any_cookie_is_a_stray,
    cookie_ack_after_cookies_were_turned_off_is_a_stray,
    cookie_follows_the_peers_sequence_number_and_mss_class,
    cookie_options_come_back_only_with_timestamps,
    cookie_option_bits_are_in_the_timestamp,
    cookie_option_bits_of_the_echo_are_trusted,
    cookie_syn_with_full_accept_queue_is_dropped,
    cookie_ack_with_full_accept_queue_is_dropped,
    cookie_mode_3_acts_as_1,
}

/// A listener on port 80 of a namespace that always sends cookies.
fn always(t: &mut dyn Twin, ip: Ip, backlog: i32) -> Fd {
    t.sysctl("net.ipv4.tcp_syncookies", "2").unwrap();
    t.listener(ip, 80, backlog)
}

fn plain(ip: Ip, port: u16) -> Peer {
    Peer::new(ip, port, 80).offering(&[Opt::Mss(1440)])
}

/// Statement 79.
fn cookie_syn_ack_keeps_no_state_and_is_not_sent_again(t: &mut dyn Twin, ip: Ip) {
    let fd = always(t, ip, 5);
    let before = t.counters();
    Peer::new(ip, 4000, 80).half_open(t);
    t.expect_tcp_counters(
        &before,
        &[
            ("TcpExtSyncookiesSent", 1),
            ("TcpExtTCPReqQFullDoCookies", 1),
        ],
    );
    assert_eq!(t.half_open(), 0);
    t.expect_nothing_for(Duration::from_millis(1300));
    t.expect_queue(fd, 0, 5);
}

/// Statement 84.
fn cookie_ack_makes_a_child_at_once(t: &mut dyn Twin, ip: Ip) {
    let fd = always(t, ip, 5);
    let mut peer = Peer::new(ip, 4000, 80);
    peer.half_open(t);
    let before = t.counters();
    peer.ack(t);
    t.expect_nothing();
    let moved = [
        ("TcpPassiveOpens", 1),
        ("TcpCurrEstab", 1),
        ("TcpExtSyncookiesRecv", 1),
        ("TcpExtTCPPureAcks", 1),
    ];
    t.expect_tcp_counters(&before, &moved);
    t.expect_queue(fd, 1, 5);
    let child = t.accept(fd).unwrap();
    assert_eq!(t.remote(child), Ok(peer.addr));
    t.send(child, b"hello", 0).unwrap();
    let data = peer.expect(t, "PA");
    assert_eq!(data.data, b"hello");
}

/// Statement 84.
fn cookie_ack_with_data_or_fin_is_taken(t: &mut dyn Twin, ip: Ip) {
    let fd = always(t, ip, 5);
    let mut peer = plain(ip, 4000);
    peer.half_open(t);
    peer.data(t, b"hey");
    assert_eq!(peer.expect(t, "A").ack, 1004);
    let mut other = plain(ip, 4001);
    other.half_open(t);
    other.fin(t);
    assert_eq!(other.expect(t, "A").ack, 1002);
    t.expect_queue(fd, 2, 5);
    let child = t.accept(fd).unwrap();
    assert_eq!(t.recv(child, 9, 0), Ok(b"hey".to_vec()));
    let child = t.accept(fd).unwrap();
    assert_eq!(t.recv(child, 9, 0), Ok(Vec::new()));
}

/// Statement 84.
fn cookie_ack_with_wrong_number_fails(t: &mut dyn Twin, ip: Ip) {
    let fd = always(t, ip, 5);
    let mut peer = plain(ip, 4000);
    peer.half_open(t);
    let right = peer.ack;
    for off in [1 << 12, 1 << 30, u32::MAX / 3] {
        let before = t.counters();
        peer.ack = right.wrapping_add(off);
        let wrong = peer.ack;
        peer.ack(t);
        peer.expect_bare_rst(t, wrong);
        t.expect_tcp_counters(&before, &[("TcpOutRsts", 1), ("TcpExtSyncookiesFailed", 1)]);
    }
    t.expect_queue(fd, 0, 5);
    peer.ack = right;
    peer.ack(t);
    t.expect_queue(fd, 1, 5);
}

/// Statement 85: also in mode 2.
fn cookie_ack_before_any_cookie_is_a_stray(t: &mut dyn Twin, ip: Ip) {
    always(t, ip, 5);
    let mut stray = plain(ip, 4000);
    stray.ack = 12_345;
    for expected in [
        &[("TcpOutRsts", 1)][..],
        &[("TcpOutRsts", 1), ("TcpExtSyncookiesFailed", 1)],
    ] {
        let before = t.counters();
        stray.ack(t);
        stray.expect_bare_rst(t, 12_345);
        stray.ack = 12_345;
        t.expect_tcp_counters(&before, expected);
        // From the first cookie on ACKs are tested.
        plain(ip, 4001).half_open(t);
    }
}

/// Statement 85.
fn cookie_ack_after_cookies_were_turned_off_is_a_stray(t: &mut dyn Twin, ip: Ip) {
    let fd = always(t, ip, 5);
    let mut peer = plain(ip, 4000);
    peer.half_open(t);
    t.sysctl("net.ipv4.tcp_syncookies", "0").unwrap();
    let before = t.counters();
    let ack = peer.ack;
    peer.ack(t);
    peer.expect_bare_rst(t, ack);
    t.expect_tcp_counters(&before, &[("TcpOutRsts", 1)]);
    t.expect_queue(fd, 0, 5);
}

/// Statement 83; within one minute.
fn cookie_follows_the_peers_sequence_number_and_mss_class(t: &mut dyn Twin, ip: Ip) {
    always(t, ip, 5);
    let cookie = |t: &mut dyn Twin, isn: u32, mss: u16| {
        let mut peer = Peer::new(ip, 4000, 80).offering(&[Opt::Mss(mss)]);
        peer.seq = isn;
        peer.half_open(t).seq
    };
    let (large, small) = ip.pick((1460, 1300), (1440, 1220));
    let classes = 2;
    // A minute may end in between: once more, then.
    let right = (0..2).any(|_| {
        let first = cookie(t, 1000, large);
        cookie(t, 1001, large) == first.wrapping_add(1)
            && cookie(t, 1000, small) == first.wrapping_sub(classes)
    });
    assert!(right);
}

fn child_mss(t: &mut dyn Twin, ip: Ip, classes: &[(u16, i32)]) {
    let fd = always(t, ip, 50);
    for (at, (mss, expected)) in classes.iter().enumerate() {
        let offer: &[Opt] = if *mss == 0 { &[] } else { &[Opt::Mss(*mss)] };
        Peer::new(ip, 4000 + at as u16, 80).offering(offer).open(t);
        let child = t.accept(fd).unwrap();
        assert_eq!(
            t.int(child, libc::IPPROTO_TCP, libc::TCP_MAXSEG),
            Ok(*expected),
            "MSS {mss}"
        );
    }
}

/// Statement 82.
fn cookie_v4_mss_classes_round_down(t: &mut dyn Twin) {
    let classes = [
        (0, 536),
        (100, 536),
        (535, 536),
        (536, 536),
        (537, 536),
        (1299, 536),
        (1300, 1300),
        (1439, 1300),
        (1440, 1440),
        (1459, 1440),
        (1460, 1460),
        (9000, 1460),
    ];
    child_mss(t, Ip::V4, &classes);
}

/// Statement 82.
fn cookie_v6_mss_classes_round_down(t: &mut dyn Twin) {
    let classes = [
        (0, 1220),
        (1219, 1220),
        (1220, 1220),
        (1419, 1220),
        (1420, 1420),
        (1439, 1420),
        (1440, 1440),
        (9000, 1440),
    ];
    child_mss(t, Ip::V6, &classes);
}

/// `tcpi_options` (1 timestamps, 2 SACK, 4 window scaling), the peer's scale, ours.
type Negotiated = (u8, u8, u8);

fn negotiated(t: &mut dyn Twin, child: Fd) -> Negotiated {
    let info = t
        .getsockopt(child, libc::IPPROTO_TCP, libc::TCP_INFO, 104)
        .unwrap();
    (info[5] & 7, info[6] & 15, info[6] >> 4)
}

/// Statement 80.
fn cookie_options_come_back_only_with_timestamps(t: &mut dyn Twin, ip: Ip) {
    let fd = always(t, ip, 50);
    let (mss, ts, ws) = (Opt::Mss(1440), Opt::Ts(1000, 0), Opt::Wscale(3));
    let table: &[(&[Opt], Negotiated)] = &[
        (&[mss, Opt::SackOk, ts, ws], (7, 3, 7)),
        (&[mss, ts], (1, 0, 0)),
        (&[mss, ts, ws], (5, 3, 7)),
        (&[mss, ts, Opt::SackOk], (3, 0, 0)),
        (&[mss, Opt::SackOk, ws], (0, 0, 0)),
    ];
    for (at, (offer, expected)) in table.iter().enumerate() {
        let mut peer = Peer::new(ip, 4000 + at as u16, 80).offering(offer);
        let syn_ack = peer.open(t);
        if !offer.contains(&ts) {
            assert_eq!(syn_ack.options.len(), 1, "only the MSS: {syn_ack:?}");
        }
        let child = t.accept(fd).unwrap();
        assert_eq!(negotiated(t, child), *expected, "offered {offer:?}");
    }
}

/// Statement 80: ECN(5) SACK(4) window scale(3..0), 15 for none. With tcp_timestamps 2 there is no offset to hide them.
fn cookie_option_bits_are_in_the_timestamp(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.ipv4.tcp_timestamps", "2").unwrap();
    always(t, ip, 50);
    let (mss, ts) = (Opt::Mss(1440), Opt::Ts(1000, 0));
    let table: &[(&[Opt], u32)] = &[
        (&[mss, Opt::SackOk, ts, Opt::Wscale(7)], 0b01_0111),
        (&[mss, ts], 0b00_1111),
        (&[mss, ts, Opt::Wscale(3)], 0b00_0011),
        (&[mss, ts, Opt::SackOk], 0b01_1111),
        (&[mss, ts, Opt::Wscale(15)], 0b00_1110),
    ];
    for (at, (offer, bits)) in table.iter().enumerate() {
        let mut peer = Peer::new(ip, 4000 + at as u16, 80).offering(offer);
        assert_eq!(
            peer.half_open(t).ts().unwrap() & 63,
            *bits,
            "offered {offer:?}"
        );
    }
}

/// Statement 81.
fn cookie_option_bits_of_the_echo_are_trusted(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.ipv4.tcp_timestamps", "2").unwrap();
    let fd = always(t, ip, 50);
    let mut peer = Peer::new(ip, 4000, 80);
    peer.half_open(t);
    peer.ts_echo = peer.ts_echo.map(|echo| (echo & !63) | 0b01_1110);
    peer.ack(t);
    let child = t.accept(fd).unwrap();
    assert_eq!(negotiated(t, child), (7, 14, 7));
}

/// Statement 86.
fn cookie_syn_with_full_accept_queue_is_dropped(t: &mut dyn Twin, ip: Ip) {
    always(t, ip, 0);
    plain(ip, 4000).open(t);
    let before = t.counters();
    plain(ip, 4001).syn(t);
    t.expect_nothing();
    let moved = [
        ("TcpExtListenOverflows", 1),
        ("TcpExtListenDrops", 1),
        ("TcpExtTCPReqQFullDoCookies", 1),
    ];
    t.expect_tcp_counters(&before, &moved);
}

/// Statement 86.
fn cookie_ack_with_full_accept_queue_is_dropped(t: &mut dyn Twin, ip: Ip) {
    let fd = always(t, ip, 0);
    let mut peers = [plain(ip, 4000), plain(ip, 4001)];
    for peer in &mut peers {
        peer.half_open(t);
    }
    peers[0].ack(t);
    let before = t.counters();
    peers[1].ack(t);
    t.expect_nothing();
    let moved = [
        ("TcpExtSyncookiesRecv", 1),
        ("TcpExtListenOverflows", 1),
        ("TcpExtListenDrops", 1),
    ];
    t.expect_tcp_counters(&before, &moved);
    t.expect_queue(fd, 1, 0);
    assert!(t.accept(fd).is_ok());
    peers[1].ack(t);
    t.expect_queue(fd, 1, 0);
    assert!(t.accept(fd).is_ok());
    assert_eq!(t.accept(fd), Err(Errno::EAGAIN));
}

/// Statement 78.
fn cookie_mode_3_acts_as_1(t: &mut dyn Twin, ip: Ip) {
    for mode in ["1", "3", "255"] {
        t.sysctl("net.ipv4.tcp_syncookies", mode).unwrap();
        let fd = t.listener(ip, 80, 0);
        let before = t.counters();
        plain(ip, 4000).half_open(t);
        t.expect_tcp_counters(&before, &[]);
        plain(ip, 4001).half_open(t);
        t.expect_tcp_counters(
            &before,
            &[
                ("TcpExtSyncookiesSent", 1),
                ("TcpExtTCPReqQFullDoCookies", 1),
            ],
        );
        t.close(fd).unwrap();
        plain(ip, 4000).syn(t);
        t.packets();
    }
    assert_eq!(
        t.sysctl("net.ipv4.tcp_syncookies", "256"),
        Err(Errno::EINVAL)
    );
}
