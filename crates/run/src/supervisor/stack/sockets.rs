//! The stack as `ss` and `nstat` see it.

use hearken_abi::{Counter, Domain, DropReason};

use hearken_inet::{ListenerQueues, proc};

use super::topology::why;
use super::{FileId, SocketId, Stack};
use crate::control::{Memory, Row, Timer};

impl Stack {
    /// Every socket and connection, each with what its row names it by; `info` adds TCP_INFO.
    pub(crate) fn sockets(&self, info: bool) -> Vec<(Row, Option<SocketId>)> {
        let net = self.machine.net(self.prog);
        net.diag()
            .into_iter()
            .map(|d| {
                let mut row = Row {
                    domain: match d.domain {
                        Domain::Inet => "tcp".to_owned(),
                        Domain::Inet6 => "tcp6".to_owned(),
                    },
                    state: d.state.ss_name().to_owned(),
                    recv_q: d.rx_queue,
                    send_q: d.tx_queue,
                    local: d.local.to_string(),
                    peer: d.peer.to_string(),
                    v6only: d.socket.is_some_and(|s| net.options(s).v6only),
                    uid: d.uid,
                    timer: (d.timer != 0).then(|| Timer {
                        kind: d.timer,
                        left_ms: d.timer_at.since(self.now).as_millis() as u64,
                        retransmits: d.retransmits,
                    }),
                    ..Row::default()
                };
                row.shutdown = d.memory.map(|_| d.shutdown);
                if let Some(m) = d.memory {
                    row.memory = Some(Memory {
                        rmem_alloc: m.rmem_alloc,
                        rcvbuf: m.rcvbuf,
                        sndbuf: m.sndbuf,
                        wmem_queued: m.wmem_queued,
                    });
                }
                if let Some(s) = d.socket.filter(|_| info) {
                    let fields = net.tcp_info(self.now, s).fields();
                    row.info = fields
                        .into_iter()
                        .filter(|(_, v)| *v != 0)
                        .map(|(n, v)| (n.to_owned(), v))
                        .collect();
                }
                (row, d.socket)
            })
            .collect()
    }

    /// The text of a file under /proc/net; `inode` says which inode the program sees of a socket.
    pub(crate) fn proc_net(&self, file: &str, inode: impl Fn(SocketId) -> u64) -> Option<String> {
        proc::file(self.machine.net(self.prog), self.now, file, inode, 0)
    }

    /// A sysctl as /proc/sys prints it, without the last newline.
    pub(crate) fn sysctl(&self, name: &str) -> Option<String> {
        self.machine.net(self.prog).sysctl_get(name).ok()
    }

    /// SO_COOKIE.
    pub(crate) fn cookie(&mut self, file: FileId) -> u64 {
        let value = self
            .getsockopt(file, libc::SOL_SOCKET, libc::SO_COOKIE, 8)
            .unwrap_or_default();
        value.try_into().map_or(0, u64::from_ne_bytes)
    }

    /// TCP_CONGESTION.
    pub(crate) fn congestion(&mut self, file: FileId) -> Option<String> {
        let name = self.getsockopt(file, libc::IPPROTO_TCP, libc::TCP_CONGESTION, 16);
        let name = String::from_utf8(name.ok()?).ok()?;
        Some(name.trim_end_matches('\0').to_owned())
    }

    /// Sets all of them, or none.
    pub(crate) fn set_sysctls(&mut self, values: &[(String, String)]) -> Result<(), String> {
        let net = self.machine.net_mut(self.prog);
        let mut before: Vec<(&String, String)> = Vec::new();
        for (name, value) in values {
            let old = net.sysctl_get(name);
            if let Err(e) = net.sysctl_set(name, value) {
                for (name, old) in before.iter().rev() {
                    // It was a good value a moment ago.
                    let _ = net.sysctl_set(name, old);
                }
                return Err(format!("{name}={value}: {}", why(name, e)));
            }
            if let Ok(old) = old {
                before.push((name, old));
            }
        }
        Ok(())
    }

    /// Their values.
    pub(crate) fn sysctls(&self, names: &[String]) -> Result<Vec<(String, String)>, String> {
        let net = self.machine.net(self.prog);
        let value = |name: &String| match net.sysctl_get(name) {
            Ok(value) => Ok((name.clone(), value)),
            Err(e) => Err(format!("{name}: {}", why(name, e))),
        };
        names.iter().map(value).collect()
    }

    /// The socket behind a file.
    pub(crate) fn socket_of(&self, file: FileId) -> Option<SocketId> {
        self.machine.tcp_socket(file).map(|(_, s)| s)
    }

    /// Counters of the program's namespace under nstat's names (TcpExtListenOverflows).
    pub(crate) fn counters(&self) -> Vec<(String, u64)> {
        let mib = self.machine.net(self.prog).mib();
        Counter::ALL
            .iter()
            .map(|c| (format!("{}{}", c.group(), c.name()), mib.get(*c)))
            .collect()
    }

    /// Packets dropped so far, by Linux's name of the reason.
    pub(crate) fn drops(&self) -> Vec<(String, u64)> {
        let drops = self.machine.net(self.prog).drops();
        DropReason::ALL
            .iter()
            .map(|r| (r.name().to_owned(), drops.get(*r)))
            .filter(|(_, n)| *n != 0)
            .collect()
    }

    /// Both queues, if it listens.
    pub(crate) fn listener_queues(&self, file: FileId) -> Option<ListenerQueues> {
        let socket = self.socket_of(file)?;
        self.machine.net(self.prog).listener_queues(socket)
    }

    /// Connections in a listener's accept queue.
    pub(crate) fn queued(&self, file: FileId) -> usize {
        let queue = self
            .socket_of(file)
            .and_then(|s| self.machine.net(self.prog).accept_queue(s));
        queue.map_or(0, |(len, _)| len as usize)
    }

    fn state(&self, file: FileId) -> Option<hearken_abi::TcpState> {
        self.socket_of(file)
            .map(|s| self.machine.net(self.prog).state(s))
    }

    /// In SYN_SENT or SYN_RECV.
    pub(crate) fn is_connecting(&self, file: FileId) -> bool {
        use hearken_abi::TcpState::{SynRecv, SynSent};
        matches!(self.state(file), Some(SynSent | SynRecv))
    }

    /// Past the handshake, and not yet over.
    pub(crate) fn is_connected(&self, file: FileId) -> bool {
        use hearken_abi::TcpState::{Close, Listen, NewSynRecv, SynRecv, SynSent};
        !matches!(
            self.state(file),
            None | Some(Close | Listen | SynSent | SynRecv | NewSynRecv)
        )
    }

    pub(crate) fn is_listening(&self, file: FileId) -> bool {
        self.state(file) == Some(hearken_abi::TcpState::Listen)
    }
}
