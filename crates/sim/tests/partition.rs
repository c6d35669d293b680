//! Links that are cut and mended while streams run.
#![forbid(unsafe_code)]

mod common;
use common::server;
use hearken_abi::Counter;
use hearken_inet::SoError;
use hearken_sim::{Direction, Failure, LinkConfig, LinkId, NodeId, Sim, Transfer};
use std::time::Duration;

const BYTES: u64 = 4 << 20;

struct Two {
    sim: Sim,
    link: LinkId,
    a: NodeId,
    b: NodeId,
}

/// Two hosts that exchange streams, half a second after they began.
fn under_way() -> Two {
    let mut sim = Sim::new(11);
    let (a, b) = (sim.host("a"), sim.host("b"));
    let config = LinkConfig {
        latency: Duration::from_millis(10),
        rate: 20_000_000,
        ..LinkConfig::default()
    };
    let link = sim.link(a, b, config);
    let to = sim.at(b, 80);
    sim.spawn(b, server(to, BYTES));
    sim.spawn(a, Transfer::to(to, 1, BYTES, 2, BYTES));
    sim.run_for(Duration::from_millis(500));
    assert!(
        received(&sim)
            .iter()
            .all(|n| (100_000..BYTES / 2).contains(n))
    );
    Two { sim, link, a, b }
}

/// Of the client and of the server.
fn received(sim: &Sim) -> Vec<u64> {
    sim.actors::<Transfer>().map(Transfer::received).collect()
}

fn finish(sim: &mut Sim, limit: Duration) {
    assert!(sim.run_until(|s| s.running() == 0, limit));
    for t in sim.actors::<Transfer>() {
        assert_eq!(t.failure(), None);
        assert_eq!((t.sent(), t.received()), (BYTES, BYTES));
    }
}

#[test]
fn partition_of_ten_seconds_stops_both_streams_and_they_go_on_after_it() {
    let mut t = under_way();
    t.sim.cut(t.link, Direction::Both);
    t.sim.run_for(Duration::from_secs(1));
    let before = received(&t.sim);
    t.sim.run_for(Duration::from_secs(9));
    assert_eq!(received(&t.sim), before);
    t.sim.heal(t.link, Direction::Both);
    // The back-off doubles from about 220 ms: the next try comes at most as late again as the cut has lasted.
    finish(&mut t.sim, Duration::from_secs(20));
    for n in [t.a, t.b] {
        let timeouts = t.sim.net(n).mib().get(Counter::TcpTimeouts);
        assert!((4..10).contains(&timeouts), "{timeouts} timeouts");
    }
}

#[test]
fn partition_of_one_direction_stops_both_streams_and_they_go_on_after_it() {
    for cut in [Direction::Forward, Direction::Backward] {
        let mut t = under_way();
        t.sim.cut(t.link, cut);
        t.sim.run_for(Duration::from_secs(1));
        let before = received(&t.sim);
        t.sim.run_for(Duration::from_secs(4));
        // Whoever still hears the other gets no further either: its acknowledgments are lost, and so the window stands still.
        assert_eq!(received(&t.sim), before);
        t.sim.heal(t.link, cut);
        finish(&mut t.sim, Duration::from_secs(20));
    }
}

#[test]
fn partition_without_end_ends_both_streams_with_a_timeout() {
    let mut t = under_way();
    t.sim.cut(t.link, Direction::Both);
    // tcp_retries2 is 15: with a first RTO of 200 ms Linux's manual says 924.6 seconds.
    t.sim.run_for(Duration::from_secs(900));
    assert_eq!(t.sim.running(), 2);
    assert!(
        t.sim
            .run_until(|s| s.running() == 0, Duration::from_secs(300))
    );
    for e in t.sim.actors::<Transfer>() {
        assert_eq!(e.failure(), Some(Failure::Socket(SoError::TimedOut)));
    }
    for n in [t.a, t.b] {
        let mib = t.sim.net(n).mib();
        assert_eq!(mib.get(Counter::TcpAbortOnTimeout), 1);
        assert_eq!(mib.get(Counter::TcpCurrEstab), 0);
    }
    // Nothing is left to happen, and the other side hears of nothing.
    t.sim.heal(t.link, Direction::Both);
    assert!(t.sim.run_to_end(Duration::from_secs(300)));
    assert!(t.sim.net(t.a).diag().is_empty());
}

#[test]
fn partition_that_one_end_does_not_outlive_is_told_to_the_other_by_a_reset() {
    let mut t = under_way();
    t.sim.cut(t.link, Direction::Both);
    // The server's host gives up early; the client keeps trying.
    t.sim
        .net_mut(t.b)
        .sysctl_set("net.ipv4.tcp_retries2", "3")
        .unwrap();
    assert!(
        t.sim
            .run_until(|s| s.running() == 1, Duration::from_secs(30))
    );
    t.sim.heal(t.link, Direction::Both);
    assert!(
        t.sim
            .run_until(|s| s.running() == 0, Duration::from_secs(30))
    );
    let ends: Vec<_> = t.sim.actors::<Transfer>().map(Transfer::failure).collect();
    let told = |e| Some(Failure::Socket(e));
    assert_eq!(ends, [told(SoError::Reset), told(SoError::TimedOut)]);
    assert_eq!(t.sim.net(t.b).mib().get(Counter::TcpOutRsts), 1);
}
