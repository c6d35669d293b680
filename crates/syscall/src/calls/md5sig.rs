//! TCP_MD5SIG and TCP_MD5SIG_EXT: `struct tcp_md5sig` and its checks (`tcp_v4_parse_md5_keys`, `tcp_v6_parse_md5_keys`,
//! 6.18; docs/linux/md5.md).

use super::sockopt_socket::tcp;
use crate::errno::ToErrno;
use crate::file::FileId;
use crate::machine::Machine;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use hearken_abi::sock::*;
use hearken_abi::{Domain, Errno};
use hearken_inet::{Md5Key, Md5Peers};

/// `sizeof(struct tcp_md5sig)`
const SIZE: usize = 216;
/// Where its fields stand, behind a `struct sockaddr_storage`.
const FLAGS: usize = 128;
const PREFIX_LEN: usize = 129;
const KEY_LEN: usize = 130;
const IFINDEX: usize = 132;
const KEY: usize = 136;

fn bytes<const N: usize>(value: &[u8], at: usize) -> [u8; N] {
    core::array::from_fn(|i| value.get(at + i).copied().unwrap_or(0))
}

/// The address, which must be of the socket's own family, whatever it says.
fn address(value: &[u8], domain: Domain) -> Result<IpAddr, Errno> {
    let family = i32::from(u16::from_ne_bytes(bytes(value, 0)));
    match (domain, family) {
        (Domain::Inet, AF_INET) => Ok(Ipv4Addr::from(bytes::<4>(value, 4)).into()),
        (Domain::Inet6, AF_INET6) => Ok(Ipv6Addr::from(bytes::<16>(value, 8)).into()),
        _ => Err(Errno::EINVAL),
    }
}

pub(crate) fn set(m: &mut Machine, file: FileId, name: i32, value: &[u8]) -> Result<(), Errno> {
    let (net, socket, domain) = match tcp(m, file) {
        Some(t) => (t.net, t.socket, t.domain),
        None => return Err(Errno::ENOPROTOOPT),
    };
    if value.len() < SIZE {
        return Err(Errno::EINVAL);
    }
    let addr = address(value, domain)?;
    let flags = i32::from(value[FLAGS]);
    let extended = name == TCP_MD5SIG_EXT;
    let prefix = (extended && flags & TCP_MD5SIG_FLAG_PREFIX != 0).then_some(value[PREFIX_LEN]);
    // Known to either option, but only the extended one looks whether there is such a VRF, and here is none.
    let scoped = flags & TCP_MD5SIG_FLAG_IFINDEX != 0;
    let peers = Md5Peers::new(addr, prefix, scoped).ok_or(Errno::EINVAL)?;
    if extended && scoped && i32::from_ne_bytes(bytes(value, IFINDEX)) != 0 {
        return Err(Errno::EINVAL);
    }
    let len = usize::from(u16::from_ne_bytes(bytes(value, KEY_LEN)));
    let key = match len {
        0 => None,
        _ => {
            let key = value.get(KEY..KEY + len).and_then(Md5Key::new);
            Some(
                key.filter(|_| len <= TCP_MD5SIG_MAXKEYLEN as usize)
                    .ok_or(Errno::EINVAL)?,
            )
        }
    };
    m.net_mut(net)
        .set_md5_key(socket, peers, key)
        .map_err(|e| e.errno())
}
