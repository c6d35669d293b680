//! getsockname(2) and getpeername(2).

use super::{Answer, On};
use crate::supervisor::Supervisor;

impl Supervisor {
    pub(super) fn call_getsockname(&mut self, on: &On<'_>) -> Answer {
        let Some(file) = self.table.get(on.key).map(|s| s.file) else {
            return Answer::Continue;
        };
        let name = self.stack.getsockname(file);
        self.give_name(on, name)
    }

    pub(super) fn call_getpeername(&mut self, on: &On<'_>) -> Answer {
        let Some(file) = self.table.get(on.key).map(|s| s.file) else {
            return Answer::Continue;
        };
        let name = self.stack.getpeername(file);
        self.give_name(on, name)
    }

    fn give_name(&mut self, on: &On<'_>, name: Result<Vec<u8>, i32>) -> Answer {
        match name {
            Ok(addr) => match self.write_sockaddr(on.n, on.n.args[1], on.n.args[2], &addr) {
                Ok(()) => Answer::Value(0),
                Err(e) => e.into(),
            },
            Err(e) => Answer::Errno(e),
        }
    }
}
