//! A half-open connection: what must be remembered between SYN and ACK, and nothing else (Linux `request_sock`).

use crate::addr::{Family, Tuple};
use crate::seq::Seq;
use crate::time::Instant;

/// A request sock. It owns no buffers and sits in the established hash.
#[derive(Clone, Copy, Debug)]
pub struct RequestSock<F: Family> {
    /// When its SYN-ACK timer fires.
    pub deadline: Instant,
    /// The four-tuple.
    pub tuple: Tuple<F>,
    /// The listener's slot.
    pub listener: u32,
    /// The listener's generation: a listener that was closed is not found again.
    pub listener_gen: u32,
    /// The peer's initial sequence number.
    pub rcv_isn: Seq,
    /// Ours.
    pub snt_isn: Seq,
    /// The peer's newest timestamp.
    pub ts_recent: u32,
    /// Our timestamp offset.
    pub ts_off: u32,
    /// When the SYN-ACK was first sent, in microseconds modulo 2^32: the first round-trip sample.
    pub sent_us: u32,
    /// When we last answered an out-of-window segment, in milliseconds; 0 is never.
    pub last_oow_ms: u32,
    /// The window that the SYN-ACK offers (never scaled, RFC 7323 2.2).
    pub rcv_wnd: u16,
    /// The peer's MSS.
    pub mss: u16,
    /// The interface that the SYN came in by.
    pub iface: u16,
    /// `RequestSock::*` flag bits.
    pub flags: u8,
    /// Peer's window scale in the low half, ours in the high half.
    pub wscales: u8,
    /// Timer expiries so far.
    pub num_timeout: u8,
    /// SYN-ACKs sent again so far.
    pub num_retrans: u8,
    /// When the last SYN-ACK was sent, in milliseconds after `sent_us`; [`u16::MAX`] for that or later.
    pub last_sent_ms: u16,
}

impl<F: Family> RequestSock<F> {
    /// Window scaling was agreed.
    pub const WSCALE_OK: u8 = 1;
    /// SACK was agreed.
    pub const SACK_OK: u8 = 2;
    /// Timestamps were agreed.
    pub const TSTAMP_OK: u8 = 4;
    /// ECN was agreed.
    pub const ECN_OK: u8 = 8;
    /// Waits for a verdict before its SYN-ACK leaves (`Event::Syn`).
    pub const HELD: u8 = 16;
    /// Stands in the transmit list.
    pub const TX_QUEUED: u8 = 32;
    /// Came to the listener's queue as an ACK already, while the accept queue was full.
    pub const ACKED: u8 = 64;
    /// The bytes of its SYN are kept aside.
    pub const SAVED_SYN: u8 = 128;

    /// Whether all the bits of `f` are set.
    pub const fn has(&self, f: u8) -> bool {
        self.flags & f == f
    }
    /// The peer's window scale.
    pub const fn snd_wscale(&self) -> u8 {
        self.wscales & 15
    }
    /// Ours.
    pub const fn rcv_wscale(&self) -> u8 {
        self.wscales >> 4
    }
    /// When `sent_us` was, in milliseconds of the clock that timestamps show.
    fn first_sent_ms(&self, now: Instant) -> u32 {
        let now_us = now.0 / 1000;
        let ago = (now_us as u32).wrapping_sub(self.sent_us);
        (now_us.wrapping_sub(u64::from(ago)) / 1000) as u32
    }
    /// Notes that a SYN-ACK leaves now.
    pub fn sent(&mut self, now: Instant) {
        let after = now.millis32().wrapping_sub(self.first_sent_ms(now));
        self.last_sent_ms = after.min(u32::from(u16::MAX)) as u16;
    }
    /// Whether one of our SYN-ACKs may have carried this timestamp; 0 is taken as none (Linux `tcp_check_req`, 6.18:
    /// between the first one's and the last one's; docs/linux/half-open-timestamp-echo.md).
    pub fn echoes(&self, now: Instant, ecr: u32) -> bool {
        let since = ecr.wrapping_sub(self.first_sent_ms(now).wrapping_add(self.ts_off));
        let last = match self.last_sent_ms {
            u16::MAX => u32::MAX >> 1,
            ms => u32::from(ms),
        };
        ecr == 0 || since <= last
    }
    /// The sequence number that the peer must send next.
    pub fn rcv_nxt(&self) -> Seq {
        self.rcv_isn + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::{V4, V6};

    #[test]
    fn request_sock_is_one_cache_line() {
        assert!(size_of::<RequestSock<V4>>() <= 64);
        assert!(size_of::<RequestSock<V6>>() <= 88);
    }
    #[test]
    fn echoes_takes_what_a_syn_ack_carried_and_nothing_else() {
        let first = Instant(5_000_000_000);
        let mut r = RequestSock::<V4> {
            deadline: first,
            tuple: crate::Tuple {
                laddr: [10, 0, 0, 1],
                raddr: [10, 0, 0, 2],
                lport: 80,
                rport: 1,
            },
            listener: 0,
            listener_gen: 1,
            rcv_isn: Seq(1),
            snt_isn: Seq(2),
            ts_recent: 0,
            ts_off: 1000,
            sent_us: 5_000_000,
            last_oow_ms: 0,
            rcv_wnd: 0,
            mss: 0,
            iface: 0,
            flags: 0,
            wscales: 0,
            num_timeout: 0,
            num_retrans: 0,
            last_sent_ms: 0,
        };
        let echoed = |r: &RequestSock<V4>| {
            [0, 5999, 6000, 6001, 9000, 9001].map(|ecr| r.echoes(Instant(9_000_000_000), ecr))
        };
        assert_eq!(echoed(&r), [true, false, true, false, false, false]);
        r.sent(Instant(8_000_000_000));
        assert_eq!(echoed(&r), [true, false, true, true, true, false]);
        // Too long ago to be counted: any later time, but none before.
        r.sent(Instant(100_000_000_000));
        assert_eq!(r.last_sent_ms, u16::MAX);
        let late = |ecr| r.echoes(Instant(100_000_000_000), ecr);
        assert!(late(200_000) && late(6000 + (u32::MAX >> 1)));
        assert!(!late(5999) && !late(6000 + (1 << 31)));
    }
}
