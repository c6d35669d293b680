//! Whole connections, one after the other, both ends in this thread.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use hearken_inet::{Cred, Domain, Event, Net, Ready, SocketId};

use super::wire::{PLAIN, PORT, Pair, SERVER, listen};
use crate::meter::Meter;

const CHILD: u64 = 1 << 32;
const CLIENT: u64 = 2 << 32;

/// The next event of `n`, which must be there.
fn event(n: &mut Net) -> (u64, Ready) {
    let mut e = [Event::Ready {
        token: 0,
        ready: Ready::NONE,
    }];
    match (n.poll_events(&mut e), e) {
        (1, [Event::Ready { token, ready }]) => (token, ready),
        other => panic!("no readiness: {other:?}"),
    }
}

/// connect, accept, and the readiness of both sides as their owners learn of it.
fn establish(p: &mut Pair, listeners: &[SocketId], to: SocketAddr) -> (SocketId, SocketId) {
    let c = p.a.socket(Domain::Inet);
    p.a.set_interest(c, Ready::WRITE, CLIENT);
    p.a.connect(p.now, c, to, &Cred::ROOT).expect("connect");
    p.settle();
    // A fresh socket is writable and hung up (docs/linux 123): what counts is what holds now.
    assert_eq!(event(&mut p.a), (CLIENT, Ready::WRITE));
    let (token, _) = event(&mut p.b);
    let child =
        p.b.accept(p.now, listeners[token as usize])
            .expect("accept")
            .socket;
    p.b.set_interest(child, Ready::READ, CHILD);
    (c, child)
}

fn rst_once(p: &mut Pair, listeners: &[SocketId], to: SocketAddr) {
    let (c, child) = establish(p, listeners, to);
    p.a.abort(p.now, c);
    p.settle();
    let (token, ready) = event(&mut p.b);
    assert!(token == CHILD && ready.has(Ready::ERR | Ready::HUP));
    p.b.close(p.now, child);
    p.pass(1_000);
}

fn fin_once(p: &mut Pair, listeners: &[SocketId], to: SocketAddr) {
    let (c, child) = establish(p, listeners, to);
    p.a.close(p.now, c);
    p.settle();
    let (token, ready) = event(&mut p.b);
    assert!(token == CHILD && ready.has(Ready::READ));
    let left = p.b.recv_with(p.now, child, |d| (0, d.len()));
    assert_eq!(left, Ok(0), "end of stream");
    p.b.close(p.now, child);
    p.settle();
    // 6,000 connections wait in TIME_WAIT once the first minute has passed.
    p.pass(10_000_000);
}

fn server() -> SocketAddr {
    SocketAddr::V4(SocketAddrV4::new(SERVER, PORT))
}

fn pair() -> (Pair, Vec<SocketId>) {
    let mut p = Pair::new(1500, PLAIN, 64);
    let l = listen(&mut p.b, SERVER.into(), PORT, 128, 0);
    (p, vec![l])
}

/// Row `rst`.
pub(crate) fn rst(m: &mut Meter, n: u64) -> Result<f64, String> {
    let (mut p, l) = pair();
    for _ in 0..n / 10 + 10 {
        rst_once(&mut p, &l, server());
    }
    m.time(|| {
        for _ in 0..n {
            rst_once(&mut p, &l, server());
        }
    });
    Ok(m.each(n))
}

/// Row `fin`.
pub(crate) fn fin(m: &mut Meter, n: u64) -> Result<f64, String> {
    let (mut p, l) = pair();
    for _ in 0..7_000 {
        fin_once(&mut p, &l, server());
    }
    m.time(|| {
        for _ in 0..n {
            fin_once(&mut p, &l, server());
        }
    });
    Ok(m.each(n))
}

/// Row `listeners-1`.
pub(crate) fn one_listener(m: &mut Meter, n: u64) -> Result<f64, String> {
    of_listeners(m, n, 1)
}

/// Row `listeners-100000`.
pub(crate) fn many_listeners(m: &mut Meter, n: u64) -> Result<f64, String> {
    of_listeners(m, n, 100_000)
}

/// Connects to a random one of `count` listeners, on four addresses.
fn of_listeners(m: &mut Meter, n: u64, count: u64) -> Result<f64, String> {
    let mut p = Pair::new(1500, PLAIN, 64);
    let at = |i: u64| {
        let ip = Ipv4Addr::new(10, 0, 1, (i % 4) as u8 + 1);
        SocketAddr::V4(SocketAddrV4::new(ip, 1024 + (i / 4) as u16))
    };
    for i in 0..4 {
        p.b.add_addr(super::wire::ETH, at(i).ip(), 8);
    }
    let listeners: Vec<SocketId> = (0..count)
        .map(|i| listen(&mut p.b, at(i).ip(), at(i).port(), 16, i))
        .collect();
    let mut x = 1u64;
    let mut next = || {
        x = x
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        at((x >> 33) % count)
    };
    for _ in 0..n / 10 + 10 {
        rst_once(&mut p, &listeners, next());
    }
    m.time(|| {
        for _ in 0..n {
            rst_once(&mut p, &listeners, next());
        }
    });
    Ok(m.each(n))
}
