//! connect(2): `__inet_stream_connect` (6.18).

use super::sockaddr::{AddressUse, address, check_length, is_unspec};
use crate::blocked::{Op, Outcome};
use crate::errno::ToErrno;
use crate::file::{FileId, Kind};
use crate::machine::Machine;
use crate::options::Timeout;
use crate::socket::{Socket, Tcp};
use core::net::SocketAddr;
use hearken_abi::{Errno, TcpState};
use hearken_inet::{Connect, ConnectError, Cred, Instant, SecurityCall};

impl Machine {
    /// connect(2) with the program's bytes. `AF_UNSPEC` disconnects.
    pub fn connect(&mut self, now: Instant, file: FileId, cred: &Cred, addr: &[u8]) -> Outcome<()> {
        match self.connect_start(now, file, cred, addr) {
            Ok(None) => Outcome::Done(Ok(())),
            Ok(Some((to, already))) => self.connect_wait(now, file, *cred, to, already),
            Err(e) => Outcome::Done(Err(e)),
        }
    }

    /// `Some` with the address, and whether it was an earlier call that sent the SYN, while the handshake is under way.
    fn connect_start(
        &mut self,
        now: Instant,
        file: FileId,
        cred: &Cred,
        addr: &[u8],
    ) -> Result<Option<(SocketAddr, bool)>, Errno> {
        let socket = self.socket_of(file)?;
        check_length(addr)?;
        let Socket::Tcp(t) = socket else {
            return self.connect_other(file, addr).map(|()| None);
        };
        if addr.len() < 2 {
            return Err(Errno::EINVAL);
        }
        if is_unspec(addr) {
            self.net_mut(t.net).disconnect(now, t.socket);
            self.wake(file);
            return Ok(None);
        }
        let to = match address(t.domain, AddressUse::Connect, addr) {
            Ok(to) => to,
            // The state is looked at before the address: EISCONN of a listener even for a malformed one.
            Err(e) => return Err(self.busy(t).unwrap_or(e)),
        };
        self.security(t.net, &SecurityCall::Connect(to))?;
        match self.net_mut(t.net).connect(now, t.socket, to, cred) {
            Ok(Connect::Done) => Ok(None),
            Ok(Connect::InProgress) => Ok(Some((to, false))),
            Err(ConnectError::Already) => Ok(Some((to, true))),
            Err(e) => Err(e.errno()),
        }
    }

    fn busy(&self, t: Tcp) -> Option<Errno> {
        match self.net(t.net).state(t.socket) {
            TcpState::Close => None,
            TcpState::SynSent | TcpState::SynRecv => Some(Errno::EALREADY),
            TcpState::Established
            | TcpState::FinWait1
            | TcpState::FinWait2
            | TcpState::TimeWait
            | TcpState::CloseWait
            | TcpState::LastAck
            | TcpState::Listen
            | TcpState::Closing
            | TcpState::NewSynRecv => Some(Errno::EISCONN),
        }
    }

    fn connect_other(&mut self, file: FileId, addr: &[u8]) -> Result<(), Errno> {
        if addr.len() < 2 {
            return Err(Errno::EINVAL);
        }
        if let Kind::Other(o) = &self.open(file)?.kind
            && !is_unspec(addr)
        {
            address(o.domain, AddressUse::Connect, addr)?;
        }
        Ok(())
    }

    fn connect_wait(
        &mut self,
        now: Instant,
        file: FileId,
        cred: Cred,
        to: SocketAddr,
        already: bool,
    ) -> Outcome<()> {
        let in_progress = if already {
            Errno::EALREADY
        } else {
            Errno::EINPROGRESS
        };
        let Ok(open) = self.open(file) else {
            return Outcome::Done(Err(Errno::EBADF));
        };
        let Kind::Tcp(t) = &open.kind else {
            return Outcome::Done(Err(Errno::ENOTSOCK));
        };
        let op = Op::Connect { to, cred };
        match t.options.snd_timeout {
            _ if open.nonblocking => Outcome::Done(Err(in_progress)),
            Timeout::After(d) if d.is_zero() => Outcome::Done(Err(in_progress)),
            Timeout::After(d) => self.block(file, op, Some(now + d)),
            Timeout::Never => self.block(file, op, None),
        }
    }

    /// What became of an attempt; `None` while it is under way.
    pub(crate) fn try_connect(
        &mut self,
        now: Instant,
        file: FileId,
        to: SocketAddr,
        cred: &Cred,
    ) -> Option<Result<(), Errno>> {
        let t = match self.stream_of(file) {
            Ok(t) => t,
            Err(e) => return Some(Err(e)),
        };
        // Asked while the SYN is out, inet could only say so; asked later, it says how the attempt ended.
        if self.busy(t) == Some(Errno::EALREADY) {
            return None;
        }
        match self.net_mut(t.net).connect(now, t.socket, to, cred) {
            Ok(Connect::Done) => Some(Ok(())),
            Ok(Connect::InProgress) | Err(ConnectError::Already) => None,
            Err(e) => Some(Err(e.errno())),
        }
    }
}
