//! A set of ports, as ip_local_reserved_ports is written and read (Linux `proc_do_large_bitmap`, 6.18;
//! docs/linux/port-choice.md).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

/// Ports, kept as ranges in order that neither overlap nor touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortSet(Vec<(u16, u16)>);

impl PortSet {
    /// Whether the port is among them.
    pub fn contains(&self, port: u16) -> bool {
        self.0.iter().any(|&(a, b)| (a..=b).contains(&port))
    }

    /// Reads `8080,9000-9100`: numbers as C writes them, separated by a comma or a line's end, of which one may end the
    /// list. `None` if it is anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim_start_matches('\n');
        if text.starts_with(',') {
            return None;
        }
        let mut items: Vec<&str> = text.split([',', '\n']).collect();
        // `1,` and `1\n` and `1,\n` end; `1,,2` does not go on.
        while items.len() > 1 && items.last() == Some(&"") && !text.ends_with(",,") {
            items.pop();
        }
        let mut ranges = Vec::new();
        if items != [""] {
            for item in items {
                let (a, b) = item.split_once('-').unwrap_or((item, item));
                let (a, b) = (c_number(a)?, c_number(b)?);
                if a > b {
                    return None;
                }
                ranges.push((u16::try_from(a).ok()?, u16::try_from(b).ok()?));
            }
        }
        ranges.sort_unstable();
        let mut set: Vec<(u16, u16)> = Vec::new();
        for (a, b) in ranges {
            match set.last_mut() {
                Some(last) if u32::from(a) <= u32::from(last.1) + 1 => last.1 = last.1.max(b),
                _ => set.push((a, b)),
            }
        }
        Some(Self(set))
    }

    /// As a read of the file prints it.
    pub fn print(&self, out: &mut String) {
        for (i, (a, b)) in self.0.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            let _ = if a == b {
                write!(out, "{comma}{a}")
            } else {
                write!(out, "{comma}{a}-{b}")
            };
        }
    }
}

/// A number as C reads it with base 0: `0x` is hexadecimal, a leading 0 octal. Nothing may stand around it.
pub(crate) fn c_number(word: &str) -> Option<u64> {
    let (digits, base) = match word.as_bytes() {
        [b'0', b'x' | b'X', ..] => (word.get(2..)?, 16),
        [b'0', _, ..] => (word.get(1..)?, 8),
        _ => (word, 10),
    };
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u64::from_str_radix(digits, base).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        let mut out = String::new();
        PortSet::parse(text)?.print(&mut out);
        Some(out)
    }

    #[test]
    fn port_set_text_is_read_as_linux_reads_it() {
        for (text, want) in [
            ("8080,9148", Some("8080,9148")),
            ("3,2,1", Some("1-3")),
            ("1-5,3-9", Some("1-9")),
            ("5-3", None),
            ("1-", None),
            ("-5", None),
            ("65535", Some("65535")),
            ("65536", None),
            ("0-65535", Some("0-65535")),
            ("0", Some("0")),
            ("1,,2", None),
            ("1,,", None),
            (",1", None),
            ("1,", Some("1")),
            ("1,\n", Some("1")),
            ("1\n", Some("1")),
            ("\n1", Some("1")),
            ("1\n2", Some("1-2")),
            ("1-3,\n", Some("1-3")),
            ("1 2", None),
            (" 7", None),
            ("7 ", None),
            ("abc", None),
            ("7x", None),
            ("+7", None),
            ("0x10", Some("16")),
            ("1-0x10", Some("1-16")),
            ("010", Some("8")),
            ("00", Some("0")),
            ("08", None),
            ("1-2-3", None),
            ("1- 2", None),
            ("4\t5", None),
            ("\n", Some("")),
            (" ", None),
        ] {
            assert_eq!(read(text).as_deref(), want, "{text:?}");
        }
    }

    #[test]
    fn port_set_contains_both_ends() {
        let set = PortSet::parse("5-7,9").unwrap();
        let held: Vec<u16> = (0..12).filter(|&p| set.contains(p)).collect();
        assert_eq!(held, [5, 6, 7, 9]);
    }
}
