//! connect(2): `__inet_stream_connect` (6.18).

use super::sockaddr::{AddressUse, address, check_length, is_unspec};
use crate::blocked::{Op, Outcome};
use crate::errno::ToErrno;
use crate::file::{FileId, Kind};
use crate::machine::Machine;
use crate::options::Timeout;
use crate::socket::Socket;
use hearken_abi::Errno;
use hearken_inet::{Connect, ConnectError, Cred, Instant, SecurityCall};

impl Machine {
    /// connect(2) with the program's bytes. `AF_UNSPEC` disconnects.
    pub fn connect(&mut self, now: Instant, file: FileId, cred: &Cred, addr: &[u8]) -> Outcome<()> {
        let started = self.connect_start(now, file, cred, addr);
        match self.fast_connect(now, file, started) {
            Ok(Connect::Done) => Outcome::Done(Ok(())),
            Ok(Connect::InProgress) => self.connect_wait(now, file, Errno::EINPROGRESS),
            Err(Errno::EALREADY) => self.connect_wait(now, file, Errno::EALREADY),
            Err(e) => Outcome::Done(Err(e)),
        }
    }

    pub(crate) fn connect_start(
        &mut self,
        now: Instant,
        file: FileId,
        cred: &Cred,
        addr: &[u8],
    ) -> Result<Connect, Errno> {
        let socket = self.socket_of(file)?;
        check_length(addr)?;
        let Socket::Tcp(t) = socket else {
            return self.connect_other(file, addr).map(|()| Connect::Done);
        };
        let to = address(t.domain, AddressUse::Connect, addr);
        let call = SecurityCall::Connect {
            socket: t.socket,
            addr: to.ok(),
        };
        self.security(t.net, &call)?;
        if addr.len() < 2 {
            return Err(Errno::EINVAL);
        }
        if is_unspec(addr) {
            self.net_mut(t.net).disconnect(now, t.socket);
            self.wake(file);
            return Ok(Connect::Done);
        }
        // The state is looked at before the address: EISCONN of a listener even for a malformed one.
        if let Some(answer) = self.net_mut(t.net).connect_state(t.socket) {
            return answer.map_err(|e| e.errno());
        }
        self.net_mut(t.net)
            .connect(now, t.socket, to?, cred)
            .map_err(|e| e.errno())
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

    /// `otherwise` is what a call that must not wait answers.
    fn connect_wait(&mut self, now: Instant, file: FileId, otherwise: Errno) -> Outcome<()> {
        let Ok(open) = self.open(file) else {
            return Outcome::Done(Err(Errno::EBADF));
        };
        let Kind::Tcp(t) = &open.kind else {
            return Outcome::Done(Err(Errno::ENOTSOCK));
        };
        match t.options.snd_timeout {
            _ if open.nonblocking => Outcome::Done(Err(otherwise)),
            Timeout::After(d) if d.is_zero() => Outcome::Done(Err(otherwise)),
            Timeout::After(d) => self.block(file, Op::Connect { otherwise }, Some(now + d)),
            Timeout::Never => self.block(file, Op::Connect { otherwise }, None),
        }
    }

    /// What became of an attempt; `None` while it is under way.
    pub(crate) fn try_connect(&mut self, file: FileId) -> Option<Result<(), Errno>> {
        let t = match self.stream_of(file) {
            Ok(t) => t,
            Err(e) => return Some(Err(e)),
        };
        match self.net_mut(t.net).connect_state(t.socket) {
            Some(Ok(Connect::Done)) => Some(Ok(())),
            Some(Ok(Connect::InProgress) | Err(ConnectError::Already)) => None,
            Some(Err(e)) => Some(Err(e.errno())),
            // Another thread has disconnected it meanwhile.
            None => Some(Err(Errno::ECONNABORTED)),
        }
    }
}
