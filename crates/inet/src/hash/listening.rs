//! The listening hash: where a SYN finds its listener (Linux `lhash2`). Keyed by address and port; what listens at one
//! address and port forms a chain, whose order decides between equals (docs/linux/lookup-score.md).

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use hashbrown::HashTable;
use hearken_abi::Domain;
use hearken_tcp::Secrets;

use crate::api::IfaceId;

/// The key of an address: IPv4 as v4-mapped, so that a mapped bind and an IPv4 bind meet.
pub(crate) fn key(addr: IpAddr) -> [u8; 16] {
    match addr {
        IpAddr::V4(a) => a.to_ipv6_mapped().octets(),
        IpAddr::V6(a) => a.octets(),
    }
}

/// Who takes the SYNs of a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Who {
    /// This listener.
    Listener(u32),
    /// A member of this group.
    Group(u32),
}

/// One listener, or the members of a group that are bound to the same device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) who: Who,
    pub(crate) domain: Domain,
    pub(crate) v6only: bool,
    pub(crate) device: Option<IfaceId>,
    pub(crate) uid: u32,
}

/// A listener in a chain.
#[derive(Clone, Copy, Debug)]
struct Entry {
    place: Place,
    listener: u32,
    /// SO_REUSEPORT, as it is now.
    shares: bool,
}

#[derive(Debug)]
struct Bucket {
    addr: [u8; 16],
    port: u16,
    chain: Vec<Entry>,
}

#[derive(Debug)]
pub(crate) struct Listening {
    table: HashTable<Bucket>,
}

impl Listening {
    pub(crate) const fn new() -> Self {
        Self {
            table: HashTable::new(),
        }
    }

    /// The newest stands first; but with SO_REUSEPORT on an AF_INET6 socket it stands last (Linux `inet_hash`, 6.18).
    pub(crate) fn hash(
        &mut self,
        secrets: &Secrets,
        (addr, port): (IpAddr, u16),
        place: Place,
        (listener, shares): (u32, bool),
    ) {
        let addr = key(addr);
        let h = secrets.listen_hash(&addr, port);
        let chain = &mut self
            .table
            .entry(
                h,
                |b| b.addr == addr && b.port == port,
                |b| secrets.listen_hash(&b.addr, b.port),
            )
            .or_insert_with(|| Bucket {
                addr,
                port,
                chain: Vec::new(),
            })
            .into_mut()
            .chain;
        let last = place.domain == Domain::Inet6 && shares;
        let at = if last { chain.len() } else { 0 };
        chain.insert(
            at,
            Entry {
                place,
                listener,
                shares,
            },
        );
    }

    pub(crate) fn unhash(&mut self, secrets: &Secrets, addr: IpAddr, port: u16, listener: u32) {
        let addr = key(addr);
        let h = secrets.listen_hash(&addr, port);
        if let Ok(mut o) = self
            .table
            .find_entry(h, |b| b.addr == addr && b.port == port)
        {
            let chain = &mut o.get_mut().chain;
            chain.retain(|e| e.listener != listener);
            if chain.is_empty() {
                o.remove();
            }
        }
    }

    fn entry(
        &mut self,
        secrets: &Secrets,
        addr: IpAddr,
        port: u16,
        listener: u32,
    ) -> Option<&mut Entry> {
        let addr = key(addr);
        let h = secrets.listen_hash(&addr, port);
        let bucket = self
            .table
            .find_mut(h, |b| b.addr == addr && b.port == port)?;
        bucket.chain.iter_mut().find(|e| e.listener == listener)
    }

    /// A listener is bound to another device, where it stands.
    pub(crate) fn set_device(
        &mut self,
        secrets: &Secrets,
        (addr, port): (IpAddr, u16),
        listener: u32,
        device: Option<IfaceId>,
    ) {
        if let Some(e) = self.entry(secrets, addr, port, listener) {
            e.place.device = device;
        }
    }

    /// SO_REUSEPORT of a listener changes: its place in the chain does not.
    pub(crate) fn set_shares(
        &mut self,
        secrets: &Secrets,
        (addr, port): (IpAddr, u16),
        listener: u32,
        shares: bool,
    ) {
        if let Some(e) = self.entry(secrets, addr, port, listener) {
            e.shares = shares;
        }
    }

    fn chain(&self, secrets: &Secrets, addr: [u8; 16], port: u16) -> &[Entry] {
        let h = secrets.listen_hash(&addr, port);
        self.table
            .find(h, |b| b.addr == addr && b.port == port)
            .map_or(&[], |b| &b.chain)
    }

    /// The group that a listener at `like` joins, whatever `like.who` says (docs/linux 111).
    pub(crate) fn group(
        &self,
        secrets: &Secrets,
        addr: IpAddr,
        port: u16,
        like: Place,
    ) -> Option<u32> {
        let chain = self.chain(secrets, key(addr), port);
        chain.iter().find_map(|e| match e.place.who {
            Who::Group(g)
                if (Place {
                    who: like.who,
                    ..e.place
                }) == like =>
            {
                Some(g)
            }
            _ => None,
        })
    }

    /// Who takes a SYN to `addr:port` that came in by `iface` (Linux `inet_lookup_listener`): an exact address beats the
    /// wildcard; among equals one bound to the device wins; 0.0.0.0 wins over a dual-stack `::` (docs/linux 110). The first
    /// of a SO_REUSEPORT group that fits at all ends the search for its group (`inet_lookup_reuseport`, 6.18).
    pub(crate) fn find(
        &self,
        secrets: &Secrets,
        addr: IpAddr,
        port: u16,
        iface: IfaceId,
    ) -> Option<Who> {
        let v4 = addr.is_ipv4();
        let score = |p: &Place| match p.device {
            _ if v4 && p.domain == Domain::Inet6 && p.v6only => None,
            Some(d) if d != iface => None,
            d => Some(u8::from(d.is_some()) * 2 + u8::from(p.domain == Domain::Inet)),
        };
        let pick = |at: IpAddr| {
            let (mut best, mut who) = (None, None);
            for e in self.chain(secrets, key(at), port) {
                let s = score(&e.place);
                if s <= best {
                    continue;
                }
                if e.shares && matches!(e.place.who, Who::Group(_)) {
                    return Some(e.place.who);
                }
                (best, who) = (s, Some(Who::Listener(e.listener)));
            }
            who
        };
        pick(addr)
            .or_else(|| {
                if v4 {
                    pick(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
                } else {
                    None
                }
            })
            .or_else(|| pick(IpAddr::V6(Ipv6Addr::UNSPECIFIED)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(l: u32, domain: Domain, device: Option<IfaceId>) -> Place {
        Place {
            who: Who::Listener(l),
            domain,
            v6only: false,
            device,
            uid: 0,
        }
    }

    /// So many that their short tags collide.
    #[test]
    fn each_address_and_port_finds_its_own_listener_until_it_is_unhashed() {
        let secrets = Secrets::new(&[1; 32]);
        let mut t = Listening::new();
        let all: Vec<(IpAddr, u16, Place)> = (0..3000u32)
            .map(|i| {
                // Half of them share the port, half the address.
                let (host, port) = if i % 2 == 0 { (i, 80) } else { (1, i as u16) };
                let [_, _, a, b] = host.to_be_bytes();
                let ip = Ipv4Addr::new(10, 0, a, b).into();
                (ip, port, place(i, Domain::Inet, None))
            })
            .collect();
        let id = |p: &Place| match p.who {
            Who::Listener(l) | Who::Group(l) => l,
        };
        for (ip, port, p) in &all {
            t.hash(&secrets, (*ip, *port), *p, (id(p), false));
        }
        let find = |t: &Listening, ip, port| t.find(&secrets, ip, port, IfaceId(1));
        for (ip, port, p) in &all {
            assert_eq!(find(&t, *ip, *port), Some(p.who));
        }
        // The last first: whoever looks alike and stands earlier on the way is still there.
        for (ip, port, p) in all.iter().rev() {
            t.unhash(&secrets, *ip, *port, id(p));
            assert_eq!(find(&t, *ip, *port), None);
        }
        assert!(t.table.is_empty());
    }

    #[test]
    fn place_of_two_listeners_stays_until_both_are_gone() {
        let secrets = Secrets::new(&[1; 32]);
        let mut t = Listening::new();
        let (ip, port) = (IpAddr::V4(Ipv4Addr::LOCALHOST), 80);
        let group = Place {
            who: Who::Group(7),
            ..place(0, Domain::Inet, None)
        };
        let other = Place { uid: 1, ..group };
        t.hash(&secrets, (ip, port), group, (1, true));
        t.hash(&secrets, (ip, port), group, (2, true));
        assert_eq!(t.group(&secrets, ip, port, group), Some(7));
        assert_eq!(t.group(&secrets, ip, port, other), None);
        t.unhash(&secrets, ip, port, 3);
        t.unhash(&secrets, ip, port, 1);
        let find = |t: &Listening| t.find(&secrets, ip, port, IfaceId(1));
        assert_eq!(find(&t), Some(Who::Group(7)));
        t.unhash(&secrets, ip, port, 2);
        assert_eq!(find(&t), None);
    }

    /// docs/linux 110: the device counts more than the family.
    #[test]
    fn find_prefers_the_device_then_ipv4_then_the_newest() {
        let secrets = Secrets::new(&[1; 32]);
        let any = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        let (dev, other) = (IfaceId(1), IfaceId(2));
        let v4 = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let mapped = IpAddr::V6(Ipv4Addr::LOCALHOST.to_ipv6_mapped());
        let who = |list: &[(IpAddr, Place)]| {
            let mut t = Listening::new();
            for (at, p) in list {
                let Who::Listener(l) = p.who else { continue };
                t.hash(&secrets, (*at, 80), *p, (l, false));
            }
            t.find(&secrets, v4, 80, dev)
        };
        let inet = |l, d| (v4, place(l, Domain::Inet, d));
        let inet6 = |l, d| (mapped, place(l, Domain::Inet6, d));
        assert_eq!(who(&[inet(1, Some(other))]), None);
        assert_eq!(
            who(&[inet(1, None), inet(2, Some(dev))]),
            Some(Who::Listener(2))
        );
        assert_eq!(
            who(&[inet(2, Some(dev)), inet(1, None)]),
            Some(Who::Listener(2))
        );
        assert_eq!(
            who(&[inet(1, None), inet6(2, Some(dev))]),
            Some(Who::Listener(2))
        );
        assert_eq!(
            who(&[inet6(1, None), inet(2, None)]),
            Some(Who::Listener(2))
        );
        assert_eq!(who(&[inet(1, None), inet(2, None)]), Some(Who::Listener(2)));
        let only = Place {
            v6only: true,
            ..place(1, Domain::Inet6, None)
        };
        assert_eq!(who(&[(any, only)]), None, "IPv6 only");
        assert_eq!(
            who(&[(any, place(1, Domain::Inet6, None))]),
            Some(Who::Listener(1))
        );
    }
}
