//! What a connection keeps for its receive side: how large a window the buffer allows, how it grows, and when ACKs
//! leave (docs/linux/receive-window.md, docs/linux/segments.md).

use super::{Segment, Tcb};
use crate::Instant;
use crate::seq::Seq;
use crate::sysctls::Sysctls;
use hearken_wire::Flags;

/// Linux's `TCP_DEFAULT_SCALING_RATIO`, of 256: half of the memory is payload.
pub(super) const RATIO: u8 = 128;
/// The largest window at the largest scale.
const WINDOW_MAX: u32 = 65535 << 14;

/// The receive side of a connection (the parts of Linux's `tcp_sock` and `icsk_ack` that deal with it).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rx {
    /// How much of the memory is payload, of 256 (`scaling_ratio`).
    pub(crate) ratio: u8,
    /// The largest window now (`window_clamp`).
    pub(crate) clamp: u32,
    /// The window that has been earned so far (`rcv_ssthresh`).
    pub(crate) ssthresh: u32,
    /// Bytes that the program read in a round trip (`rcvq_space`), and where and when it began.
    pub(crate) space: u32,
    pub(crate) space_seq: Seq,
    pub(crate) space_at: Instant,
    /// Eight times the round trip as the receiver sees it, in microseconds (`rcv_rtt_est`).
    pub(crate) rtt8: u32,
    rtt_seq: Seq,
    rtt_at: Instant,
    tsecr: u32,
    /// ACKs that are not delayed (`quick`).
    pub(crate) quick: u8,
    /// Answers given in time (`pingpong`).
    pub(crate) pingpong: u8,
    /// `Rx::*` bits (`icsk_ack.pending`).
    pub(crate) pending: u8,
    /// How long an ACK waits, in microseconds; 0 before any data (`ato`).
    pub(crate) ato: u32,
    /// When data came last (`lrcvtime`).
    pub(crate) data_at: Instant,
    last_seg: u16,
    /// ACKs for a hole that one will stand for (`compressed_ack`).
    pub(crate) compressed: u8,
    pub(crate) dups: u8,
    pub(crate) dups_at: Seq,
    pub(crate) comp_at: Instant,
    /// Packets that came beyond a hole (`rcv_ooopack`).
    pub(crate) ooopack: u32,
}

impl Rx {
    /// An ACK is owed.
    pub(crate) const SCHED: u8 = 1;
    /// A short segment came, or a pushed one.
    pub(crate) const PUSHED: u8 = 2;
    /// And another.
    pub(crate) const PUSHED2: u8 = 4;
    /// The next ACK must not wait.
    pub(crate) const NOW: u8 = 8;
    /// No memory: the window is shut.
    pub(crate) const NOMEM: u8 = 16;

    /// At the end of the handshake, with the window that the SYN or SYN-ACK offered (`tcp_select_initial_window`,
    /// `tcp_init_buffer_space`). `locked`: SO_RCVBUF was set; `clamp`: TCP_WINDOW_CLAMP.
    pub(crate) fn new(
        t: &Tcb,
        now: Instant,
        sysctls: &Sysctls,
        rcvbuf: u32,
        set: Option<(bool, u32)>,
    ) -> Self {
        let (locked, clamp) = set.unwrap_or_default();
        let adv = u32::from(t.advmss);
        let full = win_from_space(i64::from(rcvbuf), RATIO) as u32;
        let mut clamp = if clamp == 0 { WINDOW_MAX } else { clamp };
        if locked {
            clamp = clamp.min(full);
        }
        clamp = clamp.min(65535 << t.rcv_wscale());
        let app = u32::from(sysctls.tcp_app_win);
        if clamp >= full {
            clamp = full;
            if app > 0 && full > 4 * adv {
                clamp = (full - (full >> app)).max(4 * adv);
            }
        }
        if app > 0 && clamp > 2 * adv && clamp + adv > full {
            clamp = (2 * adv).max(full.saturating_sub(adv));
        }
        let ssthresh = t.rcv.wnd.min(clamp);
        Self {
            ratio: RATIO,
            clamp,
            ssthresh,
            space: ssthresh.min(10 * adv),
            space_seq: t.rcv.nxt,
            space_at: now,
            rtt8: 0,
            rtt_seq: Seq(0),
            rtt_at: Instant::FAR,
            tsecr: 0,
            quick: 0,
            pingpong: 0,
            pending: 0,
            ato: 0,
            data_at: now,
            last_seg: 0,
            compressed: 0,
            dups: 0,
            dups_at: Seq(0),
            comp_at: Instant::FAR,
            ooopack: 0,
        }
    }

    /// The payload that so much memory holds (`tcp_win_from_space`).
    pub(super) fn win(&self, space: i64) -> i64 {
        win_from_space(space, self.ratio)
    }

    /// The memory that so much payload takes (`tcp_space_from_win`).
    fn memory(&self, win: u64) -> u64 {
        (win << 8) / u64::from(self.ratio.max(1))
    }

    /// Moves the clamp, and with it the window that was earned (`tcp_set_window_clamp`).
    pub(super) fn set_clamp(&mut self, clamp: u32, rcv_wnd: u32) {
        let old = core::mem::replace(&mut self.clamp, clamp.max(super::window::CLAMP_MIN));
        if self.clamp < old {
            self.ssthresh = self.ssthresh.min(self.clamp);
        } else if self.clamp > old {
            self.ssthresh = self.ssthresh.max(rcv_wnd.min(self.clamp));
        }
    }

    /// The size of what comes, and what of its memory is payload (`tcp_measure_rcv_mss`). `header`: of our own segments.
    pub(super) fn measure(
        &mut self,
        seg: &Segment<'_>,
        (len, truesize): (u32, u32),
        (rcv_mss, adv): (u32, u32),
        (rcvbuf, rcv_wnd): (u32, u32),
        header: u32,
    ) -> u32 {
        let last = core::mem::take(&mut self.last_seg);
        let size = if seg.gso_size == 0 {
            len
        } else {
            u32::from(seg.gso_size)
        };
        let pushed = seg.flags.contains(Flags::PSH);
        if size >= rcv_mss {
            if size != rcv_mss {
                let ratio =
                    ((u64::from(len) << 8) / u64::from(truesize.max(1))).clamp(1, 255) as u8;
                if ratio != self.ratio {
                    self.ratio = ratio;
                    let full = self.win(i64::from(rcvbuf)) as u32;
                    self.set_clamp(full, rcv_wnd);
                }
            }
            if pushed {
                self.pending |= Self::PUSHED;
            }
            return size.min(adv);
        }
        let whole = size + u32::from(seg.header);
        let odd = seg.flags.contains(Flags::FIN)
            || seg.flags.contains(Flags::SYN)
            || seg.flags.contains(Flags::URG)
            || pushed;
        if whole >= 536 + 20 || whole >= 88 + 20 && !odd {
            // SACK blocks make segments of one size differ: what the header leaves is compared.
            let body = whole - header;
            self.last_seg = body as u16;
            if body == u32::from(last) {
                return body;
            }
        }
        if self.pending & Self::PUSHED != 0 {
            self.pending |= Self::PUSHED2;
        }
        self.pending |= Self::PUSHED;
        rcv_mss
    }

    /// A segment earns more window, if its like would fit the buffer (`tcp_grow_window`).
    pub(super) fn grow(
        &mut self,
        sysctls: &Sysctls,
        (len, truesize): (u32, u32),
        (rcv_mss, adv): (u32, u32),
        free: i64,
    ) {
        let room = i64::from(self.clamp).min(self.win(free)) - i64::from(self.ssthresh);
        if room <= 0 {
            return;
        }
        let by = if self.win(i64::from(truesize)) <= i64::from(len) {
            2 * adv
        } else {
            self.grow_slowly(sysctls, len, truesize, rcv_mss)
        };
        if by > 0 {
            self.ssthresh += i64::from(by.max(2 * len)).min(room) as u32;
            self.quick |= 1;
        }
    }

    /// Segments that waste memory earn window only while it is small (`__tcp_grow_window`).
    fn grow_slowly(&self, sysctls: &Sysctls, len: u32, truesize: u32, rcv_mss: u32) -> u32 {
        let mut cost = self.win(i64::from(truesize)) >> 1;
        let mut window = self.win(i64::from(sysctls.tcp_rmem[2])) >> 1;
        while i64::from(self.ssthresh) <= window {
            if cost <= i64::from(len) {
                return 2 * rcv_mss;
            }
            cost >>= 1;
            window >>= 1;
        }
        0
    }

    /// A round trip by how long a window takes to arrive (`tcp_rcv_rtt_measure`).
    pub(super) fn rtt_by_window(&mut self, now: Instant, nxt: Seq, wnd: u32, all_read: bool) {
        if self.rtt_at != Instant::FAR {
            if nxt.before(self.rtt_seq) {
                return;
            }
            self.rtt_sample(now.micros_since(self.rtt_at).max(1), true, all_read);
        }
        (self.rtt_seq, self.rtt_at) = (nxt + wnd, now);
    }

    /// A round trip by an echoed timestamp, once for each (`tcp_rcv_rtt_measure_ts`).
    pub(super) fn rtt_by_echo(&mut self, ecr: u32, sample: Option<u32>, all_read: bool) {
        if core::mem::replace(&mut self.tsecr, ecr) != ecr
            && let Some(us) = sample.filter(|us| *us > 0)
        {
            self.rtt_sample(us, false, all_read);
        }
    }

    /// `tcp_rcv_rtt_update`, 6.18.
    fn rtt_sample(&mut self, us: u32, by_window: bool, all_read: bool) {
        let eight = us.min(u32::MAX >> 4) << 3;
        self.rtt8 = if self.rtt8 == 0 || eight < self.rtt8 {
            eight
        } else if by_window || !all_read {
            return;
        } else {
            self.rtt8 - (self.rtt8 >> 3) + us
        };
    }

    /// The receive buffer that `read` bytes in a round trip call for: as much again for the round trip that has gone by
    /// meanwhile, and more while the sender's rate grows (`tcp_rcvbuf_grow`, 6.18). `ahead`: how far beyond the hole data
    /// has come.
    pub(super) fn rcvbuf_for(&mut self, sysctls: &Sysctls, read: u32, ahead: u32) -> u32 {
        let old = u64::from(core::mem::replace(&mut self.space, read).max(1));
        let mut window = u64::from(read) << 1;
        let grown = u64::from(read).saturating_sub(old);
        window += (window.saturating_mul(grown) / old) << 1;
        window += u64::from(ahead);
        let most = u64::from(sysctls.tcp_rmem[2]);
        self.memory(window.min(1 << 40)).min(most) as u32
    }
}

fn win_from_space(space: i64, ratio: u8) -> i64 {
    (space * i64::from(ratio)) >> 8
}
