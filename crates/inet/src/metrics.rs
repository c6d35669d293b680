//! Which peers have proven that they are there: what listen needs of Linux's `tcp_metrics`.

use alloc::collections::{BTreeSet, VecDeque};
use core::net::IpAddr;

/// How many pairs are remembered; the oldest is forgotten first.
const MOST: usize = 1024;

/// Pairs of (our address, the peer's) between which a connection was measured and ended in order.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    proven: BTreeSet<(IpAddr, IpAddr)>,
    order: VecDeque<(IpAddr, IpAddr)>,
}

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
