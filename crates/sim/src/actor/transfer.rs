//! One end of a connection that sends a known stream and expects another.

use super::{Actor, Cx};
use crate::pattern;
use hearken_inet::{
    ConnectError, Cred, Domain, Ready, RecvError, SendError, Shutdown, SoError, SocketId,
};
use hearken_tcp::Instant;
use std::net::SocketAddr;
use std::time::Duration;

/// How an end failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// connect(2) said so at once.
    Connect(ConnectError),
    /// The socket's error.
    Socket(SoError),
    /// EPIPE without an error.
    Pipe,
    /// The byte at this offset, or one in the same read, was not what was sent.
    Corrupt(u64),
    /// The stream ended here.
    Short(u64),
    /// More bytes came than were sent.
    Long,
}

/// Sends a stream and then a FIN, while it reads another up to its end.
pub struct Transfer {
    to: Option<SocketAddr>,
    socket: Option<SocketId>,
    sends: (u64, u64),
    expects: (u64, u64),
    sent: u64,
    got: u64,
    shut: bool,
    ended: bool,
    failure: Option<Failure>,
    began: Option<Instant>,
    done: Option<Instant>,
    /// Reads at most so many bytes, then pauses so long.
    pace: Option<(usize, Duration)>,
    asleep: bool,
}

impl Transfer {
    fn new(sends: (u64, u64), expects: (u64, u64)) -> Transfer {
        Transfer {
            to: None,
            socket: None,
            sends,
            expects,
            sent: 0,
            got: 0,
            shut: false,
            ended: false,
            failure: None,
            began: None,
            done: None,
            pace: None,
            asleep: false,
        }
    }

    /// Reads at most `bytes` at a time and pauses after each: the peer's window shuts.
    #[must_use]
    pub fn reading(mut self, bytes: usize, pause: Duration) -> Transfer {
        self.pace = Some((bytes.max(1), pause));
        self
    }

    /// A client: connects to `to`, sends `len` bytes of stream `seed`, and expects `expect` bytes of stream `their_seed`.
    #[must_use]
    pub fn to(to: SocketAddr, seed: u64, len: u64, their_seed: u64, expect: u64) -> Transfer {
        Transfer {
            to: Some(to),
            ..Transfer::new((seed, len), (their_seed, expect))
        }
    }

    /// The same on a connection that was accepted.
    #[must_use]
    pub fn on(socket: SocketId, seed: u64, len: u64, their_seed: u64, expect: u64) -> Transfer {
        Transfer {
            socket: Some(socket),
            ..Transfer::new((seed, len), (their_seed, expect))
        }
    }

    /// Whether it has ended, well or not.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.done.is_some()
    }
    /// What went wrong.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        self.failure
    }
    /// Whether all was sent, all that was expected came, and the peer ended its stream.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.done.is_some() && self.failure.is_none()
    }
    /// Bytes that the socket took.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent
    }
    /// Bytes that came, all of them right.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.got
    }
    /// Its socket.
    #[must_use]
    pub fn socket(&self) -> Option<SocketId> {
        self.socket
    }
    /// When it began and when it ended.
    #[must_use]
    pub fn times(&self) -> (Option<Instant>, Option<Instant>) {
        (self.began, self.done)
    }

    fn end(&mut self, cx: &mut Cx<'_>, failure: Option<Failure>) {
        self.failure = failure;
        self.done = Some(cx.now);
        if let Some(s) = self.socket {
            cx.net.close(cx.now, s);
        }
        cx.finish();
    }

    /// Sends what fits.
    fn write(&mut self, cx: &mut Cx<'_>, s: SocketId) -> Result<(), Failure> {
        let (seed, len) = self.sends;
        while self.sent < len {
            let (at, left) = (self.sent, len - self.sent);
            let put = cx.net.send_with(cx.now, s, |room| {
                let mut n = 0;
                for r in room {
                    let k = r.len().min((left - n as u64) as usize);
                    pattern::fill(seed, at + n as u64, &mut r[..k]);
                    n += k;
                }
                (n, n)
            });
            match put {
                Ok(n) => self.sent += n as u64,
                Err(SendError::WouldBlock) => return Ok(()),
                Err(SendError::Pipe) => return Err(Failure::Pipe),
                Err(SendError::Failed(e)) => return Err(Failure::Socket(e)),
            }
        }
        if !self.shut && cx.net.shutdown(cx.now, s, Shutdown::Write).is_ok() {
            self.shut = true;
        }
        Ok(())
    }

    /// Reads what is there.
    fn read(&mut self, cx: &mut Cx<'_>, s: SocketId) -> Result<(), Failure> {
        let (seed, expect) = self.expects;
        let most = self.pace.map_or(usize::MAX, |p| p.0);
        while !self.ended && !self.asleep {
            let at = self.got;
            let got = cx.net.recv_with(cx.now, s, |parts| {
                let (mut n, mut right) = (0, true);
                for p in parts {
                    let p = &p[..p.len().min(most - n)];
                    right &= pattern::check(seed, at + n as u64, p);
                    n += p.len();
                }
                (n, (n, right))
            });
            match got {
                Ok((0, _)) if self.got < expect => return Err(Failure::Short(self.got)),
                Ok((0, _)) => self.ended = true,
                Ok((_, false)) => return Err(Failure::Corrupt(self.got)),
                Ok((n, true)) => {
                    self.got += n as u64;
                    if self.got > expect {
                        return Err(Failure::Long);
                    }
                    if let Some((_, pause)) = self.pace {
                        self.asleep = true;
                        cx.wake_at(cx.now + pause);
                    }
                }
                Err(RecvError::WouldBlock) => return Ok(()),
                Err(RecvError::NotConnected) => return Err(Failure::Pipe),
                Err(RecvError::Failed(e)) => return Err(Failure::Socket(e)),
            }
        }
        Ok(())
    }

    fn work(&mut self, cx: &mut Cx<'_>) {
        let Some(s) = self.socket else { return };
        match self.read(cx, s).and_then(|()| self.write(cx, s)) {
            Err(f) => self.end(cx, Some(f)),
            Ok(()) if self.shut && self.ended => self.end(cx, None),
            Ok(()) => {}
        }
    }
}

impl Actor for Transfer {
    fn start(&mut self, cx: &mut Cx<'_>) {
        self.began = Some(cx.now);
        if let Some(to) = self.to {
            let domain = if to.is_ipv4() {
                Domain::Inet
            } else {
                Domain::Inet6
            };
            let s = cx.net.socket(domain);
            self.socket = Some(s);
            if let Err(e) = cx.net.connect(cx.now, s, to, &Cred::ROOT) {
                return self.end(cx, Some(Failure::Connect(e)));
            }
        }
        if let Some(s) = self.socket {
            cx.watch(s, Ready::READ | Ready::WRITE, 0);
        }
    }
    fn ready(&mut self, cx: &mut Cx<'_>, _: u32, _: Ready) {
        self.work(cx);
    }
    fn wake(&mut self, cx: &mut Cx<'_>) {
        self.asleep = false;
        self.work(cx);
    }
}
