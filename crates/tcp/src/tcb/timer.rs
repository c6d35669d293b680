//! Timers: retransmission and persist share one, as in Linux; then delayed ACK and keepalive.

use super::{CaState, Ctx, Effects, SoError, Tcb};
use crate::Instant;
use crate::rtt::RTO_MIN_US;
use core::time::Duration;
use hearken_abi::{Counter, TcpState};

/// How long so many retransmissions last, each timeout twice the one before from 200 ms on: what a limit of retransmissions
/// means, however long the timeouts of this connection are (Linux `tcp_model_timeout`, RFC 1122 4.2.3.5).
fn model_timeout(retries: u8, most: Duration) -> Duration {
    let mut sum = Duration::ZERO;
    let mut wait = Duration::from_micros(u64::from(RTO_MIN_US));
    for _ in 0..=retries {
        sum += wait.min(most);
        wait = (wait * 2).min(most);
    }
    sum
}

impl Tcb {
    /// Recomputes the earliest deadline.
    pub(super) fn rearm(&mut self) {
        self.timer_at = self.xfer.as_mut().map_or(Instant::FAR, |x| {
            let probes = x.pto_at.min(x.reo_at);
            if x.rto_at.min(probes) != Instant::FAR {
                x.resend_until = x.rto_at.min(probes);
            }
            if x.delack_at != Instant::FAR {
                x.delack_until = x.delack_at;
            }
            let acks = x.delack_at.min(x.rx.comp_at);
            x.rto_at.min(acks).min(x.keepalive_at).min(probes)
        });
    }

    /// Starts the idle clock of SO_KEEPALIVE afresh.
    pub(super) fn arm_keepalive(&mut self, cx: &Ctx<'_>) {
        if !self.has(Self::KEEPALIVE) {
            return;
        }
        let at = cx.now + self.keep_idle(cx);
        let x = self.xfer(cx);
        x.keepalive_at = at;
        self.rearm();
    }

    /// The clock passed [`Tcb::timer_at`]. A call before its time does nothing.
    pub fn on_timer(&mut self, cx: &mut Ctx<'_>) -> Effects {
        let mut fx = Effects::NONE;
        let Some(x) = &mut self.xfer else {
            self.timer_at = Instant::FAR;
            return fx;
        };
        if x.delack_at.min(x.rx.comp_at) <= cx.now {
            self.on_ack_timer(cx);
        }
        let Some(x) = &mut self.xfer else {
            return fx;
        };
        if x.keepalive_at <= cx.now {
            let next = cx.now + self.keep_interval(cx);
            self.xfer(cx).keepalive_at = next;
            fx |= self.on_keepalive(cx);
        }
        if self.xfer.as_ref().is_some_and(|x| x.reo_at <= cx.now) {
            self.on_reordering(cx);
        }
        if self.xfer.as_ref().is_some_and(|x| x.pto_at <= cx.now) {
            self.on_probe(cx);
        }
        if self.xfer.as_ref().is_some_and(|x| x.rto_at <= cx.now) {
            fx |= if self.pending().is_some() {
                self.on_syn_ack_timer(cx)
            } else if self.snd.nxt == self.snd.una {
                self.on_persist(cx)
            } else {
                self.on_rto(cx)
            };
        }
        self.rearm();
        fx
    }

    fn on_keepalive(&mut self, cx: &mut Ctx<'_>) -> Effects {
        let Some(x) = &self.xfer else {
            return Effects::NONE;
        };
        if self.snd.nxt != self.snd.una || !x.send.is_empty() {
            return Effects::NONE;
        }
        if self.kept_alive_enough(cx) {
            return self.timed_out(cx) | Effects::RESET_OUT;
        }
        let x = self.xfer(cx);
        x.retries = x.retries.saturating_add(1);
        x.probe = true;
        cx.mib.inc(Counter::TcpKeepAlive);
        Effects::NONE
    }

    /// The peer's window stayed shut: probe it, with back-off (RFC 9293 3.8.6.1). A peer that answers may keep it shut
    /// for as long as a program waits, but not for ever when nobody does (Linux `tcp_probe_timer`).
    fn on_persist(&mut self, cx: &mut Ctx<'_>) -> Effects {
        let (rto, limit) = (self.rtt.rto(), self.retry_limit(cx));
        let orphan = self.owner == super::NONE;
        let most = self.rto_max(cx);
        let stalled = self.stalled_too_long(cx) == Some(true);
        let Some(x) = &mut self.xfer else {
            return Effects::NONE;
        };
        if stalled || x.retries >= limit || orphan && x.backed_off(rto, most) >= most {
            return self.timed_out(cx);
        }
        x.retries += 1;
        x.backoff = x.backoff.saturating_add(1);
        x.probe = true;
        let wait = x.backed_off(rto, most);
        let at = cx.now + self.clamp_to_user_timeout(cx, wait);
        self.xfer(cx).rto_at = at;
        Effects::NONE
    }

    /// Gives up; an ICMP error that came meanwhile says more than that time ran out (Linux `tcp_write_err`).
    pub(super) fn timed_out(&mut self, cx: &mut Ctx<'_>) -> Effects {
        cx.mib.inc(Counter::TcpAbortOnTimeout);
        if matches!(self.state, TcpState::SynSent | TcpState::SynRecv) {
            cx.mib.inc(Counter::TcpAttemptFails);
        }
        let error = SoError::from_number(core::mem::take(&mut self.soft_error));
        self.done(cx, Some(error.unwrap_or(SoError::TimedOut)))
    }

    /// TCP_SYNCNT, or else the sysctl.
    fn syn_retries(&self, cx: &Ctx<'_>) -> u8 {
        let own = self.xfer.as_ref().map_or(0, |x| x.syn_retries);
        if own == 0 {
            cx.sysctls.tcp_syn_retries
        } else {
            own
        }
    }

    fn retry_limit(&self, cx: &Ctx<'_>) -> u8 {
        match (self.state, self.owner) {
            // The linear ones come on top (docs/linux/connect.md).
            (TcpState::SynSent, _) => self
                .syn_retries(cx)
                .saturating_add(cx.sysctls.tcp_syn_linear_timeouts),
            (TcpState::SynRecv, _) => cx.sysctls.tcp_synack_retries,
            // Linux `tcp_orphan_retries`: 0 stands for eight.
            (_, super::NONE) if cx.sysctls.tcp_orphan_retries == 0 => 8,
            (_, super::NONE) => cx.sysctls.tcp_orphan_retries,
            _ => cx.sysctls.tcp_retries2,
        }
    }

    /// Retransmission timeout (RFC 6298 5.4 to 5.7, RFC 5681 3.1).
    fn on_rto(&mut self, cx: &mut Ctx<'_>) -> Effects {
        let limit = self.retry_limit(cx);
        let (una, nxt, rto) = (self.snd.una, self.snd.nxt, self.rtt.rto());
        let syn = matches!(self.state, TcpState::SynSent | TcpState::SynRecv);
        let (syn_sent, syn_retries) = (self.state == TcpState::SynSent, self.syn_retries(cx));
        let most = self.rto_max(cx);
        let stalled = self.stalled_too_long(cx);
        let Some(x) = &mut self.xfer else {
            return Effects::NONE;
        };
        if self.snd.wnd == 0 && !syn && self.owner != super::NONE {
            // The peer took back the window that it had offered: as with the persist timer, an answer keeps the
            // connection alive, here for two of the longest timeouts (Linux `tcp_rtx_probe0_timed_out`), but not beyond
            // TCP_USER_TIMEOUT (CVE-2024-41007).
            if stalled == Some(true) || cx.now.since(x.heard_at) > 2 * most {
                return self.timed_out(cx);
            }
        } else {
            cx.mib.inc(Counter::TcpTimeouts);
            // However many linear ones there are, a SYN ends when the doubled ones alone would have ended
            // (retransmits_timed_out, 6.18; docs/linux/connect.md). `made_at` is when the SYN was made.
            let too_long = syn_sent && cx.now >= x.made_at + rto * ((2 << syn_retries.min(30)) - 1);
            let over = if syn {
                x.retries >= limit || too_long
            } else {
                x.retries > 0 && cx.now >= x.retrans_at + model_timeout(limit, most)
            };
            // TCP_USER_TIMEOUT takes the place of the count.
            if stalled.unwrap_or(over) {
                return self.timed_out(cx);
            }
            if x.retries == 0 {
                x.retrans_at = cx.now;
            }
            x.retries += 1;
        }
        if !syn_sent || x.retries > cx.sysctls.tcp_syn_linear_timeouts {
            x.backoff = x.backoff.saturating_add(1);
        }
        let wait = x.backed_off(rto, most);
        let at = cx.now + self.clamp_to_user_timeout(cx, wait);
        let Some(x) = &mut self.xfer else {
            return Effects::NONE;
        };
        (x.rto_at, x.timed) = (at, None);
        if syn {
            self.flags |= Self::SYN_NOW;
            return Effects::NONE;
        }
        if x.ca != CaState::Loss && x.ca != CaState::Cwr {
            self.ssthresh = (self.cwnd / 2).max(2);
        }
        if x.sacked.first().is_some_and(|(a, _)| a == x.una64) {
            // The peer reneged (RFC 2018 8).
            cx.mib.inc(Counter::TcpSackReneging);
            x.sacked.clear();
        }
        x.ca = CaState::Loss;
        x.undo = None;
        (x.pto_at, x.reo_at) = (Instant::FAR, Instant::FAR);
        (x.recover, x.lost_edge, x.high_rxt) = (nxt, nxt, una);
        (x.dupacks, x.cwnd_cnt) = (0, 0);
        self.cwnd = 1;
        self.ecn_reduced();
        Effects::NONE
    }
}
