//! What is under way: the links, the packets on them, and the queue of everything that is to happen.

use crate::config::LinkConfig;
use crate::trace::{Fate, Trace};
use crate::way::Way;
use hearken_device::pcap;
use hearken_inet::{TxCaps, TxMeta, TxSink};
use hearken_tcp::Instant;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, Write};

/// Most buffers that are kept to be used again.
const SPARE: usize = 4096;

/// Something that happens at its time; what is due at the same time happens in the order in which it was scheduled.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum What {
    /// A packet (an index of `frames`) arrives by a direction.
    Frame { way: u32, frame: u32 },
    /// A timer of a host may be due.
    Timer { node: u32 },
    /// An actor begins.
    Start { actor: u32 },
    /// An actor asked for it.
    Wake { actor: u32 },
}

type Capture = (u32, pcap::Writer<Box<dyn Write + Send>>);

pub(crate) struct Wires {
    pub(crate) ways: Vec<Way>,
    pub(crate) trace: Trace,
    queue: BinaryHeap<Reverse<(Instant, u64, What)>>,
    order: u64,
    frames: Vec<Vec<u8>>,
    free: Vec<u32>,
    spare: Vec<Vec<u8>>,
    captures: Vec<Capture>,
    error: Option<io::Error>,
}

impl Wires {
    pub(crate) fn new() -> Wires {
        Wires {
            ways: Vec::new(),
            trace: Trace::new(),
            queue: BinaryHeap::new(),
            order: 0,
            frames: Vec::new(),
            free: Vec::new(),
            spare: Vec::new(),
            captures: Vec::new(),
            error: None,
        }
    }

    pub(crate) fn schedule(&mut self, at: Instant, what: What) {
        self.order += 1;
        self.queue.push(Reverse((at, self.order, what)));
    }

    pub(crate) fn next(&self) -> Option<(Instant, What)> {
        self.queue.peek().map(|Reverse((at, _, what))| (*at, *what))
    }

    pub(crate) fn pop(&mut self) {
        self.queue.pop();
    }

    /// Takes packet `frame` off the link.
    pub(crate) fn take(&mut self, way: u32, frame: u32) -> Vec<u8> {
        self.ways[way as usize].stats.delivered += 1;
        self.free.push(frame);
        std::mem::take(&mut self.frames[frame as usize])
    }

    pub(crate) fn recycle(&mut self, packet: Vec<u8>) {
        if self.spare.len() < SPARE {
            self.spare.push(packet);
        }
    }

    fn buffer(&mut self) -> Vec<u8> {
        let mut b = self.spare.pop().unwrap_or_default();
        b.clear();
        b
    }

    pub(crate) fn capture(&mut self, link: u32, out: Box<dyn Write + Send>) -> io::Result<()> {
        self.captures.push((link, pcap::Writer::new(out, true)?));
        Ok(())
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        for (_, c) in &mut self.captures {
            c.flush()?;
        }
        match self.error.take().or_else(|| self.trace.take_error()) {
            Some(e) => Err(e),
            None => Ok(()),
        }
    }

    /// Puts a packet on a direction.
    pub(crate) fn send(&mut self, now: Instant, way: u32, mut packet: Vec<u8>) {
        for (link, c) in &mut self.captures {
            if *link == way / 2
                && let Err(e) = c.write(now.0, &packet, 0)
            {
                self.error.get_or_insert(e);
            }
        }
        let p = self.ways[way as usize].pass(now, &mut packet);
        self.trace.frame(now, way, p.fate, &packet);
        if !matches!(p.fate, Fate::Passed | Fate::Corrupted | Fate::Truncated) {
            return self.recycle(packet);
        }
        let copy = p.second.map(|due| {
            let mut b = self.buffer();
            b.extend_from_slice(&packet);
            (due, b)
        });
        for (due, b) in [(p.first, packet)].into_iter().chain(copy) {
            let frame = self.free.pop().unwrap_or_else(|| {
                self.frames.push(Vec::new());
                self.frames.len() as u32 - 1
            });
            self.frames[frame as usize] = b;
            self.schedule(due, What::Frame { way, frame });
        }
    }

    pub(crate) fn add(&mut self, config: LinkConfig, to: u32, port: u16, seed: u64) -> u32 {
        self.ways.push(Way::new(config, to, port, seed));
        self.ways.len() as u32 - 1
    }
}

/// Where a host's packets for one direction go. It takes any number; what the link has no place for is lost there.
pub(crate) struct Sink<'a> {
    pub(crate) wires: &'a mut Wires,
    pub(crate) now: Instant,
    pub(crate) way: u32,
}

impl TxSink for Sink<'_> {
    fn caps(&self) -> TxCaps {
        TxCaps {
            csum: false,
            max_gso: 0,
        }
    }
    fn room(&self) -> usize {
        usize::MAX
    }
    fn send(&mut self, _: &TxMeta, head: &[u8], body: &[&[u8]]) {
        let mut b = self.wires.buffer();
        b.extend_from_slice(head);
        body.iter().for_each(|p| b.extend_from_slice(p));
        self.wires.send(self.now, self.way, b);
    }
}
