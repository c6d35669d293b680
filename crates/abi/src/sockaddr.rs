//! `struct sockaddr_in` and `struct sockaddr_in6` to values and back.

use crate::errno::Errno;
use crate::sock::{AF_INET, AF_INET6, AF_UNSPEC};
use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// `sizeof(struct sockaddr_in)`
pub const SIZE_IN: usize = 16;
/// `sizeof(struct sockaddr_in6)`
pub const SIZE_IN6: usize = 28;
/// The shortest `struct sockaddr_in6` that Linux takes: without `sin6_scope_id` (RFC 2133).
pub const SIZE_IN6_RFC2133: usize = 24;

/// What an address from a program says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// `AF_UNSPEC`: connect takes it as "disconnect", bind as the wildcard.
    Unspec,
    /// An IPv4 or IPv6 address with its port.
    Addr(SocketAddr),
    /// Another family; which errno that is depends on the call.
    Other(u16),
}

fn family(af: i32) -> [u8; 2] {
    u16::try_from(af).unwrap_or(0).to_ne_bytes()
}

/// The bytes of an address and how many of them count.
#[must_use]
pub fn encode(addr: SocketAddr) -> ([u8; SIZE_IN6], usize) {
    let mut out = [0u8; SIZE_IN6];
    match addr {
        SocketAddr::V4(a) => {
            out[0..2].copy_from_slice(&family(AF_INET));
            out[2..4].copy_from_slice(&a.port().to_be_bytes());
            out[4..8].copy_from_slice(&a.ip().octets());
            (out, SIZE_IN)
        }
        SocketAddr::V6(a) => {
            out[0..2].copy_from_slice(&family(AF_INET6));
            out[2..4].copy_from_slice(&a.port().to_be_bytes());
            out[4..8].copy_from_slice(&a.flowinfo().to_be_bytes());
            out[8..24].copy_from_slice(&a.ip().octets());
            out[24..28].copy_from_slice(&a.scope_id().to_ne_bytes());
            (out, SIZE_IN6)
        }
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

/// Reads an address. One that is too short for its family is `EINVAL`, as every inet call answers.
///
/// # Errors
/// `EINVAL` when there are too few bytes.
pub fn decode(bytes: &[u8]) -> Result<Decoded, Errno> {
    let af = u16::from_ne_bytes(array(bytes, 0).ok_or(Errno::EINVAL)?);
    let port = || array(bytes, 2).map(u16::from_be_bytes);
    match i32::from(af) {
        AF_UNSPEC => Ok(Decoded::Unspec),
        AF_INET => {
            if bytes.len() < SIZE_IN {
                return Err(Errno::EINVAL);
            }
            let ip: [u8; 4] = array(bytes, 4).ok_or(Errno::EINVAL)?;
            let port = port().ok_or(Errno::EINVAL)?;
            Ok(Decoded::Addr(SocketAddr::V4(SocketAddrV4::new(
                Ipv4Addr::from(ip),
                port,
            ))))
        }
        AF_INET6 => {
            let ip: [u8; 16] = array(bytes, 8).ok_or(Errno::EINVAL)?;
            let port = port().ok_or(Errno::EINVAL)?;
            let flow = array(bytes, 4).map_or(0, u32::from_be_bytes);
            let scope = array(bytes, 24).map_or(0, u32::from_ne_bytes);
            Ok(Decoded::Addr(SocketAddr::V6(SocketAddrV6::new(
                Ipv6Addr::from(ip),
                port,
                flow,
                scope,
            ))))
        }
        _ => Ok(Decoded::Other(af)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockaddr_v4_round_trips() {
        let a: SocketAddr = "192.0.2.7:8080".parse().expect("literal");
        let (bytes, len) = encode(a);
        assert_eq!(len, 16);
        assert_eq!(bytes[..8], [2, 0, 0x1f, 0x90, 192, 0, 2, 7]);
        assert_eq!(decode(&bytes[..len]), Ok(Decoded::Addr(a)));
        assert_eq!(decode(&bytes[..15]), Err(Errno::EINVAL));
    }

    #[test]
    fn sockaddr_v6_round_trips_with_flow_and_scope() {
        let a = SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::LOCALHOST, 1, 0x12345, 7));
        let (bytes, len) = encode(a);
        assert_eq!(len, 28);
        assert_eq!(decode(&bytes[..len]), Ok(Decoded::Addr(a)));
        assert_eq!(decode(&bytes[..23]), Err(Errno::EINVAL));
        let short = SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::LOCALHOST, 1, 0x12345, 0));
        assert_eq!(decode(&bytes[..24]), Ok(Decoded::Addr(short)));
    }

    #[test]
    fn sockaddr_other_families_are_told_apart() {
        assert_eq!(decode(&[0, 0]), Ok(Decoded::Unspec));
        assert_eq!(decode(&[1, 0, b'x']), Ok(Decoded::Other(1)));
        assert_eq!(decode(&[2]), Err(Errno::EINVAL));
        assert_eq!(decode(&[]), Err(Errno::EINVAL));
    }
}
