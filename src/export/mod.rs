//! The export pipeline: from a tenant's rows to a published artifact.
//!
//! classify → redact → neutralise → canonicalise → hash → compress → store
//!
//! | part | what it does |
//! |---|---|
//! | [`catalog`] | what may be exported, under which rules; its policies and their digests |
//! | [`source`] | a consistent, read-only snapshot and its rows |
//! | [`detect`], [`neutralise`], [`canonical`] | what is done to a value |
//! | [`encode`] | from a row to a canonical JSON object |
//! | [`run`] | the runner that joins them all |
//! | [`storages`] | which tenant's artifacts are kept where |
//! | [`artifact`] | the file: frame, manifest, compression, storage |
//! | [`verify`] | reads a file again, offline and strictly |

pub mod artifact;
pub mod canonical;
pub mod catalog;
pub mod detect;
pub mod encode;
pub mod error;
pub mod neutralise;
pub mod run;
pub mod source;
pub mod storages;
pub mod verify;

pub use run::{Exporter, Parts};
pub use storages::{Log as StoragesLog, StorageView, Storages, StoragesError};
