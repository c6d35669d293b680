//! The few rtnetlink requests that set up a namespace, written by hand: `ip` need not be installed.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

/// A route socket of the current network namespace.
#[derive(Debug)]
pub struct Route {
    socket: OwnedFd,
    sequence: u32,
}

// linux/rtnetlink.h, linux/if_link.h, linux/veth.h; 16-bit attribute numbers.
const IFLA_IFNAME: u16 = 3;
const IFLA_LINKINFO: u16 = 18;
const IFLA_AF_SPEC: u16 = 26;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const VETH_INFO_PEER: u16 = 1;
const IFLA_INET6_ADDR_GEN_MODE: u16 = 8;
const IN6_ADDR_GEN_MODE_NONE: u8 = 1;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_FLAGS: u16 = 8;

impl Route {
    /// Opens it.
    pub fn open() -> io::Result<Self> {
        let socket = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            // NETLINK_ROUTE is protocol 0.
            None,
        )?;
        Ok(Self {
            socket,
            sequence: 0,
        })
    }

    /// The index of an interface.
    pub fn index(&self, name: &str) -> io::Result<u32> {
        // Any socket serves for SIOCGIFINDEX.
        let any = rustix::net::socket_with(
            AddressFamily::UNIX,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC,
            None,
        )?;
        Ok(rustix::net::netdevice::name_to_index(any, name)?)
    }

    /// Makes a veth pair in this namespace.
    pub fn add_veth(&mut self, name: &str, peer: &str) -> io::Result<()> {
        let mut other = ifinfomsg(0, false);
        attribute(&mut other, IFLA_IFNAME, &c_string(peer));
        let mut data = Vec::new();
        attribute(&mut data, VETH_INFO_PEER, &other);
        let mut info = Vec::new();
        attribute(&mut info, IFLA_INFO_KIND, b"veth\0");
        attribute(&mut info, IFLA_INFO_DATA, &data);
        let mut body = ifinfomsg(0, false);
        attribute(&mut body, IFLA_IFNAME, &c_string(name));
        attribute(&mut body, IFLA_LINKINFO, &info);
        self.request(libc::RTM_NEWLINK, CREATE, &body)
    }

    /// Keeps an interface without a link-local address, so that the kernel sends nothing there of its
    /// own accord. Refused (EAFNOSUPPORT) in the request that makes the interface.
    pub fn no_link_local(&mut self, index: u32) -> io::Result<()> {
        let mut mode = Vec::new();
        attribute(
            &mut mode,
            IFLA_INET6_ADDR_GEN_MODE,
            &[IN6_ADDR_GEN_MODE_NONE],
        );
        let mut families = Vec::new();
        attribute(&mut families, libc::AF_INET6 as u16, &mode);
        let mut body = ifinfomsg(index, false);
        attribute(&mut body, IFLA_AF_SPEC, &families);
        self.request(libc::RTM_NEWLINK, 0, &body)
    }

    /// Brings an interface up.
    pub fn set_up(&mut self, index: u32) -> io::Result<()> {
        self.request(libc::RTM_NEWLINK, 0, &ifinfomsg(index, true))
    }

    /// Gives an interface an address, without duplicate address detection and without a route to its
    /// prefix (nobody answers there: a datagram is to fail at once, not after the neighbour search).
    pub fn add_address(&mut self, index: u32, address: IpAddr, prefix: u8) -> io::Result<()> {
        // struct ifaddrmsg: family, prefix length, flags, scope, index
        let mut body = vec![family(address), prefix, 0, 0];
        body.extend(index.to_ne_bytes());
        let flags = libc::IFA_F_NODAD | libc::IFA_F_NOPREFIXROUTE;
        attribute(&mut body, IFA_FLAGS, &flags.to_ne_bytes());
        attribute(&mut body, IFA_LOCAL, &octets(address));
        attribute(&mut body, IFA_ADDRESS, &octets(address));
        self.request(libc::RTM_NEWADDR, CREATE, &body)
    }

    /// `ip route add unreachable default`, for the family of `of`.
    pub fn add_unreachable_default(&mut self, of: IpAddr) -> io::Result<()> {
        // struct rtmsg: family, dst_len, src_len, tos, table, protocol, scope, type, flags
        let mut body = vec![
            family(of),
            0,
            0,
            0,
            libc::RT_TABLE_MAIN,
            libc::RTPROT_STATIC,
            libc::RT_SCOPE_UNIVERSE,
            libc::RTN_UNREACHABLE,
        ];
        body.extend(0u32.to_ne_bytes());
        self.request(libc::RTM_NEWROUTE, CREATE, &body)
    }

    /// `ip route add local ADDRESS dev INTERFACE`: datagrams to it are for this namespace.
    pub fn add_local(&mut self, address: Ipv4Addr, index: u32) -> io::Result<()> {
        // struct rtmsg, as above.
        let mut body = vec![
            libc::AF_INET as u8,
            32,
            0,
            0,
            libc::RT_TABLE_LOCAL,
            libc::RTPROT_STATIC,
            libc::RT_SCOPE_HOST,
            libc::RTN_LOCAL,
        ];
        body.extend(0u32.to_ne_bytes());
        attribute(&mut body, libc::RTA_DST, &address.octets());
        attribute(&mut body, libc::RTA_OIF, &index.to_ne_bytes());
        self.request(libc::RTM_NEWROUTE, CREATE, &body)
    }

    fn request(&mut self, kind: u16, flags: u16, body: &[u8]) -> io::Result<()> {
        self.sequence += 1;
        let flags = flags | (libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16;
        let mut message = Vec::with_capacity(16 + body.len());
        message.extend((16 + body.len() as u32).to_ne_bytes());
        message.extend(kind.to_ne_bytes());
        message.extend(flags.to_ne_bytes());
        message.extend(self.sequence.to_ne_bytes());
        message.extend(0u32.to_ne_bytes());
        message.extend(body);
        rustix::net::send(&self.socket, &message, SendFlags::empty())?;
        let mut answer = [0u8; 4096];
        loop {
            let (n, _) = rustix::io::retry_on_intr(|| {
                rustix::net::recv(&self.socket, &mut answer[..], RecvFlags::empty())
            })?;
            if let Some(result) = acknowledged(&answer[..n], self.sequence) {
                return result;
            }
        }
    }
}

const CREATE: u16 = (libc::NLM_F_CREATE | libc::NLM_F_EXCL) as u16;

/// The outcome in an NLMSG_ERROR that answers `sequence`; `None` if this is another message.
fn acknowledged(answer: &[u8], sequence: u32) -> Option<io::Result<()>> {
    let kind = u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?);
    let number = u32::from_ne_bytes(answer.get(8..12)?.try_into().ok()?);
    if i32::from(kind) != libc::NLMSG_ERROR || number != sequence {
        return None;
    }
    let errno = i32::from_ne_bytes(answer.get(16..20)?.try_into().ok()?);
    Some(match errno {
        0 => Ok(()),
        e => Err(io::Error::from_raw_os_error(-e)),
    })
}

/// struct ifinfomsg: family, pad, type, index, flags, change
fn ifinfomsg(index: u32, up: bool) -> Vec<u8> {
    let flags = if up { libc::IFF_UP as u32 } else { 0 };
    let mut b = vec![libc::AF_UNSPEC as u8, 0, 0, 0];
    b.extend(index.to_ne_bytes());
    b.extend(flags.to_ne_bytes());
    b.extend(flags.to_ne_bytes());
    b
}

/// Appends one attribute, padded to four bytes.
fn attribute(to: &mut Vec<u8>, kind: u16, value: &[u8]) {
    to.extend((4 + value.len() as u16).to_ne_bytes());
    to.extend(kind.to_ne_bytes());
    to.extend(value);
    to.resize(to.len().next_multiple_of(4), 0);
}

fn c_string(s: &str) -> Vec<u8> {
    let mut b = s.as_bytes().to_vec();
    b.push(0);
    b
}

fn family(a: IpAddr) -> u8 {
    match a {
        IpAddr::V4(_) => libc::AF_INET as u8,
        IpAddr::V6(_) => libc::AF_INET6 as u8,
    }
}

fn octets(a: IpAddr) -> Vec<u8> {
    match a {
        IpAddr::V4(a) => a.octets().to_vec(),
        IpAddr::V6(a) => a.octets().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attribute_of_odd_length_is_padded_but_not_counted() {
        let mut b = Vec::new();
        attribute(&mut b, 3, b"eth0\0");
        assert_eq!(b.len(), 12);
        assert_eq!(u16::from_ne_bytes([b[0], b[1]]), 9);
    }

    #[test]
    fn acknowledged_foreign_or_short_message_is_skipped() {
        assert!(acknowledged(&[0; 3], 1).is_none());
        let mut m = vec![0u8; 20];
        m[4] = 2; // NLMSG_ERROR
        m[8] = 7;
        m[16..20].copy_from_slice(&(-17i32).to_ne_bytes());
        assert!(acknowledged(&m, 8).is_none());
        let e = acknowledged(&m, 7).unwrap().unwrap_err();
        assert_eq!(e.raw_os_error(), Some(17));
    }
}
