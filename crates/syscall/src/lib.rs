//! A machine: several network namespaces, open files, descriptor tables and the socket calls. errno is decided here.
#![no_std]
#![forbid(unsafe_code)]
