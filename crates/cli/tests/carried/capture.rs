//! `hearken pcap`, and `run --pcap` into pcapng.

use std::io::Read;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::common::{HEARKEN, Run, attached, eventually, free_port, signal_to};

/// A packet of a capture: its interface, its bytes, its comment.
struct Packet {
    iface: usize,
    bytes: Vec<u8>,
    comment: Option<String>,
}

impl Packet {
    /// The TCP port that it goes to, of IPv4.
    fn port(&self) -> u16 {
        u16::from_be_bytes([self.bytes[22], self.bytes[23]])
    }
}

fn word(b: &[u8]) -> usize {
    u32::from_le_bytes(b[..4].try_into().unwrap()) as usize
}

/// Options of a block: code and value.
fn options(mut b: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let mut all = Vec::new();
    loop {
        let (code, len) = (u16::from_le_bytes([b[0], b[1]]), usize::from(b[2]));
        if code == 0 {
            return all;
        }
        all.push((code, b[4..4 + len].to_vec()));
        b = &b[4 + len.next_multiple_of(4)..];
    }
}

/// Names of the interfaces, and packets; every byte belongs to a block.
fn read(mut file: &[u8]) -> (Vec<String>, Vec<Packet>) {
    let (mut names, mut packets) = (Vec::new(), Vec::new());
    while !file.is_empty() {
        let (kind, len) = (word(file), word(&file[4..]));
        let block = &file[8..len - 4];
        assert_eq!(word(&file[len - 4..]), len, "a block is whole");
        match kind {
            1 => {
                let all = options(&block[8..]);
                let name = all.into_iter().find(|o| o.0 == 2).expect("a name").1;
                names.push(String::from_utf8(name).unwrap());
            }
            6 => {
                let captured = word(&block[12..]);
                let all = options(&block[20 + captured.next_multiple_of(4)..]);
                let comment = all.into_iter().find(|o| o.0 == 1);
                packets.push(Packet {
                    iface: word(block),
                    bytes: block[20..20 + captured].to_vec(),
                    comment: comment.map(|c| String::from_utf8(c.1).unwrap()),
                });
            }
            _ => {}
        }
        file = &file[len..];
    }
    (names, packets)
}

fn scratch(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("hearken-{}-{name}.pcapng", std::process::id()))
}

/// A server that never accepts, a port of the host that leads to it, and one that leads to nobody.
fn server(options: &[&str]) -> (Run, u16, u16) {
    let (port, nobody) = (free_port(), free_port());
    let (to, into) = (
        format!("127.0.0.1:{port}:8000"),
        format!("127.0.0.1:{nobody}:9"),
    );
    let mut all = vec!["-p", &to, "-p", &into];
    all.extend(options);
    let mut run = Run::python(&all, &["never_accept", "8000", "1"]);
    run.expect("listening");
    (run, port, nobody)
}

/// A connect that is refused, seen to its end.
fn refused(port: u16) {
    let _ = TcpStream::connect(("127.0.0.1", port)).map(|mut s| s.read(&mut [0]));
}

fn pcap(run: &Run, options: &[&str]) -> Command {
    let mut command = Command::new(HEARKEN);
    command
        .args(["pcap", &run.pid().to_string()])
        .args(options)
        .stdin(Stdio::null())
        .stderr(Stdio::piped());
    command
}

#[test]
fn packet_that_was_dropped_has_the_reason_as_its_comment_in_a_live_capture() {
    let (run, port, nobody) = server(&[]);
    let file = scratch("live");
    let mut child = pcap(&run, &[&file.to_string_lossy()]).spawn().unwrap();
    attached(&mut child);
    let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    refused(nobody);
    eventually("the refused SYN is in the file", || {
        read(&std::fs::read(&file).unwrap()).1.len() >= 5
    });
    signal_to(child.id(), Signal::INT);
    assert!(child.wait().unwrap().success(), "Ctrl-C ends it well");
    drop(client);
    let (names, packets) = read(&std::fs::read(&file).unwrap());
    std::fs::remove_file(&file).unwrap();
    assert_eq!(names, ["lo", "eth0"]);
    assert!(packets.iter().all(|p| p.iface == 1));
    for p in &packets {
        let dropped = p.comment.as_deref();
        let expected = (p.port() == 9).then_some("dropped: NO_SOCKET");
        assert_eq!(dropped, expected, "to port {}", p.port());
    }
    assert!(packets.iter().any(|p| p.port() == 9));
    // The run lives on, and nothing of the capture is left in it.
    refused(nobody);
}

#[test]
fn capture_to_stdout_ends_after_its_packets() {
    let (run, _, nobody) = server(&[]);
    let before = run.descriptors();
    let mut child = pcap(&run, &["-", "--packets", "3"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    attached(&mut child);
    // A SYN and a reset each.
    refused(nobody);
    refused(nobody);
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success());
    assert_eq!(read(&out.stdout).1.len(), 3);
    eventually("its descriptor is closed", || run.descriptors() <= before);
}

#[test]
fn run_pcap_into_pcapng_has_comments_and_what_the_link_lost() {
    let file = scratch("run");
    let (mut run, _, nobody) = server(&[
        "--pcap",
        &file.to_string_lossy(),
        "--link",
        "loss=0.3",
        "--seed",
        "2",
    ]);
    for _ in 0..8 {
        refused(nobody);
    }
    run.terminate();
    let (names, packets) = read(&std::fs::read(&file).unwrap());
    std::fs::remove_file(&file).unwrap();
    assert_eq!(names, ["lo", "eth0"]);
    let count = |text: &str| {
        let has = |p: &&Packet| p.comment.as_deref() == Some(text);
        packets.iter().filter(has).count()
    };
    // Each of the eight came to its end, so a SYN of each arrived and was dropped.
    assert!(count("dropped: NO_SOCKET") >= 8);
    // What did not arrive is there too, and says why; everything else to that port was dropped.
    let arrived = packets.iter().filter(|p| p.port() == 9).count() - lost_to(&packets, 9);
    assert_eq!(arrived, count("dropped: NO_SOCKET"));
    assert!(count("lost on the link") > 0, "seed 2 loses some");
}

/// Packets to this port that the link took.
fn lost_to(packets: &[Packet], port: u16) -> usize {
    let lost = |p: &&Packet| p.port() == port && p.comment.as_deref() == Some("lost on the link");
    packets.iter().filter(lost).count()
}

#[test]
fn capture_into_a_file_that_cannot_be_written_says_so() {
    let (run, ..) = server(&[]);
    let out = Command::new(HEARKEN)
        .args(["pcap", &run.pid().to_string(), "/no/such/dir/x.pcapng"])
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(1));
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(text.contains("/no/such/dir/x.pcapng"), "{text}");
}
