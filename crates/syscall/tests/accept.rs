//! accept4(2): LINUX statements 37, 38, 46 to 48, 116 to 121.

mod common;

use common::{ROOT, World};
use hearken_abi::Errno;
use hearken_abi::sock::*;
use hearken_syscall::{Descriptors, Outcome, ProcessReply, Ticket};

fn queue(w: &World, fd: i32) -> u32 {
    let (net, socket) = w.m.tcp_socket(w.file(fd)).expect("a TCP socket");
    w.m.net(net).accept_queue(socket).expect("a listener").0
}

fn block(w: &mut World, fd: i32) -> Ticket {
    w.accept(fd).blocked().expect("an empty queue").ticket
}

fn resume(w: &mut World, ticket: Ticket) -> Outcome<ProcessReply> {
    w.p.resume(&mut w.m, w.now, ticket)
}

fn accepted(outcome: Outcome<ProcessReply>) -> i32 {
    match outcome {
        Outcome::Done(Ok(ProcessReply::Accepted(fd, _))) => fd,
        other => panic!("{other:?}"),
    }
}

#[test]
fn accept_errors_come_in_linux_order() {
    let mut w = World::new();
    let accept = |w: &mut World, fd, flags| w.p.accept(&mut w.m, w.now, fd, flags).done();
    let l = w.listener("127.0.0.1:8000", 5);
    w.client(l);
    let udp =
        w.p.socket(&mut w.m, w.now, AF_INET, SOCK_DGRAM, 0)
            .expect("a socket");
    let pipe = w.m.open_not_socket(&ROOT);
    let pipe = w.p.install(&mut w.m, w.now, pipe).expect("room");
    let path = w.m.open_path(&ROOT);
    let path = w.p.install(&mut w.m, w.now, path).expect("room");
    let idle = w.tcp();

    assert_eq!(accept(&mut w, -1, 1), Err(Errno::EBADF));
    assert_eq!(accept(&mut w, path, 1), Err(Errno::EBADF));
    for fd in [pipe, udp, idle, l] {
        assert_eq!(accept(&mut w, fd, 1), Err(Errno::EINVAL), "flags");
    }
    w.p.fds.set_limit(1);
    for fd in [pipe, udp, idle, l] {
        assert_eq!(accept(&mut w, fd, 0), Err(Errno::EMFILE));
        assert_eq!(accept(&mut w, fd, 1), Err(Errno::EINVAL), "flags first");
    }
    w.p.fds.set_limit(64);
    assert_eq!(queue(&w, l), 1, "the connection is kept");
    assert_eq!(accept(&mut w, pipe, 0), Err(Errno::ENOTSOCK));
    assert_eq!(accept(&mut w, udp, 0), Err(Errno::EOPNOTSUPP));
    assert_eq!(accept(&mut w, idle, 0), Err(Errno::EINVAL));
    assert!(accept(&mut w, l, 0).is_ok());
    let file = w.file(l);
    assert_eq!(w.m.set_nonblocking(file, true), Ok(()));
    assert_eq!(
        w.accept(l),
        Outcome::Done(Err(Errno::EAGAIN)),
        "empty and nonblocking"
    );
    let next = w.tcp();
    assert_eq!(w.close(next), Ok(()));
    assert_eq!(w.accept(l), Outcome::Done(Err(Errno::EAGAIN)));
    assert_eq!(w.tcp(), next, "a failed accept gives its number back");
}

#[test]
fn accept_of_a_connected_socket_is_einval() {
    let mut w = World::new();
    let (c, s) = w.pair();
    assert_eq!(w.accept(c), Outcome::Done(Err(Errno::EINVAL)));
    assert_eq!(w.accept(s), Outcome::Done(Err(Errno::EINVAL)));
}

#[test]
fn accept_flags_are_for_the_child_alone() {
    let mut w = World::new();
    let l = w.listener("127.0.0.1:8000", 5);
    let file = w.file(l);
    w.client(l);
    w.client(l);
    let both = SOCK_NONBLOCK | SOCK_CLOEXEC;
    let (a, _) =
        w.p.accept(&mut w.m, w.now, l, both)
            .done()
            .expect("a connection");
    assert_eq!(w.m.nonblocking(w.file(a)), Ok(true));
    assert_eq!(w.p.fds.cloexec(a), Ok(true));
    assert_eq!(w.m.set_nonblocking(file, true), Ok(()));
    let b = w.accept_now(l);
    assert_eq!(w.m.nonblocking(w.file(b)), Ok(false), "not inherited");
    assert_eq!(w.p.fds.cloexec(b), Ok(false));
    assert_eq!(w.m.set_nonblocking(file, false), Ok(()));
    let waits = w.p.accept(&mut w.m, w.now, l, both);
    assert!(
        waits.blocked().is_some(),
        "SOCK_NONBLOCK does not make accept itself nonblocking"
    );
}

#[test]
fn accept_is_fifo_and_names_the_peer() {
    let mut w = World::new();
    let l = w.listener("127.0.0.1:8000", 5);
    let clients: Vec<i32> = (0..4).map(|_| w.client(l)).collect();
    for c in clients {
        let want = w.name(c);
        let Outcome::Done(Ok((child, peer))) = w.accept(l) else {
            panic!("four wait");
        };
        assert_eq!(peer, want);
        assert_eq!(w.m.getpeername(w.file(child)), Ok(want));
        assert_eq!(w.name(child).port(), 8000);
    }
}

#[test]
fn accept_blocked_is_woken_one_per_connection_in_order() {
    let mut w = World::new();
    let l = w.listener("127.0.0.1:8000", 50);
    let waiting: Vec<Ticket> = (0..4).map(|_| block(&mut w, l)).collect();
    assert_eq!(w.ready(), []);
    w.client(l);
    assert_eq!(w.ready(), waiting[..1]);
    accepted(resume(&mut w, waiting[0]));
    w.client(l);
    w.client(l);
    assert_eq!(w.ready(), waiting[1..3]);
    for t in &waiting[1..3] {
        accepted(resume(&mut w, *t));
    }
    assert_eq!(w.ready(), []);
    assert!(
        resume(&mut w, waiting[3]).blocked().is_some(),
        "nothing for the fourth"
    );
    w.client(l);
    assert_eq!(w.ready(), waiting[3..]);
    accepted(resume(&mut w, waiting[3]));
}

#[test]
fn accept_woken_for_a_connection_that_another_call_took_waits_again() {
    let mut w = World::new();
    let l = w.listener("127.0.0.1:8000", 50);
    let t = block(&mut w, l);
    w.client(l);
    w.accept_now(l);
    assert_eq!(w.ready(), [t]);
    let b = resume(&mut w, t).blocked().expect("nothing is left");
    assert_eq!(b.ticket, t);
    w.client(l);
    assert_eq!(w.ready(), [t]);
    accepted(resume(&mut w, t));
}

#[test]
fn accept_woken_and_then_interrupted_hands_its_connection_to_the_next() {
    let mut w = World::new();
    let l = w.listener("127.0.0.1:8000", 50);
    let (first, second) = (block(&mut w, l), block(&mut w, l));
    w.client(l);
    assert_eq!(w.ready(), [first]);
    // Its process dies before it takes the connection.
    w.m.cancel(w.now, first);
    assert_eq!(w.ready(), [second]);
    accepted(resume(&mut w, second));
}

#[test]
fn accept_blocked_keeps_the_listener_alive_after_close_and_takes_one_more() {
    let mut w = World::new();
    let l = w.listener("127.0.0.1:8000", 5);
    let file = w.file(l);
    let t = block(&mut w, l);
    assert_eq!(w.close(l), Ok(()));
    assert_eq!(w.ready(), [], "close does not wake it");
    let (net, socket) = w.m.tcp_socket(file).expect("alive");
    assert!(w.m.net(net).accept_queue(socket).is_some(), "still listens");
    let c = w.tcp_nonblocking();
    let to = common::sockaddr("127.0.0.1:8000");
    assert_eq!(w.connect(c, &to), Outcome::Done(Err(Errno::EINPROGRESS)));
    w.settle();
    assert_eq!(w.ready(), [t]);
    accepted(resume(&mut w, t));
    w.settle();
    assert!(w.m.tcp_socket(file).is_none(), "the reference is released");
    let c = w.tcp_nonblocking();
    assert_eq!(w.connect(c, &to), Outcome::Done(Err(Errno::EINPROGRESS)));
    w.settle();
    assert_eq!(
        w.get_int(c, SOL_SOCKET, SO_ERROR),
        Ok(Errno::ECONNREFUSED.0)
    );
}

#[test]
fn accept_blocked_holds_its_descriptor_number() {
    let mut w = World::new();
    let l = w.listener("127.0.0.1:8000", 5);
    let t = block(&mut w, l);
    let c = w.client(l);
    assert_eq!(c, l + 2, "the accept holds {}", l + 1);
    assert_eq!(accepted(resume(&mut w, t)), l + 1);
    let t = block(&mut w, l);
    assert_eq!(w.tcp(), l + 4);
    assert_eq!(w.p.interrupt(&mut w.m, w.now, t), Err(Errno::ERESTARTSYS));
    assert_eq!(w.tcp(), l + 3, "given back");
}

#[test]
fn accept_blocked_gets_einval_when_the_listener_is_shut_down() {
    let mut w = World::new();
    let l = w.listener("127.0.0.1:8000", 5);
    let (a, b) = (block(&mut w, l), block(&mut w, l));
    assert_eq!(w.shutdown(l, SHUT_RDWR), Ok(()));
    assert_eq!(w.ready(), [a, b]);
    for t in [a, b] {
        assert_eq!(resume(&mut w, t), Outcome::Done(Err(Errno::EINVAL)));
    }
}

#[test]
fn accept_gives_up_at_its_timeout_and_not_before() {
    let mut w = World::new();
    let l = w.listener("127.0.0.1:8000", 5);
    let half_second = [0i64.to_ne_bytes(), 500_000i64.to_ne_bytes()].concat();
    assert_eq!(w.set(l, SOL_SOCKET, SO_RCVTIMEO, &half_second), Ok(()));
    let b = w.accept(l).blocked().expect("an empty queue");
    assert_eq!(b.deadline, Some(hearken_syscall::Instant(1_500_000_000)));
    assert_eq!(w.m.poll_timeout(), b.deadline);
    w.advance(499);
    assert_eq!(w.ready(), []);
    assert!(resume(&mut w, b.ticket).blocked().is_some());
    w.advance(1);
    assert_eq!(w.ready(), [b.ticket]);
    assert_eq!(resume(&mut w, b.ticket), Outcome::Done(Err(Errno::EAGAIN)));
    assert_eq!(w.m.poll_timeout(), None);
}

#[test]
fn accept_interrupted_is_eintr_only_with_a_timeout_and_a_connection_wins() {
    let mut w = World::new();
    let l = w.listener("127.0.0.1:8000", 5);
    let t = block(&mut w, l);
    assert_eq!(w.p.interrupt(&mut w.m, w.now, t), Err(Errno::ERESTARTSYS));
    let t = block(&mut w, l);
    w.client(l);
    let r = w.p.interrupt(&mut w.m, w.now, t);
    assert!(matches!(r, Ok(ProcessReply::Accepted(..))), "{r:?}");
    let second = [1i64.to_ne_bytes(), 0i64.to_ne_bytes()].concat();
    assert_eq!(w.set(l, SOL_SOCKET, SO_RCVTIMEO, &second), Ok(()));
    let t = block(&mut w, l);
    assert_eq!(w.p.interrupt(&mut w.m, w.now, t), Err(Errno::EINTR));
    assert_eq!(
        w.p.interrupt(&mut w.m, w.now, t),
        Err(Errno::EBADF),
        "the ticket is over"
    );
}

#[test]
fn accept_undone_is_accepted_again_first() {
    let mut w = World::new();
    let l = w.listener("127.0.0.1:8000", 5);
    let file = w.file(l);
    let (a, b) = (w.client(l), w.client(l));
    let child = w.m.accept(w.now, file, 0).done().expect("a connection");
    assert_eq!(queue(&w, l), 1);
    w.m.accept_undo(w.now, file, child.file);
    assert_eq!(queue(&w, l), 2);
    for c in [a, b] {
        let want = w.name(c);
        let Outcome::Done(Ok((_, peer))) = w.accept(l) else {
            panic!("both wait");
        };
        assert_eq!(peer, want);
    }
}

#[test]
fn accept_write_back_failure_loses_the_connection() {
    let mut w = World::new();
    let l = w.listener("127.0.0.1:8000", 5);
    let file = w.file(l);
    let c = w.client(l);
    let child = w.m.accept(w.now, file, 0).done().expect("a connection");
    w.m.accept_write_back_failed(w.now, child.file);
    w.settle();
    assert_eq!(queue(&w, l), 0);
    assert_eq!(w.recv(c, 1, 0), Outcome::Done(Ok(vec![])), "closed");
}

#[test]
fn accept_of_a_reset_connection_succeeds() {
    let mut w = World::new();
    let l = w.listener("127.0.0.1:8000", 5);
    let c = w.client(l);
    let name = w.name(c);
    let linger = [1i32.to_ne_bytes(), 0i32.to_ne_bytes()].concat();
    assert_eq!(w.set(c, SOL_SOCKET, SO_LINGER, &linger), Ok(()));
    assert_eq!(w.close(c), Ok(()));
    assert_eq!(queue(&w, l), 1);
    assert_eq!(w.poll(l), 0x41);
    let Outcome::Done(Ok((s, peer))) = w.accept(l) else {
        panic!("no ECONNABORTED on Linux");
    };
    assert_eq!(peer, name);
    assert_eq!(w.poll(s), 0x215d);
    assert_eq!(w.m.getpeername(w.file(s)), Err(Errno::ENOTCONN));
    assert_eq!(w.recv(s, 1, 0), Outcome::Done(Err(Errno::ECONNRESET)));
    assert_eq!(w.poll(s), 0x2155);
    assert_eq!(w.recv(s, 1, 0), Outcome::Done(Ok(vec![])));
    assert_eq!(w.send(s, b"x"), Outcome::Done(Err(Errno::EPIPE)));
}

#[test]
fn dup_and_fork_keep_the_listener_alive_until_the_last_close() {
    let mut w = World::new();
    let l = w.listener("127.0.0.1:8000", 5);
    let file = w.file(l);
    let d = w.p.dup(&mut w.m, w.now, l).expect("room");
    let mut child = w.p.fork(&mut w.m, w.now);
    assert_eq!(w.close(l), Ok(()));
    assert_eq!(w.close(d), Ok(()));
    assert_eq!(w.p.fds.lookup(l), Err(Errno::EBADF));
    assert!(w.m.tcp_socket(file).is_some(), "the child has it");
    child.exit(&mut w.m, w.now);
    assert!(w.m.tcp_socket(file).is_none());
    assert_eq!(w.m.open_files(), 0);
}

#[test]
fn accept_undone_after_the_listener_is_gone_closes_the_connection() {
    let mut w = World::new();
    let l = w.listener("127.0.0.1:8000", 5);
    let file = w.file(l);
    let c = w.client(l);
    let child = w.m.accept(w.now, file, 0).done().expect("a connection");
    assert_eq!(w.close(l), Ok(()));
    w.m.accept_undo(w.now, file, child.file);
    w.settle();
    assert_eq!(w.recv(c, 1, 0), Outcome::Done(Ok(vec![])));
    assert_eq!(w.close(c), Ok(()));
    assert_eq!(w.m.open_files(), 0);
}

#[test]
fn accept_woken_for_nothing_goes_to_the_end_of_the_queue() {
    let mut w = World::new();
    let l = w.listener("127.0.0.1:8000", 50);
    let (first, second) = (block(&mut w, l), block(&mut w, l));
    w.client(l);
    w.accept_now(l);
    assert_eq!(w.ready(), [first]);
    assert!(resume(&mut w, first).blocked().is_some());
    w.client(l);
    assert_eq!(w.ready(), [second]);
    w.client(l);
    assert_eq!(w.ready(), [first]);
}
