//! A packet comes in (Linux `ip_rcv`, `ipv6_rcv`): header checks, is it ours, which protocol. Fragments are not
//! reassembled yet: they are counted and dropped.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use hearken_abi::{Counter, DropReason};
use hearken_tcp::Instant;
use hearken_wire::{ipv4, ipv6};

use super::icmp;
use crate::api::IfaceId;
use crate::frame::RxFrame;
use crate::net::Net;
use crate::tcp_input::{From, tcp_input};

/// Pieces that one packet may come in.
const PIECES: usize = 17;

pub(crate) fn input(net: &mut Net, now: Instant, iface: IfaceId, frame: &RxFrame<'_>) {
    match frame.head.first().map(|b| b >> 4) {
        Some(4) => input_v4(net, now, iface, frame),
        Some(6) => input_v6(net, now, iface, frame),
        _ => net.sh.drop_packet(DropReason::UnhandledProto),
    }
}

/// The bytes behind `skip` bytes of header, `len` of them, as pieces; what the frame has beyond is padding.
fn pieces<'a>(frame: &RxFrame<'a>, skip: usize, len: usize) -> ([&'a [u8]; PIECES], usize) {
    let mut out: [&[u8]; PIECES] = [&[]; PIECES];
    let first = frame.head.get(skip..).unwrap_or(&[]);
    let (mut left, mut n) = (len, 0);
    for p in core::iter::once(first).chain(frame.body.iter().copied()) {
        if n == PIECES || left == 0 && n > 0 {
            break;
        }
        out[n] = &p[..p.len().min(left)];
        left -= out[n].len();
        n += 1;
    }
    (out, n)
}

fn frame_len(frame: &RxFrame<'_>) -> usize {
    frame.head.len() + frame.body.iter().map(|b| b.len()).sum::<usize>()
}

fn input_v4(net: &mut Net, now: Instant, iface: IfaceId, frame: &RxFrame<'_>) {
    let sh = &mut net.sh;
    sh.mib.inc(Counter::IpInReceives);
    let (h, skip) = match ipv4::parse_split(frame.head, frame_len(frame)) {
        Ok(ok) => ok,
        Err(e) => {
            sh.mib.inc(Counter::IpInHdrErrors);
            let csum = e == ipv4::Error::BadChecksum;
            return sh.drop_packet(if csum {
                DropReason::IpCsum
            } else {
                DropReason::IpInhdr
            });
        }
    };
    let (src, dst) = (Ipv4Addr::from(h.src), Ipv4Addr::from(h.dst));
    let any_local = sh.iface(iface).is_some_and(|i| i.any_local);
    let on_lo = iface == IfaceId::LO;
    let group = dst.is_multicast() || sh.routing.is_broadcast(IpAddr::V4(dst));
    // What must not come from a wire (RFC 1122 3.2.1.3; docs/linux 68).
    let martian = src.is_multicast()
        || src.is_broadcast()
        || src.octets()[0] == 0 && !dst.is_broadcast()
        || !on_lo
            && (src.is_loopback()
                || dst.is_loopback()
                || sh.routing.is_local(IpAddr::V4(src)) && !any_local);
    if martian {
        return sh.drop_packet(DropReason::IpInvalidSource);
    }
    if !group && !any_local && !sh.routing.is_local(IpAddr::V4(dst)) {
        sh.mib.inc(Counter::IpInAddrErrors);
        return sh.drop_packet(DropReason::IpInaddrerrors);
    }
    if h.is_fragment() {
        sh.mib.inc(Counter::IpReasmReqds);
        sh.mib.inc(Counter::IpReasmFails);
        return sh.drop_packet(DropReason::FragTooFar);
    }
    let len = usize::from(h.total_len) - skip;
    let (mut data, n) = pieces(frame, skip, len);
    match h.protocol {
        6 => {
            sh.mib.inc(Counter::IpInDelivers);
            let from = From {
                src: h.src,
                dst: h.dst,
                iface,
                tos: h.tos,
                unicast: !group,
                csum: frame.meta.csum,
            };
            tcp_input(&mut net.v4, sh, now, from, &mut data[..n], len);
        }
        1 => {
            sh.mib.inc(Counter::IpInDelivers);
            icmp::input_v4(net, now, iface, &h, data[0]);
        }
        _ => {
            sh.mib.inc(Counter::IpInUnknownProtos);
            sh.drop_packet(DropReason::IpNoproto);
        }
    }
}

fn input_v6(net: &mut Net, now: Instant, iface: IfaceId, frame: &RxFrame<'_>) {
    let sh = &mut net.sh;
    sh.mib.inc(Counter::Ip6InReceives);
    let Ok((h, _)) = ipv6::parse_split(frame.head, frame_len(frame)) else {
        sh.mib.inc(Counter::Ip6InHdrErrors);
        return sh.drop_packet(DropReason::IpInhdr);
    };
    let (src, dst) = (Ipv6Addr::from(h.src), Ipv6Addr::from(h.dst));
    let any_local = sh.iface(iface).is_some_and(|i| i.any_local);
    let on_lo = iface == IfaceId::LO;
    let martian = src.is_multicast()
        || dst.to_ipv4_mapped().is_some()
        || !on_lo && (src.is_loopback() || dst.is_loopback());
    if martian {
        sh.mib.inc(Counter::Ip6InHdrErrors);
        return sh.drop_packet(DropReason::IpInvalidSource);
    }
    let group = dst.is_multicast();
    if !group && !any_local && !sh.routing.is_local(IpAddr::V6(dst)) {
        sh.mib.inc(Counter::Ip6InAddrErrors);
        return sh.drop_packet(DropReason::IpInaddrerrors);
    }
    let Some((protocol, skip, fragment)) = ipv6::upper(frame.head) else {
        sh.mib.inc(Counter::Ip6InHdrErrors);
        return sh.drop_packet(DropReason::Ipv6BadExthdr);
    };
    if fragment {
        sh.mib.inc(Counter::Ip6ReasmReqds);
        sh.mib.inc(Counter::Ip6ReasmFails);
        return sh.drop_packet(DropReason::FragTooFar);
    }
    let Some(len) = (usize::from(h.payload_len) + ipv6::LEN).checked_sub(skip) else {
        sh.mib.inc(Counter::Ip6InHdrErrors);
        return sh.drop_packet(DropReason::IpInhdr);
    };
    let (mut data, n) = pieces(frame, skip, len);
    match protocol {
        6 => {
            sh.mib.inc(Counter::Ip6InDelivers);
            let tos = h.traffic_class;
            let from = From {
                src: h.src,
                dst: h.dst,
                iface,
                tos,
                unicast: !group,
                csum: frame.meta.csum,
            };
            tcp_input(&mut net.v6, sh, now, from, &mut data[..n], len);
        }
        58 => {
            sh.mib.inc(Counter::Ip6InDelivers);
            icmp::input_v6(net, now, iface, &h, data[0]);
        }
        ipv6::NO_NEXT => {}
        _ => {
            sh.mib.inc(Counter::Ip6InUnknownProtos);
            sh.drop_packet(DropReason::IpNoproto);
        }
    }
}
