//! TAP version 14.

use std::fmt::Write as _;

use hearken_drill::Verdict;

use super::jobs::Ran;
use super::report;

pub(super) fn tap(ran: &[Ran]) -> String {
    let mut out = format!("TAP version 14\n1..{}\n", ran.len());
    for (i, one) in ran.iter().enumerate() {
        let number = i + 1;
        let title = one.title().replace('\\', "\\\\").replace('#', "\\#");
        let (ok, directive, message) = match &one.result {
            Err(message) => ("not ok", String::new(), Some(message.clone())),
            Ok(outcome) => match &outcome.verdict {
                Verdict::Pass => ("ok", String::new(), None),
                Verdict::Skip(why) => ("ok", format!(" # SKIP {}", one_line(why)), None),
                Verdict::Fail(failure) => {
                    ("not ok", String::new(), Some(report::details(one, failure)))
                }
            },
        };
        let _ = writeln!(out, "{ok} {number} - {title}{directive}");
        let took = one.result.as_ref().map(|o| o.took).unwrap_or_default();
        out += "  ---\n";
        let _ = writeln!(out, "  duration_ms: {:.3}", took.as_secs_f64() * 1e3);
        if let Some(message) = message {
            out += "  message: |\n";
            for line in message.lines() {
                let _ = writeln!(out, "    {}", line.replace('\t', "    "));
            }
        }
        out += "  ...\n";
    }
    out
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
