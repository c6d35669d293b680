//! How the option list of a SYN is read, above all a malformed one: our parser's reading must be the system's.
//!
//! What the system read shows in its SYN-ACK (each option is answered only if it was offered, and a timestamp is echoed) and in
//! the MSS of the child.

use hearken_abi::sock::{IPPROTO_TCP, TCP_MAXSEG};
use hearken_twin::{Fd, Ip, Opt, Packet, Peer, Segment, Twin, transport_checksum};
use hearken_wire::Options;

family_cases! {
    option_list_malformed_is_read_up_to_the_defect,
    option_list_random_is_read_alike,
    option_list_signed_or_bad_is_dropped_wherever_it_arrives,
}

/// The SYN of `peer` with these option bytes, whose number is a multiple of 4.
fn syn(peer: &Peer, list: &[u8]) -> Vec<u8> {
    with_list(&peer.syn_segment(), list)
}

/// Puts `list` where `packet` has as many bytes of options, and mends the checksum.
fn replace_options(mut packet: Vec<u8>, data: usize, list: &[u8], of: &Segment) -> Vec<u8> {
    let tcp = packet.len() - 20 - list.len() - data;
    packet[tcp + 20..tcp + 20 + list.len()].copy_from_slice(list);
    packet[tcp + 16..tcp + 18].fill(0);
    let sum = transport_checksum(of.src.ip(), of.dst.ip(), 6, &packet[tcp..]);
    packet[tcp + 16..tcp + 18].copy_from_slice(&sum.to_be_bytes());
    packet
}

fn max_seg(t: &mut dyn Twin, fd: Fd) -> i32 {
    let value = t.getsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, 4).unwrap();
    i32::from_ne_bytes(value.try_into().expect("an int"))
}

/// Opens a connection with this list and compares.
fn check(t: &mut dyn Twin, ip: Ip, listener: Fd, port: u16, list: &[u8]) {
    let mut peer = Peer::new(ip, port, 80);
    let mut list = list.to_vec();
    list.resize(list.len().next_multiple_of(4), 0);
    let want = Options::parse(&list, true);
    let before = t.counters();
    t.inject(&syn(&peer, &list));
    if want.bad_auth || want.md5 {
        t.expect_nothing();
        // A bad list is counted nowhere.
        let counted = [("TcpExtTCPMD5Unexpected", 1)];
        t.expect_tcp_counters(&before, &counted[..usize::from(want.md5)]);
        return;
    }
    let answer = peer.expect(t, "SA");
    let has = |f: fn(&Opt) -> bool| answer.options.iter().any(f);
    let got = (
        has(|o| matches!(o, Opt::SackOk)),
        has(|o| matches!(o, Opt::Wscale(_))),
        echo(&answer),
    );
    let expected = (
        want.sack_permitted,
        want.wscale.is_some(),
        want.timestamps.map(|(value, _)| value),
    );
    assert_eq!(got, expected, "{list:?}");

    peer.seq = peer.seq.wrapping_add(1);
    peer.ts = want.timestamps.map_or(0, |(value, _)| value);
    t.inject(&peer.segment("A").packet());
    let child = t.accept(listener).expect("the handshake is complete");
    // Without an MSS 536 holds, over IPv6 1220 (RFC 9293 3.7.1); below 48 Linux sends no less (statement 72).
    let route = ip.pick(1460, 1440);
    let mss = want.mss.unwrap_or(ip.pick(536, 1220)).clamp(48, route);
    let room = if want.timestamps.is_some() { 12 } else { 0 };
    assert_eq!(max_seg(t, child), i32::from(mss) - room, "{list:?}");
    t.inject(&Segment::new(peer.addr, peer.to, "R", peer.seq, 0).packet());
    t.close(child).unwrap();
}

fn echo(packet: &Packet) -> Option<u32> {
    packet.options.iter().find_map(|o| match o {
        Opt::Ts(_, echo) => Some(*echo),
        _ => None,
    })
}

/// Each defect once, between an MSS before it and a window scale after it.
fn option_list_malformed_is_read_up_to_the_defect(t: &mut dyn Twin, ip: Ip) {
    let listener = t.listener(ip, 80, 100);
    let defects: &[&[u8]] = &[
        &[],
        &[3],
        &[0],
        &[3, 0],
        &[3, 1],
        &[8, 255],
        &[4, 3, 0],
        &[4, 1],
        &[3, 2],
        &[3, 4, 9, 9],
        &[2, 3, 9],
        &[2, 5, 9, 9, 9],
        &[2, 4, 0, 0],
        &[2, 4, 2, 88],
        &[8, 9, 1, 1, 1, 1, 1, 1, 1],
        &[8, 11, 1, 1, 1, 1, 1, 1, 1, 1, 1],
        &[8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 8, 10, 9, 9, 9, 9, 9, 9, 9, 9],
        &[5, 2],
        &[5, 10, 1, 1, 1, 1, 1, 1, 1, 1],
        &[34, 2],
        &[34, 3, 1],
        &[254, 3, 1],
        &[254, 4, 0xf9, 0x89],
        &[77, 2],
        &[77, 40],
    ];
    for (i, defect) in defects.iter().enumerate() {
        for before in [&[][..], &[2, 4, 4, 176]] {
            let list = [before, defect, &[3, 3, 7, 4, 2]].concat();
            if list.len() > 40 {
                continue;
            }
            let port = 5000 + 2 * i as u16 + u16::from(before.is_empty());
            check(t, ip, listener, port, &list);
        }
    }
}

/// Lists near to right ones, from a fixed seed.
fn option_list_random_is_read_alike(t: &mut dyn Twin, ip: Ip) {
    let listener = t.listener(ip, 80, 100);
    let mut state = 0x9e37_79b9u32;
    let mut random = |below: u32| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state % below
    };
    for port in 10_000..10_200u16 {
        let mut list = Vec::new();
        while list.len() < 36 && random(8) != 0 {
            let (kind, right) = [
                (1, 1),
                (2, 4),
                (3, 3),
                (4, 2),
                (8, 10),
                (5, 10),
                (19, 18),
                (29, 16),
            ][random(8) as usize];
            list.push(kind);
            if kind == 1 {
                continue;
            }
            let len = match random(6) {
                0 => random(14) as u8,
                _ => right,
            };
            list.push(len);
            for _ in 2..right {
                list.push(random(256) as u8);
            }
        }
        list.truncate(40);
        check(t, ip, listener, port, &list);
    }
}

/// `segment` with the option list `list` instead of its own.
fn with_list(segment: &Segment, list: &[u8]) -> Vec<u8> {
    let mut segment = segment.clone();
    segment.options = vec![Opt::Nop; list.len()];
    replace_options(segment.packet(), segment.data.len(), list, &segment)
}

/// A closed port, a listener, a half-open request and a connection: nobody answers, nothing changes.
fn option_list_signed_or_bad_is_dropped_wherever_it_arrives(t: &mut dyn Twin, ip: Ip) {
    let listener = t.listener(ip, 80, 100);
    let mut bad = [0u8; 20];
    bad[0] = 5;
    let mut md5 = [1u8; 20];
    md5[..2].copy_from_slice(&[19, 18]);
    for (port, list, counted) in [(7000, bad, 0), (7100, md5, 1)] {
        let quiet = |t: &mut dyn Twin, segment: &Segment, counted: usize| {
            let before = t.counters();
            t.inject(&with_list(segment, &list));
            t.expect_nothing();
            let all = [("TcpExtTCPMD5Unexpected", 1)];
            t.expect_tcp_counters(&before, &all[..counted]);
        };
        for flags in ["S", "A"] {
            let closed = Peer::new(ip, port, 999);
            quiet(t, &closed.segment(flags), 0);
            let open = Peer::new(ip, port, 80);
            quiet(t, &open.segment(flags), counted);
        }
        let mut half = Peer::new(ip, port + 1, 80).offering(&[Opt::Mss(1460)]);
        half.half_open(t);
        quiet(t, &half.segment("A"), counted);
        quiet(t, &half.segment("R"), counted);
        half.ack(t);
        let child = t.accept(listener).expect("the request stayed");
        quiet(t, &half.segment("PA").data(b"abc"), counted);
        quiet(t, &half.segment("R"), counted);
        half.data(t, b"good");
        half.expect(t, "A");
        assert_eq!(t.recv(child, 10, 0), Ok(b"good".to_vec()));
        half.rst(t);
    }
}
