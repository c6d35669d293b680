//! The machine: namespaces, open files, and the calls that wait.

use crate::blocked::{Blocked, Op, Outcome, Reply, Ticket, Wait, Waits};
use crate::fd_table::References;
use crate::file::{FileId, Files, Kind, OpenFile};
use crate::poll;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::SocketAddr;
use hearken_abi::Errno;
use hearken_abi::sock::MSG_FASTOPEN;
use hearken_inet::{Cred, Event, Instant, Net, Ready, SynId};

/// Names a namespace of a machine.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct NetId(u32);

/// Something that the owner of the machine must hear of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MachineEvent {
    /// A file that is watched ([`Machine::watch`]) may have become ready.
    Ready {
        /// The file.
        file: FileId,
        /// Its poll mask now.
        mask: u32,
    },
    /// A socket that is no file of the machine, but of whoever uses the namespace directly.
    Foreign {
        /// The namespace.
        net: NetId,
        /// The token given with the interest.
        token: u64,
        /// What holds.
        ready: Ready,
    },
    /// A SYN that waits for a verdict.
    Syn {
        /// The namespace.
        net: NetId,
        /// Names the SYN in it.
        id: SynId,
        /// Where the client wants to go.
        local: SocketAddr,
        /// Who it is.
        remote: SocketAddr,
    },
}

/// Several namespaces, the open files over them, and the calls that wait.
///
/// After any call, and after any frame or timeout given to a namespace: [`Machine::settle`], then
/// [`Machine::poll_events`] and [`Machine::ready_tickets`], then each namespace's own `poll_transmit`.
#[derive(Default)]
pub struct Machine {
    pub(crate) nets: Vec<Net>,
    pub(crate) files: Files,
    pub(crate) waits: Waits,
    pub(crate) events: VecDeque<MachineEvent>,
    /// Files of whose writes something is still to be told.
    pub(crate) stamped: Vec<FileId>,
}

impl core::fmt::Debug for Machine {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Machine")
            .field("nets", &self.nets.len())
            .field("files", &self.files.len())
            .finish_non_exhaustive()
    }
}

/// References taken and dropped at one point in time.
struct At<'a>(&'a mut Machine, Instant);

impl References for At<'_> {
    fn retain(&mut self, file: FileId) {
        self.0.retain(file);
    }
    fn release(&mut self, file: FileId) {
        self.0.release(self.1, file);
    }
}

impl Machine {
    /// Without namespaces.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes over a namespace.
    pub fn add_net(&mut self, net: Net) -> NetId {
        self.nets.push(net);
        NetId(u32::try_from(self.nets.len() - 1).expect("fewer than 2^32 namespaces"))
    }

    /// A namespace.
    ///
    /// # Panics
    /// When `id` is of another machine.
    #[must_use]
    pub fn net(&self, id: NetId) -> &Net {
        &self.nets[id.0 as usize]
    }

    /// A namespace.
    ///
    /// # Panics
    /// When `id` is of another machine.
    pub fn net_mut(&mut self, id: NetId) -> &mut Net {
        &mut self.nets[id.0 as usize]
    }

    /// The namespaces.
    pub fn net_ids(&self) -> impl Iterator<Item = NetId> + use<> {
        (0..u32::try_from(self.nets.len()).unwrap_or(u32::MAX)).map(NetId)
    }

    /// Opens something that is no socket, as a pipe or `/dev/null` is.
    pub fn open_not_socket(&mut self, cred: &Cred) -> FileId {
        self.files.insert(OpenFile::new(Kind::NotSocket, *cred))
    }

    /// Opens something with `O_PATH`: socket calls answer EBADF.
    pub fn open_path(&mut self, cred: &Cred) -> FileId {
        self.files.insert(OpenFile::new(Kind::Path, *cred))
    }

    /// Who counts references for a descriptor table, at this time.
    pub fn references(&mut self, now: Instant) -> impl References + '_ {
        At(self, now)
    }

    /// One more reference to a file (dup, fork, a descriptor passed to another process).
    pub fn retain(&mut self, file: FileId) {
        if let Some(f) = self.files.get_mut(file) {
            f.references += 1;
        }
    }

    /// One reference less; the last one closes the file.
    pub fn release(&mut self, now: Instant, file: FileId) {
        let Some(f) = self.files.get_mut(file) else {
            return;
        };
        f.references -= 1;
        if f.references == 0
            && let Some(f) = self.files.remove(file)
        {
            self.close_last(now, file, f);
        }
    }

    /// close(2) as the owner of one reference calls it.
    ///
    /// # Errors
    /// `EBADF` when the file is gone.
    pub fn close(&mut self, now: Instant, file: FileId) -> Result<(), Errno> {
        self.open(file)?;
        self.release(now, file);
        Ok(())
    }

    /// How many files are open.
    #[must_use]
    pub fn open_files(&self) -> usize {
        self.files.len()
    }

    /// `O_NONBLOCK`.
    ///
    /// # Errors
    /// `EBADF` when the file is gone.
    pub fn nonblocking(&self, file: FileId) -> Result<bool, Errno> {
        Ok(self.open(file)?.nonblocking)
    }

    /// Sets `O_NONBLOCK`, for every descriptor of the open file.
    ///
    /// # Errors
    /// `EBADF` when the file is gone.
    pub fn set_nonblocking(&mut self, file: FileId, on: bool) -> Result<(), Errno> {
        self.open_mut(file)?.nonblocking = on;
        Ok(())
    }

    /// Asks to hear, by [`MachineEvent::Ready`], whenever one of these poll bits may have come up. POLLERR and POLLHUP
    /// are always among them; 0 asks for nothing more.
    ///
    /// # Errors
    /// `EBADF` when the file is gone.
    pub fn watch(&mut self, file: FileId, bits: u32) -> Result<(), Errno> {
        self.open_mut(file)?.watch = bits;
        Ok(())
    }

    pub(crate) fn open(&self, file: FileId) -> Result<&OpenFile, Errno> {
        self.files.get(file).ok_or(Errno::EBADF)
    }

    pub(crate) fn open_mut(&mut self, file: FileId) -> Result<&mut OpenFile, Errno> {
        self.files.get_mut(file).ok_or(Errno::EBADF)
    }

    /// Runs the loopback queues of all namespaces until they are empty or `budget` rounds are over. `true` when there
    /// is more to do.
    pub fn settle(&mut self, now: Instant, budget: usize) -> bool {
        let more = self.settle_nets(now, budget);
        self.stamp(now);
        more
    }

    fn settle_nets(&mut self, now: Instant, budget: usize) -> bool {
        for _ in 0..budget {
            let mut more = false;
            for net in &mut self.nets {
                more |= net.poll_lo(now);
            }
            if !more {
                self.collect();
                return false;
            }
        }
        self.collect();
        true
    }

    /// Takes what the namespaces report, and wakes the calls and epoll sets that it concerns.
    fn collect(&mut self) {
        let mut buf = [Event::Ready {
            token: 0,
            ready: Ready::NONE,
        }; 64];
        for i in 0..self.nets.len() {
            loop {
                let n = self.nets[i].poll_events(&mut buf);
                for event in &buf[..n] {
                    self.on_event(NetId(i as u32), *event);
                }
                if n < buf.len() {
                    break;
                }
            }
        }
    }

    fn on_event(&mut self, net: NetId, event: Event) {
        match event {
            Event::Ready { token, ready } => match FileId::from_token(token) {
                Some(file) => self.wake(file),
                None => self
                    .events
                    .push_back(MachineEvent::Foreign { net, token, ready }),
            },
            Event::Syn { id, local, remote } => self.events.push_back(MachineEvent::Syn {
                net,
                id,
                local,
                remote,
            }),
        }
    }

    /// Something changed on a file: its waiting calls, its epoll sets and its owner's watch.
    pub(crate) fn wake(&mut self, file: FileId) {
        let mask = poll::mask(self, file);
        self.wake_waiters(file, mask);
        self.epoll_notify(file, mask);
        let Some(f) = self.files.get_mut(file) else {
            return;
        };
        if f.watch != 0 && mask & (f.watch | poll::ALWAYS) != 0 && !f.notified {
            f.notified = true;
            self.events.push_back(MachineEvent::Ready { file, mask });
        }
    }

    /// Wakes every call that can go on, but of those that wait exclusively one for each thing to be had, oldest first.
    fn wake_waiters(&mut self, file: FileId, mask: u32) {
        let Some(f) = self.files.get(file) else {
            return;
        };
        if f.waiters.is_empty() {
            return;
        }
        let waiters: Vec<Ticket> = f.waiters.iter().copied().collect();
        let mut left = self.exclusive_wakes(file, mask);
        for ticket in waiters {
            let Some(wait) = self.waits.get_mut(ticket) else {
                continue;
            };
            if !wait.op.is_exclusive() {
                self.waits.wake(ticket);
            } else if left > 0 {
                // A ticket that was woken and not yet resumed is on its way to one of the connections.
                left -= 1;
                self.waits.wake(ticket);
            }
        }
    }

    /// Somebody waits on the file whom nothing has woken yet.
    pub(crate) fn has_sleeper(&self, file: FileId) -> bool {
        self.files.get(file).is_some_and(|f| {
            f.waiters
                .iter()
                .filter_map(|t| self.waits.get(*t))
                .any(|w| !w.woken)
        })
    }

    pub(crate) fn exclusive_wakes(&self, file: FileId, mask: u32) -> usize {
        let Some(f) = self.files.get(file) else {
            return 0;
        };
        match &f.kind {
            Kind::Tcp(t) => {
                if mask & poll::ALWAYS != 0 {
                    // No longer listening: everybody gets EINVAL.
                    usize::MAX
                } else {
                    self.net(t.net)
                        .accept_queue(t.socket)
                        .map_or(0, |(len, _)| len as usize)
                }
            }
            Kind::Epoll(e) => e.pending(),
            Kind::Other(_) | Kind::NotSocket | Kind::Path => 0,
        }
    }

    /// Parks a call on a file: the ticket holds a reference, which is released on every way out.
    pub(crate) fn block<T>(
        &mut self,
        file: FileId,
        op: Op,
        deadline: Option<Instant>,
    ) -> Outcome<T> {
        let ticket = self.waits.insert(Wait {
            file,
            op,
            deadline,
            woken: false,
        });
        self.retain(file);
        if let Some(f) = self.files.get_mut(file) {
            f.waiters.push_back(ticket);
        }
        Outcome::Blocked(Blocked { ticket, deadline })
    }

    /// Lets a waiting call go on: it returns, or waits again under the same ticket. After its deadline it returns what
    /// its timeout says. A ticket that is over answers EBADF.
    pub fn resume(&mut self, now: Instant, ticket: Ticket) -> Outcome<Reply> {
        let Some(mut wait) = self.waits.take(ticket) else {
            return Outcome::Done(Err(Errno::EBADF));
        };
        let was_woken = wait.woken;
        let mut result = self.attempt(now, &mut wait);
        if result.is_none() && wait.deadline.is_some_and(|at| at <= now) {
            result = Some(self.timed_out(&mut wait));
        }
        if let Some(result) = result {
            self.end_wait(now, ticket, &wait);
            return Outcome::Done(result);
        }
        let blocked = Blocked {
            ticket,
            deadline: wait.deadline,
        };
        // Woken for nothing (another call was faster): to the end of the queue, as a new wait on Linux's queue would be.
        if was_woken && let Some(f) = self.files.get_mut(wait.file) {
            f.waiters.retain(|t| *t != ticket);
            f.waiters.push_back(ticket);
        }
        self.waits.put_back(ticket, wait);
        Outcome::Blocked(blocked)
    }

    /// A signal arrived for a waiting call. What is there already wins over the signal; else EINTR when the call has a
    /// timeout, or `ERESTARTSYS`, which the owner of the thread turns into a restart (SA_RESTART) or EINTR.
    ///
    /// # Errors
    /// The call's own, `EINTR`, `ERESTARTSYS`; `EBADF` when the ticket is over.
    pub fn interrupt(&mut self, now: Instant, ticket: Ticket) -> Result<Reply, Errno> {
        let Some(mut wait) = self.waits.take(ticket) else {
            return Err(Errno::EBADF);
        };
        let result = self.attempt(now, &mut wait).unwrap_or_else(|| {
            let errno = wait.op.interrupted(wait.deadline.is_some());
            partial(&mut wait.op).ok_or(errno)
        });
        self.end_wait(now, ticket, &wait);
        result
    }

    /// The caller of a waiting call is gone: the call ends without taking anything.
    pub fn cancel(&mut self, now: Instant, ticket: Ticket) {
        if let Some(wait) = self.waits.take(ticket) {
            self.end_wait(now, ticket, &wait);
        }
    }

    fn end_wait(&mut self, now: Instant, ticket: Ticket, wait: &Wait) {
        self.waits.retire(ticket, wait.deadline);
        if let Some(f) = self.files.get_mut(wait.file) {
            f.waiters.retain(|t| *t != ticket);
        }
        // It may have been woken for a connection that it did not take: the next in line must have it.
        if wait.woken && wait.op.is_exclusive() {
            let mask = poll::mask(self, wait.file);
            self.wake_waiters(wait.file, mask);
        }
        self.release(now, wait.file);
    }

    /// One try of a waiting call; `None` when it must wait on.
    fn attempt(&mut self, now: Instant, wait: &mut Wait) -> Option<Result<Reply, Errno>> {
        let file = wait.file;
        match &mut wait.op {
            Op::Accept { flags } => self
                .try_accept(now, file, *flags)
                .map(|r| r.map(Reply::Accepted)),
            Op::Connect { .. } => self.try_connect(file).map(|r| r.map(|()| Reply::Connected)),
            Op::Recv { got, len, flags } => self
                .continue_recv(now, file, got, *len, *flags)
                .map(|r| r.map(Reply::Received)),
            Op::Send { data, done, flags } => self
                .continue_send(now, file, data, done, *flags)
                .map(|r| r.map(Reply::Sent)),
            Op::EpollWait { max } => self
                .try_epoll_wait(file, *max)
                .map(|e| Ok(Reply::Events(e))),
        }
    }

    fn timed_out(&mut self, wait: &mut Wait) -> Result<Reply, Errno> {
        if let Some(reply) = partial(&mut wait.op) {
            return Ok(reply);
        }
        match &wait.op {
            // inet_stream_connect (6.18): the timeout leaves the attempt under way.
            Op::Connect { otherwise } => Err(*otherwise),
            Op::EpollWait { .. } => Ok(Reply::Events(Vec::new())),
            // So does one that connects by the way.
            Op::Send { flags, .. } if flags & MSG_FASTOPEN != 0 => Err(Errno::EINPROGRESS),
            Op::Accept { .. } | Op::Recv { .. } | Op::Send { .. } => Err(Errno::EAGAIN),
        }
    }

    /// The calls that may go on, in the order in which they were woken.
    pub fn ready_tickets(&mut self, out: &mut Vec<Ticket>) {
        self.collect();
        self.waits.drain_ready(out);
    }

    /// What the owner must hear of.
    pub fn poll_events(&mut self, out: &mut Vec<MachineEvent>) {
        self.collect();
        while let Some(event) = self.events.pop_front() {
            let MachineEvent::Ready { file, .. } = event else {
                out.push(event);
                continue;
            };
            // What holds now, which may be less, or more, than what woke it.
            let mask = poll::mask(self, file);
            let Some(f) = self.files.get_mut(file) else {
                continue;
            };
            f.notified = false;
            if mask & (f.watch | poll::ALWAYS) != 0 {
                out.push(MachineEvent::Ready { file, mask });
            }
        }
    }

    /// When the next waiting call gives up. The namespaces have timeouts of their own.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.waits.next_deadline()
    }

    /// Makes the calls whose time is up ready; [`Machine::resume`] then ends them.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.waits.expire(now);
    }
}

/// What a call that moved some bytes already returns when it is cut short.
fn partial(op: &mut Op) -> Option<Reply> {
    match op {
        Op::Recv { got, .. } if !got.is_empty() => Some(Reply::Received(core::mem::take(got))),
        Op::Send { done, .. } if *done > 0 => Some(Reply::Sent(*done)),
        Op::Recv { .. }
        | Op::Send { .. }
        | Op::Accept { .. }
        | Op::Connect { .. }
        | Op::EpollWait { .. } => None,
    }
}
