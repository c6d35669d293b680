//! Byte queues built of pooled chunks: memory is held only while there are bytes in it.

mod chain;
mod charge;
mod recv;
mod send;

pub use chain::{CHUNK, Chain, Pool};
pub use charge::{Ahead, Charge, Ledger};
pub use recv::{RecvBuffer, Stored};
pub use send::SendBuffer;

/// The most slices that one super-frame of 64 KiB can touch.
pub const MAX_SLICES: usize = 65536 / CHUNK + 2;
