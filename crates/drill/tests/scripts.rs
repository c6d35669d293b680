//! Our own scripts, on ours and on the host's Linux.
#![forbid(unsafe_code)]

use std::fs;
use std::path::{Path, PathBuf};

use hearken_drill::{Outcome, RunOptions, System, Verdict, parse_each, run};

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

/// Every run of a script: one, or one for each IP version that it lists.
fn run_each(path: &Path, on: System) -> Vec<Outcome> {
    let text = fs::read_to_string(path).expect("a script");
    let name = path.file_name().expect("a name").to_string_lossy();
    let scripts = match parse_each(&name, &text, &[], None) {
        Ok(scripts) => scripts,
        Err(error) => panic!("{error}"),
    };
    let own = path.with_file_name("drill.options");
    let lenient = fs::read_to_string(own).is_ok_and(|text| text.contains("--lenient"));
    let options = RunOptions {
        strict: !lenient,
        ..RunOptions::default()
    };
    scripts.iter().map(|s| run(s, on, &options)).collect()
}

/// `None` if the script did as it should.
fn complaint(path: &Path, on: System) -> Option<String> {
    let name = path.file_name().expect("a name").to_string_lossy();
    let outcomes = run_each(path, on).into_iter();
    outcomes
        .filter_map(|outcome| complaint_of(&name, outcome, on))
        .next()
}

fn complaint_of(name: &str, outcome: Outcome, on: System) -> Option<String> {
    match outcome.verdict {
        Verdict::Pass => None,
        Verdict::Skip(why) if why.starts_with("a known difference") => None,
        Verdict::Skip(why) if on == System::Linux && !in_ci() => {
            eprintln!("NOT RUN: {name}: {why}");
            None
        }
        Verdict::Skip(why) => Some(format!("{name} was not run: {why}")),
        Verdict::Fail(failure) => Some(format!(
            "{name}:{}: {}\n  expected {}\n  actual   {}\n{}",
            failure.span.line,
            failure.headline,
            failure.expected,
            failure.actual,
            failure.trace.join("\n")
        )),
    }
}

fn in_ci() -> bool {
    let is = |name, value: &str| std::env::var(name).is_ok_and(|v| v == value);
    is("CI", "true") || is("HEARKEN_CI", "1")
}

/// Tells of every script that fails.
fn all_good(complaints: impl Iterator<Item = Option<String>>) {
    let failed: Vec<String> = complaints.flatten().collect();
    assert!(failed.is_empty(), "\n{}", failed.join("\n\n"));
}

#[test]
fn scripts_pass_on_hearken() {
    all_good(
        scripts()
            .iter()
            .map(|path| complaint(path, System::Hearken)),
    );
}

/// How often a script is run alone before its failure counts.
const ATTEMPTS: usize = 4;

/// Real time: the scripts wait side by side. One that fails is tried again alone, for a busy machine is late.
#[test]
fn scripts_pass_on_linux() {
    let scripts = scripts();
    let next = std::sync::atomic::AtomicUsize::new(0);
    let again = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                while let Some(path) =
                    scripts.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
                {
                    if complaint(path, System::Linux).is_some() {
                        again.lock().expect("no thread panicked").push(path);
                    }
                }
            });
        }
    });
    let again = again.into_inner().expect("no thread panicked");
    all_good(again.into_iter().map(|path| {
        let mut said = None;
        for _ in 0..ATTEMPTS {
            said = complaint(path, System::Linux);
            said.as_ref()?;
        }
        said
    }));
}

/// The numbered statements (docs/linux/README.md) that packets and calls of one script can show. The others need a second
/// user, namespace, thread or route (69: the runner's leads to every source), a file of /proc, or a socket that is none of
/// TCP's; of 113 a script shows the errors alone, for a program is a pointer, and of 75 the clock, for the first sequence number is 0 to it.
const SHOWN: &[u16] = &[
    5, 6, 7, 8, 10, 16, 17, 20, 21, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48,
    49, 50, 51, 52, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 70, 71, 72, 73, 74,
    75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 89, 90, 91, 92, 93, 94, 96, 97, 98, 99,
    100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 118, 119,
    120, 121, 122, 123, 124,
];

#[test]
fn every_statement_that_a_script_can_show_has_one() {
    let scripts = scripts();
    let numbered = |path: &PathBuf| {
        let name = path.file_name()?.to_str()?;
        let (number, rest) = name.split_at_checked(3)?;
        let number: u16 = number.parse().ok()?;
        rest.starts_with('-').then_some(number)
    };
    let have: std::collections::BTreeSet<u16> = scripts.iter().filter_map(numbered).collect();
    let want: std::collections::BTreeSet<u16> = SHOWN.iter().copied().collect();
    let missing: Vec<&u16> = want.difference(&have).collect();
    assert!(
        missing.is_empty(),
        "no script NNN-subject.pkt in tests/drill for {missing:?}"
    );
    let unlisted: Vec<&u16> = have.difference(&want).collect();
    assert!(unlisted.is_empty(), "not in the list: {unlisted:?}");
}
