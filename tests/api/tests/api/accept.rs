//! accept4(): its errors in their order, what the child inherits, blocking and signals (statements 116 to 121).

use core::time::Duration;

use hearken_abi::Errno;
use hearken_twin::{AddrArg, Ip, OtherFile, Peer, PendingId, Twin, any, socket_addr};

cases! {
    accept_not_a_listening_stream_errno,
    accept_bad_flags_beat_everything_but_ebadf,
}

family_cases! {
    accept_not_listening_einval,
    accept_empty_nonblocking_eagain,
    accept_emfile_keeps_the_connection,
    accept_emfile_beats_other_errors,
    accept_bad_address_loses_the_connection,
    accept_null_length_with_address_loses_the_connection,
    accept_negative_length_loses_the_connection,
    accept_null_address_ignores_the_length,
    accept_short_length_truncates_and_reports_the_whole,
    accept_flags_reach_only_the_child,
    accept_file_flags_are_not_inherited,
    accept_takes_the_lowest_free_descriptor,
    accept_nonblock_flag_does_not_stop_it_from_blocking,
    accept_rcvtimeo_bounds_it,
    accept_signal_without_restart_eintr,
    accept_signal_with_restart_goes_on,
    accept_signal_with_restart_but_rcvtimeo_eintr,
    accept_blocked_are_woken_one_per_connection_in_order,
    accept_child_inherits_listener_options,
    accept_child_does_not_inherit_some_options,
    accept_child_maxseg_is_negotiated_less_timestamps,
}

const SHORT: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_millis(800);

/// A blocking listener on port 80.
fn blocking_listener(t: &mut dyn Twin, ip: Ip) -> i32 {
    let fd = t.blocking_tcp(ip);
    t.bind(fd, &any(ip, 80)).unwrap();
    t.listen(fd, 50).unwrap();
    fd
}

/// Statement 116.
fn accept_not_a_listening_stream_errno(t: &mut dyn Twin) {
    assert_eq!(t.accept(-1), Err(Errno::EBADF));
    assert_eq!(t.accept(1_000_000), Err(Errno::EBADF));
    let path = t.open(OtherFile::Path);
    assert_eq!(t.accept(path), Err(Errno::EBADF));
    for file in [OtherFile::DevNull, OtherFile::Pipe, OtherFile::Epoll] {
        let fd = t.open(file);
        assert_eq!(t.accept(fd), Err(Errno::ENOTSOCK), "{file:?}");
    }
    for domain in [libc::AF_INET, libc::AF_INET6] {
        for (ty, protocol) in [(libc::SOCK_DGRAM, 0), (libc::SOCK_RAW, libc::IPPROTO_TCP)] {
            let fd = t.socket(domain, ty, protocol).unwrap();
            assert_eq!(t.accept(fd), Err(Errno::EOPNOTSUPP));
        }
    }
}

/// Statements 116 and 118.
fn accept_bad_flags_beat_everything_but_ebadf(t: &mut dyn Twin) {
    let listener = t.listener(Ip::V4, 80, 5);
    Peer::new(Ip::V4, 4000, 80).open(t);
    let null = t.open(OtherFile::DevNull);
    let udp = t.socket(libc::AF_INET, libc::SOCK_DGRAM, 0).unwrap();
    for flags in [1, libc::O_APPEND, libc::SOCK_NONBLOCK | 2, -1, i32::MIN] {
        for fd in [listener, null, udp] {
            assert_eq!(
                t.accept4(fd, AddrArg::None, flags),
                Err(Errno::EINVAL),
                "{flags:#x}"
            );
        }
        assert_eq!(t.accept4(-1, AddrArg::None, flags), Err(Errno::EBADF));
    }
    t.expect_queue(listener, 1, 5);
}

/// Statement 116.
fn accept_not_listening_einval(t: &mut dyn Twin, ip: Ip) {
    let fresh = t.tcp(ip);
    assert_eq!(t.accept(fresh), Err(Errno::EINVAL));
    t.bind(fresh, &any(ip, 81)).unwrap();
    assert_eq!(t.accept(fresh), Err(Errno::EINVAL));
    let listener = t.listener(ip, 80, 5);
    let (client, child) = t.pair(listener, ip);
    assert_eq!(t.accept(client), Err(Errno::EINVAL));
    assert_eq!(t.accept(child), Err(Errno::EINVAL));
}

/// Statement 116.
fn accept_empty_nonblocking_eagain(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    for flags in [0, libc::SOCK_NONBLOCK, libc::SOCK_CLOEXEC] {
        assert_eq!(t.accept4(fd, AddrArg::Len(128), flags), Err(Errno::EAGAIN));
    }
    Peer::new(ip, 4000, 80).half_open(t);
    assert_eq!(t.accept(fd), Err(Errno::EAGAIN), "half-open is not enough");
}

/// Statement 116.
fn accept_emfile_keeps_the_connection(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    let mut peer = Peer::new(ip, 4000, 80);
    peer.open(t);
    t.leave_descriptors(0);
    assert_eq!(t.accept(fd), Err(Errno::EMFILE));
    t.expect_queue(fd, 1, 5);
    t.leave_descriptors(usize::MAX);
    let child = t.accept(fd).unwrap();
    assert_eq!(t.remote(child), Ok(peer.addr));
}

/// Statement 116.
fn accept_emfile_beats_other_errors(t: &mut dyn Twin, ip: Ip) {
    let listener = t.listener(ip, 80, 5);
    let fresh = t.tcp(ip);
    let null = t.open(OtherFile::DevNull);
    t.leave_descriptors(0);
    assert_eq!(t.accept(listener), Err(Errno::EMFILE), "EAGAIN");
    assert_eq!(t.accept(fresh), Err(Errno::EMFILE), "EINVAL");
    assert_eq!(t.accept(null), Err(Errno::EMFILE), "ENOTSOCK");
    assert_eq!(t.accept(-1), Err(Errno::EBADF));
    assert_eq!(
        t.accept4(listener, AddrArg::None, 1),
        Err(Errno::EINVAL),
        "bad flags"
    );
}

/// Statement 117: the error comes after the connection left the queue, and closes it.
fn lost(t: &mut dyn Twin, ip: Ip, arg: AddrArg, errno: Errno) {
    let fd = t.listener(ip, 80, 5);
    let mut peer = Peer::new(ip, 4000, 80);
    peer.open(t);
    assert_eq!(t.accept4(fd, arg, 0), Err(errno));
    t.expect_queue(fd, 0, 5);
    peer.expect(t, "FA");
    let free = t.tcp(ip);
    assert_eq!(free, fd + 1, "the descriptor was given back");
}

/// Statement 117.
fn accept_bad_address_loses_the_connection(t: &mut dyn Twin, ip: Ip) {
    lost(t, ip, AddrArg::BadAddress, Errno::EFAULT);
}

/// Statement 117.
fn accept_null_length_with_address_loses_the_connection(t: &mut dyn Twin, ip: Ip) {
    lost(t, ip, AddrArg::NullLen, Errno::EFAULT);
}

/// Statement 117.
fn accept_negative_length_loses_the_connection(t: &mut dyn Twin, ip: Ip) {
    lost(t, ip, AddrArg::Len(-1), Errno::EINVAL);
}

/// Statement 117.
fn accept_null_address_ignores_the_length(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    Peer::new(ip, 4000, 80).open(t);
    assert!(t.accept4(fd, AddrArg::NullAddressBadLen, 0).is_ok());
}

/// Statement 117.
fn accept_short_length_truncates_and_reports_the_whole(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 50);
    let whole = ip.pick(16, 28);
    for (at, len) in [0, 1, 4, whole - 1, whole, whole + 1, 128]
        .into_iter()
        .enumerate()
    {
        let peer = Peer::new(ip, 4000 + at as u16, 80);
        peer.clone().open(t);
        let accepted = t.accept4(fd, AddrArg::Len(len), 0).unwrap();
        assert_eq!(accepted.addr_len, whole, "given {len}");
        let wrote = len.min(whole) as usize;
        assert_eq!(
            accepted.addr[..wrote],
            hearken_twin::sockaddr(peer.addr)[..wrote]
        );
        assert!(
            accepted.addr[wrote..].iter().all(|byte| *byte == 0xaa),
            "nothing beyond {wrote}"
        );
        if len >= whole {
            assert_eq!(socket_addr(&accepted.addr), peer.addr);
        }
    }
}

/// Statement 118.
fn accept_flags_reach_only_the_child(t: &mut dyn Twin, ip: Ip) {
    let fd = blocking_listener(t, ip);
    let table = [
        (0, 0, 0),
        (libc::SOCK_NONBLOCK, libc::O_NONBLOCK, 0),
        (libc::SOCK_CLOEXEC, 0, libc::FD_CLOEXEC),
        (
            libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC,
            libc::O_NONBLOCK,
            libc::FD_CLOEXEC,
        ),
    ];
    for (at, (flags, nonblock, cloexec)) in table.into_iter().enumerate() {
        Peer::new(ip, 4000 + at as u16, 80).open(t);
        let child = t.accept4(fd, AddrArg::None, flags).unwrap().fd;
        assert_eq!(
            t.fcntl(child, libc::F_GETFL, 0)
                .map(|got| got & libc::O_NONBLOCK),
            Ok(nonblock)
        );
        assert_eq!(t.fcntl(child, libc::F_GETFD, 0), Ok(cloexec));
        assert_eq!(
            t.fcntl(fd, libc::F_GETFL, 0)
                .map(|got| got & libc::O_NONBLOCK),
            Ok(0)
        );
    }
}

/// Statement 118.
fn accept_file_flags_are_not_inherited(t: &mut dyn Twin, ip: Ip) {
    let fd = t
        .socket(
            ip.domain(),
            libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC,
            0,
        )
        .unwrap();
    t.bind(fd, &any(ip, 80)).unwrap();
    t.listen(fd, 5).unwrap();
    Peer::new(ip, 4000, 80).open(t);
    let child = t.accept4(fd, AddrArg::None, 0).unwrap().fd;
    assert_eq!(
        t.fcntl(child, libc::F_GETFL, 0)
            .map(|got| got & libc::O_NONBLOCK),
        Ok(0)
    );
    assert_eq!(t.fcntl(child, libc::F_GETFD, 0), Ok(0));
}

/// Statement 118.
fn accept_takes_the_lowest_free_descriptor(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    let hole = t.tcp(ip);
    let above = t.tcp(ip);
    t.close(hole).unwrap();
    for expected in [hole, above + 1] {
        Peer::new(ip, 4000 + expected as u16, 80).open(t);
        assert_eq!(t.accept(fd), Ok(expected));
    }
}

/// Statement 118.
fn accept_nonblock_flag_does_not_stop_it_from_blocking(t: &mut dyn Twin, ip: Ip) {
    let fd = blocking_listener(t, ip);
    let blocked = t.start_accept(fd, libc::SOCK_NONBLOCK);
    assert_eq!(t.finish(blocked, SHORT), None);
    Peer::new(ip, 4000, 80).open(t);
    let child = t
        .finish(blocked, LONG)
        .expect("it ended")
        .expect("a connection")
        .fd;
    assert_eq!(
        t.fcntl(child, libc::F_GETFL, 0)
            .map(|got| got & libc::O_NONBLOCK),
        Ok(libc::O_NONBLOCK)
    );
}

/// Sets SO_RCVTIMEO in milliseconds.
fn rcvtimeo(t: &mut dyn Twin, fd: i32, milliseconds: i64) {
    let mut value = (milliseconds / 1000).to_ne_bytes().to_vec();
    value.extend((milliseconds % 1000 * 1000).to_ne_bytes());
    t.setsockopt(fd, libc::SOL_SOCKET, libc::SO_RCVTIMEO, &value)
        .unwrap();
}

/// Statement 119.
fn accept_rcvtimeo_bounds_it(t: &mut dyn Twin, ip: Ip) {
    let fd = blocking_listener(t, ip);
    rcvtimeo(t, fd, 300);
    let start = t.now();
    assert_eq!(t.accept(fd), Err(Errno::EAGAIN));
    let took = t.now() - start;
    assert!(
        took >= Duration::from_millis(295) && took < LONG,
        "{took:?}"
    );
    Peer::new(ip, 4000, 80).open(t);
    assert!(t.accept(fd).is_ok());
}

/// A blocked accept, and what it does on a signal.
fn signalled(t: &mut dyn Twin, fd: i32, restart: bool) -> PendingId {
    let blocked = t.start_accept(fd, 0);
    assert_eq!(t.finish(blocked, SHORT), None);
    t.signal(blocked, restart);
    blocked
}

/// Statement 119.
fn accept_signal_without_restart_eintr(t: &mut dyn Twin, ip: Ip) {
    let fd = blocking_listener(t, ip);
    let blocked = signalled(t, fd, false);
    assert_eq!(t.finish(blocked, LONG), Some(Err(Errno::EINTR)));
}

/// Statement 119.
fn accept_signal_with_restart_goes_on(t: &mut dyn Twin, ip: Ip) {
    let fd = blocking_listener(t, ip);
    let blocked = signalled(t, fd, true);
    assert_eq!(t.finish(blocked, SHORT), None);
    Peer::new(ip, 4000, 80).open(t);
    assert!(matches!(t.finish(blocked, LONG), Some(Ok(_))));
}

/// Statement 119.
fn accept_signal_with_restart_but_rcvtimeo_eintr(t: &mut dyn Twin, ip: Ip) {
    let fd = blocking_listener(t, ip);
    rcvtimeo(t, fd, 60_000);
    let blocked = signalled(t, fd, true);
    assert_eq!(t.finish(blocked, LONG), Some(Err(Errno::EINTR)));
}

/// Statement 120.
fn accept_blocked_are_woken_one_per_connection_in_order(t: &mut dyn Twin, ip: Ip) {
    let fd = blocking_listener(t, ip);
    let blocked: Vec<_> = (0..4).map(|_| t.start_accept(fd, 0)).collect();
    for (at, id) in blocked.iter().enumerate() {
        for later in &blocked[at..] {
            assert_eq!(t.finish(*later, Duration::from_millis(5)), None);
        }
        let peer = Peer::new(ip, 4000 + at as u16, 80);
        peer.clone().open(t);
        let child = t
            .finish(*id, LONG)
            .expect("the longest waiting")
            .expect("a connection");
        assert_eq!(socket_addr(&child.addr), peer.addr);
    }
}

/// The options of statement 121 that a child inherits: (level, name, value set, value read back).
fn inherited(ip: Ip) -> Vec<(i32, i32, i32, i32)> {
    use libc::*;
    let mut options = vec![
        (SOL_SOCKET, SO_REUSEADDR, 1, 1),
        (SOL_SOCKET, SO_REUSEPORT, 1, 1),
        (SOL_SOCKET, SO_KEEPALIVE, 1, 1),
        (SOL_SOCKET, SO_OOBINLINE, 1, 1),
        (SOL_SOCKET, SO_SNDBUF, 50_000, 100_000),
        (SOL_SOCKET, SO_RCVBUF, 50_000, 100_000),
        (SOL_SOCKET, SO_RCVLOWAT, 77, 77),
        (IPPROTO_TCP, TCP_NODELAY, 1, 1),
        (IPPROTO_TCP, TCP_KEEPIDLE, 99, 99),
        (IPPROTO_TCP, TCP_KEEPINTVL, 98, 98),
        (IPPROTO_TCP, TCP_KEEPCNT, 8, 8),
        (IPPROTO_TCP, TCP_SYNCNT, 3, 3),
        (IPPROTO_TCP, TCP_LINGER2, 11, 11),
        (IPPROTO_TCP, TCP_USER_TIMEOUT, 7777, 7777),
    ];
    match ip {
        Ip::V4 => options.extend([
            (IPPROTO_IP, IP_TOS, 0x10, 0x10),
            (IPPROTO_IP, IP_TTL, 77, 77),
        ]),
        Ip::V6 => options.extend([
            (IPPROTO_IPV6, IPV6_V6ONLY, 1, 1),
            (IPPROTO_IPV6, IPV6_UNICAST_HOPS, 55, 55),
        ]),
    }
    options
}

/// Statement 121.
fn accept_child_inherits_listener_options(t: &mut dyn Twin, ip: Ip) {
    let fd = t.tcp(ip);
    for (level, name, value, _) in inherited(ip) {
        assert_eq!(t.set_int(fd, level, name, value), Ok(()), "{level} {name}");
    }
    t.setsockopt(
        fd,
        libc::SOL_SOCKET,
        libc::SO_LINGER,
        &[1, 0, 0, 0, 7, 0, 0, 0],
    )
    .unwrap();
    t.bind(fd, &any(ip, 80)).unwrap();
    t.listen(fd, 5).unwrap();
    Peer::new(ip, 4000, 80).open(t);
    let child = t.accept(fd).unwrap();
    for (level, name, _, read) in inherited(ip) {
        assert_eq!(t.int(child, level, name), Ok(read), "{level} {name}");
    }
    let linger = t.getsockopt(child, libc::SOL_SOCKET, libc::SO_LINGER, 8);
    assert_eq!(linger, Ok(vec![1, 0, 0, 0, 7, 0, 0, 0]));
}

/// Statement 121.
fn accept_child_does_not_inherit_some_options(t: &mut dyn Twin, ip: Ip) {
    let fd = t.tcp(ip);
    t.set_int(fd, libc::SOL_SOCKET, libc::SO_PRIORITY, 5)
        .unwrap();
    t.set_int(fd, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, 3)
        .unwrap();
    t.set_int(fd, libc::IPPROTO_TCP, libc::TCP_QUICKACK, 0)
        .unwrap();
    t.bind(fd, &any(ip, 80)).unwrap();
    t.listen(fd, 5).unwrap();
    let mut peer = Peer::new(ip, 4000, 80);
    peer.half_open(t);
    peer.data(t, b"x");
    let child = t.accept(fd).unwrap();
    assert_eq!(t.int(child, libc::SOL_SOCKET, libc::SO_PRIORITY), Ok(0));
    assert_eq!(
        t.int(child, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT),
        Ok(0)
    );
    assert_eq!(t.int(child, libc::IPPROTO_TCP, libc::TCP_QUICKACK), Ok(1));
}

/// Statement 121.
fn accept_child_maxseg_is_negotiated_less_timestamps(t: &mut dyn Twin, ip: Ip) {
    let fd = t.tcp(ip);
    t.set_int(fd, libc::IPPROTO_TCP, libc::TCP_MAXSEG, 1000)
        .unwrap();
    t.bind(fd, &any(ip, 80)).unwrap();
    t.listen(fd, 5).unwrap();
    Peer::new(ip, 4000, 80).open(t);
    let child = t.accept(fd).unwrap();
    assert_eq!(t.int(child, libc::IPPROTO_TCP, libc::TCP_MAXSEG), Ok(988));
}
