//! The control block of one connection (RFC 9293 3.3.1; Linux `tcp_sock`), from SYN_SENT or the completed handshake
//! to its end. Listeners, request socks and TIME_WAIT socks are types of their own.
//!
//! Order of calls: the owner hands segments to [`Tcb::input`], expired timers to [`Tcb::on_timer`], and user calls to
//! the methods in `user.rs`; after any of them it fetches what must leave with [`Tcb::poll_output`] until that is
//! `None`, and re-reads [`Tcb::timer_at`]. What else happened comes back as [`Effects`].

mod ack;
mod acks;
mod diag;
mod ecn;
mod effects;
mod error;
mod fast_open;
mod fast_open_client;
mod input;
mod knobs;
mod output;
mod path_mtu;
mod paws;
mod probe;
mod receive;
mod recent;
mod text;
mod timer;
mod urgent;
mod user;
mod window;

use crate::addr::{Family, Tuple};
use crate::buffer::{Charge, Pool, RecvBuffer, SendBuffer};
use crate::mib::{Drops, Mib};
use crate::ranges::Ranges;
use crate::request::RequestSock;
use crate::rtt::Rtt;
use crate::seq::Seq;
use crate::sysctls::Sysctls;
use crate::time::Instant;
use alloc::boxed::Box;
use core::time::Duration;
use hearken_abi::{Counter, TcpState};
use hearken_wire::Flags;
use hearken_wire::options::Options;
use receive::Rx;
use recent::Recent;

pub use diag::{Receive, Timer};
pub use effects::Effects;
pub use error::SoError;
pub use fast_open::{FastOpen, Pending};
pub use fast_open_client::FastSyn;
pub use knobs::{Knob, Knobs};
pub use output::Output;
pub use urgent::OutOfBand;
pub use user::SendRoom;
pub use window::initial_window;

/// No slot: an index that points nowhere.
pub const NONE: u32 = u32::MAX;

/// A connection: who speaks, and the control block.
#[derive(Debug)]
pub struct Connection<F: Family> {
    /// The control block.
    pub tcb: Tcb,
    /// The four-tuple.
    pub tuple: Tuple<F>,
}

/// What every step of TCP may touch besides its own control block.
#[derive(Debug)]
pub struct Ctx<'a> {
    /// The caller's time.
    pub now: Instant,
    /// The namespace's counters.
    pub mib: &'a mut Mib,
    /// The namespace's drop reasons.
    pub drops: &'a mut Drops,
    /// The namespace's sysctls.
    pub sysctls: &'a Sysctls,
    /// The namespace's buffer chunks.
    pub pool: &'a mut Pool,
}

/// A segment that came in, after the checks that need no connection.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// SEG.SEQ
    pub seq: Seq,
    /// SEG.ACK
    pub ack: Seq,
    /// Control bits.
    pub flags: Flags,
    /// SEG.WND as on the wire.
    pub window: u16,
    /// SEG.UP, of use only with URG.
    pub urgent: u16,
    /// Options.
    pub options: &'a Options,
    /// The payload in pieces.
    pub data: &'a [&'a [u8]],
    /// Bytes of payload.
    pub len: u32,
    /// The ECN field of the IP header (RFC 3168 5): 0 not capable, 1 and 2 capable, 3 congestion experienced.
    pub ecn: u8,
    /// What it costs of the receive buffer.
    pub charge: Charge,
    /// Payload of one segment when this is several in one, else 0.
    pub gso_size: u16,
    /// Bytes of the TCP header, options included.
    pub header: u8,
}

impl Segment<'_> {
    /// The sequence number behind the segment, SYN and FIN counted.
    pub fn end(&self) -> Seq {
        self.seq
            + self.len
            + u32::from(self.flags.contains(Flags::SYN))
            + u32::from(self.flags.contains(Flags::FIN))
    }
}

/// SND.*: what we send.
#[derive(Clone, Copy, Debug, Default)]
pub struct Snd {
    /// Oldest unacknowledged.
    pub una: Seq,
    /// Next to send.
    pub nxt: Seq,
    /// The peer's window, scaled.
    pub wnd: u32,
    /// Sequence number of the segment that last updated the window.
    pub wl1: Seq,
}

/// RCV.*: what we take.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rcv {
    /// Next expected.
    pub nxt: Seq,
    /// RCV.NXT when the window was last told to the peer.
    pub wup: Seq,
    /// The window told then, scaled.
    pub wnd: u32,
}

/// Where loss recovery stands (Linux `icsk_ca_state`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CaState {
    /// Nothing is known to be lost.
    #[default]
    Open,
    /// The peer told of congestion (RFC 3168 6.1.2); nothing is lost.
    Cwr,
    /// Fast retransmit.
    Recovery,
    /// After a retransmission timeout.
    Loss,
}

/// What a recovery changed, in case that nothing was lost (Linux `undo_marker`, `undo_retrans`).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Undo {
    pub(crate) cwnd: u32,
    pub(crate) ssthresh: u32,
    /// SND.UNA when it began.
    pub(crate) from: Seq,
    /// Segments sent again that no D-SACK has called needless.
    pub(crate) retrans: u32,
}

/// What exists once a connection has something to move. Allocated on first need.
#[derive(Debug)]
pub struct Transfer {
    pub(crate) send: SendBuffer,
    pub(crate) recv: RecvBuffer,
    /// SACKed stream offsets; `una64` is the offset of `snd.una`.
    pub(crate) sacked: Ranges,
    pub(crate) una64: u64,
    /// Recovery ends when this is acknowledged.
    pub(crate) recover: Seq,
    /// The peer's FIN, when it came before what precedes it.
    pub(crate) fin: Option<Seq>,
    /// When the last acceptable ACK came.
    pub(crate) heard_at: Instant,
    /// The largest window that the peer ever offered.
    pub(crate) max_window: u32,
    /// Everything unSACKed below is taken for lost.
    pub(crate) lost_edge: Seq,
    /// Retransmitted up to here in this recovery.
    pub(crate) high_rxt: Seq,
    /// SND.NXT when the first hole was last sent again.
    pub(crate) rxt_mark: Seq,
    /// End of the last segment below MSS that we sent (Minshall's Nagle).
    pub(crate) snd_sml: Seq,
    /// The segment being timed: its end, and when it left.
    pub(crate) timed: Option<(Seq, Instant)>,
    /// What came beyond the hole, for SACK.
    pub(crate) recent: Recent,
    /// A duplicate that the next ACK reports (RFC 2883).
    pub(crate) dsack: Option<(Seq, Seq)>,
    /// Retransmission, or window probe.
    pub(crate) rto_at: Instant,
    pub(crate) delack_at: Instant,
    /// Tail loss probe; end of the reordering window.
    pub(crate) pto_at: Instant,
    pub(crate) reo_at: Instant,
    /// What lies below was overtaken when the reordering window began.
    pub(crate) reo_edge: Seq,
    pub(crate) keepalive_at: Instant,
    /// When this was made: with the SYN, of an active open.
    pub(crate) made_at: Instant,
    /// Windows and ACKs.
    pub(crate) rx: Rx,
    pub(crate) sndbuf: u32,
    pub(crate) rcvbuf: u32,
    /// The program set them: no growth.
    pub(crate) sndbuf_locked: bool,
    pub(crate) rcvbuf_locked: bool,
    pub(crate) dupacks: u32,
    pub(crate) cwnd_cnt: u32,
    pub(crate) ca: CaState,
    pub(crate) backoff: u8,
    /// Unanswered retransmissions or probes.
    pub(crate) retries: u8,
    /// When the first of them left.
    pub(crate) retrans_at: Instant,
    /// TCP_SYNCNT, 0 for the sysctl.
    pub(crate) syn_retries: u8,
    /// The MSS that our SYN announces.
    pub(crate) syn_mss: u16,
    /// And the window scale.
    pub(crate) offered_wscale: u8,
    /// The ACK of the SYN-ACK waits for data to ride on (TCP_DEFER_ACCEPT of a client).
    pub(crate) defer_ack: bool,
    /// Numbers that were never acknowledged: in CLOSE those that were used, or were to be; before, a SYN below SND.UNA.
    pub(crate) left: u32,
    /// The last measurement of the round-trip time.
    pub(crate) rtt_us: u32,
    pub(crate) probe: bool,
    /// The path was seen to reorder: being overtaken means loss only once the reordering window is over.
    pub(crate) reordered: bool,
    /// How to take back the last reduction.
    pub(crate) undo: Option<Box<Undo>>,
    /// A tail loss probe is out, or is to be sent.
    pub(crate) probed: bool,
    pub(crate) probe_tail: bool,
    /// More was said to follow (MSG_MORE): the tail waits until something else happens.
    pub(crate) held: bool,
    /// Bytes of the next write after which more is to follow.
    pub(crate) more: usize,
    /// The end of data that was not pushed.
    pub(crate) unpushed: Seq,
    pub(crate) fast_open: Option<Box<FastOpen>>,
    pub(crate) urgent: Option<Box<urgent::Urgent>>,
    /// The program has read the end of the stream.
    pub(crate) eof_read: bool,
    /// Until when a kernel's timer would still run, though what it was for may be over (Linux `sk_stop_timer` leaves it).
    pub(crate) resend_until: Instant,
    pub(crate) delack_until: Instant,
    /// What the program set.
    pub(crate) set: Option<Box<knobs::Set>>,
}

impl Transfer {
    /// `rto` after the timeouts so far (RFC 6298 5.5), at most `most`.
    pub(crate) fn backed_off(&self, rto: Duration, most: Duration) -> Duration {
        if self.backoff == 0 {
            return rto.min(most);
        }
        (rto * (1 << self.backoff.min(16))).min(most)
    }
}

/// The hot part: one connection at rest is this and its tuple.
#[derive(Debug)]
pub struct Tcb {
    /// The earliest deadline, [`Instant::FAR`] when none.
    pub timer_at: Instant,
    /// The earliest entry that the timer queue holds for this connection; the owner's.
    pub timer_queued: Instant,
    /// Buffers and everything that moves.
    pub xfer: Option<Box<Transfer>>,
    /// SND.*
    pub snd: Snd,
    /// RCV.*
    pub rcv: Rcv,
    /// TS.Recent
    pub ts_recent: u32,
    /// When TS.Recent was taken, in milliseconds.
    pub ts_recent_ms: u32,
    /// Added to our clock in timestamps.
    pub ts_off: u32,
    /// Round-trip time.
    pub rtt: Rtt,
    /// Congestion window in segments.
    pub cwnd: u32,
    /// Slow-start threshold in segments.
    pub ssthresh: u32,
    /// When we last answered an out-of-window segment, in milliseconds; 0 is never.
    pub last_oow_ms: u32,
    /// The owner's socket slot, or [`NONE`] for an orphan.
    pub owner: u32,
    /// The bind class that keeps our port.
    pub bind: u32,
    /// The largest payload of one segment, options not counted.
    pub mss: u16,
    /// The largest segment seen lately.
    pub rcv_mss: u16,
    /// The largest that the peer may send, options not counted.
    pub advmss: u16,
    /// The interface towards the peer.
    pub iface: u16,
    /// `Tcb::*` flag bits.
    pub flags: u16,
    /// The state.
    pub state: TcpState,
    /// Peer's window scale in the low half, ours in the high half.
    pub wscales: u8,
    /// The state that those who look on were last told of; the owner's.
    pub told: TcpState,
    /// SoError as a number, 0 for none.
    pub(crate) error: u8,
    /// An error that did not end the connection, for SO_ERROR only (Linux `sk_err_soft`).
    pub(crate) soft_error: u8,
    /// `Tcb::ECN_*` flag bits.
    pub ecn: u8,
    /// Which sock_ops callbacks are switched on, the owner's; and [`Tcb::RTT_SAMPLED`].
    pub cb_flags: u8,
    /// Segments are signed: the owner has a key for the peer (TCP_MD5SIG).
    pub md5: bool,
}

impl Tcb {
    /// Window scaling was agreed (in SYN_SENT: is offered).
    pub const WSCALE_OK: u16 = 1;
    /// SACK was agreed (offered).
    pub const SACK_OK: u16 = 1 << 1;
    /// Timestamps were agreed (offered).
    pub const TSTAMP_OK: u16 = 1 << 2;
    /// TCP_NODELAY.
    pub const NODELAY: u16 = 1 << 3;
    /// TCP_CORK.
    pub const CORK: u16 = 1 << 4;
    /// A FIN follows the last byte of the send buffer.
    pub const FIN_QUEUED: u16 = 1 << 5;
    /// An ACK must leave now.
    pub const ACK_NOW: u16 = 1 << 6;
    /// A SYN, or SYN-ACK, must leave now.
    pub const SYN_NOW: u16 = 1 << 7;
    /// Stands in the transmit list; the owner's.
    pub const TX_QUEUED: u16 = 1 << 8;
    /// The socket is AF_INET6 although the addresses are IPv4.
    pub const MAPPED: u16 = 1 << 9;
    /// shutdown(SHUT_RD) was called, or the peer's FIN came.
    pub const RCV_SHUT: u16 = 1 << 10;
    /// shutdown(SHUT_WR) was called.
    pub const SND_SHUT: u16 = 1 << 11;
    /// Not in the established hash any more.
    pub const UNHASHED: u16 = 1 << 12;
    /// SO_KEEPALIVE.
    pub const KEEPALIVE: u16 = 1 << 13;
    /// Our FIN has left: SND.NXT stands behind it.
    pub const FIN_SENT: u16 = 1 << 14;
    /// Our FIN is acknowledged.
    pub const FIN_ACKED: u16 = 1 << 15;

    /// ECN was agreed (in SYN_SENT: is asked for).
    pub const ECN_OK: u8 = 1;
    /// A segment came that an ECN sender had marked.
    pub const ECN_SEEN: u8 = 2;
    /// Congestion was experienced: ECE until the peer's CWR.
    pub const ECN_DEMAND_CWR: u8 = 4;
    /// The next new data carries CWR.
    pub const ECN_QUEUE_CWR: u8 = 8;

    /// Of `cb_flags`: the SYN is marked as ECN-capable.
    const ECT_SYN: u8 = 64;
    /// Of `cb_flags`: the round-trip time was measured. The owner clears it.
    pub const RTT_SAMPLED: u8 = 128;

    /// What a sock_ops program answered in SYN_SENT: the window of the SYN is that many segments at most.
    pub fn limit_syn_window(&mut self, segments: u32) {
        self.rcv.wnd = self
            .rcv
            .wnd
            .min(segments.saturating_mul(u32::from(self.mss)));
    }

    /// The same: the congestion control needs ECN, so that the SYN asks for it whatever `tcp_ecn` says.
    pub fn need_ecn(&mut self) {
        self.ecn |= Self::ECN_OK;
        self.cb_flags |= Self::ECT_SYN;
    }

    /// Takes a measurement of the round-trip time.
    pub(crate) fn sample_rtt(&mut self, us: u32) {
        self.rtt.sample(us);
        if let Some(x) = &mut self.xfer {
            x.rtt_us = us;
        }
        self.cb_flags |= Self::RTT_SAMPLED;
    }

    /// Whether all the bits of `f` are set.
    pub const fn has(&self, f: u16) -> bool {
        self.flags & f == f
    }
    pub(crate) fn set(&mut self, f: u16, on: bool) {
        if on {
            self.flags |= f;
        } else {
            self.flags &= !f;
        }
    }

    fn new(state: TcpState, iface: u16) -> Self {
        Self {
            timer_at: Instant::FAR,
            timer_queued: Instant::FAR,
            xfer: None,
            snd: Snd::default(),
            rcv: Rcv::default(),
            ts_recent: 0,
            ts_recent_ms: 0,
            ts_off: 0,
            rtt: Rtt::default(),
            // RFC 6928: ten segments.
            cwnd: 10,
            ssthresh: u32::MAX >> 1,
            last_oow_ms: 0,
            owner: NONE,
            bind: NONE,
            mss: 536,
            rcv_mss: 536,
            advmss: 536,
            iface,
            flags: 0,
            state,
            told: TcpState::Close,
            wscales: 0,
            error: 0,
            soft_error: 0,
            ecn: 0,
            cb_flags: 0,
            md5: false,
        }
    }

    /// An active open: the SYN leaves with the next [`Tcb::poll_output`]. `rcvbuf`, `clamp`: SO_RCVBUF as kept, and
    /// TCP_WINDOW_CLAMP, 0 for none.
    pub fn connect(
        cx: &mut Ctx<'_>,
        iss: Seq,
        ts_off: u32,
        advmss: u16,
        iface: u16,
        (rcvbuf, clamp): (Option<u32>, u32),
    ) -> Self {
        let mut t = Self::new(TcpState::SynSent, iface);
        t.snd = Snd {
            una: iss,
            nxt: iss,
            wnd: 0,
            wl1: Seq(0),
        };
        t.ts_off = ts_off;
        (t.mss, t.advmss) = (advmss, advmss);
        t.set(Self::TSTAMP_OK, cx.sysctls.tcp_timestamps != 0);
        t.set(Self::SACK_OK, cx.sysctls.tcp_sack != 0);
        t.set(Self::WSCALE_OK, cx.sysctls.tcp_window_scaling != 0);
        if cx.sysctls.tcp_ecn == 1 {
            t.ecn = Self::ECN_OK;
        }
        // Unlike a SYN-ACK's, a SYN's window takes no notice of timestamps (docs/linux/connect.md).
        let (wnd, scale) =
            initial_window(cx.sysctls, rcvbuf, clamp, advmss, t.has(Self::WSCALE_OK));
        t.rcv.wnd = wnd;
        t.wscales = scale << 4;
        t.flags |= Self::SYN_NOW;
        t.xfer(cx);
        cx.mib.inc(Counter::TcpActiveOpens);
        t
    }

    /// A passive open whose handshake `seg` completes: the child of `req` (Linux `tcp_create_openreq_child`). The
    /// payload and FIN of `seg` are still to be given to [`Tcb::input`].
    pub fn accept<F: Family>(cx: &mut Ctx<'_>, req: &RequestSock<F>, seg: &Segment<'_>) -> Self {
        let t = Self::child(cx, req, seg);
        cx.mib.inc(Counter::TcpCurrEstab);
        t
    }

    fn child<F: Family>(cx: &mut Ctx<'_>, req: &RequestSock<F>, seg: &Segment<'_>) -> Self {
        let mut t = Self::new(TcpState::Established, req.iface);
        t.told = TcpState::SynRecv;
        let una = req.snt_isn + 1;
        t.snd = Snd {
            una,
            nxt: una,
            wnd: 0,
            wl1: seg.seq,
        };
        t.rcv = Rcv {
            nxt: req.rcv_nxt(),
            wup: req.rcv_nxt(),
            wnd: u32::from(req.rcv_wnd),
        };
        t.set(Self::WSCALE_OK, req.has(RequestSock::<F>::WSCALE_OK));
        t.set(Self::SACK_OK, req.has(RequestSock::<F>::SACK_OK));
        t.set(Self::TSTAMP_OK, req.has(RequestSock::<F>::TSTAMP_OK));
        if req.has(RequestSock::<F>::ECN_OK) {
            t.ecn = Self::ECN_OK;
        }
        t.wscales = if t.has(Self::WSCALE_OK) {
            req.wscales
        } else {
            0
        };
        t.snd.wnd = u32::from(seg.window) << t.snd_wscale();
        (t.ts_recent, t.ts_off) = (req.ts_recent, req.ts_off);
        t.ts_recent_ms = cx.now.millis32();
        t.mss = req.mss - if t.has(Self::TSTAMP_OK) { 12 } else { 0 };
        t.advmss = t.mss;
        t.rcv_mss = t.first_rcv_mss();
        if req.num_retrans == 0 {
            t.sample_rtt(((cx.now.0 / 1000) as u32).wrapping_sub(req.sent_us));
        } else if t.has(Self::TSTAMP_OK)
            && let Some((_, ecr)) = seg.options.timestamps.filter(|(_, ecr)| *ecr != 0)
        {
            // Which of the SYN-ACKs is acknowledged its timestamp says (tcp_synack_rtt_meas, 6.18; docs/linux/sock-ops.md).
            let now = cx.now.millis32().wrapping_add(t.ts_off);
            t.sample_rtt(now.wrapping_sub(ecr).max(1).saturating_mul(1000));
        }
        cx.mib.inc(Counter::TcpPassiveOpens);
        t
    }

    /// The peer's window scale.
    pub const fn snd_wscale(&self) -> u8 {
        self.wscales & 15
    }
    /// Ours.
    pub const fn rcv_wscale(&self) -> u8 {
        self.wscales >> 4
    }

    /// The moving part, made on first use.
    pub(crate) fn xfer(&mut self, cx: &Ctx<'_>) -> &mut Transfer {
        if self.xfer.is_none() {
            self.make_xfer(cx);
        }
        let made = || unreachable!("made above");
        self.xfer.as_mut().unwrap_or_else(made)
    }

    fn make_xfer(&mut self, cx: &Ctx<'_>) {
        let una = self.snd.una;
        let max_window = self.snd.wnd;
        let rx = Rx::new(self, cx.now, cx.sysctls, cx.sysctls.tcp_rmem[1], None);
        self.xfer = Some(Box::new(Transfer {
            send: SendBuffer::default(),
            recv: RecvBuffer::default(),
            sacked: Ranges::default(),
            una64: 0,
            recover: una,
            max_window,
            fin: None,
            heard_at: cx.now,
            syn_retries: 0,
            syn_mss: self.mss,
            offered_wscale: self.rcv_wscale(),
            defer_ack: false,
            left: 0,
            lost_edge: una,
            high_rxt: una,
            rxt_mark: una,
            snd_sml: una,
            timed: None,
            recent: Recent::default(),
            retrans_at: Instant::FAR,
            dsack: None,
            rto_at: Instant::FAR,
            delack_at: Instant::FAR,
            pto_at: Instant::FAR,
            reo_at: Instant::FAR,
            reo_edge: Seq(0),
            keepalive_at: Instant::FAR,
            made_at: cx.now,
            rx,
            sndbuf: cx.sysctls.tcp_wmem[1],
            rcvbuf: cx.sysctls.tcp_rmem[1],
            sndbuf_locked: false,
            rcvbuf_locked: false,
            dupacks: 0,
            cwnd_cnt: 0,
            ca: CaState::Open,
            backoff: 0,
            retries: 0,
            rtt_us: 0,
            probe: false,
            reordered: false,
            undo: None,
            probed: false,
            probe_tail: false,
            held: false,
            more: 0,
            unpushed: una,
            fast_open: None,
            urgent: None,
            eof_read: false,
            resend_until: Instant(0),
            delack_until: Instant(0),
            set: None,
        }));
    }

    /// Moves to `state`, keeping `Tcp.CurrEstab` right (Linux `tcp_set_state`).
    pub(crate) fn set_state(&mut self, cx: &mut Ctx<'_>, state: TcpState) {
        let counts = |s| matches!(s, TcpState::Established | TcpState::CloseWait);
        match (counts(self.state), counts(state)) {
            (false, true) => cx.mib.inc(Counter::TcpCurrEstab),
            (true, false) => cx.mib.dec(Counter::TcpCurrEstab),
            _ => {}
        }
        if state == TcpState::Close && counts(self.state) {
            cx.mib.inc(Counter::TcpEstabResets);
        }
        self.state = state;
    }

    /// To CLOSE, with `error` pending; timers stop, what was to be sent is forgotten (Linux `tcp_done`).
    pub(crate) fn done(&mut self, cx: &mut Ctx<'_>, error: Option<SoError>) -> Effects {
        if let Some(e) = error {
            self.error = e as u8;
        }
        let left = self.unacked_numbers() as u32;
        self.set_state(cx, TcpState::Close);
        self.flags |= Self::RCV_SHUT | Self::SND_SHUT;
        self.flags &= !(Self::ACK_NOW | Self::SYN_NOW);
        if let Some(x) = &mut self.xfer {
            x.send.clear(cx.pool);
            x.left = left;
            x.sacked.clear();
            (x.probe, x.probe_tail) = (false, false);
            (x.pto_at, x.reo_at) = (Instant::FAR, Instant::FAR);
            (x.rto_at, x.delack_at, x.keepalive_at) = (Instant::FAR, Instant::FAR, Instant::FAR);
            x.rx.comp_at = Instant::FAR;
        }
        self.timer_at = Instant::FAR;
        Effects::CLOSED | Effects::READ | Effects::WRITE
    }

    /// Returns every chunk to the pool.
    pub fn release(&mut self, pool: &mut Pool) {
        if let Some(mut x) = self.xfer.take() {
            x.send.clear(pool);
            x.recv.clear(pool);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::{V4, V6};

    #[test]
    fn connection_hot_part_fits_two_cache_lines() {
        assert!(
            size_of::<Connection<V4>>() <= 128,
            "{}",
            size_of::<Connection<V4>>()
        );
        assert!(
            size_of::<Connection<V6>>() <= 152,
            "{}",
            size_of::<Connection<V6>>()
        );
        assert!(size_of::<Transfer>() <= 600, "{}", size_of::<Transfer>());
    }
}
