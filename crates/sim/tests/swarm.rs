//! Random networks, sysctls and programs: whatever is lost on the way, every stream arrives whole, and then nothing is left.
//!
//! `HEARKEN_SIM_SEEDS=5..6` runs one seed, `0..100000` many; `HEARKEN_SIM_TRACE=1` prints each packet.
#![forbid(unsafe_code)]

use hearken_abi::Counter;
use hearken_device::rng::SplitMix64;
use hearken_inet::{Config, TcpState};
use hearken_sim::{Acceptor, Burst, Direction, LinkConfig, Reorder, Sim, Transfer};
use std::time::Duration;

struct Dice(SplitMix64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0.next_u64() % n
    }
    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
    /// Zero half of the time, else up to `most`.
    fn chance(&mut self, most: f64) -> f64 {
        if self.one_in(2) {
            return 0.0;
        }
        most * self.below(1000) as f64 / 1000.0
    }
    fn link(&mut self) -> LinkConfig {
        let mtu = [1500, 1500, 1280, 9000][self.below(4) as usize];
        LinkConfig {
            latency: Duration::from_micros(self.below(200_000)),
            rate: [0, 0, 1_000_000, 10_000_000, 1_000_000_000][self.below(5) as usize],
            queue: 20_000 + self.below(200_000) as usize,
            mtu,
            loss: self.chance(0.15),
            burst: self.one_in(4).then(|| Burst {
                begin: 0.01,
                end: 0.6,
                loss: 0.9,
            }),
            reorder: self.one_in(2).then(|| Reorder {
                chance: self.chance(0.3),
                by: Duration::from_micros(self.below(50_000)),
            }),
            duplicate: self.chance(0.2),
            corrupt: self.chance(0.02),
            truncate: self.chance(0.02),
        }
    }
    fn config(&mut self, c: &mut Config) {
        let s = &mut c.sysctls;
        // Nobody gives up because of a run of losses, which is a matter of chance.
        (
            s.tcp_orphan_retries,
            s.tcp_syn_retries,
            s.tcp_synack_retries,
        ) = (15, 15, 15);
        s.tcp_sack = u8::from(!self.one_in(4));
        s.tcp_timestamps = if self.one_in(4) {
            0
        } else {
            1 + self.below(2) as u8
        };
        s.tcp_window_scaling = u8::from(!self.one_in(4));
        // Not 2: when the ACK that brings a cookie back is lost, whatever comes first in its stead is answered by a reset.
        s.tcp_syncookies = self.below(2) as u8;
        if self.one_in(4) {
            s.tcp_rmem[1] = 4096 + self.below(20_000) as u32;
            s.tcp_rmem[2] = s.tcp_rmem[1];
        }
        if self.one_in(4) {
            s.tcp_wmem[1] = 4096 + self.below(20_000) as u32;
            s.tcp_wmem[2] = s.tcp_wmem[1];
        }
    }
}

fn swarm(seed: u64) {
    let mut dice = Dice(SplitMix64::new(seed ^ 0x5eed));
    let mut sim = Sim::new(seed);
    if std::env::var_os("HEARKEN_SIM_TRACE").is_some() {
        sim.trace_text(std::io::stderr());
    }
    let a = sim.host_with("a", |c| dice.config(c));
    let b = sim.host_with("b", |c| dice.config(c));
    let config = dice.link();
    let link = sim.link(a, b, config);
    let to = if dice.one_in(2) {
        sim.at(b, 80)
    } else {
        sim.at6(b, 80)
    };
    let most = [100, 3000, 50_000, 300_000][dice.below(4) as usize];
    let (up, down) = (dice.below(most), dice.below(most));
    let serve = Acceptor::new(to, 10, move |s| Box::new(Transfer::on(s, 2, down, 1, up)));
    sim.spawn(b, serve);
    let clients = 1 + dice.below(5) as usize;
    for _ in 0..clients {
        let at = sim.now() + Duration::from_micros(dice.below(1_000_000));
        sim.spawn_at(a, at, Transfer::to(to, 1, up, 2, down));
    }
    if dice.one_in(4) {
        sim.run_for(Duration::from_millis(dice.below(3000)));
        let d = [Direction::Forward, Direction::Backward, Direction::Both][dice.below(3) as usize];
        sim.cut(link, d);
        sim.run_for(Duration::from_millis(dice.below(10_000)));
        sim.heal(link, d);
    }
    let over = sim.run_to_end(Duration::from_secs(3 * 3600));
    let say = || {
        let ends: Vec<_> = sim
            .actors::<Transfer>()
            .map(|t| (t.is_done(), t.failure(), t.sent(), t.received()))
            .collect();
        format!(
            "seed {seed} at {:?}: {ends:?}\n{up} up, {down} down, {clients} clients over {config:?}\na {:?}\nb {:?}",
            sim.now(),
            sim.net(a).diag(),
            sim.net(b).diag()
        )
    };
    assert!(over, "not over: {}", say());
    // The last thing that a server says may be lost on its way until it gives up: then it, but not the client, has failed.
    for t in sim.actors::<Transfer>().take(clients) {
        assert!(t.is_complete(), "{}", say());
        assert_eq!((t.sent(), t.received()), (up, down));
    }
    assert_eq!(sim.running(), 0, "{}", say());
    for n in [a, b] {
        let net = sim.net(n);
        assert!(
            net.diag().iter().all(|r| r.state == TcpState::Listen),
            "{}",
            say()
        );
        assert_eq!(net.mib().get(Counter::TcpCurrEstab), 0);
        assert_eq!(net.poll_timeout(), None, "{}", say());
    }
    for d in [Direction::Forward, Direction::Backward] {
        let s = sim.stats(link, d);
        assert_eq!(s.sent + s.duplicated, s.delivered + s.dropped());
    }
}

#[test]
fn swarm_of_random_networks_loses_no_byte_and_leaves_nothing_behind() {
    let seeds = std::env::var("HEARKEN_SIM_SEEDS").unwrap_or_else(|_| "0..100".into());
    let (from, to) = seeds.split_once("..").expect("FROM..TO");
    let (from, to) = (from.parse().expect("FROM"), to.parse().expect("TO"));
    for seed in from..to {
        swarm(seed);
    }
}
