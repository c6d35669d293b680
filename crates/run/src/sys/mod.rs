//! The Linux interfaces that `run` stands on. All unsafe code of the crate is here.

pub mod notify;
pub mod remote;
pub mod seccomp;
