//! `hearken trace` and `hearken pcap`: looking into a run that works.

use std::io::{BufRead, BufReader, Lines};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use crate::common::{HEARKEN, Run, attached, eventually, free_port, signal_to};

/// A `hearken trace --json` beside a run.
struct Tracer {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Tracer {
    fn of(run: &Run, options: &[&str]) -> Self {
        let mut child = Command::new(HEARKEN)
            .args(["trace", &run.pid().to_string(), "--json"])
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("hearken starts");
        attached(&mut child);
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        Tracer { child, lines }
    }

    /// The next event of which `is` holds.
    fn next(&mut self, is: impl Fn(&Value) -> bool) -> Value {
        loop {
            let line = self.lines.next().expect("one more event").expect("UTF-8");
            let event: Value = serde_json::from_str(&line).expect("JSON");
            if is(&event) {
                return event;
            }
        }
    }

    fn end(mut self) -> bool {
        self.child.wait().expect("own child").success()
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// A server that never accepts, a port of the host that leads to it, and one that leads to a port where nobody listens.
fn server() -> (Run, u16, u16) {
    let (port, nobody) = (free_port(), free_port());
    let specs = [
        format!("127.0.0.1:{port}:8000"),
        format!("127.0.0.1:{nobody}:9"),
    ];
    let mut run = Run::python(
        &["-p", &specs[0], "-p", &specs[1]],
        &["never_accept", "8000", "1"],
    );
    run.expect("listening");
    (run, port, nobody)
}

#[test]
fn drop_that_is_caused_shows_up_in_trace_with_its_reason() {
    let (mut run, port, nobody) = server();
    let mut tracer = Tracer::of(&run, &[]);
    // Nobody listens there: the gateway's SYN is dropped, and answered by a reset.
    let _ = TcpStream::connect(("127.0.0.1", nobody))
        .map(|mut s| std::io::Read::read(&mut s, &mut [0]));
    let drop = tracer.next(|e| e["event"] == "drop");
    assert_eq!(drop["reason"], "NO_SOCKET", "{drop}");
    assert_eq!(drop["iface"], "eth0");
    assert_eq!(drop["flags"], "S");
    assert!(drop["dst"].as_str().is_some_and(|d| d.ends_with(":9")));
    assert!(drop["time_ns"].as_u64().is_some_and(|t| t > 1 << 60));
    // A connection goes through its states.
    let _client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    for (old, new) in [("LISTEN", "SYN_RECV"), ("SYN_RECV", "ESTABLISHED")] {
        let state = tracer.next(|e| e["event"] == "state");
        assert_eq!(
            (&state["old"], &state["new"]),
            (&old.into(), &new.into()),
            "{state}"
        );
        assert!(
            state["local"]
                .as_str()
                .is_some_and(|d| d.ends_with(":8000"))
        );
    }
    run.terminate();
    assert!(tracer.end(), "a trace ends well when the run ends");
}

#[test]
fn trace_of_one_kind_ends_after_its_count() {
    let (run, _, nobody) = server();
    let before = run.descriptors();
    let mut tracer = Tracer::of(&run, &["--drops", "--count", "2"]);
    for _ in 0..2 {
        let client = TcpStream::connect(("127.0.0.1", nobody));
        let _ = client.map(|mut s| std::io::Read::read(&mut s, &mut [0]));
    }
    let mut seen = 0;
    for line in tracer.lines.by_ref() {
        let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
        assert_eq!(event["event"], "drop");
        seen += 1;
    }
    assert_eq!(seen, 2);
    assert!(tracer.end());
    // It is gone, and nothing of it is left.
    eventually("its descriptor is closed", || run.descriptors() <= before);
}

#[test]
fn trace_that_is_stopped_does_not_stall_the_run_and_counts_what_it_lost() {
    let port = free_port();
    let spec = format!("127.0.0.1:{port}:8000");
    let mut run = Run::python(&["-p", &spec], &["echo", "8000", "4000"]);
    run.expect("listening");
    let mut tracer = Tracer::of(&run, &[]);
    signal_to(tracer.child.id(), Signal::STOP);
    // Far more than its pipe, its socket and its buffer hold.
    for _ in 0..2000 {
        let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        std::io::Read::read_to_end(&mut client, &mut Vec::new()).unwrap();
    }
    signal_to(tracer.child.id(), Signal::CONT);
    let lost = tracer.next(|e| e["event"] == "lost");
    assert!(lost["events"].as_u64().is_some_and(|n| n > 0), "{lost}");
    // And it goes on with what is new.
    let _client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    tracer.next(|e| e["event"] == "state");
    run.terminate();
    assert!(tracer.end());
}

#[test]
fn trace_of_no_run_says_so() {
    let out = crate::common::hearken(&["trace", "1"]);
    assert_eq!(out.status.code(), Some(1));
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(text.contains("no run of yours has process id 1"), "{text}");
}
