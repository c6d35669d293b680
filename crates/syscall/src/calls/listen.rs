//! listen(2): `__sys_listen` (6.18), which reads like its man page.
//!
//! 1. the descriptor: EBADF, ENOTSOCK (`sockfd_lookup_light`);
//! 2. the backlog: the smaller of it, taken as unsigned, and `net.core.somaxconn` of the socket's own namespace;
//! 3. the security hook (`security_socket_listen`), whose errno is returned unchanged;
//! 4. the socket's own operation: EOPNOTSUPP for one that cannot listen, else `inet_listen`.

use crate::errno::ToErrno;
use crate::file::FileId;
use crate::machine::Machine;
use crate::socket::{Socket, Tcp};
use hearken_abi::Errno;
use hearken_inet::{Instant, SecurityCall, Step};

/// `min((unsigned)backlog, somaxconn)`: a negative backlog is a very large one (docs/linux 17).
#[expect(clippy::cast_sign_loss, reason = "the cast is the behaviour")]
fn clamp(backlog: i32, somaxconn: u32) -> u32 {
    (backlog as u32).min(somaxconn)
}

impl Machine {
    /// listen(2).
    ///
    /// # Errors
    /// Linux's: `EBADF`, `ENOTSOCK`, `EOPNOTSUPP`, `EINVAL`, `EADDRINUSE`, and whatever the security hook says.
    pub fn listen(&mut self, now: Instant, file: FileId, backlog: i32) -> Result<(), Errno> {
        self.listen_fd(now, -1, file, backlog)
    }

    /// The same, for a caller who knows the descriptor that was given: a trace shows it.
    ///
    /// # Errors
    /// As [`Machine::listen`].
    pub fn listen_fd(
        &mut self,
        now: Instant,
        fd: i32,
        file: FileId,
        backlog: i32,
    ) -> Result<(), Errno> {
        let t = match self.socket_of(file)? {
            Socket::Tcp(t) => t,
            // sock_no_listen (6.18), for any backlog. No datagram namespace exists yet that a hook could watch.
            Socket::Other => return Err(Errno::EOPNOTSUPP),
        };
        self.trace(t.net, &Step::ListenEnter { fd, backlog });
        self.trace(
            t.net,
            &Step::Lookup {
                socket: t.socket.number(),
            },
        );
        let result = self.listen_tcp(now, t, backlog);
        let errno = result.err().map_or(0, |e| e.0);
        self.trace(t.net, &Step::ListenExit { errno });
        result
    }

    fn listen_tcp(&mut self, now: Instant, t: Tcp, backlog: i32) -> Result<(), Errno> {
        let somaxconn = self.net(t.net).somaxconn();
        let limit = clamp(backlog, somaxconn);
        self.trace(
            t.net,
            &Step::Clamp {
                backlog,
                somaxconn,
                result: limit,
            },
        );
        let local = self.net(t.net).local_addr(t.socket);
        let verdict = self.security(
            t.net,
            &SecurityCall::Listen {
                socket: t.socket,
                local,
                backlog: limit,
            },
        );
        let errno = verdict.err().map_or(0, |e| e.0);
        self.trace(t.net, &Step::Security { errno });
        verdict?;
        self.net_mut(t.net)
            .listen(now, t.socket, limit)
            .map_err(|e| e.errno())
    }
}

#[cfg(test)]
mod tests {
    use super::clamp;

    #[test]
    fn backlog_is_unsigned_and_has_no_other_limit() {
        assert_eq!(clamp(0, 4096), 0);
        assert_eq!(clamp(1, 4096), 1);
        assert_eq!(clamp(4095, 4096), 4095);
        assert_eq!(clamp(4096, 4096), 4096);
        assert_eq!(clamp(4097, 4096), 4096);
        assert_eq!(clamp(-1, 4096), 4096);
        assert_eq!(clamp(i32::MIN, 4096), 4096);
        assert_eq!(clamp(65_536, i32::MAX as u32), 65_536);
        assert_eq!(clamp(i32::MAX, i32::MAX as u32), i32::MAX as u32);
        assert_eq!(clamp(-1, 0), 0);
    }
}
