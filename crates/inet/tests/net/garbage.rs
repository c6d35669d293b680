//! Whatever a peer sends, nothing panics, and what it leaves behind goes away.

use crate::common::*;
use core::time::Duration;
use hearken_inet::*;
use hearken_wire::{Flags, Options, PROTO_ICMP, ipv4, ipv6, tcp};
use proptest::collection::vec;
use proptest::prelude::*;

/// One thing that a peer does.
#[derive(Clone, Debug)]
enum Step {
    /// A segment near the connection's numbers: offsets to what would be right.
    Tcp {
        port: u16,
        flags: u8,
        seq: i32,
        ack: i32,
        window: u16,
        len: usize,
        list: Vec<u8>,
    },
    /// A whole handshake, with every option.
    Open(u16),
    /// An ICMP error about a segment of the system.
    Icmp { kind: u8, code: u8, seq: i32 },
    /// Any bytes behind a version nibble.
    Bytes { v6: bool, bytes: Vec<u8> },
    /// Time passes.
    Wait(u32),
    /// The program acts on its newest socket.
    Call(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let near = prop_oneof![
        4 => Just(0i32),
        3 => -3i32..4,
        2 => -70_000i32..70_000,
        1 => any::<i32>()
    ];
    let flags = prop_oneof![
        Just(0x02u8),
        Just(0x10),
        Just(0x18),
        Just(0x11),
        Just(0x04),
        Just(0x14),
        any::<u8>()
    ];
    let tcp = (
        prop_oneof![4000u16..4004, Just(1)],
        flags,
        near.clone(),
        near.clone(),
        prop_oneof![Just(0u16), Just(1), any::<u16>()],
        prop_oneof![Just(0usize), 1..3000usize],
        prop_oneof![
            Just(vec![2, 4, 5, 180, 1, 3, 3, 7]),
            Just(vec![2, 4, 0, 1, 4, 2]),
            vec(any::<u8>(), 0..40)
        ],
    )
        .prop_map(|(port, flags, seq, ack, window, len, list)| Step::Tcp {
            port,
            flags,
            seq,
            ack,
            window,
            len,
            list,
        });
    prop_oneof![
        12 => tcp,
        1 => (prop_oneof![Just(3u8), Just(11), Just(12), any::<u8>()], 0u8..16, near)
            .prop_map(|(kind, code, seq)| Step::Icmp { kind, code, seq }),
        1 => (any::<bool>(), vec(any::<u8>(), 0..100)).prop_map(|(v6, bytes)| Step::Bytes { v6, bytes }),
        2 => (0u32..3000).prop_map(Step::Wait),
        4 => (0u8..8).prop_map(Step::Call),
        2 => (4000u16..4004).prop_map(Step::Open),
    ]
}

/// What the peer knows: the system's last SEQ and ACK.
#[derive(Default)]
struct Peer {
    seq: u32,
    ack: u32,
}

const HERE: [u8; 4] = [10, 0, 0, 2];
const THERE: [u8; 4] = [10, 0, 0, 1];

fn packet(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut b = vec![0; 20];
    ipv4::Header {
        src: THERE,
        dst: HERE,
        protocol,
        ttl: 64,
        total_len: (20 + payload.len()) as u16,
        ..ipv4::Header::default()
    }
    .emit(&mut b);
    b.extend_from_slice(payload);
    b
}

fn build(s: &Step, peer: &Peer) -> Option<Vec<u8>> {
    match s {
        Step::Tcp {
            port,
            flags,
            seq,
            ack,
            window,
            len,
            list,
        } => {
            let mut t = vec![0; 20];
            tcp::Header {
                src_port: *port,
                dst_port: 80,
                seq: peer.ack.wrapping_add_signed(*seq),
                ack: peer.seq.wrapping_add_signed(*ack),
                flags: Flags(*flags),
                window: *window,
                options: Options::NONE,
                ..tcp::Header::default()
            }
            .emit(&mut t);
            let mut list = list.clone();
            list.resize(list.len().next_multiple_of(4), 0);
            t[12] = ((5 + list.len() / 4) as u8) << 4;
            t.extend_from_slice(&list);
            t.resize(t.len() + len, 0x55);
            Some(packet(6, &t))
        }
        Step::Icmp { kind, code, seq } => {
            let mut quoted = vec![0u8; 28];
            ipv4::Header {
                src: HERE,
                dst: THERE,
                protocol: 6,
                ttl: 64,
                total_len: 60,
                ..ipv4::Header::default()
            }
            .emit(&mut quoted);
            quoted[20..22].copy_from_slice(&80u16.to_be_bytes());
            quoted[22..24].copy_from_slice(&4000u16.to_be_bytes());
            quoted[24..28].copy_from_slice(&peer.seq.wrapping_add_signed(*seq).to_be_bytes());
            let mut m = vec![*kind, *code, 0, 0, 0, 0, 5, 0];
            m.extend(quoted);
            let sum = hearken_wire::checksum::of(&m).to_be_bytes();
            m[2..4].copy_from_slice(&sum);
            Some(packet(PROTO_ICMP, &m))
        }
        Step::Bytes { v6, bytes } => {
            let mut b = bytes.clone();
            if let Some(first) = b.first_mut() {
                *first = if *v6 { 0x60 } else { 0x45 };
            }
            if *v6 && b.len() > 40 {
                let n = (b.len() - ipv6::LEN) as u16;
                b[4..6].copy_from_slice(&n.to_be_bytes());
                b[6] %= 61;
            }
            Some(b)
        }
        Step::Wait(_) | Step::Call(_) | Step::Open(_) => None,
    }
}

struct Run {
    net: Net,
    now: Instant,
    listener: SocketId,
    open: Vec<SocketId>,
    peer: Peer,
}

impl Run {
    fn new() -> Run {
        let mut net = net(2, 2);
        let now = Instant(1_000_000_000);
        let listener = net.socket(Domain::Inet);
        let at = "10.0.0.2:80".parse().expect("address");
        net.bind(listener, at, &Cred::ROOT).expect("bind");
        net.listen(now, listener, 3).expect("listen");
        Run {
            net,
            now,
            listener,
            open: Vec::new(),
            peer: Peer::default(),
        }
    }

    fn transmit(&mut self) {
        for _ in 0..1000 {
            let mut w = Wire {
                frames: Vec::new(),
                gso: true,
            };
            self.net.poll_transmit(self.now, ETH, &mut w);
            if w.frames.is_empty() {
                return;
            }
            for f in &w.frames {
                // Whatever leaves is sound.
                if f[0] >> 4 == 4 {
                    let (ip, len) = ipv4::parse(f).expect("IPv4");
                    if ip.protocol == 6 {
                        assert!(tcp::verify_v4(ip.src, ip.dst, &[&f[len..]]));
                        let (h, head) = tcp::parse(&f[len..]).expect("TCP");
                        let data = (f.len() - len - head) as u32;
                        self.peer.seq = h.seq.wrapping_add(h.seq_len(data));
                        if h.flags.contains(Flags::ACK) {
                            self.peer.ack = h.ack;
                        }
                    }
                }
            }
        }
        panic!("sends for ever");
    }

    fn call(&mut self, what: u8) {
        let (net, now) = (&mut self.net, self.now);
        if what == 0 {
            if let Ok(a) = net.accept(now, self.listener) {
                self.open.push(a.socket);
            }
            return;
        }
        let Some(s) = self.open.last().copied() else {
            return;
        };
        match what {
            1 => {
                let _ = write(net, now, s, &[7; 5000]);
            }
            2 => {
                let _ = read(net, now, s);
            }
            3 => {
                let _ = net.shutdown(now, s, Shutdown::Write);
            }
            4 => {
                let _ = net.shutdown(now, s, Shutdown::Both);
            }
            5 => {
                net.close(now, s);
                self.open.pop();
            }
            6 => {
                net.abort(now, s);
                self.open.pop();
            }
            _ => {
                let _ = net.take_error(s);
                let _ = net.tcp_info(now, s);
                let _ = net.diag();
            }
        }
    }

    fn wait(&mut self, end: Instant) {
        for _ in 0..10_000 {
            let Some(t) = self.net.poll_timeout().filter(|t| *t <= end) else {
                self.now = self.now.max(end);
                return;
            };
            self.now = self.now.max(t);
            self.net.handle_timeout(self.now);
            self.transmit();
        }
        panic!("timers without end");
    }

    fn step(&mut self, s: &Step) {
        match s {
            Step::Wait(ms) => self.wait(self.now + Duration::from_millis(u64::from(*ms))),
            Step::Call(what) => self.call(*what),
            Step::Open(port) => {
                let part = |flags: Flags| Step::Tcp {
                    port: *port,
                    flags: flags.0,
                    seq: 0,
                    ack: 0,
                    window: 60_000,
                    len: 0,
                    list: if flags == Flags::SYN {
                        vec![2, 4, 5, 180, 4, 2, 3, 3, 7]
                    } else {
                        Vec::new()
                    },
                };
                self.step(&part(Flags::SYN));
                self.step(&part(Flags::ACK));
                self.call(0);
            }
            _ => {
                let Some(b) = build(s, &self.peer) else {
                    return;
                };
                let meta = RxMeta {
                    csum: RxCsum::Valid,
                    gso_size: 0,
                };
                let (head, rest) = b.split_at(b.len().min(128));
                let frame = RxFrame {
                    meta,
                    head,
                    body: &[rest],
                };
                self.net.handle_frames(self.now, ETH, &[frame]);
            }
        }
        self.transmit();
        let mut events = [Event::Ready {
            token: 0,
            ready: Ready::NONE,
        }; 8];
        while self.net.poll_events(&mut events) == events.len() {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn garbage_never_panics_and_leaves_nothing(steps in vec(step(), 1..60)) {
        let mut run = Run::new();
        for s in &steps {
            run.step(s);
        }
        while let Ok(a) = run.net.accept(run.now, run.listener) {
            run.open.push(a.socket);
        }
        for s in std::mem::take(&mut run.open) {
            run.net.close(run.now, s);
        }
        run.net.close(run.now, run.listener);
        run.transmit();
        // The longest that anything may live on: fifteen retransmissions of up to two minutes, and TIME_WAIT.
        run.wait(run.now + Duration::from_secs(3600));
        prop_assert_eq!(run.net.diag(), vec![]);
        prop_assert_eq!(run.net.poll_timeout(), None);
        let estab = run.net.mib().get(hearken_abi::Counter::TcpCurrEstab);
        prop_assert_eq!(estab, 0);
    }
}

/// The steps above do reach connections.
#[test]
fn garbage_handshake_step_opens_a_connection_that_takes_data() {
    let mut run = Run::new();
    run.step(&Step::Open(4000));
    assert_eq!(run.open.len(), 1);
    run.step(&Step::Tcp {
        port: 4000,
        flags: 0x18,
        seq: 0,
        ack: 0,
        window: 1000,
        len: 100,
        list: Vec::new(),
    });
    assert_eq!(
        read(&mut run.net, run.now, run.open[0]),
        Ok(vec![0x55; 100])
    );
}
