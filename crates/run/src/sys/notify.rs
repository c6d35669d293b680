//! The supervisor's end of seccomp user notification.
//!
//! A signal that reaches the program while its call waits for us cancels the call without a word:
//! the next ioctl on that id gives ENOENT. That is a normal outcome, so every reply says whether it
//! was [`Sent::Delivered`] or the call was [`Sent::Gone`], and the caller must be able to undo.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// One system call of the program that waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notif {
    /// The kernel's name for this pending call; unique per listener.
    pub id: u64,
    /// The *thread* id of the caller, in our PID namespace (0 if it is not visible there).
    pub pid: u32,
    /// Always 0 so far; the kernel reserves it.
    pub flags: u32,
    /// The system call number.
    pub nr: i32,
    /// The entry point (`AUDIT_ARCH_X86_64` here: the filter refuses the others).
    pub arch: u32,
    /// The raw registers. A 32-bit argument must be cut down by the reader: the upper half is the
    /// program's to choose.
    pub args: [u64; 6],
}

/// What became of an answer.
#[must_use = "a call that is gone must be rolled back"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The program has it.
    Delivered,
    /// The call was cancelled by a signal (or its thread died): nothing was delivered.
    Gone,
}

/// What became of a descriptor that was to be installed in the program.
#[must_use = "a call that is gone must be rolled back"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// Installed, under this number in the program's table; that number was the call's result.
    Fd(i32),
    /// The call was cancelled by a signal (or its thread died): nothing was installed.
    Gone,
}

/// The notify descriptor of a filter. POLLIN: a call waits; POLLHUP: the last task under the
/// filter has gone.
#[derive(Debug)]
pub struct Listener(pub OwnedFd);

// `_IOW('!', 4, __u64)` and its one flag, new in Linux 6.6.
const SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP: u64 = 1;

impl Listener {
    /// Takes the next pending call. `None`: it was cancelled between poll and here. Blocks if there
    /// is none: poll first.
    pub fn recv(&self) -> io::Result<Option<Notif>> {
        // SAFETY: seccomp_notif is plain data; the kernel demands that it is all zero.
        let mut raw: libc::seccomp_notif = unsafe { std::mem::zeroed() };
        match self.ioctl(libc::SECCOMP_IOCTL_NOTIF_RECV, &mut raw) {
            Ok(_) => Ok(Some(Notif {
                id: raw.id,
                pid: raw.pid,
                flags: raw.flags,
                nr: raw.data.nr,
                arch: raw.data.arch,
                args: raw.data.args,
            })),
            Err(e) if e.raw_os_error() == Some(libc::ENOENT) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Whether the call still waits. Ask after each read of the program's memory (before the bytes
    /// are believed) and before each write to it: a thread id is reused once its thread is gone.
    pub fn id_valid(&self, id: u64) -> bool {
        let mut id = id;
        self.ioctl(libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &mut id)
            .is_ok()
    }

    /// Ends the call with this result.
    pub fn reply_value(&self, id: u64, value: i64) -> io::Result<Sent> {
        self.reply(id, value, 0, 0)
    }

    /// Ends the call with this errno, a positive number.
    pub fn reply_errno(&self, id: u64, errno: i32) -> io::Result<Sent> {
        debug_assert!(errno > 0, "errno {errno}");
        self.reply(id, 0, -errno, 0)
    }

    /// Lets the kernel run the call itself.
    pub fn reply_continue(&self, id: u64) -> io::Result<Sent> {
        // The libc crate types the flag as c_ulong.
        self.reply(id, 0, 0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32)
    }

    fn reply(&self, id: u64, val: i64, error: i32, flags: u32) -> io::Result<Sent> {
        let mut raw = libc::seccomp_notif_resp {
            id,
            val,
            error,
            flags,
        };
        match self.ioctl(libc::SECCOMP_IOCTL_NOTIF_SEND, &mut raw) {
            Ok(_) => Ok(Sent::Delivered),
            Err(e) if e.raw_os_error() == Some(libc::ENOENT) => Ok(Sent::Gone),
            Err(e) => Err(e),
        }
    }

    /// Installs a copy of `fd` at the program's lowest free number and ends the call with that
    /// number, in one step. `Err(EMFILE)`: the program's own limit; answer it with that errno.
    pub fn add_fd(&self, id: u64, fd: BorrowedFd<'_>, cloexec: bool) -> io::Result<Added> {
        self.add(id, fd, 0, cloexec, libc::SECCOMP_ADDFD_FLAG_SEND as u32)
    }

    /// Installs a copy of `fd` at `newfd` of the program, replacing what is open there. The call
    /// stays pending: reply to it afterwards.
    pub fn add_fd_at(
        &self,
        id: u64,
        fd: BorrowedFd<'_>,
        newfd: i32,
        cloexec: bool,
    ) -> io::Result<Added> {
        let newfd = u32::try_from(newfd).map_err(|_| io::Error::from_raw_os_error(libc::EBADF))?;
        self.add(
            id,
            fd,
            newfd,
            cloexec,
            libc::SECCOMP_ADDFD_FLAG_SETFD as u32,
        )
    }

    fn add(
        &self,
        id: u64,
        fd: BorrowedFd<'_>,
        newfd: u32,
        cloexec: bool,
        flags: u32,
    ) -> io::Result<Added> {
        let mut raw = libc::seccomp_notif_addfd {
            id,
            flags,
            srcfd: fd.as_raw_fd() as u32,
            newfd,
            newfd_flags: if cloexec { libc::O_CLOEXEC as u32 } else { 0 },
        };
        match self.ioctl(libc::SECCOMP_IOCTL_NOTIF_ADDFD, &mut raw) {
            Ok(n) => Ok(Added::Fd(n)),
            Err(e) if e.raw_os_error() == Some(libc::ENOENT) => Ok(Added::Gone),
            Err(e) => Err(e),
        }
    }

    /// Asks the kernel to wake us and the program synchronously, on the same CPU (Linux 6.6).
    pub fn set_sync_wake_up(&self) -> io::Result<()> {
        // SAFETY: this ioctl takes its flags by value, no pointer.
        let r = unsafe {
            libc::ioctl(
                self.0.as_raw_fd(),
                libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS,
                SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP,
            )
        };
        if r < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    fn ioctl<T>(&self, request: libc::Ioctl, arg: &mut T) -> io::Result<i32> {
        loop {
            // SAFETY: each request above is paired with the struct that its number encodes, and
            // `arg` is a live, exclusive reference to one.
            let r = unsafe { libc::ioctl(self.0.as_raw_fd(), request, std::ptr::from_mut(arg)) };
            if r >= 0 {
                return Ok(r);
            }
            let e = io::Error::last_os_error();
            if e.raw_os_error() != Some(libc::EINTR) {
                return Err(e);
            }
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Listener {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
