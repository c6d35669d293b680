//! A listener whose program never accepts: both queues, the retransmitted SYNs, the counters, and every checksum of the capture.

use std::net::TcpStream;
use std::time::Duration;

use crate::common::{Run, eventually, free_port};

/// One packet of a pcap file with LINKTYPE_RAW.
struct Packet {
    /// Nanoseconds.
    at: u64,
    bytes: Vec<u8>,
}

fn word(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(bytes[..4].try_into().unwrap())
}

fn read_pcap(file: &[u8]) -> Vec<Packet> {
    let nanos = match word(file) {
        0xa1b2_3c4d => 1,
        0xa1b2_c3d4 => 1000,
        magic => panic!("not a pcap file: {magic:x}"),
    };
    assert_eq!(word(&file[20..]) & 0xffff, 101, "LINKTYPE_RAW");
    let mut rest = &file[24..];
    let mut packets = Vec::new();
    while rest.len() >= 16 {
        let (head, body) = rest.split_at(16);
        let captured = word(&head[8..]) as usize;
        assert_eq!(captured, word(&head[12..]) as usize, "a packet was cut");
        packets.push(Packet {
            at: u64::from(word(head)) * 1_000_000_000 + u64::from(word(&head[4..])) * nanos,
            bytes: body[..captured].to_vec(),
        });
        rest = &body[captured..];
    }
    packets
}

/// The Internet checksum, bit by bit from RFC 1071 and apart from the stack's own: 0 when the sum in the data is right.
fn checksum(parts: &[&[u8]]) -> u16 {
    let all: Vec<u8> = parts.concat();
    let mut sum: u32 = all
        .chunks(2)
        .map(|p| u32::from(p[0]) << 8 | u32::from(*p.get(1).unwrap_or(&0)))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// TCP bytes of an IPv4 packet whose header and checksums have been checked.
fn tcp_checked(packet: &[u8]) -> Option<&[u8]> {
    if packet[0] >> 4 != 4 {
        return None;
    }
    let header = usize::from(packet[0] & 15) * 4;
    assert_eq!(checksum(&[&packet[..header]]), 0, "IPv4 header checksum");
    let total = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
    assert_eq!(total, packet.len(), "IPv4 total length");
    if packet[9] != 6 {
        return None;
    }
    let tcp = &packet[header..];
    let length = (tcp.len() as u16).to_be_bytes();
    let pseudo = [&packet[12..20], &[0, 6], &length[..]].concat();
    assert_eq!(checksum(&[&pseudo, tcp]), 0, "TCP checksum");
    Some(tcp)
}

#[test]
fn listener_that_never_accepts_takes_two_and_drops_the_rest() {
    let port = free_port();
    let spec = format!("127.0.0.1:{port}:8000");
    let file = std::env::temp_dir().join(format!("hearken-queue-{port}.pcap"));
    let path = file.to_string_lossy().into_owned();
    let mut run = Run::python(
        &["-p", &spec, "--pcap", &path, "--stats"],
        &["never_accept", "8000", "1"],
    );
    run.expect("listening");
    // One after the other: five at once would find the SYN queue full first, and be answered by cookies.
    let mut clients = Vec::new();
    for client in 0..5 {
        clients.push(TcpStream::connect(("127.0.0.1", port)).unwrap());
        let queued = 2.min(client + 1).to_string();
        eventually("the accept queue holds N + 1", || {
            run.ss("-ltnH").split_whitespace().collect::<Vec<_>>()[..3] == ["LISTEN", &queued, "1"]
        });
    }
    // The third SYN of a client that found the queue full is sent 3 s after its first.
    eventually("3 clients send their third SYN", || {
        run.counter("TcpExtListenOverflows") >= 9
    });
    assert!(run.counter("TcpExtListenDrops") >= 9);
    drop(clients);
    run.terminate();

    let packets = read_pcap(&std::fs::read(&file).unwrap());
    std::fs::remove_file(&file).unwrap();
    let mut syns: std::collections::BTreeMap<u16, Vec<u64>> = std::collections::BTreeMap::new();
    let mut segments = 0;
    let mut resets = Vec::new();
    for packet in &packets {
        let Some(tcp) = tcp_checked(&packet.bytes) else {
            continue;
        };
        segments += 1;
        let (from, to) = (
            u16::from_be_bytes([tcp[0], tcp[1]]),
            u16::from_be_bytes([tcp[2], tcp[3]]),
        );
        if to == 8000 && tcp[13] & 0x12 == 0x02 {
            syns.entry(from).or_default().push(packet.at);
        }
        if from == 8000 && tcp[13] & 0x04 != 0 {
            resets.push(packet.at);
        }
    }
    assert!(segments >= 5 + 2 * 2 + 6, "{segments} segments");
    assert_eq!(syns.len(), 5, "one SYN series for each client");
    // A full queue is silence: as long as clients tried, the listener sent no RST.
    let last_syn = syns.values().flatten().max().unwrap();
    assert!(
        resets.iter().all(|at| at > last_syn),
        "the listener sent a RST"
    );
    let mut waiting = 0;
    for times in syns.values().filter(|t| t.len() > 1) {
        waiting += 1;
        let gap = |n: usize| Duration::from_nanos(times[n] - times[n - 1]).as_secs_f64();
        // After 1 s and 2 s more: a loaded machine may be late, but never early.
        assert!(
            (0.99..3.0).contains(&gap(1)),
            "second SYN after {} s",
            gap(1)
        );
        assert!(
            (1.99..5.0).contains(&gap(2)),
            "third SYN after {} s",
            gap(2)
        );
    }
    assert_eq!(waiting, 3, "the clients that did not fit retransmit");

    // --stats: what the kernel's own TCP did in the namespace.
    let stats = run.stderr.join("\n");
    for name in ["ActiveOpens", "PassiveOpens"] {
        let line = stats
            .lines()
            .find(|l| l.contains("kernel") && l.contains(name))
            .unwrap_or_else(|| panic!("no kernel {name} in:\n{stats}"));
        assert!(
            line.split(|c: char| !c.is_ascii_digit()).any(|n| n == "0"),
            "{line}"
        );
    }
}
