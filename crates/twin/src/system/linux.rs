//! The host's Linux under a script: a thread with a namespace and descriptors of its own, and further threads for the calls.

mod capture;

use core::ffi::c_int;
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Instant;

use hearken_abi::Errno;

use super::calls::{execute, getsockopt};
use super::{Call, CallId, Lan, Output, Return, System};
use crate::linux::{
    enter_world, iface, is_housekeeping, read_counters, sys, sysctl_path, write_sysctl,
};
use crate::{Counters, Fd};
use capture::Capture;

/// How long a thread that sits in a call has to leave it at the end of a script.
const LEAVE: Duration = Duration::from_secs(2);

/// Linux in a fresh namespace, with `lo` and `tun0`.
pub struct LinuxSystem {
    began: Instant,
    tun: c_int,
    capture: Capture,
    seen: VecDeque<(Duration, Vec<u8>)>,
    workers: Vec<Worker>,
    calls: BTreeMap<CallId, Started>,
    started: u32,
}

/// A thread that makes calls. One that sleeps in a call gets no other; the next call then finds or starts another thread.
struct Worker {
    thread: c_int,
    orders: Sender<(CallId, Call)>,
    answers: Receiver<(CallId, Instant, Return)>,
    busy: bool,
    handle: thread::JoinHandle<()>,
}

enum Started {
    /// In this worker.
    In(usize),
    Over(Duration, Return),
}

impl LinuxSystem {
    /// Makes the calling thread a world of its own, in this network.
    pub(super) fn new(lan: &Lan) -> Result<Self, (&'static str, Errno)> {
        let tun = enter_world()?;
        iface::set_mtu("tun0", lan.mtu).map_err(|errno| ("the TUN's MTU", errno))?;
        for (address, prefix) in &lan.addresses {
            iface::add_address("tun0", *address, *prefix)
                .map_err(|errno| ("the TUN's address", errno))?;
            iface::default_route("tun0", address.is_ipv4())
                .map_err(|errno| ("the default route", errno))?;
        }
        let capture = Capture::open("tun0").map_err(|errno| ("a packet socket", errno))?;
        Ok(LinuxSystem {
            began: Instant::now(),
            tun,
            capture,
            seen: VecDeque::new(),
            workers: Vec::new(),
            calls: BTreeMap::new(),
            started: 0,
        })
    }

    fn hire(&mut self) -> usize {
        let (tid_sender, tid) = mpsc::channel();
        let (orders, todo) = mpsc::channel::<(CallId, Call)>();
        let (sender, answers) = mpsc::channel();
        // A new thread shares this one's namespace and descriptor table.
        let handle = thread::spawn(move || {
            // The script waits for the number; it may end without asking for an answer.
            let _ = tid_sender.send(sys::thread_id());
            for (id, call) in todo {
                let returned = execute(call);
                let _ = sender.send((id, Instant::now(), returned));
            }
        });
        self.workers.push(Worker {
            thread: tid.recv().expect("the thread's number"),
            orders,
            answers,
            busy: false,
            handle,
        });
        self.workers.len() - 1
    }

    fn note(&mut self, worker: usize, (id, at, returned): (CallId, Instant, Return)) {
        self.workers[worker].busy = false;
        let at = at.saturating_duration_since(self.began);
        self.calls.insert(id, Started::Over(at, returned));
    }

    /// Notes the answers that are there.
    fn collect(&mut self) {
        for worker in 0..self.workers.len() {
            while let Ok(answer) = self.workers[worker].answers.try_recv() {
                self.note(worker, answer);
            }
        }
    }

    /// Takes what the interface sent: the copies with their times, and the packets themselves out of the TUN's queue.
    fn drain(&mut self) {
        let mut buffer = vec![0; 70000];
        while sys::read(self.tun, &mut buffer).is_ok() {}
        while let Some((at, packet)) = self.capture.next(&mut buffer) {
            if !is_housekeeping(&packet) {
                let at = at.saturating_duration_since(self.began);
                self.seen.push_back((at, packet));
            }
        }
    }
}

impl Drop for LinuxSystem {
    fn drop(&mut self) {
        for worker in std::mem::take(&mut self.workers) {
            // No more orders: the thread ends when it is out of its call.
            drop(worker.orders);
            let end = Instant::now() + LEAVE;
            while !worker.handle.is_finished() && Instant::now() < end {
                // The handler of this signal does not restart a call.
                sys::signal_thread(worker.thread, libc::SIGUSR1);
                thread::sleep(Duration::from_millis(1));
            }
            if worker.handle.is_finished() {
                // A panic of its own was reported when it happened.
                let _ = worker.handle.join();
            }
        }
    }
}

impl System for LinuxSystem {
    fn name(&self) -> &'static str {
        "linux"
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn wall_clock(&self) -> Duration {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.unwrap_or_default()
    }

    fn advance(&mut self, to: Duration) {
        loop {
            self.drain();
            let left = to.saturating_sub(self.now());
            if left.is_zero() {
                return;
            }
            // The TUN's queue holds 500 packets: emptied often enough that none is dropped.
            thread::sleep(left.min(Duration::from_millis(20)));
        }
    }

    fn inject(&mut self, packet: &[u8]) {
        let wrote = sys::write(self.tun, packet);
        assert_eq!(wrote, Ok(packet.len()), "a write to the TUN");
    }

    fn next_packet(&mut self, until: Duration) -> Option<(Duration, Vec<u8>)> {
        loop {
            self.drain();
            if let Some(packet) = self.seen.pop_front() {
                return Some(packet);
            }
            let left = until.saturating_sub(self.now());
            if left.is_zero() {
                return None;
            }
            let wait = left.min(Duration::from_millis(20)).as_millis().max(1);
            sys::readable(self.capture.fd(), wait as c_int);
        }
    }

    fn start(&mut self, call: Call) -> Result<CallId, String> {
        self.collect();
        let id = CallId(self.started);
        self.started += 1;
        let idle = self.workers.iter().position(|worker| !worker.busy);
        let worker = idle.unwrap_or_else(|| self.hire());
        self.workers[worker].busy = true;
        let taken = self.workers[worker].orders.send((id, call));
        taken.map_err(|_| "the thread that makes the calls is gone".to_owned())?;
        self.calls.insert(id, Started::In(worker));
        Ok(id)
    }

    fn finish(&mut self, id: CallId, until: Duration) -> Option<(Duration, Return)> {
        self.collect();
        loop {
            match self.calls.get(&id)? {
                Started::Over(..) => break,
                Started::In(worker) => {
                    let worker = *worker;
                    let left = until.saturating_sub(self.now());
                    let wait = left.min(Duration::from_millis(20));
                    if let Ok(answer) = self.workers[worker].answers.recv_timeout(wait) {
                        self.note(worker, answer);
                    } else if left.is_zero() {
                        return None;
                    }
                    self.drain();
                }
            }
        }
        match self.calls.remove(&id)? {
            Started::Over(at, returned) => Some((at, returned)),
            Started::In(_) => None,
        }
    }

    fn tcp_info(&mut self, fd: Fd) -> Result<Vec<u8>, Errno> {
        let returned = getsockopt(fd, libc::IPPROTO_TCP, libc::TCP_INFO, 512);
        returned.result?;
        match returned.output {
            Output::Bytes(bytes) => Ok(bytes),
            _ => Ok(Vec::new()),
        }
    }

    fn counters(&mut self) -> Counters {
        read_counters()
    }

    fn sysctl(&mut self, name: &str, value: &str) -> Result<(), Errno> {
        write_sysctl(name, value)
    }

    fn sysctl_get(&mut self, name: &str) -> Result<String, Errno> {
        let text = fs::read_to_string(sysctl_path(name));
        let text = text.map_err(|error| Errno(error.raw_os_error().unwrap_or(0)))?;
        Ok(text.trim_end().to_owned())
    }

    fn set_mtu(&mut self, mtu: u32) {
        iface::set_mtu("tun0", mtu).expect("SIOCSIFMTU");
    }
}
