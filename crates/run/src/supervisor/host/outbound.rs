//! The program's connections to elsewhere: its SYN is held until the host's own connect has ended.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use hearken_gateway::{FlowId, OpenError, Unreachable};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, sockopt};

use super::{Stage, address};
use crate::supervisor::Supervisor;
use crate::supervisor::slab::Key;

impl Supervisor {
    /// The program wants to go to `to`.
    pub(super) fn open_outside(&mut self, flow: FlowId, to: SocketAddr) {
        let to = address::destination_outside(to, self.host.resolver);
        match begin(to) {
            Ok(fd) => {
                self.insert_flow(fd, flow, Stage::Opening);
            }
            Err(e) => self
                .stack
                .gateway
                .opened(self.stack.now(), flow, Err(open_error(e))),
        }
    }

    /// The host's connect has a result.
    pub(super) fn host_connect_ended(&mut self, key: Key) {
        let Some(f) = self.host.flows.get_mut(key) else {
            return;
        };
        let flow = f.flow;
        let result = match sockopt::socket_error(&f.fd) {
            Ok(Ok(())) => match rustix::net::getpeername(&f.fd) {
                Ok(_) => Ok(()),
                // Not yet: the first edge of a fresh socket.
                Err(Errno::NOTCONN) => return,
                Err(e) => Err(e),
            },
            Ok(Err(e)) | Err(e) => Err(e),
        };
        match result {
            // A reset is no answer to a SYN: the host was connected, and then reset.
            Ok(()) | Err(Errno::CONNRESET) => {
                f.host_reset = result.is_err();
                let _ = sockopt::set_tcp_nodelay(&f.fd, true);
                f.stage = Stage::Shaking;
                self.stack.gateway.opened(self.stack.now(), flow, Ok(()));
            }
            Err(e) => {
                self.remove_flow(key);
                self.stack
                    .gateway
                    .opened(self.stack.now(), flow, Err(open_error(e)));
            }
        }
    }
}

/// Begins a connect that does not wait.
fn begin(to: SocketAddr) -> Result<OwnedFd, Errno> {
    let family = match to.ip() {
        IpAddr::V4(_) => AddressFamily::INET,
        IpAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let fd = rustix::net::socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    match rustix::net::connect(&fd, &to) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(fd),
        Err(e) => Err(e),
    }
}

/// How the program hears of it.
fn open_error(e: Errno) -> OpenError {
    match e {
        Errno::NETUNREACH | Errno::ADDRNOTAVAIL | Errno::AFNOSUPPORT => {
            OpenError::Unreachable(Unreachable::Net)
        }
        Errno::HOSTUNREACH | Errno::HOSTDOWN => OpenError::Unreachable(Unreachable::Host),
        Errno::ACCESS | Errno::PERM => OpenError::Unreachable(Unreachable::Prohibited),
        Errno::TIMEDOUT => OpenError::TimedOut,
        _ => OpenError::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errno_of_the_host_becomes_what_linux_sends() {
        assert_eq!(open_error(Errno::CONNREFUSED), OpenError::Refused);
        assert_eq!(
            open_error(Errno::NETUNREACH),
            OpenError::Unreachable(Unreachable::Net)
        );
        assert_eq!(
            open_error(Errno::HOSTUNREACH),
            OpenError::Unreachable(Unreachable::Host)
        );
        assert_eq!(
            open_error(Errno::ACCESS),
            OpenError::Unreachable(Unreachable::Prohibited)
        );
        assert_eq!(open_error(Errno::TIMEDOUT), OpenError::TimedOut);
    }

    #[test]
    fn connect_to_a_closed_loopback_port_is_refused_at_once_or_later() {
        let closed = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        if let Ok(fd) = begin(closed) {
            let mut p = [rustix::event::PollFd::new(
                &fd,
                rustix::event::PollFlags::OUT,
            )];
            rustix::event::poll(&mut p, None).unwrap();
            assert_eq!(sockopt::socket_error(&fd).unwrap(), Err(Errno::CONNREFUSED));
        }
    }
}
