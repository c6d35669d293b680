//! The trait that both systems implement.

use core::time::Duration;

use hearken_abi::Errno;

use hearken_inet::cbpf::Insn;

use crate::{Counters, TcpRow};

/// A descriptor: a small integer, the lowest that is free, as in a process of its own.
pub type Fd = i32;

/// A file that is not a socket, for the calls that must refuse it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherFile {
    /// `/dev/null`.
    DevNull,
    /// The read end of a pipe.
    Pipe,
    /// An epoll instance.
    Epoll,
    /// A directory opened with `O_PATH`.
    Path,
}

/// The address and length arguments of `accept4`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddrArg {
    /// A NULL address, and a NULL length.
    None,
    /// A buffer of 128 bytes, with `*addrlen` set to this.
    Len(i32),
    /// An address that cannot be written, with a good length of 16.
    BadAddress,
    /// A good buffer, with a NULL length pointer.
    NullLen,
    /// A NULL address, with a length pointer that cannot be read.
    NullAddressBadLen,
}

/// What `accept4` gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The new descriptor.
    pub fd: Fd,
    /// The whole buffer of 128 bytes as the call left it (it starts filled with 0xaa); empty without an address argument.
    pub addr: Vec<u8>,
    /// `*addrlen` afterwards, or 0 without one.
    pub addr_len: i32,
}

/// A call that blocks and was started in the background.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PendingId(pub u32);

/// One of the two systems. Every call takes raw Linux arguments.
///
/// Calls that would block do block: on Linux really, on ours by running virtual time until the call can end. A case that
/// wants to act while a call blocks uses [`Twin::start_accept`].
pub trait Twin {
    /// `linux` or `hearken`.
    fn name(&self) -> &'static str;

    /// The time since the case began.
    fn now(&self) -> Duration;
    /// Lets this much time go by (Linux: really waits; ours: virtual).
    fn advance(&mut self, by: Duration);
    /// Gives a raw IP packet to the system, as arriving at `tun0`.
    fn inject(&mut self, packet: &[u8]);
    /// The next IP packet that the system sends out of `tun0`, waiting up to `timeout` for it. Multicast housekeeping (IGMP,
    /// MLD, neighbour discovery) is left out.
    fn next_packet(&mut self, timeout: Duration) -> Option<Vec<u8>>;
    /// Every counter of the namespace by nstat's name (`TcpExtListenDrops`).
    fn counters(&mut self) -> Counters;
    /// Writes a sysctl of the namespace, named with dots (`net.core.somaxconn`).
    fn sysctl(&mut self, name: &str, value: &str) -> Result<(), Errno>;
    /// Reads a sysctl, without the last newline.
    fn sysctl_get(&mut self, name: &str) -> Result<String, Errno>;
    /// The rows of `/proc/net/tcp` and `/proc/net/tcp6`.
    fn tcp_table(&mut self) -> Vec<TcpRow>;
    /// The text of a file under `/proc/net`: `tcp`, `tcp6`, `snmp`, `snmp6`, `netstat`, `sockstat` or `sockstat6`.
    fn proc_net(&mut self, file: &str) -> String;
    /// Goes on as this user (0 has every capability, others none).
    fn set_uid(&mut self, uid: u32);
    /// Adds another L3 interface, up, without an address.
    fn add_iface(&mut self, name: &str);
    /// Changes the MTU of `tun0`.
    fn set_mtu(&mut self, mtu: u32);
    /// Makes a fresh namespace the caller's; existing sockets stay in theirs.
    fn enter_new_namespace(&mut self);
    /// Handles what arrives from now on on processor 0, wherever the system has several.
    fn pin(&mut self);
    /// Occupies every free descriptor but `leave` of them; `usize::MAX` gives them all back.
    fn leave_descriptors(&mut self, leave: usize);

    /// Opens a file that is no socket.
    fn open(&mut self, file: OtherFile) -> Fd;
    /// `socket(2)`.
    fn socket(&mut self, domain: i32, ty: i32, protocol: i32) -> Result<Fd, Errno>;
    /// `bind(2)`; `addr` is a raw sockaddr.
    fn bind(&mut self, fd: Fd, addr: &[u8]) -> Result<(), Errno>;
    /// `listen(2)`.
    fn listen(&mut self, fd: Fd, backlog: i32) -> Result<(), Errno>;
    /// `accept4(2)`.
    fn accept4(&mut self, fd: Fd, addr: AddrArg, flags: i32) -> Result<Accepted, Errno>;
    /// `connect(2)`.
    fn connect(&mut self, fd: Fd, addr: &[u8]) -> Result<(), Errno>;
    /// `shutdown(2)`.
    fn shutdown(&mut self, fd: Fd, how: i32) -> Result<(), Errno>;
    /// `close(2)`.
    fn close(&mut self, fd: Fd) -> Result<(), Errno>;
    /// `dup(2)`.
    fn dup(&mut self, fd: Fd) -> Result<Fd, Errno>;
    /// `getsockname(2)`, as the raw sockaddr.
    fn getsockname(&mut self, fd: Fd) -> Result<Vec<u8>, Errno>;
    /// `getpeername(2)`.
    fn getpeername(&mut self, fd: Fd) -> Result<Vec<u8>, Errno>;
    /// `getsockopt(2)` with a buffer of `cap` bytes.
    fn getsockopt(&mut self, fd: Fd, level: i32, name: i32, cap: usize) -> Result<Vec<u8>, Errno>;
    /// `setsockopt(2)`.
    fn setsockopt(&mut self, fd: Fd, level: i32, name: i32, value: &[u8]) -> Result<(), Errno>;
    /// `setsockopt(2)` with a classic BPF program: `name` is SO_ATTACH_FILTER or SO_ATTACH_REUSEPORT_CBPF, at SOL_SOCKET.
    fn attach_program(&mut self, fd: Fd, name: i32, program: &[Insn]) -> Result<(), Errno>;
    /// `recv(2)` of at most `cap` bytes.
    fn recv(&mut self, fd: Fd, cap: usize, flags: i32) -> Result<Vec<u8>, Errno>;
    /// `send(2)`; `MSG_NOSIGNAL` is added.
    fn send(&mut self, fd: Fd, data: &[u8], flags: i32) -> Result<usize, Errno>;
    /// `sendto(2)`; `MSG_NOSIGNAL` is added.
    fn sendto(&mut self, fd: Fd, data: &[u8], flags: i32, addr: &[u8]) -> Result<usize, Errno>;
    /// `poll(2)` with every event asked for and no wait: the `revents`.
    fn poll(&mut self, fd: Fd) -> u32;
    /// `ioctl(2)` that fills an int.
    fn ioctl(&mut self, fd: Fd, request: u32) -> Result<i32, Errno>;
    /// `fcntl(2)` with an int argument.
    fn fcntl(&mut self, fd: Fd, command: i32, arg: i32) -> Result<i32, Errno>;

    /// Attaches a sock_ops program, an ELF object of clang's, to every socket that the case makes from now on.
    #[cfg(feature = "bpf")]
    fn attach_sock_ops(&mut self, object: &[u8]);
    /// What a map of that program holds under a key.
    #[cfg(feature = "bpf")]
    fn bpf_lookup(&mut self, map: &str, key: &[u8]) -> Option<Vec<u8>>;

    /// `epoll_create1(0)`.
    fn epoll_create(&mut self) -> Fd;
    /// `epoll_ctl(EPOLL_CTL_ADD)` with the descriptor as its data.
    fn epoll_add(&mut self, epoll: Fd, fd: Fd, events: u32) -> Result<(), Errno>;
    /// `epoll_wait` with no wait: (data, events).
    fn epoll_wait(&mut self, epoll: Fd) -> Vec<(Fd, u32)>;

    /// Starts a blocking `accept4` as another thread of the process would, and returns once it sleeps or has ended.
    fn start_accept(&mut self, fd: Fd, flags: i32) -> PendingId;
    /// The outcome of a started call if it ends within `timeout`. It can be taken once.
    fn finish(&mut self, id: PendingId, timeout: Duration) -> Option<Result<Accepted, Errno>>;
    /// Sends the thread of a started call a signal whose handler was installed with or without `SA_RESTART`.
    fn signal(&mut self, id: PendingId, restart: bool);
}
