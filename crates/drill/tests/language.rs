//! What scripts may say, and what is made of it.
#![forbid(unsafe_code)]

use std::time::Duration;

use hearken_abi::Errno;
use hearken_drill::ast::{
    Body, Direction, Ecn, EventKind, ExprKind, IcmpCode, IpVersion, Options, Packet, Quoted,
    Returns, Script, TcpOptionKind, Time,
};
use hearken_drill::parse;

fn read(text: &str) -> Script {
    match parse("t.pkt", text, &[]) {
        Ok(script) => script,
        Err(error) => panic!("{error}"),
    }
}

/// The text read, printed and read again is the same.
fn printed(text: &str) -> String {
    let first = read(text);
    let printed = first.to_string();
    let mut second = read(&printed);
    second.text = first.text.clone();
    assert_eq!(first, second, "{printed}");
    printed
}

fn packet(text: &str) -> Packet {
    let mut script = read(&format!("0 {text}\n"));
    match script.events.remove(0).kind {
        EventKind::Packet(packet) => packet,
        other => panic!("{other:?}"),
    }
}

#[test]
fn script_of_a_passive_open_reads_whole() {
    let text = r#"// A passive open.
--ip_version=ipv4
--tolerance_usecs=8000
`./defaults.sh
sysctl -q net.ipv4.tcp_timestamps=0`

    0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
   +0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0   // trailing
   +0 bind(3, ..., ...) = 0
   +0 listen(3, 1) = 0 /* more
      than a line */
   +0 < S 0:0(0) win 1000 <mss 1000,sackOK,nop,nop,nop,wscale 7>
   +0 > S. 0:0(0) ack 1 <...>
  +.1 < . 1:1(0) ack 1 win 257
   +0 accept(3, ..., ...) = 4
   +0 accept(3, ..., ...) = -1 EAGAIN (Resource temporarily unavailable)
   10 %{
assert tcpi_snd_cwnd == 10, tcpi_snd_cwnd
}%
`echo done`
"#;
    let script = read(text);
    assert_eq!(script.settings.ip_version, Some(IpVersion::Ipv4));
    assert_eq!(script.settings.tolerance, Some(Duration::from_millis(8)));
    assert_eq!(script.init.len(), 1);
    assert_eq!(script.events.len(), 10);
    assert_eq!(
        script.cleanup.as_ref().map(|c| c.text.as_str()),
        Some("echo done")
    );
    assert_eq!(
        script.events[6].time,
        Time::Relative(Duration::from_millis(100))
    );
    let EventKind::Call(call) = &script.events[8].kind else {
        panic!("a call");
    };
    assert_eq!(call.returns, Returns::Exact(-1));
    assert_eq!(call.errno.as_ref().map(|e| e.errno), Some(Errno::EAGAIN));
    printed(text);
}

#[test]
fn times_of_every_form_are_read() {
    let ms = Duration::from_millis;
    let script = read(
        "0.000 < . 1:1(0) win 5\n.1 close(3) = 0\n+.1 close(3) = 0\n1. close(3) = 0\n\
         * > . 1:1(0) ack 1\n1.5~2 > . 1:1(0) ack 1\n+0.1~+0.2 > . 1:1(0) ack 1\n\
         +0...0.250 accept(3, ..., ...) = 4\n2.0...2.5 read(4, ..., 10) = 10\n",
    );
    let times: Vec<Time> = script.events.iter().map(|e| e.time).collect();
    assert_eq!(
        times,
        [
            Time::Absolute(ms(0)),
            Time::Absolute(ms(100)),
            Time::Relative(ms(100)),
            Time::Absolute(ms(1000)),
            Time::Any,
            Time::AbsoluteRange(ms(1500), ms(2000)),
            Time::RelativeRange(ms(100), ms(200)),
            Time::Blocking {
                relative: true,
                start: ms(0),
                end: ms(250)
            },
            Time::Blocking {
                relative: false,
                start: ms(2000),
                end: ms(2500)
            },
        ]
    );
    printed(&script.to_string());
}

#[test]
fn packets_of_every_form_read_and_print_back() {
    for text in [
        "< S 0:0(0) win 65535 <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 7>",
        "> S. 0:0(0) ack 1 win 64240 <mss 1460,nop,nop,sackOK,nop,wscale 7>",
        "> FP. 1:1001(1000) ack 1",
        "< FSRPUEWA. 1:1(0) ack 1 win 10 urg 7",
        "< - 1:1(0) win 10",
        "> 5. 1:1(0) ack 1",
        "< [ect0] 7. 1:1(0) ack 1 win 10",
        "> [noecn, tos 0x10, ttl 64, flowlabel 0x12345, id 7, df] . 1:1(0) ack 1 <...>",
        "< [ce] . 1:1(0) ack 1 win 5 <nop,nop,sack 1:1001 2001:3001>",
        "< S 0:0(0) win 5 <FO 3021b9d889017eeb>",
        "< S 0:0(0) win 5 <mss 1460,FOEXP>",
        "< S 0:0(0) win 5 <md5 000102030405060708090a0b0c0d0e0f,eol>",
        "> . 1:1(0) ack 1 <nop,nop,md5>",
        "> . 1:1(0) ack 1 <ECN e1b 1 ceb 0 e0b 1001,nop>",
        "< . 1:1(0) ack 1 win 5 <bytes fe04abcd>",
        "< @second 40001 > 8080 S 0:0(0) win 5",
        "> @second 192.168.0.1:8080 > 192.0.2.7:40001 S. 0:0(0) ack 1 <...>",
        "< [ect1] [2001:db8::1]:5000 > [2001:db8::2]:8080 S 0:0(0) win 5",
        "> udp (100)",
        "< icmp unreachable frag_needed mtu 1200 [1:1001(1000)]",
        "< icmp unreachable code 13 [udp (10)]",
        "< icmp echo_request id 9",
        "> none +0.5",
        "< . 4294967295:999(1000) ack 1 win 5",
    ] {
        let one = packet(text);
        assert_eq!(packet(&one.to_string()), one, "{text}");
    }
}

#[test]
fn packet_parts_mean_what_they_say() {
    let syn = packet("< [ect0] @b SEWA 7:7(0) win 5 <mss 1000 , nop>");
    assert_eq!(syn.direction, Direction::In);
    assert_eq!(syn.connection.as_deref(), Some("b"));
    assert_eq!(syn.ip.ecn, Some(Ecn::Ect0));
    let Body::Tcp(segment) = syn.body else {
        panic!("a segment");
    };
    assert!(segment.flags.syn && segment.flags.ece && segment.flags.cwr && segment.flags.ae);
    assert_eq!(segment.sequence.start, 7);
    let Options::List(options) = segment.options else {
        panic!("a list");
    };
    assert_eq!(options[0].kind, TcpOptionKind::Mss(1000));
    assert_eq!(options.len(), 2);
}

#[test]
fn icmp_names_have_the_numbers_of_both_families() {
    let icmp = |text: &str| match packet(text).body {
        Body::Icmp(icmp) => icmp,
        other => panic!("{other:?}"),
    };
    let frag = icmp("< icmp unreachable frag_needed mtu 1200 [1:11(10)]");
    assert_eq!((frag.v4(), frag.v6()), (Some((3, 4)), Some((2, 0))));
    assert_eq!(frag.mtu, Some(1200));
    assert!(matches!(frag.quoted, Some(Quoted::Tcp(s)) if s.len == 10));
    let port = icmp("< icmp unreachable port_unreachable");
    assert_eq!((port.v4(), port.v6()), (Some((3, 3)), Some((1, 4))));
    let big = icmp("< icmp packet_too_big mtu 1280");
    assert_eq!((big.v4(), big.v6()), (Some((3, 4)), Some((2, 0))));
    assert_eq!(icmp("< icmp source_quench").v6(), None);
    assert_eq!(icmp("< icmp time_exceeded").code, IcmpCode::Default);
}

#[test]
fn calls_of_every_form_read_and_print_back() {
    for text in [
        "socket(AF_INET6, SOCK_STREAM|SOCK_NONBLOCK, 0) = 3",
        r#"bind(3, {sa_family = AF_INET, sin_port = htons(8080), sin_addr = inet_addr("192.0.2.1")}, ...) = 0"#,
        "accept(3, ..., ...) = 4",
        "accept4(3, ..., ..., SOCK_CLOEXEC) = 4",
        "sendto(4, ..., 1000, MSG_FASTOPEN, ..., ...) = -1 EINPROGRESS (Operation now in progress)",
        "getsockopt(4, SOL_TCP, TCP_INFO, ..., ...) = 0",
        "getsockopt(4, SOL_SOCKET, SO_ERROR, [ECONNREFUSED], [4]) = 0",
        "setsockopt(3, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0",
        r#"setsockopt(3, SOL_TCP, TCP_CONGESTION, "reno", 4) = 0"#,
        "fcntl(3, F_GETFL) = 0x2 (flags O_RDWR)",
        "fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0",
        "poll([{fd=4, events=POLLIN|POLLOUT, revents=POLLIN}], 1, 0) = 1",
        "epoll_ctl(4, EPOLL_CTL_ADD, 5, {events=EPOLLOUT, fd=5}) = 0",
        "epoll_wait(5, {events=EPOLLERR|EPOLLHUP, fd=4}, 1, 0) = 1",
        "writev(4, [{..., 1000}, {..., 500}], 2) = 1500",
        "sendmsg(4, {msg_name(...)=..., msg_iov(1)=[{...,1000}], msg_flags=0, \
         msg_control=[{cmsg_level=SOL_SOCKET, cmsg_type=SCM_TIMESTAMPING, cmsg_data={scm_sec=0, scm_nsec=0}}]}, 0) = 1000",
        "read(4, ..., 1000) = ?",
        "write(4, ..., 100000) = 1~100000",
        "ioctl(4, SIOCINQ, [1000]) = 0",
        "splice(4, NULL, 5, NULL, 1000, SPLICE_F_MOVE) = 1000",
        "socket(..., SOCK_STREAM, 1 << 3) = -1 EPROTONOSUPPORT",
        r#"write(4, "GET / HTTP/1.0\r\n\x00\"", 17) = 17"#,
        "connect(3, ..., ...) = -1 EINPROGRESS (Operation (now) in progress)",
    ] {
        printed(&format!("0 {text}\n"));
    }
}

#[test]
fn call_arguments_have_their_numbers() {
    let script = read("0 poll([{fd=4, events=POLLIN|POLLOUT, revents=0x4}], 1, -1) = 1\n");
    let EventKind::Call(call) = &script.events[0].kind else {
        panic!("a call");
    };
    let list = call.args[0].list().expect("a list");
    let events = list[0].field("events").expect("events");
    assert_eq!(events.value.int(), Some(5));
    assert_eq!(
        list[0].field("revents").and_then(|f| f.value.int()),
        Some(4)
    );
    assert_eq!(call.args[2].kind, ExprKind::Int(-1));
    for (written, number) in [
        ("~0", -1),
        ("~1", -2),
        ("0644", 420),
        ("0x1f", 31),
        ("08", 8),
    ] {
        let script = read(&format!("0 listen(3, {written}) = 0\n"));
        let EventKind::Call(call) = &script.events[0].kind else {
            panic!("a call");
        };
        assert_eq!(call.args[1].int(), Some(number), "{written}");
    }
}

#[test]
fn define_replaces_words_everywhere_but_in_comments_and_quotes() {
    let text = "--define=PORT=9000\n--bind_port=PORT\n\
                // COOKIE stays\n0 < S 0:0(0) win WIN <FO COOKIE>\n\
                +0 write(4, \"WIN\", WIN) = WIN\n+0 `echo WIN WINDOW`\n+0 %{ assert 'WIN' != WIN }%\n";
    let defines = [
        ("WIN".to_owned(), "1000".to_owned()),
        ("COOKIE".to_owned(), "0a0b".to_owned()),
    ];
    let script = parse("t.pkt", text, &defines).expect("it reads");
    assert_eq!(script.settings.bind_port, Some(9000));
    let lines: Vec<String> = script.events.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "0 < S 0:0(0) win 1000 <FO 0a0b>",
            "+0 write(4, \"WIN\", 1000) = 1000",
            "+0 `echo 1000 WINDOW`",
            "+0 %{ assert 'WIN' != 1000 }%",
        ]
    );
    // The command line's word counts, not the script's.
    let over = [("PORT".to_owned(), "7000".to_owned())];
    let script = parse("t.pkt", "--define=PORT=9000\n--bind_port=PORT\n", &over).expect("it reads");
    assert_eq!(script.settings.bind_port, Some(7000));
}
