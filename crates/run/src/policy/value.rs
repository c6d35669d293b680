//! The values in a policy file, each one or a list of them: what is allowed, and the sentence for what is not.

use std::fmt;
use std::marker::PhantomData;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use hearken_abi::Errno;
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

use super::{Call, Cidr};

/// A value that a file may write as a string, some also as a number.
pub(super) trait Value: Sized {
    /// What is to be written, for a sentence that begins "expected".
    const EXPECTED: &'static str;
    /// From a string.
    fn from_text(text: &str) -> Option<Self>;
    /// From a number.
    fn from_number(_: i64) -> Option<Self> {
        None
    }
}

impl Value for Call {
    const EXPECTED: &'static str = "a call: \"bind\", \"listen\", \"accept\" or \"connect\"";
    fn from_text(text: &str) -> Option<Self> {
        Call::ALL.iter().find(|(_, n)| *n == text).map(|(c, _)| *c)
    }
}

impl Value for Cidr {
    const EXPECTED: &'static str =
        "an address or a range of them, such as \"127.0.0.1\", \"10.0.0.0/8\" or \"fd00::/8\"";
    fn from_text(text: &str) -> Option<Self> {
        let (addr, prefix) = match text.split_once('/') {
            Some((addr, prefix)) => (addr, Some(prefix)),
            None => (text, None),
        };
        let addr: IpAddr = addr.parse().ok()?;
        let most = if addr.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(p) => p.parse().ok().filter(|p| *p <= most)?,
            None => most,
        };
        Some(Cidr { addr, prefix })
    }
}

impl Value for RangeInclusive<u16> {
    const EXPECTED: &'static str = "a port such as 80, or a range such as \"1-1023\"";
    fn from_text(text: &str) -> Option<Self> {
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        let range = from.trim().parse().ok()?..=to.trim().parse().ok()?;
        (!range.is_empty()).then_some(range)
    }
    fn from_number(number: i64) -> Option<Self> {
        let port = u16::try_from(number).ok()?;
        Some(port..=port)
    }
}

/// An errno by its name.
impl Value for Errno {
    const EXPECTED: &'static str = "the name of an errno, such as \"EACCES\" or \"ECONNREFUSED\"";
    fn from_text(text: &str) -> Option<Self> {
        Errno::ALL.iter().copied().find(|e| e.name() == text)
    }
}

/// Whether a call goes on; the errno stands elsewhere.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Allow,
    Deny,
}

impl Value for Verb {
    const EXPECTED: &'static str = "\"allow\" or \"deny\"";
    fn from_text(text: &str) -> Option<Self> {
        match text {
            "allow" => Some(Verb::Allow),
            "deny" => Some(Verb::Deny),
            _ => None,
        }
    }
}

/// One value.
pub(super) struct One<T>(pub(super) T);

/// One value, or several in brackets; at least one.
pub(super) struct Many<T>(pub(super) Vec<T>);

struct Read<T> {
    list: bool,
    of: PhantomData<T>,
}

fn read<T: Value, E: Error>(found: impl fmt::Display, value: Option<T>) -> Result<Vec<T>, E> {
    let wrong = || E::custom(format_args!("expected {}, found {found}", T::EXPECTED));
    value.map(|v| vec![v]).ok_or_else(wrong)
}

impl<'de, T: Value> Visitor<'de> for Read<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<T>, E> {
        read(format_args!("\"{text}\""), T::from_text(text))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Vec<T>, E> {
        read(number, T::from_number(number))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        let mut all = Vec::new();
        while let Some(One(value)) = list.next_element()? {
            all.push(value);
        }
        if all.is_empty() || !self.list {
            let found = if self.list { "an empty list" } else { "a list" };
            return read(found, None);
        }
        Ok(all)
    }
}

impl<'de, T: Value> Deserialize<'de> for One<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let (list, of) = (false, PhantomData);
        let mut one = from.deserialize_any(Read { list, of })?;
        one.pop()
            .map(One)
            .ok_or_else(|| D::Error::custom(format_args!("expected {}", T::EXPECTED)))
    }
}

impl<'de, T: Value> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let (list, of) = (true, PhantomData);
        from.deserialize_any(Read { list, of }).map(Many)
    }
}
