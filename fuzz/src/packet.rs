//! Packets from the peer (10.0.0.1, fd00::1) to the namespace (10.0.0.2, fd00::2), and what makes a mutated one pass the checksums.

use hearken_device::segment;
use hearken_wire::{Flags, PROTO_ICMP, PROTO_TCP, checksum, ipv4, ipv6, tcp};

pub(crate) const HERE4: [u8; 4] = [10, 0, 0, 2];
pub(crate) const THERE4: [u8; 4] = [10, 0, 0, 1];
pub(crate) const HERE6: [u8; 16] = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
pub(crate) const THERE6: [u8; 16] = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/// An IP packet around `payload`, at most 65,000 bytes; transport checksums are not filled in.
pub(crate) fn wrap(v6: bool, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let payload = &payload[..payload.len().min(65_000)];
    let mut b = vec![0; if v6 { ipv6::LEN } else { 20 }];
    if v6 {
        ipv6::Header {
            src: THERE6,
            dst: HERE6,
            next_header: protocol,
            hop_limit: 255,
            traffic_class: 0,
            flow_label: 0,
            payload_len: payload.len() as u16,
        }
        .emit(&mut b);
    } else {
        ipv4::Header {
            src: THERE4,
            dst: HERE4,
            protocol,
            ttl: 64,
            total_len: (20 + payload.len()) as u16,
            ..ipv4::Header::default()
        }
        .emit(&mut b);
    }
    b.extend_from_slice(payload);
    b
}

/// Where the transport header of an unfragmented packet stands, and its protocol.
pub(crate) fn transport(b: &[u8]) -> Option<(u8, usize)> {
    match b.first()? >> 4 {
        4 => {
            let (h, at) = ipv4::parse_quoted(b).ok()?;
            (!h.is_fragment()).then_some((h.protocol, at))
        }
        6 => {
            let (protocol, at, fragment) = ipv6::upper(b)?;
            (!fragment).then_some((protocol, at))
        }
        _ => None,
    }
}

/// The payload of a TCP segment, with the sequence number of its first byte.
pub(crate) fn payload(b: &[u8]) -> Option<(u32, usize)> {
    let (_, at) = transport(b).filter(|t| t.0 == PROTO_TCP)?;
    let (h, len) = tcp::parse(b.get(at..)?).ok()?;
    let syn = u32::from(h.flags.contains(Flags::SYN));
    Some((h.seq.wrapping_add(syn), at + len))
}

/// Makes the payload of a TCP segment what the stream has there: the low byte of each byte's sequence number.
pub(crate) fn fill(b: &mut [u8]) {
    if let Some((seq, at)) = payload(b) {
        for (i, x) in b.iter_mut().skip(at).enumerate() {
            *x = seq.wrapping_add(i as u32) as u8;
        }
    }
}

/// Makes lengths and checksums right.
pub(crate) fn repair(b: &mut [u8]) {
    let len = b.len().min(0xffff) as u16;
    match b.first().map(|f| f >> 4) {
        Some(4) if b.len() >= 20 => {
            b[2..4].copy_from_slice(&len.to_be_bytes());
        }
        Some(6) if b.len() >= ipv6::LEN => {
            b[4..6].copy_from_slice(&(len - ipv6::LEN as u16).to_be_bytes());
        }
        _ => return,
    }
    if let Some((PROTO_ICMP, at)) = transport(b)
        && let Some(m) = b.get_mut(at..).filter(|m| m.len() >= 4)
    {
        m[2..4].fill(0);
        let sum = checksum::of(m).to_be_bytes();
        m[2..4].copy_from_slice(&sum);
    }
    segment::complete(b);
}

/// The fragments of a packet, cut after every `size` bytes (a multiple of 8) of its payload.
pub(crate) fn fragments(b: &[u8], id: u16, size: usize) -> Vec<Vec<u8>> {
    let v6 = b.first().is_some_and(|f| f >> 4 == 6);
    let at = if v6 { ipv6::LEN } else { 20 };
    let Some((head, data)) = b.split_at_checked(at) else {
        return Vec::new();
    };
    let size = (size & !7).max(8);
    let count = data.len().div_ceil(size);
    let one = |(n, piece): (usize, &[u8])| {
        let mut f = head.to_vec();
        let (offset, more) = ((n * size) as u16, u16::from(n + 1 < count));
        if v6 {
            f[6] = ipv6::FRAGMENT;
            f.extend_from_slice(&[head[6], 0]);
            f.extend_from_slice(&(offset | more).to_be_bytes());
            f.extend_from_slice(&u32::from(id).to_be_bytes());
        } else {
            f[4..6].copy_from_slice(&id.to_be_bytes());
            f[6..8].copy_from_slice(&((offset / 8) | (more << 13)).to_be_bytes());
        }
        f.extend_from_slice(piece);
        repair(&mut f);
        f
    };
    data.chunks(size).enumerate().map(one).collect()
}
