//! Captures in the pcapng format (draft-ietf-opsawg-pcapng): named interfaces, nanoseconds, and a comment on a packet.
//!
//! Link type RAW, as in `pcap.rs`. Blocks are written whole, so a reader that counts them may stop behind any.

use crate::pcap::LINKTYPE_RAW;
use std::io::{self, Write};

/// Block types.
const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const INTERFACE_STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;
const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;

/// Option codes.
const OPT_END: u16 = 0;
const OPT_COMMENT: u16 = 1;
const SHB_USERAPPL: u16 = 4;
const IF_NAME: u16 = 2;
const IF_TSRESOL: u16 = 9;
const EPB_FLAGS: u16 = 2;
const ISB_IFDROP: u16 = 5;

/// Which way a packet went, as the capturing interface saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// It came in.
    Inbound,
    /// It went out.
    Outbound,
}

/// A packet to be written.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// Its interface, by its place in the list given to [`Writer::new`].
    pub iface: u32,
    /// When, in nanoseconds after 1970.
    pub time_ns: u64,
    /// Which way it went.
    pub direction: Direction,
    /// The packet, checksums filled in, in one piece or two.
    pub head: &'a [u8],
    /// Its second piece.
    pub body: &'a [u8],
    /// What is to be said of it.
    pub comment: Option<&'a str>,
}

/// Writes a capture.
pub struct Writer<W: Write> {
    out: W,
    block: Vec<u8>,
    snaplen: u32,
}

impl<W: Write> Writer<W> {
    /// Begins a capture of these interfaces. Of each packet `snaplen` bytes are kept, all of them if it is 0.
    ///
    /// # Errors
    /// What the writer says.
    pub fn new(out: W, ifaces: &[&str], snaplen: u32) -> io::Result<Writer<W>> {
        let mut w = Writer {
            out,
            block: Vec::new(),
            snaplen,
        };
        w.begin(SECTION_HEADER);
        w.word(BYTE_ORDER_MAGIC);
        // Version 1.0, and a section of unknown length.
        w.word(1);
        w.block.extend_from_slice(&u64::MAX.to_le_bytes());
        w.option(
            SHB_USERAPPL,
            concat!("hearken ", env!("CARGO_PKG_VERSION")).as_bytes(),
        );
        w.end_of_options();
        w.end()?;
        for name in ifaces {
            w.begin(INTERFACE_DESCRIPTION);
            // LinkType, and two reserved bytes.
            w.word(LINKTYPE_RAW);
            w.word(snaplen);
            w.option(IF_NAME, name.as_bytes());
            // Nanoseconds: 10 to the power of minus 9.
            w.option(IF_TSRESOL, &[9]);
            w.end_of_options();
            w.end()?;
        }
        Ok(w)
    }

    /// Writes a packet.
    ///
    /// # Errors
    /// What the writer says.
    pub fn packet(&mut self, p: &Packet<'_>) -> io::Result<()> {
        let original = p.head.len() + p.body.len();
        let most = if self.snaplen == 0 {
            original
        } else {
            original.min(self.snaplen as usize)
        };
        let head = &p.head[..p.head.len().min(most)];
        let body = &p.body[..most - head.len()];
        self.begin(ENHANCED_PACKET);
        self.word(p.iface);
        self.time(p.time_ns);
        self.word(most as u32);
        self.word(original as u32);
        self.block.extend_from_slice(head);
        self.block.extend_from_slice(body);
        self.pad();
        let direction: u32 = match p.direction {
            Direction::Inbound => 1,
            Direction::Outbound => 2,
        };
        self.option(EPB_FLAGS, &direction.to_le_bytes());
        if let Some(comment) = p.comment {
            self.option(OPT_COMMENT, comment.as_bytes());
        }
        self.end_of_options();
        self.end()
    }

    /// Says how many packets of an interface were not captured so far.
    ///
    /// # Errors
    /// What the writer says.
    pub fn dropped(&mut self, iface: u32, time_ns: u64, packets: u64) -> io::Result<()> {
        self.begin(INTERFACE_STATISTICS);
        self.word(iface);
        self.time(time_ns);
        self.option(ISB_IFDROP, &packets.to_le_bytes());
        self.end_of_options();
        self.end()
    }

    /// Passes on what is buffered.
    ///
    /// # Errors
    /// What the writer says.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// The writer below.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.out
    }

    fn begin(&mut self, kind: u32) {
        self.block.clear();
        self.word(kind);
        // The length, once it is known.
        self.word(0);
    }

    fn word(&mut self, n: u32) {
        self.block.extend_from_slice(&n.to_le_bytes());
    }

    /// The high half comes first, whatever the byte order.
    fn time(&mut self, time_ns: u64) {
        self.word((time_ns >> 32) as u32);
        self.word(time_ns as u32);
    }

    fn option(&mut self, code: u16, value: &[u8]) {
        let len = u16::try_from(value.len()).unwrap_or(u16::MAX);
        self.block.extend_from_slice(&code.to_le_bytes());
        self.block.extend_from_slice(&len.to_le_bytes());
        self.block.extend_from_slice(&value[..usize::from(len)]);
        self.pad();
    }

    fn end_of_options(&mut self) {
        self.word(u32::from(OPT_END));
    }

    fn pad(&mut self) {
        self.block.resize(self.block.len().next_multiple_of(4), 0);
    }

    fn end(&mut self) -> io::Result<()> {
        let len = (self.block.len() + 4) as u32;
        self.block[4..8].copy_from_slice(&len.to_le_bytes());
        self.word(len);
        self.out.write_all(&self.block)
    }
}

/// What a block is to someone who passes a capture on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A packet.
    Packet,
    /// So many packets of an interface were not captured so far.
    Dropped {
        /// The interface.
        iface: u32,
        /// How many.
        packets: u64,
    },
    /// Anything else.
    Other,
}

/// The first block of `bytes`: its length and what it is; `None` if it is not whole yet.
///
/// # Errors
/// The bytes are no pcapng as this module writes it.
pub fn first_block(bytes: &[u8]) -> Result<Option<(usize, Kind)>, &'static str> {
    let word = |at: usize| {
        let chunk = bytes.get(at..at + 4).and_then(|b| b.first_chunk::<4>());
        chunk.map(|b| u32::from_le_bytes(*b))
    };
    let (Some(kind), Some(len)) = (word(0), word(4)) else {
        return Ok(None);
    };
    let size = len as usize;
    // A packet of 64 KiB with its options is far below; what is longer is no block of ours.
    if !(12..=1 << 20).contains(&size) || !size.is_multiple_of(4) {
        return Err("a block has an impossible length");
    }
    if bytes.len() < size {
        return Ok(None);
    }
    if word(size - 4) != Some(len) {
        return Err("the two lengths of a block differ");
    }
    let kind = match kind {
        ENHANCED_PACKET => Kind::Packet,
        INTERFACE_STATISTICS => {
            // Behind interface and time stands the option's code and length.
            let (iface, low, high) = (word(8), word(24), word(28));
            match (iface, low, high) {
                (Some(iface), Some(low), Some(high)) => Kind::Dropped {
                    iface,
                    packets: u64::from(high) << 32 | u64::from(low),
                },
                _ => return Err("a block of statistics is too short"),
            }
        }
        _ => Kind::Other,
    };
    Ok(Some((size, kind)))
}

#[cfg(test)]
#[path = "pcapng_tests.rs"]
mod tests;
