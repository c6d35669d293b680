//! Captures in the classic pcap format with nanoseconds, link type RAW: packets begin with their IP header.

use crate::segment;
use std::io::{self, Write};

/// `LINKTYPE_RAW`
pub const LINKTYPE_RAW: u32 = 101;
const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;
const SNAPLEN: u32 = 262_144;

/// Writes packets to a capture.
pub struct Writer<W: Write> {
    out: W,
    split: bool,
    scratch: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Begins a capture. With `split`, super-frames are written as the segments that they stand for.
    ///
    /// # Errors
    /// What the writer says.
    pub fn new(mut out: W, split: bool) -> io::Result<Writer<W>> {
        let mut h = [0u8; 24];
        h[0..4].copy_from_slice(&MAGIC_NANOSECONDS.to_le_bytes());
        h[4..6].copy_from_slice(&2u16.to_le_bytes());
        h[6..8].copy_from_slice(&4u16.to_le_bytes());
        h[16..20].copy_from_slice(&SNAPLEN.to_le_bytes());
        h[20..24].copy_from_slice(&LINKTYPE_RAW.to_le_bytes());
        out.write_all(&h)?;
        Ok(Writer {
            out,
            split,
            scratch: Vec::new(),
        })
    }

    /// Writes a packet that was seen `time_ns` nanoseconds after 1970. Its checksums must be filled in; `gso_size` is 0 if
    /// it is no super-frame.
    ///
    /// # Errors
    /// What the writer says.
    pub fn write(&mut self, time_ns: u64, packet: &[u8], gso_size: u16) -> io::Result<()> {
        if !self.split || gso_size == 0 {
            return record(&mut self.out, time_ns, packet, &[]);
        }
        let Writer { out, scratch, .. } = self;
        scratch.clear();
        scratch.extend_from_slice(packet);
        let mut result = Ok(());
        segment::split(scratch, usize::from(gso_size), &mut |head, body| {
            if result.is_ok() {
                result = record(out, time_ns, head, body);
            }
        });
        result
    }

    /// Passes on what is buffered.
    ///
    /// # Errors
    /// What the writer says.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// The writer below.
    pub fn into_inner(self) -> W {
        self.out
    }
}

fn record(out: &mut impl Write, time_ns: u64, head: &[u8], body: &[u8]) -> io::Result<()> {
    let len = (head.len() + body.len()) as u32;
    let mut h = [0u8; 16];
    h[0..4].copy_from_slice(&((time_ns / 1_000_000_000) as u32).to_le_bytes());
    h[4..8].copy_from_slice(&((time_ns % 1_000_000_000) as u32).to_le_bytes());
    h[8..12].copy_from_slice(&len.to_le_bytes());
    h[12..16].copy_from_slice(&len.to_le_bytes());
    out.write_all(&h)?;
    out.write_all(head)?;
    out.write_all(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::tests::{check, packet};
    use hearken_wire::Flags;

    fn records(mut file: &[u8]) -> Vec<(u64, Vec<u8>)> {
        assert_eq!(file[0..4], 0xa1b2_3c4du32.to_le_bytes());
        assert_eq!(file[20..24], 101u32.to_le_bytes());
        file = &file[24..];
        let mut all = Vec::new();
        while !file.is_empty() {
            let n = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().expect("4"));
            let time = u64::from(n(0)) * 1_000_000_000 + u64::from(n(4));
            let len = n(8) as usize;
            assert_eq!(n(8), n(12));
            all.push((time, file[16..16 + len].to_vec()));
            file = &file[16 + len..];
        }
        all
    }

    #[test]
    fn pcap_super_frame_is_written_whole_or_in_segments() {
        let mut p = packet(false, Flags::ACK, &[7; 60_000]);
        segment::complete(&mut p);
        for (split, count) in [(false, 1), (true, 42)] {
            let mut w = Writer::new(Vec::new(), split).expect("memory");
            w.write(1_700_000_000_123_456_789, &p, 1448)
                .expect("memory");
            w.flush().expect("memory");
            let got = records(&w.into_inner());
            assert_eq!(got.len(), count);
            let mut bytes = 0;
            for (time, packet) in &got {
                assert_eq!(*time, 1_700_000_000_123_456_789);
                bytes += check(packet).1.len();
            }
            assert_eq!(bytes, 60_000);
        }
    }
}
