//! listen(2) through a descriptor: docs/linux and LINUX statements 1 to 23, 33 to 38.

mod common;

use common::{ROOT, World, sockaddr};
use hearken_abi::Errno;
use hearken_abi::sock::*;
use hearken_inet::{HookMask, Hooks, SecurityCall, Step};
use hearken_syscall::Outcome;
use std::sync::{Arc, Mutex};

fn limit(w: &World, fd: i32) -> (u32, u32) {
    let (net, socket) = w.m.tcp_socket(w.file(fd)).expect("a TCP socket");
    w.m.net(net).accept_queue(socket).expect("a listener")
}

#[test]
fn listen_on_no_descriptor_is_ebadf() {
    let mut w = World::new();
    for fd in [-1, 0, 63, 64, i32::MAX] {
        assert_eq!(w.listen(fd, 1), Err(Errno::EBADF), "{fd}");
    }
    let path = w.m.open_path(&ROOT);
    let fd = w.p.install(&mut w.m, w.now, path).expect("room");
    assert_eq!(w.listen(fd, 1), Err(Errno::EBADF), "O_PATH");
}

#[test]
fn listen_on_what_is_no_socket_is_enotsock() {
    let mut w = World::new();
    let pipe = w.m.open_not_socket(&ROOT);
    let epoll = w.m.epoll_create(&ROOT);
    for file in [pipe, epoll] {
        let fd = w.p.install(&mut w.m, w.now, file).expect("room");
        assert_eq!(w.listen(fd, 1), Err(Errno::ENOTSOCK));
    }
}

#[test]
fn listen_on_datagram_and_raw_is_eopnotsupp_for_any_backlog() {
    let mut w = World::new();
    for (ty, protocol) in [(SOCK_DGRAM, 0), (SOCK_DGRAM, 136), (SOCK_RAW, 1)] {
        for domain in [AF_INET, AF_INET6] {
            let fd =
                w.p.socket(&mut w.m, w.now, domain, ty, protocol)
                    .expect("a socket");
            for backlog in [i32::MIN, -1, 0, 1, i32::MAX] {
                assert_eq!(w.listen(fd, backlog), Err(Errno::EOPNOTSUPP));
            }
        }
    }
}

#[test]
fn listen_limit_is_the_unsigned_minimum_with_somaxconn() {
    let mut w = World::new();
    for (backlog, want) in [
        (0, 0),
        (1, 1),
        (4095, 4095),
        (4096, 4096),
        (4097, 4096),
        (65_536, 4096),
        (i32::MAX, 4096),
        (-1, 4096),
        (i32::MIN, 4096),
    ] {
        let fd = w.tcp();
        assert_eq!(w.listen(fd, backlog), Ok(()));
        assert_eq!(limit(&w, fd), (0, want), "listen({backlog})");
    }
}

#[test]
fn listen_clamps_by_the_namespace_of_the_socket_and_not_of_the_caller() {
    let mut w = World::new();
    w.m.net_mut(w.net)
        .sysctl_set("net.core.somaxconn", "100")
        .expect("a value");
    let other =
        w.m.add_net(hearken_inet::Net::new(hearken_inet::Config::new([9; 32])));
    w.m.net_mut(other)
        .sysctl_set("net.core.somaxconn", "7")
        .expect("a value");
    let fd = w.tcp();
    w.p.net = other;
    assert_eq!(w.listen(fd, 1000), Ok(()));
    assert_eq!(limit(&w, fd), (0, 100));
    let fd = w.tcp();
    assert_eq!(w.listen(fd, 1000), Ok(()));
    assert_eq!(limit(&w, fd), (0, 7));
}

#[test]
fn listen_again_moves_the_limit_both_ways_and_drops_nobody() {
    let mut w = World::new();
    let l = w.listener("127.0.0.1:8000", 3);
    let clients: Vec<i32> = (0..3).map(|_| w.client(l)).collect();
    assert_eq!(limit(&w, l), (3, 3));
    for (backlog, want) in [(100, 100), (1, 1), (0, 0), (-1, 4096)] {
        assert_eq!(w.listen(l, backlog), Ok(()));
        assert_eq!(limit(&w, l), (3, want));
    }
    for _ in clients {
        w.accept_now(l);
    }
    assert_eq!(limit(&w, l), (0, 4096));
}

#[test]
fn listen_admits_one_more_than_the_limit() {
    let mut w = World::new();
    for (backlog, fits) in [(0, 1), (1, 2), (3, 4)] {
        let l = w.listener("127.0.0.1:0", backlog);
        for _ in 0..fits {
            w.client(l);
        }
        let to = common::bytes(w.name(l));
        let late = w.tcp_nonblocking();
        assert_eq!(w.connect(late, &to), Outcome::Done(Err(Errno::EINPROGRESS)));
        w.settle();
        assert_eq!(w.poll(late), 0, "the SYN was dropped, backlog {backlog}");
        assert_eq!(limit(&w, l).0, fits);
    }
}

#[test]
fn listen_on_a_connected_socket_is_einval() {
    let mut w = World::new();
    let (c, s) = w.pair();
    assert_eq!(w.listen(c, 1), Err(Errno::EINVAL));
    assert_eq!(w.listen(s, 1), Err(Errno::EINVAL));
    // Both FINs: the TCP state is CLOSE, the socket's own is not (statement 7).
    assert_eq!(w.shutdown(c, SHUT_WR), Ok(()));
    assert_eq!(w.listen(s, 1), Err(Errno::EINVAL), "CLOSE_WAIT");
    assert_eq!(w.shutdown(s, SHUT_WR), Ok(()));
    assert_eq!(w.listen(s, 1), Err(Errno::EINVAL), "after LAST_ACK");
    assert_eq!(w.connect(s, &[0, 0]), Outcome::Done(Ok(())));
    assert_eq!(w.listen(s, 1), Ok(()), "after connect(AF_UNSPEC)");
}

#[test]
fn listen_after_a_refused_blocking_connect_succeeds() {
    let mut w = World::new();
    let fd = w.tcp();
    let ticket = w
        .connect(fd, &sockaddr("127.0.0.1:1"))
        .blocked()
        .expect("blocks")
        .ticket;
    w.settle();
    assert_eq!(w.ready(), [ticket]);
    assert_eq!(
        w.p.resume(&mut w.m, w.now, ticket),
        Outcome::Done(Err(Errno::ECONNREFUSED))
    );
    assert_eq!(w.listen(fd, 1), Ok(()));
}

#[test]
fn listen_second_of_two_binds_is_eaddrinuse_until_the_first_is_closed() {
    let mut w = World::new();
    let (a, b) = (w.tcp(), w.tcp());
    for fd in [a, b] {
        assert_eq!(w.set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1), Ok(()));
        assert_eq!(w.bind(fd, "127.0.0.1:8000"), Ok(()));
    }
    assert_eq!(w.listen(a, 1), Ok(()));
    assert_eq!(w.listen(b, 1), Err(Errno::EADDRINUSE));
    assert_eq!(w.name(b), "127.0.0.1:8000".parse().expect("literal"));
    assert_eq!(w.poll(b), 0x114);
    assert_eq!(w.close(a), Ok(()));
    assert_eq!(w.listen(b, 1), Ok(()));
}

#[test]
fn listener_answers_other_calls_as_linux_does() {
    let mut w = World::new();
    let l = w.listener("127.0.0.1:8000", 1);
    let file = w.file(l);
    assert_eq!(w.bind(l, "127.0.0.1:8001"), Err(Errno::EINVAL));
    for to in [
        sockaddr("127.0.0.1:8000"),
        vec![2, 0, 0, 0],
        sockaddr("[::1]:1"),
    ] {
        assert_eq!(w.connect(l, &to), Outcome::Done(Err(Errno::EISCONN)));
    }
    assert_eq!(w.recv(l, 1, 0), Outcome::Done(Err(Errno::ENOTCONN)));
    assert_eq!(w.send(l, b"x"), Outcome::Done(Err(Errno::EPIPE)));
    assert_eq!(w.m.getpeername(file), Err(Errno::ENOTCONN));
    for request in [SIOCINQ, SIOCOUTQ, SIOCOUTQNSD] {
        assert_eq!(w.m.ioctl(file, request), Err(Errno::EINVAL));
    }
    assert_eq!(w.m.ioctl(file, SIOCATMARK), Ok(0));
    assert_eq!(
        w.set_int(l, SOL_SOCKET, SO_ACCEPTCONN, 1),
        Err(Errno::ENOPROTOOPT)
    );
    assert_eq!(w.get_int(l, SOL_SOCKET, SO_ACCEPTCONN), Ok(1));
}

#[test]
fn listener_shut_for_reading_closes_and_listens_again() {
    let mut w = World::new();
    let l = w.listener("127.0.0.1:8000", 5);
    let c = w.client(l);
    assert_eq!(w.shutdown(l, SHUT_WR), Ok(()));
    assert_eq!(limit(&w, l), (1, 5), "SHUT_WR does nothing");
    assert_eq!(w.shutdown(l, SHUT_RD), Ok(()));
    assert_eq!(w.poll(l), 0x114);
    assert_eq!(w.get_int(l, SOL_SOCKET, SO_ACCEPTCONN), Ok(0));
    assert_eq!(w.accept(l), Outcome::Done(Err(Errno::EINVAL)));
    assert_eq!(w.recv(c, 1, 0), Outcome::Done(Err(Errno::ECONNRESET)));
    assert_eq!(w.shutdown(l, SHUT_RDWR), Err(Errno::ENOTCONN));
    assert_eq!(w.listen(l, 5), Ok(()));
    w.client(l);
}

#[derive(Default)]
struct Log {
    calls: Vec<SecurityCall>,
    steps: Vec<Step>,
    refuse: i32,
}

struct Watch(Arc<Mutex<Log>>);

impl Hooks for Watch {
    fn mask(&self) -> HookMask {
        HookMask(HookMask::SECURITY.0 | HookMask::TRACE.0)
    }
    fn security(&mut self, call: &SecurityCall) -> Result<(), i32> {
        let mut log = self.0.lock().expect("no panic");
        log.calls.push(*call);
        match log.refuse {
            0 => Ok(()),
            errno => Err(errno),
        }
    }
    fn trace(&mut self, step: &Step) {
        self.0.lock().expect("no panic").steps.push(*step);
    }
}

#[test]
fn security_hook_sees_the_clamped_backlog_and_any_errno_passes_through() {
    let log = Arc::new(Mutex::new(Log::default()));
    let mut w = World::with_hooks(Some(Box::new(Watch(log.clone()))));
    let fd = w.tcp();
    assert_eq!(w.bind(fd, "127.0.0.1:8000"), Ok(()));
    for errno in [1, 13, 4095, 517] {
        log.lock().expect("no panic").refuse = errno;
        assert_eq!(w.listen(fd, -1), Err(Errno(errno)));
        assert_eq!(
            w.connect(fd, &sockaddr("127.0.0.1:9")),
            Outcome::Done(Err(Errno(errno)))
        );
        assert_eq!(w.poll(fd), 0x114, "nothing happened");
    }
    let last = log.lock().expect("no panic").calls.clone();
    let local = "127.0.0.1:8000".parse().expect("literal");
    let SecurityCall::Bind { socket, addr } = last[0] else {
        panic!("{last:?}");
    };
    assert_eq!(addr, Some(local));
    assert_eq!(
        last[1],
        SecurityCall::Listen {
            socket,
            local,
            backlog: 4096
        }
    );
    let to = Some("127.0.0.1:9".parse().expect("literal"));
    assert_eq!(last[2], SecurityCall::Connect { socket, addr: to });
    log.lock().expect("no panic").refuse = 0;
    assert_eq!(w.listen(fd, 1), Ok(()));
    log.lock().expect("no panic").refuse = 13;
    assert_eq!(w.accept(fd), Outcome::Done(Err(Errno::EACCES)));
    assert_eq!(
        log.lock().expect("no panic").calls.last(),
        Some(&SecurityCall::Accept {
            listener: socket,
            local
        })
    );
    // Before the protocol looks at the bytes: AF_UNSPEC, and a family that no socket has.
    for bytes in [[0, 0], [99, 0]] {
        assert_eq!(w.connect(fd, &bytes), Outcome::Done(Err(Errno::EACCES)));
    }
    assert_eq!(
        log.lock().expect("no panic").calls.last(),
        Some(&SecurityCall::Connect { socket, addr: None })
    );
    // An unsuitable descriptor is refused before the hook is asked.
    let before = log.lock().expect("no panic").calls.len();
    assert_eq!(w.listen(60, 1), Err(Errno::EBADF));
    assert_eq!(log.lock().expect("no panic").calls.len(), before);
}

#[test]
fn trace_shows_the_walk_with_its_values() {
    let log = Arc::new(Mutex::new(Log::default()));
    let mut w = World::with_hooks(Some(Box::new(Watch(log.clone()))));
    let fd = w.tcp();
    assert_eq!(w.bind(fd, "0.0.0.0:8000"), Ok(()));
    log.lock().expect("no panic").steps.clear();
    assert_eq!(w.listen(fd, 511), Ok(()));
    let steps = log.lock().expect("no panic").steps.clone();
    assert_eq!(
        steps[0],
        Step::ListenEnter { fd, backlog: 511 },
        "{steps:?}"
    );
    assert!(matches!(steps[1], Step::Lookup { .. }));
    assert_eq!(
        steps[2],
        Step::Clamp {
            backlog: 511,
            somaxconn: 4096,
            result: 511
        }
    );
    assert_eq!(steps[3], Step::Security { errno: 0 });
    assert!(matches!(steps[4], Step::InetListen { .. }), "{steps:?}");
    let local = "0.0.0.0:8000".parse().expect("literal");
    assert!(steps.contains(&Step::Hashed { local }), "{steps:?}");
    assert_eq!(steps.last(), Some(&Step::ListenExit { errno: 0 }));
}
