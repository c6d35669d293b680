//! Many namespaces on simulated links, in virtual time, all from one seed.
//!
//! ```
//! use hearken_sim::{Acceptor, LinkConfig, Sim, Transfer};
//! use std::time::Duration;
//!
//! let mut sim = Sim::new(1);
//! let (a, b) = (sim.host("a"), sim.host("b"));
//! sim.link(a, b, LinkConfig { latency: Duration::from_millis(25), loss: 0.01, ..LinkConfig::default() });
//! let to = sim.at(b, 80);
//! let server = sim.spawn(b, Acceptor::new(to, 128, |s| Box::new(Transfer::on(s, 7, 0, 8, 100_000))));
//! let client = sim.spawn(a, Transfer::to(to, 8, 100_000, 7, 0));
//! assert!(sim.run_until(|s| s.actor::<Transfer>(client).is_done(), Duration::from_secs(60)));
//! assert_eq!(sim.actor::<Transfer>(client).failure(), None);
//! assert_eq!(sim.actor::<Acceptor>(server).accepted(), 1);
//! ```
//!
//! The same seed and the same calls give the same bytes at the same times: [`Sim::trace_hash`] is over all of them.
#![forbid(unsafe_code)]

mod actor;
mod config;
mod pattern;
mod sim;
mod trace;
mod way;
mod wires;

pub use actor::{Acceptor, Actor, ActorId, Cx, Failure, Transfer};
pub use config::{Burst, LinkConfig, Reorder, WayStats};
pub use sim::{Direction, LinkId, NodeId, Sim};
pub use trace::Fate;
