//! What the answers of a sock_ops program change (docs/linux/sock-ops.md).

use core::net::SocketAddr;
use std::time::Duration;

use hearken_abi::Errno;
use hearken_twin::{Ip, Opt, Packet, Peer, QUIET, Segment, Twin, sockaddr};

use crate::sock_ops::{Record, compiled, records};

family_cases! {
    timeout_init_times_syn_and_syn_ack,
    timeout_init_ends_at_two_minutes,
    rwnd_init_limits_the_first_window,
    rwnd_init_enlarges_the_window_of_a_syn_ack,
    needs_ecn_marks_and_asks_whatever_the_sysctl_says,
}

/// How often the asked packet comes again, in milliseconds, `n` times.
fn times(t: &mut dyn Twin, n: usize) -> Vec<u128> {
    let began = t.now();
    let mut at = Vec::new();
    for _ in 0..n {
        t.next_tcp(Duration::from_secs(8)).expect("again");
        // A kernel is late by up to some jiffies.
        at.push((t.now() - began).as_millis() + 10);
    }
    at.iter().map(|ms| ms / 100 * 100).collect()
}

/// The SYN of a connect.
fn syn(t: &mut dyn Twin, ip: Ip) -> (i32, Packet) {
    let fd = t.tcp(ip);
    let to = sockaddr(SocketAddr::new(ip.peer(), 9));
    assert_eq!(t.connect(fd, &to), Err(Errno::EINPROGRESS));
    (fd, t.next_tcp(QUIET).expect("the SYN"))
}

/// The SYN-ACK for a SYN with these flags and options.
fn syn_ack(t: &mut dyn Twin, ip: Ip, port: u16, flags: &str, options: &[Opt]) -> Packet {
    let mut syn = Peer::new(ip, port, 8000).offering(options).syn_segment();
    flags.clone_into(&mut syn.flags);
    t.inject(&syn.packet());
    t.next_tcp(QUIET).expect("the SYN-ACK")
}

/// 25 jiffies of 4 ms. SYN-ACKs double at once, SYNs are linear at first; nothing above zero says nothing.
fn timeout_init_times_syn_and_syn_ack(t: &mut dyn Twin, ip: Ip) {
    t.attach_sock_ops(&compiled("sock_ops.c", &["-DTIMEOUT=50"]));
    t.listener(ip, 8000, 5);
    syn_ack(t, ip, 4660, "S", &[Opt::Mss(1400)]);
    assert_eq!(times(t, 3), [200, 600, 1400]);
    t.advance(Duration::from_secs(7));
    t.packets();
    let (fd, _) = syn(t, ip);
    assert_eq!(times(t, 5), [200, 400, 600, 800, 1000]);
    t.close(fd).expect("open");
}

fn timeout_init_ends_at_two_minutes(t: &mut dyn Twin, ip: Ip) {
    t.attach_sock_ops(&compiled("sock_ops.c", &["-DTIMEOUT=100000"]));
    t.listener(ip, 8000, 5);
    syn_ack(t, ip, 4660, "S", &[Opt::Mss(1400)]);
    let (fd, _) = syn(t, ip);
    t.advance(Duration::from_secs(4));
    assert_eq!(t.packets().len(), 0);
    t.close(fd).expect("open");
}

fn window_case(t: &mut dyn Twin, ip: Ip, window: &str, syn_acks: u16, syns: u16) {
    t.attach_sock_ops(&compiled("sock_ops.c", &[window]));
    t.listener(ip, 8000, 5);
    let p = syn_ack(t, ip, 4660, "S", &[Opt::Mss(1400)]);
    assert_eq!(p.window, syn_acks);
    let (fd, p) = syn(t, ip);
    assert_eq!(p.window, syns);
    t.close(fd).expect("open");
}

/// What an MTU of 1500 leaves for a segment.
fn mss(ip: Ip) -> u16 {
    if ip == Ip::V4 { 1460 } else { 1440 }
}

fn rwnd_init_limits_the_first_window(t: &mut dyn Twin, ip: Ip) {
    window_case(t, ip, "-DWINDOW=4", 4 * mss(ip), 4 * mss(ip));
}

/// A SYN-ACK's only, and up to what a window without scale can say.
fn rwnd_init_enlarges_the_window_of_a_syn_ack(t: &mut dyn Twin, ip: Ip) {
    window_case(t, ip, "-DWINDOW=100", 65535, 65535 / mss(ip) * mss(ip));
}

/// The first packet only: a SYN-ACK always, a SYN that asks for ECN then, too. What follows is as ever.
fn needs_ecn_marks_and_asks_whatever_the_sysctl_says(t: &mut dyn Twin, ip: Ip) {
    t.attach_sock_ops(&compiled("sock_ops.c", &["-DECN=1"]));
    for (i, ecn) in ["0", "1", "2"].into_iter().enumerate() {
        t.sysctl("net.ipv4.tcp_ecn", ecn).expect("a sysctl");
        let l = t.listener(ip, 8000, 5);
        for (j, (flags, answer)) in [("S", "SA"), ("SEC", "SAE")].into_iter().enumerate() {
            let before = records(t).len();
            let port = 4660 + 2 * i as u16 + j as u16;
            let p = syn_ack(t, ip, port, flags, &[Opt::Mss(1400)]);
            assert_eq!((p.flags.as_str(), p.tos), (answer, 2), "tcp_ecn {ecn}");
            let asked: Vec<u32> = records(t)[before..].iter().map(Record::op).collect();
            // Asked whether to agree only where the sysctl does not.
            let expected: &[u32] = if ecn == "0" && flags == "SEC" {
                &[6, 2, 1, 6]
            } else {
                &[2, 1, 6]
            };
            assert_eq!(asked, expected, "tcp_ecn {ecn} {flags}");
        }
        let mut peer = Peer::new(ip, 4700 + i as u16, 8000);
        peer.open(t);
        peer.data(t, b"hello");
        assert_eq!(peer.expect(t, "A").tos, 0);
        t.close(l).expect("open");
        t.packets();
        let (fd, p) = syn(t, ip);
        assert_eq!((p.flags.as_str(), p.tos), ("SEC", 2), "tcp_ecn {ecn}");
        let syn_ack = Segment::new(p.dst, p.src, "SAE", 5000, p.seq.wrapping_add(1));
        t.inject(&syn_ack.packet());
        let p = t.next_tcp(QUIET).expect("the ACK");
        assert_eq!((p.flags.as_str(), p.tos), ("A", 0));
        t.send(fd, b"abc", 0).expect("room");
        let p = t.next_tcp(QUIET).expect("data");
        assert_eq!((p.flags.as_str(), p.tos), ("PA", 2));
        let reset = Segment::new(p.dst, p.src, "R", 5001, 0);
        t.inject(&reset.packet());
        t.close(fd).expect("open");
        let (fd, _) = syn(t, ip);
        let again = t.next_tcp(Duration::from_secs(2)).expect("the SYN again");
        // It asks no more (tcp_ecn_fallback), and is marked all the same.
        assert_eq!((again.flags.as_str(), again.tos), ("S", 2));
        t.close(fd).expect("open");
    }
}
