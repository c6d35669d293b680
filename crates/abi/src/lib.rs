//! Linux's numbers: errno, socket constants, TCP states, `tcp_info`, sysctls, counters, drop reasons. No logic.
#![no_std]
#![forbid(unsafe_code)]

pub mod counter;
pub mod drop_reason;
pub mod errno;
pub mod file;
pub mod sock;
pub mod sockaddr;
pub mod symbol;
pub mod sysctl;
pub mod tcp_info;
pub mod tcp_state;

pub use counter::Counter;
pub use drop_reason::DropReason;
pub use errno::Errno;
pub use sock::Domain;
pub use tcp_info::TcpInfo;
pub use tcp_state::TcpState;
