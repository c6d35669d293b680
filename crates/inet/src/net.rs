//! Net (signatures; the bodies land next).
#![allow(unused_variables, clippy::unimplemented)]
use crate::*;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use hearken_abi::TcpInfo;

/// One network namespace.
#[derive(Debug)]
pub struct Net;

impl Net {
    /// Makes a namespace with `lo` up.
    pub fn new(config: Config) -> Self {
        unimplemented!()
    }
    /// Adds an interface without addresses.
    pub fn add_iface(&mut self, name: &str, mtu: u32) -> IfaceId {
        unimplemented!()
    }
    /// Adds a local address and the route to its network.
    pub fn add_addr(&mut self, iface: IfaceId, addr: IpAddr, prefix: u8) {
        unimplemented!()
    }
    /// Adds a route.
    pub fn add_route(&mut self, dst: IpAddr, prefix: u8, iface: IfaceId) {
        unimplemented!()
    }
    /// Every destination that arrives here counts as local.
    pub fn set_any_local(&mut self, iface: IfaceId) {
        unimplemented!()
    }
    /// Takes a batch of packets.
    pub fn handle_frames(&mut self, now: Instant, iface: IfaceId, frames: &[RxFrame<'_>]) {
        unimplemented!()
    }
    /// Runs expired timers.
    pub fn handle_timeout(&mut self, now: Instant) {
        unimplemented!()
    }
    /// Hands out what must leave by `iface`.
    pub fn poll_transmit(
        &mut self,
        now: Instant,
        iface: IfaceId,
        tx: &mut impl TxSink,
    ) -> Progress {
        unimplemented!()
    }
    /// Runs the inner loopback queue within a budget; true if more waits.
    pub fn poll_lo(&mut self, now: Instant) -> bool {
        unimplemented!()
    }
    /// The next deadline.
    pub fn poll_timeout(&self) -> Option<Instant> {
        unimplemented!()
    }
    /// Takes events; returns how many were written to `out`.
    pub fn poll_events(&mut self, out: &mut [Event]) -> usize {
        unimplemented!()
    }
    /// What holds now.
    pub fn readiness(&self, s: SocketId) -> Ready {
        unimplemented!()
    }
    /// What the owner wants to hear of.
    pub fn set_interest(&mut self, s: SocketId, want: Ready, token: u64) {
        unimplemented!()
    }
    /// Decides on a held SYN.
    pub fn resolve_syn(&mut self, now: Instant, id: SynId, verdict: SynVerdict) {
        unimplemented!()
    }
    /// Shows the bytes that wait to `f`, which says how many it took. Zero slices: end of stream.
    pub fn recv_with<R>(
        &mut self,
        now: Instant,
        s: SocketId,
        f: impl FnOnce(&[&[u8]]) -> (usize, R),
    ) -> Result<R, RecvError> {
        unimplemented!()
    }
    /// Lets `f` write into the send buffer; it says how many bytes it wrote.
    pub fn send_with<R>(
        &mut self,
        now: Instant,
        s: SocketId,
        f: impl FnOnce(&mut [&mut [u8]]) -> (usize, R),
    ) -> Result<R, SendError> {
        unimplemented!()
    }
    /// A TCP socket.
    pub fn socket(&mut self, domain: Domain) -> SocketId {
        unimplemented!()
    }
    /// bind(2)
    pub fn bind(&mut self, s: SocketId, addr: SocketAddr, cred: &Cred) -> Result<(), BindError> {
        unimplemented!()
    }
    /// listen(2), after the clamp and the security hook.
    pub fn listen(&mut self, now: Instant, s: SocketId, backlog: u32) -> Result<(), ListenError> {
        unimplemented!()
    }
    /// A listener for every address and port; each SYN is held for a verdict.
    pub fn listen_any(&mut self, now: Instant, domain: Domain, backlog: u32) -> SocketId {
        unimplemented!()
    }
    /// accept(2)
    pub fn accept(&mut self, now: Instant, s: SocketId) -> Result<Accepted, AcceptError> {
        unimplemented!()
    }
    /// Puts an accepted connection back at the front of the queue.
    pub fn accept_undo(&mut self, now: Instant, listener: SocketId, child: SocketId) {
        unimplemented!()
    }
    /// connect(2)
    pub fn connect(
        &mut self,
        now: Instant,
        s: SocketId,
        addr: SocketAddr,
        cred: &Cred,
    ) -> Result<Connect, ConnectError> {
        unimplemented!()
    }
    /// connect(AF_UNSPEC)
    pub fn disconnect(&mut self, now: Instant, s: SocketId) {
        unimplemented!()
    }
    /// shutdown(2)
    pub fn shutdown(
        &mut self,
        now: Instant,
        s: SocketId,
        how: Shutdown,
    ) -> Result<(), ShutdownError> {
        unimplemented!()
    }
    /// The last reference is gone.
    pub fn close(&mut self, now: Instant, s: SocketId) {
        unimplemented!()
    }
    /// Closes with a reset.
    pub fn abort(&mut self, now: Instant, s: SocketId) {
        unimplemented!()
    }
    /// getsockname(2)
    pub fn local_addr(&self, s: SocketId) -> SocketAddr {
        unimplemented!()
    }
    /// getpeername(2)
    pub fn peer_addr(&self, s: SocketId) -> Option<SocketAddr> {
        unimplemented!()
    }
    /// The TCP state.
    pub fn state(&self, s: SocketId) -> TcpState {
        unimplemented!()
    }
    /// AF_INET or AF_INET6.
    pub fn domain(&self, s: SocketId) -> Domain {
        unimplemented!()
    }
    /// TCP_INFO
    pub fn tcp_info(&self, now: Instant, s: SocketId) -> TcpInfo {
        unimplemented!()
    }
    /// SO_ERROR, taken.
    pub fn take_error(&mut self, s: SocketId) -> Option<SoError> {
        unimplemented!()
    }
    /// SIOCINQ: bytes to read.
    pub fn readable(&self, s: SocketId) -> usize {
        unimplemented!()
    }
    /// SIOCOUTQ: bytes written and not acknowledged; and of them, not yet sent.
    pub fn unacked(&self, s: SocketId) -> (usize, usize) {
        unimplemented!()
    }
    /// Length and limit of a listener's accept queue.
    pub fn accept_queue(&self, s: SocketId) -> Option<(u32, u32)> {
        unimplemented!()
    }
    /// setsockopt(2)
    pub fn set_option(&mut self, now: Instant, s: SocketId, opt: Opt) -> Result<(), OptError> {
        unimplemented!()
    }
    /// getsockopt(2)
    pub fn options(&self, s: SocketId) -> Options {
        unimplemented!()
    }
    /// Reads a sysctl.
    pub fn sysctl_get(&self, name: &str) -> Result<String, SysctlError> {
        unimplemented!()
    }
    /// Writes a sysctl.
    pub fn sysctl_set(&mut self, name: &str, value: &str) -> Result<(), SysctlError> {
        unimplemented!()
    }
    /// `net.core.somaxconn`
    pub fn somaxconn(&self) -> u32 {
        unimplemented!()
    }
    /// nstat's counters.
    pub fn mib(&self) -> &Mib {
        unimplemented!()
    }
    /// Drop reasons.
    pub fn drops(&self) -> &Drops {
        unimplemented!()
    }
    /// The hooks, if `mask` is among those wanted.
    pub fn hooks(&mut self, mask: HookMask) -> Option<&mut (dyn Hooks + Send)> {
        unimplemented!()
    }
    /// Every socket and half-open or dying connection.
    pub fn diag(&self) -> Vec<DiagRow> {
        unimplemented!()
    }
}
