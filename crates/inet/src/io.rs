//! Bytes in and out of a socket, and its readiness (Linux `tcp_recvmsg`, `tcp_sendmsg`, `tcp_poll`).

use hearken_abi::TcpState;
use hearken_tcp::tcb::{Ctx, SendRoom, SoError, Tcb};
use hearken_tcp::{Effects, Instant};

use crate::close::WithConn;
use crate::error::{RecvError, SendError};
use crate::event::Ready;
use crate::family::Side;
use crate::hash::established::Half;
use crate::net::Net;
use crate::shared::Shared;
use crate::socket::{Phase, Socket};
use crate::tcp_input::after;

/// Runs `f` on the connection, then carries out what it meant.
struct Step<G> {
    now: Instant,
    f: G,
}
impl<R, G: FnOnce(&mut Tcb, &mut Ctx<'_>) -> R> WithConn for Step<G> {
    type Out = Option<R>;
    fn run<F: Side>(self, half: &mut Half<F>, sh: &mut Shared, conn: u32) -> Option<R> {
        let c = half.conns.get_mut(conn)?;
        let r = (self.f)(&mut c.tcb, &mut sh.ctx(self.now));
        if c.tcb.state != TcpState::Close {
            after(half, sh, self.now, conn, Effects::NONE, None);
        }
        Some(r)
    }
}

impl Net {
    pub(crate) fn step<R>(
        &mut self,
        now: Instant,
        slot: u32,
        f: impl FnOnce(&mut Tcb, &mut Ctx<'_>) -> R,
    ) -> Option<R> {
        self.with_conn(slot, Step { now, f }).flatten()
    }

    pub(crate) fn recv<R>(
        &mut self,
        now: Instant,
        slot: u32,
        f: impl FnOnce(&[&[u8]]) -> (usize, R),
    ) -> Result<R, RecvError> {
        if let Some(s) = self.sh.sockets.get(slot)
            && (s.phase, s.error) == (Phase::Idle, None)
            && s.shut & Socket::SHUT_RCV != 0
        {
            return Ok(f(&[]).1);
        }
        self.step(now, slot, |t, cx| {
            if t.readable_now() > 0 {
                return Ok(t.recv_with(cx, f));
            }
            if let Some(e) = t.take_error() {
                return Err(RecvError::Failed(e));
            }
            if t.has(Tcb::RCV_SHUT) {
                t.end_was_read();
                return Ok(f(&[]).1);
            }
            Err(RecvError::WouldBlock)
        })
        .unwrap_or_else(|| {
            Err(self
                .idle_error(slot)
                .map_or(RecvError::NotConnected, RecvError::Failed))
        })
    }

    pub(crate) fn send<R>(
        &mut self,
        now: Instant,
        slot: u32,
        most: usize,
        f: impl FnOnce(&mut [&mut [u8]]) -> (usize, R),
    ) -> Result<R, SendError> {
        self.step(now, slot, |t, cx| {
            if t.error().is_some()
                && let Some(e) = t.take_error()
            {
                return Err(SendError::Failed(e));
            }
            match t.send_room(cx) {
                SendRoom::Shut => Err(SendError::Pipe),
                SendRoom::Full => Err(SendError::WouldBlock),
                SendRoom::Room(n) => Ok(t.send_with(cx, n.min(most), f).1),
            }
        })
        .unwrap_or_else(|| {
            Err(self
                .idle_error(slot)
                .map_or(SendError::Pipe, SendError::Failed))
        })
    }

    /// Takes the error that a socket without a connection has.
    pub(crate) fn idle_error(&mut self, slot: u32) -> Option<SoError> {
        self.sh.sockets.get_mut(slot)?.error.take()
    }

    /// poll(2)'s view (docs/linux 123).
    pub(crate) fn ready(&self, slot: u32) -> Ready {
        let Some(s) = self.sh.sockets.get(slot) else {
            return Ready::NONE;
        };
        let t = match s.phase {
            Phase::Idle => {
                let mut r = Ready::WRITE | Ready::HUP;
                if s.shut & Socket::SHUT_RCV != 0 {
                    r |= Ready::READ | Ready::RDHUP;
                }
                if s.error.is_some() {
                    r |= Ready::ERR;
                }
                return r;
            }
            Phase::Udp(u) => {
                let mut r = Ready::NONE;
                if let Some(x) = self.sh.udp.socks.get(u) {
                    r |= if x.is_readable() {
                        Ready::READ
                    } else {
                        Ready::NONE
                    };
                    r |= if x.is_writable() {
                        Ready::WRITE
                    } else {
                        Ready::NONE
                    };
                    r |= if x.error.is_some() {
                        Ready::ERR | Ready::READ
                    } else {
                        Ready::NONE
                    };
                }
                return r;
            }
            Phase::Listener(l) => {
                let waiting = self
                    .sh
                    .listeners
                    .get(l)
                    .is_some_and(|l| !l.queue.is_empty());
                return if waiting { Ready::READ } else { Ready::NONE };
            }
            Phase::V4(c) => self.v4.conns.get(c).map(|c| &c.tcb),
            Phase::V6(c) => self.v6.conns.get(c).map(|c| &c.tcb),
        };
        let Some(t) = t else { return Ready::NONE };
        let mut r = Ready::NONE;
        let (rcv, snd) = (t.has(Tcb::RCV_SHUT), t.has(Tcb::SND_SHUT));
        if rcv && snd || t.state == TcpState::Close {
            r |= Ready::HUP;
        }
        if rcv {
            r |= Ready::READ | Ready::RDHUP;
        }
        // Of connections under way only a Fast Open child is of use already.
        if matches!(t.state, TcpState::SynSent | TcpState::SynRecv) && t.pending().is_none() {
            // Or a client whose SYN waits for its data.
            if t.holds_fast_syn() {
                r |= Ready::WRITE;
            }
            return r;
        }
        // tcp_stream_is_readable (6.18): an urgent byte alone is nothing to read.
        if t.readable_now() > 0 {
            r |= Ready::READ;
        }
        if t.has_urgent() {
            r |= Ready::PRI;
        }
        if snd || t.is_writable_with(&self.sh.sysctls) {
            r |= Ready::WRITE;
        }
        if t.error().is_some() {
            r |= Ready::ERR;
        }
        r
    }
}
