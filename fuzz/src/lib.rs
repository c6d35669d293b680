//! What the fuzzer feeds: one target per parser, and targets that drive a whole `Net`. A target is a plain function of bytes that
//! panics when something is wrong, so `cargo test` replays the committed corpus without any fuzzer (tests/corpus.rs).

mod input;
mod memory;
mod packet;
mod targets;
mod world;

/// A target's name, which is also that of its folder under `corpus/`, and the function.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: &[Target] = &[
    ("ethernet", targets::wire::ethernet),
    ("ndp", targets::wire::ndp),
    ("ipv4", targets::wire::ipv4),
    ("ipv6", targets::wire::ipv6),
    ("icmp", targets::wire::icmp),
    ("icmpv6", targets::wire::icmpv6),
    ("udp", targets::wire::udp),
    ("tcp", targets::wire::tcp),
    ("sockaddr", targets::abi::sockaddr),
    ("segment", targets::device::segment),
    ("text", targets::run::text),
    ("net", targets::net::net),
    ("lan", targets::lan::lan),
    ("fragments", targets::fragments::fragments),
];

/// The function of a name.
pub fn target(name: &str) -> Option<fn(&[u8])> {
    TARGETS.iter().find(|t| t.0 == name).map(|t| t.1)
}
