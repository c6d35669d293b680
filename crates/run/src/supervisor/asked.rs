//! The answering side of the control socket.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::net::UnixStream;

use rustix::event::epoll::{self, EventFlags};

use super::slab::Key;
use super::{Source, Supervisor};
use crate::control::{Answer, Get, Published, Request, Row, Sysctl};

/// A request is shorter; who sends more is not answered. The longest is a list of reserved ports.
const LONGEST_REQUEST: usize = 1 << 16;
/// Bytes that are read at a time.
const PIECE: usize = 4096;
/// Askers at a time.
const ASKERS: usize = 16;

/// Somebody who asks.
pub(super) struct Asker {
    stream: UnixStream,
    request: Vec<u8>,
    answer: Vec<u8>,
    sent: usize,
}

impl Supervisor {
    /// Somebody connected to the control socket.
    pub(super) fn on_control(&mut self) {
        let Some(stream) = self.control.as_ref().and_then(|c| c.accept()) else {
            return;
        };
        if self.askers.len() >= ASKERS {
            return;
        }
        let asker = Asker {
            stream,
            request: Vec::new(),
            answer: Vec::new(),
            sent: 0,
        };
        let key = self.askers.insert(asker);
        let flags = EventFlags::IN | EventFlags::RDHUP;
        let watched = self.askers.get(key).is_some_and(|a| {
            epoll::add(&self.epoll, &a.stream, Source::Asker(key).data(), flags).is_ok()
        });
        if !watched {
            self.askers.remove(key);
        }
    }

    /// It sent something, or takes something.
    pub(super) fn on_asker(&mut self, key: Key) {
        if !self.serve(key) {
            self.askers.remove(key);
        }
    }

    /// False when it is done with.
    fn serve(&mut self, key: Key) -> bool {
        let Some(asker) = self.askers.get_mut(key) else {
            return false;
        };
        if asker.answer.is_empty() {
            let mut buf = [0u8; PIECE];
            match asker.stream.read(&mut buf) {
                Ok(0) => return false,
                Ok(n) => asker.request.extend_from_slice(&buf[..n]),
                Err(e) => return e.kind() == ErrorKind::WouldBlock,
            }
            let Some(end) = asker.request.iter().position(|b| *b == b'\n') else {
                return asker.request.len() < LONGEST_REQUEST;
            };
            let Ok(request) = serde_json::from_slice::<Request>(&asker.request[..end]) else {
                return false;
            };
            if let Request::Trace(_) | Request::Capture(_) = request {
                if let Some(asker) = self.askers.remove(key) {
                    self.follow(asker.stream, &request);
                }
                return false;
            }
            let mut answer = serde_json::to_vec(&self.answer_to(&request)).unwrap_or_default();
            answer.push(b'\n');
            let Some(asker) = self.askers.get_mut(key) else {
                return false;
            };
            asker.answer = answer;
            // The rest goes as it is taken.
            let data = Source::Asker(key).data();
            if epoll::modify(&self.epoll, &asker.stream, data, EventFlags::OUT).is_err() {
                return false;
            }
        }
        let Some(asker) = self.askers.get_mut(key) else {
            return false;
        };
        while asker.sent < asker.answer.len() {
            match asker.stream.write(&asker.answer[asker.sent..]) {
                Ok(0) => return false,
                Ok(n) => asker.sent += n,
                Err(e) => return e.kind() == ErrorKind::WouldBlock,
            }
        }
        false
    }

    fn answer_to(&mut self, request: &Request) -> Answer {
        let mut answer = Answer {
            pid: std::process::id(),
            ..Answer::default()
        };
        match request {
            Request::Get(Get::Nstat) => answer.counters = self.stack.counters(),
            Request::Get(Get::Top) => self.top(&mut answer),
            Request::Get(get) => {
                answer.sockets = self.rows(*get == Get::SsInfo);
                answer.published = self
                    .host
                    .published
                    .iter()
                    .map(|p| Published {
                        host: p.host.to_string(),
                        port: p.port,
                    })
                    .collect();
            }
            Request::Sysctl(Sysctl { write, read }) => {
                match self
                    .set_sysctls(write)
                    .and_then(|()| self.stack.sysctls(read))
                {
                    Ok(values) => answer.sysctls = values,
                    Err(error) => answer.error = Some(error),
                }
            }
            // Whoever asks for these stays: `follow.rs`.
            Request::Trace(_) | Request::Capture(_) => {}
        }
        answer
    }

    /// The sockets, each with the program's descriptor and process as far as they are known.
    fn rows(&mut self, info: bool) -> Vec<Row> {
        let mut owners = HashMap::new();
        for (_, sock) in self.table.iter() {
            if let Some(socket) = self.stack.socket_of(sock.file) {
                let inode = if sock.closed { 0 } else { sock.inode };
                owners.insert(socket, (sock.owner, inode, self.stack.cookie(sock.file)));
            }
        }
        let mut rows = Vec::new();
        let mut named = HashMap::new();
        if info {
            for (_, sock) in self.table.iter() {
                if let Some(socket) = self.stack.socket_of(sock.file) {
                    named.insert(socket, self.stack.congestion(sock.file));
                }
            }
        }
        for (mut row, socket) in self.stack.sockets(info) {
            if let Some(&(tid, inode, cookie)) = socket.and_then(|s| owners.get(&s)) {
                (row.inode, row.cookie) = (inode, cookie);
                row = self.named(row, tid);
            }
            row.congestion = socket.and_then(|s| named.remove(&s)).flatten();
            rows.push(row);
        }
        rows
    }

    /// Sets them in the stack, and the one that the program's own namespace is read for there too:
    /// each `listen` takes it from that file.
    fn set_sysctls(&mut self, values: &[(String, String)]) -> Result<(), String> {
        self.stack.set_sysctls(values)?;
        let somaxconn = values.iter().rfind(|(n, _)| n == "net.core.somaxconn");
        if let Some((_, value)) = somaxconn
            && let Some(file) = self.somaxconn.as_mut()
        {
            file.rewind()
                .and_then(|()| file.write_all(value.as_bytes()))
                .map_err(|e| format!("net.core.somaxconn in the program's namespace: {e}"))?;
        }
        Ok(())
    }

    /// Adds the process, as far as it is still there.
    pub(super) fn named(&self, mut row: Row, tid: u32) -> Row {
        row.pid = crate::sys::remote::process_of(tid).ok();
        let comm = row
            .pid
            .and_then(|pid| std::fs::read_to_string(format!("/proc/{pid}/comm")).ok());
        row.cmd = comm.map(|c| c.trim_end().to_owned());
        row
    }
}
