//! Our machine as a twin, in virtual time: nothing waits, and the same case gives the same bytes each time.

mod calls;

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use hearken_abi::Errno;
use hearken_inet::{
    Config, Cred, IfaceId, Instant, Net, Progress, RxFrame, RxMeta, TxCaps, TxMeta, TxSink,
};
use hearken_syscall::{
    Descriptors, FileId, Machine, NetId, Outcome, Process, ProcessReply, Reply, Ticket,
};

use crate::{Accepted, AddrArg, Fd, LISTENER_V4, LISTENER_V6, PendingId, Twin};

/// A blocking call that does not end within this much virtual time never will.
const FOREVER: Duration = Duration::from_secs(3600);

/// Our machine with one namespace, `lo` and `tun0`.
pub struct OursTwin {
    now: Instant,
    machine: Machine,
    /// The caller: descriptors, user, namespace.
    process: Process,
    /// The namespace that has `tun0`.
    first: NetId,
    tun: IfaceId,
    out: VecDeque<Vec<u8>>,
    fillers: Vec<Fd>,
    /// What waiting calls returned, until it is taken.
    replies: BTreeMap<Ticket, Result<ProcessReply, Errno>>,
    pending: BTreeMap<PendingId, Pending>,
    #[cfg(feature = "bpf")]
    sock_ops: Option<hearken_bpf::SockOpsProgram>,
}

/// An accept that was started in the background.
struct Pending {
    fd: Fd,
    flags: i32,
    state: PendingState,
}

enum PendingState {
    Waits(Ticket),
    Over(Result<(Fd, SocketAddr), Errno>),
}

/// Collects what leaves `tun0`, one packet a frame: it can neither cut nor sum.
struct Collect<'a>(&'a mut VecDeque<Vec<u8>>);

impl TxSink for Collect<'_> {
    fn caps(&self) -> TxCaps {
        TxCaps {
            csum: false,
            max_gso: 0,
        }
    }

    fn room(&self) -> usize {
        64
    }

    fn send(&mut self, _meta: &TxMeta, head: &[u8], body: &[&[u8]]) {
        let mut packet = head.to_vec();
        for piece in body {
            packet.extend_from_slice(piece);
        }
        self.0.push_back(packet);
    }
}

/// Runs a case on ours.
pub(crate) fn run(case: impl FnOnce(&mut dyn Twin)) {
    case(&mut OursTwin::new());
}

impl OursTwin {
    fn new() -> Self {
        let mut machine = Machine::new();
        let mut net = Net::new(Config::new([7; 32]));
        let tun = net.add_iface("tun0", 1500);
        net.add_addr(tun, LISTENER_V4, 24);
        net.add_addr(tun, LISTENER_V6, 64);
        let net = machine.add_net(net);
        let mut twin = OursTwin {
            now: Instant(1_000_000_000),
            machine,
            process: Process::new(net, Cred::ROOT, 1024),
            first: net,
            tun,
            out: VecDeque::new(),
            fillers: Vec::new(),
            replies: BTreeMap::new(),
            pending: BTreeMap::new(),
            #[cfg(feature = "bpf")]
            sock_ops: None,
        };
        // Standard input, output and error.
        for _ in 0..3 {
            twin.open_plain();
        }
        twin
    }

    /// A descriptor that is no socket.
    fn open_plain(&mut self) -> Fd {
        let file = self.machine.open_not_socket(&self.process.cred);
        self.install(file)
    }

    fn install(&mut self, file: FileId) -> Fd {
        self.process
            .install(&mut self.machine, self.now, file)
            .expect("a descriptor")
    }

    /// Does all that can be done now: loopback, the calls that may go on, what leaves `tun0`.
    fn settle(&mut self) {
        loop {
            let more = self.machine.settle(self.now, 1000);
            assert!(!more, "the loopback queue does not come to rest");
            let mut tickets = Vec::new();
            self.machine.ready_tickets(&mut tickets);
            let resumed = !tickets.is_empty();
            for ticket in tickets {
                if let Outcome::Done(result) =
                    self.process.resume(&mut self.machine, self.now, ticket)
                {
                    self.replies.insert(ticket, result);
                }
            }
            let mut sink = Collect(&mut self.out);
            let progress = self
                .machine
                .net_mut(self.first)
                .poll_transmit(self.now, self.tun, &mut sink);
            if !resumed && progress == Progress::Idle {
                break;
            }
        }
        self.machine.poll_events(&mut Vec::new());
    }

    /// A little time goes by with each call, as on any machine.
    fn tick(&mut self) {
        self.now = Instant(self.now.0 + 20_000);
    }

    /// When something happens next.
    fn next_timeout(&self) -> Option<Instant> {
        let nets = self
            .machine
            .net_ids()
            .filter_map(|net| self.machine.net(net).poll_timeout());
        nets.chain(self.machine.poll_timeout()).min()
    }

    /// Goes to the next timeout if it lies before `end`; else to `end`, and says false.
    fn step(&mut self, end: Instant) -> bool {
        let next = self.next_timeout().filter(|at| *at <= end);
        self.now = self.now.max(next.unwrap_or(end));
        if next.is_some() {
            for net in self.machine.net_ids() {
                self.machine.net_mut(net).handle_timeout(self.now);
            }
            self.machine.handle_timeout(self.now);
        }
        self.settle();
        next.is_some()
    }

    fn after(&self, by: Duration) -> Instant {
        Instant(self.now.0 + by.as_nanos() as u64)
    }

    fn receive(&mut self, packet: &[u8]) {
        let frame = RxFrame {
            meta: RxMeta::default(),
            head: packet,
            body: &[],
        };
        self.machine
            .net_mut(self.first)
            .handle_frames(self.now, self.tun, &[frame]);
        self.settle();
    }

    /// Runs virtual time until a waiting call is over.
    fn wait(&mut self, ticket: Ticket) -> Result<ProcessReply, Errno> {
        let end = self.after(FOREVER);
        loop {
            if let Some(result) = self.replies.remove(&ticket) {
                return result;
            }
            assert!(self.step(end), "the call would block for ever");
        }
    }

    /// A call's outcome, waited for if need be.
    fn finish_call<T>(
        &mut self,
        outcome: Outcome<T>,
        take: impl FnOnce(ProcessReply) -> Option<T>,
    ) -> Result<T, Errno> {
        let result = match outcome {
            Outcome::Done(result) => result,
            Outcome::Blocked(blocked) => {
                self.settle();
                self.wait(blocked.ticket)
                    .map(|reply| take(reply).expect("the reply of this call"))
            }
        };
        self.settle();
        result
    }

    /// What accept4 does with the connection that it got, or did not get.
    fn accept_return(
        &mut self,
        result: Result<(Fd, SocketAddr), Errno>,
        arg: AddrArg,
    ) -> Result<Accepted, Errno> {
        let (fd, peer) = result?;
        // move_addr_to_user (6.18): EFAULT for what cannot be read or written, EINVAL for a negative length; the connection
        // is lost.
        let failed = match arg {
            AddrArg::BadAddress | AddrArg::NullLen => Some(Errno::EFAULT),
            AddrArg::Len(len) if len < 0 => Some(Errno::EINVAL),
            AddrArg::None | AddrArg::Len(_) | AddrArg::NullAddressBadLen => None,
        };
        if let Some(errno) = failed {
            self.close(fd)?;
            return Err(errno);
        }
        let mut got = Accepted {
            fd,
            addr: Vec::new(),
            addr_len: 0,
        };
        if let AddrArg::Len(len) = arg {
            let raw = crate::sockaddr(peer);
            got.addr = vec![0xaa; 128];
            let wrote = raw.len().min(len as usize);
            got.addr[..wrote].copy_from_slice(&raw[..wrote]);
            got.addr_len = raw.len() as i32;
        }
        Ok(got)
    }

    fn file(&self, fd: Fd) -> Result<FileId, Errno> {
        self.process.fds.lookup(fd)
    }
}

/// The reply that is an accept's.
fn accepted(reply: ProcessReply) -> Option<(Fd, SocketAddr)> {
    match reply {
        ProcessReply::Accepted(fd, peer) => Some((fd, peer)),
        ProcessReply::Other(_) => None,
    }
}

/// Any other call's reply.
fn other(reply: ProcessReply) -> Option<Reply> {
    match reply {
        ProcessReply::Other(reply) => Some(reply),
        ProcessReply::Accepted(..) => None,
    }
}
