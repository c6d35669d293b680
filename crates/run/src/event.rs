//! What `hearken trace` is sent, one line of JSON an event, and how it shows them.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// One event and when it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Nanoseconds since 1970.
    pub time_ns: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A call, or a step of a handshake, with all that it led to.
    Call {
        /// As strace writes it.
        call: String,
        /// What the stack did, in order.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        steps: Vec<String>,
    },
    /// A packet that came in was dropped.
    Drop {
        /// Linux's name of the reason.
        reason: String,
        /// Where it came in.
        iface: String,
        /// The packet.
        #[serde(flatten)]
        packet: Packet,
    },
    /// A socket went from one state to another.
    State {
        /// Our end.
        local: String,
        /// The peer; a listener has none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remote: Option<String>,
        /// Before.
        old: String,
        /// Now.
        new: String,
    },
    /// A segment left again.
    Retransmit {
        /// Our end.
        local: String,
        /// The peer.
        remote: String,
        /// The connection's state.
        state: String,
        /// SEG.SEQ
        seq: u32,
        /// Bytes of payload.
        len: u32,
    },
    /// Events that were not told, because the reader was too slow.
    Lost {
        /// How many.
        events: u64,
    },
}

/// What a packet is, as far as its headers say.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Packet {
    /// Who sent it, with the port.
    pub src: String,
    /// To whom.
    pub dst: String,
    /// `tcp`, `udp`, `icmp`, or the protocol's number.
    pub proto: String,
    /// TCP's flags as tcpdump writes them: `S`, `S.`, `P.`, `R`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub flags: String,
    /// TCP's sequence number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u32>,
    /// Bytes of payload.
    pub len: usize,
}

impl Event {
    /// As `hearken trace` prints it, without a time; several lines for a call with steps.
    pub fn text(&self) -> String {
        match self {
            Event::Call { call, steps } => {
                let mut text = format!("{call}\n");
                for (i, step) in steps.iter().enumerate() {
                    let branch = if i + 1 == steps.len() { "└" } else { "├" };
                    // Writing to a String cannot fail.
                    let _ = writeln!(text, "{branch} {step}");
                }
                text
            }
            Event::Drop {
                reason,
                iface,
                packet,
            } => {
                let mut text = format!(
                    "drop {reason}: {iface} {} > {} {}",
                    packet.src, packet.dst, packet.proto
                );
                if let Some(seq) = packet.seq {
                    let _ = write!(text, " [{}] seq {seq}", packet.flags);
                }
                let _ = writeln!(text, " length {}", packet.len);
                text
            }
            Event::State {
                local,
                remote,
                old,
                new,
            } => match remote {
                Some(remote) => format!("state {local} {remote}: {old} -> {new}\n"),
                None => format!("state {local}: {old} -> {new}\n"),
            },
            Event::Retransmit {
                local,
                remote,
                state,
                seq,
                len,
            } => format!("retransmit {local} > {remote}: seq {seq} length {len}, {state}\n"),
            Event::Lost { events } => {
                format!("{events} events lost: this reader was slower than they came\n")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_survives_json_and_is_flat() {
        let line = Line {
            time_ns: 5,
            event: Event::Drop {
                reason: "NO_SOCKET".into(),
                iface: "eth0".into(),
                packet: Packet {
                    src: "10.0.2.2:5".into(),
                    dst: "10.0.2.15:6".into(),
                    proto: "tcp".into(),
                    flags: "S".into(),
                    seq: Some(7),
                    len: 0,
                },
            },
        };
        let text = serde_json::to_string(&line).unwrap();
        assert_eq!(
            text,
            r#"{"time_ns":5,"event":"drop","reason":"NO_SOCKET","iface":"eth0","src":"10.0.2.2:5","dst":"10.0.2.15:6","proto":"tcp","flags":"S","seq":7,"len":0}"#
        );
        assert_eq!(serde_json::from_str::<Line>(&text).unwrap(), line);
        assert_eq!(
            line.event.text(),
            "drop NO_SOCKET: eth0 10.0.2.2:5 > 10.0.2.15:6 tcp [S] seq 7 length 0\n"
        );
    }

    #[test]
    fn call_with_steps_is_a_tree() {
        let call = Event::Call {
            call: "listen(3, 5)".into(),
            steps: vec!["security: allowed".into(), "returns 0".into()],
        };
        assert_eq!(
            call.text(),
            "listen(3, 5)\n├ security: allowed\n└ returns 0\n"
        );
    }
}
