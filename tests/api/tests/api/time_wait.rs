//! TIME_WAIT and a SYN, the clocks of sequence numbers and timestamps, and tcp_reflect_tos (statements 73, 75, 76, 127).

use std::time::Duration;

use hearken_abi::Errno;
use hearken_twin::{Cookie, Fd, Ip, Opt, Peer, Segment, Twin};

use super::fast_open_peer::{KEY, cookie_of, fast, server};

family_cases! {
    time_wait_answers_each_syn_like_linux,
    time_wait_without_timestamps_goes_by_the_sequence_number,
    time_wait_other_segments,
    time_wait_syn_without_listener_gets_the_old_ack,
    time_wait_syn_with_full_accept_queue_is_dropped,
    isn_of_one_tuple_advances_one_per_64_ns,
    isn_of_neighbouring_ports_lie_far_apart,
    timestamp_offset_is_of_addresses_and_ports,
    timestamp_offset_of_mode_2_is_none,
    reflect_tos_copies_the_syn_s,
    reflect_tos_of_a_cookie_is_the_ack_s,
    reflect_tos_of_a_fast_open_child_is_the_syn_s,
}

cases! {
    reflect_tos_is_0_or_1,
}

/// A TIME_WAIT on our side whose peer sent timestamps up to `ts`, or none. Gives the listener and the peer, at the
/// numbers that come next: sequence number 1002.
fn time_wait(t: &mut dyn Twin, ip: Ip, port: u16, ts: bool) -> (Fd, Peer) {
    let listener = t.listener(ip, port, 0);
    let mut peer = Peer::new(ip, 4000, port);
    if !ts {
        peer = peer.offering(&[Opt::Mss(1460)]);
    }
    peer.open(t);
    let child = t.accept(listener).unwrap();
    t.close(child).unwrap();
    peer.expect(t, "FA");
    peer.fin(t);
    peer.expect(t, "A");
    (listener, peer)
}

/// What comes of a SYN: the flags, the distance from the old send sequence, and what moved of TcpExt's counters.
type Answer = Option<(&'static str, u32)>;

const NEW: Answer = Some(("SA", 65_537));
const OLD: Answer = Some(("A", 0));

fn syn(t: &mut dyn Twin, peer: &Peer, seq: u32, ts: Option<u32>) -> Option<(String, u32)> {
    let mut options = vec![Opt::Mss(1460)];
    if let Some(ts) = ts {
        options.extend([Opt::Nop, Opt::Nop, Opt::Ts(ts, 0)]);
    }
    let s = Peer {
        seq,
        ..peer.clone()
    };
    t.inject(&s.offering(&options).syn_segment().packet());
    let p = t.next_tcp(Duration::from_millis(30))?;
    let at = p.seq.wrapping_sub(peer.ack);
    let acked = if p.flags == "SA" {
        seq.wrapping_add(1)
    } else {
        peer.seq
    };
    assert_eq!(p.ack, acked, "{p:?}");
    Some((p.flags, at))
}

fn check(t: &mut dyn Twin, ip: Ip, ts: bool, rows: &[(u32, Option<u32>, Answer, i64)]) {
    for (n, &(seq, val, want, paws)) in rows.iter().enumerate() {
        let (listener, peer) = time_wait(t, ip, 80 + n as u16, ts);
        // The peer's last timestamp stands in `ts`; `val` is relative to it.
        let val = val.map(|v| peer.ts.wrapping_add(v).wrapping_sub(100));
        let before = t.counters();
        let got = syn(t, &peer, seq, val);
        let got = got.as_ref().map(|(f, at)| (f.as_str(), *at));
        assert_eq!(got, want, "row {n}");
        t.expect_counters(&before, &[("TcpExtPAWSTimewait", paws)]);
        if want == OLD {
            let before = t.counters();
            assert_eq!(syn(t, &peer, seq, val), None, "row {n} at once again");
            t.expect_counters(
                &before,
                &[
                    ("TcpExtTCPACKSkippedTimeWait", 1),
                    ("TcpExtPAWSTimewait", paws),
                ],
            );
        }
        t.close(listener).unwrap();
    }
}

/// Statement 76. 100 is the timestamp that the TIME_WAIT saw last.
fn time_wait_answers_each_syn_like_linux(t: &mut dyn Twin, ip: Ip) {
    check(
        t,
        ip,
        true,
        &[
            (5000, Some(101), NEW, 0),
            (1002, Some(101), NEW, 0),
            (900, Some(101), NEW, 0),
            (5000, Some(100), NEW, 0),
            (1002, Some(100), OLD, 0),
            (900, Some(100), OLD, 0),
            (5000, Some(50), OLD, 1),
            (900, Some(50), OLD, 1),
            (5000, None, NEW, 0),
            (1002, None, OLD, 0),
            (900, None, OLD, 0),
        ],
    );
}

/// Statement 76.
fn time_wait_without_timestamps_goes_by_the_sequence_number(t: &mut dyn Twin, ip: Ip) {
    check(
        t,
        ip,
        false,
        &[
            (5000, Some(101), NEW, 0),
            (1002, Some(101), OLD, 0),
            (900, Some(101), OLD, 0),
            (5000, None, NEW, 0),
            (1002, None, OLD, 0),
            (900, None, OLD, 0),
        ],
    );
}

/// Statement 76.
fn time_wait_other_segments(t: &mut dyn Twin, ip: Ip) {
    for (n, (flags, seq, answered, stays)) in [
        ("SA", 5000, true, true),
        ("SR", 5000, false, true),
        ("SF", 5000, false, false),
        ("A", 1002, false, true),
        ("A", 5000, true, true),
        ("A", 900, true, true),
        ("PA", 1002, true, true),
        ("FA", 1001, true, true),
        ("R", 1002, false, false),
        ("R", 5000, false, true),
        ("R", 900, false, true),
    ]
    .into_iter()
    .enumerate()
    {
        let (listener, mut peer) = time_wait(t, ip, 80 + n as u16, true);
        let (next, snd) = (peer.seq, peer.ack);
        peer.seq = seq;
        peer.ts += 1;
        let data: &[u8] = if flags == "PA" { b"xy" } else { b"" };
        t.inject(&peer.segment(flags).data(data).packet());
        let got = t.next_tcp(Duration::from_millis(30));
        let got = got.map(|p| (p.flags, p.seq, p.ack));
        let want = answered.then(|| ("A".to_owned(), snd, next));
        assert_eq!(got, want, "{flags} {seq}");
        let there = t.rows(6).iter().any(|r| r.local.port() == peer.to.port());
        assert_eq!(there, stays, "{flags} {seq}");
        t.close(listener).unwrap();
    }
}

/// Statement 76: there is nobody to begin anew, so the old one speaks, and as often as it is asked.
fn time_wait_syn_without_listener_gets_the_old_ack(t: &mut dyn Twin, ip: Ip) {
    let (listener, peer) = time_wait(t, ip, 80, true);
    t.close(listener).unwrap();
    for _ in 0..3 {
        let got = syn(t, &peer, 5000, Some(peer.ts + 1));
        assert_eq!(got, Some(("A".to_owned(), 0)));
    }
    assert_eq!(t.rows(6).len(), 1);
}

/// Statement 53: the accept queue's limit holds for it.
fn time_wait_syn_with_full_accept_queue_is_dropped(t: &mut dyn Twin, ip: Ip) {
    let (listener, peer) = time_wait(t, ip, 80, true);
    t.client(listener, ip);
    let before = t.counters();
    assert_eq!(syn(t, &peer, 5000, Some(peer.ts + 1)), None);
    t.expect_tcp_counters(
        &before,
        &[("TcpExtListenDrops", 1), ("TcpExtListenOverflows", 1)],
    );
}

/// One SYN and its SYN-ACK, reset then: the sequence number, and the timestamp if there is one.
fn probe(t: &mut dyn Twin, ip: Ip, port: u16) -> (u32, Option<u32>) {
    let mut peer = Peer::new(ip, port, 80);
    let p = peer.half_open(t);
    peer.rst(t);
    (p.seq, p.ts())
}

/// Statement 75.
fn isn_of_one_tuple_advances_one_per_64_ns(t: &mut dyn Twin, ip: Ip) {
    t.listener(ip, 80, 5);
    let mut seen = Vec::new();
    for _ in 0..2 {
        let before = t.now();
        let (isn, _) = probe(t, ip, 4000);
        seen.push((before, t.now(), isn));
        t.advance(Duration::from_secs(1));
    }
    let (a, b) = (seen[0], seen[1]);
    let moved = u128::from(b.2.wrapping_sub(a.2)) * 64;
    let (least, most) = ((b.0 - a.1).as_nanos(), (b.1 - a.0).as_nanos());
    // The two clocks of a machine may drift apart by some parts in ten thousand.
    let slack = most / 2000;
    assert!(
        (least - slack..=most + slack).contains(&moved),
        "{least} <= {moved} <= {most}"
    );
}

/// Statement 75.
fn isn_of_neighbouring_ports_lie_far_apart(t: &mut dyn Twin, ip: Ip) {
    t.listener(ip, 80, 50);
    let isns: Vec<u32> = (0..5).map(|n| probe(t, ip, 4000 + n).0).collect();
    for pair in isns.windows(2) {
        // All were drawn within a second, which moves the clock by 15,625,000 at most.
        let far = pair[1].wrapping_sub(pair[0]);
        assert!((1 << 20..u32::MAX - (1 << 20)).contains(&far), "{isns:?}");
    }
}

/// Statements 75 and 127.
fn timestamp_offset_is_of_addresses_and_ports(t: &mut dyn Twin, ip: Ip) {
    t.listener(ip, 80, 50);
    let start = t.now();
    let ts = [4000, 4001, 4002, 4000].map(|port| probe(t, ip, port).1.expect("a timestamp"));
    let took = (t.now() - start).as_millis() as u32 + 2;
    assert!(ts[3].wrapping_sub(ts[0]) <= took, "one offset: {ts:?}");
    for (a, b) in [(0, 1), (1, 2), (0, 2)] {
        let apart = ts[a].abs_diff(ts[b]);
        assert!(apart > took, "different offsets: {ts:?}");
    }
}

/// Statements 75 and 127.
fn timestamp_offset_of_mode_2_is_none(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.ipv4.tcp_timestamps", "2").unwrap();
    t.listener(ip, 80, 50);
    let start = t.now();
    let ts = [4000, 4001, 4002].map(|port| probe(t, ip, port).1.expect("a timestamp"));
    let took = (t.now() - start).as_millis() as u32 + 2;
    assert!(ts[2].wrapping_sub(ts[0]) <= took, "{ts:?}");
    t.sysctl("net.ipv4.tcp_timestamps", "0").unwrap();
    assert_eq!(probe(t, ip, 4003).1, None);
}

/// The packet of a segment with this TOS.
fn marked(segment: Segment, tos: u8) -> Vec<u8> {
    Segment { tos, ..segment }.packet()
}

/// Statement 73.
fn reflect_tos_copies_the_syn_s(t: &mut dyn Twin, ip: Ip) {
    let (level, name) = ip.pick(
        (libc::IPPROTO_IP, libc::IP_TOS),
        (libc::IPPROTO_IPV6, libc::IPV6_TCLASS),
    );
    let listener = t.listener(ip, 80, 50);
    let mut port = 4000;
    for reflect in [0, 1] {
        let text = reflect.to_string();
        t.sysctl("net.ipv4.tcp_reflect_tos", &text).unwrap();
        for own in [0, 0x20] {
            t.set_int(listener, level, name, own).unwrap();
            for tos in [0, 0x48, 0x4b, 0xff, 3] {
                port += 1;
                let mut peer = Peer::new(ip, port, 80);
                t.inject(&marked(peer.syn_segment(), tos));
                let p = peer.expect(t, "SA");
                let want = if reflect == 1 { tos & 0xfc } else { own as u8 };
                assert_eq!(p.tos, want, "{reflect} {own:#x} {tos:#x}");
                peer.seq += 1;
                t.inject(&marked(peer.segment("A"), 0x10));
                let child = t.accept(listener).unwrap();
                t.send(child, b"x", 0).unwrap();
                assert_eq!(peer.expect(t, "PA").tos, want, "the child's");
                if ip == Ip::V4 {
                    assert_eq!(t.int(child, level, name), Ok(i32::from(want)));
                }
                peer.rst(t);
                t.close(child).unwrap();
            }
        }
    }
    // Again by the timer; but an ACK of a request has the TOS of what it answers.
    let mut peer = Peer::new(ip, 5000, 80);
    t.inject(&marked(peer.syn_segment(), 0x48));
    assert_eq!(peer.expect(t, "SA").tos, 0x48);
    let again = peer.expect_within(t, "SA", Duration::from_millis(1500));
    assert_eq!(again.tos, 0x48);
    peer.seq -= 100;
    t.inject(&marked(peer.segment("A"), 0x10));
    assert_eq!(peer.expect(t, "A").tos, 0x10);
}

/// Statement 73.
fn reflect_tos_of_a_cookie_is_the_ack_s(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.ipv4.tcp_syncookies", "2").unwrap();
    t.sysctl("net.ipv4.tcp_reflect_tos", "1").unwrap();
    let listener = t.listener(ip, 80, 5);
    let mut peer = Peer::new(ip, 4000, 80);
    t.inject(&marked(peer.syn_segment(), 0x48));
    assert_eq!(peer.expect(t, "SA").tos, 0x48);
    peer.seq += 1;
    t.inject(&marked(peer.segment("A"), 0x10));
    let child = t.accept(listener).unwrap();
    t.send(child, b"x", 0).unwrap();
    assert_eq!(peer.expect(t, "PA").tos, 0x10);
}

/// Statement 73: a child that the SYN made sends by it at once.
fn reflect_tos_of_a_fast_open_child_is_the_syn_s(t: &mut dyn Twin, ip: Ip) {
    let (level, name) = ip.pick(
        (libc::IPPROTO_IP, libc::IP_TOS),
        (libc::IPPROTO_IPV6, libc::IPV6_TCLASS),
    );
    let listener = server(t, ip, 80, 5, 5);
    t.set_int(listener, level, name, 0x20).unwrap();
    for (reflect, want) in [("0", 0x20), ("1", 0x48)] {
        t.sysctl("net.ipv4.tcp_reflect_tos", reflect).unwrap();
        let right = Opt::FastOpen(Cookie::new(&cookie_of(KEY, ip)), false);
        let mut peer = fast(ip, 4000 + want, 80, Some(right));
        t.inject(&marked(peer.syn_segment().data(b"hello"), 0x4b));
        let p = peer.expect(t, "SA");
        assert_eq!((p.ack, u16::from(p.tos)), (1006, want));
        let child = t.accept(listener).unwrap();
        t.send(child, b"x", 0).unwrap();
        assert_eq!(u16::from(peer.expect(t, "PA").tos), want, "the child's");
    }
}

/// Statement 73.
fn reflect_tos_is_0_or_1(t: &mut dyn Twin) {
    for (value, want) in [
        ("0", Ok(())),
        ("1", Ok(())),
        ("2", Err(Errno::EINVAL)),
        ("-1", Err(Errno::EINVAL)),
    ] {
        assert_eq!(t.sysctl("net.ipv4.tcp_reflect_tos", value), want);
    }
}
