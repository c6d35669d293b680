//! The targets.

pub(crate) mod abi;
pub(crate) mod device;
pub(crate) mod fragments;
pub(crate) mod lan;
pub(crate) mod net;
pub(crate) mod run;
pub(crate) mod wire;
