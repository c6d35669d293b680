//! Every disagreement that the random sequences have found, cut down. docs/linux/sequences.md says what each was.

use crate::compare::{Verdict, compare};
use crate::op::Op::{Bind, Connect, Listen, Segment, Socket, Syn};
use crate::op::{Offer, Op, Seg, Stamp, To};

/// A listener at the wildcard address and port 80, as place 0.
fn listener(v6: bool) -> [Op; 3] {
    let to = if v6 { To::Any6 } else { To::Any4 };
    [
        Socket { v6 },
        Bind {
            at: 0,
            to,
            port: 80,
        },
        Listen { at: 0, backlog: 5 },
    ]
}

/// A SYN from the first port of the peer.
fn syn(v6: bool, offer: Offer) -> Op {
    Syn {
        v6,
        peer: 0,
        port: 0,
        offer,
    }
}

/// A segment on the first flow, as it should be but for what is given.
fn segment(flags: &'static str, seq: i32, ack: i32, len: u16) -> Op {
    Segment(Seg {
        flow: 0,
        flags,
        seq,
        ack,
        len,
        window: 65535,
        stamp: Stamp::Right,
    })
}

#[track_caller]
fn assert_alike(ops: &[Op]) {
    // A busy machine may be too slow for one answer in time.
    for _ in 0..4 {
        match compare(ops) {
            Verdict::Alike | Verdict::NotAsked => return,
            Verdict::Unsteady => {}
            Verdict::Differ(why) => panic!("\n{why}"),
        }
    }
    panic!("Linux does not answer the same twice");
}

/// The same over both families: `after` comes after a listener at port 80.
#[track_caller]
fn assert_listener_alike(after: impl Fn(bool) -> Vec<Op>) {
    for v6 in [false, true] {
        let mut ops = listener(v6).to_vec();
        ops.extend(after(v6));
        assert_alike(&ops);
    }
}

#[test]
fn half_open_reset_that_acknowledges_anything_kills() {
    for (seq, ack) in [(0, -70_000), (0, 1), (0, -1), (1, 1), (-1, 1), (70_000, 1)] {
        assert_listener_alike(|v6| vec![syn(v6, Offer::Everything), segment("RA", seq, ack, 0)]);
    }
}

#[test]
fn half_open_segment_without_ack_leaves_the_timestamp() {
    assert_listener_alike(|v6| {
        vec![
            syn(v6, Offer::Everything),
            segment("F", 0, 0, 100),
            segment("R", 1, 0, 0),
        ]
    });
}

#[test]
fn fin_with_data_is_acknowledged_later() {
    for first in [segment("A", 0, 0, 0), segment("PA", 0, 0, 1)] {
        assert_listener_alike(|v6| {
            vec![syn(v6, Offer::Everything), first, segment("FA", 0, 0, 10)]
        });
    }
}

#[test]
fn data_after_a_fin_is_dropped_without_an_answer() {
    assert_listener_alike(|v6| {
        vec![
            syn(v6, Offer::Everything),
            segment("FA", 0, 0, 0),
            segment("A", 0, 0, 100),
        ]
    });
}

#[test]
fn data_that_begins_before_a_fin_and_goes_beyond_it_resets() {
    assert_listener_alike(|v6| {
        vec![
            syn(v6, Offer::Everything),
            segment("FA", 0, 0, 1),
            segment("FA", 0, 0, 100),
        ]
    });
}

#[test]
fn bind_v6_asks_about_the_address_last() {
    for to in [To::MappedPeer, To::Peer6, To::Nowhere6] {
        assert_alike(&[
            Socket { v6: true },
            Bind {
                at: 0,
                to: To::Any6,
                port: 80,
            },
            Bind {
                at: 0,
                to,
                port: 8081,
            },
        ]);
    }
}

#[test]
fn connect_to_the_mapped_wildcard_is_to_loopback() {
    assert_alike(&[
        Socket { v6: true },
        Connect {
            at: 0,
            to: To::MappedAny,
            port: 80,
        },
    ]);
}

#[test]
fn attempt_shows_its_syn_as_unacknowledged() {
    for to in [To::Peer6, To::MappedPeer] {
        assert_alike(&[
            Socket { v6: true },
            Connect {
                at: 0,
                to,
                port: 7002,
            },
        ]);
    }
}

#[test]
fn reset_beyond_the_window_counts_alike() {
    for flags in ["R", "SR", "RA", "A", "FA", "S"] {
        for first in [segment("A", 0, 0, 0), segment("FA", 0, 0, 0)] {
            let last = segment(flags, 70_000, 0, 0);
            assert_listener_alike(|v6| vec![syn(v6, Offer::Nothing), first, last]);
        }
    }
}
