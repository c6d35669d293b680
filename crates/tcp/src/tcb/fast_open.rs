//! The child of a Fast Open SYN (RFC 7413 4.2): a connection in SYN_RECV that already holds data, can be accepted and may
//! send. Until the ACK of its SYN-ACK it is judged as a request sock is (Linux `tcp_check_req` with `fastopen`,
//! `tcp_fastopen_synack_timer`; docs/linux/fast-open-child.md).

use super::{CaState, Ctx, Effects, FastSyn, Output, Segment, Snd, SoError, Tcb, Transfer};
use crate::addr::Family;
use crate::request::RequestSock;
use crate::rtt::TIMEOUT_INIT;
use crate::seq::Seq;
use crate::time::Instant;
use alloc::boxed::Box;
use hearken_abi::{Counter, DropReason, TcpState};
use hearken_wire::Flags;
use hearken_wire::options::{self, Options};

/// RFC 6928: ten segments.
const INIT_CWND: u32 = 10;

/// What only a connection that began by Fast Open has.
#[derive(Debug, Default)]
pub struct FastOpen {
    /// Data in the SYN was acknowledged (`TCPI_OPT_SYN_DATA`).
    pub syn_data: bool,
    /// Made at the SYN, by a listener (`TCPI_OPT_TFO_CHILD`).
    pub child: bool,
    /// Until the ACK of the SYN-ACK (Linux `fastopen_rsk`).
    pub pending: Option<Pending>,
    /// Of a client: what its SYN was to bring.
    pub syn: Option<FastSyn>,
    /// `tcpi_fastopen_client_fail`
    pub client_fail: u8,
}

/// A child whose SYN-ACK is not acknowledged. It holds a place in its listener's Fast Open queue.
#[derive(Clone, Copy, Debug)]
pub struct Pending {
    /// The listener's slot.
    pub listener: u32,
    /// And its generation.
    pub listener_gen: u32,
    /// A program holds it already.
    pub accepted: bool,
    /// The cookie that the first SYN-ACK brings; one that is sent again does not.
    pub cookie: Option<options::FastOpen>,
    /// The MSS and the window of the SYN-ACK.
    pub advmss: u16,
    window: u16,
    /// The peer's initial sequence number.
    rcv_isn: Seq,
    /// When the peer's reset ended it, if it did.
    pub reset_at: Option<Instant>,
    /// When the SYN-ACK first left, and when it first left again.
    sent: Instant,
    again: Option<Instant>,
}

impl Transfer {
    /// The Fast Open part, made on first use.
    pub(super) fn fast_open(&mut self) -> &mut FastOpen {
        self.fast_open.get_or_insert_with(Box::default)
    }
}

impl Tcb {
    /// The child that a Fast Open SYN `seg` makes at once; `req` is what a request sock would have held. Its SYN-ACK
    /// leaves with the next [`Tcb::poll_output`], and acknowledges the data.
    pub fn fast_open<F: Family>(
        cx: &mut Ctx<'_>,
        req: &RequestSock<F>,
        seg: &Segment<'_>,
        advmss: u16,
        cookie: Option<options::FastOpen>,
    ) -> Self {
        let mut t = Self::child(cx, req, seg);
        t.state = TcpState::SynRecv;
        // A SYN's window is never scaled (RFC 7323 2.2).
        t.snd = Snd {
            wnd: u32::from(seg.window),
            ..t.snd
        };
        t.rtt = Default::default();
        let now = cx.now;
        let x = t.xfer(cx);
        let taken = x
            .recv
            .insert(cx.pool, 0, seg.data, (seg.charge, false))
            .grown;
        x.rto_at = now + TIMEOUT_INIT;
        let f = x.fast_open();
        (f.child, f.syn_data) = (true, taken > 0);
        f.pending = Some(Pending {
            listener: req.listener,
            listener_gen: req.listener_gen,
            accepted: false,
            cookie,
            advmss,
            window: req.rcv_wnd,
            rcv_isn: req.rcv_isn,
            reset_at: None,
            sent: now,
            again: None,
        });
        t.rcv.nxt += taken;
        t.rcv.wup = t.rcv.nxt;
        t.flags |= Self::SYN_NOW;
        t.rearm();
        t
    }

    /// What is known of a child whose SYN-ACK is not acknowledged. Such a one is in SYN_RECV, or, closed by its program,
    /// in FIN_WAIT1.
    pub fn pending(&self) -> Option<&Pending> {
        if !matches!(self.state, TcpState::SynRecv | TcpState::FinWait1) {
            return None;
        }
        self.xfer.as_ref()?.fast_open.as_ref()?.pending.as_ref()
    }

    fn pending_mut(&mut self) -> Option<&mut Pending> {
        self.xfer.as_mut()?.fast_open.as_mut()?.pending.as_mut()
    }

    /// A program took the child: from now on a reset of it blocks its place for a while. Or gave it back.
    pub fn fast_open_accepted(&mut self, yes: bool) {
        if let Some(p) = self.pending_mut() {
            p.accepted = yes;
        }
    }

    /// Another listener took the child over, and counts it from now on. False if it does not wait for its ACK.
    pub fn move_pending(&mut self, listener: u32, listener_gen: u32) -> bool {
        let waits = self.pending().is_some();
        if let Some(p) = self.pending_mut().filter(|_| waits) {
            (p.listener, p.listener_gen) = (listener, listener_gen);
        }
        waits
    }

    /// Ends the wait for the ACK, whatever ended it; the place in the listener's queue is then to be given back.
    pub fn take_pending(&mut self) -> Option<Pending> {
        self.xfer.as_mut()?.fast_open.as_mut()?.pending.take()
    }

    /// For TCP_INFO: data in the SYN was acknowledged; made at the SYN.
    pub fn fast_open_info(&self) -> (bool, bool) {
        let f = self.xfer.as_ref().and_then(|x| x.fast_open.as_ref());
        f.map_or((false, false), |f| (f.syn_data, f.child))
    }

    /// A segment for a pending child, up to and with the ACK that ends the wait. `None`: it did, or is to be processed
    /// further.
    pub(super) fn input_pending(&mut self, cx: &mut Ctx<'_>, seg: &Segment<'_>) -> Option<Effects> {
        let p = *self.pending()?;
        let has = |f| seg.flags.contains(f);
        let (syn, ack, rst) = (has(Flags::SYN), has(Flags::ACK), has(Flags::RST));
        let timestamp = seg.options.timestamps.filter(|_| self.has(Self::TSTAMP_OK));
        let paws = timestamp.is_some_and(|(val, _)| (val.wrapping_sub(self.ts_recent) as i32) < 0);
        let stop = |cx: &mut Ctx<'_>, reason| {
            cx.drops.record(reason);
            Some(Effects::NONE)
        };
        // The SYN again, with or without what it brought: the SYN-ACK again.
        if syn && !ack && !rst && seg.seq == p.rcv_isn && !paws {
            if self.may_answer(cx) {
                self.syn_ack_again(cx);
            }
            return stop(cx, DropReason::TcpOldSequence);
        }
        let (left, right) = (self.rcv.nxt, self.rcv.nxt + u32::from(p.window));
        let end = seg.end();
        let in_window = seg.seq == left
            || end.after(left) && seg.seq.before(right)
            || seg.seq == right && seg.seq == end;
        if paws || !in_window {
            if paws {
                cx.mib.inc(Counter::PawsEstab);
            }
            if !rst && self.may_answer(cx) {
                self.flags |= Self::ACK_NOW;
            }
            let old = DropReason::TcpInvalidSequence;
            return stop(
                cx,
                if paws {
                    DropReason::TcpRfc7323Paws
                } else {
                    old
                },
            );
        }
        if rst {
            // RFC 5961 3.2: only an exact one is believed. It counts as a failed request and as a failed connection.
            if seg.seq != left {
                cx.drops.record(DropReason::TcpReset);
                self.challenge_ack(cx);
                return Some(Effects::NONE);
            }
            cx.mib.inc(Counter::TcpAttemptFails);
            let now = cx.now;
            if let Some(p) = self.pending_mut() {
                p.reset_at = Some(now);
            }
            return Some(self.reset(cx));
        }
        if syn {
            cx.mib.inc(Counter::TcpAttemptFails);
            cx.drops.record(DropReason::TcpInvalidSyn);
            return Some(Effects::RESET_PEER);
        }
        if !ack {
            return stop(cx, DropReason::TcpFlags);
        }
        // What was sent before the ACK is acknowledged with it, but nothing beyond.
        if seg.ack.at_or_before(self.isn()) || seg.ack.after(self.snd.nxt) {
            cx.drops.record(DropReason::TcpInvalidAckSequence);
            if self.state == TcpState::SynRecv {
                return Some(Effects::RESET_PEER);
            }
            self.challenge_ack(cx);
            return Some(Effects::NONE);
        }
        None
    }

    /// The ACK of the SYN-ACK came. The effects of it.
    pub(super) fn pending_acked(&mut self, cx: &mut Ctx<'_>, seg: &Segment<'_>) -> Effects {
        let Some(p) = self.pending().copied() else {
            return Effects::NONE;
        };
        self.time_syn_ack(cx, seg, &p);
        let wnd = u32::from(seg.window) << self.snd_wscale();
        (self.snd.wnd, self.snd.wl1) = (wnd, seg.seq);
        let now = cx.now;
        let x = self.xfer(cx);
        (x.max_window, x.heard_at) = (x.max_window.max(wnd), now);
        (x.retries, x.backoff, x.rto_at) = (0, 0, Instant::FAR);
        self.flags &= !Self::SYN_NOW;
        self.rearm();
        if self.state == TcpState::SynRecv {
            self.set_state(cx, TcpState::Established);
            self.arm_keepalive(cx);
            if self.has(Self::FIN_QUEUED) {
                // shutdown(SHUT_WR) came first: only now its FIN may leave (CVE-2024-36905).
                self.set_state(cx, TcpState::FinWait1);
            }
        }
        Effects::WRITE | Effects::FAST_OPEN
    }

    /// What the ACK tells of the round trip, and whether SYN-ACKs were really lost: from the second on that went again
    /// they count as lost data (docs/linux/fast-open-child.md).
    fn time_syn_ack(&mut self, cx: &mut Ctx<'_>, seg: &Segment<'_>, p: &Pending) {
        let echo = seg.options.timestamps.filter(|_| self.has(Self::TSTAMP_OK));
        let echo = echo.map(|e| e.1).filter(|&ecr| ecr != 0);
        let Some(again) = p.again else {
            return self.sample_rtt(cx.now.micros_since(p.sent));
        };
        let clock = |at: Instant| at.millis32().wrapping_add(self.ts_off);
        let (now, again) = (clock(cx.now), clock(again));
        match echo {
            Some(ecr) => self.sample_rtt(now.wrapping_sub(ecr).saturating_mul(1000)),
            None => self.rtt.without_sample(),
        }
        if self.cwnd >= INIT_CWND {
            return;
        }
        let first_answered = echo.is_some_and(|ecr| (ecr.wrapping_sub(again) as i32) < 0);
        if first_answered || seg.ack.after(self.snd.una) {
            // Nothing was lost: the window is as it was.
            (self.cwnd, self.ssthresh) = (INIT_CWND, u32::MAX >> 1);
            cx.mib.inc(Counter::TcpLossUndo);
            if !first_answered {
                cx.mib.inc(Counter::TcpSpuriousRtos);
            }
            return;
        }
        let (una, nxt) = (self.snd.una, self.snd.nxt);
        let x = self.xfer(cx);
        x.ca = CaState::Loss;
        (x.recover, x.lost_edge, x.high_rxt) = (nxt, nxt, una);
    }

    /// Our initial sequence number, while the child is pending: nothing is acknowledged yet.
    fn isn(&self) -> Seq {
        self.snd.una - 1
    }

    /// Linux `tcp_oow_rate_limited`: false, and counted, when the last answer is too young.
    fn may_answer(&mut self, cx: &mut Ctx<'_>) -> bool {
        let (now, limit) = (cx.now.millis32().max(1), cx.sysctls.tcp_invalid_ratelimit);
        if self.last_oow_ms != 0 && now.wrapping_sub(self.last_oow_ms) < limit {
            cx.mib.inc(Counter::TcpAckSkippedSynRecv);
            return false;
        }
        self.last_oow_ms = now;
        true
    }

    fn syn_ack_again(&mut self, cx: &mut Ctx<'_>) {
        cx.mib.inc(Counter::TcpRetransSegs);
        cx.mib.inc(Counter::TcpSynRetrans);
        let now = cx.now;
        if let Some(p) = self.pending_mut() {
            p.again = p.again.or(Some(now));
        }
        self.flags |= Self::SYN_NOW;
    }

    /// The timer of a pending child: the SYN-ACK again, once more than a request's; nothing else is sent again.
    pub(super) fn on_syn_ack_timer(&mut self, cx: &mut Ctx<'_>) -> Effects {
        let now = cx.now;
        let Some(x) = &mut self.xfer else {
            return Effects::NONE;
        };
        let limit = match x.syn_retries {
            0 => cx.sysctls.tcp_synack_retries.saturating_add(1),
            n => n,
        };
        cx.mib.inc(Counter::TcpTimeouts);
        if x.retries >= limit {
            return self.timed_out(cx);
        }
        x.retries += 1;
        x.rto_at = now + TIMEOUT_INIT * (1 << x.retries.min(7));
        if x.retries == 2 {
            (self.ssthresh, self.cwnd) = ((self.cwnd / 2).max(2), 1);
        }
        self.syn_ack_again(cx);
        Effects::NONE
    }

    /// The SYN-ACK of a pending child.
    pub(super) fn output_pending(&mut self, cx: &mut Ctx<'_>) -> Option<Output> {
        let p = *self.pending()?;
        self.flags &= !Self::SYN_NOW;
        // As at a request, but the child uses them all the same (docs/linux/md5.md).
        let room = !(self.md5 && self.has(Self::SACK_OK));
        if let Some(p) = self.pending_mut() {
            p.cookie = None;
        }
        cx.mib.inc(Counter::TcpOutSegs);
        Some(Output {
            seq: self.isn(),
            ack: self.rcv.nxt,
            flags: Flags::SYN | Flags::ACK | self.ecn_syn_flags(cx, true, false),
            ect: false,
            window: p.window,
            urgent: 0,
            options: Options {
                mss: Some(p.advmss),
                sack_permitted: self.has(Self::SACK_OK),
                wscale: self.has(Self::WSCALE_OK).then_some(self.rcv_wscale()),
                timestamps: self.timestamps(cx).filter(|_| room),
                fast_open: p.cookie,
                md5: self.md5,
                ..Options::default()
            },
            offset: 0,
            len: 0,
            gso_size: 0,
        })
    }

    /// An ICMP error about a pending child: one that nobody accepted ends by it, an accepted one is treated as
    /// established (docs/linux/fast-open-child.md). `None`: it is not pending.
    pub fn fail_pending(&mut self, cx: &mut Ctx<'_>, error: SoError) -> Option<Effects> {
        if self.pending()?.accepted {
            return None;
        }
        cx.mib.inc(Counter::TcpAttemptFails);
        Some(self.done(cx, Some(error)))
    }
}
