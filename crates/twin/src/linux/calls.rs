//! The trait over the kernel's own calls.

use core::ffi::c_int;
use core::ptr;
use core::time::Duration;
use std::fs;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use hearken_abi::Errno;
use hearken_inet::cbpf::Insn;

use super::sys::{self, check, check_size};
use super::{
    LinuxTwin, Pending, fresh_namespace, iface, is_housekeeping, read_counters, read_proc,
    sysctl_path, write_sysctl,
};
use crate::{Accepted, AddrArg, Counters, Fd, OtherFile, PendingId, TcpRow, Twin, parse_table};

/// An address that no process has mapped.
const BAD: usize = 8;

fn accept4(fd: Fd, addr: AddrArg, flags: i32) -> Result<Accepted, Errno> {
    let mut buffer = [0xaau8; 128];
    let mut len: libc::socklen_t = 16;
    if let AddrArg::Len(wanted) = addr {
        len = wanted as libc::socklen_t;
    }
    let bad = ptr::without_provenance_mut::<u8>(BAD);
    let address = match addr {
        AddrArg::None | AddrArg::NullAddressBadLen => ptr::null_mut(),
        AddrArg::Len(_) | AddrArg::NullLen => buffer.as_mut_ptr(),
        AddrArg::BadAddress => bad,
    };
    let len_ptr = match addr {
        AddrArg::None | AddrArg::NullLen => ptr::null_mut(),
        AddrArg::Len(_) | AddrArg::BadAddress => &mut len,
        AddrArg::NullAddressBadLen => bad.cast(),
    };
    // SAFETY: the kernel checks the pointers itself; where they are good, buffer and length live for the call, and the kernel
    // writes at most 28 bytes of address, within the 128.
    let fd = check(unsafe { libc::accept4(fd, address.cast(), len_ptr, flags) })?;
    let given = matches!(addr, AddrArg::Len(_));
    Ok(Accepted {
        fd,
        addr: if given { buffer.to_vec() } else { Vec::new() },
        addr_len: if given { len as i32 } else { 0 },
    })
}

fn name_of(
    fd: Fd,
    call: unsafe extern "C" fn(c_int, *mut libc::sockaddr, *mut libc::socklen_t) -> c_int,
) -> Result<Vec<u8>, Errno> {
    let mut buffer = [0u8; 128];
    let mut len = buffer.len() as libc::socklen_t;
    // SAFETY: getsockname and getpeername write at most `len` bytes into the buffer; both live for the call.
    check(unsafe { call(fd, buffer.as_mut_ptr().cast(), &mut len) })?;
    Ok(buffer[..len as usize].to_vec())
}

impl Twin for LinuxTwin {
    fn name(&self) -> &'static str {
        "linux"
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn advance(&mut self, by: Duration) {
        thread::sleep(by);
    }

    fn inject(&mut self, packet: &[u8]) {
        assert_eq!(
            sys::write(self.tun, packet),
            Ok(packet.len()),
            "a write to the TUN"
        );
    }

    fn next_packet(&mut self, timeout: Duration) -> Option<Vec<u8>> {
        let end = Instant::now() + timeout;
        let mut buffer = vec![0; 65536];
        loop {
            match sys::read(self.tun, &mut buffer) {
                Ok(len) if is_housekeeping(&buffer[..len]) => continue,
                Ok(len) => return Some(buffer[..len].to_vec()),
                Err(Errno(libc::EAGAIN)) => {}
                Err(errno) => panic!("reading the TUN: {errno}"),
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            sys::readable(self.tun, left.as_millis().max(1) as c_int);
        }
    }

    fn counters(&mut self) -> Counters {
        read_counters()
    }

    fn sysctl(&mut self, name: &str, value: &str) -> Result<(), Errno> {
        write_sysctl(name, value)
    }

    fn sysctl_get(&mut self, name: &str) -> Result<String, Errno> {
        let text = fs::read_to_string(sysctl_path(name));
        let text = text.map_err(|error| Errno(error.raw_os_error().unwrap_or(0)))?;
        Ok(text.trim_end().to_owned())
    }

    fn tcp_table(&mut self) -> Vec<TcpRow> {
        let mut rows = parse_table(&read_proc("tcp"), false);
        rows.extend(parse_table(&read_proc("tcp6"), true));
        rows
    }

    fn proc_net(&mut self, file: &str) -> String {
        read_proc(file)
    }

    fn set_uid(&mut self, uid: u32) {
        sys::set_euid(uid).expect("setresuid");
    }

    fn add_iface(&mut self, name: &str) {
        self.others
            .push(iface::open_tun(name).expect("another TUN"));
    }

    fn set_mtu(&mut self, mtu: u32) {
        iface::set_mtu("tun0", mtu).expect("SIOCSIFMTU");
    }

    fn enter_new_namespace(&mut self) {
        fresh_namespace().expect("a namespace");
    }

    fn leave_descriptors(&mut self, leave: usize) {
        for fd in std::mem::take(&mut self.fillers) {
            sys::close(fd).expect("close");
        }
        if leave == usize::MAX {
            return;
        }
        loop {
            match self.dup(0) {
                Ok(fd) => self.fillers.push(fd),
                Err(errno) => {
                    assert_eq!(errno, Errno(libc::EMFILE));
                    break;
                }
            }
        }
        for fd in self.fillers.split_off(self.fillers.len() - leave) {
            sys::close(fd).expect("close");
        }
    }

    fn open(&mut self, file: OtherFile) -> Fd {
        match file {
            OtherFile::DevNull => sys::open("/dev/null", libc::O_RDONLY).expect("/dev/null"),
            OtherFile::Path => sys::open("/", libc::O_PATH).expect("O_PATH"),
            OtherFile::Epoll => self.epoll_create(),
            OtherFile::Pipe => {
                let mut ends = [0; 2];
                // SAFETY: the call fills the two ints, which live for it.
                check(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) }).expect("pipe2");
                ends[0]
            }
        }
    }

    fn socket(&mut self, domain: i32, ty: i32, protocol: i32) -> Result<Fd, Errno> {
        // SAFETY: no memory is passed.
        check(unsafe { libc::socket(domain, ty, protocol) })
    }

    fn bind(&mut self, fd: Fd, addr: &[u8]) -> Result<(), Errno> {
        // SAFETY: the address is readable for the length given.
        check(unsafe { libc::bind(fd, addr.as_ptr().cast(), addr.len() as u32) }).map(drop)
    }

    fn listen(&mut self, fd: Fd, backlog: i32) -> Result<(), Errno> {
        // SAFETY: no memory is passed.
        check(unsafe { libc::listen(fd, backlog) }).map(drop)
    }

    fn accept4(&mut self, fd: Fd, addr: AddrArg, flags: i32) -> Result<Accepted, Errno> {
        accept4(fd, addr, flags)
    }

    fn connect(&mut self, fd: Fd, addr: &[u8]) -> Result<(), Errno> {
        // SAFETY: the address is readable for the length given.
        check(unsafe { libc::connect(fd, addr.as_ptr().cast(), addr.len() as u32) }).map(drop)
    }

    fn shutdown(&mut self, fd: Fd, how: i32) -> Result<(), Errno> {
        // SAFETY: no memory is passed.
        check(unsafe { libc::shutdown(fd, how) }).map(drop)
    }

    fn close(&mut self, fd: Fd) -> Result<(), Errno> {
        sys::close(fd)
    }

    fn dup(&mut self, fd: Fd) -> Result<Fd, Errno> {
        // SAFETY: no memory is passed.
        check(unsafe { libc::dup(fd) })
    }

    fn getsockname(&mut self, fd: Fd) -> Result<Vec<u8>, Errno> {
        name_of(fd, libc::getsockname)
    }

    fn getpeername(&mut self, fd: Fd) -> Result<Vec<u8>, Errno> {
        name_of(fd, libc::getpeername)
    }

    fn getsockopt(&mut self, fd: Fd, level: i32, name: i32, cap: usize) -> Result<Vec<u8>, Errno> {
        let mut value = vec![0u8; cap];
        let mut len = cap as libc::socklen_t;
        // SAFETY: the buffer is writable for the length given; both live for the call.
        check(unsafe { libc::getsockopt(fd, level, name, value.as_mut_ptr().cast(), &mut len) })?;
        value.truncate(len as usize);
        Ok(value)
    }

    fn setsockopt(&mut self, fd: Fd, level: i32, name: i32, value: &[u8]) -> Result<(), Errno> {
        let len = value.len() as libc::socklen_t;
        // SAFETY: the value is readable for the length given.
        check(unsafe { libc::setsockopt(fd, level, name, value.as_ptr().cast(), len) }).map(drop)
    }

    fn pin(&mut self) {
        // SAFETY: a set of processors is bits; none set is a value.
        let mut set: libc::cpu_set_t = unsafe { core::mem::zeroed() };
        // SAFETY: `set` is a whole, initialized set, and 0 is one of its bits.
        unsafe { libc::CPU_SET(0, &mut set) };
        // SAFETY: `set` is readable for its size; 0 is the calling thread, which is the one that injects.
        check(unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) })
            .expect("processor 0 is there");
    }

    fn attach_program(&mut self, fd: Fd, name: i32, program: &[Insn]) -> Result<(), Errno> {
        let mut bytes: Vec<u8> = program.iter().flat_map(Insn::to_bytes).collect();
        let fprog = libc::sock_fprog {
            len: program.len() as u16,
            filter: bytes.as_mut_ptr().cast(),
        };
        let (value, len) = (&raw const fprog, size_of_val(&fprog) as libc::socklen_t);
        // SAFETY: `fprog` names `program.len()` instructions that are readable; the kernel copies them.
        check(unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, name, value.cast(), len) }).map(drop)
    }

    fn recv(&mut self, fd: Fd, cap: usize, flags: i32) -> Result<Vec<u8>, Errno> {
        let mut data = vec![0u8; cap];
        // SAFETY: the buffer is writable for its whole length.
        let len = check_size(unsafe { libc::recv(fd, data.as_mut_ptr().cast(), cap, flags) })?;
        data.truncate(len);
        Ok(data)
    }

    fn send(&mut self, fd: Fd, data: &[u8], flags: i32) -> Result<usize, Errno> {
        let flags = flags | libc::MSG_NOSIGNAL;
        // SAFETY: the data is readable for its whole length.
        check_size(unsafe { libc::send(fd, data.as_ptr().cast(), data.len(), flags) })
    }

    fn sendto(&mut self, fd: Fd, data: &[u8], flags: i32, addr: &[u8]) -> Result<usize, Errno> {
        let flags = flags | libc::MSG_NOSIGNAL;
        let (to, len) = (addr.as_ptr().cast(), addr.len() as libc::socklen_t);
        // SAFETY: data and address are readable for the lengths given.
        check_size(unsafe { libc::sendto(fd, data.as_ptr().cast(), data.len(), flags, to, len) })
    }

    fn poll(&mut self, fd: Fd) -> u32 {
        let mut poll = libc::pollfd {
            fd,
            events: -1,
            revents: 0,
        };
        // SAFETY: one structure, which lives for the call.
        check(unsafe { libc::poll(&mut poll, 1, 0) }).expect("poll");
        u32::from(poll.revents as u16)
    }

    fn ioctl(&mut self, fd: Fd, request: u32) -> Result<i32, Errno> {
        let mut value: c_int = -1;
        sys::ioctl(fd, u64::from(request), &mut value)?;
        Ok(value)
    }

    fn fcntl(&mut self, fd: Fd, command: i32, arg: i32) -> Result<i32, Errno> {
        // SAFETY: the commands of the cases take an int.
        check(unsafe { libc::fcntl(fd, command, arg) })
    }

    #[cfg(feature = "bpf")]
    fn attach_sock_ops(&mut self, object: &[u8]) {
        let object = hearken_bpf::Object::parse(object).expect("an object for sock_ops");
        let attached = super::bpf::Attached::new(&object);
        self.sock_ops = Some(attached.unwrap_or_else(|(what, e)| panic!("{what}: {e}")));
    }

    #[cfg(feature = "bpf")]
    fn bpf_lookup(&mut self, map: &str, key: &[u8]) -> Option<Vec<u8>> {
        self.sock_ops.as_ref()?.lookup(map, key)
    }

    fn epoll_create(&mut self) -> Fd {
        // SAFETY: no memory is passed.
        check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) }).expect("epoll_create1")
    }

    fn epoll_add(&mut self, epoll: Fd, fd: Fd, events: u32) -> Result<(), Errno> {
        let mut event = libc::epoll_event {
            events,
            u64: fd as u64,
        };
        // SAFETY: the structure lives for the call.
        check(unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, fd, &mut event) }).map(drop)
    }

    fn epoll_wait(&mut self, epoll: Fd) -> Vec<(Fd, u32)> {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 16];
        // SAFETY: sixteen structures, which live for the call.
        let count = check(unsafe { libc::epoll_wait(epoll, events.as_mut_ptr(), 16, 0) })
            .expect("epoll_wait");
        events[..count as usize]
            .iter()
            .map(|event| (event.u64 as Fd, event.events))
            .collect()
    }

    fn start_accept(&mut self, fd: Fd, flags: i32) -> PendingId {
        let id = PendingId(self.pending.keys().last().map_or(0, |id| id.0 + 1));
        let (tid_sender, tid) = mpsc::channel();
        let (sender, outcome) = mpsc::channel();
        // A new thread shares this one's namespace and descriptor table.
        let handle = thread::spawn(move || {
            tid_sender
                .send(sys::thread_id())
                .expect("the case waits for the number");
            // The case may end without asking for the outcome.
            let _ = sender.send(accept4(fd, AddrArg::Len(128), flags));
        });
        let thread = tid.recv().expect("the thread's number");
        let inside = format!("{} ", libc::SYS_accept4);
        while !handle.is_finished() {
            // The file names the system call that a sleeping thread sits in; a running one reads "running".
            let call =
                fs::read_to_string(format!("/proc/self/task/{thread}/syscall")).unwrap_or_default();
            if call.starts_with(&inside) {
                break;
            }
            thread::sleep(Duration::from_micros(200));
        }
        self.pending.insert(
            id,
            Pending {
                thread,
                outcome,
                handle,
            },
        );
        id
    }

    fn finish(&mut self, id: PendingId, timeout: Duration) -> Option<Result<Accepted, Errno>> {
        let pending = self
            .pending
            .get(&id)
            .expect("a pending call, not yet taken");
        let outcome = pending.outcome.recv_timeout(timeout).ok()?;
        let pending = self.pending.remove(&id)?;
        pending.handle.join().expect("the thread ended well");
        Some(outcome)
    }

    fn signal(&mut self, id: PendingId, restart: bool) {
        let pending = self.pending.get(&id).expect("a pending call");
        sys::signal_thread(
            pending.thread,
            if restart {
                libc::SIGUSR2
            } else {
                libc::SIGUSR1
            },
        );
    }
}
