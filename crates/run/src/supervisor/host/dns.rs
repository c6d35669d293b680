//! DNS over UDP. The program's UDP is the kernel's own, in a network that leads nowhere; a program that asks the name
//! server by UDP (musl's does, whatever resolv.conf says) reaches a socket that the guardian bound there, and each query
//! goes on to the host's resolver from a port of its own.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use rustix::event::epoll::{self, EventFlags};

use crate::supervisor::slab::{Key, Slab};
use crate::supervisor::stack::Instant;
use crate::supervisor::{Source, Supervisor};

/// Longest message taken; RFC 6891 6.2.5 recommends 4096 for those who say how much they take.
const LONGEST: usize = 4096;
/// Header of a message, RFC 1035 4.1.1.
const HEADER: usize = 12;
/// Queries under way. One more takes the place of the oldest.
const MOST: usize = 256;
/// Resolvers ask again after 5 s and give up after two or three: nobody waits for a later answer.
const PATIENCE_NS: u64 = 30_000_000_000;
/// Queries taken before others have their turn.
const PER_ROUND: usize = 64;

struct Query {
    to: UdpSocket,
    from: SocketAddr,
    at: Instant,
}

/// The program's name server.
pub(crate) struct Dns {
    server: UdpSocket,
    queries: Slab<Query>,
}

impl Dns {
    /// From the socket that the guardian bound inside.
    pub(crate) fn new(server: UdpSocket) -> Option<Self> {
        server.set_nonblocking(true).ok()?;
        Some(Dns {
            server,
            queries: Slab::new(),
        })
    }

    /// What the event loop watches.
    pub(crate) fn server(&self) -> &UdpSocket {
        &self.server
    }

    /// Makes room for one more.
    fn make_room(&mut self, now: Instant) {
        let late = |q: &Query| now.0.saturating_sub(q.at.0) > PATIENCE_NS;
        let gone: Vec<Key> = self
            .queries
            .iter()
            .filter(|(_, q)| late(q))
            .map(|(k, _)| k)
            .collect();
        for key in gone {
            self.queries.remove(key);
        }
        if self.queries.len() >= MOST {
            let oldest = self
                .queries
                .iter()
                .min_by_key(|(_, q)| q.at)
                .map(|(k, _)| k);
            if let Some(key) = oldest {
                self.queries.remove(key);
            }
        }
    }
}

impl Supervisor {
    /// The program asks.
    pub(in crate::supervisor) fn on_dns_query(&mut self) {
        let resolver = self
            .host
            .resolver
            .unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let now = self.stack.now();
        let Some(dns) = self.host.dns.as_mut() else {
            return;
        };
        let mut query = [0u8; LONGEST];
        for _ in 0..PER_ROUND {
            let Ok((n, from)) = dns.server.recv_from(&mut query) else {
                return;
            };
            let query = &mut query[..n];
            dns.make_room(now);
            match ask(SocketAddr::new(resolver, super::address::DNS), query) {
                Ok(to) => {
                    let key = dns.queries.insert(Query { to, from, at: now });
                    let watched = dns.queries.get(key).is_some_and(|q| {
                        let data = Source::Answer(key).data();
                        epoll::add(&self.epoll, &q.to, data, EventFlags::IN).is_ok()
                    });
                    if !watched {
                        dns.queries.remove(key);
                    }
                }
                Err(_) => dns.refuse(query, from),
            }
        }
    }

    /// The host's resolver answers, or the host says that there is none.
    pub(in crate::supervisor) fn on_dns_answer(&mut self, key: Key) {
        let Some(dns) = self.host.dns.as_mut() else {
            return;
        };
        let Some(query) = dns.queries.get(key) else {
            return;
        };
        let mut answer = vec![0u8; usize::from(u16::MAX)];
        match query.to.recv(&mut answer) {
            Ok(n) => {
                // It fails when the program has gone.
                let _ = dns.server.send_to(&answer[..n], query.from);
            }
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => return,
            // ICMP: nobody listens there. The program's resolver asks again, and gives up in its own time.
            Err(_) => {}
        }
        dns.queries.remove(key);
    }
}

impl Dns {
    /// SERVFAIL, so that the program need not wait for what cannot come.
    fn refuse(&self, query: &mut [u8], to: SocketAddr) {
        if servfail(query) {
            let _ = self.server.send_to(query, to);
        }
    }
}

fn ask(resolver: SocketAddr, query: &[u8]) -> std::io::Result<UdpSocket> {
    let any: SocketAddr = match resolver {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (std::net::Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any)?;
    socket.set_nonblocking(true)?;
    // Connected: answers of nobody else come through.
    socket.connect(resolver)?;
    socket.send(query)?;
    Ok(socket)
}

/// Makes a query its own answer, RFC 1035 4.1.1: QR set, RCODE 2. False if it is no query.
fn servfail(message: &mut [u8]) -> bool {
    if message.len() < HEADER || message[2] & 0x80 != 0 {
        return false;
    }
    message[2] |= 0x80;
    message[3] = message[3] & 0xf0 | 2;
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servfail_answers_queries_and_never_answers() {
        let mut query = [0u8; HEADER];
        query[2] = 1;
        assert!(servfail(&mut query));
        assert_eq!(query[2..4], [0x81, 2]);
        assert!(!servfail(&mut query), "no answer to an answer");
        assert!(!servfail(&mut [0; HEADER - 1]));
    }
}
