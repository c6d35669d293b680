//! The one place where this command meets `hearken_run`.

use crate::{Failure, args, nstat, ss};

const NOT_YET: &str = "this build cannot carry programs yet";

/// `hearken run`: the exit status.
pub(crate) fn run(_run: args::Run) -> u8 {
    eprintln!("hearken: {NOT_YET}");
    125
}

/// The sockets of every run of this user, or of one.
pub(crate) fn sockets(_run: Option<u32>) -> Result<Vec<ss::Socket>, Failure> {
    Err(NOT_YET.into())
}

/// The counters of the only run of this user, or of the named one.
pub(crate) fn counters(_run: Option<u32>) -> Result<Vec<nstat::Row>, Failure> {
    Err(NOT_YET.into())
}
