//! Java: IPv6 sockets for everything, a selector, and threads.

use std::process::Command;

use crate::common::{Dir, alone, carried, find, inside};
use crate::needs;

#[test]
fn java_serves_by_selector_and_by_threads() {
    needs!("java", "javac");
    let _alone = alone();
    let dir = Dir::new("java");
    let built = Command::new(find("javac"))
        .args(["-d", &dir.path(), &carried("Server.java")])
        .status()
        .expect("javac starts");
    assert!(built.success());
    let out = inside(&[], &format!("exec java -cp {} Server 5500", dir.path()));
    assert_eq!(out, "served 100");
}
