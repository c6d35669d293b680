//! `hearken trace`: prints what a run tells while it works.

use hearken_run::control::{Request, Trace};
use hearken_run::event::{Event, Line};

use crate::follow::Stream;
use crate::{Failure, args, print_on, stack};

/// Follows a run until it ends, its reader goes, Ctrl-C, or `--count` is reached.
pub(crate) fn trace(options: &args::Trace) -> Result<(), Failure> {
    let pid = stack::the_run(options.run)?;
    let mut stream = Stream::open(pid, &Request::Trace(wanted(options)), None)?;
    // As strace does: from here on nothing is missed.
    eprintln!("hearken: attached to run {pid}; Ctrl-C ends it");
    let mut began = None;
    let mut left = options.count.unwrap_or(u64::MAX);
    loop {
        while let Some(end) = stream.bytes.iter().position(|b| *b == b'\n') {
            let text: Vec<u8> = stream.bytes.drain(..=end).collect();
            let line: Line = serde_json::from_slice(&text)
                .map_err(|e| format!("run {pid} sent what this version does not know: {e}"))?;
            let shown = if options.json {
                String::from_utf8_lossy(&text).into_owned()
            } else {
                let began = *began.get_or_insert(line.time_ns);
                shown(line.time_ns.saturating_sub(began), &line.event)
            };
            if !print_on(&shown)? {
                return Ok(());
            }
            left -= u64::from(!matches!(line.event, Event::Lost { .. }));
            if left == 0 {
                return Ok(());
            }
        }
        if !stream.more()? {
            return Ok(());
        }
    }
}

fn wanted(options: &args::Trace) -> Trace {
    let named = Trace {
        calls: options.calls,
        drops: options.drops,
        states: options.states,
        retransmits: options.retransmits,
    };
    if named == Trace::default() {
        Trace {
            calls: true,
            drops: true,
            states: true,
            retransmits: true,
        }
    } else {
        named
    }
}

/// Seconds, and the event; the steps of a call stand below it.
fn shown(since_ns: u64, event: &Event) -> String {
    const WIDTH: usize = 12;
    let mut out = String::new();
    for (i, line) in event.text().lines().enumerate() {
        let time = if i == 0 {
            let us = since_ns / 1000;
            format!("{}.{:06}", us / 1_000_000, us % 1_000_000)
        } else {
            String::new()
        };
        out.push_str(&format!("{time:>WIDTH$} {line}\n"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_is_shown_behind_its_time_and_steps_below() {
        let call = Event::Call {
            call: "listen(3, 5)".into(),
            steps: vec!["returns 0".into()],
        };
        assert_eq!(
            shown(1_000_042_999, &call),
            "    1.000042 listen(3, 5)\n             └ returns 0\n"
        );
    }
}
