//! Option values that a socket keeps for its program and that nothing below obeys yet. What inet obeys, inet keeps.

use alloc::vec::Vec;
use core::time::Duration;
use hearken_abi::Domain;
use hearken_inet::Congestion;

/// Linux counts socket timeouts in jiffies; the measured kernel has 250 a second.
pub(crate) const JIFFY: Duration = Duration::from_millis(4);

/// How long a call waits at most.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Timeout {
    /// As long as it takes.
    #[default]
    Never,
    /// So long; zero does not wait at all, as a negative `tv_sec` asks.
    After(Duration),
}

/// The values of one socket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Options {
    pub(crate) rcv_timeout: Timeout,
    pub(crate) snd_timeout: Timeout,
    /// `l_linger` as it was given last, which SO_LINGER reports while it is off, too.
    pub(crate) linger_seconds: u32,
    /// Switches that nothing obeys: bit n for option n.
    pub(crate) so_flags: u128,
    pub(crate) debug: bool,
    pub(crate) dont_route: bool,
    pub(crate) broadcast: bool,
    pub(crate) oob_inline: bool,
    pub(crate) no_check: bool,
    pub(crate) timestamp: bool,
    pub(crate) rxq_ovfl: bool,
    pub(crate) no_fcs: bool,
    pub(crate) lock_filter: bool,
    pub(crate) select_err_queue: bool,
    pub(crate) zerocopy: bool,
    /// SO_TIMESTAMPING
    pub(crate) stamping: u32,
    pub(crate) rcv_mark: bool,
    pub(crate) txrehash: bool,
    /// IPPROTO_MPTCP was asked for.
    pub(crate) mptcp: bool,
    pub(crate) buf_lock: i32,
    pub(crate) priority: i32,
    pub(crate) mark: i32,
    pub(crate) rcv_lowat: i32,
    pub(crate) peek_off: i32,
    pub(crate) busy_poll: i32,
    pub(crate) incoming_cpu: i32,
    /// SO_BINDTOIFINDEX as it was given: Linux does not ask whether there is such a device.
    pub(crate) bound_index: i32,
    pub(crate) max_pacing_rate: u64,
    pub(crate) reuse: (bool, bool),
    pub(crate) buffers: (u32, u32),

    pub(crate) keep_idle: Option<i32>,
    pub(crate) keep_interval: Option<i32>,
    pub(crate) keep_count: Option<i32>,
    /// Seconds; -1 for "do not wait in FIN_WAIT2".
    pub(crate) linger2: Option<i32>,
    pub(crate) defer_accept: u8,
    pub(crate) window_clamp: i32,
    /// TCP_CONGESTION, if it was set.
    pub(crate) congestion: Option<Congestion>,
    /// What tcp_congestion_control was when the socket was made.
    pub(crate) congestion_default: Congestion,
    pub(crate) thin_linear: bool,
    pub(crate) user_timeout: i32,
    pub(crate) notsent_lowat: i32,
    pub(crate) save_syn: i32,
    pub(crate) fastopen_connect: bool,
    pub(crate) fastopen_no_cookie: bool,
    /// TCP_FASTOPEN_KEY: one key or two.
    pub(crate) fastopen_key: Vec<u8>,
    pub(crate) inq: bool,
    pub(crate) rto_max_ms: Option<i32>,

    pub(crate) ip_flags: u128,
    pub(crate) mtu_discover: i32,
    pub(crate) min_ttl: i32,
    pub(crate) multicast_loop: bool,
    pub(crate) multicast_all: bool,

    pub(crate) v6_flags: u128,
    pub(crate) v6_mtu_discover: i32,
    pub(crate) v6_tclass: i32,
    pub(crate) v6_min_hops: i32,
    pub(crate) v6_multicast_loop: bool,
    pub(crate) v6_multicast_all: bool,
    pub(crate) v6_auto_flow_label: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rcv_timeout: Timeout::Never,
            snd_timeout: Timeout::Never,
            linger_seconds: 0,
            so_flags: 0,
            debug: false,
            dont_route: false,
            broadcast: false,
            oob_inline: false,
            no_check: false,
            timestamp: false,
            rxq_ovfl: false,
            no_fcs: false,
            lock_filter: false,
            select_err_queue: false,
            zerocopy: false,
            stamping: 0,
            rcv_mark: false,
            txrehash: true,
            mptcp: false,
            buf_lock: 0,
            priority: 0,
            mark: 0,
            rcv_lowat: 1,
            peek_off: -1,
            busy_poll: 0,
            incoming_cpu: -1,
            bound_index: 0,
            max_pacing_rate: u64::MAX,
            reuse: (false, false),
            // net.core.{r,w}mem_default, which datagram sockets report.
            buffers: (212_992, 212_992),
            keep_idle: None,
            keep_interval: None,
            keep_count: None,
            linger2: None,
            defer_accept: 0,
            window_clamp: 0,
            congestion: None,
            congestion_default: Congestion::default(),
            thin_linear: false,
            user_timeout: 0,
            notsent_lowat: 0,
            save_syn: 0,
            fastopen_connect: false,
            fastopen_no_cookie: false,
            fastopen_key: Vec::new(),
            inq: false,
            rto_max_ms: None,
            ip_flags: 0,
            mtu_discover: 1,
            min_ttl: 0,
            multicast_loop: true,
            multicast_all: true,
            v6_flags: 0,
            v6_mtu_discover: 1,
            v6_tclass: 0,
            v6_min_hops: 0,
            v6_multicast_loop: true,
            v6_multicast_all: true,
            v6_auto_flow_label: true,
        }
    }
}

impl Options {
    /// Those of a new socket.
    pub(crate) fn new(domain: Domain) -> Self {
        Self {
            // inet_create sets it, inet6_create does not.
            multicast_all: domain == Domain::Inet,
            ..Self::default()
        }
    }

    /// What an accepted child starts with: everything but these (docs/linux 121, measured one by one).
    pub(crate) fn inherited(&self) -> Self {
        Self {
            priority: 0,
            defer_accept: 0,
            mptcp: false,
            fastopen_key: Vec::new(),
            // Taken anew when the child is accepted.
            congestion_default: Congestion::default(),
            // Of a stream inet keeps these.
            reuse: (false, false),
            buffers: Self::default().buffers,
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_child_inherits_all_but_the_measured_exceptions() {
        let listener = Options {
            priority: 5,
            defer_accept: 3,
            user_timeout: 7777,
            rcv_timeout: Timeout::After(Duration::from_secs(3)),
            v6_tclass: 0x20,
            ..Options::default()
        };
        let child = listener.inherited();
        assert_eq!((child.priority, child.defer_accept), (0, 0));
        assert_eq!(child.user_timeout, 7777);
        assert_eq!(child.rcv_timeout, listener.rcv_timeout);
        assert_eq!(child.v6_tclass, 0x20);
    }
}
