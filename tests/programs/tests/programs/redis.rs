//! redis: server, client and benchmark in one run, and the server through a published port.

use crate::common::{Run, alone, inside, outside};
use crate::needs;

const SERVER: &str = "redis-server --save '' --appendonly no --bind 127.0.0.1 ::1";

#[test]
fn redis_server_client_and_benchmark_talk_inside_one_run() {
    needs!("redis-server", "redis-cli", "redis-benchmark");
    let _alone = alone();
    let out = inside(
        &[],
        &format!(
            "{SERVER} --port 6379 >/dev/null & server=$!
            until_ok redis-cli ping
            redis-cli set key four
            redis-cli -h ::1 get key
            redis-benchmark -t set,get -n 5000 -c 50 --csv
            redis-benchmark -t set,get -n 20000 -c 20 -P 16 -d 1000 --csv
            redis-cli info clients | grep connected_clients
            redis-cli shutdown nosave || true
            wait $server"
        ),
    );
    assert!(out.contains("OK\nfour\n"), "{out}");
    assert_eq!(out.matches("\"SET\",").count(), 2, "{out}");
    assert_eq!(out.matches("\"GET\",").count(), 2, "{out}");
    // The benchmarks' hundred clients are gone; the one that asks is there.
    assert!(
        out.contains("connected_clients:1\r")
            || out.contains("connected_clients:1\n")
            || out.ends_with("connected_clients:1"),
        "{out}"
    );
}

#[test]
fn redis_server_serves_the_host_through_a_published_port() {
    needs!("redis-server", "redis-cli", "redis-benchmark");
    let _alone = alone();
    let cmd: Vec<&str> = vec![
        "redis-server",
        "--save",
        "",
        "--port",
        "6379",
        "--protected-mode",
        "no",
    ];
    let (mut run, port) = Run::server(6379, &[], &cmd);
    let port = port.to_string();
    assert_eq!(
        outside("redis-cli", &["-p", &port, "set", "a", "b"]),
        "OK\n"
    );
    let big = "x".repeat(100_000);
    assert_eq!(
        outside("redis-cli", &["-p", &port, "set", "big", &big]),
        "OK\n"
    );
    assert_eq!(
        outside("redis-cli", &["-p", &port, "get", "big"]),
        big + "\n"
    );
    let csv = outside(
        "redis-benchmark",
        &["-p", &port, "-t", "set,get", "-n", "5000", "--csv"],
    );
    assert!(csv.contains("\"GET\","), "{csv}");
    assert!(run.terminate().success(), "{}", run.said());
}
