//! Fast Open at a listener (RFC 7413 4.2; Linux `tcp_try_fastopen`, `fastopen_queue_tune`): who gets a cookie, whose data
//! is taken with the SYN, and how many such children may wait for their ACK.

use alloc::collections::VecDeque;
use core::time::Duration;
use hearken_abi::Counter;
use hearken_tcp::request::RequestSock;
use hearken_tcp::tcb::{Pending, Tcb};
use hearken_tcp::{Instant, SysctlError};
use hearken_wire::options::FastOpen;

use super::fastopen_key::{self, Keys};
use super::{accept_queue, advmss, check_req, saved_syn, shape};
use crate::api::IfaceId;
use crate::family::Side;
use crate::hash::established::{Entry, Half};
use crate::hooks::Step;
use crate::md5;
use crate::shared::Shared;
use crate::tcp_input::{Packet, touch};

/// `tcp_fastopen` bit: the server side is on.
const TFO_SERVER_ENABLE: i32 = 2;
/// `tcp_fastopen` bit: data is taken without a cookie.
const TFO_SERVER_COOKIE_NOT_REQD: i32 = 0x200;
/// `tcp_fastopen` bit: listeners need no socket option.
const TFO_SERVER_WO_SOCKOPT1: i32 = 0x400;

/// How long an accepted child that its peer reset keeps its place: as long as a spoofed source would have to be held for
/// (RFC 7413 5.1; docs/linux/fast-open-queue.md).
const RESET_HOLD: Duration = Duration::from_secs(60);

/// Children that a listener made at a SYN and whose ACK has not come (Linux `fastopen_queue`).
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// Places taken, those of `reset` with them.
    len: u32,
    /// Until when the places of reset children stay taken, oldest first.
    reset: VecDeque<Instant>,
}

impl Queue {
    /// A child that another listener made waits here now.
    pub(super) fn take_over(&mut self, waits: bool) {
        self.len += u32::from(waits);
    }

    /// Whether another child fits; a place that is held no longer is given back when one is needed.
    fn has_room(&mut self, now: Instant, max_qlen: u32) -> bool {
        if self.len < max_qlen {
            return true;
        }
        if self.reset.front().is_some_and(|&until| until <= now) {
            self.reset.pop_front();
            self.len -= 1;
            return true;
        }
        false
    }
}

/// On a first listen under 0x402 a socket without a Fast Open queue gets one of the length of its backlog
/// (docs/linux 93, 94; Linux `fastopen_queue_tune`).
pub(super) fn on_first_listen(sh: &mut Shared, slot: u32, backlog: u32) {
    let want = TFO_SERVER_ENABLE | TFO_SERVER_WO_SOCKOPT1;
    if sh.sysctls.tcp_fastopen & want != want {
        return;
    }
    let max_qlen = backlog.min(sh.sysctls.somaxconn);
    fastopen_key::init_once(sh);
    let Some(s) = sh.sockets.get_mut(slot) else {
        return;
    };
    let conf = s.conf();
    if conf.fast_open_qlen == 0 {
        conf.fast_open_qlen = max_qlen;
        sh.trace(|| Step::FastOpen { max_qlen });
    }
}

/// What Fast Open makes of a SYN.
pub(super) enum Verdict {
    /// A child, in the accept queue already.
    Child,
    /// A handshake as ever; its SYN-ACK brings this option.
    Plain(Option<FastOpen>),
}

/// Looks at the SYN `p` of `req` (Linux `tcp_try_fastopen`, 6.18; docs/linux 97-101).
pub(super) fn try_open<F: Side>(
    half: &mut Half<F>,
    sh: &mut Shared,
    now: Instant,
    l: u32,
    p: &Packet<'_, F>,
    req: &RequestSock<F>,
) -> Verdict {
    let option = p.header.options.fast_open;
    // The common SYN, with neither.
    if option.is_none() && p.seg.len == 0 {
        return Verdict::Plain(None);
    }
    let requested = option.is_some_and(|o| o.cookie().is_empty());
    if requested {
        sh.mib.inc(Counter::TcpFastOpenCookieReqd);
    }
    if sh.sysctls.tcp_fastopen & TFO_SERVER_ENABLE == 0 || !has_room(sh, now, l) {
        return Verdict::Plain(None);
    }
    let conf = sh.listeners.get(l).and_then(|l| sh.sockets.get(l.socket));
    let conf = conf.and_then(|s| s.conf.as_deref());
    if sh.sysctls.tcp_fastopen & TFO_SERVER_COOKIE_NOT_REQD != 0
        || conf.is_some_and(|c| c.fast_open_no_cookie)
    {
        return child(half, sh, now, l, p, req, None);
    }
    let (Some(option), Some(keys)) = (
        option,
        conf.and_then(|c| c.fast_open_keys).or(sh.fastopen_keys),
    ) else {
        return Verdict::Plain(None);
    };
    let tuple = p.tuple();
    let cookie = |key: &[u8; 16]| {
        fastopen_key::cookie(key, tuple.raddr.as_ref(), tuple.laddr.as_ref()).to_le_bytes()
    };
    let grant = FastOpen::new(&cookie(&keys.primary), option.experimental);
    if requested {
        return Verdict::Plain(grant);
    }
    if option.cookie() == cookie(&keys.primary) {
        return child(half, sh, now, l, p, req, None);
    }
    if keys.backup.is_some_and(|k| option.cookie() == cookie(&k)) {
        sh.mib.inc(Counter::TcpFastOpenPassiveAltKey);
        return child(half, sh, now, l, p, req, grant);
    }
    sh.mib.inc(Counter::TcpFastOpenPassiveFail);
    Verdict::Plain(grant)
}

/// Linux `tcp_fastopen_queue_check`.
fn has_room(sh: &mut Shared, now: Instant, l: u32) -> bool {
    let Some(listener) = sh.listeners.get_mut(l) else {
        return false;
    };
    let conf = sh
        .sockets
        .get(listener.socket)
        .and_then(|s| s.conf.as_ref());
    let max_qlen = conf.map_or(0, |c| c.fast_open_qlen);
    if max_qlen == 0 {
        return false;
    }
    let room = listener.fast_open.has_room(now, max_qlen);
    if !room {
        sh.mib.inc(Counter::TcpFastOpenListenOverflow);
    }
    room
}

/// Makes the child and puts it into the accept queue (Linux `tcp_fastopen_create_child`).
fn child<F: Side>(
    half: &mut Half<F>,
    sh: &mut Shared,
    now: Instant,
    l: u32,
    p: &Packet<'_, F>,
    req: &RequestSock<F>,
    cookie: Option<FastOpen>,
) -> Verdict {
    let Some(mut socket) = accept_queue::child_socket(sh, l) else {
        return Verdict::Plain(None);
    };
    let shape = sh.listeners.get(l).map(|l| shape(sh, l.socket));
    let shape = shape.unwrap_or_default();
    let adv = advmss::<F>(
        sh.mtu_to(IfaceId(req.iface), F::to_ip(req.tuple.raddr)),
        shape.max_seg,
    );
    if shape.save_syn != 0 {
        socket.conf().saved_syn = Some(saved_syn::bytes_of(shape.save_syn, p));
    }
    if sh.sysctls.tcp_reflect_tos != 0 {
        socket.conf().tos = p.tos & !3;
    }
    let mut cx = sh.ctx(now);
    let mut tcb = Tcb::fast_open(&mut cx, req, &p.seg, adv, cookie);
    tcb.set_syn_retries(&cx, shape.syn_cnt);
    md5::inherit(sh, l, F::to_ip(p.src), &mut socket, &mut tcb);
    let conn = check_req::insert(half, sh, l, &req.tuple, tcb, &socket);
    half.hash(&sh.secrets, &req.tuple, Entry::Connection(conn));
    accept_queue::add(half, sh, now, l, conn, socket);
    if let Some(l) = sh.listeners.get_mut(l) {
        l.fast_open.len += 1;
    }
    sh.mib.inc(Counter::TcpFastOpenPassive);
    touch(half, sh, conn);
    Verdict::Child
}

/// A child that waits no more gives its place back: at once, or, if a program held it when its peer reset it, after a
/// minute (Linux `reqsk_fastopen_remove`; docs/linux 101).
pub(crate) fn release(sh: &mut Shared, p: &Pending) {
    let Some(l) = sh.listeners.of(p.listener, p.listener_gen) else {
        return;
    };
    match p.reset_at.filter(|_| p.accepted) {
        Some(at) => l.fast_open.reset.push_back(at + RESET_HOLD),
        None => l.fast_open.len -= 1,
    }
}

/// The text of the key sysctl.
pub(crate) fn key_text(sh: &Shared) -> alloc::string::String {
    fastopen_key::text(sh.fastopen_keys)
}

/// Sets the namespace's keys from the sysctl's text.
pub(crate) fn set_key(sh: &mut Shared, text: &str) -> Result<(), SysctlError> {
    if text.is_empty() {
        return Ok(());
    }
    sh.fastopen_keys = Some(Keys::parse(text).ok_or(SysctlError::Invalid)?);
    Ok(())
}
