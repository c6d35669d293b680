//! ioctl(2) on sockets: `tcp_ioctl` (6.18).

use crate::file::FileId;
use crate::machine::Machine;
use crate::socket::Socket;
use hearken_abi::sock::{SIOCATMARK, SIOCINQ, SIOCOUTQ, SIOCOUTQNSD};
use hearken_abi::{Errno, TcpState};

fn int(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

impl Machine {
    /// ioctl(2) for the requests that answer with an int. FIONBIO is [`Machine::set_nonblocking`].
    ///
    /// # Errors
    /// `EBADF`; `EINVAL` of a listener for the queues; `ENOTTY` for anything else.
    pub fn ioctl(&self, file: FileId, request: u32) -> Result<i32, Errno> {
        let t = match self.socket_of(file) {
            Ok(Socket::Tcp(t)) => t,
            Ok(Socket::Other) => {
                return match request {
                    SIOCINQ | SIOCOUTQ => Ok(0),
                    _ => Err(Errno::ENOTTY),
                };
            }
            Err(Errno::ENOTSOCK) => return Err(Errno::ENOTTY),
            Err(e) => return Err(e),
        };
        let net = self.net(t.net);
        let listening = net.state(t.socket) == TcpState::Listen;
        match request {
            SIOCATMARK => Ok(i32::from(net.at_mark(t.socket))),
            SIOCINQ | SIOCOUTQ | SIOCOUTQNSD if listening => Err(Errno::EINVAL),
            SIOCINQ => Ok(int(net.unread_before_mark(t.socket))),
            SIOCOUTQ => Ok(int(net.unacked(t.socket).0)),
            SIOCOUTQNSD => Ok(int(net.unacked(t.socket).1)),
            _ => Err(Errno::ENOTTY),
        }
    }

    /// `SIOCINQ`: bytes that a read would get.
    ///
    /// # Errors
    /// As [`Machine::ioctl`].
    pub fn ioctl_inq(&self, file: FileId) -> Result<i32, Errno> {
        self.ioctl(file, SIOCINQ)
    }

    /// `SIOCOUTQ`: bytes written and not acknowledged.
    ///
    /// # Errors
    /// As [`Machine::ioctl`].
    pub fn ioctl_outq(&self, file: FileId) -> Result<i32, Errno> {
        self.ioctl(file, SIOCOUTQ)
    }
}
