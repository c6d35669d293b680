//! A SYN at a listener: queue checks, request sock, SYN-ACK and its timer (Linux `tcp_conn_request`).

use core::net::SocketAddr;
use core::time::Duration;
use hearken_abi::{Counter, Domain, DropReason, TcpState};
use hearken_tcp::request::RequestSock;
use hearken_tcp::rtt::{RTO_MAX, TIMEOUT_INIT};
use hearken_tcp::tcb::{NONE, initial_window};
use hearken_tcp::{Family, Instant, Seq};
use hearken_wire::{Flags, Options, tcp};

use super::fastopen::{self, Verdict};
use super::migrate;
use super::saved_syn;
use crate::api::IfaceId;
use crate::event::{Event, SynId, SynVerdict};
use crate::family::Side;
use crate::hash::established::{Entry, Half};
use crate::hooks::{HookMask, Retransmit, SockOp, StateChange, Step};
use crate::ip::icmp;
use crate::log::Message;
use crate::shared::Shared;
use crate::sock_ops::jiffies;
use crate::socket::{Conf, Socket, shown};
use crate::tcp_input::{Packet, tuple_ends};
use crate::tcp_output::{self, Ends, Head};
use crate::timers::{Key, Kind};

/// How long a held SYN may wait for its verdict: as long as a client tries (RFC 9293 3.8.3, R2 for SYN, roughly).
const HOLD: Duration = Duration::from_secs(127);

/// The ECN field of a packet's TOS, and its value for a sender that understands it (RFC 3168 5).
const ECT: u8 = 3;
const ECT_0: u8 = 2;

/// The largest segment that an interface lets us announce.
pub(crate) fn advmss<F: Family>(mtu: u32, max_seg: u16) -> u16 {
    // The longest packet bounds it: IPv4 counts its header, IPv6 does not, so that ::1 with its 65536 announces 65476.
    let longest = if F::V6 { 65515 } else { 65495 };
    let most = mtu.saturating_sub(F::HEADER as u32 + 20).clamp(88, longest) as u16;
    if max_seg == 0 {
        most
    } else {
        most.min(max_seg)
    }
}

/// What the listener's options say of its children.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shape {
    pub(crate) max_seg: u16,
    pub(crate) rcvbuf: Option<u32>,
    pub(crate) syn_cnt: u8,
    pub(crate) tos: u8,
    pub(crate) ttl: u8,
    pub(crate) defer_accept: u8,
    pub(crate) save_syn: u8,
    pub(crate) window_clamp: u32,
}

pub(crate) fn shape(sh: &Shared, socket: u32) -> Shape {
    let conf = sh
        .sockets
        .get(socket)
        .and_then(|s: &Socket| s.conf.as_deref());
    conf.map_or_else(Shape::default, |c: &Conf| Shape {
        max_seg: c.max_seg,
        rcvbuf: c.rcvbuf,
        syn_cnt: c.syn_cnt,
        tos: c.tos,
        ttl: c.ttl,
        defer_accept: c.defer_accept,
        save_syn: c.save_syn,
        window_clamp: c.knobs.window_clamp,
    })
}

/// Once for each socket, and not where cookies are always sent (docs/linux 88).
fn warn_of_flood<F: Side>(sh: &mut Shared, l: u32, cookies: bool) {
    let Some(listener) = sh.listeners.get(l) else {
        return;
    };
    let (local, socket) = (listener.local, listener.socket);
    let conf = sh.sockets.get_mut(socket).map(Socket::conf);
    if sh.sysctls.tcp_syncookies != 2
        && let Some(conf) = conf.filter(|c| !c.flooded)
    {
        conf.flooded = true;
        sh.say(Message::SynFlood {
            v6: F::V6,
            local,
            cookies,
        });
    }
}

/// Takes a SYN for listener `l`. `isn`: it ended a TIME_WAIT, whose successor must begin there; then the SYN queue may
/// be full (docs/linux 53, 76).
pub(crate) fn conn_request<F: Side>(
    half: &mut Half<F>,
    sh: &mut Shared,
    now: Instant,
    l: u32,
    p: &Packet<'_, F>,
    isn: Option<Seq>,
) {
    if !p.unicast {
        return sh.drop_at_listener(DropReason::IpInvalidDest);
    }
    if F::V6 && F::to_ip(p.src).to_canonical().is_ipv4() {
        // tcp_v6_conn_request (6.18): IPv6 lets a mapped source through, its SYN ends here (docs/linux 68).
        sh.mib.inc(Counter::Ip6InHdrErrors);
        return sh.drop_packet(DropReason::IpInvalidSource);
    }
    let Some(listener) = sh.listeners.get_mut(l) else {
        return;
    };
    listener.tally.syns += 1;
    let (limit, half_open, ack_backlog) = (
        listener.max_ack_backlog,
        listener.half_open,
        listener.ack_backlog(),
    );
    let (requests_full, accepts_full) = (
        listener.request_queue_is_full(),
        listener.accept_queue_is_full(),
    );
    let (domain, held) = (listener.domain, listener.held);
    let tuple = p.tuple();
    let ends = |ip, port| SocketAddr::new(shown(domain, ip), port);
    let local = ends(F::to_ip(tuple.laddr), tuple.lport);
    let remote = ends(F::to_ip(tuple.raddr), tuple.rport);
    sh.trace(|| Step::Syn {
        local,
        remote,
        half_open,
        ack_backlog,
        limit,
    });

    // The SYN queue first, then the accept queue (docs/linux 54). 2: always a cookie (docs/linux 78).
    let cookies = sh.sysctls.tcp_syncookies;
    let cookie = isn.is_none() && !held && (cookies == 2 || requests_full && cookies != 0);
    if cookie {
        sh.mib.inc(Counter::TcpReqQFullDoCookies);
        warn_of_flood::<F>(sh, l, true);
    } else if requests_full && isn.is_none() {
        sh.mib.inc(Counter::TcpReqQFullDrop);
        warn_of_flood::<F>(sh, l, false);
        return sh.drop_at_listener(DropReason::TcpListenOverflow);
    }
    if accepts_full {
        sh.count_overflow(l);
        return sh.drop_at_listener(DropReason::TcpListenOverflow);
    }
    // Without cookies the last quarter of tcp_max_syn_backlog is for proven peers (docs/linux 51, 52).
    let most = i64::from(sh.sysctls.tcp_max_syn_backlog);
    let scarce = isn.is_none() && cookies == 0 && most - i64::from(half_open) < most >> 2;
    if scarce && !sh.metrics.is_proven(F::to_ip(p.dst), F::to_ip(p.src)) {
        return sh.drop_at_listener(DropReason::TcpListenOverflow);
    }
    let Some(mut req) = request(sh, now, l, p, (isn, p.seg.seq)) else {
        return;
    };
    let timeout = jiffies(sh.sock_op_request(SockOp::TimeoutInit, local, remote));
    if cookie {
        // Neither cookie nor data of Fast Open counts then (docs/linux 87).
        return super::cookies::send(sh, now, l, req, p.tos);
    }
    let mut grant = None;
    if !held {
        match fastopen::try_open(half, sh, now, l, p, &req) {
            Verdict::Child => return,
            Verdict::Plain(option) => grant = option,
        }
    }
    if held {
        req.flags |= RequestSock::<F>::HELD;
        req.deadline = now + HOLD;
    }
    let save = sh
        .listeners
        .get(l)
        .map_or(0, |l| shape(sh, l.socket).save_syn);
    if save != 0 {
        req.flags |= RequestSock::<F>::SAVED_SYN;
    }
    if let Some(timeout) = timeout.filter(|_| !held) {
        req.deadline = now + timeout;
    }
    let slot = hash(half, sh, req);
    if let Some(timeout) = timeout {
        sh.syn_timeouts.keep::<F>(slot, timeout);
    }
    if sh.sysctls.tcp_reflect_tos != 0 {
        sh.syn_tos.keep::<F>(slot, p.tos);
    }
    if save != 0 {
        sh.saved_syns.keep::<F>(slot, saved_syn::bytes_of(save, p));
    }
    let generation = half.reqs.generation(slot);
    sh.timers.set(req.deadline, key::<F>(slot, generation));
    if held {
        let id = SynId {
            v6: F::V6,
            slot,
            generation,
        };
        sh.syns.push_back(Event::Syn { id, local, remote });
    } else if grant.is_some() {
        // Only this one SYN-ACK brings the cookie, none that is sent again.
        let socket = sh.listeners.get(l).map_or(NONE, |l| l.socket);
        let key = sh.md5_key(socket, F::to_ip(tuple.raddr));
        if key.is_some() && req.has(RequestSock::<F>::SACK_OK) {
            req.flags &= !RequestSock::<F>::TSTAMP_OK;
            if let Some(r) = half.reqs.get_mut(slot) {
                r.flags = req.flags;
            }
        }
        let (mut header, mut ends) = syn_ack(sh, now, &req, socket, key.is_some());
        reflect::<F>(sh, slot, &mut ends);
        header.options.fast_open = grant;
        tcp_output::reply::<F>(sh, IfaceId(req.iface), &ends, &header, key.as_ref());
    } else {
        enqueue(half, sh, slot);
    }
}

/// What is to be remembered of a SYN (or of the ACK that brings a cookie back) with the given sequence numbers. `None`:
/// there is no way back to its sender (docs/linux 69).
fn request<F: Side>(
    sh: &mut Shared,
    now: Instant,
    l: u32,
    p: &Packet<'_, F>,
    (isn, rcv_isn): (Option<Seq>, Seq),
) -> Option<RequestSock<F>> {
    let tuple = p.tuple();
    let Some(out) = sh.routing.towards(F::to_ip(tuple.raddr)) else {
        sh.mib.inc(if F::V6 {
            Counter::Ip6OutNoRoutes
        } else {
            Counter::IpOutNoRoutes
        });
        sh.drop_at_listener(DropReason::IpOutnoroutes);
        return None;
    };
    sh.metrics.forget_path_mtus(now);
    let shape = shape(sh, sh.listeners.get(l)?.socket);
    let o = &p.header.options;
    // An ACK has no window scale option: a cookie's comes back by the timestamp, and ours is computed as before.
    let is_ack = p.header.flags.contains(Flags::ACK);
    // RFC 3168 6.1.1: a SYN that asks is itself unmarked; one of AccECN may be marked (docs/linux 74).
    let asks = p.header.flags.contains(Flags::ECE.with(Flags::CWR)) && !is_ack;
    let marked = p.seg.ecn != 0 && !p.header.ae;
    let mut ecn = asks && !marked && sh.sysctls.tcp_ecn != 0;
    let mut rwnd = 0;
    if !is_ack && sh.wants(HookMask::SOCK_OPS) {
        let listener = sh.listeners.get(l).map(|l| l.domain);
        let (local, remote) = tuple_ends(&tuple, !F::V6 && listener == Some(Domain::Inet6));
        ecn |= asks && !ecn && sh.sock_op_request(SockOp::NeedsEcn, local, remote) == 1;
        let reply = sh.sock_op_request(SockOp::RwndInit, local, remote);
        rwnd = u32::try_from(reply).unwrap_or(0);
    }
    let sys = &sh.sysctls;
    let wscale = o.wscale.filter(|_| sys.tcp_window_scaling != 0);
    let timestamps = o.timestamps.filter(|_| sys.tcp_timestamps != 0);
    let adv = advmss::<F>(sh.mtu_to(out, F::to_ip(tuple.raddr)), shape.max_seg);
    let seg = adv - if timestamps.is_some() { 12 } else { 0 };
    let (mut wnd, scale) = initial_window(
        sys,
        shape.rcvbuf,
        shape.window_clamp,
        seg,
        wscale.is_some() || is_ack,
    );
    if rwnd > 0 {
        // A program that asks for more than the buffer gives gets it (tcp_openreq_init_rwin, 6.18; docs/linux/sock-ops.md).
        wnd = rwnd.saturating_mul(u32::from(seg)).min(65535);
    }
    // RFC 9293 3.7.1: no option means 536, over IPv6 1220; Linux never goes under tcp_min_snd_mss (docs/linux 72).
    let default_mss = if F::V6 { 1220 } else { 536 };
    let said = if is_ack {
        Some(u16::MAX)
    } else {
        o.mss.filter(|&m| m != 0)
    };
    let peer_mss = u32::from(said.unwrap_or(default_mss)).max(sys.tcp_min_snd_mss);
    let mut flags = 0;
    let mut on = |bit, yes: bool| flags |= if yes { bit } else { 0 };
    on(RequestSock::<F>::WSCALE_OK, wscale.is_some());
    on(RequestSock::<F>::TSTAMP_OK, timestamps.is_some());
    on(
        RequestSock::<F>::SACK_OK,
        o.sack_permitted && sys.tcp_sack != 0,
    );
    on(RequestSock::<F>::ECN_OK, ecn);
    Some(RequestSock {
        deadline: now + TIMEOUT_INIT,
        tuple,
        listener: l,
        listener_gen: sh.listeners.generation(l),
        rcv_isn,
        snt_isn: isn.unwrap_or_else(|| sh.secrets.isn(&tuple, now)),
        ts_recent: timestamps.map_or(0, |t| t.0),
        ts_off: if sys.tcp_timestamps == 1 {
            sh.secrets.ts_offset(&tuple)
        } else {
            0
        },
        sent_us: (now.0 / 1000) as u32,
        last_oow_ms: 0,
        rcv_wnd: wnd as u16,
        mss: peer_mss.min(u32::from(adv)) as u16,
        iface: out.0,
        flags,
        // RFC 7323 2.3: more than 14 is taken for 14.
        wscales: wscale.map_or(0, |w| w.min(14)) | scale << 4,
        num_timeout: 0,
        num_retrans: 0,
        last_sent_ms: 0,
    })
}

/// Puts a request into the established hash and counts it at its listener.
fn hash<F: Side>(half: &mut Half<F>, sh: &mut Shared, req: RequestSock<F>) -> u32 {
    let slot = half.reqs.insert(req);
    let socket = sh.listeners.get(req.listener).map_or(NONE, |l| l.socket);
    if let Some(device) = sh.device_of(socket) {
        sh.syn_devices.keep::<F>(slot, device);
    }
    half.hash(&sh.secrets, &req.tuple, Entry::Request(slot));
    if let Some(listener) = sh.listeners.get_mut(req.listener) {
        listener.half_open += 1;
        listener.young += 1;
    }
    tell(sh, &req, TcpState::Listen, TcpState::SynRecv);
    slot
}

/// A half-open connection comes or goes; its states are those of RFC 9293 3.3.2.
fn tell<F: Side>(sh: &mut Shared, r: &RequestSock<F>, old: TcpState, new: TcpState) {
    if !sh.wants(HookMask::STATES) {
        return;
    }
    let (local, remote) = tuple_ends(&r.tuple, is_mapped(sh, r));
    sh.tell_state(|| StateChange {
        local,
        remote: Some(remote),
        old,
        new,
    });
}

/// Whether an IPv4 client is shown to the listener as v4-mapped.
fn is_mapped<F: Side>(sh: &Shared, r: &RequestSock<F>) -> bool {
    let listener = sh.listeners.get(r.listener);
    !F::V6 && listener.is_some_and(|l| l.domain == Domain::Inet6)
}

/// The request that a cookie stood for, made when its ACK came; it is turned into a connection at once.
pub(super) fn of_cookie<F: Side>(
    half: &mut Half<F>,
    sh: &mut Shared,
    now: Instant,
    l: u32,
    p: &Packet<'_, F>,
    (isn, rcv_isn): (Seq, Seq),
) -> Option<u32> {
    let req = request(sh, now, l, p, (Some(isn), rcv_isn))?;
    Some(hash(half, sh, req))
}

pub(super) fn key<F: Side>(slot: u32, generation: u32) -> Key {
    Key {
        kind: Kind::Request,
        v6: F::V6,
        slot,
        generation,
    }
}

/// Lets the SYN-ACK leave, again or for the first time.
pub(super) fn enqueue<F: Side>(half: &mut Half<F>, sh: &mut Shared, slot: u32) {
    let generation = half.reqs.generation(slot);
    if let Some(r) = half.reqs.get_mut(slot)
        && !r.has(RequestSock::<F>::TX_QUEUED)
    {
        r.flags |= RequestSock::<F>::TX_QUEUED;
        sh.enqueue(r.iface, key::<F>(slot, generation));
    }
}

/// Removes a request; nothing is sent.
pub(crate) fn remove<F: Side>(half: &mut Half<F>, sh: &mut Shared, slot: u32) {
    let Some(r) = half.reqs.get(slot).copied() else {
        return;
    };
    half.unhash(&sh.secrets, &r.tuple, Entry::Request(slot));
    half.reqs.remove(slot);
    if r.has(RequestSock::<F>::SAVED_SYN) {
        sh.saved_syns.take::<F>(slot);
    }
    sh.syn_tos.take::<F>(slot);
    sh.syn_timeouts.take::<F>(slot);
    sh.syn_devices.take::<F>(slot);
    sh.uncount_request(&r);
    tell(sh, &r, TcpState::SynRecv, TcpState::Close);
}

/// The SYN-ACK of a request, as it stands now.
pub(crate) fn send_syn_ack<F: Side>(
    half: &mut Half<F>,
    sh: &mut Shared,
    now: Instant,
    slot: u32,
) -> Option<Head> {
    let r = half.reqs.get_mut(slot)?;
    r.flags &= !RequestSock::<F>::TX_QUEUED;
    r.sent(now);
    let socket = sh.listeners.get(sh.listener_of(r)?)?.socket;
    let key = sh.md5_key(socket, F::to_ip(r.tuple.raddr));
    if key.is_some() && r.has(RequestSock::<F>::SACK_OK) {
        // Both and a signature leave no room for SACK blocks, so timestamps go (tcp_synack_options, 6.18; a cookie keeps
        // them).
        r.flags &= !RequestSock::<F>::TSTAMP_OK;
    }
    let r = *r;
    let (header, mut ends) = syn_ack(sh, now, &r, socket, key.is_some());
    reflect::<F>(sh, slot, &mut ends);
    let mut head = tcp_output::head::<F>(sh, &ends, &header, 0);
    if let Some(key) = key {
        head.sign::<F>(&key, &ends, &[]);
    }
    Some(head)
}

/// tcp_reflect_tos: the SYN's TOS instead of the listener's (docs/linux 73).
fn reflect<F: Side>(sh: &Shared, slot: u32, ends: &mut Ends<F::Addr>) {
    ends.tos = sh.syn_tos.get::<F>(slot).unwrap_or(ends.tos);
}

/// The SYN-ACK that the listener of socket `socket` sends now.
fn syn_ack<F: Side>(
    sh: &mut Shared,
    now: Instant,
    r: &RequestSock<F>,
    socket: u32,
    md5: bool,
) -> (tcp::Header, Ends<F::Addr>) {
    let shape = shape(sh, socket);
    let mut tos = shape.tos;
    if tos & ECT == 0 && sh.wants(HookMask::SOCK_OPS) {
        let (local, remote) = tuple_ends(&r.tuple, is_mapped(sh, r));
        if sh.sock_op_request(SockOp::NeedsEcn, local, remote) == 1 {
            // tcp_v4_send_synack (6.18): marked, whether the SYN asked or not.
            tos |= ECT_0;
        }
    }
    sh.mib.inc(Counter::TcpOutSegs);
    let ends = Ends {
        src: r.tuple.laddr,
        dst: r.tuple.raddr,
        tos,
        ttl: shape.ttl,
    };
    let mut header = syn_ack_header(sh, r, shape.max_seg, now.millis32());
    header.options.md5 = md5;
    (header, ends)
}

/// The TCP header of a SYN-ACK at `ms` milliseconds (docs/linux 71).
pub(super) fn syn_ack_header<F: Side>(
    sh: &Shared,
    r: &RequestSock<F>,
    max_seg: u16,
    ms: u32,
) -> tcp::Header {
    let has = |bit| r.has(bit);
    tcp::Header {
        src_port: r.tuple.lport,
        dst_port: r.tuple.rport,
        seq: r.snt_isn.0,
        ack: r.rcv_nxt().0,
        flags: if has(RequestSock::<F>::ECN_OK) {
            Flags::SYN.with(Flags::ACK).with(Flags::ECE)
        } else {
            Flags::SYN.with(Flags::ACK)
        },
        ae: false,
        window: r.rcv_wnd,
        urgent: 0,
        options: Options {
            mss: Some(advmss::<F>(
                sh.mtu_to(IfaceId(r.iface), F::to_ip(r.tuple.raddr)),
                max_seg,
            )),
            wscale: has(RequestSock::<F>::WSCALE_OK).then(|| r.rcv_wscale()),
            sack_permitted: has(RequestSock::<F>::SACK_OK),
            timestamps: has(RequestSock::<F>::TSTAMP_OK)
                .then(|| (ms.wrapping_add(r.ts_off), r.ts_recent)),
            ..Options::NONE
        },
    }
}

/// How often a SYN-ACK is sent again when the queue is more than half full: one time less for each doubling by which
/// those that were sent again outnumber the young, but twice at least (docs/linux 58).
fn shed(retries: u8, len: u32, limit: u32, young: u32) -> u8 {
    if u64::from(len) * 2 <= u64::from(limit.max(8)) {
        return retries;
    }
    let (mut retries, mut young) = (retries, u64::from(young) * 2);
    while retries > 2 && young <= u64::from(len) {
        retries -= 1;
        young *= 2;
    }
    retries
}

/// The timer of a request: once more, or never again (docs/linux 55, 56).
pub(crate) fn syn_ack_timer<F: Side>(half: &mut Half<F>, sh: &mut Shared, now: Instant, slot: u32) {
    let Some(l) = migrate::request(half, sh, slot).and_then(|l| sh.listeners.get(l)) else {
        // The listener is gone: vanish without a word (docs/linux 40).
        return remove(half, sh, slot);
    };
    let Some(r) = half.reqs.get_mut(slot) else {
        return;
    };
    let socket = l.socket;
    if r.has(RequestSock::<F>::HELD) {
        return remove(half, sh, slot);
    }
    let (len, limit, young) = (l.half_open, l.max_ack_backlog, l.young);
    let shape = shape(sh, socket);
    let retries = if shape.syn_cnt != 0 {
        shape.syn_cnt
    } else {
        sh.sysctls.tcp_synack_retries
    };
    let retries = shed(retries, len, limit, young);
    sh.mib.inc(Counter::TcpTimeouts);
    // A peer that acknowledged already waits for its deferral to end, without being asked again before the last
    // timeout, and outlives the retries meanwhile (syn_ack_recalc, 6.18; docs/linux 91, 92).
    let (defer, deferred) = (shape.defer_accept, r.has(RequestSock::<F>::ACKED));
    if r.num_timeout >= retries && !(deferred && r.num_timeout < defer) {
        return remove(half, sh, slot);
    }
    let again = !deferred || r.num_timeout + 1 >= defer;
    if r.num_timeout == 0
        && let Some(l) = sh.listeners.of(r.listener, r.listener_gen)
    {
        l.young -= 1;
    }
    r.num_timeout += 1;
    let first = sh.syn_timeouts.get::<F>(slot).unwrap_or(TIMEOUT_INIT);
    r.deadline = now + (first * (1 << r.num_timeout.min(7))).min(RTO_MAX);
    let at = r.deadline;
    let generation = half.reqs.generation(slot);
    sh.timers.set(at, key::<F>(slot, generation));
    if again {
        resend(half, sh, slot);
    }
}

/// Sends the SYN-ACK again, counted.
pub(super) fn resend<F: Side>(half: &mut Half<F>, sh: &mut Shared, slot: u32) {
    if let Some(r) = half.reqs.get_mut(slot) {
        r.num_retrans = r.num_retrans.saturating_add(1);
        sh.mib.inc(Counter::TcpRetransSegs);
        sh.mib.inc(Counter::TcpSynRetrans);
        if sh.wants(HookMask::RETRANSMITS) {
            let (local, remote) = tuple_ends(&r.tuple, is_mapped(sh, r));
            let seq = r.snt_isn.0;
            sh.tell_retransmit(|| Retransmit {
                local,
                remote,
                state: TcpState::SynRecv,
                seq,
                len: 0,
            });
        }
        enqueue(half, sh, slot);
    }
}

/// The verdict on a held SYN.
pub(crate) fn resolve<F: Side>(
    half: &mut Half<F>,
    sh: &mut Shared,
    now: Instant,
    id: SynId,
    v: SynVerdict,
) {
    let Some(r) = half
        .reqs
        .of(id.slot, id.generation)
        .filter(|r| r.has(RequestSock::<F>::HELD))
    else {
        return;
    };
    r.flags &= !RequestSock::<F>::HELD;
    let iface = IfaceId(r.iface);
    match v {
        SynVerdict::Accept => {
            r.deadline = now + TIMEOUT_INIT;
            r.sent_us = (now.0 / 1000) as u32;
            let at = r.deadline;
            sh.timers.set(at, key::<F>(id.slot, id.generation));
            enqueue(half, sh, id.slot);
        }
        SynVerdict::Drop => remove(half, sh, id.slot),
        SynVerdict::Reset => {
            let (tuple, ack) = (r.tuple, r.rcv_nxt());
            remove(half, sh, id.slot);
            tcp_output::reset::<F>(sh, iface, &tuple, None, ack, 0, None);
        }
        SynVerdict::Icmp(code) => {
            let (tuple, isn) = (r.tuple, r.rcv_isn);
            remove(half, sh, id.slot);
            icmp::unreachable::<F>(sh, iface, &tuple, isn, code);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hearken_tcp::addr::{V4, V6};

    #[test]
    fn advmss_is_bounded_by_mtu_option_and_longest_packet() {
        let got = [(1500, 0), (1500, 536), (100, 0), (65_536, 0)];
        assert_eq!(got.map(|(m, o)| advmss::<V4>(m, o)), [1460, 536, 88, 65495]);
        assert_eq!(got.map(|(m, o)| advmss::<V6>(m, o)), [1440, 536, 88, 65476]);
        assert_eq!(advmss::<V6>(70_000, 0), 65515);
    }

    #[test]
    fn shed_takes_one_retry_for_each_doubling_of_the_old_over_the_young() {
        for (retries, len, limit, young, want) in [
            // Half full at most: nothing is shed. Limits under 8 count as 8.
            (5, 4, 3, 0, 5),
            (5, 6, 12, 0, 5),
            (5, 5, 3, 0, 2),
            (5, 10, 8, 9, 5),
            (5, 10, 8, 5, 4),
            (5, 10, 8, 3, 4),
            (5, 10, 8, 2, 3),
            (5, 100, 8, 1, 2),
            (5, 10, 8, 0, 2),
            (1, 10, 8, 0, 1),
        ] {
            let got = shed(retries, len, limit, young);
            assert_eq!(got, want, "{retries} {len} of {limit}, {young} young");
        }
    }
}
