//! Finds what must not leave in free text.

/// The version of the detectors; part of every policy. To be raised with any change to what is found.
pub const VERSION: u32 = 1;
