//! Epoll sets over sockets: LINUX statements 38, 120, 123.

mod common;

use common::{ROOT, World};
use hearken_abi::Errno;
use hearken_abi::sock::*;
use hearken_syscall::{EpollEvent, EpollOp, MachineEvent, Outcome, ProcessReply, Reply};

const IN: u32 = EPOLLIN;
const ET: u32 = EPOLLET;

fn epoll(w: &mut World) -> i32 {
    let file = w.m.epoll_create(&ROOT);
    w.p.install(&mut w.m, w.now, file).expect("room")
}

fn add(w: &mut World, ep: i32, fd: i32, events: u32) {
    let data = fd.unsigned_abs().into();
    let op = EpollOp::Add(EpollEvent { events, data });
    assert_eq!(w.p.epoll_ctl(&mut w.m, ep, fd, op), Ok(()));
}

fn wait(w: &mut World, ep: i32) -> Vec<(u32, u64)> {
    w.settle();
    let events =
        w.p.epoll_wait(&mut w.m, w.now, ep, 16, 0)
            .done()
            .expect("a set");
    events.iter().map(|e| (e.events, e.data)).collect()
}

#[test]
fn epoll_edge_fires_once_per_new_connection() {
    let mut w = World::new();
    let l = w.listener("127.0.0.1:8000", 50);
    let ep = epoll(&mut w);
    add(&mut w, ep, l, IN | EPOLLOUT | EPOLLRDHUP | ET);
    let data = l as u64;
    assert_eq!(wait(&mut w, ep), []);
    w.client(l);
    assert_eq!(wait(&mut w, ep), [(IN, data)]);
    assert_eq!(wait(&mut w, ep), [], "again without accept");
    w.client(l);
    assert_eq!(wait(&mut w, ep), [(IN, data)]);
    w.accept_now(l);
    assert_eq!(wait(&mut w, ep), [], "one of two accepted");
    assert_eq!(w.shutdown(l, SHUT_RD), Ok(()));
    assert_eq!(wait(&mut w, ep), [(EPOLLOUT | EPOLLHUP, data)]);
}

#[test]
fn epoll_level_reports_as_long_as_somebody_waits() {
    let mut w = World::new();
    let l = w.listener("127.0.0.1:8000", 50);
    let sets: Vec<i32> = (0..3).map(|_| epoll(&mut w)).collect();
    for ep in &sets {
        add(&mut w, *ep, l, IN);
    }
    w.client(l);
    for ep in &sets {
        assert_eq!(wait(&mut w, *ep), [(IN, l as u64)]);
        assert_eq!(wait(&mut w, *ep), [(IN, l as u64)]);
    }
    w.accept_now(l);
    for ep in &sets {
        assert_eq!(wait(&mut w, *ep), []);
    }
}

#[test]
fn epoll_wait_blocked_is_woken_in_every_level_triggered_set() {
    let mut w = World::new();
    let l = w.listener("127.0.0.1:8000", 50);
    let mut tickets = Vec::new();
    for _ in 0..3 {
        let ep = epoll(&mut w);
        add(&mut w, ep, l, IN);
        let r = w.p.epoll_wait(&mut w.m, w.now, ep, 16, -1);
        tickets.push(r.blocked().expect("nothing yet").ticket);
    }
    assert_eq!(w.ready(), []);
    w.client(l);
    assert_eq!(w.ready(), tickets);
    for t in tickets {
        let Outcome::Done(Ok(ProcessReply::Other(Reply::Events(e)))) =
            w.p.resume(&mut w.m, w.now, t)
        else {
            panic!("an event");
        };
        assert_eq!((e[0].events, e[0].data), (IN, l as u64));
    }
}

/// As many sleepers as connections, in the order in which the sets were made, whoever has taken nothing yet.
#[test]
fn epoll_wait_blocked_exclusively_is_woken_one_per_connection() {
    for bits in [IN | EPOLLEXCLUSIVE, IN | ET | EPOLLEXCLUSIVE] {
        let mut w = World::new();
        let l = w.listener("127.0.0.1:8000", 50);
        let mut tickets = Vec::new();
        for _ in 0..3 {
            let ep = epoll(&mut w);
            add(&mut w, ep, l, bits);
            let r = w.p.epoll_wait(&mut w.m, w.now, ep, 16, -1);
            tickets.push(r.blocked().expect("nothing yet").ticket);
        }
        for t in tickets {
            w.client(l);
            assert_eq!(w.ready(), [t]);
            let done = w.p.resume(&mut w.m, w.now, t);
            let Outcome::Done(Ok(ProcessReply::Other(Reply::Events(e)))) = done else {
                panic!("an event");
            };
            assert_eq!(e.len(), 1);
        }
    }
}

/// Where nobody sleeps every set is told, and a set that is not exclusive is told in any case.
#[test]
fn epoll_exclusive_set_takes_nothing_from_those_that_do_not_sleep() {
    let mut w = World::new();
    let l = w.listener("127.0.0.1:8000", 50);
    let sets: Vec<i32> = [EPOLLEXCLUSIVE, EPOLLEXCLUSIVE, 0]
        .map(|bit| {
            let ep = epoll(&mut w);
            add(&mut w, ep, l, IN | bit);
            ep
        })
        .into();
    w.client(l);
    for ep in sets {
        assert_eq!(wait(&mut w, ep), [(IN, l as u64)]);
    }
}

#[test]
fn epoll_wait_times_out_with_nothing_and_a_signal_is_always_eintr() {
    let mut w = World::new();
    let ep = epoll(&mut w);
    let b =
        w.p.epoll_wait(&mut w.m, w.now, ep, 1, 10)
            .blocked()
            .expect("waits");
    w.advance(9);
    assert_eq!(w.ready(), []);
    w.advance(1);
    assert_eq!(w.ready(), [b.ticket]);
    assert_eq!(
        w.p.resume(&mut w.m, w.now, b.ticket),
        Outcome::Done(Ok(ProcessReply::Other(Reply::Events(vec![]))))
    );
    let b =
        w.p.epoll_wait(&mut w.m, w.now, ep, 1, -1)
            .blocked()
            .expect("waits");
    assert_eq!(b.deadline, None);
    assert_eq!(w.p.interrupt(&mut w.m, w.now, b.ticket), Err(Errno::EINTR));
}

#[test]
fn epoll_keeps_a_closed_descriptor_that_a_dup_keeps_alive() {
    let mut w = World::new();
    let fd = w.tcp();
    let ep = epoll(&mut w);
    add(&mut w, ep, fd, EPOLLOUT);
    let dup = w.p.dup(&mut w.m, w.now, fd).expect("room");
    assert_eq!(w.close(fd), Ok(()));
    assert_eq!(wait(&mut w, ep), [(0x14, fd as u64)]);
    assert_eq!(
        w.p.epoll_ctl(&mut w.m, ep, fd, EpollOp::Delete),
        Err(Errno::EBADF)
    );
    assert_eq!(w.close(dup), Ok(()));
    assert_eq!(wait(&mut w, ep), []);
}

#[test]
fn epoll_calls_refuse_what_linux_refuses() {
    let mut w = World::new();
    let (ep, other, fd) = (epoll(&mut w), epoll(&mut w), w.tcp());
    let pipe = w.m.open_not_socket(&ROOT);
    let null = w.p.install(&mut w.m, w.now, pipe).expect("room");
    let op = EpollOp::Add(EpollEvent {
        events: IN,
        data: 0,
    });
    let mut ctl = |ep, fd| w.p.epoll_ctl(&mut w.m, ep, fd, op);
    assert_eq!(ctl(60, fd), Err(Errno::EBADF));
    assert_eq!(ctl(ep, 60), Err(Errno::EBADF));
    assert_eq!(ctl(ep, ep), Err(Errno::EINVAL));
    assert_eq!(ctl(fd, ep), Err(Errno::EINVAL));
    assert_eq!(ctl(fd, fd), Err(Errno::EINVAL));
    assert_eq!(ctl(ep, null), Err(Errno::EPERM));
    assert_eq!(ctl(ep, other), Err(Errno::ELOOP));
    let mut wait = |ep, max| w.p.epoll_wait(&mut w.m, w.now, ep, max, 0).done();
    assert_eq!(wait(ep, 0), Err(Errno::EINVAL));
    assert_eq!(wait(ep, -1), Err(Errno::EINVAL));
    assert_eq!(wait(fd, 1), Err(Errno::EINVAL));
    assert_eq!(wait(60, 0), Err(Errno::EBADF));
}

#[test]
fn watch_tells_the_owner_of_the_machine_what_holds_once_until_it_asks() {
    let mut w = World::new();
    let l = w.listener("127.0.0.1:8000", 50);
    let file = w.file(l);
    let mut events = Vec::new();
    w.settle();
    w.m.poll_events(&mut events);
    events.clear();
    assert_eq!(w.m.watch(file, POLLIN), Ok(()));
    w.client(l);
    w.client(l);
    w.m.poll_events(&mut events);
    assert_eq!(events, [MachineEvent::Ready { file, mask: 0x41 }]);
    events.clear();
    w.m.poll_events(&mut events);
    assert_eq!(events, []);
    w.client(l);
    for _ in 0..3 {
        w.accept_now(l);
    }
    w.m.poll_events(&mut events);
    assert_eq!(events, [], "no longer ready");
    assert_eq!(w.m.watch(file, 0), Ok(()));
    w.client(l);
    w.m.poll_events(&mut events);
    assert_eq!(events, []);
}

#[test]
fn epoll_wait_blocked_is_woken_by_a_member_that_is_ready_when_it_is_added() {
    let mut w = World::new();
    let (ep, fd) = (epoll(&mut w), w.tcp());
    let b =
        w.p.epoll_wait(&mut w.m, w.now, ep, 16, -1)
            .blocked()
            .expect("an empty set");
    add(&mut w, ep, fd, EPOLLOUT);
    assert_eq!(w.ready(), [b.ticket]);
    assert_eq!(w.poll(ep), 0x41, "a set is readable itself");
}
