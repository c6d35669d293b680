//! SOL_IP: `do_ip_setsockopt` and `do_ip_getsockopt` (6.18), of AF_INET and of AF_INET6 sockets.

use super::sockopt::int_answer;
use super::sockopt_socket::{kept, options, options_mut, push, tcp};
use crate::file::FileId;
use crate::machine::Machine;
use alloc::vec::Vec;
use hearken_abi::sock::*;
use hearken_abi::{Errno, TcpState};
use hearken_inet::{Instant, Opt};

/// The options that are switches, and that nothing below obeys.
const SWITCHES: [i32; 10] = [
    IP_RECVOPTS,
    IP_RETOPTS,
    IP_PKTINFO,
    IP_RECVERR,
    IP_RECVTTL,
    IP_RECVTOS,
    IP_TRANSPARENT,
    IP_PASSSEC,
    IP_ORIGDSTADDR,
    IP_CHECKSUM,
];

fn switch_bit(name: i32) -> Option<u128> {
    SWITCHES.contains(&name).then(|| 1 << name)
}

/// A value in four bytes, or in one, or none at all, which is 0.
fn value_of(value: &[u8]) -> i32 {
    match value {
        [a, b, c, d, ..] => i32::from_ne_bytes([*a, *b, *c, *d]),
        [a, ..] => i32::from(*a),
        [] => 0,
    }
}

/// The same, where none at all is EINVAL.
fn needed(value: &[u8]) -> Result<i32, Errno> {
    if value.is_empty() {
        return Err(Errno::EINVAL);
    }
    Ok(value_of(value))
}

fn within(v: i32, low: i32, high: i32) -> Result<i32, Errno> {
    if !(low..=high).contains(&v) {
        return Err(Errno::EINVAL);
    }
    Ok(v)
}

/// A stream keeps the two ECN bits to itself (`INET_ECN_MASK`).
pub(crate) fn stream_tos(v: i32) -> u8 {
    (v & 0xfc) as u8
}

pub(crate) fn set(
    m: &mut Machine,
    now: Instant,
    file: FileId,
    name: i32,
    value: &[u8],
) -> Result<(), Errno> {
    let v = value_of(value);
    match name {
        IP_TOS => push(m, now, file, Opt::Tos(stream_tos(v)))?,
        // -1 goes back to the sysctl's value, which inet calls 0.
        IP_TTL => match needed(value)? {
            -1 => push(m, now, file, Opt::Ttl(0))?,
            v => push(m, now, file, Opt::Ttl(within(v, 1, 255)? as u8))?,
        },
        IP_FREEBIND => push(m, now, file, Opt::FreeBind(needed(value)? != 0))?,
        IP_BIND_ADDRESS_NO_PORT => push(m, now, file, Opt::BindAddressNoPort(v != 0))?,
        IP_TRANSPARENT if needed(value)? != 0 && m.open(file)?.cred.uid != 0 => {
            return Err(Errno::EPERM);
        }
        IP_MTU_DISCOVER => options_mut(m, file)?.mtu_discover = within(v, 0, 5)?,
        IP_MINTTL => {
            let ttl = within(needed(value)?, 0, 255)?;
            options_mut(m, file)?.min_ttl = ttl;
            push(m, now, file, Opt::MinTtl(ttl as u8))?;
        }
        IP_MULTICAST_LOOP => {
            let on = needed(value)? != 0;
            options_mut(m, file)?.multicast_loop = on;
        }
        IP_LOCAL_PORT_RANGE => {
            if value.len() != 4 {
                return Err(Errno::EINVAL);
            }
            let (low, high) = (v as u32 & 0xffff, v as u32 >> 16);
            if low != 0 && high != 0 && low > high {
                return Err(Errno::EINVAL);
            }
            push(m, now, file, Opt::LocalPortRange(v as u32))?;
        }
        IP_MULTICAST_ALL => {
            let on = within(needed(value)?, 0, 1)? != 0;
            options_mut(m, file)?.multicast_all = on;
        }
        IP_RECVERR_RFC4884 => {
            let on = within(v, 0, 1)? != 0;
            let o = options_mut(m, file)?;
            o.ip_flags &= !(1 << name);
            o.ip_flags |= u128::from(on) << name;
        }
        IP_UNICAST_IF if value.len() != 4 => return Err(Errno::EINVAL),
        // Only 0, which is none, is there.
        IP_UNICAST_IF if v != 0 => return Err(Errno::EADDRNOTAVAIL),
        IP_UNICAST_IF => {}
        // Only for raw sockets; for datagrams; with structures that a stream has no use for.
        IP_ROUTER_ALERT | IP_RECVFRAGSIZE if tcp(m, file).is_some() => return Err(Errno::EINVAL),
        IP_UNBLOCK_SOURCE..=MCAST_MSFILTER => return Err(Errno::EINVAL),
        // Only for datagrams.
        IP_MULTICAST_TTL | IP_MULTICAST_IF if tcp(m, file).is_some() => return Err(Errno::EINVAL),
        IP_ADD_MEMBERSHIP | IP_DROP_MEMBERSHIP if tcp(m, file).is_some() => {
            return Err(Errno::EPROTO);
        }
        _ => {
            let bit = switch_bit(name).ok_or(Errno::ENOPROTOOPT)?;
            let o = options_mut(m, file)?;
            if v != 0 {
                o.ip_flags |= bit;
            } else {
                o.ip_flags &= !bit;
            }
        }
    }
    Ok(())
}

pub(crate) fn get(
    m: &mut Machine,
    now: Instant,
    file: FileId,
    name: i32,
    cap: usize,
) -> Result<Vec<u8>, Errno> {
    let k = kept(m, file);
    let o = options(m, file)?;
    let value = match name {
        IP_TOS => k.map_or(0, |k| i32::from(k.tos)),
        IP_TTL => ttl(m, file, k),
        IP_HDRINCL => 0,
        // inet_num: the protocol of a raw socket, of a stream its port.
        IP_PROTOCOL => tcp(m, file).map_or(0, |t| m.net(t.net).local_addr(t.socket).port().into()),
        IP_OPTIONS | IP_PKTOPTIONS => return Ok(Vec::new()),
        IP_ROUTER_ALERT | IP_NODEFRAG | IP_RECVFRAGSIZE | IP_UNICAST_IF => 0,
        IP_RECVERR_RFC4884 => i32::from(o.ip_flags & 1 << name != 0),
        IP_MULTICAST_ALL => i32::from(o.multicast_all),
        IP_MSFILTER | MCAST_MSFILTER => return Err(Errno::EINVAL),
        // An address, which is never cut to a byte.
        IP_MULTICAST_IF => return Ok(int_answer(0, cap)),
        IP_FREEBIND => i32::from(k.is_some_and(|k| k.free_bind)),
        IP_BIND_ADDRESS_NO_PORT => i32::from(k.is_some_and(|k| k.bind_address_no_port)),
        IP_MTU => mtu(m, now, file)?,
        IP_MTU_DISCOVER => o.mtu_discover,
        IP_MINTTL => o.min_ttl,
        IP_MULTICAST_TTL => 1,
        IP_MULTICAST_LOOP => i32::from(o.multicast_loop),
        IP_LOCAL_PORT_RANGE => k.map_or(0, |k| k.local_port_range.cast_signed()),
        _ => {
            let bit = switch_bit(name).ok_or(Errno::ENOPROTOOPT)?;
            i32::from(o.ip_flags & bit != 0)
        }
    };
    Ok(answer(value, cap))
}

/// do_ip_getsockopt (6.18): less room than an int, and a value that fits a byte, is a byte.
fn answer(value: i32, cap: usize) -> Vec<u8> {
    match u8::try_from(value) {
        Ok(byte) if (1..4).contains(&cap) => [byte].to_vec(),
        Ok(_) | Err(_) => int_answer(value, cap),
    }
}

/// What is set, else the sysctl's value.
pub(crate) fn ttl(m: &Machine, file: FileId, kept: Option<hearken_inet::Options>) -> i32 {
    match kept {
        Some(k) if k.ttl != 0 => i32::from(k.ttl),
        Some(_) | None => tcp(m, file)
            .and_then(|t| m.net(t.net).sysctl_get("net.ipv4.ip_default_ttl").ok())
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or(64),
    }
}

/// The path's MTU, known once there is a route.
pub(crate) fn mtu(m: &Machine, now: Instant, file: FileId) -> Result<i32, Errno> {
    let t = tcp(m, file).ok_or(Errno::ENOTCONN)?;
    let net = m.net(t.net);
    match net.state(t.socket) {
        TcpState::Close | TcpState::Listen => Err(Errno::ENOTCONN),
        TcpState::Established
        | TcpState::SynSent
        | TcpState::SynRecv
        | TcpState::FinWait1
        | TcpState::FinWait2
        | TcpState::TimeWait
        | TcpState::CloseWait
        | TcpState::LastAck
        | TcpState::Closing
        | TcpState::NewSynRecv => {
            Ok(i32::try_from(net.tcp_info(now, t.socket).pmtu).unwrap_or(i32::MAX))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ip_value_may_be_an_int_a_byte_or_nothing() {
        assert_eq!(value_of(&300i32.to_ne_bytes()), 300);
        assert_eq!(value_of(&[7, 1, 1]), 7);
        assert_eq!(value_of(&[7]), 7);
        assert_eq!(value_of(&[]), 0);
        assert_eq!(needed(&[]), Err(Errno::EINVAL));
    }

    #[test]
    fn ip_answer_is_one_byte_when_there_is_no_room_for_an_int() {
        assert_eq!(answer(64, 0), []);
        assert_eq!(answer(64, 1), [64]);
        assert_eq!(answer(64, 3), [64]);
        assert_eq!(answer(64, 4), [64, 0, 0, 0]);
        assert_eq!(answer(-1, 3), [255, 255, 255]);
    }

    #[test]
    fn tos_of_a_stream_loses_its_ecn_bits() {
        for (set, want) in [
            (-1, 0xfc),
            (1, 0),
            (3, 0),
            (47, 0x2c),
            (256, 0),
            (0x10, 0x10),
        ] {
            assert_eq!(stream_tos(set), want, "{set}");
        }
    }

    #[test]
    fn ip_switches_have_a_bit_each() {
        let mut seen = 0;
        for name in SWITCHES {
            let bit: u128 = switch_bit(name).expect("a switch");
            assert_eq!(seen & bit, 0);
            seen |= bit;
        }
        assert_eq!(switch_bit(99), None);
    }
}
