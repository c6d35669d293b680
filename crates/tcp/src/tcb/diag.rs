//! What diagnosis reads of a connection.

use super::Tcb;
use super::receive::Rx;
use crate::Instant;
use crate::sysctls::Sysctls;
use hearken_abi::TcpState;

/// The timer that `ss` shows (Linux `inet_sk_diag_fill`, 6.18).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Timer {
    /// Retransmission, tail loss probe or reordering window.
    Retransmit,
    /// Keepalive.
    Keepalive,
    /// A probe of a window that is shut.
    Probe,
}

/// The receive side, for TCP_INFO.
#[derive(Clone, Copy, Debug, Default)]
pub struct Receive {
    /// `tcpi_rcv_ssthresh`
    pub ssthresh: u32,
    /// TCP_WINDOW_CLAMP
    pub clamp: u32,
    /// `tcpi_rcv_space`
    pub space: u32,
    /// `tcpi_rcv_rtt` in microseconds.
    pub rtt_us: u32,
    /// `tcpi_ato` in microseconds.
    pub ato_us: u32,
    /// `tcpi_rcv_ooopack`
    pub ooopack: u32,
    /// Memory of what waits to be read or lies beyond a hole (`sk_rmem_alloc`).
    pub memory: u32,
}

impl Tcb {
    /// The timer that runs, when it fires, and how often it has fired without an answer. A delayed ACK is none.
    pub fn timer(&self) -> Option<(Timer, Instant, u8)> {
        let x = self.xfer.as_ref()?;
        let resend = x.rto_at.min(x.pto_at).min(x.reo_at);
        if resend != Instant::FAR {
            let idle = self.snd.nxt == self.snd.una && self.pending().is_none();
            let kind = if idle && x.rto_at == resend {
                Timer::Probe
            } else {
                Timer::Retransmit
            };
            return Some((kind, resend, x.retries));
        }
        (x.keepalive_at != Instant::FAR).then_some((Timer::Keepalive, x.keepalive_at, x.retries))
    }

    /// How many times the timeout has been doubled since a round trip was measured (`tcpi_backoff`).
    pub fn backoff(&self) -> u8 {
        self.xfer.as_ref().map_or(0, |x| x.backoff)
    }

    /// The last measurement of the round-trip time in microseconds; of the first one nothing else is kept.
    pub fn last_rtt_us(&self) -> u32 {
        let kept = self.xfer.as_ref().map_or(0, |x| x.rtt_us);
        if kept == 0 {
            self.rtt.srtt_us >> 3
        } else {
            kept
        }
    }

    /// Bytes that a program has not read, the end of the stream counted as one (Linux `rcv_nxt` less `copied_seq`).
    pub fn unread_numbers(&self) -> usize {
        let fin = match self.state {
            TcpState::CloseWait | TcpState::LastAck | TcpState::Closing => {
                !self.xfer.as_ref().is_some_and(|x| x.eof_read)
            }
            _ => false,
        };
        self.readable() + usize::from(fin)
    }

    /// The program was told of the end of the stream.
    pub fn end_was_read(&mut self) {
        if let Some(x) = &mut self.xfer {
            x.eof_read = true;
        }
    }

    /// The time an ACK may be delayed (`icsk_ack.ato`), how many go at once, and whether they wait for data to ride on.
    pub fn delayed_ack(&self, thresh: u8) -> (core::time::Duration, u8, bool) {
        let none = (core::time::Duration::ZERO, 0, false);
        self.xfer.as_ref().map_or(none, |x| {
            let rx = &x.rx;
            let ato = core::time::Duration::from_micros(u64::from(rx.ato));
            (ato, rx.quick, rx.pingpong >= thresh)
        })
    }

    /// Until when the timers of retransmission and of delayed ACKs would run in a kernel, which does not stop them.
    pub fn armed(&self) -> [Instant; 2] {
        let x = self.xfer.as_deref();
        x.map_or([Instant(0); 2], |x| [x.resend_until, x.delack_until])
    }

    /// Whether the keepalive timer runs.
    pub fn keeps_alive(&self) -> bool {
        let x = self.xfer.as_deref();
        x.is_some_and(|x| x.keepalive_at != Instant::FAR)
    }

    /// How often the timer has fired without an answer.
    pub fn retries(&self) -> u8 {
        self.xfer.as_ref().map_or(0, |x| x.retries)
    }

    /// The timeout that runs, with back-off.
    pub fn timeout(&self) -> core::time::Duration {
        let rto = self.rtt.rto();
        let most = crate::rtt::RTO_MAX;
        self.xfer.as_ref().map_or(rto, |x| x.backed_off(rto, most))
    }

    /// When data and when an acceptable ACK came last.
    pub fn heard(&self) -> Option<(Instant, Instant)> {
        self.xfer.as_ref().map(|x| (x.rx.data_at, x.heard_at))
    }

    /// The receive side. `sysctls`: for one that nothing has moved yet.
    pub fn receive(&self, sysctls: &Sysctls) -> Receive {
        let (rx, memory) = self.xfer.as_ref().map_or_else(
            || {
                (
                    Rx::new(self, Instant::FAR, sysctls, sysctls.tcp_rmem[1], None),
                    0,
                )
            },
            |x| (x.rx, x.recv.charged()),
        );
        Receive {
            ssthresh: rx.ssthresh,
            clamp: rx.clamp,
            space: rx.space,
            rtt_us: rx.rtt8 >> 3,
            ato_us: rx.ato,
            ooopack: rx.ooopack,
            memory,
        }
    }
}
