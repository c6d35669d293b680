//! `hearken sysctl`: the names that `run --sysctl` takes.

use crate::{Failure, args};

/// Prints name, default, bounds and meaning of each sysctl.
pub(crate) fn describe(_options: &args::Sysctl) -> Result<(), Failure> {
    Err("this build knows no sysctls yet".into())
}
