//! Fast Open, the client's side (RFC 7413 4.1; Linux `tcp_send_syn_data`, `tcp_rcv_fastopen_synack`;
//! docs/linux/fast-open-client.md): a SYN that asks for a cookie, or brings one and data.

use super::{CaState, Ctx, Effects, Segment, Tcb};
use hearken_abi::{Counter, TcpState};
use hearken_wire::{Flags, options};

/// Linux's MAX_TCP_OPTION_SPACE: so much less than MSS a SYN carries, whatever its options.
const OPTION_SPACE: u16 = 40;

/// Why data in a SYN came to nothing (`tcpi_fastopen_client_fail`).
const COOKIE_UNAVAILABLE: u8 = 1;
const DATA_NOT_ACKED: u8 = 2;
const SYN_RETRANSMITTED: u8 = 3;

/// What our SYN brings the first time; one that is sent again brings nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct FastSyn {
    /// The option: a cookie, a request for one, or none at all where the server wants none.
    pub option: Option<options::FastOpen>,
    /// Bytes of the send buffer that went with it.
    pub sent: u32,
    /// It waits for its data.
    pub held: bool,
}

impl Tcb {
    /// Makes the SYN, which has not left yet, a fast one: with `data` as far as it takes it, but none beside a request
    /// for a cookie. Returns how many bytes it takes.
    pub fn fast_open_syn(
        &mut self,
        cx: &mut Ctx<'_>,
        option: Option<options::FastOpen>,
        data: &[u8],
    ) -> usize {
        let request = option.is_some_and(|o| o.cookie().is_empty());
        let most = usize::from(self.mss.saturating_sub(OPTION_SPACE));
        let take = if request { 0 } else { data.len().min(most) };
        let x = self.xfer(cx);
        let f = x.fast_open();
        f.syn = Some(FastSyn {
            option,
            sent: take as u32,
            held: false,
        });
        if request {
            f.client_fail = COOKIE_UNAVAILABLE;
        }
        let mut rest = &data[..take];
        while !rest.is_empty() {
            let (n, ()) = x.send.append_with(cx.pool, rest.len(), |room| {
                let mut n = 0;
                for piece in room {
                    let take = piece.len().min(rest.len() - n);
                    piece[..take].copy_from_slice(&rest[n..n + take]);
                    n += take;
                }
                (n, ())
            });
            if n == 0 {
                break;
            }
            rest = &rest[n..];
        }
        take
    }

    /// Keeps a SYN with a cookie back until there is data for it (TCP_FASTOPEN_CONNECT). False for a request.
    pub fn hold_fast_syn(&mut self) -> bool {
        if self.fast_open_client_fail() != 0 {
            return false;
        }
        let x = self.xfer.as_mut().and_then(|x| x.fast_open.as_mut());
        let Some(syn) = x.and_then(|f| f.syn.as_mut()) else {
            return false;
        };
        syn.held = true;
        self.flags &= !Self::SYN_NOW;
        true
    }

    /// Whether the SYN waits for data.
    pub fn holds_fast_syn(&self) -> bool {
        self.state == TcpState::SynSent && self.fast_syn().is_some_and(|s| s.held)
    }

    /// How much of it the SYN takes.
    pub(super) fn fast_syn_room(&self) -> Option<usize> {
        self.holds_fast_syn()
            .then(|| usize::from(self.mss.saturating_sub(OPTION_SPACE)))
    }

    /// The data is there: the SYN leaves.
    pub(super) fn let_fast_syn_go(&mut self, n: usize) {
        let x = self.xfer.as_mut().and_then(|x| x.fast_open.as_mut());
        if let Some(syn) = x.and_then(|f| f.syn.as_mut()).filter(|s| s.held) {
            (syn.held, syn.sent) = (false, n as u32);
            self.flags |= Self::SYN_NOW;
        }
    }

    /// What the SYN was to bring.
    pub fn fast_syn(&self) -> Option<FastSyn> {
        self.xfer.as_ref()?.fast_open.as_ref()?.syn
    }

    /// For TCP_INFO.
    pub fn fast_open_client_fail(&self) -> u8 {
        let f = self.xfer.as_ref().and_then(|x| x.fast_open.as_ref());
        f.map_or(0, |f| f.client_fail)
    }

    /// The handshake is complete, and so much of the SYN's data acknowledged with it: what was not goes again at once.
    /// Whether data beside the SYN-ACK is taken: of a fast SYN of which nothing goes again.
    pub(super) fn syn_data_acked(&mut self, cx: &mut Ctx<'_>, acked: u32, again: bool) -> bool {
        let Some(syn) = self.fast_syn() else {
            return false;
        };
        if syn.sent == 0 {
            return true;
        }
        let una = self.snd.una;
        let nxt = una + (syn.sent - acked);
        self.snd.nxt = nxt;
        let x = self.xfer(cx);
        x.send.acked(cx.pool, acked as usize);
        x.una64 += u64::from(acked);
        let f = x.fast_open();
        if acked == syn.sent {
            f.syn_data = true;
            cx.mib.inc(Counter::TcpFastOpenActive);
            return true;
        }
        f.client_fail = if again {
            SYN_RETRANSMITTED
        } else {
            DATA_NOT_ACKED
        };
        cx.mib.inc(Counter::TcpFastOpenActiveFail);
        x.ca = CaState::Loss;
        (x.recover, x.lost_edge, x.high_rxt) = (nxt, nxt, una);
        false
    }

    /// Data and FIN that came beside the SYN-ACK (Linux `tcp_fastopen_add_skb`; docs/linux/sequences.md).
    pub(super) fn take_syn_ack_data(&mut self, cx: &mut Ctx<'_>, seg: &Segment<'_>) -> Effects {
        if seg.len > 0 {
            let x = self.xfer(cx);
            let taken = x.recv.insert(cx.pool, 0, seg.data, (seg.charge, false));
            x.fast_open().syn_data = true;
            self.rcv.nxt += taken.grown;
        }
        if seg.flags.contains(Flags::FIN) {
            return self.take_fin(cx, seg);
        }
        Effects::READ
    }
}
