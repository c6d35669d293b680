//! Loads that no single program makes: many short connections, readers that stall, clients that die.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use crate::common::{Run, alone, bytes, carried, connect, eventually, find, inside, sha256};
use crate::needs;

fn echo_server(kind: &str) -> (Run, u16) {
    let script = carried("servers.py");
    Run::server(6000, &[], &["python3", &script, kind, "6000"])
}

#[test]
fn a_thousand_short_connections_in_a_row_leave_nothing() {
    needs!("python3");
    let _alone = alone();
    let (mut run, port) = echo_server("threads");
    let before = run.sockets();
    for i in 0..1000u32 {
        let mut stream = connect(port);
        stream.write_all(&i.to_ne_bytes()).expect("written");
        let mut got = [0; 4];
        stream.read_exact(&mut got).expect("read");
        assert_eq!(u32::from_ne_bytes(got), i);
    }
    eventually("the supervisor holds what it held before", || {
        run.sockets() <= before
    });
    // The client closed first, so TIME_WAIT is the host's.
    eventually("no connection is left", || {
        run.ss("-tanH").lines().count() == 1
    });
    run.terminate();
}

#[test]
fn a_thousand_short_connections_inside_wait_in_time_wait_and_free_their_ports() {
    needs!("python3");
    let _alone = alone();
    let out = inside(
        &[],
        &format!("exec python3 {} short 1000", carried("loads.py")),
    );
    assert_eq!(out, "echoed 1000\nbound again");
    // A narrow range of ports is used up by TIME_WAIT, and says so.
    let out = inside(
        &["--sysctl", "net.ipv4.ip_local_port_range=40000 40099"],
        &format!("exec python3 {} exhaust 200", carried("loads.py")),
    );
    assert_eq!(out, "after 100: EADDRNOTAVAIL");
}

#[test]
fn stalled_reader_of_a_gibibyte_leaves_the_supervisor_under_64_mib() {
    needs!("python3");
    let _alone = alone();
    let script = carried("loads.py");
    let (mut run, port) = Run::server(6000, &[], &["python3", &script, "pour", "6000"]);
    let stalled = connect(port);
    let mut reader = connect(port);
    // 256 MiB pass by the one that does not read.
    let mut left: usize = 256 << 20;
    let mut piece = vec![0; 1 << 20];
    while left > 0 {
        let n = reader.read(&mut piece).expect("read");
        assert!(n > 0, "{left} bytes early");
        left = left.saturating_sub(n);
    }
    assert!(run.peak_kib() < 64 << 10, "{} KiB", run.peak_kib());
    drop((stalled, reader));
    let poured = run.expect("hung up after");
    assert!(
        poured.parse::<u64>().expect("a number") < 1 << 30,
        "{poured}"
    );
    run.terminate();
}

#[test]
fn clients_killed_amid_a_transfer_leave_nothing_and_harm_nobody() {
    needs!("python3", "nc");
    let _alone = alone();
    let (mut run, port) = echo_server("threads");
    let before = run.sockets();
    for _ in 0..20 {
        let mut clients: Vec<_> = (0..3)
            .map(|_| {
                Command::new(find("nc"))
                    .args(["127.0.0.1", &port.to_string()])
                    .stdin(std::fs::File::open("/dev/zero").expect("/dev/zero"))
                    .stdout(Stdio::piped())
                    .spawn()
                    .expect("nc starts")
            })
            .collect();
        for client in &mut clients {
            let mut piece = [0; 100_000];
            let out = client.stdout.as_mut().expect("piped");
            out.read_exact(&mut piece).expect("some bytes came back");
            client.kill().expect("own child");
            client.wait().expect("own child");
        }
    }
    let word = bytes(50_000, 13);
    let mut stream = connect(port);
    stream.write_all(&word).expect("written");
    let mut got = vec![0; word.len()];
    stream.read_exact(&mut got).expect("read");
    assert_eq!(sha256(&got), sha256(&word));
    drop(stream);
    eventually("the supervisor holds what it held before", || {
        run.sockets() <= before
    });
    eventually("no connection is left", || {
        run.ss("-tanH").lines().count() == 1
    });
    run.terminate();
}

#[test]
fn children_killed_amid_a_transfer_inside_reset_their_peers() {
    needs!("python3");
    let out = inside(
        &[],
        &format!("exec python3 {} killed 30", carried("loads.py")),
    );
    assert_eq!(out, "30 told of the end");
}
