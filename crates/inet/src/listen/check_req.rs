//! A segment that meets a request sock (Linux `tcp_check_req`): the ACK that completes it, or anything else.

use core::net::SocketAddr;
use hearken_abi::{Counter, DropReason};
use hearken_tcp::md5::Key;
use hearken_tcp::request::RequestSock;
use hearken_tcp::tcb::{Connection, NONE, Tcb};
use hearken_tcp::{Instant, Tuple};
use hearken_wire::{Flags, Options, tcp};

use super::accept_queue;
use super::conn_request::{advmss, remove, resend, shape};
use crate::api::IfaceId;
use crate::family::Side;
use crate::hash::bind::Holder;
use crate::hash::established::{Entry, Half};
use crate::hooks::Step;
use crate::md5;
use crate::shared::Shared;
use crate::socket::{Socket, shown};
use crate::tcp_input::{Packet, after, reply_reset_by, reset_stray};
use crate::tcp_output::{self, Ends};

/// Takes a segment for request `slot`.
pub(crate) fn check_req<F: Side>(
    half: &mut Half<F>,
    sh: &mut Shared,
    now: Instant,
    slot: u32,
    p: &Packet<'_, F>,
) {
    let Some(&req) = half.reqs.get(slot) else {
        return;
    };
    let l = sh.listener_of(&req);
    let Some((l, listener)) = l.and_then(|l| Some((l, sh.listeners.get(l)?))) else {
        // Nobody listens any more (docs/linux 40).
        remove(half, sh, slot);
        sh.drop_packet(DropReason::NoSocket);
        return reset_stray(sh, p);
    };
    let (full, ack_backlog) = (listener.accept_queue_is_full(), listener.ack_backlog());
    let (domain, limit) = (listener.domain, listener.max_ack_backlog);
    let listening = listener.socket;
    let key = |sh: &Shared| sh.md5_key(listening, F::to_ip(p.src));
    let migrated = sh.listeners.generation(req.listener) != req.listener_gen;
    let flags = p.header.flags;
    let (syn, ack, rst) = (
        flags.contains(Flags::SYN),
        flags.contains(Flags::ACK),
        flags.contains(Flags::RST),
    );
    let timestamp = p
        .header
        .options
        .timestamps
        .filter(|_| req.has(RequestSock::<F>::TSTAMP_OK));
    let paws = timestamp.is_some_and(|(val, _)| (val.wrapping_sub(req.ts_recent) as i32) < 0);

    // The same SYN again: the same SYN-ACK again, at most one in tcp_invalid_ratelimit (docs/linux 59).
    if syn && !ack && !rst && p.seg.seq == req.rcv_isn && !paws {
        if !req.has(RequestSock::<F>::HELD) && !rate_limited(half, sh, now, slot, p) {
            resend(half, sh, slot);
        }
        return sh.drop_packet(DropReason::TcpOldSequence);
    }
    if req.has(RequestSock::<F>::HELD) {
        if rst {
            remove(half, sh, slot);
        }
        return sh.drop_packet(DropReason::TcpFlags);
    }
    // RFC 9293 3.10.7.4, SYN-RECEIVED: an ACK of something else is answered by a reset, the request stays (61). What a
    // reset acknowledges is not looked at (docs/linux 62).
    if ack && !rst && p.seg.ack != req.snt_isn + 1 {
        sh.drop_packet(DropReason::TcpInvalidAckSequence);
        let key = key(sh);
        return reply_reset_by(sh, p, key, listening);
    }
    let in_window = {
        let (left, right) = (req.rcv_nxt(), req.rcv_nxt() + u32::from(req.rcv_wnd));
        let (seq, end) = (p.seg.seq, p.seg.end());
        seq == left || end.after(left) && seq.before(right) || seq == right && seq == end
    };
    let foreign_echo = timestamp.is_some_and(|(_, ecr)| !req.echoes(now, ecr));
    if paws || foreign_echo || !in_window {
        if paws {
            sh.mib.inc(Counter::PawsEstab);
            sh.drop_packet(DropReason::TcpRfc7323Paws);
        } else if foreign_echo {
            sh.mib.inc(Counter::TsEcrRejected);
            sh.drop_packet(DropReason::TcpRfc7323Tsecr);
        } else {
            sh.drop_packet(DropReason::TcpInvalidSequence);
        }
        if !rst && !rate_limited(half, sh, now, slot, p) {
            let key = key(sh);
            send_ack(sh, now, &req, p.tos, key);
        }
        return;
    }
    if rst {
        // RFC 5961 3.2, also here: only an exact reset kills (docs/linux 62).
        sh.drop_packet(DropReason::TcpReset);
        if p.seg.seq != req.rcv_nxt() {
            if answered_lately(half, sh, now, slot) {
                sh.mib.inc(Counter::TcpAckSkippedChallenge);
            } else {
                sh.mib.inc(Counter::TcpChallengeAck);
                let key = key(sh);
                send_ack(sh, now, &req, p.tos, key);
            }
            return;
        }
        return embryonic_reset(half, sh, slot);
    }
    if syn {
        // Another SYN in the window (docs/linux 60).
        sh.drop_packet(DropReason::TcpInvalidSyn);
        embryonic_reset(half, sh, slot);
        let key = key(sh);
        return reply_reset_by(sh, p, key, listening);
    }
    if !ack {
        return sh.drop_packet(DropReason::TcpFlags);
    }
    // Only now: a segment without ACK does not move the timestamp that is echoed.
    if let Some((val, _)) = timestamp
        && p.seg.seq.at_or_before(req.rcv_nxt())
        && let Some(r) = half.reqs.get_mut(slot)
    {
        r.ts_recent = val;
    }
    // TCP_DEFER_ACCEPT: only data, or a FIN, completes the handshake (docs/linux 90).
    let defer = shape(sh, listening).defer_accept;
    if req.num_timeout < defer && p.seg.end() == req.rcv_nxt() {
        sh.mib.inc(Counter::TcpDeferAcceptDrop);
        if let Some(r) = half.reqs.get_mut(slot) {
            r.flags |= RequestSock::<F>::ACKED;
        }
        return;
    }
    let remote = SocketAddr::new(shown(domain, F::to_ip(req.tuple.raddr)), req.tuple.rport);
    if full {
        // docs/linux 44, 45: the request stays, unless tcp_abort_on_overflow.
        let reset = sh.sysctls.tcp_abort_on_overflow != 0;
        sh.count_overflow(l);
        if migrated {
            sh.mib.inc(Counter::TcpMigrateReqFailure);
        }
        sh.drop_at_listener(DropReason::TcpListenOverflow);
        sh.trace(|| Step::Overflow { remote, reset });
        if reset {
            sh.mib.inc(Counter::EmbryonicRsts);
            remove(half, sh, slot);
            let key = key(sh);
            reply_reset_by(sh, p, key, listening);
        } else if let Some(r) = half.reqs.get_mut(slot) {
            r.flags |= RequestSock::<F>::ACKED;
        }
        return;
    }
    debug_assert!(ack_backlog <= limit);
    if migrated {
        sh.mib.inc(Counter::TcpMigrateReqSuccess);
    }
    create_child(half, sh, now, slot, l, p);
}

/// Linux `tcp_oow_rate_limited` for a request: true, and counted, when the last answer is too young. One to data or a
/// FIN never is.
fn rate_limited<F: Side>(
    half: &mut Half<F>,
    sh: &mut Shared,
    now: Instant,
    slot: u32,
    p: &Packet<'_, F>,
) -> bool {
    if p.seg.end() != p.seg.seq && !p.header.flags.contains(Flags::SYN) {
        return false;
    }
    let lately = answered_lately(half, sh, now, slot);
    if lately {
        sh.mib.inc(Counter::TcpAckSkippedSynRecv);
    }
    lately
}

/// Whether the last answer is too young for another one, which it otherwise is noted as.
fn answered_lately<F: Side>(half: &mut Half<F>, sh: &mut Shared, now: Instant, slot: u32) -> bool {
    let Some(r) = half.reqs.get_mut(slot) else {
        return true;
    };
    let ms = now.millis32().max(1);
    if r.last_oow_ms != 0 && ms.wrapping_sub(r.last_oow_ms) < sh.sysctls.tcp_invalid_ratelimit {
        return true;
    }
    r.last_oow_ms = ms;
    false
}

/// A request that ends by a reset, ours or the peer's.
fn embryonic_reset<F: Side>(half: &mut Half<F>, sh: &mut Shared, slot: u32) {
    sh.mib.inc(Counter::TcpAttemptFails);
    sh.mib.inc(Counter::EmbryonicRsts);
    remove(half, sh, slot);
}

/// The bare ACK of a request, with the TOS of what it answers (Linux `tcp_v4_reqsk_send_ack`; docs/linux 73).
fn send_ack<F: Side>(sh: &mut Shared, now: Instant, r: &RequestSock<F>, tos: u8, key: Option<Key>) {
    let header = tcp::Header {
        src_port: r.tuple.lport,
        dst_port: r.tuple.rport,
        seq: (r.snt_isn + 1).0,
        ack: r.rcv_nxt().0,
        flags: Flags::ACK,
        ae: false,
        window: r.rcv_wnd >> r.rcv_wscale(),
        urgent: 0,
        options: Options {
            timestamps: r
                .has(RequestSock::<F>::TSTAMP_OK)
                .then(|| (now.millis32().wrapping_add(r.ts_off), r.ts_recent)),
            md5: key.is_some(),
            ..Options::NONE
        },
    };
    sh.mib.inc(Counter::TcpOutSegs);
    let ends = Ends {
        src: r.tuple.laddr,
        dst: r.tuple.raddr,
        tos,
        ttl: 0,
    };
    tcp_output::reply::<F>(sh, IfaceId(r.iface), &ends, &header, key.as_ref());
}

/// The record of a child of listener `l`, which keeps the listener's port.
pub(super) fn insert<F: Side>(
    half: &mut Half<F>,
    sh: &mut Shared,
    l: u32,
    tuple: &Tuple<F>,
    mut tcb: Tcb,
    socket: &Socket,
) -> u32 {
    let (bind, held) = sh
        .listeners
        .get(l)
        .and_then(|l| Some((sh.sockets.get(l.socket)?.bind, l.held)))
        .unwrap_or((NONE, false));
    if let Some(h) = sh.binds.holder(bind).filter(|_| !held) {
        let addr = shown(socket.domain, F::to_ip(tuple.laddr));
        tcb.bind = sh.binds.take(Holder {
            addr,
            listening: false,
            ..h
        });
    }
    tcb.set_mapped(!F::V6 && socket.domain == hearken_abi::Domain::Inet6);
    half.conns.insert(Connection { tcb, tuple: *tuple })
}

/// The handshake is complete: request sock to connection, in place (Linux `tcp_v4_syn_recv_sock`).
pub(super) fn create_child<F: Side>(
    half: &mut Half<F>,
    sh: &mut Shared,
    now: Instant,
    slot: u32,
    l: u32,
    p: &Packet<'_, F>,
) {
    let Some(&req) = half.reqs.get(slot) else {
        return;
    };
    let Some(mut socket) = accept_queue::child_socket(sh, l) else {
        return;
    };
    let mut tcb = Tcb::accept(&mut sh.ctx(now), &req, &p.seg);
    md5::inherit(sh, l, F::to_ip(p.src), &mut socket, &mut tcb);
    let listening = sh.listeners.get(l).map_or(NONE, |l| l.socket);
    let mtu = sh.mtu_to(IfaceId(req.iface), F::to_ip(req.tuple.raddr));
    let adv = advmss::<F>(mtu, shape(sh, listening).max_seg);
    let stamp = if req.has(RequestSock::<F>::TSTAMP_OK) {
        12
    } else {
        0
    };
    tcb.set_advmss(&sh.ctx(now), adv - stamp);
    if req.has(RequestSock::<F>::SAVED_SYN) {
        socket.conf().saved_syn = sh.saved_syns.take::<F>(slot);
    }
    let device = sh.syn_devices.take::<F>(slot);
    if sh.devices && socket.conf.as_ref().and_then(|c| c.device) != device {
        socket.conf().device = device;
    }
    if let Some(tos) = sh.syn_tos.take::<F>(slot) {
        socket.conf().tos = tos;
    }
    let conn = insert(half, sh, l, &req.tuple, tcb, &socket);
    half.replace(
        &sh.secrets,
        &req.tuple,
        Entry::Request(slot),
        Entry::Connection(conn),
    );
    half.reqs.remove(slot);
    sh.syn_timeouts.take::<F>(slot);
    sh.uncount_request(&req);
    accept_queue::add(half, sh, now, l, conn, socket);
    let Some(c) = half.conns.get_mut(conn) else {
        return;
    };
    let fx = c.tcb.input(&mut sh.ctx(now), &p.seg);
    after(half, sh, now, conn, fx, Some(p));
}
