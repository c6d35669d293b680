//! /proc/net/snmp, netstat and snmp6: the counters.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;
use hearken_abi::Counter;

use crate::net::Net;

/// What this namespace has none of, and the kernel prints all the same.
const MPTCP: &str = "MPCapableSYNRX MPCapableSYNTX MPCapableSYNACKRX MPCapableACKRX MPCapableFallbackACK \
MPCapableFallbackSYNACK MPCapableSYNTXDrop MPCapableSYNTXDisabled MPCapableEndpAttempt MPFallbackTokenInit MPTCPRetrans \
MPJoinNoTokenFound MPJoinSynRx MPJoinSynBackupRx MPJoinSynAckRx MPJoinSynAckBackupRx MPJoinSynAckHMacFailure MPJoinAckRx \
MPJoinAckHMacFailure MPJoinRejected MPJoinSynTx MPJoinSynTxCreatSkErr MPJoinSynTxBindErr MPJoinSynTxConnectErr \
DSSNotMatching DSSCorruptionFallback DSSCorruptionReset InfiniteMapTx InfiniteMapRx DSSNoMatchTCP DataCsumErr OFOQueueTail \
OFOQueue OFOMerge NoDSSInWindow DuplicateData AddAddr AddAddrTx AddAddrTxDrop EchoAdd EchoAddTx EchoAddTxDrop PortAdd \
AddAddrDrop MPJoinPortSynRx MPJoinPortSynAckRx MPJoinPortAckRx MismatchPortSynRx MismatchPortAckRx RmAddr RmAddrDrop RmAddrTx \
RmAddrTxDrop RmSubflow MPPrioTx MPPrioRx MPFailTx MPFailRx MPFastcloseTx MPFastcloseRx MPRstTx MPRstRx SubflowStale \
SubflowRecover SndWndShared RcvWndShared RcvWndConflictUpdate RcvWndConflict MPCurrEstab Blackhole MPCapableDataFallback \
MD5SigFallback DssFallback SimultConnectFallback FallbackFailed WinProbe";

/// A counter as it prints: some are constants, or sysctls, or signed.
fn value(net: &Net, counter: Counter) -> i64 {
    match counter {
        // A host, not a router (RFC 4293 ipForwarding).
        Counter::IpForwarding => 2,
        Counter::IpDefaultTtl => i64::from(net.sh.sysctls.ip_default_ttl),
        // Other than those that are named (RFC 4022 tcpRtoAlgorithm).
        Counter::TcpRtoAlgorithm => 1,
        Counter::TcpRtoMin => 200,
        Counter::TcpRtoMax => 120_000,
        // There is no limit.
        Counter::TcpMaxConn => -1,
        counter => net.mib().get(counter) as i64,
    }
}

/// Two lines: the names, and the values.
fn pair(out: &mut String, group: &str, columns: impl Iterator<Item = (String, i64)>) {
    let (mut names, mut values) = (format!("{group}:"), format!("{group}:"));
    for (name, value) in columns {
        // Writing to a String cannot fail.
        let _ = write!(names, " {name}");
        let _ = write!(values, " {value}");
    }
    let _ = writeln!(out, "{names}\n{values}");
}

fn of(net: &Net, group: &str) -> Vec<(String, i64)> {
    let all = Counter::ALL.iter().filter(|c| c.group() == group);
    all.map(|c| (String::from(c.name()), value(net, *c)))
        .collect()
}

/// /proc/net/snmp.
#[must_use]
pub fn snmp(net: &Net) -> String {
    let mut out = String::new();
    for group in ["Ip", "Icmp", "Tcp", "Udp", "UdpLite"] {
        if group == "Tcp" {
            let seen = net.sh.icmp_types.of(false);
            let columns = seen.map(|(sent, kind, n)| (typed(sent, kind), n as i64));
            let columns: Vec<_> = columns.collect();
            // The kernel has no such line before the first message.
            if !columns.is_empty() {
                pair(&mut out, "IcmpMsg", columns.into_iter());
            }
        }
        pair(&mut out, group, of(net, group).into_iter());
    }
    out
}

/// /proc/net/netstat.
#[must_use]
pub fn netstat(net: &Net) -> String {
    let mut out = String::new();
    for group in ["TcpExt", "IpExt"] {
        pair(&mut out, group, of(net, group).into_iter());
    }
    let none = MPTCP.split(' ').map(|name| (String::from(name), 0));
    pair(&mut out, "MPTcpExt", none);
    out
}

/// /proc/net/snmp6.
#[must_use]
pub fn snmp6(net: &Net) -> String {
    let mut out = String::new();
    let line = |out: &mut String, name: &str, value: i64| {
        let _ = writeln!(out, "{name:<32}\t{value}");
    };
    for group in ["Ip6", "Icmp6", "Udp6", "UdpLite6"] {
        if group == "Udp6" {
            for (sent, kind, n) in net.sh.icmp_types.of(true) {
                line(&mut out, &format!("Icmp6{}", typed(sent, kind)), n as i64);
            }
        }
        for (name, value) in of(net, group) {
            line(&mut out, &format!("{group}{name}"), value);
        }
    }
    out
}

fn typed(sent: bool, kind: u8) -> String {
    format!("{}Type{kind}", if sent { "Out" } else { "In" })
}
