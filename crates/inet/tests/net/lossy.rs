//! Transfers both ways over a wire that loses, repeats, delays and reorders, in virtual time: every byte arrives, in
//! order, and nothing is left. And the same seed gives the same bytes on the wire.

use crate::common::*;
use core::cmp::Reverse;
use core::time::Duration;
use hearken_abi::Counter;
use hearken_inet::*;
use proptest::prelude::*;
use std::collections::BinaryHeap;

/// One direction of the wire; chances in a thousand.
#[derive(Clone, Copy, Debug)]
struct Way {
    loss: u64,
    dup: u64,
    delay_us: u64,
    jitter_us: u64,
}

/// Frames on their way, the earliest first.
type Flying = BinaryHeap<Reverse<(Instant, u64, usize, Vec<u8>)>>;

struct Sim {
    nets: [Net; 2],
    ways: [Way; 2],
    now: Instant,
    flying: Flying,
    count: u64,
    rng: u64,
    gso: bool,
    /// The programs read at one in so many steps.
    lazy: u64,
    rcvbuf: Option<u32>,
    trace: Vec<(Instant, Vec<u8>)>,
}

impl Sim {
    fn new(seed: u8, ways: [Way; 2], gso: bool) -> Self {
        Self {
            nets: [net(seed, 1), net(seed ^ 0x80, 2)],
            ways,
            now: Instant(1_000_000_000),
            flying: BinaryHeap::new(),
            count: 0,
            rng: u64::from(seed) + 1,
            gso,
            lazy: 1,
            rcvbuf: None,
            trace: Vec::new(),
        }
    }
    fn draw(&mut self, n: u64) -> u64 {
        self.rng = self
            .rng
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.rng >> 33) % n.max(1)
    }
    fn transmit(&mut self) {
        for from in 0..2 {
            loop {
                let mut w = Wire {
                    frames: Vec::new(),
                    gso: self.gso,
                };
                self.nets[from].poll_transmit(self.now, ETH, &mut w);
                if w.frames.is_empty() {
                    break;
                }
                for f in w.frames {
                    self.trace.push((self.now, f.clone()));
                    let way = self.ways[from];
                    let copies = if self.draw(1000) < way.loss {
                        0
                    } else {
                        1 + usize::from(self.draw(1000) < way.dup)
                    };
                    for _ in 0..copies {
                        let us = way.delay_us + self.draw(way.jitter_us + 1);
                        let at = self.now + Duration::from_micros(us);
                        self.count += 1;
                        self.flying
                            .push(Reverse((at, self.count, 1 - from, f.clone())));
                    }
                }
            }
        }
    }
    /// Goes on to what happens next; false if nothing ever will.
    fn step(&mut self) -> bool {
        self.transmit();
        let next = self.nets.iter().filter_map(|n| n.poll_timeout());
        let frame = self.flying.peek().map(|f| f.0.0);
        let Some(at) = next.chain(frame).min() else {
            return false;
        };
        self.now = self.now.max(at);
        for n in &mut self.nets {
            n.handle_timeout(self.now);
        }
        while let Some(Reverse((at, _, to, f))) = self.flying.pop() {
            if at > self.now {
                self.flying.push(Reverse((at, self.count, to, f)));
                break;
            }
            let frame = RxFrame {
                meta: RxMeta::default(),
                head: &f,
                body: &[],
            };
            self.nets[to].handle_frames(self.now, ETH, &[frame]);
        }
        self.transmit();
        true
    }
}

fn pattern(n: usize, salt: usize) -> Vec<u8> {
    (0..n).map(|i| ((i + salt) * 31 % 251) as u8).collect()
}

/// What one end has to do.
struct End {
    data: Vec<u8>,
    sent: usize,
    got: Vec<u8>,
    shut: bool,
    eof: bool,
}

/// `bytes[0]` from the client, `bytes[1]` from the server; then both close.
fn transfer(sim: &mut Sim, bytes: [usize; 2], chunk: usize) {
    let l = sim.nets[1].socket(Domain::Inet);
    let at = "10.0.0.2:80".parse().unwrap();
    sim.nets[1].bind(l, at, &Cred::ROOT).unwrap();
    sim.nets[1].listen(sim.now, l, 5).unwrap();
    let c = sim.nets[0].socket(Domain::Inet);
    if let Some(b) = sim.rcvbuf {
        sim.nets[1].set_option(sim.now, l, Opt::RcvBuf(b)).unwrap();
        sim.nets[0].set_option(sim.now, c, Opt::RcvBuf(b)).unwrap();
    }
    sim.nets[0].connect(sim.now, c, at, &Cred::ROOT).unwrap();
    let mut socks = [Some(c), None];
    let mut ends = [0, 1].map(|i| End {
        data: pattern(bytes[i], i),
        sent: 0,
        got: Vec::new(),
        shut: false,
        eof: false,
    });
    let limit = sim.now + Duration::from_secs(40 * 3600);
    loop {
        if socks[1].is_none() && !ends[1].eof {
            socks[1] = sim.nets[1].accept(sim.now, l).ok().map(|a| a.socket);
        }
        for i in 0..2 {
            let reads = sim.draw(sim.lazy) == 0;
            let (Some(s), e, n) = (socks[i], &mut ends[i], &mut sim.nets[i]) else {
                continue;
            };
            while e.sent < e.data.len() {
                let part = &e.data[e.sent..e.data.len().min(e.sent + chunk)];
                match write(n, sim.now, s, part) {
                    Ok(0) | Err(SendError::WouldBlock) => break,
                    Ok(k) => e.sent += k,
                    Err(x) => panic!("{i}: {x:?}"),
                }
            }
            if e.sent == e.data.len() && !e.shut {
                if n.state(s) == TcpState::SynSent {
                    continue;
                }
                n.shutdown(sim.now, s, Shutdown::Write).unwrap();
                e.shut = true;
            }
            while reads && !e.eof {
                match read(n, sim.now, s) {
                    Ok(v) if v.is_empty() => e.eof = true,
                    Ok(v) => e.got.extend(v),
                    Err(RecvError::WouldBlock) => break,
                    Err(x) => panic!("{i}: {x:?}"),
                }
            }
            // An orphan would be given up while the other program does not read.
            if e.eof && e.shut && n.state(s) == TcpState::Close {
                n.close(sim.now, s);
                socks[i] = None;
            }
        }
        assert!(sim.now < limit, "stalled");
        if !sim.step() {
            if socks == [None, None] && ends[1].eof {
                break;
            }
            // Only a program can go on.
            assert!(sim.lazy > 1, "stalled");
            sim.now = sim.now + Duration::from_millis(10);
        }
    }
    for i in 0..2 {
        assert!(ends[i].got == ends[1 - i].data, "bytes to {i}");
    }
    sim.nets[1].close(sim.now, l);
    for n in &sim.nets {
        assert_eq!(n.diag(), vec![]);
        assert_eq!(n.poll_timeout(), None);
        assert_eq!(n.mib().get(Counter::TcpCurrEstab), 0);
        assert_eq!(n.mib().get(Counter::TcpEstabResets), 0);
    }
}

fn way() -> impl Strategy<Value = Way> {
    let loss = prop_oneof![Just(0u64), 0..50u64, 50..250u64];
    let dup = prop_oneof![Just(0u64), 0..300u64];
    let jitter = prop_oneof![Just(0u64), 0..1000u64, 0..100_000u64];
    (loss, dup, 0..100_000u64, jitter).prop_map(|(loss, dup, delay_us, jitter_us)| Way {
        loss,
        dup,
        delay_us,
        jitter_us,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn transfer_both_ways_over_any_wire_delivers_every_byte_and_leaves_nothing(
        seed in any::<u8>(),
        ways in [way(), way()],
        gso in any::<bool>(),
        bytes in [0..200_000usize, 0..200_000usize],
        chunk in prop_oneof![1..50usize, 100..5000usize, Just(1 << 20)],
        (sack, timestamps, scaling) in any::<(bool, bool, bool)>(),
        rcvbuf in prop_oneof![3 => Just(None), 1 => (0..8000u32).prop_map(Some)],
        lazy in prop_oneof![3 => Just(1u64), 1 => 2..30u64],
    ) {
        // Single bytes over long paths only make the test long.
        let bytes = bytes.map(|b| b.min(chunk * 2000));
        let bytes = if rcvbuf.is_some() || lazy > 1 { bytes.map(|b| b / 10) } else { bytes };
        let mut sim = Sim::new(seed, ways, gso);
        for n in &mut sim.nets {
            for (name, on) in [("sack", sack), ("timestamps", timestamps), ("window_scaling", scaling)] {
                n.sysctl_set(&format!("net.ipv4.tcp_{name}"), if on { "1" } else { "0" }).unwrap();
            }
        }
        (sim.lazy, sim.rcvbuf) = (lazy, rcvbuf);
        transfer(&mut sim, bytes, chunk);
    }
}

#[test]
fn transfer_over_a_lossy_path_recovers_mostly_without_timeouts() {
    let way = Way {
        loss: 20,
        dup: 5,
        delay_us: 20_000,
        jitter_us: 500,
    };
    let mut sim = Sim::new(3, [way; 2], false);
    transfer(&mut sim, [2_000_000, 2_000_000], 1 << 20);
    for n in &sim.nets {
        let (fast, rto) = (
            n.mib().get(Counter::TcpFastRetrans),
            n.mib().get(Counter::TcpTimeouts),
        );
        assert!(fast > 10 * rto, "fast {fast}, timeouts {rto}");
    }
}

#[test]
fn same_seed_and_calls_give_the_same_bytes_and_another_seed_another_isn() {
    let run = |seed| {
        let way = Way {
            loss: 50,
            dup: 50,
            delay_us: 5_000,
            jitter_us: 5_000,
        };
        let mut sim = Sim::new(seed, [way; 2], true);
        transfer(&mut sim, [300_000, 100_000], 10_000);
        sim.trace
    };
    let (a, b, c) = (run(1), run(1), run(2));
    assert_eq!(a.len(), b.len());
    for (n, (x, y)) in a.iter().zip(&b).enumerate() {
        assert_eq!(x, y, "frame {n}");
    }
    let isn = |t: &[(Instant, Vec<u8>)]| t[0].1[24..28].to_vec();
    assert_ne!(isn(&a), isn(&c));
}

#[test]
fn batch_of_frames_and_the_same_frames_singly_give_the_same_bytes() {
    // Record what a client says, then play it to two servers that differ only in how they are handed it.
    let mut sim = Sim::new(
        9,
        [Way {
            loss: 30,
            dup: 30,
            delay_us: 1000,
            jitter_us: 0,
        }; 2],
        false,
    );
    transfer(&mut sim, [200_000, 10_000], 10_000);
    let said: Vec<_> = sim
        .trace
        .iter()
        .filter(|(_, f)| f[15] == 1)
        .cloned()
        .collect();
    assert!(said.len() > 100);
    let play = |batch: bool| {
        let mut n = net(9 ^ 0x80, 2);
        let start = Instant(1_000_000_000);
        let l = n.socket(Domain::Inet);
        n.bind(l, "10.0.0.2:80".parse().unwrap(), &Cred::ROOT)
            .unwrap();
        n.listen(start, l, 5).unwrap();
        let (mut out, mut s) = (Vec::new(), None);
        for group in said.chunks(7) {
            let now = group[0].0;
            n.handle_timeout(now);
            let frames: Vec<_> = group
                .iter()
                .map(|(_, f)| RxFrame {
                    meta: RxMeta::default(),
                    head: f,
                    body: &[],
                })
                .collect();
            if batch {
                n.handle_frames(now, ETH, &frames);
            } else {
                for f in &frames {
                    n.handle_frames(now, ETH, core::slice::from_ref(f));
                }
            }
            s = s.or_else(|| n.accept(now, l).ok().map(|a| a.socket));
            if let Some(s) = s {
                let _ = read(&mut n, now, s);
            }
            let mut w = Wire {
                frames: Vec::new(),
                gso: true,
            };
            n.poll_transmit(now, ETH, &mut w);
            out.extend(w.frames);
        }
        out
    };
    let (a, b) = (play(true), play(false));
    assert!(a.len() > 20);
    assert!(a == b);
}
