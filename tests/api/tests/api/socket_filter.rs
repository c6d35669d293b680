//! SO_ATTACH_FILTER, SO_DETACH_FILTER, SO_LOCK_FILTER (statement 77).

use hearken_abi::Errno;
use hearken_abi::sock::{SO_ATTACH_FILTER, SO_DETACH_FILTER, SO_LOCK_FILTER, SOL_SOCKET};

use hearken_twin::{Fd, Insn, Ip, Opt, Peer, Twin};

family_cases! {
    filter_of_zero_drops_syns_uncounted,
    filter_of_the_listener_judges_the_ack_of_a_request,
    filter_is_inherited_as_it_was_at_the_ack,
    filter_sees_ports_length_and_ip_header,
    filter_drops_resets_of_a_connection,
    filter_lock_is_for_good,
    filter_must_be_a_program,
}

fn insn(code: u16, jt: u8, jf: u8, k: u32) -> Insn {
    Insn { code, jt, jf, k }
}

fn ret(k: u32) -> Insn {
    insn(6, 0, 0, k)
}

fn attach(t: &mut dyn Twin, fd: Fd, program: &[Insn]) -> Result<(), Errno> {
    t.attach_program(fd, SO_ATTACH_FILTER, program)
}

fn detach(t: &mut dyn Twin, fd: Fd) -> Result<(), Errno> {
    t.set_int(fd, SOL_SOCKET, SO_DETACH_FILTER, 0)
}

fn peer(ip: Ip, port: u16) -> Peer {
    Peer::new(ip, port, 80).offering(&[Opt::Mss(1460)])
}

/// Statement 77.
fn filter_of_zero_drops_syns_uncounted(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    attach(t, fd, &[ret(0)]).unwrap();
    let before = t.counters();
    peer(ip, 4000).syn(t);
    t.inject(&peer(ip, 4000).segment("A").packet());
    t.expect_nothing();
    t.expect_tcp_counters(&before, &[]);
    detach(t, fd).unwrap();
    assert_eq!(detach(t, fd), Err(Errno::ENOENT));
    peer(ip, 4000).half_open(t);
}

fn filter_of_the_listener_judges_the_ack_of_a_request(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    let mut p = peer(ip, 4000);
    p.half_open(t);
    attach(t, fd, &[ret(0)]).unwrap();
    p.ack(t);
    t.expect_queue(fd, 0, 5);
    detach(t, fd).unwrap();
    p.ack(t);
    t.expect_queue(fd, 1, 5);
}

/// Only segments without payload and options pass.
fn filter_is_inherited_as_it_was_at_the_ack(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    let mut p = peer(ip, 4000);
    p.half_open(t);
    let bare = [
        insn(0x80, 0, 0, 0),
        insn(0x15, 0, 1, 20),
        ret(0xffff),
        ret(0),
    ];
    attach(t, fd, &bare).unwrap();
    p.ack(t);
    detach(t, fd).unwrap();
    let child = t.accept(fd).unwrap();
    t.inject(&p.segment("PA").data(b"x").packet());
    t.expect_nothing();
    detach(t, child).unwrap();
    p.data(t, b"x");
    p.expect(t, "A");
}

fn filter_sees_ports_length_and_ip_header(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 50);
    let keep = [ret(0xffff), ret(0)];
    let programs: [&[Insn]; 4] = [
        // The source port, which the TCP header begins with.
        &[insn(0x28, 0, 0, 0), insn(0x15, 0, 1, 4000)],
        &[insn(0x80, 0, 0, 0), insn(0x15, 0, 1, 24)],
        // The version, at the network header.
        &[
            insn(0x30, 0, 0, 0xfff0_0000),
            insn(0x74, 0, 0, 4),
            insn(0x15, 0, 1, ip.pick(4, 6)),
        ],
        &[
            insn(0x28, 0, 0, 0xffff_f000),
            insn(0x15, 0, 1, ip.pick(0x800, 0x86dd)),
        ],
    ];
    for program in programs {
        attach(t, fd, &[program, &keep].concat()).unwrap();
        let mut p = peer(ip, 4000);
        p.half_open(t);
        p.rst(t);
        detach(t, fd).unwrap();
        p.rst(t);
        t.packets();
    }
    attach(t, fd, &[programs[0], &keep].concat()).unwrap();
    peer(ip, 4001).syn(t);
    t.expect_nothing();
}

fn filter_drops_resets_of_a_connection(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    let mut p = peer(ip, 4000);
    p.open(t);
    let child = t.accept(fd).unwrap();
    attach(t, child, &[ret(0)]).unwrap();
    p.rst(t);
    assert_eq!(t.state(child), 1);
    detach(t, child).unwrap();
    p.rst(t);
    assert_eq!(t.state(child), 7);
}

fn filter_lock_is_for_good(t: &mut dyn Twin, ip: Ip) {
    for with_filter in [false, true] {
        let fd = t.tcp(ip);
        if with_filter {
            attach(t, fd, &[ret(1)]).unwrap();
        }
        t.set_int(fd, SOL_SOCKET, SO_LOCK_FILTER, 1).unwrap();
        assert_eq!(t.int(fd, SOL_SOCKET, SO_LOCK_FILTER), Ok(1));
        assert_eq!(attach(t, fd, &[ret(1)]), Err(Errno::EPERM));
        assert_eq!(detach(t, fd), Err(Errno::EPERM));
        let unlock = t.set_int(fd, SOL_SOCKET, SO_LOCK_FILTER, 0);
        assert_eq!(unlock, Err(Errno::EPERM));
        t.set_int(fd, SOL_SOCKET, SO_LOCK_FILTER, 1).unwrap();
    }
}

fn filter_must_be_a_program(t: &mut dyn Twin, ip: Ip) {
    let fd = t.tcp(ip);
    let bad: [&[Insn]; 4] = [
        &[],
        // No return at the end; no such instruction; too long.
        &[insn(0, 0, 0, 0)],
        &[insn(0xff, 0, 0, 0), ret(0)],
        &[ret(0); 4097],
    ];
    for program in bad {
        assert_eq!(attach(t, fd, program), Err(Errno::EINVAL));
    }
    attach(t, fd, &[ret(0); 4096]).unwrap();
}
