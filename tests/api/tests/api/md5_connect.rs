//! connect() of a socket that has a key for the peer (docs/linux/md5.md).

use core::time::Duration;
use hearken_abi::sock::*;
use hearken_twin::{Fd, Ip, Opt, Packet, Peer, QUIET, Segment, Twin, sockaddr, unspec};

use crate::md5::{BASE, KEY, MISSING, UNEXPECTED, WRONG, expect_signed, forged, signed};
use crate::md5_option::set_key;

family_cases! {
    md5_connect_signs_its_syn_without_timestamps,
    md5_connect_verifies_the_answer,
    md5_connect_takes_timestamps_that_the_peer_offers,
    md5_connect_key_that_came_after_the_syn,
    md5_connect_both_at_once,
    md5_connect_fast_open,
    md5_connect_to_oneself,
}

/// A socket with a key that connects to the peer's port 179; the peer, who has read the SYN.
fn connecting(t: &mut dyn Twin, ip: Ip) -> (Fd, Peer, Packet) {
    let fd = t.tcp(ip);
    set_key(t, fd, ip.peer(), KEY).unwrap();
    t.bind(fd, &sockaddr((ip.listener(), 7000).into())).unwrap();
    let _ = t.connect(fd, &sockaddr((ip.peer(), 179).into()));
    let mut peer = Peer::new(ip, 179, 7000);
    let syn = expect_signed(&mut peer, t, "S");
    peer.ts_echo = None;
    (fd, peer, syn)
}

fn md5_connect_signs_its_syn_without_timestamps(t: &mut dyn Twin, ip: Ip) {
    let (fd, mut peer, syn) = connecting(t, ip);
    let mss = ip.pick(1460, 1440);
    let offer = [
        Opt::Mss(mss),
        Opt::Nop,
        Opt::Nop,
        Opt::SackOk,
        Opt::Nop,
        Opt::Wscale(7),
    ];
    assert_eq!(syn.beside_signature(), offer);
    assert_eq!(syn.window, ip.pick(64240, 64800));
    let answer = peer.segment("SA").options(&offer);
    t.inject(&signed(answer));
    peer.seq += 1;
    expect_signed(&mut peer, t, "A");
    assert_eq!(t.int(fd, SOL_TCP, TCP_MAXSEG), Ok(i32::from(mss)));
    t.send(fd, &[7; 3000], 0).unwrap();
    let full = usize::from(mss) - 20;
    for size in [full, full, 3000 - 2 * full] {
        assert_eq!(t.next_tcp(QUIET).unwrap().data.len(), size);
    }
    // connect(AF_UNSPEC) leaves the keys.
    peer.ack += 3000;
    t.inject(&signed(peer.segment("A")));
    t.connect(fd, &unspec()).unwrap();
    let p = t.next_tcp(QUIET).unwrap();
    assert!(p.flags == "RA" && p.is_signed_by(KEY.as_bytes()), "{p:?}");
    assert_eq!(set_key(t, fd, ip.peer(), ""), Ok(()));
}

fn md5_connect_verifies_the_answer(t: &mut dyn Twin, ip: Ip) {
    let (fd, peer, _) = connecting(t, ip);
    let answer = peer.segment("SA").options(BASE);
    let refusal = Segment::new(peer.addr, peer.to, "RA", 0, peer.ack);
    let before = t.counters();
    t.inject(&answer.packet());
    t.inject(&forged(answer.clone()));
    t.inject(&refusal.packet());
    t.expect_tcp_counters(&before, &[(MISSING, 2), (WRONG, 1)]);
    let mut odd = answer.clone();
    odd.ack += 5;
    t.inject(&signed(odd));
    let p = t.next_tcp(QUIET).unwrap();
    assert!(p.flags == "R" && p.is_signed_by(KEY.as_bytes()), "{p:?}");
    t.inject(&signed(refusal));
    assert_eq!(t.state(fd), 7, "CLOSE");
}

fn md5_connect_takes_timestamps_that_the_peer_offers(t: &mut dyn Twin, ip: Ip) {
    let (fd, mut peer, _) = connecting(t, ip);
    let offer = [
        Opt::Mss(1000),
        Opt::SackOk,
        Opt::Ts(500, 0),
        Opt::Nop,
        Opt::Wscale(7),
    ];
    t.inject(&signed(peer.segment("SA").options(&offer)));
    peer.seq += 1;
    let p = expect_signed(&mut peer, t, "A");
    assert!(
        matches!(p.beside_signature(), [Opt::Nop, Opt::Nop, Opt::Ts(_, 500)]),
        "{p:?}"
    );
    t.send(fd, &[7; 2000], 0).unwrap();
    let p = expect_signed(&mut peer, t, "A");
    assert_eq!(p.data.len(), 1000 - 12 - 20);
}

fn md5_connect_key_that_came_after_the_syn(t: &mut dyn Twin, ip: Ip) {
    let fd = t.tcp(ip);
    set_key(t, fd, ip.listener(), KEY).unwrap();
    let _ = t.connect(fd, &sockaddr((ip.peer(), 179).into()));
    let syn = t.next_tcp(QUIET).unwrap();
    assert!(
        syn.ts().is_some() && syn.beside_signature().len() == syn.options.len(),
        "{syn:?}"
    );
    set_key(t, fd, ip.peer(), KEY).unwrap();
    let again = t.next_tcp(Duration::from_secs(2)).unwrap();
    assert!(
        again.is_signed_by(KEY.as_bytes()) && again.ts().is_none(),
        "{again:?}"
    );
}

fn md5_connect_both_at_once(t: &mut dyn Twin, ip: Ip) {
    let (_, mut peer, _) = connecting(t, ip);
    let offer = [
        Opt::Mss(1460),
        Opt::Nop,
        Opt::Nop,
        Opt::SackOk,
        Opt::Nop,
        Opt::Wscale(7),
    ];
    t.inject(&signed(peer.segment("S").options(&offer)));
    peer.seq += 1;
    let p = expect_signed(&mut peer, t, "SA");
    assert_eq!(p.beside_signature()[0], Opt::Mss(ip.pick(1460, 1440)));
    assert_eq!(p.beside_signature()[1..], offer[1..]);
}

fn md5_connect_fast_open(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.ipv4.tcp_fastopen", "3").unwrap();
    let to = sockaddr((ip.peer(), 179).into());
    let client = |t: &mut dyn Twin, port: u16, data: &[u8]| {
        let fd = t.tcp(ip);
        set_key(t, fd, ip.peer(), KEY).unwrap();
        t.bind(fd, &sockaddr((ip.listener(), port).into())).unwrap();
        let sent = t.sendto(fd, data, MSG_FASTOPEN, &to);
        let mut peer = Peer::new(ip, 179, port);
        let syn = expect_signed(&mut peer, t, "S");
        (sent, peer, syn)
    };
    let (_, mut peer, syn) = client(t, 7000, b"hello");
    let asks = |p: &Packet| p.options.iter().any(|o| matches!(o, Opt::FastOpen(..)));
    assert!(asks(&syn) && syn.ts().is_none(), "{syn:?}");
    let cookie = Opt::FastOpen(hearken_twin::Cookie::new(b"12345678"), false);
    peer.ts_echo = None;
    t.inject(&signed(
        peer.segment("SA").options(&[Opt::Mss(1460), cookie]),
    ));
    peer.seq += 1;
    expect_signed(&mut peer, t, "A");
    // The cookie has no room, the data has: Linux sends it all the same.
    let (sent, _, syn) = client(t, 7001, b"hello");
    assert_eq!(
        (sent, &syn.data[..], asks(&syn)),
        (Ok(5), &b"hello"[..], false)
    );
}

fn md5_connect_to_oneself(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    set_key(t, fd, ip.loopback(), KEY).unwrap();
    let client = t.tcp(ip);
    set_key(t, client, ip.loopback(), KEY).unwrap();
    let to = hearken_twin::loopback(ip, 80);
    let _ = t.connect(client, &to);
    t.advance(Duration::from_millis(5));
    let server = t.accept(fd).unwrap();
    let data: Vec<u8> = (0..100_000u32).map(|n| n as u8).collect();
    let (mut sent, mut got) = (0, Vec::new());
    let before = t.counters();
    while got.len() < data.len() {
        if sent < data.len() {
            sent += t.send(client, &data[sent..], 0).unwrap_or(0);
        }
        t.advance(Duration::from_millis(2));
        got.extend(t.recv(server, 65536, 0).unwrap_or_default());
    }
    assert_eq!(got, data);
    t.expect_counters(&before, &[(MISSING, 0), (WRONG, 0), (UNEXPECTED, 0)]);
    // Another key: nothing gets through.
    let other = t.tcp(ip);
    set_key(t, other, ip.loopback(), "other").unwrap();
    let _ = t.connect(other, &to);
    t.advance(Duration::from_millis(5));
    assert_eq!(t.state(other), 2, "SYN_SENT");
}
