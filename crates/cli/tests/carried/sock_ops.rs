//! `hearken run --sock-ops`: a BPF program at the callbacks of a real program's sockets.

use std::path::PathBuf;
use std::process::Command;

use crate::common::{Run, hearken, program};

/// An object file, gone with the test.
struct Object(PathBuf);

impl Object {
    fn compiled(source: &str) -> Self {
        let file = format!("hearken-sock-ops-{}.o", std::process::id());
        let object = Object(std::env::temp_dir().join(file));
        let done = Command::new("clang")
            .args(["-target", "bpf", "-O2", "-g"])
            // Debian keeps <asm/types.h> below the triple.
            .arg("-I/usr/include/x86_64-linux-gnu")
            .args(["-c", "-o"])
            .arg(&object.0)
            .arg(program(source))
            .status();
        assert!(done.expect("clang is installed").success());
        object
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("UTF-8")
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A listener and a client of one program: each callback comes once, in Linux's order, and a connection is told of.
#[test]
fn sock_ops_program_of_a_run_is_told_of_listener_and_connection() {
    let object = Object::compiled("sock_ops.c");
    let script = "\
import socket
l = socket.create_server(('127.0.0.1', 8000))
c = socket.create_connection(('127.0.0.1', 8000))
a, _ = l.accept()
c.sendall(b'x' * 10000)
got = 0
while got < 10000: got += len(a.recv(4096))
print(got)
";
    let mut run = Run::start(&["--sock-ops", object.path()], &["python3", "-c", script]);
    assert_eq!(run.end().code(), Some(0), "{}", run.said());
    assert_eq!(run.stdout, ["10000"], "{}", run.said());
    let said = |op: u32, at: u32| {
        run.stderr
            .iter()
            .filter(|l| **l == format!("hearken: bpf: op {op} port {at}"))
            .count()
    };
    // TCP_LISTEN_CB, RWND_INIT and TIMEOUT_INIT of the SYN, PASSIVE_ESTABLISHED_CB.
    assert_eq!(
        [11, 2, 1, 5].map(|op| said(op, 8000)),
        [1; 4],
        "{}",
        run.said()
    );
    // STATE_CB of the child, which has its listener's flags, and of the listener.
    assert!(said(10, 8000) >= 2, "{}", run.said());
    // TCP_CONNECT_CB and ACTIVE_ESTABLISHED_CB, at the client's own port.
    for op in [3, 4] {
        let begin = format!("hearken: bpf: op {op} port ");
        let n = run.stderr.iter().filter(|l| l.starts_with(&begin)).count();
        assert_eq!(n, 1, "{}", run.said());
    }
}

#[test]
fn sock_ops_file_that_is_no_object_is_a_sentence_and_nothing_starts() {
    let out = hearken(&["run", "--sock-ops", "/dev/null", "--", "echo", "started"]);
    let err = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(125), "{err}");
    assert!(err.contains("--sock-ops /dev/null: "), "{err}");
    assert!(out.stdout.is_empty(), "{err}");
}
