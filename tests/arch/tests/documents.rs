//! ARCHITECTURE.md and README.md name files that exist, and nothing of one machine is committed.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("tests/arch lies two levels below the root")
        .to_path_buf()
}

/// Paths in backquotes that begin at the root, and the targets of relative links.
fn named_paths(text: &str) -> Vec<String> {
    let mut found: Vec<String> = text
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|t| t.starts_with("crates/") || t.starts_with("tests/") || t.starts_with("docs/"))
        .map(str::to_owned)
        .collect();
    for link in text.split("](").skip(1) {
        let target = link.split(')').next().unwrap_or_default();
        if !target.starts_with("http") && !target.starts_with('#') {
            found.push(target.to_owned());
        }
    }
    found
}

#[test]
fn documents_name_only_files_that_exist() {
    let root = root();
    let mut missing = Vec::new();
    let mut count = 0;
    for doc in [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
    ] {
        let text = std::fs::read_to_string(root.join(doc)).expect("the document can be read");
        for path in named_paths(&text) {
            count += 1;
            if !root.join(&path).exists() {
                missing.push(format!("{doc}: {path}"));
            }
        }
    }
    assert!(
        count > 20,
        "only {count} paths were found: has the form changed?"
    );
    assert!(missing.is_empty(), "not in the tree: {missing:#?}");
}

#[test]
fn committed_files_name_no_path_of_one_machine() {
    let root = root();
    let out = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(&root)
        .output();
    // Outside a git checkout (a release archive) there is no list of committed files to look through.
    let Ok(out) = out else { return };
    if !out.status.success() {
        return;
    }
    let list = String::from_utf8(out.stdout).expect("file names are UTF-8");
    // Written in two halves, so that this file does not find itself.
    let words = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
    ];
    let mut found = Vec::new();
    for name in list.split('\0').filter(|n| !n.is_empty()) {
        let Ok(text) = std::fs::read_to_string(root.join(name)) else {
            continue;
        };
        for (number, line) in text.lines().enumerate() {
            if words.iter().any(|w| line.contains(w)) {
                found.push(format!("{name}:{}: {line}", number + 1));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}
