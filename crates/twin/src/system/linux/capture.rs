//! What leaves an interface, with the kernel's own time of it: a packet socket.

use core::ffi::c_int;
use core::time::Duration;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use hearken_abi::Errno;

use crate::linux::{iface, sys};

/// A packet socket on one interface.
pub(super) struct Capture {
    fd: c_int,
    /// Both clocks at one moment: the kernel stamps packets with the time of day.
    clocks: (Instant, Duration),
}

impl Capture {
    /// Listens on an interface.
    pub(super) fn open(name: &str) -> Result<Self, Errno> {
        let protocol = (libc::ETH_P_ALL as u16).to_be();
        let ty = libc::SOCK_DGRAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // SAFETY: no memory is passed.
        let fd = sys::check(unsafe { libc::socket(libc::AF_PACKET, ty, c_int::from(protocol)) })?;
        // SAFETY: sockaddr_ll is plain data for which zero is a valid value.
        let mut addr: libc::sockaddr_ll = unsafe { core::mem::zeroed() };
        addr.sll_family = libc::AF_PACKET as u16;
        addr.sll_protocol = protocol;
        addr.sll_ifindex = iface::index(name)?;
        let len = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        // SAFETY: the address lives for the call.
        sys::check(unsafe { libc::bind(fd, (&raw const addr).cast(), len) })?;
        for (option, value) in [(libc::SO_TIMESTAMPNS, 1), (libc::SO_RCVBUFFORCE, 32 << 20)] {
            let value: c_int = value;
            // SAFETY: the value is an int, which lives for the call.
            sys::check(unsafe {
                libc::setsockopt(fd, libc::SOL_SOCKET, option, (&raw const value).cast(), 4)
            })?;
        }
        let day = SystemTime::now().duration_since(UNIX_EPOCH);
        Ok(Capture {
            fd,
            clocks: (Instant::now(), day.unwrap_or_default()),
        })
    }

    /// The socket, to poll.
    pub(super) fn fd(&self) -> c_int {
        self.fd
    }

    /// The next packet that was sent, and when.
    pub(super) fn next(&mut self, buffer: &mut [u8]) -> Option<(Instant, Vec<u8>)> {
        loop {
            let (at, len, outgoing) = self.receive(buffer)?;
            if outgoing {
                return Some((at, buffer[..len].to_vec()));
            }
        }
    }

    fn receive(&mut self, buffer: &mut [u8]) -> Option<(Instant, usize, bool)> {
        // SAFETY: both are plain data for which zero is a valid value.
        let (mut addr, mut message): (libc::sockaddr_ll, libc::msghdr) =
            unsafe { core::mem::zeroed() };
        let mut vector = libc::iovec {
            iov_base: buffer.as_mut_ptr().cast(),
            iov_len: buffer.len(),
        };
        let mut control = [0u64; 16];
        message.msg_name = (&raw mut addr).cast();
        message.msg_namelen = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        message.msg_iov = &mut vector;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(&control) as _;
        // SAFETY: every pointer of the message names memory of the length given beside it, which lives for the call.
        let len = sys::check_size(unsafe { libc::recvmsg(self.fd, &mut message, 0) }).ok()?;
        let outgoing = addr.sll_pkttype == 4;
        // cmsghdr: length, level, kind; then a timespec.
        let is_time = control[1] == (libc::SCM_TIMESTAMPNS as u64) << 32 | libc::SOL_SOCKET as u64;
        let at = if message.msg_controllen >= 32 && is_time {
            Duration::new(control[2], control[3] as u32)
        } else {
            SystemTime::now().duration_since(UNIX_EPOCH).ok()?
        };
        let (instant, day) = self.clocks;
        let at = instant + at.saturating_sub(day);
        Some((at, len, outgoing))
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        // Nothing can be done about a close that fails.
        let _ = sys::close(self.fd);
    }
}
