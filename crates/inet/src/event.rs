//! Readiness and events: what the owner of a socket waits for.

use core::net::SocketAddr;
use core::ops::{BitAnd, BitOr, BitOrAssign};

/// A set of poll conditions, with the bits of poll(2).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ready(pub u16);

impl Ready {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// POLLIN: a read does not block (data, end of stream, an error), or a connection waits to be accepted.
    pub const READ: Self = Self(0x1);
    /// POLLPRI: an urgent byte has come, and MSG_OOB has not taken it.
    pub const PRI: Self = Self(0x2);
    /// POLLOUT: a write does not block.
    pub const WRITE: Self = Self(0x4);
    /// POLLERR: an error is pending.
    pub const ERR: Self = Self(0x8);
    /// POLLHUP: both directions are shut, or the socket was never connected.
    pub const HUP: Self = Self(0x10);
    /// POLLRDHUP: the peer sends no more.
    pub const RDHUP: Self = Self(0x2000);
    /// All of them.
    pub const ALL: Self = Self(0x201f);

    /// Whether all of `o` are set.
    pub const fn has(self, o: Self) -> bool {
        self.0 & o.0 == o.0
    }
    /// Whether none is set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}
impl BitOr for Ready {
    type Output = Self;
    fn bitor(self, o: Self) -> Self {
        Self(self.0 | o.0)
    }
}
impl BitAnd for Ready {
    type Output = Self;
    fn bitand(self, o: Self) -> Self {
        Self(self.0 & o.0)
    }
}
impl BitOrAssign for Ready {
    fn bitor_assign(&mut self, o: Self) {
        self.0 |= o.0;
    }
}

/// A SYN that waits for a verdict.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct SynId {
    pub(crate) v6: bool,
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

/// What becomes of a held SYN.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SynVerdict {
    /// Answer with SYN-ACK.
    Accept,
    /// Answer with RST, as a closed port does.
    Reset,
    /// Answer with ICMP (ICMPv6) destination unreachable of this code.
    Icmp(u8),
    /// No answer.
    Drop,
}

/// Something that happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// Something that the socket's owner is interested in may have become true.
    Ready {
        /// The token given with the interest.
        token: u64,
        /// What holds now, of what was asked for.
        ready: Ready,
    },
    /// A SYN to a listener made by `listen_any` waits for [`crate::Net::resolve_syn`].
    Syn {
        /// Names it.
        id: SynId,
        /// Where the client wants to go.
        local: SocketAddr,
        /// Who it is.
        remote: SocketAddr,
    },
}
