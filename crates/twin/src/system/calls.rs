//! Each call of a script on the kernel. The calling thread may sleep in it.

use core::ffi::c_int;
use core::ptr;
use std::ffi::CString;

use hearken_abi::Errno;

use super::{Call, Output, Return};
use crate::linux::sys::{check, check_size};

fn number(result: c_int) -> Return {
    Return::plain(check(result).map(i64::from))
}

fn size(result: isize) -> Return {
    Return::plain(check_size(result).map(|n| n as i64))
}

fn bytes(mut buffer: Vec<u8>, result: isize) -> Return {
    Return::with(check_size(result), |n| {
        // With MSG_TRUNC a datagram's count may exceed the buffer.
        buffer.truncate(n);
        (n as i64, Output::Bytes(buffer))
    })
}

fn iovecs(buffers: &mut [Vec<u8>]) -> Vec<libc::iovec> {
    let iovec = |buffer: &mut Vec<u8>| libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    buffers.iter_mut().map(iovec).collect()
}

fn gather(buffers: Vec<Vec<u8>>, len: i64) -> Vec<u8> {
    let mut data = buffers.concat();
    data.truncate(usize::try_from(len).unwrap_or(0));
    data
}

fn name_of(
    fd: c_int,
    call: unsafe extern "C" fn(c_int, *mut libc::sockaddr, *mut libc::socklen_t) -> c_int,
) -> Return {
    let mut buffer = [0u8; 128];
    let mut len = buffer.len() as libc::socklen_t;
    // SAFETY: the call writes at most `len` bytes into the buffer; both live for it.
    let result = unsafe { call(fd, buffer.as_mut_ptr().cast(), &mut len) };
    Return::with(check(result), |n| {
        let addr = buffer[..(len as usize).min(128)].to_vec();
        (i64::from(n), Output::Address(addr))
    })
}

fn accept(fd: c_int, flags: Option<i32>) -> Return {
    let mut buffer = [0u8; 128];
    let mut len = buffer.len() as libc::socklen_t;
    let addr = buffer.as_mut_ptr().cast();
    // SAFETY: both calls write at most `len` bytes into the buffer; both live for them.
    let result = unsafe {
        match flags {
            None => libc::accept(fd, addr, &mut len),
            Some(flags) => libc::accept4(fd, addr, &mut len, flags),
        }
    };
    Return::with(check(result), |n| {
        let addr = buffer[..(len as usize).min(128)].to_vec();
        (i64::from(n), Output::Address(addr))
    })
}

pub(super) fn getsockopt(fd: c_int, level: c_int, name: c_int, cap: usize) -> Return {
    let mut value = vec![0u8; cap];
    let mut len = cap as libc::socklen_t;
    // SAFETY: the buffer is writable for the length given; both live for the call.
    let result = unsafe { libc::getsockopt(fd, level, name, value.as_mut_ptr().cast(), &mut len) };
    Return::with(check(result), |n| {
        value.truncate(len as usize);
        (i64::from(n), Output::Bytes(value))
    })
}

fn read(fd: c_int, caps: &[usize]) -> Return {
    let mut buffers: Vec<Vec<u8>> = caps.iter().map(|cap| vec![0; *cap]).collect();
    let vectors = iovecs(&mut buffers);
    let result = if let [one] = &vectors[..] {
        // SAFETY: the buffer is writable for its whole length.
        unsafe { libc::read(fd, one.iov_base, one.iov_len) }
    } else {
        // SAFETY: each vector names a buffer that is writable for its whole length and lives for the call.
        unsafe { libc::readv(fd, vectors.as_ptr(), vectors.len() as c_int) }
    };
    Return::with(check_size(result), |n| {
        (n as i64, Output::Bytes(gather(buffers, n as i64)))
    })
}

fn recvmsg(fd: c_int, caps: &[usize], control: usize, flags: i32) -> Return {
    let mut buffers: Vec<Vec<u8>> = caps.iter().map(|cap| vec![0; *cap]).collect();
    let mut vectors = iovecs(&mut buffers);
    let mut control = vec![0u8; control];
    // SAFETY: msghdr is plain data for which zero is a valid value.
    let mut message: libc::msghdr = unsafe { core::mem::zeroed() };
    message.msg_iov = vectors.as_mut_ptr();
    message.msg_iovlen = vectors.len() as _;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = control.len() as _;
    // SAFETY: every pointer of the message names memory of the length given beside it, which lives for the call.
    let result = unsafe { libc::recvmsg(fd, &mut message, flags) };
    Return::with(check_size(result), |n| {
        control.truncate(message.msg_controllen as usize);
        let output = Output::Message {
            data: gather(buffers, n as i64),
            control,
            flags: message.msg_flags,
        };
        (n as i64, output)
    })
}

fn write(fd: c_int, mut data: Vec<Vec<u8>>) -> Return {
    let vectors = iovecs(&mut data);
    if let [one] = &vectors[..] {
        // SAFETY: the data is readable for its whole length.
        return size(unsafe { libc::write(fd, one.iov_base, one.iov_len) });
    }
    // SAFETY: each vector names data that is readable for its whole length and lives for the call.
    size(unsafe { libc::writev(fd, vectors.as_ptr(), vectors.len() as c_int) })
}

fn send(fd: c_int, data: &[u8], flags: i32, addr: Option<&[u8]>) -> Return {
    let flags = flags | libc::MSG_NOSIGNAL;
    let (to, len) = addr.map_or((ptr::null(), 0), |a| (a.as_ptr(), a.len()));
    // SAFETY: data and address are readable for the lengths given.
    size(unsafe {
        libc::sendto(
            fd,
            data.as_ptr().cast(),
            data.len(),
            flags,
            to.cast(),
            len as libc::socklen_t,
        )
    })
}

fn sendmsg(
    fd: c_int,
    mut data: Vec<Vec<u8>>,
    addr: Option<Vec<u8>>,
    mut control: Vec<u8>,
    flags: i32,
) -> Return {
    let mut vectors = iovecs(&mut data);
    let mut addr = addr.unwrap_or_default();
    // SAFETY: msghdr is plain data for which zero is a valid value.
    let mut message: libc::msghdr = unsafe { core::mem::zeroed() };
    if !addr.is_empty() {
        message.msg_name = addr.as_mut_ptr().cast();
        message.msg_namelen = addr.len() as libc::socklen_t;
    }
    message.msg_iov = vectors.as_mut_ptr();
    message.msg_iovlen = vectors.len() as _;
    if !control.is_empty() {
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = control.len() as _;
    }
    // SAFETY: every pointer of the message names memory of the length given beside it, which lives for the call.
    size(unsafe { libc::sendmsg(fd, &message, flags | libc::MSG_NOSIGNAL) })
}

fn poll(fds: &[(c_int, i16)], timeout: i32) -> Return {
    let entry = |(fd, events): &(c_int, i16)| libc::pollfd {
        fd: *fd,
        events: *events,
        revents: 0,
    };
    let mut fds: Vec<libc::pollfd> = fds.iter().map(entry).collect();
    // SAFETY: the structures live for the call.
    let result = unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, timeout) };
    Return::with(check(result), |n| {
        let revents = fds.iter().map(|fd| fd.revents).collect();
        (i64::from(n), Output::Revents(revents))
    })
}

fn epoll_wait(epoll: c_int, max: c_int, timeout: c_int) -> Return {
    let room = usize::try_from(max).unwrap_or(0).clamp(1, 1024);
    let mut events = vec![libc::epoll_event { events: 0, u64: 0 }; room];
    // A negative or zero count is the kernel's to refuse.
    let max = max.min(room as c_int);
    // SAFETY: there is room for `max` structures, which live for the call.
    let result = unsafe { libc::epoll_wait(epoll, events.as_mut_ptr(), max, timeout) };
    Return::with(check(result), |n| {
        let events = events.iter().take(n as usize);
        let events = events.map(|event| (event.events, event.u64)).collect();
        (i64::from(n), Output::Events(events))
    })
}

fn sendfile(to: c_int, from: c_int, offset: Option<i64>, count: usize) -> Return {
    let mut at = offset.unwrap_or(0);
    let pointer = match offset {
        Some(_) => &raw mut at,
        None => ptr::null_mut(),
    };
    // SAFETY: the offset, if given, lives for the call.
    let result = unsafe { libc::sendfile(to, from, pointer, count) };
    Return::with(check_size(result), |n| {
        let output = offset.map_or(Output::None, |_| Output::Offset(at));
        (n as i64, output)
    })
}

fn splice(from: c_int, to: c_int, len: usize, flags: u32) -> Return {
    let none = ptr::null_mut();
    // SAFETY: no memory is passed.
    size(unsafe { libc::splice(from, none, to, none, len, flags) })
}

fn open(path: &str, flags: c_int, mode: u32) -> Return {
    let Ok(path) = CString::new(path) else {
        return Return::plain(Err(Errno::ENOENT));
    };
    // SAFETY: the path is a valid C string for the length of the call.
    number(unsafe { libc::open(path.as_ptr(), flags, mode as libc::c_uint) })
}

fn ioctl(fd: c_int, request: u32, arg: i32) -> Return {
    let mut value: c_int = arg;
    // SAFETY: the requests of a script take a pointer to an int, which lives for the call.
    let result = unsafe { libc::ioctl(fd, u64::from(request) as _, &raw mut value) };
    Return::with(check(result), |n| (i64::from(n), Output::Int(value)))
}

/// Makes the call, and sleeps in it if it does.
pub(super) fn execute(call: Call) -> Return {
    match call {
        Call::Socket {
            domain,
            ty,
            protocol,
            // SAFETY: no memory is passed.
        } => number(unsafe { libc::socket(domain, ty, protocol) }),
        Call::Bind { fd, addr } => {
            // SAFETY: the address is readable for the length given.
            number(unsafe { libc::bind(fd, addr.as_ptr().cast(), addr.len() as u32) })
        }
        // SAFETY: no memory is passed.
        Call::Listen { fd, backlog } => number(unsafe { libc::listen(fd, backlog) }),
        Call::Accept { fd, flags } => accept(fd, flags),
        Call::Connect { fd, addr } => {
            // SAFETY: the address is readable for the length given.
            number(unsafe { libc::connect(fd, addr.as_ptr().cast(), addr.len() as u32) })
        }
        // SAFETY: no memory is passed.
        Call::Shutdown { fd, how } => number(unsafe { libc::shutdown(fd, how) }),
        // SAFETY: the number came from a script and belongs to this process's private table.
        Call::Close { fd } => number(unsafe { libc::close(fd) }),
        // SAFETY: no memory is passed.
        Call::Dup { fd } => number(unsafe { libc::dup(fd) }),
        // SAFETY: both numbers belong to this process's private table.
        Call::Dup2 { fd, to } => number(unsafe { libc::dup2(fd, to) }),
        Call::Getsockname { fd } => name_of(fd, libc::getsockname),
        Call::Getpeername { fd } => name_of(fd, libc::getpeername),
        Call::Getsockopt {
            fd,
            level,
            name,
            cap,
        } => getsockopt(fd, level, name, cap),
        Call::Setsockopt {
            fd,
            level,
            name,
            value,
        } => {
            let len = value.len() as libc::socklen_t;
            // SAFETY: the value is readable for the length given.
            number(unsafe { libc::setsockopt(fd, level, name, value.as_ptr().cast(), len) })
        }
        Call::Read { fd, caps } => read(fd, &caps),
        Call::Recv { fd, cap, flags } => {
            let mut data = vec![0u8; cap];
            // SAFETY: the buffer is writable for its whole length.
            let result = unsafe { libc::recv(fd, data.as_mut_ptr().cast(), cap, flags) };
            bytes(data, result)
        }
        Call::Recvmsg {
            fd,
            caps,
            control,
            flags,
        } => recvmsg(fd, &caps, control, flags),
        Call::Write { fd, data } => write(fd, data),
        Call::Send {
            fd,
            data,
            flags,
            addr,
        } => send(fd, &data, flags, addr.as_deref()),
        Call::Sendmsg {
            fd,
            data,
            addr,
            control,
            flags,
        } => sendmsg(fd, data, addr, control, flags),
        // SAFETY: the commands of a script take an int.
        Call::Fcntl { fd, command, arg } => number(unsafe { libc::fcntl(fd, command, arg) }),
        Call::Ioctl { fd, request, arg } => ioctl(fd, request, arg),
        Call::Poll { fds, timeout } => poll(&fds, timeout),
        // SAFETY: no memory is passed.
        Call::EpollCreate => number(unsafe { libc::epoll_create1(0) }),
        Call::EpollCtl {
            epoll,
            op,
            fd,
            events,
            data,
        } => {
            let mut event = libc::epoll_event { events, u64: data };
            // SAFETY: the structure lives for the call.
            number(unsafe { libc::epoll_ctl(epoll, op, fd, &mut event) })
        }
        Call::EpollWait {
            epoll,
            max,
            timeout,
        } => epoll_wait(epoll, max, timeout),
        Call::Pipe { flags } => {
            let mut ends = [0; 2];
            // SAFETY: the call fills the two ints, which live for it.
            let result = unsafe { libc::pipe2(ends.as_mut_ptr(), flags) };
            Return::with(check(result), |n| (i64::from(n), Output::Pair(ends)))
        }
        Call::Splice {
            from,
            to,
            len,
            flags,
        } => splice(from, to, len, flags),
        Call::Sendfile {
            to,
            from,
            offset,
            count,
        } => sendfile(to, from, offset, count),
        Call::Open { path, flags, mode } => open(&path, flags, mode),
    }
}
