//! The SYN-ACK's retransmit timer (statements 55 to 58).

use core::time::Duration;

use hearken_twin::{Ip, Packet, Peer, Twin};

family_cases! {
    syn_ack_timer_default_sends_six_and_expires_after_63_s,
    syn_ack_timer_two_retries_expire_after_7_s,
    syn_ack_timer_no_retries_expires_after_1_s,
    syn_ack_timer_syncnt_replaces_the_sysctl,
    syn_ack_timer_syncnt_is_read_by_running_requests,
    syn_ack_timer_ignores_rto_max,
    syn_ack_timer_more_than_half_full_cuts_retries,
}

/// A moment measured against the one that Linux's timer aims at: the wheel may be an eighth late, a busy machine some more.
#[track_caller]
fn about(at: Duration, seconds: u64) {
    let want = Duration::from_secs(seconds);
    let late = want / 8 + Duration::from_millis(400);
    assert!(
        at + Duration::from_millis(20) >= want && at <= want + late,
        "{at:?} is not about {seconds} s"
    );
}

/// A retransmitted SYN-ACK is the first one again, but for the clock in its timestamp.
#[track_caller]
fn same_syn_ack(first: &Packet, again: &Packet) {
    let mut expected = first.clone();
    for (option, new) in expected.options.iter_mut().zip(&again.options) {
        if let (hearken_twin::Opt::Ts(_, echo), hearken_twin::Opt::Ts(value, _)) = (*option, *new) {
            *option = hearken_twin::Opt::Ts(value, echo);
        }
    }
    // The flow label is hashed anew when the path seems to fail (SO_TXREHASH).
    expected.flow = again.flow;
    assert_eq!(again, &expected);
}

/// Opens half a connection, then expects SYN-ACKs at these seconds after the first, and the end at `gone`.
fn schedule(t: &mut dyn Twin, peer: &mut Peer, at: &[u64], gone: u64) {
    let before = t.counters();
    let first = peer.half_open(t);
    let start = t.now();
    for seconds in at {
        let again = peer.expect_within(t, "SA", Duration::from_secs(40));
        about(t.now() - start, *seconds);
        same_syn_ack(&first, &again);
    }
    let nearly =
        (start + Duration::from_secs(gone)).saturating_sub(t.now() + Duration::from_millis(300));
    t.expect_nothing_for(nearly);
    assert_eq!(t.half_open(), 1, "shortly before {gone} s");
    t.expect_nothing_for(Duration::from_secs(gone) / 8 + Duration::from_millis(500));
    assert_eq!(t.half_open(), 0, "after {gone} s");
    let count = at.len() as i64;
    let expected: &[(&str, i64)] = &[
        ("TcpRetransSegs", count),
        ("TcpExtTCPSynRetrans", count),
        ("TcpExtTCPTimeouts", count + 1),
    ];
    let moved: Vec<_> = expected
        .iter()
        .copied()
        .filter(|(_, by)| *by != 0)
        .collect();
    t.expect_tcp_counters(&before, &moved);
}

/// Statement 55.
fn syn_ack_timer_default_sends_six_and_expires_after_63_s(t: &mut dyn Twin, ip: Ip) {
    t.listener(ip, 80, 5);
    schedule(t, &mut Peer::new(ip, 4000, 80), &[1, 3, 7, 15, 31], 63);
}

/// Statement 55.
fn syn_ack_timer_two_retries_expire_after_7_s(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.ipv4.tcp_synack_retries", "2").unwrap();
    t.listener(ip, 80, 5);
    schedule(t, &mut Peer::new(ip, 4000, 80), &[1, 3], 7);
}

/// Statement 56.
fn syn_ack_timer_no_retries_expires_after_1_s(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.ipv4.tcp_synack_retries", "0").unwrap();
    t.listener(ip, 80, 5);
    schedule(t, &mut Peer::new(ip, 4000, 80), &[], 1);
}

/// Statement 56.
fn syn_ack_timer_syncnt_replaces_the_sysctl(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    t.set_int(fd, libc::IPPROTO_TCP, libc::TCP_SYNCNT, 1)
        .unwrap();
    schedule(t, &mut Peer::new(ip, 4000, 80), &[1], 3);
}

/// The listener is asked at each expiry, not when the request is made.
fn syn_ack_timer_syncnt_is_read_by_running_requests(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    let mut peer = Peer::new(ip, 4000, 80);
    peer.half_open(t);
    t.set_int(fd, libc::IPPROTO_TCP, libc::TCP_SYNCNT, 1)
        .unwrap();
    peer.expect_within(t, "SA", Duration::from_millis(1500));
    t.expect_nothing_for(Duration::from_millis(2600));
    assert_eq!(t.half_open(), 0);
}

/// Statement 57.
fn syn_ack_timer_ignores_rto_max(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.ipv4.tcp_rto_max_ms", "1000").unwrap();
    t.listener(ip, 80, 5);
    let mut peer = Peer::new(ip, 4000, 80);
    peer.half_open(t);
    let start = t.now();
    for seconds in [1, 3, 7] {
        peer.expect_within(t, "SA", Duration::from_secs(10));
        about(t.now() - start, seconds);
    }
}

/// Statement 58: limit 16 with 9 half-open; one dies after two retransmits, which brings the rest to half.
fn syn_ack_timer_more_than_half_full_cuts_retries(t: &mut dyn Twin, ip: Ip) {
    t.listener(ip, 80, 16);
    // Those that are gone are not counted among the young.
    for port in 3000..3020 {
        let mut gone = Peer::new(ip, port, 80);
        gone.half_open(t);
        gone.rst(t);
    }
    assert_eq!(t.half_open(), 0);
    for port in 4000..4009 {
        Peer::new(ip, port, 80).half_open(t);
    }
    let start = t.now();
    let mut sent = std::collections::BTreeMap::<u16, u32>::new();
    while t.now() - start < Duration::from_secs(10) {
        if let Some(packet) = t.next_tcp(Duration::from_millis(500)) {
            assert_eq!(packet.flags, "SA");
            *sent.entry(packet.dst.port()).or_default() += 1;
        }
    }
    let mut counts: Vec<u32> = sent.into_values().collect();
    counts.sort_unstable();
    assert_eq!(counts, [2, 3, 3, 3, 3, 3, 3, 3, 3]);
    assert_eq!(t.half_open(), 8);
}
