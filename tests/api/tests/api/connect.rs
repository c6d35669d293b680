//! connect(): the active open as the wire and the counters see it.

use core::net::SocketAddr;
use core::time::Duration;

use hearken_abi::Errno;
use hearken_twin::{Ip, Opt, Packet, QUIET, SYN_OPTIONS, Segment, Twin, loopback, sockaddr};

family_cases! {
    connect_syn_offers_everything_in_linux_order,
    connect_completes_and_counts,
    connect_refused_by_rst,
    connect_rst_without_right_ack_is_ignored,
    connect_syn_ack_of_something_else_is_reset,
    connect_syn_retransmits_are_linear_first,
    connect_times_out_after_the_retries,
    connect_times_out_after_the_doubled_retries_time,
    connect_simultaneous_open_establishes,
    connect_twice_ealready_then_eisconn,
    connect_ports_are_even_distances_first,
    connect_exhausted_ports_eaddrnotavail,
}

/// A nonblocking connect to the peer's port 9, and its SYN.
#[track_caller]
fn start(t: &mut dyn Twin, ip: Ip) -> (i32, Packet) {
    let fd = t.tcp(ip);
    let to = sockaddr(SocketAddr::new(ip.peer(), 9));
    assert_eq!(t.connect(fd, &to), Err(Errno::EINPROGRESS));
    let syn = t.next_tcp(QUIET).expect("the SYN");
    assert_eq!(syn.flags, "S");
    (fd, syn)
}

/// A segment that answers the SYN.
fn reply(syn: &Packet, flags: &str, ack: u32) -> Segment {
    Segment::new(syn.dst, syn.src, flags, 5000, ack)
}

/// A SYN-ACK with every option.
fn syn_ack(syn: &Packet) -> Segment {
    let mut options = SYN_OPTIONS.to_vec();
    for option in &mut options {
        if let Opt::Ts(_, echo) = option {
            *echo = syn.ts().unwrap();
        }
    }
    reply(syn, "SA", syn.seq.wrapping_add(1)).options(&options)
}

fn connect_syn_offers_everything_in_linux_order(t: &mut dyn Twin, ip: Ip) {
    let (_, syn) = start(t, ip);
    let options: Vec<Opt> = syn
        .options
        .iter()
        .map(|option| match option {
            Opt::Ts(_, echo) => Opt::Ts(0, *echo),
            other => *other,
        })
        .collect();
    assert_eq!(
        options,
        [
            Opt::Mss(ip.pick(1460, 1440)),
            Opt::SackOk,
            Opt::Ts(0, 0),
            Opt::Nop,
            Opt::Wscale(7)
        ]
    );
    assert_eq!(syn.window, ip.pick(64_240, 64_800));
    assert_eq!((syn.ttl, syn.tos, syn.ack), (64, 0, 0));
    assert_eq!(syn.df, ip == Ip::V4);
    assert_eq!(syn.flow != 0, ip == Ip::V6);
}

fn connect_completes_and_counts(t: &mut dyn Twin, ip: Ip) {
    let before = t.counters();
    let (fd, syn) = start(t, ip);
    t.expect_tcp_counters(&before, &[("TcpActiveOpens", 1)]);
    assert_eq!(t.poll(fd), 0);
    assert_eq!(t.state(fd), 2, "SYN_SENT");
    t.inject(&syn_ack(&syn).packet());
    let ack = t.next_tcp(QUIET).expect("the ACK");
    assert_eq!(
        (ack.flags.as_str(), ack.seq, ack.ack),
        ("A", syn.seq.wrapping_add(1), 5001)
    );
    t.expect_counters(&before, &[("TcpActiveOpens", 1), ("TcpCurrEstab", 1)]);
    assert_eq!(t.poll(fd), 0x104);
    assert_eq!(t.so_error(fd), 0);
    assert_eq!(t.state(fd), 1);
    assert_eq!(t.remote(fd), Ok(syn.dst));
    assert_eq!(t.local(fd), syn.src);
}

fn connect_refused_by_rst(t: &mut dyn Twin, ip: Ip) {
    let before = t.counters();
    let (fd, syn) = start(t, ip);
    t.inject(&reply(&syn, "RA", syn.seq.wrapping_add(1)).packet());
    t.expect_nothing();
    t.expect_tcp_counters(&before, &[("TcpActiveOpens", 1), ("TcpAttemptFails", 1)]);
    assert_eq!(t.state(fd), 7);
    assert_eq!(t.so_error(fd), Errno::ECONNREFUSED.0);
    assert_eq!(t.so_error(fd), 0, "once");
    let (again, syn) = start(t, ip);
    assert_ne!(syn.src.port(), 0);
    t.inject(&reply(&syn, "RA", syn.seq.wrapping_add(1)).packet());
    let to = sockaddr(SocketAddr::new(ip.peer(), 9));
    assert_eq!(
        t.connect(again, &to),
        Err(Errno::ECONNREFUSED),
        "the next connect tells it"
    );
}

fn connect_rst_without_right_ack_is_ignored(t: &mut dyn Twin, ip: Ip) {
    let (fd, syn) = start(t, ip);
    let before = t.counters();
    t.inject(&reply(&syn, "R", 0).packet());
    t.expect_nothing();
    t.expect_tcp_counters(&before, &[]);
    assert_eq!(t.state(fd), 2);
    // A wrong number may mean that an earlier answer was lost: the SYN goes out again soon, once.
    for wrong in [syn.seq.wrapping_add(2), syn.seq] {
        t.inject(&reply(&syn, "RA", wrong).packet());
    }
    let again = t
        .next_tcp(Duration::from_millis(100))
        .expect("the SYN again");
    assert_eq!((again.flags.as_str(), again.seq), ("S", syn.seq));
    t.expect_nothing();
    assert_eq!(t.state(fd), 2);
}

fn connect_syn_ack_of_something_else_is_reset(t: &mut dyn Twin, ip: Ip) {
    let (fd, syn) = start(t, ip);
    for wrong in [syn.seq, syn.seq.wrapping_add(2)] {
        let before = t.counters();
        t.inject(&reply(&syn, "SA", wrong).packet());
        let rst = t.next_tcp(QUIET).expect("an RST");
        assert_eq!((rst.flags.as_str(), rst.seq, rst.ack), ("R", wrong, 0));
        t.expect_tcp_counters(&before, &[("TcpOutRsts", 1)]);
    }
    assert_eq!(t.state(fd), 2);
}

/// net.ipv4.tcp_syn_linear_timeouts: four times a second apart, then doubled.
fn connect_syn_retransmits_are_linear_first(t: &mut dyn Twin, ip: Ip) {
    let before = t.counters();
    let (_, syn) = start(t, ip);
    let from = t.now();
    let mut times = Vec::new();
    while times.len() < 6 {
        let again = t.next_tcp(Duration::from_secs(20)).expect("another SYN");
        assert_eq!((again.flags.as_str(), again.seq), ("S", syn.seq));
        times.push(((t.now() - from).as_secs_f64() * 0.98).round() as u64);
    }
    assert_eq!(times, [1, 2, 3, 4, 5, 7]);
    let moved = [
        ("TcpActiveOpens", 1),
        ("TcpRetransSegs", 6),
        ("TcpExtTCPTimeouts", 6),
        ("TcpExtTCPSynRetrans", 6),
    ];
    t.expect_counters(&before, &moved);
}

/// The linear ones come on top of net.ipv4.tcp_syn_retries.
fn connect_times_out_after_the_retries(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.ipv4.tcp_syn_retries", "1").unwrap();
    t.sysctl("net.ipv4.tcp_syn_linear_timeouts", "1").unwrap();
    let before = t.counters();
    let (fd, _) = start(t, ip);
    for _ in 0..2 {
        assert_eq!(
            t.next_tcp(Duration::from_millis(1500))
                .expect("another SYN")
                .flags,
            "S"
        );
    }
    t.expect_nothing_for(Duration::from_millis(1600));
    assert_eq!(t.state(fd), 2);
    t.expect_nothing_for(Duration::from_millis(1000));
    assert_eq!(t.state(fd), 7);
    assert_eq!(t.so_error(fd), Errno::ETIMEDOUT.0);
    let moved = [
        ("TcpAttemptFails", 1),
        ("TcpRetransSegs", 2),
        ("TcpExtTCPTimeouts", 3),
        ("TcpExtTCPSynRetrans", 2),
    ];
    t.expect_counters(&before, &moved);
}

/// But they do not make it longer than the doubled ones alone would be.
fn connect_times_out_after_the_doubled_retries_time(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.ipv4.tcp_syn_retries", "1").unwrap();
    let (fd, _) = start(t, ip);
    for _ in 0..2 {
        assert_eq!(
            t.next_tcp(Duration::from_millis(1500))
                .expect("another SYN")
                .flags,
            "S"
        );
    }
    t.expect_nothing_for(Duration::from_millis(1600));
    assert_eq!(t.so_error(fd), Errno::ETIMEDOUT.0);
}

/// RFC 9293 3.5, figure 7.
fn connect_simultaneous_open_establishes(t: &mut dyn Twin, ip: Ip) {
    let (fd, syn) = start(t, ip);
    t.inject(&reply(&syn, "S", 0).options(SYN_OPTIONS).packet());
    let syn_ack = t.next_tcp(QUIET).expect("a SYN-ACK");
    assert_eq!(
        (syn_ack.flags.as_str(), syn_ack.seq, syn_ack.ack),
        ("SA", syn.seq, 5001)
    );
    assert_eq!(t.state(fd), 3, "SYN_RECV");
    let mut ack = reply(&syn, "A", syn.seq.wrapping_add(1));
    ack.seq = 5001;
    ack.options = vec![Opt::Nop, Opt::Nop, Opt::Ts(1001, syn_ack.ts().unwrap())];
    t.inject(&ack.packet());
    t.expect_nothing();
    assert_eq!(t.state(fd), 1);
    assert_eq!(t.poll(fd), 0x104);
}

fn connect_twice_ealready_then_eisconn(t: &mut dyn Twin, ip: Ip) {
    let (fd, syn) = start(t, ip);
    let to = sockaddr(SocketAddr::new(ip.peer(), 9));
    assert_eq!(t.connect(fd, &to), Err(Errno::EALREADY));
    t.inject(&syn_ack(&syn).packet());
    t.next_tcp(QUIET).expect("the ACK");
    assert_eq!(t.connect(fd, &to), Ok(()), "it tells of the end once");
    assert_eq!(t.connect(fd, &to), Err(Errno::EISCONN));
}

/// Statement 25.
fn connect_ports_are_even_distances_first(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.ipv4.ip_local_port_range", "40000 40099")
        .unwrap();
    for _ in 0..30 {
        let (_, syn) = start(t, ip);
        assert!(
            (40_000..=40_099).contains(&syn.src.port()) && syn.src.port() % 2 == 0,
            "{}",
            syn.src
        );
    }
}

/// Statement 31: one destination uses up the range, another has the same ports.
fn connect_exhausted_ports_eaddrnotavail(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.ipv4.ip_local_port_range", "40000 40003")
        .unwrap();
    for port in [80, 81] {
        t.listener(ip, port, 50);
        for _ in 0..4 {
            let fd = t.blocking_tcp(ip);
            assert_eq!(t.connect(fd, &loopback(ip, port)), Ok(()));
        }
        let fifth = t.blocking_tcp(ip);
        assert_eq!(
            t.connect(fifth, &loopback(ip, port)),
            Err(Errno::EADDRNOTAVAIL)
        );
        assert_eq!(t.local(fifth).port(), 0);
    }
    let listener = t.tcp(ip);
    assert_eq!(t.listen(listener, 1), Err(Errno::EADDRINUSE));
}
