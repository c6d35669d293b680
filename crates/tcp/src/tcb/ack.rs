//! What an acknowledgment means: SND.UNA, SACK, loss recovery, congestion window (RFC 9293 3.10.7.4 fifth check,
//! RFC 5681, RFC 6675, RFC 6582). Linux's PRR, RACK and CUBIC are to take the place of `recovery` and `grow`.

use super::{CaState, Ctx, Effects, Segment, Tcb, Transfer, Undo};
use crate::Instant;
use crate::seq::Seq;
use alloc::boxed::Box;
use hearken_abi::{Counter, DropReason};
use hearken_wire::Flags;

/// SACKed ranges that are remembered; what a peer sends beyond is acknowledged but not noted.
const MAX_RANGES: usize = 1024;
/// RFC 5681 3.2: duplicates that mean loss.
const DUP_THRESH: u32 = 3;

impl Transfer {
    /// The stream offset of `s`, where `una` stands at `una64`.
    fn offset(&self, una: Seq, s: Seq) -> u64 {
        self.una64 + u64::from(s.distance(una))
    }
}

impl Tcb {
    /// Takes the acknowledgment of an acceptable segment. `None`: the segment is to be dropped.
    pub(super) fn input_ack(&mut self, cx: &mut Ctx<'_>, seg: &Segment<'_>) -> Option<Effects> {
        if seg.ack.after(self.snd.nxt) {
            // RFC 5961 5.2 (docs/linux/segments.md).
            cx.drops.record(DropReason::TcpAckUnsentData);
            self.challenge_ack(cx);
            return None;
        }
        if seg.ack.before(self.snd.una) {
            // RFC 5961 5.2: what is older than any window of data that was acknowledged was never ours to hear.
            let known = self
                .xfer
                .as_ref()
                .map_or(0, |x| x.una64.min(u64::from(x.max_window)) as u32);
            if seg.ack.before(self.snd.una - known) {
                cx.drops.record(DropReason::TcpTooOldAck);
                self.challenge_ack(cx);
                return None;
            }
            return Some(Effects::NONE);
        }
        let acked = seg.ack - self.snd.una;
        let flight_before = self.snd.nxt - self.snd.una;
        let window_moved = self.update_window(cx, seg);
        let Some(x) = &mut self.xfer else {
            return Some(Effects::NONE);
        };
        x.heard_at = cx.now;
        x.held = false;
        let mut fx = Effects::NONE;
        if acked > 0 {
            let echoed = self.echoed_rtt(cx, seg);
            fx |= self.advance_una(cx, seg.ack, acked, echoed);
        }
        let fresh_sack = self.take_sack(cx, seg);
        self.ecn_echo(cx, seg, acked);
        let pure = seg.len == 0 && !seg.flags.contains(Flags::FIN) && !window_moved;
        self.recovery(cx, acked, fresh_sack, pure && flight_before > 0);
        if acked > 0
            && self
                .xfer
                .as_ref()
                .is_some_and(|x| !matches!(x.ca, CaState::Recovery | CaState::Cwr))
        {
            self.grow(acked, flight_before);
        }
        self.find_lost_retransmission(cx);
        self.arm_reordering(cx.now);
        self.rearm_rto(cx, acked > 0);
        if acked > 0 {
            self.arm_probe(cx.now);
            self.rearm();
        }
        Some(fx)
    }

    /// RFC 9293 3.10.7.4: SND.WND follows the newest segment. Returns whether it changed.
    fn update_window(&mut self, cx: &Ctx<'_>, seg: &Segment<'_>) -> bool {
        if !self.may_update_window(seg) {
            return false;
        }
        let wnd = u32::from(seg.window) << self.snd_wscale();
        self.snd.wl1 = seg.seq;
        if wnd < self.snd.wnd {
            // The largest must be remembered from now on.
            self.xfer(cx);
        }
        if let Some(x) = &mut self.xfer {
            x.max_window = x.max_window.max(wnd);
        }
        core::mem::replace(&mut self.snd.wnd, wnd) != wnd
    }

    /// Whether what the segment says of the window is news.
    pub(super) fn may_update_window(&self, seg: &Segment<'_>) -> bool {
        let wnd = u32::from(seg.window) << self.snd_wscale();
        seg.ack.after(self.snd.una)
            || seg.seq.after(self.snd.wl1)
            // Linux 6.18: a window that shuts is believed, too.
            || seg.seq == self.snd.wl1 && (wnd > self.snd.wnd || wnd == 0)
    }

    /// The round trip that the peer's timestamp measures (RFC 7323 4), in microseconds: it holds for what was sent
    /// more than once, too (Linux `tcp_rtt_tsopt_us`).
    fn echoed_rtt(&self, cx: &Ctx<'_>, seg: &Segment<'_>) -> Option<u32> {
        let (_, ecr) = seg.options.timestamps.filter(|&(_, ecr)| ecr != 0)?;
        let now = self.timestamps(cx)?.0;
        let ms = now.wrapping_sub(ecr);
        (ms < i32::MAX as u32 / 1000).then(|| ms.max(1) * 1000)
    }

    /// Bytes up to `ack` have arrived.
    fn advance_una(
        &mut self,
        cx: &mut Ctx<'_>,
        ack: Seq,
        acked: u32,
        echoed: Option<u32>,
    ) -> Effects {
        let una = self.snd.una;
        self.snd.una = ack;
        let mut sample = None;
        let mut fin_acked = false;
        if let Some(x) = &mut self.xfer {
            let bytes = (acked as usize).min(x.send.len());
            fin_acked = acked as usize > bytes && self.flags & Self::FIN_SENT != 0;
            x.send.acked(cx.pool, bytes);
            let overtaken = x.sacked.first().is_some_and(|(a, _)| a > x.una64);
            if overtaken && x.high_rxt.at_or_before(una) {
                // A hole filled that was never sent again.
                x.saw_reordering(cx);
            }
            x.left = 0;
            x.una64 += u64::from(acked);
            x.sacked.trim_below(x.una64);
            if let Some((end, at)) = x.timed
                && end.at_or_before(ack)
            {
                sample = Some(cx.now.micros_since(at));
                x.timed = None;
            }
            x.high_rxt = x.high_rxt.max(ack);
            if x.lost_edge.before(ack) {
                x.lost_edge = ack;
            }
            if x.snd_sml.before(una) {
                x.snd_sml = ack;
            }
            x.retries = 0;
            (x.probed, x.probe_tail) = (false, false);
            if sample.is_none() && x.backoff > 0 {
                sample = echoed;
            }
            // Karn: the backoff goes on until a round trip is measured (RFC 6298 5.7; tcp_ack_update_rtt, 6.18).
            if sample.is_some() {
                x.backoff = 0;
            }
        }
        if let Some(us) = sample {
            self.sample_rtt(us);
        }
        self.not_stalled();
        if fin_acked {
            self.flags |= Self::FIN_ACKED;
        }
        Effects::WRITE
    }

    /// Notes SACK blocks (RFC 2018). Returns whether they told anything new.
    fn take_sack(&mut self, cx: &mut Ctx<'_>, seg: &Segment<'_>) -> bool {
        if !self.has(Self::SACK_OK) {
            return false;
        }
        let (una, nxt) = (self.snd.una, self.snd.nxt);
        let Some(x) = &mut self.xfer else {
            return false;
        };
        let (mut fresh, mut needless) = (0, None);
        for (from, to) in seg.options.sack.as_slice() {
            let (from, to) = (Seq(*from), Seq(*to));
            if !from.before(to) || to.after(nxt) || to.at_or_before(una) {
                if to.at_or_before(una) && from.before(to) {
                    cx.mib.inc(Counter::TcpDsackRecv);
                    needless = Some((from, to));
                } else {
                    cx.mib.inc(Counter::TcpSackDiscard);
                }
                continue;
            }
            if x.sacked.len() < MAX_RANGES {
                let (a, b) = (x.offset(una, from.max(una)), x.offset(una, to));
                let highest = x.sacked.iter().next_back().map_or(0, |r| r.1);
                let new = x.sacked.insert(a, b);
                if new > 0 && b < highest && a >= x.offset(una, x.high_rxt.max(una)) {
                    // It was overtaken, and never sent again.
                    x.saw_reordering(cx);
                }
                fresh += new;
            }
        }
        if let Some((from, to)) = needless {
            self.needless(cx, from, to - from);
        }
        if fresh > 0 {
            self.update_lost_edge();
        }
        fresh > 0
    }

    /// RFC 6675 IsLost, as long as the path keeps its order (RFC 8985 6.2 step 4): what lies below more than two segments of SACKed bytes is lost.
    fn update_lost_edge(&mut self) {
        let (una, mss) = (self.snd.una, u64::from(self.mss));
        let Some(x) = &mut self.xfer else { return };
        if x.ca == CaState::Loss || x.reordered {
            return;
        }
        let mut above = 0;
        for (a, b) in x.sacked.iter().rev() {
            above += b - a;
            if above > u64::from(DUP_THRESH - 1) * mss {
                let edge = una + (a - x.una64) as u32;
                x.lost_edge = x.lost_edge.max(edge);
                return;
            }
        }
    }

    /// Enters, continues and leaves recovery.
    pub(super) fn recovery(
        &mut self,
        cx: &mut Ctx<'_>,
        acked: u32,
        fresh_sack: bool,
        maybe_dup: bool,
    ) {
        let (una, nxt) = (self.snd.una, self.snd.nxt);
        // Where the first lost segment ends; less than a segment may be out.
        let first = (una + self.send_mss()).min(nxt);
        let sack_ok = self.has(Self::SACK_OK);
        let Some(x) = &mut self.xfer else { return };
        if acked > 0 {
            x.dupacks = 0;
            // CWR goes on until something behind it is acknowledged (tcp_fastretrans_alert, 6.18).
            let over = if x.ca == CaState::Cwr {
                una.after(x.recover)
            } else {
                una.at_or_after(x.recover)
            };
            if x.ca != CaState::Open && over {
                x.ca = CaState::Open;
                self.cwnd = self.cwnd.min(self.ssthresh).max(2);
            } else if x.ca == CaState::Recovery && !sack_ok {
                // RFC 6582 3.2 step 3: a partial ACK names the next hole.
                x.high_rxt = una;
                x.lost_edge = first;
            }
        } else if maybe_dup && (fresh_sack || !sack_ok && una != nxt) {
            x.dupacks = x.dupacks.saturating_add(1);
            if !sack_ok && x.ca.is_calm() && x.dupacks >= DUP_THRESH {
                x.lost_edge = first;
            }
        }
        if x.ca.is_calm() && x.lost_edge.after(una) && una != nxt {
            let reduced = x.ca == CaState::Cwr;
            x.ca = CaState::Recovery;
            x.recover = nxt;
            x.high_rxt = una;
            x.timed = None;
            if !reduced {
                x.undo = Some(Box::new(Undo {
                    cwnd: self.cwnd,
                    ssthresh: self.ssthresh,
                    from: una,
                    retrans: 0,
                }));
                self.ssthresh = (self.cwnd / 2).max(2);
                self.cwnd = self.ssthresh;
                self.ecn_reduced();
            }
            cx.mib.inc(if sack_ok {
                Counter::TcpSackRecovery
            } else {
                Counter::TcpRenoRecovery
            });
        }
    }

    /// Slow start and congestion avoidance (RFC 5681 3.1), only while the window is what holds us back.
    fn grow(&mut self, acked: u32, flight_before: u32) {
        let mss = u32::from(self.mss.max(1));
        let used = flight_before.div_ceil(mss);
        let segments = acked.div_ceil(mss);
        if self.cwnd < self.ssthresh {
            if used * 2 >= self.cwnd {
                self.cwnd = (self.cwnd + segments).min(1 << 20);
            }
            return;
        }
        if used < self.cwnd {
            return;
        }
        let cwnd = self.cwnd;
        if let Some(x) = &mut self.xfer {
            x.cwnd_cnt += segments;
            if x.cwnd_cnt >= cwnd {
                x.cwnd_cnt -= cwnd;
                self.cwnd = (cwnd + 1).min(1 << 20);
            }
        }
    }

    /// Bytes believed to be in the network (RFC 6675 SetPipe).
    pub(super) fn pipe(&self) -> u32 {
        let out = self.snd.nxt - self.snd.una;
        let Some(x) = &self.xfer else { return out };
        if x.ca.is_calm() && x.sacked.is_empty() {
            return out;
        }
        let from = x.offset(self.snd.una, x.high_rxt.max(self.snd.una));
        let edge = x.offset(self.snd.una, x.lost_edge);
        let mut lost = edge.saturating_sub(from);
        for (a, b) in x.sacked.iter() {
            if a >= edge {
                break;
            }
            lost = lost.saturating_sub(b.min(edge).saturating_sub(a.max(from)));
        }
        let sacked = x.sacked.total()
            + u64::from(x.dupacks) * u64::from(self.mss) * u64::from(!self.has(Self::SACK_OK));
        u64::from(out).saturating_sub(sacked).saturating_sub(lost) as u32
    }

    /// The next hole to be sent again, at most `most` bytes of it (RFC 6675 NextSeg rule 1).
    pub(super) fn next_hole(&self, most: u32) -> Option<(Seq, u32)> {
        let x = self.xfer.as_ref()?;
        if x.ca.is_calm() {
            return None;
        }
        let una = self.snd.una;
        let mut at = x.offset(una, x.high_rxt.max(una));
        let edge = x.offset(una, x.lost_edge);
        if let Some((_, end)) = x.sacked.containing(at) {
            at = end;
        }
        if at >= edge {
            return None;
        }
        let end = x
            .sacked
            .at_or_after(at)
            .map_or(edge, |(a, _)| a.min(edge))
            .min(at + u64::from(most));
        Some((una + (at - x.una64) as u32, (end - at) as u32))
    }

    /// Restarts, or stops, the retransmission timer (RFC 6298 5.2, 5.3). When only the window holds us back it is the
    /// persist timer, which an answer puts off (Linux `tcp_ack_probe`).
    pub(super) fn rearm_rto(&mut self, cx: &mut Ctx<'_>, progress: bool) {
        if self.pending().is_some() {
            // The timer is the SYN-ACK's.
            return;
        }
        let outstanding = self.snd.nxt != self.snd.una;
        let (rtt, shut_out) = (self.rtt, self.shut_out());
        let most = self.rto_max(cx);
        let Some(x) = &mut self.xfer else { return };
        if outstanding {
            if progress || x.rto_at == Instant::FAR {
                x.rto_at = cx.now + x.backed_off(rtt.rto(), most);
            }
        } else {
            // The peer lives.
            x.retries = 0;
            if shut_out {
                let wait = x.backed_off(rtt.rto(), most);
                let at = cx.now + self.clamp_to_user_timeout(cx, wait);
                self.xfer(cx).rto_at = at;
            } else {
                if !progress && x.rto_at != Instant::FAR {
                    // The window has opened: the backoff was the persist timer's.
                    x.backoff = 0;
                }
                x.rto_at = Instant::FAR;
            }
        }
        self.rearm();
    }
}
