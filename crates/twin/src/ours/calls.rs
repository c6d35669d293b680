//! The trait over our own calls.

use core::time::Duration;

use hearken_abi::sock::SOL_SOCKET;
use hearken_abi::{Counter, Errno};
use hearken_inet::cbpf::Insn;
use hearken_inet::{Config, Cred, Net};
use hearken_syscall::{EpollEvent, EpollOp, Outcome, Reply};

use super::{OursTwin, Pending, PendingState, accepted, other};
use crate::{Accepted, AddrArg, Counters, Fd, OtherFile, PendingId, TcpRow, Twin, parse_table};

fn sysctl_errno(error: hearken_inet::SysctlError) -> Errno {
    match error {
        hearken_inet::SysctlError::Unknown | hearken_inet::SysctlError::NotThere => Errno::ENOENT,
        hearken_inet::SysctlError::Invalid => Errno::EINVAL,
        hearken_inet::SysctlError::ReadOnly => Errno::EACCES,
    }
}

impl Twin for OursTwin {
    fn name(&self) -> &'static str {
        "hearken"
    }

    fn now(&self) -> Duration {
        Duration::from_nanos(self.now.0)
    }

    fn advance(&mut self, by: Duration) {
        let end = self.after(by);
        while self.step(end) {}
    }

    fn inject(&mut self, packet: &[u8]) {
        self.tick();
        self.receive(packet);
    }

    fn next_packet(&mut self, timeout: Duration) -> Option<Vec<u8>> {
        let end = self.after(timeout);
        self.settle();
        loop {
            if let Some(packet) = self.out.pop_front() {
                return Some(packet);
            }
            if self.now >= end {
                return None;
            }
            self.step(end);
        }
    }

    fn counters(&mut self) -> Counters {
        let mut counters = Counters::default();
        let mib = self.machine.net(self.process.net).mib();
        for counter in Counter::ALL {
            counters.insert(
                format!("{}{}", counter.group(), counter.name()),
                mib.get(*counter) as i64,
            );
        }
        counters
    }

    fn sysctl(&mut self, name: &str, value: &str) -> Result<(), Errno> {
        self.machine
            .net_mut(self.process.net)
            .sysctl_set(name, value)
            .map_err(sysctl_errno)
    }

    fn sysctl_get(&mut self, name: &str) -> Result<String, Errno> {
        self.machine
            .net(self.process.net)
            .sysctl_get(name)
            .map_err(sysctl_errno)
    }

    fn tcp_table(&mut self) -> Vec<TcpRow> {
        let mut rows = parse_table(&self.proc_net("tcp"), false);
        rows.extend(parse_table(&self.proc_net("tcp6"), true));
        rows
    }

    fn proc_net(&mut self, file: &str) -> String {
        let text = self.machine.proc_net(self.now, self.process.net, file);
        text.unwrap_or_else(|| panic!("/proc/net/{file}: no such file"))
    }

    fn set_uid(&mut self, uid: u32) {
        self.process.cred = Cred {
            uid,
            net_bind_service: uid == 0,
        };
    }

    fn add_iface(&mut self, name: &str) {
        self.machine.net_mut(self.process.net).add_iface(name, 1500);
    }

    fn set_mtu(&mut self, mtu: u32) {
        self.machine.net_mut(self.first).set_mtu(self.tun, mtu);
    }

    fn enter_new_namespace(&mut self) {
        self.process.net = self.machine.add_net(Net::new(Config::new([8; 32])));
    }

    fn leave_descriptors(&mut self, leave: usize) {
        for fd in std::mem::take(&mut self.fillers) {
            self.close(fd).expect("close");
        }
        if leave == usize::MAX {
            return;
        }
        loop {
            match self.dup(0) {
                Ok(fd) => self.fillers.push(fd),
                Err(errno) => {
                    assert_eq!(errno, Errno::EMFILE);
                    break;
                }
            }
        }
        for fd in self.fillers.split_off(self.fillers.len() - leave) {
            self.close(fd).expect("close");
        }
    }

    fn open(&mut self, file: OtherFile) -> Fd {
        match file {
            OtherFile::DevNull | OtherFile::Pipe => self.open_plain(),
            OtherFile::Epoll => self.epoll_create(),
            OtherFile::Path => {
                let file = self.machine.open_path(&self.process.cred);
                self.install(file)
            }
        }
    }

    fn socket(&mut self, domain: i32, ty: i32, protocol: i32) -> Result<Fd, Errno> {
        self.tick();
        self.process
            .socket(&mut self.machine, self.now, domain, ty, protocol)
    }

    fn bind(&mut self, fd: Fd, addr: &[u8]) -> Result<(), Errno> {
        self.process.bind(&mut self.machine, self.now, fd, addr)
    }

    fn listen(&mut self, fd: Fd, backlog: i32) -> Result<(), Errno> {
        self.tick();
        let result = self
            .process
            .listen(&mut self.machine, self.now, fd, backlog);
        self.settle();
        result
    }

    fn accept4(&mut self, fd: Fd, addr: AddrArg, flags: i32) -> Result<Accepted, Errno> {
        self.tick();
        let outcome = self.process.accept(&mut self.machine, self.now, fd, flags);
        let result = self.finish_call(outcome, accepted);
        self.accept_return(result, addr)
    }

    fn connect(&mut self, fd: Fd, addr: &[u8]) -> Result<(), Errno> {
        self.tick();
        let outcome = self.process.connect(&mut self.machine, self.now, fd, addr);
        self.finish_call(outcome, |reply| {
            (other(reply)? == Reply::Connected).then_some(())
        })
    }

    fn shutdown(&mut self, fd: Fd, how: i32) -> Result<(), Errno> {
        self.tick();
        let result = self.process.shutdown(&mut self.machine, self.now, fd, how);
        self.settle();
        result
    }

    fn close(&mut self, fd: Fd) -> Result<(), Errno> {
        self.tick();
        let result = self.process.close(&mut self.machine, self.now, fd);
        self.settle();
        result
    }

    fn dup(&mut self, fd: Fd) -> Result<Fd, Errno> {
        self.process.dup(&mut self.machine, self.now, fd)
    }

    fn getsockname(&mut self, fd: Fd) -> Result<Vec<u8>, Errno> {
        let file = self.file(fd)?;
        self.machine.getsockname(file).map(crate::sockaddr)
    }

    fn getpeername(&mut self, fd: Fd) -> Result<Vec<u8>, Errno> {
        let file = self.file(fd)?;
        self.machine.getpeername(file).map(crate::sockaddr)
    }

    fn getsockopt(&mut self, fd: Fd, level: i32, name: i32, cap: usize) -> Result<Vec<u8>, Errno> {
        let file = self.file(fd)?;
        self.machine
            .getsockopt(self.now, file, level, name, cap as i32)
    }

    fn setsockopt(&mut self, fd: Fd, level: i32, name: i32, value: &[u8]) -> Result<(), Errno> {
        let file = self.file(fd)?;
        let result = self.machine.setsockopt(self.now, file, level, name, value);
        self.settle();
        result
    }

    fn pin(&mut self) {}

    fn attach_program(&mut self, fd: Fd, name: i32, program: &[Insn]) -> Result<(), Errno> {
        let bytes: Vec<u8> = program.iter().flat_map(Insn::to_bytes).collect();
        self.setsockopt(fd, SOL_SOCKET, name, &bytes)
    }

    fn recv(&mut self, fd: Fd, cap: usize, flags: i32) -> Result<Vec<u8>, Errno> {
        self.tick();
        let mut data = vec![0; cap];
        let outcome = match self
            .process
            .recv(&mut self.machine, self.now, fd, &mut data, flags)
        {
            Outcome::Done(result) => Outcome::Done(result.map(|len| {
                data.truncate(len);
                data
            })),
            Outcome::Blocked(blocked) => Outcome::Blocked(blocked),
        };
        self.finish_call(outcome, |reply| match other(reply)? {
            Reply::Received(data) => Some(data),
            _ => None,
        })
    }

    fn send(&mut self, fd: Fd, data: &[u8], flags: i32) -> Result<usize, Errno> {
        self.tick();
        let outcome = self.process.send(
            &mut self.machine,
            self.now,
            fd,
            data,
            flags | libc::MSG_NOSIGNAL,
        );
        self.finish_call(outcome, |reply| match other(reply)? {
            Reply::Sent(len) => Some(len),
            _ => None,
        })
    }

    fn sendto(&mut self, fd: Fd, data: &[u8], flags: i32, addr: &[u8]) -> Result<usize, Errno> {
        self.tick();
        let outcome = self.process.send_to(
            &mut self.machine,
            self.now,
            fd,
            data,
            flags | libc::MSG_NOSIGNAL,
            addr,
        );
        self.finish_call(outcome, |reply| match other(reply)? {
            Reply::Sent(len) => Some(len),
            _ => None,
        })
    }

    fn poll(&mut self, fd: Fd) -> u32 {
        self.settle();
        self.process.poll(&self.machine, fd, 0xffff)
    }

    fn ioctl(&mut self, fd: Fd, request: u32) -> Result<i32, Errno> {
        let file = self.file(fd)?;
        self.machine.ioctl(file, request)
    }

    fn fcntl(&mut self, fd: Fd, command: i32, arg: i32) -> Result<i32, Errno> {
        let file = self.file(fd)?;
        match command {
            libc::F_GETFL => {
                let nonblocking = self.machine.nonblocking(file)?;
                Ok(libc::O_RDWR | if nonblocking { libc::O_NONBLOCK } else { 0 })
            }
            libc::F_SETFL => {
                self.machine
                    .set_nonblocking(file, arg & libc::O_NONBLOCK != 0)?;
                Ok(0)
            }
            libc::F_GETFD => Ok(i32::from(self.process.fds.cloexec(fd)?)),
            libc::F_SETFD => {
                self.process
                    .fds
                    .set_cloexec(fd, arg & libc::FD_CLOEXEC != 0)?;
                Ok(0)
            }
            other => panic!("fcntl command {other}"),
        }
    }

    #[cfg(feature = "bpf")]
    fn attach_sock_ops(&mut self, object: &[u8]) {
        let program = hearken_bpf::SockOpsProgram::load(object).expect("an object for sock_ops");
        self.sock_ops = Some(program.clone());
        self.machine
            .net_mut(self.first)
            .set_hooks(Some(Box::new(program)));
    }

    #[cfg(feature = "bpf")]
    fn bpf_lookup(&mut self, map: &str, key: &[u8]) -> Option<Vec<u8>> {
        self.sock_ops.as_ref()?.lookup(map, key)
    }

    fn epoll_create(&mut self) -> Fd {
        let file = self.machine.epoll_create(&self.process.cred);
        self.install(file)
    }

    fn epoll_add(&mut self, epoll: Fd, fd: Fd, events: u32) -> Result<(), Errno> {
        let event = EpollEvent {
            events,
            data: fd as u64,
        };
        let result = self
            .process
            .epoll_ctl(&mut self.machine, epoll, fd, EpollOp::Add(event));
        self.settle();
        result
    }

    fn epoll_wait(&mut self, epoll: Fd) -> Vec<(Fd, u32)> {
        self.settle();
        let outcome = self
            .process
            .epoll_wait(&mut self.machine, self.now, epoll, 16, 0);
        let events = self.finish_call(outcome, |reply| match other(reply)? {
            Reply::Events(events) => Some(events),
            _ => None,
        });
        let events = events.expect("epoll_wait");
        events
            .into_iter()
            .map(|event| (event.data as Fd, event.events))
            .collect()
    }

    fn start_accept(&mut self, fd: Fd, flags: i32) -> PendingId {
        self.tick();
        let id = PendingId(self.pending.keys().last().map_or(0, |id| id.0 + 1));
        let state = self.accept_state(fd, flags);
        self.pending.insert(id, Pending { fd, flags, state });
        self.settle();
        id
    }

    fn finish(&mut self, id: PendingId, timeout: Duration) -> Option<Result<Accepted, Errno>> {
        let end = self.after(timeout);
        self.settle();
        loop {
            let pending = self
                .pending
                .get_mut(&id)
                .expect("a pending call, not yet taken");
            if let PendingState::Waits(ticket) = &pending.state
                && let Some(result) = self.replies.remove(ticket)
            {
                pending.state = PendingState::Over(
                    result.map(|reply| accepted(reply).expect("an accept's reply")),
                );
            }
            if matches!(pending.state, PendingState::Over(_)) {
                break;
            }
            if self.now >= end {
                return None;
            }
            self.step(end);
        }
        match self.pending.remove(&id)?.state {
            PendingState::Over(result) => Some(self.accept_return(result, AddrArg::Len(128))),
            PendingState::Waits(_) => None,
        }
    }

    fn signal(&mut self, id: PendingId, restart: bool) {
        self.tick();
        self.settle();
        let pending = self.pending.get(&id).expect("a pending call");
        let (fd, flags) = (pending.fd, pending.flags);
        let PendingState::Waits(ticket) = pending.state else {
            return;
        };
        if self.replies.contains_key(&ticket) {
            return;
        }
        let state = match self.process.interrupt(&mut self.machine, self.now, ticket) {
            // What the kernel does on the way back to the program: run the call again, or tell it of the signal.
            Err(Errno::ERESTARTSYS) if restart => self.accept_state(fd, flags),
            Err(Errno::ERESTARTSYS) => PendingState::Over(Err(Errno::EINTR)),
            result => {
                PendingState::Over(result.map(|reply| accepted(reply).expect("an accept's reply")))
            }
        };
        if let Some(pending) = self.pending.get_mut(&id) {
            pending.state = state;
        }
        self.settle();
    }
}

impl OursTwin {
    fn accept_state(&mut self, fd: Fd, flags: i32) -> PendingState {
        match self.process.accept(&mut self.machine, self.now, fd, flags) {
            Outcome::Done(result) => PendingState::Over(result),
            Outcome::Blocked(blocked) => PendingState::Waits(blocked.ticket),
        }
    }
}
