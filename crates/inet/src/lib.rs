//! One network namespace as a sans-IO value, [`Net`]: it owns every socket; frames, time and calls go in, frames and
//! events come out. No clock, no IO, no randomness but the seed's.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod api;
mod arena;
mod bind;
pub mod cbpf;
mod close;
mod connect;
mod diag;
pub mod error;
pub mod event;
mod family;
mod filter;
pub mod frame;
mod hash;
pub mod hooks;
mod iface;
mod io;
mod ip;
mod link;
mod listen;
pub mod log;
mod md5;
mod metrics;
mod net;
mod options;
pub mod proc;
mod shared;
mod sock_ops;
mod socket;
mod tcp_input;
mod tcp_output;
mod timers;
mod timewait;
mod transmit;
mod udp;
mod urgent;

pub use api::*;
pub use error::*;
pub use event::{Event, Ready, SynId, SynVerdict};
pub use frame::{Progress, RxCsum, RxFrame, RxMeta, TxCaps, TxCsum, TxMeta, TxSink};
pub use hearken_abi::{Domain, TcpState};
pub use hearken_tcp::md5::{Key as Md5Key, Peers as Md5Peers};
pub use hearken_tcp::tcb::{Knob, OutOfBand};
pub use hearken_tcp::{Congestion, Drops, Instant, Mib, SysctlError, Sysctls};
pub use hooks::{
    CbFlags, HookMask, Hooks, Retransmit, SecurityCall, SeenFrame, SockOp, SockOps, SockReply,
    SockView, StateChange, Step,
};
pub use listen::FastOpenKeys;
pub use log::Message;
pub use net::Net;
pub use socket::Attached;
