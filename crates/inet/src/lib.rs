//! One network namespace as a sans-IO value, [`Net`]: it owns every socket; frames, time and calls go in, frames and
//! events come out. No clock, no IO, no randomness but the seed's.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod api;
pub mod error;
pub mod event;
pub mod frame;
pub mod hooks;
mod net;

pub use api::*;
pub use error::*;
pub use event::{Event, Ready, SynId, SynVerdict};
pub use frame::{Progress, RxCsum, RxFrame, RxMeta, TxCaps, TxCsum, TxMeta, TxSink};
pub use hearken_abi::{Domain, TcpState};
pub use hearken_tcp::{Drops, Instant, Mib, SysctlError, Sysctls};
pub use hooks::{HookMask, Hooks, SecurityCall, SockOp, SockOps, Step};
pub use net::Net;
