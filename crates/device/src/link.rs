//! An in-memory link between two namespaces: packets without a link layer, with loss and delay.
//!
//! Like a card with checksum offload and TSO it takes super-frames. On a link without loss they arrive whole, and a checksum that was
//! never filled in is trusted at the other end; with loss each segment of a super-frame is lost by itself.

use crate::rng::SplitMix64;
use crate::segment;
use hearken_inet::frame::{RxCsum, RxFrame, RxMeta, TxCaps, TxCsum, TxMeta, TxSink};
use hearken_tcp::Instant;
use std::collections::VecDeque;
use std::time::Duration;

/// Frames that one direction holds, as a card's transmit queue does.
const QUEUE_FRAMES: usize = 1000;
/// Bytes that one direction holds before it takes no more.
const QUEUE_BYTES: usize = 4 << 20;
/// Frames handed over at once.
const BATCH: usize = 32;
/// Buffers up to this capacity are kept for small frames.
const SMALL: usize = 2048;
/// Most spare buffers of each kind.
const SPARE_SMALL: usize = 256;
const SPARE_LARGE: usize = 48;

/// What a link does to packets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkConfig {
    /// Longest packet that is no super-frame; longer ones are dropped.
    pub mtu: u32,
    /// Probability with which each packet is lost, in either direction.
    pub loss: f64,
    /// How long a packet is under way.
    pub delay: Duration,
    /// The same seed loses the same packets.
    pub seed: u64,
}

impl Default for LinkConfig {
    fn default() -> LinkConfig {
        LinkConfig {
            mtu: 1500,
            loss: 0.0,
            delay: Duration::ZERO,
            seed: 0,
        }
    }
}

/// An end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The one.
    A,
    /// The other.
    B,
}

impl Side {
    /// The other end.
    #[must_use]
    pub const fn other(self) -> Side {
        match self {
            Side::A => Side::B,
            Side::B => Side::A,
        }
    }
}

/// A packet as a tap sees it, when it is sent.
#[derive(Clone, Copy, Debug)]
pub struct TapFrame<'a> {
    /// When it was sent.
    pub time: Instant,
    /// Who sent it.
    pub from: Side,
    /// Whether it will not arrive.
    pub lost: bool,
    /// Payload bytes of each segment of a super-frame, 0 for others.
    pub gso_size: u16,
    /// The whole packet with its checksums filled in.
    pub packet: &'a [u8],
}

/// Called with every packet.
pub type Tap = Box<dyn FnMut(&TapFrame<'_>) + Send>;

/// What happened to the packets of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkStats {
    /// Packets taken for delivery; a super-frame counts once.
    pub packets: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Packets lost by chance.
    pub lost: u64,
    /// Packets that found the queue full.
    pub overflowed: u64,
    /// Packets above the MTU.
    pub too_big: u64,
}

struct Frame {
    due: Instant,
    meta: RxMeta,
    head: usize,
    bytes: Vec<u8>,
}

/// One direction.
struct Way {
    queue: VecDeque<Frame>,
    queued: usize,
    rng: SplitMix64,
    stats: LinkStats,
}

/// Buffers that wait to be used again.
#[derive(Default)]
struct Spare {
    small: Vec<Vec<u8>>,
    large: Vec<Vec<u8>>,
}

impl Spare {
    fn take(&mut self, len: usize) -> Vec<u8> {
        let list = if len <= SMALL {
            &mut self.small
        } else {
            &mut self.large
        };
        let mut b = list.pop().unwrap_or_default();
        b.clear();
        b.reserve(if len <= SMALL { SMALL } else { len });
        b
    }

    fn give(&mut self, b: Vec<u8>) {
        if b.capacity() <= SMALL {
            if self.small.len() < SPARE_SMALL {
                self.small.push(b);
            }
        } else if self.large.len() < SPARE_LARGE {
            self.large.push(b);
        }
    }
}

/// A link with its two ends.
pub struct Link {
    config: LinkConfig,
    /// Toward A, toward B.
    ways: [Way; 2],
    spare: Spare,
    batch: Vec<Frame>,
    tap: Option<Tap>,
}

impl Link {
    /// A link on which nothing is under way.
    #[must_use]
    pub fn new(config: LinkConfig) -> Link {
        let mut seeds = SplitMix64::new(config.seed);
        let mut way = || Way {
            queue: VecDeque::new(),
            queued: 0,
            rng: SplitMix64::new(seeds.next_u64()),
            stats: LinkStats::default(),
        };
        Link {
            config,
            ways: [way(), way()],
            spare: Spare::default(),
            batch: Vec::with_capacity(BATCH),
            tap: None,
        }
    }

    /// What it was made with.
    #[must_use]
    pub const fn config(&self) -> &LinkConfig {
        &self.config
    }

    /// Calls `tap` with every packet from now on.
    pub fn set_tap(&mut self, tap: Option<Tap>) {
        self.tap = tap;
    }

    /// Where `from` puts the packets that it sends at `now`.
    pub fn sink(&mut self, now: Instant, from: Side) -> LinkSink<'_> {
        LinkSink {
            link: self,
            now,
            from,
        }
    }

    /// Hands every packet that has arrived at `to` by `now` over, in batches, and says whether there was one.
    pub fn deliver(
        &mut self,
        now: Instant,
        to: Side,
        take: &mut dyn FnMut(&[RxFrame<'_>]),
    ) -> bool {
        let mut any = false;
        loop {
            let way = &mut self.ways[to as usize];
            while self.batch.len() < BATCH && way.queue.front().is_some_and(|f| f.due <= now) {
                if let Some(f) = way.queue.pop_front() {
                    way.queued -= f.bytes.len();
                    self.batch.push(f);
                }
            }
            if self.batch.is_empty() {
                return any;
            }
            any = true;
            hand_over(&self.batch, take);
            for f in self.batch.drain(..) {
                self.spare.give(f.bytes);
            }
        }
    }

    /// When the next packet arrives at either end.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        self.next_due_at(Side::A)
            .into_iter()
            .chain(self.next_due_at(Side::B))
            .min()
    }

    /// When the next packet arrives at `to`.
    #[must_use]
    pub fn next_due_at(&self, to: Side) -> Option<Instant> {
        self.ways[to as usize].queue.front().map(|f| f.due)
    }

    /// What happened to the packets toward `to`.
    #[must_use]
    pub const fn stats(&self, to: Side) -> &LinkStats {
        &self.ways[to as usize].stats
    }
}

fn hand_over(batch: &[Frame], take: &mut dyn FnMut(&[RxFrame<'_>])) {
    let mut bodies: [[&[u8]; 1]; BATCH] = [[&[]]; BATCH];
    for (slot, f) in bodies.iter_mut().zip(batch) {
        slot[0] = &f.bytes[f.head..];
    }
    let mut frames = [RxFrame {
        meta: RxMeta::default(),
        head: &[],
        body: &[],
    }; BATCH];
    for ((slot, f), body) in frames.iter_mut().zip(batch).zip(&bodies) {
        slot.meta = f.meta;
        slot.head = &f.bytes[..f.head];
        slot.body = if body[0].is_empty() { &[] } else { body };
    }
    take(&frames[..batch.len()]);
}

/// The sending end of a link at one moment.
pub struct LinkSink<'a> {
    link: &'a mut Link,
    now: Instant,
    from: Side,
}

impl LinkSink<'_> {
    fn way(&mut self) -> &mut Way {
        &mut self.link.ways[self.from.other() as usize]
    }

    fn tap(&mut self, packet: &[u8], gso_size: u16, lost: bool) {
        if let Some(tap) = &mut self.link.tap {
            tap(&TapFrame {
                time: self.now,
                from: self.from,
                lost,
                gso_size,
                packet,
            });
        }
    }

    fn push(&mut self, meta: RxMeta, head: usize, bytes: Vec<u8>) {
        let due = self.now + self.link.config.delay;
        let way = self.way();
        if way.queue.len() >= QUEUE_FRAMES || way.queued >= QUEUE_BYTES {
            way.stats.overflowed += 1;
            self.link.spare.give(bytes);
            return;
        }
        way.stats.packets += 1;
        way.stats.bytes += bytes.len() as u64;
        way.queued += bytes.len();
        way.queue.push_back(Frame {
            due,
            meta,
            head,
            bytes,
        });
    }

    /// A packet that no chance takes: it goes on as it came.
    fn send_whole(&mut self, meta: &TxMeta, head: usize, mut bytes: Vec<u8>) {
        if self.link.tap.is_some() {
            // The field is filled in for the capture; a receiver that trusts `Partial` does not look at it.
            if meta.csum != TxCsum::Done {
                segment::complete(&mut bytes);
            }
            self.tap(&bytes, meta.gso_size, false);
        }
        let csum = match meta.csum {
            TxCsum::Done => RxCsum::Unknown,
            TxCsum::Partial { .. } => RxCsum::Partial,
        };
        let gso_size = meta.gso_size;
        self.push(RxMeta { csum, gso_size }, head, bytes);
    }

    /// Segments one by one, each with its own chance.
    fn send_segments(&mut self, gso_size: u16, mut bytes: Vec<u8>) {
        segment::split(&mut bytes, usize::from(gso_size), &mut |head, body| {
            let mut b = self.link.spare.take(head.len() + body.len());
            b.extend_from_slice(head);
            b.extend_from_slice(body);
            let loss = self.link.config.loss;
            let way = self.way();
            let lost = way.rng.chance(loss);
            way.stats.lost += u64::from(lost);
            self.tap(&b, 0, lost);
            if lost {
                self.link.spare.give(b);
            } else {
                let meta = RxMeta {
                    csum: RxCsum::Valid,
                    gso_size: 0,
                };
                // A packet that was not cut comes as one piece, all of it `head`.
                self.push(meta, head.len(), b);
            }
        });
        self.link.spare.give(bytes);
    }

    /// A single packet on a link that loses some.
    fn send_by_chance(&mut self, meta: &TxMeta, head: usize, bytes: Vec<u8>) {
        let loss = self.link.config.loss;
        let way = self.way();
        if !way.rng.chance(loss) {
            self.send_whole(meta, head, bytes);
            return;
        }
        way.stats.lost += 1;
        let mut bytes = bytes;
        if self.link.tap.is_some() {
            if meta.csum != TxCsum::Done {
                segment::complete(&mut bytes);
            }
            self.tap(&bytes, 0, true);
        }
        self.link.spare.give(bytes);
    }
}

impl TxSink for LinkSink<'_> {
    fn caps(&self) -> TxCaps {
        TxCaps {
            csum: true,
            max_gso: 65535,
        }
    }

    fn room(&self) -> usize {
        let way = &self.link.ways[self.from.other() as usize];
        if way.queued >= QUEUE_BYTES {
            0
        } else {
            QUEUE_FRAMES.saturating_sub(way.queue.len())
        }
    }

    fn send(&mut self, meta: &TxMeta, head: &[u8], body: &[&[u8]]) {
        let len = head.len() + body.iter().map(|b| b.len()).sum::<usize>();
        let longest = if meta.gso_size == 0 {
            self.link.config.mtu as usize
        } else {
            65535
        };
        if len > longest {
            self.way().stats.too_big += 1;
            return;
        }
        let mut bytes = self.link.spare.take(len);
        bytes.extend_from_slice(head);
        body.iter().for_each(|b| bytes.extend_from_slice(b));
        let lossless = self.link.config.loss <= 0.0;
        match meta.gso_size {
            _ if lossless => self.send_whole(meta, head.len(), bytes),
            0 => self.send_by_chance(meta, head.len(), bytes),
            gso => self.send_segments(gso, bytes),
        }
    }
}

#[cfg(test)]
#[path = "link_tests.rs"]
mod tests;
