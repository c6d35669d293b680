//! Plays a sequence on one system and writes down everything that a program or a peer can see.

use core::fmt::Debug;
use core::net::SocketAddr;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use hearken_abi::Errno;
use hearken_abi::sock::*;
use hearken_twin::{AddrArg, Counters, Fd, Icmp, Twin, sockaddr, socket_addr, unspec};

use crate::flow::Flows;
use crate::op::{ICMPS, Op, PEER_PORTS, PORTS, SOCKOPTS, SYSCTLS, To};

/// At most so many sockets.
const PLACES: usize = 8;

/// How long the ACK of a FIN may take (docs/linux/fin-ack-delay.md).
const FIN_ACK: Duration = Duration::from_millis(9);

/// What one system showed at one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// The operation, or what is asked at the end.
    pub(crate) title: String,
    /// What was seen: result, packets, and every socket whose view changed.
    pub(crate) lines: Vec<String>,
}

/// Plays the sequence.
pub(crate) fn play(t: &mut dyn Twin, ops: &[Op]) -> Vec<Step> {
    let before = t.counters();
    let epoll = t.epoll_create();
    let mut world = World {
        t,
        epoll,
        places: Vec::new(),
        sockets: Vec::new(),
        connected: BTreeSet::new(),
        looped: false,
        views: BTreeMap::new(),
        flows: Flows::default(),
        lines: Vec::new(),
    };
    let mut steps = Vec::new();
    for op in ops {
        world.act(op);
        world.look(op);
        steps.push(Step {
            title: format!("{op:?}"),
            lines: std::mem::take(&mut world.lines),
        });
    }
    steps.push(world.end(&before));
    steps
}

struct World<'a> {
    t: &'a mut dyn Twin,
    epoll: Fd,
    /// The sockets in the order in which they were made; `None` once closed.
    places: Vec<Option<Fd>>,
    /// Which socket each place names: dup gives one another place.
    sockets: Vec<usize>,
    /// The sockets that have, or had, a connection.
    connected: BTreeSet<usize>,
    /// Some connection was to this host.
    looped: bool,
    /// What each place showed last.
    views: BTreeMap<usize, String>,
    flows: Flows,
    lines: Vec<String>,
}

impl World<'_> {
    fn at(&self, place: u8) -> Option<Fd> {
        *self.places.get(usize::from(place))?
    }

    fn note<T: Debug>(&mut self, what: &str, result: Result<T, Errno>) {
        self.lines.push(match result {
            Ok(value) => format!("{what} {value:?}"),
            Err(errno) => format!("{what} {}", errno.name()),
        });
    }

    fn add(&mut self, fd: Fd, socket: usize) {
        self.sockets.push(socket);
        self.lines.push(format!("socket {}", self.places.len()));
        self.places.push(Some(fd));
    }

    fn act(&mut self, op: &Op) {
        let at = match *op {
            Op::Socket { v6 } => return self.socket(v6),
            Op::Sysctl { name, value } => {
                let (name, values) = SYSCTLS[name];
                let result = self.t.sysctl(name, values[value]);
                return self.note(name, result);
            }
            Op::Syn {
                v6,
                peer,
                port,
                offer,
            } => {
                let (from, to) = match v6 {
                    true => (To::Peer6, To::Own6),
                    false => (To::Peer4, To::Own4),
                };
                let (from, to) = (from.at(PEER_PORTS[peer]), to.at(PORTS[port]));
                let packet = self.flows.syn(from, to, offer);
                return self.t.inject(&packet);
            }
            Op::Segment(segment) => {
                if let Some(packet) = self.flows.segment(&segment) {
                    self.t.inject(&packet);
                }
                return;
            }
            Op::Icmp { flow, error, seq } => return self.icmp(flow, error, seq),
            Op::Bind { at, .. }
            | Op::Listen { at, .. }
            | Op::Accept { at }
            | Op::Connect { at, .. }
            | Op::Disconnect { at }
            | Op::Shutdown { at, .. }
            | Op::Close { at }
            | Op::Dup { at }
            | Op::Send { at, .. }
            | Op::FastOpen { at, .. }
            | Op::Recv { at, .. }
            | Op::Set { at, .. }
            | Op::Get { at, .. }
            | Op::LingerZero { at }
            | Op::BindToDevice { at, .. }
            | Op::Error { at }
            | Op::Ioctl { at, .. }
            | Op::Watch { at, .. } => at,
        };
        if let Some(fd) = self.at(at)
            && !self.is_declared(op, usize::from(at), fd)
        {
            self.call(op, usize::from(at), fd);
        }
    }

    fn socket(&mut self, v6: bool) {
        if self.places.len() < PLACES {
            let domain = if v6 { AF_INET6 } else { AF_INET };
            let fd = self.t.socket(domain, SOCK_STREAM | SOCK_NONBLOCK, 0);
            self.add(fd.expect("a socket"), self.places.len());
        }
    }

    fn icmp(&mut self, flow: u8, error: usize, seq: i32) {
        let Some((local, remote, una)) = self.flows.quotable(flow) else {
            return;
        };
        let (v4, v6, extra) = ICMPS[error];
        let (kind, code) = if local.is_ipv4() { v4 } else { v6 };
        let icmp = Icmp {
            src: remote.ip(),
            kind,
            code,
            extra,
        };
        self.t
            .inject(&icmp.packet(local, remote, una.wrapping_add_signed(seq)));
    }

    /// Whether this call is one that is known to be answered otherwise (most stand in tests/api/calls.rs too).
    fn is_declared(&mut self, op: &Op, place: usize, fd: Fd) -> bool {
        let used = self.connected.contains(&self.sockets[place]);
        let state = self.t.state(fd);
        let ended = state == 7 && used;
        match op {
            // What a disconnect leaves of the error and, of an accepted one, of the port.
            Op::Disconnect { .. } => used,
            // A shutdown that fails for want of a connection is remembered by the socket, and shows in all later attempts.
            Op::Shutdown { how: 0 | 2, .. } if matches!(state, 7 | 10) => true,
            // A socket whose connection has ended gives its port back but shows it, and can be bound and connected again.
            Op::Bind { .. } | Op::Connect { .. } | Op::FastOpen { .. } | Op::Set { .. }
                if ended =>
            {
                true
            }
            // One that connects to itself: what SYNs that cross count.
            Op::Connect { port, .. } if *port != 0 && self.t.local(fd).port() == *port => true,
            Op::FastOpen { port, .. } => PORTS.contains(port),
            // The small windows of tiny buffers and clamps.
            Op::Set { option, .. }
                if matches!(
                    (SOCKOPTS[*option].0, SOCKOPTS[*option].1),
                    (SOL_SOCKET, SO_RCVBUF) | (IPPROTO_TCP, TCP_WINDOW_CLAMP)
                ) =>
            {
                true
            }
            // A connection shows its window's bound.
            Op::Get { option, .. } if used && SOCKOPTS[*option].1 == TCP_WINDOW_CLAMP => true,
            // An IPv6 socket has an own traffic class and hop limit beside these.
            Op::Set { option, .. } | Op::Get { option, .. } => {
                let (level, name, _) = SOCKOPTS[*option];
                level == IPPROTO_IP
                    && matches!(name, IP_TOS | IP_TTL)
                    && self.t.int(fd, SOL_SOCKET, SO_DOMAIN) == Ok(AF_INET6)
            }
            _ => false,
        }
    }

    /// Whether another listener shares this socket's port: which of them a SYN goes to is a secret hash's choice.
    fn shares_port(&mut self, fd: Fd) -> bool {
        let port = self.t.local(fd).port();
        let others: Vec<Fd> = self.places.iter().copied().flatten().collect();
        let mut taken = |other| {
            other != fd
                && self.t.int(other, SOL_SOCKET, SO_ACCEPTCONN) == Ok(1)
                && self.t.local(other).port() == port
        };
        port != 0 && others.into_iter().any(&mut taken)
    }

    fn call(&mut self, op: &Op, place: usize, fd: Fd) {
        if let Op::Connect { to, .. } | Op::FastOpen { to, .. } = *op {
            self.looped |= to.is_here();
        }
        match *op {
            Op::Bind { to, port, .. } => {
                let result = self.t.bind(fd, &sockaddr(to.at(port)));
                self.note("bind", result);
            }
            Op::Listen { backlog, .. } => {
                let group = self.t.int(fd, SOL_SOCKET, SO_REUSEPORT) == Ok(1);
                if group && self.shares_port(fd) {
                    return;
                }
                let result = self.t.listen(fd, backlog);
                self.note("listen", result);
            }
            Op::Accept { .. } => {
                if self.places.len() == PLACES {
                    return;
                }
                let got = self.t.accept4(fd, AddrArg::Len(28), SOCK_NONBLOCK);
                let child = got.as_ref().ok().map(|got| got.fd);
                let got = got.map(|got| {
                    let peer = socket_addr(&got.addr[..got.addr_len as usize]);
                    (self.flows.name(peer), got.addr_len)
                });
                self.note("accept", got);
                if let Some(child) = child {
                    self.connected.insert(self.places.len());
                    self.add(child, self.places.len());
                }
            }
            Op::Connect { to, port, .. } => {
                let result = self.t.connect(fd, &sockaddr(to.at(port)));
                self.connected.insert(self.sockets[place]);
                self.note("connect", result);
            }
            Op::Disconnect { .. } => {
                let result = self.t.connect(fd, &unspec());
                self.note("disconnect", result);
            }
            Op::Shutdown { how, .. } => {
                let result = self.t.shutdown(fd, how);
                self.note("shutdown", result);
            }
            Op::Close { .. } => {
                let result = self.t.close(fd);
                self.places[place] = None;
                self.views.remove(&place);
                self.note("close", result);
            }
            Op::Dup { .. } => {
                if self.places.len() < PLACES {
                    let copy = self.t.dup(fd).expect("dup");
                    self.add(copy, self.sockets[place]);
                }
            }
            Op::Send { len, flags, .. } => {
                let data = vec![b'x'; len];
                let result = self.t.send(fd, &data, flags | MSG_DONTWAIT);
                self.note("send", result);
            }
            Op::FastOpen { to, port, len, .. } => {
                let (data, addr) = (vec![b'f'; len], sockaddr(to.at(port)));
                self.connected.insert(self.sockets[place]);
                let flags = MSG_FASTOPEN | MSG_DONTWAIT;
                let result = self.t.sendto(fd, &data, flags, &addr);
                self.note("sendto", result);
            }
            Op::Recv { len, flags, .. } => {
                let result = self.t.recv(fd, len, flags | MSG_DONTWAIT);
                self.note(
                    "recv",
                    result.map(|data| String::from_utf8_lossy(&data).into_owned()),
                );
            }
            _ => self.option(op, fd),
        }
    }

    fn option(&mut self, op: &Op, fd: Fd) {
        match *op {
            Op::Set { option, value, .. } => {
                let (level, name, values) = SOCKOPTS[option];
                let result = self.t.set_int(fd, level, name, values[value]);
                self.note("setsockopt", result);
            }
            Op::Get { option, .. } => {
                let (level, name, _) = SOCKOPTS[option];
                let result = self.t.getsockopt(fd, level, name, 4);
                self.note("getsockopt", result);
            }
            Op::LingerZero { .. } => {
                let result =
                    self.t
                        .setsockopt(fd, SOL_SOCKET, SO_LINGER, &[1, 0, 0, 0, 0, 0, 0, 0]);
                self.note("SO_LINGER", result);
            }
            Op::BindToDevice { device, .. } => {
                let device = device.as_bytes();
                let result = self.t.setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device);
                self.note("SO_BINDTODEVICE", result);
            }
            Op::Error { .. } => {
                let result = self.t.int(fd, SOL_SOCKET, SO_ERROR);
                self.note("SO_ERROR", result);
            }
            Op::Ioctl { request, .. } => {
                let result = self.t.ioctl(fd, request);
                self.note("ioctl", result);
            }
            Op::Watch { events, .. } => {
                let result = self.t.epoll_add(self.epoll, fd, events);
                self.note("epoll_ctl", result);
            }
            _ => unreachable!("not a call on a socket: {op:?}"),
        }
    }

    /// What came out, and what each socket shows now.
    fn look(&mut self, op: &Op) {
        let mut wait = match op {
            Op::Segment(segment) if segment.flags.contains('F') => FIN_ACK,
            // The FIN of one end of a connection to this host is acknowledged by the other.
            Op::Close { .. } | Op::Shutdown { .. } if self.looped => FIN_ACK,
            _ => Duration::ZERO,
        };
        while let Some(packet) = self.t.next_packet(wait) {
            wait = Duration::ZERO;
            let line = self.flows.received(&packet);
            self.lines.push(line);
        }
        let events = self.t.epoll_wait(self.epoll);
        let mut events: Vec<String> = events
            .into_iter()
            .map(|(fd, events)| {
                let place = self.places.iter().position(|at| *at == Some(fd));
                format!("{place:?}={events:#x}")
            })
            .collect();
        events.sort();
        if !events.is_empty() {
            self.lines.push(format!("epoll {}", events.join(" ")));
        }
        for place in 0..self.places.len() {
            let Some(fd) = self.places[place] else {
                continue;
            };
            let view = self.view(fd);
            if self.views.get(&place) != Some(&view) {
                self.lines.push(format!("  {place}: {view}"));
                self.views.insert(place, view);
            }
        }
    }

    fn view(&mut self, fd: Fd) -> String {
        let mask = self.t.poll(fd);
        let state = self.t.state(fd);
        let local = self.t.local(fd);
        let local = self.flows.name(local);
        let peer = match self.t.remote(fd) {
            Ok(peer) => self.flows.name(peer),
            Err(errno) => errno.name().to_owned(),
        };
        let queue = match state {
            10 => {
                let queue = self.t.queue(fd);
                format!(" queue {}/{}", queue.len, queue.limit)
            }
            _ => String::new(),
        };
        format!("poll {mask:#x} state {state} {local} -> {peer}{queue}")
    }

    /// The tables and what the counters moved by.
    fn end(&mut self, before: &Counters) -> Step {
        let rows = self.t.tcp_table();
        let mut lines: Vec<String> = rows
            .into_iter()
            .map(|row| {
                // Declared: a half-open connection whose IPv6 listener is gone, which Linux still shows as v4-mapped.
                let plain = |addr: SocketAddr| match row.state {
                    3 => SocketAddr::new(addr.ip().to_canonical(), addr.port()),
                    _ => addr,
                };
                let local = self.flows.known(plain(row.local));
                // A listener shows the address of a connect() that failed before it listened.
                let remote = match row.state {
                    10 => "any".to_owned(),
                    _ => self.flows.known(plain(row.remote)),
                };
                // Not compared: a listener's tx, in which numbers of an earlier life are left over, and the rx of a
                // connection whose peer has closed, where Linux counts the FIN until it is read.
                let tx = if row.state == 10 { 0 } else { row.tx_queue };
                let rx = match row.state {
                    8 | 9 | 11 => 0,
                    _ => row.rx_queue,
                };
                format!(
                    "{local} -> {remote} state {} tx {tx} rx {rx} timer {} uid {} inode {}",
                    row.state,
                    row.timer,
                    row.uid,
                    row.inode != 0
                )
            })
            .collect();
        lines.sort();
        for (name, by) in self.t.counters().tcp_since(before) {
            if !UNSTEADY.contains(&name.as_str()) {
                lines.push(format!("{name} {by}"));
            }
        }
        Step {
            title: "the end".to_owned(),
            lines,
        }
    }
}

/// Counters that are not compared, each with its reason.
const UNSTEADY: &[&str] = &[
    // The ACK of a FIN leaves by a timer of one tick (docs/linux/fin-ack-delay.md).
    "TcpExtDelayedACKs",
    // It hangs on how much memory the kernel had set aside for the socket when the segment came.
    "TcpExtTCPHPHits",
    // Hearken does not count it.
    "TcpExtTCPDelivered",
    // How Linux merges buffers is its own affair.
    "TcpExtTCPRcvCoalesce",
];
