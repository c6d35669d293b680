//! ICMP and ICMPv6: echo, and errors that tell a connection what became of its segment.

use core::net::{IpAddr, SocketAddr};
use hearken_abi::{Counter, DropReason, TcpState};
use hearken_tcp::tcb::SoError;
use hearken_tcp::{Effects, Instant, Seq, Tuple, V4, V6};
use hearken_wire::{icmp, icmpv6, ipv4, ipv6};

use crate::api::IfaceId;
use crate::family::{IpMeta, Side};
use crate::hash::established::Entry;
use crate::listen::remove;
use crate::net::Net;
use crate::shared::Shared;
use crate::tcp_input::after;
use crate::udp;

/// Headers before an ICMP body, at the most.
const HEADERS: usize = 48;

pub(crate) fn input_v4(net: &mut Net, now: Instant, iface: IfaceId, h: &ipv4::Header, data: &[u8]) {
    let sh = &mut net.sh;
    sh.mib.inc(Counter::IcmpInMsgs);
    let Ok((message, body)) = icmp::parse(data) else {
        sh.mib.inc(Counter::IcmpInErrors);
        return sh.drop_packet(DropReason::IcmpCsum);
    };
    sh.icmp_types.count(false, false, message.kind().0);
    match message {
        icmp::Message::EchoRequest { id, seq } if !sh.routing.is_broadcast(h.dst.into()) => {
            sh.mib.inc(Counter::IcmpInEchos);
            sh.mib.inc(Counter::IcmpOutMsgs);
            sh.mib.inc(Counter::IcmpOutEchoReps);
            let reply = icmp::Message::EchoReply { id, seq };
            sh.icmp_types.count(false, true, reply.kind().0);
            let emit = |buf: &mut [u8]| icmp::emit(reply, body, buf);
            send::<V4>(sh, iface, h.dst, h.src, 1, body.len() + icmp::LEN, emit);
        }
        icmp::Message::DestUnreachable { code, mtu } => {
            sh.mib.inc(Counter::IcmpInDestUnreachs);
            let error = match code {
                icmp::unreach::FRAG_NEEDED => return too_big_v4(net, now, iface, body, mtu),
                icmp::unreach::PROTOCOL => SoError::NoProtoOpt,
                icmp::unreach::PORT => SoError::Refused,
                icmp::unreach::NET => SoError::NetUnreach,
                _ => SoError::HostUnreach,
            };
            let ends_request = matches!(code, icmp::unreach::NET | icmp::unreach::HOST);
            quoted_v4(net, now, iface, body, Some(error), ends_request);
        }
        icmp::Message::TimeExceeded { code } => {
            sh.mib.inc(Counter::IcmpInTimeExcds);
            quoted_v4(net, now, iface, body, Some(SoError::HostUnreach), code == 0);
        }
        icmp::Message::ParameterProblem { .. } => {
            sh.mib.inc(Counter::IcmpInParmProbs);
            quoted_v4(net, now, iface, body, Some(SoError::Protocol), true);
        }
        _ => {}
    }
}

/// The smallest path MTU that is believed of IPv4 (Linux `net.ipv4.route.min_pmtu`).
const MIN_PMTU_V4: u32 = 552;
/// IPV6_MIN_MTU.
const MIN_PMTU_V6: u32 = 1280;

/// What an ICMP error says of a segment.
#[derive(Clone, Copy)]
enum What {
    /// It did not arrive; what the connection is told, if anything.
    Error(Option<SoError>),
    /// It is larger than this path MTU.
    TooBig(u32),
}

/// Fragmentation needed, and DF set (RFC 1191).
fn too_big_v4(net: &mut Net, now: Instant, iface: IfaceId, body: &[u8], mtu: u16) {
    match icmp::quoted(body) {
        Some(q) if q.ip.protocol == 6 => {
            let tuple = Tuple::<V4> {
                laddr: q.ip.src,
                raddr: q.ip.dst,
                lport: q.ports.0,
                rport: q.ports.1,
            };
            let mtu = u32::from(mtu).max(MIN_PMTU_V4);
            quoted(net, now, &tuple, Seq(q.seq), What::TooBig(mtu), false);
        }
        // Our datagrams leave without DF.
        _ => quoted_v4(net, now, iface, body, None, false),
    }
}

/// `error` is what a connection is told, `ends_request` whether a half-open one is given up (docs/linux 64).
fn quoted_v4(
    net: &mut Net,
    now: Instant,
    iface: IfaceId,
    body: &[u8],
    error: Option<SoError>,
    ends_request: bool,
) {
    let Some(q) = icmp::quoted(body).filter(|q| matches!(q.ip.protocol, 6 | 17)) else {
        net.sh.mib.inc(Counter::IcmpInErrors);
        return;
    };
    if q.ip.protocol == 17 {
        let at = |ip: [u8; 4], port| SocketAddr::new(ip.into(), port);
        let (from, to) = (at(q.ip.src, q.ports.0), at(q.ip.dst, q.ports.1));
        if let Some(e) = error {
            udp::error(&mut net.sh, from, to, iface, e);
        }
        return;
    }
    let tuple = Tuple::<V4> {
        laddr: q.ip.src,
        raddr: q.ip.dst,
        lport: q.ports.0,
        rport: q.ports.1,
    };
    quoted(
        net,
        now,
        &tuple,
        Seq(q.seq),
        What::Error(error),
        ends_request,
    );
}

pub(crate) fn input_v6(net: &mut Net, now: Instant, iface: IfaceId, h: &ipv6::Header, data: &[u8]) {
    let sh = &mut net.sh;
    sh.mib.inc(Counter::Icmp6InMsgs);
    let Ok((message, body)) = icmpv6::parse(h.src, h.dst, data) else {
        sh.mib.inc(Counter::Icmp6InErrors);
        return sh.drop_packet(DropReason::IcmpCsum);
    };
    sh.icmp_types.count(true, false, message.kind().0);
    match message {
        icmpv6::Message::EchoRequest { id, seq } => {
            sh.mib.inc(Counter::Icmp6InEchos);
            sh.mib.inc(Counter::Icmp6OutMsgs);
            sh.mib.inc(Counter::Icmp6OutEchoReplies);
            let reply = icmpv6::Message::EchoReply { id, seq };
            sh.icmp_types.count(true, true, reply.kind().0);
            let emit = |buf: &mut [u8]| icmpv6::emit(h.dst, h.src, reply, body, buf);
            send::<V6>(sh, iface, h.dst, h.src, 58, body.len() + icmpv6::LEN, emit);
        }
        icmpv6::Message::DestUnreachable { code } => {
            sh.mib.inc(Counter::Icmp6InDestUnreachs);
            let error = match code {
                icmpv6::unreach::NO_ROUTE => SoError::NetUnreach,
                icmpv6::unreach::PORT => SoError::Refused,
                icmpv6::unreach::PROHIBITED
                | icmpv6::unreach::POLICY
                | icmpv6::unreach::REJECT_ROUTE => SoError::Access,
                _ => SoError::HostUnreach,
            };
            // The reverse of IPv4: no route and unreachable addresses may pass, a refusal does not (docs/linux 64).
            let ends_request = matches!(
                code,
                icmpv6::unreach::PORT
                    | icmpv6::unreach::PROHIBITED
                    | icmpv6::unreach::POLICY
                    | icmpv6::unreach::REJECT_ROUTE
            );
            quoted_v6(net, now, iface, body, Some(error), ends_request);
        }
        icmpv6::Message::PacketTooBig { mtu } => {
            sh.mib.inc(Counter::Icmp6InPktTooBigs);
            match icmpv6::quoted(body) {
                Some(q) if q.protocol == 6 => {
                    let tuple = Tuple::<V6> {
                        laddr: q.src,
                        raddr: q.dst,
                        lport: q.ports.0,
                        rport: q.ports.1,
                    };
                    // No IPv6 link takes less (RFC 8200 5): such a message is not believed.
                    let what = if mtu < MIN_PMTU_V6 {
                        What::Error(None)
                    } else {
                        What::TooBig(mtu)
                    };
                    quoted(net, now, &tuple, Seq(q.seq), what, false);
                }
                _ => quoted_v6(net, now, iface, body, None, false),
            }
        }
        icmpv6::Message::TimeExceeded { .. } => {
            sh.mib.inc(Counter::Icmp6InTimeExcds);
            quoted_v6(net, now, iface, body, Some(SoError::HostUnreach), false);
        }
        icmpv6::Message::ParameterProblem { .. } => {
            sh.mib.inc(Counter::Icmp6InParmProblems);
            quoted_v6(net, now, iface, body, Some(SoError::Protocol), true);
        }
        // Neighbour solicitation and advertisement.
        icmpv6::Message::Other {
            kind: 135 | 136, ..
        } => {
            crate::link::ndp_input(net, now, iface, h, data);
        }
        _ => {}
    }
}

fn quoted_v6(
    net: &mut Net,
    now: Instant,
    iface: IfaceId,
    body: &[u8],
    error: Option<SoError>,
    ends_request: bool,
) {
    let Some(q) = icmpv6::quoted(body).filter(|q| matches!(q.protocol, 6 | 17)) else {
        net.sh.mib.inc(Counter::Icmp6InErrors);
        return;
    };
    if q.protocol == 17 {
        let at = |ip: [u8; 16], port| SocketAddr::new(ip.into(), port);
        let (from, to) = (at(q.src, q.ports.0), at(q.dst, q.ports.1));
        if let Some(e) = error {
            udp::error(&mut net.sh, from, to, iface, e);
        }
        return;
    }
    let tuple = Tuple::<V6> {
        laddr: q.src,
        raddr: q.dst,
        lport: q.ports.0,
        rport: q.ports.1,
    };
    quoted(
        net,
        now,
        &tuple,
        Seq(q.seq),
        What::Error(error),
        ends_request,
    );
}

/// An error quotes a segment of ours: it must be one that is outstanding (RFC 5927 4.1). It ends a connection attempt;
/// an established connection only keeps it to report (RFC 5461 2; Linux `sk_err_soft`).
fn quoted<F: Side>(
    net: &mut Net,
    now: Instant,
    tuple: &Tuple<F>,
    seq: Seq,
    what: What,
    ends_request: bool,
) {
    let (half, sh) = F::parts(net);
    match half.find(&sh.secrets, tuple) {
        Some(Entry::Connection(slot)) => {
            let Some(c) = half.conns.get_mut(slot) else {
                return;
            };
            // A Fast Open child's SYN-ACK is outstanding, though SND.UNA stands behind it.
            let first = c.tcb.snd.una - u32::from(c.tcb.pending().is_some());
            if seq.before(first) || seq.after(c.tcb.snd.nxt) {
                sh.mib.inc(Counter::OutOfWindowIcmps);
                return;
            }
            let error = match what {
                What::TooBig(mtu) => {
                    let header = F::HEADER as u32;
                    let peer = F::to_ip(tuple.raddr);
                    let known = sh.mtu_to(IfaceId(c.tcb.iface), peer);
                    let smaller = !F::V6 || mtu < u32::from(c.tcb.mss) + header + 20;
                    if c.tcb.state != TcpState::Close && mtu < known && smaller {
                        sh.metrics.set_path_mtu(now, peer, mtu);
                    }
                    if c.tcb.mtu_reduced(&mut sh.ctx(now), mtu, header) {
                        after(half, sh, now, slot, Effects::NONE, None);
                    }
                    return;
                }
                What::Error(None) => return,
                What::Error(Some(error)) => error,
            };
            // An attempt that SYNs crossed is one still (docs/linux/sequences.md).
            let crossed = c.tcb.state == TcpState::SynRecv && c.tcb.pending().is_none();
            if c.tcb.state == TcpState::SynSent || crossed {
                let fx = c.tcb.fail(&mut sh.ctx(now), error);
                after(half, sh, now, slot, fx, None);
            } else if let Some(fx) = c.tcb.fail_pending(&mut sh.ctx(now), error) {
                after(half, sh, now, slot, fx, None);
            } else {
                c.tcb.set_soft_error(error);
            }
        }
        Some(Entry::Request(slot)) => {
            if half.reqs.get(slot).is_some_and(|r| r.snt_isn != seq) {
                sh.mib.inc(Counter::OutOfWindowIcmps);
            } else if ends_request {
                // tcp_req_err (6.18): silently, but counted as a drop of the listener.
                sh.mib.inc(Counter::ListenDrops);
                remove(half, sh, slot);
            }
        }
        Some(Entry::TimeWait(_)) => {}
        None => sh.mib.inc(if F::V6 {
            Counter::Icmp6InErrors
        } else {
            Counter::IcmpInErrors
        }),
    }
}

/// Sends an ICMP message of `len` bytes that `emit` writes.
fn send<F: Side>(
    sh: &mut Shared,
    iface: IfaceId,
    src: F::Addr,
    dst: F::Addr,
    proto: u8,
    len: usize,
    emit: impl FnOnce(&mut [u8]) -> usize,
) {
    let ttl = sh.sysctls.ip_default_ttl;
    let mut packet = sh.iface(iface).map(|i| i.buffer()).unwrap_or_default();
    packet.resize(HEADERS + len, 0);
    let ip = F::emit_ip(
        &mut packet,
        src,
        dst,
        &IpMeta {
            proto,
            ttl,
            tos: 0,
            flow: 0,
        },
        len,
    );
    let n = emit(&mut packet[ip..]);
    packet.truncate(ip + n);
    sh.reply(iface, packet);
}

/// Tells the sender of a SYN that where it wants to go is unreachable. The SYN is not at hand any more: what RFC 792
/// asks to be quoted of it (IP header, ports, sequence number) is written anew.
pub(crate) fn unreachable<F: Side>(
    sh: &mut Shared,
    iface: IfaceId,
    tuple: &Tuple<F>,
    isn: Seq,
    code: u8,
) {
    let mut quote = [0u8; HEADERS + 20];
    let meta = IpMeta {
        proto: 6,
        ttl: 64,
        tos: 0,
        flow: 0,
    };
    let ip = F::emit_ip(&mut quote, tuple.raddr, tuple.laddr, &meta, 20);
    quote[ip..ip + 2].copy_from_slice(&tuple.rport.to_be_bytes());
    quote[ip + 2..ip + 4].copy_from_slice(&tuple.lport.to_be_bytes());
    quote[ip + 4..ip + 8].copy_from_slice(&isn.0.to_be_bytes());
    quoting::<F>(sh, iface, tuple.laddr, tuple.raddr, code, &quote[..ip + 20]);
}

/// Sends a destination unreachable that quotes a packet.
fn quoting<F: Side>(
    sh: &mut Shared,
    iface: IfaceId,
    src: F::Addr,
    dst: F::Addr,
    code: u8,
    quote: &[u8],
) {
    let len = quote.len() + icmp::LEN;
    let proto = if F::V6 { 58 } else { 1 };
    sh.mib.inc(if F::V6 {
        Counter::Icmp6OutMsgs
    } else {
        Counter::IcmpOutMsgs
    });
    sh.mib.inc(if F::V6 {
        Counter::Icmp6OutDestUnreachs
    } else {
        Counter::IcmpOutDestUnreachs
    });
    let kind = if F::V6 { 1 } else { 3 };
    sh.icmp_types.count(F::V6, true, kind);
    send::<F>(sh, iface, src, dst, proto, len, |buf| {
        F::emit_unreachable(src, dst, code, quote, buf)
    });
}

/// Bytes of a datagram that its ICMP error quotes, so that the whole stays below 576 bytes (RFC 1812 4.3.2.3).
const QUOTE: usize = 500;

/// Nobody has the port: tells the sender of a UDP datagram, at a limited rate.
pub(crate) fn port_unreachable(
    sh: &mut Shared,
    now: Instant,
    iface: IfaceId,
    src: IpAddr,
    dst: IpAddr,
    datagram: &[u8],
) {
    fn tell<F: Side>(
        sh: &mut Shared,
        iface: IfaceId,
        from: F::Addr,
        to: F::Addr,
        code: u8,
        datagram: &[u8],
    ) {
        let mut quote = alloc::vec![0; F::HEADER];
        F::emit_ip(
            &mut quote,
            to,
            from,
            &IpMeta {
                proto: 17,
                ttl: 64,
                tos: 0,
                flow: 0,
            },
            datagram.len(),
        );
        quote.extend_from_slice(&datagram[..datagram.len().min(QUOTE)]);
        quoting::<F>(sh, iface, from, to, code, &quote);
    }
    let hash = sh.secrets.listen_hash(&crate::hash::listening::key(src), 0);
    if !sh.icmp_limit.allows(hash, now) {
        let c = if src.is_ipv6() {
            Counter::Icmp6OutRateLimitHost
        } else {
            Counter::IcmpOutRateLimitHost
        };
        return sh.mib.inc(c);
    }
    match (dst, src) {
        (IpAddr::V4(d), IpAddr::V4(s)) => {
            tell::<V4>(
                sh,
                iface,
                d.octets(),
                s.octets(),
                icmp::unreach::PORT,
                datagram,
            );
        }
        (IpAddr::V6(d), IpAddr::V6(s)) => {
            tell::<V6>(
                sh,
                iface,
                d.octets(),
                s.octets(),
                icmpv6::unreach::PORT,
                datagram,
            );
        }
        _ => {}
    }
}

/// A packet of ours found no neighbour to take it: as if the last router had said so.
pub(crate) fn never_left(net: &mut Net, now: Instant, iface: IfaceId, packet: &[u8]) {
    let error = Some(SoError::HostUnreach);
    match packet.first().map(|b| b >> 4) {
        Some(4) => quoted_v4(net, now, iface, packet, error, false),
        Some(6) => quoted_v6(net, now, iface, packet, error, false),
        _ => {}
    }
}
