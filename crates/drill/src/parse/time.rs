//! When: `0.5`, `+0.5`, `*`, `1~2`, `+1~+2`, `+0...0.5`.

use std::time::Duration;

use super::cursor::{Cursor, Parsed};
use crate::ast::Time;

/// Whether an event could begin here.
pub(crate) fn begins(cursor: &Cursor<'_>) -> bool {
    match cursor.peek() {
        Some('+' | '*') => true,
        Some('.') => cursor.at(1).is_some_and(|c| c.is_ascii_digit()),
        Some(c) => c.is_ascii_digit(),
        None => false,
    }
}

pub(crate) fn time(cursor: &mut Cursor<'_>) -> Parsed<Time> {
    let from = cursor.place();
    if cursor.eat("*") {
        return Ok(Time::Any);
    }
    let relative = cursor.eat("+");
    let start = seconds(cursor)?;
    let after_start = cursor.place();
    cursor.skip_space();
    let (range, blocking) = (cursor.eat("~"), cursor.eat("..."));
    if !range && !blocking {
        cursor.back_to(after_start);
        return Ok(if relative {
            Time::Relative(start)
        } else {
            Time::Absolute(start)
        });
    }
    cursor.skip_space();
    let end_from = cursor.place();
    if cursor.eat("+") && !relative {
        return Err((
            cursor.span(end_from),
            "the first time is absolute, so the second must be too: leave out the +".to_owned(),
        ));
    }
    let end = seconds(cursor)?;
    if end < start {
        return Err((
            cursor.span(from),
            "the second time is before the first".to_owned(),
        ));
    }
    Ok(match (range, relative) {
        (true, true) => Time::RelativeRange(start, end),
        (true, false) => Time::AbsoluteRange(start, end),
        (false, _) => Time::Blocking {
            relative,
            start,
            end,
        },
    })
}

/// Longest time that a script may name: a year and a bit.
const MOST: u64 = 400 * 24 * 3600;

/// Seconds with up to nine decimals.
pub(crate) fn seconds(cursor: &mut Cursor<'_>) -> Parsed<Duration> {
    cursor.skip_space();
    let from = cursor.place();
    let whole = cursor.run_of(|c| c.is_ascii_digit());
    let mut decimals = String::new();
    // `0...1` is a number and three dots; `1.` is a number.
    if cursor.peek() == Some('.') && cursor.at(1) != Some('.') {
        cursor.bump();
        decimals = cursor.run_of(|c| c.is_ascii_digit());
    }
    if whole.is_empty() && decimals.is_empty() {
        cursor.back_to(from);
        return cursor.expected("a time in seconds");
    }
    if cursor.peek().is_some_and(super::source::is_word) {
        cursor.run();
        return Err((
            cursor.span(from),
            "this is no time: expected seconds like 0.1, and a space after them".to_owned(),
        ));
    }
    if decimals.len() > 9 {
        return Err((
            cursor.span(from),
            "a time has at most nine decimals".to_owned(),
        ));
    }
    let whole: u64 = match whole.as_str() {
        "" => 0,
        digits => digits.parse().unwrap_or(u64::MAX),
    };
    if whole > MOST {
        return Err((
            cursor.span(from),
            format!("a time is at most {MOST} seconds"),
        ));
    }
    let nanos: u32 = format!("{decimals:0<9}").parse().unwrap_or_default();
    Ok(Duration::new(whole, nanos))
}
