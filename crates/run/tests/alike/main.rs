//! One program, twice: on this machine's own TCP, and carried. What it sees must be the same, line by
//! line, but for the differences declared here, and each of those must still differ.

mod program;

use std::process::{Command, ExitCode, Stdio};

/// POLLWRBAND: an AF_UNIX stream sets it with POLLWRNORM, TCP never.
const WRBAND: u32 = 0x200;

/// A line that differs, why, and what each side says.
struct Differs {
    label: &'static str,
    why: &'static str,
}

const DIFFERENCES: &[Differs] = &[Differs {
    label: "write after reset",
    why: "a socketpair whose end is closed answers EPIPE at once, where TCP gives ECONNRESET first",
}];

fn main() -> ExitCode {
    hearken_run::guardian::become_guardian_if_asked();
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("program") => {
            program::run();
            ExitCode::SUCCESS
        }
        Some("carry") => {
            let me = std::env::current_exe().expect("own path");
            let options = hearken_run::options::Options {
                cmd: vec![me.into(), "program".into()],
                ..Default::default()
            };
            ExitCode::from(hearken_run::run(&options))
        }
        Some("--list") => {
            println!("carried_program_sees_what_it_sees_on_linux: test");
            ExitCode::SUCCESS
        }
        _ => compare(),
    }
}

fn lines(mode: &str) -> Vec<(String, String)> {
    let me = std::env::current_exe().expect("own path");
    let child = Command::new(me)
        .arg(mode)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .expect("starts");
    let text = String::from_utf8(child.stdout).expect("UTF-8");
    assert!(child.status.success(), "{mode}: {}\n{text}", child.status);
    text.lines()
        .filter_map(|l| l.split_once(": "))
        .map(|(label, value)| (label.to_owned(), value.to_owned()))
        .collect()
}

/// Masks are printed as `poll 0x...`.
fn without_wrband(value: &str) -> String {
    value
        .split(' ')
        .map(|word| {
            match word
                .strip_prefix("0x")
                .and_then(|h| u32::from_str_radix(h, 16).ok())
            {
                Some(mask) => format!("{:#x}", mask & !WRBAND),
                None => word.to_owned(),
            }
        })
        .collect::<Vec<_>>()
        .join(" ")
}

fn compare() -> ExitCode {
    let native = lines("program");
    let carried = lines("carry");
    let labels = |l: &[(String, String)]| l.iter().map(|(k, _)| k.clone()).collect::<Vec<_>>();
    assert_eq!(labels(&native), labels(&carried), "not the same steps");
    let mut failed = 0;
    for ((label, theirs), (_, ours)) in native.iter().zip(&carried) {
        let same = *theirs == without_wrband(ours);
        match DIFFERENCES.iter().find(|d| d.label == label) {
            None if !same => {
                failed += 1;
                println!("{label}\n  Linux:   {theirs}\n  carried: {ours}");
            }
            Some(d) if same => {
                failed += 1;
                println!(
                    "{label}: no longer differs; take it out of the list ({})",
                    d.why
                );
            }
            _ => {}
        }
    }
    if !carried.iter().any(|(_, v)| *v != without_wrband(v)) {
        failed += 1;
        println!("POLLWRBAND no longer shows: take it out");
    }
    println!("{} lines compared, {failed} wrong", native.len());
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
