//! UDP sockets (RFC 768; Linux `udp_sendmsg`, `udp_recvmsg`): bind, connect, send, receive.

mod input;

pub(crate) use input::{From, error, input};

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use hearken_abi::{Counter, Domain};
use hearken_tcp::tcb::{NONE, SoError};
use hearken_wire::{Sum, udp};

use crate::api::{Cred, Datagram};
use crate::arena::Arena;
use crate::bind;
use crate::error::{BindError, ConnectError, UdpError};
use crate::hash::bind::Binds;
use crate::ip::output::{self, Out};
use crate::shared::Shared;
use crate::socket::{Phase, Socket, shown, unspecified};

const UDP: u8 = 17;
/// Linux's `net.core.rmem_default` and `wmem_default`.
const BUFFER: usize = 212_992;
/// What a queued datagram counts for beyond its bytes (Linux's truesize is of this order).
const OVERHEAD: usize = 512;

/// A UDP socket.
#[derive(Debug)]
pub(crate) struct Udp {
    pub(crate) socket: u32,
    pub(crate) peer: Option<SocketAddr>,
    queue: VecDeque<Datagram>,
    queued: usize,
    /// Bytes that wait to leave.
    pub(crate) sending: usize,
    pub(crate) error: Option<SoError>,
    pub(crate) broadcast: bool,
}

/// All UDP sockets of a namespace.
#[derive(Debug)]
pub(crate) struct UdpTable {
    pub(crate) socks: Arena<Udp>,
    /// Bound sockets by port.
    ports: BTreeMap<u16, Vec<u32>>,
    pub(crate) binds: Binds,
}

impl UdpTable {
    pub(crate) fn new() -> Self {
        Self {
            socks: Arena::new(),
            ports: BTreeMap::new(),
            binds: Binds::new(),
        }
    }
}

impl Udp {
    pub(crate) fn is_readable(&self) -> bool {
        !self.queue.is_empty()
    }
    pub(crate) fn is_writable(&self) -> bool {
        self.sending < BUFFER
    }
    /// Bytes of the next datagram (SIOCINQ).
    pub(crate) fn next_len(&self) -> usize {
        self.queue.front().map_or(0, |d| d.data.len())
    }
}

/// Makes a socket; gives its slot.
pub(crate) fn socket(sh: &mut Shared, domain: Domain) -> u32 {
    let mut s = Socket::new(domain);
    s.set(
        Socket::V6ONLY,
        domain == Domain::Inet6 && sh.sysctls.bindv6only != 0,
    );
    let slot = sh.sockets.insert(s);
    let u = sh.udp.socks.insert(Udp {
        socket: slot,
        peer: None,
        queue: VecDeque::new(),
        queued: 0,
        sending: 0,
        error: None,
        broadcast: false,
    });
    if let Some(s) = sh.sockets.get_mut(slot) {
        s.phase = Phase::Udp(u);
    }
    slot
}

pub(crate) fn bind(
    sh: &mut Shared,
    slot: u32,
    u: u32,
    addr: SocketAddr,
    cred: &Cred,
) -> Result<(), BindError> {
    bind::bind(sh, slot, addr, cred)?;
    enter(sh, slot, u);
    Ok(())
}

/// Stands under its port from now on.
fn enter(sh: &mut Shared, slot: u32, u: u32) {
    let port = local(sh, slot).port();
    if port != 0 {
        sh.udp.ports.entry(port).or_default().push(u);
    }
}

fn local(sh: &Shared, slot: u32) -> SocketAddr {
    let Some(s) = sh.sockets.get(slot) else {
        return unspecified(Domain::Inet);
    };
    s.conf.as_ref().map_or(unspecified(s.domain), |c| c.local)
}

/// Binds to a port of the namespace's choice, if it is not bound yet.
fn autobind(sh: &mut Shared, slot: u32, u: u32, cred: &Cred) -> Result<(), BindError> {
    if sh.sockets.get(slot).is_none_or(|s| s.bind != NONE) {
        return Ok(());
    }
    let mut any = local(sh, slot);
    any.set_port(0);
    bind(sh, slot, u, any, cred)
}

/// connect(2): where datagrams go, and whose are taken.
pub(crate) fn connect(
    sh: &mut Shared,
    slot: u32,
    u: u32,
    peer: SocketAddr,
    cred: &Cred,
) -> Result<(), ConnectError> {
    let Some(s) = sh.sockets.get(slot) else {
        return Err(ConnectError::AddrNotAvailable);
    };
    let domain = s.domain;
    if peer.is_ipv4() != (domain == Domain::Inet) {
        return Err(ConnectError::WrongFamily);
    }
    let dst = peer.ip().to_canonical();
    let broadcast = sh.udp.socks.get(u).is_some_and(|x| x.broadcast);
    if sh.routing.is_broadcast(dst) && !broadcast {
        return Err(ConnectError::NotUnicast);
    }
    let src = sh.routing.source(dst).ok_or(ConnectError::NoRoute)?;
    autobind(sh, slot, u, cred).map_err(|_| ConnectError::AddrNotAvailable)?;
    if let Some(s) = sh.sockets.get_mut(slot) {
        let c = s.conf();
        if c.local.ip().is_unspecified() {
            c.local.set_ip(shown(domain, src));
        }
    }
    if let Some(x) = sh.udp.socks.get_mut(u) {
        x.peer = Some(peer);
        x.error = None;
    }
    Ok(())
}

/// connect(AF_UNSPEC)
pub(crate) fn disconnect(sh: &mut Shared, slot: u32, u: u32) {
    if let Some(x) = sh.udp.socks.get_mut(u) {
        x.peer = None;
    }
    if let Some(s) = sh.sockets.get_mut(slot) {
        let any = unspecified(s.domain).ip();
        let c = s.conf();
        if !c.addr_locked {
            c.local.set_ip(any);
        }
    }
}

/// Sends one datagram.
pub(crate) fn send_to(
    sh: &mut Shared,
    slot: u32,
    u: u32,
    to: Option<SocketAddr>,
    data: &[&[u8]],
) -> Result<usize, UdpError> {
    let generation = sh.udp.socks.generation(u);
    let x = sh.udp.socks.get_mut(u).ok_or(UdpError::NoDestination)?;
    if let Some(e) = x.error.take() {
        return Err(UdpError::Failed(e));
    }
    let to = to.or(x.peer).ok_or(UdpError::NoDestination)?;
    let (full, broadcast) = (!x.is_writable(), x.broadcast);
    let s = sh.sockets.get(slot).ok_or(UdpError::NoDestination)?;
    if to.is_ipv4() != (s.domain == Domain::Inet) {
        return Err(UdpError::WrongFamily);
    }
    if to.port() == 0 {
        return Err(UdpError::Invalid);
    }
    let dst = to.ip().to_canonical();
    let len: usize = data.iter().map(|d| d.len()).sum();
    let most = 65535 - udp::LEN - if dst.is_ipv4() { 20 } else { 0 };
    if len > most {
        return Err(UdpError::TooBig);
    }
    if sh.routing.is_broadcast(dst) && !broadcast {
        return Err(UdpError::Broadcast);
    }
    let iface = sh.routing.towards(dst).ok_or(UdpError::NoRoute)?;
    if full {
        return Err(UdpError::WouldBlock);
    }
    let uid = s.conf.as_ref().map_or(0, |c| c.uid);
    autobind(
        sh,
        slot,
        u,
        &Cred {
            uid,
            net_bind_service: false,
        },
    )
    .map_err(|_| UdpError::NoPort)?;
    let local = local(sh, slot);
    let bound = local.ip().to_canonical();
    let src = if bound.is_unspecified() {
        sh.routing.source(dst)
    } else {
        Some(bound)
    };
    let src = src
        .filter(|s| s.is_ipv4() == dst.is_ipv4())
        .ok_or(UdpError::NoRoute)?;
    let total = udp::LEN + len;
    let header = udp::Header {
        src_port: local.port(),
        dst_port: to.port(),
        len: total as u16,
        checksum: 0,
    };
    let mut payload = Vec::with_capacity(total);
    payload.resize(udp::LEN, 0);
    header.emit(&mut payload);
    data.iter().for_each(|d| payload.extend_from_slice(d));
    let mut sum = pseudo(src, dst, total);
    sum.add(&payload);
    // A sum of zero goes as all ones: zero means "not computed" (RFC 768).
    let sum = match sum.finish() {
        0 => 0xffff,
        n => n,
    };
    payload[udp::CHECKSUM_OFFSET..udp::LEN].copy_from_slice(&sum.to_be_bytes());
    let conf = sh.sockets.get(slot).and_then(|s| s.conf.as_deref());
    let (ttl, tos) = conf.map_or((0, 0), |c| (c.ttl, c.tos));
    let out = Out {
        iface,
        src,
        dst,
        proto: UDP,
        ttl,
        tos,
        owner: (u, generation),
    };
    let waiting = output::send(sh, &out, &payload);
    if let Some(x) = sh.udp.socks.get_mut(u) {
        x.sending += waiting;
    }
    sh.mib.inc(if dst.is_ipv6() {
        Counter::Udp6OutDatagrams
    } else {
        Counter::UdpOutDatagrams
    });
    Ok(len)
}

fn pseudo(src: IpAddr, dst: IpAddr, len: usize) -> Sum {
    match (src, dst) {
        (IpAddr::V4(s), IpAddr::V4(d)) => Sum::pseudo_v4(s.octets(), d.octets(), UDP, len as u32),
        (s, d) => {
            let octets = |ip| match ip {
                IpAddr::V6(a) => a.octets(),
                IpAddr::V4(a) => a.to_ipv6_mapped().octets(),
            };
            Sum::pseudo_v6(octets(s), octets(d), UDP, len as u32)
        }
    }
}

/// Takes the oldest datagram, or with `peek` only shows it.
pub(crate) fn recv<R>(
    sh: &mut Shared,
    u: u32,
    peek: bool,
    f: impl FnOnce(&Datagram) -> R,
) -> Result<R, UdpError> {
    let x = sh.udp.socks.get_mut(u).ok_or(UdpError::WouldBlock)?;
    if let Some(e) = x.error.take() {
        return Err(UdpError::Failed(e));
    }
    let Some(d) = x.queue.front() else {
        return Err(UdpError::WouldBlock);
    };
    let r = f(d);
    if !peek && let Some(d) = x.queue.pop_front() {
        x.queued -= d.data.len() + OVERHEAD;
    }
    Ok(r)
}

/// The last reference is gone.
pub(crate) fn close(sh: &mut Shared, slot: u32, u: u32) {
    let port = local(sh, slot).port();
    if let Some(list) = sh.udp.ports.get_mut(&port) {
        list.retain(|&x| x != u);
        if list.is_empty() {
            sh.udp.ports.remove(&port);
        }
    }
    if let Some(x) = sh.udp.socks.get_mut(u) {
        x.queue = VecDeque::new();
    }
    sh.udp.socks.remove(u);
}
