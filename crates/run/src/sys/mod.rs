//! The Linux interfaces that `run` stands on. All unsafe code of the crate is here.

pub mod message;
pub mod netlink;
pub mod notify;
pub mod process;
pub mod remote;
pub mod seccomp;
pub mod signal;
pub mod sockopt;
