//! What a half-open connection does with each segment that is not simply the final ACK (statements 59 to 63).

use core::time::Duration;

use hearken_twin::{Ip, Opt, Peer, Segment, Twin};

family_cases! {
    half_open_repeated_syn_gets_the_same_syn_ack_at_a_limited_rate,
    half_open_repeated_syn_without_limit_is_answered_each_time,
    half_open_new_syn_in_window_resets_and_removes,
    half_open_new_syn_below_window_gets_an_ack,
    half_open_wrong_ack_number_gets_rst_and_is_kept,
    half_open_out_of_window_gets_an_ack_at_a_limited_rate,
    half_open_empty_ack_at_the_right_edge_completes_but_data_there_does_not,
    half_open_old_timestamp_counts_paws,
    half_open_segment_without_ack_is_ignored,
    half_open_exact_rst_removes_silently,
    half_open_rst_in_window_gets_a_challenge_ack,
    half_open_rst_out_of_window_is_ignored,
    half_open_syn_ack_at_the_isn_does_not_complete,
    half_open_data_and_fin_complete,
    half_open_ack_without_timestamp_completes,
    half_open_ack_echoing_a_timestamp_never_sent_is_rejected,
    half_open_ack_echoing_zero_completes,
}

/// A listener on port 80 and a peer whose SYN was answered.
fn one(t: &mut dyn Twin, ip: Ip) -> (i32, Peer) {
    let fd = t.listener(ip, 80, 5);
    let mut peer = Peer::new(ip, 4000, 80);
    peer.half_open(t);
    (fd, peer)
}

/// Takes the ACK of what is already acknowledged. The peer goes on echoing the SYN-ACK's timestamp.
#[track_caller]
fn expect_ack(t: &mut dyn Twin, peer: &mut Peer) {
    let (next, echo) = (peer.ack, peer.ts_echo);
    let ack = peer.expect(t, "A");
    assert_eq!((ack.seq, ack.ack), (next, 1001));
    assert!(ack.data.is_empty(), "{ack:?}");
    peer.ts_echo = echo;
}

/// Statement 59.
fn half_open_repeated_syn_gets_the_same_syn_ack_at_a_limited_rate(t: &mut dyn Twin, ip: Ip) {
    t.listener(ip, 80, 5);
    let syn = Peer::new(ip, 4000, 80).syn_segment().packet();
    let mut peer = Peer::new(ip, 4000, 80);
    let first = peer.half_open(t);
    for (wait, reply) in [(0, true), (20, false), (20, false), (600, true)] {
        t.advance(Duration::from_millis(wait));
        let before = t.counters();
        t.inject(&syn);
        if reply {
            let again = peer.expect(t, "SA");
            assert_eq!(
                (again.seq, again.ack, again.window),
                (first.seq, first.ack, first.window)
            );
            t.expect_tcp_counters(
                &before,
                &[("TcpRetransSegs", 1), ("TcpExtTCPSynRetrans", 1)],
            );
        } else {
            t.expect_nothing();
            t.expect_tcp_counters(&before, &[("TcpExtTCPACKSkippedSynRecv", 1)]);
        }
    }
    assert_eq!(t.half_open(), 1);
}

/// Statement 59, with the limit off.
fn half_open_repeated_syn_without_limit_is_answered_each_time(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.ipv4.tcp_invalid_ratelimit", "0").unwrap();
    t.listener(ip, 80, 5);
    let syn = Peer::new(ip, 4000, 80).syn_segment().packet();
    let mut peer = Peer::new(ip, 4000, 80);
    peer.half_open(t);
    for _ in 0..5 {
        t.inject(&syn);
        peer.expect(t, "SA");
    }
}

/// Statement 60.
fn half_open_new_syn_in_window_resets_and_removes(t: &mut dyn Twin, ip: Ip) {
    let (_, mut peer) = one(t, ip);
    let before = t.counters();
    let syn = Segment::new(peer.addr, peer.to, "S", 5000, 0).options(&peer.options);
    t.inject(&syn.packet());
    peer.expect_rst_ack(t, 0, 5001);
    t.expect_tcp_counters(
        &before,
        &[
            ("TcpAttemptFails", 1),
            ("TcpOutRsts", 1),
            ("TcpExtEmbryonicRsts", 1),
        ],
    );
    assert_eq!(t.half_open(), 0);
}

/// Statement 60.
fn half_open_new_syn_below_window_gets_an_ack(t: &mut dyn Twin, ip: Ip) {
    let (_, mut peer) = one(t, ip);
    let before = t.counters();
    let syn = Segment::new(peer.addr, peer.to, "S", 900, 0).options(&peer.options);
    t.inject(&syn.packet());
    expect_ack(t, &mut peer);
    t.expect_tcp_counters(&before, &[]);
    assert_eq!(t.half_open(), 1);
}

/// Statement 61.
fn half_open_wrong_ack_number_gets_rst_and_is_kept(t: &mut dyn Twin, ip: Ip) {
    let (fd, mut peer) = one(t, ip);
    for off in [1, u32::MAX, 100_000] {
        let before = t.counters();
        let wrong = peer.ack.wrapping_add(off);
        let mut segment = peer.segment("A");
        segment.ack = wrong;
        t.inject(&segment.packet());
        peer.expect_bare_rst(t, wrong);
        t.expect_tcp_counters(&before, &[("TcpOutRsts", 1)]);
        assert_eq!(t.half_open(), 1);
    }
    peer.ack(t);
    t.expect_queue(fd, 1, 5);
}

/// Statement 61.
fn half_open_out_of_window_gets_an_ack_at_a_limited_rate(t: &mut dyn Twin, ip: Ip) {
    let (fd, mut peer) = one(t, ip);
    let mut segment = peer.segment("A");
    segment.seq = segment.seq.wrapping_add(200_000);
    let before = t.counters();
    t.inject(&segment.packet());
    expect_ack(t, &mut peer);
    t.expect_tcp_counters(&before, &[]);
    let before = t.counters();
    t.inject(&segment.packet());
    t.expect_nothing();
    t.expect_tcp_counters(&before, &[("TcpExtTCPACKSkippedSynRecv", 1)]);
    assert_eq!(t.half_open(), 1);
    peer.ack(t);
    t.expect_queue(fd, 1, 5);
}

/// Statement 61: where the window ends, a segment without data is still in it (`tcp_in_window`).
fn half_open_empty_ack_at_the_right_edge_completes_but_data_there_does_not(
    t: &mut dyn Twin,
    ip: Ip,
) {
    t.sysctl("net.ipv4.tcp_invalid_ratelimit", "0").unwrap();
    let fd = t.listener(ip, 80, 5);
    let mut peer = Peer::new(ip, 4000, 80);
    let window = u32::from(peer.half_open(t).window);
    for (past, data) in [(0, "x"), (1, ""), (1, "x")] {
        let mut segment = peer.segment("A").data(data.as_bytes());
        segment.seq += window + past;
        t.inject(&segment.packet());
        expect_ack(t, &mut peer);
        t.expect_queue(fd, 0, 5);
    }
    let mut edge = peer.segment("A");
    edge.seq += window;
    t.inject(&edge.packet());
    t.expect_queue(fd, 1, 5);
}

/// Statement 61.
fn half_open_old_timestamp_counts_paws(t: &mut dyn Twin, ip: Ip) {
    let (fd, mut peer) = one(t, ip);
    let old = peer
        .segment("A")
        .options(&[Opt::Nop, Opt::Nop, Opt::Ts(10, peer.ts_echo.unwrap())]);
    let before = t.counters();
    t.inject(&old.packet());
    expect_ack(t, &mut peer);
    t.expect_tcp_counters(&before, &[("TcpExtPAWSEstab", 1)]);
    let before = t.counters();
    t.inject(&old.packet());
    t.expect_nothing();
    t.expect_tcp_counters(
        &before,
        &[("TcpExtPAWSEstab", 1), ("TcpExtTCPACKSkippedSynRecv", 1)],
    );
    assert_eq!(t.half_open(), 1);
    peer.ack(t);
    t.expect_queue(fd, 1, 5);
}

/// Statement 61.
fn half_open_segment_without_ack_is_ignored(t: &mut dyn Twin, ip: Ip) {
    let (fd, mut peer) = one(t, ip);
    let before = t.counters();
    for flags in ["", "P", "F", "U"] {
        t.inject(&peer.segment(flags).data(b"x").packet());
        t.expect_nothing();
    }
    t.expect_tcp_counters(&before, &[]);
    assert_eq!(t.half_open(), 1);
    peer.ack(t);
    t.expect_queue(fd, 1, 5);
}

/// Statement 62.
fn half_open_exact_rst_removes_silently(t: &mut dyn Twin, ip: Ip) {
    let (_, peer) = one(t, ip);
    let before = t.counters();
    peer.clone().rst(t);
    t.expect_nothing();
    t.expect_tcp_counters(
        &before,
        &[("TcpAttemptFails", 1), ("TcpExtEmbryonicRsts", 1)],
    );
    assert_eq!(t.half_open(), 0);
}

/// Statement 62: RFC 5961's rule in SYN-RECEIVED too.
fn half_open_rst_in_window_gets_a_challenge_ack(t: &mut dyn Twin, ip: Ip) {
    let (fd, mut peer) = one(t, ip);
    for off in [1, 1000, 60_000] {
        let before = t.counters();
        let rst = Segment::new(peer.addr, peer.to, "R", peer.seq + off, 0);
        t.inject(&rst.packet());
        if off == 1 {
            expect_ack(t, &mut peer);
            t.expect_tcp_counters(&before, &[("TcpExtTCPChallengeACK", 1)]);
        } else {
            t.packets();
        }
        assert_eq!(t.half_open(), 1);
    }
    peer.ack(t);
    t.expect_queue(fd, 1, 5);
}

/// Statement 62.
fn half_open_rst_out_of_window_is_ignored(t: &mut dyn Twin, ip: Ip) {
    let (fd, mut peer) = one(t, ip);
    let before = t.counters();
    for seq in [999, 1000, 1001 + 200_000] {
        t.inject(&Segment::new(peer.addr, peer.to, "R", seq, 0).packet());
        t.expect_nothing();
    }
    t.expect_tcp_counters(&before, &[]);
    assert_eq!(t.half_open(), 1);
    peer.ack(t);
    t.expect_queue(fd, 1, 5);
}

/// Statement 63.
fn half_open_syn_ack_at_the_isn_does_not_complete(t: &mut dyn Twin, ip: Ip) {
    let (fd, mut peer) = one(t, ip);
    let mut segment = peer.segment("SA");
    segment.seq = 1000;
    let before = t.counters();
    t.inject(&segment.packet());
    expect_ack(t, &mut peer);
    t.expect_tcp_counters(&before, &[]);
    t.expect_queue(fd, 0, 5);
    assert_eq!(t.half_open(), 1);
}

/// Statement 63.
fn half_open_data_and_fin_complete(t: &mut dyn Twin, ip: Ip) {
    let (fd, mut peer) = one(t, ip);
    let before = t.counters();
    peer.data(t, b"hi");
    assert_eq!(peer.expect(t, "A").ack, 1003);
    t.expect_tcp_counters(&before, &[("TcpPassiveOpens", 1), ("TcpCurrEstab", 1)]);
    t.expect_queue(fd, 1, 5);
    let mut other = Peer::new(ip, 4001, 80);
    other.half_open(t);
    let before = t.counters();
    other.fin(t);
    // Nothing was received that would make ACKs quick: the FIN's goes by the delayed-ACK timer, here within a few ms.
    assert_eq!(other.expect(t, "A").ack, 1002);
    let moved = [
        ("TcpPassiveOpens", 1),
        ("TcpCurrEstab", 1),
        ("TcpExtDelayedACKs", 1),
    ];
    t.expect_tcp_counters(&before, &moved);
    t.expect_queue(fd, 2, 5);
}

/// Statement 63: the option was negotiated, and is missing.
fn half_open_ack_without_timestamp_completes(t: &mut dyn Twin, ip: Ip) {
    let (fd, peer) = one(t, ip);
    let before = t.counters();
    t.inject(&peer.segment("A").options(&[]).packet());
    t.expect_nothing();
    t.expect_tcp_counters(
        &before,
        &[
            ("TcpPassiveOpens", 1),
            ("TcpCurrEstab", 1),
            ("TcpExtTCPPureAcks", 1),
        ],
    );
    t.expect_queue(fd, 1, 5);
}

/// The echo must lie between the first and the last SYN-ACK's timestamp; an ACK's own later timestamp does not count.
fn half_open_ack_echoing_a_timestamp_never_sent_is_rejected(t: &mut dyn Twin, ip: Ip) {
    for (at, off) in [1u32, u32::MAX, 100_000].into_iter().enumerate() {
        let to = 80 + at as u16;
        let fd = t.listener(ip, to, 5);
        let mut peer = Peer::new(ip, 4000, to);
        peer.half_open(t);
        let echo = peer.ts_echo.unwrap();
        let before = t.counters();
        peer.ts_echo = Some(echo.wrapping_add(off));
        peer.ack(t);
        peer.ts_echo = Some(echo);
        expect_ack(t, &mut peer);
        t.expect_tcp_counters(&before, &[("TcpExtTSEcrRejected", 1)]);
        t.expect_queue(fd, 0, 5);
        peer.ack(t);
        t.expect_queue(fd, 1, 5);
    }
}

/// An echo of 0 is taken as none.
fn half_open_ack_echoing_zero_completes(t: &mut dyn Twin, ip: Ip) {
    let (fd, mut peer) = one(t, ip);
    peer.ts_echo = Some(0);
    peer.ack(t);
    t.expect_queue(fd, 1, 5);
}
