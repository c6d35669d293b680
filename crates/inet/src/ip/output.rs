//! Datagrams out: one packet, or fragments where the interface cannot carry it whole (RFC 791 3.2, RFC 8200 4.5).

use alloc::vec::Vec;
use core::net::IpAddr;
use hearken_abi::Counter;
use hearken_wire::{ipv4, ipv6};

use crate::api::IfaceId;
use crate::iface::Waiting;
use crate::shared::Shared;

/// Bytes of an IPv6 fragment header.
const FRAGMENT_HEADER: usize = 8;

/// How a datagram goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Out {
    pub(crate) iface: IfaceId,
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    pub(crate) proto: u8,
    /// 0: the namespace's default.
    pub(crate) ttl: u8,
    pub(crate) tos: u8,
    /// The UDP socket that it counts against, with its generation.
    pub(crate) owner: (u32, u32),
}

/// Queues `payload`, which begins with the transport header, for transmission. Returns how many bytes wait for it now.
pub(crate) fn send(sh: &mut Shared, out: &Out, payload: &[u8]) -> usize {
    let mtu = sh.mtu_to(out.iface, out.dst) as usize;
    let v6 = out.dst.is_ipv6();
    let header = if v6 { ipv6::LEN } else { ipv4::MIN_LEN };
    let whole = header + payload.len() <= mtu;
    let id = if whole { 0 } else { sh.secrets.draw() as u32 };
    let extra = if v6 && !whole { FRAGMENT_HEADER } else { 0 };
    let step = if whole {
        payload.len().max(1)
    } else {
        (mtu - header - extra) / 8 * 8
    };
    let (mut offset, mut waiting) = (0, 0);
    loop {
        let end = payload.len().min(offset + step);
        let more = end < payload.len();
        waiting += packet(
            sh,
            out,
            &payload[offset..end],
            (!whole).then_some((id, offset, more)),
        );
        if !more {
            return waiting;
        }
        sh.mib.inc(if v6 {
            Counter::Ip6FragCreates
        } else {
            Counter::IpFragCreates
        });
        offset = end;
    }
}

/// One packet: `fragment` is identification, offset and whether more follow.
fn packet(sh: &mut Shared, out: &Out, body: &[u8], fragment: Option<(u32, usize, bool)>) -> usize {
    let ttl = if out.ttl == 0 {
        sh.sysctls.ip_default_ttl
    } else {
        out.ttl
    };
    let mut bytes: Vec<u8> = sh.iface(out.iface).map(|i| i.buffer()).unwrap_or_default();
    match (out.src, out.dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            let (id, offset, more) = fragment.unwrap_or((0, 0, false));
            bytes.resize(ipv4::MIN_LEN, 0);
            ipv4::Header {
                src: src.octets(),
                dst: dst.octets(),
                protocol: out.proto,
                ttl,
                tos: out.tos,
                id: id as u16,
                df: fragment.is_none(),
                mf: more,
                frag_offset: (offset / 8) as u16,
                total_len: (ipv4::MIN_LEN + body.len()) as u16,
            }
            .emit(&mut bytes);
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            let extra = if fragment.is_some() {
                FRAGMENT_HEADER
            } else {
                0
            };
            bytes.resize(ipv6::LEN, 0);
            ipv6::Header {
                src: src.octets(),
                dst: dst.octets(),
                next_header: if fragment.is_some() {
                    ipv6::FRAGMENT
                } else {
                    out.proto
                },
                hop_limit: ttl,
                traffic_class: out.tos,
                flow_label: 0,
                payload_len: (extra + body.len()) as u16,
            }
            .emit(&mut bytes);
            if let Some((id, offset, more)) = fragment {
                bytes.extend_from_slice(&[out.proto, 0]);
                bytes.extend_from_slice(&(offset as u16 & 0xfff8 | u16::from(more)).to_be_bytes());
                bytes.extend_from_slice(&id.to_be_bytes());
            }
        }
        _ => return 0,
    }
    bytes.extend_from_slice(body);
    let len = bytes.len();
    if let Some(i) = sh.iface(out.iface) {
        i.datagrams.push_back(Waiting {
            bytes,
            owner: out.owner,
        });
    }
    len
}
