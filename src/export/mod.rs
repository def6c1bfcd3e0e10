//! The export pipeline: from a tenant's rows to a published artifact.
//!
//! classify → redact → neutralise → canonicalise → hash → compress → store

pub mod artifact;
pub mod canonical;
pub mod catalog;
pub mod detect;
pub mod neutralise;
pub mod verify;
