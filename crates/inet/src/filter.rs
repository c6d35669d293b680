//! SO_ATTACH_FILTER: a classic BPF program that says how much of each segment its socket sees (Linux `sk_filter_trim_cap`;
//! docs/linux/socket-filter.md).

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::cbpf::{Program, View};
use crate::family::Side;
use crate::shared::Shared;
use crate::tcp_input::Packet;
use hearken_abi::DropReason;

/// Processors are not told apart.
const CPU: u32 = 0;

/// Asks the filter of `socket`, if it has one: how many bytes of payload are kept, or `None`: drop the segment. A
/// program may cut payload, never the header.
pub(crate) fn keeps<F: Side>(sh: &mut Shared, socket: u32, p: &Packet<'_, F>) -> Option<u32> {
    let conf = sh.sockets.get(socket).and_then(|s| s.conf.as_ref());
    let Some(program) = conf.and_then(|c| c.filter.clone()) else {
        return Some(p.seg.len);
    };
    let kept = run(sh, &program, p);
    if kept == 0 {
        sh.drop_packet(DropReason::SocketFilter);
        return None;
    }
    Some(p.seg.len.min(kept.saturating_sub(p.raw.tcp.len() as u32)))
}

fn run<F: Side>(sh: &mut Shared, program: &Arc<Program>, p: &Packet<'_, F>) -> u32 {
    // Offset 0 is the TCP header.
    let mut segment = p.raw.tcp.to_vec();
    p.seg.data.iter().for_each(|d| segment.extend_from_slice(d));
    program.run(&View {
        data: &segment,
        network: [p.raw.ip, &segment],
        protocol: if F::V6 { 0x86dd } else { 0x0800 },
        ifindex: u32::from(p.iface.0) + 1,
        cpu: CPU,
        random: sh.secrets.draw() as u32,
    })
}

/// The first `keep` bytes of a payload in pieces.
pub(crate) fn cut<'a>(data: &[&'a [u8]], mut keep: usize) -> Vec<&'a [u8]> {
    let mut out = Vec::with_capacity(data.len());
    for piece in data {
        let piece = &piece[..piece.len().min(keep)];
        keep -= piece.len();
        out.push(piece);
    }
    out
}
