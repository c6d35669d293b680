//! /proc/net/sockstat and sockstat6: how many sockets there are.

use alloc::format;
use alloc::string::String;
use hearken_abi::{Domain, TcpState};

use crate::net::Net;
use crate::socket::Phase;

/// What is counted, by family where Linux counts by family.
struct Counts {
    /// Sockets that a program holds, or that wait to be accepted.
    used: u32,
    inuse: [u32; 2],
    orphans: u32,
    time_wait: u32,
    alloc: u32,
    udp: [u32; 2],
    memory: u64,
}

fn at(domain: Domain) -> usize {
    usize::from(domain == Domain::Inet6)
}

fn counts(net: &Net) -> Counts {
    let mut c = Counts {
        used: 0,
        inuse: [0; 2],
        orphans: 0,
        time_wait: net.v4.tws.len() as u32 + net.v6.tws.len() as u32,
        alloc: 0,
        udp: [0; 2],
        memory: 0,
    };
    for (_, s) in net.sh.sockets.iter() {
        c.used += 1;
        match s.phase {
            Phase::Udp(_) => {
                c.udp[at(s.domain)] +=
                    u32::from(s.conf.as_ref().is_some_and(|c| c.local.port() != 0));
            }
            Phase::Idle | Phase::Listener(_) | Phase::V4(_) | Phase::V6(_) => c.alloc += 1,
        }
    }
    for row in net.diag() {
        let full = row.columns.is_some();
        if full {
            c.inuse[at(row.domain)] += 1;
        }
        if full && row.orphan {
            c.orphans += 1;
            c.alloc += 1;
            c.used += 1;
        }
        if let (Some(m), true) = (row.memory, row.state != TcpState::Listen) {
            c.memory += u64::from(m.rmem_alloc) + u64::from(m.wmem_queued);
        }
    }
    c
}

/// /proc/net/sockstat. `others`: sockets of other kinds than TCP and UDP.
#[must_use]
pub fn sockstat(net: &Net, others: u32) -> String {
    let c = counts(net);
    let (fragments, bytes) = net.sh.fragments.held(false);
    format!(
        "sockets: used {}\nTCP: inuse {} orphan {} tw {} alloc {} mem {}\nUDP: inuse {} mem {}\nUDPLITE: inuse 0\n\
         RAW: inuse 0\nFRAG: inuse {fragments} memory {bytes}\n",
        c.used + others,
        c.inuse[0],
        c.orphans,
        c.time_wait,
        c.alloc,
        c.memory.div_ceil(4096),
        c.udp[0],
        0,
    )
}

/// /proc/net/sockstat6.
#[must_use]
pub fn sockstat6(net: &Net) -> String {
    let c = counts(net);
    let (fragments, bytes) = net.sh.fragments.held(true);
    format!(
        "TCP6: inuse {}\nUDP6: inuse {}\nUDPLITE6: inuse 0\nRAW6: inuse 0\nFRAG6: inuse {fragments} memory {bytes}\n",
        c.inuse[1], c.udp[1],
    )
}
