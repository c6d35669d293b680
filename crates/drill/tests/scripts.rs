//! Our own scripts, on ours and on the host's Linux.
#![forbid(unsafe_code)]

use std::fs;
use std::path::{Path, PathBuf};

use hearken_drill::{Outcome, RunOptions, System, Verdict, parse, run};

fn find(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a directory of scripts") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            find(&path, found);
        } else if path.extension().is_some_and(|e| e == "pkt") {
            found.push(path);
        }
    }
}

fn scripts() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/drill");
    let mut found = Vec::new();
    find(&dir, &mut found);
    found.sort();
    assert!(!found.is_empty());
    found
}

fn run_one(path: &Path, on: System) -> Outcome {
    let text = fs::read_to_string(path).expect("a script");
    let name = path.file_name().expect("a name").to_string_lossy();
    let script = match parse(&name, &text, &[]) {
        Ok(script) => script,
        Err(error) => panic!("{error}"),
    };
    let options = RunOptions {
        strict: true,
        ..RunOptions::default()
    };
    run(&script, on, &options)
}

/// Runs all, and tells of every one that fails.
fn run_all(on: System) {
    let mut failed = Vec::new();
    for path in scripts() {
        let outcome = run_one(&path, on);
        let name = path.file_name().expect("a name").to_string_lossy();
        match outcome.verdict {
            Verdict::Pass => {}
            Verdict::Skip(why) if on == System::Linux && std::env::var("CI").is_err() => {
                eprintln!("NOT RUN: {name}: {why}");
            }
            Verdict::Skip(why) => failed.push(format!("{name} was not run: {why}")),
            Verdict::Fail(failure) => failed.push(format!(
                "{name}:{}: {}\n  expected {}\n  actual   {}\n{}",
                failure.span.line,
                failure.headline,
                failure.expected,
                failure.actual,
                failure.trace.join("\n")
            )),
        }
    }
    assert!(failed.is_empty(), "\n{}", failed.join("\n\n"));
}

#[test]
fn scripts_pass_on_hearken() {
    run_all(System::Hearken);
}

#[test]
fn scripts_pass_on_linux() {
    run_all(System::Linux);
}
