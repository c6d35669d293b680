//! Two stations on one Ethernet, and a router between two.

use crate::common::{Wire, read, write};
use core::time::Duration;
use hearken_abi::Counter;
use hearken_inet::*;
use hearken_wire::ethernet::{self, Arp};

const MAC_A: [u8; 6] = [2, 0, 0, 0, 0, 1];
const MAC_B: [u8; 6] = [2, 0, 0, 0, 0, 2];
const ETH: IfaceId = IfaceId(1);

struct Lan {
    nets: [Net; 2],
    now: Instant,
    trace: Vec<Vec<u8>>,
}

fn station(seed: u8, mac: [u8; 6]) -> Net {
    let mut n = Net::new(Config::new([seed; 32]));
    assert_eq!(n.add_ethernet("eth0", mac, 1500), ETH);
    n.add_addr(ETH, format!("10.0.0.{seed}").parse().unwrap(), 24);
    n.add_addr(ETH, format!("fd00::{seed}").parse().unwrap(), 64);
    n
}

impl Lan {
    fn new() -> Self {
        let nets = [station(1, MAC_A), station(2, MAC_B)];
        Self {
            nets,
            now: Instant(1_000_000_000),
            trace: Vec::new(),
        }
    }
    fn settle(&mut self) {
        for turn in 0..1000 {
            let mut any = false;
            for from in 0..2 {
                let mut w = Wire {
                    frames: Vec::new(),
                    gso: true,
                };
                self.nets[from].poll_transmit(self.now, ETH, &mut w);
                any |= !w.frames.is_empty();
                for f in w.frames {
                    let frame = RxFrame {
                        meta: RxMeta::default(),
                        head: &f,
                        body: &[],
                    };
                    self.nets[1 - from].handle_frames(self.now, ETH, &[frame]);
                    self.trace.push(f);
                }
            }
            if !any {
                return;
            }
            assert!(turn < 999);
        }
    }
    fn advance(&mut self, d: Duration) {
        let end = self.now + d;
        self.settle();
        while let Some(t) = self
            .nets
            .iter()
            .filter_map(|n| n.poll_timeout())
            .min()
            .filter(|t| *t <= end)
        {
            self.now = t.max(self.now);
            self.nets
                .iter_mut()
                .for_each(|n| n.handle_timeout(self.now));
            self.settle();
        }
        self.now = end;
    }
    fn types(&self) -> Vec<u16> {
        self.trace
            .iter()
            .map(|f| ethernet::parse(f).unwrap().ether_type)
            .collect()
    }
}

#[test]
fn stations_find_each_other_and_talk() {
    for (target, first) in [("10.0.0.2:80", 0x0806), ("[fd00::2]:80", 0x86dd)] {
        let mut l = Lan::new();
        let domain = if first == 0x0806 {
            Domain::Inet
        } else {
            Domain::Inet6
        };
        let s = l.nets[1].socket(domain);
        l.nets[1]
            .bind(s, target.parse().unwrap(), &Cred::ROOT)
            .unwrap();
        l.nets[1].listen(l.now, s, 1).unwrap();
        let c = l.nets[0].socket(domain);
        l.nets[0]
            .connect(l.now, c, target.parse().unwrap(), &Cred::ROOT)
            .unwrap();
        l.settle();
        assert_eq!(l.nets[0].state(c), TcpState::Established);
        let types = l.types();
        assert_eq!(&types[..2], &[first, first], "question and answer");
        assert_eq!(
            ethernet::parse(&l.trace[0]).unwrap().dst[0] & 1,
            1,
            "asked of a group"
        );
        let asked = types.iter().filter(|&&t| t == 0x0806).count();
        assert_eq!(
            asked,
            if domain == Domain::Inet { 2 } else { 0 },
            "the asked learns the asker"
        );
        let a = l.nets[1].accept(l.now, s).unwrap().socket;
        let data = vec![9; 50_000];
        let (mut sent, mut got) = (0, Vec::new());
        while got.len() < data.len() {
            sent += write(&mut l.nets[0], l.now, c, &data[sent..]).unwrap_or(0);
            l.settle();
            got.extend(read(&mut l.nets[1], l.now, a).unwrap_or_default());
        }
        assert!(got == data);
        assert_eq!(l.nets[0].mib().get(Counter::TcpRetransSegs), 0);
    }
}

#[test]
fn neighbour_that_never_answers_fails_the_connection_after_three_questions() {
    for target in ["10.0.0.9:80", "[fd00::9]:80"] {
        let mut l = Lan::new();
        let c = l.nets[0].socket(if target.starts_with('1') {
            Domain::Inet
        } else {
            Domain::Inet6
        });
        let at = target.parse().unwrap();
        l.nets[0].connect(l.now, c, at, &Cred::ROOT).unwrap();
        l.advance(Duration::from_millis(2900));
        assert_eq!(l.nets[0].state(c), TcpState::SynSent);
        l.advance(Duration::from_millis(200));
        let end = l.nets[0].connect(l.now, c, at, &Cred::ROOT);
        assert_eq!(end, Err(ConnectError::Failed(SoError::HostUnreach)));
        assert_eq!(l.trace.len(), 3);
    }
}

#[test]
fn an_address_is_asked_again_once_it_is_old_without_stopping_traffic() {
    let mut l = Lan::new();
    let s = l.nets[1].udp_socket(Domain::Inet);
    l.nets[1]
        .bind(s, "10.0.0.2:5".parse().unwrap(), &Cred::ROOT)
        .unwrap();
    let c = l.nets[0].udp_socket(Domain::Inet);
    let send = |l: &mut Lan| {
        l.nets[0]
            .send_to(c, Some("10.0.0.2:5".parse().unwrap()), &[b"x"])
            .unwrap();
        l.settle();
    };
    send(&mut l);
    send(&mut l);
    assert_eq!(l.types(), [0x0806, 0x0806, 0x0800, 0x0800]);
    l.advance(Duration::from_secs(31));
    l.trace.clear();
    send(&mut l);
    send(&mut l);
    assert_eq!(l.types(), [0x0800, 0x0806, 0x0806, 0x0800]);
    assert_eq!(
        ethernet::parse(&l.trace[1]).unwrap().dst,
        MAC_B,
        "asked of the station alone"
    );
}

#[test]
fn router_takes_what_is_not_on_the_link() {
    let mut l = Lan::new();
    l.nets[0].add_route_via(
        "0.0.0.0".parse().unwrap(),
        0,
        ETH,
        "10.0.0.2".parse().unwrap(),
    );
    let c = l.nets[0].udp_socket(Domain::Inet);
    l.nets[0]
        .send_to(c, Some("192.0.2.1:5".parse().unwrap()), &[b"x"])
        .unwrap();
    l.settle();
    let asked = Arp::parse(&l.trace[0][14..]).unwrap();
    assert_eq!(asked.target_ip, [10, 0, 0, 2]);
    assert_eq!(ethernet::parse(l.trace.last().unwrap()).unwrap().dst, MAC_B);
}

#[test]
fn strangers_are_not_learned_and_cannot_claim_our_address() {
    let mut l = Lan::new();
    let gossip = |request, sender_ip, target_ip| {
        let mut f = vec![0; 42];
        ethernet::Header {
            dst: ethernet::BROADCAST,
            src: [2; 6],
            ether_type: 0x0806,
        }
        .emit(&mut f);
        Arp {
            request,
            sender_mac: [2; 6],
            sender_ip,
            target_mac: [0; 6],
            target_ip,
        }
        .emit(&mut f[14..]);
        f
    };
    let claims = [
        gossip(false, [10, 0, 0, 7], [10, 0, 0, 7]),
        gossip(true, [10, 0, 0, 7], [10, 0, 0, 8]),
        gossip(true, [10, 0, 0, 1], [10, 0, 0, 8]),
    ];
    for f in &claims {
        let frame = RxFrame {
            meta: RxMeta::default(),
            head: f,
            body: &[],
        };
        l.nets[0].handle_frames(l.now, ETH, &[frame]);
    }
    l.settle();
    assert!(l.trace.is_empty());
    let c = l.nets[0].udp_socket(Domain::Inet);
    l.nets[0]
        .send_to(c, Some("10.0.0.7:5".parse().unwrap()), &[b"x"])
        .unwrap();
    l.settle();
    assert_eq!(l.types(), [0x0806], "10.0.0.7 had to be asked for");
}

#[test]
fn neighbour_on_the_link_is_not_reached_through_the_default_router() {
    let mut l = Lan::new();
    l.nets[0].add_route_via(
        "0.0.0.0".parse().unwrap(),
        0,
        ETH,
        "10.0.0.200".parse().unwrap(),
    );
    let c = l.nets[0].udp_socket(Domain::Inet);
    l.nets[0]
        .send_to(c, Some("10.0.0.2:5".parse().unwrap()), &[b"x"])
        .unwrap();
    l.settle();
    let asked = Arp::parse(&l.trace[0][14..]).unwrap();
    assert_eq!(asked.target_ip, [10, 0, 0, 2]);
}
