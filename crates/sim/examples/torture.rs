//! Streams of 64 MiB each way through 1 % loss, 1 % reordering, 0.5 % duplication and 0.01 % corruption at 50 ms, for twenty
//! seeds, every byte checked: `cargo run --release -p hearken-sim --example torture [SEEDS [MIB [FIRST]]]`.
#![forbid(unsafe_code)]

use hearken_sim::{Acceptor, Direction, LinkConfig, Reorder, Sim, Transfer};
use std::process::ExitCode;
use std::time::Duration;

fn link() -> LinkConfig {
    LinkConfig {
        latency: Duration::from_millis(25),
        loss: 0.01,
        reorder: Some(Reorder {
            chance: 0.01,
            by: Duration::from_millis(3),
        }),
        duplicate: 0.005,
        corrupt: 0.0001,
        ..LinkConfig::default()
    }
}

fn main() -> ExitCode {
    let arg = |n: usize, default: u64| {
        std::env::args()
            .nth(n)
            .map_or(Some(default), |a| a.parse().ok())
    };
    let (Some(seeds), Some(mib), Some(first)) = (arg(1, 20), arg(2, 64), arg(3, 0)) else {
        eprintln!("usage: torture [SEEDS [MIB [FIRST]]]");
        return ExitCode::from(2);
    };
    let bytes = mib << 20;
    let mut packets = 0;
    let began = std::time::Instant::now();
    for seed in first..first + seeds {
        let mut sim = Sim::new(seed);
        let (a, b) = (sim.host("a"), sim.host("b"));
        let line = sim.link(a, b, link());
        let to = sim.at(b, 80);
        let serve = Acceptor::new(to, 1, move |s| {
            Box::new(Transfer::on(s, 2, bytes, 1, bytes))
        });
        sim.spawn(b, serve);
        sim.spawn(a, Transfer::to(to, 1, bytes, 2, bytes));
        let start = sim.now();
        let over = sim.run_until(|s| s.running() == 0, Duration::from_secs(24 * 3600));
        let took = sim.now().since(start);
        let (f, r) = (
            sim.stats(line, Direction::Forward),
            sim.stats(line, Direction::Backward),
        );
        packets += f.sent + r.sent;
        println!(
            "seed {seed}: {:.1} s simulated, {} packets, {} lost, {} late, {} twice, {} corrupted, trace {:032x}",
            took.as_secs_f64(),
            f.sent + r.sent,
            f.lost + r.lost,
            f.reordered + r.reordered,
            f.duplicated + r.duplicated,
            f.corrupted + r.corrupted,
            sim.trace_hash(),
        );
        let ends: Vec<&Transfer> = sim.actors().collect();
        let right = |t: &&Transfer| t.is_complete() && t.received() == bytes;
        if !over || ends.len() != 2 || !ends.iter().all(right) {
            for t in ends {
                eprintln!("{} in, {} out: {:?}", t.received(), t.sent(), t.failure());
            }
            eprintln!("seed {seed} failed");
            return ExitCode::FAILURE;
        }
    }
    let secs = began.elapsed().as_secs_f64();
    println!(
        "{seeds} seeds, {mib} MiB each way, every byte right: {packets} packets in {secs:.1} s, {:.2} M/s",
        packets as f64 / secs / 1e6
    );
    ExitCode::SUCCESS
}
