//! A script's call as the system's.

use core::net::IpAddr;

use hearken_twin::Call as Live;

use super::args::{Args, Wrong, data, int, iovecs, member, option_value, size, sockaddr, wrong};
use super::control;
use super::fds::Descriptors;
use super::md5;
use super::world::World;
use crate::ast::{Call, Expr, ExprKind};

/// The room for a getsockopt whose length is left to the runner.
const ROOM: usize = 256;
/// The room for control messages that are left to the runner.
const CONTROL: usize = 512;

/// What a call is made from.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) fds: &'a Descriptors,
    pub(crate) world: &'a World,
    /// Where datagrams and Fast Open go that name nobody.
    pub(crate) remote: (IpAddr, u16),
}

impl Context<'_> {
    fn domain(&self, script_fd: i64) -> i32 {
        self.fds
            .domain(script_fd)
            .unwrap_or_else(|| self.world.domain())
    }

    fn local_addr(&self, fd: i64, expr: &Expr) -> Result<Vec<u8>, Wrong> {
        match expr.is_ellipsis() {
            false => sockaddr(expr),
            true => {
                Ok(self
                    .world
                    .sockaddr(self.domain(fd), self.world.local, self.world.bind_port))
            }
        }
    }

    fn remote_addr(&self, fd: i64, expr: &Expr) -> Result<Vec<u8>, Wrong> {
        match expr.is_ellipsis() {
            false => sockaddr(expr),
            true => Ok(self
                .world
                .sockaddr(self.domain(fd), self.remote.0, self.remote.1)),
        }
    }
}

/// The names of the calls that are known.
pub(crate) const NAMES: &[&str] = &[
    "socket",
    "bind",
    "listen",
    "accept",
    "accept4",
    "connect",
    "read",
    "readv",
    "write",
    "writev",
    "recv",
    "recvfrom",
    "recvmsg",
    "send",
    "sendto",
    "sendmsg",
    "fcntl",
    "ioctl",
    "close",
    "shutdown",
    "getsockopt",
    "setsockopt",
    "getsockname",
    "getpeername",
    "poll",
    "epoll_create",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "pipe",
    "pipe2",
    "splice",
    "sendfile",
    "open",
    "dup",
    "dup2",
];

fn is_null(expr: &Expr) -> bool {
    expr.is_ellipsis() || expr.int() == Some(0)
}

/// The call as the system takes it.
pub(crate) fn prepare(call: &Call, context: Context<'_>) -> Result<Live, Wrong> {
    let args = Args { call };
    let fd = |at: usize| Ok::<_, Wrong>(context.fds.live(args.int(at)?));
    let count = |least, most| args.count(least, most);
    Ok(match call.name.as_str() {
        "socket" => {
            count(3, 3)?;
            Live::Socket {
                domain: args.int_or(0, i64::from(context.world.domain()))? as i32,
                ty: args.i32(1)?,
                protocol: args.int_or(2, 0)? as i32,
            }
        }
        "bind" => {
            count(3, 3)?;
            Live::Bind {
                fd: fd(0)?,
                addr: context.local_addr(args.int(0)?, args.get(1)?)?,
            }
        }
        "listen" => {
            count(2, 2)?;
            Live::Listen {
                fd: fd(0)?,
                backlog: args.i32(1)?,
            }
        }
        "accept" => {
            count(3, 3)?;
            Live::Accept {
                fd: fd(0)?,
                flags: None,
            }
        }
        "accept4" => {
            count(4, 4)?;
            Live::Accept {
                fd: fd(0)?,
                flags: Some(args.i32(3)?),
            }
        }
        "connect" => {
            count(3, 3)?;
            Live::Connect {
                fd: fd(0)?,
                addr: context.remote_addr(args.int(0)?, args.get(1)?)?,
            }
        }
        "shutdown" => {
            count(2, 2)?;
            Live::Shutdown {
                fd: fd(0)?,
                how: args.i32(1)?,
            }
        }
        "close" => {
            count(1, 1)?;
            Live::Close { fd: fd(0)? }
        }
        "dup" => {
            count(1, 1)?;
            Live::Dup { fd: fd(0)? }
        }
        "dup2" => {
            count(2, 2)?;
            // A number that the script has not open is the system's to choose: the runner has descriptors of its own.
            match context.fds.is_open(args.int(1)?) {
                true => Live::Dup2 {
                    fd: fd(0)?,
                    to: fd(1)?,
                },
                false => Live::Dup { fd: fd(0)? },
            }
        }
        "getsockname" | "getpeername" => {
            count(3, 3)?;
            let fd = fd(0)?;
            match call.name.as_str() {
                "getsockname" => Live::Getsockname { fd },
                _ => Live::Getpeername { fd },
            }
        }
        "getsockopt" => {
            count(5, 5)?;
            Live::Getsockopt {
                fd: fd(0)?,
                level: args.i32(1)?,
                name: args.i32(2)?,
                cap: args.int_or(4, ROOM as i64)?.clamp(0, 65536) as usize,
            }
        }
        "setsockopt" => setsockopt(args, context)?,
        "fcntl" => {
            count(2, 3)?;
            Live::Fcntl {
                fd: fd(0)?,
                command: args.i32(1)?,
                arg: match call.args.get(2) {
                    Some(arg) => int(arg)? as i32,
                    None => 0,
                },
            }
        }
        "ioctl" => {
            count(2, 3)?;
            Live::Ioctl {
                fd: fd(0)?,
                request: args.int(1)? as u32,
                arg: match call.args.get(2) {
                    Some(arg) if !arg.is_ellipsis() => int(arg)? as i32,
                    _ => 0,
                },
            }
        }
        "read" | "readv" | "recv" | "recvfrom" | "recvmsg" => receive(args, context)?,
        "write" | "writev" | "send" | "sendto" | "sendmsg" => send(args, context)?,
        "poll" | "epoll_create" | "epoll_create1" | "epoll_ctl" | "epoll_wait" => {
            readiness(args, context)?
        }
        "pipe" | "pipe2" | "splice" | "sendfile" | "open" => files(args, context)?,
        name => {
            return wrong(
                call.span,
                format!("{name}() is not known; known are {}", NAMES.join(", ")),
            );
        }
    })
}

fn setsockopt(args: Args<'_>, context: Context<'_>) -> Result<Live, Wrong> {
    args.count(5, 5)?;
    let value = args.get(3)?;
    let mut value = match value.is_ellipsis() {
        true => Vec::new(),
        false if md5::is_struct(value) => md5::value(value, context.domain(args.int(0)?), context)?,
        false => option_value(value)?,
    };
    let len = args.get(4)?;
    if !len.is_ellipsis() {
        value.resize(size(len)?, 0);
    }
    Ok(Live::Setsockopt {
        fd: context.fds.live(args.int(0)?),
        level: args.i32(1)?,
        name: args.i32(2)?,
        value,
    })
}

fn receive(args: Args<'_>, context: Context<'_>) -> Result<Live, Wrong> {
    let fd = context.fds.live(args.int(0)?);
    Ok(match args.call.name.as_str() {
        "read" => {
            args.count(3, 3)?;
            Live::Read {
                fd,
                caps: vec![args.size(2)?],
            }
        }
        "readv" => {
            args.count(3, 3)?;
            let vectors = iovecs(args.get(1)?)?;
            Live::Read {
                fd,
                caps: vectors.into_iter().map(|(_, len)| len).collect(),
            }
        }
        "recv" | "recvfrom" => {
            args.count(4, 6)?;
            Live::Recv {
                fd,
                cap: args.size(2)?,
                flags: args.i32(3)?,
            }
        }
        _ => {
            args.count(3, 3)?;
            let message = args.get(1)?;
            let vectors = match member(message, &["msg_iov"], usize::MAX) {
                Some(vectors) => iovecs(vectors)?,
                None => Vec::new(),
            };
            let control = match message.field("msg_control").map(|f| (&f.len, &f.value)) {
                None => 0,
                Some((Some(len), _)) if !len.is_ellipsis() => size(len)?,
                Some(_) => CONTROL,
            };
            Live::Recvmsg {
                fd,
                caps: vectors.into_iter().map(|(_, len)| len).collect(),
                control,
                flags: args.i32(2)?,
            }
        }
    })
}

fn send(args: Args<'_>, context: Context<'_>) -> Result<Live, Wrong> {
    let script_fd = args.int(0)?;
    let fd = context.fds.live(script_fd);
    Ok(match args.call.name.as_str() {
        "write" => {
            args.count(3, 3)?;
            Live::Write {
                fd,
                data: vec![data(args.get(1)?, args.size(2)?)?],
            }
        }
        "writev" => {
            args.count(3, 3)?;
            Live::Write {
                fd,
                data: gathered(iovecs(args.get(1)?)?)?,
            }
        }
        "send" => {
            args.count(4, 4)?;
            Live::Send {
                fd,
                data: data(args.get(1)?, args.size(2)?)?,
                flags: args.i32(3)?,
                addr: None,
            }
        }
        "sendto" => {
            args.count(6, 6)?;
            let addr = args.get(4)?;
            Live::Send {
                fd,
                data: data(args.get(1)?, args.size(2)?)?,
                flags: args.i32(3)?,
                addr: match addr.int() {
                    Some(0) => None,
                    _ => Some(context.remote_addr(script_fd, addr)?),
                },
            }
        }
        _ => {
            args.count(3, 3)?;
            let message = args.get(1)?;
            let vectors = match member(message, &["msg_iov"], usize::MAX) {
                Some(vectors) => gathered(iovecs(vectors)?)?,
                None => Vec::new(),
            };
            // `msg_name(...)=...` is as good as none: packetdrill's scripts write it for connected sockets.
            let fast_open = args.i32(2)? & libc::MSG_FASTOPEN != 0;
            let name = message.field("msg_name").map(|field| &field.value);
            let addr = match name {
                Some(name) if !is_null(name) => Some(sockaddr(name)?),
                Some(name) if fast_open && name.is_ellipsis() => {
                    Some(context.remote_addr(script_fd, name)?)
                }
                _ => None,
            };
            Live::Sendmsg {
                fd,
                data: vectors,
                addr,
                control: match message.field("msg_control") {
                    Some(field) if !is_null(&field.value) => control::emit(&field.value)?,
                    _ => Vec::new(),
                },
                flags: args.i32(2)?,
            }
        }
    })
}

fn gathered(vectors: Vec<(&Expr, usize)>) -> Result<Vec<Vec<u8>>, Wrong> {
    let one = |(base, len): (&Expr, usize)| data(base, len);
    vectors.into_iter().map(one).collect()
}

/// The structs of an argument that is one of them or a list of them.
pub(crate) fn structs(expr: &Expr) -> &[Expr] {
    match &expr.kind {
        ExprKind::List(parts) => parts,
        ExprKind::Struct(_) => core::slice::from_ref(expr),
        _ => &[],
    }
}

/// What epoll hands back with an event: the number in `fd`, `u32`, `u64` or `ptr`.
pub(crate) fn epoll_data(expr: &Expr) -> Result<u64, Wrong> {
    match member(expr, &["fd", "u32", "u64", "ptr", "data"], 1) {
        Some(data) => Ok(int(data)? as u64),
        None => Ok(0),
    }
}

fn readiness(args: Args<'_>, context: Context<'_>) -> Result<Live, Wrong> {
    Ok(match args.call.name.as_str() {
        "poll" => {
            args.count(3, 3)?;
            let mut fds = Vec::new();
            for entry in structs(args.get(0)?) {
                let (Some(fd), Some(events)) =
                    (member(entry, &["fd"], 0), member(entry, &["events"], 1))
                else {
                    return wrong(entry.span, "an entry is written {fd=4, events=POLLIN}");
                };
                fds.push((context.fds.live(int(fd)?), int(events)? as i16));
            }
            Live::Poll {
                fds,
                timeout: args.i32(2)?,
            }
        }
        "epoll_ctl" => {
            args.count(4, 4)?;
            let event = args.get(3)?;
            let events = match member(event, &["events"], 0) {
                Some(events) => int(events)? as u32,
                None => 0,
            };
            Live::EpollCtl {
                epoll: context.fds.live(args.int(0)?),
                op: args.i32(1)?,
                fd: context.fds.live(args.int(2)?),
                events,
                data: epoll_data(event)?,
            }
        }
        "epoll_wait" => {
            args.count(4, 4)?;
            Live::EpollWait {
                epoll: context.fds.live(args.int(0)?),
                max: args.i32(2)?,
                timeout: args.i32(3)?,
            }
        }
        _ => {
            args.count(1, 1)?;
            Live::EpollCreate
        }
    })
}

fn files(args: Args<'_>, context: Context<'_>) -> Result<Live, Wrong> {
    let fd = |at: usize| Ok::<_, Wrong>(context.fds.live(args.int(at)?));
    Ok(match args.call.name.as_str() {
        "pipe" | "pipe2" => {
            args.count(1, 2)?;
            let flags = match args.call.args.get(1) {
                Some(flags) => int(flags)? as i32,
                None => 0,
            };
            Live::Pipe { flags }
        }
        "splice" => {
            args.count(6, 6)?;
            Live::Splice {
                from: fd(0)?,
                to: fd(2)?,
                len: args.size(4)?,
                flags: args.int(5)? as u32,
            }
        }
        "sendfile" => {
            args.count(4, 4)?;
            let offset = args.get(2)?;
            Live::Sendfile {
                to: fd(0)?,
                from: fd(1)?,
                offset: match offset.list() {
                    Some(_) => Some(int(offset)?),
                    None => None,
                },
                count: args.size(3)?,
            }
        }
        _ => {
            args.count(2, 3)?;
            let ExprKind::Bytes(path) = &args.get(0)?.kind else {
                return wrong(args.get(0)?.span, "a path is a string");
            };
            let mode = match args.call.args.get(2) {
                Some(mode) => int(mode)? as u32,
                None => 0o644,
            };
            Live::Open {
                path: String::from_utf8_lossy(path).into_owned(),
                flags: args.i32(1)?,
                mode,
            }
        }
    })
}
