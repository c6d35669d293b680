//! The two address families as types, so that an IPv4 record never carries room for an IPv6 address.

use core::fmt::Debug;
use core::hash::Hash;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IPv4 or IPv6.
pub trait Family: Copy + PartialEq + Eq + Debug + 'static {
    /// The address as it stands on the wire.
    type Addr: Copy + Eq + Hash + Debug + AsRef<[u8]>;
    /// Bytes of the IP header without options.
    const HEADER: usize;
    /// Whether this is IPv6.
    const V6: bool;
    /// As a standard library address.
    fn to_ip(addr: Self::Addr) -> IpAddr;
    /// From a standard library address of this family (a v4-mapped one counts as IPv4).
    fn from_ip(ip: IpAddr) -> Option<Self::Addr>;
}

/// IPv4.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct V4;
/// IPv6.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct V6;

impl Family for V4 {
    type Addr = [u8; 4];
    const HEADER: usize = 20;
    const V6: bool = false;
    fn to_ip(addr: [u8; 4]) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from(addr))
    }
    fn from_ip(ip: IpAddr) -> Option<[u8; 4]> {
        match ip.to_canonical() {
            IpAddr::V4(a) => Some(a.octets()),
            IpAddr::V6(_) => None,
        }
    }
}

impl Family for V6 {
    type Addr = [u8; 16];
    const HEADER: usize = 40;
    const V6: bool = true;
    fn to_ip(addr: [u8; 16]) -> IpAddr {
        IpAddr::V6(Ipv6Addr::from(addr))
    }
    fn from_ip(ip: IpAddr) -> Option<[u8; 16]> {
        match ip.to_canonical() {
            IpAddr::V6(a) => Some(a.octets()),
            IpAddr::V4(_) => None,
        }
    }
}

/// What names a connection, seen from our side.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tuple<F: Family> {
    /// Our address.
    pub laddr: F::Addr,
    /// The peer's address.
    pub raddr: F::Addr,
    /// Our port.
    pub lport: u16,
    /// The peer's port.
    pub rport: u16,
}
