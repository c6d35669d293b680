//! Datagrams with descriptors over an AF_UNIX SEQPACKET pair.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};

/// Longest datagram that is sent here.
pub const MAX: usize = 4096;

/// A connected pair, both ends close-on-exec.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::net::socketpair(
        rustix::net::AddressFamily::UNIX,
        rustix::net::SocketType::SEQPACKET,
        rustix::net::SocketFlags::CLOEXEC,
        None,
    )?)
}

/// Sends one datagram with at most one descriptor. Carries no flag that the filter traps, so CMD
/// may use it under the filter.
pub fn send(to: BorrowedFd<'_>, bytes: &[u8], fd: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fds = fd.as_slice();
    if !fds.is_empty() {
        let fits = control.push(SendAncillaryMessage::ScmRights(fds));
        debug_assert!(fits);
    }
    rustix::io::retry_on_intr(|| {
        rustix::net::sendmsg(
            to,
            &[IoSlice::new(bytes)],
            &mut control,
            SendFlags::NOSIGNAL,
        )
    })?;
    Ok(())
}

/// One received datagram; `bytes` empty: the other end has gone.
#[derive(Debug)]
pub struct Received {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its descriptor, close-on-exec.
    pub fd: Option<OwnedFd>,
}

/// Receives one datagram; `wait` false gives EAGAIN if there is none.
pub fn recv(from: BorrowedFd<'_>, wait: bool) -> io::Result<Received> {
    let mut bytes = vec![0; MAX];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut flags = RecvFlags::CMSG_CLOEXEC;
    if !wait {
        flags |= RecvFlags::DONTWAIT;
    }
    let got = rustix::io::retry_on_intr(|| {
        rustix::net::recvmsg(
            from,
            &mut [IoSliceMut::new(&mut bytes)],
            &mut control,
            flags,
        )
    });
    let n = match got {
        Ok(r) => r.bytes,
        Err(rustix::io::Errno::CONNRESET) => 0,
        Err(e) => return Err(e.into()),
    };
    bytes.truncate(n);
    let mut fd = None;
    for m in control.drain() {
        if let RecvAncillaryMessage::ScmRights(fds) = m {
            fd = fds.last();
        }
    }
    Ok(Received { bytes, fd })
}
