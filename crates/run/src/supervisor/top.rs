//! What `hearken top` asks for: the listeners' queues, and all that is counted.

use super::Supervisor;
use crate::control::{Answer, ListenerRow, Row};

impl Supervisor {
    pub(super) fn top(&mut self, answer: &mut Answer) {
        answer.counters = self.stack.counters();
        answer.drops = self.stack.drops();
        answer.bytes = self.stack.link_bytes();
        let socks: Vec<_> = self.table.iter().map(|(_, s)| (s.file, s.owner)).collect();
        for (file, owner) in socks {
            let Some(queues) = self.stack.listener_queues(file) else {
                continue;
            };
            let Row { pid, cmd, .. } = self.named(Row::default(), owner);
            answer.listeners.push(ListenerRow {
                id: self.stack.cookie(file),
                local: queues.local.to_string(),
                pid,
                cmd,
                syn_queue: queues.syn_queue,
                accept_queue: queues.accept_queue,
                limit: queues.limit,
                syns: queues.syns,
                connections: queues.connections,
                overflows: queues.overflows,
            });
        }
    }
}
