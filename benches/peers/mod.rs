//! Others, doing the same work in the same process.

pub(crate) mod linux;
pub(crate) mod smol;
