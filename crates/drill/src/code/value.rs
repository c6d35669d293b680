//! Values of the code in a script.

use std::fmt;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// An integer.
    Int(i128),
    /// What `/` makes.
    Float(f64),
    /// `True`, `False`.
    Bool(bool),
    /// Text.
    Text(String),
    /// A list or tuple.
    List(Vec<Value>),
    /// `None`.
    None,
}

impl Value {
    /// Whether Python takes it for true.
    #[must_use]
    pub fn truth(&self) -> bool {
        match self {
            Value::Int(n) => *n != 0,
            Value::Float(x) => *x != 0.0,
            Value::Bool(b) => *b,
            Value::Text(s) => !s.is_empty(),
            Value::List(l) => !l.is_empty(),
            Value::None => false,
        }
    }

    /// An integer or a truth value as an integer.
    #[must_use]
    pub fn int(&self) -> Option<i128> {
        match self {
            Value::Int(n) => Some(*n),
            Value::Bool(b) => Some(i128::from(*b)),
            _ => None,
        }
    }

    /// Any number as a float.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "as Python's float() does")]
    pub fn float(&self) -> Option<f64> {
        match self {
            Value::Float(x) => Some(*x),
            other => other.int().map(|n| n as f64),
        }
    }

    /// What kind of value it is, for messages.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Value::Int(_) => "an integer",
            Value::Float(_) => "a float",
            Value::Bool(_) => "a truth value",
            Value::Text(_) => "text",
            Value::List(_) => "a list",
            Value::None => "None",
        }
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Value {
        Value::Int(i128::from(number))
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Int(i128::from(number))
    }
}

/// As Python's `str()` writes it.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Int(n) => n.fmt(f),
            Value::Float(x) => write!(f, "{x:?}"),
            Value::Bool(true) => f.write_str("True"),
            Value::Bool(false) => f.write_str("False"),
            Value::Text(s) => f.write_str(s),
            Value::None => f.write_str("None"),
            Value::List(values) => {
                let parts: Vec<String> = values.iter().map(Value::to_string).collect();
                write!(f, "[{}]", parts.join(", "))
            }
        }
    }
}
