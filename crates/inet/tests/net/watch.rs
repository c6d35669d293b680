//! Those who look on: changes of state, retransmissions, and frames with the reasons of their drops.

use crate::common::*;
use core::time::Duration;
use hearken_abi::DropReason;
use hearken_inet::*;
use std::sync::{Arc, Mutex};

type Seen = (IfaceId, Option<DropReason>, Vec<u8>);

#[derive(Clone, Default)]
struct Log {
    mask: HookMask,
    states: Arc<Mutex<Vec<StateChange>>>,
    again: Arc<Mutex<Vec<Retransmit>>>,
    drops: Arc<Mutex<Vec<Seen>>>,
}

impl Hooks for Log {
    fn mask(&self) -> HookMask {
        self.mask
    }
    fn state(&mut self, c: &StateChange) {
        self.states.lock().unwrap().push(*c);
    }
    fn retransmit(&mut self, r: &Retransmit) {
        self.again.lock().unwrap().push(*r);
    }
    fn frame(&mut self, f: &SeenFrame<'_>) {
        let packet = (f.iface, f.drop, f.frame.head.to_vec());
        self.drops.lock().unwrap().push(packet);
    }
}

fn log(mask: HookMask) -> Log {
    Log {
        mask,
        ..Log::default()
    }
}

fn moves(log: &Log) -> Vec<(&'static str, &'static str)> {
    let states = log.states.lock().unwrap();
    states
        .iter()
        .map(|c| (c.old.name(), c.new.name()))
        .collect()
}

#[test]
fn states_of_a_whole_life_are_told_on_both_sides() {
    for target in ["10.0.0.2:80", "[fd00::2]:80"] {
        let mut p = Pair::new();
        let (a, b) = (log(HookMask::STATES), log(HookMask::STATES));
        p.a.set_hooks(Some(Box::new(a.clone())));
        p.b.set_hooks(Some(Box::new(b.clone())));
        let l = p.listen(target, 5);
        let c = p.connect(target);
        p.settle();
        let s = p.b.accept(p.now, l).unwrap().socket;
        p.a.close(p.now, c);
        // The ACK of a FIN may be delayed.
        p.advance(Duration::from_millis(100));
        p.b.close(p.now, s);
        p.settle();
        p.b.close(p.now, l);
        p.advance(Duration::from_secs(61));
        assert_eq!(
            moves(&a),
            [
                ("CLOSE", "SYN_SENT"),
                ("SYN_SENT", "ESTABLISHED"),
                ("ESTABLISHED", "FIN_WAIT1"),
                ("FIN_WAIT1", "FIN_WAIT2"),
                ("FIN_WAIT2", "TIME_WAIT"),
                ("TIME_WAIT", "CLOSE"),
            ]
        );
        assert_eq!(
            moves(&b),
            [
                ("CLOSE", "LISTEN"),
                ("LISTEN", "SYN_RECV"),
                ("SYN_RECV", "ESTABLISHED"),
                ("ESTABLISHED", "CLOSE_WAIT"),
                ("CLOSE_WAIT", "LAST_ACK"),
                ("LAST_ACK", "CLOSE"),
                ("LISTEN", "CLOSE"),
            ]
        );
        let states = b.states.lock().unwrap();
        assert_eq!(states[0].remote, None);
        assert_eq!(states[1].local, target.parse().unwrap());
        assert!(states[1].remote.is_some());
    }
}

/// Whoever follows a connection finds it by its addresses: they are told alike, half-open and complete.
#[test]
fn states_of_an_ipv4_client_at_a_dual_stack_listener_are_told_with_mapped_addresses() {
    let mut p = Pair::new();
    let b = log(HookMask::STATES);
    p.b.set_hooks(Some(Box::new(b.clone())));
    p.listen("[::]:80", 5);
    p.connect("10.0.0.2:80");
    p.settle();
    let states = b.states.lock().unwrap();
    let whose: Vec<_> = states.iter().map(|c| (c.local, c.remote)).collect();
    assert_eq!(whose.len(), 3, "{states:?}");
    assert_eq!(whose[1].0, "[::ffff:10.0.0.2]:80".parse().unwrap());
    assert_eq!(whose[2], whose[1]);
}

#[test]
fn segment_and_syn_ack_that_leave_again_are_told() {
    let mut p = Pair::new();
    let (a, b) = (log(HookMask::RETRANSMITS), log(HookMask::RETRANSMITS));
    p.a.set_hooks(Some(Box::new(a.clone())));
    p.b.set_hooks(Some(Box::new(b.clone())));
    let l = p.listen("10.0.0.2:80", 5);
    // SYN-ACKs do not arrive for a while; then the first data does not.
    p.lose = Box::new(|n, _| n == 1);
    let c = p.connect("10.0.0.2:80");
    p.advance(Duration::from_millis(1500));
    let s = p.b.accept(p.now, l).unwrap().socket;
    let before = p.trace.len();
    p.lose = Box::new(move |n, _| n == before);
    write(&mut p.a, p.now, c, b"hello").unwrap();
    p.advance(Duration::from_secs(2));
    assert_eq!(read(&mut p.b, p.now, s).unwrap(), b"hello");
    let again = b.again.lock().unwrap();
    assert!(
        again
            .iter()
            .any(|r| r.state == TcpState::SynRecv && r.len == 0)
    );
    let again = a.again.lock().unwrap();
    let data = again.iter().find(|r| r.len == 5).expect("told");
    assert_eq!(data.state, TcpState::Established);
    assert_eq!(data.remote, "10.0.0.2:80".parse().unwrap());
}

#[test]
fn frame_that_is_dropped_is_shown_with_its_reason_and_others_on_request() {
    for (mask, all) in [(HookMask::DROPS, false), (HookMask::FRAMES, true)] {
        let mut p = Pair::new();
        p.listen("10.0.0.2:80", 5);
        let b = log(mask);
        p.b.set_hooks(Some(Box::new(b.clone())));
        p.connect("10.0.0.2:80");
        p.settle();
        p.connect("10.0.0.2:81");
        p.settle();
        let seen = b.drops.lock().unwrap().clone();
        let dropped: Vec<_> = seen.iter().filter(|s| s.1.is_some()).collect();
        assert_eq!(dropped.len(), 1);
        assert_eq!(dropped[0].0, ETH);
        assert_eq!(dropped[0].1, Some(DropReason::NoSocket));
        assert_eq!(dropped[0].2[22..24], 81u16.to_be_bytes());
        // SYN and ACK of the first, SYN of the second.
        assert_eq!(seen.len(), if all { 3 } else { 1 });
    }
}

#[test]
fn frame_on_lo_is_shown_too() {
    let mut p = Pair::new();
    let a = log(HookMask::DROPS);
    p.a.set_hooks(Some(Box::new(a.clone())));
    p.connect("127.0.0.1:9");
    p.settle();
    let seen = a.drops.lock().unwrap();
    // The SYN, and the reset that answered it: Linux drops that too.
    let reasons: Vec<_> = seen.iter().map(|s| (s.0, s.1)).collect();
    assert_eq!(
        reasons,
        [
            (IfaceId::LO, Some(DropReason::NoSocket)),
            (IfaceId::LO, Some(DropReason::TcpReset)),
        ]
    );
}

#[test]
fn nobody_who_looks_on_is_told_nothing_and_changes_nothing() {
    let run = |watched: bool| {
        let mut p = Pair::new();
        let a = log(HookMask::STATES.with(HookMask::FRAMES));
        if watched {
            p.a.set_hooks(Some(Box::new(a.clone())));
        }
        p.listen("10.0.0.2:80", 5);
        let c = p.connect("10.0.0.2:80");
        p.settle();
        p.a.set_hooks(None);
        let told = a.states.lock().unwrap().len();
        p.a.close(p.now, c);
        p.settle();
        assert_eq!(a.states.lock().unwrap().len(), told);
        p.trace
    };
    assert_eq!(run(true), run(false));
}
