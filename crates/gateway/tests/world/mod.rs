//! A program's namespace and a gateway, joined by a link, in virtual time.

use hearken_device::{Link, LinkConfig, Side};
use hearken_gateway::{Event, FlowId, Gateway, Request};
use hearken_inet::{Config, Cred, Domain, IfaceId, Instant, Net, RecvError, SendError, SocketId};
use std::net::SocketAddr;
use std::time::Duration;

/// A user without privileges.
pub(crate) const USER: Cred = Cred {
    uid: 1000,
    net_bind_service: false,
};

pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) prog: Net,
    pub(crate) eth0: IfaceId,
    pub(crate) gate: Gateway,
    pub(crate) link: Link,
}

pub(crate) fn addr(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

impl World {
    pub(crate) fn new(config: LinkConfig) -> World {
        let now = Instant::from_millis(1_000_000);
        let mut prog = Net::new(Config::new([1; 32]));
        let eth0 = prog.add_iface("eth0", config.mtu);
        for (a, prefix, any) in [("10.0.2.15", 24, "0.0.0.0"), ("fd00:2::15", 64, "::")] {
            prog.add_addr(eth0, a.parse().expect("address"), prefix);
            prog.add_route(any.parse().expect("address"), 0, eth0);
        }
        World {
            now,
            prog,
            eth0,
            gate: Gateway::new(now, Config::new([2; 32]), config.mtu, 4096),
            link: Link::new(config),
        }
    }

    /// Lets everything happen that happens without time passing.
    pub(crate) fn settle(&mut self) {
        loop {
            while self.prog.poll_lo(self.now) {}
            let _ = self.prog.poll_transmit(
                self.now,
                self.eth0,
                &mut self.link.sink(self.now, Side::A),
            );
            self.gate.process(self.now);
            let _ = self
                .gate
                .poll_transmit(self.now, &mut self.link.sink(self.now, Side::B));
            let (now, prog, eth0, gate) = (self.now, &mut self.prog, self.eth0, &mut self.gate);
            let a = self
                .link
                .deliver(now, Side::A, &mut |f| prog.handle_frames(now, eth0, f));
            let b = self
                .link
                .deliver(now, Side::B, &mut |f| gate.handle_frames(now, f));
            if !a && !b {
                return;
            }
        }
    }

    /// Goes to the next moment at which something is due, if it is before `until`.
    pub(crate) fn step(&mut self, until: Instant) -> bool {
        self.settle();
        let due = [
            self.prog.poll_timeout(),
            self.gate.poll_timeout(),
            self.link.next_due(),
        ];
        let Some(next) = due.into_iter().flatten().min().filter(|t| *t <= until) else {
            self.now = self.now.max(until);
            return false;
        };
        self.now = self.now.max(next);
        self.prog.handle_timeout(self.now);
        self.gate.handle_timeout(self.now);
        self.settle();
        true
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, time: Duration) {
        let until = self.now + time;
        while self.step(until) {}
    }

    pub(crate) fn request(&mut self) -> Option<(FlowId, SocketAddr, SocketAddr)> {
        self.settle();
        self.gate.poll_request().map(
            |Request::Open {
                 flow,
                 local,
                 remote,
             }| (flow, local, remote),
        )
    }

    pub(crate) fn events(&mut self) -> Vec<Event> {
        self.settle();
        std::iter::from_fn(|| self.gate.poll_event()).collect()
    }

    pub(crate) fn listener(&mut self, at: &str) -> SocketId {
        let at = addr(at);
        let s = self.prog.socket(if at.is_ipv4() {
            Domain::Inet
        } else {
            Domain::Inet6
        });
        self.prog.bind(s, at, &USER).expect("bind");
        self.prog.listen(self.now, s, 128).expect("listen");
        s
    }

    /// The program begins to connect.
    pub(crate) fn connect(&mut self, to: &str) -> SocketId {
        let to = addr(to);
        let s = self.prog.socket(if to.is_ipv4() {
            Domain::Inet
        } else {
            Domain::Inet6
        });
        self.prog.connect(self.now, s, to, &USER).expect("connect");
        s
    }

    pub(crate) fn prog_send(&mut self, s: SocketId, data: &[u8]) -> Result<usize, SendError> {
        self.prog.send_with(self.now, s, |room| fill(room, data))
    }

    pub(crate) fn gate_send(&mut self, flow: FlowId, data: &[u8]) -> Result<usize, SendError> {
        self.gate.send_with(self.now, flow, |room| fill(room, data))
    }

    pub(crate) fn prog_recv(&mut self, s: SocketId) -> Result<Vec<u8>, RecvError> {
        self.prog.recv_with(self.now, s, drain)
    }

    pub(crate) fn gate_recv(&mut self, flow: FlowId) -> Result<Vec<u8>, RecvError> {
        self.gate.recv_with(self.now, flow, drain)
    }
}

fn fill(room: &mut [&mut [u8]], data: &[u8]) -> (usize, usize) {
    let mut done = 0;
    for slice in room {
        let n = slice.len().min(data.len() - done);
        slice[..n].copy_from_slice(&data[done..done + n]);
        done += n;
    }
    (done, done)
}

fn drain(pieces: &[&[u8]]) -> (usize, Vec<u8>) {
    let all = pieces.concat();
    (all.len(), all)
}
