//! The error queue of a TCP socket: transmit timestamps (SO_TIMESTAMPING) and MSG_ZEROCOPY completions, which
//! `recvmsg(MSG_ERRQUEUE)` takes (`__skb_complete_tx_timestamp`, `__msg_zerocopy_callback`, `ip_recv_error`, 6.18;
//! docs/linux/error-queue.md). Sent bytes are copied here as they are over a TUN, so each completion says so.
//!
//! Not there: the stamps of a retransmission, which Linux makes anew.

use crate::calls::int;
use crate::file::{FileId, Kind, TcpFile};
use crate::machine::Machine;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use hearken_abi::sock::{
    IP_RECVERR, IPV6_RECVERR, MSG_ERRQUEUE, MSG_TRUNC, MSG_ZEROCOPY, SO_TIMESTAMPING_NEW,
    SO_TIMESTAMPING_OLD, SOL_IP, SOL_IPV6, SOL_SOCKET,
};
use hearken_abi::{Domain, Errno, TcpState};
use hearken_inet::Instant;

const TX_HARDWARE: u32 = 1;
const TX_SOFTWARE: u32 = 1 << 1;
const SOFTWARE: u32 = 1 << 4;
const OPT_ID: u32 = 1 << 7;
const TX_SCHED: u32 = 1 << 8;
const TX_ACK: u32 = 1 << 9;
const OPT_TSONLY: u32 = 1 << 11;
const OPT_STATS: u32 = 1 << 12;
const OPT_ID_TCP: u32 = 1 << 16;
/// Every flag of 6.18: `SOF_TIMESTAMPING_MASK`.
const MASK: u32 = (1 << 19) - 1;
/// What one call may ask for itself: `SOF_TIMESTAMPING_TX_RECORD_MASK`.
const TX_RECORD: u32 = TX_HARDWARE | TX_SOFTWARE | TX_SCHED | TX_ACK;

const ORIGIN_TIMESTAMPING: u8 = 4;
const ORIGIN_ZEROCOPY: u8 = 5;
const CODE_COPIED: u8 = 1;
/// `SCM_TSTAMP_SND`, `SCM_TSTAMP_SCHED`, `SCM_TSTAMP_ACK`
const SND: u32 = 0;
const SCHED: u32 = 1;
const ACK: u32 = 2;

/// What one message of the error queue tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Report {
    errno: u32,
    origin: u8,
    code: u8,
    info: u32,
    data: u32,
    /// When, for timestamps.
    at: Option<Instant>,
    /// Bytes of payload that come with it, which a recvmsg of the queue sees as zeros cut off.
    payload: u32,
}

/// The end of a write of which something is to be told.
#[derive(Clone, Copy, Debug)]
struct Mark {
    /// The stream offset behind its last byte.
    end: u64,
    /// `SOF_TIMESTAMPING_TX_*` still to come.
    stamps: u32,
    zerocopy: Option<u32>,
    payload: u32,
    /// `ee_data` of its stamps.
    key: u32,
}

/// Reports, and the writes that reports will come from.
#[derive(Debug, Default)]
pub(crate) struct ErrorQueue {
    /// Bytes written since the queue began, those included that were not acknowledged then.
    written: u64,
    /// Where the numbers of OPT_ID begin.
    key_base: u64,
    next_zerocopy: u32,
    marks: VecDeque<Mark>,
    reports: VecDeque<Report>,
    /// What the call at work asked for, and how much it wrote so far.
    call: Asked,
}

/// What one call wants told of its bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    stamps: u32,
    zerocopy: bool,
    len: u32,
}

impl ErrorQueue {
    pub(crate) fn is_empty(&self) -> bool {
        self.reports.is_empty()
    }

    /// `len` bytes were written; `over` with the last of a call.
    fn wrote(&mut self, len: usize, stamping: u32, over: bool) {
        self.written += len as u64;
        self.call.len = self
            .call
            .len
            .saturating_add(u32::try_from(len).unwrap_or(u32::MAX));
        if !over {
            return;
        }
        let Asked {
            stamps,
            zerocopy,
            len,
        } = core::mem::take(&mut self.call);
        // A call that failed wrote nothing.
        if len == 0 {
            return;
        }
        let zerocopy = zerocopy.then(|| {
            let id = self.next_zerocopy;
            self.next_zerocopy = id.wrapping_add(1);
            id
        });
        if stamps == 0 && zerocopy.is_none() {
            return;
        }
        let key = match stamping & OPT_ID {
            0 => 0,
            _ => (self.written - 1).wrapping_sub(self.key_base) as u32,
        };
        let payload = if stamping & OPT_TSONLY != 0 { 0 } else { len };
        self.marks.push_back(Mark {
            end: self.written,
            stamps,
            zerocopy,
            payload,
            key,
        });
    }

    /// So many bytes are not acknowledged, so many of them not sent. Whether there is something new to take.
    fn progress(&mut self, now: Instant, unacked: usize, unsent: usize) -> bool {
        let before = self.reports.len();
        let sent = self.written - unsent as u64;
        let acked = self.written - unacked as u64;
        let stamp = |mark: &Mark, info: u32| Report {
            errno: Errno::ENOMSG.0.unsigned_abs(),
            origin: ORIGIN_TIMESTAMPING,
            code: 0,
            info,
            data: mark.key,
            at: Some(now),
            payload: mark.payload,
        };
        for mark in &mut self.marks {
            if mark.end > sent {
                break;
            }
            for (bit, info) in [(TX_SCHED, SCHED), (TX_SOFTWARE, SND)] {
                if mark.stamps & bit != 0 {
                    self.reports.push_back(stamp(mark, info));
                }
            }
            mark.stamps &= TX_ACK;
        }
        while let Some(mark) = self.marks.front().copied().filter(|m| m.end <= acked) {
            self.marks.pop_front();
            if mark.stamps & TX_ACK != 0 {
                self.reports.push_back(stamp(&mark, ACK));
            }
            if let Some(id) = mark.zerocopy {
                self.completed(id);
            }
        }
        self.reports.len() > before
    }

    /// Completions in a row are told as one (`skb_zerocopy_notify_extend`).
    fn completed(&mut self, id: u32) {
        if let Some(last) = self.reports.back_mut()
            && last.origin == ORIGIN_ZEROCOPY
            && last.data.wrapping_add(1) == id
        {
            last.data = id;
            return;
        }
        self.reports.push_back(Report {
            errno: 0,
            origin: ORIGIN_ZEROCOPY,
            code: CODE_COPIED,
            info: id,
            data: id,
            at: None,
            payload: 0,
        });
    }
}

/// A message of the error queue as recvmsg hands it out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ErrorMessage {
    /// Bytes of payload.
    pub len: usize,
    /// Control messages in the kernel's layout.
    pub control: Vec<u8>,
    /// `msg_flags`
    pub flags: i32,
}

fn put(out: &mut Vec<u8>, level: i32, kind: i32, data: &[u8]) {
    out.extend((16 + data.len() as u64).to_ne_bytes());
    out.extend(level.to_ne_bytes());
    out.extend(kind.to_ne_bytes());
    out.extend(data);
    out.resize(out.len().next_multiple_of(8), 0);
}

fn control(report: &Report, stamping: u32, domain: Domain) -> Vec<u8> {
    let mut out = Vec::new();
    if let Some(at) = report.at.filter(|_| stamping & SOFTWARE != 0) {
        // The caller's time counts as the wall clock's.
        let (seconds, nanos) = (at.0 / 1_000_000_000, at.0 % 1_000_000_000);
        let mut stamps = [seconds, nanos, 0, 0, 0, 0].map(u64::to_ne_bytes).concat();
        stamps.truncate(48);
        put(&mut out, SOL_SOCKET, SO_TIMESTAMPING_OLD, &stamps);
    }
    let mut error = report.errno.to_ne_bytes().to_vec();
    error.extend([report.origin, 0, report.code, 0]);
    error.extend(report.info.to_ne_bytes());
    error.extend(report.data.to_ne_bytes());
    // No offender: the address is zeros.
    let (level, kind, offender) = match domain {
        Domain::Inet => (SOL_IP, IP_RECVERR, 16),
        Domain::Inet6 => (SOL_IPV6, IPV6_RECVERR, 28),
    };
    error.resize(error.len() + offender, 0);
    put(&mut out, level, kind, &error);
    out
}

/// `sock_set_timestamping` (6.18).
pub(crate) fn set_stamping(m: &mut Machine, file: FileId, value: &[u8]) -> Result<(), Errno> {
    let flags = int(value)?.cast_unsigned();
    let (idle, unacked) = match tcp_of(m, file) {
        Some(t) => {
            let net = m.net(t.net);
            let state = net.state(t.socket);
            let idle = matches!(state, TcpState::Close | TcpState::Listen);
            (idle, net.unacked(t.socket).0 as u64)
        }
        None => return Err(Errno::ENOPROTOOPT),
    };
    let bad = flags & !MASK != 0
        || flags & OPT_ID_TCP != 0 && flags & OPT_ID == 0
        || flags & OPT_STATS != 0 && flags & OPT_TSONLY == 0;
    if bad {
        return Err(Errno::EINVAL);
    }
    let t = tcp_of_mut(m, file).ok_or(Errno::ENOPROTOOPT)?;
    if flags & OPT_ID != 0 && t.options.stamping & OPT_ID == 0 {
        if idle {
            return Err(Errno::EINVAL);
        }
        let queue = t.errors.get_or_insert_default();
        queue.written = queue.written.max(unacked);
        // Numbers count from what is not acknowledged yet; with OPT_ID_TCP from what is not written yet.
        queue.key_base = match flags & OPT_ID_TCP {
            0 => queue.written - unacked,
            _ => queue.written,
        };
    }
    t.options.stamping = flags;
    Ok(())
}

fn tcp_of(m: &Machine, file: FileId) -> Option<&TcpFile> {
    match &m.open(file).ok()?.kind {
        Kind::Tcp(t) => Some(t),
        Kind::Other(_) | Kind::Epoll(_) | Kind::NotSocket | Kind::Path => None,
    }
}

fn tcp_of_mut(m: &mut Machine, file: FileId) -> Option<&mut TcpFile> {
    match &mut m.open_mut(file).ok()?.kind {
        Kind::Tcp(t) => Some(t),
        Kind::Other(_) | Kind::Epoll(_) | Kind::NotSocket | Kind::Path => None,
    }
}

/// What control messages say of the stamps of one call: `__sock_cmsg_send` (6.18) knows those of SOL_SOCKET alone.
fn asked_for(mut control: &[u8]) -> Result<Option<u32>, Errno> {
    let mut stamps = None;
    while control.len() >= 16 {
        let word = |at: usize| int(&control[at..]);
        let len = usize::try_from(word(0)?).map_err(|_| Errno::EINVAL)?;
        if len < 16 || len > control.len() {
            return Err(Errno::EINVAL);
        }
        let (level, kind, data) = (word(8)?, word(12)?, &control[16..len]);
        if level == SOL_SOCKET {
            match kind {
                SO_TIMESTAMPING_OLD | SO_TIMESTAMPING_NEW if data.len() == 4 => {
                    let flags = int(data)?.cast_unsigned();
                    if flags & !TX_RECORD != 0 {
                        return Err(Errno::EINVAL);
                    }
                    stamps = Some(flags);
                }
                _ => return Err(Errno::EINVAL),
            }
        }
        control = &control[len.next_multiple_of(8).min(control.len())..];
    }
    Ok(stamps)
}

impl Machine {
    /// Reads the control messages of the next send(2) on this file, which then tells what they ask for.
    ///
    /// # Errors
    /// `EINVAL` for one of SOL_SOCKET that TCP does not take.
    pub fn send_control(&mut self, file: FileId, control: &[u8]) -> Result<(), Errno> {
        let stamps = asked_for(control)?;
        if let Some(t) = tcp_of_mut(self, file) {
            t.stamp_next = stamps;
        }
        Ok(())
    }

    /// A send begins.
    pub(crate) fn begin_stamps(&mut self, file: FileId, flags: i32) {
        let Some(t) = tcp_of_mut(self, file) else {
            return;
        };
        let own = t.stamp_next.take();
        let stamps = own.unwrap_or(t.options.stamping & TX_RECORD);
        let zerocopy = flags & MSG_ZEROCOPY != 0 && t.options.zerocopy;
        if stamps == 0 && !zerocopy && t.errors.is_none() {
            return;
        }
        let (net, socket) = (t.net, t.socket);
        let fresh = t.errors.is_none();
        let unacked = self.net(net).unacked(socket).0 as u64;
        if let Some(t) = tcp_of_mut(self, file) {
            let queue = t.errors.get_or_insert_default();
            queue.call = Asked {
                stamps,
                zerocopy,
                len: 0,
            };
            if fresh {
                queue.written = unacked;
            }
        }
    }

    /// So much more of the call's data was written.
    pub(crate) fn note_written(&mut self, file: FileId, len: usize, over: bool) {
        let Some(t) = tcp_of_mut(self, file) else {
            return;
        };
        let stamping = t.options.stamping;
        if let Some(queue) = &mut t.errors {
            queue.wrote(len, stamping, over);
            if !queue.marks.is_empty() && !self.stamped.contains(&file) {
                self.stamped.push(file);
            }
        }
    }

    /// Tells the time of what has left and what was acknowledged since. [`Machine::settle`] does so, too; after frames were
    /// fetched from a namespace this is exact without waiting for it.
    pub fn stamp(&mut self, now: Instant) {
        for file in core::mem::take(&mut self.stamped) {
            let Some(t) = tcp_of(self, file) else {
                continue;
            };
            let (unacked, unsent) = self.net(t.net).unacked(t.socket);
            let Some(queue) = tcp_of_mut(self, file).and_then(|t| t.errors.as_mut()) else {
                continue;
            };
            let new = queue.progress(now, unacked, unsent);
            if !queue.marks.is_empty() {
                self.stamped.push(file);
            }
            if new {
                self.wake(file);
            }
        }
    }

    /// recvmsg(2) with MSG_ERRQUEUE and room for `cap` bytes; it never waits.
    ///
    /// # Errors
    /// `EAGAIN` when nothing is there.
    pub fn recv_error(&mut self, file: FileId, cap: usize) -> Result<ErrorMessage, Errno> {
        self.socket_of(file)?;
        let t = tcp_of_mut(self, file).ok_or(Errno::EAGAIN)?;
        let (domain, stamping) = (t.domain, t.options.stamping);
        let report = t.errors.as_mut().and_then(|q| q.reports.pop_front());
        let report = report.ok_or(Errno::EAGAIN)?;
        let payload = report.payload as usize;
        let cut = if payload > cap { MSG_TRUNC } else { 0 };
        Ok(ErrorMessage {
            len: payload.min(cap),
            control: control(&report, stamping, domain),
            flags: MSG_ERRQUEUE | cut,
        })
    }
}

impl TcpFile {
    /// Whether its error queue holds something: poll then reports POLLERR.
    pub(crate) fn has_errors(&self) -> bool {
        self.errors.as_ref().is_some_and(|q| !q.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_come_when_the_last_byte_is_sent_and_when_it_is_acknowledged() {
        let mut queue = ErrorQueue::default();
        queue.call.stamps = TX_SCHED | TX_SOFTWARE | TX_ACK;
        queue.wrote(1000, OPT_ID, false);
        queue.wrote(2000, OPT_ID, true);
        assert!(!queue.progress(Instant(1), 3000, 1));
        assert!(queue.progress(Instant(2), 3000, 0));
        assert!(!queue.progress(Instant(3), 1, 0));
        assert!(queue.progress(Instant(4), 0, 0));
        let told: Vec<_> = queue
            .reports
            .iter()
            .map(|r| (r.info, r.at, r.data))
            .collect();
        let at = |n| Some(Instant(n));
        let wanted = [(SCHED, at(2), 2999), (SND, at(2), 2999), (ACK, at(4), 2999)];
        assert_eq!(told, wanted);
    }

    #[test]
    fn completions_in_a_row_are_one_message() {
        let mut queue = ErrorQueue::default();
        for _ in 0..3 {
            queue.call.zerocopy = true;
            queue.wrote(10, 0, true);
        }
        assert!(!queue.progress(Instant(1), 21, 0));
        assert!(queue.progress(Instant(1), 20, 0));
        queue.progress(Instant(2), 0, 0);
        let ranges: Vec<_> = queue.reports.iter().map(|r| (r.info, r.data)).collect();
        assert_eq!(ranges, [(0, 2)]);
    }

    #[test]
    fn control_messages_of_a_call_name_what_it_wants_stamped() {
        let mut bytes = Vec::new();
        put(
            &mut bytes,
            SOL_SOCKET,
            SO_TIMESTAMPING_OLD,
            &TX_ACK.to_ne_bytes(),
        );
        assert_eq!(asked_for(&bytes), Ok(Some(TX_ACK)));
        let mut other = Vec::new();
        put(
            &mut other,
            SOL_SOCKET,
            SO_TIMESTAMPING_OLD,
            &SOFTWARE.to_ne_bytes(),
        );
        assert_eq!(asked_for(&other), Err(Errno::EINVAL));
        let mut foreign = Vec::new();
        put(&mut foreign, SOL_IP, 1, &[0; 4]);
        assert_eq!(asked_for(&foreign), Ok(None));
        assert_eq!(asked_for(&bytes[..15]), Ok(None));
        bytes[0] = 40;
        assert_eq!(asked_for(&bytes), Err(Errno::EINVAL));
    }
}
