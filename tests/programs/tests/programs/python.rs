//! Python's servers: asyncio, http.server, threads, forks, and sshd's fork and exec for each connection.

use std::io::{Read, Write};
use std::net::Shutdown;

use crate::common::{Run, alone, bytes, carried, connect, eventually, inside, sha256};
use crate::needs;

#[test]
fn asyncio_echo_holds_5000_connections_at_once() {
    needs!("python3");
    let _alone = alone();
    let out = inside(
        &[],
        &format!("exec python3 {} many 5000", carried("servers.py")),
    );
    assert_eq!(out, "open 5000\nserved 5000");
}

/// Thirty clients at once through the published port, each its own bytes both ways.
fn echoes(kind: &str) {
    let script = carried("servers.py");
    let (mut run, port) = Run::server(6000, &[], &["python3", &script, kind, "6000"]);
    let before = run.sockets();
    let clients: Vec<_> = (0..30u64)
        .map(|i| {
            std::thread::spawn(move || {
                let file = bytes(300_000 + i as usize, i);
                let mut stream = connect(port);
                let mut writer = stream.try_clone().expect("a duplicate");
                let sent = file.clone();
                let write = std::thread::spawn(move || {
                    writer.write_all(&sent).expect("written");
                    writer.shutdown(Shutdown::Write).expect("shut");
                });
                let mut got = Vec::new();
                stream.read_to_end(&mut got).expect("read");
                write.join().expect("the writer");
                assert_eq!(sha256(&got), sha256(&file), "client {i}");
            })
        })
        .collect();
    for client in clients {
        client.join().expect("a client");
    }
    eventually("the supervisor holds what it held before", || {
        run.sockets() <= before
    });
    run.terminate();
}

#[test]
fn threading_server_echoes_thirty_clients() {
    needs!("python3");
    echoes("threads");
}

#[test]
fn forking_server_echoes_thirty_clients() {
    needs!("python3");
    echoes("forks");
}

#[test]
fn fork_and_exec_per_connection_as_sshd_echoes_thirty_clients() {
    needs!("python3");
    echoes("sshd");
}
