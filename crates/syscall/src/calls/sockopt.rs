//! getsockopt(2) and setsockopt(2): which level, and how lengths are judged. Measured option by option on 6.18.44; the
//! page is docs/linux/sockopt.md.

use super::{mptcp, sockopt_ip, sockopt_ipv6, sockopt_socket, sockopt_tcp};
use crate::file::{FileId, Kind};
use crate::machine::Machine;
use crate::options::Options;
use alloc::sync::Arc;
use alloc::vec::Vec;
use hearken_abi::sock::{SOL_IP, SOL_IPV6, SOL_SOCKET, SOL_TCP};
use hearken_abi::{Domain, Errno, TcpState};
use hearken_inet::{Attached, Instant};

/// The int at the start of an option value; fewer than four bytes are EINVAL.
pub(crate) fn int(value: &[u8]) -> Result<i32, Errno> {
    let bytes = value.first_chunk::<4>().ok_or(Errno::EINVAL)?;
    Ok(i32::from_ne_bytes(*bytes))
}

/// The same, and it must lie in `low..=high`.
pub(crate) fn int_in(value: &[u8], low: i32, high: i32) -> Result<i32, Errno> {
    let v = int(value)?;
    if !(low..=high).contains(&v) {
        return Err(Errno::EINVAL);
    }
    Ok(v)
}

/// An int that is a switch.
pub(crate) fn flag(value: &[u8]) -> Result<bool, Errno> {
    Ok(int(value)? != 0)
}

/// The first `cap` bytes of an answer.
pub(crate) fn cut(answer: &[u8], cap: usize) -> Vec<u8> {
    answer[..answer.len().min(cap)].to_vec()
}

/// An int as an answer.
pub(crate) fn int_answer(v: i32, cap: usize) -> Vec<u8> {
    cut(&v.to_ne_bytes(), cap)
}

/// Room for an answer: a negative one is EINVAL at every level but IPv6's.
pub(crate) fn room(cap: i32) -> Result<usize, Errno> {
    usize::try_from(cap).map_err(|_| Errno::EINVAL)
}

impl Machine {
    /// getsockopt(2): the bytes that the program gets, no more than `cap`, which is the length it gave.
    ///
    /// # Errors
    /// Linux's: `EBADF`, `ENOTSOCK`, `EINVAL`, `ENOPROTOOPT`, `EOPNOTSUPP` for a level the socket does not have,
    /// `ENOTCONN`, `ENODATA`.
    pub fn getsockopt(
        &mut self,
        now: Instant,
        file: FileId,
        level: i32,
        name: i32,
        cap: i32,
    ) -> Result<Vec<u8>, Errno> {
        self.socket_of(file)?;
        let (tcp, domain) = self.levels(file)?;
        if mptcp::is_mptcp(self, file) {
            mptcp::may_get(level, name)?;
        }
        match level {
            SOL_SOCKET => sockopt_socket::get(self, file, name, room(cap)?),
            SOL_TCP if tcp => sockopt_tcp::get(self, now, file, name, room(cap)?),
            SOL_IP => sockopt_ip::get(self, now, file, name, room(cap)?),
            SOL_IPV6 if domain == Domain::Inet6 => {
                // do_ipv6_getsockopt (6.18) takes the length as unsigned: -1 is plenty.
                #[expect(clippy::cast_sign_loss, reason = "the cast is the behaviour")]
                let room = cap as u32 as usize;
                sockopt_ipv6::get(self, now, file, name, room)
            }
            // inet6 answers for the levels that it does not know, inet leaves them to nobody.
            _ if domain == Domain::Inet6 && tcp => Err(Errno::ENOPROTOOPT),
            _ => Err(Errno::EOPNOTSUPP),
        }
    }

    /// setsockopt(2).
    ///
    /// # Errors
    /// Linux's: `EBADF`, `ENOTSOCK`, `EINVAL`, `ENOPROTOOPT`, `EDOM`, `EPERM`, `EACCES`, `ENODEV`, `ENOENT`.
    pub fn setsockopt(
        &mut self,
        now: Instant,
        file: FileId,
        level: i32,
        name: i32,
        value: &[u8],
    ) -> Result<(), Errno> {
        self.socket_of(file)?;
        let (tcp, domain) = self.levels(file)?;
        if mptcp::is_mptcp(self, file) {
            mptcp::may_set(level, name)?;
        }
        match level {
            SOL_SOCKET => sockopt_socket::set(self, now, file, name, value),
            SOL_TCP if tcp => sockopt_tcp::set(self, now, file, name, value),
            SOL_IP => sockopt_ip::set(self, now, file, name, value),
            SOL_IPV6 if domain == Domain::Inet6 => sockopt_ipv6::set(self, now, file, name, value),
            _ => Err(Errno::ENOPROTOOPT),
        }?;
        self.hand_down(file);
        Ok(())
    }

    /// Children get the options as they are when their handshake completes, which nobody above inet sees: inet hands
    /// them down (docs/linux 49).
    fn hand_down(&mut self, file: FileId) {
        let Ok(Kind::Tcp(t)) = self.open(file).map(|f| &f.kind) else {
            return;
        };
        let (net, socket) = (t.net, t.socket);
        let child = t.options.inherited();
        let idle = matches!(
            self.net(net).state(socket),
            TcpState::Close | TcpState::Listen
        );
        if idle {
            let unusual = (child != Options::new(t.domain)).then(|| Arc::new(child) as Attached);
            self.net_mut(net).attach(socket, unusual);
        }
    }

    fn levels(&self, file: FileId) -> Result<(bool, Domain), Errno> {
        match &self.open(file)?.kind {
            Kind::Tcp(t) => Ok((true, t.domain)),
            Kind::Other(o) => Ok((false, o.domain)),
            Kind::Epoll(_) | Kind::NotSocket | Kind::Path => Err(Errno::ENOTSOCK),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn option_int_needs_four_bytes_and_ignores_more() {
        let v = 7i32.to_ne_bytes();
        for len in 0..4 {
            assert_eq!(int(&v[..len]), Err(Errno::EINVAL), "{len}");
        }
        assert_eq!(int(&v), Ok(7));
        assert_eq!(int(&[v, v].concat()), Ok(7));
        assert_eq!(int_in(&v, 0, 6), Err(Errno::EINVAL));
        assert_eq!(int_in(&v, 7, 7), Ok(7));
    }

    #[test]
    fn answer_is_cut_to_the_room() {
        assert_eq!(int_answer(0x0403_0201, 0), []);
        assert_eq!(int_answer(0x0403_0201, 3), [1, 2, 3]);
        assert_eq!(int_answer(0x0403_0201, 400), [1, 2, 3, 4]);
        assert_eq!(room(-1), Err(Errno::EINVAL));
    }
}
