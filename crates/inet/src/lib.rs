//! One network namespace as a sans-IO value: hashes, listen, bind, connect, IP in and out, routes, diagnostics.
#![no_std]
#![forbid(unsafe_code)]
