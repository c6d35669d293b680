//! SOL_IPV6: `do_ipv6_setsockopt` and `do_ipv6_getsockopt` (6.18). An AF_INET socket does not have this level.

use super::sockopt::{int, int_answer, int_in};
use super::sockopt_ip::{mtu, stream_tos, ttl};
use super::sockopt_socket::{kept, options, options_mut, push, tcp};
use crate::file::FileId;
use crate::machine::Machine;
use alloc::vec::Vec;
use hearken_abi::Errno;
use hearken_abi::sock::*;
use hearken_inet::{Instant, Opt};

/// The older numbers of RFC 2292, which Linux still takes.
const IPV6_2292PKTINFO: i32 = 2;
const IPV6_2292HOPOPTS: i32 = 3;
const IPV6_2292DSTOPTS: i32 = 4;
const IPV6_2292RTHDR: i32 = 5;
const IPV6_2292HOPLIMIT: i32 = 8;

/// The options that are switches, and that nothing below obeys.
const SWITCHES: [i32; 18] = [
    IPV6_2292PKTINFO,
    IPV6_2292HOPOPTS,
    IPV6_2292DSTOPTS,
    IPV6_2292RTHDR,
    IPV6_2292HOPLIMIT,
    IPV6_RECVPKTINFO,
    IPV6_RECVERR,
    IPV6_FLOWINFO_SEND,
    IPV6_RECVHOPLIMIT,
    IPV6_RECVHOPOPTS,
    IPV6_RECVRTHDR,
    IPV6_RECVDSTOPTS,
    IPV6_RECVPATHMTU,
    IPV6_RECVTCLASS,
    IPV6_ORIGDSTADDR,
    IPV6_TRANSPARENT,
    IPV6_DONTFRAG,
    IPV6_RECVFRAGSIZE,
];

/// Of these a value of any length is taken.
const LENIENT: [i32; 2] = [IPV6_DONTFRAG, IPV6_RECVFRAGSIZE];

/// `IPV6_MIN_MTU`
const MIN_MTU: i32 = 1280;

fn switch_bit(name: i32) -> Option<u128> {
    SWITCHES.contains(&name).then(|| 1 << name)
}

/// A value of any length, none being 0.
fn lenient(value: &[u8]) -> bool {
    int(value).unwrap_or_else(|_| value.first().map_or(0, |b| i32::from(*b))) != 0
}

pub(crate) fn set(
    m: &mut Machine,
    now: Instant,
    file: FileId,
    name: i32,
    value: &[u8],
) -> Result<(), Errno> {
    match name {
        IPV6_V6ONLY => {
            // EINVAL once a port is bound: the choice has been made.
            push(m, now, file, Opt::V6Only(int(value)? != 0))?;
        }
        IPV6_FREEBIND => push(m, now, file, Opt::FreeBind(int(value)? != 0))?,
        IPV6_UNICAST_HOPS => {
            // -1 goes back to the sysctl's value, which inet calls 0.
            let hops = int_in(value, -1, 255)?.max(0);
            push(m, now, file, Opt::Ttl(hops as u8))?;
        }
        IPV6_TCLASS => {
            let class = stream_tos(int_in(value, -1, 255)?.max(0));
            options_mut(m, file)?.v6_tclass = i32::from(class);
            push(m, now, file, Opt::Tos(class))?;
        }
        IPV6_MTU_DISCOVER => options_mut(m, file)?.v6_mtu_discover = int_in(value, 0, 5)?,
        IPV6_MTU => {
            let v = int(value)?;
            if v != 0 && v < MIN_MTU {
                return Err(Errno::EINVAL);
            }
        }
        IPV6_MULTICAST_LOOP => {
            options_mut(m, file)?.v6_multicast_loop = int_in(value, 0, 1)? != 0;
        }
        IPV6_MULTICAST_ALL => {
            options_mut(m, file)?.v6_multicast_all = int(value)? != 0;
        }
        IPV6_MINHOPCOUNT => {
            let hops = int_in(value, 0, 255)?;
            options_mut(m, file)?.v6_min_hops = hops;
            push(m, now, file, Opt::MinHops(hops as u8))?;
        }
        IPV6_AUTOFLOWLABEL => options_mut(m, file)?.v6_auto_flow_label = lenient(value),
        IPV6_ADD_MEMBERSHIP
        | IPV6_DROP_MEMBERSHIP
        | IPV6_JOIN_ANYCAST
        | IPV6_LEAVE_ANYCAST
        | MCAST_JOIN_GROUP..=MCAST_LEAVE_SOURCE_GROUP
            if tcp(m, file).is_some() =>
        {
            return Err(Errno::EINVAL);
        }
        IPV6_TRANSPARENT if int(value)? != 0 && m.open(file)?.cred.uid != 0 => {
            return Err(Errno::EPERM);
        }
        _ => {
            let bit = switch_bit(name).ok_or(Errno::ENOPROTOOPT)?;
            let on = if LENIENT.contains(&name) {
                lenient(value)
            } else {
                int(value)? != 0
            };
            let o = options_mut(m, file)?;
            if on {
                o.v6_flags |= bit;
            } else {
                o.v6_flags &= !bit;
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
        IPV6_V6ONLY => i32::from(k.is_some_and(|k| k.v6only)),
        IPV6_FREEBIND => i32::from(k.is_some_and(|k| k.free_bind)),
        IPV6_UNICAST_HOPS => ttl(m, file, k),
        IPV6_TCLASS => o.v6_tclass,
        IPV6_MTU_DISCOVER => o.v6_mtu_discover,
        IPV6_MTU => mtu(m, now, file)?,
        IPV6_MULTICAST_IF => 0,
        IPV6_MULTICAST_HOPS => 1,
        IPV6_MULTICAST_LOOP => i32::from(o.v6_multicast_loop),
        IPV6_MULTICAST_ALL => i32::from(o.v6_multicast_all),
        IPV6_MINHOPCOUNT => o.v6_min_hops,
        IPV6_AUTOFLOWLABEL => i32::from(o.v6_auto_flow_label),
        IPV6_ADDRFORM => return Err(Errno::ENOTCONN),
        IPV6_FLOWLABEL_MGR | MCAST_MSFILTER | IPV6_PATHMTU => return Err(Errno::EINVAL),
        _ => {
            let bit = switch_bit(name).ok_or(Errno::ENOPROTOOPT)?;
            i32::from(o.v6_flags & bit != 0)
        }
    };
    Ok(int_answer(value, cap))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv6_lenient_value_may_be_empty() {
        assert!(!lenient(&[]));
        assert!(lenient(&[1]));
        assert!(!lenient(&0i32.to_ne_bytes()));
        assert!(lenient(&256i32.to_ne_bytes()));
    }

    #[test]
    fn ipv6_switches_have_a_bit_each() {
        let bits: u128 = SWITCHES.iter().filter_map(|s| switch_bit(*s)).sum();
        assert_eq!(bits.count_ones() as usize, SWITCHES.len());
        assert_eq!(switch_bit(IPV6_V6ONLY), None);
    }
}
