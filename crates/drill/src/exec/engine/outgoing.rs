//! Packets that must come out.

use core::time::Duration;

use super::{Engine, Sent, Stop, fail};
use crate::ast;
use crate::exec::compare::{self, Difference, Expected, Stamps};
use crate::exec::options::TcpOption;
use crate::exec::packet::{Body, Packet, Tcp, flag, parse_quoted};
use crate::exec::segment;
use crate::exec::time::{ANY_PATIENCE, PATIENCE, Window};
use crate::exec::trace::seconds;
use crate::span::Span;

impl Engine<'_> {
    /// Waits for the packet; says when it came.
    pub(super) fn outbound(
        &mut self,
        span: Span,
        script: &ast::Packet,
        window: Window,
    ) -> Result<Duration, Stop> {
        if let ast::Body::Silence(length) = script.body {
            return self.silence(span, script, window, length);
        }
        let until = match window.latest {
            Some(latest) => latest + PATIENCE,
            None => self.now() + ANY_PATIENCE,
        };
        let Some((sent, at)) = self.next_for(script, until)? else {
            let headline = format!(
                "no packet came within {:.3} s of its time",
                match window.latest {
                    Some(_) => PATIENCE.as_secs_f64(),
                    None => ANY_PATIENCE.as_secs_f64(),
                }
            );
            let expected = format!("{} {}", window.text(), script);
            return fail(span, headline, expected, "nothing");
        };
        let came = sent.at;
        let Some(at) = at else {
            let (text, _) = self.describe(&sent);
            self.trace.packet(came, text.clone(), &sent.bytes);
            let expected = format!("{} {}", window.text(), script);
            let headline = "a packet of another connection than the script's";
            return fail(
                span,
                headline,
                expected,
                format!("{} {text}", seconds(came)),
            );
        };
        let mut differences = Vec::new();
        let (finished, text) = match (&script.body, &sent.packet.body) {
            (ast::Body::Tcp(of), Body::Tcp(_)) => {
                let expected = segment::expected(of, &script.ip);
                self.segment(script, &expected, sent, at, window, &mut differences)?
            }
            (ast::Body::Udp { len }, Body::Udp(is)) => {
                if usize::from(*len) != *is {
                    differences.push(Difference {
                        field: "length",
                        expected: len.to_string(),
                        sent: is.to_string(),
                    });
                }
                self.ip(script, &sent, &mut differences)
            }
            (ast::Body::Icmp(of), Body::Icmp(_)) => {
                self.icmp(of, &sent, at, &mut differences);
                self.ip(script, &sent, &mut differences)
            }
            _ => {
                differences.push(Difference {
                    field: "protocol",
                    expected: protocol(&script.body).to_owned(),
                    sent: protocol_of(&sent.packet).to_owned(),
                });
                self.ip(script, &sent, &mut differences)
            }
        };
        let late = !window.has(came);
        if differences.is_empty() && !late {
            return Ok(finished);
        }
        let mut said: Vec<String> = differences
            .iter()
            .map(|d| format!("{}: expected {}, sent {}", d.field, d.expected, d.sent))
            .collect();
        if late {
            said.push(format!(
                "time: expected {} (give or take {:.6}), sent at {}",
                window.text(),
                window.slack.as_secs_f64(),
                seconds(came)
            ));
        }
        let headline = format!("another packet than expected: {}", said.join("; "));
        let expected = format!("{} {}", window.text(), script);
        fail(
            span,
            headline,
            expected,
            format!("{} {text}", seconds(came)),
        )
    }

    /// Nothing goes out for so long.
    fn silence(
        &mut self,
        span: Span,
        script: &ast::Packet,
        window: Window,
        length: Duration,
    ) -> Result<Duration, Stop> {
        let end = window.earliest + length;
        if let Some((sent, _)) = self.next_for(script, end)? {
            let (text, _) = self.describe(&sent);
            self.trace.packet(sent.at, text.clone(), &sent.bytes);
            let expected = format!("{} {}", window.text(), script);
            let actual = format!("{} {text}", seconds(sent.at));
            return fail(span, "a packet where there must be none", expected, actual);
        }
        self.wait_until(end)?;
        Ok(end)
    }

    fn ip(
        &mut self,
        script: &ast::Packet,
        sent: &Sent,
        differences: &mut Vec<Difference>,
    ) -> (Duration, String) {
        compare::ip(&segment::expected_ip(&script.ip), &sent.packet, differences);
        let (text, _) = self.describe(sent);
        self.trace.packet(sent.at, text.clone(), &sent.bytes);
        (sent.at, text)
    }

    /// Compares a segment; what follows it is merged into it until the expected length is reached.
    fn segment(
        &mut self,
        script: &ast::Packet,
        expected: &Expected,
        sent: Sent,
        at: usize,
        window: Window,
        differences: &mut Vec<Difference>,
    ) -> Result<(Duration, String), Stop> {
        let mut finished = sent.at;
        let mut texts = Vec::new();
        let mut whole = self.take(&sent, at, expected, &mut texts);
        let merges = !self.world.strict_segments && whole.seq == expected.seq;
        let until = window.latest.unwrap_or(sent.at) + window.slack;
        while merges && whole.len > 0 && whole.len < expected.len && !whole.has(flag::FIN) {
            let Some((next, found)) = self.next_for(script, until.max(sent.at))? else {
                break;
            };
            let follows = next.packet.tcp().is_some_and(|tcp| {
                let tcp = self.connections[at].connection.to_script(tcp);
                found == Some(at)
                    && tcp.len > 0
                    && tcp.seq == whole.seq.wrapping_add(whole.len as u32)
                    && whole.len + tcp.len <= expected.len
                    && !tcp.has(flag::SYN | flag::RST)
            });
            if !follows {
                self.queue.push_front(next);
                break;
            }
            finished = next.at;
            let more = self.take(&next, at, expected, &mut texts);
            // PSH, FIN and ack are the last one's, seq and CWR the first one's.
            whole = Tcp {
                flags: more.flags & !flag::CWR | whole.flags & flag::CWR,
                seq: whole.seq,
                len: whole.len + more.len,
                ..more
            };
        }
        let stamps = self.stamps(at, &whole, expected, window);
        differences.extend(compare::segment(expected, &whole, &sent.packet, stamps));
        Ok((finished, texts.join("\n")))
    }

    /// Notes one segment, and learns from it; says it in the script's numbers.
    fn take(
        &mut self,
        sent: &Sent,
        at: usize,
        expected: &Expected,
        texts: &mut Vec<String>,
    ) -> Tcp {
        let live = sent.packet.tcp().cloned().unwrap_or_default();
        let connection = &mut self.connections[at].connection;
        if expected.flags & flag::SYN != 0 {
            connection.learn_isn(&live, expected.seq);
        }
        let stamp = |option: &TcpOption| match option {
            TcpOption::Ts { val, .. } => Some(*val),
            _ => None,
        };
        let wanted = expected.options.as_deref().unwrap_or_default();
        if let (Some(script), Some(live)) = (
            wanted.iter().find_map(stamp),
            live.options.iter().find_map(stamp),
        ) {
            connection.learn_stamp(live, script);
        }
        let script = connection.to_script(&live);
        let (text, _) = self.describe(sent);
        self.trace.packet(sent.at, text.clone(), &sent.bytes);
        texts.push(text);
        script
    }

    fn stamps(&self, at: usize, sent: &Tcp, _expected: &Expected, window: Window) -> Stamps {
        let val = sent.options.iter().find_map(|option| match option {
            TcpOption::Ts { val, .. } => self.connections[at].connection.stamp_to_script(*val),
            _ => None,
        });
        let tick = self.world.stamp_tick_usecs;
        Stamps {
            val,
            val_slack: tick.and_then(|tick| Stamps::slack(window.slack, tick)),
            ecr: self.world.strict,
        }
    }

    fn icmp(&self, of: &ast::Icmp, sent: &Sent, at: usize, differences: &mut Vec<Difference>) {
        let Body::Icmp(icmp) = &sent.packet.body else {
            return;
        };
        let (kind, code) = segment::icmp_type(of, self.world.v4()).unwrap_or_default();
        let mut numbers = vec![
            ("type", u32::from(kind), u32::from(icmp.kind)),
            ("code", u32::from(code), u32::from(icmp.code)),
        ];
        if let Some(mtu) = of.mtu {
            numbers.push(("mtu", mtu, icmp.extra));
        }
        if let (Some(ast::Quoted::Tcp(about)), Some((_, _, seq))) =
            (of.quoted, parse_quoted(&icmp.quoted))
        {
            let seq = self.connections[at].connection.remote_seq_to_script(seq);
            numbers.push(("quoted seq", about.start, seq));
        }
        for (field, expected, sent) in numbers {
            if expected != sent {
                differences.push(Difference {
                    field,
                    expected: expected.to_string(),
                    sent: sent.to_string(),
                });
            }
        }
    }
}

fn protocol(body: &ast::Body) -> &'static str {
    match body {
        ast::Body::Tcp(_) => "TCP",
        ast::Body::Udp { .. } => "UDP",
        ast::Body::Icmp(_) => "ICMP",
        ast::Body::Silence(_) => "nothing",
    }
}

fn protocol_of(packet: &Packet) -> &'static str {
    match packet.body {
        Body::Tcp(_) => "TCP",
        Body::Udp(_) => "UDP",
        Body::Icmp(_) => "ICMP",
        Body::Other(_) => "another protocol",
    }
}
