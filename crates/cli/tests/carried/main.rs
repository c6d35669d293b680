//! Real programs under `hearken run`. They need python3; the programs are those of `tests/programs`.
#![forbid(unsafe_code)]

mod basics;
mod capture;
mod common;
mod demo;
mod differences;
mod inspect;
mod kill;
mod load;
mod policy;
mod proc;
mod queue;
#[cfg(feature = "bpf")]
mod sock_ops;
#[cfg(feature = "top")]
mod top;
mod trace;
