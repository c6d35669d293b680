//! Runs a script on one of the two systems.

mod args;
mod calls;
mod compare;
mod conn;
mod engine;
mod fds;
mod info;
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
            ended.verdict = declared(script, ended.verdict);
            ended
        }
        System::Linux => {
            // The thread of its own that Linux runs in outlives no borrow.
            let (script, world) = (script.clone(), world);
            let ran = drive_linux(&lan, move |system| {
                Engine::new(&script, &world, system).run()
            });
            match ran {
                Ok(ended) => ended,
                Err(why) => return skipped(why, began),
            }
        }
    };
    finish(ended, options, began)
}

/// The beginning of a script's line that says why Hearken does not do as the script says, though Linux does.
const DIFFERS: &str = "// differs on Hearken: ";

/// A difference that the script declares is no failure; but one that is gone is.
fn declared(script: &Script, verdict: Verdict) -> Verdict {
    let mut lines = (1..).zip(script.text.lines());
    let found = lines.find_map(|(at, line)| Some((at, line.strip_prefix(DIFFERS)?)));
    match (found, verdict) {
        (Some((_, why)), Verdict::Fail(_) | Verdict::Skip(_)) => {
            Verdict::Skip(format!("a known difference from Linux: {}", why.trim_end()))
        }
        (Some((line, why)), Verdict::Pass) => Verdict::Fail(Box::new(Failure {
            span: Span {
                line,
                column: 1,
                width: (DIFFERS.len() + why.len()) as u32,
            },
            headline: "Hearken does what this script says it does not: take the line out"
                .to_owned(),
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
