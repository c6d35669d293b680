//! The two-system suite. Each file holds the cases of one part of the passive open.

#[macro_use]
mod registry;

mod backlog;
mod listen_errno;
