//! `hearken drill`: scripts of packetdrill's language, run on Hearken, on this machine's Linux, or on both.

mod find;
mod jobs;
mod junit;
mod report;
mod tap;

use std::path::PathBuf;

use clap::{Args, ValueHint};
use hearken_drill::ast::Settings;
use hearken_drill::parse::{Define, set_option};
use hearken_drill::{System, parse_each};

use crate::values::Seed;
use crate::{Failure, print};
use find::Found;

const EXAMPLES: &str = "\
Examples:
  hearken drill tests/drill                 every script below a directory, on Hearken, in virtual time
  hearken drill --both -v listen.pkt        the same script on Hearken and on this machine's Linux (needs root)
  hearken drill --junit out.xml tests/      for CI; --tap FILE likewise, `-` is standard output
  hearken drill -D COOKIE=0a0b -o ip_version=ipv6 fastopen.pkt
  hearken drill --dry-run tests/            only read the scripts, and say what is wrong with them

The language is taught in docs/drill.md. A directory with a file `drill.options` that says `--strict` is run strictly
without being told to.

Exit status: 0 every script passed or was skipped, 1 one failed, 2 wrong usage.
";

/// The command line of `hearken drill`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Drill {
    /// Run on this machine's Linux instead (needs root)
    #[arg(long, conflicts_with = "both", help_heading = "Where")]
    linux: bool,
    /// Run on Hearken and on Linux, and say where they part
    #[arg(long, help_heading = "Where")]
    both: bool,
    /// Compare what packetdrill leaves out: ecr, checksums, packets that nobody expected; never merge segments
    #[arg(long, conflicts_with = "lenient", help_heading = "How")]
    strict: bool,
    /// Compare as packetdrill does, whatever a drill.options file says
    #[arg(long, help_heading = "How")]
    lenient: bool,
    /// Replace a word in the scripts
    #[arg(short = 'D', value_name = "NAME=VALUE", value_parser = define, help_heading = "How")]
    defines: Vec<Define>,
    /// An option of the language, over what the scripts say: ip_version=ipv6, mtu=1280 ...
    #[arg(short, long = "option", value_name = "NAME[=VALUE]", value_parser = checked_option, help_heading = "How")]
    options: Vec<String>,
    /// Seed of all randomness on Hearken, up to 64 hexadecimal digits [default: zeros]
    #[arg(long, value_name = "HEX", help_heading = "How")]
    seed: Option<Seed>,
    /// So many scripts at a time [default: one for each processor]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), help_heading = "How")]
    jobs: Option<u16>,
    /// Begin no script after the first failure
    #[arg(long, help_heading = "How")]
    fail_fast: bool,
    /// Write the packets of every run into this directory [default: of runs that fail, into hearken-drill below the temporary directory]
    #[arg(long, value_name = "DIR", help_heading = "Reports")]
    pcap: Option<PathBuf>,
    /// Write a report in TAP version 14
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "junit",
        help_heading = "Reports"
    )]
    tap: Option<PathBuf>,
    /// Write a report in JUnit's XML
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    junit: Option<PathBuf>,
    /// Say what each script did, and what was left out of it
    #[arg(short, long, help_heading = "Reports")]
    verbose: bool,
    /// Print the names of the scripts that would run
    #[arg(long, help_heading = "Reports")]
    list: bool,
    /// Read the scripts, and run none
    #[arg(long, help_heading = "Reports")]
    dry_run: bool,
    /// Scripts, and directories in which every *.pkt is one
    #[arg(value_name = "FILE|DIR", required = true, value_hint = ValueHint::AnyPath)]
    paths: Vec<PathBuf>,
}

fn define(text: &str) -> Result<Define, String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

fn checked_option(text: &str) -> Result<String, String> {
    let text = text.trim_start_matches("--");
    set_option(&mut Settings::default(), text)?;
    Ok(text.to_owned())
}

impl Drill {
    fn systems(&self) -> &'static [System] {
        match (self.both, self.linux) {
            (true, _) => &[System::Hearken, System::Linux],
            (_, true) => &[System::Linux],
            _ => &[System::Hearken],
        }
    }

    fn settings(&self) -> Settings {
        let mut settings = Settings::default();
        for option in &self.options {
            // It was checked when the command line was read.
            let _ = set_option(&mut settings, option);
        }
        settings
    }
}

/// Runs what the command line asks for; whether all went well.
pub(crate) fn drill(drill: &Drill) -> Result<bool, Failure> {
    let found = find::scripts(&drill.paths)?;
    if drill.list {
        let names: String = found.iter().map(|f| format!("{}\n", f.name)).collect();
        print(&names)?;
        return Ok(true);
    }
    if drill.dry_run {
        return dry_run(drill, &found);
    }
    if let Some(directory) = &drill.pcap {
        std::fs::create_dir_all(directory)
            .map_err(|e| format!("{} cannot be made: {e}", directory.display()))?;
    }
    let began = std::time::Instant::now();
    let results = jobs::run(drill, &found)?;
    // A report on standard output stands there alone.
    let reports = [
        (&drill.tap, tap::tap as fn(&[jobs::Ran]) -> String),
        (&drill.junit, junit::junit),
    ];
    let mut alone = false;
    for (path, form) in reports {
        let Some(path) = path else { continue };
        let text = form(&results);
        if path.as_os_str() == "-" {
            alone = true;
            print(&text)?;
        } else {
            std::fs::write(path, text)
                .map_err(|e| format!("{} cannot be written: {e}", path.display()))?;
        }
    }
    if !alone {
        print(&report::summary(
            &results,
            found.len(),
            drill.systems(),
            began.elapsed(),
        ))?;
    }
    Ok(results.iter().all(|r| !r.failed()))
}

fn dry_run(drill: &Drill, found: &[Found]) -> Result<bool, Failure> {
    let mut wrong = 0;
    for script in found {
        let read = find::read(script).and_then(|text| {
            parse_each(&script.name, &text, &drill.defines, None).map_err(|e| e.to_string())
        });
        match read {
            Ok(read) if drill.verbose => print(&format!(
                "ok   {} ({} events)\n",
                script.name,
                read[0].events.len()
            ))?,
            Ok(_) => {}
            Err(message) => {
                wrong += 1;
                print(&format!("FAIL {message}\n"))?;
            }
        }
    }
    print(&format!(
        "{} scripts read, {wrong} with a mistake\n",
        found.len()
    ))?;
    Ok(wrong == 0)
}
