//! `inet_csk_listen_start`: empty queues, the port check made anew, and into the listening hash.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::net::SocketAddr;
use hearken_tcp::Instant;
use hearken_tcp::tcb::NONE;

use super::{Group, Listener};
use crate::bind;
use crate::error::ListenError;
use crate::hooks::Step;
use crate::shared::Shared;
use crate::socket::{Phase, Socket};

/// Takes an idle socket to LISTEN; the address that it listens at. On EADDRINUSE it is in CLOSE as before and keeps
/// its binding (docs/linux 10).
pub(crate) fn listen_start(
    sh: &mut Shared,
    slot: u32,
    backlog: u32,
) -> Result<SocketAddr, ListenError> {
    sh.trace(|| Step::ListenStart {
        max_ack_backlog: backlog,
    });
    let Some(s) = sh.sockets.get_mut(slot) else {
        return Err(ListenError::NotUnconnected);
    };
    let mut local = s.conf().local;
    let autobind = s.bind == NONE;
    if autobind {
        // Linux calls get_port with port 0: a new port, even if getsockname still reports an old one (docs/linux 35).
        let port = bind::pick_port(sh, slot, local.ip());
        let free = port.is_some();
        sh.trace(|| Step::PortCheck {
            port: port.unwrap_or(0),
            autobind,
            free,
        });
        local.set_port(port.ok_or(ListenError::AddrInUse)?);
        bind::hold(sh, slot, local, true);
    } else {
        // The check of bind() made again, with the options as they are now (docs/linux 10, 12).
        let free = bind::is_free(sh, slot);
        sh.trace(|| Step::PortCheck {
            port: local.port(),
            autobind,
            free,
        });
        if !free {
            return Err(ListenError::AddrInUse);
        }
        bind::set_listening(sh, slot, true);
    }
    let Some(s) = sh.sockets.get_mut(slot) else {
        return Err(ListenError::NotUnconnected);
    };
    let listener = Listener {
        socket: slot,
        local,
        domain: s.domain,
        v6only: s.has(Socket::V6ONLY),
        device: s.conf().device,
        max_ack_backlog: backlog,
        half_open: 0,
        young: 0,
        queue: VecDeque::new(),
        held: false,
        tally: super::Tally::default(),
        cookies_until: Instant(0),
        group: NONE,
        incoming_cpu: s.conf().incoming_cpu,
        fast_open: Default::default(),
    };
    // inet_csk_delack_init (6.18): TCP_QUICKACK is forgotten here.
    s.conf().quick_ack_off = false;
    let (shares, uid) = (s.has(Socket::REUSE_PORT), s.conf().uid);
    let own = s.conf().own_group.take();
    let l = sh.listeners.insert(listener);
    if shares || own.is_some() {
        join(sh, l, uid, own);
    }
    if let Some(s) = sh.sockets.get_mut(slot) {
        s.phase = Phase::Listener(l);
    }
    if let Some(listener) = sh.listeners.get(l) {
        let place = listener.place(l, uid);
        let at = (local.ip(), local.port());
        sh.lhash.hash(&sh.secrets, at, place, (l, shares));
    }
    sh.trace(|| Step::Hashed { local });
    sh.tell_listener(local, true);
    Ok(local)
}

/// Into the group of its place, or into a new one (docs/linux 111); `own` is the group that a program made before.
fn join(sh: &mut Shared, l: u32, uid: u32, own: Option<Box<Group>>) {
    let Some(listener) = sh.listeners.get_mut(l) else {
        return;
    };
    let (local, like) = (listener.local, listener.place(l, uid));
    let there = sh.lhash.group(&sh.secrets, local.ip(), local.port(), like);
    let group = there.unwrap_or_else(|| sh.groups.insert(own.map_or_else(Group::default, |g| *g)));
    listener.group = group;
    if let Some(g) = sh.groups.get_mut(group) {
        g.members.push(l);
    }
}
