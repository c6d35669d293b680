//! SEGMENT ARRIVES (RFC 9293 3.10.7, in Linux's order: `tcp_validate_incoming`, `tcp_rcv_state_process`).

use super::acks::MAX_QUICK;
use super::{Ctx, Effects, Segment, SoError, Tcb};
use core::time::Duration;
use hearken_abi::{Counter, DropReason, TcpState};
use hearken_wire::Flags;

/// Linux's `TCP_DELACK_MAX`.
const DELACK_MAX: Duration = Duration::from_millis(200);
/// One tick of the measured kernel's clock.
const JIFFY: Duration = Duration::from_millis(4);
impl Tcb {
    /// Takes a segment that belongs to this connection.
    pub fn input(&mut self, cx: &mut Ctx<'_>, seg: &Segment<'_>) -> Effects {
        match self.state {
            TcpState::SynSent => self.input_syn_sent(cx, seg),
            TcpState::Close | TcpState::Listen | TcpState::TimeWait | TcpState::NewSynRecv => {
                cx.drops.record(DropReason::TcpClose);
                Effects::NONE
            }
            _ => self.input_synchronized(cx, seg),
        }
    }

    /// RFC 9293 3.10.7.3; Linux `tcp_rcv_synsent_state_process`.
    fn input_syn_sent(&mut self, cx: &mut Ctx<'_>, seg: &Segment<'_>) -> Effects {
        let ack = seg.flags.contains(Flags::ACK);
        if ack && (seg.ack.at_or_before(self.snd.una) || seg.ack.after(self.snd.nxt)) {
            cx.drops.record(DropReason::TcpInvalidAckSequence);
            // An earlier answer may have been lost: the SYN goes again soon (tcp_rcv_synsent_state_process, 6.18).
            if let Some(x) = self.xfer.as_mut().filter(|x| x.retries == 0) {
                x.rto_at = cx.now + JIFFY * 2;
                self.rearm();
            }
            return if seg.flags.contains(Flags::RST) {
                Effects::NONE
            } else {
                Effects::RESET_PEER
            };
        }
        if seg.flags.contains(Flags::RST) {
            cx.drops.record(DropReason::TcpReset);
            if !ack {
                return Effects::NONE;
            }
            cx.mib.inc(Counter::TcpAttemptFails);
            return self.done(cx, Some(SoError::Refused));
        }
        if !seg.flags.contains(Flags::SYN) {
            cx.drops.record(DropReason::TcpFlags);
            return Effects::NONE;
        }
        let thresh = cx.sysctls.tcp_pingpong_thresh;
        let patient = self.xfer(cx).rx.pingpong >= thresh;
        self.take_syn(cx, seg);
        let rtt_known = self.xfer.as_ref().is_some_and(|x| x.retries == 0);
        if !ack {
            // Simultaneous open: RFC 9293 3.5, figure 7.
            self.set_state(cx, TcpState::SynRecv);
            self.flags |= Self::SYN_NOW;
            return Effects::NONE;
        }
        if rtt_known {
            let sent = self.xfer.as_ref().and_then(|x| x.timed).map(|t| t.1);
            if let Some(sent) = sent {
                self.sample_rtt(cx.now.micros_since(sent));
            }
        }
        let data_acked = seg.ack - (self.snd.una + 1);
        self.snd.una = seg.ack;
        self.snd.wl1 = seg.seq;
        self.establish(cx, seg);
        let mut fx = Effects::ESTABLISHED | Effects::WRITE;
        if self.syn_data_acked(cx, data_acked, !rtt_known) {
            fx |= self.take_syn_ack_data(cx, seg);
        }
        let thresh = cx.sysctls.tcp_pingpong_thresh;
        let closed = self.state == TcpState::CloseWait;
        let x = self.xfer(cx);
        if patient || x.defer_ack || x.rx.pingpong >= thresh || closed {
            // Data may follow soon, for the ACK to ride on; after that, ACKs hurry.
            x.delack_at = cx.now + DELACK_MAX;
            self.schedule_ack(cx);
            self.enter_quick(cx, MAX_QUICK);
            self.rearm();
        } else {
            self.flags |= Self::ACK_NOW;
        }
        fx
    }

    /// Adopts what the peer's SYN says.
    fn take_syn(&mut self, cx: &mut Ctx<'_>, seg: &Segment<'_>) {
        let o = seg.options;
        self.ecn_take_syn(seg);
        self.rcv.nxt = seg.seq + 1;
        self.rcv.wup = self.rcv.nxt;
        self.snd.wnd = u32::from(seg.window);
        match o.wscale.filter(|_| self.has(Self::WSCALE_OK)) {
            Some(w) => self.wscales = self.wscales & 0xf0 | w.min(14),
            None => {
                self.set(Self::WSCALE_OK, false);
                // To a SYN that crossed ours our scale is offered again, and stays (tcp_rcv_synsent_state_process, 6.18).
                let crossed = !seg.flags.contains(Flags::ACK);
                self.wscales &= if crossed { 0xf0 } else { 0 };
                self.rcv.wnd = self.rcv.wnd.min(65535);
            }
        }
        self.set(Self::SACK_OK, self.has(Self::SACK_OK) && o.sack_permitted);
        let ts = o.timestamps.filter(|_| self.has(Self::TSTAMP_OK));
        self.set(Self::TSTAMP_OK, ts.is_some());
        if let Some((val, _)) = ts {
            self.ts_recent = val;
            self.ts_recent_ms = cx.now.millis32();
        }
        // RFC 9293 3.7.1: no option means 536; Linux never goes under tcp_min_snd_mss.
        let peer = u32::from(o.mss.unwrap_or(536)).max(cx.sysctls.tcp_min_snd_mss);
        let head = if self.has(Self::TSTAMP_OK) { 12 } else { 0 };
        self.mss = (peer.min(u32::from(self.mss)) - head).max(36) as u16;
        self.advmss = self.advmss.saturating_sub(head as u16);
        self.rcv_mss = self.first_rcv_mss();
    }

    /// Enters ESTABLISHED with the SYN acknowledged.
    fn establish(&mut self, cx: &mut Ctx<'_>, seg: &Segment<'_>) {
        let una = self.snd.una;
        self.snd.nxt = una;
        self.set_state(cx, TcpState::Established);
        let scale = if seg.flags.contains(Flags::SYN) {
            0
        } else {
            self.snd_wscale()
        };
        self.snd.wnd = u32::from(seg.window) << scale;
        self.cwnd = 10;
        let wnd = self.snd.wnd;
        let x = self.xfer(cx);
        (x.max_window, x.heard_at) = (wnd, cx.now);
        (x.recover, x.lost_edge, x.high_rxt, x.snd_sml) = (una, una, una, una);
        (x.timed, x.retries, x.backoff) = (None, 0, 0);
        x.rto_at = crate::Instant::FAR;
        x.dupacks = 0;
        self.begin_receiving(cx);
        self.arm_keepalive(cx);
        self.rearm();
        if self.has(Self::FIN_QUEUED) {
            // The program was done before the handshake was.
            self.set_state(cx, TcpState::FinWait1);
        }
    }

    /// SYN_RECV (Fast Open and simultaneous open only) and every later state: RFC 9293 3.10.7.4.
    fn input_synchronized(&mut self, cx: &mut Ctx<'_>, seg: &Segment<'_>) -> Effects {
        if self.pending().is_some() {
            if let Some(fx) = self.input_pending(cx, seg) {
                return fx;
            }
            if seg.end() == seg.seq {
                cx.mib.inc(Counter::TcpPureAcks);
            }
            let fx = self.pending_acked(cx, seg);
            return self.input_acceptable(cx, seg, fx);
        }
        if seg.flags.0 & (Flags::ACK | Flags::RST | Flags::SYN).0 == 0 {
            cx.drops.record(DropReason::TcpFlags);
            return Effects::NONE;
        }
        if !self.acceptable(cx, seg) {
            return Effects::NONE;
        }
        if seg.flags.contains(Flags::RST) {
            return self.input_reset(cx, seg);
        }
        // Simultaneous open: the peer's SYN-ACK repeats the SYN that we took (RFC 9293 3.5, figure 7).
        let crossed = self.state == TcpState::SynRecv
            && seg.flags.contains(Flags::SYN.with(Flags::ACK))
            && seg.end() == self.rcv.nxt
            && seg.seq + 1 == self.rcv.nxt
            && seg.ack == self.snd.una + 1;
        if seg.flags.contains(Flags::SYN) && !crossed {
            // RFC 5961 4.2: never trust a SYN in a synchronized state.
            cx.drops.record(DropReason::TcpInvalidSyn);
            self.challenge_syn(cx);
            return Effects::NONE;
        }
        if !seg.flags.contains(Flags::ACK) {
            cx.drops.record(DropReason::TcpFlags);
            return Effects::NONE;
        }
        let mut fx = Effects::NONE;
        if self.state == TcpState::SynRecv {
            if seg.ack != self.snd.una + 1 {
                cx.drops.record(DropReason::TcpInvalidAckSequence);
                return Effects::RESET_PEER;
            }
            self.snd.una = seg.ack;
            self.establish(cx, seg);
            fx |= Effects::ESTABLISHED | Effects::WRITE;
            if crossed {
                // The SYN that it repeats is old data (tcp_data_queue, 6.18).
                self.flags |= Self::ACK_NOW;
            }
        }
        let predicted = !seg.ack.after(self.snd.nxt) && self.predicted(seg);
        if !seg.ack.before(self.snd.una) && !seg.ack.after(self.snd.nxt) {
            self.count_prediction(cx, seg, predicted);
        }
        let short = seg.end() == seg.seq || self.is_fast(seg);
        if predicted && short {
            // The short way looks at the acknowledgment last (tcp_rcv_established, 6.18; docs/linux/sequences.md).
            self.take_timestamp(cx, seg);
            if seg.ack.before(self.snd.una) && seg.len > 0 {
                let ack = self.input_ack(cx, seg).unwrap_or(Effects::NONE);
                self.arm_keepalive(cx);
                return fx | ack | self.input_text(cx, seg);
            }
        }
        self.input_acceptable(cx, seg, fx)
    }

    /// Acknowledgment, payload and FIN of an acceptable segment; `fx` is what it meant so far.
    fn input_acceptable(&mut self, cx: &mut Ctx<'_>, seg: &Segment<'_>, fx: Effects) -> Effects {
        let mut fx = fx;
        let Some(acked) = self.input_ack(cx, seg) else {
            return fx;
        };
        self.take_timestamp(cx, seg);
        fx |= acked;
        self.arm_keepalive(cx);
        fx |= self.our_fin_acked(cx);
        if fx.has(Effects::CLOSED) {
            return fx;
        }
        fx | self.input_text(cx, seg)
    }

    /// RFC 9293 3.10.7.4, first check, with RFC 7323 5.3 R1 (PAWS) before it as in Linux.
    fn acceptable(&mut self, cx: &mut Ctx<'_>, seg: &Segment<'_>) -> bool {
        let rst = seg.flags.contains(Flags::RST);
        if !rst && self.timestamp_age(cx, seg) == Some(true) {
            if seg.flags.contains(Flags::SYN) {
                cx.drops.record(DropReason::TcpRfc7323Paws);
                self.challenge_syn(cx);
                return false;
            }
            // A bare ACK may be late and no worse (tcp_disordered_ack, 6.18; docs/linux/segments.md).
            if seg.len == 0 && seg.flags == Flags::ACK {
                if seg.seq.before(self.rcv.nxt) {
                    cx.mib.inc(Counter::PawsOldAck);
                    cx.drops.record(DropReason::TcpRfc7323PawsAck);
                    return false;
                }
                if self.is_disordered(seg) {
                    return true;
                }
            }
            cx.mib.inc(Counter::PawsEstab);
            cx.drops.record(DropReason::TcpRfc7323Paws);
            if self.oow_ack(cx, seg, Counter::TcpAckSkippedPaws) {
                self.note_duplicate(cx, seg.seq, seg.end());
            }
            return false;
        }
        let right = self.rcv.nxt + self.rcv_window();
        let old = seg.end().before(self.rcv.wup);
        // What begins in the window and ends beyond is taken only while nothing waits to be read (tcp_sequence, 6.18).
        let beyond = seg.end().after(right) && (seg.seq.after(right) || self.readable() > 0);
        if !old && !beyond {
            return true;
        }
        if rst && self.after_fin(seg) {
            return true;
        }
        cx.drops.record(if old {
            DropReason::TcpOldSequence
        } else {
            DropReason::TcpInvalidSequence
        });
        if seg.flags.contains(Flags::SYN) && !rst {
            self.challenge_syn(cx);
            return false;
        }
        if !old && !rst {
            cx.mib.inc(Counter::BeyondWindow);
        }
        if !rst && self.oow_ack(cx, seg, Counter::TcpAckSkippedSeq) {
            self.note_duplicate(cx, seg.seq, seg.end());
        }
        false
    }

    /// Header prediction (Linux `tcp_rcv_established`, 6.18): the segment comes as foreseen. Counters hang
    /// on it, and what an acknowledgment that is too old takes with it.
    fn predicted(&self, seg: &Segment<'_>) -> bool {
        let holes = self.xfer.as_ref().is_some_and(|x| x.recv.has_holes());
        let timestamp = match seg.options.timestamps {
            Some((val, _)) => {
                self.has(Self::TSTAMP_OK) && val.wrapping_sub(self.ts_recent) as i32 >= 0
            }
            None => !self.has(Self::TSTAMP_OK),
        };
        self.state == TcpState::Established
            && matches!(seg.flags.without(Flags::PSH), Flags::ACK)
            && seg.seq == self.rcv.nxt
            && u32::from(seg.window) << self.snd_wscale() == self.snd.wnd
            && seg.options.sack.is_empty()
            && !holes
            && timestamp
    }

    /// Data that takes the short way: as foreseen, with memory set aside for it.
    pub(super) fn is_fast(&self, seg: &Segment<'_>) -> bool {
        self.predicted(seg)
            && self
                .xfer
                .as_ref()
                .is_some_and(|x| x.recv.is_set_aside(seg.charge))
    }

    /// Counts what nstat tells of prediction.
    fn count_prediction(&self, cx: &mut Ctx<'_>, seg: &Segment<'_>, predicted: bool) {
        if seg.end() == seg.seq {
            let news = predicted && seg.ack.after(self.snd.una);
            cx.mib.inc(if news {
                Counter::TcpHpAcks
            } else {
                Counter::TcpPureAcks
            });
        } else if self.is_fast(seg) {
            cx.mib.inc(Counter::TcpHpHits);
        }
    }

    /// A reset that counts the peer's FIN twice: some send it after a FIN (Linux `tcp_reset_check`).
    fn after_fin(&self, seg: &Segment<'_>) -> bool {
        seg.seq + 1 == self.rcv.nxt
            && matches!(
                self.state,
                TcpState::CloseWait | TcpState::LastAck | TcpState::Closing
            )
    }

    /// RFC 5961 3.2: only an exact reset is believed, others draw a challenge ACK.
    fn input_reset(&mut self, cx: &mut Ctx<'_>, seg: &Segment<'_>) -> Effects {
        // A receiver of our SACK blocks may take the end of the highest for what we expect (Linux 6.18).
        let next = self.rcv.nxt;
        let sacked = self
            .xfer
            .as_ref()
            .filter(|_| self.has(Self::SACK_OK))
            .and_then(|x| x.recv.highest())
            .is_some_and(|d| seg.seq == next + d);
        if seg.seq != next && !self.after_fin(seg) && !sacked {
            cx.drops.record(DropReason::TcpReset);
            self.challenge_ack(cx);
            return Effects::NONE;
        }
        self.reset(cx)
    }

    /// The peer, or ICMP in SYN_SENT's stead, ended the connection (Linux `tcp_reset`).
    pub(super) fn reset(&mut self, cx: &mut Ctx<'_>) -> Effects {
        cx.drops.record(DropReason::TcpReset);
        let error = match self.state {
            TcpState::SynSent => SoError::Refused,
            TcpState::CloseWait => SoError::Pipe,
            _ => SoError::Reset,
        };
        if self.state == TcpState::SynRecv {
            cx.mib.inc(Counter::TcpAttemptFails);
        }
        self.done(cx, Some(error))
    }

    /// A definite error from the network while the connection was being opened (RFC 5461; Linux `tcp_v4_err`).
    pub fn fail(&mut self, cx: &mut Ctx<'_>, error: SoError) -> Effects {
        if !matches!(self.state, TcpState::SynSent | TcpState::SynRecv) {
            return Effects::NONE;
        }
        cx.mib.inc(Counter::TcpAttemptFails);
        self.done(cx, Some(error))
    }

    /// Answers with an ACK: to a segment without data or FIN at most once in `tcp_invalid_ratelimit`, so that two ends that
    /// disagree do not talk for ever; any other always, since its sender repeats it until it hears (Linux
    /// `tcp_oow_rate_limited`). Whether it answers; otherwise `skipped` counts.
    fn oow_ack(&mut self, cx: &mut Ctx<'_>, seg: &Segment<'_>, skipped: Counter) -> bool {
        let (now, limit) = (cx.now.millis32().max(1), cx.sysctls.tcp_invalid_ratelimit);
        if seg.end() == seg.seq || seg.flags.contains(Flags::SYN) {
            if self.last_oow_ms != 0 && now.wrapping_sub(self.last_oow_ms) < limit {
                cx.mib.inc(skipped);
                return false;
            }
            self.last_oow_ms = now;
        }
        self.flags |= Self::ACK_NOW;
        true
    }

    /// The answer to any SYN in a synchronized state (RFC 5961 4.2).
    fn challenge_syn(&mut self, cx: &mut Ctx<'_>) {
        if self.state == TcpState::Established {
            cx.mib.inc(Counter::TcpInErrs);
        }
        cx.mib.inc(Counter::TcpSynChallenge);
        self.challenge_ack(cx);
    }

    pub(super) fn challenge_ack(&mut self, cx: &mut Ctx<'_>) {
        let (now, limit) = (cx.now.millis32().max(1), cx.sysctls.tcp_invalid_ratelimit);
        if self.last_oow_ms != 0 && now.wrapping_sub(self.last_oow_ms) < limit {
            cx.mib.inc(Counter::TcpAckSkippedChallenge);
            return;
        }
        self.last_oow_ms = now;
        cx.mib.inc(Counter::TcpChallengeAck);
        self.flags |= Self::ACK_NOW;
    }

    /// What our acknowledged FIN means (RFC 9293 3.10.7.4, fifth check).
    fn our_fin_acked(&mut self, cx: &mut Ctx<'_>) -> Effects {
        if !self.has(Self::FIN_ACKED) {
            return Effects::NONE;
        }
        match self.state {
            TcpState::FinWait1 => {
                self.set_state(cx, TcpState::FinWait2);
                if self.owner == super::NONE {
                    if let Some(fx) = self.linger_not(cx, false) {
                        return fx | Effects::RESET_PEER;
                    }
                    Effects::FIN_WAIT2
                } else {
                    Effects::WRITE
                }
            }
            TcpState::Closing => Effects::TIME_WAIT,
            TcpState::LastAck => self.done(cx, None),
            _ => Effects::NONE,
        }
    }

    /// Starts the retransmission timer of a SYN (one second, doubled each time: RFC 6298 2.1).
    pub(super) fn arm_syn(&mut self, cx: &mut Ctx<'_>) {
        let (now, rto, most) = (cx.now, self.rtt.rto(), self.rto_max(cx));
        let x = self.xfer(cx);
        x.rto_at = now + x.backed_off(rto, most);
        self.rearm();
    }
}
