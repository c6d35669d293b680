//! Generational storage: a key whose item is gone never reaches another item.

/// Names one item; copies freely through epoll's 64-bit data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key(u64);

impl Key {
    /// Highest index a key can carry, so that callers may use the bits above for a kind.
    const INDEX_BITS: u32 = 24;
    const GENERATION_BITS: u32 = 32;
    /// Bits that a key fills; the rest of the u64 is free.
    pub(crate) const BITS: u32 = Self::INDEX_BITS + Self::GENERATION_BITS;

    fn new(index: usize, generation: u32) -> Self {
        Key((u64::from(generation) << Self::INDEX_BITS) | index as u64)
    }

    fn index(self) -> usize {
        (self.0 & ((1 << Self::INDEX_BITS) - 1)) as usize
    }

    fn generation(self) -> u32 {
        (self.0 >> Self::INDEX_BITS) as u32
    }

    pub(crate) fn to_bits(self) -> u64 {
        self.0
    }

    pub(crate) fn from_bits(bits: u64) -> Self {
        Key(bits)
    }
}

struct Slot<T> {
    generation: u32,
    item: Option<T>,
}

/// Items under keys; a freed place is used again under a new generation.
pub(crate) struct Slab<T> {
    slots: Vec<Slot<T>>,
    free: Vec<usize>,
}

impl<T> Slab<T> {
    pub(crate) fn new() -> Self {
        Slab {
            slots: Vec::new(),
            free: Vec::new(),
        }
    }

    pub(crate) fn insert(&mut self, item: T) -> Key {
        match self.free.pop() {
            Some(i) => {
                let slot = &mut self.slots[i];
                slot.item = Some(item);
                Key::new(i, slot.generation)
            }
            None => {
                self.slots.push(Slot {
                    generation: 0,
                    item: Some(item),
                });
                Key::new(self.slots.len() - 1, 0)
            }
        }
    }

    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        let slot = self.slots.get(key.index())?;
        if slot.generation == key.generation() {
            slot.item.as_ref()
        } else {
            None
        }
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let slot = self.slots.get_mut(key.index())?;
        if slot.generation == key.generation() {
            slot.item.as_mut()
        } else {
            None
        }
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        let slot = self.slots.get_mut(key.index())?;
        if slot.generation != key.generation() {
            return None;
        }
        let item = slot.item.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(key.index());
        Some(item)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.slots.iter().enumerate().filter_map(|(i, s)| {
            s.item
                .as_ref()
                .map(|item| (Key::new(i, s.generation), item))
        })
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.slots.iter_mut().filter_map(|s| s.item.as_mut())
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slab_freed_key_never_reaches_its_successor() {
        let mut s = Slab::new();
        let a = s.insert("a");
        assert_eq!(s.remove(a), Some("a"));
        let b = s.insert("b");
        assert_eq!(a.index(), b.index());
        assert_eq!(s.get(a), None);
        assert_eq!(s.remove(a), None);
        assert_eq!(s.get(b), Some(&"b"));
        assert_eq!(Key::from_bits(b.to_bits()), b);
        assert_eq!(s.len(), 1);
        assert!(b.to_bits() >> Key::BITS == 0);
    }
}
