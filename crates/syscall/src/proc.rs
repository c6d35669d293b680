//! The files under /proc/net, with the inodes of this machine's open files.

use crate::file::Kind;
use crate::machine::{Machine, NetId};
use alloc::collections::BTreeMap;
use alloc::string::String;
use hearken_inet::{Instant, SocketId, proc};

impl Machine {
    /// The text of a file under /proc/net of a namespace (`tcp`, `tcp6`, `snmp`, `snmp6`, `netstat`, `sockstat`, `sockstat6`);
    /// `None` for one of another name.
    #[must_use]
    pub fn proc_net(&self, now: Instant, net: NetId, file: &str) -> Option<String> {
        let inodes = self.inodes(net);
        let inode = |s: SocketId| inodes.get(&s.number()).copied().unwrap_or(0);
        // Datagram and raw sockets have a kind and no namespace: they are counted where there is but one.
        let others = self.files.iter();
        let others = others.filter(|(_, f)| matches!(f.kind, Kind::Other(_)));
        proc::file(self.net(net), now, file, inode, others.count() as u32)
    }

    /// Which inode each socket of a namespace has that is an open file.
    fn inodes(&self, net: NetId) -> BTreeMap<u32, u64> {
        let files = self.files.iter().filter_map(|(id, f)| match &f.kind {
            Kind::Tcp(t) if t.net == net => Some((t.socket.number(), id.inode())),
            Kind::Tcp(_) | Kind::Other(_) | Kind::Epoll(_) | Kind::NotSocket | Kind::Path => None,
        });
        files.collect()
    }
}
