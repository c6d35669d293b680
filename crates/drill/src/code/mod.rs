//! The Python of `%{ }%`: assertions, assignments, `print`, `if`, `for`, `while`, and expressions over integers.
//! `import` is taken and brings nothing: what is used of a module is not known then, and said.
//!
//! A name is, in this order: a variable that an earlier block of the script assigned, what the runner knows under that name
//! (`tcpi_snd_cwnd`, a counter's name as nstat writes it), or a constant (`TCP_CA_Open`, `TCPI_OPT_SACK`).

mod builtin;
mod eval;
mod lex;
mod parse;
mod value;

use std::collections::HashMap;

use crate::parse::{Char, Parsed};
use crate::span::Span;

pub use value::Value;

/// What is wrong with code, or what an assertion found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeError {
    /// Where.
    pub span: Span,
    /// One sentence. Of a failed assertion: its text, the values of the names in it, and its message.
    pub message: String,
}

/// The variables of a script; they live from block to block.
pub type Variables = HashMap<String, Value>;

/// The statements of a block.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Program {
    statements: Vec<Statement>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Statement {
    span: Span,
    kind: StatementKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum StatementKind {
    /// The text of the condition stands beside it, for the message.
    Assert(Expr, String, Option<Expr>),
    /// Name, operator of `+=` and the like, value.
    Assign(String, Option<Binary>, Expr),
    Print(Vec<Expr>),
    If(Expr, Vec<Statement>, Vec<Statement>),
    /// Name, what it runs over, body.
    For(String, Expr, Vec<Statement>),
    While(Expr, Vec<Statement>),
    Value(Expr),
    Pass,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Expr {
    span: Span,
    kind: ExprKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum ExprKind {
    Int(i128),
    /// The bits of an `f64`.
    Float(u64),
    Text(String),
    True,
    False,
    None,
    Name(String),
    List(Vec<Expr>),
    Call(String, Vec<Expr>),
    Not(Box<Expr>),
    Negative(Box<Expr>),
    Invert(Box<Expr>),
    Binary(Binary, Box<Expr>, Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    /// `a < b <= c`: the first, and each comparison with what follows it.
    Compare(Box<Expr>, Vec<(Compare, Expr)>),
    /// Condition, then, else.
    Choice(Box<Expr>, Box<Expr>, Box<Expr>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Remainder,
    Power,
    And,
    Or,
    Xor,
    ShiftLeft,
    ShiftRight,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compare {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
}

impl Program {
    /// Runs the block; gives back what it printed.
    ///
    /// # Errors
    ///
    /// An assertion that does not hold, or code that has no meaning; the rest of the block is not run.
    pub fn run(
        &self,
        variables: &mut Variables,
        names: &mut dyn FnMut(&str) -> Option<Value>,
    ) -> Result<Vec<String>, CodeError> {
        eval::run(&self.statements, variables, names)
    }
}

/// Reads a block.
pub(crate) fn compile(chars: &[Char]) -> Parsed<Program> {
    let lines = lex::lines(chars)?;
    Ok(Program {
        statements: parse::statements(&lines)?,
    })
}
