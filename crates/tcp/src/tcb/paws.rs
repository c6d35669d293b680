//! Timestamps against segments from an earlier turn of the sequence numbers (RFC 7323 5).

use super::{Ctx, Segment, Tcb};

/// Linux's `TCP_PAWS_24DAYS`, in milliseconds.
const PAWS_24DAYS_MS: u32 = 24 * 24 * 3600 * 1000;

impl Tcb {
    /// A bare ACK with an old timestamp that says nothing new, and is not older than the network may have held it.
    pub(super) fn is_disordered(&self, seg: &Segment<'_>) -> bool {
        let Some((val, _)) = seg.options.timestamps else {
            return false;
        };
        let behind = u128::from(self.ts_recent.wrapping_sub(val));
        seg.seq == self.rcv.nxt
            && seg.ack == self.snd.una
            && !self.may_update_window(seg)
            && behind * 5 <= self.rtt.rto().as_millis() * 6
    }

    /// Whether the segment's timestamp is older than TS.Recent, so that the segment comes from an earlier turn of the
    /// sequence numbers (RFC 7323 5.3). `None`: it tells nothing.
    pub(super) fn timestamp_age(&self, cx: &Ctx<'_>, seg: &Segment<'_>) -> Option<bool> {
        let (val, _) = seg
            .options
            .timestamps
            .filter(|_| self.has(Self::TSTAMP_OK))?;
        // Linux lets a timestamp step back by one (`TCP_PAWS_WINDOW`).
        let older = (val.wrapping_sub(self.ts_recent) as i32) < -1;
        let stale = cx.now.millis32().wrapping_sub(self.ts_recent_ms) > PAWS_24DAYS_MS;
        Some(older && !stale)
    }

    /// TS.Recent follows an acceptable segment that spans what we acknowledged last (RFC 7323 4.3, 5.3 R3). Only now:
    /// one that is not acceptable must not be able to make all later ones look old.
    pub(super) fn take_timestamp(&mut self, cx: &Ctx<'_>, seg: &Segment<'_>) {
        let Some((val, _)) = seg.options.timestamps.filter(|_| self.has(Self::TSTAMP_OK)) else {
            return;
        };
        let stale = cx.now.millis32().wrapping_sub(self.ts_recent_ms) > PAWS_24DAYS_MS;
        let newer = val.wrapping_sub(self.ts_recent) as i32 >= 0;
        if (newer || stale) && seg.seq.at_or_before(self.rcv.wup) {
            (self.ts_recent, self.ts_recent_ms) = (val, cx.now.millis32());
        }
    }
}
