//! /proc/net/tcp and tcp6: a line for each listener, connection, half-open and TIME_WAIT connection.

use alloc::format;
use alloc::string::String;
use core::fmt::Write;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use hearken_abi::{Domain, TcpState};
use hearken_tcp::Instant;

use crate::api::{DiagRow, SocketId};
use crate::net::Net;

/// The numbers of timers.
const RETRANSMIT: u8 = 1;

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

/// Hundredths of a second (`jiffies_delta_to_clock_t`).
fn ticks(time: Duration) -> u64 {
    time.as_millis() as u64 / 10
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
    let when = match row.timer {
        0 => 0,
        _ => ticks(row.timer_at.since(now)),
    };
    // A request prints as SYN_RECV.
    let state = match row.state {
        TcpState::NewSynRecv => TcpState::SynRecv as u8,
        state => state as u8,
    };
    // Unanswered retransmissions have one column, unanswered probes another.
    let (again, probes) = match row.timer {
        RETRANSMIT => (row.retransmits, 0),
        _ => (0, row.retransmits),
    };
    let timers = row.columns.map_or(0, |c| {
        c.armed.iter().filter(|until| **until > now).count() as u32
    });
    let _ = write!(
        out,
        " {state:02X} {tx:08X}:{rx:08X} {timer:02X}:{when:08X} {again:08X} {uid:5} {probes:8} {inode} {refs} {zero:016x}",
        rx = row.rx_queue,
        timer = row.timer,
        uid = row.uid,
        refs = row.references + timers,
        zero = 0,
    );
    // A record that is no full socket ends here.
    if let Some(c) = row.columns {
        let _ = write!(
            out,
            " {} {} {} {} {}",
            ticks(c.rto),
            ticks(c.ato),
            u32::from(c.quick) << 1 | u32::from(c.pingpong),
            c.cwnd,
            c.ssthresh,
        );
    }
    out
}

/// /proc/net/tcp, or tcp6. `inode` says which inode a socket has as an open file, 0 for none.
#[must_use]
pub fn tcp(net: &Net, now: Instant, domain: Domain, inode: impl Fn(SocketId) -> u64) -> String {
    let mut out = match domain {
        Domain::Inet => format!("{HEADER_V4:<WIDTH_V4$}\n"),
        Domain::Inet6 => String::from(HEADER_V6),
    };
    let rows = net.diag();
    let rows = rows.iter().filter(|r| r.domain == domain);
    for (sl, row) in rows.enumerate() {
        let line = line(sl, now, row, row.socket.map_or(0, &inode));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::DiagColumns;

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
            references: 0,
            orphan: false,
            columns: None,
        }
    }

    const COLUMNS: DiagColumns = DiagColumns {
        rto: Duration::from_millis(281),
        ato: Duration::from_millis(40),
        quick: 15,
        pingpong: false,
        cwnd: 10,
        ssthresh: -1,
        armed: [Instant(0); 2],
    };

    // The expected lines are the kernel's own, with the inode and the address column replaced.

    #[test]
    fn proc_line_of_a_listener_shows_its_queue_and_not_its_limit() {
        let mut r = row(TcpState::Listen, "0.0.0.0:80", "0.0.0.0:0");
        r.rx_queue = 2;
        r.tx_queue = 5;
        r.references = 3;
        r.columns = Some(DiagColumns {
            rto: Duration::from_secs(1),
            ato: Duration::ZERO,
            quick: 0,
            ssthresh: 7,
            ..COLUMNS
        });
        assert_eq!(
            line(0, Instant(0), &r, 53_736_972),
            "   0: 00000000:0050 00000000:0000 0A 00000000:00000002 00:00000000 00000000     0        0 53736972 3 \
             0000000000000000 100 0 0 10 7"
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
    fn proc_line_of_a_connection_counts_its_timers_as_references() {
        let mut r = row(TcpState::Established, "192.0.2.1:80", "192.0.2.2:4000");
        (r.tx_queue, r.timer, r.references) = (5, 1, 1);
        r.timer_at = Instant(1_280_000_000);
        r.columns = Some(DiagColumns {
            armed: [r.timer_at, Instant(0)],
            ..COLUMNS
        });
        assert_eq!(
            line(1, Instant(1_000_000_000), &r, 24_531_765),
            "   1: 010200C0:0050 020200C0:0FA0 01 00000005:00000000 01:0000001C 00000000     0        0 24531765 2 \
             0000000000000000 28 4 30 10 -1"
        );
    }

    #[test]
    fn proc_line_of_keepalive_counts_probes_apart() {
        let mut r = row(TcpState::Established, "192.0.2.1:80", "192.0.2.2:4000");
        (r.timer, r.retransmits, r.references, r.uid) = (2, 2, 2, 1000);
        r.timer_at = Instant(840_000_000);
        r.columns = Some(COLUMNS);
        assert_eq!(
            line(1, Instant(0), &r, 24_531_765),
            "   1: 010200C0:0050 020200C0:0FA0 01 00000000:00000000 02:00000054 00000000  1000        2 24531765 2 \
             0000000000000000 28 4 30 10 -1"
        );
    }

    #[test]
    fn proc_line_of_time_wait_ends_at_the_address() {
        let mut r = row(TcpState::TimeWait, "192.0.2.1:80", "192.0.2.2:4000");
        (r.timer, r.references) = (3, 3);
        r.timer_at = Instant(60_000_000_000);
        assert_eq!(
            line(1, Instant(0), &r, 0),
            "   1: 010200C0:0050 020200C0:0FA0 06 00000000:00000000 03:00001770 00000000     0        0 0 3 \
             0000000000000000"
        );
    }

    #[test]
    fn proc_line_v6_prints_four_words() {
        let mut r = row(
            TcpState::CloseWait,
            "[2001:db8::1]:80",
            "[2001:db8::2]:4001",
        );
        (r.rx_queue, r.references) = (1, 1);
        r.columns = Some(DiagColumns {
            quick: 0,
            ..COLUMNS
        });
        assert_eq!(
            line(1, Instant(0), &r, 24_535_311),
            "   1: B80D0120000000000000000001000000:0050 B80D0120000000000000000002000000:0FA1 08 00000000:00000001 \
             00:00000000 00000000     0        0 24535311 1 0000000000000000 28 4 0 10 -1"
        );
    }

    #[test]
    fn proc_header_has_the_kernels_width() {
        assert_eq!(format!("{HEADER_V4:<WIDTH_V4$}\n").len(), 150);
        assert_eq!(HEADER_V6.len(), 145);
    }
}
