//! Why a packet was dropped: the reasons of Linux's `skb:kfree_skb` tracepoint that a TCP/IP stack can meet.

macro_rules! drop_reasons {
    ($($variant:ident = $number:literal, $name:literal;)*) => {
        /// A reason with Linux 6.18's number and its name without `SKB_DROP_REASON_`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum DropReason {
            $(
                #[doc = concat!("`", $name, "`")]
                $variant = $number,
            )*
        }

        impl DropReason {
            /// Every reason, by rising number.
            pub const ALL: &[DropReason] = &[$(DropReason::$variant),*];

            /// Linux's spelling.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(DropReason::$variant => $name,)*
                }
            }
        }
    };
}

drop_reasons! {
    NotSpecified = 2, "NOT_SPECIFIED";
    NoSocket = 3, "NO_SOCKET";
    SocketClose = 4, "SOCKET_CLOSE";
    SocketFilter = 5, "SOCKET_FILTER";
    SocketRcvbuff = 6, "SOCKET_RCVBUFF";
    PktTooSmall = 9, "PKT_TOO_SMALL";
    TcpCsum = 10, "TCP_CSUM";
    UdpCsum = 11, "UDP_CSUM";
    NetfilterDrop = 12, "NETFILTER_DROP";
    Otherhost = 13, "OTHERHOST";
    IpCsum = 14, "IP_CSUM";
    IpInhdr = 15, "IP_INHDR";
    IpRpfilter = 16, "IP_RPFILTER";
    XfrmPolicy = 18, "XFRM_POLICY";
    IpNoproto = 19, "IP_NOPROTO";
    ProtoMem = 20, "PROTO_MEM";
    TcpAuthHdr = 21, "TCP_AUTH_HDR";
    TcpMd5notfound = 22, "TCP_MD5NOTFOUND";
    TcpMd5unexpected = 23, "TCP_MD5UNEXPECTED";
    TcpMd5failure = 24, "TCP_MD5FAILURE";
    TcpAonotfound = 25, "TCP_AONOTFOUND";
    TcpAounexpected = 26, "TCP_AOUNEXPECTED";
    TcpAokeynotfound = 27, "TCP_AOKEYNOTFOUND";
    TcpAofailure = 28, "TCP_AOFAILURE";
    SocketBacklog = 29, "SOCKET_BACKLOG";
    TcpFlags = 30, "TCP_FLAGS";
    TcpAbortOnData = 31, "TCP_ABORT_ON_DATA";
    TcpZerowindow = 32, "TCP_ZEROWINDOW";
    TcpOldData = 33, "TCP_OLD_DATA";
    TcpOverwindow = 34, "TCP_OVERWINDOW";
    TcpOfomerge = 35, "TCP_OFOMERGE";
    TcpRfc7323Paws = 36, "TCP_RFC7323_PAWS";
    TcpRfc7323PawsAck = 37, "TCP_RFC7323_PAWS_ACK";
    TcpRfc7323TwPaws = 38, "TCP_RFC7323_TW_PAWS";
    TcpRfc7323Tsecr = 39, "TCP_RFC7323_TSECR";
    TcpListenOverflow = 40, "TCP_LISTEN_OVERFLOW";
    TcpOldSequence = 41, "TCP_OLD_SEQUENCE";
    TcpInvalidSequence = 42, "TCP_INVALID_SEQUENCE";
    TcpInvalidEndSequence = 43, "TCP_INVALID_END_SEQUENCE";
    TcpInvalidAckSequence = 44, "TCP_INVALID_ACK_SEQUENCE";
    TcpReset = 45, "TCP_RESET";
    TcpInvalidSyn = 46, "TCP_INVALID_SYN";
    TcpClose = 47, "TCP_CLOSE";
    TcpFastopen = 48, "TCP_FASTOPEN";
    TcpOldAck = 49, "TCP_OLD_ACK";
    TcpTooOldAck = 50, "TCP_TOO_OLD_ACK";
    TcpAckUnsentData = 51, "TCP_ACK_UNSENT_DATA";
    TcpOfoQueuePrune = 52, "TCP_OFO_QUEUE_PRUNE";
    TcpOfoDrop = 53, "TCP_OFO_DROP";
    IpOutnoroutes = 54, "IP_OUTNOROUTES";
    BpfCgroupEgress = 55, "BPF_CGROUP_EGRESS";
    Ipv6disabled = 56, "IPV6DISABLED";
    NeighCreatefail = 57, "NEIGH_CREATEFAIL";
    NeighFailed = 58, "NEIGH_FAILED";
    NeighQueuefull = 59, "NEIGH_QUEUEFULL";
    NeighDead = 60, "NEIGH_DEAD";
    NeighHhFillfail = 61, "NEIGH_HH_FILLFAIL";
    SecurityHook = 63, "SECURITY_HOOK";
    QdiscDrop = 64, "QDISC_DROP";
    QdiscOverlimit = 65, "QDISC_OVERLIMIT";
    QdiscCongested = 66, "QDISC_CONGESTED";
    CpuBacklog = 71, "CPU_BACKLOG";
    UnhandledProto = 74, "UNHANDLED_PROTO";
    SkbCsum = 75, "SKB_CSUM";
    SkbGsoSeg = 76, "SKB_GSO_SEG";
    SkbUcopyFault = 77, "SKB_UCOPY_FAULT";
    DevHdr = 78, "DEV_HDR";
    DevReady = 79, "DEV_READY";
    FullRing = 80, "FULL_RING";
    Nomem = 81, "NOMEM";
    HdrTrunc = 82, "HDR_TRUNC";
    IcmpCsum = 85, "ICMP_CSUM";
    InvalidProto = 86, "INVALID_PROTO";
    IpInaddrerrors = 87, "IP_INADDRERRORS";
    IpInnoroutes = 88, "IP_INNOROUTES";
    IpLocalSource = 89, "IP_LOCAL_SOURCE";
    IpInvalidSource = 90, "IP_INVALID_SOURCE";
    IpLocalnet = 91, "IP_LOCALNET";
    IpInvalidDest = 92, "IP_INVALID_DEST";
    PktTooBig = 93, "PKT_TOO_BIG";
    DupFrag = 94, "DUP_FRAG";
    FragReasmTimeout = 95, "FRAG_REASM_TIMEOUT";
    FragTooFar = 96, "FRAG_TOO_FAR";
    TcpMinttl = 97, "TCP_MINTTL";
    Ipv6BadExthdr = 98, "IPV6_BAD_EXTHDR";
    Ipv6NdiscFrag = 99, "IPV6_NDISC_FRAG";
    Ipv6NdiscHopLimit = 100, "IPV6_NDISC_HOP_LIMIT";
    Ipv6NdiscBadCode = 101, "IPV6_NDISC_BAD_CODE";
    Ipv6NdiscBadOptions = 102, "IPV6_NDISC_BAD_OPTIONS";
    Ipv6NdiscNsOtherhost = 103, "IPV6_NDISC_NS_OTHERHOST";
    QueuePurge = 104, "QUEUE_PURGE";
    PacketSockError = 106, "PACKET_SOCK_ERROR";
    Pfmemalloc = 123, "PFMEMALLOC";
    RecursionLimit = 127, "RECURSION_LIMIT";
}

impl DropReason {
    /// One more than the largest number: an array of this length can be indexed by a reason.
    pub const LIMIT: usize = DropReason::ALL[DropReason::ALL.len() - 1] as usize + 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drop_reasons_rise_and_fit_the_limit() {
        for pair in DropReason::ALL.windows(2) {
            assert!((pair[0] as u16) < pair[1] as u16);
        }
        assert!(
            DropReason::ALL
                .iter()
                .all(|r| (*r as usize) < DropReason::LIMIT)
        );
        assert_eq!(DropReason::NoSocket.name(), "NO_SOCKET");
        assert_eq!(DropReason::TcpCsum as u16, 10);
    }
}
