//! What a machine lacks for `hearken run`, and the command that mends it.
//!
//! What can be tried is tried, by a child process that does what a program under `run` would; the
//! files then only explain a failure.

use std::io;

use crate::sys::seccomp::NOTIFICATION_SIZES;

mod trial;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What it is.
    pub name: &'static str,
    /// Whether it is as it should be.
    pub ok: bool,
    /// Whether `hearken run` cannot work without it.
    pub required: bool,
    /// What was found.
    pub found: String,
    /// What it is needed for.
    pub why_it_matters: &'static str,
    /// The command that mends it, where there is one.
    pub repair_command: Option<String>,
}

/// What one step of the trial gave: nothing, or why not.
pub type Step = Result<(), String>;

/// What a child process met when it did what a program under `run` does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Entering namespaces of its own.
    pub namespaces: Step,
    /// What did not work in them.
    pub notes: Vec<String>,
    /// Installing the filter: the errno.
    pub listener: Result<(), i32>,
    /// Asking for synchronous wake-ups.
    pub sync_wake_up: Step,
    /// Opening the child's thread.
    pub pidfd_thread: Step,
    /// Fetching one of its descriptors.
    pub getfd: Step,
    /// Reading its memory.
    pub memory: Step,
    /// Answering its socket(2) with a descriptor.
    pub addfd_send: Step,
}

/// Where the checks look. A test puts another machine here.
pub trait Probe {
    /// The text of a file.
    fn file(&self, path: &str) -> io::Result<String>;
    /// Opens a file for reading and writing.
    fn open(&self, path: &str) -> io::Result<()>;
    /// Whether the kernel knows seccomp's user notification.
    fn notification(&self) -> io::Result<()>;
    /// The sizes of its structs.
    fn sizes(&self) -> io::Result<[u16; 3]>;
    /// Does what `run` does.
    fn trial(&self) -> io::Result<Trial>;
}

/// This machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Machine;

impl Probe for Machine {
    fn file(&self, path: &str) -> io::Result<String> {
        std::fs::read_to_string(path)
    }

    fn open(&self, path: &str) -> io::Result<()> {
        std::fs::File::options()
            .read(true)
            .write(true)
            .open(path)
            .map(drop)
    }

    fn notification(&self) -> io::Result<()> {
        crate::sys::seccomp::action_available(libc::SECCOMP_RET_USER_NOTIF)
    }

    fn sizes(&self) -> io::Result<[u16; 3]> {
        crate::sys::seccomp::notification_sizes()
    }

    fn trial(&self) -> io::Result<Trial> {
        trial::run()
    }
}

/// All checks on this machine. Call it in a process with one thread.
pub fn checks() -> Vec<Check> {
    checks_of(&Machine)
}

/// All checks on the machine behind `probe`.
pub fn checks_of(probe: &dyn Probe) -> Vec<Check> {
    let mut list = vec![notification(probe)];
    match probe.trial() {
        Ok(trial) => {
            list.push(nested(&trial));
            list.extend(namespaces(probe, &trial));
            list.push(interface(&trial));
            list.push(pidfd(&trial));
            list.push(yama(probe, &trial));
            list.push(addfd(&trial));
            list.push(wake_up(&trial));
        }
        Err(e) => list.push(Check {
            name: "trial",
            ok: false,
            required: true,
            found: format!("a child process could not be started: {e}"),
            why_it_matters: "the other checks need it",
            repair_command: None,
        }),
    }
    list.push(tun(probe));
    list
}

fn notification(probe: &dyn Probe) -> Check {
    let (ok, found) = match (probe.notification(), probe.sizes()) {
        (Err(e), _) => (
            false,
            format!("not there ({e}); it needs Linux 6.6 with CONFIG_SECCOMP_FILTER"),
        ),
        (_, Err(e)) => (false, format!("its sizes are refused: {e}")),
        (Ok(()), Ok(sizes)) if sizes != NOTIFICATION_SIZES => (
            false,
            format!("structs of {sizes:?} bytes, this program knows {NOTIFICATION_SIZES:?}"),
        ),
        (Ok(()), Ok(_)) => (true, "there".into()),
    };
    Check {
        name: "seccomp user notification",
        ok,
        required: true,
        found,
        why_it_matters: "a program's TCP calls reach Hearken by it",
        repair_command: None,
    }
}

fn nested(trial: &Trial) -> Check {
    let found = match trial.listener {
        Ok(()) => "none".into(),
        Err(libc::EBUSY) => "one is there: this is inside `hearken run`, or inside a container \
             whose runtime listens"
            .to_string(),
        Err(e) => format!("the filter is refused: {}", io::Error::from_raw_os_error(e)),
    };
    Check {
        name: "another seccomp listener",
        ok: trial.listener.is_ok(),
        required: true,
        found,
        why_it_matters: "the kernel allows a process one listener only",
        repair_command: (trial.listener == Err(libc::EBUSY)).then(|| "exit".into()),
    }
}

const MAX_USER: &str = "/proc/sys/user/max_user_namespaces";
const CLONE: &str = "/proc/sys/kernel/unprivileged_userns_clone";
const APPARMOR: &str = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns";

fn namespaces(probe: &dyn Probe, trial: &Trial) -> Vec<Check> {
    let value = |path: &str| probe.file(path).ok().map(|t| t.trim().to_string());
    let works = trial.namespaces.is_ok();
    let mut list = Vec::new();
    let mut add = |name, bad: bool, found: String, repair: &str| {
        list.push(Check {
            name,
            // A switch that stops somebody else is nothing to mend.
            ok: works || !bad,
            required: false,
            found: match (bad, works) {
                (true, true) => format!("{found}, but this user is let through"),
                _ => found,
            },
            why_it_matters: "an ordinary user enters a network namespace through a user namespace",
            repair_command: (bad && !works).then(|| repair.to_string()),
        });
    };
    let shown = |v: &Option<String>| v.clone().unwrap_or_else(|| "not there".into());
    let max = value(MAX_USER);
    add(
        "user.max_user_namespaces",
        matches!(max.as_deref(), None | Some("0")),
        shown(&max),
        "sudo sysctl -w user.max_user_namespaces=15000",
    );
    // Debian's own switch; elsewhere it is not there, which is well.
    let clone = value(CLONE);
    add(
        "kernel.unprivileged_userns_clone",
        clone.as_deref() == Some("0"),
        shown(&clone),
        "sudo sysctl -w kernel.unprivileged_userns_clone=1",
    );
    let apparmor = value(APPARMOR);
    add(
        "AppArmor's limit on user namespaces",
        apparmor.as_deref().is_some_and(|v| v != "0"),
        shown(&apparmor),
        "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    );
    let explained = list.iter().any(|c| !c.ok);
    list.push(Check {
        name: "a network namespace of its own",
        ok: works,
        required: false,
        found: match &trial.namespaces {
            Ok(()) => "works".into(),
            Err(why) => format!("refused: {why}"),
        },
        why_it_matters: "without it the filter is alone: what is not TCP uses the host's network, \
             and /proc/sys/net is the host's",
        // A switch above has its own command; otherwise (a container's own filter, say) root may.
        repair_command: (!works && !explained).then(|| "sudo hearken run -- CMD".into()),
    });
    list
}

fn interface(trial: &Trial) -> Check {
    let ok = trial.notes.is_empty();
    Check {
        name: "inside the namespace",
        // Without the namespace there is no inside; that has its own line.
        ok: ok || trial.namespaces.is_err(),
        required: false,
        found: if trial.namespaces.is_err() {
            "not entered".into()
        } else if ok {
            "eth0, resolv.conf and somaxconn are ours".into()
        } else {
            trial.notes.join("; ")
        },
        why_it_matters: "name resolution and net.core.somaxconn as a program reads it",
        repair_command: trial
            .notes
            .iter()
            .any(|n| n.contains("veth"))
            .then(|| "sudo modprobe veth".into()),
    }
}

/// Both or the first that fails.
fn first_failure(steps: [&Step; 2]) -> Option<&String> {
    steps.into_iter().find_map(|s| s.as_ref().err())
}

fn pidfd(trial: &Trial) -> Check {
    Check {
        name: "pidfd of a thread",
        ok: trial.pidfd_thread.is_ok(),
        required: false,
        found: match &trial.pidfd_thread {
            Ok(()) => "works".into(),
            Err(why) => format!("{why}; PIDFD_THREAD needs Linux 6.9"),
        },
        why_it_matters: "a program's threads may have descriptor tables of their own",
        repair_command: None,
    }
}

fn yama(probe: &dyn Probe, trial: &Trial) -> Check {
    let scope = probe
        .file("/proc/sys/kernel/yama/ptrace_scope")
        .map(|t| t.trim().to_string());
    let failure = first_failure([&trial.getfd, &trial.memory]);
    let scope_text = match &scope {
        Ok(s) => format!("Yama's ptrace_scope is {s}"),
        Err(_) => "no Yama".into(),
    };
    Check {
        name: "reading the program (pidfd_getfd, process_vm_readv)",
        ok: failure.is_none(),
        required: true,
        found: match failure {
            None => format!("works; {scope_text}"),
            Some(why) => format!("{why}; {scope_text}"),
        },
        why_it_matters: "Hearken finds a socket, and the address given to bind, by it",
        repair_command: failure.and(scope.ok()).and_then(|s| match s.as_str() {
            "0" => None,
            // 3 is final until the next boot.
            "3" => Some(
                "echo kernel.yama.ptrace_scope=1 | sudo tee /etc/sysctl.d/99-ptrace.conf && sudo reboot"
                    .into(),
            ),
            _ => Some("sudo sysctl -w kernel.yama.ptrace_scope=1".into()),
        }),
    }
}

fn addfd(trial: &Trial) -> Check {
    Check {
        name: "answering with a descriptor (ADDFD, SEND)",
        ok: trial.addfd_send.is_ok(),
        required: true,
        found: match &trial.addfd_send {
            Ok(()) => "works".into(),
            Err(why) => format!("{why}; it needs Linux 5.14"),
        },
        why_it_matters: "socket(2) and accept(2) end by it",
        repair_command: None,
    }
}

fn wake_up(trial: &Trial) -> Check {
    Check {
        name: "synchronous wake-up",
        ok: trial.sync_wake_up.is_ok(),
        required: false,
        found: match &trial.sync_wake_up {
            Ok(()) => "works".into(),
            Err(why) => format!("{why}; it needs Linux 6.6"),
        },
        why_it_matters: "each intercepted call is slower without it",
        repair_command: None,
    }
}

fn tun(probe: &dyn Probe) -> Check {
    let path = "/dev/net/tun";
    let result = probe.open(path);
    let (found, repair) = match &result {
        Ok(()) => ("may be opened".into(), None),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            ("not there".into(), Some("sudo modprobe tun".to_string()))
        }
        Err(e) => (e.to_string(), Some(format!("sudo chmod 0666 {path}"))),
    };
    Check {
        name: path,
        ok: result.is_ok(),
        required: false,
        found,
        why_it_matters: "only for TUN devices; `hearken run` needs none",
        repair_command: repair,
    }
}

#[cfg(test)]
#[path = "doctor/tests.rs"]
mod tests;
