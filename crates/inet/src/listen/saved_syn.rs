//! TCP_SAVE_SYN: the headers of a SYN, kept beside its request until the child takes them (Linux `tcp_reqsk_record_syn`;
//! docs/linux/saved-syn.md).

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use crate::api::IfaceId;
use crate::family::Side;
use crate::tcp_input::Packet;

/// The SYNs of requests, by family and slot. Nearly always empty, so that a request pays one bit.
#[derive(Debug, Default)]
pub(crate) struct SavedSyns(BTreeMap<(bool, u32), Box<[u8]>>);

impl SavedSyns {
    pub(super) fn keep<F: Side>(&mut self, slot: u32, syn: Box<[u8]>) {
        self.0.insert((F::V6, slot), syn);
    }
    pub(super) fn take<F: Side>(&mut self, slot: u32) -> Option<Box<[u8]>> {
        self.0.remove(&(F::V6, slot))
    }
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// The TOS that each request's SYN had while tcp_reflect_tos was on, without the bits of ECN; by family and slot.
#[derive(Debug, Default)]
pub(crate) struct SynTos(BTreeMap<(bool, u32), u8>);

impl SynTos {
    pub(super) fn keep<F: Side>(&mut self, slot: u32, tos: u8) {
        self.0.insert((F::V6, slot), tos & !3);
    }
    pub(super) fn get<F: Side>(&self, slot: u32) -> Option<u8> {
        self.0.get(&(F::V6, slot)).copied()
    }
    pub(super) fn take<F: Side>(&mut self, slot: u32) -> Option<u8> {
        self.0.remove(&(F::V6, slot))
    }
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// The first timeout of half-open connections for which a sock_ops program named one, by family and slot (Linux
/// `tcp_request_sock` has it in itself).
#[derive(Debug, Default)]
pub(crate) struct SynTimeouts(BTreeMap<(bool, u32), Duration>);

impl SynTimeouts {
    pub(super) fn keep<F: Side>(&mut self, slot: u32, timeout: Duration) {
        self.0.insert((F::V6, slot), timeout);
    }
    pub(super) fn get<F: Side>(&self, slot: u32) -> Option<Duration> {
        self.0.get(&(F::V6, slot)).copied()
    }
    pub(super) fn take<F: Side>(&mut self, slot: u32) {
        self.0.remove(&(F::V6, slot));
    }
}

/// The device that the listener of each request was bound to when its SYN came, if it was (Linux `ir_iif`); by family and
/// slot.
#[derive(Debug, Default)]
pub(crate) struct SynDevices(BTreeMap<(bool, u32), IfaceId>);

impl SynDevices {
    pub(super) fn keep<F: Side>(&mut self, slot: u32, device: IfaceId) {
        self.0.insert((F::V6, slot), device);
    }
    pub(super) fn take<F: Side>(&mut self, slot: u32) -> Option<IfaceId> {
        self.0.remove(&(F::V6, slot))
    }
}

/// What is kept of a SYN: IP and TCP header without payload, with 2 behind the device's header.
pub(super) fn bytes_of<F: Side>(save: u8, p: &Packet<'_, F>) -> Box<[u8]> {
    let link = if save > 1 { p.raw.link } else { &[] };
    let mut kept = Vec::with_capacity(link.len() + p.raw.ip.len() + p.raw.tcp.len());
    for part in [link, p.raw.ip, p.raw.tcp] {
        kept.extend_from_slice(part);
    }
    kept.into_boxed_slice()
}

#[cfg(test)]
mod tests {
    use crate::*;
    use alloc::vec::Vec;

    #[test]
    fn saved_syns_go_with_their_requests() {
        let mut n = Net::new(Config::new([1; 32]));
        let mut now = Instant(1_000_000_000);
        let l = n.socket(Domain::Inet);
        n.set_option(now, l, Opt::SaveSyn(1)).unwrap();
        n.sysctl_set("net.ipv4.tcp_reflect_tos", "1").unwrap();
        n.listen(now, l, 1).unwrap();
        let at = ([127, 0, 0, 1], n.local_addr(l).port()).into();
        let mut clients = Vec::new();
        for _ in 0..3 {
            let c = n.socket(Domain::Inet);
            n.connect(now, c, at, &Cred::ROOT).unwrap();
            while n.poll_lo(now) {}
            clients.push(c);
        }
        assert_eq!(n.sh.saved_syns.len(), 0, "two children took theirs");
        assert_eq!(n.sh.syn_tos.len(), 0);
        let child = n.accept(now, l).unwrap().socket;
        assert_eq!(n.take_saved_syn(child, 100).unwrap().len(), 60);
        // A request whose client is silent ends with its timer.
        n.set_option(now, l, Opt::DeferAccept(3)).unwrap();
        let c = n.socket(Domain::Inet);
        n.connect(now, c, at, &Cred::ROOT).unwrap();
        while n.poll_lo(now) {}
        assert_eq!((n.sh.saved_syns.len(), n.sh.syn_tos.len()), (1, 1));
        n.abort(now, c);
        for _ in 0..200 {
            now = now + core::time::Duration::from_secs(1);
            n.handle_timeout(now);
            while n.poll_lo(now) {}
        }
        assert_eq!((n.sh.saved_syns.len(), n.sh.syn_tos.len()), (0, 0));
    }
}
