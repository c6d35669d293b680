//! Reading what a run streams, until it ends, the user has enough, or the time is up.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use hearken_run::control::{self, Answer, Request};
use hearken_run::sys::signal::{Mask, SignalFd};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::Failure;

/// Ctrl-C, `kill`, and a terminal that goes away end a stream in good order.
const ENDING: [i32; 3] = [1, 2, 15];

/// A run that streams.
pub(crate) struct Stream {
    stream: UnixStream,
    signals: SignalFd,
    until: Option<Instant>,
    /// What has come and was not taken yet.
    pub(crate) bytes: Vec<u8>,
}

impl Stream {
    /// Asks run `pid`, for so long at most.
    pub(crate) fn open(
        pid: u32,
        request: &Request,
        most: Option<Duration>,
    ) -> Result<Self, Failure> {
        let reader = match control::follow(&control::socket_of(pid), request) {
            Ok((Answer { error: Some(e), .. }, _)) => return Err(e.into()),
            Ok((_, reader)) => reader,
            Err(e) if control::has_ended(&e) => {
                return Err(format!("no run of yours has process id {pid}").into());
            }
            Err(e) => return Err(format!("asking run {pid}: {e}").into()),
        };
        let mask = Mask::of(&ENDING);
        mask.block();
        Ok(Stream {
            bytes: reader.buffer().to_vec(),
            stream: reader.into_inner(),
            signals: SignalFd::new(&mask)?,
            until: most.and_then(|d| Instant::now().checked_add(d)),
        })
    }

    /// Waits for more bytes; false at the end, whichever it is.
    pub(crate) fn more(&mut self) -> Result<bool, Failure> {
        loop {
            let left = self
                .until
                .map(|at| at.saturating_duration_since(Instant::now()));
            let timeout = left.map(|d| Timespec {
                tv_sec: d.as_secs() as i64,
                tv_nsec: d.subsec_nanos().into(),
            });
            let mut fds = [
                PollFd::from_borrowed_fd(self.signals.as_fd(), PollFlags::IN),
                PollFd::new(&self.stream, PollFlags::IN),
            ];
            match poll(&mut fds, timeout.as_ref()) {
                Ok(0) => return Ok(false),
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(e) => return Err(io::Error::from(e).into()),
            }
            if !fds[0].revents().is_empty() {
                return Ok(false);
            }
            let mut piece = [0u8; 64 << 10];
            return match self.stream.read(&mut piece) {
                // A reset is the end of the run too.
                Ok(0) | Err(_) => Ok(false),
                Ok(n) => {
                    self.bytes.extend_from_slice(&piece[..n]);
                    Ok(true)
                }
            };
        }
    }
}
