//! The blocks that SACK reports: the four that grew last, the newest first (RFC 2018 4; Linux `tcp_sack_new_ofo_skb`,
//! 6.18). A block that was forgotten comes back only as far as something new touches it.

use crate::seq::Seq;

/// Blocks beyond the hole.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Recent {
    blocks: [(Seq, Seq); 4],
    len: u8,
}

impl Recent {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// The blocks, the newest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Seq, Seq)> {
        self.blocks.into_iter().take(self.len())
    }

    fn keep(&mut self, blocks: impl Iterator<Item = (Seq, Seq)>) {
        let mut next = Recent::default();
        for (slot, block) in next.blocks.iter_mut().zip(blocks) {
            *slot = block;
            next.len += 1;
        }
        *self = next;
    }

    /// `from..to` came beyond the hole: it stands first, one with every block that it touches.
    pub(crate) fn grew(&mut self, from: Seq, to: Seq) {
        let touches =
            |(a, b): (Seq, Seq), (c, d): (Seq, Seq)| c.at_or_before(b) && a.at_or_before(d);
        let join = |(a, b): (Seq, Seq), (c, d): (Seq, Seq)| (a.min(c), b.max(d));
        let old = *self;
        let Some(at) = old.iter().position(|b| touches(b, (from, to))) else {
            return self.keep(core::iter::once((from, to)).chain(old.iter()));
        };
        let mut first = join(old.blocks[at], (from, to));
        let mut rest = Recent::default();
        for (n, b) in old.iter().enumerate() {
            if n == at {
                continue;
            }
            if touches(first, b) {
                first = join(first, b);
            } else {
                rest.blocks[rest.len()] = b;
                rest.len += 1;
            }
        }
        self.keep(core::iter::once(first).chain(rest.iter()));
    }

    /// Everything below `nxt` has come.
    pub(crate) fn trim(&mut self, nxt: Seq) {
        if self.len > 0 {
            let old = *self;
            self.keep(old.iter().filter(|(a, _)| nxt.before(*a)));
        }
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn newest_block_comes_first_and_joins_what_it_touches() {
        let mut r = Recent::default();
        let show = |r: &Recent| r.iter().map(|(a, b)| (a.0, b.0)).collect::<Vec<_>>();
        for (a, b) in [(50, 60), (10, 20), (30, 40), (70, 80), (90, 100)] {
            r.grew(Seq(a), Seq(b));
        }
        assert_eq!(show(&r), [(90, 100), (70, 80), (30, 40), (10, 20)]);
        // What was forgotten is joined no more.
        r.grew(Seq(45), Seq(55));
        assert_eq!(show(&r), [(45, 55), (90, 100), (70, 80), (30, 40)]);
        r.grew(Seq(40), Seq(90));
        assert_eq!(show(&r), [(30, 100)]);
        r.trim(Seq(29));
        assert_eq!(r.len(), 1);
        r.trim(Seq(30));
        assert_eq!(r.len(), 0);
    }
}
