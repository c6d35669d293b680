//! Which processes hold a socket: /proc/PID/fd, as ss looks.

use std::collections::HashMap;

use super::Socket;

/// A process that holds a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) name: String,
    pub(crate) pid: u32,
    /// Its descriptor; not known of a process that could not be looked into.
    pub(crate) fd: Option<u32>,
}

/// Fills in `processes` of every socket; where /proc tells nothing, the process that made the socket.
pub(crate) fn find(sockets: &mut [Socket]) {
    let mut wanted: HashMap<u64, Vec<Process>> = sockets
        .iter()
        .filter(|s| s.row.inode != 0)
        .map(|s| (s.row.inode, Vec::new()))
        .collect();
    if !wanted.is_empty() {
        for pid in numbers("/proc") {
            look_into(pid, &mut wanted);
        }
    }
    for socket in sockets {
        socket.processes = wanted.remove(&socket.row.inode).unwrap_or_default();
        if let (true, Some(name), Some(pid)) =
            (socket.processes.is_empty(), &socket.row.cmd, socket.row.pid)
        {
            socket.processes.push(Process {
                name: name.clone(),
                pid,
                fd: None,
            });
        }
    }
}

/// The entries of a directory that are numbers, in order.
fn numbers(dir: &str) -> Vec<u32> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut all: Vec<u32> = entries
        .filter_map(|e| e.file_name().to_str()?.parse().ok())
        .collect();
    all.sort_unstable();
    all
}

fn look_into(pid: u32, wanted: &mut HashMap<u64, Vec<Process>>) {
    let mut name = None;
    for fd in numbers(&format!("/proc/{pid}/fd")) {
        let Ok(link) = std::fs::read_link(format!("/proc/{pid}/fd/{fd}")) else {
            continue;
        };
        let Some(holders) = link
            .to_str()
            .and_then(|l| l.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok())
            .and_then(|inode: u64| wanted.get_mut(&inode))
        else {
            continue;
        };
        let name = name.get_or_insert_with(|| {
            std::fs::read_to_string(format!("/proc/{pid}/comm"))
                .map_or_else(|_| "?".into(), |c| c.trim_end().to_owned())
        });
        holders.push(Process {
            name: name.clone(),
            pid,
            fd: Some(fd),
        });
    }
}
