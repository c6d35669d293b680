//! Explicit congestion notification (statements 74 and 80): RFC 3168 as Linux speaks it.

use hearken_abi::sock::{IPPROTO_IP, IPPROTO_IPV6, IPV6_TCLASS, SOL_TCP, TCP_CONGESTION, TCP_INFO};
use hearken_abi::{Errno, tcp_info};
use hearken_twin::{Fd, Ip, Opt, Packet, Peer, QUIET, Twin};

family_cases! {
    ecn_sysctl_takes_0_to_2,
    ecn_is_agreed_by_flags_mark_and_sysctl,
    ecn_marks_new_data_only,
    ecn_congestion_is_echoed_until_cwr,
    ecn_echo_halves_the_window_once_and_is_answered_by_cwr,
    ecn_unasked_for_is_neither_marked_nor_echoed,
    ecn_syn_ack_repeats_its_answer,
    ecn_keeps_the_rest_of_the_tos,
    ecn_comes_back_with_a_cookie_that_has_timestamps,
    ecn_client_asks_with_1_and_once,
}

const MSS: &[Opt] = &[Opt::Mss(1460)];
const CE: u8 = 3;
const ECT_0: u8 = 2;

/// TCPI_OPT_* of a connection.
fn options(t: &mut dyn Twin, fd: Fd) -> u8 {
    t.getsockopt(fd, SOL_TCP, TCP_INFO, 8).unwrap()[5]
}

/// Congestion window, and the number of the recovery state.
fn window(t: &mut dyn Twin, fd: Fd) -> (u32, u8) {
    let info = t.getsockopt(fd, SOL_TCP, TCP_INFO, 104).unwrap();
    let cwnd = info[80..84].try_into().expect("four bytes");
    (u32::from_ne_bytes(cwnd), info[1])
}

fn set(t: &mut dyn Twin, value: i32) {
    t.sysctl("net.ipv4.tcp_ecn", &value.to_string()).unwrap();
}

/// A SYN with these flags and this TOS, and the flags of the answer.
fn ask(t: &mut dyn Twin, peer: &mut Peer, flags: &str, tos: u8) -> Packet {
    let mut syn = peer.syn_segment();
    (syn.flags, syn.tos) = (flags.to_owned(), tos);
    t.inject(&syn.packet());
    let answer = t.next_tcp(QUIET).expect("a SYN-ACK");
    peer.seq += 1;
    peer.ack = answer.seq.wrapping_add(1);
    peer.ts_echo = answer.ts();
    answer
}

/// A connection that agreed on ECN, and the peer.
fn agreed(t: &mut dyn Twin, ip: Ip, listener: Fd, port: u16) -> (Fd, Peer) {
    let mut peer = Peer::new(ip, port, 80).offering(MSS);
    assert_eq!(ask(t, &mut peer, "SEC", 0).flags, "SAE");
    peer.ack(t);
    (t.accept(listener).unwrap(), peer)
}

/// A segment with these flags and this mark; with data its length moves the peer on.
fn send(t: &mut dyn Twin, peer: &mut Peer, flags: &str, tos: u8, data: &[u8]) {
    let mut segment = peer.segment(flags).data(data);
    segment.tos = tos;
    t.inject(&segment.packet());
    peer.seq += data.len() as u32;
}

/// The flags and the ECN field of each packet that comes; the peer has them all.
fn seen(t: &mut dyn Twin, peer: &mut Peer) -> Vec<(String, u8)> {
    let mut out = Vec::new();
    while let Some(p) = t.next_tcp(core::time::Duration::from_millis(60)) {
        let end = p.seq.wrapping_add(p.data.len() as u32);
        if end.wrapping_sub(peer.ack) < 1 << 31 {
            peer.ack = end;
        }
        out.push((p.flags, p.tos & 3));
    }
    out
}

fn one(flags: &str, mark: u8) -> Vec<(String, u8)> {
    vec![(flags.to_owned(), mark)]
}

/// Statement 74.
fn ecn_sysctl_takes_0_to_2(t: &mut dyn Twin, _: Ip) {
    assert_eq!(t.sysctl_get("net.ipv4.tcp_ecn"), Ok("2".to_owned()));
    for value in [-1, 0, 1, 2, 3, 4, 5, 255, 256] {
        let want = if (0..=2).contains(&value) {
            Ok(())
        } else {
            Err(Errno::EINVAL)
        };
        let got = t.sysctl("net.ipv4.tcp_ecn", &value.to_string());
        assert_eq!(got, want, "tcp_ecn {value}");
    }
}

/// Statement 74.
fn ecn_is_agreed_by_flags_mark_and_sysctl(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 50);
    // Only ECE and CWR together ask, unmarked; the mark of an AccECN SYN does not count.
    let table = [
        ("S", 0, false),
        ("SE", 0, false),
        ("SC", 0, false),
        ("SEC", 0, true),
        ("SEC", 0x28, true),
        ("SEC", 1, false),
        ("SEC", 2, false),
        ("SEC", 3, false),
        ("SECN", 0, true),
        ("SECN", 2, true),
        ("SEN", 0, false),
    ];
    let mut port = 4000;
    for value in 0..3 {
        set(t, value);
        for (flags, tos, asked) in table {
            let what = format!("tcp_ecn {value}, {flags}, TOS {tos}");
            let mut peer = Peer::new(ip, port, 80);
            port += 1;
            let answer = ask(t, &mut peer, flags, tos);
            let yes = asked && value != 0;
            assert_eq!(answer.flags, if yes { "SAE" } else { "SA" }, "{what}");
            assert_eq!(answer.tos, 0, "{what}");
            peer.ack(t);
            let child = t.accept(fd).unwrap();
            let got = options(t, child) & (tcp_info::OPT_ECN | tcp_info::OPT_ECN_SEEN);
            assert_eq!(got, if yes { tcp_info::OPT_ECN } else { 0 }, "{what}");
            t.close(child).unwrap();
            peer.rst(t);
            t.packets();
        }
    }
}

/// ACKs, retransmissions and FINs are unmarked.
fn ecn_marks_new_data_only(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    let (child, mut peer) = agreed(t, ip, fd, 4000);
    t.send(child, b"hello", 0).unwrap();
    assert_eq!(seen(t, &mut peer), one("PA", ECT_0));
    peer.ack(t);
    send(t, &mut peer, "PA", 0, b"x");
    assert_eq!(seen(t, &mut peer), one("A", 0));
    t.send(child, b"again", 0).unwrap();
    assert_eq!(seen(t, &mut peer), one("PA", ECT_0));
    let again = t.next_tcp(core::time::Duration::from_millis(700));
    let again = again.expect("a retransmission");
    assert_eq!((again.flags.as_str(), again.tos & 3), ("PA", 0));
    peer.ack(t);
    t.shutdown(child, libc::SHUT_WR).unwrap();
    assert_eq!(seen(t, &mut peer)[0], ("FA".to_owned(), 0));
}

fn ecn_congestion_is_echoed_until_cwr(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    let (child, mut peer) = agreed(t, ip, fd, 4000);
    send(t, &mut peer, "PA", 0, b"a");
    assert_eq!(seen(t, &mut peer), one("A", 0));
    assert_eq!(options(t, child), tcp_info::OPT_ECN);
    send(t, &mut peer, "PA", ECT_0, b"b");
    assert_eq!(seen(t, &mut peer), one("A", 0));
    let both = tcp_info::OPT_ECN | tcp_info::OPT_ECN_SEEN;
    assert_eq!(options(t, child), both);
    send(t, &mut peer, "PA", CE, b"c");
    assert_eq!(seen(t, &mut peer), one("AE", 0));
    send(t, &mut peer, "PA", ECT_0, b"d");
    assert_eq!(seen(t, &mut peer), one("AE", 0));
    t.send(child, b"ours", 0).unwrap();
    assert_eq!(seen(t, &mut peer), one("PAE", ECT_0));
    peer.ack(t);
    // With data or without.
    send(t, &mut peer, "AC", 0, b"");
    assert_eq!(seen(t, &mut peer), []);
    send(t, &mut peer, "PA", ECT_0, b"e");
    assert_eq!(seen(t, &mut peer), one("A", 0));
    send(t, &mut peer, "PAC", CE, b"f");
    assert_eq!(seen(t, &mut peer), one("AE", 0));
    send(t, &mut peer, "PAC", ECT_0, b"g");
    assert_eq!(seen(t, &mut peer), one("A", 0));
}

fn ecn_echo_halves_the_window_once_and_is_answered_by_cwr(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    t.setsockopt(fd, SOL_TCP, TCP_CONGESTION, b"reno").unwrap();
    let (child, mut peer) = agreed(t, ip, fd, 4000);
    let mss = ip.pick(1460, 1440);
    let start = peer.ack;
    t.send(child, &vec![b'x'; 4 * mss], 0).unwrap();
    assert_eq!(seen(t, &mut peer).len(), 4);
    assert_eq!(window(t, child), (10, 0));
    let before = t.counters();
    let acknowledge = |t: &mut dyn Twin, peer: &mut Peer, segments: usize, flags| {
        let all = core::mem::replace(&mut peer.ack, start.wrapping_add((segments * mss) as u32));
        send(t, peer, flags, 0, b"");
        peer.ack = all;
    };
    acknowledge(t, &mut peer, 1, "AE");
    assert_eq!(window(t, child), (5, 2));
    t.expect_counters(&before, &[("TcpExtTCPDeliveredCE", 1)]);
    t.send(child, &vec![b'y'; mss], 0).unwrap();
    assert_eq!(seen(t, &mut peer), one("PAC", ECT_0));
    t.send(child, &vec![b'y'; mss], 0).unwrap();
    assert_eq!(seen(t, &mut peer), one("PA", ECT_0));
    acknowledge(t, &mut peer, 3, "AE");
    assert_eq!(window(t, child), (5, 2));
    t.expect_counters(&before, &[("TcpExtTCPDeliveredCE", 3)]);
    // Over once something is acknowledged that left afterwards.
    acknowledge(t, &mut peer, 4, "A");
    assert_eq!(window(t, child), (5, 2));
    acknowledge(t, &mut peer, 6, "A");
    assert_eq!(window(t, child), (5, 0));
    t.send(child, &vec![b'z'; mss], 0).unwrap();
    assert_eq!(seen(t, &mut peer)[0], ("PA".to_owned(), ECT_0));
}

fn ecn_unasked_for_is_neither_marked_nor_echoed(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    let mut peer = Peer::new(ip, 4000, 80).offering(MSS);
    peer.open(t);
    let child = t.accept(fd).unwrap();
    send(t, &mut peer, "PA", CE, b"x");
    assert_eq!(seen(t, &mut peer), one("A", 0));
    assert_eq!(options(t, child), tcp_info::OPT_ECN_SEEN);
    t.send(child, b"abc", 0).unwrap();
    assert_eq!(seen(t, &mut peer), one("PA", 0));
}

/// The repeated SYN does not have to ask again, and the final ACK may bring the first mark.
fn ecn_syn_ack_repeats_its_answer(t: &mut dyn Twin, ip: Ip) {
    t.listener(ip, 80, 5);
    let mut peer = Peer::new(ip, 4000, 80).offering(MSS);
    assert_eq!(ask(t, &mut peer, "SEC", 0).flags, "SAE");
    let again = t.next_tcp(core::time::Duration::from_millis(1400));
    assert_eq!(again.expect("a SYN-ACK").flags, "SAE");
    peer.seq -= 1;
    peer.syn(t);
    assert_eq!(t.next_tcp(QUIET).expect("a SYN-ACK").flags, "SAE");
    peer.seq += 1;
    send(t, &mut peer, "PA", CE, b"x");
    assert_eq!(seen(t, &mut peer), one("AE", 0));
}

fn ecn_keeps_the_rest_of_the_tos(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    let (level, name) = ip.pick((IPPROTO_IP, libc::IP_TOS), (IPPROTO_IPV6, IPV6_TCLASS));
    t.set_int(fd, level, name, 0x28).unwrap();
    let mut peer = Peer::new(ip, 4000, 80).offering(MSS);
    assert_eq!(ask(t, &mut peer, "SEC", 0).tos, 0x28);
    peer.ack(t);
    let child = t.accept(fd).unwrap();
    t.send(child, b"x", 0).unwrap();
    assert_eq!(peer.expect(t, "PA").tos, 0x2a);
}

/// Statement 80.
fn ecn_comes_back_with_a_cookie_that_has_timestamps(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.ipv4.tcp_syncookies", "2").unwrap();
    let fd = t.listener(ip, 80, 50);
    let mut port = 4000;
    for value in 0..3 {
        set(t, value);
        for (offer, has) in [(hearken_twin::SYN_OPTIONS, true), (MSS, false)] {
            let yes = has && value != 0;
            let mut peer = Peer::new(ip, port, 80).offering(offer);
            port += 1;
            let answer = ask(t, &mut peer, "SEC", 0);
            assert_eq!(answer.flags, if yes { "SAE" } else { "SA" });
            peer.ack(t);
            let child = t.accept(fd).unwrap();
            assert_eq!(options(t, child) & tcp_info::OPT_ECN != 0, yes);
            t.send(child, b"x", 0).unwrap();
            let data = peer.expect(t, "PA");
            assert_eq!(data.tos & 3, if yes { ECT_0 } else { 0 });
            peer.rst(t);
        }
    }
    // Not taken for a forgery when the sysctl changed meanwhile.
    let mut peer = Peer::new(ip, port, 80);
    assert_eq!(ask(t, &mut peer, "SEC", 0).flags, "SAE");
    set(t, 0);
    peer.ack(t);
    let child = t.accept(fd).unwrap();
    assert_eq!(options(t, child) & tcp_info::OPT_ECN, 0);
}

/// The first SYN asks, those after it do not, unless there is to be no falling back.
fn ecn_client_asks_with_1_and_once(t: &mut dyn Twin, ip: Ip) {
    for (value, fallback, first, again) in [
        (0, 1, "S", "S"),
        (2, 1, "S", "S"),
        (1, 1, "SEC", "S"),
        (1, 0, "SEC", "SEC"),
    ] {
        set(t, value);
        t.sysctl("net.ipv4.tcp_ecn_fallback", &fallback.to_string())
            .unwrap();
        let fd = t.tcp(ip);
        let to = std::net::SocketAddr::new(ip.peer(), 9000);
        let started = t.connect(fd, &hearken_twin::sockaddr(to));
        assert_eq!(started, Err(Errno::EINPROGRESS));
        let syn = t.next_tcp(QUIET).expect("a SYN");
        assert_eq!((syn.flags.as_str(), syn.tos), (first, 0));
        let syn = t.next_tcp(core::time::Duration::from_millis(1400));
        assert_eq!(syn.expect("a SYN again").flags, again);
        t.close(fd).unwrap();
    }
    set(t, 1);
    for (answer, yes) in [("SA", false), ("SAE", true)] {
        let fd = t.tcp(ip);
        let to = std::net::SocketAddr::new(ip.peer(), 9000);
        t.connect(fd, &hearken_twin::sockaddr(to)).unwrap_err();
        let syn = t.next_tcp(QUIET).expect("a SYN");
        let mut peer = Peer::new(ip, 9000, syn.src.port());
        (peer.seq, peer.ack) = (5000, syn.seq.wrapping_add(1));
        send(t, &mut peer, answer, 0, b"");
        peer.seq += 1;
        assert_eq!(seen(t, &mut peer), one("A", 0));
        t.send(fd, b"abc", 0).unwrap();
        assert_eq!(seen(t, &mut peer)[0].1, if yes { ECT_0 } else { 0 });
        assert_eq!(options(t, fd) & tcp_info::OPT_ECN != 0, yes);
        peer.rst(t);
    }
}
