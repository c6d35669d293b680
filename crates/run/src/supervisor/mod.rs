//! One thread, one epoll: the program's calls on one side, the stack and the host on the other.

mod alive;
mod pair;
mod slab;
