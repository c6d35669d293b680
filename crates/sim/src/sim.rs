//! The simulation: hosts, switches and links, and the loop that carries time forward.

use crate::actor::{Actor, ActorId, Cx, Todo};
use crate::config::{LinkConfig, WayStats};
use crate::trace::ends;
use crate::wires::{Sink, What, Wires};
use hearken_device::rng::SplitMix64;
use hearken_inet::{Config, Event, IfaceId, Net, Progress, Ready, RxFrame, RxMeta};
use hearken_tcp::Instant;
use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// Most packets that a host takes at once.
const BATCH: usize = 64;
/// Calls of actors at one time on one host before that counts as a loop without end.
const STUCK: usize = 10_000_000;

/// A host or a switch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeId(u32);

/// A link.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LinkId(u32);

/// Directions of a link, seen from the node that was named first when it was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// From the first to the second.
    Forward,
    /// From the second to the first.
    Backward,
    /// Either.
    Both,
}

struct Node {
    name: String,
    /// The direction that leaves by each port: a host's interfaces from 1 on.
    ports: Vec<u32>,
    kind: Kind,
}

enum Kind {
    Host {
        net: Box<Net>,
        addrs: (Ipv4Addr, Ipv6Addr),
        /// The earliest timer in the queue.
        timer: Instant,
        /// It was touched from outside.
        dirty: bool,
    },
    /// Passes packets on by their destination.
    Switch { table: HashMap<IpAddr, u32> },
}

struct Slot {
    node: u32,
    actor: Option<Box<dyn Actor>>,
    finished: bool,
    background: bool,
}

/// Why an actor is called.
#[derive(Clone, Copy)]
enum Call {
    Start,
    Wake,
    Ready(u32, Ready),
}

/// Hosts on simulated links, in virtual time.
pub struct Sim {
    now: Instant,
    seeds: SplitMix64,
    nodes: Vec<Node>,
    wires: Wires,
    actors: Vec<Slot>,
    running: usize,
    /// The switches do not know every host yet.
    unlearned: bool,
}

impl Sim {
    /// An empty network. The clock stands at one second, so that no time of use is zero.
    #[must_use]
    pub fn new(seed: u64) -> Sim {
        Sim {
            now: Instant::from_millis(1000),
            seeds: SplitMix64::new(seed),
            nodes: Vec::new(),
            wires: Wires::new(),
            actors: Vec::new(),
            running: 0,
            unlearned: false,
        }
    }

    /// Adds a host: its addresses are 10.0.0.1 and fd00::1 for the first, 10.0.0.2 and fd00::2 for the second, and so on.
    pub fn host(&mut self, name: &str) -> NodeId {
        self.host_with(name, |_| {})
    }

    /// Adds a host whose sysctls and hooks `change` sets first.
    pub fn host_with(&mut self, name: &str, change: impl FnOnce(&mut Config)) -> NodeId {
        let mut seed = [0; 32];
        for part in seed.chunks_mut(8) {
            part.copy_from_slice(&self.seeds.next_u64().to_le_bytes());
        }
        let mut config = Config::new(seed);
        change(&mut config);
        let n = self.nodes.len() as u32 + 1;
        let v4 = Ipv4Addr::from_bits(10 << 24 | n);
        let v6 = Ipv6Addr::from_bits(0xfd << 120 | u128::from(n));
        self.nodes.push(Node {
            name: name.into(),
            ports: Vec::new(),
            kind: Kind::Host {
                net: Box::new(Net::new(config)),
                addrs: (v4, v6),
                timer: Instant::FAR,
                dirty: false,
            },
        });
        NodeId(n - 1)
    }

    /// Adds a switch: what arrives goes on at once towards its destination.
    pub fn switch(&mut self, name: &str) -> NodeId {
        self.nodes.push(Node {
            name: name.into(),
            ports: Vec::new(),
            kind: Kind::Switch {
                table: HashMap::new(),
            },
        });
        NodeId(self.nodes.len() as u32 - 1)
    }

    /// Connects two nodes. A host reaches by a link to another host that host, by a link to a switch all others.
    ///
    /// # Panics
    /// If both are the same node.
    pub fn link(&mut self, a: NodeId, b: NodeId, config: LinkConfig) -> LinkId {
        assert_ne!(a, b, "a link has two ends");
        let (pa, pb) = (
            self.nodes[a.0 as usize].ports.len(),
            self.nodes[b.0 as usize].ports.len(),
        );
        let seeds = (self.seeds.next_u64(), self.seeds.next_u64());
        let forward = self.wires.add(config, b.0, pb as u16, seeds.0);
        let backward = self.wires.add(config, a.0, pa as u16, seeds.1);
        self.nodes[a.0 as usize].ports.push(forward);
        self.nodes[b.0 as usize].ports.push(backward);
        self.plug(a, b, config.mtu);
        self.plug(b, a, config.mtu);
        self.unlearned = true;
        LinkId(forward / 2)
    }

    /// Gives host `at` an interface towards `peer`.
    fn plug(&mut self, at: NodeId, peer: NodeId, mtu: u32) {
        let peer = match &self.nodes[peer.0 as usize].kind {
            Kind::Host { addrs, .. } => Some(*addrs),
            Kind::Switch { .. } => None,
        };
        let node = &mut self.nodes[at.0 as usize];
        let name = format!("eth{}", node.ports.len() - 1);
        let Kind::Host { net, addrs, .. } = &mut node.kind else {
            return;
        };
        let eth = net.add_iface(&name, mtu);
        net.add_addr(eth, addrs.0.into(), 32);
        net.add_addr(eth, addrs.1.into(), 128);
        if let Some((v4, v6)) = peer {
            net.add_route(v4.into(), 32, eth);
            net.add_route(v6.into(), 128, eth);
        } else {
            net.add_route(Ipv4Addr::UNSPECIFIED.into(), 0, eth);
            net.add_route(Ipv6Addr::UNSPECIFIED.into(), 0, eth);
        }
    }

    /// Tells every switch by which port each host is nearest.
    fn learn(&mut self) {
        for host in 0..self.nodes.len() {
            let Kind::Host { addrs, .. } = self.nodes[host].kind else {
                continue;
            };
            let mut reached = vec![false; self.nodes.len()];
            let mut queue = VecDeque::from([host]);
            reached[host] = true;
            while let Some(n) = queue.pop_front() {
                for p in 0..self.nodes[n].ports.len() {
                    let way = self.nodes[n].ports[p];
                    let peer = self.wires.ways[way as usize].to as usize;
                    if std::mem::replace(&mut reached[peer], true) {
                        continue;
                    }
                    if let Kind::Switch { table } = &mut self.nodes[peer].kind {
                        table.insert(addrs.0.into(), way ^ 1);
                        table.insert(addrs.1.into(), way ^ 1);
                        queue.push_back(peer);
                    }
                }
            }
        }
        self.unlearned = false;
    }

    /// The virtual time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// A host's name.
    #[must_use]
    pub fn name(&self, node: NodeId) -> &str {
        &self.nodes[node.0 as usize].name
    }

    /// A host's IPv4 address with a port.
    ///
    /// # Panics
    /// If `host` is a switch.
    #[must_use]
    pub fn at(&self, host: NodeId, port: u16) -> SocketAddr {
        match self.nodes[host.0 as usize].kind {
            Kind::Host { addrs, .. } => (addrs.0, port).into(),
            Kind::Switch { .. } => panic!("{} is a switch", self.name(host)),
        }
    }

    /// A host's IPv6 address with a port.
    ///
    /// # Panics
    /// If `host` is a switch.
    #[must_use]
    pub fn at6(&self, host: NodeId, port: u16) -> SocketAddr {
        match self.nodes[host.0 as usize].kind {
            Kind::Host { addrs, .. } => (addrs.1, port).into(),
            Kind::Switch { .. } => panic!("{} is a switch", self.name(host)),
        }
    }

    /// A host's namespace.
    ///
    /// # Panics
    /// If `host` is a switch.
    #[must_use]
    pub fn net(&self, host: NodeId) -> &Net {
        match &self.nodes[host.0 as usize].kind {
            Kind::Host { net, .. } => net,
            Kind::Switch { .. } => panic!("{} is a switch", self.name(host)),
        }
    }

    /// A host's namespace; what is done with it takes effect when time goes on.
    ///
    /// # Panics
    /// If `host` is a switch.
    pub fn net_mut(&mut self, host: NodeId) -> &mut Net {
        let node = &mut self.nodes[host.0 as usize];
        match &mut node.kind {
            Kind::Host { net, dirty, .. } => {
                *dirty = true;
                net
            }
            Kind::Switch { .. } => panic!("{} is a switch", node.name),
        }
    }

    fn ways(link: LinkId, d: Direction) -> impl Iterator<Item = usize> {
        let first = link.0 as usize * 2;
        let (from, to) = match d {
            Direction::Forward => (0, 1),
            Direction::Backward => (1, 2),
            Direction::Both => (0, 2),
        };
        first + from..first + to
    }

    /// Changes what a link does from now on. A changed MTU is not told to the hosts.
    pub fn set_link(&mut self, link: LinkId, d: Direction, change: impl Fn(&mut LinkConfig)) {
        for w in Sim::ways(link, d) {
            change(&mut self.wires.ways[w].config);
        }
    }

    /// Cuts a link, or one direction of it: what is sent from now on is lost, what is under way arrives.
    pub fn cut(&mut self, link: LinkId, d: Direction) {
        Sim::ways(link, d).for_each(|w| self.wires.ways[w].up = false);
    }

    /// Mends it.
    pub fn heal(&mut self, link: LinkId, d: Direction) {
        Sim::ways(link, d).for_each(|w| self.wires.ways[w].up = true);
    }

    /// What happened on one direction of a link; for both, the first.
    #[must_use]
    pub fn stats(&self, link: LinkId, d: Direction) -> WayStats {
        let w = Sim::ways(link, d).next().unwrap_or(0);
        self.wires.ways[w].stats
    }

    /// Writes every packet that is put on `link` from now on to a pcap file, before the link does anything to it.
    ///
    /// # Errors
    /// What the writer says to the file's header.
    pub fn capture(&mut self, link: LinkId, out: impl Write + Send + 'static) -> io::Result<()> {
        self.wires.capture(link.0, Box::new(out))
    }

    /// Writes a line for every packet on every link from now on.
    pub fn trace_text(&mut self, out: impl Write + Send + 'static) {
        self.wires.trace.set_text(Some(Box::new(out)));
    }

    /// Passes on what captures hold back.
    ///
    /// # Errors
    /// The first that a capture or the text trace met since the last call.
    pub fn flush(&mut self) -> io::Result<()> {
        self.wires.flush()
    }

    /// A hash over every packet so far: its time, its direction, its fate and its bytes.
    #[must_use]
    pub fn trace_hash(&self) -> u128 {
        self.wires.trace.digest()
    }

    /// Begins an actor on a host now.
    pub fn spawn(&mut self, host: NodeId, actor: impl Actor) -> ActorId {
        self.spawn_at(host, self.now, actor)
    }

    /// Begins an actor at a time to come.
    pub fn spawn_at(&mut self, host: NodeId, at: Instant, actor: impl Actor) -> ActorId {
        let id = self.add_actor(host.0, Box::new(actor));
        self.wires
            .schedule(at.max(self.now), What::Start { actor: id });
        ActorId(id)
    }

    fn add_actor(&mut self, node: u32, actor: Box<dyn Actor>) -> u32 {
        self.actors.push(Slot {
            node,
            actor: Some(actor),
            finished: false,
            background: false,
        });
        self.running += 1;
        self.actors.len() as u32 - 1
    }

    /// An actor's state.
    ///
    /// # Panics
    /// If it is of another type.
    #[must_use]
    pub fn actor<A: Actor>(&self, id: ActorId) -> &A {
        self.try_actor(id).expect("the actor is of another type")
    }

    fn try_actor<A: Actor>(&self, id: ActorId) -> Option<&A> {
        let a: &dyn Any = self.actors.get(id.0 as usize)?.actor.as_deref()?;
        a.downcast_ref()
    }

    /// Every actor of a type, in the order of their beginning.
    pub fn actors<A: Actor>(&self) -> impl Iterator<Item = &A> {
        (0..self.actors.len() as u32).filter_map(|i| self.try_actor(ActorId(i)))
    }

    /// Actors that have neither finished nor stand in the background.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running
    }

    /// Lets `d` pass.
    pub fn run_for(&mut self, d: Duration) {
        let end = self.now + d;
        while self.step(end) {}
        self.now = end;
    }

    /// Runs until `until` holds, at most `limit`; says whether it came to hold.
    pub fn run_until(&mut self, until: impl Fn(&Sim) -> bool, limit: Duration) -> bool {
        let end = self.now + limit;
        loop {
            if until(self) {
                return true;
            }
            if !self.step(end) {
                self.now = end;
                return until(self);
            }
        }
    }

    /// Runs until nothing is left to happen, at most `limit`; says whether that came. TIME_WAIT lasts a minute.
    pub fn run_to_end(&mut self, limit: Duration) -> bool {
        let end = self.now + limit;
        while self.step(end) {}
        self.wires.next().is_none()
    }

    /// Does what comes next, if that is by `end`.
    fn step(&mut self, end: Instant) -> bool {
        if self.unlearned {
            self.learn();
        }
        for n in 0..self.nodes.len() {
            if let Kind::Host { dirty, .. } = &mut self.nodes[n].kind
                && std::mem::take(dirty)
            {
                self.settle(n as u32);
            }
        }
        let Some((at, what)) = self.wires.next().filter(|(at, _)| *at <= end) else {
            return false;
        };
        self.now = at.max(self.now);
        self.wires.pop();
        match what {
            What::Frame { way, frame } => self.arrive(way, frame),
            What::Timer { node } => {
                if let Kind::Host { net, timer, .. } = &mut self.nodes[node as usize].kind {
                    if *timer <= at {
                        *timer = Instant::FAR;
                    }
                    net.handle_timeout(self.now);
                    self.settle(node);
                }
            }
            What::Start { actor } => self.turn(actor, Call::Start, true),
            What::Wake { actor } => self.turn(actor, Call::Wake, true),
        }
        true
    }

    /// Packets arrive: all those that come to the same port at the same time, as far as they come one after another.
    fn arrive(&mut self, way: u32, frame: u32) {
        let mut packets = vec![self.wires.take(way, frame)];
        while packets.len() < BATCH {
            match self.wires.next() {
                Some((at, What::Frame { way: w, frame })) if w == way && at <= self.now => {
                    self.wires.pop();
                    packets.push(self.wires.take(way, frame));
                }
                _ => break,
            }
        }
        let (to, port) = {
            let w = &self.wires.ways[way as usize];
            (w.to, w.port)
        };
        match &mut self.nodes[to as usize].kind {
            Kind::Host { net, .. } => {
                let mut frames = [RxFrame {
                    meta: RxMeta::default(),
                    head: &[],
                    body: &[],
                }; BATCH];
                for (slot, p) in frames.iter_mut().zip(&packets) {
                    slot.head = p;
                }
                net.handle_frames(self.now, IfaceId(port + 1), &frames[..packets.len()]);
                packets.drain(..).for_each(|p| self.wires.recycle(p));
                self.settle(to);
            }
            Kind::Switch { table } => {
                for p in packets {
                    let out = ends(&p).and_then(|(_, dst, _, _)| table.get(&dst));
                    match out {
                        // Never back to where it came from.
                        Some(&out) if out != way ^ 1 => self.wires.send(self.now, out, p),
                        _ => self.wires.recycle(p),
                    }
                }
            }
        }
    }

    /// Calls an actor.
    fn turn(&mut self, id: u32, call: Call, settle: bool) {
        let Some(slot) = self.actors.get_mut(id as usize).filter(|s| !s.finished) else {
            return;
        };
        let node = slot.node;
        let Some(mut actor) = slot.actor.take() else {
            return;
        };
        let todo = match &mut self.nodes[node as usize].kind {
            Kind::Host { net, .. } => {
                let mut cx = Cx {
                    now: self.now,
                    net,
                    id: ActorId(id),
                    todo: Todo::default(),
                };
                match call {
                    Call::Start => actor.start(&mut cx),
                    Call::Wake => actor.wake(&mut cx),
                    Call::Ready(key, ready) => actor.ready(&mut cx, key, ready),
                }
                cx.todo
            }
            Kind::Switch { .. } => panic!("an actor runs on a host"),
        };
        let slot = &mut self.actors[id as usize];
        slot.actor = Some(actor);
        let counted = !slot.background;
        slot.finished = todo.finished;
        slot.background |= todo.background;
        if counted && (todo.finished || todo.background) {
            self.running -= 1;
        }
        for at in todo.wake {
            self.wires.schedule(at, What::Wake { actor: id });
        }
        for child in todo.spawn {
            let child = self.add_actor(node, child);
            self.turn(child, Call::Start, false);
        }
        if settle {
            self.settle(node);
        }
    }

    /// Carries out at a host what follows from what just happened there.
    fn settle(&mut self, node: u32) {
        let mut events = [Event::Ready {
            token: 0,
            ready: Ready::NONE,
        }; 64];
        for round in 0.. {
            assert!(
                round < STUCK,
                "the actors of host {node} never come to rest"
            );
            let Kind::Host { net, .. } = &mut self.nodes[node as usize].kind else {
                return;
            };
            while net.poll_lo(self.now) {}
            let n = net.poll_events(&mut events);
            if n == 0 {
                break;
            }
            for e in &events[..n] {
                if let Event::Ready { token, ready } = *e {
                    let call = Call::Ready(token as u32, ready);
                    self.turn((token >> 32) as u32, call, false);
                }
            }
        }
        let Node { ports, kind, .. } = &mut self.nodes[node as usize];
        let Kind::Host { net, timer, .. } = kind else {
            return;
        };
        for (i, way) in ports.iter().enumerate() {
            let mut sink = Sink {
                wires: &mut self.wires,
                now: self.now,
                way: *way,
            };
            let iface = IfaceId(i as u16 + 1);
            while net.poll_transmit(self.now, iface, &mut sink) == Progress::More {}
        }
        if let Some(at) = net.poll_timeout()
            && at < *timer
        {
            *timer = at;
            self.wires.schedule(at.max(self.now), What::Timer { node });
        }
    }
}
