//! Which connection a packet belongs to.

use core::net::SocketAddr;
use core::time::Duration;

use super::{Engine, Named, Sent, Stop, fail};
use crate::ast;
use crate::exec::conn::Connection;
use crate::exec::md5;
use crate::exec::packet::{Body, Packet, Tcp, flag, parse_quoted};
use crate::exec::trace;

impl Engine<'_> {
    fn find_name(&self, name: Option<&str>) -> Option<usize> {
        let is = |c: &Named| c.name.as_deref() == name;
        self.connections.iter().rposition(is)
    }

    fn add(&mut self, name: Option<&str>, connection: Connection) -> usize {
        self.connections.push(Named {
            name: name.map(str::to_owned),
            connection,
        });
        self.connections.len() - 1
    }

    /// The two ends as a packet names them: (local, remote).
    fn ends(&self, packet: &ast::Packet) -> Option<(SocketAddr, SocketAddr)> {
        let ports = packet.ports?;
        let (local, remote) = match packet.direction {
            ast::Direction::In => (ports.destination, ports.source),
            ast::Direction::Out => (ports.source, ports.destination),
        };
        let local_ip = local.address.unwrap_or(self.world.local);
        let remote_ip = remote.address.unwrap_or(self.world.remote);
        Some((
            SocketAddr::new(local_ip, local.port),
            SocketAddr::new(remote_ip, remote.port),
        ))
    }

    /// The connection of an inbound packet; its first packet makes it.
    pub(super) fn connection_in(&mut self, packet: &ast::Packet) -> usize {
        let name = packet.connection.as_deref();
        let found = match self.ends(packet) {
            Some((local, remote)) => {
                let is = |c: &Named| c.connection.is(local, remote) && c.name.as_deref() == name;
                let found = self.connections.iter().rposition(is);
                found.unwrap_or_else(|| self.add(name, Connection::new(local, remote)))
            }
            None => match self.find_name(name) {
                Some(found) => found,
                None => {
                    let port = self.bound_port.unwrap_or(self.world.bind_port);
                    let local = SocketAddr::new(self.world.local, port);
                    let remote = self.free_remote(local);
                    self.add(name, Connection::new(local, remote))
                }
            },
        };
        if matches!(&packet.body, ast::Body::Tcp(s) if s.flags.syn) {
            self.current = Some(found);
        }
        found
    }

    /// A port of the remote's from which nothing was sent to this local port yet.
    fn free_remote(&self, local: SocketAddr) -> SocketAddr {
        let mut remote = SocketAddr::new(self.world.remote, self.world.connect_port);
        while self
            .connections
            .iter()
            .any(|c| c.connection.is(local, remote))
        {
            remote.set_port(remote.port().wrapping_add(1).max(1));
        }
        remote
    }

    /// The connection of a packet that was sent.
    fn connection_of(&self, packet: &Packet) -> Option<usize> {
        let (src, dst) = match &packet.body {
            Body::Icmp(icmp) => {
                // What it quotes went the other way.
                let (src, dst, _) = parse_quoted(&icmp.quoted)?;
                (dst, src)
            }
            _ => (packet.src, packet.dst),
        };
        self.connections
            .iter()
            .rposition(|c| c.connection.is(src, dst))
    }

    /// A packet that was sent, as a script would write it, and its connection.
    pub(super) fn describe(&self, sent: &Sent) -> (String, Option<usize>) {
        let found = self.connection_of(&sent.packet);
        let named = found.map(|at| &self.connections[at]);
        let name = named.map_or(String::new(), label);
        let text = trace::outbound(&sent.packet, named.map(|n| &n.connection), &name);
        (text, found)
    }

    pub(super) fn label(&self, at: usize) -> String {
        label(&self.connections[at])
    }

    /// Takes what the system has sent until then into the queue.
    pub(super) fn fill_queue(&mut self, until: Duration) {
        while let Some((at, bytes)) = self.system.next_packet(self.zero + until) {
            self.enqueue(at, bytes);
        }
    }

    fn enqueue(&mut self, at: Duration, bytes: Vec<u8>) {
        let at = at.saturating_sub(self.zero);
        match Packet::parse(&bytes) {
            Ok(mut packet) => {
                md5::mark(&mut packet, &bytes, self.md5_key.as_deref());
                self.queue.push_back(Sent { at, packet, bytes });
            }
            Err(why) => {
                self.malformed.push((at, why.0.clone()));
                let text = format!("> a malformed packet: {}", why.0);
                self.trace.packet(at, text, &bytes);
            }
        }
    }

    /// The next packet that may be the one that is expected here, waiting for it until then.
    pub(super) fn next_for(
        &mut self,
        expected: &ast::Packet,
        until: Duration,
    ) -> Result<Option<(Sent, Option<usize>)>, Stop> {
        loop {
            if let Some((at, why)) = self.malformed.first() {
                let at = trace::seconds(*at);
                let headline = format!("the system sent {why}");
                return fail(expected.span, headline, "a well-formed packet", at);
            }
            let mut at = 0;
            while at < self.queue.len() {
                match self.suits(expected, at) {
                    Suits::Take(connection) => {
                        let sent = self.queue.remove(at).expect("it is there");
                        return Ok(Some((sent, connection)));
                    }
                    Suits::Pass => at += 1,
                    Suits::Drop => {
                        let sent = self.queue.remove(at).expect("it is there");
                        let (text, _) = self.describe(&sent);
                        let text = format!("{text}    // of no connection here, left out");
                        self.trace.packet(sent.at, text, &sent.bytes);
                    }
                }
            }
            match self.system.next_packet(self.zero + until) {
                Some((at, bytes)) => self.enqueue(at, bytes),
                None if self.malformed.is_empty() => return Ok(None),
                None => {}
            }
        }
    }

    /// Whether a queued packet is the next of the connection that a script's line is about.
    fn suits(&mut self, expected: &ast::Packet, at: usize) -> Suits {
        let packet = &self.queue[at].packet;
        let name = expected.connection.as_deref();
        let silence = matches!(expected.body, ast::Body::Silence(_));
        if let Some(found) = self.connection_of(packet) {
            let of_name = self.connections[found].name.as_deref() == name;
            // The ports of a connection that is over may be used again, and then by one of another name.
            let begins = |tcp: &Tcp| tcp.has(flag::SYN) && !tcp.has(flag::ACK);
            let awaited =
                matches!(&expected.body, ast::Body::Tcp(s) if s.flags.syn && !s.flags.ack);
            if !of_name
                && awaited
                && packet.tcp().is_some_and(begins)
                && self.find_name(name).is_none()
            {
                let (src, dst) = (packet.src, packet.dst);
                let found = self.add(name, Connection::new(src, dst));
                self.current = Some(found);
                return Suits::Take(Some(found));
            }
            return match of_name || silence && name.is_none() {
                true => Suits::Take(Some(found)),
                false => Suits::Pass,
            };
        }
        if silence && name.is_none() {
            return Suits::Take(None);
        }
        let opens = match &packet.body {
            Body::Tcp(tcp) => tcp.has(flag::SYN) && !tcp.has(flag::ACK),
            Body::Udp(_) => true,
            Body::Icmp(_) | Body::Other(_) => false,
        };
        let named_ends = self.ends(expected);
        let (src, dst) = (packet.src, packet.dst);
        let fits = named_ends.is_none_or(|(local, remote)| {
            // A port of 0 stands for the one that the system chose.
            (local == src || local.port() == 0) && remote == dst
        });
        if opens && fits && !silence {
            let found = self.add(name, Connection::new(src, dst));
            self.current = Some(found);
            return Suits::Take(Some(found));
        }
        match self.world.strict {
            true => Suits::Take(None),
            false => Suits::Drop,
        }
    }
}

enum Suits {
    /// This one, of this connection.
    Take(Option<usize>),
    /// Another connection's: it is for another line.
    Pass,
    /// Of no connection of the script's.
    Drop,
}

fn label(named: &Named) -> String {
    match &named.name {
        Some(name) => format!("@{name} "),
        None => String::new(),
    }
}
