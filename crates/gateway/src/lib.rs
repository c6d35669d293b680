//! Flows that arrive at any address become requests to open something elsewhere. Sans-IO.
//!
//! A [`Gateway`] owns a namespace in which every address and port is its own. A SYN that arrives is held and becomes
//! a [`Request::Open`]; what the host says in [`Gateway::opened`] decides how it is answered, so that the program behind
//! the link sees a refused or unreachable destination as such. The other way, [`Gateway::connect`] opens a flow toward the program
//! from the address of a client of the host.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod flow;
mod gateway;

pub use flow::FlowId;
pub use gateway::{ConnectFailure, Event, Gateway, OpenError, Request, Unreachable};
