//! poll, epoll, and the views of a listener: TCP_INFO, /proc/net/tcp (statements 109, 123 to 126).

use core::time::Duration;

use hearken_twin::{Ip, Peer, Twin, any, loopback};

cases! {
    view_dual_listener_lists_v4_child_in_tcp6,
    txrehash_is_resolved_when_the_socket_is_made,
}

family_cases! {
    poll_listener_is_readable_iff_queue_is_not_empty,
    poll_fresh_bound_and_shut_down_is_out_and_hup,
    epoll_level_triggered_reports_in_every_set,
    epoll_edge_triggered_fires_once_per_connection,
    view_listener_row_shows_the_queue,
    view_half_open_row_shows_timer_and_retransmits,
    view_unaccepted_child_row_has_no_inode,
    view_bound_socket_is_not_listed,
    view_tcp_info_of_listener,
}

const POLLIN: u32 = 0x41;
const OUT_HUP: u32 = 0x114;

/// Statement 123: POLLIN and POLLRDNORM, never POLLOUT.
fn poll_listener_is_readable_iff_queue_is_not_empty(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    assert_eq!(t.poll(fd), 0);
    let mut peer = Peer::new(ip, 4000, 80);
    peer.half_open(t);
    assert_eq!(t.poll(fd), 0, "half-open");
    peer.ack(t);
    assert_eq!(t.poll(fd), POLLIN);
    Peer::new(ip, 4001, 80).open(t);
    t.accept(fd).unwrap();
    assert_eq!(t.poll(fd), POLLIN, "one is left");
    t.accept(fd).unwrap();
    assert_eq!(t.poll(fd), 0);
}

/// Statement 123.
fn poll_fresh_bound_and_shut_down_is_out_and_hup(t: &mut dyn Twin, ip: Ip) {
    let fd = t.tcp(ip);
    assert_eq!(t.poll(fd), OUT_HUP, "fresh");
    t.bind(fd, &any(ip, 80)).unwrap();
    assert_eq!(t.poll(fd), OUT_HUP, "bound");
    t.listen(fd, 5).unwrap();
    assert_eq!(t.poll(fd), 0, "listening");
    t.shutdown(fd, libc::SHUT_RD).unwrap();
    assert_eq!(t.poll(fd), OUT_HUP, "shut down");
}

/// Statement 120.
fn epoll_level_triggered_reports_in_every_set(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    let sets: Vec<_> = (0..3).map(|_| t.epoll_create()).collect();
    for set in &sets {
        t.epoll_add(*set, fd, libc::EPOLLIN as u32).unwrap();
        assert_eq!(t.epoll_wait(*set), []);
    }
    Peer::new(ip, 4000, 80).open(t);
    for set in sets.iter().chain(&sets) {
        assert_eq!(t.epoll_wait(*set), [(fd, libc::EPOLLIN as u32)]);
    }
    t.accept(fd).unwrap();
    for set in &sets {
        assert_eq!(t.epoll_wait(*set), []);
    }
}

/// Statement 123.
fn epoll_edge_triggered_fires_once_per_connection(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    let set = t.epoll_create();
    t.epoll_add(
        set,
        fd,
        (libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLET) as u32,
    )
    .unwrap();
    assert_eq!(t.epoll_wait(set), []);
    for port in [4000, 4001] {
        Peer::new(ip, port, 80).open(t);
        assert_eq!(t.epoll_wait(set), [(fd, libc::EPOLLIN as u32)]);
        assert_eq!(t.epoll_wait(set), [], "once");
    }
    t.accept(fd).unwrap();
    assert_eq!(t.epoll_wait(set), [], "accept is no event");
    t.shutdown(fd, libc::SHUT_RD).unwrap();
    assert_eq!(
        t.epoll_wait(set),
        [(fd, (libc::EPOLLOUT | libc::EPOLLHUP) as u32)]
    );
}

/// Statement 124.
fn view_listener_row_shows_the_queue(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    for queued in 0..3 {
        let rows = t.rows(10);
        assert_eq!(rows.len(), 1);
        let row = &rows[0];
        assert_eq!(row.v6, ip == Ip::V6);
        assert_eq!(row.local, core::net::SocketAddr::new(ip.any(), 80));
        assert_eq!(row.remote, core::net::SocketAddr::new(ip.any(), 0));
        assert_eq!(
            (
                row.rx_queue,
                row.tx_queue,
                row.timer,
                row.retransmits,
                row.uid
            ),
            (queued, 0, 0, 0, 0)
        );
        assert_ne!(row.inode, 0);
        Peer::new(ip, 4000 + queued as u16, 80).open(t);
    }
    t.set_uid(1000);
    let other = t.tcp(ip);
    t.bind(other, &any(ip, 8080)).unwrap();
    t.listen(other, 5).unwrap();
    let rows = t.rows(10);
    let row = rows.iter().find(|row| row.local.port() == 8080).unwrap();
    assert_eq!(row.uid, 1000, "the owner");
    t.expect_queue(fd, 3, 5);
}

/// Statement 125.
fn view_half_open_row_shows_timer_and_retransmits(t: &mut dyn Twin, ip: Ip) {
    t.listener(ip, 80, 5);
    let mut peer = Peer::new(ip, 4000, 80);
    peer.half_open(t);
    for retransmits in 0..2 {
        let rows = t.rows(3);
        assert_eq!(rows.len(), 1);
        let row = &rows[0];
        assert_eq!((row.local, row.remote), (peer.to, peer.addr));
        assert_eq!((row.timer, row.retransmits, row.inode), (1, retransmits, 0));
        assert_eq!((row.rx_queue, row.tx_queue), (0, 0));
        if retransmits == 0 {
            peer.expect_within(t, "SA", Duration::from_millis(1500));
        }
    }
}

/// Statement 125.
fn view_unaccepted_child_row_has_no_inode(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    let peer = Peer::new(ip, 4000, 80);
    peer.clone().open(t);
    let rows = t.rows(1);
    assert_eq!(
        (rows[0].local, rows[0].remote, rows[0].inode),
        (peer.to, peer.addr, 0)
    );
    t.accept(fd).unwrap();
    assert_ne!(t.rows(1)[0].inode, 0);
}

/// Statement 125.
fn view_bound_socket_is_not_listed(t: &mut dyn Twin, ip: Ip) {
    let fd = t.tcp(ip);
    t.bind(fd, &loopback(ip, 80)).unwrap();
    assert_eq!(t.tcp_table(), []);
    t.listen(fd, 1).unwrap();
    assert_eq!(t.tcp_table().len(), 1);
}

/// Statement 124: apart from the queue only the state, the window, the reordering and the pacing rates are set.
fn view_tcp_info_of_listener(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    Peer::new(ip, 4000, 80).open(t);
    let info = t
        .getsockopt(fd, libc::IPPROTO_TCP, libc::TCP_INFO, 400)
        .unwrap();
    assert_eq!(info[..8], [10, 0, 0, 0, 0, 0, 0, 0]);
    let words = info[8..]
        .chunks_exact(4)
        .map(|word| u32::from_ne_bytes(word.try_into().unwrap()));
    let set: Vec<(usize, u32)> = words.enumerate().filter(|(_, word)| *word != 0).collect();
    let all = u32::MAX;
    assert_eq!(
        set,
        [
            (4, 1),
            (5, 5),
            (18, 10),
            (20, 3),
            (24, all),
            (25, all),
            (26, all),
            (27, all)
        ]
    );
}

/// Statement 109.
fn view_dual_listener_lists_v4_child_in_tcp6(t: &mut dyn Twin) {
    let fd = t.listener(Ip::V6, 80, 5);
    let mut peer = Peer::new(Ip::V4, 4000, 80);
    peer.half_open(t);
    let mapped = |addr: core::net::SocketAddr| match addr.ip() {
        core::net::IpAddr::V4(ip) => {
            core::net::SocketAddr::new(ip.to_ipv6_mapped().into(), addr.port())
        }
        core::net::IpAddr::V6(_) => addr,
    };
    peer.ack(t);
    let rows = t.rows(1);
    assert_eq!(
        (rows[0].v6, rows[0].local, rows[0].remote),
        (true, mapped(peer.to), mapped(peer.addr))
    );
    let child = t.accept(fd).unwrap();
    assert_eq!(t.remote(child), Ok(mapped(peer.addr)));
    assert_eq!(t.local(child), mapped(peer.to));
    assert_eq!(
        t.int(child, libc::IPPROTO_IP, libc::IP_TTL),
        Ok(64),
        "IP-level options work"
    );
}

/// Statement 126.
fn txrehash_is_resolved_when_the_socket_is_made(t: &mut dyn Twin) {
    const SO_TXREHASH: i32 = 74;
    let before = t.tcp(Ip::V4);
    assert_eq!(t.int(before, libc::SOL_SOCKET, SO_TXREHASH), Ok(1));
    t.sysctl("net.core.txrehash", "0").unwrap();
    t.listen(before, 1).unwrap();
    assert_eq!(
        t.int(before, libc::SOL_SOCKET, SO_TXREHASH),
        Ok(1),
        "not at listen"
    );
    let after = t.tcp(Ip::V4);
    assert_eq!(t.int(after, libc::SOL_SOCKET, SO_TXREHASH), Ok(0));
}
