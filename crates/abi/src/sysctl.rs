//! The sysctls of a network namespace: names, bounds and documented defaults.
//!
//! Bounds are what Linux 6.18 accepted when it was asked; a default that Linux scales with memory is that of a
//! machine with a few gigabytes.

/// A default value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// One number.
    Int(i64),
    /// Several numbers separated by tabs; the bounds hold for each.
    Ints(&'static [i64]),
    /// Text with a grammar of its own.
    Text(&'static str),
}

/// One sysctl.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Full dotted name, `net.core.somaxconn`.
    pub name: &'static str,
    /// Least number accepted.
    pub min: i64,
    /// Largest number accepted.
    pub max: i64,
    /// What a fresh namespace starts with.
    pub default: Value,
    /// What it does, in one sentence.
    pub doc: &'static str,
}

/// Finds a sysctl by its dotted name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Spec> {
    SPECS.iter().find(|s| s.name == name)
}

/// Every sysctl that a namespace here knows.
pub const SPECS: &[Spec] = &[
    Spec {
        name: "net.core.somaxconn",
        min: 0,
        max: 2147483647,
        default: Value::Int(4096),
        doc: "Ceiling of the backlog that listen(2) stores; existing listeners keep theirs.",
    },
    Spec {
        name: "net.core.optmem_max",
        min: 0,
        max: 2147483647,
        default: Value::Int(131072),
        doc: "Bytes of options that a socket may have; here the keys of TCP_MD5SIG, 136 each.",
    },
    Spec {
        name: "net.core.txrehash",
        min: 0,
        max: 1,
        default: Value::Int(1),
        doc: "Whether new sockets may pick another transmit hash when the path looks bad.",
    },
    Spec {
        name: "net.core.rmem_max",
        min: 2304,
        max: 2147483647,
        default: Value::Int(4194304),
        doc: "Largest receive buffer that SO_RCVBUF may ask for.",
    },
    Spec {
        name: "net.core.wmem_max",
        min: 4608,
        max: 2147483647,
        default: Value::Int(4194304),
        doc: "Largest send buffer that SO_SNDBUF may ask for.",
    },
    Spec {
        name: "net.ipv4.ip_autobind_reuse",
        min: 0,
        max: 1,
        default: Value::Int(0),
        doc: "Let an automatic bind with SO_REUSEADDR hand out a port that is in use.",
    },
    Spec {
        name: "net.ipv4.ip_default_ttl",
        min: 1,
        max: 255,
        default: Value::Int(64),
        doc: "TTL of packets whose socket names none.",
    },
    Spec {
        name: "net.ipv4.ip_nonlocal_bind",
        min: 0,
        max: 255,
        default: Value::Int(0),
        doc: "Allow bind(2) to addresses that are not ours.",
    },
    Spec {
        name: "net.ipv4.ip_unprivileged_port_start",
        min: 0,
        max: 65535,
        default: Value::Int(1024),
        doc: "First port that anybody may bind; a value inside the local port range is refused.",
    },
    Spec {
        name: "net.ipv4.ip_local_port_range",
        min: 1,
        max: 65535,
        default: Value::Ints(&[32768, 60999]),
        doc: "First and last port that the kernel itself hands out.",
    },
    Spec {
        name: "net.ipv4.ip_local_reserved_ports",
        min: 0,
        max: 65535,
        default: Value::Text(""),
        doc: "Ports that automatic choice skips, as a list of numbers and ranges.",
    },
    Spec {
        name: "net.ipv4.tcp_stdurg",
        min: 0,
        max: 255,
        default: Value::Int(0),
        doc: "The urgent pointer names the urgent byte itself, as RFC 793 said in one place, and not the one behind it.",
    },
    Spec {
        name: "net.ipv4.tcp_abort_on_overflow",
        min: 0,
        max: 255,
        default: Value::Int(0),
        doc: "Reset instead of drop when the last ACK finds the accept queue full.",
    },
    Spec {
        name: "net.ipv4.tcp_allowed_congestion_control",
        min: 0,
        max: 0,
        default: Value::Text("reno cubic"),
        doc: "Congestion controls that any program may choose; read only.",
    },
    Spec {
        name: "net.ipv4.tcp_available_congestion_control",
        min: 0,
        max: 0,
        default: Value::Text("reno cubic"),
        doc: "Congestion controls that there are; read only.",
    },
    Spec {
        name: "net.ipv4.tcp_app_win",
        min: 0,
        max: 31,
        default: Value::Int(31),
        doc: "Share of the receive buffer that is kept from the window: 1 / 2^n; 31 keeps one segment.",
    },
    Spec {
        name: "net.ipv4.tcp_comp_sack_delay_ns",
        min: 0,
        max: i64::MAX,
        default: Value::Int(1000000),
        doc: "Longest time that ACKs for a hole are held together.",
    },
    Spec {
        name: "net.ipv4.tcp_comp_sack_nr",
        min: 0,
        max: 255,
        default: Value::Int(44),
        doc: "ACKs for a hole that one may stand for, 0 for none.",
    },
    Spec {
        name: "net.ipv4.tcp_congestion_control",
        min: 0,
        max: 0,
        default: Value::Text("cubic"),
        doc: "Congestion control of new sockets, and of children whose listener chose none: one of tcp_available_congestion_control.",
    },
    Spec {
        name: "net.ipv4.tcp_dsack",
        min: 0,
        max: 255,
        default: Value::Int(1),
        doc: "Report duplicate segments by SACK (RFC 2883).",
    },
    Spec {
        name: "net.ipv4.tcp_ecn",
        min: 0,
        max: 2,
        default: Value::Int(2),
        doc: "ECN: 0 never, 1 ask and accept, 2 accept only.",
    },
    Spec {
        name: "net.ipv4.tcp_ecn_fallback",
        min: 0,
        max: 1,
        default: Value::Int(1),
        doc: "Ask again without ECN when a SYN that asked is lost.",
    },
    Spec {
        name: "net.ipv4.tcp_fastopen",
        min: -2147483648,
        max: 2147483647,
        default: Value::Int(1),
        doc: "Bits: 1 client, 2 server, 4 client without cookie, 0x200 server without cookie, 0x400 every listener.",
    },
    Spec {
        name: "net.ipv4.tcp_fastopen_key",
        min: 0,
        max: 0,
        default: Value::Text("00000000-00000000-00000000-00000000"),
        doc: "Key or two keys of the Fast Open cookies, four words of hexadecimal each.",
    },
    Spec {
        name: "net.ipv4.tcp_fin_timeout",
        min: -8589934,
        max: 8589934,
        default: Value::Int(60),
        doc: "Seconds that an orphan stays in FIN_WAIT2.",
    },
    Spec {
        name: "net.ipv4.tcp_invalid_ratelimit",
        min: 0,
        max: 2147483647,
        default: Value::Int(500),
        doc: "Least milliseconds between ACKs that answer invalid segments of one connection.",
    },
    Spec {
        name: "net.ipv4.tcp_keepalive_intvl",
        min: -8589934,
        max: 8589934,
        default: Value::Int(75),
        doc: "Seconds between keepalive probes.",
    },
    Spec {
        name: "net.ipv4.tcp_keepalive_probes",
        min: 0,
        max: 255,
        default: Value::Int(9),
        doc: "Keepalive probes without answer that end a connection.",
    },
    Spec {
        name: "net.ipv4.tcp_keepalive_time",
        min: -8589934,
        max: 8589934,
        default: Value::Int(7200),
        doc: "Idle seconds before the first keepalive probe.",
    },
    Spec {
        name: "net.ipv4.tcp_max_syn_backlog",
        min: -2147483648,
        max: 2147483647,
        default: Value::Int(2048),
        doc: "Half-open requests beyond which unproven peers are dropped when cookies are off.",
    },
    Spec {
        name: "net.ipv4.tcp_max_tw_buckets",
        min: -2147483648,
        max: 2147483647,
        default: Value::Int(131072),
        doc: "Most TIME_WAIT sockets.",
    },
    Spec {
        name: "net.ipv4.tcp_migrate_req",
        min: 0,
        max: 1,
        default: Value::Int(0),
        doc: "Move requests and children of a closed listener to another member of its reuseport group.",
    },
    Spec {
        name: "net.ipv4.tcp_min_snd_mss",
        min: 48,
        max: 65535,
        default: Value::Int(48),
        doc: "Least MSS that a peer can make us send.",
    },
    Spec {
        name: "net.ipv4.tcp_moderate_rcvbuf",
        min: 0,
        max: 255,
        default: Value::Int(1),
        doc: "Receive buffers grow with what the program reads in a round trip.",
    },
    Spec {
        name: "net.ipv4.tcp_no_metrics_save",
        min: 0,
        max: 255,
        default: Value::Int(0),
        doc: "Do not remember a peer after its connection closed.",
    },
    Spec {
        name: "net.ipv4.tcp_notsent_lowat",
        min: 0,
        max: 4294967295,
        default: Value::Int(4294967295),
        doc: "Unsent bytes above which a socket is not writable.",
    },
    Spec {
        name: "net.ipv4.tcp_orphan_retries",
        min: 0,
        max: 255,
        default: Value::Int(0),
        doc: "Retransmissions of a closed socket; 0 stands for 8.",
    },
    Spec {
        name: "net.ipv4.tcp_pingpong_thresh",
        min: 1,
        max: 255,
        default: Value::Int(1),
        doc: "Answers after which ACKs wait for data to ride on.",
    },
    Spec {
        name: "net.ipv4.tcp_reflect_tos",
        min: 0,
        max: 1,
        default: Value::Int(0),
        doc: "The SYN-ACK and the child take the TOS of the SYN.",
    },
    Spec {
        name: "net.ipv4.tcp_retries2",
        min: 0,
        max: 255,
        default: Value::Int(15),
        doc: "Retransmissions after which an established connection is given up.",
    },
    Spec {
        name: "net.ipv4.tcp_rmem",
        min: 1,
        max: 2147483647,
        default: Value::Ints(&[4096, 131072, 6291456]),
        doc: "Least, first and largest receive buffer of a TCP socket.",
    },
    Spec {
        name: "net.ipv4.tcp_rto_max_ms",
        min: 1000,
        max: 120000,
        default: Value::Int(120000),
        doc: "Largest retransmission timeout.",
    },
    Spec {
        name: "net.ipv4.tcp_sack",
        min: 0,
        max: 255,
        default: Value::Int(1),
        doc: "Offer and accept SACK (RFC 2018).",
    },
    Spec {
        name: "net.ipv4.tcp_shrink_window",
        min: 0,
        max: 1,
        default: Value::Int(0),
        doc: "A window may be taken back when memory is short.",
    },
    Spec {
        name: "net.ipv4.tcp_syn_linear_timeouts",
        min: 0,
        max: 127,
        default: Value::Int(4),
        doc: "SYN timeouts that do not double.",
    },
    Spec {
        name: "net.ipv4.tcp_syn_retries",
        min: 1,
        max: 127,
        default: Value::Int(6),
        doc: "SYN retransmissions of connect(2), exponential ones.",
    },
    Spec {
        name: "net.ipv4.tcp_synack_retries",
        min: 0,
        max: 255,
        default: Value::Int(5),
        doc: "SYN-ACK retransmissions of a half-open request.",
    },
    Spec {
        name: "net.ipv4.tcp_syncookies",
        min: 0,
        max: 255,
        default: Value::Int(1),
        doc: "SYN cookies: 0 never, 2 always, others when the SYN queue is full.",
    },
    Spec {
        name: "net.ipv4.tcp_timestamps",
        min: 0,
        max: 255,
        default: Value::Int(1),
        doc: "Timestamps (RFC 7323): 0 off, 1 with a random offset for each tuple, 2 without.",
    },
    Spec {
        name: "net.ipv4.tcp_window_scaling",
        min: 0,
        max: 255,
        default: Value::Int(1),
        doc: "Offer and accept window scaling (RFC 7323).",
    },
    Spec {
        name: "net.ipv4.tcp_workaround_signed_windows",
        min: 0,
        max: 255,
        default: Value::Int(0),
        doc: "Never offer more than 32767 to a peer without window scaling.",
    },
    Spec {
        name: "net.ipv4.tcp_wmem",
        min: 1,
        max: 2147483647,
        default: Value::Ints(&[4096, 16384, 4194304]),
        doc: "Least, first and largest send buffer of a TCP socket.",
    },
    Spec {
        name: "net.ipv6.bindv6only",
        min: 0,
        max: 255,
        default: Value::Int(0),
        doc: "Initial IPV6_V6ONLY of new sockets.",
    },
    Spec {
        name: "net.ipv6.ip_nonlocal_bind",
        min: 0,
        max: 255,
        default: Value::Int(0),
        doc: "Allow bind(2) to IPv6 addresses that are not ours.",
    },
    Spec {
        name: "net.mptcp.enabled",
        min: 0,
        max: 1,
        default: Value::Int(1),
        doc: "IPPROTO_MPTCP sockets may be made. Their connections are plain TCP.",
    },
];

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn sysctl_defaults_lie_within_their_bounds() {
        let mut names = std::collections::BTreeSet::new();
        for s in SPECS {
            assert!(names.insert(s.name), "{} twice", s.name);
            assert!(!s.doc.is_empty());
            let all: &[i64] = match &s.default {
                Value::Int(v) => core::slice::from_ref(v),
                Value::Ints(v) => v,
                Value::Text(_) => &[],
            };
            for v in all {
                assert!((s.min..=s.max).contains(v), "{} = {v}", s.name);
            }
        }
    }

    #[test]
    fn sysctl_find_knows_somaxconn() {
        assert_eq!(
            find("net.core.somaxconn").map(|s| s.default),
            Some(Value::Int(4096))
        );
        assert_eq!(find("net.core.nothing"), None);
    }
}
