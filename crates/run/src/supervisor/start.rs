//! From options to an exit status.

use super::Supervisor;
use super::host::{Host, publish::listen};
use super::stack::Stack;
use super::stats::KernelCounters;
use crate::control;
use crate::exit::{self, Signals};
use crate::launch;
use crate::options::Options;
use crate::watch::Watch;

/// Runs a program until its last descendant has gone; gives the exit status: the program's own, 125
/// if Hearken failed, 126 or 127 if the program could not be started, 128 + n for signal n.
///
/// `main` must have called [`crate::guardian::become_guardian_if_asked`] before.
pub fn run(options: &Options) -> u8 {
    match try_run(options) {
        Ok(code) => code,
        Err(e) => {
            eprintln!("hearken: {e}");
            exit::FAILED
        }
    }
}

fn try_run(options: &Options) -> Result<u8, Box<dyn std::error::Error>> {
    // What can be refused is refused before the program begins.
    let watch = Watch::default();
    let stack = Stack::new(options, &watch)?;
    let host = Host::new(listen(&options.publish)?);
    let signals = Signals::take()?;
    let child = launch::launch(&launch::Options {
        command: options.cmd.clone(),
        sysctls: options
            .sysctls
            .iter()
            .map(|s| (s.name.clone(), s.value.clone()))
            .collect(),
        mask: Some(signals.original),
        filter_alone: false,
    })?;
    for note in &child.notes {
        eprintln!("hearken: {note}");
    }
    let control = match control::Server::new() {
        Ok(control) => Some(control),
        Err(e) => {
            eprintln!("hearken: `hearken ss` will not see this run: {e}");
            None
        }
    };
    let stats = if options.stats {
        KernelCounters::of(&child)
    } else {
        None
    };
    Ok(Supervisor::new(
        child,
        signals,
        stack,
        host,
        control,
        (watch, options.trace),
        stats,
    )?
    .run()?)
}
