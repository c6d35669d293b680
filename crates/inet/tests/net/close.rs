//! How connections end: FINs and resets in every state, lost ones too.

use crate::common::peer::*;
use crate::common::*;
use core::time::Duration;
use hearken_abi::Counter;
use hearken_inet::*;

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn fin_lost_is_sent_again_until_acknowledged() {
    let mut p = Peer::new();
    let s = p.accepted(Peer::syn_options());
    p.net.close(p.now, s);
    let out = p.out();
    assert!(out.len() == 1 && out[0].has(FIN));
    let again = p.wait(secs(2));
    assert!(again.len() >= 2);
    for (_, a) in &again {
        assert!(a.has(FIN) && a.h.seq == out[0].h.seq && a.data.is_empty());
    }
    assert!(p.ack_all(&out).is_empty());
    assert_eq!(p.states(), [TcpState::FinWait2]);
    assert!(p.wait(secs(61)).is_empty());
    assert_eq!(p.states(), []);
}

#[test]
fn data_and_fin_lost_together_come_again_together() {
    let mut p = Peer::new();
    let s = p.accepted(Peer::syn_options());
    write(&mut p.net, p.now, s, b"last words").unwrap();
    p.net.shutdown(p.now, s, Shutdown::Write).unwrap();
    let out = p.out();
    assert!(out.len() == 1 && out[0].has(FIN) && out[0].data == b"last words");
    let again = p.wait(Duration::from_millis(500));
    assert!(again[0].1.has(FIN) && again[0].1.data == b"last words");
    // Half of it.
    p.ack = out[0].h.seq + 4;
    let rest = p.say(ACK, &[]);
    assert!(rest.is_empty() || rest[0].data == b" words", "{rest:?}");
    let again = p.wait(secs(3));
    assert!(
        again[0].1.has(FIN) && again[0].1.data == b" words",
        "{again:?}"
    );
    p.ack_all(&out);
    assert_eq!(p.net.state(s), TcpState::FinWait2);
    assert_eq!(p.net.unacked(s), (0, 0));
}

#[test]
fn fin_to_a_shut_window_waits_for_it_to_open() {
    let mut p = Peer::new();
    let s = p.accepted(Peer::syn_options());
    p.wnd = 0;
    p.say(ACK, &[]);
    p.net.close(p.now, s);
    assert!(p.out().is_empty());
    let probes = p.wait(secs(3));
    assert!(probes.len() >= 3);
    assert!(
        probes
            .iter()
            .all(|(_, s)| !s.has(FIN) && s.h.seq == p.ack.wrapping_sub(1))
    );
    p.wnd = 1000;
    let out = p.say(ACK, &[]);
    assert!(out.len() == 1 && out[0].has(FIN));
}

#[test]
fn simultaneous_close_passes_closing_to_time_wait_on_both_sides() {
    let mut p = Pair::new();
    let l = p.listen("10.0.0.2:80", 1);
    let c = p.connect("10.0.0.2:80");
    p.settle();
    let b = p.b.accept(p.now, l).unwrap().socket;
    p.a.shutdown(p.now, c, Shutdown::Write).unwrap();
    p.b.shutdown(p.now, b, Shutdown::Write).unwrap();
    p.settle();
    for n in [&p.a, &p.b] {
        assert!(n.diag().iter().any(|r| r.state == TcpState::TimeWait));
        assert_eq!(n.mib().get(Counter::TcpCurrEstab), 0);
    }
    p.a.close(p.now, c);
    p.b.close(p.now, b);
    p.b.close(p.now, l);
    p.advance(secs(61));
    assert!(p.a.diag().is_empty() && p.b.diag().is_empty());
}

#[test]
fn closing_acknowledged_becomes_time_wait() {
    let mut p = Peer::new();
    let s = p.accepted(Peer::syn_options());
    p.net.shutdown(p.now, s, Shutdown::Write).unwrap();
    let fin = p.out();
    // The peer's FIN does not acknowledge ours.
    let out = p.say(FIN, &[]);
    assert_eq!(p.net.state(s), TcpState::Closing);
    assert_eq!(out[0].h.ack, p.seq);
    p.ack_all(&fin);
    assert_eq!(p.states(), [TcpState::TimeWait]);
}

#[test]
fn half_close_each_way_lets_data_flow_the_other() {
    let mut p = Peer::new();
    let s = p.accepted(Peer::syn_options());
    let out = p.say(FIN, &[]);
    let late = if out.is_empty() {
        p.wait(Duration::from_millis(50)).len()
    } else {
        0
    };
    assert!(out.len() + late == 1 && p.net.state(s) == TcpState::CloseWait);
    assert_eq!(p.recv(s), b"");
    let out = p.send(s, &[1; 2500]);
    assert_eq!(out.len(), 3);
    p.ack_all(&out);
    p.net.close(p.now, s);
    let fin = p.out();
    assert!(fin[0].has(FIN));
    p.ack_all(&fin);
    assert_eq!(p.states(), []);

    let mut p = Peer::new();
    let s = p.accepted(Peer::syn_options());
    p.net.shutdown(p.now, s, Shutdown::Write).unwrap();
    let fin = p.out();
    p.ack_all(&fin);
    p.wait(secs(3600));
    assert_eq!(p.net.state(s), TcpState::FinWait2);
    p.say(PSH, b"still here");
    assert_eq!(p.recv(s), b"still here");
    p.say(FIN, &[]);
    assert_eq!(p.states(), [TcpState::TimeWait]);
    assert_eq!(p.recv(s), b"");
}

#[test]
fn fin_beyond_a_hole_counts_when_the_hole_is_filled() {
    let mut p = Peer::new();
    let s = p.accepted(Peer::syn_options());
    let (seq, ack) = (p.seq, p.ack);
    p.put(FIN, seq + 5, ack, b"world");
    let out = p.out();
    assert_eq!(out[0].h.ack, seq);
    // The SACK block covers the FIN.
    assert_eq!(out[0].h.options.sack.as_slice(), [(seq + 5, seq + 11)]);
    assert_eq!(p.net.state(s), TcpState::Established);
    p.put(PSH, seq, ack, b"hello");
    let out = p.out();
    assert_eq!(out[0].h.ack, seq + 11);
    assert_eq!(p.net.state(s), TcpState::CloseWait);
    assert_eq!(p.recv(s), b"helloworld");
    assert_eq!(p.recv(s), b"");
}

#[test]
fn data_after_close_is_answered_by_a_reset() {
    // Before our FIN is acknowledged, with the ACK of it, and in FIN_WAIT2.
    for when in 0..3 {
        let mut p = Peer::new();
        let s = p.accepted(Peer::syn_options());
        p.net.close(p.now, s);
        let fin = p.out();
        if when == 2 {
            p.ack_all(&fin);
            assert_eq!(p.states(), [TcpState::FinWait2]);
        } else if when == 1 {
            p.ack += 1;
        }
        let out = p.say(PSH, b"anybody?");
        assert!(out.len() == 1 && out[0].has(RST), "{when}: {out:?}");
        assert_eq!(out[0].h.seq, p.ack);
        assert_eq!(p.states(), [], "{when}");
        assert_eq!(p.count(Counter::TcpAbortOnData), u64::from(when != 2));
        assert_eq!(p.count(Counter::TcpCurrEstab), 0);
    }
}

#[test]
fn data_after_shutdown_of_both_is_answered_by_a_reset_and_reported() {
    let mut p = Peer::new();
    let s = p.accepted(Peer::syn_options());
    p.net.shutdown(p.now, s, Shutdown::Both).unwrap();
    p.out();
    let out = p.say(PSH, b"anybody?");
    assert!(out[0].has(RST));
    assert_eq!(p.net.state(s), TcpState::Close);
    assert_eq!(p.net.take_error(s), Some(SoError::Reset));
}

#[test]
fn shutdown_of_reading_alone_still_takes_data() {
    let mut p = Peer::new();
    let s = p.accepted(Peer::syn_options());
    p.net.shutdown(p.now, s, Shutdown::Read).unwrap();
    assert_eq!(p.recv(s), b"");
    p.say(PSH, b"anyhow");
    assert_eq!(p.recv(s), b"anyhow");
    assert_eq!(p.net.state(s), TcpState::Established);
}

#[test]
fn linger_zero_resets_with_data_unsent_and_counts() {
    let mut p = Peer::new();
    let s = p.accepted(Peer::syn_options());
    p.net
        .set_option(p.now, s, Opt::Linger(Some(Duration::ZERO)))
        .unwrap();
    p.net.close(p.now, s);
    let out = p.out();
    assert!(out.len() == 1 && out[0].has(RST.with(ACK)) && out[0].h.seq == p.ack);
    assert_eq!(p.states(), []);
    assert_eq!(p.count(Counter::TcpAbortOnData), 1);
    assert_eq!(p.count(Counter::TcpEstabResets), 1);
    assert_eq!(p.count(Counter::TcpOutRsts), 1);
}

#[test]
fn close_with_unread_data_resets() {
    let mut p = Peer::new();
    let s = p.accepted(Peer::syn_options());
    p.say(PSH, b"unread");
    p.net.close(p.now, s);
    let out = p.out();
    assert!(out.iter().any(|s| s.has(RST)) && !out.iter().any(|s| s.has(FIN)));
    assert_eq!(p.count(Counter::TcpAbortOnClose), 1);
    assert_eq!(p.states(), []);
}

/// Brings a connection into each synchronized state.
fn in_state(state: TcpState) -> (Peer, SocketId) {
    let mut p = Peer::new();
    let s = p.accepted(Peer::syn_options());
    let shut = |p: &mut Peer| {
        p.net.shutdown(p.now, s, Shutdown::Write).unwrap();
        p.out()
    };
    match state {
        TcpState::Established => {}
        TcpState::FinWait1 => {
            shut(&mut p);
        }
        TcpState::FinWait2 => {
            let f = shut(&mut p);
            p.ack_all(&f);
        }
        TcpState::Closing => {
            shut(&mut p);
            p.say(FIN, &[]);
        }
        TcpState::CloseWait => {
            p.say(FIN, &[]);
        }
        TcpState::LastAck => {
            p.say(FIN, &[]);
            shut(&mut p);
        }
        _ => unreachable!(),
    }
    p.wait(Duration::from_millis(50));
    assert_eq!(p.net.state(s), state);
    (p, s)
}

const SYNCHRONIZED: [TcpState; 6] = [
    TcpState::Established,
    TcpState::FinWait1,
    TcpState::FinWait2,
    TcpState::Closing,
    TcpState::CloseWait,
    TcpState::LastAck,
];

#[test]
fn exact_reset_in_every_state_ends_the_connection_with_linux_s_error() {
    for state in SYNCHRONIZED {
        let (mut p, s) = in_state(state);
        assert!(p.say(RST, &[]).is_empty());
        assert_eq!(p.net.state(s), TcpState::Close);
        assert_eq!(p.states(), []);
        let estab = matches!(state, TcpState::Established | TcpState::CloseWait);
        let want = if state == TcpState::CloseWait {
            SoError::Pipe
        } else {
            SoError::Reset
        };
        assert_eq!(p.net.take_error(s), Some(want), "{state:?}");
        assert_eq!(
            p.count(Counter::TcpEstabResets),
            u64::from(estab),
            "{state:?}"
        );
        assert_eq!(p.count(Counter::TcpCurrEstab), 0);
        // Nothing of what was to be sent leaves any more.
        assert!(p.wait(secs(600)).is_empty(), "{state:?}");
        p.net.close(p.now, s);
        assert!(p.out().is_empty());
    }
}

#[test]
fn reset_while_a_fin_waits_to_leave_sends_nothing_more() {
    let mut p = Peer::new();
    let s = p.accepted(Peer::syn_options());
    p.net.shutdown(p.now, s, Shutdown::Write).unwrap();
    // The FIN stands in the transmit queue.
    assert!(p.say(RST, &[]).is_empty());
    assert_eq!(p.net.state(s), TcpState::Close);
}

#[test]
fn inexact_reset_in_every_state_draws_one_challenge_ack() {
    for state in SYNCHRONIZED {
        let (mut p, s) = in_state(state);
        let before = p.count(Counter::TcpChallengeAck);
        let (seq, ack) = (p.seq, p.ack);
        for _ in 0..3 {
            p.put(RST, seq + 1, 0, &[]);
        }
        let out = p.out();
        assert_eq!(out.len(), 1, "{state:?}");
        assert_eq!((out[0].h.ack, out[0].h.flags), (seq, ACK));
        assert_eq!(p.count(Counter::TcpChallengeAck), before + 1);
        assert_eq!(p.count(Counter::TcpAckSkippedChallenge), 2);
        // Out of the window: nothing.
        p.put(RST, seq.wrapping_add(2_000_000), ack, &[]);
        assert!(p.out().is_empty());
        assert_eq!(p.net.state(s), state);
    }
}

#[test]
fn reset_that_repeats_the_fins_number_ends_closing_states_only() {
    for state in SYNCHRONIZED {
        let (mut p, s) = in_state(state);
        let seq = p.seq - 1;
        p.put(RST, seq, 0, &[]);
        p.out();
        let ended = matches!(
            state,
            TcpState::CloseWait | TcpState::LastAck | TcpState::Closing
        );
        assert_eq!(p.net.state(s) == TcpState::Close, ended, "{state:?}");
    }
}

#[test]
fn syn_in_every_state_draws_a_challenge_ack() {
    for state in SYNCHRONIZED {
        for far in [0, 1 << 30] {
            let (mut p, s) = in_state(state);
            let seq = p.seq.wrapping_add(far);
            p.put(SYN, seq, 0, &[]);
            let out = p.out();
            assert_eq!(out.len(), 1, "{state:?}");
            assert_eq!((out[0].h.ack, out[0].h.flags), (p.seq, ACK));
            assert_eq!(p.count(Counter::TcpSynChallenge), 1);
            assert_eq!(p.net.state(s), state);
        }
    }
}

#[test]
fn ack_of_what_was_never_sent_is_dropped_and_challenged() {
    for state in SYNCHRONIZED {
        let (mut p, s) = in_state(state);
        let (seq, ack) = (p.seq, p.ack);
        p.put(ACK, seq, ack + 100_000, &[]);
        let out = p.out();
        assert_eq!(out.len(), 1, "{state:?}");
        assert_eq!(p.net.state(s), state);
        assert_eq!(
            p.net.drops().get(hearken_abi::DropReason::TcpAckUnsentData),
            1
        );
    }
}

#[test]
fn orphan_in_every_closing_state_is_gone_within_its_retries() {
    for state in SYNCHRONIZED {
        let (mut p, s) = in_state(state);
        p.net.close(p.now, s);
        p.out();
        p.wait(secs(300));
        assert_eq!(p.states(), [], "{state:?}");
        assert_eq!(p.net.poll_timeout(), None);
    }
}

#[test]
fn time_wait_meets_a_later_syn_and_opens_anew() {
    let (mut p, s) = in_state(TcpState::FinWait2);
    p.say(FIN, &[]);
    assert_eq!(p.states(), [TcpState::TimeWait]);
    p.net.close(p.now, s);
    // A SYN that is not newer: the last ACK again.
    let (seq, old) = (p.seq, p.seq - 10);
    p.options = Peer::syn_options();
    p.put(SYN, old, 0, &[]);
    let out = p.out();
    assert!(out.len() == 1 && out[0].h.flags == ACK && out[0].h.ack == seq);
    p.put(SYN, seq + 1, 0, &[]);
    let out = p.out();
    assert!(out[0].has(SYN.with(ACK)));
    assert_eq!(out[0].h.ack, seq + 2);
    assert_eq!(out[0].h.seq, p.ack.wrapping_add(65537));
}

#[test]
fn time_wait_answers_a_repeated_fin_and_starts_its_minute_again() {
    let (mut p, s) = in_state(TcpState::FinWait2);
    p.say(FIN, &[]);
    p.net.close(p.now, s);
    p.wait(secs(40));
    let (seq, ack) = (p.seq - 1, p.ack);
    p.put(FIN, seq, ack, &[]);
    p.put(FIN, seq, ack, &[]);
    assert_eq!(p.out().len(), 1);
    assert_eq!(p.count(Counter::TcpAckSkippedTimeWait), 1);
    p.wait(secs(40));
    assert_eq!(p.states(), [TcpState::TimeWait]);
    p.wait(secs(21));
    assert_eq!(p.states(), []);
    assert_eq!(p.count(Counter::Tw), 1);
}

#[test]
fn orphan_fin_wait2_takes_the_lone_fin_and_resets_data_with_it() {
    for data in [&b""[..], b"x"] {
        let (mut p, s) = in_state(TcpState::FinWait2);
        p.net.close(p.now, s);
        let out = p.say(FIN, data);
        assert_eq!(out.len(), 1);
        if data.is_empty() {
            assert_eq!((out[0].h.flags, out[0].h.ack), (ACK, p.seq));
            assert_eq!(p.states(), [TcpState::TimeWait]);
        } else {
            assert!(out[0].has(RST));
            assert_eq!(p.states(), []);
        }
    }
}

#[test]
fn orphan_fin_wait2_resets_a_fin_with_a_gap_before_it() {
    let (mut p, s) = in_state(TcpState::FinWait2);
    p.net.close(p.now, s);
    let (seq, ack) = (p.seq, p.ack);
    p.put(FIN, seq + 7, ack, &[]);
    assert!(p.out()[0].has(RST));
    assert_eq!(p.states(), []);
}

#[test]
fn linger_zero_in_last_ack_sends_and_counts_nothing() {
    let mut p = Peer::new();
    let s = p.accepted(Peer::syn_options());
    p.say(FIN, &[]);
    p.net.shutdown(p.now, s, Shutdown::Write).unwrap();
    let fin = p.out();
    assert!(fin.iter().any(|s| s.has(FIN)), "{fin:?}");
    assert_eq!(p.net.state(s), TcpState::LastAck);
    let before = (p.count(Counter::TcpOutSegs), p.count(Counter::TcpOutRsts));
    p.net
        .set_option(p.now, s, Opt::Linger(Some(Duration::ZERO)))
        .unwrap();
    p.net.close(p.now, s);
    assert!(p.out().is_empty());
    let after = (p.count(Counter::TcpOutSegs), p.count(Counter::TcpOutRsts));
    assert_eq!(after, before);
}
