//! The arguments of a call, from what the script says to what a system takes.

use core::net::{IpAddr, SocketAddr};

use crate::ast::{Call, Expr, ExprKind};
use crate::span::Span;

/// A call that cannot be made as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) span: Span,
    pub(crate) what: String,
}

/// Why, at this place.
pub(crate) fn wrong<T>(span: Span, what: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong {
        span,
        what: what.into(),
    })
}

/// The arguments of one call, by their place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Args<'a> {
    pub(crate) call: &'a Call,
}

impl<'a> Args<'a> {
    /// How many there must be.
    pub(crate) fn count(self, least: usize, most: usize) -> Result<(), Wrong> {
        let is = self.call.args.len();
        if (least..=most).contains(&is) {
            return Ok(());
        }
        let wanted = match least == most {
            true => least.to_string(),
            false => format!("{least} to {most}"),
        };
        let name = &self.call.name;
        wrong(
            self.call.span,
            format!("{name}() takes {wanted} arguments, not {is}"),
        )
    }

    pub(crate) fn get(self, at: usize) -> Result<&'a Expr, Wrong> {
        match self.call.args.get(at) {
            Some(arg) => Ok(arg),
            None => wrong(
                self.call.span,
                format!("{}() has no argument {}", self.call.name, at + 1),
            ),
        }
    }

    pub(crate) fn int(self, at: usize) -> Result<i64, Wrong> {
        int(self.get(at)?)
    }

    /// As the C type that every call here takes.
    pub(crate) fn i32(self, at: usize) -> Result<i32, Wrong> {
        Ok(self.int(at)? as i32)
    }

    pub(crate) fn size(self, at: usize) -> Result<usize, Wrong> {
        size(self.get(at)?)
    }

    /// An integer, or this where the script leaves it to the runner.
    pub(crate) fn int_or(self, at: usize, default: i64) -> Result<i64, Wrong> {
        let arg = self.get(at)?;
        if arg.is_ellipsis() {
            Ok(default)
        } else {
            int(arg)
        }
    }
}

pub(crate) fn int(expr: &Expr) -> Result<i64, Wrong> {
    match (expr.int(), &expr.kind) {
        (Some(value), _) => Ok(value),
        // NULL and its like are numbers; [n] stands for a number by reference.
        (None, ExprKind::List(parts)) if parts.len() == 1 => int(&parts[0]),
        (None, ExprKind::Call { name, args }) => function_int(expr, name, args),
        _ => wrong(expr.span, "a number belongs here"),
    }
}

fn function_int(expr: &Expr, name: &str, args: &[Expr]) -> Result<i64, Wrong> {
    match (name, args) {
        ("htons", [port]) => Ok(i64::from((int(port)? as u16).to_be())),
        ("htonl", [value]) => Ok(i64::from((int(value)? as u32).to_be())),
        _ => wrong(expr.span, format!("{name}() gives no number here")),
    }
}

pub(crate) fn size(expr: &Expr) -> Result<usize, Wrong> {
    let value = int(expr)?;
    // A call with a length of -1 would ask for all memory.
    match usize::try_from(value) {
        Ok(value) if value <= 1 << 28 => Ok(value),
        _ => wrong(expr.span, format!("{value} is no length")),
    }
}

/// The data that a call writes: a string, or so many zeros.
pub(crate) fn data(expr: &Expr, len: usize) -> Result<Vec<u8>, Wrong> {
    match &expr.kind {
        ExprKind::Ellipsis => Ok(vec![0; len]),
        ExprKind::Bytes(bytes) => {
            let mut bytes = bytes.clone();
            bytes.resize(len, 0);
            Ok(bytes)
        }
        _ => wrong(expr.span, "the data are `...` or a string"),
    }
}

/// The values of a struct's fields under one of these names, or at this place.
pub(crate) fn member<'a>(expr: &'a Expr, names: &[&str], at: usize) -> Option<&'a Expr> {
    let ExprKind::Struct(fields) = &expr.kind else {
        return None;
    };
    let named = |name: &Option<String>| name.as_deref().is_some_and(|n| names.contains(&n));
    if let Some(field) = fields.iter().find(|field| named(&field.name)) {
        return Some(&field.value);
    }
    let field = fields.get(at)?;
    field.name.is_none().then_some(&field.value)
}

fn ip(expr: &Expr) -> Result<IpAddr, Wrong> {
    let text = match &expr.kind {
        ExprKind::Call { name, args }
            if matches!(name.as_str(), "inet_addr" | "inet_pton" | "in6_addr") =>
        {
            let text = args.iter().rev().map(|arg| &arg.kind);
            match text
                .into_iter()
                .find(|kind| matches!(kind, ExprKind::Bytes(_)))
            {
                Some(ExprKind::Bytes(text)) => String::from_utf8_lossy(text).into_owned(),
                _ => return wrong(expr.span, "an address is written \"192.0.2.1\""),
            }
        }
        ExprKind::Bytes(text) => String::from_utf8_lossy(text).into_owned(),
        _ => match expr.int() {
            Some(value) => return Ok(IpAddr::from((value as u32).to_be_bytes())),
            None => {
                return wrong(expr.span, "an address is written inet_addr(\"192.0.2.1\")");
            }
        },
    };
    let text = text.trim_end_matches('\0');
    text.parse()
        .or_else(|_| wrong(expr.span, format!("\"{text}\" is no IP address")))
}

/// A sockaddr struct as raw bytes: `{sa_family=AF_INET, sin_port=htons(8080), sin_addr=inet_addr("192.0.2.1")}`.
pub(crate) fn sockaddr(expr: &Expr) -> Result<Vec<u8>, Wrong> {
    let family = member(expr, &["sa_family", "sin_family", "sin6_family"], 0);
    let Some(family) = family else {
        return wrong(
            expr.span,
            "an address is `...` or {sa_family=AF_INET, sin_port=htons(8080), sin_addr=inet_addr(\"192.0.2.1\")}",
        );
    };
    let family = int(family)? as i32;
    if family != libc::AF_INET && family != libc::AF_INET6 {
        let mut raw = (family as u16).to_ne_bytes().to_vec();
        raw.resize(16, 0);
        return Ok(raw);
    }
    let port = match member(expr, &["sin_port", "sin6_port"], 1) {
        Some(port) if !port.is_ellipsis() => int(port)?,
        _ => 0,
    };
    let port = u16::from_be(port as u16);
    let address = match member(expr, &["sin_addr", "sin6_addr"], 2) {
        Some(address) if !address.is_ellipsis() => ip(address)?,
        _ if family == libc::AF_INET => IpAddr::from([0; 4]),
        _ => IpAddr::from([0u16; 8]),
    };
    let address = match address {
        IpAddr::V4(ip) if family == libc::AF_INET6 => IpAddr::V6(ip.to_ipv6_mapped()),
        address => address,
    };
    Ok(hearken_twin::sockaddr(SocketAddr::new(address, port)))
}

/// The value of an option as raw bytes: `[1]`, `"cubic"`, `{onoff=1, linger=0}`.
pub(crate) fn option_value(expr: &Expr) -> Result<Vec<u8>, Wrong> {
    match &expr.kind {
        ExprKind::Bytes(bytes) => Ok(bytes.clone()),
        ExprKind::List(parts) => {
            let mut out = Vec::new();
            for part in parts {
                out.extend(option_value(part)?);
            }
            Ok(out)
        }
        ExprKind::Struct(fields) => {
            let mut out = Vec::new();
            for field in fields {
                // struct timeval is two longs; struct linger and all others here are ints.
                let wide = matches!(field.name.as_deref(), Some("tv_sec" | "tv_usec"));
                match (wide, &field.value.kind) {
                    (true, _) => out.extend(int(&field.value)?.to_ne_bytes()),
                    (_, ExprKind::Bytes(bytes)) => out.extend(bytes),
                    _ => out.extend((int(&field.value)? as i32).to_ne_bytes()),
                }
            }
            Ok(out)
        }
        _ => Ok((int(expr)? as i32).to_ne_bytes().to_vec()),
    }
}

/// The buffers of an iovec array: `[{..., 1000}, {"abc", 3}]`, with the lengths.
pub(crate) fn iovecs(expr: &Expr) -> Result<Vec<(&Expr, usize)>, Wrong> {
    let Some(parts) = expr.list() else {
        return wrong(expr.span, "vectors are written [{..., 1000}, {..., 500}]");
    };
    let one = |part: &'_ Expr| -> Result<usize, Wrong> {
        match member(part, &["iov_len"], 1) {
            Some(len) => size(len),
            None => wrong(part.span, "a vector is written {..., 1000}"),
        }
    };
    let mut out = Vec::new();
    for part in parts {
        let len = one(part)?;
        match member(part, &["iov_base"], 0) {
            Some(base) => out.push((base, len)),
            None => return wrong(part.span, "a vector is written {..., 1000}"),
        }
    }
    Ok(out)
}
