//! The files under /proc/net that speak of TCP, as text, byte for byte as Linux 6.18 prints them (docs/linux/proc-net.md).
//!
//! Kernel addresses print as zeros, as they do for whoever may not see them.

mod counters;
mod sockstat;
mod tcp;

pub use counters::{netstat, snmp, snmp6};
pub use sockstat::{sockstat, sockstat6};
pub use tcp::tcp;

use alloc::string::String;
use hearken_abi::Domain;
use hearken_tcp::Instant;

use crate::api::SocketId;
use crate::net::Net;

/// The names that [`file()`] knows.
pub const FILES: [&str; 7] = [
    "netstat",
    "snmp",
    "snmp6",
    "sockstat",
    "sockstat6",
    "tcp",
    "tcp6",
];

/// The text of a file of [`FILES`]; `None` for any other name. `inode` says which inode a socket has as an open file, 0 for none;
/// `others` how many sockets of other kinds the namespace has.
#[must_use]
pub fn file(
    net: &Net,
    now: Instant,
    name: &str,
    inode: impl Fn(SocketId) -> u64,
    others: u32,
) -> Option<String> {
    Some(match name {
        "tcp" => tcp(net, now, Domain::Inet, inode),
        "tcp6" => tcp(net, now, Domain::Inet6, inode),
        "snmp" => snmp(net),
        "snmp6" => snmp6(net),
        "netstat" => netstat(net),
        "sockstat" => sockstat(net, others),
        "sockstat6" => sockstat6(net),
        _ => return None,
    })
}
