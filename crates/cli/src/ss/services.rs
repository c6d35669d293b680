//! Names of ports: /etc/services, for TCP.

use std::collections::HashMap;

/// Ports and their names.
#[derive(Debug, Default)]
pub(crate) struct Services(HashMap<u16, String>);

impl Services {
    /// This machine's; empty where there is no such file.
    pub(crate) fn read() -> Self {
        Self::of(&std::fs::read_to_string("/etc/services").unwrap_or_default())
    }

    /// The first name of a port counts, as in getservbyport(3).
    fn of(text: &str) -> Self {
        let mut ports = HashMap::new();
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_whitespace();
            if let (Some(name), Some((port, "tcp"))) =
                (words.next(), words.next().and_then(|p| p.split_once('/')))
                && let Ok(port) = port.parse()
            {
                ports.entry(port).or_insert_with(|| name.to_owned());
            }
        }
        Self(ports)
    }

    /// The name of a port.
    pub(crate) fn name(&self, port: u16) -> Option<&str> {
        self.0.get(&port).map(String::as_str)
    }

    /// The port of a name.
    pub(crate) fn port(&self, name: &str) -> Option<u16> {
        self.0.iter().find(|(_, n)| *n == name).map(|(p, _)| *p)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_know_tcp_only() {
        let s = Services::of("# x\nhttp 80/tcp www # web\ntftp 69/udp\nhttp-alt\t8080/tcp\n");
        assert_eq!((s.name(80), s.name(69)), (Some("http"), None));
        assert_eq!(s.port("http-alt"), Some(8080));
        assert_eq!(s.port("tftp"), None);
    }
}
