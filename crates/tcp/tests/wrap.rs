//! Two control blocks wired together without anything around them, so that the initial sequence numbers can be chosen:
//! what is right at zero must be right where the numbers wrap.

use core::time::Duration;
use hearken_abi::TcpState;
use hearken_tcp::buffer::Charge;
use hearken_tcp::tcb::{Output, Segment, SendRoom};
use hearken_tcp::{
    Ctx, Drops, Effects, Instant, Mib, Pool, RequestSock, Seq, Sysctls, Tcb, Tuple, V4,
};
use hearken_wire::{Flags, Options};

struct World {
    now: Instant,
    mib: Mib,
    drops: Drops,
    sysctls: Sysctls,
    pool: Pool,
    rng: u64,
}

impl World {
    fn new() -> Self {
        Self {
            now: Instant(1_000_000_000),
            mib: Mib::new(),
            drops: Drops::new(),
            sysctls: Sysctls::default(),
            pool: Pool::default(),
            rng: 7,
        }
    }
    fn cx(&mut self) -> Ctx<'_> {
        Ctx {
            now: self.now,
            mib: &mut self.mib,
            drops: &mut self.drops,
            sysctls: &self.sysctls,
            pool: &mut self.pool,
        }
    }
    fn lost(&mut self, in_a_hundred: u64) -> bool {
        self.rng = self
            .rng
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.rng >> 33) % 100 < in_a_hundred
    }
}

fn segment<'a>(o: &'a Output, data: &'a [&'a [u8]]) -> Segment<'a> {
    Segment {
        seq: o.seq,
        ack: o.ack,
        flags: o.flags,
        window: o.window,
        urgent: 0,
        options: &o.options,
        data,
        len: o.len as u32,
        ecn: 0,
        charge: Charge::packet(40 + o.len as u32),
        gso_size: 0,
        header: 20,
    }
}

/// Sends what `from` has to send; `to` takes what is not lost.
fn carry(w: &mut World, from: &mut Tcb, to: &mut Tcb, loss: u64) -> (bool, Effects) {
    let (mut any, mut fx) = (false, Effects::NONE);
    while let Some(o) = from.poll_output(&mut w.cx(), 3_000) {
        any = true;
        let mut slices: [&[u8]; 16] = [&[]; 16];
        let n = from.payload(o.offset, o.len, &mut slices);
        let bytes = slices[..n].concat();
        assert_eq!(bytes.len(), o.len);
        if !w.lost(loss) {
            fx |= to.input(&mut w.cx(), &segment(&o, &[&bytes]));
        }
    }
    (any, fx)
}

/// An active and a passive end, established.
fn pair(w: &mut World, iss: Seq, irs: Seq) -> (Tcb, Tcb) {
    let mut a = Tcb::connect(&mut w.cx(), iss, 0, 1460, 1, (None, 0));
    a.owner = 1;
    let syn = a.poll_output(&mut w.cx(), 0).expect("SYN");
    assert_eq!((syn.seq, syn.flags), (iss, Flags::SYN));
    let req = RequestSock::<V4> {
        deadline: Instant::FAR,
        tuple: Tuple {
            laddr: [10, 0, 0, 2],
            raddr: [10, 0, 0, 1],
            lport: 80,
            rport: 4000,
        },
        listener: 0,
        listener_gen: 1,
        rcv_isn: iss,
        snt_isn: irs,
        ts_recent: syn.options.timestamps.map_or(0, |t| t.0),
        ts_off: 0,
        sent_us: (w.now.0 / 1000) as u32,
        last_oow_ms: 0,
        rcv_wnd: 64240,
        mss: 1460,
        iface: 1,
        flags: RequestSock::<V4>::SACK_OK
            | RequestSock::<V4>::TSTAMP_OK
            | RequestSock::<V4>::WSCALE_OK,
        wscales: 0x77,
        num_timeout: 0,
        num_retrans: 0,
        last_sent_ms: 0,
    };
    let mut options = syn.options;
    options.timestamps = Some((w.now.millis32(), 0));
    let syn_ack = Segment {
        seq: irs,
        ack: iss + 1,
        flags: Flags::SYN.with(Flags::ACK),
        window: 64240,
        urgent: 0,
        options: &options,
        data: &[],
        len: 0,
        ecn: 0,
        charge: Charge::packet(40),
        gso_size: 0,
        header: 20,
    };
    let fx = a.input(&mut w.cx(), &syn_ack);
    assert!(fx.has(Effects::ESTABLISHED));
    let ack = a.poll_output(&mut w.cx(), 0).expect("ACK");
    assert_eq!((ack.seq, ack.ack), (iss + 1, irs + 1));
    let mut b = Tcb::accept(&mut w.cx(), &req, &segment(&ack, &[]));
    b.owner = 2;
    b.input(&mut w.cx(), &segment(&ack, &[]));
    (a, b)
}

fn pattern(n: usize, salt: usize) -> Vec<u8> {
    (0..n).map(|i| ((i + salt) * 31 % 251) as u8).collect()
}

/// `n` bytes each way, then both close; how often something was sent again.
fn exchange(iss: u32, irs: u32, n: usize, loss: u64) -> u64 {
    let mut w = World::new();
    let (mut a, mut b) = pair(&mut w, Seq(iss), Seq(irs));
    let data = [pattern(n, 0), pattern(n, 1)];
    let (mut sent, mut got) = ([0, 0], [Vec::new(), Vec::new()]);
    let mut fx = Effects::NONE;
    for round in 0.. {
        assert!(round < 200_000, "stalled");
        for (i, t) in [&mut a, &mut b].into_iter().enumerate() {
            let rest = &data[i][sent[i]..];
            if let SendRoom::Room(room) = t.send_room(&w.cx())
                && !rest.is_empty()
            {
                sent[i] += t
                    .send_with(&mut w.cx(), room, |out| {
                        let mut k = 0;
                        for o in out {
                            let m = o.len().min(rest.len() - k);
                            o[..m].copy_from_slice(&rest[k..k + m]);
                            k += m;
                        }
                        (k, ())
                    })
                    .0;
            } else if rest.is_empty() && !t.has(Tcb::SND_SHUT) {
                t.shutdown_write(&mut w.cx());
            }
            t.recv_with(&mut w.cx(), |d| {
                let v = d.concat();
                got[i].extend_from_slice(&v);
                (v.len(), ())
            });
        }
        let (ab, f) = carry(&mut w, &mut a, &mut b, loss);
        fx |= f;
        let (ba, f) = carry(&mut w, &mut b, &mut a, loss);
        fx |= f;
        let done = |t: &Tcb| t.has(Tcb::FIN_ACKED);
        if done(&a) && done(&b) && got[0].len() == n && got[1].len() == n {
            break;
        }
        if !ab && !ba {
            w.now = a.timer_at.min(b.timer_at).max(w.now);
            assert_ne!(w.now, Instant::FAR, "no timer");
            a.on_timer(&mut w.cx());
            b.on_timer(&mut w.cx());
        } else {
            w.now = w.now + Duration::from_millis(5);
        }
    }
    assert!(got[0] == data[1] && got[1] == data[0]);
    assert!(fx.has(Effects::TIME_WAIT) || b.state == TcpState::Close || a.state == TcpState::Close);
    assert_eq!(a.snd.una - Seq(iss), n as u32 + 2);
    assert_eq!(b.snd.una - Seq(irs), n as u32 + 2);
    a.release(&mut w.pool);
    b.release(&mut w.pool);
    w.mib.get(hearken_abi::Counter::TcpRetransSegs)
}

#[test]
fn transfer_across_the_wrap_equals_one_far_from_it() {
    for loss in [0, 3, 15] {
        let want = exchange(1_000_000, 2_000_000, 300_000, loss);
        assert_eq!(want > 0, loss > 0, "{want}");
        for iss in [
            u32::MAX,
            u32::MAX - 1,
            u32::MAX - 1460,
            u32::MAX - 100_000,
            (1 << 31) - 50_000,
        ] {
            // The same losses at the same places.
            assert_eq!(exchange(iss, iss.wrapping_sub(7), 300_000, loss), want);
        }
    }
}

#[test]
fn simultaneous_open_establishes_both_ends_with_the_first_syn_acks() {
    for iss in [5, u32::MAX] {
        let mut w = World::new();
        let mut a = Tcb::connect(&mut w.cx(), Seq(iss), 0, 1460, 1, (None, 0));
        let mut b = Tcb::connect(&mut w.cx(), Seq(77), 0, 1460, 1, (None, 0));
        (a.owner, b.owner) = (1, 2);
        let sa = a.poll_output(&mut w.cx(), 0).unwrap();
        let sb = b.poll_output(&mut w.cx(), 0).unwrap();
        a.input(&mut w.cx(), &segment(&sb, &[]));
        b.input(&mut w.cx(), &segment(&sa, &[]));
        assert_eq!((a.state, b.state), (TcpState::SynRecv, TcpState::SynRecv));
        let sa = a.poll_output(&mut w.cx(), 0).unwrap();
        let sb = b.poll_output(&mut w.cx(), 0).unwrap();
        assert_eq!(sa.flags, Flags::SYN.with(Flags::ACK));
        let fa = a.input(&mut w.cx(), &segment(&sb, &[]));
        let fb = b.input(&mut w.cx(), &segment(&sa, &[]));
        assert!(fa.has(Effects::ESTABLISHED) && fb.has(Effects::ESTABLISHED));
        assert_eq!(w.mib.get(hearken_abi::Counter::TcpSynChallenge), 0);
        assert_eq!(w.mib.get(hearken_abi::Counter::TcpSynRetrans), 0);
    }
}

#[test]
fn fin_of_a_connection_still_in_syn_recv_waits_for_the_handshake() {
    let mut w = World::new();
    let mut a = Tcb::connect(&mut w.cx(), Seq(u32::MAX), 0, 1460, 1, (None, 0));
    let mut b = Tcb::connect(&mut w.cx(), Seq(77), 0, 1460, 1, (None, 0));
    (a.owner, b.owner) = (1, 2);
    a.poll_output(&mut w.cx(), 0).unwrap();
    let sb = b.poll_output(&mut w.cx(), 0).unwrap();
    a.input(&mut w.cx(), &segment(&sb, &[]));
    a.shutdown_write(&mut w.cx());
    // The SYN-ACK, and again, and never a FIN in its place.
    for _ in 0..3 {
        let o = a.poll_output(&mut w.cx(), 0).unwrap();
        assert_eq!(
            (o.seq, o.flags),
            (Seq(u32::MAX), Flags::SYN.with(Flags::ACK))
        );
        assert!(a.poll_output(&mut w.cx(), 0).is_none());
        w.now = a.timer_at;
        a.on_timer(&mut w.cx());
    }
    let ack = Segment {
        seq: Seq(78),
        ack: Seq(0),
        flags: Flags::ACK,
        window: 1000,
        urgent: 0,
        options: &Options::NONE,
        data: &[],
        len: 0,
        ecn: 0,
        charge: Charge::packet(40),
        gso_size: 0,
        header: 20,
    };
    a.input(&mut w.cx(), &ack);
    assert_eq!(a.state, TcpState::FinWait1);
    let o = a.poll_output(&mut w.cx(), 0).unwrap();
    assert_eq!((o.seq, o.flags), (Seq(0), Flags::FIN.with(Flags::ACK)));
}
