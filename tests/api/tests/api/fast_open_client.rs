//! The Fast Open client: MSG_FASTOPEN, TCP_FASTOPEN_CONNECT, cookies that are remembered.

use core::net::SocketAddr;
use core::time::Duration;

use hearken_abi::Errno;
use hearken_twin::{Cookie, Fd, Ip, Opt, Packet, QUIET, Segment, Twin, sockaddr};
use libc::{IPPROTO_TCP, MSG_FASTOPEN};

family_cases! {
    fast_open_client_asks_for_a_cookie_and_keeps_it,
    fast_open_client_flags_say_whether_it_may,
    fast_open_client_data_goes_with_the_syn,
    fast_open_client_data_not_acknowledged_goes_again,
    fast_open_client_syn_again_brings_nothing,
    fast_open_client_syn_takes_mss_less_40,
    fast_open_client_without_cookie_by_option_or_flag,
    fast_open_client_blocking_waits_for_the_handshake,
    fast_open_client_refused,
    fast_open_client_errors,
    fast_open_client_connect_option_waits_for_data,
    fast_open_client_connect_option_without_cookie,
}

const COOKIE: &[u8] = b"cookie!!";

fn server(ip: Ip, port: u16) -> SocketAddr {
    SocketAddr::new(ip.peer(), port)
}

fn send_fast(t: &mut dyn Twin, fd: Fd, ip: Ip, port: u16, data: &[u8]) -> Result<usize, Errno> {
    t.sendto(fd, data, MSG_FASTOPEN, &sockaddr(server(ip, port)))
}

#[track_caller]
fn syn(t: &mut dyn Twin) -> Packet {
    let p = t.next_tcp(QUIET).expect("a SYN");
    assert_eq!(p.flags, "S", "{p:?}");
    p
}

fn option(p: &Packet) -> Option<Vec<u8>> {
    p.options.iter().find_map(|o| match o {
        Opt::FastOpen(c, false) => Some(c.bytes().to_vec()),
        _ => None,
    })
}

/// The SYN-ACK that acknowledges so many bytes of the SYN's data.
fn answer(t: &mut dyn Twin, ip: Ip, p: &Packet, acked: u32, extra: &[Opt]) {
    let options: Vec<Opt> = [Opt::Mss(ip.pick(1460, 1440))]
        .into_iter()
        .chain(extra.iter().copied())
        .collect();
    let ack = p.seq.wrapping_add(1 + acked);
    let segment = Segment::new(p.dst, p.src, "SA", 5000, ack).options(&options);
    t.inject(&segment.packet());
}

/// Learns the cookie of the peer.
fn learn(t: &mut dyn Twin, ip: Ip) {
    let fd = t.tcp(ip);
    assert_eq!(send_fast(t, fd, ip, 9000, b"x"), Err(Errno::EINPROGRESS));
    let p = syn(t);
    answer(t, ip, &p, 0, &[Opt::FastOpen(Cookie::new(COOKIE), false)]);
    t.packets();
}

/// State; `tcpi_options`' bit for data in the SYN; `tcpi_fastopen_client_fail`.
fn info(t: &mut dyn Twin, fd: Fd) -> (u8, bool, u8) {
    let i = t.getsockopt(fd, IPPROTO_TCP, libc::TCP_INFO, 104).unwrap();
    (i[0], i[5] & 0x20 != 0, i[7] >> 1 & 3)
}

fn fast_open_client_asks_for_a_cookie_and_keeps_it(t: &mut dyn Twin, ip: Ip) {
    let fd = t.tcp(ip);
    assert_eq!(send_fast(t, fd, ip, 80, b"hello"), Err(Errno::EINPROGRESS));
    let p = syn(t);
    assert_eq!((option(&p), p.data.len()), (Some(Vec::new()), 0));
    let last = &p.options[p.options.len() - 3..];
    assert_eq!(
        last,
        [Opt::FastOpen(Cookie::default(), false), Opt::Nop, Opt::Nop]
    );
    assert_eq!(info(t, fd), (2, false, 1));
    assert_eq!(send_fast(t, fd, ip, 80, b"hello"), Err(Errno::EALREADY));
    assert_eq!(t.send(fd, b"hello", 0), Err(Errno::EAGAIN));
    answer(t, ip, &p, 0, &[Opt::FastOpen(Cookie::new(COOKIE), false)]);
    assert_eq!(t.next_tcp(QUIET).unwrap().flags, "A");
    assert_eq!(info(t, fd), (1, false, 1));
    // The same call now writes; another is told that it is connected.
    assert_eq!(send_fast(t, fd, ip, 80, b"hello"), Ok(5));
    assert_eq!(t.next_tcp(QUIET).unwrap().data, b"hello");
    assert_eq!(send_fast(t, fd, ip, 80, b"hello"), Err(Errno::EISCONN));
    // Whatever the port.
    let fd = t.tcp(ip);
    assert_eq!(send_fast(t, fd, ip, 81, b"again"), Ok(5));
    let p = syn(t);
    assert_eq!(
        (option(&p).as_deref(), p.data.as_slice()),
        (Some(COOKIE), &b"again"[..])
    );
    // A newer one takes its place.
    answer(
        t,
        ip,
        &p,
        5,
        &[Opt::FastOpen(Cookie::new(b"newer***"), false)],
    );
    t.packets();
    let fd = t.tcp(ip);
    send_fast(t, fd, ip, 82, b"z").unwrap();
    assert_eq!(option(&syn(t)).as_deref(), Some(&b"newer***"[..]));
}

fn fast_open_client_flags_say_whether_it_may(t: &mut dyn Twin, ip: Ip) {
    let no = Err(Errno::EOPNOTSUPP);
    for (flags, sent, set) in [
        (0, no, Err(Errno::EOPNOTSUPP)),
        (2, no, Err(Errno::EOPNOTSUPP)),
        (4, no, Err(Errno::EOPNOTSUPP)),
        (1, Err(Errno::EINPROGRESS), Ok(())),
        (5, Ok(5), Ok(())),
    ] {
        t.sysctl("net.ipv4.tcp_fastopen", &flags.to_string())
            .unwrap();
        let fd = t.tcp(ip);
        assert_eq!(
            t.set_int(fd, IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT, 1),
            set,
            "{flags}"
        );
        let fd = t.tcp(ip);
        assert_eq!(send_fast(t, fd, ip, 100 + flags, b"hello"), sent, "{flags}");
        assert_eq!(t.packets().len(), usize::from(flags & 1 != 0), "{flags}");
    }
}

fn fast_open_client_data_goes_with_the_syn(t: &mut dyn Twin, ip: Ip) {
    learn(t, ip);
    let fd = t.tcp(ip);
    let before = t.counters();
    assert_eq!(send_fast(t, fd, ip, 80, b"hello"), Ok(5));
    let p = syn(t);
    assert_eq!(
        (option(&p).as_deref(), p.data.as_slice()),
        (Some(COOKIE), &b"hello"[..])
    );
    assert_eq!(info(t, fd), (2, false, 0));
    answer(t, ip, &p, 5, &[]);
    let ack = t.next_tcp(QUIET).unwrap();
    assert_eq!((ack.flags.as_str(), ack.seq), ("A", p.seq.wrapping_add(6)));
    assert_eq!(info(t, fd), (1, true, 0));
    let moved = [
        ("TcpActiveOpens", 1),
        ("TcpCurrEstab", 1),
        ("TcpRetransSegs", 0),
        ("TcpExtTCPFastOpenActive", 1),
        ("TcpExtTCPFastOpenActiveFail", 0),
        ("TcpExtTCPOrigDataSent", 1),
    ];
    t.expect_counters(&before, &moved);
    t.send(fd, b"more", 0).unwrap();
    let data = t.next_tcp(QUIET).unwrap();
    assert_eq!(
        (data.seq, data.data.as_slice()),
        (p.seq.wrapping_add(6), &b"more"[..])
    );
}

fn fast_open_client_data_not_acknowledged_goes_again(t: &mut dyn Twin, ip: Ip) {
    learn(t, ip);
    for (port, acked) in [(80, 0u32), (81, 3)] {
        let fd = t.tcp(ip);
        let before = t.counters();
        send_fast(t, fd, ip, port, b"hello").unwrap();
        let p = syn(t);
        answer(t, ip, &p, acked, &[]);
        let again = t.next_tcp(QUIET).unwrap();
        assert_eq!(
            (again.flags.as_str(), again.seq),
            ("PA", p.seq.wrapping_add(1 + acked))
        );
        assert_eq!(again.data, &b"hello"[acked as usize..]);
        assert_eq!(info(t, fd), (1, false, 2));
        let moved = [
            ("TcpRetransSegs", 1),
            ("TcpExtTCPFastOpenActive", 0),
            ("TcpExtTCPFastOpenActiveFail", 1),
            ("TcpExtTCPSlowStartRetrans", 1),
            ("TcpExtTCPOrigDataSent", 1),
        ];
        t.expect_counters(&before, &moved);
        let ack = Segment::new(p.dst, p.src, "A", 5001, p.seq.wrapping_add(6));
        t.inject(&ack.packet());
        t.send(fd, b"more", 0).unwrap();
        let data = t.next_tcp(QUIET).unwrap();
        assert_eq!(
            (data.seq, data.data.as_slice()),
            (p.seq.wrapping_add(6), &b"more"[..])
        );
    }
}

fn fast_open_client_syn_again_brings_nothing(t: &mut dyn Twin, ip: Ip) {
    learn(t, ip);
    let fd = t.tcp(ip);
    let before = t.counters();
    send_fast(t, fd, ip, 80, b"hello").unwrap();
    let p = syn(t);
    let again = t.next_tcp(Duration::from_millis(1200)).unwrap();
    assert_eq!(
        (again.flags.as_str(), again.seq, again.data.len()),
        ("S", p.seq, 0)
    );
    assert_eq!(option(&again), None);
    answer(t, ip, &p, 0, &[]);
    let data = t.next_tcp(QUIET).unwrap();
    assert_eq!(
        (data.flags.as_str(), data.data.as_slice()),
        ("PA", &b"hello"[..])
    );
    assert_eq!(info(t, fd), (1, false, 3));
    t.expect_counters(
        &before,
        &[
            ("TcpExtTCPFastOpenActiveFail", 1),
            ("TcpExtTCPSynRetrans", 1),
        ],
    );
    // The cookie is still good; and an answer to the first SYN may come late.
    let fd = t.tcp(ip);
    send_fast(t, fd, ip, 81, b"hello").unwrap();
    let p = syn(t);
    assert_eq!(option(&p).as_deref(), Some(COOKIE));
    t.next_tcp(Duration::from_millis(1200)).unwrap();
    answer(t, ip, &p, 5, &[]);
    assert_eq!(t.next_tcp(QUIET).unwrap().flags, "A");
    assert_eq!((t.state(fd), t.half_open()), (1, 0));
}

fn fast_open_client_syn_takes_mss_less_40(t: &mut dyn Twin, ip: Ip) {
    learn(t, ip);
    let most = ip.pick(1420, 1400);
    for (port, n) in [(80, 1000), (81, most), (82, most + 1), (83, 20_000)] {
        let fd = t.tcp(ip);
        assert_eq!(send_fast(t, fd, ip, port, &vec![b'y'; n]), Ok(n.min(most)));
        let p = syn(t);
        assert_eq!(p.data.len(), n.min(most));
        answer(t, ip, &p, p.data.len() as u32, &[]);
        assert_eq!(t.packets().len(), 1);
    }
    let fd = t.tcp(ip);
    assert_eq!(send_fast(t, fd, ip, 84, b""), Err(Errno::EINPROGRESS));
    assert_eq!(syn(t).data.len(), 0);
}

fn fast_open_client_without_cookie_by_option_or_flag(t: &mut dyn Twin, ip: Ip) {
    for (port, flags) in [(80, "1"), (81, "5")] {
        t.sysctl("net.ipv4.tcp_fastopen", flags).unwrap();
        let fd = t.tcp(ip);
        if flags == "1" {
            t.set_int(fd, IPPROTO_TCP, libc::TCP_FASTOPEN_NO_COOKIE, 1)
                .unwrap();
        }
        assert_eq!(send_fast(t, fd, ip, port, b"hello"), Ok(5));
        let p = syn(t);
        assert_eq!((option(&p), p.data.as_slice()), (None, &b"hello"[..]));
        answer(t, ip, &p, 5, &[]);
        assert_eq!(t.next_tcp(QUIET).unwrap().flags, "A");
        assert_eq!(info(t, fd), (1, true, 0));
    }
}

/// Also when all of its data went with the SYN.
fn fast_open_client_blocking_waits_for_the_handshake(t: &mut dyn Twin, ip: Ip) {
    for (known, port, expected) in [(false, 80, Err(Errno::EINPROGRESS)), (true, 81, Ok(5))] {
        if known {
            learn(t, ip);
        }
        let fd = t.blocking_tcp(ip);
        let limit = [0i64.to_ne_bytes(), 300_000i64.to_ne_bytes()].concat();
        t.setsockopt(fd, libc::SOL_SOCKET, libc::SO_SNDTIMEO, &limit)
            .unwrap();
        let start = t.now();
        assert_eq!(send_fast(t, fd, ip, port, b"hello"), expected);
        assert!(t.now() - start >= Duration::from_millis(300));
        let p = syn(t);
        assert_eq!(p.data.len(), if known { 5 } else { 0 });
        t.close(fd).unwrap();
    }
}

fn fast_open_client_refused(t: &mut dyn Twin, ip: Ip) {
    learn(t, ip);
    let fd = t.tcp(ip);
    send_fast(t, fd, ip, 80, b"hello").unwrap();
    let p = syn(t);
    let rst = Segment::new(p.dst, p.src, "RA", 0, p.seq.wrapping_add(6));
    t.inject(&rst.packet());
    assert_eq!(t.state(fd), 7);
    assert_eq!(t.send(fd, b"z", 0), Err(Errno::ECONNREFUSED));
}

fn fast_open_client_errors(t: &mut dyn Twin, ip: Ip) {
    let fd = t.tcp(ip);
    assert_eq!(t.send(fd, b"hello", MSG_FASTOPEN), Err(Errno::EINVAL));
    let len = ip.pick(16, 28);
    for (family, errno) in [(0u16, Errno::EOPNOTSUPP), (99, Errno::EAFNOSUPPORT)] {
        let mut addr = vec![0; len];
        addr[..2].copy_from_slice(&family.to_ne_bytes());
        assert_eq!(
            t.sendto(fd, b"hello", MSG_FASTOPEN, &addr),
            Err(errno),
            "family {family}"
        );
    }
    let listener = t.listener(ip, 90, 5);
    assert_eq!(
        send_fast(t, listener, ip, 80, b"hello"),
        Err(Errno::EISCONN)
    );
}

/// TCP_FASTOPEN_CONNECT: connect() is over at once, the first write makes the SYN.
fn fast_open_client_connect_option_waits_for_data(t: &mut dyn Twin, ip: Ip) {
    learn(t, ip);
    let fd = t.tcp(ip);
    t.set_int(fd, IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT, 1)
        .unwrap();
    let to = sockaddr(server(ip, 80));
    assert_eq!(t.connect(fd, &to), Ok(()));
    t.expect_nothing();
    assert_eq!((t.state(fd), t.poll(fd)), (2, 0x104));
    assert_eq!(t.connect(fd, &to), Err(Errno::EISCONN));
    assert_eq!(t.recv(fd, 1, 0), Err(Errno::EAGAIN));
    assert_eq!(t.send(fd, b"hello", 0), Ok(5));
    let p = syn(t);
    assert_eq!(
        (option(&p).as_deref(), p.data.as_slice()),
        (Some(COOKIE), &b"hello"[..])
    );
    answer(t, ip, &p, 5, &[]);
    assert_eq!(t.next_tcp(QUIET).unwrap().flags, "A");
    assert_eq!(info(t, fd), (1, true, 0));
    t.send(fd, b"more", 0).unwrap();
    assert_eq!(t.next_tcp(QUIET).unwrap().data, b"more");
}

fn fast_open_client_connect_option_without_cookie(t: &mut dyn Twin, ip: Ip) {
    let fd = t.tcp(ip);
    t.set_int(fd, IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT, 1)
        .unwrap();
    assert_eq!(t.int(fd, IPPROTO_TCP, libc::TCP_FASTOPEN_CONNECT), Ok(1));
    assert_eq!(
        t.connect(fd, &sockaddr(server(ip, 80))),
        Err(Errno::EINPROGRESS)
    );
    let p = syn(t);
    assert_eq!((option(&p), p.data.len()), (Some(Vec::new()), 0));
    assert_eq!((t.state(fd), t.poll(fd)), (2, 0));
    assert_eq!(t.send(fd, b"hello", 0), Err(Errno::EAGAIN));
    answer(t, ip, &p, 0, &[]);
    assert_eq!(t.next_tcp(QUIET).unwrap().flags, "A");
    assert_eq!(t.send(fd, b"hello", 0), Ok(5));
}
