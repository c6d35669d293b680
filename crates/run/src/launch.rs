//! Starting CMD under the filter.
//!
//! The supervisor stays where it is. It forks and execs itself as the *guardian* (a hidden
//! subcommand), which enters the namespaces, becomes a child subreaper and forks CMD; CMD installs
//! the filter and sends its notify descriptor here. The guardian then only reaps, tells how CMD ended, and
//! kills the whole tree if the supervisor dies.

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::OwnedFd;

use crate::sys::notify::Listener;

/// What to start, and how.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// CMD and its arguments.
    pub command: Vec<OsString>,
    /// `--sysctl` name and value; those that the kernel's own namespace has too are written there.
    pub sysctls: Vec<(String, String)>,
}

/// In which network CMD runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Network {
    /// A fresh network namespace.
    Own,
    /// The caller's: namespaces were refused, for this reason, and only the filter is there.
    FilterAlone(String),
}

/// A started CMD that waits for `go`.
#[derive(Debug)]
pub struct Child {
    /// CMD's process id.
    pub pid: i32,
    /// CMD's pidfd.
    pub pidfd: OwnedFd,
    /// The notify descriptor.
    pub listener: Listener,
    /// The namespace's own `/proc/sys/net/core/somaxconn`, readable and writable.
    pub somaxconn: Option<File>,
    /// Where it runs.
    pub network: Network,
    /// What did not work but does not stop CMD, one line each, for stderr.
    pub notes: Vec<String>,
}
