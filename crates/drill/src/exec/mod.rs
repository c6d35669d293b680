//! Runs a script on one of the two systems.

mod args;
mod calls;
mod compare;
mod conn;
mod control;
mod engine;
mod fds;
mod info;
mod md5;
mod options;
mod packet;
mod returns;
mod segment;
mod sides;
mod time;
mod trace;
mod world;

use std::time::Instant;

use hearken_twin::{drive_hearken, drive_linux};

use crate::ast::Script;
use crate::outcome::{Failure, Outcome, RunOptions, System, Verdict};
use crate::span::Span;
pub use sides::side_by_side;

use engine::{Ended, Engine};
use world::World;

/// Runs a script. What keeps it from running at all is a verdict, too.
#[must_use]
pub fn run(script: &Script, on: System, options: &RunOptions) -> Outcome {
    let began = Instant::now();
    let world = match World::new(&script.settings, options) {
        Ok(world) => world,
        Err(why) => return skipped(why, began),
    };
    let lan = world.lan();
    let ended = match on {
        System::Hearken => {
            let mut ended = drive_hearken(&lan, options.seed, |system| {
                Engine::new(script, &world, system).run()
            });
            ended.verdict = declared(script, on, ended.verdict);
            ended
        }
        System::Linux => {
            // The thread of its own that Linux runs in outlives no borrow.
            let (declaring, script) = (script, script.clone());
            let ran = drive_linux(&lan, move |system| {
                Engine::new(&script, &world, system).run()
            });
            match ran {
                Ok(mut ended) => {
                    ended.verdict = declared(declaring, on, ended.verdict);
                    ended
                }
                Err(why) => return skipped(why, began),
            }
        }
    };
    finish(ended, options, began)
}

/// The beginning of a script's line that says why one system does not do as the script says, though the other does: what
/// Hearken lacks, or what this machine's kernel got right only later.
fn differs(on: System) -> &'static str {
    match on {
        System::Hearken => "// differs on Hearken: ",
        System::Linux => "// differs on Linux: ",
    }
}

/// A difference that the script declares is no failure; but one that is gone is.
fn declared(script: &Script, on: System, verdict: Verdict) -> Verdict {
    let prefix = differs(on);
    let (name, other) = match on {
        System::Hearken => ("Hearken", "Linux"),
        System::Linux => ("Linux", "Hearken"),
    };
    let mut lines = (1..).zip(script.text.lines());
    let found = lines.find_map(|(at, line)| Some((at, line.strip_prefix(prefix)?)));
    match (found, verdict) {
        // Linux that could not be asked (no root) has not shown the difference.
        (Some(_), Verdict::Skip(why)) if on == System::Linux => Verdict::Skip(why),
        (Some((_, why)), Verdict::Fail(_) | Verdict::Skip(_)) => {
            let why = why.trim_end();
            Verdict::Skip(format!("a known difference from {other}: {why}"))
        }
        (Some((line, why)), Verdict::Pass) => Verdict::Fail(Box::new(Failure {
            span: Span {
                line,
                column: 1,
                width: (prefix.len() + why.len()) as u32,
            },
            headline: format!("{name} does what this script says it does not: take the line out"),
            ..Failure::default()
        })),
        (_, verdict) => verdict,
    }
}

fn skipped(why: String, began: Instant) -> Outcome {
    Outcome {
        verdict: Verdict::Skip(why),
        notes: Vec::new(),
        output: Vec::new(),
        trace: Vec::new(),
        took: began.elapsed(),
        script_time: std::time::Duration::ZERO,
    }
}

fn finish(mut ended: Ended, options: &RunOptions, began: Instant) -> Outcome {
    let failed = matches!(ended.verdict, Verdict::Fail(_));
    if let Some(path) = &options.pcap
        && (failed || options.always_pcap)
    {
        match ended.trace.write_pcap(path) {
            Ok(()) => ended
                .notes
                .push(format!("packets written to {}", path.display())),
            Err(error) => {
                let path = path.display();
                ended
                    .notes
                    .push(format!("{path} could not be written: {error}"));
            }
        }
    }
    Outcome {
        trace: ended.trace.lines(),
        verdict: ended.verdict,
        notes: ended.notes,
        output: ended.output,
        took: began.elapsed(),
        script_time: ended.script_time,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn difference_of_one_system_is_declared_for_that_one_only() {
        let text = "0 > . 1:1(0) ack 1\n// differs on Linux: fixed in 7.2";
        let script = crate::parse("a.pkt", text, &[]).expect("a script");
        let failed = || Verdict::Fail(Box::default());
        assert_eq!(
            declared(&script, System::Linux, failed()),
            Verdict::Skip("a known difference from Hearken: fixed in 7.2".to_owned())
        );
        let Verdict::Fail(gone) = declared(&script, System::Linux, Verdict::Pass) else {
            panic!("the difference is gone");
        };
        assert_eq!(gone.span.line, 2);
        let no_root = Verdict::Skip("no root".to_owned());
        assert_eq!(declared(&script, System::Linux, no_root.clone()), no_root);
        assert_eq!(declared(&script, System::Hearken, failed()), failed());
    }
}
