//! Where something stands in a script.

/// The first character of a piece of a script, and how far the piece goes on that line.
///
/// Two spans are always equal: syntax trees are compared by what they say, not by where it stood.
#[derive(Debug, Clone, Copy, Default)]
pub struct Span {
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// How many characters of that line belong to it; at least 1 where there is something to show.
    pub width: u32,
}

impl PartialEq for Span {
    fn eq(&self, _: &Span) -> bool {
        true
    }
}

impl Eq for Span {}
