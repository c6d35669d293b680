//! From an open file to the protocol behind it (`sockfd_lookup_light`, then `sock->ops`), and what its last close does.

use crate::file::{FileId, Kind, OpenFile};
use crate::machine::{Machine, NetId};
use hearken_abi::{Domain, Errno};
use hearken_inet::{Instant, SocketId};

/// A TCP socket, located.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tcp {
    pub(crate) net: NetId,
    pub(crate) socket: SocketId,
    pub(crate) domain: Domain,
}

/// What a socket call found behind its descriptor.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Socket {
    Tcp(Tcp),
    /// A datagram or raw socket.
    Other,
}

impl Machine {
    /// `sockfd_lookup_light` (6.18): no open file, or one opened with `O_PATH`: EBADF; no socket: ENOTSOCK.
    pub(crate) fn socket_of(&self, file: FileId) -> Result<Socket, Errno> {
        match &self.open(file)?.kind {
            Kind::Tcp(t) => Ok(Socket::Tcp(Tcp {
                net: t.net,
                socket: t.socket,
                domain: t.domain,
            })),
            Kind::Other(_) => Ok(Socket::Other),
            Kind::Epoll(_) | Kind::NotSocket => Err(Errno::ENOTSOCK),
            Kind::Path => Err(Errno::EBADF),
        }
    }

    /// The same, for a call that datagram sockets do not have (`sock_no_listen`, `sock_no_accept`): EOPNOTSUPP.
    pub(crate) fn stream_of(&self, file: FileId) -> Result<Tcp, Errno> {
        match self.socket_of(file)? {
            Socket::Tcp(t) => Ok(t),
            Socket::Other => Err(Errno::EOPNOTSUPP),
        }
    }

    /// The namespace and the socket in it, for an adapter that moves bytes by itself. `None` for other files.
    #[must_use]
    pub fn tcp_socket(&self, file: FileId) -> Option<(NetId, SocketId)> {
        match self.socket_of(file) {
            Ok(Socket::Tcp(t)) => Some((t.net, t.socket)),
            Ok(Socket::Other) | Err(_) => None,
        }
    }

    /// The last reference is gone.
    pub(crate) fn close_last(&mut self, now: Instant, id: FileId, file: OpenFile) {
        for epoll in &file.watchers {
            self.epoll_forget(*epoll, id);
        }
        match file.kind {
            Kind::Tcp(t) => {
                self.net_mut(t.net).close(now, t.socket);
            }
            Kind::Epoll(e) => {
                for member in e.members() {
                    if let Some(f) = self.files.get_mut(member) {
                        f.watchers.retain(|w| *w != id);
                    }
                }
            }
            Kind::Other(_) | Kind::NotSocket | Kind::Path => {}
        }
    }
}
