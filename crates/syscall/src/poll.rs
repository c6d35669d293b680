//! poll masks: which bits a file shows, exactly as `tcp_poll` and `datagram_poll` give them.

use crate::file::{FileId, Kind, TcpFile};
use crate::machine::Machine;
use hearken_abi::sock::{
    POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, POLLRDNORM, POLLWRBAND, POLLWRNORM,
};
use hearken_inet::{Net, Ready};

/// What poll and epoll report without being asked.
pub(crate) const ALWAYS: u32 = POLLERR | POLLHUP;

/// A socket's readiness in poll's bits: POLLIN comes with POLLRDNORM, POLLOUT with POLLWRNORM.
pub(crate) fn from_ready(ready: Ready) -> u32 {
    let mut mask = u32::from(ready.0);
    if ready.has(Ready::READ) {
        mask |= POLLRDNORM;
    }
    if ready.has(Ready::WRITE) {
        mask |= POLLWRNORM;
    }
    mask
}

/// tcp_stream_is_readable (6.18): fewer bytes than SO_RCVLOWAT do not count, unless nothing more can come.
fn tcp_mask(net: &Net, t: &TcpFile) -> u32 {
    let ready = net.readiness(t.socket);
    let errors = if t.has_errors() { POLLERR } else { 0 };
    let mask = from_ready(ready) | errors;
    let lowat = usize::try_from(t.options.rcv_lowat).unwrap_or(1);
    let more_may_come = !ready.has(Ready::RDHUP) && !ready.has(Ready::ERR);
    if lowat > 1
        && more_may_come
        && ready.has(Ready::READ)
        && (1..lowat).contains(&net.readable(t.socket))
    {
        return mask & !(POLLIN | POLLRDNORM);
    }
    mask
}

pub(crate) fn mask(machine: &Machine, file: FileId) -> u32 {
    let Some(f) = machine.files.get(file) else {
        return POLLNVAL;
    };
    match &f.kind {
        Kind::Tcp(t) => tcp_mask(machine.net(t.net), t),
        // Nothing ever arrives at one of ours, and there is always room: 0x304 measured on a fresh UDP and RAW socket.
        Kind::Other(_) => POLLOUT | POLLWRNORM | POLLWRBAND,
        Kind::Epoll(e) if e.pending() > 0 => POLLIN | POLLRDNORM,
        Kind::Epoll(_) => 0,
        // A file without a poll operation is always readable and writable (DEFAULT_POLLMASK).
        Kind::NotSocket => POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM,
        Kind::Path => POLLNVAL,
    }
}

impl Machine {
    /// All poll bits that hold for a file now; POLLNVAL when it is not open.
    #[must_use]
    pub fn poll(&self, file: FileId) -> u32 {
        mask(self, file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mask_of_readiness_adds_the_normal_bits() {
        assert_eq!(from_ready(Ready::NONE), 0);
        assert_eq!(from_ready(Ready::READ), 0x41);
        assert_eq!(from_ready(Ready::WRITE), 0x104);
        // A fresh socket, and one that was reset.
        assert_eq!(from_ready(Ready::WRITE | Ready::HUP), 0x114);
        assert_eq!(from_ready(Ready::ALL), 0x215f);
    }
}
