//! The ways out: shutdown(2), close(2), connect(AF_UNSPEC), abort.

use hearken_abi::{Counter, TcpState};
use hearken_tcp::tcb::{NONE, Output, SoError};
use hearken_tcp::{Effects, Instant, Tcb, V4, V6};
use hearken_wire::tcp;

use crate::api::{IfaceId, Shutdown};
use crate::bind;
use crate::error::ShutdownError;
use crate::family::Side;
use crate::hash::established::Half;
use crate::listen::listen_stop;
use crate::net::Net;
use crate::shared::Shared;
use crate::socket::{Left, Phase, Socket, SsState, unspecified};
use crate::tcp_input::{after, leave, touch};
use crate::tcp_output::{self, Ends};
use crate::udp;

/// shutdown(2) (Linux `inet_shutdown`; docs/linux 9, 33, 34).
pub(crate) fn shutdown(
    net: &mut Net,
    now: Instant,
    slot: u32,
    how: Shutdown,
) -> Result<(), ShutdownError> {
    let Some(s) = net.sh.sockets.get_mut(slot) else {
        return Err(ShutdownError::NotConnected);
    };
    match s.phase {
        Phase::Idle => {
            // It fails, and is remembered all the same (inet_shutdown, 6.18).
            s.shut |= match how {
                Shutdown::Read => Socket::SHUT_RCV,
                Shutdown::Write => Socket::SHUT_SND,
                Shutdown::Both => Socket::SHUT_RCV | Socket::SHUT_SND,
            };
            return Err(ShutdownError::NotConnected);
        }
        Phase::Udp(u) => {
            let connected = net.sh.udp.socks.get(u).is_some_and(|x| x.peer.is_some());
            return if connected {
                Ok(())
            } else {
                Err(ShutdownError::NotConnected)
            };
        }
        Phase::Listener(_) => {
            if how != Shutdown::Write {
                listen_stop(net, now, slot);
                move_numbers(net, slot);
            }
            return Ok(());
        }
        Phase::V4(_) | Phase::V6(_) => {}
    }
    match net.state_of(slot) {
        TcpState::Close => {
            if let Some(s) = net.sh.sockets.get_mut(slot)
                && s.ss == SsState::Connecting
            {
                s.ss = SsState::Disconnecting;
            }
            Err(ShutdownError::NotConnected)
        }
        TcpState::SynSent => {
            disconnect(net, now, slot);
            Ok(())
        }
        _ => {
            net.with_conn(slot, ShutConn { now, how });
            net.sh.mark(slot);
            Ok(())
        }
    }
}

/// Something to be done with the connection of a socket, whatever its family.
pub(crate) trait WithConn {
    type Out;
    fn run<F: Side>(self, half: &mut Half<F>, sh: &mut Shared, conn: u32) -> Self::Out;
}

struct ShutConn {
    now: Instant,
    how: Shutdown,
}
impl WithConn for ShutConn {
    type Out = ();
    fn run<F: Side>(self, half: &mut Half<F>, sh: &mut Shared, conn: u32) {
        let Some(c) = half.conns.get_mut(conn) else {
            return;
        };
        if self.how != Shutdown::Write {
            c.tcb.shutdown_read();
        }
        if self.how != Shutdown::Read {
            c.tcb.shutdown_write(&mut sh.ctx(self.now));
        }
        touch(half, sh, conn);
    }
}

/// Ends a connection at once; a reset tells the peer, where it has something to hear. What is left for SO_ERROR:
/// ECONNRESET, or the error that nobody took (`tcp_disconnect`, 6.18).
struct AbortConn {
    now: Instant,
}
impl WithConn for AbortConn {
    type Out = Option<SoError>;
    fn run<F: Side>(self, half: &mut Half<F>, sh: &mut Shared, conn: u32) -> Option<SoError> {
        let c = half.conns.get_mut(conn)?;
        let lives = c.tcb.tells_reset() || c.tcb.state == TcpState::SynSent;
        let left = if lives {
            Some(SoError::Reset)
        } else {
            c.tcb.error()
        };
        let out = c
            .tcb
            .tells_reset()
            .then(|| c.tcb.active_reset(&mut sh.ctx(self.now)));
        let (_, fx) = c.tcb.abort(&mut sh.ctx(self.now));
        if let Some(out) = out {
            send_reset(half, sh, conn, out);
        }
        if fx.has(Effects::CLOSED) {
            leave(half, sh, conn);
        }
        left
    }
}

struct CloseConn {
    now: Instant,
    linger_zero: bool,
}
impl WithConn for CloseConn {
    type Out = ();
    fn run<F: Side>(self, half: &mut Half<F>, sh: &mut Shared, conn: u32) {
        let Some(c) = half.conns.get_mut(conn) else {
            return;
        };
        if c.tcb.md5 {
            sh.md5_orphan(conn, c);
        }
        let unread = c.tcb.readable() > 0;
        let out = (c.tcb.tells_reset() && (unread || self.linger_zero || c.tcb.closes_by_reset()))
            .then(|| c.tcb.active_reset(&mut sh.ctx(self.now)));
        let (reset, fx) = c.tcb.close(&mut sh.ctx(self.now), self.linger_zero);
        if reset && let Some(out) = out {
            send_reset(half, sh, conn, out);
        }
        after(half, sh, self.now, conn, fx, None);
    }
}

pub(crate) fn send_reset<F: Side>(half: &mut Half<F>, sh: &mut Shared, conn: u32, o: Output) {
    let Some(c) = half.conns.get(conn) else {
        return;
    };
    let key = sh.md5_key_of(conn, c);
    let header = tcp::Header {
        src_port: c.tuple.lport,
        dst_port: c.tuple.rport,
        seq: o.seq.0,
        ack: o.ack.0,
        flags: o.flags,
        ae: false,
        window: o.window,
        urgent: o.urgent,
        options: o.options,
    };
    // Unlike an answer to a stray, it leaves as the socket's own segments do (Linux `tcp_send_active_reset`).
    let conf = sh.sockets.get(c.tcb.owner).and_then(|s| s.conf.as_deref());
    let (tos, ttl) = conf.map_or((0, 0), |c| (c.tos, c.ttl));
    let ends = Ends {
        src: c.tuple.laddr,
        dst: c.tuple.raddr,
        tos,
        ttl,
    };
    let iface = IfaceId(c.tcb.iface);
    sh.mib.inc(Counter::TcpOutRsts);
    tcp_output::reply::<F>(sh, iface, &ends, &header, key.as_ref());
}

/// connect(AF_UNSPEC) (Linux `tcp_disconnect`; docs/linux 7, 36): CLOSE and fresh again; what the program chose of its
/// binding stays.
pub(crate) fn disconnect(net: &mut Net, now: Instant, slot: u32) {
    let Some(s) = net.sh.sockets.get(slot) else {
        return;
    };
    match s.phase {
        Phase::Idle => {}
        Phase::Udp(u) => udp::disconnect(&mut net.sh, slot, u),
        Phase::Listener(_) => listen_stop(net, now, slot),
        Phase::V4(_) | Phase::V6(_) => {
            let left = net.with_conn(slot, AbortConn { now }).flatten();
            keep_numbers(net, slot);
            net.detach(slot);
            if let Some(s) = net.sh.sockets.get_mut(slot) {
                s.error = left;
            }
        }
    }
    if let Some(s) = net.sh.sockets.get_mut(slot) {
        (s.ss, s.shut) = (SsState::Unconnected, 0);
    }
    move_numbers(net, slot);
    net.sh.mark(slot);
}

/// The socket keeps the sequence numbers of its connection, which is about to leave it.
fn keep_numbers(net: &mut Net, slot: u32) {
    let kept = net.with_tcb(slot, |t| {
        let write = t.snd.una + t.unacked_numbers() as u32;
        let left = Left {
            write,
            una: t.snd.una,
            nxt: t.snd.nxt,
        };
        // What disconnect adds comes on top of the window.
        (left, t.max_window())
    });
    if let Some(((mut left, window), s)) = kept.zip(net.sh.sockets.get_mut(slot)) {
        left.write += window;
        s.conf().left = left;
    }
}

/// `tcp_disconnect` moves on what is to be written next (6.18).
fn move_numbers(net: &mut Net, slot: u32) {
    if let Some(s) = net.sh.sockets.get_mut(slot) {
        let left = s.conf().left.moved_on();
        s.conf().left = left;
    }
}

/// A second connect() after an attempt that failed disconnects first.
pub(crate) fn disconnect_failed(net: &mut Net, slot: u32) {
    keep_numbers(net, slot);
    net.detach(slot);
    move_numbers(net, slot);
}

/// The last reference is gone (Linux `inet_release`, `__tcp_close`).
pub(crate) fn close(net: &mut Net, now: Instant, slot: u32) {
    let Some(s) = net.sh.sockets.get(slot) else {
        return;
    };
    let linger_zero = s
        .conf
        .as_ref()
        .and_then(|c| c.linger)
        .is_some_and(|d| d.is_zero());
    match s.phase {
        Phase::Listener(_) => listen_stop(net, now, slot),
        Phase::Idle => {}
        Phase::Udp(u) => udp::close(&mut net.sh, slot, u),
        Phase::V4(_) | Phase::V6(_) => net
            .with_conn(slot, CloseConn { now, linger_zero })
            .unwrap_or(()),
    }
    free_socket(net, slot);
}

fn free_socket(net: &mut Net, slot: u32) {
    bind::release(&mut net.sh, slot);
    if let Some(s) = net.sh.sockets.get_mut(slot) {
        s.conf = None;
    }
    net.sh.sockets.remove(slot);
}

impl Net {
    /// Runs `f` on the connection of a socket, if it has one.
    pub(crate) fn with_conn<W: WithConn>(&mut self, slot: u32, f: W) -> Option<W::Out> {
        match self.sh.sockets.get(slot)?.phase {
            Phase::V4(c) => Some(f.run::<V4>(&mut self.v4, &mut self.sh, c)),
            Phase::V6(c) => Some(f.run::<V6>(&mut self.v6, &mut self.sh, c)),
            Phase::Idle | Phase::Listener(_) | Phase::Udp(_) => None,
        }
    }

    /// Runs `f` on the control block of a socket, if it has one.
    pub(crate) fn with_tcb<R>(&mut self, slot: u32, f: impl FnOnce(&mut Tcb) -> R) -> Option<R> {
        match self.sh.sockets.get(slot)?.phase {
            Phase::V4(c) => self.v4.conns.get_mut(c).map(|c| f(&mut c.tcb)),
            Phase::V6(c) => self.v6.conns.get_mut(c).map(|c| f(&mut c.tcb)),
            Phase::Idle | Phase::Listener(_) | Phase::Udp(_) => None,
        }
    }

    /// A child that nobody accepted: reset, and gone (docs/linux 39).
    pub(crate) fn reset_and_free(&mut self, now: Instant, slot: u32) {
        self.with_conn(slot, AbortConn { now });
        self.detach(slot);
        free_socket(self, slot);
    }

    pub(crate) fn abort_socket(&mut self, now: Instant, slot: u32) {
        if self
            .sh
            .sockets
            .get(slot)
            .is_some_and(|s| s.listener().is_some())
        {
            listen_stop(self, now, slot);
        }
        self.reset_and_free(now, slot);
    }

    /// For bind(2): a connection in CLOSE whose port the program did not choose has given it back, and the socket may
    /// be bound anew; what connect() and poll() know of it stays (`inet_put_port`, 6.18).
    pub(crate) fn part_for_bind(&mut self, slot: u32) {
        let Some(s) = self.sh.sockets.get(slot) else {
            return;
        };
        let (ss, locked) = (s.ss, s.conf.as_ref().is_some_and(|c| c.port_locked));
        let ended = matches!(s.phase, Phase::V4(_) | Phase::V6(_))
            && self.state_of(slot) == TcpState::Close;
        if !ended || locked {
            return;
        }
        let error = self.with_tcb(slot, |t| t.error()).flatten();
        self.detach(slot);
        if let Some(s) = self.sh.sockets.get_mut(slot) {
            (s.ss, s.error) = (ss, error);
            s.shut = Socket::SHUT_RCV | Socket::SHUT_SND;
        }
    }

    /// Parts a socket from its connection in CLOSE: it is idle again. An address and a port that the program chose
    /// stay its own, the rest is forgotten.
    pub(crate) fn detach(&mut self, slot: u32) {
        struct Part;
        impl WithConn for Part {
            type Out = u32;
            fn run<F: Side>(self, half: &mut Half<F>, sh: &mut Shared, conn: u32) -> u32 {
                let Some(c) = half.conns.get_mut(conn) else {
                    return NONE;
                };
                c.tcb.owner = NONE;
                let bind = core::mem::replace(&mut c.tcb.bind, NONE);
                leave(half, sh, conn);
                bind
            }
        }
        let Some(bind) = self.with_conn(slot, Part) else {
            return;
        };
        let sh = &mut self.sh;
        let Some(s) = sh.sockets.get_mut(slot) else {
            return;
        };
        (s.phase, s.ss) = (Phase::Idle, SsState::Unconnected);
        let any = unspecified(s.domain).ip();
        let conf = s.conf();
        if !conf.addr_locked {
            conf.local.set_ip(any);
        }
        let ip = conf.local.ip();
        if conf.port_locked {
            s.bind = sh.binds.change(bind, |h| h.addr = ip);
        } else {
            // getsockname goes on to show the port (docs/linux 35).
            sh.binds.release(bind);
        }
    }
}
