//! sendto(2) with MSG_FASTOPEN: connect and write in one (Linux `tcp_sendmsg_fastopen`, 6.18;
//! docs/linux/fast-open-client.md).

use super::sockaddr::is_unspec;
use crate::blocked::Outcome;
use crate::file::{FileId, Kind};
use crate::machine::Machine;
use crate::options::Options;
use crate::socket::{Socket, Tcp};
use hearken_abi::Errno;
use hearken_abi::sock::{MSG_DONTWAIT, MSG_FASTOPEN};
use hearken_inet::{Connect, Cred, Instant};

/// `tcp_fastopen` bit: the client side is on.
pub(crate) const TFO_CLIENT_ENABLE: i32 = 1;

impl Machine {
    /// sendto(2): with `MSG_FASTOPEN` it connects to `addr`; otherwise the address counts for nothing.
    pub fn send_to(
        &mut self,
        now: Instant,
        file: FileId,
        cred: &Cred,
        data: &[u8],
        flags: i32,
        addr: &[u8],
    ) -> Outcome<usize> {
        if flags & MSG_FASTOPEN == 0 {
            return self.send(now, file, data, flags);
        }
        self.send_fast(now, file, cred, data, flags, addr)
    }

    pub(crate) fn send_fast(
        &mut self,
        now: Instant,
        file: FileId,
        cred: &Cred,
        data: &[u8],
        flags: i32,
        addr: &[u8],
    ) -> Outcome<usize> {
        let t = match self.socket_of(file) {
            Ok(Socket::Tcp(t)) => t,
            Ok(Socket::Other) => return self.send(now, file, data, flags & !MSG_FASTOPEN),
            Err(e) => return Outcome::Done(Err(e)),
        };
        if self.tcp_fastopen(t) & TFO_CLIENT_ENABLE == 0 || addr.len() >= 2 && is_unspec(addr) {
            return Outcome::Done(Err(Errno::EOPNOTSUPP));
        }
        let taken = match self.connect_start(now, file, cred, addr) {
            Ok(Connect::InProgress) => self.net_mut(t.net).fast_open(now, t.socket, data),
            Ok(Connect::Done) => return self.send_from(now, file, t, data, 0, flags),
            Err(e) => return Outcome::Done(Err(e)),
        };
        let waits = self.may_wait(file, flags & MSG_DONTWAIT, |o| o.snd_timeout);
        match (waits, taken) {
            (None, 0) => Outcome::Done(Err(Errno::EINPROGRESS)),
            (None, n) => Outcome::Done(Ok(n)),
            // A call that may wait waits for the handshake, though the data may be gone already.
            (Some(_), n) => self.send_from(now, file, t, data, n, flags),
        }
    }

    /// An attempt of a socket with TCP_FASTOPEN_CONNECT: with a cookie the call is over, and the SYN waits for the first
    /// write; without, the SYN asks for one.
    pub(crate) fn fast_connect(
        &mut self,
        now: Instant,
        file: FileId,
        started: Result<Connect, Errno>,
    ) -> Result<Connect, Errno> {
        let fast = self.options(file).is_some_and(|o| o.fastopen_connect);
        if started != Ok(Connect::InProgress) || !fast {
            return started;
        }
        let Ok(Socket::Tcp(t)) = self.socket_of(file) else {
            return started;
        };
        if self.net_mut(t.net).fast_open_connect(now, t.socket) {
            return Ok(Connect::Done);
        }
        started
    }

    fn options(&self, file: FileId) -> Option<&Options> {
        match &self.open(file).ok()?.kind {
            Kind::Tcp(t) => Some(&t.options),
            _ => None,
        }
    }

    pub(crate) fn tcp_fastopen(&self, t: Tcp) -> i32 {
        let text = self.net(t.net).sysctl_get("net.ipv4.tcp_fastopen");
        text.ok().and_then(|v| v.trim().parse().ok()).unwrap_or(0)
    }
}
