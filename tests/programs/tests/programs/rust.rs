//! A static server of Rust's own library, which copies by splice(2).

use std::io::{Read, Write};
use std::net::Shutdown;
use std::process::Command;

use crate::common::{Dir, Run, bytes, carried, connect, find, inside, sha256};
use crate::needs;

#[test]
fn static_rust_server_echoes_inside_and_through_a_published_port() {
    needs!("rustc");
    let dir = Dir::new("rust");
    let exe = format!("{}/server", dir.path());
    let built = Command::new(find("rustc"))
        .args([
            "-O",
            "-C",
            "target-feature=+crt-static",
            "-o",
            &exe,
            &carried("server.rs"),
        ])
        .status()
        .expect("rustc starts");
    assert!(built.success());
    let out = inside(&[], &format!("exec {exe} 5000 200"));
    assert_eq!(out, "listening\nserved 200");
    let (mut run, port) = Run::server(5000, &[], &[&exe, "5000"]);
    let file = bytes(5_000_001, 11);
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
    assert_eq!(sha256(&got), sha256(&file));
    run.terminate();
}
