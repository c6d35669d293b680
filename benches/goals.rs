//! What each row is to reach.

/// A goal: G1 to G13.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Goal {
    pub(crate) name: &'static str,
    /// In the unit of the row; a time or a size must not be above, a rate not below.
    pub(crate) value: f64,
}

pub(crate) const fn goal(name: &'static str, value: f64) -> Option<Goal> {
    Some(Goal { name, value })
}
