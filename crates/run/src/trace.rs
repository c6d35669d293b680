//! Steps of the stack in words: the founding walk, one tree for each listen(), with the values that it took.

use hearken_abi::Errno;
use hearken_inet::Step;

use crate::event::Event;

/// Cuts steps into calls: each listen() with all its steps, and everything else by itself.
pub fn calls(steps: &[Step]) -> Vec<&[Step]> {
    let mut calls = Vec::new();
    let mut rest = steps;
    while let Some(first) = rest.first() {
        let len = match first {
            Step::ListenEnter { .. } => rest
                .iter()
                .position(|s| matches!(s, Step::ListenExit { .. }))
                .map_or(rest.len(), |at| at + 1),
            _ => 1,
        };
        let (call, after) = rest.split_at(len);
        calls.push(call);
        rest = after;
    }
    calls
}

/// One call with its steps in words.
pub fn event(steps: &[Step]) -> Event {
    let mut lines = Vec::new();
    let mut descriptor = None;
    for step in steps {
        if let Step::ListenEnter { fd: own, .. } = *step
            && own >= 0
        {
            descriptor = Some(own);
        }
        lines.extend(line(step, descriptor));
    }
    let mut lines = lines.into_iter();
    Event::Call {
        call: lines.next().unwrap_or_default(),
        steps: lines.collect(),
    }
}

/// One call as a tree.
pub fn format_tree(steps: &[Step]) -> String {
    event(steps).text()
}

fn line(step: &Step, fd: Option<i32>) -> Option<String> {
    let fd = || fd.map_or_else(|| "?".to_owned(), |fd| fd.to_string());
    Some(match *step {
        Step::ListenEnter { backlog, .. } => format!("listen({}, {backlog})", fd()),
        Step::Lookup { socket } => format!("descriptor {} -> socket {socket}", fd()),
        Step::Clamp {
            backlog,
            somaxconn,
            result,
        } => {
            // The comparison is unsigned: -1 is the largest backlog of all.
            format!("backlog min({}, {somaxconn}) = {result}", backlog as u32)
        }
        Step::Security { errno: 0 } => "security: allowed".to_owned(),
        Step::Security { errno } => format!("security: refused, {}", Errno(errno)),
        Step::InetListen { state } => format!("inet_listen: state {}", state.name()),
        Step::BacklogMoved { from, to } => format!("listening already: limit {from} -> {to}"),
        Step::FastOpen { max_qlen } => format!("fast open: queue of {max_qlen}"),
        Step::ListenStart { max_ack_backlog } => {
            format!("listen start: queues empty, limit {max_ack_backlog} (one more fits)")
        }
        Step::PortCheck {
            port,
            autobind,
            free,
        } => format!(
            "port {port}{}: {}",
            if autobind { ", chosen now" } else { "" },
            if free { "free" } else { "taken, back to CLOSE" }
        ),
        Step::Hashed { local } => format!("LISTEN, hashed at {local}"),
        Step::ListenCallback => "sock_ops: TCP_LISTEN_CB".to_owned(),
        Step::ListenExit { errno: 0 } => "returns 0".to_owned(),
        Step::ListenExit { errno } => format!("returns -1, {}", Errno(errno)),
        Step::Syn {
            local,
            remote,
            half_open,
            ack_backlog,
            limit,
        } => format!(
            "SYN {remote} -> {local}: {half_open} half-open, {ack_backlog} queued, limit {limit}"
        ),
        Step::Queued {
            remote,
            ack_backlog,
            limit,
        } => {
            format!("established {remote}: accept queue {ack_backlog} of {limit}")
        }
        Step::Overflow { remote, reset } => format!(
            "accept queue full: {remote} {}",
            if reset { "reset" } else { "dropped" }
        ),
        Step::Accepted {
            remote,
            ack_backlog,
        } => {
            format!("accept: {remote}, {ack_backlog} left in the queue")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hearken_abi::TcpState;

    #[test]
    fn tree_of_a_listen_shows_the_walk_with_its_values() {
        let steps = [
            Step::ListenEnter {
                fd: 3,
                backlog: 511,
            },
            Step::Lookup { socket: 7 },
            Step::Clamp {
                backlog: 511,
                somaxconn: 4096,
                result: 511,
            },
            Step::Security { errno: 0 },
            Step::InetListen {
                state: TcpState::Close,
            },
            Step::ListenStart {
                max_ack_backlog: 511,
            },
            Step::PortCheck {
                port: 8000,
                autobind: false,
                free: true,
            },
            Step::Hashed {
                local: "0.0.0.0:8000".parse().unwrap(),
            },
            Step::ListenCallback,
            Step::ListenExit { errno: 0 },
            Step::Accepted {
                remote: "10.0.2.2:5".parse().unwrap(),
                ack_backlog: 0,
            },
        ];
        let calls = calls(&steps);
        assert_eq!(calls.len(), 2);
        assert_eq!(
            format_tree(calls[0]),
            "\
listen(3, 511)
├ descriptor 3 -> socket 7
├ backlog min(511, 4096) = 511
├ security: allowed
├ inet_listen: state CLOSE
├ listen start: queues empty, limit 511 (one more fits)
├ port 8000: free
├ LISTEN, hashed at 0.0.0.0:8000
├ sock_ops: TCP_LISTEN_CB
└ returns 0
"
        );
        assert_eq!(
            format_tree(calls[1]),
            "accept: 10.0.2.2:5, 0 left in the queue\n"
        );
    }

    #[test]
    fn tree_of_a_negative_backlog_shows_the_unsigned_clamp() {
        let clamp = Step::Clamp {
            backlog: -1,
            somaxconn: 4096,
            result: 4096,
        };
        assert_eq!(
            format_tree(&[clamp]),
            "backlog min(4294967295, 4096) = 4096\n"
        );
    }
}
