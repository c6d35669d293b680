//! Segments that are signed, or are not (TCP_MD5SIG, RFC 2385; docs/linux/md5.md).

use core::time::Duration;
use hearken_abi::sock::*;
use hearken_twin::{Counters, Fd, Ip, Opt, Packet, Peer, QUIET, Segment, Twin};

use crate::md5_option::set_key;

cases! {
    md5_tcp_ao_lets_an_unsigned_segment_through differs "6.18.44 built without TCP-AO takes any segment with such an option for signed",
    md5_added_later_signs_super_frames differs "6.18.44 signs a super-frame as a whole, and cuts it afterwards",
}

family_cases! {
    md5_syn_ack_carries_the_signature_first,
    md5_listener_drops_what_is_not_signed_right,
    md5_reset_is_signed_where_a_key_is_known,
    md5_half_open_is_held_to_the_listeners_key_of_now,
    md5_half_open_outlives_its_listeners_keys,
    md5_child_signs_and_verifies,
    md5_child_room_for_sack_blocks,
    md5_child_keys_change_while_it_lives,
    md5_child_that_was_closed_still_signs,
    md5_time_wait_signs_and_does_not_verify,
    md5_orphan_in_fin_wait_2_resets_data,
    md5_cookie_is_signed_and_its_child,
    md5_fast_open_listener,
}

pub(crate) const KEY: &str = "secret";
pub(crate) const BASE: &[Opt] = &[Opt::Mss(1400)];

pub(crate) fn signed(s: Segment) -> Vec<u8> {
    s.signed(KEY.as_bytes()).packet()
}

/// Signed by a key that nobody has.
pub(crate) fn forged(s: Segment) -> Vec<u8> {
    s.signed(b"forged").packet()
}

fn keyed(t: &mut dyn Twin, ip: Ip, port: u16) -> Fd {
    let fd = t.listener(ip, port, 50);
    set_key(t, fd, ip.peer(), KEY).unwrap();
    fd
}

#[track_caller]
pub(crate) fn expect_signed(peer: &mut Peer, t: &mut dyn Twin, flags: &str) -> Packet {
    let p = peer.expect(t, flags);
    assert!(p.is_signed_by(KEY.as_bytes()), "{p:?}");
    p
}

/// The handshake of `peer`, signed; the child.
#[track_caller]
fn open(t: &mut dyn Twin, listener: Fd, peer: &mut Peer) -> Fd {
    t.inject(&signed(peer.syn_segment()));
    expect_signed(peer, t, "SA");
    peer.seq += 1;
    t.inject(&signed(peer.segment("A")));
    t.accept(listener).expect("the handshake is complete")
}

fn peer(ip: Ip, port: u16, options: &[Opt]) -> Peer {
    Peer::new(ip, port, 80).offering(options)
}

/// Nothing comes of a segment but this one counter.
#[track_caller]
fn dropped(t: &mut dyn Twin, packet: &[u8], counter: &str) {
    let before: Counters = t.counters();
    t.inject(packet);
    t.expect_nothing();
    let counted = [(counter, 1)];
    t.expect_tcp_counters(&before, &counted[..usize::from(!counter.is_empty())]);
}
pub(crate) const MISSING: &str = "TcpExtTCPMD5NotFound";
pub(crate) const UNEXPECTED: &str = "TcpExtTCPMD5Unexpected";
pub(crate) const WRONG: &str = "TcpExtTCPMD5Failure";

fn md5_syn_ack_carries_the_signature_first(t: &mut dyn Twin, ip: Ip) {
    keyed(t, ip, 80);
    let (mss, window) = ip.pick((1460, [64240, 65160]), (1440, [64800, 64260]));
    let ts = Opt::Ts(100, 0);
    use Opt::{Mss, Nop, SackOk, Wscale};
    let cases: [(&[Opt], &[Opt]); 6] = [
        (&[], &[Mss(mss)]),
        (&[Mss(9), Wscale(7)], &[Mss(mss), Nop, Wscale(7)]),
        (
            &[SackOk, Wscale(7)],
            &[Mss(mss), Nop, Nop, SackOk, Nop, Wscale(7)],
        ),
        (&[ts], &[Mss(mss), Nop, Nop, ts]),
        (&[SackOk, ts], &[Mss(mss), Nop, Nop, SackOk]),
        // SACK blocks would have no room beside both.
        (
            &[SackOk, ts, Wscale(7)],
            &[Mss(mss), Nop, Nop, SackOk, Nop, Wscale(7)],
        ),
    ];
    for (i, (offer, want)) in cases.into_iter().enumerate() {
        let mut peer = peer(ip, 4000 + i as u16, offer);
        t.inject(&signed(peer.syn_segment()));
        let p = expect_signed(&mut peer, t, "SA");
        assert!(p.beside_signature().len() + 3 == p.options.len(), "{p:?}");
        let echoed = p.beside_signature().iter().map(|o| match o {
            Opt::Ts(_, echo) => Opt::Ts(*echo, 0),
            other => *other,
        });
        assert_eq!(echoed.collect::<Vec<_>>(), want);
        assert_eq!(p.window, window[usize::from(offer.contains(&ts))]);
    }
}

fn md5_listener_drops_what_is_not_signed_right(t: &mut dyn Twin, ip: Ip) {
    keyed(t, ip, 80);
    let peer = peer(ip, 4000, BASE);
    let mut other = peer.clone();
    other
        .addr
        .set_ip(ip.pick("192.0.2.3", "2001:db8::3").parse().unwrap());
    for flags in ["S", "A", "SA", "R", "FA"] {
        let s = |p: &Peer| Segment::new(p.addr, p.to, flags, 1, 5);
        dropped(t, &s(&peer).packet(), MISSING);
        dropped(t, &forged(s(&peer)), WRONG);
        dropped(t, &signed(s(&other)), UNEXPECTED);
    }
    // One bit of what is signed, and of what is not.
    let syn = peer.syn_segment();
    let mut moved = syn.clone().signed(KEY.as_bytes());
    moved.seq += 1;
    dropped(t, &moved.packet(), WRONG);
    t.inject(&other.syn_segment().packet());
    let p = t.next_tcp(QUIET).unwrap();
    assert_eq!(
        p.beside_signature().len(),
        p.options.len(),
        "no key, no signature"
    );
    let mut more = syn.signed(KEY.as_bytes());
    more.options[3] = Opt::Mss(700);
    t.inject(&more.packet());
    assert_eq!(
        t.next_tcp(QUIET).unwrap().flags,
        "SA",
        "options are not signed"
    );
}

/// Takes a reset, and says how it is signed.
#[track_caller]
fn reset(t: &mut dyn Twin, packet: &[u8]) -> Option<bool> {
    t.inject(packet);
    let p = t.next_tcp(QUIET)?;
    assert!(
        p.flags.contains('R') && p.beside_signature().is_empty(),
        "{p:?}"
    );
    t.expect_nothing();
    Some(p.is_signed_by(KEY.as_bytes()))
}

fn md5_reset_is_signed_where_a_key_is_known(t: &mut dyn Twin, ip: Ip) {
    keyed(t, ip, 80);
    let from = |port, to, flags: &str| {
        let p = Peer::new(ip, port, to);
        Segment::new(p.addr, p.to, flags, 1, 5)
    };
    // A listener.
    assert_eq!(reset(t, &signed(from(4000, 80, "A"))), Some(true));
    assert_eq!(reset(t, &signed(from(4000, 80, "SA"))), Some(true));
    assert_eq!(reset(t, &signed(from(4000, 80, "R"))), None);
    // Nobody: a listener at the sender's own port may know the key.
    assert_eq!(reset(t, &from(4000, 99, "S").packet()), Some(false));
    assert_eq!(reset(t, &signed(from(4000, 99, "S"))), None);
    for flags in ["S", "A", "FA"] {
        assert_eq!(reset(t, &signed(from(80, 99, flags))), Some(true));
        assert_eq!(reset(t, &forged(from(80, 99, flags))), None);
        assert_eq!(reset(t, &from(80, 99, flags).packet()), Some(false));
    }
    // A request.
    let mut peer = peer(ip, 4001, BASE);
    t.inject(&signed(peer.syn_segment()));
    expect_signed(&mut peer, t, "SA");
    let bad = Segment::new(peer.addr, peer.to, "A", 1001, peer.ack + 7);
    assert_eq!(reset(t, &signed(bad)), Some(true));
    let again = Segment::new(peer.addr, peer.to, "S", 1005, 0);
    assert_eq!(
        reset(t, &signed(again)),
        Some(true),
        "another SYN in the window"
    );
}

fn md5_half_open_is_held_to_the_listeners_key_of_now(t: &mut dyn Twin, ip: Ip) {
    let fd = keyed(t, ip, 80);
    let mut peer = peer(ip, 4000, BASE);
    t.inject(&signed(peer.syn_segment()));
    expect_signed(&mut peer, t, "SA");
    peer.seq += 1;
    dropped(t, &peer.segment("A").packet(), MISSING);
    dropped(t, &forged(peer.segment("A")), WRONG);
    dropped(
        t,
        &Segment::new(peer.addr, peer.to, "R", peer.seq, 0).packet(),
        MISSING,
    );
    let far = Segment::new(peer.addr, peer.to, "A", peer.seq + 100_000, peer.ack);
    t.inject(&signed(far));
    let ack = expect_signed(&mut peer, t, "A");
    assert!(ack.beside_signature().is_empty());
    // Another key, no key, and one again: each time for the SYN-ACK that is sent next.
    let answer = Duration::from_millis(4500);
    for (key, again) in [("other", Some("other")), ("", None), (KEY, Some(KEY))] {
        set_key(t, fd, ip.peer(), key).unwrap();
        let p = peer.expect_within(t, "SA", answer);
        assert_eq!(
            p.is_signed_by(key.as_bytes()),
            again.is_some(),
            "{key}: {p:?}"
        );
        assert_eq!(p.beside_signature(), [Opt::Mss(ip.pick(1460, 1440))]);
    }
    set_key(t, fd, ip.peer(), "").unwrap();
    dropped(t, &signed(peer.segment("A")), UNEXPECTED);
    t.inject(&peer.segment("A").packet());
    let child = t.accept(fd).unwrap();
    t.send(child, b"x", 0).unwrap();
    let p = peer.expect(t, "PA");
    assert!(p.options.is_empty(), "the child has no key");
}

fn md5_half_open_outlives_its_listeners_keys(t: &mut dyn Twin, ip: Ip) {
    let fd = keyed(t, ip, 80);
    let mut peer = peer(ip, 4000, BASE);
    t.inject(&signed(peer.syn_segment()));
    expect_signed(&mut peer, t, "SA");
    peer.seq += 1;
    t.close(fd).unwrap();
    dropped(t, &peer.segment("A").packet(), MISSING);
    dropped(t, &forged(peer.segment("A")), WRONG);
    dropped(t, &signed(peer.segment("A")), "");
    // That was the end of the request.
    assert_eq!(reset(t, &peer.segment("A").packet()), Some(false));
}

fn md5_child_signs_and_verifies(t: &mut dyn Twin, ip: Ip) {
    let fd = keyed(t, ip, 80);
    let route = ip.pick(1460, 1440);
    for (port, offer, mss) in [
        (4000, vec![Opt::Mss(route)], usize::from(route)),
        (
            4001,
            vec![Opt::Mss(route), Opt::Ts(100, 0)],
            usize::from(route) - 12,
        ),
    ] {
        let mut peer = peer(ip, port, &offer);
        let child = open(t, fd, &mut peer);
        let told = t.int(child, SOL_TCP, TCP_MAXSEG).unwrap();
        assert_eq!(told as usize, mss, "the signature is not taken off");
        t.send(child, &[7; 5000], 0).unwrap();
        let mut left = 5000;
        while left > 0 {
            let p = t.next_tcp(QUIET).expect("data");
            assert!(p.is_signed_by(KEY.as_bytes()), "{:?}", p.options);
            assert_eq!(p.data.len(), left.min(mss - 20));
            left -= p.data.len();
            peer.ack += p.data.len() as u32;
        }
        t.inject(&signed(peer.segment("A")));
        let data = peer.segment("PA").data(b"abc");
        dropped(t, &data.packet(), MISSING);
        dropped(t, &forged(data.clone()), WRONG);
        dropped(
            t,
            &Segment::new(peer.addr, peer.to, "R", peer.seq, 0).packet(),
            MISSING,
        );
        dropped(
            t,
            &Segment::new(peer.addr, peer.to, "S", peer.seq, 0).packet(),
            MISSING,
        );
        t.inject(&signed(data));
        peer.seq += 3;
        assert_eq!(t.recv(child, 10, 0), Ok(b"abc".to_vec()));
        expect_signed(&mut peer, t, "A");
        t.inject(&signed(Segment::new(peer.addr, peer.to, "S", peer.seq, 0)));
        expect_signed(&mut peer, t, "A");
        let rst = Segment::new(peer.addr, peer.to, "R", peer.seq, 0);
        t.inject(&signed(rst));
        assert_eq!(t.state(child), 7, "CLOSE");
        t.close(child).unwrap();
    }
}

/// With timestamps only a key that came later, or a cookie, meets SACK.
fn md5_child_room_for_sack_blocks(t: &mut dyn Twin, ip: Ip) {
    let fd = keyed(t, ip, 80);
    let plain = t.listener(ip, 81, 5);
    let route = ip.pick(1460, 1440);
    for (to, stamps, want) in [(80, 0, 2), (81, 12, 0)] {
        let mut offer = vec![Opt::Mss(route), Opt::SackOk];
        let mut peer = Peer::new(ip, 4000, to);
        let child = if to == 80 {
            peer = peer.offering(&offer);
            open(t, fd, &mut peer)
        } else {
            offer.push(Opt::Ts(1000, 0));
            peer = peer.offering(&offer);
            peer.open(t);
            let child = t.accept(plain).unwrap();
            set_key(t, child, ip.peer(), KEY).unwrap();
            child
        };
        let blocks = |p: &Packet| {
            let blocks = p.options.iter().map(|o| match o {
                Opt::Sack(..) => 1,
                Opt::Other(5, len) => usize::from(*len) / 8,
                _ => 0,
            });
            blocks.sum::<usize>()
        };
        for hole in 1..4u32 {
            let mut s = peer.segment("PA").data(b"abc");
            s.seq += 10 * hole;
            t.inject(&signed(s));
            let p = expect_signed(&mut peer, t, "A");
            assert_eq!(blocks(&p), want.min(hole as usize));
        }
        let beside = if want > 0 { 20 } else { 0 };
        let full = usize::from(route) - 20 - stamps - beside;
        t.send(child, &vec![7; full], 0).unwrap();
        let p = expect_signed(&mut peer, t, "PA");
        assert_eq!((p.data.len(), blocks(&p)), (full, want));
        // Unread data: a reset, with the same options.
        t.inject(&signed(peer.segment("PA").data(b"abc")));
        t.packets();
        t.close(child).unwrap();
        let p = t.packets().pop().expect("a reset");
        assert!(p.flags == "RA" && p.is_signed_by(KEY.as_bytes()), "{p:?}");
        assert_eq!(blocks(&p), want, "{p:?}");
    }
}

fn md5_child_keys_change_while_it_lives(t: &mut dyn Twin, ip: Ip) {
    let fd = keyed(t, ip, 80);
    let mss = ip.pick(1460, 1440);
    let mut peer = peer(ip, 4000, &[Opt::Mss(mss)]);
    let child = open(t, fd, &mut peer);
    set_key(t, child, ip.peer(), "new").unwrap();
    t.send(child, b"x", 0).unwrap();
    assert!(peer.expect(t, "PA").is_signed_by(b"new"));
    dropped(t, &signed(peer.segment("A")), WRONG);
    t.inject(&peer.segment("A").signed(b"new").packet());
    set_key(t, child, ip.peer(), "").unwrap();
    t.send(child, &vec![7; usize::from(mss)], 0).unwrap();
    let p = peer.expect(t, "PA");
    assert_eq!((p.options.len(), p.data.len()), (0, usize::from(mss)));
    dropped(t, &signed(peer.segment("A")), UNEXPECTED);
    t.inject(&peer.segment("A").packet());
    // The listener's were never the child's.
    set_key(t, fd, ip.peer(), "").unwrap();
    set_key(t, child, ip.peer(), KEY).unwrap();
    t.send(child, &vec![7; usize::from(mss)], 0).unwrap();
    let p = expect_signed(&mut peer, t, "A");
    assert_eq!(p.data.len(), usize::from(mss) - 20);
    let p = expect_signed(&mut peer, t, "PA");
    assert_eq!(p.data.len(), 20);
}

fn md5_added_later_signs_super_frames(t: &mut dyn Twin) {
    let ip = Ip::V4;
    let fd = t.listener(ip, 80, 5);
    let mut peer = peer(ip, 4000, &[Opt::Mss(1460)]);
    peer.open(t);
    let child = t.accept(fd).unwrap();
    set_key(t, child, ip.peer(), KEY).unwrap();
    t.send(child, &[7; 3000], 0).unwrap();
    let signed: Vec<(usize, bool)> = t
        .packets()
        .iter()
        .map(|p| (p.data.len(), p.is_signed_by(KEY.as_bytes())))
        .collect();
    // The last may go in a frame of its own.
    assert_eq!(signed[..2], [(1440, false), (1440, false)]);
}

fn md5_tcp_ao_lets_an_unsigned_segment_through(t: &mut dyn Twin) {
    let ip = Ip::V4;
    let fd = keyed(t, ip, 80);
    let mut peer = peer(ip, 4000, BASE);
    let child = open(t, fd, &mut peer);
    let ao = [Opt::Other(29, 16), Opt::Nop, Opt::Nop, Opt::Nop, Opt::Nop];
    let rst = Segment::new(peer.addr, peer.to, "R", peer.seq, 0).options(&ao);
    t.inject(&rst.packet());
    assert_eq!(t.state(child), 7, "the reset counts");
}

fn md5_child_that_was_closed_still_signs(t: &mut dyn Twin, ip: Ip) {
    let fd = keyed(t, ip, 80);
    let mut peer = peer(ip, 4000, BASE);
    let child = open(t, fd, &mut peer);
    t.close(child).unwrap();
    expect_signed(&mut peer, t, "FA");
    dropped(t, &peer.segment("A").packet(), MISSING);
    dropped(t, &forged(peer.segment("A")), WRONG);
    let again = peer.expect_within(t, "FA", Duration::from_secs(2));
    assert!(again.is_signed_by(KEY.as_bytes()));
    t.inject(&signed(peer.segment("FA")));
    expect_signed(&mut peer, t, "A");
    // A linger of 0 resets.
    let mut peer = Peer::new(ip, 4001, 80).offering(BASE);
    let child = open(t, fd, &mut peer);
    let linger: Vec<u8> = [1i32, 0].iter().flat_map(|n| n.to_ne_bytes()).collect();
    t.setsockopt(child, SOL_SOCKET, SO_LINGER, &linger).unwrap();
    t.close(child).unwrap();
    expect_signed(&mut peer, t, "RA");
    // And so does a listener that goes.
    let mut peer = Peer::new(ip, 4002, 80).offering(BASE);
    t.inject(&signed(peer.syn_segment()));
    expect_signed(&mut peer, t, "SA");
    peer.seq += 1;
    t.inject(&signed(peer.segment("A")));
    t.close(fd).unwrap();
    expect_signed(&mut peer, t, "RA");
}

fn md5_time_wait_signs_and_does_not_verify(t: &mut dyn Twin, ip: Ip) {
    let fd = keyed(t, ip, 80);
    let mut peer = peer(ip, 4000, BASE);
    let child = open(t, fd, &mut peer);
    t.close(child).unwrap();
    expect_signed(&mut peer, t, "FA");
    t.inject(&signed(peer.segment("FA")));
    peer.seq += 1;
    expect_signed(&mut peer, t, "A");
    let mut fin = peer.segment("FA");
    fin.seq -= 1;
    for packet in [fin.packet(), forged(fin.clone()), signed(fin.clone())] {
        t.advance(Duration::from_millis(600));
        t.inject(&packet);
        let p = expect_signed(&mut peer, t, "A");
        assert!(p.beside_signature().is_empty());
    }
    // A SYN that begins anew meets the listener, who does verify.
    let mut syn = peer.syn_segment();
    syn.seq = peer.seq + 100_000;
    dropped(t, &syn.packet(), MISSING);
    t.inject(&signed(syn));
    expect_signed(&mut peer, t, "SA");
    // Without a key there is nothing to sign by.
    let mut peer = Peer::new(ip, 4001, 80).offering(BASE);
    let child = open(t, fd, &mut peer);
    set_key(t, child, ip.peer(), "").unwrap();
    t.close(child).unwrap();
    peer.expect(t, "FA");
    t.inject(&peer.segment("FA").packet());
    assert!(peer.expect(t, "A").options.is_empty());
    let rst = Segment::new(peer.addr, peer.to, "R", peer.seq + 1, 0);
    t.inject(&forged(rst));
    assert_eq!(t.rows(6).len(), 0, "an exact reset ends it");
}

fn md5_orphan_in_fin_wait_2_resets_data(t: &mut dyn Twin, ip: Ip) {
    let fd = keyed(t, ip, 80);
    for (port, sign, answer) in [
        (4000, false, Some(false)),
        (4001, true, None),
        (80, true, Some(true)),
    ] {
        let mut peer = peer(ip, port, BASE);
        let child = open(t, fd, &mut peer);
        t.close(child).unwrap();
        expect_signed(&mut peer, t, "FA");
        t.inject(&signed(peer.segment("A")));
        t.expect_nothing();
        let data = peer.segment("A").data(b"abc");
        let packet = if sign { signed(data) } else { data.packet() };
        assert_eq!(reset(t, &packet), answer, "from port {port}");
    }
}

fn md5_cookie_is_signed_and_its_child(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.ipv4.tcp_syncookies", "2").unwrap();
    let fd = keyed(t, ip, 80);
    let ts = [
        Opt::Mss(1460),
        Opt::SackOk,
        Opt::Ts(100, 0),
        Opt::Nop,
        Opt::Wscale(7),
    ];
    for (port, offer) in [(4000, BASE), (4001, &ts[..])] {
        let mut peer = peer(ip, port, offer);
        t.inject(&signed(peer.syn_segment()));
        let p = expect_signed(&mut peer, t, "SA");
        assert_eq!(p.ts().is_some(), offer.len() > 1);
        peer.seq += 1;
        let before = t.counters();
        dropped(t, &peer.segment("A").packet(), MISSING);
        dropped(t, &forged(peer.segment("A")), WRONG);
        t.inject(&signed(peer.segment("A")));
        t.expect_counters(
            &before,
            &[("TcpExtSyncookiesRecv", 1), ("TcpExtSyncookiesFailed", 0)],
        );
        let child = t.accept(fd).unwrap();
        t.send(child, b"x", 0).unwrap();
        expect_signed(&mut peer, t, "PA");
        assert_eq!(set_key(t, child, ip.peer(), ""), Ok(()));
        let bad = Segment::new(peer.addr, peer.to, "A", 5, 77);
        let mut bad = bad;
        bad.src.set_port(port + 100);
        let before = t.counters();
        assert_eq!(reset(t, &signed(bad)), Some(true));
        t.expect_counters(&before, &[("TcpExtSyncookiesFailed", 1)]);
    }
}

fn md5_fast_open_listener(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.ipv4.tcp_fastopen", "3").unwrap();
    let fd = keyed(t, ip, 80);
    t.set_int(fd, SOL_TCP, TCP_FASTOPEN, 5).unwrap();
    let ask = Opt::FastOpen(hearken_twin::Cookie::new(&[]), false);
    let mut peer = peer(ip, 4000, &[Opt::Mss(1000), ask]);
    t.inject(&signed(peer.syn_segment()));
    let p = expect_signed(&mut peer, t, "SA");
    let cookie = p.options.iter().find(|o| matches!(o, Opt::FastOpen(..)));
    let cookie = *cookie.expect("a cookie");
    let mut peer = Peer::new(ip, 4001, 80).offering(&[Opt::Mss(1000), cookie]);
    t.inject(&signed(peer.syn_segment().data(b"hello")));
    let p = expect_signed(&mut peer, t, "SA");
    assert_eq!(p.ack, peer.seq + 6);
    let child = t.accept(fd).unwrap();
    assert_eq!(t.recv(child, 10, 0), Ok(b"hello".to_vec()));
    t.send(child, &[7; 2000], 0).unwrap();
    for size in [980, 980, 40] {
        let p = t.next_tcp(QUIET).unwrap();
        assert!(
            p.data.len() == size && p.is_signed_by(KEY.as_bytes()),
            "{p:?}"
        );
    }
    peer.seq += 6;
    dropped(t, &peer.segment("A").packet(), MISSING);
    // SACK and timestamps: as in any handshake, but the child goes on with both.
    t.sysctl("net.ipv4.tcp_fastopen", "0x203").unwrap();
    let offer = [Opt::Mss(1000), Opt::SackOk, Opt::Ts(100, 0)];
    let mut peer = Peer::new(ip, 4003, 80).offering(&offer);
    t.inject(&signed(peer.syn_segment().data(b"hello")));
    let p = expect_signed(&mut peer, t, "SA");
    assert!(p.ts().is_none(), "{p:?}");
    let child = t.accept(fd).unwrap();
    t.send(child, b"x", 0).unwrap();
    let p = expect_signed(&mut peer, t, "PA");
    assert!(p.ts().is_some(), "{p:?}");
    t.sysctl("net.ipv4.tcp_fastopen", "3").unwrap();
    // No room for a cookie beside all this.
    let offer = [Opt::SackOk, Opt::Nop, Opt::Wscale(7), Opt::Nop, ask];
    let mut peer = Peer::new(ip, 4002, 80).offering(&offer);
    t.inject(&signed(peer.syn_segment()));
    let p = expect_signed(&mut peer, t, "SA");
    assert!(
        !p.options.iter().any(|o| matches!(o, Opt::FastOpen(..))),
        "{p:?}"
    );
}
