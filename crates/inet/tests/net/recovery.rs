//! Loss recovery against a peer written by hand.

use crate::common::peer::*;
use core::time::Duration;
use hearken_abi::Counter;
use hearken_wire::Options;

/// RFC 6582: without SACK three duplicates mean that the first segment is lost; what was never sent is not.
#[test]
fn duplicates_with_less_than_a_segment_out_bring_back_only_what_was_sent() {
    let mut p = Peer::new();
    // No SACK; and a window that holds one short segment.
    p.wnd = 400;
    let s = p.accepted(Options {
        mss: Some(1000),
        ..Options::NONE
    });
    p.net
        .set_option(p.now, s, hearken_inet::Opt::NoDelay(true))
        .unwrap();
    let out = p.send(s, &[1; 300]);
    assert_eq!((out.len(), out[0].data.len()), (1, 300));
    assert_eq!(p.send(s, &[2; 2000]).len(), 0);
    let again: Vec<_> = (0..3).flat_map(|_| p.say(ACK, &[])).collect();
    let sent: Vec<_> = again.iter().map(|s| (s.h.seq, s.data.len())).collect();
    assert_eq!(sent, [(out[0].h.seq, 300)]);
    // Everything that came is acknowledged and believed.
    p.wnd = 60_000;
    let rest = p.ack_all(&again);
    assert_eq!(rest.iter().map(|s| s.data.len()).sum::<usize>(), 2000);
    assert!(p.ack_all(&rest).is_empty());
    assert!(p.wait(Duration::from_secs(60)).is_empty());
    assert_eq!(p.count(Counter::TcpTimeouts), 0);
    assert_eq!(p.count(Counter::TcpRenoRecovery), 1);
}

/// RFC 8985 7.3: the probe is the last segment; RFC 6691: the options count against the MSS.
#[test]
fn tail_loss_probe_beside_sack_blocks_fits_the_mss() {
    let mut p = Peer::new();
    let s = p.accepted(Peer::syn_options());
    // A round trip is known.
    let out = p.send(s, &[1; 100]);
    p.now = p.now + Duration::from_millis(20);
    p.ack_all(&out);
    let out = p.send(s, &[2; 2000]);
    assert_eq!((out.len(), out[1].data.len()), (2, 1000));
    // A hole: from now on every segment carries a SACK block.
    p.put(PSH, p.seq + 10, p.ack, b"later");
    assert_eq!(p.out().len(), 1);
    let probe = p.wait(Duration::from_millis(100));
    assert_eq!(p.count(Counter::TcpLossProbes), 1);
    let (_, probe) = &probe[0];
    assert_eq!(probe.h.options.sack.as_slice().len(), 1);
    assert_eq!(probe.data.len(), 1000 - 12);
    assert_eq!(probe.h.seq.wrapping_sub(out[1].h.seq), 12);
}

/// An acknowledgment that says which of `sent` arrived beyond `upto`, perhaps with a D-SACK in front.
fn sack(p: &mut Peer, upto: &Seg, blocks: &[(u32, u32)]) -> Vec<Seg> {
    p.ack = upto.h.seq;
    p.options = Options::NONE;
    for &(a, b) in blocks {
        p.options.sack.push(a, b);
    }
    let out = p.say(ACK, &[]);
    p.options = Options::NONE;
    out
}

/// RFC 8985 6.2 step 4, RFC 3708: what was only late is not paid for twice.
#[test]
fn recovery_that_was_needless_is_taken_back_and_the_path_is_known_to_reorder() {
    let mut p = Peer::new();
    let s = p.accepted(Peer::syn_options());
    let out = p.send(s, &[1; 8000]);
    assert_eq!(out.len(), 8);
    let seq: Vec<u32> = (0..9)
        .map(|i| out[0].h.seq.wrapping_add(i * 1000))
        .collect();
    // Three behind the first one arrive: it counts as lost.
    let again = sack(&mut p, &out[0], &[(seq[1], seq[4])]);
    assert_eq!(again.first().map(|s| s.h.seq), Some(seq[0]));
    let cwnd = |p: &Peer| p.net.tcp_info(p.now, s).snd_cwnd;
    assert_eq!(cwnd(&p), 5);
    // It had been late: it arrives, and its copy is reported.
    sack(&mut p, &out[4], &[]);
    sack(&mut p, &out[4], &[(seq[0], seq[1])]);
    assert_eq!(cwnd(&p), 10);
    assert_eq!(p.count(Counter::TcpDsackUndo), 1);
    // From now on three behind a hole are not enough; the end of the reordering window is.
    let none = sack(&mut p, &out[4], &[(seq[5], seq[8])]);
    assert!(none.is_empty(), "{none:?}");
    assert_eq!(p.count(Counter::TcpSackRecovery), 1);
    let late = p.wait(Duration::from_millis(100));
    assert_eq!(late.first().map(|(_, s)| s.h.seq), Some(seq[4]));
    assert_eq!(p.count(Counter::TcpSackRecovery), 2);
}

/// A hole that fills by itself shows reordering, too.
#[test]
fn hole_that_fills_unaided_counts_as_reordering() {
    let mut p = Peer::new();
    let s = p.accepted(Peer::syn_options());
    let out = p.send(s, &[1; 8000]);
    let seq: Vec<u32> = (0..9)
        .map(|i| out[0].h.seq.wrapping_add(i * 1000))
        .collect();
    assert!(sack(&mut p, &out[0], &[(seq[1], seq[2])]).is_empty());
    sack(&mut p, &out[2], &[]);
    assert_eq!(p.count(Counter::TcpSackReorder), 1);
    assert!(sack(&mut p, &out[2], &[(seq[3], seq[7])]).is_empty());
    assert_eq!(p.count(Counter::TcpSackRecovery), 0);
}
