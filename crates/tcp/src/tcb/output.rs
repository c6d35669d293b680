//! What leaves: SYN, lost segments, new data, FIN, probes, ACKs (RFC 9293 3.10.7.4, 3.8; Linux `tcp_write_xmit`).

use super::{CaState, Ctx, Tcb};
use crate::Instant;
use crate::seq::Seq;
use hearken_abi::{Counter, TcpState};
use hearken_wire::Flags;
use hearken_wire::options::Options;

/// A segment to be sent; its payload is `len` bytes of the send buffer at `offset`.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// SEG.SEQ
    pub seq: Seq,
    /// SEG.ACK
    pub ack: Seq,
    /// Control bits.
    pub flags: Flags,
    /// SEG.WND as it goes on the wire.
    pub window: u16,
    /// The urgent pointer, with URG.
    pub urgent: u16,
    /// Options.
    pub options: Options,
    /// Where the payload begins, from SND.UNA.
    pub offset: usize,
    /// Bytes of payload.
    pub len: usize,
    /// Payload of one segment when this is several in one (GSO), else 0.
    pub gso_size: u16,
    /// To be marked as ECN-capable in the IP header: ECT(0).
    pub ect: bool,
}

impl Tcb {
    /// The next segment to send, at most `room` bytes of payload (the largest super-frame that the device takes; less
    /// than one MSS means one MSS). `None`: nothing may leave now.
    pub fn poll_output(&mut self, cx: &mut Ctx<'_>, room: usize) -> Option<Output> {
        match self.state {
            // What was to be sent is forgotten with the rest.
            TcpState::Close => return None,
            TcpState::SynSent | TcpState::SynRecv if self.pending().is_none() => {
                if self.has(Self::SYN_NOW) {
                    return Some(self.output_syn(cx));
                }
            }
            _ => {
                if self.has(Self::SYN_NOW)
                    && let Some(out) = self.output_pending(cx)
                {
                    return Some(out);
                }
                let out = self.output_data(cx, room);
                if out.is_some() {
                    return out;
                }
                self.arm_persist(cx);
                if let Some(x) = &mut self.xfer
                    && core::mem::take(&mut x.probe)
                {
                    return Some(self.output_probe(cx));
                }
            }
        }
        if self.has(Self::ACK_NOW) {
            let seq = self.snd.nxt;
            let flags = Flags::ACK | self.ecn_send(false).0;
            return Some(self.finish(cx, seq, flags, 0, 0, 0));
        }
        None
    }

    fn output_syn(&mut self, cx: &mut Ctx<'_>) -> Output {
        self.flags &= !Self::SYN_NOW;
        let again = self.xfer.as_ref().is_some_and(|x| x.retries > 0);
        let syn_ack = self.state == TcpState::SynRecv;
        let ecn = self.ecn_syn_flags(cx, syn_ack, again);
        let fast = self.fast_syn().filter(|_| !syn_ack);
        let sent = fast.map_or(0, |f| f.sent);
        self.snd.nxt = self.snd.una + 1 + sent;
        // Only the first SYN is a fast one.
        let len = if again { 0 } else { sent };
        let advmss = self.xfer(cx).syn_mss;
        let mut options = Options {
            mss: Some(advmss),
            fast_open: fast.filter(|_| !again).and_then(|f| f.option),
            ..Options::default()
        };
        if len > 0 {
            cx.mib.inc(Counter::TcpOrigDataSent);
        }
        options.sack_permitted = self.has(Self::SACK_OK);
        options.wscale = self.has(Self::WSCALE_OK).then_some(self.rcv_wscale());
        // Linux offers no timestamps beside a signature; a peer that offers them gets them (docs/linux/md5.md).
        options.timestamps = self.timestamps(cx);
        if syn_ack {
            // It answers a SYN that crossed ours, and offers once more what ours did (tcp_syn_options, 6.18).
            let sys = cx.sysctls;
            options.sack_permitted = sys.tcp_sack != 0;
            let scale = self.xfer(cx).offered_wscale;
            options.wscale = Some(scale).filter(|_| sys.tcp_window_scaling != 0);
            let stamp = (cx.now.millis32().wrapping_add(self.ts_off), self.ts_recent);
            options.timestamps = Some(stamp).filter(|_| sys.tcp_timestamps != 0);
        }
        // Linux offers no timestamps beside a signature; a peer that offers them gets them (docs/linux/md5.md).
        options.timestamps = options.timestamps.filter(|_| !self.md5);
        options.md5 = self.md5;
        if again {
            cx.mib.inc(Counter::TcpRetransSegs);
            cx.mib.inc(Counter::TcpSynRetrans);
        }
        let (now, end) = (cx.now, self.snd.nxt);
        let x = self.xfer(cx);
        if !again {
            x.timed = Some((end, now));
        }
        if x.rto_at == Instant::FAR {
            self.arm_syn(cx);
        }
        cx.mib.inc(Counter::TcpOutSegs);
        Output {
            seq: self.snd.una,
            ack: if syn_ack { self.rcv.nxt } else { Seq(0) },
            flags: if syn_ack {
                Flags::SYN | Flags::ACK | ecn
            } else {
                Flags::SYN | ecn
            },
            window: self.rcv.wnd.min(65535) as u16,
            urgent: 0,
            options,
            offset: 0,
            len: len as usize,
            gso_size: 0,
            ect: self.cb_flags & Self::ECT_SYN != 0,
        }
    }

    pub(super) fn timestamps(&self, cx: &Ctx<'_>) -> Option<(u32, u32)> {
        self.has(Self::TSTAMP_OK)
            .then(|| (cx.now.millis32().wrapping_add(self.ts_off), self.ts_recent))
    }

    /// Bytes written and not sent, and whether a FIN waits behind them.
    fn waiting(&self) -> (u32, bool) {
        let queued = self.xfer.as_ref().map_or(0, |x| x.send.len() as u32);
        (
            queued.saturating_sub(self.snd.nxt - self.snd.una),
            self.fin_waits(),
        )
    }

    /// A FIN is to be sent; not in SYN_RECV, where only data may leave before the handshake is over.
    fn fin_waits(&self) -> bool {
        self.has(Self::FIN_QUEUED) && !self.has(Self::FIN_SENT) && self.state != TcpState::SynRecv
    }

    /// Whether something waits although nothing is outstanding, and the peer's window has no room for its next segment.
    pub(super) fn shut_out(&self) -> bool {
        let (unsent, fin) = self.waiting();
        let next = unsent.min(self.send_mss()).max(u32::from(fin));
        next > 0 && self.snd.nxt == self.snd.una && self.snd.wnd < next
    }

    /// Nothing may leave although something waits and nothing is outstanding, so that no ACK will come: the window is
    /// too small, or TCP_CORK holds the tail back. Time will tell (RFC 9293 3.8.6.1; Linux `tcp_check_probe_timer`).
    fn arm_persist(&mut self, cx: &Ctx<'_>) {
        if self.snd.nxt != self.snd.una || self.waiting() == (0, false) {
            return;
        }
        let (rto, most) = (self.rtt.rto(), self.rto_max(cx));
        if let Some(x) = self.xfer.as_mut().filter(|x| x.rto_at == Instant::FAR) {
            x.rto_at = cx.now + x.backed_off(rto, most);
            self.rearm();
        }
    }

    /// What the persist timer sends: as much as the window takes of what waits (also past Nagle and TCP_CORK), or else
    /// an old sequence number without data, which the peer must answer (Linux `tcp_write_wakeup`). A keepalive is the
    /// latter, too.
    fn output_probe(&mut self, cx: &mut Ctx<'_>) -> Output {
        let (unsent, fin) = self.waiting();
        let len = unsent.min(self.snd.wnd).min(self.send_mss());
        if len > 0 && self.snd.nxt == self.snd.una {
            let next = self.snd.nxt;
            let mut out = self.output_new(cx, next, len, false, unsent);
            out.flags |= Flags::PSH;
            return out;
        }
        if unsent > 0 || fin {
            cx.mib.inc(Counter::TcpWinProbe);
        }
        let urgent = self.probes_urgent();
        if let Some(x) = self.xfer.as_mut().filter(|_| urgent) {
            x.probe = true;
        }
        let seq = self.snd.una - u32::from(!urgent);
        let flags = Flags::ACK | self.ecn_send(false).0;
        self.finish(cx, seq, flags, 0, 0, 0)
    }

    /// Payload of the next segment: MSS, less the signature and the SACK blocks that stand beside it, and no more than half of the
    /// largest window that the peer ever offered (Linux `tcp_current_mss`, `tcp_bound_to_half_wnd`).
    pub(super) fn send_mss(&self) -> u32 {
        let mss = u32::from(self.mss);
        let Some(x) = &self.xfer else { return mss };
        let half = if x.max_window > 536 {
            x.max_window / 2
        } else {
            x.max_window
        };
        let bound = if half == 0 {
            mss
        } else {
            mss.min(half.max(36))
        };
        let blocks = self.sack_blocks();
        if blocks == 0 && !self.md5 {
            return bound;
        }
        let sack = if blocks == 0 {
            0
        } else {
            4 + 8 * blocks as u32
        };
        let signature = if self.md5 { 20 } else { 0 };
        bound.saturating_sub(sack + signature).max(8)
    }

    /// How many SACK blocks the next segment carries: RFC 2018 3 has room for three beside a timestamp, else four.
    fn sack_blocks(&self) -> usize {
        let Some(x) = self.xfer.as_ref().filter(|_| self.has(Self::SACK_OK)) else {
            return 0;
        };
        let most = match (self.md5, self.has(Self::TSTAMP_OK)) {
            (false, false) => 4,
            (false, true) => 3,
            // Beside a signature (docs/linux/md5.md).
            (true, false) => 2,
            (true, true) => 0,
        };
        (x.recent.len() + usize::from(x.dsack.is_some())).min(most)
    }

    /// Retransmissions first, then new data and FIN.
    fn output_data(&mut self, cx: &mut Ctx<'_>, room: usize) -> Option<Output> {
        let x = self.xfer.as_ref()?;
        if x.send.is_empty() && !self.has(Self::FIN_QUEUED) || self.has(Self::FIN_ACKED) {
            return None;
        }
        let mss = self.send_mss();
        // Each segment has its own pointer.
        let room = if self.urgent_mode() { 0 } else { room };
        let budget = self.cwnd.saturating_mul(mss);
        let pipe = self.pipe();
        let (first_hole, una) = (x.high_rxt == self.snd.una, self.snd.una);
        let queued = x.send.len() as u32;
        if !x.ca.is_calm() && (first_hole || pipe < budget) {
            let most = if first_hole {
                mss
            } else {
                (budget - pipe)
                    .max(mss)
                    .min(room as u32 / mss * mss)
                    .max(mss)
            };
            if let Some((seq, len)) = self.next_hole(most) {
                return Some(self.output_again(cx, seq, len, queued));
            }
        }
        let probe = self
            .xfer
            .as_mut()
            .is_some_and(|x| core::mem::take(&mut x.probe_tail));
        let next = self.snd.nxt;
        let sent = next - una;
        let fin_pending = self.fin_waits();
        let unsent = queued.saturating_sub(sent);
        if probe && (unsent == 0 && !fin_pending || (una + self.snd.wnd).distance(next) < mss) {
            let (seq, len) = self.tail();
            return Some(self.output_again(cx, seq, len, queued));
        }
        if sent > queued || unsent == 0 && !fin_pending {
            return None;
        }
        let window = (una + self.snd.wnd).distance(next);
        // A tail loss probe is not held back by the congestion window (RFC 8985 7.3).
        let extra = if probe { mss } else { 0 };
        let allowed = window.min(budget.saturating_sub(pipe).max(extra));
        let mut len = unsent.min(allowed);
        // Whole segments as long as there is more to come; a super-frame is cut at a multiple of MSS.
        let most = (room as u32 / mss * mss).max(mss);
        len = len.min(most);
        if len < unsent {
            len -= len % mss;
        }
        if len == 0 && unsent > 0 {
            // RFC 9293 3.8.6.2.1: a piece is not sent just because the window has room for it.
            return None;
        }
        let last = len == unsent;
        let tail = len % mss;
        if tail != 0 && last && !fin_pending && !self.may_send_tail(sent) {
            len -= tail;
            if len == 0 {
                return None;
            }
        }
        let fin = fin_pending && len == unsent && window > len;
        if len == 0 && !fin {
            return None;
        }
        Some(self.output_new(cx, next, len, fin, unsent))
    }

    /// Nagle as Minshall changed it (RFC 896; Linux `tcp_nagle_test`): a short segment waits while another is out.
    fn may_send_tail(&self, sent: u32) -> bool {
        if self.urgent_mode() {
            return true;
        }
        if self.has(Self::CORK) || self.xfer.as_ref().is_some_and(|x| x.held) {
            return false;
        }
        let small_out = self
            .xfer
            .as_ref()
            .is_some_and(|x| x.snd_sml.after(self.snd.una));
        self.has(Self::NODELAY) || sent == 0 || !small_out
    }

    fn output_new(
        &mut self,
        cx: &mut Ctx<'_>,
        seq: Seq,
        len: u32,
        fin: bool,
        unsent: u32,
    ) -> Output {
        let mss = self.send_mss();
        let idle = self.snd.nxt == self.snd.una && self.pending().is_none();
        let offset = (seq - self.snd.una) as usize;
        let end = seq + len + u32::from(fin);
        self.snd.nxt = end;
        let now = cx.now;
        if idle {
            self.not_stalled();
        }
        if let Some(x) = &mut self.xfer {
            if idle {
                // From persist, or from rest, to retransmission.
                if x.rto_at != Instant::FAR {
                    x.backoff = 0;
                }
                (x.rto_at, x.retries, x.probe) = (Instant::FAR, 0, false);
            }
            if x.timed.is_none() && x.ca.is_calm() {
                x.timed = Some((end, now));
            }
            if !len.is_multiple_of(mss) {
                x.snd_sml = end;
            }
        }
        let mut flags = Flags::ACK;
        let unpushed = self.xfer.as_ref().is_some_and(|x| x.unpushed == seq + len);
        if len == unsent && len > 0 && !unpushed {
            flags |= Flags::PSH;
        }
        if fin {
            self.flags |= Self::FIN_SENT;
            flags |= Flags::FIN;
        }
        let gso = if len > mss { mss as u16 } else { 0 };
        // A bare FIN counts too (measured, 6.18).
        cx.mib.add(
            Counter::TcpOrigDataSent,
            u64::from(len.div_ceil(mss).max(1)),
        );
        self.rearm_rto(cx, false);
        self.arm_probe(now);
        let (ecn, ect) = self.ecn_send(len > 0);
        Output {
            ect,
            ..self.finish(cx, seq, flags | ecn, offset, len, gso)
        }
    }

    /// Sends `len` sequence numbers at `seq` again; the last of them may be our FIN.
    fn output_again(&mut self, cx: &mut Ctx<'_>, seq: Seq, len: u32, queued: u32) -> Output {
        let mss = self.send_mss();
        debug_assert!((seq + len).at_or_before(self.snd.nxt), "never sent before");
        let offset = seq - self.snd.una;
        let data = len.min(queued.saturating_sub(offset));
        let mut flags = Flags::ACK;
        if data < len {
            flags |= Flags::FIN;
        }
        if offset + data == queued && data > 0 {
            flags |= Flags::PSH;
        }
        let nxt = self.snd.nxt;
        if let Some(x) = &mut self.xfer {
            x.high_rxt = x.high_rxt.max(seq + len);
            x.rxt_mark = nxt;
            x.timed = None;
            match x.ca {
                CaState::Loss => cx.mib.inc(Counter::TcpSlowStartRetrans),
                CaState::Recovery => {
                    cx.mib.inc(Counter::TcpFastRetrans);
                    if let Some(undo) = &mut x.undo {
                        undo.retrans += len.div_ceil(mss.max(1));
                    }
                }
                CaState::Open | CaState::Cwr => {}
            }
        }
        flags |= self.ecn_send(false).0;
        let gso = if data > mss { mss as u16 } else { 0 };
        cx.mib.add(
            Counter::TcpRetransSegs,
            u64::from(data.div_ceil(mss).max(1)),
        );
        self.rearm_rto(cx, false);
        self.finish(cx, seq, flags, offset as usize, data, gso)
    }

    /// Fills in what every segment carries; the ACK that was owed is thereby sent.
    fn finish(
        &mut self,
        cx: &mut Ctx<'_>,
        seq: Seq,
        flags: Flags,
        offset: usize,
        len: u32,
        gso_size: u16,
    ) -> Output {
        let wire = self.tell_window(cx) as u16;
        self.flags &= !Self::ACK_NOW;
        let mut options = Options {
            timestamps: self.timestamps(cx),
            md5: self.md5,
            ..Options::default()
        };
        let most = self.sack_blocks();
        if let Some(x) = &mut self.xfer {
            if len > 0 {
                Self::note_data_sent(x, cx.now);
            }
            Self::note_ack_sent(x, cx);
            let dsack = x.dsack.take();
            if most > 0 {
                let blocks = x.recent.iter();
                // A D-SACK comes first (RFC 2883 4).
                for (a, b) in dsack.into_iter().chain(blocks).take(most) {
                    options.sack.push(a.0, b.0);
                }
            }
        }
        self.rearm();
        let segments = if gso_size == 0 {
            1
        } else {
            len.div_ceil(u32::from(gso_size))
        };
        cx.mib.add(Counter::TcpOutSegs, u64::from(segments));
        let urgent = self.urgent_pointer(seq);
        Output {
            seq,
            ack: self.rcv.nxt,
            flags: urgent.map_or(flags, |_| flags | Flags::URG),
            window: wire,
            urgent: urgent.unwrap_or(0),
            options,
            offset,
            len: len as usize,
            gso_size,
            ect: false,
        }
    }

    /// The reset that ends this connection from our side (RFC 9293 3.10.4; Linux `tcp_send_active_reset`).
    pub fn active_reset(&mut self, cx: &mut Ctx<'_>) -> Output {
        let seq = self.snd.nxt;
        let flags = Flags::RST | Flags::ACK | self.ecn_send(false).0;
        self.finish(cx, seq, flags, 0, 0, 0)
    }
}
