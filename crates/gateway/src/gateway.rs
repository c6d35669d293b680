//! The gateway itself.

use crate::flow::{Flow, FlowId, Flows, Stage};
use alloc::collections::VecDeque;
use core::hash::BuildHasher;
use core::net::SocketAddr;
use core::time::Duration;
use hashbrown::HashMap;
use hearken_inet::{
    BindError, Config, ConnectError, Cred, Domain, Event as NetEvent, IfaceId, Instant, Net, Opt,
    Progress, Ready, RecvError, RxFrame, SendError, Shutdown, SoError, SocketId, SynVerdict,
    TxSink,
};
use hearken_wire::{icmp, icmpv6};
use siphasher::sip::SipHasher13;

/// Tokens of the two listeners. No flow has them, as a generation has 31 bits.
const LISTENER_V4: u64 = u64::MAX;
const LISTENER_V6: u64 = u64::MAX - 1;

/// How long a SYN-ACK is sent again before the namespace gives up: 1 + 2 + 4 + 8 + 16 + 32 s and one to spare.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(64);

/// Something that the host is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Connect to `local`, which is where the program wants to go, and answer with [`Gateway::opened`].
    Open {
        /// The flow that waits.
        flow: FlowId,
        /// The destination.
        local: SocketAddr,
        /// The program's address.
        remote: SocketAddr,
    },
}

/// Something that happened to a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The handshake is done.
    Established {
        /// Which flow.
        flow: FlowId,
    },
    /// Bytes, or the end of the stream, wait for [`Gateway::recv_with`].
    Readable {
        /// Which flow.
        flow: FlowId,
    },
    /// There is room for [`Gateway::send_with`].
    Writable {
        /// Which flow.
        flow: FlowId,
    },
    /// The program's FIN has come; bytes before it may still wait. Given out once.
    PeerClosed {
        /// Which flow.
        flow: FlowId,
    },
    /// The flow ended by an error: a reset, or nobody answered. Given out once; [`Gateway::close`] is left to do.
    Reset {
        /// Which flow.
        flow: FlowId,
        /// What was the matter.
        error: SoError,
    },
    /// Both directions are done, or the handshake came to nothing. Given out once; [`Gateway::close`] is left to do.
    Closed {
        /// Which flow.
        flow: FlowId,
    },
}

/// Why a destination cannot be reached, as ICMP tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreachable {
    /// `ENETUNREACH`
    Net,
    /// `EHOSTUNREACH`
    Host,
    /// `EACCES`, `EPERM`: a filter forbids it.
    Prohibited,
}

/// Why the host could not open what a [`Request::Open`] asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// Answered by RST.
    Refused,
    /// Answered by ICMP.
    Unreachable(Unreachable),
    /// Not answered at all, as the host got no answer.
    TimedOut,
}

/// Why [`Gateway::connect`] made no flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectFailure {
    /// The source address cannot be taken: another flow has it.
    Bind(BindError),
    /// No connection was begun.
    Connect(ConnectError),
}

/// Keyed from the namespace's seed, so that no program can choose collisions.
#[derive(Clone, Copy)]
struct Keyed(u64, u64);

impl BuildHasher for Keyed {
    type Hasher = SipHasher13;
    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.0, self.1)
    }
}

/// A namespace in which every destination is local.
pub struct Gateway {
    net: Net,
    iface: IfaceId,
    listeners: [SocketId; 2],
    flows: Flows,
    /// Flows that wait for their accept, by (local, remote).
    accepting: HashMap<(SocketAddr, SocketAddr), FlowId, Keyed>,
    /// When a flow that waits for its accept is given up; in rising order, as the limit is one for all.
    limits: VecDeque<(Instant, FlowId)>,
    requests: VecDeque<Request>,
    events: VecDeque<Event>,
}

impl Gateway {
    /// A gateway whose link has this MTU, with `backlog` half-open connections at most for each address family.
    #[must_use]
    pub fn new(now: Instant, config: Config, mtu: u32, backlog: u32) -> Gateway {
        let (head, tail) = config.seed.split_at(8);
        let word = |b: &[u8]| b.iter().take(8).fold(0u64, |a, b| a << 8 | u64::from(*b));
        let keys = Keyed(word(head).rotate_left(29), word(tail).rotate_left(31));
        let mut net = Net::new(config);
        let iface = net.add_iface("gate", mtu);
        net.set_any_local(iface);
        net.add_route(SocketAddr::from(([0, 0, 0, 0], 0)).ip(), 0, iface);
        net.add_route(SocketAddr::from(([0u16; 8], 0)).ip(), 0, iface);
        let v4 = net.listen_any(now, Domain::Inet, backlog);
        let v6 = net.listen_any(now, Domain::Inet6, backlog);
        net.set_interest(v4, Ready::READ, LISTENER_V4);
        net.set_interest(v6, Ready::READ, LISTENER_V6);
        Gateway {
            net,
            iface,
            listeners: [v4, v6],
            flows: Flows::default(),
            accepting: HashMap::with_hasher(keys),
            limits: VecDeque::new(),
            requests: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// The namespace, to look at.
    #[must_use]
    pub const fn net(&self) -> &Net {
        &self.net
    }

    /// The namespace, to set addresses and sysctls.
    pub const fn net_mut(&mut self) -> &mut Net {
        &mut self.net
    }

    /// The interface toward the program.
    #[must_use]
    pub const fn iface(&self) -> IfaceId {
        self.iface
    }

    /// How many flows there are.
    #[must_use]
    pub fn flow_count(&self) -> usize {
        self.flows.len()
    }

    /// The socket of a flow that has one.
    #[must_use]
    pub fn socket(&self, flow: FlowId) -> Option<SocketId> {
        self.flows.get(flow)?.socket()
    }

    /// Our end and the program's end of a flow.
    #[must_use]
    pub fn addresses(&self, flow: FlowId) -> Option<(SocketAddr, SocketAddr)> {
        self.flows.get(flow).map(|f| (f.local, f.remote))
    }

    /// Takes packets from the link.
    pub fn handle_frames(&mut self, now: Instant, frames: &[RxFrame<'_>]) {
        self.net.handle_frames(now, self.iface, frames);
    }

    /// Runs what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.net.handle_timeout(now);
        while let Some((at, id)) = self.limits.front().copied() {
            if at > now {
                break;
            }
            self.limits.pop_front();
            self.give_up(id);
        }
    }

    /// When [`Gateway::handle_timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let limit = self.limits.front().map(|(at, _)| *at);
        self.net.poll_timeout().into_iter().chain(limit).min()
    }

    /// Hands out the packets for the link.
    pub fn poll_transmit(&mut self, now: Instant, tx: &mut impl TxSink) -> Progress {
        self.net.poll_transmit(now, self.iface, tx)
    }

    /// Digests what the namespace has to tell. To be called after packets, timeouts and commands, before
    /// [`Gateway::poll_request`] and [`Gateway::poll_event`].
    pub fn process(&mut self, now: Instant) {
        while self.net.poll_lo(now) {}
        let mut batch = [NetEvent::Ready {
            token: 0,
            ready: Ready::NONE,
        }; 64];
        loop {
            let n = self.net.poll_events(&mut batch);
            for event in &batch[..n] {
                match *event {
                    NetEvent::Syn { id, local, remote } => {
                        let flow = self.insert(Stage::Held(id), local, remote);
                        self.requests.push_back(Request::Open {
                            flow,
                            local,
                            remote,
                        });
                    }
                    NetEvent::Ready { token, .. } => match token {
                        LISTENER_V4 => self.accept(now, self.listeners[0]),
                        LISTENER_V6 => self.accept(now, self.listeners[1]),
                        _ => self.ready(FlowId::from_bits(token)),
                    },
                }
            }
            // Not at the first batch that is not full: accepting makes new events.
            if n == 0 {
                break;
            }
        }
    }

    /// The next thing that the host is to do.
    pub fn poll_request(&mut self) -> Option<Request> {
        self.requests.pop_front()
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Opens a flow toward the program's `to` from `from`, whoever that belongs to.
    ///
    /// # Errors
    /// [`ConnectFailure`]; nothing is left behind.
    pub fn connect(
        &mut self,
        now: Instant,
        from: SocketAddr,
        to: SocketAddr,
    ) -> Result<FlowId, ConnectFailure> {
        let s = self.net.socket(if to.is_ipv4() {
            Domain::Inet
        } else {
            Domain::Inet6
        });
        let began = self.begin(now, s, from, to);
        if let Err(e) = began {
            self.net.close(now, s);
            return Err(e);
        }
        // Not `from`: its port may have been 0, for one of the namespace's choice.
        let flow = self.insert(Stage::Connecting(s), self.net.local_addr(s), to);
        self.net.set_interest(s, Ready::ALL, flow.to_bits());
        Ok(flow)
    }

    fn begin(
        &mut self,
        now: Instant,
        s: SocketId,
        from: SocketAddr,
        to: SocketAddr,
    ) -> Result<(), ConnectFailure> {
        // The address is foreign, and one client address may talk to several ports of the program.
        for opt in [
            Opt::FreeBind(true),
            Opt::ReuseAddr(true),
            Opt::NoDelay(true),
        ] {
            let set = self.net.set_option(now, s, opt);
            debug_assert!(set.is_ok(), "{opt:?} on a fresh socket");
        }
        self.net
            .bind(s, from, &Cred::ROOT)
            .map_err(ConnectFailure::Bind)?;
        self.net
            .connect(now, s, to, &Cred::ROOT)
            .map_err(ConnectFailure::Connect)?;
        Ok(())
    }

    /// Says what became of a [`Request::Open`]. A flow that was closed meanwhile is nothing to answer.
    pub fn opened(&mut self, now: Instant, flow: FlowId, result: Result<(), OpenError>) {
        let Some(f) = self.flows.get_mut(flow) else {
            return;
        };
        let Stage::Held(syn) = f.stage else {
            return;
        };
        let (local, remote) = (f.local, f.remote);
        let verdict = match result {
            Ok(()) => SynVerdict::Accept,
            Err(OpenError::Refused) => SynVerdict::Reset,
            Err(OpenError::TimedOut) => SynVerdict::Drop,
            Err(OpenError::Unreachable(u)) => SynVerdict::Icmp(icmp_code(u, local.is_ipv4())),
        };
        if result.is_ok() {
            f.stage = Stage::Accepting;
            let at = now + HANDSHAKE_LIMIT;
            self.limits.push_back((at, flow));
            if let Some(old) = self.accepting.insert((local, remote), flow) {
                // The same addresses again: the earlier handshake cannot complete any more.
                self.give_up(old);
            }
        } else {
            self.flows.remove(flow);
        }
        self.net.resolve_syn(now, syn, verdict);
    }

    /// Shows the bytes that wait to `f`, which says how many it took. Zero slices are the end of the stream.
    ///
    /// # Errors
    /// As [`Net::recv_with`]; a flow without a socket is not connected.
    pub fn recv_with<R>(
        &mut self,
        now: Instant,
        flow: FlowId,
        f: impl FnOnce(&[&[u8]]) -> (usize, R),
    ) -> Result<R, RecvError> {
        match self.socket(flow) {
            Some(s) => self.net.recv_with(now, s, f),
            None => Err(RecvError::NotConnected),
        }
    }

    /// Lets `f` write into the send buffer; it says how many bytes it wrote.
    ///
    /// # Errors
    /// As [`Net::send_with`]; a flow without a socket is a broken pipe.
    pub fn send_with<R>(
        &mut self,
        now: Instant,
        flow: FlowId,
        f: impl FnOnce(&mut [&mut [u8]]) -> (usize, R),
    ) -> Result<R, SendError> {
        self.send_up_to(now, flow, usize::MAX, f)
    }

    /// The same with room for `most` bytes and no more.
    pub fn send_up_to<R>(
        &mut self,
        now: Instant,
        flow: FlowId,
        most: usize,
        f: impl FnOnce(&mut [&mut [u8]]) -> (usize, R),
    ) -> Result<R, SendError> {
        match self.socket(flow) {
            Some(s) => self.net.send_up_to(now, s, most, f),
            None => Err(SendError::Pipe),
        }
    }

    /// Chooses what to hear of: [`Event::Readable`] and [`Event::Writable`] come only if asked for, as at first; the others always.
    pub fn set_interest(&mut self, flow: FlowId, readable: bool, writable: bool) {
        let Some(f) = self.flows.get_mut(flow) else {
            return;
        };
        f.want = (readable, writable);
        // While the handshake is under way, its end is to be heard of.
        if let Stage::Open(s) = f.stage {
            listen_for(&mut self.net, s, flow, f.want);
        }
    }

    /// Sends FIN after what was written.
    pub fn shutdown_write(&mut self, now: Instant, flow: FlowId) {
        if let Some(s) = self.socket(flow) {
            // It fails only if the connection is gone, of which an event tells.
            let _ = self.net.shutdown(now, s, Shutdown::Write);
        }
    }

    /// Closes a flow and forgets it: with FIN, or with RST if bytes were not read. One that is still held is refused.
    pub fn close(&mut self, now: Instant, flow: FlowId) {
        self.drop_flow(now, flow, false);
    }

    /// Ends a flow with RST and forgets it.
    pub fn abort(&mut self, now: Instant, flow: FlowId) {
        self.drop_flow(now, flow, true);
    }

    fn drop_flow(&mut self, now: Instant, flow: FlowId, abort: bool) {
        let Some(f) = self.flows.remove(flow) else {
            return;
        };
        match f.stage {
            Stage::Held(syn) => self.net.resolve_syn(now, syn, SynVerdict::Reset),
            // If the handshake completes after all, `accept` finds no flow and resets it.
            Stage::Accepting => {
                if self.accepting.get(&(f.local, f.remote)) == Some(&flow) {
                    self.accepting.remove(&(f.local, f.remote));
                }
            }
            Stage::Connecting(s) | Stage::Open(s) if abort => self.net.abort(now, s),
            Stage::Connecting(s) | Stage::Open(s) => self.net.close(now, s),
            Stage::Dead => {}
        }
    }

    fn insert(&mut self, stage: Stage, local: SocketAddr, remote: SocketAddr) -> FlowId {
        self.flows.insert(Flow {
            stage,
            local,
            remote,
            want: (true, true),
            peer_closed: false,
            ended: false,
        })
    }

    fn accept(&mut self, now: Instant, listener: SocketId) {
        while let Ok(a) = self.net.accept(now, listener) {
            let known = self.accepting.remove(&(a.local, a.peer));
            let flow = known.and_then(|id| Some((id, self.flows.get_mut(id)?)));
            let Some((id, f)) = flow else {
                self.net.abort(now, a.socket);
                continue;
            };
            f.stage = Stage::Open(a.socket);
            let set = self.net.set_option(now, a.socket, Opt::NoDelay(true));
            debug_assert!(set.is_ok());
            listen_for(&mut self.net, a.socket, id, f.want);
            self.events.push_back(Event::Established { flow: id });
        }
    }

    /// Turns what holds of a flow's socket into events.
    fn ready(&mut self, flow: FlowId) {
        let Some(f) = self.flows.get_mut(flow) else {
            return;
        };
        let Some(s) = f.socket() else {
            return;
        };
        let ready = self.net.readiness(s);
        if f.ended {
            return;
        }
        if ready.has(Ready::ERR) {
            f.ended = true;
            let error = self.net.take_error(s).unwrap_or(SoError::Reset);
            self.events.push_back(Event::Reset { flow, error });
            return;
        }
        if let Stage::Connecting(_) = f.stage {
            if ready.has(Ready::HUP) {
                f.ended = true;
                self.events.push_back(Event::Closed { flow });
                return;
            }
            if !ready.has(Ready::WRITE) {
                return;
            }
            f.stage = Stage::Open(s);
            self.events.push_back(Event::Established { flow });
            if f.want != (true, true) {
                listen_for(&mut self.net, s, flow, f.want);
            }
        }
        if ready.has(Ready::READ) && f.want.0 {
            self.events.push_back(Event::Readable { flow });
        }
        if ready.has(Ready::WRITE) && !ready.has(Ready::HUP) && f.want.1 {
            self.events.push_back(Event::Writable { flow });
        }
        if ready.has(Ready::RDHUP) && !f.peer_closed {
            f.peer_closed = true;
            self.events.push_back(Event::PeerClosed { flow });
        }
        if ready.has(Ready::HUP) {
            f.ended = true;
            self.events.push_back(Event::Closed { flow });
        }
    }

    /// The handshake of an accepted SYN did not complete.
    fn give_up(&mut self, flow: FlowId) {
        let Some(f) = self.flows.get_mut(flow) else {
            return;
        };
        if f.stage != Stage::Accepting {
            return;
        }
        f.stage = Stage::Dead;
        f.ended = true;
        let key = (f.local, f.remote);
        if self.accepting.get(&key) == Some(&flow) {
            self.accepting.remove(&key);
        }
        self.events.push_back(Event::Closed { flow });
    }
}

fn listen_for(net: &mut Net, s: SocketId, flow: FlowId, (readable, writable): (bool, bool)) {
    let mut want = Ready::ERR | Ready::HUP | Ready::RDHUP;
    if readable {
        want |= Ready::READ;
    }
    if writable {
        want |= Ready::WRITE;
    }
    net.set_interest(s, want, flow.to_bits());
}

/// The code that makes `connect(2)` fail with the same errno on the other side; over IPv4 Linux has no code for `EACCES`,
/// and 13 gives `EHOSTUNREACH`.
const fn icmp_code(u: Unreachable, v4: bool) -> u8 {
    match (u, v4) {
        (Unreachable::Net, true) => icmp::unreach::NET,
        (Unreachable::Host, true) => icmp::unreach::HOST,
        (Unreachable::Prohibited, true) => icmp::unreach::FILTERED,
        (Unreachable::Net, false) => icmpv6::unreach::NO_ROUTE,
        (Unreachable::Host, false) => icmpv6::unreach::ADDRESS,
        (Unreachable::Prohibited, false) => icmpv6::unreach::PROHIBITED,
    }
}
