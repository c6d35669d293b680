//! Flows that arrive at any address become requests to open something elsewhere. Sans-IO.
#![no_std]
#![forbid(unsafe_code)]
