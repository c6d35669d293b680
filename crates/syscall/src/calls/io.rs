//! recv(2) and send(2) on connected sockets: `tcp_recvmsg` and `tcp_sendmsg` (6.18).

use crate::blocked::{Op, Outcome};
use crate::errno::ToErrno;
use crate::file::{FileId, Kind};
use crate::machine::Machine;
use crate::options::Timeout;
use crate::socket::{Socket, Tcp};
use alloc::vec;
use alloc::vec::Vec;
use hearken_abi::Errno;
use hearken_abi::sock::{
    MSG_DONTWAIT, MSG_ERRQUEUE, MSG_FASTOPEN, MSG_MORE, MSG_OOB, MSG_PEEK, MSG_TRUNC, MSG_WAITALL,
};
use hearken_inet::{Cred, Instant, Ready, RecvError, SendError};

/// One try to read.
enum Read {
    Bytes(usize),
    End,
    Wait,
}

/// Copies what there is of `from` into `to`; with `discard` (MSG_TRUNC on a stream) it only counts.
fn copy(from: &[&[u8]], to: &mut [u8], discard: bool) -> usize {
    let mut n = 0;
    for piece in from {
        let take = piece.len().min(to.len() - n);
        if !discard {
            to[n..n + take].copy_from_slice(&piece[..take]);
        }
        n += take;
    }
    n
}

fn fill(to: &mut [&mut [u8]], from: &[u8]) -> usize {
    let mut n = 0;
    for piece in to {
        let take = piece.len().min(from.len() - n);
        piece[..take].copy_from_slice(&from[n..n + take]);
        n += take;
    }
    n
}

impl Machine {
    /// recv(2). `MSG_PEEK`, `MSG_DONTWAIT`, `MSG_WAITALL` and `MSG_TRUNC` (discard) are obeyed. A call that waits
    /// returns its bytes as [`crate::Reply::Received`]; those that were in `buf` already are in it, too.
    pub fn recv(
        &mut self,
        now: Instant,
        file: FileId,
        buf: &mut [u8],
        flags: i32,
    ) -> Outcome<usize> {
        let t = match self.recv_checks(file, flags) {
            Ok(t) => t,
            Err(e) => return Outcome::Done(Err(e)),
        };
        if flags & MSG_OOB != 0 {
            return Outcome::Done(self.recv_urgent(t, buf, flags));
        }
        let mut n = 0;
        let target = self.target(file, flags, buf.len());
        match self.recv_some(now, t, buf, &mut n, target, flags) {
            Err(e) => return Outcome::Done(Err(e)),
            Ok(true) => return Outcome::Done(Ok(n)),
            Ok(false) => {}
        }
        match self.may_wait(file, flags, |o| o.rcv_timeout) {
            None if n > 0 => Outcome::Done(Ok(n)),
            None => Outcome::Done(Err(Errno::EAGAIN)),
            Some(timeout) => {
                let op = Op::Recv {
                    got: buf[..n].to_vec(),
                    len: buf.len(),
                    flags,
                };
                self.block(file, op, timeout.map(|d| now + d))
            }
        }
    }

    fn recv_checks(&self, file: FileId, flags: i32) -> Result<Tcp, Errno> {
        let Socket::Tcp(t) = self.socket_of(file)? else {
            // No datagram ever arrives yet.
            return Err(Errno::EAGAIN);
        };
        if flags & MSG_ERRQUEUE != 0 {
            return Err(Errno::EAGAIN);
        }
        Ok(t)
    }

    /// How many bytes end the call (`sock_rcvlowat`): with `MSG_WAITALL` all, else SO_RCVLOWAT. A peek is over at once: the
    /// bytes that it would wait for are behind those that it leaves where they are.
    fn target(&self, file: FileId, flags: i32, len: usize) -> usize {
        let lowat = match self.open(file).map(|f| &f.kind) {
            Ok(Kind::Tcp(t)) => usize::try_from(t.options.rcv_lowat).unwrap_or(1),
            Ok(Kind::Other(_) | Kind::Epoll(_) | Kind::NotSocket | Kind::Path) | Err(_) => 1,
        };
        match flags {
            _ if flags & MSG_PEEK != 0 => 1,
            _ if flags & MSG_WAITALL != 0 => len,
            _ => lowat.min(len),
        }
    }

    /// Reads on from `*n`. `true` when the call is over with `*n` bytes, `false` when it should wait.
    fn recv_some(
        &mut self,
        now: Instant,
        t: Tcp,
        buf: &mut [u8],
        n: &mut usize,
        target: usize,
        flags: i32,
    ) -> Result<bool, Errno> {
        loop {
            // What was read already is returned before an error is: the error waits for the next call.
            if *n > 0 && self.net(t.net).readiness(t.socket).has(Ready::ERR) {
                return Ok(true);
            }
            // A read ends before the urgent byte, and the next one begins behind it.
            if self.net(t.net).at_mark(t.socket) {
                if *n > 0 {
                    return Ok(true);
                }
                if flags & MSG_PEEK == 0 {
                    self.net_mut(t.net).drop_lone_urgent(now, t.socket);
                }
            }
            match self.recv_once(now, t, &mut buf[*n..], flags) {
                Ok(Read::Bytes(more)) => {
                    *n += more;
                    if *n >= target || *n == buf.len() {
                        return Ok(true);
                    }
                }
                Ok(Read::End) => return Ok(true),
                Ok(Read::Wait) => return Ok(false),
                Err(e) => return Err(e),
            }
        }
    }

    fn recv_once(
        &mut self,
        now: Instant,
        t: Tcp,
        buf: &mut [u8],
        flags: i32,
    ) -> Result<Read, Errno> {
        let discard = flags & MSG_TRUNC != 0;
        let peek = flags & MSG_PEEK != 0;
        let result = self.net_mut(t.net).recv_with(now, t.socket, |pieces| {
            if pieces.is_empty() {
                return (0, Read::End);
            }
            let n = copy(pieces, buf, discard && !peek);
            (if peek { 0 } else { n }, Read::Bytes(n))
        });
        match result {
            Ok(read) => Ok(read),
            Err(RecvError::WouldBlock) => Ok(Read::Wait),
            Err(e) => Err(e.errno()),
        }
    }

    pub(crate) fn continue_recv(
        &mut self,
        now: Instant,
        file: FileId,
        got: &mut Vec<u8>,
        len: usize,
        flags: i32,
    ) -> Option<Result<Vec<u8>, Errno>> {
        let t = match self.stream_of(file) {
            Ok(t) => t,
            Err(e) => return Some(Err(e)),
        };
        // Room for what there is, not for what was asked: a program may ask for a gigabyte.
        let there = self.net(t.net).readable(t.socket);
        let mut n = got.len();
        let wanted = len.min(n.saturating_add(there));
        let target = self.target(file, flags, len);
        let mut buf = core::mem::take(got);
        buf.resize(wanted, 0);
        let over = self.recv_some(now, t, &mut buf, &mut n, target, flags);
        buf.truncate(n);
        match over {
            Err(e) => Some(Err(e)),
            // Less than was asked for: only the end of the stream or an error ends it.
            Ok(true) if n < target && !self.at_end(t) && !self.net(t.net).at_mark(t.socket) => {
                *got = buf;
                None
            }
            Ok(true) => Some(Ok(buf)),
            Ok(false) => {
                *got = buf;
                None
            }
        }
    }

    fn at_end(&self, t: Tcp) -> bool {
        let ready = self.net(t.net).readiness(t.socket);
        ready.has(Ready::RDHUP) || ready.has(Ready::ERR)
    }

    /// send(2). A blocking call goes on until all is written; what a timeout or a signal leaves over is told by the
    /// count. EPIPE comes without SIGPIPE: whoever owns the thread raises it, unless `MSG_NOSIGNAL` is set.
    pub fn send(&mut self, now: Instant, file: FileId, data: &[u8], flags: i32) -> Outcome<usize> {
        if flags & MSG_FASTOPEN != 0 {
            return self.send_fast(now, file, &Cred::ROOT, data, flags, &[]);
        }
        let t = match self.socket_of(file) {
            Ok(Socket::Tcp(t)) => t,
            Ok(Socket::Other) if flags & MSG_OOB != 0 => {
                return Outcome::Done(Err(Errno::EOPNOTSUPP));
            }
            Ok(Socket::Other) => return Outcome::Done(Err(Errno::EDESTADDRREQ)),
            Err(e) => return Outcome::Done(Err(e)),
        };
        self.send_from(now, file, t, data, 0, flags)
    }

    /// Writes `data` from byte `done` on, and waits if the call may.
    pub(crate) fn send_from(
        &mut self,
        now: Instant,
        file: FileId,
        t: Tcp,
        data: &[u8],
        done: usize,
        flags: i32,
    ) -> Outcome<usize> {
        let mut done = done;
        self.begin_stamps(file, flags);
        let before = done;
        let tried = self.send_some(now, t, data, &mut done, flags);
        let waits = self.may_wait(file, flags, |o| o.snd_timeout);
        let over = tried != Ok(false) || waits.is_none();
        self.note_written(file, done - before, over);
        match tried {
            Err(e) => return Outcome::Done(Err(e)),
            Ok(true) => return Outcome::Done(Ok(done)),
            Ok(false) => {}
        }
        match waits {
            None if done > 0 => Outcome::Done(Ok(done)),
            None => Outcome::Done(Err(Errno::EAGAIN)),
            Some(timeout) => {
                let op = Op::Send {
                    data: data.to_vec(),
                    done,
                    flags,
                };
                self.block(file, op, timeout.map(|d| now + d))
            }
        }
    }

    /// Writes on from `*done`. `true` when the call is over, `false` when it should wait.
    fn send_some(
        &mut self,
        now: Instant,
        t: Tcp,
        data: &[u8],
        done: &mut usize,
        flags: i32,
    ) -> Result<bool, Errno> {
        loop {
            // What was written already is returned before an error is (tcp_sendmsg_locked, do_error).
            if *done > 0 && self.net(t.net).readiness(t.socket).has(Ready::ERR) {
                return Ok(true);
            }
            let rest = &data[*done..];
            if flags & MSG_MORE != 0 {
                self.net_mut(t.net).more_follows(now, t.socket, rest.len());
            }
            let result = self
                .net_mut(t.net)
                .send_up_to(now, t.socket, rest.len(), |room| {
                    let n = fill(room, rest);
                    (n, n)
                });
            match result {
                Ok(n) => {
                    *done += n;
                    if n > 0 && flags & MSG_OOB != 0 {
                        self.net_mut(t.net).mark_urgent(now, t.socket);
                    }
                    if *done == data.len() {
                        return Ok(true);
                    }
                    if n == 0 {
                        return Ok(false);
                    }
                }
                Err(SendError::WouldBlock) => return Ok(false),
                Err(SendError::Pipe) if *done > 0 => return Ok(true),
                Err(e) => return Err(e.errno()),
            }
        }
    }

    pub(crate) fn continue_send(
        &mut self,
        now: Instant,
        file: FileId,
        data: &[u8],
        done: &mut usize,
        flags: i32,
    ) -> Option<Result<usize, Errno>> {
        let t = match self.stream_of(file) {
            Ok(t) => t,
            Err(e) => return Some(Err(e)),
        };
        let before = *done;
        let tried = self.send_some(now, t, data, done, flags);
        self.note_written(file, *done - before, tried != Ok(false));
        match tried {
            Ok(true) => Some(Ok(*done)),
            Ok(false) => None,
            Err(e) => Some(Err(e)),
        }
    }

    /// `None` when the call must not wait; else how long it may, `Some(None)` being without end.
    pub(crate) fn may_wait(
        &self,
        file: FileId,
        flags: i32,
        timeout: impl FnOnce(&crate::options::Options) -> Timeout,
    ) -> Option<Option<core::time::Duration>> {
        let open = self.open(file).ok()?;
        let Kind::Tcp(t) = &open.kind else {
            return None;
        };
        if open.nonblocking || flags & MSG_DONTWAIT != 0 {
            return None;
        }
        match timeout(&t.options) {
            Timeout::Never => Some(None),
            Timeout::After(d) if d.is_zero() => None,
            Timeout::After(d) => Some(Some(d)),
        }
    }

    /// Shows the unread bytes to `f`, which says how many it took. Zero slices are the end of the stream.
    ///
    /// # Errors
    /// As recv(2) with `MSG_DONTWAIT`.
    pub fn recv_with<R>(
        &mut self,
        now: Instant,
        file: FileId,
        f: impl FnOnce(&[&[u8]]) -> (usize, R),
    ) -> Result<R, Errno> {
        let Socket::Tcp(t) = self.socket_of(file)? else {
            return Err(Errno::EAGAIN);
        };
        self.net_mut(t.net)
            .recv_with(now, t.socket, f)
            .map_err(|e| e.errno())
    }

    /// Lets `f` write at most `most` bytes into the send buffer; it says how many it wrote.
    ///
    /// # Errors
    /// As send(2) with `MSG_DONTWAIT`.
    pub fn send_with<R>(
        &mut self,
        now: Instant,
        file: FileId,
        most: usize,
        f: impl FnOnce(&mut [&mut [u8]]) -> (usize, R),
    ) -> Result<R, Errno> {
        let Socket::Tcp(t) = self.socket_of(file)? else {
            return Err(Errno::EDESTADDRREQ);
        };
        self.net_mut(t.net)
            .send_up_to(now, t.socket, most, f)
            .map_err(|e| e.errno())
    }

    /// recv(2) without waiting, into a new vector of at most `len` bytes.
    ///
    /// # Errors
    /// As recv(2) with `MSG_DONTWAIT`.
    pub fn recv_vec(&mut self, now: Instant, file: FileId, len: usize) -> Result<Vec<u8>, Errno> {
        let mut buf = vec![0; len];
        let n = self.recv(now, file, &mut buf, MSG_DONTWAIT).done()?;
        buf.truncate(n);
        Ok(buf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copy_stops_at_the_shorter_side() {
        let mut to = [0; 4];
        assert_eq!(copy(&[b"ab", b"", b"cdef"], &mut to, false), 4);
        assert_eq!(&to, b"abcd");
        let mut to = [9; 4];
        assert_eq!(copy(&[b"ab"], &mut to, false), 2);
        assert_eq!(to, [b'a', b'b', 9, 9]);
        assert_eq!(copy(&[b"abc"], &mut [], false), 0);
    }

    #[test]
    fn copy_discarding_counts_and_leaves_the_buffer_alone() {
        let mut to = [9; 3];
        assert_eq!(copy(&[b"ab", b"cd"], &mut to, true), 3);
        assert_eq!(to, [9; 3]);
    }

    #[test]
    fn fill_spreads_over_the_pieces() {
        let (mut a, mut b) = ([0; 2], [0; 3]);
        assert_eq!(fill(&mut [&mut a, &mut b], b"abcd"), 4);
        assert_eq!((&a, &b), (b"ab", &[b'c', b'd', 0]));
        assert_eq!(fill(&mut [], b"x"), 0);
    }
}
