//! The parsers of `wire`: no bytes panic them, and what they read is written back so that it reads the same.

use crate::input::Input;
use hearken_wire::{Flags, Options, PROTO_ICMPV6, Sum, checksum, options};
use hearken_wire::{
    ethernet as eth, icmp as icmp4, icmpv6 as icmp6, ipv4 as ip4, ipv6 as ip6, ndp as nd, tcp as t,
    udp as u,
};

pub(crate) fn ethernet(b: &[u8]) {
    if let Some(h) = eth::parse(b) {
        let mut out = [0; eth::LEN];
        assert_eq!(h.emit(&mut out), eth::LEN);
        assert_eq!(out, b[..eth::LEN]);
    }
    // An ARP message alone, and one behind its header.
    for b in [b, b.get(eth::LEN..).unwrap_or(&[])] {
        if let Some(a) = eth::Arp::parse(b) {
            let mut out = [0; eth::ARP_LEN];
            assert_eq!(a.emit(&mut out), eth::ARP_LEN);
            assert_eq!(out, b[..eth::ARP_LEN]);
        }
    }
}

pub(crate) fn ndp(b: &[u8]) {
    if let Some(m) = nd::parse(b) {
        let mut out = [0; 128];
        let n = nd::emit([1; 16], [2; 16], m, &mut out);
        assert_eq!(nd::parse(&out[..n]), Some(m));
    }
}

pub(crate) fn ipv4(b: &[u8]) {
    let _ = ip4::parse_quoted(b);
    let mut b = b.to_vec();
    for repaired in [false, true] {
        if repaired && !fix_ipv4(&mut b) {
            return;
        }
        if let Ok((h, len)) = ip4::parse(&b) {
            assert!((20..=60).contains(&len) && len <= b.len());
            assert!(usize::from(h.total_len) <= b.len() && usize::from(h.total_len) >= len);
            assert_eq!(ip4::parse_split(&b[..len], b.len()), Ok((h, len)));
            let mut out = [0; 20];
            assert_eq!(h.emit(&mut out), 20);
            let long = usize::from(h.total_len).max(20);
            assert_eq!(ip4::parse_split(&out, long), Ok((h, 20)));
        }
    }
}

/// A header checksum that is right.
fn fix_ipv4(b: &mut [u8]) -> bool {
    let len = b.first().map_or(0, |f| usize::from(f & 15) * 4);
    let Some(h) = b.get_mut(..len).filter(|_| len >= 20) else {
        return false;
    };
    h[10..12].fill(0);
    let sum = checksum::of(h).to_be_bytes();
    h[10..12].copy_from_slice(&sum);
    true
}

pub(crate) fn ipv6(b: &[u8]) {
    let _ = ip6::parse_quoted(b);
    if let Some((_, at, _)) = ip6::upper(b) {
        assert!(at >= ip6::LEN && at <= b.len());
    }
    if let Ok((h, len)) = ip6::parse(b) {
        assert_eq!(len, ip6::LEN);
        assert!(usize::from(h.payload_len) + len <= b.len());
        let mut out = [0; ip6::LEN];
        assert_eq!(h.emit(&mut out), ip6::LEN);
        assert_eq!(out, b[..ip6::LEN]);
    }
}

pub(crate) fn icmp(b: &[u8]) {
    let mut b = b.to_vec();
    for repaired in [false, true] {
        if repaired && b.len() >= 4 {
            b[2..4].fill(0);
            let sum = checksum::of(&b).to_be_bytes();
            b[2..4].copy_from_slice(&sum);
        }
        if let Ok((m, body)) = icmp4::parse(&b) {
            let _ = icmp4::quoted(body);
            let mut out = vec![0; b.len() + 8];
            let n = icmp4::emit(m, body, &mut out);
            assert_eq!(icmp4::parse(&out[..n]), Ok((m, body)));
        }
    }
}

pub(crate) fn icmpv6(b: &[u8]) {
    let (src, dst) = ([0xfd; 16], [0xfe; 16]);
    let mut b = b.to_vec();
    for repaired in [false, true] {
        if repaired && b.len() >= 4 {
            b[2..4].fill(0);
            let mut s = Sum::pseudo_v6(src, dst, PROTO_ICMPV6, b.len() as u32);
            s.add(&b);
            b[2..4].copy_from_slice(&s.finish().to_be_bytes());
        }
        if let Ok((m, body)) = icmp6::parse(src, dst, &b) {
            let _ = icmp6::quoted(body);
            let mut out = vec![0; b.len() + 8];
            let n = icmp6::emit(src, dst, m, body, &mut out);
            assert_eq!(icmp6::parse(src, dst, &out[..n]), Ok((m, body)));
        }
    }
}

pub(crate) fn udp(b: &[u8]) {
    if let Some(h) = u::parse(b, b.len()) {
        assert!((u::LEN..=b.len()).contains(&usize::from(h.len)));
        let mut out = [0; u::LEN];
        assert_eq!(h.emit(&mut out), u::LEN);
        assert_eq!(out, b[..u::LEN]);
    }
}

pub(crate) fn tcp(b: &[u8]) {
    let mut i = Input::new(b);
    // Half of the inputs are an option list alone: a header in front of it would only be in the way.
    if i.flag() {
        let syn = i.flag();
        option_list(i.bytes(40), syn);
        return;
    }
    let b = i.bytes(usize::MAX);
    if let Ok((h, len)) = t::parse(b) {
        assert!((20..=60).contains(&len) && len <= b.len());
        option_list(&b[20..len], h.flags.contains(Flags::SYN));
        let _ = t::verify_v4([1; 4], [2; 4], &[b]);
        let _ = t::verify_v6([1; 16], [2; 16], &[b]);
    }
}

fn option_list(b: &[u8], syn: bool) {
    let o = Options::parse(b, syn);
    let auth = options::auth(b);
    assert_eq!(o.bad_auth, auth == options::Auth::Bad);
    let mut out = [0; 60];
    let n = o.emit(&mut out, syn);
    assert!(n.is_multiple_of(4) && n == o.len(syn));
    let again = Options::parse(&out[..n], syn);
    // Signatures are not written; a SACK list is cut to what fits beside the timestamps.
    if !o.md5 && !o.bad_auth && n <= 40 && (syn || o.sack.len() <= o.sack_room()) {
        let wanted = Options {
            sack: if syn { again.sack } else { o.sack },
            ..o
        };
        assert_eq!(again, wanted);
    }
}
