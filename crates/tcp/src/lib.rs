//! Every part of TCP that needs no table: connections, request socks, TIME_WAIT, options, timers, buffers.
#![no_std]
#![forbid(unsafe_code)]
