//! `hearken bench`: what each operation costs, beside its peers in the same run.
//!
//! Repetitions are interleaved (ours, peer, ours, peer), the value is the median, and a claim is the ratio: absolute
//! times move with the machine. A peer that does less per operation is named with what it does not do.
#![deny(unsafe_code)]

mod goals;
mod memory;
mod meter;
mod ours;
#[cfg(feature = "peers")]
mod peers;
mod report;
mod rows;

pub use meter::measured;

use clap::Args;

/// What to measure, and how to say it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hearken bench                     every row, five repetitions
  hearken bench --row rst --row fin two rows
  hearken bench --json > bench.json
  hearken bench --list              the rows with the goals that they answer to
")]
pub struct Options {
    /// Measure only rows whose name begins so
    #[arg(long, value_name = "NAME")]
    pub row: Vec<String>,
    /// Interleaved repetitions; the median counts
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=99))]
    pub repetitions: u32,
    /// Do so many operations in each repetition instead of the row's own number
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub operations: Option<u64>,
    /// Measure only subjects whose name begins so (hearken, smoltcp, Linux)
    #[arg(long, value_name = "NAME")]
    pub subject: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Name the rows and measure nothing
    #[arg(long)]
    pub list: bool,
}

/// Measure operations of the stack beside its peers.
#[derive(Debug, clap::Parser)]
#[command(name = "hearken-bench", max_term_width = 110)]
pub struct Bench {
    /// What to measure.
    #[command(flatten)]
    pub options: Options,
}

/// Measures, and returns the text to print.
///
/// # Errors
/// A row that does not exist, or a peer that this machine does not let run.
pub fn run(bench: &Bench) -> Result<String, String> {
    measure(&bench.options)
}

/// As [`run`], for a caller with a command line of its own.
///
/// # Errors
/// As [`run`].
pub fn measure(o: &Options) -> Result<String, String> {
    let mut rows = rows::all();
    let names: Vec<&str> = rows.iter().map(|r| r.name).collect();
    let chosen = |name: &str| {
        let matches = |wanted: &String| {
            // A whole name is that row alone: `syn-queue` is not also `syn-queue-1m`.
            if names.contains(&wanted.as_str()) {
                name == wanted
            } else {
                name.starts_with(wanted.as_str())
            }
        };
        o.row.is_empty() || o.row.iter().any(matches)
    };
    rows.retain(|r| chosen(r.name));
    if rows.is_empty() {
        return Err("no such row; `--list` names them".into());
    }
    if o.list {
        return Ok(report::list(&rows));
    }
    let mut results = Vec::new();
    for row in rows {
        results.push(report::Result::of(row, o)?);
    }
    Ok(if o.json {
        report::json(&results)
    } else {
        report::table(&results)
    })
}
