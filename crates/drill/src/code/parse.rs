//! Lines of tokens to statements.

use super::lex::{Line, Placed, Token};
use super::{Binary, Compare, Expr, ExprKind, Statement, StatementKind};
use crate::parse::Parsed;
use crate::span::Span;

/// All statements of a block.
pub(super) fn statements(lines: &[Line]) -> Parsed<Vec<Statement>> {
    // Trees are walked by recursion: what would make them deep is refused.
    let heads = |l: &&Line| {
        let head = |word| is_name(l.tokens.first(), word);
        head("if") || head("elif") || head("for") || head("while")
    };
    if let Some(line) = lines.iter().filter(heads).nth(200) {
        return Err((
            line.tokens[0].span,
            "more than 200 conditions in one block".to_owned(),
        ));
    }
    if let Some(line) = lines.iter().find(|l| l.tokens.len() > 1000) {
        return Err((
            line.tokens[0].span,
            "a statement of more than 1000 words and signs".to_owned(),
        ));
    }
    let mut at = 0;
    let statements = block(lines, &mut at, None)?;
    match lines.get(at) {
        None => Ok(statements),
        Some(line) => Err((line.tokens[0].span, BAD_INDENT.to_owned())),
    }
}

const BAD_INDENT: &str = "this line's indentation fits no line before it";

/// Statements at one indentation, deeper than that of `outer`.
fn block(lines: &[Line], at: &mut usize, outer: Option<u32>) -> Parsed<Vec<Statement>> {
    let mut statements = Vec::new();
    let mut indent = None;
    while let Some(line) = lines.get(*at) {
        // What stands beside `%{` is at the indentation of what follows.
        if let Some(here) = line.indent {
            match indent {
                None if outer.is_some_and(|o| here <= o) => break,
                None => indent = Some(here),
                Some(indent) if here < indent => break,
                Some(indent) if here > indent => {
                    return Err((line.tokens[0].span, BAD_INDENT.to_owned()));
                }
                Some(_) => {}
            }
        }
        if is_name(line.tokens.first(), "else") || is_name(line.tokens.first(), "elif") {
            break;
        }
        *at += 1;
        if is_name(line.tokens.first(), "if") {
            statements.push(condition(lines, at, line)?);
        } else if is_name(line.tokens.first(), "for") || is_name(line.tokens.first(), "while") {
            statements.push(repetition(lines, at, line)?);
        } else {
            let mut parser = Parser::new(line, 0);
            parser.simple_statements(&mut statements)?;
        }
    }
    Ok(statements)
}

fn is_name(placed: Option<&Placed>, name: &str) -> bool {
    matches!(placed, Some(Placed { token: Token::Name(n), .. }) if n == name)
}

/// `if` or `elif`: `line` has the head, `at` is behind it.
fn condition(lines: &[Line], at: &mut usize, line: &Line) -> Parsed<Statement> {
    let span = line.tokens[0].span;
    let mut parser = Parser::new(line, 1);
    let test = parser.expr()?;
    parser.expect(":")?;
    let then = body(lines, at, line, parser)?;
    let mut otherwise = Vec::new();
    if let Some(next) = lines
        .get(*at)
        .filter(|n| n.indent.unwrap_or(0) == line.indent.unwrap_or(0) || line.indent.is_none())
    {
        if is_name(next.tokens.first(), "elif") {
            *at += 1;
            otherwise.push(condition(lines, at, next)?);
        } else if is_name(next.tokens.first(), "else") {
            *at += 1;
            let mut parser = Parser::new(next, 1);
            parser.expect(":")?;
            otherwise = body(lines, at, next, parser)?;
        }
    }
    Ok(Statement {
        span,
        kind: StatementKind::If(test, then, otherwise),
    })
}

/// `for` or `while`: `line` has the head, `at` is behind it.
fn repetition(lines: &[Line], at: &mut usize, line: &Line) -> Parsed<Statement> {
    let span = line.tokens[0].span;
    let mut parser = Parser::new(line, 1);
    let kind = if is_name(line.tokens.first(), "while") {
        let test = parser.expr()?;
        parser.expect(":")?;
        StatementKind::While(test, body(lines, at, line, parser)?)
    } else {
        let Some(Token::Name(name)) = parser.peek() else {
            let found = parser.found();
            return parser.fail(&format!("expected a name after `for`, found {found}"));
        };
        parser.pos += 1;
        if !parser.name("in") {
            let found = parser.found();
            return parser.fail(&format!("expected `in`, found {found}"));
        }
        let over = parser.expr()?;
        parser.expect(":")?;
        StatementKind::For(name.clone(), over, body(lines, at, line, parser)?)
    };
    Ok(Statement { span, kind })
}

/// What follows a colon: on the same line, or the indented lines below.
fn body(
    lines: &[Line],
    at: &mut usize,
    line: &Line,
    mut parser: Parser<'_>,
) -> Parsed<Vec<Statement>> {
    let mut statements = Vec::new();
    if parser.peek().is_some() {
        parser.simple_statements(&mut statements)?;
        return Ok(statements);
    }
    // A head beside `%{` is at the left edge.
    statements = block(lines, at, Some(line.indent.unwrap_or(0)))?;
    if statements.is_empty() {
        return parser.fail("expected a statement after `:`, on this line or indented below");
    }
    Ok(statements)
}

struct Parser<'a> {
    line: &'a Line,
    pos: usize,
    depth: u32,
}

impl<'a> Parser<'a> {
    fn new(line: &'a Line, pos: usize) -> Parser<'a> {
        Parser {
            line,
            pos,
            depth: 0,
        }
    }

    fn peek(&self) -> Option<&'a Token> {
        self.line.tokens.get(self.pos).map(|t| &t.token)
    }

    fn span(&self) -> Span {
        match self.line.tokens.get(self.pos).or(self.line.tokens.last()) {
            Some(placed) => placed.span,
            None => Span::default(),
        }
    }

    fn fail<T>(&self, message: &str) -> Parsed<T> {
        Err((self.span(), message.to_owned()))
    }

    fn found(&self) -> String {
        match self.peek() {
            None => "the end of the line".to_owned(),
            Some(Token::Op(op)) => format!("`{op}`"),
            Some(Token::Name(name)) => format!("`{name}`"),
            Some(Token::Int(n)) => format!("`{n}`"),
            Some(Token::Float(_)) => "a number".to_owned(),
            Some(Token::Text(_)) => "a string".to_owned(),
        }
    }

    fn op(&mut self, op: &str) -> bool {
        let here = matches!(self.peek(), Some(Token::Op(o)) if *o == op);
        self.pos += usize::from(here);
        here
    }

    fn name(&mut self, name: &str) -> bool {
        let here = is_name(self.line.tokens.get(self.pos), name);
        self.pos += usize::from(here);
        here
    }

    fn expect(&mut self, op: &str) -> Parsed<()> {
        if self.op(op) {
            return Ok(());
        }
        let found = self.found();
        self.fail(&format!("expected `{op}`, found {found}"))
    }

    /// The text between two tokens.
    fn text(&self, from: usize, to: usize) -> String {
        let tokens = &self.line.tokens;
        match (
            tokens.get(from),
            to.checked_sub(1).and_then(|t| tokens.get(t)),
        ) {
            (Some(a), Some(b)) if a.from <= b.to => self.line.text[a.from..b.to].iter().collect(),
            _ => String::new(),
        }
    }

    fn simple_statements(&mut self, statements: &mut Vec<Statement>) -> Parsed<()> {
        loop {
            if self.peek().is_none() {
                return Ok(());
            }
            statements.push(self.statement()?);
            if self.peek().is_none() {
                return Ok(());
            }
            if !self.op(";") {
                let found = self.found();
                return self.fail(&format!("expected the end of the statement, found {found}"));
            }
        }
    }

    fn statement(&mut self) -> Parsed<Statement> {
        let span = self.span();
        let kind = match self.peek() {
            Some(Token::Name(word)) => match word.as_str() {
                "assert" => self.assert()?,
                "print" => self.print()?,
                "pass" => {
                    self.pos += 1;
                    StatementKind::Pass
                }
                "import" | "from" => {
                    while self.peek().is_some_and(|t| *t != Token::Op(";")) {
                        self.pos += 1;
                    }
                    StatementKind::Pass
                }
                "for" | "while" | "def" | "class" | "return" | "try" | "with" | "lambda"
                | "del" | "global" | "raise" | "if" => {
                    return self.fail(&format!(
                        "`{word}` is not understood here: assert, assignments, print, and if, for and while on lines of their own are"
                    ));
                }
                _ => self.assignment()?,
            },
            _ => StatementKind::Value(self.expr()?),
        };
        Ok(Statement { span, kind })
    }

    fn assert(&mut self) -> Parsed<StatementKind> {
        self.pos += 1;
        let from = self.pos;
        let test = self.expr()?;
        let text = self.text(from, self.pos);
        let message = if self.op(",") {
            Some(self.expr()?)
        } else {
            None
        };
        Ok(StatementKind::Assert(test, text, message))
    }

    /// `print x`, `print(x, y)`.
    fn print(&mut self) -> Parsed<StatementKind> {
        self.pos += 1;
        let mut parts = Vec::new();
        if self.peek().is_none() {
            return Ok(StatementKind::Print(parts));
        }
        loop {
            parts.push(self.expr()?);
            if !self.op(",") {
                break;
            }
        }
        // `print(a, b)` reads as a print of a tuple: the tuple's parts are meant.
        if let [
            Expr {
                kind: ExprKind::List(inner),
                ..
            },
        ] = parts.as_slice()
        {
            parts = inner.clone();
        }
        Ok(StatementKind::Print(parts))
    }

    fn assignment(&mut self) -> Parsed<StatementKind> {
        let Some(Token::Name(name)) = self.peek() else {
            return Ok(StatementKind::Value(self.expr()?));
        };
        let Some(Token::Op(op)) = self.line.tokens.get(self.pos + 1).map(|t| &t.token) else {
            return Ok(StatementKind::Value(self.expr()?));
        };
        let operator = match *op {
            "=" => None,
            "+=" => Some(Binary::Add),
            "-=" => Some(Binary::Subtract),
            "*=" => Some(Binary::Multiply),
            "/=" => Some(Binary::Divide),
            "//=" => Some(Binary::FloorDivide),
            "%=" => Some(Binary::Remainder),
            "**=" => Some(Binary::Power),
            "&=" => Some(Binary::And),
            "|=" => Some(Binary::Or),
            "^=" => Some(Binary::Xor),
            "<<=" => Some(Binary::ShiftLeft),
            ">>=" => Some(Binary::ShiftRight),
            _ => return Ok(StatementKind::Value(self.expr()?)),
        };
        self.pos += 2;
        Ok(StatementKind::Assign(name.clone(), operator, self.expr()?))
    }

    /// `a if c else b`, and everything that binds tighter.
    fn expr(&mut self) -> Parsed<Expr> {
        if self.depth == 48 {
            return self.fail("more than 48 brackets inside one another");
        }
        self.depth += 1;
        let value = self.or()?;
        let value = if self.name("if") {
            let test = self.or()?;
            if !self.name("else") {
                let found = self.found();
                return self.fail(&format!("expected `else`, found {found}"));
            }
            let otherwise = self.expr()?;
            Expr {
                span: value.span,
                kind: ExprKind::Choice(Box::new(test), Box::new(value), Box::new(otherwise)),
            }
        } else {
            value
        };
        self.depth -= 1;
        Ok(value)
    }

    fn or(&mut self) -> Parsed<Expr> {
        let mut left = self.and()?;
        while self.name("or") {
            let right = self.and()?;
            left = Expr {
                span: left.span,
                kind: ExprKind::Or(Box::new(left), Box::new(right)),
            };
        }
        Ok(left)
    }

    fn and(&mut self) -> Parsed<Expr> {
        let mut left = self.not()?;
        while self.name("and") {
            let right = self.not()?;
            left = Expr {
                span: left.span,
                kind: ExprKind::And(Box::new(left), Box::new(right)),
            };
        }
        Ok(left)
    }

    fn not(&mut self) -> Parsed<Expr> {
        let span = self.span();
        let mut negations = 0;
        while self.name("not") {
            negations += 1;
        }
        let mut value = self.comparison()?;
        // More than two say nothing that one or two do not.
        for _ in 0..(if negations > 2 {
            2 - negations % 2
        } else {
            negations
        }) {
            value = Expr {
                span,
                kind: ExprKind::Not(Box::new(value)),
            };
        }
        Ok(value)
    }

    fn comparison(&mut self) -> Parsed<Expr> {
        let first = self.binary(0)?;
        let mut rest = Vec::new();
        while let Some(compare) = self.compare_op()? {
            rest.push((compare, self.binary(0)?));
        }
        if rest.is_empty() {
            return Ok(first);
        }
        Ok(Expr {
            span: first.span,
            kind: ExprKind::Compare(Box::new(first), rest),
        })
    }

    fn compare_op(&mut self) -> Parsed<Option<Compare>> {
        let compare = match self.peek() {
            Some(Token::Op("==")) => Compare::Equal,
            Some(Token::Op("!=")) => Compare::NotEqual,
            Some(Token::Op("<")) => Compare::Less,
            Some(Token::Op("<=")) => Compare::LessOrEqual,
            Some(Token::Op(">")) => Compare::Greater,
            Some(Token::Op(">=")) => Compare::GreaterOrEqual,
            Some(Token::Op("=")) => {
                return self.fail("`=` assigns: a comparison is written `==`");
            }
            Some(Token::Name(n)) if n == "in" => Compare::In,
            Some(Token::Name(n)) if n == "is" => {
                self.pos += 1;
                return Ok(Some(if self.name("not") {
                    Compare::NotEqual
                } else {
                    Compare::Equal
                }));
            }
            Some(Token::Name(n)) if n == "not" => {
                self.pos += 1;
                if !self.name("in") {
                    let found = self.found();
                    return self.fail(&format!("expected `in` after `not`, found {found}"));
                }
                return Ok(Some(Compare::NotIn));
            }
            _ => return Ok(None),
        };
        self.pos += 1;
        Ok(Some(compare))
    }

    /// Operators between two values, by how tight they bind.
    fn binary(&mut self, level: usize) -> Parsed<Expr> {
        const LEVELS: &[&[(&str, Binary)]] = &[
            &[("|", Binary::Or)],
            &[("^", Binary::Xor)],
            &[("&", Binary::And)],
            &[("<<", Binary::ShiftLeft), (">>", Binary::ShiftRight)],
            &[("+", Binary::Add), ("-", Binary::Subtract)],
            &[
                ("*", Binary::Multiply),
                ("//", Binary::FloorDivide),
                ("/", Binary::Divide),
                ("%", Binary::Remainder),
            ],
        ];
        let Some(ops) = LEVELS.get(level) else {
            return self.unary();
        };
        let mut left = self.binary(level + 1)?;
        while let Some((_, op)) = ops.iter().find(|(text, _)| self.op(text)) {
            let right = self.binary(level + 1)?;
            left = Expr {
                span: left.span,
                kind: ExprKind::Binary(*op, Box::new(left), Box::new(right)),
            };
        }
        Ok(left)
    }

    fn unary(&mut self) -> Parsed<Expr> {
        let span = self.span();
        let wrap: fn(Box<Expr>) -> ExprKind = if self.op("-") {
            ExprKind::Negative
        } else if self.op("~") {
            ExprKind::Invert
        } else if self.op("+") {
            return self.deeper(Parser::unary);
        } else {
            return self.power();
        };
        let inner = self.deeper(Parser::unary)?;
        Ok(Expr {
            span,
            kind: wrap(Box::new(inner)),
        })
    }

    fn deeper(&mut self, inner: fn(&mut Parser<'a>) -> Parsed<Expr>) -> Parsed<Expr> {
        if self.depth == 48 {
            return self.fail("more than 48 signs in a row");
        }
        self.depth += 1;
        let value = inner(self);
        self.depth -= 1;
        value
    }

    fn power(&mut self) -> Parsed<Expr> {
        let base = self.atom()?;
        if !self.op("**") {
            return Ok(base);
        }
        let exponent = self.deeper(Parser::unary)?;
        Ok(Expr {
            span: base.span,
            kind: ExprKind::Binary(Binary::Power, Box::new(base), Box::new(exponent)),
        })
    }

    fn atom(&mut self) -> Parsed<Expr> {
        let span = self.span();
        let Some(token) = self.peek() else {
            return self.fail("expected a value, found the end of the line");
        };
        self.pos += 1;
        let kind = match token {
            Token::Int(n) => ExprKind::Int(*n),
            Token::Float(bits) => ExprKind::Float(*bits),
            Token::Text(text) => {
                let mut text = text.clone();
                while let Some(Token::Text(more)) = self.peek() {
                    text += more;
                    self.pos += 1;
                }
                // `'{} of {}'.format(a, b)` is for the reader of a message: the values are named beside it.
                if self.op(".") {
                    if !self.name("format") || !self.op("(") {
                        let found = self.found();
                        return self.fail(&format!("expected `format(` after text, found {found}"));
                    }
                    self.parts(")")?;
                }
                ExprKind::Text(text)
            }
            Token::Name(name) => match name.as_str() {
                "True" => ExprKind::True,
                "False" => ExprKind::False,
                "None" => ExprKind::None,
                "and" | "or" | "not" | "in" | "is" | "if" | "else" | "lambda" | "assert"
                | "print" => {
                    self.pos -= 1;
                    return self.fail(&format!("expected a value, found `{name}`"));
                }
                _ if self.op("(") => ExprKind::Call(name.clone(), self.parts(")")?.0),
                _ => ExprKind::Name(name.clone()),
            },
            Token::Op("[") => ExprKind::List(self.parts("]")?.0),
            Token::Op("(") => match self.parts(")")? {
                (mut parts, false) if parts.len() == 1 => return Ok(parts.remove(0)),
                (parts, _) => ExprKind::List(parts),
            },
            Token::Op(op) => {
                self.pos -= 1;
                return self.fail(&format!("expected a value, found `{op}`"));
            }
        };
        Ok(Expr { span, kind })
    }

    /// Values with commas between, and whether the last has one behind it.
    fn parts(&mut self, close: &str) -> Parsed<(Vec<Expr>, bool)> {
        let mut parts = Vec::new();
        let mut comma = false;
        loop {
            if self.op(close) {
                return Ok((parts, comma));
            }
            if !parts.is_empty() && !comma {
                let found = self.found();
                return self.fail(&format!("expected `,` or `{close}`, found {found}"));
            }
            parts.push(self.expr()?);
            comma = self.op(",");
        }
    }
}
