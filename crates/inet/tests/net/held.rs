//! SYNs that wait for a verdict (`Net::listen_any`, `Net::resolve_syn`), and what a half-open connection answers.

use crate::common::peer::*;
use crate::common::*;
use core::time::Duration;
use hearken_abi::Counter;
use hearken_inet::*;
use hearken_wire::Options;

/// A SYN that is held; its listener and its name.
fn held() -> (Peer, SocketId, SynId) {
    let mut p = Peer::new();
    p.net.set_any_local(ETH);
    let l = p.net.listen_any(p.now, Domain::Inet, 10);
    p.options = Peer::syn_options();
    assert!(p.say(SYN, &[]).is_empty(), "no answer before the verdict");
    let mut events = [Event::Ready {
        token: 0,
        ready: Ready::NONE,
    }; 4];
    let n = p.net.poll_events(&mut events);
    let id = events[..n].iter().find_map(|e| match e {
        Event::Syn { id, .. } => Some(*id),
        _ => None,
    });
    (p, l, id.expect("a held SYN"))
}

#[test]
fn held_syn_gets_the_answer_of_its_verdict() {
    for (verdict, answer, left) in [
        (SynVerdict::Accept, Some(SYN.with(ACK)), 1),
        (SynVerdict::Reset, Some(RST.with(ACK)), 0),
        (SynVerdict::Drop, None, 0),
        (SynVerdict::Icmp(1), None, 0),
    ] {
        let (mut p, l, id) = held();
        p.net.resolve_syn(p.now, id, verdict);
        let out = p.out();
        assert_eq!(out.first().map(|s| s.h.flags), answer, "{verdict:?}");
        assert!(out.iter().all(|s| s.h.ack == 1_000_001));
        let queue = |p: &Peer| p.net.listener_queues(l).unwrap().syn_queue;
        assert_eq!(queue(&p), left, "{verdict:?}");
        // The second verdict finds nothing.
        p.net.resolve_syn(p.now, id, SynVerdict::Reset);
        assert!(p.out().is_empty());
        assert_eq!(queue(&p), left);
    }
}

#[test]
fn held_syn_accepted_late_retransmits_from_then_and_completes() {
    let (mut p, l, id) = held();
    assert!(p.wait(Duration::from_secs(100)).is_empty());
    p.net.resolve_syn(p.now, id, SynVerdict::Accept);
    let first = p.out();
    assert_eq!(first.len(), 1);
    let again = p.wait(Duration::from_millis(3500));
    let at: Vec<u128> = again.iter().map(|(d, _)| d.as_millis()).collect();
    assert_eq!(at, [1000, 3000]);
    p.ack = first[0].h.seq.wrapping_add(1);
    p.options = Options::NONE;
    assert!(p.say(ACK, &[]).is_empty());
    let child = p.net.accept(p.now, l).unwrap().socket;
    // As Linux does, no sample is taken after a retransmission: nothing of the 100 s counts as a round trip.
    assert!(p.net.tcp_info(p.now, child).rtt < 5_000_000);
}

#[test]
fn held_syn_accepted_late_measures_the_round_trip_from_its_syn_ack() {
    let (mut p, l, id) = held();
    assert!(p.wait(Duration::from_millis(1_234)).is_empty());
    p.net.resolve_syn(p.now, id, SynVerdict::Accept);
    p.ack = p.out()[0].h.seq.wrapping_add(1);
    p.options = Options::NONE;
    p.now = p.now + Duration::from_millis(50);
    assert!(p.say(ACK, &[]).is_empty());
    let child = p.net.accept(p.now, l).unwrap().socket;
    assert_eq!(p.net.tcp_info(p.now, child).rtt, 50_000);
}

#[test]
fn listen_any_of_one_family_closed_leaves_the_other() {
    for (closed, left) in [
        ("10.0.0.2:80", "[fd00::2]:80"),
        ("[fd00::2]:80", "10.0.0.2:80"),
    ] {
        let mut p = Pair::new();
        p.b.set_any_local(ETH);
        let v4 = p.b.listen_any(p.now, Domain::Inet, 10);
        let v6 = p.b.listen_any(p.now, Domain::Inet6, 10);
        p.b.close(p.now, if closed.starts_with('1') { v4 } else { v6 });
        // A listener in its place takes what is its own only.
        let l = p.listen("10.0.0.2:9", 5);
        let refused = p.connect(closed);
        let held = p.connect(left);
        p.settle();
        assert_eq!(p.a.take_error(refused), Some(SoError::Refused), "{closed}");
        assert_eq!(p.a.state(held), TcpState::SynSent);
        assert_eq!(p.b.listener_queues(l).unwrap().syns, 0);
        let mut events = [Event::Ready {
            token: 0,
            ready: Ready::NONE,
        }; 4];
        let n = p.b.poll_events(&mut events);
        let held =
            |e: &Event| matches!(e, Event::Syn { local, .. } if *local == left.parse().unwrap());
        assert!(events[..n].iter().any(held), "{left}");
    }
}

#[test]
fn held_syn_without_a_verdict_vanishes_after_127_seconds() {
    let (mut p, l, id) = held();
    let queue = |p: &Peer| p.net.listener_queues(l).unwrap().syn_queue;
    assert!(p.wait(Duration::from_millis(126_990)).is_empty());
    assert_eq!(queue(&p), 1);
    assert!(p.wait(Duration::from_millis(20)).is_empty());
    assert_eq!(queue(&p), 0);
    p.net.resolve_syn(p.now, id, SynVerdict::Accept);
    assert!(p.out().is_empty());
}

#[test]
fn half_open_answers_a_segment_out_of_window_with_its_scaled_window_and_timestamps() {
    let mut p = Peer::new();
    p.net.sysctl_set("net.ipv4.tcp_timestamps", "2").unwrap();
    p.listen();
    p.options = Options {
        wscale: Some(3),
        timestamps: Some((777, 0)),
        ..Peer::syn_options()
    };
    let syn_ack = p.say(SYN, &[])[0].h;
    let (sent, _) = syn_ack.options.timestamps.unwrap();
    let scale = syn_ack.options.wscale.unwrap();
    p.options = Options {
        timestamps: Some((778, sent)),
        ..Options::NONE
    };
    p.now = p.now + Duration::from_millis(250);
    p.put(ACK, 1_000_001 + 100_000, syn_ack.seq.wrapping_add(1), &[]);
    let out = p.out();
    assert_eq!(out.len(), 1);
    let h = out[0].h;
    assert_eq!((h.seq, h.ack), (syn_ack.seq.wrapping_add(1), 1_000_001));
    assert_eq!(h.window, syn_ack.window >> scale);
    assert_eq!(h.options.timestamps, Some((sent + 250, 777)));
}

#[test]
fn accept_undo_puts_the_child_back_to_the_front() {
    let mut p = Pair::new();
    let l = p.listen("10.0.0.2:80", 5);
    for _ in 0..2 {
        p.connect("10.0.0.2:80");
        p.settle();
    }
    let first = p.b.accept(p.now, l).unwrap();
    p.b.accept_undo(p.now, l, first.socket);
    assert_eq!(p.b.accept_queue(l), Some((2, 5)));
    let again = p.b.accept(p.now, l).unwrap();
    assert_eq!((again.socket, again.peer), (first.socket, first.peer));
    p.b.close(p.now, l);
    p.b.accept_undo(p.now, l, again.socket);
    p.settle();
    assert_eq!(
        p.b.mib().get(Counter::TcpOutRsts),
        2,
        "nobody holds it any more"
    );
}

#[test]
fn children_hold_their_own_address_and_do_not_listen() {
    let mut p = Pair::new();
    let l = p.b.socket(Domain::Inet);
    p.b.set_option(p.now, l, Opt::ReuseAddr(true)).unwrap();
    p.b.bind(l, "0.0.0.0:80".parse().unwrap(), &Cred::ROOT)
        .unwrap();
    p.b.listen(p.now, l, 5).unwrap();
    p.connect("10.0.0.2:80");
    p.settle();
    assert_eq!(p.b.listener_queues(l).unwrap().syn_queue, 0);
    p.b.accept(p.now, l).unwrap();
    p.b.close(p.now, l);
    let bind = |p: &mut Pair, reuse, at: &str| {
        let s = p.b.socket(Domain::Inet);
        p.b.set_option(p.now, s, Opt::ReuseAddr(reuse)).unwrap();
        let r = p.b.bind(s, at.parse().unwrap(), &Cred::ROOT);
        p.b.close(p.now, s);
        r
    };
    assert_eq!(
        bind(&mut p, false, "127.0.0.1:80"),
        Ok(()),
        "another address"
    );
    assert_eq!(
        bind(&mut p, false, "10.0.0.2:80"),
        Err(BindError::AddrInUse)
    );
    assert_eq!(
        bind(&mut p, true, "10.0.0.2:80"),
        Ok(()),
        "no listener is left"
    );
}
