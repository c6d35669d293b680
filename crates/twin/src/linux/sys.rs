//! The system calls as Linux has them: raw arguments, and the errno as a value.

use core::ffi::c_int;
use std::ffi::CString;
use std::io;

use hearken_abi::Errno;

/// The calling thread's last errno.
pub(crate) fn last() -> Errno {
    Errno(io::Error::last_os_error().raw_os_error().unwrap_or(0))
}

/// A call's int as a result.
pub(crate) fn check(result: c_int) -> Result<c_int, Errno> {
    if result < 0 { Err(last()) } else { Ok(result) }
}

/// A call's size as a result.
pub(crate) fn check_size(result: isize) -> Result<usize, Errno> {
    usize::try_from(result).map_err(|_| last())
}

/// `open(2)` without a mode.
pub(crate) fn open(path: &str, flags: c_int) -> Result<c_int, Errno> {
    let path = CString::new(path).expect("a path without NUL");
    // SAFETY: the path is a valid C string for the length of the call.
    check(unsafe { libc::open(path.as_ptr(), flags | libc::O_CLOEXEC) })
}

/// `close(2)`.
pub(crate) fn close(fd: c_int) -> Result<(), Errno> {
    // SAFETY: closing a descriptor touches no memory of ours; the number came from a case and belongs to this thread's table.
    check(unsafe { libc::close(fd) }).map(drop)
}

/// A private descriptor table for the calling thread that keeps only standard input, output and error.
pub(crate) fn own_descriptors() -> Result<(), Errno> {
    // SAFETY: the call unshares the table first, so it closes nothing that another thread uses; this thread owns no
    // descriptor above 2 yet.
    let result = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            3,
            u32::MAX,
            libc::CLOSE_RANGE_UNSHARE,
        )
    };
    check(result as c_int).map(drop)
}

/// A network namespace of its own for the calling thread.
pub(crate) fn unshare_net() -> Result<(), Errno> {
    // SAFETY: only this thread's namespace changes.
    check(unsafe { libc::unshare(libc::CLONE_NEWNET) }).map(drop)
}

/// The calling thread's effective user; real and saved stay 0, so that it can come back.
pub(crate) fn set_euid(uid: u32) -> Result<(), Errno> {
    // SAFETY: the raw call changes this thread alone, where libc's wrapper would change every thread of the process.
    let result = unsafe { libc::syscall(libc::SYS_setresuid, u32::MAX, uid, u32::MAX) };
    check(result as c_int).map(drop)
}

/// The calling thread's number.
pub(crate) fn thread_id() -> c_int {
    // SAFETY: no arguments, no memory.
    unsafe { libc::syscall(libc::SYS_gettid) as c_int }
}

/// Lets the calling thread, which asks the kernel about timing, go before what else the machine does. It may not be allowed to.
pub(crate) fn hurry() {
    let thread = thread_id() as libc::id_t;
    // SAFETY: numbers only; the thread is this one, which ends with its case.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, thread, -15) };
}

/// Sends a signal to a thread of this process.
pub(crate) fn signal_thread(thread: c_int, signal: c_int) {
    // SAFETY: the thread is one that we started and have not joined; a thread that is gone gives ESRCH.
    unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, signal) };
}

extern "C" fn ignore(_signal: c_int) {}

/// Installs empty handlers: SIGUSR1 without SA_RESTART, SIGUSR2 with it.
pub(crate) fn install_handlers() {
    for (signal, flags) in [(libc::SIGUSR1, 0), (libc::SIGUSR2, libc::SA_RESTART)] {
        // SAFETY: sigaction is plain data for which zero is a valid value.
        let mut action: libc::sigaction = unsafe { core::mem::zeroed() };
        action.sa_sigaction = ignore as *const () as usize;
        action.sa_flags = flags;
        // SAFETY: the handler does nothing, so it is safe in a signal; the structure lives for the call.
        let result = unsafe { libc::sigaction(signal, &action, core::ptr::null_mut()) };
        check(result).expect("sigaction");
    }
}

/// Bounds the process's descriptors, so that a case can fill its table quickly.
pub(crate) fn bound_descriptors(limit: u64) {
    let mut now = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the structure lives for the call.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut now) }).expect("getrlimit");
    now.rlim_cur = now.rlim_cur.min(limit);
    // SAFETY: the structure lives for the call.
    check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &now) }).expect("setrlimit");
}

/// `ioctl(2)` with a structure.
pub(crate) fn ioctl<T>(fd: c_int, request: u64, arg: &mut T) -> Result<(), Errno> {
    // SAFETY: each caller passes the structure that the request is defined with, and it lives for the call.
    check(unsafe { libc::ioctl(fd, request as _, core::ptr::from_mut(arg)) }).map(drop)
}

/// Whether the descriptor becomes readable within so many milliseconds.
pub(crate) fn readable(fd: c_int, milliseconds: c_int) -> bool {
    let mut poll = libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one structure, which lives for the call.
    unsafe { libc::poll(&mut poll, 1, milliseconds) == 1 }
}

/// `read(2)`.
pub(crate) fn read(fd: c_int, buffer: &mut [u8]) -> Result<usize, Errno> {
    // SAFETY: the buffer is writable for its whole length.
    check_size(unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) })
}

/// `write(2)`.
pub(crate) fn write(fd: c_int, buffer: &[u8]) -> Result<usize, Errno> {
    // SAFETY: the buffer is readable for its whole length.
    check_size(unsafe { libc::write(fd, buffer.as_ptr().cast(), buffer.len()) })
}
