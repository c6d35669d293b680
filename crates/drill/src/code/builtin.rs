//! Functions that code may call, and `"text %d" % value`.

use super::eval::{fail, order};
use super::{CodeError, Value};
use crate::span::Span;

/// The functions, for the message.
const NAMES: &str = "abs, bool, float, hex, int, len, max, min, range, round, str, sum";

#[expect(
    clippy::cast_possible_truncation,
    reason = "as Python's int() does, within the range of a time or a rate"
)]
pub(super) fn call(name: &str, args: &[Value], span: Span) -> Result<Value, CodeError> {
    let value = match (name, args) {
        ("abs", [Value::Float(x)]) => Some(Value::Float(x.abs())),
        ("abs", [x]) => x.int().map(|n| Value::Int(n.wrapping_abs())),
        ("bool", [x]) => Some(Value::Bool(x.truth())),
        ("str", [x]) => Some(Value::Text(x.to_string())),
        ("float", [x]) => x.float().map(Value::Float),
        ("hex", [x]) => x.int().map(|n| Value::Text(hex(n))),
        ("int", [Value::Float(x)]) => Some(Value::Int(x.trunc() as i128)),
        ("int", [Value::Text(text)]) => text.trim().parse().ok().map(Value::Int),
        ("int", [x]) => x.int().map(Value::Int),
        ("round", [Value::Float(x)]) => Some(Value::Int(x.round_ties_even() as i128)),
        ("round", [x]) => x.int().map(Value::Int),
        ("range", [end]) => end.int().and_then(|end| range(0, end, 1)),
        ("range", [from, end]) => match (from.int(), end.int()) {
            (Some(from), Some(end)) => range(from, end, 1),
            _ => None,
        },
        ("range", [from, end, step]) => match (from.int(), end.int(), step.int()) {
            (Some(from), Some(end), Some(step)) => range(from, end, step),
            _ => None,
        },
        ("sum", [Value::List(parts)]) => parts
            .iter()
            .try_fold(0i128, |sum, part| sum.checked_add(part.int()?))
            .map(Value::Int),
        ("len", [Value::List(parts)]) => i128::try_from(parts.len()).ok().map(Value::Int),
        ("len", [Value::Text(text)]) => i128::try_from(text.chars().count()).ok().map(Value::Int),
        ("max" | "min", [Value::List(parts)]) => extreme(name == "max", parts),
        ("max" | "min", parts) if parts.len() > 1 => extreme(name == "max", parts),
        (
            "abs" | "bool" | "str" | "float" | "hex" | "int" | "round" | "len" | "max" | "min"
            | "range" | "sum",
            _,
        ) => None,
        _ => {
            return fail(span, format!("no function `{name}` is known ({NAMES} are)"));
        }
    };
    match value {
        Some(value) => Ok(value),
        None => fail(span, format!("`{name}` cannot be called with these values")),
    }
}

/// At most as many numbers as a loop goes round.
fn range(from: i128, end: i128, step: i128) -> Option<Value> {
    let mut parts = Vec::new();
    let mut at = from;
    while (step > 0 && at < end) || (step < 0 && at > end) {
        if parts.len() == 100_000 {
            return None;
        }
        parts.push(Value::Int(at));
        at = at.checked_add(step)?;
    }
    (step != 0).then_some(Value::List(parts))
}

fn hex(n: i128) -> String {
    let sign = if n < 0 { "-" } else { "" };
    format!("{sign}{:#x}", n.unsigned_abs())
}

fn extreme(most: bool, parts: &[Value]) -> Option<Value> {
    let mut best = parts.first()?;
    for part in parts {
        let order = order(part, best)?;
        if (most && order.is_gt()) || (!most && order.is_lt()) {
            best = part;
        }
    }
    Some(best.clone())
}

/// `%d`, `%u`, `%i`, `%s`, `%x`, `%f` and `%%`; widths and precisions are read and left out.
pub(super) fn format(form: &str, values: Value, span: Span) -> Result<Value, CodeError> {
    let mut values = match values {
        Value::List(values) => values.into_iter(),
        one => vec![one].into_iter(),
    };
    let mut out = String::new();
    let mut chars = form.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let letter = chars.find(|c| !matches!(c, '0'..='9' | '.' | '-' | '+' | ' ' | '#'));
        if letter == Some('%') {
            out.push('%');
            continue;
        }
        let Some(value) = values.next() else {
            return fail(span, "the text has more places (%d) than there are values");
        };
        match (letter, value.int()) {
            (Some('d' | 'i' | 'u'), Some(n)) => out += &n.to_string(),
            (Some('x'), Some(n)) => out += &format!("{n:x}"),
            (Some('f' | 'g' | 'd' | 'e'), _) if value.float().is_some() => {
                out += &format!("{:.6}", value.float().unwrap_or_default());
            }
            (Some('s' | 'r'), _) => out += &value.to_string(),
            _ => {
                return fail(
                    span,
                    format!("the text's place does not fit {}", value.kind()),
                );
            }
        }
    }
    if values.next().is_some() {
        return fail(span, "there are more values than the text has places (%d)");
    }
    Ok(Value::Text(out))
}
