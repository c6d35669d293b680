//! connect(2) (Linux `__inet_stream_connect`, `tcp_v4_connect`, `__inet_hash_connect`).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use hearken_abi::{Domain, TcpState};
use hearken_tcp::tcb::{Connection, NONE, Tcb};
use hearken_tcp::{Instant, Seq, Tuple, V4, V6};
use hearken_wire::options::FastOpen;

use crate::api::{Connect, Cred, IfaceId};
use crate::bind;
use crate::close::{WithConn, disconnect_failed};
use crate::error::ConnectError;
use crate::family::Side;
use crate::hash::bind::Holder;
use crate::hash::established::{Entry, Half};
use crate::listen::{advmss, shape};
use crate::net::Net;
use crate::shared::Shared;
use crate::socket::{Phase, Socket, SsState, shown};
use crate::tcp_input::touch;
use crate::udp;

pub(crate) fn connect(
    net: &mut Net,
    now: Instant,
    slot: u32,
    addr: SocketAddr,
    cred: &Cred,
) -> Result<Connect, ConnectError> {
    if let Some(answer) = state(net, slot) {
        return answer;
    }
    let Some(s) = net.sh.sockets.get_mut(slot) else {
        return Err(ConnectError::AddrNotAvailable);
    };
    if let Phase::Udp(u) = s.phase {
        return udp::connect(&mut net.sh, slot, u, addr, cred).map(|()| Connect::Done);
    }
    let (domain, v6only) = (s.domain, s.has(Socket::V6ONLY));
    if addr.is_ipv4() != (domain == Domain::Inet) {
        return Err(ConnectError::WrongFamily);
    }
    s.conf().uid = cred.uid;
    let conf = s.conf();
    let (device, src) = (conf.device, conf.local.ip());
    // Bound to an IPv4 address as an IPv6 socket sees it, or to an IPv6 address (docs/linux/connect.md).
    let mapped = addr.is_ipv6() && src.to_canonical().is_ipv4();
    let native = addr.is_ipv6() && !mapped && !src.is_unspecified();
    // The unspecified address means this host.
    let dst = match addr.ip().to_canonical() {
        IpAddr::V4(a) if a.is_unspecified() => {
            let src = src.to_canonical();
            let bound = (src.is_ipv4() && !src.is_unspecified()).then_some(src);
            let of_device = || net.sh.routing.first_address(device?, a.into());
            let home = || IpAddr::V4(Ipv4Addr::LOCALHOST);
            bound.or_else(of_device).unwrap_or_else(home)
        }
        IpAddr::V6(a) if a.is_unspecified() && mapped => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(a) if a.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    if native && dst.is_ipv4() {
        return Err(ConnectError::NoRoute);
    }
    if mapped && dst.is_ipv6() && !dst.is_multicast() {
        let route = net.sh.routing.towards_by(dst, device);
        return Err(route.map_or(ConnectError::NoRoute, |_| ConnectError::OtherFamily));
    }
    if addr.is_ipv6() && dst.is_ipv4() && v6only
        || dst.is_multicast()
        || net.sh.routing.is_broadcast(dst)
    {
        return Err(ConnectError::NotUnicast);
    }
    if dst.is_ipv4() {
        open::<V4>(net, now, slot, dst, addr.port())
    } else {
        open::<V6>(net, now, slot, dst, addr.port())
    }
}

/// The socket-level state goes before everything else (LISTEN is no CLOSE: connected, as far as connect() cares).
pub(crate) fn state(net: &mut Net, slot: u32) -> Option<Result<Connect, ConnectError>> {
    let s = net.sh.sockets.get_mut(slot)?;
    match (s.ss, s.phase) {
        (_, Phase::Listener(_)) | (SsState::Connected, _) => Some(Err(ConnectError::IsConnected)),
        (SsState::Connecting, _) => Some(progress(net, slot)),
        // Shut down after the attempt failed (inet_shutdown, __inet_stream_connect, 6.18).
        (SsState::Disconnecting, _) => Some(Err(ConnectError::BadSource)),
        (SsState::Unconnected, _) => None,
    }
}

/// A second connect() while an attempt is under way, or after it ended.
fn progress(net: &mut Net, slot: u32) -> Result<Connect, ConnectError> {
    let state = net.state_of(slot);
    if matches!(state, TcpState::SynSent | TcpState::SynRecv) {
        return Err(ConnectError::Already);
    }
    if state == TcpState::Close {
        let kept = net.sh.sockets.get_mut(slot).and_then(|s| s.error.take());
        let error = net.with_tcb(slot, |t| t.take_error()).flatten().or(kept);
        disconnect_failed(net, slot);
        if let Some(s) = net.sh.sockets.get_mut(slot) {
            (s.ss, s.shut) = (SsState::Unconnected, 0);
        }
        return Err(error.map_or(ConnectError::Aborted, ConnectError::Failed));
    }
    if let Some(s) = net.sh.sockets.get_mut(slot) {
        s.ss = SsState::Connected;
    }
    Ok(Connect::Done)
}

/// `tcp_fastopen` bit: data goes with the SYN although there is no cookie.
const TFO_CLIENT_NO_COOKIE: i32 = 4;

/// Makes the SYN of an attempt that began just now a fast one (Linux `tcp_send_syn_data`): with as much of `data` as it
/// takes if the peer gave us a cookie, or needs none, else with a request for one. How much it takes.
pub(crate) fn fast_open(net: &mut Net, now: Instant, slot: u32, data: &[u8]) -> usize {
    struct Fast<'a> {
        now: Instant,
        no_cookie: bool,
        data: &'a [u8],
    }
    impl WithConn for Fast<'_> {
        type Out = usize;
        fn run<F: Side>(self, half: &mut Half<F>, sh: &mut Shared, conn: u32) -> usize {
            let Some(c) = half.conns.get_mut(conn) else {
                return 0;
            };
            let (local, peer) = (F::to_ip(c.tuple.laddr), F::to_ip(c.tuple.raddr));
            let option = if self.no_cookie {
                None
            } else {
                let known = sh.metrics.cookie(local, peer);
                known.or_else(|| FastOpen::new(&[], false))
            };
            c.tcb
                .fast_open_syn(&mut sh.ctx(self.now), option, self.data)
        }
    }
    let conf = net.sh.sockets.get(slot).and_then(|s| s.conf.as_ref());
    let no_cookie = net.sh.sysctls.tcp_fastopen & TFO_CLIENT_NO_COOKIE != 0
        || conf.is_some_and(|c| c.fast_open_no_cookie);
    let fast = Fast {
        now,
        no_cookie,
        data,
    };
    net.with_conn(slot, fast).unwrap_or(0)
}

/// For TCP_FASTOPEN_CONNECT: whether the SYN waits for data.
pub(crate) fn fast_open_connect(net: &mut Net, now: Instant, slot: u32) -> bool {
    fast_open(net, now, slot, &[]);
    let held = net.with_tcb(slot, Tcb::hold_fast_syn).unwrap_or(false);
    if held && let Some(s) = net.sh.sockets.get_mut(slot) {
        // __inet_stream_connect (6.18): connected, as far as connect() cares.
        s.ss = SsState::Connected;
    }
    held
}

fn open<F: Side>(
    net: &mut Net,
    now: Instant,
    slot: u32,
    dst: IpAddr,
    rport: u16,
) -> Result<Connect, ConnectError> {
    let (half, sh) = F::parts(net);
    let Some(s) = sh.sockets.get_mut(slot) else {
        return Err(ConnectError::AddrNotAvailable);
    };
    let (bound, domain) = (s.bind, s.domain);
    let conf = s.conf();
    let (local, addr_locked, device) = (conf.local, conf.addr_locked, conf.device);
    let left = conf.left.write;
    let out = sh.routing.towards_by(dst, device);
    let out = out.ok_or(ConnectError::NoRoute)?;
    let src = if addr_locked && !local.ip().to_canonical().is_unspecified() {
        Some(local.ip())
    } else {
        sh.routing.source_by(dst, device)
    };
    let from_loopback = |ip: IpAddr| matches!(ip.to_canonical(), IpAddr::V4(a) if a.is_loopback());
    if out != IfaceId::LO && src.is_some_and(from_loopback) {
        // ip_route_output (6.18): nobody beyond this host could answer.
        return Err(ConnectError::BadSource);
    }
    let (Some(laddr), Some(raddr)) = (src.and_then(F::from_ip), F::from_ip(dst)) else {
        return Err(ConnectError::AddrNotAvailable);
    };
    let tuple = |lport| Tuple::<F> {
        laddr,
        raddr,
        lport,
        rport,
    };
    let addr = shown(domain, F::to_ip(laddr));
    let (lport, bind) = if bound != NONE {
        if half.find(&sh.secrets, &tuple(local.port())).is_some() {
            return Err(ConnectError::AddrNotAvailable);
        }
        (local.port(), sh.binds.change(bound, |h| h.addr = addr))
    } else {
        // Even distances first: odd ones are left to bind(0) (docs/linux 25, 31).
        // A range of the socket's own is searched whole.
        let (low, high, own) = bind::range(sh, slot);
        let start = sh.secrets.draw() as u32;
        let free = |p: u16| {
            !sh.sysctls.ip_local_reserved_ports.contains(p)
                && (!sh.binds.is_held(p)
                    || sh.binds.only_connects(p) && half.find(&sh.secrets, &tuple(p)).is_none())
        };
        let (step, parities) = if own { (1, 0..1) } else { (2, 0..2) };
        let port = parities
            .into_iter()
            .find_map(|parity| bind::search(low, high + 1, start, step, parity, free));
        let port = port.ok_or(ConnectError::AddrNotAvailable)?;
        let local = SocketAddr::new(addr, port);
        let h = bind::holder(sh, slot, local).ok_or(ConnectError::AddrNotAvailable)?;
        (
            port,
            sh.binds.take(Holder {
                by_connect: true,
                ..h
            }),
        )
    };
    let tuple = tuple(lport);
    sh.metrics.forget_path_mtus(now);
    let shape = shape(sh, slot);
    let adv = advmss::<F>(sh.mtu_to(out, dst), shape.max_seg);
    let space = (shape.rcvbuf, shape.window_clamp);
    let iss = match left {
        Seq(0) => sh.secrets.isn(&tuple, now),
        // What a disconnect left is gone on with (tcp_v4_connect, 6.18; docs/linux/sequences.md).
        left => left,
    };
    let offset = if sh.sysctls.tcp_timestamps == 1 {
        sh.secrets.ts_offset(&tuple)
    } else {
        0
    };
    let mut tcb = Tcb::connect(&mut sh.ctx(now), iss, offset, adv, out.0, space);
    (tcb.owner, tcb.bind) = (slot, bind);
    tcb.set_mapped(!F::V6 && domain == Domain::Inet6);
    if let Some(s) = sh.sockets.get_mut(slot) {
        (s.bind, s.ss, s.error) = (NONE, SsState::Connecting, None);
        tcb.inherit_shutdown(
            s.shut & Socket::SHUT_RCV != 0,
            s.shut & Socket::SHUT_SND != 0,
        );
        s.shut = 0;
        tcb.set_nodelay(s.has(Socket::NO_DELAY));
        tcb.set_cork(s.has(Socket::CORK));
        tcb.cb_flags = s.cb_flags;
        let keep_alive = s.has(Socket::KEEP_ALIVE);
        let conf = s.conf();
        conf.local = SocketAddr::new(addr, lport);
        let (sndbuf, rcvbuf, syn_cnt) = (conf.sndbuf, conf.rcvbuf, conf.syn_cnt);
        let knobs = conf.knobs;
        let (quick_ack, defer) = (!conf.quick_ack_off, conf.defer_accept != 0);
        let oob_inline = conf.oob_inline;
        let mut cx = sh.ctx(now);
        tcb.set_oob_inline(&cx, oob_inline);
        tcb.set_syn_retries(&cx, syn_cnt);
        tcb.set_knobs(&cx, knobs);
        if !quick_ack {
            tcb.set_quick_ack(&mut cx, 0);
        }
        if defer {
            tcb.set_defer_ack(&cx, true);
        }
        if keep_alive {
            tcb.set_keepalive(&mut cx, true);
        }
        if let Some(b) = sndbuf {
            tcb.set_sndbuf(&cx, b);
        }
        if let Some(b) = rcvbuf {
            tcb.set_rcvbuf(&cx, b);
        }
    }
    tcb.md5 = sh.md5_key(slot, F::to_ip(raddr)).is_some();
    let conn = half.conns.insert(Connection { tcb, tuple });
    half.hash(&sh.secrets, &tuple, Entry::Connection(conn));
    if let Some(s) = sh.sockets.get_mut(slot) {
        s.phase = if F::V6 {
            Phase::V6(conn)
        } else {
            Phase::V4(conn)
        };
    }
    touch(half, sh, conn);
    if let Some(c) = half.conns.get_mut(conn) {
        sh.sock_ops_connect(c);
    }
    Ok(Connect::InProgress)
}
