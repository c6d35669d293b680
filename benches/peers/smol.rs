//! smoltcp over a memory device of two interfaces. What it does not do: SYN queue, accept queue, port table, keyed
//! hashes, readiness list; a listening socket becomes the connection, and sockets are found by walking the list.

use std::collections::VecDeque;
use std::hint::black_box;

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{self, Checksum, ChecksumCapabilities, Device, DeviceCapabilities, Medium};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::time::Instant;
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr};

use crate::memory::live;
use crate::meter::Meter;
use crate::ours::bulk::CHUNK;
use crate::ours::packets::syn;
use crate::ours::wire::PORT;

/// One end of the wire; buffers are used again.
#[derive(Debug)]
struct Port {
    inbox: VecDeque<Vec<u8>>,
    outbox: VecDeque<Vec<u8>>,
    used: Vec<Vec<u8>>,
    spare: Vec<Vec<u8>>,
    mtu: usize,
    offload: bool,
}

struct Rx<'a>(Vec<u8>, &'a mut Vec<Vec<u8>>);
struct Tx<'a>(&'a mut VecDeque<Vec<u8>>, &'a mut Vec<Vec<u8>>);

impl phy::RxToken for Rx<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        let r = f(&self.0);
        self.1.push(self.0);
        r
    }
}
impl phy::TxToken for Tx<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut b = self.1.pop().unwrap_or_default();
        b.resize(len, 0);
        let r = f(&mut b);
        self.0.push_back(b);
        r
    }
}

impl Device for Port {
    type RxToken<'a> = Rx<'a>;
    type TxToken<'a> = Tx<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Rx<'_>, Tx<'_>)> {
        let b = self.inbox.pop_front()?;
        Some((Rx(b, &mut self.used), Tx(&mut self.outbox, &mut self.spare)))
    }
    fn transmit(&mut self, _: Instant) -> Option<Tx<'_>> {
        (self.outbox.len() < 64).then_some(Tx(&mut self.outbox, &mut self.spare))
    }
    fn capabilities(&self) -> DeviceCapabilities {
        let mut c = DeviceCapabilities::default();
        c.medium = Medium::Ip;
        c.max_transmission_unit = self.mtu;
        c.checksum = ChecksumCapabilities::default();
        if self.offload {
            c.checksum.tcp = Checksum::None;
        }
        c
    }
}

/// One host.
struct Host {
    iface: Interface,
    port: Port,
    sockets: SocketSet<'static>,
}

impl Host {
    fn new(host: u8, mtu: usize, offload: bool) -> Self {
        let mut port = Port {
            inbox: VecDeque::new(),
            outbox: VecDeque::new(),
            used: Vec::new(),
            spare: Vec::new(),
            mtu,
            offload,
        };
        let config = Config::new(HardwareAddress::Ip);
        let mut iface = Interface::new(config, &mut port, Instant::ZERO);
        iface.update_ip_addrs(|a| {
            a.push(IpCidr::new(IpAddress::v4(10, 0, 0, host), 8))
                .expect("room for one address");
        });
        Self {
            iface,
            port,
            sockets: SocketSet::new(Vec::new()),
        }
    }
    fn add(&mut self, buffer: usize) -> SocketHandle {
        let b = || SocketBuffer::new(vec![0; buffer]);
        let mut s = Socket::new(b(), b());
        s.set_ack_delay(None);
        self.sockets.add(s)
    }
    fn socket(&mut self, h: SocketHandle) -> &mut Socket<'static> {
        self.sockets.get_mut(h)
    }
    fn poll(&mut self, now: Instant) {
        self.iface.poll(now, &mut self.port, &mut self.sockets);
    }
}

struct Pair {
    a: Host,
    b: Host,
    now: Instant,
}

impl Pair {
    fn new(mtu: usize, offload: bool) -> Self {
        Self {
            a: Host::new(1, mtu, offload),
            b: Host::new(2, mtu, offload),
            now: Instant::from_millis(1000),
        }
    }
    /// Carries frames until both are silent.
    fn settle(&mut self) {
        loop {
            self.a.poll(self.now);
            let ab = hand(&mut self.a.port, &mut self.b.port);
            self.b.poll(self.now);
            let ba = hand(&mut self.b.port, &mut self.a.port);
            if !ab && !ba {
                return;
            }
        }
    }
    fn pass(&mut self, ms: i64) {
        self.now = Instant::from_millis(self.now.total_millis() + ms);
    }
}

fn hand(from: &mut Port, to: &mut Port) -> bool {
    std::mem::swap(&mut from.outbox, &mut to.inbox);
    from.spare.append(&mut to.used);
    !to.inbox.is_empty()
}

fn server_at(port: u16) -> (IpAddress, u16) {
    (IpAddress::v4(10, 0, 0, 2), port)
}

fn establish(p: &mut Pair, c: SocketHandle, s: SocketHandle, i: u64, port: u16) {
    p.b.socket(s).listen(port).expect("a closed socket listens");
    let local = 10_000 + (i % 50_000) as u16;
    let Host { iface, sockets, .. } = &mut p.a;
    sockets
        .get_mut::<Socket<'_>>(c)
        .connect(iface.context(), server_at(port), local)
        .expect("a closed socket connects");
    p.settle();
    assert_eq!(p.a.socket(c).state(), State::Established);
    assert_eq!(p.b.socket(s).state(), State::Established);
}

fn rst_once(p: &mut Pair, c: SocketHandle, s: SocketHandle, i: u64, port: u16) {
    establish(p, c, s, i, port);
    p.a.socket(c).abort();
    p.settle();
    assert_eq!(p.b.socket(s).state(), State::Closed);
}

fn fin_once(p: &mut Pair, c: SocketHandle, s: SocketHandle, i: u64) {
    establish(p, c, s, i, PORT);
    p.a.socket(c).close();
    p.settle();
    assert_eq!(p.b.socket(s).state(), State::CloseWait);
    p.b.socket(s).close();
    p.settle();
    assert_eq!(p.a.socket(c).state(), State::TimeWait);
    // Its TIME_WAIT lasts ten seconds and holds the whole socket.
    p.pass(11_000);
    p.a.poll(p.now);
    assert_eq!(p.a.socket(c).state(), State::Closed);
}

/// Row `rst`.
pub(crate) fn rst(m: &mut Meter, n: u64) -> Result<f64, String> {
    let mut p = Pair::new(1500, false);
    let (c, s) = (p.a.add(4096), p.b.add(4096));
    for i in 0..n / 10 {
        rst_once(&mut p, c, s, i, PORT);
    }
    m.time(|| {
        for i in 0..n {
            rst_once(&mut p, c, s, i, PORT);
        }
    });
    Ok(m.each(n))
}

/// Row `fin`.
pub(crate) fn fin(m: &mut Meter, n: u64) -> Result<f64, String> {
    let mut p = Pair::new(1500, false);
    let (c, s) = (p.a.add(4096), p.b.add(4096));
    for i in 0..n / 10 {
        fin_once(&mut p, c, s, i);
    }
    m.time(|| {
        for i in 0..n {
            fin_once(&mut p, c, s, i);
        }
    });
    Ok(m.each(n))
}

/// Row `listeners-100000`, with 4,096.
pub(crate) fn rst_of_4096(m: &mut Meter, n: u64) -> Result<f64, String> {
    let mut p = Pair::new(1500, false);
    let c = p.a.add(4096);
    let all: Vec<SocketHandle> = (0..4096).map(|_| p.b.add(64)).collect();
    for (i, h) in all.iter().enumerate() {
        p.b.socket(*h)
            .listen(1024 + i as u16)
            .map_err(|e| format!("{e:?}"))?;
    }
    let mut x = 1u64;
    let mut go = |p: &mut Pair, i| {
        x = x
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        let k = (x >> 33) as usize % all.len();
        rst_once(p, c, all[k], i, 1024 + k as u16);
        p.b.socket(all[k])
            .listen(1024 + k as u16)
            .expect("a closed socket listens");
    };
    for i in 0..n / 10 {
        go(&mut p, i);
    }
    m.time(|| {
        for i in 0..n {
            go(&mut p, i);
        }
    });
    Ok(m.each(n))
}

/// Row `syn-rst`.
pub(crate) fn closed(m: &mut Meter, n: u64) -> Result<f64, String> {
    let mut h = Host::new(2, 1500, false);
    let mut frames = vec![Vec::new(); 64];
    for lot in 0..n / 64 {
        for (i, f) in frames.iter_mut().enumerate() {
            syn(f, lot * 64 + i as u64, 81);
        }
        h.port.inbox.extend(frames.drain(..));
        m.time(|| h.poll(Instant::from_millis(1000)));
        if h.port.outbox.len() != 64 {
            return Err(format!("{} resets", h.port.outbox.len()));
        }
        h.port.spare.extend(h.port.outbox.drain(..));
        frames.append(&mut h.port.used);
    }
    Ok(m.each(n))
}

/// Row `syn-queue`: a plain SYN-ACK of 64 hosts with one listening socket each, since a socket holds one half-open.
pub(crate) fn syn_ack(m: &mut Meter, n: u64) -> Result<f64, String> {
    let mut hosts: Vec<(Host, SocketHandle)> = (0..64)
        .map(|_| {
            let mut h = Host::new(2, 1500, false);
            let s = h.add(4096);
            (h, s)
        })
        .collect();
    for lot in 0..n / 64 {
        for (i, (h, s)) in hosts.iter_mut().enumerate() {
            h.socket(*s).abort();
            h.poll(Instant::from_millis(1000));
            h.socket(*s).listen(PORT).map_err(|e| format!("{e:?}"))?;
            h.port.spare.extend(h.port.outbox.drain(..));
            let mut b = h.port.used.pop().unwrap_or_default();
            syn(&mut b, lot * 64 + i as u64, PORT);
            h.port.inbox.push_back(b);
        }
        m.time(|| {
            for (h, _) in &mut hosts {
                h.poll(Instant::from_millis(1000));
            }
        });
        if hosts.iter().any(|(h, _)| h.port.outbox.len() != 1) {
            return Err("no SYN-ACK".into());
        }
    }
    Ok(m.each(n))
}

/// Row `bytes-idle`: a socket with buffers of one segment each.
pub(crate) fn idle_bytes(_: &mut Meter, n: u64) -> Result<f64, String> {
    let mut h = Host::new(2, 1500, false);
    let before = live();
    for _ in 0..n {
        h.add(1460);
    }
    let bytes = live() - before;
    black_box(&h.sockets);
    Ok(bytes / n as f64)
}

fn carry(m: &mut Meter, n: u64, mtu: usize, offload: bool) -> Result<f64, String> {
    let mut p = Pair::new(mtu, offload);
    let (c, s) = (p.a.add(4 * CHUNK), p.b.add(4 * CHUNK));
    establish(&mut p, c, s, 0, PORT);
    let (data, mut sink) = (vec![0x55u8; CHUNK], vec![0u8; CHUNK]);
    let mut go = |total: u64| {
        let (mut sent, mut got, mut turns) = (0, 0, 0);
        while got < total {
            turns += 1;
            let want = CHUNK.min((total - sent) as usize);
            let wrote = p.a.socket(c).send_slice(&data[..want]);
            sent += wrote.map_err(|e| format!("{e:?}"))? as u64;
            p.settle();
            let read = p.b.socket(s).recv_slice(&mut sink);
            got += read.map_err(|e| format!("{e:?}"))? as u64;
            p.settle();
            p.pass(1);
            if turns > 100 * n + 1000 {
                return Err(format!("stuck at {got} of {total} bytes"));
            }
        }
        Ok(())
    };
    let total = n * CHUNK as u64;
    go(total / 8)?;
    m.time(|| go(total))?;
    Ok(m.gbits(total))
}

/// Row `bulk-1500`.
pub(crate) fn mtu_1500(m: &mut Meter, n: u64) -> Result<f64, String> {
    carry(m, n, 1500, false)
}
/// Row `bulk-1500-nocsum`.
pub(crate) fn mtu_1500_offload(m: &mut Meter, n: u64) -> Result<f64, String> {
    carry(m, n, 1500, true)
}
/// Row `bulk-64k`: its largest packet.
pub(crate) fn mtu_65535(m: &mut Meter, n: u64) -> Result<f64, String> {
    carry(m, n, 65535, false)
}
/// Row `bulk-64k-nocsum`.
pub(crate) fn mtu_65535_offload(m: &mut Meter, n: u64) -> Result<f64, String> {
    carry(m, n, 65535, true)
}
