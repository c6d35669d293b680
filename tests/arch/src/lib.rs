//! Tests of the workspace itself: which crate may use which, and where `unsafe` may stand. See `tests/`.
#![forbid(unsafe_code)]
