//! A machine: several network namespaces, open files, descriptor tables and the socket calls. errno is decided here
//! and nowhere else: the layers below answer with enums, and `errno.rs` is the one table that turns them into numbers.
//!
//! A call never waits. One that would block answers [`Outcome::Blocked`] with a [`Ticket`]; its owner parks a thread, a
//! task or a seccomp notification on the ticket and comes back with [`Machine::resume`] or [`Machine::interrupt`].
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod blocked;
mod calls;
mod epoll;
mod errno;
mod error_queue;
mod fd_table;
mod file;
mod machine;
mod options;
mod poll;
mod proc;
mod process;
mod security;
mod socket;

pub use blocked::{Blocked, Outcome, Reply, Ticket};
pub use calls::accept::Accepted;
pub use calls::sockaddr::{AddressUse, address};
pub use epoll::{EpollEvent, EpollOp};
pub use error_queue::ErrorMessage;
pub use fd_table::{Descriptors, FdTable, References, Reserved};
pub use file::FileId;
pub use hearken_inet::{Cred, Instant};
pub use machine::{Machine, MachineEvent, NetId};
pub use process::{Process, ProcessReply};
