//! The accept queue: where completed connections wait, oldest first (Linux `inet_csk_reqsk_queue_add`).

use alloc::boxed::Box;
use core::net::SocketAddr;
use hearken_abi::TcpState;
use hearken_tcp::Instant;

use crate::family::Side;
use crate::hash::established::Half;
use crate::hooks::{SockOp, Step};
use crate::shared::Shared;
use crate::socket::{Conf, Phase, Socket, SsState, shown};

/// The socket of a child of listener `l`, with what it inherits as the options stand now (docs/linux 49, 121).
pub(super) fn child_socket(sh: &mut Shared, l: u32) -> Option<Socket> {
    let listener = sh.listeners.get(l)?;
    let parent = sh.sockets.get(listener.socket)?;
    let conf: Option<Box<Conf>> = parent
        .conf
        .as_ref()
        .and_then(|c| c.inherited(parent.domain));
    let mut s = Socket::new(parent.domain);
    s.flags = parent.flags;
    s.cb_flags = parent.cb_flags;
    s.ss = SsState::Connected;
    s.conf = conf;
    Some(s)
}

/// Appends the socket of connection `conn` to the queue of `l`.
pub(super) fn add<F: Side>(
    half: &mut Half<F>,
    sh: &mut Shared,
    now: Instant,
    l: u32,
    conn: u32,
    socket: Socket,
) {
    let domain = socket.domain;
    let keep_alive = socket.has(Socket::KEEP_ALIVE);
    let cb_flags = socket.cb_flags;
    let slot = sh.sockets.insert(Socket {
        phase: if F::V6 {
            Phase::V6(conn)
        } else {
            Phase::V4(conn)
        },
        ..socket
    });
    let Some(c) = half.conns.get_mut(conn) else {
        return;
    };
    c.tcb.owner = slot;
    c.tcb.cb_flags |= cb_flags;
    let t = c.tuple;
    let s = sh.sockets.get(slot);
    let (no_delay, cork) = s.map_or((false, false), |s| {
        (s.has(Socket::NO_DELAY), s.has(Socket::CORK))
    });
    c.tcb.set_nodelay(no_delay);
    c.tcb.set_cork(cork);
    let conf = s.and_then(|s| s.conf.as_ref());
    let bufs = conf.map_or((None, None), |c| (c.sndbuf, c.rcvbuf));
    let knobs = conf.map_or_else(Default::default, |c| c.knobs);
    let quick_ack = conf.is_none_or(|c| !c.quick_ack_off);
    let oob_inline = conf.is_some_and(|c| c.oob_inline);
    let mut cx = sh.ctx(now);
    c.tcb.set_oob_inline(&cx, oob_inline);
    c.tcb.set_knobs(&cx, knobs);
    if keep_alive {
        c.tcb.set_keepalive(&mut cx, true);
    }
    if let Some(b) = bufs.0 {
        c.tcb.set_sndbuf(&cx, b);
    }
    if let Some(b) = bufs.1 {
        c.tcb.inherit_rcvbuf(&cx, b);
    }
    c.tcb.begin_receiving(&cx);
    if !quick_ack {
        c.tcb.set_quick_ack(&mut cx, 0);
    }
    let remote = SocketAddr::new(shown(domain, F::to_ip(t.raddr)), t.rport);
    if let Some(listener) = sh.listeners.get_mut(l) {
        listener.queue.push_back(slot);
        listener.tally.connections += 1;
        let (ack_backlog, limit, owner) = (
            listener.ack_backlog(),
            listener.max_ack_backlog,
            listener.socket,
        );
        sh.mark(owner);
        sh.trace(|| Step::Queued {
            remote,
            ack_backlog,
            limit,
        });
    }
    if let Some(c) = half.conns.get_mut(conn) {
        sh.sock_op_rtt(c);
        sh.sock_op_in(c, SockOp::PassiveEstablished, [0; 3], TcpState::SynRecv);
    }
}
