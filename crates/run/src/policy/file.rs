//! The file of a policy, in TOML.

use std::fmt;
use std::ops::{Range, RangeInclusive};

use hearken_abi::Errno;
use serde::Deserialize;
use toml::Spanned;

use super::value::{Many, One, Verb};
use super::{Action, Call, Cidr, Policy, Rule};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    default: Option<Spanned<One<Verb>>>,
    #[serde(default)]
    rule: Vec<Spanned<RuleText>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleText {
    name: Option<String>,
    action: One<Verb>,
    call: Option<Many<Call>>,
    address: Option<Many<Cidr>>,
    port: Option<Many<RangeInclusive<u16>>>,
    errno: Option<Spanned<One<Errno>>>,
}

/// What is wrong with a file: a sentence, and its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The line, from 1.
    pub line: usize,
    /// What was expected there.
    pub what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for Mistake {}

fn line_of(text: &str, at: usize) -> usize {
    let before = text.as_bytes().iter().take(at);
    1 + before.filter(|b| **b == b'\n').count()
}

impl Policy {
    /// Reads a file's text.
    ///
    /// # Errors
    /// The first mistake in it.
    pub fn parse(text: &str) -> Result<Self, Mistake> {
        let file: File = toml::from_str(text).map_err(|e| Mistake {
            line: line_of(text, e.span().map_or(0, |s: Range<usize>| s.start)),
            // One sentence on one line, whatever the parser writes.
            what: e.message().split_whitespace().collect::<Vec<_>>().join(" "),
        })?;
        let default_line = file.default.as_ref().map_or(0, |d| d.span().start);
        let rules = file.rule.into_iter().enumerate();
        Ok(Policy {
            rules: rules
                .map(|(i, rule)| read_rule(text, i, rule))
                .collect::<Result<_, _>>()?,
            default: match file.default.map(|d| d.into_inner().0) {
                Some(Verb::Deny) => Action::Deny(Errno::EACCES),
                Some(Verb::Allow) | None => Action::Allow,
            },
            default_line: line_of(text, default_line),
        })
    }
}

fn read_rule(text: &str, index: usize, rule: Spanned<RuleText>) -> Result<Rule, Mistake> {
    let line = line_of(text, rule.span().start);
    let rule = rule.into_inner();
    let action = match (rule.action.0, rule.errno) {
        (Verb::Deny, errno) => Action::Deny(errno.map_or(Errno::EACCES, |e| e.into_inner().0)),
        (Verb::Allow, None) => Action::Allow,
        (Verb::Allow, Some(errno)) => {
            return Err(Mistake {
                line: line_of(text, errno.span().start),
                what: "an errno goes with action = \"deny\"; this rule allows".to_owned(),
            });
        }
    };
    Ok(Rule {
        // Counted as a reader does.
        name: rule.name.unwrap_or_else(|| format!("number {}", index + 1)),
        line,
        action,
        calls: rule.call.map(|m| m.0).unwrap_or_default(),
        addresses: rule.address.map(|m| m.0).unwrap_or_default(),
        ports: rule.port.map(|m| m.0).unwrap_or_default(),
    })
}
