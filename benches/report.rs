//! Runs rows and says what came out.

use std::fmt::Write;

use serde_json::json;

use crate::Options;
use crate::meter::Meter;
use crate::rows::{Row, Subject, Unit};

/// What one subject of a row came to.
#[derive(Debug)]
struct Values {
    subject: Subject,
    operations: u64,
    all: Vec<f64>,
}

impl Values {
    fn median(&self) -> f64 {
        let mut v = self.all.clone();
        v.sort_by(f64::total_cmp);
        v[v.len() / 2]
    }
}

/// A row with its values.
#[derive(Debug)]
pub(crate) struct Result {
    row: Row,
    values: Vec<Values>,
}

impl Result {
    pub(crate) fn of(mut row: Row, o: &Options) -> std::result::Result<Self, String> {
        let wanted = |s: &Subject| {
            o.subject
                .as_ref()
                .is_none_or(|p| s.who.starts_with(p.as_str()))
        };
        let mut values: Vec<Values> = std::mem::take(&mut row.subjects)
            .into_iter()
            .filter(wanted)
            .map(|subject| Values {
                operations: o.operations.unwrap_or(subject.operations),
                subject,
                all: Vec::new(),
            })
            .collect();
        for _ in 0..o.repetitions {
            for v in &mut values {
                let case = v.subject.case;
                let value = case(&mut Meter::default(), v.operations)
                    .map_err(|e| format!("{}, {}: {e}", row.name, v.subject.who))?;
                v.all.push(value);
            }
        }
        Ok(Self { row, values })
    }

    /// How many times better ours is than `peer`.
    fn ratio(&self, peer: &Values) -> Option<f64> {
        let ours = self.values.first()?;
        if ours.subject.who == peer.subject.who {
            return None;
        }
        Some(match self.row.unit {
            Unit::Gbits => ours.median() / peer.median(),
            Unit::Nanos | Unit::Bytes => peer.median() / ours.median(),
        })
    }

    /// How many times off the goal; 1 or less has reached it.
    fn off(&self) -> Option<f64> {
        let (goal, ours) = (self.row.goal?, self.values.first()?);
        if ours.subject.who != "hearken" {
            return None;
        }
        Some(match self.row.unit {
            Unit::Gbits => goal.value / ours.median(),
            Unit::Nanos | Unit::Bytes => ours.median() / goal.value,
        })
    }
}

const fn unit(u: Unit) -> &'static str {
    match u {
        Unit::Nanos => "ns",
        Unit::Bytes => "B",
        Unit::Gbits => "Gbit/s",
    }
}

pub(crate) fn list(rows: &[Row]) -> String {
    let mut s = String::new();
    for r in rows {
        let goal = r.goal.map_or("-", |g| g.name);
        let _ = writeln!(s, "{:18} {:4} {}", r.name, goal, r.what);
    }
    s
}

pub(crate) fn table(results: &[Result]) -> String {
    let mut s = String::new();
    let _ = writeln!(
        s,
        "{:18} {:14} {:>10} {:6} {:>9} {:>16} {:>10}",
        "row", "who", "median", "", "ratio", "goal", "goal x"
    );
    for r in results {
        for (i, v) in r.values.iter().enumerate() {
            let ratio = r.ratio(v).map_or(String::new(), |x| format!("{x:.2}"));
            let goal = r.row.goal.filter(|_| i == 0);
            let u = unit(r.row.unit);
            let (goal, off) = goal.map_or((String::new(), String::new()), |g| {
                let off = r.off().map_or(String::new(), |x| format!("{x:.2}"));
                (format!("{} {} {u}", g.name, g.value), off)
            });
            let _ = writeln!(
                s,
                "{:18} {:14} {:>10.1} {u:6} {ratio:>9} {goal:>16} {off:>10}",
                if i == 0 { r.row.name } else { "" },
                v.subject.who,
                v.median(),
            );
        }
    }
    s.push_str(
        "\nratio: how many times better hearken is. goal x: the value over the goal, 1 or less has reached it.\n\
         Times are CPU time of this thread. Linux pays for system calls, descriptors and a scheduler; smoltcp has\n\
         no SYN queue, no accept queue, no port table and no readiness list.\n",
    );
    s
}

pub(crate) fn json(results: &[Result]) -> String {
    let rows: Vec<_> = results
        .iter()
        .map(|r| {
            let subjects: Vec<_> = r
                .values
                .iter()
                .map(|v| {
                    json!({
                        "who": v.subject.who,
                        "operations": v.operations,
                        "values": v.all,
                        "median": v.median(),
                        "ratio": r.ratio(v),
                    })
                })
                .collect();
            json!({
                "row": r.row.name,
                "what": r.row.what,
                "unit": unit(r.row.unit),
                "goal": r.row.goal.map(|g| json!({"name": g.name, "value": g.value})),
                "off": r.off(),
                "subjects": subjects,
            })
        })
        .collect();
    format!("{:#}\n", json!({"schema": "hearken.bench/1", "rows": rows}))
}
