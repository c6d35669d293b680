//! /proc/net/tcp and tcp6: LINUX statements 124 and 125.

mod common;

use common::World;

fn columns(text: &str) -> Vec<Vec<&str>> {
    text.lines()
        .skip(1)
        .map(|l| l.split_whitespace().collect())
        .collect()
}

#[test]
fn proc_lists_listeners_children_and_connections_but_nothing_that_is_only_bound() {
    let mut w = World::new();
    let bound = w.tcp();
    assert_eq!(w.bind(bound, "127.0.0.1:7777"), Ok(()));
    assert_eq!(
        w.m.proc_net(w.now, w.net, "tcp").unwrap().lines().count(),
        1
    );
    let l = w.listener("127.0.0.1:5000", 7);
    let c = w.client(l);
    let text = w.m.proc_net(w.now, w.net, "tcp").unwrap();
    assert!(text.lines().all(|l| l.len() == 149), "{text}");
    let lines = columns(&text);
    assert_eq!(lines.len(), 3, "{text}");
    let of = |local: &str, state: &str| {
        let found = lines.iter().find(|l| l[1] == local && l[3] == state);
        found.unwrap_or_else(|| panic!("{local} {state} in {text}"))
    };
    let listener = of("0100007F:1388", "0A");
    assert_eq!(listener[2], "00000000:0000");
    assert_eq!(
        listener[4], "00000000:00000001",
        "one waits, the limit is not shown"
    );
    assert_eq!(listener[9], w.file(l).inode().to_string());
    let child = of("0100007F:1388", "01");
    assert_eq!(child[9], "0", "nobody holds it yet");
    let client = format!("0100007F:{:04X}", w.name(c).port());
    assert_eq!(of(&client, "01")[9], w.file(c).inode().to_string());
    assert_eq!(
        w.m.proc_net(w.now, w.net, "tcp6").unwrap().lines().count(),
        1
    );
}

#[test]
fn proc_lists_a_dual_listener_in_tcp6() {
    let mut w = World::new();
    w.listener("[::]:5000", 7);
    assert_eq!(
        w.m.proc_net(w.now, w.net, "tcp").unwrap().lines().count(),
        1
    );
    let text = w.m.proc_net(w.now, w.net, "tcp6").unwrap();
    let lines = columns(&text);
    assert_eq!(lines[0][1], "00000000000000000000000000000000:1388");
    assert_eq!(lines[0][3], "0A");
}
