//! The rows of `/proc/net/tcp` and `/proc/net/tcp6`.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// One line of `/proc/net/tcp{,6}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpRow {
    /// From `/proc/net/tcp6`.
    pub v6: bool,
    /// Local address and port.
    pub local: SocketAddr,
    /// Remote address and port.
    pub remote: SocketAddr,
    /// The state's number (10 is LISTEN).
    pub state: u8,
    /// Bytes not acknowledged; 0 for a listener.
    pub tx_queue: u32,
    /// Bytes not read; the accept queue's length for a listener.
    pub rx_queue: u32,
    /// Which timer runs (0 none, 1 retransmit, 2 keepalive, 3 TIME_WAIT, 4 probe).
    pub timer: u8,
    /// Retransmits so far.
    pub retransmits: u32,
    /// The owner.
    pub uid: u32,
    /// 0 for what no descriptor reaches.
    pub inode: u64,
}

/// Reads the text of one of the two files.
pub fn parse_table(text: &str, v6: bool) -> Vec<TcpRow> {
    text.lines()
        .skip(1)
        .filter_map(|line| row(line, v6))
        .collect()
}

fn row(line: &str, v6: bool) -> Option<TcpRow> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (tx, rx) = words.get(4)?.split_once(':')?;
    let (timer, _) = words.get(5)?.split_once(':')?;
    Some(TcpRow {
        v6,
        local: address(words.get(1)?)?,
        remote: address(words.get(2)?)?,
        state: u8::from_str_radix(words.get(3)?, 16).ok()?,
        tx_queue: u32::from_str_radix(tx, 16).ok()?,
        rx_queue: u32::from_str_radix(rx, 16).ok()?,
        timer: u8::from_str_radix(timer, 16).ok()?,
        retransmits: u32::from_str_radix(words.get(6)?, 16).ok()?,
        uid: words.get(7)?.parse().ok()?,
        inode: words.get(9)?.parse().ok()?,
    })
}

/// `0100007F:0050`: each 32-bit word of the address in host order, the port as a number.
fn address(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut bytes = Vec::new();
    for word in address.as_bytes().chunks(8) {
        let word = u32::from_str_radix(core::str::from_utf8(word).ok()?, 16).ok()?;
        bytes.extend_from_slice(&word.to_ne_bytes());
    }
    let ip = match bytes.len() {
        4 => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?)),
        16 => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_listener_line_is_read() {
        let text = "  sl  local_address rem_address st ...\n   0: 010200C0:0050 00000000:0000 0A 00000000:00000002 \
                    00:00000000 00000000     0        0 53736972 4 0 100 0 0 10 0\n";
        let rows = parse_table(text, false);
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].local, "192.0.2.1:80".parse().unwrap());
        assert_eq!(
            (rows[0].state, rows[0].rx_queue, rows[0].inode),
            (10, 2, 53_736_972)
        );
    }
}
