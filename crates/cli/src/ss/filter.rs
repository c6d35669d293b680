//! ss's filter: `[state S | exclude S]... [EXPRESSION]`. The grammar was learnt by asking ss 6.1.0.
//!
//! ```text
//! expression := both { (or | "|" | "||") both }
//! both       := one { [and | "&" | "&&"] one }
//! one        := (not | "!") one | "(" expression ")" | comparison
//! comparison := (sport | dport) [= == eq != ne neq < lt <= le leq > gt >= ge geq] [":"] PORT
//!             | (src | dst) [= == eq != ne neq] ADDRESS
//! ADDRESS    := [IPV4[/N] | "[" IPV6 "]"[/N] | *] [":" PORT]
//! PORT       := a number, a name of /etc/services, or *
//! ```

use std::cmp::Ordering;
use std::net::{IpAddr, SocketAddr};

use super::Socket;
use super::services::Services;
use super::state::{ALL, States};

/// A filter that was understood.
#[derive(Debug, Default)]
pub(super) struct Query {
    /// Set when `state` or `exclude` was given: it stands instead of -a and -l.
    pub(super) states: Option<States>,
    pub(super) expression: Option<Expression>,
}

/// Which sockets.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Expression {
    Or(Box<Expression>, Box<Expression>),
    And(Box<Expression>, Box<Expression>),
    Not(Box<Expression>),
    Port(End, Comparison, u16),
    /// Any of both may be left open.
    Address(End, Option<Prefix>, Option<u16>),
}

/// Whose address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Local,
    Peer,
}

/// How a port is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

/// An address and how much of it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Prefix {
    ip: IpAddr,
    len: u32,
}

impl Prefix {
    /// An IPv4 prefix covers the IPv4-mapped addresses of AF_INET6 sockets too, as in ss.
    fn covers(self, ip: IpAddr) -> bool {
        match (self.ip, ip) {
            (IpAddr::V4(a), IpAddr::V4(b)) => same(&a.octets(), &b.octets(), self.len),
            (IpAddr::V6(a), IpAddr::V6(b)) => same(&a.octets(), &b.octets(), self.len),
            (IpAddr::V4(_), IpAddr::V6(b)) => b
                .to_ipv4_mapped()
                .is_some_and(|b| self.covers(IpAddr::V4(b))),
            (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

fn same(a: &[u8], b: &[u8], len: u32) -> bool {
    (0..len as usize).all(|at| (a[at / 8] ^ b[at / 8]) & (0x80 >> (at % 8)) == 0)
}

impl End {
    fn of(self, s: &Socket) -> SocketAddr {
        match self {
            End::Local => s.local,
            End::Peer => s.peer,
        }
    }
}

impl Expression {
    /// Whether the socket is to be shown.
    pub(super) fn holds(&self, s: &Socket) -> bool {
        match self {
            Self::Or(a, b) => a.holds(s) || b.holds(s),
            Self::And(a, b) => a.holds(s) && b.holds(s),
            Self::Not(a) => !a.holds(s),
            Self::Port(end, how, port) => {
                let order = end.of(s).port().cmp(port);
                match how {
                    Comparison::Eq => order == Ordering::Equal,
                    Comparison::Ne => order != Ordering::Equal,
                    Comparison::Lt => order == Ordering::Less,
                    Comparison::Le => order != Ordering::Greater,
                    Comparison::Gt => order == Ordering::Greater,
                    Comparison::Ge => order != Ordering::Less,
                }
            }
            Self::Address(end, prefix, port) => {
                let addr = end.of(s);
                prefix.is_none_or(|p| p.covers(addr.ip())) && port.is_none_or(|p| p == addr.port())
            }
        }
    }
}

/// Understands the words of a command line.
pub(super) fn parse(words: &[String]) -> Result<Query, String> {
    let text = words.join(" ");
    let mut parser = Parser {
        tokens: tokens(&text),
        at: 0,
        services: None,
        text: &text,
    };
    let mut query = Query::default();
    while let Some(word @ ("state" | "exclude")) = parser.peek() {
        parser.at += 1;
        let Some(named) = parser.peek().map(States::named) else {
            return Err(parser.wrong("a state"));
        };
        let Some(named) = named else {
            return Err(parser.wrong(&format!("a state ({})", States::names())));
        };
        parser.at += 1;
        query.states = Some(match (word, query.states) {
            ("state", None) => named,
            ("state", Some(before)) => before | named,
            (_, before) => before.unwrap_or(ALL) & !named,
        });
    }
    if parser.peek().is_some() {
        query.expression = Some(parser.expression()?);
        if parser.peek().is_some() {
            return Err(match parser.peek() {
                Some("state" | "exclude") => {
                    parser.wrong("the end: states stand before the addresses")
                }
                _ => parser.wrong("and, or, or the end"),
            });
        }
    }
    Ok(query)
}

/// Words and parentheses, each with the byte where it begins.
fn tokens(text: &str) -> Vec<(usize, &str)> {
    let mut out = Vec::new();
    let mut begin = None;
    for (at, c) in text.char_indices() {
        if c.is_whitespace() || c == '(' || c == ')' {
            out.extend(begin.take().map(|b: usize| (b, &text[b..at])));
            if !c.is_whitespace() {
                out.push((at, &text[at..=at]));
            }
        } else if begin.is_none() {
            begin = Some(at);
        }
    }
    out.extend(begin.map(|b| (b, &text[b..])));
    out
}

struct Parser<'a> {
    tokens: Vec<(usize, &'a str)>,
    at: usize,
    /// Read when the first name of a port comes.
    services: Option<Services>,
    text: &'a str,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.tokens.get(self.at).map(|(_, t)| *t)
    }

    /// A sentence: where, what is there, what should be.
    fn wrong(&self, expected: &str) -> String {
        match self.tokens.get(self.at) {
            Some((at, token)) => {
                let place = self.text[..*at].chars().count() + 1;
                format!(
                    "the filter `{}` is wrong at character {place}: `{token}` stands where {expected} is expected",
                    self.text
                )
            }
            None => format!(
                "the filter `{}` ends where {expected} is expected",
                self.text
            ),
        }
    }

    fn take(&mut self, words: &[&str]) -> bool {
        let found = self.peek().is_some_and(|t| words.contains(&t));
        self.at += usize::from(found);
        found
    }

    fn expression(&mut self) -> Result<Expression, String> {
        let mut left = self.both()?;
        while self.take(&["or", "|", "||"]) {
            left = Expression::Or(Box::new(left), Box::new(self.both()?));
        }
        Ok(left)
    }

    fn both(&mut self) -> Result<Expression, String> {
        let mut left = self.one()?;
        loop {
            // Two conditions side by side both hold, as in ss.
            let joined = self.take(&["and", "&", "&&"]);
            let begins = matches!(
                self.peek(),
                Some("not" | "!" | "(" | "sport" | "dport" | "src" | "dst")
            );
            if !joined && !begins {
                return Ok(left);
            }
            left = Expression::And(Box::new(left), Box::new(self.one()?));
        }
    }

    fn one(&mut self) -> Result<Expression, String> {
        if self.take(&["not", "!"]) {
            return Ok(Expression::Not(Box::new(self.one()?)));
        }
        if self.take(&["("]) {
            let inner = self.expression()?;
            return if self.take(&[")"]) {
                Ok(inner)
            } else {
                Err(self.wrong("`)`"))
            };
        }
        for (word, end) in [("sport", End::Local), ("dport", End::Peer)] {
            if self.take(&[word]) {
                return self.port_comparison(end);
            }
        }
        for (word, end) in [("src", End::Local), ("dst", End::Peer)] {
            if self.take(&[word]) {
                return self.address_comparison(end);
            }
        }
        Err(self.wrong("sport, dport, src, dst, not or `(`"))
    }

    fn comparison(&mut self) -> Option<Comparison> {
        let how = match self.peek()? {
            "=" | "==" | "eq" => Comparison::Eq,
            "!=" | "ne" | "neq" => Comparison::Ne,
            "<" | "lt" => Comparison::Lt,
            "<=" | "le" | "leq" => Comparison::Le,
            ">" | "gt" => Comparison::Gt,
            ">=" | "ge" | "geq" => Comparison::Ge,
            _ => return None,
        };
        self.at += 1;
        Some(how)
    }

    fn port_comparison(&mut self, end: End) -> Result<Expression, String> {
        let how = self.comparison().unwrap_or(Comparison::Eq);
        let word = self.peek().unwrap_or_default();
        match self.port(word.strip_prefix(':').unwrap_or(word)) {
            Some(Some(port)) => {
                self.at += 1;
                Ok(Expression::Port(end, how, port))
            }
            // Any port, as ss takes `sport = :*`.
            Some(None) if how == Comparison::Eq => {
                self.at += 1;
                Ok(Expression::Address(end, None, None))
            }
            _ => Err(self.wrong("a port (:80, 80 or :http)")),
        }
    }

    fn address_comparison(&mut self, end: End) -> Result<Expression, String> {
        let differs = match self.comparison() {
            None | Some(Comparison::Eq) => false,
            Some(Comparison::Ne) => true,
            Some(_) => {
                self.at -= 1;
                return Err(self.wrong("`=` or `!=`: addresses are only the same or not"));
            }
        };
        let word = self.peek().unwrap_or_default();
        let Some((prefix, port)) = self.address(word) else {
            return Err(self.wrong(
                "an address (10.0.0.0/8, 127.0.0.1:80, [::1]:443, [fe80::]/10, *:80 or :80)",
            ));
        };
        self.at += 1;
        let found = Expression::Address(end, prefix, port);
        Ok(if differs {
            Expression::Not(Box::new(found))
        } else {
            found
        })
    }

    /// A number, a service, or `*` for any.
    fn port(&mut self, text: &str) -> Option<Option<u16>> {
        if text == "*" {
            return Some(None);
        }
        if let Ok(port) = text.parse() {
            return Some(Some(port));
        }
        let services = self.services.get_or_insert_with(Services::read);
        services.port(text).map(Some)
    }

    fn address(&mut self, text: &str) -> Option<(Option<Prefix>, Option<u16>)> {
        if text.is_empty() {
            return None;
        }
        let (ip, rest) = match text.strip_prefix('[') {
            Some(rest) => {
                let (ip, rest) = rest.split_once(']')?;
                (Some(IpAddr::V6(ip.parse().ok()?)), rest)
            }
            None => {
                let end = text.find([':', '/']).unwrap_or(text.len());
                let (ip, rest) = text.split_at(end);
                match ip {
                    "" | "*" => (None, rest),
                    ip => (Some(IpAddr::V4(ip.parse().ok()?)), rest),
                }
            }
        };
        let (len, port) = match rest.split_once(':') {
            Some((len, port)) => (len, self.port(port)?),
            None => (rest, None),
        };
        let prefix = match (ip, len.strip_prefix('/')) {
            (None, None) if len.is_empty() => None,
            (Some(ip), None) if len.is_empty() => Some(Prefix { ip, len: bits(ip) }),
            (Some(ip), Some(len)) => {
                let len = len.parse().ok().filter(|l| *l <= bits(ip))?;
                Some(Prefix { ip, len })
            }
            _ => return None,
        };
        Some((prefix, port))
    }
}

fn bits(ip: IpAddr) -> u32 {
    if ip.is_ipv4() { 32 } else { 128 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hearken_run::control::Row;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    fn shown(filter: &str) -> Vec<&'static str> {
        let query = parse(&words(filter)).unwrap_or_else(|e| panic!("{e}"));
        let mut out = Vec::new();
        for (name, state, local, peer) in [
            ("listen4", "LISTEN", "127.0.0.1:8080", "0.0.0.0:0"),
            ("listen6", "LISTEN", "[::]:8081", "[::]:0"),
            ("server", "ESTAB", "127.0.0.1:8080", "127.0.0.1:60592"),
            ("client", "ESTAB", "127.0.0.1:60592", "127.0.0.1:8080"),
            ("six", "ESTAB", "[::1]:8081", "[::1]:48944"),
            (
                "mapped",
                "ESTAB",
                "[::ffff:127.0.0.1]:8081",
                "[::ffff:127.0.0.1]:44298",
            ),
            ("tw", "TIME-WAIT", "10.1.2.3:80", "192.0.2.1:5000"),
        ] {
            let socket = Socket {
                run: 1,
                local: local.parse().unwrap(),
                peer: peer.parse().unwrap(),
                row: Row {
                    state: state.into(),
                    ..Row::default()
                },
                processes: Vec::new(),
            };
            let states = query.states.unwrap_or(ALL);
            if states.holds(state) && query.expression.as_ref().is_none_or(|e| e.holds(&socket)) {
                out.push(name);
            }
        }
        out
    }

    /// What ss 6.1.0 showed of the same sockets (all but the last row) in a namespace.
    #[test]
    fn filter_shows_what_ss_shows() {
        for (filter, sockets) in [
            ("sport = :8080", "listen4 server"),
            ("sport == :8080", "listen4 server"),
            ("sport 8080", "listen4 server"),
            ("sport eq :http-alt", "listen4 server"),
            ("src :8080", "listen4 server"),
            ("src *:8080", "listen4 server"),
            ("src = 127.0.0.1:8080", "listen4 server"),
            ("sport < 8081 and not dst 192.0.2.1", "listen4 server"),
            ("sport != :8080 and src 127.0.0.1", "client mapped"),
            ("sport ge 8081", "listen6 client six mapped"),
            ("dport gt :1000", "server client six mapped tw"),
            ("src 127.0.0.0/8", "listen4 server client mapped"),
            ("src 10.0.0.0/8", "tw"),
            ("src [::ffff:127.0.0.1]", "mapped"),
            ("dst [::1]:48944", "six"),
            ("src [fe80::]/10", ""),
            ("src [::]/0 and sport = :8081", "listen6 six mapped"),
            ("sport = 8080 or dport = 8080", "listen4 server client"),
            ("sport = :8080 dport = :*", "listen4 server"),
            ("sport = :8080 & dst 127.0.0.1", "server"),
            (
                "sport = :8080 | sport = :8081",
                "listen4 listen6 server six mapped",
            ),
            (
                "( sport = :8080 or sport = :8081 ) and not dst [::1]",
                "listen4 listen6 server mapped",
            ),
            ("not (sport = :8080 or sport = :8081)", "client tw"),
            ("! sport = :8080 src 127.0.0.1", "client mapped"),
            ("state established", "server client six mapped"),
            (
                "state established state listening",
                "listen4 listen6 server client six mapped",
            ),
            ("exclude listening", "server client six mapped tw"),
            ("exclude listening exclude established", "tw"),
            ("state connected exclude established", "tw"),
            ("state bucket", "tw"),
            ("state big sport = :8081", "listen6 six mapped"),
            ("state synchronized dst != 127.0.0.1", "six tw"),
        ] {
            assert_eq!(shown(filter).join(" "), sockets, "{filter}");
        }
    }

    #[test]
    fn filter_and_binds_closer_than_or() {
        assert_eq!(
            shown("sport = :80 or sport = :8080 and dst 127.0.0.1"),
            ["server", "tw"]
        );
    }

    #[test]
    fn filter_that_is_wrong_says_where_and_what_was_expected() {
        for (filter, sentence) in [
            (
                "sport",
                "the filter `sport` ends where a port (:80, 80 or :http) is expected",
            ),
            (
                "sport = :x",
                "wrong at character 9: `:x` stands where a port",
            ),
            ("sport foo :80", "wrong at character 7: `foo`"),
            ("sport = :99999", "character 9"),
            ("sport != :*", "character 10"),
            ("dst", "ends where an address"),
            ("dst ::1", "[::1]:443"),
            ("dst 10.0.0.0/33", "character 5: `10.0.0.0/33`"),
            ("dst 300.1.1.1", "where an address"),
            ("src [::1", "`[::1` stands where an address"),
            ("src > :80", "character 5: `>`"),
            ("( sport = :80", "ends where `)` is expected"),
            ("sport = :80 )", "`)` stands where and, or, or the end"),
            ("sport = :80 or", "ends where sport, dport, src, dst"),
            ("bogus = 3", "character 1: `bogus`"),
            ("not", "ends where"),
            ("state", "ends where a state is expected"),
            (
                "state bogus",
                "character 7: `bogus` stands where a state (established, syn-sent",
            ),
            (
                "sport = :8080 state established",
                "states stand before the addresses",
            ),
        ] {
            let error = parse(&words(filter)).expect_err(filter);
            assert!(error.contains(sentence), "{filter}: {error}");
        }
    }
}
