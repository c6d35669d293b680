//! The IP layer: which packets are for us, and ICMP.

pub(crate) mod icmp;
pub(crate) mod input;
