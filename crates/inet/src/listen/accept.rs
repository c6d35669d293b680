//! accept(2) below the system call (Linux `inet_csk_accept`).

use hearken_tcp::Instant;
use hearken_tcp::tcb::NONE;

use crate::api::{Accepted, SocketId};
use crate::error::AcceptError;
use crate::hooks::Step;
use crate::net::Net;

/// Takes the oldest child, whatever has become of it meanwhile (docs/linux 46, 47).
pub(crate) fn accept(net: &mut Net, s: SocketId) -> Result<Accepted, AcceptError> {
    let l = net
        .sh
        .socket(s)
        .and_then(|s| s.listener())
        .ok_or(AcceptError::NotListening)?;
    let listener = net
        .sh
        .listeners
        .get_mut(l)
        .ok_or(AcceptError::NotListening)?;
    let child = listener.queue.pop_front().ok_or(AcceptError::Empty)?;
    let ack_backlog = listener.ack_backlog();
    let socket = net.sh.id(child);
    net.with_tcb(child, |t| t.fast_open_accepted(true));
    let (local, peer) = net.ends(child).ok_or(AcceptError::Empty)?;
    net.sh.trace(|| Step::Accepted {
        remote: peer,
        ack_backlog,
    });
    Ok(Accepted {
        socket,
        peer,
        local,
    })
}

/// Puts `child`, which nobody has touched, back to the front: its acceptor vanished before it got the descriptor. If
/// the listener is gone meanwhile the child is reset, as all that it held were.
pub(crate) fn accept_undo(net: &mut Net, now: Instant, listener: SocketId, child: SocketId) {
    if net.sh.socket(child).is_none() {
        return;
    }
    let l = net
        .sh
        .socket(listener)
        .and_then(|s| s.listener())
        .unwrap_or(NONE);
    net.with_tcb(child.slot, |t| t.fast_open_accepted(false));
    if let Some(l) = net.sh.listeners.get_mut(l) {
        l.queue.push_front(child.slot);
        net.sh.mark(listener.slot);
    } else {
        net.reset_and_free(now, child.slot);
    }
}
