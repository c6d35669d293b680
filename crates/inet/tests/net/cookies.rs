//! SYN cookies (docs/linux 78 to 86).

use crate::common::*;
use core::time::Duration;
use hearken_abi::Counter;
use hearken_inet::*;

fn with_cookies(mode: &str, backlog: u32) -> (Pair, SocketId) {
    let mut p = Pair::new();
    p.b.sysctl_set("net.ipv4.tcp_syncookies", mode).unwrap();
    let l = p.listen("[::]:80", backlog);
    (p, l)
}

#[test]
fn cookie_connection_keeps_its_options_through_the_timestamp() {
    for target in ["10.0.0.2:80", "[fd00::2]:80"] {
        let (mut p, l) = with_cookies("2", 5);
        let c = p.connect(target);
        p.settle();
        let acc = p.b.accept(p.now, l).unwrap();
        let (ours, theirs) = (p.a.tcp_info(p.now, c), p.b.tcp_info(p.now, acc.socket));
        assert_eq!(theirs.options & 7, 7, "timestamps, SACK, window scale");
        assert_eq!(theirs.snd_wscale, ours.rcv_wscale);
        assert_eq!(theirs.rcv_wscale, ours.snd_wscale);
        write(&mut p.a, p.now, c, b"x").unwrap();
        p.settle();
        assert_eq!(read(&mut p.b, p.now, acc.socket).unwrap(), b"x");
        let get = |c| p.b.mib().get(c);
        assert_eq!(get(Counter::SyncookiesSent), 1);
        assert_eq!(get(Counter::SyncookiesRecv), 1);
        assert_eq!(get(Counter::SyncookiesFailed), 0);
        assert_eq!(get(Counter::TcpReqQFullDoCookies), 1);
        assert_eq!(get(Counter::TcpPassiveOpens), 1);
    }
}

#[test]
fn cookie_without_timestamps_carries_the_mss_only() {
    let (mut p, l) = with_cookies("2", 5);
    p.a.sysctl_set("net.ipv4.tcp_timestamps", "0").unwrap();
    p.connect("10.0.0.2:80");
    p.settle();
    let acc = p.b.accept(p.now, l).unwrap();
    let i = p.b.tcp_info(p.now, acc.socket);
    assert_eq!((i.options & 7, i.snd_wscale, i.snd_mss), (0, 0, 1460));
}

#[test]
fn cookies_answer_only_beyond_the_syn_queue_in_mode_1() {
    let (mut p, l) = with_cookies("1", 2);
    // The client's ACKs are lost: its SYNs stay half-open.
    p.lose = Box::new(|_, f| f[32 + 1] & 0x12 == 0x12 || f[33] == 0x10);
    for _ in 0..5 {
        p.connect("10.0.0.2:80");
        p.settle();
    }
    assert_eq!(p.b.mib().get(Counter::SyncookiesSent), 2);
    let half_open =
        p.b.diag()
            .iter()
            .filter(|r| r.state == TcpState::SynRecv)
            .count();
    assert_eq!(half_open, 3, "limit + 1");
    assert_eq!(p.b.accept_queue(l), Some((0, 2)));
}

#[test]
fn cookie_older_than_two_minutes_fails() {
    let (mut p, l) = with_cookies("2", 5);
    // Hold back the handshake's ACK.
    p.lose = Box::new(|_, f| f[33] == 0x10);
    p.connect("10.0.0.2:80");
    p.settle();
    let ack = p.trace.last().unwrap().clone();
    let give = |p: &mut Pair| {
        let frame = RxFrame {
            meta: RxMeta::default(),
            head: &ack,
            body: &[],
        };
        p.b.handle_frames(p.now, ETH, &[frame]);
    };
    let mut forged = ack.clone();
    forged[28] ^= 1;
    let sum = u16::from_be_bytes([forged[36], forged[37]]);
    // The checksum follows the flipped bit of the acknowledgment number.
    let fixed = if forged[28] & 1 == 1 {
        sum.wrapping_sub(0x100)
    } else {
        sum.wrapping_add(0x100)
    };
    forged[36..38].copy_from_slice(&fixed.to_be_bytes());
    p.b.handle_frames(
        p.now,
        ETH,
        &[RxFrame {
            meta: RxMeta {
                csum: RxCsum::Valid,
                gso_size: 0,
            },
            head: &forged,
            body: &[],
        }],
    );
    assert_eq!(p.b.mib().get(Counter::SyncookiesFailed), 1);
    assert_eq!(p.b.accept_queue(l), Some((0, 5)));
    for (later, waiting, failed) in [(59, 1, 1), (180, 1, 2)] {
        p.now = p.now + Duration::from_secs(later);
        if failed == 2 {
            // The ACK of another tuple's cookie keeps the listener armed; this one is too old.
            let old = p.b.accept(p.now, l).unwrap().socket;
            p.b.abort(p.now, old);
        }
        p.lose = Box::new(|_, f| f[33] == 0x10);
        p.connect("10.0.0.2:80");
        p.settle();
        give(&mut p);
        let n = if failed == 2 { 0 } else { waiting };
        assert_eq!(p.b.accept_queue(l), Some((n, 5)), "after {later} s");
        assert_eq!(p.b.mib().get(Counter::SyncookiesFailed), failed);
    }
}

#[test]
fn cookie_ack_at_a_full_accept_queue_is_dropped() {
    let (mut p, l) = with_cookies("2", 0);
    p.connect("10.0.0.2:80");
    p.settle();
    assert_eq!(p.b.accept_queue(l), Some((1, 0)));
    p.connect("10.0.0.2:80");
    p.settle();
    let get = |c| p.b.mib().get(c);
    assert_eq!(
        (get(Counter::ListenOverflows), get(Counter::ListenDrops)),
        (1, 1)
    );
    assert_eq!(get(Counter::TcpReqQFullDoCookies), 2);
    assert_eq!(get(Counter::SyncookiesSent), 1);
}
