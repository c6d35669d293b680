//! `hearken top` of a live run, without a terminal.

use std::net::TcpStream;

use crate::common::{Run, eventually, free_port, hearken_ok};

#[test]
fn top_once_shows_a_full_accept_queue_and_its_drops() {
    let port = free_port();
    let spec = format!("127.0.0.1:{port}:8000");
    let mut run = Run::python(&["-p", &spec], &["never_accept", "8000", "1"]);
    run.expect("listening");
    let mut clients = Vec::new();
    for client in 0..3 {
        clients.push(TcpStream::connect(("127.0.0.1", port)).unwrap());
        eventually("two are queued, and the third is dropped", || {
            let text = run.ss("-ltnH");
            let queued: u64 = text.split_whitespace().nth(1).unwrap().parse().unwrap();
            queued == 2.min(client + 1)
        });
    }
    eventually("the third SYN was dropped", || {
        run.counter("TcpExtListenOverflows") >= 1
    });
    let pid = run.pid().to_string();
    let text = hearken_ok(&["top", "--once", "--interval", "0.1", "--run", &pid]);
    let row = |name: &str| {
        let found = text.lines().find(|l| l.contains(name));
        found.unwrap_or_else(|| panic!("no {name} in\n{text}"))
    };
    assert!(row(":8000").contains("█ 2/1 "), "{text}");
    assert!(row(":8000").contains(" 0/1 "), "{text}");
    row("TCP_LISTEN_OVERFLOW");
    row(&pid);
    let svg = hearken_ok(&["top", "--svg", "--interval", "0.1", "--run", &pid]);
    assert!(svg.starts_with("<svg ") && svg.contains("TCP_LISTEN_OVERFLOW"));
}
