//! The host's side: clients of `-p` on their way in, the program's connections on their way out.
//!
//! Each flow is one socket of the host and one flow of the gateway, with nothing between them but
//! the gateway's own buffers. FIN stays FIN and RST stays RST, both ways.

pub(crate) mod address;
pub(crate) mod dns;
mod outbound;
pub(crate) mod publish;
mod pump;

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use hearken_gateway::{Event, FlowId, Request};
use rustix::event::epoll::{self, EventFlags};

use super::flow::Ready;
use super::slab::{Key, Slab};
use super::{Source, Supervisor};

/// How far a flow has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The host's connect is under way, and the program's SYN is held.
    Opening,
    /// The gateway's handshake with the program is under way.
    Shaking,
    /// Bytes move.
    Open,
}

/// One flow.
#[derive(Debug)]
struct HostFlow {
    fd: OwnedFd,
    flow: FlowId,
    stage: Stage,
    ready: Ready,
    queued: bool,
    /// The host's peer sent its FIN, and the program was told.
    host_fin: bool,
    /// The program sent its FIN, and the host's peer was told.
    program_fin: bool,
    /// The host's peer reset it before the program's handshake was over.
    host_reset: bool,
    /// Where to try next if nobody listens at the first address.
    second: Option<(SocketAddr, SocketAddr)>,
    /// The gateway said that the flow has ended by an error: what is left to read comes first.
    broken: bool,
}

/// One listener of `-p`.
#[derive(Debug)]
pub(crate) struct Published {
    fd: OwnedFd,
    /// Where it listens on the host.
    pub(crate) host: SocketAddr,
    /// The port inside.
    pub(crate) port: u16,
}

/// All of the host's side.
pub(crate) struct Host {
    pub(crate) published: Vec<Published>,
    flows: Slab<HostFlow>,
    by_flow: HashMap<FlowId, Key>,
    pub(super) runnable: VecDeque<Key>,
    /// We are out of descriptors: the listeners rest until a flow has ended.
    resting: bool,
    resolver: Option<IpAddr>,
    /// DNS over UDP, if the program has a network of its own.
    pub(super) dns: Option<dns::Dns>,
}

impl Host {
    pub(crate) fn new(published: Vec<Published>) -> Self {
        let conf = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        Host {
            published,
            flows: Slab::new(),
            by_flow: HashMap::new(),
            runnable: VecDeque::new(),
            resting: false,
            resolver: address::resolver(&conf),
            dns: None,
        }
    }
}

impl Host {
    /// Whether the host's sockets have all that the program sent.
    pub(super) fn has_everything(&self) -> bool {
        self.flows
            .iter()
            .all(|(_, f)| f.stage != Stage::Open || f.program_fin)
    }
}

impl Supervisor {
    /// Takes in the gateway's news. True if there was any.
    pub(super) fn on_gateway(&mut self) -> bool {
        let mut any = false;
        while let Some(Request::Open { flow, local, .. }) = self.stack.gateway.poll_request() {
            any = true;
            self.open_outside(flow, local);
        }
        while let Some(event) = self.stack.gateway.poll_event() {
            any = true;
            self.on_flow_event(event);
        }
        any
    }

    fn on_flow_event(&mut self, event: Event) {
        let flow = match event {
            Event::Established { flow }
            | Event::Readable { flow }
            | Event::Writable { flow }
            | Event::PeerClosed { flow }
            | Event::Reset { flow, .. }
            | Event::Closed { flow } => flow,
        };
        let Some(&key) = self.host.by_flow.get(&flow) else {
            return;
        };
        let Some(f) = self.host.flows.get_mut(key) else {
            return;
        };
        match event {
            Event::Established { .. } if f.host_reset => {
                self.reset_flow(key);
                return;
            }
            Event::Established { .. } => {
                f.stage = Stage::Open;
                f.ready = Ready {
                    fd_in: true,
                    fd_out: true,
                    stack_in: true,
                    stack_out: true,
                    last: 0,
                };
            }
            Event::Readable { .. } | Event::PeerClosed { .. } => f.ready.stack_in = true,
            Event::Writable { .. } => f.ready.stack_out = true,
            Event::Reset { .. } | Event::Closed { .. } if f.stage != Stage::Open => {
                // Nobody listens inside, or nobody answered: as if the host's port were closed.
                if !self.try_second(key) {
                    self.reset_flow(key);
                }
                return;
            }
            Event::Reset { .. } => {
                f.broken = true;
                f.ready.stack_in = true;
            }
            Event::Closed { .. } => f.ready.stack_in = true,
        }
        self.run_host_flow(key);
    }

    /// The host's socket has news.
    pub(super) fn on_host_fd(&mut self, key: Key, flags: EventFlags) {
        let Some(f) = self.host.flows.get_mut(key) else {
            return;
        };
        if f.stage == Stage::Opening {
            self.host_connect_ended(key);
            return;
        }
        if flags.intersects(EventFlags::IN | EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR)
        {
            f.ready.fd_in = true;
        }
        if flags.intersects(EventFlags::OUT | EventFlags::ERR | EventFlags::HUP) {
            f.ready.fd_out = true;
        }
        self.run_host_flow(key);
    }

    fn insert_flow(&mut self, fd: OwnedFd, flow: FlowId, stage: Stage) -> Key {
        let key = self.host.flows.insert(HostFlow {
            fd,
            flow,
            stage,
            ready: Ready::default(),
            queued: false,
            host_fin: false,
            program_fin: false,
            host_reset: false,
            second: None,
            broken: false,
        });
        self.host.by_flow.insert(flow, key);
        if let Some(f) = self.host.flows.get(key) {
            let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
            // It fails only out of memory; the flow would then stand still, not break.
            let _ = epoll::add(&self.epoll, &f.fd, Source::HostFlow(key).data(), flags);
        }
        key
    }

    fn remove_flow(&mut self, key: Key) -> Option<HostFlow> {
        let f = self.host.flows.remove(key)?;
        self.host.by_flow.remove(&f.flow);
        self.wake_published();
        Some(f)
    }

    /// RST to the host's peer; the gateway's side is gone or goes.
    fn reset_flow(&mut self, key: Key) {
        if let Some(f) = self.remove_flow(key) {
            let _ = rustix::net::sockopt::set_socket_linger(&f.fd, Some(std::time::Duration::ZERO));
            self.stack.gateway.abort(self.stack.now(), f.flow);
        }
    }
}
