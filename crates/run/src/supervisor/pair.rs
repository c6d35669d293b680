//! The socketpair that stands for one TCP socket, and what makes its end A look like one.
//!
//! A is the program's descriptor, B ours. Everything here was measured beside a real TCP socket:
//! before it is connected or listens, A stands `alone` and polls POLLOUT and POLLHUP; a filled send buffer hides POLLOUT as SYN_SENT and LISTEN do; one byte in A's queue is the
//! listener's POLLIN; a byte that B leaves unread makes A read ECONNRESET when B is closed.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::sockopt;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType};

/// What each end may hold. The default of 212992 counts whole pages per small write and stops
/// after 278 of them.
const ROOMY: usize = 1 << 20;

/// A fresh pair: A blocking or not as the program asked, B never blocking.
pub(crate) fn new(nonblocking: bool) -> io::Result<(OwnedFd, OwnedFd)> {
    let (a, b) = rustix::net::socketpair(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    rustix::io::ioctl_fionbio(&b, true)?;
    if nonblocking {
        rustix::io::ioctl_fionbio(&a, true)?;
    }
    widen(a.as_fd());
    widen(b.as_fd());
    Ok((a, b))
}

/// An end A without a B: an unconnected AF_UNIX stream, which polls as an unconnected TCP socket does.
pub(crate) fn alone(nonblocking: bool) -> io::Result<OwnedFd> {
    let mut flags = SocketFlags::CLOEXEC;
    flags.set(SocketFlags::NONBLOCK, nonblocking);
    let a = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    Ok(a)
}

/// Gives an `alone` A its B, and with it one edge of POLLOUT. The address is the kernel's own choice and there for this
/// moment only; nobody else's connection passes for A's.
pub(crate) fn join(a: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // Room for the few that could come by chance: connect would wait for more.
    const BACKLOG: i32 = 16;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let door = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::bind(&door, &SocketAddrUnix::new_unnamed())?;
    rustix::net::listen(&door, BACKLOG)?;
    let at: SocketAddrUnix = rustix::net::getsockname(&door)?.try_into()?;
    rustix::net::connect(a, &at)?;
    loop {
        let b = rustix::net::accept_with(&door, flags)?;
        // Whoever calls connect is the peer, and this A was connected by us.
        if sockopt::socket_peercred(&b)?.pid == rustix::process::getpid() {
            widen(a);
            widen(b.as_fd());
            return Ok(b);
        }
    }
}

/// Raises the send buffer as far as we may.
pub(crate) fn widen(end: BorrowedFd<'_>) {
    if sockopt::set_socket_send_buffer_size_force(end, ROOMY).is_err() {
        // Without CAP_NET_ADMIN the system's wmem_max caps it; a smaller buffer is only slower.
        let _ = sockopt::set_socket_send_buffer_size(end, ROOMY);
    }
}

/// Takes POLLOUT away from A: shrinks its buffer and fills it.
pub(crate) fn fill(a: BorrowedFd<'_>) -> io::Result<()> {
    sockopt::set_socket_send_buffer_size(a, 1)?;
    while rustix::net::send(a, &[0], SendFlags::DONTWAIT | SendFlags::NOSIGNAL).is_ok() {}
    Ok(())
}

/// Gives POLLOUT back, with exactly one edge: throws away what `fill` wrote.
pub(crate) fn drain(b: BorrowedFd<'_>) {
    let mut scrap = [0u8; 4096];
    while matches!(rustix::net::recv(b, &mut scrap[..], RecvFlags::DONTWAIT), Ok((n, _)) if n > 0) {
    }
}

/// Throws away what waits in this end's queue, except the last byte.
pub(crate) fn drain_but_one(end: BorrowedFd<'_>) {
    let mut scrap = [0u8; 16 * 1024];
    loop {
        let want = unread(end).saturating_sub(1).min(scrap.len());
        if want == 0 {
            return;
        }
        match rustix::net::recv(end, &mut scrap[..want], RecvFlags::DONTWAIT) {
            Ok((n, _)) if n > 0 => {}
            _ => return,
        }
    }
}

/// Puts one byte into B's queue, through A. Used before the program's own SHUT_WR (nothing can be
/// put there later) and before a reset.
pub(crate) fn leave_unread(a: BorrowedFd<'_>) -> bool {
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    if rustix::net::send(a, &[0], flags).is_ok() {
        return true;
    }
    // Full. A larger buffer makes room for one more byte.
    if let Ok(size) = sockopt::socket_send_buffer_size(a) {
        // The kernel doubles what is set, so this raises it by half.
        let more = size / 4 * 3;
        if sockopt::set_socket_send_buffer_size_force(a, more).is_err() {
            let _ = sockopt::set_socket_send_buffer_size(a, more);
        }
    }
    rustix::net::send(a, &[0], flags).is_ok()
}

/// One more connection waits: one more byte for A to poll. False when the pipe is full.
pub(crate) fn push_token(b: BorrowedFd<'_>) -> bool {
    rustix::net::send(b, &[0], SendFlags::DONTWAIT | SendFlags::NOSIGNAL).is_ok()
}

/// One connection fewer. False when there was no byte.
pub(crate) fn pop_token(a: BorrowedFd<'_>) -> bool {
    let mut byte = [0u8; 1];
    matches!(
        rustix::net::recv(a, &mut byte[..], RecvFlags::DONTWAIT),
        Ok((1, _))
    )
}

/// Bytes that wait in this end's queue.
pub(crate) fn unread(end: BorrowedFd<'_>) -> usize {
    rustix::io::ioctl_fionread(end).unwrap_or(0) as usize
}

/// Whether the descriptor is in non-blocking mode.
pub(crate) fn is_nonblocking(a: BorrowedFd<'_>) -> bool {
    rustix::fs::fcntl_getfl(a).is_ok_and(|f| f.contains(rustix::fs::OFlags::NONBLOCK))
}

/// The other end closed with data of ours unread: the kernel says ECONNRESET once.
pub(crate) fn was_reset(b: BorrowedFd<'_>) -> bool {
    matches!(sockopt::socket_error(b), Ok(Err(e)) if e == rustix::io::Errno::CONNRESET)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, Timespec};

    fn mask(fd: &OwnedFd) -> PollFlags {
        let all = PollFlags::IN | PollFlags::OUT | PollFlags::RDHUP;
        let mut p = [PollFd::new(fd, all)];
        rustix::event::poll(
            &mut p,
            Some(&Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            }),
        )
        .unwrap();
        p[0].revents()
    }

    #[test]
    fn end_alone_polls_as_an_unconnected_tcp_socket_until_it_is_joined() {
        let a = alone(true).unwrap();
        assert_eq!(mask(&a), PollFlags::OUT | PollFlags::HUP);
        let b = join(a.as_fd()).unwrap();
        assert_eq!(mask(&a), PollFlags::OUT);
        assert!(sockopt::socket_send_buffer_size(&a).unwrap() >= 212_992);
        assert!(push_token(b.as_fd()));
        assert_eq!(mask(&a), PollFlags::IN | PollFlags::OUT);
        drop(a);
        assert!(was_reset(b.as_fd()));
    }

    #[test]
    fn filled_end_has_the_mask_of_syn_sent_until_drained() {
        let (a, b) = new(true).unwrap();
        assert_eq!(mask(&a), PollFlags::OUT);
        fill(a.as_fd()).unwrap();
        assert_eq!(mask(&a), PollFlags::empty());
        drain(b.as_fd());
        assert_eq!(mask(&a), PollFlags::OUT);
        widen(a.as_fd());
        assert!(sockopt::socket_send_buffer_size(&a).unwrap() >= 212_992);
    }

    #[test]
    fn token_makes_a_listener_readable_and_nothing_else() {
        let (a, b) = new(false).unwrap();
        fill(a.as_fd()).unwrap();
        assert_eq!(mask(&a), PollFlags::empty());
        assert!(push_token(b.as_fd()));
        assert_eq!(mask(&a), PollFlags::IN);
        assert!(pop_token(a.as_fd()));
        assert!(!pop_token(a.as_fd()));
        assert_eq!(mask(&a), PollFlags::empty());
    }

    #[test]
    fn unread_byte_turns_the_close_of_b_into_a_reset() {
        let (a, b) = new(true).unwrap();
        assert!(leave_unread(a.as_fd()));
        assert_eq!(unread(b.as_fd()), 1);
        drop(b);
        let mut buf = [0u8; 1];
        let e = rustix::net::recv(&a, &mut buf[..], RecvFlags::empty()).unwrap_err();
        assert_eq!(e, rustix::io::Errno::CONNRESET);
    }

    #[test]
    fn full_end_whose_reader_is_shut_gets_epipe_and_later_the_reset() {
        let (a, b) = new(true).unwrap();
        let chunk = [0u8; 65536];
        while rustix::net::send(&a, &chunk, SendFlags::DONTWAIT).is_ok() {}
        rustix::net::send(&b, b"before", SendFlags::DONTWAIT).unwrap();
        rustix::net::shutdown(&b, rustix::net::Shutdown::Read).unwrap();
        drain_but_one(b.as_fd());
        assert_eq!(unread(b.as_fd()), 1);
        assert!(mask(&a).contains(PollFlags::OUT));
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        let e = rustix::net::send(&a, &chunk, flags).unwrap_err();
        assert_eq!(e, rustix::io::Errno::PIPE);
        drop(b);
        let mut buf = [0u8; 10];
        let (n, _) = rustix::net::recv(&a, &mut buf[..], RecvFlags::empty()).unwrap();
        assert_eq!(n, 6);
        let e = rustix::net::recv(&a, &mut buf[..], RecvFlags::empty()).unwrap_err();
        assert_eq!(e, rustix::io::Errno::CONNRESET);
    }

    #[test]
    fn unread_byte_finds_room_in_a_full_buffer() {
        let (a, b) = new(true).unwrap();
        let chunk = [0u8; 65536];
        while rustix::net::send(&a, &chunk, SendFlags::DONTWAIT).is_ok() {}
        assert!(leave_unread(a.as_fd()));
        drop(b);
    }

    #[test]
    fn close_with_unread_data_is_told_apart_from_a_plain_close() {
        let (a, b) = new(true).unwrap();
        assert!(push_token(b.as_fd()));
        drop(a);
        assert!(was_reset(b.as_fd()));
        let (a, b) = new(true).unwrap();
        drop(a);
        assert!(!was_reset(b.as_fd()));
    }
}
