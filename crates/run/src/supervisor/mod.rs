//! One thread, one epoll: the program's calls on one side, the stack and the host on the other.

mod alive;
mod asked;
mod calls;
mod ending;
mod ends;
mod flow;
mod follow;
mod host;
mod lifetime;
mod merge;
mod pair;
mod pending;
mod pump;
mod slab;
mod source;
mod stack;
pub(crate) mod start;
mod stats;
mod table;
mod top;
mod untold;
mod waiting;

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use rustix::event::epoll::{self, CreateFlags, EventFlags};

use host::Host;
use pending::Pending;
use slab::{Key, Slab};
use source::Source;
use stack::Stack;
use table::Table;
use untold::Untold;

use crate::control;
use crate::exit::{self, Asked, Signals};
use crate::launch::Child;
use crate::sys::notify::{Listener, Notif};
use crate::sys::remote::Tasks;
use crate::watch::Watch;

/// How many notifications are answered before the flows have their turn.
const CALLS_PER_ROUND: usize = 64;

/// Everything one `run` holds.
pub(crate) struct Supervisor {
    child: Child,
    signals: Signals,
    listener: Listener,
    somaxconn: Option<File>,
    tasks: Tasks,
    stack: Stack,
    table: Table,
    pending: Pending,
    untold: Untold,
    /// Everything but the B ends.
    epoll: OwnedFd,
    /// The B ends, in an epoll of their own: it is drained before each call is answered.
    ends: OwnedFd,
    runnable: VecDeque<Key>,
    alive: alive::Alive,
    /// Sockets without a B (alone, or dead), now and when they were last asked about.
    unwatched: usize,
    unwatched_after_sweep: usize,
    swept_at: stack::Instant,
    /// The stack has more to do than one turn of the loop allowed.
    busy: bool,
    host: Host,
    control: Option<control::Server>,
    askers: Slab<asked::Asker>,
    /// Sends and receives with flags that would block, tried again each turn.
    retries: Vec<Notif>,
    watch: Watch,
    followers: follow::Followers,
    stats: Option<stats::KernelCounters>,
    /// Bytes moved in either direction, for the end to see whether any still do.
    moved: u64,
    ending: Option<ending::Ending>,
}

impl Supervisor {
    pub(crate) fn new(
        mut child: Child,
        signals: Signals,
        stack: Stack,
        mut host: Host,
        control: Option<control::Server>,
        (watch, trace): (Watch, bool),
        stats: Option<stats::KernelCounters>,
    ) -> io::Result<Self> {
        let listener = Listener(child.listener.0.try_clone()?);
        // Both sides then share a CPU: 6 us a call instead of 44 (measured, two virtual CPUs). New in
        // Linux 6.6, and only a matter of speed.
        let _ = listener.set_sync_wake_up();
        let somaxconn = child.somaxconn.take();
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let ends = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &listener, Source::Notify.data(), EventFlags::IN)?;
        epoll::add(&epoll, &ends, Source::Ends.data(), EventFlags::IN)?;
        epoll::add(&epoll, &signals, Source::Signals.data(), EventFlags::IN)?;
        if let Some(control) = child.control() {
            epoll::add(&epoll, control, Source::Child.data(), EventFlags::IN)?;
        }
        if let Some(control) = &control {
            epoll::add(
                &epoll,
                &control.listener,
                Source::Control.data(),
                EventFlags::IN,
            )?;
        }
        host.dns = child.dns.take().and_then(|s| host::dns::Dns::new(s.into()));
        if let Some(dns) = &host.dns {
            epoll::add(&epoll, dns.server(), Source::Dns.data(), EventFlags::IN)?;
        }
        let mut supervisor = Supervisor {
            child,
            signals,
            listener,
            somaxconn,
            tasks: Tasks::new(),
            stack,
            table: Table::new(),
            pending: Pending::default(),
            untold: Untold::default(),
            epoll,
            ends,
            runnable: VecDeque::new(),
            alive: alive::Alive::new(),
            unwatched: 0,
            unwatched_after_sweep: 0,
            swept_at: stack::clock(),
            busy: false,
            host,
            control,
            askers: Slab::new(),
            retries: Vec::new(),
            watch,
            followers: follow::Followers::new(trace),
            stats,
            moved: 0,
            ending: None,
        };
        supervisor.watch_published()?;
        supervisor.set_watch();
        Ok(supervisor)
    }

    /// Until the last descendant has gone: the exit status.
    pub(crate) fn run(mut self) -> io::Result<u8> {
        self.child.go()?;
        let mut events = Vec::with_capacity(64);
        loop {
            let timeout = self.timeout();
            events.clear();
            match epoll::wait(
                &self.epoll,
                rustix::buffer::spare_capacity(&mut events),
                timeout.as_ref(),
            ) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
            self.stack.tick();
            for event in &events {
                let epoll::Event { flags, data } = *event;
                match Source::of(data) {
                    Some(Source::Notify) if flags.contains(EventFlags::IN) => {
                        self.answer_calls()?
                    }
                    // The last task under the filter has gone.
                    Some(Source::Notify) => self.begin_ending(),
                    Some(Source::Ends) => self.drain_ends()?,
                    Some(Source::Child) => self.on_guardian()?,
                    Some(Source::Signals) => {
                        if let Asked::End(code) = self.signals.forward(&self.child)? {
                            self.print_stats();
                            return Ok(code);
                        }
                    }
                    Some(Source::Published(i)) => self.on_published(i),
                    Some(Source::HostFlow(key)) => self.on_host_fd(key, flags),
                    Some(Source::Control) => self.on_control(),
                    Some(Source::Asker(key)) => self.on_asker(key),
                    Some(Source::Follower(key)) => self.on_follower(key, flags),
                    Some(Source::Dns) => self.on_dns_query(),
                    Some(Source::Answer(key)) => self.on_dns_answer(key),
                    None => {}
                }
            }
            self.on_deadlines();
            self.settle();
            self.pump_round();
            self.pump_host_round();
            self.settle();
            self.retry_calls();
            self.tell_followers();
            if self.sweep_is_due() {
                self.sweep();
            }
            if self.has_ended() {
                self.print_stats();
                let ended = self.child.wait()?;
                return Ok(ended.map_or(exit::FAILED, |e| e.code()));
            }
        }
    }

    /// CMD ended, or the guardian did; descendants may live on.
    fn on_guardian(&mut self) -> io::Result<()> {
        if !self.child.check()?
            && let Some(control) = self.child.control()
        {
            epoll::delete(&self.epoll, control)?;
        }
        Ok(())
    }

    /// How long to sleep: not at all while flows have work.
    fn timeout(&self) -> Option<rustix::event::Timespec> {
        const ZERO: rustix::event::Timespec = rustix::event::Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        if self.busy || !self.runnable.is_empty() || !self.host.runnable.is_empty() {
            return Some(ZERO);
        }
        let next = [
            self.stack.next_timeout(),
            self.pending.next_deadline(),
            self.ending_timeout(),
        ]
        .into_iter()
        .flatten()
        .min();
        let ns = next.map(|at| at.0.saturating_sub(stack::clock().0));
        let ns = if self.unwatched > 0 {
            Some(ns.unwrap_or(u64::MAX).min(lifetime::SWEEP_NS))
        } else {
            ns
        };
        ns.map(|ns| rustix::event::Timespec {
            tv_sec: (ns / 1_000_000_000) as _,
            tv_nsec: (ns % 1_000_000_000) as _,
        })
    }

    /// Answers what waits, as many as are there but no more than a round's share.
    fn answer_calls(&mut self) -> io::Result<()> {
        for _ in 0..CALLS_PER_ROUND {
            if !self.a_call_waits()? {
                break;
            }
            let Some(n) = self.listener.recv()? else {
                continue;
            };
            if self.passes(&n) {
                continue;
            }
            // A close before this call is HUP on B by now: seen first, so that close-then-bind is
            // never EADDRINUSE.
            self.drain_ends()?;
            self.on_notification(n);
        }
        Ok(())
    }

    fn a_call_waits(&self) -> io::Result<bool> {
        let mut p = [rustix::event::PollFd::new(
            &self.listener,
            rustix::event::PollFlags::IN,
        )];
        rustix::event::poll(
            &mut p,
            Some(&rustix::event::Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            }),
        )?;
        Ok(p[0].revents().contains(rustix::event::PollFlags::IN))
    }

    fn print_stats(&mut self) {
        if let Some(kernel) = self.stats.as_mut() {
            eprint!(
                "{}{}",
                kernel.lines(),
                stats::own_lines(&self.stack.counters())
            );
        }
    }
}
