//! Arguments of calls.

use hearken_abi::symbol;

use super::cursor::{Cursor, Parsed};
use crate::ast::{Expr, ExprKind, Field};
use crate::error::nearest;
use crate::span::Span;

/// `(a, b, c)`.
pub(crate) fn arguments(cursor: &mut Cursor<'_>) -> Parsed<Vec<Expr>> {
    cursor.expect("(", "`(` and the arguments")?;
    cursor.deeper(|c| list(c, ")", expr))
}

/// Parts with commas between, up to the closing bracket.
fn list<T>(
    cursor: &mut Cursor<'_>,
    close: &str,
    part: fn(&mut Cursor<'_>) -> Parsed<T>,
) -> Parsed<Vec<T>> {
    let mut parts = Vec::new();
    cursor.skip_space();
    if cursor.eat(close) {
        return Ok(parts);
    }
    loop {
        parts.push(part(cursor)?);
        cursor.skip_space();
        if cursor.eat(close) {
            return Ok(parts);
        }
        cursor.expect(",", &format!("`,` or `{close}`"))?;
    }
}

/// `A | B | C`.
pub(crate) fn expr(cursor: &mut Cursor<'_>) -> Parsed<Expr> {
    cursor.skip_space();
    let from = cursor.place();
    let first = shifted(cursor)?;
    let mut parts = vec![first];
    let mut end = cursor.place();
    loop {
        cursor.skip_space();
        if !cursor.eat("|") {
            break;
        }
        parts.push(shifted(cursor)?);
        end = cursor.place();
    }
    cursor.back_to(end);
    if parts.len() == 1 {
        return Ok(parts.remove(0));
    }
    let span = cursor.span(from);
    match parts.iter().find(|p| p.int().is_none()) {
        Some(part) => Err((
            part.span,
            "only numbers and symbols can stand on a side of |".to_owned(),
        )),
        None => Ok(Expr {
            span,
            kind: ExprKind::Or(parts),
        }),
    }
}

/// `A << B`.
fn shifted(cursor: &mut Cursor<'_>) -> Parsed<Expr> {
    cursor.skip_space();
    let from = cursor.place();
    let value = primary(cursor)?;
    let end = cursor.place();
    cursor.skip_space();
    if !cursor.eat("<<") {
        cursor.back_to(end);
        return Ok(value);
    }
    cursor.skip_space();
    let by = primary(cursor)?;
    let span = cursor.span(from);
    let kind = ExprKind::ShiftLeft(Box::new(value), Box::new(by));
    let shifted = Expr { span, kind };
    match shifted.int() {
        Some(_) => Ok(shifted),
        None => Err((
            span,
            "expected numbers on both sides of <<, the right one at most 63".to_owned(),
        )),
    }
}

fn primary(cursor: &mut Cursor<'_>) -> Parsed<Expr> {
    cursor.skip_space();
    let from = cursor.place();
    let kind = match cursor.peek() {
        Some('.') if cursor.eat("...") => ExprKind::Ellipsis,
        Some('-') => {
            cursor.bump();
            let value = cursor.number("a number after -", 1 << 63)?;
            ExprKind::Int(0_i64.wrapping_sub_unsigned(value))
        }
        // `~0`: all bits.
        Some('~') => {
            cursor.bump();
            let value = cursor.number("a number after ~", u64::MAX)?;
            ExprKind::Int((!value).cast_signed())
        }
        Some('0') if octal(cursor).is_some() => {
            let value = octal(cursor).unwrap_or_default();
            cursor.run();
            ExprKind::Int(value)
        }
        Some('0'..='9') => {
            // Above 2^63 a number is its two's complement, as the register of the call holds it.
            let value = cursor.number("a number", u64::MAX)?;
            ExprKind::Int(value.cast_signed())
        }
        // `inet_pton(AF_INET6, "::1", &sin6_addr)`: where the result goes says nothing.
        Some('&') if cursor.at(1).is_some_and(|c| c.is_ascii_alphabetic()) => {
            cursor.bump();
            cursor.run();
            ExprKind::Ellipsis
        }
        Some('"') => ExprKind::Bytes(string(cursor)?),
        Some('[') => {
            cursor.bump();
            ExprKind::List(cursor.deeper(|c| list(c, "]", expr))?)
        }
        Some('{') => {
            cursor.bump();
            ExprKind::Struct(cursor.deeper(|c| list(c, "}", field))?)
        }
        Some(c) if c.is_ascii_alphabetic() || c == '_' => return name(cursor),
        _ => {
            return cursor
                .expected("an argument: `...`, a number, a symbol, a string, [...] or {...}");
        }
    };
    Ok(Expr {
        span: cursor.span(from),
        kind,
    })
}

/// `0644`, as C reads it; the cursor stays where it is.
fn octal(cursor: &mut Cursor<'_>) -> Option<i64> {
    let place = cursor.place();
    let digits = cursor.run();
    cursor.back_to(place);
    let is_octal = digits.len() > 1 && digits.chars().all(|c| c.is_digit(8));
    is_octal.then(|| i64::from_str_radix(&digits, 8).ok())?
}

/// `SOCK_STREAM` or `htons(8080)`.
fn name(cursor: &mut Cursor<'_>) -> Parsed<Expr> {
    let from = cursor.place();
    let name = cursor.run();
    let name_span = cursor.span(from);
    let end = cursor.place();
    cursor.skip_space();
    if cursor.peek() == Some('(') {
        return called(cursor, from, name_span, name);
    }
    cursor.back_to(end);
    let value = match name.as_str() {
        "NULL" => Some(0),
        _ => symbol::value(&name),
    };
    match value {
        Some(value) => Ok(Expr {
            span: name_span,
            kind: ExprKind::Symbol { name, value },
        }),
        None => Err((name_span, unknown_symbol(&name))),
    }
}

fn unknown_symbol(name: &str) -> String {
    let hint = nearest(name, symbol::names().map(|(n, _)| n)).map_or_else(
        || "; give its number, or -D NAME=value".to_owned(),
        |n| format!("; did you mean {n}?"),
    );
    format!("no symbol `{name}` is known{hint}")
}

/// What can be called inside an argument.
const FUNCTIONS: [&str; 4] = ["htons", "htonl", "inet_addr", "inet_pton"];

fn called(cursor: &mut Cursor<'_>, from: usize, name_span: Span, name: String) -> Parsed<Expr> {
    if !FUNCTIONS.contains(&name.as_str()) {
        return Err((
            name_span,
            format!(
                "`{name}` cannot be called inside an argument: {} can",
                FUNCTIONS.join(", ")
            ),
        ));
    }
    let args = arguments(cursor)?;
    Ok(Expr {
        span: cursor.span(from),
        kind: ExprKind::Call { name, args },
    })
}

/// `fd=4`, `msg_iov(1)=[...]`, or a value alone.
fn field(cursor: &mut Cursor<'_>) -> Parsed<Field> {
    cursor.skip_space();
    let from = cursor.place();
    let word = cursor.peek_word();
    if !word.is_empty() {
        cursor.run();
        cursor.skip_space();
        let mut len = None;
        if cursor.eat("(") {
            let inner = cursor.place();
            // `msg_name(...)=` has one part in the parentheses; `htons(8080)` is no name and is read again below.
            match cursor.deeper(expr) {
                Ok(expr) => {
                    cursor.skip_space();
                    if cursor.eat(")") {
                        len = Some(expr);
                        cursor.skip_space();
                    } else {
                        cursor.back_to(inner);
                    }
                }
                Err(_) => cursor.back_to(inner),
            }
        }
        if cursor.eat("=") {
            let value = cursor.deeper(expr)?;
            return Ok(Field {
                span: cursor.span(from),
                name: Some(word),
                len,
                value,
            });
        }
        cursor.back_to(from);
    }
    let value = cursor.deeper(expr)?;
    Ok(Field {
        span: cursor.span(from),
        name: None,
        len: None,
        value,
    })
}

/// A string in double quotes.
fn string(cursor: &mut Cursor<'_>) -> Parsed<Vec<u8>> {
    let from = cursor.place();
    cursor.bump();
    let mut bytes = Vec::new();
    loop {
        match cursor.bump() {
            None | Some('\n') => {
                cursor.back_to(from);
                return Err((cursor.here(), "this string is never closed".to_owned()));
            }
            Some('"') => return Ok(bytes),
            Some('\\') => bytes.push(escape(cursor)?),
            Some(c) => bytes.extend(c.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
}

/// After a backslash.
fn escape(cursor: &mut Cursor<'_>) -> Parsed<u8> {
    let from = cursor.place();
    Ok(match cursor.bump() {
        Some('n') => b'\n',
        Some('r') => b'\r',
        Some('t') => b'\t',
        Some('0') => 0,
        Some('"') => b'"',
        Some('\\') => b'\\',
        Some('x') => {
            let digits: String = (0..2).filter_map(|_| cursor.bump()).collect();
            match u8::from_str_radix(&digits, 16) {
                Ok(byte) if digits.len() == 2 => byte,
                _ => {
                    return Err((
                        cursor.span(from),
                        "expected two hexadecimal digits after \\x".to_owned(),
                    ));
                }
            }
        }
        _ => {
            cursor.back_to(from);
            return Err((
                cursor.here(),
                "expected n, r, t, 0, x, \" or \\ after a backslash".to_owned(),
            ));
        }
    })
}
