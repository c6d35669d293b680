//! The binary under test, one run of it, and what the programs need around them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long one thing that must come may take, on a machine where other tests run too.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Leaves a test out on wish, or where a program is not installed, so loudly that nobody takes it for a pass. In CI
/// (`CI=true` or `HEARKEN_CI=1`) a missing program is a failure.
#[macro_export]
macro_rules! needs {
    ($($program:literal),+ $(,)?) => {
        if std::env::var_os("HEARKEN_SKIP_PROGRAMS").is_some_and(|v| v == "1") {
            eprintln!("SKIPPED by HEARKEN_SKIP_PROGRAMS=1: {}", module_path!());
            return;
        }
        $(if !$crate::common::has($program) {
            return;
        })+
    };
}

/// Whether a program is there; in CI it must be.
pub(crate) fn has(program: &str) -> bool {
    if locate(program).is_some() {
        return true;
    }
    let is = |name, value: &str| std::env::var(name).is_ok_and(|v| v == value);
    let ci = is("CI", "true") || is("HEARKEN_CI", "1");
    assert!(!ci, "{program} is not installed: .ci/run names its package");
    eprintln!("NOT RUN: {program} is not installed; .ci/run names its package");
    false
}

/// Where a program is, or a failure that says what to install.
pub(crate) fn find(program: &str) -> PathBuf {
    locate(program)
        .unwrap_or_else(|| panic!("{program} is not installed: .ci/run names its package"))
}

fn locate(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|dir| dir.join(program))
        .find(|p| p.is_file())
}

/// The `hearken` of this build, built if need be.
pub(crate) fn hearken_bin() -> &'static Path {
    static BIN: OnceLock<Option<PathBuf>> = OnceLock::new();
    let built = BIN.get_or_init(|| {
        // TARGET/PROFILE/deps/programs-HASH
        let exe = std::env::current_exe().expect("own path");
        let profile = exe.ancestors().nth(2).expect("in a target directory");
        let target = profile.parent().expect("in a target directory");
        let name = match profile.file_name().and_then(|n| n.to_str()) {
            Some("debug") | None => "dev",
            Some(name) => name,
        };
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "-p", "hearken-cli", "--profile", name])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("CARGO_TARGET_DIR", target)
            .status()
            .expect("cargo starts");
        built.success().then(|| profile.join("hearken"))
    });
    built.as_deref().expect("hearken-cli builds")
}

/// A file of `tests/programs/carried`.
pub(crate) fn carried(name: &str) -> String {
    let dir: PathBuf = [env!("CARGO_MANIFEST_DIR"), "carried", name]
        .iter()
        .collect();
    dir.to_string_lossy().into_owned()
}

/// The tests that need the machine's whole speed, one at a time.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A directory that goes with the test.
pub(crate) struct Dir(PathBuf);

impl Dir {
    pub(crate) fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("hearken-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a temporary directory");
        Dir(dir)
    }

    pub(crate) fn path(&self) -> String {
        self.0.to_string_lossy().into_owned()
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, content).expect("a file of the test's own");
        path.to_string_lossy().into_owned()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Bytes without a pattern that compresses or repeats at a buffer's size.
pub(crate) fn bytes(len: usize, seed: u64) -> Vec<u8> {
    let mut x = seed | 1;
    let mut out = Vec::with_capacity(len + 8);
    while out.len() < len {
        // xorshift64, Marsaglia
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        out.extend_from_slice(&x.to_le_bytes());
    }
    out.truncate(len);
    out
}

/// SHA-256 in hexadecimal.
pub(crate) fn sha256(data: &[u8]) -> String {
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(data);
    digest.iter().map(|b| format!("{b:02x}")).collect()
}

/// A port that nobody listens on at this moment.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port of the host");
    listener.local_addr().expect("bound").port()
}

/// A connection to a published port: a run takes its time to publish it, and the program to listen.
pub(crate) fn connect(port: u16) -> TcpStream {
    let addr = SocketAddr::from(([127, 0, 0, 1], port));
    let stream = TcpStream::connect_timeout(&addr, PATIENCE).expect("the published port");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    stream.set_write_timeout(Some(PATIENCE)).expect("a socket");
    stream
}

/// One HTTP/1.0 request: status line and body.
pub(crate) fn get(port: u16, path: &str) -> std::io::Result<(String, Vec<u8>)> {
    let mut stream = connect(port);
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut all = Vec::new();
    stream.read_to_end(&mut all)?;
    let split = all.windows(4).position(|w| w == b"\r\n\r\n");
    let split = split.ok_or_else(|| std::io::Error::other(format!("no header in {all:?}")))?;
    let head = String::from_utf8_lossy(&all[..split]).into_owned();
    let status = head.lines().next().unwrap_or_default().to_owned();
    Ok((status, all[split + 4..].to_vec()))
}

/// Runs `hearken run OPTIONS -- sh -c SCRIPT` to its end; it must succeed.
pub(crate) fn inside(options: &[&str], script: &str) -> String {
    let out = inside_any(options, script);
    assert!(out.0.success(), "{}\n{}\n{}", out.0, out.1, out.2);
    out.1
}

/// The same, whatever its end: status, stdout, stderr.
pub(crate) fn inside_any(options: &[&str], script: &str) -> (ExitStatus, String, String) {
    let script = format!("{}\n{script}", include_str!("../../carried/shell.sh"));
    let mut run = Run::start(options, &["sh", "-eu", "-c", &script]);
    let status = run.end();
    (status, run.stdout.join("\n"), run.stderr.join("\n"))
}

/// A program outside, to its end; it must succeed.
pub(crate) fn outside(program: &str, args: &[&str]) -> String {
    let out = output(Command::new(find(program)).args(args));
    assert!(
        out.status.success(),
        "{program} {args:?}: {}\n{}\n{}",
        out.status,
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8_lossy(&out.stdout).into_owned()
}

fn output(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().expect("it starts")
}

/// A `hearken run` that is alive until it ends or the test does.
pub(crate) struct Run {
    child: Child,
    heard: Receiver<(bool, String)>,
    /// Lines of its stdout so far.
    pub(crate) stdout: Vec<String>,
    /// Lines of its stderr so far.
    pub(crate) stderr: Vec<String>,
}

impl Run {
    /// `hearken run OPTIONS -- CMD`
    pub(crate) fn start(options: &[&str], cmd: &[&str]) -> Self {
        let mut child = Command::new(hearken_bin())
            .arg("run")
            .args(options)
            .arg("--")
            .args(cmd)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("hearken starts");
        let (tell, heard) = channel();
        hear(child.stdout.take().expect("piped"), false, tell.clone());
        hear(child.stderr.take().expect("piped"), true, tell);
        Run {
            child,
            heard,
            stdout: Vec::new(),
            stderr: Vec::new(),
        }
    }

    /// `hearken run -p HOST:PORT OPTIONS -- CMD`, once the program listens: the run and the host's port.
    pub(crate) fn server(port: u16, options: &[&str], cmd: &[&str]) -> (Self, u16) {
        let host = free_port();
        let publish = format!("{host}:{port}");
        let mut all = vec!["-p", publish.as_str()];
        all.extend(options);
        let mut run = Run::start(&all, cmd);
        run.listens(port);
        (run, host)
    }

    /// Process id of the supervisor.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the program listens on this port.
    pub(crate) fn listens(&mut self, port: u16) {
        let suffix = format!(":{port}");
        let end = Instant::now() + PATIENCE;
        loop {
            let ended = self.child.try_wait().expect("own child");
            let rows = if ended.is_none() {
                self.try_ss("-ltnH")
            } else {
                None
            };
            let rows = rows.unwrap_or_default();
            let mut local = rows.lines().filter_map(|l| l.split_whitespace().nth(3));
            if local.any(|l| l.ends_with(&suffix)) {
                return;
            }
            if ended.is_some() || Instant::now() > end {
                self.collect();
                panic!(
                    "nobody listens on {port} ({ended:?}): {rows}\n{}",
                    self.said()
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for a line of stdout that begins so, and gives the rest of it.
    pub(crate) fn expect(&mut self, begin: &str) -> String {
        let end = Instant::now() + PATIENCE;
        let mut looked_at = 0;
        loop {
            for line in &self.stdout[looked_at..] {
                if let Some(rest) = line.strip_prefix(begin) {
                    return rest.trim().to_owned();
                }
            }
            looked_at = self.stdout.len();
            let left = end.saturating_duration_since(Instant::now());
            match self.heard.recv_timeout(left) {
                Ok(line) => self.keep(line),
                Err(RecvTimeoutError::Timeout) => panic!("no '{begin}' came; {}", self.said()),
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("the run ended before '{begin}' came; {}", self.said())
                }
            }
        }
    }

    fn keep(&mut self, (err, line): (bool, String)) {
        if err {
            self.stderr.push(line);
        } else {
            self.stdout.push(line);
        }
    }

    fn collect(&mut self) {
        while let Ok(line) = self.heard.recv_timeout(Duration::from_millis(100)) {
            self.keep(line);
        }
    }

    /// All it said, for a message; the last of it, where that is long.
    pub(crate) fn said(&self) -> String {
        let tail = |lines: &[String]| lines[lines.len().saturating_sub(100)..].join("\n");
        format!(
            "stdout:\n{}\nstderr:\n{}",
            tail(&self.stdout),
            tail(&self.stderr)
        )
    }

    /// Waits for the end.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.heard.recv_timeout(left) {
                Ok(line) => self.keep(line),
                // Both pipes closed: the last process is gone or going.
                Err(RecvTimeoutError::Disconnected) => {
                    return self.child.wait().expect("a child can be waited for");
                }
                Err(RecvTimeoutError::Timeout) => panic!(
                    "the run did not end; {}\n{}",
                    self.said(),
                    self.try_ss("-tan").unwrap_or_default()
                ),
            }
        }
    }

    /// SIGTERM to the supervisor, which hands it on, and the end.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        signal_to(self.pid(), Signal::TERM);
        self.end()
    }

    fn try_ss(&self, flags: &str) -> Option<String> {
        let pid = self.pid().to_string();
        let out = output(Command::new(hearken_bin()).args(["ss", flags, "--run", &pid]));
        out.status
            .success()
            .then(|| String::from_utf8_lossy(&out.stdout).into_owned())
    }

    /// `hearken ss` of this run.
    pub(crate) fn ss(&self, flags: &str) -> String {
        self.try_ss(flags).expect("hearken ss")
    }

    /// Open sockets of the supervisor. It keeps a pidfd for some of the threads that call it, so other descriptors
    /// may be more than before.
    pub(crate) fn sockets(&self) -> usize {
        let dir = std::fs::read_dir(format!("/proc/{}/fd", self.pid())).expect("own child");
        dir.filter_map(|e| std::fs::read_link(e.ok()?.path()).ok())
            .filter(|to| to.to_string_lossy().starts_with("socket:"))
            .count()
    }

    /// Most memory that was resident in the supervisor so far, in KiB.
    pub(crate) fn peak_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let status = status.expect("own child");
        let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|l| l.split_whitespace().next());
        peak.and_then(|n| n.parse().ok()).expect("VmHWM")
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Sends a signal to one process.
pub(crate) fn signal_to(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    kill_process(pid.expect("a process id"), signal).expect("own descendant");
}

/// Asks again and again until it holds or patience ends.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "never came true: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn hear(pipe: impl Read + Send + 'static, err: bool, tell: Sender<(bool, String)>) {
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if tell.send((err, line)).is_err() {
                return;
            }
        }
    });
}
