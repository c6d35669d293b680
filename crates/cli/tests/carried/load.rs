//! `hearken run` under load: nothing is lost, nothing leaks.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::common::{PATIENCE, Run, eventually, free_port, signal_to};
use rustix::process::Signal;

fn published() -> (u16, String) {
    let port = free_port();
    (port, format!("127.0.0.1:{port}:8000"))
}

fn client(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

#[test]
fn bind_after_close_never_finds_the_port_taken() {
    let mut run = Run::python(&[], &["rebind", "8000", "10000"]);
    assert_eq!(run.expect("rebound"), "10000");
    assert_eq!(run.end().code(), Some(0));
}

#[test]
fn preforked_acceptors_lose_no_connection_when_one_is_killed() {
    let (port, spec) = published();
    let mut run = Run::python(&["-p", &spec], &["prefork", "8000", "4"]);
    let workers: Vec<u32> = (0..4)
        .map(|_| {
            let pid = run.expect("worker").parse().unwrap();
            let at = run
                .stdout
                .iter()
                .position(|l| l.starts_with("worker"))
                .unwrap();
            run.stdout.remove(at);
            pid
        })
        .collect();
    let mut served = std::collections::BTreeSet::new();
    for turn in 0..200 {
        if turn == 100 {
            signal_to(workers[0], Signal::KILL);
            run.expect("gone");
        }
        let mut who = String::new();
        client(port).read_to_string(&mut who).unwrap();
        let who: u32 = who
            .trim()
            .parse()
            .unwrap_or_else(|_| panic!("connection {turn} was answered '{who}'"));
        assert!(workers.contains(&who));
        if turn >= 100 {
            assert_ne!(who, workers[0]);
        }
        served.insert(who);
    }
    assert!(served.len() > 1, "one worker served all");
    // The workers are told, or they would outlive CMD and the run with them.
    for worker in &workers[1..] {
        signal_to(*worker, Signal::TERM);
        run.forget();
        run.expect("gone");
    }
    assert_eq!(run.end().code(), Some(0));
}

#[test]
fn accept_interrupted_by_signals_loses_and_leaks_nothing() {
    const COUNT: usize = 10_000;
    let (port, spec) = published();
    let mut run = Run::python(&["-p", &spec], &["alarm", "8000", &COUNT.to_string()]);
    run.expect("listening");
    let mut got = 0;
    for _ in 0..COUNT {
        let mut byte = Vec::new();
        client(port).read_to_end(&mut byte).unwrap();
        got += byte.len();
    }
    assert_eq!(got, COUNT);
    let words: Vec<usize> = run
        .expect("served")
        .split_whitespace()
        .filter_map(|w| w.parse().ok())
        .collect();
    let [served, alarms, before, after] = words[..] else {
        panic!("{}", run.said())
    };
    assert_eq!(served, COUNT);
    assert!(alarms > 100, "only {alarms} alarms");
    assert_eq!(after, before, "descriptors of the program");
    assert_eq!(run.end().code(), Some(0));
}

#[test]
fn thousand_connections_fit_under_nofile_1024() {
    let (port, spec) = published();
    let script = format!(
        "ulimit -Sn 1024; exec '{}' run -p {spec} -- python3 '{}' hold 8000 1000",
        crate::common::HEARKEN,
        crate::common::program("carried.py"),
    );
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &script]);
    let mut run = Run::spawn(command);
    run.expect("listening");
    let mut clients: Vec<TcpStream> = (0..1000).map(|_| client(port)).collect();
    assert_eq!(run.expect("held"), "1000");
    for stream in &mut clients {
        stream.write_all(b"y").unwrap();
    }
    for stream in &mut clients {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        assert_eq!(&byte, b"y");
    }
    run.expect("answered");
    drop(clients);
    run.terminate();
}

#[test]
fn ten_processes_of_thousand_connects_are_all_accepted() {
    let mut run = Run::python(&[], &["many", "8000", "10", "1000", "4096"]);
    assert_eq!(run.expect("served"), "10000 children that failed 0");
    assert_eq!(run.end().code(), Some(0));
}

#[test]
fn ten_clients_through_a_published_port_are_all_accepted() {
    let (port, spec) = published();
    let mut run = Run::python(
        &["-p", &spec, "--sysctl", "net.core.somaxconn=4096"],
        &["alarm", "8000", "10000"],
    );
    run.expect("listening");
    let threads: Vec<_> = (0..10)
        .map(|_| {
            std::thread::spawn(move || {
                (0..1000)
                    .filter(|_| {
                        let mut byte = Vec::new();
                        client(port).read_to_end(&mut byte).is_ok() && byte == b"x"
                    })
                    .count()
            })
        })
        .collect();
    let served: usize = threads.into_iter().map(|t| t.join().unwrap()).sum();
    assert_eq!(served, 10_000);
    run.expect("served 10000");
    assert_eq!(run.end().code(), Some(0));
}

#[test]
fn stalled_reader_leaves_the_supervisor_small() {
    let (port, spec) = published();
    let gib = (1u64 << 30).to_string();
    let mut run = Run::python(&["-p", &spec], &["pour", "8000", &gib]);
    run.expect("listening");
    let baseline = run.descriptors();
    let mut stalled = client(port);
    stalled.read_exact(&mut [0; 1]).unwrap();
    // Until the counters stand still, everything on the way is full.
    let mut last = 0;
    eventually("the flow stands still", || {
        std::thread::sleep(Duration::from_millis(500));
        let now = run.counter("TcpOutSegs");
        std::mem::replace(&mut last, now) == now
    });
    let resident = run.resident_kib();
    assert!(resident < 64 << 10, "{resident} KiB resident");
    drop(stalled);
    run.expect("stopped");
    eventually("descriptors are back at the baseline", || {
        run.descriptors() <= baseline
    });
    // And it serves the next.
    let mut next = client(port);
    next.read_exact(&mut [0; 4096]).unwrap();
    run.terminate();
}

#[test]
fn gibibyte_arrives_intact() {
    let (port, spec) = published();
    let size = 1u64 << 30;
    let mut run = Run::python(&["-p", &spec], &["pour", "8000", &size.to_string()]);
    run.expect("listening");
    let mut stream = client(port);
    let mut block = vec![0; 1 << 20];
    let mut got = 0;
    loop {
        let n = stream.read(&mut block).unwrap();
        if n == 0 {
            break;
        }
        assert!(block[..n].iter().all(|b| *b == 0));
        got += n as u64;
    }
    assert_eq!(got, size);
    run.terminate();
}
