//! Those who are told as things happen: `hearken trace` at the other end of the control socket, and
//! our own stderr (`run --trace`).
//!
//! The program comes first: each follower has a buffer of its own with a bound. What does not fit
//! is not waited for; it is counted, and the follower is told how much that was.

use std::io::{self, ErrorKind, Write};
use std::os::unix::net::UnixStream;

use hearken_inet::{HookMask, Step};
use rustix::event::epoll::{self, EventFlags};

use super::slab::{Key, Slab};
use super::stack::Stack;
use super::{Source, Supervisor};
use crate::capture::Capture;
use crate::control::{Answer, Request, Trace};
use crate::event::{Event, Line};
use crate::trace;
use crate::watch::Told;

/// Bytes that wait for a follower; the kernel holds some more.
const ROOM: usize = 256 << 10;
/// Followers at a time.
const MOST: usize = 16;

/// One who is told.
struct Follower {
    stream: UnixStream,
    wants: HookMask,
    out: Vec<u8>,
    sent: usize,
    /// Events that found no room.
    lost: u64,
    /// It is watched for room.
    blocked: bool,
    /// The capture that it is sent.
    capture: Option<u64>,
}

/// All of them.
pub(super) struct Followers {
    all: Slab<Follower>,
    /// `--trace`: calls to stderr.
    stderr: bool,
}

impl Followers {
    pub(super) fn new(stderr: bool) -> Self {
        Followers {
            all: Slab::new(),
            stderr,
        }
    }

    fn wants(&self) -> HookMask {
        let own = if self.stderr {
            HookMask::TRACE
        } else {
            HookMask::default()
        };
        self.all.iter().fold(own, |m, (_, f)| m.with(f.wants))
    }
}

impl Follower {
    /// Puts a line into the buffer, or counts it.
    fn tell(&mut self, line: &Line) {
        if !self.tell_lost(line.time_ns) || !self.put(line) {
            self.lost += 1;
        }
    }

    /// Says how much was lost, as soon as there is room again; false when there is none.
    fn tell_lost(&mut self, time_ns: u64) -> bool {
        let event = Event::Lost { events: self.lost };
        if self.lost > 0 && !self.put(&Line { time_ns, event }) {
            return false;
        }
        self.lost = 0;
        true
    }

    fn put(&mut self, line: &Line) -> bool {
        let Ok(text) = serde_json::to_vec(line) else {
            return false;
        };
        if self.out.len() - self.sent + text.len() >= ROOM {
            return false;
        }
        self.out.extend_from_slice(&text);
        self.out.push(b'\n');
        true
    }

    /// Sends what goes without waiting; false when it has gone.
    fn flush(&mut self) -> bool {
        while self.sent < self.out.len() {
            match self.stream.write(&self.out[self.sent..]) {
                Ok(0) => return false,
                Ok(n) => self.sent += n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    self.out.drain(..self.sent);
                    self.sent = 0;
                    return true;
                }
                Err(_) => return false,
            }
        }
        self.out.clear();
        self.sent = 0;
        true
    }
}

fn wants(request: &Request) -> HookMask {
    let mut mask = HookMask::default();
    if let Request::Trace(Trace {
        calls,
        drops,
        states,
        retransmits,
    }) = *request
    {
        for (on, bit) in [
            (calls, HookMask::TRACE),
            (drops, HookMask::DROPS),
            (states, HookMask::STATES),
            (retransmits, HookMask::RETRANSMITS),
        ] {
            if on {
                mask = mask.with(bit);
            }
        }
    }
    mask
}

impl Supervisor {
    /// One more is to be told from now on.
    pub(super) fn follow(&mut self, stream: UnixStream, request: &Request) {
        let mut answer = Answer {
            pid: std::process::id(),
            ..Answer::default()
        };
        let full = self.followers.all.len() >= MOST;
        if full {
            answer.error = Some(format!("{MOST} others look into this run already"));
        }
        let mut out = serde_json::to_vec(&answer).unwrap_or_default();
        out.push(b'\n');
        let mut follower = Follower {
            stream,
            wants: wants(request),
            out,
            sent: 0,
            lost: 0,
            blocked: false,
            capture: None,
        };
        if full {
            follower.flush();
            return;
        }
        if let Request::Capture(c) = request {
            let capture = Capture::to_stream(&self.stack.iface_names(), c.snaplen);
            // Writing to memory does not fail.
            follower.capture = capture.ok().map(|c| self.watch.capture(c));
        }
        let key = self.followers.all.insert(follower);
        let watched = self.followers.all.get(key).is_some_and(|f| {
            let data = Source::Follower(key).data();
            epoll::modify(&self.epoll, &f.stream, data, EventFlags::RDHUP).is_ok()
        });
        if !watched {
            return self.unfollow(key);
        }
        self.set_watch();
        self.flush_follower(key);
    }

    /// It hung up, or has room again.
    pub(super) fn on_follower(&mut self, key: Key, flags: EventFlags) {
        if flags.intersects(EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR) {
            self.unfollow(key);
        } else {
            self.flush_follower(key);
        }
    }

    fn unfollow(&mut self, key: Key) {
        if let Some(f) = self.followers.all.remove(key) {
            if let Some(capture) = f.capture {
                self.watch.end_capture(capture);
            }
            self.set_watch();
        }
    }

    /// The stack tells what is wanted, and nothing when nobody wants anything.
    pub(super) fn set_watch(&mut self) {
        let captures = self.watch.captures();
        let mut wants = self.followers.wants();
        if captures {
            wants = wants.with(HookMask::FRAMES);
        }
        self.watch.want(wants);
        let watch = (wants != HookMask::default()).then_some(&self.watch);
        self.stack.set_watch(watch);
        self.stack.set_tap(captures.then_some(&self.watch));
    }

    /// Passes on what happened since the last time.
    pub(super) fn tell_followers(&mut self) {
        if self.followers.all.len() == 0 && !self.followers.stderr {
            return;
        }
        let (told, lost) = self.watch.take();
        let time_ns = self.stack.wall_time();
        for (kind, event) in in_words(&self.stack, &told) {
            if self.followers.stderr && kind == HookMask::TRACE {
                // Nobody reads it any more: no reason to stop.
                let _ = io::stderr().write_all(event.text().as_bytes());
            }
            let line = Line { time_ns, event };
            for f in self.followers.all.iter_mut() {
                if f.wants.has(kind) {
                    f.tell(&line);
                }
            }
        }
        for f in self.followers.all.iter_mut() {
            f.lost += lost;
        }
        let keys: Vec<Key> = self.followers.all.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.flush_follower(key);
        }
    }

    fn flush_follower(&mut self, key: Key) {
        let Some(f) = self.followers.all.get_mut(key) else {
            return;
        };
        if let Some(capture) = f.capture {
            self.watch.fetch(capture, &mut f.out);
        }
        // The last of a flood may have been lost: that is told without waiting for something new.
        let time_ns = self.stack.wall_time();
        if !f.flush() || f.tell_lost(time_ns) && !f.flush() {
            return self.unfollow(key);
        }
        if let Some(capture) = f.capture {
            self.watch.held(capture, f.out.len() - f.sent);
        }
        let blocked = !f.out.is_empty();
        if blocked != f.blocked {
            f.blocked = blocked;
            let mut flags = EventFlags::RDHUP;
            flags.set(EventFlags::OUT, blocked);
            let data = Source::Follower(key).data();
            if epoll::modify(&self.epoll, &f.stream, data, flags).is_err() {
                self.unfollow(key);
            }
        }
    }
}

/// What was told, in words. A listen() is one event with all its steps; what else happened within it follows.
fn in_words(stack: &Stack, told: &[Told]) -> Vec<(HookMask, Event)> {
    let mut events = Vec::new();
    let mut listen: Vec<Step> = Vec::new();
    let mut within = Vec::new();
    for t in told {
        match t {
            Told::Step(step @ Step::ListenEnter { .. }) => listen.push(*step),
            Told::Step(step) if !listen.is_empty() => {
                listen.push(*step);
                if matches!(step, Step::ListenExit { .. }) {
                    events.push((HookMask::TRACE, trace::event(&listen)));
                    events.append(&mut within);
                    listen.clear();
                }
            }
            Told::Step(step) => events.push((HookMask::TRACE, trace::event(&[*step]))),
            other if listen.is_empty() => events.push((other.kind(), event(stack, other))),
            other => within.push((other.kind(), event(stack, other))),
        }
    }
    events
}

fn event(stack: &Stack, told: &Told) -> Event {
    match told {
        Told::Step(step) => trace::event(&[*step]),
        Told::Call(call) => Event::Call {
            call: call.clone(),
            steps: Vec::new(),
        },
        Told::State(c) => Event::State {
            local: c.local.to_string(),
            remote: c.remote.map(|r| r.to_string()),
            old: c.old.name().to_owned(),
            new: c.new.name().to_owned(),
        },
        Told::Retransmit(r) => Event::Retransmit {
            local: r.local.to_string(),
            remote: r.remote.to_string(),
            state: r.state.name().to_owned(),
            seq: r.seq,
            len: r.len,
        },
        Told::Drop(reason, iface, packet) => Event::Drop {
            reason: reason.name().to_owned(),
            iface: stack.iface_name(*iface).to_owned(),
            packet: packet.clone(),
        },
    }
}
