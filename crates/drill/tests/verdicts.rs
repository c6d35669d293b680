//! What the runner says of scripts that are wrong, in one thing each.
#![forbid(unsafe_code)]

use hearken_drill::{Failure, RunOptions, System, Verdict, parse, run};

/// A connection that is up, with the descriptor 4.
const OPEN: &str = "
   0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
  +0 bind(3, ..., ...) = 0
  +0 listen(3, 1) = 0
  +0 < S 0:0(0) win 32792 <mss 1000>
  +0 > S. 0:0(0) ack 1 <mss 1460>
+0.1 < . 1:1(0) ack 1 win 32792
  +0 accept(3, ..., ...) = 4
";

fn verdict(rest: &str, strict: bool) -> Verdict {
    let text = format!("{OPEN}{rest}\n");
    let script = parse("test.pkt", &text, &[]).unwrap_or_else(|error| panic!("{error}"));
    let options = RunOptions {
        strict,
        ..RunOptions::default()
    };
    run(&script, System::Hearken, &options).verdict
}

#[track_caller]
fn failure(rest: &str) -> Failure {
    match verdict(rest, false) {
        Verdict::Fail(failure) => *failure,
        other => panic!("{rest}: {other:?}"),
    }
}

#[track_caller]
fn passes(rest: &str) {
    assert_eq!(verdict(rest, false), Verdict::Pass, "{rest}");
}

#[track_caller]
fn headline(rest: &str, wanted: &str) {
    let failure = failure(rest);
    assert!(
        failure.headline.contains(wanted),
        "{rest}\nsaid: {}",
        failure.headline
    );
}

const WRITE: &str = "+0 write(4, ..., 100) = 100\n";

#[test]
fn packet_that_is_as_expected_passes() {
    passes(&format!("{WRITE}+0 > P. 1:101(100) ack 1"));
    passes(&format!("{WRITE}+0 > P. 1:101(100) ack 1 <...>"));
    passes(&format!("{WRITE}* > P. 1:101(100) ack 1"));
}

#[test]
fn packet_with_one_wrong_field_fails_by_its_name() {
    for (packet, field) in [
        ("+0 > . 1:101(100) ack 1", "flags: expected ., sent P."),
        ("+0 > P. 2:102(100) ack 1", "seq: expected 2, sent 1"),
        ("+0 > P. 1:100(99) ack 1", "length: expected 99, sent 100"),
        ("+0 > P. 1:101(100) ack 2", "ack: expected 2, sent 1"),
        ("+0 > P. 1:101(100) ack 1 win 77", "win: expected 77, sent"),
        ("+0 > P. 1:101(100) ack 1 <nop>", "options: expected <nop>"),
        ("+0 > [ect0] P. 1:101(100) ack 1", "ECN: expected ect0"),
        (
            "+0 > [ttl 7] P. 1:101(100) ack 1",
            "ttl: expected 7, sent 64",
        ),
        ("+0.1 > P. 1:101(100) ack 1", "time: expected 0.2"),
        ("+0.006~+0.01 > P. 1:101(100) ack 1", "time: expected 0.106"),
        ("+0 > udp (100)", "protocol: expected UDP, sent TCP"),
    ] {
        headline(&format!("{WRITE}{packet}"), field);
    }
}

#[test]
fn packet_that_does_not_come_fails_after_two_seconds() {
    let failure = failure("+0 > . 1:1(0) ack 1");
    assert!(failure.headline.contains("no packet came"), "{failure:?}");
    assert_eq!(failure.actual, "nothing");
    assert_eq!(failure.span.line, 9);
}

#[test]
fn failure_tells_all_that_happened_until_then() {
    let failure = failure(&format!("{WRITE}+0 > P. 1:101(100) ack 2"));
    assert_eq!(failure.trace.len(), 9, "{:#?}", failure.trace);
    assert_eq!(failure.trace[3], "0.000000 < S 0:0(0) win 32792 <mss 1000>");
    assert_eq!(failure.trace[7], "0.100000 write(4, ..., 100) = 100");
    assert!(failure.trace[8].starts_with("0.100000 > P. 1:101(100) ack 1 win "));
    assert_eq!(failure.expected, "0.100000 > P. 1:101(100) ack 2");
    assert!(failure.actual.starts_with("0.100000 > P. 1:101(100) ack 1"));
}

#[test]
fn call_with_another_result_fails() {
    headline("+0 write(4, ..., 100) = 99", "write() returned 100");
    headline(
        "+0 write(3, ..., 100) = 100",
        "write() failed with EPIPE (Broken pipe)",
    );
    headline(
        "+0 write(3, ..., 100) = -1 EBADF (Bad file descriptor)",
        "another error: EPIPE",
    );
    headline("+0 close(9) = 0", "close() failed with EBADF");
    headline(
        "+0 getsockopt(4, SOL_SOCKET, SO_ERROR, [7], [4]) = 0",
        "another value",
    );
    let poll = "poll([{fd=4, events=POLLOUT, revents=POLLIN}], 1, 0) = 1";
    headline(&format!("+0 {poll}"), "poll() reports POLLOUT");
}

#[test]
fn call_that_waits_is_held_to_its_times() {
    const DATA: &str = "+0.2 < P. 1:11(10) ack 1 win 32792\n";
    passes(&format!("+0...0.2 read(4, ..., 10) = 10\n{DATA}"));
    headline(
        &format!("+0...0.3 read(4, ..., 10) = 10\n{DATA}"),
        "read() returned at 0.300000, expected at 0.400000",
    );
    headline("+0...0.2 read(4, ..., 10) = 10", "read() has not returned");
    headline("+0 read(4, ..., 10) = 10", "has not returned after 2 s");
    headline(
        &format!("+0...0.2 read(4, ..., 10) = 9\n{DATA}"),
        "read() returned 10",
    );
}

#[test]
fn segments_are_merged_up_to_the_expected_length_unless_strict() {
    let rest = "+0 write(4, ..., 2000) = 2000\n+0 > P. 1:2001(2000) ack 1";
    passes(rest);
    assert!(matches!(verdict(rest, true), Verdict::Fail(_)));
    // A thousand and a half do not fit into the second segment.
    headline(
        "+0 write(4, ..., 2000) = 2000\n+0 > P. 1:1501(1500) ack 1",
        "length: expected 1500, sent 1000",
    );
}

#[test]
fn packet_that_nobody_expected_fails_where_it_is_strict() {
    assert_eq!(verdict(WRITE, false), Verdict::Pass);
    let Verdict::Fail(failure) = verdict(WRITE, true) else {
        panic!("a packet was left");
    };
    assert!(failure.headline.contains("nobody expected"), "{failure:?}");
}

#[test]
fn silence_is_broken_by_a_packet() {
    passes("+0 > none +1");
    headline(&format!("{WRITE}+0 > none +1"), "there must be none");
    // The retransmission comes within the second.
    headline(
        &format!("{WRITE}+0 > P. 1:101(100) ack 1\n+0 > none +1"),
        "there must be none",
    );
    passes(&format!("{WRITE}+0 > P. 1:101(100) ack 1\n+0 > none +0.1"));
}

#[test]
fn code_sees_the_connection_and_the_counters() {
    passes("+0 %{ assert tcpi_snd_mss == 1000 and tcpi_state == 1 }%");
    passes("+0 %{ assert PassiveOpens == 1 and TcpExtListenOverflows == 0 }%");
    headline("+0 %{ assert tcpi_snd_mss == 999 }%", "tcpi_snd_mss");
    headline("+0 %{ assert Nonsense == 0 }%", "Nonsense");
    // What one block sets, the next one knows.
    passes("+0 %{ x = tcpi_snd_mss }%\n+0 %{ assert x == 1000 }%");
}

#[test]
fn command_sets_sysctls_and_says_what_it_leaves_out() {
    passes("+0 `sysctl -q net.ipv4.tcp_syn_retries=3`");
    headline(
        "+0 `sysctl -q net.ipv4.tcp_syn_retries=many`",
        "cannot be set",
    );
    let text = format!("{OPEN}+0 `tc qdisc add dev tun0 root fq`\n");
    let script = parse("test.pkt", &text, &[]).expect("a script");
    let outcome = run(&script, System::Hearken, &RunOptions::default());
    assert_eq!(outcome.verdict, Verdict::Pass);
    assert_eq!(outcome.notes.len(), 1, "{:?}", outcome.notes);
}

#[test]
fn connections_with_names_do_not_see_each_others_packets() {
    let other = "
  +0 < @b S 0:0(0) win 32792 <mss 1000>
  +0 > @b S. 0:0(0) ack 1 <mss 1460>
  +0 < @b . 1:1(0) ack 1 win 32792
  +0 accept(3, ..., ...) = 5
  +0 write(5, ..., 50) = 50
  +0 write(4, ..., 100) = 100
  +0 > P. 1:101(100) ack 1
";
    passes(&format!("{other}+0 > @b P. 1:51(50) ack 1"));
    headline(
        &format!("{other}+0 > @b P. 1:101(100) ack 1"),
        "length: expected 100, sent 50",
    );
}

#[test]
fn run_writes_a_capture_of_what_it_saw() {
    let path = std::env::temp_dir().join(format!("drill-{}.pcap", std::process::id()));
    let script = parse("test.pkt", OPEN, &[]).expect("a script");
    let options = RunOptions {
        pcap: Some(path.clone()),
        always_pcap: true,
        ..RunOptions::default()
    };
    let outcome = run(&script, System::Hearken, &options);
    assert_eq!(outcome.verdict, Verdict::Pass);
    let bytes = std::fs::read(&path).expect("a capture");
    std::fs::remove_file(&path).expect("the capture is ours");
    // The file's header, and three packets of 44, 44 and 40 bytes.
    assert_eq!(bytes.len(), 24 + 3 * 16 + 44 + 44 + 40);
}

#[test]
fn declared_difference_is_skipped_while_it_lasts_and_fails_after() {
    const DECLARED: &str = "// differs on Hearken: a reason\n";
    let Verdict::Skip(why) = verdict(&format!("{DECLARED}+0 > . 1:1(0) ack 1"), false) else {
        panic!("the difference is declared");
    };
    assert_eq!(why, "a known difference from Linux: a reason");
    headline(DECLARED, "take the line out");
}
