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
