//! Two hosts that exchange streams.
#![allow(dead_code, reason = "each test file uses its part")]

use hearken_sim::{Acceptor, ActorId, LinkConfig, LinkId, NodeId, Reorder, Sim, Transfer};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// 1 % loss, 1 % reordering, 0.5 % duplication, 0.01 % corruption, 50 ms there and back.
pub(crate) fn faulty() -> LinkConfig {
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

/// A writer that the test can read.
#[derive(Clone, Default)]
pub(crate) struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    pub(crate) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Write for Shared {
    fn write(&mut self, b: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(b);
        Ok(b.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Sends stream 2 and expects stream 1, `bytes` of each.
pub(crate) fn server(at: SocketAddr, bytes: u64) -> Acceptor {
    Acceptor::new(at, 128, move |s| {
        Box::new(Transfer::on(s, 2, bytes, 1, bytes))
    })
}

pub(crate) struct Run {
    pub(crate) sim: Sim,
    pub(crate) a: NodeId,
    pub(crate) b: NodeId,
    pub(crate) link: LinkId,
    pub(crate) client: ActorId,
}

impl Run {
    /// Both ends sent and got everything.
    pub(crate) fn assert_complete(&self, bytes: u64) {
        let mut ends = 0;
        for t in self.sim.actors::<Transfer>() {
            assert_eq!(
                t.failure(),
                None,
                "after {} bytes in, {} out",
                t.received(),
                t.sent()
            );
            assert!(t.is_complete());
            assert_eq!((t.sent(), t.received()), (bytes, bytes));
            ends += 1;
        }
        assert_eq!(ends, 2);
    }
}

/// `bytes` each way between two hosts.
pub(crate) fn exchange(sim: Sim, link: LinkConfig, bytes: u64) -> Run {
    exchange_captured(sim, link, bytes, None)
}

pub(crate) fn exchange_captured(
    mut sim: Sim,
    link: LinkConfig,
    bytes: u64,
    pcap: Option<Shared>,
) -> Run {
    let (a, b) = (sim.host("a"), sim.host("b"));
    let link = sim.link(a, b, link);
    if let Some(p) = pcap {
        sim.capture(link, p).unwrap();
    }
    let to = sim.at(b, 80);
    sim.spawn(b, server(to, bytes));
    let client = sim.spawn(a, Transfer::to(to, 1, bytes, 2, bytes));
    let ended = sim.run_until(|s| s.running() == 0, Duration::from_secs(3600));
    sim.flush().unwrap();
    let run = Run {
        sim,
        a,
        b,
        link,
        client,
    };
    if !ended {
        for t in run.sim.actors::<Transfer>() {
            eprintln!(
                "{} in, {} out, done {}",
                t.received(),
                t.sent(),
                t.is_done()
            );
        }
        panic!("not over after an hour");
    }
    run
}
