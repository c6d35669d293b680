//! Open files: what a descriptor refers to (Linux's `struct file` with its `struct socket`).

use crate::blocked::Ticket;
use crate::epoll::Epoll;
use crate::error_queue::ErrorQueue;
use crate::machine::NetId;
use crate::options::Options;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use hearken_abi::Domain;
use hearken_inet::{Cred, SocketId};

/// Names an open file. A name whose file is gone is never reused for another one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct FileId {
    index: u32,
    generation: u32,
}

/// Tokens of ours carry this bit, so that an owner of a `Net` may use small tokens of its own beside them.
const OURS: u64 = 1 << 63;

impl FileId {
    /// As the token that a `Net` hands back in its events.
    #[must_use]
    pub const fn token(self) -> u64 {
        OURS | (self.generation as u64) << 32 | self.index as u64
    }

    /// From such a token; `None` when it is somebody else's.
    #[must_use]
    pub const fn from_token(token: u64) -> Option<Self> {
        if token & OURS == 0 {
            return None;
        }
        Some(Self {
            index: (token & 0xffff_ffff) as u32,
            generation: ((token & !OURS) >> 32) as u32,
        })
    }

    /// Its place in the machine's table, as /proc shows an inode number.
    #[must_use]
    pub const fn inode(self) -> u64 {
        self.index as u64 + 1
    }
}

/// A TCP socket: the socket itself lives in its namespace.
#[derive(Debug)]
pub(crate) struct TcpFile {
    pub(crate) net: NetId,
    pub(crate) socket: SocketId,
    pub(crate) domain: Domain,
    pub(crate) options: Options,
    /// Once something was asked of it.
    pub(crate) errors: Option<Box<ErrorQueue>>,
    /// What control messages ask to be stamped of the next send.
    pub(crate) stamp_next: Option<u32>,
}

/// A datagram or raw socket of AF_INET or AF_INET6: as much of one as its `listen` and `getsockopt` need.
#[derive(Debug)]
pub(crate) struct OtherSocket {
    pub(crate) domain: Domain,
    pub(crate) kind: i32,
    pub(crate) protocol: i32,
    pub(crate) options: Options,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Tcp(TcpFile),
    Other(OtherSocket),
    Epoll(Epoll),
    /// A pipe, `/dev/null`: open, and no socket.
    NotSocket,
    /// Opened with `O_PATH`: socket calls answer as if it were closed.
    Path,
}

#[derive(Debug)]
pub(crate) struct OpenFile {
    pub(crate) kind: Kind,
    /// Descriptors, blocked calls and owners that hold it.
    pub(crate) references: u32,
    /// `O_NONBLOCK`, which belongs to the open file and not to the descriptor.
    pub(crate) nonblocking: bool,
    /// Who made it.
    pub(crate) cred: Cred,
    /// Poll bits that the owner of the machine wants to hear of.
    pub(crate) watch: u32,
    /// Stands in the event list, once.
    pub(crate) notified: bool,
    /// Calls that wait on it, oldest first.
    pub(crate) waiters: VecDeque<Ticket>,
    /// Epoll sets that it is in.
    pub(crate) watchers: Vec<FileId>,
    /// Connections to be accepted when its epoll sets were last told.
    pub(crate) told_of: usize,
}

impl OpenFile {
    pub(crate) fn new(kind: Kind, cred: Cred) -> Self {
        Self {
            kind,
            references: 1,
            nonblocking: false,
            cred,
            watch: 0,
            notified: false,
            waiters: VecDeque::new(),
            watchers: Vec::new(),
            told_of: 0,
        }
    }
}

#[derive(Debug, Default)]
struct Slot {
    generation: u32,
    file: Option<OpenFile>,
}

/// All open files of a machine.
#[derive(Debug, Default)]
pub(crate) struct Files {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

impl Files {
    pub(crate) fn insert(&mut self, file: OpenFile) -> FileId {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 open files")
        });
        let slot = &mut self.slots[index as usize];
        slot.file = Some(file);
        FileId {
            index,
            generation: slot.generation,
        }
    }

    pub(crate) fn get(&self, id: FileId) -> Option<&OpenFile> {
        let slot = self.slots.get(id.index as usize)?;
        if slot.generation != id.generation {
            return None;
        }
        slot.file.as_ref()
    }

    pub(crate) fn get_mut(&mut self, id: FileId) -> Option<&mut OpenFile> {
        let slot = self.slots.get_mut(id.index as usize)?;
        if slot.generation != id.generation {
            return None;
        }
        slot.file.as_mut()
    }

    pub(crate) fn remove(&mut self, id: FileId) -> Option<OpenFile> {
        self.get(id)?;
        let slot = self.slots.get_mut(id.index as usize)?;
        // 31 bits, so that a token has room for the bit that says it is ours.
        slot.generation = (slot.generation + 1) & 0x7fff_ffff;
        self.free.push(id.index);
        slot.file.take()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (FileId, &OpenFile)> {
        (0u32..).zip(&self.slots).filter_map(|(index, slot)| {
            let id = FileId {
                index,
                generation: slot.generation,
            };
            Some((id, slot.file.as_ref()?))
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> OpenFile {
        OpenFile::new(
            Kind::NotSocket,
            Cred {
                uid: 0,
                net_bind_service: false,
            },
        )
    }

    #[test]
    fn files_removed_name_finds_nothing_even_when_the_slot_is_reused() {
        let mut files = Files::default();
        let a = files.insert(open());
        assert!(files.get(a).is_some());
        assert!(files.remove(a).is_some());
        assert!(files.remove(a).is_none());
        let b = files.insert(open());
        assert_ne!(a, b);
        assert_eq!(a.inode(), b.inode());
        assert!(files.get(a).is_none());
        assert!(files.get(b).is_some());
        assert_eq!(files.len(), 1);
    }

    #[test]
    fn file_id_token_round_trips_and_leaves_small_tokens_to_others() {
        let mut files = Files::default();
        let first = files.insert(open());
        files.remove(first);
        let a = files.insert(open());
        assert_eq!(FileId::from_token(a.token()), Some(a));
        assert_eq!(FileId::from_token(0), None);
        assert_eq!(FileId::from_token(u64::from(u32::MAX)), None);
    }
}
