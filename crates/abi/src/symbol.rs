//! Every constant by the name that C gives it.

use crate::Errno;
use crate::file::{self, CA_STATES};
use crate::sock;

/// The tables of names.
const TABLES: [&[(&str, i64)]; 3] = [sock::SYMBOLS, file::SYMBOLS, CA_STATES];

/// The number of `SOCK_STREAM`, `O_NONBLOCK`, `TCPI_OPT_SACK`, `EAGAIN` and so on.
#[must_use]
pub fn value(name: &str) -> Option<i64> {
    names()
        .find(|(n, _)| *n == name)
        .map(|(_, value)| value)
        .or_else(|| errno(name).map(|e| i64::from(e.0)))
}

/// Every name but those of errors, with its number.
pub fn names() -> impl Iterator<Item = (&'static str, i64)> {
    TABLES.into_iter().flatten().copied()
}

/// The error of that name.
#[must_use]
pub fn errno(name: &str) -> Option<Errno> {
    match name {
        "EWOULDBLOCK" => Some(Errno::EWOULDBLOCK),
        "ENOTSUP" => Some(Errno::ENOTSUP),
        "EDEADLOCK" => Some(Errno::EDEADLOCK),
        _ => Errno::ALL.iter().copied().find(|e| e.name() == name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_of_every_table_are_found() {
        assert_eq!(value("SOCK_STREAM"), Some(1));
        assert_eq!(value("EPOLLET"), Some(0x8000_0000));
        assert_eq!(value("TCP_REPAIR_OFF_NO_WP"), Some(-1));
        assert_eq!(value("O_NONBLOCK"), Some(2048));
        assert_eq!(value("TCP_CA_Loss"), Some(4));
        assert_eq!(value("EINPROGRESS"), Some(115));
        assert_eq!(value("EWOULDBLOCK"), Some(11));
        assert_eq!(value("EWOULDBLOK"), None);
        assert_eq!(errno("SOCK_STREAM"), None);
    }

    #[test]
    fn symbol_names_stand_for_one_number_each() {
        for (name, number) in names() {
            assert_eq!(value(name), Some(number), "{name}");
        }
    }
}
