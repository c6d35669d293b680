//! System calls.

use hearken_abi::symbol;

use super::cursor::{Cursor, Parsed};
use super::expr::{self, expr};
use crate::ast::{Call, ErrnoNote, KNOWN_CALLS, Returns};
use crate::error::nearest;

/// A call; its name stands here.
pub(crate) fn call(cursor: &mut Cursor<'_>) -> Parsed<Call> {
    let from = cursor.place();
    let name = cursor.run();
    let name_span = cursor.span(from);
    cursor.skip_space();
    if !KNOWN_CALLS.contains(&name.as_str()) {
        let hint = nearest(&name, KNOWN_CALLS.iter().copied())
            .map(|n| format!("; did you mean `{n}`?"))
            .unwrap_or_default();
        return Err((
            name_span,
            format!("`{name}` is no call that a script can make{hint}"),
        ));
    }
    let args = expr::arguments(cursor)?;
    cursor.expect(
        "=",
        "`=` and what the call returns (`= ?` if it does not matter)",
    )?;
    cursor.skip_space();
    let returns_from = cursor.place();
    let returns = returns(cursor)?;
    let returns_span = cursor.span(returns_from);
    let errno = errno(cursor, &returns)?;
    let remark = take_remark(cursor)?;
    let errno = errno.map(|note| ErrnoNote {
        text: remark,
        ..note
    });
    Ok(Call {
        span: cursor.span(from),
        name,
        args,
        returns,
        returns_span,
        errno,
    })
}

fn returns(cursor: &mut Cursor<'_>) -> Parsed<Returns> {
    if cursor.eat("?") {
        return Ok(Returns::Any);
    }
    let low = result_number(cursor)?;
    let place = cursor.place();
    cursor.skip_space();
    if !cursor.eat("~") {
        cursor.back_to(place);
        return Ok(Returns::Exact(low));
    }
    cursor.skip_space();
    let high_from = cursor.place();
    let high = result_number(cursor)?;
    if high < low {
        return Err((
            cursor.span(high_from),
            format!("{high} is less than {low}, where the range begins"),
        ));
    }
    Ok(Returns::Range(low, high))
}

fn result_number(cursor: &mut Cursor<'_>) -> Parsed<i64> {
    let from = cursor.place();
    let value = expr(cursor)?;
    match value.int() {
        Some(number) => Ok(number),
        None => Err((
            cursor.span(from),
            "expected a number, or `?` for a result that does not matter".to_owned(),
        )),
    }
}

/// `EAGAIN` after a negative result.
fn errno(cursor: &mut Cursor<'_>, returns: &Returns) -> Parsed<Option<ErrnoNote>> {
    let place = cursor.place();
    cursor.skip_space();
    let word = cursor.peek_word();
    if word.is_empty() {
        cursor.back_to(place);
        return Ok(None);
    }
    let span = cursor.here();
    let Some(errno) = symbol::errno(&word) else {
        let names = hearken_abi::Errno::ALL.iter().map(|e| e.name());
        let hint = nearest(&word, names)
            .map(|n| format!("; did you mean {n}?"))
            .unwrap_or_default();
        return Err((span, format!("`{word}` is no name of an error{hint}")));
    };
    if matches!(returns, Returns::Exact(n) if *n >= 0) {
        return Err((span, format!("a call that fails with {word} returns -1")));
    }
    cursor.run();
    Ok(Some(ErrnoNote {
        span,
        errno,
        text: None,
    }))
}

/// Text in parentheses, which may hold parentheses. After a result that is no error (`= 2 (flags O_RDWR)`) it says nothing.
fn take_remark(cursor: &mut Cursor<'_>) -> Parsed<Option<String>> {
    let place = cursor.place();
    cursor.skip_space();
    let open = cursor.place();
    if !cursor.eat("(") {
        cursor.back_to(place);
        return Ok(None);
    }
    let mut depth = 1;
    let mut text = String::new();
    loop {
        let Some(c) = cursor.bump() else {
            cursor.back_to(open);
            return Err((cursor.here(), "this ( is never closed".to_owned()));
        };
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Ok(Some(text));
        }
        text.push(c);
    }
}
