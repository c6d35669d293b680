//! The program's TCP sockets: from end A's inode to the socket of the stack.
//!
//! A socket is A's sockfs inode and nothing else: dup, fork, exec and descriptor passing then need
//! no tracking. We never keep a duplicate of A: it would hide the program's last close.

use std::collections::HashMap;
use std::os::fd::OwnedFd;

use super::flow::Ready;
use super::slab::{Key, Slab};
use super::stack::FileId;

/// What a socket is doing, as far as the pair is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Neither connected nor listening: nothing moves. A stands alone until the first connect or listen.
    Fresh,
    /// LISTEN: A is full, and so many bytes in A's queue stand for queued connections.
    Listening {
        /// Bytes in A's queue.
        tokens: usize,
    },
    /// SYN_SENT: A is full.
    Connecting,
    /// Bytes move.
    Open,
    /// B is closed (reset, or refused); A answers the program by itself. Its close is found by
    /// asking.
    Dead,
}

/// One TCP socket of the program.
#[derive(Debug)]
pub(crate) struct Sock {
    /// A's inode.
    pub(crate) inode: u64,
    /// The socket in the stack.
    pub(crate) file: FileId,
    /// Our end; `None` in `Phase::Dead`, and in `Phase::Fresh` as long as A stands alone.
    pub(crate) b: Option<OwnedFd>,
    /// What it is doing.
    pub(crate) phase: Phase,
    /// The thread that made it, for `ss`.
    pub(crate) owner: u32,
    /// Where A was last seen: a thread and its descriptor.
    pub(crate) seen: (u32, i32),
    /// Which sides are believed ready.
    pub(crate) ready: Ready,
    /// Already in the queue of flows to run.
    pub(crate) queued: bool,
    /// A byte at the end of B's queue that is not the program's: it was put there before SHUT_WR, so
    /// that a later reset can still be told.
    pub(crate) sentinel: bool,
    /// The program shut its writing side.
    pub(crate) program_fin: bool,
    /// That was told to the stack.
    pub(crate) fin_sent: bool,
    /// The peer's FIN (or the program's own SHUT_RD) was told to A.
    pub(crate) fin_delivered: bool,
    /// The connection broke; A is to hear it once the stack's last bytes have gone over.
    pub(crate) broken: bool,
    /// It broke while A was full, and A cannot be written any more.
    pub(crate) cut: bool,
    /// The error that broke it, until SO_ERROR asks.
    pub(crate) error: i32,
    /// The program's last descriptor is closed; what it wrote is still being sent.
    pub(crate) closed: bool,
    /// SO_LINGER with zero seconds: close is a reset and discards.
    pub(crate) linger_zero: bool,
}

impl Sock {
    pub(crate) fn new(inode: u64, file: FileId, b: Option<OwnedFd>, owner: u32) -> Self {
        Sock {
            inode,
            file,
            b,
            phase: Phase::Fresh,
            owner,
            seen: (owner, -1),
            ready: Ready::default(),
            queued: false,
            sentinel: false,
            program_fin: false,
            fin_sent: false,
            fin_delivered: false,
            broken: false,
            cut: false,
            error: 0,
            closed: false,
            linger_zero: false,
        }
    }
}

/// All of them.
pub(crate) struct Table {
    socks: Slab<Sock>,
    by_inode: HashMap<u64, Key>,
    by_file: HashMap<FileId, Key>,
}

impl Table {
    pub(crate) fn new() -> Self {
        Table {
            socks: Slab::new(),
            by_inode: HashMap::new(),
            by_file: HashMap::new(),
        }
    }

    pub(crate) fn insert(&mut self, sock: Sock) -> Key {
        let (inode, file) = (sock.inode, sock.file);
        let key = self.socks.insert(sock);
        self.by_inode.insert(inode, key);
        self.by_file.insert(file, key);
        key
    }

    pub(crate) fn get(&self, key: Key) -> Option<&Sock> {
        self.socks.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut Sock> {
        self.socks.get_mut(key)
    }

    /// The socket behind a descriptor of the program; `None` is somebody else's socket.
    pub(crate) fn by_inode(&self, inode: u64) -> Option<Key> {
        self.by_inode.get(&inode).copied()
    }

    /// The socket behind an event of the stack.
    pub(crate) fn by_file(&self, file: FileId) -> Option<Key> {
        self.by_file.get(&file).copied()
    }

    /// The program has closed it: its inode may come back as another socket.
    pub(crate) fn forget_inode(&mut self, key: Key) {
        if let Some(inode) = self.socks.get(key).map(|s| s.inode) {
            self.by_inode.remove(&inode);
        }
    }

    /// The same socket behind a new pair.
    pub(crate) fn renew(&mut self, key: Key, inode: u64, b: Option<OwnedFd>) {
        self.forget_inode(key);
        if let Some(sock) = self.socks.get_mut(key) {
            sock.inode = inode;
            sock.b = b;
            sock.phase = Phase::Fresh;
            sock.ready = Ready::default();
            sock.sentinel = false;
            sock.program_fin = false;
            sock.fin_sent = false;
            sock.fin_delivered = false;
            sock.broken = false;
            sock.cut = false;
            sock.error = 0;
            self.by_inode.insert(inode, key);
        }
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<Sock> {
        let sock = self.socks.remove(key)?;
        if self.by_inode.get(&sock.inode) == Some(&key) {
            self.by_inode.remove(&sock.inode);
        }
        self.by_file.remove(&sock.file);
        Some(sock)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &Sock)> {
        self.socks.iter()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.socks.len() == 0
    }
}
