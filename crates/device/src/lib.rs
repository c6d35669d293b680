//! Hearken device.
