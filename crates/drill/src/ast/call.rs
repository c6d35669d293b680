//! System calls: `accept(3, ..., ...) = 4`.

use hearken_abi::Errno;

use crate::span::Span;

/// One system call and what it must return.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// From the name on.
    pub span: Span,
    /// The name, as in section 2 of the manual.
    pub name: String,
    /// The arguments. A struct or list that the kernel writes to is compared after the call: `[{fd=4, events=POLLIN, revents=POLLIN}]`.
    pub args: Vec<Expr>,
    /// The result.
    pub returns: Returns,
    /// Where the result stands.
    pub returns_span: Span,
    /// `EAGAIN (Resource temporarily unavailable)` after a result of -1.
    pub errno: Option<ErrnoNote>,
}

/// What a call must return.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Returns {
    /// `?`: not compared.
    Any,
    /// Exactly this; for a call that makes a descriptor, the script's name of it.
    Exact(i64),
    /// `100~200`: between these, both included (our extension).
    Range(i64, i64),
}

/// The error that a call must fail with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrnoNote {
    /// Where it stands.
    pub span: Span,
    /// The number of its name.
    pub errno: Errno,
    /// What stands in the parentheses; a remark, not compared.
    pub text: Option<String>,
}

/// An argument, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expr {
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub kind: ExprKind,
}

/// What an expression is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExprKind {
    /// `...`: the runner supplies it, or nothing is compared.
    Ellipsis,
    /// `-1`, `1000`, `0x1f`.
    Int(i64),
    /// `SOCK_STREAM`, with its number.
    Symbol {
        /// The name.
        name: String,
        /// The number.
        value: i64,
    },
    /// `A | B`.
    Or(Vec<Expr>),
    /// `A << B`, the only other operator, for constants of that form.
    ShiftLeft(Box<Expr>, Box<Expr>),
    /// `[1]`, `[{...}, {...}]`: by reference, in order.
    List(Vec<Expr>),
    /// `"text"`, with its escapes resolved.
    Bytes(Vec<u8>),
    /// `{fd=4, events=POLLIN}` or `{..., 1000}`.
    Struct(Vec<Field>),
    /// `htons(8080)`, `inet_addr("192.0.2.1")`.
    Call {
        /// The name.
        name: String,
        /// What is in the parentheses.
        args: Vec<Expr>,
    },
}

/// A part of a struct.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Where it stands.
    pub span: Span,
    /// `fd` in `fd=4`; `None` where only a value is written.
    pub name: Option<String>,
    /// `1` in `msg_iov(1)=[...]`, `...` in `msg_name(...)=...`: the length that stands beside the name.
    pub len: Option<Expr>,
    /// The value.
    pub value: Expr,
}

impl Expr {
    /// The number of an integer, a symbol, or such combined; `None` for everything else.
    #[must_use]
    pub fn int(&self) -> Option<i64> {
        match &self.kind {
            ExprKind::Int(value) | ExprKind::Symbol { value, .. } => Some(*value),
            ExprKind::Or(parts) => parts.iter().try_fold(0, |sum, p| Some(sum | p.int()?)),
            ExprKind::ShiftLeft(value, by) => {
                value.int()?.checked_shl(u32::try_from(by.int()?).ok()?)
            }
            _ => None,
        }
    }

    /// Whether it is `...`.
    #[must_use]
    pub fn is_ellipsis(&self) -> bool {
        self.kind == ExprKind::Ellipsis
    }

    /// The value of a struct's field of that name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        let ExprKind::Struct(fields) = &self.kind else {
            return None;
        };
        fields.iter().find(|f| f.name.as_deref() == Some(name))
    }

    /// The parts of a list.
    #[must_use]
    pub fn list(&self) -> Option<&[Expr]> {
        match &self.kind {
            ExprKind::List(parts) => Some(parts),
            _ => None,
        }
    }
}

/// The calls that a script can make.
pub const KNOWN_CALLS: &[&str] = &[
    "accept",
    "accept4",
    "bind",
    "close",
    "connect",
    "dup",
    "dup2",
    "epoll_create",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "fcntl",
    "getpeername",
    "getsockname",
    "getsockopt",
    "ioctl",
    "listen",
    "open",
    "pipe",
    "pipe2",
    "poll",
    "read",
    "readv",
    "recv",
    "recvfrom",
    "recvmsg",
    "send",
    "sendfile",
    "sendmsg",
    "sendto",
    "setsockopt",
    "shutdown",
    "socket",
    "splice",
    "write",
    "writev",
];
