//! Interfaces, their addresses, routes, and what waits to leave by each.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};

use crate::api::{IfaceId, Route};
use crate::link::Ethernet;
use crate::timers::Key;

/// Stateless answers that may wait; more are dropped.
pub(crate) const MAX_REPLIES: usize = 256;

/// A datagram that waits, and the UDP socket (slot, generation) that it counts against.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) bytes: Vec<u8>,
    pub(crate) owner: (u32, u32),
}

/// An interface.
#[derive(Debug)]
pub(crate) struct Iface {
    /// As `ip link` would show it.
    pub(crate) name: String,
    pub(crate) mtu: u32,
    pub(crate) any_local: bool,
    /// Frames, not bare packets, go over it.
    pub(crate) ethernet: Option<Box<Ethernet>>,
    /// Finished packets: RST, ICMP.
    pub(crate) replies: VecDeque<Vec<u8>>,
    /// Finished packets of UDP sockets.
    pub(crate) datagrams: VecDeque<Waiting>,
    /// Records that have, or may have, something to send.
    pub(crate) queue: VecDeque<Key>,
    /// Buffers of sent replies, to be used again.
    pub(crate) spare: Vec<Vec<u8>>,
}

impl Iface {
    pub(crate) fn new(name: &str, mtu: u32) -> Self {
        Self {
            name: name.into(),
            mtu,
            any_local: false,
            ethernet: None,
            replies: VecDeque::new(),
            datagrams: VecDeque::new(),
            queue: VecDeque::new(),
            spare: Vec::new(),
        }
    }
    /// Whether nothing waits to leave.
    pub(crate) fn is_idle(&self) -> bool {
        self.replies.is_empty() && self.queue.is_empty() && self.datagrams.is_empty()
    }
    /// An empty buffer.
    pub(crate) fn buffer(&mut self) -> Vec<u8> {
        let mut b = self.spare.pop().unwrap_or_default();
        b.clear();
        b
    }
    pub(crate) fn recycle(&mut self, b: Vec<u8>) {
        if self.spare.len() < MAX_REPLIES {
            self.spare.push(b);
        }
    }
}

/// Addresses and routes of a namespace.
#[derive(Debug, Default)]
pub(crate) struct Routing {
    addrs: Vec<(IpAddr, u8, IfaceId)>,
    /// The longest prefix first, of equals the smallest metric, of equals the oldest.
    routes: Vec<Route>,
}

pub(crate) fn in_prefix(addr: IpAddr, net: IpAddr, prefix: u8) -> bool {
    match (addr, net) {
        (IpAddr::V4(a), IpAddr::V4(n)) => {
            let keep = u32::from(prefix).min(32);
            (a.to_bits() ^ n.to_bits()).leading_zeros() >= keep
        }
        (IpAddr::V6(a), IpAddr::V6(n)) => {
            let keep = u32::from(prefix).min(128);
            (a.to_bits() ^ n.to_bits()).leading_zeros() >= keep
        }
        _ => false,
    }
}

impl Routing {
    pub(crate) fn add_addr(&mut self, iface: IfaceId, addr: IpAddr, prefix: u8) {
        self.addrs.push((addr, prefix, iface));
        self.add_route(Route::new(addr, prefix, iface));
    }
    pub(crate) fn add_route(&mut self, route: Route) {
        let rank = |r: &Route| (u8::MAX - r.prefix, r.metric);
        let at = self.routes.partition_point(|r| rank(r) <= rank(&route));
        self.routes.insert(at, route);
    }
    /// The first route with this network, interface and metric.
    pub(crate) fn remove_route(&mut self, route: &Route) -> bool {
        let same = |r: &Route| {
            (r.prefix, r.metric, r.iface) == (route.prefix, route.metric, route.iface)
                && in_prefix(r.dst, route.dst, route.prefix)
        };
        let at = self.routes.iter().position(same);
        at.map(|at| self.routes.remove(at)).is_some()
    }
    /// The routes over an interface, in the order in which they are looked at.
    pub(crate) fn routes(&self, iface: IfaceId) -> impl Iterator<Item = &Route> {
        self.routes.iter().filter(move |r| r.iface == iface)
    }
    /// The route to `dst`, which is not local.
    fn route(&self, dst: IpAddr) -> Option<&Route> {
        self.routes.iter().find(|r| in_prefix(dst, r.dst, r.prefix))
    }
    /// The MTU that the route to `dst` sets by itself.
    pub(crate) fn route_mtu(&self, dst: IpAddr) -> Option<u32> {
        if self.is_local(dst) {
            return None;
        }
        self.route(dst)?.mtu
    }

    /// Whether `addr` is ours: an address of an interface, or within 127.0.0.0/8.
    pub(crate) fn is_local(&self, addr: IpAddr) -> bool {
        // By family first: comparing two `IpAddr` costs three times as much as comparing two numbers.
        match addr {
            IpAddr::V4(a) => {
                a.octets()[0] == 127
                    || self
                        .addrs
                        .iter()
                        .any(|l| matches!(l.0, IpAddr::V4(l) if l.to_bits() == a.to_bits()))
            }
            IpAddr::V6(a) => {
                a.is_loopback()
                    || self
                        .addrs
                        .iter()
                        .any(|l| matches!(l.0, IpAddr::V6(l) if l.to_bits() == a.to_bits()))
            }
        }
    }

    /// The broadcast addresses of an interface's networks.
    pub(crate) fn broadcasts(&self, iface: IfaceId) -> Vec<IpAddr> {
        let of = |&(net, prefix, i): &(IpAddr, u8, IfaceId)| match net {
            IpAddr::V4(n) if prefix < 31 && i == iface => {
                let host = u32::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
                Some(IpAddr::V4(Ipv4Addr::from_bits(n.to_bits() | host)))
            }
            _ => None,
        };
        self.addrs.iter().filter_map(of).collect()
    }

    /// A broadcast address of one of our networks, or 255.255.255.255.
    pub(crate) fn is_broadcast(&self, addr: IpAddr) -> bool {
        let IpAddr::V4(a) = addr else { return false };
        a.is_broadcast()
            || self.addrs.iter().any(|&(net, prefix, _)| match net {
                IpAddr::V4(n) if prefix < 31 => {
                    let host = u32::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
                    a.to_bits() == n.to_bits() | host
                }
                _ => false,
            })
    }

    /// The interface towards `dst`: `lo` for our own addresses, else the route's.
    pub(crate) fn towards(&self, dst: IpAddr) -> Option<IfaceId> {
        if self.is_local(dst) {
            return Some(IfaceId::LO);
        }
        self.route(dst).map(|r| r.iface)
    }

    /// The interface that an address of ours belongs to: `lo` for loopback addresses.
    pub(crate) fn owner(&self, local: IpAddr) -> IfaceId {
        let of = |a: &&(IpAddr, u8, IfaceId)| a.0 == local;
        self.addrs
            .iter()
            .find(of)
            .map_or(IfaceId::LO, |(.., iface)| *iface)
    }

    /// The interface towards `dst` for a socket that is bound to `device` (SO_BINDTODEVICE). IPv4 takes what its table
    /// does not know for a neighbour on the device; IPv6 does not (docs/linux/connect.md).
    pub(crate) fn towards_by(&self, dst: IpAddr, device: Option<IfaceId>) -> Option<IfaceId> {
        let Some(device) = device else {
            return self.towards(dst);
        };
        if self.is_local(dst) && self.owner(dst) == device {
            return Some(IfaceId::LO);
        }
        let by = |r: &&Route| r.iface == device && in_prefix(dst, r.dst, r.prefix);
        let there = !self.is_local(dst) && self.routes.iter().find(by).is_some();
        (dst.is_ipv4() || there).then_some(device)
    }

    /// Whether what goes to `dst` by `lo` is lost there: it is for another interface's address, or for nobody.
    pub(crate) fn is_lost_on_lo(&self, dst: IpAddr) -> bool {
        !self.is_local(dst) || self.owner(dst) != IfaceId::LO
    }

    /// The source address for `dst` of a socket that is bound to `device`.
    pub(crate) fn source_by(&self, dst: IpAddr, device: Option<IfaceId>) -> Option<IpAddr> {
        let Some(device) = device.filter(|d| !self.is_local(dst) || self.owner(dst) != *d) else {
            return self.source(dst);
        };
        let of = |same: bool| {
            let like = |a: &&(IpAddr, u8, IfaceId)| {
                a.2 == device
                    && a.0.is_ipv4() == dst.is_ipv4()
                    && (!same || in_prefix(dst, a.0, a.1))
            };
            self.addrs.iter().find(like).map(|a| a.0)
        };
        let wider =
            |a: &&(IpAddr, u8, IfaceId)| a.2 != IfaceId::LO && a.0.is_ipv4() == dst.is_ipv4();
        let anywhere = || self.addrs.iter().find(wider).map(|a| a.0);
        if device == IfaceId::LO {
            // Its own address is for the host alone.
            return anywhere();
        }
        of(true).or_else(|| of(false)).or_else(anywhere)
    }

    /// The first address of an interface, of the family of `like`.
    pub(crate) fn first_address(&self, iface: IfaceId, like: IpAddr) -> Option<IpAddr> {
        let of = |a: &&(IpAddr, u8, IfaceId)| a.2 == iface && a.0.is_ipv4() == like.is_ipv4();
        self.addrs.iter().find(of).map(|a| a.0)
    }

    /// The source address for `dst` (RFC 6724 in small): `dst` itself when it is an address of ours, else one of the interface's
    /// addresses, in the same network if there is one.
    pub(crate) fn source(&self, dst: IpAddr) -> Option<IpAddr> {
        let iface = self.towards(dst)?;
        if iface == IfaceId::LO {
            // The route 127.0.0.0/8 has a preferred source; an address of our own is its own.
            let shared = matches!(dst, IpAddr::V4(a) if a.is_loopback())
                && !self.addrs.iter().any(|a| a.0 == dst);
            return Some(if shared {
                IpAddr::V4(Ipv4Addr::LOCALHOST)
            } else {
                dst
            });
        }
        let of = |same: bool| {
            self.addrs
                .iter()
                .find(|a| {
                    a.2 == iface
                        && a.0.is_ipv4() == dst.is_ipv4()
                        && (!same || in_prefix(dst, a.0, a.1))
                })
                .map(|a| a.0)
        };
        of(true).or_else(|| of(false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(s: &str) -> IpAddr {
        s.parse().unwrap()
    }

    #[test]
    fn towards_takes_the_longest_prefix_and_own_addresses_by_lo() {
        let mut r = Routing::default();
        r.add_addr(IfaceId(1), ip("10.0.2.15"), 24);
        r.add_addr(IfaceId(2), ip("10.0.3.1"), 24);
        r.add_route(Route::new(ip("0.0.0.0"), 0, IfaceId(1)));
        assert_eq!(r.towards(ip("10.0.3.9")), Some(IfaceId(2)));
        assert_eq!(r.towards(ip("8.8.8.8")), Some(IfaceId(1)));
        assert_eq!(r.towards(ip("10.0.2.15")), Some(IfaceId::LO));
        assert_eq!(r.towards(ip("127.3.2.1")), Some(IfaceId::LO));
        assert_eq!(r.source(ip("127.3.2.1")), Some(ip("127.0.0.1")));
        assert_eq!(r.source(ip("10.0.2.15")), Some(ip("10.0.2.15")));
        assert_eq!(r.towards(ip("::2")), None);
        assert_eq!(r.source(ip("10.0.3.9")), Some(ip("10.0.3.1")));
        assert_eq!(r.source(ip("8.8.8.8")), Some(ip("10.0.2.15")));
        assert!(r.is_broadcast(ip("10.0.2.255")) && !r.is_broadcast(ip("10.0.2.254")));
    }
}
