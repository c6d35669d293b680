//! Urgent data of a socket (docs/linux/urgent.md).

use hearken_tcp::Instant;
use hearken_tcp::tcb::{OutOfBand, Tcb};

use crate::api::SocketId;
use crate::net::Net;

impl Net {
    fn tcb_of(&self, s: SocketId) -> Option<&Tcb> {
        self.sh.socket(s).and_then(|_| self.tcb(s.slot))
    }

    /// SIOCINQ: bytes that were not read; of TCP only those up to an urgent byte.
    pub fn unread_before_mark(&self, s: SocketId) -> usize {
        self.tcb_of(s)
            .map_or_else(|| self.readable(s), Tcb::unread_before_mark)
    }

    /// SIOCATMARK: the next byte to read is the urgent one.
    pub fn at_mark(&self, s: SocketId) -> bool {
        self.tcb_of(s).is_some_and(Tcb::at_mark)
    }

    /// The urgent byte (recv(2) with MSG_OOB).
    pub fn out_of_band(&self, s: SocketId) -> OutOfBand {
        self.tcb_of(s).map_or(OutOfBand::None, Tcb::out_of_band)
    }

    /// It was read.
    pub fn take_out_of_band(&mut self, s: SocketId) {
        self.with_tcb(s.slot, Tcb::take_out_of_band);
    }

    /// A read that begins at the urgent byte and finds nothing behind it: the byte is gone then.
    pub fn drop_lone_urgent(&mut self, now: Instant, s: SocketId) {
        self.step(now, s.slot, Tcb::drop_lone_urgent);
    }

    /// What was written so far is urgent up to its last byte (send(2) with MSG_OOB).
    pub fn mark_urgent(&mut self, now: Instant, s: SocketId) {
        self.step(now, s.slot, |t, cx| t.mark_urgent(cx));
    }
}
