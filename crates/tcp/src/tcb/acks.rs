//! When ACKs leave: at once, together with others, or with data (Linux `tcp_input.c`'s `icsk_ack`, 6.18;
//! docs/linux/segments.md).

use super::receive::Rx;
use super::{Ctx, Segment, Tcb, Transfer};
use crate::Instant;
use core::time::Duration;
use hearken_abi::Counter;

/// Linux's `TCP_ATO_MIN` and `TCP_DELACK_MIN`: how long an ACK may wait for company.
pub(super) const ATO_MIN_US: u32 = 40_000;
/// Linux's `TCP_DELACK_MAX`.
const DELACK_MAX_US: u32 = 200_000;
/// Linux's `TCP_MAX_QUICKACKS`.
pub(super) const MAX_QUICK: u8 = 16;
/// One tick of the measured kernel's clock.
const JIFFY: Duration = Duration::from_millis(4);
/// Duplicate ACKs for a hole that are never held back: a sender needs so many (Linux `TCP_FASTRETRANS_THRESH`).
const DUP_THRESH: u8 = 3;

impl Tcb {
    /// An ACK is owed.
    pub(super) fn schedule_ack(&mut self, cx: &Ctx<'_>) {
        self.xfer(cx).rx.pending |= Rx::SCHED;
    }

    /// At least so many ACKs, or half a window of segments if that is fewer, leave at once (`tcp_incr_quickack`).
    fn incr_quick(&mut self, cx: &Ctx<'_>, most: u8) {
        let n = self.rcv.wnd / (2 * u32::from(self.rcv_mss.max(1)));
        let n = if n == 0 { 2 } else { n }.min(u32::from(most)) as u8;
        let rx = &mut self.xfer(cx).rx;
        rx.quick = rx.quick.max(n);
    }

    /// ACKs leave at once for a while (`tcp_enter_quickack_mode`).
    pub(super) fn enter_quick(&mut self, cx: &Ctx<'_>, most: u8) {
        self.incr_quick(cx, most);
        let rx = &mut self.xfer(cx).rx;
        (rx.pingpong, rx.ato) = (0, ATO_MIN_US);
    }

    /// ACKs wait for data to ride on (`inet_csk_enter_pingpong_mode`).
    pub(super) fn enter_pingpong(&mut self, cx: &Ctx<'_>) {
        self.xfer(cx).rx.pingpong = cx.sysctls.tcp_pingpong_thresh;
    }

    /// Data came: how long the next ACK may wait is learnt from the time between (`tcp_event_data_recv`).
    pub(super) fn note_data(&mut self, cx: &mut Ctx<'_>, seg: &Segment<'_>, len: u32) {
        self.schedule_ack(cx);
        let (now, rto) = (cx.now, self.rtt.rto());
        let (nxt, wnd) = (self.rcv.nxt, self.rcv.wnd);
        self.measure(cx, seg, len);
        let all_read = self.readable() == 0;
        if !self.has(Self::TSTAMP_OK) {
            let rx = &mut self.xfer(cx).rx;
            rx.rtt_by_window(now, nxt, wnd, all_read);
        }
        let since = now.since(self.xfer(cx).rx.data_at);
        let ato = self.xfer(cx).rx.ato;
        let gap = since.as_micros().min(u128::from(u32::MAX)) as u32;
        if ato == 0 {
            self.incr_quick(cx, MAX_QUICK);
            self.xfer(cx).rx.ato = ATO_MIN_US;
        } else if gap <= ATO_MIN_US / 2 {
            self.xfer(cx).rx.ato = (ato >> 1) + ATO_MIN_US / 2;
        } else if gap < ato {
            let most = rto.as_micros() as u32;
            self.xfer(cx).rx.ato = ((ato >> 1) + gap).min(most);
        } else if since > rto {
            // After a silence the sender begins anew and wants to hear soon.
            self.incr_quick(cx, MAX_QUICK);
        }
        self.xfer(cx).rx.data_at = now;
        if self.ecn_check(seg) {
            self.enter_quick(cx, 2);
        }
        if len >= 128 {
            self.grow_window(cx, seg, len, true);
        }
    }

    /// What the peer's segments are like: their size, and how much memory they waste (`tcp_measure_rcv_mss`).
    pub(super) fn measure(&mut self, cx: &Ctx<'_>, seg: &Segment<'_>, len: u32) {
        let (rcv_mss, adv) = (u32::from(self.rcv_mss), u32::from(self.advmss));
        let wnd = self.rcv.wnd;
        let header = if self.has(Self::TSTAMP_OK) { 32 } else { 20 };
        let x = self.xfer(cx);
        let sizes = (len, seg.charge.truesize);
        let buffer = (x.rcvbuf, wnd);
        let size = x.rx.measure(seg, sizes, (rcv_mss, adv), buffer, header);
        self.rcv_mss = size as u16;
    }

    /// An answer that leaves soon after data makes the session interactive (`tcp_event_data_sent`).
    pub(super) fn note_data_sent(x: &mut Transfer, now: Instant) {
        let gap = now.since(x.rx.data_at);
        if gap < Duration::from_micros(u64::from(x.rx.ato)) {
            x.rx.pingpong = x.rx.pingpong.saturating_add(1);
        }
    }

    /// A segment with an ACK leaves: what was owed is paid (`tcp_event_ack_sent`).
    pub(super) fn note_ack_sent(x: &mut Transfer, cx: &mut Ctx<'_>) {
        let rx = &mut x.rx;
        if rx.compressed > 0 {
            cx.mib
                .add(Counter::TcpAckCompressed, u64::from(rx.compressed));
            rx.compressed = 0;
            rx.comp_at = Instant::FAR;
        }
        if rx.pending & Rx::SCHED != 0 && rx.quick > 0 {
            rx.quick -= 1;
            if rx.quick == 0 {
                rx.ato = ATO_MIN_US;
            }
        }
        rx.pending = 0;
        x.delack_at = Instant::FAR;
    }

    fn in_pingpong(rx: &Rx, cx: &Ctx<'_>) -> bool {
        rx.pingpong >= cx.sysctls.tcp_pingpong_thresh
    }

    /// Whether the ACK that is owed leaves now (`__tcp_ack_snd_check`).
    pub(super) fn ack_snd_check(&mut self, cx: &mut Ctx<'_>) {
        if self.has(Self::ACK_NOW) {
            return;
        }
        let owed = self.rcv.nxt - self.rcv.wup;
        let (rcv_mss, told) = (u32::from(self.rcv_mss), self.rcv.wnd);
        let Some(x) = self.xfer.as_ref().filter(|x| x.rx.pending & Rx::SCHED != 0) else {
            return;
        };
        let holes = x.recv.has_holes();
        // More than a full segment, and the program has read enough for the window to move on.
        let full = owed > rcv_mss && (self.readable() == 0 || self.select_window(cx) >= told);
        let Some(x) = &self.xfer else { return };
        let quick = x.rx.quick > 0 && !Self::in_pingpong(&x.rx, cx);
        if full || quick || x.rx.pending & Rx::NOW != 0 {
            self.flags |= Self::ACK_NOW;
        } else if holes {
            self.compress_ack(cx);
        } else {
            self.delay_ack(cx);
        }
    }

    /// ACKs for a hole, beyond the first few, are sent together (`tcp_comp_sack_*`).
    fn compress_ack(&mut self, cx: &mut Ctx<'_>) {
        let (sack, nxt, srtt) = (self.has(Self::SACK_OK), self.rcv.nxt, self.rtt.srtt_us);
        let s = cx.sysctls;
        let x = self.xfer(cx);
        let rx = &mut x.rx;
        let mut hold = sack && rx.compressed < s.tcp_comp_sack_nr;
        if hold {
            if rx.dups_at != nxt {
                (rx.dups_at, rx.dups) = (nxt, 0);
            }
            if rx.dups < DUP_THRESH {
                rx.dups += 1;
                hold = false;
            }
        }
        if !hold {
            self.flags |= Self::ACK_NOW;
            return;
        }
        rx.compressed += 1;
        if rx.comp_at != Instant::FAR {
            return;
        }
        // A twentieth of the round trip; both estimates are kept times eight.
        let mut rtt = rx.rtt8;
        if srtt != 0 && srtt < rtt {
            rtt = srtt;
        }
        let wait = (u64::from(rtt) * 125 / 20).min(s.tcp_comp_sack_delay_ns);
        rx.comp_at = cx.now + Duration::from_nanos(wait);
        self.rearm();
    }

    /// The ACK may wait (`tcp_send_delayed_ack`).
    fn delay_ack(&mut self, cx: &mut Ctx<'_>) {
        let (srtt, now) = (self.rtt.srtt_us >> 3, cx.now);
        let x = self.xfer(cx);
        let mut ato = x.rx.ato;
        if ato > ATO_MIN_US {
            let patient = Self::in_pingpong(&x.rx, cx) || x.rx.pending & Rx::PUSHED != 0;
            let mut most = if patient { DELACK_MAX_US } else { 500_000 };
            if srtt > 0 {
                most = most.min(srtt.max(ATO_MIN_US));
            }
            ato = ato.min(most);
        }
        let ato = Duration::from_micros(u64::from(ato.min(DELACK_MAX_US)));
        if x.delack_at != Instant::FAR && x.delack_at <= now + ato / 4 {
            self.flags |= Self::ACK_NOW;
            return;
        }
        // Nothing is known of the sender's pace yet: the timer's next tick sends it.
        x.delack_at = x.delack_at.min(now + ato.max(JIFFY));
        self.rearm();
    }

    /// The timer of a delayed ACK, or of compressed ones (`tcp_delack_timer_handler`, `tcp_compressed_ack_kick`).
    pub(super) fn on_ack_timer(&mut self, cx: &mut Ctx<'_>) {
        let rto = self.rtt.rto().as_micros() as u32;
        let Some(x) = &mut self.xfer else { return };
        if x.rx.comp_at <= cx.now {
            x.rx.comp_at = Instant::FAR;
            if x.rx.compressed > 0 {
                // One of them is sent after all.
                x.rx.compressed -= 1;
                self.flags |= Self::ACK_NOW;
            }
        }
        let Some(x) = self.xfer.as_mut().filter(|x| x.delack_at <= cx.now) else {
            return;
        };
        x.delack_at = Instant::FAR;
        if x.rx.pending & Rx::SCHED == 0 {
            return;
        }
        if Self::in_pingpong(&x.rx, cx) {
            // Nothing came to ride on: ACKs hurry again.
            (x.rx.pingpong, x.rx.ato) = (0, ATO_MIN_US);
        } else {
            x.rx.ato = (x.rx.ato << 1).min(rto);
        }
        cx.mib.inc(Counter::DelayedAcks);
        self.flags |= Self::ACK_NOW;
    }

    /// TCP_QUICKACK as it stands.
    pub fn quick_ack(&self, thresh: u8) -> bool {
        self.xfer.as_ref().is_none_or(|x| x.rx.pingpong < thresh)
    }

    /// TCP_QUICKACK: 0 makes ACKs wait for data to ride on; others end that, and an ACK that waits leaves if the program
    /// has read all. An even number is for this once.
    pub fn set_quick_ack(&mut self, cx: &mut Ctx<'_>, value: i32) {
        if value == 0 {
            return self.enter_pingpong(cx);
        }
        let open = matches!(
            self.state,
            hearken_abi::TcpState::Established | hearken_abi::TcpState::CloseWait
        );
        let rx = &mut self.xfer(cx).rx;
        rx.pingpong = 0;
        if open && rx.pending & Rx::SCHED != 0 {
            rx.pending |= Rx::PUSHED;
            self.clean_rbuf(cx, 1);
            if value & 1 == 0 {
                self.enter_pingpong(cx);
            }
        }
    }
}
