//! What the SYN-ACK and the RST look like (statement 71, and what 67 says of the RST).

use hearken_twin::{Ip, Opt, Packet, Peer, Twin};

family_cases! {
    syn_ack_answers_each_offer_in_linux_order,
    syn_ack_leaves_out_what_a_sysctl_disables,
    syn_ack_mss_follows_the_mtu,
    syn_ack_mss_is_tcp_maxseg,
    syn_ack_header_fields_are_linux,
    syn_ack_does_not_copy_tos,
    rst_of_closed_port_copies_tos,
    rst_of_listener_copies_tos,
}

const SACK_OK: Opt = Opt::SackOk;
const NOP: Opt = Opt::Nop;

/// The options with the timestamp's value, which is random, set to 0.
fn options(packet: &Packet) -> Vec<Opt> {
    let plain = |option: &Opt| match *option {
        Opt::Ts(_, echo) => Opt::Ts(0, echo),
        other => other,
    };
    packet.options.iter().map(plain).collect()
}

/// The SYN-ACK to a SYN that offers these.
#[track_caller]
fn answer(t: &mut dyn Twin, ip: Ip, port: u16, offer: &[Opt]) -> Packet {
    let mut peer = Peer::new(ip, port, 80).offering(offer);
    let packet = peer.half_open(t);
    peer.rst(t);
    packet
}

/// MSS for an MTU of 1500.
fn mss(ip: Ip) -> u16 {
    ip.pick(1460, 1440)
}

/// The first window, without and with timestamps.
fn windows(ip: Ip) -> (u16, u16) {
    ip.pick((64_240, 65_160), (64_800, 64_260))
}

/// Statement 71.
fn syn_ack_answers_each_offer_in_linux_order(t: &mut dyn Twin, ip: Ip) {
    t.listener(ip, 80, 50);
    let (mss, (plain, stamped)) = (Opt::Mss(mss(ip)), windows(ip));
    let (offer_mss, ts, ws) = (Opt::Mss(1460), Opt::Ts(5, 0), Opt::Wscale(9));
    let (got_ts, got_ws) = (Opt::Ts(0, 5), Opt::Wscale(7));
    let table: &[(&[Opt], &[Opt], u16)] = &[
        (&[], &[mss], plain),
        (&[offer_mss], &[mss], plain),
        (&[Opt::Mss(0)], &[mss], plain),
        (&[Opt::Mss(48)], &[mss], plain),
        (&[Opt::Mss(9000)], &[mss], plain),
        (&[offer_mss, ws], &[mss, NOP, got_ws], plain),
        (&[offer_mss, SACK_OK], &[mss, NOP, NOP, SACK_OK], plain),
        (
            &[offer_mss, SACK_OK, ws],
            &[mss, NOP, NOP, SACK_OK, NOP, got_ws],
            plain,
        ),
        (&[ts], &[mss, NOP, NOP, got_ts], stamped),
        (&[ts, ws], &[mss, NOP, NOP, got_ts, NOP, got_ws], stamped),
        (&[ts, SACK_OK], &[mss, SACK_OK, got_ts], stamped),
        (
            &[ws, ts, SACK_OK, offer_mss],
            &[mss, SACK_OK, got_ts, NOP, got_ws],
            stamped,
        ),
    ];
    for (at, (offer, expected, window)) in table.iter().enumerate() {
        let packet = answer(t, ip, 2000 + at as u16, offer);
        assert_eq!(options(&packet), *expected, "offered {offer:?}");
        assert_eq!(packet.window, *window, "offered {offer:?}");
    }
}

/// Statement 71.
fn syn_ack_leaves_out_what_a_sysctl_disables(t: &mut dyn Twin, ip: Ip) {
    t.listener(ip, 80, 50);
    let (mss, (plain, stamped)) = (Opt::Mss(mss(ip)), windows(ip));
    let (ts, ws) = (Opt::Ts(0, 1000), Opt::Wscale(7));
    let table: &[(&str, &[Opt], u16)] = &[
        ("tcp_timestamps", &[mss, NOP, NOP, SACK_OK, NOP, ws], plain),
        ("tcp_sack", &[mss, NOP, NOP, ts, NOP, ws], stamped),
        ("tcp_window_scaling", &[mss, SACK_OK, ts], stamped),
    ];
    for (at, (sysctl, expected, window)) in table.iter().enumerate() {
        t.sysctl(&format!("net.ipv4.{sysctl}"), "0").unwrap();
        let packet = answer(t, ip, 2000 + at as u16, hearken_twin::SYN_OPTIONS);
        assert_eq!(options(&packet), *expected, "without {sysctl}");
        assert_eq!(packet.window, *window, "without {sysctl}");
        t.sysctl(&format!("net.ipv4.{sysctl}"), "1").unwrap();
    }
}

/// Statement 71.
fn syn_ack_mss_follows_the_mtu(t: &mut dyn Twin, ip: Ip) {
    t.listener(ip, 80, 50);
    for (at, mtu) in [1400, 1280, 1500].into_iter().enumerate() {
        t.set_mtu(mtu);
        let packet = answer(t, ip, 2000 + at as u16, hearken_twin::SYN_OPTIONS);
        assert_eq!(packet.options[0], Opt::Mss((mtu - ip.pick(40, 60)) as u16));
    }
}

/// Statement 71.
fn syn_ack_mss_is_tcp_maxseg(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 50);
    for (at, value) in [1000, 536, 88].into_iter().enumerate() {
        t.set_int(fd, libc::IPPROTO_TCP, libc::TCP_MAXSEG, value)
            .unwrap();
        let packet = answer(t, ip, 2000 + at as u16, hearken_twin::SYN_OPTIONS);
        assert_eq!(packet.options[0], Opt::Mss(value as u16));
    }
}

/// Statements 71 and 73: TTL 64, DF with id 0 on IPv4, a flow label on IPv6.
fn syn_ack_header_fields_are_linux(t: &mut dyn Twin, ip: Ip) {
    t.listener(ip, 80, 50);
    let packet = answer(t, ip, 2000, hearken_twin::SYN_OPTIONS);
    assert_eq!((packet.ttl, packet.tos, packet.id), (64, 0, 0));
    assert_eq!(packet.df, ip == Ip::V4);
    assert_eq!(packet.flow != 0, ip == Ip::V6);
}

/// Statement 71.
fn syn_ack_does_not_copy_tos(t: &mut dyn Twin, ip: Ip) {
    t.listener(ip, 80, 50);
    let mut peer = Peer::new(ip, 2000, 80);
    let mut syn = peer.syn_segment();
    syn.tos = 0x28;
    t.inject(&syn.packet());
    assert_eq!(peer.expect(t, "SA").tos, 0);
}

/// Statement 71.
fn rst_of_closed_port_copies_tos(t: &mut dyn Twin, ip: Ip) {
    let mut peer = Peer::new(ip, 2000, 81);
    let mut syn = peer.syn_segment();
    syn.tos = 0x28;
    t.inject(&syn.packet());
    let rst = peer.expect(t, "RA");
    assert_eq!((rst.tos, rst.ttl, rst.id), (0x28, 64, 0));
    assert_eq!(rst.df, ip == Ip::V4);
    assert_eq!(rst.flow != 0, ip == Ip::V6);
}

/// The same from a listener.
fn rst_of_listener_copies_tos(t: &mut dyn Twin, ip: Ip) {
    t.listener(ip, 80, 50);
    let mut peer = Peer::new(ip, 2000, 80);
    let mut ack = peer.segment("A");
    ack.tos = 0x28;
    t.inject(&ack.packet());
    let rst = peer.expect(t, "R");
    assert_eq!(rst.tos, 0x28);
}
