//! The cases about how a run ends, and the signals on the way.

use std::io::{BufRead, BufReader};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hearken_run::launch;
use rustix::process::Signal;

use crate::cases::{cases, me, sh};
use crate::supervisor::options;

cases! {
    signals_to_the_supervisor_reach_the_program,
    signal_after_the_program_s_end_ends_the_run,
    interrupt_key_reaches_the_program_once,
    stop_key_stops_both_and_continue_goes_on,
    supervisor_killed_takes_the_tree_along,
    supervisor_killed_at_any_moment_leaves_nothing_behind,
    guardian_killed_takes_the_program_along,
    child_dropped_leaves_nothing_behind,
}

/// Starts a supervisor in a process of its own and reads CMD's first line.
fn supervised(
    script: &str,
) -> (
    std::process::Child,
    BufReader<std::process::ChildStdout>,
    String,
) {
    let mut command = Command::new(me());
    command
        .args(["supervise", "sh", "-c", script])
        .stdout(Stdio::piped());
    // A shell cannot trap what was ignored when it began, as by nohup or a job in the background.
    // SAFETY: signal(2) is async-signal-safe.
    unsafe {
        command.pre_exec(|| {
            for s in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT] {
                libc::signal(s, libc::SIG_DFL);
            }
            Ok(())
        });
    }
    let mut child = command.spawn().expect("spawn");
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    out.read_line(&mut line).expect("line");
    (child, out, line.trim().to_string())
}

fn kill(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid as i32).expect("pid");
    rustix::process::kill_process(pid, signal).expect("kill");
}

fn signals_to_the_supervisor_reach_the_program() {
    use rustix::process::Signal;
    for (name, signal) in [
        ("TERM", Signal::TERM),
        ("INT", Signal::INT),
        ("HUP", Signal::HUP),
        ("QUIT", Signal::QUIT),
        ("USR1", Signal::USR1),
        ("USR2", Signal::USR2),
        ("WINCH", Signal::WINCH),
    ] {
        let script = format!("trap 'exit 77' {name}; echo ready; while :; do sleep 0.02; done");
        let (mut child, _out, line) = supervised(&script);
        assert_eq!(line, "ready");
        kill(child.id(), signal);
        assert_eq!(child.wait().expect("wait").code(), Some(77), "{name}");
    }
    let (mut child, _out, _) = supervised("echo ready; exec sleep 60");
    kill(child.id(), Signal::TERM);
    assert_eq!(
        child.wait().expect("wait").code(),
        Some(143),
        "128 + SIGTERM"
    );
}

fn signal_after_the_program_s_end_ends_the_run() {
    // The shell, CMD, tells its own id and its daemon's, and ends at once.
    let (mut child, mut out, line) = supervised("sleep 60 & echo $$ $!; exit 5");
    let pids: Vec<u32> = line.split(' ').map(|w| w.parse().expect("pid")).collect();
    let daemon = pids[1];
    wait_until("CMD ended", || gone(pids[0]));
    kill(child.id(), rustix::process::Signal::USR1);
    assert!(
        child.try_wait().expect("wait").is_none(),
        "SIGUSR1 does not end it"
    );
    kill(child.id(), rustix::process::Signal::TERM);
    assert_eq!(child.wait().expect("wait").code(), Some(143));
    assert!(gone(daemon), "the daemon was taken along");
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut out, &mut rest).expect("end of output");
}

fn field(status: &str, name: &str) -> u32 {
    let line = status.lines().find_map(|l| l.strip_prefix(name));
    line.and_then(|l| l.trim().parse().ok()).unwrap_or(0)
}

/// Not there, or not yet reaped.
fn gone(pid: u32) -> bool {
    match std::fs::read_to_string(format!("/proc/{pid}/status")) {
        Ok(s) => s.contains("State:\tZ") || s.contains("State:\tX"),
        Err(_) => true,
    }
}

fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "{what}: not within 10 s");
        std::thread::sleep(Duration::from_millis(2));
    }
}

const TREE: &str = "trap '' TERM HUP; sleep 61 & a=$!; \
    setsid sh -c \"trap '' TERM HUP; sleep 62 & echo $$ $a \\$\\$ \\$!; wait\"; wait";

fn within_a_second(begun: Instant, pids: &[u32]) {
    wait_until("the tree is gone", || pids.iter().all(|p| gone(*p)));
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
}

fn numbers(line: &str) -> Vec<u32> {
    let pids: Vec<u32> = line.split(' ').map(|w| w.parse().expect("pid")).collect();
    assert_eq!(pids.len(), 4, "{line}");
    pids
}

fn supervisor_killed_takes_the_tree_along() {
    let (mut child, _out, line) = supervised(TREE);
    let mut pids = numbers(&line);
    let status = std::fs::read_to_string(format!("/proc/{}/status", pids[0])).expect("status");
    pids.push(field(&status, "PPid:"));
    assert!(pids.iter().all(|p| !gone(*p)));
    let begun = Instant::now();
    kill(child.id(), rustix::process::Signal::KILL);
    within_a_second(begun, &pids);
    child.wait().expect("wait");
}

fn guardian_killed_takes_the_program_along() {
    let (mut child, _out, line) = supervised(TREE);
    let pids = numbers(&line);
    let status = std::fs::read_to_string(format!("/proc/{}/status", pids[0])).expect("status");
    let guardian = field(&status, "PPid:");
    let begun = Instant::now();
    kill(guardian, rustix::process::Signal::KILL);
    // CMD dies by its parent-death signal; its children are nobody's any more.
    within_a_second(begun, &[guardian, pids[0]]);
    for pid in &pids[1..] {
        kill(*pid, rustix::process::Signal::KILL);
    }
    assert_eq!(
        child.wait().expect("wait").code(),
        Some(i32::from(hearken_run::exit::FAILED)),
        "nobody can know CMD's status"
    );
}

fn child_dropped_leaves_nothing_behind() {
    let open = || std::fs::read_dir("/proc/self/fd").expect("fds").count();
    let before = open();
    let child = launch::launch(&options(&["sleep", "60"])).expect("launch");
    let pid = child.pid as u32;
    drop(child);
    assert!(gone(pid), "even before go");
    let mut child = launch::launch(&options(&sh("sleep 60 & sleep 60"))).expect("launch");
    child.go().expect("go");
    let pid = child.pid as u32;
    drop(child);
    assert!(gone(pid));
    let children =
        std::fs::read_to_string(format!("/proc/self/task/{}/children", std::process::id()));
    if let Ok(c) = children {
        assert_eq!(c, "");
    }
    assert_eq!(open(), before, "descriptors");
}

/// The processes whose command line holds `mark`.
fn marked(mark: &str) -> Vec<u32> {
    let own = std::process::id();
    std::fs::read_dir("/proc")
        .expect("proc")
        .filter_map(|e| e.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            *pid != own && String::from_utf8_lossy(&line).contains(mark)
        })
        .collect()
}

fn supervisor_killed_at_any_moment_leaves_nothing_behind() {
    let mark = format!("60.{:09}", std::process::id());
    // A launch takes a few milliseconds: 0 to 10 ms meets each of its steps, then the load.
    for round in 0..40u64 {
        let script = format!("while :; do (sleep {mark} & exec sleep {mark}) & sleep 0.001; done");
        let mut child = Command::new(me())
            .args(["supervise", "sh", "-c", &script])
            .spawn()
            .expect("spawn");
        let begun = Instant::now();
        let pause = Duration::from_micros(250 * round);
        while begun.elapsed() < pause {
            std::hint::spin_loop();
        }
        let begun = Instant::now();
        kill(child.id(), Signal::KILL);
        child.wait().expect("wait");
        wait_until("all gone", || marked(&mark).is_empty());
        assert!(
            begun.elapsed() < Duration::from_secs(1),
            "round {round}: {:?}",
            begun.elapsed()
        );
    }
}

/// A command in a session of its own on a new terminal; the terminal's other side.
fn on_a_terminal(mut run: Command) -> (std::process::Child, BufReader<std::fs::File>, OwnedFd) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let master =
        openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("pty");
    grantpt(&master).expect("grant");
    unlockpt(&master).expect("unlock");
    let name = ptsname(&master, Vec::new()).expect("name");
    let slave = std::fs::File::options()
        .read(true)
        .write(true)
        .open(name.to_str().expect("text"))
        .expect("slave");
    run.stdin(slave.try_clone().expect("dup"))
        .stdout(slave.try_clone().expect("dup"))
        .stderr(slave);
    // SAFETY: setsid and one ioctl, both async-signal-safe.
    unsafe {
        run.pre_exec(|| {
            rustix::process::setsid()?;
            rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?;
            Ok(())
        });
    }
    let child = run.spawn().expect("spawn");
    let keys = master.as_fd().try_clone_to_owned().expect("dup");
    (child, BufReader::new(std::fs::File::from(master)), keys)
}

fn line(from: &mut BufReader<std::fs::File>) -> String {
    let mut l = String::new();
    from.read_line(&mut l).expect("line");
    l.trim().to_string()
}

fn interrupt_key_reaches_the_program_once() {
    let mut command = Command::new(me());
    command.args(["supervise", &me(), "program", "count-interrupts"]);
    let (mut child, mut screen, keys) = on_a_terminal(command);
    assert_eq!(line(&mut screen), "ready");
    rustix::io::write(&keys, &[3]).expect("key");
    assert_eq!(line(&mut screen), "^C1", "echoed, and counted");
    // By kill(2), to the supervisor alone, it goes through.
    kill(child.id(), Signal::INT);
    assert_eq!(line(&mut screen), "2");
    assert!(child.wait().expect("wait").success());
}

fn state(pid: u32) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let state = status.lines().find_map(|l| l.strip_prefix("State:\t"));
    state.unwrap_or("").chars().take(1).collect()
}

fn stop_key_stops_both_and_continue_goes_on() {
    // The terminal's key stops a foreground group only if it is not orphaned: a shell with job
    // control is what keeps it from that.
    let script = format!(
        "set -m; {} supervise sh -c 'echo $$; read x; echo got $x'; echo stopped $?; fg >/dev/null; echo ended $?",
        me()
    );
    let mut command = Command::new("sh");
    command.args(["-c", &script]);
    let (mut child, mut screen, keys) = on_a_terminal(command);
    let program: u32 = line(&mut screen).parse().expect("pid");
    rustix::io::write(&keys, &[26]).expect("key");
    // SIGTSTP is 20; a shell says 128 + 20 of a stopped job.
    let mut l = line(&mut screen);
    while !l.ends_with("stopped 148") {
        l = line(&mut screen);
    }
    wait_until("the program runs again", || state(program) == "S");
    rustix::io::write(&keys, b"word\n").expect("keys");
    l = line(&mut screen);
    while l != "got word" {
        l = line(&mut screen);
    }
    assert_eq!(line(&mut screen), "ended 0");
    assert!(child.wait().expect("wait").success());
}
