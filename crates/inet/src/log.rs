//! What Linux would write into the kernel's log.

use core::fmt;
use core::net::SocketAddr;

/// A line of it; [`fmt::Display`] writes Linux's words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Message {
    /// A listener's SYN queue overflowed for the first time (Linux `tcp_syn_flood_action`, 6.18; docs/linux 88).
    SynFlood {
        /// The SYN that found it full was IPv6's.
        v6: bool,
        /// Where the listener listens.
        local: SocketAddr,
        /// It goes on with SYN cookies; otherwise it drops SYNs.
        cookies: bool,
    },
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::SynFlood { v6, local, cookies } = self;
        let family = if *v6 { "v6" } else { "" };
        let action = match cookies {
            true => "Sending cookies.",
            false => "Dropping request.",
        };
        write!(
            f,
            "TCP: request_sock_TCP{family}: Possible SYN flooding on port {local}. {action}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    /// As docs/linux/rest.md has them.
    #[test]
    fn syn_flood_reads_as_in_linux() {
        let said = |v6, local: &str, cookies| {
            let local = local.parse().unwrap();
            Message::SynFlood { v6, local, cookies }.to_string()
        };
        assert_eq!(
            said(false, "0.0.0.0:7000", false),
            "TCP: request_sock_TCP: Possible SYN flooding on port 0.0.0.0:7000. Dropping request."
        );
        assert_eq!(
            said(false, "[::]:7003", true),
            "TCP: request_sock_TCP: Possible SYN flooding on port [::]:7003. Sending cookies."
        );
        assert_eq!(
            said(true, "[2001:db8::1]:7005", true),
            "TCP: request_sock_TCPv6: Possible SYN flooding on port [2001:db8::1]:7005. Sending cookies."
        );
    }
}
