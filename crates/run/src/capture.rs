//! A capture of the program's interfaces: what came in, with the reason if it was dropped, and what went out.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use hearken_device::link::{Side, TapFrame};
use hearken_device::pcapng::{Direction, Packet, Writer};
use hearken_device::segment;
use hearken_inet::{IfaceId, RxCsum, SeenFrame};

/// Bytes of a live capture that wait for its reader; the kernel holds some more.
const ROOM: usize = 4 << 20;
/// A block around a packet, with its options, is at most so much longer.
const AROUND: usize = 256;
/// `eth0` of the program.
const ETH: u32 = 1;

/// Where a capture goes.
enum Sink {
    /// `run --pcap`: a file of ours.
    File(BufWriter<File>),
    /// To be fetched by the supervisor, which sends it on.
    Stream(Vec<u8>),
}

impl Write for Sink {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Sink::File(file) => file.write(buf),
            Sink::Stream(bytes) => bytes.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Sink::File(file) => file.flush(),
            Sink::Stream(_) => Ok(()),
        }
    }
}

/// One capture.
pub(crate) struct Capture {
    writer: Writer<Sink>,
    scratch: Vec<u8>,
    /// Bytes that the supervisor has fetched and the reader has not taken.
    pub(crate) held: usize,
    /// Packets of `lo` and `eth0` that found no room.
    lost: [u64; 2],
    untold: bool,
}

impl std::fmt::Debug for Capture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Capture")
            .field("lost", &self.lost)
            .finish_non_exhaustive()
    }
}

impl Capture {
    fn new(sink: Sink, ifaces: &[&str], snaplen: u32) -> io::Result<Self> {
        Ok(Capture {
            writer: Writer::new(sink, ifaces, snaplen)?,
            scratch: Vec::new(),
            held: 0,
            lost: [0; 2],
            untold: false,
        })
    }

    /// Into a file.
    pub(crate) fn to_file(file: File, ifaces: &[&str]) -> io::Result<Self> {
        Capture::new(Sink::File(BufWriter::new(file)), ifaces, 0)
    }

    /// To be fetched.
    pub(crate) fn to_stream(ifaces: &[&str], snaplen: u32) -> io::Result<Self> {
        Capture::new(Sink::Stream(Vec::new()), ifaces, snaplen)
    }

    /// Moves what has been captured to the end of `out`.
    pub(crate) fn fetch(&mut self, out: &mut Vec<u8>) {
        if let Sink::Stream(bytes) = self.writer.get_mut() {
            out.append(bytes);
        }
    }

    /// A packet that came in.
    pub(crate) fn seen(&mut self, time_ns: u64, f: &SeenFrame<'_>) {
        let comment = f.drop.map(|reason| format!("dropped: {}", reason.name()));
        let iface = u32::from(f.iface.0);
        let mut packet = std::mem::take(&mut self.scratch);
        packet.clear();
        packet.extend_from_slice(f.frame.head);
        f.frame
            .body
            .iter()
            .for_each(|b| packet.extend_from_slice(b));
        if f.frame.meta.csum == RxCsum::Partial {
            segment::complete(&mut packet);
        }
        self.write(
            (iface, time_ns, Direction::Inbound),
            &mut packet,
            f.frame.meta.gso_size,
            comment.as_deref(),
        );
        self.scratch = packet;
    }

    /// A packet on the link: one of the program's, or one that will not arrive there.
    pub(crate) fn sent(&mut self, time_ns: u64, f: &TapFrame<'_>) {
        let direction = match f.from {
            Side::A => Direction::Outbound,
            Side::B if f.lost => Direction::Inbound,
            // It is seen when it has come in, with what became of it.
            Side::B => return,
        };
        let mut packet = std::mem::take(&mut self.scratch);
        packet.clear();
        packet.extend_from_slice(f.packet);
        let comment = f.lost.then_some("lost on the link");
        self.write((ETH, time_ns, direction), &mut packet, f.gso_size, comment);
        self.scratch = packet;
    }

    /// Writes a packet, a super-frame as the segments that it stands for.
    fn write(
        &mut self,
        (iface, time_ns, direction): (u32, u64, Direction),
        packet: &mut [u8],
        gso_size: u16,
        comment: Option<&str>,
    ) {
        let room = self.room();
        let one = |writer: &mut Writer<Sink>, head: &[u8], body: &[u8]| {
            // A full disk must not stop the program; the capture ends there.
            let _ = writer.packet(&Packet {
                iface,
                time_ns,
                direction,
                head,
                body,
                comment,
            });
        };
        let segments = match gso_size {
            0 => 1,
            size => packet.len().div_ceil(usize::from(size)),
        };
        if room < packet.len() + segments * AROUND {
            if let Some(n) = self.lost.get_mut(iface as usize) {
                *n += segments as u64;
            }
            self.untold = true;
            return;
        }
        if std::mem::take(&mut self.untold) {
            for (iface, lost) in (0..).zip(self.lost) {
                let _ = self.writer.dropped(iface, time_ns, lost);
            }
        }
        if gso_size == 0 {
            one(&mut self.writer, packet, &[]);
        } else {
            let writer = &mut self.writer;
            segment::split(packet, usize::from(gso_size), &mut |head, body| {
                one(writer, head, body);
            });
        }
    }

    fn room(&mut self) -> usize {
        match self.writer.get_mut() {
            Sink::File(_) => usize::MAX,
            Sink::Stream(bytes) => ROOM.saturating_sub(bytes.len() + self.held),
        }
    }
}

/// The interfaces of a capture stand in the order of their numbers.
pub(crate) fn is_captured(iface: IfaceId) -> bool {
    u32::from(iface.0) <= ETH
}
