//! A packet comes in (Linux `ip_rcv`, `ipv6_rcv`): header checks, is it ours, which protocol.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use hearken_abi::{Counter, DropReason};
use hearken_tcp::Instant;
use hearken_wire::{ipv4, ipv6};

use super::fragment::{self, Outcome};
use super::icmp;
use crate::api::IfaceId;
use crate::frame::{RxFrame, RxMeta};
use crate::net::Net;
use crate::shared::Shared;
use crate::tcp_input::{From, Raw, tcp_input};
use crate::udp;

/// Pieces that one packet may come in.
const PIECES: usize = 17;

/// What Linux's loopback device puts in front of a packet: an Ethernet header without addresses.
const LO_V4: [u8; 14] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x08, 0x00];
const LO_V6: [u8; 14] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x86, 0xdd];

/// Takes a packet of `lo`.
pub(crate) fn input_lo(net: &mut Net, now: Instant, frame: &RxFrame<'_>) {
    let v6 = frame.head.first().is_some_and(|b| b >> 4 == 6);
    let link = if v6 { &LO_V6 } else { &LO_V4 };
    input(net, now, IfaceId::LO, link, frame);
}

/// Takes a packet that came behind the bytes `link`.
pub(crate) fn input(net: &mut Net, now: Instant, iface: IfaceId, link: &[u8], frame: &RxFrame<'_>) {
    match frame.head.first().map(|b| b >> 4) {
        Some(4) => input_v4(net, now, iface, link, frame),
        Some(6) => input_v6(net, now, iface, link, frame),
        _ => net.sh.drop_packet(DropReason::UnhandledProto),
    }
}

/// The bytes behind `skip` bytes of header, `len` of them, as pieces in `out`; what the frame has beyond is padding.
fn pieces<'a, 'o>(
    frame: &RxFrame<'a>,
    skip: usize,
    len: usize,
    out: &'o mut [&'a [u8]; PIECES],
) -> &'o mut [&'a [u8]] {
    let first = frame.head.get(skip..).unwrap_or(&[]);
    if frame.body.is_empty() {
        out[0] = &first[..first.len().min(len)];
        return &mut out[..1];
    }
    let (mut left, mut n) = (len, 0);
    for p in core::iter::once(first).chain(frame.body.iter().copied()) {
        if n == PIECES || left == 0 && n > 0 {
            break;
        }
        out[n] = &p[..p.len().min(left)];
        left -= out[n].len();
        n += 1;
    }
    &mut out[..n]
}

fn frame_len(frame: &RxFrame<'_>) -> usize {
    if frame.body.is_empty() {
        return frame.head.len();
    }
    frame.head.len() + frame.body.iter().map(|b| b.len()).sum::<usize>()
}

fn input_v4(net: &mut Net, now: Instant, iface: IfaceId, link: &[u8], frame: &RxFrame<'_>) {
    let sh = &mut net.sh;
    sh.mib.inc(Counter::IpInReceives);
    sh.mib.add(Counter::IpExtInOctets, frame_len(frame) as u64);
    let (h, skip) = match ipv4::parse_split(frame.head, frame_len(frame)) {
        Ok(ok) => ok,
        Err(e) => {
            sh.mib.inc(Counter::IpInHdrErrors);
            let csum = e == ipv4::Error::BadChecksum;
            if csum {
                // The mark is looked at first.
                sh.count_mark(false, frame.head.get(1).copied().unwrap_or(0));
            }
            return sh.drop_packet(if csum {
                DropReason::IpCsum
            } else {
                DropReason::IpInhdr
            });
        }
    };
    sh.count_mark(false, h.tos);
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
    let len = usize::from(h.total_len) - skip;
    let unicast = !group;
    let raw = Raw {
        link,
        ip: frame.head.get(..skip).unwrap_or(&[]),
        tcp: &[],
    };
    if !h.is_fragment() && frame.body.is_empty() {
        // The common case sets up no list of pieces.
        let data = frame.head.get(skip..skip + len).unwrap_or(&[]);
        return deliver_v4(net, now, iface, &h, raw, (unicast, frame.meta), &mut [data]);
    }
    let mut room = [&[][..]; PIECES];
    let data = pieces(frame, skip, len, &mut room);
    if !h.is_fragment() {
        return deliver_v4(net, now, iface, &h, raw, (unicast, frame.meta), data);
    }
    let key = fragment::Key {
        src: src.to_ipv6_mapped().octets(),
        dst: dst.to_ipv6_mapped().octets(),
        id: u32::from(h.id),
        protocol: h.protocol,
    };
    let piece = fragment::Piece {
        offset: usize::from(h.frag_offset) * 8,
        more: h.mf,
    };
    if let Some(whole) = reassemble(sh, now, key, piece, data) {
        deliver_v4(
            net,
            now,
            iface,
            &h,
            raw,
            (unicast, RxMeta::default()),
            &mut [&whole],
        );
    }
}

fn deliver_v4(
    net: &mut Net,
    now: Instant,
    iface: IfaceId,
    h: &ipv4::Header,
    raw: Raw<'_>,
    (unicast, meta): (bool, RxMeta),
    data: &mut [&[u8]],
) {
    let sh = &mut net.sh;
    match h.protocol {
        6 => {
            sh.mib.inc(Counter::IpInDelivers);
            let iface = arrived(sh, iface, h.dst.into());
            let from = From {
                src: h.src,
                dst: h.dst,
                iface,
                tos: h.tos,
                unicast,
                csum: meta.csum,
                gso_size: meta.gso_size,
                raw,
            };
            tcp_input(&mut net.v4, sh, now, from, data);
        }
        1 => {
            sh.mib.inc(Counter::IpInDelivers);
            icmp::input_v4(net, now, iface, h, &joined(data));
        }
        17 => {
            sh.mib.inc(Counter::IpInDelivers);
            let from = udp::From {
                src: h.src.into(),
                dst: h.dst.into(),
                iface,
                unicast,
                csum: meta.csum,
            };
            udp::input(sh, now, from, &joined(data));
        }
        _ => {
            sh.mib.inc(Counter::IpInUnknownProtos);
            sh.drop_packet(DropReason::IpNoproto);
        }
    }
}

/// What goes round by `lo` counts as received by the interface that has its address (Linux `inet_iif`).
fn arrived(sh: &Shared, iface: IfaceId, dst: IpAddr) -> IfaceId {
    match iface {
        IfaceId::LO if sh.devices => sh.routing.owner(dst),
        iface => iface,
    }
}

/// A packet in one piece: the protocols that are not worth reading in several.
fn joined<'a>(data: &[&'a [u8]]) -> Cow<'a, [u8]> {
    match data {
        [one] => Cow::Borrowed(one),
        _ => Cow::Owned(data.concat()),
    }
}

/// Takes a fragment; the payload of the packet if it was the last one missing.
fn reassemble(
    sh: &mut Shared,
    now: Instant,
    key: fragment::Key,
    piece: fragment::Piece,
    data: &[&[u8]],
) -> Option<Vec<u8>> {
    let v6 = key.src[..12] != [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
    let pick = |four, six| if v6 { six } else { four };
    sh.mib
        .inc(pick(Counter::IpReasmReqds, Counter::Ip6ReasmReqds));
    let (outcome, given_up) = sh.fragments.insert(now, key, piece, data);
    sh.mib.add(
        pick(Counter::IpReasmFails, Counter::Ip6ReasmFails),
        given_up,
    );
    match outcome {
        Outcome::Waits => None,
        Outcome::Whole(payload) => {
            sh.mib.inc(pick(Counter::IpReasmOks, Counter::Ip6ReasmOks));
            Some(payload)
        }
        Outcome::Bad => {
            sh.mib
                .inc(pick(Counter::IpReasmFails, Counter::Ip6ReasmFails));
            sh.drop_packet(DropReason::DupFrag);
            None
        }
    }
}

fn input_v6(net: &mut Net, now: Instant, iface: IfaceId, link: &[u8], frame: &RxFrame<'_>) {
    let sh = &mut net.sh;
    sh.mib.inc(Counter::Ip6InReceives);
    sh.mib.add(Counter::Ip6InOctets, frame_len(frame) as u64);
    let Ok((h, _)) = ipv6::parse_split(frame.head, frame_len(frame)) else {
        sh.mib.inc(Counter::Ip6InHdrErrors);
        return sh.drop_packet(DropReason::IpInhdr);
    };
    sh.count_mark(true, h.traffic_class);
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
    let unicast = !group;
    let end = usize::from(h.payload_len) + ipv6::LEN;
    if h.next_header == ipv6::FRAGMENT {
        // Only where it stands first, as every sender puts it that adds no other extension header.
        let raw = Raw {
            link,
            ip: frame.head.get(..ipv6::LEN).unwrap_or(&[]),
            tcp: &[],
        };
        return fragment_v6(net, now, iface, &h, (raw, unicast), frame, end);
    }
    let Some((protocol, skip, fragmented)) = ipv6::upper(frame.head) else {
        sh.mib.inc(Counter::Ip6InHdrErrors);
        return sh.drop_packet(DropReason::Ipv6BadExthdr);
    };
    let Some(len) = end.checked_sub(skip).filter(|_| !fragmented) else {
        sh.mib.inc(Counter::Ip6InHdrErrors);
        return sh.drop_packet(DropReason::IpInhdr);
    };
    let raw = Raw {
        link,
        ip: frame.head.get(..skip).unwrap_or(&[]),
        tcp: &[],
    };
    let mut room = [&[][..]; PIECES];
    let data = pieces(frame, skip, len, &mut room);
    deliver_v6(
        net,
        now,
        iface,
        &h,
        raw,
        (protocol, unicast, frame.meta),
        data,
    );
}

/// RFC 8200 4.5.
fn fragment_v6(
    net: &mut Net,
    now: Instant,
    iface: IfaceId,
    h: &ipv6::Header,
    (raw, unicast): (Raw<'_>, bool),
    frame: &RxFrame<'_>,
    end: usize,
) {
    const LEN: usize = 8;
    let sh = &mut net.sh;
    let header = frame
        .head
        .get(ipv6::LEN..)
        .and_then(|b| b.first_chunk::<LEN>());
    let Some((&[next, _, o0, o1, i0, i1, i2, i3], len)) =
        header.zip(end.checked_sub(ipv6::LEN + LEN))
    else {
        sh.mib.inc(Counter::Ip6InHdrErrors);
        return sh.drop_packet(DropReason::IpInhdr);
    };
    let field = u16::from_be_bytes([o0, o1]);
    let key = fragment::Key {
        src: h.src,
        dst: h.dst,
        id: u32::from_be_bytes([i0, i1, i2, i3]),
        protocol: next,
    };
    let piece = fragment::Piece {
        offset: usize::from(field & 0xfff8),
        more: field & 1 != 0,
    };
    let mut room = [&[][..]; PIECES];
    let data = pieces(frame, ipv6::LEN + LEN, len, &mut room);
    if let Some(whole) = reassemble(sh, now, key, piece, data) {
        deliver_v6(
            net,
            now,
            iface,
            h,
            raw,
            (next, unicast, RxMeta::default()),
            &mut [&whole],
        );
    }
}

fn deliver_v6(
    net: &mut Net,
    now: Instant,
    iface: IfaceId,
    h: &ipv6::Header,
    raw: Raw<'_>,
    (protocol, unicast, meta): (u8, bool, RxMeta),
    data: &mut [&[u8]],
) {
    let sh = &mut net.sh;
    match protocol {
        6 => {
            sh.mib.inc(Counter::Ip6InDelivers);
            let iface = arrived(sh, iface, h.dst.into());
            let from = From {
                src: h.src,
                dst: h.dst,
                iface,
                tos: h.traffic_class,
                unicast,
                csum: meta.csum,
                gso_size: meta.gso_size,
                raw,
            };
            tcp_input(&mut net.v6, sh, now, from, data);
        }
        58 => {
            sh.mib.inc(Counter::Ip6InDelivers);
            icmp::input_v6(net, now, iface, h, &joined(data));
        }
        17 => {
            sh.mib.inc(Counter::Ip6InDelivers);
            let from = udp::From {
                src: h.src.into(),
                dst: h.dst.into(),
                iface,
                unicast,
                csum: meta.csum,
            };
            udp::input(sh, now, from, &joined(data));
        }
        ipv6::NO_NEXT => {}
        _ => {
            sh.mib.inc(Counter::Ip6InUnknownProtos);
            sh.drop_packet(DropReason::IpNoproto);
        }
    }
}
