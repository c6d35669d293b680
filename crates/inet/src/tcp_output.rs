//! From a segment to a packet: headers, checksum, device.

use alloc::vec::Vec;
use hearken_abi::Counter;
use hearken_tcp::md5::Key;
use hearken_tcp::{Seq, Tuple};
use hearken_wire::options::SIGNATURE_AT;
use hearken_wire::{Flags, Options, Sum, tcp};

use crate::api::IfaceId;
use crate::family::{IpMeta, Side};
use crate::frame::TxCsum;
use crate::shared::Shared;

const TCP: u8 = 6;
const CHECKSUM: usize = tcp::CHECKSUM_OFFSET;

/// Who sends to whom, and how the IP header is marked; a `ttl` of 0 is the namespace's default.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends<A> {
    pub(crate) src: A,
    pub(crate) dst: A,
    pub(crate) tos: u8,
    pub(crate) ttl: u8,
}

/// IP and TCP header of a packet; the checksum is still to be filled in by [`Head::seal`].
#[derive(Debug)]
pub(crate) struct Head {
    buf: [u8; 104],
    ip: usize,
    len: usize,
    pseudo: Sum,
    pub(crate) flow: u32,
}

/// Builds the headers of a segment with `payload` bytes.
pub(crate) fn head<F: Side>(
    sh: &Shared,
    ends: &Ends<F::Addr>,
    header: &tcp::Header,
    payload: usize,
) -> Head {
    // For queues a mix of the ports does; an IPv6 flow label is not to tell them (RFC 6437 6.1).
    let flow = if F::V6 {
        let tuple = Tuple::<F> {
            laddr: ends.src,
            raddr: ends.dst,
            lport: header.src_port,
            rport: header.dst_port,
        };
        (sh.secrets.tuple_hash(&tuple) >> 32) as u32
    } else {
        let ports = u32::from(header.src_port) << 16 | u32::from(header.dst_port);
        ports.wrapping_mul(0x9e37_79b1).rotate_left(16)
    };
    let mut buf = [0; 104];
    let ttl = if ends.ttl == 0 {
        sh.sysctls.ip_default_ttl
    } else {
        ends.ttl
    };
    let len = header.len() + payload;
    // A flow label of 0 means none (RFC 6437 3).
    let meta = IpMeta {
        proto: TCP,
        ttl,
        tos: ends.tos,
        flow: flow | 1,
    };
    let ip = F::emit_ip(&mut buf, ends.src, ends.dst, &meta, len);
    let end = ip + header.emit(&mut buf[ip..]);
    Head {
        buf,
        ip,
        len: end,
        pseudo: F::pseudo(ends.src, ends.dst, TCP, len),
        flow,
    }
}

impl Head {
    /// Fills in the checksum over the headers and `body`, or leaves it to the device.
    pub(crate) fn seal(&mut self, body: &[&[u8]], offload: bool) -> TxCsum {
        let at = self.ip + CHECKSUM;
        let mut sum = self.pseudo;
        let (value, csum) = if offload {
            (
                sum.folded(),
                TxCsum::Partial {
                    start: self.ip as u16,
                    offset: CHECKSUM as u16,
                },
            )
        } else {
            sum.add(&self.buf[self.ip..self.len]);
            body.iter().for_each(|b| sum.add(b));
            (sum.finish(), TxCsum::Done)
        };
        self.buf[at..at + 2].copy_from_slice(&value.to_be_bytes());
        csum
    }

    /// Fills in the signature, where the options have room for one (RFC 2385); before [`Head::seal`].
    pub(crate) fn sign<F: Side>(&mut self, key: &Key, ends: &Ends<F::Addr>, body: &[&[u8]]) {
        let at = self.ip + 20 + SIGNATURE_AT;
        let tcp = &self.buf[self.ip..self.len];
        let digest = key.sign(ends.src.as_ref(), ends.dst.as_ref(), tcp, body);
        self.buf[at..at + digest.len()].copy_from_slice(&digest);
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buf[..self.len]
    }
}

/// Queues a stateless segment without payload. With a key it is signed; its options then have [`Options::md5`].
pub(crate) fn reply<F: Side>(
    sh: &mut Shared,
    iface: IfaceId,
    ends: &Ends<F::Addr>,
    header: &tcp::Header,
    key: Option<&Key>,
) {
    let mut h = head::<F>(sh, ends, header, 0);
    if let Some(key) = key {
        h.sign::<F>(key, ends, &[]);
    }
    h.seal(&[], false);
    let mut packet: Vec<u8> = sh.iface(iface).map(|i| i.buffer()).unwrap_or_default();
    packet.extend_from_slice(h.bytes());
    sh.reply(iface, packet);
}

/// Queues a reset (RFC 9293 3.5.2): with the sequence number that the peer expects, or, if it told none, acknowledging
/// what it sent. `tuple` is as we see it.
pub(crate) fn reset<F: Side>(
    sh: &mut Shared,
    iface: IfaceId,
    tuple: &Tuple<F>,
    seq: Option<Seq>,
    ack: Seq,
    tos: u8,
    key: Option<&Key>,
) {
    let header = tcp::Header {
        src_port: tuple.lport,
        dst_port: tuple.rport,
        seq: seq.unwrap_or(Seq(0)).0,
        ack: if seq.is_some() { 0 } else { ack.0 },
        flags: if seq.is_some() {
            Flags::RST
        } else {
            Flags::RST.with(Flags::ACK)
        },
        ae: false,
        window: 0,
        urgent: 0,
        options: Options {
            md5: key.is_some(),
            ..Options::NONE
        },
    };
    sh.mib.inc(Counter::TcpOutSegs);
    sh.mib.inc(Counter::TcpOutRsts);
    reply::<F>(
        sh,
        iface,
        &Ends {
            src: tuple.laddr,
            dst: tuple.raddr,
            tos,
            ttl: 0,
        },
        &header,
        key,
    );
}
