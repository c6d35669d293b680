//! `struct bpf_sock_ops` (include/uapi/linux/bpf.h) as a program finds it in memory.

use std::net::{IpAddr, SocketAddr};

use hearken_inet::{SockOps, SockView};

/// With `skb_hwtstamp`, its last member.
pub(crate) const SIZE: usize = 224;
/// `reply`, which shares its place with `args`.
const REPLY: usize = 4;
const AF_INET: u32 = 2;
const AF_INET6: u32 = 10;

/// Writes members in order.
struct Fields(Vec<u8>);

impl Fields {
    fn u32(&mut self, v: u32) {
        self.0.extend_from_slice(&v.to_ne_bytes());
    }

    fn bytes(&mut self, b: &[u8]) {
        self.0.extend_from_slice(b);
    }
}

/// Addresses as Linux keeps them: IPv4 in network order in one word, IPv6 in four.
fn v4(ip: IpAddr) -> [u8; 4] {
    match ip.to_canonical() {
        IpAddr::V4(v4) => v4.octets(),
        IpAddr::V6(_) => [0; 4],
    }
}

/// An IPv4 address stands here as a mapped one, but for a socket that has none yet.
fn v6(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(v4) if v4.is_unspecified() => [0; 16],
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// The context of a callback. What nobody counts here (segments, rates) reads as zero.
pub(crate) fn write(call: &SockOps) -> Vec<u8> {
    let none = match call.local {
        SocketAddr::V4(_) => SocketAddr::from(([0u8; 4], 0)),
        SocketAddr::V6(_) => SocketAddr::from(([0u16; 8], 0)),
    };
    let remote = call.remote.unwrap_or(none);
    let s = call.sock.unwrap_or_default();
    let mut f = Fields(Vec::with_capacity(SIZE));
    f.u32(call.op as u32);
    call.args.iter().for_each(|a| f.u32(*a));
    f.u32(if call.local.is_ipv4() {
        AF_INET
    } else {
        AF_INET6
    });
    f.bytes(&v4(remote.ip()));
    f.bytes(&v4(call.local.ip()));
    f.bytes(&v6(remote.ip()));
    f.bytes(&v6(call.local.ip()));
    // The peer's port is in network order and fills the word's upper half; ours is a plain number.
    f.u32(u32::from(remote.port()).to_be());
    f.u32(u32::from(call.local.port()));
    f.u32(u32::from(call.sock.is_some()));
    numbers(&mut f, call, &s);
    f.0.resize(SIZE, 0);
    f.0
}

fn numbers(f: &mut Fields, call: &SockOps, s: &SockView) {
    for n in [
        s.snd_cwnd,
        s.srtt_us,
        u32::from(call.cb_flags),
        call.state as u32,
        s.rtt_min,
        s.snd_ssthresh,
        s.rcv_nxt,
        s.snd_nxt,
        s.snd_una,
        s.mss_cache,
        s.ecn_flags,
        // rate_delivered, rate_interval_us
        0,
        0,
        s.packets_out,
    ] {
        f.u32(n);
    }
}

/// What the program answered.
pub(crate) fn reply(context: &[u8]) -> i32 {
    let bytes = context
        .get(REPLY..REPLY + 4)
        .and_then(|b| b.try_into().ok());
    bytes.map_or(-1, i32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hearken_abi::TcpState;
    use hearken_inet::SockOp;

    /// Offsets counted in the header by hand.
    #[test]
    fn context_members_stand_where_the_header_has_them() {
        let sock = SockView {
            snd_cwnd: 10,
            mss_cache: 1448,
            packets_out: 3,
            ..SockView::default()
        };
        let mut call = SockOps {
            op: SockOp::State,
            args: [11, 12, 13, 14],
            local: "192.0.2.1:8000".parse().expect("literal"),
            remote: Some("198.51.100.7:4660".parse().expect("literal")),
            state: TcpState::Listen,
            cb_flags: 5,
            sock: Some(sock),
        };
        let b = write(&call);
        let at = |o: usize| u32::from_ne_bytes(b[o..o + 4].try_into().expect("four"));
        assert_eq!(b.len(), SIZE);
        assert_eq!([0, 4, 8, 12, 16, 20].map(at), [10, 11, 12, 13, 14, 2]);
        assert_eq!(b[24..28], [198, 51, 100, 7]);
        assert_eq!(b[28..32], [192, 0, 2, 1]);
        assert_eq!(at(64), 0x1234_u32.to_be());
        assert_eq!(
            [68, 72, 76, 84, 88, 112, 128].map(at),
            [8000, 1, 10, 5, 10, 1448, 3]
        );
        assert_eq!(reply(&b), 11);

        call.sock = None;
        call.local = "[2001:db8::1]:8000".parse().expect("literal");
        call.remote = None;
        let b = write(&call);
        let at = |o: usize| u32::from_ne_bytes(b[o..o + 4].try_into().expect("four"));
        assert_eq!([20, 64, 72, 76, 88].map(at), [10, 0, 0, 0, 10]);
        assert_eq!(b[48..52], [0x20, 0x01, 0x0d, 0xb8]);
    }
}
