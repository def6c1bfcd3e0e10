//! Carnet's domain, event codec and event stores

pub mod envelope;
pub mod ids;
pub mod store;
pub mod stream;
