//! recv(2), send(2), poll masks and the queue ioctls of connections: docs/linux/socket-calls.md.

mod common;

use common::World;
use hearken_abi::Errno;
use hearken_abi::sock::*;
use hearken_syscall::{Outcome, ProcessReply, Reply};

fn got(outcome: Outcome<ProcessReply>) -> Vec<u8> {
    match outcome {
        Outcome::Done(Ok(ProcessReply::Other(Reply::Received(v)))) => v,
        other => panic!("{other:?}"),
    }
}

fn ok(data: &[u8]) -> Outcome<Vec<u8>> {
    Outcome::Done(Ok(data.to_vec()))
}

fn again<T>() -> Outcome<T> {
    Outcome::Done(Err(Errno::EAGAIN))
}

#[test]
fn io_on_a_fresh_socket_is_enotconn_and_epipe() {
    let mut w = World::new();
    let fd = w.tcp();
    for len in [0, 4] {
        assert_eq!(w.recv(fd, len, 0), Outcome::Done(Err(Errno::ENOTCONN)));
        assert_eq!(w.send(fd, &[0; 4][..len]), Outcome::Done(Err(Errno::EPIPE)));
    }
}

#[test]
fn recv_takes_peeks_and_discards() {
    let mut w = World::new();
    let (c, s) = w.pair();
    assert_eq!(w.recv(c, 4, MSG_DONTWAIT), again());
    assert_eq!(w.recv(c, 0, MSG_DONTWAIT), again(), "even for no bytes");
    assert_eq!(w.send(s, b"hello world"), Outcome::Done(Ok(11)));
    assert_eq!(w.poll(c), 0x145);
    assert_eq!(w.m.ioctl_inq(w.file(c)), Ok(11));
    assert_eq!(w.recv(c, 0, 0), ok(b""));
    assert_eq!(w.recv(c, 5, MSG_PEEK), ok(b"hello"));
    assert_eq!(w.recv(c, 99, MSG_PEEK), ok(b"hello world"));
    let mut buf = *b"xxx";
    let n = w.p.recv(&mut w.m, w.now, c, &mut buf, MSG_TRUNC).done();
    assert_eq!((n, &buf), (Ok(3), b"xxx"), "counted and thrown away");
    assert_eq!(w.recv(c, 99, 0), ok(b"lo world"));
    assert_eq!(w.poll(c), 0x104);
    assert_eq!(w.m.ioctl_inq(w.file(c)), Ok(0));
    assert_eq!(w.recv(c, 1, MSG_OOB), Outcome::Done(Err(Errno::EINVAL)));
    assert_eq!(w.recv(c, 1, MSG_ERRQUEUE), again());
}

#[test]
fn recv_blocked_returns_the_first_bytes_and_all_readers_are_woken() {
    let mut w = World::new();
    let (c, s) = w.pair();
    let a = w.recv(c, 2, 0).blocked().expect("nothing there").ticket;
    let b = w.recv(c, 99, 0).blocked().expect("nothing there").ticket;
    assert_eq!(w.send(s, b"hey"), Outcome::Done(Ok(3)));
    assert_eq!(w.ready(), [a, b]);
    assert_eq!(got(w.p.resume(&mut w.m, w.now, a)), b"he");
    assert_eq!(got(w.p.resume(&mut w.m, w.now, b)), b"y");
}

#[test]
fn recv_blocked_sees_the_end_of_the_stream_and_a_reset() {
    let mut w = World::new();
    let (c, s) = w.pair();
    let t = w.recv(c, 9, 0).blocked().expect("nothing there").ticket;
    assert_eq!(w.shutdown(s, SHUT_WR), Ok(()));
    assert_eq!(w.ready(), [t]);
    assert_eq!(got(w.p.resume(&mut w.m, w.now, t)), b"");
    let (c, s) = w.pair();
    let t = w.recv(c, 9, 0).blocked().expect("nothing there").ticket;
    let linger = [1i32.to_ne_bytes(), 0i32.to_ne_bytes()].concat();
    assert_eq!(w.set(s, SOL_SOCKET, SO_LINGER, &linger), Ok(()));
    assert_eq!(w.close(s), Ok(()));
    assert_eq!(w.ready(), [t]);
    assert_eq!(
        w.p.resume(&mut w.m, w.now, t),
        Outcome::Done(Err(Errno::ECONNRESET))
    );
}

#[test]
fn recv_waitall_gathers_and_returns_less_only_at_the_end() {
    let mut w = World::new();
    let (c, s) = w.pair();
    assert_eq!(w.send(s, b"ab"), Outcome::Done(Ok(2)));
    let t = w.recv(c, 5, MSG_WAITALL).blocked().expect("two of five");
    assert_eq!(w.send(s, b"cd"), Outcome::Done(Ok(2)));
    assert_eq!(w.ready(), [t.ticket]);
    assert!(w.p.resume(&mut w.m, w.now, t.ticket).blocked().is_some());
    assert_eq!(w.send(s, b"efg"), Outcome::Done(Ok(3)));
    assert_eq!(got(w.p.resume(&mut w.m, w.now, t.ticket)), b"abcde");
    let t = w.recv(c, 5, MSG_WAITALL).blocked().expect("two of five");
    assert_eq!(w.shutdown(s, SHUT_WR), Ok(()));
    assert_eq!(got(w.p.resume(&mut w.m, w.now, t.ticket)), b"fg");
    assert_eq!(w.recv(c, 5, MSG_WAITALL), ok(b""));
}

#[test]
fn recv_waitall_interrupted_returns_what_it_has() {
    let mut w = World::new();
    let (c, s) = w.pair();
    assert_eq!(w.send(s, b"ab"), Outcome::Done(Ok(2)));
    let t = w.recv(c, 5, MSG_WAITALL).blocked().expect("two of five");
    let r = w.p.interrupt(&mut w.m, w.now, t.ticket);
    assert_eq!(r, Ok(ProcessReply::Other(Reply::Received(b"ab".to_vec()))));
    let t = w.recv(c, 5, MSG_WAITALL).blocked().expect("none of five");
    let r = w.p.interrupt(&mut w.m, w.now, t.ticket);
    assert_eq!(r, Err(Errno::ERESTARTSYS));
}

#[test]
fn send_nonblocking_fills_the_buffer_and_then_is_eagain() {
    let mut w = World::new();
    let (c, s) = w.pair();
    let file = w.file(c);
    assert_eq!(w.m.set_nonblocking(file, true), Ok(()));
    let chunk = vec![7; 65_536];
    let mut sent = 0;
    loop {
        match w.send(c, &chunk) {
            Outcome::Done(Ok(n)) => sent += n,
            Outcome::Done(Err(Errno::EAGAIN)) => break,
            other => panic!("{other:?}"),
        }
        assert!(sent < 64 << 20, "no end of buffers");
    }
    assert_eq!(w.poll(c) & POLLOUT, 0);
    let unacked = w.m.ioctl_outq(file).expect("a connection");
    assert!(unacked > 0);
    let mut read = 0;
    while let Outcome::Done(Ok(v)) = w.recv(s, 65_536, MSG_DONTWAIT) {
        assert!(v.iter().all(|b| *b == 7));
        read += v.len();
        w.advance(300);
    }
    assert_eq!(read, sent);
    assert_eq!(w.poll(c), 0x104);
    assert_eq!(w.m.ioctl_outq(file), Ok(0));
}

#[test]
fn send_blocked_goes_on_until_all_is_written() {
    let mut w = World::new();
    let (c, s) = w.pair();
    let data: Vec<u8> = (0..8u32 << 20).map(|i| (i / 3) as u8).collect();
    let t = w.send(c, &data).blocked().expect("8 MiB do not fit").ticket;
    let mut back = Vec::new();
    let mut result = None;
    for _ in 0..10_000 {
        if let Outcome::Done(Ok(v)) = w.recv(s, 1 << 20, MSG_DONTWAIT) {
            back.extend(v);
        } else {
            w.advance(300);
        }
        if w.ready().contains(&t) && result.is_none() {
            match w.p.resume(&mut w.m, w.now, t) {
                Outcome::Blocked(_) => {}
                Outcome::Done(r) => result = Some(r),
            }
            w.settle();
        }
        if back.len() == data.len() {
            break;
        }
    }
    assert_eq!(
        result,
        Some(Ok(ProcessReply::Other(Reply::Sent(data.len()))))
    );
    assert!(back == data, "{} bytes of {}", back.len(), data.len());
}

#[test]
fn send_blocked_interrupted_tells_how_much_went_out() {
    let mut w = World::new();
    let (c, _s) = w.pair();
    let data = vec![0; 64 << 20];
    let t = w
        .send(c, &data)
        .blocked()
        .expect("64 MiB do not fit")
        .ticket;
    match w.p.interrupt(&mut w.m, w.now, t) {
        Ok(ProcessReply::Other(Reply::Sent(n))) => assert!(n > 0 && n < data.len()),
        other => panic!("{other:?}"),
    }
    let t = loop {
        if let Some(b) = w.send(c, b"more").blocked() {
            break b.ticket;
        }
        w.advance(300);
    };
    assert_eq!(w.p.interrupt(&mut w.m, w.now, t), Err(Errno::ERESTARTSYS));
}

#[test]
fn poll_masks_of_every_phase_are_linux() {
    let mut w = World::new();
    let fd = w.tcp();
    assert_eq!(w.poll(fd), 0x114, "fresh");
    assert_eq!(w.bind(fd, "127.0.0.1:8000"), Ok(()));
    assert_eq!(w.poll(fd), 0x114, "bound");
    assert_eq!(w.listen(fd, 5), Ok(()));
    assert_eq!(w.poll(fd), 0, "listening");
    let c = w.client(fd);
    assert_eq!(w.poll(fd), 0x41, "one waits");
    assert_eq!(w.poll(c), 0x104, "established");
    let s = w.accept_now(fd);
    assert_eq!(w.poll(fd), 0);
    assert_eq!(w.shutdown(c, SHUT_WR), Ok(()));
    assert_eq!(w.poll(c), 0x104, "FIN_WAIT2");
    assert_eq!(w.poll(s), 0x2145, "CLOSE_WAIT");
    assert_eq!(w.send(c, b"x"), Outcome::Done(Err(Errno::EPIPE)));
    assert_eq!(w.shutdown(s, SHUT_WR), Ok(()));
    assert_eq!(w.poll(c), 0x2155, "TIME_WAIT");
    assert_eq!(w.poll(s), 0x2155, "CLOSE");
    let (c, s) = w.pair();
    assert_eq!(w.shutdown(c, SHUT_RD), Ok(()));
    assert_eq!(w.poll(c), 0x2145, "shut for reading");
    assert_eq!(w.recv(c, 9, 0), ok(b""));
    assert_eq!(w.send(c, b"zz"), Outcome::Done(Ok(2)));
    assert_eq!(w.poll(s), 0x145);
    let udp =
        w.p.socket(&mut w.m, w.now, AF_INET, SOCK_DGRAM, 0)
            .expect("a socket");
    assert_eq!(w.poll(udp), 0x304);
    assert_eq!(w.p.poll(&w.m, 60, 1), 0x20, "not open");
    assert_eq!(w.p.poll(&w.m, s, POLLOUT), POLLOUT, "only what was asked");
}

#[test]
fn ioctl_of_other_kinds_is_enotty() {
    let mut w = World::new();
    let fd = w.tcp();
    let file = w.file(fd);
    for request in [SIOCINQ, SIOCOUTQ, SIOCOUTQNSD, SIOCATMARK] {
        assert_eq!(w.m.ioctl(file, request), Ok(0));
    }
    for request in [0x5401, 0x1234] {
        assert_eq!(w.m.ioctl(file, request), Err(Errno::ENOTTY));
    }
    let udp =
        w.p.socket(&mut w.m, w.now, AF_INET, SOCK_DGRAM, 0)
            .expect("a socket");
    let file = w.file(udp);
    assert_eq!(w.m.ioctl(file, SIOCINQ), Ok(0));
    for request in [SIOCOUTQNSD, SIOCATMARK] {
        assert_eq!(w.m.ioctl(file, request), Err(Errno::ENOTTY));
    }
}

#[test]
fn recv_waitall_cut_by_a_reset_returns_its_bytes_and_then_the_error() {
    let mut w = World::new();
    let (c, s) = w.pair();
    assert_eq!(w.send(s, b"ab"), Outcome::Done(Ok(2)));
    let t = w.recv(c, 5, MSG_WAITALL).blocked().expect("two of five");
    let linger = [1i32.to_ne_bytes(), 0i32.to_ne_bytes()].concat();
    assert_eq!(w.set(s, SOL_SOCKET, SO_LINGER, &linger), Ok(()));
    assert_eq!(w.close(s), Ok(()));
    assert_eq!(w.ready(), [t.ticket]);
    assert_eq!(got(w.p.resume(&mut w.m, w.now, t.ticket)), b"ab");
    assert_eq!(w.recv(c, 5, 0), Outcome::Done(Err(Errno::ECONNRESET)));
}

#[test]
fn recv_waits_for_so_rcvlowat_bytes_or_the_end() {
    let mut w = World::new();
    let (c, s) = w.pair();
    assert_eq!(w.set_int(c, SOL_SOCKET, SO_RCVLOWAT, 4), Ok(()));
    let t = w.recv(c, 9, 0).blocked().expect("nothing there").ticket;
    assert_eq!(w.send(s, b"ab"), Outcome::Done(Ok(2)));
    assert!(w.p.resume(&mut w.m, w.now, t).blocked().is_some());
    assert_eq!(w.send(s, b"cde"), Outcome::Done(Ok(3)));
    assert_eq!(got(w.p.resume(&mut w.m, w.now, t)), b"abcde");
    assert_eq!(w.send(s, b"ab"), Outcome::Done(Ok(2)));
    assert_eq!(w.poll(c), 0x104);
    assert_eq!(w.recv(c, 2, 0), ok(b"ab"), "no more was asked for");
    assert_eq!(w.send(s, b"ab"), Outcome::Done(Ok(2)));
    assert_eq!(w.recv(c, 9, MSG_DONTWAIT), ok(b"ab"));
    assert_eq!(w.send(s, b"x"), Outcome::Done(Ok(1)));
    assert_eq!(w.shutdown(s, SHUT_WR), Ok(()));
    assert_eq!(w.poll(c), 0x2145);
    assert_eq!(w.recv(c, 9, 0), ok(b"x"));
}
