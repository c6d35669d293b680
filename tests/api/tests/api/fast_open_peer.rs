//! A peer that opens fast, and the listener for it.

use hearken_abi::Errno;
use hearken_twin::{Cookie, Fd, Ip, Opt, Packet, Peer, Twin, any};

/// A key as the sysctl spells it. The cookies of both keys were seen on the wire of Linux 6.18.
pub(crate) const KEY: &str = "00010203-04050607-08090a0b-0c0d0e0f";
/// Another.
pub(crate) const OTHER_KEY: &str = "a0b1c2d3-00000000-11111111-22222222";

/// The cookie of the peer for the listener under one of the two keys.
pub(crate) fn cookie_of(key: &str, ip: Ip) -> [u8; 8] {
    let v: u64 = match (key == KEY, ip) {
        (true, Ip::V4) => 0x74f6_923c_93b9_c6a1,
        (true, Ip::V6) => 0xe48f_6819_7668_8985,
        (false, Ip::V4) => 0x025b_7ce1_6769_6e62,
        (false, Ip::V6) => 0xa9b2_0ba9_61df_18df,
    };
    v.to_be_bytes()
}

/// TCP_FASTOPEN.
pub(crate) fn tcp_fastopen(t: &mut dyn Twin, fd: Fd, n: i32) -> Result<(), Errno> {
    t.set_int(fd, libc::IPPROTO_TCP, libc::TCP_FASTOPEN, n)
}

/// A listener with a Fast Open queue, in a namespace whose server side is on.
pub(crate) fn server(t: &mut dyn Twin, ip: Ip, port: u16, backlog: i32, qlen: i32) -> Fd {
    t.sysctl("net.ipv4.tcp_fastopen", "3").unwrap();
    t.sysctl("net.ipv4.tcp_fastopen_key", KEY).unwrap();
    let fd = t.tcp(ip);
    tcp_fastopen(t, fd, qlen).unwrap();
    t.bind(fd, &any(ip, port)).unwrap();
    t.listen(fd, backlog).unwrap();
    fd
}

/// A peer whose SYN has an MSS and, perhaps, this option.
pub(crate) fn fast(ip: Ip, port: u16, to: u16, option: Option<Opt>) -> Peer {
    let options: Vec<Opt> = [Opt::Mss(ip.pick(1460, 1440))]
        .into_iter()
        .chain(option)
        .collect();
    Peer::new(ip, port, to).offering(&options)
}

/// Sends the SYN with `data` and takes the SYN-ACK; the peer goes on behind what that acknowledges.
#[track_caller]
pub(crate) fn on(t: &mut dyn Twin, peer: &mut Peer, data: &[u8]) -> Packet {
    t.inject(&peer.syn_segment().data(data).packet());
    let p = peer.expect(t, "SA");
    peer.seq = p.ack;
    p
}

/// A peer whose SYN with the right cookie and `data` has made a child on `to`; and its SYN-ACK.
#[track_caller]
pub(crate) fn opened(t: &mut dyn Twin, ip: Ip, port: u16, to: u16, data: &[u8]) -> (Peer, Packet) {
    let right = Opt::FastOpen(Cookie::new(&cookie_of(KEY, ip)), false);
    let mut peer = fast(ip, port, to, Some(right));
    let p = on(t, &mut peer, data);
    assert_eq!(p.ack, 1001 + data.len() as u32, "the data is taken");
    (peer, p)
}
