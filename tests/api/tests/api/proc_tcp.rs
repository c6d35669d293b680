//! The lines of /proc/net/tcp and tcp6, byte for byte but for what is named at `Line` (docs/linux/proc-net.md).

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use hearken_twin::{Ip, Peer, Twin, any, sockaddr};
use libc::{IPPROTO_TCP, SO_KEEPALIVE, SOL_SOCKET};

cases! {
    proc_tcp6_lists_ipv4_of_a_dual_listener_to_the_end,
}

family_cases! {
    proc_tcp_lines_of_a_passive_open,
    proc_tcp_lines_of_each_timer,
    proc_tcp_lines_of_each_end,
    proc_tcp_line_of_an_attempt,
    proc_tcp_line_names_the_user,
}

/// A line as it is to be. What no test can know (inode, kernel address, the exact time left) is taken from the line, after a look
/// whether it can be.
struct Line<'a> {
    local: u16,
    /// 0 for a listener.
    peer: u16,
    state: u8,
    tx: u32,
    rx: u32,
    timer: u8,
    /// Hundredths of a second left, give or take a tenth of a second and a tenth of itself.
    left: u64,
    again: u32,
    uid: u32,
    probes: u32,
    /// Some file is open on it.
    open: bool,
    references: u32,
    /// What stands behind the timeout in the last columns, if there are any.
    tail: Option<&'a str>,
}

impl Line<'_> {
    const LISTENER: Line<'static> = Line {
        local: 80,
        peer: 0,
        state: 10,
        tx: 0,
        rx: 0,
        timer: 0,
        left: 0,
        again: 0,
        uid: 0,
        probes: 0,
        open: true,
        references: 1,
        tail: Some("0 0 10 0"),
    };
    const CONNECTION: Line<'static> = Line {
        peer: 4000,
        state: 1,
        tail: Some("0 0 10 -1"),
        ..Line::LISTENER
    };
    const BARE: Line<'static> = Line {
        peer: 4000,
        open: false,
        tail: None,
        ..Line::LISTENER
    };
}

fn hex(ip: IpAddr, port: u16) -> String {
    let octets = match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let words = octets.chunks(4).map(|w| {
        let word = u32::from_ne_bytes(w.try_into().expect("four bytes"));
        format!("{word:08X}")
    });
    format!("{}:{port:04X}", words.collect::<String>())
}

/// The line of one pair of ports, found in the text, and its place in it.
fn find(text: &str, local: &str, remote: &str) -> (usize, String) {
    let mut lines = text.lines().skip(1).enumerate();
    let found = lines.find(|(_, l)| l.contains(&format!(": {local} {remote} ")));
    let (at, line) = found.unwrap_or_else(|| panic!("{local} {remote} in\n{text}"));
    (at, line.to_owned())
}

/// Asserts that the table has this line, in which all but the columns named at [`Line`] is as given.
#[track_caller]
fn expect(t: &mut dyn Twin, ip: Ip, want: &Line<'_>) {
    let text = t.proc_net(ip.pick("tcp", "tcp6"));
    let (local, remote) = match want.peer {
        0 => (hex(ip.any(), want.local), hex(ip.any(), 0)),
        peer => (hex(ip.listener(), want.local), hex(ip.peer(), peer)),
    };
    let (sl, line) = find(&text, &local, &remote);
    let words: Vec<&str> = line.split_whitespace().collect();
    let left = u64::from_str_radix(words[5].split_once(':').unwrap().1, 16).unwrap();
    let slack = 10 + want.left / 10;
    assert!(
        want.left.abs_diff(left) <= slack,
        "{} is not near {left}",
        want.left
    );
    assert_eq!(words[9] != "0", want.open, "{line}");
    let (inode, pointer) = (words[9], words[11]);
    assert!(
        pointer.len() == 16 && u64::from_str_radix(pointer, 16).is_ok(),
        "{line}"
    );
    let mut expected = format!(
        "{sl:4}: {local} {remote} {:02X} {:08X}:{:08X} {:02X}:{left:08X} {:08X} {:5} {:8} {inode} {} {pointer}",
        want.state,
        want.tx,
        want.rx,
        want.timer,
        want.again,
        want.uid,
        want.probes,
        want.references,
    );
    if let Some(tail) = want.tail {
        let rto: u64 = words[12].parse().unwrap();
        // Of a listener and an attempt the first timeout; of a connection what the round trip and back-off make of it.
        let whole = want.peer == 0 || want.state == 2;
        assert!(
            if whole {
                rto == 100
            } else {
                (20..=130).contains(&rto)
            },
            "{line}"
        );
        expected += &format!(" {rto} {tail}");
    }
    // Only the IPv4 table has lines of one length.
    if ip == Ip::V4 {
        expected = format!("{expected:<149}");
    }
    assert_eq!(line, expected);
}

fn lines(t: &mut dyn Twin, ip: Ip) -> usize {
    t.proc_net(ip.pick("tcp", "tcp6")).lines().count() - 1
}

/// Statement 124: headers, a listener, a half-open connection, its SYN-ACK sent again, a child in the queue, with data, accepted.
fn proc_tcp_lines_of_a_passive_open(t: &mut dyn Twin, ip: Ip) {
    let header = match ip {
        Ip::V4 => format!(
            "{:<149}\n",
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
        ),
        Ip::V6 => "  sl  local_address                         remote_address                        st tx_queue rx_queue tr \
                   tm->when retrnsmt   uid  timeout inode\n"
            .to_owned(),
    };
    assert_eq!(t.proc_net(ip.pick("tcp", "tcp6")), header);
    let fd = t.listener(ip, 80, 5);
    expect(t, ip, &Line::LISTENER);
    let half_open = Line {
        state: 3,
        timer: 1,
        left: 100,
        references: 0,
        ..Line::BARE
    };
    let mut peer = Peer::new(ip, 4000, 80);
    peer.half_open(t);
    expect(
        t,
        ip,
        &Line {
            references: 2,
            ..Line::LISTENER
        },
    );
    expect(t, ip, &half_open);
    t.advance(Duration::from_millis(1100));
    peer.expect(t, "SA");
    expect(
        t,
        ip,
        &Line {
            left: 190,
            again: 1,
            ..half_open
        },
    );
    peer.ack(t);
    let queued = Line {
        open: false,
        ..Line::CONNECTION
    };
    expect(t, ip, &queued);
    expect(
        t,
        ip,
        &Line {
            rx: 1,
            references: 2,
            ..Line::LISTENER
        },
    );
    peer.data(t, b"abc");
    peer.expect(t, "A");
    let with_data = Line {
        rx: 3,
        tail: Some("4 30 10 -1"),
        ..queued
    };
    expect(t, ip, &with_data);
    let child = t.accept(fd).unwrap();
    expect(
        t,
        ip,
        &Line {
            open: true,
            ..with_data
        },
    );
    expect(t, ip, &Line::LISTENER);
    t.recv(child, 10, 0).unwrap();
    expect(
        t,
        ip,
        &Line {
            open: true,
            rx: 0,
            ..with_data
        },
    );
    t.set_int(fd, IPPROTO_TCP, libc::TCP_FASTOPEN, 7).unwrap();
    expect(
        t,
        ip,
        &Line {
            tail: Some("0 0 10 7"),
            ..Line::LISTENER
        },
    );
    assert_eq!(lines(t, ip), 2);
}

/// Retransmission, keepalive and the probe of a shut window; a timer that is not needed any more holds the socket until its time.
fn proc_tcp_lines_of_each_timer(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    let mut peer = Peer::new(ip, 4000, 80);
    peer.open(t);
    let child = t.accept(fd).unwrap();
    expect(t, ip, &Line::CONNECTION);
    t.send(child, b"hello", 0).unwrap();
    let sent = Line {
        tx: 5,
        timer: 1,
        left: 20,
        references: 2,
        ..Line::CONNECTION
    };
    expect(t, ip, &sent);
    peer.expect(t, "PA");
    peer.ack(t);
    let at_rest = Line {
        references: 2,
        ..Line::CONNECTION
    };
    expect(t, ip, &at_rest);
    t.advance(Duration::from_millis(300));
    expect(t, ip, &Line::CONNECTION);
    t.set_int(child, SOL_SOCKET, SO_KEEPALIVE, 1).unwrap();
    let alive = Line {
        timer: 2,
        left: 720_000,
        references: 2,
        ..Line::CONNECTION
    };
    expect(t, ip, &alive);
    t.set_int(child, IPPROTO_TCP, libc::TCP_KEEPINTVL, 1)
        .unwrap();
    t.set_int(child, IPPROTO_TCP, libc::TCP_KEEPIDLE, 1)
        .unwrap();
    t.advance(Duration::from_millis(2250));
    expect(
        t,
        ip,
        &Line {
            left: 45,
            probes: 2,
            ..alive
        },
    );
    t.set_int(child, SOL_SOCKET, SO_KEEPALIVE, 0).unwrap();
    t.packets();
    peer.ts += 1;
    let mut shut = peer.segment("A");
    shut.window = 0;
    t.inject(&shut.packet());
    t.send(child, b"probe", 0).unwrap();
    expect(t, ip, &Line { timer: 4, ..sent });
}

/// Both ends of a connection, in each order; an end that was read is no unread byte any more. FIN_WAIT2 without a socket and
/// TIME_WAIT have the short line.
fn proc_tcp_lines_of_each_end(t: &mut dyn Twin, ip: Ip) {
    let fd = t.listener(ip, 80, 5);
    let opened = |t: &mut dyn Twin, port| {
        let mut peer = Peer::new(ip, port, 80);
        peer.open(t);
        (peer, t.accept(fd).unwrap())
    };
    let (mut peer, child) = opened(t, 4000);
    let waits = Line {
        tx: 1,
        timer: 1,
        left: 20,
        references: 2,
        ..Line::CONNECTION
    };
    t.shutdown(child, libc::SHUT_WR).unwrap();
    expect(t, ip, &Line { state: 4, ..waits });
    peer.expect(t, "FA");
    peer.ack(t);
    expect(
        t,
        ip,
        &Line {
            state: 5,
            references: 2,
            ..Line::CONNECTION
        },
    );
    t.close(child).unwrap();
    let short = Line {
        state: 5,
        timer: 3,
        left: 6000,
        references: 3,
        ..Line::BARE
    };
    expect(t, ip, &short);
    peer.fin(t);
    peer.expect(t, "A");
    expect(t, ip, &Line { state: 6, ..short });

    let (mut peer, child) = opened(t, 4001);
    peer.fin(t);
    peer.expect(t, "A");
    let ended = Line {
        peer: 4001,
        state: 8,
        rx: 1,
        tail: Some("4 0 10 -1"),
        ..Line::CONNECTION
    };
    expect(t, ip, &ended);
    assert_eq!(t.recv(child, 10, 0), Ok(Vec::new()));
    expect(t, ip, &Line { rx: 0, ..ended });
    t.close(child).unwrap();
    expect(
        t,
        ip,
        &Line {
            peer: 4001,
            state: 9,
            open: false,
            tail: ended.tail,
            ..waits
        },
    );

    t.packets();
    let (mut peer, child) = opened(t, 4002);
    t.close(child).unwrap();
    let orphan = Line {
        peer: 4002,
        state: 4,
        open: false,
        ..waits
    };
    expect(t, ip, &orphan);
    peer.fin(t);
    expect(
        t,
        ip,
        &Line {
            state: 11,
            rx: 1,
            ..orphan
        },
    );
    assert_eq!(lines(t, ip), 4);
}

fn proc_tcp_line_of_an_attempt(t: &mut dyn Twin, ip: Ip) {
    let fd = t.tcp(ip);
    let to = SocketAddr::new(ip.peer(), 99);
    t.bind(fd, &any(ip, 5000)).unwrap();
    assert_eq!(lines(t, ip), 0, "bound is not listed");
    t.connect(fd, &sockaddr(to)).unwrap_err();
    let attempt = Line {
        local: 5000,
        peer: 99,
        state: 2,
        tx: 1,
        timer: 1,
        left: 100,
        references: 2,
        ..Line::CONNECTION
    };
    expect(t, ip, &attempt);
}

/// Half-open connections, queued ones and those that nobody holds any more belong to the listener's user.
fn proc_tcp_line_names_the_user(t: &mut dyn Twin, ip: Ip) {
    t.set_uid(1000);
    let fd = t.listener(ip, 8080, 5);
    let listener = Line {
        local: 8080,
        uid: 1000,
        ..Line::LISTENER
    };
    let connection = Line {
        local: 8080,
        uid: 1000,
        open: false,
        ..Line::CONNECTION
    };
    let mut peer = Peer::new(ip, 4000, 8080);
    peer.half_open(t);
    expect(
        t,
        ip,
        &Line {
            references: 2,
            ..listener
        },
    );
    expect(
        t,
        ip,
        &Line {
            state: 3,
            timer: 1,
            left: 100,
            references: 0,
            tail: None,
            ..connection
        },
    );
    peer.ack(t);
    expect(t, ip, &connection);
    let child = t.accept(fd).unwrap();
    expect(
        t,
        ip,
        &Line {
            open: true,
            ..connection
        },
    );
    t.close(child).unwrap();
    expect(
        t,
        ip,
        &Line {
            state: 4,
            tx: 1,
            timer: 1,
            left: 20,
            references: 2,
            ..connection
        },
    );
}

/// Statement 109.
fn proc_tcp6_lists_ipv4_of_a_dual_listener_to_the_end(t: &mut dyn Twin) {
    let fd = t.listener(Ip::V6, 80, 5);
    let mut peer = Peer::new(Ip::V4, 4000, 80);
    peer.open(t);
    let child = t.accept(fd).unwrap();
    t.shutdown(child, libc::SHUT_WR).unwrap();
    peer.expect(t, "FA");
    peer.ack(t);
    t.close(child).unwrap();
    peer.fin(t);
    assert_eq!(lines(t, Ip::V4), 0);
    let text = t.proc_net("tcp6");
    let mapped = "0000000000000000FFFF0000";
    let ends = (
        format!("{mapped}010200C0:0050"),
        format!("{mapped}020200C0:0FA0"),
    );
    let (_, line) = find(&text, &ends.0, &ends.1);
    assert!(line.contains(" 06 00000000:00000000 03:0000"), "{line}");
}
