//! The arrows between the crates, as ARCHITECTURE.md draws them.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Crate, and the crates of this workspace that it may use.
const ALLOWED: &[(&str, &[&str])] = &[
    ("abi", &[]),
    ("wire", &["abi"]),
    ("tcp", &["abi", "wire"]),
    ("inet", &["abi", "wire", "tcp"]),
    ("syscall", &["abi", "wire", "tcp", "inet"]),
    ("gateway", &["abi", "wire", "tcp", "inet"]),
    ("device", &["abi", "wire", "tcp", "inet"]),
    ("sim", &["abi", "wire", "tcp", "inet", "syscall", "device"]),
    ("bpf", &["abi", "wire", "tcp", "inet"]),
    (
        "twin",
        &["abi", "wire", "tcp", "inet", "syscall", "device", "bpf"],
    ),
    (
        "drill",
        &[
            "abi", "wire", "tcp", "inet", "syscall", "device", "sim", "twin", "bpf",
        ],
    ),
    (
        "run",
        &[
            "abi", "wire", "tcp", "inet", "syscall", "gateway", "device", "bpf",
        ],
    ),
    (
        "bench",
        &["abi", "wire", "tcp", "inet", "syscall", "gateway", "device"],
    ),
    ("fuzz", &["abi", "wire", "tcp", "inet", "device", "run"]),
    (
        "cli",
        &[
            "abi", "wire", "tcp", "inet", "syscall", "gateway", "device", "sim", "twin", "drill",
            "run", "bench", "bpf",
        ],
    ),
];

/// Crates that may hold `unsafe`; in `bench` and `fuzz` it is the allocator that counts.
const UNSAFE: &[&str] = &["bpf", "device", "run", "twin", "bench", "fuzz"];

/// Crates that must build without std.
const NO_STD: &[&str] = &["abi", "wire", "tcp", "inet", "syscall", "gateway"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("tests/arch lies two levels below the root")
        .to_path_buf()
}

/// Every package of the workspace: name, its target roots, and its normal dependencies.
struct Package {
    name: String,
    roots: Vec<PathBuf>,
    uses: BTreeSet<String>,
}

fn packages() -> Vec<Package> {
    let out = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(
        out.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    let meta: serde_json::Value = serde_json::from_slice(&out.stdout).expect("cargo prints JSON");
    let text = |v: &serde_json::Value| v.as_str().expect("a string").to_owned();
    meta["packages"]
        .as_array()
        .expect("packages")
        .iter()
        .map(|p| Package {
            name: text(&p["name"]),
            roots: p["targets"]
                .as_array()
                .expect("targets")
                .iter()
                .filter(|t| {
                    let kinds = t["kind"].as_array().expect("kind");
                    kinds.iter().any(|k| k == "lib" || k == "bin")
                })
                .map(|t| PathBuf::from(text(&t["src_path"])))
                .collect(),
            uses: p["dependencies"]
                .as_array()
                .expect("dependencies")
                .iter()
                .filter(|d| d["kind"].is_null())
                .map(|d| text(&d["name"]))
                .collect(),
        })
        .collect()
}

fn short(name: &str) -> Option<&str> {
    name.strip_prefix("hearken-")
        .filter(|n| !n.ends_with("-tests"))
}

#[test]
fn crates_use_only_what_the_arrows_allow() {
    let allowed: BTreeMap<&str, BTreeSet<&str>> = ALLOWED
        .iter()
        .map(|(name, uses)| (*name, uses.iter().copied().collect()))
        .collect();
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for package in packages() {
        let Some(name) = short(&package.name) else {
            continue;
        };
        let Some(may) = allowed.get(name) else {
            wrong.push(format!(
                "crate {name} has no row in this test and in ARCHITECTURE.md"
            ));
            continue;
        };
        seen.insert(name.to_owned());
        for used in package.uses.iter().filter_map(|u| short(u)) {
            if !may.contains(used) {
                wrong.push(format!("{name} -> {used}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "arrows that ARCHITECTURE.md does not draw: {wrong:#?}"
    );
    let rows: BTreeSet<String> = allowed.keys().map(|n| (*n).to_owned()).collect();
    assert_eq!(seen, rows, "every row of the table is a crate");
}

#[test]
fn crates_of_the_product_forbid_unsafe_but_device_run_twin() {
    let mut wrong = Vec::new();
    let mut looked_at = 0;
    for package in packages() {
        if short(&package.name).is_some_and(|n| UNSAFE.contains(&n)) {
            continue;
        }
        for file in &package.roots {
            looked_at += 1;
            let text = std::fs::read_to_string(file).expect("a target's source can be read");
            if !text.lines().any(|l| l.trim() == "#![forbid(unsafe_code)]") {
                wrong.push(file.clone());
            }
        }
    }
    assert!(looked_at >= 7, "only {looked_at} targets were found");
    assert!(
        wrong.is_empty(),
        "without #![forbid(unsafe_code)]: {wrong:#?}"
    );
}

#[test]
fn core_crates_are_no_std() {
    let mut seen = 0;
    for package in packages() {
        if !short(&package.name).is_some_and(|n| NO_STD.contains(&n)) {
            continue;
        }
        for file in &package.roots {
            seen += 1;
            let text = std::fs::read_to_string(file).expect("a target's source can be read");
            assert!(
                text.lines().any(|l| l.trim() == "#![no_std]"),
                "{} lacks #![no_std]",
                file.display()
            );
        }
    }
    assert_eq!(seen, NO_STD.len());
}

/// Unsafe code of `device`, `run` and `twin` says why it holds: clippy's `undocumented_unsafe_blocks` is denied for the workspace,
/// and each of these crates takes part in the workspace's lints.
#[test]
fn workspace_lints_reach_every_crate() {
    let root = root();
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).expect("the root manifest");
    for lint in [
        "missing_docs = \"deny\"",
        "unreachable_pub = \"deny\"",
        "undocumented_unsafe_blocks = \"deny\"",
    ] {
        assert!(manifest.contains(lint), "{lint} left the workspace's lints");
    }
    for dir in ["crates", "tests"] {
        for entry in std::fs::read_dir(root.join(dir)).expect("a directory of crates") {
            let file = entry.expect("an entry").path().join("Cargo.toml");
            let Ok(text) = std::fs::read_to_string(&file) else {
                continue;
            };
            assert!(
                text.contains("[lints]\nworkspace = true"),
                "{} does not inherit the workspace's lints",
                file.display()
            );
        }
    }
}
