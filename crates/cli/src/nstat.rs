//! `hearken nstat`: counters in the form of iproute2's `nstat`, with its history: without -a it shows what was added since
//! it was called last. Behaviour is that of nstat 6.1.0, asked in a namespace.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io;
use std::path::Path;

use hearken_run::control;

use crate::{Failure, args, print, stack};

/// A counter's full name (`TcpExtListenOverflows`) and its value.
pub(crate) type Row = (String, u64);

/// What the counters were when nstat was called last.
#[derive(Debug, Default, PartialEq, Eq)]
struct History(HashMap<String, u64>);

impl History {
    fn read(path: &Path) -> io::Result<Self> {
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(Self::of(&text)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(e) => Err(e),
        }
    }

    /// The form is that of the table.
    fn of(text: &str) -> Self {
        let pair = |line: &str| {
            let mut words = line.split_whitespace();
            Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
        };
        Self(text.lines().filter_map(pair).collect())
    }

    /// Notes what was shown; the others stay as they were, as in nstat.
    fn write(mut self, path: &Path, shown: &[Row]) -> io::Result<()> {
        self.0.extend(shown.iter().cloned());
        let mut all: Vec<Row> = self.0.into_iter().collect();
        all.sort();
        // A half-written file would be taken for the truth by the next call.
        let new = path.with_extension("nstat-new");
        std::fs::write(&new, table(&all))?;
        std::fs::rename(new, path)
    }

    fn since(&self, (name, value): &Row) -> Row {
        let before = self.0.get(name).copied().unwrap_or(0);
        // A gauge may have fallen; nstat shows 0 then.
        (name.clone(), value.saturating_sub(before))
    }
}

/// Asks, compares with the last time, prints.
pub(crate) fn show(options: &args::Nstat) -> Result<(), Failure> {
    let (run, all) = stack::counters(options.run)?;
    let path = control::history_of(run);
    let told = |e: io::Error| format!("the history {}: {e}", path.display());
    let named = named(all, &options.names);
    let history = if options.reset {
        History::default()
    } else {
        History::read(&path).map_err(told)?
    };
    let rows: Vec<Row> = if options.ignore {
        named.clone()
    } else {
        named.iter().map(|r| history.since(r)).collect()
    };
    let rows = moved(rows, options.zeros);
    if !options.noupdate {
        history.write(&path, &named).map_err(told)?;
    }
    if options.nooutput {
        return Ok(());
    }
    if options.json {
        let json = json(&rows);
        return print(&if options.pretty {
            format!("{json:#}\n")
        } else {
            format!("{json}\n")
        });
    }
    print(&table(&rows))
}

/// Those whose name one of the patterns takes; all, if there is none.
fn named(rows: Vec<Row>, patterns: &[String]) -> Vec<Row> {
    let wanted = |name: &str| patterns.is_empty() || patterns.iter().any(|p| matches(p, name));
    rows.into_iter().filter(|(n, _)| wanted(n)).collect()
}

/// Without those that are zero, unless they are wanted.
pub(crate) fn moved(rows: Vec<Row>, zeros: bool) -> Vec<Row> {
    rows.into_iter().filter(|(_, v)| zeros || *v != 0).collect()
}

/// A shell pattern (`*` and `?`), in which case does not count.
fn matches(pattern: &str, name: &str) -> bool {
    fn go(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern, name) {
            ([], _) => name.is_empty(),
            ([b'*', rest @ ..], _) => (0..=name.len()).any(|at| go(rest, &name[at..])),
            ([b'?', p @ ..], [_, n @ ..]) => go(p, n),
            ([a, p @ ..], [b, n @ ..]) => a.eq_ignore_ascii_case(b) && go(p, n),
            (_, []) => false,
        }
    }
    go(pattern.as_bytes(), name.as_bytes())
}

/// As nstat prints; the rate is 0.0 where no daemon takes samples.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut out = String::from("#hearken\n");
    for (name, value) in rows {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{name:<32}{value:<16}{:>6.1}", 0.0);
    }
    out
}

/// As `nstat --json` prints, under the source's name.
fn json(rows: &[Row]) -> serde_json::Value {
    let map: serde_json::Map<String, serde_json::Value> = rows
        .iter()
        .map(|(name, value)| (name.clone(), (*value).into()))
        .collect();
    serde_json::json!({ "hearken": map })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The line is copied from `nstat -a` of iproute2 6.1.0.
    #[test]
    fn table_row_is_what_nstat_prints() {
        assert_eq!(
            table(&[("IpInReceives".into(), 1098)]),
            "#hearken\nIpInReceives                    1098               0.0\n"
        );
    }

    /// This machine's own nstat, where there is one, prints every counter as we do.
    #[test]
    fn table_of_every_counter_is_what_this_machine_s_nstat_prints() {
        let history = std::env::temp_dir().join(format!("nstat-of-{}", std::process::id()));
        let out = std::process::Command::new("nstat")
            .args(["-az"])
            .env("NSTAT_HISTORY", &history)
            .output();
        let _ = std::fs::remove_file(&history);
        let Ok(out) = out else { return };
        let theirs = String::from_utf8(out.stdout).expect("UTF-8");
        let rows = theirs.lines().skip(1).map(|line| {
            let mut words = line.split_whitespace();
            let (name, value) = (
                words.next().expect("a name"),
                words.next().expect("a value"),
            );
            (name.to_owned(), value.parse().expect("a number"))
        });
        let rows: Vec<Row> = rows.collect();
        assert!(rows.len() > 100, "{theirs}");
        assert_eq!(
            table(&rows),
            theirs.replacen("#kernel", "#hearken", 1),
            "the first line names the source"
        );
    }

    #[test]
    fn moved_leaves_zeros_out_unless_wanted() {
        let rows = vec![("A".to_owned(), 0), ("B".to_owned(), 2)];
        assert_eq!(moved(rows.clone(), false), [("B".to_owned(), 2)]);
        assert_eq!(moved(rows, true).len(), 2);
    }

    #[test]
    fn pattern_takes_names_as_nstat_does() {
        for (pattern, name, taken) in [
            ("TcpExt*", "TcpExtListenDrops", true),
            ("tcpin*", "TcpInSegs", true),
            ("TcpInSegs", "TcpInSegs", true),
            ("Tcp*Open*", "TcpActiveOpens", true),
            ("Tcp?nSegs", "TcpInSegs", true),
            ("Tcp", "TcpInSegs", false),
            ("*Drops", "TcpExtListenDrops", true),
            ("*Drop", "TcpExtListenDrops", false),
            ("*", "", true),
            ("?", "", false),
        ] {
            assert_eq!(matches(pattern, name), taken, "{pattern} {name}");
        }
    }

    #[test]
    fn history_shows_what_was_added_and_keeps_the_others() {
        let row = |n: &str, v| (n.to_owned(), v);
        let path = std::env::temp_dir().join(format!("hearken-nstat-{}", std::process::id()));
        History::default()
            .write(&path, &[row("A", 3), row("B", 5)])
            .unwrap();
        History::read(&path)
            .unwrap()
            .write(&path, &[row("A", 4)])
            .unwrap();
        let history = History::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(history.since(&row("A", 6)), row("A", 2));
        assert_eq!(history.since(&row("B", 6)), row("B", 1));
        assert_eq!(history.since(&row("B", 1)), row("B", 0));
        assert_eq!(history.since(&row("C", 7)), row("C", 7));
    }
}
