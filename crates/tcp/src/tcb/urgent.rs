//! Urgent data (RFC 9293 3.8.5, RFC 6093) as Linux has it: the urgent pointer names one byte, which MSG_OOB reads beside the
//! stream, or which SO_OOBINLINE leaves in it; a read never goes past it in one go (docs/linux/urgent.md).

use super::{Ctx, Effects, Segment, Tcb};
use crate::seq::Seq;
use alloc::boxed::Box;
use hearken_abi::TcpState;
use hearken_wire::Flags;

/// What MSG_OOB finds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OutOfBand {
    /// There is no urgent byte, it was taken, or it stands in the stream.
    None,
    /// It was announced.
    Coming,
    /// It is this.
    Here(u8),
}

/// What became of the byte that the peer's pointer names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Byte {
    Coming,
    Here(u8),
    Taken,
}

/// What only a connection with urgent data has.
#[derive(Debug, Default)]
pub(crate) struct Urgent {
    /// Behind the last byte that the program wrote as urgent (SND.UP).
    sent: Option<Seq>,
    /// Of a probe of the window: the one that tells of the urgent data has left.
    probed: bool,
    /// Where the peer's urgent byte is, counted from the first byte of the stream (RCV.UP), and what became of it.
    got: Option<(u64, Byte)>,
    /// SO_OOBINLINE
    inline: bool,
}

impl Tcb {
    fn urgent(&self) -> Option<&Urgent> {
        self.xfer.as_ref()?.urgent.as_deref()
    }

    fn urgent_mut(&mut self, cx: &Ctx<'_>) -> &mut Urgent {
        self.xfer(cx).urgent.get_or_insert_with(Box::default)
    }

    /// Everything written so far is urgent up to its last byte (MSG_OOB; Linux `tcp_mark_urg`).
    pub fn mark_urgent(&mut self, cx: &Ctx<'_>) {
        let end = self.snd.una + self.unacked() as u32;
        self.urgent_mut(cx).sent = Some(end);
    }

    /// Urgent data is not yet acknowledged: nothing is held back, and segments leave one by one (Linux `tcp_urg_mode`).
    pub(super) fn urgent_mode(&self) -> bool {
        let sent = self.urgent().and_then(|u| u.sent);
        sent.is_some_and(|up| self.snd.una.before(up))
    }

    /// The urgent pointer of a segment at `seq`: further than 16 bits reach only new data says anything, and the most that
    /// can be said (Linux `__tcp_transmit_skb`).
    pub(super) fn urgent_pointer(&self, seq: Seq) -> Option<u16> {
        let up = self.urgent()?.sent.filter(|_| self.urgent_mode())?;
        if !seq.before(up) {
            return None;
        }
        let far = || (seq + 0xffff).after(self.snd.nxt).then_some(u16::MAX);
        u16::try_from(up - seq).ok().or_else(far)
    }

    /// Whether a probe of a shut window is to tell of urgent data before the usual one (Linux `tcp_write_wakeup`).
    pub(super) fn probes_urgent(&mut self) -> bool {
        let (una, urgent) = (self.snd.una, self.urgent_mode());
        let Some(u) = self.xfer.as_mut().and_then(|x| x.urgent.as_mut()) else {
            return false;
        };
        let near = u.sent.is_some_and(|up| urgent && up - una <= 0xffff);
        u.probed = near && !u.probed;
        u.probed
    }

    /// The urgent pointer of a segment that came, before its data is taken (Linux `tcp_urg`).
    pub(super) fn take_urgent(&mut self, cx: &mut Ctx<'_>, seg: &Segment<'_>) -> Effects {
        if seg.flags.contains(Flags::URG) {
            self.take_pointer(cx, seg);
        }
        let rcv_nxt = self.rcv.nxt;
        let Some(x) = &mut self.xfer else {
            return Effects::NONE;
        };
        let next = x.recv.base() + x.recv.ready() as u64;
        let Some(u) = &mut x.urgent else {
            return Effects::NONE;
        };
        let Some((at, Byte::Coming)) = u.got else {
            return Effects::NONE;
        };
        // Where the segment begins, on the same count.
        let begin = next.wrapping_add_signed(i64::from(seg.seq.0.wrapping_sub(rcv_nxt.0) as i32));
        let mut skip = at.wrapping_sub(begin) as usize;
        for piece in seg.data {
            if let Some(byte) = piece.get(skip) {
                u.got = Some((at, Byte::Here(*byte)));
                return Effects::READ;
            }
            skip = match skip.checked_sub(piece.len()) {
                Some(rest) => rest,
                None => break,
            };
        }
        Effects::NONE
    }

    fn take_pointer(&mut self, cx: &mut Ctx<'_>, seg: &Segment<'_>) {
        // RFC 6093 2.2: the pointer names the byte behind the urgent one, but for those who read RFC 793 to the letter.
        let back = u16::from(seg.urgent != 0 && cx.sysctls.tcp_stdurg == 0);
        let byte = seg.seq + u32::from(seg.urgent - back);
        if byte.before(self.rcv.nxt) || self.saw_fin() {
            return;
        }
        let rcv_nxt = self.rcv.nxt;
        let x = self.xfer(cx);
        let (read, ready) = (x.recv.base(), x.recv.ready());
        let at = read + ready as u64 + u64::from(byte - rcv_nxt);
        let u = x.urgent.get_or_insert_with(Box::default);
        let old = u.got.map(|(old, _)| old);
        if old.is_some_and(|old| at <= old) {
            return;
        }
        u.got = Some((at, Byte::Coming));
        if old == Some(read) && !u.inline && ready > 0 {
            // The next byte to read is the old urgent one: it is lost.
            x.recv.consume(cx.pool, 1);
        }
    }

    /// The peer's FIN was taken.
    const fn saw_fin(&self) -> bool {
        matches!(
            self.state,
            TcpState::CloseWait | TcpState::LastAck | TcpState::Closing | TcpState::TimeWait
        )
    }

    /// SO_OOBINLINE
    pub fn set_oob_inline(&mut self, cx: &Ctx<'_>, on: bool) {
        if on != self.urgent().is_some_and(|u| u.inline) {
            self.urgent_mut(cx).inline = on;
        }
    }

    /// The byte that MSG_OOB reads.
    pub fn out_of_band(&self) -> OutOfBand {
        match self.urgent().filter(|u| !u.inline).and_then(|u| u.got) {
            Some((_, Byte::Here(b))) => OutOfBand::Here(b),
            Some((_, Byte::Coming)) => OutOfBand::Coming,
            Some((_, Byte::Taken)) | None => OutOfBand::None,
        }
    }

    /// MSG_OOB took it.
    pub fn take_out_of_band(&mut self) {
        let urgent = self.xfer.as_mut().and_then(|x| x.urgent.as_mut());
        if let Some((_, byte @ Byte::Here(_))) = urgent.and_then(|u| u.got.as_mut()) {
            *byte = Byte::Taken;
        }
    }

    /// POLLPRI: the urgent byte is here and nobody has taken it.
    pub fn has_urgent(&self) -> bool {
        let got = self.urgent().and_then(|u| u.got);
        matches!(got, Some((_, Byte::Here(_))))
    }

    /// SIOCATMARK: the next byte is the urgent one, or stands behind it.
    pub fn at_mark(&self) -> bool {
        let Some(x) = &self.xfer else { return false };
        let got = x.urgent.as_ref().and_then(|u| u.got);
        got.is_some_and(|(at, _)| at == x.recv.base())
    }

    /// What a read may see: bytes to skip and how many then. It ends at the mark, which a read that begins there passes.
    pub(super) fn read_window(&self) -> (usize, usize) {
        let Some(x) = &self.xfer else { return (0, 0) };
        let ready = x.recv.ready();
        let urgent = x.urgent.as_ref();
        let Some((at, inline)) = urgent.and_then(|u| Some((u.got?.0, u.inline))) else {
            return (0, ready);
        };
        match at - x.recv.base() {
            0 if inline || ready == 0 => (0, ready),
            0 => (1, ready - 1),
            before => (0, ready.min(usize::try_from(before).unwrap_or(ready))),
        }
    }

    /// Bytes that a read would get now.
    pub fn readable_now(&self) -> usize {
        self.read_window().1
    }

    /// The program has read: a mark that lies behind is forgotten.
    pub(super) fn pass_mark(&mut self) {
        let Some(x) = &mut self.xfer else { return };
        let read = x.recv.base();
        if let Some(u) = &mut x.urgent
            && u.got.is_some_and(|(at, _)| at < read)
        {
            u.got = None;
        }
    }

    /// A read begins at the mark and nothing stands behind it: the urgent byte is gone, and nothing was read.
    pub fn drop_lone_urgent(&mut self, cx: &mut Ctx<'_>) {
        if self.read_window() == (1, 0)
            && let Some(x) = &mut self.xfer
        {
            x.recv.consume(cx.pool, 1);
            self.pass_mark();
        }
    }

    /// SIOCINQ: what waits before an urgent byte that has come, else all.
    pub fn unread_before_mark(&self) -> usize {
        let Some(x) = &self.xfer else { return 0 };
        let ready = x.recv.ready();
        let got = x.urgent.as_ref().filter(|u| !u.inline).and_then(|u| u.got);
        let before = got.map(|(at, _)| (at - x.recv.base()) as usize);
        before.filter(|n| *n < ready).unwrap_or(ready)
    }
}
