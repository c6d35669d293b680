//! Running scripts, several at a time.

use std::io::{IsTerminal, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use hearken_drill::{Outcome, RunOptions, System, Verdict, parse};

use super::find::{self, Found};
use super::{Drill, report};
use crate::{Failure, print};

/// What came of a script on one system.
pub(super) struct Ran {
    /// Its place among the scripts.
    pub(super) index: usize,
    pub(super) name: String,
    pub(super) system: System,
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
        match self.system {
            System::Hearken => self.name.clone(),
            System::Linux => format!("{} (Linux)", self.name),
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
    results.sort_by_key(|r| (r.index, r.system == System::Linux));
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
    let ran = |system, result, text: &str| Ran {
        index,
        name: found.name.clone(),
        system,
        result,
        text: text.to_owned(),
    };
    let text = match find::read(found) {
        Ok(text) => text,
        Err(message) => return vec![ran(drill.systems()[0], Err(message), "")],
    };
    let script = match parse(&found.name, &text, &drill.defines) {
        Ok(script) => script,
        Err(error) => return vec![ran(drill.systems()[0], Err(error.to_string()), &text)],
    };
    drill
        .systems()
        .iter()
        .map(|&system| {
            let options = options(drill, found, system);
            // A panic in one script is that script's failure, not the end of the others.
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                hearken_drill::run(&script, system, &options)
            }));
            let result = outcome.map_err(|_| {
                format!(
                    "{}: the runner panicked, which is a mistake of Hearken; its message is above",
                    found.name
                )
            });
            ran(system, result, &text)
        })
        .collect()
}

fn options(drill: &Drill, found: &Found, system: System) -> RunOptions {
    let settings = drill.settings();
    RunOptions {
        strict: drill.strict || (found.strict && !drill.lenient),
        pcap: drill.pcap.as_ref().map(|directory| {
            let name: String = found
                .name
                .trim_start_matches(['.', '/'])
                .trim_end_matches(".pkt")
                .replace('/', "_");
            let system = match system {
                System::Hearken => "hearken",
                System::Linux => "linux",
            };
            directory.join(format!("{name}.{system}.pcap"))
        }),
        always_pcap: drill.pcap.is_some(),
        ip_version: settings.ip_version,
        settings,
        seed: drill.seed.map(|s| s.0).unwrap_or_default(),
    }
}
