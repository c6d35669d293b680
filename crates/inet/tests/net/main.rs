//! One namespace and what happens in it: each file one subject. A single binary, which links once.

mod common;

mod batch;
mod bind;
mod cbpf;
mod close;
mod cookie_bits;
mod cookies;
mod ethernet;
mod garbage;
mod held;
mod log;
mod lossy;
mod queues;
mod recovery;
mod routes;
mod segments;
mod signed;
mod timers;
mod udp;
mod walk;
mod watch;
