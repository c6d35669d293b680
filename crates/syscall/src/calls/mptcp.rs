//! IPPROTO_MPTCP (RFC 8684): such a socket is there for programs that ask for it first (Go's listeners do). It never
//! offers MPTCP and never agrees to it, so every connection is one that fell back to TCP. Which options it has was
//! measured on 6.18.44; the page is docs/linux/mptcp.md.

use super::sockopt_socket::tcp;
use crate::file::FileId;
use crate::machine::Machine;
use hearken_abi::sock::{SOL_IP, SOL_IPV6, SOL_SOCKET, SOL_TCP};
use hearken_abi::{Errno, TcpState};

/// TCP's options that are there to be read and set; one more can only be read, and TCP_INFO, TCP_CC_INFO, TCP_ULP.
const TCP: [i32; 14] = [1, 2, 3, 4, 5, 6, 9, 13, 23, 25, 30, 33, 34, 36];
const TCP_READ: [i32; 4] = [11, 26, 31, 43];
/// IP_TOS, IP_FREEBIND, IP_TRANSPARENT, IP_BIND_ADDRESS_NO_PORT, IP_LOCAL_PORT_RANGE.
const IP: [i32; 5] = [1, 15, 19, 24, 51];
/// Known to IP, and refused as not supported rather than as unknown.
const IP_REFUSED: [i32; 14] = [2, 6, 7, 8, 10, 11, 12, 13, 18, 20, 21, 23, 25, 26];
/// IPV6_V6ONLY, IPV6_TRANSPARENT, IPV6_FREEBIND.
const IPV6: [i32; 3] = [26, 75, 78];
const IPV6_REFUSED: [i32; 28] = [
    2, 3, 4, 5, 6, 8, 11, 16, 23, 24, 25, 31, 32, 33, 49, 50, 51, 53, 56, 58, 60, 62, 66, 67, 70,
    73, 74, 77,
];
/// Of SOL_SOCKET, what cannot be set.
const SOCKET_REFUSED: [i32; 42] = [
    3, 4, 10, 17, 19, 22, 23, 24, 26, 27, 28, 30, 31, 38, 39, 42, 44, 47, 48, 50, 51, 52, 53, 54,
    55, 56, 57, 58, 59, 60, 61, 68, 71, 72, 74, 75, 77, 78, 79, 80, 81, 82,
];
/// SO_PEEK_OFF and SO_TXREHASH: neither read nor set.
const SOCKET_UNREAD: [i32; 2] = [42, 74];

/// The socket is MPTCP's and has not become a TCP connection.
pub(crate) fn is_mptcp(m: &Machine, file: FileId) -> bool {
    tcp(m, file).is_some_and(|t| {
        t.options.mptcp
            && matches!(
                m.net(t.net).state(t.socket),
                TcpState::Close | TcpState::Listen | TcpState::SynSent
            )
    })
}

/// What stands against reading the option.
pub(crate) fn may_get(level: i32, name: i32) -> Result<(), Errno> {
    let there = match level {
        SOL_SOCKET => !SOCKET_UNREAD.contains(&name),
        SOL_TCP => TCP.contains(&name) || TCP_READ.contains(&name),
        SOL_IP => IP.contains(&name),
        SOL_IPV6 => IPV6.contains(&name),
        _ => true,
    };
    if there {
        Ok(())
    } else {
        Err(Errno::EOPNOTSUPP)
    }
}

/// What stands against setting the option.
pub(crate) fn may_set(level: i32, name: i32) -> Result<(), Errno> {
    let (there, refused): (bool, &[i32]) = match level {
        SOL_SOCKET => (!SOCKET_REFUSED.contains(&name), &SOCKET_REFUSED),
        SOL_TCP => (TCP.contains(&name), &[]),
        SOL_IP => (IP.contains(&name), &IP_REFUSED),
        SOL_IPV6 => (IPV6.contains(&name), &IPV6_REFUSED),
        _ => (true, &[]),
    };
    match there {
        true => Ok(()),
        false if refused.contains(&name) => Err(Errno::EOPNOTSUPP),
        false => Err(Errno::ENOPROTOOPT),
    }
}
