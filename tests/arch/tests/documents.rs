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

/// The numbers of a first cell: `24, 25, 27-30 (new)`.
fn statements(cell: &str) -> Vec<u32> {
    let words = cell.split([',', ' ']).filter(|w| !w.is_empty());
    let ranges = words.filter_map(|w| {
        let (a, b) = w.split_once('-').unwrap_or((w, w));
        Some((a.parse::<u32>().ok()?, b.parse::<u32>().ok()?))
    });
    ranges.flat_map(|(a, b)| a..=b).collect()
}

#[test]
fn table_of_statements_is_whole_and_names_only_what_exists() {
    let root = root();
    let dir = root.join("docs/linux");
    let text = std::fs::read_to_string(dir.join("README.md")).expect("the table");
    let mut seen = std::collections::BTreeSet::new();
    let (mut wrong, mut cases) = (Vec::new(), 0);
    for line in text.lines().filter(|l| l.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [numbers, page, held] = cells[..] else {
            panic!("three cells: {line}");
        };
        if numbers == "statements" {
            continue;
        }
        seen.extend(statements(numbers));
        for path in named_paths(page) {
            if !dir.join(&path).exists() {
                wrong.push(format!("{numbers}: {path}"));
            }
        }
        if held.is_empty() {
            wrong.push(format!("{numbers}: neither a case nor a reason"));
        }
        for name in held.split('`').skip(1).step_by(2) {
            let exists = match name.split_once("::") {
                Some((module, case)) => {
                    cases += 1;
                    let file = root.join(format!("tests/api/tests/api/{module}.rs"));
                    let code = std::fs::read_to_string(file).unwrap_or_default();
                    code.contains(&format!("fn {case}("))
                }
                None => root.join(name).exists(),
            };
            if !exists {
                wrong.push(format!("{numbers}: {name}"));
            }
        }
    }
    let missing: Vec<u32> = (1..=127).filter(|n| !seen.contains(n)).collect();
    assert!(missing.is_empty(), "no row for {missing:?}");
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(cases > 200, "only {cases} cases: has the form changed?");
}
