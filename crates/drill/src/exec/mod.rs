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
use crate::outcome::{Outcome, RunOptions, System, Verdict};
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
        System::Hearken => drive_hearken(&lan, options.seed, |system| {
            Engine::new(script, &world, system).run()
        }),
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
