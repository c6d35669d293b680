//! What holds of every input: nothing panics, and what is written reads back.

use hearken_wire::{
    FastOpen, Flags, Options, SackBlocks, Sum, checksum, icmp, icmpv6, ipv4, ipv6, tcp,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

prop_compose! {
    fn sack()(blocks in vec(any::<(u32, u32)>(), 0..=4)) -> SackBlocks {
        let mut s = SackBlocks::NONE;
        for (a, b) in blocks {
            s.push(a, b);
        }
        s
    }
}

prop_compose! {
    fn fast_open()(len in prop_oneof![Just(0usize), (2usize..=8).prop_map(|n| n * 2)], bytes in any::<[u8; 16]>(),
            experimental in any::<bool>()) -> FastOpen {
        FastOpen::new(&bytes[..len], experimental).expect("an allowed length")
    }
}

prop_compose! {
    fn options(syn: bool)(
        mss in option::of(1u16..), wscale in option::of(any::<u8>()), sack_permitted in any::<bool>(),
        timestamps in option::of(any::<(u32, u32)>()), sack in sack(), fast_open in option::of(fast_open()),
    ) -> Options {
        if syn {
            Options { mss, wscale, sack_permitted, timestamps, fast_open, ..Options::NONE }
        } else {
            Options { timestamps, sack, ..Options::NONE }
        }
    }
}

/// Half of the option lists are nearly right, since random bytes end the reading at once.
fn option_bytes() -> impl Strategy<Value = Vec<u8>> {
    let one = (
        prop_oneof![
            Just(0u8),
            1u8..9,
            Just(19),
            Just(34),
            Just(254),
            any::<u8>()
        ],
        0u8..14,
        vec(any::<u8>(), 0..12),
    );
    let near = vec(one, 0..6).prop_map(|list| {
        let mut b = Vec::new();
        for (kind, len, body) in list {
            b.push(kind);
            if kind > 1 {
                b.push(len);
                b.extend(body);
            }
        }
        b.truncate(40);
        b
    });
    prop_oneof![vec(any::<u8>(), 0..=40), near]
}

proptest! {
    #[test]
    fn any_bytes_never_panic(b in vec(any::<u8>(), 0..120), first in prop_oneof![Just(0x45u8), Just(0x60), any::<u8>()],
            syn in any::<bool>(), addr in any::<[u8; 16]>()) {
        let mut b = b;
        if let Some(x) = b.first_mut() {
            *x = first;
        }
        let _ = ipv4::parse(&b);
        let _ = ipv4::parse_quoted(&b);
        let _ = ipv6::parse(&b);
        if let Some((_, at, _)) = ipv6::upper(&b) {
            prop_assert!(at <= b.len());
        }
        if let Ok((_, len)) = tcp::parse(&b) {
            prop_assert!((20..=60).contains(&len) && len <= b.len());
        }
        let _ = icmp::parse(&b);
        let _ = icmp::quoted(&b);
        let _ = icmpv6::parse(addr, addr, &b);
        let _ = icmpv6::quoted(&b);
        let _ = Options::parse(&b, syn);
        let _ = checksum::of(&b);
    }

    /// Extension headers chained at random: the walk ends, inside the packet.
    #[test]
    fn ipv6_extension_chains_end(chain in vec((prop_oneof![Just(0u8), Just(43), Just(44), Just(51), Just(60), Just(6)], 0u8..4,
            any::<[u8; 6]>()), 0..8), tail in vec(any::<u8>(), 0..40)) {
        let mut b = vec![0u8; 40];
        b[0] = 0x60;
        for (next, len, rest) in chain {
            b.push(next);
            b.push(len);
            b.extend(rest);
        }
        b.extend(tail);
        if let Some((_, at, _)) = ipv6::upper(&b) {
            prop_assert!((40..=b.len()).contains(&at));
        }
    }

    #[test]
    fn malformed_options_read_as_a_prefix_does(b in option_bytes(), syn in any::<bool>(), cut in 0usize..40) {
        // Bytes after the end of the list change nothing, and no input panics.
        let whole = Options::parse(&b, syn);
        let mut ended = b.clone();
        ended.push(0);
        ended.extend([2, 4, 5, 180, 8, 10, 1, 1, 1, 1, 1, 1, 1, 1]);
        let reread = Options::parse(&ended, syn);
        if options_are_whole(&b) {
            // Whether a malformed signature counts hangs on how much of the list is left behind it: not compared.
            prop_assert_eq!(Options { bad_auth: whole.bad_auth, ..reread }, whole);
        }
        let _ = Options::parse(&b[..cut.min(b.len())], syn);
        prop_assert!(whole.sack.len() <= 4);
        if !syn {
            prop_assert!(whole.mss.is_none() && whole.wscale.is_none() && whole.fast_open.is_none() && !whole.sack_permitted);
        }
    }

    #[test]
    fn syn_options_round_trip(o in options(true)) {
        let mut b = [0u8; 64];
        let n = o.emit(&mut b, true);
        prop_assert_eq!(n, o.len(true));
        prop_assert_eq!(n % 4, 0);
        prop_assert_eq!(Options::parse(&b[..n], true), o);
    }

    #[test]
    fn data_options_round_trip_as_far_as_they_fit(o in options(false)) {
        let mut b = [0u8; 64];
        let n = o.emit(&mut b, false);
        prop_assert!(n <= 40 && n == o.len(false));
        let back = Options::parse(&b[..n], false);
        let room = if o.timestamps.is_some() { 3 } else { 4 };
        prop_assert_eq!(back.timestamps, o.timestamps);
        prop_assert_eq!(back.sack.as_slice(), &o.sack.as_slice()[..o.sack.len().min(room)]);
    }

    #[test]
    fn tcp_headers_round_trip(ports in any::<(u16, u16)>(), seq in any::<u32>(), ack in any::<u32>(), flags in any::<u8>(),
            ae in any::<bool>(), window in any::<u16>(), urgent in any::<u16>(), syn_o in options(true), data_o in options(false)) {
        let flags = Flags(flags);
        let mut options = if flags.contains(Flags::SYN) { syn_o } else { data_o };
        if options.len(flags.contains(Flags::SYN)) > 40 {
            options.fast_open = None;
        }
        if options.timestamps.is_some() && options.sack.len() == 4 {
            options.sack = SackBlocks::NONE;
        }
        let h = tcp::Header { src_port: ports.0, dst_port: ports.1, seq, ack, flags, ae, window, urgent, options };
        let mut b = [0u8; 60];
        let n = h.emit(&mut b);
        prop_assert_eq!(n, h.len());
        prop_assert_eq!(tcp::parse(&b[..n]), Ok((h, n)));
        prop_assert!(tcp::parse(&b[..n - 1]).is_err());
    }

    #[test]
    fn ipv4_headers_round_trip(src in any::<[u8; 4]>(), dst in any::<[u8; 4]>(), p in any::<(u8, u8, u8)>(), id in any::<u16>(),
            df in any::<bool>(), mf in any::<bool>(), frag_offset in 0u16..0x2000, extra in 0u16..200, flip in 0usize..160) {
        let h = ipv4::Header { src, dst, protocol: p.0, ttl: p.1, tos: p.2, id, df, mf, frag_offset, total_len: 20 + extra };
        let mut b = vec![0u8; 20 + usize::from(extra)];
        prop_assert_eq!(h.emit(&mut b), 20);
        prop_assert_eq!(ipv4::parse(&b), Ok((h, 20)));
        // Every single wrong bit is noticed.
        b[flip / 8] ^= 1 << (flip % 8);
        prop_assert!(ipv4::parse(&b).is_err());
    }

    #[test]
    fn ipv6_headers_round_trip(src in any::<[u8; 16]>(), dst in any::<[u8; 16]>(), p in any::<(u8, u8, u8)>(),
            flow_label in 0u32..1 << 20, payload_len in 0u16..100) {
        let h = ipv6::Header { src, dst, next_header: p.0, hop_limit: p.1, traffic_class: p.2, flow_label, payload_len };
        let mut b = vec![0u8; 40 + usize::from(payload_len)];
        prop_assert_eq!(h.emit(&mut b), 40);
        prop_assert_eq!(ipv6::parse(&b), Ok((h, 40)));
    }

    #[test]
    fn checksum_is_the_same_however_it_is_cut(pieces in vec(vec(any::<u8>(), 0..70), 0..8)) {
        let whole: Vec<u8> = pieces.concat();
        let mut want = 0u32;
        for w in whole.chunks(2) {
            want += u32::from(w[0]) << 8 | u32::from(*w.get(1).unwrap_or(&0));
        }
        while want > 0xffff {
            want = (want & 0xffff) + (want >> 16);
        }
        let mut s = Sum::new();
        pieces.iter().for_each(|p| s.add(p));
        prop_assert_eq!(s.finish(), !(want as u16));
        prop_assert_eq!(checksum::of(&whole), s.finish());
    }
}

/// Whether the list ends exactly at its end, so that an end-of-list byte can follow.
fn options_are_whole(mut b: &[u8]) -> bool {
    loop {
        match b {
            [] => return true,
            [0, ..] => return true,
            [1, rest @ ..] => b = rest,
            [_, len, ..] if *len >= 2 && usize::from(*len) <= b.len() => {
                b = &b[usize::from(*len)..]
            }
            _ => return false,
        }
    }
}
