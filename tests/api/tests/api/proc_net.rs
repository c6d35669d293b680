//! The text of /proc/net/snmp, snmp6, netstat, sockstat and sockstat6, byte for byte (docs/linux/proc-net.md).

use core::net::SocketAddr;
use core::time::Duration;

use hearken_twin::{Icmp, Ip, Peer, Segment, Twin, any, checksum, transport_checksum, wrap};

family_cases! {
    proc_net_counters_are_the_kernels_text,
    proc_net_sockstat_counts_sockets,
}

/// An ICMP echo request to the system.
fn echo_request(ip: Ip) -> Vec<u8> {
    let mut body = vec![ip.pick(8, 128), 0, 0, 0, 0, 1, 0, 1];
    let sum = match ip {
        Ip::V4 => checksum(&body),
        Ip::V6 => transport_checksum(ip.peer(), ip.listener(), 58, &body),
    };
    body[2..4].copy_from_slice(&sum.to_be_bytes());
    wrap(ip.peer(), ip.listener(), ip.pick(1, 58), 64, 0, &body)
}

/// A datagram to a port that nobody has.
fn datagram(ip: Ip) -> Vec<u8> {
    let mut body = vec![0x0f, 0xa0, 0, 7, 0, 12, 0, 0, 1, 2, 3, 4];
    let sum = transport_checksum(ip.peer(), ip.listener(), 17, &body);
    body[6..8].copy_from_slice(&sum.to_be_bytes());
    wrap(ip.peer(), ip.listener(), 17, 64, 0, &body)
}

/// What the kernel's own address configuration sends and counts whenever it likes, and sums that contain it.
const HOUSEKEEPING: [&str; 10] = [
    "Ip6OutRequests",
    "Ip6OutTransmits",
    "Ip6OutOctets",
    "Ip6OutMcastPkts",
    "Ip6OutMcastOctets",
    "Icmp6OutMsgs",
    "Icmp6OutMLDv2Reports",
    "Icmp6OutType143",
    "Icmp6OutRouterSolicits",
    "Icmp6OutType133",
];

/// What the traffic below moves, in the order in which it is printed: the lines of ICMP types are there from the first message on.
const MOVED_V4: &[(&str, i64)] = &[
    ("IpInReceives", 9),
    ("IpInDelivers", 9),
    ("IpOutRequests", 5),
    ("IpOutTransmits", 5),
    ("IcmpInMsgs", 2),
    ("IcmpInErrors", 1),
    ("IcmpInDestUnreachs", 1),
    ("IcmpInEchos", 1),
    ("IcmpOutMsgs", 2),
    ("IcmpOutDestUnreachs", 1),
    ("IcmpOutEchoReps", 1),
    ("IcmpMsgInType3", 1),
    ("IcmpMsgInType8", 1),
    ("IcmpMsgOutType0", 1),
    ("IcmpMsgOutType3", 1),
    ("TcpPassiveOpens", 1),
    ("TcpEstabResets", 1),
    ("TcpInSegs", 6),
    ("TcpOutSegs", 3),
    ("TcpInErrs", 1),
    ("TcpOutRsts", 1),
    ("TcpInCsumErrors", 1),
    ("UdpNoPorts", 1),
    ("TcpExtTCPPureAcks", 1),
    ("IpExtInOctets", 407),
    ("IpExtOutOctets", 240),
    ("IpExtInNoECTPkts", 8),
    ("IpExtInECT0Pkts", 1),
];
const MOVED_V6: &[(&str, i64)] = &[
    ("TcpPassiveOpens", 1),
    ("TcpEstabResets", 1),
    ("TcpInSegs", 6),
    ("TcpOutSegs", 3),
    ("TcpInErrs", 1),
    ("TcpOutRsts", 1),
    ("TcpInCsumErrors", 1),
    ("TcpExtTCPPureAcks", 1),
    ("Ip6InReceives", 9),
    ("Ip6InDelivers", 9),
    ("Ip6InOctets", 619),
    ("Ip6InNoECTPkts", 8),
    ("Ip6InECT0Pkts", 1),
    ("Icmp6InMsgs", 2),
    ("Icmp6InErrors", 1),
    ("Icmp6InDestUnreachs", 1),
    ("Icmp6InEchos", 1),
    ("Icmp6OutDestUnreachs", 1),
    ("Icmp6OutEchoReplies", 1),
    ("Icmp6InType1", 1),
    ("Icmp6InType128", 1),
    ("Icmp6OutType1", 1),
    ("Icmp6OutType129", 1),
    ("Udp6NoPorts", 1),
];

/// Each name with its group, and its value, in order.
fn values(text: &str) -> Vec<(String, i64)> {
    let mut out = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some((group, names)) = line.split_once(": ") {
            let values = lines.next().expect("a line of values");
            let values = values
                .strip_prefix(&format!("{group}: "))
                .expect("the same group");
            for (name, value) in names.split(' ').zip(values.split(' ')) {
                out.push((format!("{group}{name}"), value.parse().unwrap()));
            }
        } else {
            let (name, value) = line.split_once('\t').expect("a tab");
            assert_eq!(name.len(), 32, "{name:?}");
            out.push((name.trim_end().to_owned(), value.parse().unwrap()));
        }
    }
    out
}

/// What a fresh namespace of the kernel prints; names, order and constants.
fn fresh(file: &str) -> &'static str {
    match file {
        "snmp" => include_str!("../../data/proc_net_snmp.txt"),
        "netstat" => include_str!("../../data/proc_net_netstat.txt"),
        "snmp6" => include_str!("../../data/proc_net_snmp6.txt"),
        other => panic!("{other}"),
    }
}

/// Which file a counter stands in.
fn file_of(name: &str) -> &'static str {
    if ["Ip6", "Icmp6", "Udp6"].iter().any(|g| name.starts_with(g)) {
        "snmp6"
    } else if name.starts_with("TcpExt") || name.starts_with("IpExt") {
        "netstat"
    } else {
        "snmp"
    }
}

/// A handshake, data, a reset, segments for nobody, a broken one, a ping, a datagram for nobody: every line of all three files.
fn proc_net_counters_are_the_kernels_text(t: &mut dyn Twin, ip: Ip) {
    let files = ["snmp", "netstat", "snmp6"];
    let before: Vec<_> = files.iter().map(|f| t.proc_net(f)).collect();
    for (text, file) in before.iter().zip(files) {
        let lines = |text: &str| -> Vec<String> {
            let housekeeping = |l: &&str| !HOUSEKEEPING.iter().any(|n| l.starts_with(n));
            text.lines()
                .filter(housekeeping)
                .map(str::to_owned)
                .collect()
        };
        if ip == Ip::V4 {
            assert_eq!(lines(text), lines(fresh(file)), "{file}");
        }
    }
    let fd = t.listener(ip, 80, 5);
    let mut peer = Peer::new(ip, 4000, 80);
    peer.open(t);
    let child = t.accept(fd).unwrap();
    peer.data(t, b"abc");
    peer.expect(t, "A");
    t.recv(child, 3, 0).unwrap();
    peer.rst(t);
    let (from, to) = (
        SocketAddr::new(ip.peer(), 4001),
        SocketAddr::new(ip.listener(), 99),
    );
    let mut stray = Segment::new(from, to, "S", 1, 0);
    t.inject(&stray.packet());
    t.next_tcp(Duration::from_millis(300)).expect("a RST");
    stray.tos = 2;
    stray.bad_checksum = true;
    t.inject(&stray.packet());
    t.inject(&echo_request(ip));
    t.next_packet(Duration::from_millis(300))
        .expect("an answer");
    t.inject(&datagram(ip));
    t.next_packet(Duration::from_millis(300))
        .expect("port unreachable");
    let icmp = Icmp {
        src: ip.peer(),
        kind: ip.pick(3, 1),
        code: 1,
        extra: 0,
    };
    t.inject(&icmp.packet(SocketAddr::new(ip.listener(), 80), peer.addr, 5));
    let moved = ip.pick(MOVED_V4, MOVED_V6);
    for (text, file) in before.iter().zip(files) {
        let start = values(text);
        let of = |values: &[(String, i64)], name: &str| {
            values
                .iter()
                .find(|(n, _)| n == name)
                .map_or(0, |(_, v)| *v)
        };
        let after = values(&t.proc_net(file));
        let rose: Vec<_> = after
            .iter()
            .map(|(name, value)| (name.as_str(), value - of(&start, name)))
            .filter(|(name, by)| *by != 0 && !HOUSEKEEPING.contains(name))
            .collect();
        let expected: Vec<_> = moved
            .iter()
            .filter(|(name, _)| file_of(name) == file)
            .copied()
            .collect();
        assert_eq!(rose, expected, "{file}");
    }
}

/// What is counted for the whole machine cannot be compared.
fn proc_net_sockstat_counts_sockets(t: &mut dyn Twin, ip: Ip) {
    let numbers = |t: &mut dyn Twin| {
        let text = t.proc_net("sockstat");
        let number = |line: usize, word: usize| -> i64 {
            let line = text.lines().nth(line).expect("a line");
            line.split(' ').nth(word).expect("a word").parse().unwrap()
        };
        let (used, four, waiting) = (number(0, 2), number(1, 2), number(1, 6));
        let (orphans, alloc, memory, udp_memory) =
            (number(1, 4), number(1, 8), number(1, 10), number(2, 4));
        assert_eq!(
            text,
            format!(
                "sockets: used {used}\nTCP: inuse {four} orphan {orphans} tw {waiting} alloc {alloc} mem {memory}\n\
                 UDP: inuse 0 mem {udp_memory}\nUDPLITE: inuse 0\nRAW: inuse 0\nFRAG: inuse 0 memory 0\n"
            )
        );
        let text = t.proc_net("sockstat6");
        let six: i64 = text
            .split_whitespace()
            .nth(2)
            .expect("a word")
            .parse()
            .unwrap();
        assert_eq!(
            text,
            format!(
                "TCP6: inuse {six}\nUDP6: inuse 0\nUDPLITE6: inuse 0\nRAW6: inuse 0\nFRAG6: inuse 0 memory 0\n"
            )
        );
        (used, four, six, waiting)
    };
    // The TUN is a socket, too.
    let (first, ..) = numbers(t);
    let step = |t: &mut dyn Twin, what: &str, used: i64, inuse: i64, waiting: i64| {
        let (four, six) = ip.pick((inuse, 0), (0, inuse));
        assert_eq!(numbers(t), (first + used, four, six, waiting), "{what}");
    };
    step(t, "fresh", 0, 0, 0);
    let fd = t.tcp(ip);
    step(t, "a socket", 1, 0, 0);
    t.bind(fd, &any(ip, 80)).unwrap();
    step(t, "bound", 1, 0, 0);
    t.listen(fd, 5).unwrap();
    step(t, "listening", 1, 1, 0);
    let mut peer = Peer::new(ip, 4000, 80);
    peer.half_open(t);
    step(t, "half-open", 1, 1, 0);
    peer.ack(t);
    step(t, "queued", 2, 2, 0);
    let child = t.accept(fd).unwrap();
    step(t, "accepted", 2, 2, 0);
    t.close(child).unwrap();
    step(t, "orphan", 2, 2, 0);
    peer.expect(t, "FA");
    peer.ack(t);
    step(t, "FIN_WAIT2 without a socket", 1, 1, 1);
    peer.fin(t);
    step(t, "TIME_WAIT", 1, 1, 1);
    t.socket(ip.domain(), libc::SOCK_DGRAM, 0).unwrap();
    step(t, "a datagram socket", 2, 1, 1);
    t.packets();
    let mut peer = Peer::new(ip, 4001, 80);
    peer.open(t);
    let child = t.accept(fd).unwrap();
    t.shutdown(child, libc::SHUT_WR).unwrap();
    peer.expect(t, "FA");
    peer.ack(t);
    step(t, "FIN_WAIT2 with a socket", 3, 2, 1);
    peer.fin(t);
    step(t, "its TIME_WAIT", 3, 1, 2);
}
