//! The calls, one file each, in the order of their checks as Linux 6.18 makes them.

pub(crate) mod accept;
mod bind;
mod connect;
mod epoll;
mod fast_open;
mod io;
mod ioctl;
mod listen;
mod md5sig;
mod mptcp;
mod names;
mod shutdown;
pub(crate) mod sockaddr;
mod socket;
mod sockopt;
mod sockopt_ip;
mod sockopt_ipv6;
mod sockopt_socket;
mod sockopt_tcp;
mod urgent;

pub(crate) use sockopt::int;
