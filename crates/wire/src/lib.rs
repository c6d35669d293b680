//! Bytes to values and back: IPv4, IPv6, ICMP, TCP with options, checksums.
#![no_std]
#![forbid(unsafe_code)]
