//! A TCP segment finds its record: the established hash, then the listening hash, then nobody (Linux `tcp_v4_rcv`).

use core::net::SocketAddr;
use hearken_abi::{Counter, Domain, DropReason, TcpState};
use hearken_tcp::buffer::Charge;
use hearken_tcp::md5::Key as Md5Key;
use hearken_tcp::tcb::{NONE, Segment, Tcb};
use hearken_tcp::{Connection, Effects, Instant, Seq, Tuple};
use hearken_wire::{Flags, tcp};

use crate::api::IfaceId;
use crate::cbpf::View;
use crate::close::send_reset;
use crate::family::Side;
use crate::filter;
use crate::frame::RxCsum;
use crate::hash::established::{Entry, Half};
use crate::hash::listening::Who;
use crate::hooks::{SockOp, StateChange};
use crate::listen::group::CPU;
use crate::listen::{check_req, conn_request, cookie_check, fastopen};
use crate::md5;
use crate::shared::Shared;
use crate::socket::shown;
use crate::tcp_output;
use crate::timers::{Key, Kind};
use crate::timewait;

/// A segment with its addresses.
#[derive(Debug)]
pub(crate) struct Packet<'a, F: Side> {
    pub(crate) src: F::Addr,
    pub(crate) dst: F::Addr,
    pub(crate) iface: IfaceId,
    pub(crate) tos: u8,
    /// Neither broadcast nor multicast.
    pub(crate) unicast: bool,
    pub(crate) header: &'a tcp::Header,
    pub(crate) seg: Segment<'a>,
    pub(crate) raw: Raw<'a>,
}

/// The headers as they came, for whoever keeps or checks bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Raw<'a> {
    /// Below IP: nothing on a device that carries bare packets.
    pub(crate) link: &'a [u8],
    /// IP, with options or extension headers.
    pub(crate) ip: &'a [u8],
    /// TCP, with options.
    pub(crate) tcp: &'a [u8],
}

impl<F: Side> Packet<'_, F> {
    /// The four-tuple as we see it.
    pub(crate) fn tuple(&self) -> Tuple<F> {
        Tuple {
            laddr: self.dst,
            raddr: self.src,
            lport: self.header.dst_port,
            rport: self.header.src_port,
        }
    }
}

/// Where a segment comes from, as the IP layer knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct From<'a, A> {
    pub(crate) src: A,
    pub(crate) dst: A,
    pub(crate) iface: IfaceId,
    pub(crate) tos: u8,
    pub(crate) unicast: bool,
    pub(crate) csum: RxCsum,
    /// Payload of one segment when the packet is several in one, else 0.
    pub(crate) gso_size: u16,
    pub(crate) raw: Raw<'a>,
}

/// Takes the TCP part of a packet: `data[0]` holds at least the header, all of it.
pub(crate) fn tcp_input<F: Side>(
    half: &mut Half<F>,
    sh: &mut Shared,
    now: Instant,
    from: From<'_, F::Addr>,
    data: &mut [&[u8]],
) {
    let len: usize = data.iter().map(|d| d.len()).sum();
    sh.mib.inc(Counter::TcpInSegs);
    let parsed = data.first().and_then(|d| tcp::parse(d).ok());
    let Some((header, header_len)) = parsed else {
        sh.mib.inc(Counter::TcpInErrs);
        return sh.drop_packet(DropReason::HdrTrunc);
    };
    if from.csum == RxCsum::Unknown {
        let mut sum = F::pseudo(from.src, from.dst, 6, len);
        data.iter().for_each(|d| sum.add(d));
        if sum.finish() != 0 {
            sh.mib.inc(Counter::TcpInCsumErrors);
            sh.mib.inc(Counter::TcpInErrs);
            return sh.drop_packet(DropReason::TcpCsum);
        }
    }
    let mut raw = from.raw;
    if let Some(first) = data.first_mut() {
        (raw.tcp, *first) = first.split_at(header_len);
    }
    let seg = Segment {
        seq: Seq(header.seq),
        ack: Seq(header.ack),
        flags: header.flags,
        window: header.window,
        urgent: header.urgent,
        options: &header.options,
        data,
        len: (len - header_len) as u32,
        ecn: from.tos & 3,
        // Over `lo`, or several in one, payload lies in pages.
        charge: if from.iface == IfaceId::LO || from.gso_size != 0 {
            Charge::pages((len - header_len) as u32)
        } else {
            Charge::packet((from.raw.ip.len() + len) as u32)
        },
        gso_size: from.gso_size,
        header: header_len as u8,
    };
    let From {
        src,
        dst,
        iface,
        tos,
        unicast,
        ..
    } = from;
    let p = Packet {
        src,
        dst,
        iface,
        tos,
        unicast,
        header: &header,
        seg,
        raw,
    };
    let tuple = p.tuple();
    let mut found = half.find(&sh.secrets, &tuple);
    if sh.devices
        && let Some(Entry::Connection(slot)) = found
        && let Some(c) = half.conns.get(slot)
        && sh.device_of(c.tcb.owner).is_some_and(|d| d != p.iface)
    {
        // Another interface's traffic is not the connection's (inet_match, 6.18).
        found = None;
    }
    match found {
        Some(entry) if !md5::admits(half, sh, &entry, &p) => {}
        Some(Entry::Connection(slot)) => {
            let Some(c) = half.conns.get_mut(slot) else {
                return;
            };
            if sh.min_ttl && too_far(sh, c.tcb.owner, &p) {
                return;
            }
            if sh.filters {
                return filtered(half, sh, now, slot, &p);
            }
            let fx = c.tcb.input(&mut sh.ctx(now), &p.seg);
            after(half, sh, now, slot, fx, Some(&p));
        }
        Some(Entry::Request(slot)) => {
            if sh.filters {
                let r = half.reqs.get(slot);
                let l = r.and_then(|r| sh.listeners.of(r.listener, r.listener_gen));
                let socket = l.map_or(NONE, |l| l.socket);
                if filter::keeps(sh, socket, &p).is_none() {
                    return;
                }
            }
            check_req(half, sh, now, slot, &p);
        }
        Some(Entry::TimeWait(slot)) => timewait::input(half, sh, now, slot, &p),
        None => to_listener(half, sh, now, &p, None),
    }
}

/// A segment of a connection that may have a filter.
fn filtered<F: Side>(
    half: &mut Half<F>,
    sh: &mut Shared,
    now: Instant,
    slot: u32,
    p: &Packet<'_, F>,
) {
    let owner = half.conns.get(slot).map_or(NONE, |c| c.tcb.owner);
    let Some(len) = filter::keeps(sh, owner, p) else {
        return;
    };
    let data = filter::cut(p.seg.data, len as usize);
    let seg = Segment {
        data: &data,
        len,
        ..p.seg
    };
    let Some(c) = half.conns.get_mut(slot) else {
        return;
    };
    let fx = c.tcb.input(&mut sh.ctx(now), &seg);
    after(half, sh, now, slot, fx, Some(p));
}

/// IP_MINTTL, IPV6_MINHOPCOUNT (RFC 5082) of the socket that a segment is for; a request sock does not ask
/// (docs/linux/limits.md).
fn too_far<F: Side>(sh: &mut Shared, socket: u32, p: &Packet<'_, F>) -> bool {
    let conf = sh.sockets.get(socket).and_then(|s| s.conf.as_ref());
    let least = conf.map_or(0, |c| c.min_ttl[usize::from(F::V6)]);
    let ttl = p.raw.ip.get(if F::V6 { 7 } else { 8 });
    let far = ttl.is_some_and(|&ttl| ttl < least);
    if far {
        sh.mib.inc(Counter::TcpMinTtlDrop);
        sh.drop_packet(DropReason::TcpMinttl);
    }
    far
}

/// The listener that a segment is for.
pub(crate) fn listener_for<F: Side>(sh: &mut Shared, p: &Packet<'_, F>) -> Option<u32> {
    let addr = F::to_ip(p.dst);
    let who = sh.lhash.find(&sh.secrets, addr, p.tuple().lport, p.iface);
    who.and_then(|who| match who {
        Who::Listener(l) => Some(l),
        Who::Group(g) => member(sh, g, p),
    })
    .or_else(|| {
        let any = sh.any[usize::from(F::V6)];
        let here = sh
            .ifaces
            .get(usize::from(p.iface.0))
            .is_some_and(|i| i.any_local);
        (any != NONE && here).then_some(any)
    })
}

/// The listener that a segment *to* its sender's port would be for.
pub(crate) fn source_listener<F: Side>(sh: &Shared, p: &Packet<'_, F>) -> Option<u32> {
    let (addr, port) = (F::to_ip(p.dst), p.tuple().rport);
    match sh.lhash.find(&sh.secrets, addr, port, p.iface)? {
        Who::Listener(l) => Some(l),
        // Any of them: what tells them apart is not in this segment.
        Who::Group(g) => sh
            .groups
            .get(g)?
            .choose(&sh.listeners, sh.spread(&p.tuple()), None),
    }
}

/// RFC 9293 3.10.7.1 and 3.10.7.2: CLOSED and LISTEN. What a listener answers to what: docs/linux 66, 67.
pub(crate) fn to_listener<F: Side>(
    half: &mut Half<F>,
    sh: &mut Shared,
    now: Instant,
    p: &Packet<'_, F>,
    isn: Option<Seq>,
) {
    let found = listener_for(sh, p);
    let Some(l) = found else {
        sh.drop_packet(DropReason::NoSocket);
        return reset_stray(sh, p);
    };
    if sh.min_ttl {
        let socket = sh.listeners.get(l).map_or(NONE, |l| l.socket);
        if too_far(sh, socket, p) {
            return;
        }
    }
    if !md5::listener_admits(sh, l, p) {
        return;
    }
    if sh.filters {
        let socket = sh.listeners.get(l).map_or(NONE, |l| l.socket);
        if filter::keeps(sh, socket, p).is_none() {
            return;
        }
    }
    let f = p.header.flags;
    if f.contains(Flags::ACK) {
        if f.contains(Flags::SYN) || f.contains(Flags::RST) {
            // No cookie comes back with these.
            sh.drop_packet(DropReason::TcpFlags);
            let key = sh.md5_key_of_listener(l, F::to_ip(p.src));
            return reply_reset(sh, p, key);
        }
        cookie_check(half, sh, now, l, p);
    } else if f.contains(Flags::RST) || !f.contains(Flags::SYN) || f.contains(Flags::FIN) {
        sh.drop_packet(if f.contains(Flags::RST) {
            DropReason::TcpReset
        } else {
            DropReason::TcpFlags
        });
    } else {
        conn_request(half, sh, now, l, p, isn);
    }
}

/// The member of a SO_REUSEPORT group that takes a segment.
fn member<F: Side>(sh: &mut Shared, group: u32, p: &Packet<'_, F>) -> Option<u32> {
    let hash = sh.spread(&p.tuple());
    // Only a program asks for a number.
    let random = match sh.groups.get(group)?.program {
        Some(_) => sh.secrets.draw() as u32,
        None => 0,
    };
    let view = View {
        // A SYN's data is in one piece, or is not looked at.
        data: p.seg.data.first().copied().unwrap_or_default(),
        network: [p.raw.ip, p.raw.tcp],
        protocol: if F::V6 { 0x86dd } else { 0x0800 },
        ifindex: u32::from(p.iface.0) + 1,
        cpu: CPU,
        random,
    };
    sh.groups
        .get(group)?
        .choose(&sh.listeners, hash, Some(&view))
}

/// A reset for a segment that no socket takes; none for what may be signed (docs/linux/option-list.md, md5.md).
pub(crate) fn reset_stray<F: Side>(sh: &mut Shared, p: &Packet<'_, F>) {
    if let Ok(key) = md5::key_for_stray(sh, p) {
        reply_reset(sh, p, key);
    }
}

/// Answers a segment with the reset that RFC 9293 3.5.2 builds from it, signed by `key`; never a reset, never to a
/// broadcast.
pub(crate) fn reply_reset<F: Side>(sh: &mut Shared, p: &Packet<'_, F>, key: Option<Md5Key>) {
    reply_reset_by(sh, p, key, NONE);
}

/// The same for a socket, which may be bound to a device.
pub(crate) fn reply_reset_by<F: Side>(
    sh: &mut Shared,
    p: &Packet<'_, F>,
    key: Option<Md5Key>,
    socket: u32,
) {
    if p.header.flags.contains(Flags::RST) || !p.unicast {
        return;
    }
    let seq = p.header.flags.contains(Flags::ACK).then_some(p.seg.ack);
    let to = F::to_ip(p.src);
    let device = sh.device_of(socket);
    if device == Some(IfaceId::LO) && sh.routing.is_lost_on_lo(to) {
        if !F::V6 {
            sh.mib.inc(Counter::TcpOutSegs);
            sh.mib.inc(Counter::TcpOutRsts);
        }
        return;
    }
    if F::V6 && to.is_loopback() && sh.routing.owner(F::to_ip(p.dst)) != IfaceId::LO {
        // The answer goes by the interface that the address belongs to, which has no way to ::1 (tcp_v6_send_response, 6.18).
        return sh.mib.inc(Counter::Ip6OutNoRoutes);
    }
    let out = sh.routing.towards_by(to, device).unwrap_or(p.iface);
    let tuple = p.tuple();
    tcp_output::reset::<F>(sh, out, &tuple, seq, p.seg.end(), p.tos, key.as_ref());
}

/// Carries out what a step of connection `slot` meant.
pub(crate) fn after<F: Side>(
    half: &mut Half<F>,
    sh: &mut Shared,
    now: Instant,
    slot: u32,
    fx: Effects,
    p: Option<&Packet<'_, F>>,
) {
    let Some(c) = half.conns.get_mut(slot) else {
        return;
    };
    sh.sock_op_rtt(c);
    let Some(c) = half.conns.get(slot) else {
        return;
    };
    let (owner, tuple) = (c.tcb.owner, c.tuple);
    let ends = fx.has(Effects::CLOSED) || fx.has(Effects::TIME_WAIT) || fx.has(Effects::FIN_WAIT2);
    // tcp_update_metrics (6.18): an end in order, with the round-trip time known.
    if ends
        && c.tcb.rtt.srtt_us != 0
        && p.is_some_and(|p| !p.header.flags.contains(Flags::RST))
        && !fx.has(Effects::RESET_PEER)
        && sh.sysctls.tcp_no_metrics_save == 0
    {
        let (local, peer) = (F::to_ip(tuple.laddr), F::to_ip(tuple.raddr));
        sh.metrics.prove(local, peer);
    }
    if fx.has(Effects::RESET_PEER)
        && let Some(p) = p
    {
        let c = half.conns.get(slot);
        let key = c.and_then(|c| sh.md5_key_of(slot, c));
        reply_reset_by(sh, p, key, owner);
    }
    if fx.has(Effects::RESET_OUT)
        && let Some(c) = half.conns.get_mut(slot)
    {
        let out = c.tcb.active_reset(&mut sh.ctx(now));
        send_reset(half, sh, slot, out);
    }
    if fx.has(Effects::ESTABLISHED)
        && let Some(p) = p
        && let Some(cookie) = p
            .header
            .options
            .fast_open
            .filter(|c| !c.cookie().is_empty())
        && half
            .conns
            .get(slot)
            .is_some_and(|c| c.tcb.fast_syn().is_some_and(|f| f.option.is_some()))
    {
        let (local, peer) = (F::to_ip(tuple.laddr), F::to_ip(tuple.raddr));
        sh.metrics.set_cookie(local, peer, cookie);
    }
    if fx.has(Effects::ESTABLISHED)
        && let Some(c) = half.conns.get_mut(slot)
    {
        tell_state(c, sh, None);
        sh.sock_op(c, SockOp::ActiveEstablished, [0; 3]);
    }
    if fx.has(Effects::FAST_OPEN)
        && let Some(p) = half.conns.get_mut(slot).and_then(|c| c.tcb.take_pending())
    {
        fastopen::release(sh, &p);
    }
    if owner != NONE && (fx.has(Effects::READ) || fx.has(Effects::WRITE)) {
        sh.mark(owner);
    }
    if fx.has(Effects::CLOSED) {
        // First: data behind the ACK of our FIN may have ended what FIN_WAIT2 would have waited for.
        leave(half, sh, slot);
    } else if fx.has(Effects::TIME_WAIT) {
        timewait::enter(half, sh, now, slot, false);
    } else if fx.has(Effects::FIN_WAIT2) {
        timewait::enter(half, sh, now, slot, true);
    } else {
        touch(half, sh, slot);
    }
}

/// Both ends, as the socket's domain shows them.
pub(crate) fn tuple_ends<F: Side>(t: &Tuple<F>, mapped: bool) -> (SocketAddr, SocketAddr) {
    let domain = if F::V6 || mapped {
        Domain::Inet6
    } else {
        Domain::Inet
    };
    let end = |ip, port| SocketAddr::new(shown(domain, F::to_ip(ip)), port);
    (end(t.laddr, t.lport), end(t.raddr, t.rport))
}

/// Tells of the connection's state, if it is not the one that was told last; `new` is the one of the sock that takes
/// its place, if one does.
pub(crate) fn tell_state<F: Side>(c: &mut Connection<F>, sh: &mut Shared, new: Option<TcpState>) {
    let new = new.unwrap_or(c.tcb.state);
    let old = core::mem::replace(&mut c.tcb.told, new);
    if old != new {
        sh.sock_op_state(c, old, new);
        sh.tell_state(|| {
            let (local, remote) = tuple_ends(&c.tuple, c.tcb.has(Tcb::MAPPED));
            StateChange {
                local,
                remote: Some(remote),
                old,
                new,
            }
        });
    }
}

/// A connection in CLOSE leaves the hash; its record stays while a program holds the socket.
pub(crate) fn leave<F: Side>(half: &mut Half<F>, sh: &mut Shared, slot: u32) {
    let Some(c) = half.conns.get_mut(slot) else {
        return;
    };
    tell_state(c, sh, None);
    let tuple = c.tuple;
    let hashed = !c.tcb.has(Tcb::UNHASHED);
    if let Some(p) = c.tcb.take_pending() {
        fastopen::release(sh, &p);
    }
    c.tcb.flags |= Tcb::UNHASHED;
    if hashed {
        half.unhash(&sh.secrets, &tuple, Entry::Connection(slot));
    }
    free_orphan(half, sh, slot);
}

/// Frees a connection in CLOSE that nobody holds.
pub(crate) fn free_orphan<F: Side>(half: &mut Half<F>, sh: &mut Shared, slot: u32) {
    let Some(c) = half.conns.get_mut(slot) else {
        return;
    };
    if c.tcb.owner != NONE || c.tcb.state != TcpState::Close {
        return;
    }
    sh.binds.release(core::mem::replace(&mut c.tcb.bind, NONE));
    c.tcb.release(&mut sh.pool);
    let queued = c.tcb.timer_queued;
    sh.md5_forget::<F>(slot, &c.tcb);
    sh.timers.cancel(queued, conn_key::<F>(half, slot));
    half.conns.remove(slot);
}

fn conn_key<F: Side>(half: &Half<F>, slot: u32) -> Key {
    Key {
        kind: Kind::Connection,
        v6: F::V6,
        slot,
        generation: half.conns.generation(slot),
    }
}

/// After any step: the connection may have something to send, and another deadline.
pub(crate) fn touch<F: Side>(half: &mut Half<F>, sh: &mut Shared, slot: u32) {
    let key = conn_key::<F>(half, slot);
    let Some(c) = half.conns.get_mut(slot) else {
        return;
    };
    tell_state(c, sh, None);
    if c.tcb.timer_at < c.tcb.timer_queued {
        sh.timers.cancel(c.tcb.timer_queued, key);
        c.tcb.timer_queued = c.tcb.timer_at;
        sh.timers.set(c.tcb.timer_at, key);
    }
    if !c.tcb.has(Tcb::TX_QUEUED) {
        c.tcb.flags |= Tcb::TX_QUEUED;
        sh.enqueue(c.tcb.iface, key);
    }
}
