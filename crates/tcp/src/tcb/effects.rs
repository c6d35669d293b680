//! What a step of a connection asks of its owner.

use core::ops::{BitOr, BitOrAssign};

/// What a step meant for the owner of the connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Effects(u16);

impl Effects {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Readability may have changed: data, FIN or an error.
    pub const READ: Self = Self(1);
    /// Writability may have changed.
    pub const WRITE: Self = Self(2);
    /// The handshake completed.
    pub const ESTABLISHED: Self = Self(4);
    /// The peer's FIN was taken in order and ours is acknowledged: a TIME_WAIT sock takes over.
    pub const TIME_WAIT: Self = Self(8);
    /// The state is CLOSE now: leave the established hash.
    pub const CLOSED: Self = Self(16);
    /// Answer the segment with a reset.
    pub const RESET_PEER: Self = Self(32);
    /// Our FIN is acknowledged and nobody holds the socket: Linux lets a TIME_WAIT sock wait in FIN_WAIT2.
    pub const FIN_WAIT2: Self = Self(64);
    /// The connection was given up: tell the peer by a reset.
    pub const RESET_OUT: Self = Self(128);
    /// The SYN-ACK of a Fast Open child is acknowledged: its place in the listener's queue is free.
    pub const FAST_OPEN: Self = Self(256);

    /// Whether all of `e` are set.
    pub const fn has(self, e: Self) -> bool {
        self.0 & e.0 == e.0
    }
}
impl BitOr for Effects {
    type Output = Self;
    fn bitor(self, o: Self) -> Self {
        Self(self.0 | o.0)
    }
}
impl BitOrAssign for Effects {
    fn bitor_assign(&mut self, o: Self) {
        self.0 |= o.0;
    }
}
