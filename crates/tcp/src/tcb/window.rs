//! The window that we offer (Linux `tcp_select_initial_window`, `__tcp_select_window`; docs/linux/receive-window.md).

use super::receive::Rx;
use super::{Ctx, Segment, Tcb};
use crate::sysctls::Sysctls;
use hearken_abi::{Counter, TcpState};

/// The least that TCP_WINDOW_CLAMP sets: half of the least SO_RCVBUF.
pub(super) const CLAMP_MIN: u32 = 1152;

/// The window of a SYN or SYN-ACK and our scale, for a receive buffer of `rcvbuf` bytes (`None`: not set by the program)
/// and segments of `mss` bytes. `clamp`: TCP_WINDOW_CLAMP, 0 for none.
pub fn initial_window(
    sysctls: &Sysctls,
    rcvbuf: Option<u32>,
    clamp: u32,
    mss: u16,
    wscale_ok: bool,
) -> (u32, u8) {
    let mss = u32::from(mss.max(1));
    let full = rcvbuf.unwrap_or(sysctls.tcp_rmem[1]) / 2;
    let mut clamp = if clamp == 0 { 65535 << 14 } else { clamp };
    if rcvbuf.is_some() {
        clamp = clamp.min(full);
    }
    let mut space = full.min(clamp);
    if space > mss {
        space -= space % mss;
    }
    let most = if sysctls.tcp_workaround_signed_windows != 0 {
        32767
    } else {
        65535
    };
    let wnd = space.min(most);
    let mut scale = 0;
    if wscale_ok {
        // Room for the largest buffer that the connection may grow to.
        let room = space
            .max(sysctls.tcp_rmem[2])
            .max(sysctls.rmem_max)
            .min(clamp);
        scale = (room.max(1).ilog2().saturating_sub(15)).min(14) as u8;
    }
    (wnd, scale)
}

impl Tcb {
    /// Bytes of the told window that the peer has not used.
    pub fn rcv_window(&self) -> u32 {
        (self.rcv.wup + self.rcv.wnd).distance(self.rcv.nxt)
    }

    /// What SYN-ACK and handshake leave of `rcv_mss` (`tcp_initialize_rcv_mss`).
    pub(super) fn first_rcv_mss(&self) -> u16 {
        let hint = u32::from(self.advmss.min(self.mss)).min(self.rcv.wnd / 2);
        hint.clamp(88, 536) as u16
    }

    /// The largest payload that the peer may send; the receive side begins from it.
    pub fn set_advmss(&mut self, cx: &Ctx<'_>, advmss: u16) {
        self.advmss = advmss;
        self.rcv_mss = self.first_rcv_mss();
        self.begin_receiving(cx);
    }

    /// The receive side begins, with the options of now (`tcp_init_buffer_space`).
    pub fn begin_receiving(&mut self, cx: &Ctx<'_>) {
        let clamp = self.knobs().window_clamp;
        if let Some(x) = &self.xfer {
            let set = Some((x.rcvbuf_locked, clamp));
            let mut rx = Rx::new(self, cx.now, cx.sysctls, x.rcvbuf, set);
            rx.space_seq = self.rcv.nxt - x.recv.ready() as u32;
            self.xfer(cx).rx = rx;
        }
    }

    /// The window that memory allows now (`__tcp_select_window`).
    pub(super) fn select_window(&mut self, cx: &Ctx<'_>) -> u32 {
        let s = cx.sysctls;
        let (scale, told, rcv_mss) = (self.rcv_wscale(), self.rcv.wnd, self.rcv_mss);
        let unit = 1i64 << scale;
        let x = self.xfer(cx);
        let free = x.rx.win(i64::from(x.rcvbuf) - i64::from(x.recv.charged()));
        let allowed = x.rx.win(i64::from(x.rcvbuf));
        let full = allowed.min(i64::from(x.rx.clamp));
        let mss = i64::from(rcv_mss).min(full);
        if mss <= 0 {
            return 0;
        }
        let shrink = s.tcp_shrink_window != 0 && scale > 0;
        let mut free = free;
        if shrink {
            free &= -unit;
        }
        if free < full >> 1 {
            x.rx.quick = 0;
            free &= -unit;
            // RFC 9293 3.8.6.2.2: silly windows are not offered.
            if free < allowed >> 4 || free < mss || shrink && free < unit {
                return 0;
            }
        }
        let earned = i64::from(x.rx.ssthresh);
        if scale > 0 {
            // Rounded up: what the scale cuts off would move the right edge back (RFC 7323 2.4).
            let w = free.min(earned);
            return if shrink && free <= earned {
                w as u32
            } else {
                ((w + unit - 1) & -unit) as u32
            };
        }
        free = free.min(earned);
        let told = i64::from(told);
        let window = if told <= free - mss || told > free {
            free / mss * mss
        } else if mss == full && free > told + (full >> 1) {
            free
        } else {
            told
        };
        window as u32
    }

    /// The window that the segment which leaves now tells, unscaled: never less than was told, unless
    /// tcp_shrink_window lets it (`tcp_select_window`).
    pub(super) fn tell_window(&mut self, cx: &mut Ctx<'_>) -> u32 {
        let before = self.rcv.wnd;
        let scale = self.rcv_wscale();
        let s = cx.sysctls;
        if self.xfer(cx).rx.pending & Rx::NOMEM != 0 {
            (self.rcv.wnd, self.rcv.wup) = (0, self.rcv.nxt);
            return 0;
        }
        let current = self.rcv_window();
        let mut window = self.select_window(cx);
        if window < current && (s.tcp_shrink_window == 0 || scale == 0) {
            if window == 0 {
                cx.mib.inc(Counter::TcpWantZeroWindowAdv);
            }
            window = current.next_multiple_of(1 << scale);
        }
        (self.rcv.wnd, self.rcv.wup) = (window, self.rcv.nxt);
        let most = if scale == 0 && s.tcp_workaround_signed_windows != 0 {
            32767
        } else {
            65535 << scale
        };
        let wire = window.min(most) >> scale;
        if wire == 0 && before > 0 {
            cx.mib.inc(Counter::TcpToZeroWindowAdv);
        } else if wire > 0 && before == 0 {
            cx.mib.inc(Counter::TcpFromZeroWindowAdv);
        }
        wire
    }

    /// Whether a packet `distance` beyond what is expected finds room; if need be by packing what is held, and at the cost of what lies beyond a hole
    /// (`tcp_try_rmem_schedule`, `tcp_prune_queue`).
    pub(super) fn make_room(&mut self, cx: &mut Ctx<'_>, distance: u32) -> bool {
        let rmem_max = cx.sysctls.tcp_rmem[2];
        let adv = u32::from(self.advmss);
        let x = self.xfer(cx);
        let fits = |x: &super::Transfer| x.recv.charged() <= x.rcvbuf;
        if fits(x) {
            return true;
        }
        cx.mib.inc(Counter::PruneCalled);
        // `tcp_clamp_window`
        x.rx.quick = 0;
        if x.rcvbuf < rmem_max && !x.rcvbuf_locked {
            x.rcvbuf = x.recv.charged().min(rmem_max);
        }
        if x.recv.charged() > x.rcvbuf {
            x.rx.ssthresh = x.rx.clamp.min(2 * adv);
        }
        if fits(x) {
            return true;
        }
        let rx = x.rx;
        let packed = x
            .recv
            .collapse(|truesize, len| rx.win(i64::from(truesize)) > i64::from(len));
        cx.mib.add(Counter::TcpRcvCollapsed, u64::from(packed));
        if fits(x) {
            return true;
        }
        // What lies further out than the packet that comes, an eighth of the buffer at a time.
        let (mut dropped, mut goal) = (false, 0);
        while goal > 0 || !fits(x) {
            let Some(gone) = x.recv.drop_last_ahead(distance) else {
                break;
            };
            dropped = true;
            if goal <= 0 {
                goal = i64::from(x.rcvbuf >> 3);
            }
            goal -= i64::from(gone);
        }
        if dropped {
            cx.mib.inc(Counter::OfoPruned);
            // Nothing holds any more of what the peer was told (`tcp_sack_reset`).
            x.recent.clear();
        }
        if fits(x) {
            return true;
        }
        cx.mib.inc(Counter::RcvPruned);
        false
    }

    /// A segment earns window (`tcp_grow_window`).
    pub(super) fn grow_window(&mut self, cx: &Ctx<'_>, seg: &Segment<'_>, len: u32, adjust: bool) {
        let sizes = (u32::from(self.rcv_mss), u32::from(self.advmss));
        let x = self.xfer(cx);
        let mut free = i64::from(x.rcvbuf) - i64::from(x.recv.charged());
        if !adjust {
            // Beyond a hole the packet is judged before it is charged.
            free += i64::from(seg.charge.truesize);
        }
        // What has only headers in its head is judged by the payload's memory.
        let truesize = match seg.charge.payload() {
            Some(n) if adjust && n >= len => n,
            _ => seg.charge.truesize,
        };
        x.rx.grow(cx.sysctls, (len, truesize), sizes, free);
    }

    /// The program read up to here: the buffer grows when it keeps pace (`tcp_rcv_space_adjust`, 6.18).
    fn space_adjust(&mut self, cx: &Ctx<'_>) {
        let now = cx.now;
        let fin = matches!(
            self.state,
            TcpState::CloseWait | TcpState::LastAck | TcpState::Closing
        );
        let nxt = self.rcv.nxt - u32::from(fin);
        let Some(x) = &mut self.xfer else { return };
        let unread = x.recv.ready() as u32;
        let rtt = x.rx.rtt8 >> 3;
        if rtt == 0 || now.micros_since(x.rx.space_at) < rtt {
            return;
        }
        let read_to = nxt - unread;
        let read = (read_to - x.rx.space_seq).saturating_sub(unread);
        if read > x.rx.space {
            self.grow_rcvbuf(cx, read);
        }
        let Some(x) = &mut self.xfer else { return };
        (x.rx.space_seq, x.rx.space_at) = (read_to, now);
    }

    /// `tcp_rcvbuf_grow`, 6.18.
    pub(super) fn grow_rcvbuf(&mut self, cx: &Ctx<'_>, read: u32) {
        let s = cx.sysctls;
        let Some(x) = &mut self.xfer else { return };
        if s.tcp_moderate_rcvbuf == 0 || x.rcvbuf_locked {
            x.rx.space = read;
            return;
        }
        let ahead = x.recv.highest().unwrap_or(0);
        let rcvbuf = x.rx.rcvbuf_for(s, read, ahead);
        if rcvbuf > x.rcvbuf {
            x.rcvbuf = rcvbuf;
            x.rx.clamp = x.rx.win(i64::from(rcvbuf)) as u32;
        }
    }

    /// The program read `n` bytes.
    pub(super) fn after_read(&mut self, cx: &mut Ctx<'_>, n: usize) {
        if n > 0 {
            self.space_adjust(cx);
            self.clean_rbuf(cx, n);
        }
    }

    /// The program read: tell the peer when an ACK is owed that waited for this, or when the window has doubled
    /// (`tcp_cleanup_rbuf`).
    pub(super) fn clean_rbuf(&mut self, cx: &mut Ctx<'_>, n: usize) {
        let owed = self.rcv.nxt - self.rcv.wup;
        let rcv_mss = u32::from(self.rcv_mss);
        let thresh = cx.sysctls.tcp_pingpong_thresh;
        let Some(x) = &self.xfer else { return };
        let rx = &x.rx;
        let has = |bit| rx.pending & bit != 0;
        let short = has(Rx::PUSHED2) || has(Rx::PUSHED) && rx.pingpong < thresh;
        let empty = x.recv.charged() == 0;
        if has(Rx::SCHED) && (owed > rcv_mss || n > 0 && short && empty) {
            self.flags |= Self::ACK_NOW;
            return;
        }
        if n == 0 || self.has(Self::RCV_SHUT) {
            return;
        }
        let told = self.rcv_window();
        if u64::from(told) * 2 > u64::from(rx.clamp) {
            return;
        }
        let window = self.select_window(cx);
        if window > 0 && window >= 2 * told {
            self.flags |= Self::ACK_NOW;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initial_window_at_mtu_1500_is_linux_s() {
        let s = Sysctls::default();
        assert_eq!(initial_window(&s, None, 0, 1448, true), (65160, 7));
        assert_eq!(initial_window(&s, None, 0, 1460, true), (64240, 7));
        assert_eq!(initial_window(&s, None, 0, 1428, true), (64260, 7));
        assert_eq!(initial_window(&s, None, 0, 1440, false), (64800, 0));
    }
}
