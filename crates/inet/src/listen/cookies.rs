//! SYN cookies: an answer to a SYN that keeps no state (Linux `cookie_init_sequence`, `cookie_v4_check`; docs/linux 78
//! to 87). The sequence number holds the peer's MSS class and the minute; the timestamp, if there is one, the options.

use core::net::SocketAddr;
use core::time::Duration;
use hearken_abi::{Counter, DropReason};
use hearken_tcp::request::RequestSock;
use hearken_tcp::tcb::{NONE, initial_window};
use hearken_tcp::{Instant, Seq};
use hearken_wire::Options;

use super::check_req::create_child;
use super::conn_request::{of_cookie, remove, syn_ack_header};
use super::shape;
use crate::api::IfaceId;
use crate::family::Side;
use crate::hash::established::Half;
use crate::hooks::Step;
use crate::shared::Shared;
use crate::tcp_input::{Packet, reply_reset};
use crate::tcp_output::{self, Ends};

/// How many minutes old a cookie may be (Linux's MAX_SYNCOOKIE_AGE).
const MAX_AGE: u32 = 2;
/// How long a listener that sent a cookie goes on testing ACKs.
const ARMED: Duration = Duration::from_secs(120);
/// Bits of the timestamp that hold options.
const TS_BITS: u32 = 6;
const TS_ECN: u32 = 1 << 5;
const TS_SACK: u32 = 1 << 4;
const TS_NO_WSCALE: u32 = 0xf;

/// The MSS classes (docs/linux 82).
const fn table<F: Side>() -> [u16; 4] {
    if F::V6 {
        [1220, 1420, 1440, 8940]
    } else {
        [536, 1300, 1440, 1460]
    }
}

const fn minute(now: Instant) -> u32 {
    (now.0 / 60_000_000_000) as u32
}

/// Answers a SYN, which came with `tos`, with a cookie; `req` is what a request sock would have held.
pub(super) fn send<F: Side>(
    sh: &mut Shared,
    now: Instant,
    l: u32,
    mut req: RequestSock<F>,
    tos: u8,
) {
    let class = table::<F>()
        .iter()
        .rposition(|&m| m <= req.mss)
        .unwrap_or(0) as u32;
    let count = minute(now);
    let cookie = |c| sh.secrets.cookie(&req.tuple, c);
    let isn = cookie(None)
        .wrapping_add(req.rcv_isn.0)
        .wrapping_add(count << 24)
        .wrapping_add(cookie(Some(count)).wrapping_add(class) & 0xff_ffff);
    req.snt_isn = Seq(isn);
    let mut ts = now.millis32();
    if req.has(RequestSock::<F>::TSTAMP_OK) {
        let mut bits = if req.has(RequestSock::<F>::WSCALE_OK) {
            u32::from(req.snd_wscale())
        } else {
            TS_NO_WSCALE
        };
        bits |= if req.has(RequestSock::<F>::SACK_OK) {
            TS_SACK
        } else {
            0
        };
        bits |= if req.has(RequestSock::<F>::ECN_OK) {
            TS_ECN
        } else {
            0
        };
        let carrying = ts >> TS_BITS << TS_BITS | bits;
        // Never ahead of the clock.
        ts = if carrying > ts {
            carrying.wrapping_sub(1 << TS_BITS)
        } else {
            carrying
        };
    } else {
        // Nothing but the MSS survives (docs/linux 80).
        req.flags = 0;
    }
    let Some(listener) = sh.listeners.get_mut(l) else {
        return;
    };
    listener.cookies_until = now + ARMED;
    let (socket, group) = (listener.socket, listener.group);
    if let Some(g) = sh.groups.get_mut(group) {
        g.cookies_until = now + ARMED;
    }
    let shape = shape(sh, socket);
    let key = sh.md5_key(socket, F::to_ip(req.tuple.raddr));
    let mut header = syn_ack_header(sh, &req, shape.max_seg, ts);
    header.options.md5 = key.is_some();
    sh.mib.inc(Counter::SyncookiesSent);
    sh.mib.inc(Counter::TcpOutSegs);
    let reflected = sh.sysctls.tcp_reflect_tos != 0;
    let ends = Ends {
        src: req.tuple.laddr,
        dst: req.tuple.raddr,
        tos: if reflected { tos & !3 } else { shape.tos },
        ttl: shape.ttl,
    };
    tcp_output::reply::<F>(sh, IfaceId(req.iface), &ends, &header, key.as_ref());
}

/// An ACK at listener `l` that no request waits for: a cookie coming back, or a stray.
pub(crate) fn check<F: Side>(
    half: &mut Half<F>,
    sh: &mut Shared,
    now: Instant,
    l: u32,
    p: &Packet<'_, F>,
) {
    let armed = sh.listeners.get(l).is_some_and(|l| {
        let group = sh.groups.get(l.group).map(|g| g.cookies_until);
        now < group.unwrap_or(l.cookies_until)
    });
    if sh.sysctls.tcp_syncookies == 0 || !armed {
        sh.drop_packet(DropReason::TcpFlags);
        let key = sh.md5_key_of_listener(l, F::to_ip(p.src));
        return reply_reset(sh, p, key);
    }
    let tuple = p.tuple();
    let (isn, rcv_isn) = (p.seg.ack - 1, p.seg.seq - 1);
    let decoded = {
        let cookie = |c| sh.secrets.cookie(&tuple, c);
        let v = isn.0.wrapping_sub(cookie(None)).wrapping_sub(rcv_isn.0);
        let count = minute(now);
        let age = count.wrapping_sub(v >> 24) & 0xff;
        let class = v.wrapping_sub(cookie(Some(count.wrapping_sub(age)))) & 0xff_ffff;
        table::<F>()
            .get(class as usize)
            .copied()
            .filter(|_| age < MAX_AGE)
    };
    let options = decoded.and_then(|mss| Some((mss, restore::<F>(sh, p)?)));
    let Some((mss, (flags, snd_wscale))) = options else {
        sh.mib.inc(Counter::SyncookiesFailed);
        sh.drop_packet(DropReason::TcpInvalidAckSequence);
        let key = sh.md5_key_of_listener(l, F::to_ip(p.src));
        return reply_reset(sh, p, key);
    };
    sh.mib.inc(Counter::SyncookiesRecv);
    let Some(slot) = of_cookie(half, sh, now, l, p, (isn, rcv_isn)) else {
        return;
    };
    // Multiples of the peer's segment, unlike a SYN-ACK's (cookie_v4_check, 6.18).
    let shape = shape(sh, sh.listeners.get(l).map_or(NONE, |l| l.socket));
    let (wnd, _) = initial_window(&sh.sysctls, shape.rcvbuf, shape.window_clamp, mss, false);
    if let Some(r) = half.reqs.get_mut(slot) {
        (r.mss, r.flags) = (mss.min(r.mss), flags);
        r.rcv_wnd = wnd as u16;
        r.wscales = r.wscales & 0xf0 | snd_wscale;
        // No round trip was measured: the SYN-ACK's time is not known.
        r.num_retrans = 1;
    }
    if sh
        .listeners
        .get(l)
        .is_some_and(|l| l.accept_queue_is_full())
    {
        remove(half, sh, slot);
        sh.count_overflow(l);
        sh.drop_at_listener(DropReason::TcpListenOverflow);
        let remote = SocketAddr::new(F::to_ip(tuple.raddr), tuple.rport);
        return sh.trace(|| Step::Overflow {
            remote,
            reset: false,
        });
    }
    if sh.sysctls.tcp_reflect_tos != 0 {
        // There was no request to keep the SYN's.
        sh.syn_tos.keep::<F>(slot, p.tos);
    }
    create_child(half, sh, now, slot, l, p);
}

/// What the timestamp that came back says of the options: request flags and the peer's scale. `None`: it claims what
/// this namespace never grants.
fn restore<F: Side>(sh: &Shared, p: &Packet<'_, F>) -> Option<(u8, u8)> {
    let Options {
        timestamps: Some((_, ecr)),
        ..
    } = p.header.options
    else {
        return Some((0, 0));
    };
    let sys = &sh.sysctls;
    if sys.tcp_timestamps == 0 {
        return None;
    }
    let offset = if sys.tcp_timestamps == 1 {
        sh.secrets.ts_offset(&p.tuple())
    } else {
        0
    };
    let bits = ecr.wrapping_sub(offset) & ((1 << TS_BITS) - 1);
    let mut flags = RequestSock::<F>::TSTAMP_OK;
    if bits & TS_SACK != 0 {
        if sys.tcp_sack == 0 {
            return None;
        }
        flags |= RequestSock::<F>::SACK_OK;
    }
    if bits & TS_ECN != 0 && sys.tcp_ecn != 0 {
        flags |= RequestSock::<F>::ECN_OK;
    }
    let wscale = bits & TS_NO_WSCALE;
    if wscale == TS_NO_WSCALE {
        return Some((flags, 0));
    }
    if sys.tcp_window_scaling == 0 {
        return None;
    }
    Some((flags | RequestSock::<F>::WSCALE_OK, wscale.min(14) as u8))
}
