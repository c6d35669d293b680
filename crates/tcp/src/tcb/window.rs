//! The window that we offer (Linux `tcp_select_initial_window`, `__tcp_select_window`).

use super::{Ctx, Tcb};
use crate::sysctls::Sysctls;
use core::time::Duration;

/// The part of a receive buffer that is offered as window: the rest pays for overhead. Half, as Linux's
/// `TCP_DEFAULT_SCALING_RATIO` gives before traffic has shown another ratio.
const fn window_of(rcvbuf: u32) -> u32 {
    rcvbuf / 2
}

/// The window of a SYN or SYN-ACK and our scale, for a receive buffer of `rcvbuf` bytes and segments of `mss` bytes.
/// `clamp`: TCP_WINDOW_CLAMP, 0 for none.
pub fn initial_window(
    sysctls: &Sysctls,
    rcvbuf: u32,
    clamp: u32,
    mss: u16,
    wscale_ok: bool,
) -> (u32, u8) {
    let mss = u32::from(mss.max(1));
    let clamp = if clamp == 0 { u32::MAX } else { clamp };
    let mut space = window_of(rcvbuf).min(clamp);
    if space > mss {
        space -= space % mss;
    }
    let wnd = space.min(65535);
    let mut scale = 0;
    if wscale_ok {
        // Room for the largest buffer that the connection may grow to.
        let mut most = space.max(sysctls.tcp_rmem[2]).max(sysctls.rmem_max);
        if rcvbuf != sysctls.tcp_rmem[1] {
            most = space;
        }
        most = most.min(clamp);
        while most > 65535 && scale < 14 {
            most >>= 1;
            scale += 1;
        }
    }
    (wnd, scale)
}

impl Tcb {
    /// Bytes of the told window that the peer has not used.
    pub fn rcv_window(&self) -> u32 {
        (self.rcv.wup + self.rcv.wnd).distance(self.rcv.nxt)
    }

    /// The window that could be told now, never less than was told, a multiple of our scale.
    pub(super) fn new_window(&self, sysctls: &Sysctls) -> u32 {
        // Rounded up: what the scale cuts off would move the right edge back (RFC 9293 3.8.6, RFC 7323 2.4).
        let unit = 1u32 << self.rcv_wscale();
        let told = self.rcv_window().next_multiple_of(unit);
        let (rcvbuf, charged) = self.xfer.as_ref().map_or((sysctls.tcp_rmem[1], 0), |x| {
            (x.rcvbuf, x.recv.charged() as u32)
        });
        let clamp = match self.knobs().window_clamp {
            0 => u32::MAX,
            n => n,
        };
        let full = window_of(rcvbuf).min(clamp);
        let free = full.saturating_sub(charged);
        let mss = u32::from(self.rcv_mss).min(full);
        // RFC 9293 3.8.6.2.2: silly windows are not offered.
        if free < (full >> 4).max(unit) || free < mss {
            return told;
        }
        let offer = if self.rcv_wscale() > 0 {
            free.next_multiple_of(unit)
        } else if told <= free.saturating_sub(mss) || told > free {
            (free / mss) * mss
        } else {
            told
        };
        offer.max(told).min(65535 << self.rcv_wscale())
    }

    /// The program read `n` bytes: tell the peer when the window has grown enough to matter (Linux
    /// `__tcp_cleanup_rbuf`), and let the buffer grow when the program keeps pace (Linux `tcp_rcv_space_adjust`,
    /// without its estimate of the sender's slow start).
    pub(super) fn after_read(&mut self, cx: &mut Ctx<'_>, n: usize) {
        if n == 0 || self.has(Self::RCV_SHUT) {
            return;
        }
        let most = cx.sysctls.tcp_rmem[2];
        let rtt = Duration::from_micros(u64::from((self.rtt.srtt_us >> 3).max(100)));
        let Some(x) = &mut self.xfer else { return };
        x.drs_copied = x.drs_copied.saturating_add(n as u32);
        if cx.now >= x.drs_at + rtt {
            let want = x.drs_copied.saturating_mul(4);
            if !x.rcvbuf_locked && want > x.rcvbuf {
                x.rcvbuf = want.min(most).max(x.rcvbuf);
            }
            (x.drs_copied, x.drs_at) = (0, cx.now);
        }
        let told = self.rcv_window();
        if self.new_window(cx.sysctls) >= 2 * told.max(1) {
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
        let buf = s.tcp_rmem[1];
        assert_eq!(initial_window(&s, buf, 0, 1448, true), (65160, 7));
        assert_eq!(initial_window(&s, buf, 0, 1460, true), (64240, 7));
        assert_eq!(initial_window(&s, buf, 0, 1428, true), (64260, 7));
        assert_eq!(initial_window(&s, buf, 0, 1440, false), (64800, 0));
    }
}
