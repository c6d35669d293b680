//! The socket record: what a program holds, whatever phase its TCP is in.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::any::Any;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;
use hearken_abi::Domain;
use hearken_tcp::Seq;
use hearken_tcp::md5::Keys;
use hearken_tcp::tcb::{Knobs, NONE, SoError};

use crate::api::IfaceId;
use crate::cbpf::Program;
use crate::event::Ready;
use crate::listen::{FastOpenKeys, Group};

/// Which record holds the TCP of a socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// CLOSE, never connected or disconnected again.
    Idle,
    /// LISTEN: a listener slot.
    Listener(u32),
    /// A connection slot of the IPv4 half.
    V4(u32),
    /// A connection slot of the IPv6 half.
    V6(u32),
    /// A UDP slot; from birth to death.
    Udp(u32),
}

/// The socket-level state (Linux `socket_state`), which outlives the TCP state: docs/linux 7.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SsState {
    Unconnected,
    Connecting,
    Connected,
    /// SS_DISCONNECTING: shut down after an attempt that failed.
    Disconnecting,
}

/// What only sockets that were bound, or that have unusual options, need.
#[derive(Clone, Debug)]
pub(crate) struct Conf {
    /// As getsockname reports it while no connection does.
    pub(crate) local: SocketAddr,
    /// The program chose the port: it stays taken when the socket stops listening.
    pub(crate) port_locked: bool,
    /// The program chose the address.
    pub(crate) addr_locked: bool,
    pub(crate) uid: u32,
    pub(crate) device: Option<IfaceId>,
    /// SO_RCVBUF, SO_SNDBUF as kept (doubled); `None` follows the sysctls.
    pub(crate) rcvbuf: Option<u32>,
    pub(crate) sndbuf: Option<u32>,
    pub(crate) linger: Option<Duration>,
    /// SO_OOBINLINE
    pub(crate) oob_inline: bool,
    pub(crate) max_seg: u16,
    pub(crate) syn_cnt: u8,
    pub(crate) tos: u8,
    pub(crate) ttl: u8,
    /// IP_LOCAL_PORT_RANGE
    pub(crate) local_port_range: u32,
    pub(crate) fast_open_qlen: u32,
    /// TCP_DEFER_ACCEPT, in timeouts of the SYN-ACK.
    pub(crate) defer_accept: u8,
    /// TCP_SAVE_SYN
    pub(crate) save_syn: u8,
    /// TCP_SAVED_SYN, until it is read.
    pub(crate) saved_syn: Option<Box<[u8]>>,
    /// What the layer above wants children to have.
    pub(crate) attached: Option<Attached>,
    /// Timers and limits of the connection.
    pub(crate) knobs: Knobs,
    /// SO_ATTACH_FILTER
    pub(crate) filter: Option<Arc<Program>>,
    /// IP_MINTTL and IPV6_MINHOPCOUNT.
    pub(crate) min_ttl: [u8; 2],
    /// SO_INCOMING_CPU, -1 for none.
    pub(crate) incoming_cpu: i32,
    /// The SO_REUSEPORT group that a program made for a socket that does not listen yet.
    pub(crate) own_group: Option<Box<Group>>,
    /// TCP_FASTOPEN_KEY; `None` uses the namespace's.
    pub(crate) fast_open_keys: Option<FastOpenKeys>,
    pub(crate) fast_open_no_cookie: bool,
    /// A SYN flood was told of.
    pub(crate) flooded: bool,
    /// TCP_MD5SIG
    pub(crate) md5: Option<Arc<Keys>>,
    /// What disconnect left of the sequence numbers.
    pub(crate) left: Left,
    /// TCP_QUICKACK 0, until a connection has it.
    pub(crate) quick_ack_off: bool,
}

/// What the layer above keeps of a socket: inet hands it to children, as it was when they were made.
pub type Attached = Arc<dyn Any + Send + Sync>;

/// Sequence numbers that a socket without a connection goes on to have (`tcp_disconnect`, 6.18): SIOCOUTQ shows them, and the
/// next attempt begins with `write`, unless it is 0.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Left {
    pub(crate) write: Seq,
    pub(crate) una: Seq,
    pub(crate) nxt: Seq,
}

impl Left {
    /// After one more disconnect; `write` stands behind the largest window that the peer offered.
    pub(crate) fn moved_on(self) -> Self {
        let write = self.write + 2;
        let write = if write == Seq(0) { Seq(1) } else { write };
        Self { write, ..self }
    }
}

impl Conf {
    pub(crate) fn new(domain: Domain) -> Self {
        Self {
            local: unspecified(domain),
            port_locked: false,
            addr_locked: false,
            uid: 0,
            device: None,
            rcvbuf: None,
            sndbuf: None,
            linger: None,
            oob_inline: false,
            max_seg: 0,
            syn_cnt: 0,
            tos: 0,
            ttl: 0,
            local_port_range: 0,
            fast_open_qlen: 0,
            defer_accept: 0,
            save_syn: 0,
            saved_syn: None,
            attached: None,
            knobs: Knobs::default(),
            filter: None,
            min_ttl: [0; 2],
            incoming_cpu: -1,
            own_group: None,
            fast_open_keys: None,
            fast_open_no_cookie: false,
            flooded: false,
            md5: None,
            left: Left::default(),
            quick_ack_off: false,
        }
    }

    /// What a child inherits (docs/linux 121), `None` when that is nothing but defaults.
    pub(crate) fn inherited(&self, domain: Domain) -> Option<Box<Self>> {
        let plain = self.uid == 0
            && self.device.is_none()
            && self.rcvbuf.is_none()
            && self.sndbuf.is_none()
            && self.linger.is_none()
            && !self.oob_inline
            && self.attached.is_none()
            && self.save_syn == 0
            && self.knobs == Knobs::default()
            && self.min_ttl == [0; 2]
            && self.filter.is_none()
            && self.local_port_range == 0
            && !self.quick_ack_off
            && (self.max_seg, self.syn_cnt, self.tos, self.ttl) == (0, 0, 0, 0);
        (!plain).then(|| {
            let fresh = Self::new(domain);
            Box::new(Self {
                local: fresh.local,
                // Linux `sk_clone`: the child did not choose its port.
                port_locked: false,
                fast_open_qlen: 0,
                defer_accept: 0,
                incoming_cpu: -1,
                own_group: None,
                left: Left::default(),
                fast_open_keys: None,
                // A child has the one for its peer alone, which it is given apart.
                md5: None,
                ..self.clone()
            })
        })
    }
}

/// A socket.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) phase: Phase,
    pub(crate) token: u64,
    pub(crate) conf: Option<Box<Conf>>,
    /// Stands in the event list.
    pub(crate) marked: bool,
    /// The bind class that an idle or listening socket holds.
    pub(crate) bind: u32,
    pub(crate) interest: Ready,
    pub(crate) flags: u8,
    /// `bpf_sock_ops_cb_flags`, until a connection has them.
    pub(crate) cb_flags: u8,
    pub(crate) domain: Domain,
    pub(crate) ss: SsState,
    /// While there is no connection: the error that the last one left (Linux `sk_err`).
    pub(crate) error: Option<SoError>,
    /// While there is no connection: shutdown(2) was called all the same (Linux `sk_shutdown`), `SHUT_*` bits.
    pub(crate) shut: u8,
}

impl Socket {
    /// `shut`: reading is over.
    pub(crate) const SHUT_RCV: u8 = 1;
    /// `shut`: writing is.
    pub(crate) const SHUT_SND: u8 = 2;

    pub(crate) const REUSE_ADDR: u8 = 1;
    pub(crate) const REUSE_PORT: u8 = 2;
    pub(crate) const V6ONLY: u8 = 4;
    pub(crate) const FREE_BIND: u8 = 8;
    pub(crate) const NO_PORT: u8 = 16;
    pub(crate) const KEEP_ALIVE: u8 = 32;
    pub(crate) const NO_DELAY: u8 = 64;
    pub(crate) const CORK: u8 = 128;

    pub(crate) const fn new(domain: Domain) -> Self {
        Self {
            phase: Phase::Idle,
            token: 0,
            conf: None,
            marked: false,
            bind: NONE,
            interest: Ready::NONE,
            flags: 0,
            cb_flags: 0,
            domain,
            ss: SsState::Unconnected,
            error: None,
            shut: 0,
        }
    }

    pub(crate) const fn has(&self, f: u8) -> bool {
        self.flags & f == f
    }
    pub(crate) fn set(&mut self, f: u8, on: bool) {
        if on {
            self.flags |= f;
        } else {
            self.flags &= !f;
        }
    }
    /// The rare part, made on first use.
    pub(crate) fn conf(&mut self) -> &mut Conf {
        let domain = self.domain;
        self.conf.get_or_insert_with(|| Box::new(Conf::new(domain)))
    }
}

/// 0.0.0.0:0 or [::]:0.
pub(crate) const fn unspecified(domain: Domain) -> SocketAddr {
    SocketAddr::new(
        match domain {
            Domain::Inet => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Domain::Inet6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        },
        0,
    )
}

/// An address as a socket of `domain` shows it: AF_INET6 sees IPv4 as v4-mapped.
pub(crate) fn shown(domain: Domain, ip: IpAddr) -> IpAddr {
    match (domain, ip) {
        (Domain::Inet6, IpAddr::V4(a)) => IpAddr::V6(a.to_ipv6_mapped()),
        _ => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn socket_record_is_small() {
        assert!(size_of::<Socket>() <= 40, "{}", size_of::<Socket>());
    }
}
