//! Options that set timers and limits of a connection, and what a peer's SYN sets (statements 49, 72, 73).

use core::time::Duration;

use hearken_abi::Errno;
use hearken_abi::sock::*;
use hearken_twin::{Fd, Ip, Opt, Peer, QUIET, Twin, sockaddr};

family_cases! {
    keepalive_options_rule_when_and_how_often,
    keepalive_idle_set_later_counts_from_the_last_segment,
    user_timeout_ends_a_connection_that_is_not_acknowledged,
    user_timeout_ends_a_connection_with_a_shut_window,
    user_timeout_takes_the_place_of_the_keepalive_count,
    user_timeout_ends_a_connect,
    linger2_sets_the_time_in_fin_wait_2,
    linger2_below_zero_resets_instead,
    window_clamp_shapes_the_syn_ack,
    rcvbuf_shapes_the_syn_ack,
    min_ttl_drops_what_came_too_far,
    min_ttl_is_one_for_each_family,
    quickack_off_delays_one_ack,
    quickack_comes_back_when_nothing_came_to_ride_on,
    notsent_lowat_rules_pollout,
    rto_max_bounds_the_backoff,
    children_have_options_as_they_were_at_the_ack,
    peer_mss_has_a_floor_and_a_default,
    peer_wscale_is_at_most_14,
}

const MSS: &[Opt] = &[Opt::Mss(1460)];

fn set(t: &mut dyn Twin, fd: Fd, options: &[(i32, i32)]) {
    for (name, value) in options {
        t.set_int(fd, SOL_TCP, *name, *value).unwrap();
    }
}

/// A listener with these options of SOL_TCP.
fn listener(t: &mut dyn Twin, ip: Ip, options: &[(i32, i32)]) -> Fd {
    let fd = t.listener(ip, 80, 50);
    set(t, fd, options);
    fd
}

fn opened(t: &mut dyn Twin, ip: Ip, listener: Fd, port: u16) -> (Fd, Peer) {
    let mut peer = Peer::new(ip, port, 80).offering(MSS);
    peer.open(t);
    (t.accept(listener).unwrap(), peer)
}

/// What comes during `time`: flags, and tenths of a second since the start. Linux's timers are late by an eighth at most.
fn watch(t: &mut dyn Twin, time: Duration) -> Vec<(String, u64)> {
    let (start, mut seen) = (t.now(), Vec::new());
    while t.now() < start + time {
        if let Some(p) = t.next_tcp((start + time).saturating_sub(t.now())) {
            let at = (t.now() - start).as_millis() as u64 / 100;
            seen.push((p.flags, at));
        }
    }
    seen
}

/// These flags, each so many tenths of a second after the start or up to two later.
#[track_caller]
fn expect_at(seen: &[(String, u64)], expected: &[(&str, u64)]) {
    let near = |at: u64, want: u64| at + 1 >= want && at <= want + 2;
    assert!(
        seen.len() == expected.len()
            && seen
                .iter()
                .zip(expected)
                .all(|(s, e)| s.0 == e.0 && near(s.1, e.1)),
        "{seen:?} is not about {expected:?}"
    );
}

fn keepalive_options_rule_when_and_how_often(t: &mut dyn Twin, ip: Ip) {
    let options = [(TCP_KEEPIDLE, 1), (TCP_KEEPINTVL, 1), (TCP_KEEPCNT, 2)];
    let fd = listener(t, ip, &options);
    t.set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1).unwrap();
    let (child, _) = opened(t, ip, fd, 4000);
    let seen = watch(t, Duration::from_millis(3500));
    expect_at(&seen, &[("A", 10), ("A", 20), ("RA", 30)]);
    assert_eq!(t.recv(child, 1, 0), Err(Errno::ETIMEDOUT));
}

fn keepalive_idle_set_later_counts_from_the_last_segment(t: &mut dyn Twin, ip: Ip) {
    let fd = listener(t, ip, &[(TCP_KEEPIDLE, 1)]);
    t.set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1).unwrap();
    let (child, _) = opened(t, ip, fd, 4000);
    t.advance(Duration::from_millis(500));
    set(t, child, &[(TCP_KEEPIDLE, 2)]);
    expect_at(&watch(t, Duration::from_millis(1900)), &[("A", 15)]);
}

/// Runs until the child has an error, at most `most`: which, and after how many tenths of a second.
fn error_of(t: &mut dyn Twin, fd: Fd, most: Duration) -> (i32, u64) {
    let start = t.now();
    while t.now() < start + most {
        while t.next_packet(Duration::from_millis(20)).is_some() {}
        let error = t.so_error(fd);
        if error != 0 {
            return (error, (t.now() - start).as_millis() as u64 / 100);
        }
    }
    panic!("no error after {most:?}");
}

fn user_timeout_ends_a_connection_that_is_not_acknowledged(t: &mut dyn Twin, ip: Ip) {
    let fd = listener(t, ip, &[(TCP_USER_TIMEOUT, 1500)]);
    let (child, _) = opened(t, ip, fd, 4000);
    t.send(child, b"x", 0).unwrap();
    let before = t.counters();
    let (error, at) = error_of(t, child, Duration::from_secs(4));
    assert_eq!(error, Errno::ETIMEDOUT.0);
    // From the first timeout on.
    assert!((17..20).contains(&at), "{at}");
    t.expect_counters(&before, &[("TcpRetransSegs", 3), ("TcpOutRsts", 0)]);
}

fn user_timeout_ends_a_connection_with_a_shut_window(t: &mut dyn Twin, ip: Ip) {
    let fd = listener(t, ip, &[(TCP_USER_TIMEOUT, 1500)]);
    let mut peer = Peer::new(ip, 4000, 80).offering(MSS);
    peer.half_open(t);
    let mut ack = peer.segment("A");
    ack.window = 0;
    t.inject(&ack.packet());
    let child = t.accept(fd).unwrap();
    t.send(child, b"x", 0).unwrap();
    let before = t.counters();
    let start = t.now();
    let mut error = 0;
    while error == 0 && t.now() < start + Duration::from_secs(4) {
        // Each probe is answered: the window stays shut.
        if t.next_tcp(Duration::from_millis(20)).is_some() {
            t.inject(&ack.packet());
        }
        error = t.so_error(child);
    }
    let at = (t.now() - start).as_millis();
    assert_eq!(error, Errno::ETIMEDOUT.0);
    assert!((1700..2000).contains(&at), "{at}");
    t.expect_counters(&before, &[("TcpExtTCPWinProbe", 3), ("TcpOutRsts", 0)]);
}

fn user_timeout_takes_the_place_of_the_keepalive_count(t: &mut dyn Twin, ip: Ip) {
    let options = [
        (TCP_USER_TIMEOUT, 1500),
        (TCP_KEEPIDLE, 1),
        (TCP_KEEPINTVL, 1),
        (TCP_KEEPCNT, 9),
    ];
    let fd = listener(t, ip, &options);
    t.set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1).unwrap();
    let (child, _) = opened(t, ip, fd, 4000);
    let seen = watch(t, Duration::from_millis(2600));
    expect_at(&seen, &[("A", 10), ("RA", 20)]);
    assert_eq!(t.so_error(child), Errno::ETIMEDOUT.0);
}

fn user_timeout_ends_a_connect(t: &mut dyn Twin, ip: Ip) {
    let fd = t.tcp(ip);
    set(t, fd, &[(TCP_USER_TIMEOUT, 2500)]);
    let to = std::net::SocketAddr::new(ip.peer(), 9000);
    assert_eq!(t.connect(fd, &sockaddr(to)), Err(Errno::EINPROGRESS));
    let (error, at) = error_of(t, fd, Duration::from_secs(4));
    assert_eq!(error, Errno::ETIMEDOUT.0);
    assert!((24..29).contains(&at), "{at}");
}

/// Closes the child first; the peer acknowledges the FIN.
fn half_closed(t: &mut dyn Twin, ip: Ip, listener: Fd, port: u16) -> Peer {
    let (child, mut peer) = opened(t, ip, listener, port);
    t.close(child).unwrap();
    peer.expect(t, "FA");
    peer.ack(t);
    peer
}

fn linger2_sets_the_time_in_fin_wait_2(t: &mut dyn Twin, ip: Ip) {
    let fd = listener(t, ip, &[(TCP_LINGER2, 2)]);
    half_closed(t, ip, fd, 4000);
    assert_eq!(t.rows(5).len(), 1);
    t.expect_nothing_for(Duration::from_millis(1700));
    assert_eq!(t.rows(5).len(), 1);
    t.expect_nothing_for(Duration::from_millis(800));
    assert_eq!(t.rows(5).len(), 0);
}

fn linger2_below_zero_resets_instead(t: &mut dyn Twin, ip: Ip) {
    let fd = listener(t, ip, &[(TCP_LINGER2, -1)]);
    let before = t.counters();
    let mut peer = half_closed(t, ip, fd, 4000);
    peer.expect(t, "R");
    assert_eq!(t.rows(5).len(), 0);
    let counted = [("TcpExtTCPAbortOnData", 1), ("TcpOutRsts", 1)];
    t.expect_counters(&before, &counted);
    // The FIN was acknowledged before the close.
    let (child, mut peer) = opened(t, ip, fd, 4001);
    t.shutdown(child, libc::SHUT_WR).unwrap();
    peer.expect(t, "FA");
    peer.ack(t);
    let before = t.counters();
    t.close(child).unwrap();
    peer.expect(t, "RA");
    t.expect_counters(&before, &[("TcpExtTCPAbortOnLinger", 1)]);
}

/// Window and scale of the SYN-ACK, with MSS alone, with scaling, with everything.
fn syn_acks(t: &mut dyn Twin, ip: Ip, port: &mut u16) -> [(u16, Option<u8>); 3] {
    let scaling: &[Opt] = &[Opt::Mss(1460), Opt::Nop, Opt::Wscale(7)];
    [MSS, scaling, hearken_twin::SYN_OPTIONS].map(|offer| {
        *port += 1;
        let mut peer = Peer::new(ip, *port, 80).offering(offer);
        let answer = peer.half_open(t);
        peer.rst(t);
        let scale = answer.options.iter().find_map(|o| match o {
            Opt::Wscale(w) => Some(*w),
            _ => None,
        });
        (answer.window, scale)
    })
}

/// Statement 73.
fn window_clamp_shapes_the_syn_ack(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 50);
    let zero = t.set_int(fd, SOL_TCP, TCP_WINDOW_CLAMP, 0);
    assert_eq!(zero, Err(Errno::EINVAL));
    let table = ip.pick(
        [
            (1, 1152, [1152, 1152, 1152], 0),
            (4000, 4000, [2920, 2920, 2896], 0),
            (20_000, 20_000, [18_980, 18_980, 18_824], 0),
            (65_535, 65_535, [64_240, 64_240, 65_160], 0),
            (65_536, 65_536, [64_240, 64_240, 65_160], 1),
            (1_000_000, 1_000_000, [64_240, 64_240, 65_160], 4),
            (10_000_000, 10_000_000, [64_240, 64_240, 65_160], 7),
        ],
        [
            (1, 1152, [1152, 1152, 1152], 0),
            (4000, 4000, [2880, 2880, 2856], 0),
            (20_000, 20_000, [18_720, 18_720, 19_992], 0),
            (65_535, 65_535, [64_800, 64_800, 64_260], 0),
            (65_536, 65_536, [64_800, 64_800, 64_260], 1),
            (1_000_000, 1_000_000, [64_800, 64_800, 64_260], 4),
            (10_000_000, 10_000_000, [64_800, 64_800, 64_260], 7),
        ],
    );
    let mut port = 4000;
    for (value, read, [plain, scaled, all], scale) in table {
        set(t, fd, &[(TCP_WINDOW_CLAMP, value)]);
        assert_eq!(t.int(fd, SOL_TCP, TCP_WINDOW_CLAMP), Ok(read));
        let want = [(plain, None), (scaled, Some(scale)), (all, Some(scale))];
        assert_eq!(syn_acks(t, ip, &mut port), want, "TCP_WINDOW_CLAMP {value}");
    }
}

/// Statement 73.
fn rcvbuf_shapes_the_syn_ack(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 50);
    let table = ip.pick(
        [
            (0, [1152, 1152, 1152], 0),
            (1000, [1152, 1152, 1152], 0),
            (2000, [1460, 1460, 1448], 0),
            (4096, [2920, 2920, 2896], 0),
            (10_000, [8760, 8760, 8688], 0),
            (65_535, [64_240, 64_240, 65_160], 0),
        ],
        [
            (0, [1152, 1152, 1152], 0),
            (1000, [1152, 1152, 1152], 0),
            (2000, [1440, 1440, 1428], 0),
            (4096, [2880, 2880, 2856], 0),
            (10_000, [8640, 8640, 9996], 0),
            (65_535, [64_800, 64_800, 64_260], 0),
        ],
    );
    let mut port = 4000;
    for (value, [plain, scaled, all], scale) in table {
        t.set_int(fd, SOL_SOCKET, SO_RCVBUF, value).unwrap();
        let want = [(plain, None), (scaled, Some(scale)), (all, Some(scale))];
        assert_eq!(syn_acks(t, ip, &mut port), want, "SO_RCVBUF {value}");
    }
}

fn set_min_ttl(t: &mut dyn Twin, ip: Ip, fd: Fd, ttl: i32) {
    let (level, name) = ip.pick((SOL_IP, IP_MINTTL), (SOL_IPV6, IPV6_MINHOPCOUNT));
    t.set_int(fd, level, name, ttl).unwrap();
}

/// Statement 73. The ACK of a request is not asked.
fn min_ttl_drops_what_came_too_far(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    set_min_ttl(t, ip, fd, 100);
    let mut peer = Peer::new(ip, 4000, 80).offering(MSS);
    let from = |t: &mut dyn Twin, mut segment: hearken_twin::Segment, ttl| {
        segment.ttl = ttl;
        t.inject(&segment.packet());
    };
    let dropped = [("TcpExtTCPMinTTLDrop", 1)];
    for flags in ["S", "A", "R"] {
        let before = t.counters();
        from(t, peer.segment(flags), 99);
        t.expect_nothing();
        t.expect_tcp_counters(&before, &dropped);
    }
    from(t, peer.syn_segment(), 100);
    peer.expect(t, "SA");
    peer.seq += 1;
    from(t, peer.segment("A"), 99);
    t.expect_queue(fd, 1, 5);
    let child = t.accept(fd).unwrap();
    for flags in ["PA", "R"] {
        let before = t.counters();
        let data: &[u8] = if flags == "R" { b"" } else { b"x" };
        from(t, peer.segment(flags).data(data), 99);
        t.expect_nothing();
        t.expect_tcp_counters(&before, &dropped);
    }
    set_min_ttl(t, ip, child, 0);
    from(t, peer.segment("PA").data(b"x"), 1);
    peer.seq += 1;
    peer.expect(t, "A");
    assert_eq!(t.recv(child, 5, 0), Ok(b"x".to_vec()));
}

/// A dual listener has a value for each.
fn min_ttl_is_one_for_each_family(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(Ip::V6, 80, 5);
    let other = ip.pick(Ip::V6, Ip::V4);
    set_min_ttl(t, other, fd, 100);
    let mut peer = Peer::new(ip, 4000, 80);
    peer.half_open(t);
    set_min_ttl(t, ip, fd, 100);
    Peer::new(ip, 4001, 80).syn(t);
    t.expect_nothing();
}

fn quickack_off_delays_one_ack(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    let (child, mut peer) = opened(t, ip, fd, 4000);
    assert_eq!(t.int(child, SOL_TCP, TCP_QUICKACK), Ok(1));
    set(t, child, &[(TCP_QUICKACK, 0)]);
    assert_eq!(t.int(child, SOL_TCP, TCP_QUICKACK), Ok(0));
    peer.data(t, b"x");
    t.expect_nothing();
    peer.expect(t, "A");
    // The timer turned it on again.
    assert_eq!(t.int(child, SOL_TCP, TCP_QUICKACK), Ok(1));
    let before = t.counters();
    for _ in 0..15 {
        peer.data(t, b"x");
        peer.expect(t, "A");
    }
    t.expect_counters(&before, &[("TcpExtDelayedACKs", 0)]);
    peer.data(t, b"x");
    t.expect_nothing();
    peer.expect(t, "A");
    // With everything read, turning it on lets a waiting ACK go.
    set(t, child, &[(TCP_QUICKACK, 0)]);
    peer.data(t, b"x");
    t.expect_nothing_for(Duration::from_millis(5));
    t.recv(child, 100, 0).unwrap();
    let before = t.counters();
    set(t, child, &[(TCP_QUICKACK, 1)]);
    peer.expect(t, "A");
    t.expect_counters(&before, &[("TcpExtDelayedACKs", 0)]);
}

/// An answer makes the session interactive; an ACK that waited in vain ends that.
fn quickack_comes_back_when_nothing_came_to_ride_on(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    let (child, mut peer) = opened(t, ip, fd, 4000);
    peer.data(t, b"w");
    peer.expect(t, "A");
    t.send(child, b"hello", 0).unwrap();
    peer.expect(t, "PA");
    peer.ack(t);
    assert_eq!(t.int(child, SOL_TCP, TCP_QUICKACK), Ok(0));
    peer.data(t, b"x");
    t.expect_nothing();
    peer.expect(t, "A");
    assert_eq!(t.int(child, SOL_TCP, TCP_QUICKACK), Ok(1));
    let before = t.counters();
    peer.data(t, b"y");
    peer.expect(t, "A");
    t.expect_counters(&before, &[("TcpExtDelayedACKs", 0)]);
}

fn notsent_lowat_rules_pollout(t: &mut dyn Twin, ip: Ip) {
    let fd = listener(t, ip, &[(TCP_NOTSENT_LOWAT, 2001)]);
    // A shut window: nothing leaves.
    let mut peer = Peer::new(ip, 4000, 80).offering(MSS);
    peer.half_open(t);
    let mut ack = peer.segment("A");
    ack.window = 0;
    t.inject(&ack.packet());
    let child = t.accept(fd).unwrap();
    assert_eq!(t.int(child, SOL_TCP, TCP_NOTSENT_LOWAT), Ok(2001));
    let out = |t: &mut dyn Twin| t.poll(child) & libc::POLLOUT as u32 != 0;
    assert!(out(t));
    // Writable while twice what is unsent is below; send goes on all the same.
    t.send(child, &[b'x'; 1000], 0).unwrap();
    assert!(out(t), "1000");
    t.send(child, b"x", 0).unwrap();
    assert!(!out(t), "1001");
    assert_eq!(t.send(child, &[b'x'; 1000], 0), Ok(1000));
    set(t, child, &[(TCP_NOTSENT_LOWAT, 0)]);
    assert!(out(t), "none");
}

fn rto_max_bounds_the_backoff(t: &mut dyn Twin, ip: Ip) {
    let fd = listener(t, ip, &[(TCP_RTO_MAX_MS, 1000)]);
    let (child, _) = opened(t, ip, fd, 4000);
    t.send(child, b"x", 0).unwrap();
    t.next_tcp(QUIET).expect("the data");
    let seen = watch(t, Duration::from_millis(4900));
    let at: Vec<u64> = seen.iter().map(|s| s.1).collect();
    assert_eq!(at.len(), 6, "{at:?}");
    for pair in at[2..].windows(2) {
        assert!((9..13).contains(&(pair[1] - pair[0])), "{at:?}");
    }
}

/// Statement 49, for options that only a connection obeys, or nobody.
fn children_have_options_as_they_were_at_the_ack(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    let mut peer = Peer::new(ip, 4000, 80).offering(MSS);
    peer.half_open(t);
    let options = [
        (SOL_TCP, TCP_USER_TIMEOUT, 4000, 0),
        (SOL_TCP, TCP_KEEPIDLE, 11, 7200),
        (SOL_TCP, TCP_KEEPCNT, 3, 9),
        (SOL_TCP, TCP_LINGER2, 5, 60),
        (SOL_TCP, TCP_NOTSENT_LOWAT, 999, 0),
        (SOL_TCP, TCP_RTO_MAX_MS, 2000, 120_000),
        (SOL_TCP, TCP_SAVE_SYN, 1, 0),
        (SOL_SOCKET, SO_RCVLOWAT, 2, 1),
        (SOL_IP, IP_MINTTL, 5, 0),
    ];
    for (level, name, value, _) in options {
        t.set_int(fd, level, name, value).unwrap();
    }
    peer.ack(t);
    Peer::new(ip, 4001, 80).offering(MSS).open(t);
    for (level, name, _, default) in options {
        if (level, name) != (SOL_TCP, TCP_LINGER2) {
            t.set_int(fd, level, name, default).unwrap();
        }
    }
    t.set_int(fd, SOL_TCP, TCP_LINGER2, 0).unwrap();
    // Both handshakes were over before.
    for _ in 0..2 {
        let child = t.accept(fd).unwrap();
        for (level, name, value, _) in options {
            assert_eq!(t.int(child, level, name), Ok(value), "{level}, {name}");
        }
    }
    let (child, _) = opened(t, ip, fd, 4002);
    for (level, name, _, default) in options {
        assert_eq!(t.int(child, level, name), Ok(default), "{level}, {name}");
    }
}

/// Statement 72.
fn peer_mss_has_a_floor_and_a_default(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 50);
    let (default, most) = ip.pick((536, 1460), (1220, 1440));
    let mut port = 4000;
    for floor in [48, 1000] {
        t.sysctl("net.ipv4.tcp_min_snd_mss", &floor.to_string())
            .unwrap();
        let peers = [
            (None, default),
            (Some(0), default),
            (Some(1), 1),
            (Some(47), 47),
            (Some(49), 49),
            (Some(535), 535),
            (Some(1220), 1220),
            (Some(65_535), 65_535),
        ];
        for (said, taken) in peers {
            for stamped in [false, true] {
                let mut offer: Vec<Opt> = said.map(Opt::Mss).into_iter().collect();
                if stamped {
                    offer.extend([Opt::Nop, Opt::Nop, Opt::Ts(1000, 0)]);
                }
                port += 1;
                let mut peer = Peer::new(ip, port, 80).offering(&offer);
                peer.open(t);
                let child = t.accept(fd).unwrap();
                let want = i32::max(taken, floor).min(most) - if stamped { 12 } else { 0 };
                let got = t.int(child, SOL_TCP, TCP_MAXSEG);
                assert_eq!(got, Ok(want), "{said:?}, floor {floor}, {stamped}");
                t.close(child).unwrap();
                peer.rst(t);
                t.packets();
            }
        }
    }
}

/// Statement 72.
fn peer_wscale_is_at_most_14(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 50);
    for (said, taken) in [(0, 0), (1, 1), (13, 13), (14, 14), (15, 14), (255, 14)] {
        let offer = [Opt::Mss(1460), Opt::Nop, Opt::Wscale(said)];
        let mut peer = Peer::new(ip, 4000 + u16::from(said), 80).offering(&offer);
        peer.open(t);
        let child = t.accept(fd).unwrap();
        let info = t.getsockopt(child, SOL_TCP, TCP_INFO, 8).unwrap();
        assert_eq!(info[6] & 15, taken, "{said}");
        t.close(child).unwrap();
        peer.rst(t);
        t.packets();
    }
}
