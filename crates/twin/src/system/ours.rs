//! Our machine under a script, in virtual time: a call takes none, and every timer fires when it is due.

mod calls;
mod pipes;

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use hearken_abi::{Counter, Errno};
use hearken_inet::{
    Config, Cred, IfaceId, Instant, Net, Progress, RxFrame, RxMeta, TxCaps, TxMeta, TxSink,
};
use hearken_syscall::{Descriptors, FileId, Machine, NetId, Outcome, Process, Ticket};

use super::plain::Plain;
use super::{Call, CallId, Lan, Output, Return, System};
use crate::{Counters, Fd};
use calls::Then;

/// When a script begins; the clock of a machine never shows zero.
const START: Instant = Instant(1_000_000_000);

/// Our machine with one namespace, `lo` and `tun0`.
pub struct OursSystem {
    now: Instant,
    machine: Machine,
    process: Process,
    net: NetId,
    tun: IfaceId,
    out: VecDeque<(Instant, Vec<u8>)>,
    /// What is behind descriptors that are no sockets.
    plain: BTreeMap<FileId, Plain>,
    calls: BTreeMap<CallId, State>,
    started: u32,
}

/// How far a started call is.
enum State {
    /// It waits in the machine.
    Waits(Ticket, Then),
    /// It is a poll.
    Polls {
        fds: Vec<(Fd, i16)>,
        until: Option<Instant>,
    },
    /// It returned, then.
    Over(Instant, Return),
}

/// Collects what leaves `tun0`, one packet a frame: it can neither cut nor sum.
struct Collect<'a>(Instant, &'a mut VecDeque<(Instant, Vec<u8>)>);

impl TxSink for Collect<'_> {
    fn caps(&self) -> TxCaps {
        TxCaps {
            csum: false,
            max_gso: 0,
        }
    }

    fn room(&self) -> usize {
        64
    }

    fn send(&mut self, _meta: &TxMeta, head: &[u8], body: &[&[u8]]) {
        let mut packet = head.to_vec();
        for piece in body {
            packet.extend_from_slice(piece);
        }
        self.1.push_back((self.0, packet));
    }
}

impl OursSystem {
    /// A machine in this network.
    pub(super) fn new(lan: &Lan, seed: [u8; 32]) -> Self {
        let mut machine = Machine::new();
        let mut net = Net::new(Config::new(seed));
        let tun = net.add_iface("tun0", lan.mtu);
        for (address, prefix) in &lan.addresses {
            net.add_addr(tun, *address, *prefix);
            let any = if address.is_ipv4() {
                crate::ANY_V4
            } else {
                crate::ANY_V6
            };
            net.add_route(any, 0, tun);
        }
        let net = machine.add_net(net);
        let mut system = OursSystem {
            now: START,
            machine,
            process: Process::new(net, Cred::ROOT, 1024),
            net,
            tun,
            out: VecDeque::new(),
            plain: BTreeMap::new(),
            calls: BTreeMap::new(),
            started: 0,
        };
        // Standard input, output and error.
        for _ in 0..3 {
            let file = system.machine.open_not_socket(&Cred::ROOT);
            let installed = system
                .process
                .install(&mut system.machine, START, file)
                .is_ok();
            assert!(installed, "a fresh table has room");
        }
        system
    }

    fn at(&self, since: Duration) -> Instant {
        START + since
    }

    fn since(&self, at: Instant) -> Duration {
        Duration::from_nanos(at.0 - START.0)
    }

    /// Does all that can be done now: loopback, the calls that may go on, what leaves `tun0`.
    fn settle(&mut self) {
        loop {
            let more = self.machine.settle(self.now, 1000);
            assert!(!more, "the loopback queue does not come to rest");
            let mut tickets = Vec::new();
            self.machine.ready_tickets(&mut tickets);
            let resumed = !tickets.is_empty();
            for ticket in tickets {
                self.resume(ticket);
            }
            let mut sink = Collect(self.now, &mut self.out);
            let progress = self
                .machine
                .net_mut(self.net)
                .poll_transmit(self.now, self.tun, &mut sink);
            if !resumed && progress == Progress::Idle {
                break;
            }
        }
        self.machine.stamp(self.now);
        self.machine.poll_events(&mut Vec::new());
        self.end_polls();
    }

    fn resume(&mut self, ticket: Ticket) {
        let Outcome::Done(result) = self.process.resume(&mut self.machine, self.now, ticket) else {
            return;
        };
        let waits = |state: &State| matches!(state, State::Waits(t, _) if *t == ticket);
        let Some((&id, _)) = self.calls.iter().find(|(_, state)| waits(state)) else {
            return;
        };
        if let Some(State::Waits(_, then)) = self.calls.remove(&id) {
            let returned = self.reply(then, result);
            self.calls.insert(id, State::Over(self.now, returned));
        }
    }

    /// Ends the polls that have something to tell, or whose time is up.
    fn end_polls(&mut self) {
        let ids: Vec<CallId> = self.calls.keys().copied().collect();
        for id in ids {
            let Some(State::Polls { fds, until }) = self.calls.get(&id) else {
                continue;
            };
            let (ready, revents) = self.poll_once(fds);
            if ready > 0 || until.is_some_and(|at| at <= self.now) {
                let returned = Return {
                    result: Ok(ready),
                    output: Output::Revents(revents),
                };
                self.calls.insert(id, State::Over(self.now, returned));
            }
        }
    }

    fn poll_once(&self, fds: &[(Fd, i16)]) -> (i64, Vec<i16>) {
        let revents: Vec<i16> = fds
            .iter()
            .map(|(fd, events)| match *fd {
                // A negative descriptor is left out (poll(2)).
                fd if fd < 0 => 0,
                fd => self
                    .process
                    .poll(&self.machine, fd, u32::from(*events as u16)) as u16
                    as i16,
            })
            .collect();
        let ready = revents.iter().filter(|bits| **bits != 0).count();
        (ready as i64, revents)
    }

    /// When something happens next.
    fn next_timeout(&self) -> Option<Instant> {
        let polls = self.calls.values().filter_map(|state| match state {
            State::Polls { until, .. } => *until,
            State::Waits(..) | State::Over(..) => None,
        });
        let net = self.machine.net(self.net).poll_timeout();
        polls.chain(net).chain(self.machine.poll_timeout()).min()
    }

    /// Goes to the next timeout if it lies before `end`; else to `end`, and says false.
    fn step(&mut self, end: Instant) -> bool {
        let next = self.next_timeout().filter(|at| *at <= end);
        self.now = self.now.max(next.unwrap_or(end));
        if next.is_some() {
            self.machine.net_mut(self.net).handle_timeout(self.now);
            self.machine.handle_timeout(self.now);
        }
        self.settle();
        next.is_some()
    }

    fn file(&self, fd: Fd) -> Result<FileId, Errno> {
        self.process.fds.lookup(fd)
    }
}

fn sysctl_errno(error: hearken_inet::SysctlError) -> Errno {
    match error {
        hearken_inet::SysctlError::Unknown | hearken_inet::SysctlError::NotThere => Errno::ENOENT,
        hearken_inet::SysctlError::Invalid => Errno::EINVAL,
        hearken_inet::SysctlError::ReadOnly => Errno::EACCES,
    }
}

impl System for OursSystem {
    fn name(&self) -> &'static str {
        "hearken"
    }

    fn now(&self) -> Duration {
        self.since(self.now)
    }

    fn wall_clock(&self) -> Duration {
        Duration::from_nanos(self.now.0)
    }

    fn advance(&mut self, to: Duration) {
        let end = self.at(to);
        while self.step(end) {}
    }

    fn inject(&mut self, packet: &[u8]) {
        let frame = RxFrame {
            meta: RxMeta::default(),
            head: packet,
            body: &[],
        };
        self.machine
            .net_mut(self.net)
            .handle_frames(self.now, self.tun, &[frame]);
        self.settle();
    }

    fn next_packet(&mut self, until: Duration) -> Option<(Duration, Vec<u8>)> {
        let end = self.at(until);
        self.settle();
        loop {
            if let Some((at, packet)) = self.out.pop_front() {
                return Some((self.since(at), packet));
            }
            if self.now >= end {
                return None;
            }
            self.step(end);
        }
    }

    fn start(&mut self, call: Call) -> Result<CallId, String> {
        let state = self.begin(call)?;
        let id = CallId(self.started);
        self.started += 1;
        self.calls.insert(id, state);
        self.settle();
        Ok(id)
    }

    fn finish(&mut self, id: CallId, until: Duration) -> Option<(Duration, Return)> {
        let end = self.at(until);
        self.settle();
        while !matches!(self.calls.get(&id)?, State::Over(..)) {
            if self.now >= end {
                return None;
            }
            self.step(end);
        }
        match self.calls.remove(&id)? {
            State::Over(at, returned) => Some((self.since(at), returned)),
            State::Waits(..) | State::Polls { .. } => None,
        }
    }

    fn tcp_info(&mut self, fd: Fd) -> Result<Vec<u8>, Errno> {
        let file = self.file(fd)?;
        self.machine
            .getsockopt(self.now, file, libc::IPPROTO_TCP, libc::TCP_INFO, 512)
    }

    fn counters(&mut self) -> Counters {
        let mut counters = Counters::default();
        let mib = self.machine.net(self.net).mib();
        for counter in Counter::ALL {
            counters.insert(
                format!("{}{}", counter.group(), counter.name()),
                mib.get(*counter) as i64,
            );
        }
        counters
    }

    fn sysctl(&mut self, name: &str, value: &str) -> Result<(), Errno> {
        self.machine
            .net_mut(self.net)
            .sysctl_set(name, value)
            .map_err(sysctl_errno)
    }

    fn sysctl_get(&mut self, name: &str) -> Result<String, Errno> {
        self.machine
            .net(self.net)
            .sysctl_get(name)
            .map_err(sysctl_errno)
    }

    fn set_mtu(&mut self, mtu: u32) {
        self.machine.net_mut(self.net).set_mtu(self.tun, mtu);
    }
}
