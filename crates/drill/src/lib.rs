//! The language of packetdrill, and what it takes to run a script of it: `docs/drill.md` teaches it.
//!
//! A [`Script`](ast::Script) is read once and run on a [`System`]; what came of it is an [`Outcome`].
#![forbid(unsafe_code)]

pub mod ast;
pub mod code;
pub mod command;
pub mod error;
mod exec;
pub mod outcome;
pub mod parse;
pub mod span;

pub use error::Error;
pub use exec::{run, side_by_side};
pub use outcome::{Failure, Outcome, RunOptions, System, Verdict};
pub use parse::{parse, parse_each};
pub use span::Span;
