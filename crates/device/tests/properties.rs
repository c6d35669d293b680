//! What holds of every packet: a cut super-frame is the same bytes, and no packet panics.

use hearken_device::segment;
use hearken_wire::{Flags, Options, ipv4, ipv6, tcp};
use proptest::collection::vec;
use proptest::prelude::*;

fn packet(v6: bool, seq: u32, flags: Flags, payload: &[u8]) -> Vec<u8> {
    let t = tcp::Header {
        src_port: 1,
        dst_port: 2,
        seq,
        flags,
        options: Options {
            timestamps: Some((1, 2)),
            ..Options::NONE
        },
        ..tcp::Header::default()
    };
    let ip = if v6 { 40 } else { 20 };
    let mut b = vec![0; ip + t.len()];
    let upper = (t.len() + payload.len()) as u16;
    if v6 {
        let h = ipv6::Header {
            next_header: 6,
            payload_len: upper,
            ..ipv6::Header::default()
        };
        h.emit(&mut b);
    } else {
        let h = ipv4::Header {
            protocol: 6,
            total_len: 20 + upper,
            ..ipv4::Header::default()
        };
        h.emit(&mut b);
    }
    t.emit(&mut b[ip..]);
    b.extend_from_slice(payload);
    b
}

proptest! {
    #[test]
    fn split_segments_join_to_the_same_stream(v6 in any::<bool>(), seq in any::<u32>(), flags in any::<u8>(),
            payload in vec(any::<u8>(), 0..5000), gso in 1usize..2000) {
        let flags = Flags(flags).without(Flags::SYN);
        let mut p = packet(v6, seq, flags, &payload);
        let (mut joined, mut seen) = (Vec::new(), Flags::NONE);
        let mut error = None;
        segment::split(&mut p, gso, &mut |head, body| {
            let s = [head, body].concat();
            let at = if v6 { 40 } else { 20 };
            let sound = if v6 {
                ipv6::parse(&s).is_ok_and(|(h, _)| {
                    usize::from(h.payload_len) == s.len() - 40 && tcp::verify_v6(h.src, h.dst, &[&s[40..]])
                })
            } else {
                ipv4::parse(&s).is_ok_and(|(h, _)| {
                    usize::from(h.total_len) == s.len() && tcp::verify_v4(h.src, h.dst, &[&s[20..]])
                })
            };
            match tcp::parse(&s[at..]) {
                Ok((h, len)) if sound && h.seq == seq.wrapping_add(joined.len() as u32) && s.len() - at - len <= gso => {
                    joined.extend_from_slice(&s[at + len..]);
                    seen |= h.flags;
                }
                other => error = Some(format!("{other:?} sound {sound}")),
            }
        });
        prop_assert_eq!(error, None);
        prop_assert_eq!(joined, payload);
        prop_assert_eq!(seen, flags);
    }

    #[test]
    fn split_any_bytes_never_panics(b in vec(any::<u8>(), 0..200), first in prop_oneof![Just(0x45u8), Just(0x60), any::<u8>()],
            protocol in prop_oneof![Just(6u8), Just(17), Just(58), any::<u8>()], gso in 0usize..100) {
        let mut b = b;
        for (at, v) in [(0, first), (6, protocol), (9, protocol)] {
            if let Some(x) = b.get_mut(at) {
                *x = v;
            }
        }
        let len = b.len();
        let mut total = 0;
        segment::split(&mut b, gso, &mut |head, body| total += head.len() + body.len());
        prop_assert!(total >= len || total == 0);
    }
}
