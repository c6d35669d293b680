//! What stands in ss's last column: processes, the timer, the rest of -e, and memory.

use std::fmt::Write as _;

use hearken_run::control::{Memory, Timer};

use super::Socket;

/// ` users:(("python3",pid=7,fd=3))`
pub(super) fn users(socket: &Socket) -> String {
    if socket.processes.is_empty() {
        return String::new();
    }
    let each = socket.processes.iter().map(|p| match p.fd {
        Some(fd) => format!("(\"{}\",pid={},fd={fd})", p.name, p.pid),
        None => format!("(\"{}\",pid={})", p.name, p.pid),
    });
    format!(" users:({})", each.collect::<Vec<_>>().join(","))
}

/// ` timer:(on,204ms,0)`
pub(super) fn timer(timer: Timer) -> String {
    let kind = match timer.kind {
        1 => "on",
        2 => "keepalive",
        3 => "timewait",
        4 => "persist",
        _ => "unknown",
    };
    format!(
        " timer:({kind},{},{})",
        time(timer.left_ms),
        timer.retransmits
    )
}

/// As ss writes a time: `119min`, `1min5sec`, `59sec`, `3.176ms` (seconds and milliseconds), `204ms`.
fn time(ms: u64) -> String {
    let (minutes, mut seconds, mut millis) = (ms / 60_000, ms / 1000 % 60, ms % 1000);
    let mut out = String::new();
    // Writing to a String cannot fail.
    if minutes > 0 {
        let _ = write!(out, "{minutes}min");
        millis = 0;
        if minutes > 9 {
            seconds = 0;
        }
    }
    if seconds > 0 {
        if seconds > 9 {
            millis = 0;
        }
        let _ = write!(out, "{seconds}{}", if millis > 0 { "." } else { "sec" });
    }
    if millis > 0 {
        let _ = write!(out, "{millis:03}ms");
    }
    out
}

/// What -e adds, but for the control group, which nobody here knows.
pub(super) fn details(socket: &Socket) -> String {
    let row = &socket.row;
    let mut out = String::new();
    if row.uid != 0 {
        let _ = write!(out, " uid:{}", row.uid);
    }
    let _ = write!(out, " ino:{} sk:{:x}", row.inode, row.cookie);
    if socket.is_v6() && matches!(row.state.as_str(), "LISTEN" | "UNCONN") {
        let _ = write!(out, " v6only:{}", u8::from(row.v6only));
    }
    if let Some(shut) = row.shutdown {
        let arrow = |bit, open| if shut & bit != 0 { '-' } else { open };
        let _ = write!(out, " {}-{}", arrow(1, '<'), arrow(2, '>'));
    }
    out
}

/// ` skmem:(r0,rb131072,t0,tb16384,f0,w0,o0,bl0,d0)`; what is not kept is 0.
pub(super) fn memory(m: Memory) -> String {
    format!(
        " skmem:(r{},rb{},t0,tb{},f0,w{},o0,bl0,d0)",
        m.rmem_alloc, m.rcvbuf, m.sndbuf, m.wmem_queued
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each was seen in ss 6.1.0.
    #[test]
    fn time_is_written_as_ss_writes_it() {
        for (ms, text) in [
            (204, "204ms"),
            (3176, "3.176ms"),
            (1008, "1.008ms"),
            (59_900, "59sec"),
            (5000, "5sec"),
            (7_190_000, "119min"),
            (65_500, "1min5sec"),
            (60_000, "1min"),
            (0, ""),
        ] {
            assert_eq!(time(ms), text, "{ms}");
        }
    }

    #[test]
    fn timer_and_memory_are_what_ss_prints() {
        let t = Timer {
            kind: 4,
            left_ms: 292,
            retransmits: 1,
        };
        assert_eq!(timer(t), " timer:(persist,292ms,1)");
        let m = Memory {
            rmem_alloc: 3,
            rcvbuf: 131_072,
            sndbuf: 16_384,
            wmem_queued: 7,
        };
        assert_eq!(memory(m), " skmem:(r3,rb131072,t0,tb16384,f0,w7,o0,bl0,d0)");
    }
}
