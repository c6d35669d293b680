//! Where others look on, or refuse: security, sock_ops callbacks, tracing.

use core::net::SocketAddr;
use hearken_abi::{DropReason, TcpState};
use hearken_tcp::Instant;

use crate::api::{IfaceId, SocketId};
use crate::frame::RxFrame;

/// Which hooks are called. A hook whose bit is off costs one test.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct HookMask(pub u8);

impl HookMask {
    /// [`Hooks::security`]
    pub const SECURITY: Self = Self(1);
    /// [`Hooks::sock_ops`]
    pub const SOCK_OPS: Self = Self(2);
    /// [`Hooks::trace`]
    pub const TRACE: Self = Self(4);
    /// [`Hooks::state`]
    pub const STATES: Self = Self(8);
    /// [`Hooks::retransmit`]
    pub const RETRANSMITS: Self = Self(16);
    /// [`Hooks::frame`], for frames that were dropped.
    pub const DROPS: Self = Self(32);
    /// [`Hooks::frame`], for every frame.
    pub const FRAMES: Self = Self(64);
    /// Whether all the bits of `o` are set.
    pub const fn has(self, o: Self) -> bool {
        self.0 & o.0 == o.0
    }
    /// The bits of both.
    pub const fn with(self, o: Self) -> Self {
        Self(self.0 | o.0)
    }
}

/// A socket goes from one state to another (Linux's tracepoint `sock:inet_sock_set_state`). Unlike there a half-open
/// connection is told of too, in SYN_RECV, and one in TIME_WAIT.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StateChange {
    /// Our end.
    pub local: SocketAddr,
    /// The peer; a listener has none.
    pub remote: Option<SocketAddr>,
    /// Before.
    pub old: TcpState,
    /// Now.
    pub new: TcpState,
}

/// A segment, or super-frame, leaves again (Linux's tracepoint `tcp:tcp_retransmit_skb`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retransmit {
    /// Our end.
    pub local: SocketAddr,
    /// The peer.
    pub remote: SocketAddr,
    /// The state of the connection.
    pub state: TcpState,
    /// SEG.SEQ
    pub seq: u32,
    /// Bytes of payload.
    pub len: u32,
}

/// A frame after it was taken in.
#[derive(Clone, Copy, Debug)]
pub struct SeenFrame<'a> {
    /// When.
    pub now: Instant,
    /// Where it came in.
    pub iface: IfaceId,
    /// The packet (with its Ethernet header, where the interface has one).
    pub frame: &'a RxFrame<'a>,
    /// Why it was dropped, if it was (Linux's tracepoint `skb:kfree_skb`).
    pub drop: Option<DropReason>,
}

/// A call that a security hook judges, with the arguments that Linux's LSM gets: the socket and the address, before the
/// protocol has looked at either.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SecurityCall {
    /// `security_socket_bind`
    Bind {
        /// The socket.
        socket: SocketId,
        /// The address; `None` if the bytes name none, and the protocol will say so.
        addr: Option<SocketAddr>,
    },
    /// `security_socket_listen`, after the clamp.
    Listen {
        /// The socket.
        socket: SocketId,
        /// Where the socket is bound.
        local: SocketAddr,
        /// The backlog after the clamp to somaxconn.
        backlog: u32,
    },
    /// `security_socket_accept`. The new socket has no connection yet, so there is no peer to look at.
    Accept {
        /// The listener.
        listener: SocketId,
        /// Where it is bound.
        local: SocketAddr,
    },
    /// `security_socket_connect`
    Connect {
        /// The socket.
        socket: SocketId,
        /// The address; `None` if the bytes name none, as those that disconnect (AF_UNSPEC).
        addr: Option<SocketAddr>,
    },
}

/// `BPF_SOCK_OPS_*` numbers of the callbacks that are made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum SockOp {
    /// `BPF_SOCK_OPS_TIMEOUT_INIT`
    TimeoutInit = 1,
    /// `BPF_SOCK_OPS_RWND_INIT`
    RwndInit = 2,
    /// `BPF_SOCK_OPS_TCP_CONNECT_CB`
    TcpConnect = 3,
    /// `BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB`
    ActiveEstablished = 4,
    /// `BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB`
    PassiveEstablished = 5,
    /// `BPF_SOCK_OPS_NEEDS_ECN`
    NeedsEcn = 6,
    /// `BPF_SOCK_OPS_RTO_CB`: how often it fired, the timeout, whether the connection ends.
    Rto = 8,
    /// `BPF_SOCK_OPS_RETRANS_CB`: sequence number, segments, 0 for sent.
    Retrans = 9,
    /// `BPF_SOCK_OPS_STATE_CB`: the old state, the new one.
    State = 10,
    /// `BPF_SOCK_OPS_TCP_LISTEN_CB`
    TcpListen = 11,
    /// `BPF_SOCK_OPS_RTT_CB`
    Rtt = 12,
}

impl SockOp {
    /// The bit of [`CbFlags`] without which it is not called; 0 when it always is.
    pub const fn flag(self) -> u8 {
        match self {
            Self::Rto => CbFlags::RTO,
            Self::Retrans => CbFlags::RETRANS,
            Self::State => CbFlags::STATE,
            Self::Rtt => CbFlags::RTT,
            _ => 0,
        }
    }
}

/// The bits of `bpf_sock_ops_cb_flags`. Those of header options do not exist here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CbFlags;

impl CbFlags {
    /// `BPF_SOCK_OPS_RTO_CB_FLAG`
    pub const RTO: u8 = 1;
    /// `BPF_SOCK_OPS_RETRANS_CB_FLAG`
    pub const RETRANS: u8 = 2;
    /// `BPF_SOCK_OPS_STATE_CB_FLAG`
    pub const STATE: u8 = 4;
    /// `BPF_SOCK_OPS_RTT_CB_FLAG`
    pub const RTT: u8 = 8;
    /// All of them.
    pub const ALL: u8 = 15;
}

/// What a sock_ops callback is shown of a socket (`struct bpf_sock_ops`, names without prefix).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(missing_docs, reason = "the header's own names")]
pub struct SockView {
    pub snd_cwnd: u32,
    /// Eight times the smoothed round-trip time.
    pub srtt_us: u32,
    pub rtt_min: u32,
    pub snd_ssthresh: u32,
    pub rcv_nxt: u32,
    pub snd_nxt: u32,
    pub snd_una: u32,
    pub mss_cache: u32,
    pub ecn_flags: u32,
    pub packets_out: u32,
}

/// What a sock_ops callback answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SockReply {
    /// `reply`; -1 leaves all as it is.
    pub reply: i32,
    /// `bpf_sock_ops_cb_flags` from now on, if they change.
    pub cb_flags: Option<u8>,
}

impl SockReply {
    /// Nothing is said.
    pub const NONE: Self = Self {
        reply: -1,
        cb_flags: None,
    };
}

/// What a sock_ops callback is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SockOps {
    /// Which callback.
    pub op: SockOp,
    /// What it is about.
    pub args: [u32; 4],
    /// Our end.
    pub local: SocketAddr,
    /// The peer, where there is one.
    pub remote: Option<SocketAddr>,
    /// The state of the socket.
    pub state: TcpState,
    /// `bpf_sock_ops_cb_flags` of the socket.
    pub cb_flags: u8,
    /// `None`: a half-open connection, no full socket.
    pub sock: Option<SockView>,
}

/// A step of the founding walk, with the values that it took. A call's steps come in order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// `listen(fd, backlog)` enters; `fd` is -1 where the caller has none.
    ListenEnter {
        /// The descriptor.
        fd: i32,
        /// As the program gave it.
        backlog: i32,
    },
    /// The descriptor names this socket.
    Lookup {
        /// Its number in the namespace.
        socket: u32,
    },
    /// The unsigned clamp.
    Clamp {
        /// As given.
        backlog: i32,
        /// The namespace's `net.core.somaxconn`.
        somaxconn: u32,
        /// The smaller.
        result: u32,
    },
    /// What the security hook said: 0, or an errno.
    Security {
        /// 0 when allowed.
        errno: i32,
    },
    /// `inet_listen` looks at the state.
    InetListen {
        /// CLOSE or LISTEN when it goes on.
        state: TcpState,
    },
    /// A repeated listen only moved the limit.
    BacklogMoved {
        /// Before.
        from: u32,
        /// Now.
        to: u32,
    },
    /// `tcp_fastopen` asked every listener to take Fast Open connections.
    FastOpen {
        /// The length of their queue.
        max_qlen: u32,
    },
    /// `inet_csk_listen_start`: the queues are there, and empty.
    ListenStart {
        /// The limit of both queues; one more fits.
        max_ack_backlog: u32,
    },
    /// The port check at listen time.
    PortCheck {
        /// The port.
        port: u16,
        /// It was chosen just now (autobind).
        autobind: bool,
        /// Nobody is in the way.
        free: bool,
    },
    /// In the listening hash: a SYN finds it now.
    Hashed {
        /// Where.
        local: SocketAddr,
    },
    /// The `TCP_LISTEN_CB` callback was made.
    ListenCallback,
    /// The call returns.
    ListenExit {
        /// 0, or an errno.
        errno: i32,
    },
    /// A SYN found the listener.
    Syn {
        /// The listener's address.
        local: SocketAddr,
        /// The client.
        remote: SocketAddr,
        /// Half-open connections before it.
        half_open: u32,
        /// Completed ones that wait.
        ack_backlog: u32,
        /// The limit of both.
        limit: u32,
    },
    /// A handshake completed: the child waits in the accept queue.
    Queued {
        /// The client.
        remote: SocketAddr,
        /// Length of the queue with it.
        ack_backlog: u32,
        /// Its limit.
        limit: u32,
    },
    /// The accept queue was full: dropped, counted, never reset (`reset`: unless `tcp_abort_on_overflow`).
    Overflow {
        /// The client.
        remote: SocketAddr,
        /// A reset was sent.
        reset: bool,
    },
    /// `accept` took the oldest child.
    Accepted {
        /// Its peer.
        remote: SocketAddr,
        /// Length of the queue without it.
        ack_backlog: u32,
    },
}

/// One object, given when the namespace is made or by [`Net::set_hooks`](crate::Net::set_hooks).
pub trait Hooks {
    /// Asked once, when it is given.
    fn mask(&self) -> HookMask;
    /// Refuses a call with any errno, which passes through unchanged.
    fn security(&mut self, _call: &SecurityCall) -> Result<(), i32> {
        Ok(())
    }
    /// Linux's sock_ops callbacks.
    fn sock_ops(&mut self, _call: &SockOps) -> SockReply {
        SockReply::NONE
    }
    /// Is told each step.
    fn trace(&mut self, _step: &Step) {}
    /// Is told of each change of state.
    fn state(&mut self, _change: &StateChange) {}
    /// Is told of each retransmission.
    fn retransmit(&mut self, _again: &Retransmit) {}
    /// Is shown each frame that came in, or each that was dropped.
    fn frame(&mut self, _seen: &SeenFrame<'_>) {}
}
