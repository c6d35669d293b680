//! One suite for two systems: every case of `tests/api` runs on the host's Linux and on ours, and must see the same.
#![forbid(unsafe_code)]
