//! The IP layer: which packets are for us, and ICMP.

pub(crate) mod fragment;
pub(crate) mod icmp;
pub(crate) mod input;
pub(crate) mod limit;
pub(crate) mod output;
pub(crate) mod types;
