//! What looks into a run while it works: one object of hooks, shared by the stack, which tells it
//! things, and the supervisor, which takes them out and passes them on to whoever asked.
//!
//! Nobody asked: the hooks are off, and the stack does not come here at all.

use std::sync::{Arc, Mutex};

use hearken_abi::DropReason;
use hearken_inet::{HookMask, Hooks, IfaceId, Retransmit, SeenFrame, StateChange, Step};

use crate::event::Packet;
use crate::packet;

/// Events between two turns of the loop; a flood beyond is counted, not kept.
const MOST: usize = 16 << 10;

/// What the stack told.
#[derive(Debug, Clone)]
pub(crate) enum Told {
    Step(Step),
    /// A call other than listen(), once it is answered: as strace writes it.
    Call(String),
    State(StateChange),
    Retransmit(Retransmit),
    Drop(DropReason, IfaceId, Packet),
}

impl Told {
    /// The hook that it came by.
    pub(crate) fn kind(&self) -> HookMask {
        match self {
            Told::Step(_) | Told::Call(_) => HookMask::TRACE,
            Told::State(_) => HookMask::STATES,
            Told::Retransmit(_) => HookMask::RETRANSMITS,
            Told::Drop(..) => HookMask::DROPS,
        }
    }
}

#[derive(Debug, Default)]
struct Seen {
    wanted: HookMask,
    told: Vec<Told>,
    lost: u64,
}

impl Seen {
    fn note(&mut self, told: Told) {
        if !self.wanted.has(told.kind()) {
            return;
        }
        if self.told.len() < MOST {
            self.told.push(told);
        } else {
            self.lost += 1;
        }
    }
}

/// The shared object.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watch(Arc<Mutex<Seen>>);

impl Watch {
    fn with<R: Default>(&self, f: impl FnOnce(&mut Seen) -> R) -> R {
        // One thread: nobody can have panicked with it in his hands and live.
        self.0
            .lock()
            .map(|mut seen| f(&mut seen))
            .unwrap_or_default()
    }

    /// What is to be told from now on.
    pub(crate) fn want(&self, wanted: HookMask) {
        self.with(|seen| seen.wanted = wanted);
    }

    /// Whether somebody wants this.
    pub(crate) fn wants(&self, mask: HookMask) -> bool {
        self.with(|seen| seen.wanted.has(mask))
    }

    /// Notes a call that the stack knows nothing of.
    pub(crate) fn call(&self, text: String) {
        self.with(|seen| seen.note(Told::Call(text)));
    }

    /// What came since the last time, and how much more there was.
    pub(crate) fn take(&self) -> (Vec<Told>, u64) {
        self.with(|seen| {
            (
                std::mem::take(&mut seen.told),
                std::mem::take(&mut seen.lost),
            )
        })
    }
}

impl Hooks for Watch {
    fn mask(&self) -> HookMask {
        self.with(|seen| seen.wanted)
    }

    fn trace(&mut self, step: &Step) {
        self.with(|seen| seen.note(Told::Step(*step)));
    }

    fn state(&mut self, change: &StateChange) {
        self.with(|seen| seen.note(Told::State(*change)));
    }

    fn retransmit(&mut self, again: &Retransmit) {
        self.with(|seen| seen.note(Told::Retransmit(*again)));
    }

    fn frame(&mut self, f: &SeenFrame<'_>) {
        self.with(|seen| {
            if let Some(reason) = f.drop
                && seen.wanted.has(HookMask::DROPS)
            {
                let packet = packet::describe(f.frame.head, f.frame.body);
                seen.note(Told::Drop(reason, f.iface, packet));
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watch_flooded_keeps_a_bound_and_counts_the_rest() {
        let watch = Watch::default();
        watch.call("unwanted".into());
        assert!(watch.take().0.is_empty());
        watch.want(HookMask::TRACE);
        for _ in 0..MOST + 3 {
            watch.call("close(3) = 0".into());
        }
        let (told, lost) = watch.take();
        assert_eq!((told.len(), lost), (MOST, 3));
        let (told, lost) = watch.take();
        assert_eq!((told.len(), lost), (0, 0));
    }
}
