//! Files of ours that are no sockets: pipes, and regular files as sendfile reads them.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// What a pipe holds at most (`PIPE_DEF_BUFFERS` pages).
pub(super) const PIPE_ROOM: usize = 65536;

/// The bytes between the two ends of a pipe.
pub(super) type Shared = Rc<RefCell<VecDeque<u8>>>;

/// A file that is no socket.
#[derive(Clone, Debug)]
pub(super) enum Plain {
    /// The end of a pipe that is read.
    ReadEnd(Shared),
    /// The end of a pipe that is written.
    WriteEnd(Shared),
    /// A regular file: its bytes, and where the next read begins.
    File(Rc<RefCell<(Vec<u8>, usize)>>),
}

impl Plain {
    /// Both ends of a new pipe.
    pub(super) fn pipe() -> [Plain; 2] {
        let shared = Shared::default();
        [Plain::ReadEnd(Rc::clone(&shared)), Plain::WriteEnd(shared)]
    }

    /// Up to `len` bytes that a read gives, without taking them. From a file at `offset`, if there is one.
    pub(super) fn peek(&self, len: usize, offset: Option<usize>) -> Option<Vec<u8>> {
        match self {
            Plain::ReadEnd(pipe) => Some(pipe.borrow().iter().take(len).copied().collect()),
            Plain::File(file) => {
                let (bytes, at) = &*file.borrow();
                let from = offset.unwrap_or(*at).min(bytes.len());
                Some(bytes[from..(from + len).min(bytes.len())].to_vec())
            }
            Plain::WriteEnd(_) => None,
        }
    }

    /// Takes what was peeked at.
    pub(super) fn consume(&self, len: usize) {
        match self {
            Plain::ReadEnd(pipe) => {
                pipe.borrow_mut().drain(..len);
            }
            Plain::File(file) => file.borrow_mut().1 += len,
            Plain::WriteEnd(_) => {}
        }
    }

    /// Writes as much as there is room for; `None` if it is not the end to write to.
    pub(super) fn write(&self, data: &[u8]) -> Option<usize> {
        match self {
            Plain::WriteEnd(pipe) => {
                let mut pipe = pipe.borrow_mut();
                let len = data.len().min(PIPE_ROOM.saturating_sub(pipe.len()));
                pipe.extend(&data[..len]);
                Some(len)
            }
            Plain::ReadEnd(_) | Plain::File(_) => None,
        }
    }

    /// How much can be written.
    pub(super) fn room(&self) -> usize {
        match self {
            Plain::WriteEnd(pipe) => PIPE_ROOM.saturating_sub(pipe.borrow().len()),
            Plain::ReadEnd(_) | Plain::File(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipe_gives_what_was_written_and_keeps_what_was_only_peeked_at() {
        let [read, write] = Plain::pipe();
        assert_eq!(write.write(b"abcd"), Some(4));
        assert_eq!(read.peek(2, None), Some(b"ab".to_vec()));
        read.consume(1);
        assert_eq!(read.peek(9, None), Some(b"bcd".to_vec()));
        assert_eq!(read.write(b"x"), None);
        assert_eq!(write.peek(1, None), None);
    }

    #[test]
    fn pipe_holds_sixteen_pages() {
        let [_read, write] = Plain::pipe();
        assert_eq!(write.write(&vec![0; 70000]), Some(65536));
        assert_eq!(write.room(), 0);
    }
}
