//! What looks into a run while it works: one object of hooks, shared by the stack, which tells it
//! things, and the supervisor, which takes them out and passes them on to whoever asked.
//!
//! Nobody asked: the hooks are off, and the stack does not come here at all.

use std::sync::{Arc, Mutex};

use hearken_abi::DropReason;
use hearken_device::link::TapFrame;
use hearken_inet::{HookMask, Hooks, IfaceId, Retransmit, SeenFrame, StateChange, Step};

use crate::capture::{self, Capture};
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
    /// By a number of their own.
    captures: Vec<(u64, Capture)>,
    next: u64,
    /// From the stack's clock to nanoseconds since 1970.
    wall: u64,
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

    /// How far the stack's clock is from the time of day.
    pub(crate) fn set_wall(&self, wall: u64) {
        self.with(|seen| seen.wall = wall);
    }

    /// Begins a capture.
    pub(crate) fn capture(&self, capture: Capture) -> u64 {
        self.with(|seen| {
            seen.next += 1;
            seen.captures.push((seen.next, capture));
            seen.next
        })
    }

    /// Ends a capture.
    pub(crate) fn end_capture(&self, id: u64) {
        self.with(|seen| seen.captures.retain(|(i, _)| *i != id));
    }

    /// Whether packets are captured.
    pub(crate) fn captures(&self) -> bool {
        self.with(|seen| !seen.captures.is_empty())
    }

    /// Moves what a capture holds to the end of `out`.
    pub(crate) fn fetch(&self, id: u64, out: &mut Vec<u8>) {
        self.with(|seen| {
            if let Some((_, c)) = seen.captures.iter_mut().find(|(i, _)| *i == id) {
                c.fetch(out);
            }
        });
    }

    /// So many bytes that were fetched have not been taken yet.
    pub(crate) fn held(&self, id: u64, bytes: usize) {
        self.with(|seen| {
            if let Some((_, c)) = seen.captures.iter_mut().find(|(i, _)| *i == id) {
                c.held = bytes;
            }
        });
    }

    /// A packet on the link.
    pub(crate) fn tapped(&self, f: &TapFrame<'_>) {
        self.with(|seen| {
            let time = f.time.0.wrapping_add(seen.wall);
            for (_, c) in &mut seen.captures {
                c.sent(time, f);
            }
        });
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
            if capture::is_captured(f.iface) {
                let time = f.now.0.wrapping_add(seen.wall);
                for (_, c) in &mut seen.captures {
                    c.seen(time, f);
                }
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
