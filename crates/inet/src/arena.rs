//! A flat table of records with generations. A removed record leaves its husk in place until the slot is used again,
//! so that a record needs neither a tag nor a heap cell of its own.

use alloc::vec::Vec;

/// Records by slot.
#[derive(Debug)]
pub(crate) struct Arena<T> {
    items: Vec<T>,
    /// Odd while the slot is in use.
    generations: Vec<u32>,
    free: Vec<u32>,
}

impl<T> Arena<T> {
    pub(crate) const fn new() -> Self {
        Self {
            items: Vec::new(),
            generations: Vec::new(),
            free: Vec::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len() - self.free.len()
    }

    pub(crate) fn insert(&mut self, value: T) -> u32 {
        if let Some(slot) = self.free.pop() {
            let i = slot as usize;
            self.items[i] = value;
            self.generations[i] = self.generations[i].wrapping_add(1);
            return slot;
        }
        self.items.push(value);
        self.generations.push(1);
        (self.items.len() - 1) as u32
    }

    /// Frees `slot`; what the record owned must have been taken out of it.
    pub(crate) fn remove(&mut self, slot: u32) {
        if let Some(g) = self.generations.get_mut(slot as usize)
            && *g & 1 == 1
        {
            *g = g.wrapping_add(1);
            self.free.push(slot);
        }
    }

    pub(crate) fn generation(&self, slot: u32) -> u32 {
        self.generations.get(slot as usize).copied().unwrap_or(0)
    }

    pub(crate) fn get(&self, slot: u32) -> Option<&T> {
        let live = self.generation(slot) & 1 == 1;
        self.items.get(slot as usize).filter(|_| live)
    }

    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        let live = self.generation(slot) & 1 == 1;
        self.items.get_mut(slot as usize).filter(|_| live)
    }

    /// The record, if it is still the one that had this generation.
    pub(crate) fn of(&mut self, slot: u32, generation: u32) -> Option<&mut T> {
        let same = self.generation(slot) == generation && generation & 1 == 1;
        self.items.get_mut(slot as usize).filter(|_| same)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        let live = self.generations.iter().map(|g| g & 1 == 1);
        self.items
            .iter_mut()
            .zip(live)
            .filter_map(|(t, live)| live.then_some(t))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.items
            .iter()
            .enumerate()
            .filter(|(i, _)| self.generations[*i] & 1 == 1)
            .map(|(i, t)| (i as u32, t))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removed_slot_is_not_found_under_its_old_generation() {
        let mut a = Arena::new();
        let x = a.insert('x');
        let g = a.generation(x);
        a.remove(x);
        a.remove(x);
        assert_eq!((a.get(x), a.len()), (None, 0));
        let y = a.insert('y');
        assert_eq!(x, y);
        assert_eq!(a.of(x, g), None);
        assert_eq!(a.get(y), Some(&'y'));
        assert_eq!(a.iter().count(), 1);
    }
}
