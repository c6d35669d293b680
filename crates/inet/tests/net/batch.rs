//! A batch of frames, and the same frames one by one, in pieces, give the same bytes.

use crate::common::*;
use core::time::Duration;
use hearken_abi::Counter;
use hearken_inet::*;
use proptest::prelude::*;

/// Everything that a namespace sends at `now`.
fn sent(net: &mut Net, now: Instant, gso: bool) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    loop {
        let mut w = Wire {
            frames: Vec::new(),
            gso,
        };
        while net.poll_lo(now) {}
        let p = net.poll_transmit(now, ETH, &mut w);
        out.append(&mut w.frames);
        if p == Progress::Idle {
            return out;
        }
    }
}

/// The servers' program: accepts, and answers every byte with two.
#[derive(Default)]
struct Program {
    open: Vec<SocketId>,
}
impl Program {
    fn run(&mut self, net: &mut Net, now: Instant, l: SocketId) {
        while let Ok(a) = net.accept(now, l) {
            self.open.push(a.socket);
        }
        self.open.retain(|&s| match read(net, now, s) {
            Ok(b) if b.is_empty() => {
                net.close(now, s);
                false
            }
            Ok(b) => {
                let _ = write(net, now, s, &[b.clone(), b].concat());
                true
            }
            Err(RecvError::WouldBlock) => true,
            Err(_) => {
                net.close(now, s);
                false
            }
        });
    }
}

fn listener(net: &mut Net, now: Instant) -> SocketId {
    let l = net.socket(Domain::Inet6);
    net.bind(l, "[::]:80".parse().unwrap(), &Cred::ROOT)
        .unwrap();
    net.listen(now, l, 3).unwrap();
    l
}

fn frame<'a>(head: &'a [u8], body: &'a [&'a [u8]]) -> RxFrame<'a> {
    RxFrame {
        meta: RxMeta::default(),
        head,
        body,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// `whole` takes its frames in batches, `single` one at a time and cut in pieces behind the headers; the client hears
    /// `whole` alone. Frames are lost, repeated, swapped and flipped on the way.
    #[test]
    fn batch_and_the_same_frames_one_by_one_give_the_same_bytes(
        clients in 1usize..12,
        bytes in 0usize..30_000,
        gso in any::<bool>(),
        faults in proptest::collection::vec(any::<u32>(), 64),
        batch in 2usize..40,
        piece in 1usize..700,
    ) {
        let mut now = Instant(1_000_000_000);
        let mut client = net(1, 1);
        let (mut whole, mut single) = (net(2, 2), net(2, 2));
        let (lw, ls) = (listener(&mut whole, now), listener(&mut single, now));
        let (mut pw, mut ps) = (Program::default(), Program::default());
        let mut socks: Vec<(SocketId, usize)> = Vec::new();
        for i in 0..clients {
            let (domain, to) = if i % 2 == 0 {
                (Domain::Inet, "10.0.0.2:80")
            } else {
                (Domain::Inet6, "[fd00::2]:80")
            };
            let s = client.socket(domain);
            client.connect(now, s, to.parse().unwrap(), &Cred::ROOT).unwrap();
            socks.push((s, 0));
        }
        let data = vec![0x5a; bytes.max(1)];
        let (mut fault, mut moved) = (0, 0);
        for _ in 0..400 {
            for (s, done) in &mut socks {
                if *done < bytes {
                    *done += write(&mut client, now, *s, &data[*done..bytes]).unwrap_or(0);
                } else {
                    let _ = client.shutdown(now, *s, Shutdown::Write);
                }
                let _ = read(&mut client, now, *s);
            }
            let mut frames = Vec::new();
            for mut f in sent(&mut client, now, gso) {
                fault += 1;
                let x = faults[fault % faults.len()].wrapping_mul(fault as u32 | 1) >> 8;
                match x % 40 {
                    // The first SYNs arrive, lest chance lose every one.
                    _ if fault <= clients => frames.push(f),
                    0 | 1 => {}
                    2 => frames.extend([f.clone(), f]),
                    3 => frames.insert(0, f),
                    4 => {
                        let bit = x as usize / 40 % (f.len() * 8);
                        f[bit / 8] ^= 1 << (bit % 8);
                        frames.push(f);
                    }
                    _ => frames.push(f),
                }
            }
            for some in frames.chunks(batch) {
                let rx: Vec<_> = some.iter().map(|f| frame(&f[..], &[])).collect();
                whole.handle_frames(now, ETH, &rx);
                for f in some {
                    // All headers within 120 bytes stay in `head`; at most 16 pieces follow.
                    let (head, rest) = f.split_at(f.len().min(120));
                    let pieces: Vec<&[u8]> = rest.chunks(piece.max(rest.len() / 16 + 1)).collect();
                    single.handle_frames(now, ETH, &[frame(head, &pieces)]);
                }
                pw.run(&mut whole, now, lw);
                ps.run(&mut single, now, ls);
                let (a, b) = (sent(&mut whole, now, gso), sent(&mut single, now, gso));
                prop_assert_eq!(&a, &b);
                moved += a.len();
                let back: Vec<_> = a.iter().map(|f| frame(&f[..], &[])).collect();
                client.handle_frames(now, ETH, &back);
            }
            now = now + Duration::from_millis(7);
            for n in [&mut client, &mut whole, &mut single] {
                n.handle_timeout(now);
            }
            let (a, b) = (sent(&mut whole, now, gso), sent(&mut single, now, gso));
            prop_assert_eq!(&a, &b);
            let back: Vec<_> = a.iter().map(|f| frame(&f[..], &[])).collect();
            client.handle_frames(now, ETH, &back);
            pw.run(&mut whole, now, lw);
            ps.run(&mut single, now, ls);
        }
        prop_assert!(moved >= clients);
        for c in Counter::ALL {
            prop_assert_eq!(whole.mib().get(*c), single.mib().get(*c), "{}", c.name());
        }
        prop_assert_eq!(whole.poll_timeout(), single.poll_timeout());
        prop_assert!(whole.mib().get(Counter::TcpPassiveOpens) > 0);
    }
}
