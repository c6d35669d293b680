//! What a script says, after `-D` substitution and with every symbol known.

mod call;
mod icmp;
mod packet;
mod print;
mod print_call;
mod settings;

pub use call::{Call, ErrnoNote, Expr, ExprKind, Field, KNOWN_CALLS, Returns};
pub use icmp::{Icmp, IcmpCode, IcmpKind, Quoted};
pub use packet::{
    AccEcnField, Body, Direction, Ecn, Endpoint, IpInfo, Options, Packet, Ports, Segment, Sequence,
    TcpFlags, TcpOption, TcpOptionKind,
};
pub use print::Seconds;
pub use settings::{IpVersion, Settings};

use std::path::PathBuf;
use std::time::Duration;

use crate::code::Program;
use crate::span::Span;

/// A whole script.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Script {
    /// The file as the user named it; for messages.
    pub name: String,
    /// The directory of the file, where its helper files (`defaults.sh`) are looked for.
    pub directory: PathBuf,
    /// The text as it was read, so that a failure can show the line.
    pub text: String,
    /// The `--name=value` lines, read.
    pub settings: Settings,
    /// Commands before the first event. They run before the first event's time begins to count.
    pub init: Vec<Command>,
    /// What happens, in the order in which it is written.
    pub events: Vec<Event>,
    /// The command without a time at the end. It runs whatever came of the events.
    pub cleanup: Option<Command>,
}

/// One thing that happens, or that must happen, at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The whole event, from its time on.
    pub span: Span,
    /// When.
    pub time: Time,
    /// What.
    pub kind: EventKind,
}

/// When an event happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// `0.5`: so long after the script began.
    Absolute(Duration),
    /// `+0.5`: so long after the previous event finished (inbound after inbound: after its scheduled time).
    Relative(Duration),
    /// `*`: at any time; for outbound packets.
    Any,
    /// `1~1.5`: not before the first, not after the second; for outbound packets.
    AbsoluteRange(Duration, Duration),
    /// `+1~+1.5`: the same, counted as [`Time::Relative`] is.
    RelativeRange(Duration, Duration),
    /// `0.1...0.5 call` and `+0.1...0.5 call`: the call starts at the first time and must return at the second.
    Blocking {
        /// Whether both times are counted as [`Time::Relative`] is, from the same moment; otherwise from the script's beginning.
        relative: bool,
        /// When the call is made.
        start: Duration,
        /// When it must return; never before `start`.
        end: Duration,
    },
}

/// What an event is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// A packet that comes in or must go out.
    Packet(Packet),
    /// A system call.
    Call(Call),
    /// `` `command` ``.
    Command(Command),
    /// `%{ code }%`.
    Code(Code),
}

/// A shell command in backticks, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The text between the backticks.
    pub span: Span,
    /// The same.
    pub text: String,
}

/// `%{ ... }%`: lines of a subset of Python.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// The text between the braces.
    pub span: Span,
    /// The same.
    pub text: String,
    /// The same, read.
    pub program: Program,
}
