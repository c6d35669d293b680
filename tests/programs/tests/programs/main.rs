//! One test for each program, carried as it comes from its package.
//!
//! A program that is not installed leaves its test out, and in CI fails it: `.ci/run` installs them all. `HEARKEN_SKIP_PROGRAMS=1` skips these
//! tests on a machine that is not to have them.
#![forbid(unsafe_code)]

mod common;

mod dns;
mod facts;
mod fetch;
mod gaps;
mod go;
mod iperf;
mod java;
mod load;
mod nginx;
mod node;
mod pipes;
mod postgres;
mod python;
mod redis;
mod rust;
mod ssh;
