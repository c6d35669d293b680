//! A place in the characters of a script, and the small pieces that all of the language is made of.

use super::source::{Char, is_word};
use crate::span::Span;

/// What a part of the parser gives back: the error says where and what.
pub(crate) type Parsed<T> = Result<T, (Span, String)>;

/// Reads forward through the characters of a script.
pub(crate) struct Cursor<'a> {
    chars: &'a [Char],
    pos: usize,
    /// How deep expressions stand in one another.
    depth: u32,
}

/// Deeper than any script; less than the stack holds.
const DEPTH: u32 = 64;

impl<'a> Cursor<'a> {
    pub(crate) fn new(chars: &'a [Char]) -> Cursor<'a> {
        Cursor {
            chars,
            pos: 0,
            depth: 0,
        }
    }

    /// The character here; white space counts.
    pub(crate) fn peek(&self) -> Option<char> {
        self.at(0)
    }

    /// The character so many further on.
    pub(crate) fn at(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.pos + ahead).map(|c| c.char)
    }

    pub(crate) fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.pos += 1;
        Some(c)
    }

    pub(crate) fn skip_space(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.pos += 1;
        }
    }

    pub(crate) fn at_end(&self) -> bool {
        self.pos >= self.chars.len()
    }

    pub(crate) fn place(&self) -> usize {
        self.pos
    }

    pub(crate) fn back_to(&mut self, place: usize) {
        self.pos = place;
    }

    /// The characters from a place to here.
    pub(crate) fn since(&self, from: usize) -> &'a [Char] {
        &self.chars[from..self.pos]
    }

    /// From a place to here, on the first line of it.
    pub(crate) fn span(&self, from: usize) -> Span {
        let Some(first) = self.chars.get(from).or(self.chars.last()) else {
            return Span {
                line: 1,
                column: 1,
                width: 1,
            };
        };
        let past = u32::from(from >= self.chars.len() && !self.chars.is_empty());
        let last = self.chars[..self.pos.min(self.chars.len())]
            .get(from..)
            .unwrap_or_default()
            .iter()
            .rfind(|c| c.line == first.line && !c.char.is_whitespace())
            .map_or(first.column, |c| c.column);
        Span {
            line: first.line,
            column: first.column + past,
            width: last.saturating_sub(first.column) + 1,
        }
    }

    /// The span of what stands here: a whole word, or one character.
    pub(crate) fn here(&mut self) -> Span {
        let from = self.pos;
        while self.peek().is_some_and(is_word) {
            self.pos += 1;
        }
        if self.pos == from && !self.at_end() {
            self.pos += 1;
        }
        let span = self.span(from);
        self.pos = from;
        span
    }

    /// What stands here, for a message.
    pub(crate) fn found(&mut self) -> String {
        match self.peek() {
            None => "the end of the file".to_owned(),
            Some('\n' | '\r') => "the end of the line".to_owned(),
            Some(c) if is_word(c) => {
                let from = self.pos;
                let word = self.run();
                self.pos = from;
                format!("`{word}`")
            }
            Some('`') => "a backtick".to_owned(),
            Some(c) if c.is_control() => format!("the character U+{:04X}", u32::from(c)),
            Some(c) => format!("`{c}`"),
        }
    }

    /// The error that something else was expected here.
    pub(crate) fn expected<T>(&mut self, what: &str) -> Parsed<T> {
        let found = self.found();
        Err((self.here(), format!("expected {what}, found {found}")))
    }

    /// Takes the text if it stands here.
    pub(crate) fn eat(&mut self, text: &str) -> bool {
        let here = text.chars().enumerate().all(|(i, c)| self.at(i) == Some(c));
        if here {
            self.pos += text.chars().count();
        }
        here
    }

    /// Takes the text, after white space.
    pub(crate) fn expect(&mut self, text: &str, what: &str) -> Parsed<()> {
        self.skip_space();
        if self.eat(text) {
            return Ok(());
        }
        self.expected(what)
    }

    /// Letters, digits and underscores from here on; perhaps none.
    pub(crate) fn run(&mut self) -> String {
        self.run_of(is_word)
    }

    pub(crate) fn run_of(&mut self, belongs: impl Fn(char) -> bool) -> String {
        let mut out = String::new();
        while let Some(c) = self.peek().filter(|c| belongs(*c)) {
            out.push(c);
            self.pos += 1;
        }
        out
    }

    /// The word here, left where it is; empty if none begins here.
    pub(crate) fn peek_word(&mut self) -> String {
        let from = self.pos;
        let word = if self.peek().is_some_and(|c| c.is_ascii_digit()) {
            String::new()
        } else {
            self.run()
        };
        self.pos = from;
        word
    }

    /// Takes the word if it stands here, after white space.
    pub(crate) fn eat_word(&mut self, word: &str) -> bool {
        let from = self.pos;
        self.skip_space();
        if self.peek_word() == word {
            self.run();
            return true;
        }
        self.pos = from;
        false
    }

    /// An unsigned number, decimal or `0x`, after white space, not above `most`.
    pub(crate) fn number(&mut self, what: &str, most: u64) -> Parsed<u64> {
        self.skip_space();
        if !self.peek().is_some_and(|c| c.is_ascii_digit()) {
            return self.expected(what);
        }
        let from = self.pos;
        let text = self.run();
        let value = unsigned(&text);
        let span = self.span(from);
        match value {
            Some(value) if value <= most => Ok(value),
            Some(_) => Err((
                span,
                format!("`{text}` is too large: {what} is at most {most}"),
            )),
            None => Err((span, format!("`{text}` is no number: expected {what}"))),
        }
    }

    pub(crate) fn u8(&mut self, what: &str) -> Parsed<u8> {
        let value = self.number(what, u64::from(u8::MAX))?;
        Ok(u8::try_from(value).unwrap_or(u8::MAX))
    }

    pub(crate) fn u16(&mut self, what: &str) -> Parsed<u16> {
        let value = self.number(what, u64::from(u16::MAX))?;
        Ok(u16::try_from(value).unwrap_or(u16::MAX))
    }

    pub(crate) fn u32(&mut self, what: &str) -> Parsed<u32> {
        let value = self.number(what, u64::from(u32::MAX))?;
        Ok(u32::try_from(value).unwrap_or(u32::MAX))
    }

    /// Bytes in hexadecimal, after white space; perhaps none.
    pub(crate) fn hex(&mut self, what: &str) -> Parsed<Vec<u8>> {
        self.skip_space();
        let from = self.pos;
        let text = self.run();
        let digits = text.strip_prefix("0x").unwrap_or(&text);
        match unhex(digits) {
            Some(bytes) => Ok(bytes),
            None => {
                let span = self.span(from);
                let why = if digits.chars().all(|c| c.is_ascii_hexdigit()) {
                    "has an odd number of hexadecimal digits"
                } else {
                    "is not hexadecimal"
                };
                Err((span, format!("`{text}` {why}: expected {what}")))
            }
        }
    }

    /// One level deeper; the error is a script that stacks more than any sane one.
    pub(crate) fn deeper<T>(
        &mut self,
        inner: impl FnOnce(&mut Cursor<'a>) -> Parsed<T>,
    ) -> Parsed<T> {
        if self.depth == DEPTH {
            return Err((
                self.here(),
                format!("more than {DEPTH} brackets inside one another"),
            ));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }
}

/// A decimal or `0x` number that fits 64 bits.
pub(crate) fn unsigned(text: &str) -> Option<u64> {
    match text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        Some("") => None,
        Some(hex) if hex.chars().all(|c| c.is_ascii_hexdigit()) => {
            u64::from_str_radix(hex, 16).ok()
        }
        Some(_) => None,
        None if text.chars().all(|c| c.is_ascii_digit()) => text.parse().ok(),
        None => None,
    }
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> = digits
        .chars()
        .map(|c| c.to_digit(16))
        .collect::<Option<_>>()?;
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits
        .chunks(2)
        .map(|pair| u8::try_from(pair[0] << 4 | pair[1]).ok())
        .collect()
}
