//! Segments on an established connection: what is answered, when an ACK waits, what counts.

use core::time::Duration;

use hearken_twin::{Delta, Fd, Ip, Peer, Twin};

family_cases! {
    segment_ack_of_unsent_data_gets_a_challenge_ack,
    segment_beyond_window_is_answered_and_counted,
    segment_with_old_timestamp_is_judged_by_what_it_carries,
    segment_data_is_acked_at_once_sixteen_times_then_late,
    segment_reply_carries_the_ack_and_the_next_waits,
    segment_after_a_greeting_of_ours_is_acked_at_once,
    segment_predicted_headers_are_counted,
}

#[track_caller]
fn established(t: &mut dyn Twin, ip: Ip) -> (Fd, Peer) {
    let listener = t.listener(ip, 80, 5);
    let mut peer = Peer::new(ip, 4000, 80);
    peer.open(t);
    peer.ts = 100_000;
    (t.accept(listener).expect("accept"), peer)
}

/// RFC 5961 5.2 asks for it; one in 500 ms.
fn segment_ack_of_unsent_data_gets_a_challenge_ack(t: &mut dyn Twin, ip: Ip) {
    let (child, mut peer) = established(t, ip);
    ack_of_unsent_data(t, &mut peer, 1);
    ack_of_unsent_data(t, &mut peer, 100_000);
    // The same with something outstanding.
    t.send(child, b"hello", 0).unwrap();
    assert_eq!(peer.expect(t, "PA").data, b"hello");
    ack_of_unsent_data(t, &mut peer, 1);
}

fn ack_of_unsent_data(t: &mut dyn Twin, peer: &mut Peer, beyond: u32) {
    let next = peer.ack;
    for counter in ["TcpExtTCPChallengeACK", "TcpExtTCPACKSkippedChallenge"] {
        let before = t.counters();
        peer.ack = next.wrapping_add(beyond);
        peer.ack(t);
        peer.ack = next;
        if counter == "TcpExtTCPChallengeACK" {
            assert_eq!(peer.expect(t, "A").ack, 1001);
        }
        t.expect_nothing();
        t.expect_tcp_counters(&before, &[(counter, 1)]);
    }
    t.advance(Duration::from_millis(600));
}

/// Data is answered each time, a bare ACK once in 500 ms.
fn segment_beyond_window_is_answered_and_counted(t: &mut dyn Twin, ip: Ip) {
    let (_, mut peer) = established(t, ip);
    for _ in 0..3 {
        let before = t.counters();
        let mut far = peer.clone();
        far.seq += 1_000_000;
        far.data(t, b"hello");
        assert_eq!(peer.expect(t, "A").ack, 1001);
        t.expect_tcp_counters(&before, &[("TcpExtBeyondWindow", 1)]);
    }
    for answered in [true, false] {
        let before = t.counters();
        let mut far = peer.clone();
        far.seq += 1_000_000;
        far.ack(t);
        if answered {
            assert_eq!(peer.expect(t, "A").ack, 1001);
            t.expect_tcp_counters(&before, &[("TcpExtBeyondWindow", 1)]);
        } else {
            t.expect_nothing();
            let moved = [("TcpExtBeyondWindow", 1), ("TcpExtTCPACKSkippedSeq", 1)];
            t.expect_tcp_counters(&before, &moved);
        }
    }
}

/// RFC 7323 5.3: data is refused and answered each time; a bare ACK that is only late is taken, or dropped silently when
/// newer data has come since; one that is far too old is refused.
fn segment_with_old_timestamp_is_judged_by_what_it_carries(t: &mut dyn Twin, ip: Ip) {
    let (_, mut peer) = established(t, ip);
    peer.data(t, b"hello");
    peer.expect(t, "A");
    for _ in 0..2 {
        let before = t.counters();
        let mut old = peer.clone();
        old.ts -= 50_000;
        old.data(t, b"again");
        assert_eq!(peer.expect(t, "A").ack, 1006);
        t.expect_tcp_counters(&before, &[("TcpExtPAWSEstab", 1)]);
    }
    // The newest word on the window, which a late one must not change.
    peer.ack(t);
    let mut late = peer.clone();
    late.ts -= 100;
    let before = t.counters();
    late.ack(t);
    t.expect_nothing();
    t.expect_tcp_counters(&before, &[("TcpExtTCPPureAcks", 1)]);
    late.seq -= 3;
    let before = t.counters();
    late.ack(t);
    t.expect_nothing();
    t.expect_tcp_counters(&before, &[("TcpExtPAWSOldAck", 1)]);
    late.seq += 3;
    late.ts -= 50_000;
    t.advance(Duration::from_millis(600));
    for answered in [true, false] {
        let before = t.counters();
        late.ack(t);
        if answered {
            assert_eq!(peer.expect(t, "A").ack, 1006);
            t.expect_tcp_counters(&before, &[("TcpExtPAWSEstab", 1)]);
        } else {
            t.expect_nothing();
            t.expect_tcp_counters(
                &before,
                &[("TcpExtPAWSEstab", 1), ("TcpExtTCPACKSkippedPAWS", 1)],
            );
        }
    }
}

/// How long the ACK of a piece of data takes, in steps of the delayed ACK's 40 ms.
#[track_caller]
fn late(t: &mut dyn Twin, peer: &mut Peer) -> bool {
    let from = t.now();
    peer.data(t, b"hello");
    peer.expect(t, "A");
    t.now() - from > Duration::from_millis(20)
}

/// Linux's quick-ACK mode: sixteen at the start, and again after a silence longer than the retransmission timeout.
fn segment_data_is_acked_at_once_sixteen_times_then_late(t: &mut dyn Twin, ip: Ip) {
    let (_, mut peer) = established(t, ip);
    for at in 0..16 {
        assert!(!late(t, &mut peer), "segment {at}");
    }
    for _ in 0..3 {
        let before = t.counters();
        assert!(late(t, &mut peer), "the seventeenth and later");
        t.expect_counters(&before, &[("TcpExtDelayedACKs", 1)]);
    }
    t.advance(Duration::from_millis(400));
    for at in 0..3 {
        assert!(!late(t, &mut peer), "segment {at} after a silence");
    }
}

/// Once the program answers at once, the session is interactive: ACKs wait for the answers.
fn segment_reply_carries_the_ack_and_the_next_waits(t: &mut dyn Twin, ip: Ip) {
    let (child, mut peer) = established(t, ip);
    assert!(!late(t, &mut peer));
    t.send(child, b"world", 0).unwrap();
    assert_eq!(peer.expect(t, "PA").data, b"world");
    peer.ack(t);
    for _ in 0..3 {
        peer.data(t, b"hello");
        t.send(child, b"world", 0).unwrap();
        let reply = peer.expect(t, "PA");
        assert_eq!(
            (reply.ack, reply.data.as_slice()),
            (peer.seq, b"world".as_slice())
        );
        peer.ack(t);
    }
    let before = t.counters();
    assert!(late(t, &mut peer), "no answer comes");
    t.expect_counters(&before, &[("TcpExtDelayedACKs", 1)]);
}

/// Speaking first is no answer.
fn segment_after_a_greeting_of_ours_is_acked_at_once(t: &mut dyn Twin, ip: Ip) {
    let (child, mut peer) = established(t, ip);
    t.send(child, b"220 ready", 0).unwrap();
    peer.expect(t, "PA");
    peer.ack(t);
    for _ in 0..3 {
        assert!(!late(t, &mut peer));
    }
}

/// What moved of these.
fn prediction(t: &mut dyn Twin, before: &hearken_twin::Counters) -> Delta {
    let mut moved = t.counters().since(before);
    moved.retain(|name, _| {
        matches!(
            name.as_str(),
            "TcpExtTCPHPHits" | "TcpExtTCPHPAcks" | "TcpExtTCPPureAcks"
        )
    });
    moved
}

/// Data and ACKs that come as foreseen, and bare ACKs that do not.
fn segment_predicted_headers_are_counted(t: &mut dyn Twin, ip: Ip) {
    let (child, mut peer) = established(t, ip);
    peer.data(t, b"first");
    peer.expect(t, "A");
    let one = |name: &str| Delta::from([(name.to_owned(), 1)]);
    let before = t.counters();
    peer.data(t, b"second");
    peer.expect(t, "A");
    assert_eq!(prediction(t, &before), one("TcpExtTCPHPHits"));
    let before = t.counters();
    peer.ack(t);
    assert_eq!(
        prediction(t, &before),
        one("TcpExtTCPPureAcks"),
        "nothing new"
    );
    t.send(child, b"world", 0).unwrap();
    peer.expect(t, "PA");
    let before = t.counters();
    peer.ack(t);
    assert_eq!(prediction(t, &before), one("TcpExtTCPHPAcks"));
    t.send(child, b"world", 0).unwrap();
    peer.expect(t, "PA");
    let before = t.counters();
    let mut ack = peer.segment("A");
    ack.window = 1000;
    t.inject(&ack.packet());
    assert_eq!(
        prediction(t, &before),
        one("TcpExtTCPPureAcks"),
        "another window"
    );
}
