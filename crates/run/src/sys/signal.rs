//! Signal masks and signalfd.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// A set of signals.
#[derive(Clone, Copy)]
pub struct Mask(libc::sigset_t);

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries((1..=64).filter(|n| self.contains(*n)))
            .finish()
    }
}

impl Mask {
    /// The set of these signals.
    pub fn of(signals: &[i32]) -> Self {
        let mut set = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: sigemptyset makes the whole set valid; sigaddset only sets bits in it and
        // refuses a bad number.
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            for s in signals {
                libc::sigaddset(set.as_mut_ptr(), *s);
            }
            Self(set.assume_init())
        }
    }

    /// Every signal.
    pub fn all() -> Self {
        let mut set = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: sigfillset makes the whole set valid.
        unsafe {
            libc::sigfillset(set.as_mut_ptr());
            Self(set.assume_init())
        }
    }

    /// Whether `signal` is in it.
    pub fn contains(&self, signal: i32) -> bool {
        // SAFETY: the set is valid; a bad number gives -1.
        unsafe { libc::sigismember(&self.0, signal) == 1 }
    }

    /// The calling thread's blocked signals.
    pub fn current() -> Self {
        change(libc::SIG_BLOCK, &Self::of(&[]))
    }

    /// Adds this set to the calling thread's blocked signals; gives what was blocked before.
    pub fn block(&self) -> Self {
        change(libc::SIG_BLOCK, self)
    }

    /// Makes this set the calling thread's blocked signals. Async-signal-safe.
    pub fn set(&self) {
        change(libc::SIG_SETMASK, self);
    }
}

fn change(how: i32, mask: &Mask) -> Mask {
    let mut old = Mask::of(&[]);
    // SAFETY: both sets are valid; the call can only fail for a bad `how`.
    unsafe { libc::pthread_sigmask(how, &mask.0, &mut old.0) };
    old
}

/// One signal as signalfd tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal {
    /// Its number.
    pub number: i32,
    /// Whether the kernel itself sent it: a key at the terminal, its hang-up, its new size.
    pub from_kernel: bool,
}

/// A signalfd, close-on-exec and non-blocking.
#[derive(Debug)]
pub struct SignalFd(OwnedFd);

impl SignalFd {
    /// For the signals of `mask`, which must be blocked.
    pub fn new(mask: &Mask) -> io::Result<Self> {
        // SAFETY: the set is valid; -1 asks for a new descriptor.
        let fd = unsafe { libc::signalfd(-1, &mask.0, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel just made this descriptor for us.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// The next pending signal.
    pub fn next(&self) -> io::Result<Option<Signal>> {
        // SAFETY: plain data, all zero is valid.
        let mut info: libc::signalfd_siginfo = unsafe { std::mem::zeroed() };
        // SAFETY: the buffer is `info`, with its own size.
        let n = unsafe {
            libc::read(
                self.0.as_raw_fd(),
                (&raw mut info).cast(),
                size_of::<libc::signalfd_siginfo>(),
            )
        };
        if n < 0 {
            let e = io::Error::last_os_error();
            return match e.kind() {
                io::ErrorKind::WouldBlock => Ok(None),
                _ => Err(e),
            };
        }
        Ok(Some(Signal {
            number: info.ssi_signo as i32,
            // SI_USER, SI_QUEUE and SI_TKILL are zero or less; SI_KERNEL is 0x80.
            from_kernel: info.ssi_code > 0,
        }))
    }
}

impl AsFd for SignalFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Gives `signal` its default action; tells whether it was ignored. Async-signal-safe.
pub fn set_default(signal: i32) -> bool {
    disposition(signal, libc::SIG_DFL) == libc::SIG_IGN
}

/// Ignores `signal`. Async-signal-safe.
pub fn set_ignored(signal: i32) {
    disposition(signal, libc::SIG_IGN);
}

fn disposition(signal: i32, to: libc::sighandler_t) -> libc::sighandler_t {
    // SAFETY: no handler of ours is installed: only SIG_DFL and SIG_IGN come here.
    unsafe { libc::signal(signal, to) }
}
