//! Losses that duplicate ACKs do not show: the tail loss probe (RFC 8985 7), a reordering window measured in time
//! (after RFC 8985 6, without its clock per segment), and a retransmission that was lost itself. Linux's RACK will
//! take the place of the latter two.

use super::{CaState, Ctx, Tcb, Transfer};
use crate::Instant;
use crate::seq::Seq;
use core::time::Duration;
use hearken_abi::Counter;

/// Linux's TCP_TIMEOUT_MIN at 1000 Hz.
const TIMEOUT_MIN: Duration = Duration::from_millis(2);
/// Linux's TCP_RTO_MIN: what a lone segment's probe waits longer, for its ACK may be delayed.
const LONE: Duration = Duration::from_millis(200);
/// The smallest reordering window.
const REO_MIN: Duration = Duration::from_millis(1);

impl Tcb {
    /// Starts the clock of the tail loss probe: two round trips after the last progress, one probe for each tail.
    pub(super) fn arm_probe(&mut self, now: Instant) {
        let flight = self.snd.nxt - self.snd.una;
        let lone = flight <= u32::from(self.mss);
        // Without SACK an answer would not tell what is missing (tcp_schedule_loss_probe, 6.18; docs/linux/ecn.md).
        let sack_ok = self.has(Self::SACK_OK);
        let srtt = Duration::from_micros(u64::from(self.rtt.srtt_us >> 3));
        let Some(x) = &mut self.xfer else { return };
        let may = flight > 0
            && sack_ok
            && x.ca.is_calm()
            && x.sacked.is_empty()
            && !x.probed
            && srtt > Duration::ZERO;
        x.pto_at = Instant::FAR;
        if may {
            let wait = 2 * srtt + if lone { LONE } else { TIMEOUT_MIN };
            let at = now + wait;
            if at < x.rto_at {
                x.pto_at = at;
            }
        }
    }

    /// The tail went unanswered: send something that draws an ACK.
    pub(super) fn on_probe(&mut self, cx: &mut Ctx<'_>) {
        let rto = self.rtt.rto();
        let Some(x) = &mut self.xfer else { return };
        x.pto_at = Instant::FAR;
        if !x.ca.is_calm() || !x.sacked.is_empty() {
            return;
        }
        (x.probed, x.probe_tail) = (true, true);
        x.rto_at = cx.now + rto;
        cx.mib.inc(Counter::TcpLossProbes);
    }

    /// What the probe sends when no new data may leave: the last segment again, which is shorter than it was when SACK
    /// blocks stand beside it now.
    pub(super) fn tail(&self) -> (Seq, u32) {
        let len = (self.snd.nxt - self.snd.una).min(self.send_mss());
        (self.snd.nxt - len, len)
    }

    /// Something later than a hole has arrived: unless the hole fills within the reordering window, it is lost.
    pub(super) fn arm_reordering(&mut self, now: Instant) {
        let window = Duration::from_micros(u64::from(self.rtt.srtt_us >> 5)).max(REO_MIN);
        let una = self.snd.una;
        let Some(x) = &mut self.xfer else { return };
        let highest = x
            .sacked
            .iter()
            .next_back()
            .map(|(a, _)| una + (a - x.una64) as u32)
            .filter(|edge| edge.after(x.lost_edge));
        match highest {
            None => x.reo_at = Instant::FAR,
            Some(edge) if x.reo_at == Instant::FAR || !x.reo_edge.after(una) => {
                (x.reo_at, x.reo_edge) = (now + window, edge);
            }
            // What was overtaken since then has its own window.
            Some(_) => {}
        }
    }

    /// The reordering window is over.
    pub(super) fn on_reordering(&mut self, cx: &mut Ctx<'_>) {
        let Some(x) = &mut self.xfer else { return };
        x.reo_at = Instant::FAR;
        if x.sacked.is_empty() {
            return;
        }
        x.lost_edge = x.lost_edge.max(x.reo_edge);
        self.recovery(cx, 0, false, false);
        self.arm_reordering(cx.now);
    }

    /// What was sent after the first hole was sent again has arrived, but the hole is open: send it once more.
    pub(super) fn find_lost_retransmission(&mut self, cx: &mut Ctx<'_>) {
        let (una, mss) = (self.snd.una, u64::from(self.mss));
        let Some(x) = &mut self.xfer else { return };
        if x.ca.is_calm() || x.high_rxt == una {
            return;
        }
        let mark = x.una64 + u64::from(x.rxt_mark.distance(una));
        if x.sacked
            .iter()
            .next_back()
            .is_some_and(|(_, end)| end > mark + 2 * mss)
        {
            x.high_rxt = una;
            x.rxt_mark = self.snd.nxt;
            cx.mib.inc(Counter::TcpLostRetransmit);
        }
    }
}

impl Tcb {
    /// A D-SACK: the peer had these bytes already, so that they had been late, not lost. Once every segment of a
    /// recovery was needless the reduction is taken back (RFC 3708; Linux `tcp_try_undo_dsack`).
    pub(super) fn needless(&mut self, cx: &mut Ctx<'_>, from: Seq, len: u32) {
        let mss = u32::from(self.mss.max(1));
        let Some(x) = &mut self.xfer else { return };
        let Some(undo) = x.undo.as_deref_mut().filter(|u| from.at_or_after(u.from)) else {
            return;
        };
        undo.retrans = undo.retrans.saturating_sub(len.div_ceil(mss));
        if undo.retrans > 0 {
            return;
        }
        self.cwnd = self.cwnd.max(undo.cwnd);
        self.ssthresh = self.ssthresh.max(undo.ssthresh);
        x.undo = None;
        if x.ca == CaState::Recovery {
            x.ca = CaState::Open;
        }
        cx.mib.inc(Counter::TcpDsackUndo);
        x.saw_reordering(cx);
    }
}

impl Transfer {
    /// Something that was overtaken arrived although it was not sent again.
    pub(super) fn saw_reordering(&mut self, cx: &mut Ctx<'_>) {
        self.reordered = true;
        cx.mib.inc(Counter::TcpSackReorder);
    }
}
