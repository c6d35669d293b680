//! Descriptor tables: small numbers to open files, as `fdget`, `dup2` and `fork` see them.
//!
//! Linux 6.18: a lookup that fails is EBADF; a new descriptor is the lowest free number; at `RLIMIT_NOFILE` it is EMFILE.

use crate::file::FileId;
use alloc::vec::Vec;
use hearken_abi::Errno;

/// Who can say what a descriptor refers to: a table of ours, or the kernel's own under `hearken run`.
pub trait Descriptors {
    /// The open file behind `fd`.
    ///
    /// # Errors
    /// `EBADF` when it is not open.
    fn lookup(&self, fd: i32) -> Result<FileId, Errno>;
}

/// Who counts the references to open files.
pub trait References {
    /// One more reference.
    fn retain(&mut self, file: FileId);
    /// One less; the last one closes the file.
    fn release(&mut self, file: FileId);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Free,
    /// Taken by a call that has not finished (`get_unused_fd_flags`): not open yet, and not free.
    Reserved,
    Open {
        file: FileId,
        cloexec: bool,
    },
}

/// A descriptor number that a call under way holds, to be given to [`FdTable::install`] or [`FdTable::unreserve`].
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Reserved(i32);

/// One process's descriptor table. Each open slot holds one reference to its file.
#[derive(Debug)]
pub struct FdTable {
    slots: Vec<Slot>,
    /// `RLIMIT_NOFILE`: the lowest number that may not be handed out.
    limit: u32,
}

impl Default for FdTable {
    fn default() -> Self {
        Self::new(1024)
    }
}

impl Descriptors for FdTable {
    fn lookup(&self, fd: i32) -> Result<FileId, Errno> {
        match self.slot(fd) {
            Some(Slot::Open { file, .. }) => Ok(file),
            Some(Slot::Free | Slot::Reserved) | None => Err(Errno::EBADF),
        }
    }
}

impl FdTable {
    /// An empty table under this `RLIMIT_NOFILE`.
    #[must_use]
    pub fn new(limit: u32) -> Self {
        Self {
            slots: Vec::new(),
            limit,
        }
    }

    /// Changes `RLIMIT_NOFILE`. Descriptors above it stay open.
    pub fn set_limit(&mut self, limit: u32) {
        self.limit = limit;
    }

    fn slot(&self, fd: i32) -> Option<Slot> {
        self.slots.get(usize::try_from(fd).ok()?).copied()
    }

    /// Takes the lowest free number at or above `from`, without opening it.
    ///
    /// # Errors
    /// `EMFILE` at the limit.
    pub fn reserve(&mut self, from: u32) -> Result<Reserved, Errno> {
        let start = from as usize;
        let found = (start..self.slots.len())
            .find(|&i| self.slots[i] == Slot::Free)
            .unwrap_or_else(|| self.slots.len().max(start));
        if found >= self.limit as usize {
            return Err(Errno::EMFILE);
        }
        let fd = i32::try_from(found).map_err(|_| Errno::EMFILE)?;
        while self.slots.len() <= found {
            self.slots.push(Slot::Free);
        }
        self.slots[found] = Slot::Reserved;
        Ok(Reserved(fd))
    }

    /// Opens a reserved number. The caller's reference to `file` becomes the table's.
    pub fn install(&mut self, fd: Reserved, file: FileId, cloexec: bool) -> i32 {
        let Reserved(fd) = fd;
        if let Some(slot) = usize::try_from(fd).ok().and_then(|i| self.slots.get_mut(i)) {
            *slot = Slot::Open { file, cloexec };
        }
        fd
    }

    /// Gives a reserved number back.
    pub fn unreserve(&mut self, fd: Reserved) {
        let Reserved(fd) = fd;
        self.set(fd, Slot::Free);
    }

    fn set(&mut self, fd: i32, value: Slot) {
        if let Some(slot) = usize::try_from(fd).ok().and_then(|i| self.slots.get_mut(i)) {
            *slot = value;
        }
    }

    /// The lowest free descriptor for `file`, whose reference becomes the table's.
    ///
    /// # Errors
    /// `EMFILE` at the limit; the reference is then still the caller's.
    pub fn open(&mut self, file: FileId, cloexec: bool) -> Result<i32, Errno> {
        let fd = self.reserve(0)?;
        Ok(self.install(fd, file, cloexec))
    }

    /// dup(2): without close-on-exec.
    ///
    /// # Errors
    /// `EBADF`, `EMFILE`.
    pub fn dup(&mut self, refs: &mut impl References, fd: i32) -> Result<i32, Errno> {
        self.dup_from(refs, fd, 0, false)
    }

    /// `fcntl(F_DUPFD)` and `F_DUPFD_CLOEXEC`: the lowest free number at or above `from`.
    ///
    /// # Errors
    /// `EBADF`; `EINVAL` when `from` is at the limit or above; `EMFILE`.
    pub fn dup_from(
        &mut self,
        refs: &mut impl References,
        fd: i32,
        from: u32,
        cloexec: bool,
    ) -> Result<i32, Errno> {
        let file = self.lookup(fd)?;
        // f_dupfd (6.18): from >= RLIMIT_NOFILE is EINVAL, dup(2) itself never asks for one.
        if from != 0 && from >= self.limit {
            return Err(Errno::EINVAL);
        }
        let to = self.reserve(from)?;
        refs.retain(file);
        Ok(self.install(to, file, cloexec))
    }

    /// dup2(2), and dup3(2) with `cloexec`. `to` is closed first when it is open; `fd == to` does nothing (dup3 answers
    /// EINVAL itself, before it comes here).
    ///
    /// # Errors
    /// `EBADF` for either number; `EBUSY` when `to` is reserved by a call under way.
    pub fn dup2(
        &mut self,
        refs: &mut impl References,
        fd: i32,
        to: i32,
        cloexec: bool,
    ) -> Result<i32, Errno> {
        let file = self.lookup(fd)?;
        let index = usize::try_from(to).map_err(|_| Errno::EBADF)?;
        if index >= self.limit as usize {
            return Err(Errno::EBADF);
        }
        if fd == to {
            return Ok(to);
        }
        while self.slots.len() <= index {
            self.slots.push(Slot::Free);
        }
        let old = self.slots[index];
        if old == Slot::Reserved {
            return Err(Errno::EBUSY);
        }
        refs.retain(file);
        self.slots[index] = Slot::Open { file, cloexec };
        if let Slot::Open { file: old, .. } = old {
            refs.release(old);
        }
        Ok(to)
    }

    /// close(2).
    ///
    /// # Errors
    /// `EBADF` when it is not open.
    pub fn close(&mut self, refs: &mut impl References, fd: i32) -> Result<(), Errno> {
        let file = self.lookup(fd)?;
        self.set(fd, Slot::Free);
        refs.release(file);
        Ok(())
    }

    /// `FD_CLOEXEC`.
    ///
    /// # Errors
    /// `EBADF` when it is not open.
    pub fn cloexec(&self, fd: i32) -> Result<bool, Errno> {
        match self.slot(fd) {
            Some(Slot::Open { cloexec, .. }) => Ok(cloexec),
            Some(Slot::Free | Slot::Reserved) | None => Err(Errno::EBADF),
        }
    }

    /// Sets `FD_CLOEXEC`.
    ///
    /// # Errors
    /// `EBADF` when it is not open.
    pub fn set_cloexec(&mut self, fd: i32, on: bool) -> Result<(), Errno> {
        let file = self.lookup(fd)?;
        self.set(fd, Slot::Open { file, cloexec: on });
        Ok(())
    }

    /// The table that fork(2) gives the child: the same files, one more reference each. Numbers that a call of another
    /// thread holds in reserve are free in the child.
    #[must_use]
    pub fn fork(&self, refs: &mut impl References) -> Self {
        let slots = self.slots.iter().map(|&slot| match slot {
            Slot::Open { file, cloexec } => {
                refs.retain(file);
                Slot::Open { file, cloexec }
            }
            Slot::Free | Slot::Reserved => Slot::Free,
        });
        Self {
            slots: slots.collect(),
            limit: self.limit,
        }
    }

    /// What execve(2) closes.
    pub fn exec(&mut self, refs: &mut impl References) {
        for slot in &mut self.slots {
            if let Slot::Open {
                file,
                cloexec: true,
            } = *slot
            {
                *slot = Slot::Free;
                refs.release(file);
            }
        }
    }

    /// What the end of the process closes: everything, lowest first.
    pub fn close_all(&mut self, refs: &mut impl References) {
        for slot in &mut self.slots {
            if let Slot::Open { file, .. } = core::mem::replace(slot, Slot::Free) {
                refs.release(file);
            }
        }
    }

    /// The open descriptors, lowest first.
    pub fn iter(&self) -> impl Iterator<Item = (i32, FileId)> + '_ {
        self.slots.iter().enumerate().filter_map(|(i, slot)| {
            let Slot::Open { file, .. } = slot else {
                return None;
            };
            Some((i32::try_from(i).ok()?, *file))
        })
    }
}

#[cfg(test)]
mod tests;
