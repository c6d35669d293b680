//! `BPF_PROG_TYPE_SOCK_OPS` programs in user space: an object that clang made is loaded ([`Object`]), checked, and run in
//! rbpf's interpreter ([`Machine`]) at each sock_ops callback of a namespace ([`SockOpsProgram`]).
//!
//! The kernel's verifier proves that a program ends and touches only its own memory. Nothing here proves anything: jumps
//! backwards are refused, and every access is checked when it happens.

mod btf;
mod check;
mod context;
mod helpers;
mod machine;
mod map;
mod object;
mod program;

pub use machine::Machine;
pub use map::{MapKind, MapSpec};
pub use object::Object;
pub use program::SockOpsProgram;

/// Why an object cannot be used: one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable(pub String);

impl std::fmt::Display for Unusable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unusable {}

pub(crate) fn unusable<T>(text: impl Into<String>) -> Result<T, Unusable> {
    Err(Unusable(text.into()))
}
