//! Two traces of one script, beside each other: where the systems part, whatever the script says of it.

use std::fmt::Write;

/// How far two systems may be apart between one line and the next: two jiffies of Linux and what a busy machine adds, or an
/// eighth of the distance.
const SLACK: f64 = 0.016;
/// Lines shown before and after the parting.
const AROUND: usize = 4;

/// A line of a trace: its time, and what happened.
fn split(line: &str) -> (f64, &str) {
    let (time, text) = line.split_once(' ').unwrap_or((line, ""));
    (time.parse().unwrap_or(0.0), text)
}

/// The text without what no two systems share: values of timestamps.
fn comparable(text: &str) -> String {
    let mut out = String::new();
    let mut after_stamp = false;
    for word in text.split(' ') {
        if after_stamp {
            // Keeps what follows the number: `200,` and `200>` end in what counts.
            out.push_str(word.trim_start_matches(|c: char| c.is_ascii_digit()));
        } else {
            out.push_str(word);
        }
        out.push(' ');
        after_stamp = word == "ecr" || word.ends_with("val");
    }
    out
}

/// Whether one line is the other, as long after the line before it.
fn alike(ours: (&str, &str), linux: (&str, &str)) -> bool {
    let ((before_a, a), (before_b, b)) = (
        (split(ours.0).0, split(ours.1)),
        (split(linux.0).0, split(linux.1)),
    );
    let (gap_a, gap_b) = (a.0 - before_a, b.0 - before_b);
    let slack = SLACK.max(gap_a.max(gap_b) / 8.0);
    comparable(a.1) == comparable(b.1) && (gap_a - gap_b).abs() <= slack
}

/// The lines around the first difference of two traces, Hearken's left and Linux's right; `None` where there is none.
#[must_use]
pub fn side_by_side(ours: &[String], linux: &[String]) -> Option<String> {
    let at = |lines: &'_ [String], n: usize| lines.get(n).cloned().unwrap_or_default();
    let before = |lines: &[String], n: usize| match n {
        0 => String::new(),
        n => at(lines, n - 1),
    };
    let most = ours.len().max(linux.len());
    let same = |n: usize| {
        n < ours.len()
            && n < linux.len()
            && alike((&before(ours, n), &ours[n]), (&before(linux, n), &linux[n]))
    };
    let parting = (0..most).find(|n| !same(*n))?;
    let (from, to) = (
        parting.saturating_sub(AROUND),
        (parting + AROUND + 1).min(most),
    );
    let width = (from..to)
        .map(|n| at(ours, n).chars().count())
        .max()
        .unwrap_or(0)
        .max("hearken".len());
    let mut out = format!("  {:width$}  linux\n", "hearken");
    for n in from..to {
        let mark = if n == parting { '>' } else { ' ' };
        let _ = writeln!(out, "{mark} {:width$}  {}", at(ours, n), at(linux, n));
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[&str]) -> Vec<String> {
        text.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn traces_that_differ_in_small_times_and_timestamps_are_the_same() {
        let ours = lines(&[
            "0.100000 > S 0:0(0) <mss 1460,TS val 100 ecr 0,nop>",
            "1.100000 > S 0:0(0) <mss 1460,TS val 1100 ecr 0,nop>",
        ]);
        let linux = lines(&[
            "0.108000 > S 0:0(0) <mss 1460,TS val 100 ecr 0,nop>",
            "1.140000 > S 0:0(0) <mss 1460,TS val 1132 ecr 0,nop>",
        ]);
        assert_eq!(side_by_side(&ours, &linux), None);
    }

    #[test]
    fn traces_part_at_the_first_line_that_differs() {
        let ours = lines(&["0.000000 a", "0.100000 > . 1:1(0) win 512"]);
        let linux = lines(&["0.000000 a", "0.100000 > . 1:1(0) win 502", "0.200000 more"]);
        let text = side_by_side(&ours, &linux).expect("they part");
        let marked: Vec<&str> = text.lines().filter(|line| line.starts_with('>')).collect();
        assert_eq!(
            marked,
            ["> 0.100000 > . 1:1(0) win 512  0.100000 > . 1:1(0) win 502"]
        );
        // A second that one of them waits longer.
        let late = lines(&["0.000000 a", "1.100000 > . 1:1(0) win 512"]);
        assert!(side_by_side(&ours, &late).is_some());
        assert!(side_by_side(&ours, &ours[..1]).is_some());
    }
}
