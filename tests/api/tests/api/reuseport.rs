//! SO_REUSEPORT groups: which member gets a SYN, and who takes over from one that leaves (statements 110 to 115).

use core::net::SocketAddr;
use core::time::Duration;

use hearken_abi::Errno;
use hearken_abi::sock::{
    SHUT_RD, SO_ATTACH_REUSEPORT_CBPF, SO_BINDTODEVICE, SO_DETACH_REUSEPORT_BPF, SO_INCOMING_CPU,
    SO_REUSEPORT, SOL_SOCKET,
};
use hearken_twin::Insn;
use hearken_twin::{Fd, Ip, Peer, QUIET, Twin, any, sockaddr};

family_cases! {
    reuseport_same_tuple_goes_to_the_same_member,
    reuseport_spreads_evenly,
    reuseport_bound_member_gets_nothing,
    reuseport_full_member_drops_what_is_its_own,
    reuseport_half_open_stays_when_the_group_grows,
    reuseport_program_names_the_member,
    reuseport_program_sees_headers_and_the_processor,
    reuseport_program_that_linux_refuses_einval,
    reuseport_program_needs_a_group_or_the_option,
    reuseport_program_before_listen_makes_a_group_of_its_own,
    reuseport_last_member_takes_the_place_of_one_that_leaves,
    reuseport_program_ends_with_the_group,
    reuseport_incoming_cpu_steers_to_its_member,
    reuseport_option_cleared_after_listen_keeps_the_group,
    reuseport_option_cleared_of_all_leaves_one,
    reuseport_address_and_wildcard_are_two_groups,
    reuseport_migrates_children_and_half_opens,
    reuseport_migrates_past_the_limit,
    reuseport_migrates_half_open_by_its_timer,
    reuseport_migration_fails_at_a_full_survivor,
    reuseport_migration_wakes_a_blocked_accept,
    reuseport_migration_is_decided_when_the_member_leaves,
    reuseport_without_migration_resets,
    bindtodevice_on_a_live_listener_takes_effect_at_once,
    cookies_of_one_member_are_known_to_all,
}

const fn insn(code: u16, jt: u8, jf: u8, k: u32) -> Insn {
    Insn { code, jt, jf, k }
}

/// `return k`
const fn ret(k: u32) -> Insn {
    insn(0x06, 0, 0, k)
}
/// `return A`
const RET_A: Insn = insn(0x16, 0, 0, 0);
/// Offsets of SKF_AD_OFF and SKF_NET_OFF.
const AD: u32 = 0xffff_f000;
const NET: u32 = 0xfff0_0000;

fn member(t: &mut dyn Twin, ip: Ip, port: u16) -> Fd {
    let fd = t.tcp(ip);
    t.set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1).unwrap();
    t.bind(fd, &any(ip, port)).unwrap();
    fd
}

fn group<const N: usize>(t: &mut dyn Twin, ip: Ip, port: u16) -> [Fd; N] {
    core::array::from_fn(|_| {
        let fd = member(t, ip, port);
        t.listen(fd, 1000).unwrap();
        fd
    })
}

fn attach(t: &mut dyn Twin, fd: Fd, program: &[Insn]) -> Result<(), Errno> {
    t.attach_program(fd, SO_ATTACH_REUSEPORT_CBPF, program)
}

fn detach(t: &mut dyn Twin, fd: Fd) -> Result<(), Errno> {
    t.set_int(fd, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, 0)
}

/// Opens `n` connections from ports from `first` on; how many each member got.
fn land<const N: usize>(
    t: &mut dyn Twin,
    ip: Ip,
    members: [Fd; N],
    port: u16,
    first: u16,
    n: u16,
) -> [u32; N] {
    let before = members.map(|m| t.queue(m).len);
    for i in 0..n {
        Peer::new(ip, first + i, port).open(t);
    }
    let after = members.map(|m| t.queue(m).len);
    core::array::from_fn(|i| after[i] - before[i])
}

/// Statement 111.
fn reuseport_same_tuple_goes_to_the_same_member(t: &mut dyn Twin, ip: Ip) {
    let members = group::<4>(t, ip, 80);
    let mut first = None;
    for _ in 0..4 {
        let mut peer = Peer::new(ip, 5000, 80);
        peer.open(t);
        let who = members.iter().position(|&m| t.queue(m).len == 1);
        assert!(who.is_some());
        assert_eq!(*first.get_or_insert(who), who);
        peer.rst(t);
        t.accept(members[who.unwrap()]).unwrap();
    }
}

/// Statement 111: nobody gets less than half of the share, or more than double.
fn reuseport_spreads_evenly(t: &mut dyn Twin, ip: Ip) {
    let members = group::<4>(t, ip, 80);
    let got = land(t, ip, members, 80, 1000, 400);
    assert_eq!(got.iter().sum::<u32>(), 400);
    assert!(got.iter().all(|n| (50..=200).contains(n)), "{got:?}");
}

/// Statement 111.
fn reuseport_bound_member_gets_nothing(t: &mut dyn Twin, ip: Ip) {
    let [listening] = group::<1>(t, ip, 80);
    member(t, ip, 80);
    assert_eq!(land(t, ip, [listening], 80, 1000, 12), [12]);
}

/// Statement 112.
fn reuseport_full_member_drops_what_is_its_own(t: &mut dyn Twin, ip: Ip) {
    let [a, b] = group::<2>(t, ip, 80);
    t.listen(a, 0).unwrap();
    attach(t, a, &[ret(0)]).unwrap();
    assert_eq!(land(t, ip, [a, b], 80, 1000, 1), [1, 0]);
    let before = t.counters();
    Peer::new(ip, 2000, 80).syn(t);
    t.expect_nothing();
    t.expect_tcp_counters(
        &before,
        &[("TcpExtListenOverflows", 1), ("TcpExtListenDrops", 1)],
    );
    assert_eq!((t.queue(a).len, t.queue(b).len), (1, 0));
}

/// Statement 112.
fn reuseport_half_open_stays_when_the_group_grows(t: &mut dyn Twin, ip: Ip) {
    let [old] = group::<1>(t, ip, 80);
    let mut peers: Vec<Peer> = (0..10).map(|i| Peer::new(ip, 3000 + i, 80)).collect();
    peers.iter_mut().for_each(|p| {
        p.half_open(t);
    });
    let new = group::<3>(t, ip, 80);
    peers.iter_mut().for_each(|p| p.ack(t));
    assert_eq!(t.queue(old).len, 10);
    assert_eq!(new.map(|m| t.queue(m).len), [0; 3]);
}

/// Statement 113: the answer is an index; one outside of the group leaves it to the hash. The later program counts.
fn reuseport_program_names_the_member(t: &mut dyn Twin, ip: Ip) {
    let members = group::<4>(t, ip, 80);
    attach(t, members[0], &[ret(2)]).unwrap();
    assert_eq!(land(t, ip, members, 80, 1000, 12), [0, 0, 12, 0]);
    attach(t, members[3], &[ret(1)]).unwrap();
    assert_eq!(land(t, ip, members, 80, 1100, 12), [0, 12, 0, 0]);
    attach(t, members[1], &[ret(9)]).unwrap();
    let hashed = land(t, ip, members, 80, 1200, 60);
    assert!(hashed.iter().all(|&n| n > 2), "{hashed:?}");
    assert_eq!(detach(t, members[2]), Ok(()));
    assert_eq!(detach(t, members[2]), Err(Errno::ENOENT));
}

/// docs/linux/reuseport-programs.md
fn reuseport_program_sees_headers_and_the_processor(t: &mut dyn Twin, ip: Ip) {
    t.pin();
    let members = group::<4>(t, ip, 80);
    let (protocol, upper) = match ip {
        Ip::V4 => (0x800, 9),
        Ip::V6 => (0x86dd, 6),
    };
    let net = |at| [insn(0x30, 0, 0, NET + at), insn(0x14, 0, 0, 4), RET_A];
    let version = [insn(0x30, 0, 0, NET), insn(0x74, 0, 0, 6), RET_A];
    // The protocol is 6, less 4.
    for (first, program, to) in [
        (1000, &net(upper)[..], 2),
        (1100, &version, 1),
        // Nothing lies behind the header of a SYN.
        (1200, &[insn(0x30, 0, 0, 0), ret(3)], 0),
        (1300, &[insn(0x80, 0, 0, 0), RET_A], 0),
        (
            1400,
            &[insn(0x20, 0, 0, AD + 36), insn(0x04, 0, 0, 3), RET_A],
            3,
        ),
        (
            1500,
            &[
                insn(0x28, 0, 0, AD),
                insn(0x15, 0, 1, protocol),
                ret(2),
                ret(0),
            ],
            2,
        ),
    ] {
        attach(t, members[0], program).unwrap();
        let mut expected = [0; 4];
        expected[to] = 6;
        assert_eq!(land(t, ip, members, 80, first, 6), expected, "{program:?}");
    }
}

/// docs/linux/reuseport-programs.md
fn reuseport_program_that_linux_refuses_einval(t: &mut dyn Twin, ip: Ip) {
    let [fd] = group::<1>(t, ip, 80);
    let one = insn(0, 0, 0, 1);
    let mut long = vec![one; 4095];
    long.push(ret(0));
    assert_eq!(attach(t, fd, &long), Ok(()));
    long.insert(0, one);
    for bad in [
        vec![],
        vec![one],
        vec![insn(0x05, 0, 0, 1), ret(0)],
        vec![insn(0x15, 3, 0, 1), ret(0)],
        vec![insn(0xff, 0, 0, 0), ret(0)],
        vec![insn(0x34, 0, 0, 0), ret(0)],
        vec![insn(0x94, 0, 0, 0), ret(0)],
        vec![insn(0x64, 0, 0, 32), ret(0)],
        vec![insn(0x60, 0, 0, 16), ret(0)],
        vec![insn(0x60, 0, 0, 3), ret(0)],
        vec![insn(0x20, 0, 0, AD + 64), ret(0)],
        vec![insn(0x0e, 0, 0, 0)],
        long,
    ] {
        assert_eq!(attach(t, fd, &bad), Err(Errno::EINVAL), "{bad:?}");
    }
}

/// Statement 113.
fn reuseport_program_needs_a_group_or_the_option(t: &mut dyn Twin, ip: Ip) {
    let plain = t.tcp(ip);
    assert_eq!(attach(t, plain, &[ret(0)]), Err(Errno::EINVAL));
    assert_eq!(detach(t, plain), Err(Errno::EINVAL));
    let sharing = t.tcp(ip);
    t.set_int(sharing, SOL_SOCKET, SO_REUSEPORT, 1).unwrap();
    assert_eq!(detach(t, sharing), Err(Errno::ENOENT));
    assert_eq!(attach(t, sharing, &[ret(0)]), Ok(()));
    assert_eq!(detach(t, sharing), Ok(()));
    assert_eq!(detach(t, sharing), Err(Errno::ENOENT));
    let listening = t.listener(ip, 80, 5);
    assert_eq!(attach(t, listening, &[ret(0)]), Err(Errno::EINVAL));
    assert_eq!(detach(t, listening), Err(Errno::EINVAL));
    t.set_int(listening, SOL_SOCKET, SO_REUSEPORT, 1).unwrap();
    assert_eq!(attach(t, listening, &[ret(0)]), Err(Errno::EINVAL));
    assert_eq!(detach(t, listening), Err(Errno::ENOENT));
}

/// docs/linux/reuseport-programs.md
fn reuseport_program_before_listen_makes_a_group_of_its_own(t: &mut dyn Twin, ip: Ip) {
    let first = member(t, ip, 80);
    attach(t, first, &[ret(1)]).unwrap();
    assert_eq!(t.listen(first, 1000), Ok(()));
    let [second] = group::<1>(t, ip, 80);
    assert_eq!(land(t, ip, [first, second], 80, 1000, 6), [0, 6]);
    // One with a group of its own cannot share.
    let third = member(t, ip, 80);
    attach(t, third, &[ret(0)]).unwrap();
    assert_eq!(t.listen(third, 5), Err(Errno::EADDRINUSE));
    assert_eq!(detach(t, third), Ok(()));
    assert_eq!(t.listen(third, 5), Err(Errno::EADDRINUSE));
    let fourth = t.tcp(ip);
    t.set_int(fourth, SOL_SOCKET, SO_REUSEPORT, 1).unwrap();
    attach(t, fourth, &[ret(0)]).unwrap();
    assert_eq!(t.bind(fourth, &any(ip, 80)), Err(Errno::EADDRINUSE));
    assert_eq!(t.bind(fourth, &any(ip, 81)), Ok(()));
    assert_eq!(t.listen(fourth, 5), Ok(()));
}

/// Statement 113.
fn reuseport_last_member_takes_the_place_of_one_that_leaves(t: &mut dyn Twin, ip: Ip) {
    let [a, b, c, d] = group::<4>(t, ip, 80);
    attach(t, b, &[ret(0)]).unwrap();
    t.close(a).unwrap();
    assert_eq!(land(t, ip, [b, c, d], 80, 1000, 6), [0, 0, 6]);
    // Gone with what it had, and back at the end.
    t.shutdown(d, SHUT_RD).unwrap();
    assert_eq!(t.packets().len(), 6);
    assert_eq!(land(t, ip, [b, c], 80, 1100, 6), [0, 6]);
    t.listen(d, 100).unwrap();
    attach(t, b, &[ret(2)]).unwrap();
    assert_eq!(land(t, ip, [b, c, d], 80, 1200, 6), [0, 0, 6]);
}

/// docs/linux/reuseport-programs.md
fn reuseport_program_ends_with_the_group(t: &mut dyn Twin, ip: Ip) {
    let [a, b] = group::<2>(t, ip, 80);
    attach(t, a, &[ret(0)]).unwrap();
    t.close(a).unwrap();
    t.close(b).unwrap();
    let members = group::<2>(t, ip, 80);
    let got = land(t, ip, members, 80, 1000, 40);
    assert!(got.iter().all(|&n| n > 4), "{got:?}");
    assert_eq!(detach(t, members[0]), Err(Errno::ENOENT));
}

/// Statement 113: from the member that the hash chose, the next one that asked for this processor.
fn reuseport_incoming_cpu_steers_to_its_member(t: &mut dyn Twin, ip: Ip) {
    t.pin();
    let members = group::<4>(t, ip, 80);
    let cpu = |t: &mut dyn Twin, i: usize, n| {
        t.set_int(members[i], SOL_SOCKET, SO_INCOMING_CPU, n)
            .unwrap();
    };
    cpu(t, 0, 1);
    cpu(t, 1, 1);
    let elsewhere = land(t, ip, members, 80, 1000, 80);
    assert!(elsewhere.iter().all(|&n| n > 4), "{elsewhere:?}");
    cpu(t, 2, 0);
    assert_eq!(land(t, ip, members, 80, 1100, 12), [0, 0, 12, 0]);
    cpu(t, 0, 0);
    // What the hash gave to 1 and 2 is the latter's, what it gave to 3 and 0 the former's.
    let two = land(t, ip, members, 80, 1200, 60);
    assert!(
        two[0] > 10 && two[2] > 10 && two[1] + two[3] == 0,
        "{two:?}"
    );
    // A program is asked first.
    attach(t, members[0], &[ret(3)]).unwrap();
    assert_eq!(land(t, ip, members, 80, 1300, 6), [0, 0, 0, 6]);
}

/// docs/linux/reuseport-programs.md
fn reuseport_option_cleared_after_listen_keeps_the_group(t: &mut dyn Twin, ip: Ip) {
    let members = group::<2>(t, ip, 80);
    t.set_int(members[0], SOL_SOCKET, SO_REUSEPORT, 0).unwrap();
    attach(t, members[1], &[ret(0)]).unwrap();
    assert_eq!(land(t, ip, members, 80, 1000, 6), [6, 0]);
    assert_eq!(attach(t, members[0], &[ret(1)]), Ok(()));
    // Over IPv6 the oldest is found first, and answers for itself alone.
    let expected = if ip == Ip::V4 { [0, 6] } else { [6, 0] };
    assert_eq!(land(t, ip, members, 80, 1100, 6), expected);
}

/// docs/linux/reuseport-programs.md: the newest over IPv4, the oldest over IPv6.
fn reuseport_option_cleared_of_all_leaves_one(t: &mut dyn Twin, ip: Ip) {
    let members = group::<3>(t, ip, 80);
    for fd in members {
        t.set_int(fd, SOL_SOCKET, SO_REUSEPORT, 0).unwrap();
    }
    let expected = if ip == Ip::V4 { [0, 0, 6] } else { [6, 0, 0] };
    assert_eq!(land(t, ip, members, 80, 1000, 6), expected);
    t.set_int(members[1], SOL_SOCKET, SO_REUSEPORT, 1).unwrap();
    assert_eq!(land(t, ip, members, 80, 1100, 6), expected);
}

/// Statements 110, 111.
fn reuseport_address_and_wildcard_are_two_groups(t: &mut dyn Twin, ip: Ip) {
    let wild = group::<2>(t, ip, 80);
    let exact: [Fd; 2] = core::array::from_fn(|_| {
        let fd = t.tcp(ip);
        t.set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1).unwrap();
        t.bind(fd, &sockaddr(SocketAddr::new(ip.listener(), 80)))
            .unwrap();
        t.listen(fd, 100).unwrap();
        fd
    });
    attach(t, wild[0], &[ret(1)]).unwrap();
    attach(t, exact[0], &[ret(0)]).unwrap();
    let all = [wild[0], wild[1], exact[0], exact[1]];
    assert_eq!(land(t, ip, all, 80, 1000, 6), [0, 0, 6, 0]);
    t.close(exact[0]).unwrap();
    t.close(exact[1]).unwrap();
    assert_eq!(t.packets().len(), 6);
    assert_eq!(land(t, ip, wild, 80, 1100, 6), [0, 6]);
}

const MIGRATED: &str = "TcpExtTCPMigrateReqSuccess";

/// A group whose first member gets everything, with `tcp_migrate_req` on.
fn first_of<const N: usize>(t: &mut dyn Twin, ip: Ip, port: u16) -> [Fd; N] {
    t.sysctl("net.ipv4.tcp_migrate_req", "1").unwrap();
    let members = group::<N>(t, ip, port);
    attach(t, members[0], &[ret(0)]).unwrap();
    members
}

/// Statement 114: children at once, half-opens at their ACK, whichever way the member leaves.
fn reuseport_migrates_children_and_half_opens(t: &mut dyn Twin, ip: Ip) {
    for (port, close) in [(80, true), (81, false)] {
        let [a, b] = first_of::<2>(t, ip, port);
        let mut children: Vec<Peer> = (0..3).map(|i| Peer::new(ip, 1000 + i, port)).collect();
        children.iter_mut().for_each(|p| {
            p.open(t);
        });
        let mut late = Peer::new(ip, 1100, port);
        late.half_open(t);
        let before = t.counters();
        if close {
            t.close(a).unwrap();
        } else {
            t.shutdown(a, SHUT_RD).unwrap();
        }
        t.expect_nothing();
        assert_eq!(t.queue(b).len, 3);
        late.ack(t);
        assert_eq!(t.queue(b).len, 4);
        t.expect_tcp_counters(
            &before,
            &[
                (MIGRATED, 4),
                ("TcpPassiveOpens", 1),
                ("TcpCurrEstab", 1),
                ("TcpExtTCPPureAcks", 1),
            ],
        );
        // They work, and in the order in which they came.
        for peer in &mut children {
            peer.data(t, b"x");
            peer.expect(t, "A");
            let child = t.accept(b).unwrap();
            assert_eq!(t.remote(child).unwrap().port(), peer.addr.port());
            assert_eq!(t.recv(child, 9, 0).unwrap(), b"x");
        }
    }
}

/// Statement 114: three into a backlog of 0.
fn reuseport_migrates_past_the_limit(t: &mut dyn Twin, ip: Ip) {
    let [a, b] = first_of::<2>(t, ip, 80);
    assert_eq!(land(t, ip, [a, b], 80, 1000, 3), [3, 0]);
    t.listen(b, 0).unwrap();
    let before = t.counters();
    t.close(a).unwrap();
    t.expect_nothing();
    t.expect_queue(b, 3, 0);
    t.expect_tcp_counters(&before, &[(MIGRATED, 3)]);
}

/// Statement 114: the SYN-ACK goes on being sent, for the survivor.
fn reuseport_migrates_half_open_by_its_timer(t: &mut dyn Twin, ip: Ip) {
    let [a, b] = first_of::<2>(t, ip, 80);
    let mut peer = Peer::new(ip, 1000, 80);
    peer.half_open(t);
    t.close(a).unwrap();
    let before = t.counters();
    peer.expect_within(t, "SA", Duration::from_millis(1300));
    t.expect_tcp_counters(
        &before,
        &[
            (MIGRATED, 1),
            ("TcpRetransSegs", 1),
            ("TcpExtTCPTimeouts", 1),
            ("TcpExtTCPSynRetrans", 1),
        ],
    );
    peer.ack(t);
    assert_eq!(t.queue(b).len, 1);
}

/// docs/linux/reuseport-migration.md
fn reuseport_migration_fails_at_a_full_survivor(t: &mut dyn Twin, ip: Ip) {
    let [a, b] = first_of::<2>(t, ip, 80);
    let mut peers: Vec<Peer> = (0..2).map(|i| Peer::new(ip, 1000 + i, 80)).collect();
    peers.iter_mut().for_each(|p| {
        p.half_open(t);
    });
    t.listen(b, 0).unwrap();
    t.close(a).unwrap();
    peers[0].ack(t);
    t.expect_queue(b, 1, 0);
    let before = t.counters();
    peers[1].ack(t);
    t.expect_queue(b, 1, 0);
    t.expect_tcp_counters(
        &before,
        &[
            ("TcpExtListenOverflows", 1),
            ("TcpExtListenDrops", 1),
            ("TcpExtTCPMigrateReqFailure", 1),
        ],
    );
    assert_eq!(t.half_open(), 1);
    t.accept(b).unwrap();
    peers[1].ack(t);
    t.expect_queue(b, 1, 0);
}

/// CVE-2026-46015: whoever waits at the survivor learns of what it inherits.
fn reuseport_migration_wakes_a_blocked_accept(t: &mut dyn Twin, ip: Ip) {
    let [a, _] = first_of::<2>(t, ip, 80);
    let survivor = t.blocking_tcp(ip);
    t.set_int(survivor, SOL_SOCKET, SO_REUSEPORT, 1).unwrap();
    t.bind(survivor, &any(ip, 80)).unwrap();
    t.listen(survivor, 5).unwrap();
    // Every survivor gets some.
    assert_eq!(land(t, ip, [a], 80, 1000, 40), [40]);
    let epoll = t.epoll_create();
    t.epoll_add(epoll, survivor, 1 | 1 << 31).unwrap();
    assert_eq!(t.epoll_wait(epoll), []);
    let waiting = t.start_accept(survivor, 0);
    assert_eq!(t.finish(waiting, QUIET), None);
    t.close(a).unwrap();
    let accepted = t.finish(waiting, Duration::from_millis(500));
    assert!(accepted.is_some_and(|a| a.is_ok()));
    assert_eq!(t.epoll_wait(epoll), [(survivor, 1)]);
}

/// docs/linux/reuseport-migration.md
fn reuseport_migration_is_decided_when_the_member_leaves(t: &mut dyn Twin, ip: Ip) {
    let [a, b] = first_of::<2>(t, ip, 80);
    let mut peer = Peer::new(ip, 1000, 80);
    let isn = peer.half_open(t);
    t.sysctl("net.ipv4.tcp_migrate_req", "0").unwrap();
    t.close(a).unwrap();
    t.sysctl("net.ipv4.tcp_migrate_req", "1").unwrap();
    peer.ack(t);
    peer.expect_bare_rst(t, isn.seq + 1);
    // Nor does it help to have been asked for when it has been taken back.
    let [a, _] = first_of::<2>(t, ip, 81);
    let mut peer = Peer::new(ip, 1001, 81);
    let isn = peer.half_open(t);
    t.close(a).unwrap();
    t.sysctl("net.ipv4.tcp_migrate_req", "0").unwrap();
    peer.ack(t);
    peer.expect_bare_rst(t, isn.seq + 1);
    // Nobody is left, and who comes later is another group.
    let [a, c] = first_of::<2>(t, ip, 82);
    let mut peer = Peer::new(ip, 1002, 82);
    let isn = peer.half_open(t);
    t.close(a).unwrap();
    t.close(c).unwrap();
    let [late] = group::<1>(t, ip, 82);
    peer.ack(t);
    peer.expect_bare_rst(t, isn.seq + 1);
    assert_eq!((t.queue(b).len, t.queue(late).len), (0, 0));
}

/// Statement 114: without the sysctl, as without a group.
fn reuseport_without_migration_resets(t: &mut dyn Twin, ip: Ip) {
    let [a, b] = group::<2>(t, ip, 80);
    attach(t, a, &[ret(0)]).unwrap();
    let mut peer = Peer::new(ip, 1000, 80);
    let seq = peer.open(t).seq;
    let mut late = Peer::new(ip, 1001, 80);
    let isn = late.half_open(t);
    t.close(a).unwrap();
    peer.expect_rst_ack(t, seq + 1, peer.segment("A").seq);
    late.ack(t);
    late.expect_bare_rst(t, isn.seq + 1);
    assert_eq!(t.queue(b).len, 0);
}

/// Statement 115.
fn bindtodevice_on_a_live_listener_takes_effect_at_once(t: &mut dyn Twin, ip: Ip) {
    t.add_iface("other0");
    let fd = t.listener(ip, 80, 5);
    Peer::new(ip, 1000, 80).half_open(t);
    let device = |t: &mut dyn Twin, name: &[u8]| {
        t.setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name).unwrap();
    };
    device(t, b"other0\0");
    let mut peer = Peer::new(ip, 1001, 80);
    peer.syn(t);
    peer.expect_rst_ack(t, 0, peer.segment("S").seq + 1);
    device(t, b"tun0\0");
    Peer::new(ip, 1002, 80).half_open(t);
    device(t, b"\0");
    Peer::new(ip, 1003, 80).half_open(t);
}

/// Statement 85: one member's cookie is tested at all of them.
fn cookies_of_one_member_are_known_to_all(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.ipv4.tcp_syncookies", "2").unwrap();
    let [a, b] = group::<2>(t, ip, 80);
    attach(t, a, &[ret(0)]).unwrap();
    Peer::new(ip, 1000, 80).half_open(t);
    attach(t, a, &[ret(1)]).unwrap();
    let before = t.counters();
    let mut stray = Peer::new(ip, 1001, 80);
    stray.ack(t);
    stray.expect(t, "R");
    t.expect_tcp_counters(&before, &[("TcpExtSyncookiesFailed", 1), ("TcpOutRsts", 1)]);
    assert_eq!((t.queue(a).len, t.queue(b).len), (0, 0));
}
