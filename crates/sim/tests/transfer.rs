//! Streams both ways over links that lose, reorder, duplicate and corrupt: every byte arrives, and the same seed gives the
//! same packets.
#![forbid(unsafe_code)]

mod common;
use common::*;
use hearken_abi::Counter;
use hearken_sim::{Burst, Direction, LinkConfig, Sim, Transfer};
use std::time::Duration;

/// 8 MiB each way for two seeds, with more corruption for the shorter way; `examples/torture.rs`, which .ci/run calls in the
/// release profile, runs 64 MiB for twenty.
#[test]
fn transfer_through_every_fault_delivers_every_byte() {
    let link = LinkConfig {
        corrupt: 0.001,
        ..faulty()
    };
    for seed in 0..2 {
        let run = exchange(Sim::new(seed), link, 8 << 20);
        run.assert_complete(8 << 20);
        let s = run.sim.stats(run.link, Direction::Forward);
        assert!(s.lost > 0 && s.duplicated > 0 && s.reordered > 0 && s.corrupted > 0);
        let net = run.sim.net(run.b);
        let checked =
            net.mib().get(Counter::TcpInCsumErrors) + net.mib().get(Counter::IpInHdrErrors);
        assert!(checked > 0, "no corrupted packet was noticed");
    }
}

#[test]
fn transfer_through_bursts_of_loss_delivers_every_byte() {
    let link = LinkConfig {
        latency: Duration::from_millis(10),
        rate: 20_000_000,
        queue: 64 << 10,
        burst: Some(Burst {
            begin: 0.002,
            end: 0.1,
            loss: 0.8,
        }),
        ..LinkConfig::default()
    };
    let run = exchange(Sim::new(3), link, 1 << 20);
    run.assert_complete(1 << 20);
}

#[test]
fn same_seed_gives_the_same_trace_byte_for_byte() {
    let record = |seed| {
        let (pcap, text) = (Shared::default(), Shared::default());
        let mut sim = Sim::new(seed);
        sim.trace_text(text.clone());
        let run = exchange_captured(sim, faulty(), 300_000, Some(pcap.clone()));
        run.assert_complete(300_000);
        (pcap.take(), text.take(), run.sim.trace_hash())
    };
    let (first, again, other) = (record(5), record(5), record(6));
    assert!(first.0.len() > 600_000 && first.1.len() > 10_000);
    assert!(first == again);
    assert!(first.0 != other.0 && first.1 != other.1 && first.2 != other.2);
}

#[test]
fn transfer_over_ipv6_and_a_switch_delivers_every_byte() {
    let mut sim = Sim::new(8);
    let (a, b) = (sim.host("a"), sim.host("b"));
    let (s, t) = (sim.switch("s"), sim.switch("t"));
    for (x, y) in [(a, s), (s, t), (t, b)] {
        sim.link(x, y, faulty());
    }
    let to = sim.at6(b, 80);
    sim.spawn(b, server(to, 200_000));
    let c = sim.spawn(a, Transfer::to(to, 1, 200_000, 2, 200_000));
    assert!(sim.run_until(|s| s.running() == 0, Duration::from_secs(600)));
    assert_eq!(sim.actor::<Transfer>(c).failure(), None);
}
