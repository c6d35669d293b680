//! Whether the program still holds end A, asked of the kernel by A's inode.
//!
//! HUP on B normally says it. Two cases need the question: after both directions were shut, HUP
//! stands on B already; and after a reset B is closed. sock_diag(7) answers in a few microseconds.

use std::io;

use rustix::fd::OwnedFd;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};

/// `SOCK_DIAG_BY_FAMILY` of linux/sock_diag.h.
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLMSG_ERROR: u16 = 2;
const NLM_F_REQUEST: u16 = 1;

/// A way to ask for one socket by its inode.
pub(crate) struct Alive {
    netlink: Option<OwnedFd>,
}

impl Alive {
    pub(crate) fn new() -> Self {
        let netlink = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            Some(netlink::SOCK_DIAG),
        );
        Alive {
            netlink: netlink.ok(),
        }
    }

    /// Whether an AF_UNIX socket with this inode is open anywhere.
    pub(crate) fn is_open(&self, inode: u64) -> bool {
        match self.ask(inode) {
            Ok(open) => open,
            // A kernel without unix_diag: the slow way, always there.
            Err(_) => listed(inode),
        }
    }

    fn ask(&self, inode: u64) -> io::Result<bool> {
        let netlink = self.netlink.as_ref().ok_or(io::ErrorKind::Unsupported)?;
        rustix::net::send(netlink, &request(inode), SendFlags::empty())?;
        let mut buf = [0u8; 4096];
        let (n, _) = rustix::net::recv(netlink, &mut buf[..], RecvFlags::empty())?;
        if n < 20 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let kind = u16::from_ne_bytes([buf[4], buf[5]]);
        if kind != NLMSG_ERROR {
            return Ok(true);
        }
        match i32::from_ne_bytes([buf[16], buf[17], buf[18], buf[19]]) {
            e if e == -libc::ENOENT => unix_diag_is_here(e),
            e => Err(io::Error::from_raw_os_error(-e)),
        }
    }
}

/// A missing unix_diag module answers ENOENT too, as does a missing socket; `PROBED` tells them
/// apart once, with a socket that is certainly open.
fn unix_diag_is_here(_: i32) -> io::Result<bool> {
    static PROBED: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    let here = *PROBED.get_or_init(|| {
        let Ok((a, _b)) = super::pair::new(true) else { return false };
        let Ok(st) = rustix::fs::fstat(&a) else { return false };
        let probe = Alive::new();
        let Some(netlink) = probe.netlink.as_ref() else { return false };
        let mut buf = [0u8; 4096];
        rustix::net::send(netlink, &request(st.st_ino), SendFlags::empty()).is_ok()
            && matches!(rustix::net::recv(netlink, &mut buf[..], RecvFlags::empty()), Ok((n, _)) if n >= 6)
            && u16::from_ne_bytes([buf[4], buf[5]]) != NLMSG_ERROR
    });
    if here {
        Ok(false)
    } else {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// nlmsghdr and unix_diag_req, without a cookie.
fn request(inode: u64) -> [u8; 40] {
    let mut m = [0u8; 40];
    m[0..4].copy_from_slice(&40u32.to_ne_bytes());
    m[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    m[6..8].copy_from_slice(&NLM_F_REQUEST.to_ne_bytes());
    m[16] = libc::AF_UNIX as u8;
    m[20..24].copy_from_slice(&u32::MAX.to_ne_bytes()); // every state
    m[24..28].copy_from_slice(&(inode as u32).to_ne_bytes());
    m[32..40].copy_from_slice(&[0xff; 8]); // INET_DIAG_NOCOOKIE
    m
}

/// /proc/net/unix has one line a socket, its inode the seventh field.
fn listed(inode: u64) -> bool {
    let Ok(table) = std::fs::read_to_string("/proc/self/net/unix") else {
        // Nothing to ask: keep the socket, a leak being better than a wrong close.
        return true;
    };
    table.lines().skip(1).any(|l| {
        l.split_ascii_whitespace()
            .nth(6)
            .and_then(|f| f.parse().ok())
            == Some(inode)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::Shutdown;

    #[test]
    fn socket_is_open_until_its_last_descriptor_is_closed() {
        let alive = Alive::new();
        let (a, b) = super::super::pair::new(true).unwrap();
        let inode = rustix::fs::fstat(&a).unwrap().st_ino;
        rustix::net::shutdown(&a, Shutdown::Both).unwrap();
        drop(b);
        let dup = rustix::io::dup(&a).unwrap();
        drop(a);
        assert!(alive.is_open(inode));
        assert!(listed(inode));
        drop(dup);
        assert!(!alive.is_open(inode));
        assert!(!listed(inode));
    }
}
