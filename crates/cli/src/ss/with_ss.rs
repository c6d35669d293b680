//! The same sockets shown by this machine's own `ss` and by ours: kernel sockets of this test process. Where iproute2 is
//! not installed there is nothing to compare with.

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
use std::process::Command;

use hearken_run::control::Row;

use super::{Form, Socket, filter, state, table};

/// Kernel sockets whose ports nobody else has.
struct Kernel {
    _held: Vec<TcpListener>,
    _streams: Vec<TcpStream>,
    /// Selects them, and nothing else, in ss's filter language.
    ours: String,
    v4: u16,
}

impl Kernel {
    fn new() -> Self {
        let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
        let mut held = Vec::new();
        let mut streams = vec![TcpStream::connect(v4.local_addr().unwrap()).unwrap()];
        let port = v4.local_addr().unwrap().port();
        let mut ours = format!("sport = :{port} or dport = :{port}");
        if let Ok(v6) = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)) {
            let port = v6.local_addr().unwrap().port();
            ours += &format!(" or sport = :{port} or dport = :{port}");
            streams.push(TcpStream::connect((Ipv6Addr::LOCALHOST, port)).unwrap());
            // IPv4 that an IPv6 listener takes.
            streams.push(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap());
            held.push(v6);
        }
        held.push(v4);
        Kernel {
            _held: held,
            _streams: streams,
            ours,
            v4: port,
        }
    }
}

/// What ss prints, `None` where there is none.
fn ss(args: &[&str]) -> Option<String> {
    let out = Command::new("ss").args(args).output().ok()?;
    assert!(
        out.status.success(),
        "ss {args:?}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    Some(String::from_utf8(out.stdout).expect("UTF-8"))
}

/// ss's own rows (`ss -Htane`) as ours.
fn sockets(text: &str) -> Vec<Socket> {
    let one = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let any = |text: &str| {
            let text = text
                .replace("0.0.0.0:*", "0.0.0.0:0")
                .replace("[::]:*", "[::]:0");
            let text = text.replace("*:*", "[::]:0");
            match text.strip_prefix("*:") {
                Some(port) => format!("[::]:{port}"),
                None => text,
            }
        };
        Socket {
            run: 1,
            local: any(words[3]).parse().expect(line),
            peer: any(words[4]).parse().expect(line),
            row: Row {
                state: words[0].into(),
                recv_q: words[1].parse().unwrap(),
                send_q: words[2].parse().unwrap(),
                v6only: words.contains(&"v6only:1"),
                ..Row::default()
            },
            processes: Vec::new(),
        }
    };
    text.lines().map(one).collect()
}

fn form(header: bool, netid: bool, state: bool) -> Form {
    Form {
        header,
        netid,
        state,
        processes: false,
        timer: false,
        extended: false,
        memory: false,
        info: false,
        one_line: false,
        names: false,
    }
}

#[test]
fn table_is_byte_for_byte_that_of_ss() {
    let kernel = Kernel::new();
    for (flags, states, header, netid) in [
        ("-tan", "all", true, false),
        ("-Htan", "all", false, false),
        ("-tn", "established", true, false),
        ("-Htn", "listening", false, false),
        ("-tuan", "connected", true, true),
    ] {
        // ss takes one argument after the other; the expression is one.
        let Some(theirs) = ss(&[flags, "state", states, &kernel.ours]) else {
            return;
        };
        let detailed = flags.replacen('-', "-He", 1).replace("HeH", "He") + "a";
        let rows = ss(&[&detailed, "state", "all", &kernel.ours]).unwrap();
        // -u adds the column of the kind, which ours has not.
        let rows: String = rows
            .lines()
            .map(|l| l.strip_prefix("tcp").unwrap_or(l).trim_start().to_owned() + "\n")
            .collect();
        let chosen = state::States::named(states).unwrap();
        let mut sockets = sockets(&rows);
        sockets.retain(|s| chosen.holds(&s.row.state));
        assert!(!sockets.is_empty(), "ss showed nothing of ours");
        let form = form(header, netid, !chosen.is_one());
        assert_eq!(table(&sockets, form), theirs, "{flags} state {states}");
    }
}

#[test]
fn filter_shows_the_sockets_that_ss_shows() {
    let kernel = Kernel::new();
    let port = kernel.v4;
    for filter in [
        format!("sport = :{port}"),
        format!("dport = :{port} or sport eq {port}"),
        format!("sport ge {port}"),
        format!("sport lt {port}"),
        format!("sport != :{port} dst 127.0.0.1"),
        format!("not sport = :{port}"),
        format!("src 127.0.0.1:{port} & dst 127.0.0.0/8"),
        "src 127.0.0.0/8".into(),
        "src [::1]".into(),
        "dst [::ffff:127.0.0.1]".into(),
        "src 0.0.0.0/0".into(),
        format!("src *:{port} || dst [::1]"),
    ] {
        let both = format!("( {} ) and ( {filter} )", kernel.ours);
        let Some(theirs) = ss(&["-Htane", &both]) else {
            return;
        };
        let all = sockets(&ss(&["-Htane", &kernel.ours]).unwrap());
        assert!(all.len() >= 3);
        let query = filter::parse(std::slice::from_ref(&filter)).unwrap();
        let names = |all: &[Socket]| -> Vec<String> {
            let mut names: Vec<_> = all
                .iter()
                .map(|s| format!("{} {}", s.local, s.peer))
                .collect();
            names.sort();
            names
        };
        let mut ours = all;
        ours.retain(|s| query.expression.as_ref().is_none_or(|e| e.holds(s)));
        assert_eq!(names(&ours), names(&sockets(&theirs)), "{filter}");
    }
}
