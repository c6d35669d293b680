//! Every answer that a socket gives in every state, natively and under a run: `carried/gaps` asks, and what differs is
//! declared here. Each label is a row of docs/run-differences.md.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use crate::common::{alone, carried, find, inside_any};
use crate::needs;

/// Lines that differ for one reason. A line is named by its label, or by the begin of it and `*`; every line so named
/// must differ, so that a gap which has been closed is taken out.
struct Gap {
    label: &'static str,
    lines: &'static [&'static str],
}

const GAPS: &[Gap] = &[
    Gap {
        label: "read and write of an unconnected socket",
        lines: &[
            "read, fresh",
            "read, bound",
            "read, listening",
            "read, refused blocking",
            "read, listener shut",
            "peek, fresh",
            "peek, bound",
            "peek, listening",
            "peek, refused blocking",
            "peek, listener shut",
            "write, fresh",
            "write, bound",
            "write, listening",
            "write, refused blocking",
            "write, listener shut",
            "send, fresh",
            "send, bound",
            "send, listening",
            "send, refused blocking",
            "send, listener shut",
            "send_nothing, fresh",
            "send_nothing, bound",
            "send_nothing, listening",
            "send_nothing, connecting",
            "send_nothing, refused blocking",
            "send_nothing, listener shut",
            "signals, fresh",
            "signals, bound",
            "signals, listening",
            "signals, refused blocking",
            "signals, listener shut",
            "tee, sendfile on a fresh one",
            "ioctls, INQ listening",
            "unspec, fresh",
            "unspec, bound",
            "unspec, refused blocking",
            "unspec, refused and asked",
            "unspec, both ended",
            "unspec, listening",
        ],
    },
    Gap {
        label: "write after a connection broke",
        lines: &[
            "write, reset*",
            "write, refused",
            "send, reset*",
            "send, refused",
            "send_nothing, reset",
            "send_nothing, reset with data",
            "send_nothing, refused",
            "sendto, reset",
            "sendto, reset with data",
            "sendto, refused",
            "signals, reset",
            "signals, reset with data",
            "signals, refused",
        ],
    },
    Gap {
        label: "read after a connection broke",
        lines: &[
            "read, refused",
            "read, reset after close",
            "peek, refused",
            "peek, reset after close",
        ],
    },
    Gap {
        label: "connect(AF_UNSPEC) leaves its error to SO_ERROR only",
        lines: &[
            "poll, disconnected",
            "read, disconnected",
            "peek, disconnected",
            "write, disconnected",
            "send, disconnected",
            "send_nothing, disconnected",
            "sendto, disconnected",
            "signals, disconnected",
            "shutdown, disconnected *",
            "unspec, connecting",
            "unspec, established",
            "unspec, with data",
            "unspec, close-wait",
            "unspec, fin-wait-2",
            "unspec, shut both",
            "unspec, shut for reading",
            "unspec, reset*",
            "unspec, refused",
            "unspec, disconnected",
            "threads, recv, disconnect",
        ],
    },
    Gap {
        label: "poll of a listener that was shut",
        lines: &[
            "poll, listener shut",
            "so_error, listener shut",
            "shutdown, listening read",
            "shutdown, listening both",
            "shutdown, listener shut *",
            "unspec, listener shut",
            "epolls, shut",
        ],
    },
    Gap {
        label: "poll after shutdown of a connect under way",
        lines: &["shutdown, connecting *"],
    },
    Gap {
        label: "IPV6_UNICAST_HOPS of 0, IPV6_ADDRFORM, TCP_MAXSEG of a connection",
        lines: &[
            "put, IPV6_UNICAST_HOPS",
            "get, IPV6_ADDRFORM six",
            "get, TCP_MAXSEG connected",
        ],
    },
    Gap {
        label: "EINTR of calls that do not wait",
        lines: &[
            "never_interrupted, EINTR",
            "never_interrupted, EINTR of open",
        ],
    },
    Gap {
        label: "SIOCGSTAMP",
        lines: &["ioctls, GSTAMP *"],
    },
    Gap {
        label: "the descriptor says AF_UNIX",
        lines: &["files, map", "files, xattr", "files, fdinfo"],
    },
    Gap {
        label: "options of the kernel's own machinery",
        lines: &[
            "get, SO_TXTIME *",
            "get, SO_PREFER_BUSY_POLL *",
            "get, SO_NETNS_COOKIE *",
            "get, TCP_TX_DELAY *",
            "put, SO_TIMESTAMPING",
            "put, SO_TXTIME",
            "put, SO_PREFER_BUSY_POLL",
            "put, SO_BUSY_POLL_BUDGET",
            "put, TCP_TX_DELAY",
        ],
    },
    Gap {
        label: "MSG_ZEROCOPY",
        lines: &["put, SO_ZEROCOPY"],
    },
    Gap {
        label: "sendmsg with an address",
        lines: &["message, with address"],
    },
    Gap {
        label: "MSG_FASTOPEN",
        lines: &["message, FASTOPEN", "message, fresh fastopen"],
    },
    Gap {
        label: "SO_RCVLOWAT",
        lines: &["lowat, unread below", "lowat, read below"],
    },
    Gap {
        label: "close with SO_LINGER",
        lines: &["linger, close waits"],
    },
    Gap {
        label: "urgent data",
        lines: &[
            "urgent, poll",
            "urgent, read",
            "urgent, at mark then",
            "urgent, out of band",
            "urgent, inline",
            "urgent, SIGURG",
        ],
    },
    Gap {
        label: "SPLICE_F_NONBLOCK",
        lines: &["tee, splice with SPLICE_F_NONBLOCK waits"],
    },
    Gap {
        label: "edges of POLLOUT",
        lines: &["epolls, a little written"],
    },
    Gap {
        label: "MPTCP",
        lines: &["address_errors, socket 2 1 262"],
    },
];

/// Lines whose answer is one thing or another on each side, by the time that passes between two calls.
const BY_CHANCE: [&str; 2] = ["epolls, reset", "threads, send, peer resets"];

fn answers(text: &str) -> BTreeMap<String, String> {
    let pairs = text.lines().map(|l| {
        let (label, value) = l
            .split_once(": ")
            .unwrap_or_else(|| panic!("no label: {l}"));
        (label.to_owned(), value.to_owned())
    });
    pairs.collect()
}

fn names(pattern: &str, label: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(begin) => label.starts_with(begin),
        None => label == pattern,
    }
}

#[test]
fn every_answer_of_a_socket_is_linux_s_but_for_the_declared_gaps() {
    needs!("python3", "unshare", "ip");
    let _alone = alone();
    let script = carried("gaps");
    let root = rustix::process::geteuid().is_root();
    // A namespace of its own: the host's may hold other values and other sockets.
    let native = Command::new(find("unshare"))
        .args([if root { "-n" } else { "-rn" }, "sh", "-c"])
        .arg(format!("ip link set lo up; exec python3 {script}"))
        .stdin(Stdio::null())
        .output()
        .expect("unshare starts");
    assert!(native.status.success(), "{native:?}");
    let native = answers(&String::from_utf8_lossy(&native.stdout));
    let (status, run, err) = inside_any(&[], &format!("exec python3 {script}"));
    assert!(status.success(), "{status}\n{err}");
    let run = answers(&run);
    assert!(native.len() > 1200, "{} lines", native.len());
    let mut wrong = Vec::new();
    for label in native.keys().chain(run.keys()) {
        let (a, b) = (native.get(label), run.get(label));
        let declared = GAPS.iter().any(|g| g.lines.iter().any(|l| names(l, label)));
        if a != b && !declared && !BY_CHANCE.contains(&label.as_str()) {
            wrong.push(format!("{label}\n   Linux: {a:?}\n   run:   {b:?}"));
        }
    }
    for gap in GAPS {
        for line in gap.lines {
            let mut named = native.keys().filter(|l| names(line, l)).peekable();
            if named.peek().is_none() {
                wrong.push(format!("{}: no line {line}", gap.label));
            }
            for l in named.filter(|l| native.get(*l) == run.get(*l)) {
                wrong.push(format!("{}: {l} no longer differs", gap.label));
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
