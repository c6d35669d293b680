//! What a SYN cookie carries, bit by bit, and for how long it is believed (docs/linux 80 to 85).

use crate::common::peer::*;
use hearken_abi::Counter;
use hearken_inet::*;
use hearken_wire::{Flags, Options};

/// Cookies for every SYN, timestamps without offset.
fn server(now: Instant) -> (Peer, SocketId) {
    let mut p = Peer::new();
    p.now = now;
    p.net.sysctl_set("net.ipv4.tcp_syncookies", "2").unwrap();
    p.net.sysctl_set("net.ipv4.tcp_timestamps", "2").unwrap();
    p.net.sysctl_set("net.ipv4.tcp_ecn", "1").unwrap();
    let l = p.listen();
    (p, l)
}

const MINUTE: u64 = 60_000_000_000;

#[test]
fn cookie_timestamp_is_the_newest_that_carries_the_options_and_is_not_ahead() {
    let ecn = SYN.with(Flags::ECE).with(Flags::CWR);
    for (flags, wscale, sack, bits) in [
        (SYN, Some(7), true, 0x17),
        (SYN, Some(7), false, 0x07),
        (SYN, None, true, 0x1f),
        (ecn, Some(2), true, 0x32),
        (ecn, None, false, 0x2f),
    ] {
        // Below, at and above the bits in the low part of the clock.
        for low in [0, bits - 1, bits, bits + 1, 63] {
            let ms: u32 = 64 * 1000 + low;
            let (mut p, l) = server(Instant(u64::from(ms) * 1_000_000));
            p.options = Options {
                wscale,
                sack_permitted: sack,
                timestamps: Some((500, 0)),
                ..Peer::syn_options()
            };
            let h = p.say(flags, &[])[0].h;
            let (val, ecr) = h.options.timestamps.unwrap();
            let want = (0..=ms).rev().find(|t| t % 64 == bits).unwrap();
            assert_eq!((val, ecr), (want, 500), "bits {bits:#x} at {low}");
            assert_eq!(h.flags.contains(Flags::ECE), flags == ecn);
            // And what comes back of them.
            p.ack = h.seq.wrapping_add(1);
            p.options = Options {
                timestamps: Some((501, val)),
                ..Options::NONE
            };
            p.say(ACK, &[]);
            let child = p.net.accept(p.now, l).unwrap().socket;
            let i = p.net.tcp_info(p.now, child);
            let granted = 1
                | u8::from(sack) << 1
                | u8::from(wscale.is_some()) << 2
                | u8::from(flags == ecn) << 3;
            assert_eq!(i.options & 0xf, granted, "bits {bits:#x}");
            assert_eq!(i.snd_wscale, wscale.unwrap_or(0));
            assert_eq!(i.rcv_wscale, h.options.wscale.unwrap_or(0));
        }
    }
}

/// Whether the ACK of a cookie that was sent at `sent` opens a connection at `back`; `fresh`: another cookie left just
/// before, so that the listener still looks.
fn opens(sent: u64, back: u64, fresh: bool) -> bool {
    let (mut p, l) = server(Instant(sent));
    let ack = p.say(SYN, &[])[0].h.seq.wrapping_add(1);
    let seq = p.seq;
    p.now = Instant(back);
    if fresh {
        p.port += 1;
        p.put(SYN, 5, 0, &[]);
        p.out();
        p.port -= 1;
    }
    p.put(ACK, seq, ack, &[]);
    let out = p.out();
    let opened = p.net.accept(p.now, l).is_ok();
    assert_eq!(out.iter().any(|s| s.has(RST)), !opened);
    assert_eq!(
        p.count(Counter::SyncookiesFailed),
        u64::from(!opened && fresh)
    );
    opened
}

#[test]
fn cookie_is_believed_in_its_minute_and_the_next() {
    for minute in [1, 7, 255, 256, 300] {
        let start = minute * MINUTE;
        assert!(opens(start, start + 2 * MINUTE - 1, true), "{minute}");
        assert!(!opens(start, start + 2 * MINUTE, true), "{minute}");
        assert!(opens(start + MINUTE - 1, start + 2 * MINUTE - 1, true));
        assert!(!opens(start + MINUTE - 1, start + 3 * MINUTE - 1, true));
    }
}

#[test]
fn listener_looks_for_cookies_for_120_seconds_after_the_last() {
    let (mut p, _) = server(Instant(MINUTE));
    p.say(SYN, &[]);
    for (at, failed) in [(120 * 1_000_000_000 - 1, 1), (120 * 1_000_000_000, 1)] {
        p.now = Instant(MINUTE + at);
        p.port = 9;
        p.put(ACK, 5, 6, &[]);
        assert!(p.out()[0].has(RST));
        assert_eq!(p.count(Counter::SyncookiesFailed), failed);
    }
}

#[test]
fn cookie_with_another_tuple_or_number_fails() {
    let (mut p, l) = server(Instant(MINUTE));
    let ack = p.say(SYN, &[])[0].h.seq.wrapping_add(1);
    let seq = p.seq;
    for (port, seq, ack) in [
        (4001, seq, ack),
        (4000, seq + 1, ack),
        (4000, seq, ack + 4),
        (4000, seq, ack ^ 1 << 24),
        (4000, seq, ack ^ 1 << 23),
    ] {
        p.port = port;
        p.put(ACK, seq, ack, &[]);
        assert!(p.out()[0].has(RST));
        assert!(p.net.accept(p.now, l).is_err());
    }
    assert_eq!(p.count(Counter::SyncookiesFailed), 5);
    p.port = 4000;
    p.put(ACK, seq, ack, &[]);
    assert!(p.net.accept(p.now, l).is_ok());
}

#[test]
fn cookie_carries_the_largest_mss_class_that_is_not_above() {
    for (mss, want) in [
        (500, 500),
        (536, 536),
        (1299, 536),
        (1300, 1300),
        (1440, 1440),
        (1459, 1440),
        (1460, 1460),
        (9000, 1460),
    ] {
        let (mut p, l) = server(Instant(MINUTE));
        p.options = Options {
            mss: Some(mss),
            ..Options::NONE
        };
        p.ack = p.say(SYN, &[])[0].h.seq.wrapping_add(1);
        p.options = Options::NONE;
        p.say(ACK, &[]);
        let child = p.net.accept(p.now, l).unwrap().socket;
        let got = p.net.tcp_info(p.now, child).snd_mss;
        assert_eq!(got, want.max(536), "{mss}");
    }
}
