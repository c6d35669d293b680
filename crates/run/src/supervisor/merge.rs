//! The texts of two stacks as one: TCP is ours, what is left (UDP, ICMP of its own) is the kernel's, and IP carries both.

use std::fmt::Write as _;

/// A group of counters, its names with their values.
type Group = (String, Vec<(String, i64)>);

/// The text of snmp, snmp6, netstat, sockstat or sockstat6: `ours`, with what the kernel's says of other protocols.
pub(super) fn merge(file: &str, ours: &str, kernels: &str) -> String {
    match file {
        "snmp" | "netstat" => pairs(&sum(&groups(ours), &groups(kernels))),
        "snmp6" => lines(ours, kernels),
        _ => sockets(ours, kernels),
    }
}

/// What only one of the two knows, or what is no sum.
fn is_ours(group: &str, name: &str) -> bool {
    matches!(group, "Tcp" | "TcpExt" | "MPTcpExt") || matches!(name, "Forwarding" | "DefaultTTL")
}

fn groups(text: &str) -> Vec<Group> {
    let mut lines = text.lines();
    let mut out = Vec::new();
    while let (Some(names), Some(values)) = (lines.next(), lines.next()) {
        let Some((group, names)) = names.split_once(':') else {
            continue;
        };
        let values = values.split_whitespace().skip(1);
        let columns = names.split_whitespace().zip(values);
        let columns = columns.map(|(n, v)| (n.to_owned(), v.parse().unwrap_or(0)));
        out.push((group.to_owned(), columns.collect()));
    }
    out
}

/// A column's place among those of ICMP types: those that came before those that went, by number.
fn typed(name: &str) -> (bool, u8) {
    let number = name.trim_start_matches(|c: char| !c.is_ascii_digit());
    (name.starts_with("Out"), number.parse().unwrap_or(0))
}

fn sum(ours: &[Group], kernels: &[Group]) -> Vec<Group> {
    let mut out = ours.to_vec();
    for (group, columns) in kernels {
        let Some(at) = out.iter().position(|(g, _)| g == group) else {
            // Of the groups only IcmpMsg may be absent, and stands behind Icmp.
            let after = out.iter().position(|(g, _)| g == "Icmp");
            let at = after.map_or(out.len(), |i| i + 1);
            out.insert(at, (group.clone(), columns.clone()));
            continue;
        };
        let mine = &mut out[at].1;
        for (name, value) in columns {
            if is_ours(group, name) {
                continue;
            }
            match mine.iter_mut().find(|(n, _)| n == name) {
                Some((_, v)) => *v = v.wrapping_add(*value),
                None => mine.push((name.clone(), *value)),
            }
        }
        if group == "IcmpMsg" {
            mine.sort_by_key(|(name, _)| typed(name));
        }
    }
    out
}

fn pairs(groups: &[Group]) -> String {
    let mut out = String::new();
    for (group, columns) in groups {
        let (mut names, mut values) = (format!("{group}:"), format!("{group}:"));
        for (name, value) in columns {
            // Writing to a String cannot fail.
            let _ = write!(names, " {name}");
            let _ = write!(values, " {value}");
        }
        let _ = writeln!(out, "{names}\n{values}");
    }
    out
}

/// A name and a value a line; types of ICMP that only the kernel has seen stand before the first line of UDP.
fn lines(ours: &str, kernels: &str) -> String {
    let parse = |text: &str| -> Vec<(String, i64)> {
        let pair = |line: &str| {
            let (name, value) = line.split_once('\t')?;
            Some((name.trim_end().to_owned(), value.parse().ok()?))
        };
        text.lines().filter_map(pair).collect()
    };
    let mut all = parse(ours);
    for (name, value) in parse(kernels) {
        match all.iter_mut().find(|(n, _)| *n == name) {
            Some((_, v)) => *v = v.wrapping_add(value),
            None => {
                let udp = all.iter().position(|(n, _)| n.starts_with("Udp6"));
                all.insert(udp.unwrap_or(all.len()), (name, value));
            }
        }
    }
    let line = |(name, value): &(String, i64)| format!("{name:<32}\t{value}\n");
    all.iter().map(line).collect()
}

/// The lines of TCP are ours, and sockets of both are in use.
fn sockets(ours: &str, kernels: &str) -> String {
    if kernels.is_empty() {
        return ours.to_owned();
    }
    let used = |text: &str| -> i64 {
        let line = text.lines().find_map(|l| l.strip_prefix("sockets: used "));
        line.and_then(|n| n.trim().parse().ok()).unwrap_or(0)
    };
    let mut out = String::new();
    for line in kernels.lines() {
        let label = line.split(':').next().unwrap_or("");
        let ours_of = || ours.lines().find(|l| l.split(':').next() == Some(label));
        let _ = match label {
            "sockets" => writeln!(out, "sockets: used {}", used(ours) + used(kernels)),
            "TCP" | "TCP6" => writeln!(out, "{}", ours_of().unwrap_or(line)),
            _ => writeln!(out, "{line}"),
        };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merge_of_counters_adds_all_but_tcp_s() {
        let ours = "Ip: Forwarding InReceives\nIp: 2 5\nIcmp: InMsgs\nIcmp: 1\nIcmpMsg: InType8 OutType0\nIcmpMsg: 1 1\n\
                    Tcp: MaxConn InSegs\nTcp: -1 7\nUdp: InDatagrams\nUdp: 0\n";
        let kernels = "Ip: Forwarding InReceives\nIp: 1 3\nIcmp: InMsgs\nIcmp: 2\nIcmpMsg: InType3 OutType0\nIcmpMsg: 2 4\n\
                       Tcp: MaxConn InSegs\nTcp: -1 100\nUdp: InDatagrams\nUdp: 9\n";
        assert_eq!(
            merge("snmp", ours, kernels),
            "Ip: Forwarding InReceives\nIp: 2 8\nIcmp: InMsgs\nIcmp: 3\nIcmpMsg: InType3 InType8 OutType0\nIcmpMsg: 2 1 5\n\
             Tcp: MaxConn InSegs\nTcp: -1 7\nUdp: InDatagrams\nUdp: 9\n"
        );
        assert_eq!(merge("snmp", ours, ""), ours);
    }

    #[test]
    fn merge_of_counters_puts_a_group_that_only_the_kernel_has_behind_icmp() {
        let ours = "Icmp: InMsgs\nIcmp: 0\nTcp: InSegs\nTcp: 7\n";
        let kernels = "Icmp: InMsgs\nIcmp: 2\nIcmpMsg: InType3\nIcmpMsg: 2\nTcp: InSegs\nTcp: 0\n";
        assert_eq!(
            merge("snmp", ours, kernels),
            "Icmp: InMsgs\nIcmp: 2\nIcmpMsg: InType3\nIcmpMsg: 2\nTcp: InSegs\nTcp: 7\n"
        );
    }

    #[test]
    fn merge_of_lines_adds_and_keeps_the_order() {
        let name = |n: &str, v: i64| format!("{n:<32}\t{v}\n");
        let ours = name("Ip6InReceives", 2) + &name("Udp6InDatagrams", 0);
        let kernels =
            name("Ip6InReceives", 1) + &name("Icmp6OutType143", 4) + &name("Udp6InDatagrams", 5);
        assert_eq!(
            merge("snmp6", &ours, &kernels),
            name("Ip6InReceives", 3) + &name("Icmp6OutType143", 4) + &name("Udp6InDatagrams", 5)
        );
    }

    #[test]
    fn merge_of_sockets_takes_tcp_from_us() {
        let ours =
            "sockets: used 3\nTCP: inuse 2 orphan 0 tw 1 alloc 3 mem 0\nUDP: inuse 0 mem 0\n";
        let kernels =
            "sockets: used 4\nTCP: inuse 0 orphan 9 tw 0 alloc 9 mem 9\nUDP: inuse 1 mem 2\n";
        assert_eq!(
            merge("sockstat", ours, kernels),
            "sockets: used 7\nTCP: inuse 2 orphan 0 tw 1 alloc 3 mem 0\nUDP: inuse 1 mem 2\n"
        );
    }
}
