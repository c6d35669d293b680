//! A packet in words, as far as its headers say.

use std::net::{IpAddr, SocketAddr};

use hearken_wire::{Flags, ipv6, tcp};

use crate::event::Packet;

/// Describes an IP packet whose headers lie in `head`. What is too short or broken is described as
/// far as it goes: dropped packets are the ones that are looked at.
pub(crate) fn describe(head: &[u8], body: &[&[u8]]) -> Packet {
    let len = head.len() + body.iter().map(|b| b.len()).sum::<usize>();
    let network = match head.first().map(|b| b >> 4) {
        Some(4) => v4(head),
        Some(6) => v6(head),
        _ => None,
    };
    let Some((src, dst, protocol, skip)) = network else {
        return Packet {
            src: "?".into(),
            dst: "?".into(),
            proto: "?".into(),
            len,
            ..Packet::default()
        };
    };
    let rest = head.get(skip..).unwrap_or(&[]);
    let mut packet = Packet {
        src: src.to_string(),
        dst: dst.to_string(),
        proto: match protocol {
            6 => "tcp".to_owned(),
            17 => "udp".to_owned(),
            1 | 58 => "icmp".to_owned(),
            n => n.to_string(),
        },
        len: len.saturating_sub(skip),
        ..Packet::default()
    };
    if let (6 | 17, Some(&[s0, s1, d0, d1])) = (protocol, rest.first_chunk::<4>()) {
        packet.src = SocketAddr::new(src, u16::from_be_bytes([s0, s1])).to_string();
        packet.dst = SocketAddr::new(dst, u16::from_be_bytes([d0, d1])).to_string();
    }
    if protocol == 6
        && let Ok((header, header_len)) = tcp::parse(rest)
    {
        packet.flags = flags(header.flags);
        packet.seq = Some(header.seq);
        packet.len = packet.len.saturating_sub(header_len);
    } else if protocol == 17 {
        packet.len = packet.len.saturating_sub(8);
    }
    packet
}

type Network = (IpAddr, IpAddr, u8, usize);

/// Without any check: what is wrong in it may be why it was dropped.
fn v4(head: &[u8]) -> Option<Network> {
    let h = head.first_chunk::<20>()?;
    let end = |at: usize| IpAddr::from([h[at], h[at + 1], h[at + 2], h[at + 3]]);
    Some((end(12), end(16), h[9], usize::from(h[0] & 15) * 4))
}

fn v6(head: &[u8]) -> Option<Network> {
    let h = head.first_chunk::<{ ipv6::LEN }>()?;
    let end = |at: usize| {
        let mut a = [0u8; 16];
        a.copy_from_slice(&h[at..at + 16]);
        IpAddr::from(a)
    };
    let (protocol, skip, _) = ipv6::upper(head).unwrap_or((h[6], ipv6::LEN, false));
    Some((end(8), end(24), protocol, skip))
}

/// tcpdump's letters, in its order.
fn flags(flags: Flags) -> String {
    let letters = [
        (Flags::FIN, 'F'),
        (Flags::SYN, 'S'),
        (Flags::RST, 'R'),
        (Flags::PSH, 'P'),
        (Flags::ACK, '.'),
        (Flags::URG, 'U'),
        (Flags::ECE, 'E'),
        (Flags::CWR, 'W'),
    ];
    let set = letters.iter().filter(|(f, _)| flags.contains(*f));
    let text: String = set.map(|(_, letter)| *letter).collect();
    if text.is_empty() { "none".into() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hearken_wire::ipv4;

    fn syn() -> Vec<u8> {
        let mut b = vec![0u8; 40];
        ipv4::Header {
            src: [10, 0, 2, 2],
            dst: [10, 0, 2, 15],
            protocol: 6,
            ttl: 64,
            total_len: 40,
            ..ipv4::Header::default()
        }
        .emit(&mut b);
        tcp::Header {
            src_port: 4000,
            dst_port: 80,
            seq: 1000,
            flags: Flags::SYN.with(Flags::ACK),
            ..tcp::Header::default()
        }
        .emit(&mut b[20..]);
        b
    }

    #[test]
    fn packet_of_tcp_is_described_with_ports_flags_and_payload() {
        let p = describe(&syn(), &[b"hello"]);
        assert_eq!(
            (p.src.as_str(), p.dst.as_str()),
            ("10.0.2.2:4000", "10.0.2.15:80")
        );
        assert_eq!((p.flags.as_str(), p.seq, p.len), ("S.", Some(1000), 5));
    }

    #[test]
    fn packet_cut_anywhere_is_described_as_far_as_it_goes() {
        let whole = syn();
        for len in 0..whole.len() {
            let p = describe(&whole[..len], &[]);
            assert_eq!(p.src == "?", len < 20, "{len}");
            assert_eq!(p.src == "10.0.2.2:4000", len >= 24, "{len}");
        }
        assert_eq!(describe(&[0xff; 60], &[]).proto, "?");
    }
}
