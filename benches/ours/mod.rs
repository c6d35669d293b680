//! What Hearken does in each row.

pub(crate) mod bulk;
pub(crate) mod connections;
pub(crate) mod packets;
pub(crate) mod resident;
pub(crate) mod wire;
