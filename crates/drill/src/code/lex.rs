//! Characters to lines of tokens.

use crate::parse::{Char, Parsed, is_word};
use crate::span::Span;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    Int(i128),
    /// The bits of an `f64`.
    Float(u64),
    Text(String),
    Name(String),
    Op(&'static str),
}

#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) token: Token,
    pub(super) span: Span,
    /// Where it stands in the text of its line.
    pub(super) from: usize,
    pub(super) to: usize,
}

/// One logical line: a statement, or the head of an `if`.
#[derive(Debug)]
pub(super) struct Line {
    /// Columns before its first token; `None` for what stands beside `%{`.
    pub(super) indent: Option<u32>,
    pub(super) tokens: Vec<Placed>,
    /// All the text of the block, which `from` and `to` count in.
    pub(super) text: std::rc::Rc<[char]>,
}

/// Longest first, so that `<=` is not `<`.
const OPS: &[&str] = &[
    "**=", "//=", "<<=", ">>=", "**", "//", "<<", ">>", "<=", ">=", "==", "!=", "+=", "-=", "*=",
    "/=", "%=", "&=", "|=", "^=", "+", "-", "*", "/", "%", "&", "|", "^", "~", "<", ">", "=", "(",
    ")", "[", "]", ",", ":", ";", ".",
];

pub(super) fn lines(chars: &[Char]) -> Parsed<Vec<Line>> {
    let text: std::rc::Rc<[char]> = chars.iter().map(|c| c.char).collect();
    let mut lexer = Lexer {
        chars,
        pos: 0,
        open: 0,
        tokens: Vec::new(),
        lines: Vec::new(),
        first_line: chars.first().map_or(1, |c| c.line),
        text,
    };
    lexer.run()?;
    lexer.end_line();
    Ok(lexer.lines)
}

struct Lexer<'a> {
    chars: &'a [Char],
    pos: usize,
    /// Brackets that are open: inside them a line's end is nothing.
    open: usize,
    tokens: Vec<Placed>,
    lines: Vec<Line>,
    first_line: u32,
    text: std::rc::Rc<[char]>,
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.pos + ahead).map(|c| c.char)
    }

    fn span(&self, from: usize) -> Span {
        let Char { line, column, .. } = self.chars[from];
        let width = u32::try_from(self.pos - from).unwrap_or(1).max(1);
        Span {
            line,
            column,
            width,
        }
    }

    fn end_line(&mut self) {
        if self.tokens.is_empty() {
            return;
        }
        let tokens = std::mem::take(&mut self.tokens);
        let first = tokens[0].span;
        self.lines.push(Line {
            indent: (first.line != self.first_line).then_some(first.column),
            tokens,
            text: self.text.clone(),
        });
    }

    fn run(&mut self) -> Parsed<()> {
        while let Some(c) = self.peek(0) {
            match c {
                '\n' => {
                    self.pos += 1;
                    if self.open == 0 {
                        self.end_line();
                    }
                }
                '#' => {
                    while self.peek(0).is_some_and(|c| c != '\n') {
                        self.pos += 1;
                    }
                }
                '\\' if self.peek(1) == Some('\n') => self.pos += 2,
                c if c.is_whitespace() => self.pos += 1,
                _ => self.token(c)?,
            }
        }
        Ok(())
    }

    fn token(&mut self, c: char) -> Parsed<()> {
        let from = self.pos;
        // `f'..'` and `r'..'`: what is in the braces of the one is not worked out.
        let prefixed =
            matches!(c, 'f' | 'r' | 'b' | 'u') && matches!(self.peek(1), Some('"' | '\''));
        let token = if prefixed {
            self.pos += 1;
            let quote = self.peek(0).unwrap_or('"');
            self.text_in(quote)?
        } else if c.is_ascii_digit() || (c == '.' && self.digit_at(1)) {
            self.number()?
        } else if is_word(c) {
            Token::Name(self.word())
        } else if c == '"' || c == '\'' {
            self.text_in(c)?
        } else {
            let op = OPS
                .iter()
                .find(|op| op.chars().enumerate().all(|(i, c)| self.peek(i) == Some(c)));
            let Some(op) = op else {
                self.pos += 1;
                return Err((self.span(from), format!("`{c}` has no meaning in code")));
            };
            self.pos += op.len();
            match *op {
                "(" | "[" => self.open += 1,
                ")" | "]" => self.open = self.open.saturating_sub(1),
                _ => {}
            }
            Token::Op(op)
        };
        self.tokens.push(Placed {
            token,
            span: self.span(from),
            from,
            to: self.pos,
        });
        Ok(())
    }

    fn digit_at(&self, ahead: usize) -> bool {
        self.peek(ahead).is_some_and(|c| c.is_ascii_digit())
    }

    fn word(&mut self) -> String {
        let mut word = String::new();
        while let Some(c) = self.peek(0).filter(|c| is_word(*c)) {
            word.push(c);
            self.pos += 1;
        }
        word
    }

    fn number(&mut self) -> Parsed<Token> {
        let from = self.pos;
        let mut text = self.word();
        let hex = text.starts_with("0x") || text.starts_with("0X");
        if self.peek(0) == Some('.') && !hex {
            self.pos += 1;
            text.push('.');
            text += &self.word();
        }
        let plain = text.replace('_', "");
        let token = if hex {
            i128::from_str_radix(&plain[2..], 16).ok().map(Token::Int)
        } else {
            let int = plain.parse().ok().map(Token::Int);
            int.or_else(|| plain.parse().ok().map(|x: f64| Token::Float(x.to_bits())))
        };
        match token {
            Some(token) => Ok(token),
            None => Err((self.span(from), format!("`{text}` is no number"))),
        }
    }

    fn text_in(&mut self, quote: char) -> Parsed<Token> {
        let from = self.pos;
        self.pos += 1;
        let mut text = String::new();
        loop {
            let Some(c) = self.peek(0).filter(|c| *c != '\n') else {
                self.pos = from + 1;
                return Err((self.span(from), "this string is never closed".to_owned()));
            };
            self.pos += 1;
            match c {
                c if c == quote => return Ok(Token::Text(text)),
                '\\' => {
                    match self.peek(0) {
                        Some('n') => text.push('\n'),
                        Some('t') => text.push('\t'),
                        Some(other) => text.push(other),
                        None => {}
                    }
                    self.pos += usize::from(self.pos < self.chars.len());
                }
                c => text.push(c),
            }
        }
    }
}
