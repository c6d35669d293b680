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
        name: "net.core.txrehash",
        min: 0,
        max: 1,
        default: Value::Int(1),
        doc: "Whether new sockets may pick another transmit hash when the path looks bad.",
    },
    Spec {
        name: "net.core.optmem_max",
        min: 0,
        max: 2147483647,
        default: Value::Int(131072),
        doc: "Most bytes of option memory that one socket may hold.",
    },
    Spec {
        name: "net.core.rmem_default",
        min: 2304,
        max: 2147483647,
        default: Value::Int(212992),
        doc: "Receive buffer of a new socket that is not TCP.",
    },
    Spec {
        name: "net.core.rmem_max",
        min: 2304,
        max: 2147483647,
        default: Value::Int(4194304),
        doc: "Largest receive buffer that SO_RCVBUF may ask for.",
    },
    Spec {
        name: "net.core.wmem_default",
        min: 4608,
        max: 2147483647,
        default: Value::Int(212992),
        doc: "Send buffer of a new socket that is not TCP.",
    },
    Spec {
        name: "net.core.wmem_max",
        min: 4608,
        max: 2147483647,
        default: Value::Int(4194304),
        doc: "Largest send buffer that SO_SNDBUF may ask for.",
    },
    Spec {
        name: "net.ipv4.icmp_echo_ignore_all",
        min: 0,
        max: 1,
        default: Value::Int(0),
        doc: "Leave every echo request unanswered.",
    },
    Spec {
        name: "net.ipv4.icmp_echo_ignore_broadcasts",
        min: 0,
        max: 1,
        default: Value::Int(1),
        doc: "Leave echo requests to broadcast and multicast unanswered.",
    },
    Spec {
        name: "net.ipv4.icmp_ratelimit",
        min: 0,
        max: 2147483647,
        default: Value::Int(1000),
        doc: "Least milliseconds between two ICMP errors of a limited type to one target; 0 lifts the limit.",
    },
    Spec {
        name: "net.ipv4.icmp_ratemask",
        min: -2147483648,
        max: 2147483647,
        default: Value::Int(6168),
        doc: "Bit mask of the ICMP types that the per-target limit covers.",
    },
    Spec {
        name: "net.ipv4.icmp_msgs_per_sec",
        min: 0,
        max: 2147483647,
        default: Value::Int(1000),
        doc: "ICMP messages a second that the whole namespace may send.",
    },
    Spec {
        name: "net.ipv4.icmp_msgs_burst",
        min: 0,
        max: 2147483647,
        default: Value::Int(50),
        doc: "ICMP messages that may go out in one burst.",
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
        name: "net.ipv4.ip_forward",
        min: -2147483648,
        max: 2147483647,
        default: Value::Int(0),
        doc: "Whether packets for other hosts are passed on.",
    },
    Spec {
        name: "net.ipv4.ip_no_pmtu_disc",
        min: 0,
        max: 255,
        default: Value::Int(0),
        doc: "Path MTU discovery: 0 on, others switch parts of it off.",
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
        name: "net.ipv4.tcp_abort_on_overflow",
        min: 0,
        max: 255,
        default: Value::Int(0),
        doc: "Reset instead of drop when the last ACK finds the accept queue full.",
    },
    Spec {
        name: "net.ipv4.tcp_adv_win_scale",
        min: -31,
        max: 31,
        default: Value::Int(1),
        doc: "Without effect since the window is computed from real memory use.",
    },
    Spec {
        name: "net.ipv4.tcp_app_win",
        min: 0,
        max: 31,
        default: Value::Int(31),
        doc: "Share of the window held back for the application, as a shift.",
    },
    Spec {
        name: "net.ipv4.tcp_autocorking",
        min: 0,
        max: 1,
        default: Value::Int(1),
        doc: "Hold small writes back while earlier packets still wait in the device.",
    },
    Spec {
        name: "net.ipv4.tcp_backlog_ack_defer",
        min: 0,
        max: 1,
        default: Value::Int(1),
        doc: "Send one ACK for a whole socket backlog.",
    },
    Spec {
        name: "net.ipv4.tcp_base_mss",
        min: -2147483648,
        max: 2147483647,
        default: Value::Int(1024),
        doc: "Where MTU probing starts.",
    },
    Spec {
        name: "net.ipv4.tcp_challenge_ack_limit",
        min: -2147483648,
        max: 2147483647,
        default: Value::Int(2147483647),
        doc: "Challenge ACKs a second in the whole namespace.",
    },
    Spec {
        name: "net.ipv4.tcp_child_ehash_entries",
        min: 0,
        max: 16777216,
        default: Value::Int(0),
        doc: "Size of the established hash of namespaces made later; 0 shares the first one.",
    },
    Spec {
        name: "net.ipv4.tcp_comp_sack_delay_ns",
        min: 0,
        max: 2147483647,
        default: Value::Int(1000000),
        doc: "Longest delay of a compressed SACK.",
    },
    Spec {
        name: "net.ipv4.tcp_comp_sack_nr",
        min: 0,
        max: 255,
        default: Value::Int(44),
        doc: "Most SACKs that one compressed SACK stands for.",
    },
    Spec {
        name: "net.ipv4.tcp_comp_sack_slack_ns",
        min: 0,
        max: 2147483647,
        default: Value::Int(100000),
        doc: "Slack of the timer that sends a compressed SACK.",
    },
    Spec {
        name: "net.ipv4.tcp_congestion_control",
        min: 0,
        max: 0,
        default: Value::Text("cubic"),
        doc: "Congestion control of new sockets.",
    },
    Spec {
        name: "net.ipv4.tcp_dsack",
        min: 0,
        max: 255,
        default: Value::Int(1),
        doc: "Report duplicate segments by SACK (RFC 2883).",
    },
    Spec {
        name: "net.ipv4.tcp_early_retrans",
        min: 0,
        max: 4,
        default: Value::Int(3),
        doc: "Tail loss probes: 0 none, 3 and 4 on.",
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
        name: "net.ipv4.tcp_ecn_option",
        min: 0,
        max: 2,
        default: Value::Int(2),
        doc: "When the AccECN option is sent, if AccECN is in use.",
    },
    Spec {
        name: "net.ipv4.tcp_ecn_option_beacon",
        min: 0,
        max: 3,
        default: Value::Int(3),
        doc: "AccECN options a round trip.",
    },
    Spec {
        name: "net.ipv4.tcp_fastopen",
        min: -2147483648,
        max: 2147483647,
        default: Value::Int(1),
        doc: "Bits: 1 client, 2 server, 4 client without cookie, 0x200 server without cookie, 0x400 every listener.",
    },
    Spec {
        name: "net.ipv4.tcp_fastopen_blackhole_timeout_sec",
        min: 0,
        max: 2147483647,
        default: Value::Int(0),
        doc: "How long active Fast Open stays off after a black hole was seen.",
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
        name: "net.ipv4.tcp_frto",
        min: 0,
        max: 255,
        default: Value::Int(2),
        doc: "Detect spurious retransmission timeouts (RFC 5682).",
    },
    Spec {
        name: "net.ipv4.tcp_fwmark_accept",
        min: 0,
        max: 255,
        default: Value::Int(0),
        doc: "Children take the mark of their SYN.",
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
        name: "net.ipv4.tcp_l3mdev_accept",
        min: 0,
        max: 1,
        default: Value::Int(0),
        doc: "Children are bound to the L3 master device of their SYN.",
    },
    Spec {
        name: "net.ipv4.tcp_limit_output_bytes",
        min: -2147483648,
        max: 2147483647,
        default: Value::Int(4194304),
        doc: "Bytes of one socket that may wait below TCP.",
    },
    Spec {
        name: "net.ipv4.tcp_max_reordering",
        min: 1,
        max: 2147483647,
        default: Value::Int(300),
        doc: "Largest reordering that is ever assumed.",
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
        name: "net.ipv4.tcp_min_rtt_wlen",
        min: 0,
        max: 86400,
        default: Value::Int(300),
        doc: "Seconds over which the least round trip time is kept.",
    },
    Spec {
        name: "net.ipv4.tcp_min_snd_mss",
        min: 48,
        max: 65535,
        default: Value::Int(48),
        doc: "Least MSS that a peer can make us send.",
    },
    Spec {
        name: "net.ipv4.tcp_min_tso_segs",
        min: 1,
        max: 255,
        default: Value::Int(2),
        doc: "Least segments of a super-frame.",
    },
    Spec {
        name: "net.ipv4.tcp_moderate_rcvbuf",
        min: 0,
        max: 255,
        default: Value::Int(1),
        doc: "Grow the receive buffer by itself.",
    },
    Spec {
        name: "net.ipv4.tcp_mtu_probe_floor",
        min: 48,
        max: 65535,
        default: Value::Int(48),
        doc: "Least MSS of MTU probing after a black hole.",
    },
    Spec {
        name: "net.ipv4.tcp_mtu_probing",
        min: 0,
        max: 255,
        default: Value::Int(0),
        doc: "RFC 4821 probing: 0 never, 1 after a black hole, 2 always.",
    },
    Spec {
        name: "net.ipv4.tcp_no_metrics_save",
        min: 0,
        max: 255,
        default: Value::Int(0),
        doc: "Do not remember a peer after its connection closed.",
    },
    Spec {
        name: "net.ipv4.tcp_no_ssthresh_metrics_save",
        min: 0,
        max: 1,
        default: Value::Int(1),
        doc: "Do not remember the slow start threshold of a peer.",
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
        name: "net.ipv4.tcp_pacing_ca_ratio",
        min: 0,
        max: 1000,
        default: Value::Int(120),
        doc: "Pacing rate in congestion avoidance, in percent.",
    },
    Spec {
        name: "net.ipv4.tcp_pacing_ss_ratio",
        min: 0,
        max: 1000,
        default: Value::Int(200),
        doc: "Pacing rate in slow start, in percent.",
    },
    Spec {
        name: "net.ipv4.tcp_pingpong_thresh",
        min: 1,
        max: 255,
        default: Value::Int(1),
        doc: "Answers to requests after which a connection counts as interactive.",
    },
    Spec {
        name: "net.ipv4.tcp_probe_interval",
        min: 0,
        max: 17179869,
        default: Value::Int(600),
        doc: "Seconds between searches for a larger MTU.",
    },
    Spec {
        name: "net.ipv4.tcp_probe_threshold",
        min: -2147483648,
        max: 2147483647,
        default: Value::Int(8),
        doc: "Size of the search interval at which MTU probing stops.",
    },
    Spec {
        name: "net.ipv4.tcp_recovery",
        min: 0,
        max: 255,
        default: Value::Int(1),
        doc: "Bit 1 switches RACK loss detection on.",
    },
    Spec {
        name: "net.ipv4.tcp_reflect_tos",
        min: 0,
        max: 1,
        default: Value::Int(0),
        doc: "The SYN-ACK and the child take the TOS of the SYN.",
    },
    Spec {
        name: "net.ipv4.tcp_reordering",
        min: 1,
        max: 300,
        default: Value::Int(3),
        doc: "Reordering assumed at the start.",
    },
    Spec {
        name: "net.ipv4.tcp_retrans_collapse",
        min: 0,
        max: 255,
        default: Value::Int(1),
        doc: "Merge small packets when they are sent again.",
    },
    Spec {
        name: "net.ipv4.tcp_retries1",
        min: 0,
        max: 255,
        default: Value::Int(3),
        doc: "Retransmissions after which the route is doubted.",
    },
    Spec {
        name: "net.ipv4.tcp_retries2",
        min: 0,
        max: 255,
        default: Value::Int(15),
        doc: "Retransmissions after which an established connection is given up.",
    },
    Spec {
        name: "net.ipv4.tcp_rfc1337",
        min: 0,
        max: 255,
        default: Value::Int(0),
        doc: "Let no RST end TIME_WAIT (RFC 1337).",
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
        name: "net.ipv4.tcp_rto_min_us",
        min: 1,
        max: 2147483647,
        default: Value::Int(200000),
        doc: "Least retransmission timeout.",
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
        doc: "Allow the offered window to shrink under memory pressure.",
    },
    Spec {
        name: "net.ipv4.tcp_slow_start_after_idle",
        min: 0,
        max: 255,
        default: Value::Int(1),
        doc: "Fall back to slow start after an idle time.",
    },
    Spec {
        name: "net.ipv4.tcp_stdurg",
        min: 0,
        max: 255,
        default: Value::Int(0),
        doc: "Urgent pointer points at the last urgent byte (RFC 1122) and not behind it.",
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
        name: "net.ipv4.tcp_thin_linear_timeouts",
        min: 0,
        max: 255,
        default: Value::Int(0),
        doc: "Do not double the timeout of thin streams.",
    },
    Spec {
        name: "net.ipv4.tcp_timestamps",
        min: 0,
        max: 255,
        default: Value::Int(1),
        doc: "Timestamps (RFC 7323): 0 off, 1 with a random offset for each tuple, 2 without.",
    },
    Spec {
        name: "net.ipv4.tcp_tso_rtt_log",
        min: 0,
        max: 255,
        default: Value::Int(9),
        doc: "How fast super-frames shrink as the round trip time grows.",
    },
    Spec {
        name: "net.ipv4.tcp_tso_win_divisor",
        min: 0,
        max: 255,
        default: Value::Int(3),
        doc: "Share of the window that one super-frame may take.",
    },
    Spec {
        name: "net.ipv4.tcp_tw_reuse",
        min: 0,
        max: 2,
        default: Value::Int(2),
        doc: "connect(2) may take a TIME_WAIT port: 0 never, 1 always, 2 on loopback.",
    },
    Spec {
        name: "net.ipv4.tcp_tw_reuse_delay",
        min: 1,
        max: 60000,
        default: Value::Int(1000),
        doc: "Milliseconds that a TIME_WAIT port rests before it is taken.",
    },
    Spec {
        name: "net.ipv4.tcp_window_scaling",
        min: 0,
        max: 255,
        default: Value::Int(1),
        doc: "Offer and accept window scaling (RFC 7323).",
    },
    Spec {
        name: "net.ipv4.tcp_wmem",
        min: 1,
        max: 2147483647,
        default: Value::Ints(&[4096, 16384, 4194304]),
        doc: "Least, first and largest send buffer of a TCP socket.",
    },
    Spec {
        name: "net.ipv4.tcp_workaround_signed_windows",
        min: 0,
        max: 255,
        default: Value::Int(0),
        doc: "Take peers for ones that read the window as signed.",
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
        name: "net.ipv6.conf.all.disable_ipv6",
        min: -2147483648,
        max: 2147483647,
        default: Value::Int(0),
        doc: "Switch IPv6 off on every interface.",
    },
    Spec {
        name: "net.ipv6.conf.default.disable_ipv6",
        min: -2147483648,
        max: 2147483647,
        default: Value::Int(0),
        doc: "Switch IPv6 off on interfaces made later.",
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
