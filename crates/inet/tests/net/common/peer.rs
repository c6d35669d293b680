//! One namespace (10.0.0.2) and a peer (10.0.0.1) of which every segment is written by hand.

use super::*;
use hearken_wire::{Flags, Options, ipv4, tcp};

pub(crate) const SYN: Flags = Flags::SYN;
pub(crate) const ACK: Flags = Flags::ACK;
pub(crate) const RST: Flags = Flags::RST;
pub(crate) const FIN: Flags = Flags::FIN.with(Flags::ACK);
pub(crate) const PSH: Flags = Flags::PSH.with(Flags::ACK);

/// A segment that left.
#[derive(Clone, Debug)]
pub(crate) struct Seg {
    pub(crate) h: tcp::Header,
    pub(crate) data: Vec<u8>,
}
impl Seg {
    pub(crate) fn has(&self, f: Flags) -> bool {
        self.h.flags.contains(f)
    }
}

pub(crate) struct Peer {
    pub(crate) net: Net,
    pub(crate) now: Instant,
    pub(crate) port: u16,
    pub(crate) sport: u16,
    /// What the peer sends next, and expects next.
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) wnd: u16,
    /// Of the next segments.
    pub(crate) options: Options,
    pub(crate) gso: bool,
}

impl Peer {
    pub(crate) fn new() -> Self {
        Self {
            net: net(2, 2),
            now: Instant(1_000_000_000),
            port: 4000,
            sport: 80,
            seq: 1_000_000,
            ack: 0,
            wnd: 60_000,
            options: Options::NONE,
            gso: false,
        }
    }

    /// The options of a usual SYN, without window scaling.
    pub(crate) fn syn_options() -> Options {
        Options {
            mss: Some(1000),
            sack_permitted: true,
            ..Options::NONE
        }
    }

    /// Hands a segment to the namespace.
    pub(crate) fn put(&mut self, flags: Flags, seq: u32, ack: u32, data: &[u8]) {
        let mut t = vec![0; 60];
        let n = tcp::Header {
            src_port: self.port,
            dst_port: self.sport,
            seq,
            ack: if flags.contains(ACK) { ack } else { 0 },
            flags,
            window: self.wnd,
            options: self.options,
            ..tcp::Header::default()
        }
        .emit(&mut t);
        t.truncate(n);
        t.extend_from_slice(data);
        let mut b = vec![0; 20];
        ipv4::Header {
            src: [10, 0, 0, 1],
            dst: [10, 0, 0, 2],
            protocol: 6,
            ttl: 64,
            total_len: (20 + t.len()) as u16,
            ..ipv4::Header::default()
        }
        .emit(&mut b);
        b.extend_from_slice(&t);
        let meta = RxMeta {
            csum: RxCsum::Valid,
            gso_size: 0,
        };
        let frame = RxFrame {
            meta,
            head: &b,
            body: &[],
        };
        self.net.handle_frames(self.now, ETH, &[frame]);
    }

    /// Hands over a segment in order and moves on; returns what it was answered with.
    pub(crate) fn say(&mut self, flags: Flags, data: &[u8]) -> Vec<Seg> {
        let (seq, ack) = (self.seq, self.ack);
        self.put(flags, seq, ack, data);
        let n =
            data.len() + usize::from(flags.contains(SYN)) + usize::from(flags.contains(Flags::FIN));
        self.seq = seq.wrapping_add(n as u32);
        self.out()
    }

    /// What leaves now.
    pub(crate) fn out(&mut self) -> Vec<Seg> {
        let mut all = Vec::new();
        for _ in 0..1000 {
            let mut w = Wire {
                frames: Vec::new(),
                gso: self.gso,
            };
            self.net.poll_transmit(self.now, ETH, &mut w);
            if w.frames.is_empty() {
                return all;
            }
            for f in &w.frames {
                let (ip, at) = ipv4::parse(f).expect("IPv4");
                if ip.protocol == 6 {
                    assert!(tcp::verify_v4(ip.src, ip.dst, &[&f[at..]]));
                    let (h, n) = tcp::parse(&f[at..]).expect("TCP");
                    let data = f[at + n..].to_vec();
                    all.push(Seg { h, data });
                }
            }
        }
        panic!("sends for ever");
    }

    /// What leaves in the next `d`, with the time of each since now.
    pub(crate) fn wait(&mut self, d: Duration) -> Vec<(Duration, Seg)> {
        let (start, end) = (self.now, self.now + d);
        let mut all = Vec::new();
        while let Some(t) = self.net.poll_timeout().filter(|t| *t <= end) {
            self.now = self.now.max(t);
            self.net.handle_timeout(self.now);
            let at = self.now.since(start);
            all.extend(self.out().into_iter().map(|s| (at, s)));
        }
        self.now = end;
        all
    }

    /// Acknowledges everything in `segs`.
    pub(crate) fn ack_all(&mut self, segs: &[Seg]) -> Vec<Seg> {
        for s in segs {
            let end = s.h.seq.wrapping_add(s.h.seq_len(s.data.len() as u32));
            if (end.wrapping_sub(self.ack) as i32) > 0 {
                self.ack = end;
            }
        }
        self.say(ACK, &[])
    }

    pub(crate) fn listen(&mut self) -> SocketId {
        let l = self.net.socket(Domain::Inet);
        let at = SocketAddr::from(([10, 0, 0, 2], 80));
        self.net.bind(l, at, &Cred::ROOT).unwrap();
        self.net.listen(self.now, l, 10).unwrap();
        l
    }

    /// A connection that the peer opened with these options in its SYN.
    pub(crate) fn accepted(&mut self, options: Options) -> SocketId {
        let l = self.listen();
        self.options = options;
        let out = self.say(SYN, &[]);
        assert!(out[0].has(SYN.with(ACK)), "{out:?}");
        self.ack = out[0].h.seq.wrapping_add(1);
        self.options = Options::NONE;
        self.options.timestamps = options
            .timestamps
            .map(|(v, _)| (v, out[0].h.options.timestamps.unwrap().0));
        assert!(self.say(ACK, &[]).is_empty());
        self.net.accept(self.now, l).unwrap().socket
    }

    /// A connection attempt of the namespace's program; its SYN.
    pub(crate) fn connecting(&mut self) -> (SocketId, Seg) {
        let s = self.net.socket(Domain::Inet);
        let at = SocketAddr::from(([10, 0, 0, 1], 9));
        self.net.connect(self.now, s, at, &Cred::ROOT).unwrap();
        let out = self.out();
        assert_eq!(out.len(), 1);
        self.port = 9;
        self.sport = out[0].h.src_port;
        self.ack = out[0].h.seq.wrapping_add(1);
        (s, out[0].clone())
    }

    pub(crate) fn send(&mut self, s: SocketId, data: &[u8]) -> Vec<Seg> {
        assert_eq!(write(&mut self.net, self.now, s, data), Ok(data.len()));
        self.out()
    }
    pub(crate) fn recv(&mut self, s: SocketId) -> Vec<u8> {
        read(&mut self.net, self.now, s).unwrap()
    }
    pub(crate) fn count(&self, c: hearken_abi::Counter) -> u64 {
        self.net.mib().get(c)
    }
    pub(crate) fn states(&self) -> Vec<TcpState> {
        let rows = self.net.diag();
        rows.iter()
            .map(|r| r.state)
            .filter(|s| *s != TcpState::Listen)
            .collect()
    }
}
