//! The driven system, on both: the same steps see the same things.

use core::time::Duration;

use hearken_abi::Errno;
use hearken_twin::{
    Call, Fd, Lan, Output, Packet, Return, Segment, System, drive_hearken, drive_linux, sockaddr,
};

const SECOND: Duration = Duration::from_secs(1);

fn lan() -> Lan {
    Lan {
        addresses: vec![
            ("192.168.0.1".parse().expect("an address"), 16),
            ("fd3d::1".parse().expect("an address"), 64),
        ],
        mtu: 1500,
    }
}

/// Runs on both systems; Linux may be out of reach where nobody insists on it.
fn both(f: fn(&mut dyn System)) {
    drive_hearken(&lan(), [7; 32], f);
    if let Err(why) = drive_linux(&lan(), f) {
        assert!(std::env::var("CI").is_err(), "{why}");
        eprintln!("NOT RUN: {why}");
    }
}

fn now(s: &mut dyn System, call: Call) -> Return {
    let id = s.start(call).expect("a call that exists");
    let until = s.now() + SECOND;
    s.finish(id, until).expect("a call that returns").1
}

fn number(s: &mut dyn System, call: Call) -> Fd {
    now(s, call).result.expect("no error") as Fd
}

fn listener(s: &mut dyn System) -> Fd {
    let fd = number(
        s,
        Call::Socket {
            domain: libc::AF_INET,
            ty: libc::SOCK_STREAM,
            protocol: 0,
        },
    );
    let addr = sockaddr("0.0.0.0:8080".parse().expect("an address"));
    number(s, Call::Bind { fd, addr });
    number(s, Call::Listen { fd, backlog: 5 });
    fd
}

fn segment(flags: &str, seq: u32, ack: u32) -> Segment {
    let src = "203.0.113.9:40000".parse().expect("an address");
    let dst = "192.168.0.1:8080".parse().expect("an address");
    Segment::new(src, dst, flags, seq, ack)
}

/// The server's side of a connection from beyond the link's own network.
fn connected(s: &mut dyn System) -> (Fd, u32) {
    let fd = listener(s);
    s.inject(&segment("S", 0, 0).packet());
    let until = s.now() + SECOND;
    let (_, syn_ack) = s.next_packet(until).expect("the SYN-ACK");
    let isn = Packet::parse(&syn_ack).expect("TCP").seq;
    s.inject(&segment("A", 1, isn + 1).packet());
    let child = number(s, Call::Accept { fd, flags: None });
    (child, isn)
}

#[test]
fn accept_that_waits_returns_when_the_handshake_ends() {
    both(|s| {
        let fd = listener(s);
        let accept = s.start(Call::Accept { fd, flags: None }).expect("accept");
        let early = s.now() + Duration::from_millis(30);
        assert_eq!(s.finish(accept, early), None);
        s.inject(&segment("S", 0, 0).packet());
        let until = s.now() + SECOND;
        let (_, syn_ack) = s.next_packet(until).expect("the SYN-ACK");
        let isn = Packet::parse(&syn_ack).expect("TCP").seq;
        let begin = s.now();
        s.inject(&segment("A", 1, isn + 1).packet());
        let (at, returned) = s.finish(accept, until).expect("accept returns");
        assert!(at >= begin && at < begin + Duration::from_millis(500));
        let peer = sockaddr("203.0.113.9:40000".parse().expect("an address"));
        assert_eq!(returned.output, Output::Address(peer));
    });
}

#[test]
fn packets_carry_the_time_at_which_they_left() {
    both(|s| {
        listener(s);
        let begin = s.now();
        s.inject(&segment("S", 0, 0).packet());
        // Nobody looks for three seconds: the retransmission was at one second all the same.
        s.advance(begin + 2 * SECOND);
        let times: Vec<Duration> = core::iter::from_fn(|| s.next_packet(Duration::ZERO))
            .map(|(at, _)| at - begin)
            .collect();
        assert_eq!(times.len(), 2, "{times:?}");
        assert!(times[0] < Duration::from_millis(100), "{times:?}");
        assert!(times[1] >= SECOND && times[1] < SECOND + Duration::from_millis(100));
    });
}

#[test]
fn poll_returns_at_its_timeout_or_at_the_event() {
    both(|s| {
        let (fd, isn) = connected(s);
        let fds = vec![(fd, libc::POLLIN), (-1, libc::POLLIN)];
        let begin = s.now();
        let poll = Call::Poll {
            fds: fds.clone(),
            timeout: 40,
        };
        let id = s.start(poll).expect("poll");
        let (at, returned) = s.finish(id, begin + SECOND).expect("poll returns");
        assert!(at - begin >= Duration::from_millis(40));
        assert_eq!(returned.result, Ok(0));
        assert_eq!(returned.output, Output::Revents(vec![0, 0]));
        let id = s.start(Call::Poll { fds, timeout: -1 }).expect("poll");
        let before = s.now() + Duration::from_millis(20);
        assert_eq!(s.finish(id, before), None);
        s.inject(&segment("PA", 1, isn + 1).data(b"ping").packet());
        let until = s.now() + SECOND;
        let (_, returned) = s.finish(id, until).expect("poll returns");
        assert_eq!(returned.output, Output::Revents(vec![libc::POLLIN, 0]));
    });
}

#[test]
fn data_goes_through_every_call_that_moves_it() {
    both(|s| {
        let (fd, isn) = connected(s);
        s.inject(&segment("PA", 1, isn + 1).data(b"abcdefgh").packet());
        let read = now(
            s,
            Call::Read {
                fd,
                caps: vec![1, 2],
            },
        );
        assert_eq!(read.output, Output::Bytes(b"abc".to_vec()));
        let value = 1i32.to_ne_bytes().to_vec();
        let set = Call::Setsockopt {
            fd,
            level: libc::IPPROTO_TCP,
            name: libc::TCP_INQ,
            value,
        };
        assert_eq!(now(s, set).result, Ok(0));
        let got = now(
            s,
            Call::Recvmsg {
                fd,
                caps: vec![2],
                control: 64,
                flags: 0,
            },
        );
        let Output::Message {
            data,
            control,
            flags,
        } = got.output
        else {
            panic!("{got:?}");
        };
        assert_eq!((&data[..], flags), (&b"de"[..], 0));
        assert_eq!(control[16..20], 3i32.to_ne_bytes());
        let pair = now(s, Call::Pipe { flags: 0 }).output;
        let Output::Pair([out, into]) = pair else {
            panic!("{pair:?}");
        };
        let splice = |from, to| Call::Splice {
            from,
            to,
            len: 100,
            flags: 0,
        };
        assert_eq!(now(s, splice(fd, into)).result, Ok(3));
        assert_eq!(now(s, splice(out, fd)).result, Ok(3));
        let until = s.now() + SECOND;
        let sent = loop {
            let (_, packet) = s.next_packet(until).expect("the data");
            let packet = Packet::parse(&packet).expect("TCP");
            if !packet.data.is_empty() {
                break packet.data;
            }
        };
        assert_eq!(sent, b"fgh");
        // Nagle's algorithm would hold the next bytes back.
        s.inject(&segment("A", 9, isn + 4).packet());
        let info = s.tcp_info(fd).expect("TCP_INFO");
        assert_eq!(info[0], 1);
        let path = "/proc/self/exe".to_owned();
        let file = number(
            s,
            Call::Open {
                path,
                flags: 0,
                mode: 0,
            },
        );
        let sendfile = Call::Sendfile {
            to: fd,
            from: file,
            offset: Some(1),
            count: 3,
        };
        let sent = now(s, sendfile);
        assert_eq!((sent.result, sent.output), (Ok(3), Output::Offset(4)));
        let (_, packet) = s.next_packet(s.now() + SECOND).expect("the file's bytes");
        assert_eq!(Packet::parse(&packet).expect("TCP").data, b"ELF");
        assert_eq!(now(s, Call::Close { fd: 77 }).result, Err(Errno::EBADF));
    });
}

#[test]
fn counters_are_found_without_their_group() {
    both(|s| {
        let counters = s.counters();
        assert_eq!(counters.full_name("ListenDrops"), Some("TcpExtListenDrops"));
        assert_eq!(counters.full_name("OutRsts"), Some("TcpOutRsts"));
        assert_eq!(counters.full_name("Nonsense"), None);
    });
}
