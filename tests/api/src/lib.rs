//! The two-system suite: one test, two TCPs.
#![forbid(unsafe_code)]
