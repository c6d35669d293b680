//! What a link does to the packets of each direction.

use std::time::Duration;

/// A link. Both directions are alike until [`crate::Sim::set_link`] changes one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkConfig {
    /// How long a packet is under way.
    pub latency: Duration,
    /// Bits per second; 0 takes no time for a packet's length.
    pub rate: u64,
    /// Bytes that wait before the link when it has a rate; what does not fit is dropped (tail drop).
    pub queue: usize,
    /// Longest packet; longer ones are dropped.
    pub mtu: u32,
    /// Probability with which a packet is lost, independent of all others.
    pub loss: f64,
    /// Losses that come together.
    pub burst: Option<Burst>,
    /// Packets that later ones overtake.
    pub reorder: Option<Reorder>,
    /// Probability with which a packet arrives twice.
    pub duplicate: f64,
    /// Probability with which one bit of a packet is flipped. One: the checksums of IPv4 and TCP find every single flip.
    pub corrupt: f64,
    /// Probability with which a packet loses its end.
    pub truncate: f64,
}

impl Default for LinkConfig {
    fn default() -> LinkConfig {
        LinkConfig {
            latency: Duration::ZERO,
            rate: 0,
            queue: 256 << 10,
            mtu: 1500,
            loss: 0.0,
            burst: None,
            reorder: None,
            duplicate: 0.0,
            corrupt: 0.0,
            truncate: 0.0,
        }
    }
}

/// Gilbert's model: a good state without loss, a bad one with, and a chance at each packet to change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Burst {
    /// Probability of going bad.
    pub begin: f64,
    /// Probability of going good again: its reciprocal is the mean length of a burst in packets.
    pub end: f64,
    /// Probability of loss while bad.
    pub loss: f64,
}

/// A packet that is held back while later ones pass.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reorder {
    /// Probability.
    pub chance: f64,
    /// How much later it arrives.
    pub by: Duration,
}

/// What happened to the packets of one direction: `sent` is the sum of the drops and of `delivered - duplicated`, and what is
/// under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WayStats {
    /// Packets that the sender put on the link, and their bytes.
    pub sent: u64,
    /// Bytes of them.
    pub sent_bytes: u64,
    /// Packets that arrived.
    pub delivered: u64,
    /// Lost by chance.
    pub lost: u64,
    /// Dropped at the full queue.
    pub overflowed: u64,
    /// Longer than the MTU.
    pub too_big: u64,
    /// Sent while the direction was cut.
    pub cut: u64,
    /// Copies made.
    pub duplicated: u64,
    /// Held back.
    pub reordered: u64,
    /// With a flipped bit.
    pub corrupted: u64,
    /// Cut short.
    pub truncated: u64,
    /// The most bytes that ever waited in the queue.
    pub queue_max: usize,
}

impl WayStats {
    /// Packets that never arrived.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.lost + self.overflowed + self.too_big + self.cut
    }
}
