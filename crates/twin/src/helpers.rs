//! What most cases need on top of the trait: raw sockaddrs, integer options, the queue of a listener, counter checks.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;

use hearken_abi::Errno;

use crate::{AddrArg, Counters, Fd, Ip, Packet, TcpRow, Twin};

/// The system's addresses on `tun0`.
pub const LISTENER_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
/// The IPv6 one.
pub const LISTENER_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));
/// The address of the remote peer that the test plays.
pub const PEER_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
/// The IPv6 one.
pub const PEER_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2));
/// `INADDR_ANY`.
pub const ANY_V4: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
/// `in6addr_any`.
pub const ANY_V6: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
/// How long nothing must come for "no reply". Linux answers an injected packet before the write to the TUN returns.
pub const QUIET: Duration = Duration::from_millis(30);

/// The raw sockaddr of an address.
pub fn sockaddr(addr: SocketAddr) -> Vec<u8> {
    let mut out = Vec::new();
    let family = if addr.is_ipv4() {
        libc::AF_INET
    } else {
        libc::AF_INET6
    };
    out.extend((family as u16).to_ne_bytes());
    out.extend(addr.port().to_be_bytes());
    match addr.ip() {
        IpAddr::V4(ip) => {
            out.extend(ip.octets());
            out.extend([0; 8]);
        }
        IpAddr::V6(ip) => {
            out.extend([0; 4]);
            out.extend(ip.octets());
            out.extend([0; 4]);
        }
    }
    out
}

/// The address in a raw sockaddr.
pub fn socket_addr(raw: &[u8]) -> SocketAddr {
    let family = i32::from(u16::from_ne_bytes([raw[0], raw[1]]));
    let port = u16::from_be_bytes([raw[2], raw[3]]);
    let ip = match family {
        libc::AF_INET => IpAddr::from(<[u8; 4]>::try_from(&raw[4..8]).expect("four bytes")),
        libc::AF_INET6 => IpAddr::from(<[u8; 16]>::try_from(&raw[8..24]).expect("sixteen bytes")),
        other => panic!("an address of family {other}"),
    };
    SocketAddr::new(ip, port)
}

/// A sockaddr of family AF_UNSPEC, with which connect() dissolves.
pub fn unspec() -> Vec<u8> {
    vec![0; 16]
}

/// The wildcard address of a family with a port, raw.
pub fn any(ip: Ip, port: u16) -> Vec<u8> {
    sockaddr(SocketAddr::new(ip.any(), port))
}

/// The loopback address of a family with a port, raw.
pub fn loopback(ip: Ip, port: u16) -> Vec<u8> {
    sockaddr(SocketAddr::new(ip.loopback(), port))
}

/// A listener's accept queue as TCP_INFO tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Connections waiting for accept (`sk_ack_backlog`).
    pub len: u32,
    /// The limit that listen set (`sk_max_ack_backlog`).
    pub limit: u32,
}

impl dyn Twin + '_ {
    /// A nonblocking TCP socket.
    pub fn tcp(&mut self, ip: Ip) -> Fd {
        self.socket(ip.domain(), libc::SOCK_STREAM | libc::SOCK_NONBLOCK, 0)
            .expect("socket")
    }

    /// A blocking TCP socket.
    pub fn blocking_tcp(&mut self, ip: Ip) -> Fd {
        self.socket(ip.domain(), libc::SOCK_STREAM, 0)
            .expect("socket")
    }

    /// A nonblocking listener at the wildcard address, with SO_REUSEADDR.
    pub fn listener(&mut self, ip: Ip, port: u16, backlog: i32) -> Fd {
        let fd = self.tcp(ip);
        self.set_int(fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)
            .expect("SO_REUSEADDR");
        self.bind(fd, &any(ip, port)).expect("bind");
        self.listen(fd, backlog).expect("listen");
        fd
    }

    /// A client connected to the listener over loopback, and the accepted socket; both nonblocking.
    pub fn pair(&mut self, listener: Fd, ip: Ip) -> (Fd, Fd) {
        let client = self.client(listener, ip);
        let accepted = self.accept(listener).expect("accept");
        (client, accepted)
    }

    /// A client connected to the listener over loopback, not accepted yet.
    pub fn client(&mut self, listener: Fd, ip: Ip) -> Fd {
        let to = loopback(ip, self.local(listener).port());
        let client = self.blocking_tcp(ip);
        self.connect(client, &to).expect("connect");
        self.advance(Duration::from_millis(2));
        self.set_nonblocking(client);
        client
    }

    /// Sets O_NONBLOCK.
    pub fn set_nonblocking(&mut self, fd: Fd) {
        self.fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK)
            .expect("F_SETFL");
    }

    /// `accept4` without an address, the child nonblocking.
    pub fn accept(&mut self, fd: Fd) -> Result<Fd, Errno> {
        Ok(self.accept4(fd, AddrArg::None, libc::SOCK_NONBLOCK)?.fd)
    }

    /// An option that is an int.
    pub fn int(&mut self, fd: Fd, level: i32, name: i32) -> Result<i32, Errno> {
        let value = self.getsockopt(fd, level, name, 4)?;
        Ok(i32::from_ne_bytes(
            value.try_into().expect("an option of four bytes"),
        ))
    }

    /// Sets an option that is an int.
    pub fn set_int(&mut self, fd: Fd, level: i32, name: i32, value: i32) -> Result<(), Errno> {
        self.setsockopt(fd, level, name, &value.to_ne_bytes())
    }

    /// SO_ERROR, which it clears.
    pub fn so_error(&mut self, fd: Fd) -> i32 {
        self.int(fd, libc::SOL_SOCKET, libc::SO_ERROR)
            .expect("SO_ERROR")
    }

    /// The TCP state's number, from TCP_INFO.
    pub fn state(&mut self, fd: Fd) -> u8 {
        self.getsockopt(fd, libc::IPPROTO_TCP, libc::TCP_INFO, 8)
            .expect("TCP_INFO")[0]
    }

    /// The accept queue, from TCP_INFO.
    pub fn queue(&mut self, fd: Fd) -> Queue {
        let info = self
            .getsockopt(fd, libc::IPPROTO_TCP, libc::TCP_INFO, 104)
            .expect("TCP_INFO");
        let word = |at: usize| u32::from_ne_bytes(info[at..at + 4].try_into().expect("four bytes"));
        Queue {
            len: word(24),
            limit: word(28),
        }
    }

    /// Asserts a listener's queue.
    #[track_caller]
    pub fn expect_queue(&mut self, fd: Fd, len: u32, limit: u32) {
        assert_eq!(self.queue(fd), Queue { len, limit });
    }

    /// The local address and port.
    pub fn local(&mut self, fd: Fd) -> SocketAddr {
        socket_addr(&self.getsockname(fd).expect("getsockname"))
    }

    /// The peer's address and port.
    pub fn remote(&mut self, fd: Fd) -> Result<SocketAddr, Errno> {
        Ok(socket_addr(&self.getpeername(fd)?))
    }

    /// The half-open connections (state 03) in the tables.
    pub fn half_open(&mut self) -> usize {
        self.rows(3).len()
    }

    /// The rows of the tables in this state.
    pub fn rows(&mut self, state: u8) -> Vec<TcpRow> {
        let mut rows = self.tcp_table();
        rows.retain(|row| row.state == state);
        rows
    }

    /// The next TCP packet out of `tun0`.
    #[track_caller]
    pub fn next_tcp(&mut self, timeout: Duration) -> Option<Packet> {
        let bytes = self.next_packet(timeout)?;
        Some(Packet::parse(&bytes).unwrap_or_else(|| panic!("not TCP: {bytes:02x?}")))
    }

    /// Every TCP packet until nothing comes for [`QUIET`].
    #[track_caller]
    pub fn packets(&mut self) -> Vec<Packet> {
        let mut packets = Vec::new();
        while let Some(packet) = self.next_tcp(QUIET) {
            packets.push(packet);
        }
        packets
    }

    /// Asserts that nothing comes for [`QUIET`].
    #[track_caller]
    pub fn expect_nothing(&mut self) {
        self.expect_nothing_for(QUIET);
    }

    /// Asserts that nothing comes for this long.
    #[track_caller]
    pub fn expect_nothing_for(&mut self, time: Duration) {
        if let Some(packet) = self.next_packet(time) {
            panic!("nothing should come, but: {:?}", Packet::parse(&packet));
        }
    }

    /// Asserts what moved of TCP's counters (`Tcp*`, `TcpExt*`) since `before`: exactly these, the segment counts aside.
    #[track_caller]
    pub fn expect_tcp_counters(&mut self, before: &Counters, expected: &[(&str, i64)]) {
        let moved = self.counters().tcp_since(before);
        let expected = expected
            .iter()
            .map(|(name, by)| ((*name).to_owned(), *by))
            .collect();
        assert_eq!(moved, expected);
    }

    /// Asserts by how much single counters of any group moved since `before`.
    #[track_caller]
    pub fn expect_counters(&mut self, before: &Counters, expected: &[(&str, i64)]) {
        let after = self.counters();
        for (name, by) in expected {
            assert_eq!(after.get(name) - before.get(name), *by, "{name}");
        }
    }
}
