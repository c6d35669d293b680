//! Epoll sets as values: level- and edge-triggered members, one-shot, the rotation of the ready list.
//!
//! A set is keyed by descriptor number and open file, as Linux's is: a file that a dup keeps alive stays in the set under
//! the number it was added by (docs/linux 38). `EPOLLEXCLUSIVE` is accepted where Linux accepts it; who is told then is
//! decided by `Machine::epoll_notify`.

use crate::file::FileId;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use hearken_abi::Errno;
use hearken_abi::sock::{EPOLLET, EPOLLEXCLUSIVE, EPOLLONESHOT, EPOLLWAKEUP};

/// What `epoll_wait` reports, and what `epoll_ctl` is given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EpollEvent {
    /// `EPOLL*` bits.
    pub events: u32,
    /// The program's own.
    pub data: u64,
}

/// `EPOLL_CTL_*`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EpollOp {
    /// Into the set.
    Add(EpollEvent),
    /// Other bits and data; arms it again.
    Modify(EpollEvent),
    /// Out of the set.
    Delete,
}

/// The file first: what happens on a file finds its members without looking at the others.
type Key = (FileId, i32);

#[derive(Debug)]
struct Member {
    events: u32,
    data: u64,
    /// In the ready list.
    queued: bool,
}

const ALWAYS: u32 = crate::poll::ALWAYS;
const ET: u32 = EPOLLET;
const ONESHOT: u32 = EPOLLONESHOT;
const EXCLUSIVE: u32 = EPOLLEXCLUSIVE;
/// Bits that say how, not what.
const PRIVATE: u32 = ET | ONESHOT | EXCLUSIVE | EPOLLWAKEUP;
/// `EPOLLEXCLUSIVE_OK_BITS`: IN, OUT, ERR, HUP, WAKEUP, ET, EXCLUSIVE.
const EXCLUSIVE_OK: u32 = 0x1 | 0x4 | ALWAYS | EPOLLWAKEUP | ET | EXCLUSIVE;

/// One epoll set.
#[derive(Debug, Default)]
pub(crate) struct Epoll {
    members: BTreeMap<Key, Member>,
    ready: VecDeque<Key>,
}

impl Epoll {
    /// How many members may be ready.
    pub(crate) fn pending(&self) -> usize {
        self.ready.len()
    }

    /// The files in it, each as often as it was added.
    pub(crate) fn members(&self) -> impl Iterator<Item = FileId> + '_ {
        self.members.keys().map(|(file, _)| *file)
    }

    /// Adds, changes or removes a member. `mask` is what the file shows now.
    pub(crate) fn control(
        &mut self,
        fd: i32,
        file: FileId,
        op: EpollOp,
        mask: u32,
    ) -> Result<(), Errno> {
        let key = (file, fd);
        match op {
            EpollOp::Add(e) => {
                if e.events & EXCLUSIVE != 0 && e.events & !EXCLUSIVE_OK != 0 {
                    return Err(Errno::EINVAL);
                }
                if self.members.contains_key(&key) {
                    return Err(Errno::EEXIST);
                }
                self.members.insert(
                    key,
                    Member {
                        events: e.events,
                        data: e.data,
                        queued: false,
                    },
                );
            }
            EpollOp::Modify(e) => {
                if e.events & EXCLUSIVE != 0 {
                    return Err(Errno::EINVAL);
                }
                let m = self.members.get_mut(&key).ok_or(Errno::ENOENT)?;
                if m.events & EXCLUSIVE != 0 {
                    return Err(Errno::EINVAL);
                }
                m.events = e.events;
                m.data = e.data;
            }
            EpollOp::Delete => {
                self.remove(key).ok_or(Errno::ENOENT)?;
                return Ok(());
            }
        }
        self.notify_one(key, mask);
        Ok(())
    }

    fn notify_one(&mut self, key: Key, mask: u32) -> bool {
        let Some(m) = self.members.get_mut(&key) else {
            return false;
        };
        // A one-shot member that has fired has no bits left, not even those that are always asked for.
        if m.events & !PRIVATE == 0 && m.events & ONESHOT != 0 {
            return false;
        }
        if mask & (m.events | ALWAYS) & !PRIVATE == 0 {
            return false;
        }
        if !m.queued {
            m.queued = true;
            self.ready.push_back(key);
        }
        true
    }

    fn remove(&mut self, key: Key) -> Option<Member> {
        let member = self.members.remove(&key)?;
        if member.queued {
            self.ready.retain(|k| *k != key);
        }
        Some(member)
    }

    fn keys_of(&self, file: FileId) -> Vec<Key> {
        let all = (file, i32::MIN)..=(file, i32::MAX);
        self.members.range(all).map(|(key, _)| *key).collect()
    }

    /// Something changed on a file: its members that are exclusive, or those that are not, are told. `true` when one of
    /// them is ready.
    pub(crate) fn notify(&mut self, file: FileId, mask: u32, exclusive: bool) -> bool {
        let mut any = false;
        for key in self.keys_of(file) {
            let events = self.members.get(&key).map_or(0, |m| m.events);
            if (events & EXCLUSIVE != 0) == exclusive {
                any |= self.notify_one(key, mask);
            }
        }
        any
    }

    /// The file is closed for good.
    pub(crate) fn forget(&mut self, file: FileId) {
        for key in self.keys_of(file) {
            self.remove(key);
        }
    }

    /// Up to `max` ready members, oldest first. Level-triggered ones go to the end of the list and stay in it; a member
    /// that is no longer ready leaves it silently (`ep_send_events`).
    pub(crate) fn take(&mut self, max: usize, mask_of: impl Fn(FileId) -> u32) -> Vec<EpollEvent> {
        let mut out = Vec::new();
        for _ in 0..self.ready.len() {
            if out.len() == max {
                break;
            }
            let Some(key) = self.ready.pop_front() else {
                break;
            };
            let Some(m) = self.members.get_mut(&key) else {
                continue;
            };
            m.queued = false;
            let events = mask_of(key.0) & (m.events | ALWAYS) & !PRIVATE;
            if events == 0 {
                continue;
            }
            out.push(EpollEvent {
                events,
                data: m.data,
            });
            if m.events & ONESHOT != 0 {
                m.events &= PRIVATE;
            } else if m.events & ET == 0 {
                m.queued = true;
                self.ready.push_back(key);
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(n: u64) -> FileId {
        FileId::from_token(1 << 63 | n).expect("a token of ours")
    }

    fn add(events: u32, data: u64) -> EpollOp {
        EpollOp::Add(EpollEvent { events, data })
    }

    fn pairs(events: &[EpollEvent]) -> Vec<(u32, u64)> {
        events.iter().map(|e| (e.events, e.data)).collect()
    }

    const FRESH: u32 = 0x114;

    #[test]
    fn epoll_control_errors_are_linux() {
        let mut e = Epoll::default();
        let f = file(1);
        assert_eq!(e.control(3, f, add(1, 0), 0), Ok(()));
        assert_eq!(e.control(3, f, add(1, 0), 0), Err(Errno::EEXIST));
        assert_eq!(e.control(4, f, add(1, 0), 0), Ok(()), "another number");
        assert_eq!(e.control(3, f, EpollOp::Delete, 0), Ok(()));
        assert_eq!(e.control(3, f, EpollOp::Delete, 0), Err(Errno::ENOENT));
        let m = EpollOp::Modify(EpollEvent { events: 1, data: 0 });
        assert_eq!(e.control(3, f, m, 0), Err(Errno::ENOENT));
    }

    #[test]
    fn epoll_exclusive_is_refused_where_linux_refuses_it() {
        let mut e = Epoll::default();
        let f = file(1);
        for bad in [EXCLUSIVE | 1 | ONESHOT, EXCLUSIVE | 0x2001] {
            assert_eq!(e.control(3, f, add(bad, 0), 0), Err(Errno::EINVAL));
        }
        assert_eq!(e.control(3, f, add(EXCLUSIVE | 1 | ET, 0), 0), Ok(()));
        for events in [1, EXCLUSIVE | 1] {
            let m = EpollOp::Modify(EpollEvent { events, data: 0 });
            assert_eq!(e.control(3, f, m, 0), Err(Errno::EINVAL));
        }
    }

    #[test]
    fn epoll_reports_hup_unasked_and_level_triggered_again() {
        let mut e = Epoll::default();
        assert_eq!(e.control(3, file(1), add(0, 5), FRESH), Ok(()));
        for _ in 0..2 {
            assert_eq!(pairs(&e.take(8, |_| FRESH)), [(0x10, 5)]);
        }
        assert_eq!(pairs(&e.take(8, |_| 0)), []);
        assert_eq!(e.pending(), 0);
    }

    #[test]
    fn epoll_one_shot_fires_once_and_modify_arms_it() {
        let mut e = Epoll::default();
        let f = file(1);
        assert_eq!(e.control(3, f, add(4 | ONESHOT, 6), FRESH), Ok(()));
        assert_eq!(pairs(&e.take(8, |_| FRESH)), [(0x14, 6)]);
        assert!(!e.notify(f, FRESH, false));
        assert_eq!(pairs(&e.take(8, |_| FRESH)), []);
        let m = EpollOp::Modify(EpollEvent {
            events: 4 | ONESHOT,
            data: 7,
        });
        assert_eq!(e.control(3, f, m, FRESH), Ok(()));
        assert_eq!(pairs(&e.take(8, |_| FRESH)), [(0x14, 7)]);
        assert_eq!(pairs(&e.take(8, |_| FRESH)), []);
    }

    #[test]
    fn epoll_edge_triggered_fires_once_per_notice() {
        let mut e = Epoll::default();
        let f = file(1);
        assert_eq!(e.control(3, f, add(1 | ET, 8), 0), Ok(()));
        assert_eq!(pairs(&e.take(8, |_| 0x41)), []);
        assert!(e.notify(f, 0x41, false));
        assert_eq!(pairs(&e.take(8, |_| 0x41)), [(0x1, 8)]);
        assert_eq!(pairs(&e.take(8, |_| 0x41)), []);
        assert!(e.notify(f, 0x41, false));
        assert_eq!(pairs(&e.take(8, |_| 0x41)), [(0x1, 8)]);
    }

    #[test]
    fn epoll_rotates_level_triggered_members() {
        let mut e = Epoll::default();
        for n in 0..3 {
            let fd = i32::try_from(n).expect("small");
            assert_eq!(e.control(fd, file(n), add(4, n), FRESH), Ok(()));
        }
        let round =
            |e: &mut Epoll| -> Vec<u64> { e.take(2, |_| FRESH).iter().map(|x| x.data).collect() };
        assert_eq!(round(&mut e), [0, 1]);
        assert_eq!(round(&mut e), [2, 0]);
        assert_eq!(round(&mut e), [1, 2]);
        assert_eq!(round(&mut e), [0, 1]);
    }

    #[test]
    fn epoll_forgets_a_closed_file_under_every_number() {
        let mut e = Epoll::default();
        assert_eq!(e.control(3, file(1), add(4, 1), FRESH), Ok(()));
        assert_eq!(e.control(4, file(1), add(4, 2), FRESH), Ok(()));
        assert_eq!(e.control(5, file(2), add(4, 3), FRESH), Ok(()));
        e.forget(file(1));
        assert_eq!(pairs(&e.take(8, |_| FRESH)), [(0x14, 3)]);
        assert_eq!(e.members().count(), 1);
    }
}
