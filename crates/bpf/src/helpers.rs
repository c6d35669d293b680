//! The kernel functions that a program may call (bpf-helpers(7)). rbpf calls them with five numbers and nothing else, so
//! what they need of the run in progress stands in a cell of the thread.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;
use std::time::Instant;

use hearken_inet::CbFlags;

use crate::map::Map;

/// What a map's address is in a program: an index that no memory has.
pub(crate) const MAP_TAG: u64 = 0x6d61_7000_0000_0000;
/// Ours, called first of all: it tells where the stack is.
pub(crate) const ENTER: u32 = 0x7fff_0001;
/// What rbpf gives a program.
const STACK: u64 = 512;
const EFAULT: i32 = 14;
const EINVAL: i32 = 22;

/// The run of one program.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) maps: Vec<Map>,
    pub(crate) began: Instant,
    pub(crate) random: u64,
    /// `struct bpf_sock_ops`
    pub(crate) context: Range<u64>,
    pub(crate) stack: Range<u64>,
    /// `is_fullsock`
    pub(crate) full: bool,
    /// What `bpf_sock_ops_cb_flags_set` said.
    pub(crate) cb_flags: Option<u8>,
    /// What `bpf_trace_printk` wrote.
    pub(crate) printed: Vec<String>,
}

thread_local! {
    /// Taken out when the program has ended.
    pub(crate) static RUNNING: RefCell<Option<Running>> = const { RefCell::new(None) };
}

impl Running {
    /// A copy of memory that the program may read.
    fn read(&self, addr: u64, len: usize) -> Option<Vec<u8>> {
        let end = addr.checked_add(len as u64)?;
        let within = |r: &Range<u64>| r.start <= addr && end <= r.end;
        let ours = within(&self.context)
            || within(&self.stack)
            || self.maps.iter().any(|m| within(&m.range()));
        if !ours {
            return None;
        }
        let mut out = vec![0u8; len];
        let from = std::ptr::with_exposed_provenance::<u8>(addr as usize);
        // SAFETY: the range lies within the stack that rbpf has told us of, the context or a map, all of which live until
        // the program ends, and the interpreter stands still while a helper works.
        unsafe { std::ptr::copy_nonoverlapping(from, out.as_mut_ptr(), len) };
        Some(out)
    }

    fn map(&self, addr: u64) -> Option<usize> {
        let i = (addr ^ MAP_TAG) as usize;
        (i < self.maps.len()).then_some(i)
    }

    /// The map of a call, and a copy of the key.
    fn key(&self, map: u64, key: u64) -> Option<(usize, Vec<u8>)> {
        let i = self.map(map)?;
        let key = self.read(key, self.maps[i].spec.key_size as usize)?;
        Some((i, key))
    }

    fn update(&mut self, map: u64, key: u64, value: u64, flags: u64) -> Result<(), i32> {
        let (i, key) = self.key(map, key).ok_or(EFAULT)?;
        let size = self.maps[i].spec.value_size as usize;
        let value = self.read(value, size).ok_or(EFAULT)?;
        self.maps[i].update(&key, &value, flags)
    }

    /// `%d %i %u %x %lld ...` and `%%`, three arguments at the most.
    fn print(&mut self, format: u64, len: u64, args: [u64; 3]) -> Result<u64, i32> {
        // The kernel takes no longer ones, either.
        let len = usize::try_from(len)
            .ok()
            .filter(|l| *l <= 128)
            .ok_or(EINVAL)?;
        let bytes = self.read(format, len).ok_or(EFAULT)?;
        let text = String::from_utf8_lossy(&bytes);
        let mut out = String::new();
        let mut args = args.into_iter();
        let mut rest = text.trim_end_matches('\0').chars();
        while let Some(c) = rest.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            let mut long = false;
            let kind = rest.by_ref().find(|c| {
                long |= *c == 'l';
                *c != 'l'
            });
            let mut next = || args.next().ok_or(EINVAL);
            let wide = |v: u64| if long { v } else { v & 0xffff_ffff };
            match kind {
                Some('%') => out.push('%'),
                Some('d' | 'i') if long => out += &(next()? as i64).to_string(),
                Some('d' | 'i') => out += &(next()? as i32).to_string(),
                Some('u') => out += &wide(next()?).to_string(),
                Some('x') => out += &format!("{:x}", wide(next()?)),
                _ => return Err(EINVAL),
            }
        }
        let n = out.len() as u64;
        self.printed.push(out.trim_end().to_owned());
        Ok(n)
    }
}

fn running<R: Default>(f: impl FnOnce(&mut Running) -> R) -> R {
    RUNNING.with(|r| r.borrow_mut().as_mut().map(f).unwrap_or_default())
}

/// 0, or a negative errno, as a register holds it.
fn result(r: Result<(), i32>) -> u64 {
    r.map_or_else(|e| i64::from(-e) as u64, |()| 0)
}

fn enter(top: u64, _: u64, _: u64, _: u64, _: u64) -> u64 {
    running(|r| r.stack = top - STACK..top);
    0
}

fn map_lookup_elem(map: u64, key: u64, _: u64, _: u64, _: u64) -> u64 {
    running(|r| {
        let (i, key) = r.key(map, key)?;
        r.maps[i].lookup(&key)
    })
    .unwrap_or(0)
}

fn map_update_elem(map: u64, key: u64, value: u64, flags: u64, _: u64) -> u64 {
    running(|r| Some(result(r.update(map, key, value, flags)))).unwrap_or(0)
}

fn map_delete_elem(map: u64, key: u64, _: u64, _: u64, _: u64) -> u64 {
    running(|r| {
        let deleted = r.key(map, key).ok_or(EFAULT);
        Some(result(deleted.and_then(|(i, key)| r.maps[i].delete(&key))))
    })
    .unwrap_or(0)
}

fn ktime_get_ns(_: u64, _: u64, _: u64, _: u64, _: u64) -> u64 {
    running(|r| r.began.elapsed().as_nanos() as u64)
}

fn trace_printk(format: u64, len: u64, a: u64, b: u64, c: u64) -> u64 {
    running(|r| {
        r.print(format, len, [a, b, c])
            .unwrap_or_else(|e| i64::from(-e) as u64)
    })
}

/// SplitMix64; the kernel promises no more than that it looks random.
fn get_prandom_u32(_: u64, _: u64, _: u64, _: u64, _: u64) -> u64 {
    running(|r| {
        r.random = r.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (r.random ^ r.random >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ z >> 31) & 0xffff_ffff
    })
}

fn get_smp_processor_id(_: u64, _: u64, _: u64, _: u64, _: u64) -> u64 {
    0
}

/// The bits that could not be set come back; a half-open connection has none (`-EINVAL`).
fn sock_ops_cb_flags_set(_: u64, flags: u64, _: u64, _: u64, _: u64) -> u64 {
    running(|r| {
        if !r.full {
            return i64::from(-EINVAL) as u64;
        }
        let known = flags as u8 & CbFlags::ALL;
        r.cb_flags = Some(known);
        (flags as u32 & !u32::from(known)).into()
    })
}

/// Every function, by the kernel's number.
pub(crate) fn all() -> HashMap<u32, rbpf::ebpf::Helper> {
    let all: [(u32, rbpf::ebpf::Helper); 9] = [
        (ENTER, enter),
        (1, map_lookup_elem),
        (2, map_update_elem),
        (3, map_delete_elem),
        (5, ktime_get_ns),
        (6, trace_printk),
        (7, get_prandom_u32),
        (8, get_smp_processor_id),
        (59, sock_ops_cb_flags_set),
    ];
    all.into()
}
