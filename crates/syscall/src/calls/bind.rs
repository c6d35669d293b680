//! bind(2): `__sys_bind`, `inet_bind`, `inet6_bind` (6.18).

use super::sockaddr::{AddressUse, address, check_length};
use crate::errno::ToErrno;
use crate::file::{FileId, Kind};
use crate::machine::Machine;
use crate::socket::Socket;
use hearken_abi::Errno;
use hearken_inet::{Cred, Instant, SecurityCall};

impl Machine {
    /// bind(2) with the program's bytes.
    ///
    /// # Errors
    /// Linux's: `EBADF`, `ENOTSOCK`, `EINVAL`, `EAFNOSUPPORT`, `EADDRNOTAVAIL`, `EADDRINUSE`, `EACCES`, and whatever
    /// the security hook says.
    pub fn bind(
        &mut self,
        _now: Instant,
        file: FileId,
        cred: &Cred,
        addr: &[u8],
    ) -> Result<(), Errno> {
        let socket = self.socket_of(file)?;
        check_length(addr)?;
        let Socket::Tcp(t) = socket else {
            return self.bind_other(file, addr);
        };
        let addr = address(t.domain, AddressUse::Bind, addr);
        // Before the address is looked at: what refuses every call refuses a malformed one, too.
        let call = SecurityCall::Bind {
            socket: t.socket,
            addr: addr.ok(),
        };
        self.security(t.net, &call)?;
        self.net_mut(t.net)
            .bind(t.socket, addr?, cred)
            .map_err(|e| e.errno())
    }

    /// A datagram socket's address is checked, and kept by nobody: no datagram comes or goes yet.
    fn bind_other(&mut self, file: FileId, addr: &[u8]) -> Result<(), Errno> {
        if let Kind::Other(o) = &self.open(file)?.kind {
            address(o.domain, AddressUse::Bind, addr)?;
        }
        Ok(())
    }
}
