//! A TUN interface of Linux: packets without a link layer through `/dev/net/tun`.

use rustix::fs::{Mode, OFlags};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// Length of `struct virtio_net_hdr`, which precedes each packet if it was asked for.
pub const VNET_HDR_LEN: usize = 10;

/// An open TUN interface. It is there until this is dropped.
#[derive(Debug)]
pub struct Tun {
    fd: OwnedFd,
    name: String,
    vnet_hdr: bool,
}

impl Tun {
    /// Makes the interface `name` (`%d` in it stands for a number) in the namespace of the calling thread, nonblocking and without
    /// a packet information header. With `vnet_hdr` each packet is preceded by [`VNET_HDR_LEN`] bytes in both directions.
    ///
    /// # Errors
    /// What the kernel says: `ENOENT` or `ENODEV` without the driver, `EPERM` without `CAP_NET_ADMIN`; `EINVAL` for a name
    /// of more than 15 bytes.
    pub fn open(name: &str, vnet_hdr: bool) -> io::Result<Tun> {
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = rustix::fs::open("/dev/net/tun", flags, Mode::empty())?;
        let mut flags = libc::IFF_TUN | libc::IFF_NO_PI;
        if vnet_hdr {
            flags |= libc::IFF_VNET_HDR;
        }
        // SAFETY: `ifreq` is plain data for which all zeroes is a valid value.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        if name.len() >= request.ifr_name.len() || name.contains('\0') {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
            *to = from as libc::c_char;
        }
        request.ifr_ifru.ifru_flags = flags as libc::c_short;
        // SAFETY: TUNSETIFF reads and writes one `ifreq`, which lives across the call; the descriptor is open.
        let rc = unsafe { libc::ioctl(fd.as_raw_fd(), libc::TUNSETIFF as _, &mut request) };
        if rc < 0 {
            return Err(io::Error::last_os_error());
        }
        let name = request
            .ifr_name
            .iter()
            .take_while(|c| **c != 0)
            .map(|c| char::from(*c as u8))
            .collect();
        Ok(Tun { fd, name, vnet_hdr })
    }

    /// The interface's name, with its number filled in.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether each packet is preceded by a `struct virtio_net_hdr`.
    #[must_use]
    pub const fn has_vnet_hdr(&self) -> bool {
        self.vnet_hdr
    }

    /// Reads one packet that the kernel sends.
    ///
    /// # Errors
    /// `WouldBlock` if there is none.
    pub fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::read(&self.fd, buf)?)
    }

    /// Hands one packet to the kernel.
    ///
    /// # Errors
    /// What the kernel says: `EIO` while the interface is down.
    pub fn write(&self, packet: &[u8]) -> io::Result<()> {
        let n = rustix::io::write(&self.fd, packet)?;
        if n == packet.len() {
            Ok(())
        } else {
            Err(io::ErrorKind::WriteZero.into())
        }
    }
}

impl AsFd for Tun {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Tun {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.fd.as_raw_fd()
    }
}

#[cfg(test)]
#[path = "tun_tests.rs"]
mod tests;
