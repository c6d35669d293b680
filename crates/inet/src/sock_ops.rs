//! The sock_ops callbacks: who is called with what (Linux `tcp_call_bpf`; docs/linux/sock-ops.md).

use core::net::SocketAddr;
use core::time::Duration;
use hearken_abi::TcpState;
use hearken_tcp::Connection;
use hearken_tcp::rtt::RTO_MAX;
use hearken_tcp::tcb::Tcb;

use crate::family::Side;
use crate::hooks::{CbFlags, HookMask, SockOp, SockOps, SockReply, SockView};
use crate::shared::Shared;
use crate::socket::unspecified;
use crate::tcp_input::tuple_ends;

/// What a socket shows that has not begun to speak.
const FRESH: SockView = SockView {
    snd_cwnd: 10,
    srtt_us: 0,
    rtt_min: u32::MAX,
    snd_ssthresh: u32::MAX >> 1,
    rcv_nxt: 0,
    snd_nxt: 0,
    snd_una: 0,
    mss_cache: 536,
    ecn_flags: 0,
    packets_out: 0,
};

/// What a connection shows.
fn view(t: &Tcb) -> SockView {
    SockView {
        snd_cwnd: t.cwnd,
        srtt_us: t.rtt.srtt_us,
        // Not kept here; as before the first sample.
        rtt_min: u32::MAX,
        snd_ssthresh: t.ssthresh,
        rcv_nxt: t.rcv.nxt.0,
        snd_nxt: t.snd.nxt.0,
        snd_una: t.snd.una.0,
        mss_cache: u32::from(t.mss),
        // TCP_ECN_OK, TCP_ECN_QUEUE_CWR, TCP_ECN_DEMAND_CWR, TCP_ECN_SEEN of Linux.
        ecn_flags: [
            (Tcb::ECN_OK, 1),
            (Tcb::ECN_QUEUE_CWR, 2),
            (Tcb::ECN_DEMAND_CWR, 4),
            (Tcb::ECN_SEEN, 8),
        ]
        .iter()
        .filter(|(ours, _)| t.ecn & ours != 0)
        .map(|(_, linux)| linux)
        .sum(),
        packets_out: (t.snd.nxt - t.snd.una).div_ceil(u32::from(t.mss.max(1))),
    }
}

/// A reply that counts Linux's jiffies, 4 ms at 250 Hz. `None`: it says nothing.
pub(crate) fn jiffies(reply: i32) -> Option<Duration> {
    let n = u32::try_from(reply).ok().filter(|n| *n > 0)?;
    Some((Duration::from_millis(4) * n).min(RTO_MAX))
}

impl Shared {
    fn call(&mut self, call: &SockOps) -> SockReply {
        let hooks = self.hooks(HookMask::SOCK_OPS);
        hooks.map_or(SockReply::NONE, |h| h.sock_ops(call))
    }

    /// A callback of a connection, if it has it switched on; the reply is -1 when there is none.
    pub(crate) fn sock_op<F: Side>(
        &mut self,
        c: &mut Connection<F>,
        op: SockOp,
        args: [u32; 3],
    ) -> i32 {
        self.sock_op_in(c, op, args, c.tcb.state)
    }

    /// What an active open asks before its SYN leaves, and what the answers change (`tcp_connect`, 6.18, in its order).
    pub(crate) fn sock_ops_connect<F: Side>(&mut self, c: &mut Connection<F>) {
        self.sock_op(c, SockOp::TcpConnect, [0; 3]);
        if let Ok(segments @ 1..) = u32::try_from(self.sock_op(c, SockOp::RwndInit, [0; 3])) {
            c.tcb.limit_syn_window(segments);
        }
        self.sock_op_timeout(c);
        if self.sock_op(c, SockOp::NeedsEcn, [0; 3]) == 1 {
            c.tcb.need_ecn();
        }
    }

    /// How long a SYN may take, in jiffies; nothing above zero means a second.
    pub(crate) fn sock_op_timeout<F: Side>(&mut self, c: &mut Connection<F>) {
        let reply = self.sock_op(c, SockOp::TimeoutInit, [0; 3]);
        if let Some(timeout) = jiffies(reply) {
            c.tcb.rtt.begin_with(timeout);
        }
    }

    /// The same of one whose state is still another.
    pub(crate) fn sock_op_in<F: Side>(
        &mut self,
        c: &mut Connection<F>,
        op: SockOp,
        args: [u32; 3],
        state: TcpState,
    ) -> i32 {
        let flag = op.flag();
        if !self.wants(HookMask::SOCK_OPS) || c.tcb.cb_flags & flag != flag {
            return -1;
        }
        let (local, remote) = tuple_ends(&c.tuple, c.tcb.has(Tcb::MAPPED));
        let reply = self.call(&SockOps {
            op,
            args: [args[0], args[1], args[2], 0],
            local,
            remote: Some(remote),
            state,
            cb_flags: c.tcb.cb_flags & CbFlags::ALL,
            sock: Some(view(&c.tcb)),
        });
        if let Some(flags) = reply.cb_flags {
            c.tcb.cb_flags = c.tcb.cb_flags & !CbFlags::ALL | flags;
        }
        reply.reply
    }

    /// The round-trip time was measured: told in the state that the connection was in.
    pub(crate) fn sock_op_rtt<F: Side>(&mut self, c: &mut Connection<F>) {
        if c.tcb.cb_flags & Tcb::RTT_SAMPLED == 0 {
            return;
        }
        c.tcb.cb_flags &= !Tcb::RTT_SAMPLED;
        let args = [c.tcb.last_rtt_us(), c.tcb.rtt.srtt_us, 0];
        let state = c.tcb.told;
        self.sock_op_in(c, SockOp::Rtt, args, state);
    }

    /// A change of state. Linux tells it before it is done, and of a sock that takes the connection's place tells
    /// nothing: the connection itself is closed then, by way of FIN_WAIT2.
    pub(crate) fn sock_op_state<F: Side>(
        &mut self,
        c: &mut Connection<F>,
        old: TcpState,
        new: TcpState,
    ) {
        let mut tell = |c: &mut _, old: TcpState, new: TcpState| {
            self.sock_op_in(c, SockOp::State, [old as u32, new as u32, 0], old);
        };
        let replaced = new == TcpState::TimeWait
            || new == TcpState::FinWait2 && c.tcb.state == TcpState::Close;
        if !replaced {
            return tell(c, old, new);
        }
        let mut from = old;
        if old == TcpState::FinWait1 {
            tell(c, old, TcpState::FinWait2);
            from = TcpState::FinWait2;
        }
        tell(c, from, TcpState::Close);
    }

    /// The retransmission timer fired: with what is known before it acts. Linux's unit is a jiffy, 4 ms at 250 Hz.
    pub(crate) fn sock_op_rto<F: Side>(
        &mut self,
        c: &mut Connection<F>,
        (retries, timeout): (u8, Duration),
        gives_up: bool,
    ) {
        let args = [
            u32::from(retries),
            (timeout.as_millis() / 4) as u32,
            u32::from(gives_up),
        ];
        let state = c.tcb.told;
        if state == TcpState::SynSent && retries > 0 {
            self.sock_op_timeout(c);
        }
        self.sock_op_in(c, SockOp::Rto, args, state);
    }

    /// A callback of a socket without a connection, whose local end is given.
    pub(crate) fn sock_op_idle(
        &mut self,
        socket: u32,
        op: SockOp,
        args: [u32; 3],
        (local, state): (SocketAddr, TcpState),
    ) {
        let flag = op.flag();
        let Some(s) = self.sockets.get(socket) else {
            return;
        };
        let cb_flags = s.cb_flags;
        if !self.wants(HookMask::SOCK_OPS) || cb_flags & flag != flag {
            return;
        }
        let remote = Some(unspecified(s.domain));
        let reply = self.call(&SockOps {
            op,
            args: [args[0], args[1], args[2], 0],
            local,
            remote,
            state,
            cb_flags,
            sock: Some(FRESH),
        });
        if let (Some(flags), Some(s)) = (reply.cb_flags, self.sockets.get_mut(socket)) {
            s.cb_flags = flags;
        }
    }

    /// A callback of a half-open connection, which has no full socket, no flags and no numbers.
    pub(crate) fn sock_op_request(
        &mut self,
        op: SockOp,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> i32 {
        self.call(&SockOps {
            op,
            args: [0; 4],
            local,
            remote: Some(remote),
            state: TcpState::NewSynRecv,
            cb_flags: 0,
            sock: None,
        })
        .reply
    }
}
