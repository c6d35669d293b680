//! A namespace with listeners and connections, real handshakes, mutated segments, calls and time.

use crate::input::Input;
use crate::packet::{self, HERE4, HERE6, THERE4, THERE6, fill, repair, wrap};
use crate::world::World;
use hearken_inet::*;
use hearken_wire::{Flags, Options as List, PROTO_ICMP, PROTO_ICMPV6, PROTO_TCP, SackBlocks, tcp};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// One end of a connection as the peer sees it.
#[derive(Clone, Copy)]
struct Peer {
    v6: bool,
    port: u16,
    local: u16,
    /// Next to be sent, as the namespace acknowledged it.
    seq: u32,
    /// Next expected.
    ack: u32,
    /// The namespace's last timestamp.
    stamp: u32,
}

/// A socket of the program, and the last byte read from it; `own` if the other end is the program's too.
struct Open {
    id: SocketId,
    last: Option<u8>,
    own: bool,
}

impl Open {
    fn new(id: SocketId, peer: IpAddr) -> Self {
        let peer = peer.to_canonical();
        let own = peer == IpAddr::from(HERE4) || peer == IpAddr::from(HERE6);
        Self {
            id,
            last: None,
            own,
        }
    }
}

struct Story {
    w: World,
    peers: Vec<Peer>,
    listeners: Vec<SocketId>,
    open: Vec<Open>,
}

const MAX_PEERS: usize = 32;
const MAX_OPEN: usize = 16;
const MAX_STEPS: usize = 200;
/// What the program writes at once at most.
const WRITE: usize = 20_000;

fn start(i: &mut Input<'_>) -> Story {
    let modes = i.word();
    let bit = |n: u16| modes >> n & 1 != 0;
    let mut w = World::new(false, bit(0), if bit(1) { 600 } else { 1500 });
    let mut set = |name: &str, on: bool, value: &str| {
        if on {
            w.net
                .sysctl_set(name, value)
                .expect("a value that Linux takes");
        }
    };
    set("net.ipv4.tcp_syncookies", bit(2), "2");
    set("net.ipv4.tcp_syncookies", bit(3), "0");
    set("net.ipv4.tcp_sack", bit(4), "0");
    set("net.ipv4.tcp_timestamps", bit(5), "0");
    set("net.ipv4.tcp_window_scaling", bit(6), "0");
    set("net.ipv4.tcp_abort_on_overflow", bit(7), "1");
    set("net.ipv4.tcp_rmem", bit(8), "4096 4096 8192");
    let mut listeners = Vec::new();
    for (domain, at, backlog) in [
        (Domain::Inet, "10.0.0.2:80", 2),
        (Domain::Inet6, "[::]:81", 3),
    ] {
        let s = w.net.socket(domain);
        w.net
            .bind(s, at.parse().expect("an address"), &Cred::ROOT)
            .expect("free");
        w.net.listen(w.now, s, backlog).expect("bound");
        w.net.set_interest(s, Ready::ALL, 1);
        listeners.push(s);
    }
    let peers = (0..8u16)
        .map(|n| Peer {
            v6: n & 1 != 0,
            port: 4000 + n / 2 * 7,
            local: if n & 1 != 0 || n & 4 != 0 { 81 } else { 80 },
            seq: 0xffff_f000u32.wrapping_add(u32::from(n) * 0x2000_0000),
            ack: 0,
            stamp: 0,
        })
        .collect();
    Story {
        w,
        peers,
        listeners,
        open: Vec::new(),
    }
}

/// The peer reads what it is sent.
fn learn(peers: &mut Vec<Peer>, p: &[u8]) {
    let Some((PROTO_TCP, at)) = packet::transport(p) else {
        return;
    };
    let (h, len) = tcp::parse(&p[at..]).expect("the namespace sends sound segments");
    let v6 = p[0] >> 4 == 6;
    let known = |k: &&mut Peer| k.v6 == v6 && k.port == h.dst_port && k.local == h.src_port;
    let new = Peer {
        v6,
        port: h.dst_port,
        local: h.src_port,
        seq: 77,
        ack: 0,
        stamp: 0,
    };
    if !peers.iter_mut().any(|mut k| known(&mut k)) {
        if peers.len() == MAX_PEERS || h.flags.contains(Flags::RST) {
            return;
        }
        peers.push(new);
    }
    if let Some(k) = peers.iter_mut().find(known) {
        k.ack = h.seq.wrapping_add(h.seq_len((p.len() - at - len) as u32));
        if h.flags.contains(Flags::ACK) {
            k.seq = h.ack;
        }
        k.stamp = h.options.timestamps.map_or(k.stamp, |t| t.0);
    }
}

impl Story {
    fn settle(&mut self) {
        let peers = &mut self.peers;
        self.w.transmit(|p| learn(peers, p));
        self.w.check();
    }

    fn segment(&self, i: &mut Input<'_>, k: &Peer, flags: Flags, plain: bool) -> Vec<u8> {
        let syn = flags.contains(Flags::SYN);
        let stamp = (self.w.now.0 / 1_000_000) as u32;
        let options = match i.below(8) {
            0 => List::NONE,
            1..=3 if syn => List {
                mss: Some(1000),
                sack_permitted: true,
                wscale: Some(7),
                timestamps: Some((stamp, 0)),
                ..List::NONE
            },
            4 if syn => List {
                mss: Some(i.word().max(1)),
                wscale: Some(i.byte()),
                ..List::NONE
            },
            1..=3 => List {
                timestamps: Some((stamp, k.stamp)),
                ..List::NONE
            },
            4 => List {
                timestamps: Some((
                    stamp.wrapping_add(i.offset()),
                    k.stamp.wrapping_add(i.offset()),
                )),
                ..List::NONE
            },
            5 => {
                let mut sack = SackBlocks::NONE;
                for _ in 0..i.below(5) {
                    let from = k.ack.wrapping_add(i.offset());
                    sack.push(from, from.wrapping_add(i.offset()));
                }
                List {
                    sack,
                    timestamps: Some((stamp, k.stamp)),
                    ..List::NONE
                }
            }
            _ => List::NONE,
        };
        let (seq, ack) = if plain {
            (0, 0)
        } else {
            (i.offset(), i.offset())
        };
        let h = tcp::Header {
            src_port: k.port,
            dst_port: k.local,
            seq: k.seq.wrapping_add(seq),
            ack: k.ack.wrapping_add(ack),
            flags,
            window: match i.below(4) {
                0 => 60_000,
                1 => 0,
                2 => u16::from(i.byte()),
                _ => i.word(),
            },
            urgent: 0,
            options,
            ..tcp::Header::default()
        };
        let mut t = vec![0; 60];
        let n = h.emit(&mut t);
        t.truncate(n);
        // A list that nobody would write.
        if options == List::NONE && i.below(8) == 7 {
            t.extend_from_slice(i.bytes(40));
            t.resize(t.len().next_multiple_of(4).min(60), 0);
            t[12] = (t.len() as u8 / 4) << 4;
        }
        let data = match i.below(6) {
            0 | 1 => 0,
            2 => usize::from(i.byte()),
            3 => 1000,
            4 => 1448,
            _ => usize::from(i.word()) % 20_000,
        };
        t.resize(t.len() + data, 0);
        wrap(k.v6, PROTO_TCP, &t)
    }

    /// Changes bytes of the headers, then makes the packet right again but for one in eight.
    fn hand(&mut self, i: &mut Input<'_>, mut p: Vec<u8>, mutations: u8) {
        for _ in 0..mutations {
            let at = usize::from(i.byte()) % p.len().clamp(1, 100);
            if let Some(x) = p.get_mut(at) {
                *x ^= i.byte();
            }
        }
        fill(&mut p);
        let broken = mutations > 0 && i.below(8) == 7;
        if !broken {
            repair(&mut p);
        }
        match i.below(16) {
            15 => {
                let size = usize::from(i.byte()) * 8;
                let mut all = packet::fragments(&p, i.word(), size);
                if i.flag() {
                    all.reverse();
                }
                all.iter()
                    .take(64)
                    .for_each(|f| self.w.handle(f, f.len(), RxCsum::Unknown));
            }
            14 => {
                // Twice, the second time behind what answered the first.
                self.w.handle(&p, 300, RxCsum::Unknown);
                self.settle();
                self.w.handle(&p, p.len(), RxCsum::Unknown);
            }
            13 => self.w.handle(&p, 256, RxCsum::Unknown),
            _ => self.w.handle(&p, p.len(), RxCsum::Unknown),
        }
    }

    /// An ICMP error about the namespace's newest packet, or one of the last.
    fn icmp(&mut self, i: &mut Input<'_>) {
        let n = self.w.sent.len();
        let back = usize::from(i.byte()) % n.max(1);
        let Some(quoted) = self.w.sent.get(n.wrapping_sub(1 + back)).cloned() else {
            return;
        };
        let v6 = quoted[0] >> 4 == 6;
        let (kind, code) = match i.below(6) {
            0 => {
                if v6 {
                    (1, 4)
                } else {
                    (3, 3)
                }
            }
            1 => {
                if v6 {
                    (2, 0)
                } else {
                    (3, 4)
                }
            }
            2 => {
                if v6 {
                    (1, 0)
                } else {
                    (3, 1)
                }
            }
            3 => {
                if v6 {
                    (3, 0)
                } else {
                    (11, 0)
                }
            }
            4 => {
                if v6 {
                    (128, 0)
                } else {
                    (8, 0)
                }
            }
            _ => (i.byte(), i.byte()),
        };
        let mut m = vec![kind, code, 0, 0, 0, 0];
        m.extend_from_slice(&i.word().to_be_bytes());
        m.extend_from_slice(&quoted[..quoted.len().min(if i.flag() { 600 } else { 60 })]);
        let p = wrap(v6, if v6 { PROTO_ICMPV6 } else { PROTO_ICMP }, &m);
        let mutations = i.below(4);
        self.hand(i, p, mutations);
    }

    fn read(&mut self, n: usize, most: usize) {
        let now = self.w.now;
        let o = &mut self.open[n];
        let (last, own) = (&mut o.last, o.own);
        let _ = self.w.net.recv_with(now, o.id, |parts| {
            let mut took = 0;
            for b in parts.iter().flat_map(|p| p.iter()).take(most) {
                // Every byte is the low byte of its place in the stream.
                assert!(
                    own || last.is_none_or(|l| *b == l.wrapping_add(1)),
                    "a byte is missing or twice"
                );
                *last = Some(*b);
                took += 1;
            }
            (took, ())
        });
    }

    fn call(&mut self, i: &mut Input<'_>) {
        let (what, now) = (i.below(24), self.w.now);
        let net = &mut self.w.net;
        match what {
            0..=2 => {
                let l = self.listeners[usize::from(i.below(2))];
                if self.open.len() < MAX_OPEN
                    && let Ok(a) = net.accept(now, l)
                {
                    if i.below(8) == 7 {
                        return net.accept_undo(now, l, a.socket);
                    }
                    net.set_interest(a.socket, Ready::ALL, 2);
                    self.open.push(Open::new(a.socket, a.peer.ip()));
                }
                return;
            }
            3 if self.open.len() < MAX_OPEN => {
                let v6 = i.flag();
                let s = net.socket(if v6 { Domain::Inet6 } else { Domain::Inet });
                let to = if i.below(8) == 7 { 80 } else { 9 };
                let at: SocketAddr = match (v6, to) {
                    (false, 80) => (HERE4, to).into(),
                    (true, 80) => (HERE6, 81).into(),
                    (false, _) => (THERE4, to).into(),
                    (true, _) => (THERE6, to).into(),
                };
                let _ = net.connect(now, s, at, &Cred::ROOT);
                self.open.push(Open::new(s, at.ip()));
                return;
            }
            4 => {
                let l = self.listeners[usize::from(i.below(2))];
                let _ = match i.below(4) {
                    0 => net.shutdown(now, l, Shutdown::Both),
                    _ => Ok(()),
                };
                let _ = net.listen(now, l, u32::from(i.below(5)));
                return;
            }
            _ => {}
        }
        if self.open.is_empty() {
            return;
        }
        let n = usize::from(i.byte()) % self.open.len();
        let s = self.open[n].id;
        match what {
            5..=8 => {
                let most = if what == 8 {
                    usize::from(i.byte())
                } else {
                    usize::MAX
                };
                self.read(n, most);
            }
            9..=12 => {
                let most = if what == 9 {
                    usize::from(i.byte())
                } else {
                    WRITE
                };
                let _ = net.send_up_to(now, s, most, |room| {
                    let mut n = 0;
                    for r in room {
                        r.fill(9);
                        n += r.len();
                    }
                    let n = n.min(WRITE);
                    (n, ())
                });
            }
            13 => drop(net.shutdown(now, s, Shutdown::Write)),
            14 => drop(net.shutdown(
                now,
                s,
                if i.flag() {
                    Shutdown::Read
                } else {
                    Shutdown::Both
                },
            )),
            15 => net.disconnect(now, s),
            16 => {
                net.abort(now, s);
                net.close(now, s);
                self.open.swap_remove(n);
            }
            17 | 18 => {
                net.close(now, s);
                self.open.swap_remove(n);
            }
            19 => {
                let opt = match i.below(10) {
                    0 => Opt::KeepAlive(i.flag()),
                    1 => Opt::Linger(i.flag().then(|| Duration::from_secs(u64::from(i.below(3))))),
                    2 => Opt::RcvBuf(u32::from(i.word())),
                    3 => Opt::SndBuf(u32::from(i.word())),
                    4 => Opt::NoDelay(i.flag()),
                    5 => Opt::Cork(i.flag()),
                    6 => Opt::MaxSeg(i.word()),
                    7 => Opt::SynCnt(i.byte()),
                    8 => Opt::Tos(i.byte()),
                    _ => Opt::Ttl(i.byte()),
                };
                let _ = net.set_option(now, s, opt);
            }
            20 => drop(net.take_error(s)),
            21 => {
                let _ = (
                    net.tcp_info(now, s),
                    net.options(s),
                    net.unacked(s),
                    net.readiness(s),
                );
            }
            22 => {
                let _ = (
                    net.local_addr(s),
                    net.peer_addr(s),
                    net.readable(s),
                    net.state(s),
                );
            }
            _ => {
                let to = (THERE4, 9).into();
                let _ = net.connect(now, s, to, &Cred::ROOT);
            }
        }
    }

    fn step(&mut self, i: &mut Input<'_>) {
        let what = i.below(32);
        let k = self.peers[usize::from(i.byte()) % self.peers.len()];
        match what {
            // A whole handshake.
            0..=5 => {
                for flags in [Flags::SYN, Flags::ACK] {
                    let known = |p: &&Peer| p.v6 == k.v6 && p.port == k.port && p.local == k.local;
                    let k = *self.peers.iter().find(known).unwrap_or(&k);
                    let p = self.segment(i, &k, flags, true);
                    self.hand(i, p, 0);
                    self.settle();
                }
            }
            6..=17 => {
                let flags = match i.below(8) {
                    0..=2 => Flags::ACK,
                    3 => Flags::PSH.with(Flags::ACK),
                    4 => Flags::FIN.with(Flags::ACK),
                    5 => Flags::SYN.with(Flags::ACK),
                    6 => Flags::RST,
                    _ => Flags(i.byte()),
                };
                let plain = what < 12;
                let p = self.segment(i, &k, flags, plain);
                let mutations = if what < 15 { 0 } else { i.below(4) };
                self.hand(i, p, mutations);
            }
            18 => self.icmp(i),
            19 => {
                let v6 = i.flag();
                let (protocol, n) = (i.byte(), usize::from(i.byte()));
                let p = wrap(v6, protocol, i.bytes(n));
                let mutations = i.below(4);
                self.hand(i, p, mutations);
            }
            20 => {
                let n = usize::from(i.byte());
                let p = i.bytes(n).to_vec();
                self.w.handle(&p, p.len(), RxCsum::Unknown);
            }
            21..=23 => {
                let ms = match i.below(8) {
                    0 => 1,
                    1 => 40,
                    2 => 250,
                    3 => 1000,
                    4 => 3000,
                    5 => 60_000,
                    6 => 7_200_000,
                    _ => u64::from(i.word()),
                };
                let peers = &mut self.peers;
                self.w.wait(Duration::from_millis(ms), |p| learn(peers, p));
            }
            _ => self.call(i),
        }
        self.settle();
    }
}

pub(crate) fn net(b: &[u8]) {
    let mut i = Input::new(b);
    let mut s = start(&mut i);
    for _ in 0..MAX_STEPS {
        if i.is_empty() {
            break;
        }
        s.step(&mut i);
    }
    let now = s.w.now;
    for l in &s.listeners {
        while let Ok(a) = s.w.net.accept(now, *l) {
            s.w.net.close(now, a.socket);
        }
        s.w.net.close(now, *l);
    }
    for o in &s.open {
        s.w.net.close(now, o.id);
    }
    s.w.end();
}
