//! SOL_SOCKET: `sk_setsockopt` and `sk_getsockopt` (6.18).

use super::sockopt::{cut, flag, int, int_answer, int_in};
use crate::errno::ToErrno;
use crate::error_queue::set_stamping;
use crate::file::{FileId, Kind, TcpFile};
use crate::machine::Machine;
use crate::options::{JIFFY, Options, Timeout};
use alloc::vec::Vec;
use core::time::Duration;
use hearken_abi::sock::*;
use hearken_abi::sockaddr::encode;
use hearken_abi::{Errno, TcpState};
use hearken_inet::cbpf::Insn;
use hearken_inet::{IfaceId, Instant, Opt};

/// `SOCK_MIN_SNDBUF` and `SOCK_MIN_RCVBUF`, as SO_SNDBUF and SO_RCVBUF of 0 read back.
const MIN_SNDBUF: u32 = 4608;
const MIN_RCVBUF: u32 = 2304;

/// `IFNAMSIZ`
const IFNAMSIZ: usize = 16;
const LO_NAME: &[u8] = b"lo";

/// Numbers of 6.18 that are newer than the constants below it.
const SO_RCVPRIORITY: i32 = 82;
const SO_PASSRIGHTS: i32 = 83;

/// Switches that nothing obeys.
const SWITCHES: [i32; 5] = [
    SO_TIMESTAMPNS_OLD,
    SO_WIFI_STATUS,
    SO_TIMESTAMP_NEW,
    SO_TIMESTAMPNS_NEW,
    SO_RCVPRIORITY,
];

fn switch_bit(name: i32) -> Option<u128> {
    SWITCHES.contains(&name).then(|| 1 << name)
}

/// The typed store of a socket, whatever its kind.
pub(crate) fn options(m: &Machine, file: FileId) -> Result<&Options, Errno> {
    match &m.open(file)?.kind {
        Kind::Tcp(t) => Ok(&t.options),
        Kind::Other(o) => Ok(&o.options),
        Kind::Epoll(_) | Kind::NotSocket | Kind::Path => Err(Errno::ENOTSOCK),
    }
}

pub(crate) fn options_mut(m: &mut Machine, file: FileId) -> Result<&mut Options, Errno> {
    match &mut m.open_mut(file)?.kind {
        Kind::Tcp(t) => Ok(&mut t.options),
        Kind::Other(o) => Ok(&mut o.options),
        Kind::Epoll(_) | Kind::NotSocket | Kind::Path => Err(Errno::ENOTSOCK),
    }
}

pub(crate) fn tcp(m: &Machine, file: FileId) -> Option<&TcpFile> {
    match &m.open(file).ok()?.kind {
        Kind::Tcp(t) => Some(t),
        Kind::Other(_) | Kind::Epoll(_) | Kind::NotSocket | Kind::Path => None,
    }
}

/// Hands an option to inet, when the socket is a TCP one.
pub(crate) fn push(m: &mut Machine, now: Instant, file: FileId, opt: Opt) -> Result<(), Errno> {
    let Some((net, socket)) = m.tcp_socket(file) else {
        return Ok(());
    };
    m.net_mut(net)
        .set_option(now, socket, opt)
        .map_err(|e| e.errno())
}

/// What inet keeps for the socket.
pub(crate) fn kept(m: &Machine, file: FileId) -> Option<hearken_inet::Options> {
    let t = tcp(m, file)?;
    Some(m.net(t.net).options(t.socket))
}

fn privileged(m: &Machine, file: FileId) -> Result<bool, Errno> {
    Ok(m.open(file)?.cred.uid == 0)
}

fn sysctl(m: &Machine, file: FileId, name: &str, field: usize, otherwise: u32) -> u32 {
    tcp(m, file)
        .and_then(|t| m.net(t.net).sysctl_get(name).ok())
        .and_then(|text| text.split_whitespace().nth(field)?.parse().ok())
        .unwrap_or(otherwise)
}

/// SO_SNDBUF and SO_RCVBUF: taken as unsigned, at most `max`, then doubled, at least `min` (`min` even).
fn buffer(value: i32, max: u32, min: u32) -> u32 {
    #[expect(clippy::cast_sign_loss, reason = "the cast is the behaviour")]
    let asked = (value as u32).min(max);
    asked.saturating_mul(2).clamp(min, i32::MAX as u32)
}

/// A `struct timeval` as a timeout (`sock_set_timeout`).
fn timeout(value: &[u8]) -> Result<Timeout, Errno> {
    let (seconds, rest) = value.split_first_chunk::<8>().ok_or(Errno::EINVAL)?;
    let micros = rest.first_chunk::<8>().ok_or(Errno::EINVAL)?;
    let (seconds, micros) = (i64::from_ne_bytes(*seconds), i64::from_ne_bytes(*micros));
    let Ok(micros) = u32::try_from(micros) else {
        return Err(Errno::EDOM);
    };
    if micros >= 1_000_000 {
        return Err(Errno::EDOM);
    }
    let Ok(seconds) = u64::try_from(seconds) else {
        return Ok(Timeout::After(Duration::ZERO));
    };
    let asked = Duration::new(seconds, micros * 1000);
    // More jiffies than a long holds means for ever, as zero does.
    if asked.is_zero() || seconds >= i64::MAX as u64 / 250 - 1 {
        return Ok(Timeout::Never);
    }
    let jiffies = asked.as_nanos().div_ceil(JIFFY.as_nanos());
    let nanos = jiffies.saturating_mul(JIFFY.as_nanos());
    Ok(Timeout::After(Duration::from_nanos(
        u64::try_from(nanos).unwrap_or(u64::MAX),
    )))
}

fn timeval(t: Timeout) -> [u8; 16] {
    let mut out = [0; 16];
    if let Timeout::After(d) = t {
        out[..8].copy_from_slice(&d.as_secs().to_ne_bytes());
        out[8..].copy_from_slice(&u64::from(d.subsec_micros()).to_ne_bytes());
    }
    out
}

/// The program of SO_ATTACH_REUSEPORT_CBPF: `value` holds the instructions themselves. Whoever has the caller's memory
/// has followed the pointer of its `struct sock_fprog`.
fn attach_reuseport(m: &mut Machine, file: FileId, value: &[u8]) -> Result<(), Errno> {
    let (insns, rest) = value.as_chunks::<{ Insn::LEN }>();
    if !rest.is_empty() {
        return Err(Errno::EINVAL);
    }
    let Some((net, socket)) = m.tcp_socket(file) else {
        return Err(Errno::EINVAL);
    };
    let program = insns.iter().map(|b| Insn::from_bytes(*b)).collect();
    m.net_mut(net)
        .attach_reuseport_cbpf(socket, program)
        .map_err(|e| e.errno())
}

/// SO_ATTACH_FILTER, likewise with the instructions themselves. The program is looked at first, then the lock.
fn attach_filter(m: &mut Machine, file: FileId, value: &[u8]) -> Result<(), Errno> {
    let (insns, rest) = value.as_chunks::<{ Insn::LEN }>();
    let Some((net, socket)) = m.tcp_socket(file).filter(|_| rest.is_empty()) else {
        return Err(Errno::EINVAL);
    };
    if options(m, file)?.lock_filter {
        return Err(Errno::EPERM);
    }
    let program = insns.iter().map(|b| Insn::from_bytes(*b)).collect();
    m.net_mut(net)
        .attach_filter(socket, program)
        .map_err(|e| e.errno())
}

fn detach_filter(m: &mut Machine, file: FileId) -> Result<(), Errno> {
    if options(m, file)?.lock_filter {
        return Err(Errno::EPERM);
    }
    let Some((net, socket)) = m.tcp_socket(file) else {
        return Err(Errno::ENOENT);
    };
    m.net_mut(net).detach_filter(socket).map_err(|e| e.errno())
}

fn detach_reuseport(m: &mut Machine, file: FileId) -> Result<(), Errno> {
    let Some((net, socket)) = m.tcp_socket(file) else {
        return Err(Errno::EINVAL);
    };
    m.net_mut(net)
        .detach_reuseport_bpf(socket)
        .map_err(|e| e.errno())
}

pub(crate) fn set(
    m: &mut Machine,
    now: Instant,
    file: FileId,
    name: i32,
    value: &[u8],
) -> Result<(), Errno> {
    if name == SO_BINDTODEVICE {
        return bind_to_device(m, now, file, value);
    }
    if name == SO_ATTACH_REUSEPORT_CBPF {
        return attach_reuseport(m, file, value);
    }
    if name == SO_ATTACH_FILTER {
        return attach_filter(m, file, value);
    }
    // Before the option is even looked at.
    let v = int(value)?;
    if matches!(name, SO_TIMESTAMPING_OLD | SO_TIMESTAMPING_NEW) {
        return set_stamping(m, file, value);
    }
    let on = v != 0;
    let root = privileged(m, file)?;
    match name {
        SO_DEBUG if on && !root => return Err(Errno::EACCES),
        SO_DEBUG => options_mut(m, file)?.debug = on,
        SO_REUSEADDR => {
            options_mut(m, file)?.reuse.0 = on;
            push(m, now, file, Opt::ReuseAddr(on))?;
        }
        SO_REUSEPORT => {
            options_mut(m, file)?.reuse.1 = on;
            push(m, now, file, Opt::ReusePort(on))?;
        }
        SO_TYPE | SO_PROTOCOL | SO_DOMAIN | SO_ERROR => return Err(Errno::ENOPROTOOPT),
        SO_DONTROUTE => options_mut(m, file)?.dont_route = on,
        SO_BROADCAST => options_mut(m, file)?.broadcast = on,
        SO_SNDBUF => {
            let max = sysctl(m, file, "net.core.wmem_max", 0, 4_194_304);
            let o = options_mut(m, file)?;
            o.buf_lock |= 1;
            o.buffers.0 = buffer(v, max, MIN_SNDBUF);
            #[expect(clippy::cast_sign_loss, reason = "Linux takes it as unsigned, too")]
            push(m, now, file, Opt::SndBuf(v as u32))?;
        }
        SO_RCVBUF => {
            let max = sysctl(m, file, "net.core.rmem_max", 0, 4_194_304);
            let o = options_mut(m, file)?;
            o.buf_lock |= 2;
            o.buffers.1 = buffer(v, max, MIN_RCVBUF);
            #[expect(clippy::cast_sign_loss, reason = "Linux takes it as unsigned, too")]
            push(m, now, file, Opt::RcvBuf(v as u32))?;
        }
        SO_SNDBUFFORCE | SO_RCVBUFFORCE if !root => return Err(Errno::EPERM),
        // The bound that these lift is inet's own here: they act as their plain twins.
        SO_SNDBUFFORCE => return set(m, now, file, SO_SNDBUF, &v.max(0).to_ne_bytes()),
        SO_RCVBUFFORCE => return set(m, now, file, SO_RCVBUF, &v.max(0).to_ne_bytes()),
        SO_KEEPALIVE => push(m, now, file, Opt::KeepAlive(on))?,
        SO_OOBINLINE => {
            options_mut(m, file)?.oob_inline = on;
            return push(m, now, file, Opt::OobInline(on));
        }
        SO_NO_CHECK => options_mut(m, file)?.no_check = on,
        SO_PRIORITY if root || (0..=6).contains(&v) => options_mut(m, file)?.priority = v,
        SO_PRIORITY => return Err(Errno::EPERM),
        SO_LINGER => return linger(m, now, file, value),
        // Gone from Linux, and accepted for ever.
        SO_BSDCOMPAT => {}
        SO_PASSCRED => return Err(Errno::EOPNOTSUPP),
        SO_TIMESTAMP_OLD => options_mut(m, file)?.timestamp = on,
        SO_RCVLOWAT => {
            let cap = sysctl(m, file, "net.ipv4.tcp_rmem", 2, 6_291_456) / 2;
            let cap = i32::try_from(cap).unwrap_or(i32::MAX);
            let v = if v < 0 { i32::MAX } else { v };
            options_mut(m, file)?.rcv_lowat = v.min(cap).max(1);
        }
        SO_RCVTIMEO_OLD | SO_RCVTIMEO_NEW => {
            options_mut(m, file)?.rcv_timeout = timeout(value)?;
        }
        SO_SNDTIMEO_OLD | SO_SNDTIMEO_NEW => {
            options_mut(m, file)?.snd_timeout = timeout(value)?;
        }
        SO_DETACH_FILTER => return detach_filter(m, file),
        SO_MARK if !root => return Err(Errno::EPERM),
        SO_MARK => options_mut(m, file)?.mark = v,
        SO_RXQ_OVFL => options_mut(m, file)?.rxq_ovfl = on,
        SO_PEEK_OFF => options_mut(m, file)?.peek_off = v,
        SO_NOFCS => options_mut(m, file)?.no_fcs = on,
        // For good.
        SO_LOCK_FILTER if !on && options(m, file)?.lock_filter => return Err(Errno::EPERM),
        SO_LOCK_FILTER => options_mut(m, file)?.lock_filter = on,
        SO_SELECT_ERR_QUEUE => options_mut(m, file)?.select_err_queue = on,
        SO_BUSY_POLL => options_mut(m, file)?.busy_poll = int_in(value, 0, i32::MAX)?,
        SO_MAX_PACING_RATE => {
            #[expect(clippy::cast_sign_loss, reason = "Linux takes it as unsigned, too")]
            let rate = match value.first_chunk::<8>() {
                Some(b) => u64::from_ne_bytes(*b),
                None if v == -1 => u64::MAX,
                None => u64::from(v as u32),
            };
            options_mut(m, file)?.max_pacing_rate = rate;
        }
        SO_INCOMING_CPU => {
            options_mut(m, file)?.incoming_cpu = v;
            push(m, now, file, Opt::IncomingCpu(v))?;
        }
        SO_DETACH_REUSEPORT_BPF => return detach_reuseport(m, file),
        SO_ZEROCOPY => options_mut(m, file)?.zerocopy = int_in(value, 0, 1)? != 0,
        SO_BINDTOIFINDEX => {
            // Linux counts from 1, which is lo.
            let index = int_in(value, 0, i32::MAX)?;
            let device = u16::try_from(index).ok().and_then(|i| i.checked_sub(1));
            options_mut(m, file)?.bound_index = index;
            push(m, now, file, Opt::BindToDevice(device.map(IfaceId)))?;
        }
        SO_BUF_LOCK => options_mut(m, file)?.buf_lock = int_in(value, 0, 3)?,
        SO_TXREHASH => {
            // -1 asks for the sysctl's value.
            let on = match int_in(value, -1, 1)? {
                -1 => sysctl(m, file, "net.core.txrehash", 0, 1) != 0,
                v => v == 1,
            };
            options_mut(m, file)?.txrehash = on;
        }
        SO_RCVMARK => options_mut(m, file)?.rcv_mark = on,
        // Only AF_UNIX passes these.
        SO_PASSSEC | SO_PASSPIDFD | SO_PASSRIGHTS => return Err(Errno::EOPNOTSUPP),
        // Taken, and nothing is done, as with no route.
        SO_CNX_ADVICE => {}
        // Memory accounting by group is not there.
        SO_RESERVE_MEM => return int_in(value, 0, i32::MAX).and(Err(Errno::EOPNOTSUPP)),
        _ => {
            let bit = switch_bit(name).ok_or(Errno::ENOPROTOOPT)?;
            let o = options_mut(m, file)?;
            if on {
                o.so_flags |= bit;
            } else {
                o.so_flags &= !bit;
            }
        }
    }
    Ok(())
}

fn linger(m: &mut Machine, now: Instant, file: FileId, value: &[u8]) -> Result<(), Errno> {
    let (_, rest) = value.split_first_chunk::<4>().ok_or(Errno::EINVAL)?;
    let seconds = int(rest)?;
    if !flag(value)? {
        // l_linger stays what it was.
        return push(m, now, file, Opt::Linger(None));
    }
    #[expect(clippy::cast_sign_loss, reason = "Linux takes it as unsigned, too")]
    let seconds = seconds as u32;
    options_mut(m, file)?.linger_seconds = seconds;
    let d = Duration::from_secs(u64::from(seconds));
    push(m, now, file, Opt::Linger(Some(d)))
}

fn bind_to_device(m: &mut Machine, now: Instant, file: FileId, value: &[u8]) -> Result<(), Errno> {
    let value = &value[..value.len().min(IFNAMSIZ - 1)];
    let end = value.iter().position(|b| *b == 0).unwrap_or(value.len());
    if end == 0 {
        options_mut(m, file)?.bound_index = 0;
        return push(m, now, file, Opt::BindToDevice(None));
    }
    let t = tcp(m, file);
    let name = core::str::from_utf8(&value[..end]).map_err(|_| Errno::ENODEV)?;
    let iface = match t {
        Some(t) => m.net(t.net).iface_by_name(name),
        // A datagram socket has no namespace of ours; it knows lo.
        None => (name.as_bytes() == LO_NAME).then_some(IfaceId::LO),
    };
    let iface = iface.ok_or(Errno::ENODEV)?;
    options_mut(m, file)?.bound_index = i32::from(iface.0) + 1;
    push(m, now, file, Opt::BindToDevice(Some(iface)))
}

pub(crate) fn get(m: &mut Machine, file: FileId, name: i32, cap: usize) -> Result<Vec<u8>, Errno> {
    let kept = kept(m, file);
    if name == SO_ERROR {
        let error = m
            .tcp_socket(file)
            .and_then(|(net, socket)| m.net_mut(net).take_error(socket))
            .map_or(0, |e| e.errno().0);
        return Ok(int_answer(error, cap));
    }
    let (domain, kind, protocol) = identity(m, file)?;
    let o = options(m, file)?;
    let value = match name {
        SO_DEBUG => i32::from(o.debug),
        SO_REUSEADDR => i32::from(kept.map_or(o.reuse.0, |k| k.reuse_addr)),
        SO_REUSEPORT => i32::from(kept.map_or(o.reuse.1, |k| k.reuse_port)),
        SO_TYPE => kind,
        SO_PROTOCOL => protocol,
        SO_DOMAIN => domain,
        SO_DONTROUTE => i32::from(o.dont_route),
        SO_BROADCAST => i32::from(o.broadcast),
        SO_SNDBUF => i32::try_from(kept.map_or(o.buffers.0, |k| k.sndbuf)).unwrap_or(i32::MAX),
        SO_RCVBUF => i32::try_from(kept.map_or(o.buffers.1, |k| k.rcvbuf)).unwrap_or(i32::MAX),
        SO_KEEPALIVE => i32::from(kept.is_some_and(|k| k.keep_alive)),
        SO_OOBINLINE => i32::from(o.oob_inline),
        SO_NO_CHECK => i32::from(o.no_check),
        SO_PRIORITY => o.priority,
        SO_LINGER => {
            let on = i32::from(kept.is_some_and(|k| k.linger.is_some()));
            let both = [on.to_ne_bytes(), o.linger_seconds.to_ne_bytes()].concat();
            return Ok(cut(&both, cap));
        }
        SO_BSDCOMPAT => 0,
        SO_PASSCRED => return Err(Errno::EOPNOTSUPP),
        SO_PEERCRED => {
            // No process, no user, no group: only AF_UNIX has them.
            let nobody = [0, -1i32, -1].map(i32::to_ne_bytes).concat();
            return Ok(cut(&nobody, cap));
        }
        SO_TIMESTAMP_OLD => i32::from(o.timestamp),
        SO_TIMESTAMPING_OLD | SO_TIMESTAMPING_NEW => {
            // The second word is the clock of SOF_TIMESTAMPING_BIND_PHC.
            return Ok(cut(&[o.stamping, 0].map(u32::to_ne_bytes).concat(), cap));
        }
        SO_RCVLOWAT => o.rcv_lowat,
        SO_SNDLOWAT => 1,
        SO_RCVTIMEO_OLD | SO_RCVTIMEO_NEW => return Ok(cut(&timeval(o.rcv_timeout), cap)),
        SO_SNDTIMEO_OLD | SO_SNDTIMEO_NEW => return Ok(cut(&timeval(o.snd_timeout), cap)),
        SO_BINDTODEVICE => return device_name(m, file, cap),
        // No filter is attached: nothing to hand out.
        SO_GET_FILTER => return Ok(Vec::new()),
        SO_PEERNAME => {
            let (bytes, len) = encode(m.getpeername(file)?);
            if len < cap {
                return Err(Errno::EINVAL);
            }
            return Ok(cut(&bytes[..len], cap));
        }
        SO_ACCEPTCONN => i32::from(
            tcp(m, file).is_some_and(|t| m.net(t.net).state(t.socket) == TcpState::Listen),
        ),
        SO_MARK => o.mark,
        SO_RXQ_OVFL => i32::from(o.rxq_ovfl),
        SO_PEEK_OFF => o.peek_off,
        SO_NOFCS => i32::from(o.no_fcs),
        SO_LOCK_FILTER => i32::from(o.lock_filter),
        SO_SELECT_ERR_QUEUE => i32::from(o.select_err_queue),
        SO_BUSY_POLL => o.busy_poll,
        SO_MAX_PACING_RATE if cap >= 8 => {
            return Ok(o.max_pacing_rate.to_ne_bytes().to_vec());
        }
        SO_MAX_PACING_RATE => {
            let rate = u32::try_from(o.max_pacing_rate).unwrap_or(u32::MAX);
            return Ok(cut(&rate.to_ne_bytes(), cap));
        }
        SO_INCOMING_CPU => o.incoming_cpu,
        SO_INCOMING_NAPI_ID => 0,
        SO_COOKIE if cap < 8 => return Err(Errno::EINVAL),
        SO_COOKIE => return Ok((file.token() & !(1 << 63)).to_ne_bytes().to_vec()),
        SO_PEERGROUPS => return Err(Errno::ENODATA),
        SO_ZEROCOPY => i32::from(o.zerocopy),
        SO_BINDTOIFINDEX => kept
            .and_then(|k| k.device)
            .map_or(o.bound_index, |d| i32::from(d.0) + 1),
        SO_PASSSEC | SO_PASSPIDFD | SO_PASSRIGHTS => return Err(Errno::EOPNOTSUPP),
        SO_PEERPIDFD => return Err(Errno::ENODATA),
        // SKF_AD_MAX: how far filters have been extended.
        SO_BPF_EXTENSIONS => 64,
        SO_RESERVE_MEM => 0,
        SO_MEMINFO => {
            let k = kept.map_or(o.buffers, |k| (k.sndbuf, k.rcvbuf));
            let words = [kept.map_or(0, |k| k.rmem), k.1, 0, k.0, 0, 0, 0, 0, 0];
            return Ok(cut(&words.map(u32::to_ne_bytes).concat(), cap));
        }
        SO_BUF_LOCK => o.buf_lock,
        SO_TXREHASH => i32::from(o.txrehash),
        SO_RCVMARK => i32::from(o.rcv_mark),
        _ => {
            let bit = switch_bit(name).ok_or(Errno::ENOPROTOOPT)?;
            i32::from(o.so_flags & bit != 0)
        }
    };
    Ok(int_answer(value, cap))
}

fn identity(m: &Machine, file: FileId) -> Result<(i32, i32, i32), Errno> {
    match &m.open(file)?.kind {
        Kind::Tcp(t) => {
            let protocol = if t.options.mptcp {
                IPPROTO_MPTCP
            } else {
                IPPROTO_TCP
            };
            Ok((t.domain.af(), SOCK_STREAM, protocol))
        }
        Kind::Other(o) => Ok((o.domain.af(), o.kind, o.protocol)),
        Kind::Epoll(_) | Kind::NotSocket | Kind::Path => Err(Errno::ENOTSOCK),
    }
}

/// The name with its zero byte; nothing when no device is set. sock_getbindtodevice (6.18) wants room for any name.
fn device_name(m: &Machine, file: FileId, cap: usize) -> Result<Vec<u8>, Errno> {
    let Some(device) = kept(m, file).and_then(|k| k.device) else {
        return Ok(Vec::new());
    };
    if cap < IFNAMSIZ {
        return Err(Errno::EINVAL);
    }
    let name = tcp(m, file).and_then(|t| m.net(t.net).iface_name(device));
    let mut name = name.map_or_else(Vec::new, |n| n.as_bytes().to_vec());
    name.push(0);
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tv(seconds: i64, micros: i64) -> Vec<u8> {
        [seconds.to_ne_bytes(), micros.to_ne_bytes()].concat()
    }

    fn after(ms: u64) -> Result<Timeout, Errno> {
        Ok(Timeout::After(Duration::from_millis(ms)))
    }

    #[test]
    fn timeout_is_rounded_up_to_jiffies_and_zero_is_for_ever() {
        assert_eq!(timeout(&tv(0, 0)), Ok(Timeout::Never));
        assert_eq!(timeout(&tv(0, 1)), after(4));
        assert_eq!(timeout(&tv(0, 4000)), after(4));
        assert_eq!(timeout(&tv(0, 4001)), after(8));
        assert_eq!(timeout(&tv(0, 999_999)), after(1000));
        assert_eq!(timeout(&tv(1, 500_000)), after(1500));
        assert_eq!(timeout(&tv(1 << 62, 0)), Ok(Timeout::Never));
    }

    #[test]
    fn timeout_out_of_range_is_edom_and_negative_seconds_do_not_wait() {
        assert_eq!(timeout(&tv(0, 1_000_000)), Err(Errno::EDOM));
        assert_eq!(timeout(&tv(0, -1)), Err(Errno::EDOM));
        assert_eq!(timeout(&tv(-1, 0)), after(0));
        assert_eq!(timeout(&tv(-1, 5)), after(0));
        assert_eq!(timeout(&tv(1, 0)[..15]), Err(Errno::EINVAL));
    }

    #[test]
    fn timeval_of_no_timeout_is_zero() {
        assert_eq!(timeval(Timeout::Never), [0; 16]);
        assert_eq!(timeval(Timeout::After(Duration::ZERO)), [0; 16]);
        let t = Timeout::After(Duration::from_millis(1500));
        assert_eq!(timeval(t).to_vec(), tv(1, 500_000));
    }

    #[test]
    fn buffer_is_doubled_within_its_bounds() {
        assert_eq!(buffer(0, 212_992, MIN_SNDBUF), 4608);
        assert_eq!(buffer(2304, 212_992, MIN_SNDBUF), 4608);
        assert_eq!(buffer(2305, 212_992, MIN_SNDBUF), 4610);
        assert_eq!(buffer(0, 212_992, MIN_RCVBUF), 2304);
        assert_eq!(buffer(4095, 212_992, MIN_RCVBUF), 8190);
        assert_eq!(buffer(-1, 212_992, MIN_RCVBUF), 425_984);
        assert_eq!(buffer(i32::MAX, u32::MAX, MIN_RCVBUF), i32::MAX as u32);
    }
}
