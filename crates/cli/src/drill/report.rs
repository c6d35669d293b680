//! What a person reads.

use std::fmt::Write as _;
use std::time::Duration;

use hearken_drill::error::excerpt;
use hearken_drill::{Failure, Outcome, System, Verdict, side_by_side};

use super::jobs::Ran;

/// What is said of a script: nothing if it passed, unless `verbose`.
pub(super) fn script(ran: &[Ran], verbose: bool) -> String {
    let mut out = String::new();
    for one in ran {
        out += &line(one, verbose);
        if let Ok(outcome) = &one.result {
            // Where the packets of a failure are is worth a line without being asked.
            if verbose || one.failed() {
                for note in &outcome.notes {
                    let _ = writeln!(out, "     note: {note}");
                }
            }
            for text in &outcome.output {
                let _ = writeln!(out, "     {text}");
            }
        }
    }
    let pairs = ran.chunk_by(|a, b| a.version == b.version);
    for pair in pairs {
        if let [ours, linux] = pair
            && let Some(parting) = parting(ours, linux)
        {
            let _ = writeln!(out, "     {parting}");
            if let (Ok(ours), Ok(linux)) = (&ours.result, &linux.result)
                && let Some(sides) = side_by_side(&ours.trace, &linux.trace)
            {
                out += &sides;
            }
        }
    }
    out
}

fn line(ran: &Ran, verbose: bool) -> String {
    let title = ran.title();
    match &ran.result {
        Err(message) => format!("FAIL {message}\n"),
        Ok(outcome) => {
            let took = millis(outcome.took);
            match &outcome.verdict {
                Verdict::Pass if verbose => format!("ok   {title} ({took})\n"),
                Verdict::Pass => String::new(),
                Verdict::Skip(why) => format!("skip {title}: {why}\n"),
                Verdict::Fail(failure) => {
                    format!("FAIL {title} ({took})\n{}", details(ran, failure))
                }
            }
        }
    }
}

/// Place, sentence, excerpt, trace, and the two sides.
pub(super) fn details(ran: &Ran, failure: &Failure) -> String {
    let span = failure.span;
    let mut out = format!(
        "{}:{}:{}: {}\n",
        ran.name, span.line, span.column, failure.headline
    );
    if let Some(line) = ran.text.lines().nth(span.line.saturating_sub(1) as usize) {
        let _ = writeln!(out, "{}", excerpt(line.trim_end(), span));
    }
    if !failure.trace.is_empty() {
        out += "  until then:\n";
        for line in &failure.trace {
            let _ = writeln!(out, "    {line}");
        }
    }
    out + &sides(&failure.expected, &failure.actual)
}

/// Expected above actual, with a mark where they part.
fn sides(expected: &str, actual: &str) -> String {
    if expected.is_empty() && actual.is_empty() {
        return String::new();
    }
    let same = expected
        .chars()
        .zip(actual.chars())
        .take_while(|(a, b)| a == b)
        .count();
    let mut out = format!("  expected  {expected}\n  actual    {actual}\n");
    if expected != actual && !expected.is_empty() && !actual.is_empty() {
        let _ = writeln!(out, "            {}^", " ".repeat(same));
    }
    out
}

/// Where Hearken and Linux part.
fn parting(ours: &Ran, linux: &Ran) -> Option<String> {
    let verdict = |ran: &Ran| match &ran.result {
        Ok(Outcome { verdict, .. }) => Some(verdict.clone()),
        Err(_) => None,
    };
    match (verdict(ours)?, verdict(linux)?) {
        (Verdict::Fail(f), Verdict::Pass) => Some(format!(
            "they part in line {}: Linux does what the script says, Hearken does not",
            f.span.line
        )),
        (Verdict::Pass, Verdict::Fail(f)) => Some(format!(
            "they part in line {}: Hearken does what the script says, Linux does not",
            f.span.line
        )),
        (Verdict::Fail(a), Verdict::Fail(b))
            if (a.span.line, &a.actual) != (b.span.line, &b.actual) =>
        {
            Some(format!(
                "neither does what the script says: Hearken leaves it in line {}, Linux in line {}",
                a.span.line, b.span.line
            ))
        }
        (Verdict::Fail(a), Verdict::Fail(_)) => Some(format!(
            "both leave the script in line {}, in the same way: the script may be wrong",
            a.span.line
        )),
        _ => None,
    }
}

/// The last line.
pub(super) fn summary(ran: &[Ran], scripts: usize, systems: &[System], took: Duration) -> String {
    let count = |wanted: fn(&Verdict) -> bool| {
        ran.iter()
            .filter(|r| r.result.as_ref().is_ok_and(|o| wanted(&o.verdict)))
            .count()
    };
    let passed = count(|v| matches!(v, Verdict::Pass));
    let skipped = count(|v| matches!(v, Verdict::Skip(_)));
    let failed = ran.iter().filter(|r| r.failed()).count();
    let on = match systems {
        [System::Hearken, System::Linux] => " on Hearken and on Linux",
        [System::Linux] => " on Linux",
        _ => "",
    };
    let mut begun: Vec<usize> = ran.iter().map(|r| r.index).collect();
    begun.dedup();
    let left = match scripts - begun.len().min(scripts) {
        0 => String::new(),
        n => format!(", {n} not begun"),
    };
    format!(
        "{scripts} scripts{on}: {passed} passed, {failed} failed, {skipped} skipped{left} in {}\n",
        millis(took)
    )
}

/// A time for people: `3.4 ms`, `1.25 s`.
fn millis(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        format!("{:.1} ms", time.as_secs_f64() * 1e3)
    } else {
        format!("{:.2} s", time.as_secs_f64())
    }
}
