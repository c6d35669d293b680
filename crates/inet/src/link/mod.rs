//! Ethernet below IP: frames in and out, and which station is the next hop. An interface without it carries bare IP.

mod neighbour;
mod resolve;

pub(crate) use resolve::{arp_input, ndp_input, rearm, timeout};

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::IpAddr;
use hearken_abi::DropReason;
use hearken_tcp::Instant;
use hearken_wire::ethernet::{self, ether_type};

use crate::api::{IfaceId, Route};
use crate::frame::{RxFrame, TxCaps, TxCsum, TxMeta, TxSink};
use crate::iface::in_prefix;
use crate::ip;
use crate::net::Net;
use neighbour::{Lookup, Neighbours};

/// The Ethernet side of an interface.
#[derive(Debug)]
pub(crate) struct Ethernet {
    pub(crate) mac: [u8; 6],
    /// Our addresses on it: the sources of questions.
    pub(crate) addrs: Vec<IpAddr>,
    /// The routes over it, in the order in which they are looked at.
    pub(crate) routes: Vec<Route>,
    pub(crate) neighbours: Neighbours,
    /// Finished frames.
    pub(crate) frames: VecDeque<(TxMeta, Vec<u8>)>,
    /// The deadline that the timer queue knows.
    pub(crate) timer_queued: Instant,
}

/// Finished frames that may wait.
const MAX_FRAMES: usize = 1024;

impl Ethernet {
    pub(crate) fn new(mac: [u8; 6]) -> Self {
        Self {
            mac,
            addrs: Vec::new(),
            routes: Vec::new(),
            neighbours: Neighbours::default(),
            frames: VecDeque::new(),
            timer_queued: Instant::FAR,
        }
    }

    /// Who a packet for `dst` is handed to: the router of its route, or `dst` itself.
    fn next_hop(&self, dst: IpAddr) -> IpAddr {
        let route = self.routes.iter().find(|r| in_prefix(dst, r.dst, r.prefix));
        route.and_then(|r| r.via).unwrap_or(dst)
    }

    fn header(&self, dst: [u8; 6], ip: IpAddr) -> [u8; ethernet::LEN] {
        let ether_type = if ip.is_ipv4() {
            ether_type::IPV4
        } else {
            ether_type::IPV6
        };
        let mut b = [0; ethernet::LEN];
        ethernet::Header {
            dst,
            src: self.mac,
            ether_type,
        }
        .emit(&mut b);
        b
    }

    fn push(&mut self, meta: TxMeta, frame: Vec<u8>) {
        if self.frames.len() < MAX_FRAMES {
            self.frames.push_back((meta, frame));
        }
    }
}

/// The checksum of a packet that now stands behind an Ethernet header.
fn shifted(meta: &TxMeta) -> TxMeta {
    let csum = match meta.csum {
        TxCsum::Done => TxCsum::Done,
        TxCsum::Partial { start, offset } => TxCsum::Partial {
            start: start + ethernet::LEN as u16,
            offset,
        },
    };
    TxMeta { csum, ..*meta }
}

/// Where an IP packet goes; `None` if it is none.
fn destination(packet: &[u8]) -> Option<IpAddr> {
    Some(match packet.first()? >> 4 {
        4 => IpAddr::from(*packet.get(16..)?.first_chunk::<4>()?),
        6 => IpAddr::from(*packet.get(24..)?.first_chunk::<16>()?),
        _ => return None,
    })
}

/// Puts packets into frames on their way to the device. What waits for its neighbour's address is kept aside.
pub(crate) struct Framer<'a, T> {
    pub(crate) tx: &'a mut T,
    pub(crate) eth: &'a mut Ethernet,
    pub(crate) now: Instant,
    /// A broadcast address of the interface's networks goes to everybody.
    pub(crate) broadcasts: &'a [IpAddr],
}

impl<T: TxSink> TxSink for Framer<'_, T> {
    fn caps(&self) -> TxCaps {
        self.tx.caps()
    }
    fn room(&self) -> usize {
        self.tx.room()
    }
    fn send(&mut self, meta: &TxMeta, head: &[u8], body: &[&[u8]]) {
        let Some(dst) = destination(head) else { return };
        let group = match dst {
            IpAddr::V4(a) if a.is_broadcast() || self.broadcasts.contains(&dst) => {
                Some(ethernet::BROADCAST)
            }
            IpAddr::V4(a) if a.is_multicast() => Some(ethernet::multicast_v4(a.octets())),
            IpAddr::V6(a) if a.is_multicast() => Some(ethernet::multicast_v6(a.octets())),
            _ => None,
        };
        let hop = self.eth.next_hop(dst);
        let mac = match group {
            Some(mac) => mac,
            None => match self.eth.neighbours.find(self.now, hop) {
                Lookup::Known(mac) => mac,
                Lookup::Check(mac) => {
                    resolve::ask(self.eth, hop, Some(mac));
                    mac
                }
                found @ (Lookup::Unknown | Lookup::Asked) => {
                    let mut packet = head.to_vec();
                    body.iter().for_each(|b| packet.extend_from_slice(b));
                    self.eth.neighbours.keep(hop, *meta, packet);
                    if matches!(found, Lookup::Unknown) {
                        resolve::ask(self.eth, hop, None);
                    }
                    return;
                }
            },
        };
        // Both headers together: at most 14 + 40 + 60 bytes.
        let mut both = [0u8; 128];
        let eth = self.eth.header(mac, dst);
        match both.get_mut(..ethernet::LEN + head.len()) {
            Some(b) => {
                let (front, back) = b.split_at_mut(ethernet::LEN);
                front.copy_from_slice(&eth);
                back.copy_from_slice(head);
                self.tx.send(&shifted(meta), b, body);
            }
            None => {
                let mut frame = eth.to_vec();
                frame.extend_from_slice(head);
                self.tx.send(&shifted(meta), &frame, body);
            }
        }
    }
}

/// Hands out finished frames; false if the sink is full.
pub(crate) fn flush<T: TxSink>(eth: &mut Ethernet, tx: &mut T) -> bool {
    while let Some((meta, frame)) = eth.frames.pop_front() {
        if tx.room() == 0 {
            eth.frames.push_front((meta, frame));
            return false;
        }
        tx.send(&meta, &frame, &[]);
    }
    true
}

/// Takes a frame: for us, or for a group, and of a protocol that we speak.
pub(crate) fn input(net: &mut Net, now: Instant, iface: IfaceId, frame: &RxFrame<'_>) {
    let Some((h, head)) = ethernet::parse(frame.head).zip(frame.head.get(ethernet::LEN..)) else {
        return net.sh.drop_packet(DropReason::PktTooSmall);
    };
    let Some(mac) = net
        .sh
        .iface(iface)
        .and_then(|i| i.ethernet.as_ref())
        .map(|e| e.mac)
    else {
        return;
    };
    if h.dst != mac && h.dst[0] & 1 == 0 {
        return net.sh.drop_packet(DropReason::Otherhost);
    }
    match h.ether_type {
        ether_type::IPV4 | ether_type::IPV6 => {
            let link = &frame.head[..ethernet::LEN];
            ip::input::input(net, now, iface, link, &RxFrame { head, ..*frame })
        }
        ether_type::ARP => arp_input(net, now, iface, head),
        _ => net.sh.drop_packet(DropReason::UnhandledProto),
    }
}
