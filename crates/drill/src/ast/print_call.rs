//! Calls as they would be written.

use std::fmt::{self, Display, Formatter, Write};

use super::{Call, ErrnoNote, Expr, ExprKind, Field, Returns};

impl Display for Call {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.name)?;
        separated(f, &self.args)?;
        write!(f, ") = {}", self.returns)?;
        match &self.errno {
            Some(errno) => write!(f, " {errno}"),
            None => Ok(()),
        }
    }
}

impl Display for Returns {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Returns::Any => f.write_char('?'),
            Returns::Exact(value) => value.fmt(f),
            Returns::Range(low, high) => write!(f, "{low}~{high}"),
        }
    }
}

impl Display for ErrnoNote {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.errno.name())?;
        match &self.text {
            Some(text) => write!(f, " ({text})"),
            None => Ok(()),
        }
    }
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::Ellipsis => f.write_str("..."),
            ExprKind::Int(value) => value.fmt(f),
            ExprKind::Symbol { name, .. } => f.write_str(name),
            ExprKind::Or(parts) => {
                let parts: Vec<String> = parts.iter().map(Expr::to_string).collect();
                f.write_str(&parts.join("|"))
            }
            ExprKind::ShiftLeft(value, by) => write!(f, "{value} << {by}"),
            ExprKind::List(parts) => {
                f.write_char('[')?;
                separated(f, parts)?;
                f.write_char(']')
            }
            ExprKind::Bytes(bytes) => quoted(f, bytes),
            ExprKind::Struct(fields) => {
                f.write_char('{')?;
                separated(f, fields)?;
                f.write_char('}')
            }
            ExprKind::Call { name, args } => {
                write!(f, "{name}(")?;
                separated(f, args)?;
                f.write_char(')')
            }
        }
    }
}

impl Display for Field {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            f.write_str(name)?;
            if let Some(len) = &self.len {
                write!(f, "({len})")?;
            }
            f.write_char('=')?;
        }
        self.value.fmt(f)
    }
}

fn separated<T: Display>(f: &mut Formatter<'_>, parts: &[T]) -> fmt::Result {
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            f.write_str(", ")?;
        }
        part.fmt(f)?;
    }
    Ok(())
}

fn quoted(f: &mut Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    f.write_char('"')?;
    for &b in bytes {
        match b {
            b'"' => f.write_str("\\\"")?,
            b'\\' => f.write_str("\\\\")?,
            b'\n' => f.write_str("\\n")?,
            b' '..=b'~' => f.write_char(char::from(b))?,
            _ => write!(f, "\\x{b:02x}")?,
        }
    }
    f.write_char('"')
}
