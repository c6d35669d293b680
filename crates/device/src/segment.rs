//! Cuts a TCP super-frame into segments and fills in checksums: what a network card with TSO does.

use hearken_wire::{Flags, PROTO_ICMPV6, PROTO_TCP, PROTO_UDP, Sum, checksum, ipv4, ipv6, tcp};

/// Where the parts of a TCP packet are.
#[derive(Clone, Copy)]
struct Layout {
    v6: bool,
    tcp: usize,
    payload: usize,
}

fn layout(packet: &[u8]) -> Option<Layout> {
    let (v6, start) = match packet.first()? >> 4 {
        4 => {
            let (h, len) = ipv4::parse_quoted(packet).ok()?;
            (h.protocol == PROTO_TCP && !h.is_fragment()).then_some((false, len))?
        }
        6 => {
            let (protocol, at, fragment) = ipv6::upper(packet)?;
            (protocol == PROTO_TCP && !fragment).then_some((true, at))?
        }
        _ => return None,
    };
    let (_, len) = tcp::parse(packet.get(start..)?).ok()?;
    Some(Layout {
        v6,
        tcp: start,
        payload: start + len,
    })
}

/// Fills in the transport checksum, and IPv4's header checksum, of a packet that is whole. What is no TCP, UDP or ICMPv6, or is
/// malformed, stays as it is.
pub fn complete(packet: &mut [u8]) {
    let parts = match packet.first().map(|b| b >> 4) {
        Some(4) => ipv4_sum(packet),
        Some(6) => ipv6_sum(packet),
        _ => None,
    };
    let Some((sum, protocol, start)) = parts else {
        return;
    };
    let field = start
        + match protocol {
            PROTO_TCP => tcp::CHECKSUM_OFFSET,
            PROTO_UDP => 6,
            PROTO_ICMPV6 => 2,
            _ => return,
        };
    if packet.len() < field + 2 {
        return;
    }
    packet[field..field + 2].fill(0);
    let mut sum = sum;
    sum.add(&packet[start..]);
    let value = match sum.finish() {
        // RFC 768: a UDP checksum of 0 says that there is none.
        0 if protocol == PROTO_UDP => 0xffff,
        v => v,
    };
    packet[field..field + 2].copy_from_slice(&value.to_be_bytes());
}

fn ipv4_sum(packet: &mut [u8]) -> Option<(Sum, u8, usize)> {
    let (h, len) = ipv4::parse_quoted(packet).ok()?;
    packet[10..12].fill(0);
    let header = checksum::of(&packet[..len]);
    packet[10..12].copy_from_slice(&header.to_be_bytes());
    if h.is_fragment() || h.protocol == PROTO_ICMPV6 {
        return None;
    }
    let upper = (packet.len() - len) as u32;
    Some((
        Sum::pseudo_v4(h.src, h.dst, h.protocol, upper),
        h.protocol,
        len,
    ))
}

fn ipv6_sum(packet: &[u8]) -> Option<(Sum, u8, usize)> {
    let (h, _) = ipv6::parse_quoted(packet).ok()?;
    let (protocol, at, fragment) = ipv6::upper(packet)?;
    if fragment {
        return None;
    }
    let upper = (packet.len() - at) as u32;
    Some((Sum::pseudo_v6(h.src, h.dst, protocol, upper), protocol, at))
}

/// Cuts `packet` into segments of `gso_size` payload bytes with right lengths, ids, sequence numbers and checksums, and calls `out`
/// with each as its headers and its payload. FIN and PSH stay on the last, CWR on the first. A packet that is no TCP, or
/// has no more payload than `gso_size`, comes out once, with its checksums filled in.
pub fn split(packet: &mut [u8], gso_size: usize, out: &mut dyn FnMut(&[u8], &[u8])) {
    let cut = layout(packet).filter(|l| gso_size > 0 && packet.len() - l.payload > gso_size);
    let Some(l) = cut else {
        complete(packet);
        out(packet, &[]);
        return;
    };
    let (head, payload) = packet.split_at(l.payload);
    let count = payload.len().div_ceil(gso_size);
    let first_seq = be32(head, l.tcp + 4);
    let first_id = be16(head, 4);
    let flags = Flags(head[l.tcp + 13]);
    let mut own = [0u8; 256];
    let Some(own) = own.get_mut(..head.len()) else {
        return; // no header of ours is so long
    };
    for (i, piece) in payload.chunks(gso_size).enumerate() {
        own.copy_from_slice(head);
        let mut f = flags;
        if i + 1 < count {
            f = f.without(Flags::FIN | Flags::PSH);
        }
        if i > 0 {
            f = f.without(Flags::CWR);
        }
        own[l.tcp + 13] = f.0;
        let seq = first_seq.wrapping_add((i * gso_size) as u32);
        own[l.tcp + 4..l.tcp + 8].copy_from_slice(&seq.to_be_bytes());
        let total = (head.len() + piece.len()) as u16;
        if l.v6 {
            own[4..6].copy_from_slice(&(total - ipv6::LEN as u16).to_be_bytes());
        } else {
            own[2..4].copy_from_slice(&total.to_be_bytes());
            own[4..6].copy_from_slice(&first_id.wrapping_add(i as u16).to_be_bytes());
        }
        checksums(own, l, piece);
        out(own, piece);
    }
}

fn checksums(head: &mut [u8], l: Layout, piece: &[u8]) {
    let upper = (head.len() - l.tcp + piece.len()) as u32;
    let mut sum = if l.v6 {
        let mut s = Sum::new();
        s.add(&head[8..40]);
        s.add(&upper.to_be_bytes());
        s.add_u16(0);
        s.add_u16(u16::from(PROTO_TCP));
        s
    } else {
        head[10..12].fill(0);
        let header = checksum::of(&head[..l.tcp]);
        head[10..12].copy_from_slice(&header.to_be_bytes());
        let mut s = Sum::new();
        s.add(&head[12..20]);
        s.add_u16(u16::from(PROTO_TCP));
        s.add_u16(upper as u16);
        s
    };
    tcp::set_checksum(&mut head[l.tcp..], 0);
    sum.add(&head[l.tcp..]);
    sum.add(piece);
    tcp::set_checksum(&mut head[l.tcp..], sum.finish());
}

fn be16(b: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([b[at], b[at + 1]])
}

fn be32(b: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]])
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use hearken_wire::Options;

    /// A TCP packet with a checksum field that is not filled in.
    pub(crate) fn packet(v6: bool, flags: Flags, payload: &[u8]) -> Vec<u8> {
        let t = tcp::Header {
            src_port: 1000,
            dst_port: 2000,
            seq: u32::MAX - 100,
            ack: 7,
            flags,
            window: 500,
            options: Options {
                timestamps: Some((1, 2)),
                ..Options::NONE
            },
            ..tcp::Header::default()
        };
        let ip = if v6 { 40 } else { 20 };
        let mut b = vec![0; ip + 32];
        if v6 {
            ipv6::Header {
                src: [1; 16],
                dst: [2; 16],
                next_header: 6,
                hop_limit: 64,
                payload_len: (32 + payload.len()) as u16,
                ..ipv6::Header::default()
            }
            .emit(&mut b);
        } else {
            ipv4::Header {
                src: [10, 0, 0, 1],
                dst: [10, 0, 0, 2],
                protocol: 6,
                ttl: 64,
                id: 0xffff,
                df: true,
                total_len: (52 + payload.len()) as u16,
                ..ipv4::Header::default()
            }
            .emit(&mut b);
        }
        t.emit(&mut b[ip..]);
        b.extend_from_slice(payload);
        b
    }

    /// Parses a packet and checks every checksum of it.
    pub(crate) fn check(b: &[u8]) -> (tcp::Header, Vec<u8>) {
        let (at, good) = if b[0] >> 4 == 4 {
            let (h, len) = ipv4::parse(b).expect("IPv4");
            assert_eq!(usize::from(h.total_len), b.len());
            (len, tcp::verify_v4(h.src, h.dst, &[&b[len..]]))
        } else {
            let (h, len) = ipv6::parse(b).expect("IPv6");
            assert_eq!(usize::from(h.payload_len) + len, b.len());
            (len, tcp::verify_v6(h.src, h.dst, &[&b[len..]]))
        };
        assert!(good, "TCP checksum");
        let (h, len) = tcp::parse(&b[at..]).expect("TCP");
        (h, b[at + len..].to_vec())
    }

    #[test]
    fn segment_super_frame_splits_into_right_segments() {
        let payload: Vec<u8> = (0..2501u32).map(|i| i as u8).collect();
        let all = Flags::ACK | Flags::PSH | Flags::FIN | Flags::CWR;
        for v6 in [false, true] {
            let mut p = packet(v6, all, &payload);
            let mut got = Vec::new();
            split(&mut p, 1000, &mut |h, b| got.push([h, b].concat()));
            assert_eq!(got.len(), 3);
            let mut bytes = Vec::new();
            for (i, s) in got.iter().enumerate() {
                let (h, data) = check(s);
                assert_eq!(h.seq, (u32::MAX - 100).wrapping_add(bytes.len() as u32));
                assert_eq!(h.flags.contains(Flags::CWR), i == 0);
                assert_eq!(h.flags.contains(Flags::PSH | Flags::FIN), i == 2);
                assert_eq!(h.flags.intersects(Flags::PSH | Flags::FIN), i == 2);
                assert_eq!(h.options.timestamps, Some((1, 2)));
                if !v6 {
                    let id = ipv4::parse(s).expect("IPv4").0.id;
                    assert_eq!(id, 0xffffu16.wrapping_add(i as u16));
                }
                bytes.extend(data);
            }
            assert_eq!(bytes, payload);
        }
    }

    #[test]
    fn segment_small_frame_comes_out_once_with_its_checksum() {
        for v6 in [false, true] {
            for gso in [0, 5, 1000] {
                let mut p = packet(v6, Flags::ACK | Flags::PSH, b"hello");
                let mut n = 0;
                split(&mut p, gso, &mut |h, b| {
                    let (t, data) = check(&[h, b].concat());
                    assert_eq!(
                        (t.flags, &data[..]),
                        (Flags::ACK | Flags::PSH, &b"hello"[..])
                    );
                    n += 1;
                });
                assert_eq!(n, 1);
            }
        }
    }

    #[test]
    fn segment_garbage_stays_as_it_is() {
        for garbage in [&[][..], &[0x45], &[0x60; 39], &[0xff; 100], &[0x4f; 30]] {
            let mut p = garbage.to_vec();
            let mut n = 0;
            split(&mut p, 10, &mut |h, b| {
                assert_eq!([h, b].concat().len(), garbage.len());
                n += 1;
            });
            assert_eq!(n, 1);
        }
    }

    #[test]
    fn segment_complete_fills_udp_and_icmpv6() {
        let mut p = packet(true, Flags::ACK, b"x");
        p[6] = PROTO_ICMPV6;
        complete(&mut p);
        assert!(hearken_wire::icmpv6::parse([1; 16], [2; 16], &p[40..]).is_ok());
        let mut p = packet(false, Flags::ACK, b"x");
        p[9] = PROTO_UDP;
        complete(&mut p);
        let mut s = Sum::pseudo_v4(
            [10, 0, 0, 1],
            [10, 0, 0, 2],
            PROTO_UDP,
            (p.len() - 20) as u32,
        );
        s.add(&p[20..]);
        assert_eq!(s.finish(), 0);
    }
}
