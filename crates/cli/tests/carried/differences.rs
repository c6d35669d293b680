//! Rows of docs/run-differences.md that need a whole run.

use std::net::TcpStream;
use std::time::Duration;

use crate::common::{Run, free_port};

#[test]
fn proc_net_tcp_shows_no_socket_of_ours() {
    let mut run = Run::python(&[], &["proc_net_tcp", "8000"]);
    assert_eq!(run.expect("rows"), "0");
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
