//! A namespace under the fuzzer, and what must hold after every step whatever the peer sent.

use crate::memory;
use crate::packet::transport;
use hearken_abi::{Counter, DropReason};
use hearken_device::segment;
use hearken_inet::*;
use hearken_wire::ethernet::{self, ether_type};
use std::collections::VecDeque;
use std::time::Duration;

/// Bytes that a namespace with the few sockets of a target may ever hold.
const MEMORY: isize = 24 << 20;
/// And once every socket is closed and every timer has run.
const MEMORY_AT_REST: isize = 2 << 20;
/// Rows of `ss`: listeners, their queues, the targets' sockets, TIME_WAIT.
const ROWS: usize = 256;
/// Frames that are remembered.
const SENT: usize = 32;

/// A namespace, its clock, and what it was when last looked at.
pub(crate) struct World {
    pub(crate) net: Net,
    pub(crate) now: Instant,
    pub(crate) iface: IfaceId,
    /// What left last.
    pub(crate) sent: VecDeque<Vec<u8>>,
    ethernet: bool,
    gso: bool,
    mtu: usize,
    base: isize,
    counters: Vec<u64>,
}

struct Sink {
    frames: Vec<Vec<u8>>,
    gso: bool,
}
impl TxSink for Sink {
    fn caps(&self) -> TxCaps {
        TxCaps {
            csum: false,
            max_gso: if self.gso { 65_535 } else { 0 },
        }
    }
    fn room(&self) -> usize {
        32usize.saturating_sub(self.frames.len())
    }
    fn send(&mut self, meta: &TxMeta, head: &[u8], body: &[&[u8]]) {
        assert!(self.gso || meta.gso_size == 0);
        let mut f = head.to_vec();
        body.iter().for_each(|b| f.extend_from_slice(b));
        self.frames.push(f);
    }
}

impl World {
    /// `ethernet`: with neighbours; else the interface carries bare packets.
    pub(crate) fn new(ethernet: bool, gso: bool, mtu: u16) -> Self {
        let base = memory::live();
        let mut net = Net::new(Config::new([7; 32]));
        let iface = if ethernet {
            net.add_ethernet("eth0", [2, 0, 0, 0, 0, 2], u32::from(mtu))
        } else {
            net.add_iface("eth0", u32::from(mtu))
        };
        net.add_addr(iface, crate::packet::HERE4.into(), 24);
        net.add_addr(iface, crate::packet::HERE6.into(), 64);
        Self {
            net,
            now: Instant(1_000_000_000),
            iface,
            sent: VecDeque::new(),
            ethernet,
            gso,
            mtu: usize::from(mtu),
            base,
            counters: Vec::new(),
        }
    }

    fn drops(&self) -> u64 {
        DropReason::ALL
            .iter()
            .map(|r| self.net.drops().get(*r))
            .sum()
    }
    fn taken(&self) -> u64 {
        let m = self.net.mib();
        [
            Counter::IpInDelivers,
            Counter::Ip6InDelivers,
            Counter::IpReasmReqds,
            Counter::Ip6ReasmReqds,
        ]
        .iter()
        .map(|c| m.get(*c))
        .sum()
    }

    /// Hands over a frame, its payload in pieces from `split` on, and asks what became of it.
    pub(crate) fn handle(&mut self, frame: &[u8], split: usize, csum: RxCsum) {
        let (drops, taken) = (self.drops(), self.taken());
        // The head holds all headers.
        let (head, rest) = frame.split_at(split.max(256).min(frame.len()));
        let (a, b) = rest.split_at(rest.len() / 2);
        let rx = RxFrame {
            meta: RxMeta { csum, gso_size: 0 },
            head,
            body: if rest.is_empty() { &[] } else { &[a, b] },
        };
        self.net.handle_frames(self.now, self.iface, &[rx]);
        let silent = match self.packet(frame) {
            // ARP has no counters; RFC 8200 4.7 ends a packet without payload.
            None => true,
            Some(p) => {
                p.first().is_some_and(|f| f >> 4 == 6) && transport(p).is_some_and(|t| t.0 == 59)
            }
        };
        assert!(
            silent || self.drops() + self.taken() > drops + taken,
            "a frame vanished: {frame:02x?}"
        );
    }

    /// The IP packet in a frame; `None` if it carries ARP.
    fn packet<'a>(&self, frame: &'a [u8]) -> Option<&'a [u8]> {
        if !self.ethernet {
            return Some(frame);
        }
        match ethernet::parse(frame) {
            Some(h) if h.ether_type == ether_type::ARP => None,
            _ => Some(frame.get(ethernet::LEN..).unwrap_or(&[])),
        }
    }

    /// Takes what leaves; each frame is sound, and there is an end to them.
    pub(crate) fn transmit(&mut self, mut each: impl FnMut(&[u8])) {
        for turn in 0.. {
            assert!(turn < 20_000, "sends without end");
            let more = self.net.poll_lo(self.now);
            let mut sink = Sink {
                frames: Vec::new(),
                gso: self.gso,
            };
            self.net.poll_transmit(self.now, self.iface, &mut sink);
            if sink.frames.is_empty() && !more {
                return;
            }
            for f in sink.frames {
                if let Some(p) = self.packet(&f) {
                    self.sound(p);
                    each(p);
                }
                if self.sent.len() == SENT {
                    self.sent.pop_front();
                }
                self.sent.push_back(f);
            }
        }
    }

    fn sound(&self, p: &[u8]) {
        assert!(
            self.gso || p.len() <= self.mtu,
            "longer than the MTU: {}",
            p.len()
        );
        let known = matches!(transport(p), Some((6 | 17 | 58, _)));
        if known {
            let mut right = p.to_vec();
            segment::complete(&mut right);
            let none =
                transport(p).is_some_and(|(proto, at)| proto == 17 && p[at + 6..at + 8] == [0, 0]);
            assert!(none || right == p, "a checksum is wrong: {p:02x?}");
        }
    }

    /// Lets time pass, with every timer on its way.
    pub(crate) fn wait(&mut self, d: Duration, mut each: impl FnMut(&[u8])) {
        let end = self.now + d;
        for turn in 0.. {
            assert!(turn < 100_000, "timers without end");
            let Some(t) = self.net.poll_timeout().filter(|t| *t <= end) else {
                break;
            };
            self.now = t.max(self.now);
            self.net.handle_timeout(self.now);
            self.transmit(&mut each);
        }
        self.now = end;
        self.net.handle_timeout(self.now);
        self.transmit(each);
        assert!(
            self.net.poll_timeout().is_none_or(|t| t > end),
            "a timer stays due"
        );
    }

    /// What holds at every moment.
    pub(crate) fn check(&mut self) {
        let m = self.net.mib();
        let all = Counter::ALL.iter().map(|c| m.get(*c));
        let now: Vec<u64> = all
            .chain(DropReason::ALL.iter().map(|r| self.net.drops().get(*r)))
            .collect();
        for (i, (was, is)) in self.counters.iter().zip(&now).enumerate() {
            let gauge = Counter::ALL.get(i) == Some(&Counter::TcpCurrEstab);
            assert!(
                gauge || is >= was,
                "a counter went down: {:?}",
                Counter::ALL.get(i)
            );
        }
        assert!(m.get(Counter::TcpCurrEstab) < ROWS as u64);
        self.counters = now;
        let rows = self.net.diag().len();
        assert!(rows <= ROWS, "{rows} connections");
        let held = memory::live() - self.base;
        assert!(held <= MEMORY, "{held} bytes are held");
        let mut events = [Event::Ready {
            token: 0,
            ready: Ready::NONE,
        }; 8];
        while self.net.poll_events(&mut events) == events.len() {}
    }

    /// Everything is closed: it goes away within the longest time that anything may live on, fifteen retransmissions of up to two
    /// minutes each, and TIME_WAIT.
    pub(crate) fn end(mut self) {
        self.transmit(|_| ());
        self.wait(Duration::from_secs(3600), |_| ());
        self.check();
        assert_eq!(self.net.diag(), vec![]);
        assert_eq!(self.net.mib().get(Counter::TcpCurrEstab), 0);
        assert_eq!(self.net.poll_timeout(), None);
        let held = memory::live() - self.base;
        assert!(held <= MEMORY_AT_REST, "{held} bytes are held at rest");
    }
}
