//! Man pages and completions name every command and every option that `--help` names.

use std::path::PathBuf;
use std::process::Command;

fn hearken(args: &[&str]) -> String {
    let out = Command::new(env!("CARGO_BIN_EXE_hearken"))
        .args(args)
        .output()
        .expect("hearken starts");
    assert!(
        out.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8(out.stdout).expect("UTF-8")
}

/// The commands that `hearken --help` lists.
fn commands() -> Vec<String> {
    let help = hearken(&["--help"]);
    let list = help
        .split("Commands:\n")
        .nth(1)
        .expect("a list of commands");
    let names = list.lines().take_while(|l| l.starts_with("  "));
    names
        .filter_map(|l| l.split_whitespace().next())
        .filter(|n| *n != "help")
        .map(str::to_owned)
        .collect()
}

/// The long options of a command, from its `--help`.
fn options(command: &str) -> Vec<String> {
    let help = hearken(&[command, "--help"]);
    // Two blanks end the names of an option; its text may name others.
    let lines = help.lines().map(str::trim_start);
    let words = lines
        .filter(|l| l.starts_with('-'))
        .map(|l| l.split("  ").next().unwrap_or(l));
    let mut options: Vec<String> = words
        .flat_map(|l| l.split([' ', ',', '[', ']', '=']))
        .filter(|w| w.starts_with("--") && w.len() > 2)
        .map(str::to_owned)
        .collect();
    options.sort();
    options.dedup();
    options
}

#[test]
fn help_of_every_command_has_an_example() {
    let commands = commands();
    assert!(commands.len() >= 8, "{commands:?}");
    for command in &commands {
        let help = hearken(&[command, "--help"]);
        assert!(help.contains("Example"), "{command}:\n{help}");
        assert!(
            help.contains(&format!("  hearken {command}")),
            "{command}:\n{help}"
        );
    }
}

#[test]
fn man_pages_name_every_command_and_option() {
    let dir: PathBuf = std::env::temp_dir().join(format!("hearken-man-{}", std::process::id()));
    let written = hearken(&["man", &dir.to_string_lossy()]);
    let page = |name: &str| {
        let text =
            std::fs::read_to_string(dir.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        text.replace("\\-", "-")
    };
    let all = page("hearken.1");
    for command in commands() {
        let name = format!("hearken-{command}.1");
        assert!(written.contains(&name), "{written}");
        assert!(
            all.contains(&format!("hearken-{command}")),
            "{command} is not in hearken.1"
        );
        let text = page(&name);
        for option in options(&command) {
            assert!(text.contains(&option), "{option} is not in {name}");
        }
        for section in [".SH NAME", ".SH SYNOPSIS", ".SH EXAMPLES"] {
            assert!(text.contains(section), "{section} is not in {name}");
        }
    }
    assert!(!written.contains("__"), "{written}");
    std::fs::remove_dir_all(&dir).expect("our own");
}

#[test]
fn completions_name_every_command_and_option() {
    for shell in ["bash", "zsh", "fish"] {
        let text = hearken(&["completions", shell]);
        for command in commands() {
            assert!(
                text.contains(&command),
                "{command} is not in those of {shell}"
            );
            for option in options(&command) {
                // fish writes long options as `-l name`.
                let word = match shell {
                    "fish" => format!("-l {}", &option[2..]),
                    _ => option.clone(),
                };
                assert!(
                    text.contains(&word),
                    "{word} of {command} is not in those of {shell}"
                );
            }
        }
    }
}
