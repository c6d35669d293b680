//! The Python of a script: what it computes, and what its mistakes say.
#![forbid(unsafe_code)]

use hearken_drill::ast::EventKind;
use hearken_drill::code::{CodeError, Value, Variables};
use hearken_drill::parse;

/// Runs every block of a script; what was printed.
fn run(script: &str) -> Result<Vec<String>, CodeError> {
    let script = parse("t.pkt", script, &[]).unwrap_or_else(|e| panic!("{e}"));
    let mut variables = Variables::new();
    let mut printed = Vec::new();
    for event in &script.events {
        let EventKind::Code(code) = &event.kind else {
            panic!("code");
        };
        printed.extend(code.program.run(&mut variables, &mut |name| match name {
            "tcpi_snd_cwnd" => Some(Value::Int(10)),
            "tcpi_options" => Some(Value::Int(7)),
            "tcpi_rtt" => Some(Value::Int(100_250)),
            "ListenOverflows" => Some(Value::Int(2)),
            _ => None,
        })?);
    }
    Ok(printed)
}

/// What an expression prints.
fn value(expr: &str) -> String {
    match run(&format!("0 %{{ print({expr}) }}%")) {
        Ok(printed) => printed.join("\n"),
        Err(error) => error.message,
    }
}

#[test]
fn expressions_have_the_values_that_python_gives() {
    for (expr, expected) in [
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
        ("-7 // 2", "-4"),
        ("7 // -2", "-4"),
        ("-7 // -2", "3"),
        ("-7 % 3", "2"),
        ("7 % -3", "-2"),
        ("7 / 2", "3.5"),
        ("2 ** 10", "1024"),
        ("-2 ** 2", "-4"),
        ("1 | 2 ^ 3 & 1", "3"),
        ("1 << 4 >> 1", "8"),
        ("~5", "-6"),
        ("0x1F + 1_000", "1031"),
        ("1 < 2 < 3", "True"),
        ("1 < 2 < 2", "False"),
        ("not 1 == 2", "True"),
        ("0 or 5", "5"),
        ("0 and 5", "0"),
        ("1 if 0 else 2", "2"),
        ("tcpi_snd_cwnd in (9, 10)", "True"),
        ("tcpi_snd_cwnd not in [9, 11]", "True"),
        ("'a' + \"b\"", "ab"),
        ("'%d of %s' % (3, 'x')", "3 of x"),
        ("max(1, 3, 2), min([4, 2])", "3 2"),
        (
            "abs(-3), int(3.7), hex(255), str(5), len('abc')",
            "3 3 0xff 5 3",
        ),
        ("TCP_CA_Recovery, TCPI_OPT_SACK", "3 2"),
        ("(tcpi_options & TCPI_OPT_TIMESTAMPS) != 0", "True"),
        ("1.5 + 1", "2.5"),
        ("None", "None"),
        ("1 == 'a'", "False"),
    ] {
        assert_eq!(value(expr), expected, "{expr}");
    }
}

#[test]
fn variables_live_from_block_to_block() {
    let printed = run(
        "0 %{ x = 5 }%\n+0 %{\nx += tcpi_snd_cwnd\nif x > 10:\n    y = 1\n    print('big', x)\nelif x > 5:\n    y = 2\nelse:\n    y = 3\nprint(y); print(ListenOverflows)\n}%\n",
    );
    assert_eq!(printed, Ok(vec!["big 15".into(), "1".into(), "2".into()]));
}

#[test]
fn assertion_that_holds_is_silent_in_every_form() {
    let text = "0 %{
assert tcpi_snd_cwnd == 10, tcpi_snd_cwnd
assert 100000 <= tcpi_rtt <= 101000, 'rtt'   # a remark
assert (tcpi_options & TCPI_OPT_SACK) != 0, \\
    'SACK'
assert (tcpi_snd_cwnd == 10
        and tcpi_rtt > 5)
}%
+0 %{ assert ListenOverflows == 2 }%
+0 %{ assert 1
assert 2 }%
";
    assert_eq!(run(text), Ok(vec![]));
}

#[test]
fn assertion_that_fails_says_the_values_and_the_message() {
    let error = run("0 %{\n  assert tcpi_snd_cwnd == 11, 'cwnd %d' % tcpi_snd_cwnd\n}%\n")
        .expect_err("it does not hold");
    assert_eq!(
        error.message,
        "the assertion `tcpi_snd_cwnd == 11` does not hold: tcpi_snd_cwnd is 10 (cwnd 10)"
    );
    assert_eq!((error.span.line, error.span.column), (2, 3));
}

#[test]
fn loops_run_to_their_end_and_a_loop_without_one_is_told() {
    let text = "0 %{\nimport os\nn = 0\nfor x in range(2, 5):\n  for y in [1, 2]:\n    n += x * y\nwhile n < 30:\n  n += 1\nassert n == 30 and x == 4 and sum([1, 2]) == 3\n}%\n";
    run(text).expect("it holds");
    let error = run("0 %{\nwhile 1:\n  x = 1\n}%\n").expect_err("for ever");
    assert_eq!(error.message, "this loop has not ended after 100000 rounds");
    let error = run("0 %{\nfor x in 5:\n  x = 1\n}%\n").expect_err("no list");
    assert_eq!(error.message, "`for` needs a list, not an integer");
}

#[test]
fn code_without_meaning_says_where_and_why() {
    for (text, expected) in [
        (
            "assert x == 1",
            "no name `x` is known: neither assigned before, nor a tcpi_ name, a counter of nstat or a constant",
        ),
        ("print(1 // 0)", "division by zero"),
        ("print(2 ** 1000)", "the result has more than 127 bits"),
        (
            "print('a' - 1)",
            "this operator needs numbers, not text and an integer",
        ),
        ("print(1 < 'a')", "an integer and text have no order"),
        (
            "print(frob(1))",
            "no function `frob` is known (abs, bool, float, hex, int, len, max, min, range, round, str, sum are)",
        ),
    ] {
        let error = run(&format!("0 %{{ {text} }}%\n")).expect_err(text);
        assert_eq!(error.message, expected, "{text}");
    }
    for (text, expected) in [
        (
            "assert 1 = 2",
            "t.pkt:1:15: `=` assigns: a comparison is written `==`",
        ),
        (
            "def f(x):",
            "t.pkt:1:6: `def` is not understood here: assert, assignments, print, and if, for and while on lines of their own are",
        ),
        (
            "for x in y:",
            "t.pkt:1:16: expected a statement after `:`, on this line or indented below",
        ),
        (
            "assert (1 + ",
            "t.pkt:1:16: expected a value, found the end of the line",
        ),
        ("x = 'abc", "t.pkt:1:10: this string is never closed"),
        ("x = $", "t.pkt:1:10: `$` has no meaning in code"),
        (
            "assert 1 2",
            "t.pkt:1:15: expected the end of the statement, found `2`",
        ),
    ] {
        let error = parse("t.pkt", &format!("0 %{{ {text}\n}}%\n"), &[]).expect_err(text);
        assert_eq!(error.to_string().lines().next(), Some(expected), "{text}");
    }
    let error = parse("t.pkt", "0 %{\nx = 1\n   y = 2\n}%\n", &[]).expect_err("indented");
    assert_eq!((error.span.line, error.span.column), (3, 4));
}
