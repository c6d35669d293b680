//! What differs between IPv4 and IPv6 below TCP: headers and pseudo-headers.

use hearken_tcp::{Family, V4, V6};
use hearken_wire::{Sum, icmp, icmpv6, ipv4, ipv6};

use crate::hash::established::Half;
use crate::net::Net;
use crate::shared::Shared;

/// The IPv4 or IPv6 side of a namespace.
pub(crate) trait Side: Family {
    /// The records of this family, and what both share.
    fn parts(net: &mut Net) -> (&mut Half<Self>, &mut Shared);
    fn half(net: &Net) -> &Half<Self>;
    /// Writes the IP header of a TCP or ICMP packet; returns its length.
    fn emit_ip(
        buf: &mut [u8],
        src: Self::Addr,
        dst: Self::Addr,
        meta: &IpMeta,
        payload: usize,
    ) -> usize;
    /// The sum over the pseudo-header.
    fn pseudo(src: Self::Addr, dst: Self::Addr, proto: u8, len: usize) -> Sum;
    /// Writes an ICMP destination unreachable; returns its length.
    fn emit_unreachable(
        src: Self::Addr,
        dst: Self::Addr,
        code: u8,
        quote: &[u8],
        buf: &mut [u8],
    ) -> usize;
}

/// The parts of an IP header that a sender chooses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IpMeta {
    pub(crate) proto: u8,
    pub(crate) ttl: u8,
    pub(crate) tos: u8,
    /// IPv6 only.
    pub(crate) flow: u32,
}

impl Side for V4 {
    fn parts(net: &mut Net) -> (&mut Half<Self>, &mut Shared) {
        (&mut net.v4, &mut net.sh)
    }
    fn half(net: &Net) -> &Half<Self> {
        &net.v4
    }
    fn emit_ip(buf: &mut [u8], src: [u8; 4], dst: [u8; 4], meta: &IpMeta, payload: usize) -> usize {
        ipv4::Header {
            src,
            dst,
            protocol: meta.proto,
            ttl: meta.ttl,
            tos: meta.tos,
            // An atomic datagram (DF set) needs no identification: RFC 6864 4.1, and Linux sends 0 in a SYN-ACK.
            id: 0,
            df: true,
            mf: false,
            frag_offset: 0,
            total_len: (20 + payload) as u16,
        }
        .emit(buf)
    }
    fn pseudo(src: [u8; 4], dst: [u8; 4], proto: u8, len: usize) -> Sum {
        Sum::pseudo_v4(src, dst, proto, len as u32)
    }
    fn emit_unreachable(_: [u8; 4], _: [u8; 4], code: u8, quote: &[u8], buf: &mut [u8]) -> usize {
        icmp::emit(icmp::Message::DestUnreachable { code, mtu: 0 }, quote, buf)
    }
}

impl Side for V6 {
    fn parts(net: &mut Net) -> (&mut Half<Self>, &mut Shared) {
        (&mut net.v6, &mut net.sh)
    }
    fn half(net: &Net) -> &Half<Self> {
        &net.v6
    }
    fn emit_ip(
        buf: &mut [u8],
        src: [u8; 16],
        dst: [u8; 16],
        meta: &IpMeta,
        payload: usize,
    ) -> usize {
        ipv6::Header {
            src,
            dst,
            next_header: meta.proto,
            hop_limit: meta.ttl,
            traffic_class: meta.tos,
            flow_label: meta.flow & 0xf_ffff,
            payload_len: payload as u16,
        }
        .emit(buf)
    }
    fn pseudo(src: [u8; 16], dst: [u8; 16], proto: u8, len: usize) -> Sum {
        Sum::pseudo_v6(src, dst, proto, len as u32)
    }
    fn emit_unreachable(
        src: [u8; 16],
        dst: [u8; 16],
        code: u8,
        quote: &[u8],
        buf: &mut [u8],
    ) -> usize {
        icmpv6::emit(
            src,
            dst,
            icmpv6::Message::DestUnreachable { code },
            quote,
            buf,
        )
    }
}
