//! The backlog: what listen() stores, and what the sysctl does to it (statements 17 to 23).

use hearken_abi::Errno;
use hearken_twin::{Ip, Peer, Twin};

cases! {
    backlog_socket_of_another_namespace_uses_its_own_somaxconn,
    somaxconn_bounds_are_checked_on_write,
}

family_cases! {
    backlog_is_clamped_unsigned_to_somaxconn,
    backlog_later_somaxconn_changes_no_listener_until_listen,
    backlog_repeat_listen_rewrites_only_the_limit,
    backlog_shrunk_below_queue_drops_nobody,
}

/// Statement 17.
fn backlog_is_clamped_unsigned_to_somaxconn(t: &mut dyn Twin, ip: Ip) {
    let backlogs = [
        0,
        1,
        5,
        127,
        128,
        129,
        4095,
        4096,
        4097,
        65_535,
        65_536,
        1_000_000,
        -1,
        i32::MIN,
        i32::MAX,
    ];
    for somaxconn in [4096u32, 128, 1, 0, 65_536, i32::MAX as u32] {
        t.sysctl("net.core.somaxconn", &somaxconn.to_string())
            .unwrap();
        let fd = t.tcp(ip);
        for backlog in backlogs {
            t.listen(fd, backlog).unwrap();
            t.expect_queue(fd, 0, (backlog as u32).min(somaxconn));
        }
    }
}

/// Statement 18.
fn backlog_socket_of_another_namespace_uses_its_own_somaxconn(t: &mut dyn Twin) {
    let of_first = t.tcp(Ip::V4);
    t.sysctl("net.core.somaxconn", "100").unwrap();
    t.enter_new_namespace();
    t.sysctl("net.core.somaxconn", "7").unwrap();
    t.listen(of_first, 1000).unwrap();
    t.expect_queue(of_first, 0, 100);
    let of_second = t.tcp(Ip::V4);
    t.listen(of_second, 1000).unwrap();
    t.expect_queue(of_second, 0, 7);
}

/// Statement 19.
fn somaxconn_bounds_are_checked_on_write(t: &mut dyn Twin) {
    assert_eq!(t.sysctl_get("net.core.somaxconn"), Ok("4096".into()));
    for bad in ["-1", "2147483648", "abc"] {
        assert_eq!(
            t.sysctl("net.core.somaxconn", bad),
            Err(Errno::EINVAL),
            "{bad}"
        );
    }
    for good in ["0", "1", "2147483647"] {
        assert_eq!(t.sysctl("net.core.somaxconn", good), Ok(()), "{good}");
        assert_eq!(t.sysctl_get("net.core.somaxconn"), Ok(good.into()));
    }
}

/// Statement 20.
fn backlog_later_somaxconn_changes_no_listener_until_listen(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.core.somaxconn", "128").unwrap();
    let fd = t.listener(ip, 80, 1000);
    t.expect_queue(fd, 0, 128);
    t.sysctl("net.core.somaxconn", "4096").unwrap();
    t.expect_queue(fd, 0, 128);
    t.listen(fd, 1000).unwrap();
    t.expect_queue(fd, 0, 1000);
    t.sysctl("net.core.somaxconn", "16").unwrap();
    t.expect_queue(fd, 0, 1000);
    t.listen(fd, 1000).unwrap();
    t.expect_queue(fd, 0, 16);
}

/// Statement 21.
fn backlog_repeat_listen_rewrites_only_the_limit(t: &mut dyn Twin, ip: Ip) {
    let fd = t.tcp(ip);
    t.listen(fd, 4).unwrap();
    let port = t.local(fd).port();
    let mut peer = Peer::new(ip, 4000, port);
    peer.open(t);
    for (backlog, limit) in [(9, 9), (1, 1), (0, 0), (-5, 4096), (4, 4)] {
        assert_eq!(t.listen(fd, backlog), Ok(()));
        t.expect_queue(fd, 1, limit);
        assert_eq!(t.local(fd).port(), port);
    }
    assert!(t.accept(fd).is_ok());
}

/// Statement 21: new SYNs are dropped until the queue is no longer than the limit.
fn backlog_shrunk_below_queue_drops_nobody(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 4);
    for port in 4000..4003 {
        Peer::new(ip, port, 80).open(t);
    }
    t.listen(fd, 1).unwrap();
    t.expect_queue(fd, 3, 1);
    for port in [4010, 4011] {
        let before = t.counters();
        Peer::new(ip, port, 80).syn(t);
        t.expect_nothing();
        t.expect_tcp_counters(
            &before,
            &[("TcpExtListenOverflows", 1), ("TcpExtListenDrops", 1)],
        );
        assert!(t.accept(fd).is_ok());
    }
    t.expect_queue(fd, 1, 1);
    Peer::new(ip, 4012, 80).open(t);
    t.expect_queue(fd, 2, 1);
}
