//! The kernel under this process, over its loopback, without blocking: both ends in one thread, and the softirq work
//! in its time. What it pays for and we do not: system calls, descriptors, its own scheduling points.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::meter::Meter;

fn say(e: impl std::fmt::Display) -> String {
    e.to_string()
}

/// A listener on a port of the kernel's choice, and the address of it.
fn listener(ip: Ipv4Addr) -> Result<(TcpListener, SocketAddr), String> {
    let l = TcpListener::bind((ip, 0)).map_err(say)?;
    l.set_nonblocking(true).map_err(say)?;
    let at = l.local_addr().map_err(say)?;
    Ok((l, at))
}

/// The handshake runs to its end inside connect(2).
fn establish(l: &TcpListener, to: SocketAddr) -> Result<(TcpStream, TcpStream), String> {
    let c = TcpStream::connect(to).map_err(say)?;
    let (s, _) = l.accept().map_err(say)?;
    Ok((c, s))
}

fn rst_once(l: &TcpListener, to: SocketAddr) -> Result<(), String> {
    let (c, mut s) = establish(l, to)?;
    set_socket_linger(&c, Some(Duration::ZERO)).map_err(say)?;
    drop(c);
    match s.read(&mut [0]) {
        Err(e) if e.kind() == ErrorKind::ConnectionReset => Ok(()),
        other => Err(format!("no reset: {other:?}")),
    }
}

fn fin_once(l: &TcpListener, to: SocketAddr) -> Result<(), String> {
    let (c, mut s) = establish(l, to)?;
    drop(c);
    match s.read(&mut [0]) {
        Ok(0) => Ok(()),
        other => Err(format!("no end: {other:?}")),
    }
}

/// Row `rst`.
pub(crate) fn rst(m: &mut Meter, n: u64) -> Result<f64, String> {
    of_listeners(m, n, 1)
}

/// Row `fin`. A port of its own each time: the last repetition's TIME_WAITs are in nobody's way.
pub(crate) fn fin(m: &mut Meter, n: u64) -> Result<f64, String> {
    let (l, to) = listener(Ipv4Addr::LOCALHOST)?;
    for _ in 0..100 {
        fin_once(&l, to)?;
    }
    m.time(|| (0..n).try_for_each(|_| fin_once(&l, to)))?;
    Ok(m.each(n))
}

/// Row `listeners-1`.
pub(crate) fn one_listener(m: &mut Meter, n: u64) -> Result<f64, String> {
    of_listeners(m, n, 1)
}

/// Row `listeners-100000`: as many as one address has ports to spare.
pub(crate) fn many_listeners(m: &mut Meter, n: u64) -> Result<f64, String> {
    of_listeners(m, n, 10_000)
}

fn of_listeners(m: &mut Meter, n: u64, count: usize) -> Result<f64, String> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|c| c < count as u64 + 100) {
        setrlimit(
            Resource::Nofile,
            Rlimit {
                current: limit.maximum,
                maximum: limit.maximum,
            },
        )
        .map_err(say)?;
    }
    let all = (0..count)
        .map(|_| listener(Ipv4Addr::LOCALHOST))
        .collect::<Result<Vec<_>, _>>()?;
    let mut x = 1usize;
    let mut next = || {
        x = x
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        &all[(x >> 33) % count]
    };
    for _ in 0..100 {
        let (l, to) = next();
        rst_once(l, *to)?;
    }
    m.time(|| {
        (0..n).try_for_each(|_| {
            let (l, to) = next();
            rst_once(l, *to)
        })
    })?;
    Ok(m.each(n))
}

/// Row `bulk-64k-nocsum`: `lo` leaves checksums alone and carries super-frames.
pub(crate) fn bulk(m: &mut Meter, n: u64) -> Result<f64, String> {
    const CHUNK: usize = 65536;
    let (l, to) = listener(Ipv4Addr::LOCALHOST)?;
    let (mut c, mut s) = establish(&l, to)?;
    c.set_nonblocking(true).map_err(say)?;
    s.set_nonblocking(true).map_err(say)?;
    let (data, mut sink) = (vec![0x55u8; CHUNK], vec![0u8; CHUNK]);
    let again = |r: std::io::Result<usize>| match r {
        Err(e) if e.kind() == ErrorKind::WouldBlock => Ok(0),
        r => r.map_err(say),
    };
    let mut go = |total: u64| {
        let (mut sent, mut got) = (0, 0);
        while got < total {
            let want = CHUNK.min((total - sent) as usize);
            if want > 0 {
                sent += again(c.write(&data[..want]))? as u64;
            }
            got += again(s.read(&mut sink))? as u64;
        }
        Ok::<_, String>(())
    };
    let total = n * CHUNK as u64;
    go(total / 8)?;
    m.time(|| go(total))?;
    Ok(m.gbits(total))
}
