//! Which address means what on the two sides of the gateway.
//!
//! Inside, 10.0.2.2 and fd00:2::2 are the host, and 10.0.2.3 its resolver. A client that comes from
//! the host's own loopback is the gateway; every other keeps its address and port.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The program's own addresses.
pub(crate) const PROGRAM_V4: Ipv4Addr = crate::enter::ADDRESS_V4.0;
pub(crate) const PROGRAM_V6: Ipv6Addr = crate::enter::ADDRESS_V6.0;
/// The host, seen from inside.
pub(crate) const HOST_V4: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);
pub(crate) const HOST_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 2, 0, 0, 0, 0, 0, 2);
/// The resolver, seen from inside.
pub(crate) const RESOLVER_V4: Ipv4Addr = crate::enter::NAMESERVER;
pub(crate) const RESOLVER_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 2, 0, 0, 0, 0, 0, 3);
/// The port of name servers.
pub(crate) const DNS: u16 = crate::enter::DNS;

/// The address under which a client of `-p` is seen inside.
pub(crate) fn client_inside(client: SocketAddr) -> SocketAddr {
    let ip = match client.ip().to_canonical() {
        IpAddr::V4(ip) if ip.is_loopback() || ip == PROGRAM_V4 => IpAddr::V4(HOST_V4),
        IpAddr::V6(ip) if ip.is_loopback() || ip == PROGRAM_V6 => IpAddr::V6(HOST_V6),
        // A link-local address means nothing on another link.
        IpAddr::V6(ip) if ip.is_unicast_link_local() => IpAddr::V6(HOST_V6),
        ip => ip,
    };
    SocketAddr::new(ip, client.port())
}

/// Where a client of that family finds the published port inside.
pub(crate) fn program_for(client: SocketAddr, port: u16) -> SocketAddr {
    match client {
        SocketAddr::V4(_) => SocketAddr::new(PROGRAM_V4.into(), port),
        SocketAddr::V6(_) => SocketAddr::new(PROGRAM_V6.into(), port),
    }
}

/// Where on the host a connection to `to` goes; `resolver` is the host's own.
pub(crate) fn destination_outside(to: SocketAddr, resolver: Option<IpAddr>) -> SocketAddr {
    let ip = match to.ip() {
        IpAddr::V4(ip) if ip == HOST_V4 => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip == HOST_V6 => Ipv6Addr::LOCALHOST.into(),
        IpAddr::V4(ip) if ip == RESOLVER_V4 && to.port() == DNS => {
            resolver.unwrap_or(Ipv4Addr::LOCALHOST.into())
        }
        IpAddr::V6(ip) if ip == RESOLVER_V6 && to.port() == DNS => {
            resolver.unwrap_or(Ipv6Addr::LOCALHOST.into())
        }
        ip => ip,
    };
    SocketAddr::new(ip, to.port())
}

/// The first `nameserver` of a resolv.conf.
pub(crate) fn resolver(resolv_conf: &str) -> Option<IpAddr> {
    resolv_conf
        .lines()
        .filter_map(|l| l.trim().strip_prefix("nameserver"))
        .find_map(|l| l.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: &str) -> SocketAddr {
        s.parse().unwrap()
    }

    #[test]
    fn client_keeps_its_address_unless_it_is_the_host() {
        assert_eq!(client_inside(at("192.0.2.7:4000")), at("192.0.2.7:4000"));
        assert_eq!(client_inside(at("127.0.0.1:4000")), at("10.0.2.2:4000"));
        assert_eq!(client_inside(at("127.0.0.53:4000")), at("10.0.2.2:4000"));
        assert_eq!(client_inside(at("[::1]:4000")), at("[fd00:2::2]:4000"));
        assert_eq!(client_inside(at("[::ffff:127.0.0.1]:1")), at("10.0.2.2:1"));
        assert_eq!(client_inside(at("[2001:db8::1]:1")), at("[2001:db8::1]:1"));
        // It would seem to come from the program itself.
        assert_eq!(client_inside(at("10.0.2.15:1")), at("10.0.2.2:1"));
    }

    #[test]
    fn destination_is_the_host_the_resolver_or_itself() {
        let ns = Some("9.9.9.9".parse().unwrap());
        assert_eq!(
            destination_outside(at("10.0.2.2:22"), ns),
            at("127.0.0.1:22")
        );
        assert_eq!(
            destination_outside(at("[fd00:2::2]:22"), ns),
            at("[::1]:22")
        );
        assert_eq!(destination_outside(at("10.0.2.3:53"), ns), at("9.9.9.9:53"));
        assert_eq!(
            destination_outside(at("10.0.2.3:80"), ns),
            at("10.0.2.3:80")
        );
        assert_eq!(
            destination_outside(at("192.0.2.1:80"), ns),
            at("192.0.2.1:80")
        );
    }

    #[test]
    fn resolver_is_the_first_nameserver() {
        let conf = "# nameserver 1.1.1.1\noptions edns0\nnameserver bad\n nameserver 127.0.0.53\nnameserver ::1\n";
        assert_eq!(resolver(conf), Some("127.0.0.53".parse().unwrap()));
        assert_eq!(resolver(""), None);
    }
}
