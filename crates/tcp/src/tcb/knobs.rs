//! What a program may set of a connection's timers and limits, apart from buffers. Nearly always unset, and then one
//! null pointer.

use super::{Ctx, Effects, Tcb};
use crate::Instant;
use alloc::boxed::Box;
use core::time::Duration;
use hearken_abi::{Counter, TcpState};

/// One setting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Knob {
    /// TCP_KEEPIDLE in seconds.
    KeepIdle(u16),
    /// TCP_KEEPINTVL in seconds.
    KeepInterval(u16),
    /// TCP_KEEPCNT
    KeepCount(u8),
    /// TCP_USER_TIMEOUT in milliseconds, 0 for none.
    UserTimeout(u32),
    /// TCP_LINGER2 in seconds: 0 for the sysctl, -1 for not waiting at all.
    Linger2(i16),
    /// TCP_WINDOW_CLAMP in bytes, 0 for none.
    WindowClamp(u32),
    /// TCP_NOTSENT_LOWAT in bytes, 0 for the sysctl.
    NotsentLowat(u32),
    /// TCP_RTO_MAX_MS, 0 for the sysctl.
    RtoMax(u32),
}

/// The settings of one socket; 0 follows the sysctl, or is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Knobs {
    /// TCP_KEEPIDLE
    pub keep_idle: u16,
    /// TCP_KEEPINTVL
    pub keep_interval: u16,
    /// TCP_KEEPCNT
    pub keep_count: u8,
    /// TCP_USER_TIMEOUT
    pub user_timeout: u32,
    /// TCP_LINGER2
    pub linger2: i16,
    /// TCP_WINDOW_CLAMP
    pub window_clamp: u32,
    /// TCP_NOTSENT_LOWAT
    pub notsent_lowat: u32,
    /// TCP_RTO_MAX_MS
    pub rto_max_ms: u32,
}

impl Knobs {
    /// Sets one.
    pub const fn set(&mut self, knob: Knob) {
        match knob {
            Knob::KeepIdle(v) => self.keep_idle = v,
            Knob::KeepInterval(v) => self.keep_interval = v,
            Knob::KeepCount(v) => self.keep_count = v,
            Knob::UserTimeout(v) => self.user_timeout = v,
            Knob::Linger2(v) => self.linger2 = v,
            Knob::WindowClamp(v) => self.window_clamp = v,
            Knob::NotsentLowat(v) => self.notsent_lowat = v,
            Knob::RtoMax(v) => self.rto_max_ms = v,
        }
    }
}

/// The settings of a connection, and since when it gets nowhere.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Set {
    knobs: Knobs,
    /// The first timeout without progress: TCP_USER_TIMEOUT counts from here.
    stalled: Option<Instant>,
}

/// The value, or else the sysctl's.
const fn or(set: u32, sysctl: u32) -> u32 {
    if set == 0 { sysctl } else { set }
}

/// One tick of the measured kernel's clock: the shortest that a timer waits.
const JIFFY: Duration = Duration::from_millis(4);

impl Tcb {
    /// The settings.
    pub fn knobs(&self) -> Knobs {
        let set = self.xfer.as_ref().and_then(|x| x.set.as_ref());
        set.map_or_else(Knobs::default, |s| s.knobs)
    }

    /// Takes over all settings at once.
    pub fn set_knobs(&mut self, cx: &Ctx<'_>, knobs: Knobs) {
        if knobs == self.knobs() {
            return;
        }
        let idle = self.knobs().keep_idle != knobs.keep_idle;
        let set = &mut self.xfer(cx).set;
        set.get_or_insert_with(|| Box::new(Set::default())).knobs = knobs;
        if idle && self.has(Self::KEEPALIVE) {
            // Counted from when the peer was last heard (tcp_sock_set_keepidle_locked, 6.18).
            let at = self.xfer(cx).heard_at + self.keep_idle(cx);
            self.xfer(cx).keepalive_at = at.max(cx.now);
            self.rearm();
        }
    }

    pub(super) fn keep_idle(&self, cx: &Ctx<'_>) -> Duration {
        let set = u32::from(self.knobs().keep_idle);
        Duration::from_secs(u64::from(or(set, cx.sysctls.tcp_keepalive_time)))
    }

    pub(super) fn keep_interval(&self, cx: &Ctx<'_>) -> Duration {
        let set = u32::from(self.knobs().keep_interval);
        Duration::from_secs(u64::from(or(set, cx.sysctls.tcp_keepalive_intvl)))
    }

    /// Whether the keepalive probes so far are enough: by count, or by TCP_USER_TIMEOUT alone when that is set.
    pub(super) fn kept_alive_enough(&self, cx: &Ctx<'_>) -> bool {
        let Some(x) = &self.xfer else { return false };
        let k = self.knobs();
        if k.user_timeout != 0 {
            let silent = cx.now.since(x.heard_at).as_millis();
            return x.retries > 0 && silent >= u128::from(k.user_timeout);
        }
        u32::from(x.retries) >= or(u32::from(k.keep_count), cx.sysctls.tcp_keepalive_probes)
    }

    /// The longest retransmission timeout.
    pub(super) fn rto_max(&self, cx: &Ctx<'_>) -> Duration {
        let ms = or(self.knobs().rto_max_ms, cx.sysctls.tcp_rto_max_ms);
        Duration::from_millis(u64::from(ms))
    }

    /// A timer found no progress. With TCP_USER_TIMEOUT set: whether it has passed since the first such timer, or since
    /// the SYN (RFC 5482; Linux `retransmits_timed_out`, `tcp_probe_timer`). `None`: it is not set.
    pub(super) fn stalled_too_long(&mut self, cx: &Ctx<'_>) -> Option<bool> {
        let syn = self.state == TcpState::SynSent;
        let x = self.xfer.as_mut()?;
        let begun = x.made_at;
        let set = x.set.as_mut().filter(|s| s.knobs.user_timeout != 0)?;
        let first = if syn { begun } else { cx.now };
        let since = *set.stalled.get_or_insert(first);
        let most = Duration::from_millis(u64::from(set.knobs.user_timeout));
        Some(cx.now >= since + most)
    }

    /// The next timer, `wait` from now, comes no later than TCP_USER_TIMEOUT ends.
    pub(super) fn clamp_to_user_timeout(&self, cx: &Ctx<'_>, wait: Duration) -> Duration {
        let set = self.xfer.as_ref().and_then(|x| x.set.as_ref());
        let Some((since, s)) = set.and_then(|s| Some((s.stalled?, s))) else {
            return wait;
        };
        let end = since + Duration::from_millis(u64::from(s.knobs.user_timeout));
        wait.min(end.since(cx.now)).max(JIFFY)
    }

    /// Something was acknowledged, or may leave again.
    pub(super) fn not_stalled(&mut self) {
        let set = self.xfer.as_mut().and_then(|x| x.set.as_mut());
        if let Some(s) = set {
            s.stalled = None;
        }
    }

    /// How long FIN_WAIT2 lasts when nobody holds the socket; `None`: not at all.
    pub fn fin_wait2_time(&self, cx: &Ctx<'_>) -> Option<Duration> {
        match self.knobs().linger2 {
            0 => Some(Duration::from_secs(u64::from(cx.sysctls.tcp_fin_timeout))),
            s => u64::try_from(s).ok().map(Duration::from_secs),
        }
    }

    /// Whether a close now is a reset for TCP_LINGER2's sake.
    pub fn closes_by_reset(&self) -> bool {
        self.state == TcpState::FinWait2 && self.knobs().linger2 < 0
    }

    /// TCP_LINGER2 below zero: an orphan does not wait in FIN_WAIT2. `closing` is the close itself, else the ACK of our
    /// FIN came.
    pub(super) fn linger_not(&mut self, cx: &mut Ctx<'_>, closing: bool) -> Option<Effects> {
        if self.knobs().linger2 >= 0 {
            return None;
        }
        cx.mib.inc(if closing {
            Counter::TcpAbortOnLinger
        } else {
            Counter::TcpAbortOnData
        });
        Some(self.done(cx, None))
    }

    /// TCP_NOTSENT_LOWAT: poll calls the socket writable while twice the unsent bytes are fewer.
    pub(super) fn few_unsent(&self, sysctl: u32) -> bool {
        let most = or(self.knobs().notsent_lowat, sysctl);
        (self.unsent() as u64) << 1 < u64::from(most)
    }
}
