//! The end of a listener (Linux `inet_csk_listen_stop`), by close, shutdown or disconnect.

use alloc::vec::Vec;
use hearken_abi::TcpState;
use hearken_tcp::Instant;
use hearken_tcp::tcb::NONE;

use super::migrate;
use crate::bind;
use crate::hooks::SockOp;
use crate::net::Net;
use crate::socket::{Phase, Socket};

/// Takes a listener out of the hash and back to CLOSE. Queued children are reset (docs/linux 39); half-open ones stay
/// until their timer or a packet finds that the listener is gone (docs/linux 40). A port that the program did not choose
/// is released (docs/linux 35).
pub(crate) fn listen_stop(net: &mut Net, now: Instant, slot: u32) {
    let sh = &mut net.sh;
    let Some(Phase::Listener(l)) = sh.sockets.get(slot).map(|s| s.phase) else {
        return;
    };
    let mut orphans: Vec<u32> = Vec::new();
    let mut group = NONE;
    if let Some(listener) = sh.listeners.get_mut(l) {
        orphans.extend(listener.queue.drain(..));
        let local = listener.local;
        group = core::mem::replace(&mut listener.group, NONE);
        sh.lhash.unhash(&sh.secrets, local.ip(), local.port(), l);
        sh.tell_listener(local, false);
        let change = [TcpState::Listen as u32, TcpState::Close as u32, 0];
        sh.sock_op_idle(slot, SockOp::State, change, (local, TcpState::Listen));
    }
    let heirs = migrate::depart(sh, l, group);
    sh.listeners.remove(l);
    for any in &mut sh.any {
        if *any == l {
            *any = NONE;
        }
    }
    if let Some(s) = sh.sockets.get_mut(slot) {
        s.phase = Phase::Idle;
        let locked = s.conf().port_locked;
        if locked {
            bind::set_listening(sh, slot, false);
        } else {
            bind::release(sh, slot);
        }
    }
    sh.mark(slot);
    for child in orphans {
        if !(heirs && migrate::child(net, child, group)) {
            net.reset_and_free(now, child);
        }
    }
}

impl Socket {
    /// The listener slot, if it listens.
    pub(crate) fn listener(&self) -> Option<u32> {
        if let Phase::Listener(l) = self.phase {
            Some(l)
        } else {
            None
        }
    }
}
