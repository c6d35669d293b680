//! The program seen from the supervisor: its descriptors and its memory.
//!
//! A thread id can be reused as soon as its thread is gone, and a thread can vanish between any two
//! steps here. So the discipline for memory is: read, then [`Listener::id_valid`], and only then
//! believe the bytes; `id_valid`, then write. [`Memory`] keeps it; the free functions leave it to
//! the caller. Memory is read once per call and never again after a decision.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::notify::Listener;

/// pidfds by thread id, so that fetching a descriptor costs one system call.
#[derive(Debug, Default)]
pub struct Tasks {
    cache: Vec<(u32, OwnedFd)>,
    /// Where the next insertion evicts once the cache is full.
    hand: usize,
}

/// A poll that does not wait.
const NOW: rustix::event::Timespec = rustix::event::Timespec {
    tv_sec: 0,
    tv_nsec: 0,
};

/// Threads whose pidfd is kept; each costs the supervisor a descriptor.
const CACHED: usize = 64;

impl Tasks {
    /// An empty cache.
    pub fn new() -> Self {
        Self::default()
    }

    /// A transient duplicate of descriptor `fd` of thread `tid`. Drop it before the call is
    /// answered: while it lives it hides the program's last close. `EBADF`: not open there;
    /// `ESRCH`: the thread has gone.
    pub fn getfd(&mut self, tid: u32, fd: i32) -> io::Result<OwnedFd> {
        if let Some(at) = self.cache.iter().position(|(t, _)| *t == tid) {
            match pidfd_getfd(&self.cache[at].1, fd) {
                // The cached thread is dead; its number may already belong to another.
                Err(e) if e.raw_os_error() == Some(libc::ESRCH) => {
                    self.cache.swap_remove(at);
                }
                other => return other,
            }
        }
        let pidfd = open_thread(tid)?;
        let result = pidfd_getfd(&pidfd, fd);
        self.sweep();
        if self.cache.len() < CACHED {
            self.cache.push((tid, pidfd));
        } else {
            self.hand = (self.hand + 1) % CACHED;
            self.cache[self.hand] = (tid, pidfd);
        }
        result
    }

    /// Lets go of the threads that have exited. Every new thread does this too, so a supervisor needs
    /// it only to give descriptors back while nothing happens.
    pub fn sweep(&mut self) {
        use rustix::event::{PollFd, PollFlags};
        let mut fds: Vec<PollFd<'_>> = self
            .cache
            .iter()
            .map(|(_, pidfd)| PollFd::new(pidfd, PollFlags::IN))
            .collect();
        // An exited thread's pidfd is readable.
        let Ok(1..) = rustix::event::poll(&mut fds, Some(&NOW)) else {
            return;
        };
        let alive: Vec<bool> = fds.iter().map(|f| f.revents().is_empty()).collect();
        let mut alive = alive.into_iter();
        self.cache.retain(|_| alive.next().unwrap_or(true));
    }

    /// How many descriptors the cache holds now.
    pub fn len(&self) -> usize {
        self.cache.len()
    }

    /// Whether the cache holds none.
    pub fn is_empty(&self) -> bool {
        self.cache.is_empty()
    }
}

/// A pidfd for a thread. `notif.pid` is a thread id, so PIDFD_THREAD (Linux 6.9) is needed; before
/// it, the thread's process stands in, which shares its descriptors unless it unshared them.
pub fn open_thread(tid: u32) -> io::Result<OwnedFd> {
    match pidfd_open(tid, libc::PIDFD_THREAD) {
        Err(e) if e.raw_os_error() == Some(libc::EINVAL) => pidfd_open(process_of(tid)?, 0),
        other => other,
    }
}

/// `pidfd_open`, close-on-exec as always.
pub fn pidfd_open(pid: u32, flags: u32) -> io::Result<OwnedFd> {
    // SAFETY: two integers, no memory.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, flags) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Whether what the pidfd stands for has exited: it is readable then.
pub fn exited(pidfd: BorrowedFd<'_>) -> bool {
    use rustix::event::{PollFd, PollFlags};
    let mut fds = [PollFd::from_borrowed_fd(pidfd, PollFlags::IN)];
    matches!(rustix::event::poll(&mut fds, Some(&NOW)), Ok(1..))
}

/// Sends a signal to what the pidfd stands for.
pub fn pidfd_send_signal(pidfd: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    // SAFETY: integers, and a null siginfo, which makes it as kill(2) does.
    let r = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    };
    if r < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// The process (thread group) of a thread.
pub fn process_of(tid: u32) -> io::Result<u32> {
    let status = std::fs::read_to_string(format!("/proc/{tid}/status"))?;
    status
        .lines()
        .find_map(|l| l.strip_prefix("Tgid:")?.trim().parse().ok())
        .ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))
}

fn pidfd_getfd(pidfd: &OwnedFd, fd: i32) -> io::Result<OwnedFd> {
    // SAFETY: three integers, no memory.
    let r = unsafe { libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_raw_fd(), fd, 0) };
    if r < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(r as i32) })
}

/// The sockfs inode of a socket, which is its identity through dup, fork, exec and descriptor
/// passing; `None` for any other kind of file.
pub fn inode(fd: impl AsFd) -> Option<u64> {
    let st = rustix::fs::fstat(fd).ok()?;
    (st.st_mode & libc::S_IFMT == libc::S_IFSOCK).then_some(st.st_ino)
}

/// Reads exactly `buf.len()` bytes at `addr`; `EFAULT` if any of them is not readable there.
pub fn read_mem(tid: u32, addr: u64, buf: &mut [u8]) -> io::Result<()> {
    let want = buf.len();
    whole(read_some(tid, addr, buf)?, want)
}

/// Writes all of `buf` at `addr`; `EFAULT` if it did not fit (a part may then have been written).
pub fn write_mem(tid: u32, addr: u64, buf: &[u8]) -> io::Result<()> {
    if buf.is_empty() {
        return Ok(());
    }
    let local = libc::iovec {
        iov_base: buf.as_ptr().cast_mut().cast(),
        iov_len: buf.len(),
    };
    let remote = iovec(addr, buf.len());
    // SAFETY: `local` describes `buf`, which is only read; `remote` names the other process's
    // memory, where a bad address is an error and nothing else.
    let n = unsafe { libc::process_vm_writev(tid as i32, &local, 1, &remote, 1, 0) };
    if n < 0 {
        return Err(io::Error::last_os_error());
    }
    whole(n as usize, buf.len())
}

/// Reads up to `buf.len()` bytes at `addr`; a page that is not there ends it early.
pub fn read_some(tid: u32, addr: u64, buf: &mut [u8]) -> io::Result<usize> {
    if buf.is_empty() {
        return Ok(0);
    }
    let local = libc::iovec {
        iov_base: buf.as_mut_ptr().cast(),
        iov_len: buf.len(),
    };
    let remote = iovec(addr, buf.len());
    // SAFETY: `local` describes `buf`, exclusively borrowed; `remote` names the other process's
    // memory, where a bad address is an error and nothing else.
    let n = unsafe { libc::process_vm_readv(tid as i32, &local, 1, &remote, 1, 0) };
    if n < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(n as usize)
}

fn iovec(addr: u64, len: usize) -> libc::iovec {
    libc::iovec {
        iov_base: std::ptr::with_exposed_provenance_mut(addr as usize),
        iov_len: len,
    }
}

fn whole(got: usize, want: usize) -> io::Result<()> {
    if got == want {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(libc::EFAULT))
    }
}

/// One piece of the program's memory, from its `struct iovec`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteIovec {
    /// Where it begins.
    pub base: u64,
    /// How long it is.
    pub len: u64,
}

/// The fields of the program's `struct msghdr` that a stream socket looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteMsghdr {
    /// `msg_name`.
    pub name: u64,
    /// `msg_namelen`.
    pub namelen: u32,
    /// `msg_iov`.
    pub iov: u64,
    /// `msg_iovlen`.
    pub iovlen: u64,
    /// `msg_control`.
    pub control: u64,
    /// `msg_controllen`.
    pub controllen: u64,
}

/// Why an access to the program's memory gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemError {
    /// The call was cancelled: there is nobody to answer.
    Gone,
    /// The call still waits; answer it with this errno (`EFAULT`, `EMSGSIZE`, `EPERM`).
    Errno(i32),
}

/// The memory of the thread behind one pending call, under the ID_VALID discipline.
#[derive(Clone, Copy, Debug)]
pub struct Memory<'a> {
    /// Where the call came from.
    pub listener: &'a Listener,
    /// The call.
    pub id: u64,
    /// Its thread.
    pub tid: u32,
}

/// `UIO_MAXIOV`: more pieces than this are EMSGSIZE.
pub const UIO_MAXIOV: u64 = 1024;

impl Memory<'_> {
    /// Fills `buf` from `addr`.
    pub fn read(&self, addr: u64, buf: &mut [u8]) -> Result<(), MemError> {
        let r = read_mem(self.tid, addr, buf);
        // After the read: only now is it sure that it was this program's memory.
        if !self.listener.id_valid(self.id) {
            return Err(MemError::Gone);
        }
        r.map_err(|e| mem_errno(&e))
    }

    /// Writes `buf` to `addr`.
    pub fn write(&self, addr: u64, buf: &[u8]) -> Result<(), MemError> {
        if !self.listener.id_valid(self.id) {
            return Err(MemError::Gone);
        }
        write_mem(self.tid, addr, buf).map_err(|e| mem_errno(&e))
    }

    /// Reads an `int` or `socklen_t`.
    pub fn read_u32(&self, addr: u64) -> Result<u32, MemError> {
        let mut b = [0; 4];
        self.read(addr, &mut b)?;
        Ok(u32::from_ne_bytes(b))
    }

    /// Reads `count` iovecs at `addr`; more than [`UIO_MAXIOV`] is EMSGSIZE.
    pub fn read_iovecs(&self, addr: u64, count: u64) -> Result<Vec<RemoteIovec>, MemError> {
        if count > UIO_MAXIOV {
            return Err(MemError::Errno(libc::EMSGSIZE));
        }
        let mut raw = vec![0u8; count as usize * 16];
        self.read(addr, &mut raw)?;
        Ok(raw
            .chunks_exact(16)
            .map(|c| RemoteIovec {
                base: word(c, 0),
                len: word(c, 8),
            })
            .collect())
    }

    /// Reads the `struct msghdr` at `addr`.
    pub fn read_msghdr(&self, addr: u64) -> Result<RemoteMsghdr, MemError> {
        let mut raw = [0u8; 56];
        self.read(addr, &mut raw)?;
        Ok(RemoteMsghdr {
            name: word(&raw, 0),
            namelen: word(&raw, 8) as u32,
            iov: word(&raw, 16),
            iovlen: word(&raw, 24),
            control: word(&raw, 32),
            controllen: word(&raw, 40),
        })
    }

    /// Copies from the pieces into `buf`, in order, until either ends; how much it was.
    pub fn gather(&self, pieces: &[RemoteIovec], buf: &mut [u8]) -> Result<usize, MemError> {
        let mut done = 0;
        for p in pieces {
            let n = (buf.len() - done).min(usize::try_from(p.len).unwrap_or(usize::MAX));
            self.read(p.base, &mut buf[done..done + n])?;
            done += n;
        }
        Ok(done)
    }

    /// Copies `buf` out to the pieces, in order, until either ends; how much it was.
    pub fn scatter(&self, pieces: &[RemoteIovec], buf: &[u8]) -> Result<usize, MemError> {
        let mut done = 0;
        for p in pieces {
            let n = (buf.len() - done).min(usize::try_from(p.len).unwrap_or(usize::MAX));
            self.write(p.base, &buf[done..done + n])?;
            done += n;
        }
        Ok(done)
    }
}

fn mem_errno(e: &io::Error) -> MemError {
    match e.raw_os_error() {
        // The thread died after the validity check.
        Some(libc::ESRCH) => MemError::Gone,
        Some(errno) => MemError::Errno(errno),
        None => MemError::Errno(libc::EFAULT),
    }
}

fn word(bytes: &[u8], at: usize) -> u64 {
    u64::from_ne_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn tasks_more_threads_than_the_cache_holds_are_all_reached() {
        let (ready, tids) = mpsc::channel();
        let mut threads = Vec::new();
        for _ in 0..CACHED + 20 {
            let ready = ready.clone();
            let (end, wait) = mpsc::channel::<()>();
            let t = std::thread::spawn(move || {
                let tid = rustix::thread::gettid().as_raw_nonzero().get();
                ready.send(tid as u32).expect("send");
                let _ = wait.recv();
            });
            threads.push((end, t));
        }
        let tids: Vec<u32> = tids.iter().take(threads.len()).collect();
        let mut tasks = Tasks::new();
        for _ in 0..2 {
            for tid in &tids {
                tasks.getfd(*tid, 2).expect("standard error");
                assert!(tasks.len() <= CACHED);
            }
        }
        for (end, t) in threads {
            drop(end);
            t.join().expect("join");
        }
        // join() returns when the thread is about to end; its pidfd follows.
        for _ in 0..1000 {
            tasks.sweep();
            if tasks.is_empty() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        panic!("{} pidfds of ended threads are kept", tasks.len());
    }

    #[test]
    fn tasks_ended_thread_is_esrch() {
        let mut tasks = Tasks::new();
        let tid = std::thread::spawn(|| rustix::thread::gettid().as_raw_nonzero().get())
            .join()
            .expect("join") as u32;
        for _ in 0..1000 {
            match tasks.getfd(tid, 2) {
                Err(e) => return assert_eq!(e.raw_os_error(), Some(libc::ESRCH)),
                Ok(_) => std::thread::sleep(std::time::Duration::from_millis(5)),
            }
        }
        panic!("a dead thread's descriptors");
    }

    #[test]
    fn memory_that_ends_in_a_hole_is_read_up_to_it() {
        let page = rustix::param::page_size();
        // SAFETY: a fresh mapping of two pages that nobody else knows; the second is unmapped again.
        let base = unsafe {
            let p = libc::mmap(
                std::ptr::null_mut(),
                2 * page,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            );
            assert_ne!(p, libc::MAP_FAILED);
            libc::munmap(p.byte_add(page), page);
            p
        };
        let me = std::process::id();
        let addr = base.expose_provenance() as u64;
        write_mem(me, addr + page as u64 - 4, b"tail").expect("write");
        let mut b = [0; 8];
        assert_eq!(
            read_some(me, addr + page as u64 - 4, &mut b).expect("read"),
            4
        );
        assert_eq!(&b[..4], b"tail");
        let e = read_mem(me, addr + page as u64 - 4, &mut b).expect_err("short");
        assert_eq!(e.raw_os_error(), Some(libc::EFAULT));
        let e = write_mem(me, addr + page as u64 - 4, &b).expect_err("short");
        assert_eq!(e.raw_os_error(), Some(libc::EFAULT));
        // SAFETY: the first page of the mapping above, used no more.
        unsafe { libc::munmap(base, page) };
    }

    #[test]
    fn inode_of_a_socket_is_kept_by_its_duplicates_only() {
        let (a, b) = super::super::message::pair().expect("pair");
        let copy = a.try_clone().expect("dup");
        assert!(inode(&a).is_some());
        assert_eq!(inode(&a), inode(&copy));
        assert_ne!(inode(&a), inode(&b));
        assert_eq!(inode(std::fs::File::open("/dev/null").expect("null")), None);
    }
}
