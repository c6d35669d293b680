//! The namespace itself. The contract: `handle_*` takes what comes from outside, `poll_*` is to be fetched until idle;
//! after any call, [`Net::poll_lo`] until it is false, then [`Net::poll_transmit`] for each interface.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use hearken_abi::TcpInfo;
use hearken_tcp::tcb::NONE;
use hearken_tcp::{Tcb, V4, V6};

use crate::cbpf::{BadProgram, Insn, Program};
use crate::family::Side;
use crate::hash::established::Half;
use crate::iface::Iface;
use crate::link::Ethernet;
use crate::listen::{Listener, fastopen, fastopen_key};
use crate::shared::Shared;
use crate::socket::{Left, Phase, Socket, shown, unspecified};
use crate::*;

/// One network namespace.
#[derive(Debug)]
pub struct Net {
    pub(crate) v4: Half<V4>,
    pub(crate) v6: Half<V6>,
    pub(crate) sh: Shared,
}

impl Net {
    pub(crate) fn tcb(&self, slot: u32) -> Option<&Tcb> {
        match self.sh.sockets.get(slot)?.phase {
            Phase::V4(c) => self.v4.conns.get(c).map(|c| &c.tcb),
            Phase::V6(c) => self.v6.conns.get(c).map(|c| &c.tcb),
            Phase::Idle | Phase::Listener(_) | Phase::Udp(_) => None,
        }
    }

    pub(crate) fn state_of(&self, slot: u32) -> TcpState {
        match self.sh.sockets.get(slot).map(|s| s.phase) {
            Some(Phase::Listener(_)) => TcpState::Listen,
            _ => self.tcb(slot).map_or(TcpState::Close, |t| t.state),
        }
    }

    /// Both ends of a socket's connection, as its domain shows them.
    pub(crate) fn ends(&self, slot: u32) -> Option<(SocketAddr, SocketAddr)> {
        fn of<F: Side>(net: &Net, domain: Domain, conn: u32) -> Option<(SocketAddr, SocketAddr)> {
            let t = F::half(net).conns.get(conn)?.tuple;
            let end = |ip, port| SocketAddr::new(shown(domain, F::to_ip(ip)), port);
            Some((end(t.laddr, t.lport), end(t.raddr, t.rport)))
        }
        let s = self.sh.sockets.get(slot)?;
        match s.phase {
            Phase::V4(c) => of::<V4>(self, s.domain, c),
            Phase::V6(c) => of::<V6>(self, s.domain, c),
            Phase::Idle | Phase::Listener(_) | Phase::Udp(_) => None,
        }
    }
}

impl Net {
    /// Makes a namespace with `lo` up (127.0.0.1/8, ::1/128, MTU 65536) and no socket. Two namespaces made of the same
    /// configuration and given the same calls send the same bytes.
    pub fn new(config: Config) -> Self {
        let mut sh = Shared::new(&config.seed, config.sysctls, config.hooks);
        sh.ifaces.push(Iface::new("lo", 65536));
        let mut net = Self {
            v4: Half::new(),
            v6: Half::new(),
            sh,
        };
        net.add_addr(IfaceId::LO, Ipv4Addr::LOCALHOST.into(), 8);
        net.add_addr(IfaceId::LO, Ipv6Addr::LOCALHOST.into(), 128);
        net
    }
    /// Adds an interface that carries IP packets of at most `mtu` bytes. It has no address and no route.
    pub fn add_iface(&mut self, name: &str, mtu: u32) -> IfaceId {
        self.sh.ifaces.push(Iface::new(name, mtu));
        IfaceId((self.sh.ifaces.len() - 1) as u16)
    }
    /// Adds an interface that carries Ethernet frames, with ARP and neighbour discovery. `mtu` is that of the IP packets
    /// in them. It gets the link-local IPv6 address that RFC 4291 derives from `mac`.
    pub fn add_ethernet(&mut self, name: &str, mac: [u8; 6], mtu: u32) -> IfaceId {
        let iface = self.add_iface(name, mtu);
        if let Some(i) = self.sh.iface(iface) {
            i.ethernet = Some(Box::new(Ethernet::new(mac)));
        }
        let [a, b, c, d, e, f] = mac;
        let id = [
            0xfe,
            0x80,
            0,
            0,
            0,
            0,
            0,
            0,
            a ^ 2,
            b,
            c,
            0xff,
            0xfe,
            d,
            e,
            f,
        ];
        self.add_addr(iface, IpAddr::from(id), 64);
        iface
    }
    /// Adds a route to `dst/prefix` by the router `via`, a neighbour on the Ethernet interface `iface`.
    pub fn add_route_via(&mut self, dst: IpAddr, prefix: u8, iface: IfaceId, via: IpAddr) {
        self.insert_route(Route {
            via: Some(via),
            ..Route::new(dst, prefix, iface)
        });
    }
    /// Changes the MTU of an interface, for what is sent from now on.
    pub fn set_mtu(&mut self, iface: IfaceId, mtu: u32) {
        if let Some(i) = self.sh.iface(iface) {
            i.mtu = mtu;
        }
    }
    /// The name of an interface.
    pub fn iface_name(&self, iface: IfaceId) -> Option<&str> {
        self.sh
            .ifaces
            .get(usize::from(iface.0))
            .map(|i| i.name.as_str())
    }
    /// The interface of a name.
    pub fn iface_by_name(&self, name: &str) -> Option<IfaceId> {
        self.sh
            .ifaces
            .iter()
            .position(|i| i.name == name)
            .map(|i| IfaceId(i as u16))
    }
    /// Adds a local address and the route to its network of `prefix` bits (0..=32, or 0..=128).
    pub fn add_addr(&mut self, iface: IfaceId, addr: IpAddr, prefix: u8) {
        self.sh.routing.add_addr(iface, addr, prefix);
        if let Some(e) = self.sh.iface(iface).and_then(|i| i.ethernet.as_mut()) {
            e.addrs.push(addr);
        }
        self.tell_routes(iface);
    }
    /// Adds a route to `dst/prefix` by `iface`, of metric 0.
    pub fn add_route(&mut self, dst: IpAddr, prefix: u8, iface: IfaceId) {
        self.insert_route(Route::new(dst, prefix, iface));
    }
    /// Adds a route. The longest prefix wins; among equal ones the smallest metric, and then the oldest
    /// (docs/linux/routes.md). Connections that are there keep their interface.
    pub fn insert_route(&mut self, route: Route) {
        self.sh.routing.add_route(route);
        self.tell_routes(route.iface);
    }
    /// Removes the oldest route with this network, interface and metric; whether there was one.
    pub fn remove_route(&mut self, route: &Route) -> bool {
        let removed = self.sh.routing.remove_route(route);
        self.tell_routes(route.iface);
        removed
    }
    /// The Ethernet side of an interface chooses the next hop by the same routes.
    fn tell_routes(&mut self, iface: IfaceId) {
        let routes: Vec<Route> = self.sh.routing.routes(iface).copied().collect();
        if let Some(e) = self.sh.iface(iface).and_then(|i| i.ethernet.as_mut()) {
            e.routes = routes;
        }
    }
    /// From now on every destination that arrives by `iface` counts as local (a gateway's side; Linux TPROXY with
    /// `ip route add local default`).
    pub fn set_any_local(&mut self, iface: IfaceId) {
        if let Some(i) = self.sh.iface(iface) {
            i.any_local = true;
        }
    }
    /// Takes a batch of packets in the order in which they came. A batch, and the same packets one by one, have the same
    /// effect. What a packet is wrong in is counted ([`Net::mib`], [`Net::drops`]); nothing a peer sends panics.
    pub fn handle_frames(&mut self, now: Instant, iface: IfaceId, frames: &[RxFrame<'_>]) {
        let ethernet = self.sh.iface(iface).is_some_and(|i| i.ethernet.is_some());
        let watched = self.sh.begin_frames();
        for frame in frames {
            if ethernet {
                link::input(self, now, iface, frame);
            } else {
                ip::input::input(self, now, iface, &[], frame);
            }
            if watched {
                self.sh.show_frame(now, iface, frame);
            }
        }
    }
    /// Runs the timers that are due at `now`. Needed when [`Net::poll_timeout`] is not later than `now`; a call before
    /// that does nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        transmit::timeout(self, now);
    }
    /// Gives `tx` what must leave by `iface`: finished answers first, then each connection in turn. Returns when nothing
    /// is left, or when the sink has no room; then call again once it has.
    pub fn poll_transmit(
        &mut self,
        now: Instant,
        iface: IfaceId,
        tx: &mut impl TxSink,
    ) -> Progress {
        transmit::poll(self, now, iface, tx)
    }
    /// Moves what waits on `lo`, at most 256 packets. True if more waits: call again. To be called after every other
    /// call, before [`Net::poll_transmit`].
    pub fn poll_lo(&mut self, now: Instant) -> bool {
        transmit::poll_lo(self, now)
    }
    /// The next deadline, `None` when no timer runs. It may be earlier than any timer really fires, never later.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.sh.timers.next()
    }
    /// Takes the oldest line of the log, of which a bounded number is kept.
    pub fn poll_log(&mut self) -> Option<Message> {
        self.sh.log.pop_front()
    }
    /// Takes events, oldest first; returns how many were written to `out`. A socket stands in the list at most once,
    /// and only what holds at the time of this call is told.
    pub fn poll_events(&mut self, out: &mut [Event]) -> usize {
        let mut n = 0;
        while n < out.len() {
            let event = if let Some(e) = self.sh.syns.pop_front() {
                e
            } else {
                let Some(slot) = self.sh.next_marked() else {
                    break;
                };
                let Some(s) = self.sh.sockets.get(slot) else {
                    continue;
                };
                let (token, want) = (s.token, s.interest | Ready::ERR | Ready::HUP);
                let ready = self.ready(slot) & want;
                if s.interest.is_empty() || ready.is_empty() {
                    continue;
                }
                Event::Ready { token, ready }
            };
            out[n] = event;
            n += 1;
        }
        n
    }
    /// What poll(2) would say of the socket now (docs/linux 123).
    pub fn readiness(&self, s: SocketId) -> Ready {
        self.sh
            .socket(s)
            .map_or(Ready::NONE, |_| self.ready(s.slot))
    }
    /// What [`Net::poll_events`] is to tell of this socket, under `token`. Errors and hang-ups are told in any case;
    /// an empty `want` silences the socket. What holds already is told by the next poll.
    pub fn set_interest(&mut self, s: SocketId, want: Ready, token: u64) {
        if let Some(k) = self.sh.socket_mut(s) {
            (k.interest, k.token) = (want, token);
            self.sh.mark(s.slot);
        }
    }
    /// Decides on a SYN that [`Event::Syn`] told of. One that has vanished meanwhile is ignored.
    pub fn resolve_syn(&mut self, now: Instant, id: SynId, verdict: SynVerdict) {
        if id.v6 {
            listen::resolve(&mut self.v6, &mut self.sh, now, id, verdict);
        } else {
            listen::resolve(&mut self.v4, &mut self.sh, now, id, verdict);
        }
    }
    /// Shows the bytes that wait, in order and in pieces, to `f`, which says how many it took. No pieces: the peer has
    /// ended the stream (or SHUT_RD was called). Never blocks. Errors as recv(2): data comes before an error, an error is
    /// told once.
    pub fn recv_with<R>(
        &mut self,
        now: Instant,
        s: SocketId,
        f: impl FnOnce(&[&[u8]]) -> (usize, R),
    ) -> Result<R, RecvError> {
        if self.sh.socket(s).is_none() {
            return Err(RecvError::NotConnected);
        }
        self.recv(now, s.slot, f)
    }
    /// Lets `f` write into the send buffer, as many bytes as there is room for; it says how many it wrote, from the
    /// first piece on. Never blocks. Errors as send(2), without SIGPIPE.
    pub fn send_with<R>(
        &mut self,
        now: Instant,
        s: SocketId,
        f: impl FnOnce(&mut [&mut [u8]]) -> (usize, R),
    ) -> Result<R, SendError> {
        self.send_up_to(now, s, usize::MAX, f)
    }
    /// [`Net::send_with`] with room for `most` bytes and no more. Room is memory set aside: who has little to say
    /// does better to ask for little.
    pub fn send_up_to<R>(
        &mut self,
        now: Instant,
        s: SocketId,
        most: usize,
        f: impl FnOnce(&mut [&mut [u8]]) -> (usize, R),
    ) -> Result<R, SendError> {
        if self.sh.socket(s).is_none() {
            return Err(SendError::Pipe);
        }
        self.send(now, s.slot, most, f)
    }
    /// MSG_MORE: more is to follow the `n` bytes that are about to be sent; the tail of them is held back meanwhile.
    pub fn more_follows(&mut self, now: Instant, s: SocketId, n: usize) {
        if self.sh.socket(s).is_some() {
            self.step(now, s.slot, |t, cx| t.more_follows(cx, n));
        }
    }
    /// A TCP socket, in CLOSE and unbound (socket(2)). `net.ipv6.bindv6only` sets the start value of IPV6_V6ONLY.
    pub fn socket(&mut self, domain: Domain) -> SocketId {
        let mut s = Socket::new(domain);
        s.set(
            Socket::V6ONLY,
            domain == Domain::Inet6 && self.sh.sysctls.bindv6only != 0,
        );
        let slot = self.sh.sockets.insert(s);
        self.sh.id(slot)
    }
    /// A UDP socket, unbound. bind, connect, disconnect, close, the names, the options and readiness are as for TCP.
    pub fn udp_socket(&mut self, domain: Domain) -> SocketId {
        let slot = udp::socket(&mut self.sh, domain);
        self.sh.id(slot)
    }
    /// sendto(2) on a UDP socket: one datagram to `to`, or to the peer that it is connected to; in fragments if it
    /// exceeds the interface's MTU. Never blocks; returns the bytes of `data`.
    pub fn send_to(
        &mut self,
        s: SocketId,
        to: Option<SocketAddr>,
        data: &[&[u8]],
    ) -> Result<usize, UdpError> {
        match self.sh.socket(s).map(|s| s.phase) {
            Some(Phase::Udp(u)) => udp::send_to(&mut self.sh, s.slot, u, to, data),
            _ => Err(UdpError::NoDestination),
        }
    }
    /// recvfrom(2) on a UDP socket: shows the oldest datagram to `f`, and takes it unless `peek`. Never blocks.
    pub fn recv_from<R>(
        &mut self,
        s: SocketId,
        peek: bool,
        f: impl FnOnce(&Datagram) -> R,
    ) -> Result<R, UdpError> {
        match self.sh.socket(s).map(|s| s.phase) {
            Some(Phase::Udp(u)) => udp::recv(&mut self.sh, u, peek, f),
            _ => Err(UdpError::WouldBlock),
        }
    }
    /// bind(2): takes an address and a port for an idle socket; port 0 lets the namespace choose one
    /// (`ip_local_port_range`, docs/linux 25 to 29). Linux `__inet_bind`, `inet_csk_get_port`.
    pub fn bind(&mut self, s: SocketId, addr: SocketAddr, cred: &Cred) -> Result<(), BindError> {
        match self.sh.socket(s).ok_or(BindError::NotFresh)?.phase {
            Phase::Udp(u) => udp::bind(&mut self.sh, s.slot, u, addr, cred),
            _ => {
                self.part_for_bind(s.slot);
                bind::bind(&mut self.sh, s.slot, addr, cred)
            }
        }
    }
    /// listen(2) below the system call: `backlog` has been clamped to somaxconn and the security hook has spoken. An
    /// unbound socket is bound to a port of the namespace's choice; a socket that listens already only gets the new limit.
    /// Linux `inet_listen`, `inet_csk_listen_start`.
    pub fn listen(&mut self, _now: Instant, s: SocketId, backlog: u32) -> Result<(), ListenError> {
        self.sh.socket(s).ok_or(ListenError::NotUnconnected)?;
        listen::inet_listen(&mut self.sh, s.slot, backlog)?;
        if !self.sh.departed.is_empty() {
            listen::take_back(self, s.slot);
        }
        Ok(())
    }
    /// A listener for every address and port that no other socket has, on interfaces of [`Net::set_any_local`]. Each SYN
    /// is held until [`Net::resolve_syn`]; at most `backlog` + 1 wait at once. A second one of the same domain takes the
    /// first one's place.
    pub fn listen_any(&mut self, _now: Instant, domain: Domain, backlog: u32) -> SocketId {
        let s = self.socket(domain);
        let l = self.sh.listeners.insert(Listener {
            socket: s.slot,
            local: unspecified(domain),
            domain,
            v6only: true,
            device: None,
            max_ack_backlog: backlog,
            half_open: 0,
            young: 0,
            queue: VecDeque::new(),
            held: true,
            tally: listen::Tally::default(),
            cookies_until: Instant(0),
            group: NONE,
            incoming_cpu: -1,
            fast_open: Default::default(),
        });
        self.sh.any[usize::from(domain == Domain::Inet6)] = l;
        if let Some(k) = self.sh.socket_mut(s) {
            k.phase = Phase::Listener(l);
        }
        s
    }
    /// SO_ATTACH_REUSEPORT_CBPF: the program chooses among the members of the socket's group. Linux
    /// `reuseport_attach_prog`.
    ///
    /// # Errors
    /// [`OptError::Invalid`]: a program that the checker refuses, or a socket that is in no group and may not make one.
    pub fn attach_reuseport_cbpf(
        &mut self,
        s: SocketId,
        program: Vec<Insn>,
    ) -> Result<(), OptError> {
        let program = Program::new(program).map_err(|BadProgram| OptError::Invalid)?;
        self.sh.socket(s).ok_or(OptError::Invalid)?;
        listen::group::attach(&mut self.sh, s.slot, program)
    }
    /// SO_ATTACH_FILTER: the program sees each segment for the socket from its TCP header on, and says how many bytes
    /// are kept; 0 drops the segment.
    ///
    /// # Errors
    /// [`OptError::Invalid`]: the program is none that Linux takes.
    pub fn attach_filter(&mut self, s: SocketId, program: Vec<Insn>) -> Result<(), OptError> {
        let program = Program::new(program).map_err(|BadProgram| OptError::Invalid)?;
        let k = self.sh.socket_mut(s).ok_or(OptError::Invalid)?;
        k.conf().filter = Some(Arc::new(program));
        self.sh.filters = true;
        Ok(())
    }
    /// SO_DETACH_FILTER.
    ///
    /// # Errors
    /// [`OptError::NotThere`] without a filter.
    pub fn detach_filter(&mut self, s: SocketId) -> Result<(), OptError> {
        let k = self.sh.socket_mut(s).ok_or(OptError::Invalid)?;
        let filter = k.conf.as_mut().and_then(|c| c.filter.take());
        filter.map(drop).ok_or(OptError::NotThere)
    }
    /// TCP_MD5SIG, TCP_MD5SIG_EXT: sets or replaces the key for `peers`, or with `None` deletes it (RFC 2385;
    /// docs/linux/md5.md). Segments to and from them are signed from now on, also those of a connection.
    ///
    /// # Errors
    /// [`Md5Error`]: no room for another key, or none to delete.
    pub fn set_md5_key(
        &mut self,
        s: SocketId,
        peers: Md5Peers,
        key: Option<Md5Key>,
    ) -> Result<(), Md5Error> {
        self.sh.socket(s).ok_or(Md5Error::NotThere)?;
        md5::set(self, s.slot, peers, key)
    }
    /// SO_DETACH_REUSEPORT_BPF. Linux `reuseport_detach_prog`.
    ///
    /// # Errors
    /// [`OptError::NotThere`] without a program; [`OptError::Invalid`] for a socket that has no group.
    pub fn detach_reuseport_bpf(&mut self, s: SocketId) -> Result<(), OptError> {
        self.sh.socket(s).ok_or(OptError::Invalid)?;
        listen::group::detach(&mut self.sh, s.slot)
    }
    /// accept(2): takes the oldest completed connection, whatever has become of it meanwhile (docs/linux 46 to 48). Never
    /// blocks. Linux `inet_csk_accept`.
    pub fn accept(&mut self, _now: Instant, s: SocketId) -> Result<Accepted, AcceptError> {
        listen::accept(self, s)
    }
    /// Puts a connection that was accepted, and not touched since, back at the front of the queue: whoever asked for it
    /// was interrupted. If the listener is gone, the connection is reset.
    pub fn accept_undo(&mut self, now: Instant, listener: SocketId, child: SocketId) {
        listen::accept_undo(self, now, listener, child);
    }
    /// connect(2): begins an attempt, or reports on the one that was begun. Never blocks; writability tells that it
    /// ended. Linux `__inet_stream_connect`, `tcp_v4_connect`.
    pub fn connect(
        &mut self,
        now: Instant,
        s: SocketId,
        addr: SocketAddr,
        cred: &Cred,
    ) -> Result<Connect, ConnectError> {
        self.sh.socket(s).ok_or(ConnectError::AddrNotAvailable)?;
        connect::connect(self, now, s.slot, addr, cred)
    }
    /// Right after [`Net::connect`], before anything left: the SYN brings as much of `data` as it can, if the peer gave us
    /// a Fast Open cookie, else a request for one. Returns how many bytes it takes (sendto with `MSG_FASTOPEN`).
    pub fn fast_open(&mut self, now: Instant, s: SocketId, data: &[u8]) -> usize {
        match self.sh.socket(s) {
            Some(_) => connect::fast_open(self, now, s.slot, data),
            None => 0,
        }
    }
    /// The same for TCP_FASTOPEN_CONNECT: with a cookie the SYN waits for the first bytes that are sent, and this is true;
    /// without, it asks for one.
    pub fn fast_open_connect(&mut self, now: Instant, s: SocketId) -> bool {
        self.sh.socket(s).is_some() && connect::fast_open_connect(self, now, s.slot)
    }
    /// What connect(2) answers from the socket's state alone, before it looks at an address; `None` when a new attempt may
    /// begin.
    pub fn connect_state(&mut self, s: SocketId) -> Option<Result<Connect, ConnectError>> {
        self.sh.socket(s)?;
        connect::state(self, s.slot)
    }
    /// connect(AF_UNSPEC): ends what there is, by a reset where a peer must hear of it, and makes the socket fresh. An
    /// address or a port that the program chose stays bound (docs/linux 7, 35, 36).
    pub fn disconnect(&mut self, now: Instant, s: SocketId) {
        if self.sh.socket(s).is_some() {
            close::disconnect(self, now, s.slot);
        }
    }
    /// shutdown(2): the FIN follows the last byte written; a listener stops listening (docs/linux 33, 34).
    pub fn shutdown(
        &mut self,
        now: Instant,
        s: SocketId,
        how: Shutdown,
    ) -> Result<(), ShutdownError> {
        self.sh.socket(s).ok_or(ShutdownError::NotConnected)?;
        close::shutdown(self, now, s.slot, how)
    }
    /// close(2) of the last reference. Unread data, or SO_LINGER of zero, make it a reset; else what was written is still
    /// delivered. Never blocks. The id is dead afterwards.
    pub fn close(&mut self, now: Instant, s: SocketId) {
        if self.sh.socket(s).is_some() {
            close::close(self, now, s.slot);
        }
    }
    /// Closes with a reset, whatever state the connection is in.
    pub fn abort(&mut self, now: Instant, s: SocketId) {
        if self.sh.socket(s).is_some() {
            self.abort_socket(now, s.slot);
        }
    }
    /// getsockname(2): AF_INET6 sockets see IPv4 as v4-mapped.
    pub fn local_addr(&self, s: SocketId) -> SocketAddr {
        let Some(k) = self.sh.socket(s) else {
            return unspecified(Domain::Inet);
        };
        match self.ends(s.slot) {
            Some((local, _)) => local,
            None => k.conf.as_ref().map_or(unspecified(k.domain), |c| c.local),
        }
    }
    /// getpeername(2): `None` is ENOTCONN.
    pub fn peer_addr(&self, s: SocketId) -> Option<SocketAddr> {
        if let Phase::Udp(u) = self.sh.socket(s)?.phase {
            return self.sh.udp.socks.get(u)?.peer;
        }
        let connected = !matches!(self.state_of(s.slot), TcpState::Close | TcpState::SynSent);
        self.ends(s.slot).filter(|_| connected).map(|e| e.1)
    }
    /// The TCP state.
    pub fn state(&self, s: SocketId) -> TcpState {
        self.sh
            .socket(s)
            .map_or(TcpState::Close, |_| self.state_of(s.slot))
    }
    /// AF_INET or AF_INET6.
    pub fn domain(&self, s: SocketId) -> Domain {
        self.sh.socket(s).map_or(Domain::Inet, |s| s.domain)
    }
    /// TCP_INFO
    pub fn tcp_info(&self, now: Instant, s: SocketId) -> TcpInfo {
        self.sh
            .socket(s)
            .map_or_else(TcpInfo::default, |_| diag::tcp_info(self, now, s.slot))
    }
    /// SO_ERROR: the pending error, or else the last soft one; it is taken.
    pub fn take_error(&mut self, s: SocketId) -> Option<SoError> {
        if let Phase::Udp(u) = self.sh.socket(s)?.phase {
            return self.sh.udp.socks.get_mut(u)?.error.take();
        }
        let of_connection = self.with_tcb(s.slot, |t| t.take_any_error()).flatten();
        of_connection.or_else(|| self.idle_error(s.slot))
    }
    /// SIOCINQ: bytes to read.
    pub fn readable(&self, s: SocketId) -> usize {
        match self.sh.socket(s).map(|s| s.phase) {
            Some(Phase::Udp(u)) => self.sh.udp.socks.get(u).map_or(0, |x| x.next_len()),
            Some(_) => self.tcb(s.slot).map_or(0, |t| t.readable()),
            None => 0,
        }
    }
    /// SIOCOUTQ: bytes written and not acknowledged; and of them, not yet sent.
    /// A socket without a connection shows what the last one left.
    pub fn unacked(&self, s: SocketId) -> (usize, usize) {
        let Some(socket) = self.sh.socket(s) else {
            return (0, 0);
        };
        if let Some(t) = self.tcb(s.slot) {
            return (t.out_queue(), t.out_queue_unsent());
        }
        let left = socket.conf.as_ref().map_or(Left::default(), |c| c.left);
        (
            (left.write - left.una) as usize,
            (left.write - left.nxt) as usize,
        )
    }
    /// Length and limit of a listener's accept queue.
    pub fn accept_queue(&self, s: SocketId) -> Option<(u32, u32)> {
        let l = self.sh.listeners.get(self.sh.socket(s)?.listener()?)?;
        Some((l.ack_backlog(), l.max_ack_backlog))
    }
    /// Both queues of a listener, and what came to it so far.
    pub fn listener_queues(&self, s: SocketId) -> Option<ListenerQueues> {
        let l = self.sh.listeners.get(self.sh.socket(s)?.listener()?)?;
        Some(ListenerQueues {
            local: l.local,
            syn_queue: l.half_open,
            accept_queue: l.ack_backlog(),
            limit: l.max_ack_backlog,
            syns: l.tally.syns,
            connections: l.tally.connections,
            overflows: l.tally.overflows,
        })
    }
    /// setsockopt(2), for what a namespace obeys. Values are checked as Linux checks them.
    pub fn set_option(&mut self, now: Instant, s: SocketId, opt: Opt) -> Result<(), OptError> {
        self.sh.socket(s).ok_or(OptError::Invalid)?;
        options::set(self, now, s.slot, opt)
    }
    /// TCP_SAVED_SYN: the SYN that began a connection, which is gone once it was read; empty when nothing was kept.
    /// With less than `room` for it, it stays.
    pub fn take_saved_syn(&mut self, s: SocketId, room: usize) -> Result<Vec<u8>, OptError> {
        self.sh.socket(s).ok_or(OptError::Invalid)?;
        options::take_saved_syn(self, s.slot, room)
    }
    /// Hands something of the caller's to the children that a listener has from now on: each keeps what was attached
    /// when its handshake completed (docs/linux 49).
    pub fn attach(&mut self, s: SocketId, what: Option<Attached>) {
        if let Some(k) = self.sh.socket_mut(s)
            && (what.is_some() || k.conf.is_some())
        {
            k.conf().attached = what;
        }
    }
    /// What was attached to the socket, or to its listener when it was made.
    pub fn attached(&self, s: SocketId) -> Option<Attached> {
        self.sh.socket(s)?.conf.as_ref()?.attached.clone()
    }
    /// getsockopt(2): the options as they stand; defaults for a socket that is gone.
    pub fn options(&self, s: SocketId) -> Options {
        let slot = self.sh.socket(s).map_or(hearken_tcp::tcb::NONE, |_| s.slot);
        options::get(self, slot).unwrap_or_default()
    }
    /// The text of /proc/sys for a dotted name.
    pub fn sysctl_get(&self, name: &str) -> Result<String, SysctlError> {
        if name == fastopen_key::SYSCTL {
            return Ok(fastopen::key_text(&self.sh));
        }
        self.sh.sysctls.value(name)
    }
    /// Sets a sysctl from text, with Linux's bounds; on an error nothing has changed.
    pub fn sysctl_set(&mut self, name: &str, value: &str) -> Result<(), SysctlError> {
        if name == fastopen_key::SYSCTL {
            return fastopen::set_key(&mut self.sh, value);
        }
        self.sh.sysctls.set(name, value)
    }
    /// `net.core.somaxconn`
    pub fn somaxconn(&self) -> u32 {
        self.sh.sysctls.somaxconn
    }
    /// nstat's counters.
    pub fn mib(&self) -> &Mib {
        &self.sh.mib
    }
    /// Drop reasons.
    pub fn drops(&self) -> &Drops {
        &self.sh.drops
    }
    /// Takes other hooks, or none: whoever looks on comes and goes while the namespace lives.
    pub fn set_hooks(&mut self, hooks: Option<Box<dyn Hooks + Send>>) {
        self.sh.set_hooks(hooks);
    }
    /// The hooks, if `mask` is among those wanted.
    pub fn hooks(&mut self, mask: HookMask) -> Option<&mut (dyn Hooks + Send + 'static)> {
        self.sh.hooks(mask)
    }
    /// Every listener, connection, half-open and TIME_WAIT connection, in no particular order (`ss -ta`). Sockets that
    /// are only bound are not among them, as in /proc/net/tcp.
    pub fn diag(&self) -> Vec<DiagRow> {
        diag::rows(self)
    }
}
