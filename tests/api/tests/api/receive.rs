//! Receive windows and ACKs: the same script on both systems must show the same packets, the same figures of TCP_INFO and
//! SO_MEMINFO, the same counters (docs/linux/receive-window.md).

use core::fmt::Write as _;
use core::time::Duration;
use std::sync::mpsc;

use hearken_abi::sock::*;
use hearken_twin::{Fd, Ip, Opt, Packet, Peer, Segment, Twin};

/// One step of a script. Offsets count from the first byte of data.
#[derive(Clone, Copy, Debug)]
enum Do {
    /// Data in order, pushed or not.
    Data(u32, bool),
    /// Data at an offset.
    At(u32, u32),
    /// `recv` of at most so many bytes.
    Read(usize),
    /// `send` of so many bytes; the peer acknowledges them.
    Send(usize),
    /// Time passes.
    Wait(u64),
    /// A FIN at an offset.
    Fin(u32),
    /// SO_RCVBUF
    RcvBuf(i32),
    /// TCP_WINDOW_CLAMP
    Clamp(i32),
    /// TCP_QUICKACK
    Quick(i32),
}

/// How the connection begins.
#[derive(Clone, Debug)]
struct Start {
    ip: Ip,
    options: Vec<Opt>,
    mtu: u32,
    sysctls: Vec<(&'static str, &'static str)>,
    /// Of the listener.
    rcvbuf: Option<i32>,
    clamp: Option<i32>,
    max_seg: Option<i32>,
}

const PLAIN: &[Opt] = &[Opt::Mss(1460)];
const SCALED: &[Opt] = &[Opt::Mss(1460), Opt::Nop, Opt::Wscale(7)];
const SACK: &[Opt] = &[
    Opt::Mss(1460),
    Opt::SackOk,
    Opt::Nop,
    Opt::Nop,
    Opt::Nop,
    Opt::Wscale(7),
];

impl Start {
    fn new(ip: Ip, options: &[Opt]) -> Self {
        Start {
            ip,
            options: options.to_vec(),
            mtu: 1500,
            sysctls: Vec::new(),
            rcvbuf: None,
            clamp: None,
            max_seg: None,
        }
    }
}

/// Time that a reply may take: Linux answers before the write to the TUN returns. All the steps between two waits take less
/// than a delayed ACK waits.
const REPLY: Duration = Duration::from_micros(100);

fn show(p: &Packet, peer: &Peer, first: u32) -> String {
    let mut sack = String::new();
    for o in &p.options {
        if let Opt::Sack(a, b) = o {
            let (a, b) = (a.wrapping_sub(first), b.wrapping_sub(first));
            let _ = write!(sack, " {}-{}", a as i32, b as i32);
        }
    }
    let _ = peer;
    format!(
        "{} ack {} win {} len {}{}",
        p.flags,
        p.ack.wrapping_sub(first) as i32,
        p.window,
        p.data.len(),
        sack
    )
}

/// The counters that tell of the receive side.
const COUNTERS: &[&str] = &[
    "TcpExtTCPOFOQueue",
    "TcpExtTCPOFOMerge",
    "TcpExtTCPOFODrop",
    "TcpExtTCPRcvCoalesce",
    "TcpExtPruneCalled",
    "TcpExtRcvPruned",
    "TcpExtOfoPruned",
    "TcpExtTCPRcvCollapsed",
    "TcpExtTCPRcvQDrop",
    "TcpExtTCPZeroWindowDrop",
    "TcpExtBeyondWindow",
    "TcpExtTCPWantZeroWindowAdv",
    "TcpExtTCPToZeroWindowAdv",
    "TcpExtTCPFromZeroWindowAdv",
    "TcpExtTCPDSACKOldSent",
    "TcpExtTCPDSACKOfoSent",
    "TcpExtDelayedACKs",
    "TcpExtDelayedACKLost",
    "TcpExtTCPAckCompressed",
];

fn state(t: &mut dyn Twin, fd: Fd) -> String {
    let i = t.getsockopt(fd, SOL_TCP, TCP_INFO, 300).unwrap();
    let at = |n: usize| u32::from_ne_bytes(i[n..n + 4].try_into().unwrap());
    let m = t.getsockopt(fd, SOL_SOCKET, SO_MEMINFO, 36).unwrap();
    let mem = |n: usize| u32::from_ne_bytes(m[n..n + 4].try_into().unwrap());
    format!(
        "rcv_mss {} ssthresh {} advmss {} space {} wnd {} ooo {} rmem {} of {} clamp {}",
        at(20),
        at(64),
        at(84),
        at(96),
        at(232),
        at(224),
        mem(0),
        mem(4),
        t.int(fd, SOL_TCP, TCP_WINDOW_CLAMP).unwrap(),
    )
}

/// Plays a script and tells everything that showed.
fn play(t: &mut dyn Twin, start: &Start, script: &[Do]) -> Vec<String> {
    let mut out = Vec::new();
    for (name, value) in &start.sysctls {
        t.sysctl(name, value).unwrap();
    }
    t.set_mtu(start.mtu);
    let l = t.listener(start.ip, 80, 5);
    if let Some(n) = start.rcvbuf {
        t.set_int(l, SOL_SOCKET, SO_RCVBUF, n).unwrap();
    }
    if let Some(n) = start.clamp {
        t.set_int(l, SOL_TCP, TCP_WINDOW_CLAMP, n).unwrap();
    }
    if let Some(n) = start.max_seg {
        t.set_int(l, SOL_TCP, TCP_MAXSEG, n).unwrap();
    }
    let mut peer = Peer::new(start.ip, 4000, 80).offering(&start.options);
    let syn_ack = peer.open(t);
    let c = t.accept(l).unwrap();
    let first = 1001;
    out.push(format!(
        "SYN-ACK {} {:?} {}",
        syn_ack.window,
        syn_ack.options.iter().find(|o| matches!(o, Opt::Wscale(_))),
        state(t, c)
    ));
    let before = t.counters();
    for step in script {
        let mut said = String::new();
        let send = |t: &mut dyn Twin, peer: &Peer, seq: u32, flags: &str, n: u32| {
            let mut p = peer.clone();
            p.seq = seq;
            let s: Segment = p.segment(flags).data(&vec![7; n as usize]);
            t.inject(&s.packet());
        };
        match *step {
            Do::Data(n, push) => {
                peer.ts += 1;
                send(t, &peer, peer.seq, if push { "PA" } else { "A" }, n);
                peer.seq += n;
            }
            Do::At(at, n) => {
                peer.ts += 1;
                send(t, &peer, first + at, "A", n);
            }
            Do::Fin(at) => send(t, &peer, first + at, "FA", 0),
            Do::Read(n) => {
                let got = t.recv(c, n, MSG_DONTWAIT).map(|d| d.len());
                said = format!(" {got:?}");
            }
            Do::Send(n) => {
                let sent = t.send(c, &vec![9; n], MSG_DONTWAIT);
                said = format!(" {sent:?}");
            }
            Do::Wait(ms) => t.advance(Duration::from_millis(ms)),
            Do::RcvBuf(n) => t.set_int(c, SOL_SOCKET, SO_RCVBUF, n).unwrap(),
            Do::Clamp(n) => said = format!(" {:?}", t.set_int(c, SOL_TCP, TCP_WINDOW_CLAMP, n)),
            Do::Quick(n) => t.set_int(c, SOL_TCP, TCP_QUICKACK, n).unwrap(),
        }
        let mut line = format!("{step:?}{said}:");
        let mut answer = false;
        while let Some(p) = t.next_tcp(REPLY) {
            let _ = write!(line, " [{}]", show(&p, &peer, first));
            peer.ack = p.seq.wrapping_add(p.data.len() as u32);
            answer |= !p.data.is_empty();
        }
        if answer {
            peer.ack(t);
        }
        let _ = write!(line, " | {}", state(t, c));
        out.push(line);
    }
    let after = t.counters();
    let moved = COUNTERS
        .iter()
        .map(|n| (&n[6..], after.get(n) - before.get(n)));
    let moved: Vec<_> = moved.filter(|(_, by)| *by != 0).collect();
    out.push(format!("{moved:?}"));
    out
}

/// Both systems must tell the same. Linux may be asked again: a busy machine lets a delayed ACK's time pass.
#[track_caller]
fn assert_alike(start: &Start, script: &[Do]) {
    let mut ours = Vec::new();
    hearken_twin::run_hearken(|t| ours = play(t, start, script));
    let mut linux = Vec::new();
    for _ in 0..8 {
        let (tx, rx) = mpsc::channel();
        let (s, ops) = (start.clone(), script.to_vec());
        hearken_twin::run_linux(move |t| {
            let _ = tx.send(play(t, &s, &ops));
        });
        let Ok(answer) = rx.try_recv() else { return };
        linux = answer;
        if linux == ours {
            return;
        }
    }
    let mut text = format!("{start:?}\n");
    for (i, l) in linux.iter().enumerate() {
        if ours.get(i) == Some(l) {
            let _ = writeln!(text, "  {l}");
        } else {
            let o = ours.get(i).map_or("nothing", String::as_str);
            let _ = writeln!(text, "- Linux   {l}\n- Hearken {o}");
            break;
        }
    }
    panic!("{text}");
}

/// With a wait now and then, so that no delayed ACK falls between two steps.
fn repeat(n: usize, what: &[Do]) -> Vec<Do> {
    let mut out = Vec::new();
    for i in 0..n {
        if i % 12 == 11 {
            out.push(Do::Wait(60));
        }
        out.extend(what);
    }
    out.push(Do::Wait(60));
    out
}

const BOTH: [Ip; 2] = [Ip::V4, Ip::V6];

#[test]
fn window_begins_alike_for_every_mtu_and_option() {
    for ip in BOTH {
        for mtu in [1500, 1280, 9000] {
            for options in [PLAIN, SCALED, SACK, hearken_twin::SYN_OPTIONS] {
                let start = Start {
                    mtu,
                    ..Start::new(ip, options)
                };
                assert_alike(
                    &start,
                    &[Do::Data(1, true), Do::Data(1000, false), Do::Read(2000)],
                );
            }
        }
    }
}

#[test]
fn window_grows_and_shrinks_with_unread_segments_of_any_size() {
    for ip in BOTH {
        for options in [PLAIN, SACK, hearken_twin::SYN_OPTIONS] {
            for n in [1, 50, 100, 127, 128, 200, 500, 536, 600, 700, 1000, 1400] {
                let mut script = repeat(50, &[Do::Data(n, false)]);
                script.extend(repeat(8, &[Do::Read(n as usize + 100)]));
                script.push(Do::Read(1 << 20));
                script.extend(repeat(4, &[Do::Data(n, true)]));
                script.extend([Do::Fin(54 * n), Do::Read(1 << 20)]);
                assert_alike(&Start::new(ip, options), &script);
            }
        }
    }
}

#[test]
fn window_of_small_buffers_shuts_and_opens_alike() {
    for rcvbuf in [0, 1000, 2304, 4096, 10_000, 20_000, 40_000] {
        for options in [PLAIN, SACK] {
            for n in [1, 100, 536, 1000, 1400] {
                let start = Start {
                    rcvbuf: Some(rcvbuf),
                    ..Start::new(Ip::V4, options)
                };
                let mut script = repeat(40, &[Do::Data(n, false)]);
                script.extend([
                    Do::Read(1),
                    Do::Read(100),
                    Do::Read(1000),
                    Do::Read(1 << 20),
                ]);
                script.extend(repeat(4, &[Do::Data(n, true), Do::Read(1 << 20)]));
                assert_alike(&start, &script);
            }
        }
    }
}

#[test]
fn window_and_sack_of_data_beyond_holes_are_alike() {
    for ip in BOTH {
        for options in [PLAIN, SACK, hearken_twin::SYN_OPTIONS] {
            let script = [
                Do::Data(100, false),
                Do::At(1100, 1000),
                Do::At(3100, 1000),
                Do::At(5100, 1000),
                Do::At(1100, 1000),
                Do::At(1300, 100),
                Do::At(1600, 1000),
                Do::At(3000, 1200),
                Do::At(7100, 1000),
                Do::At(9100, 1000),
                Do::At(4400, 900),
                Do::At(600, 800),
                Do::At(0, 50),
                Do::At(50, 100),
                Do::At(150, 450),
                Do::At(2100, 1000),
                Do::At(4100, 400),
                Do::Read(1 << 20),
                Do::At(6100, 1000),
                Do::Fin(10_100),
                Do::At(8100, 1000),
                Do::Read(1 << 20),
            ];
            assert_alike(&Start::new(ip, options), &script);
        }
    }
}

#[test]
fn window_follows_options_set_on_the_connection() {
    let script = [
        Do::Data(1000, false),
        Do::RcvBuf(4000),
        Do::Data(1000, false),
        Do::Data(1000, false),
        Do::Read(1 << 20),
        Do::Data(1000, true),
        Do::RcvBuf(100_000),
        Do::Data(1000, false),
        Do::Read(1 << 20),
        Do::Clamp(0),
        Do::Clamp(1),
        Do::Data(1000, true),
        Do::Read(1 << 20),
        Do::Clamp(30_000),
        Do::Data(1000, true),
        Do::Read(1 << 20),
        Do::Clamp(1_000_000),
        Do::Data(1400, true),
        Do::Read(1 << 20),
    ];
    for options in [PLAIN, SACK] {
        assert_alike(&Start::new(Ip::V4, options), &script);
    }
}

#[test]
fn ack_waits_and_hurries_alike() {
    let mut script = repeat(20, &[Do::Data(100, true)]);
    script.extend([
        Do::Wait(60),
        Do::Data(100, true),
        Do::Read(1 << 20),
        Do::Wait(60),
    ]);
    script.extend([
        Do::Send(10),
        Do::Data(10, true),
        Do::Send(10),
        Do::Data(10, true),
    ]);
    script.extend([
        Do::Read(5),
        Do::Wait(60),
        Do::Data(10, true),
        Do::Read(1000),
    ]);
    script.extend([
        Do::Quick(0),
        Do::Data(10, true),
        Do::Quick(1),
        Do::Data(10, true),
    ]);
    script.extend([
        Do::Quick(2),
        Do::Read(1000),
        Do::Data(10, true),
        Do::Quick(2),
    ]);
    script.extend(repeat(6, &[Do::Data(1000, false)]));
    script.extend([
        Do::Wait(60),
        Do::Read(1 << 20),
        Do::Wait(500),
        Do::Data(10, true),
    ]);
    for options in [PLAIN, hearken_twin::SYN_OPTIONS] {
        assert_alike(&Start::new(Ip::V4, options), &script);
    }
}
