//! Hearken twin.
