//! JUnit's XML, as CI systems read it.

use std::fmt::Write as _;
use std::time::Duration;

use hearken_drill::Verdict;

use super::jobs::Ran;
use super::report;

pub(super) fn junit(ran: &[Ran]) -> String {
    let failed = ran.iter().filter(|r| r.failed()).count();
    let skipped = ran
        .iter()
        .filter(|r| matches!(&r.result, Ok(o) if matches!(o.verdict, Verdict::Skip(_))))
        .count();
    let took: Duration = ran.iter().map(time).sum();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    let _ = writeln!(
        out,
        "  <testsuite name=\"hearken drill\" tests=\"{}\" failures=\"{failed}\" errors=\"0\" skipped=\"{skipped}\" time=\"{:.6}\">",
        ran.len(),
        took.as_secs_f64()
    );
    for one in ran {
        let title = one.title();
        let (class, name) = title.rsplit_once('/').unwrap_or(("", &title));
        let _ = write!(
            out,
            "    <testcase classname=\"{}\" name=\"{}\" time=\"{:.6}\"",
            escaped(class),
            escaped(name),
            time(one).as_secs_f64()
        );
        out += &match &one.result {
            Err(message) => failure(message.lines().next().unwrap_or_default(), message),
            Ok(outcome) => match &outcome.verdict {
                Verdict::Pass => "/>\n".to_owned(),
                Verdict::Skip(why) => format!(
                    ">\n      <skipped message=\"{}\"/>\n    </testcase>\n",
                    escaped(why)
                ),
                Verdict::Fail(found) => failure(&found.headline, &report::details(one, found)),
            },
        };
    }
    out + "  </testsuite>\n</testsuites>\n"
}

fn failure(headline: &str, details: &str) -> String {
    format!(
        ">\n      <failure message=\"{}\">{}</failure>\n    </testcase>\n",
        escaped(headline),
        escaped(details)
    )
}

fn time(ran: &Ran) -> Duration {
    ran.result.as_ref().map(|o| o.took).unwrap_or_default()
}

/// Text as XML has it; characters that XML cannot hold become U+FFFD.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
