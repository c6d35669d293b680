//! bind(2) and listen(2).

use std::io::{Read, Seek, SeekFrom};
use std::os::fd::AsFd;

use super::{Answer, On};
use crate::supervisor::table::Phase;
use crate::supervisor::{Supervisor, pair};

impl Supervisor {
    pub(super) fn call_bind(&mut self, on: &On<'_>) -> Answer {
        let addr = match self.read_sockaddr(on.n, on.n.args[1], on.n.args[2]) {
            Ok(addr) => addr,
            Err(answer) => return answer,
        };
        let Some(file) = self.table.get(on.key).map(|s| s.file) else {
            return Answer::Continue;
        };
        let cred = self.cred_to_bind(on.n.pid, &addr);
        let mut result = self.stack.bind(file, &cred, &addr);
        if result == Err(libc::EADDRINUSE) && self.sweep() {
            result = self.stack.bind(file, &cred, &addr);
        }
        result.into()
    }

    pub(super) fn call_listen(&mut self, on: &On<'_>) -> Answer {
        let Some(sock) = self.table.get(on.key) else {
            return Answer::Continue;
        };
        let (file, phase) = (sock.file, sock.phase);
        self.read_somaxconn();
        let backlog = on.n.args[1] as i32;
        let mut result = self.stack.listen(on.n.args[0] as i32, file, backlog);
        if result == Err(libc::EADDRINUSE) && self.sweep() {
            result = self.stack.listen(on.n.args[0] as i32, file, backlog);
        }
        // A repeated listen only moves the limit.
        if result.is_ok() && !matches!(phase, Phase::Listening { .. }) {
            // A listener never polls writable.
            if let Err(e) = self.join(on) {
                return Answer::Errno(e);
            }
            let _ = pair::fill(on.a.as_fd());
            if let Some(sock) = self.table.get_mut(on.key) {
                sock.phase = Phase::Listening { tokens: 0 };
            }
            self.stack.watch(file);
        }
        result.into()
    }

    /// The program, or `sysctl -w` beside it, may have changed the namespace's own file; the kernel
    /// has checked the value.
    fn read_somaxconn(&mut self) {
        let Some(file) = self.somaxconn.as_mut() else {
            return;
        };
        let mut text = String::new();
        if file.seek(SeekFrom::Start(0)).is_ok() && file.read_to_string(&mut text).is_ok() {
            self.stack.set_somaxconn(text.trim());
        }
    }

    /// Makes the bytes in A's queue stand for the connections that wait: one edge for each arrival.
    pub(crate) fn sync_tokens(&mut self, key: crate::supervisor::slab::Key) {
        let Some(sock) = self.table.get(key) else {
            return;
        };
        let Phase::Listening { tokens: had } = sock.phase else {
            return;
        };
        let queued = self.stack.queued(sock.file);
        let mut tokens = had;
        let Some(b) = sock.b.as_ref() else { return };
        while tokens < queued && pair::push_token(b.as_fd()) {
            tokens += 1;
        }
        if tokens == had && tokens < queued {
            // The pipe is full: take one out and put one in, which is an edge all the same.
            if let Some(a) = self.reach(key) {
                let b = self.table.get(key).and_then(|s| s.b.as_ref());
                if let Some(b) = b.filter(|_| pair::pop_token(a.as_fd())) {
                    pair::push_token(b.as_fd());
                }
            }
        } else if tokens > queued
            && let Some(a) = self.reach(key)
        {
            while tokens > queued && pair::pop_token(a.as_fd()) {
                tokens -= 1;
            }
        }
        if let Some(sock) = self.table.get_mut(key) {
            sock.phase = Phase::Listening { tokens };
        }
    }
}
