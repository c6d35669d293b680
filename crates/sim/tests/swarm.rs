//! Random networks, sysctls and programs: whatever is lost on the way, every stream arrives whole, and then nothing is left.
//!
//! `HEARKEN_SIM_SEEDS=5..6` runs one seed, `0..100000` many; `HEARKEN_SIM_TRACE=1` prints each packet.
#![forbid(unsafe_code)]

use hearken_abi::Counter;
use hearken_device::rng::SplitMix64;
use hearken_inet::{Config, Cred, Domain, Opt, Ready, Shutdown, SocketId, TcpState};
use hearken_sim::{Acceptor, Actor, Burst, Cx, Direction, LinkConfig, Reorder, Sim, Transfer};
use std::net::SocketAddr;
use std::time::Duration;

#[derive(Clone)]
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
            burst: self.one_in(4).then_some(Burst {
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
    let pause = Duration::from_millis(dice.below(1000));
    let slow = (dice.one_in(4), dice.one_in(4));
    let chunk = 1 + most as usize / 30;
    let pace = move |t: Transfer, slow| {
        if slow { t.reading(chunk, pause) } else { t }
    };
    let serve = Acceptor::new(to, 10, move |s| {
        Box::new(pace(Transfer::on(s, 2, down, 1, up), slow.0))
    });
    sim.spawn(b, serve);
    let clients = 1 + dice.below(5) as usize;
    for _ in 0..clients {
        let at = sim.now() + Duration::from_micros(dice.below(1_000_000));
        sim.spawn_at(a, at, pace(Transfer::to(to, 1, up, 2, down), slow.1));
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
        assert_eq!(s.too_big, 0, "{}", say());
    }
}

fn for_each_seed(default: &str, f: fn(u64)) {
    let seeds = std::env::var("HEARKEN_SIM_SEEDS").unwrap_or_else(|_| default.into());
    let (from, to) = seeds.split_once("..").expect("FROM..TO");
    let (from, to): (u64, u64) = (from.parse().expect("FROM"), to.parse().expect("TO"));
    (from..to).for_each(f);
}

#[test]
fn swarm_of_random_networks_loses_no_byte_and_leaves_nothing_behind() {
    for_each_seed("0..100", swarm);
}

/// Sends for a while, then leaves in one way or another.
struct Quitter {
    to: Option<SocketAddr>,
    socket: Option<SocketId>,
    after: Duration,
    how: u64,
    reads: bool,
}

impl Actor for Quitter {
    fn start(&mut self, cx: &mut Cx<'_>) {
        if let Some(to) = self.to {
            let domain = if to.is_ipv4() {
                Domain::Inet
            } else {
                Domain::Inet6
            };
            let s = cx.net.socket(domain);
            cx.net.connect(cx.now, s, to, &Cred::ROOT).unwrap();
            self.socket = Some(s);
        }
        let s = self.socket.unwrap();
        cx.net.set_option(cx.now, s, Opt::KeepAlive(true)).unwrap();
        cx.watch(s, Ready::READ | Ready::WRITE, 0);
        cx.wake_at(cx.now + self.after);
    }
    fn ready(&mut self, cx: &mut Cx<'_>, _: u32, _: Ready) {
        let s = self.socket.unwrap();
        let now = cx.now;
        if self.reads {
            let _ = cx
                .net
                .recv_with(now, s, |p| (p.iter().map(|p| p.len()).sum(), ()));
        }
        let _ = cx
            .net
            .send_with(now, s, |p| (p.first().map_or(0, |p| p.len().min(3000)), ()));
    }
    fn wake(&mut self, cx: &mut Cx<'_>) {
        let (s, now) = (self.socket.unwrap(), cx.now);
        match self.how {
            0 => cx.net.abort(now, s),
            1 => {
                let _ = cx.net.set_option(now, s, Opt::Linger(Some(Duration::ZERO)));
                cx.net.close(now, s);
            }
            2 => {
                let _ = cx.net.shutdown(now, s, Shutdown::Write);
                (self.how, self.reads) = (3, true);
                return cx.wake_at(now + self.after);
            }
            3 => {
                let _ = cx.net.shutdown(now, s, Shutdown::Both);
                cx.net.close(now, s);
            }
            4 => {
                cx.net.disconnect(now, s);
                cx.net.close(now, s);
            }
            _ => cx.net.close(now, s),
        }
        cx.finish();
    }
}

fn quitters(seed: u64) {
    let mut dice = Dice(SplitMix64::new(seed ^ 0x0177));
    let mut sim = Sim::new(seed);
    if std::env::var_os("HEARKEN_SIM_TRACE").is_some() {
        sim.trace_text(std::io::stderr());
    }
    let mut keep = |c: &mut Config| {
        dice.config(c);
        (c.sysctls.tcp_keepalive_time, c.sysctls.tcp_keepalive_intvl) = (60, 10);
    };
    let (a, b) = (sim.host_with("a", &mut keep), sim.host_with("b", &mut keep));
    let config = dice.link();
    let link = sim.link(a, b, config);
    let to = if dice.one_in(2) {
        sim.at(b, 80)
    } else {
        sim.at6(b, 80)
    };
    let backlog = dice.below(4) as u32;
    let mut each = Dice(SplitMix64::new(seed));
    let mut quitter = move |to, socket| Quitter {
        to,
        socket,
        after: Duration::from_micros(each.below(3_000_000)),
        how: each.below(6),
        reads: each.one_in(2),
    };
    let mut served = quitter.clone();
    let serve = Acceptor::new(to, backlog, move |s| Box::new(served(None, Some(s))));
    let pace = Duration::from_micros(dice.below(20_000));
    sim.spawn(b, serve.every(pace));
    for _ in 0..1 + dice.below(20) {
        let at = sim.now() + Duration::from_micros(dice.below(1_000_000));
        sim.spawn_at(a, at, quitter(Some(to), None));
    }
    let over = sim.run_to_end(Duration::from_secs(3 * 3600));
    assert!(over, "seed {seed}: not over");
    assert_eq!(sim.running(), 0, "seed {seed}");
    for n in [a, b] {
        let net = sim.net(n);
        let left = net.diag();
        assert!(
            left.iter().all(|r| r.state == TcpState::Listen),
            "seed {seed} over {config:?}: {left:#?}"
        );
        assert_eq!(net.mib().get(Counter::TcpCurrEstab), 0, "seed {seed}");
        assert_eq!(net.poll_timeout(), None, "seed {seed}");
    }
    for (tx, d) in [(a, Direction::Forward), (b, Direction::Backward)] {
        let s = sim.stats(link, d);
        assert_eq!(s.sent + s.duplicated, s.delivered + s.dropped());
        let mib = sim.net(tx).mib();
        assert_eq!(mib.get(Counter::TcpOutSegs), s.sent, "seed {seed} {d:?}");
        assert_eq!(s.too_big, 0, "seed {seed} {d:?}");
    }
}

#[test]
fn swarm_of_quitters_leaves_nothing_behind() {
    for_each_seed("0..200", quitters);
}
