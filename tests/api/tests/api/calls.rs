//! The calls around a listener: the same questions to both systems, the answers compared line by line.
//! docs/linux/socket-calls.md says what they come to.

use core::time::Duration;
use std::fmt::Debug;
use std::sync::mpsc;

use hearken_abi::Errno;
use hearken_abi::sock::*;
use hearken_twin::{Fd, Ip, OtherFile, Twin, any, loopback, sockaddr, unspec};

/// Questions with their answers, in order.
#[derive(Default)]
struct Log(Vec<String>);

impl Log {
    fn note<T: Debug>(&mut self, question: &str, answer: Result<T, Errno>) {
        let answer = match answer {
            Ok(v) => format!("{v:?}"),
            Err(e) => e.name().to_string(),
        };
        self.0.push(format!("{question}: {answer}"));
    }

    fn mask(&mut self, question: &str, mask: u32) {
        self.0.push(format!("{question}: {mask:#x}"));
    }
}

/// Asks both, and fails at answers that differ.
#[track_caller]
fn assert_same(ask: fn(&mut dyn Twin, &mut Log)) {
    assert_same_but(ask, &[]);
}

/// The same, but for questions that begin thus: they are known to differ, and fail once none does.
#[track_caller]
fn assert_same_but(ask: fn(&mut dyn Twin, &mut Log), differs: &[&str]) {
    let run = move |t: &mut dyn Twin| {
        let mut log = Log::default();
        ask(t, &mut log);
        log.0
    };
    let (tx, rx) = mpsc::channel();
    let of_linux = tx.clone();
    hearken_twin::run_linux(move |t| of_linux.send(run(t)).expect("a receiver"));
    // Nothing when Linux is left out on purpose, of which `run_linux` has told.
    let Ok(linux) = rx.try_recv() else {
        return;
    };
    hearken_twin::run_hearken(move |t| tx.send(run(t)).expect("a receiver"));
    let ours = rx.recv().expect("answers");
    assert_eq!(linux.len(), ours.len());
    assert!(!linux.is_empty());
    let differ: Vec<(&String, &String)> = linux.iter().zip(&ours).filter(|(l, o)| l != o).collect();
    let undeclared: String = differ
        .iter()
        .filter(|(l, _)| !differs.iter().any(|d| l.starts_with(d)))
        .map(|(l, o)| format!("\nLinux {l}\nours  {o}"))
        .collect();
    assert!(undeclared.is_empty(), "{undeclared}");
    for d in differs {
        let still = differ.iter().any(|(l, _)| l.starts_with(d));
        assert!(still, "differs no longer: {d}");
    }
}

fn families() -> [Ip; 2] {
    [Ip::V4, Ip::V6]
}

#[test]
fn socket_arguments_answer_alike() {
    assert_same(|t, log| {
        for domain in [-1, 0, 2, 3, 10, 46, 99, i32::MAX] {
            for ty in [
                -1, 0, 1, 2, 3, 4, 5, 6, 11, 15, 16, 0x401, 0x801, 0x1001, 0x80001, 0x10_0001,
            ] {
                for protocol in [-1, 0, 1, 2, 6, 17, 58, 132, 136, 255, 263, i32::MAX] {
                    let r = t.socket(domain, ty, protocol);
                    if let Ok(fd) = r {
                        t.close(fd).unwrap();
                    }
                    let question = format!("socket({domain}, {ty:#x}, {protocol})");
                    log.note(&question, r.map(|_| ()));
                }
            }
        }
        t.set_uid(1000);
        for (ty, protocol) in [(3, 0), (3, 1), (3, 6), (2, 1), (1, 6)] {
            let r = t.socket(2, ty, protocol).map(|_| ());
            log.note(&format!("user: socket(2, {ty}, {protocol})"), r);
        }
    });
}

/// An address of every length and family.
fn addresses(addr: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut out = Vec::new();
    for len in [
        0, 1, 2, 3, 8, 15, 16, 17, 20, 23, 24, 25, 27, 28, 29, 128, 129,
    ] {
        let mut bytes = addr.to_vec();
        bytes.resize(len, 0);
        out.push((format!("length {len}"), bytes));
    }
    for family in [0u8, 1, 2, 3, 10, 99] {
        let mut bytes = addr.to_vec();
        bytes[0] = family;
        out.push((format!("family {family}"), bytes.clone()));
        bytes[4..].fill(0);
        out.push((format!("family {family}, wildcard"), bytes));
    }
    out
}

#[test]
fn bind_addresses_answer_alike() {
    assert_same(|t, log| {
        for ip in families() {
            for (what, addr) in addresses(&loopback(ip, 0)) {
                let fd = t.tcp(ip);
                log.note(&format!("bind {ip:?} {what}"), t.bind(fd, &addr));
                t.close(fd).unwrap();
                let bound = t.tcp(ip);
                t.bind(bound, &loopback(ip, 0)).unwrap();
                log.note(&format!("bind again {ip:?} {what}"), t.bind(bound, &addr));
                t.close(bound).unwrap();
            }
        }
        for addr in [
            "9.9.9.9:0",
            "255.255.255.255:0",
            "224.0.0.1:0",
            "127.1.2.3:0",
            "[fe80::1]:0",
            "[2001:db8:9::1]:0",
            "[ff02::1]:0",
            "[ff0e::1]:0",
            "[::ffff:127.0.0.1]:0",
            "[::ffff:9.9.9.9]:0",
        ] {
            let addr: std::net::SocketAddr = addr.parse().unwrap();
            let ip = if addr.is_ipv4() { Ip::V4 } else { Ip::V6 };
            let fd = t.tcp(ip);
            log.note(&format!("bind {addr}"), t.bind(fd, &sockaddr(addr)));
            t.close(fd).unwrap();
        }
        let (path, null) = (t.open(OtherFile::Path), t.open(OtherFile::DevNull));
        for (what, fd) in [("-1", -1), ("closed", 999), ("path", path), ("null", null)] {
            log.note(&format!("bind {what}"), t.bind(fd, &[]));
            log.note(&format!("connect {what}"), t.connect(fd, &[]));
            log.note(&format!("shutdown {what}"), t.shutdown(fd, 9));
            log.note(&format!("getsockname {what}"), t.getsockname(fd));
            log.note(&format!("getpeername {what}"), t.getpeername(fd));
            log.note(&format!("getsockopt {what}"), t.getsockopt(fd, 99, 99, 4));
        }
    });
}

/// A socket in each state that loopback can bring it to, nonblocking.
fn states(t: &mut dyn Twin, ip: Ip, port: u16) -> Vec<(&'static str, Fd)> {
    let listener = t.listener(ip, port, 50);
    let mut out = vec![("fresh", t.tcp(ip))];
    let bound = t.tcp(ip);
    t.bind(bound, &any(ip, 0)).unwrap();
    out.push(("bound", bound));
    out.push(("empty listener", t.listener(ip, port + 1, 5)));
    let busy = t.listener(ip, port + 2, 5);
    t.client(busy, ip);
    out.push(("listener with one", busy));
    let shut = t.listener(ip, port + 3, 5);
    t.shutdown(shut, SHUT_RD).unwrap();
    out.push(("shut listener", shut));
    let (idle, _) = t.pair(listener, ip);
    out.push(("established", idle));
    let (reader, writer) = t.pair(listener, ip);
    t.send(writer, b"hello", 0).unwrap();
    out.push(("with data", reader));
    let (a, b) = t.pair(listener, ip);
    t.shutdown(b, SHUT_WR).unwrap();
    out.push(("peer shut", a));
    out.push(("shut for writing", b));
    let (a, _) = t.pair(listener, ip);
    t.shutdown(a, SHUT_RD).unwrap();
    out.push(("shut for reading", a));
    let (a, b) = t.pair(listener, ip);
    t.shutdown(a, SHUT_WR).unwrap();
    t.shutdown(b, SHUT_WR).unwrap();
    out.push(("both shut, first", a));
    out.push(("both shut, second", b));
    let (a, b) = t.pair(listener, ip);
    t.setsockopt(a, SOL_SOCKET, SO_LINGER, &[1, 0, 0, 0, 0, 0, 0, 0])
        .unwrap();
    t.close(a).unwrap();
    out.push(("reset", b));
    let refused = t.tcp(ip);
    let r = t.connect(refused, &loopback(ip, 1));
    assert_eq!(r, Err(Errno::EINPROGRESS));
    out.push(("refused", refused));
    t.advance(Duration::from_millis(5));
    out
}

#[test]
fn poll_and_ioctl_answer_alike_in_every_state() {
    let ask = |t: &mut dyn Twin, log: &mut Log| {
        for ip in families() {
            for (state, fd) in states(t, ip, ip.pick(7200, 7220)) {
                log.mask(&format!("{ip:?} {state} poll"), t.poll(fd));
                for request in [SIOCINQ, SIOCOUTQ, SIOCOUTQNSD, SIOCATMARK, 0x5401, 0x1234] {
                    let r = t.ioctl(fd, request);
                    log.note(&format!("{ip:?} {state} ioctl {request:#x}"), r);
                }
                log.note(
                    &format!("{ip:?} {state} peer"),
                    t.getpeername(fd).map(|_| ()),
                );
                log.note(
                    &format!("{ip:?} {state} SO_ERROR"),
                    t.int(fd, SOL_SOCKET, SO_ERROR),
                );
                log.mask(&format!("{ip:?} {state} poll again"), t.poll(fd));
            }
        }
        for ty in [SOCK_DGRAM, SOCK_RAW] {
            let fd = t
                .socket(AF_INET, ty, if ty == SOCK_RAW { 1 } else { 0 })
                .unwrap();
            log.mask(&format!("type {ty} poll"), t.poll(fd));
            for request in [SIOCINQ, SIOCOUTQNSD, SIOCATMARK, 0x1234] {
                log.note(
                    &format!("type {ty} ioctl {request:#x}"),
                    t.ioctl(fd, request),
                );
            }
        }
    };
    assert_same(ask);
}

#[test]
fn recv_answers_alike_in_every_state() {
    assert_same(|t, log| {
        for (i, flags) in [
            MSG_DONTWAIT,
            MSG_DONTWAIT | MSG_PEEK,
            MSG_DONTWAIT | MSG_WAITALL,
            MSG_DONTWAIT | MSG_OOB,
            MSG_DONTWAIT | MSG_ERRQUEUE,
        ]
        .into_iter()
        .enumerate()
        {
            for len in [0, 2, 9] {
                let port = 7300 + 50 * i as u16 + 10 * len as u16 / 2;
                for (state, fd) in states(t, Ip::V4, port) {
                    for turn in 1..4 {
                        let question = format!("{state} recv({len}, {flags:#x}) {turn}");
                        log.note(&question, t.recv(fd, len, flags));
                    }
                    log.mask(&format!("{state} then"), t.poll(fd));
                    t.close(fd).unwrap();
                }
            }
        }
    });
}

#[test]
fn send_answers_alike_in_every_state() {
    assert_same(|t, log| {
        for (i, data) in [&b""[..], b"x"].into_iter().enumerate() {
            for (state, fd) in states(t, Ip::V4, 7700 + 10 * i as u16) {
                for turn in 1..4 {
                    let r = t.send(fd, data, MSG_NOSIGNAL);
                    log.note(&format!("{state} send({}) {turn}", data.len()), r);
                }
                t.advance(Duration::from_millis(5));
                log.mask(&format!("{state} then"), t.poll(fd));
                t.close(fd).unwrap();
            }
        }
    });
}

#[test]
fn shutdown_answers_alike_in_every_state() {
    let ask = |t: &mut dyn Twin, log: &mut Log| {
        for (i, how) in [-1, 0, 1, 2, 3].into_iter().enumerate() {
            for (state, fd) in states(t, Ip::V4, 7800 + 10 * i as u16) {
                for turn in 1..3 {
                    log.note(
                        &format!("{state} shutdown({how}) {turn}"),
                        t.shutdown(fd, how),
                    );
                    t.advance(Duration::from_millis(5));
                    log.mask(&format!("after shutdown({how}) {state}"), t.poll(fd));
                }
                log.note(&format!("{state} listen then"), t.listen(fd, 1));
                t.close(fd).unwrap();
            }
        }
    };
    assert_same(ask);
}

#[test]
fn connect_answers_alike_in_every_state() {
    let ask = |t: &mut dyn Twin, log: &mut Log| {
        let open = t.listener(Ip::V4, 7999, 500);
        let to = loopback(Ip::V4, t.local(open).port());
        for (i, to) in [to, loopback(Ip::V4, 1), unspec()].into_iter().enumerate() {
            for (state, fd) in states(t, Ip::V4, 7900 + 10 * i as u16) {
                for turn in 1..4 {
                    log.note(
                        &format!("{state} connect to {i}, {turn}"),
                        t.connect(fd, &to),
                    );
                    t.advance(Duration::from_millis(5));
                    log.mask(&format!("after connect to {i} {state}"), t.poll(fd));
                }
                log.note(&format!("{state} listen then"), t.listen(fd, 1));
                t.close(fd).unwrap();
            }
        }
    };
    assert_same(ask);
}

#[test]
fn what_a_socket_keeps_of_its_past_is_told_alike() {
    assert_same(|t, log| {
        for ip in families() {
            let port = ip.pick(8300, 8400);
            let open = t.listener(ip, port + 50, 500);
            let to = loopback(ip, t.local(open).port());
            for (state, fd) in states(t, ip, port) {
                let before = t.local(fd);
                log.note(
                    &format!("{ip:?} {state} bind"),
                    t.bind(fd, &loopback(ip, 0)),
                );
                let moved = t.local(fd) != before;
                log.note(&format!("{ip:?} {state} moved"), Ok(moved));
                log.mask(&format!("{ip:?} {state} then"), t.poll(fd));
                log.note(
                    &format!("{ip:?} {state} bind again"),
                    t.bind(fd, &loopback(ip, 0)),
                );
                log.note(&format!("{ip:?} {state} listen"), t.listen(fd, 1));
                log.note(
                    &format!("{ip:?} {state} disconnect"),
                    t.connect(fd, &unspec()),
                );
                let (ip_then, port_then) = (t.local(fd).ip(), t.local(fd).port() != 0);
                log.note(&format!("{ip:?} {state} name"), Ok((ip_then, port_then)));
                log.mask(&format!("{ip:?} {state} disconnected"), t.poll(fd));
                log.note(&format!("{ip:?} {state} recv"), t.recv(fd, 9, MSG_DONTWAIT));
                log.mask(&format!("{ip:?} {state} after recv"), t.poll(fd));
                for turn in 1..3 {
                    let r = t.shutdown(fd, SHUT_RD);
                    log.note(&format!("{ip:?} {state} shutdown {turn}"), r);
                }
                log.note(
                    &format!("{ip:?} {state} recv shut"),
                    t.recv(fd, 9, MSG_DONTWAIT),
                );
                log.note(&format!("{ip:?} {state} connect"), t.connect(fd, &to));
                t.advance(Duration::from_millis(5));
                log.mask(&format!("{ip:?} {state} connected"), t.poll(fd));
                log.note(
                    &format!("{ip:?} {state} send"),
                    t.send(fd, b"x", MSG_NOSIGNAL),
                );
                t.close(fd).unwrap();
            }
        }
    });
}

#[test]
fn connect_addresses_answer_alike() {
    assert_same(|t, log| {
        for ip in families() {
            let base = ip.pick(8000, 8100);
            for (what, addr) in addresses(&loopback(ip, 1)) {
                let fd = t.tcp(ip);
                log.note(&format!("connect {ip:?} {what}"), t.connect(fd, &addr));
                t.close(fd).unwrap();
            }
            for (state, fd) in states(t, ip, base) {
                // One malformed and one foreign: the state goes before both.
                for addr in [&[ip.domain() as u8, 0, 0, 0][..], &[3; 28]] {
                    log.note(&format!("{ip:?} {state} connect"), t.connect(fd, addr));
                }
            }
        }
        for addr in [
            "255.255.255.255:1",
            "224.0.0.1:1",
            "9.9.9.9:1",
            "0.0.0.0:1",
            "[::]:1",
            "[ff02::1]:1",
            "[2001:db8:9::1]:1",
            "[fe80::1]:1",
            "[::ffff:127.0.0.1]:1",
            "[::ffff:9.9.9.9]:1",
        ] {
            let addr: std::net::SocketAddr = addr.parse().unwrap();
            let ip = if addr.is_ipv4() { Ip::V4 } else { Ip::V6 };
            let fd = t.tcp(ip);
            log.note(&format!("connect {addr}"), t.connect(fd, &sockaddr(addr)));
            t.advance(Duration::from_millis(5));
            log.note(&format!("then {addr}"), t.int(fd, SOL_SOCKET, SO_ERROR));
            t.close(fd).unwrap();
            if ip == Ip::V6 {
                let only = t.tcp(ip);
                t.set_int(only, SOL_IPV6, IPV6_V6ONLY, 1).unwrap();
                log.note(&format!("V6ONLY {addr}"), t.connect(only, &sockaddr(addr)));
                t.close(only).unwrap();
            }
        }
    });
}

#[test]
fn connect_reports_an_attempt_once() {
    assert_same(|t, log| {
        for (what, port) in [("refused", 1), ("taken", 8200)] {
            if port == 8200 {
                t.listener(Ip::V4, port, 50);
            }
            for read_error in [false, true] {
                let fd = t.tcp(Ip::V4);
                for turn in 1..6 {
                    let r = t.connect(fd, &loopback(Ip::V4, port));
                    log.note(&format!("{what} {read_error} connect {turn}"), r);
                    t.advance(Duration::from_millis(5));
                    if read_error && turn == 1 {
                        log.note(what, t.int(fd, SOL_SOCKET, SO_ERROR));
                    }
                    log.mask(what, t.poll(fd));
                }
            }
            let fd = t.blocking_tcp(Ip::V4);
            for turn in 1..4 {
                let r = t.connect(fd, &loopback(Ip::V4, port));
                log.note(&format!("{what} blocking {turn}"), r);
                log.note(what, t.int(fd, SOL_SOCKET, SO_ERROR));
            }
            log.note(&format!("{what} listen"), t.listen(fd, 1));
        }
    });
}

#[test]
fn rcvlowat_answers_alike() {
    assert_same(|t, log| {
        let listener = t.listener(Ip::V4, 8300, 5);
        let (c, s) = t.pair(listener, Ip::V4);
        for lowat in [1, 4, 0, -1] {
            t.set_int(c, SOL_SOCKET, SO_RCVLOWAT, lowat).unwrap();
            for data in [&b"ab"[..], b"c", b"defgh"] {
                t.send(s, data, 0).unwrap();
                t.advance(Duration::from_millis(5));
                log.mask(&format!("{lowat} after {data:?}"), t.poll(c));
            }
            log.note(
                &format!("{lowat} peek"),
                t.recv(c, 9, MSG_DONTWAIT | MSG_PEEK),
            );
            for len in [2, 3, 9, 9] {
                log.note(&format!("{lowat} recv"), t.recv(c, len, MSG_DONTWAIT));
                log.mask(&format!("{lowat} then"), t.poll(c));
            }
        }
        t.set_int(listener, SOL_SOCKET, SO_RCVLOWAT, 4).unwrap();
        t.client(listener, Ip::V4);
        log.mask("listener", t.poll(listener));
        t.shutdown(s, SHUT_WR).unwrap();
        t.advance(Duration::from_millis(5));
        log.mask("end", t.poll(c));
    });
}
