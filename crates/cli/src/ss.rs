//! `hearken ss`: sockets in the columns of iproute2's `ss`, as 6.1.0 prints them to a pipe: each column as wide as its widest
//! cell, addresses to the right, the rest to the left, and the process column last.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

/// One socket, as it is shown.
#[derive(Clone, Debug)]
pub(crate) struct Socket {
    /// Process id of the `hearken run` that holds it.
    pub(crate) run: u32,
    /// ss's name of the state.
    pub(crate) state: String,
    pub(crate) recv_q: u64,
    pub(crate) send_q: u64,
    pub(crate) local: SocketAddr,
    pub(crate) peer: SocketAddr,
    /// Whether an IPv6 socket refuses IPv4: `*` stands for a wildcard that takes both.
    pub(crate) v6only: bool,
    /// Name and process id of who made it.
    pub(crate) process: Option<(String, u32)>,
}

/// Which sockets to show.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Filter {
    pub(crate) listening: bool,
    pub(crate) all: bool,
    pub(crate) ipv4: bool,
    pub(crate) ipv6: bool,
}

impl Filter {
    /// Whether `ss` with these options would show the socket.
    pub(crate) fn shows(self, socket: &Socket) -> bool {
        let family = match (self.ipv4, self.ipv6) {
            (true, false) => socket.local.is_ipv4(),
            (false, true) => socket.local.is_ipv6(),
            _ => true,
        };
        let state = socket.state.as_str();
        let passive = matches!(state, "LISTEN" | "UNCONN");
        family
            && if self.all {
                true
            } else if self.listening {
                passive
            } else {
                // Without -l and -a: what is open, but neither listens nor is one of the small socks.
                !passive && !matches!(state, "SYN-RECV" | "TIME-WAIT")
            }
    }
}

fn address(addr: SocketAddr, v6only: bool) -> String {
    match addr.ip() {
        IpAddr::V4(ip) => format!("{ip}:"),
        IpAddr::V6(ip) if ip.is_unspecified() && !v6only => "*:".into(),
        IpAddr::V6(ip) => format!("[{ip}]:"),
    }
}

fn port(addr: SocketAddr) -> String {
    match addr.port() {
        0 => "*".into(),
        port => port.to_string(),
    }
}

/// What the table looks like.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Form {
    /// The header line.
    pub(crate) header: bool,
    /// ss's first column, which it prints unless one kind of socket was asked for.
    pub(crate) netid: bool,
    /// `users:((...))` in the last column; ss adds the descriptor's number, which nobody here knows.
    pub(crate) processes: bool,
}

fn users(socket: &Socket) -> String {
    match &socket.process {
        Some((name, pid)) => format!(" users:((\"{name}\",pid={pid}))"),
        None => String::new(),
    }
}

/// The table.
pub(crate) fn table(sockets: &[Socket], form: Form) -> String {
    const HEADER: [&str; 9] = [
        "Netid",
        "State",
        "Recv-Q",
        "Send-Q",
        "Local Address:",
        "Port",
        "Peer Address:",
        "Port",
        "Process",
    ];
    // (space before, to the right)
    const CELLS: [(bool, bool); 9] = [
        (false, false),
        (true, false),
        (true, false),
        (true, false),
        (true, true),
        (false, false),
        (true, true),
        (false, false),
        (false, false),
    ];
    let mut rows: Vec<[String; 9]> = Vec::with_capacity(sockets.len() + 1);
    if form.header {
        rows.push(HEADER.map(str::to_owned));
    }
    rows.extend(sockets.iter().map(|s| {
        [
            "tcp".into(),
            s.state.clone(),
            s.recv_q.to_string(),
            s.send_q.to_string(),
            address(s.local, s.v6only),
            port(s.local),
            address(s.peer, s.v6only),
            port(s.peer),
            if form.processes {
                users(s)
            } else {
                String::new()
            },
        ]
    }));
    let first = usize::from(!form.netid);
    let mut width = [0; 9];
    for row in &rows {
        for (w, cell) in width.iter_mut().zip(row) {
            *w = (*w).max(cell.len());
        }
    }
    let mut out = String::new();
    for row in &rows {
        for at in first..9 {
            let (space, right) = CELLS[at];
            if space && at > first {
                out.push(' ');
            }
            let w = width[at];
            // Writing to a String cannot fail.
            let _ = if right {
                write!(out, "{:>w$}", row[at])
            } else {
                write!(out, "{:<w$}", row[at])
            };
        }
        out.push('\n');
    }
    out
}

/// The same as JSON, schema `hearken.ss/1`.
pub(crate) fn json(sockets: &[Socket]) -> serde_json::Value {
    serde_json::json!({
        "schema": "hearken.ss/1",
        "sockets": sockets.iter().map(|s| serde_json::json!({
            "run": s.run,
            "netid": "tcp",
            "state": s.state,
            "recv_q": s.recv_q,
            "send_q": s.send_q,
            "local": { "address": s.local.ip().to_string(), "port": s.local.port() },
            "peer": { "address": s.peer.ip().to_string(), "port": s.peer.port() },
            "v6only": s.local.is_ipv6().then_some(s.v6only),
            "process": s.process.as_ref().map(|(name, pid)| serde_json::json!({ "name": name, "pid": pid })),
        })).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Form = Form {
        header: true,
        netid: false,
        processes: false,
    };

    fn socket(state: &str, q: (u64, u64), local: &str, peer: Option<&str>, v6only: bool) -> Socket {
        Socket {
            run: 1,
            state: state.into(),
            recv_q: q.0,
            send_q: q.1,
            local: local.parse().unwrap(),
            peer: peer
                .unwrap_or(if local.starts_with('[') {
                    "[::]:0"
                } else {
                    "0.0.0.0:0"
                })
                .parse()
                .unwrap(),
            v6only,
            process: None,
        }
    }

    /// Copied from `ss -ltn | cat` of iproute2 6.1.0.
    #[test]
    fn table_of_listeners_is_what_ss_prints() {
        let sockets = [
            socket("LISTEN", (0, 4096), "127.0.0.1:18501", None, false),
            socket("LISTEN", (0, 3), "127.0.0.1:18500", None, false),
            socket("LISTEN", (0, 128), "0.0.0.0:2024", None, false),
            socket("LISTEN", (1, 9), "[::]:18502", None, false),
            socket("LISTEN", (1, 9), "[::1]:18503", None, true),
        ];
        assert_eq!(
            table(&sockets, HEADER),
            "\
State  Recv-Q Send-Q Local Address:Port  Peer Address:PortProcess
LISTEN 0      4096       127.0.0.1:18501      0.0.0.0:*          \n\
LISTEN 0      3          127.0.0.1:18500      0.0.0.0:*          \n\
LISTEN 0      128          0.0.0.0:2024       0.0.0.0:*          \n\
LISTEN 1      9                  *:18502            *:*          \n\
LISTEN 1      9              [::1]:18503         [::]:*          \n"
        );
    }

    /// Copied from `ss -tn | cat` and `ss -Htn | cat` of iproute2 6.1.0.
    #[test]
    fn table_of_connections_is_what_ss_prints() {
        let sockets = [
            socket(
                "ESTAB",
                (0, 0),
                "127.0.0.1:49482",
                Some("127.0.0.1:18500"),
                false,
            ),
            socket(
                "FIN-WAIT-2",
                (0, 0),
                "127.0.0.1:49490",
                Some("127.0.0.1:18500"),
                false,
            ),
            socket(
                "ESTAB",
                (3000, 0),
                "127.0.0.1:18500",
                Some("127.0.0.1:49482"),
                false,
            ),
            socket(
                "ESTAB",
                (0, 0),
                "[::ffff:127.0.0.1]:18502",
                Some("[::ffff:127.0.0.1]:57412"),
                false,
            ),
        ];
        assert_eq!(
            table(&sockets, HEADER),
            "\
State      Recv-Q Send-Q      Local Address:Port        Peer Address:Port Process
ESTAB      0      0               127.0.0.1:49482          127.0.0.1:18500       \n\
FIN-WAIT-2 0      0               127.0.0.1:49490          127.0.0.1:18500       \n\
ESTAB      3000   0               127.0.0.1:18500          127.0.0.1:49482       \n\
ESTAB      0      0      [::ffff:127.0.0.1]:18502 [::ffff:127.0.0.1]:57412       \n"
        );
        assert_eq!(
            table(&sockets[3..], Form::default()),
            "ESTAB 0 0 [::ffff:127.0.0.1]:18502 [::ffff:127.0.0.1]:57412\n"
        );
    }

    #[test]
    fn table_without_sockets_is_the_header() {
        assert_eq!(
            table(&[], HEADER),
            "State Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\n"
        );
        assert_eq!(table(&[], Form::default()), "");
    }

    /// Copied from `ss -ln | cat`, cut to one line.
    #[test]
    fn table_of_no_chosen_kind_begins_with_netid() {
        let sockets = [socket(
            "LISTEN",
            (0, 9),
            "[::ffff:127.0.0.1]:18504",
            None,
            false,
        )];
        assert_eq!(
            table(
                &sockets,
                Form {
                    netid: true,
                    ..HEADER
                }
            ),
            "\
Netid State  Recv-Q Send-Q      Local Address:Port  Peer Address:PortProcess
tcp   LISTEN 0      9      [::ffff:127.0.0.1]:18504            *:*          \n"
        );
    }

    /// As `ss -ltnp | cat` of iproute2 6.1.0, but for the descriptor's number.
    #[test]
    fn table_with_processes_pads_its_last_column() {
        let mut sockets = [
            socket("LISTEN", (0, 3), "127.0.0.1:18500", None, false),
            socket("LISTEN", (0, 128), "0.0.0.0:2024", None, false),
        ];
        sockets[0].process = Some(("python3".into(), 7136));
        let form = Form {
            processes: true,
            ..HEADER
        };
        assert_eq!(
            table(&sockets, form),
            "\
State  Recv-Q Send-Q Local Address:Port  Peer Address:PortProcess                      \n\
LISTEN 0      3          127.0.0.1:18500      0.0.0.0:*    users:((\"python3\",pid=7136))\n\
LISTEN 0      128          0.0.0.0:2024       0.0.0.0:*                                \n"
        );
    }

    #[test]
    fn filter_follows_ss() {
        let shown =
            |f: Filter, state: &str| f.shows(&socket(state, (0, 0), "127.0.0.1:1", None, false));
        let plain = Filter::default();
        let listening = Filter {
            listening: true,
            ..plain
        };
        let all = Filter { all: true, ..plain };
        for (state, by_default, by_l) in [
            ("LISTEN", false, true),
            ("UNCONN", false, true),
            ("ESTAB", true, false),
            ("SYN-SENT", true, false),
            ("SYN-RECV", false, false),
            ("TIME-WAIT", false, false),
            ("FIN-WAIT-2", true, false),
        ] {
            assert_eq!(shown(plain, state), by_default, "{state}");
            assert_eq!(shown(listening, state), by_l, "{state} -l");
            assert!(shown(all, state), "{state} -a");
        }
        let six = Filter { ipv6: true, ..all };
        assert!(!shown(six, "ESTAB"));
    }
}
