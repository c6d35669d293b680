//! `--stats`: what both TCPs counted, printed when the run is over.

use std::fs::File;
use std::io::Read;

use crate::launch::{Child, Network};

/// The kernel's own counters of the program's namespace. The file is opened while the program lives
/// and keeps to that namespace.
pub(crate) struct KernelCounters {
    file: File,
    own: bool,
}

impl KernelCounters {
    pub(super) fn of(child: &Child) -> Option<Self> {
        let file = File::open(format!("/proc/{}/net/snmp", child.pid)).ok()?;
        Some(KernelCounters {
            file,
            own: child.network == Network::Own,
        })
    }

    /// One line a counter.
    pub(super) fn lines(&mut self) -> String {
        let mut text = String::new();
        if self.file.read_to_string(&mut text).is_err() {
            return String::new();
        }
        let whose = if self.own {
            "kernel"
        } else {
            "kernel (the host's whole namespace)"
        };
        ["ActiveOpens", "PassiveOpens"]
            .iter()
            .filter_map(|name| Some(format!("{whose} Tcp{name} {}\n", tcp_counter(&text, name)?)))
            .collect()
    }
}

/// One `Tcp:` counter of /proc/net/snmp: a line of names, then a line of values.
fn tcp_counter(snmp: &str, name: &str) -> Option<u64> {
    let mut lines = snmp.lines().filter_map(|l| l.strip_prefix("Tcp: "));
    let (names, values) = (lines.next()?, lines.next()?);
    let at = names.split(' ').position(|n| n == name)?;
    values.split(' ').nth(at)?.parse().ok()
}

/// Our own counters that moved.
pub(super) fn own_lines(counters: &[(String, u64)]) -> String {
    counters
        .iter()
        .filter(|(_, v)| *v != 0)
        .map(|(n, v)| format!("hearken {n} {v}\n"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tcp_counter_is_found_by_its_column() {
        let snmp = "Ip: A B\nIp: 1 2\nTcp: RtoMin ActiveOpens PassiveOpens\nTcp: 200 7 9\n";
        assert_eq!(tcp_counter(snmp, "ActiveOpens"), Some(7));
        assert_eq!(tcp_counter(snmp, "PassiveOpens"), Some(9));
        assert_eq!(tcp_counter(snmp, "InSegs"), None);
        assert_eq!(tcp_counter("", "InSegs"), None);
    }

    #[test]
    fn own_lines_show_what_moved() {
        let counters = [
            ("TcpActiveOpens".to_owned(), 0),
            ("TcpPassiveOpens".to_owned(), 2),
        ];
        assert_eq!(own_lines(&counters), "hearken TcpPassiveOpens 2\n");
    }
}
