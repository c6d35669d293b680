//! TCP_MD5SIG in a namespace (RFC 2385; docs/linux/md5.md): who has a key for whom, and which segments get through.
//!
//! Keys belong to sockets. What outlives its socket, a connection that was closed and a TIME_WAIT sock, has the one key for
//! its peer kept aside. Where no socket ever had a key, nothing of this is asked.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::net::IpAddr;
use hearken_abi::{Counter, DropReason};
use hearken_tcp::md5::{Key, Keys, Peers, same};
use hearken_tcp::tcb::Tcb;
use hearken_tcp::{Connection, RequestSock};
use hearken_wire::options;

use crate::close::WithConn;
use crate::error::Md5Error;
use crate::family::Side;
use crate::hash::established::{Entry, Half};
use crate::net::Net;
use crate::shared::Shared;
use crate::socket::Socket;
use crate::tcp_input::{Packet, source_listener};

/// Keys of records that no socket holds, by family and slot.
#[derive(Debug, Default)]
pub(crate) struct Md5 {
    /// Some socket has, or had, a key.
    on: bool,
    orphans: BTreeMap<(bool, u32), Key>,
    time_waits: BTreeMap<(bool, u32), Key>,
}

impl Shared {
    /// The key that a socket has for a peer.
    pub(crate) fn md5_key(&self, socket: u32, peer: IpAddr) -> Option<Key> {
        if !self.md5.on {
            return None;
        }
        let conf = self.sockets.get(socket)?.conf.as_deref()?;
        conf.md5.as_ref()?.find(peer).copied()
    }

    /// The key that a listener has for a peer.
    pub(crate) fn md5_key_of_listener(&self, listener: u32, peer: IpAddr) -> Option<Key> {
        if !self.md5.on {
            return None;
        }
        self.md5_key(self.listeners.get(listener)?.socket, peer)
    }

    /// The key that a connection signs by.
    pub(crate) fn md5_key_of<F: Side>(&self, slot: u32, c: &Connection<F>) -> Option<Key> {
        if !c.tcb.md5 {
            return None;
        }
        self.md5_key(c.tcb.owner, F::to_ip(c.tuple.raddr))
            .or_else(|| self.md5.orphans.get(&(F::V6, slot)).copied())
    }

    /// The program lets go of a connection, whose segments are signed as before.
    pub(crate) fn md5_orphan<F: Side>(&mut self, slot: u32, c: &Connection<F>) {
        if let Some(key) = self.md5_key_of(slot, c) {
            self.md5.orphans.insert((F::V6, slot), key);
        }
    }

    /// The record of a connection goes.
    pub(crate) fn md5_forget<F: Side>(&mut self, slot: u32, t: &Tcb) {
        if t.md5 {
            self.md5.orphans.remove(&(F::V6, slot));
        }
    }

    /// The key of a TIME_WAIT sock that is SIGNED.
    pub(crate) fn md5_key_of_time_wait<F: Side>(&self, slot: u32) -> Option<Key> {
        self.md5.time_waits.get(&(F::V6, slot)).copied()
    }

    /// Keeps the key of a TIME_WAIT sock, or with `None` forgets it.
    pub(crate) fn md5_time_wait<F: Side>(&mut self, slot: u32, key: Option<Key>) {
        match key {
            Some(key) => drop(self.md5.time_waits.insert((F::V6, slot), key)),
            None => drop(self.md5.time_waits.remove(&(F::V6, slot))),
        }
    }

    /// The key that a listener which is gone has, or had when its socket was closed: what it left half-open is held to it.
    fn md5_key_of_departed<F: Side>(&self, r: &RequestSock<F>, peer: IpAddr) -> Option<Key> {
        let d = self.departed.get(&(r.listener, r.listener_gen))?;
        let (socket, generation) = d.socket;
        if self.sockets.generation(socket) == generation {
            return self.md5_key(socket, peer);
        }
        d.md5.as_ref()?.find(peer).copied()
    }

    #[cfg(test)]
    fn md5_kept(&self) -> [usize; 3] {
        let m = &self.md5;
        [m.orphans.len(), m.time_waits.len(), self.departed.len()]
    }
}

/// Gives a child the key that its listener has for its peer, and no other (`tcp_v4_syn_recv_sock`, 6.18).
pub(crate) fn inherit(sh: &Shared, listener: u32, peer: IpAddr, s: &mut Socket, t: &mut Tcb) {
    if let Some(key) = sh.md5_key_of_listener(listener, peer) {
        s.conf().md5 = Some(Arc::new(Keys::of_child(peer, key)));
        t.md5 = true;
    }
}

/// Whether a segment gets to the connection or the request that it is for (`tcp_inbound_hash`, 6.18).
pub(crate) fn admits<F: Side>(
    half: &Half<F>,
    sh: &mut Shared,
    entry: &Entry,
    p: &Packet<'_, F>,
) -> bool {
    let key = match *entry {
        Entry::TimeWait(_) => return true,
        _ if !sh.md5.on => None,
        Entry::Connection(slot) => half.conns.get(slot).and_then(|c| sh.md5_key_of(slot, c)),
        Entry::Request(slot) => {
            let r: Option<&RequestSock<F>> = half.reqs.get(slot);
            r.and_then(|r| match sh.listener_of(r) {
                Some(l) => sh.md5_key_of_listener(l, F::to_ip(p.src)),
                None => sh.md5_key_of_departed(r, F::to_ip(p.src)),
            })
        }
    };
    verify(sh, key.as_ref(), p)
}

/// Whether a segment gets to a listener.
pub(crate) fn listener_admits<F: Side>(sh: &mut Shared, listener: u32, p: &Packet<'_, F>) -> bool {
    let key = sh.md5_key_of_listener(listener, F::to_ip(p.src));
    verify(sh, key.as_ref(), p)
}

/// A segment must be signed where there is a key, and must not be where there is none; and the search for a signature must
/// meet no defect (docs/linux/option-list.md).
fn verify<F: Side>(sh: &mut Shared, key: Option<&Key>, p: &Packet<'_, F>) -> bool {
    if p.header.options.bad_auth {
        sh.drop_packet(DropReason::TcpAuthHdr);
        return false;
    }
    let (counter, reason) = match (key, p.header.options.md5) {
        (None, false) => return true,
        (None, true) => (Counter::TcpMd5Unexpected, DropReason::TcpMd5unexpected),
        (Some(_), false) => (Counter::TcpMd5NotFound, DropReason::TcpMd5notfound),
        (Some(key), true) if signed_by(key, p) => return true,
        (Some(_), true) => (Counter::TcpMd5Failure, DropReason::TcpMd5failure),
    };
    sh.mib.inc(counter);
    sh.drop_packet(reason);
    false
}

fn signed_by<F: Side>(key: &Key, p: &Packet<'_, F>) -> bool {
    let list = p.raw.tcp.get(20..).unwrap_or_default();
    let digest = key.sign(p.src.as_ref(), p.dst.as_ref(), p.raw.tcp, p.seg.data);
    options::signature(list).is_some_and(|told| same(&told, &digest))
}

/// What signs the reset for a segment that no socket takes. `Err`: there is to be none, since nobody knows whether the
/// segment's signature is right. Linux looks for a listener at the *sender's* port of the segment, whose key it
/// then tries (`tcp_v4_send_reset`, 6.18).
pub(crate) fn key_for_stray<F: Side>(
    sh: &mut Shared,
    p: &Packet<'_, F>,
) -> Result<Option<Key>, ()> {
    if p.header.options.bad_auth {
        return Err(());
    }
    if !p.header.options.md5 {
        return Ok(None);
    }
    if !sh.md5.on {
        return Err(());
    }
    let key = source_listener(sh, p).and_then(|l| sh.md5_key_of_listener(l, F::to_ip(p.src)));
    key.filter(|key| signed_by(key, p)).map(Some).ok_or(())
}

/// TCP_MD5SIG: sets the key of a socket for `peers`, or with `None` deletes it. A connection obeys at once.
pub(crate) fn set(
    net: &mut Net,
    slot: u32,
    peers: Peers,
    key: Option<Key>,
) -> Result<(), Md5Error> {
    struct Obey {
        socket: u32,
    }
    impl WithConn for Obey {
        type Out = ();
        fn run<F: Side>(self, half: &mut Half<F>, sh: &mut Shared, conn: u32) {
            if let Some(c) = half.conns.get_mut(conn) {
                let peer = F::to_ip(c.tuple.raddr);
                c.tcb.md5 = sh.md5_key(self.socket, peer).is_some();
            }
        }
    }
    let room = net.sh.sysctls.optmem_max;
    let s = net.sh.sockets.get_mut(slot).ok_or(Md5Error::NotThere)?;
    match key {
        Some(key) => {
            let keys = s.conf().md5.get_or_insert_with(Arc::default);
            if !Arc::make_mut(keys).set(peers, key, u64::from(room)) {
                return Err(Md5Error::Full);
            }
            net.sh.md5.on = true;
        }
        None => {
            let keys = s.conf.as_mut().and_then(|c| c.md5.as_mut());
            if !keys.is_some_and(|k| Arc::make_mut(k).remove(peers)) {
                return Err(Md5Error::NotThere);
            }
        }
    }
    net.with_conn(slot, Obey { socket: slot });
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::*;
    use core::net::SocketAddr;

    const NOTHING: [usize; 3] = [0; 3];

    /// A listener with a key for this host, and a client with the same.
    fn pair(n: &mut Net, now: Instant) -> (SocketId, SocketId, SocketAddr) {
        let peers = Md5Peers::new([127, 0, 0, 1].into(), None, false).unwrap();
        let key = Md5Key::new(b"secret");
        let (l, c) = (n.socket(Domain::Inet), n.socket(Domain::Inet));
        n.set_md5_key(l, peers, key).unwrap();
        n.set_md5_key(c, peers, key).unwrap();
        n.listen(now, l, 4).unwrap();
        (l, c, ([127, 0, 0, 1], n.local_addr(l).port()).into())
    }

    #[test]
    fn keys_kept_aside_go_with_their_records() {
        let mut n = Net::new(Config::new([1; 32]));
        let mut now = Instant(1_000_000_000);
        let (l, c, at) = pair(&mut n, now);
        n.connect(now, c, at, &Cred::ROOT).unwrap();
        while n.poll_lo(now) {}
        let child = n.accept(now, l).unwrap().socket;
        n.close(now, c);
        while n.poll_lo(now) {}
        assert_eq!(n.sh.md5_kept(), [1, 0, 0], "an orphan");
        n.close(now, child);
        while n.poll_lo(now) {}
        assert_eq!(n.sh.md5_kept(), [0, 1, 0], "TIME_WAIT");
        for _ in 0..70 {
            now = now + core::time::Duration::from_secs(1);
            n.handle_timeout(now);
            while n.poll_lo(now) {}
        }
        assert_eq!(n.sh.md5_kept(), NOTHING);
    }

    #[test]
    fn keys_of_orphans_and_of_a_listener_that_left_requests_are_kept_until_these_end() {
        let mut n = Net::new(Config::new([1; 32]));
        let mut now = Instant(1_000_000_000);
        let (l, c, at) = pair(&mut n, now);
        n.set_option(now, l, Opt::DeferAccept(3)).unwrap();
        n.connect(now, c, at, &Cred::ROOT).unwrap();
        while n.poll_lo(now) {}
        n.close(now, l);
        assert_eq!(n.sh.md5_kept(), [0, 0, 1], "a request is left");
        n.close(now, c);
        assert_eq!(
            n.sh.md5_kept(),
            [1, 0, 1],
            "an orphan that has a FIN to send"
        );
        for _ in 0..400 {
            now = now + core::time::Duration::from_secs(1);
            n.handle_timeout(now);
            while n.poll_lo(now) {}
        }
        assert_eq!(n.sh.md5_kept(), NOTHING);
    }
}
