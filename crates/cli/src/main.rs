//! The `hearken` command.
#![forbid(unsafe_code)]
fn main() {}
