//! What the shell commands of a script ask of a system under test.
//!
//! No shell runs: sysctls are read out of the forms that scripts use, and everything else is left out with a reason that
//! the run says.

mod words;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use words::{Redirect, Simple};

/// One thing that a command asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Set a sysctl; the name has dots.
    SetSysctl {
        /// `net.ipv4.tcp_ecn`.
        name: String,
        /// The value as written.
        value: String,
        /// Whether the script fails if it cannot be set: not so in a helper file, whose commands fail unheard.
        must: bool,
    },
    /// `nstat`: what counters show from now on is counted from here.
    Nstat,
    /// `ip link set tun0 mtu n`, `ifconfig tun0 mtu n`.
    SetMtu(u32),
    /// `sleep n`.
    Sleep(Duration),
    /// Nothing is done, for this reason.
    Skip(String),
}

/// Helper files inside helper files, at most so deep.
const DEPTH: u32 = 8;

/// What a command asks for, in order. `directory` is the script's own, where its helper files are.
#[must_use]
pub fn actions(text: &str, directory: &Path) -> Vec<Action> {
    let mut reader = Reader {
        directory,
        variables: HashMap::new(),
        actions: Vec::new(),
        depth: 0,
        skipping: 0,
    };
    reader.text(text, 0);
    reader.actions
}

struct Reader<'a> {
    directory: &'a Path,
    /// `NAME=value` of this shell.
    variables: HashMap<String, String>,
    actions: Vec<Action>,
    /// Inside how many helper files.
    depth: u32,
    /// Inside how many conditions whose branch at hand is not run.
    skipping: u32,
}

/// What a command makes the MTU of the interface under test.
fn mtu(args: &[String]) -> Option<u32> {
    let has = |word: &str| args.iter().any(|a| a == word);
    let at = args.iter().position(|a| a == "mtu")?;
    let value = args.get(at + 1)?.parse().ok()?;
    let of_interface = has("tun0") && !has("route") && !has("r") && !has("ro");
    (of_interface && (68..=65535).contains(&value)).then_some(value)
}

impl Reader<'_> {
    fn skip(&mut self, reason: impl Into<String>) {
        self.actions.push(Action::Skip(reason.into()));
    }

    fn text(&mut self, text: &str, depth: u32) {
        for simple in words::commands(text) {
            self.depth = depth;
            let simple = simple.expanded(&self.variables);
            self.simple(&simple, depth);
        }
        self.depth = depth.saturating_sub(1);
    }

    fn simple(&mut self, command: &Simple, depth: u32) {
        let mut words: &[String] = &command.words;
        // The first branch of an `if` is taken, a loop's body once.
        while let [first, rest @ ..] = words {
            match first.as_str() {
                "then" | "do" | "!" | "sudo" | "{" | "}" | "exec" if self.skipping == 0 => {
                    words = rest
                }
                "else" | "elif" => {
                    self.skipping = self.skipping.max(1);
                    return;
                }
                "fi" | "esac" => {
                    self.skipping = self.skipping.saturating_sub(1);
                    return;
                }
                "if" | "case" if self.skipping > 0 => {
                    self.skipping += 1;
                    return;
                }
                "if" | "while" | "until" | "for" | "case" => {
                    if self.skipping == 0 {
                        self.skip(format!("`{}`: the shell's `{first}` is not run; what stands in its first branch is, once", command.text));
                    }
                    return;
                }
                "done" => return,
                _ if self.skipping > 0 => return,
                assignment
                    if words::assignment(assignment).is_some() && command.redirects.is_empty() =>
                {
                    if let Some((name, value)) = words::assignment(assignment) {
                        self.variables.insert(name, value);
                    }
                    words = rest;
                }
                _ => break,
            }
        }
        let Some((first, args)) = words.split_first() else {
            return;
        };
        let name = first.rsplit('/').next().unwrap_or(first);
        match name {
            "sysctl" => self.sysctl(args, &command.text),
            "echo" | "printf" => self.echo(args, command),
            "nstat" => {
                self.actions.push(Action::Nstat);
                if command.piped {
                    self.skip(format!("`{}`: what nstat prints is not searched; assert the counter in %{{ }}% by its name", command.text));
                }
            }
            "sleep" => match args.first().and_then(|a| a.parse::<f64>().ok()) {
                Some(seconds) if (0.0..1e6).contains(&seconds) => {
                    self.actions
                        .push(Action::Sleep(Duration::from_secs_f64(seconds)));
                }
                _ => self.skip(format!(
                    "`{}`: no time that can be waited for",
                    command.text
                )),
            },
            "true" | ":" | "set" | "exit" | "export" | "cd" | "unset" | "shopt" | "wait"
            | "return" | "local" => {
                for arg in args {
                    if let Some((name, value)) = words::assignment(arg) {
                        self.variables.insert(name, value);
                    }
                }
            }
            // What set_sysctls.py leaves behind to put the host's values back: a namespace ends with its run.
            _ if name.starts_with("sysctl_restore_") => {}
            "sh" | "bash" | "dash" | "python" | "python3" | "source" | "." => {
                match args.iter().position(|a| !a.starts_with('-')) {
                    Some(at) => self.helper(&args[at], &args[at + 1..], &command.text, depth),
                    None => self.skip(format!("`{}`: no file that could be read", command.text)),
                }
            }
            "ip" | "ifconfig" if mtu(args).is_some() => {
                self.actions.extend(mtu(args).map(Action::SetMtu));
            }
            "ip" => self.ip(args, &command.text),
            "tc" => self.skip(format!(
                "`{}`: there is no queueing discipline here",
                command.text
            )),
            "ethtool" => self.skip(format!(
                "`{}`: the interface has no offloads to set",
                command.text
            )),
            _ if first.contains('/') || name.ends_with(".sh") || name.ends_with(".py") => {
                self.helper(first, args, &command.text, depth);
            }
            _ if command.after_pipe => {}
            _ => self.skip(format!(
                "`{}`: no shell runs here, and `{name}` sets nothing that is known",
                command.text
            )),
        }
    }

    /// `sysctl [-q] [-w] key=value ...`.
    fn sysctl(&mut self, args: &[String], text: &str) {
        let mut args = args.iter().filter(|a| !a.starts_with('-')).peekable();
        if args.peek().is_none() {
            self.skip(format!("`{text}`: it sets nothing"));
        }
        while let Some(arg) = args.next() {
            match arg.split_once('=') {
                Some((name, value)) if !name.is_empty() => self.set(name, value),
                _ => match args.next_if(|next| next.as_str() == "=") {
                    // `key = value` in three words.
                    Some(_) => match args.next() {
                        Some(value) => self.set(arg, value),
                        None => self.skip(format!("`{text}`: `{arg} =` has no value")),
                    },
                    None => self.skip(format!("`{text}`: `{arg}` is read and not set")),
                },
            }
        }
    }

    fn set(&mut self, name: &str, value: &str) {
        let name = name.strip_prefix("/proc/sys/").unwrap_or(name);
        self.actions.push(Action::SetSysctl {
            name: name.trim_matches('/').replace('/', "."),
            value: value.to_owned(),
            must: self.depth == 0,
        });
    }

    /// `echo value > /proc/sys/...`.
    fn echo(&mut self, args: &[String], command: &Simple) {
        let value = || {
            let words: Vec<&str> = args
                .iter()
                .map(String::as_str)
                .skip_while(|a| matches!(*a, "-n" | "-e"))
                .collect();
            words.join(" ")
        };
        for Redirect { target, .. } in command.redirects.iter().filter(|r| r.output) {
            if target.starts_with("/proc/sys/") {
                self.set(target, &value());
            } else if target != "/dev/null" {
                self.skip(format!(
                    "`{}`: files of this machine are not written",
                    command.text
                ));
            }
        }
        if let Some(target) = &command.tee {
            self.set(target, &value());
        }
    }

    fn ip(&mut self, args: &[String], text: &str) {
        let reason = match args
            .iter()
            .find(|a| !a.starts_with('-'))
            .map(String::as_str)
        {
            Some("tcp_metrics") => "a fresh namespace remembers no peer",
            Some("route" | "ro" | "r") => {
                "the run's routes are made before it, and take no attributes"
            }
            Some("link" | "l" | "addr" | "address" | "a") => {
                "the interface is made before the run: its options are --mtu, --local_ip and --remote_ip"
            }
            _ => "it changes nothing that a run has",
        };
        self.skip(format!("`{text}`: {reason}"));
    }

    /// A file of the script's own: what is in it, or the sysctls among its arguments.
    fn helper(&mut self, file: &str, args: &[String], text: &str, depth: u32) {
        let sysctls: Vec<(&str, &str)> = args
            .iter()
            .filter(|a| a.starts_with("/proc/sys/"))
            .filter_map(|a| a.split_once('='))
            .collect();
        if !sysctls.is_empty() {
            for (name, value) in sysctls {
                self.set(name, value);
            }
            return;
        }
        if depth == DEPTH {
            self.skip(format!(
                "`{text}`: helper files inside one another, more than {DEPTH} deep"
            ));
            return;
        }
        let Some(path) = self.find(file) else {
            self.skip(format!("`{text}`: the file is not there"));
            return;
        };
        if path.extension().is_some_and(|e| e == "py") {
            self.skip(format!("`{text}`: Python files are not run"));
            return;
        }
        match std::fs::read_to_string(&path) {
            Ok(content) => self.text(&content, depth + 1),
            Err(error) => self.skip(format!("`{text}`: {error}")),
        }
    }

    /// A helper file by its path from the script's directory, or by its name beside the script or above it.
    fn find(&self, file: &str) -> Option<PathBuf> {
        let name = Path::new(file).file_name()?;
        let above = self.directory.ancestors().take(3).map(|d| d.join(name));
        std::iter::once(self.directory.join(file))
            .chain(above)
            .find(|path| path.is_file())
    }
}
