//! pipe(2), splice(2), sendfile(2) and open(2) on our machine: the socket side is ours, the rest a buffer.

use std::cell::RefCell;
use std::rc::Rc;

use hearken_abi::Errno;
use hearken_syscall::Outcome;

use super::OursSystem;
use super::calls::Then;
use crate::Fd;
use crate::system::plain::Plain;
use crate::system::{Output, Return};

impl OursSystem {
    pub(super) fn plain_of(&self, fd: Fd) -> Option<Plain> {
        self.plain.get(&self.file(fd).ok()?).cloned()
    }

    fn install_plain(&mut self, plain: Plain) -> Result<Fd, Errno> {
        let file = self.machine.open_not_socket(&self.process.cred);
        let fd = self.process.install(&mut self.machine, self.now, file)?;
        self.plain.insert(file, plain);
        Ok(fd)
    }

    pub(super) fn pipe(&mut self, _flags: i32) -> Outcome<Return> {
        let [read, write] = Plain::pipe();
        let pair = self
            .install_plain(read)
            .and_then(|read| Ok([read, self.install_plain(write)?]));
        Outcome::Done(Ok(Return::with(pair, |pair| (0, Output::Pair(pair)))))
    }

    pub(super) fn open(&mut self, path: &str) -> Outcome<Return> {
        let opened = match std::fs::read(path) {
            Ok(bytes) => self.install_plain(Plain::File(Rc::new(RefCell::new((bytes, 0))))),
            Err(error) => Err(Errno(error.raw_os_error().unwrap_or(libc::EIO))),
        };
        Outcome::Done(Ok(Return::plain(opened.map(i64::from))))
    }

    pub(super) fn splice_then(&self, from: Fd, to: Fd) -> Then {
        match (self.plain_of(from), self.plain_of(to)) {
            (None, Some(to)) => Then::Into(to),
            (Some(from), None) => Then::From(from, None),
            _ => Then::Number,
        }
    }

    pub(super) fn splice(
        &mut self,
        from: Fd,
        to: Fd,
        len: usize,
        flags: u32,
        then: &Then,
    ) -> Result<Outcome<Return>, String> {
        let wait = if flags & libc::SPLICE_F_NONBLOCK != 0 {
            libc::MSG_DONTWAIT
        } else {
            0
        };
        match (self.plain_of(from), self.plain_of(to)) {
            (None, Some(pipe)) => {
                let len = len.min(pipe.room());
                Ok(self.recv_into(from, len, wait, then))
            }
            (Some(pipe), None) => {
                let Some(data) = pipe.peek(len, None) else {
                    return Ok(Outcome::Done(Err(Errno::EBADF)));
                };
                if data.is_empty() {
                    return Ok(Outcome::Done(Err(Errno::EAGAIN)));
                }
                Ok(self.send(to, &data, wait, then))
            }
            // do_splice (6.18): neither end is a pipe.
            (None, None) => Ok(Outcome::Done(Err(Errno::EINVAL))),
            (Some(_), Some(_)) => Err("splice() between two files is not there".to_owned()),
        }
    }

    pub(super) fn sendfile(
        &mut self,
        to: Fd,
        from: Fd,
        offset: Option<i64>,
        count: usize,
        then: &Then,
    ) -> Result<Outcome<Return>, String> {
        let Some(file @ Plain::File(_)) = self.plain_of(from) else {
            return Err("sendfile() from anything but a regular file is not there".to_owned());
        };
        let at = offset.and_then(|offset| usize::try_from(offset).ok());
        match file.peek(count, at) {
            Some(data) if data.is_empty() => Ok(Outcome::Done(Ok(Return::plain(Ok(0))))),
            Some(data) => Ok(self.send(to, &data, 0, then)),
            None => Ok(Outcome::Done(Err(Errno::EBADF))),
        }
    }
}
