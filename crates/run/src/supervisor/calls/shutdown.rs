//! shutdown(2).

use std::os::fd::AsFd;

use rustix::net::Shutdown;

use super::{Answer, On};
use crate::supervisor::table::Phase;
use crate::supervisor::{Supervisor, pair};

impl Supervisor {
    pub(super) fn call_shutdown(&mut self, on: &On<'_>) -> Answer {
        let how = on.n.args[1] as i32;
        let Some(sock) = self.table.get(on.key) else {
            return Answer::Continue;
        };
        let (file, phase) = (sock.file, sock.phase);
        if phase != Phase::Open {
            let was_listening = matches!(phase, Phase::Listening { .. });
            let result = self.stack.shutdown(file, how);
            if phase == Phase::Fresh && matches!(how, libc::SHUT_RD | libc::SHUT_RDWR) {
                // It fails, but the end for reading stays, and polls (measured, 6.18).
                let _ = rustix::net::shutdown(on.a, Shutdown::Read);
            }
            if was_listening && !self.stack.is_listening(file) {
                self.stopped_listening(on);
            }
            return result.into();
        }
        let (read, write) = match how {
            libc::SHUT_RD => (true, false),
            libc::SHUT_WR => (false, true),
            libc::SHUT_RDWR => (true, true),
            _ => return Answer::Errno(libc::EINVAL),
        };
        if !self.stack.is_connected(file) {
            // The stack knows which errno.
            return self.stack.shutdown(file, how).into();
        }
        if write {
            self.shutdown_write(on);
        }
        if read {
            // A reads what has arrived, then its end, for ever.
            let _ = self.stack.shutdown(file, libc::SHUT_RD);
            if let Some(sock) = self.table.get_mut(on.key)
                && let Some(b) = sock.b.as_ref().filter(|_| !sock.fin_delivered)
            {
                let _ = rustix::net::shutdown(b, Shutdown::Write);
                sock.fin_delivered = true;
            }
        }
        Answer::Value(0)
    }

    /// The FIN follows the program's last byte, which may still be in the pipe. After it nothing can
    /// be put into B's queue, so the byte that a later reset needs goes there now.
    fn shutdown_write(&mut self, on: &On<'_>) {
        let Some(sock) = self.table.get_mut(on.key).filter(|s| !s.program_fin) else {
            return;
        };
        sock.sentinel = pair::leave_unread(on.a.as_fd());
        sock.program_fin = true;
        let _ = rustix::net::shutdown(on.a, Shutdown::Write);
        sock.ready.fd_in = true;
        self.run_flow(on.key);
        self.pump(on.key);
    }

    /// LISTEN is over by shutdown: A polls as an unconnected socket again.
    fn stopped_listening(&mut self, on: &On<'_>) {
        while pair::pop_token(on.a.as_fd()) {}
        if let Some(sock) = self.table.get_mut(on.key) {
            sock.phase = Phase::Fresh;
            if let Some(b) = sock.b.as_ref() {
                pair::drain(b.as_fd());
            }
        }
        pair::widen(on.a.as_fd());
    }
}
