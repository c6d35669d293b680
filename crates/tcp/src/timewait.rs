//! What TIME_WAIT and an orphaned FIN_WAIT2 need, nothing more (Linux `inet_timewait_sock`).

use crate::addr::{Family, Tuple};
use crate::seq::Seq;
use crate::time::Instant;

/// A TIME_WAIT sock.
#[derive(Clone, Copy, Debug)]
pub struct TimeWaitSock<F: Family> {
    /// When it vanishes.
    pub deadline: Instant,
    /// The four-tuple.
    pub tuple: Tuple<F>,
    /// What we would send next.
    pub snd_nxt: Seq,
    /// What we expect next.
    pub rcv_nxt: Seq,
    /// The window that we offered last, unscaled.
    pub rcv_wnd: u32,
    /// The peer's newest timestamp.
    pub ts_recent: u32,
    /// When it came, in milliseconds.
    pub ts_recent_ms: u32,
    /// Our timestamp offset.
    pub ts_off: u32,
    /// When we last answered an old segment, in milliseconds; 0 is never.
    pub last_oow_ms: u32,
    /// The bind class that keeps our port taken.
    pub bind: u32,
    /// The interface towards the peer.
    pub iface: u16,
    /// Our window scale.
    pub rcv_wscale: u8,
    /// Bits: timestamps were agreed; still FIN_WAIT2; an ACK waits to be sent.
    pub flags: u8,
}

impl<F: Family> TimeWaitSock<F> {
    /// Timestamps were agreed.
    pub const TSTAMP_OK: u8 = 1;
    /// The peer's FIN has not come yet (`tw_substate` FIN_WAIT2).
    pub const FIN_WAIT2: u8 = 2;
    /// Stands in the transmit list: an ACK is owed.
    pub const TX_QUEUED: u8 = 4;
    /// The socket was an IPv6 one that spoke IPv4.
    pub const MAPPED: u8 = 8;
    /// Its ACKs are signed by a key that is kept aside.
    pub const SIGNED: u8 = 16;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::V4;

    #[test]
    fn time_wait_sock_is_one_cache_line() {
        assert!(size_of::<TimeWaitSock<V4>>() <= 64);
    }
}
