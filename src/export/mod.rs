//! The export pipeline: from a tenant's rows to a published artifact.
//!
//! classify → redact → neutralise → canonicalise → hash → compress → store

pub mod artifact;
pub mod catalog;
pub mod verify;
