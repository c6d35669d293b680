//! Control messages (cmsg(3)): as the kernel reads them, and those that it wrote against a script's.

use core::time::Duration;

use super::args::{Wrong, int, member, option_value, wrong};
use super::returns::value_text;
use crate::ast::{Expr, ExprKind};

/// How far a timestamp may be from what a script says.
const STAMP_TOLERANCE: Duration = Duration::from_millis(12);

/// Level, type and data.
type Message = (i32, i32, Vec<u8>);

/// The bytes of a script's control messages.
pub(crate) fn emit(expr: &Expr) -> Result<Vec<u8>, Wrong> {
    let Some(parts) = expr.list() else {
        return wrong(
            expr.span,
            "control messages are written [{cmsg_level=.., cmsg_type=.., cmsg_data=..}]",
        );
    };
    let mut out = Vec::new();
    for part in parts {
        let field = |name: &str| match part.field(name) {
            Some(field) => Ok(&field.value),
            None => wrong(part.span, format!("{name} is missing")),
        };
        let data = option_value(field("cmsg_data")?)?;
        out.extend((16 + data.len() as u64).to_ne_bytes());
        out.extend((int(field("cmsg_level")?)? as i32).to_ne_bytes());
        out.extend((int(field("cmsg_type")?)? as i32).to_ne_bytes());
        out.extend(data);
        out.resize(out.len().next_multiple_of(8), 0);
    }
    Ok(out)
}

/// The messages in a buffer.
fn read(mut bytes: &[u8]) -> Vec<Message> {
    let mut out = Vec::new();
    while bytes.len() >= 16 {
        let word = |at: usize| word(bytes, at).cast_signed();
        let len = usize::try_from(word(0)).unwrap_or(0);
        if len < 16 || len > bytes.len() {
            break;
        }
        out.push((word(8), word(12), bytes[16..len].to_vec()));
        bytes = &bytes[len.next_multiple_of(8).min(bytes.len())..];
    }
    out
}

fn word(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    if let Some(there) = bytes.get(at..at + 4) {
        word.copy_from_slice(there);
    }
    u32::from_ne_bytes(word)
}

/// The fields of `struct sock_extended_err` (linux/errqueue.h): name, offset, length.
const ERROR: [(&str, usize, usize); 6] = [
    ("ee_errno", 0, 4),
    ("ee_origin", 4, 1),
    ("ee_type", 5, 1),
    ("ee_code", 6, 1),
    ("ee_info", 8, 4),
    ("ee_data", 12, 4),
];

fn error_field(data: &[u8], at: usize, len: usize) -> i64 {
    match len {
        1 => i64::from(data.get(at).copied().unwrap_or(0)),
        _ => i64::from(word(data, at)),
    }
}

/// The first of the three times of `struct scm_timestamping`, since the script began.
fn stamp(data: &[u8], began: Duration) -> Option<Duration> {
    let long = |at: usize| -> Option<u64> {
        Some(u64::from_ne_bytes(data.get(at..at + 8)?.try_into().ok()?))
    };
    let at = Duration::new(long(0)?, u32::try_from(long(8)?).ok()?);
    Some(at.saturating_sub(began))
}

/// The data as a script writes them; of which struct they are, the script's own says.
fn text(wanted: Option<&Expr>, data: &[u8], began: Duration) -> String {
    let has = |names: &[&str]| wanted.is_some_and(|w| member(w, names, usize::MAX).is_some());
    if has(&["scm_sec", "scm_nsec"])
        && let Some(at) = stamp(data, began)
    {
        let (seconds, nanos) = (at.as_secs(), at.subsec_nanos());
        return format!("{{scm_sec={seconds}, scm_nsec={nanos}}}");
    }
    if has(&["ee_errno", "ee_origin", "ee_info", "ee_data"]) {
        let one = |(name, at, len): &(&str, usize, usize)| {
            format!("{name}={}", error_field(data, *at, *len))
        };
        return format!(
            "{{{}}}",
            ERROR.iter().map(one).collect::<Vec<_>>().join(", ")
        );
    }
    value_text(data)
}

/// Whether the data are those of the script's `cmsg_data`.
fn alike(wanted: &Expr, data: &[u8], began: Duration) -> Result<bool, Wrong> {
    let field = |name: &str| member(wanted, &[name], usize::MAX);
    if field("scm_sec").is_some() || field("scm_nsec").is_some() {
        let number = |name: &str| field(name).map_or(Ok(0), int);
        let (seconds, nanos) = (number("scm_sec")?, number("scm_nsec")?);
        let wanted = Duration::from_nanos((seconds * 1_000_000_000 + nanos).unsigned_abs());
        return Ok(stamp(data, began).is_some_and(|at| at.abs_diff(wanted) <= STAMP_TOLERANCE));
    }
    if ERROR.iter().any(|(name, ..)| field(name).is_some()) {
        for (name, at, len) in ERROR {
            if let Some(value) = field(name)
                && !value.is_ellipsis()
                && int(value)? != error_field(data, at, len)
            {
                return Ok(false);
            }
        }
        return Ok(true);
    }
    Ok(option_value(wanted)? == data)
}

/// How the messages of a recvmsg are not a script's: what is wrong, and what they are.
pub(crate) fn unlike(
    wanted: &Expr,
    control: &[u8],
    began: Duration,
) -> Result<Option<(String, String)>, Wrong> {
    let wanted = match &wanted.kind {
        ExprKind::List(parts) => parts.as_slice(),
        _ => return Ok(None),
    };
    let got = read(control);
    let written = || {
        let one = |(at, (level, kind, data)): (usize, &Message)| {
            let wanted = wanted
                .get(at)
                .and_then(|w| member(w, &["cmsg_data"], usize::MAX));
            let data = text(wanted, data, began);
            format!("{{cmsg_level={level}, cmsg_type={kind}, cmsg_data={data}}}")
        };
        let all: Vec<String> = got.iter().enumerate().map(one).collect();
        format!("msg_control=[{}]", all.join(", "))
    };
    if wanted.len() != got.len() {
        let headline = format!("{} control messages", got.len());
        return Ok(Some((headline, written())));
    }
    for (wanted, (level, kind, data)) in wanted.iter().zip(&got) {
        for (name, is) in [("cmsg_level", level), ("cmsg_type", kind)] {
            if let Some(field) = wanted.field(name)
                && int(&field.value)? != i64::from(*is)
            {
                return Ok(Some((format!("another {name}"), written())));
            }
        }
        if let Some(field) = wanted.field("cmsg_data")
            && !field.value.is_ellipsis()
            && !alike(&field.value, data, began)?
        {
            return Ok(Some(("another cmsg_data".to_owned(), written())));
        }
    }
    Ok(None)
}
