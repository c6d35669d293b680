//! What leaves by an interface: finished answers first, then the records that have something to send, in turn.

use alloc::vec::Vec;
use hearken_abi::{Counter, TcpState};
use hearken_tcp::buffer::MAX_SLICES;
use hearken_tcp::tcb::{Effects, Tcb};
use hearken_tcp::{Connection, Ctx, Instant};
use hearken_wire::tcp;

use crate::api::IfaceId;
use crate::family::Side;
use crate::frame::{Progress, RxCsum, RxFrame, RxMeta, TxCaps, TxMeta, TxSink};
use crate::hash::established::Half;
use crate::hooks::{HookMask, Retransmit, SockOp};
use crate::iface::Iface;
use crate::ip;
use crate::link::{self, Framer};
use crate::listen::send_syn_ack;
use crate::net::Net;
use crate::shared::Shared;
use crate::tcp_input::{after, touch, tuple_ends};
use crate::tcp_output::{self, Ends};
use crate::timers::{Key, Kind};
use crate::timewait;

/// Segments that one connection may send before another's turn.
const BURST: usize = 16;
/// The ECN field of a packet whose sender understands it (RFC 3168 5).
const ECT_0: u8 = 2;
/// Frames that `lo` moves in one call.
const LO_BUDGET: usize = 256;

pub(crate) fn poll<T: TxSink>(net: &mut Net, now: Instant, iface: IfaceId, tx: &mut T) -> Progress {
    let Some(mut eth) = net.sh.iface(iface).and_then(|i| i.ethernet.take()) else {
        return packets(net, now, iface, tx);
    };
    // Questions that the packets raise leave behind them.
    let mut progress = Progress::SinkFull;
    if link::flush(&mut eth, tx) {
        let broadcasts = net.sh.routing.broadcasts(iface);
        let (eth, broadcasts) = (&mut *eth, &broadcasts[..]);
        progress = packets(
            net,
            now,
            iface,
            &mut Framer {
                tx,
                eth,
                now,
                broadcasts,
            },
        );
    }
    if !link::flush(&mut eth, tx) {
        progress = Progress::SinkFull;
    }
    if let Some(i) = net.sh.iface(iface) {
        i.ethernet = Some(eth);
    }
    link::rearm(&mut net.sh, iface);
    progress
}

/// IP packets, into whatever carries them.
fn packets<T: TxSink>(net: &mut Net, now: Instant, iface: IfaceId, tx: &mut T) -> Progress {
    loop {
        let Some(i) = net.sh.iface(iface) else {
            return Progress::Idle;
        };
        if i.is_idle() {
            return Progress::Idle;
        }
        if tx.room() == 0 {
            return Progress::SinkFull;
        }
        if let Some(packet) = i.replies.pop_front() {
            tx.send(&TxMeta::default(), &packet, &[]);
            let v6 = packet.first().is_some_and(|b| b >> 4 == 6);
            let len = packet.len();
            i.recycle(packet);
            net.sh.count_out(v6, len);
            continue;
        }
        if let Some(d) = i.datagrams.pop_front() {
            tx.send(&TxMeta::default(), &d.bytes, &[]);
            let v6 = d.bytes.first().is_some_and(|b| b >> 4 == 6);
            let len = d.bytes.len();
            i.recycle(d.bytes);
            net.sh.count_out(v6, len);
            if let Some(x) = net.sh.udp.socks.of(d.owner.0, d.owner.1) {
                let was = x.is_writable();
                x.sending -= len;
                let socket = x.socket;
                if !was {
                    net.sh.mark(socket);
                }
            }
        }
        let Some(i) = net.sh.iface(iface) else {
            return Progress::Idle;
        };
        let Some(key) = i.queue.pop_front() else {
            continue;
        };
        if tx.room() == 0 {
            i.queue.push_front(key);
            continue;
        }
        let more = if key.v6 {
            serve(&mut net.v6, &mut net.sh, now, key, tx)
        } else {
            serve(&mut net.v4, &mut net.sh, now, key, tx)
        };
        if more && let Some(i) = net.sh.iface(iface) {
            i.queue.push_back(key);
        }
    }
}

/// Sends for one record; true if it has more.
fn serve<F: Side, T: TxSink>(
    half: &mut Half<F>,
    sh: &mut Shared,
    now: Instant,
    key: Key,
    tx: &mut T,
) -> bool {
    let slot = key.slot;
    let head = match key.kind {
        Kind::Connection if half.conns.generation(slot) == key.generation => {
            return connection(half, sh, now, slot, tx);
        }
        Kind::Request if half.reqs.generation(slot) == key.generation => {
            send_syn_ack(half, sh, now, slot)
        }
        Kind::TimeWait if half.tws.generation(slot) == key.generation => {
            timewait::send_ack(half, sh, now, slot)
        }
        _ => None,
    };
    if let Some(mut h) = head {
        sh.count_out(F::V6, h.bytes().len());
        let csum = h.seal(&[], tx.caps().csum);
        tx.send(
            &TxMeta {
                csum,
                gso_size: 0,
                flow: h.flow,
            },
            h.bytes(),
            &[],
        );
    }
    false
}

fn connection<F: Side, T: TxSink>(
    half: &mut Half<F>,
    sh: &mut Shared,
    now: Instant,
    slot: u32,
    tx: &mut T,
) -> bool {
    let caps = tx.caps();
    for _ in 0..BURST {
        let Some(c) = half.conns.get_mut(slot) else {
            return false;
        };
        if tx.room() == 0 {
            // What left may have armed a timer.
            touch(half, sh, slot);
            return true;
        }
        if !segment(c, slot, sh, now, caps, tx) {
            // Sending may have armed a timer. TX_QUEUED still stands: it does not join the list again.
            touch(half, sh, slot);
            if let Some(c) = half.conns.get_mut(slot) {
                c.tcb.flags &= !Tcb::TX_QUEUED;
            }
            return false;
        }
    }
    touch(half, sh, slot);
    true
}

/// Sends the next segment of a connection; false if there is none.
fn segment<F: Side, T: TxSink>(
    c: &mut Connection<F>,
    slot: u32,
    sh: &mut Shared,
    now: Instant,
    caps: TxCaps,
    tx: &mut T,
) -> bool {
    let room = (caps.max_gso.min(65535) as usize).saturating_sub(F::HEADER + 60);
    let tcb = &mut c.tcb;
    // A signature is of one segment: no device can cut a super-frame that is signed.
    let room = if tcb.md5 { 0 } else { room };
    let watched = sh.wants(HookMask::RETRANSMITS.with(HookMask::SOCK_OPS));
    let before = sh.mib.get(Counter::TcpRetransSegs);
    let out = {
        let mut cx = Ctx {
            now,
            mib: &mut sh.mib,
            drops: &mut sh.drops,
            sysctls: &sh.sysctls,
            pool: &mut sh.pool,
        };
        tcb.poll_output(&mut cx, room)
    };
    let Some(o) = out else { return false };
    if watched && sh.mib.get(Counter::TcpRetransSegs) != before {
        let state = tcb.state;
        let mapped = tcb.has(Tcb::MAPPED);
        let segs = o.len.div_ceil(usize::from(tcb.mss.max(1))).max(1) as u32;
        sh.sock_op(c, SockOp::Retrans, [o.seq.0, segs, 0]);
        if state == TcpState::SynSent {
            // The timeout is asked for again (docs/linux/sock-ops.md).
            sh.sock_op_timeout(c);
        }
        sh.tell_retransmit(|| {
            let (local, remote) = tuple_ends(&c.tuple, mapped);
            Retransmit {
                local,
                remote,
                state,
                seq: o.seq.0,
                len: o.len as u32,
            }
        });
    }
    let key = sh.md5_key_of(slot, c);
    let Connection { tcb, tuple } = c;
    let header = tcp::Header {
        src_port: tuple.lport,
        dst_port: tuple.rport,
        seq: o.seq.0,
        ack: o.ack.0,
        flags: o.flags,
        ae: false,
        window: o.window,
        urgent: o.urgent,
        options: o.options,
    };
    let conf = sh.sockets.get(tcb.owner).and_then(|s| s.conf.as_deref());
    let (tos, ttl) = conf.map_or((0, 0), |c| (c.tos, c.ttl));
    let ends = Ends {
        src: tuple.laddr,
        dst: tuple.raddr,
        tos: tos | if o.ect { ECT_0 } else { 0 },
        ttl,
    };
    let mut head = tcp_output::head::<F>(sh, &ends, &header, o.len);
    let mut slices: [&[u8]; MAX_SLICES] = [&[]; MAX_SLICES];
    let n = tcb.payload(o.offset, o.len, &mut slices);
    let body = &slices[..n];
    if let Some(key) = key {
        head.sign::<F>(&key, &ends, body);
    }
    let csum = head.seal(body, caps.csum);
    sh.count_out(F::V6, head.bytes().len() + o.len);
    let device = sh.device_of(tcb.owner);
    if device == Some(IfaceId::LO) && sh.routing.is_lost_on_lo(F::to_ip(tuple.raddr)) {
        return true;
    }
    tx.send(
        &TxMeta {
            csum,
            gso_size: o.gso_size,
            flow: head.flow,
        },
        head.bytes(),
        body,
    );
    true
}

/// The loopback device: takes super-frames, leaves checksums alone.
struct LoSink<'a> {
    queue: &'a mut alloc::collections::VecDeque<Vec<u8>>,
    spare: &'a mut Vec<Vec<u8>>,
}
impl TxSink for LoSink<'_> {
    fn caps(&self) -> TxCaps {
        TxCaps {
            csum: true,
            max_gso: 65535,
        }
    }
    fn room(&self) -> usize {
        LO_BUDGET.saturating_sub(self.queue.len())
    }
    fn send(&mut self, _: &TxMeta, head: &[u8], body: &[&[u8]]) {
        let mut b = self.spare.pop().unwrap_or_default();
        b.clear();
        b.extend_from_slice(head);
        body.iter().for_each(|p| b.extend_from_slice(p));
        self.queue.push_back(b);
    }
}

/// Runs `lo` once: what waits to leave by it arrives. True if more waits.
pub(crate) fn poll_lo(net: &mut Net, now: Instant) -> bool {
    // Asked after every call, and nearly always idle.
    if net.sh.ifaces.first().is_none_or(Iface::is_idle) {
        return false;
    }
    let mut queue = core::mem::take(&mut net.sh.lo);
    let mut spare = net
        .sh
        .iface(IfaceId::LO)
        .map(|i| core::mem::take(&mut i.spare))
        .unwrap_or_default();
    poll(
        net,
        now,
        IfaceId::LO,
        &mut LoSink {
            queue: &mut queue,
            spare: &mut spare,
        },
    );
    let meta = RxMeta {
        csum: RxCsum::Partial,
        gso_size: 0,
    };
    let watched = net.sh.begin_frames();
    while let Some(b) = queue.pop_front() {
        let frame = RxFrame {
            meta,
            head: &b,
            body: &[],
        };
        ip::input::input_lo(net, now, &frame);
        if watched {
            net.sh.show_frame(now, IfaceId::LO, &frame);
        }
        spare.push(b);
    }
    net.sh.lo = queue;
    let Some(i) = net.sh.iface(IfaceId::LO) else {
        return false;
    };
    spare.truncate(LO_BUDGET);
    i.spare.append(&mut spare);
    !i.replies.is_empty() || !i.queue.is_empty() || !i.datagrams.is_empty()
}

/// Runs what is due.
pub(crate) fn timeout(net: &mut Net, now: Instant) {
    while let Some(key) = net.sh.timers.pop_due(now) {
        if key.kind == Kind::Neighbours {
            link::timeout(net, now, IfaceId(key.slot as u16));
        } else if key.v6 {
            fire(&mut net.v6, &mut net.sh, now, key);
        } else {
            fire(&mut net.v4, &mut net.sh, now, key);
        }
    }
}

fn fire<F: Side>(half: &mut Half<F>, sh: &mut Shared, now: Instant, key: Key) {
    match key.kind {
        Kind::Connection => {
            let Some(c) = half.conns.of(key.slot, key.generation) else {
                return;
            };
            c.tcb.timer_queued = Instant::FAR;
            if c.tcb.timer_at > now {
                return touch(half, sh, key.slot);
            }
            let before = sh.mib.get(Counter::TcpTimeouts);
            let armed = (c.tcb.retries(), c.tcb.timeout());
            let fx = c.tcb.on_timer(&mut sh.ctx(now));
            if sh.mib.get(Counter::TcpTimeouts) != before {
                sh.sock_op_rto(c, armed, fx.has(Effects::CLOSED));
            }
            after(half, sh, now, key.slot, fx, None);
        }
        Kind::Request => match half.reqs.of(key.slot, key.generation).map(|r| r.deadline) {
            Some(at) if at > now => sh.timers.set(at, key),
            Some(_) => crate::listen::syn_ack_timer(half, sh, now, key.slot),
            None => {}
        },
        Kind::TimeWait => match half.tws.of(key.slot, key.generation).map(|w| w.deadline) {
            Some(at) if at > now => sh.timers.set(at, key),
            Some(_) => timewait::expire(half, sh, key.slot),
            None => {}
        },
        Kind::Neighbours => {}
    }
}
