//! What the program does with a connection (RFC 9293 3.10.2 to 3.10.5).

use super::{Ctx, Effects, NONE, SoError, Tcb};
use crate::Instant;
use crate::sysctls::Sysctls;
use hearken_abi::{Counter, TcpState};

/// Why nothing, or how much, may be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SendRoom {
    /// This many bytes fit.
    Room(usize),
    /// The buffer is full, or the handshake is under way.
    Full,
    /// SHUT_WR was called, or the connection ended: EPIPE.
    Shut,
}

impl Tcb {
    /// The pending error.
    pub const fn error(&self) -> Option<SoError> {
        SoError::from_number(self.error)
    }

    /// Takes the pending error.
    pub fn take_error(&mut self) -> Option<SoError> {
        SoError::from_number(core::mem::take(&mut self.error))
    }

    /// Takes the pending error, or else the soft one: SO_ERROR.
    pub fn take_any_error(&mut self) -> Option<SoError> {
        self.take_error()
            .or_else(|| SoError::from_number(core::mem::take(&mut self.soft_error)))
    }

    /// Leaves `error` for SO_ERROR, without ending the connection.
    pub fn set_soft_error(&mut self, error: SoError) {
        self.soft_error = error as u8;
    }

    /// How much the program may write.
    pub fn send_room(&self, cx: &Ctx<'_>) -> SendRoom {
        self.room_with(cx.sysctls)
    }

    fn room_with(&self, sysctls: &Sysctls) -> SendRoom {
        let opening = matches!(self.state, TcpState::SynSent | TcpState::SynRecv);
        if self.has(Self::SND_SHUT) && !(opening && self.pending().is_none()) {
            return SendRoom::Shut;
        }
        if let Some(room) = self.fast_syn_room() {
            return SendRoom::Room(room);
        }
        if !matches!(self.state, TcpState::Established | TcpState::CloseWait)
            && self.pending().is_none()
        {
            return if self.state == TcpState::Close {
                SendRoom::Shut
            } else {
                SendRoom::Full
            };
        }
        let queued = self.xfer.as_ref().map_or(0, |x| x.send.len());
        let limit = self.sndbuf_limit(sysctls);
        if queued >= limit {
            SendRoom::Full
        } else {
            SendRoom::Room(limit - queued)
        }
    }

    /// Room for the program to write counts once a third of the buffer is free (Linux `sk_stream_is_writeable`).
    pub fn is_writable_with(&self, sysctls: &Sysctls) -> bool {
        match self.room_with(sysctls) {
            SendRoom::Room(room) => {
                room >= self.sndbuf_limit(sysctls) / 3 && self.few_unsent(sysctls.tcp_notsent_lowat)
            }
            SendRoom::Full => false,
            SendRoom::Shut => true,
        }
    }

    /// Linux lets the send buffer follow the congestion window (`tcp_sndbuf_expand`), unless SO_SNDBUF was set.
    fn sndbuf_limit(&self, sysctls: &Sysctls) -> usize {
        let (set, locked) = self
            .xfer
            .as_ref()
            .map_or((sysctls.tcp_wmem[1], false), |x| {
                (x.sndbuf, x.sndbuf_locked)
            });
        if locked {
            return set as usize / 2;
        }
        let follow = 2 * self.cwnd.max(10).saturating_mul(u32::from(self.mss));
        set.max(follow.min(sysctls.tcp_wmem[2])) as usize
    }

    /// The payload of an [`super::Output`] as slices; returns how many of `out` were filled.
    pub fn payload<'a>(&'a self, offset: usize, len: usize, out: &mut [&'a [u8]]) -> usize {
        self.xfer
            .as_ref()
            .map_or(0, |x| x.send.slices(offset, len, out))
    }

    /// Appends what `f` writes, at most `room` bytes.
    pub fn send_with<R>(
        &mut self,
        cx: &mut Ctx<'_>,
        room: usize,
        f: impl FnOnce(&mut [&mut [u8]]) -> (usize, R),
    ) -> (usize, R) {
        self.xfer(cx);
        let una = self.snd.una;
        let held = self.holds_fast_syn();
        let out = match &mut self.xfer {
            Some(x) => {
                let out = x.send.append_with(cx.pool, room, f);
                let more = core::mem::take(&mut x.more);
                // Of a write that found no room for all, the tail goes (tcp_sendmsg_locked, wait_for_space, 6.18).
                x.held = more > 0 && more == out.0;
                if x.held {
                    x.unpushed = una + x.send.len() as u32;
                }
                out
            }
            None => f(&mut []),
        };
        if held && out.0 > 0 {
            self.let_fast_syn_go(out.0);
        }
        out
    }

    /// More is to follow the next `n` bytes that are written, if they are written in one go (MSG_MORE): their tail is
    /// held back until more comes, an ACK does, or the persist timer fires.
    pub fn more_follows(&mut self, cx: &Ctx<'_>, n: usize) {
        self.xfer(cx).more = n;
    }

    /// In-order bytes that wait for the program.
    pub fn readable(&self) -> usize {
        self.xfer.as_ref().map_or(0, |x| x.recv.ready())
    }
    /// Bytes written and not yet acknowledged.
    pub fn unacked(&self) -> usize {
        self.xfer.as_ref().map_or(0, |x| x.send.len())
    }
    /// The sequence numbers that are used, or will be, and not yet acknowledged: bytes, the SYN of an attempt, a FIN that
    /// was asked for (Linux `write_seq` less `snd_una`).
    pub fn unacked_numbers(&self) -> usize {
        if self.state == TcpState::Close {
            return self.xfer.as_ref().map_or(0, |x| x.left as usize);
        }
        let syn = match self.state {
            TcpState::SynSent => true,
            // A Fast Open child's SND.UNA stands behind its SYN already.
            TcpState::SynRecv => self.pending().is_none(),
            _ => false,
        };
        let fin = self.has(Self::FIN_QUEUED) && !self.has(Self::FIN_ACKED);
        let left = self.xfer.as_ref().map_or(0, |x| x.left as usize);
        self.unacked() + usize::from(syn) + usize::from(fin) + left
    }
    /// SIOCOUTQ (Linux `tcp_ioctl`).
    pub fn out_queue(&self) -> usize {
        if matches!(self.state, TcpState::SynSent | TcpState::SynRecv) {
            return 0;
        }
        self.unacked_numbers()
    }
    /// SIOCOUTQNSD.
    pub fn out_queue_unsent(&self) -> usize {
        if matches!(self.state, TcpState::SynSent | TcpState::SynRecv) {
            return 0;
        }
        self.unacked_numbers()
            .saturating_sub((self.snd.nxt - self.snd.una) as usize)
    }
    /// The largest window that the peer offered.
    pub fn max_window(&self) -> u32 {
        self.xfer.as_ref().map_or(self.snd.wnd, |x| x.max_window)
    }
    /// Bytes written and not yet sent.
    pub fn unsent(&self) -> usize {
        self.unacked()
            .saturating_sub((self.snd.nxt - self.snd.una) as usize)
    }

    /// Shows the in-order bytes up to the urgent mark to `f`, which says how many it took.
    pub fn recv_with<R>(&mut self, cx: &mut Ctx<'_>, f: impl FnOnce(&[&[u8]]) -> (usize, R)) -> R {
        let (skip, most) = self.read_window();
        let Some(x) = &mut self.xfer else {
            return f(&[]).1;
        };
        let mut slices: [&[u8]; 32] = [&[]; 32];
        let n = x.recv.slices(skip, most, &mut slices);
        let (took, r) = f(&slices[..n]);
        if took > 0 {
            x.recv.consume(cx.pool, skip + took);
            self.pass_mark();
        }
        self.after_read(cx, took);
        r
    }

    /// SHUT_WR, or the FIN of a close: a FIN follows the last byte (RFC 9293 3.10.4).
    pub fn shutdown_write(&mut self, cx: &mut Ctx<'_>) {
        let next = match self.state {
            TcpState::Established => TcpState::FinWait1,
            TcpState::CloseWait => TcpState::LastAck,
            // The FIN waits for the handshake: `establish` goes on from here (RFC 9293 3.10.4).
            TcpState::SynRecv => TcpState::SynRecv,
            _ => return,
        };
        self.flags |= Self::SND_SHUT | Self::FIN_QUEUED;
        self.xfer(cx);
        self.set_state(cx, next);
    }

    /// SHUT_RD: the program reads no more; what the peer sends is still taken, as in Linux.
    pub fn shutdown_read(&mut self) {
        self.flags |= Self::RCV_SHUT;
    }

    /// What shutdown(2) said before there was a connection: it holds for this one (`sk_shutdown`, 6.18). No FIN follows
    /// from it.
    pub fn inherit_shutdown(&mut self, rcv: bool, snd: bool) {
        self.set(Self::RCV_SHUT, rcv);
        self.set(Self::SND_SHUT, snd);
    }

    /// The last descriptor is gone. `reset` in the answer: a RST must leave (then the state is CLOSE).
    pub fn close(&mut self, cx: &mut Ctx<'_>, linger_zero: bool) -> (bool, Effects) {
        self.owner = NONE;
        let unread = self.readable() > 0;
        self.flags |= Self::RCV_SHUT | Self::SND_SHUT;
        match self.state {
            TcpState::Close => (false, Effects::CLOSED),
            TcpState::SynSent => {
                if linger_zero {
                    cx.mib.inc(Counter::TcpAbortOnData);
                }
                (false, self.done(cx, None))
            }
            _ if unread => {
                // RFC 2525 2.17: unread data on close means a reset.
                cx.mib.inc(Counter::TcpAbortOnClose);
                self.abort(cx)
            }
            _ if linger_zero => {
                cx.mib.inc(Counter::TcpAbortOnData);
                self.abort(cx)
            }
            TcpState::SynRecv if self.pending().is_some() => {
                // Unlike shutdown()'s, this FIN does not wait for the ACK (docs/linux/fast-open-child.md).
                self.flags |= Self::FIN_QUEUED;
                self.set_state(cx, TcpState::FinWait1);
                (false, Effects::NONE)
            }
            TcpState::SynRecv => {
                // Nor does this one. The SYN is not sent again from now on, but counts as outstanding.
                self.snd.una += 1;
                self.xfer(cx).left = 1;
                self.flags |= Self::FIN_QUEUED;
                self.flags &= !Self::SYN_NOW;
                self.set_state(cx, TcpState::FinWait1);
                (false, Effects::NONE)
            }
            TcpState::FinWait2 => match self.linger_not(cx, true) {
                Some(fx) => (true, fx),
                None => (false, Effects::FIN_WAIT2),
            },
            _ => {
                self.shutdown_write(cx);
                (false, Effects::NONE)
            }
        }
    }

    /// Whether the peer of a connection that is ended at once has something to hear.
    pub const fn tells_reset(&self) -> bool {
        matches!(
            self.state,
            TcpState::Established
                | TcpState::CloseWait
                | TcpState::FinWait1
                | TcpState::FinWait2
                | TcpState::SynRecv
        )
    }

    /// Ends at once (RFC 9293 3.10.5). Whether a RST must leave: not when the peer has nothing to hear.
    pub fn abort(&mut self, cx: &mut Ctx<'_>) -> (bool, Effects) {
        let tell = self.tells_reset();
        (tell, self.done(cx, None))
    }

    /// SO_RCVBUF: `bytes` as Linux keeps it (doubled).
    pub fn set_rcvbuf(&mut self, cx: &Ctx<'_>, bytes: u32) {
        let x = self.xfer(cx);
        (x.rcvbuf, x.rcvbuf_locked) = (bytes, true);
    }

    /// SO_RCVBUF of the listener: the window begins from it.
    pub fn inherit_rcvbuf(&mut self, cx: &Ctx<'_>, bytes: u32) {
        self.set_rcvbuf(cx, bytes);
        self.begin_receiving(cx);
    }

    /// TCP_WINDOW_CLAMP of a connection, moved by the program (`tcp_set_window_clamp`).
    pub fn set_window_clamp(&mut self, cx: &Ctx<'_>, clamp: u32) {
        let wnd = self.rcv.wnd;
        self.xfer(cx).rx.set_clamp(clamp, wnd);
    }

    /// SO_SNDBUF: `bytes` as Linux keeps it (doubled).
    pub fn set_sndbuf(&mut self, cx: &Ctx<'_>, bytes: u32) {
        let x = self.xfer(cx);
        (x.sndbuf, x.sndbuf_locked) = (bytes, true);
    }

    /// SO_SNDBUF and SO_RCVBUF as they stand.
    pub fn buffers(&self) -> Option<(u32, u32)> {
        self.xfer.as_ref().map(|x| (x.sndbuf, x.rcvbuf))
    }

    /// SO_KEEPALIVE.
    pub fn set_keepalive(&mut self, cx: &mut Ctx<'_>, on: bool) {
        self.set(Self::KEEPALIVE, on);
        if on {
            self.arm_keepalive(cx);
        } else if let Some(x) = &mut self.xfer {
            x.keepalive_at = Instant::FAR;
            self.rearm();
        }
    }

    /// TCP_SYNCNT, for a connection in SYN_SENT.
    pub fn set_syn_retries(&mut self, cx: &Ctx<'_>, n: u8) {
        self.xfer(cx).syn_retries = n;
    }
    /// TCP_DEFER_ACCEPT of a client: the ACK of the SYN-ACK waits for data to ride on.
    pub fn set_defer_ack(&mut self, cx: &Ctx<'_>, on: bool) {
        if self.state == TcpState::SynSent {
            self.xfer(cx).defer_ack = on;
        }
    }
    /// TCP_NODELAY.
    pub fn set_nodelay(&mut self, on: bool) {
        if let Some(x) = self.xfer.as_mut().filter(|_| on) {
            x.held = false;
        }
        self.set(Self::NODELAY, on);
    }
    /// TCP_CORK.
    pub fn set_cork(&mut self, on: bool) {
        self.set(Self::CORK, on);
    }

    /// The socket is AF_INET6 although the addresses are IPv4.
    pub fn set_mapped(&mut self, on: bool) {
        self.set(Self::MAPPED, on);
    }

    /// A TIME_WAIT sock takes over: CLOSE, without an error.
    pub fn retire(&mut self, cx: &mut Ctx<'_>) {
        self.done(cx, None);
    }
}
