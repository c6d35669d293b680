//! What an event of the outer epoll is about, packed into its 64 bits.

use rustix::event::epoll::EventData;

use super::slab::Key;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Source {
    /// The notify descriptor.
    Notify,
    /// The epoll of the B ends.
    Ends,
    /// The guardian.
    Child,
    /// Signals for CMD.
    Signals,
    /// A listener of `-p`.
    Published(usize),
    /// A socket of the host.
    HostFlow(Key),
    /// The control socket.
    Control,
    /// Somebody who asks there.
    Asker(Key),
    /// Somebody who is told as things happen.
    Follower(Key),
    /// The program's name server.
    Dns,
    /// An answer of the host's resolver.
    Answer(Key),
}

impl Source {
    pub(crate) fn data(self) -> EventData {
        let (kind, rest) = match self {
            Source::Notify => (0, 0),
            Source::Ends => (1, 0),
            Source::Child => (2, 0),
            Source::Signals => (3, 0),
            Source::Published(i) => (4, i as u64),
            Source::HostFlow(key) => (5, key.to_bits()),
            Source::Control => (6, 0),
            Source::Asker(key) => (7, key.to_bits()),
            Source::Follower(key) => (8, key.to_bits()),
            Source::Dns => (9, 0),
            Source::Answer(key) => (10, key.to_bits()),
        };
        EventData::new_u64(kind << Key::BITS | rest)
    }

    pub(crate) fn of(data: EventData) -> Option<Self> {
        let rest = data.u64() & ((1 << Key::BITS) - 1);
        Some(match data.u64() >> Key::BITS {
            0 => Source::Notify,
            1 => Source::Ends,
            2 => Source::Child,
            3 => Source::Signals,
            4 => Source::Published(rest as usize),
            5 => Source::HostFlow(Key::from_bits(rest)),
            6 => Source::Control,
            7 => Source::Asker(Key::from_bits(rest)),
            8 => Source::Follower(Key::from_bits(rest)),
            9 => Source::Dns,
            10 => Source::Answer(Key::from_bits(rest)),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::slab::Slab;

    #[test]
    fn source_survives_the_kernel_and_back() {
        let mut slab = Slab::new();
        let first = slab.insert(());
        slab.remove(first);
        let key = slab.insert(());
        for s in [
            Source::Notify,
            Source::Ends,
            Source::Child,
            Source::Signals,
            Source::Published(3),
            Source::HostFlow(key),
            Source::Control,
            Source::Asker(key),
            Source::Follower(key),
            Source::Dns,
            Source::Answer(key),
        ] {
            assert_eq!(Source::of(s.data()), Some(s));
        }
    }
}
