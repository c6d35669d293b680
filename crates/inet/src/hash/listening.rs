//! The listening hash: where a SYN finds its listener (Linux `lhash2`). Keyed by address and port; listeners of one
//! address and port form a chain in the order in which they came.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use hashbrown::HashTable;
use hearken_abi::Domain;
use hearken_tcp::Secrets;

use crate::api::IfaceId;
use crate::arena::Arena;
use crate::listen::Listener;

/// The key of an address: IPv4 as v4-mapped, so that a mapped bind and an IPv4 bind meet.
pub(crate) fn key(addr: IpAddr) -> [u8; 16] {
    match addr {
        IpAddr::V4(a) => a.to_ipv6_mapped().octets(),
        IpAddr::V6(a) => a.octets(),
    }
}

#[derive(Debug)]
struct Bucket {
    addr: [u8; 16],
    port: u16,
    chain: Vec<u32>,
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

    pub(crate) fn hash(&mut self, secrets: &Secrets, addr: IpAddr, port: u16, listener: u32) {
        let addr = key(addr);
        let h = secrets.listen_hash(&addr, port);
        self.table
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
            .get_mut()
            .chain
            .push(listener);
    }

    pub(crate) fn unhash(&mut self, secrets: &Secrets, addr: IpAddr, port: u16, listener: u32) {
        let addr = key(addr);
        let h = secrets.listen_hash(&addr, port);
        if let Ok(mut o) = self
            .table
            .find_entry(h, |b| b.addr == addr && b.port == port)
        {
            o.get_mut().chain.retain(|&l| l != listener);
            if o.get().chain.is_empty() {
                o.remove();
            }
        }
    }

    fn chain(&self, secrets: &Secrets, addr: [u8; 16], port: u16) -> &[u32] {
        let h = secrets.listen_hash(&addr, port);
        self.table
            .find(h, |b| b.addr == addr && b.port == port)
            .map_or(&[], |b| &b.chain)
    }

    /// The listener for a SYN to `addr:port` that came in by `iface` (Linux `inet_lookup_listener`): an exact address
    /// beats the wildcard; among equals one bound to the device wins; 0.0.0.0 wins over a dual-stack `::`. Among
    /// members of a SO_REUSEPORT group `spread`, a hash of the four-tuple, decides.
    pub(crate) fn find(
        &self,
        secrets: &Secrets,
        listeners: &Arena<Listener>,
        addr: IpAddr,
        port: u16,
        iface: IfaceId,
        spread: impl Fn() -> u32,
    ) -> Option<u32> {
        let v4 = addr.is_ipv4();
        let pick = |at: IpAddr| {
            let score = |l: &Listener| match l.device {
                Some(d) if d != iface => None,
                d => Some(u8::from(d.is_some()) * 2 + u8::from(l.domain == Domain::Inet)),
            };
            let fits = |slot: &u32| {
                let l = listeners.get(*slot)?;
                if v4 && l.domain == Domain::Inet6 && l.v6only {
                    return None;
                }
                score(l).map(|s| (s, *slot))
            };
            let chain = self.chain(secrets, key(at), port);
            let best = chain.iter().filter_map(fits).map(|(s, _)| s).max()?;
            let equals = || {
                chain
                    .iter()
                    .filter_map(fits)
                    .filter(|(s, _)| *s == best)
                    .map(|(_, l)| l)
            };
            match equals().count() as u64 {
                1 => equals().next(),
                n => equals().nth(((u64::from(spread()) * n) >> 32) as usize),
            }
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
