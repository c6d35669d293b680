//! Answers that came too late: a signal had cancelled the call, but what it did is done.
//!
//! The thread calls again, by itself (EINTR) or by the kernel's restart (SA_RESTART). A second bind would be EINVAL
//! and a second connect EISCONN, neither of which Linux says: the same call on the same socket gets the answer that was
//! lost. Calls that may be done twice need none of this, and accept and socket undo what they made.

use std::collections::HashMap;

use super::calls::Answer;
use super::slab::Key;
use crate::sys::notify::Notif;

struct Lost {
    nr: i32,
    args: [u64; 6],
    sock: Key,
    answer: Answer,
}

/// One for each thread at most, until its next call.
#[derive(Default)]
pub(crate) struct Untold(HashMap<u32, Lost>);

impl Untold {
    /// The answer to this call was not delivered.
    pub(crate) fn keep(&mut self, n: &Notif, sock: Key, answer: Answer) {
        let done = match i64::from(n.nr) {
            libc::SYS_bind => answer == Answer::Value(0),
            libc::SYS_connect => {
                matches!(answer, Answer::Value(0) | Answer::Errno(libc::EINPROGRESS))
            }
            _ => false,
        };
        if done {
            let (nr, args) = (n.nr, n.args);
            self.0.insert(
                n.pid,
                Lost {
                    nr,
                    args,
                    sock,
                    answer,
                },
            );
        }
    }

    /// The answer that this call has got before, if it is the same call again. Any other call of the thread ends the matter.
    pub(crate) fn take(&mut self, n: &Notif, sock: Option<Key>) -> Option<Answer> {
        if self.0.is_empty() {
            return None;
        }
        let lost = self.0.remove(&n.pid)?;
        (lost.nr == n.nr && lost.args == n.args && Some(lost.sock) == sock).then_some(lost.answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::slab::Slab;

    fn call(nr: i64, arg: u64) -> Notif {
        Notif {
            id: 1,
            pid: 7,
            flags: 0,
            nr: nr as i32,
            arch: 0,
            args: [arg, 0, 0, 0, 0, 0],
        }
    }

    #[test]
    fn answer_that_was_lost_is_given_once_and_only_to_the_same_call() {
        let mut slab = Slab::new();
        let (one, other) = (slab.insert(()), slab.insert(()));
        let bind = call(libc::SYS_bind, 3);
        let mut untold = Untold::default();
        untold.keep(&bind, one, Answer::Value(0));
        assert_eq!(untold.take(&bind, Some(one)), Some(Answer::Value(0)));
        assert_eq!(untold.take(&bind, Some(one)), None);
        untold.keep(&bind, one, Answer::Value(0));
        assert_eq!(untold.take(&bind, Some(other)), None);
        untold.keep(&bind, one, Answer::Value(0));
        assert_eq!(untold.take(&call(libc::SYS_listen, 3), Some(one)), None);
        assert_eq!(untold.take(&bind, Some(one)), None);
        // It failed, or may be done twice: the call is simply made again.
        untold.keep(&bind, one, Answer::Errno(libc::EADDRINUSE));
        untold.keep(&call(libc::SYS_listen, 3), one, Answer::Value(0));
        assert!(untold.take(&bind, Some(one)).is_none());
    }
}
