//! A system that a script drives step by step: any call may wait while packets and time go on, and every packet that leaves
//! carries the time at which it left.
//!
//! [`Twin`](crate::Twin) is for cases written in Rust, with a fixed network; this one is for `hearken drill`, whose scripts name
//! addresses, sizes and times themselves.

#[cfg(target_os = "linux")]
mod calls;
#[cfg(target_os = "linux")]
mod linux;
mod ours;
mod plain;
mod run;

use core::net::IpAddr;
use core::time::Duration;

use hearken_abi::Errno;

use crate::{Counters, Fd};

#[cfg(target_os = "linux")]
pub use linux::LinuxSystem;
pub use ours::OursSystem;

/// The network that the system under test stands in: one interface `tun0`, to which every route leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lan {
    /// The addresses of `tun0`.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Its MTU.
    pub mtu: u32,
}

/// A system call with its arguments. Data are bytes, addresses raw sockaddrs, everything else Linux's numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Call {
    Socket {
        domain: i32,
        ty: i32,
        protocol: i32,
    },
    Bind {
        fd: Fd,
        addr: Vec<u8>,
    },
    Listen {
        fd: Fd,
        backlog: i32,
    },
    /// `accept(2)`; with flags `accept4(2)`.
    Accept {
        fd: Fd,
        flags: Option<i32>,
    },
    Connect {
        fd: Fd,
        addr: Vec<u8>,
    },
    Shutdown {
        fd: Fd,
        how: i32,
    },
    Close {
        fd: Fd,
    },
    Getsockname {
        fd: Fd,
    },
    Getpeername {
        fd: Fd,
    },
    Getsockopt {
        fd: Fd,
        level: i32,
        name: i32,
        cap: usize,
    },
    /// With `value` as the buffer; its length is the option's.
    Setsockopt {
        fd: Fd,
        level: i32,
        name: i32,
        value: Vec<u8>,
    },
    /// `read(2)` and `readv(2)`.
    Read {
        fd: Fd,
        caps: Vec<usize>,
    },
    /// `recv(2)` and `recvfrom(2)`.
    Recv {
        fd: Fd,
        cap: usize,
        flags: i32,
    },
    Recvmsg {
        fd: Fd,
        caps: Vec<usize>,
        control: usize,
        flags: i32,
    },
    /// `write(2)` and `writev(2)`.
    Write {
        fd: Fd,
        data: Vec<Vec<u8>>,
    },
    /// `send(2)`, and with an address `sendto(2)`.
    Send {
        fd: Fd,
        data: Vec<u8>,
        flags: i32,
        addr: Option<Vec<u8>>,
    },
    Sendmsg {
        fd: Fd,
        data: Vec<Vec<u8>>,
        addr: Option<Vec<u8>>,
        control: Vec<u8>,
        flags: i32,
    },
    Fcntl {
        fd: Fd,
        command: i32,
        arg: i32,
    },
    /// `ioctl(2)` with a pointer to an int.
    Ioctl {
        fd: Fd,
        request: u32,
        arg: i32,
    },
    Poll {
        fds: Vec<(Fd, i16)>,
        timeout: i32,
    },
    EpollCreate,
    EpollCtl {
        epoll: Fd,
        op: i32,
        fd: Fd,
        events: u32,
        data: u64,
    },
    EpollWait {
        epoll: Fd,
        max: i32,
        timeout: i32,
    },
    Pipe {
        flags: i32,
    },
    Splice {
        from: Fd,
        to: Fd,
        len: usize,
        flags: u32,
    },
    Sendfile {
        to: Fd,
        from: Fd,
        offset: Option<i64>,
        count: usize,
    },
    Open {
        path: String,
        flags: i32,
        mode: u32,
    },
    Dup {
        fd: Fd,
    },
    Dup2 {
        fd: Fd,
        to: Fd,
    },
}

/// What a call returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Return {
    /// The number, or the errno.
    pub result: Result<i64, Errno>,
    /// What it wrote into the caller's memory.
    pub output: Output,
}

/// What a call wrote into the caller's memory.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Output {
    /// Nothing.
    #[default]
    None,
    /// Data that was read, or an option's value.
    Bytes(Vec<u8>),
    /// A raw sockaddr.
    Address(Vec<u8>),
    /// `recvmsg`: the data, the control bytes (Linux's cmsg layout) and `msg_flags`.
    Message {
        /// What was read.
        data: Vec<u8>,
        /// The control messages.
        control: Vec<u8>,
        /// `msg_flags`.
        flags: i32,
    },
    /// The int of an ioctl.
    Int(i32),
    /// `poll`: each descriptor's `revents`.
    Revents(Vec<i16>),
    /// `epoll_wait`: (events, data).
    Events(Vec<(u32, u64)>),
    /// `pipe`: both ends.
    Pair([Fd; 2]),
    /// `sendfile`: the offset afterwards.
    Offset(i64),
}

impl Return {
    /// A result without output.
    pub fn plain(result: Result<i64, Errno>) -> Self {
        Return {
            result,
            output: Output::None,
        }
    }

    /// A result with output, which only success has.
    pub fn with<T>(result: Result<T, Errno>, f: impl FnOnce(T) -> (i64, Output)) -> Self {
        match result {
            Ok(value) => {
                let (number, output) = f(value);
                Return {
                    result: Ok(number),
                    output,
                }
            }
            Err(errno) => Return::plain(Err(errno)),
        }
    }
}

/// A call that was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(pub u32);

/// One of the two systems. Times count from the system's beginning.
pub trait System {
    /// `linux` or `hearken`.
    fn name(&self) -> &'static str;
    /// The time.
    fn now(&self) -> Duration;
    /// The time since 1970 that timestamps of packets are given in.
    fn wall_clock(&self) -> Duration;
    /// Lets time go by until then.
    fn advance(&mut self, to: Duration);
    /// Gives a raw IP packet to the system, as arriving at `tun0`.
    fn inject(&mut self, packet: &[u8]);
    /// The next packet that the system sent out of `tun0`, with the time at which it left; waits for one until then.
    /// Multicast housekeeping (IGMP, MLD, neighbour discovery) is left out.
    fn next_packet(&mut self, until: Duration) -> Option<(Duration, Vec<u8>)>;
    /// Starts a call, as a thread of the program would. `Err` says why this system cannot do it at all.
    fn start(&mut self, call: Call) -> Result<CallId, String>;
    /// What a started call returned, and when; waits for it until then. It can be taken once.
    fn finish(&mut self, id: CallId, until: Duration) -> Option<(Duration, Return)>;
    /// The first `cap` bytes of a socket's `TCP_INFO`, at once and beside any call that waits.
    fn tcp_info(&mut self, fd: Fd) -> Result<Vec<u8>, Errno>;
    /// Every counter of the namespace by nstat's name (`TcpExtListenDrops`).
    fn counters(&mut self) -> Counters;
    /// Writes a sysctl of the namespace, named with dots.
    fn sysctl(&mut self, name: &str, value: &str) -> Result<(), Errno>;
    /// Reads a sysctl, without the last newline.
    fn sysctl_get(&mut self, name: &str) -> Result<String, Errno>;
    /// Changes the MTU of `tun0`.
    fn set_mtu(&mut self, mtu: u32);
}

pub use run::{drive_hearken, drive_linux};
