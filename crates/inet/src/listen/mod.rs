//! listen(2) below the system call: `inet_listen` and what a listener is.
//!
//! The way of a call: [`inet_listen`] here, `fastopen.rs`, `start.rs`, `hash/listening.rs`, `sock_ops` in `shared.rs`.
//! The way of a SYN: `tcp_input.rs`, `conn_request.rs`, `check_req.rs`, `accept_queue.rs`, `accept.rs`; the end of it
//! all in `stop.rs`.

mod accept;
mod accept_queue;
mod check_req;
mod conn_request;
mod cookies;
pub(crate) mod fastopen;
pub(crate) mod fastopen_key;
pub(crate) mod group;
mod migrate;
mod saved_syn;
mod start;
mod stop;

pub(crate) use accept::{accept, accept_undo};
pub(crate) use check_req::check_req;
pub(crate) use conn_request::{
    advmss, conn_request, remove, resolve, send_syn_ack, shape, syn_ack_timer,
};
pub(crate) use cookies::check as cookie_check;
pub use fastopen_key::Keys as FastOpenKeys;
pub(crate) use group::Group;
pub(crate) use migrate::{Departed, take_back};
pub(crate) use saved_syn::{SavedSyns, SynDevices, SynTimeouts, SynTos};
pub(crate) use start::listen_start;
pub(crate) use stop::listen_stop;

use alloc::collections::VecDeque;
use core::net::SocketAddr;
use hearken_abi::{Domain, TcpState};
use hearken_tcp::Instant;
use hearken_tcp::tcb::NONE;

use crate::api::IfaceId;
use crate::error::ListenError;
use crate::hash::listening::{Place, Who};
use crate::hooks::{SockOp, Step};
use crate::shared::Shared;
use crate::socket::{Phase, SsState};

/// What came to a listener so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) syns: u64,
    pub(crate) connections: u64,
    pub(crate) overflows: u64,
}

/// A socket in LISTEN: its limits and its accept queue; no send or receive state.
#[derive(Debug)]
pub(crate) struct Listener {
    /// The socket that owns it.
    pub(crate) socket: u32,
    /// Where it listens.
    pub(crate) local: SocketAddr,
    pub(crate) domain: Domain,
    pub(crate) v6only: bool,
    pub(crate) device: Option<IfaceId>,
    /// `sk_max_ack_backlog`: the limit of both queues; one more than it fits.
    pub(crate) max_ack_backlog: u32,
    /// Half-open connections.
    pub(crate) half_open: u32,
    /// Those of them whose SYN-ACK was not sent again by its timer.
    pub(crate) young: u32,
    /// Completed ones, oldest first (`sk_ack_backlog` is the length): sockets nobody holds yet.
    pub(crate) queue: VecDeque<u32>,
    /// Each SYN waits for a verdict (`listen_any`).
    pub(crate) held: bool,
    pub(crate) tally: Tally,
    /// Until when an ACK without a request is tested for a SYN cookie (docs/linux 85).
    pub(crate) cookies_until: Instant,
    /// The SO_REUSEPORT group that it is a member of.
    pub(crate) group: u32,
    /// SO_INCOMING_CPU, -1 for none.
    pub(crate) incoming_cpu: i32,
    /// Fast Open children whose ACK has not come.
    pub(crate) fast_open: fastopen::Queue,
}

impl Listener {
    /// `sk_ack_backlog`
    pub(crate) fn ack_backlog(&self) -> u32 {
        self.queue.len() as u32
    }
    /// Its place in the listening hash.
    pub(crate) fn place(&self, slot: u32, uid: u32) -> Place {
        Place {
            who: if self.group == NONE {
                Who::Listener(slot)
            } else {
                Who::Group(self.group)
            },
            domain: self.domain,
            v6only: self.v6only,
            device: self.device,
            uid,
        }
    }
    /// Linux `sk_acceptq_is_full`: more than the limit, so limit + 1 fit (docs/linux 42).
    pub(crate) fn accept_queue_is_full(&self) -> bool {
        self.ack_backlog() > self.max_ack_backlog
    }
    /// Linux `inet_csk_reqsk_queue_is_full`: the same limit, the same `>` (docs/linux 50).
    pub(crate) fn request_queue_is_full(&self) -> bool {
        self.half_open > self.max_ack_backlog
    }
}

/// `inet_listen` and `__inet_listen_sk` (6.18): the state checks, the limit, and on the first call the start.
pub(crate) fn inet_listen(sh: &mut Shared, slot: u32, backlog: u32) -> Result<(), ListenError> {
    let Some(s) = sh.sockets.get_mut(slot) else {
        return Err(ListenError::NotUnconnected);
    };
    let phase = s.phase;
    let state = match phase {
        Phase::Listener(_) => TcpState::Listen,
        Phase::Idle => TcpState::Close,
        // SS_CONNECTING and SS_CONNECTED, and whatever TCP state is left below: EINVAL (docs/linux 6, 7).
        Phase::V4(_) | Phase::V6(_) | Phase::Udp(_) => return Err(ListenError::NotUnconnected),
    };
    if s.ss != SsState::Unconnected {
        return Err(ListenError::NotUnconnected);
    }
    sh.trace(|| Step::InetListen { state });
    if let Phase::Listener(l) = phase {
        // Repeated: the limit moves, nothing else (docs/linux 21).
        if let Some(l) = sh.listeners.get_mut(l) {
            let from = core::mem::replace(&mut l.max_ack_backlog, backlog);
            sh.trace(|| Step::BacklogMoved { from, to: backlog });
        }
        return Ok(());
    }
    fastopen::on_first_listen(sh, slot, backlog);
    let local = listen_start(sh, slot, backlog)?;
    sh.sock_op_idle(slot, SockOp::TcpListen, [0; 3], (local, TcpState::Listen));
    sh.trace(|| Step::ListenCallback);
    Ok(())
}
