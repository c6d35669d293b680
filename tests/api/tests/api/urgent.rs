//! Urgent data both ways (docs/linux/urgent.md).

use hearken_abi::Errno;
use hearken_abi::sock::{
    IPPROTO_TCP, MSG_DONTWAIT, MSG_MORE, MSG_OOB, MSG_PEEK, MSG_WAITALL, SIOCATMARK, SIOCINQ,
    SO_OOBINLINE, SOL_SOCKET, TCP_CORK,
};
use hearken_twin::{Fd, Ip, Peer, QUIET, Segment, Twin};
use std::time::Duration;

family_cases! {
    urgent_send_points_behind_its_last_byte,
    urgent_send_goes_past_cork_and_nagle,
    urgent_send_far_ahead_says_the_most_it_can,
    urgent_send_shut_window_probes_twice,
    urgent_send_again_points_again,
    urgent_calls_without_urgent_data,
    urgent_byte_is_read_beside_the_stream,
    urgent_read_stops_at_the_mark_and_passes_it,
    urgent_byte_first_leaves_the_mark,
    urgent_inline_stays_in_the_stream,
    urgent_inline_may_change_later,
    urgent_inline_is_inherited,
    urgent_pointer_before_its_byte,
    urgent_pointer_beyond_what_came,
    urgent_second_takes_the_place_of_the_first,
    urgent_pointer_of_zero,
    urgent_byte_alone_is_nothing_to_read,
    urgent_peek_stays_before_the_mark,
    urgent_segment_again_changes_nothing,
    urgent_byte_beyond_a_hole_is_here_already,
    urgent_read_for_all_ends_at_the_mark,
    urgent_after_a_reset,
    urgent_stdurg_names_the_byte_itself,
    urgent_on_a_syn_counts_for_nothing_and_on_the_ack_it_does,
}

fn open(t: &mut dyn Twin, ip: Ip) -> (Fd, Peer) {
    let l = t.listener(ip, 8000, 5);
    let mut peer = Peer::new(ip, 4660, 8000);
    peer.open(t);
    (t.accept(l).expect("a child"), peer)
}

/// `data` with an urgent pointer of `urgent`.
fn give(t: &mut dyn Twin, peer: &mut Peer, data: &[u8], urgent: u16) {
    let s = Segment {
        urgent,
        ..peer.segment("PAU").data(data)
    };
    peer.seq = peer.seq.wrapping_add(data.len() as u32);
    t.inject(&s.packet());
    t.packets();
}

fn shows(t: &mut dyn Twin, fd: Fd) -> String {
    let mark = t.ioctl(fd, SIOCATMARK).expect("a connection");
    let inq = t.ioctl(fd, SIOCINQ).expect("a connection");
    format!("mark {mark} inq {inq} poll {:#x}", t.poll(fd))
}

fn text(r: Result<Vec<u8>, Errno>) -> String {
    match r {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(e) => e.name().to_owned(),
    }
}

fn read(t: &mut dyn Twin, fd: Fd, cap: usize) -> String {
    text(t.recv(fd, cap, MSG_DONTWAIT))
}

fn oob(t: &mut dyn Twin, fd: Fd) -> String {
    text(t.recv(fd, 5, MSG_OOB))
}

/// Flags, distance from the first byte, length and urgent pointer of the next segment.
fn sent(t: &mut dyn Twin, first: u32) -> (String, i32, usize, u16) {
    let p = t.next_tcp(Duration::from_secs(1)).expect("a segment");
    let at = p.seq.wrapping_sub(first).cast_signed();
    (p.flags, at, p.data.len(), p.urgent)
}

fn is(flags: &str, at: i32, len: usize, urgent: u16) -> (String, i32, usize, u16) {
    (flags.to_owned(), at, len, urgent)
}

fn urgent_send_points_behind_its_last_byte(t: &mut dyn Twin, ip: Ip) {
    let (fd, mut peer) = open(t, ip);
    let first = peer.ack;
    assert_eq!(t.send(fd, b"x", MSG_OOB), Ok(1));
    assert_eq!(sent(t, first), is("PAU", 0, 1, 1));
    peer.ack += 1;
    peer.ack(t);
    assert_eq!(t.send(fd, b"abcde", MSG_OOB), Ok(5));
    assert_eq!(sent(t, first), is("PAU", 1, 5, 5));
    peer.ack += 5;
    peer.ack(t);
    assert_eq!(t.send(fd, b"plain", 0), Ok(5));
    assert_eq!(sent(t, first), is("PA", 6, 5, 0));
    peer.ack += 5;
    peer.ack(t);
    assert_eq!(t.send(fd, b"", MSG_OOB), Ok(0));
    t.expect_nothing();
    // Not held back, and not pushed.
    assert_eq!(t.send(fd, b"abc", MSG_OOB | MSG_MORE), Ok(3));
    assert_eq!(sent(t, first), is("AU", 11, 3, 3));
}

fn urgent_send_goes_past_cork_and_nagle(t: &mut dyn Twin, ip: Ip) {
    let (fd, mut peer) = open(t, ip);
    let first = peer.ack;
    t.setsockopt(fd, IPPROTO_TCP, TCP_CORK, &1i32.to_ne_bytes())
        .expect("an option");
    assert_eq!(t.send(fd, &[7; 10], 0), Ok(10));
    t.expect_nothing();
    assert_eq!(t.send(fd, b"xy", MSG_OOB), Ok(2));
    assert_eq!(sent(t, first), is("PAU", 0, 12, 12));
    peer.ack += 12;
    peer.ack(t);
    t.setsockopt(fd, IPPROTO_TCP, TCP_CORK, &0i32.to_ne_bytes())
        .expect("an option");
    assert_eq!(t.send(fd, &[7; 10], 0), Ok(10));
    assert_eq!(sent(t, first), is("PA", 12, 10, 0));
    // Nagle would wait for its ACK.
    assert_eq!(t.send(fd, b"xy", MSG_OOB), Ok(2));
    assert_eq!(sent(t, first), is("PAU", 22, 2, 2));
}

fn urgent_send_far_ahead_says_the_most_it_can(t: &mut dyn Twin, ip: Ip) {
    let l = t.listener(ip, 8000, 5);
    let big = (1i32 << 18).to_ne_bytes();
    t.setsockopt(l, SOL_SOCKET, hearken_abi::sock::SO_SNDBUF, &big)
        .expect("an option");
    let mut peer = Peer::new(ip, 4660, 8000)
        .offering(&[hearken_twin::Opt::Mss(1400), hearken_twin::Opt::Wscale(4)]);
    peer.open(t);
    let fd = t.accept(l).expect("a child");
    let first = peer.ack;
    assert_eq!(t.send(fd, &[7; 90_000], 0), Ok(90_000));
    assert_eq!(t.send(fd, b"x", MSG_OOB), Ok(1));
    let mut pointers = Vec::new();
    while let Some(p) = t.next_tcp(QUIET) {
        let at = p.seq.wrapping_sub(first);
        pointers.push((at, p.urgent));
        peer.ack = p.seq.wrapping_add(p.data.len() as u32);
        peer.ack(t);
    }
    // The first ten left before there was anything urgent.
    for (at, urgent) in pointers {
        let expected = if at < 14_000 {
            0
        } else {
            (90_001 - at).min(65_535)
        };
        assert_eq!(u32::from(urgent), expected, "at {at}");
    }
    assert_eq!(peer.ack, first.wrapping_add(90_001));
}

fn urgent_send_shut_window_probes_twice(t: &mut dyn Twin, ip: Ip) {
    let (fd, peer) = open(t, ip);
    let first = peer.ack;
    let shut = Segment {
        window: 0,
        ..peer.segment("A")
    };
    t.inject(&shut.packet());
    assert_eq!(t.send(fd, b"abc", MSG_OOB), Ok(3));
    for _ in 0..2 {
        assert_eq!(sent(t, first), is("AU", 0, 0, 3));
        assert_eq!(sent(t, first), is("AU", -1, 0, 4));
    }
}

fn urgent_send_again_points_again(t: &mut dyn Twin, ip: Ip) {
    let (fd, peer) = open(t, ip);
    assert_eq!(t.send(fd, b"abc", MSG_OOB), Ok(3));
    for _ in 0..3 {
        assert_eq!(sent(t, peer.ack), is("PAU", 0, 3, 3));
    }
}

fn urgent_calls_without_urgent_data(t: &mut dyn Twin, ip: Ip) {
    let fresh = t.tcp(ip);
    assert_eq!(t.send(fresh, b"x", MSG_OOB), Err(Errno::EPIPE));
    assert_eq!(oob(t, fresh), "EINVAL");
    let (fd, _) = open(t, ip);
    assert_eq!(oob(t, fd), "EINVAL");
    assert_eq!(shows(t, fd), "mark 0 inq 0 poll 0x104");
    t.shutdown(fd, 1).expect("connected");
    assert_eq!(t.send(fd, b"x", MSG_OOB), Err(Errno::EPIPE));
}

fn urgent_byte_is_read_beside_the_stream(t: &mut dyn Twin, ip: Ip) {
    let (fd, mut peer) = open(t, ip);
    give(t, &mut peer, b"abc", 3);
    assert_eq!(shows(t, fd), "mark 0 inq 2 poll 0x147");
    assert_eq!(text(t.recv(fd, 5, MSG_OOB | MSG_PEEK)), "c");
    assert_eq!(oob(t, fd), "c");
    assert_eq!(oob(t, fd), "EINVAL");
    assert_eq!(shows(t, fd), "mark 0 inq 2 poll 0x145");
    assert_eq!(read(t, fd, 10), "ab");
    assert_eq!(shows(t, fd), "mark 1 inq 0 poll 0x104");
    assert_eq!(read(t, fd, 10), "EAGAIN");
    assert_eq!(shows(t, fd), "mark 0 inq 0 poll 0x104");
    peer.data(t, b"def");
    assert_eq!(shows(t, fd), "mark 0 inq 3 poll 0x145");
    assert_eq!(read(t, fd, 10), "def");
}

fn urgent_read_stops_at_the_mark_and_passes_it(t: &mut dyn Twin, ip: Ip) {
    let (fd, mut peer) = open(t, ip);
    give(t, &mut peer, b"abcde", 3);
    assert_eq!(shows(t, fd), "mark 0 inq 2 poll 0x147");
    assert_eq!(read(t, fd, 10), "ab");
    assert_eq!(shows(t, fd), "mark 1 inq 0 poll 0x147");
    assert_eq!(read(t, fd, 10), "de");
    assert_eq!(shows(t, fd), "mark 0 inq 0 poll 0x104");
    assert_eq!(oob(t, fd), "EINVAL");
}

fn urgent_byte_first_leaves_the_mark(t: &mut dyn Twin, ip: Ip) {
    let (fd, mut peer) = open(t, ip);
    give(t, &mut peer, b"abcde", 3);
    assert_eq!(oob(t, fd), "c");
    assert_eq!(read(t, fd, 2), "ab");
    assert_eq!(shows(t, fd), "mark 1 inq 0 poll 0x145");
    assert_eq!(read(t, fd, 10), "de");
    assert_eq!(shows(t, fd), "mark 0 inq 0 poll 0x104");
}

fn inline(t: &mut dyn Twin, fd: Fd, on: i32) {
    t.setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on.to_ne_bytes())
        .expect("an option");
}

fn urgent_inline_stays_in_the_stream(t: &mut dyn Twin, ip: Ip) {
    let (fd, mut peer) = open(t, ip);
    inline(t, fd, 1);
    give(t, &mut peer, b"abcde", 3);
    assert_eq!(shows(t, fd), "mark 0 inq 5 poll 0x147");
    assert_eq!(oob(t, fd), "EINVAL");
    assert_eq!(read(t, fd, 10), "ab");
    assert_eq!(shows(t, fd), "mark 1 inq 3 poll 0x147");
    assert_eq!(read(t, fd, 1), "c");
    assert_eq!(shows(t, fd), "mark 0 inq 2 poll 0x145");
    assert_eq!(read(t, fd, 10), "de");
}

fn urgent_inline_may_change_later(t: &mut dyn Twin, ip: Ip) {
    let (fd, mut peer) = open(t, ip);
    give(t, &mut peer, b"abcd", 2);
    assert_eq!(shows(t, fd), "mark 0 inq 1 poll 0x147");
    inline(t, fd, 1);
    assert_eq!(shows(t, fd), "mark 0 inq 4 poll 0x147");
    assert_eq!(oob(t, fd), "EINVAL");
    inline(t, fd, 0);
    assert_eq!(shows(t, fd), "mark 0 inq 1 poll 0x147");
    assert_eq!(oob(t, fd), "b");
    inline(t, fd, 1);
    assert_eq!(read(t, fd, 9), "a");
    assert_eq!(read(t, fd, 9), "bcd");
}

fn urgent_inline_is_inherited(t: &mut dyn Twin, ip: Ip) {
    let l = t.listener(ip, 8000, 5);
    inline(t, l, 1);
    let mut peer = Peer::new(ip, 4660, 8000);
    peer.open(t);
    let fd = t.accept(l).expect("a child");
    give(t, &mut peer, b"x", 1);
    assert_eq!(shows(t, fd), "mark 1 inq 1 poll 0x147");
    assert_eq!(read(t, fd, 9), "x");
}

fn urgent_pointer_before_its_byte(t: &mut dyn Twin, ip: Ip) {
    let (fd, mut peer) = open(t, ip);
    give(t, &mut peer, b"", 3);
    assert_eq!(shows(t, fd), "mark 0 inq 0 poll 0x104");
    assert_eq!(oob(t, fd), "EAGAIN");
    assert_eq!(read(t, fd, 5), "EAGAIN");
    peer.data(t, b"ab");
    assert_eq!(shows(t, fd), "mark 0 inq 2 poll 0x145");
    assert_eq!(oob(t, fd), "EAGAIN");
    assert_eq!(read(t, fd, 5), "ab");
    assert_eq!(shows(t, fd), "mark 1 inq 0 poll 0x104");
    peer.data(t, b"cd");
    assert_eq!(shows(t, fd), "mark 1 inq 0 poll 0x147");
    assert_eq!(oob(t, fd), "c");
    assert_eq!(read(t, fd, 5), "d");
    assert_eq!(shows(t, fd), "mark 0 inq 0 poll 0x104");
}

/// And a nearer one does not take its place.
fn urgent_pointer_beyond_what_came(t: &mut dyn Twin, ip: Ip) {
    let (fd, mut peer) = open(t, ip);
    give(t, &mut peer, b"abcd", 4000);
    assert_eq!(shows(t, fd), "mark 0 inq 4 poll 0x145");
    assert_eq!(oob(t, fd), "EAGAIN");
    assert_eq!(read(t, fd, 9), "abcd");
    give(t, &mut peer, b"efgh", 2);
    assert_eq!(shows(t, fd), "mark 0 inq 4 poll 0x145");
    assert_eq!(oob(t, fd), "EAGAIN");
    assert_eq!(read(t, fd, 9), "efgh");
}

fn urgent_second_takes_the_place_of_the_first(t: &mut dyn Twin, ip: Ip) {
    let (fd, mut peer) = open(t, ip);
    give(t, &mut peer, b"ab", 1);
    assert_eq!(shows(t, fd), "mark 1 inq 0 poll 0x147");
    // The first one was the next byte to read: it is lost.
    give(t, &mut peer, b"cd", 1);
    assert_eq!(shows(t, fd), "mark 0 inq 1 poll 0x147");
    assert_eq!(oob(t, fd), "c");
    assert_eq!(read(t, fd, 9), "b");
    assert_eq!(shows(t, fd), "mark 1 inq 0 poll 0x145");
    assert_eq!(read(t, fd, 9), "d");
}

fn urgent_pointer_of_zero(t: &mut dyn Twin, ip: Ip) {
    let (fd, mut peer) = open(t, ip);
    give(t, &mut peer, b"ab", 0);
    assert_eq!(shows(t, fd), "mark 1 inq 0 poll 0x147");
    assert_eq!(oob(t, fd), "a");
    assert_eq!(read(t, fd, 9), "b");
}

fn urgent_byte_alone_is_nothing_to_read(t: &mut dyn Twin, ip: Ip) {
    let (fd, mut peer) = open(t, ip);
    give(t, &mut peer, b"x", 1);
    assert_eq!(shows(t, fd), "mark 1 inq 0 poll 0x106");
    assert_eq!(read(t, fd, 5), "EAGAIN");
    // The read went past it.
    assert_eq!(oob(t, fd), "EINVAL");
    assert_eq!(shows(t, fd), "mark 0 inq 0 poll 0x104");
    peer.fin(t);
    assert_eq!(shows(t, fd), "mark 0 inq 0 poll 0x2145");
    assert_eq!(read(t, fd, 5), "");
    assert_eq!(oob(t, fd), "EINVAL");
}

fn urgent_peek_stays_before_the_mark(t: &mut dyn Twin, ip: Ip) {
    let (fd, mut peer) = open(t, ip);
    give(t, &mut peer, b"abcd", 2);
    assert_eq!(text(t.recv(fd, 9, MSG_PEEK)), "a");
    assert_eq!(shows(t, fd), "mark 0 inq 1 poll 0x147");
    assert_eq!(read(t, fd, 1), "a");
    assert_eq!(text(t.recv(fd, 9, MSG_PEEK)), "cd");
    assert_eq!(shows(t, fd), "mark 1 inq 0 poll 0x147");
    assert_eq!(read(t, fd, 9), "cd");
}

fn urgent_segment_again_changes_nothing(t: &mut dyn Twin, ip: Ip) {
    let (fd, mut peer) = open(t, ip);
    give(t, &mut peer, b"abcd", 2);
    peer.seq -= 4;
    give(t, &mut peer, b"abcd", 2);
    assert_eq!(shows(t, fd), "mark 0 inq 1 poll 0x147");
    assert_eq!(oob(t, fd), "b");
    assert_eq!(read(t, fd, 9), "a");
    assert_eq!(read(t, fd, 9), "cd");
    assert_eq!(oob(t, fd), "EINVAL");
}

fn urgent_byte_beyond_a_hole_is_here_already(t: &mut dyn Twin, ip: Ip) {
    let (fd, mut peer) = open(t, ip);
    peer.seq += 2;
    give(t, &mut peer, b"cd", 1);
    assert_eq!(shows(t, fd), "mark 0 inq 0 poll 0x106");
    assert_eq!(oob(t, fd), "c");
    peer.seq -= 4;
    peer.data(t, b"ab");
    assert_eq!(shows(t, fd), "mark 0 inq 2 poll 0x145");
    assert_eq!(oob(t, fd), "EINVAL");
    assert_eq!(read(t, fd, 9), "ab");
    assert_eq!(shows(t, fd), "mark 1 inq 0 poll 0x145");
    assert_eq!(read(t, fd, 9), "d");
}

fn urgent_read_for_all_ends_at_the_mark(t: &mut dyn Twin, ip: Ip) {
    let (fd, mut peer) = open(t, ip);
    give(t, &mut peer, b"abcdef", 3);
    assert_eq!(text(t.recv(fd, 6, MSG_WAITALL)), "ab");
    assert_eq!(text(t.recv(fd, 3, MSG_WAITALL)), "def");
}

fn urgent_after_a_reset(t: &mut dyn Twin, ip: Ip) {
    let (fd, mut peer) = open(t, ip);
    give(t, &mut peer, b"abcd", 2);
    peer.rst(t);
    t.packets();
    assert_eq!(t.poll(fd), 0x215f);
    assert_eq!(oob(t, fd), "ENOTCONN");
    assert_eq!(read(t, fd, 9), "a");
}

fn urgent_stdurg_names_the_byte_itself(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.ipv4.tcp_stdurg", "1").expect("a sysctl");
    let (fd, mut peer) = open(t, ip);
    give(t, &mut peer, b"abcd", 2);
    assert_eq!(shows(t, fd), "mark 0 inq 2 poll 0x147");
    assert_eq!(oob(t, fd), "c");
    assert_eq!(read(t, fd, 9), "ab");
    assert_eq!(read(t, fd, 9), "d");
    // What is sent points behind it all the same.
    assert_eq!(t.send(fd, b"xyz", MSG_OOB), Ok(3));
    assert_eq!(sent(t, peer.ack), is("PAU", 0, 3, 3));
}

fn urgent_on_a_syn_counts_for_nothing_and_on_the_ack_it_does(t: &mut dyn Twin, ip: Ip) {
    let l = t.listener(ip, 8000, 5);
    let mut peer = Peer::new(ip, 4660, 8000);
    let syn = Segment {
        urgent: 5,
        flags: "SU".to_owned(),
        ..peer.syn_segment()
    };
    t.inject(&syn.packet());
    let answer = t.next_tcp(QUIET).expect("the SYN-ACK");
    assert_eq!((answer.flags.as_str(), answer.urgent), ("SA", 0));
    (peer.seq, peer.ack) = (syn.seq.wrapping_add(1), answer.seq.wrapping_add(1));
    give(t, &mut peer, b"abc", 2);
    let fd = t.accept(l).expect("a child");
    assert_eq!(shows(t, fd), "mark 0 inq 1 poll 0x147");
    assert_eq!(oob(t, fd), "b");
    assert_eq!(read(t, fd, 9), "a");
    assert_eq!(read(t, fd, 9), "c");
}
