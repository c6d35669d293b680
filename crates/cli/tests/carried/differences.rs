//! Rows of docs/run-differences.md that need a whole run.

use std::net::TcpStream;
use std::time::Duration;

use crate::common::{Run, free_port};

#[test]
fn descriptor_of_proc_net_tcp_shows_the_moment_of_its_open() {
    let mut run = Run::python(&[], &["proc_kept"]);
    assert_eq!(run.expect("rewound"), "0");
    assert_eq!(run.expect("anew"), "1");
    assert_eq!(run.expect("link"), "/memfd:tcp");
    assert_eq!(run.end().code(), Some(0));
}

/// The kernel's namespace takes it; the stack is not asked, and what is read is the stack's.
#[test]
fn sysctl_written_inside_changes_nothing_and_reads_so() {
    let mut run = Run::python(&[], &["proc_kept"]);
    assert_eq!(run.expect("written"), "1");
    assert_eq!(run.end().code(), Some(0));
}

#[test]
fn netlink_lists_no_socket_of_ours() {
    let mut run = Run::python(&[], &["sock_diag"]);
    assert_eq!(run.expect("netlink"), "none");
    assert_eq!(run.end().code(), Some(0));
}

#[test]
fn refused_calls_have_the_errno_that_programs_fall_back_on() {
    let mut run = Run::python(&[], &["refusals"]);
    assert_eq!(run.expect("io_uring"), "-1 ENOSYS");
    assert_eq!(run.expect("mptcp"), "EPROTONOSUPPORT");
    assert_eq!(run.expect("zerocopy"), "ENOTSUP");
    assert_eq!(run.end().code(), Some(0));
}

/// The host's TCP answers a client of `-p` before ours is asked: nothing tells it that our queue is full.
#[test]
fn client_of_a_full_queue_connects_and_hangs() {
    let port = free_port();
    let spec = format!("127.0.0.1:{port}:8000");
    let mut run = Run::python(&["-p", &spec], &["never_accept", "8000", "0"]);
    run.expect("listening");
    let clients: Vec<TcpStream> = (0..4)
        .map(|_| TcpStream::connect(("127.0.0.1", port)).expect("the host's TCP accepts"))
        .collect();
    for client in &clients {
        client
            .set_read_timeout(Some(Duration::from_millis(200)))
            .expect("an option");
        let error = std::io::Read::read(&mut &*client, &mut [0]).expect_err("nobody answers");
        assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    }
    run.terminate();
}
