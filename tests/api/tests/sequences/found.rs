//! Every disagreement that the random sequences have found, cut down. docs/linux/sequences.md says what each was.

use crate::compare::{Verdict, compare};
use crate::op::Op::{
    Bind, BindToDevice, Close, Connect, Disconnect, FastOpen, Icmp, Ioctl, LingerZero, Listen,
    Segment, Set, Shutdown, Socket, Syn,
};
use crate::op::{Offer, Op, SOCKOPTS, Seg, Stamp, To};
use hearken_abi::sock::{SIOCOUTQ, SIOCOUTQNSD, TCP_FASTOPEN, TCP_QUICKACK};

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

/// The same with an old timestamp.
fn old(op: Op) -> Op {
    match op {
        Segment(segment) => Segment(Seg {
            stamp: Stamp::Old,
            ..segment
        }),
        other => other,
    }
}

/// A socket that connects to the peer, and what comes then.
#[track_caller]
fn assert_attempt_alike(first: &[Op], after: &[Op]) {
    for (v6, to) in [
        (false, To::Peer4),
        (true, To::Peer6),
        (true, To::MappedPeer),
    ] {
        let connect = Connect {
            at: 0,
            to,
            port: 7001,
        };
        let ops = [&[Socket { v6 }], first, &[connect], after].concat();
        assert_alike(&ops);
    }
}

#[test]
fn parameter_problem_ends_an_attempt() {
    assert_attempt_alike(
        &[],
        &[Icmp {
            flow: 0,
            error: 5,
            seq: 0,
        }],
    );
}

#[test]
fn syn_that_crosses_ours_is_answered_with_all_that_we_offer() {
    assert_attempt_alike(&[], &[segment("S", 0, 0, 0)]);
}

#[test]
fn attempt_that_is_reset_by_its_program_counts() {
    assert_attempt_alike(&[LingerZero { at: 0 }], &[Close { at: 0 }]);
}

#[test]
fn fast_syn_takes_a_fin_beside_the_syn_ack() {
    for (v6, to) in [(false, To::Peer4), (true, To::Peer6)] {
        assert_alike(&[
            Socket { v6 },
            FastOpen {
                at: 0,
                to,
                port: 7001,
                len: 0,
            },
            segment("SFA", 0, 0, 0),
        ]);
    }
}

#[test]
fn half_open_answers_a_fin_with_an_old_timestamp_each_time() {
    assert_listener_alike(|v6| {
        vec![
            syn(v6, Offer::Everything),
            old(segment("A", 0, 0, 0)),
            old(segment("FA", 0, 0, 0)),
        ]
    });
}

#[test]
fn half_open_reset_that_is_not_exact_is_answered_once_in_a_while() {
    for (seq, len) in [(1, 0), (1, 10)] {
        assert_listener_alike(|v6| {
            vec![
                syn(v6, Offer::Everything),
                old(segment("A", 0, 0, 0)),
                segment("RA", seq, 0, len),
            ]
        });
    }
}

#[test]
fn predicted_segment_leaves_its_timestamp_though_its_ack_is_too_old() {
    assert_listener_alike(|v6| {
        vec![
            syn(v6, Offer::Everything),
            segment("A", 0, 0, 0),
            segment("A", 0, -1000, 0),
        ]
    });
}

#[test]
fn segment_that_repeats_a_part_is_reported_by_dsack() {
    assert_listener_alike(|v6| vec![syn(v6, Offer::Everything), segment("A", -1, 0, 1000)]);
}

#[test]
fn segment_that_covers_what_lay_beyond_the_hole_is_reported_by_dsack() {
    for (first, second) in [
        ((100, 1), (0, 1000)),
        ((100, 10), (100, 1)),
        ((100, 1), (10, 1000)),
    ] {
        assert_listener_alike(|v6| {
            vec![
                syn(v6, Offer::Everything),
                segment("A", first.0, 0, first.1),
                segment("A", second.0, 0, second.1),
            ]
        });
    }
}

#[test]
fn fin_that_comes_again_counts_as_a_lost_ack() {
    for offer in [Offer::Nothing, Offer::Everything] {
        assert_listener_alike(|v6| {
            vec![
                syn(v6, offer),
                segment("FPA", 0, 0, 1),
                segment("FA", 0, 0, 0),
            ]
        });
    }
}

#[test]
fn old_timestamp_on_what_was_here_is_reported_by_dsack() {
    assert_listener_alike(|v6| {
        vec![
            syn(v6, Offer::Everything),
            segment("FA", 0, 0, 1),
            old(segment("FPA", 0, 0, 0)),
        ]
    });
}

#[test]
fn syn_with_an_old_timestamp_is_a_syn_first() {
    assert_listener_alike(|v6| {
        vec![
            syn(v6, Offer::Everything),
            segment("A", 0, 0, 0),
            old(segment("SEC", 0, 0, 0)),
        ]
    });
}

#[test]
fn cwr_after_the_fin_is_not_heard() {
    assert_listener_alike(|v6| {
        vec![
            syn(v6, Offer::Nothing),
            segment("FA", 0, 0, 0),
            segment("CA", 0, 0, 1),
        ]
    });
}

#[test]
fn reset_that_ends_a_child_tells_what_lies_beyond_the_hole() {
    assert_listener_alike(|v6| {
        vec![
            syn(v6, Offer::Everything),
            segment("A", 1000, 0, 1),
            Close { at: 0 },
        ]
    });
}

#[test]
fn quickack_of_a_listener_is_inherited_if_it_was_set_after_listen() {
    let option = SOCKOPTS.iter().position(|o| o.1 == TCP_QUICKACK);
    let off = Set {
        at: 0,
        option: option.expect("TCP_QUICKACK"),
        value: 0,
    };
    assert_listener_alike(|v6| vec![off, syn(v6, Offer::Nothing), segment("A", 0, 0, 1)]);
    assert_attempt_alike(&[off], &[segment("SA", 0, 0, 0)]);
}

#[test]
fn path_mtu_is_kept_for_the_next_connection() {
    assert_listener_alike(|v6| {
        let second = Syn {
            v6,
            peer: 1,
            port: 0,
            offer: Offer::Nothing,
        };
        let too_big = Icmp {
            flow: 0,
            error: 2,
            seq: 0,
        };
        vec![
            syn(v6, Offer::Nothing),
            segment("A", 0, 0, 0),
            too_big,
            second,
        ]
    });
}

#[test]
fn disconnect_moves_the_sequence_numbers_on() {
    for v6 in [false, true] {
        let show = [SIOCOUTQ, SIOCOUTQNSD].map(|request| Ioctl { at: 0, request });
        let again = Disconnect { at: 0 };
        let ops = [&[Socket { v6 }, again][..], &show, &[again], &show].concat();
        assert_alike(&ops);
    }
}

#[test]
fn source_decides_which_destinations_can_be_reached() {
    let sources = [To::Loop6, To::Own6, To::MappedLoop, To::MappedOwn, To::Any6];
    for from in sources.into_iter().chain([To::MappedAny]) {
        for to in To::ALL.into_iter().filter(|to| to.at(1).is_ipv6()) {
            let bind = Bind {
                at: 0,
                to: from,
                port: 80,
            };
            let (at, port) = (0, 7001);
            let len = 0;
            let connect = Connect { at, to, port };
            assert_alike(&[Socket { v6: true }, bind, connect]);
            let fast = FastOpen { at, to, port, len };
            assert_alike(&[Socket { v6: true }, bind, fast]);
        }
    }
    for to in [To::Peer4, To::Own4, To::Any4, To::Nowhere4] {
        for from in [To::Loop4, To::Own4] {
            let (at, port) = (0, 7001);
            let bind = Bind {
                at,
                to: from,
                port: 80,
            };
            assert_alike(&[Socket { v6: false }, bind, Connect { at, to, port }]);
        }
    }
}

#[test]
fn device_decides_which_way_an_attempt_goes() {
    for device in ["lo", "tun0"] {
        for to in To::ALL {
            let v6 = to.at(1).is_ipv6();
            let (at, port) = (0, 7001);
            let bound = BindToDevice { at, device };
            assert_alike(&[Socket { v6 }, bound, Connect { at, to, port }]);
        }
    }
}

#[test]
fn device_of_a_listener_holds_for_later_syns_alone() {
    let bound = BindToDevice {
        at: 0,
        device: "lo",
    };
    for last in [segment("SF", 0, 0, 0), segment("A", 0, 0, 1)] {
        assert_listener_alike(|v6| vec![syn(v6, Offer::Nothing), bound, last]);
    }
}

#[test]
fn shutdown_before_an_attempt_shows_in_it() {
    for how in 0..3 {
        assert_attempt_alike(&[Shutdown { at: 0, how }], &[]);
    }
}

#[test]
fn attempt_that_was_crossed_is_closed_by_a_fin() {
    assert_attempt_alike(&[], &[segment("S", 0, 0, 0), Close { at: 0 }]);
}

#[test]
fn attempt_that_was_crossed_is_ended_by_an_icmp_error() {
    let parameter_problem = Icmp {
        flow: 0,
        error: 5,
        seq: 0,
    };
    assert_attempt_alike(&[], &[segment("S", 0, 0, 0), parameter_problem]);
}

#[test]
fn segment_without_ack_is_dropped_before_it_is_judged() {
    for flags in ["", "F", "P"] {
        assert_listener_alike(|v6| {
            vec![
                syn(v6, Offer::Nothing),
                segment("A", 0, 0, 0),
                segment(flags, -2, 0, 0),
            ]
        });
    }
}

#[test]
fn bind_to_loopback_looks_at_the_device() {
    for device in ["lo", "tun0"] {
        for to in [To::Loop4, To::Own4, To::Loop6, To::Own6, To::MappedLoop] {
            let bound = BindToDevice { at: 0, device };
            let bind = Bind {
                at: 0,
                to,
                port: 80,
            };
            let v6 = to.at(1).is_ipv6();
            assert_alike(&[Socket { v6 }, bound, bind]);
        }
    }
}

#[test]
fn shutdown_after_a_refused_attempt_ends_all_attempts() {
    for how in 0..3 {
        let (at, port) = (0, 80);
        let connect = |to| Connect { at, to, port };
        assert_alike(&[
            Socket { v6: false },
            connect(To::Loop4),
            Shutdown { at, how },
            connect(To::Own4),
        ]);
    }
}

#[test]
fn fast_open_queue_of_an_ended_attempt_can_be_set() {
    let option = SOCKOPTS.iter().position(|o| o.1 == TCP_FASTOPEN);
    let (at, option) = (0, option.expect("TCP_FASTOPEN"));
    let connect = Connect {
        at,
        to: To::Loop4,
        port: 80,
    };
    for value in 0..4 {
        assert_alike(&[Socket { v6: false }, connect, Set { at, option, value }]);
    }
}
