//! Names: glibc and Go ask the run's name server by TCP, as resolv.conf says, others by UDP; the host's resolver answers.

use std::process::{Command, Stdio};

use crate::common::{Dir, carried, find, hearken_bin};
use crate::needs;

/// A script in a network and a /etc/resolv.conf of its own, where `dns.py` is the resolver and knows `web.test` as the
/// host (10.0.2.2 inside).
fn with_resolver(dir: &Dir, script: &str) -> String {
    let conf = dir.write("resolv.conf", "nameserver 127.0.0.1\n");
    let log = format!("{}/log", dir.path());
    let script = format!(
        "{}
        ip link set lo up
        mount --bind {conf} /etc/resolv.conf
        python3 {} web.test 10.0.2.2 >{log} & server=$!
        trap 'kill $server' EXIT
        until_ok grep -q ready {log}
        {script}
        cat {log}",
        include_str!("../../carried/shell.sh"),
        carried("dns.py")
    );
    let root = rustix::process::geteuid().is_root();
    let out = Command::new(find("unshare"))
        .args([if root { "-nm" } else { "-rnm" }, "sh", "-eu", "-c"])
        .arg(script)
        .env("HEARKEN", hearken_bin())
        .stdin(Stdio::null())
        .output()
        .expect("unshare starts");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(
        out.status.success(),
        "{text}\n{}",
        String::from_utf8_lossy(&out.stderr)
    );
    text
}

#[test]
fn curl_finds_a_name_of_the_host_s_resolver_over_tcp() {
    needs!("unshare", "ip", "python3", "curl", "getent");
    let dir = Dir::new("dns-curl");
    dir.write("page", "the page");
    let out = with_resolver(
        &dir,
        &format!(
            "python3 -m http.server -b 127.0.0.1 -d {} 8123 >/dev/null 2>&1 & web=$!
            until_ok curl -s http://127.0.0.1:8123/page
            $HEARKEN run -- curl -sS http://web.test:8123/page; echo
            $HEARKEN run -- getent ahostsv4 web.test
            code=0; $HEARKEN run -- curl -sS http://none.test/ 2>/dev/null || code=$?
            echo none $code
            kill $web",
            dir.path()
        ),
    );
    assert!(out.starts_with("the page\n10.0.2.2 "), "{out}");
    assert!(out.contains("none 6"), "{out}");
    assert!(out.contains("asked by TCP"), "{out}");
    assert!(!out.contains("asked by UDP"), "{out}");
}

#[test]
fn program_that_asks_by_udp_is_answered_by_the_host_s_resolver() {
    needs!("unshare", "ip", "python3");
    let dir = Dir::new("dns-udp");
    let ask = carried("ask.py");
    let out = with_resolver(
        &dir,
        &format!(
            "$HEARKEN run -- python3 {ask} web.test
            $HEARKEN run -- python3 {ask} none.test"
        ),
    );
    assert!(out.contains("udp 0 10.0.2.2\nudp 3 none"), "{out}");
    assert_eq!(out.matches("asked by UDP").count(), 2, "{out}");
}

#[test]
fn static_go_program_finds_a_name_by_its_own_resolver() {
    needs!("unshare", "ip", "python3", "go");
    let dir = Dir::new("dns-go");
    let exe = format!("{}/lookup", dir.path());
    let built = Command::new(find("go"))
        .args(["build", "-o", &exe, &carried("lookup.go")])
        .env("CGO_ENABLED", "0")
        .env("GOCACHE", format!("{}/cache", dir.path()))
        .env("GO111MODULE", "off")
        .status()
        .expect("go starts");
    assert!(built.success());
    let out = with_resolver(&dir, &format!("$HEARKEN run -- {exe} web.test"));
    assert!(out.starts_with("[10.0.2.2] <nil>"), "{out}");
    assert!(out.contains("asked by TCP"), "{out}");
}
