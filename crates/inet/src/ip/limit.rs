//! How often ICMP errors are sent.

use hearken_tcp::Instant;

/// One ICMP error a second to each host, after a burst of six (Linux `icmp_ratelimit`, XRLIM_BURST_FACTOR). Hosts share
/// cells of a small table by a keyed hash: no counter is common to all, so that none tells one host about another.
#[derive(Debug)]
pub(crate) struct Limiter([(u64, u8); Self::CELLS]);

impl Limiter {
    const CELLS: usize = 256;
    const BURST: u8 = 6;
    const PERIOD_NS: u64 = 1_000_000_000;

    pub(crate) const fn new() -> Self {
        Self([(0, Self::BURST); Self::CELLS])
    }

    /// Whether an error may go to the host of this hash now; if so it is counted.
    pub(crate) fn allows(&mut self, hash: u64, now: Instant) -> bool {
        let (since, tokens) = &mut self.0[hash as usize % Self::CELLS];
        let earned = now.0.saturating_sub(*since) / Self::PERIOD_NS;
        if earned > 0 {
            *tokens = (u64::from(*tokens) + earned).min(u64::from(Self::BURST)) as u8;
            *since += earned * Self::PERIOD_NS;
        }
        let yes = *tokens > 0;
        *tokens = tokens.saturating_sub(1);
        yes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limiter_allows_a_burst_and_then_one_a_second_to_each_host() {
        let mut l = Limiter::new();
        let burst = |l: &mut Limiter, host, s: u64| {
            (0..20)
                .filter(|_| l.allows(host, Instant::from_millis(s * 1000)))
                .count()
        };
        assert_eq!(burst(&mut l, 1, 100), 6);
        assert_eq!(burst(&mut l, 1, 101), 1);
        assert_eq!(burst(&mut l, 2, 101), 6);
        assert_eq!(burst(&mut l, 1, 104), 3);
        assert_eq!(burst(&mut l, 1, 1000), 6);
    }
}
