//! Each call of a script on our machine.

use core::net::SocketAddr;
use core::time::Duration;

use hearken_abi::Errno;
use hearken_syscall::{EpollEvent, EpollOp, Outcome, ProcessReply, Reply};

use super::{OursSystem, State};
use crate::Fd;
use crate::system::plain::Plain;
use crate::system::{Call, Output, Return};

/// What becomes of a call's reply.
#[derive(Clone, Debug)]
pub(super) enum Then {
    /// The number alone.
    Number,
    /// The bytes go to the caller.
    Data,
    /// The same, as recvmsg hands them out.
    Message { fd: Fd, control: usize },
    /// The bytes go into a pipe.
    Into(Plain),
    /// As many bytes as were sent leave this file, unless they came from an offset of the caller's.
    From(Plain, Option<i64>),
}

fn done(result: Result<i64, Errno>) -> Outcome<Return> {
    Outcome::Done(Ok(Return::plain(result)))
}

fn unit(result: Result<(), Errno>) -> Outcome<Return> {
    done(result.map(|()| 0))
}

impl OursSystem {
    /// What a call returns that got this reply.
    pub(super) fn reply(&mut self, then: Then, result: Result<ProcessReply, Errno>) -> Return {
        let reply = match result {
            Ok(reply) => reply,
            Err(errno) => return Return::plain(Err(errno)),
        };
        match (reply, then) {
            (ProcessReply::Accepted(fd, peer), _) => accepted(fd, peer),
            (ProcessReply::Other(Reply::Connected), _) => Return::plain(Ok(0)),
            (ProcessReply::Other(Reply::Received(data)), then) => self.received(then, data),
            (ProcessReply::Other(Reply::Sent(len)), then) => sent(then, len),
            (ProcessReply::Other(Reply::Events(events)), _) => epoll_events(&events),
            (ProcessReply::Other(Reply::Accepted(_)), _) => Return::plain(Err(Errno::EBADF)),
        }
    }

    pub(super) fn received(&mut self, then: Then, data: Vec<u8>) -> Return {
        let len = data.len() as i64;
        let output = match then {
            Then::Into(pipe) => {
                pipe.write(&data);
                Output::None
            }
            Then::Message { fd, control } => {
                let (control, truncated) = self.control(fd, control);
                Output::Message {
                    data,
                    control,
                    flags: if truncated { libc::MSG_CTRUNC } else { 0 },
                }
            }
            Then::Number | Then::Data | Then::From(..) => Output::Bytes(data),
        };
        Return {
            result: Ok(len),
            output,
        }
    }

    /// The control messages of a recvmsg with room for `cap` bytes: TCP_CM_INQ, if the socket asks for it.
    fn control(&mut self, fd: Fd, cap: usize) -> (Vec<u8>, bool) {
        let asked = self.file(fd).and_then(|file| {
            let on =
                self.machine
                    .getsockopt(self.now, file, libc::IPPROTO_TCP, libc::TCP_INQ, 4)?;
            Ok((file, on == [1, 0, 0, 0]))
        });
        let Ok((file, true)) = asked else {
            return (Vec::new(), false);
        };
        let inq = self.machine.ioctl_inq(file).unwrap_or(0);
        let mut out = Vec::new();
        out.extend(20u64.to_ne_bytes());
        out.extend(libc::IPPROTO_TCP.to_ne_bytes());
        out.extend(libc::TCP_INQ.to_ne_bytes());
        out.extend(inq.to_ne_bytes());
        // put_cmsg (6.18): what has no room for the header is left out, and MSG_CTRUNC set.
        if cap < 16 {
            return (Vec::new(), true);
        }
        let truncated = cap < out.len();
        out.truncate(cap);
        (out, truncated)
    }

    /// Makes the call, as far as it goes now.
    pub(super) fn begin(&mut self, call: Call) -> Result<State, String> {
        if let Call::Poll { fds, timeout } = call {
            let until = u64::try_from(timeout).ok();
            let until = until.map(|ms| self.now + Duration::from_millis(ms));
            return Ok(State::Polls { fds, until });
        }
        let then = self.then(&call)?;
        Ok(match self.make(call, &then)? {
            Outcome::Done(result) => {
                let returned = result.unwrap_or_else(|errno| Return::plain(Err(errno)));
                State::Over(self.now, returned)
            }
            Outcome::Blocked(blocked) => State::Waits(blocked.ticket, then),
        })
    }

    fn then(&self, call: &Call) -> Result<Then, String> {
        Ok(match call {
            Call::Read { .. } | Call::Recv { .. } => Then::Data,
            Call::Recvmsg { fd, control, .. } => Then::Message {
                fd: *fd,
                control: *control,
            },
            Call::Splice { from, to, .. } => self.splice_then(*from, *to),
            Call::Sendfile { from, offset, .. } => match self.plain_of(*from) {
                Some(file) => Then::From(file, *offset),
                None => Then::Number,
            },
            _ => Then::Number,
        })
    }

    fn recv(&mut self, fd: Fd, cap: usize, flags: i32, then: &Then) -> Outcome<Return> {
        let mut data = vec![0; cap];
        let outcome = self
            .process
            .recv(&mut self.machine, self.now, fd, &mut data, flags);
        match outcome {
            Outcome::Done(Ok(len)) => {
                data.truncate(len);
                Outcome::Done(Ok(self.received(then.clone(), data)))
            }
            Outcome::Done(Err(errno)) => done(Err(errno)),
            Outcome::Blocked(blocked) => Outcome::Blocked(blocked),
        }
    }

    /// recvmsg of the error queue, with room for so many bytes of data and of control messages.
    fn recv_error(&mut self, fd: Fd, cap: usize, room: usize) -> Outcome<Return> {
        self.socket_call(fd, |s, file| {
            let mut message = s.machine.recv_error(file, cap)?;
            if message.control.len() > room {
                message.control.truncate(room);
                message.flags |= libc::MSG_CTRUNC;
            }
            Ok(Return {
                result: Ok(message.len as i64),
                output: Output::Message {
                    data: vec![0; message.len],
                    control: message.control,
                    flags: message.flags,
                },
            })
        })
    }

    pub(super) fn recv_into(
        &mut self,
        fd: Fd,
        cap: usize,
        flags: i32,
        then: &Then,
    ) -> Outcome<Return> {
        self.recv(fd, cap, flags, then)
    }

    pub(super) fn send(&mut self, fd: Fd, data: &[u8], flags: i32, then: &Then) -> Outcome<Return> {
        self.process
            .send(
                &mut self.machine,
                self.now,
                fd,
                data,
                flags | libc::MSG_NOSIGNAL,
            )
            .map(|len| sent(then.clone(), len))
    }

    fn make(&mut self, call: Call, then: &Then) -> Result<Outcome<Return>, String> {
        let now = self.now;
        let m = &mut self.machine;
        Ok(match call {
            Call::Socket {
                domain,
                ty,
                protocol,
            } => done(
                self.process
                    .socket(m, now, domain, ty, protocol)
                    .map(i64::from),
            ),
            Call::Bind { fd, addr } => unit(self.process.bind(m, now, fd, &addr)),
            Call::Listen { fd, backlog } => unit(self.process.listen(m, now, fd, backlog)),
            Call::Accept { fd, flags } => self
                .process
                .accept(m, now, fd, flags.unwrap_or(0))
                .map(|(fd, peer)| accepted(fd, peer)),
            Call::Connect { fd, addr } => self
                .process
                .connect(m, now, fd, &addr)
                .map(|()| Return::plain(Ok(0))),
            Call::Shutdown { fd, how } => unit(self.process.shutdown(m, now, fd, how)),
            Call::Close { fd } => unit(self.process.close(m, now, fd)),
            Call::Dup { fd } => done(self.process.dup(m, now, fd).map(i64::from)),
            Call::Dup2 { fd, to } => done(self.process.dup2(m, now, fd, to).map(i64::from)),
            Call::Getsockname { fd } => {
                self.socket_call(fd, |s, file| s.machine.getsockname(file).map(address))
            }
            Call::Getpeername { fd } => {
                self.socket_call(fd, |s, file| s.machine.getpeername(file).map(address))
            }
            Call::Getsockopt {
                fd,
                level,
                name,
                cap,
            } => self.socket_call(fd, |s, file| {
                let value = s.machine.getsockopt(now, file, level, name, cap as i32)?;
                Ok(Return {
                    result: Ok(0),
                    output: Output::Bytes(value),
                })
            }),
            Call::Setsockopt {
                fd,
                level,
                name,
                value,
            } => self.socket_call(fd, |s, file| {
                s.machine.setsockopt(now, file, level, name, &value)?;
                Ok(Return::plain(Ok(0)))
            }),
            Call::Read { fd, caps } => match self.plain_of(fd) {
                Some(plain) => read_plain(&plain, caps.iter().sum()),
                None => self.recv(fd, caps.iter().sum(), 0, then),
            },
            Call::Recv { fd, cap, flags } => self.recv(fd, cap, flags, then),
            Call::Recvmsg {
                fd,
                caps,
                control,
                flags,
            } if flags & libc::MSG_ERRQUEUE != 0 => self.recv_error(fd, caps.iter().sum(), control),
            Call::Recvmsg {
                fd, caps, flags, ..
            } => self.recv(fd, caps.iter().sum(), flags, then),
            Call::Write { fd, data } => match self.plain_of(fd) {
                Some(plain) => done(plain.write(&data.concat()).map_or(Err(Errno::EBADF), |n| {
                    if n == 0 {
                        Err(Errno::EAGAIN)
                    } else {
                        Ok(n as i64)
                    }
                })),
                None => self.send(fd, &data.concat(), 0, then),
            },
            Call::Send {
                fd,
                data,
                flags,
                addr,
            } => self.send_to(fd, &data, flags, addr.as_deref(), then)?,
            Call::Sendmsg {
                fd,
                data,
                addr,
                control,
                flags,
            } => {
                let asked = self.file(fd);
                let asked = asked.and_then(|file| self.machine.send_control(file, &control));
                if let Err(errno) = asked {
                    return Ok(done(Err(errno)));
                }
                self.send_to(fd, &data.concat(), flags, addr.as_deref(), then)?
            }
            Call::Fcntl { fd, command, arg } => self.fcntl(fd, command, arg)?,
            Call::Ioctl { fd, request, arg } => self.socket_call(fd, |s, file| {
                if request == libc::FIONBIO as u32 {
                    s.machine.set_nonblocking(file, arg != 0)?;
                    return Ok(Return::plain(Ok(0)));
                }
                let value = s.machine.ioctl(file, request)?;
                Ok(Return {
                    result: Ok(0),
                    output: Output::Int(value),
                })
            }),
            Call::EpollCreate => {
                let file = m.epoll_create(&self.process.cred);
                done(self.process.install(m, now, file).map(i64::from))
            }
            Call::EpollCtl {
                epoll,
                op,
                fd,
                events,
                data,
            } => {
                let event = EpollEvent { events, data };
                let op = match op {
                    libc::EPOLL_CTL_ADD => EpollOp::Add(event),
                    libc::EPOLL_CTL_MOD => EpollOp::Modify(event),
                    libc::EPOLL_CTL_DEL => EpollOp::Delete,
                    _ => return Ok(done(Err(Errno::EINVAL))),
                };
                unit(self.process.epoll_ctl(m, epoll, fd, op))
            }
            Call::EpollWait {
                epoll,
                max,
                timeout,
            } => self
                .process
                .epoll_wait(m, now, epoll, max, timeout)
                .map(|events| epoll_events(&events)),
            Call::Pipe { flags } => self.pipe(flags),
            Call::Splice {
                from,
                to,
                len,
                flags,
            } => self.splice(from, to, len, flags, then)?,
            Call::Sendfile {
                to,
                from,
                offset,
                count,
            } => self.sendfile(to, from, offset, count, then)?,
            Call::Open { path, .. } => self.open(&path),
            Call::Poll { .. } => return Err("poll() is no call of the machine".to_owned()),
        })
    }

    fn send_to(
        &mut self,
        fd: Fd,
        data: &[u8],
        flags: i32,
        addr: Option<&[u8]>,
        then: &Then,
    ) -> Result<Outcome<Return>, String> {
        let flags = flags | libc::MSG_NOSIGNAL;
        let (m, addr) = (&mut self.machine, addr.unwrap_or_default());
        let outcome = self.process.send_to(m, self.now, fd, data, flags, addr);
        Ok(outcome.map(|len| sent(then.clone(), len)))
    }

    /// A call on a descriptor's open file that does not wait.
    pub(super) fn socket_call(
        &mut self,
        fd: Fd,
        f: impl FnOnce(&mut Self, hearken_syscall::FileId) -> Result<Return, Errno>,
    ) -> Outcome<Return> {
        Outcome::Done(self.file(fd).and_then(|file| f(self, file)))
    }

    fn fcntl(&mut self, fd: Fd, command: i32, arg: i32) -> Result<Outcome<Return>, String> {
        let file = match self.file(fd) {
            Ok(file) => file,
            Err(errno) => return Ok(done(Err(errno))),
        };
        Ok(done(match command {
            libc::F_GETFL => self.machine.nonblocking(file).map(|nonblocking| {
                i64::from(libc::O_RDWR | if nonblocking { libc::O_NONBLOCK } else { 0 })
            }),
            libc::F_SETFL => self
                .machine
                .set_nonblocking(file, arg & libc::O_NONBLOCK != 0)
                .map(|()| 0),
            libc::F_GETFD => self.process.fds.cloexec(fd).map(i64::from),
            libc::F_SETFD => self
                .process
                .fds
                .set_cloexec(fd, arg & libc::FD_CLOEXEC != 0)
                .map(|()| 0),
            libc::F_DUPFD => self
                .process
                .dup(&mut self.machine, self.now, fd)
                .map(i64::from),
            other => return Err(format!("fcntl() command {other} is not there")),
        }))
    }
}

fn read_plain(plain: &Plain, cap: usize) -> Outcome<Return> {
    let Some(data) = plain.peek(cap, None) else {
        return done(Err(Errno::EBADF));
    };
    if data.is_empty() && matches!(plain, Plain::ReadEnd(_)) {
        return done(Err(Errno::EAGAIN));
    }
    plain.consume(data.len());
    Outcome::Done(Ok(Return {
        result: Ok(data.len() as i64),
        output: Output::Bytes(data),
    }))
}

fn accepted(fd: Fd, peer: SocketAddr) -> Return {
    Return {
        result: Ok(i64::from(fd)),
        output: Output::Address(crate::sockaddr(peer)),
    }
}

fn address(addr: SocketAddr) -> Return {
    Return {
        result: Ok(0),
        output: Output::Address(crate::sockaddr(addr)),
    }
}

fn sent(then: Then, len: usize) -> Return {
    let mut output = Output::None;
    if let Then::From(file, offset) = then {
        match offset {
            Some(offset) => output = Output::Offset(offset + len as i64),
            None => file.consume(len),
        }
    }
    Return {
        result: Ok(len as i64),
        output,
    }
}

fn epoll_events(events: &[EpollEvent]) -> Return {
    Return {
        result: Ok(events.len() as i64),
        output: Output::Events(events.iter().map(|e| (e.events, e.data)).collect()),
    }
}
