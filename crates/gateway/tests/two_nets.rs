//! A gateway and a program's namespace over a link: every way in which a flow begins and ends.

mod world;

use hearken_device::LinkConfig;
use hearken_gateway::{ConnectFailure, Event, FlowId, OpenError, Unreachable};
use hearken_inet::{RecvError, SendError, SoError, SocketId, TcpState};
use hearken_wire::{ipv4, tcp};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use world::{World, addr};

const SECOND: Duration = Duration::from_secs(1);

fn world() -> World {
    World::new(LinkConfig::default())
}

/// A flow that came from the program and is open on both sides.
fn outbound(w: &mut World, to: &str) -> (SocketId, FlowId) {
    let s = w.connect(to);
    let (flow, ..) = w.request().expect("a request");
    w.gate.opened(w.now, flow, Ok(()));
    assert!(w.events().contains(&Event::Established { flow }));
    assert_eq!(w.prog.state(s), TcpState::Established);
    (s, flow)
}

#[test]
fn inbound_flow_shows_the_client_its_own_address() {
    for (at, from, to) in [
        ("0.0.0.0:8000", "203.0.113.9:5555", "10.0.2.15:8000"),
        ("[::]:8000", "[2001:db8::9]:5555", "[fd00:2::15]:8000"),
    ] {
        let mut w = world();
        let l = w.listener(at);
        let flow = w
            .gate
            .connect(w.now, addr(from), addr(to))
            .expect("connect");
        let events = w.events();
        assert_eq!(events[0], Event::Established { flow });
        assert!(events.contains(&Event::Writable { flow }));
        let a = w.prog.accept(w.now, l).expect("a child");
        assert_eq!((a.peer, a.local), (addr(from), addr(to)));
        assert_eq!(w.gate.addresses(flow), Some((addr(from), addr(to))));

        assert_eq!(w.gate_send(flow, b"question"), Ok(8));
        w.settle();
        assert_eq!(w.prog_recv(a.socket), Ok(b"question".to_vec()));
        assert_eq!(w.prog_send(a.socket, b"answer"), Ok(6));
        assert!(w.events().contains(&Event::Readable { flow }));
        assert_eq!(w.gate_recv(flow), Ok(b"answer".to_vec()));
        assert_eq!(w.gate_recv(flow), Err(RecvError::WouldBlock));
    }
}

#[test]
fn inbound_flow_to_a_closed_port_is_refused() {
    let mut w = world();
    let flow = w
        .gate
        .connect(w.now, addr("203.0.113.9:5555"), addr("10.0.2.15:8000"))
        .expect("connect");
    let error = SoError::Refused;
    assert_eq!(w.events(), [Event::Reset { flow, error }]);
    w.gate.close(w.now, flow);
    assert_eq!(w.gate.flow_count(), 0);
}

#[test]
fn inbound_flow_that_nobody_answers_times_out() {
    let mut w = World::new(LinkConfig {
        loss: 1.0,
        ..LinkConfig::default()
    });
    let flow = w
        .gate
        .connect(w.now, addr("203.0.113.9:5555"), addr("10.0.2.15:8000"))
        .expect("connect");
    w.run(SECOND * 60);
    assert_eq!(w.events(), []);
    w.run(SECOND * 140);
    let error = SoError::TimedOut;
    assert_eq!(w.events(), [Event::Reset { flow, error }]);
    w.gate.close(w.now, flow);
    assert_eq!(w.gate.net().diag().len(), 2, "the two listeners stay");
}

#[test]
fn inbound_client_may_talk_to_several_ports_but_not_twice_to_one() {
    let mut w = world();
    let (l1, l2) = (w.listener("0.0.0.0:8000"), w.listener("0.0.0.0:9000"));
    let from = addr("203.0.113.9:5555");
    let one = w.gate.connect(w.now, from, addr("10.0.2.15:8000"));
    let two = w.gate.connect(w.now, from, addr("10.0.2.15:9000"));
    assert!(one.is_ok() && two.is_ok(), "{one:?} {two:?}");
    let again = w.gate.connect(w.now, from, addr("10.0.2.15:8000"));
    assert!(
        matches!(again, Err(ConnectFailure::Connect(_))),
        "{again:?}"
    );
    assert_eq!(w.gate.flow_count(), 2);
    w.settle();
    for l in [l1, l2] {
        assert_eq!(w.prog.accept(w.now, l).expect("child").peer, from);
    }
}

#[test]
fn outbound_syn_is_held_until_the_host_has_an_answer() {
    for to in ["198.51.100.7:443", "[2001:db8::7]:443"] {
        let mut w = world();
        let s = w.connect(to);
        let (flow, local, remote) = w.request().expect("a request");
        assert_eq!(local, addr(to));
        assert_eq!(remote, w.prog.local_addr(s));
        w.run(SECOND * 4);
        assert_eq!(w.prog.state(s), TcpState::SynSent);
        assert_eq!(w.request(), None, "a SYN sent again asks nothing again");
        w.gate.opened(w.now, flow, Ok(()));
        assert_eq!(w.events()[0], Event::Established { flow });
        assert_eq!(w.prog.state(s), TcpState::Established);
        assert_eq!(w.prog_send(s, b"GET"), Ok(3));
        assert!(w.events().contains(&Event::Readable { flow }));
        assert_eq!(w.gate_recv(flow), Ok(b"GET".to_vec()));
        assert_eq!(w.gate_send(flow, b"200"), Ok(3));
        w.settle();
        assert_eq!(w.prog_recv(s), Ok(b"200".to_vec()));
    }
}

#[test]
fn outbound_failure_reaches_the_program_as_its_errno() {
    let host = OpenError::Unreachable(Unreachable::Host);
    let net = OpenError::Unreachable(Unreachable::Net);
    for (to, error, want) in [
        ("198.51.100.7:443", OpenError::Refused, SoError::Refused),
        ("[2001:db8::7]:443", OpenError::Refused, SoError::Refused),
        ("198.51.100.7:443", host, SoError::HostUnreach),
        ("[2001:db8::7]:443", host, SoError::HostUnreach),
        ("198.51.100.7:443", net, SoError::NetUnreach),
        ("[2001:db8::7]:443", net, SoError::NetUnreach),
    ] {
        let mut w = world();
        let s = w.connect(to);
        let (flow, ..) = w.request().expect("a request");
        w.gate.opened(w.now, flow, Err(error));
        w.settle();
        assert_eq!(w.prog.take_error(s), Some(want), "{to} {error:?}");
        assert_eq!(w.prog.state(s), TcpState::Close);
        assert_eq!(w.gate.flow_count(), 0);
        assert_eq!(w.events(), []);
    }
}

#[test]
fn outbound_timeout_leaves_the_syn_unanswered() {
    let mut w = world();
    let s = w.connect("198.51.100.7:443");
    let (flow, ..) = w.request().expect("a request");
    w.gate.opened(w.now, flow, Err(OpenError::TimedOut));
    w.settle();
    assert_eq!(w.prog.state(s), TcpState::SynSent);
    w.run(SECOND * 2);
    let (again, ..) = w.request().expect("the SYN sent again asks anew");
    assert_ne!(again, flow);
}

#[test]
fn outbound_flow_whose_program_gave_up_closes() {
    let mut w = world();
    let s = w.connect("198.51.100.7:443");
    let (flow, ..) = w.request().expect("a request");
    w.prog.close(w.now, s);
    w.settle();
    w.gate.opened(w.now, flow, Ok(()));
    w.run(SECOND * 65);
    assert_eq!(w.events(), [Event::Closed { flow }]);
    w.run(SECOND * 65);
    assert_eq!(w.gate_send(flow, b"x"), Err(SendError::Pipe));
    w.gate.close(w.now, flow);
    assert_eq!(w.gate.flow_count(), 0);
    assert_eq!(w.gate.poll_timeout(), None);
}

#[test]
fn flow_closed_while_held_is_refused_and_a_late_answer_ignored() {
    let mut w = world();
    let s = w.connect("198.51.100.7:443");
    let (flow, ..) = w.request().expect("a request");
    w.gate.close(w.now, flow);
    w.gate.opened(w.now, flow, Ok(()));
    w.settle();
    assert_eq!(w.prog.take_error(s), Some(SoError::Refused));
}

#[test]
fn program_fin_then_ours_closes_in_order() {
    let mut w = world();
    let (s, flow) = outbound(&mut w, "198.51.100.7:443");
    assert_eq!(w.prog_send(s, b"last"), Ok(4));
    w.prog
        .shutdown(w.now, s, hearken_inet::Shutdown::Write)
        .expect("shutdown");
    let events = w.events();
    assert!(events.contains(&Event::Readable { flow }), "{events:?}");
    assert!(events.contains(&Event::PeerClosed { flow }), "{events:?}");
    assert_eq!(w.gate_recv(flow), Ok(b"last".to_vec()));
    assert_eq!(w.gate_recv(flow), Ok(Vec::new()), "end of the stream");
    assert_eq!(w.gate_send(flow, b"still open"), Ok(10));
    w.gate.shutdown_write(w.now, flow);
    let events = w.events();
    assert!(events.contains(&Event::Closed { flow }), "{events:?}");
    assert!(!events.contains(&Event::PeerClosed { flow }), "only once");
    assert_eq!(w.prog_recv(s), Ok(b"still open".to_vec()));
    assert_eq!(w.prog_recv(s), Ok(Vec::new()));
    w.gate.close(w.now, flow);
    w.prog.close(w.now, s);
    w.run(SECOND * 61);
    assert_eq!(w.gate.flow_count(), 0);
    assert_eq!(w.gate.net().diag().len(), 2);
    assert_eq!(w.prog.diag().len(), 0);
}

#[test]
fn resets_reach_the_other_side() {
    let mut w = world();
    let (s, flow) = outbound(&mut w, "198.51.100.7:443");
    w.events();
    w.prog.abort(w.now, s);
    let error = SoError::Reset;
    assert_eq!(w.events(), [Event::Reset { flow, error }]);
    w.gate.close(w.now, flow);

    let (s, flow) = outbound(&mut w, "198.51.100.7:443");
    w.gate.abort(w.now, flow);
    w.settle();
    assert_eq!(w.prog_recv(s), Err(RecvError::Failed(SoError::Reset)));
    assert_eq!(w.gate.flow_count(), 0);
    assert_eq!(w.events(), []);
}

#[test]
fn interest_silences_readable_and_writable() {
    let mut w = world();
    let (s, flow) = outbound(&mut w, "198.51.100.7:443");
    w.events();
    w.gate.set_interest(flow, false, false);
    assert_eq!(w.prog_send(s, b"x"), Ok(1));
    assert_eq!(w.events(), []);
    w.gate.set_interest(flow, true, false);
    assert_eq!(w.events(), [Event::Readable { flow }]);
}

#[test]
fn thousand_flows_leave_nothing_behind() {
    let mut w = world();
    for i in 0..1000u32 {
        let (s, flow) = outbound(&mut w, "198.51.100.7:443");
        if i % 2 == 0 {
            w.gate.abort(w.now, flow);
        } else {
            w.prog.abort(w.now, s);
            w.events();
            w.gate.close(w.now, flow);
        }
        w.settle();
        w.prog.close(w.now, s);
        assert_eq!(w.gate.flow_count(), 0);
    }
    w.run(SECOND * 130);
    assert_eq!(w.gate.net().diag().len(), 2);
    assert_eq!(w.prog.diag().len(), 0);
    assert_eq!(w.gate.poll_timeout(), None);
}

/// Sends `total` patterned bytes both ways at once and checks each.
fn exchange(config: LinkConfig, total: usize) {
    let mut w = World::new(config);
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    w.link.set_tap(Some(Box::new(move |f| {
        let (ip, len) = ipv4::parse(f.packet).expect("IPv4");
        assert!(tcp::verify_v4(ip.src, ip.dst, &[&f.packet[len..]]));
        count.fetch_add(1, Ordering::Relaxed);
    })));
    let s = w.connect("198.51.100.7:443");
    let mut flow = None;
    let byte = |i: usize| (i * 31 + i / 251) as u8;
    let data: Vec<u8> = (0..total).map(byte).collect();
    let (mut up, mut down) = (0, 0);
    let (mut got_up, mut got_down) = (Vec::new(), Vec::new());
    let deadline = w.now + SECOND * 600;
    while got_up.len() < total || got_down.len() < total {
        if let Some((f, ..)) = w.request() {
            w.gate.opened(w.now, f, Ok(()));
            flow = Some(f);
        }
        if let Ok(n) = w.prog_send(s, &data[up..]) {
            up += n;
        }
        if let Ok(b) = w.prog_recv(s) {
            got_down.extend(b);
        }
        if let Some(f) = flow {
            if let Ok(n) = w.gate_send(f, &data[down..]) {
                down += n;
            }
            if let Ok(b) = w.gate_recv(f) {
                got_up.extend(b);
            }
        }
        assert!(
            w.step(deadline),
            "stalled at {} and {}",
            got_up.len(),
            got_down.len()
        );
    }
    assert!(got_up == data && got_down == data);
    assert!(seen.load(Ordering::Relaxed) > 20);
}

#[test]
fn exchange_without_loss_arrives_intact() {
    let delay = Duration::from_millis(1);
    exchange(
        LinkConfig {
            delay,
            ..LinkConfig::default()
        },
        4 << 20,
    );
}

#[test]
fn exchange_with_loss_and_delay_arrives_intact() {
    let config = LinkConfig {
        loss: 0.01,
        delay: Duration::from_millis(5),
        seed: 7,
        ..LinkConfig::default()
    };
    exchange(config, 1 << 20);
}
