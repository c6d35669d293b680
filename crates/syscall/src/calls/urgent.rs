//! recv(2) with MSG_OOB (Linux `tcp_recv_urg`, 6.18; docs/linux/urgent.md).

use crate::machine::Machine;
use crate::socket::Tcp;
use hearken_abi::sock::{MSG_PEEK, MSG_TRUNC};
use hearken_abi::{Errno, TcpState};
use hearken_inet::{OutOfBand, Ready};

impl Machine {
    /// The urgent byte, at most that, without waiting.
    pub(crate) fn recv_urgent(
        &mut self,
        t: Tcp,
        buf: &mut [u8],
        flags: i32,
    ) -> Result<usize, Errno> {
        let net = self.net_mut(t.net);
        let state = net.state(t.socket);
        let byte = match net.out_of_band(t.socket) {
            _ if state == TcpState::Listen => return Err(Errno::ENOTCONN),
            OutOfBand::None => return Err(Errno::EINVAL),
            _ if state == TcpState::Close => return Err(Errno::ENOTCONN),
            OutOfBand::Coming if net.readiness(t.socket).has(Ready::RDHUP) => return Ok(0),
            OutOfBand::Coming => return Err(Errno::EAGAIN),
            OutOfBand::Here(byte) => byte,
        };
        if flags & MSG_PEEK == 0 {
            net.take_out_of_band(t.socket);
        }
        let Some(to) = buf.first_mut() else {
            return Ok(0);
        };
        if flags & MSG_TRUNC == 0 {
            *to = byte;
        }
        Ok(1)
    }
}
