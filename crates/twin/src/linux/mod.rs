//! The host's Linux as a twin: a thread with a network namespace and a descriptor table of its own.

#[cfg(feature = "bpf")]
mod bpf;
mod calls;
mod defaults;
pub(crate) mod iface;
pub(crate) mod sys;

use core::ffi::c_int;
use core::net::Ipv6Addr;
use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Once;
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::Instant;

use hearken_abi::Errno;

use crate::{Accepted, Counters, Fd, LISTENER_V4, LISTENER_V6, PendingId, Twin};

/// Linux in a fresh namespace, with `lo` and `tun0`.
pub struct LinuxTwin {
    began: Instant,
    tun: c_int,
    /// The descriptors of further TUNs; an interface lives as long as its descriptor.
    others: Vec<c_int>,
    /// The descriptors that fill the table ([`Twin::leave_descriptors`]).
    fillers: Vec<Fd>,
    pending: BTreeMap<PendingId, Pending>,
    #[cfg(feature = "bpf")]
    sock_ops: Option<bpf::Attached>,
}

/// A thread that sits in a blocking call.
struct Pending {
    thread: c_int,
    outcome: Receiver<Result<Accepted, Errno>>,
    handle: thread::JoinHandle<()>,
}

impl LinuxTwin {
    /// Makes the calling thread a world of its own: descriptors, namespace, default sysctls, lo and `tun0`.
    fn new() -> Result<Self, (&'static str, Errno)> {
        let tun = enter_world()?;
        for (address, prefix) in [(LISTENER_V4, 24), (LISTENER_V6, 64)] {
            iface::add_address("tun0", address, prefix)
                .map_err(|errno| ("the TUN's address", errno))?;
        }
        Ok(LinuxTwin {
            began: Instant::now(),
            tun,
            others: Vec::new(),
            fillers: Vec::new(),
            pending: BTreeMap::new(),
            #[cfg(feature = "bpf")]
            sock_ops: None,
        })
    }
}

/// Gives the calling thread descriptors and a namespace of its own, with `lo` and `tun0`; says the TUN's descriptor.
pub(crate) fn enter_world() -> Result<c_int, (&'static str, Errno)> {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        sys::install_handlers();
        sys::bound_descriptors(4096);
    });
    sys::own_descriptors().map_err(|errno| ("close_range(CLOSE_RANGE_UNSHARE)", errno))?;
    fresh_namespace()?;
    iface::open_tun("tun0").map_err(|errno| ("opening the TUN", errno))
}

/// Enters a fresh namespace with Linux's defaults and lo up.
fn fresh_namespace() -> Result<(), (&'static str, Errno)> {
    sys::unshare_net().map_err(|errno| ("unshare(CLONE_NEWNET)", errno))?;
    for (name, value) in defaults::DEFAULTS {
        match write_sysctl(name, value) {
            // An older kernel without this sysctl cannot have another value for it.
            Ok(()) | Err(Errno(libc::ENOENT)) => {}
            // A machine may allow only some of its algorithms outside of the first namespace; reno is allowed everywhere.
            Err(Errno(libc::EPERM)) if *name == "net.ipv4.tcp_congestion_control" => {
                write_sysctl(name, "reno").map_err(|errno| (*name, errno))?;
            }
            Err(errno) => return Err((name, errno)),
        }
    }
    iface::up("lo").map_err(|errno| ("lo up", errno))?;
    iface::wait_for_v6(Ipv6Addr::LOCALHOST);
    Ok(())
}

pub(crate) fn sysctl_path(name: &str) -> String {
    format!("/proc/sys/{}", name.replace('.', "/"))
}

pub(crate) fn write_sysctl(name: &str, value: &str) -> Result<(), Errno> {
    fs::write(sysctl_path(name), value).map_err(|error| Errno(error.raw_os_error().unwrap_or(0)))
}

impl Drop for LinuxTwin {
    fn drop(&mut self) {
        // A thread that still sits in accept() leaves it by the signal whose handler does not restart.
        for pending in std::mem::take(&mut self.pending).into_values() {
            while !pending.handle.is_finished() {
                sys::signal_thread(pending.thread, libc::SIGUSR1);
                thread::sleep(std::time::Duration::from_millis(1));
            }
            // The thread catches nothing: a panic of its own was reported when it happened.
            let _ = pending.handle.join();
        }
    }
}

pub(crate) fn read_proc(file: &str) -> String {
    let path = format!("/proc/thread-self/net/{file}");
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every counter of the calling thread's namespace.
pub(crate) fn read_counters() -> Counters {
    let mut counters = Counters::default();
    counters.parse_pairs(&read_proc("snmp"));
    counters.parse_pairs(&read_proc("netstat"));
    counters.parse_lines(&read_proc("snmp6"));
    counters
}

/// What only the kernel's own address configuration sends: IGMP, MLD, router and neighbour discovery.
pub(crate) fn is_housekeeping(packet: &[u8]) -> bool {
    match packet[0] >> 4 {
        4 => packet[9] == 2,
        _ => packet[6] == 0 || packet[6] == 58 && matches!(packet[40], 130..=137 | 143),
    }
}

/// Runs a case in a thread and a namespace of its own; a panic in it is the caller's.
pub(crate) fn run(case: impl FnOnce(&mut dyn Twin) + Send + 'static) {
    let body = move || {
        sys::hurry();
        let mut twin = match LinuxTwin::new() {
            Ok(twin) => twin,
            Err((what, errno)) => {
                let why = format!(
                    "Linux could not be asked: {what}: {errno}. These cases need root and /dev/net/tun"
                );
                assert!(!crate::case::in_ci(), "{why}");
                eprintln!("NOT RUN: {why}");
                return Ok(());
            }
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| case(&mut twin)));
        drop(twin);
        outcome
    };
    let name = thread::current().name().unwrap_or("case").to_owned();
    let thread = thread::Builder::new()
        .name(name)
        .spawn(body)
        .expect("a thread");
    match thread.join() {
        Ok(Ok(())) => {}
        Ok(Err(panic)) | Err(panic) => resume_unwind(panic),
    }
}
