//! From text to [`Script`].

mod call;
mod cursor;
mod expr;
mod icmp;
mod packet;
mod settings;
mod source;
mod tcp_option;
mod time;

use std::path::Path;
use std::time::Duration;

use crate::ast::{Code, Command, Direction, Event, EventKind, IpVersion, Script, Settings, Time};
use crate::code;
use crate::error::Error;
use crate::span::Span;
use cursor::Cursor;
pub(crate) use cursor::Parsed;
pub use source::Define;
pub(crate) use source::{Char, is_word};

/// Reads a script. Of two replacements of a word in `defines` the last counts, and each before one in the script.
///
/// # Errors
///
/// The first mistake in it.
pub fn parse(name: &str, text: &str, defines: &[Define]) -> Result<Script, Error> {
    let version = settings::versions(text).first().copied();
    parse_as(name, text, defines, version.unwrap_or_default())
}

fn parse_as(
    name: &str,
    text: &str,
    defines: &[Define],
    version: IpVersion,
) -> Result<Script, Error> {
    let mut all = words_of(version);
    all.extend(settings::defines(text));
    all.extend_from_slice(defines);
    let error = |(span, message): (Span, String)| Error::new(name, text, span, message);
    let chars = source::read(text, &all).map_err(error)?;
    let mut script = script(&mut Cursor::new(&chars)).map_err(error)?;
    name.clone_into(&mut script.name);
    script.directory = Path::new(name)
        .parent()
        .map(Path::to_path_buf)
        .unwrap_or_default();
    text.clone_into(&mut script.text);
    Ok(script)
}

/// Reads a script once for each version that its line `--ip_version=ipv4,ipv6` lists; in such a script the word `MSS` is what
/// fits into 1500 bytes of that version. With `only`, or with one version in that line or none, there is one.
///
/// # Errors
///
/// The first mistake in it.
pub fn parse_each(
    name: &str,
    text: &str,
    defines: &[Define],
    only: Option<IpVersion>,
) -> Result<Vec<Script>, Error> {
    let listed = settings::versions(text);
    if listed.len() < 2 {
        let version = only.or(listed.first().copied()).unwrap_or_default();
        return Ok(vec![parse_as(name, text, defines, version)?]);
    }
    let wanted = only.map_or(listed, |version| vec![version]);
    let one = |version: IpVersion| {
        let mut all = vec![("MSS".to_owned(), mss(version).to_string())];
        all.extend_from_slice(defines);
        let mut script = parse_as(name, text, &all, version)?;
        script.settings.ip_version = Some(version);
        Ok(script)
    };
    wanted.into_iter().map(one).collect()
}

/// Under which level and type the error queue's messages come: words that scripts use for both versions.
fn words_of(version: IpVersion) -> Vec<Define> {
    let (level, kind) = match version {
        IpVersion::Ipv4 => ("SOL_IP", "IP_RECVERR"),
        IpVersion::Mapped | IpVersion::Ipv6 => ("SOL_IPV6", "IPV6_RECVERR"),
    };
    let word = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    vec![
        word("CMSG_LEVEL_IP", level),
        word("CMSG_TYPE_RECVERR", kind),
    ]
}

/// Of an MTU of 1500.
const fn mss(version: IpVersion) -> u16 {
    match version {
        IpVersion::Ipv4 | IpVersion::Mapped => 1500 - 20 - 20,
        IpVersion::Ipv6 => 1500 - 40 - 20,
    }
}

/// Sets an option given on the command line as `name=value` or `name`.
///
/// # Errors
///
/// What is wrong with it.
pub fn set_option(settings: &mut Settings, text: &str) -> Result<(), String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some((value.to_owned(), Span::default()))),
        None => (text, None),
    };
    settings::set(settings, name, Span::default(), value).map_err(|(_, message)| message)
}

fn script(cursor: &mut Cursor<'_>) -> Parsed<Script> {
    let mut script = Script::default();
    cursor.skip_space();
    loop {
        if cursor.peek() == Some('-') && cursor.at(1) == Some('-') {
            settings::option(cursor, &mut script.settings)?;
        } else if cursor.peek() == Some('`') {
            script.init.push(command(cursor)?);
            cursor.skip_space();
        } else {
            break;
        }
    }
    let mut clock = Clock::default();
    while !cursor.at_end() {
        if cursor.peek() == Some('`') {
            let from = cursor.place();
            script.cleanup = Some(command(cursor)?);
            cursor.skip_space();
            if !cursor.at_end() {
                cursor.back_to(from);
                return Err((
                    cursor.here(),
                    "a command between events needs a time before it, as in +0 `...`; without one it is the last thing of a script".to_owned(),
                ));
            }
            break;
        }
        script.events.push(event(cursor, &mut clock)?);
        cursor.skip_space();
    }
    Ok(script)
}

/// Text in backticks.
fn command(cursor: &mut Cursor<'_>) -> Parsed<Command> {
    let from = cursor.place();
    cursor.bump();
    let inner = cursor.place();
    let text = cursor.run_of(|c| c != '`');
    let span = cursor.span(inner);
    if !cursor.eat("`") {
        cursor.back_to(from);
        return Err((cursor.here(), "this backtick is never closed".to_owned()));
    }
    Ok(Command { span, text })
}

/// Text in `%{ }%`.
fn code(cursor: &mut Cursor<'_>) -> Parsed<Code> {
    let from = cursor.place();
    cursor.eat("%{");
    let inner = cursor.place();
    let mut text = String::new();
    loop {
        if cursor.peek() == Some('}') && cursor.at(1) == Some('%') {
            let span = cursor.span(inner);
            let program = code::compile(cursor.since(inner))?;
            cursor.eat("}%");
            return Ok(Code {
                span,
                text,
                program,
            });
        }
        match cursor.bump() {
            Some(c) => text.push(c),
            None => {
                cursor.back_to(from);
                return Err((cursor.here(), "this %{ is never closed by }%".to_owned()));
            }
        }
    }
}

fn event(cursor: &mut Cursor<'_>, clock: &mut Clock) -> Parsed<Event> {
    let from = cursor.place();
    if !time::begins(cursor) {
        return cursor.expected("an event, which begins with its time (0.1, +0.1 or *)");
    }
    let time = time::time(cursor)?;
    let time_span = cursor.span(from);
    cursor.skip_space();
    let kind = match cursor.peek() {
        Some('<' | '>') => EventKind::Packet(packet::packet(cursor)?),
        Some('`') => EventKind::Command(command(cursor)?),
        Some('%') if cursor.at(1) == Some('{') => EventKind::Code(code(cursor)?),
        Some(c) if c.is_ascii_alphabetic() || c == '_' => EventKind::Call(call::call(cursor)?),
        _ => {
            return cursor.expected(
                "a packet (`<` or `>`), a call, a command in backticks or %{ code }% after the time",
            );
        }
    };
    fits(time, &kind).map_err(|message| (time_span, message.to_owned()))?;
    clock.pass(time).map_err(|message| (time_span, message))?;
    Ok(Event {
        span: cursor.span(from),
        time,
        kind,
    })
}

/// Whether such a time may stand before such an event.
fn fits(time: Time, kind: &EventKind) -> Result<(), &'static str> {
    let outbound = matches!(kind, EventKind::Packet(p) if p.direction == Direction::Out);
    match time {
        Time::Any | Time::AbsoluteRange(..) | Time::RelativeRange(..) if !outbound => {
            Err("`*` and ranges of time are for outbound packets: write one time")
        }
        Time::Blocking { .. } if !matches!(kind, EventKind::Call(_)) => Err(
            "`start...end` is for calls that block: write one time, or a range `start~end` for an outbound packet",
        ),
        _ => Ok(()),
    }
}

/// The earliest time at which the next event can be.
#[derive(Default)]
struct Clock {
    at_least: Duration,
}

impl Clock {
    fn pass(&mut self, time: Time) -> Result<(), String> {
        let start = match time {
            Time::Any => return Ok(()),
            Time::Relative(after) | Time::RelativeRange(after, _) => self.at_least + after,
            Time::Blocking {
                relative: true,
                start,
                ..
            } => self.at_least + start,
            Time::Absolute(at) | Time::AbsoluteRange(at, _) | Time::Blocking { start: at, .. } => {
                if at < self.at_least {
                    return Err(format!(
                        "time goes back: the events before lead to {} at least",
                        crate::ast::Seconds(self.at_least)
                    ));
                }
                at
            }
        };
        self.at_least = start;
        Ok(())
    }
}
