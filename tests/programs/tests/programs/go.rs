//! A static Go server: no library of the system, its own reading of somaxconn, its own poller.

use std::process::Command;

use crate::common::{Dir, Run, bytes, carried, find, get, outside, sha256};
use crate::needs;

#[test]
fn static_go_server_takes_our_somaxconn_and_serves() {
    needs!("go", "curl");
    let dir = Dir::new("go");
    let exe = format!("{}/server", dir.path());
    let built = Command::new(find("go"))
        .args(["build", "-o", &exe, &carried("server.go")])
        .env("CGO_ENABLED", "0")
        .env("GOCACHE", format!("{}/cache", dir.path()))
        .env("GO111MODULE", "off")
        .status()
        .expect("go starts");
    assert!(built.success());
    let options = ["--sysctl", "net.core.somaxconn=77"];
    let (mut run, port) = Run::server(8080, &options, &[&exe, "8080"]);
    let listening = run.ss("-ltnH");
    let columns: Vec<&str> = listening.split_whitespace().collect();
    assert_eq!(columns[..4], ["LISTEN", "0", "77", "*:8080"], "{listening}");
    let file = bytes(10_000_001, 9);
    let path = dir.write("file", &file);
    let url = format!("http://127.0.0.1:{port}/sum");
    let sum = outside("curl", &["-sS", "--data-binary", &format!("@{path}"), &url]);
    assert_eq!(sum, format!("{} {}", file.len(), sha256(&file)));
    assert_eq!(get(port, "/self").expect("an answer").1, b"0 failed");
    run.terminate();
}
