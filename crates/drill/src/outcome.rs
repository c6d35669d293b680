//! What a run is given beside the script, and what comes of it.

use std::path::PathBuf;
use std::time::Duration;

use crate::ast::{IpVersion, Settings};
use crate::span::Span;

/// On what a script runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// Hearken, in virtual time.
    Hearken,
    /// The Linux of this machine, in a fresh network namespace; needs root.
    Linux,
}

/// What a run is given beside the script.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// Compare what packetdrill does not: `ecr`, checksums, packets that nobody expected; and never merge segments.
    pub strict: bool,
    /// Write every packet of a run that fails to this file; `always_pcap`: of every run.
    pub pcap: Option<PathBuf>,
    /// See `pcap`.
    pub always_pcap: bool,
    /// Runs the script under this version whatever it says.
    pub ip_version: Option<IpVersion>,
    /// Options of the command line: each that is set overrides the script's own.
    pub settings: Settings,
    /// The seed of all randomness in a run on Hearken.
    pub seed: [u8; 32],
}

/// What came of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The verdict.
    pub verdict: Verdict,
    /// What was left out of the run and why, in order: a command without meaning here, an option without effect.
    pub notes: Vec<String>,
    /// What `print` in the script's code wrote.
    pub output: Vec<String>,
    /// Everything that happened, one line each, with its time.
    pub trace: Vec<String>,
    /// How long it took by the wall.
    pub took: Duration,
    /// How long it took by the script's own clock.
    pub script_time: Duration,
}

/// Whether the system did what the script says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It did.
    Pass,
    /// It did not.
    Fail(Box<Failure>),
    /// The script was not run to its end, for this reason.
    Skip(String),
}

/// The first thing that differed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Failure {
    /// The part of the script that was not met.
    pub span: Span,
    /// One sentence: what is wrong.
    pub headline: String,
    /// Everything that happened until then, one line each, with its time: `0.100 > S. 0:0(0) ack 1 <mss 1460>`.
    pub trace: Vec<String>,
    /// What the script expects, as it would be written in the script.
    pub expected: String,
    /// What happened, in the same notation.
    pub actual: String,
}
