//! `hearken run`: exit status, addresses, somaxconn, errors: small programs, one thing each.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;

use crate::common::{Run, free_port, hearken, hearken_ok, program};
use rustix::process::Signal;

fn status_of(options: &[&str], cmd: &[&str]) -> Option<i32> {
    Run::start(options, cmd).end().code()
}

#[test]
fn run_status_is_the_programs_own() {
    assert_eq!(status_of(&[], &["true"]), Some(0));
    assert_eq!(status_of(&[], &["sh", "-c", "exit 7"]), Some(7));
}

#[test]
fn run_status_of_a_signal_is_128_and_its_number() {
    assert_eq!(status_of(&[], &["sh", "-c", "kill -KILL $$"]), Some(137));
    assert_eq!(status_of(&[], &["sh", "-c", "kill -TERM $$"]), Some(143));
}

#[test]
fn run_missing_program_is_127_and_unexecutable_126() {
    assert_eq!(status_of(&[], &["no-such-program-anywhere"]), Some(127));
    assert_eq!(status_of(&[], &["/"]), Some(126));
}

#[test]
fn run_own_failure_is_125() {
    let out = hearken(&["run", "--sysctl", "net.no.such=1", "--", "true"]);
    assert_eq!(out.status.code(), Some(125));
    assert!(String::from_utf8_lossy(&out.stderr).contains("net.no.such"));

    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let spec = format!("127.0.0.1:{port}:80");
    let out = hearken(&["run", "-p", &spec, "--", "true"]);
    assert_eq!(out.status.code(), Some(125));
    assert!(String::from_utf8_lossy(&out.stderr).contains(&port.to_string()));
}

#[test]
fn run_passes_signals_on() {
    let mut run = Run::python(&[], &["never_accept", "8000", "5"]);
    run.expect("listening");
    assert_eq!(run.terminate().code(), Some(143));

    let mut run = Run::start(
        &[],
        &[
            "sh",
            "-c",
            "trap 'exit 9' USR1; echo ready; while :; do sleep 0.1; done",
        ],
    );
    run.expect("ready");
    run.signal(Signal::USR1);
    assert_eq!(run.end().code(), Some(9));
}

#[test]
fn connect_to_a_refused_host_port_is_econnrefused() {
    let closed = free_port().to_string();
    for host in ["10.0.2.2", "fd00:2::2"] {
        let mut run = Run::python(&[], &["connect", host, &closed]);
        assert_eq!(run.expect("connect"), "ECONNREFUSED", "{host}");
        assert_eq!(run.end().code(), Some(0));
    }
}

#[test]
fn connect_to_the_hosts_loopback_reaches_it() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let mut run = Run::python(&[], &["connect", "10.0.2.2", &port]);
    let (_client, _) = listener.accept().unwrap();
    assert_eq!(run.expect("connect"), "0");
    assert_eq!(run.expect("peer"), format!("10.0.2.2 {port}"));
    assert_eq!(run.end().code(), Some(0));
}

/// 127.0.0.1 and ::1 of the host are 10.0.2.2 and fd00:2::2 inside; the port stays the client's.
#[test]
fn published_port_keeps_the_clients_address() {
    let port = free_port();
    let four = format!("127.0.0.1:{port}:8000");
    let six = format!("[::1]:{port}:8000");
    let mut run = Run::python(&["-p", &four, "-p", &six], &["echo", "8000", "2"]);
    run.expect("listening");
    for (host, inside) in [("127.0.0.1", "::ffff:10.0.2.2"), ("::1", "fd00:2::2")] {
        let to: SocketAddr = (host.parse::<std::net::IpAddr>().unwrap(), port).into();
        let mut client = TcpStream::connect(to).unwrap();
        let mine = client.local_addr().unwrap().port();
        client.write_all(b"hello").unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        let mut back = String::new();
        client.read_to_string(&mut back).unwrap();
        assert_eq!(back, "hello");
        assert_eq!(
            run.expect("accepted"),
            format!("{inside} {mine} {inside} {mine}")
        );
        run.forget();
    }
    assert_eq!(run.end().code(), Some(0));
}

/// Needs what a Rust toolchain has: rustc and a C linker.
#[test]
fn static_server_takes_our_somaxconn_from_proc() {
    let dir = std::env::temp_dir().join(format!("hearken-static-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let binary = dir.join("somaxconn");
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let built = Command::new(rustc)
        .args([
            "--edition",
            "2024",
            "-C",
            "target-feature=+crt-static",
            "-o",
        ])
        .arg(&binary)
        .arg(program("somaxconn.rs"))
        .output()
        .unwrap();
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    let binary = binary.to_string_lossy().into_owned();

    let mut run = Run::start(&["--sysctl", "net.core.somaxconn=33"], &[&binary, "8000"]);
    assert_eq!(run.expect("listening with"), "33");
    let table = run.ss("-ltnH");
    let columns: Vec<&str> = table.split_whitespace().collect();
    assert_eq!(
        columns[..4],
        ["LISTEN", "0", "33", "0.0.0.0:8000"],
        "{table}"
    );
    run.terminate();
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn ss_shows_listener_and_knows_json() {
    let mut run = Run::python(&[], &["never_accept", "8000", "5"]);
    run.expect("listening");
    assert_eq!(
        run.ss("-ltn"),
        "\
State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess
LISTEN 0      5            0.0.0.0:8000      0.0.0.0:*          \n"
    );
    let json: serde_json::Value = serde_json::from_str(&hearken_ok(&[
        "ss",
        "-l",
        "--json",
        "--run",
        &run.pid().to_string(),
    ]))
    .unwrap();
    assert_eq!(json["schema"], "hearken.ss/1");
    assert_eq!(json["sockets"][0]["state"], "LISTEN");
    assert_eq!(json["sockets"][0]["send_q"], 5);
    assert_eq!(json["sockets"][0]["local"]["port"], 8000);
    // Without --run it shows the sockets of every run of this user, this one among them.
    assert!(hearken_ok(&["ss", "-ltn"]).contains("0.0.0.0:8000"));
    run.terminate();
}

#[test]
fn trace_prints_the_walk_of_listen() {
    let mut run = Run::python(&["--trace"], &["never_accept", "8000", "511"]);
    run.expect("listening");
    run.terminate();
    let text = run.stderr.join("\n");
    for step in [
        "listen(",
        "backlog min(511, 4096) = 511",
        "security",
        "inet_listen",
        "0.0.0.0:8000",
    ] {
        assert!(text.contains(step), "{step} is missing:\n{text}");
    }
}

/// The kernel's `struct sock_fprog` points into the program's memory: it must be followed there.
#[test]
fn reuseport_program_of_a_carried_program_chooses_the_listener() {
    const PROGRAM: &str = r#"
import ctypes, struct
from socket import *

def attach(s, program):
    insns = b"".join(struct.pack("HBBI", *i) for i in program)
    buf = ctypes.create_string_buffer(insns)
    fprog = struct.pack("HxxxxxxP", len(program), ctypes.addressof(buf))
    s.setsockopt(SOL_SOCKET, 51, fprog)

def member():
    s = socket()
    s.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1)
    s.bind(("127.0.0.1", 8000))
    s.listen(20)
    s.setblocking(False)
    return s

members = [member() for _ in range(3)]
attach(members[0], [(0x06, 0, 0, 2)])
clients = [create_connection(("127.0.0.1", 8000)) for _ in range(6)]
def count(s):
    n = 0
    try:
        while True:
            s.accept()
            n += 1
    except BlockingIOError:
        return n
print("landed", [count(s) for s in members])
try:
    attach(members[0], [(0x00, 0, 0, 1)])
except OSError as e:
    print("refused", e.errno)
"#;
    let mut run = Run::start(&[], &["python3", "-c", PROGRAM]);
    assert_eq!(run.expect("landed"), "[0, 0, 6]");
    assert_eq!(run.expect("refused"), "22");
    assert_eq!(run.end().code(), Some(0));
}
