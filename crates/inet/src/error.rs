//! One error enum per operation. Which errno each becomes is decided by the caller.

pub use hearken_tcp::tcb::SoError;

/// Why a socket was not bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BindError {
    /// It is bound already, or is not in CLOSE.
    NotFresh,
    /// The address is none of ours.
    AddrNotAvailable,
    /// Another socket holds the port, or no port is free.
    AddrInUse,
    /// The port is privileged.
    Permission,
    /// The other family.
    WrongFamily,
    /// A v4-mapped address for an IPv6-only socket, or a multicast one: EINVAL.
    BadAddress,
}

/// Why a socket does not listen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ListenError {
    /// The socket is connected, connecting, or was and has not been disconnected.
    NotUnconnected,
    /// The port check made at listen time failed, or no port was free.
    AddrInUse,
}

/// Why no connection was accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AcceptError {
    /// The socket does not listen.
    NotListening,
    /// The queue is empty.
    Empty,
}

/// Why no connection was begun, or what became of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConnectError {
    /// It is connected, or listens.
    IsConnected,
    /// An earlier attempt is under way.
    Already,
    /// The earlier attempt failed thus; asked again, the socket is fresh.
    Failed(SoError),
    /// An earlier attempt was aborted without an error left to report.
    Aborted,
    /// No route: ENETUNREACH.
    NoRoute,
    /// No port is free for this destination.
    AddrNotAvailable,
    /// The four-tuple is taken.
    AddrInUse,
    /// The address is of the wrong family.
    WrongFamily,
    /// An IPv6 address, from a socket that is bound to an IPv4 one.
    OtherFamily,
    /// The socket is bound to a loopback address, which does not reach that far; or was shut down after an attempt that
    /// failed.
    BadSource,
    /// A broadcast or multicast address.
    NotUnicast,
}

/// Why a socket was not shut down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ShutdownError {
    /// It is not connected.
    NotConnected,
}

/// Why nothing was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecvError {
    /// Nothing is there yet.
    WouldBlock,
    /// Never connected, or it listens.
    NotConnected,
    /// The pending error, now taken.
    Failed(SoError),
}

/// Why nothing was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SendError {
    /// The buffer is full, or the handshake is under way.
    WouldBlock,
    /// Shut, never connected, or ended: EPIPE.
    Pipe,
    /// The pending error, now taken.
    Failed(SoError),
}

/// Why a datagram was not sent, or none received.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UdpError {
    /// Nothing has come, or there is no room to send.
    WouldBlock,
    /// No address given, and the socket is not connected: EDESTADDRREQ.
    NoDestination,
    /// Longer than a datagram may be: EMSGSIZE.
    TooBig,
    /// No route: ENETUNREACH.
    NoRoute,
    /// An address of the other family.
    WrongFamily,
    /// A broadcast address without SO_BROADCAST: EACCES.
    Broadcast,
    /// No port was free: EAGAIN.
    NoPort,
    /// Port 0: EINVAL.
    Invalid,
    /// The pending error, now taken.
    Failed(SoError),
}

/// Why a key of TCP_MD5SIG was not set or deleted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Md5Error {
    /// The socket has as many keys as `net.core.optmem_max` allows: ENOMEM.
    Full,
    /// There is no such key to be deleted: ENOENT.
    NotThere,
}

/// Why an option was not set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OptError {
    /// Out of bounds, or not in this state.
    Invalid,
    /// Only in a connected state.
    NotConnected,
    /// Needs a privilege.
    Permission,
    /// Nothing of the kind was set: ENOENT.
    NotThere,
}
