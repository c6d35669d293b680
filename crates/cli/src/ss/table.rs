//! Sockets in the columns of iproute2's `ss`, as 6.1.0 prints them to a pipe: each column as wide as its widest cell,
//! addresses to the right, the rest to the left, and last a column of everything else, whose cells may have two lines.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use super::services::Services;
use super::{Socket, extra, info};

fn address(addr: SocketAddr, v6only: bool) -> String {
    match addr.ip() {
        IpAddr::V4(ip) => format!("{ip}:"),
        IpAddr::V6(ip) if ip.is_unspecified() && !v6only => "*:".into(),
        IpAddr::V6(ip) => format!("[{ip}]:"),
    }
}

fn port(addr: SocketAddr, services: Option<&Services>) -> String {
    match addr.port() {
        0 => "*".into(),
        port => match services.and_then(|s| s.name(port)) {
            Some(name) => name.to_owned(),
            None => port.to_string(),
        },
    }
}

/// What the table looks like.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Form {
    /// The header line.
    pub(crate) header: bool,
    /// ss's first column, which it prints unless one kind of socket was asked for.
    pub(crate) netid: bool,
    /// The state, which ss leaves away where only one was asked for.
    pub(crate) state: bool,
    /// `users:((...))`
    pub(crate) processes: bool,
    /// `timer:(...)`, and in the info the names of TCP options.
    pub(crate) timer: bool,
    /// -e: user, inode, cookie, and which directions are shut.
    pub(crate) extended: bool,
    /// -m
    pub(crate) memory: bool,
    /// -i
    pub(crate) info: bool,
    /// -O: no second line.
    pub(crate) one_line: bool,
    /// Names of services instead of numbers of ports.
    pub(crate) names: bool,
}

/// The last column.
fn rest(s: &Socket, form: Form) -> String {
    let mut out = String::new();
    if form.processes {
        out += &extra::users(s);
    }
    if form.timer
        && let Some(t) = s.row.timer
    {
        out += &extra::timer(t);
    }
    if form.extended {
        out += &extra::details(s);
    }
    if form.memory || form.info {
        if !form.one_line {
            out += "\n\t";
        }
        if form.memory
            && let Some(m) = s.row.memory
        {
            out += &extra::memory(m);
        }
        if form.info {
            out += &info::line(&s.row, form.timer);
        }
    }
    out
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
    let services = form.names.then(Services::read);
    let services = services.as_ref();
    rows.extend(sockets.iter().map(|s| {
        [
            "tcp".into(),
            s.row.state.clone(),
            // Six wide, even where no header is.
            format!("{:<6}", s.row.recv_q),
            format!("{:<6}", s.row.send_q),
            address(s.local, s.row.v6only),
            port(s.local, services),
            address(s.peer, s.row.v6only),
            port(s.peer, services),
            rest(s, form),
        ]
    }));
    let shown = |at: usize| match at {
        0 => form.netid,
        1 => form.state,
        _ => true,
    };
    let first = (0..9).find(|at| shown(*at)).unwrap_or(0);
    let mut width = [0; 9];
    for row in &rows {
        for (w, cell) in width.iter_mut().zip(row) {
            *w = (*w).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    for row in &rows {
        for at in (0..9).filter(|at| shown(*at)) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ss::processes::Process;
    use hearken_run::control::{Row, Timer};

    const HEADER: Form = Form {
        header: true,
        state: true,
        ..NONE
    };
    const NONE: Form = Form {
        header: false,
        netid: false,
        state: false,
        processes: false,
        timer: false,
        extended: false,
        memory: false,
        info: false,
        one_line: false,
        names: false,
    };

    fn socket(state: &str, q: (u32, u32), local: &str, peer: Option<&str>, v6only: bool) -> Socket {
        let wild = if local.starts_with('[') {
            "[::]:0"
        } else {
            "0.0.0.0:0"
        };
        Socket {
            run: 1,
            local: local.parse().unwrap(),
            peer: peer.unwrap_or(wild).parse().unwrap(),
            row: Row {
                state: state.into(),
                recv_q: q.0,
                send_q: q.1,
                v6only,
                ..Row::default()
            },
            processes: Vec::new(),
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
            table(
                &sockets[3..],
                Form {
                    state: true,
                    ..NONE
                }
            ),
            "ESTAB 0      0      [::ffff:127.0.0.1]:18502 [::ffff:127.0.0.1]:57412\n"
        );
    }

    #[test]
    fn table_without_sockets_is_the_header() {
        assert_eq!(
            table(&[], HEADER),
            "State Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\n"
        );
        assert_eq!(table(&[], NONE), "");
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

    /// As `ss -ltnp | cat` of iproute2 6.1.0.
    #[test]
    fn table_with_processes_pads_its_last_column() {
        let mut sockets = [
            socket("LISTEN", (0, 3), "127.0.0.1:18500", None, false),
            socket("LISTEN", (0, 128), "0.0.0.0:2024", None, false),
        ];
        sockets[0].processes = vec![Process {
            name: "python3".into(),
            pid: 7136,
            fd: Some(3),
        }];
        let form = Form {
            processes: true,
            ..HEADER
        };
        assert_eq!(
            table(&sockets, form),
            "\
State  Recv-Q Send-Q Local Address:Port  Peer Address:PortProcess                           \n\
LISTEN 0      3          127.0.0.1:18500      0.0.0.0:*    users:((\"python3\",pid=7136,fd=3))\n\
LISTEN 0      128          0.0.0.0:2024       0.0.0.0:*                                     \n"
        );
    }

    /// Copied from `ss -ltni | cat`: the second line belongs to the last column, and counts for its width.
    #[test]
    fn table_with_info_has_two_lines_a_socket() {
        let mut sockets = [
            socket("LISTEN", (0, 5), "127.0.0.1:8080", None, false),
            socket("LISTEN", (1, 9), "[::]:8081", None, false),
        ];
        for (s, waiting) in sockets.iter_mut().zip([0, 1]) {
            s.row.congestion = Some("bbr".into());
            s.row.info = [("snd_cwnd", 10), ("unacked", waiting)]
                .map(|(n, v)| (n.to_owned(), v))
                .into();
        }
        let form = Form {
            info: true,
            ..HEADER
        };
        assert_eq!(
            table(&sockets, form),
            "\
State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess                 \n\
LISTEN 0      5          127.0.0.1:8080      0.0.0.0:*   \n\t bbr cwnd:10          \n\
LISTEN 1      9                  *:8081            *:*   \n\t bbr cwnd:10 unacked:1\n"
        );
    }

    /// As `ss -tnoe state time-wait` of iproute2 6.1.0.
    #[test]
    fn table_of_one_state_has_no_column_for_it() {
        let mut s = socket(
            "TIME-WAIT",
            (0, 0),
            "127.0.0.1:43114",
            Some("127.0.0.1:80"),
            false,
        );
        s.row.timer = Some(Timer {
            kind: 3,
            left_ms: 59_100,
            retransmits: 0,
        });
        s.row.cookie = 0x4944;
        let form = Form {
            header: true,
            timer: true,
            extended: true,
            ..NONE
        };
        assert_eq!(
            table(&[s], form),
            "\
Recv-Q Send-Q Local Address:Port  Peer Address:PortProcess                                \n\
0      0          127.0.0.1:43114    127.0.0.1:80   timer:(timewait,59sec,0) ino:0 sk:4944\n"
        );
    }
}
