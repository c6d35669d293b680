//! One trait over two systems: the host's Linux in a fresh network namespace, and ours in virtual time.
//!
//! A case is a function `fn(&mut dyn Twin)`. It makes system calls with raw Linux arguments, injects raw IP packets at an
//! interface `tun0` (192.0.2.1/24, 2001:db8::1/64), reads what the system sends there, and compares counters. The same case
//! runs on both systems and must see the same thing; what Linux does is the truth.

mod case;
mod counters;
mod helpers;
#[cfg(target_os = "linux")]
mod linux;
mod ours;
mod packet;
mod peer;
mod system;
mod table;
mod twin;

pub use case::{Ip, run_hearken, run_hearken_differs, run_linux};
pub use counters::{Counters, Delta};
pub use hearken_inet::cbpf::Insn;
pub use helpers::{
    ANY_V4, ANY_V6, LISTENER_V4, LISTENER_V6, PEER_V4, PEER_V6, QUIET, Queue, any, loopback,
    sockaddr, socket_addr, unspec,
};
#[cfg(target_os = "linux")]
pub use linux::LinuxTwin;
pub use ours::OursTwin;
pub use packet::{
    Cookie, Icmp, Opt, Packet, Segment, checksum, md5_signature, transport_checksum, wrap,
};
pub use peer::{Peer, SYN_OPTIONS};
#[cfg(target_os = "linux")]
pub use system::LinuxSystem;
pub use system::{
    Call, CallId, Lan, OursSystem, Output, Return, System, drive_hearken, drive_linux,
};
pub use table::{TcpRow, parse_table};
pub use twin::{Accepted, AddrArg, Fd, OtherFile, PendingId, Twin};
