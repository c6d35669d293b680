//! Two namespaces and the link between them: `prog`, where the program's sockets live, and the
//! gateway, which stands for everywhere else.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use hearken_abi::Errno;
use hearken_device::link::{Link, LinkConfig, Side, Tap, TapFrame};
use hearken_device::pcap;
use hearken_gateway::Gateway;
use hearken_inet::{Config, IfaceId, Instant, Net, Progress, Sysctls};
use hearken_syscall::Machine;

use super::Stack;
use crate::capture::Capture;
use crate::look::{Look, Standing};
use crate::options::Options;
use crate::supervisor::host::address;
use crate::watch::Watch;

/// What Ethernet carries.
const MTU: u32 = 1500;
/// Half-open connections at the gateway: each is a connect of ours that waits.
const GATE_BACKLOG: u32 = 4096;
/// Turns of one `step`: between them calls and bytes from outside have their chance.
const TURNS: usize = 64;

/// The link and its ends.
pub(crate) struct Topology {
    link: Link,
    eth: IfaceId,
    pcap: Option<Classic>,
}

/// `--pcap` into the old format: every packet when it is sent.
type Classic = Arc<Mutex<pcap::Writer<BufWriter<File>>>>;

/// The program's interfaces, in the order of their numbers.
const IFACES: [&str; 2] = ["lo", "eth0"];

/// The monotonic clock, in the stack's own unit.
pub(crate) fn clock() -> Instant {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Instant(t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64)
}

/// Another 32 bytes from the same seed.
fn derive(seed: &[u8; 32], label: u8) -> [u8; 32] {
    // The namespaces key their own hashes with it; it only has to differ.
    let mut other = *seed;
    other[0] ^= label;
    other[31] ^= label.rotate_left(4);
    other
}

fn random_seed() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    io::Read::read_exact(&mut File::open("/dev/urandom")?, &mut seed)?;
    Ok(seed)
}

impl Stack {
    /// The whole network of a run.
    pub(crate) fn new(options: &Options, watch: &Watch) -> Result<Self, String> {
        let now = clock();
        let seed = match options.seed {
            Some(seed) => seed,
            None => random_seed().map_err(|e| format!("no randomness: {e}"))?,
        };
        let mut config = Config::new(seed);
        config.sysctls = Sysctls::default();
        let standing = Standing::read(options)?;
        let look = Look {
            standing: standing.clone(),
            watch: None,
        };
        config.hooks = look.hooks();
        let mut prog = Net::new(config);
        for s in &options.sysctls {
            prog.sysctl_set(&s.name, &s.value)
                .map_err(|e| format!("--sysctl {}={}: {}", s.name, s.value, why(&s.name, e)))?;
        }
        let eth = prog.add_iface("eth0", MTU);
        let (v4, v4_prefix) = crate::enter::ADDRESS_V4;
        let (v6, v6_prefix) = crate::enter::ADDRESS_V6;
        prog.add_addr(eth, v4.into(), v4_prefix);
        prog.add_addr(eth, v6.into(), v6_prefix);
        prog.add_route(std::net::Ipv4Addr::UNSPECIFIED.into(), 0, eth);
        prog.add_route(std::net::Ipv6Addr::UNSPECIFIED.into(), 0, eth);
        let mut machine = Machine::new();
        let prog = machine.add_net(prog);
        let mut gateway = Gateway::new(now, Config::new(derive(&seed, 0x67)), MTU, GATE_BACKLOG);
        let iface = gateway.iface();
        for ip in [address::HOST_V4.into(), address::HOST_V6.into()] {
            gateway
                .net_mut()
                .add_addr(iface, ip, if ip.is_ipv4() { 24 } else { 64 });
        }
        // The gate stands for any peer of the world, and RFC 6298 is what most of them obey: SYN again after
        // 1, 3, 7 s, without the four linear timeouts that Linux has put in front since 6.5.
        gateway
            .net_mut()
            .sysctl_set("net.ipv4.tcp_syn_linear_timeouts", "0")
            .map_err(|e| format!("the gate's sysctls: {e:?}"))?;
        let mut link = link(options, &seed);
        watch.set_wall(wall_offset());
        let pcap = options.pcap.as_deref();
        let pcap = pcap.map_or(Ok(None), |path| capture_to(path, watch))?;
        link.set_tap(tap(pcap.as_ref(), None));
        Ok(Stack {
            machine,
            gateway,
            prog,
            standing,
            topology: Topology { link, eth, pcap },
            now,
            ready: Vec::new(),
            tickets: Vec::new(),
            events: Vec::new(),
        })
    }

    /// Lets `watch` be told what it wants, or nobody; the policy stays.
    pub(crate) fn set_watch(&mut self, watch: Option<&Watch>) {
        let look = Look {
            standing: self.standing.clone(),
            watch: watch.cloned(),
        };
        self.machine.net_mut(self.prog).set_hooks(look.hooks());
    }

    /// The time of this turn of the loop, in nanoseconds since 1970.
    pub(crate) fn wall_time(&self) -> u64 {
        self.now.0.wrapping_add(wall_offset())
    }

    /// Lets `watch` see what is sent on the link, or nobody.
    pub(crate) fn set_tap(&mut self, watch: Option<&Watch>) {
        let Topology { link, pcap, .. } = &mut self.topology;
        link.set_tap(tap(pcap.as_ref(), watch));
    }

    /// The names of the program's interfaces, in the order of their numbers.
    pub(crate) fn iface_names(&self) -> [&'static str; 2] {
        IFACES
    }

    /// Bytes that the link took to the program, and from it.
    pub(crate) fn link_bytes(&self) -> (u64, u64) {
        let bytes = |to| self.topology.link.stats(to).bytes;
        (bytes(Side::A), bytes(Side::B))
    }

    /// The name of one of the program's interfaces.
    pub(crate) fn iface_name(&self, iface: IfaceId) -> &str {
        let net = self.machine.net(self.prog);
        net.iface_name(iface).unwrap_or("?")
    }

    /// A new turn of the loop.
    pub(crate) fn tick(&mut self) {
        self.now = clock();
    }

    /// Packets, timers and events until there is nothing more to do now, or for so many turns.
    pub(crate) fn step(&mut self) -> bool {
        let now = self.now;
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if due(self.machine.poll_timeout()) {
            self.machine.handle_timeout(now);
        }
        let prog = self.machine.net_mut(self.prog);
        if due(prog.poll_timeout()) {
            prog.handle_timeout(now);
        }
        if due(self.gateway.poll_timeout()) {
            self.gateway.handle_timeout(now);
        }
        for _ in 0..TURNS {
            if !self.turn() {
                return false;
            }
        }
        true
    }

    /// Both ends send once, and get what has arrived.
    fn turn(&mut self) -> bool {
        let now = self.now;
        let Topology { link, eth, .. } = &mut self.topology;
        let mut busy = self.machine.settle(now, TURNS);
        let sent =
            self.machine
                .net_mut(self.prog)
                .poll_transmit(now, *eth, &mut link.sink(now, Side::A));
        busy |= sent == Progress::More;
        let gateway = &mut self.gateway;
        busy |= link.deliver(now, Side::B, &mut |frames| {
            gateway.handle_frames(now, frames)
        });
        gateway.process(now);
        let sent = gateway.poll_transmit(now, &mut link.sink(now, Side::B));
        busy |= sent == Progress::More;
        let prog = self.machine.net_mut(self.prog);
        busy |= link.deliver(now, Side::A, &mut |frames| {
            prog.handle_frames(now, *eth, frames)
        });
        busy |= self.machine.settle(now, TURNS);
        busy
    }

    /// When `step` has work without any news from outside.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        [
            self.machine.poll_timeout(),
            self.machine.net(self.prog).poll_timeout(),
            self.gateway.poll_timeout(),
            self.topology.link.next_due(),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

/// What is wrong with a sysctl, with Linux's errno and the bounds.
pub(super) fn why(name: &str, e: hearken_inet::SysctlError) -> String {
    match e {
        hearken_inet::SysctlError::Unknown => {
            format!("{}: there is no such sysctl here", Errno::ENOENT)
        }
        hearken_inet::SysctlError::Invalid => {
            let bounds = hearken_abi::sysctl::find(name).map_or(String::new(), bounds);
            format!("{}: {bounds}", Errno::EINVAL)
        }
        hearken_inet::SysctlError::NotThere => {
            let names = hearken_inet::Congestion::ALL.map(hearken_inet::Congestion::name);
            format!("{}: one of {}", Errno::ENOENT, names.join(", "))
        }
        hearken_inet::SysctlError::ReadOnly => format!("{}: it can only be read", Errno::EACCES),
    }
}

fn bounds(spec: &hearken_abi::sysctl::Spec) -> String {
    use hearken_abi::sysctl::Value;
    match spec.default {
        Value::Int(_) => format!("a number from {} to {}", spec.min, spec.max),
        Value::Ints(all) => {
            let (n, min, max) = (all.len(), spec.min, spec.max);
            format!("{n} numbers from {min} to {max}")
        }
        Value::Text(_) => spec.doc.to_owned(),
    }
}

fn link(options: &Options, seed: &[u8; 32]) -> Link {
    Link::new(LinkConfig {
        mtu: MTU,
        loss: options.link.loss,
        delay: options.link.delay,
        seed: u64::from_le_bytes([
            seed[8], seed[9], seed[10], seed[11], seed[12], seed[13], seed[14], seed[15],
        ]),
    })
}

/// `--pcap`: by the file's name, a pcapng of the program's interfaces or a pcap of the link.
fn capture_to(path: &Path, watch: &Watch) -> Result<Option<Classic>, String> {
    let fail = |e: io::Error| format!("cannot write {}: {e}", path.display());
    let file = File::create(path).map_err(fail)?;
    if path.extension().is_some_and(|x| x == "pcapng") {
        watch.capture(Capture::to_file(file, &IFACES).map_err(fail)?);
        return Ok(None);
    }
    // Every segment by itself, as it would be on a wire.
    let out = pcap::Writer::new(BufWriter::new(file), true).map_err(fail)?;
    Ok(Some(Arc::new(Mutex::new(out))))
}

/// What sees the packets on the link; none if nobody wants to.
fn tap(pcap: Option<&Classic>, watch: Option<&Watch>) -> Option<Tap> {
    if pcap.is_none() && watch.is_none() {
        return None;
    }
    let (pcap, watch, offset) = (pcap.cloned(), watch.cloned(), wall_offset());
    Some(Box::new(move |frame: &TapFrame<'_>| {
        if let Some(mut out) = pcap.as_ref().and_then(|p| p.lock().ok()) {
            // A full disk must not stop the program; the capture ends there.
            let _ = out.write(
                frame.time.0.wrapping_add(offset),
                frame.packet,
                frame.gso_size,
            );
        }
        if let Some(watch) = &watch {
            watch.tapped(frame);
        }
    }))
}

/// From the monotonic clock to the time of day.
fn wall_offset() -> u64 {
    let wall = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_nanos() as u64);
    wall.wrapping_sub(clock().0)
}
