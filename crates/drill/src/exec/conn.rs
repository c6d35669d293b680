//! One connection: its four numbers (addresses and ports), and the mapping between a script's sequence numbers and timestamps
//! and those on the wire.

use core::net::SocketAddr;
use std::collections::HashMap;

use super::options::TcpOption;
use super::packet::{Tcp, flag};

/// One side's initial sequence number, in the script and on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
struct Isn {
    script: u32,
    live: u32,
}

impl Isn {
    /// A script's number to the wire's. In a SYN the script's numbers are its own; elsewhere they count from the ISN.
    fn to_live(self, number: u32, syn: bool) -> u32 {
        let base = if syn { self.script } else { 0 };
        self.live.wrapping_add(number).wrapping_sub(base)
    }

    fn to_script(self, number: u32, syn: bool) -> u32 {
        let base = if syn { self.script } else { 0 };
        number.wrapping_sub(self.live).wrapping_add(base)
    }
}

/// Timestamp values that a script knows by other numbers.
#[derive(Clone, Debug, Default)]
struct Stamps {
    /// The first value that the system sent, and what the script calls it.
    first: Option<Isn>,
    /// The last value sent under each of the script's.
    sent: HashMap<u32, u32>,
}

/// A connection between the system under test (`local`) and the script (`remote`).
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    local_isn: Option<Isn>,
    remote_isn: Isn,
    remote_known: bool,
    /// A SYN went in since the last SYN-ACK: the next SYN-ACK may have another ISN (a cookie, or a new life of the tuple).
    reopened: Option<Isn>,
    stamps: Stamps,
}

impl Connection {
    pub(crate) fn new(local: SocketAddr, remote: SocketAddr) -> Self {
        Connection {
            local,
            remote,
            local_isn: None,
            remote_isn: Isn::default(),
            remote_known: false,
            reopened: None,
            stamps: Stamps::default(),
        }
    }

    /// Whether a packet from `src` to `dst`, which the system sent, is this connection's.
    pub(crate) fn is(&self, src: SocketAddr, dst: SocketAddr) -> bool {
        (self.local, self.remote) == (src, dst)
    }

    /// A segment of the script's as it goes in.
    pub(crate) fn go_live(&mut self, script: &Tcp) -> Tcp {
        let syn = script.has(flag::SYN);
        if syn {
            let isn = Isn {
                script: script.seq,
                live: script.seq,
            };
            let first = !self.remote_known && script.has(flag::ACK);
            if self.local_isn.is_none() || first {
                self.remote_isn = isn;
                self.remote_known = true;
            } else {
                // A second SYN: its number counts only once it is answered by a SYN-ACK.
                self.reopened = Some(isn);
            }
        }
        let remote = match (syn, self.reopened) {
            (true, Some(isn)) => isn,
            _ => self.remote_isn,
        };
        let local = self.local_isn.unwrap_or_default();
        let mut live = script.clone();
        live.seq = remote.to_live(script.seq, syn);
        if script.has(flag::ACK) {
            live.ack = local.to_live(script.ack, syn);
        }
        for option in &mut live.options {
            match option {
                TcpOption::Sack(blocks) => {
                    for (left, right) in blocks {
                        *left = local.to_live(*left, false);
                        *right = local.to_live(*right, false);
                    }
                }
                TcpOption::Ts { ecr, .. } => *ecr = self.echo(*ecr),
                _ => {}
            }
        }
        live
    }

    /// What goes in for the script's echo of a timestamp: the value that was sent under this number; of one that never was, as
    /// far from the first.
    fn echo(&self, ecr: u32) -> u32 {
        if ecr == 0 {
            return 0;
        }
        if let Some(live) = self.stamps.sent.get(&ecr) {
            return *live;
        }
        let first = self.stamps.first.unwrap_or_default();
        first.live.wrapping_add(ecr).wrapping_sub(first.script)
    }

    /// Learns the system's ISN from a SYN or SYN-ACK that the script expects with this sequence number.
    pub(crate) fn learn_isn(&mut self, live: &Tcp, script_seq: u32) {
        if !live.has(flag::SYN) {
            return;
        }
        let isn = Isn {
            script: script_seq,
            live: live.seq,
        };
        if self.local_isn.is_none() {
            self.local_isn = Some(isn);
        } else if let Some(remote) = self.reopened.take()
            && live.ack == remote.live.wrapping_add(1)
        {
            self.local_isn = Some(isn);
            self.remote_isn = remote;
            self.remote_known = true;
            self.stamps = Stamps::default();
        }
    }

    /// Learns what the script calls a timestamp that the system sent.
    pub(crate) fn learn_stamp(&mut self, live: u32, script: u32) {
        self.stamps.first.get_or_insert(Isn { script, live });
        self.stamps.sent.insert(script, live);
    }

    /// What a timestamp of the system's is in the script's numbers, counted from the first.
    pub(crate) fn stamp_to_script(&self, live: u32) -> Option<u32> {
        let first = self.stamps.first?;
        Some(live.wrapping_sub(first.live).wrapping_add(first.script))
    }

    /// A segment that the system sent, in the script's numbers. Timestamp values stay live: a script may not name them.
    pub(crate) fn to_script(&self, live: &Tcp) -> Tcp {
        let syn = live.has(flag::SYN);
        let local = self.local_isn.unwrap_or_default();
        let remote = match (syn, self.reopened) {
            (true, Some(isn)) if live.ack == isn.live.wrapping_add(1) => isn,
            _ => self.remote_isn,
        };
        let mut script = live.clone();
        // The reset of what is no connection has the number zero (RFC 9293 3.5.2), whatever connection there was.
        let nobody = live.has(flag::RST) && live.has(flag::ACK) && live.seq == 0;
        script.seq = match nobody {
            true => 0,
            false => local.to_script(live.seq, syn),
        };
        if live.has(flag::ACK) {
            script.ack = remote.to_script(live.ack, syn);
        }
        for option in &mut script.options {
            if let TcpOption::Sack(blocks) = option {
                for (left, right) in blocks {
                    *left = remote.to_script(*left, false);
                    *right = remote.to_script(*right, false);
                }
            }
        }
        script
    }

    /// A sequence number of the system's, on the wire, from the script's (in an ICMP error's quotation).
    pub(crate) fn local_seq(&self, number: u32) -> u32 {
        self.local_isn.unwrap_or_default().to_live(number, false)
    }

    /// A sequence number of the remote's, in the script's numbers (in an ICMP error that the system sent).
    pub(crate) fn remote_seq_to_script(&self, number: u32) -> u32 {
        self.remote_isn.to_script(number, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection() -> Connection {
        let addr = |text: &str| text.parse().expect("an address");
        Connection::new(addr("192.168.0.1:8080"), addr("192.0.2.1:40000"))
    }

    fn tcp(flags: u16, seq: u32, ack: u32) -> Tcp {
        Tcp {
            flags,
            seq,
            ack,
            ..Tcp::default()
        }
    }

    const SYN_ACK: u16 = flag::SYN | flag::ACK;

    #[test]
    fn numbers_of_a_passive_open_count_from_the_isns() {
        let mut c = connection();
        assert_eq!(c.go_live(&tcp(flag::SYN, 7, 0)).seq, 7);
        let live = tcp(SYN_ACK, 5000, 8);
        c.learn_isn(&live, 0);
        assert_eq!(c.to_script(&live), tcp(SYN_ACK, 0, 8));
        // Not a SYN: 1 is the first byte, whatever the script's ISN was.
        let data = c.go_live(&tcp(flag::ACK, 1, 1));
        assert_eq!((data.seq, data.ack), (8, 5001));
        assert_eq!(
            c.to_script(&tcp(flag::ACK, 5001, 108)),
            tcp(flag::ACK, 1, 101)
        );
    }

    #[test]
    fn numbers_of_an_active_open_count_from_the_isns() {
        let mut c = connection();
        let syn = tcp(flag::SYN, 900, 0);
        c.learn_isn(&syn, 0);
        assert_eq!(c.to_script(&syn).seq, 0);
        let answer = c.go_live(&tcp(SYN_ACK, 3, 1));
        assert_eq!((answer.seq, answer.ack), (3, 901));
        assert_eq!(c.to_script(&tcp(flag::ACK, 901, 4)), tcp(flag::ACK, 1, 1));
    }

    #[test]
    fn sack_blocks_count_from_the_side_whose_bytes_they_name() {
        let mut c = connection();
        c.go_live(&tcp(flag::SYN, 0, 0));
        c.learn_isn(&tcp(SYN_ACK, 5000, 1), 0);
        let mut sack = tcp(flag::ACK, 1, 1);
        sack.options = vec![TcpOption::Sack(vec![(1001, 2001)])];
        assert_eq!(
            c.go_live(&sack).options,
            [TcpOption::Sack(vec![(6001, 7001)])]
        );
        let live = Tcp {
            options: vec![TcpOption::Sack(vec![(11, 21)])],
            ..tcp(flag::ACK, 5001, 1)
        };
        assert_eq!(c.to_script(&live).options, live.options);
    }

    #[test]
    fn second_syn_counts_once_it_is_answered() {
        let mut c = connection();
        c.go_live(&tcp(flag::SYN, 0, 0));
        c.learn_isn(&tcp(SYN_ACK, 5000, 1), 0);
        c.go_live(&tcp(flag::SYN, 70000, 0));
        // A challenge ACK still speaks of the old connection.
        assert_eq!(c.to_script(&tcp(flag::ACK, 5001, 1)), tcp(flag::ACK, 1, 1));
        let answer = tcp(SYN_ACK, 9000, 70001);
        c.learn_isn(&answer, 0);
        assert_eq!(c.to_script(&answer), tcp(SYN_ACK, 0, 70001));
        assert_eq!(c.go_live(&tcp(flag::ACK, 1, 1)).ack, 9001);
        assert_eq!(c.go_live(&tcp(flag::ACK, 1, 1)).seq, 70001);
    }

    #[test]
    fn echo_is_the_value_that_was_sent() {
        let mut c = connection();
        c.learn_stamp(777, 100);
        c.learn_stamp(780, 103);
        let mut ack = tcp(flag::ACK, 1, 1);
        for (script, live) in [(100, 777), (103, 780), (110, 787), (0, 0)] {
            ack.options = vec![TcpOption::Ts {
                val: 5,
                ecr: script,
            }];
            let expected = TcpOption::Ts { val: 5, ecr: live };
            assert_eq!(c.go_live(&ack).options, [expected]);
        }
        assert_eq!(c.stamp_to_script(790), Some(113));
    }
}
