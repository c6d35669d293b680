//! When an event happens, and how far it may be off.

use core::time::Duration;

use crate::ast::Time;

/// One jiffy of a 250 Hz kernel, twice: a timer fires up to one late, and starts up to one late.
pub(crate) const JIFFIES: Duration = Duration::from_millis(8);
/// How long after its time an expected packet may still come, only to be told that it is late.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);
/// The same where the script names no time.
pub(crate) const ANY_PATIENCE: Duration = Duration::from_secs(30);

/// What the previous event left behind. All times count from the script's beginning.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Last {
    /// When it was over.
    pub(crate) finished: Duration,
    /// The scheduled time of an inbound packet; `None` after any other event.
    pub(crate) inbound: Option<Duration>,
}

/// From when to when an event may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) earliest: Duration,
    /// `None`: at any time.
    pub(crate) latest: Option<Duration>,
    /// How much it is widened on both sides.
    pub(crate) slack: Duration,
}

impl Window {
    /// The window of an event that follows `last`.
    pub(crate) fn new(time: Time, last: Last, inbound: bool, least: Duration) -> Window {
        let base = match last.inbound {
            Some(scheduled) if inbound => scheduled,
            _ => last.finished,
        };
        let (earliest, latest) = match time {
            Time::Absolute(at) => (at, Some(at)),
            Time::Relative(by) => (base + by, Some(base + by)),
            Time::Any => (Duration::ZERO, None),
            Time::AbsoluteRange(from, to) => (from, Some(to)),
            Time::RelativeRange(from, to) => (base + from, Some(base + to)),
            Time::Blocking {
                relative, start, ..
            } => {
                let at = if relative { base + start } else { start };
                (at, Some(at))
            }
        };
        let distance = latest.unwrap_or(earliest).saturating_sub(base);
        Window {
            earliest,
            latest,
            slack: slack(distance, least),
        }
    }

    /// Whether something at this time is inside.
    pub(crate) fn has(&self, at: Duration) -> bool {
        at + self.slack >= self.earliest && self.latest.is_none_or(|to| at <= to + self.slack)
    }

    /// How it would be written.
    pub(crate) fn text(&self) -> String {
        let seconds = |at: Duration| format!("{:.6}", at.as_secs_f64());
        match self.latest {
            None => "*".to_owned(),
            Some(to) if to == self.earliest => seconds(to),
            Some(to) => format!("{}~{}", seconds(self.earliest), seconds(to)),
        }
    }
}

/// One eighth of a distance, but at least this.
pub(crate) fn slack(distance: Duration, least: Duration) -> Duration {
    (distance / 8).max(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    const LAST: Last = Last {
        finished: ms(105),
        inbound: Some(ms(100)),
    };

    #[test]
    fn relative_time_counts_from_the_end_of_the_previous_event() {
        let window = |time, inbound| Window::new(time, LAST, inbound, ms(4)).earliest;
        assert_eq!(window(Time::Relative(ms(10)), false), ms(115));
        // Inbound after inbound: from where the previous one stood in the script.
        assert_eq!(window(Time::Relative(ms(10)), true), ms(110));
        assert_eq!(window(Time::Absolute(ms(300)), true), ms(300));
    }

    #[test]
    fn tolerance_is_an_eighth_of_the_distance_but_at_least_four_milliseconds() {
        let window = Window::new(Time::Relative(ms(16)), LAST, false, ms(4));
        assert!(window.has(ms(117)) && window.has(ms(125)));
        assert!(!window.has(ms(116)) && !window.has(ms(126)));
        let window = Window::new(Time::Relative(ms(1000)), LAST, false, ms(4));
        assert_eq!(window.slack, ms(125));
        let range = Window::new(Time::RelativeRange(ms(8), ms(16)), LAST, false, ms(4));
        assert!(range.has(ms(109)) && range.has(ms(125)));
        assert!(!range.has(ms(108)) && !range.has(ms(126)));
        assert!(Window::new(Time::Any, LAST, false, ms(4)).has(ms(99_999)));
    }
}
