//! TIME_WAIT, and FIN_WAIT2 that nobody holds (Linux `tcp_time_wait`, `tcp_timewait_state_process`).

use core::time::Duration;
use hearken_abi::{Counter, DropReason, TcpState};
use hearken_tcp::tcb::{NONE, Tcb};
use hearken_tcp::{Instant, TimeWaitSock};
use hearken_wire::{Flags, Options, tcp};

use crate::family::Side;
use crate::hash::established::{Entry, Half};
use crate::hooks::StateChange;
use crate::shared::Shared;
use crate::tcp_input::{
    Packet, free_orphan, listener_for, reset_stray, tell_state, to_listener, tuple_ends,
};
use crate::tcp_output::{self, Ends, Head};
use crate::timers::{Key, Kind};

/// Linux's TCP_TIMEWAIT_LEN.
const TIMEWAIT_LEN: Duration = Duration::from_secs(60);

fn key<F: Side>(slot: u32, generation: u32) -> Key {
    Key {
        kind: Kind::TimeWait,
        v6: F::V6,
        slot,
        generation,
    }
}

fn state<F: Side>(w: &TimeWaitSock<F>) -> TcpState {
    if w.flags & TimeWaitSock::<F>::FIN_WAIT2 != 0 {
        TcpState::FinWait2
    } else {
        TcpState::TimeWait
    }
}

fn tell<F: Side>(sh: &mut Shared, w: &TimeWaitSock<F>, old: TcpState, new: TcpState) {
    sh.tell_state(|| {
        let (local, remote) = tuple_ends(&w.tuple, false);
        StateChange {
            local,
            remote: Some(remote),
            old,
            new,
        }
    });
}

/// A TIME_WAIT sock takes the place of connection `slot`, which goes to CLOSE.
pub(crate) fn enter<F: Side>(
    half: &mut Half<F>,
    sh: &mut Shared,
    now: Instant,
    slot: u32,
    fin_wait2: bool,
) {
    let Some(c) = half.conns.get_mut(slot) else {
        return;
    };
    let md5 = sh.md5_key_of(slot, c);
    let t = &mut c.tcb;
    let ack = t.has(Tcb::ACK_NOW);
    let fin_timeout = t.fin_wait2_time(&sh.ctx(now)).unwrap_or_default();
    let mut flags = 0;
    if t.has(Tcb::TSTAMP_OK) {
        flags |= TimeWaitSock::<F>::TSTAMP_OK;
    }
    if t.has(Tcb::MAPPED) {
        flags |= TimeWaitSock::<F>::MAPPED;
    }
    if fin_wait2 {
        flags |= TimeWaitSock::<F>::FIN_WAIT2;
    }
    if md5.is_some() {
        flags |= TimeWaitSock::<F>::SIGNED;
    }
    let deadline = now + if fin_wait2 { fin_timeout } else { TIMEWAIT_LEN };
    let tuple = c.tuple;
    let tw = TimeWaitSock {
        deadline,
        tuple,
        snd_nxt: t.snd.nxt,
        rcv_nxt: t.rcv.nxt,
        rcv_wnd: t.rcv_window(),
        ts_recent: t.ts_recent,
        ts_recent_ms: t.ts_recent_ms,
        ts_off: t.ts_off,
        last_oow_ms: 0,
        bind: core::mem::replace(&mut t.bind, NONE),
        iface: t.iface,
        rcv_wscale: t.rcv_wscale(),
        flags,
    };
    t.retire(&mut sh.ctx(now));
    t.flags |= Tcb::UNHASHED;
    let waits = if fin_wait2 {
        TcpState::FinWait2
    } else {
        TcpState::TimeWait
    };
    tell_state(c, sh, Some(waits));
    // What becomes of the sock is told below; the connection itself has no more to tell.
    c.tcb.told = TcpState::Close;
    let full = half.tws.len() as u64 >= u64::from(sh.sysctls.tcp_max_tw_buckets);
    if full {
        sh.mib.inc(Counter::TcpTimeWaitOverflow);
        sh.binds.release(tw.bind);
        half.unhash(&sh.secrets, &tuple, Entry::Connection(slot));
        tell(sh, &tw, waits, TcpState::Close);
    } else {
        let bind = sh
            .binds
            .change(tw.bind, |h| (h.time_wait, h.listening) = (true, false));
        let w = half.tws.insert(TimeWaitSock { bind, ..tw });
        sh.mib.inc(Counter::Tw);
        if md5.is_some() {
            sh.md5_time_wait::<F>(w, md5);
        }
        half.replace(
            &sh.secrets,
            &tuple,
            Entry::Connection(slot),
            Entry::TimeWait(w),
        );
        sh.timers.set(deadline, key::<F>(w, half.tws.generation(w)));
        if ack {
            owe_ack(half, sh, w);
        }
    }
    free_orphan(half, sh, slot);
}

fn owe_ack<F: Side>(half: &mut Half<F>, sh: &mut Shared, slot: u32) {
    let generation = half.tws.generation(slot);
    let Some(w) = half.tws.get_mut(slot) else {
        return;
    };
    if w.flags & TimeWaitSock::<F>::TX_QUEUED == 0 {
        w.flags |= TimeWaitSock::<F>::TX_QUEUED;
        sh.enqueue(w.iface, key::<F>(slot, generation));
    }
}

/// The ACK of a TIME_WAIT sock.
pub(crate) fn send_ack<F: Side>(
    half: &mut Half<F>,
    sh: &mut Shared,
    now: Instant,
    slot: u32,
) -> Option<Head> {
    let w = half.tws.get_mut(slot)?;
    w.flags &= !TimeWaitSock::<F>::TX_QUEUED;
    let tstamp = w.flags & TimeWaitSock::<F>::TSTAMP_OK != 0;
    let key = if w.flags & TimeWaitSock::<F>::SIGNED != 0 {
        sh.md5_key_of_time_wait::<F>(slot)
    } else {
        None
    };
    let header = tcp::Header {
        src_port: w.tuple.lport,
        dst_port: w.tuple.rport,
        seq: w.snd_nxt.0,
        ack: w.rcv_nxt.0,
        flags: Flags::ACK,
        ae: false,
        window: (w.rcv_wnd >> w.rcv_wscale).min(65535) as u16,
        urgent: 0,
        options: Options {
            timestamps: tstamp.then(|| (now.millis32().wrapping_add(w.ts_off), w.ts_recent)),
            md5: key.is_some(),
            ..Options::NONE
        },
    };
    let ends = Ends {
        src: w.tuple.laddr,
        dst: w.tuple.raddr,
        tos: 0,
        ttl: 0,
    };
    sh.mib.inc(Counter::TcpOutSegs);
    let mut head = tcp_output::head::<F>(sh, &ends, &header, 0);
    if let Some(key) = key {
        head.sign::<F>(&key, &ends, &[]);
    }
    Some(head)
}

/// Removes a TIME_WAIT sock; its port is free again.
pub(crate) fn remove<F: Side>(half: &mut Half<F>, sh: &mut Shared, slot: u32) {
    let Some(w) = half.tws.get(slot).copied() else {
        return;
    };
    sh.timers
        .cancel(w.deadline, key::<F>(slot, half.tws.generation(slot)));
    half.unhash(&sh.secrets, &w.tuple, Entry::TimeWait(slot));
    tell(sh, &w, state(&w), TcpState::Close);
    sh.binds.release(w.bind);
    if w.flags & TimeWaitSock::<F>::SIGNED != 0 {
        sh.md5_time_wait::<F>(slot, None);
    }
    half.tws.remove(slot);
}

/// Its time is up.
pub(crate) fn expire<F: Side>(half: &mut Half<F>, sh: &mut Shared, slot: u32) {
    remove(half, sh, slot);
}

/// A segment for a TIME_WAIT sock (RFC 9293 3.10.7.4, RFC 6191).
pub(crate) fn input<F: Side>(
    half: &mut Half<F>,
    sh: &mut Shared,
    now: Instant,
    slot: u32,
    p: &Packet<'_, F>,
) {
    let Some(w) = half.tws.get_mut(slot) else {
        return;
    };
    let f = p.header.flags;
    let (syn, ack, rst, fin) = (
        f.contains(Flags::SYN),
        f.contains(Flags::ACK),
        f.contains(Flags::RST),
        f.contains(Flags::FIN),
    );
    let tstamp = p
        .header
        .options
        .timestamps
        .filter(|_| w.flags & TimeWaitSock::<F>::TSTAMP_OK != 0);
    let older = tstamp.is_some_and(|(v, _)| (v.wrapping_sub(w.ts_recent) as i32) < 0);
    let paws = older && !rst;
    let in_window = {
        let (seq, end, right) = (p.seg.seq, p.seg.end(), w.rcv_nxt + w.rcv_wnd);
        seq == w.rcv_nxt || end.after(w.rcv_nxt) && seq.before(right) || seq == right && seq == end
    };
    if w.flags & TimeWaitSock::<F>::FIN_WAIT2 != 0 {
        if paws || !in_window {
            return answer_old(half, sh, now, slot, rst);
        }
        if rst {
            sh.drop_packet(DropReason::TcpReset);
            return remove(half, sh, slot);
        }
        let end = p.seg.end();
        let moves = ack && p.seg.seq != end && end.after(w.rcv_nxt);
        if syn && !p.seg.seq.before(w.rcv_nxt) || moves && (!fin || end != w.rcv_nxt + 1) {
            // Nobody is there to read data.
            remove(half, sh, slot);
            return reset_stray(sh, p);
        }
        if !moves {
            return;
        }
        w.flags &= !TimeWaitSock::<F>::FIN_WAIT2;
        tell(sh, w, TcpState::FinWait2, TcpState::TimeWait);
        w.rcv_nxt = end;
        if let Some((val, _)) = tstamp {
            (w.ts_recent, w.ts_recent_ms) = (val, now.millis32());
        }
        restart(half, sh, now, slot);
        return owe_ack(half, sh, slot);
    }
    if !paws && p.seg.seq == w.rcv_nxt && (p.seg.seq == p.seg.end() || rst) {
        if rst {
            // RFC 1337 protection is off by default.
            sh.drop_packet(DropReason::TcpReset);
            return remove(half, sh, slot);
        }
        if let Some((val, _)) = tstamp {
            (w.ts_recent, w.ts_recent_ms) = (val, now.millis32());
        }
        return restart(half, sh, now, slot);
    }
    let newer_ts = tstamp.is_some_and(|(v, _)| (v.wrapping_sub(w.ts_recent) as i32) > 0);
    if syn && !rst && !ack && !paws && (p.seg.seq.after(w.rcv_nxt) || newer_ts) {
        // A new life of the same four-tuple; its ISN lies beyond all that was sent (docs/linux 76).
        let isn = w.snd_nxt + 65537;
        if listener_for(sh, p).is_none() {
            // tcp_v4_rcv (6.18): nobody to begin it, so the old one speaks, as often as it is asked.
            return owe_ack(half, sh, slot);
        }
        remove(half, sh, slot);
        return to_listener(half, sh, now, p, Some(isn));
    }
    if paws {
        sh.mib.inc(Counter::PawsTimewait);
    }
    if !rst && (paws || ack) {
        restart(half, sh, now, slot);
    }
    answer_old(half, sh, now, slot, rst);
}

/// Lets the sock live for another TIMEWAIT_LEN.
fn restart<F: Side>(half: &mut Half<F>, sh: &mut Shared, now: Instant, slot: u32) {
    let key = key::<F>(slot, half.tws.generation(slot));
    if let Some(w) = half.tws.get_mut(slot) {
        sh.timers.cancel(w.deadline, key);
        w.deadline = now + TIMEWAIT_LEN;
        sh.timers.set(w.deadline, key);
    }
}

/// An ACK for an old segment, at most one in tcp_invalid_ratelimit.
fn answer_old<F: Side>(half: &mut Half<F>, sh: &mut Shared, now: Instant, slot: u32, rst: bool) {
    sh.drop_packet(DropReason::TcpOldSequence);
    let limit = sh.sysctls.tcp_invalid_ratelimit;
    let Some(w) = half.tws.get_mut(slot).filter(|_| !rst) else {
        return;
    };
    let ms = now.millis32().max(1);
    if w.last_oow_ms != 0 && ms.wrapping_sub(w.last_oow_ms) < limit {
        sh.mib.inc(if w.flags & TimeWaitSock::<F>::FIN_WAIT2 != 0 {
            Counter::TcpAckSkippedFinWait2
        } else {
            Counter::TcpAckSkippedTimeWait
        });
        return;
    }
    w.last_oow_ms = ms;
    owe_ack(half, sh, slot);
}
