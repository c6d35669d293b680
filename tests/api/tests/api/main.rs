//! The two-system suite. Each file holds the cases of one part of the passive open.

#[macro_use]
mod registry;

mod accept;
mod accept_queue;
mod backlog;
mod bind;
mod calls;
mod congestion;
mod connect;
mod cookies;
mod defer_accept;
mod ecn;
mod end;
mod fast_open;
mod fast_open_child;
mod fast_open_client;
mod fast_open_peer;
mod fast_open_queue;
mod half_open;
mod icmp;
mod leave_listen;
mod limits;
mod listen_errno;
mod mptcp;
mod option_list;
mod ports;
mod proc_net;
mod proc_tcp;
mod readiness;
mod rest;
mod reuseport;
mod saved_syn;
mod segments;
mod sock_ops;
mod sock_ops_replies;
mod socket_filter;
mod sockopt;
mod stray;
mod syn_ack;
mod syn_ack_timer;
mod syn_queue;
mod time_wait;
