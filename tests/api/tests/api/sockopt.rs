//! Socket options: every number of every level asked with the same lengths and values on both systems, and the answers compared.
//! What is known to differ is declared below and fails once it no longer differs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc;

use hearken_abi::Errno;
use hearken_abi::sock::*;
use hearken_twin::{Fd, Ip, Twin, any};

/// What one question was answered.
type Answers = BTreeMap<(i32, i32, String), String>;

const VALUES: [i32; 28] = [
    i32::MIN,
    -2,
    -1,
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    47,
    48,
    87,
    88,
    120,
    121,
    126,
    127,
    128,
    255,
    256,
    1000,
    4095,
    32_767,
    32_768,
    65_536,
    i32::MAX,
];

/// Options that are left out: their answers hang on the machine, on its memory or its clock, or they change more than a value.
const LEFT_OUT: [(i32, i32); 13] = [
    (SOL_SOCKET, SO_INCOMING_NAPI_ID),
    (SOL_SOCKET, SO_COOKIE),
    (SOL_SOCKET, SO_NETNS_COOKIE),
    // The host's, not the namespace's.
    (SOL_SOCKET, SO_BUSY_POLL),
    (SOL_SOCKET, SO_PREFER_BUSY_POLL),
    (SOL_SOCKET, SO_BUSY_POLL_BUDGET),
    (SOL_TCP, TCP_INFO),
    (SOL_TCP, TCP_TIMESTAMP),
    (SOL_TCP, TCP_REPAIR),
    (SOL_TCP, TCP_CONGESTION),
    // netfilter's and multicast routing's numbers begin at 64; a kernel has them or not.
    (SOL_IP, 64),
    (SOL_IPV6, 64),
    (SOL_SOCKET, SO_ATTACH_FILTER),
];

fn show<T>(r: Result<T, Errno>, f: impl Fn(T) -> String) -> String {
    r.map_or_else(|e| e.name().to_string(), f)
}

fn hex(bytes: Vec<u8>) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Asks everything about one option, each time of a new socket.
fn ask(t: &mut dyn Twin, make: fn(&mut dyn Twin) -> Fd, level: i32, name: i32, out: &mut Answers) {
    let fd = make(t);
    for room in [0, 1, 3, 4, 8, 16, 64] {
        let answer = show(t.getsockopt(fd, level, name, room), hex);
        out.insert((level, name, format!("get {room:02}")), answer);
    }
    t.close(fd).unwrap();
    for len in [0, 1, 3, 4, 5, 8, 16] {
        let mut value = [0; 16];
        value[0] = 1;
        let fd = make(t);
        let answer = show(t.setsockopt(fd, level, name, &value[..len]), |()| {
            "ok".into()
        });
        t.close(fd).unwrap();
        out.insert((level, name, format!("set length {len:02}")), answer);
    }
    for value in VALUES {
        let fd = make(t);
        let mut answer = show(t.set_int(fd, level, name, value), |()| "ok".into());
        answer += " ";
        answer += &show(t.getsockopt(fd, level, name, 16), hex);
        t.close(fd).unwrap();
        out.insert((level, name, format!("set {value}")), answer);
    }
}

fn ask_all(t: &mut dyn Twin, make: fn(&mut dyn Twin) -> Fd) -> Answers {
    let mut out = Answers::new();
    for (level, names) in [
        (SOL_SOCKET, 1..90),
        (SOL_TCP, 1..60),
        (SOL_IP, 1..63),
        (SOL_IPV6, 1..63),
        (SOL_IPV6, 66..80),
    ] {
        for name in names {
            if !LEFT_OUT.contains(&(level, name)) {
                ask(t, make, level, name, &mut out);
            }
        }
    }
    for level in [2, 17, 58, 132, 255, 262, 284, -1] {
        ask(t, make, level, 1, &mut out);
    }
    out
}

/// The options whose answers differ, with the first difference of each.
fn differing(make: fn(&mut dyn Twin) -> Fd) -> Option<BTreeMap<(i32, i32), String>> {
    let (tx, rx) = mpsc::channel();
    let of_linux = tx.clone();
    hearken_twin::run_linux(move |t| of_linux.send(ask_all(t, make)).expect("a receiver"));
    // Nothing when Linux is left out on purpose, of which `run_linux` has told.
    let linux = rx.try_recv().ok()?;
    hearken_twin::run_hearken(move |t| tx.send(ask_all(t, make)).expect("a receiver"));
    let ours = rx.recv().expect("answers");
    assert_eq!(linux.len(), ours.len());
    let mut out = BTreeMap::new();
    for ((level, name, question), answer) in &linux {
        let our_answer = &ours[&(*level, *name, question.clone())];
        if our_answer != answer {
            let all: &mut String = out.entry((*level, *name)).or_default();
            if all.len() < 240 {
                *all += &format!("{question}: Linux {answer}, ours {our_answer}; ");
            }
        }
    }
    Some(out)
}

#[track_caller]
fn assert_differing(make: fn(&mut dyn Twin) -> Fd, declared: &[(i32, i32)]) {
    let Some(found) = differing(make) else {
        return;
    };
    let declared: BTreeSet<(i32, i32)> = declared.iter().copied().collect();
    let undeclared: Vec<_> = found
        .iter()
        .filter(|(k, _)| !declared.contains(k))
        .collect();
    let lines: String = undeclared
        .iter()
        .map(|((level, name), first)| format!("\n({level}, {name}) {first}"))
        .collect();
    assert!(undeclared.is_empty(), "undeclared differences:{lines}");
    let gone: Vec<_> = declared.iter().filter(|k| !found.contains_key(k)).collect();
    assert!(gone.is_empty(), "differ no longer: {gone:?}");
}

/// Of every TCP socket.
const DIFFER: [(i32, i32); 13] = [
    // No IP options are sent, no IPsec policy is there.
    (SOL_IP, IP_OPTIONS),
    (SOL_IP, IP_IPSEC_POLICY),
    (SOL_IP, IP_XFRM_POLICY),
    // No timestamps beside the data, no transmission at a time, no BPF, no device memory.
    (SOL_SOCKET, SO_TIMESTAMPING_OLD),
    (SOL_SOCKET, SO_TIMESTAMPING_NEW),
    (SOL_SOCKET, SO_TXTIME),
    (SOL_SOCKET, SO_ATTACH_BPF),
    (SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF),
    (SOL_SOCKET, 80),
    (SOL_TCP, TCP_ZEROCOPY_RECEIVE),
    // Not kept: they would have to act.
    (SOL_TCP, TCP_TX_DELAY),
    (SOL_TCP, TCP_RTO_MIN_US),
    (SOL_TCP, TCP_DELACK_MAX_US),
];

/// Of an AF_INET6 socket, besides.
const DIFFER_V6: [(i32, i32); 21] = [
    (SOL_IPV6, IPV6_ADDRFORM),
    // A hop limit of 0 is kept as "not set".
    (SOL_IPV6, IPV6_UNICAST_HOPS),
    // No extension headers, flow labels, IPsec, source address choice, path MTU messages.
    (SOL_IPV6, 6),
    (SOL_IPV6, IPV6_FLOWINFO),
    (SOL_IPV6, IPV6_ROUTER_ALERT),
    (SOL_IPV6, IPV6_ROUTER_ALERT_ISOLATE),
    (SOL_IPV6, IPV6_RECVERR_RFC4884),
    (SOL_IPV6, IPV6_FLOWLABEL_MGR),
    (SOL_IPV6, IPV6_IPSEC_POLICY),
    (SOL_IPV6, IPV6_XFRM_POLICY),
    (SOL_IPV6, MCAST_MSFILTER),
    (SOL_IPV6, IPV6_PKTINFO),
    (SOL_IPV6, IPV6_HOPOPTS),
    (SOL_IPV6, IPV6_RTHDRDSTOPTS),
    (SOL_IPV6, IPV6_RTHDR),
    (SOL_IPV6, IPV6_DSTOPTS),
    (SOL_IPV6, IPV6_PATHMTU),
    (SOL_IPV6, IPV6_ADDR_PREFERENCES),
    (SOL_IPV6, IPV6_UNICAST_IF),
    (SOL_IPV6, 68),
    (SOL_IPV6, 69),
];

#[test]
fn sockopt_of_a_fresh_v4_socket() {
    assert_differing(|t| t.blocking_tcp(Ip::V4), &DIFFER);
}

#[test]
fn sockopt_of_a_fresh_v6_socket() {
    let declared = [&DIFFER[..], &DIFFER_V6].concat();
    assert_differing(|t| t.blocking_tcp(Ip::V6), &declared);
}

#[test]
fn sockopt_of_a_v4_listener() {
    assert_differing(
        |t| {
            let fd = t.blocking_tcp(Ip::V4);
            t.bind(fd, &any(Ip::V4, 7100)).unwrap();
            t.listen(fd, 5).unwrap();
            fd
        },
        // TCP-AO is not there.
        &[&DIFFER[..], &[(SOL_TCP, TCP_AO_REPAIR)]].concat(),
    );
}
