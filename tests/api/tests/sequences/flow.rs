//! The peers' side: what each flow knows of its numbers, and packets in terms that are the same in every run.

use core::net::SocketAddr;

use hearken_twin::{Cookie, Opt, Packet, Segment};

use crate::op::{Offer, Seg, Stamp};

/// Ports from here on are chosen at random (net.ipv4.ip_local_port_range).
const EPHEMERAL: u16 = 32768;
/// The peers' initial sequence number.
const ISN: u32 = 1000;

/// One pair of addresses that a peer has used or seen.
struct Flow {
    peer: SocketAddr,
    system: SocketAddr,
    /// The peer's next sequence number.
    seq: u32,
    /// What the system acknowledged last.
    acked: u32,
    /// The system's initial sequence number.
    isn: Option<u32>,
    /// The peer's next sequence number to receive.
    ack: u32,
    /// The first byte of the system that the peer has not acknowledged.
    una: u32,
    /// The system sent a SYN, and nothing after it.
    opening: bool,
    /// The peer's SYN offered timestamps.
    offered: bool,
    /// The last timestamp of the system, if both use them.
    echo: Option<u32>,
}

/// Every flow, in the order in which they began.
#[derive(Default)]
pub(crate) struct Flows {
    flows: Vec<Flow>,
    /// Ports chosen at random, in the order in which they were seen.
    ports: Vec<u16>,
    /// The last Fast Open cookie given to a peer.
    cookie: Option<Cookie>,
    /// The peers' clock.
    clock: u32,
}

impl Flows {
    fn find(&mut self, peer: SocketAddr, system: SocketAddr) -> &mut Flow {
        let known = |flow: &Flow| flow.peer == peer && flow.system == system;
        let at = self.flows.iter().position(known).unwrap_or_else(|| {
            self.flows.push(Flow {
                peer,
                system,
                seq: ISN,
                acked: ISN,
                isn: None,
                ack: 0,
                una: 0,
                opening: false,
                offered: false,
                echo: None,
            });
            self.flows.len() - 1
        });
        &mut self.flows[at]
    }

    /// An address whose port, if it was chosen at random, is named by when it was first seen.
    pub(crate) fn name(&mut self, addr: SocketAddr) -> String {
        let port = addr.port();
        if port >= EPHEMERAL && !self.ports.contains(&port) {
            self.ports.push(port);
        }
        self.known(addr)
    }

    /// The same for a port that need not have been seen.
    pub(crate) fn known(&self, addr: SocketAddr) -> String {
        match self.ports.iter().position(|port| *port == addr.port()) {
            Some(at) => format!("{}#{at}", addr.ip()),
            None if addr.port() >= EPHEMERAL => format!("{}#?", addr.ip()),
            None => format!("{}:{}", addr.ip(), addr.port()),
        }
    }

    /// A SYN that begins a flow, or comes again on it.
    pub(crate) fn syn(&mut self, peer: SocketAddr, system: SocketAddr, offer: Offer) -> Vec<u8> {
        self.clock += 1;
        let (clock, cookie) = (1000 + self.clock, self.cookie);
        let flow = self.find(peer, system);
        let mut options = offer.options();
        for option in &mut options {
            if let Opt::Ts(value, _) = option {
                *value = clock;
            }
        }
        flow.offered = options.iter().any(|option| matches!(option, Opt::Ts(..)));
        flow.echo = None;
        let mut data: &[u8] = &[];
        match offer {
            Offer::CookieRequest => options.push(Opt::FastOpen(Cookie::new(&[]), false)),
            Offer::CookieData => {
                let cookie = cookie.unwrap_or(Cookie::new(&[1; 8]));
                options.push(Opt::FastOpen(cookie, false));
                data = b"fast";
            }
            _ => {}
        }
        let segment = Segment::new(peer, system, "S", flow.seq, 0).options(&options);
        segment.data(data).packet()
    }

    /// A segment on a flow.
    pub(crate) fn segment(&mut self, want: &Seg) -> Option<Vec<u8>> {
        self.clock += 1;
        let clock = 1000 + self.clock;
        let flow = self.flows.get_mut(usize::from(want.flow))?;
        let has = |letter| want.flags.contains(letter);
        // Declared: a FIN out of order is remembered and shown by SACK on Linux alone, so that each comes in order.
        let seq = match has('F') {
            true => flow.acked,
            false => flow.seq.wrapping_add_signed(want.seq),
        };
        // Declared differences at a SYN of the system: after a wrong ACK Linux repeats it within two ticks, and data in a
        // SYN-ACK is taken if the SYN was a fast one.
        let (wrong, len) = match flow.opening {
            true => (0, 0),
            false => (want.ack, want.len),
        };
        let ack = match has('A') {
            true => flow.ack.wrapping_add_signed(wrong),
            false => 0,
        };
        let mut segment = Segment::new(flow.peer, flow.system, want.flags, seq, ack);
        segment.window = want.window;
        segment.data = vec![b'd'; usize::from(len)];
        if has('S') {
            segment.options = vec![Opt::Mss(1460)];
        }
        let value = match want.stamp {
            Stamp::Right => Some(clock),
            Stamp::Old => Some(clock.wrapping_sub(5000)),
            Stamp::Missing => None,
        };
        if let (Some(value), Some(echo)) = (value, flow.echo) {
            segment
                .options
                .extend([Opt::Nop, Opt::Nop, Opt::Ts(value, echo)]);
        }
        if (want.seq == 0 || has('F')) && !has('R') {
            let more = u32::from(len) + u32::from(has('S')) + u32::from(has('F'));
            flow.seq = seq.wrapping_add(more);
        }
        if has('A') && wrong == 0 {
            flow.una = flow.ack;
        }
        Some(segment.packet())
    }

    /// The system's address, the peer's, and the first sequence number not acknowledged, of a flow that an ICMP error can be about.
    pub(crate) fn quotable(&self, flow: u8) -> Option<(SocketAddr, SocketAddr, u32)> {
        let flow = self.flows.get(usize::from(flow))?;
        flow.isn?;
        Some((flow.system, flow.peer, flow.una))
    }

    /// Takes note of a packet of the system, and writes it down.
    pub(crate) fn received(&mut self, bytes: &[u8]) -> String {
        let Some(packet) = Packet::parse(bytes) else {
            return format!("a packet that is not TCP, {} bytes", bytes.len());
        };
        let names = (self.name(packet.src), self.name(packet.dst));
        let cookie = packet.options.iter().find_map(|option| match option {
            Opt::FastOpen(cookie, _) if !cookie.bytes().is_empty() => Some(*cookie),
            _ => None,
        });
        self.cookie = cookie.or(self.cookie);
        let flow = self.find(packet.dst, packet.src);
        let has = |letter| packet.flags.contains(letter);
        if has('A') && !has('R') {
            flow.acked = packet.ack;
        }
        flow.opening = packet.flags == "S" || packet.flags == "SEC";
        let mut fresh = "";
        if has('S') {
            if flow.isn.is_some_and(|isn| isn != packet.seq) {
                fresh = " (a new ISN)";
            }
            if flow.isn != Some(packet.seq) {
                flow.isn = Some(packet.seq);
                flow.una = packet.seq;
                flow.ack = packet.seq.wrapping_add(1);
            }
            if has('A') {
                flow.seq = packet.ack;
            } else {
                flow.offered = true;
            }
        }
        let seq = match flow.isn {
            Some(isn) if !(packet.seq == 0 && has('R')) => packet.seq.wrapping_sub(isn),
            _ => packet.seq,
        };
        if let Some(ts) = packet.ts()
            && flow.offered
        {
            flow.echo = Some(ts);
        }
        let after = packet.seq.wrapping_add(packet.data.len() as u32);
        let after = after.wrapping_add(u32::from(has('F')));
        if !has('S') && !has('R') && after.wrapping_sub(flow.ack) as i32 > 0 {
            flow.ack = after;
        }
        let options: Vec<String> = packet.options.iter().map(|o| self.option(o)).collect();
        format!(
            "{} > {} {} seq {} ack {} win {} len {} ttl {} tos {:#x} df {} flow {} [{}]{fresh}",
            names.0,
            names.1,
            packet.flags,
            seq as i32,
            packet.ack,
            packet.window,
            packet.data.len(),
            packet.ttl,
            packet.tos,
            packet.df,
            packet.flow != 0,
            options.join(" ")
        )
    }

    /// An option without what is random in it.
    fn option(&self, option: &Opt) -> String {
        match option {
            // The peers' values are known; the system's clock began at random.
            Opt::Ts(_, echo) => format!("Ts(_, {echo})"),
            Opt::FastOpen(cookie, experimental) => {
                format!("FastOpen({} bytes, {experimental})", cookie.bytes().len())
            }
            other => format!("{other:?}"),
        }
    }
}
