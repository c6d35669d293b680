//! The `hearken` command.
fn main() {}
