//! Python's servers: asyncio, http.server, threads, forks, and sshd's fork and exec for each connection,
//! edge-triggered epoll.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

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

#[test]
fn edge_triggered_epoll_server_echoes_1200_connections_at_once() {
    const COUNT: usize = 1200;
    needs!("python3");
    let _alone = alone();
    let script = carried("servers.py");
    let (mut run, port) = Run::server(6000, &[], &["python3", &script, "edges", "6000"]);
    let before = run.sockets();
    let mut clients: Vec<TcpStream> = (0..COUNT).map(|_| connect(port)).collect();
    // Two rounds: the second edge of a connection must come as well as the first.
    for round in 0..2 {
        let said = |i: usize| bytes(100 + i % 3000, (round * COUNT + i) as u64);
        for (i, client) in clients.iter_mut().enumerate() {
            client.write_all(&said(i)).expect("written");
        }
        for (i, client) in clients.iter_mut().enumerate() {
            let want = said(i);
            let mut got = vec![0; want.len()];
            client.read_exact(&mut got).expect("an answer");
            assert!(got == want, "client {i} in round {round}");
        }
    }
    // More than all buffers between hold, and nothing is read before all is written: from then on the server has only
    // edges of EPOLLOUT to go by.
    let much = bytes(32 << 20, 7);
    let mut client = clients.swap_remove(0);
    client.write_all(&much).expect("written");
    client.shutdown(Shutdown::Write).expect("shut");
    let mut got = Vec::new();
    client.read_to_end(&mut got).expect("read");
    assert_eq!(sha256(&got), sha256(&much));
    drop((client, clients));
    assert_eq!(run.expect("most"), COUNT.to_string());
    eventually("the supervisor holds what it held before", || {
        run.sockets() <= before
    });
    run.terminate();
}
