//! `-p`: listeners on the host whose clients reach the program under their own address.

use std::io;
use std::net::{Ipv6Addr, SocketAddr};

use rustix::event::epoll::{self, EventFlags};
use rustix::net::{
    AddressFamily, SocketAddrAny, SocketFlags, SocketType, acceptfrom_with, ipproto, sockopt,
};

use super::{Published, Stage, address};
use crate::options::{Publish, Required};
use crate::supervisor::slab::Key;
use crate::supervisor::{Source, Supervisor};

/// Connections taken before others have their turn.
const ACCEPTS_PER_ROUND: usize = 64;

/// Listens on every address of every `-p`.
pub(crate) fn listen(publish: &[Publish]) -> io::Result<Vec<Published>> {
    let mut all = Vec::new();
    for p in publish {
        let mut chosen = p.host_port;
        for (mut addr, required) in p.listen_addrs() {
            // The second address gets the port that the host chose for the first.
            addr.set_port(chosen);
            match listen_at(addr) {
                Ok((fd, host)) => {
                    chosen = host.port();
                    all.push(Published {
                        fd,
                        host,
                        port: p.port,
                    });
                }
                Err(e) if required == Required::Yes => {
                    return Err(io::Error::new(
                        e.kind(),
                        format!("cannot publish on {addr}: {e}"),
                    ));
                }
                Err(_) => {}
            }
        }
    }
    Ok(all)
}

fn listen_at(addr: SocketAddr) -> io::Result<(rustix::fd::OwnedFd, SocketAddr)> {
    let family = if addr.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let fd = rustix::net::socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    sockopt::set_socket_reuseaddr(&fd, true)?;
    if addr.is_ipv6() {
        sockopt::set_ipv6_v6only(&fd, true)?;
    }
    rustix::net::bind(&fd, &addr)?;
    rustix::net::listen(&fd, 4096)?;
    let host = SocketAddr::try_from(rustix::net::getsockname(&fd)?)?;
    Ok((fd, host))
}

impl Supervisor {
    /// Watches the listeners.
    pub(crate) fn watch_published(&self) -> io::Result<()> {
        for (i, p) in self.host.published.iter().enumerate() {
            epoll::add(
                &self.epoll,
                &p.fd,
                Source::Published(i).data(),
                EventFlags::IN,
            )?;
        }
        Ok(())
    }

    /// A client of the host is there.
    pub(crate) fn on_published(&mut self, i: usize) {
        for _ in 0..ACCEPTS_PER_ROUND {
            let Some(p) = self.host.published.get(i) else {
                return;
            };
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let (fd, client) = match acceptfrom_with(&p.fd, flags) {
                Ok(pair) => pair,
                Err(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE) => {
                    self.rest_published();
                    return;
                }
                Err(rustix::io::Errno::CONNABORTED | rustix::io::Errno::INTR) => continue,
                Err(_) => return,
            };
            let Some(client) = client.and_then(|a: SocketAddrAny| SocketAddr::try_from(a).ok())
            else {
                continue;
            };
            let _ = sockopt::set_tcp_nodelay(&fd, true);
            self.carry_inside(fd, client, p.port);
        }
    }

    fn carry_inside(&mut self, fd: rustix::fd::OwnedFd, client: SocketAddr, port: u16) {
        let from = address::client_inside(client);
        let to = address::program_for(from, port);
        let now = self.stack.now();
        // The same client port may still be in TIME_WAIT inside, as the host let it be used again:
        // the address is kept then, and the port is not.
        let flow = self.stack.gateway.connect(now, from, to).or_else(|_| {
            self.stack
                .gateway
                .connect(now, SocketAddr::new(from.ip(), 0), to)
        });
        let Ok(flow) = flow else {
            let _ = sockopt::set_socket_linger(&fd, Some(std::time::Duration::ZERO));
            return;
        };
        let key = self.insert_flow(fd, flow, Stage::Shaking);
        // `localhost` is ::1 first, and a client whose connect succeeded does not try 127.0.0.1.
        if client.ip() == Ipv6Addr::LOCALHOST
            && let Some(f) = self.host.flows.get_mut(key)
        {
            let from = SocketAddr::new(address::HOST_V4.into(), client.port());
            f.second = Some((from, address::program_for(from, port)));
        }
    }

    /// Nobody listens at the first address: the other family's, if there is one. True if it is under
    /// way.
    pub(super) fn try_second(&mut self, key: Key) -> bool {
        let Some(f) = self.host.flows.get_mut(key) else {
            return false;
        };
        let (old, Some((from, to))) = (f.flow, f.second.take()) else {
            return false;
        };
        let now = self.stack.now();
        self.stack.gateway.close(now, old);
        self.host.by_flow.remove(&old);
        let Ok(flow) = self.stack.gateway.connect(now, from, to) else {
            return false;
        };
        f.flow = flow;
        self.host.by_flow.insert(flow, key);
        true
    }

    /// Out of descriptors: clients wait in the host's queue until a flow has ended.
    fn rest_published(&mut self) {
        if !self.host.resting {
            self.host.resting = true;
            for p in &self.host.published {
                let _ = epoll::delete(&self.epoll, &p.fd);
            }
        }
    }

    pub(super) fn wake_published(&mut self) {
        if self.host.resting {
            self.host.resting = false;
            let _ = self.watch_published();
        }
    }
}
