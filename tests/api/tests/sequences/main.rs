//! Random sequences of socket calls and of peers' segments, played on both systems; a disagreement is cut down to the operations
//! that it needs and printed as a case.
//!
//! `HEARKEN_SEQUENCES=N` sequences (200 by default) from `HEARKEN_SEQUENCE_SEED` (1 by default): the same two numbers give the
//! same sequences.

mod compare;
mod flow;
mod found;
mod generate;
mod op;
mod random;
mod world;
