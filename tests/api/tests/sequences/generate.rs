//! Which sequences are likely: weights that bring listeners, half-open connections and children about in a few operations.

use hearken_abi::sock::*;
use proptest::prelude::*;
use proptest::sample::select;

use crate::op::{ICMPS, Offer, Op, PEER_PORTS, PORTS, SOCKOPTS, SYSCTLS, Seg, Stamp, To};

fn place() -> impl Strategy<Value = u8> {
    prop_oneof![5 => 0u8..2, 3 => 0u8..4, 1 => 0u8..8]
}

fn flow() -> impl Strategy<Value = u8> {
    prop_oneof![4 => Just(0u8), 2 => 0u8..2, 1 => 0u8..4]
}

fn to() -> impl Strategy<Value = To> {
    prop_oneof![
        3 => select(&[To::Any4, To::Any6][..]),
        3 => select(&[To::Loop4, To::Loop6, To::Own4, To::Own6][..]),
        2 => select(&To::ALL[..]),
    ]
}

fn port() -> impl Strategy<Value = u16> {
    prop_oneof![1 => Just(0u16), 4 => Just(PORTS[0]), 3 => select(&PORTS[..])]
}

fn target() -> impl Strategy<Value = (To, u16)> {
    prop_oneof![
        4 => (to(), port()),
        3 => (select(&[To::Peer4, To::Peer6, To::MappedPeer][..]), select(&PEER_PORTS[..])),
    ]
}

fn offset() -> impl Strategy<Value = i32> {
    prop_oneof![
        8 => Just(0),
        1 => select(&[-1, 1, -2, 2, 100, -100, 1000, -1000, 70_000, -70_000, i32::MAX, i32::MIN][..]),
    ]
}

fn segment() -> impl Strategy<Value = Seg> {
    let flags = prop_oneof![
        6 => select(&["A", "PA", "FA", "R", "RA"][..]),
        3 => select(&["S", "SA", "A", "PA", "F", "", "P", "SF", "SR", "FPA", "SEC", "EA", "CA", "SFA", "FRA"][..]),
    ];
    let len = prop_oneof![4 => Just(0u16), 2 => select(&[1u16, 10, 100, 1000][..])];
    // None so small that the memory of tiny segments, not their bytes, fills a send buffer.
    let window = prop_oneof![6 => Just(65535u16), 1 => select(&[0u16, 500, 2000][..])];
    let stamp =
        prop_oneof![10 => Just(Stamp::Right), 1 => Just(Stamp::Old), 1 => Just(Stamp::Missing)];
    (flow(), flags, offset(), offset(), len, window, stamp).prop_map(
        |(flow, flags, seq, ack, len, window, stamp)| Seg {
            flow,
            flags,
            seq,
            ack,
            len,
            window,
            stamp,
        },
    )
}

fn set() -> impl Strategy<Value = Op> {
    (place(), 0..SOCKOPTS.len(), any::<usize>()).prop_map(|(at, option, value)| Op::Set {
        at,
        option,
        value: value % SOCKOPTS[option].2.len(),
    })
}

fn sysctl() -> impl Strategy<Value = Op> {
    (0..SYSCTLS.len(), any::<usize>()).prop_map(|(name, value)| Op::Sysctl {
        name,
        value: value % SYSCTLS[name].1.len(),
    })
}

fn syn() -> impl Strategy<Value = Op> {
    let offer = prop_oneof![3 => Just(Offer::Everything), 4 => select(&Offer::ALL[..])];
    let port = prop_oneof![3 => Just(0usize), 1 => 0..PORTS.len()];
    (any::<bool>(), 0..PEER_PORTS.len(), port, offer).prop_map(|(v6, peer, port, offer)| Op::Syn {
        v6,
        peer,
        port,
        offer,
    })
}

/// One operation.
fn op() -> impl Strategy<Value = Op> {
    let flags = || select(&[0, MSG_PEEK, MSG_WAITALL, MSG_OOB, MSG_TRUNC][..]);
    let events = select(
        &[
            1u32,
            1 | 4,
            1 | 1 << 31,
            1 | 4 | 0x2000 | 1 << 31,
            1 | 1 << 30,
            4 | 1 << 31,
        ][..],
    );
    prop_oneof![
        4 => any::<bool>().prop_map(|v6| Op::Socket { v6 }),
        5 => (place(), to(), port()).prop_map(|(at, to, port)| Op::Bind { at, to, port }),
        5 => (place(), select(&[-1, 0, 1, 2, 5][..])).prop_map(|(at, backlog)| Op::Listen { at, backlog }),
        5 => place().prop_map(|at| Op::Accept { at }),
        5 => (place(), target()).prop_map(|(at, (to, port))| Op::Connect { at, to, port }),
        1 => place().prop_map(|at| Op::Disconnect { at }),
        2 => (place(), -1..4).prop_map(|(at, how)| Op::Shutdown { at, how }),
        2 => place().prop_map(|at| Op::Close { at }),
        1 => place().prop_map(|at| Op::Dup { at }),
        2 => (place(), select(&[0usize, 1, 10, 100, 2000][..]), select(&[0, MSG_MORE][..]))
            .prop_map(|(at, len, flags)| Op::Send { at, len, flags }),
        1 => (place(), target(), select(&[0usize, 10][..]))
            .prop_map(|(at, (to, port), len)| Op::FastOpen { at, to, port, len }),
        3 => (place(), select(&[0usize, 1, 10, 4000][..]), flags())
            .prop_map(|(at, len, flags)| Op::Recv { at, len, flags }),
        6 => set(),
        1 => (place(), 0..SOCKOPTS.len()).prop_map(|(at, option)| Op::Get { at, option }),
        1 => place().prop_map(|at| Op::LingerZero { at }),
        1 => (place(), select(&["", "lo", "tun0", "eth9"][..])).prop_map(|(at, device)| Op::BindToDevice { at, device }),
        1 => place().prop_map(|at| Op::Error { at }),
        1 => (place(), select(&[SIOCINQ, SIOCOUTQ, SIOCOUTQNSD, SIOCATMARK][..]))
            .prop_map(|(at, request)| Op::Ioctl { at, request }),
        2 => (place(), events).prop_map(|(at, events)| Op::Watch { at, events }),
        3 => sysctl(),
        6 => syn(),
        14 => segment().prop_map(Op::Segment),
        1 => (flow(), 0..ICMPS.len(), offset()).prop_map(|(flow, error, seq)| Op::Icmp { flow, error, seq }),
    ]
}

/// A sequence: now and then from nothing, mostly with a socket or a listener to begin with, which shrinking takes away again.
pub(crate) fn sequence() -> impl Strategy<Value = Vec<Op>> {
    let listener = |v6| {
        vec![
            Op::Socket { v6 },
            Op::Bind {
                at: 0,
                to: if v6 { To::Any6 } else { To::Any4 },
                port: PORTS[0],
            },
            Op::Listen { at: 0, backlog: 5 },
        ]
    };
    let start = prop_oneof![
        1 => Just(Vec::new()),
        2 => any::<bool>().prop_map(|v6| vec![Op::Socket { v6 }]),
        4 => any::<bool>().prop_map(listener),
    ];
    (start, prop::collection::vec(op(), 3..25)).prop_map(|(mut start, rest)| {
        start.extend(rest);
        start
    })
}
