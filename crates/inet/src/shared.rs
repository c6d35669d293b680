//! What both halves of a namespace use: counters, sysctls, tables that hold either family, and small services.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, SocketAddr};
use hearken_abi::{Counter, DropReason, TcpState};
use hearken_tcp::tcb::NONE;
use hearken_tcp::{Ctx, Drops, Family, Instant, Mib, Pool, Secrets, Sysctls, Tuple};

use crate::api::{IfaceId, SocketId};
use crate::arena::Arena;
use crate::event::Event;
use crate::frame::RxFrame;
use crate::hash::bind::Binds;
use crate::hash::listening::Listening;
use crate::hooks::{HookMask, Hooks, Retransmit, SeenFrame, StateChange, Step};
use crate::iface::{Iface, MAX_REPLIES, Routing};
use crate::ip::fragment::Fragments;
use crate::ip::limit::Limiter;
use crate::ip::types::IcmpTypes;
use crate::listen::{
    Departed, FastOpenKeys, Group, Listener, SavedSyns, SynDevices, SynTimeouts, SynTos,
};
use crate::log::Message;
use crate::md5::Md5;
use crate::metrics::Metrics;
use crate::socket::{Phase, Socket};
use crate::timers::{Key, Timers};
use crate::udp::UdpTable;

pub(crate) struct Shared {
    pub(crate) sysctls: Sysctls,
    pub(crate) secrets: Secrets,
    pub(crate) mib: Mib,
    pub(crate) drops: Drops,
    pub(crate) pool: Pool,
    pub(crate) timers: Timers,
    pub(crate) routing: Routing,
    pub(crate) metrics: Metrics,
    pub(crate) ifaces: Vec<Iface>,
    pub(crate) sockets: Arena<Socket>,
    pub(crate) listeners: Arena<Listener>,
    pub(crate) lhash: Listening,
    pub(crate) groups: Arena<Group>,
    /// By slot and generation of listeners that are gone.
    pub(crate) departed: BTreeMap<(u32, u32), Departed>,
    pub(crate) binds: Binds,
    pub(crate) udp: UdpTable,
    pub(crate) fragments: Fragments,
    pub(crate) icmp_limit: Limiter,
    pub(crate) icmp_types: IcmpTypes,
    /// Listeners of `listen_any`, for IPv4 and IPv6.
    pub(crate) any: [u32; 2],
    pub(crate) syns: VecDeque<Event>,
    pub(crate) lo: VecDeque<Vec<u8>>,
    pub(crate) saved_syns: SavedSyns,
    pub(crate) syn_tos: SynTos,
    /// What a sock_ops program said of their timeouts.
    pub(crate) syn_timeouts: SynTimeouts,
    pub(crate) syn_devices: SynDevices,
    /// At most [`LOG`] lines, the oldest first.
    pub(crate) log: VecDeque<Message>,
    /// The Fast Open keys, once there is one.
    pub(crate) fastopen_keys: Option<FastOpenKeys>,
    /// Some socket has, or had, a least TTL: nobody looks before.
    pub(crate) min_ttl: bool,
    /// Some socket is, or was, bound to a device.
    pub(crate) devices: bool,
    /// Some socket has, or had, a filter.
    pub(crate) filters: bool,
    pub(crate) md5: Md5,
    events: VecDeque<(u32, u32)>,
    hooks: Option<Box<dyn Hooks + Send>>,
    mask: HookMask,
}

/// Lines of the log that are kept for whoever reads it.
const LOG: usize = 256;

impl Shared {
    /// Writes a line into the log.
    pub(crate) fn say(&mut self, line: Message) {
        if self.log.len() == LOG {
            self.log.pop_front();
        }
        self.log.push_back(line);
    }

    pub(crate) fn new(
        seed: &[u8; 32],
        sysctls: Sysctls,
        hooks: Option<Box<dyn Hooks + Send>>,
    ) -> Self {
        let mask = hooks.as_ref().map_or(HookMask::default(), |h| h.mask());
        Self {
            sysctls,
            secrets: Secrets::new(seed),
            mib: Mib::new(),
            drops: Drops::new(),
            pool: Pool::default(),
            timers: Timers::default(),
            routing: Routing::default(),
            metrics: Metrics::default(),
            ifaces: Vec::new(),
            sockets: Arena::new(),
            listeners: Arena::new(),
            lhash: Listening::new(),
            groups: Arena::new(),
            departed: BTreeMap::new(),
            binds: Binds::new(),
            udp: UdpTable::new(),
            fragments: Fragments::default(),
            icmp_limit: Limiter::new(),
            icmp_types: IcmpTypes::default(),
            any: [NONE; 2],
            syns: VecDeque::new(),
            lo: VecDeque::new(),
            saved_syns: SavedSyns::default(),
            log: VecDeque::new(),
            syn_tos: SynTos::default(),
            syn_timeouts: SynTimeouts::default(),
            syn_devices: SynDevices::default(),
            fastopen_keys: None,
            min_ttl: false,
            devices: false,
            filters: false,
            md5: Md5::default(),
            events: VecDeque::new(),
            hooks,
            mask,
        }
    }

    pub(crate) fn ctx(&mut self, now: Instant) -> Ctx<'_> {
        Ctx {
            now,
            mib: &mut self.mib,
            drops: &mut self.drops,
            sysctls: &self.sysctls,
            pool: &mut self.pool,
        }
    }

    /// What the choice among members of a group hangs on: the same tuple, the same number.
    pub(crate) fn spread<F: Family>(&self, t: &Tuple<F>) -> u32 {
        (self.secrets.tuple_hash(t) >> 32) as u32
    }

    pub(crate) fn drop_packet(&mut self, reason: DropReason) {
        self.drops.record(reason);
    }

    /// `ListenDrops`, and the reason.
    pub(crate) fn drop_at_listener(&mut self, reason: DropReason) {
        self.mib.inc(Counter::ListenDrops);
        self.drops.record(reason);
    }

    /// `ListenOverflows`, of the namespace and of the listener.
    pub(crate) fn count_overflow(&mut self, listener: u32) {
        self.mib.inc(Counter::ListenOverflows);
        if let Some(l) = self.listeners.get_mut(listener) {
            l.tally.overflows += 1;
        }
    }

    pub(crate) fn id(&self, slot: u32) -> SocketId {
        SocketId {
            slot,
            generation: self.sockets.generation(slot),
        }
    }

    pub(crate) fn socket(&self, s: SocketId) -> Option<&Socket> {
        (self.sockets.generation(s.slot) == s.generation)
            .then(|| self.sockets.get(s.slot))
            .flatten()
    }

    pub(crate) fn socket_mut(&mut self, s: SocketId) -> Option<&mut Socket> {
        self.sockets.of(s.slot, s.generation)
    }

    pub(crate) fn iface(&mut self, i: IfaceId) -> Option<&mut Iface> {
        self.ifaces.get_mut(usize::from(i.0))
    }

    /// The largest packet to `dst` by interface `i`.
    pub(crate) fn mtu_to(&self, i: IfaceId, dst: IpAddr) -> u32 {
        let mtu = self.routing.route_mtu(dst).unwrap_or_else(|| self.mtu(i));
        self.metrics.path_mtu(dst).map_or(mtu, |path| mtu.min(path))
    }

    /// The device that a socket is bound to.
    pub(crate) fn device_of(&self, socket: u32) -> Option<IfaceId> {
        if !self.devices {
            return None;
        }
        self.sockets.get(socket)?.conf.as_ref()?.device
    }

    pub(crate) fn mtu(&self, i: IfaceId) -> u32 {
        self.ifaces.get(usize::from(i.0)).map_or(1500, |i| i.mtu)
    }

    /// Puts a record into the transmit list of its interface.
    pub(crate) fn enqueue(&mut self, iface: u16, key: Key) {
        if let Some(i) = self.ifaces.get_mut(usize::from(iface)) {
            i.queue.push_back(key);
        }
    }

    /// A packet, or super-frame, of `len` bytes goes to a device.
    pub(crate) fn count_out(&mut self, v6: bool, len: usize) {
        let (requests, transmits, octets) = if v6 {
            (
                Counter::Ip6OutRequests,
                Counter::Ip6OutTransmits,
                Counter::Ip6OutOctets,
            )
        } else {
            (
                Counter::IpOutRequests,
                Counter::IpOutTransmits,
                Counter::IpExtOutOctets,
            )
        };
        self.mib.inc(requests);
        self.mib.inc(transmits);
        self.mib.add(octets, len as u64);
    }

    /// A packet came with this traffic class, whose last two bits are ECN's (RFC 3168 5).
    pub(crate) fn count_mark(&mut self, v6: bool, tos: u8) {
        let marks = if v6 {
            [
                Counter::Ip6InNoEctPkts,
                Counter::Ip6InEct1Pkts,
                Counter::Ip6InEct0Pkts,
                Counter::Ip6InCePkts,
            ]
        } else {
            [
                Counter::IpExtInNoEctPkts,
                Counter::IpExtInEct1Pkts,
                Counter::IpExtInEct0Pkts,
                Counter::IpExtInCePkts,
            ]
        };
        self.mib.inc(marks[usize::from(tos & 3)]);
    }

    /// The ports of the socket's protocol.
    pub(crate) fn binds(&self, slot: u32) -> &Binds {
        match self.sockets.get(slot).map(|s| s.phase) {
            Some(Phase::Udp(_)) => &self.udp.binds,
            _ => &self.binds,
        }
    }
    pub(crate) fn binds_mut(&mut self, slot: u32) -> &mut Binds {
        match self.sockets.get(slot).map(|s| s.phase) {
            Some(Phase::Udp(_)) => &mut self.udp.binds,
            _ => &mut self.binds,
        }
    }

    /// A stateless answer; beyond the ring's length it is dropped, counted.
    pub(crate) fn reply(&mut self, iface: IfaceId, packet: Vec<u8>) {
        let Some(i) = self.iface(iface) else { return };
        if i.replies.len() < MAX_REPLIES {
            i.replies.push_back(packet);
        } else {
            i.recycle(packet);
            self.mib.inc(Counter::IpOutDiscards);
            self.drops.record(DropReason::FullRing);
        }
    }

    /// The socket's readiness may have changed. A socket stands in the event list at most once.
    pub(crate) fn mark(&mut self, slot: u32) {
        let generation = self.sockets.generation(slot);
        if let Some(s) = self.sockets.get_mut(slot)
            && !core::mem::replace(&mut s.marked, true)
        {
            self.events.push_back((slot, generation));
        }
    }

    /// The first marked socket, taken out of the list.
    pub(crate) fn next_marked(&mut self) -> Option<u32> {
        while let Some((slot, generation)) = self.events.pop_front() {
            if let Some(s) = self.sockets.of(slot, generation) {
                s.marked = false;
                return Some(slot);
            }
        }
        None
    }

    /// Other hooks, or none.
    pub(crate) fn set_hooks(&mut self, hooks: Option<Box<dyn Hooks + Send>>) {
        self.mask = hooks.as_ref().map_or(HookMask::default(), |h| h.mask());
        self.hooks = hooks;
    }

    /// Whether one of these is wanted.
    pub(crate) fn wants(&self, mask: HookMask) -> bool {
        self.mask.0 & mask.0 != 0
    }

    /// Tells of a change of state.
    pub(crate) fn tell_state(&mut self, change: impl FnOnce() -> StateChange) {
        if let Some(h) = self.hooks(HookMask::STATES) {
            h.state(&change());
        }
    }

    /// Tells of a listener that comes or goes.
    pub(crate) fn tell_listener(&mut self, local: SocketAddr, listens: bool) {
        let (old, new) = if listens {
            (TcpState::Close, TcpState::Listen)
        } else {
            (TcpState::Listen, TcpState::Close)
        };
        self.tell_state(|| StateChange {
            local,
            remote: None,
            old,
            new,
        });
    }

    /// Tells of a retransmission.
    pub(crate) fn tell_retransmit(&mut self, again: impl FnOnce() -> Retransmit) {
        if let Some(h) = self.hooks(HookMask::RETRANSMITS) {
            h.retransmit(&again());
        }
    }

    /// Whether frames are to be shown; what was dropped before has nothing to do with them.
    pub(crate) fn begin_frames(&mut self) -> bool {
        let watched = self.wants(HookMask::DROPS.with(HookMask::FRAMES));
        if watched {
            self.drops.take_first();
        }
        watched
    }

    /// Shows a frame that has been taken in, if anybody wants to see it.
    #[cold]
    pub(crate) fn show_frame(&mut self, now: Instant, iface: IfaceId, frame: &RxFrame<'_>) {
        let drop = self.drops.take_first();
        let mask = if drop.is_some() {
            HookMask::DROPS
        } else {
            HookMask::FRAMES
        };
        if self.wants(mask.with(HookMask::FRAMES))
            && let Some(h) = self.hooks.as_deref_mut()
        {
            h.frame(&SeenFrame {
                now,
                iface,
                frame,
                drop,
            });
        }
    }

    pub(crate) fn hooks(&mut self, mask: HookMask) -> Option<&mut (dyn Hooks + Send + 'static)> {
        if !self.mask.has(mask) {
            return None;
        }
        self.hooks.as_deref_mut()
    }

    pub(crate) fn trace(&mut self, step: impl FnOnce() -> Step) {
        if let Some(h) = self.hooks(HookMask::TRACE) {
            h.trace(&step());
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("sockets", &self.sockets.len())
            .finish_non_exhaustive()
    }
}
