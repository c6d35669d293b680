//! Ten thousand clients on a backlog of 128 and a server that takes two milliseconds for each: every client is served or told,
//! and what the server counted is what the clients saw.
#![forbid(unsafe_code)]

use hearken_abi::Counter;
use hearken_inet::{HookMask, Hooks, Net, SoError, Step, TcpState};
use hearken_sim::{Acceptor, Direction, Failure, LinkConfig, NodeId, Sim, Transfer};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const CLIENTS: u64 = 10_000;

/// How often the listener took each step.
#[derive(Clone, Copy, Default, Debug)]
struct Steps {
    syns: u64,
    queued: u64,
    accepted: u64,
    overflows: u64,
    overflow_resets: u64,
}

struct Count(Arc<Mutex<Steps>>);

impl Hooks for Count {
    fn mask(&self) -> HookMask {
        HookMask::TRACE
    }
    fn trace(&mut self, step: &Step) {
        let mut s = self.0.lock().unwrap();
        match step {
            Step::Syn { limit, .. } => {
                assert_eq!(*limit, 128);
                s.syns += 1;
            }
            Step::Queued { ack_backlog, .. } => {
                assert!(*ack_backlog <= 129, "one more than the limit fits");
                s.queued += 1;
            }
            Step::Accepted { .. } => s.accepted += 1,
            Step::Overflow { reset, .. } => {
                s.overflows += 1;
                s.overflow_resets += u64::from(*reset);
            }
            _ => {}
        }
    }
}

/// What the clients saw.
#[derive(Default, Debug)]
struct Outcomes {
    served: u64,
    reset: u64,
    timed_out: u64,
}

struct Storm {
    outcomes: Outcomes,
    steps: Steps,
    sim: Sim,
    a: NodeId,
    b: NodeId,
}

impl Storm {
    fn client(&self, c: Counter) -> u64 {
        self.sim.net(self.a).mib().get(c)
    }
    fn server(&self, c: Counter) -> u64 {
        self.sim.net(self.b).mib().get(c)
    }
}

fn listeners_only(net: &Net) -> bool {
    net.diag().iter().all(|r| r.state == TcpState::Listen)
}

/// Runs the storm and checks what holds whatever the sysctls are.
fn storm(syncookies: u8, abort_on_overflow: u8) -> Storm {
    let mut sim = Sim::new(1);
    let steps = Arc::new(Mutex::new(Steps::default()));
    let hooks = Count(steps.clone());
    let a = sim.host("clients");
    let b = sim.host_with("server", |c| {
        c.sysctls.tcp_syncookies = syncookies;
        c.sysctls.tcp_abort_on_overflow = abort_on_overflow;
        c.hooks = Some(Box::new(hooks));
    });
    let config = LinkConfig {
        latency: Duration::from_millis(5),
        ..LinkConfig::default()
    };
    let link = sim.link(a, b, config);
    let to = sim.at(b, 80);
    let serve = Acceptor::new(to, 128, |s| Box::new(Transfer::on(s, 2, 1000, 1, 100)));
    let listener = sim.spawn(b, serve.every(Duration::from_millis(2)));
    for i in 0..CLIENTS {
        let at = sim.now() + Duration::from_micros(i * 100);
        sim.spawn_at(a, at, Transfer::to(to, 1, 100, 2, 1000));
    }
    assert!(
        sim.run_to_end(Duration::from_secs(3600)),
        "something is under way after an hour"
    );
    assert_eq!(sim.running(), 0, "a client was neither served nor told");

    let mut outcomes = Outcomes::default();
    for t in sim.actors::<Transfer>().take(CLIENTS as usize) {
        match t.failure() {
            None => {
                assert_eq!((t.sent(), t.received()), (100, 1000));
                outcomes.served += 1;
            }
            Some(Failure::Socket(SoError::Reset)) => outcomes.reset += 1,
            Some(Failure::Socket(SoError::TimedOut)) => outcomes.timed_out += 1,
            other => panic!("{other:?}"),
        }
    }
    for served in sim.actors::<Transfer>().skip(CLIENTS as usize) {
        assert!(served.is_complete(), "{:?}", served.failure());
    }
    let accepted = sim.actor::<Acceptor>(listener).accepted();
    let steps = *steps.lock().unwrap();
    let s = Storm {
        outcomes,
        steps,
        sim,
        a,
        b,
    };
    let o = &s.outcomes;
    assert_eq!(o.served + o.reset + o.timed_out, CLIENTS);
    assert_eq!(s.client(Counter::TcpActiveOpens), CLIENTS);
    assert_eq!(s.client(Counter::TcpAttemptFails), o.timed_out);
    assert_eq!(s.client(Counter::TcpAbortOnTimeout), o.timed_out);
    assert_eq!(s.server(Counter::TcpOutRsts), o.reset);
    for n in [
        accepted,
        steps.queued,
        steps.accepted,
        s.server(Counter::TcpPassiveOpens),
    ] {
        assert_eq!(n, o.served);
    }
    // Nothing is lost on the way: both ends count the same segments as the link.
    let (there, back) = (
        s.sim.stats(link, Direction::Forward),
        s.sim.stats(link, Direction::Backward),
    );
    for (tx, rx, way) in [(a, b, there), (b, a, back)] {
        let (tx, rx) = (s.sim.net(tx).mib(), s.sim.net(rx).mib());
        assert_eq!(tx.get(Counter::TcpOutSegs), way.sent);
        assert_eq!(rx.get(Counter::TcpInSegs), way.sent);
        assert_eq!((way.delivered, way.dropped()), (way.sent, 0));
        assert_eq!(tx.get(Counter::TcpCurrEstab), 0);
    }
    // Each timeout of a client sent something again, or gave up.
    assert_eq!(
        s.client(Counter::TcpTimeouts),
        s.client(Counter::TcpRetransSegs) + o.timed_out
    );
    // A listener drops because a queue is full, and for nothing else.
    assert_eq!(
        s.server(Counter::ListenDrops),
        s.server(Counter::ListenOverflows) + s.server(Counter::TcpReqQFullDrop)
    );
    assert!(s.server(Counter::ListenOverflows) > CLIENTS);
    // A minute after the last of it nothing is left.
    assert!(listeners_only(s.sim.net(b)) && s.sim.net(a).diag().is_empty());
    s
}

/// SYNs that made a request sock: those that the listener saw, less those dropped at a full queue and those that were answered
/// by a cookie.
fn requests(s: &Storm) -> u64 {
    let at_accept_queue = s.server(Counter::ListenOverflows) - s.steps.overflows;
    s.steps.syns
        - at_accept_queue
        - s.server(Counter::TcpReqQFullDrop)
        - s.server(Counter::SyncookiesSent)
}

/// Requests whose SYN-ACK was sent as often as it may be.
fn expired(s: &Storm) -> u64 {
    s.server(Counter::TcpTimeouts) - s.server(Counter::TcpRetransSegs)
}

#[test]
fn storm_without_cookies_serves_or_times_out_every_client() {
    let s = storm(0, 0);
    assert_eq!(s.server(Counter::SyncookiesSent), 0);
    assert!(s.outcomes.timed_out > 1000 && s.outcomes.served > 5000);
    // A request becomes a connection or expires; of the latter the client hears when it sends again.
    assert_eq!(requests(&s), s.outcomes.served + expired(&s));
    assert_eq!(s.outcomes.reset, expired(&s));
}

#[test]
fn storm_with_cookies_serves_or_resets_every_client() {
    let s = storm(1, 0);
    assert!(s.server(Counter::SyncookiesSent) > 1000 && s.outcomes.served > 5000);
    assert_eq!(s.outcomes.timed_out, 0);
}

#[test]
fn storm_with_abort_on_overflow_resets_who_finds_the_queue_full() {
    let s = storm(0, 1);
    let embryonic = s.server(Counter::EmbryonicRsts);
    assert_eq!(s.steps.overflow_resets, s.steps.overflows);
    assert_eq!(embryonic, s.steps.overflow_resets);
    assert_eq!(requests(&s), s.outcomes.served + embryonic + expired(&s));
    assert_eq!(s.outcomes.reset, embryonic + expired(&s));
}
