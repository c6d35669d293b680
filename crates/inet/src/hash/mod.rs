//! The three tables of inet: established (`ehash`), bound ports (`bhash`), listeners (`lhash2`).

pub(crate) mod bind;
pub(crate) mod established;
pub(crate) mod listening;
