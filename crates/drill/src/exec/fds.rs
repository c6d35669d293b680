//! Descriptors: what a script calls them, and what they are.

use std::collections::BTreeMap;

use hearken_twin::Fd;

/// What stands for a descriptor that the script has not opened: none that the runner itself has open.
const CLOSED: Fd = 3000;

/// A descriptor of the script's that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) live: Fd,
    /// The family of a socket.
    pub(crate) domain: i32,
}

/// All descriptors of a script.
#[derive(Clone, Debug, Default)]
pub(crate) struct Descriptors(BTreeMap<i64, Open>);

impl Descriptors {
    /// The live number for one of the script's.
    pub(crate) fn live(&self, script: i64) -> Fd {
        match self.0.get(&script) {
            Some(open) => open.live,
            // Standard input, output, error; negative ones; and those that must give EBADF.
            None if script < 3 => script as Fd,
            None => CLOSED.saturating_add(i32::try_from(script % 900).unwrap_or(0)),
        }
    }

    pub(crate) fn domain(&self, script: i64) -> Option<i32> {
        self.0.get(&script).map(|open| open.domain)
    }

    pub(crate) fn is_open(&self, script: i64) -> bool {
        self.0.contains_key(&script)
    }

    pub(crate) fn open(&mut self, script: i64, open: Open) {
        self.0.insert(script, open);
    }

    pub(crate) fn close(&mut self, script: i64) {
        self.0.remove(&script);
    }

    /// The live ones.
    pub(crate) fn all(&self) -> Vec<Fd> {
        self.0.values().map(|open| open.live).collect()
    }

    /// The script's number for a live one.
    pub(crate) fn script(&self, live: Fd) -> Option<i64> {
        let mut all = self.0.iter();
        all.find(|(_, open)| open.live == live).map(|(fd, _)| *fd)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptor_that_was_never_opened_is_none_of_the_runners() {
        let mut fds = Descriptors::default();
        assert_eq!(fds.live(3), 3003);
        assert_eq!((fds.live(-1), fds.live(0)), (-1, 0));
        let open = Open {
            live: 17,
            domain: libc::AF_INET,
        };
        fds.open(3, open);
        assert_eq!((fds.live(3), fds.script(17)), (17, Some(3)));
        fds.close(3);
        assert_eq!((fds.live(3), fds.script(17)), (3003, None));
    }
}
