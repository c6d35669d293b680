//! The counters of `/proc/net/snmp`, `/proc/net/netstat` and `/proc/net/snmp6`, as Linux 6.18 prints them.
//!
//! Counters of the `TcpExt` group carry no prefix here; every other variant starts with its group.
//! The MPTCP group is not among them.

macro_rules! counters {
    ($($variant:ident = $group:literal, $name:literal;)*) => {
        /// One number of the management information base, in the order in which the kernel prints them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum Counter {
            $(
                #[doc = concat!("`", $group, ".", $name, "`")]
                $variant,
            )*
        }

        impl Counter {
            /// Every counter, in the kernel's order: `ALL[c as usize] == c`.
            pub const ALL: &[Counter] = &[$(Counter::$variant),*];

            /// The group: `"Tcp"`, `"TcpExt"`, `"Ip6"` and so on.
            #[must_use]
            pub const fn group(self) -> &'static str {
                match self {
                    $(Counter::$variant => $group,)*
                }
            }

            /// The name inside the group.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Counter::$variant => $name,)*
                }
            }
        }
    };
}

counters! {
    IpForwarding = "Ip", "Forwarding";
    IpDefaultTtl = "Ip", "DefaultTTL";
    IpInReceives = "Ip", "InReceives";
    IpInHdrErrors = "Ip", "InHdrErrors";
    IpInAddrErrors = "Ip", "InAddrErrors";
    IpForwDatagrams = "Ip", "ForwDatagrams";
    IpInUnknownProtos = "Ip", "InUnknownProtos";
    IpInDiscards = "Ip", "InDiscards";
    IpInDelivers = "Ip", "InDelivers";
    IpOutRequests = "Ip", "OutRequests";
    IpOutDiscards = "Ip", "OutDiscards";
    IpOutNoRoutes = "Ip", "OutNoRoutes";
    IpReasmTimeout = "Ip", "ReasmTimeout";
    IpReasmReqds = "Ip", "ReasmReqds";
    IpReasmOks = "Ip", "ReasmOKs";
    IpReasmFails = "Ip", "ReasmFails";
    IpFragOks = "Ip", "FragOKs";
    IpFragFails = "Ip", "FragFails";
    IpFragCreates = "Ip", "FragCreates";
    IpOutTransmits = "Ip", "OutTransmits";
    IcmpInMsgs = "Icmp", "InMsgs";
    IcmpInErrors = "Icmp", "InErrors";
    IcmpInCsumErrors = "Icmp", "InCsumErrors";
    IcmpInDestUnreachs = "Icmp", "InDestUnreachs";
    IcmpInTimeExcds = "Icmp", "InTimeExcds";
    IcmpInParmProbs = "Icmp", "InParmProbs";
    IcmpInSrcQuenchs = "Icmp", "InSrcQuenchs";
    IcmpInRedirects = "Icmp", "InRedirects";
    IcmpInEchos = "Icmp", "InEchos";
    IcmpInEchoReps = "Icmp", "InEchoReps";
    IcmpInTimestamps = "Icmp", "InTimestamps";
    IcmpInTimestampReps = "Icmp", "InTimestampReps";
    IcmpInAddrMasks = "Icmp", "InAddrMasks";
    IcmpInAddrMaskReps = "Icmp", "InAddrMaskReps";
    IcmpOutMsgs = "Icmp", "OutMsgs";
    IcmpOutErrors = "Icmp", "OutErrors";
    IcmpOutRateLimitGlobal = "Icmp", "OutRateLimitGlobal";
    IcmpOutRateLimitHost = "Icmp", "OutRateLimitHost";
    IcmpOutDestUnreachs = "Icmp", "OutDestUnreachs";
    IcmpOutTimeExcds = "Icmp", "OutTimeExcds";
    IcmpOutParmProbs = "Icmp", "OutParmProbs";
    IcmpOutSrcQuenchs = "Icmp", "OutSrcQuenchs";
    IcmpOutRedirects = "Icmp", "OutRedirects";
    IcmpOutEchos = "Icmp", "OutEchos";
    IcmpOutEchoReps = "Icmp", "OutEchoReps";
    IcmpOutTimestamps = "Icmp", "OutTimestamps";
    IcmpOutTimestampReps = "Icmp", "OutTimestampReps";
    IcmpOutAddrMasks = "Icmp", "OutAddrMasks";
    IcmpOutAddrMaskReps = "Icmp", "OutAddrMaskReps";
    TcpRtoAlgorithm = "Tcp", "RtoAlgorithm";
    TcpRtoMin = "Tcp", "RtoMin";
    TcpRtoMax = "Tcp", "RtoMax";
    TcpMaxConn = "Tcp", "MaxConn";
    TcpActiveOpens = "Tcp", "ActiveOpens";
    TcpPassiveOpens = "Tcp", "PassiveOpens";
    TcpAttemptFails = "Tcp", "AttemptFails";
    TcpEstabResets = "Tcp", "EstabResets";
    TcpCurrEstab = "Tcp", "CurrEstab";
    TcpInSegs = "Tcp", "InSegs";
    TcpOutSegs = "Tcp", "OutSegs";
    TcpRetransSegs = "Tcp", "RetransSegs";
    TcpInErrs = "Tcp", "InErrs";
    TcpOutRsts = "Tcp", "OutRsts";
    TcpInCsumErrors = "Tcp", "InCsumErrors";
    UdpInDatagrams = "Udp", "InDatagrams";
    UdpNoPorts = "Udp", "NoPorts";
    UdpInErrors = "Udp", "InErrors";
    UdpOutDatagrams = "Udp", "OutDatagrams";
    UdpRcvbufErrors = "Udp", "RcvbufErrors";
    UdpSndbufErrors = "Udp", "SndbufErrors";
    UdpInCsumErrors = "Udp", "InCsumErrors";
    UdpIgnoredMulti = "Udp", "IgnoredMulti";
    UdpMemErrors = "Udp", "MemErrors";
    UdpLiteInDatagrams = "UdpLite", "InDatagrams";
    UdpLiteNoPorts = "UdpLite", "NoPorts";
    UdpLiteInErrors = "UdpLite", "InErrors";
    UdpLiteOutDatagrams = "UdpLite", "OutDatagrams";
    UdpLiteRcvbufErrors = "UdpLite", "RcvbufErrors";
    UdpLiteSndbufErrors = "UdpLite", "SndbufErrors";
    UdpLiteInCsumErrors = "UdpLite", "InCsumErrors";
    UdpLiteIgnoredMulti = "UdpLite", "IgnoredMulti";
    UdpLiteMemErrors = "UdpLite", "MemErrors";
    SyncookiesSent = "TcpExt", "SyncookiesSent";
    SyncookiesRecv = "TcpExt", "SyncookiesRecv";
    SyncookiesFailed = "TcpExt", "SyncookiesFailed";
    EmbryonicRsts = "TcpExt", "EmbryonicRsts";
    PruneCalled = "TcpExt", "PruneCalled";
    RcvPruned = "TcpExt", "RcvPruned";
    OfoPruned = "TcpExt", "OfoPruned";
    OutOfWindowIcmps = "TcpExt", "OutOfWindowIcmps";
    LockDroppedIcmps = "TcpExt", "LockDroppedIcmps";
    ArpFilter = "TcpExt", "ArpFilter";
    Tw = "TcpExt", "TW";
    TwRecycled = "TcpExt", "TWRecycled";
    TwKilled = "TcpExt", "TWKilled";
    PawsActive = "TcpExt", "PAWSActive";
    PawsEstab = "TcpExt", "PAWSEstab";
    BeyondWindow = "TcpExt", "BeyondWindow";
    TsEcrRejected = "TcpExt", "TSEcrRejected";
    PawsOldAck = "TcpExt", "PAWSOldAck";
    PawsTimewait = "TcpExt", "PAWSTimewait";
    DelayedAcks = "TcpExt", "DelayedACKs";
    DelayedAckLocked = "TcpExt", "DelayedACKLocked";
    DelayedAckLost = "TcpExt", "DelayedACKLost";
    ListenOverflows = "TcpExt", "ListenOverflows";
    ListenDrops = "TcpExt", "ListenDrops";
    TcpHpHits = "TcpExt", "TCPHPHits";
    TcpPureAcks = "TcpExt", "TCPPureAcks";
    TcpHpAcks = "TcpExt", "TCPHPAcks";
    TcpRenoRecovery = "TcpExt", "TCPRenoRecovery";
    TcpSackRecovery = "TcpExt", "TCPSackRecovery";
    TcpSackReneging = "TcpExt", "TCPSACKReneging";
    TcpSackReorder = "TcpExt", "TCPSACKReorder";
    TcpRenoReorder = "TcpExt", "TCPRenoReorder";
    TcpTsReorder = "TcpExt", "TCPTSReorder";
    TcpFullUndo = "TcpExt", "TCPFullUndo";
    TcpPartialUndo = "TcpExt", "TCPPartialUndo";
    TcpDsackUndo = "TcpExt", "TCPDSACKUndo";
    TcpLossUndo = "TcpExt", "TCPLossUndo";
    TcpLostRetransmit = "TcpExt", "TCPLostRetransmit";
    TcpRenoFailures = "TcpExt", "TCPRenoFailures";
    TcpSackFailures = "TcpExt", "TCPSackFailures";
    TcpLossFailures = "TcpExt", "TCPLossFailures";
    TcpFastRetrans = "TcpExt", "TCPFastRetrans";
    TcpSlowStartRetrans = "TcpExt", "TCPSlowStartRetrans";
    TcpTimeouts = "TcpExt", "TCPTimeouts";
    TcpLossProbes = "TcpExt", "TCPLossProbes";
    TcpLossProbeRecovery = "TcpExt", "TCPLossProbeRecovery";
    TcpRenoRecoveryFail = "TcpExt", "TCPRenoRecoveryFail";
    TcpSackRecoveryFail = "TcpExt", "TCPSackRecoveryFail";
    TcpRcvCollapsed = "TcpExt", "TCPRcvCollapsed";
    TcpBacklogCoalesce = "TcpExt", "TCPBacklogCoalesce";
    TcpDsackOldSent = "TcpExt", "TCPDSACKOldSent";
    TcpDsackOfoSent = "TcpExt", "TCPDSACKOfoSent";
    TcpDsackRecv = "TcpExt", "TCPDSACKRecv";
    TcpDsackOfoRecv = "TcpExt", "TCPDSACKOfoRecv";
    TcpAbortOnData = "TcpExt", "TCPAbortOnData";
    TcpAbortOnClose = "TcpExt", "TCPAbortOnClose";
    TcpAbortOnMemory = "TcpExt", "TCPAbortOnMemory";
    TcpAbortOnTimeout = "TcpExt", "TCPAbortOnTimeout";
    TcpAbortOnLinger = "TcpExt", "TCPAbortOnLinger";
    TcpAbortFailed = "TcpExt", "TCPAbortFailed";
    TcpMemoryPressures = "TcpExt", "TCPMemoryPressures";
    TcpMemoryPressuresChrono = "TcpExt", "TCPMemoryPressuresChrono";
    TcpSackDiscard = "TcpExt", "TCPSACKDiscard";
    TcpDsackIgnoredOld = "TcpExt", "TCPDSACKIgnoredOld";
    TcpDsackIgnoredNoUndo = "TcpExt", "TCPDSACKIgnoredNoUndo";
    TcpSpuriousRtos = "TcpExt", "TCPSpuriousRTOs";
    TcpMd5NotFound = "TcpExt", "TCPMD5NotFound";
    TcpMd5Unexpected = "TcpExt", "TCPMD5Unexpected";
    TcpMd5Failure = "TcpExt", "TCPMD5Failure";
    TcpSackShifted = "TcpExt", "TCPSackShifted";
    TcpSackMerged = "TcpExt", "TCPSackMerged";
    TcpSackShiftFallback = "TcpExt", "TCPSackShiftFallback";
    TcpBacklogDrop = "TcpExt", "TCPBacklogDrop";
    PfMemallocDrop = "TcpExt", "PFMemallocDrop";
    TcpMinTtlDrop = "TcpExt", "TCPMinTTLDrop";
    TcpDeferAcceptDrop = "TcpExt", "TCPDeferAcceptDrop";
    IpReversePathFilter = "TcpExt", "IPReversePathFilter";
    TcpTimeWaitOverflow = "TcpExt", "TCPTimeWaitOverflow";
    TcpReqQFullDoCookies = "TcpExt", "TCPReqQFullDoCookies";
    TcpReqQFullDrop = "TcpExt", "TCPReqQFullDrop";
    TcpRetransFail = "TcpExt", "TCPRetransFail";
    TcpRcvCoalesce = "TcpExt", "TCPRcvCoalesce";
    TcpOfoQueue = "TcpExt", "TCPOFOQueue";
    TcpOfoDrop = "TcpExt", "TCPOFODrop";
    TcpOfoMerge = "TcpExt", "TCPOFOMerge";
    TcpChallengeAck = "TcpExt", "TCPChallengeACK";
    TcpSynChallenge = "TcpExt", "TCPSYNChallenge";
    TcpFastOpenActive = "TcpExt", "TCPFastOpenActive";
    TcpFastOpenActiveFail = "TcpExt", "TCPFastOpenActiveFail";
    TcpFastOpenPassive = "TcpExt", "TCPFastOpenPassive";
    TcpFastOpenPassiveFail = "TcpExt", "TCPFastOpenPassiveFail";
    TcpFastOpenListenOverflow = "TcpExt", "TCPFastOpenListenOverflow";
    TcpFastOpenCookieReqd = "TcpExt", "TCPFastOpenCookieReqd";
    TcpFastOpenBlackhole = "TcpExt", "TCPFastOpenBlackhole";
    TcpSpuriousRtxHostQueues = "TcpExt", "TCPSpuriousRtxHostQueues";
    BusyPollRxPackets = "TcpExt", "BusyPollRxPackets";
    TcpAutoCorking = "TcpExt", "TCPAutoCorking";
    TcpFromZeroWindowAdv = "TcpExt", "TCPFromZeroWindowAdv";
    TcpToZeroWindowAdv = "TcpExt", "TCPToZeroWindowAdv";
    TcpWantZeroWindowAdv = "TcpExt", "TCPWantZeroWindowAdv";
    TcpSynRetrans = "TcpExt", "TCPSynRetrans";
    TcpOrigDataSent = "TcpExt", "TCPOrigDataSent";
    TcpHystartTrainDetect = "TcpExt", "TCPHystartTrainDetect";
    TcpHystartTrainCwnd = "TcpExt", "TCPHystartTrainCwnd";
    TcpHystartDelayDetect = "TcpExt", "TCPHystartDelayDetect";
    TcpHystartDelayCwnd = "TcpExt", "TCPHystartDelayCwnd";
    TcpAckSkippedSynRecv = "TcpExt", "TCPACKSkippedSynRecv";
    TcpAckSkippedPaws = "TcpExt", "TCPACKSkippedPAWS";
    TcpAckSkippedSeq = "TcpExt", "TCPACKSkippedSeq";
    TcpAckSkippedFinWait2 = "TcpExt", "TCPACKSkippedFinWait2";
    TcpAckSkippedTimeWait = "TcpExt", "TCPACKSkippedTimeWait";
    TcpAckSkippedChallenge = "TcpExt", "TCPACKSkippedChallenge";
    TcpWinProbe = "TcpExt", "TCPWinProbe";
    TcpKeepAlive = "TcpExt", "TCPKeepAlive";
    TcpMtupFail = "TcpExt", "TCPMTUPFail";
    TcpMtupSuccess = "TcpExt", "TCPMTUPSuccess";
    TcpDelivered = "TcpExt", "TCPDelivered";
    TcpDeliveredCe = "TcpExt", "TCPDeliveredCE";
    TcpAckCompressed = "TcpExt", "TCPAckCompressed";
    TcpZeroWindowDrop = "TcpExt", "TCPZeroWindowDrop";
    TcpRcvQDrop = "TcpExt", "TCPRcvQDrop";
    TcpWqueueTooBig = "TcpExt", "TCPWqueueTooBig";
    TcpFastOpenPassiveAltKey = "TcpExt", "TCPFastOpenPassiveAltKey";
    TcpTimeoutRehash = "TcpExt", "TcpTimeoutRehash";
    TcpDuplicateDataRehash = "TcpExt", "TcpDuplicateDataRehash";
    TcpDsackRecvSegs = "TcpExt", "TCPDSACKRecvSegs";
    TcpDsackIgnoredDubious = "TcpExt", "TCPDSACKIgnoredDubious";
    TcpMigrateReqSuccess = "TcpExt", "TCPMigrateReqSuccess";
    TcpMigrateReqFailure = "TcpExt", "TCPMigrateReqFailure";
    TcpPlbRehash = "TcpExt", "TCPPLBRehash";
    TcpAoRequired = "TcpExt", "TCPAORequired";
    TcpAoBad = "TcpExt", "TCPAOBad";
    TcpAoKeyNotFound = "TcpExt", "TCPAOKeyNotFound";
    TcpAoGood = "TcpExt", "TCPAOGood";
    TcpAoDroppedIcmps = "TcpExt", "TCPAODroppedIcmps";
    IpExtInNoRoutes = "IpExt", "InNoRoutes";
    IpExtInTruncatedPkts = "IpExt", "InTruncatedPkts";
    IpExtInMcastPkts = "IpExt", "InMcastPkts";
    IpExtOutMcastPkts = "IpExt", "OutMcastPkts";
    IpExtInBcastPkts = "IpExt", "InBcastPkts";
    IpExtOutBcastPkts = "IpExt", "OutBcastPkts";
    IpExtInOctets = "IpExt", "InOctets";
    IpExtOutOctets = "IpExt", "OutOctets";
    IpExtInMcastOctets = "IpExt", "InMcastOctets";
    IpExtOutMcastOctets = "IpExt", "OutMcastOctets";
    IpExtInBcastOctets = "IpExt", "InBcastOctets";
    IpExtOutBcastOctets = "IpExt", "OutBcastOctets";
    IpExtInCsumErrors = "IpExt", "InCsumErrors";
    IpExtInNoEctPkts = "IpExt", "InNoECTPkts";
    IpExtInEct1Pkts = "IpExt", "InECT1Pkts";
    IpExtInEct0Pkts = "IpExt", "InECT0Pkts";
    IpExtInCePkts = "IpExt", "InCEPkts";
    IpExtReasmOverlaps = "IpExt", "ReasmOverlaps";
    Ip6InReceives = "Ip6", "InReceives";
    Ip6InHdrErrors = "Ip6", "InHdrErrors";
    Ip6InTooBigErrors = "Ip6", "InTooBigErrors";
    Ip6InNoRoutes = "Ip6", "InNoRoutes";
    Ip6InAddrErrors = "Ip6", "InAddrErrors";
    Ip6InUnknownProtos = "Ip6", "InUnknownProtos";
    Ip6InTruncatedPkts = "Ip6", "InTruncatedPkts";
    Ip6InDiscards = "Ip6", "InDiscards";
    Ip6InDelivers = "Ip6", "InDelivers";
    Ip6OutForwDatagrams = "Ip6", "OutForwDatagrams";
    Ip6OutRequests = "Ip6", "OutRequests";
    Ip6OutDiscards = "Ip6", "OutDiscards";
    Ip6OutNoRoutes = "Ip6", "OutNoRoutes";
    Ip6ReasmTimeout = "Ip6", "ReasmTimeout";
    Ip6ReasmReqds = "Ip6", "ReasmReqds";
    Ip6ReasmOks = "Ip6", "ReasmOKs";
    Ip6ReasmFails = "Ip6", "ReasmFails";
    Ip6FragOks = "Ip6", "FragOKs";
    Ip6FragFails = "Ip6", "FragFails";
    Ip6FragCreates = "Ip6", "FragCreates";
    Ip6InMcastPkts = "Ip6", "InMcastPkts";
    Ip6OutMcastPkts = "Ip6", "OutMcastPkts";
    Ip6InOctets = "Ip6", "InOctets";
    Ip6OutOctets = "Ip6", "OutOctets";
    Ip6InMcastOctets = "Ip6", "InMcastOctets";
    Ip6OutMcastOctets = "Ip6", "OutMcastOctets";
    Ip6InBcastOctets = "Ip6", "InBcastOctets";
    Ip6OutBcastOctets = "Ip6", "OutBcastOctets";
    Ip6InNoEctPkts = "Ip6", "InNoECTPkts";
    Ip6InEct1Pkts = "Ip6", "InECT1Pkts";
    Ip6InEct0Pkts = "Ip6", "InECT0Pkts";
    Ip6InCePkts = "Ip6", "InCEPkts";
    Ip6OutTransmits = "Ip6", "OutTransmits";
    Icmp6InMsgs = "Icmp6", "InMsgs";
    Icmp6InErrors = "Icmp6", "InErrors";
    Icmp6OutMsgs = "Icmp6", "OutMsgs";
    Icmp6OutErrors = "Icmp6", "OutErrors";
    Icmp6InCsumErrors = "Icmp6", "InCsumErrors";
    Icmp6OutRateLimitHost = "Icmp6", "OutRateLimitHost";
    Icmp6InDestUnreachs = "Icmp6", "InDestUnreachs";
    Icmp6InPktTooBigs = "Icmp6", "InPktTooBigs";
    Icmp6InTimeExcds = "Icmp6", "InTimeExcds";
    Icmp6InParmProblems = "Icmp6", "InParmProblems";
    Icmp6InEchos = "Icmp6", "InEchos";
    Icmp6InEchoReplies = "Icmp6", "InEchoReplies";
    Icmp6InGroupMembQueries = "Icmp6", "InGroupMembQueries";
    Icmp6InGroupMembResponses = "Icmp6", "InGroupMembResponses";
    Icmp6InGroupMembReductions = "Icmp6", "InGroupMembReductions";
    Icmp6InRouterSolicits = "Icmp6", "InRouterSolicits";
    Icmp6InRouterAdvertisements = "Icmp6", "InRouterAdvertisements";
    Icmp6InNeighborSolicits = "Icmp6", "InNeighborSolicits";
    Icmp6InNeighborAdvertisements = "Icmp6", "InNeighborAdvertisements";
    Icmp6InRedirects = "Icmp6", "InRedirects";
    Icmp6InMldv2Reports = "Icmp6", "InMLDv2Reports";
    Icmp6OutDestUnreachs = "Icmp6", "OutDestUnreachs";
    Icmp6OutPktTooBigs = "Icmp6", "OutPktTooBigs";
    Icmp6OutTimeExcds = "Icmp6", "OutTimeExcds";
    Icmp6OutParmProblems = "Icmp6", "OutParmProblems";
    Icmp6OutEchos = "Icmp6", "OutEchos";
    Icmp6OutEchoReplies = "Icmp6", "OutEchoReplies";
    Icmp6OutGroupMembQueries = "Icmp6", "OutGroupMembQueries";
    Icmp6OutGroupMembResponses = "Icmp6", "OutGroupMembResponses";
    Icmp6OutGroupMembReductions = "Icmp6", "OutGroupMembReductions";
    Icmp6OutRouterSolicits = "Icmp6", "OutRouterSolicits";
    Icmp6OutRouterAdvertisements = "Icmp6", "OutRouterAdvertisements";
    Icmp6OutNeighborSolicits = "Icmp6", "OutNeighborSolicits";
    Icmp6OutNeighborAdvertisements = "Icmp6", "OutNeighborAdvertisements";
    Icmp6OutRedirects = "Icmp6", "OutRedirects";
    Icmp6OutMldv2Reports = "Icmp6", "OutMLDv2Reports";
    Udp6InDatagrams = "Udp6", "InDatagrams";
    Udp6NoPorts = "Udp6", "NoPorts";
    Udp6InErrors = "Udp6", "InErrors";
    Udp6OutDatagrams = "Udp6", "OutDatagrams";
    Udp6RcvbufErrors = "Udp6", "RcvbufErrors";
    Udp6SndbufErrors = "Udp6", "SndbufErrors";
    Udp6InCsumErrors = "Udp6", "InCsumErrors";
    Udp6IgnoredMulti = "Udp6", "IgnoredMulti";
    Udp6MemErrors = "Udp6", "MemErrors";
    UdpLite6InDatagrams = "UdpLite6", "InDatagrams";
    UdpLite6NoPorts = "UdpLite6", "NoPorts";
    UdpLite6InErrors = "UdpLite6", "InErrors";
    UdpLite6OutDatagrams = "UdpLite6", "OutDatagrams";
    UdpLite6RcvbufErrors = "UdpLite6", "RcvbufErrors";
    UdpLite6SndbufErrors = "UdpLite6", "SndbufErrors";
    UdpLite6InCsumErrors = "UdpLite6", "InCsumErrors";
    UdpLite6MemErrors = "UdpLite6", "MemErrors";
}

impl Counter {
    /// How many counters there are.
    pub const COUNT: usize = Counter::ALL.len();

    /// Finds a counter by nstat's spelling, which is group and name run together.
    #[must_use]
    pub fn from_nstat(text: &str) -> Option<Counter> {
        Counter::ALL.iter().copied().find(|c| {
            text.strip_prefix(c.group())
                .is_some_and(|rest| rest == c.name())
        })
    }

    /// Whether the number is a level or a constant and not something that only rises.
    #[must_use]
    pub const fn is_gauge(self) -> bool {
        matches!(
            self,
            Counter::IpForwarding
                | Counter::IpDefaultTtl
                | Counter::TcpRtoAlgorithm
                | Counter::TcpRtoMin
                | Counter::TcpRtoMax
                | Counter::TcpMaxConn
                | Counter::TcpCurrEstab
        )
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn counter_all_is_indexed_by_discriminant() {
        for (i, c) in Counter::ALL.iter().enumerate() {
            assert_eq!(*c as usize, i);
        }
        assert_eq!(Counter::COUNT, Counter::ALL.len());
    }

    #[test]
    fn counter_nstat_name_finds_itself() {
        let mut names = std::collections::BTreeSet::new();
        for c in Counter::ALL {
            let name = std::format!("{}{}", c.group(), c.name());
            assert_eq!(Counter::from_nstat(&name), Some(*c), "{name}");
            assert!(names.insert(name));
        }
        assert_eq!(Counter::from_nstat("TcpExtNoSuch"), None);
    }

    #[test]
    fn counter_order_matches_proc_net_of_this_kernel() {
        let mut want = std::vec::Vec::new();
        for file in ["/proc/net/snmp", "/proc/net/netstat"] {
            let Ok(text) = std::fs::read_to_string(file) else {
                return;
            };
            for line in text.lines().step_by(2) {
                let (group, names) = line.split_once(": ").expect("group");
                if Counter::ALL.iter().any(|c| c.group() == group) {
                    want.extend(names.split(' ').map(|n| std::format!("{group}.{n}")));
                }
            }
        }
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        if kernel.starts_with("6.18.") {
            let ours: std::vec::Vec<_> = Counter::ALL
                .iter()
                .filter(|c| !c.group().ends_with('6'))
                .map(|c| std::format!("{}.{}", c.group(), c.name()))
                .collect();
            assert_eq!(ours, want);
        }
    }
}
