//! One BPF_PROG_TYPE_SOCK_OPS object on both systems: which callbacks it gets, and what it sees there
//! (docs/linux/sock-ops.md).

use core::fmt;
use core::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use hearken_abi::Errno;
use hearken_twin::{Ip, Peer, QUIET, Segment, Twin, sockaddr};

family_cases! {
    sock_ops_passive_open_tells_what_linux_tells,
    sock_ops_active_open_tells_what_linux_tells,
    sock_ops_active_open_measured_and_refused,
}

/// The object, compiled once.
fn object() -> &'static [u8] {
    static OBJECT: OnceLock<Vec<u8>> = OnceLock::new();
    OBJECT.get_or_init(|| compiled("sock_ops.c", &[]))
}

/// An object of clang's, with these definitions.
pub(crate) fn compiled(source: &str, defines: &[&str]) -> Vec<u8> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("data")
        .join(source);
    let out = Command::new("clang")
        // Debian keeps <asm/types.h> below the triple.
        .args([
            "-target",
            "bpf",
            "-O2",
            "-g",
            "-I/usr/include/x86_64-linux-gnu",
            "-c",
            "-o",
            "-",
        ])
        .args(defines)
        .arg(source)
        .output()
        .expect("clang is installed");
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{said}");
    out.stdout
}

/// What the object wrote of one callback: `struct record`.
#[derive(Clone, Copy)]
pub(crate) struct Record([u32; 29]);

pub(crate) fn records(t: &mut dyn Twin) -> Vec<Record> {
    let word = |b: &[u8]| u32::from_ne_bytes(b.try_into().expect("four bytes"));
    let count = t.bpf_lookup("count", &[0; 4]).expect("the first element");
    (0..word(&count))
        .map(|i: u32| {
            let bytes = t
                .bpf_lookup("records", &i.to_ne_bytes())
                .expect("an element");
            let mut words = [0; 29];
            for (word_at, four) in words.iter_mut().zip(bytes.chunks_exact(4)) {
                *word_at = word(four);
            }
            Record(words)
        })
        .collect()
}

/// Where the members are in it.
const OP: usize = 0;
const STATE: usize = 4;
const SET: usize = 28;
const RETRANS_CB: u32 = 9;
const STATE_CB: u32 = 10;
const RTT_CB: u32 = 12;

impl Record {
    pub(crate) fn op(&self) -> u32 {
        self.0[OP]
    }

    fn args(&self) -> [u32; 3] {
        [self.0[1], self.0[2], self.0[3]]
    }

    /// `cwnd ssthresh mss rcv_nxt snd_nxt snd_una`, sequence numbers from those of the SYNs on.
    fn numbers(&self, mine: u32, theirs: u32) -> [u32; 6] {
        let n = &self.0[20..26];
        let from = |n: u32, isn: u32| n.wrapping_sub(isn);
        [
            n[0],
            n[1],
            n[2],
            from(n[3], theirs),
            from(n[4], mine),
            from(n[5], mine),
        ]
    }
}

impl fmt::Display for Record {
    /// `op [args] state flags is_fullsock`, and what bpf_sock_ops_cb_flags_set said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let r = &self.0;
        write!(f, "{} ", r[OP])?;
        match r[OP] {
            // How long it took is not a matter of right and wrong; that it was measured is.
            RTT_CB => write!(f, "[{}]", r[1] > 0 && r[2] > 0)?,
            // Its sequence number is a number like others.
            RETRANS_CB => write!(f, "{:?}", &r[2..4])?,
            _ => write!(f, "{:?}", &r[1..4])?,
        }
        let set = r[SET].cast_signed();
        write!(f, " in {} flags {} full {} set {set}", r[STATE], r[5], r[6])
    }
}

/// The callbacks so far as lines, from the `skip`th on.
fn lines(t: &mut dyn Twin, skip: usize) -> Vec<String> {
    let all = records(t);
    all[skip..].iter().map(ToString::to_string).collect()
}

/// Every address as the family has it: ports, and the words of the addresses.
fn expect_ends(t: &mut dyn Twin, ip: Ip, local: u16, remote: u16) {
    let words = |addr: std::net::IpAddr| -> [u32; 4] {
        let v6 = match addr {
            std::net::IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            std::net::IpAddr::V6(v6) => v6,
        };
        let bytes = v6.octets();
        [0, 4, 8, 12]
            .map(|i| u32::from_ne_bytes([bytes[i], bytes[i + 1], bytes[i + 2], bytes[i + 3]]))
    };
    let (ours, theirs) = (words(ip.listener()), words(ip.peer()));
    for r in records(t).iter().map(|r| r.0) {
        assert_eq!(r[7], ip.domain() as u32);
        assert_eq!(r[8], u32::from(local));
        // A listener has no peer, and this one no address.
        if r[STATE] == 10 {
            assert_eq!(r[9..20], [0; 11]);
            continue;
        }
        assert_eq!(r[9], u32::from(remote).to_be());
        assert_eq!((&r[12..16], &r[16..20]), (&ours[..], &theirs[..]));
        if ip == Ip::V4 {
            assert_eq!((r[10], r[11]), (ours[3], theirs[3]));
        }
    }
}

/// A listener, a SYN-ACK that is lost, data both ways with a retransmission, and an end that begins here.
fn sock_ops_passive_open_tells_what_linux_tells(t: &mut dyn Twin, ip: Ip) {
    t.attach_sock_ops(object());
    let l = t.listener(ip, 8000, 5);
    assert_eq!(lines(t, 0), ["11 [0, 0, 0] in 10 flags 0 full 1 set 0"]);
    let mut peer = Peer::new(ip, 4660, 8000);
    let isn = peer.half_open(t).seq;
    let first = peer.seq - 1;
    assert_eq!(
        lines(t, 1),
        [
            "2 [0, 0, 0] in 12 flags 0 full 0 set -22",
            "1 [0, 0, 0] in 12 flags 0 full 0 set -22",
            "6 [0, 0, 0] in 12 flags 0 full 0 set -22",
        ]
    );
    // The SYN-ACK again is no retransmission to them: another question about ECN.
    peer.expect_within(t, "SA", Duration::from_secs(2));
    assert_eq!(lines(t, 4), ["6 [0, 0, 0] in 12 flags 0 full 0 set -22"]);
    peer.ack(t);
    let c = t.accept(l).expect("a child");
    assert_eq!(
        lines(t, 5),
        [
            "12 [true] in 3 flags 15 full 1 set 0",
            "5 [0, 0, 0] in 3 flags 15 full 1 set 0",
            "10 [3, 1, 0] in 3 flags 15 full 1 set 0",
        ]
    );
    peer.data(t, b"hello");
    peer.expect(t, "A");
    assert_eq!(t.recv(c, 100, 0).expect("data"), b"hello");
    let mss = ip.pick(1448, 1428);
    assert_eq!(
        t.send(c, &vec![b'x'; 2 * mss as usize], 0),
        Ok(2 * mss as usize)
    );
    peer.expect(t, "A");
    peer.expect(t, "PA");
    // Lost: the tail loss probe sends the last one again.
    peer.expect_within(t, "PA", Duration::from_secs(2));
    assert_eq!(lines(t, 8), ["9 [1, 0] in 1 flags 15 full 1 set 0"]);
    peer.ack(t);
    t.close(c).expect("open");
    peer.expect(t, "FA");
    // Linux measures the round trip of what was sent once, too; we wait for the next.
    let mut after_probe = lines(t, 9);
    after_probe.retain(|l| !l.starts_with("12 "));
    assert_eq!(after_probe, ["10 [1, 4, 0] in 1 flags 15 full 1 set 0"]);
    let closing = records(t).len();
    peer.fin(t);
    peer.expect(t, "A");
    t.close(l).expect("open");
    assert_eq!(
        lines(t, closing),
        [
            "12 [true] in 4 flags 15 full 1 set 0",
            "10 [4, 5, 0] in 4 flags 15 full 1 set 0",
            "10 [5, 7, 0] in 5 flags 15 full 1 set 0",
            "10 [10, 7, 0] in 10 flags 15 full 1 set 0",
        ]
    );
    expect_ends(t, ip, 8000, 4660);
    let all = records(t);
    let numbers = |i: usize| all[i].numbers(isn, first);
    let rest = u32::MAX >> 1;
    assert_eq!(all[8].args()[0], isn.wrapping_add(1 + mss));
    // Established, and again in the change of state; the probe; the close.
    assert_eq!(numbers(6), [10, rest, mss, 1, 1, 1]);
    assert_eq!(numbers(7), [10, rest, mss, 1, 1, 1]);
    assert_eq!(numbers(8), [10, rest, mss, 6, 1 + 2 * mss, 1]);
    assert_eq!(
        numbers(closing - 1),
        [10, rest, mss, 6, 1 + 2 * mss, 1 + 2 * mss]
    );
}

/// A SYN that is lost three times, and a SYN-ACK without timestamps.
fn sock_ops_active_open_tells_what_linux_tells(t: &mut dyn Twin, ip: Ip) {
    t.attach_sock_ops(object());
    t.sysctl("net.ipv4.tcp_syn_linear_timeouts", "1")
        .expect("a sysctl");
    let fd = t.tcp(ip);
    let to = sockaddr(SocketAddr::new(ip.peer(), 9));
    assert_eq!(t.connect(fd, &to), Err(Errno::EINPROGRESS));
    let syn = t.next_tcp(QUIET).expect("the SYN");
    assert_eq!(
        lines(t, 0),
        [
            "3 [0, 0, 0] in 2 flags 0 full 1 set 0",
            "2 [0, 0, 0] in 2 flags 15 full 1 set 0",
            "1 [0, 0, 0] in 2 flags 15 full 1 set 0",
            "6 [0, 0, 0] in 2 flags 15 full 1 set 0",
        ]
    );
    for _ in 0..3 {
        t.next_tcp(Duration::from_secs(6)).expect("the SYN again");
    }
    // The timeout in jiffies, a second at 250 Hz. How long a SYN may take is asked for before and after each
    // of them, but the first (tcp_write_timeout, tcp_retransmit_timer, 6.18).
    assert_eq!(
        lines(t, 4),
        [
            "8 [0, 250, 0] in 2 flags 15 full 1 set 0",
            "9 [1, 0] in 2 flags 15 full 1 set 0",
            "1 [0, 0, 0] in 2 flags 15 full 1 set 0",
            "1 [0, 0, 0] in 2 flags 15 full 1 set 0",
            "8 [1, 250, 0] in 2 flags 15 full 1 set 0",
            "9 [1, 0] in 2 flags 15 full 1 set 0",
            "1 [0, 0, 0] in 2 flags 15 full 1 set 0",
            "1 [0, 0, 0] in 2 flags 15 full 1 set 0",
            "8 [2, 500, 0] in 2 flags 15 full 1 set 0",
            "9 [1, 0] in 2 flags 15 full 1 set 0",
            "1 [0, 0, 0] in 2 flags 15 full 1 set 0",
        ]
    );
    assert_eq!(records(t)[5].args()[0], syn.seq);
    let syn_ack = Segment::new(syn.dst, syn.src, "SA", 5000, syn.seq.wrapping_add(1));
    t.inject(&syn_ack.packet());
    assert_eq!(t.next_tcp(QUIET).expect("the ACK").flags, "A");
    assert_eq!(
        lines(t, 15),
        [
            "10 [2, 1, 0] in 2 flags 15 full 1 set 0",
            "4 [0, 0, 0] in 1 flags 15 full 1 set 0",
        ]
    );
    let reset = Segment::new(syn.dst, syn.src, "R", 5001, 0);
    t.inject(&reset.packet());
    t.expect_nothing();
    assert_eq!(lines(t, 17), ["10 [1, 7, 0] in 1 flags 15 full 1 set 0"]);
    expect_ends(t, ip, syn.src.port(), 9);
}

/// A SYN that is answered at once measures the round trip, and a connection that nobody asked about is refused.
fn sock_ops_active_open_measured_and_refused(t: &mut dyn Twin, ip: Ip) {
    t.attach_sock_ops(object());
    for flags in ["SA", "RA"] {
        let before = records(t).len() + 4;
        let fd = t.tcp(ip);
        let to = sockaddr(SocketAddr::new(ip.peer(), 9));
        assert_eq!(t.connect(fd, &to), Err(Errno::EINPROGRESS));
        let syn = t.next_tcp(QUIET).expect("the SYN");
        let answer = Segment::new(syn.dst, syn.src, flags, 5000, syn.seq.wrapping_add(1));
        t.inject(&answer.packet());
        t.packets();
        let expected: &[&str] = if flags == "SA" {
            &[
                "12 [true] in 2 flags 15 full 1 set 0",
                "10 [2, 1, 0] in 2 flags 15 full 1 set 0",
                "4 [0, 0, 0] in 1 flags 15 full 1 set 0",
            ]
        } else {
            &["10 [2, 7, 0] in 2 flags 15 full 1 set 0"]
        };
        assert_eq!(lines(t, before), expected, "{flags}");
    }
    let changes = records(t).iter().filter(|r| r.op() == STATE_CB).count();
    assert_eq!(changes, 2);
}
