//! Carnet: self-hosted account data exports whose history can be audited.

pub mod config;
pub mod export;
