//! A remote peer, scripted segment by segment.

use core::net::SocketAddr;
use core::time::Duration;

use crate::{Icmp, Ip, Opt, Packet, Segment, Twin};

/// What a peer with everything offers in its SYN.
pub const SYN_OPTIONS: &[Opt] = &[
    Opt::Mss(1460),
    Opt::SackOk,
    Opt::Nop,
    Opt::Nop,
    Opt::Ts(1000, 0),
    Opt::Nop,
    Opt::Wscale(7),
];

/// How long an expected packet may take.
const PATIENCE: Duration = Duration::from_millis(300);

/// A remote peer behind `tun0` that talks to one local port.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The peer's own address.
    pub addr: SocketAddr,
    /// The system's address.
    pub to: SocketAddr,
    /// The next sequence number to send.
    pub seq: u32,
    /// The next sequence number to receive.
    pub ack: u32,
    /// What the SYN offers.
    pub options: Vec<Opt>,
    /// Timestamp value of the next segment.
    pub ts: u32,
    /// The last timestamp seen from the system; `None` if not in use.
    pub ts_echo: Option<u32>,
}

impl Peer {
    /// A peer at `port` that talks to `to`, with the ISN 1000 and every option.
    pub fn new(ip: Ip, port: u16, to: u16) -> Self {
        Peer {
            addr: SocketAddr::new(ip.peer(), port),
            to: SocketAddr::new(ip.listener(), to),
            seq: 1000,
            ack: 0,
            options: SYN_OPTIONS.to_vec(),
            ts: 1000,
            ts_echo: None,
        }
    }

    /// With only these options in the SYN.
    pub fn offering(mut self, options: &[Opt]) -> Self {
        self.options = options.to_vec();
        self
    }

    /// A segment of this connection at the current numbers, with timestamps if they are in use.
    pub fn segment(&self, flags: &str) -> Segment {
        let ack = if flags.contains('A') { self.ack } else { 0 };
        let segment = Segment::new(self.addr, self.to, flags, self.seq, ack);
        match self.ts_echo {
            Some(echo) => segment.options(&[Opt::Nop, Opt::Nop, Opt::Ts(self.ts, echo)]),
            None => segment,
        }
    }

    /// The SYN; the sequence number stays on it.
    pub fn syn_segment(&self) -> Segment {
        Segment::new(self.addr, self.to, "S", self.seq, 0).options(&self.options)
    }

    /// Sends the SYN.
    pub fn syn(&mut self, t: &mut dyn Twin) {
        t.inject(&self.syn_segment().packet());
    }

    /// Sends the SYN and takes the SYN-ACK.
    #[track_caller]
    pub fn half_open(&mut self, t: &mut dyn Twin) -> Packet {
        self.syn(t);
        let packet = self.expect(t, "SA");
        self.seq = self.seq.wrapping_add(1);
        assert_eq!(packet.ack, self.seq, "the SYN-ACK acknowledges the SYN");
        packet
    }

    /// The whole handshake.
    #[track_caller]
    pub fn open(&mut self, t: &mut dyn Twin) -> Packet {
        let packet = self.half_open(t);
        self.ack(t);
        packet
    }

    /// Sends a bare ACK.
    pub fn ack(&mut self, t: &mut dyn Twin) {
        self.ts += 1;
        t.inject(&self.segment("A").packet());
    }

    /// Sends data.
    pub fn data(&mut self, t: &mut dyn Twin, data: &[u8]) {
        self.ts += 1;
        t.inject(&self.segment("PA").data(data).packet());
        self.seq = self.seq.wrapping_add(data.len() as u32);
    }

    /// Sends a FIN.
    pub fn fin(&mut self, t: &mut dyn Twin) {
        self.ts += 1;
        t.inject(&self.segment("FA").packet());
        self.seq = self.seq.wrapping_add(1);
    }

    /// Sends an RST at exactly the next sequence number.
    pub fn rst(&mut self, t: &mut dyn Twin) {
        t.inject(&Segment::new(self.addr, self.to, "R", self.seq, 0).packet());
    }

    /// Sends an ICMP error about the system's segment with this sequence number.
    pub fn icmp(&self, t: &mut dyn Twin, kind: u8, code: u8, extra: u32, seq: u32) {
        let icmp = Icmp {
            src: self.addr.ip(),
            kind,
            code,
            extra,
        };
        t.inject(&icmp.packet(self.to, self.addr, seq));
    }

    /// Takes the next packet, which must be this connection's with exactly these flags.
    #[track_caller]
    pub fn expect(&mut self, t: &mut dyn Twin, flags: &str) -> Packet {
        self.expect_within(t, flags, PATIENCE)
    }

    /// The same with another patience.
    #[track_caller]
    pub fn expect_within(&mut self, t: &mut dyn Twin, flags: &str, timeout: Duration) -> Packet {
        let packet = t.next_tcp(timeout);
        let packet =
            packet.unwrap_or_else(|| panic!("no packet; {flags} expected by {}", self.addr));
        assert_eq!((packet.dst, packet.src), (self.addr, self.to), "{packet:?}");
        assert_eq!(packet.flags, flags, "{packet:?}");
        if !flags.contains('R') {
            let control = flags
                .chars()
                .filter(|flag| matches!(flag, 'S' | 'F'))
                .count() as u32;
            self.ack = packet.seq.wrapping_add(packet.data.len() as u32 + control);
            self.ts_echo = packet.ts();
        }
        packet
    }

    /// Takes the RST that answers an ACK of nothing known: bare, at the sequence number `seq`.
    #[track_caller]
    pub fn expect_bare_rst(&mut self, t: &mut dyn Twin, seq: u32) {
        let packet = self.expect(t, "R");
        assert_eq!((packet.seq, packet.ack, packet.window), (seq, 0, 0));
        assert!(
            packet.options.is_empty() && packet.data.is_empty(),
            "{packet:?}"
        );
    }

    /// Takes the RST+ACK with this acknowledgment number.
    #[track_caller]
    pub fn expect_rst_ack(&mut self, t: &mut dyn Twin, seq: u32, ack: u32) {
        let packet = self.expect(t, "RA");
        assert_eq!((packet.seq, packet.ack), (seq, ack));
    }
}
