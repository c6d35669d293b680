//! When a member of a SO_REUSEPORT group stops listening and `net.ipv4.tcp_migrate_req` is set, the others take over its
//! connections (Linux `inet_reqsk_clone`, `reuseport_migrate_sock`, 6.18; docs/linux/reuseport-migration.md). A socket
//! that listens again takes back its own (docs/linux/leave-listen.md).

use alloc::sync::Arc;
use alloc::vec::Vec;
use hearken_abi::Counter;
use hearken_tcp::md5::Keys;
use hearken_tcp::request::RequestSock;

use crate::family::Side;
use crate::hash::established::Half;
use crate::net::Net;
use crate::shared::Shared;
use crate::socket::{Phase, Socket};

/// A listener that is gone, but not its half-open connections.
#[derive(Debug)]
pub(crate) struct Departed {
    /// The socket that listened, and its generation.
    pub(crate) socket: (u32, u32),
    /// The keys of TCP_MD5SIG that it had.
    pub(crate) md5: Option<Arc<Keys>>,
    /// The group whose members answer for them.
    heirs: Option<(u32, u32)>,
    /// Requests that still name it.
    half_open: u32,
}

/// Takes listener `l` out of its group. Whether others stay in it that inherit, as the sysctl stands now.
pub(super) fn depart(sh: &mut Shared, l: u32, group: u32) -> bool {
    let inherit = leave_group(sh, l, group);
    let Some(listener) = sh.listeners.get(l) else {
        return inherit;
    };
    if listener.half_open > 0 {
        let socket = listener.socket;
        let conf = sh.sockets.get(socket).and_then(|s| s.conf.as_ref());
        let departed = Departed {
            socket: (socket, sh.sockets.generation(socket)),
            md5: conf.and_then(|c| c.md5.clone()),
            heirs: inherit.then(|| (group, sh.groups.generation(group))),
            half_open: listener.half_open,
        };
        let key = (l, sh.listeners.generation(l));
        sh.departed.insert(key, departed);
    }
    inherit
}

fn leave_group(sh: &mut Shared, l: u32, group: u32) -> bool {
    let Some(g) = sh.groups.get_mut(group) else {
        return false;
    };
    g.leave(l);
    if g.members.is_empty() {
        g.program = None;
        sh.groups.remove(group);
        return false;
    }
    sh.sysctls.tcp_migrate_req != 0
}

/// Socket `slot`, which may have begun to listen again, takes back what was half-open when it stopped.
pub(crate) fn take_back(net: &mut Net, slot: u32) {
    let sh = &mut net.sh;
    let Some(l) = sh.sockets.get(slot).and_then(Socket::listener) else {
        return;
    };
    let socket = (slot, sh.sockets.generation(slot));
    let mut past = Vec::new();
    sh.departed.retain(|key, d| {
        let own = d.socket == socket;
        past.extend(own.then_some(*key));
        !own
    });
    let generation = sh.listeners.generation(l);
    let Some(listener) = sh.listeners.get_mut(l).filter(|_| !past.is_empty()) else {
        return;
    };
    let mut own = |r: (&mut u32, &mut u32), num_timeout: u8| {
        if past.contains(&(*r.0, *r.1)) {
            (*r.0, *r.1) = (l, generation);
            listener.half_open += 1;
            listener.young += u32::from(num_timeout == 0);
        }
    };
    for r in net.v4.reqs.iter_mut() {
        own((&mut r.listener, &mut r.listener_gen), r.num_timeout);
    }
    for r in net.v6.reqs.iter_mut() {
        own((&mut r.listener, &mut r.listener_gen), r.num_timeout);
    }
}

/// Moves a connection that waited in the accept queue to the end of a survivor's, past any limit.
pub(super) fn child(net: &mut Net, child: u32, group: u32) -> bool {
    let hash = match net.sh.sockets.get(child).map(|s| s.phase) {
        Some(Phase::V4(c)) => net.v4.conns.get(c).map(|c| net.sh.spread(&c.tuple)),
        Some(Phase::V6(c)) => net.v6.conns.get(c).map(|c| net.sh.spread(&c.tuple)),
        _ => None,
    };
    let sh = &mut net.sh;
    let heir = hash
        .zip(sh.groups.get(group))
        .and_then(|(h, g)| g.choose(&sh.listeners, h, None));
    let Some(l) = heir else {
        return false;
    };
    let generation = sh.listeners.generation(l);
    // A Fast Open child that waits for its ACK counts there, even past the limit (the changelog of 6.12.105).
    let waits = net.with_tcb(child, |t| t.move_pending(l, generation));
    let sh = &mut net.sh;
    let Some(listener) = sh.listeners.get_mut(l) else {
        return false;
    };
    listener.fast_open.take_over(waits == Some(true));
    listener.queue.push_back(child);
    let owner = listener.socket;
    sh.mib.inc(Counter::TcpMigrateReqSuccess);
    // Whoever waits at the survivor must learn of it.
    sh.mark(owner);
    true
}

impl Shared {
    /// The listener that answers for a request: its own, or one that took over.
    pub(crate) fn listener_of<F: Side>(&self, r: &RequestSock<F>) -> Option<u32> {
        if self.listeners.generation(r.listener) == r.listener_gen {
            return self.listeners.get(r.listener).map(|_| r.listener);
        }
        if self.sysctls.tcp_migrate_req == 0 {
            return None;
        }
        let d = self.departed.get(&(r.listener, r.listener_gen))?;
        let (group, generation) = d.heirs?;
        if self.groups.generation(group) != generation {
            return None;
        }
        let hash = self.spread(&r.tuple);
        self.groups.get(group)?.choose(&self.listeners, hash, None)
    }

    /// A request leaves the count of the listener that it names.
    pub(crate) fn uncount_request<F: Side>(&mut self, r: &RequestSock<F>) {
        if let Some(l) = self.listeners.of(r.listener, r.listener_gen) {
            l.half_open -= 1;
            l.young -= u32::from(r.num_timeout == 0);
            return;
        }
        let key = (r.listener, r.listener_gen);
        if let Some(d) = self.departed.get_mut(&key) {
            d.half_open -= 1;
            if d.half_open == 0 {
                self.departed.remove(&key);
            }
        }
    }
}

/// The timer of a request whose listener is gone: from now on it is the survivor's. Returns its listener.
pub(super) fn request<F: Side>(half: &mut Half<F>, sh: &mut Shared, slot: u32) -> Option<u32> {
    let r = *half.reqs.get(slot)?;
    let l = sh.listener_of(&r)?;
    let generation = sh.listeners.generation(l);
    if (r.listener, r.listener_gen) == (l, generation) {
        return Some(l);
    }
    sh.uncount_request(&r);
    if let Some(x) = sh.listeners.get_mut(l) {
        x.half_open += 1;
        x.young += u32::from(r.num_timeout == 0);
    }
    if let Some(x) = half.reqs.get_mut(slot) {
        (x.listener, x.listener_gen) = (l, generation);
    }
    sh.mib.inc(Counter::TcpMigrateReqSuccess);
    Some(l)
}

#[cfg(test)]
mod tests {
    use crate::*;
    use alloc::vec::Vec;

    const NOW: Instant = Instant(1_000_000_000);

    /// A listener with clients whose handshakes stay half-open: it defers, so that their ACK does not complete them.
    fn half_open(n: &mut Net, clients: usize) -> (SocketId, Vec<SocketId>) {
        let l = n.socket(Domain::Inet);
        n.set_option(NOW, l, Opt::DeferAccept(3)).unwrap();
        n.listen(NOW, l, 5).unwrap();
        let at = ([127, 0, 0, 1], n.local_addr(l).port()).into();
        let connect = |_| {
            let c = n.socket(Domain::Inet);
            n.connect(NOW, c, at, &Cred::ROOT).unwrap();
            while n.poll_lo(NOW) {}
            c
        };
        let clients = (0..clients).map(connect).collect();
        (l, clients)
    }

    fn abort(n: &mut Net, client: SocketId) {
        n.abort(NOW, client);
        while n.poll_lo(NOW) {}
    }

    /// A listener that is gone is forgotten with the last request that names it.
    #[test]
    fn departed_listener_goes_with_its_last_request() {
        let mut n = Net::new(Config::new([1; 32]));
        for count in [0, 3] {
            let (l, clients) = half_open(&mut n, count);
            n.close(NOW, l);
            for c in clients {
                assert_eq!(n.sh.departed.len(), 1);
                abort(&mut n, c);
            }
            assert_eq!(n.sh.departed.len(), 0, "{count} were half-open");
        }
    }

    #[test]
    fn departed_listener_that_listens_again_leaves_those_of_others() {
        let mut n = Net::new(Config::new([1; 32]));
        let (own, _) = half_open(&mut n, 1);
        let (other, clients) = half_open(&mut n, 1);
        n.close(NOW, other);
        n.shutdown(NOW, own, Shutdown::Read).unwrap();
        assert_eq!(n.sh.departed.len(), 2);
        n.listen(NOW, own, 5).unwrap();
        assert_eq!(n.listener_queues(own).unwrap().syn_queue, 1);
        assert_eq!(n.sh.departed.len(), 1);
        abort(&mut n, clients[0]);
        assert_eq!(n.sh.departed.len(), 0);
    }
}
