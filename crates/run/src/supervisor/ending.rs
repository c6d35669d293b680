//! The end of a run: the last descendant has gone, but what it wrote is still under way.
//!
//! A kernel sends what a dead process has written; so do we, until the host's sockets have it, for
//! as long as bytes move.

use hearken_inet::Instant;

use super::Supervisor;
use super::table::Phase;

/// A flow on which nothing moved for so long is given up: 5 s outlast a few lost packets.
const PATIENCE_NS: u64 = 5_000_000_000;

/// What is left to do after the last descendant.
pub(super) struct Ending {
    moved: u64,
    since: Instant,
}

impl Supervisor {
    /// The last task under the filter has gone.
    pub(super) fn begin_ending(&mut self) {
        if self.ending.is_some() {
            return;
        }
        self.ending = Some(Ending {
            moved: self.moved,
            since: self.stack.now(),
        });
        // It would say so again and again.
        let _ = rustix::event::epoll::delete(&self.epoll, &self.listener);
        // Nobody is left who could hold a dead socket, or wait in a call.
        let left: Vec<_> = self
            .table
            .iter()
            .filter(|(_, s)| s.phase != Phase::Open)
            .map(|(k, _)| k)
            .collect();
        for key in left {
            self.finish(key);
        }
    }

    /// Whether the run is over.
    pub(super) fn has_ended(&mut self) -> bool {
        let Some(ending) = self.ending.as_mut() else {
            return false;
        };
        if ending.moved != self.moved {
            *ending = Ending {
                moved: self.moved,
                since: self.stack.now(),
            };
        }
        let waited = self.stack.now().0.saturating_sub(ending.since.0);
        waited >= PATIENCE_NS || (self.table.is_empty() && self.host.has_everything())
    }

    /// When to look again.
    pub(super) fn ending_timeout(&self) -> Option<Instant> {
        self.ending
            .as_ref()
            .map(|e| Instant(e.since.0 + PATIENCE_NS))
    }
}
