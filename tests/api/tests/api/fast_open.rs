//! The Fast Open server: cookies, keys and flags (statements 87, 93 to 100, 104).

use hearken_abi::Errno;
use hearken_twin::{Cookie, Fd, Ip, Opt, Packet, Peer, Twin};
use libc::IPPROTO_TCP;

use super::fast_open_peer::{KEY, OTHER_KEY, cookie_of, fast, on, server, tcp_fastopen};

cases! {
    fast_open_key_text_is_read_as_sscanf_reads_it,
    fast_open_v4_client_of_a_dual_listener,
}

family_cases! {
    fast_open_options_are_answered,
    fast_open_wrong_cookie_lengths,
    fast_open_cookie_is_of_the_address_pair,
    fast_open_flags_say_who_may,
    fast_open_no_cookie_takes_data_without,
    fast_open_queue_length_option,
    fast_open_queue_length_of_wo_sockopt,
    fast_open_first_use_draws_the_key,
    fast_open_backup_key_is_taken_and_the_primary_given,
    fast_open_key_option_overrides,
    fast_open_key_option_answers,
    fast_open_syn_cookies_leave_it_out,
    fast_open_syn_with_fin_is_dropped,
    fast_open_cookie_is_not_sent_again,
    fast_open_cookie_leaves_the_other_options,
}

/// The Fast Open option of a packet.
fn granted(p: &Packet) -> Option<(Vec<u8>, bool)> {
    p.options.iter().find_map(|o| match o {
        Opt::FastOpen(c, experimental) => Some((c.bytes().to_vec(), *experimental)),
        _ => None,
    })
}

/// Sends a SYN and tells how many bytes of data the answer acknowledges, and the option.
#[track_caller]
fn ask(
    t: &mut dyn Twin,
    ip: Ip,
    port: u16,
    to: u16,
    option: Option<Opt>,
    data: &[u8],
) -> (u32, Option<(Vec<u8>, bool)>) {
    let mut peer = fast(ip, port, to, option);
    let p = on(t, &mut peer, data);
    (p.ack - 1001, granted(&p))
}

/// Statements 97 to 99.
fn fast_open_options_are_answered(t: &mut dyn Twin, ip: Ip) {
    let fd = server(t, ip, 80, 50, 50);
    let right = cookie_of(KEY, ip);
    let option = |bytes: &[u8], x| Some(Opt::FastOpen(Cookie::new(bytes), x));
    let grant = |x| Some((right.to_vec(), x));
    let (reqd, passive) = (
        ("TcpExtTCPFastOpenCookieReqd", 1),
        [("TcpExtTCPFastOpenPassive", 1), ("TcpPassiveOpens", 1)],
    );
    let fail = ("TcpExtTCPFastOpenPassiveFail", 1);
    type Row<'a> = (
        Option<Opt>,
        &'a [u8],
        u32,
        Option<(Vec<u8>, bool)>,
        &'a [(&'a str, i64)],
        u32,
    );
    let table: &[Row] = &[
        (option(b"", false), b"hello", 0, grant(false), &[reqd], 0),
        (option(b"", false), b"", 0, grant(false), &[reqd], 0),
        (option(&right, false), b"hello", 5, None, &passive, 1),
        (
            option(&[1; 8], false),
            b"hello",
            0,
            grant(false),
            &[fail],
            1,
        ),
        (option(b"", true), b"hello", 0, grant(true), &[reqd], 1),
        (option(&right, true), b"hello", 5, None, &passive, 2),
        (option(&[1; 8], true), b"hello", 0, grant(true), &[fail], 2),
        (None, b"hello", 0, None, &[], 2),
        (option(&right, false), b"", 0, None, &passive, 3),
    ];
    for (at, (opt, data, acked, answer, moved, queued)) in table.iter().enumerate() {
        let before = t.counters();
        let got = ask(t, ip, 4000 + at as u16, 80, *opt, data);
        assert_eq!(got, (*acked, answer.clone()), "row {at}");
        t.expect_tcp_counters(&before, moved);
        t.expect_queue(fd, *queued, 50);
    }
}

/// Statement 97: even and from 4 to 16 is a wrong cookie; anything else is no option.
fn fast_open_wrong_cookie_lengths(t: &mut dyn Twin, ip: Ip) {
    server(t, ip, 80, 50, 50);
    let right = cookie_of(KEY, ip);
    for n in 1..=18usize {
        let counted = n % 2 == 0 && (4..=16).contains(&n);
        let before = t.counters();
        let bytes: Vec<u8> = right.iter().chain(&[0; 10]).take(n).copied().collect();
        if n == 8 {
            continue;
        }
        let option = Some(Opt::FastOpen(Cookie::new(&bytes), false));
        let got = ask(t, ip, 4000 + n as u16, 80, option, b"hi");
        let grant = counted.then(|| (right.to_vec(), false));
        assert_eq!(got, (0, grant), "a cookie of {n} bytes");
        t.expect_counters(
            &before,
            &[("TcpExtTCPFastOpenPassiveFail", i64::from(counted))],
        );
    }
}

/// Statement 96: another source has another cookie.
fn fast_open_cookie_is_of_the_address_pair(t: &mut dyn Twin, ip: Ip) {
    server(t, ip, 80, 50, 50);
    let mut other = fast(
        ip,
        4000,
        80,
        Some(Opt::FastOpen(Cookie::new(&cookie_of(KEY, ip)), false)),
    );
    other
        .addr
        .set_ip(ip.pick("192.0.2.3".parse().unwrap(), "2001:db8::3".parse().unwrap()));
    let p = on(t, &mut other, b"hi");
    assert_eq!(p.ack, 1001);
    let (cookie, _) = granted(&p).unwrap();
    assert_ne!(cookie, cookie_of(KEY, ip));
    if matches!(ip, Ip::V4) {
        // A published vector of ours: the kernel's own.
        assert_eq!(cookie, [0xd2, 0xbd, 0x04, 0xc0, 0xa8, 0x9e, 0x70, 0x8b]);
    }
}

/// Statement 93: the whole table. Without a socket option, and with.
fn fast_open_flags_say_who_may(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.ipv4.tcp_fastopen_key", KEY).unwrap();
    let right = Some(Opt::FastOpen(Cookie::new(&cookie_of(KEY, ip)), false));
    let request = Some(Opt::FastOpen(Cookie::default(), false));
    // Flags; then for each of the two: max_qlen, cookie and data taken, data alone taken, cookie granted, children.
    type Row = (i32, bool, bool, bool, u32);
    const NO: Row = (0, false, false, false, 0);
    const OFF: Row = (5, false, false, false, 0);
    const YES: Row = (5, true, false, true, 1);
    const ALL: Row = (5, true, true, false, 3);
    let table = [
        (0, [NO, OFF]),
        (1, [NO, OFF]),
        (2, [NO, YES]),
        (3, [NO, YES]),
        (4, [NO, OFF]),
        (7, [NO, YES]),
        (0x200, [NO, OFF]),
        (0x202, [NO, ALL]),
        (0x400, [NO, OFF]),
        (0x402, [YES, YES]),
        (0x406, [YES, YES]),
        (0x602, [ALL, ALL]),
    ];
    let mut port = 100;
    for (flags, rows) in table {
        t.sysctl("net.ipv4.tcp_fastopen", &flags.to_string())
            .unwrap();
        for (with, (qlen, cookie, alone, grant, children)) in rows.into_iter().enumerate() {
            port += 1;
            let fd = t.tcp(ip);
            if with == 1 {
                tcp_fastopen(t, fd, 5).unwrap();
            }
            t.bind(fd, &hearken_twin::any(ip, port)).unwrap();
            t.listen(fd, 5).unwrap();
            let what = format!("flags {flags:#x}, TCP_FASTOPEN {with}");
            assert_eq!(
                t.int(fd, IPPROTO_TCP, libc::TCP_FASTOPEN),
                Ok(qlen),
                "{what}"
            );
            let got = ask(t, ip, 4000, port, right, b"hello");
            assert_eq!(got, (if cookie { 5 } else { 0 }, None), "{what}: cookie");
            let got = ask(t, ip, 4001, port, None, b"hello");
            assert_eq!(got, (if alone { 5 } else { 0 }, None), "{what}: data alone");
            let got = ask(t, ip, 4002, port, request, b"");
            assert_eq!(got.1.is_some(), grant, "{what}: request");
            t.expect_queue(fd, children, 5);
        }
    }
}

/// Statement 104, and the flag that does it for all: data, or a cookie option of whatever content, makes a child; a bare
/// SYN does not.
fn fast_open_no_cookie_takes_data_without(t: &mut dyn Twin, ip: Ip) {
    let right = cookie_of(KEY, ip);
    let option = |bytes: &[u8]| Some(Opt::FastOpen(Cookie::new(bytes), false));
    for (port, flags, by_option) in [
        (80, 3, true),
        (81, 0x203, false),
        (82, 1, true),
        (83, 0x201, true),
    ] {
        let fd = server(t, ip, port, 50, 50);
        t.sysctl("net.ipv4.tcp_fastopen", &flags.to_string())
            .unwrap();
        if by_option {
            t.set_int(fd, IPPROTO_TCP, libc::TCP_FASTOPEN_NO_COOKIE, 1)
                .unwrap();
        }
        let on = flags & 2 != 0;
        let before = t.counters();
        for (at, (opt, data)) in [
            (None, &b""[..]),
            (None, b"hi"),
            (option(b""), b""),
            (option(b""), b"hi"),
            (option(&[1; 8]), b"hi"),
            (option(&right), b"hi"),
        ]
        .into_iter()
        .enumerate()
        {
            let got = ask(t, ip, 4000 + at as u16, port, opt, data);
            let acked = if on { data.len() as u32 } else { 0 };
            assert_eq!(got, (acked, None), "flags {flags:#x}, row {at}");
        }
        t.expect_queue(fd, if on { 5 } else { 0 }, 50);
        let children = if on { 5 } else { 0 };
        t.expect_counters(
            &before,
            &[
                ("TcpExtTCPFastOpenCookieReqd", 2),
                ("TcpExtTCPFastOpenPassive", children),
                ("TcpExtTCPFastOpenPassiveFail", 0),
            ],
        );
    }
}

/// Statement 94.
fn fast_open_queue_length_option(t: &mut dyn Twin, ip: Ip) {
    for (n, expected) in [
        (-1, (Err(Errno::EINVAL), 0)),
        (0, (Ok(()), 0)),
        (1, (Ok(()), 1)),
        (100, (Ok(()), 100)),
        (4096, (Ok(()), 4096)),
        (5000, (Ok(()), 4096)),
        (1 << 20, (Ok(()), 4096)),
    ] {
        let fd = t.tcp(ip);
        let set = tcp_fastopen(t, fd, n);
        let got = t.int(fd, IPPROTO_TCP, libc::TCP_FASTOPEN).unwrap();
        assert_eq!((set, got), expected, "TCP_FASTOPEN {n}");
    }
    let fd = t.listener(ip, 80, 5);
    assert_eq!(tcp_fastopen(t, fd, 2), Ok(()));
    assert_eq!(t.int(fd, IPPROTO_TCP, libc::TCP_FASTOPEN), Ok(2));
    let (client, child) = t.pair(fd, ip);
    assert_eq!(tcp_fastopen(t, client, 2), Err(Errno::EINVAL));
    assert_eq!(tcp_fastopen(t, child, 2), Err(Errno::EINVAL));
    assert_eq!(t.int(child, IPPROTO_TCP, libc::TCP_FASTOPEN), Ok(0));
    t.shutdown(fd, libc::SHUT_RD).unwrap();
    t.listen(fd, 5).unwrap();
    assert_eq!(t.int(fd, IPPROTO_TCP, libc::TCP_FASTOPEN), Ok(2));
}

/// Statement 94: 0x400 counts at the first listen() only.
fn fast_open_queue_length_of_wo_sockopt(t: &mut dyn Twin, ip: Ip) {
    let qlen = |t: &mut dyn Twin, fd| t.int(fd, IPPROTO_TCP, libc::TCP_FASTOPEN).unwrap();
    let late = t.listener(ip, 81, 3);
    t.sysctl("net.ipv4.tcp_fastopen", "1027").unwrap();
    t.sysctl("net.ipv4.tcp_fastopen_key", KEY).unwrap();
    t.listen(late, 4).unwrap();
    assert_eq!(qlen(t, late), 0);
    let fd = t.listener(ip, 80, 7);
    assert_eq!(qlen(t, fd), 7);
    t.sysctl("net.ipv4.tcp_fastopen", "3").unwrap();
    let right = Some(Opt::FastOpen(Cookie::new(&cookie_of(KEY, ip)), false));
    assert_eq!(ask(t, ip, 4000, 80, right, b"hi").0, 2);
    t.listen(fd, 3).unwrap();
    assert_eq!(qlen(t, fd), 7);
    t.shutdown(fd, libc::SHUT_RD).unwrap();
    t.sysctl("net.ipv4.tcp_fastopen", "1027").unwrap();
    t.listen(fd, 9).unwrap();
    assert_eq!(qlen(t, fd), 7);
}

/// Statement 95.
fn fast_open_first_use_draws_the_key(t: &mut dyn Twin, ip: Ip) {
    const ZERO: &str = "00000000-00000000-00000000-00000000";
    let key = |t: &mut dyn Twin| t.sysctl_get("net.ipv4.tcp_fastopen_key").unwrap();
    t.listener(ip, 80, 5);
    assert_eq!(key(t), ZERO);
    let fd = t.tcp(ip);
    tcp_fastopen(t, fd, 0).unwrap();
    let first = key(t);
    assert_ne!(first, ZERO);
    let fd = t.tcp(ip);
    tcp_fastopen(t, fd, 5).unwrap();
    assert_eq!(key(t), first);
    t.enter_new_namespace();
    assert_eq!(key(t), ZERO);
    t.sysctl("net.ipv4.tcp_fastopen", "1026").unwrap();
    t.listener(ip, 80, 5);
    assert_ne!(key(t), ZERO);
    assert_ne!(key(t), first);
}

/// Statement 96.
fn fast_open_key_text_is_read_as_sscanf_reads_it(t: &mut dyn Twin) {
    const NAME: &str = "net.ipv4.tcp_fastopen_key";
    let four = "00000001-00000002-00000003-00000004";
    let two = "00000001-00000002-00000003-00000004,00000005-00000006-00000007-00000008";
    for (text, expected) in [
        ("1-2-3-4", Some(four)),
        ("xyz", None),
        ("1-2-3", None),
        ("1-2-3-4-5", Some(four)),
        (" 1-2-3-4", Some(four)),
        ("1-2-3-4 ", Some(four)),
        ("0x1-2-0X3-4g", Some(four)),
        ("A-b-C-d", Some("0000000a-0000000b-0000000c-0000000d")),
        (
            "123456789-1-1-1",
            Some("23456789-00000001-00000001-00000001"),
        ),
        ("1-2-3-4,5-6-7-8", Some(two)),
        ("1-2-3-4, 5-6-7-8,9-a-b-c", Some(two)),
        ("1-2-3-4,", None),
        (",1-2-3-4", None),
        ("1-2-3-4,xyz", None),
        ("-1-2-3-4", None),
        ("1-2--3-4", None),
        ("0-0-0-0", Some("00000000-00000000-00000000-00000000")),
        (KEY, Some(KEY)),
    ] {
        t.sysctl(NAME, "e-e-e-e").unwrap();
        let set = t.sysctl(NAME, text);
        let old = "0000000e-0000000e-0000000e-0000000e";
        assert_eq!(set, expected.map(|_| ()).ok_or(Errno::EINVAL), "{text:?}");
        assert_eq!(
            t.sysctl_get(NAME).unwrap(),
            expected.unwrap_or(old),
            "{text:?}"
        );
    }
}

/// Statement 100: the key that was the primary one is still taken, also from the experimental option.
fn fast_open_backup_key_is_taken_and_the_primary_given(t: &mut dyn Twin, ip: Ip) {
    let fd = server(t, ip, 80, 50, 50);
    let (old, new) = (cookie_of(KEY, ip), cookie_of(OTHER_KEY, ip));
    let both = format!("{OTHER_KEY},{KEY}");
    t.sysctl("net.ipv4.tcp_fastopen_key", &both).unwrap();
    assert_eq!(t.sysctl_get("net.ipv4.tcp_fastopen_key").unwrap(), both);
    for (port, experimental) in [(4000, false), (4001, true)] {
        let before = t.counters();
        let option = Some(Opt::FastOpen(Cookie::new(&old), experimental));
        let got = ask(t, ip, port, 80, option, b"hello");
        assert_eq!(got, (5, Some((new.to_vec(), experimental))));
        let moved = [
            ("TcpPassiveOpens", 1),
            ("TcpExtTCPFastOpenPassive", 1),
            ("TcpExtTCPFastOpenPassiveAltKey", 1),
        ];
        t.expect_tcp_counters(&before, &moved);
    }
    t.expect_queue(fd, 2, 50);
    t.sysctl("net.ipv4.tcp_fastopen_key", OTHER_KEY).unwrap();
    let option = |c: &[u8]| Some(Opt::FastOpen(Cookie::new(c), false));
    assert_eq!(
        ask(t, ip, 4002, 80, option(&old), b"hello"),
        (0, Some((new.to_vec(), false)))
    );
    assert_eq!(ask(t, ip, 4003, 80, option(&new), b"hello"), (5, None));
}

/// Statement 100: a socket's own keys.
fn fast_open_key_option_overrides(t: &mut dyn Twin, ip: Ip) {
    let fd = server(t, ip, 80, 50, 50);
    let option = |c: &[u8]| Some(Opt::FastOpen(Cookie::new(c), false));
    let raw = |words: &str| -> Vec<u8> {
        let words = words
            .split('-')
            .map(|w| u32::from_str_radix(w, 16).unwrap());
        words.flat_map(u32::to_le_bytes).collect()
    };
    let (own, space) = (cookie_of(OTHER_KEY, ip), cookie_of(KEY, ip));
    t.setsockopt(fd, IPPROTO_TCP, libc::TCP_FASTOPEN_KEY, &raw(OTHER_KEY))
        .unwrap();
    assert_eq!(ask(t, ip, 4000, 80, option(&own), b"hello"), (5, None));
    assert_eq!(
        ask(t, ip, 4001, 80, option(&space), b"hello"),
        (0, Some((own.to_vec(), false)))
    );
    let rotated = [raw(KEY), raw(OTHER_KEY)].concat();
    t.setsockopt(fd, IPPROTO_TCP, libc::TCP_FASTOPEN_KEY, &rotated)
        .unwrap();
    assert_eq!(
        ask(t, ip, 4002, 80, option(&own), b"hello"),
        (5, Some((space.to_vec(), false)))
    );
    // Other listeners go on with the namespace's.
    server(t, ip, 81, 50, 50);
    assert_eq!(ask(t, ip, 4003, 81, option(&space), b"hello"), (5, None));
}

fn fast_open_key_option_answers(t: &mut dyn Twin, ip: Ip) {
    let fd = t.tcp(ip);
    let set = |t: &mut dyn Twin, fd: Fd, key: &[u8]| {
        t.setsockopt(fd, IPPROTO_TCP, libc::TCP_FASTOPEN_KEY, key)
    };
    let get = |t: &mut dyn Twin, fd: Fd, n| {
        t.getsockopt(fd, IPPROTO_TCP, libc::TCP_FASTOPEN_KEY, n)
            .unwrap()
    };
    assert_eq!(get(t, fd, 64), b"");
    for n in [0, 1, 15, 17, 31, 33, 48] {
        assert_eq!(set(t, fd, &vec![b'k'; n]), Err(Errno::EINVAL), "{n} bytes");
    }
    let two = [[b'k'; 16], [b'j'; 16]].concat();
    set(t, fd, &two).unwrap();
    for n in [64, 32, 31, 16, 4, 0] {
        assert_eq!(get(t, fd, n), two[..n.min(32)]);
    }
    set(t, fd, &[b'l'; 16]).unwrap();
    assert_eq!(get(t, fd, 64), [b'l'; 16]);
    // It is not the namespace's.
    let zero = "00000000-00000000-00000000-00000000";
    assert_eq!(t.sysctl_get("net.ipv4.tcp_fastopen_key").unwrap(), zero);
    t.listen(fd, 5).unwrap();
    set(t, fd, &[b'm'; 16]).unwrap();
    let (_, child) = t.pair(fd, ip);
    assert_eq!(get(t, child, 64), b"");
    set(t, child, &[b'n'; 16]).unwrap();
    assert_eq!(get(t, child, 64), [b'n'; 16]);
    let no_cookie = libc::TCP_FASTOPEN_NO_COOKIE;
    assert_eq!(
        t.set_int(child, IPPROTO_TCP, no_cookie, 1),
        Err(Errno::EINVAL)
    );
    assert_eq!(t.set_int(fd, IPPROTO_TCP, no_cookie, 2), Err(Errno::EINVAL));
    assert_eq!(t.set_int(fd, IPPROTO_TCP, no_cookie, 1), Ok(()));
    assert_eq!(t.int(fd, IPPROTO_TCP, no_cookie), Ok(1));
}

/// Statement 87: neither data nor option counts, and the request is not even counted.
fn fast_open_syn_cookies_leave_it_out(t: &mut dyn Twin, ip: Ip) {
    let fd = server(t, ip, 80, 0, 50);
    let right = Some(Opt::FastOpen(Cookie::new(&cookie_of(KEY, ip)), false));
    let request = Some(Opt::FastOpen(Cookie::default(), false));
    // Mode 1: one half-open connection fills a SYN queue of limit 0.
    fast(ip, 4000, 80, None).half_open(t);
    let cookies = [
        ("TcpExtSyncookiesSent", 1),
        ("TcpExtTCPReqQFullDoCookies", 1),
    ];
    for (port, mode, option) in [
        (4001, "1", right),
        (4002, "1", request),
        (4003, "2", right),
        (4004, "2", request),
    ] {
        t.sysctl("net.ipv4.tcp_syncookies", mode).unwrap();
        let before = t.counters();
        assert_eq!(
            ask(t, ip, port, 80, option, b"hello"),
            (0, None),
            "mode {mode}"
        );
        t.expect_tcp_counters(&before, &cookies);
    }
    t.sysctl("net.ipv4.tcp_syncookies", "0").unwrap();
    let before = t.counters();
    let peer = fast(ip, 4005, 80, right);
    t.inject(&peer.syn_segment().data(b"hello").packet());
    t.expect_nothing();
    t.expect_tcp_counters(
        &before,
        &[("TcpExtListenDrops", 1), ("TcpExtTCPReqQFullDrop", 1)],
    );
    t.expect_queue(fd, 0, 0);
}

/// Statement 99.
fn fast_open_syn_with_fin_is_dropped(t: &mut dyn Twin, ip: Ip) {
    let fd = server(t, ip, 80, 5, 5);
    let peer = fast(
        ip,
        4000,
        80,
        Some(Opt::FastOpen(Cookie::new(&cookie_of(KEY, ip)), false)),
    );
    let mut syn = peer.syn_segment().data(b"hello");
    syn.flags = "FS".into();
    let before = t.counters();
    t.inject(&syn.packet());
    t.expect_nothing();
    t.expect_tcp_counters(&before, &[]);
    t.expect_queue(fd, 0, 5);
}

/// Only the first SYN-ACK brings a cookie.
fn fast_open_cookie_is_not_sent_again(t: &mut dyn Twin, ip: Ip) {
    server(t, ip, 80, 5, 5);
    let mut peer = fast(ip, 4000, 80, Some(Opt::FastOpen(Cookie::default(), false)));
    assert!(granted(&on(t, &mut peer, b"")).is_some());
    peer.seq = 1000;
    peer.syn(t);
    let again = peer.expect(t, "SA");
    assert_eq!(again.options, [Opt::Mss(ip.pick(1460, 1440))]);
    let by_timer = peer.expect_within(t, "SA", core::time::Duration::from_millis(1500));
    assert_eq!(by_timer.options, again.options);
}

/// An IPv6 listener takes IPv4 clients by their IPv4 cookie.
fn fast_open_v4_client_of_a_dual_listener(t: &mut dyn Twin) {
    let fd = server(t, Ip::V6, 80, 5, 5);
    let option = Some(Opt::FastOpen(Cookie::new(&cookie_of(KEY, Ip::V4)), false));
    assert_eq!(ask(t, Ip::V4, 4000, 80, option, b"hello"), (5, None));
    let child = t.accept(fd).unwrap();
    assert_eq!(t.recv(child, 9, 0), Ok(b"hello".to_vec()));
}

/// Statement 97: the SYN-ACK that grants a cookie has room for SACK and timestamps too.
fn fast_open_cookie_leaves_the_other_options(t: &mut dyn Twin, ip: Ip) {
    server(t, ip, 80, 50, 50);
    let request = Opt::FastOpen(Cookie::default(), false);
    let offer = [Opt::Mss(1400), Opt::SackOk, Opt::Ts(100, 0), request];
    let mut peer = Peer::new(ip, 4000, 80).offering(&offer);
    let p = on(t, &mut peer, b"");
    assert!(granted(&p).is_some());
    let has = |want: fn(&Opt) -> bool| p.options.iter().any(want);
    assert!(has(|o| *o == Opt::SackOk), "{p:?}");
    assert!(has(|o| matches!(o, Opt::Ts(_, 100))), "{p:?}");
}
