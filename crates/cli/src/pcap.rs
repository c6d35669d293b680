//! `hearken pcap`: a live capture of a run. The run sends the blocks; the file is written here, with the caller's rights.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use hearken_device::pcapng::{self, Kind};
use hearken_run::control::{Capture, Request};

use crate::follow::Stream;
use crate::{Failure, args, stack};

/// Captures until the run ends, the user has enough, or a limit is reached.
pub(crate) fn pcap(options: &args::Pcap) -> Result<(), Failure> {
    let pid = stack::the_run(Some(options.run))?;
    let to_stdout = options.file == Path::new("-");
    let mut out: Box<dyn Write> = if to_stdout {
        Box::new(io::stdout().lock())
    } else {
        let file = File::create(&options.file);
        Box::new(file.map_err(|e| format!("cannot write {}: {e}", options.file.display()))?)
    };
    let request = Request::Capture(Capture {
        snaplen: options.snaplen,
    });
    let most = options.seconds.map(Duration::from_secs);
    let mut stream = Stream::open(pid, &request, most)?;
    eprintln!(
        "hearken: capturing lo and eth0 of run {pid} into {}; Ctrl-C ends it",
        if to_stdout {
            "stdout".into()
        } else {
            options.file.to_string_lossy()
        }
    );
    let mut done = Count::new(options);
    loop {
        let whole = done.take(&stream.bytes)?;
        match out
            .write_all(&stream.bytes[..whole])
            .and_then(|()| out.flush())
        {
            // Who reads the pipe has enough.
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => break,
            other => other.map_err(|e| format!("writing {}: {e}", options.file.display()))?,
        }
        stream.bytes.drain(..whole);
        if done.full || !stream.more()? {
            break;
        }
    }
    let lost = done.lost.iter().sum::<u64>();
    // Whoever read it may have gone: the capture is good all the same.
    let _ = writeln!(
        io::stderr(),
        "hearken: {} packets captured, {lost} lost",
        done.packets
    );
    Ok(())
}

/// What has been captured, against the limits.
struct Count {
    packets: u64,
    bytes: u64,
    /// Of each interface, as the run counts them.
    lost: [u64; 2],
    most_packets: u64,
    most_bytes: u64,
    full: bool,
}

impl Count {
    fn new(options: &args::Pcap) -> Self {
        Count {
            packets: 0,
            bytes: 0,
            lost: [0; 2],
            most_packets: options.packets.unwrap_or(u64::MAX),
            most_bytes: options.size.map_or(u64::MAX, |s| s.0),
            full: false,
        }
    }

    /// How many of these bytes are whole blocks within the limits.
    fn take(&mut self, bytes: &[u8]) -> Result<usize, Failure> {
        let mut at = 0;
        while !self.full {
            let Some((len, kind)) = pcapng::first_block(&bytes[at..])? else {
                break;
            };
            if self.bytes + len as u64 > self.most_bytes {
                self.full = true;
                break;
            }
            at += len;
            self.bytes += len as u64;
            match kind {
                Kind::Packet => self.packets += 1,
                Kind::Dropped { iface, packets } => {
                    if let Some(lost) = self.lost.get_mut(iface as usize) {
                        *lost = packets;
                    }
                }
                Kind::Other => {}
            }
            self.full = self.packets >= self.most_packets;
        }
        Ok(at)
    }
}
