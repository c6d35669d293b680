//! Explicit congestion notification (RFC 3168; docs/linux/ecn.md). Of AccECN, Linux 6.18 knows a part that a program cannot turn
//! on: its SYN counts as one of RFC 3168, and nothing more is spoken here.

use super::{CaState, Ctx, Segment, Tcb};
use hearken_abi::Counter;
use hearken_wire::Flags;

/// The ECN field: not capable, and congestion experienced; both others are capable.
const NOT_ECT: u8 = 0;
const CE: u8 = 3;

impl CaState {
    /// Nothing is being sent again.
    pub(super) const fn is_calm(self) -> bool {
        matches!(self, Self::Open | Self::Cwr)
    }
}

impl Tcb {
    /// Where loss recovery stands, as TCP_INFO numbers it (`enum tcp_ca_state`).
    pub fn ca_state(&self) -> u8 {
        match self.xfer.as_ref().map_or(CaState::Open, |x| x.ca) {
            CaState::Open => 0,
            CaState::Cwr => 2,
            CaState::Recovery => 3,
            CaState::Loss => 4,
        }
    }

    const fn ecn_has(&self, bit: u8) -> bool {
        self.ecn & bit != 0
    }

    /// What our own SYN asks: ECE and CWR together, the first time, or always without `tcp_ecn_fallback` (RFC 3168
    /// 6.1.1, 6.1.1.1). A SYN-ACK grants it.
    pub(super) fn ecn_syn_flags(&mut self, cx: &Ctx<'_>, syn_ack: bool, again: bool) -> Flags {
        if !self.ecn_has(Self::ECN_OK) {
            return Flags(0);
        }
        if syn_ack {
            return Flags::ECE;
        }
        if again && cx.sysctls.tcp_ecn_fallback != 0 {
            self.ecn = 0;
            return Flags(0);
        }
        Flags::ECE | Flags::CWR
    }

    /// The answer to our SYN: ECE alone agrees; a SYN that crosses ours must ask.
    pub(super) fn ecn_take_syn(&mut self, seg: &Segment<'_>) {
        let echo = seg.flags.contains(Flags::ECE);
        let cwr = seg.flags.contains(Flags::CWR);
        let agreed = if seg.flags.contains(Flags::ACK) {
            echo && !cwr
        } else {
            echo && cwr
        };
        if !agreed {
            self.ecn = 0;
        }
    }

    /// The flags of a segment that leaves, and whether it is marked as capable: only new data is (RFC 3168 6.1.4,
    /// 6.1.5; Linux `tcp_ecn_send`).
    pub(super) fn ecn_send(&mut self, new_data: bool) -> (Flags, bool) {
        if !self.ecn_has(Self::ECN_OK) {
            return (Flags(0), false);
        }
        let mut flags = Flags(0);
        if new_data && self.ecn_has(Self::ECN_QUEUE_CWR) {
            self.ecn &= !Self::ECN_QUEUE_CWR;
            flags |= Flags::CWR;
        }
        if self.ecn_has(Self::ECN_DEMAND_CWR) {
            flags |= Flags::ECE;
        }
        (flags, new_data)
    }

    /// CWR of the peer: our ECE was heard (Linux `tcp_ecn_accept_cwr`).
    pub(super) fn ecn_accept_cwr(&mut self, seg: &Segment<'_>) {
        if !seg.flags.contains(Flags::CWR) {
            return;
        }
        self.ecn &= !Self::ECN_DEMAND_CWR;
        if seg.end() != seg.seq {
            self.flags |= Self::ACK_NOW;
        }
    }

    /// The mark of a segment with data (RFC 3168 6.1.3; Linux `tcp_data_ecn_check`). Whether the next ACKs must hurry.
    pub(super) fn ecn_check(&mut self, seg: &Segment<'_>) -> bool {
        match seg.ecn {
            // A retransmission is unmarked: its sender waits.
            NOT_ECT => self.ecn_has(Self::ECN_SEEN),
            CE => {
                let first = !self.ecn_has(Self::ECN_DEMAND_CWR);
                self.ecn |= Self::ECN_DEMAND_CWR | Self::ECN_SEEN;
                first
            }
            _ => {
                self.ecn |= Self::ECN_SEEN;
                false
            }
        }
    }

    /// ECE on an acknowledgment: once a window, as if a segment were lost, but without sending any again (RFC 3168
    /// 6.1.2; Linux `tcp_enter_cwr`).
    pub(super) fn ecn_echo(&mut self, cx: &mut Ctx<'_>, seg: &Segment<'_>, delivered: u32) {
        if !seg.flags.contains(Flags::ECE) || !self.ecn_has(Self::ECN_OK) {
            return;
        }
        let mss = u32::from(self.mss.max(1));
        let segments = u64::from(delivered.div_ceil(mss));
        cx.mib.add(Counter::TcpDeliveredCe, segments);
        let nxt = self.snd.nxt;
        let Some(x) = &mut self.xfer else { return };
        if x.ca != CaState::Open {
            return;
        }
        (x.ca, x.recover) = (CaState::Cwr, nxt);
        self.ecn_reduced();
        self.ssthresh = (self.cwnd / 2).max(2);
        self.cwnd = self.ssthresh;
    }

    /// The congestion window was reduced, for whatever reason: the peer is told.
    pub(super) fn ecn_reduced(&mut self) {
        if self.ecn_has(Self::ECN_OK) {
            self.ecn |= Self::ECN_QUEUE_CWR;
        }
    }
}
