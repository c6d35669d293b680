//! The sockets as JSON, schema `hearken.ss/1`.

use super::Socket;

/// What `hearken ss --json` prints: every socket with all that is known of it.
pub(super) fn json(sockets: &[Socket]) -> serde_json::Value {
    serde_json::json!({
        "schema": "hearken.ss/1",
        "sockets": sockets.iter().map(one).collect::<Vec<_>>(),
    })
}

fn one(s: &Socket) -> serde_json::Value {
    let row = &s.row;
    let end = |a: std::net::SocketAddr| serde_json::json!({ "address": a.ip().to_string(), "port": a.port() });
    serde_json::json!({
        "run": s.run,
        "netid": "tcp",
        "state": row.state,
        "recv_q": row.recv_q,
        "send_q": row.send_q,
        "local": end(s.local),
        "peer": end(s.peer),
        "v6only": s.is_v6().then_some(row.v6only),
        "process": s.processes.first().map(|p| serde_json::json!({ "name": p.name, "pid": p.pid })),
        "processes": s.processes.iter().map(|p| serde_json::json!({ "name": p.name, "pid": p.pid, "fd": p.fd })).collect::<Vec<_>>(),
        "uid": row.uid,
        "inode": row.inode,
        "cookie": row.cookie,
        "timer": row.timer,
        "memory": row.memory,
        "congestion": row.congestion,
        "tcp_info": (!row.info.is_empty()).then_some(&row.info),
    })
}
