//! Every socket as `ss` shows it, and TCP_INFO.

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;
use hearken_abi::tcp_info::{
    OPT_ECN, OPT_ECN_SEEN, OPT_SACK, OPT_SYN_DATA, OPT_TFO_CHILD, OPT_TIMESTAMPS, OPT_WSCALE,
};
use hearken_abi::{Domain, TcpInfo, TcpState};
use hearken_tcp::rtt::TIMEOUT_INIT;
use hearken_tcp::tcb::{NONE, Tcb, Timer};
use hearken_tcp::{Family, Instant, Tuple, V4, V6};

use crate::api::{DiagColumns, DiagMemory, DiagRow};
use crate::family::Side;
use crate::hash::established::Half;
use crate::net::Net;
use crate::shared::Shared;
use crate::socket::{Phase, shown, unspecified};

/// The numbers of timers in /proc/net/tcp.
const RETRANSMIT: u8 = 1;
const KEEPALIVE: u8 = 2;
const TIME_WAIT: u8 = 3;
const PROBE: u8 = 4;

/// A socket that has moved nothing yet.
const AT_REST: DiagColumns = DiagColumns {
    rto: TIMEOUT_INIT,
    ato: Duration::ZERO,
    quick: 0,
    pingpong: false,
    cwnd: 10,
    ssthresh: -1,
    armed: [Instant(0); 2],
};

pub(crate) fn rows(net: &Net) -> Vec<DiagRow> {
    let sh = &net.sh;
    let mut out = Vec::new();
    for (_, l) in sh.listeners.iter() {
        let conf = sh.sockets.get(l.socket).and_then(|s| s.conf.as_ref());
        let (uid, qlen) = conf.map_or((0, 0), |c| (c.uid, c.fast_open_qlen));
        out.push(DiagRow {
            domain: l.domain,
            state: TcpState::Listen,
            local: l.local,
            peer: unspecified(l.domain),
            rx_queue: l.ack_backlog(),
            tx_queue: l.max_ack_backlog,
            socket: Some(sh.id(l.socket)),
            uid,
            timer: 0,
            timer_at: Instant::FAR,
            retransmits: 0,
            shutdown: 0,
            memory: Some(memory(sh, l.socket, None)),
            references: 1 + l.half_open + l.ack_backlog(),
            orphan: false,
            columns: Some(DiagColumns {
                rto: TIMEOUT_INIT,
                ssthresh: i64::from(qlen),
                ..AT_REST
            }),
        });
    }
    half_rows(&net.v4, sh, &mut out);
    half_rows(&net.v6, sh, &mut out);
    out
}

fn half_rows<F: Side>(half: &Half<F>, sh: &Shared, out: &mut Vec<DiagRow>) {
    let own = if F::V6 { Domain::Inet6 } else { Domain::Inet };
    let row = |domain: Domain, t: &Tuple<F>, state| {
        let end = |ip, port| SocketAddr::new(shown(domain, F::to_ip(ip)), port);
        DiagRow {
            domain,
            state,
            local: end(t.laddr, t.lport),
            peer: end(t.raddr, t.rport),
            rx_queue: 0,
            tx_queue: 0,
            socket: None,
            uid: 0,
            timer: 0,
            timer_at: Instant::FAR,
            retransmits: 0,
            shutdown: 0,
            memory: None,
            references: 0,
            orphan: false,
            columns: None,
        }
    };
    for (_, c) in half.conns.iter().filter(|(_, c)| !c.tcb.has(Tcb::UNHASHED)) {
        let t = &c.tcb;
        let domain = if t.has(Tcb::MAPPED) {
            Domain::Inet6
        } else {
            own
        };
        let queued = sh.sockets.get(t.owner).is_some();
        let timer = t.timer();
        out.push(DiagRow {
            rx_queue: t.unread_numbers() as u32,
            tx_queue: t.unacked_numbers() as u32,
            socket: (t.owner != NONE && queued).then(|| sh.id(t.owner)),
            uid: sh
                .sockets
                .get(t.owner)
                .and_then(|s| s.conf.as_ref())
                .map_or_else(|| sh.binds.uid(t.bind), |c| c.uid),
            timer: timer.map_or(0, |(kind, ..)| match kind {
                Timer::Retransmit => RETRANSMIT,
                Timer::Keepalive => KEEPALIVE,
                Timer::Probe => PROBE,
            }),
            timer_at: timer.map_or(Instant::FAR, |(_, at, _)| at),
            retransmits: timer.map_or(0, |(.., n)| n),
            shutdown: u8::from(t.has(Tcb::RCV_SHUT)) | u8::from(t.has(Tcb::SND_SHUT)) << 1,
            memory: Some(memory(sh, t.owner, Some(t))),
            references: 1 + u32::from(t.keeps_alive()),
            orphan: t.owner == NONE,
            columns: Some(columns(sh, t)),
            ..row(domain, &c.tuple, t.state)
        });
    }
    for (_, r) in half.reqs.iter() {
        // Whoever has its listener's slot now may be another.
        let there = sh.listeners.generation(r.listener) == r.listener_gen;
        let listener = sh.listeners.get(r.listener).filter(|_| there);
        let domain = listener.map_or(own, |l| l.domain);
        let conf = listener.and_then(|l| sh.sockets.get(l.socket)?.conf.as_ref());
        out.push(DiagRow {
            uid: conf.map_or(0, |c| c.uid),
            timer: RETRANSMIT,
            timer_at: r.deadline,
            retransmits: r.num_timeout,
            ..row(domain, &r.tuple, TcpState::SynRecv)
        });
    }
    for (_, w) in half.tws.iter() {
        let waiting = w.flags & hearken_tcp::TimeWaitSock::<F>::FIN_WAIT2 != 0;
        let state = if waiting {
            TcpState::FinWait2
        } else {
            TcpState::TimeWait
        };
        let mapped = w.flags & hearken_tcp::TimeWaitSock::<F>::MAPPED != 0;
        let domain = if mapped { Domain::Inet6 } else { own };
        out.push(DiagRow {
            timer: TIME_WAIT,
            timer_at: w.deadline,
            // The two hashes and the timer.
            references: 3,
            ..row(domain, &w.tuple, state)
        });
    }
}

fn columns(sh: &Shared, t: &Tcb) -> DiagColumns {
    let (ato, quick, pingpong) = t.delayed_ack(sh.sysctls.tcp_pingpong_thresh);
    DiagColumns {
        rto: t.timeout(),
        ato,
        quick,
        pingpong,
        cwnd: t.cwnd,
        // Linux `tcp_in_initial_slowstart`.
        ssthresh: if t.ssthresh >= u32::MAX >> 1 {
            -1
        } else {
            i64::from(t.ssthresh)
        },
        armed: t.armed(),
    }
}

/// SO_MEMINFO, as far as it is kept: what the program set, else what the connection has grown to, else the sysctls.
fn memory(sh: &Shared, slot: u32, tcb: Option<&Tcb>) -> DiagMemory {
    let conf = sh.sockets.get(slot).and_then(|s| s.conf.as_ref());
    let (sndbuf, rcvbuf) = tcb.and_then(Tcb::buffers).unwrap_or_else(|| {
        (
            conf.and_then(|c| c.sndbuf)
                .unwrap_or(sh.sysctls.tcp_wmem[1]),
            conf.and_then(|c| c.rcvbuf)
                .unwrap_or(sh.sysctls.tcp_rmem[1]),
        )
    });
    DiagMemory {
        rmem_alloc: tcb.map_or(0, |t| t.receive(&sh.sysctls).memory),
        rcvbuf,
        sndbuf,
        wmem_queued: tcb.map_or(0, |t| t.unacked() as u32),
    }
}

/// TCP_INFO (Linux `tcp_get_info`): of a listener the two queue figures and constants (docs/linux 124).
pub(crate) fn tcp_info(net: &Net, now: Instant, slot: u32) -> TcpInfo {
    let mut i = TcpInfo {
        state: TcpState::Close as u8,
        snd_cwnd: 10,
        reordering: 3,
        // No pacing, so no bound.
        pacing_rate: u64::MAX,
        max_pacing_rate: u64::MAX,
        ..TcpInfo::default()
    };
    let Some(s) = net.sh.sockets.get(slot) else {
        return i;
    };
    let t = match s.phase {
        Phase::Idle | Phase::Udp(_) => return i,
        Phase::Listener(l) => {
            if let Some(l) = net.sh.listeners.get(l) {
                i.state = TcpState::Listen as u8;
                (i.unacked, i.sacked) = (l.ack_backlog(), l.max_ack_backlog);
            }
            return i;
        }
        Phase::V4(c) => net.v4.conns.get(c).map(|c| &c.tcb),
        Phase::V6(c) => net.v6.conns.get(c).map(|c| &c.tcb),
    };
    let Some(t) = t else { return i };
    i.state = t.state as u8;
    for (flag, bit) in [
        (Tcb::TSTAMP_OK, OPT_TIMESTAMPS),
        (Tcb::SACK_OK, OPT_SACK),
        (Tcb::WSCALE_OK, OPT_WSCALE),
    ] {
        if t.has(flag) {
            i.options |= bit;
        }
    }
    for (flag, bit) in [(Tcb::ECN_OK, OPT_ECN), (Tcb::ECN_SEEN, OPT_ECN_SEEN)] {
        if t.ecn & flag != 0 {
            i.options |= bit;
        }
    }
    i.ca_state = t.ca_state();
    let (syn_data, child) = t.fast_open_info();
    i.options |= if syn_data { OPT_SYN_DATA } else { 0 };
    i.options |= if child { OPT_TFO_CHILD } else { 0 };
    i.fastopen_client_fail = t.fast_open_client_fail();
    (i.snd_wscale, i.rcv_wscale) = (t.snd_wscale(), t.rcv_wscale());
    i.rto = t.rtt.rto().as_micros() as u32;
    (i.rtt, i.rttvar) = (t.rtt.srtt_us >> 3, t.rtt.rttvar_us >> 2);
    (i.snd_mss, i.rcv_mss, i.advmss) =
        (u32::from(t.mss), u32::from(t.rcv_mss), u32::from(t.advmss));
    (i.snd_cwnd, i.snd_ssthresh, i.snd_wnd) = (t.cwnd, t.ssthresh, t.snd.wnd);
    let r = t.receive(&net.sh.sysctls);
    (i.rcv_wnd, i.rcv_ssthresh, i.rcv_space) = (t.rcv.wnd, r.ssthresh, r.space);
    (i.rcv_rtt, i.ato, i.rcv_ooopack) = (r.rtt_us, r.ato_us, r.ooopack);
    i.unacked = (t.snd.nxt - t.snd.una).div_ceil(u32::from(t.mss.max(1)));
    i.notsent_bytes = t.unsent() as u32;
    let peer = match s.phase {
        Phase::V4(c) => net.v4.conns.get(c).map(|c| V4::to_ip(c.tuple.raddr)),
        Phase::V6(c) => net.v6.conns.get(c).map(|c| V6::to_ip(c.tuple.raddr)),
        Phase::Idle | Phase::Listener(_) | Phase::Udp(_) => None,
    };
    let iface = crate::api::IfaceId(t.iface);
    i.pmtu = peer.map_or_else(|| net.sh.mtu(iface), |p| net.sh.mtu_to(iface, p));
    if matches!(s.phase, Phase::V4(_)) {
        // The longest IPv4 packet (Linux IP_MAX_MTU): `lo`, of 65536, exceeds it.
        i.pmtu = i.pmtu.min(u32::from(u16::MAX));
    }
    if let Some((data, ack)) = t.heard() {
        i.last_data_recv = now.since(data).as_millis() as u32;
        i.last_ack_recv = now.since(ack).as_millis() as u32;
    }
    i.backoff = t.backoff();
    match t.timer() {
        Some((Timer::Retransmit, _, n)) => i.retransmits = n,
        Some((Timer::Probe | Timer::Keepalive, _, n)) => i.probes = n,
        None => {}
    }
    i
}
