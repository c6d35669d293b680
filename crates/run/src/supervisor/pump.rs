//! The program's open sockets: bytes from B to the stack and back, each flow in its turn.

use std::os::fd::AsFd;

use rustix::net::Shutdown;

use super::flow::{self, BUDGET, Moved};
use super::slab::Key;
use super::table::Phase;
use super::{Supervisor, pair};

impl Supervisor {
    /// The connection is established: from here on bytes move.
    pub(crate) fn open_flow(&mut self, key: Key) {
        let Some(sock) = self.table.get_mut(key) else {
            return;
        };
        sock.ready = flow::Ready {
            fd_in: true,
            fd_out: true,
            stack_in: true,
            stack_out: true,
            last: 0,
        };
        let file = sock.file;
        self.stack.watch(file);
        self.run_flow(key);
    }

    /// Puts a flow into the queue of those to run.
    pub(crate) fn run_flow(&mut self, key: Key) {
        if let Some(sock) = self.table.get_mut(key).filter(|s| !s.queued) {
            sock.queued = true;
            self.runnable.push_back(key);
        }
    }

    /// Runs every flow that was in the queue, once, each within its budget.
    pub(super) fn pump_round(&mut self) {
        for _ in 0..self.runnable.len() {
            let Some(key) = self.runnable.pop_front() else {
                break;
            };
            if let Some(sock) = self.table.get_mut(key) {
                sock.queued = false;
                if self.pump(key) {
                    self.run_flow(key);
                }
            }
        }
    }

    /// Moves bytes both ways. True if a budget ended it and there is more.
    pub(crate) fn pump(&mut self, key: Key) -> bool {
        if self.table.get(key).is_none_or(|s| s.phase != Phase::Open) {
            return false;
        }
        let more_out = self.pump_out(key);
        let more_in = self.pump_in(key);
        more_out || more_in
    }

    /// From the program to the stack.
    fn pump_out(&mut self, key: Key) -> bool {
        let mut budget = BUDGET;
        loop {
            let Some(sock) = self.table.get_mut(key) else {
                return false;
            };
            let Some(b) = sock.b.as_ref() else {
                return false;
            };
            if !sock.ready.fd_in || sock.fin_sent {
                return false;
            }
            // The sentinel stays behind.
            let limit = if sock.sentinel {
                pair::unread(b.as_fd()).saturating_sub(1)
            } else {
                usize::MAX
            };
            if limit == 0 {
                return self.program_ended(key);
            }
            if !sock.ready.stack_out {
                return false;
            }
            let mut to = self.stack.connection(sock.file);
            let most = limit.min(budget).min(sock.ready.room());
            match flow::fd_to_stack(b.as_fd(), &mut to, most) {
                Moved::Bytes(n) => {
                    self.moved += n as u64;
                    budget = budget.saturating_sub(n);
                    sock.ready.last = n;
                    if budget == 0 {
                        return true;
                    }
                }
                Moved::FdBlocked => {
                    sock.ready.fd_in = false;
                    return false;
                }
                Moved::StackBlocked => {
                    sock.ready.stack_out = false;
                    return false;
                }
                Moved::End => return self.program_ended(key),
                Moved::FdBroken(_) => return self.program_ended(key),
                Moved::StackBroken(e) => {
                    sock.ready.stack_out = false;
                    self.note_broken(key, e);
                    return false;
                }
            }
        }
    }

    /// The pipe is empty and the program will write no more.
    fn program_ended(&mut self, key: Key) -> bool {
        let Some(sock) = self.table.get_mut(key) else {
            return false;
        };
        sock.ready.fd_in = false;
        if !sock.program_fin && !sock.closed {
            // An end without shutdown(2) is a close, and whether it means FIN or RST is known when its
            // HUP is looked at, which is on its way.
            return false;
        }
        sock.fin_sent = true;
        let (file, closed) = (sock.file, sock.closed);
        if closed {
            self.finish(key);
        } else {
            // shutdown(2) on a connection that has ended meanwhile is no news.
            let _ = self.stack.shutdown(file, libc::SHUT_WR);
        }
        false
    }

    /// From the stack to the program.
    fn pump_in(&mut self, key: Key) -> bool {
        let mut budget = BUDGET;
        loop {
            let Some(sock) = self.table.get_mut(key) else {
                return false;
            };
            let Some(b) = sock.b.as_ref() else {
                return false;
            };
            if sock.closed {
                if sock.broken {
                    self.finish(key);
                }
                return false;
            }
            if !sock.ready.stack_in || !sock.ready.fd_out {
                if sock.broken {
                    self.cut_writer(key);
                }
                return false;
            }
            let mut from = self.stack.connection(sock.file);
            match flow::stack_to_fd(&mut from, b.as_fd()) {
                Moved::Bytes(n) => {
                    self.moved += n as u64;
                    budget = budget.saturating_sub(n);
                    if budget == 0 {
                        return true;
                    }
                }
                // A that reads no more has nothing left to read either.
                Moved::StackBlocked | Moved::End | Moved::FdBroken(_) if sock.broken => {
                    self.connection_broke(key);
                    return false;
                }
                Moved::StackBlocked => {
                    sock.ready.stack_in = false;
                    return false;
                }
                Moved::FdBlocked => {
                    sock.ready.fd_out = false;
                    if sock.broken {
                        self.cut_writer(key);
                    }
                    return false;
                }
                Moved::End => {
                    sock.ready.stack_in = false;
                    if !sock.fin_delivered {
                        sock.fin_delivered = true;
                        let _ = rustix::net::shutdown(b, Shutdown::Write);
                    }
                    return false;
                }
                // A reads no more (SHUT_RD, or closed and HUP is on its way): what arrives is lost.
                Moved::FdBroken(_) => {
                    sock.ready.stack_in = false;
                    return false;
                }
                Moved::StackBroken(e) => {
                    self.note_broken(key, e);
                    self.connection_broke(key);
                    return false;
                }
            }
        }
    }

    /// Reset, or given up: noted with its reason. What the stack still holds for the program goes over
    /// first, as Linux keeps its receive queue.
    fn note_broken(&mut self, key: Key, errno: i32) {
        let Some(sock) = self.table.get_mut(key).filter(|s| !s.broken) else {
            return;
        };
        sock.broken = true;
        sock.ready.stack_in = true;
        // SO_ERROR is what broke it; the attempt's own errno (EPIPE of a send) is only what it met.
        let pending = self.stack.so_error(sock.file);
        sock.error = if pending != 0 { pending } else { errno };
    }

    /// There is nothing more for the program to read of a broken connection: now it hears of it.
    fn connection_broke(&mut self, key: Key) {
        match self.table.get(key) {
            Some(sock) if sock.closed => self.finish(key),
            Some(sock) if sock.phase == Phase::Open => self.kill_pair(key),
            _ => {}
        }
    }

    /// The stack has news of one of the program's sockets.
    pub(super) fn on_stack_ready(&mut self, key: Key, readable: bool, writable: bool) {
        let Some(sock) = self.table.get_mut(key) else {
            return;
        };
        match sock.phase {
            Phase::Open => {
                sock.ready.stack_in |= readable;
                sock.ready.stack_out |= writable;
                self.run_flow(key);
            }
            Phase::Connecting => self.on_connect_event(key),
            Phase::Listening { .. } => self.sync_tokens(key),
            Phase::Fresh | Phase::Dead => {}
        }
    }
}
