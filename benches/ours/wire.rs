//! Two namespaces and the memory between them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use hearken_inet::{
    Config, Cred, Domain, IfaceId, Instant, Net, Ready, RxCsum, RxFrame, RxMeta, SocketId, TxCaps,
    TxMeta, TxSink,
};

/// The interface of each.
pub(crate) const ETH: IfaceId = IfaceId(1);
/// The server's address.
pub(crate) const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
pub(crate) const PORT: u16 = 80;
/// Frames handed over at once.
const BATCH: usize = 64;

/// A ring of frames, copied in; its buffers are used again and again.
#[derive(Debug)]
pub(crate) struct Ring {
    frames: Vec<Vec<u8>>,
    used: usize,
    caps: TxCaps,
    room: usize,
}

impl Ring {
    pub(crate) fn new(caps: TxCaps, room: usize) -> Self {
        Self {
            frames: vec![Vec::new(); room],
            used: 0,
            caps,
            room,
        }
    }
    pub(crate) fn frames(&self) -> &[Vec<u8>] {
        &self.frames[..self.used]
    }
    pub(crate) fn clear(&mut self) {
        self.used = 0;
    }
    /// Hands everything to `net`.
    fn deliver(&mut self, net: &mut Net, now: Instant) -> bool {
        let csum = if self.caps.csum {
            RxCsum::Partial
        } else {
            RxCsum::Unknown
        };
        let frame = |head| RxFrame {
            meta: RxMeta { csum, gso_size: 0 },
            head,
            body: &[],
        };
        match self.frames() {
            [] => return false,
            [one] => net.handle_frames(now, ETH, &[frame(one)]),
            many => {
                for part in many.chunks(BATCH) {
                    let mut batch = [frame(&[]); BATCH];
                    for (slot, f) in batch.iter_mut().zip(part) {
                        *slot = frame(f);
                    }
                    net.handle_frames(now, ETH, &batch[..part.len()]);
                }
            }
        }
        self.used = 0;
        true
    }
}

impl TxSink for Ring {
    fn caps(&self) -> TxCaps {
        self.caps
    }
    fn room(&self) -> usize {
        self.room - self.used
    }
    fn send(&mut self, _: &TxMeta, head: &[u8], body: &[&[u8]]) {
        let b = &mut self.frames[self.used];
        b.clear();
        b.extend_from_slice(head);
        body.iter().for_each(|p| b.extend_from_slice(p));
        self.used += 1;
    }
}

/// A namespace with 10.0.0.`host`/8 on an interface of this MTU.
pub(crate) fn net(host: u8, mtu: u32) -> Net {
    let mut n = Net::new(Config::new([host; 32]));
    let eth = n.add_iface("eth0", mtu);
    assert_eq!(eth, ETH);
    n.add_addr(eth, Ipv4Addr::new(10, 0, 0, host).into(), 8);
    n
}

/// A listener whose readiness is told under `token`.
pub(crate) fn listen(n: &mut Net, addr: IpAddr, port: u16, backlog: u32, token: u64) -> SocketId {
    let s = n.socket(Domain::Inet);
    n.bind(s, SocketAddr::new(addr, port), &Cred::ROOT)
        .expect("the address is free");
    n.listen(Instant(0), s, backlog)
        .expect("a bound socket listens");
    n.set_interest(s, Ready::READ, token);
    s
}

/// A client, a server, the wire between them, and their time.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) a: Net,
    pub(crate) b: Net,
    pub(crate) now: Instant,
    ab: Ring,
    ba: Ring,
}

/// Checksums in software, nothing larger than the MTU.
pub(crate) const PLAIN: TxCaps = TxCaps {
    csum: false,
    max_gso: 0,
};

impl Pair {
    pub(crate) fn new(mtu: u32, caps: TxCaps, room: usize) -> Self {
        Self {
            a: net(1, mtu),
            b: net(2, mtu),
            now: Instant(1_000_000_000),
            ab: Ring::new(caps, room),
            ba: Ring::new(caps, room),
        }
    }

    /// Carries frames until both are silent.
    pub(crate) fn settle(&mut self) {
        loop {
            while self.a.poll_lo(self.now) {}
            self.a.poll_transmit(self.now, ETH, &mut self.ab);
            let ab = self.ab.deliver(&mut self.b, self.now);
            while self.b.poll_lo(self.now) {}
            self.b.poll_transmit(self.now, ETH, &mut self.ba);
            let ba = self.ba.deliver(&mut self.a, self.now);
            if !ab && !ba {
                return;
            }
        }
    }

    /// Lets `ns` pass.
    pub(crate) fn pass(&mut self, ns: u64) {
        self.now = Instant(self.now.0 + ns);
        for n in [&mut self.a, &mut self.b] {
            if n.poll_timeout().is_some_and(|t| t <= self.now) {
                n.handle_timeout(self.now);
            }
        }
    }
}
