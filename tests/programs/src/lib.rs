//! Programs of other people, as they come from their packages, under `hearken run`: each must do there what it does without.
#![forbid(unsafe_code)]
