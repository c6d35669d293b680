//! What a call returned against what the script says.

use core::time::Duration;

use hearken_abi::Errno;
use hearken_twin::{Output, Return};

use super::args::{Wrong, int, iovecs, member, option_value, sockaddr};
use super::calls::{epoll_data, structs};
use super::fds::{Descriptors, Open};
use super::{control, info};
use crate::ast::{Call, Expr, ExprKind, Field, Returns};

/// How a call did not do what the script says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unlike {
    /// One sentence.
    pub(crate) headline: String,
    /// What it did, as a script would write it after the `=`, or the output.
    pub(crate) actual: String,
}

fn unlike<T>(headline: impl Into<String>, actual: impl Into<String>) -> Result<T, Unlike> {
    Err(Unlike {
        headline: headline.into(),
        actual: actual.into(),
    })
}

/// A result as a script writes it.
pub(crate) fn result_text(result: Result<i64, Errno>) -> String {
    match result {
        Ok(number) => number.to_string(),
        Err(errno) => format!("-1 {} ({})", errno.name(), errno.description()),
    }
}

/// Whether a call's result is a new descriptor.
pub(crate) fn makes_descriptor(call: &Call) -> bool {
    let dup = |arg: &Expr| matches!(arg.int(), Some(c) if c == i64::from(libc::F_DUPFD));
    match call.name.as_str() {
        "socket" | "accept" | "accept4" | "epoll_create" | "epoll_create1" | "open" | "dup"
        | "dup2" => true,
        "fcntl" => call.args.get(1).is_some_and(dup),
        _ => false,
    }
}

/// Compares a result, then the output; the descriptors that it opened or closed are noted. `began` is the wall clock's time
/// when the script began.
pub(crate) fn check(
    call: &Call,
    returned: &Return,
    fds: &mut Descriptors,
    domain: i32,
    began: Duration,
) -> Result<(), Unlike> {
    check_result(call, returned.result, fds, domain)?;
    if returned.result.is_ok() {
        note_closed(call, fds);
        return check_output(call, returned, fds, began);
    }
    Ok(())
}

fn check_result(
    call: &Call,
    result: Result<i64, Errno>,
    fds: &mut Descriptors,
    domain: i32,
) -> Result<(), Unlike> {
    let name = &call.name;
    let actual = result_text(result);
    if let (Ok(live), true) = (result, makes_descriptor(call)) {
        return match call.returns {
            Returns::Exact(script) if script >= 0 => {
                let live = live as i32;
                fds.open(script, Open { live, domain });
                Ok(())
            }
            Returns::Any => Ok(()),
            _ => unlike(format!("{name}() gave a descriptor"), actual),
        };
    }
    let number = result.unwrap_or(-1);
    match (result, &call.returns) {
        (_, Returns::Any) => return Ok(()),
        (_, Returns::Exact(wanted)) if *wanted == number => {}
        (_, Returns::Range(least, most)) if (*least..=*most).contains(&number) => {}
        (Err(errno), _) => {
            let headline = format!(
                "{name}() failed with {} ({})",
                errno.name(),
                errno.description()
            );
            return unlike(headline, actual);
        }
        (Ok(number), _) => return unlike(format!("{name}() returned {number}"), actual),
    }
    match (result, &call.errno) {
        (Err(errno), Some(note)) if note.errno != errno => unlike(
            format!("{name}() failed with another error: {}", errno.name()),
            actual,
        ),
        _ => Ok(()),
    }
}

fn note_closed(call: &Call, fds: &mut Descriptors) {
    if call.name == "close"
        && let Some(fd) = call.args.first().and_then(Expr::int)
    {
        fds.close(fd);
    }
}

/// A mistake in the script that shows only now.
fn script(error: Wrong) -> Unlike {
    Unlike {
        headline: error.what,
        actual: String::new(),
    }
}

fn check_output(
    call: &Call,
    returned: &Return,
    fds: &mut Descriptors,
    began: Duration,
) -> Result<(), Unlike> {
    let arg = |at: usize| call.args.get(at);
    match (&returned.output, call.name.as_str()) {
        (Output::Address(raw), _) => check_address(arg(1), arg(2), raw),
        (Output::Bytes(value), "getsockopt") => check_option(arg(3), arg(4), value),
        (Output::Bytes(data), "readv") => match arg(1) {
            Some(vectors) => check_vectors(vectors, data),
            None => Ok(()),
        },
        (Output::Bytes(data), _) => check_data(arg(1), data),
        (
            Output::Message {
                data,
                control,
                flags,
            },
            _,
        ) => match arg(1) {
            Some(message) => check_message(message, data, control, *flags, began),
            None => Ok(()),
        },
        (Output::Int(value), _) => match arg(2) {
            Some(wanted) if wanted.list().is_some() => {
                let wanted = int(wanted).map_err(script)?;
                if wanted == i64::from(*value) {
                    return Ok(());
                }
                unlike(
                    format!("{}() gave {value}", call.name),
                    format!("[{value}]"),
                )
            }
            _ => Ok(()),
        },
        (Output::Revents(revents), _) => match arg(0) {
            Some(entries) => check_revents(structs(entries), revents),
            None => Ok(()),
        },
        (Output::Events(events), _) => match arg(1) {
            Some(wanted) if !wanted.is_ellipsis() => check_events(structs(wanted), events),
            _ => Ok(()),
        },
        (Output::Pair(pair), _) => {
            let Some(names) = arg(0).and_then(Expr::list) else {
                return Ok(());
            };
            for (name, live) in names.iter().zip(pair) {
                let open = Open {
                    live: *live,
                    domain: 0,
                };
                fds.open(int(name).map_err(script)?, open);
            }
            Ok(())
        }
        (Output::Offset(_) | Output::None, _) => Ok(()),
    }
}

fn check_address(addr: Option<&Expr>, len: Option<&Expr>, raw: &[u8]) -> Result<(), Unlike> {
    let text = |raw: &[u8]| match raw.len() {
        16.. => hearken_twin::socket_addr(raw).to_string(),
        _ => format!("{raw:02x?}"),
    };
    if let Some(addr) = addr
        && !addr.is_ellipsis()
        && addr.int() != Some(0)
    {
        let mut wanted = sockaddr(addr).map_err(script)?;
        // `sin_port=...`: whatever it is.
        let open = |names: &[&str], at| member(addr, names, at).is_some_and(Expr::is_ellipsis);
        if open(&["sin_port", "sin6_port"], 1) && raw.len() >= 4 {
            wanted[2..4].copy_from_slice(&raw[2..4]);
        }
        if open(&["sin_addr", "sin6_addr"], 2) && raw.len() == wanted.len() {
            wanted[4..].copy_from_slice(&raw[4..]);
        }
        if wanted != raw {
            return unlike("another address", text(raw));
        }
    }
    if let Some(len) = len.filter(|len| len.list().is_some_and(|l| l.len() == 1)) {
        let wanted = int(len).map_err(script)?;
        if wanted != raw.len() as i64 {
            return unlike("another length of the address", format!("[{}]", raw.len()));
        }
    }
    Ok(())
}

/// An option's value as a script writes it.
pub(crate) fn value_text(value: &[u8]) -> String {
    match value {
        [a, b, c, d] => format!("[{}]", i32::from_ne_bytes([*a, *b, *c, *d])),
        [byte] => format!("[{byte}]"),
        other => {
            let printable = |b: &u8| b.is_ascii_graphic() || *b == 0;
            if !other.is_empty() && other.iter().all(printable) {
                let text: Vec<u8> = other.iter().copied().filter(|b| *b != 0).collect();
                return format!("\"{}\"", String::from_utf8_lossy(&text));
            }
            format!("{other:02x?}")
        }
    }
}

fn check_option(wanted: Option<&Expr>, len: Option<&Expr>, value: &[u8]) -> Result<(), Unlike> {
    if let Some(wanted) = wanted
        && !wanted.is_ellipsis()
    {
        if let ExprKind::Struct(fields) = &wanted.kind
            && fields
                .iter()
                .any(|f| f.name.as_deref().is_some_and(|n| n.starts_with("tcpi_")))
        {
            return check_info(fields, value);
        }
        let raw = option_value(wanted).map_err(script)?;
        let text = matches!(wanted.kind, ExprKind::Bytes(_));
        let trim = |bytes: &[u8]| {
            let end = bytes.iter().rposition(|b| *b != 0).map_or(0, |at| at + 1);
            bytes[..end].to_vec()
        };
        // A string ends at its first zero; a number may have come as one byte.
        let alike = match text || value.len() < raw.len() {
            true => trim(&raw) == trim(value),
            false => value.starts_with(&raw) && (raw.len() == value.len() || raw.len() > 4),
        };
        if !alike {
            return unlike("the option has another value", value_text(value));
        }
    }
    if let Some(len) = len.filter(|len| len.list().is_some()) {
        let wanted = int(len).map_err(script)?;
        // The length goes in as the room; it comes out as what was written, which a script that compares no value leaves
        // open by naming more room.
        if wanted < value.len() as i64 {
            return unlike(
                "the option has another length",
                format!("[{}]", value.len()),
            );
        }
    }
    Ok(())
}

/// `{tcpi_state=TCP_ESTABLISHED, tcpi_snd_cwnd=10}`: of TCP_INFO, the fields that are named.
fn check_info(wanted: &[Field], info: &[u8]) -> Result<(), Unlike> {
    for Field { name, value, .. } in wanted {
        let name = name.as_deref().unwrap_or_default();
        let Some(is) = info::field(info, name) else {
            return unlike(format!("TCP_INFO has no `{name}` here"), String::new());
        };
        if !value.is_ellipsis() && int(value).map_err(script)? != is {
            return unlike(format!("another {name}"), format!("{{{name}={is}}}"));
        }
    }
    Ok(())
}

fn check_data(wanted: Option<&Expr>, data: &[u8]) -> Result<(), Unlike> {
    let Some(ExprKind::Bytes(wanted)) = wanted.map(|expr| &expr.kind) else {
        return Ok(());
    };
    if wanted.get(..data.len()).unwrap_or(wanted) == data {
        return Ok(());
    }
    unlike(
        "other data",
        format!("\"{}\"", String::from_utf8_lossy(data).escape_default()),
    )
}

fn check_vectors(vectors: &Expr, data: &[u8]) -> Result<(), Unlike> {
    let mut rest = data;
    for (base, len) in iovecs(vectors).map_err(script)? {
        let (this, more) = rest.split_at(len.min(rest.len()));
        check_data(Some(base), this)?;
        rest = more;
    }
    Ok(())
}

fn check_message(
    message: &Expr,
    data: &[u8],
    control: &[u8],
    flags: i32,
    began: Duration,
) -> Result<(), Unlike> {
    if let Some(vectors) = message.field("msg_iov") {
        check_vectors(&vectors.value, data)?;
    }
    if let Some(wanted) = message.field("msg_flags")
        && !wanted.value.is_ellipsis()
    {
        let wanted = int(&wanted.value).map_err(script)?;
        if wanted != i64::from(flags) {
            return unlike("other msg_flags", format!("msg_flags={flags:#x}"));
        }
    }
    let Some(wanted) = message.field("msg_control").map(|field| &field.value) else {
        return Ok(());
    };
    match control::unlike(wanted, control, began).map_err(script)? {
        Some((headline, actual)) => unlike(headline, actual),
        None => Ok(()),
    }
}

/// Poll bits as a script writes them.
fn bits_text(bits: u32) -> String {
    let names = [
        (libc::POLLIN, "POLLIN"),
        (libc::POLLPRI, "POLLPRI"),
        (libc::POLLOUT, "POLLOUT"),
        (libc::POLLERR, "POLLERR"),
        (libc::POLLHUP, "POLLHUP"),
        (libc::POLLNVAL, "POLLNVAL"),
        (libc::POLLRDNORM, "POLLRDNORM"),
        (libc::POLLRDBAND, "POLLRDBAND"),
        (libc::POLLWRNORM, "POLLWRNORM"),
        (libc::POLLWRBAND, "POLLWRBAND"),
        (0x2000, "POLLRDHUP"),
    ];
    let set: Vec<&str> = names
        .iter()
        .filter(|(bit, _)| bits & u32::from(*bit as u16) != 0)
        .map(|(_, name)| *name)
        .collect();
    if set.is_empty() {
        "0".to_owned()
    } else {
        set.join("|")
    }
}

fn check_revents(entries: &[Expr], revents: &[i16]) -> Result<(), Unlike> {
    for (entry, is) in entries.iter().zip(revents) {
        let wanted = match member(entry, &["revents"], 2) {
            Some(wanted) if !wanted.is_ellipsis() => int(wanted).map_err(script)? as i16,
            _ => continue,
        };
        if wanted != *is {
            let bits = bits_text(u32::from(*is as u16));
            return unlike(format!("poll() reports {bits}"), format!("revents={bits}"));
        }
    }
    Ok(())
}

fn check_events(entries: &[Expr], events: &[(u32, u64)]) -> Result<(), Unlike> {
    let text = || {
        let one = |(events, data): &(u32, u64)| {
            let bits = bits_text(*events).replace("POLL", "EPOLL");
            format!("{{events={bits}, fd={data}}}")
        };
        events.iter().map(one).collect::<Vec<_>>().join(", ")
    };
    for (entry, (is, data)) in entries.iter().zip(events) {
        if let Some(wanted) = member(entry, &["events"], 0)
            && !wanted.is_ellipsis()
            && int(wanted).map_err(script)? as u32 != *is
        {
            return unlike("epoll_wait() reports other events", text());
        }
        let named = member(entry, &["fd", "u32", "u64", "ptr", "data"], 1);
        if named.is_some_and(|data| !data.is_ellipsis())
            && epoll_data(entry).map_err(script)? != *data
        {
            return unlike("epoll_wait() reports another file", text());
        }
    }
    Ok(())
}
