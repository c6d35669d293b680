//! Which islands beyond the hole SACK reports: the four that grew last, the newest first (RFC 2018 4; Linux
//! `tcp_sack_new_ofo_skb`, 6.18).

use crate::buffer::RecvBuffer;
use crate::seq::Seq;

/// A byte of each of these islands.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Recent {
    at: [Seq; 4],
    len: u8,
}

impl Recent {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        usize::from(self.len)
    }

    fn iter(&self) -> impl Iterator<Item = Seq> {
        self.at.into_iter().take(self.len())
    }

    fn keep(&mut self, seqs: impl Iterator<Item = Seq>) {
        let mut next = Recent::default();
        for (slot, seq) in next.at.iter_mut().zip(seqs) {
            *slot = seq;
            next.len += 1;
        }
        *self = next;
    }

    /// `seq` was stored beyond the hole; islands that it joined are one now. `nxt`: the next expected number.
    pub(crate) fn grew(&mut self, seq: Seq, nxt: Seq, recv: &RecvBuffer) {
        let of = |s: Seq| recv.island(s.distance(nxt));
        let old = *self;
        let others = old.iter().filter(|s| of(*s) != of(seq));
        self.keep(core::iter::once(seq).chain(others));
    }

    /// Everything below `nxt` has come.
    pub(crate) fn trim(&mut self, nxt: Seq) {
        if self.len > 0 {
            let old = *self;
            self.keep(old.iter().filter(|s| nxt.before(*s)));
        }
    }

    /// The islands, the newest first.
    pub(crate) fn blocks(&self, nxt: Seq, recv: &RecvBuffer) -> impl Iterator<Item = (Seq, Seq)> {
        let block = move |s: Seq| {
            let (a, b) = recv.island(s.distance(nxt))?;
            Some((nxt + a, nxt + b))
        };
        self.iter().filter_map(block)
    }
}
