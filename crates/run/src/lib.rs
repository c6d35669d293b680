//! `hearken run -- CMD`: an unmodified program whose TCP sockets live in Hearken.
//!
//! The program runs under one seccomp filter (`filter`) that turns its TCP system calls into user
//! notifications, in a network namespace of its own (`enter`). `launch` starts it, `sys` holds the
//! Linux interfaces (and all unsafe code), `exit` carries signals and the exit status, `doctor`
//! says what a machine lacks.

#[cfg(not(target_arch = "x86_64"))]
compile_error!("hearken run knows only the x86-64 system call numbers so far");

mod capture;
pub mod control;
pub mod doctor;
pub mod enter;
pub mod event;
pub mod exit;
pub mod filter;
pub mod guardian;
pub mod launch;
mod look;
pub mod options;
mod packet;
pub mod policy;
mod supervisor;
pub mod sys;
pub mod trace;
mod watch;

pub use supervisor::start::run;
