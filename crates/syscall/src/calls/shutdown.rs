//! shutdown(2): `inet_shutdown` (6.18).

use crate::errno::ToErrno;
use crate::file::FileId;
use crate::machine::Machine;
use crate::socket::Socket;
use hearken_abi::Errno;
use hearken_abi::sock::{SHUT_RD, SHUT_RDWR, SHUT_WR};
use hearken_inet::{Instant, Shutdown};

fn direction(how: i32) -> Result<Shutdown, Errno> {
    match how {
        SHUT_RD => Ok(Shutdown::Read),
        SHUT_WR => Ok(Shutdown::Write),
        SHUT_RDWR => Ok(Shutdown::Both),
        _ => Err(Errno::EINVAL),
    }
}

impl Machine {
    /// shutdown(2).
    ///
    /// # Errors
    /// `EBADF`, `ENOTSOCK`; `EINVAL` for another `how`, which is looked at first; `ENOTCONN`.
    pub fn shutdown(&mut self, now: Instant, file: FileId, how: i32) -> Result<(), Errno> {
        let socket = self.socket_of(file)?;
        let how = direction(how)?;
        let Socket::Tcp(t) = socket else {
            return Err(Errno::ENOTCONN);
        };
        let result = self.net_mut(t.net).shutdown(now, t.socket, how);
        // Even when it fails it wakes everybody (sk_state_change): a blocked accept then sees EINVAL.
        self.wake(file);
        result.map_err(|e| e.errno())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shutdown_how_out_of_range_is_einval() {
        assert_eq!(direction(0), Ok(Shutdown::Read));
        assert_eq!(direction(1), Ok(Shutdown::Write));
        assert_eq!(direction(2), Ok(Shutdown::Both));
        for how in [-1, 3, i32::MAX, i32::MIN] {
            assert_eq!(direction(how), Err(Errno::EINVAL));
        }
    }
}
