//! What the command says and how it ends, without carrying a program.

use std::process::{Command, Output};

fn hearken(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hearken"))
        .args(args)
        .output()
        .expect("hearken starts")
}

fn stdout(out: &Output) -> String {
    String::from_utf8(out.stdout.clone()).expect("UTF-8")
}

fn stderr(out: &Output) -> String {
    String::from_utf8(out.stderr.clone()).expect("UTF-8")
}

#[test]
fn no_arguments_prints_three_first_things() {
    let out = hearken(&[]);
    assert_eq!(out.status.code(), Some(0));
    let text = stdout(&out);
    for first in [
        "hearken demo",
        "hearken run -p 8080:8000",
        "hearken ss -ltn",
        "hearken doctor",
    ] {
        assert!(text.contains(first), "{first} is missing:\n{text}");
    }
}

#[test]
fn help_names_every_command_and_hides_the_demo_server() {
    let out = hearken(&["--help"]);
    assert_eq!(out.status.code(), Some(0));
    let text = stdout(&out);
    for command in [
        "demo",
        "run",
        "ss",
        "nstat",
        "pcap",
        "trace",
        "sysctl",
        "doctor",
        "Examples:",
    ] {
        assert!(text.contains(command), "{command} is missing:\n{text}");
    }
    assert!(!text.contains("__demo-server"), "{text}");
}

#[test]
fn run_help_groups_options_and_gives_examples() {
    let text = stdout(&hearken(&["run", "--help"]));
    for part in [
        "Network:",
        "Stack:",
        "Watching:",
        "Examples:",
        "Exit status:",
        "[HOST:]PORT:PORT",
        "-- CMD",
    ] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
}

#[test]
fn version_is_printed() {
    let out = hearken(&["--version"]);
    assert_eq!(
        stdout(&out),
        concat!("hearken ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[test]
fn unknown_option_suggests_and_exits_2() {
    let out = hearken(&["run", "--publsh", "1:2", "--", "true"]);
    assert_eq!(out.status.code(), Some(2));
    assert!(stderr(&out).contains("--publish"), "{}", stderr(&out));
    let out = hearken(&["nstta"]);
    assert_eq!(out.status.code(), Some(2));
    assert!(stderr(&out).contains("nstat"), "{}", stderr(&out));
}

#[test]
fn wrong_values_exit_2_and_say_what_is_right() {
    for (args, hint) in [
        (&["run", "-p", "80", "--", "true"][..], "8080:8000"),
        (&["run", "--link", "rate=1", "--", "true"], "loss=1%"),
        (
            &["run", "--sysctl", "somaxconn", "--", "true"],
            "net.core.somaxconn",
        ),
        (&["run", "--seed", "xyz", "--", "true"], "hexadecimal"),
        (&["run"], "CMD"),
        (&["demo", "--mib", "0"], "1..=4096"),
    ] {
        let out = hearken(args);
        assert_eq!(out.status.code(), Some(2), "{args:?}");
        assert!(stderr(&out).contains(hint), "{args:?}: {}", stderr(&out));
        assert!(stdout(&out).is_empty());
    }
}

#[test]
fn doctor_json_agrees_with_its_exit_status() {
    let out = hearken(&["doctor", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&stdout(&out)).expect("JSON");
    assert_eq!(json["schema"], "hearken.doctor/1");
    assert_eq!(json["ok"] == true, out.status.success());
    assert!(json["checks"].as_array().is_some_and(|c| c.len() > 5));
}

#[test]
fn sysctl_names_somaxconn_with_its_bounds() {
    let out = hearken(&["sysctl", "--doc", "net.core.somaxconn"]);
    assert!(stdout(&out).starts_with("net.core.somaxconn = 4096\n    0 to 2147483647\n"));
    let out = hearken(&["sysctl", "net.core.somaxcon"]);
    assert_eq!(out.status.code(), Some(1));
    assert!(
        stderr(&out).contains("did you mean net.core.somaxconn?"),
        "{}",
        stderr(&out)
    );
}
