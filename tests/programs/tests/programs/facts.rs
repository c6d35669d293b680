//! What a program sees of its sockets, told by the same script natively and under a run.

use std::process::{Command, Stdio};

use crate::common::{carried, find, inside_any};
use crate::needs;

#[test]
fn facts_of_sockets_are_the_same_with_and_without_a_run() {
    needs!("python3");
    let script = carried("facts.py");
    let native = Command::new(find("python3"))
        .arg(&script)
        .stdin(Stdio::null())
        .output()
        .expect("python3 starts");
    let native = String::from_utf8_lossy(&native.stdout).into_owned();
    let (status, run, err) = inside_any(&[], &format!("exec python3 {script}"));
    assert!(status.success(), "{status}\n{run}\n{err}");
    assert!(native.lines().count() > 100, "{native}");
    let expected: Vec<String> = native.lines().map(str::to_owned).collect();
    let run: Vec<String> = run.lines().map(str::to_owned).collect();
    let pairs = expected.iter().zip(&run).filter(|(a, b)| a != b);
    let wrong: Vec<String> = pairs
        .map(|(a, b)| format!("native: {a}\n   run: {b}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(expected.len(), run.len());
}
