//! Hearken run.
