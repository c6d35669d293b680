//! A datagram comes in (Linux `__udp4_lib_rcv`), or an ICMP error about one.

use core::net::{IpAddr, SocketAddr};
use hearken_abi::{Counter, Domain, DropReason};
use hearken_tcp::Instant;
use hearken_tcp::tcb::SoError;
use hearken_wire::udp;

use super::{BUFFER, OVERHEAD, local, pseudo};
use crate::api::{Datagram, IfaceId};
use crate::frame::RxCsum;
use crate::ip::icmp;
use crate::shared::Shared;
use crate::socket::{Socket, shown};

/// Where a datagram comes from, as the IP layer knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct From {
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    pub(crate) iface: IfaceId,
    pub(crate) unicast: bool,
    pub(crate) csum: RxCsum,
}

fn pick(v6: bool, v4: Counter, six: Counter) -> Counter {
    if v6 { six } else { v4 }
}

/// Takes the UDP part of a packet.
pub(crate) fn input(sh: &mut Shared, now: Instant, from: From, data: &[u8]) {
    let v6 = from.src.is_ipv6();
    let Some(h) = udp::parse(data, data.len()) else {
        sh.mib
            .inc(pick(v6, Counter::UdpInErrors, Counter::Udp6InErrors));
        return sh.drop_packet(DropReason::PktTooSmall);
    };
    let data = &data[..usize::from(h.len)];
    // No checksum is allowed over IPv4 only (RFC 8200 8.1).
    let unchecked = h.checksum == 0 && !v6 || from.csum != RxCsum::Unknown;
    let mut sum = pseudo(from.src, from.dst, data.len());
    sum.add(data);
    if !unchecked && sum.finish() != 0 {
        sh.mib.inc(pick(
            v6,
            Counter::UdpInCsumErrors,
            Counter::Udp6InCsumErrors,
        ));
        sh.mib
            .inc(pick(v6, Counter::UdpInErrors, Counter::Udp6InErrors));
        return sh.drop_packet(DropReason::UdpCsum);
    }
    let (to, by) = (
        SocketAddr::new(from.dst, h.dst_port),
        SocketAddr::new(from.src, h.src_port),
    );
    let Some(u) = find(sh, to, by, from.iface) else {
        sh.mib
            .inc(pick(v6, Counter::UdpNoPorts, Counter::Udp6NoPorts));
        sh.drop_packet(DropReason::NoSocket);
        if from.unicast {
            icmp::port_unreachable(sh, now, from.iface, from.src, from.dst, data);
        }
        return;
    };
    let Some(x) = sh.udp.socks.get_mut(u) else {
        return;
    };
    let domain = sh.sockets.get(x.socket).map_or(Domain::Inet, |s| s.domain);
    let body = &data[udp::LEN..];
    if x.queued + body.len() + OVERHEAD > BUFFER {
        sh.mib.inc(pick(
            v6,
            Counter::UdpRcvbufErrors,
            Counter::Udp6RcvbufErrors,
        ));
        sh.mib
            .inc(pick(v6, Counter::UdpInErrors, Counter::Udp6InErrors));
        return sh.drop_packet(DropReason::SocketRcvbuff);
    }
    x.queued += body.len() + OVERHEAD;
    x.queue.push_back(Datagram {
        from: SocketAddr::new(shown(domain, from.src), h.src_port),
        to: shown(domain, from.dst),
        iface: from.iface,
        data: body.to_vec(),
    });
    let socket = x.socket;
    sh.mib
        .inc(pick(v6, Counter::UdpInDatagrams, Counter::Udp6InDatagrams));
    sh.mark(socket);
}

/// The socket for a datagram: the one that fits most narrowly, by peer, then address, then device, then family (Linux
/// `compute_score`); among equals the newest.
fn find(sh: &Shared, to: SocketAddr, by: SocketAddr, iface: IfaceId) -> Option<u32> {
    let score = |u: u32| {
        let x = sh.udp.socks.get(u)?;
        let s = sh.sockets.get(x.socket)?;
        let at = local(sh, x.socket).ip().to_canonical();
        let v4 = to.is_ipv4();
        if v4 && s.domain == Domain::Inet6 && s.has(Socket::V6ONLY) {
            return None;
        }
        let mut n = u32::from(s.domain == Domain::Inet);
        if !at.is_unspecified() {
            if at != to.ip() {
                return None;
            }
            n += 4;
        } else if at.is_ipv4() != v4 && s.domain == Domain::Inet {
            return None;
        }
        if let Some(peer) = x.peer {
            if (peer.ip().to_canonical(), peer.port()) != (by.ip(), by.port()) {
                return None;
            }
            n += 8;
        }
        match s.conf.as_ref().and_then(|c| c.device) {
            Some(d) if d != iface => return None,
            Some(_) => n += 2,
            None => {}
        }
        Some(n)
    };
    let list = sh.udp.ports.get(&to.port())?;
    list.iter()
        .filter_map(|&u| Some((score(u)?, u)))
        .max_by_key(|e| e.0)
        .map(|e| e.1)
}

/// An ICMP error quotes a datagram of ours, sent from `from` to `to`: a connected socket hears of it.
pub(crate) fn error(sh: &mut Shared, from: SocketAddr, to: SocketAddr, iface: IfaceId, e: SoError) {
    let Some(u) = find(sh, from, to, iface) else {
        return;
    };
    let Some(x) = sh.udp.socks.get_mut(u).filter(|x| x.peer.is_some()) else {
        return;
    };
    x.error = Some(e);
    let socket = x.socket;
    sh.mark(socket);
}
