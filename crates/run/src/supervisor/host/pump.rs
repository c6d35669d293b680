//! Bytes between the host's sockets and the gateway.

use std::os::fd::AsFd;

use rustix::net::Shutdown;

use super::Stage;
use crate::supervisor::Supervisor;
use crate::supervisor::flow::{self, BUDGET, Moved};
use crate::supervisor::slab::Key;

/// What one direction came to.
enum Way {
    /// Nothing to do until an event.
    Waits,
    /// The budget ended it.
    More,
    /// The flow is over.
    Over,
}

impl Supervisor {
    pub(super) fn run_host_flow(&mut self, key: Key) {
        if let Some(f) = self.host.flows.get_mut(key).filter(|f| !f.queued) {
            f.queued = true;
            self.host.runnable.push_back(key);
        }
    }

    /// Runs every flow that was in the queue, once, each within its budget.
    pub(in crate::supervisor) fn pump_host_round(&mut self) {
        for _ in 0..self.host.runnable.len() {
            let Some(key) = self.host.runnable.pop_front() else {
                break;
            };
            let Some(f) = self.host.flows.get_mut(key) else {
                continue;
            };
            f.queued = false;
            if f.stage == Stage::Open && self.pump_host(key) {
                self.run_host_flow(key);
            }
        }
    }

    fn pump_host(&mut self, key: Key) -> bool {
        let mut more = false;
        for way in [Self::pump_inside, Self::pump_outside] {
            match way(self, key) {
                Way::Waits => {}
                Way::More => more = true,
                Way::Over => return false,
            }
        }
        let Some(f) = self.host.flows.get(key) else {
            return false;
        };
        if f.host_fin && f.program_fin {
            // Both FINs have gone over: an orderly end.
            if let Some(f) = self.remove_flow(key) {
                self.stack.gateway.close(self.stack.now(), f.flow);
            }
            return false;
        }
        more
    }

    /// From the host to the program.
    fn pump_inside(&mut self, key: Key) -> Way {
        let mut budget = BUDGET;
        loop {
            let Some(f) = self.host.flows.get_mut(key) else {
                return Way::Over;
            };
            if f.host_fin || !f.ready.fd_in || !f.ready.stack_out {
                return Way::Waits;
            }
            let mut to = self.stack.flow(f.flow);
            match flow::fd_to_stack(f.fd.as_fd(), &mut to, budget.min(f.ready.room())) {
                Moved::Bytes(n) => {
                    self.moved += n as u64;
                    f.ready.last = n;
                    budget = budget.saturating_sub(n);
                    if budget == 0 {
                        return Way::More;
                    }
                }
                Moved::FdBlocked => f.ready.fd_in = false,
                Moved::StackBlocked => f.ready.stack_out = false,
                Moved::End => {
                    f.host_fin = true;
                    let flow = f.flow;
                    self.stack.gateway.shutdown_write(self.stack.now(), flow);
                }
                // The host's peer reset it: so does the program's.
                Moved::FdBroken(_) => {
                    self.reset_flow(key);
                    return Way::Over;
                }
                // What the program sent before it broke still goes out, in the other direction.
                Moved::StackBroken(_) => {
                    f.ready.stack_out = false;
                    f.broken = true;
                    f.ready.stack_in = true;
                    return Way::Waits;
                }
            }
        }
    }

    /// From the program to the host.
    fn pump_outside(&mut self, key: Key) -> Way {
        let mut budget = BUDGET;
        loop {
            let Some(f) = self.host.flows.get_mut(key) else {
                return Way::Over;
            };
            if f.program_fin || !f.ready.stack_in || !f.ready.fd_out {
                return Way::Waits;
            }
            let mut from = self.stack.flow(f.flow);
            match flow::stack_to_fd(&mut from, f.fd.as_fd()) {
                Moved::Bytes(n) => {
                    self.moved += n as u64;
                    budget = budget.saturating_sub(n);
                    if budget == 0 {
                        return Way::More;
                    }
                }
                Moved::FdBlocked => f.ready.fd_out = false,
                Moved::StackBlocked | Moved::End if f.broken => {
                    self.reset_flow(key);
                    return Way::Over;
                }
                Moved::StackBlocked => f.ready.stack_in = false,
                Moved::End => {
                    f.program_fin = true;
                    let _ = rustix::net::shutdown(&f.fd, Shutdown::Write);
                }
                Moved::FdBroken(_) | Moved::StackBroken(_) => {
                    self.reset_flow(key);
                    return Way::Over;
                }
            }
        }
    }
}
