//! getsockname(2) and getpeername(2).

use crate::file::{FileId, Kind};
use crate::machine::Machine;
use crate::socket::Socket;
use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use hearken_abi::{Domain, Errno, TcpState};

impl Machine {
    /// getsockname(2).
    ///
    /// # Errors
    /// `EBADF`, `ENOTSOCK`.
    pub fn getsockname(&self, file: FileId) -> Result<SocketAddr, Errno> {
        match self.socket_of(file)? {
            Socket::Tcp(t) => Ok(self.net(t.net).local_addr(t.socket)),
            Socket::Other => match &self.open(file)?.kind {
                Kind::Other(o) => Ok(match o.domain {
                    Domain::Inet => (Ipv4Addr::UNSPECIFIED, 0).into(),
                    Domain::Inet6 => (Ipv6Addr::UNSPECIFIED, 0).into(),
                }),
                Kind::Tcp(_) | Kind::Epoll(_) | Kind::NotSocket | Kind::Path => {
                    Err(Errno::ENOTSOCK)
                }
            },
        }
    }

    /// getpeername(2).
    ///
    /// # Errors
    /// `EBADF`, `ENOTSOCK`, `ENOTCONN`.
    pub fn getpeername(&self, file: FileId) -> Result<SocketAddr, Errno> {
        let Socket::Tcp(t) = self.socket_of(file)? else {
            return Err(Errno::ENOTCONN);
        };
        let net = self.net(t.net);
        // inet_getname (6.18): the peer is known only between SYN_SENT and CLOSE, exclusive.
        match net.state(t.socket) {
            TcpState::Close | TcpState::SynSent => Err(Errno::ENOTCONN),
            TcpState::Established
            | TcpState::SynRecv
            | TcpState::FinWait1
            | TcpState::FinWait2
            | TcpState::TimeWait
            | TcpState::CloseWait
            | TcpState::LastAck
            | TcpState::Listen
            | TcpState::Closing
            | TcpState::NewSynRecv => net.peer_addr(t.socket).ok_or(Errno::ENOTCONN),
        }
    }
}
