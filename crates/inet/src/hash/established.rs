//! The established hash: connections, request socks and TIME_WAIT socks by four-tuple (Linux `ehash`). A slot is a
//! u32; the hash is keyed, so that no peer can choose collisions.

use hashbrown::HashTable;
use hearken_tcp::{Connection, Family, RequestSock, Secrets, TimeWaitSock, Tuple};

use crate::arena::Arena;

/// What a slot points at: the kind in the top two bits, the arena slot below.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Entry {
    Connection(u32),
    Request(u32),
    TimeWait(u32),
}

impl Entry {
    const SHIFT: u32 = 30;
    fn pack(self) -> u32 {
        match self {
            Self::Connection(i) => i,
            Self::Request(i) => i | 1 << Self::SHIFT,
            Self::TimeWait(i) => i | 2 << Self::SHIFT,
        }
    }
    fn unpack(v: u32) -> Self {
        let i = v & ((1 << Self::SHIFT) - 1);
        match v >> Self::SHIFT {
            0 => Self::Connection(i),
            1 => Self::Request(i),
            _ => Self::TimeWait(i),
        }
    }
}

/// The records of one address family and their table.
#[derive(Debug)]
pub(crate) struct Half<F: Family> {
    pub(crate) conns: Arena<Connection<F>>,
    pub(crate) reqs: Arena<RequestSock<F>>,
    pub(crate) tws: Arena<TimeWaitSock<F>>,
    table: HashTable<u32>,
}

impl<F: Family> Half<F> {
    pub(crate) fn new() -> Self {
        Self {
            conns: Arena::new(),
            reqs: Arena::new(),
            tws: Arena::new(),
            table: HashTable::new(),
        }
    }

    fn tuple_of<'a>(
        conns: &'a Arena<Connection<F>>,
        reqs: &'a Arena<RequestSock<F>>,
        tws: &'a Arena<TimeWaitSock<F>>,
        v: u32,
    ) -> Option<&'a Tuple<F>> {
        match Entry::unpack(v) {
            Entry::Connection(i) => conns.get(i).map(|c| &c.tuple),
            Entry::Request(i) => reqs.get(i).map(|r| &r.tuple),
            Entry::TimeWait(i) => tws.get(i).map(|t| &t.tuple),
        }
    }

    pub(crate) fn find(&self, secrets: &Secrets, t: &Tuple<F>) -> Option<Entry> {
        let Self {
            conns,
            reqs,
            tws,
            table,
        } = self;
        table
            .find(secrets.tuple_hash(t), |&v| {
                Self::tuple_of(conns, reqs, tws, v).is_some_and(|o| o == t)
            })
            .map(|&v| Entry::unpack(v))
    }

    /// Inserts; the record must stand in its arena already.
    pub(crate) fn hash(&mut self, secrets: &Secrets, t: &Tuple<F>, e: Entry) {
        let Self {
            conns,
            reqs,
            tws,
            table,
        } = self;
        table.insert_unique(secrets.tuple_hash(t), e.pack(), |&v| {
            Self::tuple_of(conns, reqs, tws, v).map_or(0, |t| secrets.tuple_hash(t))
        });
    }

    /// Takes `e` out of the table; the record must still stand in its arena.
    pub(crate) fn unhash(&mut self, secrets: &Secrets, t: &Tuple<F>, e: Entry) {
        let want = e.pack();
        if let Ok(o) = self.table.find_entry(secrets.tuple_hash(t), |&v| v == want) {
            o.remove();
        }
    }

    /// Lets `new` stand where `old` stood: the same four-tuple, another record.
    pub(crate) fn replace(&mut self, secrets: &Secrets, t: &Tuple<F>, old: Entry, new: Entry) {
        let want = old.pack();
        if let Some(v) = self.table.find_mut(secrets.tuple_hash(t), |&v| v == want) {
            *v = new.pack();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hearken_tcp::addr::V4;
    use hearken_tcp::{Instant, Seq};

    #[test]
    fn a_hash_slot_is_four_bytes_and_round_trips() {
        assert_eq!(size_of_val(&Entry::Connection(0).pack()), 4);
        for e in [
            Entry::Connection(5),
            Entry::Request(1 << 29),
            Entry::TimeWait(0),
        ] {
            assert_eq!(Entry::unpack(e.pack()), e);
        }
    }
    fn blank(tuple: Tuple<V4>) -> TimeWaitSock<V4> {
        TimeWaitSock {
            deadline: Instant(0),
            tuple,
            snd_nxt: Seq(0),
            rcv_nxt: Seq(0),
            rcv_wnd: 0,
            ts_recent: 0,
            ts_recent_ms: 0,
            ts_off: 0,
            last_oow_ms: 0,
            bind: 0,
            iface: 0,
            rcv_wscale: 0,
            flags: 0,
        }
    }

    #[test]
    fn each_tuple_finds_its_own_entry_until_it_is_unhashed() {
        let secrets = Secrets::new(&[1; 32]);
        let mut half = Half::<V4>::new();
        let tuple = |rport| Tuple::<V4> {
            laddr: [10, 0, 0, 1],
            raddr: [10, 0, 0, 2],
            lport: 80,
            rport,
        };
        let slots: alloc::vec::Vec<u32> = (0..500u16)
            .map(|port| {
                let slot = half.tws.insert(blank(tuple(port)));
                half.hash(&secrets, &tuple(port), Entry::TimeWait(slot));
                slot
            })
            .collect();
        for (port, &slot) in (0u16..).zip(&slots) {
            let (t, e) = (tuple(port), Entry::TimeWait(slot));
            assert_eq!(half.find(&secrets, &t), Some(e));
            half.unhash(&secrets, &t, e);
            assert_eq!(half.find(&secrets, &t), None);
        }
        assert!(half.table.is_empty());
    }
}
