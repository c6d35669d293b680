//! System calls: made at their time, compared when they return.

use core::time::Duration;

use hearken_abi::sock::{SOL_TCP, TCP_MD5SIG, TCP_MD5SIG_EXT};
use hearken_twin::{Call as Live, CallId, Return};

use super::{Engine, Stop, fail};
use crate::ast::{Call, Event, EventKind, Expr, ExprKind, Returns, Time};
use crate::exec::calls::{Context, prepare};
use crate::exec::md5;
use crate::exec::returns::{check, makes_descriptor, result_text};
use crate::exec::time::{PATIENCE, slack};
use crate::exec::trace::seconds;
use crate::span::Span;

/// A call that has not returned yet.
pub(super) struct Pending {
    id: CallId,
    /// Where it stands among the events.
    call: Call,
    span: Span,
    domain: i32,
    start: Duration,
    end: Duration,
}

/// Whether an argument names this descriptor, or may.
fn names(arg: &Expr, fd: i64) -> bool {
    match &arg.kind {
        ExprKind::Int(value) => *value == fd,
        ExprKind::List(parts) => parts.iter().any(|part| names(part, fd)),
        ExprKind::Struct(fields) => fields.iter().any(|field| names(&field.value, fd)),
        _ => false,
    }
}

impl Engine<'_> {
    pub(super) fn call(&mut self, event: &Event, call: &Call) -> Result<Duration, Stop> {
        let context = Context {
            fds: &self.fds,
            world: self.world,
            remote: self.datagrams_to(),
        };
        let live = match prepare(call, context) {
            Ok(live) => live,
            Err(wrong) => return fail(wrong.span, wrong.what, "", ""),
        };
        if let Live::Setsockopt {
            level: SOL_TCP,
            name: TCP_MD5SIG | TCP_MD5SIG_EXT,
            value,
            ..
        } = &live
        {
            // What left before is signed by the key before.
            let key = md5::key_of(value);
            self.fill_queue(self.now());
            self.md5_key = key;
        }
        let script_fd = call.args.first().and_then(Expr::int);
        let domain = match &live {
            Live::Socket { domain, .. } => *domain,
            _ => script_fd
                .and_then(|fd| self.fds.domain(fd))
                .unwrap_or_else(|| self.world.domain()),
        };
        if script_fd.is_some_and(|fd| self.fds.is_open(fd)) {
            self.last_fd = script_fd;
        }
        let notes_port = matches!(&live, Live::Bind { .. } | Live::Listen { .. });
        let start = self.now();
        let id = match self.system.start(live) {
            Ok(id) => id,
            Err(why) => return Err(Stop::Skip(format!("{}: {why}", self.system.name()))),
        };
        if let Time::Blocking {
            start: from,
            end: to,
            ..
        } = event.time
        {
            self.trace
                .note(start, format!("{} ...", self.text_of(call)));
            self.pending.push(Pending {
                id,
                call: call.clone(),
                span: event.span,
                domain,
                start,
                end: start + (to - from),
            });
            return Ok(start);
        }
        let until = self.zero + start + PATIENCE;
        let Some((at, returned)) = self.system.finish(id, until) else {
            let expected = format!("{} {}", seconds(start), self.text_of(call));
            let headline = format!(
                "{}() has not returned after {} s; a call that waits is written `+0...0.5 {}(...)`",
                call.name,
                PATIENCE.as_secs(),
                call.name
            );
            return fail(event.span, headline, expected, "it waits");
        };
        let at = at.saturating_sub(self.zero);
        self.returned(call, event.span, domain, start, &returned)?;
        if notes_port && returned.result.is_ok() {
            self.note_port(script_fd);
        }
        Ok(at)
    }

    /// Notes and compares what a call returned.
    fn returned(
        &mut self,
        call: &Call,
        span: Span,
        domain: i32,
        at: Duration,
        returned: &Return,
    ) -> Result<(), Stop> {
        let is = check(call, returned, &mut self.fds, domain, self.wall_zero);
        let shown = match (&is, returned.result) {
            // The script's own number for a descriptor.
            (Ok(()), Ok(live)) if makes_descriptor(call) => self
                .fds
                .script(live as i32)
                .map_or("a descriptor".to_owned(), |fd| fd.to_string()),
            (_, result) => result_text(result),
        };
        let name = self.text_of(call);
        self.trace.note(at, format!("{name} = {shown}"));
        let Err(unlike) = is else {
            return Ok(());
        };
        let expected = format!("{} {}", seconds(at), call);
        let output = match returned.result {
            Ok(_) if unlike.actual != shown && !unlike.actual.is_empty() => {
                format!("    {}", unlike.actual)
            }
            _ => String::new(),
        };
        let actual = format!("{} {name} = {shown}{output}", seconds(at));
        fail(span, unlike.headline, expected, actual)
    }

    /// The call as it is written, without its result.
    fn text_of(&self, call: &Call) -> String {
        let args: Vec<String> = call.args.iter().map(ToString::to_string).collect();
        format!("{}({})", call.name, args.join(", "))
    }

    /// Where a datagram or a Fast Open goes that names nobody: where the connection's packets come from.
    fn datagrams_to(&self) -> (core::net::IpAddr, u16) {
        (self.world.remote, self.world.connect_port)
    }

    /// Remembers which port inbound packets without one go to.
    fn note_port(&mut self, script_fd: Option<i64>) {
        let fd = script_fd.map(|fd| self.fds.live(fd));
        let name = fd.and_then(|fd| self.address(Live::Getsockname { fd }));
        self.bound_port = name.map(|n| n.port()).filter(|port| *port != 0);
    }

    /// Takes the calls that have returned, and waits for those that must have by now.
    pub(super) fn collect_until(&mut self, now: Duration) -> Result<(), Stop> {
        let least = self.least_slack;
        self.collect(|pending| pending.end + slack(pending.end - pending.start, least) < now)
    }

    /// Before an event that needs what a waiting call returns: the descriptor, or all that has happened until now.
    pub(super) fn wait_for_needed(&mut self, event: &EventKind) -> Result<(), Stop> {
        let now = self.now() + self.least_slack;
        match event {
            EventKind::Call(call) => self.collect(|pending| {
                let makes = match pending.call.returns {
                    Returns::Exact(fd) => makes_descriptor(&pending.call).then_some(fd),
                    _ => None,
                };
                makes.is_some_and(|fd| call.args.iter().any(|arg| names(arg, fd)))
            }),
            EventKind::Code(_) | EventKind::Command(_) => {
                self.collect(|pending| pending.end <= now)
            }
            EventKind::Packet(_) => Ok(()),
        }
    }

    fn collect(&mut self, is_due: impl Fn(&Pending) -> bool) -> Result<(), Stop> {
        let mut at = 0;
        while at < self.pending.len() {
            let due = is_due(&self.pending[at]);
            let until = match due {
                true => self.pending[at].end + PATIENCE,
                false => self.now(),
            };
            let finished = self.system.finish(self.pending[at].id, self.zero + until);
            match finished {
                Some((when, returned)) => {
                    let pending = self.pending.remove(at);
                    self.over(&pending, when.saturating_sub(self.zero), &returned)?;
                }
                None if due => {
                    let pending = self.pending.remove(at);
                    let expected = format!("{} {}", seconds(pending.end), pending.call);
                    let headline = format!("{}() has not returned", pending.call.name);
                    return fail(pending.span, headline, expected, "it waits");
                }
                None => at += 1,
            }
        }
        Ok(())
    }

    fn over(&mut self, pending: &Pending, when: Duration, returned: &Return) -> Result<(), Stop> {
        let Pending {
            call,
            span,
            domain,
            start,
            end,
            ..
        } = pending;
        self.returned(call, *span, *domain, when, returned)?;
        let slack = slack(*end - *start, self.least_slack);
        if when + slack >= *end && when <= *end + slack {
            return Ok(());
        }
        let headline = format!(
            "{}() returned at {}, expected at {} (give or take {:.6})",
            call.name,
            seconds(when),
            seconds(*end),
            slack.as_secs_f64()
        );
        let expected = format!("{} {}", seconds(*end), call);
        let actual = format!(
            "{} {} = {}",
            seconds(when),
            self.text_of(call),
            result_text(returned.result)
        );
        fail(*span, headline, expected, actual)
    }

    /// At the end of the script: every call returns.
    pub(super) fn wait_for_all(&mut self) -> Result<(), Stop> {
        self.collect(|_| true)
    }
}
