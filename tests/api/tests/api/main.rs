//! The two-system suite. Each file holds the cases of one part of the passive open.

#[macro_use]
mod registry;

mod accept_queue;
mod backlog;
mod leave_listen;
mod listen_errno;
