//! Counters under nstat's names, and one count per drop reason.

use hearken_abi::{Counter, DropReason};

/// The counters of /proc/net/snmp and /proc/net/netstat of one network namespace.
#[derive(Clone, Debug)]
pub struct Mib([u64; Counter::ALL.len()]);

impl Mib {
    /// All at zero.
    pub const fn new() -> Self {
        Self([0; Counter::ALL.len()])
    }
    /// One more.
    pub fn inc(&mut self, c: Counter) {
        self.add(c, 1);
    }
    /// `n` more.
    pub fn add(&mut self, c: Counter, n: u64) {
        if let Some(v) = self.0.get_mut(c as usize) {
            *v = v.wrapping_add(n);
        }
    }
    /// One less: only for gauges, which `Tcp.CurrEstab` is.
    pub fn dec(&mut self, c: Counter) {
        self.add(c, u64::MAX);
    }
    /// The value.
    pub fn get(&self, c: Counter) -> u64 {
        self.0.get(c as usize).copied().unwrap_or(0)
    }
}

impl Default for Mib {
    fn default() -> Self {
        Self::new()
    }
}

/// How many packets were dropped for each reason.
#[derive(Clone, Debug)]
pub struct Drops {
    counts: [u64; DropReason::LIMIT],
    /// The first since it was last taken: the reason of the packet that is being looked at.
    first: Option<DropReason>,
}

impl Drops {
    /// All at zero.
    pub const fn new() -> Self {
        Self {
            counts: [0; DropReason::LIMIT],
            first: None,
        }
    }
    /// One more packet dropped for `reason`.
    pub fn record(&mut self, reason: DropReason) {
        if let Some(v) = self.counts.get_mut(reason as usize) {
            *v += 1;
        }
        if self.first.is_none() {
            self.first = Some(reason);
        }
    }
    /// The first reason since this was last asked.
    pub fn take_first(&mut self) -> Option<DropReason> {
        self.first.take()
    }
    /// The count of `reason`.
    pub fn get(&self, reason: DropReason) -> u64 {
        self.counts.get(reason as usize).copied().unwrap_or(0)
    }
}

impl Default for Drops {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_of_every_reason_are_counted_and_the_first_is_kept() {
        let mut drops = Drops::new();
        for reason in DropReason::ALL {
            drops.record(*reason);
        }
        assert!(DropReason::ALL.iter().all(|r| drops.get(*r) == 1));
        assert_eq!(drops.take_first(), Some(DropReason::NotSpecified));
        assert_eq!(drops.take_first(), None);
    }
}
