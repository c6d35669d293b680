//! Which peers have proven that they are there: what listen needs of Linux's `tcp_metrics`.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use core::net::IpAddr;
use core::time::Duration;
use hearken_tcp::Instant;
use hearken_wire::options::FastOpen;

/// How many pairs are remembered; the oldest is forgotten first.
const MOST: usize = 1024;

/// Pairs of (our address, the peer's) between which a connection was measured and ended in order.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    proven: BTreeSet<(IpAddr, IpAddr)>,
    order: VecDeque<(IpAddr, IpAddr)>,
    /// Fast Open cookies that peers gave us, and their order.
    cookies: BTreeMap<(IpAddr, IpAddr), FastOpen>,
    cookie_order: VecDeque<(IpAddr, IpAddr)>,
    /// Path MTUs that routers told of, and until when they are believed.
    path_mtus: BTreeMap<IpAddr, (u32, Instant)>,
}

/// How long a path MTU is believed (`net.ipv4.route.mtu_expires`, `net.ipv6.route.mtu_expires`).
const MTU_EXPIRES: Duration = Duration::from_secs(600);

impl Metrics {
    /// Notes a pair.
    pub(crate) fn prove(&mut self, local: IpAddr, peer: IpAddr) {
        let pair = (local, peer);
        if !self.proven.insert(pair) {
            return;
        }
        if self.order.len() == MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.proven.remove(&oldest);
        }
        self.order.push_back(pair);
    }

    /// Notes the cookie with which we may open fast to `peer`.
    pub(crate) fn set_cookie(&mut self, local: IpAddr, peer: IpAddr, cookie: FastOpen) {
        let pair = (local, peer);
        if self.cookies.insert(pair, cookie).is_some() {
            return;
        }
        if self.cookie_order.len() == MOST
            && let Some(oldest) = self.cookie_order.pop_front()
        {
            self.cookies.remove(&oldest);
        }
        self.cookie_order.push_back(pair);
    }

    /// The cookie for `peer` (Linux `tcp_fastopen_cache_get`).
    pub(crate) fn cookie(&self, local: IpAddr, peer: IpAddr) -> Option<FastOpen> {
        self.cookies.get(&(local, peer)).copied()
    }

    /// Notes that packets to `peer` must not be larger.
    pub(crate) fn set_path_mtu(&mut self, now: Instant, peer: IpAddr, mtu: u32) {
        if self.path_mtus.len() == MOST && !self.path_mtus.contains_key(&peer) {
            self.path_mtus.pop_first();
        }
        self.path_mtus.insert(peer, (mtu, now + MTU_EXPIRES));
    }

    /// Forgets what is too old.
    pub(crate) fn forget_path_mtus(&mut self, now: Instant) {
        if !self.path_mtus.is_empty() {
            self.path_mtus.retain(|_, (_, until)| *until > now);
        }
    }

    /// The path MTU to `peer`, if a router told of it.
    pub(crate) fn path_mtu(&self, peer: IpAddr) -> Option<u32> {
        self.path_mtus.get(&peer).map(|(mtu, _)| *mtu)
    }

    /// Whether the pair is known (Linux `tcp_peer_is_proven`; docs/linux 53).
    pub(crate) fn is_proven(&self, local: IpAddr, peer: IpAddr) -> bool {
        self.proven.contains(&(local, peer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;

    #[test]
    fn metrics_forget_the_oldest_pair_beyond_the_limit() {
        let at = |n: usize| IpAddr::V4(Ipv4Addr::from_bits(n as u32));
        let mut m = Metrics::default();
        for n in 0..=MOST {
            m.prove(at(0), at(n));
            m.prove(at(0), at(n));
        }
        assert!(!m.is_proven(at(0), at(0)));
        assert!(m.is_proven(at(0), at(1)) && m.is_proven(at(0), at(MOST)));
        assert!(!m.is_proven(at(1), at(1)));
        assert_eq!((m.proven.len(), m.order.len()), (MOST, MOST));
    }
}
