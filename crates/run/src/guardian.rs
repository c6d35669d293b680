//! The process between the supervisor and CMD.
//!
//! It is this program exec'd anew, so it has one thread and small memory. It enters the namespaces,
//! becomes a child subreaper and forks CMD. From then on it reaps, tells how CMD ended, and watches
//! the supervisor's end of the control socket: when that closes, however the supervisor died, it
//! kills every descendant. CMD itself has PDEATHSIG, in case it is the guardian that dies.

use std::ffi::{CString, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, Resource, Rlimit, Signal};

use crate::sys::process::{Reaped, Vector};
use crate::sys::signal::{Mask, SignalFd};
use crate::sys::{message, process, remote, seccomp, signal};
use crate::{enter, filter};

/// The hidden first argument by which this program becomes the guardian.
pub const SUBCOMMAND: &str = "__inner";

/// First byte of each message to the supervisor.
pub(crate) mod kind {
    /// Namespaces entered; the descriptor, if any, is somaxconn's.
    pub(crate) const NETWORK: u8 = b'N';
    /// The descriptor is the namespace's /proc/net/snmp.
    pub(crate) const SNMP: u8 = b'S';
    /// The descriptor is the name server's UDP socket.
    pub(crate) const DNS: u8 = b'D';
    /// Namespaces refused: text. Nothing else follows.
    pub(crate) const REFUSED: u8 = b'R';
    /// One line for stderr.
    pub(crate) const NOTE: u8 = b'n';
    /// CMD's process id; the descriptor is its pidfd.
    pub(crate) const PID: u8 = b'P';
    /// The descriptor is the notify descriptor (sent by CMD's own process).
    pub(crate) const LISTENER: u8 = b'L';
    /// Hearken failed: text.
    pub(crate) const FAILED: u8 = b'F';
    /// CMD's wait status.
    pub(crate) const STATUS: u8 = b'X';
}

/// What the supervisor tells the guardian, as its arguments.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Orders {
    pub(crate) control: i32,
    pub(crate) go: i32,
    pub(crate) nofile: (Option<u64>, Option<u64>),
    pub(crate) filter_alone: bool,
    pub(crate) sysctls: Vec<(String, String)>,
    pub(crate) command: Vec<OsString>,
}

impl Orders {
    /// As an argument vector after the program's name.
    pub(crate) fn to_args(&self) -> Vec<OsString> {
        let limit = |l: Option<u64>| l.map_or("-".into(), |n| n.to_string());
        let mut args: Vec<OsString> = vec![
            SUBCOMMAND.into(),
            self.control.to_string().into(),
            self.go.to_string().into(),
            limit(self.nofile.0).into(),
            limit(self.nofile.1).into(),
            if self.filter_alone { "alone" } else { "own" }.into(),
        ];
        for (name, value) in &self.sysctls {
            args.push(format!("{name}={value}").into());
        }
        args.push("--".into());
        args.extend(self.command.iter().cloned());
        args
    }

    /// The other way; `None` if they are not ours.
    pub(crate) fn parse(mut args: impl Iterator<Item = OsString>) -> Option<Self> {
        let mut word = || args.next()?.into_string().ok();
        if word()? != SUBCOMMAND {
            return None;
        }
        let control = word()?.parse().ok()?;
        let go = word()?.parse().ok()?;
        let mut limit = || {
            let w = word()?;
            Some(match w.as_str() {
                "-" => None,
                n => Some(n.parse().ok()?),
            })
        };
        let nofile = (limit()?, limit()?);
        let filter_alone = word()? == "alone";
        let mut sysctls = Vec::new();
        loop {
            let w = word()?;
            if w == "--" {
                break;
            }
            let (name, value) = w.split_once('=')?;
            sysctls.push((name.into(), value.into()));
        }
        Some(Self {
            control,
            go,
            nofile,
            filter_alone,
            sysctls,
            command: args.collect(),
        })
    }
}

/// Call this first in `main`: if the arguments say that this process is to be a guardian, it becomes
/// one and does not come back.
pub fn become_guardian_if_asked() {
    let mut args = std::env::args_os().skip(1).peekable();
    if args.peek().is_none_or(|a| a != SUBCOMMAND) {
        return;
    }
    let code = match Orders::parse(args) {
        Some(orders) => guard(orders),
        None => {
            eprintln!("hearken: {SUBCOMMAND} is for hearken's own use");
            crate::exit::FAILED
        }
    };
    process::exit_now(i32::from(code));
}

fn guard(orders: Orders) -> u8 {
    let (control, go) = match (process::adopt(orders.control), process::adopt(orders.go)) {
        (Ok(c), Ok(g)) => (c, g),
        _ => return crate::exit::FAILED,
    };
    match run(orders, &control, go) {
        Ok(()) => 0,
        Err(e) => {
            tell(&control, kind::FAILED, e.to_string().as_bytes(), None);
            crate::exit::FAILED
        }
    }
}

/// Sends one message. The supervisor may be dead: then the watch on its socket sees to the rest.
fn tell(control: &OwnedFd, kind: u8, body: &[u8], fd: Option<BorrowedFd<'_>>) {
    let mut m = vec![kind];
    m.extend(&body[..body.len().min(message::MAX - 1)]);
    let _ = message::send(control.as_fd(), &m, fd);
}

fn run(orders: Orders, control: &OwnedFd, go: OwnedFd) -> io::Result<()> {
    // A key at the terminal reaches the whole foreground group: it is CMD's to answer, not ours.
    let mask = Mask::all().block();
    let ignored_child = signal::set_default(libc::SIGCHLD);
    let signals = SignalFd::new(&Mask::of(&[libc::SIGCHLD]))?;

    if !orders.filter_alone {
        match enter::enter(&orders.sysctls) {
            Ok(e) => {
                for note in &e.notes {
                    tell(control, kind::NOTE, note.as_bytes(), None);
                }
                let fd = e.somaxconn.as_ref().map(AsFd::as_fd);
                tell(control, kind::NETWORK, b"", fd);
                if let Some(snmp) = &e.kernel_snmp {
                    tell(control, kind::SNMP, b"", Some(snmp.as_fd()));
                }
                if let Some(dns) = &e.dns {
                    tell(control, kind::DNS, b"", Some(dns.as_fd()));
                }
            }
            Err(e) => {
                tell(control, kind::REFUSED, e.to_string().as_bytes(), None);
                return Ok(());
            }
        }
    }

    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let me = rustix::process::getpid();
    let Some(pid) = process::fork_single_threaded()? else {
        command(orders, control, &go, me, mask, ignored_child)
    };
    drop(go);
    let pidfd = remote::pidfd_open(pid as u32, 0)?;
    tell(control, kind::PID, &pid.to_ne_bytes(), Some(pidfd.as_fd()));
    drop(pidfd);
    process::close_all_but(&[control.as_fd(), signals.as_fd()])?;
    watch(control, &signals, pid)
}

/// The forked child: becomes CMD.
fn command(
    orders: Orders,
    control: &OwnedFd,
    go: &OwnedFd,
    guardian: Pid,
    mask: Mask,
    ignored_child: bool,
) -> ! {
    let argv = Vector::new(
        orders
            .command
            .iter()
            .filter_map(|a| CString::new(a.clone().into_vec()).ok())
            .collect(),
    );
    let prepared = (|| -> io::Result<()> {
        let (current, maximum) = orders.nofile;
        rustix::process::setrlimit(Resource::Nofile, Rlimit { current, maximum })?;
        // The Rust runtime ignores SIGPIPE; CMD is to have what a shell gives.
        signal::set_default(libc::SIGPIPE);
        if ignored_child {
            signal::set_ignored(libc::SIGCHLD);
        }
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        // It may have died before that took effect.
        if rustix::process::getppid() != Some(guardian) {
            process::exit_now(i32::from(crate::exit::FAILED));
        }
        rustix::thread::set_no_new_privs(true)?;
        let listener = seccomp::install(&filter::program()).map_err(|e| {
            if e.raw_os_error() == Some(libc::EBUSY) {
                io::Error::other(
                    "this process already runs under a seccomp listener: \
                     no `hearken run` inside `hearken run`",
                )
            } else {
                io::Error::new(e.kind(), format!("seccomp filter: {e}"))
            }
        })?;
        // The filter is live, but sendmsg without flags and read are not among what it traps.
        message::send(control.as_fd(), &[kind::LISTENER], Some(listener.as_fd()))?;
        Ok(())
    })();
    if let Err(e) = prepared {
        tell(control, kind::FAILED, e.to_string().as_bytes(), None);
        process::exit_now(i32::from(crate::exit::FAILED));
    }
    let mut byte = [0];
    match rustix::io::retry_on_intr(|| rustix::io::read(go, &mut byte)) {
        Ok(1) => {}
        // The supervisor has gone.
        _ => process::exit_now(i32::from(crate::exit::FAILED)),
    }
    mask.set();
    let e = process::execvp(&argv);
    let name = orders.command.first().cloned().unwrap_or_default();
    let _ = rustix::io::write(
        rustix::stdio::stderr(),
        &[
            b"hearken: ",
            name.as_bytes(),
            b": ",
            why(&e).as_bytes(),
            b"\n",
        ]
        .concat(),
    );
    process::exit_now(i32::from(match e.raw_os_error() {
        Some(libc::ENOENT | libc::ENOTDIR) => crate::exit::NOT_FOUND,
        _ => crate::exit::NOT_EXECUTABLE,
    }))
}

/// As strerror(3) says it, without Rust's "(os error 2)".
fn why(e: &io::Error) -> String {
    match e.raw_os_error() {
        Some(errno) => hearken_abi::Errno(errno).description().into(),
        None => e.to_string(),
    }
}

/// Reaps until no descendant is left; kills them all once the supervisor has gone.
fn watch(control: &OwnedFd, signals: &SignalFd, command: i32) -> io::Result<()> {
    loop {
        while signals.next()?.is_some() {}
        loop {
            match process::reap() {
                Reaped::Child(pid, status) if pid == command => {
                    tell(control, kind::STATUS, &status.to_ne_bytes(), None);
                }
                Reaped::Child(..) => {}
                Reaped::NoneYet => break,
                Reaped::NoChild => return Ok(()),
            }
        }
        let mut fds = [
            PollFd::new(control, PollFlags::IN),
            PollFd::new(signals, PollFlags::IN),
        ];
        rustix::io::retry_on_intr(|| rustix::event::poll(&mut fds, None))?;
        // The supervisor never writes here: anything is its end.
        if !fds[0].revents().is_empty() {
            return kill_everything(signals);
        }
    }
}

/// Kills descendants until none is left. Orphans come to us (subreaper), so none slips away by
/// forking; each round takes what the last one missed.
fn kill_everything(signals: &SignalFd) -> io::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        for pid in descendants(rustix::process::getpid().as_raw_nonzero().get()) {
            if let Some(pid) = Pid::from_raw(pid) {
                let _ = rustix::process::kill_process(pid, Signal::KILL);
            }
        }
        loop {
            match process::reap() {
                Reaped::Child(..) => {}
                Reaped::NoneYet => break,
                Reaped::NoChild => return Ok(()),
            }
        }
        let mut fds = [PollFd::new(signals, PollFlags::IN)];
        let pause = Timespec {
            tv_sec: 0,
            tv_nsec: 20_000_000,
        };
        let _ = rustix::event::poll(&mut fds, Some(&pause));
        while signals.next()?.is_some() {}
    }
    Ok(())
}

/// The processes below `root`, from /proc.
fn descendants(root: i32) -> Vec<i32> {
    let Ok(proc) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pairs: Vec<(i32, i32)> = proc
        .filter_map(|e| {
            let pid: i32 = e.ok()?.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
            Some((pid, parent_in_stat(&stat)?))
        })
        .collect();
    let mut found = vec![root];
    let mut at = 0;
    while at < found.len() {
        let parent = found[at];
        found.extend(
            pairs
                .iter()
                .filter(|(_, p)| *p == parent)
                .map(|(pid, _)| *pid),
        );
        at += 1;
    }
    found.remove(0);
    found
}

/// The parent's id in /proc/PID/stat. The command name may hold anything, even `) R 1`: the field
/// ends at the last parenthesis.
fn parent_in_stat(stat: &[u8]) -> Option<i32> {
    let end = stat.iter().rposition(|b| *b == b')')?;
    let rest = std::str::from_utf8(&stat[end + 1..]).ok()?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_any_command_comes_back_as_it_went() {
        let orders = Orders {
            control: 7,
            go: 8,
            nofile: (Some(1024), None),
            filter_alone: true,
            sysctls: vec![("net.core.somaxconn".into(), "a=b".into())],
            command: vec![
                "--".into(),
                OsString::from_vec(vec![0xff, b'x']),
                "__inner".into(),
            ],
        };
        assert_eq!(Orders::parse(orders.to_args().into_iter()), Some(orders));
    }

    #[test]
    fn orders_foreign_arguments_are_refused() {
        for bad in [vec!["run"], vec!["__inner"], vec!["__inner", "x", "4"]] {
            assert_eq!(Orders::parse(bad.into_iter().map(Into::into)), None);
        }
    }

    #[test]
    fn parent_in_stat_hostile_command_name_does_not_fool_it() {
        assert_eq!(parent_in_stat(b"42 (a) R 1 ) S 7 42 42 0"), Some(7));
        assert_eq!(parent_in_stat(b"garbage"), None);
    }
}
