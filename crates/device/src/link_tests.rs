use super::*;
use crate::segment::tests::{check, packet};
use hearken_wire::Flags;
use std::sync::{Arc, Mutex};

const PARTIAL: TxCsum = TxCsum::Partial {
    start: 20,
    offset: 16,
};

fn send(link: &mut Link, now: Instant, from: Side, p: &[u8], gso_size: u16) {
    let meta = TxMeta {
        csum: PARTIAL,
        gso_size,
        flow: 0,
    };
    let (head, body) = p.split_at(52);
    let (one, two) = body.split_at(body.len() / 2);
    link.sink(now, from).send(&meta, head, &[one, two]);
}

fn take(link: &mut Link, now: Instant, to: Side) -> Vec<(RxMeta, Vec<u8>)> {
    let mut got = Vec::new();
    link.deliver(now, to, &mut |frames| {
        for f in frames {
            got.push((f.meta, [f.head, &f.body.concat()].concat()));
        }
    });
    got
}

fn lossy(loss: f64, seed: u64) -> Link {
    Link::new(LinkConfig {
        loss,
        seed,
        ..LinkConfig::default()
    })
}

#[test]
fn link_lossless_passes_super_frame_whole_and_trusted() {
    let mut link = Link::new(LinkConfig::default());
    let p = packet(false, Flags::ACK, &[9; 30_000]);
    send(&mut link, Instant(5), Side::A, &p, 1448);
    assert_eq!(take(&mut link, Instant(5), Side::A), []);
    let got = take(&mut link, Instant(5), Side::B);
    let meta = RxMeta {
        csum: RxCsum::Partial,
        gso_size: 1448,
    };
    assert_eq!(got, [(meta, p)]);
    assert_eq!(link.next_due(), None);
    assert_eq!(link.stats(Side::B).bytes, 30_052);
}

#[test]
fn link_delay_holds_frames_until_they_are_due() {
    let mut link = Link::new(LinkConfig {
        delay: Duration::from_millis(20),
        ..LinkConfig::default()
    });
    let p = packet(false, Flags::ACK, b"");
    for i in 0..100 {
        send(&mut link, Instant(i), Side::B, &p, 0);
    }
    assert_eq!(link.next_due(), Some(Instant(20_000_000)));
    assert_eq!(link.next_due_at(Side::B), None);
    assert_eq!(take(&mut link, Instant(19_999_999), Side::A).len(), 0);
    assert_eq!(take(&mut link, Instant(20_000_009), Side::A).len(), 10);
    assert_eq!(take(&mut link, Instant::FAR, Side::A).len(), 90);
}

#[test]
fn link_loss_takes_segments_one_by_one_and_the_same_seed_the_same_ones() {
    let run = |seed| {
        let mut link = lossy(0.2, seed);
        let mut payload = Vec::new();
        for _ in 0..20 {
            let p = packet(false, Flags::ACK, &[1; 20_000]);
            send(&mut link, Instant(0), Side::A, &p, 1000);
            for (meta, bytes) in take(&mut link, Instant(0), Side::B) {
                assert_eq!((meta.gso_size, meta.csum), (0, RxCsum::Valid));
                let (h, data) = check(&bytes);
                assert_eq!(data.len(), 1000);
                payload.push(h.seq);
            }
        }
        let stats = *link.stats(Side::B);
        assert_eq!(stats.packets + stats.lost, 400);
        assert!((50..110).contains(&stats.lost), "{stats:?}");
        payload
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn link_loss_of_single_frames_is_counted_and_seen_by_the_tap() {
    let mut link = lossy(0.5, 3);
    let seen = Arc::new(Mutex::new((0u64, 0u64)));
    let tap = Arc::clone(&seen);
    link.set_tap(Some(Box::new(move |f| {
        check(f.packet);
        assert_eq!(f.from, Side::B);
        let mut s = tap.lock().expect("tap");
        s.0 += 1;
        s.1 += u64::from(f.lost);
    })));
    let p = packet(false, Flags::ACK, b"abc");
    let mut arrived = 0;
    for i in 0..200 {
        send(&mut link, Instant(i), Side::B, &p, 0);
        arrived += take(&mut link, Instant(i), Side::A).len() as u64;
    }
    let (all, lost) = *seen.lock().expect("tap");
    assert_eq!((all, lost), (200, link.stats(Side::A).lost));
    assert_eq!(arrived + lost, 200);
    assert!((60..140).contains(&lost));
}

#[test]
fn link_tap_sees_super_frames_with_completed_checksums() {
    let mut link = Link::new(LinkConfig::default());
    link.set_tap(Some(Box::new(|f| {
        assert_eq!(f.gso_size, 1448);
        assert_eq!(check(f.packet).1.len(), 5000);
    })));
    for v6 in [false, true] {
        let p = packet(v6, Flags::ACK, &[3; 5000]);
        send(&mut link, Instant(0), Side::A, &p, 1448);
    }
    assert_eq!(take(&mut link, Instant(0), Side::B).len(), 2);
}

#[test]
fn link_full_queue_has_no_room_and_drops() {
    let mut link = Link::new(LinkConfig::default());
    let p = packet(false, Flags::ACK, b"");
    assert_eq!(link.sink(Instant(0), Side::A).room(), 1000);
    for _ in 0..1001 {
        send(&mut link, Instant(0), Side::A, &p, 0);
    }
    assert_eq!(link.sink(Instant(0), Side::A).room(), 0);
    assert_eq!(link.stats(Side::B).overflowed, 1);
    assert_eq!(take(&mut link, Instant(0), Side::B).len(), 1000);
    let p = packet(false, Flags::ACK, &[0; 60_000]);
    for _ in 0..100 {
        send(&mut link, Instant(0), Side::A, &p, 1448);
    }
    assert_eq!(link.sink(Instant(0), Side::A).room(), 0);
    assert!(take(&mut link, Instant(0), Side::B).len() < 75);
}

#[test]
fn link_drops_what_is_longer_than_its_mtu() {
    let mut link = Link::new(LinkConfig::default());
    let p = packet(false, Flags::ACK, &[0; 1449]);
    send(&mut link, Instant(0), Side::A, &p, 0);
    send(&mut link, Instant(0), Side::A, &p[..1500], 0);
    assert_eq!(link.stats(Side::B).too_big, 1);
    assert_eq!(take(&mut link, Instant(0), Side::B).len(), 1);
}

#[test]
fn link_reuses_its_buffers() {
    let mut link = Link::new(LinkConfig::default());
    let p = packet(false, Flags::ACK, b"abc");
    let mut address = || {
        send(&mut link, Instant(0), Side::A, &p, 0);
        let mut at = 0;
        link.deliver(Instant(0), Side::B, &mut |f| {
            at = f[0].head.as_ptr() as usize
        });
        at
    };
    let first = address();
    assert!((0..10).all(|_| address() == first));
}
