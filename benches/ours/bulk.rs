//! One stream, from the sender's copy in to the receiver's copy out.

use std::net::{SocketAddr, SocketAddrV4};

use hearken_inet::{Cred, Domain, TxCaps};

use super::wire::{PLAIN, PORT, Pair, SERVER, listen};
use crate::meter::Meter;

/// What one write and one read of the program carry at most.
pub(crate) const CHUNK: usize = 65536;

/// Carries `n` times [`CHUNK`].
fn carry(m: &mut Meter, n: u64, mtu: u32, caps: TxCaps) -> Result<f64, String> {
    let mut p = Pair::new(mtu, caps, 64);
    let l = listen(&mut p.b, SERVER.into(), PORT, 16, 0);
    let c = p.a.socket(Domain::Inet);
    let to = SocketAddr::V4(SocketAddrV4::new(SERVER, PORT));
    p.a.connect(p.now, c, to, &Cred::ROOT)
        .map_err(|e| format!("{e:?}"))?;
    p.settle();
    let s = p.b.accept(p.now, l).map_err(|e| format!("{e:?}"))?.socket;
    let (data, mut sink) = (vec![0x55u8; CHUNK], vec![0u8; CHUNK]);
    let mut go = |total: u64| {
        let (mut sent, mut got, mut turns) = (0, 0, 0);
        while got < total {
            turns += 1;
            let want = CHUNK.min((total - sent) as usize);
            let wrote = p.a.send_with(p.now, c, |room| {
                let mut at = 0;
                for r in room {
                    let k = r.len().min(want - at);
                    r[..k].copy_from_slice(&data[at..at + k]);
                    at += k;
                }
                (at, at)
            });
            sent += wrote.unwrap_or(0) as u64;
            p.settle();
            let read = p.b.recv_with(p.now, s, |parts| {
                let mut at = 0;
                for r in parts {
                    let k = r.len().min(CHUNK - at);
                    sink[at..at + k].copy_from_slice(&r[..k]);
                    at += k;
                }
                (at, at)
            });
            got += read.unwrap_or(0) as u64;
            p.pass(20_000);
            p.settle();
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
    carry(m, n, 1500, PLAIN)
}

/// Row `bulk-1500-nocsum`.
pub(crate) fn mtu_1500_offload(m: &mut Meter, n: u64) -> Result<f64, String> {
    carry(
        m,
        n,
        1500,
        TxCaps {
            csum: true,
            max_gso: 0,
        },
    )
}

/// Row `bulk-64k`.
pub(crate) fn super_frames(m: &mut Meter, n: u64) -> Result<f64, String> {
    carry(
        m,
        n,
        1500,
        TxCaps {
            csum: false,
            max_gso: 65535,
        },
    )
}

/// Row `bulk-64k-nocsum`.
pub(crate) fn super_frames_offload(m: &mut Meter, n: u64) -> Result<f64, String> {
    carry(
        m,
        n,
        1500,
        TxCaps {
            csum: true,
            max_gso: 65535,
        },
    )
}
