//! Bytes between a descriptor and the stack, with no buffer of our own between them.
//!
//! Both sides are edge-triggered: a side is believed ready until it says otherwise, and then left
//! alone until its next event. What the reader does not take stays in the writer's kernel or in the
//! stack, where windows close by themselves.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::BorrowedFd;

use rustix::io::Errno;

/// How much one flow may move in one direction before the others have their turn.
pub(crate) const BUDGET: usize = 512 * 1024;

/// Pieces handed to one readv or writev.
const PIECES: usize = 16;

/// Most bytes of one readv: what as many pieces of the stack's hold.
const MOST: usize = 128 * 1024;

/// A message that fits into one piece.
const SHORT: usize = 8 * 1024;

/// Which sides are believed ready.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ready {
    /// The descriptor has bytes or an end.
    pub(crate) fd_in: bool,
    /// The descriptor has room.
    pub(crate) fd_out: bool,
    /// The stack has bytes or an end.
    pub(crate) stack_in: bool,
    /// The stack has room.
    pub(crate) stack_out: bool,
    /// What the last read from the descriptor brought.
    pub(crate) last: usize,
}

impl Ready {
    /// How much room to ask the stack for. Setting room aside costs, and most messages are short: much only for a
    /// descriptor that had much.
    pub(crate) fn room(&self) -> usize {
        if self.last < SHORT { SHORT } else { MOST }
    }
}

/// Why the stack moved nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StackEnd {
    /// Not now.
    Blocked,
    /// Never again: reset, timed out, or shut. The errno, which is now ours to keep.
    Broken(i32),
}

/// One connection of the stack.
pub(crate) trait Connection {
    /// Lets `f` write at most `most` bytes into the send buffer; `f` says how much it wrote.
    fn send_with(
        &mut self,
        most: usize,
        f: &mut dyn FnMut(&mut [&mut [u8]]) -> usize,
    ) -> Result<(), StackEnd>;
    /// Lets `f` read from the receive buffer; empty pieces are the peer's FIN.
    fn recv_with(&mut self, f: &mut dyn FnMut(&[&[u8]]) -> usize) -> Result<(), StackEnd>;
}

/// What one attempt to move bytes came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moved {
    /// So many bytes.
    Bytes(usize),
    /// The stack has no room, or nothing to give.
    StackBlocked,
    /// The descriptor has no room, or nothing to give.
    FdBlocked,
    /// The source has ended.
    End,
    /// The connection is gone, for this reason.
    StackBroken(i32),
    /// The descriptor is gone.
    FdBroken(Errno),
}

/// Moves at most `limit` bytes that the descriptor holds into the stack.
pub(crate) fn fd_to_stack(fd: BorrowedFd<'_>, to: &mut impl Connection, limit: usize) -> Moved {
    let mut moved = Moved::StackBlocked;
    let end = to.send_with(limit.min(MOST), &mut |room| {
        let mut left = limit;
        let mut count = 0;
        let mut pieces: [IoSliceMut<'_>; PIECES] =
            std::array::from_fn(|_| IoSliceMut::new(&mut []));
        for (piece, slot) in room.iter_mut().zip(pieces.iter_mut()) {
            let n = piece.len().min(left);
            if n == 0 {
                break;
            }
            *slot = IoSliceMut::new(&mut piece[..n]);
            left -= n;
            count += 1;
        }
        if count == 0 {
            return 0;
        }
        match rustix::io::readv(fd, &mut pieces[..count]) {
            Ok(0) => moved = Moved::End,
            Ok(n) => {
                moved = Moved::Bytes(n);
                return n;
            }
            Err(Errno::AGAIN) => moved = Moved::FdBlocked,
            Err(Errno::INTR) => moved = Moved::Bytes(0),
            Err(e) => moved = Moved::FdBroken(e),
        }
        0
    });
    match end {
        Ok(()) => moved,
        Err(StackEnd::Blocked) => Moved::StackBlocked,
        Err(StackEnd::Broken(e)) => Moved::StackBroken(e),
    }
}

/// Moves what the stack holds into the descriptor.
pub(crate) fn stack_to_fd(from: &mut impl Connection, fd: BorrowedFd<'_>) -> Moved {
    let mut moved = Moved::End;
    let end = from.recv_with(&mut |bytes| {
        let mut count = 0;
        let mut pieces: [IoSlice<'_>; PIECES] = std::array::from_fn(|_| IoSlice::new(&[]));
        for (piece, slot) in bytes
            .iter()
            .filter(|p| !p.is_empty())
            .zip(pieces.iter_mut())
        {
            *slot = IoSlice::new(piece);
            count += 1;
        }
        if count == 0 {
            return 0;
        }
        match rustix::io::writev(fd, &pieces[..count]) {
            Ok(n) => {
                moved = Moved::Bytes(n);
                return n;
            }
            Err(Errno::AGAIN) => moved = Moved::FdBlocked,
            Err(Errno::INTR) => moved = Moved::Bytes(0),
            Err(e) => moved = Moved::FdBroken(e),
        }
        0
    });
    match end {
        Ok(()) => moved,
        Err(StackEnd::Blocked) => Moved::StackBlocked,
        Err(StackEnd::Broken(e)) => Moved::StackBroken(e),
    }
}

#[cfg(test)]
mod tests {
    use super::super::pair;
    use super::*;
    use std::os::fd::AsFd;

    /// A connection with a fixed room and given bytes.
    #[derive(Default)]
    struct Fake {
        room: usize,
        sent: Vec<u8>,
        waiting: Vec<u8>,
        fin: bool,
    }

    impl Connection for Fake {
        fn send_with(
            &mut self,
            _: usize,
            f: &mut dyn FnMut(&mut [&mut [u8]]) -> usize,
        ) -> Result<(), StackEnd> {
            if self.room == 0 {
                return Err(StackEnd::Blocked);
            }
            let mut buf = vec![0; self.room];
            let (a, b) = buf.split_at_mut(self.room / 2);
            let n = f(&mut [a, b]);
            self.sent.extend_from_slice(&buf[..n]);
            self.room -= n;
            Ok(())
        }

        fn recv_with(&mut self, f: &mut dyn FnMut(&[&[u8]]) -> usize) -> Result<(), StackEnd> {
            if self.waiting.is_empty() && !self.fin {
                return Err(StackEnd::Blocked);
            }
            let n = f(&[&self.waiting]);
            self.waiting.drain(..n);
            Ok(())
        }
    }

    #[test]
    fn fd_to_stack_takes_what_fits_then_says_who_blocks() {
        let (a, b) = pair::new(true).unwrap();
        rustix::io::write(&a, b"hello, world").unwrap();
        let mut c = Fake {
            room: 8,
            ..Fake::default()
        };
        assert_eq!(fd_to_stack(b.as_fd(), &mut c, 3), Moved::Bytes(3));
        assert_eq!(fd_to_stack(b.as_fd(), &mut c, usize::MAX), Moved::Bytes(5));
        assert_eq!(
            fd_to_stack(b.as_fd(), &mut c, usize::MAX),
            Moved::StackBlocked
        );
        c.room = 100;
        assert_eq!(fd_to_stack(b.as_fd(), &mut c, usize::MAX), Moved::Bytes(4));
        assert_eq!(fd_to_stack(b.as_fd(), &mut c, usize::MAX), Moved::FdBlocked);
        drop(a);
        assert_eq!(fd_to_stack(b.as_fd(), &mut c, usize::MAX), Moved::End);
        assert_eq!(c.sent, b"hello, world");
    }

    #[test]
    fn stack_to_fd_stops_at_a_reader_that_does_not_read() {
        let (a, b) = pair::new(true).unwrap();
        let mut c = Fake {
            waiting: vec![7; 16 << 20],
            ..Fake::default()
        };
        let mut total = 0;
        loop {
            match stack_to_fd(&mut c, b.as_fd()) {
                Moved::Bytes(n) => total += n,
                Moved::FdBlocked => break,
                other => panic!("{other:?}"),
            }
        }
        assert!(total > 0 && total < 8 << 20, "{total}");
        assert_eq!(c.waiting.len() + total, 16 << 20);
        c.waiting.clear();
        assert_eq!(stack_to_fd(&mut c, b.as_fd()), Moved::StackBlocked);
        c.fin = true;
        assert_eq!(stack_to_fd(&mut c, b.as_fd()), Moved::End);
        c.waiting = vec![1];
        drop(a);
        assert_eq!(stack_to_fd(&mut c, b.as_fd()), Moved::FdBroken(Errno::PIPE));
    }
}
