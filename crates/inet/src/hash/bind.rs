//! Who holds which port (Linux `bhash`, `bhash2`). Holders that are alike in everything that a conflict hangs on share
//! one counted class, so that ten thousand children of a listener cost one entry.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::api::IfaceId;
use crate::arena::Arena;

/// All that a bind conflict hangs on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Holder {
    pub(crate) port: u16,
    pub(crate) addr: IpAddr,
    pub(crate) v6only: bool,
    pub(crate) device: Option<IfaceId>,
    pub(crate) reuse_addr: bool,
    pub(crate) reuse_port: bool,
    pub(crate) uid: u32,
    pub(crate) listening: bool,
    /// TIME_WAIT: its owner does not matter any more.
    pub(crate) time_wait: bool,
    /// The port was chosen by connect(): other connects may share it.
    pub(crate) by_connect: bool,
}

#[derive(Debug)]
struct Class {
    holder: Holder,
    count: u32,
}

/// The port table.
#[derive(Debug)]
pub(crate) struct Binds {
    classes: Arena<Class>,
    ports: BTreeMap<u16, Vec<u32>>,
}

/// Two addresses that one packet could match both.
fn overlap(a: &Holder, b: &Holder) -> bool {
    let any = |x: IpAddr| x.to_canonical().is_unspecified();
    match (a.addr.to_canonical(), b.addr.to_canonical()) {
        (IpAddr::V4(x), IpAddr::V4(y)) => x == y || x.is_unspecified() || y.is_unspecified(),
        (IpAddr::V6(x), IpAddr::V6(y)) => x == y || x.is_unspecified() || y.is_unspecified(),
        // A dual-stack wildcard covers IPv4; any other IPv6 address does not (docs/linux 108).
        (IpAddr::V4(_), IpAddr::V6(_)) => any(b.addr) && !b.v6only,
        (IpAddr::V6(_), IpAddr::V4(_)) => any(a.addr) && !a.v6only,
    }
}

/// Whether `new` may not stand beside `old` (Linux `inet_bind_conflict`; docs/linux 105 to 108).
fn conflict(new: &Holder, old: &Holder) -> bool {
    let devices = matches!((new.device, old.device), (Some(a), Some(b)) if a != b);
    if devices || !overlap(new, old) {
        return false;
    }
    let reuse_addr = new.reuse_addr && old.reuse_addr && !old.listening;
    let reuse_port = new.reuse_port && old.reuse_port && (old.time_wait || new.uid == old.uid);
    !(reuse_addr || reuse_port)
}

impl Binds {
    /// The user of the sockets of a class.
    pub(crate) fn uid(&self, class: u32) -> u32 {
        self.classes.get(class).map_or(0, |c| c.holder.uid)
    }

    pub(crate) fn new() -> Self {
        Self {
            classes: Arena::new(),
            ports: BTreeMap::new(),
        }
    }

    /// Whether `new` may hold its port beside those who hold it; `but` is a class of which one member, the asker
    /// itself, does not count.
    pub(crate) fn is_free(&self, new: &Holder, but: u32) -> bool {
        self.holders(new.port).all(|(slot, c)| {
            let others = c.count - u32::from(slot == but);
            others == 0 || !conflict(new, &c.holder)
        })
    }

    /// Whether the system may choose the port of `new` for it: nobody conflicts, whatever the options say; `relaxed`:
    /// nobody but those of which both have SO_REUSEADDR, and not also both SO_REUSEPORT (docs/linux 28).
    pub(crate) fn is_free_to_choose(&self, new: &Holder, relaxed: bool) -> bool {
        self.holders(new.port).all(|(_, c)| {
            let old = &c.holder;
            let devices = matches!((new.device, old.device), (Some(a), Some(b)) if a != b);
            let group = new.reuse_port && old.reuse_port && new.uid == old.uid;
            let shared = relaxed && new.reuse_addr && old.reuse_addr && !old.listening && !group;
            devices || shared || !overlap(new, old)
        })
    }

    /// Whether only connections that chose the port themselves hold it.
    pub(crate) fn only_connects(&self, port: u16) -> bool {
        self.holders(port).all(|(_, c)| c.holder.by_connect)
    }

    /// Whether anybody holds the port.
    pub(crate) fn is_held(&self, port: u16) -> bool {
        self.holders(port).next().is_some()
    }

    fn holders(&self, port: u16) -> impl Iterator<Item = (u32, &Class)> {
        let slots = self.ports.get(&port).map_or(&[][..], |v| v);
        slots
            .iter()
            .filter_map(|&s| Some((s, self.classes.get(s)?)))
    }

    /// Takes a share in the class of `h`; gives its slot.
    pub(crate) fn take(&mut self, h: Holder) -> u32 {
        let found = self
            .holders(h.port)
            .find(|(_, c)| c.holder == h)
            .map(|(s, _)| s);
        if let Some(c) = found.and_then(|s| self.classes.get_mut(s)) {
            c.count += 1;
        }
        found.unwrap_or_else(|| {
            let s = self.classes.insert(Class {
                holder: h,
                count: 1,
            });
            self.ports.entry(h.port).or_default().push(s);
            s
        })
    }

    /// Gives a share back.
    pub(crate) fn release(&mut self, slot: u32) {
        let Some(c) = self.classes.get_mut(slot) else {
            return;
        };
        c.count -= 1;
        if c.count > 0 {
            return;
        }
        let port = c.holder.port;
        self.classes.remove(slot);
        if let Some(v) = self.ports.get_mut(&port) {
            v.retain(|&s| s != slot);
            if v.is_empty() {
                self.ports.remove(&port);
            }
        }
    }

    pub(crate) fn holder(&self, slot: u32) -> Option<Holder> {
        self.classes.get(slot).map(|c| c.holder)
    }

    /// Moves one share of `slot` to the class of the changed holder; gives its slot.
    pub(crate) fn change(&mut self, slot: u32, f: impl FnOnce(&mut Holder)) -> u32 {
        let Some(mut h) = self.holder(slot) else {
            return slot;
        };
        f(&mut h);
        let new = self.take(h);
        self.release(slot);
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;

    #[test]
    fn port_is_held_while_somebody_holds_it() {
        let mut b = Binds::new();
        let h = Holder {
            port: 80,
            addr: Ipv4Addr::LOCALHOST.into(),
            v6only: false,
            device: None,
            reuse_addr: false,
            reuse_port: false,
            uid: 0,
            listening: false,
            time_wait: false,
            by_connect: true,
        };
        assert!(!b.is_held(80));
        let first = b.take(h);
        assert_eq!(b.take(h), first, "alike: one class");
        assert!(b.is_held(80) && !b.is_held(81) && b.only_connects(80));
        let chosen = b.take(Holder {
            by_connect: false,
            ..h
        });
        assert!(!b.only_connects(80));
        b.release(chosen);
        assert!(b.only_connects(80));
        b.release(first);
        assert!(b.is_held(80));
        b.release(first);
        assert!(!b.is_held(80));
        assert_eq!(b.holder(first), None);
    }
}
