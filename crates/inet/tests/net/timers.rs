//! Retransmission, persist, keepalive, delayed ACK, Nagle and TCP_CORK, by the clock.

use crate::common::peer::*;
use crate::common::*;
use core::time::Duration;
use hearken_abi::Counter;
use hearken_inet::*;

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}
fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn syn_unanswered_is_sent_again_as_linux_does_then_times_out() {
    let mut p = Peer::new();
    let (s, syn) = p.connecting();
    let again = p.wait(secs(130));
    // Four linear timeouts, then six that double.
    let at: Vec<u64> = again.iter().map(|(t, _)| t.as_secs()).collect();
    assert_eq!(at, [1, 2, 3, 4, 5, 7, 11, 19, 35, 67]);
    assert!(
        again
            .iter()
            .all(|(_, s)| s.h.seq == syn.h.seq && s.h.flags == SYN)
    );
    assert_eq!(p.net.state(s), TcpState::SynSent);
    assert_eq!(p.count(Counter::TcpSynRetrans), 10);
    p.wait(secs(1));
    assert_eq!(p.net.take_error(s), Some(SoError::TimedOut));
    assert_eq!(p.count(Counter::TcpAttemptFails), 1);
    assert_eq!(p.net.poll_timeout(), None);
}

#[test]
fn syn_cnt_option_limits_the_attempts() {
    let mut p = Peer::new();
    let s = p.net.socket(Domain::Inet);
    p.net.set_option(p.now, s, Opt::SynCnt(1)).unwrap();
    p.net
        .sysctl_set("net.ipv4.tcp_syn_linear_timeouts", "0")
        .unwrap();
    let at = ([10, 0, 0, 1], 9).into();
    p.net.connect(p.now, s, at, &Cred::ROOT).unwrap();
    p.out();
    assert_eq!(p.wait(secs(4)).len(), 1);
    assert_eq!(p.net.take_error(s), Some(SoError::TimedOut));
}

#[test]
fn data_unanswered_backs_off_and_times_out_after_tcp_retries2() {
    let mut p = Peer::new();
    let s = p.accepted(Peer::syn_options());
    let out = p.send(s, b"hello?");
    let again = p.wait(secs(1100));
    assert!(
        again
            .iter()
            .all(|(_, s)| s.h.seq == out[0].h.seq && s.data == b"hello?")
    );
    // A tail loss probe, then timeouts of which each waits twice as long, two minutes at the most, until what fifteen
    // from 200 ms on stand for, 924.6 s, is over since the first: the sixteenth is 0.2 s short of it.
    assert_eq!(p.count(Counter::TcpTimeouts), 17);
    let gaps: Vec<_> = again.windows(2).map(|w| w[1].0 - w[0].0).collect();
    assert!(
        gaps.windows(2)
            .skip(1)
            .all(|g| g[1] == g[0] * 2 || g[1] == secs(120)),
        "{gaps:?}"
    );
    assert_eq!(p.net.state(s), TcpState::Close);
    assert_eq!(p.net.take_error(s), Some(SoError::TimedOut));
    assert_eq!(p.count(Counter::TcpAbortOnTimeout), 1);
    assert_eq!(p.count(Counter::TcpCurrEstab), 0);
}

#[test]
fn retransmission_backed_off_to_the_limit_recovers_with_the_first_ack() {
    let mut p = Peer::new();
    let s = p.accepted(Peer::syn_options());
    let out = p.send(s, b"hello?");
    p.wait(secs(600));
    assert_eq!(p.net.state(s), TcpState::Established);
    p.ack_all(&out);
    let out = p.send(s, b"again");
    assert_eq!(out.len(), 1);
    let again = p.wait(secs(2));
    assert!(again[0].0 < ms(700), "{:?}", again[0].0);
}

#[test]
fn zero_window_is_probed_for_hours_and_recovers() {
    let mut p = Peer::new();
    let s = p.accepted(Peer::syn_options());
    p.wnd = 0;
    p.say(ACK, &[]);
    assert!(p.send(s, &[7; 3000]).is_empty());
    let (start, mut gap) = (p.now, Duration::ZERO);
    let mut probes = 0;
    while p.now.since(start) < secs(5 * 3600) {
        let before = p.now;
        let out = loop {
            let next = p.net.poll_timeout().expect("a timer");
            let d = next.since(p.now);
            let out = p.wait(d);
            if !out.is_empty() {
                break out;
            }
        };
        assert!(out[0].1.data.is_empty() && out[0].1.h.seq == p.ack.wrapping_sub(1));
        gap = p.now.since(before);
        probes += 1;
        p.say(ACK, &[]);
    }
    assert_eq!(gap, secs(120));
    assert!(p.net.diag().iter().any(|r| r.timer == 4));
    assert_eq!(p.count(Counter::TcpWinProbe), probes);
    assert_eq!(p.net.state(s), TcpState::Established);
    p.wnd = 60_000;
    let out = p.say(ACK, &[]);
    assert_eq!(out.iter().map(|s| s.data.len()).sum::<usize>(), 3000);
    p.ack_all(&out);
    assert_eq!(p.net.unacked(s), (0, 0));
}

#[test]
fn zero_window_of_a_silent_peer_times_out() {
    let mut p = Peer::new();
    let s = p.accepted(Peer::syn_options());
    p.wnd = 0;
    p.say(ACK, &[]);
    p.send(s, b"stuck");
    assert_eq!(p.wait(secs(1200)).len(), 15);
    assert_eq!(p.net.take_error(s), Some(SoError::TimedOut));
}

#[test]
fn zero_window_towards_an_orphan_ends_though_the_peer_answers() {
    let mut p = Peer::new();
    let s = p.accepted(Peer::syn_options());
    p.wnd = 0;
    p.say(ACK, &[]);
    p.send(s, b"stuck");
    p.net.close(p.now, s);
    for _ in 0..1000 {
        p.out();
        let Some(t) = p.net.poll_timeout() else { break };
        if !p.wait(t.since(p.now)).is_empty() {
            p.say(ACK, &[]);
        }
    }
    assert_eq!(p.states(), []);
    let min = p.now.since(Instant(1_000_000_000)).as_secs();
    assert!((100..600).contains(&min), "{min}");
}

#[test]
fn window_smaller_than_a_segment_is_filled_by_the_timer_only() {
    let mut p = Peer::new();
    let s = p.accepted(Peer::syn_options());
    p.say(PSH, b"x");
    p.wnd = 100;
    p.say(PSH, b"y");
    assert!(p.send(s, &[7; 3000]).is_empty(), "silly window");
    let out = p.wait(ms(300));
    assert_eq!(out.len(), 1);
    assert_eq!(out[0].1.data.len(), 100);
    assert_eq!(p.count(Counter::TcpWinProbe), 0);
}

#[test]
fn peer_with_a_tiny_buffer_gets_segments_of_half_of_it_at_once() {
    let mut p = Peer::new();
    p.wnd = 600;
    let s = p.accepted(Peer::syn_options());
    let mut out = p.send(s, &[7; 3000]);
    let mut got = 0;
    for _ in 0..100 {
        assert!(out.iter().all(|s| s.data.len() <= 300));
        got += out.iter().map(|s| s.data.len()).sum::<usize>();
        if got == 3000 {
            break;
        }
        out = p.ack_all(&out);
    }
    assert_eq!(got, 3000);
    assert_eq!(p.now, Instant(1_000_000_000), "no timer was needed");
}

#[test]
fn window_taken_back_while_data_is_out_keeps_an_answering_connection() {
    let mut p = Peer::new();
    let s = p.accepted(Peer::syn_options());
    let out = p.send(s, &[7; 3000]);
    assert_eq!(out.len(), 3);
    p.wnd = 0;
    p.say(ACK, &[]);
    let start = p.now;
    while p.now.since(start) < secs(4 * 3600) {
        let next = p.net.poll_timeout().expect("a timer");
        if !p.wait(next.since(p.now)).is_empty() {
            p.say(ACK, &[]);
        }
    }
    assert_eq!(p.net.state(s), TcpState::Established);
    p.wnd = 60_000;
    p.ack += 1000;
    let mut out = p.say(ACK, &[]);
    for _ in 0..5 {
        out.extend(p.wait(secs(130)).into_iter().map(|s| s.1));
        p.ack_all(&out.clone());
    }
    assert_eq!(p.net.unacked(s), (0, 0));
    // And a silent one is given up.
    let out = p.send(s, &[7; 3000]);
    assert_eq!(out.len(), 3);
    p.wnd = 0;
    p.say(ACK, &[]);
    p.wait(secs(800));
    assert_eq!(p.net.take_error(s), Some(SoError::TimedOut));
}

#[test]
fn keepalive_probes_an_idle_peer_and_gives_up_with_a_reset() {
    let mut p = Peer::new();
    let s = p.accepted(Peer::syn_options());
    p.net.set_option(p.now, s, Opt::KeepAlive(true)).unwrap();
    assert!(p.wait(secs(7199)).is_empty());
    assert!(p.net.diag().iter().any(|r| r.timer == 2));
    // Traffic starts the two hours afresh.
    p.say(PSH, b"x");
    assert!(p.wait(secs(7199)).iter().all(|(_, s)| s.h.seq == p.ack));
    let out = p.wait(secs(2));
    assert_eq!(out.len(), 1);
    assert_eq!(out[0].1.h.seq, p.ack.wrapping_sub(1));
    // Answered: two hours again.
    p.say(ACK, &[]);
    assert!(p.wait(secs(7199)).is_empty());
    let out = p.wait(secs(1 + 9 * 75));
    assert_eq!(p.net.take_error(s), Some(SoError::TimedOut));
    let (last, probes) = out.split_last().unwrap();
    assert_eq!(probes.len(), 9);
    assert!(last.1.has(RST));
    assert_eq!(p.count(Counter::TcpKeepAlive), 10);
    assert_eq!(p.count(Counter::TcpWinProbe), 0);
    assert_eq!(p.count(Counter::TcpAbortOnTimeout), 1);
}

#[test]
fn ack_of_a_lone_small_segment_is_delayed_once_quick_acks_are_spent() {
    let mut p = Peer::new();
    let s = p.accepted(Peer::syn_options());
    for _ in 0..16 {
        assert_eq!(p.say(PSH, b"w").len(), 1);
    }
    assert!(p.say(PSH, b"x").is_empty());
    // Not longer than the retransmission timeout: that would be a silence, after which ACKs are quick again.
    let out = p.wait(ms(100));
    assert_eq!(out.len(), 1);
    assert_eq!(out[0].0, ms(40));
    assert_eq!(p.count(Counter::DelayedAcks), 1);
    // Every second full segment at once.
    assert!(p.say(PSH, &[1; 1000]).is_empty());
    assert!(p.say(PSH, &[1; 1000]).is_empty());
    // Not before the program has made room, for the window would not move on (tcp_cleanup_rbuf, 6.18).
    p.recv(s);
    assert_eq!(p.out().len(), 1);
    // An answer carries it.
    p.say(PSH, b"y");
    let out = p.send(s, b"z");
    assert_eq!((out.len(), out[0].h.ack), (1, p.seq));
    p.ack_all(&out);
    assert!(p.wait(secs(1)).is_empty());
}

#[test]
fn nagle_holds_a_second_small_segment_until_the_first_is_acknowledged() {
    let mut p = Peer::new();
    let s = p.accepted(Peer::syn_options());
    let first = p.send(s, b"a");
    assert_eq!(first.len(), 1);
    assert!(p.send(s, b"b").is_empty());
    assert!(p.send(s, b"c").is_empty());
    let out = p.ack_all(&first);
    assert_eq!(out[0].data, b"bc");
    // TCP_NODELAY pushes what waits, and later ones are not held.
    assert!(p.send(s, b"d").is_empty());
    p.net.set_option(p.now, s, Opt::NoDelay(true)).unwrap();
    assert_eq!(p.out()[0].data, b"d");
    assert_eq!(p.send(s, b"e")[0].data, b"e");
}

#[test]
fn cork_holds_the_tail_until_uncorked_closed_or_200_ms() {
    for how in 0..3 {
        let mut p = Peer::new();
        let s = p.accepted(Peer::syn_options());
        p.net.set_option(p.now, s, Opt::Cork(true)).unwrap();
        p.net.set_option(p.now, s, Opt::NoDelay(true)).unwrap();
        let out = p.send(s, &[7; 1100]);
        assert_eq!((out.len(), out[0].data.len()), (1, 1000));
        let mut out = p.ack_all(&out);
        assert!(out.is_empty());
        match how {
            0 => {
                p.net.set_option(p.now, s, Opt::Cork(false)).unwrap();
                out = p.out();
            }
            1 => {
                p.net.close(p.now, s);
                out = p.out();
                assert!(out[0].has(FIN));
            }
            _ => {
                let late = p.wait(secs(1));
                assert!((ms(200)..ms(300)).contains(&late[0].0), "{late:?}");
                out.push(late[0].1.clone());
            }
        }
        assert_eq!(out[0].data.len(), 100);
    }
}

#[test]
fn icmp_error_that_came_meanwhile_is_what_a_timeout_reports() {
    let mut p = Peer::new();
    let s = p.accepted(Peer::syn_options());
    let out = p.send(s, b"hello?");
    let mut quoted = vec![0u8; 28];
    hearken_wire::ipv4::Header {
        src: [10, 0, 0, 2],
        dst: [10, 0, 0, 1],
        protocol: 6,
        ttl: 1,
        total_len: 60,
        ..Default::default()
    }
    .emit(&mut quoted);
    quoted[20..22].copy_from_slice(&80u16.to_be_bytes());
    quoted[22..24].copy_from_slice(&p.port.to_be_bytes());
    quoted[24..28].copy_from_slice(&out[0].h.seq.to_be_bytes());
    let mut m = vec![3, 1, 0, 0, 0, 0, 0, 0];
    m.extend(quoted);
    let sum = hearken_wire::checksum::of(&m).to_be_bytes();
    m[2..4].copy_from_slice(&sum);
    let mut b = vec![0; 20];
    hearken_wire::ipv4::Header {
        src: [10, 0, 0, 1],
        dst: [10, 0, 0, 2],
        protocol: 1,
        ttl: 64,
        total_len: (20 + m.len()) as u16,
        ..Default::default()
    }
    .emit(&mut b);
    b.extend(m);
    let frame = RxFrame {
        meta: RxMeta::default(),
        head: &b,
        body: &[],
    };
    p.net.handle_frames(p.now, ETH, &[frame]);
    assert_eq!(p.net.state(s), TcpState::Established);
    p.wait(secs(1000));
    assert_eq!(p.net.take_error(s), Some(SoError::HostUnreach));
}

#[test]
fn keepalives_unanswered_before_do_not_count_against_data() {
    let mut p = Peer::new();
    let s = p.accepted(Peer::syn_options());
    p.net.set_option(p.now, s, Opt::KeepAlive(true)).unwrap();
    assert_eq!(p.wait(secs(7200 + 7 * 75 + 1)).len(), 8);
    p.send(s, b"hello?");
    p.wait(secs(900));
    assert_eq!(p.net.state(s), TcpState::Established);
    assert_eq!(p.count(Counter::TcpTimeouts), 15);
    p.wait(secs(200));
    assert_eq!(p.net.take_error(s), Some(SoError::TimedOut));
}

/// Takes one frame.
struct One(bool);
impl TxSink for One {
    fn caps(&self) -> TxCaps {
        TxCaps {
            csum: false,
            max_gso: 0,
        }
    }
    fn room(&self) -> usize {
        usize::from(!self.0)
    }
    fn send(&mut self, _: &TxMeta, _: &[u8], _: &[&[u8]]) {
        self.0 = true;
    }
}

#[test]
fn sink_that_fills_up_in_the_middle_leaves_the_timer_armed() {
    let mut p = Peer::new();
    let s = p.accepted(Peer::syn_options());
    p.wait(secs(2));
    assert_eq!(p.net.poll_timeout(), None);
    write(&mut p.net, p.now, s, &[7; 3000]).unwrap();
    let progress = p.net.poll_transmit(p.now, ETH, &mut One(false));
    assert_eq!(progress, Progress::SinkFull);
    assert!(p.net.poll_timeout().is_some());
    assert_eq!(p.out().len(), 2);
}
