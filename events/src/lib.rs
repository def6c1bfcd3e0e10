//! Carnet's events: the domain that decides them, the codec that writes them down, the stores that keep them.
//!
//! | room | what is in it |
//! |---|---|
//! | [`domain`] | what may happen, decided purely: exports, tenants, and the records around them |
//! | [`codec`] | between domain events and stored bytes, old versions included |
//! | [`envelope`], [`stream`], [`ids`] | the words that all of it is written in |
//! | [`store`] | the event store's contract and its backends |
//! | [`recent`] | what was used lately, in bounded memory; here because all that remember something rest on this crate |
//! | `conformance` (a feature) | that contract as a suite of tests for every backend |
//! | `standin` (a feature) | a stand-in for a KurrentDB cluster, for tests |
//!
//! This crate depends on nothing else of Carnet's.

pub mod codec;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod copy;
pub mod domain;
pub mod envelope;
pub mod ids;
pub mod recent;
#[cfg(feature = "standin")]
pub mod standin;
pub mod store;
pub mod stream;
