//! Two namespaces on a perfect wire, in virtual time.

pub(crate) mod peer;

use core::time::Duration;
use hearken_inet::*;
use std::net::SocketAddr;

/// Collects frames; takes super-frames if `gso`.
pub(crate) struct Wire {
    pub(crate) frames: Vec<Vec<u8>>,
    pub(crate) gso: bool,
}
impl TxSink for Wire {
    fn caps(&self) -> TxCaps {
        TxCaps {
            csum: false,
            max_gso: if self.gso { 65535 } else { 0 },
        }
    }
    fn room(&self) -> usize {
        64usize.saturating_sub(self.frames.len())
    }
    fn send(&mut self, _: &TxMeta, head: &[u8], body: &[&[u8]]) {
        let mut f = head.to_vec();
        body.iter().for_each(|b| f.extend_from_slice(b));
        self.frames.push(f);
    }
}

/// Whether the n-th frame is lost.
pub(crate) type Lose = Box<dyn FnMut(usize, &[u8]) -> bool>;

/// `a` is 10.0.0.1 and fd00::1, `b` 10.0.0.2 and fd00::2.
pub(crate) struct Pair {
    pub(crate) a: Net,
    pub(crate) b: Net,
    pub(crate) now: Instant,
    pub(crate) gso: bool,
    /// Every frame in the order in which it went.
    pub(crate) trace: Vec<Vec<u8>>,
    /// Says which frames are lost.
    pub(crate) lose: Lose,
}

pub(crate) const ETH: IfaceId = IfaceId(1);

pub(crate) fn net(seed: u8, host: u8) -> Net {
    let mut n = Net::new(Config::new([seed; 32]));
    let eth = n.add_iface("eth0", 1500);
    assert_eq!(eth, ETH);
    n.add_addr(eth, format!("10.0.0.{host}").parse().unwrap(), 24);
    n.add_addr(eth, format!("fd00::{host}").parse().unwrap(), 64);
    n
}

impl Pair {
    pub(crate) fn new() -> Self {
        let (a, b) = (net(1, 1), net(2, 2));
        let now = Instant(1_000_000_000);
        Self {
            a,
            b,
            now,
            gso: true,
            trace: Vec::new(),
            lose: Box::new(|_, _| false),
        }
    }

    /// Carries frames until both are silent.
    pub(crate) fn settle(&mut self) {
        for _ in 0..100_000 {
            let ab = self.carry(true);
            let ba = self.carry(false);
            if !ab && !ba {
                return;
            }
        }
        panic!("never silent");
    }

    fn carry(&mut self, from_a: bool) -> bool {
        let mut w = Wire {
            frames: Vec::new(),
            gso: self.gso,
        };
        let (tx, rx) = if from_a {
            (&mut self.a, &mut self.b)
        } else {
            (&mut self.b, &mut self.a)
        };
        while tx.poll_lo(self.now) {}
        tx.poll_transmit(self.now, ETH, &mut w);
        let any = !w.frames.is_empty();
        for f in w.frames {
            let n = self.trace.len();
            self.trace.push(f.clone());
            if (self.lose)(n, &f) {
                continue;
            }
            let frame = RxFrame {
                meta: RxMeta::default(),
                head: &f,
                body: &[],
            };
            rx.handle_frames(self.now, ETH, &[frame]);
        }
        any
    }

    /// Lets time pass, stopping at each deadline.
    pub(crate) fn advance(&mut self, d: Duration) {
        let end = self.now + d;
        loop {
            self.settle();
            let next = [&self.a, &self.b]
                .iter()
                .filter_map(|n| n.poll_timeout())
                .min();
            match next {
                Some(t) if t <= end => self.now = t.max(self.now),
                _ => break,
            }
            self.a.handle_timeout(self.now);
            self.b.handle_timeout(self.now);
        }
        self.now = end;
        self.settle();
    }

    /// A listener on `b`.
    pub(crate) fn listen(&mut self, addr: &str, backlog: u32) -> SocketId {
        let addr: SocketAddr = addr.parse().unwrap();
        let s = self.b.socket(if addr.is_ipv4() {
            Domain::Inet
        } else {
            Domain::Inet6
        });
        self.b.bind(s, addr, &Cred::ROOT).unwrap();
        self.b.listen(self.now, s, backlog).unwrap();
        s
    }

    /// A connection from `a`, begun.
    pub(crate) fn connect(&mut self, addr: &str) -> SocketId {
        let addr: SocketAddr = addr.parse().unwrap();
        let s = self.a.socket(if addr.is_ipv4() {
            Domain::Inet
        } else {
            Domain::Inet6
        });
        self.a.connect(self.now, s, addr, &Cred::ROOT).unwrap();
        s
    }
}

pub(crate) fn write(
    net: &mut Net,
    now: Instant,
    s: SocketId,
    data: &[u8],
) -> Result<usize, SendError> {
    net.send_with(now, s, |room| {
        let mut n = 0;
        for r in room {
            let k = r.len().min(data.len() - n);
            r[..k].copy_from_slice(&data[n..n + k]);
            n += k;
        }
        (n, n)
    })
}

pub(crate) fn read(net: &mut Net, now: Instant, s: SocketId) -> Result<Vec<u8>, RecvError> {
    net.recv_with(now, s, |parts| {
        let v = parts.concat();
        (v.len(), v)
    })
}
