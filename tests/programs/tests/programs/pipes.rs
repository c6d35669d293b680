//! nc and socat: half-close, both directions, both families, a process per connection.

use std::io::{Read, Write};
use std::net::Shutdown;

use crate::common::{Dir, Run, bytes, connect, inside, sha256};
use crate::needs;

#[test]
fn nc_sends_a_file_and_ends_it_by_half_close() {
    needs!("nc");
    let dir = Dir::new("nc");
    let file = bytes(8_000_001, 6);
    dir.write("file", &file);
    let path = dir.path();
    for address in ["127.0.0.1", "::1"] {
        let out = inside(
            &[],
            &format!(
                "cd {path}
                nc -l {address} 7000 >got & server=$!
                until_ok sh -c 'test -s got || nc -N {address} 7000 <file'
                wait $server
                sha256sum <got; rm got"
            ),
        );
        assert_eq!(out.trim(), format!("{}  -", sha256(&file)), "{address}");
    }
}

#[test]
fn nc_answers_after_the_client_has_shut_its_side() {
    needs!("nc", "socat");
    let out = inside(
        &[],
        "socat TCP-LISTEN:7001,fork,reuseaddr SYSTEM:'cat; echo the end' & server=$!
        until_ok nc -z 127.0.0.1 7001
        echo question | nc -N 127.0.0.1 7001
        kill $server",
    );
    assert_eq!(out.trim(), "question\nthe end");
}

#[test]
fn socat_forks_for_each_connection_and_hands_both_ways() {
    needs!("socat");
    let cmd = [
        "socat",
        "TCP-LISTEN:7002,fork,reuseaddr,backlog=64",
        "EXEC:cat",
    ];
    let (mut run, port) = Run::server(7002, &[], &cmd);
    let mut clients: Vec<_> = (0..20).map(|_| connect(port)).collect();
    let file = bytes(200_001, 7);
    for client in &mut clients {
        client.write_all(&file).expect("written");
        client.shutdown(Shutdown::Write).expect("shut");
        let mut got = Vec::new();
        client.read_to_end(&mut got).expect("read");
        assert_eq!(sha256(&got), sha256(&file));
    }
    run.terminate();
    let out = inside(
        &[],
        "socat TCP6-LISTEN:7003,fork,reuseaddr SYSTEM:'read a; echo got $a' & server=$!
        until_ok socat -u OPEN:/dev/null TCP6:[::1]:7003
        echo six | socat - TCP6:[::1]:7003
        echo four | socat - TCP4:127.0.0.1:7003
        kill $server",
    );
    assert_eq!(out.trim(), "got six\ngot four");
}
