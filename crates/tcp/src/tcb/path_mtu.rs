//! Path MTU discovery (RFC 1191, RFC 8201): a router says that our segments are too large.

use super::{CaState, Ctx, Tcb};
use hearken_abi::TcpState;

/// Linux TCP_MIN_SND_MSS: options and eight bytes.
const MIN_SEGMENT: u32 = 48;

impl Tcb {
    /// Packets of more than `mtu` bytes, `header` of them the IP header's, do not reach the peer: segments become
    /// smaller, and what is out, and too large, is sent again at once. No congestion is meant: neither window is
    /// reduced (Linux `tcp_v4_mtu_reduced`, `tcp_simple_retransmit`, 6.18; docs/linux/path-mtu.md). Whether anything
    /// changed.
    pub fn mtu_reduced(&mut self, cx: &mut Ctx<'_>, mtu: u32, header: u32) -> bool {
        if self.state == TcpState::Close {
            return false;
        }
        let options = if self.has(Self::TSTAMP_OK) && self.state != TcpState::SynSent {
            12
        } else {
            0
        };
        let mss = mtu.saturating_sub(header + 20).max(MIN_SEGMENT) - options;
        if mss >= u32::from(self.mss) {
            return false;
        }
        self.mss = mss as u16;
        if self.state == TcpState::SynSent {
            return false;
        }
        let (una, nxt) = (self.snd.una, self.snd.nxt);
        let Some(x) = self.xfer.as_mut().filter(|_| nxt - una > mss) else {
            return true;
        };
        if x.ca != CaState::Loss {
            x.ca = CaState::Loss;
            (x.recover, x.dupacks) = (nxt, 0);
            self.ssthresh = self.cwnd;
        }
        (x.lost_edge, x.high_rxt, x.timed) = (nxt, una, None);
        self.rearm_rto(cx, true);
        true
    }
}
