//! What a program reads under /proc is the truth about its sockets.

use crate::common::{Run, free_port};

#[test]
fn proc_net_shows_the_program_s_sockets_by_every_path() {
    let port = free_port().to_string();
    let options = ["--sysctl", "net.ipv4.tcp_syn_retries=3"];
    let mut run = Run::python(&options, &["proc_net", &port]);
    for name in [
        "usual",
        "self",
        "process",
        "thread",
        "relative",
        "descriptor",
    ] {
        // The listener and both ends, with the inodes that fstat tells.
        assert_eq!(run.expect(name), "0A 01 01 True", "{name}");
    }
    assert_eq!(run.expect("listener"), "True");
    assert_eq!(run.expect("cat"), "3");
    assert_eq!(run.expect("tcp6"), "0");
    assert_eq!(run.expect("snmp"), "1 1 2 -1");
    assert_eq!(run.expect("sockstat"), "3");
    assert_eq!(run.expect("sysctl"), "3");
    assert_eq!(run.expect("others"), "True True");
    assert_eq!(run.end().code(), Some(0));
}
