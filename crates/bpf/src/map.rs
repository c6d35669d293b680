//! Maps: memory of a fixed size that a program reaches by pointer, and the index of a hash.

use std::collections::HashMap;
use std::ops::Range;
use std::ptr;

use crate::{Unusable, unusable};

/// What one map may take; a kernel would count it against RLIMIT_MEMLOCK or a cgroup.
const MOST_BYTES: u64 = 64 << 20;
/// rbpf looks where an access begins, not where it ends: the longest, of 8 bytes, stays in the region.
const PAD: usize = 8;

/// The kinds of map that exist here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapKind {
    /// `BPF_MAP_TYPE_HASH`
    Hash = 1,
    /// `BPF_MAP_TYPE_ARRAY`
    Array = 2,
}

impl MapKind {
    pub(crate) fn of_number(number: u32) -> Option<Self> {
        match number {
            1 => Some(MapKind::Hash),
            2 => Some(MapKind::Array),
            _ => None,
        }
    }
}

/// A map as the object defines it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapSpec {
    /// The variable's name.
    pub name: String,
    /// What it is.
    pub kind: MapKind,
    /// Bytes of a key.
    pub key_size: u32,
    /// Bytes of a value.
    pub value_size: u32,
    /// How many entries fit.
    pub max_entries: u32,
}

impl MapSpec {
    pub(crate) fn new(
        name: &str,
        kind: MapKind,
        key_size: u32,
        value_size: u32,
        max_entries: u32,
    ) -> Result<Self, Unusable> {
        let spec = MapSpec {
            name: name.to_owned(),
            kind,
            key_size,
            value_size,
            max_entries,
        };
        // The kernel's own bounds: EINVAL for each.
        if key_size == 0 || value_size == 0 || max_entries == 0 {
            return unusable(format!(
                "map `{name}`: key, value or max_entries is missing"
            ));
        }
        if kind == MapKind::Array && key_size != 4 {
            return unusable(format!(
                "map `{name}`: the key of an array has 4 bytes, not {key_size}"
            ));
        }
        if key_size > 512 || spec.stride() * u64::from(max_entries) > MOST_BYTES {
            return unusable(format!("map `{name}` is too large: 64 MiB is the most"));
        }
        Ok(spec)
    }

    fn stride(&self) -> u64 {
        u64::from(self.value_size).next_multiple_of(8)
    }
}

/// Update flags (`BPF_ANY`, `BPF_NOEXIST`, `BPF_EXIST`).
const NOEXIST: u64 = 1;
const EXIST: u64 = 2;
const ENOENT: i32 = 2;
const E2BIG: i32 = 7;
const EEXIST: i32 = 17;
const EINVAL: i32 = 22;

/// A map that lives.
#[derive(Debug)]
pub(crate) struct Map {
    pub(crate) spec: MapSpec,
    memory: Memory,
    /// Of a hash: which place a key has.
    index: HashMap<Box<[u8]>, u32>,
    free: Vec<u32>,
}

impl Map {
    pub(crate) fn new(spec: MapSpec) -> Self {
        let size = spec.stride() * u64::from(spec.max_entries);
        let free = match spec.kind {
            MapKind::Hash => (0..spec.max_entries).rev().collect(),
            MapKind::Array => Vec::new(),
        };
        Map {
            memory: Memory::new(size as usize),
            index: HashMap::new(),
            free,
            spec,
        }
    }

    /// The addresses that a program may touch.
    pub(crate) fn range(&self) -> Range<u64> {
        self.memory.range()
    }

    fn place(&self, key: &[u8]) -> Option<u32> {
        match self.spec.kind {
            MapKind::Hash => self.index.get(key).copied(),
            MapKind::Array => {
                let i = key.try_into().ok().map(u32::from_le_bytes)?;
                (i < self.spec.max_entries).then_some(i)
            }
        }
    }

    fn offset(&self, place: u32) -> usize {
        (self.spec.stride() * u64::from(place)) as usize
    }

    /// `bpf_map_lookup_elem`: the address of a value, which stays valid: a place never moves.
    pub(crate) fn lookup(&self, key: &[u8]) -> Option<u64> {
        let place = self.place(key)?;
        Some(self.memory.range().start + self.offset(place) as u64)
    }

    /// A copy of a value.
    pub(crate) fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        let at = self.offset(self.place(key)?);
        Some(self.memory.read(at, self.spec.value_size as usize))
    }

    /// `bpf_map_update_elem`
    pub(crate) fn update(&mut self, key: &[u8], value: &[u8], flags: u64) -> Result<(), i32> {
        if flags > EXIST {
            return Err(EINVAL);
        }
        let place = match (self.place(key), self.spec.kind) {
            (Some(_), _) if flags == NOEXIST => return Err(EEXIST),
            (Some(place), _) => place,
            (None, MapKind::Array) => return Err(E2BIG),
            (None, MapKind::Hash) if flags == EXIST => return Err(ENOENT),
            (None, MapKind::Hash) => {
                let place = self.free.pop().ok_or(E2BIG)?;
                self.index.insert(key.into(), place);
                place
            }
        };
        self.memory.write(self.offset(place), value);
        Ok(())
    }

    /// `bpf_map_delete_elem`
    pub(crate) fn delete(&mut self, key: &[u8]) -> Result<(), i32> {
        if self.spec.kind == MapKind::Array {
            return Err(EINVAL);
        }
        let place = self.index.remove(key).ok_or(ENOENT)?;
        self.free.push(place);
        Ok(())
    }
}

/// Memory that a program and we both write, each in its turn and both by address: no reference to it ever exists.
#[derive(Debug)]
struct Memory {
    words: *mut [u64],
    /// Without the pad.
    len: usize,
}

// SAFETY: the memory is this value's own, as a Box's is.
unsafe impl Send for Memory {}

impl Memory {
    fn new(len: usize) -> Self {
        let words = vec![0u64; (len + PAD).div_ceil(8)].into_boxed_slice();
        Memory {
            words: Box::into_raw(words),
            len,
        }
    }

    fn start(&self) -> *mut u8 {
        self.words.cast()
    }

    fn range(&self) -> Range<u64> {
        // The interpreter makes pointers of numbers again.
        let start = self.start().expose_provenance() as u64;
        start..start + self.len as u64
    }

    fn read(&self, at: usize, len: usize) -> Vec<u8> {
        assert!(at + len <= self.len);
        let mut out = vec![0; len];
        // SAFETY: the bytes are within the allocation, and no program runs while we are here.
        unsafe { ptr::copy_nonoverlapping(self.start().add(at), out.as_mut_ptr(), len) };
        out
    }

    fn write(&mut self, at: usize, bytes: &[u8]) {
        assert!(at + bytes.len() <= self.len);
        // SAFETY: as in `read`; `bytes` is a copy of ours and does not overlap.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.start().add(at), bytes.len()) };
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: it came from Box::into_raw, and only here does it go back.
        drop(unsafe { Box::from_raw(self.words) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(kind: MapKind, max: u32) -> Map {
        Map::new(MapSpec::new("m", kind, 4, 3, max).expect("a good map"))
    }

    #[test]
    fn array_lookup_is_bounded_and_nothing_is_deleted() {
        let mut m = map(MapKind::Array, 2);
        let key = |i: u32| i.to_le_bytes();
        assert_eq!(m.update(&key(1), b"abc", 0), Ok(()));
        assert_eq!(m.get(&key(1)), Some(b"abc".to_vec()));
        assert_eq!(m.get(&key(0)), Some(vec![0; 3]));
        assert_eq!(m.lookup(&key(1)), Some(m.range().start + 8));
        assert_eq!(m.lookup(&key(2)), None);
        assert_eq!(m.update(&key(2), b"abc", 0), Err(E2BIG));
        assert_eq!(m.update(&key(1), b"abc", NOEXIST), Err(EEXIST));
        assert_eq!(m.delete(&key(1)), Err(EINVAL));
    }

    #[test]
    fn hash_full_is_e2big_until_one_is_deleted() {
        let mut m = map(MapKind::Hash, 2);
        assert_eq!(m.update(b"aaaa", b"111", EXIST), Err(ENOENT));
        assert_eq!(m.update(b"aaaa", b"111", NOEXIST), Ok(()));
        assert_eq!(m.update(b"bbbb", b"222", 0), Ok(()));
        assert_eq!(m.update(b"cccc", b"333", 0), Err(E2BIG));
        assert_eq!(m.update(b"bbbb", b"444", 0), Ok(()));
        assert_eq!(m.update(b"bbbb", b"444", 9), Err(EINVAL));
        assert_eq!(m.delete(b"aaaa"), Ok(()));
        assert_eq!(m.delete(b"aaaa"), Err(ENOENT));
        assert_eq!(m.update(b"cccc", b"333", 0), Ok(()));
        assert_eq!(m.get(b"bbbb"), Some(b"444".to_vec()));
        assert_eq!(m.get(b"cccc"), Some(b"333".to_vec()));
    }

    #[test]
    fn map_without_bounds_is_refused() {
        for (kind, key, value, max) in [
            (MapKind::Hash, 0, 4, 1),
            (MapKind::Array, 8, 4, 1),
            (MapKind::Hash, 4, 1 << 30, 1 << 30),
            (MapKind::Hash, 4, 4, 0),
        ] {
            assert!(MapSpec::new("m", kind, key, value, max).is_err());
        }
    }
}
