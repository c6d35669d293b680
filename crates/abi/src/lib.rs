//! Linux's numbers: errno, socket constants, TCP states, sysctl names and bounds, counters, drop reasons. No logic.
#![no_std]
#![forbid(unsafe_code)]
