//! The characters of a script: comments blanked, `-D` words replaced, each with its place in the file.

use crate::span::Span;

/// A word and what stands in its place.
pub type Define = (String, String);

/// A character and where it stood; the characters of a replacement all stand where the word did.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Char {
    pub(crate) char: char,
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// In which part of the text the reader is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Script,
    Quotes,
    Backticks,
    Code,
    CodeQuotes(char),
}

/// Reads a text. The error is a comment that never ends.
pub(crate) fn read(text: &str, defines: &[Define]) -> Result<Vec<Char>, (Span, String)> {
    let mut reader = Reader {
        chars: text.chars().collect(),
        pos: 0,
        line: 1,
        column: 1,
        out: Vec::with_capacity(text.len()),
    };
    if reader.chars.first() == Some(&'\u{feff}') {
        reader.blank();
    }
    if reader.starts_with("#!") {
        reader.blank_line();
    }
    let mut part = Part::Script;
    while let Some(&c) = reader.chars.get(reader.pos) {
        part = match part {
            Part::Script if reader.starts_with("//") => {
                reader.blank_line();
                part
            }
            Part::Script if c == '#' && reader.first_of_line() => {
                reader.blank_line();
                part
            }
            Part::Script if reader.starts_with("/*") => {
                reader.blank_comment()?;
                part
            }
            Part::Script if reader.starts_with("%{") => {
                reader.take();
                reader.take();
                Part::Code
            }
            Part::Code if reader.starts_with("}%") => {
                reader.take();
                reader.take();
                Part::Script
            }
            Part::Script | Part::Backticks | Part::Code if is_word(c) => {
                reader.word(defines);
                part
            }
            Part::Quotes | Part::CodeQuotes(_) if c == '\\' => {
                reader.take();
                if reader.pos < reader.chars.len() {
                    reader.take();
                }
                part
            }
            _ => {
                reader.take();
                after(part, c)
            }
        };
    }
    Ok(reader.out)
}

/// The part after a character that stands for itself.
fn after(part: Part, c: char) -> Part {
    match (part, c) {
        (Part::Script, '"') => Part::Quotes,
        (Part::Script, '`') => Part::Backticks,
        (Part::Code, '"' | '\'') => Part::CodeQuotes(c),
        (Part::CodeQuotes(q), _) if c == q || c == '\n' => Part::Code,
        (Part::Quotes, '"' | '\n') | (Part::Backticks, '`') => Part::Script,
        _ => part,
    }
}

/// Whether a character may stand in a word.
pub(crate) fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

struct Reader {
    chars: Vec<char>,
    pos: usize,
    line: u32,
    column: u32,
    out: Vec<Char>,
}

impl Reader {
    fn starts_with(&self, text: &str) -> bool {
        text.chars()
            .enumerate()
            .all(|(i, c)| self.chars.get(self.pos + i) == Some(&c))
    }

    /// Whether only white space stands before this on its line.
    fn first_of_line(&self) -> bool {
        let before = self.chars[..self.pos].iter().rev();
        before
            .take_while(|c| **c != '\n')
            .all(|c| c.is_whitespace())
    }

    fn put(&mut self, char: char) {
        let (line, column) = (self.line, self.column);
        self.out.push(Char { char, line, column });
    }

    fn step(&mut self) {
        if self.chars[self.pos] == '\n' {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
        self.pos += 1;
    }

    fn take(&mut self) {
        self.put(self.chars[self.pos]);
        self.step();
    }

    /// One character that says nothing; a line's end stays one.
    fn blank(&mut self) {
        self.put(if self.chars[self.pos] == '\n' {
            '\n'
        } else {
            ' '
        });
        self.step();
    }

    fn blank_line(&mut self) {
        while self.chars.get(self.pos).is_some_and(|c| *c != '\n') {
            self.blank();
        }
    }

    fn blank_comment(&mut self) -> Result<(), (Span, String)> {
        let span = Span {
            line: self.line,
            column: self.column,
            width: 2,
        };
        self.blank();
        self.blank();
        while self.pos < self.chars.len() {
            if self.starts_with("*/") {
                self.blank();
                self.blank();
                return Ok(());
            }
            self.blank();
        }
        Err((span, "this comment is never closed by */".to_owned()))
    }

    /// A whole word: itself, or what replaces it.
    fn word(&mut self, defines: &[Define]) {
        let end = self.chars[self.pos..]
            .iter()
            .position(|c| !is_word(*c))
            .map_or(self.chars.len(), |n| self.pos + n);
        let word: String = self.chars[self.pos..end].iter().collect();
        // The last one counts: the command line comes after the script's own.
        match defines.iter().rev().find(|(name, _)| *name == word) {
            Some((_, value)) => {
                for c in value.chars() {
                    self.put(c);
                }
                while self.pos < end {
                    self.step();
                }
            }
            None => {
                while self.pos < end {
                    self.take();
                }
            }
        }
    }
}
