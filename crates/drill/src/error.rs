//! A mistake in a script, shown where it stands.

use std::fmt;

use crate::span::Span;

/// A mistake in a script: its `Display` is file, line, column, the sentence, and the line with a caret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// The file as the user named it.
    pub name: String,
    /// Where.
    pub span: Span,
    /// What is wrong, and what was expected.
    pub message: String,
    /// The line of the script.
    pub line: String,
}

impl Error {
    /// An error at a place of a text.
    #[must_use]
    pub fn new(name: &str, text: &str, span: Span, message: impl Into<String>) -> Error {
        let line = text.lines().nth(span.line.saturating_sub(1) as usize);
        Error {
            name: name.to_owned(),
            span,
            message: message.into(),
            line: line.unwrap_or_default().trim_end().to_owned(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Span { line, column, .. } = self.span;
        writeln!(f, "{}:{line}:{column}: {}", self.name, self.message)?;
        f.write_str(&excerpt(&self.line, self.span))
    }
}

impl std::error::Error for Error {}

/// A line of a script with a mark under a part of it.
#[must_use]
pub fn excerpt(line: &str, span: Span) -> String {
    let gutter = span.line.to_string();
    let column = span.column.max(1) as usize;
    let shown = line.chars().count();
    // A tab stays a tab, so that the mark stands where the terminal puts the character.
    let pad: String = line
        .chars()
        .take(column - 1)
        .map(|c| if c == '\t' { '\t' } else { ' ' })
        .collect();
    let room = (shown + 1).saturating_sub(column).max(1);
    let mark = "^".repeat((span.width.max(1) as usize).min(room));
    format!(
        "  {gutter} | {line}\n  {} | {pad}{mark}",
        " ".repeat(gutter.len())
    )
}

/// The name nearest to what was written, if one is near enough to be meant.
#[must_use]
pub fn nearest<'a>(written: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = match written.chars().count() {
        0..=2 => return None,
        3..=5 => 1,
        6..=9 => 2,
        _ => 3,
    };
    names
        .map(|name| (distance(written, name), name))
        .filter(|(far, _)| *far <= allowed)
        .min_by_key(|(far, _)| *far)
        .map(|(_, name)| name)
}

/// How many letters must be changed, put in or taken out (Levenshtein), letter case aside.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().map(|c| c.to_ascii_lowercase()).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().map(|c| c.to_ascii_lowercase()).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
