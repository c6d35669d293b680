//! epoll_create1(2), epoll_ctl(2) and epoll_wait(2).

use crate::blocked::{Op, Outcome};
use crate::epoll::{Epoll, EpollEvent, EpollOp};
use crate::file::{FileId, Kind, OpenFile};
use crate::machine::Machine;
use crate::poll;
use alloc::vec::Vec;
use core::time::Duration;
use hearken_abi::Errno;
use hearken_inet::{Cred, Instant};

impl Machine {
    /// epoll_create1(2).
    pub fn epoll_create(&mut self, cred: &Cred) -> FileId {
        self.files
            .insert(OpenFile::new(Kind::Epoll(Epoll::default()), *cred))
    }

    fn set_of(&mut self, epoll: FileId) -> Result<&mut Epoll, Errno> {
        match &mut self.open_mut(epoll)?.kind {
            Kind::Epoll(e) => Ok(e),
            Kind::Tcp(_) | Kind::Other(_) | Kind::NotSocket => Err(Errno::EINVAL),
            Kind::Path => Err(Errno::EBADF),
        }
    }

    /// epoll_ctl(2). `fd` is the number that the file is known by in the set.
    ///
    /// # Errors
    /// `EBADF`; `EPERM` for a file that cannot be polled; `EINVAL` for the set itself or what is none; `EEXIST`,
    /// `ENOENT`; `ELOOP` for a set in a set, which is not there yet.
    pub fn epoll_ctl(
        &mut self,
        epoll: FileId,
        fd: i32,
        file: FileId,
        op: EpollOp,
    ) -> Result<(), Errno> {
        self.open(epoll)?;
        match &self.open(file)?.kind {
            Kind::Path => return Err(Errno::EBADF),
            Kind::NotSocket => return Err(Errno::EPERM),
            Kind::Epoll(_) if epoll != file => {
                self.set_of(epoll)?;
                return Err(Errno::ELOOP);
            }
            Kind::Epoll(_) => return Err(Errno::EINVAL),
            Kind::Tcp(_) | Kind::Other(_) => {}
        }
        let mask = poll::mask(self, file);
        self.set_of(epoll)?.control(fd, file, op, mask)?;
        let watchers = &mut self.open_mut(file)?.watchers;
        match op {
            EpollOp::Add(_) => watchers.push(epoll),
            EpollOp::Delete => {
                if let Some(at) = watchers.iter().position(|w| *w == epoll) {
                    watchers.remove(at);
                }
            }
            EpollOp::Modify(_) => {}
        }
        self.wake_epoll(epoll);
        Ok(())
    }

    /// epoll_wait(2). `timeout` in milliseconds: 0 does not wait, a negative one waits for ever.
    pub fn epoll_wait(
        &mut self,
        now: Instant,
        epoll: FileId,
        max: i32,
        timeout: i32,
    ) -> Outcome<Vec<EpollEvent>> {
        if let Err(e) = self.open(epoll) {
            return Outcome::Done(Err(e));
        }
        let Some(max) = usize::try_from(max).ok().filter(|m| *m > 0) else {
            return Outcome::Done(Err(Errno::EINVAL));
        };
        if let Err(e) = self.set_of(epoll) {
            return Outcome::Done(Err(e));
        }
        if let Some(events) = self.try_epoll_wait(epoll, max) {
            return Outcome::Done(Ok(events));
        }
        let op = Op::EpollWait { max };
        match u64::try_from(timeout) {
            Ok(0) => Outcome::Done(Ok(Vec::new())),
            Ok(ms) => self.block(epoll, op, Some(now + Duration::from_millis(ms))),
            Err(_) => self.block(epoll, op, None),
        }
    }

    pub(crate) fn try_epoll_wait(&mut self, epoll: FileId, max: usize) -> Option<Vec<EpollEvent>> {
        // The set is taken out while its members are asked: a set is never a member.
        let mut set = core::mem::take(self.set_of(epoll).ok()?);
        let events = set.take(max, |file| poll::mask(self, file));
        *self.set_of(epoll).ok()? = set;
        (!events.is_empty()).then_some(events)
    }

    /// A file changed: tells the sets that it is in. Of those that have it exclusively, in the order in which they were
    /// given it, only as many as it takes to find a sleeper for each thing that is new (epoll_ctl(2), EPOLLEXCLUSIVE; docs/linux 120).
    pub(crate) fn epoll_notify(&mut self, file: FileId, mask: u32) {
        let Some(f) = self.files.get(file) else {
            return;
        };
        if f.watchers.is_empty() {
            return;
        }
        let mut sets = f.watchers.clone();
        sets.dedup();
        for &epoll in &sets {
            self.tell_set(epoll, file, mask, false);
        }
        let there = self.exclusive_wakes(file, mask);
        let before = self
            .files
            .get_mut(file)
            .map_or(0, |f| core::mem::replace(&mut f.told_of, there));
        // One for each connection that has come since, however many came at once.
        let mut left = there.saturating_sub(before).max(1);
        for epoll in sets {
            let sleeps = self.has_sleeper(epoll);
            if left > 0 && self.tell_set(epoll, file, mask, true) && sleeps {
                left -= 1;
            }
        }
    }

    fn tell_set(&mut self, epoll: FileId, file: FileId, mask: u32, exclusive: bool) -> bool {
        let told = self
            .set_of(epoll)
            .is_ok_and(|set| set.notify(file, mask, exclusive));
        if told {
            self.wake_epoll(epoll);
        }
        told
    }

    fn wake_epoll(&mut self, epoll: FileId) {
        if self.set_of(epoll).is_ok_and(|set| set.pending() > 0) {
            self.wake(epoll);
        }
    }

    /// A member is closed for good.
    pub(crate) fn epoll_forget(&mut self, epoll: FileId, file: FileId) {
        if let Ok(set) = self.set_of(epoll) {
            set.forget(file);
        }
    }
}
