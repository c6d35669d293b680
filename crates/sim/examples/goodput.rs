//! Goodput of one stream over links of several rates at 50 ms, and what it was limited by:
//! `cargo run --release -p hearken-sim --example goodput [SECONDS]`.
#![forbid(unsafe_code)]

use hearken_abi::Counter;
use hearken_sim::{Acceptor, Direction, LinkConfig, Reorder, Sim, Transfer};
use std::time::Duration;

fn row(mbit: u64, queue: usize, loss: f64, late: f64, secs: u64) {
    let mut sim = Sim::new(1);
    let (a, b) = (sim.host("client"), sim.host("server"));
    let link = sim.link(
        a,
        b,
        LinkConfig {
            latency: Duration::from_millis(25),
            rate: mbit * 1_000_000,
            queue,
            loss,
            reorder: (late > 0.0).then_some(Reorder {
                chance: late,
                by: Duration::from_millis(3),
            }),
            ..LinkConfig::default()
        },
    );
    let to = sim.at(b, 80);
    let all = u64::MAX >> 8;
    let serve = Acceptor::new(to, 1, move |s| Box::new(Transfer::on(s, 2, all, 1, 0)));
    sim.spawn(b, serve);
    let c = sim.spawn(a, Transfer::to(to, 1, 0, 2, all));
    let mut before = 0;
    let mut marks = String::new();
    for s in 1..=secs {
        sim.run_for(Duration::from_secs(1));
        let got = sim.actor::<Transfer>(c).received();
        if s <= 5 || s == secs {
            marks += &format!(" {}s:{:.1}", s, (got - before) as f64 * 8.0 / 1e6);
        }
        before = got;
    }
    let mib = sim.net(b).mib();
    let server = sim.actors::<Transfer>().nth(1).and_then(Transfer::socket);
    let info = server.map(|s| sim.net(b).tcp_info(sim.now(), s));
    let rx = sim.actor::<Transfer>(c).socket();
    let rx = rx.map(|s| sim.net(a).tcp_info(sim.now(), s));
    let (info, rx) = (info.unwrap_or_default(), rx.unwrap_or_default());
    println!(
        "{mbit} Mbit/s, queue {} KiB, loss {loss}, late {late}: mean {:.1} Mbit/s;{marks}; cwnd {} ssthresh {} snd_wnd {} rcv_space {} rtt {} us; retrans {} rto {} queue max {} KiB",
        queue >> 10,
        before as f64 * 8.0 / 1e6 / secs as f64,
        info.snd_cwnd,
        info.snd_ssthresh,
        info.snd_wnd,
        rx.rcv_space,
        info.rtt,
        mib.get(Counter::TcpRetransSegs),
        mib.get(Counter::TcpTimeouts),
        sim.stats(link, Direction::Backward).queue_max >> 10,
    );
}

fn main() {
    let secs = std::env::args()
        .nth(1)
        .and_then(|a| a.parse().ok())
        .unwrap_or(10);
    for mbit in [10, 100, 1000] {
        let bdp = (mbit * 1_000_000 / 8 / 20) as usize;
        for queue in [bdp / 4, bdp, bdp * 4] {
            row(mbit, queue.max(15_000), 0.0, 0.0, secs);
        }
        row(mbit, bdp, 0.0001, 0.0, secs);
        row(mbit, bdp, 0.01, 0.0, secs);
        row(mbit, bdp, 0.0, 0.01, secs);
    }
}
