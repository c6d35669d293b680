//! Segments whose option list Linux does not take (docs/linux/option-list.md).

use crate::common::*;
use hearken_abi::{Counter, DropReason};
use hearken_inet::*;
use hearken_wire::{Flags, checksum, ipv4, tcp};

/// A segment from 10.0.0.1 to 10.0.0.2 with these 20 bytes of options.
fn segment(to: u16, flags: Flags, list: [u8; 20]) -> Vec<u8> {
    let mut b = vec![0u8; 60];
    ipv4::Header {
        src: [10, 0, 0, 1],
        dst: [10, 0, 0, 2],
        protocol: 6,
        ttl: 64,
        total_len: 60,
        ..ipv4::Header::default()
    }
    .emit(&mut b);
    tcp::Header {
        src_port: 4000,
        dst_port: to,
        seq: 1000,
        ack: 5,
        flags,
        window: 1000,
        ..tcp::Header::default()
    }
    .emit(&mut b[20..]);
    b[32] = 10 << 4;
    b[40..].copy_from_slice(&list);
    let mut sum = checksum::Sum::pseudo_v4([10, 0, 0, 1], [10, 0, 0, 2], 6, 40);
    sum.add(&b[20..]);
    tcp::set_checksum(&mut b[20..], sum.finish());
    b
}

/// What `b` answers.
fn answers(p: &mut Pair, frame: &[u8]) -> usize {
    let frame = RxFrame {
        meta: RxMeta::default(),
        head: frame,
        body: &[],
    };
    p.b.handle_frames(p.now, ETH, &[frame]);
    let mut w = Wire {
        frames: Vec::new(),
        gso: false,
    };
    p.b.poll_transmit(p.now, ETH, &mut w);
    w.frames.len()
}

fn bad() -> [u8; 20] {
    let mut list = [0; 20];
    list[0] = 5;
    list
}

fn md5() -> [u8; 20] {
    let mut list = [1; 20];
    list[..2].copy_from_slice(&[19, 18]);
    list
}

#[test]
fn bad_list_is_dropped_uncounted_at_listener_request_and_closed_port() {
    let mut p = Pair::new();
    p.listen("10.0.0.2:80", 5);
    for flags in [Flags::SYN, Flags::ACK] {
        assert_eq!(answers(&mut p, &segment(80, flags, bad())), 0);
        assert_eq!(answers(&mut p, &segment(999, flags, bad())), 0);
        assert_eq!(answers(&mut p, &segment(999, flags, [1; 20])), 1);
    }
    assert_eq!(p.b.drops().get(DropReason::TcpAuthHdr), 2);
    assert_eq!(p.b.mib().get(Counter::TcpMd5Unexpected), 0);
    assert_eq!(answers(&mut p, &segment(80, Flags::SYN, [1; 20])), 1);
    assert_eq!(answers(&mut p, &segment(80, Flags::RST, bad())), 0);
    assert_eq!(p.b.drops().get(DropReason::TcpAuthHdr), 3);
    assert_eq!(p.b.diag().len(), 2, "the request stays");
}

#[test]
fn md5_signature_without_a_key_is_dropped_and_counted() {
    let mut p = Pair::new();
    p.listen("10.0.0.2:80", 5);
    assert_eq!(answers(&mut p, &segment(80, Flags::SYN, md5())), 0);
    assert_eq!(answers(&mut p, &segment(80, Flags::ACK, md5())), 0);
    assert_eq!(p.b.mib().get(Counter::TcpMd5Unexpected), 2);
    assert_eq!(p.b.drops().get(DropReason::TcpMd5unexpected), 2);
    assert_eq!(answers(&mut p, &segment(999, Flags::ACK, md5())), 0);
    assert_eq!(p.b.mib().get(Counter::TcpMd5Unexpected), 2);
}
