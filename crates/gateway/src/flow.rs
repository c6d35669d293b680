//! Flows by generational id.

use alloc::vec::Vec;
use core::net::SocketAddr;
use hearken_inet::{SocketId, SynId};

/// A flow through one gateway. A closed one is never found again under the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlowId {
    slot: u32,
    generation: u32,
}

impl FlowId {
    /// The id as a number, for tables of the host.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        (self.generation as u64) << 32 | self.slot as u64
    }

    /// The id of a number from [`FlowId::to_bits`].
    #[must_use]
    pub const fn from_bits(bits: u64) -> FlowId {
        FlowId {
            slot: bits as u32,
            generation: (bits >> 32) as u32,
        }
    }
}

/// How far a flow has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The SYN is held until the host knows.
    Held(SynId),
    /// SYN-ACK is out; the connection will come through the accept queue.
    Accepting,
    /// Our SYN is out.
    Connecting(SocketId),
    /// Established, or ended since.
    Open(SocketId),
    /// The handshake came to nothing; only `close` is left.
    Dead,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Flow {
    pub(crate) stage: Stage,
    /// Our end: the destination that the program asked for, or the address of the host's client.
    pub(crate) local: SocketAddr,
    /// The program's end.
    pub(crate) remote: SocketAddr,
    /// Readable, writable: which of them the host wants to hear of.
    pub(crate) want: (bool, bool),
    /// The events that come once were given out.
    pub(crate) peer_closed: bool,
    pub(crate) ended: bool,
}

impl Flow {
    pub(crate) const fn socket(&self) -> Option<SocketId> {
        match self.stage {
            Stage::Connecting(s) | Stage::Open(s) => Some(s),
            Stage::Held(_) | Stage::Accepting | Stage::Dead => None,
        }
    }
}

struct Slot {
    generation: u32,
    flow: Option<Flow>,
}

#[derive(Default)]
pub(crate) struct Flows {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

impl Flows {
    pub(crate) fn insert(&mut self, flow: Flow) -> FlowId {
        if let Some(slot) = self.free.pop() {
            let s = &mut self.slots[slot as usize];
            s.flow = Some(flow);
            return FlowId {
                slot,
                generation: s.generation,
            };
        }
        let slot = self.slots.len() as u32;
        self.slots.push(Slot {
            generation: 1,
            flow: Some(flow),
        });
        FlowId {
            slot,
            generation: 1,
        }
    }

    pub(crate) fn get(&self, id: FlowId) -> Option<&Flow> {
        let s = self.slots.get(id.slot as usize)?;
        (s.generation == id.generation).then_some(s.flow.as_ref())?
    }

    pub(crate) fn get_mut(&mut self, id: FlowId) -> Option<&mut Flow> {
        let s = self.slots.get_mut(id.slot as usize)?;
        (s.generation == id.generation).then_some(s.flow.as_mut())?
    }

    pub(crate) fn remove(&mut self, id: FlowId) -> Option<Flow> {
        let s = self.slots.get_mut(id.slot as usize)?;
        if s.generation != id.generation {
            return None;
        }
        let flow = s.flow.take()?;
        // A token of all ones is the gateway's own: see `gateway`.
        s.generation = s.generation.wrapping_add(1) & 0x7fff_ffff;
        self.free.push(id.slot);
        Some(flow)
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow() -> Flow {
        let a = SocketAddr::from(([127, 0, 0, 1], 1));
        Flow {
            stage: Stage::Dead,
            local: a,
            remote: a,
            want: (true, true),
            peer_closed: false,
            ended: false,
        }
    }

    #[test]
    fn flow_id_of_a_removed_flow_finds_nothing_after_reuse() {
        let mut f = Flows::default();
        let a = f.insert(flow());
        assert_eq!(FlowId::from_bits(a.to_bits()), a);
        assert!(f.remove(a).is_some());
        assert!(f.remove(a).is_none());
        let b = f.insert(flow());
        assert_eq!((a.slot, f.len()), (b.slot, 1));
        assert_ne!(a, b);
        assert!(f.get(a).is_none() && f.get_mut(a).is_none() && f.get(b).is_some());
    }
}
