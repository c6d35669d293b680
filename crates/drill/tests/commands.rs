//! What is made of the shell commands of a script.
#![forbid(unsafe_code)]

use std::path::Path;
use std::time::Duration;

use hearken_drill::command::{Action, actions};

fn here(text: &str) -> Vec<Action> {
    actions(text, Path::new("/nonexistent"))
}

fn set(name: &str, value: &str) -> Action {
    Action::SetSysctl {
        name: name.into(),
        value: value.into(),
        must: true,
    }
}

/// As a helper file sets it.
fn try_to_set(name: &str, value: &str) -> Action {
    Action::SetSysctl {
        name: name.into(),
        value: value.into(),
        must: false,
    }
}

/// The reasons of what is left out.
fn skipped(text: &str) -> Vec<String> {
    here(text)
        .into_iter()
        .map(|action| match action {
            Action::Skip(reason) => reason,
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn sysctls_are_found_in_every_form() {
    for text in [
        "sysctl -q net.ipv4.tcp_ecn=0",
        "sysctl -w net.ipv4.tcp_ecn=0 > /dev/null 2>&1",
        "/sbin/sysctl -qw net/ipv4/tcp_ecn=0",
        "sysctl net.ipv4.tcp_ecn = 0",
        "echo 0 > /proc/sys/net/ipv4/tcp_ecn",
        "echo -n 0 >/proc/sys/net/ipv4/tcp_ecn",
        "echo 0 | tee /proc/sys/net/ipv4/tcp_ecn",
        "../common/set_sysctls.py /proc/sys/net/ipv4/tcp_ecn=0",
        "python3 ../set_sysctls.py /proc/sys/net/ipv4/tcp_ecn=0",
        "ECN=0; sysctl -q net.ipv4.tcp_ecn=$ECN",
        "set -e\nsysctl -q net.ipv4.tcp_ecn=0 # off\n/tmp/sysctl_restore_${PPID}.sh\n",
    ] {
        assert_eq!(here(text), [set("net.ipv4.tcp_ecn", "0")], "{text}");
    }
    assert_eq!(
        here("sysctl -q net.ipv4.tcp_rmem=\"4096 131072 6291456\" net.core.somaxconn=5"),
        [
            set("net.ipv4.tcp_rmem", "4096 131072 6291456"),
            set("net.core.somaxconn", "5"),
        ]
    );
}

#[test]
fn helper_file_beside_the_script_is_read_for_its_sysctls() {
    let directory = std::env::temp_dir().join(format!("hearken-drill-{}", std::process::id()));
    std::fs::create_dir_all(directory.join("sub")).expect("a directory");
    std::fs::write(
        directory.join("defaults.sh"),
        "#!/bin/sh\nset -e\n. ./more.sh\nif true; then\n sysctl -q a.b=1\nelif false; then\n sysctl -q a.b=2\n if true; then\n sysctl -q a.b=4\n fi\nelse\n sysctl -q a.b=2\nfi\nsysctl -q a.c=3\n",
    )
    .expect("a file");
    std::fs::write(
        directory.join("more.sh"),
        "echo 9 > /proc/sys/a/d\n./more.sh\n",
    )
    .expect("a file");
    let found = actions("../common/defaults.sh", &directory.join("sub"));
    std::fs::remove_dir_all(&directory).expect("it goes");
    let sets: Vec<&Action> = found
        .iter()
        .filter(|a| matches!(a, Action::SetSysctl { .. }))
        .collect();
    let nines = [try_to_set("a.d", "9")];
    let mut expected: Vec<&Action> = nines.iter().cycle().take(7).collect();
    let (one, three) = (try_to_set("a.b", "1"), try_to_set("a.c", "3"));
    expected.extend([&one, &three]);
    assert_eq!(sets, expected);
    assert!(
        found
            .iter()
            .any(|a| matches!(a, Action::Skip(r) if r.contains("more than 8 deep")))
    );
}

#[test]
fn what_has_no_meaning_here_is_said() {
    assert_eq!(
        skipped(
            "tc qdisc replace dev tun0 root fq; ip tcp_metrics flush all; ip route change 192.0.2.0/24 dev tun0 initcwnd 5; ./gone.sh; tcpdump -i any"
        ),
        [
            "`tc qdisc replace dev tun0 root fq`: there is no queueing discipline here",
            "`ip tcp_metrics flush all`: a fresh namespace remembers no peer",
            "`ip route change 192.0.2.0/24 dev tun0 initcwnd 5`: the run's routes are made before it, and take no attributes",
            "`./gone.sh`: the file is not there",
            "`tcpdump -i any`: no shell runs here, and `tcpdump` sets nothing that is known",
        ]
    );
    for text in ["ip link set dev tun0 mtu 1400", "ifconfig tun0 mtu 1400 up"] {
        assert_eq!(here(text), [Action::SetMtu(1400)], "{text}");
    }
    assert_eq!(skipped("ip link set dev eth0 mtu 1400").len(), 1);
    assert_eq!(
        skipped("ip route change default dev tun0 mtu 1400").len(),
        1
    );
    assert_eq!(here("nstat -n > /dev/null"), [Action::Nstat]);
    assert_eq!(
        here("sleep 0.5"),
        [Action::Sleep(Duration::from_millis(500))]
    );
    assert_eq!(here("nstat | grep -q ListenDrops").len(), 2);
}
