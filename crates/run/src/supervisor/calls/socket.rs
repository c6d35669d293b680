//! socket(2): a fresh socket of the stack behind a fresh end A.

use std::os::fd::AsFd;

use super::Answer;
use crate::supervisor::stack::Cred;
use crate::supervisor::table::Sock;
use crate::supervisor::{Supervisor, pair};
use crate::sys::notify::{Added, Notif};
use crate::sys::remote;

impl Supervisor {
    pub(super) fn call_socket(&mut self, n: &Notif) -> Answer {
        let (domain, ty, protocol) = (n.args[0] as i32, n.args[1] as i32, n.args[2] as i32);
        const FLAGS: i32 = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        if ty & !FLAGS != libc::SOCK_STREAM {
            // Datagrams, raw sockets, and flags that do not exist.
            return Answer::Continue;
        }
        match protocol {
            0 | libc::IPPROTO_TCP => {}
            // It would succeed natively and escape us; programs fall back to TCP.
            libc::IPPROTO_MPTCP => return Answer::Errno(libc::EPROTONOSUPPORT),
            _ => return Answer::Continue,
        }
        let cred = self.cred(n.pid);
        let file = match self.stack.socket(&cred, domain, ty, protocol) {
            Ok(file) => file,
            Err(e) => return Answer::Errno(e),
        };
        let a = match pair::alone(ty & libc::SOCK_NONBLOCK != 0) {
            Ok(a) => a,
            Err(_) => {
                self.stack.close(file);
                return Answer::Errno(libc::ENFILE);
            }
        };
        let Some(inode) = remote::inode(&a) else {
            self.stack.close(file);
            return Answer::Errno(libc::ENOBUFS);
        };
        match self
            .listener
            .add_fd(n.id, a.as_fd(), ty & libc::SOCK_CLOEXEC != 0)
        {
            Ok(Added::Fd(fd)) => {
                drop(a);
                self.tell_descriptor(n, fd);
                self.table.insert(Sock::new(inode, file, None, n.pid));
                self.unwatched += 1;
                Answer::Done
            }
            Ok(Added::Gone) => {
                self.stack.close(file);
                Answer::Done
            }
            // EMFILE: the program's own limit.
            Err(e) => {
                self.stack.close(file);
                Answer::Errno(e.raw_os_error().unwrap_or(libc::EMFILE))
            }
        }
    }

    /// Who the caller is, as far as SO_REUSEPORT asks.
    pub(super) fn cred(&self, tid: u32) -> Cred {
        // The owner of /proc/TID is its effective user.
        let uid = rustix::fs::stat(format!("/proc/{tid}")).map_or(0, |st| st.st_uid);
        Cred {
            uid,
            net_bind_service: false,
        }
    }

    /// Who the caller is, as far as a port below 1024 asks too: one small file more to read.
    pub(super) fn cred_to_bind(&self, tid: u32, addr: &[u8]) -> Cred {
        const CAP_NET_BIND_SERVICE: u64 = 1 << 10;
        let mut cred = self.cred(tid);
        let port = addr
            .get(2..4)
            .map_or(0, |p| u16::from_be_bytes([p[0], p[1]]));
        if port < 1024 {
            let status = std::fs::read_to_string(format!("/proc/{tid}/status")).unwrap_or_default();
            let caps = status.lines().find_map(|l| l.strip_prefix("CapEff:"));
            let caps = caps
                .and_then(|c| u64::from_str_radix(c.trim(), 16).ok())
                .unwrap_or(0);
            cred.net_bind_service = caps & CAP_NET_BIND_SERVICE != 0;
        }
        cred
    }
}
