//! The stack as `ss` and `nstat` see it.

use hearken_abi::{Counter, Domain};

use super::{FileId, SocketId, Stack};
use crate::control::Row;

impl Stack {
    /// Every socket and connection, each with what its row names it by.
    pub(crate) fn sockets(&self) -> Vec<(Row, Option<SocketId>)> {
        let net = self.machine.net(self.prog);
        net.diag()
            .into_iter()
            .map(|d| {
                let row = Row {
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
                    pid: None,
                    cmd: None,
                };
                (row, d.socket)
            })
            .collect()
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
