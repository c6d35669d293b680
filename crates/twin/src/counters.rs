//! A namespace's counters, by nstat's names.

use std::collections::BTreeMap;

/// A snapshot: `TcpExtListenDrops` -> 3.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters(BTreeMap<String, i64>);

/// What moved between two snapshots, by nstat's names.
pub type Delta = BTreeMap<String, i64>;

impl Counters {
    /// Sets one counter.
    pub fn insert(&mut self, name: String, value: i64) {
        self.0.insert(name, value);
    }

    /// One counter; 0 when it does not exist.
    pub fn get(&self, name: &str) -> i64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// The full name of a counter given by it or without its group (`ListenDrops` for `TcpExtListenDrops`).
    pub fn full_name(&self, name: &str) -> Option<&str> {
        let mut groups = [
            "", "TcpExt", "Tcp", "Ip", "Icmp", "Udp", "IpExt", "MPTcpExt",
        ]
        .into_iter();
        groups.find_map(|group| {
            let (name, _) = self.0.get_key_value(&format!("{group}{name}"))?;
            Some(name.as_str())
        })
    }

    /// What moved since `before`.
    pub fn since(&self, before: &Counters) -> Delta {
        let moved = |(name, value): (&String, &i64)| {
            let by = value - before.get(name);
            (by != 0).then(|| (name.clone(), by))
        };
        self.0.iter().filter_map(moved).collect()
    }

    /// What moved of TCP's own counters (`Tcp*`, `TcpExt*`), without the plain segment counts.
    pub fn tcp_since(&self, before: &Counters) -> Delta {
        let mut moved = self.since(before);
        moved.retain(|name, _| {
            name.starts_with("Tcp") && !matches!(name.as_str(), "TcpInSegs" | "TcpOutSegs")
        });
        moved
    }

    /// Reads the text of `/proc/net/snmp` or `/proc/net/netstat`: pairs of lines, names and values.
    pub fn parse_pairs(&mut self, text: &str) {
        let mut lines = text.lines();
        while let (Some(names), Some(values)) = (lines.next(), lines.next()) {
            let Some((group, names)) = names.split_once(':') else {
                continue;
            };
            let values = values.split_whitespace().skip(1);
            for (name, value) in names.split_whitespace().zip(values) {
                if let Ok(value) = value.parse() {
                    self.insert(format!("{group}{name}"), value);
                }
            }
        }
    }

    /// Reads the text of `/proc/net/snmp6`: a name and a value a line.
    pub fn parse_lines(&mut self, text: &str) {
        for line in text.lines() {
            let mut words = line.split_whitespace();
            if let (Some(name), Some(Ok(value))) = (words.next(), words.next().map(str::parse)) {
                self.insert(name.to_owned(), value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_pair_of_lines_gives_prefixed_names() {
        let mut counters = Counters::default();
        counters.parse_pairs("TcpExt: ListenDrops PAWSEstab\nTcpExt: 4 -1\n");
        assert_eq!(counters.get("TcpExtListenDrops"), 4);
        assert_eq!(counters.get("TcpExtPAWSEstab"), -1);
    }

    #[test]
    fn counters_since_lists_only_what_moved() {
        let mut before = Counters::default();
        before.parse_lines("Ip6InReceives 3\nIp6OutRequests 1\n");
        let mut after = before.clone();
        after.insert("Ip6InReceives".into(), 5);
        assert_eq!(
            after.since(&before),
            Delta::from([("Ip6InReceives".to_owned(), 2)])
        );
    }
}
