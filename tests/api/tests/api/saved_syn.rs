//! TCP_SAVE_SYN and TCP_SAVED_SYN (statement 87, and what else was measured).

use hearken_abi::Errno;
use hearken_abi::sock::{SOL_TCP, TCP_SAVE_SYN, TCP_SAVED_SYN};
use hearken_twin::{Cookie, Fd, Ip, Opt, Peer, Twin};

use super::fast_open_peer::{KEY, cookie_of, fast, server};

family_cases! {
    saved_syn_is_the_headers_as_they_came,
    saved_syn_is_gone_once_read,
    saved_syn_needs_room,
    saved_syn_with_link_header_over_lo,
    saved_syn_hangs_on_the_option_at_the_syn,
    saved_syn_cannot_be_taken_back_by_the_child,
    saved_syn_of_a_cookie_is_empty,
    saved_syn_of_a_fast_open_child_is_kept_if_asked,
    saved_syn_of_a_reset_child_stays_readable,
    saved_syn_values_and_who_has_none,
}

/// A SYN with payload, a TTL and a TOS of its own, and the child it led to; the bytes are those of its headers.
fn opened(t: &mut dyn Twin, ip: Ip, listener: Fd, port: u16) -> (Fd, Peer, Vec<u8>) {
    let mut peer = Peer::new(ip, port, 80);
    let mut syn = peer.syn_segment().data(b"hello");
    (syn.ttl, syn.tos) = (33, 0x28);
    let packet = syn.packet();
    t.inject(&packet);
    peer.expect(t, "SA");
    peer.seq += 1;
    peer.ack(t);
    let child = t.accept(listener).unwrap();
    (child, peer, packet[..packet.len() - 5].to_vec())
}

fn saving(t: &mut dyn Twin, ip: Ip, value: i32) -> Fd {
    let fd = t.listener(ip, 80, 5);
    t.set_int(fd, SOL_TCP, TCP_SAVE_SYN, value).unwrap();
    fd
}

fn read(t: &mut dyn Twin, fd: Fd) -> Result<Vec<u8>, Errno> {
    t.getsockopt(fd, SOL_TCP, TCP_SAVED_SYN, 200)
}

/// From the IP header on; `tun0` puts nothing before it, so that 2 is the same there.
fn saved_syn_is_the_headers_as_they_came(t: &mut dyn Twin, ip: Ip) {
    for value in [1, 2] {
        let fd = saving(t, ip, value);
        let (child, _, syn) = opened(t, ip, fd, 4000 + value as u16);
        assert_eq!(read(t, child), Ok(syn), "TCP_SAVE_SYN {value}");
        assert_eq!(t.int(child, SOL_TCP, TCP_SAVE_SYN), Ok(value));
        t.close(fd).unwrap();
    }
}

fn saved_syn_is_gone_once_read(t: &mut dyn Twin, ip: Ip) {
    let fd = saving(t, ip, 1);
    let (child, _, syn) = opened(t, ip, fd, 4000);
    assert_eq!(read(t, child), Ok(syn));
    assert_eq!(read(t, child), Ok(vec![]));
    assert_eq!(t.getsockopt(child, SOL_TCP, TCP_SAVED_SYN, 0), Ok(vec![]));
}

fn saved_syn_needs_room(t: &mut dyn Twin, ip: Ip) {
    let fd = saving(t, ip, 1);
    let (child, _, syn) = opened(t, ip, fd, 4000);
    for cap in [0, 1, syn.len() - 1] {
        let short = t.getsockopt(child, SOL_TCP, TCP_SAVED_SYN, cap);
        assert_eq!(short, Err(Errno::EINVAL), "{cap}");
    }
    let exact = t.getsockopt(child, SOL_TCP, TCP_SAVED_SYN, syn.len());
    assert_eq!(exact, Ok(syn));
}

/// Linux's `lo` carries an Ethernet header with zeros for addresses.
fn saved_syn_with_link_header_over_lo(t: &mut dyn Twin, ip: Ip) {
    for (value, head) in [(1, 0), (2, 14)] {
        let fd = saving(t, ip, value);
        let (_, child) = t.pair(fd, ip);
        let syn = read(t, child).unwrap();
        assert_eq!(syn.len(), head + ip.pick(60, 80), "TCP_SAVE_SYN {value}");
        let mut link = vec![0; 12];
        link.extend(ip.pick([8, 0], [0x86, 0xdd]));
        assert_eq!(syn[..head], link[..head]);
        assert_eq!(syn[head] >> 4, ip.pick(4, 6));
        t.close(fd).unwrap();
    }
}

fn saved_syn_hangs_on_the_option_at_the_syn(t: &mut dyn Twin, ip: Ip) {
    let fd = saving(t, ip, 0);
    for (port, later, kept) in [(4000, 1, false), (4001, 0, true)] {
        let mut peer = Peer::new(ip, port, 80);
        peer.half_open(t);
        t.set_int(fd, SOL_TCP, TCP_SAVE_SYN, later).unwrap();
        peer.ack(t);
        let child = t.accept(fd).unwrap();
        assert_eq!(t.int(child, SOL_TCP, TCP_SAVE_SYN), Ok(later));
        assert_eq!(!read(t, child).unwrap().is_empty(), kept, "{port}");
    }
}

fn saved_syn_cannot_be_taken_back_by_the_child(t: &mut dyn Twin, ip: Ip) {
    let fd = saving(t, ip, 1);
    let (child, _, syn) = opened(t, ip, fd, 4000);
    t.set_int(child, SOL_TCP, TCP_SAVE_SYN, 0).unwrap();
    assert_eq!(read(t, child), Ok(syn));
}

/// Statement 87.
fn saved_syn_of_a_cookie_is_empty(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.ipv4.tcp_syncookies", "2").unwrap();
    let fd = saving(t, ip, 1);
    Peer::new(ip, 4000, 80).offering(&[Opt::Mss(1460)]).open(t);
    let child = t.accept(fd).unwrap();
    assert_eq!(read(t, child), Ok(vec![]));
}

fn saved_syn_of_a_fast_open_child_is_kept_if_asked(t: &mut dyn Twin, ip: Ip) {
    let fd = server(t, ip, 80, 5, 5);
    for value in [0, 1] {
        t.set_int(fd, SOL_TCP, TCP_SAVE_SYN, value).unwrap();
        let right = Opt::FastOpen(Cookie::new(&cookie_of(KEY, ip)), false);
        let mut peer = fast(ip, 4000 + value as u16, 80, Some(right));
        let packet = peer.syn_segment().data(b"hello").packet();
        t.inject(&packet);
        assert_eq!(peer.expect(t, "SA").ack, 1006);
        let child = t.accept(fd).unwrap();
        let kept = if value == 0 { 0 } else { packet.len() - 5 };
        assert_eq!(read(t, child), Ok(packet[..kept].to_vec()));
    }
}

fn saved_syn_of_a_reset_child_stays_readable(t: &mut dyn Twin, ip: Ip) {
    let fd = saving(t, ip, 1);
    let (child, mut peer, syn) = opened(t, ip, fd, 4000);
    peer.rst(t);
    assert_eq!(read(t, child), Ok(syn));
    assert_eq!(t.recv(child, 1, 0), Err(Errno::ECONNRESET));
}

fn saved_syn_values_and_who_has_none(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    for (value, want) in [
        (1, Ok(())),
        (2, Ok(())),
        (0, Ok(())),
        (3, Err(Errno::EINVAL)),
        (-1, Err(Errno::EINVAL)),
    ] {
        assert_eq!(t.set_int(fd, SOL_TCP, TCP_SAVE_SYN, value), want, "{value}");
    }
    let set = t.set_int(fd, SOL_TCP, TCP_SAVED_SYN, 1);
    assert_eq!(set, Err(Errno::ENOPROTOOPT));
    assert_eq!(read(t, fd), Ok(vec![]));
    let fresh = t.tcp(ip);
    assert_eq!(read(t, fresh), Ok(vec![]));
    let (child, _, _) = opened(t, ip, fd, 4000);
    assert_eq!(read(t, child), Ok(vec![]));
}
