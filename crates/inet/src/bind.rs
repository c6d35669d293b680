//! bind(2) and the choice of ports (Linux `__inet_bind`, `inet_csk_get_port`).

use core::net::{IpAddr, SocketAddr};
use hearken_abi::Domain;
use hearken_tcp::tcb::NONE;

use crate::api::Cred;
use crate::api::IfaceId;
use crate::error::BindError;
use crate::hash::bind::Holder;
use crate::net::Net;
use crate::shared::Shared;
use crate::socket::{Phase, Socket};

/// bind(2): the checks in Linux's order (docs/linux 15, 30, 105 to 108).
pub(crate) fn bind(
    sh: &mut Shared,
    slot: u32,
    addr: SocketAddr,
    cred: &Cred,
) -> Result<(), BindError> {
    let Some(s) = sh.sockets.get(slot) else {
        return Err(BindError::NotFresh);
    };
    if addr.is_ipv4() != (s.domain == Domain::Inet) {
        return Err(BindError::WrongFamily);
    }
    let ip = addr.ip();
    let seen = ip.to_canonical();
    if let IpAddr::V6(a) = ip
        && a.is_multicast()
    {
        return Err(BindError::BadAddress);
    }
    // ::1 is an address of lo alone; others are everybody's (ipv6_chk_addr, 6.18).
    let device = s.conf.as_ref().and_then(|c| c.device);
    let elsewhere =
        seen.is_ipv6() && seen.is_loopback() && device.is_some_and(|d| d != IfaceId::LO);
    let ours = seen.is_unspecified()
        || sh.routing.is_local(seen) && !elsewhere
        || seen.is_ipv4() && (seen.is_multicast() || sh.routing.is_broadcast(seen))
        || s.has(Socket::FREE_BIND)
        || nonlocal(sh, seen);
    let port = addr.port();
    let private =
        port != 0 && port < sh.sysctls.ip_unprivileged_port_start && !cred.net_bind_service;
    let fresh = matches!(s.phase, Phase::Idle | Phase::Udp(_)) && s.bind == NONE;
    // IPv4 asks about the address first, IPv6 last (`__inet_bind`, `__inet6_bind`; docs/linux 15).
    let v4 = s.domain == Domain::Inet;
    if v4 && !ours {
        return Err(BindError::AddrNotAvailable);
    }
    if private {
        return Err(BindError::Permission);
    }
    if !fresh {
        return Err(BindError::NotFresh);
    }
    if !v4 && s.has(Socket::V6ONLY) && seen.is_ipv4() {
        return Err(BindError::BadAddress);
    }
    if !ours {
        return Err(BindError::AddrNotAvailable);
    }
    let no_port = s.has(Socket::NO_PORT);
    if let Some(s) = sh.sockets.get_mut(slot) {
        s.conf().uid = cred.uid;
    }
    let mut local = addr;
    if port == 0 && no_port {
        set_local(sh, slot, local, false);
        return Ok(());
    }
    if port == 0 {
        local.set_port(pick_port(sh, slot, ip).ok_or(BindError::AddrInUse)?);
    } else if !sh.binds(slot).is_free(
        &asked(
            sh,
            slot,
            holder(sh, slot, local).ok_or(BindError::NotFresh)?,
        ),
        NONE,
    ) {
        return Err(BindError::AddrInUse);
    }
    hold(sh, slot, local, false);
    set_local(sh, slot, local, port != 0);
    Ok(())
}

/// The sysctl that lets any address be bound: each family has its own.
fn nonlocal(sh: &Shared, seen: IpAddr) -> bool {
    let s = &sh.sysctls;
    let on = if seen.is_ipv4() {
        s.ip_nonlocal_bind
    } else {
        s.ip6_nonlocal_bind
    };
    on != 0
}

fn set_local(sh: &mut Shared, slot: u32, local: SocketAddr, port_locked: bool) {
    if let Some(s) = sh.sockets.get_mut(slot) {
        let c = s.conf();
        (c.local, c.port_locked, c.addr_locked) =
            (local, port_locked, !local.ip().is_unspecified());
    }
}

/// What a conflict of this socket at `local` would hang on.
pub(crate) fn holder(sh: &Shared, slot: u32, local: SocketAddr) -> Option<Holder> {
    let s = sh.sockets.get(slot)?;
    Some(Holder {
        port: local.port(),
        addr: local.ip(),
        v6only: s.has(Socket::V6ONLY),
        device: s.conf.as_ref().and_then(|c| c.device),
        reuse_addr: s.has(Socket::REUSE_ADDR),
        reuse_port: s.has(Socket::REUSE_PORT),
        uid: s.conf.as_ref().map_or(0, |c| c.uid),
        listening: false,
        time_wait: false,
        by_connect: false,
    })
}

/// How a socket stands to others when it asks for a port: one that has a SO_REUSEPORT group already cannot join theirs
/// (docs/linux/reuseport-programs.md).
fn asked(sh: &Shared, slot: u32, h: Holder) -> Holder {
    let conf = sh.sockets.get(slot).and_then(|s| s.conf.as_ref());
    let joined = conf.is_some_and(|c| c.own_group.is_some());
    Holder {
        reuse_port: h.reuse_port && !joined,
        ..h
    }
}

/// Takes the port of `local` for the socket, and remembers `local`.
pub(crate) fn hold(sh: &mut Shared, slot: u32, local: SocketAddr, listening: bool) {
    let Some(h) = holder(sh, slot, local) else {
        return;
    };
    let bind = sh.binds_mut(slot).take(Holder { listening, ..h });
    if let Some(s) = sh.sockets.get_mut(slot) {
        s.bind = bind;
        s.conf().local = local;
    }
}

/// Whether the socket, bound as it is, may stand beside the others with its options as they are now.
pub(crate) fn is_free(sh: &Shared, slot: u32) -> bool {
    let bind = sh.sockets.get(slot).map_or(NONE, |s| s.bind);
    sh.binds(slot)
        .holder(bind)
        .is_some_and(|h| sh.binds(slot).is_free(&asked(sh, slot, h), bind))
}

/// Others see whether the holder listens.
pub(crate) fn set_listening(sh: &mut Shared, slot: u32, on: bool) {
    change(sh, slot, |h| h.listening = on);
}

/// Changes what conflicts hang on while the port stays taken: an option was set after bind (docs/linux 12).
pub(crate) fn change(sh: &mut Shared, slot: u32, f: impl FnOnce(&mut Holder)) {
    if let Some(s) = sh.sockets.get_mut(slot)
        && s.bind != NONE
    {
        let bind = s.bind;
        let bind = sh.binds_mut(slot).change(bind, f);
        if let Some(s) = sh.sockets.get_mut(slot) {
            s.bind = bind;
        }
    }
}

/// The same for a socket in any phase: a connection holds its share of the port itself.
pub(crate) fn change_any(net: &mut Net, slot: u32, f: impl Fn(&mut Holder)) {
    change(&mut net.sh, slot, &f);
    let held = net.with_tcb(slot, |t| t.bind).unwrap_or(NONE);
    if held != NONE {
        let moved = net.sh.binds.change(held, f);
        net.with_tcb(slot, |t| t.bind = moved);
    }
}

/// Gives the port back. getsockname goes on reporting it (docs/linux 35).
pub(crate) fn release(sh: &mut Shared, slot: u32) {
    if let Some(s) = sh.sockets.get_mut(slot) {
        let bind = core::mem::replace(&mut s.bind, NONE);
        sh.binds_mut(slot).release(bind);
    }
}

/// The lowest and the highest port that the system may choose for this socket, and whether the socket has a range of its
/// own: an end of IP_LOCAL_PORT_RANGE counts only within the sysctl's range (docs/linux 29).
pub(crate) fn range(sh: &Shared, slot: u32) -> (u32, u32, bool) {
    let [low, high] = sh.sysctls.ip_local_port_range.map(u32::from);
    let conf = sh.sockets.get(slot).and_then(|s| s.conf.as_ref());
    let own = conf.map_or(0, |c| c.local_port_range);
    let end = |own: u32, of: u32| {
        if (low..=high).contains(&own) { own } else { of }
    };
    (end(own & 0xffff, low), end(own >> 16, high), own != 0)
}

/// A free port for bind(0) or the autobind of listen(), by a start drawn from the seed: odd distances from the low end
/// of the range first, and with SO_REUSEADDR the lower half first; when none is free, ip_autobind_reuse allows one that
/// another SO_REUSEADDR has (docs/linux 25 to 28).
pub(crate) fn pick_port(sh: &mut Shared, slot: u32, ip: IpAddr) -> Option<u16> {
    let mut h = holder(sh, slot, SocketAddr::new(ip, 0))?;
    let (low, high, _) = range(sh, slot);
    let half = low + ((high - low + 1) >> 2 << 1);
    let halves = if h.reuse_addr {
        [(low, half), (half, high + 1)]
    } else {
        [(low, high + 1); 2]
    };
    for relaxed in [false, true] {
        if relaxed && sh.sysctls.ip_autobind_reuse == 0 {
            break;
        }
        for (from, to) in halves {
            let start = sh.secrets.draw() as u32;
            for parity in [1, 0] {
                let found = search(from, to, start, 2, parity, |port| {
                    h.port = port;
                    !sh.sysctls.ip_local_reserved_ports.contains(port)
                        && sh.binds(slot).is_free_to_choose(&h, relaxed)
                });
                if found.is_some() {
                    return found;
                }
            }
            if halves[0] == halves[1] {
                break;
            }
        }
    }
    None
}

/// Looks at every second port of `from..to`, those at a distance of `parity` from `from`, beginning at a drawn one; with
/// `step` 1 at every one. In steps of two the size of the range counts as the even number under it, so that one port of
/// an odd range may be left out, as in Linux: docs/linux/autobind-odd-range.md.
pub(crate) fn search(
    from: u32,
    to: u32,
    start: u32,
    step: u32,
    parity: u32,
    mut free: impl FnMut(u16) -> bool,
) -> Option<u16> {
    let size = to - from;
    let whole = step - 1;
    let even = if size > 1 { size & !whole } else { size };
    let first = ((start % even.max(1)) & !whole) + parity;
    (0..even)
        .step_by(step as usize)
        .map(|i| first + i)
        .map(|at| if at >= size { at - even } else { at })
        .map(|at| (from + at) as u16)
        .find(|&p| free(p))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn search_visits_each_port_of_its_parity_once() {
        for (from, to, parity) in [(10, 20, 1), (10, 20, 0), (10, 12, 0), (10, 12, 1)] {
            let mut seen = Vec::new();
            assert_eq!(
                search(from, to, 7, 2, parity, |p| {
                    seen.push(u32::from(p));
                    false
                }),
                None
            );
            seen.sort_unstable();
            let want: Vec<u32> = (from..to).filter(|p| (p - from) % 2 == parity).collect();
            assert_eq!(seen, want, "{from}..{to} parity {parity}");
        }
    }

    #[test]
    fn search_in_steps_of_one_visits_every_port() {
        for size in 1..6 {
            let mut seen = Vec::new();
            search(10, 10 + size, 13, 1, 0, |p| {
                seen.push(u32::from(p));
                false
            });
            seen.sort_unstable();
            assert_eq!(seen, (10..10 + size).collect::<Vec<_>>());
        }
    }

    #[test]
    fn search_in_an_odd_range_leaves_one_port_out() {
        let visited = |size: u32, start| {
            let mut seen = Vec::new();
            for parity in [1, 0] {
                search(10, 10 + size, start, 2, parity, |p| {
                    seen.push(p - 10);
                    false
                });
            }
            seen.sort_unstable();
            seen.dedup();
            seen
        };
        assert_eq!(visited(1, 7), [0]);
        assert_eq!(visited(3, 7), [0, 1]);
        assert_eq!(visited(5, 4), [0, 1, 2, 3]);
        assert_eq!(visited(5, 6), [1, 2, 3, 4]);
    }
}
