//! Addresses that a program hands to bind and connect: which errno a bad one is, measured on 6.18.44.

use core::net::{Ipv6Addr, SocketAddr, SocketAddrV4};
use hearken_abi::sock::{AF_INET, AF_INET6, AF_UNSPEC};
use hearken_abi::sockaddr::{Decoded, SIZE_IN, SIZE_IN6_RFC2133, decode};
use hearken_abi::{Domain, Errno};

/// `sizeof(struct sockaddr_storage)`: `move_addr_to_kernel` takes no more.
const SIZE_STORAGE: usize = 128;

/// Which call asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AddressUse {
    /// bind
    Bind,
    /// connect
    Connect,
}

fn family(bytes: &[u8]) -> Option<i32> {
    let af = bytes.first_chunk::<2>()?;
    Some(i32::from(u16::from_ne_bytes(*af)))
}

/// connect(AF_UNSPEC): "disconnect". Two bytes are enough to say so.
pub(crate) fn is_unspec(bytes: &[u8]) -> bool {
    family(bytes) == Some(AF_UNSPEC)
}

/// `move_addr_to_kernel` (6.18), which looks at the length before any protocol does.
pub(crate) fn check_length(bytes: &[u8]) -> Result<(), Errno> {
    if bytes.len() > SIZE_STORAGE {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

/// The address that `bytes` say to a socket of `domain`.
///
/// # Errors
/// `EINVAL` when there are too few bytes or the address cannot be used at all, `EAFNOSUPPORT` for another family.
pub fn address(domain: Domain, purpose: AddressUse, bytes: &[u8]) -> Result<SocketAddr, Errno> {
    check_length(bytes)?;
    match domain {
        Domain::Inet => v4(purpose, bytes),
        Domain::Inet6 => v6(purpose, bytes),
    }
}

fn v4(purpose: AddressUse, bytes: &[u8]) -> Result<SocketAddr, Errno> {
    // The length goes before the family: 15 bytes of AF_UNIX are EINVAL.
    if bytes.len() < SIZE_IN {
        return Err(Errno::EINVAL);
    }
    match family(bytes) {
        Some(AF_INET) => match decode(bytes)? {
            Decoded::Addr(addr) => Ok(addr),
            Decoded::Unspec | Decoded::Other(_) => Err(Errno::EAFNOSUPPORT),
        },
        // __inet_bind (6.18): old programs leave the family out; only for the wildcard.
        Some(AF_UNSPEC) if purpose == AddressUse::Bind && bytes[4..8] == [0; 4] => {
            let port = u16::from_be_bytes([bytes[2], bytes[3]]);
            Ok(SocketAddrV4::new([0; 4].into(), port).into())
        }
        Some(_) | None => Err(Errno::EAFNOSUPPORT),
    }
}

fn v6(purpose: AddressUse, bytes: &[u8]) -> Result<SocketAddr, Errno> {
    if bytes.len() < SIZE_IN6_RFC2133 {
        return Err(Errno::EINVAL);
    }
    if family(bytes) != Some(AF_INET6) {
        return Err(Errno::EAFNOSUPPORT);
    }
    let Decoded::Addr(SocketAddr::V6(addr)) = decode(bytes)? else {
        return Err(Errno::EAFNOSUPPORT);
    };
    // __inet6_bind, tcp_v6_connect (6.18): a link-local address names its link; multicast is bound by nobody.
    if is_link_local(addr.ip()) && addr.scope_id() == 0 {
        return Err(Errno::EINVAL);
    }
    if purpose == AddressUse::Bind && addr.ip().is_multicast() {
        return Err(Errno::EINVAL);
    }
    Ok(addr.into())
}

fn is_link_local(ip: &Ipv6Addr) -> bool {
    ip.is_unicast_link_local()
}

#[cfg(test)]
mod tests {
    use super::*;
    use AddressUse::{Bind, Connect};
    use alloc::vec::Vec;
    use hearken_abi::sockaddr::encode;

    fn sa(text: &str) -> Vec<u8> {
        let (bytes, len) = encode(text.parse().expect("literal"));
        bytes[..len].to_vec()
    }

    fn with_family(text: &str, af: u16) -> Vec<u8> {
        let mut b = sa(text);
        b[..2].copy_from_slice(&af.to_ne_bytes());
        b
    }

    fn padded(text: &str, len: usize) -> Vec<u8> {
        let mut b = sa(text);
        b.resize(len, 0);
        b
    }

    #[test]
    fn address_v4_length_decides_before_the_family() {
        for len in [0, 1, 2, 15] {
            let b = padded("127.0.0.1:1", len);
            assert_eq!(address(Domain::Inet, Bind, &b), Err(Errno::EINVAL), "{len}");
        }
        let short_unix = &with_family("127.0.0.1:1", 1)[..15];
        assert_eq!(address(Domain::Inet, Bind, short_unix), Err(Errno::EINVAL));
        for len in [16, 17, 128] {
            let b = padded("127.0.0.1:1", len);
            assert!(address(Domain::Inet, Connect, &b).is_ok(), "{len}");
        }
        let b = padded("127.0.0.1:1", 129);
        assert_eq!(address(Domain::Inet, Bind, &b), Err(Errno::EINVAL));
    }

    #[test]
    fn address_v4_other_family_is_eafnosupport() {
        for af in [1, 3, 10, 99] {
            let b = with_family("0.0.0.0:0", af);
            assert_eq!(
                address(Domain::Inet, Bind, &b),
                Err(Errno::EAFNOSUPPORT),
                "{af}"
            );
        }
    }

    #[test]
    fn address_unspec_binds_the_wildcard_only() {
        let b = with_family("0.0.0.0:77", 0);
        assert_eq!(
            address(Domain::Inet, Bind, &b),
            Ok("0.0.0.0:77".parse().expect("literal"))
        );
        let b = with_family("127.0.0.1:77", 0);
        assert_eq!(address(Domain::Inet, Bind, &b), Err(Errno::EAFNOSUPPORT));
        let b = with_family("[::]:77", 0);
        assert_eq!(address(Domain::Inet6, Bind, &b), Err(Errno::EAFNOSUPPORT));
    }

    #[test]
    fn address_v6_takes_24_bytes_and_only_its_own_family() {
        for (len, want) in [(23, Err(Errno::EINVAL)), (24, Ok(())), (29, Ok(()))] {
            let b = padded("[::1]:1", len);
            assert_eq!(address(Domain::Inet6, Bind, &b).map(|_| ()), want, "{len}");
        }
        assert_eq!(
            address(Domain::Inet6, Bind, &sa("127.0.0.1:1")),
            Err(Errno::EINVAL)
        );
        assert_eq!(
            address(Domain::Inet6, Bind, &padded("127.0.0.1:1", 28)),
            Err(Errno::EAFNOSUPPORT)
        );
    }

    #[test]
    fn address_v6_link_local_needs_its_link_and_multicast_is_not_bound() {
        let ll = sa("[fe80::1]:1");
        assert_eq!(address(Domain::Inet6, Bind, &ll), Err(Errno::EINVAL));
        assert_eq!(address(Domain::Inet6, Connect, &ll), Err(Errno::EINVAL));
        let mut scoped = ll;
        scoped[24] = 1;
        assert!(address(Domain::Inet6, Bind, &scoped).is_ok());
        assert_eq!(
            address(Domain::Inet6, Bind, &sa("[ff0e::1]:1")),
            Err(Errno::EINVAL)
        );
        assert!(address(Domain::Inet6, Connect, &sa("[ff0e::1]:1")).is_ok());
    }

    #[test]
    fn address_unspec_is_seen_in_two_bytes() {
        assert!(is_unspec(&[0, 0]));
        assert!(!is_unspec(&[0]));
        assert!(!is_unspec(&sa("127.0.0.1:1")));
    }
}
