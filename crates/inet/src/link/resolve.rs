//! Questions and answers: ARP (RFC 826) and neighbour discovery (RFC 4861 7.2).

use alloc::vec::Vec;
use core::net::IpAddr;
use hearken_abi::{Counter, DropReason};
use hearken_tcp::Instant;
use hearken_wire::ethernet::{self, Arp, ether_type};
use hearken_wire::{ipv6, ndp};

use super::neighbour::Due;
use super::{Ethernet, shifted};
use crate::api::IfaceId;
use crate::frame::TxMeta;
use crate::ip::icmp;
use crate::net::Net;
use crate::shared::Shared;
use crate::timers::{Key, Kind};

/// What neighbour discovery must arrive with: it has crossed no router.
const HOP_LIMIT: u8 = 255;

/// Asks who has `ip`: everybody, or the station that had it.
pub(super) fn ask(eth: &mut Ethernet, ip: IpAddr, known: Option<[u8; 6]>) {
    match ip {
        IpAddr::V4(target) => {
            let source = eth.addrs.iter().find_map(|a| {
                if let IpAddr::V4(a) = a {
                    Some(a.octets())
                } else {
                    None
                }
            });
            let arp = Arp {
                request: true,
                sender_mac: eth.mac,
                sender_ip: source.unwrap_or_default(),
                target_mac: [0; 6],
                target_ip: target.octets(),
            };
            send_arp(eth, known.unwrap_or(ethernet::BROADCAST), arp);
        }
        IpAddr::V6(target) => {
            let target = target.octets();
            let source = eth.addrs.iter().find_map(|a| {
                if let IpAddr::V6(a) = a {
                    Some(a.octets())
                } else {
                    None
                }
            });
            let Some(source) = source else { return };
            let dst = if known.is_some() {
                target
            } else {
                ndp::solicited_node(target)
            };
            let mac = known.unwrap_or_else(|| ethernet::multicast_v6(dst));
            send_ndp(
                eth,
                mac,
                source,
                dst,
                ndp::Message::Solicitation {
                    target,
                    source: Some(eth.mac),
                },
            );
        }
    }
}

fn send_arp(eth: &mut Ethernet, dst: [u8; 6], arp: Arp) {
    let mut frame: Vec<u8> = alloc::vec![0; ethernet::LEN + ethernet::ARP_LEN];
    let (head, body) = frame.split_at_mut(ethernet::LEN);
    ethernet::Header {
        dst,
        src: eth.mac,
        ether_type: ether_type::ARP,
    }
    .emit(head);
    arp.emit(body);
    eth.push(TxMeta::default(), frame);
}

fn send_ndp(eth: &mut Ethernet, mac: [u8; 6], src: [u8; 16], dst: [u8; 16], message: ndp::Message) {
    let mut frame: Vec<u8> = alloc::vec![0; ethernet::LEN + ipv6::LEN + ndp::LEN];
    let (head, packet) = frame.split_at_mut(ethernet::LEN);
    ethernet::Header {
        dst: mac,
        src: eth.mac,
        ether_type: ether_type::IPV6,
    }
    .emit(head);
    let (ip, body) = packet.split_at_mut(ipv6::LEN);
    let n = ndp::emit(src, dst, message, body);
    ipv6::Header {
        src,
        dst,
        next_header: 58,
        hop_limit: HOP_LIMIT,
        traffic_class: 0,
        flow_label: 0,
        payload_len: n as u16,
    }
    .emit(ip);
    frame.truncate(ethernet::LEN + ipv6::LEN + n);
    eth.push(TxMeta::default(), frame);
}

/// Runs `f` on the Ethernet side of an interface, and sees that its clock is known.
pub(super) fn with<R>(
    sh: &mut Shared,
    iface: IfaceId,
    f: impl FnOnce(&mut Ethernet) -> R,
) -> Option<R> {
    let eth = sh.iface(iface)?.ethernet.as_mut()?;
    let r = f(eth);
    rearm(sh, iface);
    Some(r)
}

/// Sees that the timer queue knows the interface's next question.
pub(crate) fn rearm(sh: &mut Shared, iface: IfaceId) {
    let Some(eth) = sh.iface(iface).and_then(|i| i.ethernet.as_mut()) else {
        return;
    };
    let Some(at) = eth.neighbours.new_deadline() else {
        return;
    };
    let queued = eth.timer_queued;
    eth.timer_queued = at;
    let key = key(iface);
    sh.timers.cancel(queued, key);
    if at != Instant::FAR {
        sh.timers.set(at, key);
    }
}

fn key(iface: IfaceId) -> Key {
    Key {
        kind: Kind::Neighbours,
        v6: false,
        slot: u32::from(iface.0),
        generation: 0,
    }
}

/// `ip` is at `mac`: what waited for it leaves.
fn learned(sh: &mut Shared, now: Instant, iface: IfaceId, ip: IpAddr, mac: [u8; 6], make: bool) {
    with(sh, iface, |eth| {
        let header = eth.header(mac, ip);
        for (meta, packet) in eth
            .neighbours
            .learn(now, ip, mac, make)
            .into_iter()
            .flatten()
        {
            let mut frame = header.to_vec();
            frame.extend_from_slice(&packet);
            eth.push(shifted(&meta), frame);
        }
    });
}

/// An ARP message: its sender is learned if it is known already, or asks for us; questions for us are answered.
pub(crate) fn arp_input(net: &mut Net, now: Instant, iface: IfaceId, data: &[u8]) {
    let sh = &mut net.sh;
    let Some(arp) = Arp::parse(data) else {
        return sh.drop_packet(DropReason::HdrTrunc);
    };
    let sender = IpAddr::from(arp.sender_ip);
    let ours = sh.routing.is_local(arp.target_ip.into());
    // A probe has no sender (RFC 5227 2.1.1); nobody else may claim an address of ours.
    if arp.sender_ip != [0; 4] && !sh.routing.is_local(sender) && arp.sender_mac[0] & 1 == 0 {
        learned(sh, now, iface, sender, arp.sender_mac, ours && arp.request);
    }
    if arp.request && ours {
        with(sh, iface, |eth| {
            let reply = Arp {
                request: false,
                sender_mac: eth.mac,
                sender_ip: arp.target_ip,
                target_mac: arp.sender_mac,
                target_ip: arp.sender_ip,
            };
            send_arp(eth, arp.sender_mac, reply);
        });
    }
}

/// A neighbour solicitation or advertisement, its checksum verified.
pub(crate) fn ndp_input(
    net: &mut Net,
    now: Instant,
    iface: IfaceId,
    h: &ipv6::Header,
    data: &[u8],
) {
    let sh = &mut net.sh;
    if h.hop_limit != HOP_LIMIT {
        return sh.drop_packet(DropReason::Ipv6NdiscHopLimit);
    }
    match ndp::parse(data) {
        Some(ndp::Message::Solicitation { target, source }) => {
            sh.mib.inc(Counter::Icmp6InNeighborSolicits);
            let duplicate_detection = h.src == [0; 16];
            if !sh.routing.is_local(target.into()) {
                return;
            }
            if let Some(mac) = source.filter(|m| m[0] & 1 == 0 && !duplicate_detection) {
                learned(sh, now, iface, h.src.into(), mac, true);
            }
            sh.mib.inc(Counter::Icmp6OutNeighborAdvertisements);
            with(sh, iface, |eth| {
                // RFC 4861 7.2.4: an asker without an address is answered by way of the group of all nodes.
                let all_nodes = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
                let (dst, mac) = match source {
                    Some(mac) if !duplicate_detection => (h.src, mac),
                    _ => (all_nodes, ethernet::multicast_v6(all_nodes)),
                };
                let solicited = !duplicate_detection;
                let answer = ndp::Message::Advertisement {
                    target,
                    mac: Some(eth.mac),
                    solicited,
                    overrides: true,
                };
                send_ndp(eth, mac, target, dst, answer);
            });
        }
        Some(ndp::Message::Advertisement { target, mac, .. }) => {
            sh.mib.inc(Counter::Icmp6InNeighborAdvertisements);
            if let Some(mac) = mac.filter(|m| m[0] & 1 == 0 && !sh.routing.is_local(target.into()))
            {
                learned(sh, now, iface, target.into(), mac, false);
            }
        }
        None => sh.drop_packet(DropReason::Ipv6NdiscBadOptions),
    }
}

/// Asks again, and gives up who never answers: the senders of what waited are told as by ICMP host unreachable.
pub(crate) fn timeout(net: &mut Net, now: Instant, iface: IfaceId) {
    if let Some(eth) = net.sh.iface(iface).and_then(|i| i.ethernet.as_mut()) {
        eth.timer_queued = Instant::FAR;
    }
    while let Some(Some((ip, due))) = with(&mut net.sh, iface, |eth| eth.neighbours.due(now)) {
        match due {
            Due::Ask(known) => {
                with(&mut net.sh, iface, |eth| ask(eth, ip, known));
            }
            Due::Failed(waiting) => {
                for (_, packet) in waiting {
                    net.sh.drop_packet(DropReason::NeighFailed);
                    icmp::never_left(net, now, iface, &packet);
                }
            }
        }
    }
}
