//! The neighbour table: which station has which address, and what waits to learn it (RFC 826, RFC 4861 7.3; Linux
//! `neighbour`, in small).

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;
use hearken_tcp::Instant;

use crate::frame::TxMeta;

/// How long an answer is good for (Linux `base_reachable_time_ms`).
const REACHABLE: Duration = Duration::from_secs(30);
/// Between questions (Linux `retrans_time_ms`).
const RETRANS: Duration = Duration::from_secs(1);
/// Questions before a neighbour is given up (Linux `mcast_solicit`, `ucast_solicit`).
const SOLICIT: u8 = 3;
/// Bytes that may wait for one neighbour (Linux `unres_qlen_bytes`).
const UNRES_BYTES: usize = 212_992;
/// Neighbours that are remembered (Linux `gc_thresh3`); beyond it the least lately confirmed goes.
const MAX: usize = 1024;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Asked so often, not answered yet.
    Incomplete(u8),
    /// Answered; good until then.
    Reachable(Instant),
    /// Was answered once; asked again so often since it was needed.
    Probe(u8),
}

#[derive(Debug)]
struct Entry {
    state: State,
    mac: [u8; 6],
    /// When to ask again, or to give up.
    ask_at: Instant,
    waiting: VecDeque<(TxMeta, Vec<u8>)>,
    bytes: usize,
}

/// All neighbours of an interface.
#[derive(Debug, Default)]
pub(crate) struct Neighbours {
    table: BTreeMap<IpAddr, Entry>,
    /// A deadline may have changed since it was last asked for.
    changed: bool,
}

/// What is known of a neighbour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lookup {
    /// Its address.
    Known([u8; 6]),
    /// Its address, too old: ask it while it is used.
    Check([u8; 6]),
    /// Nothing: ask.
    Unknown,
    /// Nothing, and it has been asked.
    Asked,
}

/// What a neighbour's clock asks for.
#[derive(Debug)]
pub(crate) enum Due {
    /// Ask again, all or the one that had this address.
    Ask(Option<[u8; 6]>),
    /// It does not answer; these packets will not arrive.
    Failed(VecDeque<(TxMeta, Vec<u8>)>),
}

impl Neighbours {
    pub(super) fn find(&mut self, now: Instant, ip: IpAddr) -> Lookup {
        let Some(e) = self.table.get_mut(&ip) else {
            self.make_room();
            self.changed = true;
            let state = State::Incomplete(1);
            self.table.insert(
                ip,
                Entry {
                    state,
                    mac: [0; 6],
                    ask_at: now + RETRANS,
                    waiting: VecDeque::new(),
                    bytes: 0,
                },
            );
            return Lookup::Unknown;
        };
        match e.state {
            State::Incomplete(_) => Lookup::Asked,
            State::Reachable(until) if now < until => Lookup::Known(e.mac),
            State::Reachable(_) => {
                self.changed = true;
                (e.state, e.ask_at) = (State::Probe(1), now + RETRANS);
                Lookup::Check(e.mac)
            }
            State::Probe(_) => Lookup::Known(e.mac),
        }
    }

    fn make_room(&mut self) {
        if self.table.len() < MAX {
            return;
        }
        let age = |e: &Entry| match e.state {
            State::Reachable(until) => until,
            State::Incomplete(_) | State::Probe(_) => Instant::FAR,
        };
        let oldest = self
            .table
            .iter()
            .min_by_key(|(_, e)| age(e))
            .map(|(&ip, _)| ip);
        oldest.and_then(|ip| self.table.remove(&ip));
    }

    /// Keeps a packet until the neighbour is known; the oldest go when there are too many.
    pub(super) fn keep(&mut self, ip: IpAddr, meta: TxMeta, packet: Vec<u8>) {
        let Some(e) = self.table.get_mut(&ip) else {
            return;
        };
        e.bytes += packet.len();
        e.waiting.push_back((meta, packet));
        while e.bytes > UNRES_BYTES
            && let Some((_, p)) = e.waiting.pop_front()
        {
            e.bytes -= p.len();
        }
    }

    /// `ip` is at `mac`. What waited for it; `None` when it was not asked for and is not known (RFC 826: no entry is
    /// made then).
    pub(super) fn learn(
        &mut self,
        now: Instant,
        ip: IpAddr,
        mac: [u8; 6],
        make: bool,
    ) -> Option<VecDeque<(TxMeta, Vec<u8>)>> {
        if make && !self.table.contains_key(&ip) {
            self.make_room();
            let state = State::Incomplete(0);
            self.table.insert(
                ip,
                Entry {
                    state,
                    mac,
                    ask_at: Instant::FAR,
                    waiting: VecDeque::new(),
                    bytes: 0,
                },
            );
        }
        let e = self.table.get_mut(&ip)?;
        self.changed = true;
        (e.state, e.mac, e.ask_at, e.bytes) =
            (State::Reachable(now + REACHABLE), mac, Instant::FAR, 0);
        Some(core::mem::take(&mut e.waiting))
    }

    /// When the next question is due, if that may have changed since the last call.
    pub(super) fn new_deadline(&mut self) -> Option<Instant> {
        let changed = core::mem::take(&mut self.changed);
        changed.then(|| {
            self.table
                .values()
                .map(|e| e.ask_at)
                .min()
                .unwrap_or(Instant::FAR)
        })
    }

    /// Takes one neighbour whose time has come.
    pub(super) fn due(&mut self, now: Instant) -> Option<(IpAddr, Due)> {
        let (&ip, e) = self.table.iter_mut().find(|(_, e)| e.ask_at <= now)?;
        self.changed = true;
        let (tries, known) = match e.state {
            State::Incomplete(n) => (n, None),
            State::Probe(n) => (n, Some(e.mac)),
            State::Reachable(_) => {
                e.ask_at = Instant::FAR;
                return Some((ip, Due::Ask(Some(e.mac))));
            }
        };
        if tries >= SOLICIT {
            let e = self.table.remove(&ip)?;
            return Some((ip, Due::Failed(e.waiting)));
        }
        e.ask_at = now + RETRANS;
        e.state = if known.is_some() {
            State::Probe(tries + 1)
        } else {
            State::Incomplete(tries + 1)
        };
        Some((ip, Due::Ask(known)))
    }
}
