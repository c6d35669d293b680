//! One direction of a link.

use crate::config::{LinkConfig, WayStats};
use crate::trace::Fate;
use hearken_device::rng::SplitMix64;
use hearken_tcp::Instant;

pub(crate) struct Way {
    pub(crate) config: LinkConfig,
    pub(crate) up: bool,
    pub(crate) stats: WayStats,
    /// The node at the far end, and its port (a host's interface).
    pub(crate) to: u32,
    pub(crate) port: u16,
    rng: SplitMix64,
    /// Within a burst of losses.
    bad: bool,
    /// When the last bit of what waits will have left.
    busy_until: Instant,
}

/// What becomes of a packet: arrivals, the first with the packet itself, the second with a copy.
pub(crate) struct Passage {
    pub(crate) fate: Fate,
    pub(crate) first: Instant,
    pub(crate) second: Option<Instant>,
}

impl Way {
    pub(crate) fn new(config: LinkConfig, to: u32, port: u16, seed: u64) -> Way {
        Way {
            config,
            up: true,
            stats: WayStats::default(),
            to,
            port,
            rng: SplitMix64::new(seed),
            bad: false,
            busy_until: Instant(0),
        }
    }

    /// Nanoseconds that `bytes` take.
    fn duration(&self, bytes: usize) -> u64 {
        (bytes as u128 * 8_000_000_000 / u128::from(self.config.rate)) as u64
    }

    /// Bytes that wait for the link.
    fn waiting(&self, now: Instant) -> usize {
        let ns = self.busy_until.0.saturating_sub(now.0);
        (u128::from(ns) * u128::from(self.config.rate) / 8_000_000_000) as usize
    }

    /// Takes a packet at `now`; it may come out changed.
    pub(crate) fn pass(&mut self, now: Instant, packet: &mut Vec<u8>) -> Passage {
        let fate = self.fate(now, packet.len());
        let mut passage = Passage {
            fate,
            first: now,
            second: None,
        };
        if fate != Fate::Passed {
            return passage;
        }
        let c = self.config;
        if c.corrupt > 0.0 && !packet.is_empty() && self.rng.chance(c.corrupt) {
            let bit = self.rng.next_u64() as usize % (packet.len() * 8);
            packet[bit / 8] ^= 1 << (bit % 8);
            self.stats.corrupted += 1;
            passage.fate = Fate::Corrupted;
        }
        if c.truncate > 0.0 && !packet.is_empty() && self.rng.chance(c.truncate) {
            let keep = self.rng.next_u64() as usize % packet.len();
            packet.truncate(keep);
            self.stats.truncated += 1;
            passage.fate = Fate::Truncated;
        }
        let mut due = now + c.latency;
        if c.rate > 0 {
            due = self.busy_until + c.latency;
        }
        if c.duplicate > 0.0 && self.rng.chance(c.duplicate) {
            self.stats.duplicated += 1;
            passage.second = Some(due);
        }
        if let Some(r) = c.reorder
            && self.rng.chance(r.chance)
        {
            self.stats.reordered += 1;
            due = due + r.by;
        }
        passage.first = due;
        passage
    }

    /// Whether the packet goes on its way at all.
    fn fate(&mut self, now: Instant, len: usize) -> Fate {
        let c = self.config;
        self.stats.sent += 1;
        self.stats.sent_bytes += len as u64;
        if !self.up {
            self.stats.cut += 1;
            return Fate::Cut;
        }
        if len > c.mtu as usize {
            self.stats.too_big += 1;
            return Fate::TooBig;
        }
        if c.rate > 0 {
            let waiting = self.waiting(now);
            if waiting + len > c.queue {
                self.stats.overflowed += 1;
                return Fate::Overflowed;
            }
            self.stats.queue_max = self.stats.queue_max.max(waiting + len);
            self.busy_until = Instant(self.busy_until.max(now).0 + self.duration(len));
        }
        if let Some(b) = c.burst {
            let turn = if self.bad { b.end } else { b.begin };
            self.bad ^= self.rng.chance(turn);
            if self.bad && self.rng.chance(b.loss) {
                self.stats.lost += 1;
                return Fate::Lost;
            }
        }
        if c.loss > 0.0 && self.rng.chance(c.loss) {
            self.stats.lost += 1;
            return Fate::Lost;
        }
        Fate::Passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Burst, Reorder};
    use std::time::Duration;

    fn way(config: LinkConfig) -> Way {
        Way::new(config, 0, 0, 7)
    }

    #[test]
    fn way_with_a_rate_spaces_packets_by_their_length_and_drops_the_tail() {
        let mut w = way(LinkConfig {
            rate: 8_000_000, // a byte a microsecond
            queue: 3000,
            latency: Duration::from_millis(1),
            ..LinkConfig::default()
        });
        let now = Instant::from_millis(5);
        let due = |w: &mut Way, now| {
            let p = w.pass(now, &mut vec![0; 1000]);
            (p.fate == Fate::Passed).then_some(p.first.0 / 1000)
        };
        assert_eq!(due(&mut w, now), Some(7000));
        assert_eq!(due(&mut w, now), Some(8000));
        assert_eq!(due(&mut w, now), Some(9000));
        assert_eq!(due(&mut w, now), None);
        assert_eq!(due(&mut w, now + Duration::from_millis(1)), Some(10_000));
        assert_eq!((w.stats.overflowed, w.stats.queue_max), (1, 3000));
    }

    #[test]
    fn way_with_bursts_loses_packets_in_runs_of_the_asked_length() {
        let mut w = way(LinkConfig {
            burst: Some(Burst {
                begin: 0.01,
                end: 0.2,
                loss: 1.0,
            }),
            ..LinkConfig::default()
        });
        let (mut runs, mut lost, mut before) = (0, 0, false);
        for _ in 0..100_000 {
            let now = w.pass(Instant(0), &mut vec![0; 10]).fate == Fate::Lost;
            runs += u32::from(now && !before);
            lost += u32::from(now);
            before = now;
        }
        let mean = f64::from(lost) / f64::from(runs);
        assert!((4.5..5.5).contains(&mean), "{mean}");
        let share = f64::from(lost) / 100_000.0;
        assert!((0.04..0.056).contains(&share), "{share}");
    }

    #[test]
    fn way_faults_come_as_often_as_asked_and_are_counted() {
        let mut w = way(LinkConfig {
            loss: 0.01,
            duplicate: 0.02,
            corrupt: 0.03,
            reorder: Some(Reorder {
                chance: 0.04,
                by: Duration::from_millis(3),
            }),
            ..LinkConfig::default()
        });
        let (mut twice, mut late, mut flipped) = (0, 0, 0);
        for _ in 0..100_000 {
            let mut b = vec![0; 100];
            let p = w.pass(Instant(0), &mut b);
            let bits: u32 = b.iter().map(|b| b.count_ones()).sum();
            assert!(bits <= 1);
            flipped += u64::from(bits);
            twice += u64::from(p.second.is_some());
            late += u64::from(p.first == Instant::from_millis(3));
        }
        let s = w.stats;
        assert_eq!(
            (twice, late, flipped),
            (s.duplicated, s.reordered, s.corrupted)
        );
        for (n, want) in [(s.lost, 1000), (twice, 2000), (flipped, 3000), (late, 4000)] {
            assert!(n.abs_diff(want) < 250, "{n}, not {want}");
        }
    }
}
