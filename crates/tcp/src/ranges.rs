//! A set of disjoint, non-touching half-open ranges of stream offsets.

use alloc::collections::BTreeMap;

/// Ranges `start..end`, with their total kept. Every operation is logarithmic in the number of ranges, and in
/// those that it swallows.
#[derive(Debug, Default, Clone)]
pub struct Ranges {
    map: BTreeMap<u64, u64>,
    total: u64,
}

impl Ranges {
    /// Number of ranges.
    pub fn len(&self) -> usize {
        self.map.len()
    }
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }
    /// Sum of the lengths.
    pub fn total(&self) -> u64 {
        self.total
    }
    /// The lowest range.
    pub fn first(&self) -> Option<(u64, u64)> {
        self.map.first_key_value().map(|(&a, &b)| (a, b))
    }
    /// Removes the lowest range.
    pub fn pop_first(&mut self) {
        if let Some((a, b)) = self.map.pop_first() {
            self.total -= b - a;
        }
    }
    /// Ascending.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, u64)> + '_ {
        self.map.iter().map(|(&a, &b)| (a, b))
    }
    /// The range that holds `at`.
    pub fn containing(&self, at: u64) -> Option<(u64, u64)> {
        self.map
            .range(..=at)
            .next_back()
            .map(|(&a, &b)| (a, b))
            .filter(|r| r.1 > at)
    }
    /// The first range that begins at or after `at`.
    pub fn at_or_after(&self, at: u64) -> Option<(u64, u64)> {
        self.map.range(at..).next().map(|(&a, &b)| (a, b))
    }

    /// Adds `a..b`, merged with what it touches. Returns how many offsets were new.
    pub fn insert(&mut self, mut a: u64, mut b: u64) -> u64 {
        if a >= b {
            return 0;
        }
        let before = self.total;
        if let Some((&s, &e)) = self.map.range(..=a).next_back()
            && e >= a
        {
            if e >= b {
                return 0;
            }
            self.map.remove(&s);
            self.total -= e - s;
            a = s;
        }
        while let Some((&s, &e)) = self.map.range(a..=b).next() {
            self.map.remove(&s);
            self.total -= e - s;
            b = b.max(e);
        }
        self.map.insert(a, b);
        self.total += b - a;
        self.total - before
    }

    /// Forgets everything below `at`.
    pub fn trim_below(&mut self, at: u64) {
        while let Some((a, b)) = self.first() {
            if a >= at {
                break;
            }
            self.pop_first();
            if b > at {
                self.map.insert(at, b);
                self.total += b - at;
                break;
            }
        }
    }
    /// Forgets everything from `at` on.
    pub fn trim_above(&mut self, at: u64) {
        while let Some((&a, &b)) = self.map.last_key_value() {
            if b <= at {
                break;
            }
            self.map.pop_last();
            self.total -= b - a;
            if a < at {
                self.map.insert(a, at);
                self.total += at - a;
            }
        }
    }
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.map.clear();
        self.total = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn insert_random_ranges_equals_a_bitmap() {
        let (mut r, mut bits) = (Ranges::default(), [false; 300]);
        let mut x = 12345u64;
        for round in 0..2000 {
            x = x
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            let a = (x >> 33) % 280;
            let b = a + (x >> 50) % 20;
            let fresh = (a..b).filter(|&i| !bits[i as usize]).count() as u64;
            assert_eq!(r.insert(a, b), fresh);
            (a..b).for_each(|i| bits[i as usize] = true);
            if round % 40 == 39 {
                r.trim_below(a);
                bits[..a as usize].fill(false);
            }
            if round % 200 == 199 {
                r.clear();
                bits = [false; 300];
            }
            let flat: Vec<u64> = r.iter().flat_map(|(a, b)| a..b).collect();
            let want: Vec<u64> = (0..300).filter(|&i| bits[i as usize]).collect();
            assert_eq!(flat, want);
            assert_eq!(r.total(), want.len() as u64);
        }
    }
}
