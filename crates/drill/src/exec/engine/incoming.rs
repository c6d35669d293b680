//! Packets that the script sends.

use super::{Engine, Stop, fail};
use crate::ast;
use crate::exec::packet::Body;
use crate::exec::{md5, segment, trace};

impl Engine<'_> {
    pub(super) fn inbound(&mut self, script: &ast::Packet) -> Result<(), Stop> {
        // What was sent before has its place before this packet in the queue, and in the trace.
        self.fill_queue(self.now());
        let at = self.connection_in(script);
        let label = self.label(at);
        let connection = &mut self.connections[at].connection;
        let (written, live) = match &script.body {
            ast::Body::Tcp(of) => {
                let tcp = segment::inbound(of, self.world);
                let live = connection.go_live(&tcp);
                (Body::Tcp(tcp), Body::Tcp(live))
            }
            ast::Body::Udp { len } => {
                let body = Body::Udp(usize::from(*len));
                (body.clone(), body)
            }
            ast::Body::Icmp(of) => match segment::icmp(of, connection) {
                Ok(icmp) => (Body::Icmp(icmp.clone()), Body::Icmp(icmp)),
                Err(why) => return fail(script.span, why, "", ""),
            },
            ast::Body::Silence(_) => {
                return fail(script.span, "silence is for packets that go out", "", "");
            }
        };
        let (src, dst) = (connection.remote, connection.local);
        let mut packet = segment::with_ip(src, dst, live, &script.ip);
        if let Err(why) = md5::sign(&mut packet, self.md5_key.as_deref()) {
            return fail(script.span, why, "", "");
        }
        let bytes = packet.emit();
        let text = trace::inbound(&written, &packet, &label);
        self.trace.packet(self.now(), text, &bytes);
        self.system.inject(&bytes);
        Ok(())
    }
}
