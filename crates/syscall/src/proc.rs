//! /proc/net/tcp and /proc/net/tcp6 as text, from a namespace's diagnostics (`tcp4_seq_show`, `tcp6_seq_show`, 6.18).
//!
//! Kernel addresses print as zeros, as they do for whoever may not see them. Columns behind the address (rto, ato,
//! quick-ack, cwnd, ssthresh) carry the values of a socket at rest.

use crate::file::Kind;
use crate::machine::{Machine, NetId};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use core::fmt::Write;
use core::net::{IpAddr, SocketAddr};
use hearken_abi::{Domain, TcpState};
use hearken_inet::{DiagRow, Instant};

const HEADER_V4: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  \
timeout inode";
const HEADER_V6: &str = "  sl  local_address                         remote_address                        st tx_queue \
rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

/// A line of /proc/net/tcp without its newline; tcp6 has no such padding.
const WIDTH_V4: usize = 149;

/// Addresses print as the 32-bit words that they are in memory, in the machine's own order.
fn hex(out: &mut String, domain: Domain, addr: SocketAddr) {
    let words = match (domain, addr.ip()) {
        (Domain::Inet, IpAddr::V4(a)) => [&a.octets()[..], &[]].concat(),
        (Domain::Inet, IpAddr::V6(a)) => a.octets()[12..].to_vec(),
        (Domain::Inet6, IpAddr::V6(a)) => a.octets().to_vec(),
        (Domain::Inet6, IpAddr::V4(a)) => a.to_ipv6_mapped().octets().to_vec(),
    };
    for word in words.as_chunks::<4>().0 {
        let _ = write!(out, "{:08X}", u32::from_ne_bytes(*word));
    }
    let _ = write!(out, ":{:04X}", addr.port());
}

/// What stands behind the address column: nothing for records that are no full socket.
fn tail(state: TcpState) -> &'static str {
    match state {
        TcpState::TimeWait | TcpState::NewSynRecv | TcpState::SynRecv => "",
        TcpState::Listen => " 100 0 0 10 0",
        TcpState::Established
        | TcpState::SynSent
        | TcpState::FinWait1
        | TcpState::FinWait2
        | TcpState::Close
        | TcpState::CloseWait
        | TcpState::LastAck
        | TcpState::Closing => " 20 0 0 10 -1",
    }
}

/// `tw_refcnt`, `sk_refcnt`, and 0 for a request.
fn references(state: TcpState, has_file: bool) -> u32 {
    match state {
        TcpState::TimeWait => 3,
        TcpState::NewSynRecv | TcpState::SynRecv => 0,
        TcpState::Established
        | TcpState::SynSent
        | TcpState::FinWait1
        | TcpState::FinWait2
        | TcpState::Close
        | TcpState::CloseWait
        | TcpState::LastAck
        | TcpState::Listen
        | TcpState::Closing => 1 + u32::from(has_file),
    }
}

fn line(sl: usize, now: Instant, row: &DiagRow, inode: u64) -> String {
    let mut out = format!("{sl:4}: ");
    hex(&mut out, row.domain, row.local);
    out.push(' ');
    hex(&mut out, row.domain, row.peer);
    // The limit of a listener is for ss alone.
    let tx = if row.state == TcpState::Listen {
        0
    } else {
        row.tx_queue
    };
    // jiffies_delta_to_clock_t: hundredths of a second.
    let when = match row.timer {
        0 => 0,
        _ => row.timer_at.0.saturating_sub(now.0) / 10_000_000,
    };
    // A request prints as SYN_RECV.
    let state = match row.state {
        TcpState::NewSynRecv => TcpState::SynRecv as u8,
        state => state as u8,
    };
    let _ = write!(
        out,
        " {state:02X} {tx:08X}:{rx:08X} {timer:02X}:{when:08X} {retransmits:08X} {uid:5} {probes:8} {inode} {refs} \
         {zero:016x}{tail}",
        rx = row.rx_queue,
        timer = row.timer,
        retransmits = row.retransmits,
        uid = row.uid,
        probes = 0,
        refs = references(row.state, inode != 0),
        zero = 0,
        tail = tail(row.state),
    );
    out
}

impl Machine {
    /// /proc/net/tcp of a namespace.
    #[must_use]
    pub fn proc_net_tcp(&self, now: Instant, net: NetId) -> String {
        self.table(now, net, Domain::Inet)
    }

    /// /proc/net/tcp6 of a namespace.
    #[must_use]
    pub fn proc_net_tcp6(&self, now: Instant, net: NetId) -> String {
        self.table(now, net, Domain::Inet6)
    }

    fn table(&self, now: Instant, net: NetId, domain: Domain) -> String {
        let mut out = match domain {
            Domain::Inet => format!("{HEADER_V4:<WIDTH_V4$}\n"),
            Domain::Inet6 => String::from(HEADER_V6),
        };
        let inodes = self.inodes(net);
        let rows = self.net(net).diag();
        let rows = rows.iter().filter(|r| r.domain == domain);
        for (sl, row) in rows.enumerate() {
            let inode = row.socket.and_then(|s| inodes.get(&s.number()).copied());
            let line = line(sl, now, row, inode.unwrap_or(0));
            match domain {
                Domain::Inet => {
                    let _ = writeln!(out, "{line:<WIDTH_V4$}");
                }
                Domain::Inet6 => {
                    out.push_str(&line);
                    out.push('\n');
                }
            }
        }
        out
    }

    /// Which inode each socket of a namespace has that is an open file.
    fn inodes(&self, net: NetId) -> BTreeMap<u32, u64> {
        let files = self.files.iter().filter_map(|(id, f)| match &f.kind {
            Kind::Tcp(t) if t.net == net => Some((t.socket.number(), id.inode())),
            Kind::Tcp(_) | Kind::Other(_) | Kind::Epoll(_) | Kind::NotSocket | Kind::Path => None,
        });
        files.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(state: TcpState, local: &str, peer: &str) -> DiagRow {
        let local: SocketAddr = local.parse().expect("literal");
        DiagRow {
            domain: if local.is_ipv4() {
                Domain::Inet
            } else {
                Domain::Inet6
            },
            state,
            local,
            peer: peer.parse().expect("literal"),
            rx_queue: 0,
            tx_queue: 0,
            socket: None,
            uid: 0,
            timer: 0,
            timer_at: Instant(0),
            retransmits: 0,
            shutdown: 0,
            memory: None,
        }
    }

    // The expected lines are the kernel's own, with the inode and the address column replaced.

    #[test]
    fn proc_line_of_a_listener_shows_its_queue_and_not_its_limit() {
        let mut r = row(TcpState::Listen, "0.0.0.0:80", "0.0.0.0:0");
        r.rx_queue = 2;
        r.tx_queue = 5;
        assert_eq!(
            line(0, Instant(0), &r, 53_736_972),
            "   0: 00000000:0050 00000000:0000 0A 00000000:00000002 00:00000000 00000000     0        0 53736972 2 \
             0000000000000000 100 0 0 10 0"
        );
    }

    #[test]
    fn proc_line_of_a_request_shows_its_timer_in_hundredths() {
        let mut r = row(TcpState::NewSynRecv, "192.0.2.1:80", "192.0.2.2:3");
        r.timer = 1;
        r.timer_at = Instant(1_900_000_000);
        assert_eq!(
            line(3, Instant(1_000_000_000), &r, 0),
            "   3: 010200C0:0050 020200C0:0003 03 00000000:00000000 01:0000005A 00000000     0        0 0 0 \
             0000000000000000"
        );
    }

    #[test]
    fn proc_line_of_an_unaccepted_child_has_no_inode_and_one_reference() {
        let r = row(TcpState::Established, "192.0.2.1:80", "192.0.2.2:1");
        assert_eq!(
            line(1, Instant(0), &r, 0),
            "   1: 010200C0:0050 020200C0:0001 01 00000000:00000000 00:00000000 00000000     0        0 0 1 \
             0000000000000000 20 0 0 10 -1"
        );
    }

    #[test]
    fn proc_line_v6_prints_four_words() {
        let r = row(TcpState::Listen, "[::1]:5000", "[::]:0");
        assert_eq!(
            line(0, Instant(0), &r, 147_587),
            "   0: 00000000000000000000000001000000:1388 00000000000000000000000000000000:0000 0A 00000000:00000000 \
             00:00000000 00000000     0        0 147587 2 0000000000000000 100 0 0 10 0"
        );
    }

    #[test]
    fn proc_header_has_the_kernels_width() {
        assert_eq!(format!("{HEADER_V4:<WIDTH_V4$}\n").len(), 150);
        assert_eq!(HEADER_V6.len(), 145);
    }
}
