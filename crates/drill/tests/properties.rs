//! No text makes the parser panic, and what it reads it prints so that it reads the same.
#![forbid(unsafe_code)]

use hearken_drill::ast::EventKind;
use hearken_drill::code::{Value, Variables};
use hearken_drill::parse;
use proptest::prelude::*;

/// Pieces of the language, to come near to scripts.
const PIECES: &[&str] = &[
    "0",
    "+0",
    "+.1",
    "0.5~1",
    "+0...1",
    "*",
    " ",
    "\n",
    "<",
    ">",
    "S",
    "S.",
    ".",
    "FP.",
    "-",
    "5.",
    "0:0(0)",
    "1:1001(1000)",
    " ack 1",
    " win 5",
    " urg 1",
    "<...>",
    "<mss 1460",
    ",",
    ">",
    "nop",
    "sack 1:2 3:4",
    "TS val 1 ecr 2",
    "FO abcd",
    "FOEXP",
    "md5",
    "ECN e0b 1",
    "[ect0]",
    "[ttl 4",
    "]",
    "@b ",
    "80 > 81 ",
    "udp (3)",
    "icmp unreachable",
    " frag_needed",
    " mtu 5",
    "[1:2(1)]",
    "none +1",
    "socket(",
    "...",
    "(",
    ")",
    "{",
    "}",
    "[",
    "=",
    "fd=4",
    "SOCK_STREAM",
    "|",
    "<<",
    "0x1",
    "-1",
    "18446744073709551615",
    "\"a\\n\"",
    "\"",
    "`",
    "`ls`",
    "%{",
    "}%",
    "%{ x = 1 }%",
    "//",
    "/*",
    "*/",
    "--mtu=5\n",
    "--",
    "EAGAIN",
    "(text)",
    "?",
    "~",
    "é",
    "\u{0}",
    "msg_iov(1)=",
    "htons(",
    "close(3) = 0\n",
    "assert ",
    "==",
    "if ",
    "else:",
    "elif ",
    "print",
    "and",
    "not ",
    "in ",
    "x",
    "+=",
    "**",
    "%",
    "'t'",
    "\\",
    "#",
    ";",
    ":",
    "0.5",
    "0x",
    "   ",
];

fn pieces() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(PIECES), 0..40).prop_map(|p| p.concat())
}

fn holds(text: &str) {
    let Ok(first) = parse("t", text, &[]) else {
        return;
    };
    let printed = first.to_string();
    let mut second =
        parse("t", &printed, &[]).unwrap_or_else(|e| panic!("{text:?}\n{printed}\n{e}"));
    second.text.clone_from(&first.text);
    assert_eq!(first, second, "{text:?}\n{printed}");
}

/// Pieces of code.
const CODE: &[&str] = &[
    "\n",
    "\n  ",
    "\n    ",
    " ",
    "assert ",
    "print(",
    "x = ",
    "x += ",
    "x",
    "y",
    "7",
    "-3",
    "0",
    "1.5",
    "0x1f",
    "170141183460469231731687303715884105727",
    "'%d %s'",
    "''",
    "(",
    ")",
    "[",
    "]",
    ",",
    "+",
    "-",
    "*",
    "**",
    "/",
    "//",
    "%",
    "&",
    "|",
    "^",
    "~",
    "<<",
    ">>",
    "<",
    "<=",
    "==",
    "!=",
    " in ",
    " not ",
    " and ",
    " or ",
    "if ",
    "elif ",
    "else",
    ":",
    ";",
    "abs(",
    "max(",
    "int(",
    "len(",
    "True",
    "None",
    "# ",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn parser_of_any_bytes_does_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        holds(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn parser_of_pieces_in_any_order_prints_what_it_reads(text in pieces()) {
        holds(&text);
    }

    #[test]
    fn code_of_pieces_in_any_order_runs_or_says_why(
        parts in prop::collection::vec(prop::sample::select(CODE), 0..30),
    ) {
        let text = format!("0 %{{{}}}%\n", parts.concat());
        holds(&text);
        if let Ok(script) = parse("t", &text, &[]) {
            for event in &script.events {
                if let EventKind::Code(code) = &event.kind {
                    let _ = code.program.run(&mut Variables::new(), &mut |_| Some(Value::Int(-7)));
                }
            }
        }
    }

    #[test]
    fn parser_of_one_packet_prints_what_it_reads(
        parts in prop::collection::vec(prop::sample::select(PIECES), 0..5),
        options in prop::collection::vec(
            prop::sample::select(&["nop", "mss 5", "wscale 1", "sack 1:2", "FO ab", "TS val 1 ecr 2", "eol", "md5", "md5 valid", "ECN", "ECN ceb 1", "bytes 0102"][..]), 0..6),
    ) {
        let parts = parts.concat();
        holds(&format!("0 < S 0:0(0) win 5 <{}>\n{parts}", options.join(",")));
    }
}

#[test]
fn brackets_deep_in_one_another_are_refused_not_followed() {
    let text = format!("0 close({}", "[".repeat(100_000));
    let error = parse("t", &text, &[]).expect_err("too deep");
    assert!(
        error.message.contains("brackets inside one another"),
        "{error}"
    );
    let text = format!("0 close({}", "{a(".repeat(100_000));
    parse("t", &text, &[]).expect_err("too deep");
    for deep in [
        format!("x = {}", "(".repeat(100_000)),
        format!("x = {}1", "-".repeat(100_000)),
        format!("x = {}1", "not ".repeat(100_000)),
        format!("x = 1{}", "+1".repeat(100_000)),
        format!("x = 1{}", "**1".repeat(100_000)),
        format!("if 1: x = 1\n{}", "elif 1: x = 1\n".repeat(100_000)),
    ] {
        parse("t", &format!("0 %{{\n{deep}\n}}%\n"), &[]).expect_err("too deep");
    }
}
