//! SOL_TCP: `do_tcp_setsockopt` and `do_tcp_getsockopt` (6.18).

use super::fast_open::TFO_CLIENT_ENABLE;
use super::md5sig;
use super::mptcp::is_mptcp;
use super::sockopt::{cut, flag, int, int_answer, int_in};
use super::sockopt_socket::{kept, options, options_mut, push, tcp};
use crate::errno::ToErrno;
use crate::file::FileId;
use crate::machine::Machine;
use crate::options::{JIFFY, Options};
use alloc::vec::Vec;
use hearken_abi::sock::*;
use hearken_abi::{Errno, TcpState};
use hearken_inet::{Congestion, FastOpenKeys, Instant, Knob, Opt};

/// `MAX_TCP_KEEPIDLE`, `MAX_TCP_KEEPINTVL`; `MAX_TCP_KEEPCNT`, `MAX_TCP_SYNCNT`
const MAX_KEEP_SECONDS: i32 = 32_767;
const MAX_COUNT: i32 = 127;

/// `TCP_MIN_MSS` and `MAX_TCP_WINDOW`, between which TCP_MAXSEG lies when it is not 0.
const MIN_MSS: i32 = 88;
const MAX_MSS: i32 = 32_767;

/// `TCP_FIN_TIMEOUT_MAX` in seconds
const MAX_LINGER2: i32 = 120;

/// Half of `SOCK_MIN_RCVBUF`, the least that TCP_WINDOW_CLAMP becomes.
const MIN_WINDOW_CLAMP: i32 = 1152;

/// `TCP_TIMEOUT_INIT` and `TCP_RTO_MAX` in seconds, which count TCP_DEFER_ACCEPT.
const FIRST_RTO: i64 = 1;
const LAST_RTO: i64 = 120;

/// TCP_DEFER_ACCEPT: how many SYN-ACK timeouts pass before so many seconds have (docs/linux 89).
fn seconds_to_retransmits(seconds: i32) -> u8 {
    if seconds <= 0 {
        return 0;
    }
    let (mut count, mut rto, mut passed) = (1u8, FIRST_RTO, FIRST_RTO);
    while passed < i64::from(seconds) && count < u8::MAX {
        count += 1;
        rto = (rto * 2).min(LAST_RTO);
        passed += rto;
    }
    count
}

/// And back: the end of that timeout.
fn retransmits_to_seconds(count: u8) -> i32 {
    let (mut rto, mut passed) = (FIRST_RTO, 0);
    for _ in 0..count {
        passed += rto;
        rto = (rto * 2).min(LAST_RTO);
    }
    i32::try_from(passed).unwrap_or(i32::MAX)
}

/// A name as a program gives it: up to the first zero byte, at most 15.
fn name_of(value: &[u8]) -> Result<&[u8], Errno> {
    if value.is_empty() {
        return Err(Errno::EINVAL);
    }
    let value = &value[..value.len().min(Congestion::NAME_MAX - 1)];
    let end = value.iter().position(|b| *b == 0).unwrap_or(value.len());
    Ok(&value[..end])
}

fn state(m: &Machine, file: FileId) -> TcpState {
    tcp(m, file).map_or(TcpState::Close, |t| m.net(t.net).state(t.socket))
}

/// An int sysctl of the socket's namespace.
fn sysctl(m: &Machine, file: FileId, name: &str, otherwise: i32) -> i32 {
    tcp(m, file)
        .and_then(|t| m.net(t.net).sysctl_get(name).ok())
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(otherwise)
}

fn switch(value: &[u8]) -> Result<bool, Errno> {
    Ok(int_in(value, 0, 1)? != 0)
}

pub(crate) fn set(
    m: &mut Machine,
    now: Instant,
    file: FileId,
    name: i32,
    value: &[u8],
) -> Result<(), Errno> {
    match name {
        TCP_CONGESTION => return congestion(m, file, value),
        TCP_ULP => {
            // The kernel has that one, for MPTCP alone.
            return Err(match name_of(value)? {
                b"mptcp" => Errno::EOPNOTSUPP,
                _ => Errno::ENOENT,
            });
        }
        TCP_MD5SIG | TCP_MD5SIG_EXT => return md5sig::set(m, file, name, value),
        TCP_FASTOPEN_KEY => {
            let keys = FastOpenKeys::from_bytes(value).ok_or(Errno::EINVAL)?;
            options_mut(m, file)?.fastopen_key = value.to_vec();
            return push(m, now, file, Opt::FastOpenKeys(keys));
        }
        _ => {}
    }
    let v = int(value)?;
    let state = state(m, file);
    let idle = matches!(state, TcpState::Close | TcpState::Listen);
    match name {
        TCP_NODELAY => push(m, now, file, Opt::NoDelay(flag(value)?))?,
        TCP_MAXSEG => {
            if v != 0 && !(MIN_MSS..=MAX_MSS).contains(&v) {
                return Err(Errno::EINVAL);
            }
            push(m, now, file, Opt::MaxSeg(v as u16))?;
        }
        TCP_CORK => push(m, now, file, Opt::Cork(flag(value)?))?,
        TCP_KEEPIDLE => {
            let v = int_in(value, 1, MAX_KEEP_SECONDS)?;
            options_mut(m, file)?.keep_idle = Some(v);
            push(m, now, file, Opt::Knob(Knob::KeepIdle(v as u16)))?;
        }
        TCP_KEEPINTVL => {
            let v = int_in(value, 1, MAX_KEEP_SECONDS)?;
            options_mut(m, file)?.keep_interval = Some(v);
            push(m, now, file, Opt::Knob(Knob::KeepInterval(v as u16)))?;
        }
        TCP_KEEPCNT => {
            let v = int_in(value, 1, MAX_COUNT)?;
            options_mut(m, file)?.keep_count = Some(v);
            push(m, now, file, Opt::Knob(Knob::KeepCount(v as u8)))?;
        }
        TCP_SYNCNT => {
            let v = int_in(value, 1, MAX_COUNT)?;
            push(m, now, file, Opt::SynCnt(v as u8))?;
        }
        TCP_LINGER2 => {
            let linger2 = v.clamp(-1, MAX_LINGER2);
            options_mut(m, file)?.linger2 = (v != 0).then_some(linger2);
            push(m, now, file, Opt::Knob(Knob::Linger2(linger2 as i16)))?;
        }
        TCP_DEFER_ACCEPT => {
            let count = seconds_to_retransmits(v);
            options_mut(m, file)?.defer_accept = count;
            push(m, now, file, Opt::DeferAccept(count))?;
        }
        TCP_WINDOW_CLAMP => {
            if v == 0 && state != TcpState::Close {
                return Err(Errno::EINVAL);
            }
            let clamp = if v == 0 { 0 } else { v.max(MIN_WINDOW_CLAMP) };
            options_mut(m, file)?.window_clamp = clamp;
            push(m, now, file, Opt::Knob(Knob::WindowClamp(clamp as u32)))?;
        }
        TCP_QUICKACK => {
            flag(value)?;
            push(m, now, file, Opt::QuickAck(v))?;
        }
        TCP_THIN_LINEAR_TIMEOUTS => options_mut(m, file)?.thin_linear = switch(value)?,
        // Accepted, and without effect since 4.15.
        TCP_THIN_DUPACK => drop(switch(value)?),
        TCP_USER_TIMEOUT => {
            let ms = int_in(value, 0, i32::MAX)?;
            options_mut(m, file)?.user_timeout = ms;
            push(m, now, file, Opt::Knob(Knob::UserTimeout(ms as u32)))?;
        }
        TCP_REPAIR => return Err(Errno::EPERM),
        TCP_FASTOPEN => {
            let v = int_in(value, 0, i32::MAX)?;
            if !idle {
                return Err(Errno::EINVAL);
            }
            let qlen = tcp(m, file).map_or(0, |t| m.net(t.net).somaxconn());
            push(m, now, file, Opt::FastOpenQlen(qlen.min(v.unsigned_abs())))?;
        }
        TCP_TIMESTAMP => return Err(Errno::EPERM),
        TCP_NOTSENT_LOWAT => {
            options_mut(m, file)?.notsent_lowat = v;
            #[expect(clippy::cast_sign_loss, reason = "Linux takes it as unsigned, too")]
            push(m, now, file, Opt::Knob(Knob::NotsentLowat(v as u32)))?;
        }
        TCP_SAVE_SYN => {
            let save = int_in(value, 0, 2)?;
            options_mut(m, file)?.save_syn = save;
            push(m, now, file, Opt::SaveSyn(save as u8))?;
        }
        TCP_FASTOPEN_CONNECT => {
            let on = switch(value)?;
            if sysctl(m, file, "net.ipv4.tcp_fastopen", 0) & TFO_CLIENT_ENABLE == 0 {
                return Err(Errno::EOPNOTSUPP);
            }
            if state != TcpState::Close {
                return Err(Errno::EINVAL);
            }
            options_mut(m, file)?.fastopen_connect = on;
        }
        TCP_FASTOPEN_NO_COOKIE => {
            let on = switch(value)?;
            if !idle {
                return Err(Errno::EINVAL);
            }
            options_mut(m, file)?.fastopen_no_cookie = on;
            push(m, now, file, Opt::FastOpenNoCookie(on))?;
        }
        TCP_INQ => options_mut(m, file)?.inq = switch(value)?,
        TCP_RTO_MAX_MS => {
            let ms = int_in(value, 1000, 120_000)?;
            let jiffy = i32::try_from(JIFFY.as_millis()).unwrap_or(1);
            let ms = (ms + jiffy - 1) / jiffy * jiffy;
            options_mut(m, file)?.rto_max_ms = Some(ms);
            push(m, now, file, Opt::Knob(Knob::RtoMax(ms as u32)))?;
        }
        // Only for a socket under repair, which none is.
        TCP_REPAIR_QUEUE | TCP_REPAIR_WINDOW => return Err(Errno::EPERM),
        TCP_QUEUE_SEQ if state != TcpState::Close => return Err(Errno::EPERM),
        TCP_QUEUE_SEQ | TCP_REPAIR_OPTIONS => return Err(Errno::EINVAL),
        _ => return Err(Errno::ENOPROTOOPT),
    }
    Ok(())
}

fn congestion(m: &mut Machine, file: FileId, value: &[u8]) -> Result<(), Errno> {
    let name = name_of(value)?;
    let found = Congestion::find(name).ok_or(Errno::ENOENT)?;
    options_mut(m, file)?.congestion = Some(found);
    Ok(())
}

pub(crate) fn get(
    m: &mut Machine,
    now: Instant,
    file: FileId,
    name: i32,
    cap: usize,
) -> Result<Vec<u8>, Errno> {
    if name == TCP_SAVED_SYN {
        let (net, socket) = m.tcp_socket(file).ok_or(Errno::EOPNOTSUPP)?;
        return m
            .net_mut(net)
            .take_saved_syn(socket, cap)
            .map_err(|e| e.errno());
    }
    let o = options(m, file)?;
    let Some(k) = kept(m, file) else {
        return Err(Errno::EOPNOTSUPP);
    };
    let value = match name {
        TCP_NODELAY => i32::from(k.no_delay),
        TCP_MAXSEG => maxseg(m, now, file, k.max_seg),
        TCP_CORK => i32::from(k.cork),
        TCP_KEEPIDLE => o
            .keep_idle
            .unwrap_or_else(|| sysctl(m, file, "net.ipv4.tcp_keepalive_time", 7200)),
        TCP_KEEPINTVL => o
            .keep_interval
            .unwrap_or_else(|| sysctl(m, file, "net.ipv4.tcp_keepalive_intvl", 75)),
        TCP_KEEPCNT => o
            .keep_count
            .unwrap_or_else(|| sysctl(m, file, "net.ipv4.tcp_keepalive_probes", 9)),
        TCP_SYNCNT if k.syn_cnt == 0 => sysctl(m, file, "net.ipv4.tcp_syn_retries", 6),
        TCP_SYNCNT => i32::from(k.syn_cnt),
        TCP_LINGER2 => o
            .linger2
            .unwrap_or_else(|| sysctl(m, file, "net.ipv4.tcp_fin_timeout", 60)),
        TCP_DEFER_ACCEPT => retransmits_to_seconds(o.defer_accept),
        TCP_WINDOW_CLAMP => k
            .window_clamp
            .map_or(o.window_clamp, |c| i32::try_from(c).unwrap_or(i32::MAX)),
        TCP_INFO => {
            let Some(t) = tcp(m, file) else {
                return Err(Errno::EOPNOTSUPP);
            };
            return Ok(cut(&m.net(t.net).tcp_info(now, t.socket).to_bytes(), cap));
        }
        TCP_QUICKACK => i32::from(k.quick_ack),
        TCP_CONGESTION => return Ok(cut(&congestion_name(o), cap)),
        // reno and cubic have nothing to tell.
        TCP_CC_INFO => return Ok(Vec::new()),
        TCP_THIN_LINEAR_TIMEOUTS => i32::from(o.thin_linear),
        TCP_THIN_DUPACK | TCP_REPAIR => 0,
        TCP_IS_MPTCP => i32::from(is_mptcp(m, file)),
        TCP_USER_TIMEOUT => o.user_timeout,
        TCP_FASTOPEN => i32::try_from(k.fast_open_qlen).unwrap_or(i32::MAX),
        TCP_TIMESTAMP => now.millis32().cast_signed(),
        TCP_NOTSENT_LOWAT => o.notsent_lowat,
        TCP_SAVE_SYN => o.save_syn,
        TCP_ULP => return Ok(Vec::new()),
        TCP_FASTOPEN_KEY => return Ok(cut(&o.fastopen_key, cap)),
        TCP_FASTOPEN_CONNECT => i32::from(o.fastopen_connect),
        TCP_FASTOPEN_NO_COOKIE => i32::from(o.fastopen_no_cookie),
        TCP_ZEROCOPY_RECEIVE | TCP_REPAIR_QUEUE | TCP_QUEUE_SEQ | TCP_REPAIR_WINDOW => {
            return Err(Errno::EINVAL);
        }
        TCP_INQ => i32::from(o.inq),
        TCP_RTO_MAX_MS => o
            .rto_max_ms
            .unwrap_or_else(|| sysctl(m, file, "net.ipv4.tcp_rto_max_ms", 120_000)),
        _ => return Err(Errno::ENOPROTOOPT),
    };
    Ok(int_answer(value, cap))
}

/// Of an idle socket or a listener what was set, of a connection what it sends at most.
fn maxseg(m: &Machine, now: Instant, file: FileId, set: u16) -> i32 {
    let idle = matches!(state(m, file), TcpState::Close | TcpState::Listen);
    let mss = match tcp(m, file) {
        Some(_) if idle && set != 0 => u32::from(set),
        Some(_) if idle => TCP_MSS_DEFAULT as u32,
        Some(t) => m.net(t.net).tcp_info(now, t.socket).snd_mss,
        None => 0,
    };
    i32::try_from(mss).unwrap_or(i32::MAX)
}

fn congestion_name(options: &Options) -> [u8; Congestion::NAME_MAX] {
    let chosen = options.congestion.unwrap_or(options.congestion_default);
    let mut name = [0; Congestion::NAME_MAX];
    name[..chosen.name().len()].copy_from_slice(chosen.name().as_bytes());
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defer_accept_reads_back_rounded_up_to_a_syn_ack_timeout() {
        let cases = [
            (i32::MIN, 0),
            (-1, 0),
            (0, 0),
            (1, 1),
            (2, 3),
            (3, 3),
            (4, 7),
            (7, 7),
            (8, 15),
            (15, 15),
            (30, 31),
            (47, 63),
            (60, 63),
            (64, 127),
            (127, 127),
            (128, 247),
            (200, 247),
            (255, 367),
            (4095, 4207),
            (32_767, 29_887),
            (1_000_000, 29_887),
            (i32::MAX, 29_887),
        ];
        for (set, want) in cases {
            let got = retransmits_to_seconds(seconds_to_retransmits(set));
            assert_eq!(got, want, "TCP_DEFER_ACCEPT {set}");
        }
    }

    #[test]
    fn name_ends_at_a_zero_byte_or_after_fifteen() {
        assert_eq!(name_of(b""), Err(Errno::EINVAL));
        assert_eq!(name_of(b"reno\0junk"), Ok(&b"reno"[..]));
        assert_eq!(name_of(b"cubic"), Ok(&b"cubic"[..]));
        assert_eq!(name_of(b"0123456789abcdefgh"), Ok(&b"0123456789abcde"[..]));
        assert_eq!(name_of(b"\0"), Ok(&b""[..]));
    }
}
