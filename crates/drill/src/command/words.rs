//! Shell text to simple commands: words, quotes, redirections, and what stands between them.

use std::collections::HashMap;

/// `> file` and the like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Redirect {
    pub(super) output: bool,
    pub(super) target: String,
}

/// A command without `;`, `|`, `&&` or a line's end in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Simple {
    pub(super) words: Vec<String>,
    pub(super) redirects: Vec<Redirect>,
    /// Its output goes into a pipe.
    pub(super) piped: bool,
    /// Its input comes out of one.
    pub(super) after_pipe: bool,
    /// It is piped into `tee` of this file below `/proc/sys`.
    pub(super) tee: Option<String>,
    /// As it is written, for messages.
    pub(super) text: String,
}

impl Simple {
    /// With `$NAME` and `${NAME}` replaced where they are known.
    pub(super) fn expanded(mut self, variables: &HashMap<String, String>) -> Simple {
        for word in &mut self.words {
            *word = expand(word, variables);
        }
        for redirect in &mut self.redirects {
            redirect.target = expand(&redirect.target, variables);
        }
        self
    }
}

/// `NAME=value`.
pub(super) fn assignment(word: &str) -> Option<(String, String)> {
    let (name, value) = word.split_once('=')?;
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let fits = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    (starts && fits).then(|| (name.to_owned(), value.to_owned()))
}

fn expand(word: &str, variables: &HashMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = word;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let braced = after.starts_with('{');
        let body = after.strip_prefix('{').unwrap_or(after);
        let end = body
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .unwrap_or(body.len());
        let (name, behind) = body.split_at(end);
        match variables.get(name) {
            Some(value) if !braced || behind.starts_with('}') => {
                out.push_str(value);
                rest = if braced { &behind[1..] } else { behind };
            }
            _ => {
                out.push('$');
                rest = after;
            }
        }
    }
    out + rest
}

/// The commands of a text.
pub(super) fn commands(text: &str) -> Vec<Simple> {
    let mut splitter = Splitter::default();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('\n') | None => splitter.end_word(),
                Some(next) => splitter.push(next, &[c, next]),
            },
            '\'' | '"' => {
                splitter.quoted(c);
                while let Some(next) = chars.next() {
                    splitter.current.text.push(next);
                    match next {
                        _ if next == c => break,
                        '\\' if c == '"' => {
                            if let Some(escaped) = chars.next() {
                                splitter.push(escaped, &[escaped]);
                            }
                        }
                        _ => splitter.push(next, &[]),
                    }
                }
            }
            '#' if splitter.word.is_none() => while chars.next_if(|c| *c != '\n').is_some() {},
            '\n' | ';' => splitter.end_command(false),
            '&' if chars.peek() == Some(&'>') => {
                chars.next();
                splitter.redirect(true);
            }
            '&' if splitter.redirecting.is_some() => splitter.push('&', &['&']),
            '&' => {
                chars.next_if_eq(&'&');
                splitter.end_command(false);
            }
            '|' => {
                let or = chars.next_if_eq(&'|').is_some();
                splitter.end_command(!or);
            }
            '>' | '<' => {
                chars.next_if_eq(&c);
                splitter.redirect(c == '>');
            }
            c if c.is_whitespace() => {
                splitter.end_word();
                splitter.current.text.push(' ');
            }
            c => splitter.push(c, &[c]),
        }
    }
    splitter.end_command(false);
    splitter.done
}

#[derive(Default)]
struct Splitter {
    done: Vec<Simple>,
    current: Simple,
    word: Option<String>,
    /// The next word is the target of a redirection: whether of output.
    redirecting: Option<bool>,
}

impl Splitter {
    fn push(&mut self, c: char, written: &[char]) {
        self.word.get_or_insert_default().push(c);
        self.current.text.extend(written);
    }

    fn quoted(&mut self, quote: char) {
        self.word.get_or_insert_default();
        self.current.text.push(quote);
    }

    fn end_word(&mut self) {
        let Some(word) = self.word.take() else {
            return;
        };
        match self.redirecting.take() {
            Some(output) => self.current.redirects.push(Redirect {
                output,
                target: word,
            }),
            None => self.current.words.push(word),
        }
    }

    fn redirect(&mut self, output: bool) {
        // The 2 of `2>` names a descriptor and is no word; what goes to standard error is not the command's value.
        let number = self
            .word
            .as_ref()
            .is_some_and(|w| w.chars().all(|c| c.is_ascii_digit()));
        let from = if number { self.word.take() } else { None };
        self.end_word();
        self.current.text.push(if output { '>' } else { '<' });
        self.redirecting = Some(output && from.is_none_or(|n| n == "1"));
    }

    fn end_command(&mut self, pipe: bool) {
        self.end_word();
        self.redirecting = None;
        let mut command = std::mem::take(&mut self.current);
        command.text = command.text.trim().to_owned();
        command.piped = pipe;
        self.current.after_pipe = pipe;
        if command.words.is_empty() && command.redirects.is_empty() {
            return;
        }
        if command.after_pipe
            && command.words.first().is_some_and(|w| w == "tee")
            && let Some(target) = command.words.iter().find(|w| w.starts_with("/proc/sys/"))
            && let Some(before) = self.done.last_mut()
        {
            before.tee = Some(target.clone());
            return;
        }
        self.done.push(command);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Vec<String>> {
        commands(text).into_iter().map(|c| c.words).collect()
    }

    #[test]
    fn shell_text_splits_as_a_shell_splits_it() {
        assert_eq!(
            words(
                "sysctl -q a='1 2 3' b=\"x\\\"y\" >/dev/null 2>&1; echo 5 \\\n 6 # rest\nnstat | grep x || true"
            ),
            [
                vec!["sysctl", "-q", "a=1 2 3", "b=x\"y"],
                vec!["echo", "5", "6"],
                vec!["nstat"],
                vec!["grep", "x"],
                vec!["true"],
            ]
        );
        let redirected = &commands("echo 1 2> /dev/null > /proc/sys/x")[0];
        assert_eq!(redirected.words, ["echo", "1"]);
        assert_eq!(
            redirected.redirects,
            [
                Redirect {
                    output: false,
                    target: "/dev/null".into()
                },
                Redirect {
                    output: true,
                    target: "/proc/sys/x".into()
                },
            ]
        );
    }
}
