//! What `top` shows: two answers of each run, and what moved between them.

use std::collections::HashMap;
use std::time::Instant;

use hearken_run::control::{Answer, ListenerRow};

/// The answers of all runs at one moment.
pub(crate) struct Sample {
    at: Instant,
    answers: Vec<Answer>,
}

impl Sample {
    pub(crate) fn new(at: Instant, answers: Vec<Answer>) -> Self {
        Sample { at, answers }
    }
}

/// A count, and how fast it grows.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Rate {
    pub(crate) total: u64,
    pub(crate) per_second: f64,
}

/// One run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Run {
    pub(crate) pid: u32,
    pub(crate) established: u64,
    pub(crate) connections: Rate,
    pub(crate) syns: Rate,
    pub(crate) bytes_in: Rate,
    pub(crate) bytes_out: Rate,
    pub(crate) retransmits: Rate,
    pub(crate) overflows: Rate,
}

/// One listener and its two queues.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Listener {
    pub(crate) run: u32,
    pub(crate) local: String,
    pub(crate) cmd: String,
    pub(crate) syn_queue: u32,
    pub(crate) accept_queue: u32,
    /// Of both; one more fits.
    pub(crate) limit: u32,
    pub(crate) syns: Rate,
    pub(crate) connections: Rate,
    pub(crate) overflows: Rate,
}

/// Packets of one run that were dropped for one reason.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Drop {
    pub(crate) run: u32,
    pub(crate) reason: String,
    pub(crate) packets: Rate,
}

/// What listeners are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Sort {
    #[default]
    Address,
    AcceptQueue,
    SynQueue,
    Connections,
    Overflows,
}

impl Sort {
    /// The next one, round and round.
    pub(crate) fn next(self) -> Self {
        match self {
            Sort::Address => Sort::AcceptQueue,
            Sort::AcceptQueue => Sort::SynQueue,
            Sort::SynQueue => Sort::Connections,
            Sort::Connections => Sort::Overflows,
            Sort::Overflows => Sort::Address,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Sort::Address => "address",
            Sort::AcceptQueue => "accept queue",
            Sort::SynQueue => "SYN queue",
            Sort::Connections => "connections",
            Sort::Overflows => "overflows",
        }
    }
}

/// Everything that is shown.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Picture {
    pub(crate) runs: Vec<Run>,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) drops: Vec<Drop>,
}

/// What moved between two samples. A run or a listener that is new has moved nothing yet.
pub(crate) fn picture(before: &Sample, now: &Sample, sort: Sort) -> Picture {
    let seconds = now.at.duration_since(before.at).as_secs_f64();
    let mut picture = Picture::default();
    for answer in &now.answers {
        let old = before.answers.iter().find(|a| a.pid == answer.pid);
        let rate = |total: u64, was: Option<u64>| Rate {
            total,
            per_second: if seconds > 0.0 {
                total.saturating_sub(was.unwrap_or(total)) as f64 / seconds
            } else {
                0.0
            },
        };
        let values: HashMap<&str, u64> = named(&answer.counters);
        let were: Option<HashMap<&str, u64>> = old.map(|a| named(&a.counters));
        let get = |name: &str| values.get(name).copied().unwrap_or(0);
        let counted = |name: &str| {
            let was = were.as_ref().map(|w| w.get(name).copied().unwrap_or(0));
            rate(get(name), was)
        };
        let old_listener = |l: &ListenerRow| {
            let all = old.map_or(&[][..], |o| &o.listeners);
            all.iter().find(|o| o.id == l.id && o.local == l.local)
        };
        let mut syns = Rate::default();
        for l in &answer.listeners {
            let was = old_listener(l);
            let row = Listener {
                run: answer.pid,
                local: l.local.clone(),
                cmd: l.cmd.clone().unwrap_or_default(),
                syn_queue: l.syn_queue,
                accept_queue: l.accept_queue,
                limit: l.limit,
                syns: rate(l.syns, was.map(|w| w.syns)),
                connections: rate(l.connections, was.map(|w| w.connections)),
                overflows: rate(l.overflows, was.map(|w| w.overflows)),
            };
            syns.total += row.syns.total;
            syns.per_second += row.syns.per_second;
            picture.listeners.push(row);
        }
        let (active, passive) = (counted("TcpActiveOpens"), counted("TcpPassiveOpens"));
        picture.runs.push(Run {
            pid: answer.pid,
            established: get("TcpCurrEstab"),
            connections: Rate {
                total: active.total + passive.total,
                per_second: active.per_second + passive.per_second,
            },
            syns,
            bytes_in: rate(answer.bytes.0, old.map(|o| o.bytes.0)),
            bytes_out: rate(answer.bytes.1, old.map(|o| o.bytes.1)),
            retransmits: counted("TcpRetransSegs"),
            overflows: counted("TcpExtListenOverflows"),
        });
        let dropped: Option<HashMap<&str, u64>> = old.map(|a| named(&a.drops));
        for (reason, n) in &answer.drops {
            let was = dropped
                .as_ref()
                .map(|d| d.get(&reason[..]).copied().unwrap_or(0));
            picture.drops.push(Drop {
                run: answer.pid,
                reason: reason.clone(),
                packets: rate(*n, was),
            });
        }
    }
    order(&mut picture, sort);
    picture
}

fn named(pairs: &[(String, u64)]) -> HashMap<&str, u64> {
    pairs.iter().map(|(n, v)| (n.as_str(), *v)).collect()
}

fn order(picture: &mut Picture, sort: Sort) {
    let share = |queue: u32, l: &Listener| f64::from(queue) / (f64::from(l.limit) + 1.0);
    picture.listeners.sort_by(|a, b| {
        let largest_first = match sort {
            Sort::Address => std::cmp::Ordering::Equal,
            Sort::AcceptQueue => share(b.accept_queue, b).total_cmp(&share(a.accept_queue, a)),
            Sort::SynQueue => share(b.syn_queue, b).total_cmp(&share(a.syn_queue, a)),
            Sort::Connections => b
                .connections
                .per_second
                .total_cmp(&a.connections.per_second),
            Sort::Overflows => b.overflows.total.cmp(&a.overflows.total),
        };
        largest_first.then_with(|| (a.run, &a.local).cmp(&(b.run, &b.local)))
    });
    picture.drops.sort_by(|a, b| {
        b.packets
            .total
            .cmp(&a.packets.total)
            .then_with(|| a.reason.cmp(&b.reason))
    });
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::time::Duration;

    /// A run with two listeners after `n` seconds of the same load.
    pub(crate) fn sample(began: Instant, n: u64) -> Sample {
        let listener = |id, local: &str, syn_queue, accept_queue, rate| ListenerRow {
            id,
            local: local.into(),
            cmd: Some("server".into()),
            syn_queue,
            accept_queue,
            limit: 127,
            syns: 2 * rate * n,
            connections: rate * n,
            overflows: rate * n / 10,
            ..ListenerRow::default()
        };
        Sample::new(
            began + Duration::from_secs(n),
            vec![Answer {
                pid: 4711,
                counters: vec![
                    ("TcpCurrEstab".into(), 12),
                    ("TcpPassiveOpens".into(), 510 * n),
                    ("TcpExtListenOverflows".into(), 51 * n),
                ],
                drops: vec![
                    ("NO_SOCKET".into(), 1),
                    ("TCP_LISTEN_OVERFLOW".into(), 51 * n),
                ],
                bytes: (1_500_000 * n, 3_000_000_000 * n),
                listeners: vec![
                    listener(1, "0.0.0.0:8000", 0, 128, 500),
                    listener(2, "[::]:443", 64, 3, 10),
                ],
                ..Answer::default()
            }],
        )
    }

    #[test]
    fn rates_are_what_moved_in_a_second() {
        let began = Instant::now();
        let p = picture(&sample(began, 10), &sample(began, 12), Sort::Address);
        let run = &p.runs[0];
        assert_eq!(run.connections.per_second, 510.0);
        assert_eq!(run.syns.per_second, 1020.0);
        assert_eq!(
            run.overflows,
            Rate {
                total: 612,
                per_second: 51.0
            }
        );
        assert_eq!(p.listeners[0].connections.per_second, 500.0);
        assert_eq!(p.drops[0].reason, "TCP_LISTEN_OVERFLOW");
        assert_eq!(p.drops[0].packets.per_second, 51.0);
    }

    #[test]
    fn listener_that_is_new_has_no_rate_yet() {
        let began = Instant::now();
        let p = picture(
            &Sample::new(began, Vec::new()),
            &sample(began, 5),
            Sort::Address,
        );
        assert_eq!(
            p.listeners[0].syns,
            Rate {
                total: 5000,
                per_second: 0.0
            }
        );
    }

    #[test]
    fn order_follows_the_key() {
        let began = Instant::now();
        let first = |sort| {
            let p = picture(&sample(began, 1), &sample(began, 2), sort);
            p.listeners[0].local.clone()
        };
        assert_eq!(first(Sort::Address), "0.0.0.0:8000");
        assert_eq!(first(Sort::SynQueue), "[::]:443");
        assert_eq!(first(Sort::AcceptQueue), "0.0.0.0:8000");
        let mut sort = Sort::Address;
        for _ in 0..5 {
            sort = sort.next();
        }
        assert_eq!(sort, Sort::Address);
    }
}
