//! How many ICMP messages of each type came and went (Linux `icmpmsg_statistics`).

use alloc::collections::BTreeMap;

/// By protocol version, direction and type: a few entries of at most 1024.
#[derive(Debug, Default)]
pub(crate) struct IcmpTypes(BTreeMap<(bool, bool, u8), u64>);

impl IcmpTypes {
    /// One more message of `kind` came (or, if `sent`, went).
    pub(crate) fn count(&mut self, v6: bool, sent: bool, kind: u8) {
        *self.0.entry((v6, sent, kind)).or_default() += 1;
    }

    /// Those that were ever seen: sent or not, type, count; the received ones first, by type.
    pub(crate) fn of(&self, v6: bool) -> impl Iterator<Item = (bool, u8, u64)> {
        self.0
            .iter()
            .filter(move |((version, ..), _)| *version == v6)
            .map(|((_, sent, kind), n)| (*sent, *kind, *n))
    }
}
