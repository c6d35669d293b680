//! The `--name=value` lines at the head of a script.

use std::net::IpAddr;
use std::time::Duration;

/// Which addresses the connections of a script have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IpVersion {
    /// `ipv4`: AF_INET sockets, IPv4 packets.
    #[default]
    Ipv4,
    /// `ipv4-mapped-ipv6`: AF_INET6 sockets, IPv4 packets.
    Mapped,
    /// `ipv6`: AF_INET6 sockets, IPv6 packets.
    Ipv6,
}

/// What the options of a script set; `None` where it says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// `--ip_version`.
    pub ip_version: Option<IpVersion>,
    /// `--local_ip`: the address of the system under test.
    pub local_ip: Option<IpAddr>,
    /// `--remote_ip`: the address that the script's inbound packets come from.
    pub remote_ip: Option<IpAddr>,
    /// `--netmask_ip`: the mask of the local address.
    pub netmask_ip: Option<IpAddr>,
    /// `--gateway_ip`: the address of the interface's far end.
    pub gateway_ip: Option<IpAddr>,
    /// `--bind_port` (or `--local_port`): the port that `bind(fd, ..., ...)` takes; without it 8080.
    pub bind_port: Option<u16>,
    /// `--connect_port` (or `--remote_port`): the port that `connect(fd, ..., ...)` goes to, and that inbound connections come from; without it 8080.
    pub connect_port: Option<u16>,
    /// `--mtu` of the interface; without it 1500.
    pub mtu: Option<u32>,
    /// `--mss`: the MSS that inbound SYNs written without an `mss` option stand for.
    pub mss: Option<u16>,
    /// `--tolerance_usecs`: how far a time may be off.
    pub tolerance: Option<Duration>,
    /// `--tcp_ts_tick_usecs`: how long one tick of the timestamp clock is. Zero: timestamps are not compared.
    pub timestamp_tick: Option<Duration>,
    /// `--tcp_ts_ecr_scaled`: inbound `ecr` values are written in the scale of the script's own `val` values.
    pub timestamp_ecr_scaled: bool,
    /// `--strict_segments`: outbound segments are compared one by one, never merged.
    pub strict_segments: bool,
    /// `--non_fatal=packet,syscall`: outbound packets that differ in time or content are said but do not end the run.
    pub non_fatal_packet: bool,
    /// The same for results of calls.
    pub non_fatal_syscall: bool,
    /// `--init_scripts`: files of shell commands, which prepare the run before the script's own.
    pub init_scripts: Vec<String>,
    /// Options that packetdrill knows and that change nothing here, for the note that says so.
    pub without_effect: Vec<String>,
}

impl IpVersion {
    /// The version of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<IpVersion> {
        match name {
            "ipv4" => Some(IpVersion::Ipv4),
            "ipv4-mapped-ipv6" => Some(IpVersion::Mapped),
            "ipv6" => Some(IpVersion::Ipv6),
            _ => None,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            IpVersion::Ipv4 => "ipv4",
            IpVersion::Mapped => "ipv4-mapped-ipv6",
            IpVersion::Ipv6 => "ipv6",
        }
    }
}
