//! Looking into a run that is alive: `hearken ss`, `nstat`, `sysctl`.

use crate::common::{Run, hearken, hearken_ok};

/// A run with two listeners, a connection with unread data and keepalive, and one that nobody has accepted.
/// What it says: process, descriptor, inode and port of the client.
fn inspected() -> (Run, Vec<String>) {
    let mut run = Run::python(&[], &["inspect", "8000"]);
    let said = run.expect("inspect");
    (run, said.split(' ').map(str::to_owned).collect())
}

fn ss(run: &Run, args: &[&str]) -> String {
    let pid = run.pid().to_string();
    hearken_ok(&[&["ss", "--pid", &pid], args].concat())
}

/// First word of each line, of the local address and of the peer's.
fn rows(text: &str) -> Vec<String> {
    let row = |l: &str| {
        let w: Vec<_> = l.split_whitespace().collect();
        format!("{} {} {}", w[0], w[3], w[4])
    };
    let mut rows: Vec<_> = text.lines().map(row).collect();
    rows.sort();
    rows
}

#[test]
fn ss_shows_processes_timers_memory_and_tcp_info() {
    let (run, said) = inspected();
    let [pid, fd, inode, port] = &said[..] else {
        panic!("{said:?}");
    };
    let all = ss(&run, &["-tanpeimoO"]);
    let client = all
        .lines()
        .find(|l| l.contains(&format!("127.0.0.1:{port} ")) && l.contains("127.0.0.1:8000 "))
        .unwrap_or_else(|| panic!("{all}"));
    for part in [
        "ESTAB ",
        &format!("users:((\"python3\",pid={pid},fd={fd}))"),
        "timer:(keepalive,119min,0)",
        &format!("ino:{inode} sk:"),
        " <->",
        " skmem:(r0,rb131072,t0,tb",
        " ts sack ",
        " wscale:",
        " rto:2",
        " rtt:",
        " mss:",
        " cwnd:10",
    ] {
        assert!(client.contains(part), "{part} is not in {client}");
    }
    let listener = all
        .lines()
        .find(|l| l.contains("[::1]:8001 "))
        .expect("listens");
    assert!(listener.starts_with("LISTEN 1"), "{listener}");
    assert!(listener.contains(" v6only:1 "), "{listener}");
    assert!(listener.contains(" cwnd:10 unacked:1"), "{listener}");
    // Two lines a socket, without -O.
    assert!(ss(&run, &["-ltni"]).contains("\n\t "), "{all}");
}

#[test]
fn ss_filters_states_addresses_and_ports() {
    let (run, said) = inspected();
    let port = &said[3];
    let client = format!("ESTAB 127.0.0.1:{port} 127.0.0.1:8000");
    let server = format!("ESTAB 127.0.0.1:8000 127.0.0.1:{port}");
    let shown = |filter: &[&str]| rows(&ss(&run, &[&["-tanH"], filter].concat()));
    assert_eq!(
        shown(&["dport", "=", ":8000"]),
        std::slice::from_ref(&client)
    );
    let mut both = vec![client, server];
    both.sort();
    assert_eq!(shown(&["exclude", "listening", "src 127.0.0.0/8"]), both);
    assert_eq!(
        shown(&["( sport = :8000 or sport = :8001 ) and not dst :*"]),
        Vec::<String>::new()
    );
    assert_eq!(shown(&["state", "listening", "state", "bucket"]).len(), 2);
    let one = ss(&run, &["-tn", "state", "listening", "sport", "gt", ":8000"]);
    let lines: Vec<_> = one.lines().collect();
    assert!(lines[0].starts_with("Recv-Q Send-Q"), "{one}");
    assert!(lines[1].starts_with("1      9"), "{one}");
    assert_eq!(lines.len(), 2, "{one}");

    let out = hearken(&["ss", "sport", "foo"]);
    assert_eq!(out.status.code(), Some(1));
    let error = String::from_utf8_lossy(&out.stderr);
    assert!(
        error.contains("character 7: `foo` stands where a port"),
        "{error}"
    );
}

#[test]
fn ss_json_holds_what_the_columns_do() {
    let (run, said) = inspected();
    let text = ss(&run, &["-tani", "--json", "dst", "127.0.0.1:8000"]);
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(json["schema"], "hearken.ss/1");
    let s = &json["sockets"][0];
    assert_eq!(s["state"], "ESTAB");
    assert_eq!(s["inode"].to_string(), said[2]);
    assert_eq!(s["processes"][0]["fd"].to_string(), said[1]);
    assert_eq!(s["timer"]["kind"], 2);
    assert_eq!(s["memory"]["rcvbuf"], 131_072);
    assert_eq!(s["tcp_info"]["snd_cwnd"], 10);
    assert_eq!(json["sockets"].as_array().map(Vec::len), Some(1));
}

#[test]
fn nstat_shows_what_was_added_since_the_last_call() {
    let (mut run, _) = inspected();
    let pid = run.pid().to_string();
    let nstat = |args: &[&str]| hearken_ok(&[&["nstat", "--pid", &pid], args].concat());
    let line = |n: u32| format!("TcpPassiveOpens                 {n:<16}   0.0\n");
    // A look that leaves no trace, then one that does.
    assert!(nstat(&["-s", "tcppassive*"]).contains(&line(2)));
    assert!(nstat(&["TcpPassive*"]).contains(&line(2)));
    assert_eq!(nstat(&["TcpPassive*"]), "#hearken\n", "nothing came since");
    assert!(nstat(&["-z", "TcpPassive*"]).contains(&line(0)));
    assert!(nstat(&["-a", "TcpPassive*"]).contains(&line(2)));
    // What was not asked for has a history of its own.
    assert!(nstat(&["-s"]).contains("TcpActiveOpens                  2 "));
    assert!(nstat(&["-rs", "TcpPassive*"]).contains(&line(2)));
    assert_eq!(nstat(&["-n"]), "");
    assert!(!nstat(&["-s"]).contains("TcpActiveOpens"));
    let json: serde_json::Value =
        serde_json::from_str(&nstat(&["-azj", "TcpActiveOpens"])).expect("JSON");
    assert_eq!(json["hearken"]["TcpActiveOpens"], 2);

    let history = hearken_run::control::history_of(run.pid());
    assert!(history.exists(), "{}", history.display());
    run.terminate();
    assert!(!history.exists(), "it goes with the run");
}

#[test]
fn sysctl_reads_and_sets_what_the_program_then_meets() {
    let (mut run, _) = inspected();
    let pid = run.pid().to_string();
    let sysctl = |args: &[&str]| hearken(&[&["sysctl", "--pid", &pid], args].concat());
    let said = |args: &[&str]| {
        let out = sysctl(args);
        assert!(
            out.status.success(),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
        String::from_utf8(out.stdout).expect("UTF-8")
    };
    assert_eq!(said(&["net.core.somaxconn"]), "net.core.somaxconn = 4096\n");
    assert_eq!(
        said(&["-n", "net/ipv4/tcp_rmem"]),
        "4096\t131072\t6291456\n"
    );
    // One that is wrong undoes all of them, and says what is allowed.
    for (value, bounds) in [
        ("-1", "a number from 0 to 2147483647"),
        ("2147483648", "a number from 0 to 2147483647"),
        ("abc", "a number from 0 to 2147483647"),
    ] {
        let wrong = format!("net.core.somaxconn={value}");
        let out = sysctl(&["net.ipv4.tcp_sack=0", &wrong]);
        let error = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(1));
        assert!(
            error.contains("EINVAL") && error.contains(bounds),
            "{error}"
        );
    }
    assert_eq!(said(&["-n", "net.ipv4.tcp_sack"]), "1\n");

    assert_eq!(said(&["net.core.somaxconn=7"]), "net.core.somaxconn = 7\n");
    run.expect("again");
    let rows = ss(&run, &["-ltnH", "sport = :8002"]);
    assert_eq!(
        rows.split_whitespace().nth(2),
        Some("7"),
        "listen(100) was cut: {rows}"
    );
    let all = said(&["-a"]);
    assert!(
        all.contains("net.core.somaxconn = 7\n") && all.lines().count() > 30,
        "{all}"
    );
    let json: serde_json::Value =
        serde_json::from_str(&said(&["--json", "net.core.somaxconn"])).expect("JSON");
    assert_eq!(json["values"]["net.core.somaxconn"], "7");
}
