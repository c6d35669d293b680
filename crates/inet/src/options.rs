//! setsockopt and getsockopt of what `Net` obeys.

use alloc::vec::Vec;
use hearken_tcp::Instant;
use hearken_tcp::tcb::{Knob, NONE};

use crate::api::{Opt, Options};
use crate::bind;
use crate::error::OptError;
use crate::listen::fastopen_key;
use crate::net::Net;
use crate::socket::{Conf, Phase, Socket};
use hearken_abi::TcpState;

/// Linux's SOCK_MIN_RCVBUF and SOCK_MIN_SNDBUF on x86-64.
const MIN_RCVBUF: u32 = 2304;
const MIN_SNDBUF: u32 = 4608;

pub(crate) fn set(net: &mut Net, now: Instant, slot: u32, opt: Opt) -> Result<(), OptError> {
    let (rmem_max, wmem_max) = (net.sh.sysctls.rmem_max, net.sh.sysctls.wmem_max);
    let Some(s) = net.sh.sockets.get_mut(slot) else {
        return Err(OptError::Invalid);
    };
    match opt {
        Opt::ReuseAddr(on) => {
            s.set(Socket::REUSE_ADDR, on);
            bind::change_any(net, slot, |h| h.reuse_addr = on);
        }
        Opt::ReusePort(on) => {
            s.set(Socket::REUSE_PORT, on);
            if let Some(l) = s.listener() {
                net.sh.share_listener(l, on);
            }
            bind::change_any(net, slot, |h| h.reuse_port = on);
        }
        Opt::BindToDevice(device) => {
            s.conf().device = device;
            net.sh.devices |= device.is_some();
            if let Some(l) = s.listener() {
                net.sh.move_listener(l, device);
            }
            bind::change_any(net, slot, |h| h.device = device);
        }
        Opt::IncomingCpu(cpu) => {
            s.conf().incoming_cpu = cpu;
            let listener = s.listener();
            if let Some(l) = listener.and_then(|l| net.sh.listeners.get_mut(l)) {
                l.incoming_cpu = cpu;
            }
        }
        Opt::V6Only(on) => {
            // After bind it is too late (docs/linux 108).
            if s.bind != NONE || !matches!(s.phase, Phase::Idle | Phase::Udp(_)) {
                return Err(OptError::Invalid);
            }
            s.set(Socket::V6ONLY, on);
        }
        Opt::Broadcast(on) => {
            let phase = s.phase;
            if let Phase::Udp(u) = phase
                && let Some(x) = net.sh.udp.socks.get_mut(u)
            {
                x.broadcast = on;
            }
        }
        Opt::FreeBind(on) => s.set(Socket::FREE_BIND, on),
        Opt::BindAddressNoPort(on) => s.set(Socket::NO_PORT, on),
        Opt::LocalPortRange(v) => s.conf().local_port_range = v,
        Opt::KeepAlive(on) => {
            s.set(Socket::KEEP_ALIVE, on);
            net.step(now, slot, |t, cx| t.set_keepalive(cx, on));
        }
        Opt::OobInline(on) => {
            s.conf().oob_inline = on;
            net.step(now, slot, |t, cx| t.set_oob_inline(cx, on));
        }
        Opt::NoDelay(on) => {
            s.set(Socket::NO_DELAY, on);
            net.step(now, slot, |t, _| t.set_nodelay(on));
        }
        Opt::Cork(on) => {
            s.set(Socket::CORK, on);
            net.step(now, slot, |t, _| t.set_cork(on));
        }
        Opt::Linger(d) => s.conf().linger = d,
        Opt::RcvBuf(bytes) => {
            let kept = (bytes.min(rmem_max).saturating_mul(2)).max(MIN_RCVBUF);
            s.conf().rcvbuf = Some(kept);
            net.step(now, slot, |t, cx| t.set_rcvbuf(cx, kept));
        }
        Opt::SndBuf(bytes) => {
            let kept = (bytes.min(wmem_max).saturating_mul(2)).max(MIN_SNDBUF);
            s.conf().sndbuf = Some(kept);
            net.step(now, slot, |t, cx| t.set_sndbuf(cx, kept));
        }
        Opt::MaxSeg(n) => {
            // Linux's TCP_MIN_MSS and MAX_TCP_WINDOW.
            if n != 0 && !(88..=32767).contains(&n) {
                return Err(OptError::Invalid);
            }
            s.conf().max_seg = n;
        }
        Opt::SynCnt(n) => {
            if !(1..=127).contains(&n) {
                return Err(OptError::Invalid);
            }
            s.conf().syn_cnt = n;
        }
        Opt::Tos(v) => s.conf().tos = v,
        Opt::Ttl(v) => s.conf().ttl = v,
        Opt::DeferAccept(n) => {
            s.conf().defer_accept = n;
            net.step(now, slot, |t, cx| t.set_defer_ack(cx, n != 0));
        }
        Opt::Knob(knob) => {
            s.conf().knobs.set(knob);
            let knobs = s.conf().knobs;
            net.step(now, slot, |t, cx| {
                t.set_knobs(cx, knobs);
                if let Knob::WindowClamp(clamp) = knob {
                    t.set_window_clamp(cx, clamp);
                }
            });
        }
        Opt::QuickAck(on) => {
            s.conf().quick_ack_off = on == 0;
            net.step(now, slot, |t, cx| t.set_quick_ack(cx, on));
        }
        Opt::MinTtl(n) => {
            s.conf().min_ttl[0] = n;
            net.sh.min_ttl |= n != 0;
        }
        Opt::MinHops(n) => {
            s.conf().min_ttl[1] = n;
            net.sh.min_ttl |= n != 0;
        }
        Opt::SaveSyn(n) => s.conf().save_syn = n,
        Opt::FastOpenQlen(n) => {
            let connected = matches!(s.phase, Phase::V4(_) | Phase::V6(_));
            if connected && net.state_of(slot) != TcpState::Close {
                return Err(OptError::Invalid);
            }
            fastopen_key::init_once(&mut net.sh);
            let most = net.sh.sysctls.somaxconn;
            if let Some(s) = net.sh.sockets.get_mut(slot) {
                s.conf().fast_open_qlen = n.min(most);
            }
        }
        Opt::FastOpenKeys(keys) => s.conf().fast_open_keys = Some(keys),
        Opt::FastOpenNoCookie(on) => s.conf().fast_open_no_cookie = on,
    }
    Ok(())
}

/// TCP_SAVED_SYN, which is gone once it was read. `Err`: there is no room for it, and it stays.
pub(crate) fn take_saved_syn(net: &mut Net, slot: u32, room: usize) -> Result<Vec<u8>, OptError> {
    let conf = net.sh.sockets.get_mut(slot).and_then(|s| s.conf.as_mut());
    let Some(kept) = conf.map(|c| &mut c.saved_syn) else {
        return Ok(Vec::new());
    };
    if kept.as_ref().is_some_and(|k| k.len() > room) {
        return Err(OptError::Invalid);
    }
    Ok(kept.take().map_or_else(Vec::new, Vec::from))
}

pub(crate) fn get(net: &Net, slot: u32) -> Option<Options> {
    let s = net.sh.sockets.get(slot)?;
    let fresh = Conf::new(s.domain);
    let c = s.conf.as_deref().unwrap_or(&fresh);
    let moving = match s.phase {
        Phase::V4(c) => net.v4.conns.get(c).and_then(|c| c.tcb.buffers()),
        Phase::V6(c) => net.v6.conns.get(c).and_then(|c| c.tcb.buffers()),
        Phase::Idle | Phase::Listener(_) | Phase::Udp(_) => None,
    };
    let sys = &net.sh.sysctls;
    let (sndbuf, rcvbuf) = moving.unwrap_or((
        c.sndbuf.unwrap_or(sys.tcp_wmem[1]),
        c.rcvbuf.unwrap_or(sys.tcp_rmem[1]),
    ));
    Some(Options {
        reuse_addr: s.has(Socket::REUSE_ADDR),
        reuse_port: s.has(Socket::REUSE_PORT),
        device: c.device,
        v6only: s.has(Socket::V6ONLY),
        free_bind: s.has(Socket::FREE_BIND),
        bind_address_no_port: s.has(Socket::NO_PORT),
        local_port_range: c.local_port_range,
        keep_alive: s.has(Socket::KEEP_ALIVE),
        linger: c.linger,
        rcvbuf,
        sndbuf,
        no_delay: s.has(Socket::NO_DELAY),
        cork: s.has(Socket::CORK),
        max_seg: c.max_seg,
        syn_cnt: c.syn_cnt,
        tos: c.tos,
        ttl: c.ttl,
        fast_open_qlen: c.fast_open_qlen,
        quick_ack: net
            .tcb(slot)
            .map_or(!c.quick_ack_off, |t| t.quick_ack(sys.tcp_pingpong_thresh)),
        rmem: net.tcb(slot).map_or(0, |t| t.receive(sys).memory),
        window_clamp: net.tcb(slot).map(|t| t.receive(sys).clamp),
    })
}
