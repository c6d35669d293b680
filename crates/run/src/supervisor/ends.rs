//! The B ends: an epoll of their own, which is drained before each call is answered.

use std::io;

use rustix::event::epoll::{self, EventData, EventFlags};

use super::Supervisor;
use super::slab::Key;
use super::table::Phase;

impl Supervisor {
    /// Watches B: edges, so that a stalled flow costs nothing.
    pub(super) fn watch_end(&mut self, key: Key) {
        let Some(b) = self.table.get(key).and_then(|s| s.b.as_ref()) else {
            return;
        };
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        // It fails only out of memory or watches; the flow would then stand still, not break.
        let _ = epoll::add(&self.ends, b, EventData::new_u64(key.to_bits()), flags);
    }

    /// Takes in what happened on the B ends.
    pub(super) fn drain_ends(&mut self) -> io::Result<()> {
        const NOW: rustix::event::Timespec = rustix::event::Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let mut events = Vec::with_capacity(256);
        loop {
            events.clear();
            match epoll::wait(
                &self.ends,
                rustix::buffer::spare_capacity(&mut events),
                Some(&NOW),
            ) {
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(e) => return Err(e.into()),
            }
            for event in &events {
                let epoll::Event { flags, data } = *event;
                self.on_end(Key::from_bits(data.u64()), flags);
            }
            if events.len() < events.capacity() {
                return Ok(());
            }
        }
    }

    fn on_end(&mut self, key: Key, flags: EventFlags) {
        let Some(sock) = self.table.get_mut(key) else {
            return;
        };
        if flags.intersects(EventFlags::IN | EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR)
        {
            sock.ready.fd_in = true;
        }
        if flags.contains(EventFlags::OUT) {
            sock.ready.fd_out = true;
        }
        if sock.phase == Phase::Open {
            self.run_flow(key);
        }
        if flags.contains(EventFlags::HUP) {
            self.on_hup(key);
        }
    }
}
