//! Running statements.

use std::cmp::Ordering;

use hearken_abi::symbol;

use super::builtin;
use super::{
    Binary, CodeError, Compare, Expr, ExprKind, Statement, StatementKind, Value, Variables,
};
use crate::span::Span;

type Result<T> = std::result::Result<T, CodeError>;

pub(super) fn run(
    statements: &[Statement],
    variables: &mut Variables,
    names: &mut dyn FnMut(&str) -> Option<Value>,
) -> Result<Vec<String>> {
    let mut run = Run {
        variables,
        names,
        printed: Vec::new(),
        seen: Vec::new(),
    };
    run.statements(statements)?;
    Ok(run.printed)
}

/// More often than any script goes round.
const ROUNDS: u32 = 100_000;

struct Run<'a> {
    variables: &'a mut Variables,
    names: &'a mut dyn FnMut(&str) -> Option<Value>,
    printed: Vec<String>,
    /// Names that the statement at work has read, with their values.
    seen: Vec<(String, Value)>,
}

pub(super) fn fail<T>(span: Span, message: impl Into<String>) -> Result<T> {
    Err(CodeError {
        span,
        message: message.into(),
    })
}

impl Run<'_> {
    fn statements(&mut self, statements: &[Statement]) -> Result<()> {
        statements.iter().try_for_each(|s| self.statement(s))
    }

    fn statement(&mut self, statement: &Statement) -> Result<()> {
        self.seen.clear();
        match &statement.kind {
            StatementKind::Pass => {}
            StatementKind::Value(expr) => {
                self.expr(expr)?;
            }
            StatementKind::Print(parts) => {
                let parts: Vec<String> = parts
                    .iter()
                    .map(|p| Ok(self.expr(p)?.to_string()))
                    .collect::<Result<_>>()?;
                self.printed.push(parts.join(" "));
            }
            StatementKind::Assign(name, operator, expr) => {
                let mut value = self.expr(expr)?;
                if let Some(operator) = operator {
                    let old = self.name(name, statement.span)?;
                    value = binary(*operator, old, value, statement.span)?;
                }
                self.variables.insert(name.clone(), value);
            }
            StatementKind::If(test, then, otherwise) => {
                let branch = if self.expr(test)?.truth() {
                    then
                } else {
                    otherwise
                };
                self.statements(branch)?;
            }
            StatementKind::For(name, over, body) => {
                let parts = match self.expr(over)? {
                    Value::List(parts) => parts,
                    other => {
                        let kind = other.kind();
                        return fail(over.span, format!("`for` needs a list, not {kind}"));
                    }
                };
                for part in parts {
                    self.variables.insert(name.clone(), part);
                    self.statements(body)?;
                }
            }
            StatementKind::While(test, body) => {
                let mut rounds = 0;
                while self.expr(test)?.truth() {
                    self.statements(body)?;
                    rounds += 1;
                    if rounds == ROUNDS {
                        return fail(
                            statement.span,
                            format!("this loop has not ended after {ROUNDS} rounds"),
                        );
                    }
                }
            }
            StatementKind::Assert(test, text, message) => {
                if self.expr(test)?.truth() {
                    return Ok(());
                }
                let values: Vec<String> = self
                    .seen
                    .iter()
                    .map(|(name, value)| format!("{name} is {value}"))
                    .collect();
                let mut said = format!("the assertion `{text}` does not hold");
                if !values.is_empty() {
                    said += &format!(": {}", values.join(", "));
                }
                if let Some(message) = message {
                    said += &format!(" ({})", self.expr(message)?);
                }
                return fail(statement.span, said);
            }
        }
        Ok(())
    }

    fn name(&mut self, name: &str, span: Span) -> Result<Value> {
        let constant = || symbol::value(name).map(Value::from);
        let assigned = self.variables.get(name).cloned();
        let found = assigned
            .or_else(|| (self.names)(name))
            .map(|value| (value, true))
            .or_else(|| constant().map(|value| (value, false)));
        let Some((value, worth_saying)) = found else {
            return fail(
                span,
                format!(
                    "no name `{name}` is known: neither assigned before, nor a tcpi_ name, a counter of nstat or a constant"
                ),
            );
        };
        if worth_saying && !self.seen.iter().any(|(n, _)| n == name) {
            self.seen.push((name.to_owned(), value.clone()));
        }
        Ok(value)
    }

    fn expr(&mut self, expr: &Expr) -> Result<Value> {
        let span = expr.span;
        Ok(match &expr.kind {
            ExprKind::Int(n) => Value::Int(*n),
            ExprKind::Float(bits) => Value::Float(f64::from_bits(*bits)),
            ExprKind::Text(text) => Value::Text(text.clone()),
            ExprKind::True => Value::Bool(true),
            ExprKind::False => Value::Bool(false),
            ExprKind::None => Value::None,
            ExprKind::Name(name) => self.name(name, span)?,
            ExprKind::List(parts) => Value::List(self.all(parts)?),
            ExprKind::Call(name, args) => {
                let args = self.all(args)?;
                builtin::call(name, &args, span)?
            }
            ExprKind::Not(inner) => Value::Bool(!self.expr(inner)?.truth()),
            ExprKind::Negative(inner) => {
                let value = self.expr(inner)?;
                match (&value, value.int()) {
                    (Value::Float(x), _) => Value::Float(-x),
                    (_, Some(n)) => Value::Int(n.wrapping_neg()),
                    _ => return fail(span, format!("`-` needs a number, not {}", value.kind())),
                }
            }
            ExprKind::Invert(inner) => {
                let value = self.expr(inner)?;
                match value.int() {
                    Some(n) => Value::Int(!n),
                    None => {
                        return fail(span, format!("`~` needs an integer, not {}", value.kind()));
                    }
                }
            }
            ExprKind::Binary(op, left, right) => {
                let (left, right) = (self.expr(left)?, self.expr(right)?);
                binary(*op, left, right, span)?
            }
            ExprKind::And(left, right) => {
                let left = self.expr(left)?;
                if left.truth() {
                    self.expr(right)?
                } else {
                    left
                }
            }
            ExprKind::Or(left, right) => {
                let left = self.expr(left)?;
                if left.truth() {
                    left
                } else {
                    self.expr(right)?
                }
            }
            ExprKind::Compare(first, rest) => {
                let mut left = self.expr(first)?;
                for (compare, right) in rest {
                    let right = self.expr(right)?;
                    if !holds(*compare, &left, &right, span)? {
                        return Ok(Value::Bool(false));
                    }
                    left = right;
                }
                Value::Bool(true)
            }
            ExprKind::Choice(test, then, otherwise) => {
                let branch = if self.expr(test)?.truth() {
                    then
                } else {
                    otherwise
                };
                self.expr(branch)?
            }
        })
    }

    fn all(&mut self, parts: &[Expr]) -> Result<Vec<Value>> {
        parts.iter().map(|p| self.expr(p)).collect()
    }
}

/// How two values compare; `None` where Python knows no order between them.
pub(super) fn order(left: &Value, right: &Value) -> Option<Ordering> {
    if let (Some(a), Some(b)) = (left.int(), right.int()) {
        return Some(a.cmp(&b));
    }
    if let (Some(a), Some(b)) = (left.float(), right.float()) {
        return a.partial_cmp(&b);
    }
    match (left, right) {
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        (Value::None, Value::None) => true,
        _ => order(left, right) == Some(Ordering::Equal),
    }
}

fn holds(compare: Compare, left: &Value, right: &Value, span: Span) -> Result<bool> {
    let ordered = |wanted: fn(Ordering) -> bool| match order(left, right) {
        Some(order) => Ok(wanted(order)),
        None => fail(
            span,
            format!("{} and {} have no order", left.kind(), right.kind()),
        ),
    };
    Ok(match compare {
        Compare::Equal => equal(left, right),
        Compare::NotEqual => !equal(left, right),
        Compare::Less => ordered(Ordering::is_lt)?,
        Compare::LessOrEqual => ordered(Ordering::is_le)?,
        Compare::Greater => ordered(Ordering::is_gt)?,
        Compare::GreaterOrEqual => ordered(Ordering::is_ge)?,
        Compare::In => contains(left, right, span)?,
        Compare::NotIn => !contains(left, right, span)?,
    })
}

fn contains(part: &Value, whole: &Value, span: Span) -> Result<bool> {
    match (part, whole) {
        (_, Value::List(parts)) => Ok(parts.iter().any(|p| equal(p, part))),
        (Value::Text(part), Value::Text(whole)) => Ok(whole.contains(part.as_str())),
        _ => fail(span, format!("`in` needs a list, not {}", whole.kind())),
    }
}

fn binary(op: Binary, left: Value, right: Value, span: Span) -> Result<Value> {
    match (op, &left, &right) {
        (Binary::Add, Value::Text(a), Value::Text(b)) => return Ok(Value::Text(format!("{a}{b}"))),
        (Binary::Remainder, Value::Text(form), _) => return builtin::format(form, right, span),
        _ => {}
    }
    if op != Binary::Divide
        && let (Some(a), Some(b)) = (left.int(), right.int())
    {
        return integers(op, a, b, span);
    }
    let (Some(a), Some(b)) = (left.float(), right.float()) else {
        return fail(
            span,
            format!(
                "this operator needs numbers, not {} and {}",
                left.kind(),
                right.kind()
            ),
        );
    };
    if b == 0.0 && matches!(op, Binary::Divide | Binary::FloorDivide | Binary::Remainder) {
        return fail(span, "division by zero");
    }
    Ok(Value::Float(match op {
        Binary::Add => a + b,
        Binary::Subtract => a - b,
        Binary::Multiply => a * b,
        Binary::Divide => a / b,
        Binary::FloorDivide => (a / b).floor(),
        Binary::Remainder => a - b * (a / b).floor(),
        Binary::Power => a.powf(b),
        _ => return fail(span, "bits are those of integers, not of floats"),
    }))
}

fn integers(op: Binary, a: i128, b: i128, span: Span) -> Result<Value> {
    let by = u32::try_from(b).ok();
    let result = match op {
        Binary::Add => a.checked_add(b),
        Binary::Subtract => a.checked_sub(b),
        Binary::Multiply => a.checked_mul(b),
        Binary::And => Some(a & b),
        Binary::Or => Some(a | b),
        Binary::Xor => Some(a ^ b),
        Binary::FloorDivide | Binary::Remainder | Binary::Divide if b == 0 => {
            return fail(span, "division by zero");
        }
        // Python rounds down, Rust towards zero.
        Binary::FloorDivide | Binary::Divide => a.checked_div_euclid(b).map(|q| {
            let rest = a - q * b;
            if b < 0 && rest != 0 { q - 1 } else { q }
        }),
        Binary::Remainder => a.checked_rem(b).map(|r| {
            if r != 0 && (r < 0) != (b < 0) {
                r + b
            } else {
                r
            }
        }),
        Binary::Power => match by {
            Some(by) => a.checked_pow(by),
            None => return fail(span, "the exponent must be an integer from 0 on"),
        },
        Binary::ShiftLeft => by
            .filter(|by| *by < 127)
            .and_then(|by| a.checked_mul(1_i128 << by)),
        Binary::ShiftRight => by.map(|by| a >> by.min(127)),
    };
    match result {
        Some(n) => Ok(Value::Int(n)),
        None => fail(span, "the result has more than 127 bits"),
    }
}
