//! One machine with one namespace and one process, over loopback, in virtual time.
#![allow(dead_code, reason = "each test binary uses a part")]

use hearken_abi::Errno;
use hearken_abi::sock::{AF_INET, AF_INET6, SOCK_NONBLOCK, SOCK_STREAM};
use hearken_abi::sockaddr::encode;
use hearken_inet::{Config, Hooks, Net};
use hearken_syscall::{Cred, FileId, Instant, Machine, NetId, Outcome, Process, Ticket};
use std::net::SocketAddr;

pub(crate) const ROOT: Cred = Cred {
    uid: 0,
    net_bind_service: true,
};

pub(crate) struct World {
    pub(crate) m: Machine,
    pub(crate) net: NetId,
    pub(crate) p: Process,
    pub(crate) now: Instant,
}

pub(crate) fn sockaddr(text: &str) -> Vec<u8> {
    bytes(text.parse().expect("an address"))
}

pub(crate) fn bytes(addr: SocketAddr) -> Vec<u8> {
    let (bytes, len) = encode(addr);
    bytes[..len].to_vec()
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with_hooks(None)
    }

    pub(crate) fn with_hooks(hooks: Option<Box<dyn Hooks + Send>>) -> Self {
        let mut m = Machine::new();
        let mut config = Config::new([7; 32]);
        config.hooks = hooks;
        let net = m.add_net(Net::new(config));
        Self {
            m,
            net,
            p: Process::new(net, ROOT, 64),
            now: Instant(1_000_000_000),
        }
    }

    pub(crate) fn settle(&mut self) {
        assert!(!self.m.settle(self.now, 10_000), "loopback never gets idle");
    }

    /// Virtual time goes on; timers fire.
    pub(crate) fn advance(&mut self, ms: u64) {
        self.now = Instant(self.now.0 + ms * 1_000_000);
        let now = self.now;
        for id in self.m.net_ids() {
            self.m.net_mut(id).handle_timeout(now);
        }
        self.m.handle_timeout(now);
        self.settle();
    }

    pub(crate) fn socket(&mut self, domain: i32) -> i32 {
        let (m, now) = (&mut self.m, self.now);
        self.p
            .socket(m, now, domain, SOCK_STREAM, 0)
            .expect("a socket")
    }

    pub(crate) fn tcp(&mut self) -> i32 {
        self.socket(AF_INET)
    }

    pub(crate) fn tcp6(&mut self) -> i32 {
        self.socket(AF_INET6)
    }

    pub(crate) fn tcp_nonblocking(&mut self) -> i32 {
        let (m, now) = (&mut self.m, self.now);
        self.p
            .socket(m, now, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)
            .expect("a socket")
    }

    pub(crate) fn file(&self, fd: i32) -> FileId {
        use hearken_syscall::Descriptors;
        self.p.fds.lookup(fd).expect("open")
    }

    pub(crate) fn bind(&mut self, fd: i32, addr: &str) -> Result<(), Errno> {
        self.p.bind(&mut self.m, self.now, fd, &sockaddr(addr))
    }

    pub(crate) fn listen(&mut self, fd: i32, backlog: i32) -> Result<(), Errno> {
        self.p.listen(&mut self.m, self.now, fd, backlog)
    }

    pub(crate) fn listener(&mut self, addr: &str, backlog: i32) -> i32 {
        let domain = if addr.starts_with('[') {
            AF_INET6
        } else {
            AF_INET
        };
        let fd = self.socket(domain);
        assert_eq!(self.bind(fd, addr), Ok(()));
        assert_eq!(self.listen(fd, backlog), Ok(()));
        fd
    }

    pub(crate) fn name(&self, fd: i32) -> SocketAddr {
        self.m.getsockname(self.file(fd)).expect("a name")
    }

    /// A call that is answered at once, or not at all.
    pub(crate) fn accept(&mut self, fd: i32) -> Outcome<(i32, SocketAddr)> {
        self.p.accept(&mut self.m, self.now, fd, 0)
    }

    pub(crate) fn accept_now(&mut self, fd: i32) -> i32 {
        match self.accept(fd) {
            Outcome::Done(Ok((child, _))) => child,
            other => panic!("accept: {other:?}"),
        }
    }

    pub(crate) fn connect(&mut self, fd: i32, addr: &[u8]) -> Outcome<()> {
        self.p.connect(&mut self.m, self.now, fd, addr)
    }

    /// A new connection to a listener, until both ends are idle.
    pub(crate) fn client(&mut self, listener: i32) -> i32 {
        let to = bytes(self.name(listener));
        let fd = self.socket(if to.len() == 16 { AF_INET } else { AF_INET6 });
        let ticket = self
            .connect(fd, &to)
            .blocked()
            .expect("a handshake takes a while")
            .ticket;
        self.settle();
        let reply = self.p.resume(&mut self.m, self.now, ticket);
        assert!(matches!(reply, Outcome::Done(Ok(_))), "{reply:?}");
        fd
    }

    /// A connected pair: client, server.
    pub(crate) fn pair(&mut self) -> (i32, i32) {
        let l = self.listener("127.0.0.1:0", 5);
        let c = self.client(l);
        let s = self.accept_now(l);
        assert_eq!(self.close(l), Ok(()));
        (c, s)
    }

    pub(crate) fn send(&mut self, fd: i32, data: &[u8]) -> Outcome<usize> {
        let r = self.p.send(&mut self.m, self.now, fd, data, 0);
        self.settle();
        r
    }

    pub(crate) fn recv(&mut self, fd: i32, len: usize, flags: i32) -> Outcome<Vec<u8>> {
        let mut buf = vec![0; len];
        let r = self.p.recv(&mut self.m, self.now, fd, &mut buf, flags);
        self.settle();
        r.map(|n| {
            buf.truncate(n);
            buf
        })
    }

    pub(crate) fn shutdown(&mut self, fd: i32, how: i32) -> Result<(), Errno> {
        let r = self.p.shutdown(&mut self.m, self.now, fd, how);
        self.settle();
        r
    }

    pub(crate) fn close(&mut self, fd: i32) -> Result<(), Errno> {
        let r = self.p.close(&mut self.m, self.now, fd);
        self.settle();
        r
    }

    pub(crate) fn poll(&self, fd: i32) -> u32 {
        self.m.poll(self.file(fd))
    }

    pub(crate) fn ready(&mut self) -> Vec<Ticket> {
        let mut out = Vec::new();
        self.m.ready_tickets(&mut out);
        out
    }

    pub(crate) fn get(
        &mut self,
        fd: i32,
        level: i32,
        name: i32,
        cap: i32,
    ) -> Result<Vec<u8>, Errno> {
        let file = self.file(fd);
        self.m.getsockopt(self.now, file, level, name, cap)
    }

    pub(crate) fn get_int(&mut self, fd: i32, level: i32, name: i32) -> Result<i32, Errno> {
        let v = self.get(fd, level, name, 4)?;
        Ok(i32::from_ne_bytes(v.try_into().expect("four bytes")))
    }

    pub(crate) fn set(
        &mut self,
        fd: i32,
        level: i32,
        name: i32,
        value: &[u8],
    ) -> Result<(), Errno> {
        let file = self.file(fd);
        self.m.setsockopt(self.now, file, level, name, value)
    }

    pub(crate) fn set_int(
        &mut self,
        fd: i32,
        level: i32,
        name: i32,
        value: i32,
    ) -> Result<(), Errno> {
        self.set(fd, level, name, &value.to_ne_bytes())
    }
}
