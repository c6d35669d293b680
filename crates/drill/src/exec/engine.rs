//! Runs a script's events, one after another, on a system.

mod calling;
mod connections;
mod incoming;
mod outgoing;
mod outside;

use core::time::Duration;
use std::collections::VecDeque;

use hearken_twin::{Counters, System};

use super::conn::Connection;
use super::fds::Descriptors;
use super::packet::Packet;
use super::time::{JIFFIES, Last, Window};
use super::trace::Trace;
use super::world::World;
use crate::ast::{Command, Direction, Event, EventKind, Script};
use crate::code::Variables;
use crate::outcome::{Failure, Verdict};
use crate::span::Span;
use calling::Pending;

/// A run that is over.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) verdict: Verdict,
    pub(crate) notes: Vec<String>,
    pub(crate) output: Vec<String>,
    pub(crate) script_time: Duration,
    pub(crate) trace: Trace,
}

/// Why a run ends before the script does.
enum Stop {
    Fail(Box<Failure>),
    Skip(String),
}

/// A packet that the system sent and nothing was said of yet.
struct Sent {
    at: Duration,
    packet: Packet,
    bytes: Vec<u8>,
}

/// A connection of the script's.
struct Named {
    name: Option<String>,
    connection: Connection,
}

pub(crate) struct Engine<'a> {
    script: &'a Script,
    world: &'a World,
    system: &'a mut dyn System,
    /// The system's time when the script began.
    zero: Duration,
    /// The wall clock's time then.
    wall_zero: Duration,
    least_slack: Duration,
    last: Last,
    connections: Vec<Named>,
    /// The connection that a `%{ }%` is about: the last that came up.
    current: Option<usize>,
    fds: Descriptors,
    /// The port of the last bind or listen.
    bound_port: Option<u16>,
    /// The script's descriptor that a call was last made on.
    last_fd: Option<i64>,
    queue: VecDeque<Sent>,
    /// The key that TCP_MD5SIG last set.
    md5_key: Option<Vec<u8>>,
    /// What the system sent and no peer would take, and why.
    malformed: Vec<(Duration, String)>,
    pending: Vec<Pending>,
    /// What the script's code remembers from block to block.
    variables: Variables,
    /// What counters are counted from.
    counted_from: Counters,
    trace: Trace,
    notes: Vec<String>,
    output: Vec<String>,
}

impl<'a> Engine<'a> {
    pub(crate) fn new(script: &'a Script, world: &'a World, system: &'a mut dyn System) -> Self {
        // This machine's kernel counts in jiffies of four milliseconds.
        let jiffies = match system.name() {
            "linux" => JIFFIES,
            _ => Duration::ZERO,
        };
        Engine {
            script,
            world,
            zero: system.now(),
            wall_zero: system.wall_clock(),
            system,
            least_slack: world.tolerance + jiffies,
            last: Last::default(),
            connections: Vec::new(),
            current: None,
            fds: Descriptors::default(),
            bound_port: None,
            last_fd: None,
            queue: VecDeque::new(),
            md5_key: None,
            malformed: Vec::new(),
            pending: Vec::new(),
            variables: Variables::new(),
            counted_from: Counters::default(),
            trace: Trace::default(),
            notes: Vec::new(),
            output: Vec::new(),
        }
    }

    /// Runs everything; the cleanup runs whatever came before it.
    pub(crate) fn run(mut self) -> Ended {
        let ran = self.run_all();
        let script_time = self.now();
        if let Some(cleanup) = &self.script.cleanup
            && let Err(Stop::Fail(failure)) = self.command(cleanup)
        {
            self.notes.push(format!("cleanup: {}", failure.headline));
        }
        let verdict = match ran {
            Ok(()) => Verdict::Pass,
            Err(Stop::Skip(why)) => Verdict::Skip(why),
            Err(Stop::Fail(mut failure)) => {
                self.look_around();
                failure.trace = self.trace.lines();
                Verdict::Fail(failure)
            }
        };
        Ended {
            verdict,
            notes: self.notes,
            output: self.output,
            script_time,
            trace: self.trace,
        }
    }

    fn run_all(&mut self) -> Result<(), Stop> {
        for file in &self.script.settings.init_scripts {
            let command = Command {
                span: Span::default(),
                text: format!("sh {file}"),
            };
            self.command(&command)?;
        }
        for command in &self.script.init {
            self.command(command)?;
        }
        self.counted_from = self.system.counters();
        self.zero = self.system.now();
        self.wall_zero = self.system.wall_clock();
        for event in &self.script.events {
            self.event(event)?;
        }
        self.wait_for_all()?;
        self.nothing_left()
    }

    /// The time since the script began.
    fn now(&self) -> Duration {
        self.system.now().saturating_sub(self.zero)
    }

    fn event(&mut self, event: &Event) -> Result<(), Stop> {
        let inbound = matches!(&event.kind, EventKind::Packet(p) if p.direction == Direction::In);
        let window = Window::new(event.time, self.last, inbound, self.least_slack);
        let reads = matches!(&event.kind, EventKind::Packet(p) if p.direction == Direction::Out);
        if !reads {
            self.wait_until(window.earliest)?;
            self.wait_for_needed(&event.kind)?;
        }
        match &event.kind {
            EventKind::Packet(packet) if inbound => {
                self.inbound(packet)?;
                self.last = Last {
                    finished: self.now(),
                    inbound: Some(window.earliest),
                };
            }
            EventKind::Packet(packet) => {
                let finished = match self.outbound(event.span, packet, window) {
                    Err(Stop::Fail(failure)) if self.world.non_fatal_packet => {
                        self.notes.push(not_fatal(&failure));
                        self.now()
                    }
                    finished => finished?,
                };
                self.last = Last {
                    finished,
                    inbound: None,
                };
            }
            EventKind::Call(call) => {
                let finished = match self.call(event, call) {
                    Err(Stop::Fail(failure)) if self.world.non_fatal_syscall => {
                        self.notes.push(not_fatal(&failure));
                        self.now()
                    }
                    finished => finished?,
                };
                self.last = Last {
                    finished,
                    inbound: None,
                };
            }
            EventKind::Command(command) => {
                self.command(command)?;
                self.finished_now();
            }
            EventKind::Code(code) => {
                self.code(code)?;
                self.finished_now();
            }
        }
        Ok(())
    }

    fn finished_now(&mut self) {
        self.last = Last {
            finished: self.now(),
            inbound: None,
        };
    }

    /// Lets time go by until then; calls that must have returned by then have.
    fn wait_until(&mut self, at: Duration) -> Result<(), Stop> {
        self.system.advance(self.zero + at);
        self.collect_until(at)
    }

    /// At the end of a strict run, nothing may be left that nobody expected.
    fn nothing_left(&mut self) -> Result<(), Stop> {
        if !self.world.strict {
            return Ok(());
        }
        self.fill_queue(self.now());
        let Some(sent) = self.queue.pop_front() else {
            return Ok(());
        };
        let (text, _) = self.describe(&sent);
        let span = self.script.events.last().map(|e| e.span);
        fail(
            span.unwrap_or_default(),
            "the script is over, and a packet is left that nobody expected",
            "nothing more",
            format!("{} {text}", super::trace::seconds(sent.at)),
        )
    }

    /// Notes what was sent and never looked at, for the trace of a failure.
    fn look_around(&mut self) {
        self.fill_queue(self.now());
        while let Some(sent) = self.queue.pop_front() {
            let (text, _) = self.describe(&sent);
            self.trace
                .packet(sent.at, format!("{text}    // not asked for"), &sent.bytes);
        }
    }
}

fn not_fatal(failure: &Failure) -> String {
    let Failure {
        span,
        headline,
        expected,
        actual,
        ..
    } = failure;
    format!(
        "not fatal, line {}: {headline}; expected {expected}, was {actual}",
        span.line
    )
}

/// Ends the run here.
fn fail<T>(
    span: Span,
    headline: impl Into<String>,
    expected: impl Into<String>,
    actual: impl Into<String>,
) -> Result<T, Stop> {
    Err(Stop::Fail(Box::new(Failure {
        span,
        headline: headline.into(),
        trace: Vec::new(),
        expected: expected.into(),
        actual: actual.into(),
    })))
}
