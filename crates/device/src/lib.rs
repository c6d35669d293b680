//! Where frames come from and go to: an in-memory link, TUN, and captures.

pub mod link;
pub mod pcap;
pub mod pcapng;
pub mod rng;
pub mod segment;
pub mod tun;

pub use link::{Link, LinkConfig, LinkSink, Side, TapFrame};
