//! ss's names of states and of groups of states.

use std::ops::{BitAnd, BitOr, Not};

/// A set of states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct States(u16);

/// The name in a filter, and the name in the column.
const NAMES: [(&str, &str); 11] = [
    ("established", "ESTAB"),
    ("syn-sent", "SYN-SENT"),
    ("syn-recv", "SYN-RECV"),
    ("fin-wait-1", "FIN-WAIT-1"),
    ("fin-wait-2", "FIN-WAIT-2"),
    ("time-wait", "TIME-WAIT"),
    ("closed", "UNCONN"),
    ("close-wait", "CLOSE-WAIT"),
    ("last-ack", "LAST-ACK"),
    ("listening", "LISTEN"),
    ("closing", "CLOSING"),
];

const fn bit(at: u8) -> States {
    States(1 << at)
}
const SYN_SENT: States = bit(1);
/// `bucket`: what needs no whole socket.
const BUCKET: States = States(1 << 2 | 1 << 5);
/// `-l`
pub(crate) const LISTENING: States = States(1 << 6 | 1 << 9);
/// `-a`, and `all` in a filter.
pub(crate) const ALL: States = States((1 << 11) - 1);
/// Neither -a, -l nor a filter.
pub(crate) const DEFAULT: States = States(ALL.0 & !LISTENING.0 & !BUCKET.0);

/// The groups' names.
const GROUPS: [(&str, States); 5] = [
    ("all", ALL),
    ("connected", States(ALL.0 & !LISTENING.0)),
    ("synchronized", States(ALL.0 & !LISTENING.0 & !SYN_SENT.0)),
    ("bucket", BUCKET),
    ("big", States(ALL.0 & !BUCKET.0)),
];

impl States {
    /// What stands behind `state` or `exclude`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let one = NAMES.iter().position(|(n, _)| *n == name);
        one.map(|at| bit(at as u8))
            .or_else(|| GROUPS.iter().find(|(n, _)| *n == name).map(|(_, s)| *s))
    }

    /// All that may stand there, for a message.
    pub(crate) fn names() -> String {
        let states = NAMES.iter().map(|(n, _)| *n);
        let groups = GROUPS.iter().map(|(n, _)| *n);
        states.chain(groups).collect::<Vec<_>>().join(", ")
    }

    /// Whether a socket with this name in its column belongs to it.
    pub(crate) fn holds(self, column: &str) -> bool {
        let at = NAMES.iter().position(|(_, c)| *c == column);
        // A state that ss does not know is better shown than hidden.
        at.is_none_or(|at| self.0 >> at & 1 == 1)
    }

    /// ss drops the column when there is only one value for it.
    pub(crate) fn is_one(self) -> bool {
        self.0.is_power_of_two()
    }
}

impl BitOr for States {
    type Output = Self;
    fn bitor(self, o: Self) -> Self {
        Self(self.0 | o.0)
    }
}
impl BitAnd for States {
    type Output = Self;
    fn bitand(self, o: Self) -> Self {
        Self(self.0 & o.0)
    }
}
impl Not for States {
    type Output = Self;
    fn not(self) -> Self {
        Self(!self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_of_options_follow_ss() {
        for (state, by_default, by_l) in [
            ("LISTEN", false, true),
            ("UNCONN", false, true),
            ("ESTAB", true, false),
            ("SYN-SENT", true, false),
            ("SYN-RECV", false, false),
            ("TIME-WAIT", false, false),
            ("FIN-WAIT-2", true, false),
        ] {
            assert_eq!(DEFAULT.holds(state), by_default, "{state}");
            assert_eq!(LISTENING.holds(state), by_l, "{state} -l");
            assert!(ALL.holds(state), "{state} -a");
        }
    }

    #[test]
    fn states_of_groups_are_those_of_ss() {
        let shown = |name: &str| -> Vec<&str> {
            let states = States::named(name).unwrap();
            let columns = NAMES.iter().map(|(_, c)| *c);
            columns.filter(|c| states.holds(c)).collect()
        };
        assert_eq!(shown("bucket"), ["SYN-RECV", "TIME-WAIT"]);
        assert_eq!(shown("big").len(), 9);
        assert_eq!(shown("connected").len(), 9);
        assert!(!shown("synchronized").contains(&"SYN-SENT"));
        assert_eq!(shown("Established"), ["ESTAB"]);
        assert_eq!(States::named("LISTEN"), None, "as in ss: listening");
    }
}
