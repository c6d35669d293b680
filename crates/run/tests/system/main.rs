//! The system layer on its own, under a tiny supervisor, as root and as an ordinary user.
//!
//! Every case runs in a process of its own. Started by root, each runs as root and as uid 65534;
//! started by an ordinary user, as that user.

mod cases;
mod differences;
mod ends;
mod programs;
mod supervisor;

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

const ORDINARY: u32 = 65534;

fn main() -> ExitCode {
    hearken_run::guardian::become_guardian_if_asked();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[..] {
        ["program", name, ..] => programs::run(name, &args[2..]),
        ["supervise", ..] => supervisor::main(&args[1..]),
        ["case", name] => {
            let case = all().find(|c| c.name == name);
            (case.expect("a case of this name").run)();
            ExitCode::SUCCESS
        }
        _ => run_all(&args),
    }
}

fn all() -> impl Iterator<Item = &'static cases::Case> {
    cases::ALL.iter().chain(differences::ALL).chain(ends::ALL)
}

fn run_all(args: &[String]) -> ExitCode {
    let filter = args.iter().find(|a| !a.starts_with('-'));
    let chosen = all().filter(|c| filter.is_none_or(|f| c.name.contains(f.as_str())));
    if args.iter().any(|a| a == "--list") {
        for c in chosen {
            println!("{}: test", c.name);
        }
        return ExitCode::SUCCESS;
    }
    let root = rustix::process::geteuid().is_root();
    // An ordinary user may not be able to reach the build directory.
    let dir = std::env::temp_dir().join(format!("hearken-run-tests-{}", std::process::id()));
    std::fs::create_dir(&dir).expect("temporary directory");
    let exe = dir.join("system");
    std::fs::copy(std::env::current_exe().expect("own path"), &exe).expect("copy of the tests");
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o755)).expect("chmod");
    let mut failed = 0;
    for case in chosen {
        let users: &[Option<u32>] = match (root, case.needs_root) {
            (true, true) => &[None],
            (true, false) => &[None, Some(ORDINARY)],
            (false, true) => {
                println!("test {} ... ignored, needs root", case.name);
                continue;
            }
            (false, false) => &[None],
        };
        for user in users {
            let who = match user {
                Some(uid) => format!("uid {uid}"),
                None => format!("uid {}", rustix::process::geteuid().as_raw()),
            };
            let outcome = one(&exe, case.name, *user);
            println!(
                "test {} ({who}) ... {}",
                case.name,
                if outcome.is_ok() { "ok" } else { "FAILED" }
            );
            if let Err(why) = outcome {
                println!("---- {} ({who})\n{why}", case.name);
                failed += 1;
            }
        }
    }
    let _ = std::fs::remove_dir_all(&dir);
    println!("{failed} failed");
    ExitCode::from(u8::from(failed != 0))
}

fn one(exe: &Path, name: &str, user: Option<u32>) -> Result<(), String> {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new(exe);
    command
        .args(["case", name])
        .current_dir("/")
        // Directories there that this user may not search would turn 127 into 126.
        .env("PATH", "/usr/local/bin:/usr/bin:/bin");
    if let Some(uid) = user {
        // std drops the supplementary groups when root gives up its uid.
        command.uid(uid).gid(uid);
    }
    let output = exe.with_extension("out");
    let file = std::fs::File::create(&output).map_err(|e| e.to_string())?;
    command
        .stdin(std::process::Stdio::null())
        .stdout(file.try_clone().map_err(|e| e.to_string())?)
        .stderr(file);
    let mut child = command.spawn().map_err(|e| e.to_string())?;
    let deadline = Instant::now() + Duration::from_secs(30);
    let status = loop {
        if let Some(s) = child.try_wait().map_err(|e| e.to_string())? {
            break s;
        }
        if Instant::now() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            return Err("still running after 30 s".to_string()
                + &std::fs::read_to_string(&output).unwrap_or_default());
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    if status.success() {
        return Ok(());
    }
    Err(format!(
        "{status}\n{}",
        std::fs::read_to_string(&output).unwrap_or_default()
    ))
}
