//! The numbers of the socket interface on x86-64.

macro_rules! consts {
    ($($ty:ident { $($name:ident = $value:expr,)* })*) => {
        $($(
            #[doc = concat!("Linux's `", stringify!($name), "`.")]
            pub const $name: $ty = $value;
        )*)*
    };
}

// Address families.
consts! {
    i32 {
        AF_UNSPEC = 0,
        AF_UNIX = 1,
        AF_LOCAL = 1,
        AF_INET = 2,
        AF_AX25 = 3,
        AF_INET6 = 10,
        AF_KEY = 15,
        AF_NETLINK = 16,
        AF_PACKET = 17,
        AF_TIPC = 30,
        AF_BLUETOOTH = 31,
        AF_ALG = 38,
        AF_VSOCK = 40,
        AF_XDP = 44,
        AF_MCTP = 45,
        AF_MAX = 46,
    }
}

// Socket types and the flags that ride on them.
consts! {
    i32 {
        SOCK_STREAM = 1,
        SOCK_DGRAM = 2,
        SOCK_RAW = 3,
        SOCK_RDM = 4,
        SOCK_SEQPACKET = 5,
        SOCK_DCCP = 6,
        SOCK_PACKET = 10,
        SOCK_TYPE_MASK = 0xf,
        SOCK_NONBLOCK = 0x800,
        SOCK_CLOEXEC = 0x80000,
    }
}

// Option levels.
consts! {
    i32 {
        SOL_IP = 0,
        SOL_SOCKET = 1,
        SOL_TCP = 6,
        SOL_UDP = 17,
        SOL_IPV6 = 41,
        SOL_ICMPV6 = 58,
        SOL_RAW = 255,
        SOL_MPTCP = 284,
    }
}

// Protocol numbers.
consts! {
    i32 {
        IPPROTO_IP = 0,
        IPPROTO_HOPOPTS = 0,
        IPPROTO_ICMP = 1,
        IPPROTO_IGMP = 2,
        IPPROTO_TCP = 6,
        IPPROTO_UDP = 17,
        IPPROTO_DCCP = 33,
        IPPROTO_IPV6 = 41,
        IPPROTO_ROUTING = 43,
        IPPROTO_FRAGMENT = 44,
        IPPROTO_ESP = 50,
        IPPROTO_AH = 51,
        IPPROTO_ICMPV6 = 58,
        IPPROTO_NONE = 59,
        IPPROTO_DSTOPTS = 60,
        IPPROTO_MH = 135,
        IPPROTO_SCTP = 132,
        IPPROTO_UDPLITE = 136,
        IPPROTO_RAW = 255,
        IPPROTO_MPTCP = 262,
        IPPROTO_MAX = 263,
    }
}

// Options of level `SOL_SOCKET`.
consts! {
    i32 {
        SO_DEBUG = 1,
        SO_REUSEADDR = 2,
        SO_TYPE = 3,
        SO_ERROR = 4,
        SO_DONTROUTE = 5,
        SO_BROADCAST = 6,
        SO_SNDBUF = 7,
        SO_RCVBUF = 8,
        SO_SNDBUFFORCE = 32,
        SO_RCVBUFFORCE = 33,
        SO_KEEPALIVE = 9,
        SO_OOBINLINE = 10,
        SO_NO_CHECK = 11,
        SO_PRIORITY = 12,
        SO_LINGER = 13,
        SO_BSDCOMPAT = 14,
        SO_REUSEPORT = 15,
        SO_PASSCRED = 16,
        SO_PEERCRED = 17,
        SO_RCVLOWAT = 18,
        SO_SNDLOWAT = 19,
        SO_RCVTIMEO_OLD = 20,
        SO_SNDTIMEO_OLD = 21,
        SO_SECURITY_AUTHENTICATION = 22,
        SO_SECURITY_ENCRYPTION_TRANSPORT = 23,
        SO_SECURITY_ENCRYPTION_NETWORK = 24,
        SO_BINDTODEVICE = 25,
        SO_ATTACH_FILTER = 26,
        SO_DETACH_FILTER = 27,
        SO_PEERNAME = 28,
        SO_ACCEPTCONN = 30,
        SO_PEERSEC = 31,
        SO_PASSSEC = 34,
        SO_MARK = 36,
        SO_PROTOCOL = 38,
        SO_DOMAIN = 39,
        SO_RXQ_OVFL = 40,
        SO_WIFI_STATUS = 41,
        SO_PEEK_OFF = 42,
        SO_NOFCS = 43,
        SO_LOCK_FILTER = 44,
        SO_SELECT_ERR_QUEUE = 45,
        SO_BUSY_POLL = 46,
        SO_MAX_PACING_RATE = 47,
        SO_BPF_EXTENSIONS = 48,
        SO_INCOMING_CPU = 49,
        SO_ATTACH_BPF = 50,
        SO_ATTACH_REUSEPORT_CBPF = 51,
        SO_ATTACH_REUSEPORT_EBPF = 52,
        SO_CNX_ADVICE = 53,
        SO_MEMINFO = 55,
        SO_INCOMING_NAPI_ID = 56,
        SO_COOKIE = 57,
        SO_PEERGROUPS = 59,
        SO_ZEROCOPY = 60,
        SO_TXTIME = 61,
        SO_BINDTOIFINDEX = 62,
        SO_TIMESTAMP_OLD = 29,
        SO_TIMESTAMPNS_OLD = 35,
        SO_TIMESTAMPING_OLD = 37,
        SO_TIMESTAMP_NEW = 63,
        SO_TIMESTAMPNS_NEW = 64,
        SO_TIMESTAMPING_NEW = 65,
        SO_RCVTIMEO_NEW = 66,
        SO_SNDTIMEO_NEW = 67,
        SO_DETACH_REUSEPORT_BPF = 68,
        SO_PREFER_BUSY_POLL = 69,
        SO_BUSY_POLL_BUDGET = 70,
        SO_NETNS_COOKIE = 71,
        SO_BUF_LOCK = 72,
        SO_RESERVE_MEM = 73,
        SO_TXREHASH = 74,
        SO_RCVMARK = 75,
        SO_RCVTIMEO = 20,
        SO_SNDTIMEO = 21,
        SO_TIMESTAMP = 29,
        SO_TIMESTAMPNS = 35,
        SO_TIMESTAMPING = 37,
        SO_PASSPIDFD = 76,
        SO_PEERPIDFD = 77,
        SO_DETACH_BPF = 27,
        SO_GET_FILTER = 26,
    }
}

// Options of level `IPPROTO_IP` and their values.
consts! {
    i32 {
        IP_TOS = 1,
        IP_TTL = 2,
        IP_HDRINCL = 3,
        IP_OPTIONS = 4,
        IP_ROUTER_ALERT = 5,
        IP_RECVOPTS = 6,
        IP_RETOPTS = 7,
        IP_PKTINFO = 8,
        IP_PKTOPTIONS = 9,
        IP_MTU_DISCOVER = 10,
        IP_RECVERR = 11,
        IP_RECVTTL = 12,
        IP_RECVTOS = 13,
        IP_MTU = 14,
        IP_FREEBIND = 15,
        IP_IPSEC_POLICY = 16,
        IP_XFRM_POLICY = 17,
        IP_PASSSEC = 18,
        IP_TRANSPARENT = 19,
        IP_ORIGDSTADDR = 20,
        IP_MINTTL = 21,
        IP_NODEFRAG = 22,
        IP_CHECKSUM = 23,
        IP_BIND_ADDRESS_NO_PORT = 24,
        IP_RECVFRAGSIZE = 25,
        IP_RECVERR_RFC4884 = 26,
        IP_PMTUDISC_DONT = 0,
        IP_PMTUDISC_WANT = 1,
        IP_PMTUDISC_DO = 2,
        IP_PMTUDISC_PROBE = 3,
        IP_PMTUDISC_INTERFACE = 4,
        IP_PMTUDISC_OMIT = 5,
        IP_MULTICAST_IF = 32,
        IP_MULTICAST_TTL = 33,
        IP_MULTICAST_LOOP = 34,
        IP_ADD_MEMBERSHIP = 35,
        IP_DROP_MEMBERSHIP = 36,
        IP_UNBLOCK_SOURCE = 37,
        IP_BLOCK_SOURCE = 38,
        IP_ADD_SOURCE_MEMBERSHIP = 39,
        IP_DROP_SOURCE_MEMBERSHIP = 40,
        IP_MSFILTER = 41,
        MCAST_JOIN_GROUP = 42,
        MCAST_BLOCK_SOURCE = 43,
        MCAST_UNBLOCK_SOURCE = 44,
        MCAST_LEAVE_GROUP = 45,
        MCAST_JOIN_SOURCE_GROUP = 46,
        MCAST_LEAVE_SOURCE_GROUP = 47,
        MCAST_MSFILTER = 48,
        IP_MULTICAST_ALL = 49,
        IP_UNICAST_IF = 50,
        IP_LOCAL_PORT_RANGE = 51,
        IP_PROTOCOL = 52,
        MCAST_EXCLUDE = 0,
        MCAST_INCLUDE = 1,
    }
}

// Options of level `IPPROTO_IPV6` and their values.
consts! {
    i32 {
        IPV6_ADDRFORM = 1,
        IPV6_CHECKSUM = 7,
        IPV6_NEXTHOP = 9,
        IPV6_AUTHHDR = 10,
        IPV6_FLOWINFO = 11,
        IPV6_UNICAST_HOPS = 16,
        IPV6_MULTICAST_IF = 17,
        IPV6_MULTICAST_HOPS = 18,
        IPV6_MULTICAST_LOOP = 19,
        IPV6_ADD_MEMBERSHIP = 20,
        IPV6_DROP_MEMBERSHIP = 21,
        IPV6_ROUTER_ALERT = 22,
        IPV6_MTU_DISCOVER = 23,
        IPV6_MTU = 24,
        IPV6_RECVERR = 25,
        IPV6_V6ONLY = 26,
        IPV6_JOIN_ANYCAST = 27,
        IPV6_LEAVE_ANYCAST = 28,
        IPV6_MULTICAST_ALL = 29,
        IPV6_ROUTER_ALERT_ISOLATE = 30,
        IPV6_RECVERR_RFC4884 = 31,
        IPV6_PMTUDISC_DONT = 0,
        IPV6_PMTUDISC_WANT = 1,
        IPV6_PMTUDISC_DO = 2,
        IPV6_PMTUDISC_PROBE = 3,
        IPV6_PMTUDISC_INTERFACE = 4,
        IPV6_PMTUDISC_OMIT = 5,
        IPV6_FLOWLABEL_MGR = 32,
        IPV6_FLOWINFO_SEND = 33,
        IPV6_IPSEC_POLICY = 34,
        IPV6_XFRM_POLICY = 35,
        IPV6_HDRINCL = 36,
        IPV6_RECVPKTINFO = 49,
        IPV6_PKTINFO = 50,
        IPV6_RECVHOPLIMIT = 51,
        IPV6_HOPLIMIT = 52,
        IPV6_RECVHOPOPTS = 53,
        IPV6_HOPOPTS = 54,
        IPV6_RTHDRDSTOPTS = 55,
        IPV6_RECVRTHDR = 56,
        IPV6_RTHDR = 57,
        IPV6_RECVDSTOPTS = 58,
        IPV6_DSTOPTS = 59,
        IPV6_RECVPATHMTU = 60,
        IPV6_PATHMTU = 61,
        IPV6_DONTFRAG = 62,
        IPV6_USE_MIN_MTU = 63,
        IPV6_RECVTCLASS = 66,
        IPV6_TCLASS = 67,
        IPV6_AUTOFLOWLABEL = 70,
        IPV6_ADDR_PREFERENCES = 72,
        IPV6_MINHOPCOUNT = 73,
        IPV6_ORIGDSTADDR = 74,
        IPV6_TRANSPARENT = 75,
        IPV6_UNICAST_IF = 76,
        IPV6_RECVFRAGSIZE = 77,
        IPV6_FREEBIND = 78,
    }
}

// Options of level `IPPROTO_TCP` and their values.
consts! {
    i32 {
        TCP_MSS_DEFAULT = 536,
        TCP_MSS_DESIRED = 1220,
        TCP_NODELAY = 1,
        TCP_MAXSEG = 2,
        TCP_CORK = 3,
        TCP_KEEPIDLE = 4,
        TCP_KEEPINTVL = 5,
        TCP_KEEPCNT = 6,
        TCP_SYNCNT = 7,
        TCP_LINGER2 = 8,
        TCP_DEFER_ACCEPT = 9,
        TCP_WINDOW_CLAMP = 10,
        TCP_INFO = 11,
        TCP_QUICKACK = 12,
        TCP_CONGESTION = 13,
        TCP_MD5SIG = 14,
        TCP_THIN_LINEAR_TIMEOUTS = 16,
        TCP_THIN_DUPACK = 17,
        TCP_USER_TIMEOUT = 18,
        TCP_REPAIR = 19,
        TCP_REPAIR_QUEUE = 20,
        TCP_QUEUE_SEQ = 21,
        TCP_REPAIR_OPTIONS = 22,
        TCP_FASTOPEN = 23,
        TCP_TIMESTAMP = 24,
        TCP_NOTSENT_LOWAT = 25,
        TCP_CC_INFO = 26,
        TCP_SAVE_SYN = 27,
        TCP_SAVED_SYN = 28,
        TCP_REPAIR_WINDOW = 29,
        TCP_FASTOPEN_CONNECT = 30,
        TCP_ULP = 31,
        TCP_MD5SIG_EXT = 32,
        TCP_FASTOPEN_KEY = 33,
        TCP_FASTOPEN_NO_COOKIE = 34,
        TCP_ZEROCOPY_RECEIVE = 35,
        TCP_INQ = 36,
        TCP_TX_DELAY = 37,
        TCP_REPAIR_ON = 1,
        TCP_REPAIR_OFF = 0,
        TCP_REPAIR_OFF_NO_WP = -1,
        TCP_MD5SIG_MAXKEYLEN = 80,
        TCP_MD5SIG_FLAG_PREFIX = 0x1,
        TCP_MD5SIG_FLAG_IFINDEX = 0x2,
        TCP_RECEIVE_ZEROCOPY_FLAG_TLB_CLEAN_HINT = 0x1,
        TCP_AO_ADD_KEY = 38,
        TCP_AO_DEL_KEY = 39,
        TCP_AO_INFO = 40,
        TCP_AO_GET_KEYS = 41,
        TCP_AO_REPAIR = 42,
        TCP_IS_MPTCP = 43,
        TCP_RTO_MAX_MS = 44,
        TCP_RTO_MIN_US = 45,
        TCP_DELACK_MAX_US = 46,
    }
}

// Flags of send and receive.
consts! {
    i32 {
        MSG_OOB = 1,
        MSG_PEEK = 2,
        MSG_DONTROUTE = 4,
        MSG_CTRUNC = 8,
        MSG_PROBE = 0x10,
        MSG_TRUNC = 0x20,
        MSG_DONTWAIT = 0x40,
        MSG_EOR = 0x80,
        MSG_WAITALL = 0x100,
        MSG_FIN = 0x200,
        MSG_SYN = 0x400,
        MSG_CONFIRM = 0x800,
        MSG_RST = 0x1000,
        MSG_ERRQUEUE = 0x2000,
        MSG_NOSIGNAL = 0x4000,
        MSG_MORE = 0x8000,
        MSG_WAITFORONE = 0x10000,
        MSG_BATCH = 0x40000,
        MSG_ZEROCOPY = 0x4000000,
        MSG_FASTOPEN = 0x20000000,
        MSG_CMSG_CLOEXEC = 0x40000000,
    }
}

// `shutdown(2)` and `listen(2)`.
consts! {
    i32 {
        SHUT_RD = 0,
        SHUT_WR = 1,
        SHUT_RDWR = 2,
        SOMAXCONN = 4096,
    }
}

// Readiness bits.
consts! {
    u32 {
        POLLIN = 1,
        POLLPRI = 2,
        POLLOUT = 4,
        POLLERR = 8,
        POLLHUP = 0x10,
        POLLNVAL = 0x20,
        POLLRDNORM = 0x40,
        POLLRDBAND = 0x80,
        POLLWRNORM = 0x100,
        POLLWRBAND = 0x200,
        POLLMSG = 0x400,
        POLLRDHUP = 0x2000,
        EPOLLIN = 1,
        EPOLLPRI = 2,
        EPOLLOUT = 4,
        EPOLLERR = 8,
        EPOLLHUP = 0x10,
        EPOLLRDNORM = 0x40,
        EPOLLRDBAND = 0x80,
        EPOLLWRNORM = 0x100,
        EPOLLWRBAND = 0x200,
        EPOLLMSG = 0x400,
        EPOLLRDHUP = 0x2000,
        EPOLLNVAL = 0x20,
        EPOLLEXCLUSIVE = 0x10000000,
        EPOLLWAKEUP = 0x20000000,
        EPOLLONESHOT = 0x40000000,
        EPOLLET = 0x80000000,
    }
}

// `epoll_ctl(2)` operations and `epoll_create1(2)` flags.
consts! {
    i32 {
        EPOLL_CTL_ADD = 1,
        EPOLL_CTL_DEL = 2,
        EPOLL_CTL_MOD = 3,
        EPOLL_CLOEXEC = 0x80000,
    }
}

// ioctl requests.
consts! {
    u32 {
        FIONREAD = 0x541B,
        FIONBIO = 0x5421,
        FIOASYNC = 0x5452,
        FIOCLEX = 0x5451,
        FIONCLEX = 0x5450,
        SIOCINQ = 0x541B,
        SIOCOUTQ = 0x5411,
        SIOCOUTQNSD = 0x894B,
        FIOSETOWN = 0x8901,
        SIOCSPGRP = 0x8902,
        FIOGETOWN = 0x8903,
        SIOCGPGRP = 0x8904,
        SIOCATMARK = 0x8905,
        SIOCGSTAMP = 0x8906,
        SIOCGSTAMPNS = 0x8907,
        SIOCGIFNAME = 0x8910,
        SIOCGIFCONF = 0x8912,
        SIOCGIFFLAGS = 0x8913,
        SIOCGIFADDR = 0x8915,
        SIOCGIFMTU = 0x8921,
        SIOCGIFHWADDR = 0x8927,
        SIOCGIFINDEX = 0x8933,
    }
}

/// The two address families that this stack speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Domain {
    /// `AF_INET`
    Inet,
    /// `AF_INET6`
    Inet6,
}

impl Domain {
    /// The address family's number.
    #[must_use]
    pub const fn af(self) -> i32 {
        match self {
            Domain::Inet => AF_INET,
            Domain::Inet6 => AF_INET6,
        }
    }

    /// The domain of an address family's number.
    #[must_use]
    pub const fn from_af(af: i32) -> Option<Domain> {
        match af {
            AF_INET => Some(Domain::Inet),
            AF_INET6 => Some(Domain::Inet6),
            _ => None,
        }
    }
}
