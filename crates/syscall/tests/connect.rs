//! connect(2), names and shutdown(2): what Linux 6.18.44 answered is in docs/linux/socket-calls.md.

mod common;

use common::{World, bytes, sockaddr};
use hearken_abi::Errno;
use hearken_abi::sock::*;
use hearken_syscall::{Outcome, ProcessReply};

const REFUSED: &str = "127.0.0.1:1";

fn done(e: Errno) -> Outcome<()> {
    Outcome::Done(Err(e))
}

fn settled(w: &mut World, fd: i32, to: &[u8]) -> Outcome<()> {
    let r = w.connect(fd, to);
    w.settle();
    r
}

#[test]
fn connect_nonblocking_reports_once_and_then_begins_anew() {
    let mut w = World::new();
    let fd = w.tcp_nonblocking();
    let to = sockaddr(REFUSED);
    assert_eq!(settled(&mut w, fd, &to), done(Errno::EINPROGRESS));
    assert_eq!(w.poll(fd), 0x215d);
    assert_eq!(settled(&mut w, fd, &to), done(Errno::ECONNREFUSED));
    assert_eq!(settled(&mut w, fd, &to), done(Errno::EINPROGRESS));
    assert_eq!(
        w.get_int(fd, SOL_SOCKET, SO_ERROR),
        Ok(Errno::ECONNREFUSED.0)
    );
    assert_eq!(w.get_int(fd, SOL_SOCKET, SO_ERROR), Ok(0), "taken");
    assert_eq!(settled(&mut w, fd, &to), done(Errno::ECONNABORTED));
    assert_eq!(settled(&mut w, fd, &to), done(Errno::EINPROGRESS));
}

#[test]
fn connect_nonblocking_success_is_told_by_one_more_call() {
    let mut w = World::new();
    let l = w.listener("127.0.0.1:8000", 5);
    let to = bytes(w.name(l));
    let fd = w.tcp_nonblocking();
    assert_eq!(w.connect(fd, &to), done(Errno::EINPROGRESS));
    assert_eq!(w.poll(fd), 0, "SYN_SENT");
    assert_eq!(w.connect(fd, &to), done(Errno::EALREADY));
    assert_eq!(w.connect(fd, &sockaddr(REFUSED)), done(Errno::EALREADY));
    let file = w.file(fd);
    assert_eq!(w.m.getpeername(file), Err(Errno::ENOTCONN));
    assert_eq!(w.recv(fd, 4, 0), Outcome::Done(Err(Errno::EAGAIN)));
    assert_eq!(w.poll(fd), 0x104);
    assert_eq!(w.m.getpeername(file), Ok(w.name(l)));
    assert_eq!(w.connect(fd, &to), Outcome::Done(Ok(())));
    assert_eq!(w.connect(fd, &to), done(Errno::EISCONN));
    for bad in [&to[..8], &sockaddr("[::1]:1")[..]] {
        assert_eq!(w.connect(fd, bad), done(Errno::EISCONN), "state first");
    }
}

#[test]
fn connect_blocking_returns_what_the_handshake_came_to() {
    let mut w = World::new();
    let fd = w.tcp();
    let t = w
        .connect(fd, &sockaddr(REFUSED))
        .blocked()
        .expect("waits")
        .ticket;
    assert_eq!(w.ready(), []);
    w.settle();
    assert_eq!(w.ready(), [t]);
    assert_eq!(
        w.p.resume(&mut w.m, w.now, t),
        Outcome::Done(Err(Errno::ECONNREFUSED))
    );
    assert_eq!(w.get_int(fd, SOL_SOCKET, SO_ERROR), Ok(0));
    let l = w.listener("127.0.0.1:8000", 5);
    let to = bytes(w.name(l));
    let t = w.connect(fd, &to).blocked().expect("waits").ticket;
    w.settle();
    assert!(matches!(
        w.p.resume(&mut w.m, w.now, t),
        Outcome::Done(Ok(ProcessReply::Other(_)))
    ));
}

#[test]
fn connect_interrupted_goes_on_and_a_second_call_waits_for_it() {
    let mut w = World::new();
    let l = w.listener("127.0.0.1:8000", 5);
    let to = bytes(w.name(l));
    let fd = w.tcp();
    let t = w.connect(fd, &to).blocked().expect("waits").ticket;
    assert_eq!(w.p.interrupt(&mut w.m, w.now, t), Err(Errno::ERESTARTSYS));
    let t = w.connect(fd, &to).blocked().expect("waits again").ticket;
    w.settle();
    assert_eq!(w.ready(), [t]);
    assert!(matches!(
        w.p.resume(&mut w.m, w.now, t),
        Outcome::Done(Ok(_))
    ));
}

#[test]
fn connect_send_timeout_leaves_the_attempt_under_way() {
    let mut w = World::new();
    let l = w.listener("127.0.0.1:8000", 0);
    w.client(l);
    let to = bytes(w.name(l));
    let fd = w.tcp();
    let tenth = [0i64.to_ne_bytes(), 100_000i64.to_ne_bytes()].concat();
    assert_eq!(w.set(fd, SOL_SOCKET, SO_SNDTIMEO, &tenth), Ok(()));
    let b = w.connect(fd, &to).blocked().expect("the queue is full");
    w.settle();
    w.advance(99);
    assert_eq!(w.ready(), []);
    w.advance(1);
    assert_eq!(w.ready(), [b.ticket]);
    assert_eq!(
        w.p.resume(&mut w.m, w.now, b.ticket),
        Outcome::Done(Err(Errno::EINPROGRESS))
    );
    assert_eq!(w.poll(fd), 0, "still SYN_SENT");
    w.accept_now(l);
    w.advance(1000);
    assert_eq!(w.poll(fd), 0x104);
}

#[test]
fn connect_unspec_disconnects() {
    let mut w = World::new();
    let l = w.listener("127.0.0.1:8000", 5);
    let (c, s) = {
        let c = w.client(l);
        (c, w.accept_now(l))
    };
    for short in [&[][..], &[0]] {
        assert_eq!(w.connect(c, short), done(Errno::EINVAL));
    }
    assert_eq!(settled(&mut w, c, &[0, 0]), Outcome::Done(Ok(())));
    // POLLERR: ECONNRESET is left (docs/linux/socket-calls.md).
    assert_eq!(w.poll(c), 0x11c);
    assert_eq!(w.recv(s, 1, 0), Outcome::Done(Err(Errno::ECONNRESET)));
    let to = bytes(w.name(l));
    let t = w.connect(c, &to).blocked().expect("waits").ticket;
    w.settle();
    assert!(matches!(
        w.p.resume(&mut w.m, w.now, t),
        Outcome::Done(Ok(_))
    ));
}

#[test]
fn connect_addresses_that_lead_nowhere() {
    let mut w = World::new();
    let fd = w.tcp();
    for (to, want) in [
        ("255.255.255.255:1", Errno::ENETUNREACH),
        ("224.0.0.1:1", Errno::ENETUNREACH),
        ("9.9.9.9:1", Errno::ENETUNREACH),
        ("[::1]:1", Errno::EAFNOSUPPORT),
    ] {
        assert_eq!(w.connect(fd, &sockaddr(to)), done(want), "{to}");
    }
    let fd = w.tcp6();
    for (to, want) in [
        ("[ff02::1]:1", Errno::ENETUNREACH),
        ("[2001:db8::1]:1", Errno::ENETUNREACH),
        ("[fe80::1]:1", Errno::EINVAL),
        ("127.0.0.1:1", Errno::EINVAL),
    ] {
        assert_eq!(w.connect(fd, &sockaddr(to)), done(want), "{to}");
    }
    assert_eq!(w.set_int(fd, SOL_IPV6, IPV6_V6ONLY, 1), Ok(()));
    assert_eq!(
        w.connect(fd, &sockaddr("[::ffff:127.0.0.1]:1")),
        done(Errno::ENETUNREACH)
    );
}

#[test]
fn connect_to_the_wildcard_is_to_loopback() {
    let mut w = World::new();
    let l = w.listener("127.0.0.1:8000", 5);
    let fd = w.tcp_nonblocking();
    let r = settled(&mut w, fd, &sockaddr("0.0.0.0:8000"));
    assert_eq!(r, done(Errno::EINPROGRESS));
    assert_eq!(w.poll(fd), 0x104);
    assert_eq!(w.m.getpeername(w.file(fd)), Ok(w.name(l)));
    let l = w.listener("[::1]:8001", 5);
    let fd = w.tcp6();
    let r = settled(&mut w, fd, &sockaddr("[::]:8001"));
    assert!(r.blocked().is_some());
    assert_eq!(w.poll(fd), 0x104);
    assert_eq!(w.m.getpeername(w.file(fd)), Ok(w.name(l)));
}

#[test]
fn connect_after_a_reset_is_eisconn() {
    let mut w = World::new();
    let (c, s) = w.pair();
    let linger = [1i32.to_ne_bytes(), 0i32.to_ne_bytes()].concat();
    assert_eq!(w.set(c, SOL_SOCKET, SO_LINGER, &linger), Ok(()));
    assert_eq!(w.close(c), Ok(()));
    assert_eq!(w.poll(s), 0x215d);
    assert_eq!(w.recv(s, 1, 0), Outcome::Done(Err(Errno::ECONNRESET)));
    assert_eq!(w.shutdown(s, SHUT_RDWR), Err(Errno::ENOTCONN));
    assert_eq!(w.connect(s, &sockaddr(REFUSED)), done(Errno::EISCONN));
}

#[test]
fn bind_errors_come_in_linux_order() {
    let mut w = World::new();
    let fd = w.tcp();
    assert_eq!(w.bind(fd, "9.9.9.9:0"), Err(Errno::EADDRNOTAVAIL));
    assert_eq!(w.bind(fd, "127.0.0.1:8000"), Ok(()));
    // Bound already: the length, the family and the address are still looked at first.
    assert_eq!(w.bind(fd, "127.0.0.1:8001"), Err(Errno::EINVAL));
    assert_eq!(w.bind(fd, "9.9.9.9:0"), Err(Errno::EADDRNOTAVAIL));
    let mut other = sockaddr("127.0.0.1:8001");
    other[0] = 3;
    let r = w.p.bind(&mut w.m, w.now, fd, &other);
    assert_eq!(r, Err(Errno::EAFNOSUPPORT));
    let r = w.p.bind(&mut w.m, w.now, 60, &[]);
    assert_eq!(r, Err(Errno::EBADF));
    let second = w.tcp();
    assert_eq!(w.bind(second, "127.0.0.1:8000"), Err(Errno::EADDRINUSE));
    w.p.cred.net_bind_service = false;
    assert_eq!(w.bind(second, "127.0.0.1:80"), Err(Errno::EACCES));
    assert_eq!(w.bind(second, "127.0.0.1:1024"), Ok(()));
    let six = w.tcp6();
    assert_eq!(w.bind(six, "[2001:db8::1]:0"), Err(Errno::EADDRNOTAVAIL));
    assert_eq!(w.bind(six, "[ff0e::1]:0"), Err(Errno::EINVAL));
}

#[test]
fn names_of_a_fresh_socket_are_the_wildcard_and_enotconn() {
    let mut w = World::new();
    let (four, six) = (w.tcp(), w.tcp6());
    assert_eq!(w.name(four), "0.0.0.0:0".parse().expect("literal"));
    assert_eq!(w.name(six), "[::]:0".parse().expect("literal"));
    for fd in [four, six] {
        assert_eq!(w.m.getpeername(w.file(fd)), Err(Errno::ENOTCONN));
    }
}

#[test]
fn shutdown_looks_at_how_before_the_state() {
    let mut w = World::new();
    let fd = w.tcp();
    for (how, want) in [
        (-1, Errno::EINVAL),
        (0, Errno::ENOTCONN),
        (1, Errno::ENOTCONN),
        (2, Errno::ENOTCONN),
        (3, Errno::EINVAL),
    ] {
        assert_eq!(w.shutdown(fd, how), Err(want), "{how}");
    }
    assert_eq!(w.listen(fd, 1), Ok(()), "a failed shutdown does no harm");
    let (c, _s) = w.pair();
    for how in [0, 0, 1, 1, 2, 2] {
        assert_eq!(w.shutdown(c, how), Ok(()), "{how}");
    }
}

#[test]
fn shutdown_of_an_attempt_succeeds_and_the_socket_may_listen() {
    let mut w = World::new();
    let l = w.listener("127.0.0.1:8000", 0);
    w.client(l);
    let fd = w.tcp_nonblocking();
    let to = bytes(w.name(l));
    assert_eq!(settled(&mut w, fd, &to), done(Errno::EINPROGRESS));
    assert_eq!(w.listen(fd, 1), Err(Errno::EINVAL));
    assert_eq!(w.shutdown(fd, SHUT_RDWR), Ok(()));
    assert_eq!(w.listen(fd, 1), Ok(()));
}
