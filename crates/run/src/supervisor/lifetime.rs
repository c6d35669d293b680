//! The ends of a socket: the program's last close, and ours.

use std::collections::HashSet;
use std::os::fd::{AsFd, OwnedFd};

use super::slab::Key;
use super::table::Phase;
use super::{Supervisor, pair};
use crate::sys::remote;

/// How often sockets without a B are asked about when nothing else happens.
pub(super) const SWEEP_NS: u64 = 1_000_000_000;

impl Supervisor {
    /// HUP on B: the program closed its last descriptor, or both directions are shut.
    pub(super) fn on_hup(&mut self, key: Key) {
        let Some(sock) = self.table.get(key) else {
            return;
        };
        if sock.closed {
            return;
        }
        // After both shutdowns HUP stands there anyway; only the kernel knows whether A is open.
        let shut = sock.program_fin || sock.cut;
        if shut && sock.fin_delivered && self.alive.is_open(sock.inode) {
            return;
        }
        self.on_last_close(key);
    }

    /// close(2) of the last descriptor.
    fn on_last_close(&mut self, key: Key) {
        self.table.forget_inode(key);
        // A killed process leaves its call and its descriptors together. A call of another thread, as
        // on Linux, keeps the socket open until it returns.
        for (ticket, notif) in self.pending.on(key) {
            if !self.listener.id_valid(notif.id) {
                self.cancel(ticket);
            }
        }
        let Some(sock) = self.table.get_mut(key) else {
            return;
        };
        if sock.linger_zero && sock.phase == Phase::Open {
            // The reset discards what is unsent, and on Linux only a full window leaves anything unsent.
            sock.ready.fd_in = true;
            self.pump(key);
            self.settle();
        }
        let Some(sock) = self.table.get_mut(key) else {
            return;
        };
        sock.closed = true;
        let unread = sock.b.as_ref().is_some_and(|b| pair::was_reset(b.as_fd()));
        let file = sock.file;
        match sock.phase {
            Phase::Open if unread => {
                // RFC 2525 2.17 and Linux's tcp_close: unread data makes it a reset.
                self.table.remove(key);
                self.stack.reset(file);
            }
            Phase::Open if !sock.linger_zero && !sock.broken && !sock.fin_sent => {
                // What the program wrote goes first, then the FIN.
                sock.ready.fd_in = true;
                self.run_flow(key);
                self.pump(key);
            }
            _ => self.finish(key),
        }
    }

    /// Nothing of the program is left in the pipe: the stack's socket closes.
    pub(super) fn finish(&mut self, key: Key) {
        if let Some(sock) = self.table.remove(key) {
            self.stack.close(sock.file);
        }
    }

    /// The connection broke while A has no room for the rest of what came. A program that waits in send(2) would wait
    /// for ever, and never read: its writes end now, and what it wrote is thrown away but for the byte that the
    /// later reset needs.
    pub(super) fn cut_writer(&mut self, key: Key) {
        let Some(sock) = self.table.get(key).filter(|s| !s.cut && !s.program_fin) else {
            return;
        };
        let empty = sock
            .b
            .as_ref()
            .is_some_and(|b| pair::unread(b.as_fd()) == 0);
        let marked = !empty
            || self
                .reach(key)
                .is_some_and(|a| pair::leave_unread(a.as_fd()));
        if let Some(sock) = self.table.get_mut(key)
            && let Some(b) = &sock.b
        {
            let _ = rustix::net::shutdown(b, rustix::net::Shutdown::Read);
            pair::drain_but_one(b.as_fd());
            sock.cut = true;
            sock.sentinel = marked;
        }
    }

    /// Closes B with a byte unread, so that A answers as after a reset: data first, then ECONNRESET.
    pub(super) fn kill_pair(&mut self, key: Key) {
        let Some(sock) = self.table.get(key) else {
            return;
        };
        let has_unread = sock.sentinel
            || sock.phase == Phase::Connecting
            || sock.b.as_ref().is_some_and(|b| pair::unread(b.as_fd()) > 0);
        if !has_unread && let Some(a) = self.reach(key) {
            pair::leave_unread(a.as_fd());
        }
        if let Some(sock) = self.table.get_mut(key) {
            sock.b = None;
            sock.phase = Phase::Dead;
            self.unwatched += 1;
        }
    }

    /// A socket that stands alone or is dead has no B, so nobody says when the program closes A: ask. True if any had
    /// been closed.
    pub(crate) fn sweep(&mut self) -> bool {
        if self.unwatched == 0 {
            return false;
        }
        let dead: Vec<(Key, u64)> = self
            .table
            .iter()
            .filter(|(_, s)| s.b.is_none())
            .map(|(k, s)| (k, s.inode))
            .collect();
        self.unwatched = dead.len();
        let mut any = false;
        for (key, inode) in dead {
            if !self.alive.is_open(inode) {
                self.finish(key);
                self.unwatched -= 1;
                any = true;
            }
        }
        self.unwatched_after_sweep = self.unwatched;
        self.swept_at = self.stack.now();
        any
    }

    /// Whether enough sockets lost their B, or never had one, since the last sweep to be worth another, or enough time passed.
    pub(super) fn sweep_is_due(&self) -> bool {
        self.unwatched > 2 * self.unwatched_after_sweep + 32
            || self.unwatched > 0 && self.stack.now().0 >= self.swept_at.0 + SWEEP_NS
    }

    /// A transient duplicate of A from where it was seen last, or from anywhere in that process.
    pub(crate) fn reach(&mut self, key: Key) -> Option<OwnedFd> {
        let sock = self.table.get(key)?;
        let (inode, (tid, fd)) = (sock.inode, sock.seen);
        let here = |a: &OwnedFd| remote::inode(a) == Some(inode);
        if fd >= 0
            && let Some(a) = self.tasks.getfd(tid, fd).ok().filter(here)
        {
            return Some(a);
        }
        let name = format!("socket:[{inode}]");
        for tid in self.threads_seen(tid) {
            let Ok(entries) = std::fs::read_dir(format!("/proc/{tid}/fd")) else {
                continue;
            };
            for entry in entries.flatten() {
                let Ok(target) = std::fs::read_link(entry.path()) else {
                    continue;
                };
                if target.as_os_str() != name.as_str() {
                    continue;
                }
                let Some(fd) = entry.file_name().to_str().and_then(|f| f.parse().ok()) else {
                    continue;
                };
                if let Some(a) = self.tasks.getfd(tid, fd).ok().filter(here) {
                    if let Some(sock) = self.table.get_mut(key) {
                        sock.seen = (tid, fd);
                    }
                    return Some(a);
                }
            }
        }
        None
    }

    /// Threads that may hold a descriptor: the one that made it, and those that made calls lately.
    fn threads_seen(&self, first: u32) -> Vec<u32> {
        let mut seen = HashSet::from([first]);
        let mut order = vec![first];
        for (_, s) in self.table.iter() {
            if order.len() >= 64 {
                break;
            }
            for tid in [s.seen.0, s.owner] {
                if seen.insert(tid) {
                    order.push(tid);
                }
            }
        }
        order
    }
}
