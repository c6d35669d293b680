//! Names and plain values of the public interface.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use hearken_abi::{Domain, TcpState};
use hearken_tcp::tcb::Knob;
use hearken_tcp::{Instant, Sysctls};

use crate::hooks::Hooks;
use crate::listen::FastOpenKeys;

/// A socket of one [`crate::Net`]. A closed one is never found again under the same id.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SocketId {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

impl SocketId {
    /// A number that names the socket for people: `socket 7`.
    pub const fn number(self) -> u32 {
        self.slot
    }
}

/// An interface of one [`crate::Net`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct IfaceId(pub u16);

impl IfaceId {
    /// The loopback interface, which is always there.
    pub const LO: Self = Self(0);
}

/// What a [`crate::Net`] is made of.
pub struct Config {
    /// All that is secret or random comes from here.
    pub seed: [u8; 32],
    /// The values to start with.
    pub sysctls: Sysctls,
    /// Security, sock_ops, tracing.
    pub hooks: Option<Box<dyn Hooks + Send>>,
}

impl Config {
    /// Linux's defaults, no hooks.
    pub fn new(seed: [u8; 32]) -> Self {
        Self {
            seed,
            sysctls: Sysctls::default(),
            hooks: None,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("sysctls", &self.sysctls)
            .finish_non_exhaustive()
    }
}

/// A way to other hosts (`ip route`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Route {
    /// An address of the network that it leads to.
    pub dst: IpAddr,
    /// Bits of the network: 0..=32, or 0..=128.
    pub prefix: u8,
    /// The interface to leave by.
    pub iface: IfaceId,
    /// The router, a neighbour on an Ethernet interface; `None` if the destination itself is the neighbour.
    pub via: Option<IpAddr>,
    /// Among routes to the same network the smallest wins.
    pub metric: u32,
    /// The largest packet on this way; `None`: what the interface takes.
    pub mtu: Option<u32>,
}

impl Route {
    /// A route by `iface` itself, of metric 0.
    #[must_use]
    pub const fn new(dst: IpAddr, prefix: u8, iface: IfaceId) -> Self {
        Self {
            dst,
            prefix,
            iface,
            via: None,
            metric: 0,
            mtu: None,
        }
    }
}

/// Who calls, as far as a decision hangs on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cred {
    /// The effective user.
    pub uid: u32,
    /// CAP_NET_BIND_SERVICE: ports under `ip_unprivileged_port_start`.
    pub net_bind_service: bool,
}

impl Cred {
    /// Root.
    pub const ROOT: Self = Self {
        uid: 0,
        net_bind_service: true,
    };
}

/// A connection taken from an accept queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Accepted {
    /// The new socket.
    pub socket: SocketId,
    /// The client.
    pub peer: SocketAddr,
    /// Our end.
    pub local: SocketAddr,
}

/// A UDP datagram that came in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Datagram {
    /// Who sent it.
    pub from: SocketAddr,
    /// The local address that it was sent to.
    pub to: IpAddr,
    /// Where it came in.
    pub iface: IfaceId,
    /// What it carries.
    pub data: Vec<u8>,
}

/// How far a connect came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Connect {
    /// The SYN is on its way; writability tells the end.
    InProgress,
    /// An earlier attempt has completed: this call reports it.
    Done,
}

/// Which direction a shutdown ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shutdown {
    /// SHUT_RD
    Read,
    /// SHUT_WR
    Write,
    /// SHUT_RDWR
    Both,
}

/// A socket option that `Net` obeys, with its value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Opt {
    /// SO_REUSEADDR
    ReuseAddr(bool),
    /// SO_REUSEPORT
    ReusePort(bool),
    /// SO_BINDTODEVICE
    BindToDevice(Option<IfaceId>),
    /// SO_INCOMING_CPU, -1 for none.
    IncomingCpu(i32),
    /// IPV6_V6ONLY
    V6Only(bool),
    /// SO_BROADCAST, which only UDP obeys.
    Broadcast(bool),
    /// IP_FREEBIND, IPV6_FREEBIND
    FreeBind(bool),
    /// IP_BIND_ADDRESS_NO_PORT
    BindAddressNoPort(bool),
    /// IP_LOCAL_PORT_RANGE: the lowest port in the low half, the highest in the high half, 0 for the sysctl's.
    LocalPortRange(u32),
    /// SO_KEEPALIVE
    KeepAlive(bool),
    /// SO_OOBINLINE
    OobInline(bool),
    /// SO_LINGER: `None` is off.
    Linger(Option<Duration>),
    /// SO_RCVBUF in bytes as the program gave them: twice as much is kept, within `rmem_max`.
    RcvBuf(u32),
    /// SO_SNDBUF, likewise.
    SndBuf(u32),
    /// TCP_NODELAY
    NoDelay(bool),
    /// TCP_CORK
    Cork(bool),
    /// TCP_MAXSEG, 0 for none.
    MaxSeg(u16),
    /// TCP_SYNCNT
    SynCnt(u8),
    /// IP_TOS
    Tos(u8),
    /// IP_TTL and IPV6_UNICAST_HOPS
    Ttl(u8),
    /// TCP_FASTOPEN: how many children may wait for the ACK of their SYN-ACK.
    FastOpenQlen(u32),
    /// TCP_DEFER_ACCEPT: how many timeouts of the SYN-ACK a bare ACK does not complete the handshake.
    DeferAccept(u8),
    /// TCP_SAVE_SYN: 1 from the IP header on, 2 with what the device puts before it.
    SaveSyn(u8),
    /// TCP_FASTOPEN_KEY: keys of the socket's own.
    FastOpenKeys(FastOpenKeys),
    /// TCP_FASTOPEN_NO_COOKIE
    FastOpenNoCookie(bool),
    /// Timers and limits.
    Knob(Knob),
    /// TCP_QUICKACK, of a connection.
    QuickAck(i32),
    /// IP_MINTTL: packets with less are dropped.
    MinTtl(u8),
    /// IPV6_MINHOPCOUNT
    MinHops(u8),
}

/// The options of a socket as they stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// SO_REUSEADDR
    pub reuse_addr: bool,
    /// SO_REUSEPORT
    pub reuse_port: bool,
    /// SO_BINDTODEVICE
    pub device: Option<IfaceId>,
    /// IPV6_V6ONLY
    pub v6only: bool,
    /// IP_FREEBIND
    pub free_bind: bool,
    /// IP_BIND_ADDRESS_NO_PORT
    pub bind_address_no_port: bool,
    /// IP_LOCAL_PORT_RANGE
    pub local_port_range: u32,
    /// SO_KEEPALIVE
    pub keep_alive: bool,
    /// SO_LINGER
    pub linger: Option<Duration>,
    /// SO_RCVBUF as getsockopt reports it (doubled).
    pub rcvbuf: u32,
    /// SO_SNDBUF, likewise.
    pub sndbuf: u32,
    /// TCP_NODELAY
    pub no_delay: bool,
    /// TCP_CORK
    pub cork: bool,
    /// TCP_MAXSEG
    pub max_seg: u16,
    /// TCP_SYNCNT, 0 for the sysctl's value.
    pub syn_cnt: u8,
    /// IP_TOS
    pub tos: u8,
    /// IP_TTL, 0 for the sysctl's value.
    pub ttl: u8,
    /// TCP_FASTOPEN
    pub fast_open_qlen: u32,
    /// TCP_QUICKACK.
    pub quick_ack: bool,
    /// Memory of what waits to be read (`sk_rmem_alloc`).
    pub rmem: u32,
    /// TCP_WINDOW_CLAMP of a connection, as it stands.
    pub window_clamp: Option<u32>,
}

/// One socket, half-open or TIME_WAIT connection, as `ss` and /proc/net/tcp show it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DiagRow {
    /// The table it stands in.
    pub domain: Domain,
    /// Its state (half-open ones: SYN_RECV).
    pub state: TcpState,
    /// Our end.
    pub local: SocketAddr,
    /// The peer, `0.0.0.0:0` or `[::]:0` when there is none.
    pub peer: SocketAddr,
    /// Bytes unread; of a listener, connections that wait.
    pub rx_queue: u32,
    /// Bytes unacknowledged; of a listener, its limit (`ss` Send-Q; /proc shows 0).
    pub tx_queue: u32,
    /// The socket, unless nobody holds one (half-open, unaccepted, orphan, TIME_WAIT).
    pub socket: Option<SocketId>,
    /// Who made it.
    pub uid: u32,
    /// The kind of timer as /proc/net/tcp numbers it: 0 none, 1 retransmit, 2 keepalive, 3 TIME_WAIT, 4 probe.
    pub timer: u8,
    /// When it fires.
    pub timer_at: Instant,
    /// Retransmissions so far.
    pub retransmits: u8,
    /// Which directions are shut: 1 reading, 2 writing (Linux `sk_shutdown`).
    pub shutdown: u8,
    /// The buffers; half-open and TIME_WAIT connections have none.
    pub memory: Option<DiagMemory>,
    /// Who holds it: itself, its timers, of a listener its connections (`sk_refcnt`).
    pub references: u32,
    /// A connection that no program holds any more and that is to end by itself (`tcp_orphan_count`).
    pub orphan: bool,
    /// What is kept of a full socket only.
    pub columns: Option<DiagColumns>,
}

/// The columns at the end of a line of /proc/net/tcp.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DiagColumns {
    /// The retransmission timeout with its back-off.
    pub rto: Duration,
    /// For how long an ACK may wait.
    pub ato: Duration,
    /// How many ACKs go at once.
    pub quick: u8,
    /// Whether ACKs wait for data to ride on.
    pub pingpong: bool,
    /// Congestion window in segments.
    pub cwnd: u32,
    /// Slow-start threshold, -1 before there is one; of a listener, the limit of its Fast Open children.
    pub ssthresh: i64,
    /// Until when the timers of retransmission and of delayed ACKs run, needed or not: Linux does not stop them, and each holds
    /// the socket.
    pub armed: [Instant; 2],
}

/// The buffers of a socket in bytes, as SO_MEMINFO names them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DiagMemory {
    /// Received and not read: `SK_MEMINFO_RMEM_ALLOC`.
    pub rmem_alloc: u32,
    /// `SK_MEMINFO_RCVBUF`
    pub rcvbuf: u32,
    /// `SK_MEMINFO_SNDBUF`
    pub sndbuf: u32,
    /// Written and not acknowledged: `SK_MEMINFO_WMEM_QUEUED`.
    pub wmem_queued: u32,
}

/// A listener's two queues, and what came to it since it listens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ListenerQueues {
    /// Where it listens.
    pub local: SocketAddr,
    /// Half-open connections.
    pub syn_queue: u32,
    /// Connections that wait for accept(2).
    pub accept_queue: u32,
    /// The limit of both; one more than it fits.
    pub limit: u32,
    /// SYNs that found it.
    pub syns: u64,
    /// Handshakes that were completed.
    pub connections: u64,
    /// SYNs and ACKs that found the accept queue full (its part of `ListenOverflows`).
    pub overflows: u64,
}
