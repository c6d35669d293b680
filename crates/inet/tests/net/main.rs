//! One namespace and what happens in it: each file one subject. A single binary, which links once.

mod common;

mod batch;
mod cbpf;
mod close;
mod cookies;
mod ethernet;
mod garbage;
mod lossy;
mod recovery;
mod routes;
mod segments;
mod signed;
mod timers;
mod udp;
mod walk;
mod watch;
