//! Every part of TCP that needs no table: the control block of a connection, request socks, TIME_WAIT socks,
//! options, timers, recovery and buffers. Read RFC 9293 first, then `tcb/mod.rs`.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod addr;
pub mod buffer;
pub mod congestion;
pub mod md5;
pub mod mib;
pub mod ports;
pub mod ranges;
pub mod request;
pub mod rtt;
pub mod secrets;
pub mod seq;
pub mod sysctls;
pub mod tcb;
pub mod time;
pub mod timewait;

pub use addr::{Family, Tuple, V4, V6};
pub use buffer::Pool;
pub use congestion::Congestion;
pub use mib::{Drops, Mib};
pub use request::RequestSock;
pub use secrets::Secrets;
pub use seq::Seq;
pub use sysctls::{SysctlError, Sysctls};
pub use tcb::{Connection, Ctx, Effects, Tcb};
pub use time::Instant;
pub use timewait::TimeWaitSock;
