//! What received segments cost of a receive buffer. Linux charges the memory that a packet occupies, its bookkeeping
//! included (`skb->truesize`), and every window follows from that: so the same sums are kept here, although our own
//! memory is another (measured: docs/linux/receive-window.md).

use alloc::collections::{BTreeMap, VecDeque};

/// Linux's `struct sk_buff`, rounded up to cache lines.
const SK_BUFF: u32 = 256;
/// Linux's `struct skb_shared_info`, likewise.
const SHARED_INFO: u32 = 320;
/// What lies in front of a packet from a device (`NET_SKB_PAD`).
const HEADROOM: u32 = 64;
/// Heads up to this size come from a cache of their own.
const SMALL_HEAD: u32 = 576;
/// The longest packet in one piece.
const LINEAR_MAX: u32 = 7808;
/// Linux's `MAX_SKB_FRAGS`.
const FRAGS: u8 = 17;
/// Bytes of a page, and of a piece of a packet from our own sender.
const PAGE: u32 = 4096;
const PIECE: u32 = 32_768;

/// The memory of one packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Charge {
    /// All of it.
    pub truesize: u32,
    /// How many more bytes its head has room for.
    room: u32,
    /// Pieces beside the head; 0 for a packet in one piece.
    frags: u8,
}

/// The memory that a head with room for `need` bytes takes.
const fn head(need: u32) -> u32 {
    let need = need.next_multiple_of(64) + SHARED_INFO;
    if need <= SMALL_HEAD {
        SMALL_HEAD
    } else {
        need.next_power_of_two()
    }
}

impl Charge {
    /// An IP packet of so many bytes from a device that does not merge packets.
    pub const fn packet(len: u32) -> Self {
        if len > LINEAR_MAX {
            let rest = (len - LINEAR_MAX).next_multiple_of(PAGE);
            return Self {
                truesize: head(HEADROOM + LINEAR_MAX) + SK_BUFF + rest,
                room: 0,
                frags: FRAGS,
            };
        }
        let head = head(HEADROOM + len);
        Self {
            truesize: head + SK_BUFF,
            room: head - SHARED_INFO - HEADROOM - len,
            frags: 0,
        }
    }

    /// A segment with so many bytes of payload in pages: over `lo`, or several in one.
    pub const fn pages(payload: u32) -> Self {
        let frags = payload.div_ceil(PIECE);
        Self {
            truesize: SMALL_HEAD + SK_BUFF + payload,
            room: 0,
            frags: if frags == 0 {
                1
            } else if frags > FRAGS as u32 {
                FRAGS
            } else {
                frags as u8
            },
        }
    }

    /// Where pruning copies `len` bytes to.
    const fn copy(len: u32) -> Self {
        let head = head(len);
        Self {
            truesize: head + SK_BUFF,
            room: head - SHARED_INFO - len,
            frags: 0,
        }
    }

    /// Whether the packet has nothing but headers in its head, and what of its memory is payload's.
    pub const fn payload(&self) -> Option<u32> {
        if self.frags == 0 {
            return None;
        }
        Some(self.truesize - SMALL_HEAD - SK_BUFF)
    }
}

/// Bytes and their memory.
#[derive(Clone, Copy, Debug)]
struct Item {
    len: u32,
    charge: Charge,
}

impl Item {
    /// Takes over the bytes that follow, if they find room (Linux `skb_try_coalesce`). Returns what that costs.
    fn join(&mut self, len: u32, with: Charge) -> Option<u32> {
        if len <= self.charge.room {
            self.charge.room -= len;
            self.len += len;
            return Some(0);
        }
        let more = with.payload()?;
        if self.charge.frags == 0 || self.charge.frags + with.frags > FRAGS {
            return None;
        }
        self.charge.frags += with.frags;
        self.charge.truesize += more;
        self.len += len;
        Some(more)
    }
}

/// What became of a segment beyond a hole.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ahead {
    /// One piece that was held already has all of it.
    pub held: bool,
    /// Which part was held already, as stream offsets.
    pub duplicate: Option<(u64, u64)>,
    /// Pieces that it made needless, or that made it so (`TCPOFOMerge`).
    pub merged: u32,
    /// It took a place in the memory of its forerunner.
    pub joined: bool,
}

impl Ahead {
    fn extend(&mut self, a: u64, b: u64) {
        self.duplicate = Some(match self.duplicate {
            Some((x, y)) if a <= y && x <= b => (x.min(a), y.max(b)),
            Some(d) => d,
            None => (a, b),
        });
    }
}

/// The memory of a receive queue.
#[derive(Debug, Default)]
pub struct Ledger {
    ready: VecDeque<Item>,
    /// Beyond the hole, by stream offset.
    ahead: BTreeMap<u64, Item>,
    total: u32,
    aside: u32,
}

impl Ledger {
    /// Everything held (`sk_rmem_alloc`).
    pub fn total(&self) -> u32 {
        self.total
    }

    /// Whether a packet needs no more memory than is set aside already (`sk_forward_alloc`).
    pub fn is_set_aside(&self, charge: Charge) -> bool {
        charge.truesize <= self.aside
    }

    /// Memory is set aside by the page, for a whole packet, even if it finds room in another's then.
    fn set_aside(&mut self, memory: u32) {
        if memory > self.aside {
            self.aside += (memory - self.aside).next_multiple_of(PAGE);
        }
    }

    fn take(&mut self, memory: u32) {
        self.set_aside(memory);
        self.aside -= memory;
        self.total += memory;
    }

    fn give(&mut self, memory: u32) {
        self.total -= memory;
        self.aside = (self.aside + memory) % PAGE;
    }

    /// Bytes in order; whether they joined the last ones. `apart`: they must not, for their packet begins with others.
    pub fn push(&mut self, len: u32, charge: Charge, apart: bool) -> bool {
        self.set_aside(charge.truesize);
        let last = self.ready.back_mut().filter(|_| !apart);
        if let Some(more) = last.and_then(|i| i.join(len, charge)) {
            self.take(more);
            return true;
        }
        self.take(charge.truesize);
        self.ready.push_back(Item { len, charge });
        false
    }

    /// The program read so many bytes: memory is free once all of a packet was read.
    pub fn read(&mut self, mut n: u32) {
        while let Some(i) = self.ready.front_mut() {
            if n < i.len {
                i.len -= n;
                return;
            }
            let i = *i;
            n -= i.len;
            self.ready.pop_front();
            self.give(i.charge.truesize);
        }
    }

    /// A segment `a..b` beyond a hole (Linux `tcp_data_queue_ofo`, 6.18).
    pub fn push_ahead(&mut self, a: u64, b: u64, charge: Charge) -> Ahead {
        let mut out = Ahead::default();
        let len = (b - a) as u32;
        self.set_aside(charge.truesize);
        if let Some((&s, i)) = self.ahead.range_mut(..=a).next_back() {
            let e = s + u64::from(i.len);
            if a < e {
                if b <= e {
                    out.merged = 1;
                    (out.held, out.duplicate) = (true, Some((a, b)));
                    return out;
                }
                if a > s {
                    out.duplicate = Some((a, e));
                }
            } else if a == e
                && let Some(more) = i.join(len, charge)
            {
                self.take(more);
                out.joined = true;
                return out;
            }
        }
        // Those that lie wholly within it go.
        while let Some((&s, &i)) = self.ahead.range(a..b).next() {
            let e = s + u64::from(i.len);
            out.extend(s, e.min(b));
            if e > b {
                break;
            }
            self.give(i.charge.truesize);
            self.ahead.remove(&s);
            out.merged += 1;
        }
        self.take(charge.truesize);
        self.ahead.insert(a, Item { len, charge });
        out
    }

    /// Everything below `next` is in order now, `next` having stood at `from`: what lay beyond the hole follows. Returns
    /// how many pieces joined, and which bytes had come twice.
    pub fn fill(&mut self, from: u64, mut next: u64) -> (u32, Option<(u64, u64)>) {
        let (mut joined, mut twice) = (0, Ahead::default());
        let first = next;
        while let Some((&s, &i)) = self.ahead.first_key_value() {
            if s > next {
                break;
            }
            let e = s + u64::from(i.len);
            self.ahead.remove(&s);
            self.give(i.charge.truesize);
            if s < first && from < e {
                twice.extend(s.max(from), e.min(first));
            }
            if e <= next {
                continue;
            }
            joined += u32::from(self.push((e - next) as u32, i.charge, s != next));
            next = e;
        }
        (joined, twice.duplicate)
    }

    /// Copies what is in order together, to save memory (Linux `tcp_collapse`). Returns how many packets went.
    pub fn collapse(&mut self, bloated: impl Fn(u32, u32) -> bool) -> u32 {
        let first = self
            .ready
            .iter()
            .position(|i| bloated(i.charge.truesize, i.len));
        let Some(first) = first else { return 0 };
        let gone = (self.ready.len() - first) as u32;
        let mut bytes = 0;
        for i in self.ready.split_off(first) {
            bytes += i.len;
            self.give(i.charge.truesize);
        }
        while bytes > 0 {
            let len = bytes.min(PAGE - SHARED_INFO);
            let charge = Charge::copy(len);
            self.take(charge.truesize);
            self.ready.push_back(Item { len, charge });
            bytes -= len;
        }
        gone
    }

    /// The last packet beyond the hole, if it begins at `least` or later, is given up: where it was, and its memory.
    pub fn drop_last_ahead(&mut self, least: u64) -> Option<(u64, u32)> {
        let last = self.ahead.last_entry().filter(|e| *e.key() >= least)?;
        let (at, i) = last.remove_entry();
        self.give(i.charge.truesize);
        Some((at, i.charge.truesize))
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packet_costs_what_was_measured() {
        for (payload, truesize) in [
            (1, 832),
            (152, 832),
            (156, 1280),
            (600, 1280),
            (604, 2304),
            (1624, 2304),
            (1628, 4352),
            (3676, 8448),
            (7768, 8448),
            (7772, 12_544),
        ] {
            assert_eq!(Charge::packet(40 + payload).truesize, truesize, "{payload}");
        }
        assert_eq!(Charge::pages(16_384).truesize, 17_216);
    }

    #[test]
    fn small_segments_share_a_packet_s_memory() {
        let mut l = Ledger::default();
        assert!(!l.push(1, Charge::packet(41), false));
        for _ in 0..40 {
            assert!(l.push(1, Charge::packet(41), false));
        }
        assert_eq!(l.total(), 832);
        l.read(40);
        assert_eq!(l.total(), 832);
        l.read(1);
        assert_eq!(l.total(), 0);
        assert!(!l.push(100, Charge::packet(140), false));
        assert!(!l.push(100, Charge::packet(140), false));
        assert_eq!(l.total(), 1664);
    }

    #[test]
    fn collapse_packs_what_is_in_order() {
        let mut l = Ledger::default();
        for _ in 0..4 {
            l.push(100, Charge::packet(140), false);
        }
        assert_eq!(l.collapse(|t, n| t / 2 > n), 4);
        assert_eq!(l.total(), 1280);
        assert!(l.push(100, Charge::packet(140), false));
    }

    #[test]
    fn what_came_twice_is_told_and_charged_once() {
        let c = Charge::packet(1040);
        let mut l = Ledger::default();
        assert_eq!(l.push_ahead(1000, 2000, c), Ahead::default());
        let held = l.push_ahead(1200, 1500, c);
        assert!(held.held && held.duplicate == Some((1200, 1500)));
        let over = l.push_ahead(500, 2500, c);
        assert_eq!((over.merged, over.duplicate), (1, Some((1000, 2000))));
        let partly = l.push_ahead(2400, 3000, c);
        assert_eq!((partly.merged, partly.duplicate), (0, Some((2400, 2500))));
        assert_eq!(l.total(), 2 * c.truesize);
        l.push(600, c, false);
        assert_eq!(l.fill(0, 600), (0, Some((500, 600))));
        assert_eq!(l.total(), 3 * c.truesize);
        l.read(3000);
        assert_eq!(l.total(), 0);
    }
}
