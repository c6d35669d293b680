//! Payload and FIN of a segment (RFC 9293 3.10.7.4, seventh and eighth check; Linux `tcp_data_queue`, 6.18;
//! docs/linux/receive-window.md).

use super::acks::MAX_QUICK;
use super::receive::Rx;
use super::{Ctx, Effects, Segment, SoError, Tcb};
use crate::seq::Seq;
use hearken_abi::{Counter, DropReason, TcpState};
use hearken_wire::Flags;

impl Tcb {
    /// RFC 9293 3.10.7.4, seventh and eighth check: payload and FIN.
    pub(super) fn input_text(&mut self, cx: &mut Ctx<'_>, seg: &Segment<'_>) -> Effects {
        let fin = seg.flags.contains(Flags::FIN);
        let open = matches!(
            self.state,
            TcpState::Established | TcpState::FinWait1 | TcpState::FinWait2
        );
        if open {
            self.ecn_accept_cwr(seg);
        }
        let urgent = self.take_urgent(cx, seg);
        if seg.len == 0 && !fin {
            return urgent;
        }
        if !open {
            // The peer's FIN came already: nothing may follow it. What lies before it is an echo of what we have, and is
            // acknowledged once more (Linux `tcp_rcv_state_process`).
            let data_end = seg.seq + seg.len;
            if seg.seq.before(self.rcv.nxt) && data_end.after(self.rcv.nxt) {
                return self.refuse_data(cx);
            }
            cx.drops.record(DropReason::TcpOldData);
            if seg.seq.before(self.rcv.nxt) {
                self.ecn_accept_cwr(seg);
                self.note_duplicate(cx, seg.seq, seg.end());
                self.flags |= Self::ACK_NOW;
            }
            return Effects::NONE;
        }
        // Data after SHUT_RDWR or close is answered by a reset (RFC 1122 4.2.2.13; Linux `tcp_rcv_state_process`).
        if seg.len > 0
            && self.has(Self::RCV_SHUT)
            && self.state != TcpState::Established
            && (seg.seq + seg.len).after(self.rcv.nxt)
        {
            return self.refuse_data(cx);
        }
        let mut fx = urgent;
        let data_end = seg.seq + seg.len;
        if seg.len > 0 {
            fx |= self.take_data(cx, seg, data_end);
        }
        let right = self.rcv.nxt + self.rcv_window();
        if fin && data_end.after(self.rcv.nxt) {
            self.schedule_ack(cx);
            if data_end.at_or_before(right) {
                self.take_early_fin(cx, seg, data_end);
            }
        }
        let early = self.xfer.as_ref().and_then(|x| x.fin) == Some(self.rcv.nxt);
        if early || fin && data_end == self.rcv.nxt {
            fx |= self.take_fin(cx, seg);
        }
        self.ack_snd_check(cx);
        fx
    }

    /// Data where none may come any more: the connection ends by a reset.
    fn refuse_data(&mut self, cx: &mut Ctx<'_>) -> Effects {
        cx.mib.inc(Counter::TcpAbortOnData);
        cx.drops.record(DropReason::TcpAbortOnData);
        self.done(cx, Some(SoError::Reset)) | Effects::RESET_PEER
    }

    /// Payload (Linux `tcp_data_queue`, 6.18).
    fn take_data(&mut self, cx: &mut Ctx<'_>, seg: &Segment<'_>, data_end: Seq) -> Effects {
        if data_end.at_or_before(self.rcv.nxt) {
            cx.drops.record(DropReason::TcpOldData);
            cx.mib.inc(Counter::DelayedAckLost);
            self.set_dsack(cx, seg.seq, data_end);
            return self.out_of_window(cx);
        }
        let window = self.rcv_window();
        if seg.seq.at_or_after(self.rcv.nxt + window) && seg.seq != self.rcv.nxt {
            cx.drops.record(DropReason::TcpOverwindow);
            return self.out_of_window(cx);
        }
        if seg.seq.before(self.rcv.nxt) {
            self.set_dsack(cx, seg.seq, self.rcv.nxt);
        }
        if seg.seq.at_or_before(self.rcv.nxt) && window == 0 {
            cx.drops.record(DropReason::TcpZerowindow);
            cx.mib.inc(Counter::TcpZeroWindowDrop);
            return self.out_of_window(cx);
        }
        if seg.seq.after(self.rcv.nxt) {
            self.take_ahead(cx, seg);
            return Effects::NONE;
        }
        let nxt = self.rcv.nxt;
        // What comes as foreseen, and finds memory set aside, is not asked for room.
        if !self.is_fast(seg) && !self.make_room(cx, 0) {
            let x = self.xfer(cx);
            x.rx.pending |= Rx::NOMEM | Rx::NOW | Rx::SCHED;
            if x.recv.ready() > 0 {
                cx.mib.inc(Counter::TcpRcvQDrop);
                cx.drops.record(DropReason::ProtoMem);
                return Effects::READ;
            }
        }
        let skip = nxt.distance(seg.seq);
        let mut pieces: [&[u8]; 24] = [&[]; 24];
        let take = (seg.len - skip) as usize;
        let n = clip(seg.data, skip as usize, take, &mut pieces);
        let echo = seg
            .options
            .timestamps
            .filter(|_| seg.len >= u32::from(self.rcv_mss))
            .map(|(_, ecr)| (ecr, self.echoed_rtt_or_zero(cx, seg)));
        let all_read = self.readable() == 0;
        let x = self.xfer(cx);
        if let Some((ecr, sample)) = echo {
            x.rx.rtt_by_echo(ecr, sample, all_read);
        }
        let had_holes = x.recv.has_holes();
        let stored = x
            .recv
            .insert(cx.pool, 0, &pieces[..n], (seg.charge, skip > 0));
        let filled = had_holes && !x.recv.has_holes();
        cx.mib
            .add(Counter::TcpRcvCoalesce, u64::from(stored.joined));
        self.rcv.nxt += stored.grown;
        self.note_data(cx, seg, take as u32);
        if let Some((a, b)) = stored.duplicate {
            self.extend_dsack(cx, at(nxt, a), at(nxt, b));
        }
        let nxt = self.rcv.nxt;
        let x = self.xfer(cx);
        if filled {
            // RFC 5681 4.2: a filled hole at once.
            x.rx.pending |= Rx::NOW;
        }
        if x.recv.has_holes() {
            x.recent.trim(nxt);
        } else {
            x.recent.clear();
        }
        Effects::READ
    }

    /// Nothing of it is taken: an ACK tells where we stand.
    fn out_of_window(&mut self, cx: &Ctx<'_>) -> Effects {
        self.enter_quick(cx, MAX_QUICK);
        self.schedule_ack(cx);
        Effects::NONE
    }

    /// Data beyond a hole (Linux `tcp_data_queue_ofo`, 6.18).
    fn take_ahead(&mut self, cx: &mut Ctx<'_>, seg: &Segment<'_>) {
        if self.ecn_check(seg) {
            self.enter_quick(cx, 2);
        }
        if !self.make_room(cx, seg.seq.distance(self.rcv.nxt)) {
            cx.drops.record(DropReason::TcpOfoDrop);
            cx.mib.inc(Counter::TcpOfoDrop);
            return;
        }
        self.measure(cx, seg, seg.len);
        self.schedule_ack(cx);
        cx.mib.inc(Counter::TcpOfoQueue);
        let (nxt, sack) = (self.rcv.nxt, self.has(Self::SACK_OK));
        let distance = seg.seq.distance(nxt);
        let owned = self.owner != super::NONE;
        let x = self.xfer(cx);
        x.rx.ooopack += match seg.gso_size {
            0 => 1,
            n => seg.len.div_ceil(u32::from(n)),
        };
        let stored = x
            .recv
            .insert(cx.pool, distance, seg.data, (seg.charge, false));
        x.recent.grew(seg.seq, seg.end());
        cx.mib
            .add(Counter::TcpRcvCoalesce, u64::from(stored.joined));
        cx.mib.add(Counter::TcpOfoMerge, u64::from(stored.merged));
        if let Some((a, b)) = stored.duplicate {
            let (a, b) = (at(nxt, a), at(nxt, b));
            if stored.held {
                self.set_dsack(cx, a, b);
            } else {
                self.extend_dsack(cx, a, b);
            }
        }
        if stored.held {
            cx.drops.record(DropReason::TcpOfomerge);
        } else if sack {
            self.grow_window(cx, seg, seg.len, stored.joined > 0);
        }
        if owned && !stored.held && stored.joined == 0 {
            let space = self.xfer(cx).rx.space;
            self.grow_rcvbuf(cx, space);
        }
    }

    /// A FIN beyond a hole: it counts once that is filled, and SACK shows it meanwhile.
    fn take_early_fin(&mut self, cx: &mut Ctx<'_>, seg: &Segment<'_>, at: Seq) {
        let nxt = self.rcv.nxt;
        self.xfer(cx).fin = Some(at);
        if seg.len > 0 {
            return;
        }
        self.measure(cx, seg, 0);
        cx.mib.inc(Counter::TcpOfoQueue);
        let x = self.xfer(cx);
        x.rx.ooopack += 1;
        let distance = at.distance(nxt);
        let stored = x.recv.insert(cx.pool, distance, &[], (seg.charge, false));
        x.recent.grew(at, at + 1);
        cx.mib
            .add(Counter::TcpRcvCoalesce, u64::from(stored.joined));
    }

    /// Adds to what the next ACK reports as come twice (`tcp_dsack_extend`).
    fn extend_dsack(&mut self, cx: &mut Ctx<'_>, from: Seq, to: Seq) {
        match self.xfer(cx).dsack {
            None => self.set_dsack(cx, from, to),
            Some((a, b)) if from.at_or_before(b) && a.at_or_before(to) => {
                self.xfer(cx).dsack = Some((a.min(from), b.max(to)));
            }
            Some(_) => {}
        }
    }

    /// The round trip of an echoed timestamp in microseconds; under a tick it is 0.
    fn echoed_rtt_or_zero(&self, cx: &Ctx<'_>, seg: &Segment<'_>) -> Option<u32> {
        let (_, ecr) = seg.options.timestamps?;
        let ms = self.timestamps(cx)?.0.wrapping_sub(ecr);
        (ms < i32::MAX as u32 / 1000).then(|| ms * 1000)
    }

    /// The peer's FIN, in order (Linux `tcp_fin`).
    pub(super) fn take_fin(&mut self, cx: &mut Ctx<'_>, seg: &Segment<'_>) -> Effects {
        if seg.len == 0 {
            let x = self.xfer(cx);
            let stored = x.recv.insert(cx.pool, 0, &[], (seg.charge, false));
            cx.mib
                .add(Counter::TcpRcvCoalesce, u64::from(stored.joined));
        }
        self.rcv.nxt += 1;
        // What lay beyond it is forgotten (tcp_fin, 6.18).
        self.xfer(cx).recent.clear();
        self.schedule_ack(cx);
        if self.state == TcpState::Established {
            // The ACK may ride on our own FIN (docs/linux/fin-ack-delay.md).
            self.enter_pingpong(cx);
        } else {
            self.flags |= Self::ACK_NOW;
        }
        self.flags |= Self::RCV_SHUT;
        match self.state {
            TcpState::Established | TcpState::SynRecv => {
                self.set_state(cx, TcpState::CloseWait);
                Effects::READ
            }
            // Simultaneous close: RFC 9293 3.6, case 3.
            TcpState::FinWait1 => {
                self.set_state(cx, TcpState::Closing);
                Effects::READ
            }
            _ => Effects::READ | Effects::TIME_WAIT,
        }
    }

    /// A segment that was here before: counted, and reported by D-SACK (RFC 2883).
    pub(super) fn note_duplicate(&mut self, cx: &mut Ctx<'_>, from: Seq, to: Seq) {
        if from != to && from.before(self.rcv.nxt) {
            cx.mib.inc(Counter::DelayedAckLost);
            self.enter_quick(cx, MAX_QUICK);
            let end = to.min(self.rcv.nxt);
            self.set_dsack(cx, from, end);
        }
    }

    /// The next ACK reports that this came twice (`tcp_dsack_set`).
    fn set_dsack(&mut self, cx: &mut Ctx<'_>, from: Seq, to: Seq) {
        if self.has(Self::SACK_OK) && cx.sysctls.tcp_dsack != 0 {
            cx.mib.inc(if from.before(self.rcv.nxt) {
                Counter::TcpDsackOldSent
            } else {
                Counter::TcpDsackOfoSent
            });
            self.xfer(cx).dsack = Some((from, to));
        }
    }
}

/// The sequence number `by` after `nxt`.
fn at(nxt: Seq, by: i64) -> Seq {
    nxt + by as u32
}

/// The bytes `skip..skip + take` of `data`, as slices.
fn clip<'a>(data: &[&'a [u8]], mut skip: usize, mut take: usize, out: &mut [&'a [u8]]) -> usize {
    let mut n = 0;
    for piece in data {
        let s = skip.min(piece.len());
        skip -= s;
        let rest = &piece[s..];
        let rest = &rest[..rest.len().min(take)];
        take -= rest.len();
        if let Some(slot) = out.get_mut(n).filter(|_| !rest.is_empty()) {
            *slot = rest;
            n += 1;
        }
    }
    n
}
