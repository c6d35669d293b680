//! Exit statuses, and the signals that go through to CMD.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use crate::launch::Child;
use crate::sys::signal::{Mask, SignalFd};

/// Hearken itself failed.
pub const FAILED: u8 = 125;
/// CMD was found but could not be executed.
pub const NOT_EXECUTABLE: u8 = 126;
/// CMD was not found.
pub const NOT_FOUND: u8 = 127;

/// How CMD ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this status.
    Exited(u8),
    /// By this signal.
    Signaled(u8),
}

impl Ended {
    /// From a wait status as waitpid(2) gives it.
    pub fn from_wait_status(status: i32) -> Self {
        if libc::WIFSIGNALED(status) {
            Self::Signaled(libc::WTERMSIG(status) as u8)
        } else {
            Self::Exited(libc::WEXITSTATUS(status) as u8)
        }
    }

    /// The exit status of `run`, as a shell would put it.
    pub fn code(self) -> u8 {
        match self {
            Self::Exited(code) => code,
            Self::Signaled(n) => 128 + n,
        }
    }
}

/// The signals that go through to CMD.
pub const FORWARDED: [i32; 7] = [
    libc::SIGINT,
    libc::SIGTERM,
    libc::SIGHUP,
    libc::SIGQUIT,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGWINCH,
];

/// What a signal asks of the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Nothing: CMD has it.
    Nothing,
    /// CMD has ended already (a daemon of it lives on): end `run` with this status.
    End(u8),
}

/// The signals that came for the supervisor. The stop and continue of job control are not among
/// them: they act on the whole process group, CMD with it.
#[derive(Debug)]
pub struct Signals {
    fd: SignalFd,
    /// What was blocked before; CMD gets this back.
    pub original: Mask,
}

impl Signals {
    /// Blocks them in the calling thread and takes them as a descriptor. Do it before the launch:
    /// until then a signal would end the supervisor alone.
    pub fn take() -> io::Result<Self> {
        let mask = Mask::of(&FORWARDED);
        let original = mask.block();
        Ok(Self {
            fd: SignalFd::new(&mask)?,
            original,
        })
    }

    /// Handles all that are pending. Call when the descriptor is readable.
    pub fn forward(&self, child: &Child) -> io::Result<Asked> {
        while let Some(signal) = self.fd.next()? {
            if child.has_ended() {
                if matches!(
                    signal.number,
                    libc::SIGUSR1 | libc::SIGUSR2 | libc::SIGWINCH
                ) {
                    continue;
                }
                return Ok(Asked::End(128 + signal.number as u8));
            }
            // The terminal's own goes to the whole foreground group: CMD, if it is still in ours, has
            // it already and must not get it twice.
            if signal.from_kernel && child.shares_our_process_group() {
                continue;
            }
            child.signal(signal.number)?;
        }
        Ok(Asked::Nothing)
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ended_wait_status_maps_as_a_shell_does() {
        assert_eq!(Ended::from_wait_status(3 << 8).code(), 3);
        assert_eq!(Ended::from_wait_status(9).code(), 137);
        assert_eq!(Ended::from_wait_status(11 | 0x80).code(), 139);
    }
}
