//! What an established connection makes of single segments: windows, timestamps, duplicates, SACK in both directions.

use crate::common::peer::*;
use crate::common::*;
use core::time::Duration;
use hearken_abi::{Counter, DropReason};
use hearken_inet::*;
use hearken_wire::options::SackBlocks;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}
fn sack(p: &mut Peer, blocks: &[(u32, u32)]) {
    p.options.sack = SackBlocks::NONE;
    for b in blocks {
        assert!(p.options.sack.push(b.0, b.1));
    }
}

#[test]
fn timestamp_of_an_unacceptable_segment_cannot_poison_the_connection() {
    let mut p = Peer::new();
    let mut o = Peer::syn_options();
    o.timestamps = Some((1000, 0));
    let s = p.accepted(o);
    let ecr = p.options.timestamps.unwrap().1;
    let (seq, ack) = (p.seq, p.ack);
    p.wait(ms(10));
    // Blind: an old sequence number, then an ACK of nothing that was sent, both with a timestamp far ahead.
    p.options.timestamps = Some((1000 + (1 << 30), ecr));
    p.put(ACK, seq.wrapping_sub(100_000), ack, b"x");
    p.put(ACK, seq, ack.wrapping_add(1 << 20), b"x");
    p.out();
    p.options.timestamps = Some((1010, ecr));
    p.say(PSH, b"hello");
    assert_eq!(p.recv(s), b"hello");
    assert_eq!(p.count(Counter::PawsEstab), 0);
}

#[test]
fn paws_drops_an_older_timestamp_but_not_a_reset_and_not_after_24_days() {
    let mut p = Peer::new();
    let mut o = Peer::syn_options();
    o.timestamps = Some((100_000, 0));
    let s = p.accepted(o);
    let ecr = p.options.timestamps.unwrap().1;
    p.options.timestamps = Some((99_000, ecr));
    let (seq, ack) = (p.seq, p.ack);
    p.put(PSH, seq, ack, b"old");
    // Data is always answered.
    p.put(PSH, seq, ack, b"old");
    assert_eq!(p.out().len(), 1);
    assert_eq!(p.count(Counter::PawsEstab), 2);
    assert_eq!(p.net.drops().get(DropReason::TcpRfc7323Paws), 2);
    // Without data, at most one answer in half a second.
    p.put(ACK, seq, ack, b"");
    p.put(ACK, seq, ack, b"");
    assert_eq!(p.out().len(), 1);
    assert_eq!(p.count(Counter::TcpAckSkippedPaws), 1);
    assert_eq!(p.net.readable(s), 0);
    p.wait(Duration::from_secs(25 * 24 * 3600));
    p.say(PSH, b"new turn");
    assert_eq!(p.recv(s), b"new turn");
    p.options.timestamps = Some((5, ecr));
    p.say(RST, b"");
    assert_eq!(p.net.state(s), TcpState::Close);
}

#[test]
fn duplicate_data_is_always_acknowledged_and_reported_by_dsack() {
    let mut p = Peer::new();
    let s = p.accepted(Peer::syn_options());
    let (seq, ack) = (p.seq, p.ack);
    p.say(PSH, b"hello");
    for n in 1..4 {
        p.put(PSH, seq, ack, b"hello");
        let out = p.out();
        assert_eq!(out.len(), 1, "{n}");
        assert_eq!(out[0].h.ack, seq + 5);
        assert_eq!(out[0].h.options.sack.as_slice(), [(seq, seq + 5)]);
        assert_eq!(p.count(Counter::TcpDsackOldSent), n);
        assert_eq!(p.count(Counter::DelayedAckLost), n);
    }
    // Overlap: only the rest is new.
    p.put(PSH, seq + 2, ack, b"llo world");
    p.seq = seq + 11;
    assert_eq!(p.recv(s), b"hello world");
}

#[test]
fn old_pure_ack_is_answered_once_in_half_a_second() {
    let mut p = Peer::new();
    p.accepted(Peer::syn_options());
    p.say(PSH, b"hello");
    let (seq, ack) = (p.seq - 6, p.ack);
    for _ in 0..5 {
        p.put(ACK, seq, ack, b"");
    }
    assert_eq!(p.out().len(), 1);
    assert_eq!(p.count(Counter::TcpAckSkippedSeq), 4);
    p.wait(ms(501));
    p.put(ACK, seq, ack, b"");
    assert_eq!(p.out().len(), 1);
}

#[test]
fn ack_older_than_any_window_is_challenged() {
    let mut p = Peer::new();
    let s = p.accepted(Peer::syn_options());
    let (seq, ack) = (p.seq, p.ack);
    // Nothing was ever acknowledged: one less was never ours.
    p.put(PSH, seq, ack - 1, b"evil");
    assert_eq!(p.out().len(), 1);
    assert_eq!(p.net.readable(s), 0);
    assert_eq!(p.count(Counter::TcpChallengeAck), 1);
    assert_eq!(p.net.drops().get(DropReason::TcpTooOldAck), 1);
    // What was acknowledged lately may be late.
    let out = p.send(s, &[7; 100]);
    p.ack_all(&out);
    p.put(PSH, seq, ack, b"late");
    p.seq = seq + 4;
    assert_eq!(p.recv(s), b"late");
}

#[test]
fn data_that_ends_beyond_the_window_is_taken_while_nothing_waits() {
    let mut p = Peer::new();
    let s = p.accepted(Peer::syn_options());
    let (seq, ack) = (p.seq, p.ack);
    let wnd = p.net.tcp_info(p.now, s).rcv_wnd;
    p.put(PSH, seq + wnd - 2, ack, b"abcd");
    let out = p.out();
    assert_eq!(
        out[0].h.options.sack.as_slice(),
        [(seq + wnd - 2, seq + wnd + 2)]
    );
    let wnd = p.net.tcp_info(p.now, s).rcv_wnd;
    p.put(PSH, seq + wnd + 1, ack, b"abcd");
    assert_eq!(p.out().len(), 1);
    assert_eq!(p.net.drops().get(DropReason::TcpInvalidSequence), 1);
}

#[test]
fn receive_buffer_full_shuts_the_window_and_reading_opens_it() {
    let mut p = Peer::new();
    let s = p.accepted(Peer::syn_options());
    let mut left = 0xffff;
    for _ in 0..200 {
        let n = 1000.min(usize::from(left));
        if n == 0 {
            break;
        }
        for o in p.say(PSH, &vec![1; n]) {
            left = o.h.window;
        }
        p.wait(ms(50)).iter().for_each(|(_, o)| left = o.h.window);
    }
    assert_eq!(left, 0);
    // A probe with a byte is answered and the byte dropped.
    let (seq, ack) = (p.seq, p.ack);
    p.put(PSH, seq, ack, b"p");
    assert_eq!(p.out()[0].h.ack, seq);
    assert_eq!(p.count(Counter::BeyondWindow), 1);
    let n = p.net.readable(s);
    let mut got = 0;
    let mut opened = Vec::new();
    while got < n {
        got += p.recv(s).len();
        opened.extend(p.out());
    }
    assert!(opened.last().unwrap().h.window > 30_000, "{opened:?}");
    p.say(PSH, b"p");
    assert_eq!(p.recv(s), b"p");
}

#[test]
fn islands_of_single_bytes_stop_at_what_the_buffer_pays_for() {
    let mut p = Peer::new();
    let s = p.accepted(Peer::syn_options());
    let (seq, ack) = (p.seq, p.ack);
    for i in 0..20_000 {
        p.put(PSH, seq + 1 + 2 * i, ack, b"x");
        if i % 100 == 0 {
            p.out();
        }
    }
    let kept = p.count(Counter::TcpOfoQueue);
    // Linux lets the buffer grow up to tcp_rmem's third number (docs/linux/receive-window.md).
    assert!(kept < 6_291_456 / 832 + 2, "{kept}");
    assert_eq!(kept + p.count(Counter::TcpOfoDrop), 20_000);
    // The stream goes on where it is in order.
    for i in 0..20_000 {
        p.put(PSH, seq + 2 * i, ack, b"ab");
        p.out();
        if i % 1000 == 999 {
            while p.net.readable(s) > 0 {
                p.recv(s);
                p.out();
            }
        }
    }
    p.seq = seq + 40_000;
    assert!(p.say(ACK, b"").is_empty());
    p.say(PSH, b"end");
    assert_eq!(p.recv(s), b"end");
}

#[test]
fn sack_block_of_the_newest_island_comes_first_also_beside_data() {
    let mut p = Peer::new();
    let s = p.accepted(Peer::syn_options());
    let (seq, ack) = (p.seq, p.ack);
    p.put(PSH, seq + 100, ack, &[1; 50]);
    p.put(PSH, seq + 300, ack, &[1; 50]);
    p.put(PSH, seq + 200, ack, &[1; 50]);
    let want = [
        (seq + 200, seq + 250),
        (seq + 300, seq + 350),
        (seq + 100, seq + 150),
    ];
    assert_eq!(p.out()[0].h.options.sack.as_slice(), want);
    // Data makes room for them.
    let out = p.send(s, &[7; 2000]);
    for o in &out {
        assert_eq!(o.h.options.sack.as_slice(), want);
        assert!(o.data.len() <= 1000 - 28);
    }
    assert_eq!(out.iter().map(|o| o.data.len()).sum::<usize>(), 2000);
}

#[test]
fn three_sacked_segments_draw_a_fast_retransmission_of_the_hole_only() {
    let mut p = Peer::new();
    let s = p.accepted(Peer::syn_options());
    let out = p.send(s, &[7; 6000]);
    assert_eq!(out.len(), 6);
    let una = out[0].h.seq;
    for end in 2..=4 {
        sack(&mut p, &[(una + 1000, una + end * 1000)]);
        let again = p.say(ACK, b"");
        if end < 4 {
            assert!(again.is_empty());
        } else {
            assert_eq!(again.len(), 1);
            assert_eq!((again[0].h.seq, again[0].data.len()), (una, 1000));
        }
    }
    assert_eq!(p.count(Counter::TcpSackRecovery), 1);
    assert_eq!(p.count(Counter::TcpFastRetrans), 1);
    sack(&mut p, &[]);
    p.ack_all(&out);
    assert_eq!(p.net.unacked(s), (0, 0));
    assert!(p.wait(Duration::from_secs(5)).is_empty());
    assert_eq!(p.count(Counter::TcpTimeouts), 0);
}

#[test]
fn peer_that_takes_its_sack_back_gets_everything_again() {
    let mut p = Peer::new();
    let s = p.accepted(Peer::syn_options());
    let out = p.send(s, &[7; 5000]);
    let una = out[0].h.seq;
    // Everything but the ACK: the first bytes are SACKed, too.
    sack(&mut p, &[(una, una + 5000)]);
    p.say(ACK, b"");
    sack(&mut p, &[]);
    let again = p.wait(Duration::from_secs(1));
    assert!(
        again
            .iter()
            .any(|(_, o)| o.h.seq == una && o.data.len() == 1000)
    );
    assert_eq!(p.count(Counter::TcpSackReneging), 1);
    // As the ACKs come, all of it comes.
    for _ in 0..10 {
        p.ack = p.ack.wrapping_add(1000).min(una + 5000);
        p.say(ACK, b"");
    }
    assert_eq!(p.net.unacked(s), (0, 0));
}

#[test]
fn sack_of_nonsense_is_counted_and_changes_nothing() {
    let mut p = Peer::new();
    let s = p.accepted(Peer::syn_options());
    let out = p.send(s, &[7; 5000]);
    let una = out[0].h.seq;
    sack(
        &mut p,
        &[
            (una + 1000, una + 1000),
            (una + 3000, una + 2000),
            (una + 1000, una + 5001),
            (una.wrapping_sub(1 << 31), una + 1000),
        ],
    );
    p.say(ACK, b"");
    assert!(p.count(Counter::TcpSackDiscard) >= 3);
    assert_eq!(p.count(Counter::TcpSackRecovery), 0);
    sack(&mut p, &[]);
    p.ack_all(&out);
    assert_eq!(p.net.unacked(s), (0, 0));
}

#[test]
fn duplicate_acks_without_sack_draw_a_fast_retransmission_at_the_third() {
    let mut p = Peer::new();
    let mut o = Peer::syn_options();
    o.sack_permitted = false;
    let s = p.accepted(o);
    let out = p.send(s, &[7; 6000]);
    assert!(p.say(ACK, b"").is_empty());
    assert!(p.say(ACK, b"").is_empty());
    let again = p.say(ACK, b"");
    assert_eq!((again.len(), again[0].h.seq), (1, out[0].h.seq));
    assert_eq!(p.count(Counter::TcpRenoRecovery), 1);
    // A partial ACK names the next hole.
    p.ack = p.ack.wrapping_add(2000);
    let again = p.say(ACK, b"");
    assert_eq!(again[0].h.seq, out[2].h.seq);
    p.ack_all(&out);
    assert_eq!(p.net.unacked(s), (0, 0));
}

#[test]
fn super_frame_partly_acknowledged_sends_the_rest_again() {
    let mut p = Peer::new();
    p.gso = true;
    let s = p.accepted(Peer::syn_options());
    let out = p.send(s, &(0..=255).cycle().take(8000).collect::<Vec<u8>>());
    assert_eq!((out.len(), out[0].data.len()), (1, 8000));
    let una = out[0].h.seq;
    p.ack = una + 2500;
    assert!(p.say(ACK, b"").is_empty());
    let mut got = out[0].data[..2500].to_vec();
    // Timeouts and the ACKs of what they send.
    for _ in 0..40 {
        for (_, o) in p.wait(ms(300)) {
            let at = o.h.seq.wrapping_sub(una) as usize;
            if at == got.len() {
                got.extend(&o.data);
            }
        }
        p.ack = una + got.len() as u32;
        for o in p.say(ACK, b"") {
            let at = o.h.seq.wrapping_sub(una) as usize;
            assert_eq!(o.data, out[0].data[at..at + o.data.len()]);
            if at <= got.len() {
                got.extend(&o.data[got.len() - at..]);
            }
        }
        p.ack = una + got.len() as u32;
        p.say(ACK, b"");
    }
    assert!(got == out[0].data);
    assert_eq!(p.net.unacked(s), (0, 0));
    assert!(p.count(Counter::TcpRetransSegs) >= 6);
}

#[test]
fn smallest_mss_with_every_option_still_carries_data() {
    let mut p = Peer::new();
    let mut o = Peer::syn_options();
    (o.mss, o.timestamps) = (Some(1), Some((1, 0)));
    let s = p.accepted(o);
    let out = p.send(s, &[7; 300]);
    assert!(out.iter().all(|o| o.data.len() <= 36 && !o.data.is_empty()));
    // And beside three SACK blocks.
    let (seq, ack) = (p.seq, p.ack);
    for i in 1..5 {
        p.put(PSH, seq + 100 * i, ack, b"x");
    }
    let mut out = out;
    let mut total: usize = out.iter().map(|o| o.data.len()).sum();
    for _ in 0..100 {
        out = p.ack_all(&out);
        assert!(out.iter().all(|o| o.data.len() <= 36));
        total += out.iter().map(|o| o.data.len()).sum::<usize>();
        if total == 300 {
            return;
        }
    }
    panic!("{total}");
}

#[test]
fn connection_to_itself_carries_data() {
    let mut n = net(5, 5);
    let now = Instant(1_000_000_000);
    let s = n.socket(Domain::Inet);
    let at = "127.0.0.1:7000".parse().unwrap();
    n.bind(s, at, &Cred::ROOT).unwrap();
    n.connect(now, s, at, &Cred::ROOT).unwrap();
    while n.poll_lo(now) {}
    assert_eq!(n.state(s), TcpState::Established);
    assert_eq!(write(&mut n, now, s, b"echo"), Ok(4));
    while n.poll_lo(now) {}
    assert_eq!(read(&mut n, now, s).unwrap(), b"echo");
    assert_eq!(n.mib().get(Counter::TcpCurrEstab), 1);
    n.shutdown(now, s, Shutdown::Write).unwrap();
    while n.poll_lo(now) {}
    n.close(now, s);
    while n.poll_lo(now) {}
    assert_eq!(n.mib().get(Counter::TcpCurrEstab), 0);
    assert!(n.diag().iter().all(|r| r.state == TcpState::TimeWait));
}

#[test]
fn timestamp_echoed_is_that_of_the_segment_that_spans_the_last_ack() {
    let mut p = Peer::new();
    let mut o = Peer::syn_options();
    o.timestamps = Some((1000, 0));
    p.accepted(o);
    let ecr = p.options.timestamps.unwrap().1;
    let echoed = |out: &[Seg]| out[0].h.options.timestamps.unwrap().1;
    p.options.timestamps = Some((1100, ecr));
    assert_eq!(echoed(&p.say(PSH, b"hello")), 1100);
    // Beyond a hole: acknowledged, but the old one is echoed (RFC 7323 4.3, case B).
    let (seq, ack) = (p.seq, p.ack);
    p.options.timestamps = Some((1200, ecr));
    p.put(PSH, seq + 5, ack, b"world");
    assert_eq!(echoed(&p.out()), 1100);
    p.options.timestamps = Some((1300, ecr));
    p.put(PSH, seq, ack, b"small");
    assert_eq!(echoed(&p.out()), 1300);
    // One tick back is let pass, but not taken.
    p.options.timestamps = Some((1299, ecr));
    p.put(PSH, seq + 10, ack, b"x");
    assert_eq!(echoed(&p.out()), 1300);
    assert_eq!(p.count(Counter::PawsEstab), 0);
}

#[test]
fn right_edge_of_the_window_never_moves_back() {
    let mut p = Peer::new();
    let mut o = Peer::syn_options();
    o.wscale = Some(7);
    let s = p.accepted(o);
    let scale = p.net.tcp_info(p.now, s).rcv_wscale;
    assert!(scale > 0);
    let mut edge = 0;
    for i in 0..400usize {
        let mut out = p.say(PSH, &vec![1; 1 + i * 7 % 300]);
        if i % 90 == 89 {
            p.recv(s);
            out.extend(p.out());
        }
        for o in out {
            let e = o.h.ack + (u32::from(o.h.window) << scale);
            assert!(e >= edge, "{i}: {} back", edge - e);
            edge = e;
        }
    }
}
