//! The child of a Fast Open SYN, from the SYN to the ACK of its SYN-ACK (statements 41, 98, 103).

use core::time::Duration;

use hearken_abi::Errno;
use hearken_twin::{Fd, Ip, Opt, Packet, Peer, Twin, unspec};
use libc::IPPROTO_TCP;

use super::fast_open_peer::{KEY, cookie_of, fast, on, opened, server};

cases! {
    fast_open_child_v4_icmp_ends_it_before_accept_only,
}

family_cases! {
    fast_open_child_is_of_use_before_the_ack,
    fast_open_child_with_every_option,
    fast_open_child_without_data,
    fast_open_child_row_in_the_table,
    fast_open_child_segments_before_the_ack,
    fast_open_child_timestamps_before_the_ack,
    fast_open_child_syn_again_at_a_limited_rate,
    fast_open_child_reset,
    fast_open_child_sends_only_its_syn_ack_again,
    fast_open_child_syncnt_is_the_limit,
    fast_open_child_data_is_sent_again_after_the_ack,
    fast_open_child_congestion_window_after_a_lost_syn_ack,
    fast_open_child_shutdown_write_waits_for_the_ack,
    fast_open_child_shutdown_read_and_both,
    fast_open_child_close_sends_its_fin_at_once,
    fast_open_child_close_with_unread_data_resets,
    fast_open_child_disconnect_resets_and_may_listen,
    fast_open_child_of_a_closed_listener,
}

const SYN_RECV: u8 = 3;

/// `tcpi_options`' bits for data in the SYN and for a child of Fast Open.
fn fast_bits(t: &mut dyn Twin, fd: Fd) -> u8 {
    t.getsockopt(fd, IPPROTO_TCP, libc::TCP_INFO, 104).unwrap()[5] & 0xa0
}

/// Statement 98.
fn fast_open_child_is_of_use_before_the_ack(t: &mut dyn Twin, ip: Ip) {
    let fd = server(t, ip, 80, 5, 5);
    let before = t.counters();
    let (mut peer, p) = opened(t, ip, 4000, 80, b"hello");
    assert_eq!(p.options, [Opt::Mss(ip.pick(1460, 1440))]);
    t.expect_tcp_counters(
        &before,
        &[("TcpPassiveOpens", 1), ("TcpExtTCPFastOpenPassive", 1)],
    );
    t.expect_queue(fd, 1, 5);
    let child = t.accept(fd).unwrap();
    assert_eq!(t.remote(child), Ok(peer.addr));
    assert_eq!((t.state(child), fast_bits(t, child)), (SYN_RECV, 0xa0));
    assert_eq!(t.poll(child), 0x145);
    assert_eq!(t.listen(child, 5), Err(Errno::EINVAL));
    let to = hearken_twin::loopback(ip, 80);
    assert_eq!(t.connect(child, &to), Err(Errno::EISCONN));
    assert_eq!(t.recv(child, 9, 0), Ok(b"hello".to_vec()));
    assert_eq!(t.recv(child, 9, 0), Err(Errno::EAGAIN));
    assert_eq!(t.poll(child), 0x104);
    assert_eq!(t.send(child, b"world", 0), Ok(5));
    let data = peer.expect(t, "PA");
    assert_eq!((data.seq, data.ack), (p.seq.wrapping_add(1), 1006));
    assert_eq!(data.data, b"world");
    assert_eq!(t.state(child), SYN_RECV);
    let before = t.counters();
    peer.ack(t);
    t.expect_nothing();
    assert_eq!((t.state(child), fast_bits(t, child)), (1, 0xa0));
    t.expect_counters(&before, &[("TcpCurrEstab", 1), ("TcpExtTCPPureAcks", 1)]);
    peer.data(t, b"more");
    assert_eq!(peer.expect(t, "A").ack, 1010);
    assert_eq!(t.recv(child, 9, 0), Ok(b"more".to_vec()));
}

/// Window scale, SACK and timestamps go with it.
fn fast_open_child_with_every_option(t: &mut dyn Twin, ip: Ip) {
    let fd = server(t, ip, 80, 5, 5);
    let mut peer = with_timestamps(ip, 4000);
    let p = on(t, &mut peer, &[b'x'; 1300]);
    assert_eq!((p.ack, p.window), (2301, ip.pick(65160, 64260)));
    let kinds: Vec<_> = p.options.iter().map(core::mem::discriminant).collect();
    let expected = [
        Opt::Mss(0),
        Opt::SackOk,
        Opt::Ts(0, 0),
        Opt::Nop,
        Opt::Wscale(7),
    ];
    assert_eq!(kinds, expected.map(|o| core::mem::discriminant(&o)));
    let child = t.accept(fd).unwrap();
    peer.ack(t);
    let info = t
        .getsockopt(child, IPPROTO_TCP, libc::TCP_INFO, 104)
        .unwrap();
    assert_eq!((info[0], info[5], info[6]), (1, 0xa7, 0x77));
    assert_eq!(t.recv(child, 2000, 0).unwrap().len(), 1300);
}

/// Statement 98: a cookie alone is enough.
fn fast_open_child_without_data(t: &mut dyn Twin, ip: Ip) {
    let fd = server(t, ip, 80, 5, 5);
    let (mut peer, _) = opened(t, ip, 4000, 80, b"");
    let child = t.accept(fd).unwrap();
    assert_eq!((t.state(child), fast_bits(t, child)), (SYN_RECV, 0x80));
    assert_eq!(t.poll(child), 0x104);
    t.send(child, b"early", 0).unwrap();
    assert_eq!(peer.expect(t, "PA").data, b"early");
    peer.data(t, b"hello");
    assert_eq!(peer.expect(t, "A").ack, 1006);
    assert_eq!(t.recv(child, 9, 0), Ok(b"hello".to_vec()));
}

/// One row, with the retransmission timer; an inode once it is accepted.
fn fast_open_child_row_in_the_table(t: &mut dyn Twin, ip: Ip) {
    let fd = server(t, ip, 80, 5, 5);
    let (mut peer, _) = opened(t, ip, 4000, 80, b"hello");
    let row = |t: &mut dyn Twin, state| {
        let rows = t.rows(state);
        assert_eq!(rows.len(), 1, "{rows:?}");
        (
            rows[0].tx_queue,
            rows[0].rx_queue,
            rows[0].timer,
            rows[0].retransmits,
            rows[0].inode != 0,
        )
    };
    assert_eq!(row(t, 3), (0, 5, 1, 0, false));
    let child = t.accept(fd).unwrap();
    assert_eq!(row(t, 3), (0, 5, 1, 0, true));
    t.send(child, b"worlds", 0).unwrap();
    peer.expect(t, "PA");
    assert_eq!(row(t, 3), (6, 5, 1, 0, true));
    peer.expect_within(t, "SA", Duration::from_millis(1200));
    assert_eq!(row(t, 3), (6, 5, 1, 1, true));
}

fn with_timestamps(ip: Ip, port: u16) -> Peer {
    let mut peer = fast(ip, port, 80, None);
    let right = hearken_twin::Cookie::new(&cookie_of(KEY, ip));
    peer.options = vec![
        Opt::Mss(ip.pick(1460, 1440)),
        Opt::SackOk,
        Opt::Ts(1000, 0),
        Opt::Nop,
        Opt::Wscale(7),
        Opt::FastOpen(right, false),
    ];
    peer
}

/// What a segment draws: flags, sequence number from the ISN on, acknowledgment number from the peer's ISN on.
type Answer<'a> = Option<(&'a str, u32, u32)>;

fn fast_open_child_segments_before_the_ack(t: &mut dyn Twin, ip: Ip) {
    let fd = server(t, ip, 80, 100, 100);
    t.sysctl("net.ipv4.tcp_invalid_ratelimit", "0").unwrap();
    let estab = ("TcpCurrEstab", 1);
    let (failed, out_rst) = (("TcpAttemptFails", 1), ("TcpOutRsts", 1));
    let again = [("TcpRetransSegs", 1), ("TcpExtTCPSynRetrans", 1)];
    // Flags, sequence number, acknowledgment number, data; the answer; the state then; what moved.
    type Row<'a> = (
        &'a str,
        u32,
        u32,
        &'a [u8],
        Answer<'a>,
        u8,
        &'a [(&'a str, i64)],
    );
    const BELOW: u32 = 0u32.wrapping_sub(100);
    let dup = Some(("A", 1, 6));
    let table: &[Row] = &[
        ("A", 6, 1, b"", None, 1, &[estab, ("TcpExtTCPPureAcks", 1)]),
        ("A", 1, 1, b"", dup, 3, &[]),
        ("PA", 1, 1, b"hello", dup, 3, &[]),
        (
            "PA",
            16,
            1,
            b"more",
            dup,
            1,
            &[estab, ("TcpExtTCPOFOQueue", 1)],
        ),
        ("A", 6, 0, b"", Some(("R", 0, 0)), 3, &[out_rst]),
        ("A", 6, 5, b"", Some(("R", 5, 0)), 3, &[out_rst]),
        ("PA", 6, 5, b"more", Some(("R", 5, 0)), 3, &[out_rst]),
        ("A", 200_000, 5, b"", dup, 3, &[]),
        ("A", 200_000, 1, b"", dup, 3, &[]),
        ("A", BELOW, 1, b"", dup, 3, &[]),
        ("P", 6, 0, b"x", None, 3, &[]),
        ("F", 6, 0, b"", None, 3, &[]),
        ("R", 1, 0, b"", None, 3, &[]),
        ("R", 50, 0, b"", dup, 3, &[("TcpExtTCPChallengeACK", 1)]),
        ("R", 200_000, 0, b"", None, 3, &[]),
        ("S", 0, 0, b"", Some(("SA", 0, 6)), 3, &again),
        ("S", 0, 0, b"other data", Some(("SA", 0, 6)), 3, &again),
        ("S", 6, 0, b"", Some(("RA", 0, 7)), 3, &[failed, out_rst]),
        ("S", 20, 0, b"", Some(("RA", 0, 21)), 3, &[failed, out_rst]),
        ("S", 900_000, 0, b"", dup, 3, &[]),
        ("SA", 6, 1, b"", Some(("R", 1, 0)), 3, &[failed, out_rst]),
        ("SA", 0, 1, b"", dup, 3, &[]),
    ];
    for (at, (flags, seq, ack, data, answer, state, moved)) in table.iter().enumerate() {
        let (peer, p) = opened(t, ip, 4000 + at as u16, 80, b"hello");
        let child = t.accept(fd).unwrap();
        let before = t.counters();
        let mut s = peer.segment(flags);
        s.seq = 1000u32.wrapping_add(*seq);
        s.ack = if flags.contains('A') {
            p.seq.wrapping_add(*ack)
        } else {
            0
        };
        t.inject(&s.data(data).packet());
        let got = t.next_tcp(hearken_twin::QUIET);
        // A RST without ACK counts from 0.
        let from = |x: &Packet| if x.flags == "RA" { 0 } else { p.seq };
        let relative = got.as_ref().map(|x| {
            let acked = if x.flags.contains('A') {
                x.ack.wrapping_sub(1000)
            } else {
                0
            };
            (x.flags.as_str(), x.seq.wrapping_sub(from(x)), acked)
        });
        assert_eq!(relative, *answer, "row {at}: {flags} {seq} {ack}");
        assert_eq!(t.state(child), *state, "row {at}: {flags} {seq} {ack}");
        t.expect_tcp_counters(&before, moved);
    }
}

/// Data and a FIN with the ACK are taken; old timestamps are not, but nobody looks at the echo.
fn fast_open_child_timestamps_before_the_ack(t: &mut dyn Twin, ip: Ip) {
    let fd = server(t, ip, 80, 100, 100);
    type Stamp = Option<(u32, Option<u32>)>;
    let table: &[(Stamp, u8)] = &[
        (Some((10, None)), 3),
        (Some((1001, Some(1))), 1),
        (Some((1001, None)), 1),
        (None, 1),
    ];
    for (at, (stamp, state)) in table.iter().enumerate() {
        let mut peer = with_timestamps(ip, 4000 + at as u16);
        on(t, &mut peer, b"hello");
        let child = t.accept(fd).unwrap();
        assert_eq!(t.recv(child, 9, 0), Ok(b"hello".to_vec()));
        let before = t.counters();
        match stamp {
            Some((val, ecr)) => {
                peer.ts = *val;
                peer.ts_echo = ecr.or(peer.ts_echo);
            }
            None => peer.ts_echo = None,
        }
        t.inject(&peer.segment("FPA").data(b"more").packet());
        assert_eq!(t.state(child) == SYN_RECV, *state == 3, "row {at}");
        let old = i64::from(*state == 3);
        t.expect_counters(
            &before,
            &[("TcpExtPAWSEstab", old), ("TcpCurrEstab", 1 - old)],
        );
        if old == 0 {
            assert_eq!(t.recv(child, 9, 0), Ok(b"more".to_vec()), "row {at}");
            assert_eq!(t.recv(child, 9, 0), Ok(Vec::new()), "row {at}");
        }
        t.packets();
    }
}

fn fast_open_child_syn_again_at_a_limited_rate(t: &mut dyn Twin, ip: Ip) {
    server(t, ip, 80, 5, 5);
    let (mut peer, p) = opened(t, ip, 4000, 80, b"hello");
    peer.seq = 1000;
    let before = t.counters();
    for _ in 0..3 {
        peer.syn(t);
    }
    let again = peer.expect(t, "SA");
    assert_eq!(
        (again.seq, again.ack, again.options),
        (p.seq, 1006, p.options)
    );
    t.expect_nothing();
    let moved = [
        ("TcpRetransSegs", 1),
        ("TcpExtTCPSynRetrans", 1),
        ("TcpExtTCPACKSkippedSynRecv", 2),
    ];
    t.expect_tcp_counters(&before, &moved);
}

/// Statement 103: it stays in the queue with its data; the failed attempt is counted twice.
fn fast_open_child_reset(t: &mut dyn Twin, ip: Ip) {
    let fd = server(t, ip, 80, 5, 5);
    let (peer, _) = opened(t, ip, 4000, 80, b"hello");
    let before = t.counters();
    peer.clone().rst(t);
    t.expect_nothing();
    t.expect_tcp_counters(&before, &[("TcpAttemptFails", 2)]);
    t.expect_queue(fd, 1, 5);
    let child = t.accept(fd).unwrap();
    assert_eq!(t.state(child), 7);
    assert_eq!(t.recv(child, 9, 0), Ok(b"hello".to_vec()));
    assert_eq!(t.recv(child, 9, 0), Err(Errno::ECONNRESET));
    // And one that its program holds, by a RST with ACK.
    let (peer, _) = opened(t, ip, 4001, 80, b"hello");
    let child = t.accept(fd).unwrap();
    t.inject(&peer.segment("RA").packet());
    assert_eq!(t.so_error(child), Errno::ECONNRESET.0);
    assert_eq!(t.state(child), 7);
}

/// Statement 103: one more than a request's; nothing that was written goes again.
fn fast_open_child_sends_only_its_syn_ack_again(t: &mut dyn Twin, ip: Ip) {
    t.sysctl("net.ipv4.tcp_synack_retries", "1").unwrap();
    let fd = server(t, ip, 80, 5, 5);
    let (mut peer, p) = opened(t, ip, 4000, 80, b"hello");
    let child = t.accept(fd).unwrap();
    t.send(child, b"world", 0).unwrap();
    peer.expect(t, "PA");
    let before = t.counters();
    let start = t.now();
    for at in [1000, 3000] {
        let again = peer.expect_within(t, "SA", Duration::from_millis(2300));
        assert_eq!(
            (again.seq, again.ack, &again.options),
            (p.seq, 1006, &p.options)
        );
        let late = (t.now() - start).as_millis().abs_diff(at);
        assert!(late < 250, "{late} ms off {at}");
    }
    t.expect_nothing_for(Duration::from_millis(3800));
    assert_eq!(t.state(child), SYN_RECV);
    t.expect_nothing_for(Duration::from_millis(700));
    assert_eq!(t.state(child), 7);
    let moved = [
        ("TcpAttemptFails", 1),
        ("TcpRetransSegs", 2),
        ("TcpExtTCPTimeouts", 3),
        ("TcpExtTCPAbortOnTimeout", 1),
        ("TcpExtTCPSynRetrans", 2),
    ];
    t.expect_tcp_counters(&before, &moved);
    assert_eq!(t.recv(child, 9, 0), Ok(b"hello".to_vec()));
    assert_eq!(t.recv(child, 9, 0), Err(Errno::ETIMEDOUT));
    assert_eq!(t.recv(child, 9, 0), Ok(Vec::new()));
}

/// TCP_SYNCNT of the listener, without the one more.
fn fast_open_child_syncnt_is_the_limit(t: &mut dyn Twin, ip: Ip) {
    let fd = server(t, ip, 80, 5, 5);
    t.set_int(fd, IPPROTO_TCP, libc::TCP_SYNCNT, 1).unwrap();
    let (mut peer, _) = opened(t, ip, 4000, 80, b"hello");
    let child = t.accept(fd).unwrap();
    peer.expect_within(t, "SA", Duration::from_millis(1200));
    t.expect_nothing_for(Duration::from_millis(2300));
    assert_eq!(t.state(child), 7);
    assert_eq!(t.so_error(child), Errno::ETIMEDOUT.0);
}

/// An ACK of the SYN alone starts the retransmission timer of what was written.
fn fast_open_child_data_is_sent_again_after_the_ack(t: &mut dyn Twin, ip: Ip) {
    let fd = server(t, ip, 80, 5, 5);
    let (mut peer, p) = opened(t, ip, 4000, 80, b"hello");
    let child = t.accept(fd).unwrap();
    t.send(child, b"world", 0).unwrap();
    peer.expect(t, "PA");
    t.expect_nothing_for(Duration::from_millis(400));
    peer.ack = p.seq.wrapping_add(1);
    peer.ack(t);
    t.expect_nothing();
    assert_eq!(t.state(child), 1);
    let again = peer.expect_within(t, "PA", Duration::from_secs(3));
    assert_eq!(
        (again.seq, again.data.as_slice()),
        (p.seq.wrapping_add(1), &b"world"[..])
    );
}

/// One SYN-ACK sent again costs nothing; from the second on the window starts anew, unless the ACK shows that nothing was
/// lost (the undo was wrong in 5.4.6, 6.5.10 and 6.11.4).
fn fast_open_child_congestion_window_after_a_lost_syn_ack(t: &mut dyn Twin, ip: Ip) {
    let fd = server(t, ip, 80, 50, 50);
    // How often it goes again, timestamps, data written before the ACK; whether the window is whole, what counted.
    type Row<'a> = (usize, bool, &'a [u8], bool, &'a [(&'a str, i64)]);
    let (undo, spurious) = (("TcpExtTCPLossUndo", 1), ("TcpExtTCPSpuriousRTOs", 1));
    let table: &[Row] = &[
        (1, false, b"", true, &[]),
        (1, true, b"", true, &[]),
        (2, false, b"", false, &[]),
        (2, false, b"world", true, &[undo, spurious]),
        (2, true, b"", true, &[undo]),
        (2, true, b"world", true, &[undo]),
    ];
    let mut open = Vec::new();
    for (at, (_, stamps, wrote, ..)) in table.iter().enumerate() {
        let port = 4000 + at as u16;
        let peer = if *stamps {
            let mut peer = with_timestamps(ip, port);
            on(t, &mut peer, b"hello");
            peer
        } else {
            opened(t, ip, port, 80, b"hello").0
        };
        let child = t.accept(fd).unwrap();
        t.send(child, wrote, 0).unwrap();
        while t.next_packet(Duration::ZERO).is_some() {}
        open.push((peer, child));
    }
    for times in 1..=2 {
        t.advance(Duration::from_millis(1000 * times as u64 + 50));
        while t.next_packet(Duration::ZERO).is_some() {}
        for (row, (peer, child)) in table
            .iter()
            .zip(&mut open)
            .filter(|(row, _)| row.0 == times)
        {
            let before = t.counters();
            peer.ack = peer.ack.wrapping_add(row.2.len() as u32);
            peer.ack(t);
            let what = format!("{row:?}");
            t.expect_counters(&before, row.4);
            let info = t
                .getsockopt(*child, IPPROTO_TCP, libc::TCP_INFO, 104)
                .unwrap();
            let word = |at: usize| u32::from_ne_bytes(info[at..at + 4].try_into().unwrap());
            assert_eq!(
                (info[0], word(80)),
                (1, if row.3 { 10 } else { 1 }),
                "{what}"
            );
            if !row.1 && row.2.is_empty() {
                assert_eq!(word(8), 3_000_000, "{what}: the timeout (RFC 6298 5.7)");
            }
            t.send(*child, &[b'x'; 14000], 0).unwrap();
            let sent: usize = t.packets().iter().map(|p| p.data.len()).sum();
            assert_eq!(
                sent,
                if row.3 { 14000 } else { ip.pick(1460, 1440) },
                "{what}"
            );
            peer.rst(t);
        }
    }
}

/// CVE-2024-36905: shutdown() in SYN_RECV leaves the state alone until the ACK.
fn fast_open_child_shutdown_write_waits_for_the_ack(t: &mut dyn Twin, ip: Ip) {
    let fd = server(t, ip, 80, 5, 5);
    for (port, wrote) in [(4000, &b""[..]), (4001, b"world")] {
        let (mut peer, _) = opened(t, ip, port, 80, b"hello");
        let child = t.accept(fd).unwrap();
        if !wrote.is_empty() {
            t.send(child, wrote, 0).unwrap();
            peer.expect(t, "PA");
        }
        t.shutdown(child, libc::SHUT_WR).unwrap();
        t.expect_nothing();
        assert_eq!((t.state(child), t.poll(child)), (SYN_RECV, 0x145));
        assert_eq!(t.send(child, b"z", 0), Err(Errno::EPIPE));
        let before = t.counters();
        peer.ack(t);
        let fin = peer.expect(t, "FA");
        assert_eq!((fin.ack, fin.data.len()), (1006, 0));
        assert_eq!(t.state(child), 4);
        t.expect_counters(
            &before,
            &[("TcpCurrEstab", 0), ("TcpExtTCPOrigDataSent", 1)],
        );
        assert_eq!(t.recv(child, 9, 0), Ok(b"hello".to_vec()));
        peer.ack(t);
        assert_eq!(t.state(child), 5);
    }
}

fn fast_open_child_shutdown_read_and_both(t: &mut dyn Twin, ip: Ip) {
    let fd = server(t, ip, 80, 5, 5);
    let (mut peer, _) = opened(t, ip, 4000, 80, b"hello");
    let child = t.accept(fd).unwrap();
    t.shutdown(child, libc::SHUT_RD).unwrap();
    assert_eq!((t.state(child), t.poll(child)), (SYN_RECV, 0x2145));
    t.send(child, b"z", 0).unwrap();
    peer.expect(t, "PA");
    peer.ack(t);
    assert_eq!(t.state(child), 1);
    assert_eq!(t.recv(child, 9, 0), Ok(b"hello".to_vec()));
    let (mut peer, _) = opened(t, ip, 4001, 80, b"hello");
    let child = t.accept(fd).unwrap();
    t.shutdown(child, libc::SHUT_RDWR).unwrap();
    t.expect_nothing();
    assert_eq!((t.state(child), t.poll(child)), (SYN_RECV, 0x2155));
    peer.ack(t);
    peer.expect(t, "FA");
    assert_eq!(t.state(child), 4);
}

fn fast_open_child_close_sends_its_fin_at_once(t: &mut dyn Twin, ip: Ip) {
    let fd = server(t, ip, 80, 5, 5);
    for (port, wrote) in [(4000, &b""[..]), (4001, b"world")] {
        let (mut peer, p) = opened(t, ip, port, 80, b"hello");
        let child = t.accept(fd).unwrap();
        t.recv(child, 9, 0).unwrap();
        let before = t.counters();
        if !wrote.is_empty() {
            t.send(child, wrote, 0).unwrap();
            peer.expect(t, "PA");
        }
        t.close(child).unwrap();
        let fin = peer.expect(t, "FA");
        assert_eq!(fin.seq, p.seq.wrapping_add(1 + wrote.len() as u32));
        assert_eq!(t.rows(4).len(), 1);
        // Until the ACK only the SYN-ACK goes again.
        let again = peer.expect_within(t, "SA", Duration::from_millis(1200));
        assert_eq!((again.seq, again.ack), (p.seq, 1006));
        peer.ack = fin.seq.wrapping_add(1);
        peer.ack(t);
        peer.fin(t);
        peer.expect(t, "A");
        assert_eq!(t.rows(6).len(), usize::from(port - 3999), "TIME_WAIT");
        t.expect_counters(
            &before,
            &[
                ("TcpCurrEstab", 0),
                ("TcpAttemptFails", 0),
                ("TcpExtTCPSynRetrans", 1),
            ],
        );
    }
}

fn fast_open_child_close_with_unread_data_resets(t: &mut dyn Twin, ip: Ip) {
    let fd = server(t, ip, 80, 5, 5);
    for (port, linger, counted) in [
        (4000, false, "TcpExtTCPAbortOnClose"),
        (4001, true, "TcpExtTCPAbortOnData"),
    ] {
        let (mut peer, p) = opened(t, ip, port, 80, b"hello");
        let child = t.accept(fd).unwrap();
        if linger {
            t.recv(child, 9, 0).unwrap();
            let zero = [1i32.to_ne_bytes(), 0i32.to_ne_bytes()].concat();
            t.setsockopt(child, libc::SOL_SOCKET, libc::SO_LINGER, &zero)
                .unwrap();
        }
        let before = t.counters();
        t.close(child).unwrap();
        peer.expect_rst_ack(t, p.seq.wrapping_add(1), 1006);
        t.expect_tcp_counters(&before, &[("TcpOutRsts", 1), (counted, 1)]);
        peer.ack(t);
        peer.expect(t, "R");
        assert_eq!(t.half_open(), 0);
    }
}

/// CVE-2025-39955: connect(AF_UNSPEC) on a child that waits for its ACK.
fn fast_open_child_disconnect_resets_and_may_listen(t: &mut dyn Twin, ip: Ip) {
    let fd = server(t, ip, 80, 5, 1);
    let (mut peer, p) = opened(t, ip, 4000, 80, b"hello");
    let child = t.accept(fd).unwrap();
    let before = t.counters();
    t.connect(child, &unspec()).unwrap();
    peer.expect_rst_ack(t, p.seq.wrapping_add(1), 1006);
    t.expect_tcp_counters(&before, &[("TcpOutRsts", 1)]);
    assert_eq!(t.state(child), 7);
    assert_eq!(t.half_open(), 0);
    assert_eq!(t.listen(child, 5), Ok(()));
    // Its place is free again, and no timer of it fires.
    let (peer, _) = opened(t, ip, 4001, 80, b"hello");
    peer.clone().rst(t);
    t.expect_nothing_for(Duration::from_millis(1200));
}

/// Statement 41: what waits is reset, oldest first; what was accepted goes on without its listener.
fn fast_open_child_of_a_closed_listener(t: &mut dyn Twin, ip: Ip) {
    let fd = server(t, ip, 80, 5, 5);
    let (mut first, p1) = opened(t, ip, 4000, 80, b"hello");
    let (mut second, p2) = opened(t, ip, 4001, 80, b"");
    let before = t.counters();
    t.close(fd).unwrap();
    first.expect_rst_ack(t, p1.seq.wrapping_add(1), 1006);
    second.expect_rst_ack(t, p2.seq.wrapping_add(1), 1001);
    t.expect_tcp_counters(&before, &[("TcpOutRsts", 2)]);
    assert_eq!(t.half_open(), 0);
    let fd = server(t, ip, 81, 5, 5);
    let (mut peer, _) = opened(t, ip, 4002, 81, b"hello");
    let child = t.accept(fd).unwrap();
    t.close(fd).unwrap();
    t.expect_nothing();
    assert_eq!(t.state(child), SYN_RECV);
    peer.expect_within(t, "SA", Duration::from_millis(1200));
    peer.ack(t);
    assert_eq!(t.state(child), 1);
    assert_eq!(t.recv(child, 9, 0), Ok(b"hello".to_vec()));
}

/// An error ends the one that nobody accepted, and is only told to the one that a program holds.
fn fast_open_child_v4_icmp_ends_it_before_accept_only(t: &mut dyn Twin) {
    let fd = server(t, Ip::V4, 80, 50, 50);
    for accepted in [false, true] {
        for (kind, code, errno) in [
            (3, 1, Errno::EHOSTUNREACH),
            (3, 3, Errno::ECONNREFUSED),
            (3, 13, Errno::EHOSTUNREACH),
            (11, 0, Errno::EHOSTUNREACH),
        ] {
            let port = 4000 + u16::from(code) + u16::from(kind) * 20 + u16::from(accepted);
            let (peer, p) = opened(t, Ip::V4, port, 80, b"hello");
            let held = accepted.then(|| t.accept(fd).unwrap());
            let before = t.counters();
            peer.icmp(t, kind, code, 0, p.seq);
            let child = held.unwrap_or_else(|| t.accept(fd).unwrap());
            let failed = i64::from(!accepted);
            t.expect_tcp_counters(&before, &[("TcpAttemptFails", failed)][..failed as usize]);
            assert_eq!(t.state(child), if accepted { SYN_RECV } else { 7 });
            assert_eq!(t.recv(child, 9, 0), Ok(b"hello".to_vec()));
            assert_eq!(t.so_error(child), errno.0, "ICMP {kind} {code}");
        }
    }
}
