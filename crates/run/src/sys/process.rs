//! Fork, exec, and what a process sets on itself.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::signal::Mask;

/// A null-terminated argument or environment vector, made before a fork.
pub struct Vector {
    // The pointers below point into these.
    _strings: Vec<CString>,
    pointers: Vec<*const libc::c_char>,
}

impl Vector {
    /// Keeps the strings and points at them.
    pub fn new(strings: Vec<CString>) -> Self {
        let pointers = strings
            .iter()
            .map(|s| s.as_ptr())
            .chain([std::ptr::null()])
            .collect();
        Self {
            _strings: strings,
            pointers,
        }
    }
}

/// Forks and execs `program` with the descriptors of `inherit` left open, `mask` as its blocked
/// signals and everything else as it is here. May be called in a process with threads.
pub fn spawn(
    program: &CStr,
    argv: &Vector,
    envp: &Vector,
    inherit: &[BorrowedFd<'_>],
    mask: &Mask,
) -> io::Result<i32> {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    // Nothing may reach the child between fork and exec: a handler of the parent's would run there.
    let old = Mask::all().block();
    // SAFETY: until execve or _exit the child makes only async-signal-safe calls and allocates
    // nothing.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        for fd in inherit {
            // SAFETY: an integer command on an open descriptor.
            unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, 0) };
        }
        mask.set();
        // SAFETY: both vectors are null-terminated and alive; see `Vector`.
        unsafe {
            libc::execve(
                program.as_ptr(),
                argv.pointers.as_ptr(),
                envp.pointers.as_ptr(),
            )
        };
        let errno = io::Error::last_os_error().raw_os_error().unwrap_or(0);
        let _ = rustix::io::write(&write, &errno.to_ne_bytes());
        exit_now(125);
    }
    let forked = if pid < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(pid)
    };
    old.set();
    let pid = forked?;
    drop(write);
    let mut errno = [0; 4];
    match rustix::io::retry_on_intr(|| rustix::io::read(&read, &mut errno)) {
        Ok(4) => {
            let _ = wait_for(pid);
            Err(io::Error::from_raw_os_error(i32::from_ne_bytes(errno)))
        }
        _ => Ok(pid),
    }
}

/// Forks a process that has one thread; `None` in the child.
pub fn fork_single_threaded() -> io::Result<Option<i32>> {
    let threads = std::fs::read_dir("/proc/self/task")?.count();
    if threads != 1 {
        return Err(io::Error::other(format!(
            "{threads} threads, one is needed"
        )));
    }
    // SAFETY: with one thread no lock can be held elsewhere, so the child may do all that the
    // parent may.
    let pid = unsafe { libc::fork() };
    match pid {
        0 => Ok(None),
        p if p > 0 => Ok(Some(p)),
        _ => Err(io::Error::last_os_error()),
    }
}

/// `execvp`: searches PATH, and runs a script without `#!` by the shell. Comes back only to say why
/// not.
pub fn execvp(argv: &Vector) -> io::Error {
    if argv.pointers[0].is_null() {
        return io::Error::from_raw_os_error(libc::ENOENT);
    }
    // SAFETY: the vector is null-terminated and alive, and its first pointer is not null.
    unsafe { libc::execvp(argv.pointers[0], argv.pointers.as_ptr()) };
    io::Error::last_os_error()
}

/// Ends the process at once: no destructors, no exit handlers (which belong to the parent of a
/// fork).
pub fn exit_now(code: i32) -> ! {
    // SAFETY: takes an integer and does not come back.
    unsafe { libc::_exit(code) }
}

/// Waits for one child; its wait status.
pub fn wait_for(pid: i32) -> io::Result<i32> {
    loop {
        let mut status = 0;
        // SAFETY: `status` is a live int.
        if unsafe { libc::waitpid(pid, &mut status, 0) } == pid {
            return Ok(status);
        }
        let e = io::Error::last_os_error();
        if e.kind() != io::ErrorKind::Interrupted {
            return Err(e);
        }
    }
}

/// What a look for ended children found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaped {
    /// This child ended, with this wait status.
    Child(i32, i32),
    /// There are children, none of them ended.
    NoneYet,
    /// There is no child at all.
    NoChild,
}

/// Reaps one ended child of any kind without waiting.
pub fn reap() -> Reaped {
    let mut status = 0;
    // SAFETY: `status` is a live int.
    match unsafe { libc::waitpid(-1, &mut status, libc::WNOHANG | libc::__WALL) } {
        0 => Reaped::NoneYet,
        pid if pid > 0 => Reaped::Child(pid, status),
        _ => Reaped::NoChild,
    }
}

/// Takes over a descriptor number that the parent process passed on, close-on-exec from now on.
pub fn adopt(number: i32) -> io::Result<OwnedFd> {
    // SAFETY: an integer command; a number that is not open gives EBADF.
    if unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the number is open and, in a process that just began, owned by nobody else here.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Closes every descriptor but `keep`, and points 0, 1 and 2 at /dev/null: a process that only
/// watches must not hold the other ends of CMD's pipes open.
pub fn close_all_but(keep: &[BorrowedFd<'_>]) -> io::Result<()> {
    let null = std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/null")?;
    for number in 0..=2 {
        if keep.iter().all(|k| k.as_raw_fd() != number) {
            // SAFETY: two descriptor numbers; std never closes 0, 1 and 2 itself.
            unsafe { libc::dup2(null.as_raw_fd(), number) };
        }
    }
    let mut open: Vec<i32> = std::fs::read_dir("/proc/self/fd")?
        .filter_map(|e| e.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    open.retain(|n| *n > 2 && *n != null.as_raw_fd() && keep.iter().all(|k| k.as_raw_fd() != *n));
    for number in open {
        // SAFETY: no value of this process owns any of these: they came through exec, or are kept.
        unsafe { libc::close(number) };
    }
    Ok(())
}

/// Enters fresh network and mount namespaces, and before them a user namespace if `user`. Needs a
/// process with one thread for the latter.
pub fn unshare(user: bool) -> io::Result<()> {
    use rustix::thread::UnshareFlags;
    let mut flags = UnshareFlags::NEWNET | UnshareFlags::NEWNS;
    if user {
        flags |= UnshareFlags::NEWUSER;
    }
    // SAFETY: only CLONE_FILES (a descriptor table that other threads believe shared) is unsafe,
    // and it is not among the flags.
    Ok(unsafe { rustix::thread::unshare_unsafe(flags) }?)
}
