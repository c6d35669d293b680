//! `hearken demo`: a server under `run`, a fetch through its published port, the check of what came, and a look inside.

mod bytes;
mod fetch;
mod server;

pub(crate) use server::serve;

use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use hearken_run::control::Get;

use crate::{Failure, args, nstat, ss, stack};

/// The port that the carried server listens on, inside.
const INNER_PORT: u16 = 8000;

/// `ss -tan`.
const FORM: ss::Form = ss::Form {
    header: true,
    netid: false,
    state: true,
    processes: false,
    timer: false,
    extended: false,
    memory: false,
    info: false,
    one_line: false,
    names: false,
};

/// How long the server may take to say that it listens.
const START_LIMIT: Duration = Duration::from_secs(20);

/// How long the run may take to end once its program was told to.
const END_LIMIT: Duration = Duration::from_secs(5);

pub(crate) fn demo(options: &args::Demo) -> Result<(), Failure> {
    let end = Instant::now() + Duration::from_secs(options.limit.into());
    let bytes = u64::from(options.mib) << 20;
    say(&format!(
        "Starting a server under `hearken run -p 127.0.0.1:0:{INNER_PORT} --trace`: an ordinary program over std::net."
    ));
    let mut carried = Carried::start(bytes)?;
    carried.wait_until_it_listens()?;
    let published = stack::published(carried.pid())?
        .ok_or_else(|| carried.explain("the run does not say what port it published"))?;

    say(&format!(
        "Fetching {} MiB from http://{published}/ with an ordinary client of this machine.",
        options.mib
    ));
    let tty = std::io::stderr().is_terminal();
    let fetched = fetch::fetch(published, end, |done, total| {
        if tty {
            eprint!("\r  {:>5} / {} MiB ", done >> 20, total >> 20);
        }
    });
    if tty {
        eprint!("\r{:30}\r", "");
    }
    let fetched = fetched.map_err(|e| carried.explain(e))?;
    if fetched.length != bytes {
        return Err(carried.explain(format!(
            "{} bytes came, {bytes} were asked for",
            fetched.length
        )));
    }
    let right = bytes::sha256(bytes);
    if fetched.sha256 != right {
        return Err(carried.explain(format!(
            "the SHA-256 is {}, but {right} is right",
            fetched.sha256
        )));
    }
    say(&format!(
        "{} bytes in {:.2} s ({:.0} MiB/s), SHA-256 {} is right.",
        fetched.length,
        fetched.took.as_secs_f64(),
        (fetched.length >> 20) as f64 / fetched.took.as_secs_f64().max(1e-9),
        &right[..16],
    ));

    let sockets = stack::sockets(Some(carried.pid()), Get::Ss)?;
    let (_, counters) = stack::counters(Some(carried.pid()))?;
    let lines = carried.end()?;

    say("\nThe way of its listen(2), as --trace printed it:\n");
    say(lines.walk("listen(").trim_end());
    if let Some(log) = lines.stdout.iter().find(|l| l.starts_with("GET ")) {
        say(&format!(
            "\nWhat the server saw (127.0.0.1 of this machine is 10.0.2.2 inside):\n\n  {log}"
        ));
    }
    say("\nhearken ss -tan, while it ran:\n");
    say(ss::table(&sockets, FORM).trim_end());
    say("\nhearken nstat, while it ran:\n");
    say(nstat::table(&nstat::moved(counters.clone(), false)).trim_end());

    if !sockets
        .iter()
        .any(|s| s.row.state == "LISTEN" && s.local.port() == INNER_PORT)
    {
        return Err("the listener is missing from ss".into());
    }
    if !counters
        .iter()
        .any(|(name, value)| name == "TcpPassiveOpens" && *value > 0)
    {
        return Err("TcpPassiveOpens did not count the connection".into());
    }
    // Without namespaces of its own there is nothing to compare with: the kernel's counters are the whole host's.
    if let Some((active, passive)) = lines.kernel_opens() {
        if (active, passive) != (0, 0) {
            return Err(format!(
                "the kernel's own TCP opened {active} + {passive} connections in the namespace"
            )
            .into());
        }
        say(
            "\nAll of it was Hearken's: in the server's namespace the kernel's own TCP opened no connection.",
        );
    }
    say("Next: hearken run --help");
    Ok(())
}

fn say(text: &str) {
    // A reader that has gone is noticed by the exit status of the pipe's other end, not here.
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// What the run wrote, line by line.
#[derive(Default)]
struct Lines {
    stdout: Vec<String>,
    stderr: Vec<String>,
}

impl Lines {
    /// The first tree of the trace whose root names this call: the root's line and all deeper ones.
    fn walk(&self, call: &str) -> String {
        let mut lines = self.stderr.iter().skip_while(|l| !l.contains(call));
        let Some(root) = lines.next() else {
            return String::new();
        };
        let depth = indent(root);
        let mut out = format!("{root}\n");
        for line in lines.take_while(|l| indent(l) > depth) {
            out.push_str(line);
            out.push('\n');
        }
        out
    }
}

impl Lines {
    /// ActiveOpens and PassiveOpens of the kernel's own TCP, as `--stats` reports them.
    fn kernel_opens(&self) -> Option<(u64, u64)> {
        let count = |name: &str| {
            self.stderr.iter().find_map(|l| {
                l.strip_prefix("kernel ")?
                    .strip_prefix(name)?
                    .trim()
                    .parse()
                    .ok()
            })
        };
        Some((count("TcpActiveOpens")?, count("TcpPassiveOpens")?))
    }
}

/// How many columns a line of the trace is moved in, blanks and tree-drawing characters alike.
fn indent(line: &str) -> usize {
    line.chars()
        .take_while(|c| c.is_whitespace() || "│├└─|`+-".contains(*c))
        .count()
}

enum Heard {
    Out(String),
    Err(String),
}

/// `hearken run` with the server in it; ended when dropped.
struct Carried {
    child: Child,
    heard: mpsc::Receiver<Heard>,
    lines: Lines,
}

impl Carried {
    fn start(bytes: u64) -> Result<Self, Failure> {
        let me = std::env::current_exe()?;
        let mut child = Command::new(&me)
            .arg("run")
            .args(["--trace", "--stats"])
            .args(["-p", &format!("127.0.0.1:0:{INNER_PORT}"), "--"])
            .arg(&me)
            .arg("__demo-server")
            .args([INNER_PORT.to_string(), bytes.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (tell, heard) = mpsc::channel();
        if let Some(out) = child.stdout.take() {
            listen_to(out, tell.clone(), Heard::Out);
        }
        if let Some(err) = child.stderr.take() {
            listen_to(err, tell, Heard::Err);
        }
        Ok(Carried {
            child,
            heard,
            lines: Lines::default(),
        })
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }

    fn wait_until_it_listens(&mut self) -> Result<(), Failure> {
        let end = Instant::now() + START_LIMIT;
        while !self.lines.stdout.iter().any(|l| l.starts_with("listening")) {
            let left = end.saturating_duration_since(Instant::now());
            match self.heard.recv_timeout(left) {
                Ok(heard) => self.keep(heard),
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    return Err(self.explain("the server did not start in time"));
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    let status = self.child.wait()?;
                    return Err(self.explain(format!("the run ended early, {status}")));
                }
            }
        }
        Ok(())
    }

    fn keep(&mut self, heard: Heard) {
        match heard {
            Heard::Out(line) => self.lines.stdout.push(line),
            Heard::Err(line) => self.lines.stderr.push(line),
        }
    }

    /// The error, and what the run said last.
    fn explain(&mut self, error: impl std::fmt::Display) -> Failure {
        while let Ok(heard) = self.heard.try_recv() {
            self.keep(heard);
        }
        let from = self.lines.stderr.len().saturating_sub(12);
        let tail: String = self.lines.stderr[from..]
            .iter()
            .map(|l| format!("\n  | {l}"))
            .collect();
        format!("{error}{tail}\n`hearken doctor` says whether this machine lacks something").into()
    }

    /// Tells the run to end and hands back all that it said.
    fn end(mut self) -> Result<Lines, Failure> {
        self.terminate()?;
        // Both pipes end with the run's last process.
        let end = Instant::now() + END_LIMIT;
        while let Ok(heard) = self
            .heard
            .recv_timeout(end.saturating_duration_since(Instant::now()))
        {
            self.keep(heard);
        }
        Ok(std::mem::take(&mut self.lines))
    }

    /// SIGTERM, which the run passes on to its program; SIGKILL if that does not help.
    fn terminate(&mut self) -> Result<(), Failure> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        if let Some(pid) = i32::try_from(self.pid())
            .ok()
            .and_then(rustix::process::Pid::from_raw)
        {
            rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        }
        let end = Instant::now() + END_LIMIT;
        while self.child.try_wait()?.is_none() {
            match self.heard.recv_timeout(Duration::from_millis(20)) {
                Ok(heard) => self.keep(heard),
                Err(_) if Instant::now() < end => {
                    // Both pipes may end a moment before the process does.
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(_) => {
                    self.child.kill()?;
                    self.child.wait()?;
                    return Err(self.explain("the run did not end on SIGTERM and was killed"));
                }
            }
        }
        Ok(())
    }
}

impl Drop for Carried {
    fn drop(&mut self) {
        // An error is on its way to the user already.
        let _ = self.terminate();
    }
}

fn listen_to(
    pipe: impl Read + Send + 'static,
    tell: mpsc::Sender<Heard>,
    wrap: fn(String) -> Heard,
) {
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines() {
            let Ok(line) = line else { return };
            if tell.send(wrap(line)).is_err() {
                return;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walk_of_a_call_is_its_root_and_all_below() {
        let lines = Lines {
            stdout: Vec::new(),
            stderr: [
                "bind(3) = 0",
                "  x",
                "listen(3, 511)",
                "├─ socket 7",
                "│  └─ backlog",
                "└─ = 0",
                "accept4(3)",
                "  y",
            ]
            .map(str::to_owned)
            .to_vec(),
        };
        assert_eq!(
            lines.walk("listen("),
            "listen(3, 511)\n├─ socket 7\n│  └─ backlog\n└─ = 0\n"
        );
        assert_eq!(lines.walk("connect("), "");
        assert_eq!(lines.kernel_opens(), None);
    }

    #[test]
    fn kernel_opens_are_read_from_the_stats() {
        let lines = Lines {
            stdout: Vec::new(),
            stderr: [
                "kernel TcpActiveOpens 0",
                "kernel TcpPassiveOpens 3",
                "hearken TcpPassiveOpens 1",
            ]
            .map(str::to_owned)
            .to_vec(),
        };
        assert_eq!(lines.kernel_opens(), Some((0, 3)));
    }
}
