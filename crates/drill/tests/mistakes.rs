//! Scripts with a mistake, and the message that each gets: place, what was expected, what was found.
#![forbid(unsafe_code)]

use hearken_drill::parse;

/// Script and message, as `t.pkt:` would print it.
const MISTAKES: &[(&str, &str)] = &[
    (
        "0 < S 0:0(0) <mss 1000>\n",
        "t.pkt:1:23: expected `win` and the window: an inbound segment has one\n\
         \x20 1 | 0 < S 0:0(0) <mss 1000>\n\
         \x20   |                       ^",
    ),
    (
        "0 < S 0:0(0) win 1000 <mss 1000,sackok,wscal 7>\n",
        "t.pkt:1:40: expected mss, wscale, sackOK, sack, TS, nop, eol, FO, FOEXP, md5, ECN or bytes, found `wscal`\n\
         \x20 1 | 0 < S 0:0(0) win 1000 <mss 1000,sackok,wscal 7>\n\
         \x20   |                                        ^^^^^",
    ),
    (
        "0 < S 0:0(0) win 70000\n",
        "t.pkt:1:18: `70000` is too large: the window after `win` is at most 65535\n\
         \x20 1 | 0 < S 0:0(0) win 70000\n\
         \x20   |                  ^^^^^",
    ),
    (
        "0 < . 1:1001(999) win 5\n",
        "t.pkt:1:7: 1:1001 is 1000 bytes, and (999) says 999\n\
         \x20 1 | 0 < . 1:1001(999) win 5\n\
         \x20   |       ^^^^^^^^^^^",
    ),
    (
        "0 < X 0:0(0) win 5\n",
        "t.pkt:1:5: expected flags (letters of SFRP.UEWA, or `-` for none), `udp`, `icmp` or `none`, found `X`\n\
         \x20 1 | 0 < X 0:0(0) win 5\n\
         \x20   |     ^",
    ),
    (
        "0 sokcet(..., SOCK_STREAM, 0) = 3\n",
        "t.pkt:1:3: `sokcet` is no call that a script can make; did you mean `socket`?\n\
         \x20 1 | 0 sokcet(..., SOCK_STREAM, 0) = 3\n\
         \x20   |   ^^^^^^",
    ),
    (
        "0 socket(..., SOCK_STERAM, 0) = 3\n",
        "t.pkt:1:15: no symbol `SOCK_STERAM` is known; did you mean SOCK_STREAM?\n\
         \x20 1 | 0 socket(..., SOCK_STERAM, 0) = 3\n\
         \x20   |               ^^^^^^^^^^^",
    ),
    (
        "0 accept(3, ..., ...) = -1 EAGIN\n",
        "t.pkt:1:28: `EAGIN` is no name of an error; did you mean EAGAIN?\n\
         \x20 1 | 0 accept(3, ..., ...) = -1 EAGIN\n\
         \x20   |                            ^^^^^",
    ),
    (
        "0 accept(3, ..., ...) = 4 EAGAIN\n",
        "t.pkt:1:27: a call that fails with EAGAIN returns -1\n\
         \x20 1 | 0 accept(3, ..., ...) = 4 EAGAIN\n\
         \x20   |                           ^^^^^^",
    ),
    (
        "0 listen(3, 1)\n+0 close(3) = 0\n",
        "t.pkt:2:1: expected `=` and what the call returns (`= ?` if it does not matter), found `+`\n\
         \x20 2 | +0 close(3) = 0\n\
         \x20   | ^",
    ),
    (
        "0 listen(3 1) = 0\n",
        "t.pkt:1:12: expected `,` or `)`, found `1`\n\
         \x20 1 | 0 listen(3 1) = 0\n\
         \x20   |            ^",
    ),
    (
        "1 close(3) = 0\n0.5 close(4) = 0\n",
        "t.pkt:2:1: time goes back: the events before lead to 1 at least\n\
         \x20 2 | 0.5 close(4) = 0\n\
         \x20   | ^^^",
    ),
    (
        "* close(3) = 0\n",
        "t.pkt:1:1: `*` and ranges of time are for outbound packets: write one time\n\
         \x20 1 | * close(3) = 0\n\
         \x20   | ^",
    ),
    (
        "0...1 > . 1:1(0) ack 1\n",
        "t.pkt:1:1: `start...end` is for calls that block: write one time, or a range `start~end` for an outbound packet\n\
         \x20 1 | 0...1 > . 1:1(0) ack 1\n\
         \x20   | ^^^^^",
    ),
    (
        "close(3) = 0\n",
        "t.pkt:1:1: expected an event, which begins with its time (0.1, +0.1 or *), found `close`\n\
         \x20 1 | close(3) = 0\n\
         \x20   | ^^^^^",
    ),
    (
        "--tolerence_usecs=5\n",
        "t.pkt:1:1: unknown option --tolerence_usecs; did you mean --tolerance_usecs?\n\
         \x20 1 | --tolerence_usecs=5\n\
         \x20   | ^^^^^^^^^^^^^^^^^",
    ),
    (
        "--wire_client\n",
        "t.pkt:1:1: --wire_client is not supported: scripts are not run between two machines here\n\
         \x20 1 | --wire_client\n\
         \x20   | ^^^^^^^^^^^^^",
    ),
    (
        "--mtu=lots\n",
        "t.pkt:1:7: expected an MTU up to 65535, found `lots`\n\
         \x20 1 | --mtu=lots\n\
         \x20   |       ^^^^",
    ),
    (
        "0 `echo\n",
        "t.pkt:1:3: this backtick is never closed\n\
         \x20 1 | 0 `echo\n\
         \x20   |   ^",
    ),
    (
        "0 %{ assert 1\n",
        "t.pkt:1:3: this %{ is never closed by }%\n\
         \x20 1 | 0 %{ assert 1\n\
         \x20   |   ^",
    ),
    (
        "/* no end\n0 close(3) = 0\n",
        "t.pkt:1:1: this comment is never closed by */\n\
         \x20 1 | /* no end\n\
         \x20   | ^^",
    ),
    (
        "0 close(3) = 0\n`one`\n+0 close(4) = 0\n",
        "t.pkt:2:1: a command between events needs a time before it, as in +0 `...`; without one it is the last thing of a script\n\
         \x20 2 | `one`\n\
         \x20   | ^",
    ),
    (
        "0 < S 0:0(0) win 5 <FO abc>\n",
        "t.pkt:1:24: `abc` has an odd number of hexadecimal digits: expected a cookie in hexadecimal\n\
         \x20 1 | 0 < S 0:0(0) win 5 <FO abc>\n\
         \x20   |                        ^^^",
    ),
    (
        "0 < S 0:0(0) win 5 <FO TFO_COOKIE>\n",
        "t.pkt:1:24: `TFO_COOKIE` is not hexadecimal: expected a cookie in hexadecimal\n\
         \x20 1 | 0 < S 0:0(0) win 5 <FO TFO_COOKIE>\n\
         \x20   |                        ^^^^^^^^^^",
    ),
    (
        "0 < S 0:0(0) win 5 <...>\n",
        "t.pkt:1:20: `<...>` means that options are not compared; inbound, write the options that the segment has\n\
         \x20 1 | 0 < S 0:0(0) win 5 <...>\n\
         \x20   |                    ^^^^^",
    ),
    (
        "0 < icmp unreachable frag_neded\n",
        "t.pkt:1:22: `frag_neded` is no code of `unreachable`; did you mean `frag_needed`?\n\
         \x20 1 | 0 < icmp unreachable frag_neded\n\
         \x20   |                      ^^^^^^^^^^",
    ),
    (
        "0 < none +1\n",
        "t.pkt:1:5: `none` asserts that nothing goes out: write `> none +0.5`\n\
         \x20 1 | 0 < none +1\n\
         \x20   |     ^^^^",
    ),
    (
        "0 > 9. 1:1(0) ack 1\n",
        "t.pkt:1:5: expected flags (letters of SFRP.UEWA, or `-` for none), `udp`, `icmp` or `none`, found `9.`\n\
         \x20 1 | 0 > 9. 1:1(0) ack 1\n\
         \x20   |     ^^",
    ),
    (
        "0 write(4, \"abc, 3) = 3\n",
        "t.pkt:1:12: this string is never closed\n\
         \x20 1 | 0 write(4, \"abc, 3) = 3\n\
         \x20   |            ^",
    ),
    (
        "\t0 < S 0:0(0) win 5 ack x\n",
        "t.pkt:1:25: expected the acknowledgment number after `ack`, found `x`\n\
         \x20 1 | \t0 < S 0:0(0) win 5 ack x\n\
         \x20   | \t                       ^",
    ),
];

#[test]
fn script_with_a_mistake_says_where_and_what_was_expected() {
    let mut wrong = Vec::new();
    for (script, expected) in MISTAKES {
        let said = match parse("t.pkt", script, &[]) {
            Ok(script) => format!("it was read: {script:?}"),
            Err(error) => error.to_string(),
        };
        if said != *expected {
            wrong.push(format!("{script}said\n{said}\nexpected\n{expected}\n"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
