//! One sequence on both systems, and what it comes to.

use core::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use hearken_twin::{run_hearken, run_linux};

use crate::op::Op;
use crate::world::{Step, play};

/// A sequence on Linux that took longer says nothing: the timer of a delayed ACK (40 ms at the least) may have run.
const IN_TIME: Duration = Duration::from_millis(38);
/// How often Linux is asked until two answers are the same.
const TRIES: usize = 8;

/// What both systems showed.
pub(crate) enum Verdict {
    /// The same.
    Alike,
    /// Linux was not asked, on purpose, and `run_linux` has said so.
    NotAsked,
    /// Linux does not answer the same twice, or not in time.
    Unsteady,
    /// A disagreement: how it reads, and the first place of it.
    Differ(String),
}

/// Plays the sequence on Linux until it was in time.
fn linux(ops: &[Op]) -> Option<Option<Vec<Step>>> {
    for _ in 0..TRIES {
        let (sender, answer) = mpsc::channel();
        let ops = ops.to_vec();
        let asked = AssertUnwindSafe(|| {
            run_linux(move |t| {
                let began = Instant::now();
                let steps = play(t, &ops);
                sender
                    .send((steps, began.elapsed()))
                    .expect("the test waits");
            })
        });
        if catch_unwind(asked).is_err() {
            // A packet that cannot be read, which has been printed.
            return Some(None);
        }
        // Nothing came: Linux was left out.
        let (steps, took) = answer.try_recv().ok()?;
        if took < IN_TIME {
            return Some(Some(steps));
        }
    }
    Some(None)
}

fn hearken(ops: &[Op]) -> Vec<Step> {
    let mut steps = Vec::new();
    let played = catch_unwind(AssertUnwindSafe(|| {
        run_hearken(|t| steps = play(t, ops));
    }));
    if let Err(panic) = played {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied());
        steps.push(Step {
            title: format!("a panic: {}", text.unwrap_or("?")),
            lines: Vec::new(),
        });
    }
    steps
}

/// Plays the sequence on both. A disagreement is believed once Linux has answered the same twice.
pub(crate) fn compare(ops: &[Op]) -> Verdict {
    let ours = hearken(ops);
    let Some(first) = linux(ops) else {
        return Verdict::NotAsked;
    };
    let Some(mut last) = first else {
        return Verdict::Unsteady;
    };
    for _ in 0..TRIES {
        if last == ours {
            return Verdict::Alike;
        }
        let Some(Some(again)) = linux(ops) else {
            return Verdict::Unsteady;
        };
        if again == last {
            return Verdict::Differ(describe(&last, &ours));
        }
        last = again;
    }
    Verdict::Unsteady
}

/// The steps up to the first that differs, and both sides of that one.
fn describe(linux: &[Step], ours: &[Step]) -> String {
    let mut text = String::new();
    for (at, step) in linux.iter().enumerate() {
        let same = ours.get(at) == Some(step);
        let _ = writeln!(text, "{}", step.title);
        if same {
            for line in &step.lines {
                let _ = writeln!(text, "    both   {line}");
            }
            continue;
        }
        let other: &[String] = ours.get(at).map_or(&[], |step| &step.lines);
        if let Some(step) = ours.get(at).filter(|other| other.title != step.title) {
            let _ = writeln!(text, "    ours   {}", step.title);
        }
        for line in step.lines.iter().filter(|line| !other.contains(line)) {
            let _ = writeln!(text, "    Linux  {line}");
        }
        for line in other.iter().filter(|line| !step.lines.contains(line)) {
            let _ = writeln!(text, "    ours   {line}");
        }
        if step.lines.len() == other.len() && step.lines.iter().all(|line| other.contains(line)) {
            let _ = writeln!(text, "    (the same lines in another order)");
        }
        break;
    }
    text
}

/// Takes out of the sequence whatever the disagreement does not need: runs of operations, the longest first; then what
/// is unusual about those that stay.
pub(crate) fn shrink(ops: &[Op]) -> (Vec<Op>, String) {
    let mut ops = ops.to_vec();
    let mut text = String::new();
    let mut run = ops.len().div_ceil(2);
    while run > 0 {
        let mut at = 0;
        while at < ops.len() {
            let mut fewer = ops.clone();
            fewer.drain(at..(at + run).min(ops.len()));
            match compare(&fewer) {
                Verdict::Differ(why) => (ops, text) = (fewer, why),
                Verdict::Alike | Verdict::NotAsked | Verdict::Unsteady => at += run,
            }
        }
        run /= 2;
    }
    for at in 0..ops.len() {
        for plainer in ops[at].plainer() {
            let mut other = ops.clone();
            other[at] = plainer(ops[at]);
            if other != ops
                && let Verdict::Differ(why) = compare(&other)
            {
                (ops, text) = (other, why);
            }
        }
    }
    if text.is_empty()
        && let Verdict::Differ(why) = compare(&ops)
    {
        text = why;
    }
    (ops, text)
}
