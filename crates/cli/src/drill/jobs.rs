//! Running scripts, several at a time.

use std::io::{IsTerminal, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use hearken_drill::ast::IpVersion;
use hearken_drill::{Outcome, RunOptions, System, Verdict, parse_each};

use super::find::{self, Found};
use super::{Drill, report};
use crate::{Failure, print};

/// What came of a script on one system.
pub(super) struct Ran {
    /// Its place among the scripts.
    pub(super) index: usize,
    pub(super) name: String,
    pub(super) system: System,
    /// The IP version, of a script that is run under several.
    pub(super) version: Option<IpVersion>,
    pub(super) result: Result<Outcome, String>,
    /// The script's text, for excerpts.
    pub(super) text: String,
}

impl Ran {
    pub(super) fn failed(&self) -> bool {
        !matches!(
            &self.result,
            Ok(Outcome {
                verdict: Verdict::Pass | Verdict::Skip(_),
                ..
            })
        )
    }

    /// The script's name, and the system where it is not the usual one.
    pub(super) fn title(&self) -> String {
        let system = (self.system == System::Linux).then_some("Linux");
        let said: Vec<&str> = self
            .version
            .map(IpVersion::name)
            .into_iter()
            .chain(system)
            .collect();
        match said.is_empty() {
            true => self.name.clone(),
            false => format!("{} ({})", self.name, said.join(", ")),
        }
    }
}

/// Runs all scripts; the results are in the order of the scripts.
pub(super) fn run(drill: &Drill, found: &[Found]) -> Result<Vec<Ran>, Failure> {
    let jobs = drill
        .jobs
        .map(usize::from)
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let (sender, receiver) = mpsc::channel();
    let quiet = [&drill.tap, &drill.junit]
        .into_iter()
        .flatten()
        .any(|p| p.as_os_str() == "-");
    let mut results = std::thread::scope(|scope| {
        for _ in 0..jobs.min(found.len()) {
            let sender = sender.clone();
            let (next, stop) = (&next, &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(script) = found.get(index) else {
                        break;
                    };
                    let ran = one(drill, script, index);
                    if drill.fail_fast && ran.iter().any(Ran::failed) {
                        stop.store(true, Ordering::Relaxed);
                    }
                    if sender.send(ran).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        collect(&receiver, drill, found.len(), quiet)
    })?;
    results.sort_by_key(|r| r.index);
    Ok(results)
}

/// Prints what comes in, and keeps it.
fn collect(
    receiver: &mpsc::Receiver<Vec<Ran>>,
    drill: &Drill,
    of: usize,
    quiet: bool,
) -> Result<Vec<Ran>, Failure> {
    let progress = std::io::stderr().is_terminal() && !quiet;
    let mut all = Vec::new();
    for (done, ran) in receiver.iter().enumerate() {
        let text = report::script(&ran, drill.verbose);
        if progress {
            eprint!("\r\x1b[K");
        }
        if !quiet && !text.is_empty() {
            print(&text)?;
        }
        if progress && done + 1 < of {
            eprint!("{} of {of}", done + 1);
            let _ = std::io::stderr().flush();
        }
        all.extend(ran);
    }
    Ok(all)
}

/// One script on every system that is asked for.
fn one(drill: &Drill, found: &Found, index: usize) -> Vec<Ran> {
    let ran = |system, version, result, text: &str| Ran {
        index,
        name: found.name.clone(),
        system,
        version,
        result,
        text: text.to_owned(),
    };
    let text = match find::read(found) {
        Ok(text) => text,
        Err(message) => return vec![ran(drill.systems()[0], None, Err(message), "")],
    };
    let only = drill.settings().ip_version;
    let scripts = match parse_each(&found.name, &text, &drill.defines, only) {
        Ok(scripts) => scripts,
        Err(error) => {
            let result = Err(error.to_string());
            return vec![ran(drill.systems()[0], None, result, &text)];
        }
    };
    let several = scripts.len() > 1;
    let each = scripts
        .iter()
        .flat_map(|script| drill.systems().iter().map(move |&system| (script, system)));
    each.map(|(script, system)| {
        let version = script.settings.ip_version.filter(|_| several);
        let options = options(drill, found, system, version);
        // A panic in one script is that script's failure, not the end of the others.
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            hearken_drill::run(script, system, &options)
        }));
        let result = outcome.map_err(|_| {
            format!(
                "{}: the runner panicked, which is a mistake of Hearken; its message is above",
                found.name
            )
        });
        ran(system, version, result, &text)
    })
    .collect()
}

/// Where the packets of scripts that fail go when no directory is named.
fn failures() -> PathBuf {
    std::env::temp_dir().join("hearken-drill")
}

fn options(drill: &Drill, found: &Found, system: System, version: Option<IpVersion>) -> RunOptions {
    let settings = drill.settings();
    RunOptions {
        strict: drill.strict || (found.strict && !drill.lenient),
        pcap: Some({
            let name: String = found
                .name
                .trim_start_matches(['.', '/'])
                .trim_end_matches(".pkt")
                .replace('/', "_");
            let version = version
                .map(|v| format!(".{}", v.name()))
                .unwrap_or_default();
            let system = match system {
                System::Hearken => "hearken",
                System::Linux => "linux",
            };
            let directory = drill.pcap.clone().unwrap_or_else(failures);
            directory.join(format!("{name}{version}.{system}.pcap"))
        }),
        always_pcap: drill.pcap.is_some(),
        ip_version: settings.ip_version,
        settings,
        seed: drill.seed.map(|s| s.0).unwrap_or_default(),
    }
}
