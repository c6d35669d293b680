//! Starting `hearken run` from a test, hearing what it says, and ending it whatever happens.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// How long a test waits for one thing that must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The binary under test.
pub(crate) const HEARKEN: &str = env!("CARGO_BIN_EXE_hearken");

/// A program of `tests/programs`.
pub(crate) fn program(name: &str) -> String {
    let dir: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "programs", name]
        .iter()
        .collect();
    dir.to_string_lossy().into_owned()
}

/// A port that nobody listens on at this moment.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port of the host");
    listener.local_addr().expect("bound").port()
}

/// Runs `hearken` to its end.
pub(crate) fn hearken(args: &[&str]) -> Output {
    Command::new(HEARKEN)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .expect("hearken starts")
}

/// Stdout of a `hearken` that must succeed.
pub(crate) fn hearken_ok(args: &[&str]) -> String {
    let out = hearken(args);
    assert!(
        out.status.success(),
        "hearken {args:?}: {}\n{}",
        out.status,
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8(out.stdout).expect("UTF-8")
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
    /// `hearken run OPTIONS -- python3 carried.py MODE...`
    pub(crate) fn python(options: &[&str], mode: &[&str]) -> Self {
        let script = program("carried.py");
        let mut cmd = vec!["python3", &script];
        cmd.extend(mode);
        Run::start(options, &cmd)
    }

    /// `hearken run OPTIONS -- CMD`
    pub(crate) fn start(options: &[&str], cmd: &[&str]) -> Self {
        let mut command = Command::new(HEARKEN);
        command.arg("run").args(options).arg("--").args(cmd);
        Run::spawn(command)
    }

    /// Any command whose pipes are to be heard.
    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child = command
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

    /// Process id of the supervisor.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
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
            match self
                .heard
                .recv_timeout(end.saturating_duration_since(Instant::now()))
            {
                Ok(line) => self.keep(line),
                Err(RecvTimeoutError::Timeout) => panic!("no '{begin}' came; {}", self.said()),
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("the run ended before '{begin}' came; {}", self.said())
                }
            }
        }
    }

    /// Forgets what was said, so that `expect` sees only what is new.
    pub(crate) fn forget(&mut self) {
        self.stdout.clear();
    }

    fn keep(&mut self, (err, line): (bool, String)) {
        if err {
            self.stderr.push(line);
        } else {
            self.stdout.push(line);
        }
    }

    /// All it said, for a message.
    pub(crate) fn said(&self) -> String {
        format!(
            "stdout:\n{}\nstderr:\n{}",
            self.stdout.join("\n"),
            self.stderr.join("\n")
        )
    }

    /// Sends a signal to the supervisor.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        signal_to(self.pid(), signal);
    }

    /// Waits for the end.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            match self
                .heard
                .recv_timeout(end.saturating_duration_since(Instant::now()))
            {
                Ok(line) => self.keep(line),
                // Both pipes closed: the last process is gone or going.
                Err(RecvTimeoutError::Disconnected) => {
                    return self.child.wait().expect("a child can be waited for");
                }
                Err(RecvTimeoutError::Timeout) => panic!("the run did not end; {}", self.said()),
            }
        }
    }

    /// SIGTERM and the end.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        self.signal(rustix::process::Signal::TERM);
        self.end()
    }

    /// `hearken ss` of this run.
    pub(crate) fn ss(&self, flags: &str) -> String {
        hearken_ok(&["ss", flags, "--run", &self.pid().to_string()])
    }

    /// One counter of this run.
    pub(crate) fn counter(&self, name: &str) -> u64 {
        let pid = self.pid().to_string();
        let text = hearken_ok(&["nstat", "--run", &pid, "-asz", "--json", name]);
        let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        json["hearken"][name]
            .as_u64()
            .unwrap_or_else(|| panic!("{name} is no counter: {text}"))
    }

    /// Open descriptors of the supervisor.
    pub(crate) fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid()))
            .expect("own child")
            .count()
    }

    /// Resident memory of the supervisor in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("own child");
        status
            .lines()
            .find_map(|l| l.strip_prefix("VmRSS:"))
            .and_then(|l| l.split_whitespace().next())
            .and_then(|n| n.parse().ok())
            .expect("VmRSS")
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

/// Until a `hearken trace` or `hearken pcap` says on stderr that it is attached.
pub(crate) fn attached(child: &mut Child) {
    let mut line = String::new();
    let stderr = child.stderr.take().expect("piped");
    BufReader::new(stderr).read_line(&mut line).expect("stderr");
    assert!(line.contains("Ctrl-C ends it"), "{line}");
}

/// Sends a signal to one process.
pub(crate) fn signal_to(pid: u32, signal: rustix::process::Signal) {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw)
        .expect("a process id");
    rustix::process::kill_process(pid, signal).expect("own child");
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
